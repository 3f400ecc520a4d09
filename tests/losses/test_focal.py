"""Smoothed targets of the binary focal crossentropy, in what it weighs too."""

import naive
import numpy as np
import pytest

from fastnn import losses


@pytest.mark.parametrize("activation", ["sigmoid", "linear", "softmax"])
def test_label_smoothing(network, flat_gradients, assert_close, backend, dtype, activation):
    sizes, smoothing = [4, 5], 0.2
    weights = naive.random_weights(sizes)
    x, y = naive.random_data("binary_focal_crossentropy", 30, 4, 5)
    loss = losses.BinaryFocalCrossentropy(True, 0.3, 1.5, from_logits=activation == "linear", label_smoothing=smoothing)
    copied = losses.get({"class_name": "BinaryFocalCrossentropy", "config": loss.get_config()})
    assert copied.label_smoothing == smoothing
    model = network(
        sizes, [activation], weights, loss=copied, metrics=["binary_accuracy"], backend=backend, dtype=dtype
    )
    last = ["sigmoid" if activation == "linear" else activation]
    smooth = y * (1 - smoothing) + smoothing / 2
    accuracy = {"float32": 1e-4, "float64": 1e-9}[dtype]
    value, metric = model.evaluate(x, y, verbose=0)
    reference = "binary_focal_crossentropy"
    assert value == pytest.approx(naive.loss_of_batch(weights, last, reference, x, smooth), rel=accuracy)
    assert_close(flat_gradients(model, x, y), naive.backward(weights, last, reference, x, smooth), accuracy)
    if activation == "sigmoid":
        assert metric == pytest.approx(np.mean((naive.forward(weights, last, x)[0] > 0.5) == y), rel=1e-6)
