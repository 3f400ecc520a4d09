"""Epochs of a number of steps, of rows in memory."""

import warnings

import numpy as np
import pytest

import fastnn
from fastnn import callbacks
from fastnn.layers import Dense, Input

X = np.random.default_rng(0).normal(size=(70, 3))
Y = X.sum(axis=1)


def fitted(epochs=1, chain=(), dtype="float32", x=X, **options):
    """The weights and the history of a fit in batches of 8, of which a pass has nine."""
    model = fastnn.Sequential([Input((3,)), Dense(1)], seed=1)
    model.compile("sgd", "mse", dtype=dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        history = model.fit(x, Y, 8, epochs, verbose=0, callbacks=list(chain), **options)
    return model.get_weights()[0], history.history["loss"]


@pytest.mark.parametrize("x", [X, X.astype("float16"), np.asfortranarray(X)], ids=["C", "float16", "F"])
@pytest.mark.parametrize("steps", [1, 3, 9])
def test_a_pass_visits_the_rows_as_an_epoch_over_all_of_them(dtype, x, steps):
    got, _ = fitted(2 * 9 // steps, steps_per_epoch=steps, dtype=dtype, x=x)
    np.testing.assert_array_equal(got, fitted(2, dtype=dtype, x=x)[0])


def test_the_loss_of_an_epoch_is_the_mean_of_its_own_rows():
    _, losses = fitted(3, steps_per_epoch=4, shuffle=False)
    _, each = fitted(9, steps_per_epoch=1, shuffle=False)
    means = [np.mean(each[:4]), np.mean(each[4:8]), each[8]]  # the last batch has 6 rows, and an epoch of its own
    np.testing.assert_allclose(losses, means, rtol=1e-6)


@pytest.mark.parametrize(("steps", "epochs", "warns"), [(3, 5, False), (4, 2, False), (4, 3, True), (10, 1, True)])
def test_an_epoch_that_ends_early_is_warned_of(steps, epochs, warns):
    model = fastnn.Sequential([Input((3,)), Dense(1)])
    model.compile("sgd", "mse")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(X, Y, 8, epochs, steps_per_epoch=steps, verbose=0)
    assert ["steps_per_epoch got" in str(warning.message) for warning in caught] == [True] * warns


def test_a_run_goes_on_in_the_midst_of_a_pass(tmp_path):
    class Killed(callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                raise MemoryError

    chain = [callbacks.BackupAndRestore(tmp_path)]
    with pytest.raises(MemoryError):
        fitted(6, [*chain, Killed()], steps_per_epoch=4)
    got = fitted(6, chain, steps_per_epoch=4)
    expected = fitted(6, steps_per_epoch=4)
    np.testing.assert_array_equal(got[0], expected[0])
    assert got[1] == expected[1]


@pytest.mark.parametrize("argument", ["steps_per_epoch", "validation_steps"])
@pytest.mark.parametrize("steps", [0, -1, 1.5])
def test_other_numbers_of_steps_are_refused(argument, steps):
    with pytest.raises((TypeError, ValueError), match="steps"):
        fitted(validation_data=(X, Y), **{argument: steps})


def test_lbfgs_has_no_steps():
    model = fastnn.Sequential([Input((3,)), Dense(1)])
    model.compile(fastnn.optimizers.LBFGS(), "mse")
    with pytest.raises(ValueError, match="steps_per_epoch got 2, but LBFGS"):
        model.fit(X, Y, steps_per_epoch=2, verbose=0)


@pytest.mark.parametrize(
    "options",
    [
        {"run_eagerly": True},
        {"steps_per_execution": 10},
        {"jit_compile": False},
        {"loss_weights": [1.0], "auto_scale_loss": False},
    ],
    ids=lambda options: next(iter(options)),
)
def test_how_keras_compiles_makes_no_difference(options):
    found = []
    for given in ({}, options):
        model = fastnn.Sequential([Input((3,)), Dense(1)], seed=1)
        model.compile("sgd", "mse", **given)
        model.fit(X, Y, verbose=0)
        found.append(model.get_weights()[0])
    np.testing.assert_array_equal(*found)


@pytest.mark.parametrize("weights", [0.5, [0.3], [1.0, 1.0], {"dense": 2.0}])
def test_weights_of_losses_are_refused(weights):
    model = fastnn.Sequential([Input((3,)), Dense(1)])
    with pytest.raises(ValueError, match=r"loss_weights got .*wants None"):
        model.compile("sgd", "mse", loss_weights=weights)
