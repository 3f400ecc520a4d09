"""``fastnn export``: write a model's file in a format that others run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import numpy as np

from fastnn.errors import ModelFileError
from fastnn.models import formats, load_model
from . import keeping
from .tables import check_folder

OF_TABLES = {ending: formats.WRITERS[ending] for ending in (".onnx", ".c")}
"""The formats that a table's model can be written in."""


class ExportError(ValueError):
    """A model that a format cannot hold."""


def export_model(model_file: Path, output: Path) -> None:
    """Write what is in ``model_file`` to ``output``, in the format that its ending names.

    The labels of a table's model are what ``fastnn predict`` writes.
    """
    of_table = formats.ending(model_file) not in formats.READERS and keeping.holds_table(model_file)
    writer = formats.named(output, OF_TABLES if of_table else formats.WRITERS)
    check_folder(output)
    model = _of_table(model_file) if of_table else load_model(model_file)
    try:
        writer.export(model, output)
    except (TypeError, ArithmeticError) as error:  # a format has no words for such a model, or a weight is NaN
        raise ExportError(f"{output} cannot be written: {error}") from error
    except (AttributeError, LookupError) as error:  # it was written by hand
        raise ModelFileError(f"{model_file} holds no table's model: {error!r}") from error
    click.echo(f"exported {model_file} to {output}")


def _of_table(model_file: Path) -> Any:
    """The estimator; classes that are numbers with a fraction are texts in it, and numbers in the table."""
    table, estimator = keeping.load(model_file)
    if table["target"]["floats"] and hasattr(estimator, "classes_"):
        estimator.classes_ = estimator.classes_.astype(np.float64)
    return estimator
