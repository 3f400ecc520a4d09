"""The update of every optimizer, against its formulas in float64; weight decay, rates of layers, the moving average."""

import ctypes
import inspect

import numpy as np
import pytest
from kernel_memory import Matrix, doubles, empty, job, layer, within

from fastnn.kernels import records
from fastnn.kernels.formulas import OPTIMIZERS

CODES = {name: code for code, name in enumerate(OPTIMIZERS)}
SCALARS_IN_SCRATCH = 4096  # values: room for the scalars and what stands behind them
HYPER = {"learning_rate": 0.02, "epsilon": 1e-3, "momentum": 0.7}


def hyper_of(name):
    return {key: HYPER.get(key, value) for key, value in OPTIMIZERS[name].hyper.items()}


def scalars_of(name, step, rate=0.02):
    row = OPTIMIZERS[name]
    given = {**hyper_of(name), "learning_rate": rate}
    given["step"] = float(step)
    scalars = row.prepare(*(given[argument] for argument in inspect.signature(row.prepare).parameters))
    return scalars if isinstance(scalars, tuple) else (scalars,)


def state_of(name, count, seed=0):
    """Weights, a gradient and slots such as training makes."""
    rng = np.random.default_rng(seed)
    weights, gradient = rng.normal(size=(2, count))
    gradient[::7] = 0
    slots = []
    for slot in OPTIMIZERS[name].slots:
        values = rng.normal(size=count)
        signed = slot in ("velocity", "mean", "previous")
        slots.append(values * 0.1 if signed else np.abs(values) + 0.05)
    return weights, gradient, slots


def expected(name, scalars, weights, gradient, slots):
    new = OPTIMIZERS[name].update(weights, gradient, *slots, *scalars)
    return new if isinstance(new, tuple) else (new,)


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("step", [1, 7, 100_000])
def test_scalars_of_a_step(kernels_of_each, name, step):
    held, place = doubles(16)
    constants = np.array([*hyper_of(name).values()])
    kernels_of_each["prepare"](CODES[name], constants.ctypes.data, 0.03, float(step), place)
    scalars = scalars_of(name, step, 0.03)
    np.testing.assert_allclose(held[: len(scalars)], scalars, rtol=1e-12)
    assert np.isnan(held[len(scalars) :]).all()


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_new_weights_and_slots(kernels_of_each, name):
    kernels = kernels_of_each
    for vectors in (1, 5):
        count = vectors * kernels.lanes
        weights, gradient, slots = state_of(name, count)
        scalars = scalars_of(name, 3)
        memory = Matrix(kernels, [weights, gradient, *slots], count + 16, fill=3.0)
        given = [row.astype(float).copy() for row in memory.values]
        held = np.array([*scalars, *[0.0] * 10])
        kernels["update"](
            CODES[name], count, held.ctypes.data, memory.at(1), memory.stride * kernels.size, memory.at(2), memory.at(0)
        )
        wanted = expected(name, scalars, given[0], given[1], given[2:])
        np.testing.assert_allclose(memory.values[0], wanted[0], rtol=0, atol=within(kernels, 16))
        np.testing.assert_array_equal(memory.values[1], given[1])
        for slot, new in zip(memory.values[2:], wanted[1:], strict=True):
            np.testing.assert_allclose(slot, new, rtol=within(kernels, 16), atol=within(kernels))
        assert (memory.rows[:, count:] == 3.0).all()
        assert memory.intact()


def test_a_gradient_of_nan_shows_in_the_weights(kernels_of_each):
    kernels = kernels_of_each
    for name in OPTIMIZERS:
        if name in ("lion", "rprop"):  # of the sign alone; their slots have it
            continue
        weights, gradient, slots = state_of(name, 2 * kernels.lanes)
        gradient[3] = np.nan
        memory = Matrix(kernels, [weights, gradient, *slots], 2 * kernels.lanes)
        held = np.array([*scalars_of(name, 3), *[0.0] * 10])
        place = memory.stride * kernels.size
        kernels["update"](
            CODES[name], 2 * kernels.lanes, held.ctypes.data, memory.at(1), place, memory.at(2), memory.at(0)
        )
        assert np.flatnonzero(np.isnan(memory.values[0])).tolist() == [3], name


# --- A panel of a layer's matrix ---

HEIGHT, WIDTH = 7, 40  # six rows of weights and one of the bias


class Panels:
    """A layer's matrix, slots and gradient, and a job that updates them; ``settings``: fields of either."""

    def __init__(self, kernels, name, stride=WIDTH + 24, **job_fields):
        self.kernels, self.name = kernels, name
        rng = np.random.default_rng(1)
        slots = len(OPTIMIZERS[name].slots) + ("optimizer__average" in job_fields)
        self.stride = stride
        values = np.abs(rng.normal(size=((2 + slots) * HEIGHT, WIDTH)))
        self.memory = Matrix(kernels, values, self.stride, fill=2.0)
        count = HEIGHT * self.stride
        self.hyper = np.zeros(16)
        self.hyper[: len(OPTIMIZERS[name].hyper)] = [*hyper_of(name).values()]
        self.job, self.place = job(
            optimizer__code=CODES[name],
            optimizer__hyper=self.hyper.ctypes.data,
            network__parameters=self.memory.at(0),
            network__parameter_count=count,
            network__slots=self.memory.at(2 * HEIGHT),
            network__slot_count=slots,
            **{"optimizer__average": -1, **job_fields},
        )
        self.layer, self.layer_place = layer(
            bias=HEIGHT - 1, height=HEIGHT, width=WIDTH, stride=stride, kernel_rate=1.0, bias_rate=1.0
        )
        self.scratch = empty(kernels, 1, SCALARS_IN_SCRATCH)

    def parts(self):
        """Weights, gradient and slots, each (HEIGHT, WIDTH), as they are."""
        return [part.astype(float).copy() for part in self.memory.values.reshape(-1, HEIGHT, WIDTH)]

    def update(self, step, row=0, rows=HEIGHT, column=0, columns=WIDTH):
        self.kernels["prepare_step"](self.place, step, self.scratch.address)
        self.kernels["update_panel"](
            self.layer_place, self.place, self.scratch.address, row, rows, column, -(-columns // self.kernels.lanes),
            self.memory.at(HEIGHT + row, column), self.stride,
        )  # fmt: skip
        assert self.memory.intact()


def test_a_panel_changes_its_own_rows_and_columns_alone(kernels):
    panels = Panels(kernels, "momentum")
    before = panels.parts()
    panels.update(0, row=2, rows=3, column=16, columns=16)
    after = panels.parts()
    wanted = expected("momentum", scalars_of("momentum", 1), *before[:2], before[2:])
    inside = np.zeros((HEIGHT, WIDTH), bool)
    inside[2:5, 16:32] = True
    for new, old, given in zip((after[0], after[2]), wanted, (before[0], before[2]), strict=True):
        np.testing.assert_allclose(new[inside], old[inside], rtol=0, atol=within(kernels))
        np.testing.assert_array_equal(new[~inside], given[~inside])


def test_weight_decay_comes_before_the_update(kernels):
    panels = Panels(kernels, "sgd")
    panels.hyper[records.DECAY] = 0.5
    before = panels.parts()
    panels.update(0)
    wanted = before[0] * (1 - 0.02 * 0.5) - 0.02 * before[1]
    np.testing.assert_allclose(panels.parts()[0], wanted, rtol=0, atol=within(kernels))


@pytest.mark.parametrize("stride", [48, 64])
def test_a_panel_that_is_one_run_of_memory_and_one_that_is_not(kernels, stride):
    panels = Panels(kernels, "momentum", stride)
    before = panels.parts()
    panels.update(0, columns=48)
    wanted = expected("momentum", scalars_of("momentum", 1), *before[:2], before[2:])
    np.testing.assert_allclose(panels.parts()[0], wanted[0], rtol=0, atol=within(kernels))
    np.testing.assert_allclose(panels.parts()[2], wanted[1], rtol=0, atol=within(kernels))


def test_rates_of_a_step_and_the_count_of_updates(kernels):
    rates = np.array([0.1, 0.2, 0.4])
    panels = Panels(kernels, "adam", optimizer__rates=rates.ctypes.data, optimizer__iterations=5)
    before = panels.parts()
    panels.update(2)
    wanted = expected("adam", scalars_of("adam", 8, 0.4), *before[:2], before[2:])
    np.testing.assert_allclose(panels.parts()[0], wanted[0], rtol=0, atol=within(kernels, 16))


@pytest.mark.parametrize("stride", [48, 64])
@pytest.mark.parametrize("transposed", [0, 1])
def test_a_layers_own_rates_of_its_kernel_and_its_bias(kernels, transposed, stride):
    """Stored transposed, the bias is the last column, else the last row.  Rows may follow one another in memory."""
    bias = 30 if transposed else HEIGHT - 1
    fields = {"kernel_rate": 0.25, "bias_rate": 3.0, "stored_transposed": transposed, "bias": bias}
    panels = Panels(kernels, "sgd", stride)
    for name, value in fields.items():
        setattr(panels.layer, name, value)
    before = panels.parts()
    panels.update(0, columns=48)
    rate = np.full((HEIGHT, WIDTH), 0.25)
    if transposed:
        rate[:, bias:] = 3.0
    else:
        rate[bias:] = 3.0
    np.testing.assert_allclose(panels.parts()[0], before[0] - rate * 0.02 * before[1], rtol=0, atol=within(kernels))


def test_the_moving_average_begins_with_the_first_update_and_overwrites_the_weights_at_times(kernels):
    settings = {"optimizer__average": 0, "optimizer__average_momentum": 0.75, "optimizer__average_frequency": 3}
    panels = Panels(kernels, "sgd", **settings)
    weights, gradient, average = panels.parts()
    for step in range(6):
        weights = weights - 0.02 * gradient
        average = weights if step == 0 else 0.75 * average + 0.25 * weights
        if step in (2, 5):
            weights = average
        panels.update(step)
        found = panels.parts()
        np.testing.assert_allclose(found[2], average, rtol=0, atol=within(kernels))
        np.testing.assert_allclose(found[0], weights, rtol=0, atol=within(kernels))


def test_scratch_has_room_for_what_a_step_writes(kernels):
    assert kernels.constants["PACK"] <= SCALARS_IN_SCRATCH * kernels.size
    assert ctypes.sizeof(ctypes.c_double) * (records.DECAY + 1) <= kernels.constants["STEP"]
