"""The structure that the code promises: imports run one way, backends are twins, one table has all names."""

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import fastnn

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
    modules = [importlib.import_module(f"fastnn.kernels.{name}_backend") for name in ("numba", "cython", "numpy")]
    (signature,) = {str(inspect.signature(module.load).replace(return_annotation="")) for module in modules}
    assert signature == "(dtype: 'str') -> ''"


def test_both_renderings_of_the_kernels_have_the_same_functions():
    for dtype in ("float32", "float64"):
        for isa, instruction_set in render.INSTRUCTION_SETS.items():
            numba = set(re.findall(r"^def (\w+)", render.numba_source(dtype, instruction_set), re.MULTILINE))
            cython = re.findall(r"^c?p?def .*?(\w+)\(", render.cython_source(isa), re.MULTILINE)
            assert {name.removesuffix(f"_{dtype}") for name in cython} >= numba
            assert {"forward", "backward"} & numba


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
