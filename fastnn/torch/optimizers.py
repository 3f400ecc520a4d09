"""Optimizers of torch.optim as fastnn's, and back, with their state: those whose rules are the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from fastnn import optimizers
from fastnn.engine import OPTIMIZERS
from fastnn.models import Sequential
from fastnn.models.sharing import trained_layers
from fastnn.optimizers.base import OPTIONS
from fastnn.typing import Array
from .folding import FIXED
from .state import Entry, check_names, entries


class Setting(NamedTuple):
    """How a parameter is trained: whether at all, by which multiple of the learning rate, with which l2 penalty."""

    trained: bool
    rate: float = 1.0
    l2: float = 0.0


class Plan(NamedTuple):
    """What was read of an optimizer."""

    optimizer: optimizers.Optimizer
    settings: dict[int, Setting]  # by the identity of a parameter
    slots: dict[tuple[str, str], Array]  # by a parameter's name and that of the slot, in PyTorch's shape
    steps: int


class Kind(NamedTuple):
    """An optimizer that both sides have."""

    theirs: type[torch.optim.Optimizer]
    ours: type[optimizers.Optimizer]
    arguments: dict[str, str]  # ours, by torch's names of what is one number
    slots: dict[str, str]  # torch's names of the state, by ours
    counts: bool = True  # whether a parameter's state has the number of its steps
    own_rates: bool = True  # whether the learning rate multiplies every step


_MOMENTS = {"mean": "exp_avg", "variance": "exp_avg_sq"}
KINDS = [
    Kind(
        torch.optim.SGD,
        optimizers.SGD,
        {"momentum": "momentum", "nesterov": "nesterov"},
        {"velocity": "momentum_buffer"},
        counts=False,
    ),
    Kind(torch.optim.AdamW, optimizers.AdamW, {"eps": "epsilon", "amsgrad": "amsgrad"}, _MOMENTS),
    Kind(torch.optim.Adam, optimizers.Adam, {"eps": "epsilon", "amsgrad": "amsgrad"}, _MOMENTS),
    Kind(torch.optim.NAdam, optimizers.Nadam, {"eps": "epsilon"}, _MOMENTS),
    Kind(
        torch.optim.Adadelta,
        optimizers.Adadelta,
        {"rho": "rho", "eps": "epsilon"},
        {"of_gradients": "square_avg", "of_changes": "acc_delta"},
    ),
    Kind(
        torch.optim.Rprop,
        optimizers.Rprop,
        {"etas": "etas", "step_sizes": "step_sizes"},
        {"previous": "prev", "size": "step_size"},
        own_rates=False,
    ),
]

REASONS = {
    "RMSprop": "it adds epsilon to the root, fastnn's below it",
    "Adagrad": "it adds epsilon to the root, fastnn's below it",
    "Adamax": "it adds epsilon to the gradient, fastnn's to the norm",
    "LBFGS": "its line search is another; fastnn's begins anew in each fit: compile(LBFGS(), loss)",
    "Lion": "torch.optim has none",
}
_WANTED = f"wants one of {', '.join(kind.theirs.__name__ for kind in KINDS)}"
_FREE = {
    "params",
    "lr",
    "weight_decay",
    "foreach",
    "fused",
    "capturable",
    "differentiable",
    "initial_lr",
    "param_names",
}
"""What groups of parameters may differ in; the rest says the rule."""


# --- In ---


def read(optimizer: torch.optim.Optimizer, parameters: Mapping[str, nn.Parameter]) -> Plan:
    """An optimizer of these parameters, by their names.  ValueError: fastnn has none that does the same."""
    kind = next((kind for kind in KINDS if type(optimizer) is kind.theirs), None)
    if kind is None:
        raise ValueError(f"optimizer got {_refused(type(optimizer).__name__)}")
    _check_groups(optimizer)
    first, of = optimizer.param_groups[0], {id(p): group for group in optimizer.param_groups for p in group["params"]}
    if not of.keys() <= set(map(id, parameters.values())):
        raise ValueError("optimizer got parameters that are not the module's; wants those of module.parameters()")
    trained = {name: p for name, p in parameters.items() if id(p) in of and p.requires_grad}
    decays = {float(of[id(p)].get("weight_decay", 0.0)) for p in trained.values()} or {0.0}
    plain = kind.ours is optimizers.SGD and not first["momentum"]  # there both kinds of weight decay are the same
    decoupled = kind.ours is optimizers.AdamW or bool(first.get("decoupled_weight_decay"))
    if decoupled and len(decays) > 1:
        raise ValueError(f"optimizer got a weight_decay of {sorted(decays)} by group; wants the same in all")
    own = len(decays) == 1 and (plain or decoupled)
    found = {id(p): Setting(False) for p in parameters.values()}
    for p in trained.values():
        l2 = 0.0 if own else float(of[id(p)].get("weight_decay", 0.0)) / 2
        found[id(p)] = Setting(True, _multiple(kind, float(of[id(p)]["lr"]), float(first["lr"])), l2)
    made = _made(kind, first, decays.pop() if own else 0.0)
    states = {name: optimizer.state.get(p, {}) for name, p in trained.items()}
    steps = _steps(states) if kind.counts else 0
    _check_product(kind, made, states, steps)
    return Plan(made, found, _taken(kind, made, states), steps)


def settings(plan: Plan | None) -> Callable[[nn.Parameter], Setting]:
    """How parameters are trained: as an optimizer has it, or where there is none as they say themselves."""
    if plan is None:
        return lambda parameter: Setting(bool(parameter.requires_grad))
    return lambda parameter: plan.settings[id(parameter)]


def give_state(model: Sequential, plan: Plan) -> None:
    """Have a model that was compiled with the optimizer of a plan go on with its state."""
    engine, rows_at = model._built(), _rows(model)
    matrices = {}
    for (slot, place), before in engine.parameters.slot_matrices().items():
        matrix = before.copy()
        for entry, rows in rows_at.get(place, ()):
            key = entry.key, engine.parameters.slot_names[slot]
            if key in plan.slots:
                matrix[rows] = entry.exchanged(plan.slots[key])
        matrices[slot, place] = matrix
    engine.parameters.set_slots(matrices)
    engine.iterations = plan.steps


def _refused(name: str) -> str:
    because = f" ({REASONS[name]})" if name in REASONS else ""
    return f"{name}, whose rule is none that both sides have{because}; {_WANTED}"


def _check_groups(optimizer: torch.optim.Optimizer) -> None:
    """Refuse options that fastnn has not, and groups that differ in more than rates and weight decay."""
    first = optimizer.param_groups[0]
    for name, wanted in (("maximize", False), ("dampening", 0), ("momentum_decay", 1)):
        if first.get(name, wanted) != wanted:
            raise ValueError(f"optimizer got {name}={first[name]!r}; wants {wanted!r}")
    for group in optimizer.param_groups[1:]:
        for name in first.keys() - _FREE:
            if group[name] != first[name]:
                raise ValueError(f"optimizer got groups of another {name}; wants the same in all")


def _multiple(kind: Kind, rate: float, first: float) -> float:
    """By what the first group's learning rate is multiplied."""
    if rate == first:
        return 1.0
    if not (kind.own_rates and first):
        raise ValueError(f"optimizer got groups of the learning rates {first:g} and {rate:g}; wants the same in all")
    return rate / first


def _made(kind: Kind, group: Mapping[str, Any], decay: float) -> optimizers.Optimizer:
    options: dict[str, Any] = {ours: group[theirs] for theirs, ours in kind.arguments.items()}
    if "betas" in group:
        options |= dict(zip(("beta_1", "beta_2"), map(float, group["betas"]), strict=True))
    if kind.ours is optimizers.AdamW or decay:
        options["weight_decay"] = decay
    return kind.ours(learning_rate=float(group["lr"]), **options)  # type: ignore[call-arg]


def _names(kind: Kind, made: optimizers.Optimizer) -> dict[str, str]:
    """torch's names of the slots that an optimizer has, by ours."""
    known = kind.slots | {"largest": "max_exp_avg_sq"}
    return {slot: known[slot] for slot in OPTIMIZERS[made.row].slots}


def _taken(kind: Kind, made: optimizers.Optimizer, states: Mapping[str, Any]) -> dict[tuple[str, str], Array]:
    """The state of every parameter; PyTorch's velocity leaves the rate out, and goes up."""
    slots = {}
    for name, state in states.items():
        for ours, theirs in _names(kind, made).items():
            if state.get(theirs) is not None:
                array = np.asarray(state[theirs].detach().cpu().numpy())
                if not np.isfinite(array).all():
                    raise ValueError(f"optimizer got a state of {name!r} with values that are not finite")
                slots[name, ours] = _velocity(made, ours) * array
    return slots


def _velocity(made: optimizers.Optimizer, slot: str) -> float:
    """What a slot is in units of PyTorch's.  ValueError: it has none, for the rate is 0."""
    if slot != "velocity":
        return 1.0
    if not made.learning_rate:
        raise ValueError(
            "optimizer got a learning rate of 0 with momentum; wants one above it: a velocity is in its units"
        )
    return -made.learning_rate


def _steps(states: Mapping[str, Any]) -> int:
    """The steps taken so far, of all parameters."""
    steps = {name: int(state.get("step", 0)) for name, state in states.items()}
    if len(set(steps.values())) > 1:
        few, many = min(steps, key=steps.__getitem__), max(steps, key=steps.__getitem__)
        raise ValueError(
            f"optimizer got {steps[few]} steps of {few!r} and {steps[many]} of {many!r}; wants as many of all"
        )
    return next(iter(steps.values()), 0)


def _product(made: Any, steps: int) -> float:
    """NAdam's product of all momenta so far, which here follows from the number of steps."""
    return float(np.prod(made.beta_1 * (1 - 0.5 * 0.96 ** np.arange(1, steps + 1))))


def _check_product(kind: Kind, made: optimizers.Optimizer, states: Mapping[str, Any], steps: int) -> None:
    for name, state in states.items() if kind.ours is optimizers.Nadam else ():
        product = float(state.get("mu_product", 1.0))
        if not np.isclose(product, _product(made, steps), rtol=1e-4, atol=1e-30):
            raise ValueError(f"optimizer got mu_product={product:g} of {name!r}; wants what follows from {steps} steps")


def _rows(model: Sequential) -> dict[int, list[tuple[Entry, Any]]]:
    """By the places of the engine, the trained weights of the layer there, and their rows in its matrices."""
    trained = dict(zip(model._layers, trained_layers(model), strict=True))
    places = dict(zip(model._layers, model._places, strict=True))
    found: dict[int, list[tuple[Entry, Any]]] = {}
    for entry in entries(model):
        if entry.is_weight and entry.name not in entry.layer.untrained and trained[entry.layer]:
            ends = -1 if entry.name in ("bias", "beta") else 0
            rows = slice(0, entry.shape[1]) if entry.name == "kernel" else ends
            found.setdefault(places[entry.layer], []).append((entry, rows))
    return found


# --- Out ---


def to_optimizer(model: Sequential, module: nn.Module) -> torch.optim.Optimizer:
    """The optimizer that a model is compiled with, as one of torch.optim that goes on with its state.

    Parameters
    ----------
    model : Sequential
        Compiled with SGD, Adam, AdamW, Nadam, Adadelta or Rprop, and built.
    module : nn.Module
        Whose parameters it is to train: what `to_module` made of the model, or one of the same state dict.

    Returns
    -------
    torch.optim.Optimizer
        Of all parameters of the module.  A penalty l2 on weights is a ``weight_decay`` of twice as much.  Weights with
        other penalties or rates are groups of their own.

    Raises
    ------
    ValueError
        PyTorch has no such optimizer, or not such an option of it: it is named.  The module has other parameters.
    """
    if not isinstance(model, Sequential) or model.optimizer is None:
        raise ValueError("model got one that is not compiled; wants one with an optimizer")
    if not isinstance(module, nn.Module):
        raise TypeError(f"module got {type(module).__name__}; wants what to_module made of the model")
    made, engine = model.optimizer, model._built()
    kind = next((kind for kind in KINDS if type(made) is kind.ours), None)
    if kind is None:
        raise ValueError(f"optimizer got {_refused(type(made).__name__)}")
    if fixed := [layer for layer in model._layers if isinstance(layer, FIXED)]:
        raise ValueError(f"the layer {fixed[0].name!r} is a {type(fixed[0]).__name__}; wants a model without")
    _check_options(made)
    parameters = dict(module.named_parameters())
    tensors = module.state_dict()
    check_names(model, {key: tuple(tensor.shape) for key, tensor in tensors.items()})
    listed = [entry for entry in entries(model) if entry.key in parameters]
    coupled = [decay for entry in listed if (decay := _coupled(entry)) and made.weight_decay]
    if coupled and kind.ours is not optimizers.SGD:
        raise ValueError("optimizer got a weight_decay, and weights an l2 penalty; wants one of them")
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for entry in listed:
        decay = _coupled(entry) + (made.weight_decay or 0.0)
        rate = getattr(entry.layer, f"{entry.name}_rate", 1.0) or 1.0  # one of 0 is not trained
        if rate != 1 and not kind.own_rates:
            raise ValueError(
                f"the layer {entry.layer.name!r} got a rate of its own; wants 1 for {kind.theirs.__name__}"
            )
        groups.setdefault((rate, decay), []).append(parameters[entry.key])
    result = _theirs(kind, made, groups)
    if engine.iterations or not kind.counts:
        _put_state(model, kind, parameters, result)
    return result


def _check_options(made: optimizers.Optimizer) -> None:
    """Refuse what no optimizer of torch.optim does by itself."""
    if made.schedule is not None:
        raise ValueError("learning_rate got a schedule; wants a number: schedules do not travel")
    for name, default in OPTIONS.items():
        if name not in ("weight_decay", "ema_momentum") and getattr(made, name) != default:
            raise ValueError(f"optimizer got {name}={getattr(made, name)!r}, which is no option in torch.optim")
    coupled = isinstance(made, optimizers.SGD) and made.momentum
    if made.weight_decay and (coupled or isinstance(made, (optimizers.Adadelta, optimizers.Rprop))):
        raise ValueError(
            f"optimizer got weight_decay={made.weight_decay} of {type(made).__name__}, which is decoupled; wants an l2 "
            "penalty of half as much on the weights, as PyTorch has it"
        )


def _coupled(entry: Entry) -> float:
    """The weight decay that the penalty on a weight is.  ValueError: it is none, or the weight has a constraint."""
    penalty = getattr(entry.layer, f"{entry.name}_regularizer", None)
    constraint = getattr(entry.layer, f"{entry.name}_constraint", None)
    if constraint is not None or (penalty is not None and penalty.l1):
        raise ValueError(f"the layer {entry.layer.name!r} got a constraint or an l1 penalty; wants none, or l2")
    return 0.0 if penalty is None else float(2 * penalty.l2)


def _theirs(kind: Kind, made: Any, groups: Mapping[tuple[float, float], list[nn.Parameter]]) -> torch.optim.Optimizer:
    options = {theirs: getattr(made, ours) for theirs, ours in kind.arguments.items()}
    if hasattr(made, "beta_1"):
        options["betas"] = (made.beta_1, made.beta_2)
    if kind.ours is optimizers.Nadam:
        options |= {"momentum_decay": 1.0, "decoupled_weight_decay": bool(made.weight_decay)}
    theirs = torch.optim.AdamW if kind.ours is optimizers.Adam and made.weight_decay else kind.theirs
    decays = kind.ours is not optimizers.Rprop
    if not decays and any(decay for _, decay in groups):
        raise ValueError("optimizer got Rprop, and weights a penalty; wants none: Rprop has no weight_decay in PyTorch")
    listed = [
        {"params": parameters, "lr": made.learning_rate * rate} | ({"weight_decay": decay} if decays else {})
        for (rate, decay), parameters in groups.items()
    ]
    return theirs(listed, lr=made.learning_rate, **options)


def _put_state(
    model: Sequential, kind: Kind, parameters: Mapping[str, nn.Parameter], result: torch.optim.Optimizer
) -> None:
    """Write the state of all trained weights to an optimizer of torch.optim."""
    engine, made = model._built(), model.optimizer
    assert made is not None
    matrices, names = engine.parameters.slot_matrices(), _names(kind, made)
    product = _product(made, engine.iterations) if kind.ours is optimizers.Nadam else None
    for place, found in _rows(model).items():
        for entry, rows in found:
            parameter = parameters[entry.key]
            if not parameter.requires_grad:
                continue
            state = result.state[parameter]
            if kind.counts:
                state["step"] = torch.tensor(float(engine.iterations))
            if product is not None:
                state["mu_product"] = torch.tensor(product)
            for number, slot in enumerate(engine.parameters.slot_names):
                array = entry.exchanged(matrices[number, place][rows]) / _velocity(made, slot)
                state[names[slot]] = torch.from_numpy(np.array(array, order="C")).to(parameter)
