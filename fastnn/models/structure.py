"""The structure of a model: its layers, the engine that is made of them, and their weights."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from fastnn import data, utils
from fastnn.data import positive_integer
from fastnn.engine import Engine
from fastnn.heeding import Heeding
from fastnn.layers import Flatten, Input, Layer, Shape, Weighted, settings, unique_names
from fastnn.names import UniqueNames
from fastnn.turns import Turns, exclusive
from fastnn.typing import Array
from . import sharing
from .plans import layer_plans


class Structure(Heeding):
    """Layers, one after the other, and the engine that is made of them; a derived class says what it is to do.

    A layer may itself be such a model, and layers may be those of other models too.  Their weights are then the same:
    the engine of the model that trained them last has them, and others copy them from there before they use them.
    """

    _base_name: str = "sequential"
    _taken = False  # by a model that it is a layer of

    def __init__(
        self, layers: Sequence[Layer | Structure] | None, name: str | None, seed: int | None, trainable: bool = True
    ) -> None:
        if isinstance(layers, (Layer, Structure)) or isinstance(name, (Layer, Structure)):
            raise TypeError("layers got layers one by one; wants a list of them: Sequential([Dense(8), Dense(1)])")
        if name is not None and not (isinstance(name, str) and name):
            raise TypeError(f"name got {name!r}; wants a string")
        self.name, self._named = name or self._base_name, name is not None
        self.dtype = "float32"
        seed = utils.new_seed() if seed is None else positive_integer(seed, "seed", least=0)
        self._rng = np.random.default_rng(seed)
        self._parts: list[Layer | Structure] = []
        self._layers: list[Layer] = []  # with those of the parts that are models
        self._paths: list[str] = []  # the name of each, behind those of the models that it is in
        self._used_names = UniqueNames()
        self._inputs: int | None = None
        self._row_shape: Shape | None = None  # of as many values
        self._end: Shape | None = None  # the shape of what the last layer gives, as far as it is known
        self._identities: set[int] = set()  # of the layers
        self._engine: Engine | None = None
        self._places: list[int] = []  # each layer's plan, among the engine's
        self._backend = "auto"
        self._threads: int | None = None
        self._planned = 0  # the settings of layers that the engine knows
        self._trainable = data.boolean(trainable, "trainable")
        self._heeded = -1  # the changes of layers that the engine knows
        self._takes_shapes = self._gives_shapes = False
        self._shares = False  # whether some layers are another model's too
        self._copied: dict[int, tuple[Engine, int]] = {}  # by layer: the engine that its weights are from, the version
        self._turns = Turns()
        try:
            for layer in layers or ():
                self.add(layer)
        except BaseException:
            for each in [*self._parts, *self._layers]:
                each._taken = isinstance(each, Layer) and each._shared
            raise

    @property
    def layers(self) -> list[Layer | Structure]:
        """The layers, without Input; a model among them is one."""
        return list(self._parts)

    @exclusive(nests=False)
    def add(self, layer: Layer | Structure) -> None:
        """Append a layer, or a model.  A model that is built keeps the weights that it has, and wants compile again."""
        own, asked = self._checked(layer)
        shape = self._end if self._layers or asked is None else asked
        for each in own:  # raises before anything is changed
            shape = each.output_shape(shape)
        if asked is not None and not self._layers:
            self._row_shape, self._inputs = asked, math.prod(asked)
        self._end = shape
        if isinstance(layer, Input):
            return
        self._give_name(layer)
        self._paths += [layer.name] if isinstance(layer, Layer) else [f"{layer.name}/{path}" for path in layer._paths]
        self._parts.append(layer)
        self._layers += own
        self._identities.update(map(id, own))
        for each in own:
            each._shared |= each._taken
            each._taken = True
        layer._taken = True
        self._begin_anew()

    def _checked(self, layer: Layer | Structure) -> tuple[list[Layer], Shape | None]:
        """The layers that one stands for, and the shape of the rows that it asks for; refuses what cannot be added."""
        if self._taken:
            raise RuntimeError(f"add got a layer for {self.name!r}, which is a layer itself; make a new Sequential")
        if not isinstance(layer, (Layer, Structure)):
            if isinstance(layer, type) and issubclass(layer, (Layer, Structure)):
                raise TypeError(
                    f"layer got the class {layer.__name__}; wants a layer made of it: {layer.__name__}(...)"
                )
            got = repr(layer) if isinstance(layer, str) else type(layer).__name__
            raise TypeError(f"layer got {got}; wants one of fastnn.layers: Dense, Dropout, Activation('relu'), ...")
        inner = isinstance(layer, Structure)
        own, asked = (layer._layers, layer._shapes[0]) if isinstance(layer, Structure) else ([layer], layer.input_shape)
        if inner and (layer is self or not own):
            raise ValueError(f"layer got {layer.name!r}, a model without layers of its own; wants some in it")
        if not self._identities.isdisjoint(map(id, own)):
            raise ValueError(f"layer got {layer.name!r} twice; wants a new layer object each time")
        before = self._end
        if asked is not None and self._layers and not (inner or layer._taken):
            raise ValueError(f"layer got {layer.name!r} with a number of inputs; only the first layer says how many")
        if asked is not None and before is not None and math.prod(asked) != math.prod(before):
            raise ValueError(f"layer got {math.prod(asked)} inputs; wants {math.prod(before)}, as Input says")
        return own, asked

    def _give_name(self, layer: Layer | Structure) -> None:
        """Let no two layers have the same name: dense, dense_1, ..., unless it was given."""
        if not (layer._named or layer._taken):
            vars(layer)["name"] = self._used_names.new(layer._base_name)
        elif self._used_names.take(layer.name):
            parts = [*self._parts, layer]
            for part, name in zip(parts, unique_names(parts), strict=True):  # raises where the other was given too
                vars(part)["name"] = name
                self._used_names.take(name)

    @exclusive(nests=False)
    def pop(self, rebuild: bool = True) -> Layer | Structure:
        """Remove the last layer, and return it.  The others keep their weights; the model wants compile again."""
        if not self._parts:
            raise ValueError("pop got a model without layers; wants at least one")
        if self._taken:
            raise RuntimeError(f"pop got {self.name!r}, which is a layer itself")
        layer = self._parts.pop()
        del self._layers[-(count := len(layer._layers) if isinstance(layer, Structure) else 1) :], self._paths[-count:]
        self._identities, self._end = set(map(id, self._layers)), self._shapes[-1]
        self._begin_anew()
        return layer

    def _begin_anew(self) -> None:
        """Forget the engine, for it was made of other layers; their weights stay theirs until another one is made."""
        settings["changes"] += 1
        self._note_shapes()
        if self._engine is not None:
            self._engine = None
            self._uncompile()

    def _uncompile(self) -> None:
        """Forget what to be trained for."""

    @property
    def trainable(self) -> bool:
        """Whether training changes weights at all; to set it sets that of every layer too."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self._trainable = data.boolean(value, "trainable")
        for part in self._parts:
            part.trainable = value
        settings["changes"] += 1

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
        shape = self._row_shape
        if input_size is not None:
            sizes = input_size[1:] if isinstance(input_size, tuple) and len(input_size) > 1 else input_size
            shape = tuple(
                positive_integer(size, "input_size") for size in (sizes if isinstance(sizes, tuple) else (sizes,))
            )
            width = math.prod(shape)
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
        draft = self._draft(
            _inputs=width, _row_shape=shape if shape is not None and len(shape) > 1 else self._row_shape
        )
        draft._end = draft._shapes[-1]
        draft._note_shapes()
        draft._make_engine(None)
        return draft

    @property
    def _shapes(self) -> list[Shape | None]:
        """The shapes of the rows that each layer takes, and of the last one's; None where x would say them."""
        found = [self._row_shape or (None if self._inputs is None else (self._inputs,))]
        for layer in self._layers:
            found.append(layer.output_shape(found[-1]))
        return found

    @property
    def _widths(self) -> list[int | None]:
        """How many values those rows have."""
        return [None if shape is None else math.prod(shape) for shape in self._shapes]

    def _note_shapes(self) -> None:
        """See whether rows may have more than one dimension, on the way in and on the way out."""
        first = self._layers[0] if self._layers else None
        known, last = self._row_shape, self._end
        self._takes_shapes = isinstance(first, Flatten) if known is None else len(known) > 1
        self._gives_shapes = last is not None and len(last) > 1

    def _make_engine(self, weights: Sequence[Array] | None) -> None:
        """Make an engine with these weights, or those that there are; others are drawn.

        That is for a draft of the model, which it then becomes.
        """
        assert self._inputs is not None
        self._planned = settings["plan"]
        plans, self._places = layer_plans(self._layers, self._inputs)
        engine = Engine(self._inputs, plans, self.dtype, self._backend, self._threads)
        self._set_up(engine)
        weighted = self._weighted()
        if weights is None:
            self._rng = copy.deepcopy(self._rng)  # its draws count if all goes well
            widths = dict(zip(self._layers, self._widths, strict=False))
            arrays = [
                layer.drawn_weights(widths[layer] or 0, self._rng) if layer.engine is None else layer.get_weights()
                for layer in weighted
            ]
        else:
            arrays = self._divided(weights, engine)
        for (layer, place), part in zip(weighted.items(), arrays, strict=True):
            layer.put(engine, place, part)
        sharing.heed_changes(self, engine)
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
                if layer.owner in (None, self):
                    layer.attach(self._engine, place, self)

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
        if self._heeded != settings["changes"]:
            sharing.heed_changes(self, engine)
        if self._shares:
            sharing.copy_shared(self, engine)
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
            for (layer, place), part in zip(model._weighted().items(), arrays, strict=True):
                layer.put(engine, place, part)
        if model is not self:
            self._become(model)
        sharing.own_shared(self, engine)

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
        """How many numbers the layers have, trained or not."""
        self._built()
        return sum(layer.count_params() for layer in self._layers)

    def _weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """The names and shapes of what `get_weights` returns, whether the model is built or not."""
        return {
            f"{path}/{name}": shape
            for layer, path, width in zip(self._layers, self._paths, self._widths, strict=False)
            for name, shape in layer.weight_shapes(width or 0).items()
        }
