"""The demo: scikit-learn's handwritten digits, learned in a few seconds, with a picture of the loss."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fastnn.callbacks import format_seconds
from fastnn.extras import require
from fastnn.layers import Dense
from fastnn.models import Sequential
from fastnn.optimizers import SGD
from fastnn.typing import Array

BATCH_SIZE = 32
ROUNDS, ROUND_SECONDS = 5, 0.2  # in each round every backend is timed for so long
Split = tuple[Array, Array, Array, Array]


def digits() -> Split:
    """Return 1,797 digits of 8x8 pixels from 0 to 1: x and y to train on (80%), x and y to test with."""
    x, y = require("sklearn.datasets", "sklearn").load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))
    x, y, train = x[order] / 16, y[order], round(0.8 * len(x))
    return x[:train], y[:train], x[train:], y[train:]


def network(backend: str) -> Sequential:
    """Return a compiled 64-128-10 network."""
    model = Sequential([Dense(128, activation="relu"), Dense(10, activation="softmax")], seed=0)
    sgd = SGD(learning_rate=0.1, momentum=0.9)
    model.compile(sgd, "sparse_categorical_crossentropy", ["accuracy"], backend=backend)
    return model


def steps_per_second(backends: Sequence[str], x: Array, y: Array) -> list[float]:
    """Return the training steps a second of each backend's fastest epoch, without compilation.

    The backends take turns, so that whatever else the machine does falls on all of them.
    """
    models = [network(backend) for backend in backends]
    best = [np.inf] * len(models)
    for _ in range(ROUNDS):
        for i, model in enumerate(models):
            end = time.perf_counter() + ROUND_SECONDS
            while (start := time.perf_counter()) < end:
                model.fit(x, y, batch_size=BATCH_SIZE, verbose=0)
                best[i] = min(best[i], time.perf_counter() - start)
    return [-(-len(x) // BATCH_SIZE) / seconds for seconds in best]


def draw(history: dict[str, list[float]], picture: Path) -> None:
    """Draw the loss on the training and the test digits, an epoch a point."""
    figures = require("matplotlib.figure", "plot")
    figure = figures.Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    epochs = range(1, len(history["loss"]) + 1)
    axes.semilogy(epochs, history["loss"], label="training")
    axes.semilogy(epochs, history["val_loss"], label="test")
    axes.set(xlabel="epoch", ylabel="cross-entropy", title="fastnn on handwritten digits, 64-128-10")
    axes.grid(alpha=0.3, which="both")
    axes.legend()
    figure.savefig(picture, dpi=120)


def run(epochs: int, picture: Path, say: Callable[[str], Any] = print) -> float:
    """Train on the digits, so many times, score, time, and draw the loss curve; return the accuracy on the test digits.

    ``say`` gets each line of the report.
    """
    require("matplotlib", "plot")
    x, y, x_test, y_test = digits()
    say(f"{len(x)} digits to train on, {len(x_test)} to test with; a network of 64-128-10")
    say("kernels: compiling, or loading from the cache ...")
    start = time.perf_counter()
    model = network("auto")
    model.build(x.shape[1])
    say(f"kernels: ready after {time.perf_counter() - start:.1f} s")
    start = time.perf_counter()
    history = model.fit(x, y, batch_size=BATCH_SIZE, epochs=epochs, validation_data=(x_test, y_test))
    seconds = time.perf_counter() - start
    accuracy = float(np.mean(model.predict(x_test).argmax(axis=1) == y_test))
    ours, baseline = steps_per_second(["auto", "numpy"], x, y)
    draw(history.history, picture)
    say("")
    say(f"test accuracy      {accuracy:.4f}")
    say(f"training took      {format_seconds(seconds)} for {epochs} epochs")
    say(f"steps a second     {ours:,.0f} (batches of {BATCH_SIZE})")
    say(f"  in plain NumPy   {baseline:,.0f}, so {ours / baseline:.1f} times as many")
    say(f"loss curve         {picture}")
    return accuracy
