"""Sequential: layers, compiled into an engine."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from fastnn import data, losses, metrics, optimizers, quick, training, utils
from fastnn import layers as layer_types
from fastnn.callbacks import CallbackList, History, ProgressBar, verbosity
from fastnn.data import ArraySource, Chunk, Feed, Requirements, evaluate, streams
from fastnn.engine import BACKENDS, DTYPES, Data, Engine, LayerPlan, load, noise_of_alpha_dropout, noise_of_dropout
from fastnn.errors import ModelFileError
from fastnn.files import model_file
from fastnn.files import tensors as tensor_file
from fastnn.layers import (
    Activation,
    AlphaDropout,
    BatchNormalization,
    Dense,
    Dropout,
    GaussianNoise,
    Input,
    Layer,
    Noise,
    Normalization,
    Scaling,
    Weighted,
    unique_names,
)
from fastnn.names import CustomObject, custom_object_scope, deserialize, lookup, serialize

__all__ = ["Sequential", "load_model"]

Array = npt.NDArray[Any]


class Sequential:
    """A network of layers, one after the other, with Keras's names.

    Parameters
    ----------
    layers : sequence of Layer, optional
        Dense and Activation, and Input first where the width of the data should be known before it is seen.
    name : str
    seed : int, optional
        Of initial weights and of shuffling; otherwise fastnn.utils.set_random_seed's, otherwise the system's.

    Attributes
    ----------
    saved_by : str or None
        The version of fastnn that wrote the file that the model was loaded from.

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

    def __init__(
        self, layers: Sequence[Layer] | None = None, name: str = "sequential", seed: int | None = None
    ) -> None:
        self.name = name
        self.history: History | None = None
        self.metadata: dict[str, Any] = {}
        self.saved_by: str | None = None
        self.stop_training = False
        self.optimizer: optimizers.Optimizer | None = None
        self.loss: losses.Loss | None = None
        self.dtype = "float32"
        seed = utils.new_seed() if seed is None else data.positive_integer(seed, "seed", least=0)
        self._rng = np.random.default_rng(seed)
        self._layers: list[Layer] = []
        self._inputs: int | None = None
        self._engine: Engine | None = None
        self._loss_plan: losses.LossPlan | None = None
        self._metrics_asked: Any = None
        self._metrics: list[metrics.Metric] = []
        self._backend = "auto"
        self._threads: int | None = None
        for layer in layers or ():
            self.add(layer)

    # --- Structure ---

    @property
    def layers(self) -> list[Layer]:
        """The layers, without Input."""
        return list(self._layers)

    def add(self, layer: Layer) -> None:
        """Append a layer; not once the model is built."""
        if self._engine is not None:
            raise RuntimeError("add got a layer for a model that is built; make a new Sequential")
        if not isinstance(layer, Layer):
            raise TypeError(f"layer got {type(layer).__name__}; wants one of fastnn.layers: Dense, Dropout, Input, ...")
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
                each.name = name
            self._layers = named
            layer._taken = True

    def compile(
        self,
        optimizer: str | optimizers.Optimizer = "rmsprop",
        loss: str | losses.Loss | None = None,
        metrics: Sequence[Any] | None = None,
        *,
        backend: str = "auto",
        threads: int | None = None,
        dtype: str = "float32",
    ) -> None:
        """Choose what to train for, and how it is computed.

        Parameters
        ----------
        optimizer : str or Optimizer
            As in Keras, "rmsprop" where nothing is said.
        loss : str or Loss
        metrics : list of str or Metric
            Means over the rows, beside the loss.
        backend : {"auto", "numba", "cython", "numpy"}
            "auto": the first of them that is installed.
        threads : int, optional
            None: as many as the work in a step pays for, at most the processors that the process may use.
            Results do not depend on it, to the last bit.
        dtype : {"float32", "float64"}
            Of weights and arithmetic.

        Raises
        ------
        ValueError
            An unknown name; a loss that does not fit the last activation.
        """
        new_optimizer = optimizers.get(optimizer)
        new_loss = None if loss is None else losses.get(loss)
        lookup(backend, ["auto", *BACKENDS], "backend")
        dtype = lookup(dtype if isinstance(dtype, str) else np.dtype(dtype).name, DTYPES, "dtype")
        if threads is not None:
            threads = data.positive_integer(threads, "threads")
        if self._layers:  # before anything is changed
            if new_loss is not None:
                self._loss_plan_of(new_loss)
            self._resolve(metrics, new_loss)
        load(backend, dtype)
        self.optimizer, self.loss = new_optimizer, new_loss
        self._metrics_asked = metrics
        new_optimizer.iterations = 0
        kept = self.get_weights() if self._engine is not None else None
        self.dtype, self._backend, self._threads = dtype, backend, threads
        self._engine = self._loss_plan = None
        if kept is not None or (self._inputs is not None and self._layers):
            self._make_engine(kept)

    def build(self, input_size: int | tuple[int | None, ...] | None = None) -> None:
        """Draw the weights, for data with this many columns; fit and the rest do it when they see the data."""
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
        if self._engine is None:
            if not self._layers:
                raise ValueError("layers got none; wants at least one Dense layer")
            self._inputs = width
            self._make_engine(None)

    def _plans(self) -> list[LayerPlan]:
        """What the kernels run: an Activation belongs to the layer before it, if that has none of its own."""
        plans: list[LayerPlan] = []
        self._places: list[int] = []  # each layer's plan
        width = self._inputs or 1
        kept: LayerPlan | None = None  # the last plan whose output is there for noise to act on; None: the data
        for layer in self._layers:
            if isinstance(layer, Dense):
                width = layer.units
                activation = layer.activation
                fields = dense_fields(layer)
                plans.append(LayerPlan(width, activation.name, activation.parameter, layer.use_bias, constants=fields))
            elif isinstance(layer, Normalization):
                plans.append(normalization_plan(layer, width))
            elif isinstance(layer, Scaling):
                rate = {"kernel_rate": layer.gamma_rate}
                plans.append(LayerPlan(width, use_bias=False, kind="scaling", constants=rate, use_gamma=True))
            elif isinstance(layer, Noise):
                noise = noise_plan(layer, width, len(self._places))
                if kept is not None and not noise.suits(kept):
                    plans.append(LayerPlan(width, use_bias=False, kind="activation"))  # a copy, for it to act on
                    kept = plans[-1]
                plans.append(noise)
            else:
                activation = layer.activation  # type: ignore[attr-defined]
                if plans and activation.name == "linear":
                    pass
                elif plans and plans[-1].activation == "linear" and not plans[-1].noise:
                    plans[-1] = plans[-1]._replace(activation=activation.name, parameter=activation.parameter)
                else:
                    plans.append(LayerPlan(width, activation.name, activation.parameter, False, "activation"))
            if not plans[-1].noise:
                kept = plans[-1]
            self._places.append(len(plans) - 1)
        if plans and plans[-1].noise:
            plans.append(LayerPlan(width, use_bias=False, kind="activation"))
        for plan in plans[:-1]:
            if plan.activation == "softmax":
                raise ValueError("activation got 'softmax' in a hidden layer; wants it in the last one only")
        return plans

    def _loss_plan_of(self, loss: losses.Loss) -> losses.LossPlan:
        """What the kernels are told of a loss, if it suits the last layer."""
        last = self._plans()[-1]
        plan = loss.kernel(last.activation)
        if self._inputs is not None or any(isinstance(layer, Dense) for layer in self._layers):
            plan.check(last.units)
        return plan

    def _resolve(self, asked: Any, loss: losses.Loss | None) -> list[metrics.Metric]:
        units = [layer.units for layer in self._layers if isinstance(layer, Dense)]
        outputs = units[-1] if units else self._inputs or 1
        return metrics.resolve(asked, loss, outputs)

    def _make_engine(self, weights: Sequence[Array] | None) -> None:
        assert self._inputs is not None
        plans = self._plans()
        engine = Engine(self._inputs, plans, self.dtype, self._backend, self._threads)
        self._metrics = self._resolve(self._metrics_asked, self.loss)
        if self.loss is not None:
            plan = self._loss_plan = self._loss_plan_of(self.loss)
            rows = [m.row for m in self._metrics]
            engine.set_loss(plan.row, plan.on_logits, plan.parameter, rows, plan.smoothing)
        if self.optimizer is not None:
            engine.set_optimizer(self.optimizer.row, self.optimizer.hyper(), *self.optimizer.options())
        self._engine = engine
        width = self._inputs
        for layer, place in zip(self._layers, self._places, strict=True):
            if isinstance(layer, Weighted):
                layer._views = _views(engine, layer, place)
                layer._assign = _assigner(engine, layer, place)
                if weights is None:
                    engine.assign(place, layer._initial(width, self._rng))
                width = layer.units if isinstance(layer, Dense) else width
        if weights is not None:
            self.set_weights(weights)

    def _built(self, width: int | None = None) -> Engine:
        if self._engine is None:
            self.build(width)
        assert self._engine is not None
        return self._engine

    def _compiled(self, what: str) -> None:
        if not self._layers:
            raise RuntimeError(f"{what} wants a layer: add a Dense first")
        if self.loss is None or self.optimizer is None:
            raise RuntimeError(f"{what} wants a loss: call compile(optimizer=..., loss=...) first")

    # --- Weights ---

    def get_weights(self) -> list[Array]:
        """Copies of every kernel (inputs, units) and bias (units,), or what else a layer has, in order."""
        self._built()
        return [array for layer in self._layers for array in layer.get_weights()]

    def set_weights(self, weights: Sequence[npt.ArrayLike]) -> None:
        """Set every kernel and bias, in the order of get_weights."""
        self._built()
        weighted = [layer for layer in self._layers if isinstance(layer, Weighted)]
        counts = [len(layer._held()) for layer in weighted]
        if len(weights) != sum(counts):
            raise ValueError(f"weights got {len(weights)} arrays; wants {sum(counts)}: a kernel and a bias a layer")
        checked, rest = [], list(weights)
        for layer, count in zip(weighted, counts, strict=True):
            checked.append(_checked(layer, rest[:count]))
            rest = rest[count:]
        for layer, arrays in zip(weighted, checked, strict=True):  # all or none
            layer.set_weights(arrays)

    def count_params(self) -> int:
        """How many numbers training adjusts."""
        self._built()
        return sum(layer.count_params() for layer in self._layers)

    def summary(self) -> None:
        """Print a table of the layers, their output shapes and parameters."""
        built = self._inputs is not None
        if built:
            self._built()
        rows = [("Layer (type)", "Output shape", "Activation", "Param #")]
        width: int | None = self._inputs
        for layer in self._layers:
            width = layer.units if isinstance(layer, Dense) else width
            rows.append(
                (
                    f"{layer.name} ({type(layer).__name__})",
                    f"(None, {width if width is not None else '?'})",
                    layer.activation.name if isinstance(layer, Dense | Activation) else "",
                    f"{layer.count_params():,}" if built else "?",
                )
            )
        widths = [max(len(row[i]) for row in rows) for i in range(4)]
        lines = ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows]
        rule = "-" * (sum(widths) + 6)
        total = f"{self.count_params():,}" if built else "unknown until the width of x is"
        print(f'Model: "{self.name}"', lines[0], rule, *lines[1:], rule, f"Total params: {total}", sep="\n")

    # --- Training ---

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
        class_weight: Mapping[int, float] | str | None = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
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
        class_weight : dict of class to weight, or "balanced"
        sample_weight : (rows,) array-like
            A row of weight k counts as k such rows do in the sums of losses and gradients.  The sums are divided by
            the number of rows, as in Keras, not by the sum of the weights, as in PyTorch.
        initial_epoch : int
            Number of epochs already done.
        steps_per_epoch, validation_steps : int, optional
            Batches of an epoch, for iterators without an end.

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
        self._compiled("fit")
        rows_a_step = data.batch_size(batch_size)
        epochs = data.positive_integer(epochs, "epochs", least=0)
        initial_epoch = data.positive_integer(initial_epoch, "initial_epoch", least=0)
        held = None
        level = verbosity(verbose)
        given = [] if callbacks is None else list(callbacks) if isinstance(callbacks, Sequence) else [callbacks]
        # Where nobody sees what happens before the end, a step may find a NaN, which then undoes all.
        watched = level or given or validation_split or validation_data is not None
        late = not watched and initial_epoch == 0 < epochs and self._looks()
        train = self._rows(x, y, sample_weight, class_weight, "", batch_size, steps_per_epoch, x_finite=late)
        if late and isinstance(train, Data) and not train.direct:
            data.check_finite(train.x, "x", self.dtype)
            late = False
        if self.optimizer.full_batch and isinstance(train, Feed):  # type: ignore[union-attr]
            raise ValueError("x got a stream, but LBFGS takes all rows at once; wants arrays, or another optimizer")
        if validation_data is not None:
            if streams.find(validation_data, None, None) is not None:
                validation_data = (validation_data, None)
            if not 2 <= len(validation_data) <= 3:
                raise ValueError(f"validation_data got {len(validation_data)} parts; wants (x, y) or (x, y, weights)")
            validation_x, validation_y, *weight = validation_data
            given_weight = weight[0] if weight else None
            held = self._rows(validation_x, validation_y, given_weight, name="validation_data", steps=validation_steps)
            if held.width != train.width:
                raise ValueError(f"validation_data got {held.width} columns; wants {train.width}, as x has")
        elif validation_split:
            if isinstance(train, Feed) and not isinstance(train.source, ArraySource):
                raise ValueError(
                    f"validation_split got {validation_split} for a stream that has no last rows; wants 0: "
                    "give validation_data"
                )
            train, held = train.split(data.validation_split(validation_split, len(train)))
        history, history_before, draws = History(), self.history, self._rng.bit_generator.state
        bars = [ProgressBar(level)] if level and not any(isinstance(c, ProgressBar) for c in given) else []
        steps = train.steps_per_epoch if isinstance(train, Feed) else -(-len(train) // rows_a_step)
        params = {"epochs": epochs, "steps": steps, "verbose": level}
        chain = CallbackList([history, *bars, *given], self, params)
        for backup in chain.backups:
            if isinstance(train, Feed):
                train.check_backup(backup.every_n_steps)
            if isinstance(held, Feed):
                held.check_backup()
        if chain.backups and self.optimizer is not None and self.optimizer.full_batch:
            raise ValueError("callbacks got a backup, but LBFGS begins anew with each fit; wants none beside it")
        engine = self._built(train.width)
        assert self.optimizer is not None
        engine.set_optimizer(self.optimizer.row, self.optimizer.hyper(), *self.optimizer.options())
        self.stop_training = False
        self.history = history
        history.samples = len(train) if isinstance(train, Data) else 0

        def timed(seconds: list[float], rows: int) -> None:
            history.seconds.extend(seconds)
            history.samples = rows

        def look() -> None:
            assert isinstance(train, Data)
            try:
                data.check_finite(train.x, "x", self.dtype)
            except ValueError:
                self.history, self._rng.bit_generator.state = history_before, draws
                raise

        chain.on_train_begin()
        try:
            history.interrupted = training.run(
                engine,
                self.optimizer,
                self._metrics,
                train,
                held,
                batch_size=rows_a_step,
                epochs=range(initial_epoch, epochs),
                shuffle=bool(shuffle),
                seed=int(self._rng.integers(2**61)),
                callbacks=chain,
                stopping=lambda: self.stop_training,
                timed=timed,
                look=look if late and isinstance(train, Data) else None,
            )
            if epochs > initial_epoch:
                engine.use_average()
        finally:
            chain.on_train_end()
        return history

    def _looks(self) -> bool:
        """Whether steps of training can look for NaN: nothing of the user's own may see one before."""
        engine = self._engine
        if engine is None or engine.backend == "numpy" or engine.functions:
            return False
        return not self.optimizer.full_batch  # type: ignore[union-attr]

    def _data(self, x: Any, y: Any, sample_weight: Any = None, class_weight: Any = None, name: str = "") -> Data:
        """x, y and weights, checked."""
        return self._wanted(class_weight).data(Chunk(x, y, sample_weight, name))

    def _wanted(self, class_weight: Any = None, target: bool = True) -> Requirements:
        """What this model wants of rows."""
        if not target:
            return Requirements(self._inputs, dtype=self.dtype, target=False)
        assert self.loss is not None
        plan = self._loss_plan or self._loss_plan_of(self.loss)
        units = [layer.units for layer in self._layers if isinstance(layer, Dense)]
        outputs = units[-1] if units else 0
        return Requirements(
            self._inputs,
            outputs,
            self.dtype,
            plan.labels,
            plan.domain,
            plan.outputs_a_target,
            class_weight=class_weight,
        )

    def _rows(
        self,
        x: Any,
        y: Any,
        sample_weight: Any,
        class_weight: Any = None,
        name: str = "",
        batch_size: int | None = None,
        steps: int | None = None,
        x_finite: bool = False,
    ) -> Data | Feed:
        """What fit and evaluate are given, in memory or to be streamed."""
        wanted = self._wanted(class_weight)
        feed = self._feed(x, y, sample_weight, wanted, name, batch_size, steps)
        return wanted.data(Chunk(x, y, sample_weight, name), x_finite=x_finite) if feed is None else feed

    def _feed(
        self,
        x: Any,
        y: Any,
        sample_weight: Any,
        wanted: Requirements,
        name: str = "",
        batch_size: int | None = None,
        steps: int | None = None,
    ) -> Feed | None:
        """x, if it is to be streamed."""
        if steps is not None:
            steps = data.positive_integer(steps, "steps")
        stream = streams.find(x, y, sample_weight)
        if stream is not None:
            return Feed(stream, wanted, batch_size, steps, name)
        if steps is not None:
            raise ValueError(f"steps got {steps} for data in memory, whose epoch is all of its rows; wants None")
        return None

    def train_on_batch(
        self, x: Any, y: Any, sample_weight: Any = None, class_weight: Any = None, return_dict: bool = False
    ) -> Any:
        """One step over all rows of x; the loss before it (and metrics), as evaluate returns them."""
        self._compiled("train_on_batch")
        if self.optimizer.full_batch:  # type: ignore[union-attr]
            raise RuntimeError(
                "train_on_batch takes a single step, which LBFGS cannot; wants fit, or another optimizer"
            )
        batch = self._plain_batch(x, y) if sample_weight is None and class_weight is None else None
        batch = batch or self._data(x, y, sample_weight, class_weight)
        engine = self._built(batch.width)
        assert self.optimizer is not None
        engine.set_optimizer(self.optimizer.row, self.optimizer.hyper(), *self.optimizer.options())
        values = self._step(engine, batch)
        self.optimizer.__dict__["iterations"] = engine.iterations  # it counts right: no need of a check
        if values is None:
            raise FloatingPointError(
                "train_on_batch: the step made the loss or a weight NaN or infinite; the weights are as before. "
                "Try a smaller learning_rate, or scaled inputs"
            )
        return self._scores(values, return_dict)

    def _plain_batch(self, x: Any, y: Any) -> Data | None:
        """x and y as they are, where a glance shows that nothing is wrong with them."""
        engine, plan = self._engine, self._loss_plan
        if engine is None or plan is None or plan.labels or plan.domain or plan.outputs_a_target > 1:
            return None
        if not (quick.fits(x, engine.inputs, engine.dtype) and quick.fits(y, engine.outputs, engine.dtype)):
            return None
        return Data(x, y) if len(x) == len(y) and quick.finite(x) and quick.finite(y) else None

    def _step(self, engine: Engine, batch: Data) -> Array | None:
        """One step; the means of the loss before it and of the metrics, None if it diverged."""
        rows = len(batch)
        key = ("step", rows, self.optimizer.row)  # type: ignore[union-attr]
        step = engine.prepared.get(key)
        if step is None and quick.Step.suits(engine, rows):
            if len(engine.prepared) > 8:  # every batch another size: keep no more
                engine.prepared.clear()
            step = engine.prepared[key] = quick.Step(engine, rows, batch.labels)
        if step is not None:
            values: Array | None = step(batch)
            return values
        run = engine.train(batch, rows, 1, False, 0)
        run.advance(1)
        if run.diverged:
            run.restore_good()
            return None
        means: Array = run.results[0] / rows
        return means

    def evaluate(
        self,
        x: Any,
        y: Any = None,
        batch_size: int | None = None,
        verbose: str | int = "auto",
        sample_weight: Any = None,
        return_dict: bool = False,
        class_weight: Mapping[int, float] | str | None = None,
        steps: int | None = None,
    ) -> Any:
        """The loss, and the metrics, as means over all rows; weights of rows and classes, and streams, are as in fit.

        Returns
        -------
        float, list of float, or dict
            The loss alone where there are no metrics; a dict by name with ``return_dict``.  ``batch_size`` is taken for
            Keras's sake: blocks are cut to fit the cache, and the result does not depend on them.
        """
        self._compiled("evaluate")
        if batch_size is not None:
            data.batch_size(batch_size)
        rows = self._rows(x, y, sample_weight, class_weight, steps=steps)
        engine = self._built(rows.width)
        values = evaluate(engine, rows)
        if verbosity(verbose):
            logs = training.named(values, self._metrics)
            print(" - ".join(f"{name}: {value:.4f}" for name, value in logs.items()))
        return self._scores(values, return_dict)

    def test_on_batch(self, x: Any, y: Any, sample_weight: Any = None, return_dict: bool = False) -> Any:
        """The same as evaluate, silent."""
        return self.evaluate(x, y, verbose=0, sample_weight=sample_weight, return_dict=return_dict)

    def _scores(self, values: Array, return_dict: bool) -> Any:
        if not (return_dict or self._metrics):
            return float(values[0])
        logs = training.named(values, self._metrics)
        if return_dict:
            return logs
        scores = list(logs.values())
        return scores if len(scores) > 1 else scores[0]

    # --- Predicting, and looking inside ---

    def predict(self, x: Any, batch_size: int | None = None, verbose: str | int = 0, steps: int | None = None) -> Array:
        """The network's output for each row of x: (rows, units of the last layer), of the model's dtype.

        x may be a stream, as in fit; ``steps`` is how many batches are taken of an iterator.

        Raises
        ------
        TypeError, ValueError
            x has another shape or holds something else than real numbers; it has a NaN or an infinite value, and the
            output has therefore, too.
        """
        if batch_size is not None:
            data.batch_size(batch_size)
        engine = self._engine
        output: Array | None = None
        if engine is not None and steps is None and quick.fits(x, engine.inputs, engine.dtype):
            with engine.busy:
                prepared = quick.predictor(engine, len(x))
                if prepared is not None:
                    output = prepared(x)
        if output is None:
            feed = self._feed(x, None, None, self._wanted(target=False), steps=steps)
            if feed is not None:
                return feed.predict(self._built(feed.width))
            features = data.features(x, self._inputs, "x", finite=False)
            output = self._built(features.shape[1]).predict(Data(features))
        if not quick.finite(output) and not np.isfinite(output).all():  # then look for what did it
            data.features(x, self._inputs, "x", self.dtype)
        return output

    def predictor(self, rows: int = 1) -> quick.Predictor:
        """A function that predicts a fixed number of rows in the least time, for control loops and the like.

        Parameters
        ----------
        rows : int

        Returns
        -------
        Predictor
            Call it with (rows, inputs) values, or (inputs,) for one row; it returns (rows, units).  It looks at
            shapes only, not for NaN.  One thread at a time may call one predictor.

        Examples
        --------
        >>> import numpy as np
        >>> from fastnn import Sequential
        >>> from fastnn.layers import Dense, Input
        >>> act = Sequential([Input((3,)), Dense(2)]).predictor()
        >>> act(np.zeros(3)).shape
        (1, 2)
        """
        return quick.Predictor(self._built(), data.positive_integer(rows, "rows"))

    def predict_on_batch(self, x: Any) -> Array:
        """The same as predict."""
        return self.predict(x)

    def __call__(self, x: Any) -> Array:
        """The same as predict."""
        return self.predict(x)

    def forward(self, x: Any) -> list[Array]:
        """Every layer's activations, a (rows, units) array each: h_1 = f_1(x W_1 + b_1), h_2 = f_2(h_1 W_2 + b_2), ...

        A Dense layer whose activation is an Activation layer behind it has that layer's.
        """
        features = data.features(x, self._inputs, "x", self.dtype)
        outputs = self._built(features.shape[1]).activations(Data(features))
        return [outputs[place] for place in self._places]

    def gradients(self, x: Any, y: Any, sample_weight: Any = None) -> list[dict[str, Array]]:
        """What backpropagation yields: the derivative of the mean loss over the rows of x by each weight.

        Returns
        -------
        list of dict
            A layer each, ``{"kernel": (inputs, units), "bias": (units,)}``, of a normalisation "gamma" and "beta";
            empty for a layer without weights.  Penalties on the weights count; batches are normalised by their own
            statistics; dropout and other noise is left out.
        """
        self._compiled("gradients")
        rows = self._data(x, y, sample_weight)
        engine = self._built(rows.width)
        vector, _ = engine.gradient(rows)
        gradients: list[dict[str, Array]] = []
        for layer, place in zip(self._layers, self._places, strict=True):
            parts: dict[str, Array] = {}
            if isinstance(layer, Weighted):
                parts = {name: view.copy() for name, view in _views(engine, layer, place, vector).items()}
            gradients.append(parts)
        return gradients

    # --- Keeping ---

    def get_config(self) -> dict[str, Any]:
        """All but the weights, as JSON-able values."""
        return {
            "name": self.name,
            "inputs": self._inputs,
            "layers": [serialize(layer) for layer in self._layers],
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Sequential:
        """A new model, with new weights, of the same structure."""
        model = cls([layer_types.deserialize(entry) for entry in config["layers"]], name=config["name"])
        model._inputs = config["inputs"]
        return model

    def save(self, path: str | os.PathLike[str], metadata: Mapping[str, Any] | None = None) -> None:
        """Write structure, weights and the optimizer's state to one file, whole or not at all.

        Parameters
        ----------
        path : path
        metadata : dict, optional
            JSON-able values of your own; ``load_model(path).metadata`` gives them back.
        """
        self._built()
        if metadata is not None:
            json.dumps(metadata)  # raises before anything is changed
            self.metadata = dict(metadata)
        model_file.save(path, *self._contents())

    def _contents(self) -> tuple[dict[str, Any], dict[str, Array]]:
        """All that makes the model: what JSON can hold, and the arrays."""
        document: dict[str, Any] = {
            "config": self.get_config(),
            "dtype": self.dtype,
            "metadata": self.metadata,
            "random": self._rng.bit_generator.state,
            "compiled": None,
        }
        if self.optimizer is not None:
            document["compiled"] = {
                "optimizer": serialize(self.optimizer),
                "loss": None if self.loss is None else serialize(self.loss),
                "metrics": [serialize(metric) for metric in self._resolve(self._metrics_asked, self.loss)],
                "iterations": self.optimizer.iterations,
            }
        arrays: dict[str, Array] = {}
        if self._engine is not None:
            arrays |= {f"weights/{i}": array for i, array in enumerate(self.get_weights())}
            arrays |= {name: slot.copy() for name, slot in _slots(self._engine).items()}
        return document, arrays

    def _bring_back(self, document: Mapping[str, Any], arrays: Mapping[str, Array]) -> None:
        """Weights, slots and count of updates as in what `_contents` returned; of a model of the same structure."""
        engine = self._built()
        slots = _slots(engine)
        for name, slot in slots.items():
            if arrays[name].shape != slot.shape:
                raise ValueError(f"{name} has shape {arrays[name].shape}; wants {slot.shape}")
            data.check_finite(arrays[name], name, self.dtype)
        self.set_weights(_weights(arrays))
        for name, slot in slots.items():
            slot[...] = arrays[name]
        if self.optimizer is not None:
            engine.iterations = self.optimizer.iterations = document["compiled"]["iterations"]

    def _check_weights(self, weights: Sequence[Array]) -> None:
        """Raise ValueError unless these are the weights of such a model, built or not."""
        shapes = list(self._weight_shapes().values())
        if [array.shape for array in weights] != shapes:
            raise ValueError(f"its weights have shapes {[array.shape for array in weights]}; wants {shapes}")

    def save_weights(self, path: str | os.PathLike[str]) -> None:
        """Write the weights alone, in the safetensors format, whole or not at all; it takes the package safetensors.

        Parameters
        ----------
        path : path
            "model.safetensors".  Its tensors are named "dense/kernel", "dense/bias", "dense_1/kernel", ...: the names
            that Keras gives, kernels (inputs, units).  Their SHA-256 are among its metadata.

        Raises
        ------
        OSError
            The file cannot be written.
        """
        tensor_file.save(path, self._named_weights())

    def load_weights(self, path: str | os.PathLike[str]) -> None:
        """Read weights from a file in the safetensors format, all or none, by the names that `save_weights` gives.

        Raises
        ------
        ModelFileError
            It is no such file, is damaged, or holds other names, other shapes, or values that are not finite.
        """
        self._built()
        own = self._weight_shapes()
        tensors = tensor_file.load(path)
        try:
            if set(tensors) != set(own):
                raise ValueError(f"it holds {sorted(tensors)}; wants {sorted(own)}")
            self.set_weights([tensors[name] for name in own])
        except (TypeError, ValueError) as error:
            raise ModelFileError(f"{os.fspath(path)} holds no weights of this model: {error}") from error

    def _named_weights(self) -> dict[str, Array]:
        return dict(zip(self._weight_shapes(), self.get_weights(), strict=True))

    def _weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """The names and shapes of what `get_weights` returns, whether the model is built or not."""
        width = self._inputs or 0
        shapes: dict[str, tuple[int, ...]] = {}
        for layer in self._layers:
            shapes |= {f"{layer.name}/{name}": shape for name, shape in layer.weight_shapes(width).items()}
            width = layer.units if isinstance(layer, Dense) else width
        return shapes

    def __getstate__(self) -> tuple[Any, ...]:
        """Pickles, and copies, are made of what a file holds."""
        return (*self._contents(), self._backend, self._threads, self._custom_objects())

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        *contents, custom_objects = state
        with custom_object_scope(custom_objects):
            vars(self).update(vars(_made(*contents)))

    def _custom_objects(self) -> dict[str, CustomObject]:
        """What is made of functions of the user's own, by the names that a file holds of them."""
        made = [self.loss, *(layer.activation for layer in self._layers if hasattr(layer, "activation"))]
        if self.optimizer is not None:
            made += [self.optimizer.schedule, getattr(self.optimizer.schedule, "schedule", None)]
        return {found.function_name: found for found in made if isinstance(found, CustomObject)}


def load_model(
    path: str | os.PathLike[str],
    *,
    backend: str = "auto",
    threads: int | None = None,
    custom_objects: Mapping[str, Any] | None = None,
) -> Sequential:
    """Read a model that ``save`` wrote: ready to predict, and to train on where it was compiled.

    Parameters
    ----------
    path : path
    backend, threads
        As in Sequential.compile: a file does not say where it is to be run.
    custom_objects : dict of str to object, optional
        Losses, activations and schedules of your own, by the names that they had; or the functions that they are made
        of, a tuple where they are several. A file holds no code.

    Raises
    ------
    FileNotFoundError
    ModelFileError
        Not a model file, truncated, corrupt, or of a newer format.
    """
    lookup(backend, ["auto", *BACKENDS], "backend")
    document, arrays = model_file.load(path)
    scope = custom_object_scope(custom_objects)
    try:
        with scope:
            model = _made(document, arrays, backend, threads)
    except Exception as error:  # checksums fit, but no model comes of it
        raise ModelFileError(
            f"{os.fspath(path)}, which fastnn {document['fastnn']} wrote, describes no model that this fastnn "
            f"can build: {error}"
        ) from error
    model.saved_by = document["fastnn"]
    return model


def _made(document: dict[str, Any], arrays: dict[str, Array], backend: str, threads: int | None) -> Sequential:
    model = Sequential.from_config(document["config"])
    model._backend, model._threads = backend, threads
    compiled = document["compiled"]
    model.dtype = lookup(document["dtype"], DTYPES, "dtype")
    weights = _weights(arrays)
    if arrays or "fastnn" in document:  # a file is of a model that is built
        model._check_weights(weights)  # before anything is allocated on the word of its description
    inputs, model._inputs = model._inputs, None  # no weights are drawn
    if compiled is not None:
        model.compile(
            optimizer=deserialize(compiled["optimizer"], optimizers.Optimizer, "optimizer"),
            loss=None if compiled["loss"] is None else deserialize(compiled["loss"], losses.Loss, "loss"),
            metrics=[deserialize(metric, metrics.Metric, "metrics") for metric in compiled["metrics"]],
            dtype=model.dtype,
            backend=backend,
            threads=threads,
        )
    model._inputs = inputs
    if arrays:
        model._make_engine(weights)
        model._bring_back(document, arrays)
    model._rng.bit_generator.state = document["random"]
    model.metadata = document["metadata"]
    return model


def _weights(arrays: Mapping[str, Array]) -> list[Array]:
    return [arrays[name] for name in arrays if name.startswith("weights/")]


def _slots(engine: Engine) -> dict[str, Array]:
    """The optimizer's state, as views: each slot of each layer's weights, with the bias as a last row."""
    vectors = engine.slots.reshape(-1, engine.parameter_count)
    return {
        f"slots/{slot}/{number}": engine.matrix(number, vector)
        for slot, vector in enumerate(vectors)
        for number, plan in enumerate(engine.plans)
        if plan.trained
    }


def dense_fields(layer: Dense) -> dict[str, float]:
    """A dense layer's rates and penalties, as fields of its record."""
    fields = {"kernel_rate": layer.kernel_rate, "bias_rate": layer.bias_rate}
    for part, regularizer in (("kernel", layer.kernel_regularizer), ("bias", layer.bias_regularizer)):
        if regularizer is not None:
            fields |= {"penalized": 1, f"{part}_l1": regularizer.l1, f"{part}_l2": regularizer.l2}
    return fields


def normalization_plan(layer: Normalization, width: int) -> LayerPlan:
    constants = {"epsilon": layer.epsilon}
    kind = "layer_normalization"
    if isinstance(layer, BatchNormalization):
        kind, constants["momentum"] = "batch_normalization", layer.momentum
    return LayerPlan(width, use_bias=layer.center, kind=kind, constants=constants, use_gamma=layer.scale)


def noise_plan(layer: Noise, width: int, number: int) -> LayerPlan:
    constants: dict[str, float] = {"seed": number if layer.seed is None else layer.seed}
    kind = "dropout"
    match layer:
        case Dropout():
            constants |= noise_of_dropout(layer.rate)
        case AlphaDropout():
            constants |= noise_of_alpha_dropout(layer.rate)
        case GaussianNoise():
            kind, constants["deviation"] = "gaussian_noise", layer.stddev
    return LayerPlan(width, use_bias=False, kind=kind, constants=constants)


def _views(engine: Engine, layer: Weighted, place: int, vector: Array | None = None) -> dict[str, Array]:
    """A layer's weights by name, in order, or a gradient by them: views, not to be written."""
    views: dict[str, Array | None]
    if isinstance(layer, Dense):
        views = {"kernel": engine.kernel(place, vector), "bias": engine.bias(place, vector)}
    else:
        views = {"gamma": engine.gamma(place, vector), "beta": engine.bias(place, vector)}
        if isinstance(layer, BatchNormalization) and vector is None:
            views["moving_mean"], views["moving_variance"] = engine.moving(place)
    return {name: view for name, view in views.items() if view is not None}


def _checked(layer: Weighted, weights: Sequence[npt.ArrayLike]) -> list[Array]:
    """A layer's new weights, of the right shapes and finite."""
    wanted = layer._held()
    if len(weights) != len(wanted):
        raise ValueError(f"weights got {len(weights)} arrays for {layer.name!r}; wants {len(wanted)}")
    arrays = []
    for (name, view), given in zip(wanted.items(), weights, strict=True):
        array = data.as_array(given, f"weights: {name} of {layer.name!r}")
        if array.shape != view.shape:
            raise ValueError(f"weights got {name} {array.shape} for {layer.name!r}; wants {view.shape}")
        data.check_finite(np.atleast_1d(array), f"weights: {name} of {layer.name!r}", view.dtype.name)
        if name == "moving_variance" and (array < 0).any():
            raise ValueError(f"weights got a moving_variance below 0 for {layer.name!r}; wants at least 0")
        arrays.append(array)
    return arrays


def _assigner(engine: Engine, layer: Weighted, place: int) -> Callable[[Sequence[npt.ArrayLike]], None]:
    def assign(weights: Sequence[npt.ArrayLike]) -> None:
        engine.assign(place, _checked(layer, weights))

    return assign
