"""Networks that are accurate on tables without tuning: RealMLP-TD-S."""

from __future__ import annotations

from typing import Any, NamedTuple, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import check_consistent_length, check_random_state, column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_array, check_is_fitted

from fastnn.data import positive_integer
from fastnn.distribution import DataParallel
from fastnn.losses import MeanSquaredError, SparseCategoricalCrossentropy
from fastnn.typing import Array
from .columns import TableEncoder
from .ensemble import FEW_ROWS, Ensemble, Rows, Task
from .network import thread_limit
from .parameters import set_parameters
from .reading import Column, columns_of
from .recipe import recipe_for
from .refusals import all_or_nothing
from .sharing import Sharing

OF_A_RANK = {"distribution", "threads", "verbose", "random_state"}
"""Parameters that need not be the same on all ranks: the first one's random numbers count."""


class Given(NamedTuple):
    """What fit was given."""

    table: list[Column]
    targets: Array
    weight: Array | None
    task: Task
    validation: tuple[Any, Array] | None  # X_val and its targets
    seeds: list[int]  # of the members
    threads: int | None


class BaseTabular(BaseEstimator):  # type: ignore[misc]
    """What the classifier and the regressor share: columns and weights, the ensemble, its mean prediction."""

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = tags.input_tags.categorical = tags.input_tags.string = True
        return tags

    def _counted(self, X: Any, y: Array, sample_weight: Any) -> tuple[list[Column], Array, Array | None]:
        """Columns, y and weights of the rows that count; few rows of whole weights become as many copies.

        Weights below 1 on average are raised to that: they say what counts more, not how many rows there are.
        """
        table = list(columns_of(self, X, reset=True))
        check_consistent_length(table[0].values, y)
        if sample_weight is None:
            return table, y, None
        weight: Array | None = _check_sample_weight(sample_weight, y, ensure_non_negative=True)
        assert weight is not None
        if not weight.any():
            raise ValueError("sample_weight got zeros only; wants a weight above 0")
        if weight.sum() <= FEW_ROWS and (weight == np.floor(weight)).all():
            kept, weight = np.repeat(np.arange(len(y)), weight.astype(np.intp)), None
        else:
            kept = np.flatnonzero(weight)
            weight = weight[kept] * max(1.0, 1 / weight[kept].mean())
        return [column._replace(values=column.values[kept]) for column in table], y[kept], weight

    @all_or_nothing
    def fit(self, X: Any, y: Any, sample_weight: Any = None, X_val: Any = None, y_val: Any = None) -> Self:
        """Train.

        Parameters
        ----------
        X : (rows, columns) data frame or array
        y : (rows,) array-like of labels; for a regressor of numbers, also (rows, outputs)
        sample_weight : (rows,) array-like, optional
            A row of weight k counts as k rows in all that is learned: medians, bins, frequent categories, the loss.
            Rows of weight 0 are left out.  Whole weights of up to 100 in all give exactly what as many copies give;
            beyond, rows are held out and visited once an epoch whatever their weights.
        X_val, y_val : optional
            Rows to choose the end of a cycle by, instead of held-out ones.
        """
        with Sharing(self.distribution) as shared:
            given = shared.together(lambda: self._given(X, y, sample_weight, X_val, y_val))
            settings = TableEncoder(self.n_bins, self.max_categories, self.text_components)
            encoder, x = shared.encoded(settings, given.table, given.weight)
            ensemble = shared.together(lambda: self._ensemble(given, encoder, x, shared))
            parameters = self.get_params(deep=False).items()
            alike = {name: value for name, value in parameters if name not in OF_A_RANK}
            shared.agree(alike, [*ensemble.rows, *(ensemble.validation or (None, None))[:2]])
            shared.forget_warnings()
            done = ensemble.fit(shared.from_first(given.seeds), shared.threads(given.threads))
        self.encoder_ = encoder
        self.interrupted_ = ensemble.stopped
        self.models_ = [member.model for member in done]
        self.best_epochs_ = [member.best_epoch for member in done]
        self.loss_curves_ = [member.losses for member in done]
        self.validation_curves_ = [member.scores for member in done]
        return self

    def _given(self, X: Any, y: Any, sample_weight: Any, X_val: Any, y_val: Any) -> Given:
        """What fit was given, checked; and what the networks are to learn of it."""
        table, y, weight = self._counted(X, self._checked(y, "y"), sample_weight)
        task = self._task(y, weight, X_val is not None)
        targets, validation = self._targets(y), None
        if X_val is not None:
            validation = X_val, self._targets(self._checked(y_val, "y_val"))
        members = positive_integer(self.n_ensemble, "n_ensemble")
        limit = thread_limit(self.threads if self.threads is None else positive_integer(self.threads, "threads"))
        seeds = check_random_state(self.random_state).randint(np.iinfo(np.int32).max, size=members)
        return Given(table, targets, weight, task, validation, seeds.tolist(), limit)

    def _ensemble(self, given: Given, encoder: TableEncoder, x: Array, shared: Sharing) -> Ensemble:
        """The ensemble for rows that are encoded in x."""
        targets, weight = given.targets, given.weight
        if weight is not None:
            weight = weight / weight.mean()
        if len(x) <= FEW_ROWS:
            order = np.lexsort(np.column_stack([x, targets]).T)
            x, targets, weight = x[order], targets[order], None if weight is None else weight[order]
        validation: Rows | None = None
        if given.validation is not None:
            X_val, targets_val = given.validation
            validation = encoder.transform(columns_of(self, X_val, reset=False)), targets_val, None
            check_consistent_length(validation[0], targets_val)
        recipe = recipe_for(self, len(x), len(given.seeds))
        return Ensemble(self, recipe, given.task, (x, targets, weight), validation, shared)

    def _checked(self, y: Any, name: str) -> Array:
        """y as scikit-learn validates it."""
        if y is None:
            raise ValueError(f"{type(self).__name__} requires y to be passed, but the target {name} is None")
        y = check_array(y, ensure_2d=False, dtype=np.float64, input_name=name, estimator=self)
        return np.asarray(column_or_1d(y, warn=True) if y.ndim == 2 and y.shape[1] == 1 else y)

    def _task(self, y: Array, weight: Array | None, given: bool) -> Task:
        """Learn from y what `_targets` needs, and say what is trained for; ``given``: X_val is given."""
        raise NotImplementedError

    def _targets(self, y: Array) -> Array:
        """What the networks learn: (rows,) numbers of classes, or (rows, outputs)."""
        raise NotImplementedError

    def _mean_prediction(self, X: Any) -> Array:
        """The mean of what the members predict, (rows, outputs)."""
        check_is_fitted(self)
        x = self.encoder_.transform(columns_of(self, X, reset=False))
        return np.asarray(np.mean([model.predict(x) for model in self.models_], axis=0, dtype=np.float64))


class TabularClassifier(ClassifierMixin, BaseTabular):  # type: ignore[misc]
    """A classifier for tables with good defaults: bagged networks after RealMLP-TD-S, with numbers cut into bins.

    ``fit(X, y)`` takes a data frame as it is: numbers, text, categories, booleans and dates, with values missing.
    Inputs are scaled robustly, drawn nearer where they are far out, and multiplied by learned weights; three layers of
    selu units are trained with smoothed labels, by Adam (beta_2 0.95) at a rate that goes up and down, in cycles that
    double.  Four such networks, each of which holds out another quarter of the rows, are averaged; they are kept as
    they were at the end of the cycle whose networks do best on what they held out, by the log loss.  Training ends
    where a cycle has brought less than ``tol``.

    After Holzmueller, Grinsztajn and Steinwart, "Better by Default", NeurIPS 2024.  What differs, and why:

    - Four networks of up to 64 epochs instead of one of 256.  More epochs are no better on California housing and
      adult, where the best epochs come early, but an average is.
    - Training ends where a cycle brings little, which is mostly after 14 or 31 epochs.  Up to 10,000 rows there are
      five cycles instead of four: with few rows networks may be at their best after 2 or 6 epochs.
    - One end of a cycle is chosen for all networks, by all rows, instead of the epoch that has the best accuracy on
      some of them: with few rows that is chance.
    - Of up to 10,000 rows an epoch has some 16 steps, as long as a batch has 32 rows at least, and layers have 128
      units.
    - Scaled values are drawn nearer, not clipped: few rows far out may say the most.
    - ``n_bins`` columns more for each column of numbers, and ``dropout``: without these, trees are better where a
      number's effect has steps, as incomes' and coordinates' have.  (Their larger RealMLP-TD learns periodic
      embeddings to that end, and drops out too.)
    - Numbers that are missing, dates, and texts of many values: their data sets have none.
    - Medians, quartiles and categories are those of all rows, for the networks hold out different ones.
    - An epoch's batches are equal, as far as can be; they leave out what is left of an epoch.
    - The NTK parametrisation is had by factors of initial weights and of learning rates: with Adam that is the same,
      but for the epsilon.

    Parameters
    ----------
    hidden_layer_sizes : sequence of int, or int, or "auto"
        "auto": three layers of 128 units, or, for more than 10,000 rows, of 256.
    activation : str
        Of the hidden layers.
    learning_rate : float
        The highest; it goes up and down in cycles, each twice as long as the one before: five, or, for more than 10,000
        rows, four.
    epochs : int
        At most; the schedule ends with the last one.
    tol : float or None
        The last two cycles, three quarters of the epochs, are left out after one in which the error on held-out rows
        (the log loss, the mean squared error) has not fallen by this part.  While it is not below that of predicting
        the mean by this part, they are left out only if it has risen by it.  None: all epochs are trained, as without
        held-out rows.
    batch_size : int or "auto"
        "auto": a sixteenth of the rows, rounded to a power of two, from 32 to 256.
    label_smoothing : float
        From 0 to below 1.  0.1 is for accuracy; for probabilities that are to be believed, 0 or calibration.
    validation_fraction : float or "auto"
        Of the rows, whatever their weights, that each network holds out: other ones than the networks before it, as
        long as there are some.  0: none, and the last epoch is kept.  Of up to 100 rows, equal ones are held out
        together.  "auto": as much as lets each row be held out once, from a tenth to a quarter.
    n_ensemble : int
        As many networks, of other seeds and held-out rows, whose predictions are averaged; they are trained side by
        side on the processors.
    dropout : float
        Behind each hidden layer; from 0 to below 1.
    n_bins : int
        Columns more for each column of numbers, which go up within a bin each.  At most: there is no more than one
        for 100 rows, nor are there more than 1000 in all; fewer than 8 would be none.  0: none.
    max_categories : int
        Columns that a column of categories becomes, at most; the rarest ones share the last.
    text_components : int
        Where there are more categories, as many principal components of their n-grams are added; 0: none.
    backend : {"auto", "numba", "cython", "numpy"}
    threads : int, optional
        How many processors to use; None: those that pay, one where joblib runs fits on threads side by side.
        Results do not depend on it.
    verbose : {0, 1, 2}
        1 a live bar, 2 a line an epoch, of the first network.
    random_state : int, RandomState instance or None
    distribution : DataParallel, optional
        The ranks of MPI have the networks between them, and all end with the same estimator, to the bit the one of one
        process: see docs/distributed.md.  ``threads`` are each rank's then; None: its share of the processors.  Of the
        plan's settings ``timeout`` counts; ``parts`` and ``deterministic`` are of batches, which nobody shares here.

    Attributes
    ----------
    classes_ : ndarray
    models_ : list of Sequential
        The networks, on encoded inputs.
    best_epochs_ : list of int
        The epoch of each network that is kept, from 1.
    interrupted_ : bool
        Whether Ctrl-C ended training.
    loss_curves_, validation_curves_ : list of list of float
        For each network and epoch the loss, and the accuracy on the held-out rows; if these have weights, their loss.
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Where the columns of X have names.

    Examples
    --------
    >>> import pandas as pd
    >>> from fastnn.sklearn import TabularClassifier
    >>> table = pd.DataFrame({"size": [1.0, None, 3.0, 8.0] * 25, "colour": ["red", "blue", None, "red"] * 25})
    >>> model = TabularClassifier(random_state=0).fit(table, ["no", "no", "no", "yes"] * 25)
    >>> model.predict(pd.DataFrame({"size": [9.0], "colour": ["green"]}))
    array(['yes'], dtype='<U3')
    """

    def __init__(
        self,
        hidden_layer_sizes: Any = "auto",
        activation: str = "selu",
        *,
        learning_rate: float = 0.04,
        epochs: int = 64,
        tol: float | None = 0.02,
        batch_size: int | str = "auto",
        label_smoothing: float = 0.1,
        validation_fraction: float | str = "auto",
        n_ensemble: int = 4,
        dropout: float = 0.15,
        n_bins: int = 48,
        max_categories: int = 100,
        text_components: int = 30,
        backend: str = "auto",
        threads: int | None = None,
        verbose: int = 0,
        random_state: Any = None,
        distribution: DataParallel | None = None,
    ) -> None:
        set_parameters(self, locals())

    def _checked(self, y: Any, name: str) -> Array:
        if y is None:
            return super()._checked(y, name)
        y = column_or_1d(y, warn=True)
        check_array(y, ensure_2d=False, dtype=None, input_name=name, estimator=self)
        check_classification_targets(y)
        return np.asarray(y)

    def _task(self, y: Array, weight: Array | None, given: bool) -> Task:
        self.classes_ = np.unique(y)
        if len(self.classes_) == 1:
            raise ValueError(f"y has one class, {self.classes_[0]!r}; wants at least two classes")
        loss = SparseCategoricalCrossentropy(label_smoothing=self.label_smoothing)
        accuracy = weight is None or given  # weights count in the loss alone
        return Task(len(self.classes_), "softmax", loss, ["accuracy"], "val_accuracy" if accuracy else "val_loss")

    def _targets(self, y: Array) -> Array:
        if not np.isin(y, self.classes_).all():
            raise ValueError(f"y_val got labels that y has not: {sorted(set(y) - set(self.classes_))}")
        return np.searchsorted(self.classes_, y)

    def predict_proba(self, X: Any) -> Array:
        """The probability of each class, (rows, classes)."""
        p = self._mean_prediction(X)
        p /= p.sum(axis=1, keepdims=True)
        return p

    def predict(self, X: Any) -> Array:
        """The most probable class of each row, (rows,)."""
        p = self._mean_prediction(X)
        return np.asarray(self.classes_[p.argmax(axis=1)])


class TabularRegressor(RegressorMixin, BaseTabular):  # type: ignore[misc]
    """A regressor for tables with good defaults: bagged networks after RealMLP-TD-S, with numbers cut into bins.

    ``fit(X, y)`` takes a data frame as it is.  Three layers of mish units are trained for the squared error of
    standardised y, which chooses the end of a cycle as well.  See `TabularClassifier` for all else, and what differs
    from the paper.

    Parameters
    ----------
    hidden_layer_sizes, activation, learning_rate, epochs, tol, batch_size, validation_fraction, n_ensemble
    dropout, n_bins, max_categories, text_components, backend, threads, verbose, random_state
    distribution
        As of `TabularClassifier`.

    Attributes
    ----------
    models_ : list of Sequential
        The networks, from encoded inputs to standardised outputs.
    best_epochs_ : list of int
        From 1.
    interrupted_ : bool
    loss_curves_, validation_curves_ : list of list of float
        For each network and epoch the mean squared error of standardised y, in training and on the held-out rows.
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Where the columns of X have names.

    Examples
    --------
    >>> import pandas as pd
    >>> from fastnn.sklearn import TabularRegressor
    >>> table = pd.DataFrame({"size": [1.0, None, 3.0, 8.0] * 25, "colour": ["red", "blue", None, "red"] * 25})
    >>> model = TabularRegressor(epochs=30, random_state=0).fit(table, [1.0, 2.0, 3.0, 8.0] * 25)
    >>> model.predict(table).shape
    (100,)
    """

    def __init__(
        self,
        hidden_layer_sizes: Any = "auto",
        activation: str = "mish",
        *,
        learning_rate: float = 0.07,
        epochs: int = 64,
        tol: float | None = 0.02,
        batch_size: int | str = "auto",
        validation_fraction: float | str = "auto",
        n_ensemble: int = 4,
        dropout: float = 0.15,
        n_bins: int = 48,
        max_categories: int = 100,
        text_components: int = 30,
        backend: str = "auto",
        threads: int | None = None,
        verbose: int = 0,
        random_state: Any = None,
        distribution: DataParallel | None = None,
    ) -> None:
        set_parameters(self, locals())

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def _task(self, y: Array, weight: Array | None, given: bool) -> Task:
        self._flat = y.ndim == 1
        values = y.reshape(len(y), -1)
        self._mean = np.average(values, axis=0, weights=weight)
        deviation = np.sqrt(np.average(np.square(values - self._mean), axis=0, weights=weight))
        self._deviation = np.where(deviation > 0, deviation, 1.0)
        return Task(values.shape[1], "linear", MeanSquaredError(), [], "val_loss")

    def _targets(self, y: Array) -> Array:
        return np.asarray((y.reshape(-1, len(self._mean)) - self._mean) / self._deviation, np.float32)

    def predict(self, X: Any) -> Array:
        """The expected y of each row, (rows,) or (rows, outputs)."""
        y = self._mean_prediction(X) * self._deviation + self._mean
        return np.asarray(y[:, 0] if self._flat else y)
