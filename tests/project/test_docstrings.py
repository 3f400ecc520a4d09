"""Examples of docstrings run, and print what they say; public classes that users choose from have one."""

import doctest
import importlib
import inspect
import pkgutil
import warnings
from pathlib import Path

import pytest
from printed import matches

import fastnn

FAMILIES = ("callbacks", "constraints", "initializers", "layers", "losses", "metrics", "optimizers", "regularizers")
FAMILIES += ("schedules", "sklearn")
WITHOUT = {  # why a public class needs no example
    "Callback": "a base",
    "CallbackList": "fit's own",
    "Constraint": "a base",
    "Initializer": "a base",
    "Layer": "a base",
    "LearningRateSchedule": "a base",
    "Loss": "a base",
    "LossMetric": "what a loss is among metrics",
    "LossPlan": "what kernels are told",
    "MeanMetricWrapper": "Keras's",
    "Metric": "a base",
    "Noise": "a base",
    "Normalizing": "a base",
    "Optimizer": "a base",
    "Regularizer": "a base",
    "Shape": "a base",
    "Values": "a type",
    "Watch": "fit's own",
    "Watched": "fit's own",
    "Weight": "a record",
    "Weighted": "a base",
    "OptunaPruning": "docs/distributed.md has one",
    "TensorBoard": "its package is optional",
}
PACKAGES = {"fastnn.sklearn": "sklearn", "fastnn.onnx": "onnx", "fastnn.keras": "h5py", "fastnn.torch": "torch"}
PACKAGES |= {"fastnn.plot": "matplotlib", "fastnn.cli": "click", "fastnn.callbacks.optuna": "optuna"}


def modules():
    """Every package of fastnn but for its kernels, and every module that has an example.

    A package's classes say that they are its own, wherever they are written.
    """
    found = [("fastnn", fastnn.__path__[0] + "/__init__.py")]
    for module in pkgutil.walk_packages(fastnn.__path__, "fastnn."):
        if not module.name.startswith("fastnn.kernels"):
            source = module.module_finder.find_spec(module.name).origin
            if module.ispkg or ">>> " in Path(source).read_text(encoding="utf-8"):
                found.append((module.name, source))
    return [name for name, _ in found]


class Checker(doctest.OutputChecker):
    def check_output(self, want, got, flags):
        return super().check_output(want, got, flags) or matches(want, got)


@pytest.mark.parametrize("name", modules())
def test_examples_of_docstrings_print_what_they_say(name, tmp_path, monkeypatch):
    for module, package in PACKAGES.items():
        if name.startswith(module):
            pytest.importorskip(package)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "agg")
    module = importlib.import_module(name)
    runner = doctest.DocTestRunner(Checker(), optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    told = []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for example in doctest.DocTestFinder(exclude_empty=True).find(module, name):
            runner.run(example, out=told.append)
    assert not runner.failures, "".join(told)


@pytest.mark.parametrize("family", FAMILIES)
def test_public_classes_have_examples(family):
    for package in (p for module, p in PACKAGES.items() if module == f"fastnn.{family}"):
        pytest.importorskip(package)
    module = importlib.import_module(f"fastnn.{family}")
    classes = {found.__name__: found for name in module.__all__ if inspect.isclass(found := getattr(module, name))}
    lacking = [name for name, found in classes.items() if ">>> " not in (found.__doc__ or "") and name not in WITHOUT]
    assert not lacking
