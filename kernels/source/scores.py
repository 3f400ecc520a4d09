"""Sums of the rows' losses and metrics."""

from __future__ import annotations

from ..language import Address, Double, Integer, kernel
from ..records import PENALTY, Job, Layers, layer_at
from ..values import Batch
from ..vocabulary import get_double, put_double, to_double
from .penalty import sum_of_rows


@kernel
def row_weight_of(job: Job, step: Integer, batch_rows: Integer) -> Double:
    """What a row of weight 1 counts in its batch."""
    if job.order.row_weights != 0:
        return get_double(job.order.row_weights, step - job.run.first_step)
    return 1.0 / to_double(batch_rows)


@kernel(inline=True)
def add_scores(job: Job, batch: Batch) -> None:
    """Add the scores of a batch to those of its epoch."""
    columns = 1 + job.loss.metric_count
    results = job.memory.results + (batch.epoch - job.run.first_epoch) * columns * 8
    for column in range(columns):
        total = sum_of_scores(batch.rows, columns, job.memory.scores + (batch.first_score * columns + column) * 8)
        if column == 0:
            total = total * job.loss.score_scale
            if job.order.row_weights != 0:
                total = total * batch.row_weight * to_double(batch.rows)
        put_double(results, column, get_double(results, column) + total)


@kernel(inline=True)
def sum_of_scores(rows: Integer, step: Integer, scores: Address) -> Double:
    """The sum of a column of scores, in four chains: four additions can be under way at a time."""
    a = 0.0
    b = 0.0
    c = 0.0
    d = 0.0
    row = 0
    while row + 4 <= rows:
        a = a + get_double(scores, row * step)
        b = b + get_double(scores, (row + 1) * step)
        c = c + get_double(scores, (row + 2) * step)
        d = d + get_double(scores, (row + 3) * step)
        row += 4
    while row < rows:
        a = a + get_double(scores, row * step)
        row += 1
    return (a + b) + (c + d)


@kernel(apart=True)
def add_penalties(layers: Layers, job: Job, batch: Batch) -> None:
    """Add the penalties on the weights, as they were before the step, to the losses of its rows."""
    total = 0.0
    for number in range(job.network.layer_count):
        layer = layer_at(layers, number)
        if layer.penalized:
            total = total + sum_of_rows(layer, job, PENALTY)
    results = job.memory.results + (batch.epoch - job.run.first_epoch) * (1 + job.loss.metric_count) * 8
    put_double(results, 0, get_double(results, 0) + total * to_double(batch.rows))
