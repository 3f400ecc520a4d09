"""Fixed numbers of columns, rectifiers and constraints, against NumPy."""

import numpy as np
import pytest
from kernel_memory import Matrix, empty, job, layer, within

from fastnn.kernels import records

COLUMNS = (1, 16, 21, 40)
BOUNDS = {"non_negative": (1, 0.0, 0.0, 1.0), "max": (2, 0.0, 1.0, 1.0), "unit": (2, 1.0, 1.0, 1.0)}
BOUNDS["part of the way"] = (2, 0.5, 0.8, 0.3)


def constrained(w, constraint, least, most, pull):
    """The weights that become of w, of which each column is one vector."""
    if constraint == records.NON_NEGATIVE:
        return np.maximum(w, 0)
    norm = np.sqrt((w**2).sum(axis=0))
    return w * (pull * np.clip(norm, least, most) + (1 - pull) * norm) / (norm + 1e-7)


def values(rows, columns, seed=0):
    return np.random.default_rng(seed).normal(0, 1, size=(rows, columns))


@pytest.mark.parametrize("columns", COLUMNS)
def test_columns_are_shifted_and_scaled_and_so_is_what_comes_back(kernels, columns):
    x, d, numbers = (
        Matrix(kernels, values(5, columns), 64),
        Matrix(kernels, values(5, columns, 1), 48),
        values(3, columns),
    )
    state, y, back = Matrix(kernels, numbers, 48), empty(kernels, 5, columns, 48), empty(kernels, 5, columns, 64)
    _, place = job(network__state=state.address)
    _, record = layer(outputs=columns, stride=48)
    kernels["map_columns"](record, place, 5, *x.pair, *y.pair)
    kernels["map_columns_backward"](record, place, 5, *d.pair, *back.pair)
    center, factor, offset = state.values.astype(float)
    np.testing.assert_allclose(y.values, (x.values - center) * factor + offset, atol=within(kernels))
    np.testing.assert_allclose(back.values, d.values * factor, atol=within(kernels))
    assert all(matrix.intact() for matrix in (x, d, state, y, back))


@pytest.mark.parametrize("columns", COLUMNS)
@pytest.mark.parametrize("learned", [True, False])
def test_rectifiers(kernels, columns, learned):
    threshold, limit = (0.0, np.inf) if learned else (0.3, 0.9)
    x, d = Matrix(kernels, values(6, columns), 64), Matrix(kernels, values(6, columns, 1), 48)
    alpha = Matrix(kernels, values(1, columns, 2), 48)
    y, back = empty(kernels, 6, columns, 48), empty(kernels, 6, columns, 64)
    _, place = job(network__parameters=alpha.address)
    fields = {"outputs": columns, "stride": 48, "threshold": threshold, "limit": limit, "scale": 0.2}
    _, record = layer(height=int(learned), **fields)
    kernels["rectify_columns"](record, place, 6, *x.pair, *y.pair)
    kernels["rectify_columns_backward"](record, place, 6, x.address, *d.pair, *back.pair)
    slope = alpha.values.astype(float) if learned else 0.2
    expected = np.where(x.values > threshold, np.minimum(x.values, limit), slope * (x.values - threshold))
    slopes = np.where(x.values > threshold, np.where(x.values < limit, 1, 0), slope)
    np.testing.assert_allclose(y.values, expected, atol=within(kernels))
    np.testing.assert_allclose(back.values, d.values * slopes, atol=within(kernels))
    assert all(matrix.intact() for matrix in (x, d, alpha, y, back))


@pytest.mark.parametrize("columns", COLUMNS)
@pytest.mark.parametrize("bounds", BOUNDS)
def test_constraints_on_columns(kernels, columns, bounds):
    w = Matrix(kernels, values(9, columns), 48)
    before = w.values.astype(float)
    _, record = layer(bias=8, stride=48)  # the last row is the bias
    vectors = -(-columns // kernels.lanes)
    kernels["constrain_columns"](record, 0, vectors, *BOUNDS[bounds], w.address)
    np.testing.assert_allclose(w.values[:8], constrained(before[:8], *BOUNDS[bounds]), atol=within(kernels))
    np.testing.assert_array_equal(w.values[8], before[8])
    assert w.intact()


@pytest.mark.parametrize("columns", COLUMNS)
@pytest.mark.parametrize("bounds", BOUNDS)
def test_constraints_on_a_vector_whose_values_follow_or_are_apart(kernels, columns, bounds):
    w = Matrix(kernels, values(1, columns + 1), 48)
    before = w.values[0].astype(float)
    kernels["constrain_run"](columns, *BOUNDS[bounds], w.address)
    expected = constrained(before[:columns], *BOUNDS[bounds])
    np.testing.assert_allclose(w.values[0, :columns], expected, atol=within(kernels))
    assert w.values[0, columns] == before[columns]
    apart = Matrix(kernels, values(columns, 3), 48)
    before = apart.values.astype(float)
    kernels["constrain_apart"](columns, 48, *BOUNDS[bounds], apart.at(0, 1))
    np.testing.assert_allclose(apart.values[:, 1], constrained(before[:, 1], *BOUNDS[bounds]), atol=within(kernels))
    np.testing.assert_array_equal(apart.values[:, [0, 2]], before[:, [0, 2]])
    assert w.intact()
    assert apart.intact()


def test_no_weight_stays_nothing(kernels):
    w = Matrix(kernels, np.zeros((4, 5)), 48)
    _, record = layer(bias=4, stride=48)
    kernels["constrain_columns"](record, 0, 1, *BOUNDS["unit"], w.address)
    assert (w.values == 0).all()
