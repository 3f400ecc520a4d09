"""Translates rendered functions into LLVM, a function of one module each.

A value's type is that of its LLVM value: 64-bit integers, doubles, vectors, masks.  Numba could type and lower each
kernel by itself, and does (compile.py), but three times as slowly; a test holds that both give the same bits.
"""

import ast
import math
from collections.abc import Iterable
from typing import Any

from llvmlite import ir

from ..render.instruction_sets import InstructionSet
from ..render.rendered import Rendered
from .lanes import DOUBLE, INTEGER, Lower, vector_type
from .words import vocabulary

__all__ = ["translate"]

BIT = ir.IntType(1)
ZERO = INTEGER(0)
COMPARISONS = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!="}
INTEGERS = {
    ast.Add: "add",
    ast.Sub: "sub",
    ast.Mult: "mul",
    ast.FloorDiv: "sdiv",  # no kernel divides what is negative
    ast.Mod: "srem",
    ast.RShift: "ashr",
    ast.LShift: "shl",
    ast.BitAnd: "and_",
    ast.BitOr: "or_",
    ast.BitXor: "xor",
}
REALS = {ast.Add: "fadd", ast.Sub: "fsub", ast.Mult: "fmul", ast.Div: "fdiv"}


def translate(
    module: ir.Module, rendered: Iterable[Rendered], dtype: str, instruction_set: InstructionSet
) -> dict[str, ir.Function]:
    """Add the rendered functions to an LLVM module, visible only there; returns them by name."""
    lanes = instruction_set.vector_bytes // (4 if dtype == "float32" else 8)
    types = {"integer": INTEGER, "double": DOUBLE, "vector": vector_type(dtype, lanes)}
    primitives = vocabulary(dtype, lanes)
    functions: dict[str, ir.Function] = {}
    bodies: list[tuple[ir.Function, Rendered]] = []
    for f in rendered:
        kind = ir.FunctionType(types[f.result] if f.result else ir.VoidType(), [types[t] for _, t in f.arguments])
        function = ir.Function(module, kind, f"fastnn_{f.name}")
        function.linkage = "internal"
        function.attributes.add("nounwind")
        if f.inlined:
            function.attributes.add("alwaysinline")
        if f.apart:
            function.attributes.add("noinline")
        functions[f.name] = function
        bodies.append((function, f))
    for function, f in bodies:
        Body(function, f, functions, primitives).emit()
    return functions


class Body:
    """One function's statements, appended to its LLVM function."""

    def __init__(
        self, function: ir.Function, source: Rendered, functions: dict[str, ir.Function], primitives: dict[str, Lower]
    ) -> None:
        self.function, self.source, self.functions, self.primitives = function, source, functions, primitives
        self.entry = function.append_basic_block("entry")
        self.builder = ir.IRBuilder(function.append_basic_block("body"))
        self.variables: dict[str, Any] = {}

    def emit(self) -> None:
        for (name, _), value in zip(self.source.arguments, self.function.args, strict=True):
            self.assign(name, value)
        first = self.function.basic_blocks[1]
        (tree,) = ast.parse(f"def f():\n{self.source.body}").body
        assert isinstance(tree, ast.FunctionDef)
        self.statements(tree.body)
        if not self.builder.block.is_terminated:
            self.builder.ret_void() if self.source.result is None else self.builder.unreachable()
        ir.IRBuilder(self.entry).branch(first)

    # --- Statements ---

    def statements(self, body: list[ast.stmt]) -> None:
        for node in body:
            if self.builder.block.is_terminated:  # what follows a return
                return
            getattr(self, type(node).__name__.lower() + "_")(node)

    def assign(self, name: str, value: Any) -> None:
        value = self.stored(value)
        if name not in self.variables:
            with self.builder.goto_block(self.entry):
                self.variables[name] = self.builder.alloca(value.type, name=name)
        self.builder.store(value, self.variables[name])

    def stored(self, value: Any) -> Any:
        """The result of a comparison as an integer."""
        return self.builder.zext(value, INTEGER) if value.type == BIT else value

    def assign_(self, node: ast.Assign) -> None:
        (target,) = node.targets
        assert isinstance(target, ast.Name)
        self.assign(target.id, self.value(node.value))

    def augassign_(self, node: ast.AugAssign) -> None:
        assert isinstance(node.target, ast.Name)
        operand = ast.Name(node.target.id, ast.Load())
        self.assign(node.target.id, self.value(ast.BinOp(operand, node.op, node.value)))

    def expr_(self, node: ast.Expr) -> None:
        self.value(node.value)

    def return_(self, node: ast.Return) -> None:
        if node.value is None:
            self.builder.ret_void()
        else:
            self.builder.ret(self.stored(self.value(node.value)))

    def if_(self, node: ast.If) -> None:
        then, otherwise, after = (self.function.append_basic_block(name) for name in ("then", "else", "after"))
        self.builder.cbranch(self.truth(node.test), then, otherwise)
        for block, body in ((then, node.body), (otherwise, node.orelse)):
            self.builder.position_at_end(block)
            self.statements(body)
            if not self.builder.block.is_terminated:
                self.builder.branch(after)
        self.builder.position_at_end(after)

    def while_(self, node: ast.While) -> None:
        self.loop(lambda: self.truth(node.test), node.body)

    def for_(self, node: ast.For) -> None:
        assert isinstance(node.target, ast.Name) and isinstance(node.iter, ast.Call)
        bounds = [self.value(a) for a in node.iter.args]
        start, stop = (ZERO, bounds[0]) if len(bounds) == 1 else bounds[:2]
        step = bounds[2] if len(bounds) == 3 else INTEGER(1)
        name = node.target.id
        self.assign(name, start)

        def before() -> Any:
            return self.builder.icmp_signed("<", self.builder.load(self.variables[name]), stop)

        def advance() -> None:
            self.assign(name, self.builder.add(self.builder.load(self.variables[name]), step, flags=["nsw"]))

        self.loop(before, node.body, advance)

    def loop(self, test: Any, body: list[ast.stmt], advance: Any = None) -> None:
        head, inside, after = (self.function.append_basic_block(name) for name in ("head", "loop", "after"))
        self.builder.branch(head)
        self.builder.position_at_end(head)
        self.builder.cbranch(test(), inside, after)
        self.builder.position_at_end(inside)
        self.statements(body)
        if not self.builder.block.is_terminated:
            if advance:
                advance()
            self.builder.branch(head)
        self.builder.position_at_end(after)

    # --- Expressions ---

    def truth(self, node: ast.expr) -> Any:
        value = self.value(node)
        return value if value.type == BIT else self.builder.icmp_signed("!=", value, ZERO)

    def value(self, node: ast.expr) -> Any:
        builder = self.builder
        match node:
            case ast.Constant(value=float(number)):
                return DOUBLE(number)
            case ast.Constant(value=int(number)):
                return INTEGER(number)
            case ast.Name(id="INFINITY"):
                return DOUBLE(math.inf)
            case ast.Name(id=name):
                return builder.load(self.variables[name])
            case ast.UnaryOp(op=ast.USub()):
                operand = self.value(node.operand)
                return builder.neg(operand) if operand.type == INTEGER else builder.fneg(operand)
            case ast.UnaryOp(op=ast.Not()):
                return builder.not_(self.truth(node.operand))
            case ast.BinOp():
                left, right = self.value(node.left), self.value(node.right)
                table = INTEGERS if left.type == INTEGER else REALS
                return getattr(builder, table[type(node.op)])(left, right)
            case ast.Compare():
                left, right = self.value(node.left), self.value(node.comparators[0])
                sign = COMPARISONS[type(node.ops[0])]
                if left.type == INTEGER:
                    return builder.icmp_signed(sign, left, right)
                return (builder.fcmp_unordered if sign == "!=" else builder.fcmp_ordered)(sign, left, right)
            case ast.BoolOp():
                return self.any_or_all(node)
            case ast.Call(func=ast.Name(id=name)):
                arguments = [self.value(a) for a in node.args]
                if name in self.primitives:
                    return self.primitives[name](builder, *arguments)
                return builder.call(self.functions[name], [self.stored(a) for a in arguments])
        raise NotImplementedError(ast.dump(node))

    def any_or_all(self, node: ast.BoolOp) -> Any:
        """and, or: what follows the deciding operand is not computed."""
        decided = isinstance(node.op, ast.Or)
        after = self.function.append_basic_block("decided")
        incoming = []
        for operand in node.values[:-1]:
            value = self.truth(operand)
            incoming.append((BIT(decided), self.builder.block))
            following = self.function.append_basic_block("next")
            self.builder.cbranch(value, *((after, following) if decided else (following, after)))
            self.builder.position_at_end(following)
        incoming.append((self.truth(node.values[-1]), self.builder.block))
        self.builder.branch(after)
        self.builder.position_at_end(after)
        result = self.builder.phi(BIT)
        for value, block in incoming:
            result.add_incoming(value, block)
        return result
