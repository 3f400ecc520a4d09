"""How a step is divided: every row, column and chunk belongs to one thread."""

import itertools

from kernel_memory import job, layer

from fastnn.kernels.tuning import FLAT_ROWS, PACKED_INPUTS, PANEL_ROWS, ROW_BLOCK

THREADS = range(1, 10)


def is_division(bounds, end):
    """From 0 to the end, none before the one before."""
    return bounds[0] == 0 and bounds[-1] == end and all(a <= b for a, b in itertools.pairwise(bounds))


def test_rows_of_a_batch_are_divided_in_blocks(kernels_of_each):
    for threads in THREADS:
        _, place = job(run__threads=threads)
        for rows in (1, 7, 8, 9, 63, 100):
            bounds = [kernels_of_each["rows_of_thread"](place, rows, thread) for thread in range(threads + 1)]
            assert is_division(bounds, rows)
            assert all(bound % ROW_BLOCK == 0 or bound == rows for bound in bounds)


def test_columns_of_a_layer_are_divided_in_blocks(kernels_of_each):
    for threads in THREADS:
        for outputs, block in itertools.product((1, 16, 70, 300), (16, 64)):
            _, place = job(run__threads=threads, split__column_block=block)
            _, record = layer(outputs=outputs)
            bounds = [kernels_of_each["first_column_of"](record, place, thread) for thread in range(threads + 1)]
            assert is_division(bounds, bounds[-1])
            assert outputs <= bounds[-1] < outputs + max(block, 16)
            assert all(bound % 16 == 0 for bound in bounds[:-1])


def test_rows_of_a_matrix_are_divided_by_the_values_before_them(kernels_of_each):
    """Two layers: what a thread has of both is about its part of all values."""
    for threads in THREADS:
        _, place = job(run__threads=threads)
        heights, stride = (100, 37), 48
        total = sum(heights) * stride
        found, before = [], 0
        for height in heights:
            _, record = layer(height=height, stride=stride)
            values = [total * thread // threads - before for thread in range(threads + 1)]
            bounds = [kernels_of_each["first_row_of_part"](record, place, value) for value in values]
            assert is_division(bounds, height)
            found.append(bounds)
            before += height * stride
        for thread in range(threads):
            mine = sum(bounds[thread + 1] - bounds[thread] for bounds in found) * stride
            assert abs(mine - total / threads) <= 2 * 16 * stride


def test_chunks_are_a_power_of_two_that_none_is_empty_of(kernels_of_each):
    for chunks, capacity in ((0, 64), (1, 64), (4, 64), (16, 32)):
        for threads in THREADS:
            _, place = job(run__threads=threads, split__chunks=chunks, memory__capacity=capacity)
            for rows in (24, 100, chunks * capacity or 64):
                count = kernels_of_each["chunk_count"](place, rows)
                own = kernels_of_each["chunks_a_thread"](place, rows)
                assert own & (own - 1) == 0
                if chunks:
                    assert count & (count - 1) == 0
                    assert 1 <= count <= chunks
                    assert own * threads >= count
                    assert own == 1 or own * threads < 2 * count  # no more than it takes
                    assert count == 1 or rows / count > capacity / 4
                    assert rows / count <= capacity or rows > chunks * capacity
                else:
                    assert count == 0


def test_panels_fit_where_their_inputs_are_packed(kernels_of_each):
    size = kernels_of_each.size
    for rows, batch in itertools.product((5, 16, 500, 513, 3000), (8, 128, 1024, 4096)):
        _, near = layer(output_stride=1024 // size)
        assert kernels_of_each["panel_rows"](near, rows, batch) == FLAT_ROWS
        _, far = layer(output_stride=1024 // size + 16)
        height = kernels_of_each["panel_rows"](far, rows, batch)
        assert 1 <= height <= max(PANEL_ROWS, 32)
        assert height % 16 == 0 or height == rows
        assert height * batch <= PACKED_INPUTS or height <= 32


def test_two_threads_that_update_all_hand_their_gradients_over(kernels_of_each):
    for threads, replicated in itertools.product((1, 2, 3), (0, 1)):
        _, place = job(run__threads=threads, split__replicated=replicated)
        assert kernels_of_each["hands_over"](place) == int(threads == 2 and replicated)
