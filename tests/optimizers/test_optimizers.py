"""Each optimizer against the reference, and against PyTorch where it has the same equations."""

import copy
import pickle
import sys

import naive
import numpy as np
import pytest

import fastnn
from fastnn import optimizers
from fastnn.kernels import formulas

SIZES, ACTIVATIONS = [3, 5, 17, 2], ["tanh", "sigmoid", "linear"]
STEPS = 50


# fastnn's optimizer, and the reference's
PAIRS = {
    "sgd": (lambda: optimizers.SGD(0.1), lambda: naive.SGD(0.1)),
    "momentum": (lambda: optimizers.SGD(0.1, 0.8), lambda: naive.SGD(0.1, 0.8)),
    "nesterov": (lambda: optimizers.SGD(0.1, 0.8, True), lambda: naive.SGD(0.1, 0.8, True)),
    "sgd decaying": (lambda: optimizers.SGD(0.1, weight_decay=0.3), lambda: naive.DecayingSGD(0.1, 0.3)),
    "adam": (lambda: optimizers.Adam(0.02), lambda: naive.Adam(0.02)),
    "keras_adam": (lambda: optimizers.KerasAdam(0.02, epsilon=0.01), lambda: naive.KerasAdam(0.02, epsilon=0.01)),
    "keras_amsgrad": (
        lambda: optimizers.KerasAdam(0.02, epsilon=0.01, amsgrad=True),
        lambda: naive.KerasAmsgrad(0.02, epsilon=0.01),
    ),
    "amsgrad": (lambda: optimizers.Adam(0.02, amsgrad=True), lambda: naive.Amsgrad(0.02)),
    "adamw": (lambda: optimizers.AdamW(0.02), lambda: naive.AdamW(0.02, 0.004)),
    "nadam": (lambda: optimizers.Nadam(0.02), lambda: naive.Nadam(0.02)),
    "adamax": (lambda: optimizers.Adamax(0.02), lambda: naive.Adamax(0.02)),
    "adagrad": (lambda: optimizers.Adagrad(0.1), lambda: naive.Adagrad(0.1)),
    "adadelta": (lambda: optimizers.Adadelta(1.0), lambda: naive.Adadelta(1.0)),
    "rmsprop": (lambda: optimizers.RMSprop(0.01), lambda: naive.RMSprop(0.01)),
    "rmsprop_momentum": (lambda: optimizers.RMSprop(0.01, momentum=0.5), lambda: naive.RMSprop(0.01, momentum=0.5)),
    "rmsprop_centered": (
        lambda: optimizers.RMSprop(0.01, momentum=0.5, centered=True, weight_decay=0.1),
        lambda: naive.RMSprop(0.01, 0.1, momentum=0.5, centered=True),
    ),
    "lion": (lambda: optimizers.Lion(0.01, weight_decay=0.1), lambda: naive.Lion(0.01, 0.1)),
    "rprop": (lambda: optimizers.Rprop(0.01), lambda: naive.Rprop(0.01)),
}


def data(rows=8 * STEPS):
    return naive.random_data("mse", rows, SIZES[0], SIZES[-1])


def trained(network, optimizer, backend="numpy", dtype="float64", **options):
    x, y = data()
    model = network(SIZES, ACTIVATIONS, naive.random_weights(SIZES), optimizer=optimizer, backend=backend, dtype=dtype)
    model.fit(x, y, batch_size=8, epochs=1, shuffle=False, verbose=0, **options)
    return model


def test_every_row_of_the_table_is_compared_with_the_reference():
    assert {make().row for make, _ in PAIRS.values()} == set(formulas.OPTIMIZERS)


@pytest.mark.parametrize("name", PAIRS)
def test_fifty_steps_are_those_of_the_reference(network, assert_close, backend, dtype, name):
    ours, reference = PAIRS[name]
    expected, _ = naive.train(naive.random_weights(SIZES), ACTIVATIONS, "mse", reference(), *data(), batch_size=8)
    model = trained(network, ours(), backend, dtype)
    if dtype == "float64":
        assert_close(model.get_weights(), expected, 1e-10)
    elif name not in ("lion", "rprop"):  # where a sign decides, rounding may turn a whole step
        assert_close(model.get_weights(), expected, 1e-3)


TORCH = {
    "momentum": lambda torch, p: torch.optim.SGD(p, 0.1, momentum=0.8),
    "nesterov": lambda torch, p: torch.optim.SGD(p, 0.1, momentum=0.8, nesterov=True),
    "adam": lambda torch, p: torch.optim.Adam(p, 0.02, eps=1e-7),
    "amsgrad": lambda torch, p: torch.optim.Adam(p, 0.02, eps=1e-7, amsgrad=True),
    "adamw": lambda torch, p: torch.optim.AdamW(p, 0.02, eps=1e-7, weight_decay=0.004),
    "nadam": lambda torch, p: torch.optim.NAdam(p, 0.02, eps=1e-7, momentum_decay=1.0),
    "adadelta": lambda torch, p: torch.optim.Adadelta(p, 1.0, rho=0.95, eps=1e-7),
    "rprop": lambda torch, p: torch.optim.Rprop(p, 0.01),
}


@pytest.fixture
def torch():
    torch = pytest.importorskip("torch")
    kept = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)  # of NAdam's product of momenta
    yield torch
    torch.set_default_dtype(kept)


@pytest.mark.parametrize("name", TORCH)
def test_fifty_steps_are_those_of_pytorch(network, assert_close, torch, name):
    x, y = (torch.tensor(array) for array in data())
    weights = [torch.tensor(w, requires_grad=True) for w in naive.random_weights(SIZES)]
    optimizer = TORCH[name](torch, weights)
    functions = [torch.tanh, torch.sigmoid, lambda z: z]
    for start in range(0, len(x), 8):
        optimizer.zero_grad()
        a = x[start : start + 8]
        for kernel, bias, function in zip(weights[::2], weights[1::2], functions, strict=True):
            a = function(a @ kernel + bias)
        torch.mean((a - y[start : start + 8]) ** 2).backward()
        optimizer.step()
    model = trained(network, PAIRS[name][0]())
    assert_close(model.get_weights(), [w.detach().numpy() for w in weights], 1e-9)


def test_nadam_goes_on_after_many_steps():
    """Its product of momenta, computed from the step's number, is the product."""
    for step in (1, 2, 10, 1000):
        for beta in (0.5, 0.9, 0.999):
            momenta = [beta * (1 - 0.96**k / 2) for k in range(1, step + 2)]
            of_mean, of_gradient, *_ = formulas.optimizers.nadam_prepare(1.0, beta, 0.999, 1e-7, float(step))
            assert of_mean == pytest.approx(momenta[-1] / (1 - np.prod(momenta)), rel=1e-12)
            assert of_gradient == pytest.approx((1 - momenta[-2]) / (1 - np.prod(momenta[:-1])), rel=1e-12)


@pytest.mark.parametrize("name", PAIRS)
def test_training_in_two_parts_is_training_in_one(tmp_path, network, assert_close, name):
    x, y = data(80)
    make = PAIRS[name][0]
    whole, parts = (network(SIZES, ACTIVATIONS, optimizer=make(), backend="numpy", dtype="float64") for _ in range(2))
    for model, rows in ((whole, slice(0, 80)), (parts, slice(0, 40))):
        model.fit(x[rows], y[rows], batch_size=8, shuffle=False, verbose=0)
    parts.save(tmp_path / "model")
    parts = fastnn.load_model(tmp_path / "model", backend="numpy")
    parts.fit(x[40:], y[40:], batch_size=8, shuffle=False, verbose=0)
    for a, b in zip(parts.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", PAIRS)
def test_an_optimizer_is_described_copied_and_pickled(name):
    optimizer = PAIRS[name][0]()
    config = optimizer.get_config()
    assert type(optimizer).from_config(config).get_config() == config
    assert pickle.loads(pickle.dumps(optimizer)).hyper() == optimizer.hyper()
    assert copy.deepcopy(optimizer).hyper() == optimizer.hyper()
    assert optimizers.get({"class_name": type(optimizer).__name__, "config": config}).row == optimizer.row


def test_keras_names_and_defaults():
    assert {type(optimizers.get(name)).__name__ for name in ("adamw", "RMSprop", "nadam", "Adagrad", "lion")} == {
        "AdamW",
        "RMSprop",
        "Nadam",
        "Adagrad",
        "Lion",
    }
    assert optimizers.AdamW().weight_decay == 0.004
    assert optimizers.Adam().weight_decay is None
    assert (
        repr(optimizers.Lion(weight_decay=1)) == "Lion(learning_rate=0.001, beta_1=0.9, beta_2=0.99, weight_decay=1.0)"
    )
    assert {
        name: value for name, value in optimizers.Adagrad().get_config().items() if value and "ema" not in name
    } == {"learning_rate": 0.001, "initial_accumulator_value": 0.1, "epsilon": 1e-7}


def test_weight_decay_of_zero_changes_nothing(network, backend):
    without = trained(network, optimizers.Adam(0.02), backend, "float32").get_weights()
    with_zero = trained(network, optimizers.AdamW(0.02, weight_decay=0.0), backend, "float32").get_weights()
    for a, b in zip(without, with_zero, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_changed_variant_keeps_the_slots_that_both_have(network):
    x, y = data(16)
    model = network(SIZES, ACTIVATIONS, optimizer=optimizers.Adam(0.1), backend="numpy", dtype="float64")
    model.train_on_batch(x, y)
    mean = model._engine.parameters.slots[: model._engine.parameter_count].copy()
    model.optimizer.amsgrad = True
    model.optimizer.beta_1 = 0.0  # so that a mean of 0 would show
    model.optimizer.learning_rate = 0.0
    model.train_on_batch(x, y)
    slots, count = model._engine.parameters.slots, model._engine.parameter_count
    assert len(slots) == 3 * count
    variance = slots[count:][:count]
    assert np.abs(mean).max() > 0
    assert (variance[mean != 0] > 0).all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: optimizers.Adam(weight_decay=-1.0), "weight_decay got -1.0"),
        (lambda: optimizers.LBFGS(weight_decay=0.1), "weight_decay got 0.1; LBFGS"),
        (lambda: optimizers.RMSprop(rho=1.0), "rho got 1.0"),
        (lambda: optimizers.Adagrad(initial_accumulator_value=-0.1), "initial_accumulator_value got -0.1"),
        (lambda: optimizers.Rprop(etas=(1.5, 2.0)), r"etas\[0\] got 1.5"),
        (lambda: optimizers.Rprop(step_sizes=(1.0, 0.5)), r"step_sizes\[1\] got 0.5"),
    ],
)
def test_values_out_of_range_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_flags_must_be_flags():
    with pytest.raises(TypeError, match="amsgrad got 1"):
        optimizers.Adam(amsgrad=1)
    with pytest.raises(TypeError, match="centered got 'yes'"):
        optimizers.RMSprop(centered="yes")


# --- L-BFGS ---


@pytest.fixture
def problem():
    pytest.importorskip("scipy")
    x = np.random.default_rng(0).normal(size=(60, 3))
    return x, np.sin(x).sum(axis=1, keepdims=True)


def test_lbfgs_finds_the_least_squares(network, assert_close, problem, backend):
    x, y = problem
    model = network([3, 1], ["linear"], optimizer="lbfgs", metrics=["mae"], backend=backend, dtype="float64")
    history = model.fit(x, y, epochs=50, validation_split=0.25, verbose=0).history
    x, y = x[:45], y[:45]
    solution = np.linalg.lstsq(np.column_stack([x, np.ones(45)]), y, rcond=None)[0]
    assert_close([np.concatenate([w.ravel() for w in model.get_weights()])], [solution.ravel()], 1e-6)
    assert 1 < len(history["loss"]) < 50
    assert history["loss"] == sorted(history["loss"], reverse=True)
    assert history["loss"][-1] == pytest.approx(model.evaluate(x, y, verbose=0)[0], rel=1e-12)
    assert len(history["val_mae"]) == len(history["mae"]) == len(history["loss"])


def test_lbfgs_takes_an_iteration_an_epoch_and_goes_on(network, problem):
    x, y = problem
    model = network([3, 8, 1], ["tanh", "linear"], optimizer=optimizers.LBFGS(), backend="numpy", dtype="float64")
    first = model.fit(x, y, epochs=3, verbose=0)
    assert first.epoch == [0, 1, 2]
    assert model.optimizer.iterations == 3
    second = model.fit(x, y, epochs=6, initial_epoch=3, verbose=0)
    assert second.epoch == [3, 4, 5]
    assert second.history["loss"][-1] < first.history["loss"][-1]
    assert model.evaluate(x, y, verbose=0) == pytest.approx(second.history["loss"][-1], rel=1e-12)


@pytest.mark.parametrize("stop", ["asked", "interrupted"])
def test_lbfgs_ends_when_asked_with_the_weights_of_its_last_iteration(network, problem, stop):
    x, y = problem

    class Stop(fastnn.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 2:
                if stop == "interrupted":
                    raise KeyboardInterrupt
                self.model.stop_training = True

    model = network([3, 8, 1], ["tanh", "linear"], optimizer="lbfgs", backend="numpy", dtype="float64")
    history = model.fit(x, y, epochs=20, callbacks=[Stop()], verbose=0)
    assert history.epoch == [0, 1, 2]
    assert history.interrupted == (stop == "interrupted")
    assert model.evaluate(x, y, verbose=0) == pytest.approx(history.history["loss"][-1], rel=1e-12)


def test_lbfgs_takes_no_single_steps(network, problem):
    model = network([3, 1], ["linear"], optimizer="lbfgs", backend="numpy")
    with pytest.raises(RuntimeError, match="train_on_batch takes a single step"):
        model.train_on_batch(*problem)
    with pytest.raises(ValueError, match="optimizer got LBFGS"):
        fastnn.gradient_descent(lambda p: p, [1.0], 0.1, 3, optimizer="lbfgs")


def test_lbfgs_is_saved(tmp_path, network, problem):
    model = network([3, 1], ["linear"], optimizer=optimizers.LBFGS(history_size=5), backend="numpy")
    model.save(tmp_path / "model")
    assert fastnn.load_model(tmp_path / "model", backend="numpy").optimizer.history_size == 5


def test_lbfgs_names_what_is_missing(network, monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.optimize", None)
    model = network([3, 1], ["linear"], optimizer="lbfgs", backend="numpy")
    with pytest.raises(ModuleNotFoundError, match=r"fastnn-cpu\[scipy\]"):
        model.fit(np.zeros((2, 3)), np.zeros((2, 1)), verbose=0)


def test_a_plan_is_the_same_until_something_is_set():
    optimizer = optimizers.SGD(0.1, momentum=0.5)
    plan = optimizer.plan()
    assert optimizer.plan() is plan
    optimizer.learning_rate = 0.2
    assert optimizer.plan() == plan._replace(hyper=(0.2, *plan.hyper[1:]))
    optimizer.momentum = 0.0
    assert optimizer.plan().row == "sgd"
    assert copy.deepcopy(optimizer).plan() == optimizer.plan()
