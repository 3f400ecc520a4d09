"""The members of an ensemble: a row of numbers each, and a `Sequential` from when somebody asks for it."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from fastnn import losses, optimizers
from fastnn.callbacks import History
from fastnn.engine import Engine, MemberStates, hyper_of, penalties_of
from fastnn.models import Sequential
from fastnn.models.cloning import clones
from fastnn.typing import Array
from . import constants as of_members


class Members:
    """As many networks of one structure.

    To make and to compile a model takes a millisecond or two, and some ten kilobytes.  A member that nobody has asked
    for has neither: it rests, as a row of weights and of the optimizer's state, and its generator of random numbers.

    Parameters
    ----------
    pattern : Sequential
        What the members are like; those that rest are compiled as it is.
    generators : sequence of Generator
        A member's random numbers.
    made : dict of int to Sequential
        The members that do not rest.
    """

    def __init__(
        self, pattern: Sequential, generators: Sequence[np.random.Generator], made: Mapping[int, Sequential]
    ) -> None:
        self.pattern, self.made = pattern, dict(made)
        self._generators = list(generators)
        self._count = len(generators) or len(made)
        self._rules: list[optimizers.Optimizer] = []  # once compiled
        self._options: dict[str, Any] = {}  # of compile
        self._states: Array | None = None  # once drawn: the weights, the slots and the moving statistics, (members, _)
        self._steps = np.zeros(self._count, np.int64)  # that those which rest have taken
        self._histories: dict[int, History] = {}  # of those which rest

    @classmethod
    def like(cls, model: Sequential, count: int, seed: int) -> Members:
        """Members with new weights; their random numbers follow from the seed and the member's number."""
        (pattern,) = clones(model, 1)
        return cls(pattern, [np.random.default_rng([seed, number]) for number in range(count)], {})

    @classmethod
    def of(cls, models: Sequence[Sequential]) -> Members:
        """These very models."""
        return cls(models[0], [], dict(enumerate(models)))

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Sequential]:
        return iter([self[number] for number in range(self._count)])

    def __getitem__(self, number: int) -> Sequential:
        place = range(self._count)[number]
        if place not in self.made:
            self.made[place] = self._awake(place)
        return self.made[place]

    @property
    def resting(self) -> list[int]:
        """The numbers of those which nobody has asked for."""
        return [] if len(self.made) == self._count else [n for n in range(self._count) if n not in self.made]

    @property
    def models(self) -> list[Sequential]:
        """The models that stand for all: the pattern for those which rest, if some do, and each that does not."""
        return [*([self.pattern] if self.resting else []), *self.made.values()]

    def _awake(self, number: int) -> Sequential:
        """Make a model of a member that rests."""
        (model,) = clones(self.pattern, 1)
        if self._states is None:
            model._rng = self._generators[number]
        if self._rules:
            given = {name: copy.deepcopy(self._options[name]) for name in ("loss", "metrics")}
            model.compile(self._rules[number], **self._options | given)
        if self._states is not None:
            assert model.optimizer is not None
            engine = model._built()
            model.optimizer.configure(engine)
            engine.parameters.restore(self._states[number], int(self._steps[number]))
            model._rng = self._generators[number]
        if history := self._histories.pop(number, None):
            history.model, model.history = model, history
        return model

    # --- What is asked of all ---

    def compile(
        self, rules: Sequence[optimizers.Optimizer], loss: losses.Loss | None, constants: Any, **options: Any
    ) -> None:
        """Compile those which rest, each with an optimizer of its own; loss and constants of layers are the same."""
        if self._states is not None:  # what is changed now is more than numbers
            list(self)
        if self.pattern is not self.made.get(0):
            of_members.set_on_layers(self.pattern, constants)
            self.pattern.compile(copy.copy(rules[0]), copy.deepcopy(loss), **options)
        self._rules, self._options = list(rules), {"loss": loss, **options}

    def built(self, width: int) -> list[Engine]:
        """An engine of each member that does not rest, behind that of the pattern for the others, ready to train."""
        engines = []
        for model in self.models:
            model._check_compiled("fit")
            assert model.optimizer is not None
            engines.append(model._built(width))
            model.optimizer.configure(engines[-1])
        if self._states is None and self.resting:
            self._draw(engines[0])
        return engines

    def _draw(self, engine: Engine) -> None:
        """Draw the weights of those which rest, as building a model does."""
        parameters, pattern = engine.parameters, self.pattern
        widths = dict(zip(pattern._layers, pattern._widths, strict=False))
        states = None
        for number in self.resting:
            parameters.forget_slots()  # each begins with its own
            engine.optimizer.set(self._rules[number].plan())
            for layer, place in pattern._weighted().items():
                layer.put(engine, place, layer.drawn_weights(widths[layer] or 0, self._generators[number]))
            if states is None:
                states = np.empty((self._count, parameters.saved_count), engine.dtype)
            parameters.save(states[number])
        self._states = states

    # --- Training in lanes ---

    @property
    def plans(self) -> list[Any]:
        """The optimizers' plans of those which rest."""
        return [self._rules[number].plan() for number in self.resting]

    @property
    def penalized(self) -> bool:
        """Whether some members have penalties."""
        return any(model._engine is not None and model._engine.job.network.penalized for model in self.models)

    def generator(self, number: int) -> np.random.Generator:
        """A member's random numbers."""
        return self.made[number]._rng if number in self.made else self._generators[number]

    def states(self, engine: Engine) -> MemberStates:
        """What training changes, of all members; ``engine`` is any of theirs."""
        count, slots = len(engine.parameters.values), len(engine.parameters.slots)
        values = np.empty((self._count, count + slots), engine.dtype)
        hyper = np.empty((self._count, len(engine.optimizer.hyper)))
        penalties = np.empty((self._count, len(engine.layers), 4))
        iterations, rates = self._steps.copy(), []
        penalties[:] = penalties_of(engine)
        for number in range(self._count):
            if (model := self.made.get(number)) is not None:
                own = model._engine
                assert own is not None
                np.concatenate([own.parameters.values, own.parameters.slots], out=values[number])
                hyper[number], rule = own.optimizer.hyper, own.optimizer.rates
                iterations[number], penalties[number] = own.iterations, penalties_of(own)
            else:
                assert self._states is not None
                values[number] = self._states[number, : count + slots]
                hyper[number], rule = hyper_of(self._rules[number].plan())
            rates.append(rule)
        kept = penalties if penalties.any() else None
        return MemberStates(values[:, :count], values[:, count:], hyper, rates, iterations, kept)

    def take(self, numbers: Sequence[int], states: MemberStates) -> None:
        """Have these members be as training has left them; a row of the states is one of theirs."""
        for number, values, slots, iterations in zip(numbers, *states[:2], states.iterations, strict=True):
            if (model := self.made.get(number)) is None:
                assert self._states is not None
                self._states[number, : len(values)] = values
                self._states[number, len(values) : len(values) + len(slots)] = slots
                self._steps[number] = iterations
                continue
            engine = model._engine
            assert engine is not None
            with engine.busy:
                engine.parameters.set_values(values)
                engine.parameters.slots[:] = slots
                engine.iterations = int(iterations)

    def note(self, histories: Mapping[int, History]) -> None:
        """Keep the histories of a fit."""
        for number, history in histories.items():
            if (model := self.made.get(number)) is not None:
                history.model, model.history = model, history
            else:
                self._histories[number] = history
