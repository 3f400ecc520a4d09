"""The rows of a batch for members side by side: into the lanes, and out of them."""

from __future__ import annotations

from ..formulas.activations import SOFTMAX
from ..language import Address, Integer, kernel
from ..program import LANES, SIZE
from ..records import Job, Layers, layer_at
from ..values import Rows
from ..vocabulary import broadcast, copy, get_integer, splat, store
from .shuffle import mixed, shuffled


@kernel
def values_at(job: Job, offset: Integer) -> Address:
    """Where some values of all rows start in the workspace."""
    return job.memory.workspace + offset * job.memory.capacity * SIZE


@kernel
def gather_members(layers: Layers, job: Job, group: Integer, epoch: Integer, position: Integer, rows: Integer) -> None:
    """Each member's rows of x, with a 1 behind them, and of the targets."""
    layer = layer_at(layers, 0)
    last = layer_at(layers, job.network.layer_count - 1)
    inputs = Rows(job.memory.workspace + layer.input * job.memory.capacity * SIZE, layer.input_stride)
    targets = Rows(job.memory.workspace + job.memory.target * job.memory.capacity * SIZE, job.memory.target_stride)
    units = last.outputs // LANES
    if job.members.together:
        key = mixed(get_integer(job.members.seeds, 0) + mixed(epoch))
        for row in range(rows):
            place = place_of_member(job, key, position + row)
            broadcast_row(
                layer.inputs, job.data.x + place * job.data.x_row, inputs.address + row * inputs.stride * SIZE
            )
            broadcast_row(units, job.data.y + place * job.data.y_row, targets.address + row * targets.stride * SIZE)
    else:
        for lane in range(LANES):
            member = group * LANES + lane
            key = mixed(get_integer(job.members.seeds, member) + mixed(epoch))
            x = job.data.x + member * job.members.x_member
            y = job.data.y + member * job.members.y_member
            for row in range(rows):
                place = place_of_member(job, key, position + row)
                for column in range(layer.inputs):
                    copy(
                        x + place * job.data.x_row, column, inputs.address, row * inputs.stride + column * LANES + lane
                    )
                for unit in range(units):
                    copy(y + place * job.data.y_row, unit, targets.address, row * targets.stride + unit * LANES + lane)
    for row in range(rows):
        store(inputs.address, row * inputs.stride + layer.inputs * LANES, splat(1.0))


@kernel
def place_of_member(job: Job, key: Integer, position: Integer) -> Integer:
    """The row that is visited at a position."""
    if job.order.shuffle:
        return shuffled(position, job.data.rows, job.order.mask, job.order.shift, key)
    return position


@kernel
def broadcast_row(columns: Integer, source: Address, target: Address) -> None:
    """Numbers of one row, each in every lane."""
    for column in range(columns):
        store(target, column * LANES, broadcast(source, column))


@kernel
def members_outputs(layers: Layers, job: Job, group: Integer, position: Integer, rows: Integer) -> None:
    """A batch's outputs, each member's where it belongs."""
    layer = layer_at(layers, job.network.layer_count - 1)
    source = values_at(job, layer.output)
    if layer.activation == SOFTMAX:
        source = values_at(job, layer.delta)
    units = layer.outputs // LANES
    for lane in range(LANES):
        target = job.members.outputs + ((group * LANES + lane) * job.data.rows + position) * units * SIZE
        for row in range(rows):
            for unit in range(units):
                copy(source, row * layer.output_stride + unit * LANES + lane, target, row * units + unit)
