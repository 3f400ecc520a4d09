"""The network's kernels: gather, forward, loss, backward, update, and the run of many steps over them.

Written in the common subset of Python that render.py turns into Numba and into Cython; never imported.  Values are
integers (64 bits), doubles, and vectors of LANES reals; arrays are addresses, with indices that count values.
``layer`` and ``job`` are records (records.py).  Outputs come last.  A function under ``@each`` is written for every
row of a table of formulas.py, and called with the row's code in front.

The layout is such that neither a bias nor a ragged width is a special case:
- rows of activations carry a 1 behind the last unit, and the bias is the weight matrix's last row;
- rows are padded to a multiple of 16 values; padded columns of weights and of deltas are 0, of activations anything.
"""

# --- One product for everything --------------------------------------------------------------------------------------


def product(
    rows: integer,
    columns: integer,
    depth: integer,
    a: integer,
    a_row: integer,
    a_step: integer,
    a_block: integer,
    b: integer,
    b_step: integer,
    turned: integer,
    more: integer,
    pack: integer,
    c: integer,
    c_row: integer,
):
    """c[i, j] = sum over k of a[i, k] * b[k, j], for j < columns; with ``more``, added to what c holds.

    Whole vectors are computed; but where columns leave half of the last one or more, and there are tiles that end in
    half a vector, what is behind that may be written as 0 instead.

    b[k, j] is at k * b_step + j, and a[i, k] at k * a_step + i * a_row within each 16 rows, those a_block apart.
    Every element is one chain of fused multiply-adds in the order of k, whatever tile or block it falls into: results
    do not depend on how rows and columns are split.

    Rows of b that lie far apart are brought together first (``pack``), where enough tiles use them again.  With
    ``turned``, b has that many columns and is stored transposed, b[k, j] at j * b_step + k: it is turned on that way.
    """
    vectors = vectors_for(columns)
    half = HALVES and vectors * LANES - columns >= LANES // 2
    if depth >= DEEP and rows >= TILE_ROWS and vectors > 1:
        deep_product(rows, vectors, depth, a, a_row, a_step, a_block, b, b_step, turned, more, pack, c, c_row)
        return
    first = 0
    while first < depth:
        steps = depth - first
        if steps > PACK_DEPTH:
            steps = PACK_DEPTH
        column = 0
        while column < vectors:
            wide = tile_width(rows, vectors - column)
            if half and wide == 3 and rows >= TILE_ROWS and column + 3 == vectors:  # 1, and 1 and a half
                wide = 1
            narrow = half and wide == 2 and column + 2 == vectors
            panel = b + (first * b_step + column * LANES) * SIZE
            panel_step = b_step
            if turned:
                if wide > TILE_VECTORS:  # more than ``pack`` has room for
                    wide = TILE_VECTORS
                at = b + (column * LANES * b_step + first) * SIZE
                turn_panel(steps, wide, turned - column * LANES, at, b_step, pack)
                panel = pack
                panel_step = wide * LANES
            elif rows >= PACK_ROWS and b_step * SIZE > PACK_STRIDE:
                gather_panel(steps, wide, panel, b_step, pack)
                panel = pack
                panel_step = wide * LANES
            row = 0
            while row < rows:
                row += tile(
                    rows - row,
                    wide,
                    narrow,
                    steps,
                    a + (first * a_step + row // 16 * a_block + row % 16 * a_row) * SIZE,
                    a_row,
                    a_step,
                    panel,
                    panel_step,
                    more,
                    c + (row * c_row + column * LANES) * SIZE,
                    c_row,
                )
            column += wide
        more = 1
        first += steps


def deep_product(
    rows: integer,
    vectors: integer,
    depth: integer,
    a: integer,
    a_row: integer,
    a_step: integer,
    a_block: integer,
    b: integer,
    b_step: integer,
    turned: integer,
    more: integer,
    pack: integer,
    c: integer,
    c_row: integer,
):
    """The same for great depths: there it pays to ask for memory before it is needed, and to pack more at once."""
    first = 0
    while first < depth:
        steps = depth - first
        if steps > DEEP_PACK_DEPTH:
            steps = DEEP_PACK_DEPTH
        column = 0
        while column < vectors:
            wide = tile_width(rows, vectors - column)
            panel = b + (first * b_step + column * LANES) * SIZE
            panel_step = b_step
            ahead = 0
            if turned:
                at = b + (column * LANES * b_step + first) * SIZE
                turn_panel(steps, wide, turned - column * LANES, at, b_step, pack)
                panel = pack
                panel_step = wide * LANES
            elif rows >= PACK_ROWS and b_step * SIZE > PACK_STRIDE:
                gather_panel(steps, wide, panel, b_step, pack)
                if column + wide < vectors:
                    ahead = panel + wide * LANES * SIZE
                panel = pack
                panel_step = wide * LANES
            deep_rows(
                rows,
                wide,
                steps,
                a + first * a_step * SIZE,
                a_row,
                a_step,
                a_block,
                panel,
                panel_step,
                ahead,
                b_step,
                0,
                0,
                0,
                0,
                0,
                more,
                c + column * LANES * SIZE,
                c_row,
            )
            column += wide
        more = 1
        first += steps


def deep_rows(
    rows: integer,
    wide: integer,
    steps: integer,
    a: integer,
    a_row: integer,
    a_step: integer,
    a_block: integer,
    panel: integer,
    panel_step: integer,
    next_panel: integer,
    next_step: integer,
    claims: integer,
    first_claim: integer,
    claims_apart: integer,
    claimed_rows: integer,
    claimed_step: integer,
    more: integer,
    c: integer,
    c_row: integer,
):
    """All rows of a panel.  While they compute, its tiles ask for the memory that will be needed next.

    Each asks for the next one's rows of a; the last ones for the panel that will be packed next, unless that is 0; the
    first ones for what will be written soon, as many matrices as there are claims, claimed_rows high and as wide as the
    panel.  It is a line in four steps of each, from a column of lines: asked for faster, lines wait for one another.
    """
    turns = steps // (4 * TILE_ROWS) * TILE_ROWS  # of a tile, and lines that it asks for
    parts = 0  # of a column of lines
    if claims and turns:
        parts = (claimed_rows + turns - 1) // turns
    row = 0
    while wide > 1 and rows - row >= TILE_ROWS:
        below = row + TILE_ROWS
        if below >= rows:
            below = 0
        ahead = panel
        ahead_step = 0
        tiles_left = (rows - row) // TILE_ROWS - 1
        if next_panel and tiles_left < 4 * wide:
            ahead = next_panel + (tiles_left % 4 * (steps // 4) * next_step + tiles_left // 4 * LANES) * SIZE
            ahead_step = next_step
        target = c + row * c_row * SIZE
        claimed = target
        claimed_at = 0
        part = row // TILE_ROWS
        if part < claims * wide * parts:
            claimed = first_claim + part // (wide * parts) * claims_apart
            start = part % parts * turns
            if start > claimed_rows - turns and turns <= claimed_rows:
                start = claimed_rows - turns
            claimed += (start * claimed_step + part // parts % wide * LANES) * SIZE
            claimed_at = claimed_step
        deep_tile(
            wide,
            steps,
            a + (row // 16 * a_block + row % 16 * a_row) * SIZE,
            a_row,
            a_step,
            panel,
            panel_step,
            more,
            target,
            c_row,
            a + (below // 16 * a_block + below % 16 * a_row) * SIZE,
            a_row,
            ahead,
            ahead_step,
            claimed,
            claimed_at,
        )
        row += TILE_ROWS
    while row < rows:  # 16 at most, from one to the next of which it is a_row
        rest = rows - row
        if rest > 16:
            rest = 16
        a_rest = a + (row // 16 * a_block + row % 16 * a_row) * SIZE
        product(
            rest,
            wide * LANES,
            steps,
            a_rest,
            a_row,
            a_step,
            0,
            panel,
            panel_step,
            0,
            more,
            0,
            c + row * c_row * SIZE,
            c_row,
        )
        row += rest


def tile_width(rows: integer, vectors: integer) -> integer:
    """How wide the next tile is, of so many rows and remaining vectors."""
    if rows == 1 or rows == 2:
        wide = WIDE_SUMS // rows
        while wide > TILE_VECTORS:
            if vectors >= wide:
                return wide
            wide = wide // 2
    elif vectors == TILE_VECTORS + 1:  # 3 + 1 would leave a tile with too few sums to hide the latency of each
        return (TILE_VECTORS + 1) // 2
    if vectors > TILE_VECTORS:
        return TILE_VECTORS
    return vectors


def gather_panel(steps: integer, vectors: integer, source: integer, source_step: integer, target: integer):
    """Some vectors of each of steps rows, side by side."""
    if vectors == 3:
        for step in range(steps):
            first = load(source, step * source_step)
            second = load(source, step * source_step + LANES)
            third = load(source, step * source_step + 2 * LANES)
            store(target, 3 * step * LANES, first)
            store(target, (3 * step + 1) * LANES, second)
            store(target, (3 * step + 2) * LANES, third)
    elif vectors == 2:
        for step in range(steps):
            first = load(source, step * source_step)
            second = load(source, step * source_step + LANES)
            store(target, 2 * step * LANES, first)
            store(target, (2 * step + 1) * LANES, second)
    else:
        for step in range(steps):
            for vector in range(vectors):
                store(target, (step * vectors + vector) * LANES, load(source, step * source_step + vector * LANES))


def turn_panel(
    steps: integer, vectors: integer, columns: integer, source: integer, source_row: integer, target: integer
):
    """The same from some vectors of columns, each of which is a row of steps values; 0 behind the last column."""
    for vector in range(vectors):
        for step in range(0, steps, LANES):
            transpose_square(
                columns - vector * LANES,
                source + (vector * LANES * source_row + step) * SIZE,
                source_row,
                target + (step * vectors + vector) * LANES * SIZE,
                vectors * LANES,
            )


def vectors_for(columns: integer) -> integer:
    return (columns + LANES - 1) // LANES


# --- Functions of the user's own --------------------------------------------------------------------------------------


def call_own(
    job: Job,
    function: integer,
    rows: integer,
    columns: integer,
    first_source: integer,
    first_row: integer,
    second_source: integer,
    second_row: integer,
    scores: integer,
    score_row: integer,
    target: integer,
):
    """Call an activation or a loss at an address, over rows of reals; one that fails ends the run.

    An activation reads columns of first_source and writes its values over second_source, and its slopes to target if
    score_row is not 0.  A loss reads outputs from the first and targets from the second, and writes the sum over each
    row to the scores, and the gradient to target, in rows like the first.
    """
    if (
        call_function(
            function, rows, columns, first_source, first_row, second_source, second_row, scores, score_row, target
        )
        != 1
    ):
        atomic_put(job.run.synchronisation, ABORTED, 1)


# --- Activations, row by row -----------------------------------------------------------------------------------------


@each("ACTIVATIONS")
def activate(rows: integer, columns: integer, stride: integer, parameter_: double, source: integer, target: integer):
    parameter = splat(parameter_)
    for row in range(rows):
        for at in range(row * stride, row * stride + columns, LANES):
            x = load(source, at)
            store(target, at, value(x, parameter))


@each("KEPT_SLOPES")
def activate_keeping(
    rows: integer,
    columns: integer,
    stride: integer,
    parameter_: double,
    source: integer,
    target: integer,
    slopes: integer,
):
    """The same with the slope beside it; the compiler shares what both need, such as exp(x)."""
    parameter = splat(parameter_)
    for row in range(rows):
        for at in range(row * stride, row * stride + columns, LANES):
            x = load(source, at)
            store(slopes, at, slope(x, parameter))
            store(target, at, value(x, parameter))


@each("DERIVED_SLOPES")
def scale_by_derived(
    rows: integer,
    columns: integer,
    stride: integer,
    parameter_: double,
    output: integer,
    source: integer,
    target: integer,
):
    parameter = splat(parameter_)
    for row in range(rows):
        for at in range(row * stride, row * stride + columns, LANES):
            y = load(output, at)
            store(target, at, load(source, at) * slope(y, parameter))


def scale_by_kept(rows: integer, columns: integer, stride: integer, slopes: integer, source: integer, target: integer):
    for row in range(rows):
        for at in range(row * stride, row * stride + columns, LANES):
            store(target, at, load(source, at) * load(slopes, at))


def largest_of_row(columns: integer, source: integer) -> vector:
    """The largest of columns values, in every lane."""
    largest = splat(-INFINITY)
    for at in range(0, columns, LANES):
        largest = maximum(largest, where(lanes_below(columns - at), load(source, at), largest))
    return max_lanes(largest)


def softmax_row(columns: integer, source: integer, target: integer) -> vector:
    """target = exp(source) / sum; returns log(sum(exp(source))) in every lane."""
    largest = largest_of_row(columns, source)
    total = splat(0.0)
    for at in range(0, columns, LANES):
        raised = where(lanes_below(columns - at), exp(load(source, at) - largest), splat(0.0))
        store(target, at, raised)
        total = total + raised
    total = sum_lanes(total)
    scale = reciprocal(total)
    for at in range(0, columns, LANES):
        store(target, at, load(target, at) * scale)
    return largest + log(total)


def softmax(
    job: Job,
    rows: integer,
    columns: integer,
    stride: integer,
    source: integer,
    target: integer,
    scratch: integer,
):
    """Row by row; of few columns, turned, a vector for a column of as many rows as it has lanes.

    Which of the two depends on all rows of the job, not on those of a thread: results do not depend on how many there
    are.
    """
    if columns >= FEW_VALUES or job.data.rows == 1:
        for row in range(rows):
            softmax_row(columns, source + row * stride * SIZE, target + row * stride * SIZE)
        return
    square = scratch + FEW_VALUES * LANES * SIZE
    for first_ in range(0, rows, LANES):
        count = rows - first_
        if count > LANES:
            count = LANES
        turn(count, columns, source + first_ * stride * SIZE, stride, scratch)
        scale = reciprocal(raise_columns(columns, largest_of_columns(columns, scratch), scratch, scratch))
        for column in range(columns):
            store(scratch, column * LANES, load(scratch, column * LANES) * scale)
        turn_back(count, columns, scratch, square, target + first_ * stride * SIZE, stride)


def largest_of_columns(columns: integer, source: integer) -> vector:
    """The largest of each lane, of columns vectors."""
    largest = splat(-INFINITY)
    for column in range(columns):
        largest = maximum(largest, load(source, column * LANES))
    return largest


def raise_columns(columns: integer, largest: vector, source: integer, target: integer) -> vector:
    """target = exp(source - largest), of columns vectors; returns the sums of the lanes."""
    total = splat(0.0)
    for column in range(columns):
        raised = exp(load(source, column * LANES) - largest)
        store(target, column * LANES, raised)
        total = total + raised
    return total


def softmax_backward(rows: integer, columns: integer, stride: integer, output: integer, delta: integer):
    """delta = y * (delta - sum(delta * y)): the softmax's Jacobian, row by row."""
    for row in range(rows):
        first_ = row * stride
        total = splat(0.0)
        for at in range(0, columns, LANES):
            term = load(output, first_ + at) * load(delta, first_ + at)
            total = total + where(lanes_below(columns - at), term, splat(0.0))
        total = sum_lanes(total)
        for at in range(0, columns, LANES):
            d = load(output, first_ + at) * (load(delta, first_ + at) - total)
            store(delta, first_ + at, where(lanes_below(columns - at), d, splat(0.0)))


# --- Losses and metrics ----------------------------------------------------------------------------------------------


@each("LOSS_VALUES")
def value_rows(
    rows: integer,
    columns: integer,
    scale: double,
    output: integer,
    output_row: integer,
    targets: integer,
    target_row: integer,
    scores: integer,
    score_row: integer,
):
    """The sum over the columns of each row, times scale."""
    parameter = splat(1.0)
    second = parameter
    third = parameter
    for row in range(rows):
        total = splat(0.0)
        for at in range(0, columns, LANES):
            y = load(output, row * output_row + at)
            target = load(targets, row * target_row + at)
            total = total + where(lanes_below(columns - at), value(y, target, parameter, second, third), splat(0.0))
        if columns > 1:
            total = sum_lanes(total)
        put_double(scores, row * score_row, scale * first(total))


@each("LOSS_GRADIENTS")
def loss_rows(
    rows: integer,
    columns: integer,
    parameters: integer,
    scale: double,
    batch_scale: double,
    target_scale: double,
    target_shift: double,
    output: integer,
    output_row: integer,
    targets: integer,
    target_row: integer,
    scores: integer,
    score_row: integer,
    delta: integer,
):
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
            total = total + where(inside, value(y, target, parameter, second, third), splat(0.0))
            d = weights * gradient(y, target, parameter, second, third)
            store(delta, row * output_row + at, where(inside, d, splat(0.0)))
        if columns > 1:
            total = sum_lanes(total)
        put_double(scores, row * score_row, weight * first(total))


@each("LOG_SOFTMAX_LOSSES")
def log_softmax_loss_rows(
    rows: integer,
    columns: integer,
    parameters: integer,
    scale: double,
    batch_scale: double,
    logits: integer,
    logits_row: integer,
    targets: integer,
    target_row: integer,
    scores: integer,
    score_row: integer,
    delta: integer,
):
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
            total = total + where(inside, value(y, target, parameter, second), splat(0.0))
            slopes = slopes + where(inside, gradient(y, target, parameter, second), splat(0.0))
        slopes = sum_lanes(slopes)
        for at in range(0, columns, LANES):
            y = load(source, at) - level
            target = load(targets, row * target_row + at)
            parameter = load(parameters, at)
            second = load(parameters, logits_row + at)
            d = weights * (gradient(y, target, parameter, second) - exp(y) * slopes)
            store(delta, row * logits_row + at, where(lanes_below(columns - at), d, splat(0.0)))
        put_double(scores, row * score_row, weight * first(sum_lanes(total)))


def weigh_rows(
    rows: integer,
    columns: integer,
    scale: double,
    batch_scale: double,
    targets: integer,
    target_row: integer,
    scores: integer,
    score_row: integer,
    delta: integer,
    delta_row: integer,
):
    """Each row's weight and the scales upon what a loss of the user's own wrote."""
    for row in range(rows):
        weight = scale * get(targets, row * target_row + columns)
        weights = splat(weight * batch_scale)
        for at in range(0, columns, LANES):
            d = weights * load(delta, row * delta_row + at)
            store(delta, row * delta_row + at, where(lanes_below(columns - at), d, splat(0.0)))
        put_double(scores, row * score_row, weight * get_double(scores, row * score_row))


def crossentropy_row(
    columns: integer,
    scale_: double,
    target_scale: double,
    target_shift: double,
    targets: integer,
    logits: integer,
    probabilities: integer,
    delta: integer,
) -> double:
    """Softmax, -sum(target * log(softmax)) and its gradient by the logits in one; delta may be either of the two."""
    level = softmax_row(columns, logits, probabilities)
    scale = splat(scale_)
    smooth = splat(target_scale)
    floor = splat(target_shift)
    weight = splat(0.0)
    total = splat(0.0)
    for at in range(0, columns, LANES):
        target = fma(load(targets, at), smooth, floor)
        inside = lanes_below(columns - at)
        weight = weight + where(inside, target, splat(0.0))
        # A target of 0 counts nothing even where the logit is infinite.
        costs = where(target == splat(0.0), target, target * (level - load(logits, at)))
        total = total + where(inside, costs, splat(0.0))
    weight = sum_lanes(weight)
    for at in range(0, columns, LANES):
        d = scale * (weight * load(probabilities, at) - fma(load(targets, at), smooth, floor))
        store(delta, at, where(lanes_below(columns - at), d, splat(0.0)))
    return first(sum_lanes(total))


def crossentropy_rows(
    job: Job,
    layer: Layer,
    rows: integer,
    share: double,
    targets: integer,
    logits: integer,
    probabilities: integer,
    delta: integer,
    scores: integer,
    scratch: integer,
):
    """The same for rows of few columns: turned, so that a vector holds a column of as many rows as it has lanes."""
    columns = layer.outputs
    stride = layer.output_stride
    zero = splat(0.0)
    turned = scratch
    raised = turned + FEW_VALUES * LANES * SIZE
    wanted = raised + FEW_VALUES * LANES * SIZE
    square = wanted + FEW_VALUES * LANES * SIZE
    for first_ in range(0, rows, LANES):
        count = rows - first_
        if count > LANES:
            count = LANES
        turn(count, columns, logits + first_ * stride * SIZE, stride, turned)
        turn(count, columns + 1, targets + first_ * job.memory.target_stride * SIZE, job.memory.target_stride, wanted)
        largest = largest_of_columns(columns, turned)
        total = raise_columns(columns, largest, turned, raised)
        level = largest + log(total)
        inverse = reciprocal(total)
        weight = zero
        costs = zero
        for column in range(columns):
            target = fma(load(wanted, column * LANES), splat(job.loss.target_scale), splat(job.loss.target_shift))
            weight = weight + target
            # A target of 0 counts nothing even where the logit is infinite.
            cost = where(target == zero, target, target * (level - load(turned, column * LANES)))
            costs = costs + cost
        scale = splat(share) * load(wanted, columns * LANES)
        for column in range(columns):
            target = fma(load(wanted, column * LANES), splat(job.loss.target_scale), splat(job.loss.target_shift))
            p = load(raised, column * LANES) * inverse
            store(raised, column * LANES, p)
            store(turned, column * LANES, scale * (weight * p - target))
        store(square, 0, costs * load(wanted, columns * LANES))
        for row in range(count):
            put_double(scores, (first_ + row) * (1 + job.loss.metric_count), get(square, row))
        if probabilities:
            turn_back(count, columns, raised, square, probabilities + first_ * stride * SIZE, stride)
        turn_back(count, columns, turned, square, delta + first_ * stride * SIZE, stride)


def turn(rows: integer, columns: integer, source: integer, source_row: integer, target: integer):
    """Columns of up to as many rows as a vector has lanes, a vector each."""
    for at in range(0, columns, LANES):
        transpose_square(rows, source + at * SIZE, source_row, target + at * LANES * SIZE, LANES)


def turn_back(rows: integer, columns: integer, source: integer, square: integer, target: integer, target_row: integer):
    """Such vectors as rows again, 0 behind the last column."""
    for at in range(0, columns, LANES):
        transpose_square(columns - at, source + at * LANES * SIZE, LANES, square, LANES)
        for row in range(rows):
            store(target, row * target_row + at, load(square, row * LANES))


def place_of_largest(columns: integer, source: integer) -> double:
    """The first column that holds the row's largest value."""
    largest = largest_of_row(columns, source)
    place = splat(INFINITY)
    for at in range(0, columns, LANES):
        here = where(load(source, at) == largest, lane_numbers() + splat(to_double(at)), splat(INFINITY))
        place = minimum(place, where(lanes_below(columns - at), here, splat(INFINITY)))
    return first(-max_lanes(-place))


def score_rows(
    job: Job,
    layer: Layer,
    base: integer,
    first_row: integer,
    rows: integer,
    first_score: integer,
    share: double,
    scratch: integer,
):
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
            crossentropy_rows(job, layer, rows, share, targets, logits, probabilities, delta, scores, scratch + PACK)
        else:
            for row in range(rows):
                at = row * stride * SIZE
                target = targets + row * job.memory.target_stride * SIZE
                weight = get(target, layer.outputs)
                loss = crossentropy_row(
                    layer.outputs,
                    share * weight,
                    job.loss.target_scale,
                    job.loss.target_shift,
                    target,
                    logits + at,
                    probabilities + at,
                    delta + at,
                )
                put_double(scores, row * score_row, loss * weight)
    elif job.loss.code == CUSTOM:
        call_own(
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
            share,
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
            share,
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
            share,
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
                place = place_of_largest(layer.outputs, output + row * stride * SIZE)
                wanted = place_of_largest(layer.outputs, targets + row * job.memory.target_stride * SIZE)
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


# --- Reading the data ------------------------------------------------------------------------------------------------


def mixed(value: integer) -> integer:
    """A hash of 62 bits (two rounds of multiply and xor-shift)."""
    value = (value + 0x1E3779B97F4A7C15) & 0x3FFFFFFFFFFFFFFF
    value = ((value ^ (value >> 30)) * 0x3F58476D1CE4E5B9) & 0x3FFFFFFFFFFFFFFF
    value = ((value ^ (value >> 27)) * 0x14D049BB133111EB) & 0x3FFFFFFFFFFFFFFF
    return value ^ (value >> 31)


def shuffled(position: integer, rows: integer, mask: integer, shift: integer, key: integer) -> integer:
    """The row to visit at a position: a permutation of range(rows) that needs no memory and no order of evaluation.

    Four rounds of add, multiply by an odd number and xor-shift permute range(mask + 1), 2**k numbers; one that falls
    outside range(rows) is sent round again until it is inside.
    """
    row = position
    turn = 1
    while turn:
        turned = key
        for _ in range(4):
            row = ((row + turned) * ((turned >> 20) | 1)) & mask
            row = row ^ (row >> shift)
            turned = (turned >> 9) | ((turned & 511) << 53)
        turn = row >= rows
    return row


@each("KINDS")
def read_row(count: integer, source: integer, step: integer, end: integer, target: integer):
    """count values of any type, step bytes apart, as reals; 0 behind them, up to a whole vector.

    The last vector may reach behind the row, where ``end``, the end of the data, is not in the way.
    """
    at = 0
    if step == KIND_SIZE:
        while at + LANES <= count:
            store(target, at, read_vector(source + at * KIND_SIZE))
            at += LANES
        if at < count and source + (at + LANES) * KIND_SIZE <= end:
            store(target, at, where(lanes_below(count - at), read_vector(source + at * KIND_SIZE), splat(0.0)))
            at = count
    while at < count:
        write(target, at, read(source + at * step))
        at += 1


def order_key(job: Job, epoch: integer) -> integer:
    """What the order of an epoch's rows follows from: where it is written down, or the key of the shuffle."""
    if job.order.rows != 0:
        return (epoch - job.run.first_epoch) * job.data.rows
    if job.order.shuffle:
        return mixed(job.order.seed + mixed(epoch))
    return 0


def place_of_row(job: Job, position: integer, key: integer) -> integer:
    """Where in x and y the row stands that is visited at a position."""
    if job.order.rows != 0:
        return get_integer(job.order.rows, key + position)
    if job.order.shuffle:
        position = shuffled(position, job.data.rows, job.order.mask, job.order.shift, key)
    return position - job.data.origin


def rows_ahead(job: Job, data_bytes: integer, row_bytes: integer) -> integer:
    """How many rows before its turn a row is asked for; 0 where rows come one after the other, or from a cache.

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


def ask_for_row(job: Job, position: integer, key: integer, row_bytes: integer):
    """Ask for the inputs and the target of the row that is visited at a position of the epoch, if it has that many."""
    if position < job.data.rows:
        place = place_of_row(job, position, key)
        row = job.data.x + place * job.data.x_row
        for at in range(0, row_bytes, 64):
            prefetch(row + at)
        prefetch(row + row_bytes - 1)
        prefetch(job.data.y + place * job.data.y_row)


@each("KINDS")
def gather_inputs(
    width: integer,
    job: Job,
    inputs: integer,
    first_row: integer,
    rows: integer,
    epoch: integer,
    position: integer,
    places: integer,
):
    """Rows of x, by place in the epoch, among the batch's inputs, with a 1 behind each.

    Where each row stands is left in its row of targets, the first one's at ``places``, unless that is 0.
    """
    key = order_key(job, epoch)
    x = job.data.x
    x_row = job.data.x_row
    column = job.data.x_column
    end = job.data.x_end
    stride = job.memory.input_stride * SIZE
    target = inputs + first_row * stride
    row_bytes = width * KIND_SIZE
    places_apart = job.memory.target_stride * SIZE
    scattered = job.order.rows != 0 or job.order.shuffle
    first_place = position - job.data.origin
    narrow = width < LANES and column == KIND_SIZE
    inside = lanes_below(width)
    ahead = 0
    if column == KIND_SIZE and not job.split.from_data:
        ahead = rows_ahead(job, end - x, row_bytes)
    for row in range(first_row, first_row + rows):
        if ahead:
            ask_for_row(job, position + row + ahead, key, row_bytes)
        place = first_place + row
        if scattered:
            place = place_of_row(job, position + row, key)
        if places:
            put_integer(places, 0, place)
            places += places_apart
        source = x + place * x_row
        if narrow and source + LANES * KIND_SIZE <= end:
            store(target, 0, where(inside, read_vector(source), splat(0.0)))
        else:
            read_row(width, source, column, end, target)
        put(target, width, 1.0)
        target += stride


@each("KINDS")
def gather_targets(
    outputs: integer,
    job: Job,
    rows: integer,
    target: integer,
):
    """Rows of y, of places that gather_inputs has left, with its weight behind each; class numbers as one-hot rows."""
    y = job.data.y
    y_row = job.data.y_row
    column = job.data.y_column
    end = job.data.y_end
    labels = job.data.y_labels
    weights = job.data.sample_weight
    stride = job.memory.target_stride * SIZE
    narrow = outputs < LANES and column == KIND_SIZE
    inside = lanes_below(outputs)
    for _ in range(rows):
        place = get_integer(target, 0)
        source = y + place * y_row
        if labels:
            for at in range(0, outputs, LANES):
                store(target, at, splat(0.0))
            label = read_integer(source)
            if label >= 0 and label < outputs:  # it was when it was checked, but the array is the user's
                put(target, label, 1.0)
        else:
            if narrow and source + LANES * KIND_SIZE <= end:
                store(target, 0, where(inside, read_vector(source), splat(0.0)))
            else:
                read_row(outputs, source, column, end, target)
        weight = 1.0
        if weights != 0:
            weight = get_double(weights, place)
        put(target, outputs, weight)
        target += stride


def targets_of(job: Job, base: integer, row: integer) -> integer:
    """Where a row's targets stand in a workspace."""
    return base + (job.memory.target * job.memory.capacity + row * job.memory.target_stride) * SIZE


def gather(
    layers: integer,
    job: Job,
    base: integer,
    first_row: integer,
    rows: integer,
    epoch: integer,
    position: integer,
    with_targets: integer,
):
    """Some rows of the data into the workspace."""
    layer = layers
    targets = 0
    if with_targets:
        targets = targets_of(job, base, first_row)
    gather_inputs(job.data.x_kind, layer.inputs, job, base, first_row, rows, epoch, position, targets)
    if with_targets:
        layer = layers + (job.network.layer_count - 1) * LAYER_SIZE
        gather_targets(job.data.y_kind, layer.outputs, job, rows, targets)


# --- Noise, in place --------------------------------------------------------------------------------------------------


def noise_key(layer: Layer, key: integer, row: integer) -> integer:
    """Of a row of the batch, from that of the step: what is random follows from it and the column, and is not kept."""
    return mixed(mixed(key + layer.seed) + row)


def add_noise(layer: Layer, rows: integer, batch_row: integer, key: integer, output: integer):
    stride = layer.output_stride
    threshold = splat(layer.threshold)
    scale = splat(layer.scale)
    shift = splat(layer.shift)
    dropped = splat(layer.dropped)
    deviation = splat(layer.deviation)
    for row in range(rows):
        row_key = noise_key(layer, key, batch_row + row)
        if layer.kind == DROPOUT:
            for at in range(0, layer.outputs, LANES):
                y = fma(load(output, row * stride + at), scale, shift)
                store(output, row * stride + at, where(random_lanes(row_key, at) < threshold, dropped, y))
        else:
            for at in range(0, layer.outputs, LANES):
                noise = normal_quantile(random_lanes(row_key, at))
                store(output, row * stride + at, fma(noise, deviation, load(output, row * stride + at)))
        put(output, row * stride + layer.outputs, 1.0)


def through_noise(layer: Layer, rows: integer, batch_row: integer, key: integer, source: integer, target: integer):
    """The gradient by what the noise was added to: drawn again, not remembered."""
    stride = layer.output_stride
    threshold = splat(layer.threshold)
    scale = splat(layer.scale)
    for row in range(rows):
        row_key = noise_key(layer, key, batch_row + row)
        for at in range(0, layer.outputs, LANES):
            d = load(source, row * stride + at) * scale
            store(target, row * stride + at, where(random_lanes(row_key, at) < threshold, splat(0.0), d))


# --- Normalisation ---------------------------------------------------------------------------------------------------


def statistic(layer: Layer, scratch: integer, number: integer) -> integer:
    """Where one of a thread's statistics of a batch normalisation stands."""
    return scratch + STATISTICS + (layer.statistics + number * layer.stride) * SIZE


def partial(layer: Layer, job: Job, block: integer, number: integer) -> integer:
    """Where one of the sums over a block of rows stands."""
    return job.memory.partials + (block * job.memory.partial_values + layer.partials + number * layer.stride) * SIZE


def gamma_of(layer: Layer, job: Job, at: integer) -> vector:
    if layer.bias > 0:
        return load(job.network.parameters, layer.weights + at)
    return splat(1.0)


def beta_of(layer: Layer, job: Job, at: integer) -> vector:
    if layer.height > layer.bias:
        return load(job.network.parameters, layer.weights + layer.bias * layer.stride + at)
    return splat(0.0)


def batch_statistics(
    layer: Layer, job: Job, first_row: integer, rows: integer, batch_rows: integer, source: integer, scratch: integer
) -> integer:
    """Mean and variance of each column over the batch: of blocks of rows first, these together in fixed order.

    Each thread puts all of them together, for itself; 1 if the run was aborted.
    """
    stride = layer.input_stride
    for start in range(0, rows, ROW_BLOCK):
        count = rows - start
        if count > ROW_BLOCK:
            count = ROW_BLOCK
        means = partial(layer, job, (first_row + start) // ROW_BLOCK, 0)
        squares = partial(layer, job, (first_row + start) // ROW_BLOCK, 1)
        share = splat(1.0 / to_double(count))
        for at in range(0, layer.outputs, LANES):
            total = splat(0.0)
            for row in range(start, start + count):
                total = total + load(source, row * stride + at)
            mean = total * share
            store(means, at, mean)
            total = splat(0.0)
            for row in range(start, start + count):
                difference = load(source, row * stride + at) - mean
                total = fma(difference, difference, total)
            store(squares, at, total)
    if wait(job):
        return 1
    blocks = (batch_rows + ROW_BLOCK - 1) // ROW_BLOCK
    last = to_double(batch_rows - (blocks - 1) * ROW_BLOCK)
    share = splat(1.0 / to_double(batch_rows))
    for at in range(0, layer.outputs, LANES):
        total = splat(0.0)
        for block in range(blocks - 1):
            total = fma(load(partial(layer, job, block, 0), at), splat(to_double(ROW_BLOCK)), total)
        total = fma(load(partial(layer, job, blocks - 1, 0), at), splat(last), total)
        mean = total * share
        total = splat(0.0)
        count_ = to_double(ROW_BLOCK)
        for block in range(blocks):
            if block == blocks - 1:
                count_ = last
            difference = load(partial(layer, job, block, 0), at) - mean
            squared = difference * difference
            total = total + fma(squared, splat(count_), load(partial(layer, job, block, 1), at))
        store(statistic(layer, scratch, MEAN), at, mean)
        store(statistic(layer, scratch, VARIANCE), at, total * share)
    return 0


def normalize_columns(
    layer: Layer, job: Job, rows: integer, source: integer, target: integer, target_row: integer, scratch: integer
):
    """(x - mean) / sqrt(variance + epsilon) * gamma + beta, by the statistics at hand."""
    means = statistic(layer, scratch, MEAN)
    factors = statistic(layer, scratch, FACTOR)
    offsets = statistic(layer, scratch, OFFSET)
    for at in range(0, layer.outputs, LANES):
        variance = load(statistic(layer, scratch, VARIANCE), at)
        inverse = reciprocal(sqrt(variance + splat(layer.epsilon)))
        store(statistic(layer, scratch, INVERSE), at, inverse)
        store(factors, at, inverse * gamma_of(layer, job, at))
        store(offsets, at, beta_of(layer, job, at))
    for row in range(rows):
        for at in range(0, layer.outputs, LANES):
            x = load(source, row * layer.input_stride + at) - load(means, at)
            store(target, row * target_row + at, fma(x, load(factors, at), load(offsets, at)))


def batch_sums(
    layer: Layer,
    job: Job,
    first_row: integer,
    rows: integer,
    batch_rows: integer,
    source: integer,
    delta: integer,
    scratch: integer,
) -> integer:
    """Sums over the batch of delta and of delta times the normalised input: the gradients by beta and by gamma too."""
    stride = layer.output_stride
    means = statistic(layer, scratch, MEAN)
    inverses = statistic(layer, scratch, INVERSE)
    for start in range(0, rows, ROW_BLOCK):
        count = rows - start
        if count > ROW_BLOCK:
            count = ROW_BLOCK
        block = (first_row + start) // ROW_BLOCK
        for at in range(0, layer.outputs, LANES):
            total = splat(0.0)
            total_hat = splat(0.0)
            for row in range(start, start + count):
                d = load(delta, row * stride + at)
                total = total + d
                total_hat = fma(d, load(source, row * layer.input_stride + at) - load(means, at), total_hat)
            store(partial(layer, job, block, 2), at, total)
            store(partial(layer, job, block, 3), at, total_hat * load(inverses, at))
    if wait(job):
        return 1
    blocks = (batch_rows + ROW_BLOCK - 1) // ROW_BLOCK
    for number in range(2):
        for at in range(0, layer.outputs, LANES):
            total = splat(0.0)
            for block in range(blocks):
                total = total + load(partial(layer, job, block, 2 + number), at)
            store(statistic(layer, scratch, DELTA_SUM + number), at, total)
    return 0


def normalize_columns_backward(
    layer: Layer,
    rows: integer,
    batch_rows: integer,
    source: integer,
    delta: integer,
    target: integer,
    scratch: integer,
):
    """factor * (delta - mean(delta) - hat * mean(delta * hat)), where hat is the normalised input."""
    share = splat(1.0 / to_double(batch_rows))
    means = statistic(layer, scratch, MEAN)
    inverses = statistic(layer, scratch, INVERSE)
    factors = statistic(layer, scratch, FACTOR)
    sums = statistic(layer, scratch, DELTA_SUM)
    hat_sums = statistic(layer, scratch, DELTA_HAT_SUM)
    for row in range(rows):
        for at in range(0, layer.outputs, LANES):
            hat = (load(source, row * layer.input_stride + at) - load(means, at)) * load(inverses, at)
            d = load(delta, row * layer.output_stride + at)
            d = d - share * fma(hat, load(hat_sums, at), load(sums, at))
            store(target, row * layer.input_stride + at, load(factors, at) * d)


def move_statistics(layers: integer, job: Job, scratch: integer):
    """Moving mean and variance of every batch normalisation, a step nearer to the batch's."""
    for number in range(job.network.layer_count):
        layer = layers + number * LAYER_SIZE
        if layer.kind == BATCH_NORMALIZATION:
            rest = splat(1.0 - layer.momentum)
            for moved in range(2):
                moving = job.network.state + (layer.state + moved * layer.stride) * SIZE
                for at in range(0, layer.outputs, LANES):
                    old = load(moving, at)
                    new = fma(rest, load(statistic(layer, scratch, MEAN + moved), at) - old, old)
                    store(moving, at, where(lanes_below(layer.outputs - at), new, splat(0.0)))


def normalize_rows(
    layer: Layer,
    job: Job,
    rows: integer,
    source: integer,
    target: integer,
    target_row: integer,
    kept: integer,
):
    """The same by each row's own mean and variance; they are kept for the way back."""
    columns = layer.outputs
    share = splat(1.0 / to_double(columns))
    epsilon = splat(layer.epsilon)
    for row in range(rows):
        first_ = row * layer.input_stride
        total = splat(0.0)
        for at in range(0, columns, LANES):
            total = total + where(lanes_below(columns - at), load(source, first_ + at), splat(0.0))
        mean = sum_lanes(total) * share
        total = splat(0.0)
        for at in range(0, columns, LANES):
            difference = where(lanes_below(columns - at), load(source, first_ + at) - mean, splat(0.0))
            total = fma(difference, difference, total)
        inverse = reciprocal(sqrt(fma(sum_lanes(total), share, epsilon)))
        put(kept, row * KEPT_VALUES, first(mean))
        put(kept, row * KEPT_VALUES + 1, first(inverse))
        for at in range(0, columns, LANES):
            hat = (load(source, first_ + at) - mean) * inverse
            store(target, row * target_row + at, fma(hat, gamma_of(layer, job, at), beta_of(layer, job, at)))


def normalize_rows_backward(
    layer: Layer, job: Job, rows: integer, source: integer, delta: integer, target: integer, kept: integer
):
    columns = layer.outputs
    share = splat(1.0 / to_double(columns))
    for row in range(rows):
        mean = broadcast(kept, row * KEPT_VALUES)
        inverse = broadcast(kept, row * KEPT_VALUES + 1)
        total = splat(0.0)
        total_hat = splat(0.0)
        for at in range(0, columns, LANES):  # delta is 0 behind them
            d = load(delta, row * layer.output_stride + at) * gamma_of(layer, job, at)
            total = total + d
            total_hat = fma(d, (load(source, row * layer.input_stride + at) - mean) * inverse, total_hat)
        total = sum_lanes(total) * share
        total_hat = sum_lanes(total_hat) * share
        for at in range(0, columns, LANES):
            hat = (load(source, row * layer.input_stride + at) - mean) * inverse
            d = load(delta, row * layer.output_stride + at) * gamma_of(layer, job, at)
            d = inverse * (d - fma(hat, total_hat, total))
            store(target, row * layer.input_stride + at, where(lanes_below(columns - at), d, splat(0.0)))


def scale_columns(
    layer: Layer, job: Job, rows: integer, source: integer, source_row: integer, target: integer, target_row: integer
):
    """Each column times its gamma: the way forward and, of deltas, the way back."""
    for row in range(rows):
        for at in range(0, layer.outputs, LANES):
            store(target, row * target_row + at, load(source, row * source_row + at) * gamma_of(layer, job, at))


def normalization_gradient(
    layer: Layer,
    job: Job,
    base: integer,
    batch_rows: integer,
    first_unit: integer,
    units: integer,
    column: integer,
    vectors: integer,
    scratch: integer,
    gradient: integer,
    gradient_row: integer,
):
    """The gradient by gamma, beta, or both; of a scaling too."""
    source = base + layer.input * job.memory.capacity * SIZE
    delta = base + layer.delta * job.memory.capacity * SIZE
    kept = base + layer.kept * job.memory.capacity * SIZE
    for unit in range(units):
        is_beta = 0
        if first_unit + unit >= layer.bias:
            is_beta = 1
        target = gradient + unit * gradient_row * SIZE
        for at in range(column, column + vectors * LANES, LANES):
            total = splat(0.0)
            if layer.kind == BATCH_NORMALIZATION:
                total = load(statistic(layer, scratch, DELTA_HAT_SUM - is_beta), at)
            elif is_beta:
                for row in range(batch_rows):
                    total = total + load(delta, row * layer.output_stride + at)
            elif layer.kind == SCALING:
                for row in range(batch_rows):
                    x = load(source, row * layer.input_stride + at)
                    total = fma(x, load(delta, row * layer.output_stride + at), total)
            else:
                for row in range(batch_rows):
                    hat = load(source, row * layer.input_stride + at) - broadcast(kept, row * KEPT_VALUES)
                    hat = hat * broadcast(kept, row * KEPT_VALUES + 1)
                    total = fma(hat, load(delta, row * layer.output_stride + at), total)
            store(target, at - column, total)


# --- Forward and back ------------------------------------------------------------------------------------------------


def layer_product(
    layer: Layer,
    job: Job,
    rows: integer,
    columns: integer,
    depth: integer,
    source: integer,
    source_row: integer,
    weights: integer,
    pack: integer,
    target: integer,
):
    """Some rows of a layer's input times some columns of its weights.

    With few rows what counts is how fast the weights are read, and memory is fastest where it is read on and on, from
    as many places as a core keeps in view: so one row takes a large matrix eight rows at a time, and a few rows one of
    a network that no cache holds.
    """
    steps = depth
    first = 0
    if rows == 1 and depth * layer.stride * SIZE > SWEPT_BYTES:
        vectors = vectors_for(columns)
        for at in range(0, vectors * LANES, LANES):
            store(target, at, splat(0.0))
        while first + 8 <= depth:
            sweep_row(vectors, source + first * SIZE, weights + first * layer.stride * SIZE, layer.stride, target)
            first += 8
    elif rows < PACK_ROWS and job.network.parameter_count * SIZE > STREAMED_BYTES:
        steps = 8
    while first < depth:
        if steps > depth - first:
            steps = depth - first
        product(
            rows,
            columns,
            steps,
            source + first * SIZE,
            source_row,
            1,
            16 * source_row,
            weights + first * layer.stride * SIZE,
            layer.stride,
            0,
            first > 0,
            pack,
            target,
            layer.output_stride,
        )
        first += steps


def sweep_row(vectors: integer, a: integer, b: integer, b_step: integer, c: integer):
    """Add eight values of a row times as many rows of b to a row of c, in the order of a product."""
    x0 = broadcast(a, 0)
    x1 = broadcast(a, 1)
    x2 = broadcast(a, 2)
    x3 = broadcast(a, 3)
    x4 = broadcast(a, 4)
    x5 = broadcast(a, 5)
    x6 = broadcast(a, 6)
    x7 = broadcast(a, 7)
    for at in range(0, vectors * LANES, LANES):
        total = fma(x0, load(b, at), load(c, at))
        total = fma(x1, load(b, b_step + at), total)
        total = fma(x2, load(b, 2 * b_step + at), total)
        total = fma(x3, load(b, 3 * b_step + at), total)
        total = fma(x4, load(b, 4 * b_step + at), total)
        total = fma(x5, load(b, 5 * b_step + at), total)
        total = fma(x6, load(b, 6 * b_step + at), total)
        total = fma(x7, load(b, 7 * b_step + at), total)
        store(c, at, total)


def forward(
    layers: integer,
    job: Job,
    first_layer: integer,
    base: integer,
    first_row: integer,
    rows: integer,
    batch_row: integer,
    batch_rows: integer,
    key: integer,
    training: integer,
    data: integer,
    scratch: integer,
) -> integer:
    """The outputs of a layer and of all after it for some rows of a workspace, and the slopes that the way back needs.

    ``batch_row`` is the first row's number in the batch, ``key`` the step's for noise.  The network's inputs are in the
    workspace, or where they lie among the data.  1 if the run was aborted.
    """
    for number in range(first_layer, job.network.layer_count):
        layer = layers + number * LAYER_SIZE
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
                    copy_vectors(vectors_for(layer.outputs), moving, statistic(layer, scratch, MEAN))
                    moving += layer.stride * SIZE
                    copy_vectors(vectors_for(layer.outputs), moving, statistic(layer, scratch, VARIANCE))
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
                call_own(job, layer.function, rows, layer.outputs, source, stride, output, stride, 0, training, slopes)
            elif training and layer.slope >= 0:
                slopes = base + (layer.slope * job.memory.capacity + first_row * stride) * SIZE
                activate_keeping(layer.activation, rows, columns, stride, layer.parameter, source, output, slopes)
            elif layer.activation != LINEAR or source != output:
                activate(layer.activation, rows, columns, stride, layer.parameter, source, output)
            if number < job.network.layer_count - 1:
                for row in range(rows):
                    put(output, row * stride + layer.outputs, 1.0)
    return 0


def first_unit_of(layer: Layer, job: Job, thread: integer) -> integer:
    """The first of the units of a layer that are a thread's, where each has some."""
    blocks = (layer.outputs + job.split.column_block - 1) // job.split.column_block
    unit = blocks * thread // job.run.threads * job.split.column_block
    if unit > layer.outputs:
        return (layer.outputs + 15) // 16 * 16
    return unit


def units_of_layer(
    layer: Layer, job: Job, base: integer, rows: integer, thread: integer, source: integer, scratch: integer
):
    """This thread's units of a dense layer, for all rows: their outputs, but for a softmax.

    Each thread's weights stay in its core's cache from one call to the next.
    """
    stride = layer.output_stride
    first_ = first_unit_of(layer, job, thread)
    columns = first_unit_of(layer, job, thread + 1) - first_
    ends = thread == job.run.threads - 1
    weights = job.network.parameters + (layer.weights + first_) * SIZE
    output = base + (layer.output * job.memory.capacity + first_) * SIZE
    if layer.stored_transposed:  # too few to be divided
        ends = thread == 0
        columns = 0
        if ends:
            columns = vectors_for(layer.outputs) * LANES
            weights = job.network.parameters + layer.weights * SIZE
            output = base + layer.output * job.memory.capacity * SIZE
            dot_rows(layer, rows, source, layer.input_stride, weights, scratch + PACK, output, stride)
    else:
        pack = scratch + PACK
        layer_product(layer, job, rows, columns, layer.rows, source, layer.input_stride, weights, pack, output)
    if columns > 0 and layer.activation != LINEAR and layer.activation != SOFTMAX:
        activate(layer.activation, rows, columns, stride, layer.parameter, output, output)
    if ends:
        for row in range(rows):
            put(base, layer.output * job.memory.capacity + row * stride + layer.outputs, 1.0)


def first_layer(
    layer: Layer,
    job: Job,
    base: integer,
    first_row: integer,
    rows: integer,
    first_target: integer,
    targets: integer,
    first_unit: integer,
    end_unit: integer,
    epoch: integer,
    position: integer,
    scratch: integer,
):
    """Some units' outputs for some rows of the batch, from the data; the places of the rows that are targets too.

    They are multiplied a few at a time, as they lie or as soon as they have been read; meanwhile the next ones are
    asked for.
    """
    stride = layer.output_stride
    vectors = vectors_for(end_unit - first_unit)
    weights = job.network.parameters + (layer.weights + first_unit) * SIZE
    in_order = lies_in_order(layer, job)
    row = first_row
    while row < first_row + rows:
        count = first_row + rows - row
        if count > TILE_ROWS:
            count = TILE_ROWS
        places = 0
        if row >= first_target and row < first_target + targets:
            places = targets_of(job, base, row)
        inputs = job.memory.inputs + row * job.memory.input_stride * SIZE
        input_row = job.memory.input_stride
        depth = layer.rows
        below = inputs
        below_row = input_row
        if in_order:
            place = position + row - job.data.origin
            inputs = job.data.x + place * job.data.x_row
            input_row = job.data.x_row // SIZE
            depth = layer.inputs
            if job.data.rows - (position + row) >= 2 * TILE_ROWS:
                below = inputs + TILE_ROWS * job.data.x_row
                below_row = input_row
            if places:
                for number in range(count):
                    put_integer(places, 0, place + number)
                    places += job.memory.target_stride * SIZE
        else:
            gather_inputs(job.data.x_kind, layer.inputs, job, job.memory.inputs, row, count, epoch, position, places)
            if job.data.x_column <= 8 and job.data.rows - (position + row) >= 2 * TILE_ROWS:
                below = scratch + ROWS_AHEAD
                below_row = 0
                put_rows_ahead(job, epoch, position + row + TILE_ROWS, below)
        output = base + (layer.output * job.memory.capacity + row * stride + first_unit) * SIZE
        vector = 0
        while vector < vectors:
            wide = tile_width(count, vectors - vector)
            panel = weights + vector * LANES * SIZE
            target = output + vector * LANES * SIZE
            if wide > 1 and count == TILE_ROWS:
                deep_tile(
                    wide,
                    depth,
                    inputs,
                    input_row,
                    1,
                    panel,
                    layer.stride,
                    0,
                    target,
                    stride,
                    below,
                    below_row,
                    panel,
                    0,
                    target,
                    0,
                )
            else:
                product(
                    count, wide * LANES, depth, inputs, input_row, 1, 0, panel, layer.stride, 0, 0, 0, target, stride
                )
            below = inputs  # once is enough
            below_row = input_row
            vector += wide
        if depth < layer.rows:
            add_bias(layer, count, vectors * LANES, weights, output)
        if places:
            look_at_rows(layer.inputs, job, count, inputs, input_row, epoch, position)
        row += count
    output = base + (layer.output * job.memory.capacity + first_row * stride + first_unit) * SIZE
    columns = vectors * LANES
    if layer.slope >= 0:
        slopes = base + (layer.slope * job.memory.capacity + first_row * stride + first_unit) * SIZE
        activate_keeping(layer.activation, rows, columns, stride, layer.parameter, output, output, slopes)
    elif layer.activation != LINEAR:
        activate(layer.activation, rows, columns, stride, layer.parameter, output, output)
    if end_unit >= layer.outputs:
        for number in range(rows):
            put(output, number * stride + layer.outputs - first_unit, 1.0)


def look_at_rows(
    width: integer, job: Job, rows: integer, source: integer, stride: integer, epoch: integer, position: integer
):
    """Say in which batch it is, if there is a NaN or an infinity in rows of inputs that nobody has looked at before.

    Of four vectors or more; or with something finite behind them, up to a whole vector.
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
                at = row * stride + block
                if block > width - 4 * LANES:  # some of the ones before once more
                    at = row * stride + width - 4 * LANES
                value = load(source, at)
                a = a + (value - value)
                value = load(source, at + LANES)
                b = b + (value - value)
                value = load(source, at + 2 * LANES)
                c = c + (value - value)
                value = load(source, at + 3 * LANES)
                d = d + (value - value)
    else:
        row = 0
        while row < rows:
            below = row
            if row + 1 < rows:
                below = row + 1
            for block in range(0, width, LANES):
                value = load(source, row * stride + block)
                a = a + (value - value)
                value = load(source, below * stride + block)
                b = b + (value - value)
            row += 2
    if not is_finite(first(sum_lanes((a + b) + (c + d)))):
        atomic_put(job.run.synchronisation, NOT_FINITE, position + 1)


def put_rows_ahead(job: Job, epoch: integer, position: integer, target: integer):
    """The addresses of the rows of a tile, from a position of the epoch on."""
    key = order_key(job, epoch)
    for row in range(TILE_ROWS):
        put_integer(target, row, job.data.x + place_of_row(job, position + row, key) * job.data.x_row)


def lies_in_order(layer: Layer, job: Job) -> integer:
    """Whether the first layer can take a batch as it lies, neither shuffled nor so that rows drive each other out."""
    return lies_ready(layer, job) and job.order.rows == 0 and not job.order.shuffle and job.data.x_row % 1024 != 0


def first_layer_gradient(
    layer: Layer,
    job: Job,
    position: integer,
    batch_rows: integer,
    unit: integer,
    units: integer,
    column: integer,
    vectors: integer,
    claims: integer,
    scratch: integer,
    gradient: integer,
    gradient_row: integer,
):
    """Its gradient by some of its weights, from where first_layer has had the batch's inputs."""
    inputs = job.memory.inputs
    input_row = job.memory.input_stride
    count = units
    if lies_in_order(layer, job):
        inputs = job.data.x + (position - job.data.origin) * job.data.x_row
        input_row = job.data.x_row // SIZE
        if unit + units > layer.inputs:  # the bias's inputs, ones, are not among the data
            count = layer.inputs - unit
    deltas = job.memory.workspace + (layer.delta * job.memory.capacity + column) * SIZE
    if is_flat(layer, count):
        if claims == 2:
            claim_panel(layer, job, unit, units, column, vectors * LANES)
        product(
            count,
            columns_of_panel(layer, column, vectors),
            batch_rows,
            inputs + unit * SIZE,
            1,
            input_row,
            16,
            deltas,
            layer.output_stride,
            0,
            0,
            scratch + PACK,
            gradient,
            gradient_row,
        )
    else:
        packed_gradient(
            layer,
            job,
            unit,
            count,
            column,
            vectors,
            batch_rows,
            deltas,
            inputs + unit * SIZE,
            input_row,
            16,
            0,
            claims,
            scratch + PACK,
            gradient,
            gradient_row,
        )
    if count < units:
        put(scratch + ONE, 0, 1.0)
        product(
            1,
            vectors * LANES,
            batch_rows,
            scratch + ONE,
            0,
            0,
            0,
            deltas,
            layer.output_stride,
            0,
            0,
            0,
            gradient + count * gradient_row * SIZE,
            gradient_row,
        )


def add_bias(layer: Layer, rows: integer, columns: integer, weights: integer, target: integer):
    """Add the last row of some columns of a matrix to each row of a product with the others."""
    for row in range(rows):
        add_vectors(columns, weights + layer.bias * layer.stride * SIZE, target + row * layer.output_stride * SIZE)


def dot_rows(
    layer: Layer,
    rows: integer,
    source: integer,
    source_row: integer,
    weights: integer,
    scratch: integer,
    target: integer,
    target_row: integer,
):
    """The product with a turned matrix: each row of the source with each unit's weights, summed over the lanes.

    As many rows as there are lanes are summed together, in the order in which each would be by itself.
    """
    vectors = vectors_for(layer.rows)
    first_ = 0
    while first_ + LANES <= rows and layer.outputs <= LANES:
        h = source + first_ * source_row * SIZE
        for unit in range(layer.outputs):
            dot_square(vectors, h, source_row, weights + unit * layer.stride * SIZE, scratch + unit * LANES * SIZE)
        for row in range(LANES):
            units = broadcast(scratch, row)
            for unit in range(1, layer.outputs):
                units = where(lanes_below(unit), units, broadcast(scratch, unit * LANES + row))
            store(target, (first_ + row) * target_row, where(lanes_below(layer.outputs), units, splat(0.0)))
        first_ += LANES
    for row in range(first_, rows):
        h = source + row * source_row * SIZE
        for at in range(0, layer.outputs, LANES):
            units = splat(0.0)
            last = layer.outputs
            if last > at + LANES:
                last = at + LANES
            for unit in range(at, last):
                w = weights + unit * layer.stride * SIZE
                total = load(h, 0) * load(w, 0)
                for vector in range(1, vectors):
                    total = fma(load(h, vector * LANES), load(w, vector * LANES), total)
                units = where(lanes_below(unit - at), units, sum_lanes(total))
            store(target, row * target_row + at, where(lanes_below(layer.outputs - at), units, splat(0.0)))


def clear_behind(rows: integer, columns: integer, stride: integer, target: integer):
    """Zeros in the padding of the last vector that holds some of each row's columns."""
    at = columns // LANES * LANES
    if at < columns:
        for row in range(rows):
            store(
                target,
                row * stride + at,
                where(lanes_below(columns - at), load(target, row * stride + at), splat(0.0)),
            )


def through_activation(layer: Layer, job: Job, base: integer, first_row: integer, rows: integer, source: integer):
    """The layer's delta, from the gradient by its output: times the activation's slope."""
    stride = layer.output_stride
    columns = vectors_for(layer.outputs) * LANES
    delta = base + (layer.delta * job.memory.capacity + first_row * stride) * SIZE
    output = base + (layer.output * job.memory.capacity + first_row * stride) * SIZE
    if layer.slope >= 0:
        slopes = base + (layer.slope * job.memory.capacity + first_row * stride) * SIZE
        scale_by_kept(rows, columns, stride, slopes, source, delta)
    elif layer.activation != LINEAR or source != delta:
        scale_by_derived(layer.activation, rows, columns, stride, layer.parameter, output, source, delta)


def backward(
    layers: integer,
    job: Job,
    base: integer,
    first_row: integer,
    rows: integer,
    batch_row: integer,
    batch_rows: integer,
    key: integer,
    scratch: integer,
) -> integer:
    """Every layer's delta for some rows, from the gradient by the network's output in the last one's.

    1 if the run was aborted.
    """
    number = job.network.layer_count - 1
    layer = layers + number * LAYER_SIZE
    delta = base + (layer.delta * job.memory.capacity + first_row * layer.output_stride) * SIZE
    if not job.loss.on_logits:
        if layer.activation == SOFTMAX:
            output = base + (layer.output * job.memory.capacity + first_row * layer.output_stride) * SIZE
            softmax_backward(rows, layer.outputs, layer.output_stride, output, delta)
        else:
            through_activation(layer, job, base, first_row, rows, delta)
    while number >= job.network.first_trained:
        layer = layers + number * LAYER_SIZE
        previous = layers + (number - 1) * LAYER_SIZE
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
                turned = layer.inputs
                if layer.stored_transposed:
                    turned = 0
                elif job.network.keeps_transposed:
                    turned = 0
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
                    turned,
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


def weight_gradient(
    layer: Layer,
    job: Job,
    base: integer,
    batch_rows: integer,
    first_unit: integer,
    units: integer,
    column: integer,
    vectors: integer,
    packed: integer,
    claims: integer,
    scratch: integer,
    gradient: integer,
    gradient_row: integer,
):
    """Some rows (as many as fit PACKED_INPUTS, PACK_DEPTH deep) and columns of a gradient by a matrix as it is stored.

    That is the layer's input, transposed, times its delta; turned, the delta, transposed, times the input.  The
    input's columns are brought together first, 16 side by side, for each is a page away from the next, unless all
    inputs are near; ``packed`` if the last call has left the same ones so.  ``claims``: 1 if these weights are updated
    next, 2 if other cores have read them.
    """
    source = base + layer.input * job.memory.capacity * SIZE
    source_stride = layer.input_stride
    if layer.kind != DENSE:
        normalization_gradient(
            layer, job, base, batch_rows, first_unit, units, column, vectors, scratch, gradient, gradient_row
        )
        return
    if layer.stored_transposed:
        product(
            units,
            columns_of_panel(layer, column, vectors),
            batch_rows,
            base + (layer.delta * job.memory.capacity + first_unit) * SIZE,
            1,
            layer.output_stride,
            16,
            source + column * SIZE,
            source_stride,
            0,
            0,
            scratch + PACK,
            gradient,
            gradient_row,
        )
        if column + vectors * LANES > layer.rows:
            clear_behind(units, layer.rows - column, gradient_row, gradient)
        return
    flat = is_flat(layer, units)
    if flat and batch_rows * source_stride * SIZE <= NEAR_INPUTS:
        if claims == 2:
            claim_panel(layer, job, first_unit, units, column, vectors * LANES)
        product(
            units,
            columns_of_panel(layer, column, vectors),
            batch_rows,
            source + first_unit * SIZE,
            1,
            source_stride,
            16,
            base + (layer.delta * job.memory.capacity + column) * SIZE,
            layer.output_stride,
            0,
            0,
            scratch + PACK,
            gradient,
            gradient_row,
        )
        return
    blocks = (units + 15) // 16
    kept = blocks * 16 * batch_rows <= PACKED_INPUTS
    first = 0
    while first < batch_rows:
        rows = batch_rows - first
        if rows > PACK_DEPTH:
            rows = PACK_DEPTH
        pack = scratch + PACK_INPUTS
        if kept:
            pack += first * blocks * 16 * SIZE
        if not (packed and kept):
            for block in range(blocks):
                inputs = source + (first * source_stride + first_unit + block * 16) * SIZE
                for row in range(rows):
                    for lane in range(0, 16, LANES):
                        store(pack, (block * rows + row) * 16 + lane, load(inputs, row * source_stride + lane))
        deltas = base + (layer.delta * job.memory.capacity + first * layer.output_stride + column) * SIZE
        if not flat:
            packed_gradient(
                layer,
                job,
                first_unit,
                units,
                column,
                vectors,
                rows,
                deltas,
                pack,
                16,
                16 * rows,
                first > 0,
                claims,
                scratch + PACK,
                gradient,
                gradient_row,
            )
        else:
            if claims == 2 and first == 0:
                claim_panel(layer, job, first_unit, units, column, vectors * LANES)
            product(
                units,
                columns_of_panel(layer, column, vectors),
                rows,
                pack,
                1,
                16,
                16 * rows,
                deltas,
                layer.output_stride,
                0,
                first > 0,
                0,
                gradient,
                gradient_row,
            )
        first += rows


def columns_of_panel(layer: Layer, column: integer, vectors: integer) -> integer:
    """How many of a matrix's columns so many vectors hold, from a column on."""
    if column + vectors * LANES > layer.width:
        return layer.width - column
    return vectors * LANES


def is_flat(layer: Layer, units: integer) -> integer:
    """Whether deltas for so many units of the layer before are as well read as they lie."""
    return units < PACK_ROWS or layer.output_stride * SIZE <= PACK_STRIDE


def packed_gradient(
    layer: Layer,
    job: Job,
    first_unit: integer,
    units: integer,
    column: integer,
    vectors: integer,
    rows: integer,
    deltas: integer,
    inputs: integer,
    inputs_row: integer,
    inputs_block: integer,
    more: integer,
    claims: integer,
    pack: integer,
    gradient: integer,
    gradient_row: integer,
):
    """The same where rows of deltas lie far apart: they are packed a tile's width at a time, for all units.

    A row's inputs are inputs_row apart from the next one's, and 16 of them inputs_block from the next 16.
    """
    place = layer.weights + first_unit * layer.stride + column
    written = 0
    if claims:  # the weights, and what of the slots goes with them
        written = 1
        if job.network.slot_count:
            written = 2
    strip = 0
    while strip < vectors:
        wide = tile_width(units, vectors - strip)
        gather_panel(rows, wide, deltas + strip * LANES * SIZE, layer.output_stride, pack)
        ahead = 0
        if strip + wide < vectors:
            ahead = deltas + (strip + wide) * LANES * SIZE
        if claims == 2:
            claim_transposed(layer, job, first_unit, units, column + strip * LANES, wide * LANES)
        deep_rows(
            units,
            wide,
            rows,
            inputs,
            1,
            inputs_row,
            inputs_block,
            pack,
            wide * LANES,
            ahead,
            layer.output_stride,
            written,
            job.network.parameters + (place + strip * LANES) * SIZE,
            job.network.slots - job.network.parameters,
            units,
            layer.stride,
            more,
            gradient + strip * LANES * SIZE,
            gradient_row,
        )
        strip += wide


# --- Update ----------------------------------------------------------------------------------------------------------


def transpose(layer: Layer, job: Job, first_unit: integer, units: integer, column: integer, vectors: integer):
    """Keep the transposed copy in step with some rows and columns of the matrix, less the bias, in squares of LANES."""
    weights = job.network.parameters + (layer.weights + column) * SIZE
    transposed = job.network.transposed + (layer.transposed + column * layer.transposed_stride) * SIZE
    for unit in range(first_unit, first_unit + units, LANES):
        rows = layer.inputs - unit
        if rows > first_unit + units - unit:
            rows = first_unit + units - unit
        if rows > 0:
            for vector in range(vectors):
                transpose_square(
                    rows,
                    weights + (unit * layer.stride + vector * LANES) * SIZE,
                    layer.stride,
                    transposed + (vector * LANES * layer.transposed_stride + unit) * SIZE,
                    layer.transposed_stride,
                )


def update_panel(
    layer: Layer,
    job: Job,
    scalars: integer,
    first_unit: integer,
    units: integer,
    column: integer,
    vectors: integer,
    gradient: integer,
    gradient_row: integer,
):
    """New weights and slots for some rows and columns of one layer's matrix."""
    slot_size = job.network.parameter_count * SIZE
    count = vectors * LANES
    start = layer.weights + first_unit * layer.stride + column
    rated = 0
    if layer.kernel_rate != 1.0 or layer.bias_rate != 1.0:
        rated = 1
    if gradient_row == layer.stride and count == layer.stride and not rated:  # the panel is one run of memory
        count = count * units
        units = 1
    kept = get_double(scalars, DECAY)
    for row in range(units):
        at = (start + row * layer.stride) * SIZE
        if rated:
            copy_vectors(vectors, job.network.parameters + at, scalars + BEFORE)
        if kept != 1.0:
            scale_vectors(count, kept, job.network.parameters + at)
        update(
            job.optimizer.code,
            count,
            scalars,
            gradient + row * gradient_row * SIZE,
            slot_size,
            job.network.slots + at,
            job.network.parameters + at,
        )
        if rated:
            rate_row(layer, first_unit + row, column, count, scalars + BEFORE, job.network.parameters + at)
        if job.optimizer.average >= 0:
            average_row(
                job,
                scalars + STEP,
                count,
                job.network.slots + job.optimizer.average * slot_size + at,
                job.network.parameters + at,
            )


def rate_row(layer: Layer, unit: integer, column: integer, count: integer, before: integer, parameters: integer):
    """Go a layer's own part of the way from weights before their update to those after it."""
    kernel = lanes_of_kernel(layer, unit, column)
    for at in range(0, count, LANES):
        rate = where(lanes_below(kernel - at), splat(layer.kernel_rate), splat(layer.bias_rate))
        w = load(before, at)
        store(parameters, at, fma(rate, load(parameters, at) - w, w))


def average_row(job: Job, step: integer, count: integer, averages: integer, parameters: integer):
    """The moving average of some parameters, which overwrites them in some steps."""
    momentum = splat(get_double(step, 0))
    for at in range(0, count, LANES):
        w = load(parameters, at)
        store(averages, at, fma(momentum, load(averages, at) - w, w))
    if get_double(step, 1) > 0.0:
        copy_vectors(count // LANES, averages, parameters)


def lanes_of_kernel(layer: Layer, unit: integer, column: integer) -> integer:
    """How many values of a stored row, from a column on, are not of the bias."""
    if layer.stored_transposed:
        return layer.bias - column
    if unit < layer.bias:
        return layer.width - column
    return 0


def sums_of_row(layer: Layer, job: Job, unit: integer, column: integer) -> integer:
    """Where the sums over some columns of a row stand: what is summed does not depend on how a matrix is split."""
    blocks = (layer.width + SUM_COLUMNS - 1) // SUM_COLUMNS
    return job.memory.sums + (layer.sums + unit * blocks + column // SUM_COLUMNS) * SUMS * 8


def add_penalty(
    layer: Layer,
    job: Job,
    share: double,
    unit: integer,
    units: integer,
    column: integer,
    vectors: integer,
    gradient: integer,
    gradient_row: integer,
):
    """The gradient of l1 |w| + l2 w^2, added; and the sum of those over each row."""
    zero = splat(0.0)
    strength = 1.0
    if job.network.penalty_by_row:
        strength = share
    plain = (
        layer.kernel_l1 == 0.0 and layer.bias_l1 == 0.0 and not layer.stored_transposed
    )  # l2 is the same all along a row
    for row in range(units):
        weights = job.network.parameters + (layer.weights + (unit + row) * layer.stride + column) * SIZE
        target = gradient + row * gradient_row * SIZE
        count = lanes_of_kernel(layer, unit + row, column)
        row_l2 = splat(strength * layer.kernel_l2)
        if count == 0:
            row_l2 = splat(strength * layer.bias_l2)
        for block in range(0, vectors * LANES, SUM_COLUMNS):
            total = zero
            if plain:
                for at in range(block, end_of_block(block, vectors), LANES):
                    w = load(weights, at)
                    total = total + row_l2 * w * w
                    store(target, at, load(target, at) + (row_l2 + row_l2) * w)
            else:
                for at in range(block, end_of_block(block, vectors), LANES):
                    inside = lanes_below(count - at)
                    l1 = where(inside, splat(strength * layer.kernel_l1), splat(strength * layer.bias_l1))
                    l2 = where(inside, splat(strength * layer.kernel_l2), splat(strength * layer.bias_l2))
                    w = load(weights, at)
                    total = total + fma(l1, absolute(w), l2 * w * w)
                    sign = where(splat(0.0) == w, zero, copysign(l1, w))
                    store(target, at, load(target, at) + fma(l2 + l2, w, sign))
            put_double(sums_of_row(layer, job, unit + row, column + block), PENALTY, first(sum_lanes(total)))


def end_of_block(block: integer, vectors: integer) -> integer:
    """Where the columns end that are summed together, of so many vectors of a panel."""
    if block + SUM_COLUMNS < vectors * LANES:
        return block + SUM_COLUMNS
    return vectors * LANES


def measure_panel(
    layer: Layer,
    job: Job,
    unit: integer,
    units: integer,
    column: integer,
    vectors: integer,
    gradient: integer,
    gradient_row: integer,
):
    """The sums of squares over each row of the gradient, of kernel and bias."""
    for row in range(units):
        count = lanes_of_kernel(layer, unit + row, column)
        for block in range(0, vectors * LANES, SUM_COLUMNS):
            kernel = splat(0.0)
            bias = splat(0.0)
            for at in range(block, end_of_block(block, vectors), LANES):
                inside = lanes_below(count - at)
                d = load(gradient, row * gradient_row + at)
                kernel = kernel + where(inside, d * d, splat(0.0))
                bias = bias + where(inside, splat(0.0), d * d)
            sums = sums_of_row(layer, job, unit + row, column + block)
            put_double(sums, KERNEL_SQUARES, first(sum_lanes(kernel)))
            put_double(sums, BIAS_SQUARES, first(sum_lanes(bias)))


def sum_of_rows(layer: Layer, job: Job, number: integer) -> double:
    """One of the sums, over all rows of a layer's matrix."""
    blocks = (layer.width + SUM_COLUMNS - 1) // SUM_COLUMNS
    total = 0.0
    for row in range(layer.height * blocks):
        total = total + get_double(job.memory.sums, (layer.sums + row) * SUMS + number)
    return total


def scale_to(squares: double, limit: double) -> double:
    """What brings a vector, whose squares have that sum, down to a norm of at most limit."""
    norm = square_root(squares)
    if norm > limit:
        return limit / norm
    return 1.0


def clip_panel(
    layer: Layer,
    job: Job,
    unit: integer,
    units: integer,
    column: integer,
    vectors: integer,
    kernel_scale: double,
    bias_scale: double,
    gradient: integer,
    gradient_row: integer,
):
    """Each value cut off at the limit, or scaled as the norms ask for."""
    limit = splat(job.optimizer.clip_limit)
    for row in range(units):
        count = lanes_of_kernel(layer, unit + row, column)
        target = gradient + row * gradient_row * SIZE
        if job.optimizer.clip == CLIPVALUE:
            for at in range(0, vectors * LANES, LANES):
                store(target, at, maximum(minimum(load(target, at), limit), -limit))
        else:
            for at in range(0, vectors * LANES, LANES):
                scale = where(lanes_below(count - at), splat(kernel_scale), splat(bias_scale))
                store(target, at, load(target, at) * scale)


def update_all(
    layers: integer,
    job: Job,
    thread: integer,
    position: integer,
    batch_rows: integer,
    share: double,
    parts: integer,
    gradients: integer,
) -> integer:
    """This thread's share of the update; 1 if the run was aborted.  Norms to clip by want the whole gradient first."""
    if job.run.mode != GRADIENT and job.optimizer.clip > CLIPVALUE:
        update_share(layers, job, thread, position, batch_rows, share, parts, 1, gradients)
        if wait(job):
            return 1
        update_share(layers, job, thread, position, batch_rows, share, parts, 2, gradients)
    else:
        update_share(layers, job, thread, position, batch_rows, share, parts, 0, gradients)
    return 0


def scale_vectors(count: integer, scale_: double, target: integer):
    scale = splat(scale_)
    for at in range(0, count, LANES):
        store(target, at, scale * load(target, at))


def start_of_share(layer: Layer, job: Job, values: integer) -> integer:
    """The first row of a layer's matrix that is a thread's, whose part of all begins so many values behind the layer's
    first."""
    units = (values + layer.stride - 1) // layer.stride
    units = (units + 15) // 16 * 16
    if units < 0:
        return 0
    if units > layer.height:
        return layer.height
    return units


def panel_units(layer: Layer, units: integer, batch_rows: integer) -> integer:
    """Rows of a panel: few, that stay in the nearest cache; or many, where the deltas are packed for each panel, as
    many as fit beside a batch's packed inputs."""
    if layer.output_stride * SIZE <= PACK_STRIDE:
        return FLAT_ROWS
    most = PANEL_ROWS
    if most * batch_rows > PACKED_INPUTS:
        most = PACKED_INPUTS // batch_rows // 16 * 16  # inputs are packed 16 side by side
    if most < 32:
        most = 32
    panels = (units + most - 1) // most
    if panels < 2:
        return units
    return ((units + panels - 1) // panels + 15) // 16 * 16


def panel_vectors(layer: Layer) -> integer:
    vectors = vectors_for(layer.width)
    if vectors > PANEL_VECTORS:
        return PANEL_VECTORS
    return vectors


def claim_rows(rows: integer, columns: integer, stride: integer, memory: integer):
    """Ask for cache lines that will be written to and that another core has read."""
    for row in range(rows):
        for at in range(0, columns * SIZE, 64):
            claim(memory + row * stride * SIZE + at)


def claim_panel(layer: Layer, job: Job, unit: integer, units: integer, column: integer, columns: integer):
    claim_rows(
        units, columns, layer.stride, job.network.parameters + (layer.weights + unit * layer.stride + column) * SIZE
    )
    claim_transposed(layer, job, unit, units, column, columns)


def claim_transposed(layer: Layer, job: Job, unit: integer, units: integer, column: integer, columns: integer):
    if layer.transposed >= 0 and job.network.keeps_transposed:
        transposed = job.network.transposed + (layer.transposed + column * layer.transposed_stride + unit) * SIZE
        claim_rows(columns, units, layer.transposed_stride, transposed)


def update_share(
    layers: integer,
    job: Job,
    thread: integer,
    position: integer,
    batch_rows: integer,
    share: double,
    parts: integer,
    phase: integer,
    gradients: integer,
):
    """This thread's panels of every matrix: their gradient, the new weights, the transposed copy.

    ``parts`` 0: the gradient of the whole batch is computed here, panel by panel, while each is in cache.
    Otherwise that many threads have left the gradient of their chunks, and they are summed here, as a tree.
    Replicated: each thread has parameters and slots of its own and updates all of them, alike; then gradients are all
    that goes from core to core.
    Phase 1 leaves the gradient and its sums of squares, 2 clips it by its norm and updates; 0 does all in one.
    """
    scratch = job.memory.scratch + thread * job.memory.scratch_size
    kernel_scale = 1.0
    bias_scale = 1.0
    if phase == 2 and job.optimizer.clip == GLOBAL_CLIPNORM:
        squares = 0.0
        for number in range(job.network.layer_count):
            layer = layers + number * LAYER_SIZE
            squares = squares + (sum_of_rows(layer, job, KERNEL_SQUARES) + sum_of_rows(layer, job, BIAS_SQUARES))
        kernel_scale = scale_to(squares, job.optimizer.clip_limit)
        bias_scale = kernel_scale
    vector_size = job.network.parameter_count * SIZE
    part_size = job.memory.gradient_levels * vector_size
    handed = hands_over(job)
    tall = 1
    claims = 1
    first_layer = 0
    total = job.network.parameter_count
    if job.split.by_columns:  # update_units has updated that one
        first_layer = 1
        layer = layers
        total -= layer.height * layer.stride
    if job.run.threads > 1 and not job.split.replicated:
        claims = 2  # other cores have read what is written here
        rows = 0
        for number in range(job.network.layer_count):
            layer = layers + number * LAYER_SIZE
            rows += layer.height
        if rows < 512 * job.run.threads:  # too few to be split evenly
            tall = 0
    work = 0  # in values of the parameters
    packed = -1
    for number in range(first_layer, job.network.layer_count):
        layer = layers + number * LAYER_SIZE
        if phase == 2 and job.optimizer.clip == CLIPNORM:
            kernel_scale = scale_to(sum_of_rows(layer, job, KERNEL_SQUARES), job.optimizer.clip_limit)
            bias_scale = scale_to(sum_of_rows(layer, job, BIAS_SQUARES), job.optimizer.clip_limit)
        width = panel_vectors(layer)
        unit = 0
        end = layer.height
        height = 16
        if tall:
            if claims == 2:
                unit = start_of_share(layer, job, total * thread // job.run.threads - work)
                if thread + 1 < job.run.threads:
                    end = start_of_share(layer, job, total * (thread + 1) // job.run.threads - work)
                work += layer.height * layer.stride
            height = panel_units(layer, end - unit, batch_rows)
        while unit < end:
            units = end - unit
            if units > height:
                units = height
            vector = 0
            while vector < vectors_for(layer.width):
                vectors = vectors_for(layer.width) - vector
                if vectors > width:
                    vectors = width
                if tall or work * job.run.threads // total == thread:
                    column = vector * LANES
                    place = layer.weights + unit * layer.stride + column
                    gradient = gradients + place * SIZE
                    gradient_row = layer.stride
                    own = gradient + thread * part_size  # where there are parts
                    if handed and (parts == 2 or thread == 1):  # in what the other thread has left
                        gradient += (2 - thread) * part_size - vector_size
                    elif handed:
                        gradient = own
                    elif (
                        phase == 0 and job.run.mode != GRADIENT and (parts == 0 or job.split.replicated)
                    ):  # nobody else wants it
                        gradient = scratch + PANEL
                        gradient_row = vectors * LANES
                    if phase < 2:
                        if parts == 0 and number == 0 and job.split.from_data:
                            first_layer_gradient(
                                layer,
                                job,
                                position,
                                batch_rows,
                                unit,
                                units,
                                column,
                                vectors,
                                claims,
                                scratch,
                                gradient,
                                gradient_row,
                            )
                        elif parts == 0:
                            weight_gradient(
                                layer,
                                job,
                                job.memory.workspace,
                                batch_rows,
                                unit,
                                units,
                                column,
                                vectors,
                                packed == layer.weights + unit,
                                claims,
                                scratch,
                                gradient,
                                gradient_row,
                            )
                            packed = layer.weights + unit
                        elif handed:
                            if parts == 2:
                                for row in range(units):
                                    at = row * layer.stride * SIZE
                                    add_vectors(vectors * LANES, own + at, gradient + at)
                        elif job.split.replicated:
                            for row in range(units):
                                at = (place + row * layer.stride) * SIZE
                                target = gradient + row * gradient_row * SIZE
                                sum_parts(parts, part_size, gradient_row, gradients + at, target)
                        else:
                            add_parts(parts, part_size, units, vectors, gradient, gradient_row)
                        if layer.penalized:
                            add_penalty(layer, job, share, unit, units, column, vectors, gradient, gradient_row)
                    if phase == 1:
                        measure_panel(layer, job, unit, units, column, vectors, gradient, gradient_row)
                    if job.run.mode != GRADIENT and phase != 1:
                        if job.optimizer.clip == CLIPVALUE or kernel_scale < 1.0 or bias_scale < 1.0:
                            clip_panel(
                                layer,
                                job,
                                unit,
                                units,
                                column,
                                vectors,
                                kernel_scale,
                                bias_scale,
                                gradient,
                                gradient_row,
                            )
                        update_panel(layer, job, scratch, unit, units, column, vectors, gradient, gradient_row)
                        if layer.transposed >= 0 and job.network.keeps_transposed:
                            transpose(layer, job, unit, units, column, vectors)
                if not tall:
                    work += units * vectors * LANES
                vector += vectors
            unit += units


# --- The first layer by units ----------------------------------------------------------------------------------------
#
# Where a line of memory that another core has read is written, that core's copy is called back first, which may take as
# long as a hundred multiplications of vectors.  Wide first layers are all that a batch's rows share, mostly: so each
# thread keeps some units of it, with their slots, in memory of its own for the length of a run, and reads all of the
# batch.  The thread's own records of layer and job say where; places count from the same first column.


def own_layer(job: Job, thread: integer) -> integer:
    return job.split.own_records + thread * (LAYER_SIZE + JOB_SIZE)


def own_job(job: Job, thread: integer) -> integer:
    return own_layer(job, thread) + LAYER_SIZE


def own_parameters(job: Job) -> integer:
    return job.network.parameters


def copy_units(layers: integer, job: Job, thread: integer, back: integer):
    """A thread's units of the first layer, weights and slots, to its own memory or back."""
    layer = layers
    first_ = first_unit_of(layer, job, thread)
    vectors = (first_unit_of(layer, job, thread + 1) - first_) // LANES
    place = layer.weights + first_
    stride = layer.stride
    layer = own_layer(job, thread)
    own = own_parameters(own_job(job, thread))
    for part in range(1 + job.network.slot_count):
        whole = job.network.parameters + place * SIZE
        if part > 0:
            whole = job.network.slots + ((part - 1) * job.network.parameter_count + place) * SIZE
        for _ in range(layer.height):
            if back:
                copy_vectors(vectors, own, whole)
            else:
                copy_vectors(vectors, whole, own)
            own += layer.stride * SIZE
            whole += stride * SIZE


def update_units(
    layer: Layer, job: Job, thread: integer, position: integer, batch_rows: integer, share: double, scratch: integer
):
    """This thread's units of the first layer: their gradient, panel by panel, and the new weights."""
    first_ = first_unit_of(layer, job, thread)
    end = first_unit_of(layer, job, thread + 1)
    width = panel_vectors(layer) * LANES
    height = panel_units(layer, layer.height, batch_rows)
    gradient = scratch + PANEL
    unit = 0
    while unit < layer.height:
        units = layer.height - unit
        if units > height:
            units = height
        column = first_
        while column < end:
            columns = end - column
            if columns > width:
                columns = width
            vectors = columns // LANES
            first_layer_gradient(
                layer, job, position, batch_rows, unit, units, column, vectors, 1, scratch, gradient, columns
            )
            if layer.penalized:
                add_penalty(layer, job, share, unit, units, column, vectors, gradient, columns)
            if job.optimizer.clip == CLIPVALUE:
                clip_panel(layer, job, unit, units, column, vectors, 1.0, 1.0, gradient, columns)
            update_panel(layer, job, scratch, unit, units, column, vectors, gradient, columns)
            column += columns
        unit += units


def copy_vectors(vectors: integer, source: integer, target: integer):
    for at in range(0, vectors * LANES, LANES):
        store(target, at, load(source, at))


def add_vectors(count: integer, source: integer, target: integer):
    for at in range(0, count, LANES):
        store(target, at, load(target, at) + load(source, at))


def add_parts(
    parts: integer, part_size: integer, units: integer, vectors: integer, gradient: integer, gradient_row: integer
):
    """Sum the threads' gradients of one panel into the first one's, neighbours first."""
    distance = 1
    while distance < parts:
        part = 0
        while part + distance < parts:
            for row in range(units):
                at = gradient + row * gradient_row * SIZE + part * part_size
                add_vectors(vectors * LANES, at + distance * part_size, at)
            part += 2 * distance
        distance *= 2


def sum_parts(parts: integer, part_size: integer, count: integer, source: integer, target: integer):
    """The same sum, of up to four parts, elsewhere: the parts stay as they are."""
    for at in range(0, count, LANES):
        total = load(source, at)
        if parts > 1:
            total = total + load(source + part_size, at)
        if parts == 3:
            total = total + load(source + 2 * part_size, at)
        if parts > 3:
            total = total + (load(source + 2 * part_size, at) + load(source + 3 * part_size, at))
        store(target, at, total)


def chunk_gradient(layers: integer, job: Job, base: integer, rows: integer, scratch: integer, gradient: integer):
    """The gradient by every matrix, of a chunk of rows in a workspace of its own."""
    for number in range(job.network.layer_count):
        layer = layers + number * LAYER_SIZE
        for unit in range(0, layer.height, CHUNK_ROWS):
            units = layer.height - unit
            if units > CHUNK_ROWS:
                units = CHUNK_ROWS
            weight_gradient(
                layer,
                job,
                base,
                rows,
                unit,
                units,
                0,
                vectors_for(layer.width),
                0,
                0,
                scratch,
                gradient + (layer.weights + unit * layer.stride) * SIZE,
                layer.stride,
            )


def chunk_count(job: Job, batch_rows: integer) -> integer:
    """Into how many chunks a batch falls: a power of two, so that two, four, eight threads have alike.

    The last batch of an epoch falls into as many, unless they would have a quarter of a chunk's rows or less.  None is
    empty, for a chunk has room for 24 rows at least.
    """
    chunks = job.split.chunks
    while chunks > 1 and chunks * job.memory.capacity >= 4 * batch_rows:
        chunks = chunks // 2
    return chunks


def chunks_a_thread(job: Job, batch_rows: integer) -> integer:
    """A power of two, so that each thread's chunks are a whole branch of the tree in which chunks are summed.

    The tree is the same for any number of threads, and so is the sum.
    """
    chunks = chunk_count(job, batch_rows)
    each_ = 1
    while each_ * job.run.threads < chunks:
        each_ *= 2
    return each_


def train_chunks(
    layers: integer,
    job: Job,
    thread: integer,
    epoch: integer,
    position: integer,
    batch_rows: integer,
    share: double,
    first_score: integer,
    gradients_: integer,
    key: integer,
) -> integer:
    """This thread's chunks through the whole network, into its gradient; returns how many threads had any."""
    chunks = chunk_count(job, batch_rows)
    blocks = (batch_rows + 3) // 4  # tiles have as many rows, or twice as many
    own = chunks_a_thread(job, batch_rows)
    base = job.memory.workspace + thread * job.memory.workspace_size
    scratch = job.memory.scratch + thread * job.memory.scratch_size
    vector_size = job.network.parameter_count * SIZE
    gradients = gradients_ + thread * job.memory.gradient_levels * vector_size
    level = 0
    done = 0
    last = layers + (job.network.layer_count - 1) * LAYER_SIZE
    while done < own and thread * own + done < chunks:
        start = blocks * (thread * own + done) // chunks * 4
        rows = blocks * (thread * own + done + 1) // chunks * 4
        if rows > batch_rows:
            rows = batch_rows
        rows -= start
        gather(layers, job, base, 0, rows, epoch, position + start, 1)
        layer = layers
        look_at_rows(layer.inputs, job, rows, base, job.memory.input_stride, epoch, position)
        forward(layers, job, 0, base, 0, rows, start, batch_rows, key, 1, 0, scratch)
        score_rows(job, last, base, 0, rows, first_score + start, share, scratch)
        backward(layers, job, base, 0, rows, start, batch_rows, key, scratch)
        chunk_gradient(layers, job, base, rows, scratch, gradients + level * vector_size)
        level += 1
        done += 1
        pairs = done
        while pairs % 2 == 0:  # two branches of equal size: add them
            level -= 1
            add_vectors(
                job.network.parameter_count, gradients + level * vector_size, gradients + (level - 1) * vector_size
            )
            pairs = pairs // 2
    while level > 1:
        level -= 1
        add_vectors(job.network.parameter_count, gradients + level * vector_size, gradients + (level - 1) * vector_size)
    if done > 0 and hands_over(job):
        copy_vectors(
            job.network.parameter_count // LANES, gradients, gradients + (job.memory.gradient_levels - 1) * vector_size
        )
    return (chunks + own - 1) // own


def hands_over(job: Job) -> integer:
    """Whether two threads, of which each updates all parameters, give each other their gradients.

    Each leaves a copy of its own to the other, which adds its own to that in place: to write lines of memory that the
    other has written takes a sixth of what it takes to write lines that the other has only read.
    """
    return job.split.replicated and job.run.threads == 2


# --- Many threads, many steps ----------------------------------------------------------------------------------------


def wait(job: Job) -> integer:
    """Meet the other threads; 1 if the run was aborted meanwhile.

    The last one to arrive begins the next generation.  The others spin, since all come within microseconds; if one does
    not, it may be waiting for this very processor.  To sleep for a moment leaves it to that one, and the system wakes
    the sleeper where there is room; to yield would send this thread behind whatever else runs here, for milliseconds.
    """
    if job.run.threads == 1:
        return 0
    generation = atomic_get(job.run.synchronisation, GENERATION)
    if atomic_add(job.run.synchronisation, ARRIVED, 1) == job.run.threads - 1:
        atomic_put(job.run.synchronisation, ARRIVED, 0)
        atomic_put(job.run.synchronisation, GENERATION, generation + 1)
        return 0
    spins = 0
    while atomic_get(job.run.synchronisation, GENERATION) == generation:
        spins += 1
        if spins < BARRIER_SPINS:
            relax()
        else:
            if atomic_get(job.run.synchronisation, ABORTED):
                return 1
            rest()
    return 0


def leave(job: Job, thread: integer):
    """The caller's thread stays until all others have gone, or the run was aborted."""
    if job.run.threads > 1:
        left = atomic_add(job.run.synchronisation, LEFT, 1) + 1
        spins = 0
        while thread == 0 and left < job.run.threads and not atomic_get(job.run.synchronisation, ABORTED):
            spins += 1
            if spins < BARRIER_SPINS:
                relax()
            else:
                rest()
            left = atomic_get(job.run.synchronisation, LEFT)


def share_of_row(job: Job, step: integer, batch_rows: integer) -> double:
    """What a row counts in its batch."""
    if job.order.row_weights != 0:
        return get_double(job.order.row_weights, step - job.run.first_step)
    return 1.0 / to_double(batch_rows)


def add_scores(job: Job, epoch: integer, first_score: integer, batch_rows: integer, share: double):
    """Add the scores of a batch to those of its epoch."""
    columns = 1 + job.loss.metric_count
    results = job.memory.results + (epoch - job.run.first_epoch) * columns * 8
    for column in range(columns):
        total = sum_of_scores(batch_rows, columns, job.memory.scores + (first_score * columns + column) * 8)
        if column == 0:
            total = total * job.loss.score_scale
            if job.order.row_weights != 0:
                total = total * share * to_double(batch_rows)
        put_double(results, column, get_double(results, column) + total)


def sum_of_scores(rows: integer, step: integer, scores: integer) -> double:
    """Their sum, in four chains, for an addition takes four times as long as the next can begin after it."""
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


def add_penalties(layers: integer, job: Job, epoch: integer, batch_rows: integer):
    """Add the penalties on the weights, as they were before the step, to the losses of its rows."""
    total = 0.0
    for number in range(job.network.layer_count):
        layer = layers + number * LAYER_SIZE
        if layer.penalized:
            total = total + sum_of_rows(layer, job, PENALTY)
    results = job.memory.results + (epoch - job.run.first_epoch) * (1 + job.loss.metric_count) * 8
    put_double(results, 0, get_double(results, 0) + total * to_double(batch_rows))


def all_finite(count: integer, source: integer) -> integer:
    total = splat(0.0)
    for at in range(0, count, LANES):
        value = load(source, at)
        total = total + (value - value)
    if is_finite(first(sum_lanes(total))):
        return 1
    return 0


def end_epoch(job: Job, thread: integer, epoch: integer) -> integer:
    """Keep the parameters and slots if they and the epoch's loss are finite; 1 if not, which ends the run."""
    vectors = job.network.parameter_count // LANES
    start = vectors * thread // job.run.threads * LANES
    count = vectors * (thread + 1) // job.run.threads * LANES - start
    good = all_finite(count, job.network.parameters + start * SIZE)
    for part in range(job.network.slot_count):
        if not all_finite(count, job.network.slots + (part * job.network.parameter_count + start) * SIZE):
            good = 0
    loss = get_double(job.memory.results, (epoch - job.run.first_epoch) * (1 + job.loss.metric_count))
    if not good or not is_finite(loss):
        atomic_put(job.run.synchronisation, DIVERGED, epoch + 1)
    if wait(job):
        return 1
    if atomic_get(job.run.synchronisation, DIVERGED):
        return 1
    for part in range(1 + job.network.slot_count):
        at = (part * job.network.parameter_count + start) * SIZE
        source = job.network.parameters + start * SIZE
        if part > 0:
            source = job.network.slots + at - job.network.parameter_count * SIZE
        copy_vectors(count // LANES, source, job.network.backup + at)
    if thread == 0:
        state = job.network.backup + (1 + job.network.slot_count) * job.network.parameter_count * SIZE
        copy_vectors(job.network.state_count // LANES, job.network.state, state)
    return 0


def prepare_step(job: Job, step: integer, scratch: integer):
    """The optimizer's scalars of an update, so many steps after the run's first, and the average's.

    The average begins as the parameters after the first update of all.
    """
    update_number = job.optimizer.iterations + step + 1
    rate = get_double(job.optimizer.hyper, 0)
    if job.optimizer.rates != 0:
        rate = get_double(job.optimizer.rates, step)
    prepare(job.optimizer.code, job.optimizer.hyper, rate, to_double(update_number), scratch)
    put_double(scratch, DECAY, 1.0 - rate * get_double(job.optimizer.hyper, DECAY))
    put_double(scratch + STEP, 0, job.optimizer.average_momentum)
    if update_number == 1:
        put_double(scratch + STEP, 0, 0.0)
    put_double(scratch + STEP, 1, 0.0)
    if job.optimizer.average_frequency > 0:
        if update_number % job.optimizer.average_frequency == 0:
            put_double(scratch + STEP, 1, 1.0)


def begin_step(
    layers: integer,
    job: Job,
    thread: integer,
    first_row: integer,
    rows: integer,
    batch_rows: integer,
    epoch: integer,
    position: integer,
    scratch: integer,
) -> integer:
    """The first layer straight from the data: this thread's units of it for all of the batch, or its rows.

    1 if the run was aborted.
    """
    base = job.memory.workspace
    layer = layers
    if job.split.by_columns:
        start = first_unit_of(layer, job, thread)
        end = first_unit_of(layer, job, thread + 1)
        own = own_job(job, thread)
        layer = own_layer(job, thread)
        first_layer(layer, own, base, 0, batch_rows, first_row, rows, start, end, epoch, position, scratch)
    else:
        end = layer.outputs
        first_layer(layer, job, base, first_row, rows, first_row, rows, 0, end, epoch, position, scratch)
    last = layers + (job.network.layer_count - 1) * LAYER_SIZE
    gather_targets(job.data.y_kind, last.outputs, job, rows, targets_of(job, base, first_row))
    if job.split.by_columns:
        return wait(job)
    return 0


def train(layers: integer, job: Job, thread: integer) -> integer:
    last = layers + (job.network.layer_count - 1) * LAYER_SIZE
    scratch = job.memory.scratch + thread * job.memory.scratch_size
    part_size = job.memory.gradient_levels * job.network.parameter_count * SIZE
    epoch = job.run.first_step // job.run.steps_per_epoch
    position = (job.run.first_step - epoch * job.run.steps_per_epoch) * job.data.batch_size
    for step in range(job.run.first_step, job.run.last_step):
        batch_rows = job.data.rows - position
        if batch_rows > job.data.batch_size:
            batch_rows = job.data.batch_size
        share = share_of_row(job, step, batch_rows)
        parts = 0
        gradients = job.memory.gradients
        first_score = 0
        if job.split.replicated and step % 2:  # gradients and scores of every other step are elsewhere: see below
            gradients += job.run.threads * part_size
            first_score = job.data.batch_size
        key = 0
        if job.network.noisy:
            key = mixed(job.order.seed + mixed(job.optimizer.iterations + step - job.run.first_step + 1))
        if job.split.chunks > 0:
            parts = train_chunks(layers, job, thread, epoch, position, batch_rows, share, first_score, gradients, key)
        else:
            first_row = 0
            rows = batch_rows
            if job.run.threads > 1:
                blocks = (batch_rows + ROW_BLOCK - 1) // ROW_BLOCK
                first_row = blocks * thread // job.run.threads * ROW_BLOCK
                rows = blocks * (thread + 1) // job.run.threads * ROW_BLOCK
                if rows > batch_rows:
                    rows = batch_rows
                rows -= first_row
            if (
                rows > 0 or job.split.by_columns or job.memory.partial_values > 0
            ):  # others wait for all of a batch to be normalised
                base = job.memory.workspace
                if job.split.from_data:
                    if begin_step(layers, job, thread, first_row, rows, batch_rows, epoch, position, scratch):
                        return 1
                else:
                    gather(layers, job, base, first_row, rows, epoch, position, 1)
                    inputs = base + first_row * job.memory.input_stride * SIZE
                    layer = layers
                    look_at_rows(layer.inputs, job, rows, inputs, job.memory.input_stride, epoch, position)
                if forward(
                    layers,
                    job,
                    job.split.from_data > 0,
                    base,
                    first_row,
                    rows,
                    first_row,
                    batch_rows,
                    key,
                    1,
                    0,
                    scratch,
                ):
                    return 1
                score_rows(job, last, base, first_row, rows, 0, share, scratch)
                if backward(layers, job, base, first_row, rows, first_row, batch_rows, key, scratch):
                    return 1
        if atomic_get(job.run.synchronisation, ABORTED):  # a function of the user's own failed
            return 1
        if wait(job):
            return 1
        if job.data.lazy_nan_check and epoch == 0:
            found = atomic_get(job.run.synchronisation, NOT_FINITE)
            if found > 0 and found <= position + 1:  # replicated, another thread may be at the next batch already
                return 1
        if job.run.mode == TRAIN:
            prepare_step(job, step - job.run.first_step, scratch)
        if job.split.by_columns:
            update_units(own_layer(job, thread), own_job(job, thread), thread, position, batch_rows, share, scratch)
        if update_all(layers, job, thread, position, batch_rows, share, parts, gradients):
            return 1
        if thread == 0:
            add_scores(job, epoch, first_score, batch_rows, share)
            if job.run.mode == TRAIN and job.memory.partial_values > 0:
                move_statistics(layers, job, scratch)
            put_integer(job.run.synchronisation, DONE, step + 1)
        # Replicated, nothing that is read after this is written again before all have met in the next step.
        epoch_ends = job.run.mode == TRAIN and position + batch_rows == job.data.rows
        if not job.split.replicated or epoch_ends:
            if wait(job):
                return 1
        if thread == 0 and job.network.penalized:
            add_penalties(layers, job, epoch, batch_rows)
        if epoch_ends:
            if job.split.by_columns:
                copy_units(layers, job, thread, 1)
                if wait(job):
                    return 1
            if end_epoch(job, thread, epoch):
                return 1
        position += job.data.batch_size
        if position >= job.data.rows:
            position = 0
            epoch += 1
    return 0


def lies_ready(layer: Layer, job: Job) -> integer:
    """Whether the first layer can take its inputs from the data: gathered, each would be read twice."""
    ready = layer.kind == DENSE and not layer.stored_transposed and layer.inputs >= 64 and job.data.x_column == SIZE
    return ready and job.data.x_kind == OWN_KIND and job.data.x % SIZE == 0 and job.data.x_row % SIZE == 0


def put_output(last: Layer, job: Job, base: integer, position: integer, rows: integer):
    """The last layer's outputs, from a workspace to where the caller wants them, in rows without padding."""
    output = base + last.output * job.memory.capacity * SIZE
    for row in range(rows):
        source = output + row * last.output_stride * SIZE
        target = job.memory.output + (position + row) * job.memory.output_row * SIZE
        at = 0
        while at + LANES <= last.outputs:
            store(target, at, load(source, at))
            at += LANES
        while at < last.outputs:
            copy(source, at, target, at)
            at += 1


def infer_by_units(layers: integer, job: Job, thread: integer) -> integer:
    """Predictions for few rows by wide dense layers: each thread has some units of every layer, and thus always the
    same weights, which stay in its core's cache.  1 if the run was aborted.
    """
    base = job.memory.workspace
    if thread == 0:
        gather(layers, job, base, 0, job.data.rows, 0, 0, 0)
    for number in range(job.network.layer_count):
        layer = layers + number * LAYER_SIZE
        if layer.kind == DENSE:
            if wait(job):
                return 1
            source = base + layer.input * job.memory.capacity * SIZE
            units_of_layer(
                layer, job, base, job.data.rows, thread, source, job.memory.scratch + thread * job.memory.scratch_size
            )
    if wait(job):
        return 1
    if thread == 0:
        last = layers + (job.network.layer_count - 1) * LAYER_SIZE
        if last.activation == SOFTMAX:
            output = base + last.output * job.memory.capacity * SIZE
            softmax(job, job.data.rows, last.outputs, last.output_stride, output, output, job.memory.scratch + PACK)
        put_output(last, job, base, 0, job.data.rows)
    return 0


def infer(layers: integer, job: Job, thread: integer) -> integer:
    """Predictions, or the sums of loss and metrics, for this thread's blocks of ``capacity`` rows."""
    if job.split.by_columns:
        return infer_by_units(layers, job, thread)
    base = job.memory.workspace + thread * job.memory.workspace_size
    scratch = job.memory.scratch + thread * job.memory.scratch_size
    last = layers + (job.network.layer_count - 1) * LAYER_SIZE
    columns = 1 + job.loss.metric_count
    blocks = job.run.last_step - job.run.first_step
    for block in range(
        job.run.first_step + blocks * thread // job.run.threads,
        job.run.first_step + blocks * (thread + 1) // job.run.threads,
    ):
        position = block * job.memory.capacity
        rows = job.data.rows - position
        if rows > job.memory.capacity:
            rows = job.memory.capacity
        data = 0
        if job.run.mode == PREDICT and lies_ready(layers, job):
            data = job.data.x + (job.data.origin + position) * job.data.x_row
        else:
            gather(layers, job, base, 0, rows, 0, position, job.run.mode == EVALUATE)
        forward(layers, job, 0, base, 0, rows, 0, rows, 0, 0, data, scratch)
        if atomic_get(job.run.synchronisation, ABORTED):
            return 1
        if job.run.mode == PREDICT:
            put_output(last, job, base, position, rows)
        else:
            first_score = thread * job.memory.capacity
            score_rows(job, last, base, 0, rows, first_score, 1.0 / to_double(rows), scratch)
            if atomic_get(job.run.synchronisation, ABORTED):
                return 1
            for column in range(columns):
                scores = job.memory.scores + (first_score * columns + column) * 8
                put_double(job.memory.results, block * columns + column, sum_of_scores(rows, columns, scores))
    return 0


def stand_by(job: Job) -> integer:
    """A helper's wait for the next run, for a moment: then it is there at once, and without Python.

    Returns 1 once it has been called, 0 if nobody did.
    """
    spins = 0
    while atomic_get(job.run.synchronisation, CALLED) == 0 and spins < STANDBY_SPINS:
        relax()
        spins += 1
    return atomic_add(job.run.synchronisation, CALLED, GONE) == CALL


def run(layers: integer, job: Job, thread: integer) -> integer:
    """The entry: this thread's part of the job.  1 if the run ended early (aborted, or diverged)."""
    if job.run.mode == ENGAGE:  # by adding to the word of a helper: 1 if it stands by, and comes
        return atomic_add(job.run.synchronisation, CALLED, CALL) == 0
    if job.run.mode == STAND_BY:
        words = job.run.synchronisation
        while stand_by(job):
            layers_ = get_integer(words, CALLED_LAYERS)
            job_ = get_integer(words, CALLED_JOB)
            thread_ = get_integer(words, CALLED_THREAD)
            atomic_put(words, CALLED, 0)  # before the work: the caller goes on as soon as that is done
            if job_ == 0:
                return 0
            work(layers_, job_, thread_)
            atomic_add(words, FINISHED, 1)
        return 0
    return work(layers, job, thread)


def work(layers: integer, job: Job, thread: integer) -> integer:
    """Any other mode."""
    state = flush_denormals()
    ended = 0
    if job.run.mode == EVALUATE or job.run.mode == PREDICT:
        ended = infer(layers, job, thread)
    elif job.run.mode == UPDATE:
        prepare_step(job, 0, job.memory.scratch)
        ended = update_all(layers, job, thread, 0, 1, 1.0, 1, job.memory.gradients)
    elif job.split.by_columns:
        copy_units(layers, job, thread, 0)
        ended = train(layers, job, thread)
        if ended or job.run.last_step % job.run.steps_per_epoch:  # else they have been copied as the epoch ended
            copy_units(layers, job, thread, 1)
    else:
        ended = train(layers, job, thread)
    leave(job, thread)
    restore_denormals(state)
    return ended
