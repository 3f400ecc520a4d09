"""TensorBoard reads what the callback writes: Keras's folders, Keras's tags."""

import math

import numpy as np
import pytest

import fastnn

pytest.importorskip("tensorboard")


def events(folder):
    """What TensorBoard finds in a folder: {tag: [(step, value)]}, and the tags of histograms."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.util import tensor_util

    found = EventAccumulator(str(folder), size_guidance={"tensors": 0}).Reload()
    values = {
        tag: [(event.step, tensor_util.make_ndarray(event.tensor_proto)) for event in found.Tensors(tag)]
        for tag in found.Tags()["tensors"]
    }
    scalars = {tag: [(step, float(v)) for step, v in steps] for tag, steps in values.items() if steps[0][1].ndim == 0}
    return scalars, {tag: steps for tag, steps in values.items() if tag not in scalars}


@pytest.fixture
def fitted():
    def fit(callback, **arguments):
        model = fastnn.Sequential([fastnn.layers.Input((3,)), fastnn.layers.Dense(2)], seed=0)
        model.compile(fastnn.optimizers.SGD(0.125), "mse", metrics=["mae"], backend="numpy")
        x = np.arange(24.0).reshape(8, 3) / 24
        return model.fit(x, x[:, :2], batch_size=2, callbacks=[callback], verbose=0, **arguments).history

    return fit


def test_scores_are_written_as_keras_writes_them(fitted, tmp_path):
    history = fitted(fastnn.callbacks.TensorBoard(tmp_path), epochs=3, validation_split=0.25)
    train, _ = events(tmp_path / "train")
    validation, _ = events(tmp_path / "validation")
    assert set(train) == {"epoch_loss", "epoch_mae", "epoch_learning_rate"}
    assert set(validation) == {"epoch_loss", "epoch_mae"}
    for found, prefix in ((train, ""), (validation, "val_")):
        for name in ("loss", "mae"):
            steps, values = zip(*found[f"epoch_{name}"], strict=True)
            assert steps == (0, 1, 2)
            np.testing.assert_allclose(values, history[prefix + name], rtol=1e-6)
    assert train["epoch_learning_rate"] == [(0, 0.125), (1, 0.125), (2, 0.125)]


def test_more_is_written_where_it_is_asked_for(fitted, tmp_path):
    asked = {"update_freq": 2, "histogram_freq": 2, "write_steps_per_second": True}
    fitted(fastnn.callbacks.TensorBoard(tmp_path, **asked), epochs=3)
    scalars, histograms = events(tmp_path / "train")
    assert [step for step, _ in scalars["batch_loss"]] == [2, 4, 6, 8, 10, 12]
    assert all(value > 0 and math.isfinite(value) for _, value in scalars["epoch_steps_per_second"])
    assert {tag: [step for step, _ in steps] for tag, steps in histograms.items()} == {
        "dense/kernel/histogram": [0, 2],
        "dense/bias/histogram": [0, 2],
    }
    buckets = histograms["dense/kernel/histogram"][0][1]  # rows of left edge, right edge, count
    assert buckets[:, 2].sum() == 6


def test_what_is_not_written_is_refused(tmp_path):
    for name in ("write_graph", "write_images", "profile_batch", "embeddings_freq"):
        with pytest.raises(ValueError, match=f"{name} got True; wants nothing"):
            fastnn.callbacks.TensorBoard(tmp_path, **{name: True})
    with pytest.raises(ValueError, match="update_freq got 'batches'"):
        fastnn.callbacks.TensorBoard(tmp_path, update_freq="batches")
