"""The structure that the code promises: imports run one way, backends are twins, one table has all names."""

import ast
import importlib
import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import fastnn
from fastnn.kernels.render.cython import cython_source
from fastnn.kernels.render.instruction_sets import INSTRUCTION_SETS
from fastnn.kernels.render.sources import Source
from fastnn.kernels.render.whole import render

ROOT = Path(__file__).resolve().parent.parent.parent
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
    assert [list(inspect.signature(load).parameters) for load in loads] == 3 * [["dtype"]]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("isa", INSTRUCTION_SETS)
def test_both_translations_of_the_kernels_have_the_same_functions(dtype, isa):
    """And each the same arguments in the same order, of the types that the common subset gives them."""
    ir = pytest.importorskip("llvmlite.ir")
    llvm = importlib.import_module("fastnn.kernels.numba.translate")
    instruction_set = INSTRUCTION_SETS[isa]
    rendered = {f.name: f for f in render(Source(), dtype, instruction_set)}
    functions = llvm.translate(ir.Module(), rendered.values(), dtype, instruction_set)
    lanes = instruction_set.vector_bytes // (4 if dtype == "float32" else 8)
    real = "float" if dtype == "float32" else "double"
    llvm_types = {"integer": "i64", "double": "double", "vector": f"<{lanes} x {real}>", None: "void"}
    assert {
        name: [str(f.function_type.return_type), *(str(a.type) for a in f.args)] for name, f in functions.items()
    } == {name: [llvm_types[f.result], *(llvm_types[kind] for _, kind in f.arguments)] for name, f in rendered.items()}
    pattern = rf'^cdef (?:inline )?(\w+) (\w+)_{dtype}(?: "\w+")?\((.*)\) noexcept nogil:$'
    found = re.findall(pattern, cython_source(isa), re.MULTILINE)
    types = {"vector": f"vector_{dtype}", None: "void"}
    assert {name: (result, arguments.split(", ")) for result, name, arguments in found} == {
        name: (types.get(f.result, f.result), [f"{types.get(kind, kind)} {argument}" for argument, kind in f.arguments])
        for name, f in rendered.items()
    }
    assert {"forward", "backward", "run"} < set(rendered)


def test_changed_kernels_are_never_served_from_the_cache_of_the_old_ones(monkeypatch, tmp_path):
    """Nor ones whose vocabulary has changed."""
    backend = pytest.importorskip("fastnn.kernels.backends.numba")
    pytest.importorskip("numba")
    monkeypatch.setenv("FASTNN_CACHE_DIR", str(tmp_path))
    sources = tmp_path / "sources"
    (sources / "numba").mkdir(parents=True)
    monkeypatch.setattr(backend, "HERE", sources)

    def result(value, words):
        text = f"from numba import njit\n\n@njit(cache=True)\ndef run():\n    return {value}\n"
        (sources / "numba" / "words.py").write_text(words)
        monkeypatch.setattr(backend, "MODULE", text)
        run = backend.load("float32")
        return run(), Path(run.__code__.co_filename)

    first, changed, other_words = result(1, "a = 1"), result(2, "a = 1"), result(2, "a = 2")
    assert (first[0], changed[0], other_words[0]) == (1, 2, 2)
    assert len({first[1], changed[1], other_words[1]}) == 3
    assert all(path.is_relative_to(tmp_path) for _, path in (first, changed, other_words))
    assert result(1, "a = 1") == first


@pytest.fixture
def cache(monkeypatch, tmp_path):
    """With folders of its own for what it keeps."""
    module = importlib.import_module("fastnn.kernels.numba.cache")
    monkeypatch.setenv("FASTNN_CACHE_DIR", str(tmp_path / "chosen"))
    monkeypatch.setattr(module, "_own_folder", lambda: tmp_path / "own")
    return module


def block(folder):
    """Let nothing be kept for Numba there, not by root either."""
    folder.mkdir(parents=True)
    (folder / "__pycache__").write_text("in the way")


@pytest.mark.skipif(os.name == "nt", reason="other permissions")
def test_others_may_read_the_source_of_the_kernels(cache):
    path = cache.write("digest", "float32.py", "a = 1\n")
    assert path.stat().st_mode & 0o777 == 0o644


def test_a_cache_that_cannot_be_written_is_passed_over(cache, tmp_path):
    """Numba refuses it, though the source may be there already."""
    block(tmp_path / "chosen" / "digest")
    (tmp_path / "chosen" / "digest" / "float32.py").write_text("a = 1\n")
    assert cache.write("digest", "float32.py", "a = 1\n") == tmp_path / "own" / "digest" / "float32.py"


def test_where_nothing_can_be_kept_the_source_is_private_and_removed_at_exit(tmp_path):
    (tmp_path / "file").write_text("no folder")
    code = f"""
from pathlib import Path
from fastnn.kernels.numba import cache
cache._own_folder = lambda: Path({str(tmp_path / "file")!r})
path = cache.write("digest", "float32.py", "a = 1")
print(path, path.read_text() == "a = 1", oct(path.parent.parent.stat().st_mode & 0o777))
"""
    environment = {**os.environ, "FASTNN_CACHE_DIR": str(tmp_path / "file"), "TMPDIR": str(tmp_path)}
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    path, *facts = result.stdout.split()
    assert facts == ["True", "0o700"], result.stderr
    assert Path(path).is_relative_to(tmp_path)
    assert [left.name for left in tmp_path.iterdir()] == ["file"]


def test_auto_goes_on_where_numba_has_no_place_for_its_cache(cache, monkeypatch):
    backend = pytest.importorskip("fastnn.kernels.backends.numba")
    pytest.importorskip("numba")
    text = "raise RuntimeError('cannot cache function: no locator available')\n"
    monkeypatch.setattr(backend, "MODULE", text)
    with pytest.raises(ImportError, match="no locator available; FASTNN_CACHE_DIR"):
        backend.load("float32")


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
