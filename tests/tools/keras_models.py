"""Twenty models in the words that Keras and fastnn share, with what each is compiled with.

``CASES[name](K)`` gives the layers and the arguments of compile, with the module K: keras, or fastnn.
"""

import numpy as np

ROWS, INPUTS = 24, 6


def data(classes=0, outputs=1, rows=ROWS, inputs=INPUTS):
    """Rows, and targets: class numbers, or numbers between 0 and 1."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=(rows, inputs))
    y = rng.integers(0, classes, rows) if classes else rng.uniform(0.05, 0.95, (rows, outputs))
    return x, y


def _head(K, *layers):
    return [K.Input((INPUTS,)), *layers]


def _plain(K):
    return (
        _head(K, K.layers.Dense(5, "relu"), K.layers.Dense(1)),
        {"optimizer": K.optimizers.SGD(0.1), "loss": "mse"},
        0,
    )


def _momentum(K):
    optimizer = K.optimizers.SGD(0.05, momentum=0.9, nesterov=True)
    layers = _head(K, K.layers.Dense(5, "tanh", use_bias=False), K.layers.Dense(3, "sigmoid"))
    return layers, {"optimizer": optimizer, "loss": K.losses.BinaryCrossentropy(label_smoothing=0.1)}, 0


def _classes(K):
    layers = _head(
        K, K.layers.Dense(7, "selu"), K.layers.BatchNormalization(momentum=0.8), K.layers.Dense(4, "softmax")
    )
    loss = K.losses.SparseCategoricalCrossentropy()
    return layers, {"optimizer": K.optimizers.Adam(0.01), "loss": loss, "metrics": ["accuracy"]}, 4


def _logits(K):
    layers = _head(K, K.layers.Dense(7), K.layers.LayerNormalization(epsilon=1e-4), K.layers.Dense(4))
    loss = K.losses.SparseCategoricalCrossentropy(from_logits=True)
    return layers, {"optimizer": K.optimizers.AdamW(0.01, weight_decay=0.02), "loss": loss}, 4


def _activations(K):
    names = ["leaky_relu", "elu", "softplus", "gelu", "silu", "mish", "relu6", "celu", "exponential", "softsign"]
    names += ["hard_sigmoid", "hard_silu", "hard_tanh", "log_sigmoid", "squareplus", "soft_shrink", "hard_shrink"]
    names += ["sparse_plus", "sparse_sigmoid", "tanh"]
    layers = [K.layers.Dense(4, name) for name in names]
    return _head(K, *layers, K.layers.Dense(2)), {"optimizer": K.optimizers.Adam(0.001), "loss": "mae"}, 0


def _layers_of_activations(K):
    L = K.layers
    kinds = [L.ReLU(), L.LeakyReLU(0.2), L.PReLU("he_normal"), L.ELU(0.7), L.Activation("tanh"), L.ReLU(4.0, 0.1, 0.2)]
    layers = [each for kind in kinds for each in (L.Dense(4), kind)]
    layers = _head(K, *layers, L.Dense(3), L.Softmax())
    return layers, {"optimizer": K.optimizers.Adamax(0.01), "loss": K.losses.SparseCategoricalCrossentropy()}, 3


def _held(K):
    L, C, R = K.layers, K.constraints, K.regularizers
    layers = [
        L.Dense(
            5, "tanh", kernel_regularizer=R.L1(0.01), bias_regularizer=R.L2(0.02), kernel_constraint=C.MaxNorm(1.0)
        ),
        L.Dense(5, "tanh", kernel_regularizer=R.L1L2(0.01, 0.02), kernel_constraint=C.UnitNorm()),
        L.Dense(5, "tanh", kernel_constraint=C.MinMaxNorm(0.2, 0.8, 0.5), bias_constraint=C.NonNeg()),
        L.PReLU(alpha_regularizer=R.L2(0.1), alpha_constraint=C.NonNeg()),
    ]
    return _head(K, *layers, K.layers.Dense(2)), {"optimizer": K.optimizers.RMSprop(0.005), "loss": "mse"}, 0


def _initializers(K):
    draws = K.initializers
    kinds = [
        draws.GlorotNormal(),
        draws.HeUniform(1),
        draws.HeNormal(),
        draws.LecunUniform(),
        draws.LecunNormal(3),
        draws.RandomNormal(0.1, 0.3),
    ]
    kinds += [
        draws.RandomUniform(-0.3, 0.3),
        draws.TruncatedNormal(0.0, 0.4),
        draws.Orthogonal(1.1),
        draws.Identity(0.9),
    ]
    kinds += [draws.VarianceScaling(1.5, "fan_out", "uniform", 4), draws.Constant(0.1)]
    layers = [K.layers.Dense(4, "tanh", kernel_initializer=kind, bias_initializer="ones") for kind in kinds]
    return _head(K, *layers, K.layers.Dense(1)), {"optimizer": K.optimizers.Adagrad(0.05), "loss": "huber"}, 0


def _nested(K):
    inner = K.Sequential([K.layers.Dense(4, "tanh"), K.layers.BatchNormalization()], name="inner")
    outer = K.Sequential([K.layers.Dense(5), inner, K.layers.Dense(3, "relu")], name="outer")
    layers = _head(K, outer, K.layers.Dense(3), K.layers.Dense(1))
    return layers, {"optimizer": K.optimizers.Nadam(0.01), "loss": K.losses.LogCosh()}, 0


def _frozen(K):
    layers = _head(K, K.layers.Dense(5, "tanh", trainable=False), K.layers.Dense(4), K.layers.BatchNormalization())
    layers += [K.layers.Dense(4, "relu", name="mine"), K.layers.Dense(2)]
    return layers, {"optimizer": K.optimizers.Adadelta(0.5), "loss": "mse"}, 0


def _centered(K):
    layers = _head(K, K.layers.Dense(5, "tanh"), K.layers.Dense(2))
    optimizer = K.optimizers.RMSprop(0.005, momentum=0.9, centered=True, epsilon=1e-4)
    return layers, {"optimizer": optimizer, "loss": "mse"}, 0


def _centered_without_momentum(K):
    layers = _head(K, K.layers.Dense(5, "tanh"), K.layers.Dense(2))
    return layers, {"optimizer": K.optimizers.RMSprop(0.005, centered=True, epsilon=1e-4), "loss": "mse"}, 0


def _lion(K):
    layers = _head(K, K.layers.Dense(5, "tanh"), K.layers.Dense(2, "softmax"))
    loss = K.losses.CategoricalHinge()
    return layers, {"optimizer": K.optimizers.Lion(0.003, clipnorm=0.5), "loss": loss}, 0


def _amsgrad(K):
    layers = _head(K, K.layers.Dense(5, "tanh"), K.layers.Dense(2, "sigmoid"))
    optimizer = K.optimizers.Adam(0.01, amsgrad=True, weight_decay=0.01, clipvalue=0.1)
    return layers, {"optimizer": optimizer, "loss": K.losses.BinaryFocalCrossentropy(gamma=1.5)}, 0


def _averaged(K):
    layers = _head(K, K.layers.Dense(5, "tanh"), K.layers.BatchNormalization(), K.layers.Dense(2))
    optimizer = K.optimizers.SGD(0.05, momentum=0.5, use_ema=True, ema_momentum=0.9)
    return layers, {"optimizer": optimizer, "loss": "mse"}, 0


def _accumulated(K):
    layers = _head(K, K.layers.Dense(5, "tanh"), K.layers.PReLU(), K.layers.Dense(2))
    optimizer = K.optimizers.Adam(0.01, gradient_accumulation_steps=4, global_clipnorm=0.3)
    return layers, {"optimizer": optimizer, "loss": "mse"}, 0


def _scheduled(K):
    rate = K.optimizers.schedules.ExponentialDecay(0.05, 3, 0.8, staircase=True)
    layers = _head(K, K.layers.Dense(5, "tanh"), K.layers.Dense(2))
    return layers, {"optimizer": K.optimizers.Adam(rate), "loss": K.losses.MeanSquaredLogarithmicError()}, 0


def _cosine(K):
    rate = K.optimizers.schedules.CosineDecay(0.01, 20, 0.1, warmup_target=0.05, warmup_steps=4)
    layers = _head(K, K.layers.Dense(5, "tanh"), K.layers.Dense(2, "sigmoid"))
    metrics = ["mae", K.metrics.AUC(name="area"), K.metrics.Precision(thresholds=0.4), K.metrics.MeanSquaredError()]
    return layers, {"optimizer": K.optimizers.Nadam(rate), "loss": "binary_crossentropy", "metrics": metrics}, 0


def _fixed(K):
    scaled = K.layers.Normalization(mean=[0.1] * INPUTS, variance=[2.0] * INPUTS)
    layers = _head(K, scaled, K.layers.Rescaling(0.5, 0.1), K.layers.Dense(5, "tanh"), K.layers.Dense(2, "softplus"))
    rate = K.optimizers.schedules.PiecewiseConstantDecay([5, 9], [0.1, 0.05, 0.01])
    return layers, {"optimizer": K.optimizers.SGD(rate), "loss": "poisson"}, 0


def _shaped(K):
    layers = [K.Input((2, 3)), K.layers.Normalization(), K.layers.Flatten(), K.layers.Dense(6, "relu")]
    layers += [K.layers.Reshape((3, 2)), K.layers.Flatten(), K.layers.Dense(2)]
    rate = K.optimizers.schedules.PolynomialDecay(0.02, 30, 0.001, 2.0)
    return layers, {"optimizer": K.optimizers.Adamax(rate), "loss": K.losses.CosineSimilarity()}, 0


CASES = {
    name.strip("_"): case
    for name, case in list(globals().items())
    if getattr(case, "__code__", None) and name[0] == "_" and name != "_head"
}
