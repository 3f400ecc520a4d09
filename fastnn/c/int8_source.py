"""A network in int8 as functions of C."""

from __future__ import annotations

from fastnn.models.chain import Elementwise
from .int8 import LOW, Grid, Quantized, Requantized
from .network import Written, after, function
from .writer import Writer

SCALED = """\
/* sum * multiplier / 2^31 * 2^shift, shift of 0 or less: each quotient rounded to the nearest, half away from zero. */
static int32_t {stem}_scaled(int32_t sum, int32_t multiplier, int32_t shift)
{{
    const int64_t product = (int64_t)sum * multiplier;
    const int64_t nudge = product >= 0 ? 1073741824 : -1073741823; /* 2^30, 1 - 2^30 */
    const int32_t high = (int32_t)((product + nudge) / 2147483648);
    const int32_t half = ((int32_t)1 << -shift) >> 1;
    const int32_t sign = high < 0 ? -1 : 0; /* (v ^ sign) - sign is the magnitude of v, and back: no branch */
    const int32_t magnitude = ((high ^ sign) - sign + half) >> -shift;
    return (magnitude ^ sign) - sign;
}}"""

QUANTIZED = """\
/* The integer from -128 to 127 that is nearest to x / scale + zero; -128 for a NaN. */
static int8_t {stem}_quantized(float x, float scale, float zero)
{{
    float v = x / scale + zero;
    v = v > -128.0f ? v : -128.0f;
    v = v < 127.0f ? v : 127.0f;
    return (int8_t)(v < 0.0f ? v - 0.5f : v + 0.5f);
}}"""


def write(writer: Writer, stages: list[Quantized]) -> Written:
    """Write a function for each stage, from integers to integers; the first may, and the last does, compute floats."""
    sizes = [writer.define("UNITS_0", stages[0].stage.inputs)]
    sizes += [writer.define(f"UNITS_{k}", made.stage.units) for k, made in enumerate(stages, 1)]
    widths = {"a": 0, "b": 0, "real": 0}
    calls, source = [], "x"
    if (before := stages[0].before) is not None:
        widths["a"], source = stages[0].stage.inputs, "scratch->a"
        lines = [*_each(sizes[0]), f"    q[j] = {_integer(writer, before, 'x[j]')};"]
        writer.parts.append(function(f"{writer.stem}_inputs", [("float", "x"), ("int8_t", "q")], lines))
        calls.append(f"{writer.stem}_inputs(x, scratch->a);")
    for k, made in enumerate(stages, 1):
        real = made.requantized is None
        target = "scratch->b" if source == "scratch->a" else "scratch->a"
        given = [source]
        if real:
            given.append("y" if made.after is None else "scratch->real")
        if made.after is not None:
            given.append(target)
            widths[target[-1]] = max(widths[target[-1]], made.stage.units)
            if real:
                widths["real"] = max(widths["real"], made.stage.units)
        _layer(writer, made, str(k), sizes[k - 1 : k + 1])
        calls.append(f"{writer.stem}_layer_{k}({', '.join(given)});")
        source = target
    kinds = {"real": "float", "a": "int8_t", "b": "int8_t"}  # the widest first: nothing between them is left out
    return Written({name: (kind, widths[name]) for name, kind in kinds.items() if widths[name]}, calls)


def _layer(writer: Writer, made: Quantized, label: str, sizes: list[str]) -> None:
    stage = made.stage
    names = [each.name if isinstance(each, Elementwise) else type(each).__name__.lower() for each in stage.rest]
    what = ", ".join([*(["product"] if made.integers is not None else []), *names])
    writer.parts.append(f"/* Layer {label}: {stage.inputs} -> {stage.units}, {what or 'copy'} */")
    arrays = [("float", "x") if made.integers is None else ("int8_t", "q")]
    lines = []
    if made.integers is not None:
        lines = _sums(writer, made, label, sizes)
    if made.requantized is not None:
        arrays.append(("int8_t", "p"))
    else:
        arrays.append(("float", "y"))
        source = "y" if lines else "x"
        for number, operation in enumerate(stage.rest):
            lines += after(writer, operation, f"{label}_{number + 1}" if number else label, sizes[1], source)
            source = "y"
        if made.after is not None:
            arrays.append(("int8_t", "p"))
            lines += [*_each(sizes[1]), f"    p[j] = {_integer(writer, made.after, f'{source}[j]')};"]
        elif not lines:
            lines = [*_each(sizes[1]), "    y[j] = x[j];"]
    writer.parts.append(function(f"{writer.stem}_layer_{label}", arrays, lines))


def _sums(writer: Writer, made: Quantized, label: str, sizes: list[str]) -> list[str]:
    """The statements that multiply q by the kernel, into p or, as floats, into y."""
    assert made.integers is not None
    inputs, units = sizes
    kernel = writer.array(f"kernel_{label}", [units, inputs], made.integers.kernel, "int8_t")
    bias = writer.array(f"bias_{label}", [units], made.integers.bias, "int32_t")
    lines = [
        f"for (size_t j = 0; j < {units}; j++) {{",
        f"    int32_t sum = {bias}[j];",
        f"    for (size_t i = 0; i < {inputs}; i++)",
        f"        sum += q[i] * {kernel}[j][i];",
    ]
    if (how := made.requantized) is None:
        scale = writer.array(f"scale_{label}", [units], made.integers.scale)
        return [*lines, f"    y[j] = (float)sum * {scale}[j];", "}"]
    grid = made.after if made.middle is None else made.middle
    assert grid is not None
    return [*lines, *_requantized(writer, how, grid, label, units), "}"]


def _requantized(writer: Writer, how: Requantized, grid: Grid, label: str, units: str) -> list[str]:
    multiplier = writer.array(f"multiplier_{label}", [units], how.multiplier, "int32_t")
    shift = writer.array(f"shift_{label}", [units], -how.shift, "int32_t")  # as CMSIS-NN has it
    scaled = writer.once("scaled", SCALED.format(stem=writer.stem))
    lines = [
        f"    sum = {scaled}(sum, {multiplier}[j], {shift}[j]) + {grid.zero};".replace("+ -", "- "),
        f"    sum = sum > {how.low} ? sum : {how.low};",
        f"    sum = sum < {how.high} ? sum : {how.high};",
    ]
    if how.table is None:
        return [*lines, "    p[j] = (int8_t)sum;"]
    table = writer.array(f"table_{label}", ["256"], how.table, "int8_t")
    return [*lines, f"    p[j] = {table}[sum + {-LOW}];"]


def _each(size: str) -> list[str]:
    return [f"for (size_t j = 0; j < {size}; j++)"]


def _integer(writer: Writer, grid: Grid, x: str) -> str:
    function = writer.once("quantized", QUANTIZED.format(stem=writer.stem))
    return f"{function}({x}, {writer.number(grid.scale)}, {writer.number(grid.zero)})"
