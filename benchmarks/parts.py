"""Each unit of work of each case, by fastnn's backends and the installed peers, in pytest-benchmark's own tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from .cases import Case, chosen
from .peers import PEERS, installed

WORKS = {
    "forward": "dense forward, one batch",
    "backprop": "backprop, one batch",
    "update": "update of all parameters",
    "step": "whole step, one call",
    "training": "many steps in one call",
    "predict": "predict all batches",
}


class Choice:
    """A plugin for pytest: what to run."""

    def __init__(self, cases: Sequence[Case], peers: Sequence[str], works: Sequence[str]) -> None:
        self.cases, self.peers, self.works = cases, peers, works

    def pytest_generate_tests(self, metafunc: Any) -> None:
        metafunc.parametrize("case", self.cases, ids=lambda case: case.name, scope="module", indirect=True)
        metafunc.parametrize("peer", self.peers, scope="module", indirect=True)
        metafunc.parametrize("work", self.works)


def parts(
    cases: str = "*", peers: tuple[str, ...] = tuple(PEERS), works: tuple[str, ...] = tuple(WORKS), seconds: float = 0.3
) -> int:
    """Forward, backprop, update, step, training and predict, by pytest-benchmark.

    Everybody is measured in one process, one after the other; what others' threads do meanwhile is not held apart, as
    it is in train and predict.
    """
    if unknown := [work for work in works if work not in WORKS]:
        raise SystemExit(f"--works got {', '.join(unknown)}; it takes some of {', '.join(WORKS)}")
    options = ["-q", "-W", "default", "-p", "no:cacheprovider", "--benchmark-warmup=on"]
    options += [f"--benchmark-max-time={seconds}", "--benchmark-columns=min,median,ops"]
    return int(pytest.main([__file__, *options], plugins=[Choice(chosen(cases), list(installed(peers)), works)]))


@pytest.fixture(scope="module")
def case(request: Any) -> Case:
    return request.param


@pytest.fixture(scope="module")
def peer(request: Any, case: Case) -> Any:
    try:
        return PEERS[request.param](case)
    except ImportError as error:  # a backend that was not built
        pytest.skip(str(error))


def test_part(benchmark: Any, peer: Any, case: Case, work: str) -> None:
    if not hasattr(peer, work):
        pytest.skip(f"no {work} of its own")
    benchmark.group = f"{case.name}: {WORKS[work]}"
    benchmark.extra_info.update(case=case.name, steps=peer.steps.get(work, 1))
    benchmark(getattr(peer, work))
