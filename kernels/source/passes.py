"""The passes through the network: forward, and backward."""

from __future__ import annotations

from ..formulas.activations import LINEAR, SOFTMAX
from ..formulas.losses import CATEGORICAL_CROSSENTROPY_FROM_LOGITS
from ..language import Address, Integer, kernel
from ..program import LANES, PACK, SIZE
from ..records import (
    BATCH_NORMALIZATION,
    CUSTOM,
    DENSE,
    DROPOUT,
    GAUSSIAN_NOISE,
    LAYER_NORMALIZATION,
    MEAN,
    PREDICT,
    SCALING,
    TRAIN,
    VARIANCE,
    Job,
    Layers,
    layer_at,
)
from ..tuning import KEPT_VALUES
from ..vocabulary import put
from .activation import activate, activate_keeping, through_activation
from .custom import call_custom
from .dense import add_bias, dot_rows, layer_product
from .noise import add_noise, through_noise
from .normalization import (
    batch_statistics,
    batch_sums,
    normalize_columns,
    normalize_columns_backward,
    normalize_rows,
    normalize_rows_backward,
    scale_columns,
    statistic_of,
)
from .product import product
from .softmax import softmax, softmax_backward
from .vectors import clear_behind, copy_vectors, vectors_for


@kernel
def forward(
    layers: Layers,
    job: Job,
    first_layer: Integer,
    base: Address,
    first_row: Integer,
    rows: Integer,
    batch_row: Integer,
    batch_rows: Integer,
    key: Integer,
    training: Integer,
    data: Address,
    scratch: Address,
) -> Integer:
    """The outputs of a layer and of all after it for some rows of a workspace, and the slopes that the way back needs.

    ``batch_row`` is the first row's number in the batch, ``key`` the step's for noise.  The network's inputs are in the
    workspace, or where they lie among the data.  1 if the run was aborted.
    """
    for number in range(first_layer, job.network.layer_count):
        layer = layer_at(layers, number)
        stride = layer.output_stride
        columns = vectors_for(layer.outputs) * LANES
        source = base + (layer.input * job.memory.capacity + first_row * layer.input_stride) * SIZE
        output = base + (layer.output * job.memory.capacity + first_row * stride) * SIZE
        if layer.kind == DROPOUT or layer.kind == GAUSSIAN_NOISE:
            if training and job.run.mode == TRAIN:
                add_noise(layer, rows, batch_row, key, output)
        else:
            product_target = output
            if (
                number == job.network.layer_count - 1 and layer.activation != LINEAR
            ):  # what it is given is kept in the delta
                product_target = base + (layer.delta * job.memory.capacity + first_row * stride) * SIZE
            if layer.kind == DENSE and layer.stored_transposed:
                weights = job.network.parameters + layer.weights * SIZE
                dot_rows(layer, rows, source, layer.input_stride, weights, scratch + PACK, product_target, stride)
                source = product_target
            elif layer.kind == DENSE:
                depth = layer.rows
                source_row = layer.input_stride
                if number == 0 and data:
                    depth = layer.inputs
                    source = data
                    source_row = job.data.x_row // SIZE
                layer_product(
                    layer,
                    job,
                    rows,
                    layer.outputs,
                    depth,
                    source,
                    source_row,
                    job.network.parameters + layer.weights * SIZE,
                    scratch + PACK,
                    product_target,
                )
                if depth < layer.rows:
                    add_bias(layer, rows, columns, job.network.parameters + layer.weights * SIZE, product_target)
                source = product_target
            elif layer.kind == BATCH_NORMALIZATION:
                if training:
                    if batch_statistics(layer, job, first_row, rows, batch_rows, source, scratch):
                        return 1
                else:
                    moving = job.network.state + layer.state * SIZE
                    copy_vectors(vectors_for(layer.outputs), moving, statistic_of(layer, scratch, MEAN))
                    moving += layer.stride * SIZE
                    copy_vectors(vectors_for(layer.outputs), moving, statistic_of(layer, scratch, VARIANCE))
                normalize_columns(layer, job, rows, source, product_target, stride, scratch)
                source = product_target
            elif layer.kind == LAYER_NORMALIZATION:
                kept = base + (layer.kept * job.memory.capacity + first_row * KEPT_VALUES) * SIZE
                normalize_rows(layer, job, rows, source, product_target, stride, kept)
                source = product_target
            elif layer.kind == SCALING:
                scale_columns(layer, job, rows, source, layer.input_stride, product_target, stride)
                source = product_target
            elif number == job.network.layer_count - 1:
                activate(LINEAR, rows, columns, stride, 0.0, source, product_target)
                source = product_target
            if layer.activation == SOFTMAX:
                if (
                    job.run.mode == PREDICT or job.loss.code != CATEGORICAL_CROSSENTROPY_FROM_LOGITS
                ):  # else score_rows does it
                    softmax(job, rows, layer.outputs, stride, source, output, scratch + PACK)
            elif layer.activation == CUSTOM:
                slopes = 0
                if training:
                    slopes = base + (layer.slope * job.memory.capacity + first_row * stride) * SIZE
                call_custom(
                    job, layer.function, rows, layer.outputs, source, stride, output, stride, 0, training, slopes
                )
            elif training and layer.slope >= 0:
                slopes = base + (layer.slope * job.memory.capacity + first_row * stride) * SIZE
                activate_keeping(layer.activation, rows, columns, stride, layer.parameter, source, output, slopes)
            elif layer.activation != LINEAR or source != output:
                activate(layer.activation, rows, columns, stride, layer.parameter, source, output)
            if number < job.network.layer_count - 1:
                for row in range(rows):
                    put(output, row * stride + layer.outputs, 1.0)
    return 0


@kernel
def backward(
    layers: Layers,
    job: Job,
    base: Address,
    first_row: Integer,
    rows: Integer,
    batch_row: Integer,
    batch_rows: Integer,
    key: Integer,
    scratch: Address,
) -> Integer:
    """Every layer's delta for some rows, from the gradient by the network's output in the last one's.

    1 if the run was aborted.
    """
    number = job.network.layer_count - 1
    layer = layer_at(layers, number)
    delta = base + (layer.delta * job.memory.capacity + first_row * layer.output_stride) * SIZE
    if not job.loss.on_logits:
        if layer.activation == SOFTMAX:
            output = base + (layer.output * job.memory.capacity + first_row * layer.output_stride) * SIZE
            softmax_backward(rows, layer.outputs, layer.output_stride, output, delta)
        else:
            through_activation(layer, job, base, first_row, rows, delta)
    while number >= job.network.first_trained:
        layer = layer_at(layers, number)
        previous = layer_at(layers, number - 1)
        source = base + (layer.delta * job.memory.capacity + first_row * layer.output_stride) * SIZE
        inputs = base + (layer.input * job.memory.capacity + first_row * layer.input_stride) * SIZE
        if layer.kind == BATCH_NORMALIZATION:
            if batch_sums(layer, job, first_row, rows, batch_rows, inputs, source, scratch):
                return 1
        if number > job.network.first_trained:
            delta = base + (previous.delta * job.memory.capacity + first_row * previous.output_stride) * SIZE
            if layer.kind == DENSE:
                matrix = job.network.parameters + layer.weights * SIZE
                matrix_stride = layer.stride
                transposed = layer.inputs
                if layer.stored_transposed:
                    transposed = 0
                elif job.network.keeps_transposed:
                    transposed = 0
                    matrix = job.network.transposed + layer.transposed * SIZE
                    matrix_stride = layer.transposed_stride
                product(
                    rows,
                    layer.inputs,
                    layer.outputs,
                    source,
                    layer.output_stride,
                    1,
                    16 * layer.output_stride,
                    matrix,
                    matrix_stride,
                    transposed,
                    0,
                    scratch + PACK,
                    delta,
                    previous.output_stride,
                )
                if layer.stored_transposed:  # the bias stands behind the weights
                    clear_behind(rows, layer.inputs, previous.output_stride, delta)
                source = delta
            elif layer.kind == BATCH_NORMALIZATION:
                normalize_columns_backward(layer, rows, batch_rows, inputs, source, delta, scratch)
                source = delta
            elif layer.kind == LAYER_NORMALIZATION:
                kept = base + (layer.kept * job.memory.capacity + first_row * KEPT_VALUES) * SIZE
                normalize_rows_backward(layer, job, rows, inputs, source, delta, kept)
                source = delta
            elif layer.kind == SCALING:
                scale_columns(layer, job, rows, source, layer.output_stride, delta, previous.output_stride)
                source = delta
            if previous.kind == DROPOUT and job.run.mode == TRAIN:
                through_noise(previous, rows, batch_row, key, source, delta)
            else:
                through_activation(previous, job, base, first_row, rows, source)
        number -= 1
    return 0
