"""Models as modules of PyTorch, in and out, with the optimizer's state; and their weights as .pt files.

>>> import torch
>>> import fastnn.torch
>>> module = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 1))
>>> model = fastnn.torch.from_module(module)
>>> list(model.to_torch().state_dict()) == list(module.state_dict())
True
"""

from fastnn.extras import require
from fastnn.names import publish

require("torch", "torch")

from .files import load_weights, save_weights  # noqa: E402
from .optimizers import to_optimizer  # noqa: E402
from .reading import from_module  # noqa: E402
from .writing import to_module  # noqa: E402

__all__ = ["from_module", "load_weights", "save_weights", "to_module", "to_optimizer"]

publish(__name__)
