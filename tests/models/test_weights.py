"""Weights of rows and classes: which rows they touch, what they may be, and what they do to a step."""

import numpy as np
import pandas as pd
import pytest

import fastnn
from fastnn.layers import Dense, Input

X = np.linspace(-1, 1, 40)[:, None]
Y = (np.arange(40) % 5 == 0).astype(int)
WEIGHT = 0.5 + np.arange(40) % 3
TRAINED = 30  # of the rows; the others are held out


class ByRows:
    """An array that is read by ranges of its rows, as HDF5's are."""

    def __init__(self, array):
        self.array, self.shape, self.dtype = array, array.shape, array.dtype

    def __len__(self):
        return len(self.array)

    def __getitem__(self, rows):
        return self.array[rows]


def model(**options):
    made = fastnn.Sequential([Input((1,)), Dense(1, activation="sigmoid")])
    made.compile(**{"optimizer": fastnn.optimizers.SGD(0.3), "loss": "binary_crossentropy", **options})
    made.set_weights([[[0.7]], [0.2]])
    return made


def losses(y, weights):
    p = 1 / (1 + np.exp(-(0.7 * X[:, 0] + 0.2)))
    return -np.where(y, np.log(p), np.log(1 - p)) * weights


def memory(x, y, weight=None):
    return {"x": x, "y": y, "sample_weight": weight}


def blocks(x, y, weight=None):
    return {"x": fastnn.data.stream(ByRows(x), y, weight, block_bytes=64)}


def on_disk(x, y, weight=None):
    """Nobody reads y before training does."""
    return {"x": fastnn.data.stream(ByRows(x), ByRows(y), weight, block_bytes=64)}


def batches(x, y, weight=None):
    parts = (x, y) if weight is None else (x, y, weight)
    return {"x": lambda: iter([tuple(part[at : at + 8] for part in parts) for at in range(0, len(x), 8)])}


@pytest.mark.parametrize("held", ["validation_split", "validation_data"])
@pytest.mark.parametrize("weights", ["dict", "balanced", "rows", "dict and rows", "balanced and rows"])
@pytest.mark.parametrize("source", [memory, blocks, on_disk, batches], ids=lambda source: source.__name__)
def test_weights_of_classes_touch_the_rows_that_are_trained_on_alone(source, weights, held):
    """The loss of held-out rows is weighed by their sample_weight; classes are counted among the others."""
    if source is batches and held == "validation_split":
        pytest.skip("a stream has no last rows")
    if source in (on_disk, batches) and "balanced" in weights:
        pytest.skip("its classes are not counted")
    rows = WEIGHT if "rows" in weights else None
    by_class = {0: 1.0, 1: 9.0} if "dict" in weights else "balanced" if "balanced" in weights else None
    options = {"batch_size": 8, "shuffle": False, "verbose": 0, "class_weight": by_class}
    trained, rest = slice(0, TRAINED), slice(TRAINED, None)
    if held == "validation_split":
        given = source(X, Y, rows) | {"validation_split": 0.25}
    else:
        parts = (X[rest], Y[rest]) if rows is None else (X[rest], Y[rest], rows[rest])
        given = source(X[trained], Y[trained], None if rows is None else rows[trained]) | {"validation_data": parts}
    first = model(optimizer=fastnn.optimizers.SGD(0.0)).fit(**given, **options).history  # the weights stay
    balanced = TRAINED / (2 * np.bincount(Y[trained]))
    of_class = np.array([1.0, 9.0]) if "dict" in weights else balanced if "balanced" in weights else np.ones(2)
    plain = np.ones(40) if rows is None else rows
    each = of_class[Y] * plain
    assert first["loss"][0] == pytest.approx(losses(Y, each)[trained].mean(), rel=1e-5)
    assert first["val_loss"][0] == pytest.approx(losses(Y, plain)[rest].mean(), rel=1e-5)
    explicit, got = model(), model()
    explicit.fit(X[trained], Y[trained], sample_weight=each[trained], **{**options, "class_weight": None})
    got.fit(**given, **options)
    np.testing.assert_array_equal(got.get_weights()[0], explicit.get_weights()[0])


KEYS = {
    "numpy": {np.float32(0): 2.0, np.int8(1): 0.5},
    "booleans": {False: np.float32(2), True: 0.5},
    "floats": {0.0: 2, 1.0: 0.5},
    "an array": np.array([2.0, 0.5]),
    "a Series": pd.Series([0.5, 2.0], index=[1, 0]),
    "more than there are": {0: 2.0, 1: 0.5, -3: 9.0},
}


@pytest.mark.parametrize("given", KEYS.values(), ids=KEYS)
@pytest.mark.parametrize(
    "y", [Y, Y.astype(bool), Y[:, None].astype("float32"), Y * 0.8 + 0.1], ids=["i", "b", "f", "~"]
)
def test_a_class_is_known_by_its_number_whatever_kind_that_is(given, y):
    expected, got = model(), model()
    expected.fit(X, y, sample_weight=np.where(Y, 0.5, 2.0), shuffle=False, verbose=0)
    got.fit(X, y, class_weight=given, shuffle=False, verbose=0)
    np.testing.assert_array_equal(got.get_weights()[0], expected.get_weights()[0])


def test_classes_of_hinges_may_be_minus_one_and_one():
    made = fastnn.Sequential([Input((1,)), Dense(1, activation="tanh")])
    made.compile(fastnn.optimizers.SGD(0.0), "hinge")
    signs = np.where(Y, 1, -1)
    plain = made.evaluate(X, signs, sample_weight=np.where(Y, 3.0, 1.0), verbose=0)
    assert made.evaluate(X, signs, class_weight={-1: 1.0, 1: 3.0}, verbose=0) == plain


@pytest.mark.parametrize(
    ("given", "kind", "parts"),
    [
        ({"0": 1.0}, TypeError, ["class_weight", "'0'", "number"]),
        ({0.5: 1.0}, ValueError, ["class_weight", "0.5"]),
        ({np.nan: 1.0}, ValueError, ["class_weight", "nan"]),
        ({0: "1"}, TypeError, ["class_weight[0]", "'1'"]),
        ([1.0, 2.0], TypeError, ["class_weight", "list", "array"]),
        (np.ones((2, 2)), TypeError, ["class_weight", "ndarray"]),
        (np.array([1.0]), ValueError, ["class_weight", "1 weights", "class 1"]),
        ("even", TypeError, ["class_weight", "'even'", "balanced"]),
    ],
    ids=lambda value: None,
)
def test_other_weights_of_classes_are_refused(given, kind, parts):
    made = model()
    with pytest.raises(kind) as caught:
        made.fit(X, Y, class_weight=given, verbose=0)
    assert all(part in str(caught.value) for part in parts)
    np.testing.assert_array_equal(made.get_weights()[0], [[np.float32(0.7)]])


def test_negative_weights_turn_the_gradient_round(backend, dtype):
    up, down = model(backend=backend, dtype=dtype), model(backend=backend, dtype=dtype)
    up.fit(X, Y, sample_weight=-WEIGHT, shuffle=False, batch_size=40, verbose=0)
    down.fit(X, Y, sample_weight=WEIGHT, shuffle=False, batch_size=40, verbose=0)
    start = model(dtype=dtype).get_weights()
    for a, b, s in zip(up.get_weights(), down.get_weights(), start, strict=True):
        np.testing.assert_allclose(a - s, s - b, rtol=1e-5)
    assert model().evaluate(X, Y, sample_weight=-WEIGHT, verbose=0) == -model().evaluate(
        X, Y, sample_weight=WEIGHT, verbose=0
    )


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("class_weight", [{0: 1.0, 1: 9.0}, "balanced"])
def test_an_estimator_weighs_the_classes_of_the_rows_it_trains_on(class_weight):
    """The scores of held-out rows are those of another estimator, whose weights are given row by row."""
    sklearn = pytest.importorskip("fastnn.sklearn")
    options = {
        "early_stopping": True,
        "max_iter": 3,
        "random_state": 0,
        "learning_rate_init": 1e-12,
        "stop_on": "validation_loss",
    }
    weighed, plain = (sklearn.MLPClassifier((4,), class_weight=c, **options) for c in (class_weight, None))
    weighed.fit(X, Y)
    plain.fit(X, Y)
    assert weighed.validation_loss_curve_ == pytest.approx(plain.validation_loss_curve_, rel=1e-9)
    assert weighed.loss_curve_ != plain.loss_curve_
