"""What rendering yields: functions in the common subset, as text, which both compiled backends translate."""

import ast
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Rendered:
    """A function: its name, (argument, type) pairs, result type or None, and its body's text.

    Types are "integer", "double", "vector", "half" and "mask".  ``inlined`` and ``apart``: see language.Kernel.
    ``kinds`` are the types of variables; those that are not there are of the type ``other``.
    """

    name: str
    arguments: list[tuple[str, str]]
    result: str | None
    body: str
    inlined: bool = False
    apart: bool = False
    kinds: dict[str, str] = field(default_factory=dict)
    other: str = "integer"


def integers(*names: str) -> list[tuple[str, str]]:
    """Arguments that are integers."""
    return [(name, "integer") for name in names]


def call(name: str, *args: ast.expr) -> ast.Call:
    return ast.Call(ast.Name(name, ast.Load()), list(args), [])


def text(statements: list[ast.stmt]) -> str:
    """The statements as a function's body."""
    return indent([ast.unparse(ast.fix_missing_locations(statement)) for statement in statements])


def indent(lines: list[str]) -> str:
    return "\n".join("    " + part for line in lines for part in line.splitlines())
