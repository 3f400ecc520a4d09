"""Whose turn it is: what uses one thing in several threads waits, and what would wait for itself is told so."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import wraps
from threading import RLock
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar
from weakref import ref

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


class Turns:
    """A lock that its owner can be asked about.  It is always taken by ``with turns.lock``, or by `exclusive`.

    Such a lock is taken and given back in C, where no signal can come between: nothing can leave it behind locked.

    Attributes
    ----------
    running : str or None
        What the thread whose turn it is does.
    """

    def __init__(self) -> None:
        self.lock = RLock()
        self.running: str | None = None
        _forget()
        _all[id(self)] = ref(self)

    @property
    def mine(self) -> bool:
        """Whether it is this thread's turn."""
        return self.lock._is_owned()  # type: ignore[attr-defined, no-any-return]

    @property
    def first(self) -> Any:
        """The lock, for a thread that does not have it yet; RuntimeError if it has."""
        lock = self.lock
        if lock._is_owned():  # type: ignore[attr-defined]  # and not `mine`, for the sake of speed
            raise RuntimeError(
                "a model was asked for something from within a step or a prediction of its own, as by a loss, a "
                "schedule or the handler of a signal; wants another model there, or a callback between steps, such as "
                "on_epoch_end"
            )
        return lock

    def check(self, what: str, nests: bool) -> None:
        """Raise RuntimeError where a method that changes a model may not be called beside what is running.

        ``nests``: it may be called while fit trains, by a callback.
        """
        running = self.running
        if self.mine:
            if running is not None and not (nests and running == "fit"):
                raise RuntimeError(
                    f"{what} was called on a model from within its own {running}; wants to be called "
                    f"{'before or after it' if running == 'fit' else 'outside of it'}"
                )
        elif running == "fit":
            raise RuntimeError(
                f"{what} was called on a model that fit trains in another thread; wants to wait until fit returns: "
                "only what leaves a model as it is, such as predict, evaluate and save, may be called at once"
            )


# References without callbacks, as a WeakSet has them: a Ctrl-C that came in such a one would be lost.
_all: dict[int, ref[Turns]] = {}


_most = 64  # that are looked through no more often than they double


def _forget() -> None:
    """Drop those that are gone."""
    global _most
    if len(_all) < _most:
        return
    for key, known in list(_all.items()):
        if known() is None:
            _all.pop(key, None)
    _most = max(64, 2 * len(_all))


def _renew() -> None:
    """In a forked child no other thread lives that would ever give its turn back."""
    for turns in [known() for known in _all.values()]:
        if turns is not None and not turns.mine:
            turns.lock, turns.running = RLock(), None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)


class _Taking(Protocol):
    @property
    def _turns(self) -> Turns: ...


Owner = TypeVar("Owner", bound=_Taking)
Method = Callable[Concatenate[Owner, Arguments], Result]


def exclusive(nests: bool = True) -> Callable[[Method[Owner, Arguments, Result]], Method[Owner, Arguments, Result]]:
    """Make a method one that a single thread at a time runs; ``nests`` as in `Turns.check`."""

    def changed(method: Method[Owner, Arguments, Result]) -> Method[Owner, Arguments, Result]:
        what = method.__name__

        @wraps(method)
        def taken(self: Owner, /, *arguments: Arguments.args, **options: Arguments.kwargs) -> Result:
            turns = self._turns
            if turns.running is not None:
                turns.check(what, nests)
            with turns.lock:
                outer = turns.running
                try:
                    turns.running = what
                    return method(self, *arguments, **options)
                finally:
                    turns.running = outer

        return taken

    return changed
