"""Names and what they stand for: looking one up, and describing an object by its name and arguments."""

from __future__ import annotations

import contextlib
import contextvars
import difflib
import inspect
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Self, TypeVar, overload

__all__ = [
    "Configurable",
    "CustomObject",
    "custom_object_scope",
    "deserialize",
    "lookup",
    "resolve",
    "serialize",
    "snake_case",
    "unique",
]

T = TypeVar("T")
C = TypeVar("C", bound="Configurable")


class Configurable:
    """An object that its constructor's arguments describe in full; each is an attribute of the same name."""

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, as JSON can hold them."""
        return {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """An object such as `get_config` describes."""
        return cls(**config)

    def __repr__(self) -> str:
        arguments = ", ".join(f"{name}={value!r}" for name, value in self.get_config().items())
        return f"{type(self).__name__}({arguments})"


_custom_objects: contextvars.ContextVar[Mapping[str, Any] | None] = contextvars.ContextVar(
    "custom_objects", default=None
)


def custom_object_scope(objects: Mapping[str, Any] | None) -> contextlib.AbstractContextManager[None]:
    """Where functions of the user's own are found by the names that files hold, meanwhile."""
    if objects is not None and not isinstance(objects, Mapping):
        raise TypeError(f"custom_objects got {objects!r}; wants a dict of name to function")
    return _scope(objects or {})


@contextlib.contextmanager
def _scope(objects: Mapping[str, Any]) -> Iterator[None]:
    token = _custom_objects.set({**(_custom_objects.get() or {}), **objects})
    try:
        yield
    finally:
        _custom_objects.reset(token)


class CustomObject(Configurable):
    """An object made of functions of the user's own, of which a file holds the name alone.

    Attributes
    ----------
    functions : tuple of callable
    function_name : str
    """

    what: ClassVar[str]  # the argument that it is given for

    def __init__(self, name: str | None, *functions: Callable[..., Any]) -> None:
        if name is not None and not (isinstance(name, str) and name):
            raise TypeError(f"name got {name!r}; wants a string")
        self.functions = functions
        self.function_name = name or str(getattr(functions[0], "__name__", type(functions[0]).__name__))

    def get_config(self) -> dict[str, Any]:
        """Its name."""
        return {"name": self.function_name}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """The one of this name in the scope."""
        name, known = config["name"], _custom_objects.get() or {}
        if name not in known:
            raise ValueError(
                f"{cls.what} got {name!r}, a function of your own, of which a file holds the name alone; "
                f"wants it again: load_model(..., custom_objects={{{name!r}: ...}})"
            )
        found = known[name]
        if isinstance(found, cls):
            return found
        functions = found if isinstance(found, tuple) else (found,)
        build: Any = cls
        made: Self = build(*functions, name=name)
        return made


@overload
def lookup(value: object, table: Mapping[str, T], argument: str) -> T: ...
@overload
def lookup(value: object, table: Sequence[str], argument: str) -> str: ...
def lookup(value: object, table: Mapping[str, Any] | Sequence[str], argument: str) -> Any:
    """What a name stands for in a table, or the name itself where the table is a mere list.

    Parameters
    ----------
    value : str
        The name.
    table : mapping or sequence of str
        The names there are.
    argument : str
        Where the name was given, for the error.

    Raises
    ------
    TypeError
        ``value`` is no string.
    ValueError
        The table has no such name; the message lists those it has, and the close one.
    """
    if isinstance(value, str) and value in table:
        return table[value] if isinstance(table, Mapping) else value
    message = f"{argument} got {value!r}; wants one of {', '.join(map(repr, table))}"
    if not isinstance(value, str):
        raise TypeError(message)
    close = difflib.get_close_matches(value.lower(), table, n=1)
    raise ValueError(f"{message} (did you mean {close[0]!r}?)" if close else message)


def resolve(identifier: object, kind: type[C], table: Mapping[str, Callable[[], C]], argument: str) -> C:
    """The object that a name, a class, a configuration or the object itself stands for, as Keras's ``get``.

    Raises
    ------
    TypeError
        ``identifier`` is none of these.
    ValueError
        It is a name, but nobody's.
    """
    if isinstance(identifier, kind):
        return identifier
    if isinstance(identifier, str):
        spellings = (identifier, identifier.lower(), snake_case(identifier))
        known = next((name for name in spellings if name in table), identifier)
        return lookup(known, table, argument)()
    if isinstance(identifier, type) and issubclass(identifier, kind):
        return identifier()
    if isinstance(identifier, Mapping):
        return deserialize(identifier, kind, argument)
    raise TypeError(
        f"{argument} got {identifier!r}; wants a name such as {next(iter(table))!r}, or an object of "
        f"class {kind.__name__}"
    )


def serialize(thing: Configurable) -> dict[str, Any]:
    """An object's class and configuration; `deserialize` makes an object of them."""
    return {"class_name": type(thing).__name__, "config": thing.get_config()}


def deserialize(description: Mapping[str, Any], kind: type[C], argument: str) -> C:
    """The object of a class, or of one derived from it, that `serialize` described."""
    if set(description) != {"class_name", "config"} or not isinstance(description["config"], Mapping):
        raise ValueError(f"{argument} got {description!r}; wants {{'class_name': ..., 'config': {{...}}}}")
    classes = {found.__name__: found for found in _family(kind)}
    return lookup(description["class_name"], classes, argument).from_config(description["config"])


def snake_case(name: str) -> str:
    """GlorotUniform -> glorot_uniform."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def unique(names: Iterable[str], taken: Collection[str] = ()) -> list[str]:
    """Names made different by a number: dense, dense_1, dense_2; none of them is among those taken."""
    used, result = set(taken), []
    for name in names:
        number, candidate = 0, name
        while candidate in used:
            number += 1
            candidate = f"{name}_{number}"
        used.add(candidate)
        result.append(candidate)
    return result


def _family(kind: type[C]) -> Iterator[type[C]]:
    yield kind
    for derived in kind.__subclasses__():
        yield from _family(derived)
