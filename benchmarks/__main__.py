"""The one way to run a benchmark, and the one place where arguments are parsed: python -m benchmarks [NAME] [options].

A benchmark is a function of its own name. Its parameters are its options, and their defaults its own; what an option
means is said here, once.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from importlib import import_module
from inspect import cleandoc, signature
from typing import Any

BENCHMARKS = {
    "train": ("train", "training steps beside the installed peers, into benchmarks/results-*.json and the documents"),
    "compare": ("train", "training steps of fastnn's backends; fails where one is 10% slower than the kept results"),
    "odd": ("train", "training steps of networks that nobody tuned for, every activation, float64, beside peers"),
    "features": ("train", "what dropout, normalisation, clipping ... add to a training step, beside JAX"),
    "versus": ("versus", "training steps beside those of another checkout of fastnn, by turns"),
    "calls": ("calls", "train_on_batch, predictions, a fit of one step: beside those of another checkout, by turns"),
    "parts": ("parts", "forward, backprop, update, step, training and predict, in pytest-benchmark's own tables"),
    "predict": ("predict", "predicting a batch, 10,000 rows and one row, beside PyTorch and ONNX Runtime"),
    "serving": ("serving", "an endpoint of FastAPI that predicts a row, asked by 1, 4 and 16 clients"),
    "c": ("c_code", "one row in exported C, beside emlearn, m2cgen and ONNX Runtime"),
    "peak": ("peak", "training steps beside the rate at which the processors multiply and add"),
    "threads": ("threads", "the chosen number of threads beside each forced one"),
    "scaling": (
        "threads",
        "speed-up with threads, and a prediction for more of them (--write: into docs/performance.md)",
    ),
    "load": ("load", "training beside busy processes, next to a fair share of the processors"),
    "ddp": ("ranks", "steps that processes of one thread share: fastnn's over MPI beside PyTorch's over gloo"),
    "plan": ("plan", "speed-up on 2 to 256 ranks, by a model of what sums and steps take here, and how far it is off"),
    "shuffling": ("data", "shuffled epochs beside those in order"),
    "streaming": ("data", "training from disk beside training in memory"),
    "estimators": ("estimators", "the perceptrons of fastnn.sklearn beside scikit-learn's: scores and fits"),
    "search": ("searches", "a grid search with one worker, and two of joblib's and of Dask's, beside scikit-learn's"),
    "ensembles": ("ensembles", "many networks at once, beside JAX's vmap and lax.map, and one fit after the other"),
    "tabular": ("estimators", "the tabular estimators beside scikit-learn's MLP and gradient boosting"),
    "tables": ("tables", "the same on small tables that installed packages ship"),
    "elementary": ("elementary", "exp, log, tanh ... and every activation, beside NumPy's"),
    "report": ("report", "measure nothing: write the tables and pictures of the documents from the kept results"),
}
"""Names, the modules that hold them, and what they measure."""


def words(text: str) -> tuple[str, ...]:
    return tuple(text.split(","))


OPTIONS: dict[str, dict[str, Any]] = {
    "cases": {"help": 'patterns of names, separated by commas: "784-*,* b1"'},
    "peers": {"type": words, "help": "names, separated by commas"},
    "works": {"type": words, "help": "kinds of work, separated by commas"},
    "backend": {"choices": ["auto", "numba", "cython"]},
    "backends": {"type": words, "help": "names, separated by commas"},
    "threads": {"type": int},
    "counts": {"type": words, "help": 'numbers of threads, separated by commas; "auto" is the one that fastnn chooses'},
    "company": {"type": words, "help": "numbers of busy processes, separated by commas"},
    "ranks": {"type": int, "help": "how many processes share a batch"},
    "rounds": {"type": int, "help": "how many turns each gets"},
    "seconds": {"type": float, "help": "of a turn"},
    "short": {"help": "few rounds, a moment each; nothing is kept"},
    "old": {"help": "the folder of the other checkout"},
    "python": {"help": "the other checkout's interpreter; the one of its .venv, if none is given"},
    "features": {"type": words, "help": "names, separated by commas"},
    "write": {"help": "into docs/performance.md"},
    "gb": {"type": float, "help": "of the raw file"},
    "memory_gb": {"type": float, "help": "of it that is trained on in memory"},
    "hidden": {"action": "append", "type": words, "help": "units of the hidden layers, 256,128; may be repeated"},
    "batch": {"type": int, "help": "rows of a batch"},
    "block_mb": {"type": int, "help": "of the blocks that are read"},
    "kinds": {"type": words, "help": "names, separated by commas"},
    "folder": {"help": "where the temporary folder is made"},
    "california": {"metavar": "FILE", "help": "the census of 1990 as CSV, which may be packed by gzip"},
    "adult": {"nargs": 2, "metavar": ("TRAIN", "TEST"), "help": "UCI's adult as CSV"},
    "beside": {"type": int, "help": "so many busy processes"},
    "splits": {"type": int},
    "units": {"type": int, "help": "of the hidden layer"},
    "alone": {"help": "without peers"},
    "seeds": {"type": int},
    "inputs": {"type": int, "help": "of the network"},
    "clients": {"type": words, "help": "numbers of clients that ask at once, separated by commas"},
    "ensemble": {"type": int, "nargs": "*", "help": "sizes of ensembles to measure too"},
}


def arguments(name: str, function: Callable[..., Any], given: list[str]) -> dict[str, Any]:
    """What a benchmark is called with."""
    parser = argparse.ArgumentParser(
        f"python -m benchmarks {name}",
        description=cleandoc(function.__doc__ or ""),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    for option, parameter in signature(function).parameters.items():
        flag, about = "--" + option.replace("_", "-"), OPTIONS[option]
        if parameter.default is parameter.empty:
            parser.add_argument(option, **about)
        elif parameter.default is False:
            parser.add_argument(flag, action="store_true", **about)
        else:
            parser.add_argument(flag, default=parameter.default, **about)
    return vars(parser.parse_args(given))


def overview() -> str:
    width = max(map(len, BENCHMARKS))
    lines = [f"  {name:{width}}  {about}" for name, (_, about) in BENCHMARKS.items()]
    usage = (
        "usage: python -m benchmarks [NAME] [options]; NAME is train where none is given; NAME --help lists its options"
    )
    return "\n".join([usage, "", *lines])


def main(given: list[str]) -> int:
    if given[:1] in (["--help"], ["-h"], ["help"]):
        print(overview())
        return 0
    name, rest = (given[0], given[1:]) if given and not given[0].startswith("-") else ("train", given)
    if name not in BENCHMARKS:
        print(f"there is no benchmark {name!r}", overview(), sep="\n", file=sys.stderr)
        return 2
    function = getattr(import_module(f"benchmarks.{BENCHMARKS[name][0]}"), name)
    return function(**arguments(name, function, rest)) or 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
