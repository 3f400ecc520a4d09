"""What a model is trained for, and how it is computed: compile."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Self

import numpy as np

from fastnn import data, losses, metrics, optimizers
from fastnn.distribution import DataParallel
from fastnn.engine import BACKENDS, DTYPES, Engine, load
from fastnn.errors import warn
from fastnn.layers import Layer
from fastnn.names import lookup
from fastnn.turns import exclusive
from . import distributed
from .describing import Described
from .plans import layer_plans
from .structure import Structure


class Compiled(Described):
    """Layers, with an optimizer, a loss and metrics once they are compiled."""

    def __init__(
        self, layers: Sequence[Layer | Structure] | None, name: str | None, seed: int | None, trainable: bool = True
    ) -> None:
        self.optimizer: optimizers.Optimizer | None = None
        self._distribution: DataParallel | None = None
        self.loss: losses.Loss | None = None
        self._loss_plan: losses.LossPlan | None = None
        self._metrics_asked: tuple[Any, Any] = None, None  # without and with weights
        self._metrics: list[metrics.Watched] = []
        self._unfit: ValueError | None = None  # why the loss does not fit a layer that was changed
        super().__init__(layers, name, seed, trainable)

    def _uncompile(self) -> None:
        vars(self).update(optimizer=None, loss=None, _loss_plan=None, _metrics_asked=(None, None), _metrics=[])
        self._unfit = None

    @exclusive(nests=False)
    def compile(
        self,
        optimizer: str | optimizers.Optimizer = "rmsprop",
        loss: str | losses.Loss | None = None,
        metrics: Sequence[Any] | None = None,
        *,
        weighted_metrics: Sequence[Any] | None = None,
        backend: str = "auto",
        threads: int | None = None,
        dtype: str = "float32",
        loss_weights: Any = None,
        run_eagerly: bool = False,
        steps_per_execution: int | str = 1,
        jit_compile: bool | str = "auto",
        auto_scale_loss: bool = True,
        distribution: DataParallel | None = None,
    ) -> None:
        """Choose what to train for, and how it is computed.

        Parameters
        ----------
        optimizer : str or Optimizer
            As in Keras, "rmsprop" where nothing is said.  An object that another model is compiled with is copied, for
            each model counts for itself; ``model.optimizer`` is what may be set.
        loss : str or Loss
        metrics : list of str, Metric, Loss, or function of (y_true, y_pred)
            Measured beside the loss, without weights of rows.  See `fastnn.metrics`.
        weighted_metrics : list of the same
            Measured with the weights of rows and classes.
        backend : {"auto", "numba", "cython", "numpy"}
            "auto": the first of them that is installed.
        threads : int, optional
            None: as many as the work in a step pays for, at most the processors that the process may use.
            Results do not depend on it, to the last bit.
        dtype : {"float32", "float64"}
            Of weights and arithmetic.
        loss_weights : optional
            None, 1 or [1]: a model has one loss.
        run_eagerly, steps_per_execution, jit_compile, auto_scale_loss
            Taken for Keras's sake: how Keras compiles has no meaning here, and no influence on results.
        distribution : DataParallel, optional
            The ranks of MPI share each fit; see `fastnn.distribution`.  Everything else, such as evaluate and predict,
            each rank does by itself; ``save`` writes on the first rank alone.

        Raises
        ------
        ValueError
            An unknown name; a loss that does not fit the last activation; a weight that the dtype cannot hold.
        RuntimeError
            While fit trains the model, in another thread or from one of its callbacks.
        """
        if distribution is not None and not isinstance(distribution, DataParallel):
            raise TypeError(f"distribution got {distribution!r}; wants a fastnn.distribution.DataParallel, or None")
        if loss_weights not in (None, 1, [1], (1,)):
            raise ValueError(
                f"loss_weights got {loss_weights!r}; wants None: a model has one loss; sample_weight weighs rows"
            )
        new_optimizer = optimizers.get(optimizer)
        new_loss = None if loss is None else losses.get(loss)
        lookup(backend, ["auto", *BACKENDS], "backend")
        dtype = lookup(dtype if isinstance(dtype, str) else np.dtype(dtype).name, DTYPES, "dtype")
        if threads is not None:
            threads = data.positive_integer(threads, "threads")
        if self._layers:  # before anything is changed
            if new_loss is not None:
                found = self._loss_plan_of(new_loss)
                if found.warning:
                    warn(found.warning)
            self._resolved((metrics, weighted_metrics), new_loss)
        load(backend, dtype)
        draft = self._draft(
            optimizer=new_optimizer.given_to(self),
            loss=new_loss,
            dtype=dtype,
            _metrics_asked=(metrics, weighted_metrics),
            _backend=backend,
            _threads=threads,
            _distribution=distribution,
            _engine=None,
            _loss_plan=None,
            _unfit=None,
        )
        if self._engine is not None or (self._inputs is not None and self._layers):
            draft._make_engine(self.get_weights() if self._engine is not None else None)
        if distribution is not None:
            distributed.check_alike(draft, distribution)
        self._become(draft)

    def _take(self, changed: Mapping[str, Any]) -> None:
        super()._take(changed)
        if self.optimizer is not None and ("optimizer" in changed or "_engine" in changed):
            self.optimizer.begin(self, self._engine)

    @property
    def _writes(self) -> bool:
        """Whether this process writes files: of ranks that share fits, the first one."""
        return self._distribution is None or self._distribution.ranks.first

    @classmethod
    def _settings(cls) -> Collection[str]:
        return ("dtype", "history", "loss", "metadata", "name", "optimizer", "saved_by", "stop_training", "trainable")

    def _changed(self, name: str, value: Any) -> Any:
        """Compile alone sets what the engine has taken up."""
        if name in ("dtype", "loss", "optimizer"):
            raise AttributeError(f"{name} got {value!r} for a model that has one; wants compile({name}=...)")
        return value

    def _go_back(self, attributes: Mapping[str, Any], random: Any) -> None:
        super()._go_back(attributes, random)
        if self.optimizer is not None:
            self.optimizer.begin(self, self._engine)

    def _set_up(self, engine: Engine) -> None:
        self._metrics = self._resolved(self._metrics_asked, self.loss)
        if self.loss is not None and self._unfit is None:
            plan = self._loss_plan = self._loss_plan_of(self.loss)
            rows = [metric.row for metric in self._metrics if metric.row]
            engine.keeps_outputs = len(rows) < len(self._metrics)
            engine.set_loss(plan.row, plan.on_logits, plan.parameter, rows, plan.smoothing)
        if self.optimizer is not None:
            self.optimizer.describe_to(engine)

    def _loss_plan_of(self, loss: losses.Loss) -> losses.LossPlan:
        """What the kernels are told of a loss, if it suits the last layer."""
        plans, _ = layer_plans(self._layers, self._inputs or 1)
        return loss.plan(plans[-1].activation, None if self._widths[-1] is None else plans[-1].units)

    def _resolved(self, asked: tuple[Any, Any], loss: losses.Loss | None) -> list[metrics.Watched]:
        """The metrics that are asked for."""
        return metrics.resolve(*asked, loss, self._widths[-1] or 1)

    @property
    def metrics_names(self) -> list[str]:
        """What evaluate returns: the loss and the metrics, by name."""
        return ["loss", *(metric.name for metric in self._resolved(self._metrics_asked, self.loss))]

    def _check_compiled(self, what: str) -> None:
        """Refuse to train or to measure a model that does not know what for."""
        if not self._layers:
            raise RuntimeError(f"{what} wants a layer: add a Dense first")
        if self.loss is None or self.optimizer is None:
            raise RuntimeError(f"{what} wants a loss: call compile(optimizer=..., loss=...) first")
        if self._engine is not None:
            self._built()
        if self._unfit is not None:
            raise ValueError(str(self._unfit))

    def _redrafted(self) -> Self:
        """A draft that predicts, where the loss does not fit the changed layers, and does not train."""
        draft = super()._redrafted()
        draft._unfit = None
        try:
            if self.loss is not None:
                self._loss_plan_of(self.loss)
        except ValueError as error:
            draft._unfit = error
        return draft
