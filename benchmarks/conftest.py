"""What to run: pytest benchmarks --case "784-*" --peer "fastnn numba,JAX" --work training."""

from __future__ import annotations

from typing import Any

from cases import chosen
from peers import PEERS


def pytest_addoption(parser: Any) -> None:
    parser.addoption("--case", default="*", help="patterns of the cases' names, separated by commas")
    parser.addoption("--peer", default=",".join(PEERS), help="names of peers, separated by commas")
    parser.addoption("--work", default="", help="kinds of work, separated by commas; all, if none is given")


def pytest_generate_tests(metafunc: Any) -> None:
    if "case" not in metafunc.fixturenames:
        return
    option = metafunc.config.getoption
    peers, works = option("--peer").split(","), option("--work").split(",")
    metafunc.parametrize("case", chosen(option("--case")), ids=lambda case: case.name, scope="module", indirect=True)
    metafunc.parametrize("peer", [name for name in PEERS if name in peers], scope="module", indirect=True)
    known = metafunc.module.WORKS
    metafunc.parametrize("work", [work for work in known if work in works or works == [""]])
