"""Losses and metrics of each row, and the loss's gradient."""

from __future__ import annotations

from math import inf

from ..elementary import exp, log
from ..formulas.activations import LINEAR, SOFTMAX
from ..formulas.losses import (
    CATEGORICAL_ACCURACY,
    CATEGORICAL_CROSSENTROPY_FROM_LOGITS,
    CATEGORICAL_FOCAL_CROSSENTROPY_FROM_LOGITS,
    KL_DIVERGENCE_FROM_LOGITS,
    LOG_SOFTMAX_LOSSES,
    LOSS_GRADIENTS,
    LOSS_VALUES,
)
from ..language import Address, Code, Double, Integer, kernel
from ..program import LANES, PACK, SIZE
from ..records import CUSTOM, TRAIN, Job, Layer
from ..tuning import FEW_VALUES
from ..vocabulary import (
    first_lane,
    fma,
    get,
    get_double,
    get_integer,
    lane_numbers,
    lanes_below,
    load,
    max_lanes,
    minimum,
    put_double,
    splat,
    store,
    sum_lanes,
    to_double,
    where,
)
from .crossentropy import crossentropy_row, crossentropy_rows
from .custom import call_custom
from .softmax import largest_of_row


@kernel(each=LOSS_VALUES)
def value_rows(
    loss: Code,
    rows: Integer,
    columns: Integer,
    scale: Double,
    output: Address,
    output_row: Integer,
    targets: Address,
    target_row: Integer,
    scores: Address,
    score_row: Integer,
) -> None:
    """The sum over the columns of each row, times scale."""
    parameter = splat(1.0)
    second = parameter
    third = parameter
    for row in range(rows):
        total = splat(0.0)
        for at in range(0, columns, LANES):
            y = load(output, row * output_row + at)
            target = load(targets, row * target_row + at)
            total = total + where(
                lanes_below(columns - at), loss.value(y, target, parameter, second, third), splat(0.0)
            )
        if columns > 1:
            total = sum_lanes(total)
        put_double(scores, row * score_row, scale * first_lane(total))


@kernel(each=LOSS_GRADIENTS)
def loss_rows(
    loss: Code,
    rows: Integer,
    columns: Integer,
    parameters: Address,
    scale: Double,
    batch_scale: Double,
    target_scale: Double,
    target_shift: Double,
    output: Address,
    output_row: Integer,
    targets: Address,
    target_row: Integer,
    scores: Address,
    score_row: Integer,
    delta: Address,
) -> None:
    """The same with each row's weight, and the gradient beside it: by the output, of the mean over the batch."""
    smooth = splat(target_scale)
    floor = splat(target_shift)
    for row in range(rows):
        weight = scale * get(targets, row * target_row + columns)
        weights = splat(weight * batch_scale)
        total = splat(0.0)
        for at in range(0, columns, LANES):
            inside = lanes_below(columns - at)
            y = load(output, row * output_row + at)
            target = fma(load(targets, row * target_row + at), smooth, floor)
            parameter = load(parameters, at)
            second = load(parameters, output_row + at)
            third = load(parameters, 2 * output_row + at)
            total = total + where(inside, loss.value(y, target, parameter, second, third), splat(0.0))
            d = weights * loss.gradient(y, target, parameter, second, third)
            store(delta, row * output_row + at, where(inside, d, splat(0.0)))
        if columns > 1:
            total = sum_lanes(total)
        put_double(scores, row * score_row, weight * first_lane(total))


@kernel(apart=True, each=LOG_SOFTMAX_LOSSES)
def log_softmax_loss_rows(
    loss: Code,
    rows: Integer,
    columns: Integer,
    parameters: Address,
    scale: Double,
    batch_scale: Double,
    logits: Address,
    logits_row: Integer,
    targets: Address,
    target_row: Integer,
    scores: Address,
    score_row: Integer,
    delta: Address,
) -> None:
    """The same for a loss of the logarithms of softmax's outputs p: by the logits it is d - p * sum(d).

    delta may be the logits.
    """
    for row in range(rows):
        source = logits + row * logits_row * SIZE
        weight = scale * get(targets, row * target_row + columns)
        weights = splat(weight * batch_scale)
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
            target = load(targets, row * target_row + at)
            parameter = load(parameters, at)
            second = load(parameters, logits_row + at)
            total = total + where(inside, loss.value(y, target, parameter, second), splat(0.0))
            slopes = slopes + where(inside, loss.gradient(y, target, parameter, second), splat(0.0))
        slopes = sum_lanes(slopes)
        for at in range(0, columns, LANES):
            y = load(source, at) - level
            target = load(targets, row * target_row + at)
            parameter = load(parameters, at)
            second = load(parameters, logits_row + at)
            d = weights * (loss.gradient(y, target, parameter, second) - exp(y) * slopes)
            store(delta, row * logits_row + at, where(lanes_below(columns - at), d, splat(0.0)))
        put_double(scores, row * score_row, weight * first_lane(sum_lanes(total)))


@kernel(apart=True)
def weigh_rows(
    rows: Integer,
    columns: Integer,
    scale: Double,
    batch_scale: Double,
    targets: Address,
    target_row: Integer,
    scores: Address,
    score_row: Integer,
    delta: Address,
    delta_row: Integer,
) -> None:
    """Each row's weight and the scales upon what a loss of the user's own wrote."""
    for row in range(rows):
        weight = scale * get(targets, row * target_row + columns)
        weights = splat(weight * batch_scale)
        for at in range(0, columns, LANES):
            d = weights * load(delta, row * delta_row + at)
            store(delta, row * delta_row + at, where(lanes_below(columns - at), d, splat(0.0)))
        put_double(scores, row * score_row, weight * get_double(scores, row * score_row))


@kernel
def argmax_of_row(columns: Integer, source: Address) -> Double:
    """The first column that holds the row's largest value."""
    largest = largest_of_row(columns, source)
    place = splat(inf)
    for at in range(0, columns, LANES):
        here = where(load(source, at) == largest, lane_numbers() + splat(to_double(at)), splat(inf))
        place = minimum(place, where(lanes_below(columns - at), here, splat(inf)))
    return first_lane(-max_lanes(-place))


@kernel(inline=True)
def score_rows(
    job: Job,
    layer: Layer,
    base: Address,
    first_row: Integer,
    rows: Integer,
    first_score: Integer,
    row_weight: Double,
    scratch: Address,
) -> None:
    """The loss and the metrics of each row into the scores, and the loss's gradient into the delta.

    ``share`` is what a row counts in the batch.  ``layer`` is the last one; its delta holds what its activation was
    given, the logits, on the way in: its output does where that is linear.
    """
    stride = layer.output_stride
    delta = base + (layer.delta * job.memory.capacity + first_row * stride) * SIZE
    output = base + (layer.output * job.memory.capacity + first_row * stride) * SIZE
    targets = base + (job.memory.target * job.memory.capacity + first_row * job.memory.target_stride) * SIZE
    score_row = 1 + job.loss.metric_count
    scores = job.memory.scores + (first_score + first_row) * score_row * 8
    if job.loss.code == CATEGORICAL_CROSSENTROPY_FROM_LOGITS:
        logits = output
        probabilities = delta
        if layer.activation == SOFTMAX:
            logits = delta
            probabilities = output
        if layer.outputs < FEW_VALUES:
            if probabilities == delta or (job.run.mode == TRAIN and job.loss.metric_count == 0):  # nobody asks for them
                probabilities = 0
            crossentropy_rows(
                job, layer, rows, row_weight, targets, logits, probabilities, delta, scores, scratch + PACK
            )
        else:
            for row in range(rows):
                at = row * stride * SIZE
                target = targets + row * job.memory.target_stride * SIZE
                weight = get(target, layer.outputs)
                loss = crossentropy_row(
                    layer.outputs,
                    row_weight * weight,
                    job.loss.target_scale,
                    job.loss.target_shift,
                    target,
                    logits + at,
                    probabilities + at,
                    delta + at,
                )
                put_double(scores, row * score_row, loss * weight)
    elif job.loss.code == CUSTOM:
        call_custom(
            job,
            job.loss.function,
            rows,
            layer.outputs,
            output,
            stride,
            targets,
            job.memory.target_stride,
            scores,
            score_row,
            delta,
        )
        weigh_rows(
            rows,
            layer.outputs,
            job.loss.scale,
            row_weight,
            targets,
            job.memory.target_stride,
            scores,
            score_row,
            delta,
            stride,
        )
    elif job.loss.code == KL_DIVERGENCE_FROM_LOGITS or job.loss.code == CATEGORICAL_FOCAL_CROSSENTROPY_FROM_LOGITS:
        source = output
        if layer.activation == SOFTMAX:
            source = delta
        log_softmax_loss_rows(
            job.loss.code,
            rows,
            layer.outputs,
            job.loss.parameters,
            job.loss.scale,
            row_weight,
            source,
            stride,
            targets,
            job.memory.target_stride,
            scores,
            score_row,
            delta,
        )
    else:
        source = output
        if job.loss.on_logits and layer.activation != LINEAR:
            source = delta
        loss_rows(
            job.loss.code,
            rows,
            layer.outputs,
            job.loss.parameters,
            job.loss.scale,
            row_weight,
            job.loss.target_scale,
            job.loss.target_shift,
            source,
            stride,
            targets,
            job.memory.target_stride,
            scores,
            score_row,
            delta,
        )
    for metric in range(job.loss.metric_count):
        code = get_integer(job.loss.metrics, metric)
        scores += 8
        if code == CATEGORICAL_ACCURACY:
            for row in range(rows):
                place = argmax_of_row(layer.outputs, output + row * stride * SIZE)
                wanted = argmax_of_row(layer.outputs, targets + row * job.memory.target_stride * SIZE)
                put_double(scores, row * score_row, 0.0)
                if place == wanted:
                    put_double(scores, row * score_row, 1.0)
        else:
            value_rows(
                code,
                rows,
                layer.outputs,
                1.0 / to_double(layer.outputs),
                output,
                stride,
                targets,
                job.memory.target_stride,
                scores,
                score_row,
            )
