"""Each loss beyond the common ones: values, gradients, extremes, targets."""

import naive
import numpy as np
import pytest

import fastnn
from fastnn import losses
from fastnn.layers import Dense, Input

# a loss as the reference has it, fastnn's, outputs and the activation of the last layer
CASES = [
    ("log_cosh", losses.LogCosh(), 2, "linear"),
    ("log_cosh", losses.LogCosh(), 17, "tanh"),
    ("quantile", losses.Quantile([0.1, 0.5, 0.8]), 3, "linear"),
    ("mean_absolute_percentage_error", losses.MeanAbsolutePercentageError(), 2, "linear"),
    ("mean_squared_logarithmic_error", losses.MeanSquaredLogarithmicError(), 3, "softplus"),
    ("cosine_similarity", losses.CosineSimilarity(), 3, "linear"),
    ("cosine_similarity", losses.CosineSimilarity(), 17, "tanh"),
    ("categorical_hinge", losses.CategoricalHinge(), 4, "linear"),
    ("categorical_hinge", losses.CategoricalHinge(), 19, "softmax"),
    ("poisson", losses.Poisson(), 2, "softplus"),
    ("poisson", losses.Poisson(), 3, "softmax"),
    ("kl_divergence", losses.KLDivergence(), 4, "softmax"),
    ("kl_divergence", losses.KLDivergence(), 20, "softmax"),
    ("kl_divergence", losses.KLDivergence(), 3, "sigmoid"),
    ("hinge", losses.Hinge(), 1, "linear"),
    ("squared_hinge", losses.SquaredHinge(), 2, "tanh"),
    (
        "binary_focal_crossentropy",
        losses.BinaryFocalCrossentropy(apply_class_balancing=True, alpha=0.3, gamma=1.5),
        2,
        "sigmoid",
    ),
    (
        "binary_focal_crossentropy",
        losses.BinaryFocalCrossentropy(apply_class_balancing=True, alpha=0.3, gamma=1.5),
        3,
        "softmax",
    ),
    ("categorical_focal_crossentropy", losses.CategoricalFocalCrossentropy(alpha=naive.ALPHA.tolist()), 4, "softmax"),
]
ACCURACY = {"float32": 1e-4, "float64": 1e-9}


@pytest.mark.parametrize(("reference", "loss", "outputs", "activation"), CASES)
def test_values_and_gradients_are_those_of_the_reference(
    network, flat_gradients, assert_close, backend, dtype, reference, loss, outputs, activation
):
    sizes, activations = [3, 4, outputs], ["tanh", activation]
    weights = naive.random_weights(sizes)
    x, y = naive.random_data(reference, 9, 3, outputs)
    if reference == "quantile":
        y = y[:, :1]
    weight = np.linspace(0.5, 2, 9)
    model = network(sizes, activations, weights, loss=loss, backend=backend, dtype=dtype)
    value = naive.loss_of_batch(weights, activations, reference, x, y, weight)
    assert model.evaluate(x, y, sample_weight=weight, verbose=0) == pytest.approx(value, rel=ACCURACY[dtype])
    expected = naive.backward(weights, activations, reference, x, y)
    assert_close(naive.finite_differences(weights, activations, reference, x, y), expected, 1e-6)
    assert_close(flat_gradients(model, x, y), expected, ACCURACY[dtype])


def unit(network, loss, activation="linear", **options):
    """output = activation(x)."""
    return network([1, 1], [activation], [np.ones((1, 1)), np.zeros(1)], loss=loss, **options)


def value_and_slope(model, flat_gradients, x, y):
    x, y = np.array([[x]]), np.array([[y]])
    return model.evaluate(x, y, verbose=0), flat_gradients(model, x, y)[1][0]


@pytest.mark.parametrize(
    ("error", "value"),
    [(1e-3, 5e-7 - 1e-12 / 12), (-1e-2, 5e-5 - 1e-8 / 12), (1.0, np.log(np.cosh(1))), (300.0, 300 - np.log(2))],
)
def test_log_cosh_is_exact_near_zero_and_far_from_it(network, flat_gradients, backend, dtype, error, value):
    model = unit(network, "log_cosh", backend=backend, dtype=dtype)
    found, slope = value_and_slope(model, flat_gradients, error, 0.0)
    accuracy = {"float32": 1e-5, "float64": 1e-9}[dtype]
    assert found == pytest.approx(value, rel=accuracy)
    assert slope == pytest.approx(np.tanh(error), rel=accuracy)


@pytest.mark.parametrize("logit", [-400.0, -60.0, 60.0, 400.0])
def test_binary_focal_crossentropy_of_a_sigmoid_is_exact_for_large_logits(
    network, flat_gradients, backend, dtype, logit
):
    model = unit(network, losses.BinaryFocalCrossentropy(gamma=2.0), "sigmoid", backend=backend, dtype=dtype)
    wrong = 0.0 if logit > 0 else 1.0
    value, slope = value_and_slope(model, flat_gradients, logit, wrong)
    assert value == pytest.approx(abs(logit), rel=1e-6)
    assert slope == pytest.approx(np.sign(logit), rel=1e-6)
    value, slope = value_and_slope(model, flat_gradients, logit, 1 - wrong)
    assert value == pytest.approx(0, abs=1e-20)
    assert slope == pytest.approx(0, abs=1e-20)


@pytest.mark.parametrize("kind", [losses.CategoricalFocalCrossentropy, losses.KLDivergence])
def test_losses_of_a_softmax_are_exact_for_large_logits(network, flat_gradients, backend, dtype, kind):
    loss = kind(alpha=1.0) if kind is losses.CategoricalFocalCrossentropy else kind()
    model = network([2, 2], ["softmax"], [np.eye(2), np.zeros(2)], loss=loss, backend=backend, dtype=dtype)
    x = np.array([[1000.0, 0.0]])
    assert model.evaluate(x, np.array([[0.0, 1.0]]), verbose=0) == pytest.approx(1000, rel=1e-6)
    assert flat_gradients(model, x, np.array([[0.0, 1.0]]))[1] == pytest.approx([1, -1], rel=1e-6)
    assert model.evaluate(x, np.array([[1.0, 0.0]]), verbose=0) == pytest.approx(0, abs=1e-20)
    assert flat_gradients(model, x, np.array([[1.0, 0.0]]))[1] == pytest.approx([0, 0], abs=1e-20)


def test_focal_with_gamma_of_zero_is_the_crossentropy(network, flat_gradients, assert_close, backend):
    options = {"weights": naive.random_weights([3, 4]), "backend": backend, "dtype": "float64"}
    x, y = naive.random_data("binary_crossentropy", 9, 3, 4)
    for activation, plain, focal in (
        ("sigmoid", losses.BinaryCrossentropy(), losses.BinaryFocalCrossentropy(gamma=0)),
        ("tanh", losses.BinaryCrossentropy(), losses.BinaryFocalCrossentropy(gamma=0)),
        ("softmax", losses.CategoricalCrossentropy(), losses.CategoricalFocalCrossentropy(alpha=1, gamma=0)),
    ):
        a, b = (network([3, 4], [activation], loss=loss, **options) for loss in (plain, focal))
        assert a.evaluate(x, y, verbose=0) == pytest.approx(b.evaluate(x, y, verbose=0), rel=1e-12)
        assert_close(flat_gradients(a, x, y), flat_gradients(b, x, y), 1e-12)


@pytest.mark.parametrize("kind", [losses.BinaryFocalCrossentropy, losses.CategoricalFocalCrossentropy])
def test_focal_from_logits_is_that_of_probabilities(network, flat_gradients, assert_close, backend, dtype, kind):
    activation = "sigmoid" if kind is losses.BinaryFocalCrossentropy else "softmax"
    x, y = naive.random_data("categorical_crossentropy", 9, 3, 4)
    options = {"weights": naive.random_weights([3, 4]), "backend": backend, "dtype": dtype}
    whole = network([3, 4], [activation], loss=kind(), **options)
    logits = network([3, 4], ["linear"], loss=kind(from_logits=True), **options)
    assert logits.evaluate(x, y, verbose=0) == pytest.approx(whole.evaluate(x, y, verbose=0), rel=1e-6)
    assert_close(flat_gradients(logits, x, y), flat_gradients(whole, x, y), 1e-5)


@pytest.mark.parametrize("loss", ["hinge", "squared_hinge"])
def test_hinge_takes_zero_for_minus_one(network, backend, loss):
    model = unit(network, loss, backend=backend)
    x, y = np.array([[0.3], [-2.0], [0.1]]), np.array([1, 0, 0])
    assert model.evaluate(x, y, verbose=0) == model.evaluate(x, 2 * y - 1, verbose=0) > 0


def test_several_quantiles_of_several_targets(network, backend):
    """The outputs that make the loss least are the targets' quantiles."""
    rng = np.random.default_rng(0)
    y = np.stack([rng.uniform(size=2001), 3 * rng.uniform(size=2001)], axis=1)
    model = fastnn.Sequential([Input((1,)), Dense(6, kernel_initializer="zeros")], seed=0)
    model.compile(fastnn.optimizers.Adam(0.05), losses.Quantile([0.1, 0.5, 0.9]), backend=backend, dtype="float64")
    model.fit(np.zeros((2001, 1)), y, batch_size=2001, epochs=400, verbose=0)
    found = model.predict(np.zeros((1, 1))).reshape(2, 3)
    np.testing.assert_allclose(found, np.quantile(y, [0.1, 0.5, 0.9], axis=0).T, atol=0.03)


def test_one_column_of_targets_serves_all_quantiles(network, backend):
    model = network([2, 2], ["linear"], loss=losses.Quantile([0.25, 0.75]), backend=backend, dtype="float64")
    x = np.random.default_rng(0).normal(size=(40, 2))
    y = x[:, 0] + 1
    p = model.predict(x)
    q = np.array([0.25, 0.75])
    expected = np.mean(np.maximum(q * (y[:, None] - p), (q - 1) * (y[:, None] - p)))
    assert model.evaluate(x, y, verbose=0) == pytest.approx(expected, rel=1e-12)
    kept = model.get_weights()
    for targets in (y, y[:, None].astype("float16").astype(float), y.astype("float16")):  # read in place, or converted
        model.set_weights(kept)
        model.fit(x, targets, epochs=2, batch_size=16, validation_split=0.25, verbose=0)
        model.train_on_batch(x[:5], targets[:5])


TWO_COLUMNS = [
    losses.LogCosh(),
    losses.Quantile(0.3),
    losses.Poisson(),
    losses.KLDivergence(),
    losses.Hinge(),
    losses.SquaredHinge(),
    losses.BinaryFocalCrossentropy(),
    losses.CategoricalFocalCrossentropy(),
    losses.MeanSquaredError(),
    losses.HalfSquaredError(),
    losses.MeanAbsoluteError(),
    losses.Huber(2.0),
    losses.BinaryCrossentropy(),
    losses.CategoricalCrossentropy(),
    losses.MeanAbsolutePercentageError(),
    losses.MeanSquaredLogarithmicError(),
    losses.CosineSimilarity(),
    losses.CategoricalHinge(),
]


@pytest.mark.parametrize("loss", TWO_COLUMNS, ids=lambda loss: loss.name)
def test_each_loss_learns_several_outputs_alike_on_any_number_of_threads(network, backend, loss):
    x = np.random.default_rng(0).normal(size=(200, 5))
    y = np.eye(3)[(x @ np.ones((5, 3)) + [0, 1, -1]).argmax(axis=1)]
    activation = "sigmoid" if type(loss) in (losses.Poisson, losses.BinaryFocalCrossentropy) else "linear"
    activation = "softmax" if "Categorical" in type(loss).__name__ or "KL" in type(loss).__name__ else activation
    results = []
    for threads in (1, 3):
        model = network([5, 8, 3], ["tanh", activation], loss=loss, optimizer="adam", backend=backend, threads=threads)
        history = model.fit(x, y, batch_size=64, epochs=30, verbose=0).history["loss"]
        assert history[-1] < history[0]
        results.append(model.get_weights())
    for a, b in zip(*results, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("loss", TWO_COLUMNS + [losses.Quantile([0.2, 0.8])], ids=lambda loss: repr(loss))
def test_a_loss_is_described_in_full(loss):
    again = losses.get({"class_name": type(loss).__name__, "config": loss.get_config()})
    assert type(again) is type(loss)
    assert again.get_config() == loss.get_config()


def test_keras_names():
    for name, kind in (
        ("log_cosh", losses.LogCosh),
        ("kl_divergence", losses.KLDivergence),
        ("KLDivergence", losses.KLDivergence),
        ("binary_focal_crossentropy", losses.BinaryFocalCrossentropy),
        ("CategoricalFocalCrossentropy", losses.CategoricalFocalCrossentropy),
        ("SquaredHinge", losses.SquaredHinge),
        ("poisson", losses.Poisson),
    ):
        assert type(losses.get(name)) is kind


@pytest.mark.parametrize(
    ("loss", "activation", "y", "message"),
    [
        (
            "poisson",
            "softplus",
            [[1.0, 2.0], [0.0, -0.5]],
            "y has -0.5 in row 1, column 1; the loss wants values of at least 0",
        ),
        (
            "kl_divergence",
            "softmax",
            [[0.0, 1.0], [1.5, 0.0]],
            "y has 1.5 in row 1, column 0; the loss wants values from 0 to 1",
        ),
        ("hinge", "linear", [[0.0, 1.0], [-1.0, 1.0]], "wants -1 and 1 alone, or 0 and 1"),
        ("squared_hinge", "linear", [[0.5, 1.0], [1.0, 1.0]], "y has 0.5 in row 0, column 0"),
        ("binary_focal_crossentropy", "sigmoid", [[0.0, 2.0], [0.0, 1.0]], "y has 2.0 in row 0, column 1"),
    ],
)
def test_targets_that_the_loss_cannot_mean_are_refused(network, loss, activation, y, message):
    model = network([3, 2], [activation], loss=loss, backend="numpy")
    with pytest.raises(ValueError, match=message):
        model.fit(np.zeros((2, 3)), np.array(y), verbose=0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: losses.Quantile(1.0), "quantiles got 1.0"),
        (lambda: losses.Quantile([0.5, 0.0]), r"quantiles\[1\] got 0.0"),
        (lambda: losses.Quantile([]), "quantiles got none"),
        (lambda: losses.BinaryFocalCrossentropy(alpha=2), "alpha got 2"),
        (lambda: losses.CategoricalFocalCrossentropy(gamma=-1), "gamma got -1"),
    ],
)
def test_constants_out_of_range_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_outputs_that_do_not_fit_are_refused(network):
    quantiles = losses.Quantile([0.1, 0.5, 0.9])
    with pytest.raises(ValueError, match="loss got 3 quantiles, but the model has 4 outputs"):
        network([3, 4], ["linear"], loss=quantiles, backend="numpy")
    model = network([3, 6], ["linear"], loss=quantiles, backend="numpy")
    with pytest.raises(ValueError, match=r"model has 6 outputs, 3 a target; wants \(rows, 2\)"):
        model.fit(np.zeros((2, 3)), np.zeros((2, 6)), verbose=0)
    focal = losses.CategoricalFocalCrossentropy(alpha=[0.5, 0.5, 1.0])
    with pytest.raises(ValueError, match="alpha got 3 numbers, but the model has 4 outputs"):
        network([3, 4], ["softmax"], loss=focal, backend="numpy")
    with pytest.raises(ValueError, match="wants 'softmax'"):
        network([3, 4], ["linear"], loss="categorical_focal_crossentropy", backend="numpy")


def test_a_loss_that_diverges_is_seen(network, backend):
    """A NaN among the outputs shows in the value of each loss, whatever its comparisons make of it."""
    for loss in ("hinge", "squared_hinge", "quantile", "log_cosh", "poisson"):
        model = unit(network, loss, backend=backend)
        model._engine.parameters.values[0] = np.nan
        assert np.isnan(model.evaluate(np.ones((1, 1)), np.ones((1, 1)), verbose=0))
