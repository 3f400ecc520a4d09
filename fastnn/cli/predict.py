"""``fastnn predict``: predict the rows of a table with a model that ``fastnn train`` saved."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np

from fastnn.errors import ModelFileError
from . import keeping
from .tables import CsvOptions, TableError, check_folder, check_output, read_table, write_table
from .train import check_finite


def predict_table(model_file: Path, data: Path, output: Path, probabilities: bool, options: CsvOptions) -> None:
    """Predict every row of ``data``, and write the predictions, a row each, to ``output``.

    ``probabilities`` adds a column a class.  Numbers are read as the table that the model was trained on has them,
    unless ``options`` say otherwise.
    """
    check_output(output)
    check_folder(output)
    table, estimator = keeping.load(model_file)
    columns, target, csv = table["columns"], table["target"], table["csv"]
    options = options._replace(
        decimal=options.decimal or csv["decimal"],
        thousands=options.thousands or csv["thousands"],
        missing=(*csv["missing"], *options.missing),
    )
    read = read_table(data, options, {d["name"]: "text" if d["kind"] == "category" else d["kind"] for d in columns})
    names = [d["name"] for d in columns]
    _check_names(data, names, read.table.column_names)
    given = read.table.select(names)
    check_finite(data, read, given, np.arange(given.num_rows))
    if probabilities and not hasattr(estimator, "classes_"):
        raise TableError(f"--probabilities: {model_file} predicts the number {target['name']!r}, not classes")
    try:
        result = _predicted(estimator, given, target["name"], probabilities)
        if target["floats"]:
            result[target["name"]] = result[target["name"]].astype(np.float64)
    except Exception as error:
        if str(error).startswith("X "):
            raise TableError(f"{data}: {error}") from error
        raise ModelFileError(f"{model_file} holds no table's model: {error!r}") from error  # it was written by hand
    write_table(result, output)
    click.echo(f"{given.num_rows} predictions of {target['name']!r} saved in {output}")


def _predicted(estimator: Any, table: Any, name: str, probabilities: bool) -> dict[str, Any]:
    if not probabilities:
        return {name: estimator.predict(table)}
    outputs = estimator.predict_proba(table)
    result = {name: estimator.classes_[outputs.argmax(axis=1)]}
    return result | {f"P({c})": outputs[:, i] for i, c in enumerate(estimator.classes_)}


def _check_names(data: Path, names: Sequence[str], there: Sequence[str]) -> None:
    known = set(there)
    if missing := [name for name in names if name not in known]:
        close = difflib.get_close_matches(missing[0], there, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
        raise TableError(
            f"{data}: column {missing[0]!r}{more}, which the model was trained on, is not in the table; "
            f"the table's columns are {_listed(there)}{hint}"
        )


def _listed(names: Sequence[str], most: int = 8) -> str:
    """Write the first names, and how many more there are."""
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(repr(name) for name in names[:most]) + rest
