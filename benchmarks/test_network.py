"""Each unit of work of each case, the backends and the installed peers side by side in one group."""

from __future__ import annotations

from typing import Any

import pytest
from cases import CASES, Case
from peers import NEEDS, PEERS

WORKS = {
    "forward": "dense forward, one batch",
    "backprop": "backprop, one batch",
    "update": "update of all parameters",
    "step": "whole step, one call",
    "epoch": "whole epoch of 50 steps",
    "predict": "predict 50 batches",
}


@pytest.fixture(scope="module", params=CASES, ids=lambda case: case.name)
def case(request: Any) -> Case:
    return request.param


@pytest.fixture(scope="module", params=PEERS)
def peer(request: Any, case: Case) -> Any:
    for package in NEEDS.get(request.param, ()):
        pytest.importorskip(package)
    try:
        return PEERS[request.param](case)
    except ImportError as error:  # a backend that was not built
        pytest.skip(str(error))


@pytest.mark.parametrize("work", WORKS)
def test_network(benchmark: Any, peer: Any, case: Case, work: str) -> None:
    if not hasattr(peer, work):
        pytest.skip(f"no {work} of its own")
    benchmark.group = f"{case.name}: {WORKS[work]}"
    benchmark(getattr(peer, work))
