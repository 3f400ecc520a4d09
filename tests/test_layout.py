"""The structure that the code promises: imports run one way, backends are twins, one table has all names."""

import ast
import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import fastnn
from fastnn.kernels import render

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = Path(fastnn.__file__).resolve().parent
# from the outside in; a module imports only of its own layer or further in
ORDER = ["models", "training", "engine", "kernels"]


def imported(path):
    """Names of fastnn's modules that a file imports, anywhere in it: 'engine', 'kernels.plan'."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level and path.parent == PACKAGE:
                base = f"fastnn.{base}".rstrip(".")
            names = [base, *(f"{base}.{alias.name}" for alias in node.names)]
        for name in names:
            if name.split(".")[0] == "fastnn" and "." in name:
                yield name.removeprefix("fastnn.")


def modules():
    return {path.stem: path for path in PACKAGE.glob("*.py")}


def importers(of):
    return {name for name, path in modules().items() if of in {i.split(".")[0] for i in imported(path)}}


def test_only_the_engine_imports_the_kernels():
    assert importers("kernels") == {"engine"}


@pytest.mark.parametrize("inner", ["engine", "training", "models"])
def test_imports_run_one_way(inner):
    """Nothing that `inner` imports, directly or not, imports what lies outside of `inner`."""
    outer = set(ORDER[: ORDER.index(inner)])
    reached, waiting = set(), [inner]
    while waiting:
        name = waiting.pop()
        if name in reached or name not in modules():
            continue
        reached.add(name)
        waiting += [i.split(".")[0] for i in imported(modules()[name])]
    assert not reached & outer


def test_models_reach_the_kernels_through_training_and_the_engine():
    assert "models" in importers("training")
    assert "training" in importers("engine")


def test_kernels_import_nothing_of_the_package_around_them():
    for path in (ROOT / "kernels").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                assert node.level <= 1, path.name
                assert (node.module or "").split(".")[0] != "fastnn", path.name
            elif isinstance(node, ast.Import):
                assert all(alias.name.split(".")[0] != "fastnn" for alias in node.names), path.name


def test_backends_have_the_same_entry():
    names = ("numba_backend", "cython_backend", "numpy_backend")
    loads = [importlib.import_module(f"fastnn.kernels.{name}").load for name in names]
    assert [list(inspect.signature(load).parameters) for load in loads] == 3 * [["dtype"]]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("isa", render.INSTRUCTION_SETS)
def test_both_renderings_of_the_kernels_have_the_same_functions(dtype, isa):
    source = render.numba_source(dtype, render.INSTRUCTION_SETS[isa])
    numba = set(re.findall(r"^def (\w+)", source, re.MULTILINE))
    cython = re.findall(r"^c?p?def .*?(\w+)\(", render.cython_source(isa), re.MULTILINE)
    assert {name.removesuffix(f"_{dtype}") for name in cython if name.endswith(f"_{dtype}")} == numba
    assert {"forward", "backward", "run"} < numba


def test_changed_kernels_are_never_served_from_the_cache_of_the_old_ones(monkeypatch, tmp_path):
    """Nor ones whose primitives have changed."""
    numba_backend = pytest.importorskip("fastnn.kernels.numba_backend")
    pytest.importorskip("numba")
    monkeypatch.setenv("FASTNN_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(numba_backend, "HERE", tmp_path)

    def result(value, primitives):
        text = f"from numba import njit\n\n@njit(cache=True)\ndef run():\n    return {value}\n"
        (tmp_path / "numba_primitives.py").write_text(primitives)
        monkeypatch.setattr(numba_backend, "numba_source", lambda dtype, instruction_set: text)
        run = numba_backend.load("float32")
        return run(), Path(run.__code__.co_filename)

    first, changed, other_primitives = result(1, "a = 1"), result(2, "a = 1"), result(2, "a = 2")
    assert (first[0], changed[0], other_primitives[0]) == (1, 2, 2)
    assert len({first[1], changed[1], other_primitives[1]}) == 3
    assert all(path.is_relative_to(tmp_path) for _, path in (first, changed, other_primitives))
    assert result(1, "a = 1") == first


def test_reference_imports_nothing_of_the_library():
    text = (ROOT / "tests" / "naive.py").read_text(encoding="utf-8")
    names = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module)
    assert names == {"itertools", "math", "numpy"}


def test_folder_of_the_kernels_is_no_package_of_its_own():
    result = subprocess.run([sys.executable, "-c", "import kernels"], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 1
    assert "fastnn.kernels" in result.stderr


def test_training_needs_no_optional_package():
    code = """
import sys
for name in ("sklearn", "scipy", "pandas", "pyarrow", "matplotlib", "tqdm", "click", "torch", "jax"):
    sys.modules[name] = None  # an import of it fails
import fastnn
model = fastnn.Sequential([fastnn.layers.Dense(1)])
model.compile(loss="mse")
print(len(model.fit([[1.0], [2.0]], [1.0, 2.0], epochs=2, verbose=0).history["loss"]))
"""
    result = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True)
    assert result.stdout.strip() == "2", result.stderr


@pytest.mark.parametrize(
    ("missing", "chosen"), [(["numba"], "cython"), (["cython"], "numba"), (["numba", "cython"], "numpy")]
)
@pytest.mark.usefixtures("extension")
def test_auto_takes_the_backend_that_is_there_and_tells_when_none_is(missing, chosen):
    code = f"""
import sys, warnings
from fastnn import engine
from fastnn.kernels import render
for name in {missing}:
    for module in ["numba"] if name == "numba" else render.INSTRUCTION_SETS:
        sys.modules[module if name == "numba" else "fastnn.kernels._cython_" + module] = None
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    print(engine.load("auto", "float32")[0], *(w.message for w in caught))
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert result.stdout.split()[0] == chosen
    assert ("pip install numba" in result.stdout) == (chosen == "numpy")


def test_public_names_are_there_and_documented():
    for name in ("Sequential", "load_model", "gradient_descent", "layers", "activations", "losses"):
        assert inspect.getdoc(getattr(fastnn, name))
    for name in ("optimizers", "initializers", "metrics", "callbacks", "utils"):
        assert inspect.getdoc(getattr(fastnn, name))
    assert set(fastnn.__all__) <= set(dir(fastnn))
    for method in ("compile", "fit", "evaluate", "predict", "save", "gradients", "forward", "summary"):
        assert inspect.getdoc(getattr(fastnn.Sequential, method)), method


@pytest.mark.parametrize(
    ("function", "parameters"),
    [
        ("compile", "optimizer loss metrics backend threads dtype"),
        (
            "fit",
            "x y batch_size epochs verbose callbacks validation_split validation_data shuffle class_weight"
            " sample_weight initial_epoch",
        ),
        ("evaluate", "x y batch_size verbose return_dict"),
        ("predict", "x batch_size verbose"),
    ],
)
def test_methods_take_the_arguments_of_keras(function, parameters):
    accepted = list(inspect.signature(getattr(fastnn.Sequential, function)).parameters)
    assert [name for name in accepted if name in parameters.split()] == parameters.split()
