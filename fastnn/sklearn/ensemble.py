"""Networks of one architecture (RealMLP-TD-S), each of which holds out other rows, trained side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import pairwise
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fastnn.callbacks import Callback, ProgressBar
from fastnn.data import real_number
from fastnn.engine import ThreadPool, processors, share
from fastnn.initializers import RandomNormal
from fastnn.layers import Dense, Dropout, Input, Layer, Scaling
from fastnn.losses import Loss
from fastnn.models import Sequential
from fastnn.optimizers import Adam
from fastnn.schedules import CosineLog
from fastnn.typing import Array
from .recipe import Recipe
from .sharing import Sharing

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


class Ensemble:
    """Trains the networks of an estimator, whose parameters are its ``settings``, as the ``recipe`` says.

    Each network holds out other rows.  The rate goes down to 0 several times, and there the networks are at their best.
    The end whose networks predict best what they have not seen, all of them taken together, is chosen for all: on few
    rows a single network's held-out ones say little.  The last two cycles, three quarters of the work, are left out
    where those before them say that they would bring nothing.

    ``validation`` are the rows to choose by; None: those that are held out.  ``shared`` says which networks are this
    process's to train, where ranks share them.

    Attributes
    ----------
    stopped : bool
        Ctrl-C has ended training.
    """

    def __init__(
        self,
        settings: BaseTabular,
        recipe: Recipe,
        task: Task,
        rows: Rows,
        validation: Rows | None = None,
        shared: Sharing | None = None,
    ) -> None:
        self.settings, self.recipe, self.task, self.rows, self.validation = settings, recipe, task, rows, validation
        self.shared = Sharing(None) if shared is None else shared
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
        verbose = [self.settings.verbose, *[0] * (len(seeds) - 1)]
        members = [Member(self, *of_member) for of_member in zip(seeds, held, verbose, strict=True)]
        shared, own = self.shared, {number: m for number, m in enumerate(members) if self.shared.is_own(number)}
        errors: list[float] = []
        for end in self.recipe.ends:
            shared.cycle(partial(self._train_all, list(own.values()), end, threads))
            for number, told in shared.everyones({number: member.told for number, member in own.items()}).items():
                members[number].told = told
            self.stopped = shared.stopped(self.stopped)
            trained = {number: member for number, member in enumerate(members) if member.ends}
            errors.append(self._error(list(trained.values())))
            if self.stopped or self._enough(errors):
                break
        best = len(errors) - 1 - int(np.argmin(errors[::-1]))  # the last of equals
        weights = shared.everyones({number: own[number].weights[best] for number in trained.keys() & own.keys()})
        for number, member in trained.items():
            member.finish(best, weights[number])
        shared.tell_warnings()
        return list(trained.values())

    def _train_all(self, members: list[Member], end: int, threads: int | None) -> None:
        """Train networks to an end of a cycle, on so many threads in all."""
        train_to_end = partial(self._train, members, end)
        if len(members) == 1:
            train_to_end(0, threads)
        elif members:
            side_by_side(train_to_end, len(members), threads or share(processors()), self.stop)

    def _train(self, members: list[Member], end: int, number: int, threads: int | None) -> None:
        """Train one of the networks to an end of a cycle, unless Ctrl-C was before it."""
        member = members[number]
        if not self.stopped:
            member.train(end, threads)
        elif member.weights:
            member.keep()

    def _enough(self, errors: list[float]) -> bool:
        """Whether no other cycle is worth its time, by the errors at the ends so far.

        That is so where the error has risen, or where something has been learned, and the error is flat: it has not
        fallen by ``tol``.  While nothing has been learned it may be flat and fall in the next cycle.
        """
        tol = self.recipe.tol
        if tol is None or len(errors) < max(2, len(self.recipe.ends) - 2):
            return False
        before, now = errors[-2:]
        return now > before * (1 + tol) or before * (1 - tol) < now < self._error_of_mean() * (1 - tol)

    def _error_of_mean(self) -> float:
        """The error of who predicts the mean of y for all rows, or how frequent each class is."""
        _, y, weight = self.rows if self.validation is None else self.validation
        if self.task.activation == "softmax":
            frequencies = np.bincount(y, weight, minlength=self.task.outputs)
            loss = -np.log(np.maximum(frequencies / frequencies.sum(), 1e-7))[y]
        else:
            loss = np.square(y - np.average(y, axis=0, weights=weight)).mean(axis=1)
        return float(np.average(loss, weights=weight))

    def _error(self, members: list[Member]) -> float:
        """How badly what was not trained on is predicted: the log loss or mean squared error; 0 without such rows."""
        x, y, weight = self.rows if self.validation is None else self.validation
        total, times = np.zeros((len(x), self.task.outputs)), np.zeros(len(x))
        for member in members:
            total[member.unseen] += member.predicted
            times[member.unseen] += 1
        seen = times > 0
        if not seen.any():
            return 0.0
        mean = total[seen] / times[seen, np.newaxis]
        if self.task.activation == "softmax":
            loss = -np.log(np.maximum(mean[np.arange(len(mean)), y[seen]], 1e-7))
        else:
            loss = np.square(mean - y[seen]).mean(axis=1)
        return float(np.average(loss, weights=None if weight is None else weight[seen]))


class Member:
    """A network of an ensemble, which is trained on the rows that are not ``held``, from one end of a cycle to another.

    Attributes
    ----------
    model : Sequential
        What was trained; when all is done, without the optimizer's state, for pickles.
    best_epoch : int
        The epoch that is kept, from 1.
    losses, scores : list of float
        Of each epoch.
    weights : list of list of array
        The network as it was at each end; of this process's own alone.
    ends : list of int
        The epochs that it was kept after.
    unseen : (rows,) array of bool or slice
        The rows, of those to choose by, that it was not trained on; ``predicted``: what it gave for them at the last
        end.
    """

    def __init__(self, ensemble: Ensemble, seed: int, held: Array, verbose: int) -> None:
        self.ensemble, self.seed, self.held = ensemble, seed, held
        self.bar = None if verbose == 0 else Bar(verbose, ensemble.recipe.epochs)
        self.unseen = held if ensemble.validation is None else slice(None)
        self.losses: list[float] = []
        self.scores: list[float] = []
        self.weights: list[list[Array]] = []
        self.ends: list[int] = []
        self.predicted: Array = np.empty((0, ensemble.task.outputs))
        self.diverged = False

    def train(self, end: int, threads: int | None) -> None:
        """Go on to the epoch ``end``; what has diverged stays as it was before."""
        ensemble, begin = self.ensemble, len(self.losses)
        if not begin:
            self._build(threads)
        if not self.diverged:
            x, y, weight = taken(ensemble.rows, ~self.held) if self.held.any() else ensemble.rows
            held = taken(ensemble.rows, self.held) if self.held.any() else ensemble.validation
            rows_a_step = -(-len(x) // self._steps)  # as equal as can be: a small last one would count as much
            told = [Stopping(ensemble), *([] if self.bar is None else [self.bar])]
            options: dict[str, Any] = {"validation_data": held, "sample_weight": weight, "initial_epoch": begin}
            history = self.model.fit(x, y, rows_a_step, end, 0, told, **options)
            self.losses += history.history.get("loss", [])
            self.scores += history.history.get(ensemble.task.score, [])
            if history.interrupted:
                ensemble.stop()
            self.diverged = len(self.losses) < end and not ensemble.stopped
        self.keep()

    def keep(self) -> None:
        """Keep the network as it is now, and what it predicts."""
        x, _, _ = self.ensemble.rows if self.ensemble.validation is None else self.ensemble.validation
        self.weights.append(self.model.get_weights())
        self.ends.append(len(self.losses))
        x = x[self.unseen]
        self.predicted = self.model.predict(x) if len(x) else np.empty((0, self.ensemble.task.outputs))

    @property
    def told(self) -> tuple[list[int], list[float], list[float], Array]:
        """What other ranks are told of it at an end."""
        return self.ends, self.losses, self.scores, self.predicted

    @told.setter
    def told(self, told: tuple[list[int], list[float], list[float], Array]) -> None:
        self.ends, self.losses, self.scores, self.predicted = told

    def finish(self, best: int, weights: list[Array]) -> None:
        """Be the network that was there at an end of a cycle, and had these weights."""
        settings, inputs = self.ensemble.settings, self.ensemble.rows[0].shape[1]
        self.best_epoch = self.ends[best]
        self.model = Sequential(self._layers(inputs), seed=self.seed)
        self.model.compile("sgd", backend=settings.backend, threads=settings.threads)
        self.model.build()
        self.model.set_weights(weights)

    @property
    def _steps(self) -> int:
        """Of an epoch."""
        rows = len(self.held) - np.count_nonzero(self.held)
        return max(1, round(rows / self.ensemble.recipe.batch_size))

    def _build(self, threads: int | None) -> None:
        settings, task, recipe = self.ensemble.settings, self.ensemble.task, self.ensemble.recipe
        rate = real_number(settings.learning_rate, "learning_rate", above=0)
        optimizer = Adam(CosineLog(rate, recipe.epochs * self._steps, recipe.cycles), beta_2=0.95, epsilon=1e-8)
        self.model = Sequential(self._layers(self.ensemble.rows[0].shape[1]), seed=self.seed)
        self.model.compile(optimizer, task.loss, task.metrics, backend=settings.backend, threads=threads)

    def _layers(self, inputs: int) -> list[Layer]:
        """The layers of a network.  A kernel of the NTK parametrisation is sqrt(inputs) times what it is here."""
        settings, task, recipe = self.ensemble.settings, self.ensemble.task, self.ensemble.recipe
        layers: list[Layer] = [Input((inputs,)), Scaling(gamma_rate=6.0)]
        widths = [inputs, *recipe.hidden]
        for before, width in pairwise(widths):
            kernel, bias = RandomNormal(stddev=before**-0.5), RandomNormal(stddev=1.0)
            options: dict[str, Any] = {"kernel_initializer": kernel, "bias_initializer": bias}
            layers.append(Dense(width, settings.activation, **options, kernel_rate=before**-0.5, bias_rate=0.1))
            if recipe.dropout:
                layers.append(Dropout(recipe.dropout))
        rates = {"kernel_rate": widths[-1] ** -0.5, "bias_rate": 0.1}
        return [*layers, Dense(task.outputs, task.activation, kernel_initializer="zeros", **rates)]


class Stopping(Callback):
    """Ends a network's training with its epoch where Ctrl-C has ended that of another, or a rank has had a signal."""

    def __init__(self, ensemble: Ensemble) -> None:
        super().__init__()
        self.ensemble = ensemble

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if self.ensemble.shared.interrupted:
            self.ensemble.stop()
        self.model.stop_training = self.ensemble.stopped


class Bar(ProgressBar):
    """One bar for all cycles, each of which is a fit; ``epochs`` is the last one's number."""

    def __init__(self, verbose: int, epochs: int) -> None:
        super().__init__(verbose)
        self.epochs = epochs

    def set_params(self, params: Mapping[str, Any]) -> None:
        super().set_params({**params, "epochs": self.epochs})

    def on_train_begin(self, logs: Any = None) -> None:
        if self._place is None:
            super().on_train_begin(logs)

    def on_train_end(self, logs: Any = None) -> None:
        """End a row that was left in the middle of an epoch; a notebook's output goes on to be the same."""
        if self._place is not None:
            self._place.close()


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
    waiting: SimpleQueue[int | None] = SimpleQueue()  # of which a thread takes fewer if it lacks a processor
    for number in [*range(abreast), *[None] * threads]:
        waiting.put(number)

    def train_some(_: int) -> None:
        for number in iter(waiting.get, None):
            train(number, 1)

    if abreast:
        with ThreadPool(threads) as pool:
            pool.run(train_some, stop)
    if rest := members - abreast:
        with ThreadPool(rest) as pool:
            pool.run(lambda number: train(abreast + number, max(1, threads // rest)), stop)
