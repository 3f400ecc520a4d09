"""What is made of benchmark results, on made-up ones: tables, a picture, a comparison, models of threads and ranks."""

import copy
import importlib
from pathlib import Path

import numpy as np
import pytest

import fastnn
from fastnn.layers import Dense, Input

ROOT = Path(__file__).resolve().parent.parent.parent

TIMES = {
    "2-8-1 b4": (448, {"fastnn numba": {"1": 0.25, "2": 0.3}, "fastnn cython": {"1": 0.2}, "JAX": {"2": 2.0}}),
    "784-128-10 b128": (
        52_000_000,
        {"fastnn numba": {"1": 400.0, "2": 200.0}, "NumPy": {"2": 440.4}, "JAX": {"2": 1350.0}},
    ),
}


@pytest.fixture
def benchmark_module(monkeypatch):
    monkeypatch.syspath_prepend(ROOT)
    return lambda name: importlib.import_module(f"benchmarks.{name}")


@pytest.fixture
def made_up(benchmark_module):
    """A results file's content."""
    row = benchmark_module("report").row
    machine = {
        "cpu": "Made-up",
        "cores": 2,
        "isa": "v4",
        "python": "3.11.0",
        "packages": {"numpy": "2.4.6"},
        "fma_gflops": 200.0,
        "blas_gflops": 400.0,
    }
    return {"machine": machine, "measured": "2026-01-31", "cases": [row(name, *rest) for name, rest in TIMES.items()]}


def scaled(found, case, peer, factor):
    changed = copy.deepcopy(found)
    for row in changed["cases"]:
        if row["case"] == case:
            row["microseconds"][peer] = {t: time * factor for t, time in row["microseconds"][peer].items()}
    return changed


def test_table_has_each_peer_at_its_better_number_of_threads(benchmark_module, made_up):
    lines = benchmark_module("report").table(made_up).splitlines()
    assert "2 cores of Made-up" in lines[0]
    assert "200 GFLOP/s" in lines[0]
    assert "numpy 2.4.6" in lines[0]
    assert lines[2:] == [
        "| network, batch | fastnn numba | fastnn cython | JAX | NumPy | best peer / fastnn | GFLOP/s |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
        "| 2-8-1 b4 | 0.25 | 0.20 | 2.00 | - | **8.00** | 2.24 |",
        "| 784-128-10 b128 | 200 | - | 1,350 | 440 | **2.20** | 260 |",
        "| geometric mean |  |  |  |  | **4.20** |  |",
    ]


def test_results_survive_the_file(benchmark_module, made_up, tmp_path):
    report = benchmark_module("report")
    report.save(made_up, tmp_path / "folder" / "results.json")
    assert report.load(tmp_path / "folder" / "results.json") == made_up


def test_report_replaces_what_stands_between_the_marks(benchmark_module):
    between = benchmark_module("report").between
    once = between("before <a>\nold\n</a> after", r"new \1", "<a>", "</a>")
    assert once == "before <a>\nnew \\1\n</a> after"
    assert between(once, r"new \1", "<a>", "</a>") == once
    with pytest.raises(ValueError, match="0 times"):
        between("no marks", "new", "<a>", "</a>")


def test_the_documents_show_the_kept_results(benchmark_module):
    report = benchmark_module("report")
    kept = report.all_kept()
    assert kept
    for page, inside in (("README.md", report.summary(kept[0])), ("docs/benchmarks.md", report.section(kept))):
        text = (ROOT / page).read_text(encoding="utf-8")
        assert report.between(text, inside, report.START, report.END) == text


def test_the_summary_has_the_networks_that_are_shown_and_their_mean_over_all(benchmark_module, made_up):
    report = benchmark_module("report")
    lines = report.summary(made_up).splitlines()
    assert "geometric mean of the last column is 4.20." in lines[0]
    assert lines[-1] == "| 784-128-10 b128 | 200 | 440 | 1,350 | **2.20** |"
    assert not any("2-8-1 b4" in line for line in lines)


def test_picture_is_drawn(benchmark_module, made_up, tmp_path):
    pytest.importorskip("matplotlib")
    for draw in (benchmark_module("report").picture, benchmark_module("report").speed_picture):
        draw(made_up, tmp_path / f"{draw.__name__}.png")
        assert (tmp_path / f"{draw.__name__}.png").read_bytes().startswith(b"\x89PNG")


def test_comparison_names_what_became_slower_by_more_than_a_tenth(benchmark_module, made_up):
    slower = benchmark_module("report").slower
    assert slower(made_up, made_up) == []
    assert slower(made_up, scaled(made_up, "784-128-10 b128", "fastnn numba", 1.09)) == []
    [(case, peer, ratio)] = slower(made_up, scaled(made_up, "784-128-10 b128", "fastnn numba", 1.2))
    assert (case, peer, round(ratio, 6)) == ("784-128-10 b128", "fastnn numba", 1.2)


def test_comparison_is_of_fastnn_alone_and_of_what_both_have(benchmark_module, made_up):
    report = benchmark_module("report")
    assert report.slower(made_up, scaled(made_up, "2-8-1 b4", "JAX", 5)) == []
    kept = copy.deepcopy(made_up)
    del kept["cases"][0]
    assert [case for case, _, _ in report.changes(kept, made_up)] == ["784-128-10 b128"]


def test_what_seemed_slower_counts_by_its_better_run(benchmark_module, made_up):
    report = benchmark_module("report")
    first = scaled(made_up, "2-8-1 b4", "fastnn numba", 2)
    again = {**made_up, "cases": made_up["cases"][:1]}
    assert report.quicker(first, again) == made_up


def test_another_machine_is_told_apart(benchmark_module, made_up):
    other = {**made_up, "machine": {**made_up["machine"], "cores": 4}}
    different = benchmark_module("report").other_machine
    assert different(made_up, made_up) == ""
    assert different(made_up, other) == "cores 2 is now 4"


def test_cases_are_chosen_by_pattern_and_have_names_of_their_own(benchmark_module):
    cases = benchmark_module("cases")
    names = [case.name for case in cases.CASES]
    assert len(set(names)) == len(names)
    assert [case.name for case in cases.chosen("784-128-10 b32, 2-8-1 b*")] == ["784-128-10 b32", *names[:2]]
    assert cases.chosen("5-4-1 b7 tanh float64") == [cases.Case((5, 4, 1), 7, "tanh", dtype="float64")]
    for wrong in ("5-4-1", "5-4-1 b7 relu6", "5 b7", "b7"):
        with pytest.raises(SystemExit, match="matches none"):
            cases.chosen(wrong)
    assert cases.Case((3, 5, 2), 4).flops == 2 * 4 * (2 * 3 * 5 + 3 * 5 * 2)


def work(model, **changes):
    sizes = {"parameter_bytes": 400_000, "transposed_bytes": 0, "delta_bytes": 64_000, "input_bytes": 512_000}
    return model.Work(**{"seconds": 4e-4, "batch": 128, "chunks": 0, "tile_rows": 8, **sizes, **changes})


def test_model_of_threads(benchmark_module):
    model = benchmark_module("scaling_model")
    free = model.Machine({2: 0.0}, float("inf"))
    assert model.speed_up(work(model), free, 1) == 1
    assert model.speed_up(work(model), free, 16) == pytest.approx(16)
    assert model.speed_up(work(model), free, 64) == pytest.approx(16)  # 16 tiles of rows
    assert model.limit(work(model), free, 64) == "split"
    assert model.speed_up(work(model, chunks=4), free, 3) == pytest.approx(2)  # 4 chunks, 2 to a thread
    assert model.limit(work(model), model.Machine({2: 1e-3}, float("inf")), 2) == "barrier"
    assert model.limit(work(model), model.Machine({2: 0.0}, 1e6), 2) == "exchange"


def test_model_counts_what_others_wrote(benchmark_module):
    model = benchmark_module("scaling_model")
    assert work(model).exchanged(2) == 0.5 * (400_000 + 64_000 + 512_000 / 2)
    assert work(model, chunks=4).exchanged(4) == 0.75 * 400_000 + 3 / 4 * 400_000
    assert model.Machine({2: 1e-7, 4: 3e-7}, 1.0).barrier(8) == pytest.approx(6e-7)


def test_model_leaves_a_first_layer_by_columns_where_it_is(benchmark_module):
    model = benchmark_module("scaling_model")
    first = {"first_bytes": 300_000, "first_input_bytes": 400_000, "first_output_bytes": 64_000}
    shared = work(model, by_columns=frozenset([2]), **first)
    assert shared.exchanged(2) == 0.5 * (100_000 + 64_000 + (112_000 + 64_000) / 2)
    assert shared.exchanged(4) == work(model).exchanged(4)
    assert [shared.barriers(threads) for threads in (2, 4)] == [3, 2]


def test_model_knows_who_shares_columns_out(benchmark_module):
    model = fastnn.Sequential([Input(shape=(784,)), Dense(128, activation="relu"), Dense(10)])
    model.compile(loss="mse", threads=1)
    model.fit(np.zeros((64, 784)), np.zeros((64, 10)), batch_size=32, verbose=0)
    found = benchmark_module("internals").work_of(model, 32, 1e-4)
    assert {2, 4, 8} <= found.by_columns
    assert not {3, 16, 64} & found.by_columns


def rank_costs(model, **changes):
    by_ranks = {count: 1e-3 / count for count in (1, *model.RANKS)}
    given = {"alone": by_ranks, "shared": by_ranks, "whole": dict.fromkeys((1, 2, 4, 8), 1e-3), "meeting": 0.0}
    return model.Costs(**{**given, "gradient": 4_096, "saved": 8_192, **changes})


def test_model_of_ranks(benchmark_module):
    model = benchmark_module("rank_model")
    free, costs = model.Handling(0.0, 0.0), rank_costs(model)
    near, far = model.Network(0.0, float("inf")), model.Network(5e-4, float("inf"))
    for step in (model.strong, model.weak):
        assert model.speed_ups(costs, step(costs, near, free)) == pytest.approx({count: count for count in model.RANKS})
    assert model.best(model.speed_ups(costs, model.strong(costs, near, free))) == (256, pytest.approx(256))
    assert model.best(model.speed_ups(costs, model.strong(costs, far, free))) == (1, 1.0)
    assert model.strong(costs, far, free)(4) == pytest.approx(1e-3 / 4 + 2 * 5e-4)
    assert model.weak(costs, far, free)(4) == pytest.approx((1e-3 + 2 * 5e-4) / 4)
    assert model.seldom(costs, far, free, 10)(4) == pytest.approx(1e-3 / 4 + 2 * 5e-5)
    few = rank_costs(model, shared={2: 5e-4})
    assert set(model.speed_ups(few, model.strong(few, near, free))) == {2}  # a batch that more do not divide


def test_model_counts_the_messages_of_ranks(benchmark_module):
    model = benchmark_module("rank_model")
    assert model.traffic(8, 1_000) == (3, 3_000, 3_000)
    assert model.traffic(8, 8_000_000) == (9, 14_000_000, 7_000_000)
    assert [model.parts_of(count) for count in (1, 2, 8, 256)] == [8, 4, 1, 1]


def test_a_network_and_a_ranks_own_costs_follow_from_the_seconds_of_sums(benchmark_module):
    model = benchmark_module("rank_model")
    sizes, handling = (4_096, 65_536, 2**24), model.Handling(3e-6, 2e-10)
    network = model.Network(2e-5, 1.25e9)
    quiet = model.Network(0.0, float("inf"))
    own = model.handled({size: model.exchange(2, size, quiet, handling) for size in sizes})
    assert (own.message, own.byte) == pytest.approx((3e-6, 2e-10))
    found = model.fitted({size: model.exchange(2, size, network, handling) for size in sizes}, handling)
    assert (found.latency, found.bandwidth) == pytest.approx((2e-5, 1.25e9))
    assert benchmark_module("plan").between({100: 1.0, 200: 2.0, 400: 3.0}, 300) == 2.5
