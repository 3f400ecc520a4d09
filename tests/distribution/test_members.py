"""Tabular estimators whose networks ranks have between them: the same on any number of ranks."""

import json

import pytest
from mpi import mpiexec, needs_mpi

pytest.importorskip("sklearn")
pytest.importorskip("pandas")

pytestmark = needs_mpi


def members(count, folder, *names):
    """What scenes ended with on each rank."""
    mpiexec(count, "rank_members.py", folder, *names)
    return [json.loads((folder / f"{rank}.json").read_text()) for rank in range(count)]


NAMES = ["firsts_numbers", "interrupted", "warned", "refused", "fails_in_training"]


@pytest.fixture(scope="module")
def one_rank(tmp_path_factory):
    (ended,) = members(1, tmp_path_factory.mktemp("one"))
    return ended


@pytest.fixture(scope="module")
def two_ranks(tmp_path_factory):
    return members(2, tmp_path_factory.mktemp("two"), *NAMES)


def test_one_rank_is_as_good_as_none(one_rank):
    assert one_rank["alone"] == one_rank["classes"]


@pytest.mark.parametrize("count", [2, 3])
def test_all_end_with_the_same_estimator_on_any_number_of_ranks(one_rank, count, tmp_path):
    names = [name for name in one_rank if name != "alone"]
    assert members(count, tmp_path) == [{name: one_rank[name] for name in names}] * count


def test_the_first_ranks_random_numbers_count(two_ranks):
    first, second = (ended["firsts_numbers"] for ended in two_ranks)
    assert first == second


def test_ctrl_c_on_one_rank_ends_training_on_all_with_the_cycle(two_ranks):
    first, second = (ended["interrupted"] for ended in two_ranks)
    assert first == second
    assert first["interrupted"]
    assert max(first["best"]) == 1  # of 12: the first cycle ends with the first epoch


def test_the_first_rank_alone_warns_of_what_happens_on_any(two_ranks):
    first, second = (ended["warned"]["warned"] for ended in two_ranks)
    assert first == ["DivergenceWarning: as rank 1 trains"]
    assert second == []


def test_what_ranks_do_not_share_is_refused_on_all(two_ranks):
    first, second = (ended["refused"] for ended in two_ranks)
    wanted = [
        "TypeError: distribution got 'all'; wants a fastnn.distribution.DataParallel, or None",
        "ValueError: distribution got DataParallel(parts=8, shard=True",
        "ValueError: distribution got DataParallel(parts=8, shard=False, deterministic=True, sync_every=2",
        "RankError: fit: ranks differ in the values of X (by a digest): rank 0 has ",
        "RankError: rank 1 of 2 failed, and this one with it: ValueError: Found input variables with inconsistent",
        "RankError: fit: ranks differ in dropout: rank 0 has '0.0', rank 1 '0.1'; wants the same on all ranks",
    ]
    assert len(first) == len(second) == len(wanted)
    for message, beginning in zip(first, wanted, strict=True):
        assert message.startswith(beginning)
    assert second[4].startswith("ValueError: Found input variables with inconsistent numbers of samples: [240, 239]")


def test_an_error_in_training_is_told_on_all_ranks(two_ranks):
    first, second = (ended["fails_in_training"] for ended in two_ranks)
    assert first == ["RankError: rank 1 of 2 failed, and this one with it: OSError: the disk is on fire"]
    assert second == ["OSError: the disk is on fire"]


def test_a_rank_that_exits_ends_all(tmp_path):
    ended = mpiexec(2, "rank_members.py", tmp_path, "exits", check=False)
    assert ended.returncode != 0
    assert "rank 1 of 2 ends all ranks: SystemExit: 3" in ended.stderr
