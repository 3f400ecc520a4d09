"""What a model says of itself: its layers by name, a table of them, its shapes, and itself in other formats."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Self

from numpy.typing import ArrayLike

from fastnn import data
from fastnn.engine import Data
from fastnn.layers import Layer, Weight, deserialize
from fastnn.names import serialize
from fastnn.typing import Array
from . import formats, shapes
from .sharing import trained_layers
from .structure import Structure


class Spec(NamedTuple):
    """What goes into a model, or comes out: (rows, ...), rows of any number."""

    shape: tuple[int | None, ...]
    dtype: str
    name: str


class Described(Structure):
    """A structure that can be asked about itself."""

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer | Structure:
        """A layer by its name, or by its place among `layers`, from 0."""
        if (name is None) == (index is None):
            raise ValueError(f"get_layer got name {name!r} and index {index!r}; wants one of them")
        parts = self._parts
        if index is not None:
            if not -len(parts) <= index < len(parts):
                raise ValueError(f"index got {index}; wants one below {len(parts)}, the number of layers")
            return parts[index]
        for part in parts:
            if part.name == name:
                return part
        raise ValueError(f"name got {name!r}; wants one of {', '.join(repr(part.name) for part in parts)}")

    def forward(self, x: ArrayLike) -> list[Array]:
        """Every layer's activations, a (rows, units) array each: h_1 = f_1(x W_1 + b_1), h_2 = f_2(h_1 W_2 + b_2), ...

        A Dense layer whose activation is an Activation layer behind it has that layer's.
        """
        features = data.features(shapes.flat(self, x), self._inputs, "x", self.dtype)
        outputs = self._built(features.shape[1]).activations(Data(features))
        return [outputs[place] for place in self._places]

    def export(self, path: str | os.PathLike[str], **options: Any) -> Any:
        """Write the model for others to use, in the format that the file's ending names, whole or not at all.

        Parameters
        ----------
        path : path
            "m.onnx" for ONNX Runtime and the like, "m.c" for C99, with m.h beside it, "m.keras" for Keras 3,
            "m.fastnn" as `save`.
        **options
            Of ``export`` of `fastnn.onnx`, `fastnn.c` or `fastnn.keras`, which say what is raised.

        Returns
        -------
        What that returns: a `fastnn.c.Report` of C, None of others.
        """
        return formats.named(path, formats.WRITERS).export(self, path, **options)

    def to_torch(self) -> Any:
        """A ``torch.nn.Sequential`` of the same layers and weights; see `fastnn.torch.to_module`."""
        return formats.module("fastnn.torch").to_module(self)

    @property
    def weights(self) -> list[Weight]:
        """Those of every layer, in the order of get_weights: views that cannot be written."""
        self._built()
        return [weight for layer in self._layers for weight in layer.weights]

    @property
    def trainable_weights(self) -> list[Weight]:
        """Those that training changes."""
        self._built()
        trained = zip(self._layers, trained_layers(self), strict=True)
        return [weight for layer, each in trained if each for weight in layer.trainable_weights]

    @property
    def non_trainable_weights(self) -> list[Weight]:
        """Those that it does not."""
        self._built()
        trained = zip(self._layers, trained_layers(self), strict=True)
        return [w for layer, each in trained for w in (layer.non_trainable_weights if each else layer.weights)]

    @property
    def input_shape(self) -> tuple[int | None, ...]:
        """(None, inputs); an AttributeError where the model does not know the width of x yet."""
        return self._asked("input_shape", 0)

    @property
    def output_shape(self) -> tuple[int | None, ...]:
        """(None, units of the last layer)."""
        return self._asked("output_shape", -1)

    def _asked(self, name: str, place: int) -> tuple[int | None, ...]:
        shape = self._shapes[place]
        if shape is None:
            raise AttributeError(f"{name} is not known before the width of x is: begin with Input(shape=(n,))")
        return (None, *shape)

    @property
    def inputs(self) -> list[Spec]:
        """The shape and dtype of x."""
        return [Spec(self.input_shape, self.dtype, "input")]

    @property
    def outputs(self) -> list[Spec]:
        """The shape and dtype of what predict returns."""
        return [Spec(self.output_shape, self.dtype, "output")]

    input, output = Layer.output, Layer.output

    def summary(
        self,
        line_length: int | None = None,
        positions: Any = None,
        print_fn: Callable[[str], Any] | None = None,
        expand_nested: bool = False,
        show_trainable: bool = False,
        layer_range: Any = None,
    ) -> None:
        """Print a table of the layers, their output shapes and parameters.

        Parameters
        ----------
        line_length, positions, layer_range
            Taken for Keras's sake.
        print_fn : callable, optional
            Is given the text in place of print.
        expand_nested : bool
            Show the layers of models that are layers too.
        show_trainable : bool
            Show which layers are trained.
        """
        built = self._inputs is not None
        if built:
            self._built()
        heads = ("Layer (type)", "Output shape", "Activation", "Param #", *(["Trainable"] if show_trainable else []))
        rows = [heads, *self._rows(self._shapes[0], built, expand_nested, show_trainable)]
        widths = [max(len(row[i]) for row in rows) for i in range(len(heads))]
        lines = ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows]
        rule = "-" * (sum(widths) + 2 * len(heads) - 2)
        text = "\n".join([f'Model: "{self.name}"', lines[0], rule, *lines[1:], rule, *self._totals(built)])
        (print if print_fn is None else print_fn)(text)

    def _rows(self, shape: Any, built: bool, expand: bool, trainable: bool) -> list[tuple[str, ...]]:
        """The table's cells, a row a layer."""
        rows = []
        for part in self._parts:
            before, shape = shape, _shape_behind(part, shape)
            activation = getattr(part, "activation", None)
            sizes = "?" if shape is None else ", ".join(map(str, shape))
            cells = [f"{part.name} ({type(part).__name__})", f"(None, {sizes})"]
            cells += [activation.name if activation is not None else "", f"{_count(part):,}" if built else "?"]
            rows.append((*cells, *(["Y" if part.trainable else "N"] if trainable else [])))
            if expand and isinstance(part, Described):
                rows += [(f"  {first}", *rest) for first, *rest in part._rows(before, built, True, trainable)]
        return rows

    def _totals(self, built: bool) -> list[str]:
        if not built:
            return ["Total params: unknown until the width of x is"]
        trained = sum(weight.size for weight in self.trainable_weights)
        counts = {"Total": self.count_params(), "Trainable": trained, "Non-trainable": self.count_params() - trained}
        size = 4 if self.dtype == "float32" else 8
        return [f"{what} params: {count:,} ({_bytes(count * size)})" for what, count in counts.items()]

    def get_config(self) -> dict[str, Any]:
        """All but the weights, as JSON-able values."""
        described = [
            serialize(part) if isinstance(part, Layer) else {"class_name": "Sequential", "config": part.get_config()}
            for part in self._parts
            if isinstance(part, (Layer, Described))
        ]
        shape = self._row_shape
        config = {"name": self.name, "inputs": self._inputs, "layers": described, "trainable": self._trainable}
        return config if shape is None or len(shape) == 1 else config | {"shape": list(shape)}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """A new model, with new weights, of the same structure."""
        parts = [
            cls.from_config(entry["config"]) if entry.get("class_name") == "Sequential" else deserialize(entry)
            for entry in config["layers"]
        ]
        model = cls(parts, config["name"], None)
        model._trainable = bool(config.get("trainable", True))
        model._inputs = config["inputs"]
        if "shape" in config:
            model._row_shape = tuple(config["shape"])
        model._end = model._shapes[-1]
        model._note_shapes()
        return model

    def to_json(self, **options: Any) -> str:
        """All but the weights, as JSON, for `models.model_from_json`; the options are those of json.dumps."""
        return json.dumps({"class_name": "Sequential", "config": self.get_config()}, **options)


def _shape_behind(part: Layer | Structure, shape: Any) -> Any:
    for layer in part._layers if isinstance(part, Structure) else [part]:
        shape = layer.output_shape(shape)
    return shape


def _count(part: Layer | Structure) -> int:
    return sum(layer.count_params() for layer in part._layers) if isinstance(part, Structure) else part.count_params()


def _bytes(count: float) -> str:
    """12.30 KB, as Keras has it."""
    for unit in ("B", "KB", "MB"):
        if count < 1024:
            return f"{count:.2f} {unit}"
        count /= 1024
    return f"{count:.2f} GB"
