"""Names and what they stand for: looking one up, and describing an object by its class and its arguments."""

from __future__ import annotations

import contextlib
import contextvars
import difflib
import functools
import inspect
import numbers
import re
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Self, TypeVar, overload

from .absent import tell
from .heeding import Heeding, own_class

T = TypeVar("T")
C = TypeVar("C", bound="Configurable")


class Configurable(Heeding):
    """An object that its constructor's arguments describe in full; each is an attribute of the same name.

    It may be changed until a model, a layer or an optimizer has been given it.
    """

    _held = False  # by one of these

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, as JSON can hold them."""
        values = {name: getattr(self, name) for name in self._arguments()}
        return {name: v.described() if isinstance(v, Configurable) else v for name, v in values.items()}

    def described(self) -> Any:
        """What stands for the object in the configuration of one that has it."""
        return serialize(self)

    @classmethod
    def _arguments(cls) -> list[str]:
        """The names of the constructor's arguments."""
        return list(_parameters(cls))

    @classmethod
    def _settings(cls) -> Collection[str]:
        return _arguments_of(own_class(cls))

    def _changed(self, name: str, value: Any) -> Any:
        return super()._changed(name, value) if self._held else self._as_argument(name, value)

    def _as_argument(self, name: str, value: Any) -> Any:
        """What the constructor makes of an argument, beside the others as they are."""
        own = own_class(type(self))
        names = own._arguments()
        if name not in names:  # but of a base
            return super()._changed(name, value)
        return getattr(own(**{each: getattr(self, each) for each in names} | {name: value}), name)

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """Make the object that `get_config` described."""
        return cls(**config)

    def __repr__(self) -> str:
        """As the call that makes it: what it must be given, and what differs from the defaults."""
        config = self.get_config()
        must = [name for name, p in _parameters(type(self)).items() if p.default is p.empty]
        usual: dict[str, Any] = {}
        if set(must) <= set(config):
            usual = type(self)(**{name: getattr(self, name) for name in must}).get_config()
        given = [name for name in config if usual.get(name, ...) != config[name] and name not in self._unshown()]
        shown = {name: self._shown(name, config[name]) for name in dict.fromkeys([*must, *given]) if name in config}
        arguments = [text if name in must else f"{name}={text}" for name, text in shown.items()]
        return f"{type(self).__name__}({', '.join(arguments)})"

    def _unshown(self) -> Collection[str]:
        """Arguments that nobody gave."""
        return ()

    def _shown(self, name: str, described: Any) -> str:
        """An argument in `__repr__`."""
        value = getattr(self, name, described)
        return repr(value if isinstance(value, Configurable) and isinstance(described, Mapping) else described)


_signatures: dict[type, Mapping[str, inspect.Parameter]] = {}


def _parameters(cls: type) -> Mapping[str, inspect.Parameter]:
    """Those of the constructor, which are kept: reading a signature takes a hundred microseconds."""
    if cls not in _signatures:
        _signatures[cls] = inspect.signature(cls).parameters
    return _signatures[cls]


@functools.cache
def _arguments_of(cls: type[Configurable]) -> frozenset[str]:
    """Those of the class and of its bases."""
    return frozenset(name for base in cls.__mro__ if issubclass(base, Configurable) for name in base._arguments())


_custom_objects: contextvars.ContextVar[Mapping[str, Any] | None] = contextvars.ContextVar(
    "custom_objects", default=None
)


def custom_object_scope(objects: Mapping[str, Any] | None) -> contextlib.AbstractContextManager[None]:
    """A ``with`` block in which your own functions are found by the names in files."""
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


def custom_object(name: str) -> Any:
    """What `custom_object_scope` has under this name; None if nothing."""
    return (_custom_objects.get() or {}).get(name)


class CustomObject(Configurable):
    """An object made of the user's own functions; a file holds only its name, and no code.

    ``function_name`` is what a file calls it: the name given, else that of the first function.
    """

    what: ClassVar[str]  # the argument that takes such an object, for error messages

    def __init__(self, name: str | None, *functions: Callable[..., Any]) -> None:
        if name is not None and not (isinstance(name, str) and name):
            raise TypeError(f"name got {name!r}; wants a string")
        self.functions = functions
        self.function_name = name or str(getattr(functions[0], "__name__", type(functions[0]).__name__))

    def _check_name(self, name: str, value: Any) -> None:
        if "function_name" in self.__dict__ and name in self._settings():
            self._changed(name, value)
        super()._check_name(name, value)

    def _as_argument(self, name: str, value: Any) -> Any:
        raise AttributeError(f"{type(self).__name__}.{name} got {value!r}; wants a new {type(self).__name__}(...)")

    def get_config(self) -> dict[str, Any]:
        """The name alone: functions are not stored."""
        return {"name": self.function_name}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """Find the object, or make it of the functions, that `custom_object_scope` has under this name."""
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
    """Look a name up: what it stands for in a mapping, or the name itself where the table is a list of names.

    Errors call the argument that the name was given for ``argument``.  TypeError: ``value`` is no string.  ValueError:
    the table has no such name; the message lists its names, and suggests one that is spelled like it.
    """
    if isinstance(value, str) and value in table:
        return table[value] if isinstance(table, Mapping) else value
    message = f"{argument} got {value!r}; wants one of {', '.join(map(repr, table))}"
    if not isinstance(value, str):
        raise TypeError(message)
    close = difflib.get_close_matches(value.lower(), table, n=1)
    raise ValueError(f"{message} (did you mean {close[0]!r}?)" if close else message)


def resolve(identifier: object, kind: type[C], table: Mapping[str, Callable[[], C]], argument: str) -> C:
    """Make an object of a name, a class or a configuration, as Keras's ``get`` does; objects are returned as they are.

    Names are found in the table as they are, in lower case, and in CamelCase; a configuration is what `serialize`
    returns; ``kind`` is the base class of what is wanted.  TypeError: ``identifier`` is none of these.  ValueError: the
    table has no such name, or the mapping describes no object of this kind.
    """
    if isinstance(identifier, kind):
        vars(identifier)["_held"] = True
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
    """Describe an object by its class and its configuration; `deserialize` makes an equal object of them."""
    return {"class_name": type(thing).__name__, "config": thing.get_config()}


def deserialize(description: Mapping[str, Any], kind: type[C], argument: str) -> C:
    """Make the object that `serialize` described; its class is ``kind`` or derived from it."""
    if set(description) != {"class_name", "config"} or not isinstance(description["config"], Mapping):
        raise ValueError(f"{argument} got {description!r}; wants {{'class_name': ..., 'config': {{...}}}}")
    classes = {found.__name__: found for found in _family(kind)}
    found = lookup(description["class_name"], classes, argument)
    _check_types(found, description["config"], argument)
    return found.from_config(description["config"])


_PLAIN: dict[str, Any] = {"str": str, "int": numbers.Integral, "float": numbers.Real, "bool": bool, "None": type(None)}


def _check_types(kind: type, config: Mapping[str, Any], argument: str) -> None:
    """Refuse a value of another type than the constructor's annotation names, where that names plain types alone."""
    for name, (annotation, kinds) in _plain_types(kind).items():
        if name not in config:
            continue
        value = config[name]
        if not any(isinstance(value, k) and (k is bool or not isinstance(value, bool)) for k in kinds):
            raise TypeError(f"{argument} got {name}={value!r:.60} for {kind.__name__}; wants {annotation}")


@functools.cache
def _plain_types(kind: type) -> Mapping[str, tuple[str, list[Any]]]:
    """By argument of a constructor: its annotation, and the types that this names, where all of them are plain."""
    found = {}
    for name, parameter in _parameters(kind).items():
        annotation = inspect.formatannotation(parameter.annotation).strip("'")
        if set(annotation.split(" | ")) <= set(_PLAIN):
            found[name] = annotation, [_PLAIN[each] for each in annotation.split(" | ")]
    return found


def snake_case(name: str) -> str:
    """Write a class's name as Keras names its functions: GlorotUniform -> glorot_uniform."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


class UniqueNames:
    """Names that differ by the numbers that are appended, as dense, dense_1, dense_2; none is among those taken."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._used = set(taken)
        self._numbers: dict[str, int] = {}  # of each name, the last one that was tried: what is used stays so

    def new(self, name: str) -> str:
        """The next one of this name."""
        number = self._numbers.get(name, 0)
        candidate = f"{name}_{number}" if number else name
        while candidate in self._used:
            number += 1
            candidate = f"{name}_{number}"
        self._numbers[name] = number
        self._used.add(candidate)
        return candidate

    def take(self, name: str) -> bool:
        """Take a name as it is; whether it had been taken before."""
        before = name in self._used
        self._used.add(name)
        return before


def unique(names: Iterable[str], taken: Iterable[str] = ()) -> list[str]:
    """Make names differ by appending numbers, as in dense, dense_1, dense_2; none is among those taken."""
    found = UniqueNames(taken)
    return [found.new(name) for name in names]


def publish(package: str) -> None:
    """Make a package the home of the classes in its ``__all__``, whichever of its modules defines them.

    Pickles, skops files and error messages hold ``__module__``, and shall not depend on how a package is divided.
    ``dir(package)`` lists what is in ``__all__``; a name of Keras's that is not there tells what to do instead.
    """
    module = sys.modules[package]
    vars(module)["__dir__"] = lambda: sorted(module.__all__)
    tell(module)
    for name in module.__all__:
        if isinstance(found := getattr(module, name), type):
            found.__module__ = package


def _family(kind: type[C]) -> Iterator[type[C]]:
    """A class and all that are derived from it, directly or not, but for bases within fastnn that have no objects."""
    if not (kind.__name__.startswith("_") and kind.__module__.startswith("fastnn.")):
        yield kind
    for derived in kind.__subclasses__():
        yield from _family(derived)
