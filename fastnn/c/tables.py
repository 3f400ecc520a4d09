"""A table's estimator as C99: the encoding of its columns, its networks, and their mean."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from fastnn.models.chain import chain
from fastnn.sklearn.columns import width_of
from fastnn.sklearn.tabular import BaseTabular
from fastnn.typing import Array
from . import network
from .columns import Encoding, drawn, encoded, identifiers, shown
from .files import Project
from .network import Written
from .stages import stages
from .writer import Writer

TEST_ROWS = 16


def is_table(model: Any) -> bool:
    """Whether a model is an estimator of tables."""
    return isinstance(model, BaseTabular)


def project(writer: Writer, estimator: Any) -> Project:
    """The files of a fitted estimator, whose rows have a float a column."""
    check_is_fitted(estimator)
    encoder = estimator.encoder_
    for column in encoder.columns:
        width_of(column, "C")  # of those that cannot be written
    encoding = Encoding(writer, encoder, names_of(estimator))
    encoding.write()
    scratch: dict[str, tuple[str, int]] = {"encoded": ("float", len(encoder.center))}
    calls = [f"{writer.stem}_encode(x, scratch->encoded);"]
    outputs = writer.define("UNITS", units_of(estimator))
    each = f"for (size_t j = 0; j < {outputs}; j++)"
    for number, model in enumerate(estimator.models_, 1):
        made = stages(chain(model).operations, len(encoder.center))
        label = f"{number}_" if len(estimator.models_) > 1 else ""
        target = "y" if number == 1 else "scratch->part"
        written = network.write(writer, made, label, "scratch->encoded", target)
        for name, (kind, size) in written.scratch.items():
            scratch[name] = kind, max(size, scratch.get(name, (kind, 0))[1])
        calls += written.calls
        if number > 1:
            scratch["part"] = "float", units_of(estimator)
            calls += [each, "    y[j] += scratch->part[j];"]
    calls += _mean(writer, estimator, each, outputs)
    about, extra = _said(writer, estimator, encoding.definitions)
    return Project(writer, Written(scratch, calls), len(encoder.columns), units_of(estimator), about, extra)


def predicted(estimator: Any, x: Array) -> Array:
    """What a row is predicted as by the estimator: probabilities, or values; x as C has it."""
    inputs = encoded(estimator.encoder_, x)
    mean = np.mean([model.predict(inputs, verbose=0) for model in estimator.models_], axis=0, dtype=np.float64)
    if is_classifier(estimator):
        return np.asarray(mean / mean.sum(axis=1, keepdims=True))
    return np.asarray(mean * estimator._deviation + estimator._mean)


def drawn_rows(estimator: Any) -> Array:
    """Rows to check the code with."""
    return drawn(estimator.encoder_, TEST_ROWS)


def is_classifier(estimator: Any) -> bool:
    return hasattr(estimator, "predict_proba")


def units_of(estimator: Any) -> int:
    """How many probabilities or values are predicted."""
    return len(estimator.classes_ if is_classifier(estimator) else estimator._mean)


def names_of(estimator: Any) -> list[str]:
    """The columns' names; "x0", "x1", ... where they have none."""
    count = len(estimator.encoder_.columns)
    return [str(name) for name in getattr(estimator, "feature_names_in_", [f"x{place}" for place in range(count)])]


def _mean(writer: Writer, estimator: Any, each: str, outputs: str) -> list[str]:
    """The statements that make the mean of sums: probabilities whose sum is 1, or values in units of y."""
    if is_classifier(estimator):
        lines = [f"float sum = {writer.number(0)};", each, "    sum += y[j];", each, "    y[j] /= sum;"]
        return ["{", *(f"    {line}" for line in lines), "}"]
    factor = writer.array("factor", [outputs], estimator._deviation / len(estimator.models_))
    mean = writer.array("mean", [outputs], estimator._mean)
    return [each, f"    y[j] = y[j] * {factor}[j] + {mean}[j];"]


def _said(writer: Writer, estimator: Any, definitions: list[str]) -> tuple[str, str]:
    """The header's comment, and its further definitions."""
    count = len(estimator.models_)
    what = "probabilities of the classes" if is_classifier(estimator) else "values"
    about = (
        f"A table's model: {count} network{'s' * (count > 1)} of {len(estimator.encoder_.center)} inputs, in float.\n"
        f"   x has a float for each column of the table, y the {what}, which are named below."
    )
    if is_classifier(estimator):
        classes = [str(each) for each in estimator.classes_]
        names = identifiers(classes, "CLASS_", {"CLASS_NAMES"})
        given = zip(names, classes, strict=True)
        own = [f"#define {writer.macro}_{name} {k} /* {shown(text)} */" for k, (name, text) in enumerate(given)]
        texts = ", ".join(map(_quoted, classes))
        definitions = [*definitions, "", "/* The classes, whose probabilities y has. */", *own]
        definitions.append(f"#define {writer.macro}_CLASS_NAMES {{{texts}}}")
    return about, "\n" + "\n".join(definitions) + "\n"


def _quoted(text: str) -> str:
    """A string of C: UTF-8, with all but plain letters as octal numbers."""
    plain = (chr(b) if 32 <= b < 127 and chr(b) not in '"\\?' else f"\\{b:03o}" for b in text.encode("utf-8"))
    return f'"{"".join(plain)}"'
