"""Every number of the article that the library implements.

It is "How do we actually teach a machine to learn?" (2023).

The article writes the weights of each neuron as a row; Keras's kernels, and fastnn's, hold them as columns.
"""

import numpy as np
import pytest

import fastnn
from fastnn.layers import Dense, Input
from fastnn.optimizers import SGD, Adam

POINTS = np.array([[0, 0], [1, 1], [0, 1], [1, 0]], dtype="float64")
CLASSES = np.array([0, 0, 1, 1])


@pytest.fixture
def exact(dtype):
    """Relative accuracy to be had from a dtype."""
    return {"float32": 1e-6, "float64": 1e-14}[dtype]


@pytest.fixture
def compiled(backend, dtype):
    """A model of the layers given, on the backend and dtype of the test."""

    def build(inputs, *layers, seed=0, **options):
        model = fastnn.Sequential([Input(shape=(inputs,)), *layers], seed=seed)
        model.compile(backend=backend, dtype=dtype, **options)
        return model

    return build


def rows(*neurons):
    """A kernel from the article's rows of weights, one a neuron."""
    return np.array(neurons, dtype="float64").T


# --- 2. Logistic regression by maximum likelihood


@pytest.fixture
def balls(compiled):
    """Three blue balls and two yellow ones, and the model of them: p = sigmoid(bias)."""
    model = compiled(1, Dense(1, activation="sigmoid"), loss="binary_crossentropy", optimizer=SGD(1.0))
    model.set_weights([np.zeros((1, 1)), np.zeros(1)])
    return model, np.zeros((5, 1)), np.array([1, 1, 1, 0, 0])


def test_balls_train_to_three_fifths(balls):
    model, x, y = balls
    model.fit(x, y, batch_size=5, epochs=200, verbose=0)
    assert model.predict(x) == pytest.approx(0.6, rel=1e-6)


def test_gradient_of_the_balls_is_zero_at_three_fifths_only(balls, exact):
    model, x, y = balls
    for p in (0.5, 0.6, 0.7):
        model.set_weights([np.zeros((1, 1)), np.array([np.log(p / (1 - p))])])
        assert model.gradients(x, y)[0]["bias"][0] == pytest.approx(p - 0.6, abs=exact)


def test_loss_of_the_balls_is_the_negative_log_likelihood_each(balls, exact):
    model, x, y = balls
    model.set_weights([np.zeros((1, 1)), np.array([np.log(0.6 / 0.4)])])
    expected = -(3 * np.log(0.6) + 2 * np.log(0.4)) / 5
    assert model.evaluate(x, y, verbose=0) == pytest.approx(expected, rel=exact)


def test_sigmoid_is_above_a_half_exactly_where_its_input_is_above_zero(compiled):
    model = compiled(1, Dense(1, activation="sigmoid"), loss="mse")
    model.set_weights([np.ones((1, 1)), np.zeros(1)])
    x = np.linspace(-15, 15, 301).reshape(-1, 1)
    x[150] = 0
    p = model.predict(x)
    assert np.all((p > 0) & (p < 1))
    assert np.array_equal(p > 0.5, x > 0)
    assert p[150] == 0.5


# --- 3. Why a network: four points no line divides


def right(model):
    return int(np.sum((model.predict(POINTS).ravel() > 0.5) == CLASSES))


def test_logistic_regression_gets_at_most_three_of_the_four_points(compiled):
    for seed in range(3):
        model = compiled(2, Dense(1, activation="sigmoid"), seed=seed, loss="binary_crossentropy", optimizer=SGD(0.5))
        model.fit(POINTS, CLASSES, batch_size=4, epochs=500, verbose=0)
        assert right(model) <= 3


@pytest.mark.parametrize("activation", ["sigmoid", "tanh"])
def test_small_network_learns_the_four_points(compiled, activation):
    layers = Dense(4, activation=activation), Dense(1, activation="sigmoid")
    model = compiled(2, *layers, loss="binary_crossentropy", optimizer=Adam(0.1))
    before = model.evaluate(POINTS, CLASSES, verbose=0)
    model.fit(POINTS, CLASSES, batch_size=4, epochs=500, verbose=0)
    assert right(model) == 4
    assert model.evaluate(POINTS, CLASSES, verbose=0) < before / 10


def test_two_neurons_map_the_four_points_to_where_a_line_divides_them(compiled):
    model = compiled(2, Dense(2, activation="sigmoid"), Dense(1, activation="sigmoid"), loss="mse")
    transformation = rows([-2, 2], [2, -2]), np.array([-1, -1])
    model.set_weights([*transformation, rows([10, 10]), np.array([-6.5])])
    z = model.forward(POINTS)[0]
    expected = {(0, 0): (0.27, 0.27), (1, 1): (0.27, 0.27), (0, 1): (0.73, 0.05), (1, 0): (0.05, 0.73)}
    for point, features in zip(POINTS, z, strict=True):
        assert np.round(features, 2) == pytest.approx(expected[tuple(point)])
    assert right(model) == 4


# --- 4. Fully connected feed-forward network


def test_first_neuron_gives_four_and_its_sigmoid_098(compiled, exact):
    x = np.array([[1, -1]])
    for activation, expected in (("linear", 4.0), ("sigmoid", 1 / (1 + np.exp(-4)))):
        model = compiled(2, Dense(1, activation=activation), loss="mse")
        model.set_weights([rows([1, -2]), np.array([1])])
        output = model.predict(x)[0, 0]
        assert output == pytest.approx(expected, rel=exact)
    assert round(float(output), 2) == 0.98


@pytest.mark.parametrize(
    ("x", "activations"),
    [((1, -1), [(0.98, 0.12), (0.86, 0.11), (0.62, 0.83)]), ((0, 0), [(0.73, 0.50), (0.72, 0.12), (0.51, 0.85)])],
)
def test_whole_network_gives_the_activations_of_the_figure(compiled, x, activations):
    model = compiled(2, *(Dense(2, activation="sigmoid") for _ in range(3)), loss="mse")
    first = rows([1, -2], [-1, 1]), np.array([1, 0])
    second = rows([2, -1], [-2, -1]), np.array([0, 0])
    third = rows([3, -1], [-1, 4]), np.array([-2, 2])
    model.set_weights([*first, *second, *third])
    layers = model.forward(np.array([x]))
    assert [tuple(np.round(layer[0], 2)) for layer in layers] == [pytest.approx(a) for a in activations]
    assert np.array_equal(layers[-1], model.predict(np.array([x])))


# --- 5. Loss


def test_classification_has_cross_entropy_and_regression_mean_squared_error(compiled, exact):
    two = np.eye(2)
    model = compiled(2, Dense(2, activation="softmax"), loss="categorical_crossentropy")
    model.set_weights([np.log([[0.75, 0.25], [0.5, 0.5]]), np.zeros(2)])
    likelihood = 0.75 * 0.5
    assert model.evaluate(two, two, verbose=0) == pytest.approx(-np.log(likelihood) / 2, rel=exact)
    model = compiled(2, Dense(1), loss="mse")
    model.set_weights([np.array([[1.0], [3.0]]), np.zeros(1)])
    assert model.evaluate(two, np.zeros(2), verbose=0) == pytest.approx((1 + 9) / 2, rel=exact)


# --- 6. Gradient descent


def saddle(at):
    """Gradient of z = y^2 - x^2."""
    x, y = at
    return np.array([-2 * x, 2 * y])


def test_gradient_of_the_saddle():
    def z(x, y):
        return y**2 - x**2

    step = 1e-6
    for x, y in ((0.0, 0.0), (1.0, 2.0), (-3.0, 0.5)):
        by_x = (z(x + step, y) - z(x - step, y)) / (2 * step)
        by_y = (z(x, y + step) - z(x, y - step)) / (2 * step)
        assert saddle((x, y)) == pytest.approx([by_x, by_y], abs=1e-8)


def test_path_over_the_saddle_falls_along_y_and_runs_off_along_x():
    path = fastnn.gradient_descent(saddle, [0.1, 1.0], learning_rate=0.005, steps=50)
    t = np.arange(51)
    assert path.shape == (51, 2)
    assert path == pytest.approx(np.column_stack([0.1 * 1.01**t, 0.99**t]), rel=1e-12)


def test_path_from_the_ridge_ends_in_the_saddle_point():
    path = fastnn.gradient_descent(saddle, [0.0, 1.0], learning_rate=0.1, steps=200)
    assert np.all(path[:, 0] == 0)
    assert path[-1] == pytest.approx([0, 0], abs=1e-15)


def test_one_step_goes_against_the_gradient_by_the_rate():
    path = fastnn.gradient_descent(saddle, [3.0, -2.0], learning_rate=0.001, steps=1)
    assert path == pytest.approx(np.array([[3.0, -2.0], [3.006, -1.996]]), rel=1e-15)


def curve(x):
    """Slope of x^4 - 3 x^3 + 2, which is flat at 0 and least at 9/4."""
    return 4 * x**3 - 9 * x**2


@pytest.mark.parametrize(("start", "end"), [(4.0, 2.25), (0.5, 2.25), (0.0, 0.0), (2.25, 2.25)])
def test_curve_is_descended_until_its_slope_is_zero(start, end):
    path = fastnn.gradient_descent(curve, [start], learning_rate=0.005, steps=1000)
    assert path[0, 0] == start
    assert path[-1, 0] == pytest.approx(end, abs=1e-6)


def test_where_the_slope_is_zero_the_search_stays():
    path = fastnn.gradient_descent(curve, [2.25], learning_rate=0.005, steps=10)
    assert np.all(path == 2.25)


def parabola(x):
    """Slope of x^2."""
    return 2 * x


def test_too_large_a_rate_jumps_back_and_forth_around_the_minimum():
    path = fastnn.gradient_descent(parabola, [1.0], learning_rate=1.0, steps=6)
    assert path.ravel().tolist() == [1, -1, 1, -1, 1, -1, 1]


@pytest.mark.parametrize(("rate", "crosses", "converges"), [(0.1, False, True), (0.9, True, True), (1.1, True, False)])
def test_rate_decides_whether_the_search_crosses_the_minimum_and_whether_it_ends(rate, crosses, converges):
    path = fastnn.gradient_descent(parabola, [1.0], learning_rate=rate, steps=20).ravel()
    assert np.all((path[1:] * path[:-1] < 0) == crosses)
    assert np.all((np.abs(path[1:]) < np.abs(path[:-1])) == converges)


# --- 7. Backpropagation, one full round


@pytest.fixture
def worked_example(compiled):
    """Two inputs, two hidden units, one output, no bias, no nonlinearity; w1 to w6 in place."""
    model = compiled(
        2,
        Dense(2, use_bias=False),
        Dense(1, use_bias=False),
        loss="half_squared_error",
        optimizer=SGD(learning_rate=0.1),
    )
    model.set_weights([rows([1.0, 0.5], [0.5, 0.7]), rows([1.0, 2.0])])
    return model, np.array([[0.5, 1.0]]), np.array([0.8])


def w1_to_w6(hidden, output):
    """The article's order, from two arrays shaped as kernels."""
    return np.concatenate([np.ravel(np.transpose(hidden)), np.ravel(output)])


def test_worked_example_forward_pass_and_loss(worked_example, exact):
    model, x, y = worked_example
    hidden, output = model.forward(x)
    assert hidden[0] == pytest.approx([1.0, 0.95], rel=exact)
    assert output[0, 0] == pytest.approx(2.9, rel=exact)
    assert model.evaluate(x, y, verbose=0) == pytest.approx(2.205, rel=exact)


def test_worked_example_gradients(worked_example, exact):
    model, x, y = worked_example
    hidden, output = model.gradients(x, y)
    gradients = w1_to_w6(hidden["kernel"], output["kernel"])
    assert gradients == pytest.approx([1.05, 2.1, 2.1, 4.2, 2.1, 1.995], rel=2 * exact)


def test_worked_example_weights_after_one_step(worked_example, exact):
    model, x, y = worked_example
    loss = model.train_on_batch(x, y)
    assert loss == pytest.approx(2.205, rel=exact)
    weights = w1_to_w6(*model.get_weights())
    assert weights == pytest.approx([0.895, 0.29, 0.29, 0.28, 0.79, 1.8005], rel=10 * exact)


def test_worked_example_second_forward_pass(worked_example, exact):
    """The article prints 1.3478 and its sentence calls it the new loss; it is the new prediction.

    The new loss is 1/2 (1.3478375 - 0.8)^2.
    """
    model, x, y = worked_example
    model.fit(x, y, batch_size=1, epochs=1, verbose=0)
    assert model.predict(x)[0, 0] == pytest.approx(1.3478375, rel=10 * exact)
    assert model.evaluate(x, y, verbose=0) == pytest.approx((1.3478375 - 0.8) ** 2 / 2, rel=20 * exact)
    assert model.evaluate(x, y, verbose=0) == pytest.approx(0.150062963, abs=1e-6)


def test_half_squared_error_leaves_mse_the_mean_of_squares(compiled, worked_example, exact):
    model, x, y = worked_example
    other = compiled(2, Dense(2, use_bias=False), Dense(1, use_bias=False), loss="mse")
    other.set_weights(model.get_weights())
    assert other.evaluate(x, y, verbose=0) == pytest.approx(2 * 2.205, rel=exact)


def test_repeating_the_round_converges(worked_example):
    model, x, y = worked_example
    loss = model.fit(x, y, batch_size=1, epochs=100, verbose=0).history["loss"]
    assert loss[0] == pytest.approx(2.205, rel=1e-6)
    assert loss[-1] < 1e-10
