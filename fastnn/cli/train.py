"""``fastnn train``: train a network on a table, score it on rows held out, and save it."""

import difflib
import json
import time
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import click
import numpy as np

from fastnn.callbacks import Callback, format_seconds
from fastnn.errors import DivergenceWarning
from fastnn.typing import Array
from .encoding import Description, describe_columns, describe_target, encode_columns, encode_target, has_value
from .tables import TableError, check_folder, read_table

EPOCH_LINES = 20  # lines that the table of epochs has at most


class TrainOptions(NamedTuple):
    """What the user asked for, an option a field."""

    data: Path
    target: str
    drop: tuple[str, ...]
    task: str
    hidden: tuple[int, ...]
    activation: str
    optimizer: str
    learning_rate: float | None
    epochs: int
    batch_size: int
    holdout: float
    seed: int
    backend: str
    threads: int | None
    dtype: str
    output: Path


def train_on_table(options: TrainOptions) -> int:
    """Train, score and save a model, and report it; return the exit status.

    It is 130 where training was interrupted, 1 where it diverged, else 0.
    """
    check_folder(options.output)
    table, names = _read_rows(options)
    target = describe_target(table[options.target], options.target, options.task)
    order = np.random.default_rng(options.seed).permutation(table.num_rows)
    kept = round(options.holdout * len(order))
    if options.holdout and not 0 < kept < len(order):
        raise TableError(
            f"--holdout {options.holdout:g} of {len(order)} rows leaves nothing to hold out or to train on"
        )
    train_table, test_table = table.take(order[kept:]), table.take(order[:kept])
    columns = describe_columns(train_table, names)
    _tell_columns(columns, target)
    metadata = {"table": {"columns": columns, "target": target}}
    json.dumps(metadata)  # raises before the work, not after it

    def encoded(part: Any) -> tuple[Array, Array]:
        return encode_columns(part, columns, options.dtype), encode_target(part[options.target], target)

    x, y = encoded(train_table)
    model = _compiled_model(target, options)
    test = encoded(test_table) if kept else None
    start = time.perf_counter()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        lines = [EpochTable(options.epochs)]
        history = model.fit(x, y, options.batch_size, options.epochs, 0, callbacks=lines, validation_data=test)
    for warning in caught:
        click.echo(f"Warning: {warning.message}", err=True)
    click.echo(f"{len(x)} rows trained on in {format_seconds(time.perf_counter() - start)}")
    if history.interrupted:
        click.echo("interrupted: what has been learned so far is kept")
    if test is not None:
        click.echo(f"held out, {kept} rows: {_score(model, *test, target)}")
    model.save(options.output, metadata=metadata)
    click.echo(f"saved in {options.output}")
    diverged = any(issubclass(warning.category, DivergenceWarning) for warning in caught)
    return 130 if history.interrupted else int(diverged)


class EpochTable(Callback):
    """Print a line an epoch, or a line every few epochs where there are many."""

    def __init__(self, epochs: int) -> None:
        super().__init__()
        self.epochs = epochs
        self.every = -(-epochs // EPOCH_LINES)

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        logs = logs or {}
        if epoch == 0:
            click.echo("".join(f"{name:>14}" for name in ["epoch", *logs]))
        if (epoch + 1) % self.every == 0 or epoch + 1 == self.epochs:
            click.echo(f"{epoch + 1:14d}" + "".join(f"{value:14.4f}" for value in logs.values()))


def _read_rows(options: TrainOptions) -> tuple[Any, list[str]]:
    """Return the table's rows that have a target, and the names of the columns that the network sees."""
    table = read_table(options.data)
    for name in (options.target, *options.drop):
        if name not in table.column_names:
            close = difflib.get_close_matches(name, table.column_names, n=1)
            hint = f"did you mean {close[0]!r}?" if close else "it has " + ", ".join(table.column_names[:10])
            raise TableError(f"{options.data} has no column {name!r}; {hint}")
    names = [name for name in table.column_names if name not in {options.target, *options.drop}]
    if not names:
        raise TableError(f"{options.data} has no column but {options.target!r} left: there is nothing to learn from")
    given = table.num_rows
    table = table.filter(has_value(table[options.target]))
    if table.num_rows < given:
        click.echo(f"{given - table.num_rows} rows without {options.target!r} are left out")
    return table, names


def _tell_columns(columns: list[Description], target: Description) -> None:
    """Report what was made of the table."""
    texts = [d for d in columns if d["kind"] == "text"]
    click.echo(f"inputs: {len(columns) - len(texts)} columns of numbers, {len(texts)} of text")
    for d in texts:
        if d["dropped"]:
            kept = len(d["categories"])
            click.echo(f"  {d['name']!r}: the {kept} most frequent of {kept + d['dropped']} texts count")
    what = f"{len(target['classes'])} classes" if "classes" in target else "a number"
    click.echo(f"{target['task']}: {target['name']!r} is {what}")


def _compiled_model(target: Description, options: TrainOptions) -> Any:
    """Return the network, with the output layer, the loss and the metrics that the target asks for."""
    from fastnn.layers import Dense
    from fastnn.models import Sequential
    from fastnn.optimizers import SGD, Adam

    layers = [Dense(units, activation=options.activation) for units in options.hidden]
    if "classes" in target:
        layers.append(Dense(len(target["classes"]), activation="softmax"))
    else:
        layers.append(Dense(1))
    model = Sequential(layers, seed=options.seed)
    optimizer: Any = {"adam": Adam, "sgd": SGD}[options.optimizer]
    model.compile(
        optimizer=optimizer() if options.learning_rate is None else optimizer(options.learning_rate),
        loss="sparse_categorical_crossentropy" if "classes" in target else "mse",
        metrics=["accuracy"] if "classes" in target else [],
        backend=options.backend,
        threads=options.threads,
        dtype=options.dtype,
    )
    return model


def _score(model: Any, x: Array, y: Array, target: Description) -> str:
    """Report how good predictions are, beside those of someone who has not looked at the inputs."""
    predicted = model.predict(x)
    if "classes" in target:
        accuracy = np.mean(predicted.argmax(axis=1) == y)
        return f"accuracy {accuracy:.4f} (the most frequent class alone: {np.bincount(y).max() / len(y):.4f})"
    error = np.sqrt(np.mean((predicted - y) ** 2))
    spread = y.std() or 1.0
    r2 = 1 - (error / spread) ** 2
    return f"R2 {r2:.4f}, root mean squared error {error * target['scale']:.6g}"
