"""Benchmarks compare like with like: who is timed predicts the same, and what is told of it is right."""

import importlib
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"
ORDER = ["fastnn cython", "PyTorch", "ONNX Runtime"]


@pytest.fixture
def benchmark_module(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return importlib.import_module


@pytest.mark.parametrize("peer", ORDER)
@pytest.mark.parametrize("sizes", [(3, 5, 4), (3, 9, 8, 1)])
@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_everyone_predicts_what_numpy_does(benchmark_module, extension, peer, sizes, activation, dtype):
    inference, cases = benchmark_module("inference"), benchmark_module("cases")
    make, needed = inference.PEERS[peer]
    for package in needed:
        pytest.importorskip(package)
    case = cases.Case(sizes, 7, activation, dtype=dtype)
    x, weights = inference.prepared(case)
    expected = x[:7]
    for number, (w, b) in enumerate(weights, 1):
        expected = expected @ w + b
        if number < len(weights):
            expected = np.tanh(expected) if activation == "tanh" else np.maximum(expected, 0)
    if case.classes:
        expected = np.exp(expected) / np.exp(expected).sum(axis=1, keepdims=True)
    made = make(case)
    for method, rows in (("batch", 7), ("one", 1)):
        answer = getattr(made, method)()
        answer = np.asarray(answer[0] if isinstance(answer, list) else answer)
        assert answer.dtype == dtype
        np.testing.assert_allclose(answer, expected[:rows], rtol=1e-4, atol=1e-6)


def test_advantage_of_each_of_ours_is_over_the_best_peer(benchmark_module):
    times = {"fastnn cython": {"1": 4.0, "2": 2.0}, "PyTorch": {"1": 3.0, "2": 6.0}, "ONNX Runtime": {"2": 5.0}}
    assert benchmark_module("inference").advantages(times) == {"fastnn cython": 1.5}
    assert benchmark_module("inference").advantages({"fastnn cython": {"1": 4.0}}) == {}


def test_table_marks_where_a_peer_is_faster(benchmark_module):
    inference, results = benchmark_module("inference"), benchmark_module("results")
    times = {"fastnn cython": {"1": 4.0}, "PyTorch": {"1": 3.0}}
    rows = [{**results.row("2-8-1 b4", 448, times), "medians": times}]
    last = inference.table({"batch": rows}, "batch").splitlines()[-2]
    assert last == "| 2-8-1 b4 | 4.00 (4.00) | 3.00 (3.00) | **0.75** |"


def test_timing_counts_calls_and_steps(benchmark_module, monkeypatch):
    """On a clock that only the work moves, by a millisecond a call."""
    interleaved = benchmark_module("interleaved")
    now = [0.0]
    monkeypatch.setattr(interleaved.time, "perf_counter", lambda: now[0])

    def work():
        now[0] += 1e-3

    assert interleaved.timed(work, 0.1) == pytest.approx((1e-3, 1e-3))
    assert interleaved.timed(work, 0.1, steps=10) == pytest.approx((1e-4, 1e-4))


def test_a_worker_answers_with_a_time_or_with_why_not(benchmark_module):
    interleaved = benchmark_module("interleaved")
    with interleaved.Worker("strings", str.encode, 1) as worker:
        assert worker.ask(("a",), "upper", 0.001).least > 0
        assert worker.ask(("a",), "missing", 0.001).startswith("AttributeError")
        question = interleaved.Question
        least, middle, missing = interleaved.in_turn(
            [worker], ("a",), [question("one", "strings", "upper"), question("two", "strings", "no")], 2, 0.001
        )
    assert list(least) == list(middle) == ["one"]
    assert least["one"]["1"] <= middle["one"]["1"]
    assert "no" in missing["two"]


def test_odd_cases_have_names_of_their_own(benchmark_module):
    odd = benchmark_module("odd")
    names = [case.name for case in odd.CASES]
    assert len(set(names)) == len(names)
    whole = odd.Whole((3, 2), 50)
    assert len(whole.data()[0]) == 50
