"""What is set on an object, or overridden in a class: it is heeded, or refused, but never passed over in silence.

A compiled run calls no methods of layers, losses or optimizers, and takes up their settings at certain times.  So each
public class says, by `Heeding`, which methods of Keras's nothing here would call, and which attributes nothing would
look at.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from .absent import ATTRIBUTES


class Heeding:
    """Base of the public classes.

    A class that is derived from one may not define a method of ``_uncalled``, whose values say what to do instead.  An
    attribute that is set is the first of these:

    - a property, whose setter decides, where it has one;
    - an argument of the constructor that is set again: `_changed` decides;
    - one of ``_uncalled`` or ``_unread``: refused;
    - spelled almost as one that may be set: refused;
    - a note of the user's own, and kept.
    """

    _uncalled: ClassVar[Mapping[str, str]] = {}
    _unread: ClassVar[Mapping[str, str]] = {}

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for base in cls.__mro__:
            if _ours(base) or base is object:
                continue
            for name in vars(base):
                if name in cls._uncalled:
                    raise TypeError(f"{cls.__name__} got a method {name}, which nothing calls; {cls._uncalled[name]}")

    if not TYPE_CHECKING:  # mypy is to see what is not there

        def __getattr__(self, name: str) -> Any:
            """Say of an attribute that Keras's class has, or had, what to do instead."""
            held = getattr(type(self), name, None)
            if isinstance(held, property) and held.fget is not None:
                return held.fget(self)  # raised the error that led here: once more, for its sentence
            kind = type(self).__name__
            tables = [self._uncalled, self._unread, *(ATTRIBUTES.get(base.__name__, {}) for base in type(self).__mro__)]
            advice = next((table[name] for table in tables if name in table), None)
            message = f"{kind!r} object has no attribute {name!r}"
            raise AttributeError(f"{message}, which Keras's has; {advice}" if advice else message, name=name, obj=self)

    def __setattr__(self, name: str, value: Any) -> None:
        held = getattr(type(self), name, None)
        if isinstance(held, property) and held.fset is None:
            raise AttributeError(
                f"{type(self).__name__}.{name} got {value!r}, but it cannot be set{self._instead(name)}"
            )
        if not name.startswith("_") and not hasattr(held, "__set__"):
            if name in self.__dict__:
                if name in self._settings():
                    value = self._changed(name, value)
            else:
                self._check_name(name, value)
        super().__setattr__(name, value)

    def _check_name(self, name: str, value: Any) -> None:
        """Refuse an attribute that means something elsewhere, or was meant to mean something here."""
        kind, settings = type(self).__name__, self._settings()
        if name in settings or (hasattr(type(self), name) and name not in self._uncalled):
            return
        for table in (self._uncalled, self._unread):
            if name in table:
                raise AttributeError(f"{kind}.{name} got {value!r}, which nothing looks at; {table[name]}")
        properties = (key for key in dir(type(self)) if hasattr(getattr(type(self), key), "__set__"))
        close = difflib.get_close_matches(
            name.lower(), {*settings, *properties}, n=1, cutoff=0.88 if len(name) > 6 else 0.95
        )
        if close:
            raise AttributeError(f"{kind}.{name} got {value!r}, which nothing looks at (did you mean {close[0]!r}?)")

    def _changed(self, name: str, value: Any) -> Any:
        """What an argument of the constructor becomes that is set again; AttributeError: it cannot be."""
        raise AttributeError(
            f"{type(self).__name__}.{name} got {value!r} for an object that is made, of which whoever has it takes no "
            f"further notice; wants a new {type(self).__name__}({name}=...)"
        )

    def _instead(self, name: str) -> str:
        """What to do instead of setting a property, for the end of an error message."""
        return ""

    @classmethod
    def _settings(cls) -> Collection[str]:
        """What may be set: the arguments of the constructor, and more where a class says so."""
        return ()


def _ours(cls: type) -> bool:
    """Whether a class is fastnn's own."""
    return cls.__module__.partition(".")[0] == "fastnn"


def own_class(cls: type) -> Any:
    """The class that is fastnn's own, of one that may be derived from it."""
    return next(base for base in cls.__mro__ if _ours(base))
