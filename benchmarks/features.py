"""What features of a training step cost: each beside the plain step, by turns, in one process.

    python benchmarks/features.py --case '784-256-256-10 b128' --rounds 15

A figure is the fastest round of a variant; the ratio is the median over the rounds of its time to the plain step's in
the same round.  JAX, where it is installed, has the same features in its own step.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
from cases import LEARNING_RATE, MOMENTUM, Case, chosen

from fastnn import Sequential, layers, losses
from fastnn.optimizers import SGD

SECONDS = 0.25
"""How long a round of a variant takes, about."""

RATE = 0.2

FEATURES: dict[str, dict[str, Any]] = {
    "plain": {},
    "dropout 0.2": {"noise": lambda: layers.Dropout(RATE)},
    "alpha dropout 0.2": {"noise": lambda: layers.AlphaDropout(RATE)},
    "Gaussian noise": {"noise": lambda: layers.GaussianNoise(0.1)},
    "batch normalisation": {"normalization": layers.BatchNormalization},
    "layer normalisation": {"normalization": layers.LayerNormalization},
    "l2": {"regularizer": "l2"},
    "label smoothing": {"smoothing": 0.1},
    "clipvalue": {"clipvalue": 0.5},
    "clipnorm": {"clipnorm": 0.5},
    "global clipnorm": {"global_clipnorm": 0.5},
    "EMA": {"use_ema": True},
}


def fastnn_step(case: Case, backend: str, threads: int | None, feature: dict[str, Any]) -> Callable[[int], None]:
    """A function that trains for so many epochs."""
    options = dict(feature)
    noise, normalization = options.pop("noise", None), options.pop("normalization", None)
    regularizer, smoothing = options.pop("regularizer", None), options.pop("smoothing", 0.0)
    stack: list[layers.Layer] = [layers.Input((case.sizes[0],))]
    for units in case.sizes[1:-1]:
        stack.append(layers.Dense(units, None if normalization else "relu", kernel_regularizer=regularizer))
        if normalization:
            stack += [normalization(), layers.Activation("relu")]
        if noise:
            stack.append(noise())
    stack.append(layers.Dense(case.sizes[-1], activation="softmax", kernel_regularizer=regularizer))
    model = Sequential(stack, seed=0)
    loss = losses.SparseCategoricalCrossentropy(label_smoothing=smoothing)
    optimizer = SGD(LEARNING_RATE, MOMENTUM, **options)
    model.compile(optimizer, loss, backend=backend, threads=threads, dtype=case.dtype)
    x, y = case.data()
    return lambda epochs: void(model.fit(x, y, batch_size=case.batch, epochs=epochs, shuffle=False, verbose=0))


def jax_step(case: Case, name: str) -> Callable[[int], None] | None:
    """The same in JAX: all steps of an epoch in one jitted scan."""
    if name not in ("plain", "dropout 0.2", "global clipnorm", "EMA", "l2"):
        return None
    import jax
    import jax.numpy as jnp
    import optax

    x, y = case.data()
    batches = [jnp.array(a).reshape(case.steps, case.batch, *a.shape[1:]) for a in (x, y)]
    rng = np.random.default_rng(0)
    parameters = [
        (jnp.array((rng.standard_normal((a, b)) / np.sqrt(a)).astype(case.dtype)), jnp.zeros(b, case.dtype))
        for a, b in case.shapes
    ]
    rule = optax.sgd(LEARNING_RATE, MOMENTUM)
    if name == "global clipnorm":
        rule = optax.chain(optax.clip_by_global_norm(0.5), rule)

    def loss(parameters: Any, x: Any, y: Any, key: Any) -> Any:
        for w, b in parameters[:-1]:
            x = jax.nn.relu(x @ w + b)
            if name == "dropout 0.2":
                key, own = jax.random.split(key)
                x = jnp.where(jax.random.bernoulli(own, 1 - RATE, x.shape), x / (1 - RATE), 0)
        out = x @ parameters[-1][0] + parameters[-1][1]
        value = optax.softmax_cross_entropy_with_integer_labels(out, y).mean()
        if name == "l2":
            value += 0.01 * sum((w**2).sum() for w, _ in parameters)
        return value

    def step(carry: Any, batch: Any) -> Any:
        parameters, state, key, average = carry
        key, own = jax.random.split(key)
        updates, state = rule.update(jax.grad(loss)(parameters, *batch, own), state, parameters)
        parameters = optax.apply_updates(parameters, updates)
        if name == "EMA":
            average = jax.tree.map(lambda a, w: 0.99 * a + 0.01 * w, average, parameters)
        return (parameters, state, key, average), None

    scan = jax.jit(lambda carry, batches: jax.lax.scan(step, carry, batches)[0])
    held = [(parameters, rule.init(parameters), jax.random.key(0), parameters if name == "EMA" else None)]

    def run(epochs: int) -> None:
        for _ in range(epochs):
            held[0] = scan(held[0], batches)
        jax.block_until_ready(held[0])

    return run


def void(_: Any) -> None:
    """Nothing."""


def measure(case: Case, runs: dict[str, Callable[[int], None]], rounds: int) -> dict[str, list[float]]:
    """Microseconds of a step of each variant, a value a round."""
    epochs = {}
    for name, run in runs.items():
        run(1)
        begin = time.perf_counter()
        run(1)
        epochs[name] = max(1, round(SECONDS / (time.perf_counter() - begin)))
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            begin = time.perf_counter()
            run(epochs[name])
            times[name].append((time.perf_counter() - begin) / (epochs[name] * case.steps) * 1e6)
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", default="784-256-256-10 b128")
    parser.add_argument("--backend", default="auto")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--features", default=",".join(FEATURES), help="names, separated by commas")
    options = parser.parse_args()
    (case,) = chosen(options.case)
    asked = list(dict.fromkeys(["plain", *options.features.split(",")]))
    if options.threads:
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.threads])  # JAX heeds nothing else
    runs = {n: fastnn_step(case, options.backend, options.threads, FEATURES[n]) for n in asked}
    try:
        runs |= {f"JAX {n}": run for n in asked if (run := jax_step(case, n)) is not None}
    except ImportError:
        print("JAX and optax are not here")
    times = measure(case, runs, options.rounds)
    print(f"{case.name}: us a step, ratio to the plain step (quartiles)")
    for name, values in times.items():
        plain = times["JAX plain" if name.startswith("JAX") else "plain"]
        ratios = sorted(a / b for a, b in zip(values, plain, strict=True))
        quarter = len(ratios) // 4
        spread = f"({ratios[quarter]:.3f} to {ratios[-1 - quarter]:.3f})"
        print(f"  {name:24}{min(values):10.1f}{median(ratios):8.3f}  {spread}")


if __name__ == "__main__":
    main()
