"""Sequential: layers that are compiled, trained, asked and kept."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any, ClassVar

from fastnn import data
from fastnn.callbacks import History, format_logs, verbosity
from fastnn.data import Chunk
from fastnn.engine import prepared
from fastnn.files import model_file
from fastnn.layers import Layer, Values
from fastnn.names import custom_object_scope
from fastnn.training import Held, tested
from fastnn.turns import exclusive
from fastnn.typing import Array
from . import datasets, distributed, fitting, inference, saving
from .compiled import Compiled
from .structure import Structure


class Sequential(Compiled):
    """A network of layers, one after the other, with Keras's names.

    Parameters
    ----------
    layers : sequence of Layer or Sequential, optional
        Dense and Activation, and Input first where the width of the data should be known before it is seen.  Layers may
        be another model's too, and a model may be a layer: the weights are the same then.
    name : str, optional
    seed : int, optional
        Of initial weights and of shuffling; otherwise fastnn.utils.set_random_seed's, otherwise the system's.
    trainable : bool
        Whether training changes the weights; an attribute too, which may be set.

    Attributes
    ----------
    saved_by : str or None
        The version of fastnn that wrote the file that the model was loaded from.

    Notes
    -----
    Threads may ask a model for anything at once, while it trains too; they take turns.  One at a time changes it: what
    would, while `fit` trains in another thread, raises RuntimeError, and so does what would wait for itself, as a loss
    does that asks the model in whose step it runs.  docs/architecture.md has a table.

    Examples
    --------
    >>> import numpy as np
    >>> from fastnn import Sequential
    >>> from fastnn.layers import Dense
    >>> model = Sequential([Dense(4, activation="tanh"), Dense(1, activation="sigmoid")], seed=0)
    >>> model.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy"])
    >>> x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    >>> history = model.fit(x, [0, 1, 1, 0], epochs=5, verbose=0)
    >>> model.predict(x).shape
    (4, 1)
    """

    _uncalled: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(
            ("call", "__call__"), "wants layers, one after the other: what they do between them is one compiled run"
        ),
        **dict.fromkeys(
            ("train_step", "test_step", "predict_step", "compute_loss", "compute_metrics", "compute_mask"),
            "wants a loss of your own (losses.Custom), a metric of your own, or a callback, as on_train_batch_end",
        ),
        **dict.fromkeys(
            ("make_train_function", "make_test_function", "make_predict_function", "compute_output_shape"),
            "wants a callback, as on_train_batch_end",
        ),
    }
    _unread: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(
            ("losses", "metrics", "metrics_names", "inputs", "outputs", "dtype_policy", "auto_scale_loss"),
            "wants an argument of compile, or of the layers",
        ),
        **dict.fromkeys(
            ("train_function", "test_function", "predict_function", "supports_masking", "activity_regularizer"),
            "wants a callback, or an argument of the layers",
        ),
        **dict.fromkeys(("built", "compiled"), "wants build, or compile"),
    }

    def __init__(
        self,
        layers: Sequence[Layer | Structure] | None = None,
        name: str | None = None,
        seed: int | None = None,
        trainable: bool = True,
    ) -> None:
        super().__init__(layers, name, seed, trainable)
        self.history: History | None = None
        self.metadata: dict[str, Any] = {}
        self.saved_by: str | None = None
        self.stop_training = self.stop_evaluating = self.stop_predicting = False

    # --- Training ---

    @exclusive()
    def fit(
        self,
        x: Any,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: str | int = "auto",
        callbacks: Sequence[Any] | None = None,
        validation_split: float = 0.0,
        validation_data: tuple[Any, ...] | None = None,
        shuffle: bool = True,
        class_weight: Any = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: int | Sequence[int] = 1,
    ) -> History:
        """Train, with Keras's arguments.

        Parameters
        ----------
        x : (rows, inputs) array-like, or a stream
            Any real dtype and memory order; read where it lies, converted a batch at a time.  What does not fit into
            memory comes a block at a time: `fastnn.data.open`'s tables, an np.memmap, HDF5, Zarr, or batches (x, y) or
            (x, y, sample_weight) from an iterator, which runs in a thread ahead of training.  See docs/streams.md.
        y : (rows, outputs) array-like
            Class numbers (rows,) for a sparse loss; (rows,) for one output.  None where x brings it.
        batch_size : int, optional
            Rows a step, 32; the last one of an epoch may have fewer, and averages over those.  Batches of an iterator
            are steps as they come, unless this makes others of their rows.
        epochs : int
            Number of the last epoch, from 1.
        verbose : {"auto", 0, 1, 2}
            1 a live bar, 2 a line an epoch, 0 nothing; "auto": 1 in a terminal, 2 elsewhere.
        callbacks : list of Callback
        validation_split : float
            This part of the rows, the last ones, is held out.
        validation_data : (x, y) or (x, y, sample_weight)
        shuffle : bool
            Visit the rows in a new order each epoch.  Otherwise in theirs.  Of a stream: those of a block, and the
            blocks.
        class_weight : dict of class to weight, array or Series of weights by class number, or "balanced"
            Of the rows that are trained on; what is held out is weighed by sample_weight alone.  A class that a dict
            leaves out weighs 1.
        sample_weight : (rows,) array-like
            A row of weight k counts as k such rows do in the sums of losses and gradients, and one of a negative
            weight drives the loss up, as policy gradients do.  The sums are divided by the number of rows, as in
            Keras, not by the sum of the weights, as in PyTorch.  Held out with its rows.
        initial_epoch : int
            Number of epochs already done.
        steps_per_epoch : int, optional
            Batches of an epoch, for iterators without an end.  Of rows in memory, an epoch goes on with the pass over
            them where the one before ended; a pass that ends ends its epoch, as in Keras.
        validation_steps : int, optional
            Batches to validate with: the first ones.
        validation_batch_size : int, optional
            Rows of those, batch_size where nothing is said.  Scores do not depend on it.
        validation_freq : int, or sequence of int
            Validate after every so many epochs, or after those of these numbers, from 1.

        Returns
        -------
        History
            ``history.history["loss"]`` has a value an epoch: the mean over its rows of the loss before each step.
            Ctrl-C ends training after the steps at hand and returns too, with ``history.interrupted`` true.

        Raises
        ------
        ValueError, TypeError
            Before anything is changed: shapes, NaN or infinite values, labels outside the classes, ...  (Where nobody
            watches, a step may be the first to see a NaN; what the steps before it did is undone.)  What is wrong
            in the midst of a stream is found when it is read: the weights are then those after the block before.

        Warns
        -----
        DivergenceWarning
            The loss or a weight became NaN or infinite.  Training stops; the weights are those of the last good epoch.
        """
        asked = SimpleNamespace(**{name: value for name, value in locals().items() if name != "self"})
        if self._distribution is None:
            return fitting.checked(self, asked).run()
        return distributed.fit(self._distribution, lambda: fitting.checked(self, asked))

    @exclusive()
    def train_on_batch(
        self, x: Any, y: Any, sample_weight: Any = None, class_weight: Any = None, return_dict: bool = False
    ) -> Any:
        """One step over all rows of x; the loss before it (and metrics), as evaluate returns them."""
        self._check_compiled("train_on_batch")
        return inference.scores(fitting.step(self, x, y, sample_weight, class_weight), return_dict)

    def evaluate(
        self,
        x: Any,
        y: Any = None,
        batch_size: int | None = None,
        verbose: str | int = "auto",
        sample_weight: Any = None,
        steps: int | None = None,
        callbacks: Sequence[Any] | None = None,
        return_dict: bool = False,
        class_weight: Any = None,
    ) -> Any:
        """The loss, and the metrics, as means over all rows; weights of rows and classes, and streams, are as in fit.

        ``steps`` takes the first batches alone; ``callbacks`` have on_test_begin and the like.

        Returns
        -------
        float, list of float, or dict
            The loss alone where there are no metrics; a dict by name with ``return_dict``.  ``batch_size`` matters to
            metrics that are functions or loss objects: means over batches, as in Keras.
        """
        self._check_compiled("evaluate")
        rows_a_batch, level = data.batch_size(batch_size), verbosity(verbose)
        model = self._as_it_is()
        rows = datasets.weighed(datasets.rows(model, Chunk(x, y, sample_weight), steps=steps), class_weight)
        held = Held(datasets.first(rows, steps, rows_a_batch), rows_a_batch)
        told = None if callbacks is None else inference.callbacks(self, callbacks, held, level)
        logs = tested(model._built(rows.width), held, model._metrics, told)
        if level:
            print(format_logs(logs))
        return inference.scores(logs, return_dict)

    def test_on_batch(self, x: Any, y: Any, sample_weight: Any = None, return_dict: bool = False) -> Any:
        """Evaluate, and print nothing."""
        rows = max(1, len(x))
        return self.evaluate(x, y, rows, verbose=0, sample_weight=sample_weight, return_dict=return_dict)

    # --- Predicting, and looking inside ---

    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: str | int = 0,
        steps: int | None = None,
        callbacks: Sequence[Any] | None = None,
    ) -> Array:
        """The network's output for each row of x: (rows, units of the last layer), of the model's dtype.

        x may be a stream, as in fit; ``steps`` takes the first batches alone; ``callbacks`` have on_predict_begin and
        the like.

        Raises
        ------
        TypeError, ValueError
            x has another shape or holds something else than real numbers; it has a NaN or an infinite value, and the
            output has therefore, too.
        """
        rows_a_batch = data.batch_size(batch_size)
        if callbacks is None:
            return inference.predict(self, x, steps, rows_a_batch)
        return inference.told(self, x, steps, rows_a_batch, callbacks)

    def predictor(self, rows: int = 1) -> prepared.Predictor:
        """A function that predicts a fixed number of rows in the least time, for control loops and the like.

        Parameters
        ----------
        rows : int

        Returns
        -------
        Predictor
            Call it with (rows, inputs) values, or (inputs,) for one row; it returns (rows, units).  It looks at
            shapes only, not for NaN.  It goes on with the weights that it has when the model is compiled anew.

        Examples
        --------
        >>> import numpy as np
        >>> from fastnn import Sequential
        >>> from fastnn.layers import Dense, Input
        >>> act = Sequential([Input((3,)), Dense(2)]).predictor()
        >>> act(np.zeros(3)).shape
        (1, 2)
        """
        return prepared.Predictor(self._built(), data.positive_integer(rows, "rows"))

    def predict_on_batch(self, x: Any) -> Array:
        """Predict: another name for it."""
        return self.predict(x)

    def __call__(self, x: Any, training: bool | None = False) -> Values:
        """Predict; as it is done in training, with dropout and other noise, where ``training`` is true.

        Then batches are normalised by their own statistics, and the moving ones follow, unless they are frozen.  Each
        call draws other numbers, which follow from the seed of the model.
        """
        return (inference.sample(self, x) if training else self.predict(x)).view(Values)

    def gradients(self, x: Any, y: Any, sample_weight: Any = None) -> list[dict[str, Array]]:
        """What backpropagation yields: the derivative of the mean loss over the rows of x by each weight.

        Returns
        -------
        list of dict
            A layer each, ``{"kernel": (inputs, units), "bias": (units,)}``, of a normalisation "gamma" and "beta";
            empty for a layer without weights.  Penalties on the weights count; batches are normalised by their own
            statistics; dropout and other noise is left out.
        """
        self._check_compiled("gradients")
        rows = datasets.wanted(self).data(datasets.flat(self, Chunk(x, y, sample_weight)))
        engine = self._built(rows.width)
        vector, _ = engine.gradient(rows)
        views = [layer.views(engine, place, vector) for layer, place in zip(self._layers, self._places, strict=True)]
        return [{name: view.copy() for name, view in found.items()} for found in views]

    # --- Files ---

    def save(self, path: str | os.PathLike[str], metadata: Mapping[str, Any] | None = None) -> None:
        """Write structure, weights and the optimizer's state to one file, whole or not at all.

        Under a distribution the first rank alone writes.

        Parameters
        ----------
        path : path
        metadata : dict, optional
            JSON-able values of your own; ``load_model(path).metadata`` gives them back.

        Raises
        ------
        OSError
            The file cannot be written.
        FloatingPointError
            A weight, or the optimizer's state, is NaN or infinite, as it may be within an epoch that diverges.
        """
        self._built()
        document, arrays = self._contents()
        if metadata is not None:
            json.dumps(metadata)  # raises before anything is changed
            document["metadata"] = dict(metadata)
        if self._writes:
            model_file.save(path, document, arrays)
        self.metadata = document["metadata"]

    def save_weights(self, path: str | os.PathLike[str]) -> None:
        """Write the weights alone, whole or not at all: in the safetensors format, which takes that package.

        Parameters
        ----------
        path : path
            "model.safetensors".  Its tensors are named "dense/kernel", "dense/bias", "dense_1/kernel", ...: the names
            that Keras gives, kernels (inputs, units).  Their SHA-256 are among its metadata.  "m.weights.h5" is
            Keras's own format (extra ``keras``), "m.pt" a state dict of PyTorch's (``torch``).

        Raises
        ------
        OSError
            The file cannot be written.
        FloatingPointError
            A weight is NaN or infinite, as it may be within an epoch that diverges.
        """
        saving.save_weights(self, path)

    def load_weights(self, path: str | os.PathLike[str]) -> None:
        """Read weights from a file of one of the formats of `save_weights`, all or none.

        Raises
        ------
        ModelFileError
            It is no such file, is damaged, or holds other names, other shapes, or values that are not finite.
        """
        saving.load_weights(self, path)

    _contents, _bring_back = saving.contents, saving.bring_back  # methods, for backups

    def __getstate__(self) -> tuple[Any, ...]:
        """Pickles, and copies, are made of what a file holds."""
        return (*self._contents(), self._backend, self._threads, saving.custom_objects(self))

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        *contents, custom_objects = state
        with custom_object_scope(custom_objects):
            vars(self).update(vars(saving.rebuilt(Sequential, *contents)))
        if self.optimizer is not None:
            self.optimizer.begin(self, self._engine)
