"""Dispatch to several callbacks: which are called, in which order, and after how many steps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .base import BATCH_BEGINS, HOOKS, Backup, Callback, Logs, check, interval, overrides
from .history import History


class CallbackList:
    """Several callbacks, each called in turn by methods of the same names.

    TypeError: one is no callback.
    """

    def __init__(
        self,
        callbacks: Callback | Iterable[Callback] | None = None,
        model: Any = None,
        params: Mapping[str, Any] | None = None,
    ) -> None:
        given = [] if callbacks is None else [callbacks] if isinstance(callbacks, Callback) else callbacks
        if not isinstance(given, Iterable):
            raise TypeError(f"callbacks got {given!r}; wants a list of callbacks")
        self.callbacks = list(given)
        # All but histories as they are, which want the scores of epochs alone, and may hear of them some time after.
        self.active = [c for c in self.callbacks if type(c) is not History or not HOOKS.isdisjoint(vars(c))]
        for callback in self.active:
            check(callback)
        self.model = model
        for callback in self.callbacks:
            callback.set_model(model)
        self.set_params(params or {})
        self.histories = [c for c in self.callbacks if isinstance(c, History) and _is_history(c)]
        # Histories come last, for others may add to the logs.
        self.others = [c for c in self.callbacks if not isinstance(c, History)]
        self.others += [c for c in self.callbacks if isinstance(c, History) and not _is_history(c)]
        self.backups = [c for c in self.callbacks if isinstance(c, Backup)]
        every = [(c, n) for c in self.active if (n := interval(c)) is not None]
        self.step_callbacks = every  # with the number of steps after which each is called
        self.batch_begins = [(c, n) for c, n in every if any(overrides(c, hook) for hook in BATCH_BEGINS)]
        self._intervals = {n for _, n in every}
        self.last: Logs = {}  # the logs of the last epoch

    @property
    def needs_epochs(self) -> bool:
        """Whether a callback must be called as an epoch begins or ends."""
        return any(
            isinstance(c, Backup)
            or interval(c) is not None
            or overrides(c, "on_epoch_begin")
            or (overrides(c, "on_epoch_end") and not _is_history(c))
            for c in self.active
        )

    def next_stop(self, step: int, end: int) -> int:
        """After how many steps a callback is to be called next, once ``step`` are done; ``end`` at most."""
        return min([end, *((step // n + 1) * n for n in self._intervals)])

    def is_stop(self, step: int) -> bool:
        """Whether a callback is to be called after so many steps."""
        return any(step % n == 0 for n in self._intervals)

    @property
    def needs_progress(self) -> bool:
        """Whether a callback has `on_progress`, which is called within epochs."""
        return any(overrides(c, "on_progress") for c in self.active)

    def set_params(self, params: Mapping[str, Any]) -> None:
        for callback in self.callbacks:
            callback.set_params(params)

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.call("on_train_begin", {} if logs is None else logs)

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Call each with the logs of the last epoch, the others too where one raises, or Ctrl-C cuts one short."""
        rest, logs = iter(self.callbacks), self.last if logs is None else logs
        try:
            for callback in rest:
                callback.on_train_end(logs)
        finally:
            for callback in rest:
                callback.on_train_end(logs)

    def release(self) -> None:
        """Let others use what backups keep for themselves; `on_train_end` has, unless it was cut short."""
        for backup in self.backups:
            backup.release()

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self.call("on_epoch_begin", epoch, {} if logs is None else logs)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Call each, and histories last."""
        logs = self.last = {} if logs is None else logs
        for callback in [*self.others, *self.histories]:
            callback.on_epoch_end(epoch, logs)

    def call(self, hook: str, *arguments: Any) -> None:
        """Call the method of this name of each."""
        for callback in self.callbacks:
            getattr(callback, hook)(*arguments)

    def wants(self, *hooks: str) -> bool:
        """Whether a callback defines one of these methods."""
        return any(overrides(callback, hook) for callback in self.active for hook in hooks)

    def on_train_batch_begin(self, step: int, batch: int) -> None:
        """Call each whose steps begin again after ``step`` are done; the batch's number is within its epoch."""
        for callback, n in self.batch_begins:
            if step % n == 0:
                callback.on_train_batch_begin(batch, {})

    def on_train_batch_end(self, step: int, batch: int, logs: Logs | None = None) -> None:
        """Call each whose `every_n_steps` divides the steps done; the batch's number is within its epoch."""
        for callback, n in self.step_callbacks:
            if step % n == 0:
                callback.on_train_batch_end(batch, {} if logs is None else logs)

    def on_progress(self, epoch: int, step: int, steps: int | None, logs: Logs | None = None) -> None:
        for callback in self.callbacks:
            callback.on_progress(epoch, step, steps, logs)


def _is_history(callback: Callback) -> bool:
    """Whether a callback does at an epoch's end what `History` does, and no more."""
    return getattr(callback.on_epoch_end, "__func__", None) is History.on_epoch_end
