"""The structure of a model: its layers, what the engine runs for them, their weights and their description."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from fastnn import data, utils
from fastnn.engine import Data, Engine, LayerPlan
from fastnn.heeding import Heeding
from fastnn.layers import Input, Layer, Weighted, deserialize, settings, unique_names
from fastnn.names import serialize
from fastnn.turns import Turns, exclusive
from fastnn.typing import Array


class Structure(Heeding):
    """Layers, one after the other, and the engine that is made of them; a derived class says what it is to do."""

    def __init__(self, layers: Sequence[Layer] | None, name: str, seed: int | None) -> None:
        if isinstance(layers, Layer) or isinstance(name, Layer):
            raise TypeError("layers got layers one by one; wants a list of them: Sequential([Dense(8), Dense(1)])")
        self.name = name
        self.dtype = "float32"
        seed = utils.new_seed() if seed is None else data.positive_integer(seed, "seed", least=0)
        self._rng = np.random.default_rng(seed)
        self._layers: list[Layer] = []
        self._inputs: int | None = None
        self._engine: Engine | None = None
        self._places: list[int] = []  # each layer's plan, among the engine's
        self._backend = "auto"
        self._threads: int | None = None
        self._planned = 0  # the settings of layers that the engine knows
        self._turns = Turns()
        try:
            for layer in layers or ():
                self.add(layer)
        except BaseException:
            for layer in self._layers:
                layer._taken = False
            raise

    @property
    def layers(self) -> list[Layer]:
        """The layers, without Input."""
        return list(self._layers)

    @exclusive(nests=False)
    def add(self, layer: Layer) -> None:
        """Append a layer; not once the model is built."""
        if self._engine is not None:
            raise RuntimeError("add got a layer for a model that is built; make a new Sequential")
        if not isinstance(layer, Layer):
            if isinstance(layer, type) and issubclass(layer, Layer):
                raise TypeError(
                    f"layer got the class {layer.__name__}; wants a layer made of it: {layer.__name__}(...)"
                )
            got = repr(layer) if isinstance(layer, str) else type(layer).__name__
            raise TypeError(f"layer got {got}; wants one of fastnn.layers: Dense, Dropout, Activation('relu'), ...")
        if self._layers and layer.input_size is not None:
            raise ValueError(f"layer got {layer.name!r} with a number of inputs; only the first layer says how many")
        if any(layer is other for other in self._layers):
            raise ValueError(f"layer got {layer.name!r} twice; wants a new layer object each time")
        if layer._taken:
            raise ValueError(f"layer got {layer.name!r}, which is another model's; wants a new layer object")
        if not self._layers and layer.input_size is not None:
            if self._inputs not in (None, layer.input_size):
                raise ValueError(f"layer got {layer.input_size} inputs; wants {self._inputs}, as Input says")
            self._inputs = layer.input_size
        if not isinstance(layer, Input):
            named = [*self._layers, layer]
            for each, name in zip(named, unique_names(named), strict=True):
                vars(each)["name"] = name
            self._layers = named
            layer._taken = True

    @exclusive()
    def build(self, input_size: int | tuple[int | None, ...] | None = None) -> None:
        """Draw the weights, for data with this many columns; fit and the rest do it when they see the data."""
        self._build(input_size)

    def _build(self, input_size: int | tuple[int | None, ...] | None = None) -> None:
        draft = self._built_draft(input_size)
        if draft is not self:
            self._become(draft)

    def _built_draft(self, input_size: int | tuple[int | None, ...] | None = None) -> Self:
        """The model, if it is built, else a draft that is."""
        if input_size is not None:
            if isinstance(input_size, tuple):
                input_size = input_size[-1]
            width = data.positive_integer(input_size, "input_size")
            if self._inputs not in (None, width):
                raise ValueError(f"input_size got {width}; wants {self._inputs}, as the first layer says")
        else:
            if self._inputs is None:
                raise ValueError(
                    "the model is not built, for it does not know the width of x: call build(input_size), "
                    "begin with Input(shape=(n,)), or let fit or predict see data"
                )
            width = self._inputs
        if self._engine is not None:
            return self
        if not self._layers:
            raise ValueError("layers got none; wants at least one Dense layer")
        draft = self._draft(_inputs=width)
        draft._make_engine(None)
        return draft

    @property
    def _widths(self) -> list[int | None]:
        """The inputs of each layer, and the outputs of the last one; None where the width of x would say them."""
        widths = [self._inputs]
        for layer in self._layers:
            widths.append(layer.output_size(widths[-1]))
        return widths

    def _make_engine(self, weights: Sequence[Array] | None) -> None:
        """Make an engine with these weights, None draws some: of a draft of the model, which it then becomes."""
        assert self._inputs is not None
        self._planned = settings["plan"]
        plans, self._places = layer_plans(self._layers, self._inputs)
        engine = Engine(self._inputs, plans, self.dtype, self._backend, self._threads)
        self._set_up(engine)
        weighted = self._weighted()
        if weights is None:
            self._rng = copy.deepcopy(self._rng)  # its draws count if all goes well
            widths = dict(zip(self._layers, self._widths, strict=False))
            arrays = [layer.drawn_weights(widths[layer] or 0, self._rng) for layer in weighted]
        else:
            arrays = self._divided(weights, engine)
        for place, part in zip(weighted.values(), arrays, strict=True):
            engine.parameters.assign(place, part)
        self._engine = engine

    def _draft(self, **changes: Any) -> Self:
        """What the model is to become: a copy of its attributes, with these changes, to be worked on."""
        draft = object.__new__(type(self))
        vars(draft).update(vars(self))
        vars(draft).update(changes, _origin=dict(vars(self)))
        return draft

    def _as_it_is(self) -> Self:
        """The model as it is now, whoever compiles it meanwhile; itself as long as it is not built."""
        if self._engine is None:
            return self
        self._built()
        return self._draft()

    def _become(self, draft: Self) -> None:
        """Take what was changed in a draft, all at once."""
        origin = vars(draft).pop("_origin")
        changed = {name: value for name, value in vars(draft).items() if origin.get(name) is not value}
        try:
            self._take(changed)
        except BaseException:  # a signal's: nothing else can go wrong here
            self._take(changed)
            raise

    def _state(self) -> tuple[dict[str, Any], Any]:
        """What `_go_back` wants: the attributes, and where the random numbers are."""
        return dict(vars(self)), self._rng.bit_generator.state

    def _go_back(self, attributes: Mapping[str, Any], random: Any) -> None:
        """Be as the model was, also if it was not built."""
        vars(self).update(attributes)
        self._rng.bit_generator.state = random
        if self._engine is None:
            for layer in self._layers:
                if isinstance(layer, Weighted):
                    layer.detach()

    def _take(self, changed: Mapping[str, Any]) -> None:
        """Have these attributes, and an engine's weights as the layers'."""
        vars(self).update(changed)
        if self._engine is not None and "_engine" in changed:
            for layer, place in self._weighted().items():
                layer.attach(self._engine, place)

    def _weighted(self) -> dict[Weighted, int]:
        """The layers that have weights, and the place of the plan of each."""
        return {
            layer: place for layer, place in zip(self._layers, self._places, strict=True) if isinstance(layer, Weighted)
        }

    def _set_up(self, engine: Engine) -> None:
        """Tell a new engine what it is to be trained for."""

    def _built(self, width: int | None = None) -> Engine:
        engine = self._engine
        if engine is None:
            build = self._build if self._turns.mine else self.build
            build(width)
            engine = self._engine
        elif self._planned != settings["plan"]:
            engine = self._replanned(engine)
        assert engine is not None
        return engine

    def _replanned(self, engine: Engine) -> Engine:
        """The engine, or another one, with its weights and the optimizer's state, where layers have been changed."""
        assert self._inputs is not None
        seen = settings["plan"]
        plans, _ = layer_plans(self._layers, self._inputs)
        if plans == engine.plans:
            self._planned = seen
            return engine
        if engine.trains:
            raise RuntimeError("a layer of a model that fit trains was changed; wants to be set before or after fit")
        with self._turns.lock:
            draft = self._redrafted()
            draft._make_engine(self._copies(engine))
            made = draft._engine
            assert made is not None
            places = {place: draft._weighted()[layer] for layer, place in self._weighted().items()}
            slots = engine.parameters.slot_matrices().items()
            made.parameters.set_slots({(slot, places[place]): array for (slot, place), array in slots})
            made.count.value = engine.count.value
            self._become(draft)
        return made

    def _redrafted(self) -> Self:
        """A draft for layers that have been changed."""
        return self._draft()

    # --- Weights ---

    def get_weights(self) -> list[Array]:
        """Copies of every kernel (inputs, units) and bias (units,), or what else a layer has, in order."""
        return self._copies(self._built())

    def _copies(self, engine: Engine) -> list[Array]:
        """The weights that an engine has, after a whole number of steps."""
        with engine.still:
            weighted = self._weighted().items()
            return [view.copy() for layer, place in weighted for view in layer.views(engine, place).values()]

    @exclusive()
    def set_weights(self, weights: Sequence[ArrayLike]) -> None:
        """Set every kernel and bias, in the order of get_weights; all or none."""
        model = self._built_draft()
        engine = model._built()
        arrays = model._divided(weights, engine)
        with engine.busy:
            for place, part in zip(model._weighted().values(), arrays, strict=True):
                engine.parameters.assign(place, part)
        if model is not self:
            self._become(model)

    def _divided(self, weights: Sequence[ArrayLike], engine: Engine) -> list[list[Array]]:
        """Weights in the order of get_weights, checked, as a list for each layer that has some."""
        weighted = self._weighted()
        views = [layer.views(engine, place) for layer, place in weighted.items()]
        count = sum(map(len, views))
        if len(weights) != count:
            raise ValueError(f"weights got {len(weights)} arrays; wants {count}: a kernel and a bias a layer")
        rest, checked = list(weights), []
        for layer, wanted in zip(weighted, views, strict=True):
            checked.append(layer.checked(rest[: len(wanted)], wanted))
            rest = rest[len(wanted) :]
        return checked

    def count_params(self) -> int:
        """How many numbers training adjusts."""
        self._built()
        return sum(layer.count_params() for layer in self._layers)

    def _weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """The names and shapes of what `get_weights` returns, whether the model is built or not."""
        return {
            f"{layer.name}/{name}": shape
            for layer, width in zip(self._layers, self._widths, strict=False)
            for name, shape in layer.weight_shapes(width or 0).items()
        }

    # --- Looking inside ---

    def forward(self, x: ArrayLike) -> list[Array]:
        """Every layer's activations, a (rows, units) array each: h_1 = f_1(x W_1 + b_1), h_2 = f_2(h_1 W_2 + b_2), ...

        A Dense layer whose activation is an Activation layer behind it has that layer's.
        """
        features = data.features(x, self._inputs, "x", self.dtype)
        outputs = self._built(features.shape[1]).activations(Data(features))
        return [outputs[place] for place in self._places]

    # --- Description ---

    def summary(self) -> None:
        """Print a table of the layers, their output shapes and parameters."""
        built = self._inputs is not None
        if built:
            self._built()
        rows = [("Layer (type)", "Output shape", "Activation", "Param #")]
        for layer, width in zip(self._layers, self._widths[1:], strict=True):
            activation = getattr(layer, "activation", None)
            rows.append(
                (
                    f"{layer.name} ({type(layer).__name__})",
                    f"(None, {width if width is not None else '?'})",
                    activation.name if activation is not None else "",
                    f"{layer.count_params():,}" if built else "?",
                )
            )
        widths = [max(len(row[i]) for row in rows) for i in range(4)]
        lines = ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows]
        rule = "-" * (sum(widths) + 6)
        total = f"{self.count_params():,}" if built else "unknown until the width of x is"
        print(f'Model: "{self.name}"', lines[0], rule, *lines[1:], rule, f"Total params: {total}", sep="\n")

    def get_config(self) -> dict[str, Any]:
        """All but the weights, as JSON-able values."""
        return {"name": self.name, "inputs": self._inputs, "layers": [serialize(layer) for layer in self._layers]}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """A new model, with new weights, of the same structure."""
        model = cls([deserialize(entry) for entry in config["layers"]], config["name"], None)
        model._inputs = config["inputs"]
        return model


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
