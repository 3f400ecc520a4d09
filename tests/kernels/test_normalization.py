"""Batch normalisation, layer normalisation and scaling, against NumPy."""

import naive
import numpy as np
import pytest
from kernel_memory import Matrix, empty, job, layer, within

from fastnn.kernels import records
from fastnn.kernels.tuning import KEPT_VALUES, ROW_BLOCK

EPSILON = 1e-3
COLUMNS = (1, 16, 21, 40)
ROWS = (1, 7, 8, 9, 30)


class Normalised:
    """A layer of normalisation with gamma and beta, of which the inputs of a batch and a gradient are at hand."""

    def __init__(self, kernels, rows, columns, kind, gamma=True, beta=True):
        rng = np.random.default_rng(0)
        self.kernels, self.rows, self.columns = kernels, rows, columns
        self.x = Matrix(kernels, rng.normal(3, 2, size=(rows, columns)), 48)
        self.d = Matrix(kernels, rng.normal(size=(rows, columns)), 64)
        self.y, self.back = empty(kernels, rows, columns, 64), empty(kernels, rows, columns, 48)
        self.parameters = Matrix(kernels, rng.normal(1, 0.3, size=(gamma + beta or 1, columns)), 48)
        self.state = Matrix(kernels, np.abs(rng.normal(size=(2, columns))), 48)
        self.partials = empty(kernels, records.PARTIAL_VECTORS * (rows // ROW_BLOCK + 1), 48, 48)
        start = kernels.constants["STATISTICS"] // kernels.size
        self.scratch = empty(kernels, 1, start + records.STATISTICS_VECTORS * 48)
        self.statistics = self.scratch.rows[0, start:].reshape(-1, 48)[: records.STATISTICS_VECTORS, :columns]
        self.kept = empty(kernels, rows, KEPT_VALUES, KEPT_VALUES)
        self.job, self.place = job(
            network__parameters=self.parameters.address,
            network__state=self.state.address,
            network__layer_count=1,
            memory__partials=self.partials.address,
            memory__partial_values=records.PARTIAL_VECTORS * 48,
        )
        self.layer, self.record = layer(
            kind=kind,
            inputs=columns,
            outputs=columns,
            bias=int(gamma),
            height=gamma + beta,
            width=columns,
            stride=48,
            input_stride=48,
            output_stride=64,
            epsilon=EPSILON,
            momentum=0.9,
        )
        rest = iter(self.parameters.values.astype(float))
        self.gamma = next(rest) if gamma else np.ones(columns)
        self.beta = next(rest) if beta else np.zeros(columns)

    def forward(self, first=0, count=None):
        """Batch normalisation in training, by one thread."""
        fields = 0, first, self.rows if count is None else count, first
        assert (
            self.kernels["batch_statistics"](
                self.record, self.place, *fields, self.rows, self.x.at(first), self.scratch.address
            )
            == 0
        )
        self.kernels["normalize_columns"](
            self.record, self.place, self.rows, self.x.address, *self.y.pair, self.scratch.address
        )
        self.check()

    def check(self):
        for matrix in (self.x, self.d, self.y, self.back, self.partials, self.scratch, self.kept, self.state):
            assert matrix.intact()

    def near(self, found, expected, ulps=30.0):
        np.testing.assert_allclose(found, expected, rtol=0, atol=within(self.kernels, ulps) * max(1, self.rows**0.5))


def reference(n, axis):
    """Output of x, and the gradients by x, gamma and beta for the gradient d."""
    x, d = n.x.values.astype(float), n.d.values.astype(float)
    deviation = np.sqrt(x.var(axis, keepdims=True) + EPSILON)
    hat = (x - x.mean(axis, keepdims=True)) / deviation
    g = d * n.gamma
    back = (g - g.mean(axis, keepdims=True) - hat * (g * hat).mean(axis, keepdims=True)) / deviation
    return hat * n.gamma + n.beta, back, (d * hat).sum(axis=0), d.sum(axis=0)


@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize("columns", COLUMNS)
def test_batch_normalisation(kernels, rows, columns):
    n = Normalised(kernels, rows, columns, records.BATCH_NORMALIZATION)
    output, back, by_gamma, by_beta = reference(n, 0)
    n.forward()
    n.near(n.y.values, output)
    x = n.x.values.astype(float)
    n.near(n.statistics[records.MEAN], x.mean(axis=0))
    n.near(n.statistics[records.VARIANCE], x.var(axis=0))
    places = n.x.address, n.d.address
    kernels["batch_sums"](n.record, n.place, 0, 0, rows, 0, rows, *places, n.scratch.address)
    n.near(n.statistics[records.DELTA_SUM], by_beta, 100)
    n.near(n.statistics[records.DELTA_HAT_SUM], by_gamma, 100)
    kernels["normalize_columns_backward"](n.record, rows, rows, *places, n.back.address, n.scratch.address)
    if rows > 1:  # of one row the variance is 0
        n.near(n.back.values, back, 200)
    n.check()


def test_statistics_of_a_constant_column_are_exact(kernels):
    n = Normalised(kernels, 30, 21, records.BATCH_NORMALIZATION)
    n.x.values[:] = 2.0**20
    n.forward()
    assert (n.statistics[records.MEAN] == 2.0**20).all()
    assert not n.statistics[records.VARIANCE].any()
    n.near(n.y.values, np.tile(n.beta, (30, 1)))


def test_a_mean_far_from_0_leaves_the_variance_its_digits(kernels):
    """It is summed about the mean, not as a difference of squares."""
    n = Normalised(kernels, 30, 16, records.BATCH_NORMALIZATION)
    n.x.values[:] = 2.0**12 + np.random.default_rng(1).integers(-3, 4, size=(30, 16))
    n.forward()
    np.testing.assert_allclose(n.statistics[records.VARIANCE], n.x.values.astype(float).var(axis=0), rtol=1e-3)


@pytest.mark.parametrize(("gamma", "beta"), [(True, False), (False, True), (False, False)])
def test_without_gamma_or_beta(kernels, gamma, beta):
    n = Normalised(kernels, 9, 21, records.BATCH_NORMALIZATION, gamma, beta)
    n.forward()
    n.near(n.y.values, reference(n, 0)[0])


def test_moving_statistics_come_a_step_nearer(kernels):
    n = Normalised(kernels, 30, 21, records.BATCH_NORMALIZATION)
    before = n.state.values.astype(float).copy()
    n.forward()
    kernels["move_statistics"](n.record, n.place, n.scratch.address)
    x = n.x.values.astype(float)
    n.near(n.state.values, 0.9 * before + 0.1 * np.array([x.mean(axis=0), x.var(axis=0)]))
    assert not n.state.rows[:, 21:32].any()


@pytest.mark.parametrize("rows", [1, 5])
@pytest.mark.parametrize("columns", COLUMNS)
def test_layer_normalisation(kernels, rows, columns):
    n = Normalised(kernels, rows, columns, records.LAYER_NORMALIZATION)
    output, back, *_ = reference(n, 1)
    n.x.rows[:, columns:] = 99.0  # what stands behind a row is none of its values
    kernels["normalize_rows"](n.record, n.place, rows, n.x.address, *n.y.pair, n.kept.address)
    n.near(n.y.values, output)
    n.near(n.kept.values[:, 0], n.x.values.astype(float).mean(axis=1))
    places = n.x.address, n.d.address, n.back.address
    kernels["normalize_rows_backward"](n.record, n.place, rows, *places, n.kept.address)
    if columns > 1:
        n.near(n.back.values, back, 200)
    assert not n.back.rows[:, columns : -(-columns // kernels.lanes) * kernels.lanes].any()
    n.check()


def test_scaling(kernels):
    n = Normalised(kernels, 5, 21, records.SCALING, beta=False)
    kernels["scale_columns"](n.record, n.place, 5, *n.x.pair, *n.y.pair)
    np.testing.assert_array_equal(n.y.values, n.x.values * n.parameters.values)


@pytest.mark.parametrize("kind", ["batch", "layer", "scaling"])
def test_gradients_by_gamma_and_beta(kernels, kind):
    """By a panel: its rows are gamma and beta, its columns some of theirs."""
    code = {"batch": records.BATCH_NORMALIZATION, "layer": records.LAYER_NORMALIZATION, "scaling": records.SCALING}
    n = Normalised(kernels, 9, 40, code[kind], beta=kind != "scaling")
    _, _, by_gamma, by_beta = reference(n, 0 if kind == "batch" else 1)
    fields = n.x.address, n.d.address
    if kind == "batch":
        n.forward()
        kernels["batch_sums"](n.record, n.place, 0, 0, 9, 0, 9, *fields, n.scratch.address)
    elif kind == "layer":
        kernels["normalize_rows"](n.record, n.place, 9, n.x.address, *n.y.pair, n.kept.address)
    else:
        by_gamma = (n.x.values.astype(float) * n.d.values).sum(axis=0)
    # Places within a workspace of one row of capacity: the inputs at its base, the others as far away as they are.
    n.job.memory.capacity = 1
    n.layer.input = 0
    n.layer.delta = (n.d.address - n.x.address) // kernels.size
    n.layer.kept = (n.kept.address - n.x.address) // kernels.size
    height = n.layer.height
    gradient = empty(kernels, height, 32, 32)
    panel = 0, height, 16, 16 // kernels.lanes
    kernels["normalization_gradient"](n.record, n.place, n.x.address, 9, *panel, n.scratch.address, *gradient.pair)
    n.near(gradient.values[0, :16], by_gamma[16:32], 200)
    if height > 1:
        n.near(gradient.values[1, :16], by_beta[16:32], 200)
    assert np.isnan(gradient.values[:, 16:]).all()
    assert gradient.intact()


def test_the_reference_of_this_file_is_that_of_the_others():
    """naive.normalization, which whole networks are compared with."""

    class Plain:
        pass

    rng, n = np.random.default_rng(0), Plain()
    n.x, n.d, n.gamma, n.beta = Plain(), Plain(), rng.normal(size=5), rng.normal(size=5)
    n.x.values, n.d.values = rng.normal(size=(2, 7, 5))
    for axis in (0, 1):
        expected = naive.normalization(axis, EPSILON)(n.x.values, iter([n.gamma, n.beta]))
        np.testing.assert_allclose(reference(n, axis)[0], expected)
        by_gamma, by_beta = naive.differences(
            lambda w, axis=axis: np.sum(n.d.values * naive.normalization(axis, EPSILON)(n.x.values, iter(w))),
            [n.gamma, n.beta],
        )
        np.testing.assert_allclose(reference(n, axis)[2:], [by_gamma, by_beta], atol=1e-7)
