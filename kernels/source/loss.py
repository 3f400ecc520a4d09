"""Losses and metrics of each row, and the loss's gradient."""

from __future__ import annotations

from ..formulas.activations import LINEAR, SOFTMAX
from ..formulas.losses import (
    CATEGORICAL_ACCURACY,
    CATEGORICAL_CROSSENTROPY_FROM_LOGITS,
    CATEGORICAL_FOCAL_CROSSENTROPY_FROM_LOGITS,
    CATEGORICAL_HINGE,
    COSINE_SIMILARITY,
    KL_DIVERGENCE_FROM_LOGITS,
    LOG_SOFTMAX_LOSSES,
    LOSS_GRADIENTS,
    LOSS_VALUES,
)
from ..language import Address, Code, Double, Integer, kernel
from ..program import LANES, PACK, SIZE
from ..records import CUSTOM, TRAIN, Job, Layer
from ..tuning import FEW_VALUES
from ..values import Block, Rows
from ..vocabulary import (
    exp,
    first_lane,
    fma,
    get,
    get_double,
    get_integer,
    lanes_below,
    load,
    log,
    put_double,
    splat,
    store,
    sum_lanes,
    to_double,
    where,
)
from .crossentropy import crossentropy_row, crossentropy_rows
from .custom import call_custom
from .row_losses import argmax_of_row, categorical_hinge_rows, cosine_similarity_rows
from .softmax import largest_of_row


@kernel(each=LOSS_VALUES)
def value_rows(
    loss: Code, rows: Integer, columns: Integer, scale: Double, output: Rows, targets: Rows, scores: Rows
) -> None:
    """The sum of a metric over the columns of each row, times scale, into the scores."""
    parameter = splat(1.0)
    second = parameter
    third = parameter
    for row in range(rows):
        total = splat(0.0)
        for at in range(0, columns, LANES):
            y = load(output.address, row * output.stride + at)
            target = load(targets.address, row * targets.stride + at)
            cost = loss.value(y, target, parameter, second, third)
            total = total + where(lanes_below(columns - at), cost, splat(0.0))
        if columns > 1:
            total = sum_lanes(total)
        put_double(scores.address, row * scores.stride, scale * first_lane(total))


@kernel(each=LOSS_GRADIENTS)
def loss_rows(
    loss: Code,
    job: Job,
    rows: Integer,
    columns: Integer,
    row_weight: Double,
    output: Rows,
    targets: Rows,
    scores: Rows,
    delta: Address,
) -> None:
    """The loss of each row times its weight into the scores, and its gradient by the output into delta.

    The gradient is that of the mean over the batch, in which a row of weight 1 counts row_weight.
    """
    scale = job.loss.scale
    parameters = job.loss.parameters
    smooth = splat(job.loss.target_scale)
    floor = splat(job.loss.target_shift)
    for row in range(rows):
        weight = scale * get(targets.address, row * targets.stride + columns)
        weights = splat(weight * row_weight)
        total = splat(0.0)
        for at in range(0, columns, LANES):
            inside = lanes_below(columns - at)
            y = load(output.address, row * output.stride + at)
            target = fma(load(targets.address, row * targets.stride + at), smooth, floor)
            parameter = load(parameters, at)
            second = load(parameters, output.stride + at)
            third = load(parameters, 2 * output.stride + at)
            total = total + where(inside, loss.value(y, target, parameter, second, third), splat(0.0))
            d = weights * loss.gradient(y, target, parameter, second, third)
            store(delta, row * output.stride + at, where(inside, d, splat(0.0)))
        if columns > 1:
            total = sum_lanes(total)
        put_double(scores.address, row * scores.stride, weight * first_lane(total))


@kernel(apart=True, each=LOG_SOFTMAX_LOSSES)
def log_softmax_loss_rows(
    loss: Code,
    job: Job,
    rows: Integer,
    columns: Integer,
    row_weight: Double,
    logits: Rows,
    targets: Rows,
    scores: Rows,
    delta: Address,
) -> None:
    """A loss of the logarithms of softmax's outputs p, and its gradient by the logits: d - p * sum(d).

    delta may be the logits.
    """
    parameters = job.loss.parameters
    for row in range(rows):
        source = logits.address + row * logits.stride * SIZE
        weight = job.loss.scale * get(targets.address, row * targets.stride + columns)
        weights = splat(weight * row_weight)
        largest = largest_of_row(columns, source)
        total = splat(0.0)
        for at in range(0, columns, LANES):
            total = total + where(lanes_below(columns - at), exp(load(source, at) - largest), splat(0.0))
        level = largest + log(sum_lanes(total))
        total = splat(0.0)
        slopes = splat(0.0)
        for at in range(0, columns, LANES):
            inside = lanes_below(columns - at)
            y = load(source, at) - level
            target = load(targets.address, row * targets.stride + at)
            parameter = load(parameters, at)
            second = load(parameters, logits.stride + at)
            total = total + where(inside, loss.value(y, target, parameter, second), splat(0.0))
            slopes = slopes + where(inside, loss.gradient(y, target, parameter, second), splat(0.0))
        slopes = sum_lanes(slopes)
        for at in range(0, columns, LANES):
            y = load(source, at) - level
            target = load(targets.address, row * targets.stride + at)
            parameter = load(parameters, at)
            second = load(parameters, logits.stride + at)
            d = weights * (loss.gradient(y, target, parameter, second) - exp(y) * slopes)
            store(delta, row * logits.stride + at, where(lanes_below(columns - at), d, splat(0.0)))
        put_double(scores.address, row * scores.stride, weight * first_lane(sum_lanes(total)))


@kernel(apart=True)
def weigh_rows(
    rows: Integer, columns: Integer, scale: Double, row_weight: Double, targets: Rows, scores: Rows, delta: Rows
) -> None:
    """Each row's weight and the scales upon what a loss of the user's own wrote."""
    for row in range(rows):
        weight = scale * get(targets.address, row * targets.stride + columns)
        weights = splat(weight * row_weight)
        for at in range(0, columns, LANES):
            d = weights * load(delta.address, row * delta.stride + at)
            store(delta.address, row * delta.stride + at, where(lanes_below(columns - at), d, splat(0.0)))
        score = get_double(scores.address, row * scores.stride)
        put_double(scores.address, row * scores.stride, weight * score)


@kernel(inline=True)
def score_rows(
    job: Job, layer: Layer, block: Block, first_score: Integer, row_weight: Double, scratch: Address
) -> None:
    """The loss and the metrics of each row into the scores, and the loss's gradient into the delta.

    ``row_weight`` is what a row of weight 1 counts in the batch.  ``layer`` is the last one; its delta holds what its
    activation was given, the logits, on the way in: its output does where that is linear.
    """
    stride = layer.output_stride
    rows = block.rows
    delta = block.base + (layer.delta * job.memory.capacity + block.first * stride) * SIZE
    output = block.base + (layer.output * job.memory.capacity + block.first * stride) * SIZE
    first_target = job.memory.target * job.memory.capacity + block.first * job.memory.target_stride
    targets = Rows(block.base + first_target * SIZE, job.memory.target_stride)
    score_stride = 1 + job.loss.metric_count
    scores = Rows(job.memory.scores + (first_score + block.first) * score_stride * 8, score_stride)
    logits = output  # what the last activation was given
    if layer.activation != LINEAR:
        logits = delta
    if job.loss.code == CATEGORICAL_CROSSENTROPY_FROM_LOGITS:
        score_crossentropy(job, layer, rows, row_weight, targets, Rows(output, stride), delta, scores, scratch)
    elif job.loss.code == CUSTOM:
        call_custom(job, job.loss.function, rows, layer.outputs, Rows(output, stride), targets, scores, delta)
        weigh_rows(rows, layer.outputs, job.loss.scale, row_weight, targets, scores, Rows(delta, stride))
    elif job.loss.code == KL_DIVERGENCE_FROM_LOGITS or job.loss.code == CATEGORICAL_FOCAL_CROSSENTROPY_FROM_LOGITS:
        source = output
        if layer.activation == SOFTMAX:
            source = delta
        log_softmax_loss_rows(
            job.loss.code, job, rows, layer.outputs, row_weight, Rows(source, stride), targets, scores, delta
        )
    elif job.loss.code == COSINE_SIMILARITY:
        cosine_similarity_rows(job, rows, layer.outputs, row_weight, Rows(output, stride), targets, scores, delta)
    elif job.loss.code == CATEGORICAL_HINGE:
        categorical_hinge_rows(job, rows, layer.outputs, row_weight, Rows(output, stride), targets, scores, delta)
    else:
        source = output
        if job.loss.on_logits:
            source = logits
        loss_rows(job.loss.code, job, rows, layer.outputs, row_weight, Rows(source, stride), targets, scores, delta)
    score_metrics(job, layer, rows, Rows(output, stride), targets, scores)


@kernel(inline=True)
def score_crossentropy(
    job: Job,
    layer: Layer,
    rows: Integer,
    row_weight: Double,
    targets: Rows,
    output: Rows,
    delta: Address,
    scores: Rows,
    scratch: Address,
) -> None:
    """The crossentropy of each row and its gradient by the logits; and the softmax, where it has not been computed."""
    logits = output.address
    probabilities = delta
    if layer.activation == SOFTMAX:
        logits = delta
        probabilities = output.address
    if layer.outputs < FEW_VALUES:
        asked = job.run.mode != TRAIN or job.loss.metric_count != 0 or job.memory.output != 0
        if probabilities == delta or not asked:
            probabilities = 0
        crossentropy_rows(job, layer, rows, row_weight, targets, logits, probabilities, delta, scores, scratch + PACK)
    else:
        for row in range(rows):
            at = row * output.stride * SIZE
            target = targets.address + row * targets.stride * SIZE
            weight = get(target, layer.outputs)
            loss = crossentropy_row(
                job, layer.outputs, row_weight * weight, target, logits + at, probabilities + at, delta + at
            )
            put_double(scores.address, row * scores.stride, loss * weight)


@kernel(inline=True)
def score_metrics(job: Job, layer: Layer, rows: Integer, output: Rows, targets: Rows, scores: Rows) -> None:
    """The metrics of each row, behind its loss."""
    for metric in range(job.loss.metric_count):
        code = get_integer(job.loss.metrics, metric)
        own = Rows(scores.address + (1 + metric) * 8, scores.stride)
        if code == CATEGORICAL_ACCURACY:
            for row in range(rows):
                place = argmax_of_row(layer.outputs, output.address + row * output.stride * SIZE)
                wanted = argmax_of_row(layer.outputs, targets.address + row * targets.stride * SIZE)
                put_double(own.address, row * own.stride, 0.0)
                if place == wanted:
                    put_double(own.address, row * own.stride, 1.0)
        else:
            value_rows(code, rows, layer.outputs, 1.0 / to_double(layer.outputs), output, targets, own)
