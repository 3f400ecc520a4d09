"""Who is compared: fastnn's backends, plain NumPy, and other libraries where they are installed.

A peer is a class made for a case; its methods forward, backprop, update, step, training and predict are the work
to time.  A peer that has no word for one of them lacks that method.  ``training`` takes many steps over all batches,
in their order, in as few calls as the peer can; it returns nothing before they are done.  ``steps`` says, by method, of
how many steps a call consists where it is more than one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property, partial
from importlib.util import find_spec
from typing import Any

import numpy as np

from .cases import LEARNING_RATE, MOMENTUM, Case
from .jax_peers import Jax, Keras
from .torch_peers import Torch, TorchCompiled

OPERATIONS = 1_000_000_000
"""Arithmetic of a call that shall take no more than a moment."""


def stack(case: Case) -> Any:
    """fastnn's network of a case, not compiled."""
    from fastnn import Sequential
    from fastnn.layers import Dense, Input

    hidden = [Dense(units, activation=case.activation) for units in case.sizes[1:-1]]
    output = Dense(case.sizes[-1], activation="softmax" if case.classes else "linear")
    return Sequential([Input((case.sizes[0],)), *hidden, output], seed=0)


class Fastnn:
    def __init__(self, case: Case, backend: str, threads: int | None = None) -> None:
        from fastnn.optimizers import SGD, Adam

        optimizer = Adam(LEARNING_RATE) if case.optimizer == "adam" else SGD(LEARNING_RATE, momentum=MOMENTUM)
        self.model = stack(case)
        loss = "sparse_categorical_crossentropy" if case.classes else "mse"
        self.model.compile(optimizer, loss, backend=backend, threads=threads, dtype=case.dtype)
        self.case = case
        self.x, self.y = case.data()
        self.batch = self.x[: case.batch], self.y[: case.batch]
        self.few = min(case.steps, max(2, OPERATIONS // case.flops))
        self.steps = {"training": case.steps * case.epochs, "moment": self.few * case.epochs}

    def forward(self) -> Any:
        return self.model.predict_on_batch(self.batch[0])

    def backprop(self) -> Any:
        return self.model.gradients(*self.batch)

    @cached_property
    def update(self) -> Any:
        from .internals import update_of

        return update_of(self.model)

    def step(self) -> Any:
        return self.model.train_on_batch(*self.batch)

    def _fit(self, steps: int) -> Any:
        rows = slice(steps * self.case.batch)
        return self.model.fit(
            self.x[rows], self.y[rows], batch_size=self.case.batch, epochs=self.case.epochs, shuffle=False, verbose=0
        )

    def training(self) -> Any:
        return self._fit(self.case.steps)

    def moment(self) -> Any:
        """Training, but no call takes much longer than a moment."""
        return self._fit(self.few)

    def predict(self) -> Any:
        return self.model.predict(self.x, verbose=0)


class NumPy:
    """What one writes by hand in an afternoon: layers as lists of arrays, every product NumPy's BLAS."""

    def __init__(self, case: Case) -> None:
        self.case, self.steps = case, {"training": case.steps}
        self.x, self.y = case.data()
        rng = np.random.default_rng(0)
        self.w = [(rng.standard_normal((a, b)) / np.sqrt(a)).astype(case.dtype) for a, b in case.shapes]
        self.b = [np.zeros(units, case.dtype) for units in case.sizes[1:]]
        self.slots = [[np.zeros_like(p), np.zeros_like(p)] for p in self.w + self.b]
        self.number = 0
        self.gradients = self._backprop(self.x[: case.batch], self.y[: case.batch])

    def _forward(self, x: Any) -> list[Any]:
        outputs = [x]
        for number, (w, b) in enumerate(zip(self.w, self.b, strict=True), 1):
            x = x @ w
            x += b
            if number < len(self.w):
                x = np.tanh(x, out=x) if self.case.activation == "tanh" else np.maximum(x, 0, out=x)
            outputs.append(x)
        return outputs

    def _backprop(self, x: Any, y: Any) -> list[Any]:
        outputs = self._forward(x)
        delta = outputs[-1]
        if self.case.classes:
            delta -= delta.max(axis=1, keepdims=True)
            np.exp(delta, out=delta)
            delta /= delta.sum(axis=1, keepdims=True)
            delta[np.arange(len(y)), y] -= 1
            delta /= len(y)
        else:
            delta -= y
            delta *= 2 / len(y)
        dw, db = [], []
        for w, h in zip(reversed(self.w), reversed(outputs[:-1]), strict=True):
            dw.append(h.T @ delta)
            db.append(delta.sum(axis=0))
            if len(dw) < len(self.w):
                delta = delta @ w.T
                delta *= 1 - h * h if self.case.activation == "tanh" else h > 0
        return dw[::-1] + db[::-1]

    def _update(self, gradients: list[Any]) -> None:
        self.number += 1
        rate = LEARNING_RATE * (1 - 0.999**self.number) ** 0.5 / (1 - 0.9**self.number)
        for p, gradient, (mean, square) in zip(self.w + self.b, gradients, self.slots, strict=True):
            if self.case.optimizer == "adam":
                mean += 0.1 * (gradient - mean)
                square += 0.001 * (gradient * gradient - square)
                p -= rate * mean / (np.sqrt(square) + 1e-7)
            else:
                mean *= MOMENTUM
                mean -= LEARNING_RATE * gradient
                p += mean

    def forward(self) -> Any:
        return self._forward(self.x[: self.case.batch])

    def backprop(self) -> Any:
        return self._backprop(self.x[: self.case.batch], self.y[: self.case.batch])

    def update(self) -> Any:
        self._update(self.gradients)

    def step(self) -> Any:
        self._update(self.backprop())

    def training(self) -> Any:
        for start in range(0, len(self.x), self.case.batch):
            rows = slice(start, start + self.case.batch)
            self._update(self._backprop(self.x[rows], self.y[rows]))

    def predict(self) -> Any:
        return self._forward(self.x)


class Sklearn:
    def __init__(self, case: Case) -> None:
        from sklearn.neural_network import MLPClassifier, MLPRegressor

        self.x, y = case.data()
        self.y, self.steps = y.ravel(), {"training": case.steps}
        self.model = (MLPClassifier if case.classes else MLPRegressor)(
            hidden_layer_sizes=case.sizes[1:-1],
            activation=case.activation,
            solver=case.optimizer,
            batch_size=case.batch,
            learning_rate_init=LEARNING_RATE,
            momentum=MOMENTUM,
            alpha=0.0,
            shuffle=False,
        )
        self.rows = case.batch
        if case.classes:
            self.model.partial_fit(self.x, self.y, classes=np.arange(case.classes))
        else:
            self.model.partial_fit(self.x, self.y)

    def forward(self) -> Any:
        return self.model.predict(self.x[: self.rows])

    def step(self) -> Any:
        return self.model.partial_fit(self.x[: self.rows], self.y[: self.rows])

    def training(self) -> Any:
        return self.model.partial_fit(self.x, self.y)

    def predict(self) -> Any:
        return self.model.predict(self.x)


STEPS_A_CALL = 10
"""Of the peers whose compiled function takes more than one step: Keras's steps_per_execution."""

PEERS: dict[str, Any] = {
    "fastnn numba": partial(Fastnn, backend="numba"),
    "fastnn cython": partial(Fastnn, backend="cython"),
    "fastnn numpy": partial(Fastnn, backend="numpy"),
    "NumPy": NumPy,
    "scikit-learn": Sklearn,
    "PyTorch": Torch,
    "PyTorch compiled": TorchCompiled,
    "PyTorch compiled x10": partial(TorchCompiled, count=STEPS_A_CALL),
    "JAX": Jax,
    "Keras": Keras,
    "Keras x10": partial(Keras, count=STEPS_A_CALL),
}
NEEDS = {
    "fastnn numba": ["numba"],
    "fastnn cython": [],
    "fastnn numpy": [],
    "NumPy": ["numpy"],
    "scikit-learn": ["sklearn"],
    "PyTorch": ["torch"],
    "PyTorch compiled": ["torch"],
    "PyTorch compiled x10": ["torch"],
    "JAX": ["jax", "optax"],
    "Keras": ["keras", "jax"],
    "Keras x10": ["keras", "jax"],
}
"""The packages that each is made of: without them it is left out."""


def installed(
    asked: Iterable[str], makers: Mapping[str, Any] = PEERS, needs: Mapping[str, list[str]] = NEEDS
) -> dict[str, Any]:
    """What makes each of the peers asked for, without those whose packages are missing."""
    if unknown := [name for name in asked if name not in makers]:
        raise SystemExit(f"--peers got {', '.join(unknown)}; it takes some of {', '.join(makers)}")
    return {name: makers[name] for name in asked if all(map(find_spec, needs[name]))}


def is_ours(peer: str) -> bool:
    return peer.startswith("fastnn")


OURS = tuple(filter(is_ours, PEERS))
