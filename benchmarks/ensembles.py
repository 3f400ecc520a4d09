"""Many small networks at once: `fastnn.Ensemble` beside JAX's two ways, and fastnn's fits one after the other."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any

import numpy as np

from . import machine
from .cases import LEARNING_RATE, MOMENTUM, Case
from .internals import processors
from .jax_peers import limit_processors
from .peers import stack
from .report import line, titles
from .timing import Question, in_turn, workers

CASES = {
    Case((2, 8, 1), 32): 1008,
    Case((2, 16, 16, 1), 32): 1008,
    Case((4, 32, 32, 1), 32): 1008,
    Case((30, 64, 64, 2), 32): 208,
    Case((8, 64, 64, 4), 64, "tanh", "adam"): 208,
}
"""How many members each network has."""

BATCHES = 50
"""Steps of a short fit, which are the batches of the data."""

EPOCHS = 20
"""Of a long fit."""

ALONE = 16
"""Members that are trained one after the other; the others would take as long each."""


def rates(members: int) -> Any:
    """A learning rate of its own for each."""
    return np.geomspace(0.1 * LEARNING_RATE, 10 * LEARNING_RATE, members)


class Fastnn:
    """An ensemble; and the same networks one after the other."""

    def __init__(self, case: Case, members: int) -> None:
        from fastnn import Ensemble

        self.case, self.members = case, members
        self.x, self.y = case.rows(BATCHES * case.batch)
        self.rates = rates(members)
        self.ensemble = self._compile(Ensemble(stack(case), members), self.rates)
        self.steps = {
            "together": members * BATCHES * EPOCHS,
            "short": members * BATCHES,
            "own_order": members * BATCHES * EPOCHS,
            "alone": ALONE * BATCHES * EPOCHS,
            "alone_short": ALONE * BATCHES,
        }
        self.few = [self._alone(rate) for rate in self.rates[:: members // ALONE][:ALONE]]

    def _compile(self, model: Any, rate: Any) -> Any:
        from fastnn.optimizers import SGD, Adam

        loss = "sparse_categorical_crossentropy" if self.case.classes else "mse"
        optimizer = Adam() if self.case.optimizer == "adam" else SGD(momentum=MOMENTUM)
        if np.ndim(rate):
            model.compile(optimizer, loss, learning_rate=rate, dtype=self.case.dtype)
        else:
            optimizer.learning_rate = rate
            model.compile(optimizer, loss, dtype=self.case.dtype)
        return model

    def _alone(self, rate: float) -> Any:
        return self._compile(stack(self.case), float(rate))

    def _fit(self, model: Any, epochs: int, shuffle: Any = False, **options: Any) -> None:
        model.fit(self.x, self.y, self.case.batch, epochs, shuffle=shuffle, **options)

    def together(self) -> None:
        """A long fit of all members."""
        self._fit(self.ensemble, EPOCHS)

    def own_order(self) -> None:
        """A long fit in which each member visits the rows in an order of its own."""
        self._fit(self.ensemble, EPOCHS, "each")

    def short(self) -> None:
        """An ensemble is made, compiled and trained for an epoch."""
        from fastnn import Ensemble

        self._fit(self._compile(Ensemble(stack(self.case), self.members), self.rates), 1)

    def alone(self) -> None:
        """Long fits one after the other."""
        for model in self.few:
            self._fit(model, EPOCHS, verbose=0)

    def alone_short(self) -> None:
        """Networks are made, compiled and trained for an epoch, one after the other."""
        for rate in self.rates[:ALONE]:
            self._fit(self._alone(rate), 1, verbose=0)


class Jax:
    """All steps of an epoch in one jitted scan: of all members by vmap, or of one after the other by lax.map."""

    def __init__(self, case: Case, members: int) -> None:
        limit_processors()
        import jax
        import jax.numpy as jnp
        import optax

        x, y = case.rows(BATCHES * case.batch)
        batches = tuple(jnp.array(a).reshape(BATCHES, case.batch, *a.shape[1:]) for a in (x, y))
        nonlinear = getattr(jax.nn, case.activation)
        rng = np.random.default_rng(0)
        parameters = [
            (
                jnp.array((rng.standard_normal((members, a, b)) / np.sqrt(a)).astype(case.dtype)),
                jnp.zeros((members, b), case.dtype),
            )
            for a, b in case.shapes
        ]

        def loss(parameters: Any, x: Any, y: Any) -> Any:
            for w, b in parameters[:-1]:
                x = nonlinear(x @ w + b)
            out = x @ parameters[-1][0] + parameters[-1][1]
            if case.classes:
                return optax.softmax_cross_entropy_with_integer_labels(out, y).mean()
            return ((out - y) ** 2).mean()

        def train(parameters: Any, rate: Any) -> Any:
            rule = optax.adam(rate) if case.optimizer == "adam" else optax.sgd(rate, MOMENTUM)

            def step(carry: Any, batch: Any) -> Any:
                parameters, state = carry
                updates, state = rule.update(jax.grad(loss)(parameters, *batch), state, parameters)
                return (optax.apply_updates(parameters, updates), state), None

            return jax.lax.scan(step, (parameters, rule.init(parameters)), batches)[0][0]

        given = parameters, jnp.array(rates(members), case.dtype)
        by_vmap = jax.jit(jax.vmap(train))
        by_map = jax.jit(lambda parameters, rate: jax.lax.map(lambda one: train(*one), (parameters, rate)))
        self.vmap = lambda: jax.block_until_ready(by_vmap(*given))
        self.map = lambda: jax.block_until_ready(by_map(*given))
        self.steps = dict.fromkeys(("vmap", "map"), members * BATCHES)


QUESTIONS = [
    Question("ensemble", "fastnn", "together"),
    Question("own orders", "fastnn", "own_order"),
    Question("alone", "fastnn", "alone"),
    Question("ensemble, short", "fastnn", "short"),
    Question("alone, short", "fastnn", "alone_short"),
    Question("JAX vmap", "JAX", "vmap"),
    Question("JAX map", "JAX", "map"),
]


def ensembles(cases: str = "*", rounds: int = 5, seconds: float = 0.2, alone: bool = False) -> None:
    """Microseconds a member and step, on one thread and on all: members of an ensemble, each with a rate of its own.

    "alone" are as many long fits one after the other; "short" are fits of 50 steps, with the making and compiling of
    the models. JAX trains all members in one scan by vmap, and one member after the other by lax.map.
    """
    counts = sorted({1, processors()})
    columns = [question.column for question in QUESTIONS if not (alone and question.worker == "JAX")]
    print(
        f"On {machine.name()}, microseconds a member and step; one core multiplies and adds at "
        f"{machine.fma_rate():.0f} GFLOP/s\n"
    )
    print("\n".join(titles(["network, batch", "members", "threads", *columns, "GFLOP/s"])))
    makers: dict[str, Any] = {"fastnn": Fastnn} if alone else {"fastnn": Fastnn, "JAX": Jax}
    with workers(makers, counts) as asked:
        for case, members in CASES.items():
            if not any(fnmatchcase(case.name, pattern) for pattern in cases.split(",")):
                continue
            questions = [question for question in QUESTIONS if question.column in columns]
            least, _, missing = in_turn(asked, (case, members), questions, rounds, seconds)
            for count in map(str, counts):
                found = [least.get(column, {}).get(count) for column in columns]
                cells = ["" if value is None else f"{value:.2f}" for value in found]
                rate = case.flops / found[0] / 1e3 if found[0] else 0.0
                print(line([case.name, str(members), count, *cells, f"{rate:.0f}"]), flush=True)
            for column, why in missing.items():
                print(f"{column}: {why}")
