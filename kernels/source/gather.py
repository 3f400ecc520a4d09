"""Reading the data: rows of x and y, of any type and in any order, into a workspace."""

from __future__ import annotations

from ..language import Address, Code, Integer, Row, kernel
from ..program import LANES, OWN_KIND, SIZE, TILE_ROWS
from ..records import DENSE, KINDS, NOT_FINITE, Job, Layer, Layers, layer_at
from ..tuning import NEAR_DATA, NEAR_INPUTS
from ..values import Rows, Span
from ..vocabulary import (
    atomic_put,
    first_lane,
    get_double,
    get_integer,
    is_finite,
    lanes_below,
    load,
    prefetch,
    put,
    put_integer,
    splat,
    store,
    sum_lanes,
    where,
    write,
)
from .shuffle import order_key, place_of_row
from .sparse import gather_places


@kernel(inline=True, each=KINDS)
def read_row(kind: Row, count: Integer, source: Address, step: Integer, end: Address, target: Address) -> None:
    """Read count values of any type, step bytes apart, as reals; 0 behind them, up to a whole vector.

    The last vector may reach behind the row, where ``end``, the end of the data, is not in the way.
    """
    at = 0
    if step == kind.size:
        while at + LANES <= count:
            store(target, at, kind.read_vector(source + at * kind.size))
            at += LANES
        if at < count and source + (at + LANES) * kind.size <= end:
            store(target, at, where(lanes_below(count - at), kind.read_vector(source + at * kind.size), splat(0.0)))
            at = count
    while at < count:
        write(target, at, kind.read(source + at * step))
        at += 1


@kernel
def prefetch_distance(job: Job, data_bytes: Integer, row_bytes: Integer) -> Integer:
    """How many rows ahead of its turn a row is asked for; 0 where rows lie one after the other, or in a cache.

    In a shuffled epoch each row is a place of its own in memory.  It is asked for when the row of its number in the
    batch before is read, and so by the thread that will read it; in large batches shortly before.
    """
    if data_bytes <= NEAR_DATA or (job.order.rows == 0 and not job.order.shuffle):
        return 0
    if job.data.batch_size * row_bytes <= NEAR_INPUTS:
        return job.data.batch_size
    if row_bytes > 4096:
        return 2
    return 8192 // row_bytes


@kernel(apart=True)
def prefetch_row(job: Job, position: Integer, key: Integer, row_bytes: Integer) -> None:
    """Ask for the inputs and the target of the row that is visited at a position of the epoch, if it has that many."""
    if position < job.data.rows:
        place = place_of_row(job, position, key)
        row = job.data.x + place * job.data.x_row
        for at in range(0, row_bytes, 64):
            prefetch(row + at)
        prefetch(row + row_bytes - 1)
        prefetch(job.data.y + place * job.data.y_row)


@kernel(each=KINDS)
def gather_inputs(
    kind: Code,
    width: Integer,
    job: Job,
    inputs: Address,
    rows: Span,
    epoch: Integer,
    position: Integer,
    places: Address,
) -> None:
    """Read rows of x into the batch's inputs, with a 1 behind each.

    Row r is the one that the epoch visits at position + r.  Where it stands in the data is left in its row of targets,
    the first one's at ``places``, unless that is 0.
    """
    key = order_key(job, epoch)
    x = job.data.x
    x_row = job.data.x_row
    column = job.data.x_column
    end = job.data.x_end
    stride = job.memory.input_stride * SIZE
    target = inputs + rows.first * stride
    row_bytes = width * kind.size
    places_apart = job.memory.target_stride * SIZE
    scattered = job.order.rows != 0 or job.order.shuffle
    first_place = position - job.data.origin
    narrow = width < LANES and column == kind.size
    inside = lanes_below(width)
    ahead = 0
    if column == kind.size and not job.split.from_data:
        ahead = prefetch_distance(job, end - x, row_bytes)
    for row in range(rows.first, rows.end):
        if ahead:
            prefetch_row(job, position + row + ahead, key, row_bytes)
        place = first_place + row
        if scattered:
            place = place_of_row(job, position + row, key)
        if places:
            put_integer(places, 0, place)
            places += places_apart
        source = x + place * x_row
        if narrow and source + LANES * kind.size <= end:
            store(target, 0, where(inside, kind.read_vector(source), splat(0.0)))
        else:
            read_row(kind, width, source, column, end, target)
        put(target, width, 1.0)
        target += stride


@kernel(each=KINDS)
def gather_targets(kind: Code, outputs: Integer, job: Job, rows: Integer, target: Address) -> None:
    """Read rows of y, from the places that gather_inputs has left; class numbers as one-hot rows.

    Behind each row stands its weight.
    """
    y = job.data.y
    y_row = job.data.y_row
    column = job.data.y_column
    end = job.data.y_end
    labels = job.data.y_labels
    weights = job.data.sample_weight
    stride = job.memory.target_stride * SIZE
    narrow = outputs < LANES and column == kind.size
    inside = lanes_below(outputs)
    for _ in range(rows):
        place = get_integer(target, 0)
        source = y + place * y_row
        if labels:
            for at in range(0, outputs, LANES):
                store(target, at, splat(0.0))
            label = kind.read_integer(source)
            if label >= 0 and label < outputs:  # it was when it was checked, but the array is the user's
                put(target, label, 1.0)
        else:
            if narrow and source + LANES * kind.size <= end:
                store(target, 0, where(inside, kind.read_vector(source), splat(0.0)))
            else:
                read_row(kind, outputs, source, column, end, target)
        weight = 1.0
        if weights != 0:
            weight = get_double(weights, place)
        put(target, outputs, weight)
        target += stride


@kernel
def targets_of(job: Job, base: Address, row: Integer) -> Integer:
    """Where a row's targets stand in a workspace."""
    return base + (job.memory.target * job.memory.capacity + row * job.memory.target_stride) * SIZE


@kernel
def gather_rows(
    layers: Layers,
    job: Job,
    base: Address,
    first_row: Integer,
    rows: Integer,
    epoch: Integer,
    position: Integer,
    with_targets: Integer,
) -> None:
    """Read some rows of the data into the workspace."""
    targets = 0
    if with_targets:
        targets = targets_of(job, base, first_row)
    some = Span(first_row, first_row + rows)
    if job.data.row_starts:
        gather_places(job, base, some, epoch, position, targets)
    else:
        gather_inputs(job.data.x_kind, layer_at(layers, 0).inputs, job, base, some, epoch, position, targets)
    if with_targets:
        last = layer_at(layers, job.network.layer_count - 1)
        gather_targets(job.data.y_kind, last.outputs, job, rows, targets)


@kernel
def check_finite(width: Integer, job: Job, rows: Integer, source: Rows, epoch: Integer, position: Integer) -> None:
    """Look for NaN and infinity in rows that nobody has looked at before; note the position of a batch that has one.

    Rows of less than four vectors must have something finite behind them, up to a whole vector.
    """
    if not job.data.lazy_nan_check or epoch > 0:
        return
    a = splat(0.0)
    b = splat(0.0)
    c = splat(0.0)
    d = splat(0.0)
    if width >= 4 * LANES:
        for row in range(rows):
            for block in range(0, width, 4 * LANES):
                at = row * source.stride + block
                if block > width - 4 * LANES:  # some of the ones before once more
                    at = row * source.stride + width - 4 * LANES
                value = load(source.address, at)
                a = a + (value - value)
                value = load(source.address, at + LANES)
                b = b + (value - value)
                value = load(source.address, at + 2 * LANES)
                c = c + (value - value)
                value = load(source.address, at + 3 * LANES)
                d = d + (value - value)
    else:
        row = 0
        while row < rows:
            below = row
            if row + 1 < rows:
                below = row + 1
            for block in range(0, width, LANES):
                value = load(source.address, row * source.stride + block)
                a = a + (value - value)
                value = load(source.address, below * source.stride + block)
                b = b + (value - value)
            row += 2
    if not is_finite(first_lane(sum_lanes((a + b) + (c + d)))):
        atomic_put(job.run.synchronisation, NOT_FINITE, position + 1)


@kernel(apart=True)
def put_next_rows(job: Job, epoch: Integer, position: Integer, target: Address) -> None:
    """Write down the addresses of the rows of a tile, from a position of the epoch on."""
    key = order_key(job, epoch)
    for row in range(TILE_ROWS):
        put_integer(target, row, job.data.x + place_of_row(job, position + row, key) * job.data.x_row)


@kernel
def readable_in_order(layer: Layer, job: Job) -> Integer:
    """Whether the first layer can take a batch as it lies, neither shuffled nor so that rows drive each other out."""
    return (
        readable_in_place(layer, job) and job.order.rows == 0 and not job.order.shuffle and job.data.x_row % 1024 != 0
    )


@kernel
def readable_in_place(layer: Layer, job: Job) -> Integer:
    """Whether the first layer can take its inputs from the data: gathered, each would be read twice."""
    ready = layer.kind == DENSE and not layer.stored_transposed and layer.inputs >= 64 and job.data.x_column == SIZE
    return ready and job.data.x_kind == OWN_KIND and job.data.x % SIZE == 0 and job.data.x_row % SIZE == 0
