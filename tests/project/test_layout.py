"""The structure that the code promises: imports run one way, backends are twins, one table has all names."""

import ast
import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import fastnn

ROOT = Path(__file__).resolve().parent.parent.parent
pytestmark = pytest.mark.skipif(not (ROOT / "kernels").is_dir(), reason="of the checkout, which is not here")
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
            if node.level:
                package = ("fastnn", *path.relative_to(PACKAGE).parts[: -node.level])
                base = ".".join([*package, *([base] if base else [])])
            names = [base, *(f"{base}.{alias.name}" for alias in node.names)]
        for name in names:
            if name.split(".")[0] == "fastnn" and "." in name:
                yield name.removeprefix("fastnn.")


def modules():
    """The files of each module, or of each package, by its name."""
    found = {}
    for path in PACKAGE.rglob("*.py"):
        found.setdefault(path.relative_to(PACKAGE).parts[0].removesuffix(".py"), []).append(path)
    return found


def imports_of(name):
    return {i.split(".")[0] for path in modules()[name] for i in imported(path)} - {name}


def importers(of):
    return {name for name in modules() if of in imports_of(name)}


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
        waiting += imports_of(name)
    assert not reached & outer


def test_models_reach_the_kernels_through_training_and_the_engine():
    assert "models" in importers("training")
    assert "training" in importers("engine")


def test_kernels_import_nothing_of_the_package_around_them():
    for path in (ROOT / "kernels").rglob("*.py"):
        depth = len(path.relative_to(ROOT / "kernels").parts)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                assert node.level <= depth, path.name
                assert (node.module or "").split(".")[0] != "fastnn", path.name
            elif isinstance(node, ast.Import):
                assert all(alias.name.split(".")[0] != "fastnn" for alias in node.names), path.name


def test_backends_have_the_same_entry():
    loads = [importlib.import_module(f"fastnn.kernels.backends.{name}").load for name in ("numba", "cython", "numpy")]
    wanted = [
        [name for name, p in inspect.signature(load).parameters.items() if p.default is p.empty] for load in loads
    ]
    assert wanted == 3 * [["dtype"]]


def test_reference_imports_nothing_of_the_library():
    text = (ROOT / "tests" / "tools" / "naive.py").read_text(encoding="utf-8")
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
for name in ("sklearn", "scipy", "pandas", "pyarrow", "matplotlib", "click", "torch", "jax"):
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
from fastnn.kernels.render.instruction_sets import INSTRUCTION_SETS
for name in {missing}:
    for module in ["numba"] if name == "numba" else INSTRUCTION_SETS:
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
