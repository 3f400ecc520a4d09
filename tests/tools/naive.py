"""What fastnn should compute, written as plainly as possible in float64 NumPy.

The tests compare the library with this file, so it imports nothing of fastnn and shares no code with it.
A network is a flat list of weights, [kernel, bias, kernel, bias, ...] with kernels (inputs, units), and one
activation name a layer.
"""

import itertools
import math

import numpy as np

erfc = np.vectorize(math.erfc, otypes=[float])


def sigmoid(z):
    return np.where(z >= 0, 1 / (1 + np.exp(-np.abs(z))), np.exp(-np.abs(z)) / (1 + np.exp(-np.abs(z))))


def softplus(z):
    return np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))


def softmax(z):
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def log_sum_exp(z):
    largest = z.max(axis=-1, keepdims=True)
    return largest + np.log(np.exp(z - largest).sum(axis=-1, keepdims=True))


def negative_expm1(z):
    """exp(z) - 1 for z < 0; for others a value that is not used."""
    return np.expm1(np.minimum(z, 0))


def normal_cdf(z):
    return erfc(-z / math.sqrt(2)) / 2


def normal_density(z):
    return np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)


def hard_sigmoid(z):
    return np.clip(z + 3, 0, 6) / 6


def slope_of_hard_sigmoid(z):
    return np.where(np.abs(z) < 3, 1 / 6, 0.0)


SELU_ALPHA = 1.6732632423543772
SELU_SCALE = 1.0507009873554805

# name: (value, slope), both functions of the layer's input z; softmax has no slope a value, see `backward`
ACTIVATIONS = {
    "linear": (lambda z: z, np.ones_like),
    "sigmoid": (sigmoid, lambda z: sigmoid(z) * sigmoid(-z)),
    "tanh": (np.tanh, lambda z: 4 * sigmoid(2 * z) * sigmoid(-2 * z)),
    "relu": (lambda z: np.where(z > 0, z, 0.0), lambda z: np.where(z > 0, 1.0, 0.0)),
    "leaky_relu": (lambda z: np.where(z > 0, z, 0.2 * z), lambda z: np.where(z > 0, 1.0, 0.2)),
    "elu": (lambda z: np.where(z > 0, z, negative_expm1(z)), lambda z: np.where(z > 0, 1.0, np.exp(np.minimum(z, 0)))),
    "selu": (
        lambda z: SELU_SCALE * np.where(z > 0, z, SELU_ALPHA * negative_expm1(z)),
        lambda z: SELU_SCALE * np.where(z > 0, 1.0, SELU_ALPHA * np.exp(np.minimum(z, 0))),
    ),
    "softplus": (softplus, sigmoid),
    "gelu": (lambda z: z * normal_cdf(z), lambda z: normal_cdf(z) + z * normal_density(z)),
    "silu": (lambda z: z * sigmoid(z), lambda z: sigmoid(z) * (1 + z * sigmoid(-z))),
    "mish": (
        lambda z: z * np.tanh(softplus(z)),
        lambda z: np.tanh(softplus(z)) + z * sigmoid(z) * (1 - np.tanh(softplus(z)) ** 2),
    ),
    "softmax": (softmax, None),
    "relu6": (lambda z: np.clip(z, 0, 6), lambda z: np.where((z > 0) & (z < 6), 1.0, 0.0)),
    "celu": (lambda z: np.where(z > 0, z, negative_expm1(z)), lambda z: np.where(z > 0, 1.0, np.exp(np.minimum(z, 0)))),
    "exponential": (np.exp, np.exp),
    "softsign": (lambda z: z / (1 + np.abs(z)), lambda z: (1 + np.abs(z)) ** -2.0),
    "hard_sigmoid": (hard_sigmoid, slope_of_hard_sigmoid),
    "hard_silu": (lambda z: z * hard_sigmoid(z), lambda z: hard_sigmoid(z) + z * slope_of_hard_sigmoid(z)),
    "hard_tanh": (lambda z: np.clip(z, -1, 1), lambda z: np.where(np.abs(z) < 1, 1.0, 0.0)),
    "log_sigmoid": (lambda z: -softplus(-z), lambda z: sigmoid(-z)),
    "squareplus": (
        lambda z: np.where(z > 0, z + np.sqrt(z**2 + 4), 4 / (np.abs(z) + np.sqrt(z**2 + 4))) / 2,
        lambda z: np.where(z > 0, z + np.sqrt(z**2 + 4), 4 / (np.abs(z) + np.sqrt(z**2 + 4))) / 2 / np.sqrt(z**2 + 4),
    ),
    "soft_shrink": (
        lambda z: np.sign(z) * np.maximum(np.abs(z) - 0.5, 0),
        lambda z: np.where(np.abs(z) > 0.5, 1.0, 0.0),
    ),
    "hard_shrink": (lambda z: np.where(np.abs(z) > 0.5, z, 0.0), lambda z: np.where(np.abs(z) > 0.5, 1.0, 0.0)),
    "sparse_plus": (lambda z: np.where(z < 1, np.maximum(z + 1, 0) ** 2 / 4, z), lambda z: np.clip((z + 1) / 2, 0, 1)),
    "sparse_sigmoid": (lambda z: np.clip((z + 1) / 2, 0, 1), lambda z: np.where(np.abs(z) < 1, 0.5, 0.0)),
}


def clipped(p):
    return np.clip(p, 1e-7, 1 - 1e-7)


def huber(error, delta=1.0):
    return np.where(np.abs(error) <= delta, error**2 / 2, delta * (np.abs(error) - delta / 2))


def signs(y):
    return np.where(y > 0, 1.0, -1.0)


def length(p):
    return np.sqrt(np.sum(p**2, axis=1, keepdims=True))


def unit(p):
    return p / length(p)


def pinball(y, p, q):
    return np.maximum(q * (y - p), (q - 1) * (y - p))


QUANTILES = np.array([0.1, 0.5, 0.8])
ALPHA = np.array([0.3, 1.0, 0.5, 2.0])  # of classes


# name: (loss of each row, its gradient by the outputs), both functions of target y and output p
LOSSES = {
    "mse": (lambda y, p: np.mean((p - y) ** 2, axis=1), lambda y, p: 2 * (p - y) / p.shape[1]),
    "half_squared_error": (lambda y, p: np.sum((p - y) ** 2, axis=1) / 2, lambda y, p: p - y),
    "mae": (lambda y, p: np.mean(np.abs(p - y), axis=1), lambda y, p: np.sign(p - y) / p.shape[1]),
    "huber": (lambda y, p: np.mean(huber(p - y), axis=1), lambda y, p: np.clip(p - y, -1, 1) / p.shape[1]),
    "binary_crossentropy": (
        lambda y, p: -np.mean(y * np.log(clipped(p)) + (1 - y) * np.log(clipped(1 - p)), axis=1),
        lambda y, p: np.where(clipped(p) == p, (p - y) / (clipped(p) * clipped(1 - p)), 0) / p.shape[1],
    ),
    "categorical_crossentropy": (lambda y, p: -np.sum(y * np.log(p), axis=1), lambda y, p: -y / p),
    "log_cosh": (
        lambda y, p: np.mean(np.logaddexp(p - y, y - p) - np.log(2), axis=1),
        lambda y, p: np.tanh(p - y) / p.shape[1],
    ),
    "quantile": (
        lambda y, p: np.mean(pinball(y, p, QUANTILES), axis=1),
        lambda y, p: np.where(p > y, 1 - QUANTILES, -QUANTILES) / p.shape[1],
    ),
    "poisson": (lambda y, p: np.mean(p - y * np.log(p + 1e-7), axis=1), lambda y, p: (1 - y / (p + 1e-7)) / p.shape[1]),
    "kl_divergence": (
        lambda y, p: np.sum(np.clip(y, 1e-7, 1) * np.log(np.clip(y, 1e-7, 1) / np.clip(p, 1e-7, 1)), axis=1),
        lambda y, p: -np.clip(y, 1e-7, 1) / p,
    ),
    "mean_absolute_percentage_error": (
        lambda y, p: 100 * np.mean(np.abs(p - y) / np.abs(y), axis=1),
        lambda y, p: 100 * np.sign(p - y) / np.abs(y) / p.shape[1],
    ),
    "mean_squared_logarithmic_error": (
        lambda y, p: np.mean((np.log1p(np.maximum(p, 1e-7)) - np.log1p(np.maximum(y, 1e-7))) ** 2, axis=1),
        lambda y, p: np.where(p > 1e-7, 2 * (np.log1p(p) - np.log1p(np.maximum(y, 1e-7))) / (1 + p), 0) / p.shape[1],
    ),
    "cosine_similarity": (
        lambda y, p: -np.sum(unit(y) * unit(p), axis=1),
        lambda y, p: (unit(p) * np.sum(unit(y) * unit(p), axis=1, keepdims=True) - unit(y)) / length(p),
    ),
    "categorical_hinge": (
        lambda y, p: np.maximum(np.max((1 - y) * p, axis=1) - np.sum(y * p, axis=1) + 1, 0),
        lambda y, p: np.where(
            np.max((1 - y) * p, axis=1, keepdims=True) - np.sum(y * p, axis=1, keepdims=True) + 1 > 0,
            (1 - y) * np.eye(p.shape[1])[np.argmax((1 - y) * p, axis=1)] - y,
            0,
        ),
    ),
    "hinge": (
        lambda y, p: np.mean(np.maximum(1 - signs(y) * p, 0), axis=1),
        lambda y, p: np.where(signs(y) * p < 1, -signs(y), 0) / p.shape[1],
    ),
    "squared_hinge": (
        lambda y, p: np.mean(np.maximum(1 - signs(y) * p, 0) ** 2, axis=1),
        lambda y, p: -2 * signs(y) * np.maximum(1 - signs(y) * p, 0) / p.shape[1],
    ),
    "binary_focal_crossentropy": (
        lambda y, p: np.mean(binary_focal(y, clipped(p)), axis=1),
        lambda y, p: slope_of_binary_focal(y, clipped(p)) / p.shape[1],
    ),
}


def binary_focal(y, p, gamma=1.5, alpha=0.3):
    off = y * (1 - p) + (1 - y) * p
    return (y * alpha + (1 - y) * (1 - alpha)) * off**gamma * (-y * np.log(p) - (1 - y) * np.log(1 - p))


def slope_of_binary_focal(y, p, gamma=1.5, alpha=0.3):
    off = y * (1 - p) + (1 - y) * p
    cost = -y * np.log(p) - (1 - y) * np.log(1 - p)
    slope = gamma * off ** (gamma - 1) * (1 - 2 * y) * cost + off**gamma * ((1 - y) / (1 - p) - y / p)
    return (y * alpha + (1 - y) * (1 - alpha)) * slope


def categorical_focal(y, p, gamma=2.0):
    return np.sum(-ALPHA * (1 - p) ** gamma * y * np.log(p), axis=1)


def slope_of_categorical_focal(y, p, gamma=2.0):
    """By the logits."""
    d = -ALPHA * y * ((1 - p) ** gamma / p - gamma * (1 - p) ** (gamma - 1) * np.log(p))
    return p * (d - np.sum(d * p, axis=1, keepdims=True))


# The same of the last layer's input z, where its activation makes probabilities of it: exact for any z, no clipping
LOSSES_OF_LOGITS = {
    ("binary_crossentropy", "sigmoid"): (
        lambda y, z: np.mean(y * softplus(-z) + (1 - y) * softplus(z), axis=1),
        lambda y, z: (sigmoid(z) - y) / z.shape[1],
    ),
    ("categorical_crossentropy", "softmax"): (
        lambda y, z: np.sum(y * (log_sum_exp(z) - z), axis=1),
        lambda y, z: softmax(z) * y.sum(axis=1, keepdims=True) - y,
    ),
    ("kl_divergence", "softmax"): (
        lambda y, z: np.sum(np.where(y > 0, y * (np.log(np.where(y > 0, y, 1)) - z + log_sum_exp(z)), 0), axis=1),
        lambda y, z: softmax(z) * y.sum(axis=1, keepdims=True) - y,
    ),
    ("binary_focal_crossentropy", "sigmoid"): (
        lambda y, z: np.mean(binary_focal(y, sigmoid(z)), axis=1),
        lambda y, z: slope_of_binary_focal(y, sigmoid(z)) * sigmoid(z) * sigmoid(-z) / z.shape[1],
    ),
    ("categorical_focal_crossentropy", "softmax"): (
        lambda y, z: categorical_focal(y, softmax(z)),
        lambda y, z: slope_of_categorical_focal(y, softmax(z)),
    ),
}


def targets(loss, y, units):
    """The loss to look up, and targets (batch, units) for it: labels become rows with a single 1."""
    if loss == "sparse_categorical_crossentropy":
        return "categorical_crossentropy", np.eye(units)[np.asarray(y, dtype=int).ravel()]
    y = np.asarray(y, dtype=float)
    return loss, y.reshape(len(y), -1)


def random_weights(sizes, seed=0):
    """Weights of about the size in use, biases not zero."""
    rng = np.random.default_rng(seed)
    weights = []
    for inputs, units in itertools.pairwise(sizes):
        weights.append(rng.normal(size=(inputs, units)) / math.sqrt(inputs))
        weights.append(rng.normal(size=units) / 4)
    return weights


def random_data(loss, rows, inputs, outputs, seed=0):
    """Some x, and targets that the loss accepts."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, inputs))
    labels = rng.integers(outputs, size=rows)
    if loss == "sparse_categorical_crossentropy":
        return x, labels
    if loss in ("categorical_crossentropy", "categorical_hinge"):
        return x, np.eye(outputs)[labels]
    if loss == "categorical_focal_crossentropy":
        return x, np.eye(outputs)[labels] * 0.9 + 0.1 / outputs
    if loss == "kl_divergence":
        return x, softmax(rng.normal(size=(rows, outputs)))
    if loss == "poisson":
        return x, rng.poisson(2, size=(rows, outputs)).astype(float)
    if loss in ("hinge", "squared_hinge"):
        return x, rng.choice([-1.0, 1.0], size=(rows, outputs))
    if loss in ("binary_crossentropy", "binary_focal_crossentropy"):
        return x, rng.integers(2, size=(rows, outputs)).astype(float)
    return x, rng.normal(size=(rows, outputs))


def forward(weights, activations, x):
    """The activations of every layer."""
    outputs = []
    a = np.asarray(x, dtype=float)
    for kernel, bias, name in zip(weights[::2], weights[1::2], activations, strict=True):
        a = ACTIVATIONS[name][0](a @ kernel + bias)
        outputs.append(a)
    return outputs


def last_input(weights, activations, x):
    """What the last activation is given."""
    before = [np.asarray(x, dtype=float), *forward(weights, activations, x)][-2]
    return before @ weights[-2] + weights[-1]


def loss_of_batch(weights, activations, loss, x, y, sample_weight=1.0):
    z = last_input(weights, activations, x)
    loss, y = targets(loss, y, z.shape[1])
    if (loss, activations[-1]) in LOSSES_OF_LOGITS:
        rows = LOSSES_OF_LOGITS[loss, activations[-1]][0](y, z)
    else:
        rows = LOSSES[loss][0](y, ACTIVATIONS[activations[-1]][0](z))
    return np.mean(sample_weight * rows)


def backward(weights, activations, loss, x, y, sample_weight=1.0):
    """Gradients of `loss_of_batch` by every weight, in the order of the weights."""
    inputs = [np.asarray(x, dtype=float), *forward(weights, activations, x)[:-1]]
    z = last_input(weights, activations, x)
    loss, y = targets(loss, y, z.shape[1])
    scale = np.reshape(sample_weight, (-1, 1)) / len(x)
    if (loss, activations[-1]) in LOSSES_OF_LOGITS:
        d = LOSSES_OF_LOGITS[loss, activations[-1]][1](y, z) * scale
    else:
        d = LOSSES[loss][1](y, ACTIVATIONS[activations[-1]][0](z)) * scale
        d = through_activation(activations[-1], z, d)
    gradients = []
    for number in reversed(range(len(activations))):
        gradients = [inputs[number].T @ d, d.sum(axis=0), *gradients]
        if number:
            z = inputs[number - 1] @ weights[2 * number - 2] + weights[2 * number - 1]
            d = through_activation(activations[number - 1], z, d @ weights[2 * number].T)
    return gradients


def through_activation(name, z, d):
    """From the gradient by an activation's outputs to that by its inputs z."""
    if name == "softmax":
        p = softmax(z)
        return p * (d - np.sum(d * p, axis=1, keepdims=True))
    return d * ACTIVATIONS[name][1](z)


def finite_differences(weights, activations, loss, x, y, sample_weight=1.0, step=1e-5):
    """The same gradients by central differences of the loss, a weight at a time."""
    weights = [w.copy() for w in weights]
    gradients = [np.empty_like(w) for w in weights]
    for w, gradient in zip(weights, gradients, strict=True):
        for index in np.ndindex(w.shape):
            kept = w[index]
            w[index] = kept + step
            above = loss_of_batch(weights, activations, loss, x, y, sample_weight)
            w[index] = kept - step
            below = loss_of_batch(weights, activations, loss, x, y, sample_weight)
            w[index] = kept
            gradient[index] = (above - below) / (2 * step)
    return gradients


class SGD:
    def __init__(self, learning_rate=0.01, momentum=0.0, nesterov=False):
        self.learning_rate, self.momentum, self.nesterov = learning_rate, momentum, nesterov
        self.velocity = None

    def update(self, weights, gradients):
        if self.velocity is None:
            self.velocity = [np.zeros_like(w) for w in weights]
        for w, g, v in zip(weights, gradients, self.velocity, strict=True):
            v[...] = self.momentum * v - self.learning_rate * g
            w += self.momentum * v - self.learning_rate * g if self.nesterov else v


class Adam:
    def __init__(self, learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-7):
        self.learning_rate, self.beta_1, self.beta_2, self.epsilon = learning_rate, beta_1, beta_2, epsilon
        self.step, self.m, self.v = 0, None, None

    def update(self, weights, gradients):
        if self.m is None:
            self.m = [np.zeros_like(w) for w in weights]
            self.v = [np.zeros_like(w) for w in weights]
        self.step += 1
        for w, g, m, v in zip(weights, gradients, self.m, self.v, strict=True):
            m[...] = self.beta_1 * m + (1 - self.beta_1) * g
            v[...] = self.beta_2 * v + (1 - self.beta_2) * g**2
            m_hat = m / (1 - self.beta_1**self.step)
            v_hat = v / (1 - self.beta_2**self.step)
            w -= self.learning_rate * m_hat / (np.sqrt(v_hat) + self.epsilon)


class KerasAdam(Adam):
    def update(self, weights, gradients):
        early = np.sqrt(1 - self.beta_2 ** (self.step + 1))
        self.epsilon /= early
        super().update(weights, gradients)
        self.epsilon *= early


class Optimizer:
    """Base: decoupled weight decay, slots made at first sight, and a step number from 1."""

    def __init__(self, learning_rate, weight_decay=0.0):
        self.learning_rate, self.weight_decay = learning_rate, weight_decay
        self.step, self.slots = 0, None

    def begin(self, w):
        """The slots of a weight."""
        return []

    def update(self, weights, gradients):
        if self.slots is None:
            self.slots = [self.begin(w) for w in weights]
        self.step += 1
        rate = self.learning_rate(self.step - 1) if callable(self.learning_rate) else self.learning_rate
        for w, g, slots in zip(weights, gradients, self.slots, strict=True):
            w *= 1 - rate * self.weight_decay
            self.one(w, g, rate, *slots)


class DecayingSGD(Optimizer):
    def one(self, w, g, rate):
        w -= rate * g


class Amsgrad(Optimizer):
    def begin(self, w):
        return [np.zeros_like(w) for _ in range(3)]

    def one(self, w, g, rate, m, v, largest):
        m[...] = 0.9 * m + 0.1 * g
        v[...] = 0.999 * v + 0.001 * g**2
        largest[...] = np.maximum(largest, v)
        w -= rate * m / (1 - 0.9**self.step) / (np.sqrt(largest / (1 - 0.999**self.step)) + 1e-7)


class KerasAmsgrad(Amsgrad):
    def __init__(self, learning_rate, epsilon=1e-7):
        super().__init__(learning_rate)
        self.epsilon = epsilon

    def one(self, w, g, rate, m, v, largest):
        m[...] = 0.9 * m + 0.1 * g
        v[...] = 0.999 * v + 0.001 * g**2
        largest[...] = np.maximum(largest, v)
        w -= rate * np.sqrt(1 - 0.999**self.step) / (1 - 0.9**self.step) * m / (np.sqrt(largest) + self.epsilon)


class AdamW(Optimizer):
    def begin(self, w):
        return [np.zeros_like(w) for _ in range(2)]

    def one(self, w, g, rate, m, v):
        m[...] = 0.9 * m + 0.1 * g
        v[...] = 0.999 * v + 0.001 * g**2
        w -= rate * m / (1 - 0.9**self.step) / (np.sqrt(v / (1 - 0.999**self.step)) + 1e-7)


class Nadam(Optimizer):
    def begin(self, w):
        return [np.zeros_like(w) for _ in range(2)]

    def one(self, w, g, rate, m, v):
        momenta = [0.9 * (1 - 0.96**k / 2) for k in range(1, self.step + 2)]
        m[...] = 0.9 * m + 0.1 * g
        v[...] = 0.999 * v + 0.001 * g**2
        ahead = momenta[-1] * m / (1 - math.prod(momenta)) + (1 - momenta[-2]) * g / (1 - math.prod(momenta[:-1]))
        w -= rate * ahead / (np.sqrt(v / (1 - 0.999**self.step)) + 1e-7)


class Adamax(Optimizer):
    def begin(self, w):
        return [np.zeros_like(w) for _ in range(2)]

    def one(self, w, g, rate, m, u):
        m[...] = 0.9 * m + 0.1 * g
        u[...] = np.maximum(0.999 * u, np.abs(g))
        w -= rate * m / ((1 - 0.9**self.step) * (u + 1e-7))


class Adagrad(Optimizer):
    def begin(self, w):
        return [np.full_like(w, 0.1)]

    def one(self, w, g, rate, a):
        a += g**2
        w -= rate * g / np.sqrt(a + 1e-7)


class Adadelta(Optimizer):
    def begin(self, w):
        return [np.zeros_like(w) for _ in range(2)]

    def one(self, w, g, rate, a, b):
        a[...] = 0.95 * a + 0.05 * g**2
        d = g * np.sqrt(b + 1e-7) / np.sqrt(a + 1e-7)
        b[...] = 0.95 * b + 0.05 * d**2
        w -= rate * d


class RMSprop(Optimizer):
    def __init__(self, learning_rate, weight_decay=0.0, momentum=0.0, centered=False):
        super().__init__(learning_rate, weight_decay)
        self.momentum, self.centered = momentum, centered

    def begin(self, w):
        return [np.zeros_like(w) for _ in range(3)]

    def one(self, w, g, rate, a, m, v):
        a[...] = 0.9 * a + 0.1 * g**2
        m[...] = 0.9 * m + 0.1 * g
        v[...] = self.momentum * v + rate * g / np.sqrt((a - m**2 if self.centered else a) + 1e-7)
        w -= v


class Lion(Optimizer):
    def begin(self, w):
        return [np.zeros_like(w)]

    def one(self, w, g, rate, m):
        w -= rate * np.sign(0.9 * m + (1 - 0.9) * g)
        m[...] = 0.99 * m + (1 - 0.99) * g


class Rprop(Optimizer):
    def begin(self, w):
        return [np.zeros_like(w), np.full_like(w, self.learning_rate)]

    def one(self, w, g, rate, before, size):
        turned = np.sign(g * before)
        size[...] = np.clip(size * np.where(turned > 0, 1.2, np.where(turned < 0, 0.5, 1.0)), 1e-6, 50)
        before[...] = np.where(turned < 0, 0, g)
        w -= size * np.sign(before)


def train(weights, activations, loss, optimizer, x, y, batch_size=32, epochs=1, sample_weight=None):
    """Trains in the order of the rows; returns the new weights and the mean loss of each epoch as it went."""
    weights = [np.array(w, dtype=float) for w in weights]
    sample_weight = np.ones(len(x)) if sample_weight is None else np.asarray(sample_weight, dtype=float)
    history = []
    for _ in range(epochs):
        total = 0.0
        for start in range(0, len(x), batch_size):
            rows = slice(start, start + batch_size)
            batch = x[rows], y[rows], sample_weight[rows]
            total += loss_of_batch(weights, activations, loss, *batch) * len(x[rows])
            optimizer.update(weights, backward(weights, activations, loss, *batch))
        history.append(total / len(x))
    return weights, history


# name: the metric over all rows, a function of targets y and outputs p
METRICS = {
    "mse": lambda y, p: np.mean((p - y) ** 2),
    "root_mean_squared_error": lambda y, p: np.sqrt(np.mean((p - y) ** 2)),
    "mae": lambda y, p: np.mean(np.abs(p - y)),
    "binary_accuracy": lambda y, p: np.mean((p > 0.5) == (y > 0.5)),
    "categorical_accuracy": lambda y, p: np.mean(np.argmax(y, axis=1) == np.argmax(p, axis=1)),
    "sparse_categorical_accuracy": lambda y, p: np.mean(np.ravel(y) == np.argmax(p, axis=1)),
}


# --- Stacks of layers of any kind: functions of values and of an iterator over the weights ---


def dense(activation="linear"):
    return lambda x, w: ACTIVATIONS[activation][0](x @ next(w) + next(w))


def activation(name):
    return lambda x, w: ACTIVATIONS[name][0](x)


def normalization(axis, epsilon=1e-3, center=True, scale=True):
    """Over the batch (axis 0) or each row (axis 1)."""

    def layer(x, w):
        hat = (x - x.mean(axis, keepdims=True)) / np.sqrt(x.var(axis, keepdims=True) + epsilon)
        hat = hat * next(w) if scale else hat
        return hat + next(w) if center else hat

    return layer


def noise(change):
    """A change that knows its random numbers."""
    return lambda x, w: change(x)


def stack_output(stack, weights, x):
    given = iter(weights)
    for layer in stack:
        x = layer(x, given)
    return x


def loss_of_stack(stack, weights, loss, x, y):
    return np.mean(LOSSES[loss][0](y, stack_output(stack, weights, x)))


def differences(function, weights, step=1e-5):
    """The gradient of a function of the weights, by central differences of the fourth order."""
    weights = [np.array(w, dtype=float) for w in weights]
    gradients = [np.empty_like(w) for w in weights]
    for w, gradient in zip(weights, gradients, strict=True):
        for index in np.ndindex(w.shape):
            kept = w[index]
            values = []
            for steps in (-2, -1, 1, 2):
                w[index] = kept + steps * step
                values.append(function(weights))
            w[index] = kept
            gradient[index] = (values[0] - values[3] + 8 * (values[2] - values[1])) / (12 * step)
    return gradients


def hashed(value):
    keep = 2**62 - 1
    value = (value + 0x1E3779B97F4A7C15) & keep
    value = ((value ^ (value >> 30)) * 0x3F58476D1CE4E5B9) & keep
    value = ((value ^ (value >> 27)) * 0x14D049BB133111EB) & keep
    return value ^ (value >> 31)


def uniform(seed, update, layer, rows, columns):
    """The random numbers of a layer in an update, counted from 1: (rows, columns), in integer arithmetic."""
    keys = [hashed(hashed(hashed(seed + hashed(update)) + layer) + row) for row in range(rows)]
    return np.array([[random_number(key, column) for column in range(columns)] for key in keys])


def random_number(key, column):
    """That of a column, by the key of its row."""
    x = (key + column) % 2**32
    x = ((x ^ (x >> 16)) * 0x7FEB352D) % 2**32
    x = ((x ^ (x >> 15)) + (key >> 31)) % 2**32 * 0x846CA68B % 2**32
    return ((x ^ (x >> 16)) >> 9) / 2**23


def dropout(rate, numbers):
    return noise(lambda x: np.where(numbers < rate, 0, x / (1 - rate)))


def alpha_dropout(rate, numbers):
    """Klambauer et al., 2017, section 2: to the lower end of selu, then an affine map back to mean 0, variance 1."""
    low = -SELU_SCALE * SELU_ALPHA
    q = 1 - rate
    a = (q + low**2 * q * rate) ** -0.5
    b = -a * rate * low
    return noise(lambda x: a * np.where(numbers < rate, low, x) + b)


def gaussian_noise(deviation, numbers):
    low, high = np.full(numbers.shape, -9.0), np.full(numbers.shape, 9.0)
    for _ in range(60):
        middle = (low + high) / 2
        below = normal_cdf(middle) < numbers + 2.0**-24
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return noise(lambda x: x + deviation * low)
