"""Numba's own compilation of every kernel, and the translation that the backend runs, are the same to the bit.

tools/kernels_alone.py compares them, in a process for each dtype: see conftest.
"""

import pytest
from kernel_worlds import NETWORKS
from kernels_alone import functions, outcome

from fastnn.kernels.render.sources import FORMULAS, HERE, Source

SUBJECTS = [*sorted(path.stem for path in (HERE / "source").glob("[a-z]*.py")), "formulas"]


def subjects(dtype):
    """The module of each function, a formula's "formulas"."""
    source = Source()
    found = dict.fromkeys(functions(dtype), "formulas")
    for module, tree in source.modules.items():
        for node in tree.body:
            name = getattr(node, "name", "")
            table = name in ("prepare", "update", "member_update") or getattr(source.kernels.get(name), "table", "")
            for function in found:
                if function == name or (table and function.startswith(f"{name}_") and function not in source.kernels):
                    found[function] = module
    return found


@pytest.mark.parametrize("subject", SUBJECTS)
def test_every_function_alone_is_the_same_to_the_bit(comparison, dtype, subject):
    lines, log = comparison(dtype)
    wrong = {line["function"]: line["wrong"] for line in lines if "function" in line}
    names = [name for name, module in subjects(dtype).items() if module == subject]
    assert names, f"nothing of {subject} was compared"
    assert {name: wrong.get(name, f"was not reached: {log}") for name in names if wrong.get(name, "-")} == {}


def test_every_kernel_and_formula_belongs_to_a_subject(dtype):
    source = Source()
    tables = {name: source.tables[kernel.table] for name, kernel in source.kernels.items() if kernel.table}
    rows = {f"{name}_{row.name}" for name, table in tables.items() for row in table}
    chosen = {name for name, kernel in source.kernels.items() if not kernel.table or kernel.chosen}
    of_tables = {f for row in source.activations + source.losses for f in row.formulas if f}
    (other,) = {"float32", "float64"} - {dtype}
    elementary = {name.removesuffix(f"_{dtype}") for name in source.elementary if not name.endswith(other)}
    compared = set(functions(dtype))
    assert chosen | rows | of_tables | elementary <= compared
    assert {"tile", "deep_tile", "transpose_square", "dot_square", "update_adam", "prepare_adam"} <= compared
    assert FORMULAS


@pytest.mark.parametrize("network", NETWORKS)
def test_whole_runs_are_the_same_to_the_bit(comparison, dtype, network):
    """Training, evaluating and predicting with the entry that Numba compiles, by one thread and by two."""
    lines, log = comparison(dtype)
    found = {line["network"]: line["outcomes"] for line in lines if "network" in line}
    assert network in found, log
    expected = outcome(network, dtype, "numba", 1)
    assert found[network] == [expected, expected]
