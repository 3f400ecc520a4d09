"""Formulas become functions of vectors; tables become functions that choose by a row's code."""

import ast
import copy
from collections.abc import Iterator

from .rendered import Rendered, call, indent, text
from .sources import Source, without_dtype
from .tables import dispatcher

COMPARISONS = {ast.Lt: "less", ast.LtE: "less_equal", ast.Gt: "greater", ast.GtE: "greater_equal", ast.Eq: "equal"}


class Vectorise(ast.NodeTransformer):
    """In a formula, numbers become vectors: ``0.5 * x`` is ``splat(0.5) * x``, ``x > 0.0`` is ``greater(...)``."""

    def __init__(self, numbers: dict[str, float]) -> None:
        self.numbers = numbers

    def visit_Constant(self, node: ast.Constant) -> ast.expr:
        if isinstance(node.value, (int, float)):
            return call("splat", ast.Constant(float(node.value)))
        return node

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if node.id in self.numbers:
            return call("splat", ast.Constant(self.numbers[node.id]))
        return node

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:
        operand = self.visit(node.operand)
        if (
            isinstance(node.op, ast.USub)
            and isinstance(operand, ast.Call)
            and isinstance(operand.args[0], ast.Constant)
        ):
            return call("splat", ast.UnaryOp(node.op, operand.args[0]))  # of minus a number
        return ast.UnaryOp(node.op, operand)

    def visit_Compare(self, node: ast.Compare) -> ast.expr:
        self.generic_visit(node)
        return call(COMPARISONS[type(node.ops[0])], node.left, node.comparators[0])


def without_docstring(function: ast.FunctionDef) -> ast.FunctionDef:
    function = copy.deepcopy(function)
    first = function.body[0]
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and len(function.body) > 1:
        del function.body[0]
    return function


def formula(function: ast.FunctionDef, name: str, numbers: dict[str, float]) -> Rendered:
    function = without_docstring(function)
    arguments = [(a.arg, "vector") for a in function.args.args]
    body = [Vectorise(numbers).visit(s) for s in function.body]
    return Rendered(name, arguments, "vector", text(body), inlined=True, other="vector")


def formulas(source: Source, dtype: str) -> Iterator[Rendered]:
    """The elementary functions of one dtype, and every formula of activations, losses and noise."""
    numbers = {name: pair[dtype == "float64"] for name, pair in source.numbers_of_types.items()}
    for name, function in source.elementary.items():
        if name.endswith(f"_{dtype}") or name == without_dtype(name):
            yield formula(function, without_dtype(name), numbers)
    for group in (source.activations, source.losses):
        for name in dict.fromkeys(f for row in group for f in row.formulas if f):
            yield formula(source.formulas[name], name, source.numbers)
    yield formula(source.formulas["normal_quantile"], "normal_quantile", source.numbers)


def optimizers(source: Source, lanes: int) -> Iterator[Rendered]:
    """For each optimizer: its scalars of a step into memory, and its update as a loop over whole vectors."""
    prepare_arguments, update_arguments = (
        list(source.signatures[name].arguments.items())[1:] for name in ("prepare", "update")
    )
    for row in source.optimizers:
        prepare, update = (source.formulas[f] for f in row.formulas if f)
        lines = [
            f"{name} = get_double(hyper, {i})"
            for i, name in enumerate(row.hyper)
            if i and source.takes(prepare.name, name)
        ]
        lines += [ast.unparse(s) for s in prepare.body[:-1]]
        lines += [f"put_double(scalars, {i}, {ast.unparse(v)})" for i, v in enumerate(_values(prepare.body[-1]))]
        yield Rendered(f"prepare_{row.name}", prepare_arguments, None, indent(lines), other="double")

        names = [a.arg for a in update.args.args]
        scalars = names[2 + len(row.slots) :]
        loop = ["weight = load(parameters, at)", "gradient = load(gradients, at)"]
        loop += [f"{slot} = load(slots + {i} * slot_size, at)" for i, slot in enumerate(row.slots)]
        body = [Vectorise(source.numbers).visit(s) for s in copy.deepcopy(update.body)]
        loop += [ast.unparse(ast.fix_missing_locations(s)) for s in body[:-1]]
        values = [ast.unparse(ast.fix_missing_locations(v)) for v in _values(body[-1])]
        loop += [f"store(slots + {i} * slot_size, at, {v})" for i, v in enumerate(values[1:])]
        loop.append(f"store(parameters, at, {values[0]})")
        read = {"update": "splat(get_double(scalars, {i}))", "member_update": f"load(scalars, {{i}} * {lanes})"}
        for kernel, scalar in read.items():
            lines = [f"{name} = {scalar.format(i=i)}" for i, name in enumerate(scalars)]
            lines += [f"for at in range(0, count, {lanes}):", *("    " + line for line in loop)]
            yield Rendered(f"{kernel}_{row.name}", update_arguments, None, indent(lines), other="vector")
    yield dispatcher("prepare", source.optimizers, prepare_arguments, None)
    yield dispatcher("update", source.optimizers, update_arguments, None)
    yield dispatcher("member_update", source.optimizers, update_arguments, None)


def _values(statement: ast.stmt) -> list[ast.expr]:
    assert isinstance(statement, ast.Return) and statement.value
    return list(statement.value.elts) if isinstance(statement.value, ast.Tuple) else [statement.value]
