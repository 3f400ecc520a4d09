"""What layers with weights have in common: views of a model's weights, and how they are set and drawn."""

from __future__ import annotations

import weakref
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from fastnn.constraints import Constraint
from fastnn.data import as_array, check_finite
from fastnn.engine import Engine
from fastnn.typing import Array
from .base import Layer, Shape
from .weight import Weight


class Weighted(Layer):
    """Base of the layers that have weights, each drawn by the initializer of its name: kernel by kernel_initializer.

    A derived class says in `weight_shapes` what they are, and in `plan` what the engine is to lay out for them.
    """

    _views: dict[str, Weight] | None = None
    _place: int

    def attach(self, engine: Engine, place: int, owner: object) -> None:
        """Let the layer's weights be those of a model's engine, at the place of its plan."""
        views = {name: Weight.of(self, name, view) for name, view in self.views(engine, place).items()}
        vars(self).update(engine=engine, _place=place, _owner=weakref.ref(owner), _views=views)

    def detach(self) -> None:
        """Have no weights again."""
        for name in ("engine", "_place", "_owner", "_views"):
            vars(self).pop(name, None)

    def put(self, engine: Engine, place: int, weights: Sequence[Array]) -> None:
        """Write checked weights to an engine that runs the layer."""
        engine.parameters.assign(place, weights)

    def output_shape(self, shape: Shape | None) -> Shape | None:
        self.flat(shape)
        return shape

    @staticmethod
    def constraints(**parts: Constraint | None) -> dict[str, float]:
        """Fields of the layer's record, of the constraints on its "kernel" (or gamma) and "bias" (or beta)."""
        fields: dict[str, float] = {}
        for part, constraint in parts.items():
            if constraint is not None:
                fields |= constraint.constants(part)
        return fields

    def views(self, engine: Engine, place: int, vector: Array | None = None) -> dict[str, Array]:
        return engine.parameters.views(place, vector)

    def drawn_weights(self, inputs: int, rng: np.random.Generator) -> list[Array]:
        """What training starts from."""
        shapes = self.weight_shapes(inputs).items()
        return [getattr(self, f"{name}_initializer")(shape, rng) for name, shape in shapes]

    def checked(self, weights: Sequence[ArrayLike], views: Mapping[str, Array] | None = None) -> list[Array]:
        """New weights as arrays, if they are of the right number and shapes, and finite, for these views of others."""
        wanted = self._built() if views is None else views
        if len(weights) != len(wanted):
            raise ValueError(f"weights got {len(weights)} arrays for {self.name!r}; wants {len(wanted)}")
        arrays = []
        for (name, view), given in zip(wanted.items(), weights, strict=True):
            array = as_array(given, f"weights: {name} of {self.name!r}")
            if array.shape != view.shape:
                raise ValueError(f"weights got {name} {array.shape} for {self.name!r}; wants {view.shape}")
            check_finite(np.atleast_1d(array), f"weights: {name} of {self.name!r}", view.dtype.name)
            arrays.append(array)
        return arrays

    def get_weights(self) -> list[Array]:
        """Copies of the layer's weights, in order."""
        views = self._built()
        assert self.engine is not None
        with self.engine.still:
            return [view.numpy() for view in views.values()]

    def set_weights(self, weights: Sequence[ArrayLike]) -> None:
        """Replace the layer's weights, in the order of get_weights; all or none."""
        arrays = self.checked(weights)  # first, for it says where the model is not built
        assert self.engine is not None
        with self.engine.busy:
            self.put(self.engine, self._place, arrays)

    def count_params(self) -> int:
        return sum(view.size for view in self._built().values())

    @property
    def weights(self) -> list[Weight]:
        """The weights, in the order of get_weights: views that cannot be written."""
        return list(self._built().values())

    def _view(self, name: str) -> Array | None:
        return self._built().get(name)

    def _built(self) -> dict[str, Weight]:
        """The views, once the model is built."""
        if self._views is None:
            raise RuntimeError(
                f"the layer {self.name!r} has no weights before its model is built: "
                "call model.build(inputs) or model.fit, or begin the model with Input"
            )
        return self._views
