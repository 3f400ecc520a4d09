"""Kernels become functions in the common subset: records, tables' rows and operators on vectors are written out.

- a record's field (``layer.outputs``) becomes a load at its place, a constant's name its value;
- a record of values becomes an argument, or a variable, a field;
- operators on vectors become words of the vocabulary: ``a < b`` is ``less(a, b)``, by the types of both sides;
- a kernel of a table is written once for each row, and one of its name chooses by code.
"""

import ast
import copy

from .. import records
from .formulas import COMPARISONS
from .rendered import Rendered, call, text
from .sources import VALUES, Kernel, Signature, Source, kind_of

CASTS = {"as_layers": "Layers", "as_layer": "Layer", "as_job": "Job"}
"""An address becomes a record: nothing happens."""


def integer(value: int) -> ast.Constant:
    return ast.Constant(value)


def flattened(name: str, kind: str) -> list[tuple[str, str]]:
    """An argument or a variable: itself, or one for each field of a record of values."""
    if kind not in VALUES:
        return [(name, kind)]
    return [(f"{name}_{field}", kind_of(ast.Name(k)) or "") for field, k in VALUES[kind].items()]


def stored(kind: str) -> str:
    """The type that a value has when rendered: a record in memory is its address."""
    return kind if kind in ("double", "vector", "half", "mask", "real") else "integer"


def lowered(source: Source, kernel: Kernel, constants: dict[str, int]) -> Rendered:
    """A kernel in the common subset."""
    return Lowering(source, kernel, constants).function()


class Lowering:
    """One kernel's text, with the types of its variables."""

    def __init__(self, source: Source, kernel: Kernel, constants: dict[str, int]) -> None:
        self.source, self.kernel, self.constants = source, kernel, constants
        self.types = dict(Signature.of(kernel.function).arguments)

    def function(self) -> Rendered:
        arguments = [(n, stored(k)) for a, kind in self.types.items() for n, k in flattened(a, kind)]
        result = kind_of(self.kernel.function.returns)
        body = text(self.statements(self.kernel.function.body))
        result = stored(result) if result else None
        kinds = {n: stored(k) for name, kind in self.types.items() for n, k in flattened(name, kind)}
        kernel = self.kernel
        return Rendered(kernel.function.name, arguments, result, body, kernel.inline, kernel.apart, kinds)

    # --- Statements ---

    def statements(self, body: list[ast.stmt]) -> list[ast.stmt]:
        return [new for node in body for new in self.statement(node)]

    def statement(self, node: ast.stmt) -> list[ast.stmt]:
        match node:
            case ast.Expr(value=ast.Constant()):  # a docstring
                return []
            case ast.Assign(targets=[ast.Name(id=name)]):
                return self.assignment(name, node.value)
            case ast.AugAssign(target=ast.Name(id=name)):
                return [ast.AugAssign(ast.Name(name, ast.Store()), node.op, self.value(node.value))]
            case ast.Expr():
                return [ast.Expr(self.value(node.value))]
            case ast.Return():
                return [ast.Return(node.value and self.value(node.value))]
            case ast.If():
                return [ast.If(self.value(node.test), self.statements(node.body), self.statements(node.orelse))]
            case ast.While():
                return [ast.While(self.value(node.test), self.statements(node.body), [])]
            case ast.For(target=ast.Name(id=name)):
                self.types[name] = "integer"
                return [ast.For(node.target, self.value(node.iter), self.statements(node.body), [])]
        raise self.error(node, "is no statement of kernels")

    def assignment(self, name: str, value: ast.expr) -> list[ast.stmt]:
        kind = self.kind(value)
        known = self.types.setdefault(name, kind)
        if stored(known) != stored(kind) or (known != kind and known in VALUES):
            raise self.error(value, f"makes {name!r}, which was {known}, {kind}")
        places = [ast.Name(n, ast.Store()) for n, _ in flattened(name, kind)]
        fields = self.fields(value)
        for place, field in enumerate(fields):  # no field may be read after it is written
            read = {n.id for n in ast.walk(field) if isinstance(n, ast.Name)}
            if read & {n.id for n in places[:place]}:
                raise self.error(value, f"reads fields of {name!r} that it has changed")
        return [ast.Assign([at], field) for at, field in zip(places, fields, strict=True)]

    # --- Types ---

    def kind(self, node: ast.expr) -> str:
        """The type of an expression."""
        match node:
            case ast.Constant():
                return "double" if isinstance(node.value, float) else "integer"
            case ast.Name(id=name):
                if name in self.types:
                    return self.types[name]
                return "double" if name == "inf" else "integer"
            case ast.Attribute():
                return self.attribute(node)[0]
            case ast.Call(func=ast.Name(id=name)):
                if name in VALUES or name == "layer_at":
                    return name if name in VALUES else "Layer"
                return CASTS.get(name) or self.signature(node, name).result or "integer"
            case ast.BinOp():
                sides = {self.kind(node.left), self.kind(node.right)}
                return next((k for k in ("half", "vector", "double") if k in sides), "integer")
            case ast.UnaryOp(op=ast.USub()):
                return self.kind(node.operand)
            case ast.Compare():
                return "mask" if "vector" in (self.kind(node.left), self.kind(node.comparators[0])) else "integer"
        return "integer"

    def signature(self, node: ast.expr, name: str) -> Signature:
        try:
            return self.source.signatures[name]
        except KeyError:
            raise self.error(node, f"calls {name!r}, which is no kernel and no word of the vocabulary") from None

    # --- Expressions ---

    def fields(self, node: ast.expr) -> list[ast.expr]:
        """An expression, or one for each field of a record of values."""
        kind = self.kind(node)
        if kind not in VALUES:
            return [self.value(node)]
        match node:
            case ast.Name(id=name):
                return [ast.Name(n, ast.Load()) for n, _ in flattened(name, kind)]
            case ast.Call(args=arguments):
                if len(arguments) != len(VALUES[kind]):
                    raise self.error(node, f"gives {len(arguments)} fields of {len(VALUES[kind])}")
                return [self.value(a) for a in arguments]
        raise self.error(node, "is no record of values")

    def vector(self, node: ast.expr) -> ast.expr:
        """An operand of an operator on vectors."""
        value = self.value(node)
        return call("splat", value) if self.kind(node) in ("double", "integer") else value

    def value(self, node: ast.expr) -> ast.expr:
        match node:
            case ast.Constant():
                return node
            case ast.Name(id=name):
                if name in self.constants and name not in self.types:
                    return integer(self.constants[name])
                return ast.Name("INFINITY" if name == "inf" else name, ast.Load())
            case ast.Attribute():
                return self.attribute(node)[1]
            case ast.Call():
                return self.called(node)
            case ast.BinOp():
                side = self.vector if self.kind(node) == "vector" else self.value
                return ast.BinOp(side(node.left), node.op, side(node.right))
            case ast.UnaryOp():
                return ast.UnaryOp(node.op, self.value(node.operand))
            case ast.BoolOp():
                return ast.BoolOp(node.op, [self.value(v) for v in node.values])
            case ast.Compare(ops=[op], comparators=[right]):
                if self.kind(node) == "mask":
                    return call(COMPARISONS[type(op)], self.vector(node.left), self.vector(right))
                return ast.Compare(self.value(node.left), [op], [self.value(right)])
        raise self.error(node, "is no expression of kernels")

    def attribute(self, node: ast.Attribute) -> tuple[str, ast.expr]:
        """A field's type and what reads it."""
        names = [node.attr]
        base = node.value
        while isinstance(base, ast.Attribute):
            names.insert(0, base.attr)
            base = base.value
        kind, field = self.kind(base), ".".join(names)
        if kind in VALUES and isinstance(base, ast.Name):
            place = f"{base.id}_{field}"
            return dict(flattened(base.id, kind))[place], ast.Name(place, ast.Load())
        if kind not in self.source.places or field not in self.source.places[kind]:
            raise self.error(node, f"is no field of {kind}")
        what, number = self.source.places[kind][field]
        return what, call("get_double" if what == "double" else "get_integer", self.value(base), integer(number))

    def called(self, node: ast.Call) -> ast.expr:
        assert isinstance(node.func, ast.Name)
        name = node.func.id
        if name == "layer_at":
            first, number = (self.value(a) for a in node.args)
            if isinstance(number, ast.Constant) and number.value == 0:
                return first
            return ast.BinOp(first, ast.Add(), ast.BinOp(number, ast.Mult(), integer(records.LAYER_SIZE)))
        if name in CASTS:
            return self.value(node.args[0])
        if name == "range":
            return call("range", *(self.value(a) for a in node.args))
        if len(node.args) != len(self.signature(node, name).arguments):
            raise self.error(node, f"gives {len(node.args)} arguments of {len(self.signature(node, name).arguments)}")
        return call(name, *(field for a in node.args for field in self.fields(a)))

    def error(self, node: ast.AST, what: str) -> TypeError:
        line = getattr(node, "lineno", "?")
        return TypeError(f"{self.kernel.function.name}, line {line}: {ast.unparse(copy.deepcopy(node))} {what}")
