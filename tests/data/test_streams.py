"""Rows that are not in memory: the same numbers as in memory, whatever the blocks, the threads and the pace."""

import gc
import gzip
import os
import signal
import threading

import numpy as np
import pytest

import fastnn
from fastnn.data import Feed, Requirements, prefetch, streams
from fastnn.errors import DivergenceWarning

ROWS, INPUTS = 1037, 5


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((ROWS, INPUTS)).astype(np.float32)
    return x, np.tanh(x @ rng.standard_normal((INPUTS, 2))).astype(np.float32)


@pytest.fixture
def model(network):
    def build(seed=3, **options):
        options = {"backend": "numpy", "optimizer": "adam", **options}
        return network([INPUTS, 8, 2], ["tanh", "linear"], seed=seed, **options)

    return build


@pytest.fixture
def classifier(network):
    return lambda: network([INPUTS, 8, 3], ["tanh", "softmax"], loss="sparse_categorical_crossentropy", backend="numpy")


@pytest.fixture
def on_disk(tmp_path, rows):
    """x as an np.memmap."""
    mapped = np.memmap(tmp_path / "x", np.float32, "w+", shape=rows[0].shape)
    mapped[:] = rows[0]
    return mapped


class ByRows:
    """What HDF5 and Zarr have in common, and which rows have been asked for."""

    def __init__(self, array):
        self.array, self.shape, self.dtype = array, array.shape, array.dtype
        self.asked = []

    def __len__(self):
        return len(self.array)

    def __getitem__(self, rows):
        self.asked.append((rows.start, rows.stop))
        return self.array[rows].copy()


def batches(rows, size=32):
    x, y = rows
    for first in range(0, len(x), size):
        yield x[first : first + size], y[first : first + size]


def weights(model):
    return np.concatenate([array.ravel() for array in model.get_weights()])


def fitted(model, *given, epochs=3, batch_size=32, **options):
    history = model.fit(*given, batch_size=batch_size, epochs=epochs, verbose=0, **options)
    return weights(model), history.history["loss"]


# --- The same numbers -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("block_bytes", [1, 3000, 5000, 10**6])
def test_in_order_a_stream_trains_bit_for_bit_as_memory_does(model, rows, on_disk, backend, block_bytes):
    expected, losses = fitted(model(backend=backend), *rows, shuffle=False)
    stream = fastnn.data.stream(on_disk, rows[1], block_bytes=block_bytes)
    got, streamed_losses = fitted(model(backend=backend), stream, shuffle=False)
    np.testing.assert_array_equal(got, expected)
    assert streamed_losses == losses


def test_what_is_measured_of_a_stream_is_what_is_measured_of_memory_but_for_the_last_bits(model, rows, on_disk):
    stream = fastnn.data.stream(on_disk, rows[1], block_bytes=5000)
    trained = model()
    expected, got = (trained.evaluate(*given, verbose=0, return_dict=True) for given in (rows, (stream,)))
    assert got == pytest.approx(expected, rel=1e-14)
    histories = []
    for held in (rows, stream):
        fitting = model()
        histories.append(fitting.fit(*rows, shuffle=False, epochs=2, verbose=0, validation_data=held).history)
    assert histories[0]["loss"] == histories[1]["loss"]
    assert histories[1]["val_loss"] == pytest.approx(histories[0]["val_loss"], rel=1e-14)


def test_rows_of_a_type_that_the_kernels_cannot_read_are_converted(model, rows):
    x = rows[0].astype(np.float16)
    expected, _ = fitted(model(), x, rows[1], shuffle=False)
    got, _ = fitted(model(), fastnn.data.stream(ByRows(x), rows[1], block_bytes=3000), shuffle=False)
    np.testing.assert_array_equal(got, expected)


@pytest.mark.usefixtures("extension")
@pytest.mark.parametrize("batch_size", [32, 500])
def test_threads_do_not_change_a_shuffled_stream(model, rows, on_disk, batch_size):
    got = [
        fitted(
            model(backend="cython", threads=threads),
            fastnn.data.stream(on_disk, rows[1], block_bytes=5000),
            batch_size=batch_size,
        )
        for threads in (None, 1, 2, 3)
    ]
    for other, losses in got[1:]:
        np.testing.assert_array_equal(other, got[0][0])
        assert losses == got[0][1]


def test_the_seed_alone_decides_the_order(model, rows, on_disk):
    first, second, other = (
        fitted(model(seed=seed), fastnn.data.stream(on_disk, rows[1], block_bytes=3000))[1] for seed in (3, 3, 4)
    )
    assert first == second
    assert first != other


def test_shuffling_visits_every_row_once_an_epoch_in_new_blocks_and_orders(rows):
    source = ByRows(rows[0])
    wanted = Requirements(INPUTS, 2)
    feed = Feed(fastnn.data.stream(source, rows[1], block_bytes=3000), wanted, batch_size=32)
    found = list(feed.blocks(prefetch.Buffer, 2, np.dtype("float32"), shuffle=True, seed=1))
    ends = [number for number, block in enumerate(found) if isinstance(block, prefetch.End)]
    epochs = [found[: ends[0]], found[ends[0] + 1 : ends[1]]]
    for blocks in epochs:
        seen = np.concatenate([block.data.x for block in blocks])
        assert len({block.seed for block in blocks}) == len(blocks)
        np.testing.assert_array_equal(np.sort(seen[:, 0]), np.sort(rows[0][:, 0]))
        assert all(len(block.data) % 32 == 0 for block in blocks[:-1])
        assert len(blocks[-1].data) == ROWS % 32
    half = len(source.asked) // 2
    assert sorted(source.asked[:half]) == sorted(source.asked[half:])
    assert source.asked[:half] != source.asked[half:]


# --- Batches from Python ----------------------------------------------------------------------------------------------


class Numbered:
    """As a keras.utils.PyDataset."""

    def __init__(self, rows):
        self.batches = list(batches(rows))

    def __len__(self):
        return len(self.batches)

    def __getitem__(self, number):
        return self.batches[number]


class Again:
    def __init__(self, rows):
        self.rows = rows

    def __iter__(self):
        return batches(self.rows)


@pytest.mark.parametrize("make", [lambda rows: lambda: batches(rows), Numbered, Again])
@pytest.mark.parametrize("batch_size", [None, 32])
def test_batches_that_begin_anew_each_epoch(model, rows, make, batch_size):
    expected, _ = fitted(model(), *rows, shuffle=False)
    got, _ = fitted(model(), make(rows), batch_size=batch_size, shuffle=False)
    np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("batch_size", [None, 32])
def test_an_endless_iterator_takes_steps_per_epoch_and_no_batch_more(model, rows, batch_size):
    expected, _ = fitted(model(), *rows, shuffle=False)
    taken = 0

    def endless():
        nonlocal taken
        while True:
            for batch in batches(rows, 61 if batch_size else 32):
                taken += 1
                yield batch

    if batch_size:  # of other sizes than those that come: 32 rows, then 32 of which 3 are of the next batch, ...
        got, losses = fitted(model(), endless(), batch_size=32, steps_per_epoch=4, shuffle=False)
        again = np.concatenate([rows[0], rows[0]]), np.concatenate([rows[1], rows[1]])
        want = model()
        for epoch in range(3):
            part = slice(epoch * 128, (epoch + 1) * 128)
            fitted(want, again[0][part], again[1][part], shuffle=False, epochs=1)
        np.testing.assert_array_equal(got, weights(want))
        assert taken == -(-3 * 128 // 61)
    else:
        got, losses = fitted(model(), endless(), batch_size=None, steps_per_epoch=33)
        np.testing.assert_array_equal(got, expected)
        assert taken == 3 * 33
    assert len(losses) == 3


def test_batches_of_any_sizes_are_steps_as_they_come(model, rows):
    x, y = rows
    places = [slice(0, 7), slice(7, 20), slice(20, 33), slice(33, 40), slice(40, 140), slice(140, 141)]
    got, _ = fitted(model(), lambda: ((x[place], y[place]) for place in places), batch_size=None, epochs=2)
    want = model()
    for _ in range(2):
        for place in places:
            want.train_on_batch(x[place], y[place])
    np.testing.assert_allclose(got, weights(want), rtol=1e-5, atol=1e-7)


def test_an_iterator_that_ends_ends_training(model, rows):
    with pytest.warns(UserWarning, match="ran out of batches after 1 of 3 epochs"):
        _, losses = fitted(model(), batches(rows), batch_size=None)
    assert len(losses) == 1


def test_weights_come_with_batches_and_classes(classifier, rows):
    x, labels = rows[0], np.arange(ROWS) % 3
    weight = np.arange(ROWS) % 5 / 2
    expected = fitted(classifier(), x, labels, shuffle=False, sample_weight=weight, class_weight={1: 2.0})
    parts = [(x[place], labels[place], weight[place]) for place in (slice(0, 500), slice(500, ROWS))]
    got = fitted(classifier(), lambda: iter(parts), shuffle=False, class_weight={1: 2.0})
    np.testing.assert_array_equal(got[0], expected[0])
    got = fitted(
        classifier(),
        fastnn.data.stream(ByRows(x), labels, weight, block_bytes=999),
        shuffle=False,
        class_weight={1: 2.0},
    )
    np.testing.assert_array_equal(got[0], expected[0])
    balanced = fitted(classifier(), x, labels, shuffle=False, class_weight="balanced")
    stream = fastnn.data.stream(ByRows(x), labels, block_bytes=999)
    np.testing.assert_array_equal(fitted(classifier(), stream, shuffle=False, class_weight="balanced")[0], balanced[0])
    with pytest.raises(ValueError, match="class_weight got 'balanced'"):
        classifier().fit(lambda: iter(parts), class_weight="balanced", verbose=0)


# --- Evaluating, predicting, validating -------------------------------------------------------------------------------


def test_evaluate_predict_and_validation_take_streams(model, rows, on_disk):
    trained = model(metrics=["mae"])
    history = trained.fit(
        fastnn.data.stream(on_disk, rows[1], block_bytes=3000),
        epochs=2,
        validation_data=lambda: batches(rows),
        verbose=0,
    )
    expected = trained.evaluate(*rows, verbose=0)
    assert [history.history["val_loss"][-1], history.history["val_mae"][-1]] == pytest.approx(expected, rel=1e-6)
    for given in (lambda: batches(rows), fastnn.data.stream(ByRows(rows[0]), ByRows(rows[1]), block_bytes=3000)):
        assert trained.evaluate(given, verbose=0) == pytest.approx(expected, rel=1e-6)
        np.testing.assert_array_equal(trained.predict(given), trained.predict(rows[0]))
    np.testing.assert_array_equal(trained.predict(batches(rows), steps=2), trained.predict(rows[0][:64]))


def test_validation_split_of_arrays_on_disk(model, rows):
    expected = model().fit(*rows, validation_split=0.2, shuffle=False, verbose=0).history
    stream = fastnn.data.stream(ByRows(rows[0]), ByRows(rows[1]), block_bytes=3000)
    history = model().fit(stream, validation_split=0.2, shuffle=False, verbose=0).history
    assert history["loss"] == pytest.approx(expected["loss"], rel=1e-12)
    assert history["val_loss"] == pytest.approx(expected["val_loss"], rel=1e-6)
    with pytest.raises(ValueError, match=r"validation_split got 0\.2 for a stream"):
        model().fit(lambda: batches(rows), validation_split=0.2, verbose=0)


def test_what_fits_a_block_is_read_whole_and_once(model, rows):
    x = ByRows(rows[0])
    expected, _ = fitted(model(), *rows)
    got, _ = fitted(model(), x, ByRows(rows[1]))
    np.testing.assert_array_equal(got, expected)
    assert x.asked == [(0, ROWS)]


def test_a_large_mapped_file_is_streamed(model, rows, on_disk, monkeypatch):
    monkeypatch.setattr(streams, "WHOLE_BYTES", 3000)
    expected, _ = fitted(model(), fastnn.data.stream(on_disk, rows[1]))
    got, _ = fitted(model(), on_disk, rows[1])
    np.testing.assert_array_equal(got, expected)
    assert not np.array_equal(got, fitted(model(), *rows)[0])


def test_a_copy_on_write_map_keeps_what_was_written(model, rows, tmp_path, on_disk):
    on_disk.flush()
    x = np.memmap(tmp_path / "x", np.float32, "c", shape=rows[0].shape)
    x[:] = 0
    model().fit(fastnn.data.stream(x, rows[1], block_bytes=5000), verbose=0)
    assert not x.any()


def test_one_column_and_a_model_that_is_not_built(rows):
    x, y = rows[0][:, 0], rows[1][:, 0]
    losses = []
    for given in ((x, y), (fastnn.data.stream(ByRows(x), y, block_bytes=999),), (lambda: batches((x, y)),)):
        model = fastnn.Sequential([fastnn.layers.Dense(1)], seed=0)
        model.compile(loss="mse", backend="numpy")
        losses += model.fit(*given, shuffle=False, verbose=0).history["loss"]
    assert losses[1:] == pytest.approx(losses[:1] * 2, rel=1e-12)


# --- Tables -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def table(tmp_path, rows):
    """The rows in files of two formats, and texts."""
    pa = pytest.importorskip("pyarrow")
    from pyarrow import csv, parquet

    x, y = rows
    columns = {f"c{number}": x[:, number] for number in range(INPUTS)}
    columns |= {"y0": y[:, 0], "y1": y[:, 1], "kind": np.array(["red", "blue", "green"])[np.arange(ROWS) % 3]}
    whole = pa.table(columns)
    parquet.write_table(whole, tmp_path / "all.parquet", row_group_size=100)
    csv.write_csv(whole, tmp_path / "all.csv")
    (tmp_path / "all.csv.gz").write_bytes(gzip.compress((tmp_path / "all.csv").read_bytes()))
    (tmp_path / "parts").mkdir()
    for number, first in enumerate(range(0, ROWS, 400)):
        parquet.write_table(whole.slice(first, 400), tmp_path / "parts" / f"{number}.parquet")
    return tmp_path


NAMES = [f"c{number}" for number in range(INPUTS)]


@pytest.mark.parametrize("file", ["all.parquet", "all.csv", "all.csv.gz", "parts"])
def test_tables_train_as_memory_does(model, rows, table, file):
    stream = fastnn.data.open(table / file, target=["y0", "y1"], columns=NAMES, block_bytes=3000)
    expected, _ = fitted(model(), *rows, shuffle=False)
    got, _ = fitted(model(), stream, shuffle=False)
    np.testing.assert_array_equal(got, expected)
    assert stream.shape == (ROWS, INPUTS)
    assert fitted(model(), stream)[1] == fitted(model(), stream)[1]
    inputs = fastnn.data.open([table / file], columns=NAMES)
    trained = model()
    np.testing.assert_array_equal(trained.predict(inputs), trained.predict(rows[0]))


def test_a_table_can_be_iterated_again_and_again(rows, table):
    stream = fastnn.data.open(table / "all.parquet", target="y0", columns=["c2"], sample_weight="c1")
    for _ in range(2):
        x, y, weight = (np.concatenate(parts) for parts in zip(*stream, strict=True))
        np.testing.assert_array_equal(x, rows[0][:, 2:3])
        np.testing.assert_array_equal(y[:, 0], rows[1][:, 0])
        np.testing.assert_array_equal(weight, rows[0][:, 1])
    assert len(stream) == ROWS


def test_numbers_of_every_kind_make_one_block(tmp_path):
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    columns = {
        "flag": pa.array([True, False]),
        "count": pa.array([3, -4], pa.int64()),
        "price": pa.array([1.25, 2.5]).cast(pa.decimal128(5, 2)),
        "ratio": pa.array([0.5, 0.25], pa.float32()),
    }
    parquet.write_table(pa.table(columns), tmp_path / "kinds.parquet")
    [(x,)] = fastnn.data.open(tmp_path / "kinds.parquet")
    np.testing.assert_array_equal(x, [[1, 3, 1.25, 0.5], [0, -4, 2.5, 0.25]])


@pytest.mark.parametrize("file", ["all.parquet", "all.csv"])
def test_a_target_of_text_becomes_class_numbers(classifier, rows, table, file):
    stream = fastnn.data.open(table / file, target="kind", columns=NAMES)
    assert stream.classes == ["blue", "green", "red"]
    expected, _ = fitted(classifier(), rows[0], np.array([2, 0, 1])[np.arange(ROWS) % 3], shuffle=False)
    np.testing.assert_array_equal(fitted(classifier(), stream, shuffle=False)[0], expected)
    some = fastnn.data.open(table / file, target="kind", columns=NAMES, classes=["red", "blue"])
    with pytest.raises(ValueError, match="column 'kind' has 'green' in row 2, which is none of the classes"):
        classifier().fit(some, shuffle=False, verbose=0)


def test_tables_refuse_what_they_cannot_hold(table, tmp_path):
    path = table / "all.parquet"
    with pytest.raises(TypeError, match="column 'kind' holds string; wants numbers"):
        fastnn.data.open(path, target="y0")
    with pytest.raises(ValueError, match="target got 'price'; the columns are c0"):
        fastnn.data.open(path, target="price")
    with pytest.raises(FileNotFoundError, match="which is not there"):
        fastnn.data.open(tmp_path / "none.csv")
    with pytest.raises(ValueError, match="wants files of one kind"):
        fastnn.data.open([path, table / "all.csv"])
    (tmp_path / "broken.parquet").write_bytes(b"PAR1")
    with pytest.raises(ValueError, match="cannot be read"):
        fastnn.data.open(tmp_path / "broken.parquet")


def test_a_missing_value_is_named(model, table):
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    columns = {"a": pa.array([1.0, 2.0, None]), "b": [1.0, 2.0, 3.0], "y": [0.0, 0.0, 0.0]}
    parquet.write_table(pa.table(columns), table / "null.parquet", row_group_size=1)
    simple = fastnn.Sequential([fastnn.layers.Dense(1)])
    simple.compile(loss="mse", backend="numpy")
    with pytest.raises(ValueError, match=r"null.parquet: column 'a' has no value in row 2"):
        simple.fit(fastnn.data.open(table / "null.parquet", target="y"), shuffle=False, verbose=0)


# --- Beside other parts -----------------------------------------------------------------------------------------------


def test_noise_and_moving_statistics_are_those_of_memory(rows, on_disk, backend):
    got = []
    for given in (rows, (fastnn.data.stream(on_disk, rows[1], block_bytes=3000),)):
        model = fastnn.Sequential(
            [fastnn.layers.Dense(8), fastnn.layers.BatchNormalization(), fastnn.layers.Dropout(0.3)]
            + [fastnn.layers.Dense(2, kernel_regularizer="l2")],
            seed=5,
        )
        schedule = fastnn.schedules.CosineDecay(0.05, 60)
        model.compile(fastnn.optimizers.Adam(schedule, ema_momentum=0.9, use_ema=True), "mse", backend=backend)
        got.append((*fitted(model, *given, shuffle=False), model.evaluate(*given, verbose=0)))
    np.testing.assert_array_equal(got[1][0], got[0][0])
    assert got[1][1:] == (pytest.approx(got[0][1], rel=1e-9), pytest.approx(got[0][2], rel=1e-6))


def test_a_target_for_several_outputs(rows, on_disk):
    x, y = rows
    got = []
    for given in ((x, y), (fastnn.data.stream(on_disk, ByRows(y), block_bytes=3000),)):
        model = fastnn.Sequential([fastnn.layers.Dense(4)], seed=0)
        model.compile("adam", fastnn.losses.Quantile([0.1, 0.9]), backend="numpy")
        got.append(fitted(model, *given, shuffle=False)[0])
    np.testing.assert_array_equal(got[1], got[0])


@pytest.mark.parametrize("batch_size", [None, 32])
def test_step_callbacks_are_called_as_in_memory(model, rows, batch_size):
    def run(*given):
        calls = []
        counter = fastnn.callbacks.LambdaCallback(
            on_train_batch_end=lambda batch, logs: calls.append((batch, pytest.approx(logs["loss"], rel=1e-9))),
            every_n_steps=11,  # an epoch has 33
        )
        history = model().fit(*given, batch_size=batch_size, epochs=2, shuffle=False, callbacks=[counter], verbose=0)
        return calls, history.epoch, history.samples, len(history.seconds)

    assert run(lambda: batches(rows)) == run(*rows)
    assert len(run(*rows)[0]) == 6


@pytest.mark.parametrize("step", [15, 33])
def test_stopping_within_an_epoch_reports_it(model, rows, step):
    def run(*given):
        trained = model()

        def stop(batch, logs):
            trained.stop_training = True

        stopper = fastnn.callbacks.LambdaCallback(on_train_batch_end=stop, every_n_steps=step)
        history = trained.fit(*given, epochs=3, shuffle=False, callbacks=[stopper], verbose=0).history
        return weights(trained), history["loss"]

    got, losses = run(fastnn.data.stream(ByRows(rows[0]), rows[1], block_bytes=3000))
    want, expected = run(*rows)
    np.testing.assert_array_equal(got, want)
    assert losses == pytest.approx(expected, rel=1e-9)
    assert len(losses) == 1


class Torn(Exception):
    pass


@pytest.mark.parametrize("kind", ["rows", "batches", "filled"])
def test_a_run_that_was_cut_off_goes_on_with_the_next_epoch(model, rows, tmp_path, kind):
    def given(tear=None):
        if kind == "rows":
            return fastnn.data.stream(ByRows(rows[0]), rows[1], block_bytes=3000)
        return lambda: batches(rows)

    class Tear(fastnn.callbacks.Callback):
        every_n_steps = 1
        left = 2 * 33 + 20

        def on_train_batch_end(self, batch, logs=None):
            self.left -= 1
            if not self.left:
                raise Torn

    batch_size = 32 if kind != "batches" else None
    want, losses = fitted(model(), given(), epochs=5, batch_size=batch_size)
    for trained, torn in ((model(), [Tear()]), (model(seed=9), [])):
        chain = [*torn, fastnn.callbacks.BackupAndRestore(tmp_path / "backup")]
        if torn:
            with pytest.raises(Torn):
                trained.fit(given(), batch_size=batch_size, epochs=5, callbacks=chain, verbose=0)
            other = fastnn.data.stream(ByRows(rows[0] + 1), rows[1], block_bytes=3000)
            with pytest.raises(ValueError, match=r"is of an interrupted run with .*data"):
                model().fit(other, batch_size=batch_size, epochs=5, callbacks=chain[1:], verbose=0)
        else:
            history = trained.fit(given(), batch_size=batch_size, epochs=5, callbacks=chain, verbose=0)
            np.testing.assert_array_equal(weights(trained), want)
            assert history.history["loss"] == losses
            assert history.epoch == [0, 1, 2, 3, 4]
            assert trained.optimizer.iterations == 5 * 33


def test_ctrl_c_within_an_epoch_leaves_the_backup_of_the_epoch_before(model, rows, tmp_path, capsys):
    chain = [fastnn.callbacks.BackupAndRestore(tmp_path / "backup")]
    calls = 0

    def torn():
        nonlocal calls
        calls += 1
        for number, batch in enumerate(batches(rows)):
            if (calls, number) == (2, 20):
                signal.raise_signal(signal.SIGINT)
            yield batch

    want, losses = fitted(model(), lambda: batches(rows))
    options = {"batch_size": 32, "epochs": 3, "callbacks": chain, "verbose": 0}
    assert model().fit(torn, **options).interrupted
    assert "interrupted" in capsys.readouterr().err
    trained = model()
    assert trained.fit(lambda: batches(rows), **options).history["loss"] == losses
    np.testing.assert_array_equal(weights(trained), want)


def test_what_cannot_go_on_refuses_backups_before_anything_changes(model, rows, tmp_path):
    backup = fastnn.callbacks.BackupAndRestore
    trained = model()
    before = weights(trained)
    with pytest.raises(ValueError, match="save_freq got 5 for a stream"):
        trained.fit(lambda: batches(rows), callbacks=[backup(tmp_path / "backup", save_freq=5)], verbose=0)
    for given, options in ((batches(rows), {}), (lambda: batches(rows), {"steps_per_epoch": 3})):
        with pytest.raises(ValueError, match="callbacks got a backup, but x has no beginning"):
            trained.fit(given, callbacks=[backup(tmp_path / "backup")], verbose=0, **options)
    with pytest.raises(ValueError, match="callbacks got a backup, but validation_data: x has no beginning"):
        trained.fit(*rows, validation_data=batches(rows), callbacks=[backup(tmp_path / "backup")], verbose=0)
    np.testing.assert_array_equal(weights(trained), before)
    assert not (tmp_path / "backup").exists()


def test_lbfgs_takes_a_stream_to_validate_with_but_not_to_train_on(model, rows):
    pytest.importorskip("scipy")
    trained = model(optimizer="lbfgs")
    with pytest.raises(ValueError, match="x got a stream, but LBFGS"):
        trained.fit(lambda: batches(rows), verbose=0)
    history = trained.fit(*rows, epochs=2, validation_data=lambda: batches(rows), verbose=0).history
    assert history["val_loss"] == pytest.approx(history["loss"], rel=1e-5)


# --- What goes wrong --------------------------------------------------------------------------------------------------


def threads():
    """Readers whose threads have not ended."""
    readers = [each for each in gc.get_objects() if type(each) is prefetch.Reader]
    return [reader for reader in readers if reader._thread is not None and not reader._over]


def test_nan_in_the_midst_ends_training_with_the_weights_of_the_blocks_before(model, rows):
    x = rows[0].copy()
    x[777, 3] = np.nan
    trained, want = model(), model()
    with pytest.raises(ValueError, match="x has NaN in row 777, column 3"):
        trained.fit(fastnn.data.stream(ByRows(x), rows[1], block_bytes=32 * 10 * 20), shuffle=False, verbose=0)
    want.fit(x[:640], rows[1][:640], shuffle=False, verbose=0)
    np.testing.assert_array_equal(weights(trained), weights(want))
    assert trained.optimizer.iterations == 20
    assert not threads()
    trained.fit(*rows, verbose=0)


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        ((np.zeros((4, 3)), np.zeros((4, 2))), r"batch 2: x has shape \(4, 3\), but the model has 5 inputs"),
        ((np.zeros((4, 5)), np.zeros((3, 2))), "batch 2: y has 3 rows, but x has 4"),
        ((np.zeros((4, 5)), np.full((4, 2), np.inf)), "batch 2: y has inf in row 0, column 0"),
        ((np.zeros((4, 5)),), "batch 2: y got None"),
        ((np.zeros((4, 5)), np.zeros((4, 2)), np.full(4, np.inf)), "batch 2: sample_weight has inf"),
        ((1, 2, 3, 4), "yielded 4 parts"),
    ],
)
def test_a_bad_batch_is_named(model, rows, batch, message):
    with pytest.raises((ValueError, TypeError), match=message):
        model().fit(iter([next(batches(rows)), batch]), verbose=0)
    assert not threads()


def test_the_number_of_columns_stays_that_of_the_first_batch(rows):
    x, y = rows
    model = fastnn.Sequential([fastnn.layers.Dense(2)])
    model.compile(loss="mse", backend="numpy")
    with pytest.raises(ValueError, match=r"batch 2: x has shape \(1037, 4\), but the model has 5 inputs"):
        model.fit(iter([(x, y), (x[:, :4], y)]), verbose=0)


def test_labels_outside_of_the_classes_are_found_before_anything_changes_where_y_is_in_memory(classifier, rows):
    labels = np.zeros(ROWS, int)
    labels[900] = 3
    trained = classifier()
    before = weights(trained)
    with pytest.raises(ValueError, match="y has 3 in row 900"):
        trained.fit(fastnn.data.stream(ByRows(rows[0]), labels, block_bytes=999), verbose=0)
    np.testing.assert_array_equal(weights(trained), before)
    with pytest.raises(ValueError, match="y has 3 in row 900"):
        trained.fit(fastnn.data.stream(ByRows(rows[0]), ByRows(labels), block_bytes=999), shuffle=False, verbose=0)


def test_an_error_of_the_iterator_comes_through(model, rows):
    def broken():
        yield next(batches(rows))
        raise RuntimeError("the tape is torn")

    with pytest.raises(RuntimeError, match="the tape is torn"):
        model().fit(broken(), verbose=0)
    assert not threads()


def test_divergence_goes_back_to_the_block_before(model, rows):
    x, y = rows
    y = y.copy()
    y[900:] = 1e30
    trained, want = model(), model()
    stream = fastnn.data.stream(ByRows(x), y, block_bytes=32 * 10 * 20)
    with pytest.warns(DivergenceWarning, match="those after step 20"):
        trained.fit(stream, shuffle=False, verbose=0)
    want.fit(x[:640], y[:640], shuffle=False, verbose=0)
    np.testing.assert_array_equal(weights(trained), weights(want))


def test_interrupting_keeps_the_weights_and_ends_the_reader(model, rows, capsys):
    def endless():
        for number in range(10**9):
            if number % 300 == 299:  # again: one that strikes in a callback of the garbage collector goes nowhere
                signal.raise_signal(signal.SIGINT)  # which Python handles in the main thread
            yield from batches(rows)

    trained = model()
    history = trained.fit(endless(), verbose=0)
    assert history.interrupted
    assert "interrupted" in capsys.readouterr().err
    assert np.isfinite(weights(trained)).all()
    assert not threads()


def test_stopping_early_ends_the_reader(model, rows):
    class Stop(fastnn.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.stop_training = True

    history = model().fit(lambda: batches(rows), epochs=100, callbacks=[Stop()], verbose=0)
    assert len(history.history["loss"]) == 1
    assert not threads()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.filterwarnings("ignore:This process")
def test_a_forked_child_trains_on_streams(model, rows, on_disk):
    stream = fastnn.data.stream(on_disk, rows[1], block_bytes=3000)
    expected, _ = fitted(model(), stream)
    child = os.fork()
    if child == 0:
        os._exit(0 if np.array_equal(fitted(model(), stream)[0], expected) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_arguments_that_do_not_go_with_a_stream(model, rows):
    stream = fastnn.data.stream(*rows)
    with pytest.raises(ValueError, match="y got a ndarray beside a stream"):
        model().fit(stream, rows[1], verbose=0)
    with pytest.raises(ValueError, match="y has 3 rows, but x has 1037"):
        fastnn.data.stream(rows[0], rows[1][:3])
    with pytest.raises(ValueError, match="x has 4 columns, but the model has 5 inputs"):
        model().fit(fastnn.data.stream(rows[0][:, :4], rows[1]), verbose=0)
    with pytest.raises(ValueError, match="yielded no batch"):
        model().fit(iter([]), verbose=0)
    with pytest.raises(TypeError, match="y got None"):
        model().fit(fastnn.data.stream(rows[0]), verbose=0)


# --- Memory -----------------------------------------------------------------------------------------------------------


def test_no_more_than_two_blocks_are_held(rows):
    """The reader waits for a free slot: it never holds more than are given back."""
    held = most = 0
    lock = threading.Lock()

    class Counted(ByRows):
        def __getitem__(self, rows):
            nonlocal held, most
            with lock:
                held += 1
                most = max(most, held)
            return super().__getitem__(rows)

    feed = Feed(fastnn.data.stream(Counted(rows[0]), rows[1], block_bytes=999), Requirements(INPUTS, 2))
    count = 0
    with prefetch.Reader(lambda take: feed.blocks(take, 1, np.dtype("float32"))) as ahead:
        while isinstance(block := ahead.get(), prefetch.Block):
            ahead.took()
            count += 1
            with lock:
                held -= 1
            ahead.give(block.buffer)
    assert count > 10
    assert most <= prefetch.BLOCKS
