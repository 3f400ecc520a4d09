"""What the engine runs for some layers."""

from __future__ import annotations

from collections.abc import Sequence

from fastnn.engine import LayerPlan
from fastnn.layers import Layer


def layer_plans(layers: Sequence[Layer], inputs: int) -> tuple[list[LayerPlan], list[int]]:
    """What the engine runs for some layers, and the place in it of each layer's plan.

    An activation belongs to the plan before it, if that has none of its own.  Noise acts in place: where what comes
    before it must keep its output for the way back, it gets a copy.
    """
    plans: list[LayerPlan] = []
    places: list[int] = []
    width = inputs
    kept: LayerPlan | None = None  # the last plan whose output is there for noise to act on; None: the data
    for number, layer in enumerate(layers):
        plan = layer.plan(width, number)
        width, last = plan.units, plans[-1] if plans else None
        if plan.noise and kept is not None and not plan.suits(kept):
            kept = _copy(width)
            plans.append(kept)
        if plan.kind != "activation" or last is None:
            plans.append(plan)
        elif plan.activation != "linear":
            if last.activation == "linear" and not last.noise:
                plans[-1] = last._replace(activation=plan.activation, parameter=plan.parameter)
            else:
                plans.append(plan)
        if not plans[-1].noise:
            kept = plans[-1]
        places.append(len(plans) - 1)
    if plans and plans[-1].noise:
        plans.append(_copy(width))
    if any(plan.activation == "softmax" for plan in plans[:-1]):
        raise ValueError("activation got 'softmax' in a hidden layer; wants it in the last one only")
    return plans, places


def _copy(width: int) -> LayerPlan:
    """What gives on what comes in."""
    return LayerPlan(width, use_bias=False, kind="activation")
