"""A network's stages as functions of C over float or double."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from fastnn.models.chain import Affine, Elementwise, LayerNorm, Operation, Rectifier, Softmax
from .stages import Stage
from .writer import Writer

STEP = 4
"""As many inputs are multiplied at a time: each sum is then read and written once in so many products."""


class Written(NamedTuple):
    """A network that has been written."""

    scratch: dict[str, tuple[str, int]]  # the arrays that it needs of its caller, by name: their type and size
    calls: list[str]  # the statements that compute y of x with the help of scratch


def write(writer: Writer, stages: list[Stage], label: str = "", source: str = "x", target: str = "y") -> Written:
    """Write a function for each stage; names have ``label`` before the stage's number.

    ``source`` and ``target`` are the arrays that the calls read and write.
    """
    sizes = [writer.define(f"UNITS_{label}0", stages[0].inputs)]
    sizes += [writer.define(f"UNITS_{label}{k}", stage.units) for k, stage in enumerate(stages, 1)]
    calls, end = [], target
    widest = {name: max((s.units for s in stages[at:-1:2]), default=0) for at, name in ((0, "a"), (1, "b"))}
    for k, stage in enumerate(stages):
        target = end if k == len(stages) - 1 else f"scratch->{'ab'[k % 2]}"
        _layer(writer, stage, f"{label}{k + 1}", sizes[k : k + 2])
        calls.append(f"{writer.stem}_layer_{label}{k + 1}({source}, {target});")
        source = target
    return Written({name: (writer.real, size) for name, size in widest.items() if size}, calls)


def _layer(writer: Writer, stage: Stage, label: str, sizes: list[str]) -> None:
    """One stage: a function from x to y, which do not overlap."""
    names = [each.name if isinstance(each, Elementwise) else type(each).__name__.lower() for each in stage.rest]
    what = ", ".join([*(["product"] if stage.product is not None else []), *names])
    writer.parts.append(f"/* Layer {label.replace('_', ', ')}: {stage.inputs} -> {stage.units}, {what or 'copy'} */")
    lines = product(writer, stage, label, sizes) if stage.product is not None else []
    source = "y" if lines else "x"
    for number, operation in enumerate(stage.rest):
        lines += after(writer, operation, f"{label}_{number + 1}" if number else label, sizes[1], source)
        source = "y"
    if not lines:
        lines = [f"for (size_t j = 0; j < {sizes[1]}; j++)", "    y[j] = x[j];"]
    writer.parts.append(function(f"{writer.stem}_layer_{label}", [(writer.real, "x"), (writer.real, "y")], lines))


def function(name: str, arrays: list[tuple[str, str]], lines: list[str]) -> str:
    """A function of arrays, the first of which it reads, while it writes the others."""
    given = ", ".join(f"{'' if k else 'const '}{kind} *restrict {array}" for k, (kind, array) in enumerate(arrays))
    body = "\n".join(f"    {line}" for line in lines)
    return f"static void {name}({given})\n{{\n{body}\n}}"


def product(writer: Writer, stage: Stage, label: str, sizes: list[str]) -> list[str]:
    """The statements of y = x @ kernel + bias, each sum in the order of the inputs, of which some go at a time."""
    assert stage.product is not None
    assert stage.product.bias is not None
    inputs, units = sizes
    kernel = writer.array(f"kernel_{label}", [inputs, units], stage.product.kernel)
    bias = writer.array(f"bias_{label}", [units], stage.product.bias)
    left = stage.inputs % STEP
    lines = [f"for (size_t j = 0; j < {units}; j++)", f"    y[j] = {bias}[j];"]
    if stage.inputs >= STEP:
        # Counted in steps: of i += 4 GCC 12 says, at -O3 with units that are one vector, that it may overflow.
        lines += [f"for (size_t k = 0; k < {inputs} / {STEP}; k++) {{", f"    const size_t i = {STEP} * k;"]
        lines += [*_added(kernel, units, STEP), "}"]
    if left == 1:
        lines += [f"for (size_t j = 0; j < {units}; j++)", f"    y[j] += x[{inputs} - 1] * {kernel}[{inputs} - 1][j];"]
    elif left:
        lines += [f"for (size_t i = {inputs} - {left}; i < {inputs}; i++)", *_added(kernel, units, 1)]
    return lines


def _added(kernel: str, units: str, count: int) -> list[str]:
    """The statements that add so many inputs' products to all sums."""
    places = ["i", *(f"i + {k}" for k in range(1, count))]
    terms = [f"x[{at}] * {kernel}[{at}][j]" for at in places]
    if count == 1:
        return [f"    for (size_t j = 0; j < {units}; j++)", f"        y[j] += {terms[0]};"]
    lines = [f"        y[j] = y[j] + {terms[0]}", *(f"             + {term}" for term in terms[1:])]
    lines[-1] += ";"
    return [f"    for (size_t j = 0; j < {units}; j++)", *lines]


def after(writer: Writer, operation: Operation, label: str, size: str, source: str) -> list[str]:
    """The statements of what follows a product, from y to y; ``source`` is "x" where there is no product."""
    each = f"for (size_t j = 0; j < {size}; j++)"
    x = f"{source}[j]"
    match operation:
        case Elementwise(name, parameter):
            return [each, f"    y[j] = {writer.function(name, parameter)}({x});"]
        case Softmax():
            copied = [each, "    y[j] = x[j];"] if source == "x" else []
            return [*copied, f"{softmax(writer)}(y, {size});"]
        case LayerNorm():
            return list(_layer_norm(writer, operation, label, each, size, source))
        case Affine(center, factor, offset):
            text = x
            for what, sign, numbers in (("center", "-", center), ("factor", "*", factor), ("offset", "+", offset)):
                assert numbers is not None
                if numbers.any():
                    text = f"{text} {sign} {writer.array(f'{what}_{label}', [size], numbers)}[j]"
                    text = f"({text})" if what == "center" else text
            return [each, f"    y[j] = {text};"]
        case Rectifier(slope, threshold, limit):
            below = writer.number(slope) if isinstance(slope, float | int) else ""
            if isinstance(slope, np.ndarray):
                below = f"{writer.array(f'slope_{label}', [size], slope)}[j]"
            limited = "" if math.isinf(limit) else f"{x} > {writer.number(limit)} ? {writer.number(limit)} : "
            part = f"({x} - {writer.number(threshold)})" if threshold else x
            above = f"({limited}{x})" if limited else x
            return [each, f"    y[j] = {x} > {writer.number(threshold)} ? {above} : {below} * {part};"]
    raise AssertionError(operation)


def softmax(writer: Writer) -> str:
    """The name of a function that makes probabilities of numbers."""
    zero, exp = writer.number(0), writer.math("exp")
    return writer.once(
        "softmax",
        f"""\
static void {writer.stem}_softmax({writer.real} *y, size_t units)
{{
    {writer.real} largest = y[0], sum = {zero};
    for (size_t j = 1; j < units; j++)
        largest = y[j] > largest ? y[j] : largest;
    for (size_t j = 0; j < units; j++) {{
        y[j] = {exp}(y[j] - largest);
        sum += y[j];
    }}
    for (size_t j = 0; j < units; j++)
        y[j] /= sum;
}}""",
    )


def _layer_norm(writer: Writer, found: LayerNorm, label: str, each: str, size: str, source: str) -> Iterator[str]:
    yield "{"
    yield f"    {writer.real} mean = {writer.number(0)}, variance = {writer.number(0)};"
    yield f"    {each}"
    yield f"        mean += {source}[j];"
    yield f"    mean /= ({writer.real}){size};"
    yield f"    {each}"
    yield f"        variance += ({source}[j] - mean) * ({source}[j] - mean);"
    yield f"    variance /= ({writer.real}){size};"
    root = f"{writer.math('sqrt')}(variance + {writer.number(found.epsilon)})"
    yield f"    const {writer.real} inverse = {writer.number(1)} / {root};"
    text = f"({source}[j] - mean) * inverse"
    if found.gamma is not None:
        text += f" * {writer.array(f'gamma_{label}', [size], found.gamma)}[j]"
    if found.beta is not None:
        text += f" + {writer.array(f'beta_{label}', [size], found.beta)}[j]"
    yield f"    {each}"
    yield f"        y[j] = {text};"
    yield "}"
