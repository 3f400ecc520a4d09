"""Training steps beside peers: of the cases that docs/benchmarks.md shows, of odd ones, and with costly features.

Each library, at all processors and at one, has a process of its own; they take turns, see timing.py.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from datetime import date
from functools import partial
from statistics import median
from typing import Any

import numpy as np

from fastnn import Sequential, layers, losses
from fastnn.optimizers import SGD
from . import machine, report
from .cases import CASES, LEARNING_RATE, MOMENTUM, ODD, Case, chosen
from .internals import processors
from .peers import OURS, PEERS, installed
from .timing import BLOCK, Question, by_turns, filling, in_turn, workers


def measured(
    cases: Iterable[Case], peers: Iterable[str], rounds: int, seconds: float, block: float = BLOCK
) -> list[dict[str, Any]]:
    """The rows of a results file."""
    makers = installed(peers)
    questions = [Question(peer, peer, "training") for peer in makers]
    rows = []
    with workers(makers, [1, processors()]) as started:
        for case in cases:
            print(case.name, file=sys.stderr)
            times, _, missing = in_turn(started, (case,), questions, rounds, seconds, block)
            for peer, reason in missing.items():
                print(f"{case.name}, {peer}: {reason}", file=sys.stderr)
            rows.append(report.row(case.name, case.flops, times))
    return rows


def results(cases: Iterable[Case], peers: Iterable[str], rounds: int, seconds: float) -> report.Results:
    """The results, as the file has them."""
    rows = measured(cases, peers, rounds, seconds, seconds / 20)
    rates = {"fma_gflops": round(machine.fma_rate(), 1), "blas_gflops": round(machine.blas_rate(), 1)}
    return {"machine": {**machine.facts(), **rates}, "measured": str(date.today()), "cases": rows}


def train(
    cases: str = "*", peers: tuple[str, ...] = tuple(PEERS), rounds: int = 3, seconds: float = 0.6, short: bool = False
) -> None:
    """Training steps of every case, by every peer that is installed, into one results file.

    A figure is the median over the rounds of the best block.  A whole run is kept, by the instruction set,
    and goes into the documents; one of chosen cases or peers, or a short one, is shown and kept nowhere.
    """
    fresh = results(chosen(cases), peers, *((1, 0.05) if short else (rounds, seconds)))
    print(report.table(fresh))
    if not short and cases == "*" and peers == tuple(PEERS):
        report.save(fresh, report.kept_at(machine.ISA))
        report.report()


def compare(
    cases: str = "*", peers: tuple[str, ...] = OURS, rounds: int = 3, seconds: float = 0.6, short: bool = False
) -> int:
    """A fresh run of fastnn's backends beside the kept results: says what became 10% slower, and then fails.

    What seems slower is timed once more, for it may have been company on the machine.
    """
    pace = (1, 0.05) if short else (rounds, seconds)
    kept, fresh = report.kept_results(machine.ISA), results(chosen(cases), peers, *pace)
    if difference := report.other_machine(kept, fresh):
        print(f"the kept results are of another machine ({difference}), so times cannot be compared", file=sys.stderr)
        return 2
    if doubtful := {name for name, _, _ in report.slower(kept, fresh)}:
        again = results([case for case in CASES if case.name in doubtful], peers, *pace)
        fresh = report.quicker(fresh, again)
    compared = report.changes(kept, fresh)
    for name, peer, ratio in compared:
        late = "  SLOWER" if ratio > report.TOLERANCE else ""
        print(f"{name:34s} {peer:14s} {ratio:6.2f} times as long as before{late}")
    if not compared:
        print("nothing was measured both times", file=sys.stderr)
        return 2
    worse = len(report.slower(kept, fresh))
    print(f"{worse} of {len(compared)} are slower by more than {report.TOLERANCE - 1:.0%}")
    return 1 if worse else 0


def odd(cases: str = "*", rounds: int = 3, seconds: float = 0.08, short: bool = False) -> None:
    """Training steps of networks that nobody tuned for: fastnn beside PyTorch and JAX, in one run.

    What the best peer does faster is named at the end.
    """
    peers = ("fastnn numba", "fastnn cython", "PyTorch", "JAX")
    rows = measured(chosen(cases, ODD), peers, *((1, 0.03) if short else (rounds, seconds)))
    print(
        "Microseconds a step, the median over the rounds of the best block, at the better number of threads", end="\n\n"
    )
    print(report.comparison(rows))
    found = {row["case"]: report.advantages(row["microseconds"]) for row in rows}
    for peer in filter(report.is_ours, peers):
        ratios = {name: ours[peer] for name, ours in found.items() if peer in ours}
        slow = [f"{name} ({ratio:.2f})" for name, ratio in ratios.items() if ratio < 1]
        print(f"\n{peer} is slower than the best peer in {len(slow)} of {len(ratios)}: {', '.join(slow) or 'none'}")


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
    return lambda epochs: model.fit(x, y, batch_size=case.batch, epochs=epochs, shuffle=False, verbose=0)


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


SECONDS = 0.25
"""How long a turn of a feature takes, about."""


def features(
    cases: str = "784-256-256-10 b128",
    backend: str = "auto",
    threads: int | None = None,
    rounds: int = 15,
    features: tuple[str, ...] = tuple(FEATURES),
) -> None:
    """What features of a training step cost: each beside the plain step, by turns, in one process.

    A figure is the fastest round of a variant; the ratio is the median over the rounds of its time to the plain step's
    in the same round.  JAX, where it is installed, has the same features in its own step.
    """
    if unknown := [name for name in features if name not in FEATURES]:
        raise SystemExit(f"--features got {', '.join(unknown)}; it takes some of {', '.join(FEATURES)}")
    asked = list(dict.fromkeys(["plain", *features]))
    if threads:
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])  # JAX heeds nothing else
    for case in chosen(cases):
        runs = {name: fastnn_step(case, backend, threads, FEATURES[name]) for name in asked}
        try:
            runs |= {f"JAX {name}": run for name in asked if (run := jax_step(case, name)) is not None}
        except ImportError:
            print("JAX and optax are not here")
        epochs = {name: filling(run, SECONDS) for name, run in runs.items()}
        turns = by_turns({name: partial(run, epochs[name]) for name, run in runs.items()}, rounds, 0)
        print(f"{case.name}: us a step, ratio to the plain step (quartiles)")
        times = {name: [turn.min / (epochs[name] * case.steps) * 1e6 for turn in turns[name]] for name in runs}
        for name, values in times.items():
            plain = times["JAX plain" if name.startswith("JAX") else "plain"]
            ratios = sorted(a / b for a, b in zip(values, plain, strict=True))
            quarter = len(ratios) // 4
            spread = f"({ratios[quarter]:.3f} to {ratios[-1 - quarter]:.3f})"
            print(f"  {name:24}{min(values):10.1f}{median(ratios):8.3f}  {spread}")
