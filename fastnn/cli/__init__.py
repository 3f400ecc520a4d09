"""The command line: train a network on a table, predict with it, and look at the machinery."""

from __future__ import annotations

import difflib
import json
import os
import time
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from fastnn.callbacks import format_seconds
from fastnn.errors import DivergenceWarning

from .tables import (
    Description,
    TableError,
    check_output,
    decode_predictions,
    describe_columns,
    describe_target,
    encode_columns,
    encode_target,
    has_value,
    read_table,
    write_table,
)

__all__ = ["commands"]

TABLE_LINES = 20  # an epoch table is no longer than this


class Commands(click.Group):
    """A group that shows what a user can mend as one line; a traceback is for what only we can."""

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except BrokenPipeError:  # whoever read has seen enough
            raise
        except (ValueError, OSError, ModuleNotFoundError) as error:
            raise click.ClickException(str(error)) from error


def _units(context: click.Context, parameter: click.Parameter, value: str) -> tuple[int, ...]:
    """Units of the hidden layers: "64,64", or "none"."""
    if value == "none":
        return ()
    parts = value.split(",")
    if not all(part.strip().isdecimal() and int(part) > 0 for part in parts):
        raise click.BadParameter(f"{value!r} is not a list of positive numbers like 64,64, nor 'none'")
    return tuple(map(int, parts))


existing_file = click.Path(exists=True, dir_okay=False, path_type=Path)
output_file = click.Path(dir_okay=False, writable=True, path_type=Path)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.version_option(package_name="fastnn")
def commands() -> None:
    """Train and run dense networks on a CPU."""


@commands.command()
@click.argument("data", type=existing_file)
@click.option("--target", required=True, help="Column to predict.")
@click.option("--drop", multiple=True, metavar="NAME", help="Column to leave out; may be repeated.")
@click.option("--task", type=click.Choice(["auto", "classification", "regression"]), default="auto")
@click.option("--hidden", default="64,64", callback=_units, help="Units of the hidden layers, or 'none'.")
@click.option("--activation", default="relu", help="Activation of the hidden layers.")
@click.option("--optimizer", type=click.Choice(["adam", "sgd"]), default="adam")
@click.option("--learning-rate", type=float, help="Default: the optimizer's own.")
@click.option("--epochs", type=click.IntRange(min=1), default=20)
@click.option("--batch-size", type=click.IntRange(min=1), default=32)
@click.option("--holdout", type=click.FloatRange(0, 1, max_open=True), default=0.2, help="Part kept for the score.")
@click.option("--seed", type=click.IntRange(min=0), default=0, help="Of the split, the weights and the shuffling.")
@click.option("--backend", default="auto", help="auto, numba, cython or numpy.")
@click.option("--threads", type=click.IntRange(min=1), help="Default: as many as pay.")
@click.option("--dtype", type=click.Choice(["float32", "float64"]), default="float32")
@click.option("-o", "--output", type=output_file, default="model.fastnn", help="Where the model is saved.")
@click.pass_context
def train(
    context: click.Context,
    data: Path,
    target: str,
    drop: tuple[str, ...],
    task: str,
    hidden: tuple[int, ...],
    activation: str,
    optimizer: str,
    learning_rate: float | None,
    epochs: int,
    batch_size: int,
    holdout: float,
    seed: int,
    backend: str,
    threads: int | None,
    dtype: str,
    output: Path,
) -> None:
    """Train a network on DATA, a .csv, .csv.gz, .parquet or .npz file.

    Texts, booleans and integers with few values are classes; other numbers are a quantity. Numbers are
    standardised, texts become one input a category; a missing number counts as the mean, a missing text as a
    category. Rows without a target are left out. The model's file holds everything that prediction takes.
    It is saved too where training diverged (exit status 1) or was interrupted (130).
    """
    _can_write(output)
    table = read_table(data)
    _require_columns(table, [target, *drop], data)
    names = [name for name in table.column_names if name not in {target, *drop}]
    if not names:
        raise TableError(f"{data} has no column but {target!r} left: there is nothing to learn from")
    given = table.num_rows
    table = table.filter(has_value(table[target]))
    if table.num_rows < given:
        click.echo(f"{given - table.num_rows} rows without {target!r} are left out")

    described_target = describe_target(table[target], target, task)
    order = np.random.default_rng(seed).permutation(table.num_rows)
    kept = round(holdout * len(order))
    if holdout and not 0 < kept < len(order):
        raise TableError(f"--holdout {holdout:g} of {len(order)} rows leaves nothing to hold out or to train on")
    train_table, test_table = table.take(order[kept:]), table.take(order[:kept])
    columns = describe_columns(train_table, names)
    _tell_columns(columns, described_target)
    metadata = {"table": {"columns": columns, "target": described_target}}
    json.dumps(metadata)  # raises before the work, not after it
    x, y = encode_columns(train_table, columns, dtype), encode_target(train_table[target], described_target)

    model = _model(described_target, hidden, activation, seed)
    model.compile(
        optimizer=_optimizer(optimizer, learning_rate),
        loss="sparse_categorical_crossentropy" if "classes" in described_target else "mse",
        metrics=["accuracy"] if "classes" in described_target else [],
        backend=backend,
        threads=threads,
        dtype=dtype,
    )
    test = None
    if kept:
        test = encode_columns(test_table, columns, dtype), encode_target(test_table[target], described_target)
    start = time.perf_counter()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        history = model.fit(
            x,
            y,
            epochs=epochs,
            batch_size=batch_size,
            validation_data=test,
            callbacks=[_epoch_table(epochs)],
            verbose=0,
        )
    for warning in caught:
        click.echo(f"Warning: {warning.message}", err=True)
    click.echo(f"{len(x)} rows trained on in {format_seconds(time.perf_counter() - start)}")
    if history.interrupted:
        click.echo("interrupted: what has been learned so far is kept")
    if test is not None:
        click.echo(f"held out, {kept} rows: {_score(model, *test, described_target)}")
    model.save(output, metadata=metadata)
    click.echo(f"saved in {output}")
    if history.interrupted:
        context.exit(130)
    if any(issubclass(warning.category, DivergenceWarning) for warning in caught):
        context.exit(1)


@commands.command()
@click.argument("model_file", metavar="MODEL", type=existing_file)
@click.argument("data", type=existing_file)
@click.option("-o", "--output", type=output_file, required=True, help="A .csv, .parquet or .npz file.")
@click.option("--probabilities", is_flag=True, help="Add a column a class with its probability.")
def predict(model_file: Path, data: Path, output: Path, probabilities: bool) -> None:
    """Predict the rows of DATA with a MODEL that `train` saved."""
    from fastnn.models import load_model

    check_output(output)
    _can_write(output)
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


@commands.command()
@click.option("--epochs", type=click.IntRange(min=1), default=15)
@click.option("--picture", type=output_file, default="demo.png", help="Where the loss curve goes.")
def demo(epochs: int, picture: Path) -> None:
    """Train on scikit-learn's digits; show accuracy and speed."""
    from .demo import run

    _can_write(picture)
    run(epochs, picture, click.echo)


@commands.command()
@click.option("--section", "sections", type=click.IntRange(1, 7), multiple=True, help="Only this one; may be repeated.")
@click.option(
    "-o", "--output", type=click.Path(file_okay=False, path_type=Path), default="learn", help="Folder of the pictures."
)
@click.option("--no-pictures", is_flag=True, help="Only the text.")
def learn(sections: tuple[int, ...], output: Path, no_pictures: bool) -> None:
    """Walk through how a machine learns, in seven sections.

    Every number is computed while you read, and each section draws a picture.
    """
    from fastnn.learn import run

    run(sections, None if no_pictures else output, click.echo)


@commands.command()
def info() -> None:
    """Show which backend is active, and why."""
    from fastnn.engine import describe

    facts = describe()
    width = max(map(len, facts))
    for name, fact in facts.items():
        click.echo(f"{name:{width}}  {fact}")


@commands.command()
def warmup() -> None:
    """Compile everything into the cache.

    The first run after that is as quick as any.
    """
    from fastnn.engine import warmup as compile_all

    start = time.perf_counter()
    for compiled in compile_all():
        click.echo(compiled)
    click.echo(f"ready after {format_seconds(time.perf_counter() - start)}")


def _can_write(path: Path) -> None:
    """Find out before the work, not after it."""
    if not path.parent.is_dir():
        raise TableError(f"{path} cannot be written: there is no folder {path.parent}")
    if not os.access(path.parent, os.W_OK):
        raise TableError(f"{path} cannot be written: the folder {path.parent} is read-only")


def _require_columns(table: Any, names: Sequence[str], data: Path) -> None:
    for name in names:
        if name not in table.column_names:
            close = difflib.get_close_matches(name, table.column_names, n=1)
            hint = f"did you mean {close[0]!r}?" if close else "it has " + ", ".join(table.column_names[:10])
            raise TableError(f"{data} has no column {name!r}; {hint}")


def _tell_columns(columns: list[Description], target: Description) -> None:
    """What was made of the table."""
    texts = [d for d in columns if d["kind"] == "text"]
    click.echo(f"inputs: {len(columns) - len(texts)} columns of numbers, {len(texts)} of text")
    for d in texts:
        if d["dropped"]:
            kept = len(d["categories"])
            click.echo(f"  {d['name']!r}: the {kept} most frequent of {kept + d['dropped']} texts count")
    what = f"{len(target['classes'])} classes" if "classes" in target else "a number"
    click.echo(f"{target['task']}: {target['name']!r} is {what}")


def _model(target: Description, hidden: tuple[int, ...], activation: str, seed: int) -> Any:
    from fastnn.layers import Dense
    from fastnn.models import Sequential

    layers = [Dense(units, activation=activation) for units in hidden]
    if "classes" in target:
        layers.append(Dense(len(target["classes"]), activation="softmax"))
    else:
        layers.append(Dense(1))
    return Sequential(layers, seed=seed)


def _optimizer(name: str, learning_rate: float | None) -> Any:
    from fastnn.optimizers import SGD, Adam

    kind = {"adam": Adam, "sgd": SGD}[name]
    return kind() if learning_rate is None else kind(learning_rate)


def _epoch_table(epochs: int) -> Any:
    """A callback that prints a line an epoch, or a line every few epochs."""
    from fastnn.callbacks import Callback

    every = -(-epochs // TABLE_LINES)

    class EpochTable(Callback):
        def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
            logs = logs or {}
            if epoch == 0:
                click.echo("".join(f"{name:>14}" for name in ["epoch", *logs]))
            if (epoch + 1) % every == 0 or epoch + 1 == epochs:
                click.echo(f"{epoch + 1:14d}" + "".join(f"{value:14.4f}" for value in logs.values()))

    return EpochTable()


def _score(model: Any, x: NDArray[Any], y: NDArray[Any], target: Description) -> str:
    """How good predictions are, beside those of someone who has not looked at the inputs."""
    predicted = model.predict(x)
    if "classes" in target:
        accuracy = np.mean(predicted.argmax(axis=1) == y)
        return f"accuracy {accuracy:.4f} (the most frequent class alone: {np.bincount(y).max() / len(y):.4f})"
    error = np.sqrt(np.mean((predicted - y) ** 2))
    spread = y.std() or 1.0
    r2 = 1 - (error / spread) ** 2
    return f"R2 {r2:.4f}, root mean squared error {error * target['scale']:.6g}"
