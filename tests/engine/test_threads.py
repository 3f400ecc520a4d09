"""The same bits for any number of threads, and threads that start late and bother nobody."""

import concurrent.futures
import multiprocessing
import os
import subprocess
import sys
import threading

import naive
import numpy as np
import pytest

import fastnn
from fastnn import optimizers
from fastnn.engine import CostModel, Engine, ThreadPool, prepared
from fastnn.layers import Dense, Input
from fastnn.models.structure import layer_plans

# sizes, batch size, rows: little work, and enough that threads share a step in each of the ways there are
WORK = [
    ([2, 8, 1], 4, 50),
    ([30, 64, 64, 2], 512, 1500),
    ([784, 256, 10], 128, 300),
    ([33, 257, 257, 3], 100, 250),
    ([130, 96, 40, 3], 24, 100),
    ([7, 50, 50, 5], 1024, 2500),
    ([64, 100, 10], 200, 437),  # four chunks, and two of the last 37 rows
    ([7, 40, 3], 300, 601),  # and a single row
]


def trained(network, sizes, batch_size, rows, **options):
    """Bytes of all that training and predicting give."""
    loss = "mse" if sizes[-1] == 1 else "sparse_categorical_crossentropy"
    activations = ["tanh"] * (len(sizes) - 2) + ["linear" if sizes[-1] == 1 else "softmax"]
    x, y = naive.random_data(loss, rows, sizes[0], sizes[-1])
    model = network(sizes, activations, naive.random_weights(sizes), loss=loss, optimizer=optimizers.Adam(), **options)
    history = model.fit(x, y, batch_size=batch_size, epochs=2, verbose=0).history
    results = [*model.get_weights(), model.predict(x), *model.forward(x)]
    results += [layer["kernel"] for layer in model.gradients(x, y)]
    results += [np.array(history["loss"]), np.array(model.evaluate(x, y, verbose=0))]
    return [np.asarray(result).tobytes() for result in results]


@pytest.mark.parametrize(("sizes", "batch_size", "rows"), WORK)
def test_results_are_the_same_bits_for_any_number_of_threads(network, backend, dtype, sizes, batch_size, rows):
    one = trained(network, sizes, batch_size, rows, backend=backend, dtype=dtype, threads=1)
    for threads in (2,) if backend == "numpy" else (2, 3, 7, None):  # NumPy uses one
        assert trained(network, sizes, batch_size, rows, backend=backend, dtype=dtype, threads=threads) == one


@pytest.mark.parametrize("rows", [200, 300, 10_000])
def test_chunks_divide_evenly_among_two_threads_and_four(rows):
    plans, _ = layer_plans([Dense(64, activation="relu"), Dense(2)], 30)
    chunks = Engine(30, plans, "float32", "numpy", 1).costs.chunks(rows)
    assert chunks in (2, 4, 8, 16, 32, 64, 128)


# What a wide first layer's own way through a step has to agree on: its layer, and how it is trained.
OWN_WAYS = {
    "slopes of its own": ({"activation": "gelu"}, {}, {}),
    "no bias": ({"use_bias": False}, {}, {}),
    "penalties": ({"kernel_regularizer": "l1_l2"}, {}, {}),
    "frozen": ({"kernel_rate": 0, "bias_rate": 0.5}, {}, {}),
    "two slots, an average and decay": ({}, {"optimizer": optimizers.AdamW(0.01, use_ema=True)}, {}),
    "no slots, clipped": ({}, {"optimizer": optimizers.SGD(0.1, clipvalue=0.001)}, {}),
    "clipped by its norm": ({}, {"optimizer": optimizers.SGD(0.1, clipnorm=0.01)}, {}),
    "in order": ({}, {}, {"shuffle": False}),
    "weighted rows": ({}, {}, {"class_weight": {0: 1.0, 1: 2.0, 2: 0.5}}),
}


def fitted_first_layer(backend, dtype, threads, way, x, y):
    """The weights and losses of 135 inputs, 128 units and two more layers, and the engine that trained them."""
    layer, compiled, fitted = way
    layers = [Dense(**{"units": 128, "activation": "relu", **layer}), Dense(20, activation="tanh"), Dense(3, "softmax")]
    model = fastnn.Sequential([Input(shape=(135,)), *layers], seed=1)
    optimizer = compiled.get("optimizer", optimizers.SGD(0.1, momentum=0.9))
    model.compile(
        loss="sparse_categorical_crossentropy",
        optimizer=type(optimizer)(**optimizer.get_config()),
        backend=backend,
        dtype=dtype,
        threads=threads,
    )
    history = model.fit(x, y, **{"batch_size": 24, "epochs": 3, "verbose": 0, **fitted})
    return [w.tobytes() for w in model.get_weights()] + [np.array(history.history["loss"]).tobytes()], model._engine


@pytest.mark.parametrize("way", OWN_WAYS)
def test_a_first_layer_by_columns_gives_the_bits_of_one_by_rows(backend, dtype, way, monkeypatch):
    if backend == "numpy":
        pytest.skip("NumPy has one way")
    x, y = naive.random_data("sparse_categorical_crossentropy", 100, 135, 3)
    runs = {}
    monkeypatch.setattr("fastnn.engine.cost_model.processors", lambda: 4)
    for data in (x, x.astype("float32"), np.asfortranarray(x), (x * 8).astype("int32")):
        for threads in (1, 2, 4):
            runs[threads], engine = fitted_first_layer(backend, dtype, threads, OWN_WAYS[way], data, y)
            by_columns = threads > 1 and way != "clipped by its norm" and (threads == 2 or way != "penalties")
            assert engine.job.split.from_data == 1
            assert engine.job.split.by_columns == by_columns
        with monkeypatch.context() as patch:
            patch.setattr(CostModel, "takes_data", lambda *_: False)
            for threads in (1, 2):
                plain, engine = fitted_first_layer(backend, dtype, threads, OWN_WAYS[way], data, y)
                assert engine.job.split.from_data == 0
                assert plain == runs[1]
        assert runs[1] == runs[2] == runs[4]
    monkeypatch.setattr(
        "fastnn.engine.cost_model.processors", lambda: 3
    )  # a thread that waits for one would keep all waiting
    assert fitted_first_layer(backend, dtype, 4, OWN_WAYS[way], x, y)[1].job.split.by_columns == 0


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("units", [128, 300])  # rows of deltas near each other, and far apart
def test_a_first_layer_of_many_rows_gives_the_bits_of_one_that_gathers_them(
    backend, dtype, units, shuffle, guarded, monkeypatch
):
    if backend == "numpy":
        pytest.skip("NumPy has one way")
    x, y = naive.random_data("sparse_categorical_crossentropy", 160, 135, 3)
    x = guarded(x.astype(dtype))
    way = {"units": units}, {}, {"shuffle": shuffle, "batch_size": 60}
    runs = {threads: fitted_first_layer(backend, dtype, threads, way, x, y) for threads in (1, 2, 3)}
    assert all(engine.job.split.from_data for _, engine in runs.values())
    monkeypatch.setattr(CostModel, "takes_data", lambda *_: False)
    gathered, engine = fitted_first_layer(backend, dtype, 1, way, x, y)
    assert engine.job.split.from_data == 0
    assert [found for found, _ in runs.values()] == 3 * [gathered]


def test_results_are_the_same_bits_when_run_again(network, backend, dtype):
    first, second = (trained(network, *WORK[1], backend=backend, dtype=dtype, threads=2) for _ in range(2))
    assert first == second


def test_several_fits_at_once_do_not_disturb_each_other(network, backend):
    options = {"backend": backend, "threads": 2}
    alone = [trained(network, *work, **options) for work in WORK[:3]]
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        for _ in range(3):
            together = [pool.submit(trained, network, *work, **options) for work in WORK[:3]]
            assert [future.result() for future in together] == alone


def test_one_model_may_be_asked_by_several_threads_at_once(network, backend):
    sizes = [30, 64, 2]
    model = network(sizes, ["tanh", "linear"], naive.random_weights(sizes), backend=backend, threads=2)
    x, y = naive.random_data("mse", 300, 30, 2)
    alone = model.predict(x), model.gradients(x, y)[0]["kernel"], model.evaluate(x, y, verbose=0)

    def ask(_):
        return model.predict(x), model.gradients(x, y)[0]["kernel"], model.evaluate(x, y, verbose=0)

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for answers in pool.map(ask, range(40)):
            assert all(map(np.array_equal, answers, alone))


def run_python(code, **environment):
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, env={**os.environ, **environment}
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.split()


def test_import_starts_no_thread_and_compiles_nothing():
    code = """
import os, sys, threading
import numpy
os_threads = len(os.listdir("/proc/self/task")) if os.path.isdir("/proc/self/task") else 0
import fastnn
now = len(os.listdir("/proc/self/task")) if os.path.isdir("/proc/self/task") else 0
print(threading.active_count(), now - os_threads)
"""
    assert run_python(code) == ["1", "0"]


def test_floating_point_state_of_the_caller_is_left_alone(network, backend, dtype):
    """Kernels flush the smallest numbers to zero; NumPy's must be there afterwards."""
    smallest = np.array([1e-310]), np.array([1e-40], dtype="float32")
    trained(network, *WORK[1], backend=backend, dtype=dtype, threads=2)
    assert all((number / 2 > 0).all() for number in smallest)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this platform")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_training_works_in_a_forked_process_after_training_in_its_parent(network, backend):
    options = {"backend": backend, "threads": 2}
    here = trained(network, *WORK[1], **options)
    context = multiprocessing.get_context("fork")
    receive, send = context.Pipe(duplex=False)
    child = context.Process(target=lambda: send.send(trained(network, *WORK[1], **options)))
    child.start()
    send.close()
    assert receive.recv() == here
    child.join()
    assert child.exitcode == 0
    assert trained(network, *WORK[1], **options) == here


def fit_once(threads):
    import fastnn
    from fastnn.layers import Dense, Input

    model = fastnn.Sequential([Input(shape=(3,)), Dense(8, activation="tanh"), Dense(2)], seed=0)
    model.compile(loss="mse", threads=threads)
    model.fit(*naive.random_data("mse", 50, 3, 2), verbose=0)
    return [w.tobytes() for w in model.get_weights()]


@pytest.mark.parametrize("prefer", ["processes", "threads"])
def test_training_works_inside_joblib_workers(prefer):
    joblib = pytest.importorskip("joblib")
    results = joblib.Parallel(n_jobs=2, prefer=prefer)(joblib.delayed(fit_once)(2) for _ in range(2))
    assert results == 2 * [fit_once(1)]


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no CPU affinity on this platform")
def test_threads_chosen_for_us_stay_within_the_cpus_we_may_use():
    code = """
import os
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
from fastnn.engine import processors
print(processors())
"""
    assert run_python(code) == ["1"]


@pytest.mark.parametrize(("own", "openmp"), [("1", "64"), ("64", "1"), ("", "1"), ("1", "x")])
def test_each_of_the_variables_is_a_limit(own, openmp):
    code = "from fastnn.engine import processors; print(processors())"
    assert run_python(code, FASTNN_NUM_THREADS=own, OMP_NUM_THREADS=openmp) == ["1"]


def test_what_is_set_after_the_import_limits_children_alone():
    """Dask's LocalCluster leaves it behind in the process that starts its workers."""
    code = """
import os, subprocess, sys
import fastnn
os.sched_getaffinity = lambda _: range(4)
os.environ["OMP_NUM_THREADS"] = "1"
from fastnn.engine import thread_pool
thread_pool._quota = lambda: None
print(thread_pool.processors())
child = "from fastnn.engine import processors; print(processors())"
print(subprocess.run([sys.executable, "-c", child], capture_output=True, text=True).stdout)
os.environ["FASTNN_NUM_THREADS"] = "3"
print(thread_pool.processors())
"""
    assert run_python(code, OMP_NUM_THREADS="", FASTNN_NUM_THREADS="") == ["4", "1", "3"]


def test_no_ctrl_c_leaves_before_every_worker_has_come_home():
    """The first strikes in the caller's part, the others where it lets the workers out."""
    begun, out = threading.Barrier(3), threading.Event()
    left, aborts = [], []

    def part(number):
        begun.wait()
        if number == 0:
            raise KeyboardInterrupt
        out.wait()
        left.append(number)

    def abort():
        aborts.append(None)
        if len(aborts) < 4:
            raise KeyboardInterrupt
        out.set()

    try:
        with ThreadPool(3) as pool, pytest.raises(KeyboardInterrupt):
            pool.run(part, abort)
        assert sorted(left) == [1, 2]
    finally:
        out.set()


def test_an_error_of_a_worker_is_raised_and_the_pool_works_on():
    def part(number):
        if number == 1:
            raise ValueError("of the worker")

    with ThreadPool(3) as pool:
        with pytest.raises(ValueError, match="of the worker"):
            pool.run(part, lambda: None)
        done = []
        pool.run(done.append, lambda: None)
        assert sorted(done) == [0, 1, 2]


@pytest.mark.parametrize("rows", [37, 128])
@pytest.mark.parametrize("sizes", [[300, 128, 3], [300, 16, 100]])
def test_a_predictor_takes_threads_and_any_array(network, backend, sizes, rows, monkeypatch):
    """Two threads and one give the same bits; what is contiguous is read where it lies, all else is copied."""
    monkeypatch.setattr(prepared, "STREAK", 0)  # else the first calls are on one thread
    x, _ = naive.random_data("mse", rows, sizes[0], sizes[-1])
    x = x.astype("float32")
    weights, activations = naive.random_weights(sizes), ["tanh", "softmax"]
    one, two = (network(sizes, activations, weights, backend=backend, threads=threads) for threads in (1, 2))
    expected = one.predict(x).tobytes()
    predict = two.predictor(rows)
    apart = np.repeat(x, 2, axis=0)[::2]
    for given in (x, apart, np.asfortranarray(x), x.astype("float64"), x.tolist()):
        assert predict(given).tobytes() == expected
        assert two.predict(np.asarray(given)).tobytes() == expected
    first = predict(x)
    assert predict(np.zeros_like(x)).tobytes() != expected
    assert first.tobytes() == expected
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        assert {output.tobytes() for output in pool.map(two.predict, [x] * 20)} == {expected}


@pytest.mark.parametrize(("units", "activation"), [(10, "softmax"), (48, "tanh"), (2, "linear"), (1, "sigmoid")])
def test_few_rows_by_large_layers_are_the_same_bits_on_any_threads(
    network, backend, dtype, units, activation, monkeypatch
):
    """Each thread has some units of every layer then; more rows than 32 are divided among them."""
    monkeypatch.setattr(prepared, "STREAK", 0)
    sizes = [700, 820, 50, units]
    x, _ = naive.random_data("mse", 33, sizes[0], sizes[-1])
    weights = naive.random_weights(sizes)
    models = [
        network(sizes, ["tanh", "relu", activation], weights, backend=backend, dtype=dtype, threads=threads)
        for threads in (1, 2, 3)
    ]
    expected = models[0].predict(x)
    for rows in (1, 5, 32):
        found = [model.predictor(rows)(x[:rows]) for model in models]
        assert np.abs(found[0] - expected[:rows]).max() < 1e-5
        for other in found[1:]:
            assert other.tobytes() == found[0].tobytes()


@pytest.mark.parametrize("threads", [1, 2])
def test_few_rows_by_more_weights_than_caches_hold_are_predicted_as_many(network, backend, threads):
    """The weights are read a few of their rows at a time then, the last ones alone."""
    sizes = [203, 2050, 2050, 3]
    x, _ = naive.random_data("mse", 40, sizes[0], sizes[-1])
    model = network(sizes, ["tanh", "relu", "softmax"], naive.random_weights(sizes), backend=backend, threads=threads)
    expected = model.predict(x)
    for rows in (1, 2, 7, 8, 31):
        assert np.abs(model.predict(x[:rows]) - expected[:rows]).max() < 1e-5
