"""Networks of one architecture (RealMLP-TD-S), each trained on a split of its own, side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from sklearn.model_selection import train_test_split

from fastnn.callbacks import Callback
from fastnn.data import positive_integer, real_number
from fastnn.engine import ThreadPool, processors
from fastnn.initializers import RandomNormal
from fastnn.layers import Dense, Dropout, Input, Layer, Scaling
from fastnn.losses import Loss
from fastnn.models import Sequential
from fastnn.optimizers import Adam
from fastnn.schedules import CosineLog
from fastnn.typing import Array

if TYPE_CHECKING:
    from .tabular import BaseTabular

Rows = tuple[Array, Array, Array | None]
"""x, y, and weights."""

FEW_ROWS = 100
"""Up to here neither the order of rows matters, nor whether a whole weight is given or as many copies."""


class Task(NamedTuple):
    """What the members of an ensemble learn."""

    outputs: int
    activation: str  # of the outputs
    loss: Loss
    metrics: list[str]
    score: str  # the entry of the logs that chooses the epoch
    sign: int  # 1: more of it is better; -1: less


class Member(NamedTuple):
    """A trained network."""

    model: Sequential
    best_epoch: int
    losses: list[float]
    scores: list[float]


class Ensemble:
    """Trains the networks of an estimator, whose parameters are its ``settings``.

    ``validation`` are the rows to choose the epoch by; None: each network holds out some of ``rows``.
    """

    def __init__(self, settings: BaseTabular, task: Task, rows: Rows, validation: Rows | None) -> None:
        self.settings, self.task, self.rows, self.validation = settings, task, rows, validation
        self.stopped = False

    def stop(self) -> None:
        """Let the networks that are in training end with their epoch, and begin no other."""
        self.stopped = True

    def fit(self, seeds: Sequence[int], threads: int | None) -> list[Member]:
        """Train a network for each seed, on so many threads in all; those that Ctrl-C has not prevented."""
        done: dict[int, Member] = {}

        def train(number: int, threads: int | None) -> None:
            if not self.stopped:
                done[number] = self._train(seeds[number], threads, self.settings.verbose if number == 0 else 0)

        if len(seeds) == 1:
            train(0, threads)
        else:
            side_by_side(train, len(seeds), threads or processors(), self.stop)
        return [done[number] for number in sorted(done)]

    def _train(self, seed: int, threads: int | None, verbose: int) -> Member:
        """Train one network, on a split of its own."""
        settings, task, rows, validation = self.settings, self.task, self.rows, self.validation
        if validation is None:
            classes = rows[1] if task.activation == "softmax" else None
            rows, validation = split(rows, settings.validation_fraction, classes, seed)
        x, y, weight = rows
        steps = max(1, round(len(x) / positive_integer(settings.batch_size, "batch_size")))
        epochs = positive_integer(settings.epochs, "epochs")
        model = Sequential(self._layers(x.shape[1]), seed=seed)
        schedule = CosineLog(real_number(settings.learning_rate, "learning_rate", above=0), epochs * steps)
        optimizer = Adam(schedule, beta_2=0.95, epsilon=1e-8)
        model.compile(optimizer, task.loss, task.metrics, backend=settings.backend, threads=threads)
        best = BestEpoch(self, epochs)
        rows_a_step = -(-len(x) // steps)  # batches as equal as can be: a small last one would count as much
        options: dict[str, Any] = {"validation_data": validation, "sample_weight": weight}
        history = model.fit(x, y, rows_a_step, epochs, verbose, [best], **options)
        if history.interrupted:
            self.stop()
        trained = Sequential(self._layers(x.shape[1]), seed=seed)  # without the optimizer's state, for pickles
        trained.compile("sgd", backend=settings.backend, threads=settings.threads)
        trained.build()
        trained.set_weights(model.get_weights() if best.weights is None else best.weights)
        return Member(trained, best.epoch, history.history["loss"], best.scores)

    def _layers(self, inputs: int) -> list[Layer]:
        """The layers of a network.  A kernel of the NTK parametrisation is sqrt(inputs) times what it is here."""
        settings, task = self.settings, self.task
        layers: list[Layer] = [Input((inputs,)), Scaling(gamma_rate=6.0)]
        hidden = np.atleast_1d(settings.hidden_layer_sizes).tolist()
        widths = [inputs, *(positive_integer(width, "hidden_layer_sizes") for width in hidden)]
        for before, width in pairwise(widths):
            kernel, bias = RandomNormal(stddev=before**-0.5), RandomNormal(stddev=1.0)
            options: dict[str, Any] = {"kernel_initializer": kernel, "bias_initializer": bias}
            layers.append(Dense(width, settings.activation, **options, kernel_rate=before**-0.5, bias_rate=0.1))
            if settings.dropout:
                layers.append(Dropout(settings.dropout))
        rates = {"kernel_rate": widths[-1] ** -0.5, "bias_rate": 0.1}
        return [*layers, Dense(task.outputs, task.activation, kernel_initializer="zeros", **rates)]


class BestEpoch(Callback):
    """Keeps the weights of the epoch of the best score, the last of equals."""

    def __init__(self, ensemble: Ensemble, epochs: int) -> None:
        super().__init__()
        self.ensemble, self.task = ensemble, ensemble.task
        self.weights: list[Array] | None = None
        self.epoch = epochs
        self.scores: list[float] = []

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if self.ensemble.stopped:
            self.model.stop_training = True
        if logs and self.task.score in logs:
            score = logs[self.task.score]
            self.scores.append(score)
            if self.task.sign * score >= max(self.task.sign * np.array(self.scores)):
                self.weights, self.epoch = self.model.get_weights(), epoch + 1


def split(rows: Rows, fraction: float, classes: Array | None, seed: int) -> tuple[Rows, Rows | None]:
    """Rows to train on, and a fraction of them to choose the epoch by: none where there are too few.

    The parts have the same proportions of ``classes``, (rows,), where that can be.  Of up to FEW_ROWS rows equal ones
    come into the same part, so that an epoch is not chosen by what was trained on.
    """
    x, y, weight = rows
    few, count = len(x) <= FEW_ROWS, len(x)
    if few:
        _, places, group = np.unique(x, axis=0, return_index=True, return_inverse=True)
        group = group.ravel()  # NumPy 2.0.0 has a column
        count, classes = len(places), None if classes is None else classes[places]
    size = round(count * real_number(fraction, "validation_fraction", least=0, below=1))
    if not 0 < size < count:
        return rows, None
    if classes is not None:
        sizes = np.bincount(classes)
        if sizes.min() < 2 or len(sizes) > min(size, count - size):
            classes = None
    parts = train_test_split(np.arange(count), test_size=size, random_state=seed, stratify=classes)
    if few:
        parts = [np.flatnonzero(np.isin(group, part)) for part in parts]
    train, validation = ((x[part], y[part], None if weight is None else weight[part]) for part in parts)
    return train, validation


def side_by_side(train: Callable[[int, int], None], members: int, threads: int, stop: Callable[[], None]) -> None:
    """Call train(member, threads) for each member: as many at a time as there are threads, on one thread each.

    If fewer members than threads are left at the end, they have the threads between them.
    """
    abreast = members - members % threads if members > threads else 0
    waiting = list(reversed(range(abreast)))

    def train_some(_: int) -> None:
        for _ in range(abreast // threads):
            train(waiting.pop(), 1)

    if abreast:
        with ThreadPool(threads) as pool:
            pool.run(train_some, stop)
    if rest := members - abreast:
        with ThreadPool(rest) as pool:
            pool.run(lambda number: train(abreast + number, max(1, threads // rest)), stop)
