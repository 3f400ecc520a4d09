"""export: a model as C99, a source, its header and, if asked for, a program that checks them."""

from __future__ import annotations

import math
import os
import re
import sys
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fastnn.files.atomic import replacing
from fastnn.models import Sequential
from fastnn.models.chain import Chain, chain
from fastnn.typing import Array
from fastnn.undisturbed import undisturbed
from . import int8, int8_source, network, reference
from .files import Project
from .stages import Stage, stages
from .writer import Writer

REALS = {"float32": "float", "float64": "double", "int8": "float"}
"""What may be asked for, and C's type of x and y."""

KEYWORDS = """
auto break case char const continue default do double else enum extern float for goto if inline int long register
restrict return short signed sizeof static struct switch typedef union unsigned void volatile while
"""
HEADERS = """
assert complex ctype errno fenv float inttypes iso646 limits locale math setjmp signal stdarg stdbool stddef stdint
stdio stdlib string tgmath time wchar wctype
"""
"""C99's own headers, of which no file may have the name."""

TEST_ROWS = 8
EXACT = {"float": 2e-5, "double": 1e-11}
"""How far the outputs of a test program may be off, as a part of the largest."""


class Report(NamedTuple):
    """What was written.

    Attributes
    ----------
    files : list of Path
    dtype : {"float32", "float64", "int8"}
    flash, ram : int
        Bytes of the constants, and of the scratch of a prediction; without code and stack.
    rows : int
        How many rows it was calibrated on; what follows is None without them.
    max_error, rms_error : float or None
        The largest difference, and the root of their mean square, between the outputs of int8 and of the model.
    agreement : float or None
        On how many rows, as a part, the largest output is the same; None where there is one output.
    """

    files: list[Path]
    dtype: str
    flash: int
    ram: int
    rows: int = 0
    max_error: float | None = None
    rms_error: float | None = None
    agreement: float | None = None


def export(
    model: Any,
    path: str | os.PathLike[str],
    *,
    dtype: str | None = None,
    calibration: Any = None,
    test_vectors: Any = False,
) -> Report:
    """Write a model as C99: what it computes at prediction, as functions that allocate nothing and keep no state.

    "net.c" and "net.h" have ``void net_predict(const float *x, float *y)`` for a row, ``net_predict_into``, which takes
    its scratch from the caller, and ``net_predict_rows``; names begin with the file's.

    Parameters
    ----------
    model : Sequential, TabularClassifier or TabularRegressor
        Of a table's estimator x has a float for each column, which the header names with their categories, and y the
        probabilities of the classes, or the values.
    path : path
        "net.c"; what is before the ending is an identifier of C.
    dtype : {"float32", "float64", "int8"}, optional
        The type of the arithmetic; None: the model's.  In float64 x and y are doubles.  In int8 they are floats, the
        weights have a scale for each unit, and what is between the layers is calibrated, as by TensorFlow Lite.
    calibration : (rows, inputs) array-like
        For int8: rows as the network will see them, some hundred.
    test_vectors : bool or (rows, inputs) array-like
        Write net_test.c too, a program that checks the outputs of these rows; True: of 8 rows of random numbers, or
        of the first that it is calibrated on.

    Returns
    -------
    Report
        The sizes, and for int8 the error on the rows of ``calibration``.

    Raises
    ------
    ValueError
        The model is not built, or has an activation of the user's own; a name that C cannot have; other arguments.
    FloatingPointError
        A weight is NaN or infinite.
    OSError
        A file cannot be written.
    """
    stem = checked_stem(path)
    if not isinstance(model, Sequential):
        return _export_table(model, path, dtype, calibration, test_vectors)
    found = chain(model)
    dtype = found.dtype if dtype is None else dtype
    if dtype not in REALS:
        raise ValueError(f"dtype got {dtype!r}; wants one of {', '.join(map(repr, REALS))}, or None for the model's")
    if (dtype == "int8") != (calibration is not None):
        raise ValueError(
            "calibration got no rows; wants some hundred rows of x, by which int8 is scaled"
            if dtype == "int8"
            else f"calibration got rows, and dtype {dtype!r}; wants dtype='int8' with them"
        )
    rows = None if calibration is None else rows_of(calibration, found.input_shape, "calibration")
    vectors = None
    if test_vectors is True:
        vectors = drawn_rows(math.prod(found.input_shape)) if rows is None else rows[:TEST_ROWS]
    elif test_vectors is not False:
        vectors = rows_of(test_vectors, found.input_shape, "test_vectors")
    writer = Writer(stem, REALS[dtype])
    if rows is None:
        texts, report = _in_reals(writer, found, vectors)
    else:
        texts, report = _in_int8(writer, found, rows, vectors)
    return saved(model, path, texts, report._replace(dtype=dtype))


def _export_table(
    model: Any, path: str | os.PathLike[str], dtype: str | None, calibration: Any, test_vectors: Any
) -> Report:
    """Write a table's estimator, in float32."""
    if "fastnn.sklearn" not in sys.modules or not (tables := import_module("fastnn.c.tables")).is_table(model):
        what = type(model).__name__
        raise TypeError(f"model got {what}; wants a Sequential, a TabularClassifier or a TabularRegressor")
    if dtype not in (None, "float32") or calibration is not None:
        raise ValueError(f"dtype got {dtype!r} for a table's estimator; wants 'float32', without calibration")
    writer = Writer(checked_stem(path), "float")
    project = tables.project(writer, model)
    texts = list(project.texts())
    if test_vectors is not False:
        if test_vectors is True:
            x = tables.drawn_rows(model)
        else:
            x = np.asarray(test_vectors, np.float64)
            if x.ndim != 2 or x.shape[1] != project.inputs or len(x) == 0 or np.isinf(x).any():
                raise ValueError(
                    f"test_vectors got shape {x.shape}; wants rows of {project.inputs} finite floats, or NaN"
                )
        x = rounded(x, writer)
        texts.append(checking(project, x, tables.predicted(model, x)))
    return saved(model, path, texts, Report([], "float32", writer.flash, project.ram))


def _in_reals(writer: Writer, found: Chain, vectors: Array | None) -> tuple[list[str], Report]:
    """The files' texts, and what there is to report."""
    made = stages(found.operations, math.prod(found.input_shape))
    written = network.write(writer, made)
    about = f"A network of {_sizes(made)} units, in {writer.real}."
    project = Project(writer, written, made[0].inputs, made[-1].units, about)
    texts = list(project.texts())
    if vectors is not None:
        vectors = rounded(vectors, writer)
        texts.append(checking(project, vectors, reference.predicted(made, vectors)))
    return texts, Report([], "", writer.flash, project.ram)


def _in_int8(writer: Writer, found: Chain, rows: Array, vectors: Array | None) -> tuple[list[str], Report]:
    """The files' texts, and what there is to report."""
    made = stages(found.operations, math.prod(found.input_shape), keep_scaling=True)
    rows = rounded(rows, writer)
    quantized = int8.quantized(made, rows)
    real, approximate = reference.predicted(made, rows), int8.predicted(quantized, rows)
    errors = np.abs(approximate - real)
    agreement = float(np.mean(approximate.argmax(axis=1) == real.argmax(axis=1))) if made[-1].units > 1 else None
    largest, rms = float(errors.max()), float(np.sqrt(np.mean(np.square(errors))))
    written = int8_source.write(writer, quantized)
    about = (
        f"A network of {_sizes(made)} units, in int8; x and y are floats.\n"
        f"   On {len(rows)} rows its outputs differ from those in float by {largest:.3g} at most, {rms:.3g} RMS."
    )
    project = Project(writer, written, made[0].inputs, made[-1].units, about)
    texts = list(project.texts())
    if vectors is not None:
        vectors = rounded(vectors, writer)
        inexact = any(each.after is not None and each.requantized is None and each.stage.rest for each in quantized)
        texts.append(checking(project, vectors, int8.predicted(quantized, vectors), largest * inexact))
    return texts, Report([], "", writer.flash, project.ram, len(rows), largest, rms, agreement)


def _sizes(made: list[Stage]) -> str:
    return "-".join(map(str, [made[0].inputs, *(stage.units for stage in made if stage.product is not None)]))


def checking(project: Project, x: Array, expected: Array, least: float = 0.0) -> str:
    """The program that checks rows; ``least`` is a difference that is no mistake."""
    return project.test(x, expected, max(least, EXACT[project.writer.real] * max(1e-30, np.abs(expected).max())))


def rounded(x: Array, writer: Writer) -> Array:
    """Rows as the written code has them."""
    return x.astype(np.float32).astype(np.float64) if writer.real == "float" else x


def drawn_rows(inputs: int) -> Array:
    """Rows of standard normal numbers."""
    return np.random.default_rng(0).standard_normal((TEST_ROWS, inputs)).round(3)


def rows_of(given: Any, shape: tuple[int, ...], name: str) -> Array:
    """Rows of x, (rows, inputs), checked."""
    try:
        x = np.asarray(given, np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} got what is no array of numbers; wants rows of x") from error
    if x.shape[1:] not in (shape, (math.prod(shape),)) or len(x) == 0:
        raise ValueError(f"{name} got shape {x.shape}; wants rows of {shape}")
    if not np.isfinite(x).all() or np.abs(x).max() > np.finfo(np.float32).max:
        raise ValueError(f"{name} got NaN, infinity or what float32 does not hold; wants finite numbers")
    return x.reshape(len(x), -1)


def checked_stem(path: str | os.PathLike[str]) -> str:
    """What names begin with: the name of the file without its ending."""
    stem = Path(path).stem
    if Path(path).suffix.lower() != ".c":
        raise ValueError(f"path got {os.fspath(path)!r}; wants a name that ends in .c")
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", stem) or stem in KEYWORDS.split():
        raise ValueError(f"path got {os.fspath(path)!r}; wants an identifier of C before the ending, such as net.c")
    if stem.lower() in HEADERS.split():
        raise ValueError(f"path got {os.fspath(path)!r}; wants a name that no header of C's own has")
    return stem


def saved(model: Any, path: str | os.PathLike[str], texts: list[str], report: Report) -> Report:
    """Write the source, the header and the program, all or none, and say which files these are."""
    place = Path(path)
    names = [place, place.with_suffix(".h"), place.with_name(f"{place.stem}_test.c")][: len(texts)]

    def write() -> None:
        try:
            with ExitStack() as stack:
                for name, text in zip(names, texts, strict=True):
                    _begin(stack, name, text)
        except _NotWritten as failed:
            raise failed.error from None

    if getattr(model, "_writes", True):
        undisturbed(write)
    return report._replace(files=names)


class _NotWritten(Exception):
    """Why one of several files cannot be written: passes through what writes the others, which then stay away."""

    def __init__(self, error: OSError) -> None:
        self.error = error


def _begin(stack: ExitStack, path: Path, text: str) -> None:
    """Write a file that has its name when the stack is left."""
    try:
        stack.enter_context(replacing(path)).write(text.encode("ascii"))
    except OSError as error:
        raise _NotWritten(error) from error
