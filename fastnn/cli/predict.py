"""``fastnn predict``: predict the rows of a table with a model that ``fastnn train`` saved."""

from pathlib import Path

import click

from .encoding import decode_predictions, encode_columns
from .tables import TableError, check_folder, check_output, read_table, write_table


def predict_table(model_file: Path, data: Path, output: Path, probabilities: bool) -> None:
    """Predict every row of ``data``, and write the predictions, a row each, to ``output``.

    ``probabilities`` adds a column a class.
    """
    from fastnn.models import load_model

    check_output(output)
    check_folder(output)
    model = load_model(model_file)
    saved = (model.metadata or {}).get("table")
    if saved is None:
        raise TableError(f"{model_file} says nothing of a table: predict takes models that `fastnn train` saved")
    columns, target = saved["columns"], saved["target"]
    table = read_table(data, [d["name"] for d in columns if d["kind"] == "text"])
    outputs = model.predict(encode_columns(table, columns, model.dtype))
    result = {target["name"]: decode_predictions(outputs, target)}
    if probabilities:
        if "classes" not in target:
            raise TableError(f"--probabilities: {model_file} predicts the number {target['name']!r}, not classes")
        result |= {f"P({c})": outputs[:, i] for i, c in enumerate(target["classes"])}
    write_table(result, output)
    click.echo(f"{table.num_rows} predictions of {target['name']!r} in {output}")
