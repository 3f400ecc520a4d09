"""What fit returns: the scores of each epoch."""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from itertools import starmap
from typing import Any, ClassVar

import numpy as np

from fastnn.files.schema import COUNT, NUMBER, Each
from fastnn.notebook import table
from .base import Callback, Logs, format_score


class History(Callback):
    """What `Sequential.fit` returns.

    Attributes
    ----------
    history : dict of str to list of float
        The loss and each metric, a value an epoch.
    epoch : list of int
        The epochs of these values, counted from 0.
    seconds : list of float
        How long the steps of each epoch took, without validation and callbacks.  Where several epochs are one compiled
        call, of about 50 ms, its time is divided among them in proportion to their steps.
    samples : int
        How many rows an epoch has.
    interrupted : bool
        Whether Ctrl-C ended training.
    model : Sequential or None
        The model that was trained, as long as somebody else has it.

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn
    >>> x = np.linspace(-1, 1, 64).reshape(-1, 1)
    >>> model = fastnn.Sequential([fastnn.layers.Dense(1)], seed=0)
    >>> model.compile("adam", "mse")
    >>> history = model.fit(x, x, epochs=3, validation_split=0.25, verbose=0)
    >>> history.epoch, sorted(history.history)
    ([0, 1, 2], ['loss', 'val_loss'])
    """

    _state: ClassVar[Mapping[str, Any]] = {
        "history": Each(dict, list),
        "epoch": Each(list, COUNT),
        "seconds": Each(list, NUMBER),
        "samples": COUNT,
    }

    def __init__(self) -> None:
        super().__init__()
        self._model: weakref.ref[Any] | None = None
        self.history: dict[str, list[float]] = {}
        self.epoch: list[int] = []
        self.seconds: list[float] = []
        self.samples = 0
        self.interrupted = False

    @property
    def model(self) -> Any:
        """The model that was trained; None once nobody else has it."""
        return None if self._model is None else self._model()

    @model.setter
    def model(self, model: Any) -> None:
        self._model = None if model is None else weakref.ref(model)  # for the model has its history

    def __getstate__(self) -> dict[str, Any]:
        """Copies are of the scores, and not of the model."""
        return {**vars(self), "_model": None}

    @property
    def samples_per_second(self) -> list[float]:
        """How many rows a second were trained on, in each epoch."""
        return [self.samples / seconds if seconds else float("inf") for seconds in self.seconds]

    def __repr__(self) -> str:
        last = ", ".join(f"{name} {format_score(value)}" for name, value in self._last().items())
        return f"History({len(self.epoch)} epochs{': ' * bool(last)}{last})"

    def _repr_html_(self) -> str:
        """A table of the scores, for notebooks."""
        columns = ("", "first epoch", "last epoch", "lowest", "highest")
        rows: list[list[Any]] = []
        for name, values in self.history.items():
            if values and np.ndim(values[0]):  # of a metric that is a number an output
                rows.append([name, *(format_score(value) for value in (values[0], values[-1])), "", ""])
            elif values:
                rows.append([name, values[0], values[-1], min(values), max(values)])
        return table(f"{len(self.epoch)} epochs", columns, rows)

    def _last(self) -> dict[str, float]:
        return {name: values[-1] for name, values in self.history.items() if values}

    def plot(self, ax: Any = None, metric: str | Sequence[str] = "loss") -> Any:
        """Draw metrics over the epochs: those of training as solid lines, those of validation as dashed ones.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Where to draw.  Default: a new figure.
        metric : str or list of str
            Names in ``history``, without "val_".

        Returns
        -------
        matplotlib.axes.Axes
            The y axis is logarithmic if there is a single metric, its values are positive, and the largest is more than
            50 times the smallest.

        Raises
        ------
        ValueError
            There is no epoch, or no such metric.
        """
        from fastnn import plot  # here, for few draw

        return plot.history(self, ax, metric)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        extend(self.additions([epoch], {name: [value] for name, value in (logs or {}).items()}))

    def additions(self, epochs: Iterable[int], logs: Mapping[str, list[float]]) -> list[Addition]:
        """Which lists get what, for some epochs and their scores."""
        scores = [(self.history.setdefault(name, []), values) for name, values in logs.items()]
        return [(self.epoch, list(epochs)), *scores]


Addition = tuple[list[Any], list[Any]]
"""A list, and what is to be appended to it."""


def extend(additions: Iterable[Addition]) -> None:
    """Extend several lists, all or none: by one call of compiled code, within which no Ctrl-C is handled."""
    deque(starmap(list.extend, list(additions)), maxlen=0)
