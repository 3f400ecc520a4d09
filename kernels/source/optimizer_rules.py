"""The rule of each optimizer, written out from formulas/optimizers.py by render/formulas.py."""

from __future__ import annotations

from ..language import Address, Code, Double, Integer, written


@written
def prepare(optimizer: Code, hyper: Address, learning_rate: Double, step: Double, scalars: Address) -> None:
    """The optimizer's scalars of a step, counted from 1, into memory: doubles."""
    raise NotImplementedError


@written
def update(
    optimizer: Code,
    count: Integer,
    scalars: Address,
    gradients: Address,
    slot_size: Integer,
    slots: Address,
    parameters: Address,
) -> None:
    """New parameters and slots, ``count`` of each; one slot's values are slot_size bytes behind the last one's."""
    raise NotImplementedError


@written
def member_update(
    optimizer: Code,
    count: Integer,
    scalars: Address,
    gradients: Address,
    slot_size: Integer,
    slots: Address,
    parameters: Address,
) -> None:
    """As `update`, with scalars that are vectors: a member of an ensemble a lane."""
    raise NotImplementedError
