"""One fit on several ranks: the same bits for any number of them, and an end for all where one fails."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from mpi import mpiexec, needs_mpi

from fastnn.kernels.machine import instruction_set

pytestmark = needs_mpi


def scenes(count, folder, *names, **variables):
    """What scenes ended with on each rank."""
    mpiexec(count, "rank_scenes.py", folder, *names, **variables)
    return [json.loads((folder / f"{rank}.json").read_text()) for rank in range(count)]


def put_table(folder):
    """A table of row groups of several sizes."""
    pa, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    from rank_scenes_data import rows

    x, y = rows()
    table = pa.table({**{f"x{column}": x[:, column] for column in range(x.shape[1])}, "y": y})
    (folder / "table").mkdir()
    parquet.write_table(table[:150], folder / "table" / "a.parquet", row_group_size=60)
    parquet.write_table(table[150:], folder / "table" / "b.parquet", row_group_size=30)


@pytest.fixture(scope="module")
def one_rank(tmp_path_factory):
    """What all scenes end with on one rank, with one thread."""
    folder = tmp_path_factory.mktemp("one")
    put_table(folder)
    (ended,) = scenes(1, folder)
    return ended


def test_threads_of_one_rank_do_not_matter(one_rank):
    names = {name.rpartition(",")[0] for name in one_rank}
    assert len(names) > 20
    assert {name: one_rank[f"{name}, 2"] for name in names} == {name: one_rank[f"{name}, 1"] for name in names}


@pytest.mark.parametrize("count", [2, 4])
def test_weights_history_and_predictions_are_the_same_on_any_number_of_ranks(one_rank, count, tmp_path):
    put_table(tmp_path)
    for ended in scenes(count, tmp_path):
        assert ended.keys() == one_rank.keys()
        for name, facts in ended.items():
            assert facts == one_rank[name], f"{name} threads, on {count} ranks"


def test_eight_ranks_have_a_part_each(one_rank, tmp_path):
    for ended in scenes(8, tmp_path, "batches normalised", "dropout", "few rows"):
        assert ended == {name: one_rank[name] for name in ended}


@pytest.mark.parametrize("counts", [(4, 2), (2, 1)])
def test_a_fit_that_was_interrupted_goes_on_on_fewer_ranks(one_rank, counts, tmp_path):
    """Ctrl-C came to the last rank in the midst of an epoch: all have ended after the same step."""
    put_table(tmp_path)
    names = ["resumed", "table resumed"]
    stopped = scenes(counts[0], tmp_path, *names, INTERRUPT="1")
    assert all(facts["interrupted"] and facts["iterations"] == 6 for ended in stopped for facts in ended.values())
    for ended in scenes(counts[1], tmp_path, *names):
        assert ended == {name: one_rank[name] for name in ended}


def test_a_distribution_takes_the_steps_that_one_process_takes(tmp_path):
    alone, together = (scenes(count, tmp_path, name) for count, name in ((1, "alone"), (2, "together")))
    for threads in (1, 2):
        ours, theirs = together[1][f"together, {threads}"], alone[0][f"alone, {threads}"]
        np.testing.assert_allclose(ours["values"], theirs["values"], rtol=2e-5, atol=2e-7)
        for name, values in theirs["history"].items():
            numbers = [[float.fromhex(value) for value in some] for some in (ours["history"][name], values)]
            np.testing.assert_allclose(*numbers, rtol=1e-6)


@pytest.mark.parametrize("count", [2, 3])
def test_ranks_agree_where_their_number_matters(count, tmp_path):
    """Weights that are averaged now and then, and sums in any order: the same on all ranks, and a fit that learns."""
    names = ["any order", "averaged", "averaged with momentum", "averaged shards"]
    first, *others = scenes(count, tmp_path, *names)
    assert others == [first] * (count - 1)
    for name in names:
        assert first[f"{name}, 1"] == first[f"{name}, 2"]
        losses = [float.fromhex(loss) for loss in first[f"{name}, 1"]["history"]["loss"]]
        assert losses[-1] < losses[0]


def test_the_example_of_the_page_runs(tmp_path):
    page = Path(__file__).parents[2] / "docs" / "distributed.md"
    if not page.exists():
        pytest.skip("an sdist has no docs")
    pytest.importorskip("sklearn")
    example = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)[0]
    ended = mpiexec(2, "run_code.py", f"import os; os.chdir({str(tmp_path)!r})\n{example}")
    assert len(re.findall(r"^Epoch 20/20 ", ended.stdout, re.MULTILINE)) == 1  # the first rank alone prints
    assert float(re.findall(r"val_accuracy: ([\d.]+)", ended.stdout)[-1]) > 0.85
    assert [path.name for path in tmp_path.iterdir()] == ["digits.fastnn"]


def test_ranks_that_meet_now_and_then_go_on_where_they_last_met(tmp_path):
    """To the same bits, and losses but for rounding: these are sums over ranks."""
    (tmp_path / "whole").mkdir()
    name = "averaged resumed"
    want = scenes(2, tmp_path / "whole", name)
    stopped = scenes(2, tmp_path, name, INTERRUPT="1")
    assert all(facts["interrupted"] for ended in stopped for facts in ended.values())
    for ours, theirs in zip(scenes(2, tmp_path, name), want, strict=True):
        for scene, facts in ours.items():
            assert facts["weights"] == theirs[scene]["weights"]
            losses = [[float.fromhex(v) for v in each[scene]["history"]["loss"]] for each in (ours, theirs)]
            np.testing.assert_allclose(*losses, rtol=1e-9)


# --- What fails ---

NAMED = {
    "raise": r"rank 1 of 2 ends all ranks: OSError: the disk is on fire",
    "kill": r"rank 1 .*signal\s9",
    "hang": r"rank 0 of 2 ends all ranks: .*(rank 1|another rank) did not come",
    "exit": r"rank 1 of 2 ends all ranks: SystemExit: 3",
    "nan": r"x got .*nan|rank 1 of 2 failed.*nan",
    "shape": r"y has 63 rows",
    "rows": r"ranks differ in the rows of x: rank 0 has 64, rank 1 63",
    "other data": r"ranks differ in the values of x, y or weights",
    "other layer": r"ranks differ in layer 0: .*'units': 8.* rank 1 .*'units': 9",
    "other optimizer": r"ranks differ in the optimizer: rank 0 has 'SGD', rank 1 'Adam'",
    "other set": r"ranks differ in the instruction set: rank 0 has '\w+', rank 1 'baseline'",
    "other dtype": r"ranks differ in the dtype: rank 0 has 'float32', rank 1 'float64'",
}


@pytest.mark.parametrize("how", NAMED)
def test_a_rank_that_fails_ends_all_and_is_named(how):
    if how == "other set" and instruction_set()[0] == "baseline":
        pytest.skip("this processor offers one instruction set")
    ended = mpiexec(2, "rank_failures.py", how, check=False)
    assert ended.returncode != 0
    assert "ended after" not in ended.stdout
    assert re.search(NAMED[how], ended.stdout + ended.stderr, re.DOTALL | re.IGNORECASE)


def test_sigterm_ends_a_fit_on_all_ranks_after_the_same_step():
    ended = mpiexec(2, "rank_failures.py", "terminate", check=False)
    assert ended.returncode != 0
    assert "rank 0 ended after 2 epochs, interrupted: True" in ended.stdout


def test_a_single_step_is_none_that_ranks_share():
    code = (
        "import fastnn; model = fastnn.Sequential([fastnn.layers.Dense(1)], seed=0); "
        "model.compile('sgd', 'mse', distribution=fastnn.distribution.DataParallel()); "
        "model.train_on_batch([[1.0]], [[1.0]])"
    )
    assert "train_on_batch would train each rank by itself" in mpiexec(2, "run_code.py", code, check=False).stderr


BY_THEMSELVES = """
import fastnn, numpy as np
plan = fastnn.distribution.DataParallel(sync_every=2)
model = fastnn.Sequential([fastnn.layers.Dense(2, "softmax")], seed=0)
measured = [fastnn.metrics.SparseTopKCategoricalAccuracy(1)] if {outputs} else []
model.compile("sgd", "sparse_categorical_crossentropy", metrics=measured, distribution=plan)
model.fit({data}, verbose=0)
"""


@pytest.mark.parametrize(
    ("data", "outputs", "message"),
    [
        ("fastnn.data.open('one.parquet', target='y')", False, "x got no rows on rank 1; wants some on each"),
        ("np.ones((9, 2)), np.zeros(9)", True, "metrics got .*sync_every=1"),
    ],
)
def test_what_ranks_by_themselves_cannot_do_is_refused(data, outputs, message, tmp_path, monkeypatch):
    pa, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    monkeypatch.chdir(tmp_path)
    parquet.write_table(pa.table({"x": [1.0] * 30, "y": [0] * 30}), "one.parquet")  # one row group, of one rank
    ended = mpiexec(2, "run_code.py", BY_THEMSELVES.format(data=data, outputs=outputs), check=False)
    assert ended.returncode != 0
    assert re.search(message, ended.stderr)


def test_two_ranks_of_one_number_of_parts():
    code = "import fastnn\nmodel = fastnn.Sequential([fastnn.layers.Dense(1)])\n"
    code += "model.compile(distribution=fastnn.distribution.DataParallel(parts=8))"
    ended = mpiexec(3, "run_code.py", code, check=False)
    assert "parts got 8 for 3 ranks; wants a power of two that 3 divides, or deterministic=False" in ended.stderr


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("parts=6", "parts got 6; wants a power of two"),
        ("parts=0", "parts got 0"),
        ("shard=1", "shard got 1; wants True or False"),
        ("sync_every=0", "sync_every got 0"),
        ("outer_momentum=0.5", "outer_momentum got 0.5, but sync_every is 1"),
        ("timeout=0", "timeout got 0"),
    ],
)
def test_arguments_are_checked(given, message):
    code = f"from fastnn.distribution import DataParallel\ntry: DataParallel({given})\nexcept Exception as e: print(e)"
    assert message in subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
