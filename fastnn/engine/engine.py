"""One network and the kernels over it: its parts, and what it can be asked to do.  What it is given is validated."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from fastnn.kernels import records
from fastnn.kernels.formulas import LOSSES
from fastnn.kernels.records import JobRecord
from fastnn.turns import Turns
from . import inference
from .backends import load
from .company import Team, share, team
from .cost_model import CostModel
from .dataset import Data, point_at
from .functions import Function
from .jobs import MODE, SYNCHRONISATION_WORDS, blank, column_records, fill_training, replica
from .layer_plan import LayerPlan
from .layout import Layout
from .memory import Array, Buffers, address, aligned
from .optimizer import OptimizerPlan, OptimizerSettings
from .parameters import Count, Parameters
from .run import RunMemory, Training
from .sparse import SparseRows
from .workers import crew_of


class Engine:
    """A network: its layout and parameters, what it is trained for, and the job by which the kernels are called.

    Parameters
    ----------
    inputs : int
        Width of the network's input.
    layers : sequence of LayerPlan
    dtype : {"float32", "float64"}
    backend : {"auto", "numba", "cython", "numpy"}
    threads : int or None
        None chooses by the work in a step.

    Attributes
    ----------
    turns : Turns
        Of whoever uses the job, the buffers or the parameters.
    count : Count
        Of updates that have been made, `iterations`; whoever has it sees it grow.
    metrics : array of int
        Codes of the metrics.
    frozen : frozenset of int
        The layers whose parameters stay as they are, by their numbers; see `freeze`.
    prepared : dict
        Jobs for few rows, see prepared.py.
    """

    def __init__(self, inputs: int, layers: Sequence[LayerPlan], dtype: str, backend: str, threads: int | None) -> None:
        self.inputs, self.plans, self.dtype = inputs, list(layers), np.dtype(dtype)
        self.backend, self.entry = load(backend, dtype)
        self.turns = Turns()
        self.metrics = np.zeros(0, np.int64)
        self.keeps_outputs = False  # of each epoch of training, for metrics that are no sums over rows
        self.pace = (0, 0.0)  # rows and seconds of the last steps that were timed
        self.crew = crew_of(self.entry)
        self._team: tuple[tuple[int, int], Team] | None = None  # of the last run's kind
        self.trains = False  # fit does
        self.prepared: dict[Any, Any] = {}
        self.buffers = Buffers()
        self.spare_memory: RunMemory | None = None  # of the last run
        self.synchronisation = aligned(SYNCHRONISATION_WORDS, np.int64)
        self.layout = layout = Layout(inputs, self.plans, self.dtype)
        self.layers, self.outputs, self.parameter_count = layout.records, layout.outputs, layout.parameter_count
        self.costs = CostModel(layout, self.backend == "numpy", threads)
        self.job, self.blank = JobRecord(), blank(layout, self.synchronisation)
        self.job.loss.target_scale = self.job.loss.score_scale = 1.0
        network = self.job.network
        network.layer_count, network.first_trained = len(self.plans), layout.first_trained
        network.noisy = any(plan.noise for plan in self.plans)
        network.penalized = any(record.penalized for record in self.layers)
        network.constrained = any(record.kernel_constraint or record.bias_constraint for record in self.layers)
        network.updated_count = _count_of(self.layers)
        self.frozen: frozenset[int] = frozenset()
        self.parameters = Parameters(layout, network, self.dtype)
        self.optimizer = OptimizerSettings(self.job.optimizer, self.parameters)

    @property
    def threads(self) -> int | None:
        """As many threads as were asked for; None: chosen by the work in a step."""
        return self.costs.threads

    @threads.setter
    def threads(self, threads: int | None) -> None:
        self.costs = replace(self.costs, threads=threads)

    @property
    def busy(self) -> Any:
        """The lock of whoever uses the job, the buffers or the parameters; RuntimeError in the midst of such use."""
        return self.turns.first

    @property
    def still(self) -> Any:
        """The lock of whoever reads parameters that nobody else may change meanwhile."""
        return self.turns.lock

    @property
    def count(self) -> Count:
        """Of updates that have been made, `iterations`: the kernels count, and whoever has it sees it grow."""
        return self.parameters.count

    @property
    def iterations(self) -> int:
        """Updates that have been made."""
        return self.parameters.count.value

    @iterations.setter
    def iterations(self, iterations: int) -> None:
        self.parameters.count.value = iterations

    @property
    def functions(self) -> list[Function]:
        """Those of the user's own that the kernels call."""
        loss = self.costs.loss_function
        return self.layout.functions + ([] if loss is None else [loss])

    def costs_of(self, data: Data) -> CostModel:
        """The choices for data, which may be sparse."""
        if not isinstance(data.x, SparseRows):
            return self.costs
        return replace(self.costs, entries=data.x.entries / max(1, len(data)))

    def team_of(self, batch_size: int, threads: int) -> Team | None:
        """How many threads take steps of so many rows, of as many as those pay for; None: as many as were asked for."""
        if self.threads is not None or threads == 1:
            return None
        if self._team is None or self._team[0] != (batch_size, threads):
            self._team = (batch_size, threads), team(threads)
        return self._team[1]

    # --- What to train for ---

    def set_loss(
        self,
        loss: str,
        on_logits: bool,
        parameter: Function | Sequence[float | Sequence[float]],
        metrics: Sequence[str],
        smoothing: float = 0.0,
    ) -> None:
        """The loss and the metrics, by their names in LOSSES.

        ``parameter``: the loss's constants, each a number or some that take turns; or the function of a "custom" one.
        ``smoothing``: this part of each target is spread over the classes; over yes and no for a loss of each output.
        """
        group, codes, stride = self.job.loss, list(LOSSES), self.layers[-1].output_stride
        self.metrics = np.array([codes.index(m) for m in metrics], np.int64)
        self._loss_parameters = aligned(3 * stride, self.dtype)
        function = parameter if isinstance(parameter, Function) else None
        self.costs = replace(self.costs, loss_function=function)
        if isinstance(parameter, Function):
            group.code, group.function, mean = records.CUSTOM, parameter.address(self.dtype.name), parameter.mean
        else:
            group.code, group.function, mean = codes.index(loss), 0, LOSSES[loss].mean
            for row, values in zip(self._loss_parameters.reshape(3, stride), parameter, strict=False):
                row[: self.outputs] = np.resize(values, self.outputs)
        group.on_logits, group.parameters = on_logits, address(self._loss_parameters)
        group.scale = 1 / self.outputs if mean else 1.0
        group.target_scale, group.target_shift = 1 - smoothing, smoothing / (2 if mean else self.outputs)
        group.metric_count, group.metrics = len(metrics), address(self.metrics)

    def penalize(self, kernel_l2: float, by_row: bool) -> None:
        """Add kernel_l2 w^2 of every weight but biases to the loss.

        ``by_row``: divided by the number of rows in a step, or by the sum of their weights where row weights are laid
        down; then it is no part of what evaluate returns.
        """
        for record, layer in zip(self.layers, self.plans, strict=True):
            record.kernel_l2 = kernel_l2
            record.penalized = int(layer.dense and kernel_l2 > 0)
        self.job.network.penalized, self.job.network.penalty_by_row = int(kernel_l2 > 0), int(by_row)

    def freeze(self, frozen: frozenset[int]) -> None:
        """Let the parameters of these layers stay as they are, and those of the others be trained.

        What stays costs no gradient and no update, has no penalty, and is no part of norms to clip by; a batch
        normalisation of them goes by its moving statistics.
        """
        if frozen == self.frozen:
            return
        with self.busy:
            before, self.frozen = self.frozen, frozen
            for number, (record, plan) in enumerate(zip(self.layers, self.plans, strict=True)):
                record.frozen = number in frozen
                record.penalized = int(plan.constants.get("penalized", 0)) * (number not in frozen)
            trained = [n for n, plan in enumerate(self.plans) if plan.trained and n not in frozen]
            network = self.job.network
            network.first_trained = min(trained, default=len(self.plans))
            network.penalized = any(record.penalized for record in self.layers)
            network.updated_count = _count_of(self.layers)
            self.parameters.settle_average(self.job.optimizer.average, frozen | before)
            self.buffers.pop("gradients", None)  # chunks add up whole vectors: what is not written there stays 0
            self.prepared.clear()  # they hold what was set before

    def set_optimizer(self, plan: OptimizerPlan) -> None:
        """The optimizer that trains from now on."""
        before = self.optimizer.plan
        if plan is before or plan == before:
            return
        with self.busy:
            if before is None or plan._replace(hyper=before.hyper) != before:
                self.prepared.clear()  # they hold what was set before
            self.optimizer.set(plan)

    def forget(self) -> None:
        """Let the next set_optimizer begin anew."""
        self.optimizer.plan = None
        self.parameters.forget_slots()

    def use_average(self) -> None:
        """Let the moving average of the parameters, where there is one, take their place."""
        if self.job.optimizer.average >= 0 and self.iterations:
            with self.busy:
                self.parameters.take_average(self.job.optimizer.average, self.frozen)

    def schedule(self, steps: int) -> int:
        """Put the learning rates of the next steps in place; returns of how many, at most ``steps``."""
        return self.optimizer.schedule(self.iterations, steps, self.buffers)

    def guessed_seconds(self, batch_size: int, costs: CostModel | None = None) -> float:
        """What a step of training may take: what one took the last time, or what its arithmetic would."""
        rows, seconds = self.pace
        return seconds if rows == batch_size else (costs or self.costs).step_seconds(batch_size)

    # --- Calling the kernels ---

    def call(self, job: Any, synchronisation: Array, threads: int, replicate: bool = False) -> None:
        """Run a job on so many threads, which meet at its words; ``replicate``: each has parameters of its own.

        It may be fewer threads where the system grants no more.
        """
        layers, ended = ctypes.addressof(self.layers), records.LACKING
        while ended == records.LACKING:
            job.run.threads, job.split.replicated = threads, replicate and threads > 1
            if threads == 1:
                ended = self.entry(layers, ctypes.addressof(job), 0)
            else:
                kept = self._divide(job, layers, threads)  # alive until they have been read
                ended = self.crew.call(layers, job, threads)
                del kept
            threads -= 1
        self.check_functions(synchronisation)

    def _divide(self, job: Any, layers: int, threads: int) -> Any:
        """Make each thread's own records, where it has some, and say where they are; returns what holds them."""
        own = None
        if job.split.by_columns and job.run.mode == MODE["train"]:  # else, predicting, they share all
            own = column_records(self, job, threads)
            job.split.own_records = ctypes.addressof(own)
        replicated = job.split.replicated
        jobs = [job, *(replica(self, number) if replicated else job for number in range(1, threads))]
        places = (ctypes.c_int64 * threads)(*map(ctypes.addressof, jobs))
        job.run.layers, job.run.jobs = layers, ctypes.addressof(places)
        return own, jobs, places

    def assign(self, number: int, arrays: Sequence[Array]) -> None:
        """Set a layer's weights, see `Parameters.assign`."""
        with self.busy:
            self.parameters.assign(number, arrays)

    def check_functions(self, synchronisation: Array) -> None:
        """Raise what a function of the user's own raised."""
        if synchronisation[records.ABORTED]:
            failed = [function for function in self.functions if function.error] or self.functions
            raise failed[0].failure()

    def train(self, data: Data, batch_size: int, epochs: int, shuffle: bool, seed: int) -> Training:
        return Training(self, data, min(batch_size, len(data)), epochs, shuffle, seed)

    def evaluate(self, data: Data, output: Array | None = None) -> Array:
        """The means over the rows of the loss and of each metric; ``output`` (rows, outputs) gets what was scored."""
        with self.busy:
            means: Array = inference.infer(self, data, output).sum(axis=0) / len(data)
            if self.job.network.penalized and not self.job.network.penalty_by_row:
                means[0] += self.parameters.penalty()
        return means

    def predict(self, data: Data) -> Array:
        """The network's output for each row: (rows, units of the last layer)."""
        output = np.empty((len(data), self.outputs), self.dtype)
        with self.busy:
            inference.infer(self, data, output, "predict")
        return output

    def sample(self, data: Data, seed: int) -> Array:
        """The output for each row as in training: with noise by the seed, and moving statistics that follow."""
        with self.busy:
            return inference.sample(self, data, seed)

    def activations(self, data: Data) -> list[Array]:
        """Every layer's output, each (rows, units)."""
        with self.busy:
            return inference.activations(self, data)

    def gradient(self, data: Data) -> tuple[Array, float]:
        """The gradient of the mean loss over all rows, laid out like the parameters, and that loss."""
        rows, job = len(data), self.job
        data = data.block(slice(None), self.dtype) if not data.direct else data
        results = np.zeros(1 + len(self.metrics))
        with self.busy:
            costs = self.costs_of(data)
            threads = costs.training_threads(rows, rows)
            if self.threads is None:
                threads = share(threads)
            fill_training(self, "gradient", rows, threads, costs.chunks(rows), costs=costs)
            job.data, job.order = point_at(data, rows), self.blank.order
            job.run.last_step = job.run.steps_per_epoch = 1
            job.memory.results = address(results)
            self.call(job, self.synchronisation, threads)
            gradient = self.buffers["gradients"][: self.parameter_count].copy()
            for number in self.frozen:
                self.parameters.matrix(number, gradient)[...] = 0
        return gradient, float(results[0]) / rows

    def update(self, gradient: Array) -> None:
        """One step of the optimizer along a gradient laid out like the parameters."""
        with self.busy:
            fill_training(self, "update", 8, 1)
            self.job.order = self.blank.order
            self.job.optimizer.iterations = self.iterations
            self.buffers["gradients"][: self.parameter_count] = gradient
            self.schedule(1)
            self.call(self.job, self.synchronisation, 1)
            self.parameters.came_along()


def _count_of(layers: Any) -> int:
    """The values of the matrices that are not frozen."""
    return sum(record.height * record.stride for record in layers if not record.frozen)
