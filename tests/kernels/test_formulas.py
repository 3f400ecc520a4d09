"""Each activation and each loss: its values, and what backpropagation makes of its slope."""

import naive
import numpy as np
import pytest

import fastnn
from fastnn import activations, losses
from fastnn.kernels import formulas
from fastnn.layers import Activation, Dense, Input

ACTIVATIONS = [name for name in naive.ACTIVATIONS if name != "softmax"]
# a loss, and the activation of the output that belongs to it
NATURAL = {
    "mse": "linear",
    "half_squared_error": "linear",
    "mae": "linear",
    "huber": "linear",
    "binary_crossentropy": "sigmoid",
    "categorical_crossentropy": "softmax",
    "sparse_categorical_crossentropy": "softmax",
}
ACCURACY = {"float32": 1e-4, "float64": 1e-9}


def assert_gradients(network, flat_gradients, assert_close, sizes, activations, loss, backend, dtype, rows=7):
    """The model's gradients are naive's, and naive's are finite differences."""
    weights = naive.random_weights(sizes)
    x, y = naive.random_data(loss, rows, sizes[0], sizes[-1])
    expected = naive.backward(weights, activations, loss, x, y)
    assert_close(naive.finite_differences(weights, activations, loss, x, y), expected, 1e-6)
    model = network(sizes, activations, weights, loss=loss, backend=backend, dtype=dtype)
    assert_close(flat_gradients(model, x, y), expected, ACCURACY[dtype])


def test_reference_and_library_have_the_same_activations():
    assert set(naive.ACTIVATIONS) == set(formulas.ACTIVATIONS)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activation_gives_the_reference_values(network, backend, dtype, activation):
    x = np.concatenate([np.linspace(-12, 12, 481), [-1e-6, 1e-6, -80, 80, -300, 300]]).astype(dtype)[:, None]
    model = network([1, 1], [activation], [np.ones((1, 1)), np.zeros(1)], backend=backend, dtype=dtype)
    expected = naive.ACTIVATIONS[activation][0](x.astype("float64"))
    expected[expected > np.finfo(dtype).max] = np.inf  # exp(300), in float32
    relative, smallest = {"float32": (3e-5, 1e-36), "float64": (1e-13, 1e-300)}[dtype]
    np.testing.assert_allclose(model.predict(x), expected, rtol=relative, atol=smallest)


@pytest.mark.parametrize("units", [2, 3, 17, 50])
def test_softmax_gives_the_reference_values_at_any_scale(network, backend, dtype, units):
    model = network([units, units], ["softmax"], [np.eye(units), np.zeros(units)], backend=backend, dtype=dtype)
    x = np.random.default_rng(0).normal(size=(40, units)) * np.logspace(-3, 3, 40)[:, None]
    x = x.astype(dtype)
    p = model.predict(x)
    relative, smallest = {"float32": (1e-4, 1e-36), "float64": (1e-12, 1e-300)}[dtype]
    np.testing.assert_allclose(p, naive.softmax(x.astype("float64")), rtol=relative, atol=smallest)
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-6)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_gradients_through_each_activation(network, flat_gradients, assert_close, backend, dtype, activation):
    sizes, activations = [3, 5, 4, 2], [activation, activation, "linear"]
    assert_gradients(network, flat_gradients, assert_close, sizes, activations, "mse", backend, dtype)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_slope_of_each_activation_over_its_range(network, flat_gradients, backend, dtype, activation):
    """With one unit, the loss (f(w x) - 0)^2 / 2 has the gradient f(w x) f'(w x) x by w."""
    model = network(
        [1, 1], [activation], [np.ones((1, 1)), np.zeros(1)], loss="half_squared_error", backend=backend, dtype=dtype
    )
    value, slope = naive.ACTIVATIONS[activation]
    for z in np.array([-30, -9, -3, -1, -0.1, -1e-3, 1e-3, 0.1, 1, 3, 9, 30]).astype(dtype):
        bias = flat_gradients(model, np.array([[z]]), np.zeros(1))[1]
        expected = value(np.float64(z)) * slope(np.float64(z))
        assert bias[0] == pytest.approx(expected, rel=ACCURACY[dtype], abs={"float32": 2e-7, "float64": 1e-15}[dtype])


@pytest.mark.parametrize("outputs", [1, 2, 5])
@pytest.mark.parametrize("loss", NATURAL)
def test_gradients_of_each_loss(network, flat_gradients, assert_close, backend, dtype, loss, outputs):
    if "categorical" in loss and outputs == 1:
        outputs = 17
    sizes, activations = [3, 4, outputs], ["tanh", NATURAL[loss]]
    assert_gradients(network, flat_gradients, assert_close, sizes, activations, loss, backend, dtype)


@pytest.mark.parametrize(
    ("loss", "output"),
    [
        ("mse", "sigmoid"),
        ("mse", "softmax"),
        ("half_squared_error", "softmax"),
        ("mae", "tanh"),
        ("huber", "softplus"),
        ("binary_crossentropy", "softmax"),
    ],
)
def test_gradients_of_a_loss_on_another_output(network, flat_gradients, assert_close, backend, dtype, loss, output):
    sizes, activations = [3, 4, 3], ["tanh", output]
    assert_gradients(network, flat_gradients, assert_close, sizes, activations, loss, backend, dtype)


@pytest.mark.parametrize("loss", NATURAL)
def test_loss_gives_the_reference_value(network, backend, dtype, loss):
    sizes, activations = [3, 5, 4], ["tanh", NATURAL[loss]]
    weights = naive.random_weights(sizes)
    model = network(sizes, activations, weights, loss=loss, backend=backend, dtype=dtype)
    accuracy = {"float32": 1e-5, "float64": 1e-12}[dtype]
    for rows in (1, 7, 8, 9, 255, 256, 257, 513):  # around a tile's 8 rows, and the largest block's 256
        x, y = naive.random_data(loss, rows, 3, 4)
        expected = naive.loss_of_batch(weights, activations, loss, x, y)
        assert model.evaluate(x, y, verbose=0) == pytest.approx(expected, rel=accuracy)


def unit_network(network, activation, **options):
    """One unit without effect on its input: output = activation(x)."""
    return network([1, 1], [activation], [np.ones((1, 1)), np.zeros(1)], **options)


@pytest.mark.parametrize("logit", [-1000.0, -50.0, 50.0, 1000.0])
def test_binary_crossentropy_of_a_sigmoid_is_exact_for_large_logits(network, flat_gradients, backend, dtype, logit):
    model = unit_network(network, "sigmoid", loss="binary_crossentropy", optimizer="sgd", backend=backend, dtype=dtype)
    wrong = np.array([0.0 if logit > 0 else 1.0])
    x = np.array([[logit]])
    assert model.evaluate(x, wrong, verbose=0) == pytest.approx(abs(logit), rel=1e-6)
    assert flat_gradients(model, x, wrong)[1][0] == pytest.approx(np.sign(logit), rel=1e-6)
    assert model.evaluate(x, 1 - wrong, verbose=0) == pytest.approx(0, abs=1e-20)


@pytest.mark.parametrize("loss", ["categorical_crossentropy", "sparse_categorical_crossentropy"])
def test_crossentropy_of_a_softmax_is_exact_for_large_logits(network, flat_gradients, backend, dtype, loss):
    model = network([2, 2], ["softmax"], [np.eye(2), np.zeros(2)], loss=loss, backend=backend, dtype=dtype)
    y = np.array([1]) if loss.startswith("sparse") else np.array([[0.0, 1.0]])
    x = np.array([[1000.0, 0.0]])
    assert model.evaluate(x, y, verbose=0) == pytest.approx(1000, rel=1e-6)
    assert flat_gradients(model, x, y)[1] == pytest.approx([1, -1], rel=1e-6)


def test_binary_crossentropy_clips_outputs_that_are_no_sigmoid(network, flat_gradients, backend, dtype):
    model = unit_network(network, "linear", loss="binary_crossentropy", backend=backend, dtype=dtype)
    for p in (-3.0, 0.0, 1.0, 2.0):
        y = np.array([0.0 if p >= 1 else 1.0])
        loss = model.evaluate(np.array([[p]]), y, verbose=0)
        assert loss == pytest.approx(-np.log(1e-7), rel={"float32": 0.02, "float64": 1e-8}[dtype])
        if p not in (0.0, 1.0):
            assert flat_gradients(model, np.array([[p]]), y)[1][0] == 0
    assert model.evaluate(np.array([[0.25]]), np.array([1.0]), verbose=0) == pytest.approx(np.log(4), rel=1e-6)


def test_binary_crossentropy_from_logits_is_that_of_a_sigmoid(network, flat_gradients, assert_close, backend, dtype):
    x, y = naive.random_data("binary_crossentropy", 9, 3, 2)
    weights = naive.random_weights([3, 2])
    options = {"weights": weights, "backend": backend, "dtype": dtype}
    sigmoid = network([3, 2], ["sigmoid"], loss="binary_crossentropy", **options)
    logits = network([3, 2], ["linear"], loss=losses.BinaryCrossentropy(from_logits=True), **options)
    assert logits.evaluate(x, y, verbose=0) == pytest.approx(sigmoid.evaluate(x, y, verbose=0), rel=1e-6)
    assert_close(flat_gradients(logits, x, y), flat_gradients(sigmoid, x, y), 1e-5)


@pytest.mark.parametrize("sparse", [False, True])
def test_crossentropy_from_logits_is_that_of_a_softmax(network, flat_gradients, assert_close, backend, dtype, sparse):
    name = "sparse_categorical_crossentropy" if sparse else "categorical_crossentropy"
    kind = losses.SparseCategoricalCrossentropy if sparse else losses.CategoricalCrossentropy
    x, y = naive.random_data(name, 9, 3, 4)
    options = {"weights": naive.random_weights([3, 4]), "backend": backend, "dtype": dtype}
    softmax = network([3, 4], ["softmax"], loss=name, **options)
    logits = network([3, 4], ["linear"], loss=kind(from_logits=True), **options)
    assert logits.evaluate(x, y, verbose=0) == pytest.approx(softmax.evaluate(x, y, verbose=0), rel=1e-6)
    assert_close(flat_gradients(logits, x, y), flat_gradients(softmax, x, y), 1e-5)


def test_huber_delta_is_where_the_square_becomes_a_line(network, backend, dtype):
    model = unit_network(network, "linear", loss=losses.Huber(delta=2.0), backend=backend, dtype=dtype)
    zero = np.zeros(1)
    for error, expected in ((1.0, 0.5), (2.0, 2.0), (5.0, 2 * (5 - 1))):
        assert model.evaluate(np.array([[error]]), zero, verbose=0) == pytest.approx(expected, rel=1e-6)


def test_soft_targets_are_accepted_by_the_crossentropies(network, flat_gradients, assert_close, backend, dtype):
    weights, x = naive.random_weights([3, 4]), naive.random_data("mse", 9, 3, 4)[0]
    y = naive.softmax(np.random.default_rng(1).normal(size=(9, 4)))
    for loss, activation in (("categorical_crossentropy", "softmax"), ("binary_crossentropy", "sigmoid")):
        model = network([3, 4], [activation], weights, loss=loss, backend=backend, dtype=dtype)
        expected = naive.loss_of_batch(weights, [activation], loss, x, y)
        assert model.evaluate(x, y, verbose=0) == pytest.approx(expected, rel=1e-5)
        assert_close(flat_gradients(model, x, y), naive.backward(weights, [activation], loss, x, y), ACCURACY[dtype])


@pytest.mark.parametrize("activation", ["relu", "gelu", "softmax"])
def test_activation_layer_does_what_the_argument_of_dense_does(
    network, flat_gradients, assert_close, backend, dtype, activation
):
    weights = naive.random_weights([3, 4])
    x, y = naive.random_data("mse", 9, 3, 4)
    one = network([3, 4], [activation], weights, backend=backend, dtype=dtype)
    two = fastnn.Sequential([Input(shape=(3,)), Dense(4), Activation(activation)])
    two.compile(loss="mse", backend=backend, dtype=dtype)
    two.set_weights(weights)
    assert_close([two.predict(x)], [one.predict(x)], 1e-6)
    kernel, bias = flat_gradients(one, x, y)
    dense = two.gradients(x, y)[0]
    assert_close([dense["kernel"], dense["bias"]], [kernel, bias], 1e-5)


def test_activations_may_follow_one_another(backend):
    """Gradients through them, against differences of the model's own loss."""
    model = fastnn.Sequential(
        [Input(shape=(3,)), Activation("tanh"), Dense(4, "silu"), Activation("elu"), Dense(2), Activation("gelu")]
    )
    model.compile(loss="mse", backend=backend, dtype="float64")
    weights = naive.random_weights([3, 4, 2])
    model.set_weights(weights)
    x, y = naive.random_data("mse", 9, 3, 2)
    value = {name: function for name, (function, _) in naive.ACTIVATIONS.items()}
    hidden = value["elu"](value["silu"](np.tanh(x) @ weights[0] + weights[1]))
    np.testing.assert_allclose(model.predict(x), value["gelu"](hidden @ weights[2] + weights[3]), rtol=1e-10)
    gradients = [g for layer in model.gradients(x, y) for g in layer.values()]
    assert len(gradients) == 4
    for number, index in ((0, (2, 1)), (1, (3,)), (2, (0, 1)), (3, (1,))):
        losses_beside = []
        for step in (1e-5, -1e-5):
            moved = [w.copy() for w in weights]
            moved[number][index] += step
            model.set_weights(moved)
            losses_beside.append(model.evaluate(x, y, verbose=0))
        slope = (losses_beside[0] - losses_beside[1]) / 2e-5
        assert gradients[number][index] == pytest.approx(slope, rel=1e-6)


def test_parameters_of_activations_are_used(network, backend, dtype):
    x = np.array([[-2.0], [3.0]])
    for activation, expected in (
        (activations.LeakyReLU(negative_slope=0.5), [-1, 3]),
        (activations.ELU(alpha=2.0), [2 * np.expm1(-2), 3]),
    ):
        model = unit_network(network, activation, backend=backend, dtype=dtype)
        assert model.predict(x).ravel() == pytest.approx(expected, rel=1e-6)
