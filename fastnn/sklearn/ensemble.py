"""Networks of one architecture (RealMLP-TD-S), each of which holds out other rows, trained side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fastnn.callbacks import Callback
from fastnn.data import real_number
from fastnn.engine import ThreadPool, processors, share
from fastnn.initializers import RandomNormal
from fastnn.layers import Dense, Dropout, Input, Layer, Scaling
from fastnn.losses import Loss
from fastnn.models import Sequential
from fastnn.optimizers import Adam
from fastnn.schedules import CosineLog
from fastnn.typing import Array
from .recipe import CYCLES, Recipe

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
    score: str  # the entry of the logs that is kept of every epoch


class Trained(NamedTuple):
    """A network as it was at the ends of its cycles."""

    model: Sequential
    weights: list[list[Array]]  # by end
    losses: list[float]
    scores: list[float]


class Member(NamedTuple):
    """A trained network."""

    model: Sequential
    best_epoch: int
    losses: list[float]
    scores: list[float]


class Ensemble:
    """Trains the networks of an estimator, whose parameters are its ``settings``, as the ``recipe`` says.

    Each network holds out other rows.  The rate goes down to 0 several times, and there the networks are at their best.
    The end whose networks predict best what they have not seen, all of them taken together, is chosen for all: on few
    rows a single network's held-out ones say little.

    ``validation`` are the rows to choose by; None: those that are held out.
    """

    def __init__(
        self, settings: BaseTabular, recipe: Recipe, task: Task, rows: Rows, validation: Rows | None = None
    ) -> None:
        self.settings, self.recipe, self.task, self.rows, self.validation = settings, recipe, task, rows, validation
        self.stopped = False

    def stop(self) -> None:
        """Let the networks that are in training end with their epoch, and begin no other."""
        self.stopped = True

    def fit(self, seeds: Sequence[int], threads: int | None) -> list[Member]:
        """Train a network for each seed, on so many threads in all; those that Ctrl-C has not prevented."""
        count = len(self.rows[0])
        held = [np.zeros(count, np.bool_)] * len(seeds)
        if self.validation is None:
            classes = self.rows[1] if self.task.activation == "softmax" else None
            held = held_out(self.rows[0], self.recipe.validation_fraction, classes, len(seeds), seeds[0])
        done: dict[int, Trained] = {}

        def train(number: int, threads: int | None) -> None:
            if not self.stopped:
                verbose = self.settings.verbose if number == 0 else 0
                done[number] = self._train(seeds[number], held[number], threads, verbose)

        if len(seeds) == 1:
            train(0, threads)
        else:
            side_by_side(train, len(seeds), threads or share(processors()), self.stop)
        trained = [done[number] for number in sorted(done)]
        best = self._best_end(trained, [held[number] for number in sorted(done)])
        for member in trained:
            member.model.set_weights(member.weights[best])
        epoch = self.recipe.ends[best]
        return [Member(member.model, epoch, member.losses, member.scores) for member in trained]

    def _train(self, seed: int, held: Array, threads: int | None, verbose: int) -> Trained:
        """Train one network, on the rows that are not ``held``."""
        settings, task, epochs = self.settings, self.task, self.recipe.epochs
        x, y, weight = taken(self.rows, ~held) if held.any() else self.rows
        validation = taken(self.rows, held) if held.any() else self.validation
        steps = max(1, round(len(x) / self.recipe.batch_size))
        model = Sequential(self._layers(x.shape[1]), seed=seed)
        schedule = CosineLog(real_number(settings.learning_rate, "learning_rate", above=0), epochs * steps, CYCLES)
        optimizer = Adam(schedule, beta_2=0.95, epsilon=1e-8)
        model.compile(optimizer, task.loss, task.metrics, backend=settings.backend, threads=threads)
        ends = Ends(self)
        rows_a_step = -(-len(x) // steps)  # batches as equal as can be: a small last one would count as much
        options: dict[str, Any] = {"validation_data": validation, "sample_weight": weight}
        history = model.fit(x, y, rows_a_step, epochs, verbose, [ends], **options)
        if history.interrupted:
            self.stop()
        trained = Sequential(self._layers(x.shape[1]), seed=seed)  # without the optimizer's state, for pickles
        trained.compile("sgd", backend=settings.backend, threads=settings.threads)
        trained.build()
        ends.weights += [model.get_weights()] * (len(self.recipe.ends) - len(ends.weights))  # it was interrupted
        return Trained(trained, ends.weights, history.history.get("loss", []), history.history.get(task.score, []))

    def _best_end(self, trained: list[Trained], held: list[Array]) -> int:
        """The place among the recipe's ends where what was not trained on is predicted best, the last of equals."""
        x, y, weight = self.rows if self.validation is None else self.validation
        if self.validation is not None:
            held = [np.ones(len(x), np.bool_)] * len(trained)
        times = np.sum(held, axis=0)
        seen = times > 0
        if not seen.any():
            return -1
        losses = []
        for end in range(len(self.recipe.ends)):
            total = np.zeros((len(x), self.task.outputs))
            for member, rows in zip(trained, held, strict=True):
                member.model.set_weights(member.weights[end])
                total[rows] += member.model.predict(x[rows])
            mean = total[seen] / times[seen, np.newaxis]
            if self.task.activation == "softmax":
                loss = -np.log(np.maximum(mean[np.arange(len(mean)), y[seen]], 1e-7))
            else:
                loss = np.square(mean - y[seen]).mean(axis=1)
            losses.append(np.average(loss, weights=None if weight is None else weight[seen]))
        return len(losses) - 1 - int(np.argmin(losses[::-1]))

    def _layers(self, inputs: int) -> list[Layer]:
        """The layers of a network.  A kernel of the NTK parametrisation is sqrt(inputs) times what it is here."""
        settings, task = self.settings, self.task
        layers: list[Layer] = [Input((inputs,)), Scaling(gamma_rate=6.0)]
        widths = [inputs, *self.recipe.hidden]
        for before, width in pairwise(widths):
            kernel, bias = RandomNormal(stddev=before**-0.5), RandomNormal(stddev=1.0)
            options: dict[str, Any] = {"kernel_initializer": kernel, "bias_initializer": bias}
            layers.append(Dense(width, settings.activation, **options, kernel_rate=before**-0.5, bias_rate=0.1))
            if self.recipe.dropout:
                layers.append(Dropout(self.recipe.dropout))
        rates = {"kernel_rate": widths[-1] ** -0.5, "bias_rate": 0.1}
        return [*layers, Dense(task.outputs, task.activation, kernel_initializer="zeros", **rates)]


class Ends(Callback):
    """Keeps the weights of the epochs at which cycles end."""

    def __init__(self, ensemble: Ensemble) -> None:
        super().__init__()
        self.ensemble = ensemble
        self.weights: list[list[Array]] = []

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if self.ensemble.stopped:
            self.model.stop_training = True
        elif epoch + 1 in self.ensemble.recipe.ends:
            self.weights.append(self.model.get_weights())


def taken(rows: Rows, places: Array) -> Rows:
    """Some of the rows."""
    x, y, weight = rows
    return x[places], y[places], None if weight is None else weight[places]


def held_out(x: Array, fraction: float, classes: Array | None, members: int, seed: int) -> list[Array]:
    """For each member which rows, (rows,), it holds out: a fraction of them, others for each as long as there are some.

    None are where there are too few.  The parts have the same proportions of ``classes``, (rows,).  Of up to FEW_ROWS
    rows equal ones come into the same part, so that an epoch is not chosen by what was trained on.
    """
    group, places = np.arange(len(x)), np.arange(len(x))
    if len(x) <= FEW_ROWS:
        _, places, group = np.unique(x, axis=0, return_index=True, return_inverse=True)
        group = group.ravel()  # NumPy 2.0.0 has a column
    count = len(places)
    size = round(count * fraction)
    if not 0 < size < count:
        return [np.zeros(len(x), np.bool_)] * members
    random = np.random.RandomState(seed)
    order = random.permutation(count)
    if classes is not None:  # the rows of each class evenly along the order
        shuffled = classes[places][order]
        along = np.empty(count)
        for label in np.unique(shuffled):
            of_class = np.flatnonzero(shuffled == label)
            along[of_class] = (np.arange(len(of_class)) + random.random_sample()) / len(of_class)
        order = order[np.argsort(along, kind="stable")]
    parts = [np.take(order, np.arange(start, start + size), mode="wrap") for start in size * np.arange(members)]
    return [np.isin(group, part) for part in parts]


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
