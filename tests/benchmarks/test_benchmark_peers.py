"""Benchmarks compare like with like: who is timed predicts the same, and what is told of it is right."""

import importlib
import importlib.util
import inspect
import multiprocessing
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
ORDER = ["fastnn cython", "PyTorch", "ONNX Runtime"]


@pytest.fixture
def benchmark_module(monkeypatch):
    monkeypatch.syspath_prepend(ROOT)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return lambda name: importlib.import_module(f"benchmarks.{name}")


@pytest.mark.parametrize("peer", ORDER)
@pytest.mark.parametrize("sizes", [(3, 5, 4), (3, 9, 8, 1)])
@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_everyone_predicts_what_numpy_does(benchmark_module, extension, peer, sizes, activation, dtype):
    predict, cases = benchmark_module("predict"), benchmark_module("cases")
    for package in predict.NEEDS[peer]:
        pytest.importorskip(package)
    case = cases.Case(sizes, 7, activation, dtype=dtype)
    x, weights = predict.prepared(case)
    expected = x[:7]
    for number, (w, b) in enumerate(weights, 1):
        expected = expected @ w + b
        if number < len(weights):
            expected = np.tanh(expected) if activation == "tanh" else np.maximum(expected, 0)
    if case.classes:
        expected = np.exp(expected) / np.exp(expected).sum(axis=1, keepdims=True)
    made = predict.PEERS[peer](case)
    for method, rows in (("batch", 7), ("one", 1)):
        answer = getattr(made, method)()
        answer = np.asarray(answer[0] if isinstance(answer, list) else answer)
        assert answer.dtype == dtype
        np.testing.assert_allclose(answer, expected[:rows], rtol=1e-4, atol=1e-6)


def weights_of(peer):
    """Matrices (inputs, units) of a peer of benchmarks/peers.py."""
    if hasattr(peer, "w"):
        return peer.w
    if hasattr(peer, "model"):
        return peer.model.get_weights()[::2]
    if isinstance(peer.parameters[0], tuple):
        return [w for w, _ in peer.parameters]
    return [w.numpy().T for w in peer.parameters[::2]]


@pytest.mark.filterwarnings("default")  # theirs are theirs
@pytest.mark.parametrize("peer", ["PyTorch compiled", "PyTorch compiled x10", "JAX", "Keras x10"])
@pytest.mark.parametrize(("sizes", "optimizer"), [((3, 5, 4), "sgd"), ((3, 9, 8, 1), "adam")])
def test_everyone_takes_the_steps_that_numpy_does(benchmark_module, monkeypatch, peer, sizes, optimizer):
    peers, cases = benchmark_module("peers"), benchmark_module("cases")
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    for package in peers.NEEDS[peer]:
        pytest.importorskip(package)
    monkeypatch.delenv("OMP_NUM_THREADS")  # else what is left of this process has one processor
    monkeypatch.setattr(cases.Case, "steps", 20)
    monkeypatch.setattr(cases.Case, "epochs", 1)
    case = cases.Case(sizes, 7, optimizer=optimizer)
    numpy, other = peers.NumPy(case), peers.PEERS[peer](case)
    before = [w.copy() for w in numpy.w]
    if hasattr(other, "model"):
        first = [array.copy() for pair in zip(numpy.w, numpy.b, strict=True) for array in pair]  # JAX takes no copy
        other.model.set_weights(first)
    numpy.training()
    other.training()
    assert other.steps["training"] == 20
    for w, expected, first in zip(weights_of(other), numpy.w, before, strict=True):
        np.testing.assert_allclose(w - first, expected - first, atol=5e-5)  # their epsilons stand elsewhere
        assert np.abs(expected - first).max() > 5e-3


def test_advantage_of_each_of_ours_is_over_the_best_peer(benchmark_module):
    times = {"fastnn cython": {"1": 4.0, "2": 2.0}, "PyTorch": {"1": 3.0, "2": 6.0}, "ONNX Runtime": {"2": 5.0}}
    assert benchmark_module("report").advantages(times) == {"fastnn cython": 1.5}
    assert benchmark_module("report").advantages({"fastnn cython": {"1": 4.0}}) == {}


def test_table_marks_where_a_peer_is_faster(benchmark_module):
    report = benchmark_module("report")
    times = {"fastnn cython": {"1": 4.0}, "PyTorch": {"1": 3.0}}
    row = report.row("2-8-1 b4", 448, times)
    lines = [report.comparison([made]).splitlines()[-2] for made in (row, {**row, "medians": times})]
    assert lines == ["| 2-8-1 b4 | 4.00 | 3.00 | **0.75** |", "| 2-8-1 b4 | 4.00 (4.00) | 3.00 (3.00) | **0.75** |"]


def test_a_clock_gives_seconds_of_a_call(benchmark_module):
    """By a timer that only the work moves, by a millisecond a call."""
    pytest.importorskip("pytest_benchmark")
    now, calls = [0.0], [0]

    def work():
        now[0] += 1e-3
        calls[0] += 1

    def timer():
        now[0] += 1e-9  # pytest-benchmark wants to know how fine it is
        return now[0]

    clock = benchmark_module("timing").Clock(work, block=0.05, timer=timer)
    calls[0] = 0
    stats = clock.turn(0.2)
    assert (stats.min, stats.median) == pytest.approx((1e-3, 1e-3), rel=1e-4)
    assert stats.rounds == 4
    assert calls[0] >= 200  # and one more, for what it returns


def test_functions_take_turns(benchmark_module):
    pytest.importorskip("pytest_benchmark")
    order = []
    functions = {name: lambda name=name: order.append(name) for name in ("one", "two")}
    found = benchmark_module("timing").by_turns(functions, 3, 0.001)
    assert {name: len(turns) for name, turns in found.items()} == {"one": 3, "two": 3}
    changes = [b for a, b in pairwise(order) if a != b]
    assert changes == ["two", "one", "two", "one", "two", "one", "two"]  # made first, then three turns each


def test_a_worker_answers_with_a_time_or_with_why_not(benchmark_module):
    pytest.importorskip("pytest_benchmark")
    timing = benchmark_module("timing")
    with timing.Worker("strings", str.encode, 1) as worker:
        assert worker.ask(("a",), "upper", 0.001).least > 0
        assert worker.ask(("a",), "missing", 0.001).startswith("AttributeError")
        assert worker.ask((1,), "upper", 0.001).startswith("TypeError")
        question = timing.Question
        least, middle, missing = timing.in_turn(
            [worker], ("a",), [question("one", "strings", "upper"), question("two", "strings", "no")], 2, 0.001
        )
    assert list(least) == list(middle) == ["one"]
    assert least["one"]["1"] <= middle["one"]["1"]
    assert "no" in missing["two"]
    assert worker.ask(("a",), "upper", 0.001) == "strings ended with code 0"


def test_a_worker_imports_fastnn_from_another_checkout(benchmark_module, tmp_path):
    for folder, text in (("fastnn", "from .kernels import Sequential"), ("kernels", "Sequential = None")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "__init__.py").write_text(text)
    peers, case = benchmark_module("peers"), benchmark_module("cases").Case((2, 3, 1), 4)
    with benchmark_module("timing").Worker("other", peers.Fastnn, 1, str(tmp_path)) as worker:
        answer = worker.ask((case, "numpy"), "moment", 0.001)
    assert answer == f"ModuleNotFoundError: No module named 'fastnn.optimizers' in {tmp_path}"  # there is none there


def test_old_and_new_are_compared_turn_by_turn(benchmark_module):
    versus, timing = benchmark_module("versus"), benchmark_module("timing")
    old = [timing.Timing(time, time, time) for time in (1.0, 4.0, 2.0)]  # company on the machine in the second turn
    new = [timing.Timing(time, time, time) for time in (1.1, 4.4, 2.0)]
    pair = versus.Pair(old, new)
    assert (pair.ratio, pair.ratio_of_minima) == pytest.approx((1.1, 1.1))
    case = benchmark_module("cases").Case((2, 3, 1), 4)
    lines = versus.table({(case, "numba", "1"): pair, (case, "cython", "1"): versus.Pair(old, old)}).splitlines()
    assert lines[2] == "| 2-3-1 b4 | numba | 1 | 1,000,000 | 1,100,000 | 1.100 | 1.100 |"
    assert lines[-3] == "| geometric mean | all |  |  |  | **1.049** | **1.049** |"
    assert lines[-1].endswith("2-3-1 b4 numba T = 1 (1.100, 1.100)")


def test_single_calls_are_made_and_set_beside_those_of_another_checkout(benchmark_module):
    calls, timing = benchmark_module("calls"), benchmark_module("timing")
    made = calls.Calls("numpy")
    for call in calls.CALLS:
        getattr(made, call)()
    assert made.model.optimizer.iterations == 2  # of train_on_batch and fit
    one, two = ([timing.Timing(time, time, time)] for time in (1e-6, 2e-6))
    found = {("fit", "numba"): benchmark_module("versus").Pair(two, one)}
    assert calls.table(found, beside=True).splitlines()[2] == "| fit, one step | numba | 2.00 | 1.00 | 0.500 | 0.500 |"
    assert calls.table(found, beside=False).splitlines()[2] == "| fit, one step | numba | 1.00 |"


def test_odd_cases_have_names_of_their_own(benchmark_module):
    cases = benchmark_module("cases")
    names = [case.name for case in cases.ODD]
    assert len(set(names)) == len(names)
    whole = cases.Whole((3, 2), 50)
    assert len(whole.data()[0]) == 50


def test_every_benchmark_is_there_and_every_option_is_explained(benchmark_module):
    """A benchmark whose packages are missing is not looked at."""
    runner = benchmark_module("__main__")
    for name, (module, _) in runner.BENCHMARKS.items():
        if module in ("estimators", "tables") and not importlib.util.find_spec("sklearn"):
            continue
        function = getattr(benchmark_module(module), name)
        given = ["folder"] if name == "versus" else []
        assert set(runner.arguments(name, function, given)) == set(inspect.signature(function).parameters)


def test_the_runner_parses_what_a_benchmark_takes(benchmark_module, capsys):
    runner = benchmark_module("__main__")
    train = benchmark_module("train").train
    found = runner.arguments("train", train, ["--short", "--peers", "NumPy,JAX", "--rounds", "2"])
    assert found == {"cases": "*", "peers": ("NumPy", "JAX"), "rounds": 2, "seconds": 0.6, "short": True}
    assert runner.main(["nothing"]) == 2
    assert runner.main(["--help"]) == 0
    assert "  train  " in capsys.readouterr().out


def take_steps(rank, ranks, meeting, pipe):
    """A rank of PyTorch's, in a process of its own: the weights after some steps."""
    from benchmarks import cases
    from benchmarks import ranks as sides

    peer = sides.Ddp(cases.Case((6, 8, 3), 12), rank, ranks, str(meeting), **sides.BEST)
    peer.take(5)
    assert peer.agree(10 + rank) == 10
    pipe.send(peer.weights())
    peer.close()


def test_ranks_take_the_steps_that_one_process_does(benchmark_module, tmp_path):
    pytest.importorskip("torch")
    context, found = multiprocessing.get_context("spawn"), {}
    for ranks in (1, 2):
        pipes, processes = [], []
        for rank in range(ranks):
            here, there = context.Pipe()
            processes.append(context.Process(target=take_steps, args=(rank, ranks, tmp_path / "meeting", there)))
            processes[-1].start()
            there.close()  # so that a rank that fails ends the wait for it
            pipes.append(here)
        found[ranks] = [pipe.recv() for pipe in pipes]
        for process in processes:
            process.join()
            assert process.exitcode == 0
    (alone,), several = found[1], found[2]
    for weights in several:
        for w, expected in zip(weights, alone, strict=True):
            np.testing.assert_allclose(w, expected, atol=1e-6)
