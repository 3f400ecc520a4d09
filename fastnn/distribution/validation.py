"""Rows that are held out, measured by all ranks together: each some pieces of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastnn.callbacks import CallbackList
from fastnn.callbacks.base import Logs
from fastnn.engine import Data, Engine
from fastnn.metrics import Watch, Watched
from fastnn.training import Held, named
from fastnn.training.reports import tested
from fastnn.typing import Array
from .data_parallel import DataParallel
from .shares import even_parts, fingerprint_of


@dataclass
class SharedHeld(Held):
    """Held-out rows of which each rank measures some; scores are of all, and do not follow from the number of ranks.

    ``sizes``: the rows of this rank's pieces, one after another in its rows.
    """

    plan: DataParallel | None = None
    sizes: list[int] | None = None

    def fingerprint(self) -> str:
        assert isinstance(self.rows, Data)
        assert self.plan is not None
        return self.rows.fingerprint() if self.sizes is None else fingerprint_of(self.rows, self.sizes, self.plan)

    def scores(self, engine: Engine, metrics: Sequence[Watched], callbacks: CallbackList | None) -> Logs:
        """The loss and the metrics of all ranks' rows, by name."""
        plan, rows = self.plan, self.rows
        assert plan is not None
        assert isinstance(rows, Data)
        batchwise = callbacks is not None and callbacks.wants("on_test_batch_begin", "on_test_batch_end")
        if plan.ranks.any(batchwise):
            if plan.shard:
                raise ValueError("callbacks got on_test_batch_..., but each rank has other batches; wants shard=False")
            return tested(engine, Held(rows, self.batch_size, self.freq), metrics, callbacks)
        if callbacks is not None:
            callbacks.call("on_test_begin", {})
        measured, watch = [], Watch(metrics)
        for piece in self._pieces(rows):
            outputs = np.empty((len(piece), engine.outputs), engine.dtype) if watch else None
            if len(piece):
                sums = engine.evaluate(piece, outputs) * len(piece)
                measured.append((sums, len(piece), (piece.y, piece.weight, outputs) if watch else None))
        told = [one for of_rank in plan.ranks.gather(measured) for one in of_rank]
        total, count = np.zeros(1 + len(engine.metrics)), 0
        for sums, number, _ in told:
            total, count = total + sums, count + number
        if watch and told:
            self._watch(watch, [seen for _, _, seen in told], rows)
        logs = named((total / max(1, count)).tolist(), metrics, watch.results())
        if callbacks is not None:
            callbacks.call("on_test_end", logs)
        return logs

    def _pieces(self, rows: Data) -> list[Data]:
        """This rank's."""
        plan, first, pieces = self.plan, 0, []
        assert plan is not None
        sizes, own = self.sizes, plan.own_parts
        if sizes is None:  # all ranks have the same rows
            every = even_parts(len(rows), plan.all_parts)
            first, sizes = sum(every[: own.start]), every[own.start : own.stop]
        for size in sizes:
            pieces.append(rows.part(slice(first, first + size)))
            first += size
        return pieces

    def _watch(self, watch: Watch, seen: list[Any], rows: Data) -> None:
        def joined(number: int) -> Array | None:
            arrays = [one[number] for one in seen]
            return None if arrays[0] is None else np.concatenate(arrays)

        outputs = joined(2)
        assert outputs is not None
        watch.update(Data(rows.x[:0], joined(0), rows.labels, joined(1)), outputs, self.batch_size)
