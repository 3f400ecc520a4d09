"""Members of an ensemble side by side: a vector holds one number of as many networks as it has lanes.

A group is as many members as a vector has lanes.  Its weights are (inputs + 1, units, lanes), its rows of a batch
(rows, width, lanes).  So every product is of vectors, without a horizontal sum, and what is elementwise is as for one
network of so many times the units: the fields of a layer's record count values, LANES for each unit.  A job has some
groups, and takes each through all steps of the run: no thread waits for another.
"""

from __future__ import annotations

from ..formulas.activations import LINEAR
from ..formulas.losses import CATEGORICAL_CROSSENTROPY_FROM_LOGITS, LOSS_GRADIENTS
from ..language import Address, Code, Double, Integer, kernel
from ..program import LANES, SIZE, TILE_VECTORS
from ..records import DECAY, LACKING, MEMBER_SCALARS, Job, Layer, Layers, layer_at
from ..values import Block, Rows, Strided
from ..vocabulary import (
    absolute,
    broadcast,
    copysign,
    exp,
    fma,
    get,
    get_double,
    get_integer,
    load,
    log,
    maximum,
    put,
    put_double,
    reciprocal,
    splat,
    store,
    to_double,
    where,
)
from .activation import through_activation
from .member_rows import gather_members, members_outputs, values_at
from .optimizer_rules import member_update, prepare
from .passes import apply_activation
from .tile import member_tile


@kernel
def train_members(layers: Layers, job: Job) -> Integer:
    """Take each group of the job through the steps of the run; the sum of its losses goes to the results.

    Returns LACKING, and does nothing, where vectors have another number of lanes.
    """
    if job.members.lanes != LANES:
        return LACKING
    for group in range(job.members.first, job.members.end):
        if job.members.measures:
            measure_members(layers, job, group)
        else:
            step_members(layers, job, group)
    return 0


@kernel
def step_members(layers: Layers, job: Job, group: Integer) -> None:
    """A group's steps of the run."""
    for step in range(job.run.first_step, job.run.last_step):
        epoch = step // job.run.steps_per_epoch
        position = (step - epoch * job.run.steps_per_epoch) * job.data.batch_size
        rows = job.data.rows - position
        if rows > job.data.batch_size:
            rows = job.data.batch_size
        gather_members(layers, job, group, epoch, position, rows)
        members_forward(layers, job, group, rows)
        members_score(layers, job, group, rows, epoch - job.run.first_epoch)
        members_backward(layers, job, group, rows)
        members_update(layers, job, group, rows, step)


@kernel
def measure_members(layers: Layers, job: Job, group: Integer) -> None:
    """The losses of a group's rows into the results; or their outputs, those of a last softmax as they go into it."""
    position = 0
    while position < job.data.rows:
        rows = job.data.rows - position
        if rows > job.data.batch_size:
            rows = job.data.batch_size
        gather_members(layers, job, group, 0, position, rows)
        members_forward(layers, job, group, rows)
        if job.members.outputs == 0:
            members_score(layers, job, group, rows, 0)
        else:
            members_outputs(layers, job, group, position, rows)
        position += rows


@kernel
def member_panel(
    rows: Integer, columns: Integer, depth: Integer, left: Strided, right: Strided, target: Rows
) -> Integer:
    """target[i, j] = sum over k of left[i, k] right[k, j], each a vector, for the rows of a tile; returns their number.

    They stay in the first cache, and all of the right matrix passes by them: what is done with their products next is
    done there too.  target's columns follow each other.
    """
    done = 0
    for column in range(0, columns, TILE_VECTORS):
        vectors = columns - column
        if vectors > TILE_VECTORS:
            vectors = TILE_VECTORS
        own = Strided(right.address + column * right.across * SIZE, right.across, right.along)
        there = Rows(target.address + column * LANES * SIZE, target.stride)
        done = member_tile(rows, vectors, depth, left, own, 0, there)
    return done


# --- Passes ---


@kernel
def parameters_of(job: Job, group: Integer, layer: Layer) -> Address:
    """Where a group's weights of a layer start."""
    return job.network.parameters + (group * job.members.group_values + layer.weights) * SIZE


@kernel
def members_forward(layers: Layers, job: Job, group: Integer, rows: Integer) -> None:
    """The outputs of all layers, and the slopes that the way back needs."""
    for number in range(job.network.layer_count):
        layer = layer_at(layers, number)
        stride = layer.output_stride
        output = values_at(job, layer.output)
        target = output
        last = number == job.network.layer_count - 1
        if last and layer.activation != LINEAR:  # its input is kept in the delta
            target = values_at(job, layer.delta)
        inputs = values_at(job, layer.input)
        right = Strided(parameters_of(job, group, layer), LANES, layer.stride)
        row = 0
        while row < rows:
            left = Strided(inputs + row * layer.input_stride * SIZE, layer.input_stride, LANES)
            there = target + row * stride * SIZE
            units = layer.outputs // LANES
            done = member_panel(rows - row, units, layer.rows, left, right, Rows(there, stride))
            block = Block(job.memory.workspace, row, done, 0)
            apply_activation(layer, job, block, 1, job.memory.scratch, there, output + row * stride * SIZE)
            row += done
        if not last:
            for row in range(rows):
                store(output, row * stride + layer.outputs, splat(1.0))


@kernel
def members_backward(layers: Layers, job: Job, group: Integer, rows: Integer) -> None:
    """Every layer's delta, from the gradient by the output, or by the last logits, in the last one's."""
    number = job.network.layer_count - 1
    layer = layer_at(layers, number)
    if not job.loss.on_logits:
        through_activation(layer, job, Block(job.memory.workspace, 0, rows, 0), values_at(job, layer.delta))
    while number > 0:
        layer = layer_at(layers, number)
        previous = layer_at(layers, number - 1)
        stride = previous.output_stride
        right = Strided(parameters_of(job, group, layer), layer.stride, LANES)
        row = 0
        while row < rows:
            own = values_at(job, layer.delta) + row * layer.output_stride * SIZE
            left = Strided(own, layer.output_stride, LANES)
            there = values_at(job, previous.delta) + row * stride * SIZE
            units = layer.outputs // LANES
            done = member_panel(rows - row, layer.inputs, units, left, right, Rows(there, stride))
            through_activation(previous, job, Block(job.memory.workspace, row, done, 0), there)
            row += done
        number -= 1


# --- The loss ---


@kernel
def members_score(layers: Layers, job: Job, group: Integer, rows: Integer, epoch: Integer) -> None:
    """The loss, added to each member's of the epoch, and its gradient by the output or the logits in the delta."""
    layer = layer_at(layers, job.network.layer_count - 1)
    output = values_at(job, layer.output)
    delta = values_at(job, layer.delta)
    targets = Rows(values_at(job, job.memory.target), job.memory.target_stride)
    row_weight = 1.0 / to_double(rows)
    logits = output
    if layer.activation != LINEAR:
        logits = delta
    if job.loss.code == CATEGORICAL_CROSSENTROPY_FROM_LOGITS:
        members_crossentropy(layer, job, rows, row_weight, logits, targets, delta)
    else:
        source = output
        if job.loss.on_logits:
            source = logits
        members_loss(job.loss.code, layer, job, rows, row_weight, source, targets, delta)
    add_to_losses(job, group, epoch, 1.0, job.memory.scratch)


@kernel
def add_to_losses(job: Job, group: Integer, epoch: Integer, weight: Double, losses: Address) -> None:
    """Add a vector, times a weight, to the members' losses of an epoch."""
    results = job.memory.results + (epoch * job.memory.output_row + group * LANES) * 8
    for lane in range(LANES):
        put_double(results, lane, get_double(results, lane) + weight * get(losses, lane))


@kernel(each=LOSS_GRADIENTS)
def members_loss(
    loss: Code,
    layer: Layer,
    job: Job,
    rows: Integer,
    row_weight: Double,
    source: Address,
    targets: Rows,
    delta: Address,
) -> None:
    """The loss of each member's rows, summed into the scratch memory, and its gradient by the output into delta."""
    scale = splat(job.loss.scale)
    weights = splat(job.loss.scale * row_weight)
    smooth = splat(job.loss.target_scale)
    floor = splat(job.loss.target_shift)
    units = layer.outputs // LANES
    total = splat(0.0)
    for row in range(rows):
        for unit in range(units):
            at = row * layer.output_stride + unit * LANES
            y = load(source, at)
            target = fma(load(targets.address, row * targets.stride + unit * LANES), smooth, floor)
            parameter = broadcast(job.loss.parameters, unit)
            second = broadcast(job.loss.parameters, layer.kept + unit)
            third = broadcast(job.loss.parameters, 2 * layer.kept + unit)
            total = total + loss.value(y, target, parameter, second, third)
            store(delta, at, weights * loss.gradient(y, target, parameter, second, third))
    store(job.memory.scratch, 0, scale * total)


@kernel
def members_crossentropy(
    layer: Layer, job: Job, rows: Integer, row_weight: Double, logits: Address, targets: Rows, delta: Address
) -> None:
    """Softmax, -sum(target * log(softmax)) and its gradient by the logits, as in crossentropy_rows.

    delta may be the logits.
    """
    zero = splat(0.0)
    scale = splat(row_weight)
    smooth = splat(job.loss.target_scale)
    floor = splat(job.loss.target_shift)
    exponentials = job.memory.scratch + LANES * SIZE
    total = zero
    for row in range(rows):
        source = logits + row * layer.output_stride * SIZE
        wanted = targets.address + row * targets.stride * SIZE
        largest = load(source, 0)
        for at in range(LANES, layer.outputs, LANES):
            largest = maximum(largest, load(source, at))
        sums = zero
        for at in range(0, layer.outputs, LANES):
            raised = exp(load(source, at) - largest)
            store(exponentials, at, raised)
            sums = sums + raised
        level = largest + log(sums)
        inverse = reciprocal(sums)
        weight = zero
        for at in range(0, layer.outputs, LANES):
            target = fma(load(wanted, at), smooth, floor)
            weight = weight + target
            total = total + where(target == zero, target, target * (level - load(source, at)))
        for at in range(0, layer.outputs, LANES):
            target = fma(load(wanted, at), smooth, floor)
            d = scale * (weight * load(exponentials, at) * inverse - target)
            store(delta, row * layer.output_stride + at, d)
    store(job.memory.scratch, 0, total)


# --- The update ---


@kernel
def members_update(layers: Layers, job: Job, group: Integer, rows: Integer, step: Integer) -> None:
    """The gradients of all layers, a tile's rows at a time, and the optimizer's step along them."""
    scalars = job.memory.scratch
    decays = members_prepare(job, group, step, scalars)
    kept = load(scalars, DECAY * LANES)
    slot_size = job.network.parameter_count * SIZE
    gradients = job.memory.gradients
    room = scalars + MEMBER_SCALARS * (LANES * SIZE + 8)  # behind what members_prepare writes
    penalty_rows = to_double(rows) / job.loss.score_scale
    epoch = step // job.run.steps_per_epoch - job.run.first_epoch
    for number in range(job.network.layer_count):
        layer = layer_at(layers, number)
        right = Strided(values_at(job, layer.delta), LANES, layer.output_stride)
        row = 0
        while row < layer.rows:
            left = Strided(values_at(job, layer.input) + row * LANES * SIZE, LANES, layer.input_stride)
            target = Rows(gradients, layer.outputs)
            done = member_panel(layer.rows - row, layer.outputs // LANES, rows, left, right, target)
            start = (group * job.members.group_values + layer.weights + row * layer.outputs) * SIZE
            count = done * layer.outputs
            parameters = job.network.parameters + start
            if job.members.penalties:
                members_penalty(layer, job, group, number, row, done, parameters, room)
                add_to_losses(job, group, epoch, penalty_rows, room)
            if decays:
                for at in range(0, count, LANES):
                    store(parameters, at, kept * load(parameters, at))
            slots = job.network.slots + start
            member_update(job.optimizer.code, count, scalars, gradients, slot_size, slots, parameters)
            row += done


@kernel
def members_penalty(
    layer: Layer,
    job: Job,
    group: Integer,
    number: Integer,
    first: Integer,
    rows: Integer,
    parameters: Address,
    room: Address,
) -> None:
    """Add the gradient of l1 |w| + l2 w^2 to some rows of a layer's gradient; the sum of these begins the room."""
    zero = splat(0.0)
    total = zero
    for row in range(rows):
        kind = 0
        if first + row >= layer.bias:
            kind = 2
        for lane in range(LANES):
            own = ((group * LANES + lane) * job.network.layer_count + number) * 4 + kind
            put(room, lane, get_double(job.members.penalties, own))
            put(room, LANES + lane, get_double(job.members.penalties, own + 1))
        l1 = load(room, 0)
        l2 = load(room, LANES)
        for at in range(row * layer.outputs, (row + 1) * layer.outputs, LANES):
            w = load(parameters, at)
            total = total + fma(l1, absolute(w), l2 * w * w)
            sign = where(w == zero, zero, copysign(l1, w))
            store(job.memory.gradients, at, load(job.memory.gradients, at) + fma(l2 + l2, w, sign))
    store(room, 0, total)


@kernel
def members_prepare(job: Job, group: Integer, step: Integer, scalars: Address) -> Integer:
    """Each member's scalars of a step, vectors one behind the other; returns whether some members' weights decay."""
    decays = 0
    doubles = scalars + MEMBER_SCALARS * LANES * SIZE
    for lane in range(LANES):
        member = group * LANES + lane
        before = get_integer(job.members.iterations, member)
        update_number = to_double(before + step - job.run.first_step + 1)
        hyper = job.members.hyper + member * MEMBER_SCALARS * 8
        rate = get_double(hyper, 0)
        if job.members.rates != 0:
            rate = get_double(job.members.rates, member * job.members.rate_stride + step - job.run.first_step)
        prepare(job.optimizer.code, hyper, rate, update_number, doubles)
        if get_double(hyper, DECAY) != 0.0:
            decays = 1
        put_double(doubles, DECAY, 1.0 - rate * get_double(hyper, DECAY))
        for scalar in range(MEMBER_SCALARS):
            put(scalars, scalar * LANES + lane, get_double(doubles, scalar))
    return decays
