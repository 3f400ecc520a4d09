"""Data as people have it: any real dtype, any memory order, frames, lists and files; Keras's targets."""

import tracemalloc

import naive
import numpy as np
import pytest

import fastnn
from fastnn.layers import Dense, Input

ROWS, INPUTS = 37, 6
NUMBERS = np.random.default_rng(0).integers(0, 7, size=(ROWS, INPUTS))
LABELS = np.random.default_rng(1).integers(3, size=ROWS)


@pytest.fixture
def fitted(network, backend, dtype):
    """Everything that a model makes of some x and y."""

    def outcome(x, y, loss="sparse_categorical_crossentropy", output="softmax", units=3, **fit):
        sizes = [INPUTS, 5, units]
        weights = naive.random_weights(sizes)
        model = network(sizes, ["tanh", output], weights, seed=0, loss=loss, backend=backend, dtype=dtype)
        history = model.fit(x, y, batch_size=8, epochs=2, verbose=0, **fit).history
        gradients = [layer["kernel"] for layer in model.gradients(x, y)]
        evaluated = np.array([*history["loss"], model.evaluate(x, y, verbose=0)])
        return [*model.get_weights(), model.predict(x), *gradients, evaluated]

    return outcome


def assert_same(actual, expected):
    for a, e in zip(actual, expected, strict=True):
        np.testing.assert_array_equal(a, e)


@pytest.mark.parametrize(
    "kind",
    ["bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"]
    + ["float16", "float32", "float64", ">f4", ">f8", ">i4"],
)
def test_x_of_any_real_dtype_is_taken_for_its_values(fitted, kind):
    x = (NUMBERS > 3 if kind == "bool" else NUMBERS).astype(kind)
    kept = x.copy()
    assert_same(fitted(x, LABELS), fitted(x.astype("float64"), LABELS))
    assert np.array_equal(x, kept)
    assert x.dtype == np.dtype(kind)


def wide(x):
    """x somewhere inside a larger array."""
    padded = np.full((2 * len(x) + 3, 3 * x.shape[1]), 99.0)
    padded[1:-2:2, 2::3] = x
    return padded[1:-2:2, 2::3]


def unaligned(x):
    buffer = np.empty(x.nbytes + 1, dtype="uint8")[1:]
    view = np.frombuffer(buffer.data, dtype=x.dtype).reshape(x.shape)
    view[...] = x
    return view


def read_only(x):
    x = x.copy()
    x.flags.writeable = False
    return x


ORDERS = {
    "C": np.ascontiguousarray,
    "Fortran": np.asfortranarray,
    "strided": wide,
    "reversed": lambda x: x[::-1, ::-1].copy()[::-1, ::-1],
    "unaligned": unaligned,
    "read-only": read_only,
    "masked": np.ma.array,
    "tuples": lambda x: [tuple(row) for row in x],
    "lists": lambda x: x.tolist(),
}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("kind", ["float32", "float64", "int16"])
def test_x_of_any_memory_order_is_taken_for_its_values(fitted, order, kind):
    x = NUMBERS.astype(kind)
    given = ORDERS[order](x)
    assert_same(fitted(given, LABELS), fitted(x.astype("float64"), LABELS))
    assert np.array_equal(given, x)


def test_one_row_of_all_columns_and_one_column_of_all_rows_have_no_stride_of_their_own(fitted):
    row = np.broadcast_to(NUMBERS[:1].astype("float64"), NUMBERS.shape)
    column = np.broadcast_to(NUMBERS[:, :1].astype("float64"), NUMBERS.shape)
    assert_same(fitted(row, LABELS), fitted(row.copy(), LABELS))
    assert_same(fitted(column, LABELS), fitted(column.copy(), LABELS))


@pytest.mark.parametrize("mode", ["r", "r+", "c"])
def test_x_may_be_a_memory_map(fitted, tmp_path, mode):
    np.save(tmp_path / "x.npy", NUMBERS.astype("float32"))
    mapped = np.load(tmp_path / "x.npy", mmap_mode=mode)
    assert isinstance(mapped, np.memmap)
    assert_same(fitted(mapped, LABELS), fitted(NUMBERS.astype("float32"), LABELS))


def test_x_and_y_may_be_pandas(fitted):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(NUMBERS.astype("float64"), columns=list("abcdef"), index=range(100, 100 + ROWS))
    frame["b"] = frame["b"].astype("int32")
    series = pandas.Series(LABELS, index=frame.index)
    expected = fitted(NUMBERS, LABELS)
    assert_same(fitted(frame, series), expected)
    assert_same(fitted(frame, series.to_frame()), expected)
    assert_same(fitted(frame.astype("Float64"), series.astype("Int64")), expected)


@pytest.mark.parametrize("kind", ["uint8", "int32", "int64", "float32", "float64"])
@pytest.mark.parametrize("shape", [(ROWS,), (ROWS, 1)])
def test_labels_of_any_dtype_flat_or_in_a_column(fitted, kind, shape):
    assert_same(fitted(NUMBERS, LABELS.astype(kind).reshape(shape)), fitted(NUMBERS, LABELS))


def test_labels_may_be_a_list_or_a_strided_view(fitted):
    expected = fitted(NUMBERS, LABELS)
    assert_same(fitted(NUMBERS, LABELS.tolist()), expected)
    assert_same(fitted(NUMBERS, np.repeat(LABELS, 2)[::2]), expected)
    assert_same(fitted(NUMBERS, LABELS[::-1].copy()[::-1]), expected)


@pytest.mark.parametrize("kind", ["bool", "int8", "float32", "float64"])
def test_one_hot_targets_mean_the_labels(fitted, kind):
    one_hot = np.eye(3)[LABELS].astype(kind)
    for given in (one_hot, np.asfortranarray(one_hot), one_hot.tolist()):
        outcome = fitted(NUMBERS, given, loss="categorical_crossentropy")
        for a, e in zip(outcome, fitted(NUMBERS, LABELS), strict=True):
            np.testing.assert_allclose(a, e, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("shape", [(ROWS,), (ROWS, 1)])
@pytest.mark.parametrize("kind", ["bool", "int64", "float32"])
def test_targets_of_one_output_may_be_flat_or_a_column(fitted, kind, shape):
    y = (LABELS > 0).astype(kind)
    for loss, output in (("binary_crossentropy", "sigmoid"), ("mse", "linear")):
        options = {"loss": loss, "output": output, "units": 1}
        expected = fitted(NUMBERS, y.astype("float64"), **options)
        assert_same(fitted(NUMBERS, y.reshape(shape), **options), expected)


def test_one_input_may_be_flat():
    model = fastnn.Sequential([Input(shape=(1,)), Dense(1)], seed=0)
    model.compile(loss="mse")
    x = np.arange(5.0)
    assert np.array_equal(model.predict(x), model.predict(x[:, None]))


def test_integers_beyond_float32_are_taken_for_their_values(network, backend):
    """Conversion goes to the dtype of the model, and through no smaller one."""
    x = np.array([[2**40 + 2**10], [-(2**40)]])
    identity = [np.ones((1, 1)), np.zeros(1)]
    model = network([1, 1], ["linear"], identity, backend=backend, dtype="float64")
    assert model.predict(x).tolist() == x.tolist()
    assert model.predict(np.array([[2**63]], dtype="uint64"))[0, 0] == 2.0**63


@pytest.mark.parametrize("given", ["sample_weight", "class_weight"])
def test_weights_of_ones_change_nothing(fitted, given):
    weight = np.ones(ROWS) if given == "sample_weight" else {0: 1, 1: 1.0, 2: 1}
    for a, e in zip(fitted(NUMBERS, LABELS, **{given: weight}), fitted(NUMBERS, LABELS), strict=True):
        np.testing.assert_allclose(a, e, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("kind", ["float32", "float64", "uint8", "float16"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_x_is_never_copied_whole(network, backend, kind, order):
    """Peak memory of fit, evaluate and predict stays far below the size of x."""
    x = np.zeros((200_000, 60), dtype=kind, order=order)
    y = np.zeros(len(x), dtype="int8")
    model = network([60, 2], ["softmax"], seed=0, loss="sparse_categorical_crossentropy", backend=backend)
    model.fit(x[:64], y[:64], verbose=0)
    tracemalloc.start()
    try:
        model.fit(x, y, batch_size=500, verbose=0)
        model.evaluate(x, y, batch_size=500, verbose=0)
        model.predict(x, batch_size=500)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 10_000_000 < x.nbytes
