"""A chain of operations as stages, each a product and what follows it, with what is affine folded into the products.

All numbers are float64 here; they are rounded once, when they are written.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from fastnn.models.chain import Affine, BatchNorm, LayerNorm, Operation, Product, Rectifier
from fastnn.typing import Array

MOST_SHIFT = 2.0
"""An affine before a product is folded into it where it moves numbers by so much at most: more would cost digits."""


class Stage(NamedTuple):
    """A product, or None at the beginning, and the operations on each row of what comes out of it."""

    product: Product | None
    rest: list[Operation]
    inputs: int
    units: int


def stages(operations: Iterable[Operation], inputs: int, keep_scaling: bool = False) -> list[Stage]:
    """The stages of a network, of which there is one at least.

    Parameters
    ----------
    operations : iterable of Operation
    inputs : int
        The width of a row of x.
    keep_scaling : bool
        Leave a scaling of the inputs, column by column, before the first product.
    """
    found: list[Stage] = []
    product: Product | None = None
    rest: list[Operation] = []
    width = inputs
    for operation in _folded([_double(each) for each in operations], keep_scaling):
        if isinstance(operation, Product):
            if product is not None or rest:
                found.append(_stage(product, rest, width))
                width = found[-1].units
            product, rest = operation, []
        else:
            rest.append(operation)
    return [*found, _stage(product, rest, width)]


def _stage(product: Product | None, rest: list[Operation], width: int) -> Stage:
    return Stage(product, rest, width, width if product is None else product.kernel.shape[1])


def _double(operation: Operation) -> Operation:
    """The operation in float64; what is affine is an Affine, and a product has a bias."""
    match operation:
        case Product(kernel, bias):
            zeros = np.zeros(kernel.shape[1])
            return Product(kernel.astype(np.float64), zeros if bias is None else bias.astype(np.float64))
        case BatchNorm(mean, variance, gamma, beta, epsilon):
            factor = 1 / np.sqrt(variance.astype(np.float64) + epsilon)
            factor = factor if gamma is None else factor * gamma
            return Affine(mean.astype(np.float64), factor, _or_zeros(beta, factor))
        case Affine(center, factor, offset):
            return Affine(_or_zeros(center, factor), factor.astype(np.float64), _or_zeros(offset, factor))
        case LayerNorm(gamma, beta, epsilon):
            wide = [None if numbers is None else numbers.astype(np.float64) for numbers in (gamma, beta)]
            return LayerNorm(wide[0], wide[1], epsilon)
        case Rectifier(slope, threshold, limit) if isinstance(slope, np.ndarray):
            return Rectifier(slope.astype(np.float64), threshold, limit)
    return operation


def _or_zeros(numbers: Array | None, like: Array) -> Array:
    return np.zeros(like.shape) if numbers is None else numbers.astype(np.float64)


def _folded(operations: list[Operation], keep_scaling: bool) -> list[Operation]:
    """The operations with what is affine within its neighbours, where that costs no digits."""
    found: list[Operation] = []
    for operation in operations:
        before = found[-1] if found else None
        if isinstance(operation, Affine) and isinstance(before, Product | Affine):
            found[-1] = _affine_after(before, operation)
        elif isinstance(operation, Product) and isinstance(before, Affine) and _folds(before, found, keep_scaling):
            found[-1] = _affine_before(before, operation)
        else:
            found.append(operation)
    return found


def _folds(affine: Affine, found: list[Operation], keep_scaling: bool) -> bool:
    """Whether the affine at the end of those found goes into the product that comes."""
    if keep_scaling and len(found) == 1 and any(np.ptp(numbers) for numbers in affine if numbers is not None):
        return False
    return bool(np.abs(_shift(affine)).max() <= MOST_SHIFT)


def _shift(affine: Affine) -> Array:
    """What is added to x * factor."""
    assert affine.center is not None
    assert affine.offset is not None
    return np.asarray(affine.offset - affine.center * affine.factor)


def _affine_after(before: Product | Affine, affine: Affine) -> Operation:
    center, factor, offset = affine
    assert center is not None
    assert offset is not None
    if isinstance(before, Product):
        assert before.bias is not None
        return Product(before.kernel * factor, (before.bias - center) * factor + offset)
    assert before.offset is not None
    return Affine(before.center, before.factor * factor, (before.offset - center) * factor + offset)


def _affine_before(affine: Affine, product: Product) -> Operation:
    assert product.bias is not None
    return Product(product.kernel * affine.factor[:, np.newaxis], product.bias + _shift(affine) @ product.kernel)
