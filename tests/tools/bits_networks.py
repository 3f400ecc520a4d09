"""Networks that `bits` trains: every layer, activation, loss, optimizer, schedule, and way to split a step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache, partial
from typing import Any

from bits_cases import BASES, CHUNKS, FEW, ONCE, ROWS, WAYS, Array, Place, Training, add, on_both, stack

from fastnn import activations, gradient_descent, losses, regularizers, schedules
from fastnn import optimizers as opt
from fastnn.layers import (
    Activation,
    AlphaDropout,
    BatchNormalization,
    Dense,
    Dropout,
    GaussianNoise,
    Layer,
    LayerNormalization,
    Scaling,
)

# --- Layers ---

LAYERS: dict[str, Callable[[Sequence[int]], Sequence[Layer]]] = {
    "dense": stack,
    "no bias": lambda u: stack(u, use_bias=False),
    "no bias in the first": lambda u: [Dense(u[0], "relu", use_bias=False), *stack(u[1:])],
    "frozen first": lambda u: [Dense(u[0], "gelu", kernel_rate=0, bias_rate=0.5), *stack(u[1:])],
    "rates": lambda u: stack(u, kernel_rate=0.5, bias_rate=2.0),
    "l1": lambda u: stack(u, kernel_regularizer="l1"),
    "l2": lambda u: stack(u, kernel_regularizer="l2"),
    "l1_l2": lambda u: stack(u, kernel_regularizer=regularizers.L1L2(0.001, 0.002)),
    "bias l1": lambda u: stack(u, bias_regularizer="l1"),
    "bias l2": lambda u: stack(u, bias_regularizer=regularizers.L2(0.1), bias_initializer="ones"),
    "both l1_l2": lambda u: stack(u, kernel_regularizer="l1_l2", bias_regularizer="l1_l2"),
    "activation first": lambda u: stack(u, before=[Activation("tanh")]),
    "activation behind": lambda u: stack(u, between=[Activation("relu")], activation=None),
    "activation upon another": lambda u: stack(u, between=[Activation("gelu")]),
    "softmax behind": lambda u: stack(u, after=[Activation("softmax")], last=None),
    "dropout": lambda u: stack(u, between=[Dropout(0.3)]),
    "dropout of nothing": lambda u: stack(u, between=[Dropout(0.0)]),
    "dropout of inputs": lambda u: stack(u, before=[Dropout(0.2, seed=7)]),
    "dropout at the end": lambda u: stack(u, after=[Dropout(0.2), Activation("softmax")], last=None),
    "alpha dropout": lambda u: stack(u, between=[AlphaDropout(0.1)], activation="selu"),
    "noise": lambda u: stack(u, between=[GaussianNoise(0.2)]),
    "noise of inputs": lambda u: stack(u, before=[GaussianNoise(0.1)]),
    "noise upon dropout": lambda u: stack(u, between=[Dropout(0.3), GaussianNoise(0.2)], activation="relu"),
    "batch normalization": lambda u: stack(u, between=[BatchNormalization()]),
    "batch normalization of inputs": lambda u: stack(u, before=[BatchNormalization(momentum=0.5, epsilon=0.1)]),
    "batch normalization inside": lambda u: stack(
        u, between=[BatchNormalization(), Activation("relu"), Dropout(0.1)], activation=None, use_bias=False
    ),
    "batch normalization at the end": lambda u: stack(
        u, after=[BatchNormalization(), Activation("softmax")], last=None
    ),
    "batch normalization, no center": lambda u: stack(u, between=[BatchNormalization(center=False)]),
    "batch normalization, no scale": lambda u: stack(u, between=[BatchNormalization(scale=False)]),
    "batch normalization, neither": lambda u: stack(u, between=[BatchNormalization(center=False, scale=False)]),
    "layer normalization": lambda u: stack(u, between=[LayerNormalization()]),
    "layer normalization of inputs": lambda u: stack(u, before=[LayerNormalization(epsilon=0.1)]),
    "layer normalization at the end": lambda u: stack(
        u, after=[LayerNormalization(), Activation("softmax")], last=None
    ),
    "layer normalization, no center": lambda u: stack(u, between=[LayerNormalization(center=False)]),
    "layer normalization, neither": lambda u: stack(u, between=[LayerNormalization(center=False, scale=False)]),
    "scaling": lambda u: stack(u, before=[Scaling(gamma_rate=6.0)]),
    "scaling within": lambda u: stack(u, between=[Scaling("random_normal")]),
    "all together": lambda u: stack(
        u,
        before=[Scaling(), GaussianNoise(0.1)],
        between=[BatchNormalization(), Dropout(0.2), LayerNormalization()],
        after=[Activation("softmax")],
        last=None,
        kernel_regularizer="l2",
    ),
}
for name, layers in LAYERS.items():
    on_both(name, layers=layers)

NAMES = ["linear", "relu", "leaky_relu", "sigmoid", "tanh", "elu", "selu", "softplus", "gelu", "silu", "mish"]
ACTIVATIONS: dict[str, Callable[[], Any]] = {
    **{name: partial(activations.Activation, name) for name in NAMES},
    "leaky_relu 0.05": lambda: activations.LeakyReLU(0.05),
    "elu 0.5": lambda: activations.ELU(0.5),
    "custom": cache(lambda: activations.Custom(lambda x: x / (1 + x * x), slope_of_custom, name="bump")),
}


def slope_of_custom(x: float) -> float:
    return (1 - x * x) / (1 + x * x) ** 2


def activated(activation: Callable[[], Any], units: Sequence[int]) -> list[Layer]:
    return stack(units, activation=activation(), last=activation())


for name, activation in ACTIVATIONS.items():
    on_both(name, FEW, layers=partial(activated, activation), loss=lambda: "mse", target="numbers")

INITIALIZERS = (
    "glorot_uniform glorot_normal he_uniform he_normal lecun_uniform lecun_normal zeros ones constant random_normal "
    "random_uniform truncated_normal variance_scaling"
)
for name in INITIALIZERS.split():
    layers = lambda u, name=name: stack(u, kernel_initializer=name, bias_initializer="random_uniform")  # noqa: E731
    add(f"initializer {name}", replace(CHUNKS, layers=layers, epochs=1), [("float32", "cython", 1)])

# --- Losses and metrics ---


def fourth_power(targets: Array, outputs: Array) -> tuple[Array, Array]:
    return ((outputs - targets) ** 4).mean(axis=1), 4 * (outputs - targets) ** 3 / outputs.shape[1]


@cache
def custom_loss() -> losses.Custom:
    return losses.Custom(
        lambda y, t: (y - t) ** 2 + abs(y), lambda y, t: 2 * (y - t) + (1 if y > 0 else -1), name="own"
    )


BALANCED = {"apply_class_balancing": True, "alpha": 0.3, "gamma": 1.5}
# name: the loss, the last activation, the targets
LOSSES: dict[str, tuple[Callable[[], Any], str, str]] = {
    "mse": (losses.MeanSquaredError, "linear", "numbers"),
    "mse on softmax": (losses.MeanSquaredError, "softmax", "one-hot"),
    "half squared error": (losses.HalfSquaredError, "linear", "numbers"),
    "mae": (losses.MeanAbsoluteError, "linear", "numbers"),
    "mae on tanh": (losses.MeanAbsoluteError, "tanh", "numbers"),
    "huber": (losses.Huber, "linear", "numbers"),
    "huber 0.3": (lambda: losses.Huber(0.3), "linear", "numbers"),
    "log_cosh": (losses.LogCosh, "linear", "numbers"),
    "quantile 0.3": (lambda: losses.Quantile(0.3), "linear", "numbers"),
    "poisson": (losses.Poisson, "softplus", "counts"),
    "kl_divergence on softmax": (losses.KLDivergence, "softmax", "probabilities"),
    "kl_divergence on sigmoid": (losses.KLDivergence, "sigmoid", "probabilities"),
    "hinge": (losses.Hinge, "linear", "signs"),
    "hinge of bits": (losses.Hinge, "tanh", "bits"),
    "squared_hinge": (losses.SquaredHinge, "tanh", "signs"),
    "binary": (losses.BinaryCrossentropy, "sigmoid", "bits"),
    "binary smoothed": (lambda: losses.BinaryCrossentropy(label_smoothing=0.1), "sigmoid", "bits"),
    "binary from logits": (lambda: losses.BinaryCrossentropy(from_logits=True), "linear", "probabilities"),
    "binary on softplus": (lambda: losses.BinaryCrossentropy(label_smoothing=0.2), "softplus", "bits"),
    "binary focal": (losses.BinaryFocalCrossentropy, "sigmoid", "bits"),
    "binary focal balanced": (lambda: losses.BinaryFocalCrossentropy(**BALANCED), "sigmoid", "bits"),
    "binary focal smoothed": (lambda: losses.BinaryFocalCrossentropy(label_smoothing=0.1), "softmax", "one-hot"),
    "binary focal from logits": (lambda: losses.BinaryFocalCrossentropy(from_logits=True), "linear", "bits"),
    "categorical": (losses.CategoricalCrossentropy, "softmax", "one-hot"),
    "categorical of probabilities": (losses.CategoricalCrossentropy, "softmax", "probabilities"),
    "categorical smoothed": (lambda: losses.CategoricalCrossentropy(label_smoothing=0.1), "softmax", "one-hot"),
    "categorical from logits": (lambda: losses.CategoricalCrossentropy(from_logits=True), "linear", "one-hot"),
    "categorical focal": (losses.CategoricalFocalCrossentropy, "softmax", "one-hot"),
    "categorical focal by class": (
        lambda: losses.CategoricalFocalCrossentropy([0.2, 0.3, 0.5], gamma=1.0),
        "softmax",
        "one-hot",
    ),
    "sparse from logits": (lambda: losses.SparseCategoricalCrossentropy(from_logits=True), "linear", "labels"),
    "sparse smoothed": (lambda: losses.SparseCategoricalCrossentropy(label_smoothing=0.1), "softmax", "labels"),
    "custom loss": (custom_loss, "tanh", "numbers"),
    "custom loss on softmax": (custom_loss, "softmax", "one-hot"),
    "loss of batches": (lambda: losses.Custom(fourth_power), "linear", "numbers"),
}
for name, (loss, last, target) in LOSSES.items():
    on_both(name, FEW, layers=partial(stack, last=last), loss=loss, target=target)
for which, training in BASES.items():
    three = replace(training, loss=lambda: losses.Quantile([0.1, 0.5, 0.9]), layers=partial(stack, last="linear"))
    add(f"{which} three quantiles", replace(three, target="numbers", y_as=lambda y: y[:, :1], metrics=()))
    one = replace(training, units=(*training.units[:-1], 1), layers=partial(stack, last="sigmoid"), target="bits")
    add(f"{which} one output", replace(one, loss=losses.BinaryCrossentropy))
add("metrics none", replace(CHUNKS, metrics=()))
add("metrics of classes", replace(CHUNKS, metrics=["acc", "sparse_categorical_accuracy", "mae", "rmse"]))
on_both(
    "metrics of numbers",
    layers=partial(stack, last="linear"),
    loss=lambda: "mse",
    target="numbers",
    metrics=["mae", "rmse", "mean_squared_error", "binary_accuracy", "categorical_accuracy"],
)

# --- Optimizers ---

OPTIMIZERS: dict[str, Callable[..., Any]] = {
    "sgd": partial(opt.SGD, 0.1),
    "momentum": partial(opt.SGD, 0.1, momentum=0.9),
    "nesterov": partial(opt.SGD, 0.1, momentum=0.9, nesterov=True),
    "adam": partial(opt.Adam, 0.01, beta_1=0.8, epsilon=1e-6),
    "amsgrad": partial(opt.Adam, 0.01, amsgrad=True),
    "adamw": partial(opt.AdamW, 0.01),
    "nadam": opt.Nadam,
    "adamax": opt.Adamax,
    "adagrad": partial(opt.Adagrad, 0.1, initial_accumulator_value=0.2),
    "adadelta": partial(opt.Adadelta, 1.0),
    "rmsprop": opt.RMSprop,
    "rmsprop momentum": partial(opt.RMSprop, momentum=0.5),
    "rmsprop centered": partial(opt.RMSprop, centered=True),
    "rmsprop centered momentum": partial(opt.RMSprop, centered=True, momentum=0.5),
    "lion": opt.Lion,
    "rprop": opt.Rprop,
}
OPTIONS: dict[str, dict[str, Any]] = {
    "weight_decay": {"weight_decay": 0.1},
    "clipvalue": {"clipvalue": 0.001},
    "clipnorm": {"clipnorm": 0.01},
    "global_clipnorm": {"global_clipnorm": 0.02},
    "use_ema": {"use_ema": True, "ema_momentum": 0.9},
    "overwritten by ema": {"use_ema": True, "ema_overwrite_frequency": 3},
}
TOGETHER = {"weight_decay": 0.1, "clipnorm": 0.1, "use_ema": True, "ema_overwrite_frequency": 4}
for name, optimizer in OPTIMIZERS.items():
    on_both(f"optimizer {name}", optimizer=optimizer)
    add(f"rows optimizer {name} with all options", replace(ROWS, optimizer=partial(optimizer, **TOGETHER)))
for name, options in OPTIONS.items():
    for optimizer in ("momentum", "adam"):
        on_both(f"{optimizer} {name}", optimizer=partial(OPTIMIZERS[optimizer], **options))
on_both("lbfgs", optimizer=opt.LBFGS, epochs=6)
penalized = partial(stack, kernel_regularizer="l2")
add("lbfgs l2", replace(CHUNKS, layers=penalized, optimizer=partial(opt.LBFGS, history_size=3, max_line_search=5)))


class Sawtooth(schedules.LearningRateSchedule):
    def __call__(self, step: int) -> float:
        return 0.01 * (1 + step % 4)


SCHEDULES: dict[str, Callable[[], Any]] = {
    "constant": lambda: schedules.Constant(0.02),
    "exponential": lambda: schedules.ExponentialDecay(0.05, 4, 0.7),
    "exponential staircase": lambda: schedules.ExponentialDecay(0.05, 4, 0.7, staircase=True),
    "inverse time": lambda: schedules.InverseTimeDecay(0.05, 4, 0.7),
    "piecewise": lambda: schedules.PiecewiseConstantDecay([2, 5], [0.05, 0.02, 0.01]),
    "polynomial": lambda: schedules.PolynomialDecay(0.05, 7, power=2.0),
    "polynomial cycle": lambda: schedules.PolynomialDecay(0.05, 3, cycle=True),
    "cosine": lambda: schedules.CosineDecay(0.01, 6, alpha=0.1, warmup_target=0.05, warmup_steps=3),
    "restarts": lambda: schedules.CosineDecayRestarts(0.05, 3, m_mul=0.8),
    "cosine log": lambda: schedules.CosineLog(0.05, 12),
    "one cycle": lambda: schedules.OneCycle(0.05, 12),
    "one cycle in three": lambda: schedules.OneCycle(0.05, 12, anneal_strategy="linear", three_phase=True),
    "warm up": lambda: schedules.WarmUp(schedules.ExponentialDecay(0.05, 4, 0.7), 4),
    "function": lambda: lambda step: 0.05 / (1 + step),
    "own class": Sawtooth,
}
for name, schedule in SCHEDULES.items():
    add(f"schedule {name}", replace(CHUNKS, optimizer=lambda schedule=schedule: opt.Adam(schedule()), epochs=4), FEW)


def descent(optimizer: str, place: Place) -> dict[str, Any]:
    gradient = lambda p: [-2 * p[0] + p[1], 2 * p[1], 4 * p[2] ** 3]  # noqa: E731
    return {"path": gradient_descent(gradient, [0.1, 1.0, -2.0], 0.05, 20, OPTIMIZERS[optimizer]())}


for name in OPTIMIZERS:
    add(f"gradient_descent {name}", partial(descent, name), ONCE)

# --- Ways to split a step ---


def ladder(inputs: int, *units: int, b: int, rows: int, **changes: Any) -> Training:
    numbers = {"loss": lambda: "mse", "target": "numbers", "layers": partial(stack, activation="relu", last="linear")}
    return Training(inputs, units, b, rows, **{**(numbers if units[-1] == 1 else {}), **changes})


IN_ORDER: Callable[[Array, Array], dict[str, Any]] = lambda x, y: {"shuffle": False}  # noqa: E731
SPLITS: dict[str, Training] = {
    "2-8-1 b4": ladder(2, 8, 1, b=4, rows=50),
    "5-1 b10": ladder(5, 1, b=10, rows=37),
    "300-2 b20": ladder(300, 2, b=20, rows=50),
    "300-4 b20": ladder(300, 4, b=20, rows=50),
    "300-5 b20": ladder(300, 5, b=20, rows=50),
    "4-32-32-1 b256": ladder(4, 32, 32, 1, b=256, rows=600),
    "30-64-64-2 b1": ladder(30, 64, 64, 2, b=1, rows=20),
    "30-64-64-2 b32": ladder(30, 64, 64, 2, b=32, rows=90),
    "30-64-64-2 b256": ladder(30, 64, 64, 2, b=256, rows=600),
    "30-64-64-2 b256 in order": ladder(30, 64, 64, 2, b=256, rows=600, fit=IN_ORDER),
    "30-64-64-2 b1000": ladder(30, 64, 64, 2, b=1000, rows=2300),
    "64-100-10 b200, two parts left": ladder(64, 100, 10, b=200, rows=437),
    "7-40-3 b300, a row left": ladder(7, 40, 3, b=300, rows=601),
    "30-64-64-2 b256, a row left": ladder(30, 64, 64, 2, b=256, rows=513),
    "7-50-50-5 b1024": ladder(7, 50, 50, 5, b=1024, rows=2500),
    "130-96-40-3 b24": ladder(130, 96, 40, 3, b=24, rows=100),
    "33-257-257-3 b100": ladder(33, 257, 257, 3, b=100, rows=250),
    "784-128-10 b32": ladder(784, 128, 10, b=32, rows=100),
    "784-128-10 b32 in order": ladder(784, 128, 10, b=32, rows=100, fit=IN_ORDER),
    "784-128-10 b32 float32 in order": ladder(
        784, 128, 10, b=32, rows=100, fit=IN_ORDER, x_as=lambda x: x.astype("float32")
    ),
    "784-128-10 b128": ladder(784, 128, 10, b=128, rows=300),
    "784-128-128-128-10 b128": ladder(784, 128, 128, 128, 10, b=128, rows=128),
    "1024-1024-10 b16": ladder(1024, 1024, 10, b=16, rows=40),
    "64-256-1000 b32": ladder(64, 256, 1000, b=32, rows=80),
    "64-256-1000 b128": ladder(64, 256, 1000, b=128, rows=200),
    "16-1000 b64": ladder(16, 1000, b=64, rows=100),
    "700-820-50-10 b48": ladder(700, 820, 50, 10, b=48, rows=100),
}
for name, training in SPLITS.items():
    add(name, training)
for name in ("784-128-10 b32", "30-64-64-2 b256", "64-256-1000 b32"):
    for optimizer in ("sgd", "momentum"):
        add(f"{name} {optimizer}", replace(SPLITS[name], optimizer=OPTIMIZERS[optimizer]))
huge = ladder(64, 2048, 10, b=16384, rows=16384 + 100, epochs=1, optimizer=opt.SGD, metrics=())
add("64-2048-10 b16384", huge, [("float32", *way) for way in WAYS if way in [("numba", 1), ("cython", 2)]])
