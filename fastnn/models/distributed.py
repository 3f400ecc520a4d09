"""A fit that ranks share: what each is given is checked together, and only the first prints and writes."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fastnn.callbacks import CallbackList, History
from fastnn.callbacks.base import Backup
from fastnn.callbacks.muted import muted
from fastnn.data import ArraySource, Feed, FileSource
from fastnn.distribution import DataParallel
from fastnn.distribution.averaging import AveragedTraining
from fastnn.distribution.interrupts import Interrupts
from fastnn.distribution.shares import OwnRows, SameRows, Share, even_parts, read_parts
from fastnn.distribution.steps import SharedTraining
from fastnn.distribution.validation import SharedHeld
from fastnn.engine import Data
from fastnn.optimizers import LBFGS, Optimizer
from fastnn.training import Loop, Minimizer, Reporter
from . import fitting

if TYPE_CHECKING:
    from .compiled import Compiled


def check_alike(model: Compiled, plan: DataParallel) -> None:
    """Raise RankError, on all ranks, where their models, or what computes them, are not the same."""
    from fastnn.engine import describe

    plan.check_parts()
    facts = describe()
    optimizer, layers = model.optimizer, model.get_config()["layers"]
    assert optimizer is not None
    alike = {
        "fastnn's version": facts["fastnn"],
        "the plan": repr(plan),
        "the number of layers": len(layers),
        **{f"layer {number}": layer for number, layer in enumerate(layers)},
        "the optimizer": type(optimizer).__name__,
        "the optimizer's settings": re.sub(r" at 0x\w+", "", repr(optimizer)),
        "the loss": re.sub(r" at 0x\w+", "", repr(model.loss)),
        "the dtype": model.dtype,
        "the instruction set": facts["instruction set"].split()[0],
        "the backend's arithmetic": "numpy" if model._backend == "numpy" else "compiled",
    }
    plan.ranks.agree(alike, "compile")


def fit(plan: DataParallel, prepared: Callable[[], fitting.Fit]) -> History:
    """Prepare and run a fit on all ranks."""
    ranks = plan.ranks
    quiet = nullcontext() if ranks.first else warnings.catch_warnings()
    with quiet:
        if not ranks.first:
            warnings.simplefilter("ignore")  # the first one warns
        return ranks.together(lambda: _shared(prepared(), plan)).run()


def _shared(given: fitting.Fit, plan: DataParallel) -> SharedFit:
    """The fit, with this rank's rows in memory; what cannot be shared is refused."""
    model = given.model
    if isinstance(model.optimizer, LBFGS):
        raise ValueError("optimizer got LBFGS, which ranks do not share; wants one of steps")
    own: dict[str, Any] = {
        "train": given.train,
        "validation": None if given.validation is None else given.validation.rows,
    }
    sizes: dict[str, list[int] | None] = {"train": None, "validation": None}
    for name, rows in own.items():
        if isinstance(rows, Feed) and isinstance(rows.source, FileSource) and rows.steps is None:
            own[name], sizes[name] = read_parts(rows, rows.source, plan.own_parts, plan.all_parts, model.dtype)
        elif isinstance(rows, Feed) and isinstance(rows.source, ArraySource) and rows.steps is None:
            source = rows.source
            chunk = source.read(source.first, source.last)
            own[name] = rows.requirements.data(chunk)
        elif rows is not None and not isinstance(rows, Data):
            what = "x" if name == "train" else "validation_data"
            raise ValueError(
                f"{what} got a stream, or a number of steps; a distribution wants arrays or fastnn.data.open's tables"
            )
        if plan.shard and isinstance(own[name], Data) and sizes[name] is None:
            sizes[name] = even_parts(len(own[name]), len(plan.own_parts))
    held = given.validation
    if held is not None:
        held = SharedHeld(own["validation"], held.batch_size, held.freq, plan, sizes["validation"])
    fields = vars(given) | {"train": own["train"], "validation": held}
    return SharedFit(**fields, plan=plan, sizes=sizes["train"])


@dataclass
class SharedFit(fitting.Fit):
    """One call of `Sequential.fit` on all ranks.

    ``sizes``: the rows of this rank's parts, where each rank has its own.
    """

    plan: DataParallel = None  # type: ignore[assignment]
    sizes: list[int] | None = None
    interrupts: Interrupts = field(default_factory=Interrupts)

    def run(self) -> History:
        ranks = self.plan.ranks
        before, ranks.timeout = ranks.timeout, self.plan.timeout
        try:
            with self.interrupts:
                return super().run()
        except SystemExit as error:  # the others would wait for this one
            ranks.leave(f"SystemExit: {error}")
            raise
        finally:
            ranks.timeout = before
            for callback in self.given:
                if isinstance(callback, Backup):
                    callback.ranks = None  # it may be another fit's next

    def _run(self) -> History:
        assert isinstance(self.train, Data)
        ranks, same, held = self.plan.ranks, self.sizes is None, self.validation
        alike: dict[str, Any] = {
            "the columns of x": self.train.width,
            "the rows of x": len(self.train) if same else None,
            "the values of x, y or weights (by a digest)": self.train.fingerprint()[:8] if same else None,
            "whether there are weights": self.train.weight is not None,
            "batch_size": self.batch_size,
            "epochs": (self.epochs.start, self.epochs.stop),
            "shuffle": self.shuffle,
            "whether there is validation data": held is not None,
            "callbacks": [type(callback).__name__ for callback in self.given],
        }
        ranks.agree(alike, "fit")
        if not same:
            self._check_rows(ranks.gather(len(self.train)))
        self.verbosity = ranks.from_first(self.verbosity)
        self.lazy_nan_check = False
        return super()._run()

    def _check_rows(self, rows: list[int]) -> None:
        """Refuse shares that have too few rows, of so many on each rank."""
        if not sum(rows):
            raise ValueError("x got no rows on any rank; wants at least one")
        if self.plan.sync_every > 1 and not min(rows):
            raise ValueError(
                f"x got no rows on rank {rows.index(0)}; wants some on each, for each takes steps by itself"
            )

    def _train(self, reporter: Reporter, callbacks: CallbackList, check_x: Callable[[], None] | None) -> None:
        self._take_firsts_weights(reporter)
        super()._train(reporter, callbacks, check_x)

    def _take_firsts_weights(self, reporter: Reporter) -> None:
        """Begin where the first rank does."""
        engine, ranks = reporter.engine, self.plan.ranks
        parameters = engine.parameters
        backup = parameters.values.__class__(parameters.saved_count, engine.dtype)
        parameters.save(backup)
        backup, iterations = ranks.from_first((backup, engine.iterations))
        if not ranks.first:
            with engine.busy:
                parameters.restore(backup, iterations)

    def _loop(self, optimizer: Optimizer, reporter: Reporter, check_x: Callable[[], None] | None) -> Loop | Minimizer:
        model, train, engine, epochs, plan = self.model, self.train, reporter.engine, len(self.epochs), self.plan
        assert isinstance(train, Data)
        if plan.sync_every > 1 and engine.keeps_outputs:
            names = [metric.name for metric in model._metrics if not metric.row]
            raise ValueError(
                f"metrics got {', '.join(names)}, made of all rows' outputs, which ranks that take steps by themselves "
                "do not tell each other; wants sync_every=1, or sums over rows such as 'accuracy'"
            )
        seed = plan.ranks.from_first(int(model._rng.integers(2**61)))
        share: Share
        if self.sizes is None:
            share = SameRows(train, min(self.batch_size, len(train)), plan, self.shuffle, seed)
        else:
            share = OwnRows(train, self.batch_size, plan, self.shuffle, seed, self.sizes)
        kind = AveragedTraining if plan.sync_every > 1 else SharedTraining
        steps = kind(engine, share, epochs, self.interrupts)
        return Loop(steps, optimizer, reporter, stopping=self._stopping)

    def _stopping(self) -> bool:
        """Whether a callback has asked to stop, on any rank."""
        self.model.stop_training = self.plan.ranks.any(self.model.stop_training)
        return self.model.stop_training

    def _callbacks(self, history: History) -> CallbackList:
        callbacks = super()._callbacks(history)
        for backup in callbacks.backups:
            backup.ranks = self.plan.ranks
            if self.plan.sync_every > 1 and backup.every_n_steps is not None:
                raise ValueError(
                    f"save_freq got {backup.every_n_steps}, but ranks have the same weights every "
                    f"{self.plan.sync_every} steps alone; wants 'epoch'"
                )
        return callbacks

    def _tell_interrupted(self, reporter: Reporter) -> None:
        if self.plan.ranks.first:
            reporter.tell_interrupted()

    def _heard(self, callbacks: list[Any]) -> list[Any]:
        return callbacks if self.plan.ranks.first else [muted(callback) for callback in callbacks]
