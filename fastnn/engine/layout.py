"""Where each layer finds its parameters, its sums and its rows of a workspace.

A method a kind of layer says what that kind needs.  Offsets count values; what they are offsets into is said in
kernels/records.py, whose layer records are filled in here.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastnn.kernels import records, tuning
from fastnn.kernels.formulas import ACTIVATIONS
from fastnn.kernels.records import LayerRecord
from .functions import Function
from .layer_plan import LayerPlan
from .memory import WIDTH_MULTIPLE, padded, spread


class Layout:
    """The shape of a network, and the records of its layers.

    Attributes
    ----------
    records : array of LayerRecord
    inputs, outputs : int
    size : int
        Bytes of a value.
    first_trained : int
        The first layer that has parameters.
    row_values : int
        Values of a workspace for each row: the inputs, each layer's outputs, slopes and deltas, and the target.
    row_operations : int
        Additions and multiplications of a training step for each row.
    parameter_count, transposed_count, state_count : int
        Values of the parameters, of the transposed copies of the matrices, and of the moving statistics.
    partial_values, sum_count : int
        Values of a block of rows' sums for batch normalisation; doubles that rows of the matrices are summed into.
    scratch_size : int
        Bytes of a thread's scratch memory.
    functions : list of Function
        The activations that are the user's own.
    """

    def __init__(self, inputs: int, plans: Sequence[LayerPlan], dtype: np.dtype[Any]) -> None:
        self.inputs, self.plans, self.size, self._real = inputs, list(plans), dtype.itemsize, dtype.name
        self.records = (LayerRecord * len(self.plans))()
        self.first_trained = next((n for n, plan in enumerate(self.plans) if plan.trained), len(self.plans))
        self.input_stride = self.row_values = spread(inputs + 1, self.size)
        self.row_operations = self.transposed_count = self.state_count = self.partial_values = 0
        self._parameters = self._sums = self._statistics = 0
        before = LayerRecord(outputs=inputs, output_stride=self.input_stride)
        for number, (record, plan) in enumerate(zip(self.records, self.plans, strict=True)):
            record.kind = records.LAYER_KINDS.index(plan.kind)
            record.inputs, record.outputs = before.outputs, plan.units
            record.input, record.input_stride = before.output, before.output_stride
            record.kernel_rate = record.bias_rate = 1.0
            record.transposed = record.slope = -1
            for field, value in plan.constants.items():
                setattr(record, field, value)
            getattr(self, f"_{plan.kind}")(record, plan, number)
            self._activate(record, plan)
            if plan.noise:
                record.output, record.delta, record.output_stride = before.output, before.delta, before.output_stride
            else:
                self._place_output(record, plan)
            before = record
        self.outputs = int(before.outputs)
        self.target, self.target_stride = self.row_values, padded(self.outputs + 1)
        self.row_values += self.target_stride
        self.parameter_count, self.sum_count = max(self._parameters, WIDTH_MULTIPLE), self._sums * records.SUMS
        self.scratch_size = tuning.scratch_layout(self.size)[1] + -(-self._statistics * self.size // 64) * 64
        self.functions = [plan.parameter for plan in self.plans if isinstance(plan.parameter, Function)]

    # --- The kinds of layers, as they are called in records.LAYER_KINDS ---

    def _dense(self, record: Any, plan: LayerPlan, number: int) -> None:
        """A matrix (inputs, units), with the bias as a last row; one of few units is stored transposed."""
        record.bias, record.rows = record.inputs, record.inputs + plan.use_bias
        record.stored_transposed = plan.units <= tuning.FEW_OUTPUTS
        shape = (plan.units, record.rows) if record.stored_transposed else (record.rows, plan.units)
        self._place_matrix(record, *shape)
        passes_back = number > self.first_trained  # the layer before it wants its gradient by its input
        self.row_operations += 2 * record.height * record.stride * (3 if passes_back else 2)
        if passes_back and not record.stored_transposed:
            record.transposed, record.transposed_stride = self.transposed_count, spread(record.inputs, self.size)
            self.transposed_count += padded(plan.units) * record.transposed_stride

    def _scaling(self, record: Any, plan: LayerPlan, number: int) -> None:
        """A matrix whose first row is gamma and whose last is beta, where they are."""
        record.bias = int(plan.use_gamma)
        self._place_matrix(record, plan.use_gamma + plan.use_bias, plan.units)

    def _batch_normalization(self, record: Any, plan: LayerPlan, number: int) -> None:
        """Beside gamma and beta: moving mean and variance, sums over blocks of rows, a batch's statistics."""
        self._scaling(record, plan, number)
        record.state, record.partials, record.statistics = self.state_count, self.partial_values, self._statistics
        self.state_count += 2 * record.stride
        self.partial_values += records.PARTIAL_VECTORS * record.stride
        self._statistics += records.STATISTICS_VECTORS * record.stride

    def _layer_normalization(self, record: Any, plan: LayerPlan, number: int) -> None:
        """Beside gamma and beta: each row's mean and inverse deviation."""
        self._scaling(record, plan, number)
        record.kept = self.row_values
        self.row_values += tuning.KEPT_VALUES

    _rectifier = _scaling

    def _affine(self, record: Any, plan: LayerPlan, number: int) -> None:
        """No parameters, but three numbers of each column."""
        self._place_matrix(record, 0, plan.units)
        record.state = self.state_count
        self.state_count += 3 * record.stride

    def _activation(self, record: Any, plan: LayerPlan, number: int) -> None:
        """No parameters."""
        self._place_matrix(record, 0, plan.units)

    _dropout = _gaussian_noise = _activation

    # --- What several of them need ---

    def _place_matrix(self, record: Any, height: int, width: int) -> None:
        """The parameters, and a sum over each SUM_COLUMNS columns of each row: for penalties and norms."""
        record.height, record.width, record.stride = height, width, spread(width, self.size)
        record.weights, record.sums = self._parameters, self._sums
        self._parameters += height * record.stride
        self._sums += height * -(-width // tuning.SUM_COLUMNS)

    def _activate(self, record: Any, plan: LayerPlan) -> None:
        if isinstance(plan.parameter, Function):
            record.activation, record.function = records.CUSTOM, plan.parameter.address(self._real)
        else:
            record.activation, record.parameter = list(ACTIVATIONS).index(plan.activation), plan.parameter

    def _place_output(self, record: Any, plan: LayerPlan) -> None:
        """Rows of the output, of the gradient by it, and of the slopes where they do not follow from the output."""
        record.output_stride = spread(plan.units + 1, self.size)
        keeps_slope = record.activation == records.CUSTOM or ACTIVATIONS[plan.activation].keeps_slope
        for region in ["output", "delta"] + ["slope"] * keeps_slope:
            setattr(record, region, self.row_values)
            self.row_values += record.output_stride
