"""The passes through the network: forward, and backward."""

from __future__ import annotations

from ..formulas.activations import LINEAR, SOFTMAX
from ..formulas.losses import CATEGORICAL_CROSSENTROPY_FROM_LOGITS
from ..language import Address, Integer, kernel
from ..program import LANES, PACK, SIZE
from ..records import (
    AFFINE,
    BATCH_NORMALIZATION,
    CUSTOM,
    DENSE,
    DROPOUT,
    GAUSSIAN_NOISE,
    GRADIENT,
    LAYER_NORMALIZATION,
    MEAN,
    PREDICT,
    RECTIFIER,
    SAMPLE,
    SCALING,
    VARIANCE,
    Job,
    Layer,
    Layers,
    layer_at,
)
from ..tuning import KEPT_VALUES
from ..values import Batch, Block, Left, Right, Rows
from ..vocabulary import put
from .activation import activate, activate_keeping, through_activation
from .columns import map_columns, map_columns_backward, rectify_columns, rectify_columns_backward
from .custom import call_custom
from .dense import add_bias, dot_rows, layer_product
from .noise import add_noise, through_noise
from .normalization import (
    batch_statistics,
    batch_sums,
    factor_columns,
    normalize_columns,
    normalize_columns_backward,
    normalize_rows,
    normalize_rows_backward,
    scale_columns,
    statistic_of,
)
from .product import product
from .softmax import softmax, softmax_backward
from .sparse import is_sparse, sparse_product
from .vectors import clear_behind, copy_vectors, vectors_for


@kernel
def forward(
    layers: Layers,
    job: Job,
    first: Integer,
    block: Block,
    batch: Batch,
    training: Integer,
    data: Address,
    scratch: Address,
) -> Integer:
    """The outputs of all layers from the first one on for a block of rows, and the slopes that the way back needs.

    The network's inputs are in the workspace, or, if ``data`` is not 0, there where they lie among the data.  Returns
    1 if the run was aborted.
    """
    for number in range(first, job.network.layer_count):
        layer = layer_at(layers, number)
        output = block.base + (layer.output * job.memory.capacity + block.first * layer.output_stride) * SIZE
        if layer.kind == DROPOUT or layer.kind == GAUSSIAN_NOISE:
            if training and job.run.mode != GRADIENT:
                add_noise(layer, block.rows, block.batch_row, batch.key, output)
        else:
            target = output
            if number == job.network.layer_count - 1 and layer.activation != LINEAR:  # its input is kept in the delta
                target = block.base + (layer.delta * job.memory.capacity + block.first * layer.output_stride) * SIZE
            source = transform(layer, job, number, block, batch.rows, training, data, scratch, target)
            if source == 0:
                return 1
            apply_activation(layer, job, block, training, scratch, source, output)
            if number < job.network.layer_count - 1:
                for row in range(block.rows):
                    put(output, row * layer.output_stride + layer.outputs, 1.0)
    return 0


@kernel(inline=True)
def transform(
    layer: Layer,
    job: Job,
    number: Integer,
    block: Block,
    batch_rows: Integer,
    training: Integer,
    data: Address,
    scratch: Address,
    target: Address,
) -> Address:
    """What a layer gives its activation, for a block of rows; returns where that stands, 0 if the run was aborted."""
    rows = block.rows
    stride = layer.output_stride
    source = block.base + (layer.input * job.memory.capacity + block.first * layer.input_stride) * SIZE
    weights = job.network.parameters + layer.weights * SIZE
    if is_sparse(layer, job):
        sparse_product(layer, job, block, target)
    elif layer.kind == DENSE and layer.stored_transposed:
        dot_rows(layer, rows, Rows(source, layer.input_stride), weights, scratch + PACK, Rows(target, stride))
    elif layer.kind == DENSE:
        depth = layer.rows
        inputs = Rows(source, layer.input_stride)
        if number == 0 and data:
            depth = layer.inputs
            inputs = Rows(data, job.data.x_row // SIZE)
        layer_product(layer, job, rows, layer.outputs, depth, inputs, weights, scratch + PACK, target)
        if depth < layer.rows:
            add_bias(layer, rows, vectors_for(layer.outputs) * LANES, weights, target)
    elif layer.kind == BATCH_NORMALIZATION:
        if training and layer.frozen == 0:
            if batch_statistics(layer, job, block, batch_rows, source, scratch):
                return 0
        else:
            moving = job.network.state + layer.state * SIZE
            copy_vectors(vectors_for(layer.outputs), moving, statistic_of(layer, scratch, MEAN))
            moving += layer.stride * SIZE
            copy_vectors(vectors_for(layer.outputs), moving, statistic_of(layer, scratch, VARIANCE))
        normalize_columns(layer, job, rows, source, Rows(target, stride), scratch)
    elif layer.kind == LAYER_NORMALIZATION:
        kept = block.base + (layer.kept * job.memory.capacity + block.first * KEPT_VALUES) * SIZE
        normalize_rows(layer, job, rows, source, Rows(target, stride), kept)
    elif layer.kind == SCALING:
        scale_columns(layer, job, rows, Rows(source, layer.input_stride), Rows(target, stride))
    elif layer.kind == AFFINE:
        map_columns(layer, job, rows, Rows(source, layer.input_stride), Rows(target, stride))
    elif layer.kind == RECTIFIER:
        rectify_columns(layer, job, rows, Rows(source, layer.input_stride), Rows(target, stride))
    elif number == job.network.layer_count - 1:
        activate(LINEAR, rows, vectors_for(layer.outputs) * LANES, stride, 0.0, source, target)
    else:
        return source
    return target


@kernel(inline=True)
def apply_activation(
    layer: Layer, job: Job, block: Block, training: Integer, scratch: Address, source: Address, output: Address
) -> None:
    """A layer's activation for a block of rows, and the slopes that are kept for the way back."""
    rows = block.rows
    stride = layer.output_stride
    columns = vectors_for(layer.outputs) * LANES
    if layer.activation == SOFTMAX:
        predicts = job.run.mode == PREDICT or job.run.mode == SAMPLE
        if predicts or job.loss.code != CATEGORICAL_CROSSENTROPY_FROM_LOGITS:  # else score_rows does it
            softmax(job, rows, layer.outputs, stride, source, output, scratch + PACK)
    elif layer.activation == CUSTOM:
        slopes = 0
        if training:
            slopes = block.base + (layer.slope * job.memory.capacity + block.first * stride) * SIZE
        given = Rows(source, stride)
        call_custom(job, layer.function, rows, layer.outputs, given, Rows(output, stride), Rows(0, training), slopes)
    elif training and layer.slope >= 0:
        slopes = block.base + (layer.slope * job.memory.capacity + block.first * stride) * SIZE
        activate_keeping(layer.activation, rows, columns, stride, layer.parameter, source, output, slopes)
    elif layer.activation != LINEAR or source != output:
        activate(layer.activation, rows, columns, stride, layer.parameter, source, output)


@kernel
def backward(layers: Layers, job: Job, block: Block, batch: Batch, scratch: Address) -> Integer:
    """Every layer's delta for a block of rows, from the gradient by the network's output in the last one's.

    Returns 1 if the run was aborted.
    """
    number = job.network.layer_count - 1
    layer = layer_at(layers, number)
    delta = block.base + (layer.delta * job.memory.capacity + block.first * layer.output_stride) * SIZE
    if not job.loss.on_logits:
        if layer.activation == SOFTMAX:
            output = block.base + (layer.output * job.memory.capacity + block.first * layer.output_stride) * SIZE
            softmax_backward(block.rows, layer.outputs, layer.output_stride, output, delta)
        else:
            through_activation(layer, job, block, delta)
    while number >= job.network.first_trained:
        layer = layer_at(layers, number)
        source = block.base + (layer.delta * job.memory.capacity + block.first * layer.output_stride) * SIZE
        if layer.kind == BATCH_NORMALIZATION and layer.frozen == 0:
            inputs = block.base + (layer.input * job.memory.capacity + block.first * layer.input_stride) * SIZE
            if batch_sums(layer, job, block, batch.rows, inputs, source, scratch):
                return 1
        if number > job.network.first_trained:
            previous = layer_at(layers, number - 1)
            source = input_gradient(layer, previous, job, block, batch.rows, source, scratch)
            if previous.kind == DROPOUT and job.run.mode != GRADIENT:
                delta = (
                    block.base + (previous.delta * job.memory.capacity + block.first * previous.output_stride) * SIZE
                )
                through_noise(previous, block.rows, block.batch_row, batch.key, source, delta)
            else:
                through_activation(previous, job, block, source)
        number -= 1
    return 0


@kernel(inline=True)
def input_gradient(
    layer: Layer, previous: Layer, job: Job, block: Block, batch_rows: Integer, source: Address, scratch: Address
) -> Address:
    """The gradient by a layer's input, from that by its product; returns where it is, mostly the previous delta."""
    rows = block.rows
    inputs = block.base + (layer.input * job.memory.capacity + block.first * layer.input_stride) * SIZE
    stride = previous.output_stride
    delta = block.base + (previous.delta * job.memory.capacity + block.first * stride) * SIZE
    if layer.kind == DENSE:
        matrix = Right(job.network.parameters + layer.weights * SIZE, layer.stride, layer.inputs)
        if layer.stored_transposed:
            matrix = Right(matrix.address, layer.stride, 0)
        elif job.network.keeps_transposed:
            matrix = Right(job.network.transposed + layer.transposed * SIZE, layer.transposed_stride, 0)
        left = Left(source, layer.output_stride, 1, 16 * layer.output_stride)
        product(rows, layer.inputs, layer.outputs, left, matrix, 0, scratch + PACK, Rows(delta, stride))
        if layer.stored_transposed:  # the bias stands behind the weights
            clear_behind(rows, layer.inputs, Rows(delta, stride))
    elif layer.kind == BATCH_NORMALIZATION and layer.frozen:
        factor_columns(layer, rows, source, delta, scratch)
    elif layer.kind == BATCH_NORMALIZATION:
        normalize_columns_backward(layer, rows, batch_rows, inputs, source, delta, scratch)
    elif layer.kind == LAYER_NORMALIZATION:
        kept = block.base + (layer.kept * job.memory.capacity + block.first * KEPT_VALUES) * SIZE
        normalize_rows_backward(layer, job, rows, inputs, source, delta, kept)
    elif layer.kind == SCALING:
        scale_columns(layer, job, rows, Rows(source, layer.output_stride), Rows(delta, stride))
    elif layer.kind == AFFINE:
        map_columns_backward(layer, job, rows, Rows(source, layer.output_stride), Rows(delta, stride))
    elif layer.kind == RECTIFIER:
        rectify_columns_backward(layer, job, rows, inputs, Rows(source, layer.output_stride), Rows(delta, stride))
    else:
        return source
    return delta
