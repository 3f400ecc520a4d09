"""The package's front: what is there at once, and what is said of names that Keras has and fastnn has not."""

import copy
import importlib
import pickle
import subprocess
import sys

import pytest

import fastnn
from fastnn.absent import ADVICE, ATTRIBUTES

MODULES = ["layers", "activations", "losses", "optimizers", "optimizers.schedules", "callbacks", "regularizers"]
MODULES += ["distribution", "initializers", "models", "utils", "backend", "datasets"]


def module(name):
    found = fastnn
    for part in name.split(".") if name else ():
        found = getattr(found, part)
    return found


@pytest.mark.parametrize(("name", "words"), [(m, w) for m, groups in ADVICE.items() for w in groups])
def test_a_name_that_only_keras_has_says_what_to_do(name, words):
    for word in words.split():
        with pytest.raises(
            AttributeError, match=rf"^fastnn has no {name + '.' if name else ''}{word}, which Keras has: "
        ):
            getattr(module(name), word)


@pytest.mark.parametrize(
    ("name", "wrong", "right"),
    [
        ("", "sequential", "Sequential"),
        ("layers", "Dens", "Dense"),
        ("optimizers", "Adan", "Adam"),
        ("", "layer", "layers"),
    ],
)
def test_a_name_that_is_misspelt_is_told_the_right_one(name, wrong, right):
    with pytest.raises(AttributeError, match=rf"no attribute '{wrong}' \(did you mean '{right}'\?\)"):
        getattr(module(name), wrong)


def test_private_names_are_looked_up_as_in_any_module():
    for name in ("__wrapped__", "_nothing"):
        assert not hasattr(fastnn, name)
        assert not hasattr(fastnn.layers, name)


def test_dir_lists_what_there_is_and_no_more():
    assert {"Sequential", "layers", "sklearn", "learn", "plot", "load_model"} <= set(dir(fastnn))
    for name in ["", *MODULES]:
        for word in dir(module(name)):
            assert not word.startswith("_") or word == "__version__"
            if word not in ("sklearn", "torch"):  # which may miss their extras
                getattr(module(name), word)
    assert not {"annotations", "Any", "importlib", "publish", "base"} & set(dir(fastnn) + dir(fastnn.layers))


def test_packages_are_there_after_import_fastnn():
    code = "import fastnn, sys; assert 'fastnn.models' not in sys.modules; fastnn.learn, fastnn.plot, fastnn.datasets"
    subprocess.run([sys.executable, "-c", code], check=True)
    pytest.importorskip("sklearn")
    subprocess.run([sys.executable, "-c", "import fastnn; fastnn.sklearn.MLPClassifier"], check=True)


def test_star_imports_what_needs_no_extra():
    names = {}
    exec("from fastnn import *", names)
    assert names["Sequential"] is fastnn.Sequential
    assert "sklearn" not in names


@pytest.mark.parametrize("name", ["Callback", "Initializer", "Layer", "Loss", "Metric", "Optimizer", "Regularizer"])
def test_bases_are_at_the_front_as_in_keras(name):
    package = {"Loss": "losses"}.get(name, name.lower() + "s")
    assert getattr(fastnn, name) is getattr(importlib.import_module(f"fastnn.{package}"), name)


THINGS = {
    "Sequential": lambda: fastnn.Sequential([fastnn.layers.Dense(1)]),
    "Layer": lambda: fastnn.layers.Dense(1),
    "Optimizer": lambda: fastnn.optimizers.Adam(),
}


@pytest.mark.parametrize("kind", ATTRIBUTES)
def test_an_attribute_that_only_keras_has_says_what_to_do(kind):
    thing = THINGS[kind]()
    for name in ATTRIBUTES[kind]:
        with pytest.raises(AttributeError, match=rf"has no attribute '{name}', which Keras's has; "):
            getattr(thing, name)
        assert not hasattr(thing, name)
    with pytest.raises(AttributeError, match=r"object has no attribute 'nothing'$"):
        _ = thing.nothing
    assert repr(copy.deepcopy(thing)) == repr(thing) or kind == "Sequential"
    pickle.loads(pickle.dumps(thing))
