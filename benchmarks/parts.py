"""Each unit of work of each case, the backends and the installed peers side by side in one group."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import pytest
from cases import Case
from peers import NEEDS, PEERS

WORKS = {
    "forward": "dense forward, one batch",
    "backprop": "backprop, one batch",
    "update": "update of all parameters",
    "step": "whole step, one call",
    "training": "many steps in one call",
    "predict": "predict all batches",
}


@pytest.fixture(scope="module")
def case(request: Any) -> Case:
    return request.param


@pytest.fixture(scope="module")
def peer(request: Any, case: Case) -> Any:
    if missing := [package for package in NEEDS[request.param] if not find_spec(package)]:
        pytest.skip(f"needs {', '.join(missing)}")
    try:
        return PEERS[request.param](case)
    except ImportError as error:  # a backend that was not built
        pytest.skip(str(error))


def test_network(benchmark: Any, peer: Any, case: Case, work: str) -> None:
    if not hasattr(peer, work):
        pytest.skip(f"no {work} of its own")
    benchmark.group = f"{case.name}: {WORKS[work]}"
    benchmark.extra_info.update(case=case.name, steps=peer.steps if work == "training" else 1)
    benchmark(getattr(peer, work))
