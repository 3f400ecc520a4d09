"""Learning-rate schedules: the rate of each step, and that training takes it."""

import math

import naive
import numpy as np
import pytest

import fastnn
from fastnn import optimizers, schedules
from fastnn.engine import optimizer as engine_optimizer

SIZES, ACTIVATIONS = [3, 5, 2], ["tanh", "linear"]


def restarts(step, first=10, t_mul=2.0, m_mul=0.5, alpha=0.1):
    """Period after period."""
    length, height = first, 1.0
    while step >= length:
        step, length, height = step - length, length * t_mul, height * m_mul
    return 0.2 * ((1 - alpha) * height * 0.5 * (1 + math.cos(math.pi * step / length)) + alpha)


def warm(step):
    if step < 6:
        return 0.01 + (0.2 - 0.01) * step / 6
    return 0.2 * (0.9 * 0.5 * (1 + math.cos(math.pi * min(step - 6, 20) / 20)) + 0.1)


def cycling(step):
    steps = 10 * max(1, math.ceil(step / 10))
    return (0.2 - 0.01) * (1 - step / steps) ** 2 + 0.01


# a schedule, and its rate in a step as Keras's documentation gives it
CASES = [
    (schedules.Constant(0.3), lambda k: 0.3),
    (
        schedules.PiecewiseConstantDecay([5, 10], [0.5, 0.25, 0.125]),
        lambda k: 0.5 if k <= 5 else 0.25 if k <= 10 else 0.125,
    ),
    (schedules.ExponentialDecay(0.2, 10, 0.9), lambda k: 0.2 * 0.9 ** (k / 10)),
    (schedules.ExponentialDecay(0.2, 10, 0.9, staircase=True), lambda k: 0.2 * 0.9 ** (k // 10)),
    (schedules.InverseTimeDecay(0.2, 10, 0.5), lambda k: 0.2 / (1 + 0.5 * k / 10)),
    (schedules.InverseTimeDecay(0.2, 10, 0.5, staircase=True), lambda k: 0.2 / (1 + 0.5 * (k // 10))),
    (schedules.PolynomialDecay(0.2, 10, 0.01, 2.0), lambda k: 0.19 * (1 - min(k, 10) / 10) ** 2 + 0.01),
    (schedules.PolynomialDecay(0.2, 10, 0.01, 2.0, cycle=True), cycling),
    (
        schedules.CosineDecay(0.2, 20, alpha=0.1),
        lambda k: 0.2 * (0.9 * 0.5 * (1 + math.cos(math.pi * min(k, 20) / 20)) + 0.1),
    ),
    (schedules.CosineDecay(0.01, 20, alpha=0.1, warmup_target=0.2, warmup_steps=6), warm),
    (schedules.CosineDecayRestarts(0.2, 10, 2.0, 0.5, 0.1), restarts),
    (schedules.CosineDecayRestarts(0.2, 10, 1.0, 0.9), lambda k: restarts(k, 10, 1.0, 0.9, 0.0)),
    (
        schedules.WarmUp(schedules.ExponentialDecay(0.2, 10, 0.9), 5),
        lambda k: 0.2 * k / 5 if k < 5 else 0.2 * 0.9 ** ((k - 5) / 10),
    ),
    (schedules.WarmUp(0.4, 4, 0.2), lambda k: min(0.2 + 0.05 * k, 0.4)),
    (schedules.Custom(lambda k: 1 / (1 + k)), lambda k: 1 / (1 + k)),
]


@pytest.mark.parametrize(("schedule", "rate"), CASES, ids=lambda case: type(case).__name__)
def test_rates_are_those_of_the_documentation(schedule, rate):
    steps = np.arange(76)
    np.testing.assert_allclose(schedule.at(steps), [rate(k) for k in steps.tolist()], rtol=1e-12, atol=1e-15)
    assert schedule(7) == pytest.approx(rate(7), rel=1e-12)
    assert isinstance(schedule(7), float)


@pytest.mark.parametrize("strategy", ["cos", "linear"])
@pytest.mark.parametrize(("part", "three_phase"), [(0.3, False), (0.05, False), (0.3, True)])
def test_one_cycle_is_pytorchs(strategy, part, three_phase):
    torch = pytest.importorskip("torch")
    weight = torch.zeros(1, requires_grad=True)
    optimizer = torch.optim.SGD([weight], 0.1)
    options = {"pct_start": part, "anneal_strategy": strategy, "three_phase": three_phase}
    theirs = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.5, 50, cycle_momentum=False, **options)
    expected = [theirs.get_last_lr()[0]]
    for _ in range(49):
        optimizer.step()
        theirs.step()
        expected.append(theirs.get_last_lr()[0])
    ours = schedules.OneCycle(0.5, 50, **options)
    np.testing.assert_allclose(ours.at(np.arange(50)), expected, rtol=1e-9)
    assert ours(1000) == pytest.approx(expected[-1])


def test_one_cycle_goes_up_and_down():
    ours = schedules.OneCycle(0.5, 100)
    rates = ours.at(np.arange(100))
    assert rates[0] == pytest.approx(0.02)
    assert rates.argmax() == 29
    assert rates.max() == pytest.approx(0.5)
    assert rates[-1] == pytest.approx(2e-6)


def own(step):
    return 0.05 / (1 + step)


@pytest.mark.parametrize("optimizer", [optimizers.SGD, optimizers.AdamW], ids=["sgd", "adamw"])
@pytest.mark.parametrize("schedule", [own, schedules.CosineDecay(0.05, 30)], ids=["function", "cosine"])
def test_training_takes_the_rate_of_each_step(network, assert_close, backend, optimizer, schedule):
    x, y = naive.random_data("mse", 44, 3, 2)
    rate = own if schedule is own else lambda k: 0.025 * (1 + math.cos(math.pi * min(k, 30) / 30))
    reference = naive.AdamW(rate, 0.004) if optimizer is optimizers.AdamW else naive.DecayingSGD(rate)
    weights = naive.random_weights(SIZES)
    expected, _ = naive.train(weights, ACTIVATIONS, "mse", reference, x, y, batch_size=8, epochs=4)
    options = {"backend": backend, "dtype": "float64"}
    one = network(SIZES, ACTIVATIONS, weights, optimizer=optimizer(schedule), **options)
    one.fit(x, y, batch_size=8, epochs=4, shuffle=False, verbose=0)  # a run over all epochs
    assert_close(one.get_weights(), expected, 1e-10)
    assert one.optimizer.learning_rate == pytest.approx(rate(24))
    two = network(SIZES, ACTIVATIONS, weights, optimizer=optimizer(schedule), **options)
    for _ in range(4):  # a step a call, the rest in calls of fit
        two.train_on_batch(x[:8], y[:8])
        two.fit(x[8:], y[8:], batch_size=8, shuffle=False, verbose=0)
    assert_close(two.get_weights(), expected, 1e-10)


def test_many_steps_take_several_tables_of_rates(network, backend, monkeypatch):
    """Also where rows are converted on the way, so that a call has fewer steps than the table."""
    x, y = naive.random_data("mse", 40, 3, 2)
    results = []
    for rates, kind in ((2**16, "float64"), (3, "float64"), (3, "float16")):
        monkeypatch.setattr(engine_optimizer, "RATES", rates)
        model = network(SIZES, ACTIVATIONS, optimizer=optimizers.SGD(own), backend=backend, dtype="float64")
        model.fit(x.astype("float16").astype(kind), y, batch_size=4, epochs=3, shuffle=False, verbose=0)
        results.append(model.get_weights())
    for kept, *others in zip(*results, strict=True):
        for other in others:
            np.testing.assert_array_equal(other, kept)


@pytest.mark.parametrize("threads", [1, 3])
def test_threads_take_the_same_rates(network, threads, extension):
    x, y = naive.random_data("mse", 512, 3, 2)
    model = network(SIZES, ACTIVATIONS, optimizer=optimizers.Adam(own), backend="cython", threads=threads)
    model.fit(x, y, batch_size=128, epochs=5, shuffle=False, verbose=0)
    alone = network(SIZES, ACTIVATIONS, optimizer=optimizers.Adam(own), backend="cython", threads=1)
    for _ in range(5):
        for start in range(0, 512, 128):
            alone.train_on_batch(x[start : start + 128], y[start : start + 128])
    for a, b in zip(model.get_weights(), alone.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_run_goes_on_where_its_schedule_was(tmp_path, network):
    x, y = naive.random_data("mse", 40, 3, 2)
    schedule = schedules.WarmUp(schedules.CosineDecayRestarts(0.1, 4), 3)
    whole, parts = (
        network(SIZES, ACTIVATIONS, optimizer=optimizers.Nadam(schedule), backend="numpy") for _ in range(2)
    )
    whole.fit(x, y, batch_size=4, shuffle=False, verbose=0)
    parts.fit(x[:20], y[:20], batch_size=4, shuffle=False, verbose=0)
    parts.save(tmp_path / "model")
    parts = fastnn.load_model(tmp_path / "model", backend="numpy")
    assert parts.optimizer.schedule.get_config() == schedule.get_config()
    parts.fit(x[20:], y[20:], batch_size=4, shuffle=False, verbose=0)
    for a, b in zip(parts.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(("schedule", "rate"), CASES[:-1], ids=lambda case: type(case).__name__)
def test_a_schedule_is_described_in_full(schedule, rate):
    config = optimizers.Adam(schedule).get_config()
    again = optimizers.Adam.from_config(config)
    assert again.schedule.get_config() == schedule.get_config()
    assert again.learning_rate == pytest.approx(rate(0))


def test_the_rate_is_set_and_read_as_in_keras():
    optimizer = optimizers.SGD(schedules.ExponentialDecay(0.2, 10, 0.5))
    optimizer.iterations = 10
    assert optimizer.learning_rate == pytest.approx(0.1)
    optimizer.learning_rate = 0.3
    assert optimizer.schedule is None
    assert (optimizer.learning_rate, optimizer.hyper()) == (0.3, [0.3, 0.0])
    assert optimizers.schedules.CosineDecay is schedules.CosineDecay


def test_a_schedule_in_the_manner_of_keras_is_called_step_by_step(network):
    class Halving(schedules.LearningRateSchedule):
        def __init__(self, start):
            self.start = start

        def __call__(self, step):
            if step > 3:
                return self.start / 2
            return self.start

    assert Halving(0.4).at(np.arange(6)).tolist() == [0.4] * 4 + [0.2] * 2
    optimizer = optimizers.SGD.from_config(optimizers.SGD(Halving(0.4)).get_config())
    assert optimizer.schedule.start == 0.4


@pytest.mark.parametrize("rate", [-0.1, math.nan, math.inf])
def test_a_rate_that_cannot_be_is_refused_and_the_model_is_as_after_the_last_step(network, backend, rate):
    x, y = naive.random_data("mse", 40, 3, 2)
    options = {"backend": backend, "dtype": "float64"}
    model = network(SIZES, ACTIVATIONS, optimizer=optimizers.SGD(lambda k: 0.1 if k < 5 else rate), **options)
    before = model.get_weights()
    with pytest.raises(ValueError, match=f"learning_rate got {rate} .* in step 5"):
        model.fit(x, y, batch_size=4, verbose=0)
    for a, b in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(a, b)
    model.train_on_batch(x, y)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: optimizers.SGD("fast"), TypeError, "learning_rate got 'fast'"),
        (lambda: optimizers.Rprop(own), TypeError, "learning_rate got <function own"),
        (lambda: schedules.PiecewiseConstantDecay([5], [0.1]), ValueError, "values got 1; wants 2"),
        (lambda: schedules.PiecewiseConstantDecay([5, 5], [1, 1, 1]), ValueError, "boundaries got"),
        (lambda: schedules.CosineDecay(0.1, 0), ValueError, "decay_steps got 0"),
        (lambda: schedules.ExponentialDecay(-0.1, 1, 1), ValueError, "initial_learning_rate got -0.1"),
        (lambda: schedules.OneCycle(0.1, 10, anneal_strategy="fast"), ValueError, "anneal_strategy got 'fast'"),
        (lambda: schedules.OneCycle(0.1, 10, 0.6, three_phase=True), ValueError, "pct_start got 0.6"),
        (lambda: schedules.WarmUp("fast", 3), TypeError, "learning_rate got 'fast'"),
    ],
)
def test_arguments_are_checked(make, error, message):
    with pytest.raises(error, match=message):
        make()
