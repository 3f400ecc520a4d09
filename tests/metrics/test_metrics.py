"""Metrics of a model and by themselves: the same by any backend, number of threads and way of the rows."""

import pickle

import numpy as np
import pytest

import fastnn
from fastnn import losses, metrics
from fastnn.layers import Dense, Dropout, Input

ROWS = 70
X = np.random.default_rng(0).normal(size=(ROWS, 4)).astype("float32")
YES = (X.sum(axis=1) > 0).astype(float)
CLASSES = np.digitize(X[:, 0], [-0.5, 0.5])


def mine(y_true, y_pred):
    return np.abs(y_true - y_pred).mean(axis=1)


def of_a_batch(y_true, y_pred):
    return np.abs(y_true - y_pred).max()


def binary(asked, weighted=None, noise=(), **options):
    model = fastnn.Sequential([Input((4,)), Dense(6, "tanh"), *noise, Dense(1, "sigmoid")], seed=1)
    model.compile("adam", "binary_crossentropy", asked, weighted_metrics=weighted, **options)
    return model


EACH = ["accuracy", metrics.AUC(), metrics.Precision(), metrics.F1Score(), mine, of_a_batch, "mse", losses.Huber()]


def test_results_do_not_depend_on_threads_nor_on_other_metrics(backend):
    """Chunks, rows and replicas; what is kept for a metric changes nothing of what is trained."""
    weight = np.linspace(0.5, 2, ROWS)
    found = []
    for threads, asked in ((1, EACH), (2, EACH), (1, ["mse"])):
        model = binary(asked, ["mse"], [Dropout(0.2)], backend=backend, threads=threads)
        model.fit(X, YES, epochs=3, batch_size=16, verbose=0, validation_split=0.2, sample_weight=weight)
        found.append(model.history.history)
    assert found[0] == found[1]
    for name in ("loss", "val_loss", "mse", "val_mse"):
        assert found[0][name] == found[2][name]
    assert found[0]["mse"] == pytest.approx(found[0]["mse"])
    assert found[0]["weighted_mse"] != found[0]["mse"]


def test_training_metrics_are_of_the_outputs_before_each_step(backend):
    """As in Keras: a model that sees each batch once, with the weights of that time."""
    model, again = (binary([metrics.AUC(), of_a_batch, "accuracy"], backend=backend) for _ in range(2))
    history = model.fit(X, YES, batch_size=16, shuffle=False, verbose=0).history
    outputs, values = [], []
    for first in range(0, ROWS, 16):
        batch = slice(first, first + 16)
        outputs.append(again.predict(X[batch]))
        values.append(of_a_batch(YES[batch, None], outputs[-1]))
        again.train_on_batch(X[batch], YES[batch])
    outputs = np.concatenate(outputs)
    assert history["auc"] == [pytest.approx(metrics.AUC()(YES[:, None], outputs), rel=1e-6)]
    assert history["accuracy"] == [pytest.approx(np.mean((outputs[:, 0] > 0.5) == YES))]
    assert history["of_a_batch"] == [pytest.approx(np.mean(values), rel=1e-6)]


@pytest.mark.parametrize("asked", [[metrics.AUC(), mine, metrics.Recall(), "accuracy"]])
def test_streams_measure_what_arrays_do(asked):
    def batches():
        return ((X[i : i + 16], YES[i : i + 16]) for i in range(0, ROWS, 16))

    histories, scores = [], []
    for x, y, options in ((X, YES, {"batch_size": 16, "shuffle": False}), (fastnn.data.stream(batches), None, {})):
        model = binary(asked, backend="numpy", dtype="float64")
        histories.append(model.fit(x, y, epochs=2, verbose=0, **options).history)
        scores.append(model.evaluate(x, y, verbose=0, batch_size=options.get("batch_size")))
    for name, values in histories[0].items():
        assert histories[1][name] == pytest.approx(values, rel=1e-9), name
    assert scores[0] == pytest.approx(scores[1], rel=1e-9)


def test_a_fit_without_such_metrics_keeps_no_outputs():
    model = binary(["accuracy", "mse"], backend="numpy")
    assert not model._engine.keeps_outputs
    assert model._engine.train(fastnn.engine.Data(X, YES[:, None]), 16, 1, False, 0).outputs is None


def test_files_pickles_and_copies_keep_metrics(tmp_path):
    asked = [*EACH, metrics.BinaryAccuracy(threshold=0.3), metrics.AUC(curve="PR", thresholds=[0.5, 0.2]), "MAPE"]
    model = binary(asked, [metrics.Recall(thresholds=[0.1, 0.6]), "mse"], backend="numpy")
    model.save(tmp_path / "model.fastnn")
    objects = {"mine": mine, "of_a_batch": of_a_batch}
    loaded = fastnn.load_model(tmp_path / "model.fastnn", custom_objects=objects, backend="numpy")
    expected = model.evaluate(X, YES, verbose=0, return_dict=True)
    assert list(expected) == model.metrics_names == loaded.metrics_names
    for other in (loaded, pickle.loads(pickle.dumps(model))):
        for name, value in other.evaluate(X, YES, verbose=0, return_dict=True).items():
            np.testing.assert_array_equal(value, expected[name], err_msg=name)
    with pytest.raises(fastnn.ModelFileError, match="mine"):
        fastnn.load_model(tmp_path / "model.fastnn")


def test_names_are_keras_names():
    asked = [
        metrics.Precision(),
        metrics.Precision(),
        "mse",
        "MSE",
        "MeanSquaredError",
        "acc",
        metrics.AUC(name="area"),
    ]
    model = binary([asked, [mine]], ["mse", metrics.Precision(), metrics.AUC()], backend="numpy")
    names = ["precision", "precision_1", "mse", "MSE", "MeanSquaredError", "acc", "area", "mine"]
    assert model.metrics_names == ["loss", *names, "weighted_mse", "precision_2", "auc"]


@pytest.mark.parametrize(
    ("asked", "outputs", "loss", "message"),
    [
        (["categorical_accuracy"], 1, "binary_crossentropy", "compares classes, but the model has one output"),
        ([metrics.TopKCategoricalAccuracy()], 1, "binary_crossentropy", "compares classes"),
        (["sparse_categorical_accuracy"], 3, "categorical_crossentropy", "wants one for rows.*'categorical_accuracy'"),
        (["accurracy"], 1, "mse", "did you mean"),
        ({"out": "mse"}, 1, "mse", "wants a list"),
    ],
)
def test_metrics_without_a_meaning_are_refused(asked, outputs, loss, message):
    last = "softmax" if outputs > 1 else "sigmoid"
    model = fastnn.Sequential([Input((4,)), Dense(outputs, last)])
    with pytest.raises((ValueError, TypeError), match=message):
        model.compile(loss=loss, metrics=asked, backend="numpy")


def test_what_a_function_of_ones_own_returns_is_checked():
    for function, message in ((lambda t, p: p[:3], "returned shape"), (lambda t, p: "no", "wants numbers")):
        model = binary([function], backend="numpy")
        with pytest.raises((ValueError, TypeError), match=message):
            model.evaluate(X, YES, verbose=0)


class Largest(metrics.Metric):
    """As one writes it for Keras, but in NumPy."""

    def __init__(self, name="largest", **options):
        super().__init__(name=name, **options)
        self.most = self.add_weight(name="most", initializer="zeros")

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.most.assign(np.maximum(self.most, np.abs(y_true - y_pred).max()))

    def result(self):
        return self.most


def test_a_class_of_ones_own():
    model = binary([Largest()], backend="numpy")
    history = model.fit(X, YES, epochs=2, verbose=0, validation_data=(X, YES)).history
    assert history["val_largest"][-1] == pytest.approx(np.abs(model.predict(X)[:, 0] - YES).max())
    assert model.evaluate(X, YES, verbose=0)[1] == history["val_largest"][-1]


def test_a_metric_that_is_a_number_an_output_is_an_array_in_the_logs(tmp_path, capsys):
    model = fastnn.Sequential([Input((4,)), Dense(3, "softmax")], seed=0)
    model.compile("sgd", "categorical_crossentropy", [metrics.F1Score()], backend="numpy")
    loggers = fastnn.callbacks.JSONLogger(tmp_path / "a.json"), fastnn.callbacks.CSVLogger(tmp_path / "a.csv")
    rest = fastnn.callbacks.TerminateOnNaN(), fastnn.callbacks.BackupAndRestore(tmp_path / "backup")
    history = model.fit(X, np.eye(3)[CLASSES], epochs=2, verbose=2, callbacks=[*loggers, *rest])
    assert history.history["f1_score"][0].shape == (3,)
    assert "f1_score: [" in capsys.readouterr().out
    assert "f1_score [" in repr(history)
    assert "f1_score" in history._repr_html_()
    assert '"f1_score": [' in (tmp_path / "a.json").read_text()
    stopping = fastnn.callbacks.EarlyStopping("f1_score")
    with pytest.raises(ValueError, match="3 numbers; wants a metric that is one"):
        model.fit(X, np.eye(3)[CLASSES], verbose=0, callbacks=[stopping])


def test_early_stopping_knows_the_direction():
    for asked, name, larger in (
        ([metrics.AUC(name="area")], "val_area", True),
        (["cosine_similarity"], "cosine_similarity", True),
        ([metrics.R2Score(name="explained")], "explained", True),
        (["mape"], "val_mape", False),
        ([losses.Huber(name="accurate")], "accurate", False),
    ):
        model = binary(asked, backend="numpy")
        stopping = fastnn.callbacks.EarlyStopping(name, patience=5)
        model.fit(X, YES, verbose=0, callbacks=[stopping], validation_data=(X, YES))
        assert stopping._larger is larger, name


def test_class_numbers_are_one_hot_rows_to_metrics_of_rows(backend):
    model = fastnn.Sequential([Input((4,)), Dense(3, "softmax")], seed=0)
    asked = ["accuracy", metrics.SparseTopKCategoricalAccuracy(2), metrics.AUC(), "mse", metrics.Recall(class_id=1)]
    model.compile("sgd", "sparse_categorical_crossentropy", asked, backend=backend)
    found = model.evaluate(X, CLASSES, verbose=0)[1:]
    p, rows = model.predict(X), np.eye(3)[CLASSES]
    top = [CLASSES[i] in np.argsort(-p[i])[:2] for i in range(ROWS)]
    recall = (p[:, 1] > 0.5)[CLASSES == 1].mean()
    expected = [np.mean(p.argmax(1) == CLASSES), np.mean(top), metrics.AUC()(rows, p), np.mean((p - rows) ** 2), recall]
    assert found == pytest.approx(expected, rel=1e-5)


def test_a_run_goes_on_with_the_outputs_of_the_epoch_it_was_killed_in(tmp_path):
    class Kill(fastnn.callbacks.Callback):
        every_n_steps = 7

        def on_train_batch_end(self, batch, logs=None):
            if self.model.optimizer.iterations == 7:
                raise InterruptedError

    def run(*callbacks):
        model = binary([metrics.AUC(), of_a_batch], backend="numpy")
        backup = fastnn.callbacks.BackupAndRestore(tmp_path / "backup", save_freq=3)
        return model.fit(X, YES, epochs=3, batch_size=16, verbose=0, callbacks=[backup, *callbacks]).history

    with pytest.raises(InterruptedError):
        run(Kill())
    whole = binary([metrics.AUC(), of_a_batch], backend="numpy").fit(X, YES, epochs=3, batch_size=16, verbose=0).history
    assert run() == whole


# --- Losses as functions ---


def test_losses_are_called_and_reduced():
    y, p, w = np.array([[1.0], [3.0]]), np.array([[2.0], [1.0]]), [1.0, 3.0]
    assert losses.mean_squared_error(y, p).tolist() == [1.0, 4.0]
    for reduction, expected in (
        ("sum_over_batch_size", 6.5),
        ("mean", 6.5),
        ("sum", 13.0),
        ("mean_with_sample_weight", 3.25),
        ("none", [1.0, 12.0]),
        (None, [1.0, 12.0]),
    ):
        loss = losses.MeanSquaredError(reduction=reduction)
        assert np.asarray(loss(y, p, sample_weight=w)).tolist() == expected
        made = losses.deserialize(losses.serialize(loss))
        assert made.get_config() == loss.get_config()
    with pytest.raises(ValueError, match="reduction got 'total'"):
        losses.MeanSquaredError(reduction="total")


@pytest.mark.parametrize("reduction", ["sum", "none", None, "mean_with_sample_weight"])
def test_a_step_follows_the_mean_alone(reduction):
    model = fastnn.Sequential([Input((1,)), Dense(1)])
    with pytest.raises(ValueError, match="wants 'sum_over_batch_size'"):
        model.compile(loss=losses.MeanSquaredError(reduction=reduction), backend="numpy")


def test_keras_functions_and_names_stand_for_losses():
    for function, kind in ((losses.mse, "MeanSquaredError"), (losses.huber, "Huber"), (losses.KLD, "KLDivergence")):
        assert type(losses.get(function)).__name__ == kind
    for name in ("mape", "MSLE", "cosine_similarity", "CategoricalHinge", "kld", "bce", "huber_loss"):
        assert isinstance(losses.get(name), losses.Loss)
    assert losses.Huber().name == "huber_loss"
    assert losses.Poisson(name="count").name == "count"
    assert metrics.mean_absolute_error is losses.mean_absolute_error


@pytest.mark.parametrize(
    ("loss", "activation", "outputs", "message"),
    [
        ("binary_crossentropy", "softmax", 1, "'softmax' for one output"),
        ("sparse_categorical_crossentropy", "softmax", 1, "'softmax' for one output"),
        (losses.CategoricalCrossentropy(from_logits=True), "linear", 1, "wants 'binary_crossentropy'"),
        ("categorical_crossentropy", "relu", 3, "wants 'softmax'"),
        (losses.BinaryCrossentropy(from_logits=True), "sigmoid", 1, "wants 'linear'"),
    ],
)
def test_losses_without_a_meaning_for_the_last_layer_are_refused(loss, activation, outputs, message):
    model = fastnn.Sequential([Input((4,)), Dense(outputs, activation)])
    with pytest.raises(ValueError, match=message):
        model.compile(loss=loss, backend="numpy")


@pytest.mark.parametrize("activation", ["linear", "relu", "tanh"])
def test_a_crossentropy_of_what_is_no_probability_is_warned_of(activation):
    model = fastnn.Sequential([Input((4,)), Dense(1, activation)])
    with pytest.warns(UserWarning, match="wants 'sigmoid', or 'linear' with BinaryCrossentropy.from_logits=True"):
        model.compile(loss="binary_crossentropy", backend="numpy")
