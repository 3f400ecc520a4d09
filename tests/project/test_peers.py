"""PyTorch, where it is installed, takes the same steps from the same weights."""

import naive
import numpy as np
import pytest

from fastnn import optimizers

torch = pytest.importorskip("torch")

SIZES, BATCH = [30, 64, 64, 3], 32
PAIRS = {
    "sgd": (lambda: optimizers.SGD(0.05), lambda p: torch.optim.SGD(p, 0.05)),
    "momentum": (lambda: optimizers.SGD(0.05, momentum=0.9), lambda p: torch.optim.SGD(p, 0.05, momentum=0.9)),
    "nesterov": (
        lambda: optimizers.SGD(0.05, momentum=0.9, nesterov=True),
        lambda p: torch.optim.SGD(p, 0.05, momentum=0.9, nesterov=True),
    ),
    "adam": (lambda: optimizers.Adam(0.01), lambda p: torch.optim.Adam(p, 0.01, eps=1e-7)),
}
ACTIVATIONS = {
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "relu": torch.relu,
    "gelu": torch.nn.functional.gelu,
    "silu": torch.nn.functional.silu,
    "mish": torch.nn.functional.mish,
    "softplus": torch.nn.functional.softplus,
    "elu": torch.nn.functional.elu,
    "selu": torch.selu,
    "leaky_relu": lambda x: torch.nn.functional.leaky_relu(x, 0.2),
}


def torch_weights(weights, activation, optimizer, loss, x, y):
    """Weights after a pass over the batches of x, kernels as fastnn has them."""
    parameters = [torch.tensor(w, requires_grad=True) for w in weights]
    optimizer = optimizer(parameters)
    for rows in torch.arange(len(x)).split(BATCH):
        a = torch.tensor(x)[rows]
        for kernel, bias in zip(parameters[:-2:2], parameters[1:-2:2], strict=True):
            a = activation(a @ kernel + bias)
        optimizer.zero_grad()
        loss(a @ parameters[-2] + parameters[-1], torch.tensor(y)[rows]).backward()
        optimizer.step()
    return [p.detach().numpy() for p in parameters]


def assert_same_steps(network, assert_close, backend, activation, optimizer, loss):
    name, torch_loss, output = {
        "classes": ("sparse_categorical_crossentropy", torch.nn.functional.cross_entropy, "softmax"),
        "numbers": ("mse", torch.nn.functional.mse_loss, "linear"),
    }[loss]
    x, y = naive.random_data(name, 20 * BATCH, SIZES[0], SIZES[-1])
    weights = naive.random_weights(SIZES)
    ours, theirs = PAIRS[optimizer]
    options = {"optimizer": ours(), "loss": name, "backend": backend, "dtype": "float64"}
    model = network(SIZES, [activation, activation, output], weights, **options)
    model.fit(x, y, batch_size=BATCH, shuffle=False, verbose=0)
    assert not np.allclose(model.get_weights()[0], weights[0])
    expected = torch_weights(weights, ACTIVATIONS[activation], theirs, torch_loss, x, y)
    assert_close(model.get_weights(), expected, 1e-9)


@pytest.mark.parametrize("loss", ["classes", "numbers"])
@pytest.mark.parametrize("optimizer", PAIRS)
def test_twenty_steps_of_each_optimizer_are_those_of_torch(network, assert_close, backend, optimizer, loss):
    assert_same_steps(network, assert_close, backend, "tanh", optimizer, loss)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_twenty_steps_through_each_activation_are_those_of_torch(network, assert_close, backend, activation):
    assert_same_steps(network, assert_close, backend, activation, "momentum", "classes")
