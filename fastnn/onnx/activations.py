"""Every activation in operators of ONNX.

Where one operator computes the activation, it is taken, so that a reader knows it again.  Others, and those of which
ONNX Runtime has no float64, are written as their formulas are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastnn.engine import SELU_ALPHA, SELU_SCALE, Expression, normal_tail_in_words, value_of
from .graph import Graph

OPERATORS: dict[str, tuple[str, Callable[[float], dict[str, float]], int]] = {
    "relu": ("Relu", lambda _: {}, 14),
    "sigmoid": ("Sigmoid", lambda _: {}, 13),
    "tanh": ("Tanh", lambda _: {}, 13),
    "exponential": ("Exp", lambda _: {}, 13),
    "leaky_relu": ("LeakyRelu", lambda slope: {"alpha": slope}, 16),
    "elu": ("Elu", lambda alpha: {"alpha": alpha}, 6),
    "selu": ("Selu", lambda _: {"alpha": SELU_ALPHA, "gamma": SELU_SCALE}, 6),
    "softplus": ("Softplus", lambda _: {}, 1),
    "gelu": ("Gelu", lambda _: {}, 20),
    "mish": ("Mish", lambda _: {}, 18),
    "celu": ("Celu", lambda alpha: {"alpha": alpha}, 12),
    "softsign": ("Softsign", lambda _: {}, 1),
    "hard_sigmoid": ("HardSigmoid", lambda _: {"alpha": 1 / 6, "beta": 0.5}, 6),
    "hard_silu": ("HardSwish", lambda _: {}, 14),
    "soft_shrink": ("Shrink", lambda threshold: {"lambd": threshold, "bias": threshold}, 9),
    "hard_shrink": ("Shrink", lambda threshold: {"lambd": threshold, "bias": 0.0}, 9),
}
"""The operator of an activation, its attributes by the activation's constant, and the version that brought it."""

IN_FLOAT64 = ("relu", "sigmoid", "tanh", "exponential")
"""Those that ONNX Runtime has in float64 too."""

WORDS = {
    "absolute": "Abs",
    "add": "Add",
    "divide": "Div",
    "exp": "Exp",
    "greater": "Greater",
    "greater_equal": "GreaterOrEqual",
    "less": "Less",
    "log": "Log",
    "maximum": "Max",
    "minimum": "Min",
    "multiply": "Mul",
    "negative": "Neg",
    "reciprocal": "Reciprocal",
    "rint": "Round",
    "sqrt": "Sqrt",
    "subtract": "Sub",
    "tanh": "Tanh",
    "where": "Where",
}
"""The operator of a word of formulas, where there is one."""


def activate(graph: Graph, x: str, name: str, parameter: float) -> str:
    """Add an activation of what x names; the name of what comes out."""
    if name == "silu" and not graph.double:  # the pattern that readers know, and ONNX Runtime 1.20 of float32 alone
        return str(graph.add("Mul", x, graph.add("Sigmoid", x)))
    if name in ("relu6", "hard_tanh"):
        low, high = (0.0, 6.0) if name == "relu6" else (-1.0, 1.0)
        return str(graph.add("Clip", x, graph.constant(low), graph.constant(high)))
    there = name in OPERATORS and OPERATORS[name][2] <= graph.newest
    if there and (name in IN_FLOAT64 or not graph.double):
        operator, attributes, since = OPERATORS[name]
        constants: dict[str, Any] = attributes(parameter)
        return str(graph.add(operator, x, since=since, **constants))
    return _Writer(graph, x).write(value_of(name, parameter))


class _Writer:
    """Adds the operators of an expression in x; what is used twice is there once."""

    def __init__(self, graph: Graph, x: str) -> None:
        self.graph, self.x = graph, x
        self.known: dict[
            int, tuple[Expression, str]
        ] = {}  # by identity, with what holds it: an expression and its name

    def write(self, found: Expression | float) -> str:
        """The name of what comes out."""
        if not isinstance(found, Expression):
            return self.graph.constant(found)
        if id(found) not in self.known:
            self.known[id(found)] = found, self._add(found)
        return self.known[id(found)][1]

    def _add(self, found: Expression) -> str:
        if not found.operands:
            return self.x
        if found.word in COMPOSED:
            return self.write(COMPOSED[found.word](*found.operands))
        if found.word == "two_to_the":
            return str(self.graph.add("Pow", self.graph.constant(2.0), self.write(found.operands[0])))
        return str(self.graph.add(WORDS[found.word], *map(self.write, found.operands)))


def _expm1(x: Expression) -> Expression:
    """exp(x) - 1 = tanh(x / 2) (exp(x) + 1), which does not cancel near 0."""
    found: Expression = Expression("tanh", 0.5 * x) * (Expression("exp", x) + 1.0)
    return found


def _log1p(x: Expression) -> Expression:
    """log(u) x / (u - 1) with u = 1 + x, by which what rounding u lost cancels (W. Kahan); x where u is 1."""
    u = 1.0 + x
    lost = Expression("greater", u, 1.0)
    quotient = x / Expression("where", lost, u - 1.0, 1.0)
    return Expression("where", lost, Expression("log", u) * quotient, x)


COMPOSED: dict[str, Callable[..., Expression]] = {"expm1": _expm1, "log1p": _log1p, "normal_tail": normal_tail_in_words}
"""Words that ONNX has no operator for, in other words."""
