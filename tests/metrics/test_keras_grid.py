"""Losses and metrics over a grid of last activations, targets and weights: Keras's values, an error, or listed here.

`tools/keras_grid.py` says what a cell is, and writes Keras's values, which stand in keras_grid.json.
"""

import importlib.util
import json
import os
import subprocess
import sys
from collections import Counter

import keras_grid
import numpy as np
import pytest

import fastnn
from fastnn.layers import Dense, Input
from fastnn.metrics import resolve

GRID = json.loads(keras_grid.PLACE.read_text())
LOSSES, METRICS = keras_grid.losses(fastnn), keras_grid.metrics(fastnn)
PLACES = [  # of which all for NumPy, and two for what is compiled
    (outputs, activation, kinds)
    for outputs, activations in keras_grid.ACTIVATIONS.items()
    for activation in activations
    for kinds in [keras_grid.TARGETS[outputs]]
]

# Of flat targets and one output these of Keras's broadcast (n,) and (n, 1) to (n, n); here y is a column.
BROADCAST = {"kl_divergence", "poisson", "hinge", "squared_hinge", "categorical_hinge"}


def listed(what, name, activation, kind):
    """Why fastnn's value may be another than Keras's, as docs/from-keras.md says."""
    if what == "losses":  # Keras clips in one of its two factors alone
        return name == "binary_focal_crossentropy" and activation in ("linear", "tanh")
    return "classes" in kind or (name in BROADCAST and "(n,)" in kind)  # class numbers: metrics see one-hot rows


def outcome(what, name, activation, kind, weighted, value):
    """Compare a cell with Keras: "equal", "refused", "works" where Keras raises an error, "listed" or "different"."""
    if value is None:
        return "refused"
    expected = GRID[what][name][f"{activation}, {kind}"][weighted]
    if expected == "error":
        return "works"
    if np.isclose(value, float(expected), rtol=1e-5, atol=1e-5, equal_nan=True):
        return "equal"
    return "listed" if listed(what, name, activation, kind) else "different"


def network(outputs, activation):
    model = fastnn.Sequential([Input((4,)), Dense(outputs, activation)])
    model.set_weights(keras_grid.KERNELS[outputs])
    return model


def scores(model, y, weighted):
    """What evaluate returns; None where it raises an error."""
    try:
        weight = keras_grid.WEIGHT if weighted else None
        return model.evaluate(keras_grid.X, y, keras_grid.BATCH, 0, sample_weight=weight, return_dict=True)
    except (TypeError, ValueError):
        return None


def loss_cells(backend):
    for outputs, activation, kinds in PLACES if backend == "numpy" else PLACES[::3]:
        for name, loss in LOSSES.items():
            model = network(outputs, activation)
            try:
                model.compile(loss=loss, backend=backend)
            except ValueError:
                model = None
            for kind, y in kinds.items():
                for weighted in (False, True):
                    found = None if model is None else scores(model, y, weighted)
                    yield name, activation, kind, weighted, found and found["loss"]


def metric_cells(backend):
    for outputs, activation, kinds in PLACES if backend == "numpy" else PLACES[::3]:
        for kind, y in kinds.items():
            loss = "mse"
            if "classes" in kind:
                if activation == "sigmoid":
                    continue  # no loss takes class numbers there
                loss = fastnn.losses.SparseCategoricalCrossentropy(from_logits=activation == "linear")
            for weighted in (False, True):
                asked = {}
                for name, make in METRICS.items():
                    try:
                        given = ([], [make()]) if weighted else ([make()], [])
                        resolve(*given, fastnn.losses.get(loss), outputs)
                        asked[name] = make()
                    except ValueError:
                        yield name, activation, kind, weighted, None
                model = network(outputs, activation)
                key = "weighted_metrics" if weighted else "metrics"
                model.compile(loss=loss, backend=backend, **{key: list(asked.values())})
                found = list(scores(model, y, weighted).values())[1:]
                for name, value in zip(asked, found, strict=True):
                    yield name, activation, kind, weighted, value


@pytest.mark.parametrize(
    ("what", "cells", "counts"),
    [
        ("losses", loss_cells, {"equal": 1044, "refused": 946, "listed": 26}),
        ("metrics", metric_cells, {"equal": 3090, "refused": 382, "listed": 170, "works": 314}),
    ],
)
def test_each_cell_is_keras_s_or_refused_or_listed(backend, what, cells, counts):
    outcomes = {cell[:4]: outcome(what, *cell) for cell in cells(backend)}
    assert [cell for cell, found in outcomes.items() if found == "different"] == []
    if backend == "numpy":
        assert Counter(outcomes.values()) == counts


def test_the_table_is_keras_s():
    """Keras itself, where it is installed, on its NumPy backend, which needs no compilation."""
    if importlib.util.find_spec("keras") is None:
        pytest.skip("Keras is not installed")
    code = "import json, sys, warnings; sys.path.insert(0, sys.argv[1]); import keras, keras_grid"
    code += "; warnings.simplefilter('ignore')"
    code += "; print(json.dumps([keras.__version__, keras_grid.keras_values(keras, every=9)]))"
    environment = {**os.environ, "KERAS_BACKEND": "numpy"}
    command = [sys.executable, "-c", code, os.path.dirname(keras_grid.__file__)]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    version, values = json.loads(result.stdout.splitlines()[-1])
    if version != GRID["keras"]:
        pytest.skip(f"the table is of Keras {GRID['keras']}")
    for what, named in values.items():
        for name, row in named.items():
            for place, pair in row.items():
                for found, kept in zip(pair, GRID[what][name][place], strict=True):
                    assert found == kept if "error" in (found, kept) else float(found) == pytest.approx(float(kept)), (
                        name
                    )
