"""Softmax and crossentropy, row by row and transposed."""

import naive
import numpy as np
import pytest
from kernel_memory import Matrix, doubles, empty, job, layer, within

from fastnn.kernels.tuning import FEW_VALUES

COLUMNS = (1, 2, 15, 16, 17, 45, FEW_VALUES, 100)


def softmaxes(kernels, logits, rows_of_job=None):
    """The softmax of rows, a Matrix; transposed where there are few columns and several rows in the job."""
    rows, columns = logits.shape
    source, scratch = Matrix(kernels, logits, 112), empty(kernels, 2 * FEW_VALUES, kernels.lanes)
    target = empty(kernels, rows, columns, 112)
    _, place = job(data__rows=rows_of_job or rows)
    kernels["softmax"](place, rows, columns, 112, source.address, target.address, scratch.address)
    assert target.intact()
    assert scratch.intact()
    return target


@pytest.mark.parametrize("scale", [1e-3, 1.0, 50.0])
def test_softmax_of_rows(kernels_of_each, scale):
    kernels = kernels_of_each
    for columns in COLUMNS:
        for rows in (1, kernels.lanes - 1, kernels.lanes, 2 * kernels.lanes + 1):
            logits = (np.random.default_rng(0).normal(size=(rows, columns)) * scale).astype(kernels.dtype)
            target = softmaxes(kernels, logits)
            expected = naive.softmax(logits.astype(float))
            np.testing.assert_allclose(target.values, expected, rtol=0, atol=within(kernels) * max(1.0, scale))
            width = -(-columns // kernels.lanes) * kernels.lanes
            assert not target.rows[:, columns:width].any()  # what pads a row stays out of later sums
            assert np.isnan(target.rows[:, width:]).all()


def test_large_logits_neither_overflow_nor_lose_the_others(kernels_of_each):
    kernels = kernels_of_each
    largest = float(np.finfo(kernels.dtype).max) / 4
    logits = np.array([[1e4, 1e4, 1e4 - 1, -1e4], [largest, 0, -largest, 1], [-largest, -largest, -largest, -largest]])
    first = naive.softmax(np.array([[0.0, 0.0, -1.0, -2e4]]))[0]
    expected = np.array([first, [1, 0, 0, 0], [0.25] * 4])
    for rows_of_job in (1, 3):
        target = softmaxes(kernels, logits, rows_of_job)
        np.testing.assert_allclose(target.values, expected, rtol=0, atol=within(kernels))


def test_softmax_of_one_column_is_one_whatever_it_holds(kernels_of_each):
    for value in (0.0, -1e30, 1e30, 3.5):
        assert softmaxes(kernels_of_each, np.array([[value], [value]])).values.tolist() == [[1.0], [1.0]]


def test_a_logit_of_minus_infinity_has_no_part_and_nan_spreads_over_its_row_alone(kernels_of_each):
    logits = np.array([[0.0, -np.inf, 0.0], [0.0, np.nan, 0.0], [1.0, 1.0, 1.0]])
    for rows_of_job in (1, 3):
        found = softmaxes(kernels_of_each, logits, rows_of_job).values
        np.testing.assert_allclose(found[0], [0.5, 0, 0.5], atol=within(kernels_of_each))
        assert np.isnan(found[1]).all()
        np.testing.assert_allclose(found[2], [1 / 3] * 3, atol=within(kernels_of_each))


def test_one_row_returns_the_logarithm_of_the_sum(kernels_of_each):
    kernels = kernels_of_each
    for columns in COLUMNS:
        logits = np.random.default_rng(1).normal(size=(1, columns)).astype(kernels.dtype) + 300
        source, target = Matrix(kernels, logits), empty(kernels, 1, columns)
        level = kernels["softmax_row"](columns, source.address, target.address)
        expected = naive.log_sum_exp(logits.astype(float))[0, 0]
        np.testing.assert_allclose(level, np.full(kernels.lanes, expected), rtol=within(kernels))


def test_the_way_back_is_the_jacobian(kernels_of_each):
    kernels, rng = kernels_of_each, np.random.default_rng(2)
    for columns in COLUMNS:
        y = naive.softmax(rng.normal(size=(3, columns))).astype(kernels.dtype)
        d = rng.normal(size=(3, columns)).astype(kernels.dtype)
        output, delta = Matrix(kernels, y, 112, fill=5.0), Matrix(kernels, d, 112, fill=7.0)
        kernels["softmax_backward"](3, columns, 112, output.address, delta.address)
        expected = [(np.diag(p) - np.outer(p, p)) @ g for p, g in zip(y.astype(float), d.astype(float), strict=True)]
        np.testing.assert_allclose(delta.values, expected, rtol=0, atol=within(kernels))
        assert not delta.rows[:, columns : -(-columns // kernels.lanes) * kernels.lanes].any()


# --- Crossentropy ---


def crossentropies(kernels, logits, targets, weights, smoothing=0.0, by_row=False, probabilities=True):
    """Scores, gradient by the logits and softmax of rows; ``by_row``: each by crossentropy_row."""
    rows, columns = logits.shape
    given = Matrix(kernels, np.column_stack([targets, weights]), 128)
    source, delta = Matrix(kernels, logits, 112, fill=9.0), empty(kernels, rows, columns, 112)
    found, scratch = empty(kernels, rows, columns, 112), empty(kernels, 4 * FEW_VALUES, kernels.lanes)
    _, place = job(loss__target_scale=1 - smoothing, loss__target_shift=smoothing / columns)
    scores, at = doubles(3 * rows)
    if by_row:
        for row in range(rows):
            scores[3 * row] = weights[row] * kernels["crossentropy_row"](
                place, columns, 0.25 * weights[row], *(m.at(row) for m in (given, source, found, delta))
            )
    else:
        _, record = layer(outputs=columns, output_stride=112)
        wanted = found.address if probabilities else 0
        kernels["crossentropy_rows"](
            place, record, rows, 0.25, *given.pair, source.address, wanted, delta.address, at, 3, scratch.address
        )
    assert all(matrix.intact() for matrix in (delta, found, scratch))
    assert not delta.rows[:, columns : -(-columns // kernels.lanes) * kernels.lanes].any()
    return scores[::3], delta.values, found.values


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("by_row", [True, False])
def test_crossentropy_of_logits(kernels, by_row, smoothing):
    rng = np.random.default_rng(3)
    for columns in COLUMNS if by_row else COLUMNS[:-2]:
        for rows in (1, 5, 2 * kernels.lanes + 3):
            logits = rng.normal(size=(rows, columns)).astype(kernels.dtype) * 3
            targets, weights = np.eye(columns)[rng.integers(columns, size=rows)], rng.uniform(0.5, 2, rows)
            scores, delta, found = crossentropies(kernels, logits, targets, weights, smoothing, by_row)
            smooth = targets * (1 - smoothing) + smoothing / columns
            value, slope = naive.LOSSES_OF_LOGITS["categorical_crossentropy", "softmax"]
            z = logits.astype(float)
            np.testing.assert_allclose(scores, weights * value(smooth, z), rtol=0, atol=within(kernels, 100))
            expected = 0.25 * weights[:, None] * slope(smooth, z)
            np.testing.assert_allclose(delta, expected, rtol=0, atol=within(kernels, 20))
            np.testing.assert_allclose(found, naive.softmax(z), rtol=0, atol=within(kernels, 20))


@pytest.mark.parametrize("by_row", [True, False])
def test_an_infinite_logit_costs_nothing_where_the_target_is_0(kernels, by_row):
    logits = np.array([[0.0, -np.inf, 0.0], [-np.inf, 0.0, 0.0]])
    targets = np.array([[1.0, 0, 0], [1.0, 0, 0]])
    scores, delta, _ = crossentropies(kernels, logits, targets, np.ones(2), by_row=by_row)
    assert scores[0] == pytest.approx(np.log(2), rel=1e-6)
    assert scores[1] == np.inf  # the right class is impossible
    np.testing.assert_allclose(delta, 0.25 * np.array([[-0.5, 0, 0.5], [-1, 0.5, 0.5]]), atol=1e-6)


@pytest.mark.parametrize("by_row", [True, False])
def test_crossentropy_of_large_logits(kernels, by_row):
    large = 1e30
    logits, targets = np.array([[large, -large, 0.0], [large, -large, 0.0]]), np.array([[1.0, 0, 0], [0, 1.0, 0]])
    scores, delta, _ = crossentropies(kernels, logits, targets, np.ones(2), by_row=by_row)
    np.testing.assert_allclose(scores, [0, 2 * large], rtol=1e-6)
    np.testing.assert_array_equal(delta, 0.25 * np.array([[0, 0, 0], [1, -1, 0]]))


def test_crossentropy_of_one_column_is_0(kernels):
    for by_row in (True, False):
        scores, delta, found = crossentropies(kernels, np.array([[3.0]]), np.ones((1, 1)), np.ones(1), by_row=by_row)
        assert scores[0] == pytest.approx(0, abs=1e-6)
        assert delta[0, 0] == 0
        assert found[0, 0] == 1


def test_probabilities_that_nobody_asks_for_are_not_written(kernels):
    logits, targets = np.zeros((3, 5)), np.full((3, 5), 0.2)
    scores, delta, found = crossentropies(kernels, logits, targets, np.ones(3), probabilities=False)
    assert np.isnan(found).all()
    with_them = crossentropies(kernels, logits, targets, np.ones(3))
    np.testing.assert_array_equal(scores, with_them[0])
    np.testing.assert_array_equal(delta, with_them[1])
