"""Pictures show what they say: lines, contours and numbers are read back from the axes."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import fastnn
from fastnn import callbacks, plot
from fastnn.layers import Activation, Dense, Input
from fastnn.training import loop

pytest.importorskip("matplotlib")

from matplotlib.figure import Figure

X = np.array([[0, 0], [1, 1], [0, 1], [1, 0]], dtype="float64")
Y = np.array([0, 1, 1, 0])
PAGE = Path(__file__).resolve().parent.parent.parent / "docs" / "looking.md"


@pytest.fixture
def ax():
    """Axes, and no pyplot to be had."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "matplotlib.pyplot", None)
        figure = Figure(layout="constrained")
        yield figure.subplots()
        figure.canvas.draw()  # every picture must draw, without a warning


def model_of(*layers, inputs=2, weights=None, loss="mse"):
    model = fastnn.Sequential([Input((inputs,)), *layers], seed=0)
    model.compile(loss=loss, backend="numpy", dtype="float64")
    if weights is not None:
        model.set_weights(weights)
    return model


@pytest.fixture
def line():
    """A classifier whose boundary is x1 + x2 = 1."""
    return model_of(Dense(1, activation="sigmoid"), weights=[[[3.0], [3.0]], [-3.0]])


@pytest.fixture
def article():
    """The network of section 4."""
    first, second, third = [[1, -1], [-2, 1]], [[2, -2], [-1, -1]], [[3, -1], [-1, 4]]
    layers = [Dense(2, activation="sigmoid") for _ in range(3)]
    return model_of(*layers, weights=[first, [1, 0], second, [0, 0], third, [-2, 2]])


def texts(ax):
    return [text.get_text() for text in ax.texts]


# --- History


@pytest.fixture
def trained():
    model = model_of(Dense(3, activation="tanh"), Dense(1, activation="sigmoid"), loss="binary_crossentropy")
    model.compile(loss="binary_crossentropy", metrics=["accuracy"], backend="numpy")
    return model


@pytest.mark.parametrize("validation", [None, (X, Y)])
def test_history_has_the_time_of_each_epoch(trained, validation):
    history = trained.fit(X, Y, epochs=3, batch_size=2, validation_data=validation, verbose=0)
    assert len(history.seconds) == len(history.samples_per_second) == 3
    assert min(history.seconds) > 0
    assert np.multiply(history.seconds, history.samples_per_second) == pytest.approx([4, 4, 4])
    assert set(history.history) == {"loss", "accuracy"} | ({"val_loss", "val_accuracy"} if validation else set())


def test_callbacks_find_the_time_of_the_epoch_that_has_ended(trained):
    class Look(callbacks.Callback):
        seen = ()

        def on_epoch_end(self, epoch, logs=None):
            self.seen += (len(self.model.history.seconds),)

    look = Look()
    trained.fit(X, Y, epochs=3, callbacks=[look], verbose=0)
    assert look.seen == (1, 2, 3)


@pytest.mark.parametrize("interrupted", [False, True])
def test_epochs_of_one_compiled_run_share_its_time_by_their_steps(monkeypatch, interrupted):
    class Run:
        """Stands at step 2 of epochs of 4 steps, and takes the 10 steps up to step 12 in 5 seconds."""

        step, steps_per_epoch, seconds_a_step = 2, 4, 0.001
        epoch = property(lambda self: self.step // 4)

        def place(self):
            return (self.step - 1) // 4, (self.step - 1) % 4 + 1

        def advance(self, last):
            self.step = last
            if interrupted:
                raise KeyboardInterrupt

    clock = iter([100.0, 105.0])
    monkeypatch.setattr(loop.time, "perf_counter", lambda: next(clock))
    run, seconds = Run(), 4 * [0.0]
    try:
        loop._slice(run, 12, seconds)
    except KeyboardInterrupt:
        assert interrupted
    assert seconds == [1, 2, 2, 0]
    assert run.seconds_a_step == 0.5


def test_history_plot_draws_training_and_validation(trained, ax):
    history = trained.fit(X, Y, epochs=4, validation_data=(X, Y), verbose=0)
    assert history.plot(ax, ["loss", "accuracy"]) is ax
    drawn = {line.get_label(): line for line in ax.lines}
    assert set(drawn) == {"loss", "loss, validation", "accuracy", "accuracy, validation"}
    assert drawn["loss, validation"].get_ydata() == pytest.approx(history.history["val_loss"])
    assert drawn["loss"].get_xdata() == pytest.approx([1, 2, 3, 4])
    assert drawn["loss"].get_color() == drawn["loss, validation"].get_color() != drawn["accuracy"].get_color()


@pytest.mark.parametrize(("values", "scale"), [([1.0, 0.5], "linear"), ([1.0, 0.001], "log"), ([1.0, -9.0], "linear")])
def test_history_plot_is_logarithmic_where_values_span_much(ax, values, scale):
    history = callbacks.History()
    for epoch, value in enumerate(values):
        history.on_epoch_end(epoch, {"loss": value})
    assert history.plot(ax).get_yscale() == scale


def test_history_plot_refuses_what_is_not_there(trained, ax):
    with pytest.raises(ValueError, match="history got no epoch"):
        callbacks.History().plot(ax)
    history = trained.fit(X, Y, verbose=0)
    with pytest.raises(ValueError, match=r"metric got 'acuracy'.*did you mean 'accuracy'"):
        history.plot(ax, "acuracy")
    with pytest.raises(ValueError, match="metric got no name"):
        history.plot(ax, [])


# --- Decision boundary


def boundary(ax):
    """Points of the lines between classes."""
    lines = [c for c in ax.collections if type(c).__name__ == "QuadContourSet"]
    return np.vstack([path.vertices for line in lines for path in line.get_paths() if len(path.vertices)])


def colour(ax, x, y):
    """Of the plane at a point."""
    (image,) = ax.images
    left, right, bottom, top = image.get_extent()
    rows, columns = image.get_array().shape[:2]
    row, column = (y - bottom) / (top - bottom) * (rows - 1), (x - left) / (right - left) * (columns - 1)
    return np.asarray(image.get_array())[round(row), round(column)]


@pytest.mark.parametrize("labels", [Y, Y[:, np.newaxis], Y.tolist()])
def test_boundary_is_where_the_output_is_a_half(line, ax, labels):
    assert plot.decision_boundary(line, X, labels, ax) is ax
    assert boundary(ax).sum(axis=1) == pytest.approx(1, abs=0.01)
    red, _, blue = colour(ax, 0, 0)
    assert red > blue
    red, _, blue = colour(ax, 1, 1)
    assert blue > red
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["0", "1"]
    drawn = np.vstack([c.get_offsets() for c in ax.collections if type(c).__name__ == "PathCollection"])
    assert sorted(map(tuple, drawn)) == sorted(map(tuple, X))


def test_boundary_is_halfway_between_the_values_of_the_classes(ax):
    model = model_of(Dense(1, activation="tanh"), weights=[[[1.0], [0.0]], [-0.3]])
    plot.decision_boundary(model, X, 2 * Y - 1, ax)
    assert boundary(ax)[:, 0] == pytest.approx(0.3, abs=0.01)


def test_boundary_of_logits_is_at_zero(ax):
    loss = fastnn.losses.BinaryCrossentropy(from_logits=True)
    model = model_of(Dense(1), weights=[[[1.0], [0.0]], [-0.4]], loss=loss)
    plot.decision_boundary(model, X, Y, ax)
    assert boundary(ax)[:, 0] == pytest.approx(0.4, abs=0.01)


@pytest.mark.parametrize("kind", ["probabilities", "logits", "scores"])
@pytest.mark.parametrize("one_hot", [False, True])
def test_boundaries_of_several_classes_are_where_the_largest_output_changes(ax, kind, one_hot):
    """Classes 0, 1 win where x1 is below, above 1/2; class 2 nowhere."""
    loss = fastnn.losses.CategoricalCrossentropy(from_logits=True) if kind == "logits" else "mse"
    layer = Dense(3, activation="softmax" if kind == "probabilities" else None)
    model = model_of(layer, weights=[[[-1.0, 1.0, 0.0], [0.0, 0.0, 0.0]], [0.5, -0.5, -9.0]], loss=loss)
    plot.decision_boundary(model, X, np.eye(3)[Y] if one_hot else Y, ax)
    assert boundary(ax)[:, 0] == pytest.approx(0.5, abs=0.01)
    assert not np.allclose(colour(ax, 0, 0), colour(ax, 1, 0), atol=0.1)


def test_boundary_names_the_columns_of_a_frame(line, ax):
    frame = pytest.importorskip("pandas").DataFrame(X, columns=["width", "height"])
    plot.decision_boundary(line, frame, Y, ax)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("width", "height")


def test_one_class_and_one_point_can_be_drawn(line, ax):
    plot.decision_boundary(line, X[:1], [1], ax)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["1"]


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (np.zeros((4, 3)), Y, r"x has shape \(4, 3\)"),
        (X, [0, 1], r"y got shape \(2,\); wants \(4,\)"),
        (X, [0, 1, 2, 3], "y got 4 different values; wants two"),
        (X, [0, 1, np.nan, 0], "y has"),
    ],
)
def test_boundary_refuses_what_it_cannot_draw(line, ax, x, y, message):
    with pytest.raises(ValueError, match=message):
        plot.decision_boundary(line, x, y, ax)
    assert not ax.has_data()


def test_boundary_refuses_classes_that_the_model_lacks(ax):
    model = model_of(Dense(3, activation="softmax"))
    for wrong in ([0, 1, 2, 3], [0, 1, 0.5, 1]):
        with pytest.raises(ValueError, match="wants class numbers from 0 to 2"):
            plot.decision_boundary(model, X, wrong, ax)


# --- Descent


def saddle(p):
    return p[1] ** 2 - p[0] ** 2


def test_descent_draws_the_path_over_contours_of_the_function(ax):
    path = fastnn.gradient_descent(lambda p: [-2 * p[0], 2 * p[1]], [0.1, 1.0], 0.1, 10)
    assert plot.descent(path, saddle, ax) is ax
    assert np.array_equal(ax.lines[0].get_xydata(), path)
    (lines,) = [c for c in ax.collections if not c.filled]
    for level, contour in zip(lines.levels, lines.get_paths(), strict=True):
        assert saddle(contour.vertices.T) == pytest.approx(level, abs=2e-3)


def test_descent_of_one_variable_jumps_along_the_curve(ax):
    path = fastnn.gradient_descent(lambda x: 2 * x, [1.0], 0.9, 5)
    plot.descent(path, lambda x: x**2, ax)
    curve, trail = ax.lines[:2]
    assert curve.get_ydata() == pytest.approx(curve.get_xdata() ** 2)
    assert np.array_equal(trail.get_xydata(), np.hstack([path, path**2]))


@pytest.mark.parametrize("path", [[[1.0, 2.0]], [[0.0, 0.0], [5.0, 0.0]], [[3.0]]])
def test_descent_draws_paths_without_extent_and_flat_or_partly_infinite_functions(ax, path):
    plot.descent(path, lambda p: 1.0, ax)
    plot.descent(path, lambda p: p[0] if p[0] > 0 else np.nan, ax)


@pytest.mark.parametrize(
    ("path", "f", "error", "message"),
    [
        (np.zeros((3, 3)), sum, ValueError, r"path got shape \(3, 3\)"),
        (np.zeros((0, 2)), sum, ValueError, r"path got shape \(0, 2\)"),
        ([[0.0, np.inf]], sum, ValueError, "path has"),
        (X, 3, TypeError, "f got 3; wants a function"),
        (X, lambda p: p, ValueError, r"f got a value of shape \(2,\); wants a number"),
        (X, lambda p: np.nan, ValueError, "f is nowhere finite"),
    ],
)
def test_descent_refuses_what_it_cannot_draw(ax, path, f, error, message):
    with pytest.raises(error, match=message):
        plot.descent(path, f, ax)
    assert not ax.has_data()


# --- Likelihood


def test_likelihood_of_five_balls_is_greatest_at_three_fifths(ax):
    assert plot.likelihood(ax=ax) is ax
    p, curve = ax.lines[0].get_data()
    assert curve == pytest.approx(p**3 * (1 - p) ** 2)
    assert p[curve.argmax()] == pytest.approx(0.6)
    assert texts(ax) == ["p = 3/5 = 0.6"]
    balls = ax.collections[-1]
    assert len(balls.get_offsets()) == 5
    assert len(np.unique(balls.get_facecolors(), axis=0)) == 2


@pytest.mark.parametrize(("labels", "best"), [([1], 1), ([0, 0], 0), ([1] * 900 + [0] * 300, 0.75)])
def test_likelihood_of_other_balls(ax, labels, best):
    plot.likelihood(labels, ax=ax)
    p, curve = ax.lines[0].get_data()
    assert np.isfinite(curve).all()
    assert (p[curve.argmax()], curve.max()) == (pytest.approx(best), 1)


def test_likelihood_shows_where_a_search_went(ax):
    plot.likelihood(path=[0.5, 0.6], ax=ax)
    drawn = [line for line in ax.lines if line.get_label() == "end"]
    assert drawn[0].get_xydata() == pytest.approx(np.array([[0.6, 0.6**3 * 0.4**2]]))


@pytest.mark.parametrize(
    ("labels", "path", "message"),
    [([], None, "labels got"), ([0, 2], None, "labels got"), ([1, 0], [1.5], "path got"), ([1, 0], [np.nan], "path")],
)
def test_likelihood_refuses_what_it_cannot_draw(ax, labels, path, message):
    with pytest.raises(ValueError, match=message):
        plot.likelihood(labels, path, ax)
    assert not ax.has_data()


# --- Network


def units(ax):
    """How many units each column has."""
    return [len(c.get_offsets()) for c in ax.collections if type(c).__name__ == "PathCollection"]


def test_network_draws_every_unit_and_weight(article, ax):
    assert plot.network(article, ax) is ax
    assert units(ax) == [2, 2, 2, 2]
    lines = [c for c in ax.collections if type(c).__name__ == "LineCollection"]
    assert [len(line.get_segments()) for line in lines] == [4, 4, 4]
    numbers = [float(text) for text in texts(ax) if text.lstrip("-")[:1].isdigit()]
    assert sorted(numbers) == sorted(np.concatenate([w.ravel() for w in article.get_weights()[::2]]))
    assert {"b 1", "b -2", "input\n2 units", "dense\nsigmoid\n2 units"} <= set(texts(ax))


def test_network_writes_the_activations_of_a_row(article, ax):
    plot.network(article, ax, x=[1, -1])
    expected = ["1.00", "-1.00", "0.98", "0.12", "0.86", "0.11", "0.62", "0.83"]
    assert [text for text in texts(ax) if text in expected[2:]] == expected[2:]


def test_network_colours_weights_by_their_sign(ax):
    model = model_of(Dense(1, use_bias=False), weights=[[[2.0], [-1.0]]])
    plot.network(model, ax)
    (lines,) = [c for c in ax.collections if type(c).__name__ == "LineCollection"]
    (weak, strong), (thin, wide) = lines.get_colors(), lines.get_linewidths()
    assert weak[0] > weak[2]  # orange: -1
    assert strong[2] > strong[0]  # blue: 2
    assert thin < wide


def test_network_draws_some_units_of_wide_layers(ax):
    model = model_of(Dense(500, activation="relu"), Dense(3), inputs=784)
    plot.network(model, ax)
    assert units(ax) == [8, 8, 3]
    assert texts(ax).count("⋮") == 2
    assert {"input\n784 units", "dense\nrelu\n500 units"} <= set(texts(ax))


def test_network_follows_layers_between_dense_ones(ax):
    model = model_of(Dense(2), Activation("relu"), Dense(1), weights=[np.eye(2), [0, 0], [[1.0], [1.0]], [0.0]])
    plot.network(model, ax, x=[[-3.0, 4.0]])
    assert units(ax) == [2, 2, 1]
    assert "-3.00" in texts(ax)
    assert "0.00" in texts(ax)  # relu has been applied
    assert "dense\nactivation\nrelu\n2 units" in texts(ax)


def test_network_refuses_what_it_cannot_draw(article, ax):
    with pytest.raises(ValueError, match=r"x got shape \(3,\); wants one row, \(1, 2\)"):
        plot.network(article, ax, x=[1, 2, 3])
    with pytest.raises(TypeError, match=r"model got int; wants a fastnn\.Sequential"):
        plot.network(3, ax)
    with pytest.raises(ValueError, match="model got no layer with weights"):
        plot.network(fastnn.Sequential([Activation("relu")]), ax)
    with pytest.raises(RuntimeError, match="has no weights before its model is built"):
        plot.network(fastnn.Sequential([Dense(2)]), ax)
    assert not ax.has_data()


# --- Activations


def test_activations_are_those_of_each_layer(article, ax):
    x = np.array([[1, -1], [0, 0]])
    assert plot.activations(article, x, ax) is ax
    for image, expected in zip(ax.images, [x, *article.forward(x)], strict=True):
        assert np.array_equal(image.get_array(), expected)
        assert image.norm.vmin == -image.norm.vmax
    expected = ["0.98", "0.12", "0.73", "0.50", "0.86", "0.11", "0.72", "0.12", "0.62", "0.83", "0.51", "0.85"]
    assert texts(ax)[4:] == expected
    assert ax.get_xticklabels()[1].get_text() == "dense\nsigmoid\n2 units\nlargest 0.98"


def test_activations_of_many_units_are_not_written(ax):
    model = model_of(Dense(300, activation="relu"), Dense(1))
    plot.activations(model, np.zeros((50, 2)), ax)
    assert len(ax.images) == 3
    assert not ax.texts


# --- Axes


def draw_each(line, ax):
    history = callbacks.History()
    history.on_epoch_end(0, {"loss": 1.0})
    return {
        "history": lambda: history.plot(ax),
        "decision_boundary": lambda: plot.decision_boundary(line, X, Y, ax),
        "descent": lambda: plot.descent(X, saddle, ax),
        "likelihood": lambda: plot.likelihood(ax=ax),
        "network": lambda: plot.network(line, ax),
        "activations": lambda: plot.activations(line, X, ax),
    }


@pytest.mark.parametrize("name", plot.__all__)
def test_without_axes_a_new_figure_is_made(line, name, monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "agg")
    pyplot = pytest.importorskip("matplotlib.pyplot")
    pyplot.switch_backend("agg")
    before = set(pyplot.get_fignums())
    ax = draw_each(line, None)[name]()
    try:
        assert ax.has_data()
        assert set(pyplot.get_fignums()) - before == {ax.figure.number}
        ax.figure.canvas.draw()
    finally:
        pyplot.close(ax.figure)


@pytest.mark.parametrize("name", plot.__all__)
def test_axes_of_another_kind_are_refused(line, name):
    with pytest.raises(TypeError, match="ax got Figure; wants matplotlib axes"):
        draw_each(line, Figure())[name]()


@pytest.mark.parametrize("name", plot.__all__)
def test_missing_matplotlib_is_named_with_its_extra(line, name, monkeypatch):
    for module in [m for m in sys.modules if m.partition(".")[0] == "matplotlib"]:
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(
        ModuleNotFoundError, match=r"matplotlib, which is not installed: pip install 'fastnn-cpu\[plot\]'"
    ):
        draw_each(line, None)[name]()


def test_importing_plot_imports_no_matplotlib():
    code = "import sys, fastnn.plot; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.skipif(not PAGE.exists(), reason="an sdist has no docs")
def test_the_example_of_the_page_draws_its_picture(monkeypatch, tmp_path):
    monkeypatch.setenv("MPLBACKEND", "agg")
    monkeypatch.chdir(tmp_path)
    pyplot = pytest.importorskip("matplotlib.pyplot")
    pyplot.switch_backend("agg")
    example, *_ = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    names = {}
    exec(compile(example, PAGE.name, "exec"), names)
    pyplot.close(names["figure"])
    assert all(ax.has_data() for ax in names["axes"].flat)
    assert names["history"].history["val_accuracy"][-1] > 0.9
    assert (tmp_path / "looking.png").read_bytes().startswith(b"\x89PNG")
