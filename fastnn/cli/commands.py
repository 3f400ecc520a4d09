"""The commands: their names, options and help, and what each calls."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from fastnn.callbacks import format_seconds
from fastnn.distribution import RankError
from fastnn.version import VERSION
from .export import export_model
from .predict import predict_table
from .started import SharedCommand
from .tables import CsvOptions, check_folder
from .train import TrainOptions, train_on_table


class Commands(click.Group):
    """A group of commands that shows errors a user can mend as one line; others keep their traceback."""

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except BrokenPipeError:  # whoever read has seen enough
            raise
        except (ValueError, OSError, ModuleNotFoundError, RankError) as error:
            raise click.ClickException(str(error)) from error


def _units(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[int, ...] | None:
    """Read the units of the hidden layers: "64,64", or "none"."""
    if value is None:
        return None
    if value == "none":
        return ()
    parts = value.split(",")
    if not all(part.strip().isdecimal() and int(part) > 0 for part in parts):
        raise click.BadParameter(f"{value!r} is not a list of positive numbers like 64,64, nor 'none'")
    return tuple(map(int, parts))


existing_file = click.Path(exists=True, dir_okay=False, path_type=Path)
existing_table = click.Path(exists=True, path_type=Path)
output_file = click.Path(dir_okay=False, writable=True, path_type=Path)
folder = click.Path(file_okay=False, path_type=Path)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.version_option(VERSION, prog_name="fastnn")
def commands() -> None:
    """Train and run dense neural networks on a CPU."""


def csv_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that say how a CSV file is written."""
    found = "Default: detected."
    for option in (
        click.option("--missing", multiple=True, metavar="TEXT", help="A further text that marks a missing value."),
        click.option("--encoding", help=f"Encoding of a CSV file, such as cp1252. {found}"),
        click.option("--thousands", metavar="MARK", help="Mark between thousands, as in 1,234,567. Default: none."),
        click.option("--decimal", metavar="MARK", help=f"Decimal mark. {found}"),
        click.option("--sep", metavar="MARK", help=f"Separator between values, or 'tab'. {found}"),
    ):
        command = option(command)
    return command


def _csv(options: dict[str, Any]) -> CsvOptions:
    """Take the options that say how a CSV file is written out of all."""
    given = CsvOptions(**{name: options.pop(name) for name in CsvOptions._fields})
    sep = "\t" if given.sep in ("tab", "\\t") else given.sep
    for name, mark in (("sep", sep), ("decimal", given.decimal), ("thousands", given.thousands)):
        if mark is not None and len(mark) != 1:
            raise click.BadParameter(f"{mark!r} is not one character", param_hint=f"'--{name}'")
    if sep is not None and sep in (given.decimal, given.thousands):
        raise click.BadParameter(f"{sep!r} is a mark within numbers too", param_hint="'--sep'")
    return given._replace(sep=sep)


@commands.command(cls=SharedCommand)
@click.argument("data", type=existing_table)
@click.option("--target", required=True, help="Column to predict.")
@click.option("--drop", multiple=True, metavar="NAME", help="A column to leave out; may be repeated.")
@click.option("--task", type=click.Choice(["auto", "classification", "regression"]), default="auto")
@click.option("--hidden", callback=_units, help="Units of the hidden layers, such as 64,64, or 'none'.")
@click.option("--activation", help="Activation of the hidden layers.")
@click.option("--learning-rate", type=float, help="The highest learning rate.")
@click.option("--epochs", type=click.IntRange(min=1), help="The most epochs; the best one is kept.")
@click.option("--batch-size", type=click.IntRange(min=1))
@click.option("--members", type=click.IntRange(min=1), help="Number of networks whose predictions are averaged.")
@click.option(
    "--text-components",
    type=click.IntRange(min=0),
    help="Components of a column with many texts; 0 if you want to export.",
)
@click.option(
    "--holdout",
    type=click.FloatRange(0, 1, max_open=True),
    default=0.2,
    help="Fraction of the rows kept for the score.",
)
@click.option("--plot", type=output_file, help="Draw a confusion matrix or residuals into this file.")
@click.option(
    "--seed", type=click.IntRange(0, 2**32 - 1), default=0, help="Seed of the split, the weights and the shuffling."
)
@click.option("--backend", default="auto", help="auto, numba, cython or numpy.")
@click.option("--threads", type=click.IntRange(min=1), help="Default: as many as help.")
@csv_options
@click.option("-o", "--output", type=output_file, default="model.fastnn", help="Where the model is saved.")
@click.pass_context
def train(context: click.Context, /, **options: Any) -> None:
    """Train networks on DATA, a .csv, .csv.gz, .tsv, .parquet or .npz file.

    A target of texts, categories, booleans or integers with few values is a class; other numbers are a quantity. A list
    first shows what each column was taken for. The method is that of TabularClassifier and TabularRegressor; options
    change it. Rows without a target are left out. The model's file holds everything that prediction needs. It is also
    saved if training diverged (exit status 1) or was interrupted (130). If mpiexec starts several processes, they train
    the networks together.
    """
    csv = _csv(options)
    context.exit(train_on_table(TrainOptions(**options, csv=csv)))


@commands.command()
@click.argument("model_file", metavar="MODEL", type=existing_file)
@click.argument("data", type=existing_table)
@click.option("-o", "--output", type=output_file, required=True, help="A .csv, .parquet or .npz file.")
@click.option("--probabilities", is_flag=True, help="Add the probability of each class as a column.")
@csv_options
def predict(model_file: Path, data: Path, output: Path, probabilities: bool, **options: Any) -> None:
    """Predict the rows of DATA with a MODEL that `train` saved."""
    predict_table(model_file, data, output, probabilities, _csv(options))


@commands.command()
@click.argument("model_file", metavar="MODEL", type=existing_file)
@click.argument("output", type=output_file)
def export(model_file: Path, output: Path) -> None:
    """Write a MODEL to OUTPUT, in the format that the file's ending names.

    A model that `train` saved can become .onnx or .c, including everything that is done to the columns. A network that
    Sequential.save wrote, or an .onnx or .keras file, can become .onnx, .c, .keras or .fastnn.
    """
    export_model(model_file, output)


@commands.command()
@click.option("--epochs", type=click.IntRange(min=1), default=15)
@click.option("--picture", type=output_file, default="demo.png", help="Where the loss curve goes.")
def demo(epochs: int, picture: Path) -> None:
    """Train on scikit-learn's digits; show accuracy and speed."""
    from .demo import run

    check_folder(picture)
    run(epochs, picture, click.echo)


@commands.command()
@click.option("--section", "sections", type=click.IntRange(1, 7), multiple=True, help="Only this one; may be repeated.")
@click.option("-o", "--output", type=folder, default="learn", help="Folder of the pictures.")
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
    from fastnn.distribution.ranks import describe_mpi
    from fastnn.engine import describe

    facts = describe() | {"MPI": describe_mpi()}
    width = max(map(len, facts))
    for name, fact in facts.items():
        click.echo(f"{name:{width}}  {fact}")


@commands.command()
@click.option("--clear", is_flag=True, help="Remove them.")
def cache(clear: bool) -> None:
    """Show the compiled kernels that Numba's backend keeps on the disk.

    They are compiled anew when they are next needed. FASTNN_CACHE_DIR names another folder.
    """
    from fastnn.engine import describe_cache

    for line in describe_cache(clear):
        click.echo(line)


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
