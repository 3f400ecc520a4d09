"""Tables: their rows, and kernels that are compiled once for each of them."""

import ast
import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .rendered import Rendered, call, indent


@dataclass(frozen=True)
class Row:
    """A row of a table: its name, its code, the names of its formulas (None where it has none), and its flags."""

    name: str
    code: int
    formulas: tuple[str | None, ...] = ()
    slots: tuple[str, ...] = ()
    hyper: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()


def literals(tree: ast.Module) -> dict[str, Any]:
    """The named constants of a module."""
    return {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and isinstance(node.value, (ast.Constant, ast.Dict))
    }


def table(tree: ast.Module, name: str) -> list[Row]:
    """A table of formulas, a dictionary of calls."""
    for node in tree.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id == name:
            assert isinstance(node.value, ast.Dict)
            pairs = zip(node.value.keys, node.value.values, strict=True)
            return [_row(code, key, value, literals(tree)) for code, (key, value) in enumerate(pairs)]
    raise LookupError(name)


def _row(code: int, key: ast.expr | None, value: ast.expr, constants: dict[str, Any]) -> Row:
    assert isinstance(key, ast.Constant) and isinstance(value, ast.Call)
    formulas = tuple(a.id if isinstance(a, ast.Name) else None for a in value.args[:2])
    rest = [constants[a.id] if isinstance(a, ast.Name) else ast.literal_eval(a) for a in value.args[2:]]
    slots = rest[0] if rest and isinstance(rest[0], tuple) else ()
    hyper = tuple(rest[1]) if len(rest) > 1 else ()
    flags = tuple(str(k.arg) for k in value.keywords if isinstance(k.value, ast.Constant) and k.value.value is True)
    return Row(str(key.value), code, formulas, slots, hyper, flags)


def with_row(function: ast.FunctionDef, row: Row, takes: Callable[[str, str], bool]) -> ast.FunctionDef:
    """A kernel of a table with one row put in; ``takes`` says whether a formula has an argument."""
    function = copy.deepcopy(function)
    function.name, function.decorator_list = f"{function.name}_{row.name}", []
    code = function.args.args.pop(0).arg
    function.body = [RowIn(row, code, takes).visit(statement) for statement in function.body]
    return function


class RowIn(ast.NodeTransformer):
    """In place of what names a table's row: its formulas, its kind of data, its other kernels."""

    def __init__(self, row: Row, code: str, takes: Callable[[str, str], bool]) -> None:
        self.row, self.code, self.takes = row, code, takes

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        if ast.unparse(node.value) == self.code:  # the bytes of a kind of data
            return ast.Constant(int("".join(c for c in self.row.name if c.isdigit())) // 8)
        return node

    def visit_Call(self, node: ast.Call) -> ast.expr:
        arguments: list[ast.expr] = [self.visit(a) for a in node.args]
        if isinstance(node.func, ast.Attribute):
            if not self.row.formulas:  # a word of a kind of data
                return call(f"{node.func.attr}_{self.row.name}", *arguments)
            formula = str(self.row.formulas[node.func.attr != "value"])
            return call(formula, *(a for a in arguments if isinstance(a, ast.Name) and self.takes(formula, a.id)))
        name = ast.unparse(node.func)
        if node.args and ast.unparse(node.args[0]) == self.code:
            return call(f"{name}_{self.row.name}", *arguments[1:])
        return call(name, *arguments)


def dispatcher(name: str, rows: list[Row], arguments: list[tuple[str, str]], result: str | None) -> Rendered:
    """The function that calls a table's row by its code."""
    passed = ", ".join(a for a, _ in arguments)
    lines = []
    for i, row in enumerate(rows):
        lines.append(f"{'elif' if i else 'if'} code == {row.code}:")
        lines.append(f"    {'return ' if result else ''}{name}_{row.name}({passed})")
    if result:
        lines.append(f"return {'0.0' if result == 'double' else '0'}")
    return Rendered(name, [("code", "integer"), *arguments], result, indent(lines))
