"""Who is compared: fastnn's backends, and other libraries where they are installed.

A peer is a class made for a case; its methods forward, backprop, update, step, epoch and predict are the work
to time.  A peer that has no word for one of them lacks that method.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from cases import EPOCH_STEPS, LEARNING_RATE, MOMENTUM, Case


class Fastnn:
    def __init__(self, case: Case, backend: str) -> None:
        from fastnn import Sequential
        from fastnn.layers import Dense, Input
        from fastnn.optimizers import SGD, Adam

        optimizer = Adam(LEARNING_RATE) if case.optimizer == "adam" else SGD(LEARNING_RATE, momentum=MOMENTUM)
        hidden = [Dense(units, activation=case.activation) for units in case.sizes[1:-1]]
        output = Dense(case.sizes[-1], activation="softmax" if case.classes else "linear")
        self.model = Sequential([Input((case.sizes[0],)), *hidden, output], seed=0)
        self.model.compile(optimizer, "sparse_categorical_crossentropy" if case.classes else "mse", backend=backend)
        self.case = case
        self.x, self.y = case.data(EPOCH_STEPS)
        self.batch = self.x[: case.batch], self.y[: case.batch]
        self.engine = self.model._engine  # updates alone have no public name
        self.gradient = np.full(self.engine.parameter_count, 1e-6, np.float32)

    def forward(self) -> Any:
        return self.model.predict_on_batch(self.batch[0])

    def backprop(self) -> Any:
        return self.model.gradients(*self.batch)

    def update(self) -> Any:
        return self.engine.update(self.gradient)

    def step(self) -> Any:
        return self.model.train_on_batch(*self.batch)

    def epoch(self) -> Any:
        return self.model.fit(self.x, self.y, batch_size=self.case.batch, verbose=0)

    def predict(self) -> Any:
        return self.model.predict(self.x, verbose=0)


class Sklearn:
    def __init__(self, case: Case) -> None:
        from sklearn.neural_network import MLPClassifier, MLPRegressor

        self.x, y = case.data(EPOCH_STEPS)
        self.y = y.ravel()
        self.model = (MLPClassifier if case.classes else MLPRegressor)(
            hidden_layer_sizes=case.sizes[1:-1],
            activation=case.activation,
            solver=case.optimizer,
            batch_size=case.batch,
            learning_rate_init=LEARNING_RATE,
            momentum=MOMENTUM,
            alpha=0.0,
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

    def epoch(self) -> Any:
        return self.model.partial_fit(self.x, self.y)

    def predict(self) -> Any:
        return self.model.predict(self.x)


class Torch:
    def __init__(self, case: Case) -> None:
        import torch

        self.torch, self.case = torch, case
        x, y = case.data(EPOCH_STEPS)
        self.x, self.y = torch.from_numpy(x), torch.from_numpy(y)
        nonlinear = {"relu": torch.nn.ReLU, "tanh": torch.nn.Tanh}[case.activation]
        layers: list[Any] = []
        for a, b in zip(case.sizes[:-1], case.sizes[1:], strict=True):
            layers += [torch.nn.Linear(a, b), nonlinear()]
        self.model = torch.nn.Sequential(*layers[:-1])
        if case.optimizer == "adam":
            self.optimizer: Any = torch.optim.Adam(self.model.parameters(), LEARNING_RATE)
        else:
            self.optimizer = torch.optim.SGD(self.model.parameters(), LEARNING_RATE, momentum=MOMENTUM)
        self.loss = torch.nn.functional.cross_entropy if case.classes else torch.nn.functional.mse_loss
        self.backprop()

    def forward(self) -> Any:
        with self.torch.no_grad():
            return self.model(self.x[: self.case.batch])

    def backprop(self, rows: Any = None) -> Any:
        rows = slice(self.case.batch) if rows is None else rows
        self.optimizer.zero_grad(set_to_none=True)
        self.loss(self.model(self.x[rows]), self.y[rows]).backward()

    def update(self) -> Any:
        self.optimizer.step()

    def step(self) -> Any:
        self.backprop()
        self.optimizer.step()

    def epoch(self) -> Any:
        order = self.torch.randperm(len(self.x))
        for rows in order.split(self.case.batch):
            self.backprop(rows)
            self.optimizer.step()

    def predict(self) -> Any:
        with self.torch.no_grad():
            return self.model(self.x)


class Jax:
    def __init__(self, case: Case) -> None:
        import jax
        import jax.numpy as jnp
        import optax

        x, y = case.data(EPOCH_STEPS)
        self.x, self.y, self.rows = jnp.array(x), jnp.array(y), case.batch
        nonlinear = {"relu": jax.nn.relu, "tanh": jnp.tanh}[case.activation]
        rng = np.random.default_rng(0)
        self.parameters = [
            (jnp.array(rng.standard_normal((a, b), np.float32) / np.sqrt(a)), jnp.zeros(b))
            for a, b in zip(case.sizes[:-1], case.sizes[1:], strict=True)
        ]
        rule = optax.adam(LEARNING_RATE) if case.optimizer == "adam" else optax.sgd(LEARNING_RATE, MOMENTUM)
        self.state, self.key = rule.init(self.parameters), jax.random.key(0)

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

        def epoch(carry: Any, key: Any, x: Any, y: Any) -> Any:
            order = jax.random.permutation(key, len(x)).reshape(-1, case.batch)
            return jax.lax.scan(lambda carry, rows: (step(carry, x[rows], y[rows]), None), carry, order)[0]

        self._forward, self._gradients = jax.jit(forward), jax.jit(jax.grad(loss))
        self._update, self._step, self._epoch = jax.jit(update), jax.jit(step), jax.jit(epoch)
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

    def epoch(self) -> Any:
        self.parameters, self.state = self._ready(self._epoch(self.carry, self.key, self.x, self.y))

    def predict(self) -> Any:
        return self._ready(self._forward(self.parameters, self.x))


PEERS: dict[str, Any] = {
    "numpy": partial(Fastnn, backend="numpy"),
    "numba": partial(Fastnn, backend="numba"),
    "cython": partial(Fastnn, backend="cython"),
    "sklearn": Sklearn,
    "torch": Torch,
    "jax": Jax,
}
NEEDS = {"numba": ["numba"], "sklearn": ["sklearn"], "torch": ["torch"], "jax": ["jax", "optax"]}
