"""JAX beside fastnn: a scan over steps written by hand, and Keras on it; see peers.py."""

from __future__ import annotations

import os
from functools import partial
from typing import Any

import numpy as np

from .cases import LEARNING_RATE, MOMENTUM, Case

MOST_EPOCHS = 10
"""Of a call of Keras's fit: more would take long, and what the call itself costs is little by then."""


def limit_processors() -> None:
    """XLA heeds the processors that it may run on, and no number of threads."""
    if threads := os.environ.get("OMP_NUM_THREADS"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: int(threads)])


class Jax:
    """All steps of a call in one jitted lax.scan, with the data in it: as fast as JAX gets."""

    def __init__(self, case: Case) -> None:
        limit_processors()
        import jax
        import jax.numpy as jnp
        import optax

        jax.config.update("jax_enable_x64", case.dtype == "float64")
        x, y = case.data()
        self.x, self.y, self.rows = jnp.array(x), jnp.array(y), case.batch
        self.steps = {"training": case.steps * case.epochs}
        nonlinear = getattr(jax.nn, case.activation)
        if case.activation == "gelu":
            nonlinear = partial(jax.nn.gelu, approximate=False)
        rng = np.random.default_rng(0)
        self.parameters = [
            (jnp.array((rng.standard_normal((a, b)) / np.sqrt(a)).astype(case.dtype)), jnp.zeros(b, case.dtype))
            for a, b in case.shapes
        ]
        rule = optax.adam(LEARNING_RATE) if case.optimizer == "adam" else optax.sgd(LEARNING_RATE, MOMENTUM)
        self.state = rule.init(self.parameters)

        def forward(parameters: Any, x: Any) -> Any:
            for w, b in parameters[:-1]:
                x = nonlinear(x @ w + b)
            return x @ parameters[-1][0] + parameters[-1][1]

        def loss(parameters: Any, x: Any, y: Any) -> Any:
            out = forward(parameters, x)
            if case.classes:
                return optax.softmax_cross_entropy_with_integer_labels(out, y).mean()
            return ((out - y) ** 2).mean()

        def update(carry: Any, gradients: Any) -> Any:
            parameters, state = carry
            updates, state = rule.update(gradients, state, parameters)
            return optax.apply_updates(parameters, updates), state

        def step(carry: Any, x: Any, y: Any) -> Any:
            return update(carry, jax.grad(loss)(carry[0], x, y))

        def training(carry: Any, x: Any, y: Any) -> Any:
            def epoch(carry: Any, _: Any) -> Any:
                return jax.lax.scan(lambda carry, batch: (step(carry, *batch), None), carry, (x, y))

            return jax.lax.scan(epoch, carry, length=case.epochs)[0]

        self._forward, self._gradients = jax.jit(forward), jax.jit(jax.grad(loss))
        self._update, self._step, self._training = jax.jit(update), jax.jit(step), jax.jit(training)
        self.batches = [a.reshape(case.steps, case.batch, *a.shape[1:]) for a in (self.x, self.y)]
        self._ready = jax.block_until_ready
        self.gradients = self.backprop()

    @property
    def carry(self) -> Any:
        return self.parameters, self.state

    def forward(self) -> Any:
        return self._ready(self._forward(self.parameters, self.x[: self.rows]))

    def backprop(self) -> Any:
        return self._ready(self._gradients(self.parameters, self.x[: self.rows], self.y[: self.rows]))

    def update(self) -> Any:
        self.parameters, self.state = self._ready(self._update(self.carry, self.gradients))

    def step(self) -> Any:
        self.parameters, self.state = self._ready(self._step(self.carry, self.x[: self.rows], self.y[: self.rows]))

    def training(self) -> Any:
        self.parameters, self.state = self._ready(self._training(self.carry, *self.batches))

    def predict(self) -> Any:
        return self._ready(self._forward(self.parameters, self.x))


class Keras:
    """Keras on JAX, ``count`` steps a call of what is compiled."""

    def __init__(self, case: Case, count: int = 1) -> None:
        limit_processors()
        os.environ["KERAS_BACKEND"] = "jax"
        import jax
        import keras

        jax.config.update("jax_enable_x64", case.dtype == "float64")
        keras.config.set_floatx(case.dtype)
        hidden = [keras.layers.Dense(units, activation=case.activation) for units in case.sizes[1:-1]]
        self.model = keras.Sequential([keras.Input((case.sizes[0],)), *hidden, keras.layers.Dense(case.sizes[-1])])
        sgd = keras.optimizers.SGD(LEARNING_RATE, momentum=MOMENTUM)
        logits = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        self.model.compile(
            keras.optimizers.Adam(LEARNING_RATE) if case.optimizer == "adam" else sgd,
            logits if case.classes else "mse",
            steps_per_execution=min(count, case.steps),
        )
        self.x, self.y = case.data()
        self.batch = self.x[: case.batch], self.y[: case.batch]
        self.rows, self.epochs = case.batch, min(case.epochs, MOST_EPOCHS)
        self.steps = {"training": case.steps * self.epochs}

    def forward(self) -> Any:
        return self.model.predict_on_batch(self.batch[0])

    def step(self) -> Any:
        return self.model.train_on_batch(*self.batch)

    def training(self) -> Any:
        return self.model.fit(self.x, self.y, self.rows, self.epochs, shuffle=False, verbose=0)

    def predict(self) -> Any:
        return self.model.predict(self.x, len(self.x), verbose=0)
