"""Networks that are accurate on tables without tuning: RealMLP-TD-S."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.model_selection import train_test_split
from sklearn.utils import check_consistent_length, check_random_state, column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_array, check_is_fitted

from fastnn.callbacks import Callback
from fastnn.data import positive_integer, real_number
from fastnn.initializers import RandomNormal
from fastnn.layers import Dense, Dropout, Input, Layer, Scaling
from fastnn.losses import Loss, MeanSquaredError, SparseCategoricalCrossentropy
from fastnn.models import Sequential
from fastnn.optimizers import Adam
from fastnn.schedules import CosineLog
from fastnn.team import Crew, processors

from .encoding import TableEncoder
from .network import thread_limit
from .parameters import set_parameters
from .tables import Column, columns_of

__all__ = ["TabularClassifier", "TabularRegressor"]

Array = npt.NDArray[Any]
Rows = tuple[Array, Array, Array | None]  # x, y, and weights

FEW_ROWS = 100
"""Up to here neither the order of rows matters, nor whether a whole weight is given or as many copies."""


class _Task(NamedTuple):
    """What the members of an ensemble have in common."""

    outputs: int
    activation: str  # of the outputs
    loss: Loss
    metrics: list[str]
    score: str  # the entry of the logs that chooses the epoch
    sign: int  # 1: more of it is better; -1: less


class _Tabular(BaseEstimator):  # type: ignore[misc]
    """What both have in common."""

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = tags.input_tags.categorical = tags.input_tags.string = True
        return tags

    def _counted(self, X: Any, y: Array, sample_weight: Any) -> tuple[list[Column], Array, Array | None]:
        """Columns, y and weights of the rows that count; few rows of whole weights become as many copies.

        Weights below 1 on average are raised to that: they say what counts more, not how many rows there are.
        """
        table = list(columns_of(self, X, reset=True))
        check_consistent_length(table[0][1], y)
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
        return [(name, values[kept]) for name, values in table], y[kept], weight

    def _fit(
        self, task: _Task, table: list[Column], y: Array, weight: Array | None, X_val: Any, y_val: Array | None
    ) -> None:
        """Encode the table and train the members side by side.  y: (rows,) class numbers, or (rows, outputs)."""
        members = positive_integer(self.n_ensemble, "n_ensemble")
        limit = thread_limit(self.threads if self.threads is None else positive_integer(self.threads, "threads"))
        encoder = TableEncoder(self.n_bins, self.max_categories, self.text_components)
        x = encoder.fit_transform(table, weight)
        if weight is not None:
            weight = weight / weight.mean()
        if len(x) <= FEW_ROWS:
            order = np.lexsort(np.column_stack([x, y]).T)
            x, y, weight = x[order], y[order], None if weight is None else weight[order]
        held: Rows | None = None
        if y_val is not None:
            held = encoder.transform(columns_of(self, X_val, reset=False)), y_val, None
            check_consistent_length(held[0], y_val)
        seeds = check_random_state(self.random_state).randint(np.iinfo(np.int32).max, size=members)
        done: dict[int, _Member] = {}
        keep_on = _KeepOn()

        def train(number: int, threads: int | None) -> None:
            if keep_on:
                verbose = self.verbose if number == 0 else 0
                done[number] = self._train(task, (x, y, weight), held, int(seeds[number]), threads, verbose, keep_on)

        if members == 1:
            train(0, limit)
        else:
            side_by_side(train, members, limit or processors(), keep_on.stop)
        self.encoder_ = encoder
        self.models_ = [done[number].model for number in sorted(done)]
        self.best_epochs_ = [done[number].best_epoch for number in sorted(done)]
        self.loss_curves_ = [done[number].losses for number in sorted(done)]
        self.validation_curves_ = [done[number].scores for number in sorted(done)]

    def _train(
        self, task: _Task, rows: Rows, held: Rows | None, seed: int, threads: int | None, verbose: int, keep_on: _KeepOn
    ) -> _Member:
        """One member, on a split of its own."""
        if held is None:
            rows, held = self._split(rows, rows[1] if task.activation == "softmax" else None, seed)
        x, y, weight = rows
        steps = max(1, round(len(x) / positive_integer(self.batch_size, "batch_size")))
        epochs = positive_integer(self.epochs, "epochs")
        model = Sequential(self._layers(x.shape[1], task), seed=seed)
        schedule = CosineLog(real_number(self.learning_rate, "learning_rate", above=0), epochs * steps)
        optimizer = Adam(schedule, beta_2=0.95, epsilon=1e-8)
        model.compile(optimizer, task.loss, task.metrics, backend=self.backend, threads=threads)
        best = _Best(task, epochs, keep_on)
        history = model.fit(
            x,
            y,
            batch_size=-(-len(x) // steps),  # batches as equal as can be: a small last one would count as much
            epochs=epochs,
            verbose=verbose,
            callbacks=[best],
            validation_data=held,
            sample_weight=weight,
        )
        if history.interrupted:
            keep_on.stop()
        trained = Sequential(self._layers(x.shape[1], task), seed=seed)  # without the optimizer's state, for pickles
        trained.compile("sgd", backend=self.backend, threads=self.threads)
        trained.build()
        trained.set_weights(model.get_weights() if best.weights is None else best.weights)
        return _Member(trained, best.epoch, history.history["loss"], best.scores)

    def _split(self, rows: Rows, classes: Array | None, seed: int) -> tuple[Rows, Rows | None]:
        """Rows to train on, and rows to choose the epoch by: none where there are too few.

        Few rows are split with all copies on one side: an epoch is not chosen by what was trained on.
        """
        x, y, weight = rows
        few, count = len(x) <= FEW_ROWS, len(x)
        if few:
            _, places, group = np.unique(x, axis=0, return_index=True, return_inverse=True)
            group = group.ravel()  # NumPy 2.0.0 has a column
            count, classes = len(places), None if classes is None else classes[places]
        fraction = real_number(self.validation_fraction, "validation_fraction", least=0, below=1)
        held = round(count * fraction)
        if not 0 < held < count:
            return rows, None
        if classes is not None:
            sizes = np.bincount(classes)
            if sizes.min() < 2 or len(sizes) > min(held, count - held):
                classes = None
        parts = train_test_split(np.arange(count), test_size=held, random_state=seed, stratify=classes)
        if few:
            parts = [np.flatnonzero(np.isin(group, part)) for part in parts]
        train, validation = ((x[part], y[part], None if weight is None else weight[part]) for part in parts)
        return train, validation

    def _layers(self, inputs: int, task: _Task) -> list[Layer]:
        """The network.  A kernel of the NTK parametrisation is sqrt(inputs) times what it is here."""
        layers: list[Layer] = [Input((inputs,)), Scaling(gamma_rate=6.0)]
        hidden = np.atleast_1d(self.hidden_layer_sizes).tolist()
        widths = [inputs, *(positive_integer(width, "hidden_layer_sizes") for width in hidden)]
        for before, width in pairwise(widths):
            layers.append(
                Dense(
                    width,
                    self.activation,
                    kernel_initializer=RandomNormal(stddev=before**-0.5),
                    bias_initializer=RandomNormal(stddev=1.0),
                    kernel_rate=before**-0.5,
                    bias_rate=0.1,
                )
            )
            if self.dropout:
                layers.append(Dropout(self.dropout))
        last = Dense(
            task.outputs,
            task.activation,
            kernel_initializer="zeros",
            kernel_rate=widths[-1] ** -0.5,
            bias_rate=0.1,
        )
        return [*layers, last]

    def _mean_prediction(self, X: Any) -> Array:
        """The mean of what the members predict, (rows, outputs)."""
        check_is_fitted(self)
        x = self.encoder_.transform(columns_of(self, X, reset=False))
        return np.asarray(np.mean([model.predict(x) for model in self.models_], axis=0, dtype=np.float64))


class TabularClassifier(ClassifierMixin, _Tabular):  # type: ignore[misc]
    """A classifier for tables whose defaults are good: RealMLP-TD-S, with numbers cut into bins, and bagged.

    ``fit(X, y)`` takes a data frame as it is: numbers, text, categories, booleans and dates, with values missing.
    Inputs are scaled robustly, clipped smoothly, and multiplied by learned weights; three layers of 256 selu units are
    trained for accuracy, with smoothed labels, by Adam (beta_2 0.95) at a rate that goes up and down four times
    ("coslog4"); the weights of the epoch that does best on held-out rows are kept.  Four such networks are averaged.

    After Holzmueller, Grinsztajn and Steinwart, "Better by Default", NeurIPS 2024.  What differs, and why:

    - Four networks of 64 epochs instead of one of 256: as much work.  More epochs are no better on California housing
      and adult, where the best epochs come early, but an average is.
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
    hidden_layer_sizes : sequence of int, or int
    activation : str
        Of the hidden layers.
    learning_rate : float
        The highest; it goes up and down four times, in cycles that double.
    epochs : int
        All are trained: the schedule ends with the last one.
    batch_size : int
    label_smoothing : float
        From 0 to below 1.  0.1 is for accuracy; for probabilities that are to be believed, 0 or calibration.
    validation_fraction : float
        Of the rows, held out, whatever their weights; 0: none, and the last epoch is kept.  Of up to 100 rows, equal
        ones are held out together.
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

    Attributes
    ----------
    classes_ : ndarray
    models_ : list of Sequential
        The networks, on encoded inputs.
    best_epochs_ : list of int
        From 1.
    loss_curves_, validation_curves_ : list of list of float
        For each network and epoch the loss, and the accuracy on the held-out rows; if these have weights, their loss.
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Where the columns of X have names.

    Examples
    --------
    >>> import pandas as pd
    >>> from fastnn.sklearn import TabularClassifier
    >>> table = pd.DataFrame({"size": [1.0, None, 3.0, 8.0] * 25, "colour": ["red", "blue", "red", None] * 25})
    >>> model = TabularClassifier(epochs=20, random_state=0).fit(table, ["no", "no", "no", "yes"] * 25)
    >>> model.predict(pd.DataFrame({"size": [9.0], "colour": ["green"]}))
    array(['yes'], dtype='<U3')
    """

    def __init__(
        self,
        hidden_layer_sizes: Any = (256, 256, 256),
        activation: str = "selu",
        *,
        learning_rate: float = 0.04,
        epochs: int = 64,
        batch_size: int = 256,
        label_smoothing: float = 0.1,
        validation_fraction: float = 0.2,
        n_ensemble: int = 4,
        dropout: float = 0.15,
        n_bins: int = 48,
        max_categories: int = 100,
        text_components: int = 30,
        backend: str = "auto",
        threads: int | None = None,
        verbose: int = 0,
        random_state: Any = None,
    ) -> None:
        set_parameters(self, locals())

    def fit(self, X: Any, y: Any, sample_weight: Any = None, X_val: Any = None, y_val: Any = None) -> TabularClassifier:
        """Train.

        Parameters
        ----------
        X : (rows, columns) data frame or array
        y : (rows,) array-like of labels
        sample_weight : (rows,) array-like, optional
            A row of weight k is as k rows, to all that is learned: medians, bins, frequent categories, the loss.  Rows
            of weight 0 are not there.  Whole weights of up to 100 in all give what as many copies give, exactly;
            beyond, rows are held out and visited once an epoch whatever their weights.
        X_val, y_val : optional
            Rows to choose the epoch by, instead of held-out ones.
        """
        labels = _labels(y, "y", self)
        table, labels, weight = self._counted(X, labels, sample_weight)
        self.classes_, numbers = np.unique(labels, return_inverse=True)
        numbers_val = None
        if X_val is not None:
            labels_val = _labels(y_val, "y_val", self)
            if not np.isin(labels_val, self.classes_).all():
                raise ValueError(f"y_val got labels that y has not: {sorted(set(labels_val) - set(self.classes_))}")
            numbers_val = np.searchsorted(self.classes_, labels_val)
        loss = SparseCategoricalCrossentropy(label_smoothing=self.label_smoothing)
        accuracy = weight is None or X_val is not None  # weights count in the loss alone
        score = ("val_accuracy", 1) if accuracy else ("val_loss", -1)
        task = _Task(len(self.classes_), "softmax", loss, ["accuracy"], *score)
        self._fit(task, table, numbers, weight, X_val, numbers_val)
        return self

    def predict_proba(self, X: Any) -> Array:
        """The probability of each class, (rows, classes)."""
        p = self._mean_prediction(X)
        p /= p.sum(axis=1, keepdims=True)
        return p

    def predict(self, X: Any) -> Array:
        """The most probable class of each row, (rows,)."""
        p = self._mean_prediction(X)
        return np.asarray(self.classes_[p.argmax(axis=1)])


class TabularRegressor(RegressorMixin, _Tabular):  # type: ignore[misc]
    """A regressor for tables whose defaults are good: RealMLP-TD-S, with numbers cut into bins, and bagged.

    ``fit(X, y)`` takes a data frame as it is.  Three layers of 256 mish units are trained for the squared error of
    standardised y.  See `TabularClassifier` for all else, and for what differs from the paper.

    Parameters
    ----------
    hidden_layer_sizes, activation, learning_rate, epochs, batch_size, validation_fraction, n_ensemble, dropout
    n_bins, max_categories, text_components, backend, threads, verbose, random_state
        As of `TabularClassifier`.

    Attributes
    ----------
    models_ : list of Sequential
        The networks, from encoded inputs to standardised outputs.
    best_epochs_ : list of int
        From 1.
    loss_curves_, validation_curves_ : list of list of float
        For each network and epoch the mean squared error of standardised y, in training and on the held-out rows.
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Where the columns of X have names.
    """

    def __init__(
        self,
        hidden_layer_sizes: Any = (256, 256, 256),
        activation: str = "mish",
        *,
        learning_rate: float = 0.07,
        epochs: int = 64,
        batch_size: int = 256,
        validation_fraction: float = 0.2,
        n_ensemble: int = 4,
        dropout: float = 0.15,
        n_bins: int = 48,
        max_categories: int = 100,
        text_components: int = 30,
        backend: str = "auto",
        threads: int | None = None,
        verbose: int = 0,
        random_state: Any = None,
    ) -> None:
        set_parameters(self, locals())

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def fit(self, X: Any, y: Any, sample_weight: Any = None, X_val: Any = None, y_val: Any = None) -> TabularRegressor:
        """Train.

        Parameters
        ----------
        X : (rows, columns) data frame or array
        y : (rows,) or (rows, outputs) array-like
        sample_weight : (rows,) array-like, optional
            As of `TabularClassifier.fit`.
        X_val, y_val : optional
            Rows to choose the epoch by, instead of held-out ones.
        """
        values = _values(y, "y", self)
        self._flat = values.ndim == 1
        table, values, weight = self._counted(X, values.reshape(len(values), -1), sample_weight)
        self._mean = np.average(values, axis=0, weights=weight)
        deviation = np.sqrt(np.average(np.square(values - self._mean), axis=0, weights=weight))
        self._deviation = np.where(deviation > 0, deviation, 1.0)
        held = None
        if X_val is not None:
            held = self._standardised(_values(y_val, "y_val", self).reshape(-1, values.shape[1]))
        task = _Task(values.shape[1], "linear", MeanSquaredError(), [], "val_loss", -1)
        self._fit(task, table, self._standardised(values), weight, X_val, held)
        return self

    def _standardised(self, values: Array) -> Array:
        return np.asarray((values - self._mean) / self._deviation, np.float32)

    def predict(self, X: Any) -> Array:
        """The expected y of each row, (rows,) or (rows, outputs)."""
        y = self._mean_prediction(X) * self._deviation + self._mean
        return np.asarray(y[:, 0] if self._flat else y)


# --- Training --------------------------------------------------------------------------------------------------------


class _Member(NamedTuple):
    model: Sequential
    best_epoch: int
    losses: list[float]
    scores: list[float]


class _KeepOn:
    """True until it is told to stop."""

    def __init__(self) -> None:
        self._on = True

    def __bool__(self) -> bool:
        return self._on

    def stop(self) -> None:
        self._on = False


class _Best(Callback):
    """Keeps the weights of the best epoch, the last of equals."""

    def __init__(self, task: _Task, epochs: int, keep_on: _KeepOn) -> None:
        super().__init__()
        self.task, self.keep_on = task, keep_on
        self.weights: list[Array] | None = None
        self.epoch = epochs
        self.scores: list[float] = []

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Keep the weights if there are none as good."""
        if not self.keep_on:
            self.model.stop_training = True
        if logs and self.task.score in logs:
            score = logs[self.task.score]
            self.scores.append(score)
            if self.task.sign * score >= max(self.task.sign * np.array(self.scores)):
                self.weights, self.epoch = self.model.get_weights(), epoch + 1


def side_by_side(train: Callable[[int, int], None], members: int, threads: int, stop: Callable[[], None]) -> None:
    """train(member, threads) for each: one a processor, and more for each of the last ones where they are fewer."""
    abreast = members - members % threads if members > threads else 0
    waiting = list(reversed(range(abreast)))

    def train_some(_: int) -> None:
        for _ in range(abreast // threads):
            train(waiting.pop(), 1)

    if abreast:
        with Crew(threads) as crew:
            crew.run(train_some, stop)
    if rest := members - abreast:
        with Crew(rest) as crew:
            crew.run(lambda number: train(abreast + number, max(1, threads // rest)), stop)


# --- Targets ---------------------------------------------------------------------------------------------------------


def _labels(y: Any, name: str, estimator: BaseEstimator) -> Array:
    _given(y, name, estimator)
    y = column_or_1d(y, warn=True)
    check_array(y, ensure_2d=False, dtype=None, input_name=name, estimator=estimator)
    check_classification_targets(y)
    return np.asarray(y)


def _values(y: Any, name: str, estimator: BaseEstimator) -> Array:
    _given(y, name, estimator)
    values = check_array(y, ensure_2d=False, dtype=np.float64, input_name=name, estimator=estimator)
    if values.ndim == 2 and values.shape[1] == 1:
        values = column_or_1d(values, warn=True)
    return np.asarray(values)


def _given(y: Any, name: str, estimator: BaseEstimator) -> None:
    if y is None:
        raise ValueError(f"{type(estimator).__name__} requires y to be passed, but the target {name} is None")
