"""``fastnn train``: train networks on a table, score them on rows held out, and save them."""

from __future__ import annotations

import difflib
import sys
import time
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import click
import numpy as np

from fastnn.callbacks import format_seconds
from fastnn.distribution import DataParallel
from fastnn.errors import DivergenceWarning
from fastnn.extras import require
from fastnn.typing import Array
from . import keeping
from .picture import check_picture, draw_score
from .started import plan, together
from .tables import CsvOptions, Read, TableError, check_folder, decoded, kind_of, read_table
from .target import Description, describe_target, has_value, target_values

MOST_COLUMNS = 40  # that the list of columns has at most


class TrainOptions(NamedTuple):
    """What the user asked for, an option a field; None is the recipe's."""

    data: Path
    target: str
    drop: tuple[str, ...]
    task: str
    hidden: tuple[int, ...] | None
    activation: str | None
    learning_rate: float | None
    epochs: int | None
    batch_size: int | None
    members: int | None
    text_components: int | None
    holdout: float
    plot: Path | None
    seed: int
    backend: str
    threads: int | None
    output: Path
    csv: CsvOptions


def train_on_table(options: TrainOptions) -> int:
    """Train, score and save a model, and report it; return the exit status.

    It is 130 where training was interrupted, 1 where it diverged, else 0.  Ranks that mpiexec has started read
    the table and train together; the first one does all else.
    """
    shared = plan()
    first = shared is None or shared.ranks.first
    given = together(lambda: _given(options, first))
    estimator, y = _estimator(given.target, options, shared), given.y
    start = time.perf_counter()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            estimator.fit(given.table.take(given.train), y[given.train])
        except (ValueError, TypeError) as error:
            of_table = str(error).startswith("X ")
            raise TableError(f"{options.data}: {error}" if of_table else str(error)) from error
    if not first:
        return 0
    for message in dict.fromkeys(str(warning.message) for warning in caught):
        click.echo(f"Warning: {message}", err=True)
    members = len(estimator.models_)
    best = ", ".join(map(str, estimator.best_epochs_))
    by = "" if shared is None else f" by {shared.size} ranks"
    click.echo(f"trained on {len(given.train)} rows in {format_seconds(time.perf_counter() - start)}{by}")
    click.echo(f"{members} network{'s' * (members > 1)}; best epochs: {best} of {estimator.epochs}")
    diverged = any(issubclass(warning.category, DivergenceWarning) for warning in caught)
    if estimator.interrupted_:
        click.echo("interrupted: what has been learned so far is kept")
    if len(given.test):
        predicted, known = np.asarray(estimator.predict(given.table.take(given.test))), y[given.test]
        click.echo(f"score on {len(known)} held-out rows: {_score(y[given.train], known, predicted, given.target)}")
        if options.plot is not None:
            draw_score(known, predicted, given.target, options.plot)
            click.echo(f"drawn in {options.plot}")
    estimator.distribution = None  # the file is as one process writes it
    keeping.save(options.output, given.described, estimator)
    click.echo(f"saved in {options.output}")
    return 1 if diverged else 130 if estimator.interrupted_ else 0


class Given(NamedTuple):
    """What was read, and what is to be learned from it."""

    table: Any  # pyarrow's, of the columns that the networks see
    y: Array
    target: Description
    train: Array  # places of rows
    test: Array
    described: dict[str, Any]  # what the model's file says of the table


def _given(options: TrainOptions, writes: bool) -> Given:
    """Read the table, report what was made of it, and hold rows out; ``writes``: this process writes files."""
    if writes:
        check_folder(options.output)
        if options.plot is not None:
            check_picture(options.plot, options.holdout)
    require("sklearn", "cli")
    read = read_table(options.data, options.csv)
    names = _names(options, read.table.column_names)
    table, rows = _with_target(read, options)
    target = describe_target(table[options.target], options.target, options.task)
    y = target_values(read, table[options.target], target)
    table = table.select(names)
    columns = [{"name": name, "kind": kind_of(kind)} for name, kind in zip(names, table.schema.types, strict=True)]
    _tell_columns(read, table, columns, target, y)
    check_finite(options.data, read, table, rows)
    order = np.random.default_rng(options.seed).permutation(len(y))
    kept = round(options.holdout * len(order))
    if options.holdout and not 0 < kept < len(order):
        raise TableError(
            f"--holdout {options.holdout:g} of {len(order)} rows leaves nothing to hold out or to train on"
        )
    csv = {"decimal": "." if read.csv is None else read.csv.decimal}
    csv |= {"thousands": options.csv.thousands, "missing": list(options.csv.missing)}  # type: ignore[dict-item]
    described = {"columns": columns, "target": target, "csv": csv}
    return Given(table, y, target, np.sort(order[kept:]), np.sort(order[:kept]), described)


def check_finite(path: Path, read: Read, table: Any, rows: Array) -> None:
    """Refuse infinity by its column and its line in the file; ``rows``: the places in the file of the table's rows."""
    compute = require("pyarrow.compute", "cli")
    types = require("pyarrow", "cli").types
    for name, column in zip(table.column_names, table.columns, strict=True):
        if types.is_floating(column.type) and compute.any(compute.is_inf(column)).as_py():
            row = int(np.flatnonzero(np.asarray(compute.fill_null(compute.is_inf(column), False)))[0])
            raise TableError(
                f"{path}, {read.place(int(rows[row]))}: column {name!r} is {column[row].as_py()}; wants finite numbers"
            )


def _names(options: TrainOptions, there: list[str]) -> list[str]:
    """The columns that the network sees."""
    known = set(there)
    for name in (options.target, *options.drop):
        if name not in known:
            close = difflib.get_close_matches(name, there, n=1)
            hint = f"did you mean {close[0]!r}?" if close else "it has " + ", ".join(there[:10])
            raise TableError(f"{options.data} has no column {name!r}; {hint}")
    names = [name for name in there if name not in {options.target, *options.drop}]
    if not names:
        raise TableError(f"{options.data} has no column but {options.target!r} left: there is nothing to learn from")
    return names


def _with_target(read: Read, options: TrainOptions) -> tuple[Any, Array]:
    """The rows that have a target, and their places in the file."""
    table = read.table
    there = has_value(table[options.target])
    rows = np.flatnonzero(np.asarray(there))
    if not len(rows):
        raise TableError(f"{options.data}: target {options.target!r} has no value in any row")
    if len(rows) < table.num_rows:
        click.echo(f"{table.num_rows - len(rows)} rows without {options.target!r} are left out")
        table = table.filter(there)
    return table, rows


def _tell_columns(read: Read, table: Any, columns: list[dict[str, str]], target: Description, y: Array) -> None:
    """Report what was made of the table: a line a column."""
    compute = require("pyarrow.compute", "cli")
    click.echo(f"{len(y)} rows" + "".join(f", {note}" for note in read.notes))
    wide = min(30, max(len(d["name"]) for d in [*columns, target]))

    def told(name: str, kind: str, fact: str) -> None:
        click.echo(f"  {name:<{wide}}  {kind:<22}{fact}".rstrip())

    counts: dict[str, int] = {}
    for place, described in enumerate(columns):
        name, kind = described["name"], described["kind"]
        counts[kind] = counts.get(kind, 0) + 1
        if place >= MOST_COLUMNS and name not in read.facts:
            continue
        column = table.column(place)
        fact = read.facts.get(name, f"{column.null_count} missing" if column.null_count else "")
        if kind in ("text", "category"):
            different = compute.count_distinct(decoded(column)).as_py()
            kind += f", {different} different"
        told(name, "nothing: left out" if kind == "nothing" else kind, fact)
    if len(columns) > MOST_COLUMNS:
        click.echo(f"  ... of {len(columns)} columns: " + ", ".join(f"{n} {kind}" for kind, n in counts.items()))
    what = f"target, {len(np.unique(y))} classes" if target["task"] == "classification" else "target, a number"
    told(target["name"], what, read.facts.get(target["name"], ""))


def _estimator(target: Description, options: TrainOptions, shared: DataParallel | None) -> Any:
    """The estimator of the recipe, with what was asked for instead of its own."""
    from fastnn.sklearn import TabularClassifier, TabularRegressor

    kind = TabularClassifier if target["task"] == "classification" else TabularRegressor
    asked: dict[str, Any] = {
        "hidden_layer_sizes": options.hidden,
        "activation": options.activation,
        "learning_rate": options.learning_rate,
        "epochs": options.epochs,
        "batch_size": options.batch_size,
        "n_ensemble": options.members,
        "text_components": options.text_components,
    }
    live = 1 if shared is None and sys.stdout.isatty() else 0  # mpiexec's ranks have a terminal, whatever it writes to
    given = {name: value for name, value in asked.items() if value is not None}
    given |= {"backend": options.backend, "threads": options.threads, "random_state": options.seed}
    return kind(**given, verbose=live, distribution=shared)


def _score(known: Array, y: Array, predicted: Array, target: Description) -> str:
    """Report how good predictions are, beside those of someone who has not looked at the inputs."""
    if target["task"] == "classification":
        values, counts = np.unique(known, return_counts=True)
        guess = np.mean(values[counts.argmax()] == y)
        return f"accuracy {np.mean(predicted == y):.4f} (the most frequent class alone: {guess:.4f})"
    error = np.sqrt(np.mean((predicted - y) ** 2))
    r2 = 1 - (error / (y.std() or 1.0)) ** 2
    return f"R2 {r2:.4f}, root mean squared error {error:.6g}"
