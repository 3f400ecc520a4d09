"""The base of all metrics, the mean of a value a row, and metrics made of functions and of losses."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike

from fastnn.losses import Loss
from fastnn.names import Configurable, CustomObject, deserialize, serialize, snake_case
from fastnn.typing import Array


class Metric(Configurable):
    """Base of all metrics: of targets and outputs that come a batch at a time, by themselves or of a model.

    A derived class of your own has ``update_state(y_true, y_pred, sample_weight=None)``, in NumPy, which adds to its
    state, and ``result()``.  Its state is what `add_weight` makes.  Two updates must be worth one with the rows of
    both, unless ``by_batch`` is set: then it is called for each batch.

    Parameters
    ----------
    name : str, optional
        Its key in the history; default: the class's, as Keras writes it.
    """

    row: ClassVar[str] = ""  # the name of its formula in the table of losses, if sums over rows make it
    root = False  # whether the square root of the mean is taken
    direction: ClassVar[str] = ""  # "up" where larger is better, "down" where smaller is
    sparse = False  # whether targets are class numbers
    by_batch = False  # whether it depends on how rows are divided into batches

    def __init__(self, name: str | None = None) -> None:
        if name is not None and not (isinstance(name, str) and name):
            raise TypeError(f"name got {name!r}; wants a string")
        self.name = name or snake_case(type(self).__name__)
        self._named_by_class = name is None
        self._variables: list[Variable] = []
        self._totals: dict[str, Any] = {}

    @property
    def compiled_row(self) -> str:
        """The formula by which the compiled run makes the metric; "" where NumPy makes it of the outputs."""
        return self.row if type(self).__module__ == "fastnn.metrics" else ""

    def update_state(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> None:
        """Add some rows: targets and outputs (rows, outputs), and a weight each, 1 where nothing is said."""
        raise NotImplementedError(f"{type(self).__name__} has no method update_state(y_true, y_pred, sample_weight)")

    def result(self) -> Any:
        """The metric of all rows since the state was reset."""
        raise NotImplementedError(f"{type(self).__name__} has no method result()")

    def reset_state(self) -> None:
        """Forget all rows."""
        self._totals = {}
        for variable in self._variables:
            variable[...] = 0

    def __call__(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> Any:
        """Add some rows, and return the metric of all."""
        self.update_state(y_true, y_pred, sample_weight)
        return self.result()

    def add_weight(self, shape: tuple[int, ...] = (), initializer: Any = None, name: str | None = None) -> Variable:
        """A variable of the state, which is 0 at first, as any ``initializer`` of a metric's state must be."""
        if initializer not in (None, "zeros", "Zeros"):
            raise ValueError(f"initializer got {initializer!r}; wants 'zeros', for a metric's state begins with 0")
        variable = np.zeros(shape).view(Variable)
        self._variables.append(variable)
        return variable

    add_variable = add_weight

    def _add(self, name: str, value: Any) -> None:
        """Add to one of the totals that `_total` returns."""
        self._totals[name] = self._totals.get(name, 0.0) + value

    def _total(self, name: str) -> Any:
        """What has been added by this name; 0 at first."""
        return self._totals.get(name, 0.0)

    @classmethod
    def _arguments(cls) -> list[str]:
        parameters = inspect.signature(cls).parameters.values()
        return [parameter.name for parameter in parameters if parameter.kind is not parameter.VAR_KEYWORD]

    def fresh(self, name: str | None = None) -> Self:
        """A copy without any rows, which may have another name."""
        made = copy.deepcopy(self)
        made.reset_state()
        vars(made).pop("_held", None)
        if name is not None:
            vars(made)["name"] = name
        return made


class Variable(np.ndarray[Any, np.dtype[Any]]):
    """A part of a metric's state: an array with Keras's methods."""

    def assign(self, value: ArrayLike) -> Variable:
        """Set it."""
        self[...] = value
        return self

    def assign_add(self, value: ArrayLike) -> Variable:
        """Add to it."""
        self[...] += value
        return self

    def assign_sub(self, value: ArrayLike) -> Variable:
        """Subtract from it."""
        self[...] -= value
        return self

    def numpy(self) -> Array:
        """A copy of its value."""
        return np.array(self)

    @property
    def value(self) -> Array:
        """A copy of its value."""
        return np.array(self)


class Mean(Metric):
    """The mean of some values, weighted: sum(w v) / sum(w).

    Parameters
    ----------
    name : str

    Examples
    --------
    >>> import fastnn
    >>> metric = fastnn.metrics.Mean()
    >>> metric.update_state([1.0, 2.0, 6.0])
    >>> round(float(metric.result()), 4)
    3.0
    """

    def __init__(self, name: str | None = "mean") -> None:
        super().__init__(name)

    def update_state(self, values: ArrayLike, sample_weight: ArrayLike | None = None) -> None:  # type: ignore[override]
        """Add values, a row each or one for all; columns are averaged first."""
        found: Array = np.asarray(values, np.float64)
        if sample_weight is None:
            found = found.reshape(len(found), -1).mean(axis=1) if found.ndim > 1 else found
            self._add("sum", found.sum())
            self._add("count", len(found) if found.ndim else 1)
            return
        weight: Array = np.asarray(sample_weight, np.float64)
        if weight.ndim > found.ndim == 0:
            raise ValueError(
                f"{self.name} got weights of rows for one value of a batch; wants a value a row, or no weights"
            )
        if weight.ndim == found.ndim + 1 and weight.shape[-1] == 1:
            weight = weight[..., 0]
        if found.ndim > 1 and weight.ndim == 1:
            found = found.reshape(len(found), -1).mean(axis=1)
        weight = np.broadcast_to(weight, found.shape)
        if found.ndim > 1:  # as in Keras: both are averaged over the columns
            found, weight = (found * weight).mean(axis=1), weight.mean(axis=1)
            self._add("sum", found.sum())
        else:
            self._add("sum", (found * weight).sum())
        self._add("count", weight.sum())

    def __call__(self, values: ArrayLike, sample_weight: ArrayLike | None = None) -> Any:  # type: ignore[override]
        """Add values, and return the mean of all."""
        self.update_state(values, sample_weight)
        return self.result()

    def result(self) -> float:
        """The mean; 0 of nothing."""
        count = self._total("count")
        mean = float(self._total("sum") / count) if count else 0.0
        return float(np.sqrt(mean)) if self.root else mean


class Sum(Mean):
    """The sum of some values, weighted.

    Parameters
    ----------
    name : str

    Examples
    --------
    >>> import fastnn
    >>> metric = fastnn.metrics.Sum()
    >>> metric.update_state([1.0, 2.0, 6.0])
    >>> round(float(metric.result()), 4)
    9.0
    """

    def __init__(self, name: str | None = "sum") -> None:
        super().__init__(name)

    def update_state(self, values: ArrayLike, sample_weight: ArrayLike | None = None) -> None:  # type: ignore[override]
        """Add values, times their weights."""
        weight = 1.0 if sample_weight is None else np.asarray(sample_weight, np.float64)
        self._add("sum", (np.asarray(values, np.float64) * weight).sum())

    def result(self) -> float:
        """The sum."""
        return float(self._total("sum"))


class MeanOfRows(Mean):
    """Base of the metrics that are a mean of a value a row, or an output."""

    def values(self, y_true: ArrayLike, y_pred: ArrayLike) -> ArrayLike:
        """A value a row, (rows,), an output, (rows, outputs), or one for all rows."""
        raise NotImplementedError

    def update_state(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> None:  # type: ignore[override]
        """Add some rows: targets and outputs (rows, outputs), and a weight each, 1 where nothing is said."""
        super().update_state(self.values(y_true, y_pred), sample_weight)

    def __call__(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> Any:  # type: ignore[override]
        """Add some rows, and return the metric of all."""
        self.update_state(y_true, y_pred, sample_weight)
        return self.result()


class MeanMetricWrapper(CustomObject, MeanOfRows):
    """The mean of what a function of your own returns: ``fn(y_true, y_pred)``, in NumPy.

    It is called for each batch, and returns a value a row, or one for the batch, which counts as one row then, as in
    Keras.  A file holds only its name: `load_model(path, custom_objects={name: fn})`.

    Parameters
    ----------
    fn : callable
    name : str, optional
        Default: that of fn.
    """

    what = "metrics"
    by_batch = True

    def __init__(self, fn: Callable[..., Any], name: str | None = None) -> None:
        if not callable(fn):
            raise TypeError(f"fn got {fn!r}; wants a function of y_true and y_pred")
        MeanOfRows.__init__(self, name or str(getattr(fn, "__name__", type(fn).__name__)))
        CustomObject.__init__(self, name, fn)

    def values(self, y_true: ArrayLike, y_pred: ArrayLike) -> ArrayLike:
        found: Array = np.asarray(self.functions[0](y_true, y_pred))
        if found.dtype.kind not in "biuf":
            raise TypeError(f"metrics got {self.name!r}, which returned {found.dtype}; wants numbers")
        if found.ndim and len(found) != len(np.asarray(y_pred)):
            raise ValueError(
                f"metrics got {self.name!r}, which returned shape {found.shape} for {len(np.asarray(y_pred))} rows; "
                "wants a number, or one a row"
            )
        return found


class LossMetric(MeanOfRows):
    """A loss as a metric: of a loss object the mean over batches of what it returns for each, as in Keras.

    Parameters
    ----------
    loss : Loss
    name : str, optional
        Default: the loss's.
    by_row : bool
        The mean over rows, as of a loss that is asked for by its name.
    """

    direction = "down"

    def __init__(self, loss: Loss | Mapping[str, Any], name: str | None = None, by_row: bool = False) -> None:
        self.loss: Loss = loss if isinstance(loss, Loss) else deserialize(loss, Loss, "loss")
        self.sparse = bool(getattr(self.loss, "labels", False))
        self.by_row, self.by_batch = by_row, not by_row
        super().__init__(name or self.loss.name)

    def get_config(self) -> dict[str, Any]:
        """The loss, described, and the other arguments."""
        return {"loss": serialize(self.loss), "name": self.name, "by_row": self.by_row}

    def values(self, y_true: ArrayLike, y_pred: ArrayLike) -> ArrayLike:
        return self.loss.call(y_true, y_pred) if self.by_row else self.loss(y_true, y_pred)
