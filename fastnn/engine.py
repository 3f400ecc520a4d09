"""A network as the kernels see it, and the jobs that they run on it.

The only module that imports fastnn.kernels.  Everything it is given has been validated.
"""

from __future__ import annotations

import ctypes
import hashlib
import importlib
import math
import os
import threading
import warnings
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fastnn.kernels import plan
from fastnn.kernels.formulas import ACTIVATIONS, LOSSES, OPTIMIZERS, SELU_ALPHA, SELU_SCALE
from fastnn.kernels.numpy_backend import mixed, shuffled
from .functions import Function
from .team import Crew, processors

__all__ = [
    "ACTIVATIONS",
    "LOSSES",
    "OPTIMIZERS",
    "SELU_ALPHA",
    "SELU_SCALE",
    "Engine",
    "LayerPlan",
    "Training",
    "describe",
    "warmup",
]

Array = npt.NDArray[Any]
Run = Callable[[int, int, int], int]
Rates = Callable[[Array], Array]
"""Learning rates of steps, counted from 0."""

BACKENDS = ("numba", "cython", "numpy")
DTYPES = ("float32", "float64")
WIDTH_MULTIPLE: int = plan.WIDTH_MULTIPLE
KIND_CODES = {np.dtype(kind): code for code, kind in enumerate(plan.KINDS)}

_lock = threading.Lock()
_engines: weakref.WeakSet[Engine] = weakref.WeakSet()


def _renew_locks() -> None:
    """In a forked child no other thread lives that would ever release them."""
    global _lock
    _lock = threading.Lock()
    for engine in _engines:
        engine.busy = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_locks)


def _structure(name: str, fields: dict[str, str]) -> type[Any]:
    kinds = {"i8": ctypes.c_int64, "f8": ctypes.c_double}
    return type(name, (ctypes.Structure,), {"_fields_": [(f, kinds[kind]) for f, kind in fields.items()]})


LayerRecord = _structure("LayerRecord", plan.LAYER_FIELDS)
JobRecord = _structure("JobRecord", plan.JOB_FIELDS)


class _Own(ctypes.Structure):
    """What a thread sees instead of the first layer and the job, where it has some units of that layer to itself."""

    _fields_ = (("layer", LayerRecord), ("job", JobRecord))


# --- Backends --------------------------------------------------------------------------------------------------------


@cache
def _load(backend: str, dtype: str) -> Run:
    module = importlib.import_module(f"fastnn.kernels.{backend}_backend")
    run: Run = module.load(dtype)
    return run


def load(backend: str, dtype: str) -> tuple[str, Run]:
    """The backend's name and its entry; "auto" takes the first that is there.  Raises ImportError."""
    with _lock:
        if backend != "auto":
            return backend, _load(backend, dtype)
        for name in BACKENDS[:2]:
            try:
                return name, _load(name, dtype)
            except ImportError:
                continue
        warnings.warn(
            "neither Numba nor fastnn's Cython extension is here, so plain NumPy runs, many times slower; "
            "`pip install numba` mends it, and backend='numpy' accepts it",
            stacklevel=2,
        )
        return "numpy", _load("numpy", dtype)


# --- Memory ----------------------------------------------------------------------------------------------------------


def padded(count: int) -> int:
    return -(-count // WIDTH_MULTIPLE) * WIDTH_MULTIPLE


def spread(count: int, size: int) -> int:
    """From one row of a matrix to the next, in values: rows whole kilobytes apart crowd into few sets of a cache."""
    stride = padded(count)
    return stride if stride * size % 1024 else stride + WIDTH_MULTIPLE


def aligned(count: int, dtype: npt.DTypeLike) -> Array:
    """A vector of zeros that starts on a cache line."""
    dtype = np.dtype(dtype)
    raw = np.zeros(count * dtype.itemsize + 64, np.uint8)
    start = -address(raw) % 64
    return raw[start : start + count * dtype.itemsize].view(dtype)


def address(array: Array | None) -> int:
    if array is None:
        return 0
    try:
        return ctypes.addressof(ctypes.c_char.from_buffer(array))  # type: ignore[arg-type]  # thrice as fast as below
    except (TypeError, ValueError):  # read-only, empty, or not in one piece
        return int(array.__array_interface__["data"][0])


def end_address(array: Array) -> int:
    """The first byte behind the array's last one."""
    if array.flags.c_contiguous:
        return address(array) + array.nbytes
    reach: int = sum(max(0, (n - 1) * stride) for n, stride in zip(array.shape, array.strides, strict=True))
    return address(array) + reach + array.itemsize


@dataclass
class Part:
    """A thread's part of a run, by its number, and how the threads of a crew do it together, as often as wanted."""

    run: Run
    layers: int
    jobs: list[int]
    synchronisation: Array

    def together(self, crew: Crew) -> None:
        crew.run(self, self.abort, lambda: bool(self.synchronisation[plan.LEFT] == crew.size), self.station)

    def abort(self) -> None:
        self.synchronisation[plan.ABORTED] = 1

    def station(self, held: Any) -> Any:
        return held if held is not None and held.run is self.run else _Station(self.run)

    def __call__(self, number: int) -> None:
        try:
            self.run(self.layers, self.jobs[number], number)
        except BaseException:  # it did not come to the barrier: the others must not wait
            self.abort()
            raise


class _Station:
    """Where a helper stands by: see team.Station."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.words = aligned(plan.STATION_WORDS, np.int64)
        self.words[plan.CALLED] = plan.GONE
        self.calls = 0
        self.jobs = (JobRecord * 2)()
        for job, mode in zip(self.jobs, ("stand_by", "engage"), strict=True):
            job.mode, job.synchronisation = MODE[mode], address(self.words)

    def stand_by(self) -> None:
        self.words[plan.CALLED] = 0
        self.run(0, ctypes.addressof(self.jobs[0]), 0)

    def call(self, part: Any, number: int) -> bool:
        return self._call(part.layers, part.jobs[number], number)

    def dismiss(self) -> None:
        self._call(0, 0, 0)

    def _call(self, layers: int, job: int, thread: int) -> bool:
        words = self.words
        words[plan.CALLED_LAYERS], words[plan.CALLED_JOB], words[plan.CALLED_THREAD] = layers, job, thread
        self.calls += bool(job)
        if self.run(0, ctypes.addressof(self.jobs[1]), 0):
            return True
        self.calls -= bool(job)
        return False

    def works(self) -> bool:
        return bool(self.words[plan.FINISHED] < self.calls)


class LayerPlan(NamedTuple):
    """One layer, of a kind in plan.LAYER_KINDS, and its activation.

    Noise acts in place on what the layer before it gives, so that one must keep nothing of its output for the way back.
    """

    units: int
    activation: str = "linear"
    parameter: float | Function = 0.0  # the activation's constant, or the function of one that is "custom"
    use_bias: bool = True  # of a normalisation: beta
    kind: str = "dense"
    constants: Mapping[str, float] = MappingProxyType({})  # fields of the layer's record
    use_gamma: bool = False

    @property
    def dense(self) -> bool:
        return self.kind == "dense"

    @property
    def noise(self) -> bool:
        return self.kind in ("dropout", "gaussian_noise")

    def suits(self, before: LayerPlan) -> bool:
        """Whether this noise may act in place on what that layer gives: its slope must not follow from its output.

        A relu's may: what is dropped there stays 0, and what is scaled keeps its sign.
        """
        if before.activation == "relu":
            return self.kind == "dropout" and self.constants["dropped"] == 0
        return before.activation in ("linear", "custom") or ACTIVATIONS[before.activation].keeps_slope

    @property
    def scales(self) -> bool:
        """Whether it may have a gamma and a beta: a normalisation, or a scaling."""
        return self.kind in ("batch_normalization", "layer_normalization", "scaling")

    @property
    def trained(self) -> bool:
        """Whether it has parameters."""
        return self.dense or (self.scales and (self.use_bias or self.use_gamma))


class Average(NamedTuple):
    """A moving average of the parameters; it overwrites them every ``frequency`` updates, unless that is 0."""

    momentum: float
    frequency: int


@dataclass
class Data:
    """Rows of inputs and what goes with them.  x and y are of KINDS, in any memory order, and finite."""

    x: Array
    y: Array | None = None
    labels: bool = False
    weight: Array | None = None

    def __len__(self) -> int:
        return len(self.x)

    @property
    def direct(self) -> bool:
        """Whether the kernels can read it where it lies."""
        return self.x.dtype in KIND_CODES and (self.y is None or self.y.dtype in KIND_CODES)

    @property
    def width(self) -> int:
        return int(self.x.shape[1])

    def split(self, count: int) -> tuple[Data, Data]:
        """The first rows, and the others."""
        return self.part(slice(0, count)), self.part(slice(count, None))

    def part(self, rows: slice) -> Data:
        """Some rows, where they lie."""
        y = None if self.y is None else self.y[rows]
        return Data(self.x[rows], y, self.labels, None if self.weight is None else self.weight[rows])

    def fingerprint(self) -> str:
        """A digest of the shapes and of some rows: cheap, and other data have another one, in all likelihood."""
        digest = hashlib.sha256(repr((self.x.shape, None if self.y is None else self.y.shape)).encode())
        rows = np.linspace(0, len(self) - 1, min(len(self), 64)).astype(np.int64)
        for array in (self.x, self.y, self.weight):
            if array is not None:
                digest.update(np.asarray(array[rows], np.float64).tobytes())
        return digest.hexdigest()

    def block(self, rows: slice | Array, dtype: npt.DTypeLike) -> Data:
        """Some rows, converted."""
        y = None if self.y is None else np.asarray(self.y[rows], np.int64 if self.labels else dtype)
        return Data(
            np.asarray(self.x[rows], dtype),
            y,
            self.labels,
            None if self.weight is None else self.weight[rows],
        )


def point_at(job: Any, data: Data) -> None:
    """Point a job at the data."""
    x, y = data.x, data.y
    job.x, job.x_kind = address(x), KIND_CODES[x.dtype]
    job.x_row, job.x_column = x.strides
    job.x_end = end_address(x)
    if y is not None:
        job.y, job.y_kind, job.y_labels = address(y), KIND_CODES[y.dtype], data.labels
        job.y_row, job.y_column = y.strides[0], y.itemsize if y.ndim == 1 else y.strides[1]
        job.y_end = end_address(y)
    job.sample_weight = address(data.weight)
    job.rows, job.origin = len(x), 0
    job.order = job.shares = 0


# --- The engine ------------------------------------------------------------------------------------------------------


class Engine:
    """Parameters, optimizer slots and workspaces of one network, and the kernels over them.

    Parameters
    ----------
    inputs : int
        Width of the network's input.
    layers : sequence of LayerPlan
    dtype : {"float32", "float64"}
    backend : {"auto", "numba", "cython", "numpy"}
    threads : int or None
        None chooses by the work in a step.
    """

    def __init__(self, inputs: int, layers: Sequence[LayerPlan], dtype: str, backend: str, threads: int | None) -> None:
        self.inputs, self.plans, self.dtype, self.threads = inputs, list(layers), np.dtype(dtype), threads
        self.backend, self.run = load(backend, dtype)
        self.busy = threading.Lock()
        _engines.add(self)
        self.processors = processors()
        self.pace = (0, 0.0)  # rows and seconds of the last steps that were timed
        self.changes = 0  # of the parameters, as seen from outside of a run
        self._capacity = 0
        self.stale = False  # the transposed copies are not in step with the matrices
        self.prepared: dict[Any, Any] = {}  # see quick.py
        self._optimizer: tuple[Any, ...] | None = None
        self._slot_names: list[str] = []
        self.rates: Rates | None = None
        self._loss_function: Function | None = None
        self.layers = (LayerRecord * len(self.plans))()
        self.job = JobRecord()
        self._lay_out()
        self.parameters = aligned(self.parameter_count, dtype)
        self.transposed = aligned(self._transposed_count, dtype)
        self.slots = aligned(0, dtype)
        self.spare_backup = aligned(0, dtype)
        self.state = aligned(self._state_count, dtype)
        self.hyper = np.zeros(16)
        self.metrics = np.zeros(0, np.int64)
        self.iterations = 0
        self._buffers: dict[str, Array] = {}
        self._synchronisation = aligned(SYNCHRONISATION_WORDS, np.int64)
        job = self.job
        job.layer_count, job.parameter_count = len(self.plans), self.parameter_count
        job.parameters, job.transposed = address(self.parameters), address(self.transposed)
        job.first_trained, job.partial_values = self._first_trained, self._partial_values
        job.state, job.state_count = address(self.state), self._state_count
        job.average, job.target_scale = -1, 1.0
        job.hyper, job.synchronisation = address(self.hyper), address(self._synchronisation)

    def _lay_out(self) -> None:
        """Fill the layers' records: where each finds its parameters and its rows of a workspace."""
        codes, size = list(ACTIVATIONS), self.dtype.itemsize
        width, parameters, transposed, state, partials, statistics, sums = self.inputs, 0, 0, 0, 0, 0, 0
        trained = [number for number, layer in enumerate(self.plans) if layer.trained]
        self._first_trained = trained[0] if trained else len(self.plans)
        self.input_stride = spread(width + 1, size)
        self.row_values = self.input_stride
        self.row_operations = 0
        before = LayerRecord(output_stride=self.input_stride)
        for number, (record, layer) in enumerate(zip(self.layers, self.plans, strict=True)):
            record.kind = plan.LAYER_KINDS.index(layer.kind)
            record.inputs, record.outputs = width, layer.units
            record.input, record.input_stride = before.output, before.output_stride
            record.kernel_rate = record.bias_rate = 1.0
            for field, value in layer.constants.items():
                setattr(record, field, value)
            record.rows = width + layer.use_bias if layer.dense else 0
            record.turned = layer.dense and layer.units <= plan.TURNED_OUTPUTS
            shape = (0, layer.units)
            if layer.dense:
                record.bias = width
                shape = (layer.units, record.rows) if record.turned else (record.rows, layer.units)
            elif layer.scales:
                record.bias = int(layer.use_gamma)
                shape = (layer.use_gamma + layer.use_bias, layer.units)
            record.height, record.width = shape
            record.stride = spread(record.width, size)
            record.weights = parameters
            parameters += record.height * record.stride
            record.sums = sums
            sums += record.height * -(-record.width // plan.SUM_COLUMNS)
            record.transposed = -1
            if layer.dense:
                further = number > self._first_trained
                self.row_operations += 2 * record.height * record.stride * (3 if further else 2)
                if further and not record.turned:
                    record.transposed, record.transposed_stride = transposed, spread(width, size)
                    transposed += padded(layer.units) * record.transposed_stride
            if layer.kind == "batch_normalization":
                record.state, record.partials, record.statistics = state, partials, statistics
                state += 2 * record.stride
                partials += plan.PARTIAL_VECTORS * record.stride
                statistics += plan.STATISTICS_VECTORS * record.stride
            elif layer.kind == "layer_normalization":
                record.kept = self.row_values
                self.row_values += plan.KEPT_VALUES
            record.slope = -1
            if isinstance(layer.parameter, Function):
                record.activation, record.function = plan.CUSTOM, layer.parameter.address(self.dtype.name)
            else:
                record.activation, record.parameter = codes.index(layer.activation), layer.parameter
            if layer.noise:
                record.output, record.delta = before.output, before.delta
                record.output_stride = before.output_stride
            else:
                record.output_stride = spread(layer.units + 1, size)
                keeps_slope = record.activation == plan.CUSTOM or ACTIVATIONS[layer.activation].keeps_slope
                for region in ["output", "delta"] + ["slope"] * keeps_slope:
                    setattr(record, region, self.row_values)
                    self.row_values += record.output_stride
            width, before = layer.units, record
        self.outputs = width
        self.target = self.row_values
        self.target_stride = padded(width + 1)
        self.row_values += self.target_stride
        self.parameter_count, self._transposed_count = max(parameters, WIDTH_MULTIPLE), transposed
        self._state_count, self._partial_values, self.sum_count = state, partials, sums * plan.SUMS
        self.scratch_size = plan.scratch_layout(size)[1] + -(-statistics * size // 64) * 64
        job = self.job
        job.input_stride, job.target, job.target_stride = self.input_stride, self.target, self.target_stride
        job.noisy = any(layer.noise for layer in self.plans)
        job.penalized, job.score_scale = any(record.penalized for record in self.layers), 1.0

    # --- Parameters ---

    def matrix(self, number: int, vector: Array | None = None) -> Array:
        """A layer's weights (inputs, units), with the bias as a last row, as a view."""
        record = self.layers[number]
        vector = self.parameters if vector is None else vector
        rows = vector[record.weights : record.weights + record.height * record.stride]
        stored = rows.reshape(record.height, record.stride)[:, : record.width]
        return stored.T if record.turned else stored

    def kernel(self, number: int, vector: Array | None = None) -> Array:
        """A layer's weights (inputs, units): a view, not to be written, for the transposed copies must follow."""
        view = self.matrix(number, vector)[: self.layers[number].inputs]
        view.flags.writeable = False
        return view

    def bias(self, number: int, vector: Array | None = None) -> Array | None:
        """A layer's bias (units,): a view; None where it has none."""
        if not (self.plans[number].use_bias and self.plans[number].trained):
            return None
        view: Array = self.matrix(number, vector)[-1]
        view.flags.writeable = False
        return view

    def gamma(self, number: int, vector: Array | None = None) -> Array | None:
        """A normalisation's factors (units,): a view, not to be written; None where it has none."""
        if not self.plans[number].use_gamma:
            return None
        view: Array = self.matrix(number, vector)[0]
        view.flags.writeable = False
        return view

    def moving(self, number: int) -> tuple[Array, Array]:
        """The moving mean and variance of a batch normalisation, (units,) each: views."""
        record = self.layers[number]
        starts = (record.state, record.state + record.stride)
        mean, variance = (self.state[start : start + record.outputs] for start in starts)
        mean.flags.writeable = variance.flags.writeable = False
        return mean, variance

    def penalty(self) -> float:
        """The sum of the penalties on the weights."""
        total = 0.0
        for number, record in enumerate(self.layers):
            if record.penalized:
                matrix = self.matrix(number).astype(np.float64)
                for part, l1, l2 in (
                    (matrix[: record.bias], record.kernel_l1, record.kernel_l2),
                    (matrix[record.bias :], record.bias_l1, record.bias_l2),
                ):
                    total += l1 * np.abs(part).sum() + l2 * np.square(part).sum()
        return float(total)

    def assign(self, number: int, arrays: Sequence[Array]) -> None:
        """A layer's weights: kernel, or gamma; bias, or beta; moving mean and variance; those of them that it has."""
        record, matrix, rest = self.layers[number], self.matrix(number), list(arrays)
        for rows in (slice(0, record.bias), slice(record.bias, None)):
            if len(matrix[rows]):
                matrix[rows] = rest.pop(0)
        if self.plans[number].kind == "batch_normalization":
            for view, array in zip(self.moving(number), rest, strict=True):
                view.flags.writeable = True
                view[:] = array
        self.changes += 1
        self.refresh(number)

    def refresh(self, number: int) -> None:
        """Bring a layer's transposed copy in step with its matrix."""
        record = self.layers[number]
        if record.transposed >= 0:
            size = record.outputs * record.transposed_stride
            copy = self.transposed[record.transposed : record.transposed + size]
            copy = copy.reshape(record.outputs, record.transposed_stride)
            copy[:, : record.inputs] = self.matrix(number)[: record.inputs].T

    def refresh_all(self) -> None:
        for number in range(len(self.plans)):
            self.refresh(number)
        self.stale = False

    def follow(self) -> None:
        """Bring the transposed copies in step, if a run has gone on without them."""
        if self.stale:
            self.refresh_all()

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
        codes = list(LOSSES)
        self.metrics = np.array([codes.index(m) for m in metrics], np.int64)
        job = self.job
        job.loss_on_logits = on_logits
        stride = self.layers[-1].output_stride
        self._loss_parameters = aligned(3 * stride, self.dtype)
        job.loss_parameters = address(self._loss_parameters)
        self._loss_function = None
        if isinstance(parameter, Function):
            self._loss_function, mean = parameter, parameter.mean
            job.loss, job.loss_function = plan.CUSTOM, parameter.address(self.dtype.name)
        else:
            job.loss, job.loss_function, mean = codes.index(loss), 0, LOSSES[loss].mean
            for row, values in zip(self._loss_parameters.reshape(3, stride), parameter, strict=False):
                row[: self.outputs] = np.resize(values, self.outputs)
        job.loss_scale = 1 / self.outputs if mean else 1.0
        classes = 2 if mean else self.outputs
        job.target_scale, job.target_shift = 1 - smoothing, smoothing / classes
        job.metric_count, job.metrics = len(metrics), address(self.metrics)

    @property
    def functions(self) -> list[Function]:
        """Those of the user's own that the kernels call."""
        found = [layer.parameter for layer in self.plans] + [self._loss_function]
        return [function for function in found if isinstance(function, Function)]

    def penalize(self, kernel_l2: float, shared: bool) -> None:
        """Add kernel_l2 w^2 of every weight but biases to the loss.

        ``shared``: divided by the number of rows in a step, or by the sum of their weights where there are shares; then
        it is no part of what evaluate returns.
        """
        for record, layer in zip(self.layers, self.plans, strict=True):
            record.kernel_l2 = kernel_l2
            record.penalized = int(layer.dense and kernel_l2 > 0)
        self.job.penalized, self.job.penalty_shared = int(kernel_l2 > 0), int(shared)

    def set_optimizer(
        self,
        optimizer: str,
        hyper: Sequence[float | Rates],
        clip: tuple[str, float] = ("", 0.0),
        average: Average | None = None,
    ) -> None:
        """The optimizer, by its name in OPTIMIZERS, and its constants in that order, then the weight decay.

        The first, the learning rate, may be a function.  Slots keep what they hold; new ones begin as the table says.
        ``clip`` is a name in plan.CLIPS and the limit; ``average`` asks for a moving average of the parameters.
        """
        asked = (optimizer, list(hyper), clip, average)
        if self._optimizer == asked:
            return
        with self.busy:
            if self._optimizer is None or (self._optimizer[0], *self._optimizer[2:]) != (optimizer, clip, average):
                self.prepared.clear()  # they hold what was set before
            self._optimizer = asked
            self._set_optimizer(*asked)

    def _set_optimizer(
        self, optimizer: str, hyper: list[float | Rates], clip: tuple[str, float], average: Average | None
    ) -> None:
        row = OPTIMIZERS[optimizer]
        self.rates = hyper[0] if callable(hyper[0]) else None
        *constants, decay = [0.0 if callable(value) else value for value in hyper]
        self.hyper[: len(constants)], self.hyper[plan.DECAY] = constants, decay
        job, count = self.job, self.parameter_count
        held, names = self._slot_names, [*row.slots, *(["average"] if average is not None else [])]
        if held != names:
            before, self.slots = self.slots, aligned(len(names) * count, self.dtype)
            for place, slot in enumerate(names):
                vector = self.slots[place * count :][:count]
                if slot in held:
                    vector[:] = before[held.index(slot) * count :][:count]
                elif slot == "average":
                    vector[:] = self.parameters  # where steps have been taken without one
                elif slot in row.initial:
                    vector[:] = self.hyper[list(row.hyper).index(row.initial[slot])]
            self._slot_names = names
            self.prepared.clear()  # they hold the old ones' address
        job.optimizer, job.slot_count = list(OPTIMIZERS).index(optimizer), len(names)
        job.slots = address(self.slots)
        job.clip, job.clip_limit = plan.CLIPS.index(clip[0]), clip[1]
        job.average = -1 if average is None else len(names) - 1
        if average is not None:
            job.average_momentum, job.average_frequency = average.momentum, average.frequency

    def forget(self) -> None:
        """Let the next set_optimizer begin anew."""
        self.slots, self._slot_names, self._optimizer = aligned(0, self.dtype), [], None
        self.iterations = 0

    def use_average(self) -> None:
        """Let the moving average of the parameters, where there is one, take their place."""
        if self.job.average >= 0 and self.iterations:
            with self.busy:
                self.parameters[:] = self.slots[-self.parameter_count :]
                self.changes += 1
                self.refresh_all()

    def keep(self, backup: Array) -> None:
        """Copy all that training changes into a vector of ``kept_count`` values."""
        np.concatenate([self.parameters, self.slots, self.state], out=backup)

    def put_back(self, backup: Array) -> None:
        """The opposite of keep."""
        ends = np.cumsum([len(self.parameters), len(self.slots)])
        self.parameters[:], self.slots[:], self.state[:] = np.split(backup, ends)
        self.refresh_all()

    @property
    def finite(self) -> bool:
        return bool(np.isfinite(self.parameters).all() and np.isfinite(self.slots).all())

    @property
    def kept_count(self) -> int:
        return len(self.parameters) + len(self.slots) + len(self.state)

    def schedule(self, steps: int) -> int:
        """Put the learning rates of the next steps in place; returns of how many, at most ``steps``."""
        job = self.job
        job.rates = 0
        if self.rates is None:
            return steps
        steps = min(steps, RATES)
        table = self.buffer("rates", steps, np.float64)
        table[:steps] = self.rates(np.arange(self.iterations, self.iterations + steps))
        job.rates = address(table)
        return steps

    # --- Jobs ---

    def buffer(self, name: str, count: int, dtype: npt.DTypeLike) -> Array:
        """A vector that is kept from job to job, and grows; at first zeros."""
        held = self._buffers.get(name)
        if held is None or len(held) < count or held.dtype != dtype:
            held = self._buffers[name] = aligned(count, dtype)
        return held

    def workspace(self, capacity: int, threads: int) -> Array:
        """Room for the rows of so many threads.  What pads them must be 0, and is elsewhere for another capacity."""
        held = self.buffer("workspace", threads * capacity * self.row_values, self.dtype)
        if self._capacity != capacity:
            held[:] = 0
            self._capacity = capacity
        return held

    def attach(self, data: Data) -> None:
        """Point the engine's job at the data."""
        point_at(self.job, data)

    def chunks(self, batch_size: int) -> int:
        """How many chunks with gradients of their own a batch falls into; 0: it had better be split by rows and panels.

        A function of the network and the batch alone, never of the threads: it decides the order of sums.
        Chunks pay where the gradient is smaller than what rows exchange otherwise, and stays in cache.
        """
        if self._partial_values or self._undivided:  # chunks of a batch do not know of each other
            return 0
        size = self.dtype.itemsize
        small = self.parameter_count * size <= 2**19 and self.parameter_count < batch_size * self.row_values // 4
        huge = batch_size * self.row_values * size > 2**28
        if not (small or huge):
            return 0
        chunk = 32 if batch_size < 128 else 64
        while chunk < batch_size and chunk < 4096 and chunk * self.row_operations < 800_000:
            chunk *= 2
        while huge and 2 * chunk * self.row_values * size <= 2**26:  # few chunks: each has a whole gradient
            chunk *= 2
        if chunk >= batch_size:
            return 0
        return 1 << max(1, round(math.log2(batch_size / chunk)))  # see chunk_count in kernels/network.py

    @property
    def _undivided(self) -> bool:
        """Whether the loss wants each batch whole."""
        return self._loss_function is not None and self._loss_function.alone

    def thread_count(self, operations: float, most: int) -> int:
        """How many threads a step of that much arithmetic pays for, up to ``most``."""
        if self.backend == "numpy" or self._undivided:
            return 1
        if self.threads is not None:
            return min(self.threads, 256)
        return max(1, min(processors(), most, int(operations / OPERATIONS_A_THREAD)))

    def guessed_seconds(self, batch_size: int) -> float:
        """What a step of training may take: what one took the last time, or what its arithmetic would."""
        rows, seconds = self.pace
        if rows == batch_size:
            return seconds
        return self.row_operations * batch_size / (5e9 if self.backend == "numpy" else 5e10) + 2e-6

    def inference_threads(self, rows: int) -> int:
        """The same for predicting so many rows."""
        most = -(-rows // ROW_BLOCK)
        return min(most, self.thread_count((self.row_operations / 4 + READING_OPERATIONS) * rows, most))

    def unit_threads(self, rows: int) -> int:
        """How many threads predict so few rows that each had better take some units of every layer; 0 for other rows.

        Weights that the second cache of one core cannot hold may fit those of several.
        """
        large = self.parameter_count * self.dtype.itemsize > 2**21 and self.backend != "numpy"
        plain = all(layer.dense or layer.noise for layer in self.plans) and not self.functions
        hidden = [layer.activation for layer in self.plans if layer.dense][:-1]
        if rows > UNIT_ROWS or not (large and plain) or "softmax" in hidden or self.plans[-1].noise:
            return 0
        threads = processors() if self.threads is None else min(self.threads, 256)
        return min(threads, 8) if threads > 1 else 0

    def takes_data(self, batch_size: int) -> bool:
        """Whether the first layer of a training step had better take its inputs from the data, a few rows at a time.

        That spares a copy of the batch.  Its weights are read once for every few rows, so they must be near.
        """
        first, record = self.plans[0], self.layers[0]
        plain = first.dense and not record.turned and first.activation != "softmax" and record.activation != plan.CUSTOM
        if not plain or len(self.plans) == 1 or self._partial_values:
            return False
        near = record.height * record.stride * self.dtype.itemsize <= REREAD_WEIGHTS
        return bool(near and record.inputs >= plan.DEEP and batch_size <= plan.PACK_DEPTH)

    def units_pay(self, batch_size: int, threads: int) -> bool:
        """Whether each of so many threads had better have some units of the first layer than some rows of it.

        Its weights then stay in their core's cache.  Written where all have read them, they cost ten times as much.
        But each thread reads all of the batch's inputs, units come in blocks, and threads meet once more: so none
        may have to wait for a processor.
        """
        record, job = self.layers[0], self.job
        norms = job.clip > plan.CLIPS.index("clipvalue")  # are of all threads' gradients
        if norms or not 1 < threads <= self.processors:
            return False
        blocks = -(-record.outputs // job.unit_block)
        most = -(-blocks // threads) * job.unit_block
        even = most * threads <= 1.1 * padded(record.outputs)
        inputs = batch_size * self.input_stride * self.dtype.itemsize
        return bool(even and inputs <= REREAD_INPUTS and batch_size * threads <= 10 * record.outputs)

    def _prepare_training(self, batch_size: int, threads: int, chunks: int, replicate: bool = False) -> None:
        """Point the job at workspaces for steps of up to batch_size rows."""
        turns = 1 + replicate  # replicated, every other step has gradients and scores of its own
        job, dtype, size = self.job, self.dtype, self.dtype.itemsize
        capacity = -(-batch_size // (max(1, chunks) * ROW_BLOCK)) * ROW_BLOCK
        job.chunks, job.capacity, job.unseen = chunks, capacity, 0
        job.workspace_size = capacity * self.row_values * size
        job.workspace = address(self.workspace(capacity, threads if chunks else 1))
        job.gradient_levels = chunks.bit_length() + 1  # as many as a tree of sums needs, and one to hand over
        parts = turns * threads * job.gradient_levels if chunks else 1
        job.gradients = address(self.buffer("gradients", parts * self.parameter_count, dtype))
        job.from_data = job.mode == MODE["train"] and not chunks and self.takes_data(batch_size)
        job.unit_block = plan.SUM_COLUMNS if job.penalized else WIDTH_MULTIPLE
        job.by_units = job.from_data and self.units_pay(batch_size, threads)
        if job.from_data:
            job.inputs = address(self.buffer("inputs", capacity * self.input_stride, dtype))
        self._prepare_scratch(threads)
        job.transposing = chunks > 0 or batch_size < threads * TURNED_ROWS
        if job.transposing:
            self.follow()
        else:
            self.stale = True
        blocks = -(-batch_size // ROW_BLOCK)
        job.partials = address(self.buffer("partials", blocks * self._partial_values, dtype))
        job.sums = address(self.buffer("sums", self.sum_count, np.float64))
        job.scores = address(self.buffer("scores", turns * batch_size * (1 + job.metric_count), np.float64))

    def _prepare_scratch(self, threads: int) -> None:
        self.job.scratch_size = self.scratch_size
        self.job.scratch = address(self.buffer("scratch", threads * self.scratch_size, np.uint8))

    def _call(self, threads: int, replicate: bool = False) -> None:
        """Run the job on so many threads; ``replicate`` gives each its own parameters and slots."""
        self.call(self.job, self._synchronisation, threads, replicate)

    def call(self, job: Any, synchronisation: Array, threads: int, replicate: bool = False) -> None:
        """Run a job, whose words for the threads to meet at are given."""
        synchronisation.fill(0)
        layers = ctypes.addressof(self.layers)
        if threads == 1:
            job.threads, job.replicated = 1, 0
            self.run(layers, ctypes.addressof(job), 0)
            self.check_functions(synchronisation)
            return

        with Crew(threads) as crew:
            job.threads, job.replicated = crew.size, replicate
            if job.by_units and job.mode == MODE["train"]:  # else, predicting, they share all
                job.owns = self._owns(job, crew.size)
            jobs = [job] + [self._replica(number) if replicate else job for number in range(1, crew.size)]
            Part(self.run, layers, [ctypes.addressof(record) for record in jobs], synchronisation).together(crew)
        self.check_functions(synchronisation)

    def check_functions(self, synchronisation: Array) -> None:
        """Raise what a function of the user's own raised."""
        if synchronisation[plan.ABORTED]:
            failed = [function for function in self.functions if function.error] or self.functions
            raise failed[0].failure()

    def _replica(self, number: int) -> Any:
        """The job with copies of all that training changes."""
        job = JobRecord.from_buffer_copy(self.job)
        for name in ("parameters", "transposed", "slots"):
            original: Array = getattr(self, name)
            copy = self.buffer(f"{name} {number}", len(original), self.dtype)
            copy[: len(original)] = original
            setattr(job, name, address(copy))
        # Nobody reads these, but where two threads write the same memory, each waits for the other.
        job.sums = address(self.buffer(f"sums {number}", self.sum_count, np.float64))
        return job

    def _owns(self, job: Any, threads: int) -> int:
        """The address of each thread's own records, for its units of the first layer."""
        first, size = self.layers[0], self.dtype.itemsize
        self._own_records = (_Own * threads)()
        block = job.unit_block
        blocks = -(-first.outputs // block)
        for number, own in enumerate(self._own_records):
            start, end = (min(blocks * n // threads * block, padded(first.outputs)) for n in (number, number + 1))
            own.layer, own.job = first, job
            own.layer.weights, own.layer.stride = -start, spread(end - start, size)
            count = own.layer.height * own.layer.stride
            held = self.buffer(f"own {number}", (1 + job.slot_count) * count, self.dtype)
            own.job.parameters, own.job.slots = address(held), address(held) + count * size
            own.job.parameter_count = count
            own.job.inputs = address(self.buffer(f"inputs {number}", job.capacity * self.input_stride, self.dtype))
        return ctypes.addressof(self._own_records)

    def train(self, data: Data, batch_size: int, epochs: int, shuffle: bool, seed: int) -> Training:
        return Training(self, data, min(batch_size, len(data)), epochs, shuffle, seed)

    def evaluate(self, data: Data) -> Array:
        """The means over the rows of the loss and of each metric."""
        with self.busy:
            sums = self._infer(data, MODE["evaluate"], None)
        means: Array = sums.sum(axis=0) / len(data)
        if self.job.penalized and not self.job.penalty_shared:
            means[0] += self.penalty()
        return means

    def predict(self, data: Data) -> Array:
        """The network's output for each row: (rows, units of the last layer)."""
        output = np.empty((len(data), self.outputs), self.dtype)
        with self.busy:
            self._infer(data, MODE["predict"], output)
        return output

    def _infer(self, data: Data, mode: int, output: Array | None) -> Array:
        """Run over the data, in slices after each of which Python has control.

        Returns the sums of the loss and the metrics, a row a block of ``capacity`` rows.
        """
        job, size = self.job, self.dtype.itemsize
        operations = self.row_operations / 3
        # As many rows as stay in the second cache, but enough to be worth reading the weights for.
        least = 512 if self.parameter_count * size > 2**18 else 32
        capacity = min(-(-len(data) // 8) * 8, max(least, min(256, 2**19 // (self.row_values * size) // 8 * 8)))
        if output is None:  # how the sums of scores are made must not depend on the number of threads
            blocks = -(-len(data) // capacity)
            threads = self.thread_count(operations * len(data) / 4, blocks)
        else:
            threads = self.inference_threads(len(data))
            blocks = -(-len(data) // capacity // threads) * threads
            capacity = -(-len(data) // blocks // 8) * 8
            blocks = -(-len(data) // capacity)
        columns = 1 + len(self.metrics)
        job.mode, job.capacity, job.shuffle, job.chunks, job.by_units, job.from_data = mode, capacity, 0, 0, 0, 0
        job.workspace_size = capacity * self.row_values * size
        job.workspace = address(self.workspace(capacity, threads))
        job.scores = address(self.buffer("scores", threads * capacity * columns, np.float64))
        self._prepare_scratch(threads)
        results = np.zeros((blocks, columns))
        slice_blocks = max(threads, int(SLICE_SECONDS * threads / (capacity * (operations / 2e9 + 1e-7))))
        if not data.direct:
            slice_blocks = min(slice_blocks, max(1, CONVERTED_BYTES // (capacity * data.x.shape[1] * size)))
        for first in range(0, blocks, slice_blocks):
            last = min(first + slice_blocks, blocks)
            start = first * capacity
            if data.direct:
                part = data
                self.attach(part)
                job.first_step, job.last_step, offset = first, last, 0
            else:
                part = data.block(slice(start, min(last * capacity, len(data))), self.dtype)
                self.attach(part)
                job.first_step, job.last_step, offset = 0, last - first, start
            if output is not None:
                job.output, job.output_row = address(output) + offset * self.outputs * size, self.outputs
            job.results = address(results) + (0 if data.direct else first * columns * 8)
            self._call(min(threads, last - first))
        return results

    def activations(self, data: Data) -> list[Array]:
        """Every layer's output, each (rows, units)."""
        outputs = [np.empty((len(data), layer.units), self.dtype) for layer in self.plans]
        job, size = self.job, self.dtype.itemsize
        with self.busy:
            capacity = 64
            workspace = self.workspace(capacity, 1)
            job.mode, job.capacity, job.shuffle = MODE["predict"], capacity, 0
            job.chunks, job.by_units, job.from_data = 0, 0, 0
            job.workspace, job.workspace_size = address(workspace), capacity * self.row_values * size
            self._prepare_scratch(1)
            for start in range(0, len(data), capacity):
                part = data.block(slice(start, start + capacity), self.dtype)
                self.attach(part)
                job.first_step, job.last_step = 0, 1
                job.output, job.output_row = address(outputs[-1]) + start * self.outputs * size, self.outputs
                self._call(1)
                for record, output in zip(self.layers, outputs, strict=True):
                    first, stride = record.output * capacity, record.output_stride
                    block = workspace[first : first + capacity * stride].reshape(capacity, stride)
                    output[start : start + len(part)] = block[: len(part), : record.outputs]
        return outputs

    def gradient(self, data: Data) -> tuple[Array, float]:
        """The gradient of the mean loss over all rows, laid out like the parameters, and that loss."""
        rows = len(data)
        data = data.block(slice(None), self.dtype) if not data.direct else data
        with self.busy:
            threads = self.thread_count(self.row_operations * rows, rows)
            job = self.job
            job.mode, job.shuffle, job.batch_size = MODE["gradient"], 0, rows
            self._prepare_training(rows, threads, self.chunks(rows))
            self.attach(data)
            job.first_step, job.last_step, job.steps_per_epoch, job.first_epoch = 0, 1, 1, 0
            results = np.zeros(1 + len(self.metrics))
            job.results = address(results)
            self._call(threads)
            gradient = self._buffers["gradients"][: self.parameter_count].copy()
        return gradient, float(results[0]) / rows

    def update(self, gradient: Array) -> None:
        """One step of the optimizer along a gradient laid out like the parameters."""
        with self.busy:
            self.job.mode, self.job.iterations = MODE["update"], self.iterations
            self._prepare_training(8, 1, 0)
            self._buffers["gradients"][: self.parameter_count] = gradient
            self.schedule(1)
            self._call(1)
            self.iterations += 1


MODE = {name: code for code, name in enumerate(plan.MODES)}
SLICE_SECONDS = 0.05
"""How long a compiled run may go on before Python has control again."""
OPERATIONS_A_THREAD = 700_000
"""Arithmetic in a step below which another thread costs more than it brings."""
READING_OPERATIONS = 700
"""What reading a row and writing its output takes, when predicting, in operations of that time: some 8 ns."""
TURNED_ROWS = 64
"""Rows a thread from which on the way back turns the matrices itself, which spares what the update would write."""
REPLICATED_BYTES = 2**17
"""Parameters up to this size are cheaper updated by every thread than exchanged."""
RATES = 2**16
"""How many learning rates of a schedule are computed at a time."""
CONVERTED_BYTES = 2**20
"""How much of data that the kernels cannot read as it lies is converted at a time."""
REREAD_WEIGHTS, REREAD_INPUTS = 2**22, 2**20
"""Bytes of a first layer's weights that every few rows may read anew, and of a batch's inputs that every thread may."""
UNIT_ROWS = 32
"""Rows up to which a thread had better predict some units of large layers than some rows."""
CLIPS: tuple[str, ...] = plan.CLIPS[1:]
ROW_BLOCK: int = plan.ROW_BLOCK
SYNCHRONISATION_WORDS: int = plan.SYNCHRONISATION_WORDS


class Training:
    """A training run over some data: ``advance`` takes steps, which are counted over all epochs.

    Attributes
    ----------
    step, steps, steps_per_epoch : int
        Where it stands, how many there are in all, and in an epoch.
    results : (epochs, 1 + metrics) array
        Sums over the rows of loss and metrics, an epoch a row.
    diverged : int
        Number of the first epoch that was not finite, from 1; 0 while all is well.
    rows : int
        Rows of an epoch: those of the data, or as many as an order that is laid down visits.
    unseen : bool
        Nobody has looked whether x is finite, which the kernels can read where it lies: the steps of the first epoch
        do, on a compiled backend.
    not_finite : bool
        It is not.  The step that found it has changed nothing; what those before it did, `restore_good` undoes.
    """

    def __init__(
        self,
        engine: Engine,
        data: Data,
        batch_size: int,
        epochs: int,
        shuffle: bool,
        seed: int,
        rows: int | None = None,
    ) -> None:
        self.engine, self.data, self.shuffle, self.seed = engine, data, shuffle, seed
        self.rows = len(data) if rows is None else rows
        self.batch_size = batch_size
        self.steps_per_epoch = math.ceil(self.rows / self.batch_size)
        self.order: npt.NDArray[np.int64] | None = None
        self.shares: npt.NDArray[np.float64] | None = None
        self._laid_down = 0
        self.step, self.steps = 0, epochs * self.steps_per_epoch
        self.results = np.zeros((epochs, 1 + len(engine.metrics)))
        self.diverged = 0
        self.unseen = self.not_finite = False
        self.chunks = engine.chunks(self.batch_size)
        operations = engine.row_operations * self.batch_size
        self.threads = engine.thread_count(operations, self.chunks or self.batch_size)
        size = engine.parameter_count * engine.dtype.itemsize
        self.small = self.chunks > 0 and self.threads <= 4 and size <= REPLICATED_BYTES
        self.backup = engine.spare_backup
        engine.spare_backup = aligned(0, engine.dtype)
        self.keep_good()

    @property
    def seconds_a_step(self) -> float:
        """How long one takes, as far as is known."""
        return self.engine.guessed_seconds(self.batch_size)

    @seconds_a_step.setter
    def seconds_a_step(self, seconds: float) -> None:
        self.engine.pace = self.batch_size, seconds

    def close(self) -> None:
        """Leave what is large to the next run: new memory costs more than filling it."""
        self.engine.spare_backup = self.backup

    @property
    def epoch(self) -> int:
        """Epochs that have ended."""
        return self.step // self.steps_per_epoch

    @property
    def finished(self) -> bool:
        return self.step >= self.steps

    def end_of(self, epochs: int) -> int:
        """The step at which so many epochs end."""
        return epochs * self.steps_per_epoch

    def place(self) -> tuple[int, int]:
        """The epoch of the last step, and how many of its steps there have been."""
        epoch = max(self.step - 1, 0) // self.steps_per_epoch
        return epoch, self.step - epoch * self.steps_per_epoch

    def means(self, epoch: int) -> Array:
        """Loss and metrics of an epoch, or of as much of it as there has been."""
        steps = self.step - epoch * self.steps_per_epoch
        means: Array = self.results[epoch] / min(max(1, steps) * self.batch_size, self.rows)
        return means

    def samples(self, epoch: int) -> int:
        """Rows of an epoch."""
        return self.rows

    def lay_down(self, order: npt.NDArray[np.int64] | None, shares: npt.NDArray[np.float64] | None) -> None:
        """Say how the next epochs, from the one at hand on, go; None leaves it to ``shuffle``.

        Parameters
        ----------
        order : (epochs, rows) array or None
            The rows of the data to visit.
        shares : (epochs, steps) array or None
            What each row of a step counts, times its weight: the inverse of the sum of the weights makes the loss of
            a step their mean.  Otherwise the inverse of their number.
        """
        self.order, self.shares, self._laid_down = order, shares, self.step // self.steps_per_epoch

    def keep_good(self) -> None:
        """Keep the parameters, slots and count of updates as they are now as the last good ones."""
        with self.engine.busy:
            self._keep_good()

    def _keep_good(self) -> None:
        engine = self.engine
        if len(self.backup) != engine.kept_count:
            self.backup = aligned(engine.kept_count, engine.dtype)
        engine.keep(self.backup)
        self._kept_at = self.step, engine.iterations

    @property
    def resumable(self) -> bool:
        """Whether another run can go on from here."""
        return True

    @property
    def finite(self) -> bool:
        """Whether all is well with what training has made so far."""
        return not (self.diverged or self.not_finite) and self.engine.finite

    def restore_good(self) -> None:
        """Back to the parameters, slots and count of updates of the last good epoch, if what is there is not finite."""
        engine = self.engine
        with engine.busy:
            if self.finite:
                return
            good = self.diverged - 1 if self.diverged else self.step // self.steps_per_epoch
            step, iterations = self._kept_at
            engine.iterations = iterations + max(0, good * self.steps_per_epoch - step)
            engine.put_back(self.backup)

    def get_state(self) -> dict[str, Any]:
        """Where the run is: what, beside the engine's parameters, slots and count of updates, makes it go on from here.

        Within an epoch that is also its sums so far, and what to go back to if it diverges.
        """
        within = self.step % self.steps_per_epoch > 0
        return {
            "step": self.step,
            "seed": self.seed,
            "sums": self.results[self.step // self.steps_per_epoch].tolist() if within else None,
            "good": self.backup if within else None,
            "good_at": list(self._kept_at),
        }

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Go on where `get_state` was called; the engine's parameters, slots and count of updates are those of then."""
        self.step, self.seed = state["step"], state["seed"]
        self.keep_good()
        epoch = self.step // self.steps_per_epoch
        if state["sums"] is not None and epoch < len(self.results):
            self.results[epoch] = state["sums"]
            self.backup[:] = state["good"]
            good_step, good_iterations = state["good_at"]
            self._kept_at = good_step, good_iterations

    def advance(self, last: int) -> None:
        """Take the steps up to ``last``, or to where the run diverged."""
        engine, job = self.engine, self.engine.job
        with engine.busy:
            if len(self.backup) != engine.kept_count:
                self._keep_good()  # another optimizer, with other slots
            engine.changes += 1
            # Norms are sums over all threads' panels, for which they must meet.
            replicate = self.small and job.clip <= plan.CLIPS.index("clipvalue")
            job.mode, job.batch_size, job.seed = MODE["train"], self.batch_size, self.seed
            engine._prepare_training(self.batch_size, self.threads, self.chunks, replicate)
            job.steps_per_epoch, job.backup = self.steps_per_epoch, address(self.backup)
            job.unseen = self.unseen
            columns = self.results.shape[1]
            while self.step < last and not (self.diverged or self.not_finite):
                first = self.step
                stop = first + engine.schedule(last - first)
                if self.data.direct:
                    engine.attach(self.data)
                    job.shuffle, job.rows = self.shuffle, self.rows
                    job.mask = (1 << (self.rows - 1).bit_length()) - 1
                    job.shift = max(1, (self.rows - 1).bit_length() // 2)
                    if self.order is not None:
                        job.order = address(self.order[first // self.steps_per_epoch - self._laid_down :])
                else:
                    stop = self._attach_converted(first, stop)
                job.first_step, job.last_step, job.iterations = first, stop, engine.iterations
                job.first_epoch = first // self.steps_per_epoch
                job.results = address(self.results) + job.first_epoch * columns * 8
                if self.shares is not None:
                    job.shares = address(self.shares) + 8 * (first - self._laid_down * self.steps_per_epoch)
                try:
                    engine._call(self.threads, replicate)
                finally:  # Ctrl-C strikes when the kernel has returned: see what it did
                    self._take_stock(first)

    def _take_stock(self, first: int) -> None:
        engine = self.engine
        words = engine._synchronisation.tolist()
        self.step = max(first, words[plan.DONE])
        engine.iterations += self.step - first
        self.diverged, self.not_finite = words[plan.DIVERGED], bool(words[plan.NOT_FINITE])
        epoch = max(self.step - 1, 0) // self.steps_per_epoch
        if not self.diverged and not math.isfinite(self.results[epoch, 0]):
            self.diverged = epoch + 1

    def _attach_converted(self, first: int, last: int) -> int:
        """Convert the rows of the next steps, in the order of their visit; returns the step where they end."""
        engine, job = self.engine, self.engine.job
        step_bytes = self.batch_size * self.data.x.shape[1] * engine.dtype.itemsize
        epoch = first // self.steps_per_epoch
        stop: int = min(last, (epoch + 1) * self.steps_per_epoch, first + max(1, CONVERTED_BYTES // step_bytes))
        start = (first - epoch * self.steps_per_epoch) * self.batch_size
        end = min((stop - epoch * self.steps_per_epoch) * self.batch_size, self.rows)
        rows: slice | Array = slice(start, end)
        if self.order is not None:
            rows = self.order[epoch - self._laid_down, start:end]
        elif self.shuffle:
            rows = order(self.rows, self.seed, epoch, start, end)
        self._converted = self.data.block(rows, engine.dtype)
        engine.attach(self._converted)
        job.rows, job.origin, job.shuffle = self.rows, start, 0
        return stop


def order(rows: int, seed: int, epoch: int, start: int, end: int) -> npt.NDArray[np.int64]:
    """The rows that the kernels visit from one place of an epoch to another."""
    bits = (rows - 1).bit_length()
    key = mixed(seed + mixed(np.array([epoch])))
    visited: npt.NDArray[np.int64] = shuffled(np.arange(start, end), rows, (1 << bits) - 1, max(1, bits // 2), key)
    return visited


# --- What is active --------------------------------------------------------------------------------------------------


def describe() -> dict[str, str]:
    """What runs here and why: backends, instruction set, tile, threads, cache folder."""
    from importlib.metadata import version

    from fastnn.kernels import machine, numba_backend

    facts = {"fastnn": version("fastnn")}
    available = []
    for name in BACKENDS:
        try:
            if name == "numba":
                facts["numba"] = version("numba")
            else:
                _load(name, "float32")
            available.append(name)
        except ImportError as error:
            facts[name] = f"not here: {error}"
    isa, instruction_set = machine.instruction_set()
    facts["backend"] = f"{available[0]} (the first that is here of {', '.join(BACKENDS)})"
    facts["backends here"] = ", ".join(available)
    reason = "forced by FASTNN_ISA" if machine.os.environ.get(machine.VARIABLE) else "the widest this processor offers"
    facts["instruction set"] = f"{isa} ({reason}; offered: {', '.join(machine.supported())})"
    lanes = instruction_set.vector_bytes // 4
    facts["tile"] = f"{instruction_set.tile_rows} rows x {instruction_set.tile_vectors} vectors of {lanes} float32"
    facts["threads"] = f"up to {processors()} (affinity, container quota, FASTNN_NUM_THREADS, OMP_NUM_THREADS)"
    facts["cache folder"] = str(numba_backend.cache_folder())
    return facts


def warmup() -> Iterator[str]:
    """Compile every kernel into the cache; yields what is ready."""
    for backend in BACKENDS[:2]:
        for dtype in DTYPES:
            try:
                _load(backend, dtype)
                yield f"{backend} {dtype}: ready"
            except ImportError as error:
                yield f"{backend} {dtype}: not here ({error})"
