"""Training runs over data: steps in compiled slices, the order of the rows, and the way back if a run diverges."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fastnn.kernels import records
from fastnn.kernels.backends.numpy import mixed, shuffled
from .company import share
from .dataset import CONVERTED_BYTES, Data, point_at
from .jobs import SYNCHRONISATION_WORDS, fill_training
from .memory import KEPT_ROWS, Array, address, aligned, grown

if TYPE_CHECKING:
    from .engine import Engine

GOOD = slice(records.GOOD_STEP, records.GOOD_UPDATES + 1)


class RunMemory:
    """What one run at a time has beside the engine's buffers: new memory costs more than to fill it.

    Attributes
    ----------
    synchronisation : array
        What the kernels say of the run; `words`, a view, gives Python's integers; `place` is its address.
    backup : array
        The last good parameters, slots and state.
    """

    def __init__(self) -> None:
        self.synchronisation = aligned(SYNCHRONISATION_WORDS, np.int64)
        self.words, self.place = memoryview(self.synchronisation), address(self.synchronisation)  # type: ignore[arg-type]
        self.backup: Array = np.empty(0)


class Training:
    """A training run over some data: ``advance`` takes steps, which are counted over all epochs.

    Where it stands is in memory that the kernels write, and is read there: whenever Ctrl-C comes, it says what has been
    done.

    Attributes
    ----------
    steps, steps_per_epoch : int
        How many there are in all, and in an epoch.
    epochs : int
        How many there are in all.
    results : (epochs or fewer, 1 + metrics) array
        Sums over the rows of loss and metrics, an epoch a row; it grows with the epochs that there have been.
    rows : int
        Rows of an epoch: those of the data, or as many as an order that is laid down visits.
    lazy_nan_check : bool
        Nobody has checked that x, which the kernels read where it lies, is finite: the steps of the first epoch do, on
        a compiled backend.
    outputs : (rows, outputs) array or None
        What the network gave for each row of the epoch at hand, in the order of the visit, if the engine keeps it.
    observe : callable or None
        Called with the run whenever it has taken steps.
    """

    def __init__(
        self,
        engine: Engine,
        data: Data,
        batch_size: int,
        epochs: int,
        shuffle: bool,
        seed: int,
        rows: int | None = None,
    ) -> None:
        self.engine, self.data, self.shuffle, self.seed = engine, data, shuffle, seed
        self.rows = len(data) if rows is None else rows
        self.batch_size = batch_size
        self.steps_per_epoch = math.ceil(self.rows / self.batch_size)
        self.order: npt.NDArray[np.int64] | None = None
        self.row_weights: npt.NDArray[np.float64] | None = None
        self._laid_down = 0
        self.epochs, self.steps = epochs, epochs * self.steps_per_epoch
        self._memory, engine.spare_memory = engine.spare_memory or RunMemory(), None
        self._memory.synchronisation.fill(0)
        self._words = self._memory.words
        self.results = np.zeros((min(epochs, KEPT_ROWS), 1 + len(engine.metrics)))
        self.lazy_nan_check = False
        self.outputs = np.empty((self.rows, engine.outputs), engine.dtype) if engine.keeps_outputs else None
        self.observe: Callable[[Training], None] | None = None
        self.costs = costs = engine.costs_of(data)
        self.chunks = costs.chunks(self.batch_size)
        self.threads = costs.training_threads(self.batch_size, self.chunks or self.batch_size)
        self.team = engine.team_of(self.batch_size, self.threads)
        self.keep_good()

    @property
    def step(self) -> int:
        """Where it stands."""
        return self._words[records.DONE]

    @step.setter
    def step(self, step: int) -> None:
        self._words[records.DONE] = step

    @property
    def diverged(self) -> int:
        """Number of the first epoch that was not finite, from 1; 0 while all is well."""
        words = self._words
        found, step = words[records.DIVERGED], words[records.DONE]
        if found or not step:
            return found
        epoch = (step - 1) // self.steps_per_epoch
        return 0 if math.isfinite(self.results.item(epoch, 0)) else epoch + 1

    @diverged.setter
    def diverged(self, epoch: int) -> None:
        self._words[records.DIVERGED] = epoch

    @property
    def not_finite(self) -> bool:
        """x is not.  The step that found it has changed nothing; what those before it did, `restore_good` undoes."""
        return bool(self._words[records.NOT_FINITE])

    @property
    def seconds_a_step(self) -> float:
        """How long one takes, as far as is known."""
        return self.engine.guessed_seconds(self.batch_size, self.costs)

    @seconds_a_step.setter
    def seconds_a_step(self, seconds: float) -> None:
        self.engine.pace = self.batch_size, seconds

    def close(self) -> None:
        """Leave the memory to the next run, from whose beginning on this one is not to be asked anything any more."""
        self.engine.spare_memory = self._memory

    @property
    def epoch(self) -> int:
        """Epochs that have ended."""
        return self._words[records.DONE] // self.steps_per_epoch

    @property
    def finished(self) -> bool:
        return self.step >= self.steps

    def ready(self) -> bool:
        """Whether there is another step in the epoch at hand."""
        return True

    @property
    def batch(self) -> int:
        """The number of the next step in its epoch."""
        return self.step % self.steps_per_epoch

    def end_of(self, epochs: int) -> int:
        """The step at which so many epochs end."""
        return epochs * self.steps_per_epoch

    def place(self) -> tuple[int, int]:
        """The epoch of the last step, and how many of its steps there have been."""
        epoch = max(self.step - 1, 0) // self.steps_per_epoch
        return epoch, self.step - epoch * self.steps_per_epoch

    def means(self, epoch: int) -> list[float]:
        """Loss and metrics of an epoch, or of as much of it as there has been."""
        rows = self.rows_done(max(1, self.step - epoch * self.steps_per_epoch))
        return [total / rows for total in self.results[epoch].tolist()]

    def rows_done(self, steps: int) -> int:
        """Rows of an epoch that so many steps, or more than it has, have visited."""
        return min(steps * self.batch_size, self.rows)

    def identity(self) -> tuple[int, str]:
        """What tells the rows from others: how many, and a digest."""
        return len(self.data), self.data.fingerprint()

    def totals(self, first: int, last: int) -> Array:
        """The sums of loss and metrics over `rows` rows, of epochs that have ended: (epochs, 1 + metrics)."""
        return self.results[first:last]

    def samples(self, epoch: int) -> int:
        """Rows of an epoch."""
        return self.rows

    def lay_down(self, order: npt.NDArray[np.int64] | None, row_weights: npt.NDArray[np.float64] | None) -> None:
        """Say how the next epochs, from the one at hand on, go; None leaves it to ``shuffle``.

        Parameters
        ----------
        order : (epochs, rows) array or None
            The rows of the data to visit.
        row_weights : (epochs, steps) array or None
            What each row of a step counts, times its own weight: the inverse of the sum of those makes the loss of a
            step their mean.  None: the inverse of the number of rows.
        """
        self.order, self.row_weights, self._laid_down = order, row_weights, self.step // self.steps_per_epoch

    def keep_good(self) -> None:
        """Keep the parameters, slots and count of updates as they are now as the last good ones."""
        with self.engine.busy:
            self._keep_good()

    def _keep_good(self) -> None:
        engine, memory = self.engine, self._memory
        if len(memory.backup) != engine.parameters.saved_count:
            memory.backup = aligned(engine.parameters.saved_count, engine.dtype)
        engine.parameters.save(memory.backup)
        self._set_kept_at(self.step, engine.iterations)

    def _set_kept_at(self, step: int, updates: int) -> None:
        """Say which steps and updates the backup is of; the kernels do, as an epoch begins."""
        self._memory.synchronisation[GOOD] = step, updates

    @property
    def resumable(self) -> bool:
        """Whether another run can go on from here."""
        return True

    @property
    def finite(self) -> bool:
        """Whether all is well with what training has made so far."""
        return not (self.diverged or self.not_finite) and self.engine.parameters.finite

    def restore_good(self) -> None:
        """Back to the parameters, slots and count of updates of the last good epoch, if what is there is not finite."""
        engine = self.engine
        with engine.busy:
            if self.finite:
                return
            engine.parameters.restore(self._memory.backup, self._words[records.GOOD_UPDATES])

    def get_state(self) -> dict[str, Any]:
        """Where the run is: what, beside the engine's parameters, slots and count of updates, makes it go on from here.

        Within an epoch that is also its sums so far, and what to go back to if it diverges.
        """
        within = self.step % self.steps_per_epoch > 0
        rows = self.rows_done(self.step % self.steps_per_epoch)
        return {
            "step": self.step,
            "seed": self.seed,
            "sums": self.results[self.step // self.steps_per_epoch].tolist() if within else None,
            "good": self._memory.backup if within else None,
            "good_at": self._memory.synchronisation[GOOD].tolist(),
            "outputs": self.outputs[:rows] if within and self.outputs is not None else None,
        }

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Go on where `get_state` was called; the engine's parameters, slots and count of updates are those of then."""
        self.step, self.seed = state["step"], state["seed"]
        self.keep_good()
        epoch = self.step // self.steps_per_epoch
        self._grow(epoch + 1)
        if state["sums"] is not None and epoch < self.epochs:
            self.results[epoch] = state["sums"]
            self._memory.backup[:] = state["good"]
            if self.outputs is not None:
                self.outputs[: len(state["outputs"])] = state["outputs"]
            self._set_kept_at(*state["good_at"])

    def advance(self, last: int) -> None:
        """Take the steps up to ``last``, or to where the run diverged."""
        engine, job, own = self.engine, self.engine.job, self._memory
        with engine.busy:
            if len(own.backup) != engine.parameters.saved_count:
                self._keep_good()  # another optimizer, with other slots
            run, memory, prepared, replicate = job.run, job.memory, 0, False
            while (first := self.step) < last and not (self.diverged or self.not_finite):
                threads = self.threads if self.team is None else share(min(self.threads, self.team.count))
                if threads != prepared:
                    prepared, replicate = threads, self._prepare(threads)
                stop = self._attach(first, first + engine.schedule(last - first))
                epoch = first // self.steps_per_epoch
                run.first_step, run.last_step, run.first_epoch = first, stop, epoch
                job.optimizer.iterations = engine.iterations
                self._grow((stop - 1) // self.steps_per_epoch + 1)
                memory.results = address(self.results) + epoch * self.results.shape[1] * 8
                begin = perf_counter()
                engine.call(job, own.synchronisation, threads, replicate)
                if self.team is not None and threads == self.team.count:
                    idle, slept = self._words[records.IDLE] * 1e-9, self._words[records.SLEPT] * 1e-9
                    self.team.note(self.step - first, perf_counter() - begin, idle, slept)
            if not self.diverged:
                engine.parameters.came_along()
        if self.observe is not None:
            self.observe(self)

    def _prepare(self, threads: int) -> bool:
        """Fill in the job for so many threads; returns whether each of them has parameters of its own."""
        engine, job = self.engine, self.engine.job
        # Norms are sums over all threads' panels, for which they must meet.
        replicate = self.costs.replicates(threads, self.chunks) and job.optimizer.clip < records.CLIPNORM
        fill_training(engine, "train", self.batch_size, threads, self.chunks, replicate, self.costs)
        job.run.steps_per_epoch, job.run.synchronisation = self.steps_per_epoch, self._memory.place
        job.network.backup = address(self._memory.backup)
        job.memory.output, job.memory.output_row = address(self.outputs), engine.outputs
        return replicate

    def scored(self, first: int, last: int) -> tuple[Data, Array]:
        """The rows that the epoch of the last step visited from one place to another, and their outputs, as kept."""
        assert self.outputs is not None
        epoch, _ = self.place()
        data, visited = self.data, self._visited(epoch * self.steps_per_epoch, first, last)
        weight = None if data.weight is None else data.weight[visited]
        y = None if data.y is None else data.y[visited]
        return Data(data.x[:0], y, data.labels, weight), self.outputs[first:last]

    def _grow(self, epochs: int) -> None:
        """Have room for the results of so many epochs."""
        self.results = grown(self.results, min(epochs, self.epochs), self.epochs)

    def _attach(self, first: int, last: int) -> int:
        """Point the job at the data of the next steps, and say in which order; returns the step where they end."""
        data, start, job = self.data, 0, self.engine.job
        job.order = self.engine.blank.order
        order = job.order
        order.seed = self.seed
        ahead = first // self.steps_per_epoch - self._laid_down  # epochs, of those that are laid down
        if not data.direct:
            start, end, last = self._block(first, last)
            data = self._converted = self.data.block(self._visited(first, start, end), self.engine.dtype)
        elif self.order is not None:
            order.rows = address(self.order[ahead:])
        elif self.shuffle:
            bits = (self.rows - 1).bit_length()
            order.shuffle, order.mask, order.shift = 1, (1 << bits) - 1, max(1, bits // 2)
        if self.row_weights is not None:
            order.row_weights = address(self.row_weights) + 8 * (first - self._laid_down * self.steps_per_epoch)
        group = point_at(data, self.batch_size)
        group.rows, group.origin, group.lazy_nan_check = self.rows, start, self.lazy_nan_check
        job.data = group
        return last

    def _block(self, first: int, last: int) -> tuple[int, int, int]:
        """What is converted at a time: from one place of an epoch to another; and the step where that ends."""
        step_bytes = self.batch_size * self.data.width * self.engine.dtype.itemsize
        begin = first // self.steps_per_epoch * self.steps_per_epoch
        last = min(last, begin + self.steps_per_epoch, first + max(1, CONVERTED_BYTES // step_bytes))
        return (first - begin) * self.batch_size, min((last - begin) * self.batch_size, self.rows), last

    def _visited(self, first: int, start: int, end: int) -> slice | Array:
        """The rows that are visited from one place of an epoch, that of the step ``first``, to another."""
        epoch = first // self.steps_per_epoch
        if self.order is not None:
            return self.order[epoch - self._laid_down, start:end]
        return epoch_order(self.rows, self.seed, epoch, start, end) if self.shuffle else slice(start, end)


def epoch_order(rows: int, seed: int, epoch: int, start: int, end: int) -> npt.NDArray[np.int64]:
    """The shuffled rows that the kernels visit from one place of an epoch to another."""
    bits = (rows - 1).bit_length()
    key = mixed(seed + mixed(np.array([epoch])))
    visited: npt.NDArray[np.int64] = shuffled(np.arange(start, end), rows, (1 << bits) - 1, max(1, bits // 2), key)
    return visited
