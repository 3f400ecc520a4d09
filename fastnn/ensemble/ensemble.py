"""Ensemble: many networks of one structure, each with weights of its own."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, overload

import numpy as np

from fastnn import data, losses, optimizers
from fastnn.callbacks import History
from fastnn.errors import ModelFileError
from fastnn.files import model_file
from fastnn.models import Sequential, clone_model, saving
from fastnn.typing import Array
from . import constants as of_members
from . import lanes
from .history import EnsembleHistory
from .members import Members
from .side_by_side import side_by_side

FILES = ("backup_dir", "filepath", "filename", "log_dir")  # what a callback that writes is told of its files


class Divided(NamedTuple):
    """x, y and sample_weight, and which of them have the members as their first dimension."""

    arrays: list[Any]
    each: list[bool]

    def of(self, member: int) -> list[Any]:
        """A member's own."""
        return [array[member] if each else array for array, each in zip(*self, strict=True)]


class Ensemble:
    """Many networks of the same structure, each with its own weights, trained side by side.

    Parameters
    ----------
    model : Sequential
        What the members are like; it is left as it is.
    members : int
    seed : int
        Of the members' weights, shuffling and noise; a member's numbers follow from it and from the member's own.

    Attributes
    ----------
    history : EnsembleHistory or None
        Of the last fit.

    Examples
    --------
    >>> import numpy as np
    >>> from fastnn import Ensemble, Sequential
    >>> from fastnn.layers import Dense, Input
    >>> ensemble = Ensemble(Sequential([Input((1,)), Dense(8, "tanh"), Dense(1)]), members=5)
    >>> ensemble.compile("adam", "mse", learning_rate=np.geomspace(0.001, 0.1, 5))
    >>> x = np.linspace(-1, 1, 64)[:, np.newaxis]
    >>> history = ensemble.fit(x, x**2, epochs=5, bootstrap=True)
    >>> history.history["loss"].shape, ensemble.predict(x).shape
    ((5, 5), (5, 64, 1))
    >>> mean, spread = ensemble.predict_mean_std(x)
    """

    def __init__(self, model: Sequential, members: int, seed: int = 0) -> None:
        if not isinstance(model, Sequential):
            raise TypeError(f"model got {type(model).__name__}; wants a Sequential")
        count = data.positive_integer(members, "members")
        data.positive_integer(seed, "seed", least=0)
        self._members = Members.like(model, count, seed)
        self._threads: int | None = None
        self.history: EnsembleHistory | None = None

    @classmethod
    def _of(cls, members: Sequence[Sequential], threads: int | None) -> Ensemble:
        found = object.__new__(cls)
        found._members, found._threads, found.history = Members.of(members), threads, None
        return found

    # --- Members ---

    def __len__(self) -> int:
        return len(self._members)

    def __iter__(self) -> Iterator[Sequential]:
        return iter(self._members)

    @overload
    def __getitem__(self, which: int) -> Sequential: ...
    @overload
    def __getitem__(self, which: slice) -> Ensemble: ...
    def __getitem__(self, which: int | slice) -> Sequential | Ensemble:
        """A member, or an ensemble of some: they are the same networks, not copies."""
        if isinstance(which, slice):
            if not (chosen := [self._members[number] for number in range(len(self))[which]]):
                raise IndexError(f"ensemble got {which}, which is no member of {len(self)}")
            return self._of(chosen, self._threads)
        return self._members[which]

    def copy(self, source: int, target: int) -> None:
        """Give one member the weights of another, as in population-based training; its optimizer's state stays."""
        self._members[target].set_weights(self._members[source].get_weights())

    def best(self, monitor: str = "val_loss", mode: str = "auto") -> Sequential:
        """The member whose last value of a score is best; "auto": the least of a loss or an error, else the largest."""
        if self.history is None:
            raise RuntimeError("best wants a history: call fit first")
        if mode not in ("auto", "min", "max"):
            raise ValueError(f"mode got {mode!r}; wants 'auto', 'min' or 'max'")
        values = self.history.last(monitor)
        if mode == "auto":
            mode = "min" if monitor.endswith(("loss", "error", "mse", "mae")) else "max"
        if np.isnan(values).all():
            raise ValueError(f"monitor got {monitor!r}, which is NaN in all members")
        return self._members[int(np.nanargmin(values) if mode == "min" else np.nanargmax(values))]

    # --- Training ---

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        metrics: Any = None,
        *,
        dtype: str = "float32",
        backend: str = "auto",
        threads: int | None = None,
        **constants: Any,
    ) -> None:
        """Say what the members are to be trained for.

        Parameters
        ----------
        optimizer, loss, metrics, dtype, backend
            As in `Sequential.compile`; each member has copies.
        threads : int, optional
            How many members are at work at a time, a thread each; None: as many as there are processors.
        **constants
            A number, or a sequence of one a member: the optimizer's (``learning_rate``, a number or a schedule,
            ``momentum``, ``clipnorm``, ...), the loss's (``label_smoothing``, ``delta``, ...), ``l1`` and ``l2`` of
            every Dense layer's kernel, ``dropout``, the rate of every layer of dropout.

        Raises
        ------
        TypeError, ValueError
            Before anything is changed: a constant that there is not, or of another number than members.
        """
        made, aim = optimizers.get(optimizer), None if loss is None else losses.get(loss)
        each = of_members.of_members(constants, len(self), made, aim)
        rules = [of_members.with_constants(made, own) for own in each]
        goals = [None if aim is None else of_members.with_constants(aim, own) for own in each]
        if not constants.keys().isdisjoint(of_members.OF_LAYERS):  # raises before anything is changed
            for own in each:
                of_members.set_on_layers(clone_model(self._members.pattern), own)
        if not of_members.alike(constants, made):
            list(self._members)
        options: dict[str, Any] = {"dtype": dtype, "backend": backend, "threads": 1 if len(self) > 1 else None}
        self._members.compile(rules, goals[0], each[0], metrics=copy.deepcopy(metrics), **options)
        for number, member in self._members.made.items():
            of_members.set_on_layers(member, each[number])
            member.compile(rules[number], goals[number], copy.deepcopy(metrics), **options)
        self._threads = threads

    def fit(
        self,
        x: Any,
        y: Any,
        batch_size: int | None = None,
        epochs: int = 1,
        *,
        callbacks: Sequence[Any] | Callable[[int], Sequence[Any]] | None = None,
        shuffle: str | bool = "each",
        sample_weight: Any = None,
        bootstrap: bool = False,
        **options: Any,
    ) -> EnsembleHistory:
        """Train every member.

        Parameters
        ----------
        x : (rows, inputs) array-like, or (members, rows, inputs)
            For all, or for each its own.
        y : array-like
            As in `Sequential.fit`, for all; or with the members as a first dimension, where x has them.
        batch_size, epochs
            As in `Sequential.fit`.
        callbacks : list, or function of a member's number that returns one
            Each member has copies of those in a list, so that EarlyStopping stops it alone.
        shuffle : {"each", "same", False}
            Each member visits the rows in an order of its own; or all in the same, with the same noise too; or in that
            of x.
        sample_weight : (rows,) or (members, rows) array-like
        bootstrap : bool
            Each member has as many rows as there are, drawn with replacement.
        **options
            Others of `Sequential.fit`, the same for all.

        Returns
        -------
        EnsembleHistory
            Ctrl-C ends training after the epochs at hand, and returns too.
        """
        if shuffle not in ("each", "same", True, False):
            raise ValueError(f"shuffle got {shuffle!r}; wants 'each', 'same' or False")
        rows = self._divided(x, y, sample_weight)
        done: dict[int, History] = {}
        interrupted = False
        common = copy.deepcopy(self._members.generator(0))
        if sample_weight is None and lanes.known(callbacks, options):
            size, count = data.batch_size(batch_size), data.positive_integer(epochs, "epochs", least=0)
            asked = lanes.Asked(size, count, shuffle, self._threads, bootstrap, options.get("validation_data"))
            done, interrupted = self._in_lanes(rows, asked, callbacks)
        left = [number for number in range(len(self)) if number not in done]
        if left and not interrupted:
            chosen = {number: self._callbacks(callbacks, number) for number in left}
            models = {number: self._members[number] for number in left}

            def train(number: int) -> History:
                member, taken = models[number], rows.of(number)
                if bootstrap:
                    drawn = member._rng.integers(0, len(taken[0]), len(taken[0]))
                    taken = [None if array is None else array[drawn] for array in taken]
                asked = {"verbose": 0, "callbacks": chosen[number], "sample_weight": taken[2]} | options
                with _order(member, common if shuffle == "same" else None):
                    return member.fit(taken[0], taken[1], batch_size, epochs, shuffle=bool(shuffle), **asked)

            found, interrupted = side_by_side(train, left, self._threads, self._stop)
            done |= dict(zip(left, found, strict=False))
        self.history = EnsembleHistory([done.get(number, History()) for number in range(len(self))], interrupted)
        return self.history

    def _in_lanes(self, rows: Divided, asked: lanes.Asked, callbacks: Any) -> tuple[dict[int, History], bool]:
        """Train the members in the lanes of vectors, where that can be and pays; the histories of those that were."""
        self._members.pattern._check_compiled("fit")
        assert self._members.pattern.optimizer is not None
        if self._members.pattern.optimizer.full_batch or np.ndim(rows.arrays[0]) < 2 or not asked.epochs:
            return {}, False
        given = [rows.of(number)[:2] for number in (range(len(self)) if any(rows.each) else [0])]
        stopping = list(callbacks) * len(self) if callbacks else []
        size = min(asked.batch_size, len(given[0][0]))
        return lanes.fit(self._members, given, asked._replace(batch_size=size, stopping=stopping))

    def _stop(self) -> None:
        for member in self._members.made.values():
            member.stop_training = True

    def _rows(self, x: Any) -> tuple[Array, bool]:
        """x as an array, and whether it has the members as its first dimension."""
        x, shape = np.asarray(x), self._members.pattern._row_shape
        each = x.ndim == 2 + (1 if shape is None else len(shape))
        if each and len(x) != len(self):
            raise ValueError(f"x got {len(x)} members' rows; wants {len(self)}, or rows for all")
        return x, each

    def _divided(self, x: Any, y: Any, weight: Any) -> Divided:
        """x, y and weights, for all or for each."""
        x, each = self._rows(x)
        rows = x.shape[1] if each else len(x)
        y, weight = np.asarray(y), None if weight is None else np.asarray(weight)
        y_each = each and y.shape[:2] == (len(self), rows)
        weight_each = weight is not None and weight.ndim == 2
        found = Divided([x, y, weight], [each, y_each, weight_each])
        for name, array, divided in zip(("x", "y", "sample_weight"), *found, strict=True):
            if array is not None and array.shape[int(divided)] != rows:
                raise ValueError(f"{name} got {array.shape[int(divided)]} rows; wants {rows}, as x has")
            if divided and len(array) != len(self):
                raise ValueError(f"{name} got {len(array)} members' rows; wants {len(self)}, or rows for all")
        return found

    def _callbacks(self, given: Any, number: int) -> list[Any] | None:
        if given is None:
            return None
        if callable(given):
            return list(given(number))
        for each in given:
            for name in FILES:
                if hasattr(each, name):
                    raise ValueError(
                        f"callbacks got {type(each).__name__}, whose files all members would share; wants a function "
                        f"of the member: lambda member: [{type(each).__name__}(f'.../{{member}}')]"
                    )
        return [copy.deepcopy(each) for each in given]

    def train_on_batch(self, x: Any, y: Any, sample_weight: Any = None) -> Any:
        """One step of every member over all rows of x: the losses before it, (members,); with metrics several such."""
        rows = self._divided(x, y, sample_weight)
        return _by_score([member.train_on_batch(*rows.of(number)) for number, member in enumerate(self._members)])

    def evaluate(self, x: Any, y: Any, sample_weight: Any = None, *, return_dict: bool = False, **options: Any) -> Any:
        """The loss, and the metrics, of every member, (members,) each: as `Sequential.evaluate` returns them."""
        rows = self._divided(x, y, sample_weight)

        models = list(self._members)

        def measure(number: int) -> Any:
            x, y, weight = rows.of(number)
            asked = {"verbose": 0, "sample_weight": weight, "return_dict": return_dict}
            return models[number].evaluate(x, y, **asked | options)

        found, _ = side_by_side(measure, range(len(self)), self._threads)
        if return_dict:
            return {name: np.array([each[name] for each in found]) for name in found[0]}
        return _by_score(found)

    # --- Predicting ---

    def predict(self, x: Any) -> Array:
        """Every member's output, (members, rows, units), for rows (rows, inputs), or (members, rows, inputs)."""
        x, each = self._rows(x)
        in_lanes = lanes.predict(self._members, x, self._threads) if self._members.resting else None
        if in_lanes is not None:
            return in_lanes
        models = list(self._members)

        def ask(number: int) -> Array:
            return models[number].predict(x[number] if each else x)

        found, _ = side_by_side(ask, range(len(self)), self._threads)
        return np.stack(found)

    def predict_mean_std(self, x: Any) -> tuple[Array, Array]:
        """The mean over the members of what they predict, and its standard deviation, (rows, units) each."""
        found = self.predict(x)
        return found.mean(axis=0), found.std(axis=0)

    def predictor(self, rows: int = 1) -> Callable[[Any], Array]:
        """A function that predicts a fixed number of rows by every member: (members, rows, units)."""
        asked = [member.predictor(rows) for member in self._members]
        return lambda x: np.stack([predict(x) for predict in asked])

    # --- Files ---

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write all members, with their optimizers' state, to one file, whole or not at all; `load` reads it."""
        documents: list[dict[str, Any]] = []
        arrays: dict[str, Array] = {}
        for number, member in enumerate(self._members):
            member._built()
            document, own = member._contents()
            documents.append({"document": document, "arrays": list(own)})
            arrays |= {f"{number}/{name}": array for name, array in own.items()}
        model_file.save(path, {"ensemble": documents}, arrays)

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, backend: str = "auto", threads: int | None = None) -> Ensemble:
        """Read what `save` wrote: ready to predict, and to train on where it was compiled.

        Raises
        ------
        FileNotFoundError
        ModelFileError
            It is no such file, or is damaged.
        """
        document, arrays = model_file.load(path)
        return cls._of(read_members(path, document, arrays, backend), threads)

    def __repr__(self) -> str:
        return f"Ensemble({self._members.pattern!r}, members={len(self)})"


def read_members(
    path: str | os.PathLike[str], document: dict[str, Any], arrays: dict[str, Array], backend: str
) -> list[Sequential]:
    """The members that a file holds."""
    try:
        found = []
        for number, each in enumerate(document["ensemble"]):
            own = {name: arrays[f"{number}/{name}"] for name in each["arrays"]}
            found.append(saving.rebuilt(Sequential, each["document"] | {"fastnn": ""}, own, backend, 1))
        if not found:
            raise ValueError("it has no members")
    except Exception as error:
        raise ModelFileError(f"{os.fspath(path)} holds no ensemble: {error}") from error
    return found


@contextmanager
def _order(member: Sequential, common: np.random.Generator | None) -> Iterator[None]:
    """Let a member draw from a copy of another generator, if there is one, and its own go on by one number."""
    own = member._rng
    if common is None:
        yield
        return
    member._rng = copy.deepcopy(common)
    try:
        yield
    finally:
        member._rng = own
        own.integers(2**61)


def _by_score(found: list[Any]) -> Any:
    """Scores of members, a number or a list each, as an array, or a list of such."""
    array = np.array(found).T
    return list(array) if array.ndim == 2 else array
