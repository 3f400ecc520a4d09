"""Tabular estimators whose networks ranks have between them, for tests to compare: run by mpiexec, by any number.

    mpiexec -n 2 python tests/tools/rank_members.py FOLDER [SCENE ...]

FOLDER/RANK.json becomes what each scene ended with on a rank.
"""

import hashlib
import json
import os
import pickle
import signal
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.base import clone

from fastnn.distribution import DataParallel
from fastnn.errors import DivergenceWarning
from fastnn.models import Sequential
from fastnn.sklearn import TabularClassifier, TabularRegressor

PLAN = DataParallel()
LAST = PLAN.rank == PLAN.size - 1
SMALL = {"hidden_layer_sizes": (16, 16), "epochs": 12, "random_state": 0, "batch_size": 32, "distribution": PLAN}


def table(rows=240):
    """Numbers of which some are missing, words, and what follows from them."""
    rng = np.random.default_rng(3)
    size, colour = rng.normal(size=rows), rng.choice(["red", "green", "blue"], rows)
    words = [f"w{number % 7} v{number % 30}" for number in rng.integers(0, 1000, rows)]
    price = np.sin(2 * size) + (colour == "red") + rng.normal(0, 0.1, rows)
    size[::17] = np.nan
    return pd.DataFrame({"size": size, "colour": colour, "words": words}), price


X, PRICE = table()
LABELS = np.where(PRICE > 0.4, "dear", "cheap")


def classes():
    return TabularClassifier(**SMALL, max_categories=5, text_components=4).fit(X, LABELS)


def alone():
    """Without a plan: each rank by itself."""
    model = TabularClassifier(**SMALL | {"distribution": None}, max_categories=5, text_components=4).fit(X, LABELS)
    return model.set_params(distribution=PLAN)


def numbers():
    weight = np.linspace(0, 3, len(X))
    return clone(TabularRegressor(**SMALL, n_ensemble=3, tol=None)).fit(X, PRICE, sample_weight=weight)


def one_network():
    return TabularRegressor(**SMALL, n_ensemble=1).fit(X[:160], PRICE[:160], X_val=X[160:], y_val=PRICE[160:])


def few_rows():
    return TabularClassifier(**SMALL, n_ensemble=2).fit(X[:60], LABELS[:60])


def firsts_numbers():
    """Random numbers that differ: the first rank's count."""
    settings = SMALL | {"random_state": np.random.RandomState(PLAN.rank)}
    return TabularRegressor(**settings, n_ensemble=2).fit(X, PRICE)


def interrupted():
    """Ctrl-C on the last rank, while it trains its first network."""
    fit, came = Sequential.fit, []

    def disturbed(*arguments, **options):
        if LAST and not came:
            came.append(os.kill(os.getpid(), signal.SIGINT))
        return fit(*arguments, **options)

    Sequential.fit = disturbed
    try:
        return TabularRegressor(**SMALL, n_ensemble=3, threads=1).fit(X, PRICE)
    finally:
        Sequential.fit = fit


def warned():
    """The last rank's networks would warn: the first one does."""
    fit = Sequential.fit

    def warning(*arguments, **options):
        if LAST:
            warnings.warn(f"as rank {PLAN.rank} trains", DivergenceWarning, stacklevel=2)
        return fit(*arguments, **options)

    Sequential.fit = warning
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            model = TabularRegressor(**SMALL, n_ensemble=3).fit(X, PRICE)
    finally:
        Sequential.fit = fit
    model.warned = [f"{warning.category.__name__}: {warning.message}" for warning in caught]
    return model


def refused():
    """What is refused, on all ranks: the messages."""
    shifted, short = X.assign(size=X["size"] + LAST), PRICE[: len(PRICE) - LAST]
    model, messages = TabularRegressor(**SMALL), []
    for arguments, changes in [
        ((X, PRICE), {"distribution": "all"}),
        ((X, PRICE), {"distribution": DataParallel(shard=True)}),
        ((X, PRICE), {"distribution": DataParallel(sync_every=2)}),
        ((shifted, PRICE), {}),
        ((X, short), {}),
        ((X, PRICE), {"dropout": 0.1 * LAST}),
    ]:
        try:
            clone(model).set_params(**changes).fit(*arguments)
        except Exception as error:
            messages.append(f"{type(error).__name__}: {error}")
    return messages


def fails(error):
    """The last rank's networks raise something: a message, where there is one."""
    fit = Sequential.fit

    def failing(*arguments, **options):
        if LAST:
            raise error
        return fit(*arguments, **options)

    Sequential.fit = failing
    try:
        TabularRegressor(**SMALL, n_ensemble=3).fit(X, PRICE)
    except Exception as error:
        return [f"{type(error).__name__}: {error}"]
    finally:
        Sequential.fit = fit
    return []


def fails_in_training():
    return fails(OSError("the disk is on fire"))


def exits():
    return fails(SystemExit(3))


def digest(*arrays):
    found = hashlib.sha256()
    for array in arrays:
        found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()


def facts(model):
    """What a model is, after it has been to a pickle."""
    if isinstance(model, list):
        return model
    model = pickle.loads(pickle.dumps(model))
    assert model.distribution.size == PLAN.size
    return {
        "weights": [digest(*network.get_weights()) for network in model.models_],
        "predictions": digest(model._mean_prediction(X)),
        "best": model.best_epochs_,
        "curves": [[value.hex() for value in curve] for curve in [*model.loss_curves_, *model.validation_curves_]],
        "interrupted": model.interrupted_,
        "warned": getattr(model, "warned", None),
    }


if __name__ == "__main__":
    folder, names = Path(sys.argv[1]), sys.argv[2:]
    if not names:
        names = ["classes", "numbers", "one_network", "few_rows", *["alone"] * (PLAN.size == 1)]
    (folder / f"{PLAN.rank}.json").write_text(json.dumps({name: facts(globals()[name]()) for name in names}))
