"""PyTorch beside fastnn: as its users write a loop, and with whole steps compiled; see peers.py."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np

from .cases import LEARNING_RATE, MOMENTUM, Case

TORCH_NAMES = {
    "relu": "ReLU",
    "leaky_relu": "LeakyReLU",
    "sigmoid": "Sigmoid",
    "tanh": "Tanh",
    "elu": "ELU",
    "selu": "SELU",
    "softplus": "Softplus",
    "gelu": "GELU",
    "silu": "SiLU",
    "mish": "Mish",
}


def torch_at_its_best() -> Any:
    """The package, with as many threads as it may have, and no denormals."""
    import torch

    if threads := os.environ.get("OMP_NUM_THREADS"):
        torch.set_num_threads(int(threads))
    torch.set_flush_denormal(True)
    return torch


def loss_of(torch: Any, case: Case) -> Any:
    functions = torch.nn.functional
    return functions.cross_entropy if case.classes else functions.mse_loss


class Torch:
    """A loop over batches: backward, and an optimizer's step."""

    def __init__(self, case: Case) -> None:
        torch = torch_at_its_best()
        self.torch, self.case, self.steps = torch, case, {"training": case.steps}
        x, y = case.data()
        self.x, self.y = torch.from_numpy(x), torch.from_numpy(y)
        nonlinear = getattr(torch.nn, TORCH_NAMES[case.activation])
        layers: list[Any] = []
        for a, b in case.shapes:
            layers += [torch.nn.Linear(a, b, dtype=getattr(torch, case.dtype)), nonlinear()]
        self.model = torch.nn.Sequential(*layers[:-1])
        if case.optimizer == "adam":
            self.optimizer: Any = torch.optim.Adam(self.model.parameters(), LEARNING_RATE)
        else:
            self.optimizer = torch.optim.SGD(self.model.parameters(), LEARNING_RATE, momentum=MOMENTUM)
        self.loss = loss_of(torch, case)
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

    def training(self) -> Any:
        for start in range(0, len(self.x), self.case.batch):
            self.backprop(slice(start, start + self.case.batch))
            self.optimizer.step()

    def predict(self) -> Any:
        with self.torch.no_grad():
            return self.model(self.x)


class TorchCompiled:
    """One compiled function takes ``count`` whole steps: gradients by torch.func.grad, and the update in place."""

    def __init__(self, case: Case, count: int = 1) -> None:
        torch = torch_at_its_best()
        count = min(count, case.steps)
        x, y = (torch.from_numpy(a) for a in case.data())
        rows = count * case.batch
        self.calls = [(x[start : start + rows], y[start : start + rows]) for start in range(0, len(x) - rows + 1, rows)]
        self.steps = {"step": count, "training": count * len(self.calls)}
        rng = np.random.default_rng(0)
        self.parameters = []
        for a, b in case.shapes:
            w = (rng.standard_normal((a, b)) / np.sqrt(a)).astype(case.dtype)
            self.parameters += [torch.from_numpy(w.T.copy()), torch.zeros(b, dtype=x.dtype)]
        self.state = [[torch.zeros_like(p), torch.zeros_like(p)] for p in self.parameters]
        self.number = torch.zeros((), dtype=torch.float64)
        gradients = torch.func.grad(network_loss(torch, case))
        update = adam if case.optimizer == "adam" else sgd

        def steps(parameters: Any, state: Any, number: Any, x: Any, y: Any) -> None:
            for batch in zip(x.split(case.batch), y.split(case.batch), strict=True):
                number += 1
                for p, gradient, slots in zip(parameters, gradients(parameters, *batch), state, strict=True):
                    update(p, gradient, *slots, number)

        self._steps = torch.compile(steps, dynamic=False)

    def _take(self, x: Any, y: Any) -> None:
        self._steps(self.parameters, self.state, self.number, x, y)

    def step(self) -> None:
        self._take(*self.calls[0])

    def training(self) -> None:
        for batches in self.calls:
            self._take(*batches)


def network_loss(torch: Any, case: Case) -> Callable[..., Any]:
    """A function of all weights and biases, and of a batch."""
    nonlinear, measure = getattr(torch.nn, TORCH_NAMES[case.activation])(), loss_of(torch, case)

    def loss(parameters: Any, x: Any, y: Any) -> Any:
        *hidden, output = zip(parameters[::2], parameters[1::2], strict=True)
        for w, b in hidden:
            x = nonlinear(torch.nn.functional.linear(x, w, b))
        return measure(torch.nn.functional.linear(x, *output), y)

    return loss


def sgd(p: Any, gradient: Any, momentum: Any, _: Any, number: Any) -> None:
    momentum.mul_(MOMENTUM).add_(gradient)
    p.sub_(momentum, alpha=LEARNING_RATE)


def adam(p: Any, gradient: Any, mean: Any, square: Any, number: Any) -> None:
    mean.mul_(0.9).add_(gradient, alpha=0.1)
    square.mul_(0.999).addcmul_(gradient, gradient, value=0.001)
    rate = LEARNING_RATE / (1 - 0.9**number)
    p.sub_(rate.to(p.dtype) * mean / ((square / (1 - 0.999**number).to(p.dtype)).sqrt() + 1e-8))
