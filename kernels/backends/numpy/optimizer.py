"""How the parameters follow the gradient: penalties, clipping, the optimizer's update, the moving average."""

import numpy as np

from ... import formulas, records
from ...formulas.arrays import Array
from .activation import applied
from .memory import Network, array_at

OPTIMIZERS = list(formulas.OPTIMIZERS.values())


def penalize(network: Network, gradient: Array, strength: float) -> float:
    """The sum of the penalties on the weights; their gradient is added."""
    total = 0.0
    for layer in network.layers:
        if layer.penalized:
            w, d = (network.matrix(vector, layer) for vector in (network.parameters, gradient))
            for rows, which in ((slice(layer.bias), "kernel"), (slice(layer.bias, None), "bias")):
                l1, l2 = (strength * getattr(layer, f"{which}_{power}") for power in ("l1", "l2"))
                total += l1 * np.abs(w[rows]).sum(dtype=float) + l2 * np.square(w[rows]).sum(dtype=float)
                d[rows] += l1 * np.sign(w[rows]) + 2 * l2 * w[rows]
    return float(total)


def clip(network: Network, gradient: Array) -> None:
    """Clip the gradient in place: each value, the norm of each kernel and bias, or that of all of them."""
    how, limit = records.CLIPS[network.job.optimizer.clip], network.job.optimizer.clip_limit
    if how == "clipvalue":
        np.clip(gradient, -limit, limit, out=gradient)
    elif how:
        parts = network.kernels_and_biases(gradient)
        squares = [np.square(part).sum(dtype=float) for part in parts]
        if how == "global_clipnorm":
            squares = [sum(squares)] * len(parts)
        for part, square in zip(parts, squares, strict=True):
            if np.sqrt(square) > limit:
                part *= limit / np.sqrt(square)


def accumulate(network: Network, gradient: Array, step: int) -> bool:
    """Whether an update is due; then the gradient becomes the mean of those since the last one, else it is kept."""
    optimizer = network.job.optimizer
    if optimizer.accumulated_steps <= 1:
        return True
    kept = network.vector(network.job.network.slots, optimizer.accumulator)
    kept += gradient
    if (optimizer.iterations + step + 1) % optimizer.accumulated_steps:
        return False
    gradient[:] = kept / optimizer.accumulated_steps
    kept[:] = 0
    return True


def step_of(network: Network, gradient: Array, step: int) -> None:
    """What a step does to the parameters and slots, so many after the run's first."""
    optimizer = network.job.optimizer
    number = (optimizer.iterations + step) // max(1, optimizer.accumulated_steps) + 1
    frozen = [layer for layer in network.layers if layer.frozen]
    held = [network.parameters, *network.slots(network.job.network.slot_count)]
    kept = [vector.copy() for vector in held] if frozen else []
    if accumulate(network, gradient, step):
        clip(network, gradient)
        update(network, gradient, step, number)
    if optimizer.average >= 0:
        move_average(network, number)
    for layer in frozen:
        for vector, old in zip(held, kept, strict=True):
            network.matrix(vector, layer)[...] = network.matrix(old, layer)


def update(network: Network, gradient: Array, step: int, number: int) -> None:
    """Update the parameters and slots for the number-th time, so many steps after the run's first."""
    optimizer = network.job.optimizer
    row = OPTIMIZERS[optimizer.code]
    values = array_at(optimizer.hyper, (records.DECAY + 1,), np.float64).tolist()
    hyper = dict(zip(row.hyper, values, strict=False))
    if optimizer.rates:
        hyper["learning_rate"] = float(array_at(optimizer.rates, (step + 1,), np.float64)[step])
    scalars = applied(row.prepare, **hyper, step=float(number))
    scaled = [layer for layer in network.layers if (layer.kernel_rate, layer.bias_rate) != (1, 1)]
    before = network.parameters.copy() if scaled else network.parameters
    if values[records.DECAY]:
        network.parameters *= network.dtype.type(1.0 - hyper["learning_rate"] * values[records.DECAY])
    vectors = [network.parameters, *network.slots(len(row.slots))]
    new = row.update(vectors[0], gradient, *vectors[1:], *(scalars if isinstance(scalars, tuple) else (scalars,)))
    for vector, value in zip(vectors, new if isinstance(new, tuple) else (new,), strict=True):
        vector[:] = value
    for layer in scaled:
        w, old = network.matrix(network.parameters, layer), network.matrix(before, layer)
        for rows, rate in ((slice(layer.bias), layer.kernel_rate), (slice(layer.bias, None), layer.bias_rate)):
            w[rows] = old[rows] + rate * (w[rows] - old[rows])


def move_average(network: Network, number: int) -> None:
    """Move the average towards the parameters after their number-th update; now and then they become it."""
    optimizer, parameters = network.job.optimizer, network.parameters
    average = network.vector(network.job.network.slots, optimizer.average)
    momentum = optimizer.average_momentum if number > 1 else 0.0
    average[:] = momentum * (average - parameters) + parameters
    if optimizer.average_frequency and number % optimizer.average_frequency == 0:
        parameters[:] = average


def constrain(network: Network) -> None:
    """Bring the weights to what is asked of them: each column of a dense kernel, any other row as one vector."""
    for layer in network.layers if network.job.network.constrained else ():
        weights = network.matrix(network.parameters, layer)
        dense = records.LAYER_KINDS[layer.kind] == "dense"
        for part, which, axis in (
            (weights[: layer.bias], "kernel", 0 if dense else None),
            (weights[layer.bias :], "bias", None),
        ):
            how = getattr(layer, f"{which}_constraint")
            if layer.frozen or not how:
                continue
            if how == records.NON_NEGATIVE:
                np.maximum(part, 0, out=part)
                continue
            least, most, pull = (getattr(layer, f"{which}_{name}") for name in ("least", "most", "pull"))
            norm = np.sqrt(np.square(part).sum(axis=axis, keepdims=True))
            part *= (pull * np.clip(norm, least, most) + (1 - pull) * norm) / (norm + 1e-7)
