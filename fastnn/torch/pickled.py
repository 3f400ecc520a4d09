"""What a state dict's pickle says, read without running it: a table of tensors, each a piece of a record of the file.

A pickle is a program for a small machine, whose instructions make objects and call functions.  Here there are those
instructions alone that a state dict takes, and of functions the three that it calls, which make notes and nothing else.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable
from typing import Any, NamedTuple


class Storage(NamedTuple):
    """A record of the file, of values of one kind."""

    kind: str  # "FloatStorage"
    record: str
    values: int


class Stored(NamedTuple):
    """A tensor: where in a storage it stands; counted in values."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class _Global(NamedTuple):
    """A function or class that the pickle names."""

    name: str


_MARK = object()
ORDERED, TENSOR, PARAMETER = (
    "collections OrderedDict",
    "torch._utils _rebuild_tensor_v2",
    "torch._utils _rebuild_parameter",
)
_VALUES = {"BINUNICODE", "SHORT_BINUNICODE", "BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT"}
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_PUTS, _GETS = {"BINPUT", "LONG_BINPUT"}, {"BINGET", "LONG_BINGET"}


INSTRUCTIONS, INSTRUCTIONS_A_TENSOR = 4096, 100
"""As many as a pickle may have: some 40 are a tensor's, and 8 a module's.  Each may take 60 bytes of memory."""


def parse(content: bytes, tensors: int) -> dict[str, Any]:
    """The state dict of about so many tensors: `Stored` by name, or whatever else is there.

    ValueError: it is none, or another kind of pickle.
    """
    machine, left = _Machine(), INSTRUCTIONS + INSTRUCTIONS_A_TENSOR * tensors
    for operation, argument, _ in pickletools.genops(content):
        machine.step(operation.name, argument)
        if (left := left - 1) < 0:
            raise ValueError(f"its data.pkl has more instructions than {tensors} tensors take")
    found = machine.first
    if found is None or len(machine.stack) != 1 or machine.stack[0] is not found:
        raise ValueError("it holds no dict of tensors; wants torch.save(module.state_dict(), path)")
    return found


class _Machine:
    """The stack and the memory of a pickle.

    Attributes
    ----------
    first : dict
        The one that is made first, which is the state dict.
    others : dict
        One for all others, which stays empty: the versions of modules.
    """

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.memory: dict[int, Any] = {}
        self.first: dict[str, Any] | None = None
        self.others: dict[str, Any] = {}

    def _new_dict(self) -> dict[str, Any]:
        if self.first is None:
            self.first = {}
            return self.first
        return self.others

    def step(self, name: str, argument: Any) -> None:
        """One instruction."""
        stack = self.stack
        if name in _VALUES:
            stack.append(argument)
        elif name in _CONSTANTS:
            stack.append(_CONSTANTS[name])
        elif name == "MARK":
            stack.append(_MARK)
        elif name in _PUTS:
            self.memory[argument] = stack[-1]
        elif name == "MEMOIZE":
            self.memory[len(self.memory)] = stack[-1]
        elif name in _GETS:
            stack.append(self.memory[argument])
        elif name == "GLOBAL":
            stack.append(_Global(argument))
        elif name == "BINPERSID":
            stack.append(_storage(stack.pop()))
        elif name in _MAKERS:
            stack.append(_MAKERS[name](self))
        elif name == "SETITEM":
            value, key = stack.pop(), stack.pop()
            self._set([key, value])
        elif name == "SETITEMS":
            self._set(self._marked())
        elif name == "BUILD":
            stack.pop()  # the versions of modules, which OrderedDict has as an attribute
            _dict(stack[-1])
        elif name not in ("PROTO", "FRAME", "STOP"):
            raise ValueError(
                f"it holds more than a dict of tensors ({name}); wants torch.save(module.state_dict(), path)"
            )

    def _marked(self) -> list[Any]:
        """What is on the stack behind the last mark."""
        found = []
        while (value := self.stack.pop()) is not _MARK:
            found.append(value)
        return found[::-1]

    def _popped(self, count: int) -> tuple[Any, ...]:
        return tuple([self.stack.pop() for _ in range(count)][::-1])

    def _set(self, items: list[Any]) -> None:
        target = _dict(self.stack[-1])
        for key, value in zip(items[::2], items[1::2], strict=True):
            if not isinstance(key, str):  # others may take for ever to hash
                raise ValueError(f"it has the key {type(key).__name__}; wants names")
            if target is self.first:
                target[key] = value

    def _call(self) -> Any:
        function, arguments = self._popped(2)
        known = function.name if isinstance(function, _Global) else ""
        if not isinstance(arguments, tuple) or known not in (ORDERED, TENSOR, PARAMETER):
            raise ValueError(
                f"it calls {known[:80] or 'what is no function'!r}; wants torch.save(module.state_dict(), path)"
            )
        if known == ORDERED and not arguments:
            return self._new_dict()
        if known == TENSOR:
            storage, offset, shape, strides = arguments[:4]
            numbers = [offset, *shape, *strides]
            if isinstance(storage, Storage) and len(shape) == len(strides) and all(map(_is_count, numbers)):
                return Stored(storage, offset, tuple(shape), tuple(strides))
        if known == PARAMETER and isinstance(arguments[0], Stored):
            return arguments[0]
        raise ValueError(f"it calls {known!r} with arguments that cannot be")


_MAKERS: dict[str, Callable[[_Machine], Any]] = {
    "EMPTY_DICT": lambda machine: machine._new_dict(),
    "EMPTY_TUPLE": lambda machine: (),
    "TUPLE1": lambda machine: machine._popped(1),
    "TUPLE2": lambda machine: machine._popped(2),
    "TUPLE3": lambda machine: machine._popped(3),
    "TUPLE": lambda machine: tuple(machine._marked()),
    "STACK_GLOBAL": lambda machine: _Global(" ".join(machine._popped(2))),
    "REDUCE": lambda machine: machine._call(),
}
"""Instructions that leave one thing on the stack."""


def _storage(asked: Any) -> Storage:
    """A storage, of what a state dict says where one stands."""
    word, kind, record, _, values = asked
    if word != "storage" or not isinstance(kind, _Global) or not isinstance(record, str) or not _is_count(values):
        raise ValueError("it has a storage that is none")
    module, _, name = kind.name.partition(" ")
    if module not in ("torch", "torch.storage"):
        raise ValueError(f"it has a storage of {kind.name[:80]!r}")
    return Storage(name, record, values)


def _dict(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"it sets an item of {type(value).__name__}; wants a dict of tensors")
    return value


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**62
