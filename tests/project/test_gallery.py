"""The examples of docs/gallery and docs/learn have a title, say what they show, keep to public names, run and draw.

All run here, offline and without Sphinx. Each figure must have a title.
"""

import ast
import importlib
import runpy
import types

import pytest
from pages import ROOT

import fastnn

matplotlib = pytest.importorskip("matplotlib")
GALLERY = sorted((ROOT / "docs" / "gallery").glob("*/plot_*.py"))
LEARN = sorted((ROOT / "docs" / "learn").glob("plot_*.py"))
NEEDS = {"pandas": "pandas", "sklearn": "sklearn", "LBFGS": "scipy"}  # words in an example: a package that it takes
pytestmark = pytest.mark.skipif(not (ROOT / "docs").is_dir(), reason="an sdist has no docs")


def tree(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def dotted(node):
    """The words of `a.b.c`; none of what is no such chain."""
    if isinstance(node, ast.Name):
        return [node.id]
    words = dotted(node.value) if isinstance(node, ast.Attribute) else []
    return [*words, node.attr] if words else []


@pytest.fixture
def pictures(monkeypatch):
    """pyplot without a screen, as it is before anything has set a style."""
    pyplot = importlib.import_module("matplotlib.pyplot")
    pyplot.switch_backend("Agg")
    monkeypatch.setattr(pyplot, "show", lambda: None)
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        yield pyplot
        pyplot.close("all")


def test_there_are_enough_of_them():
    assert len(GALLERY) >= 20
    assert [path.name[:7] for path in LEARN] == [f"plot_{number}_" for number in range(1, 8)]


def test_each_folder_has_a_header():
    for folder in {ROOT / "docs" / "gallery", *(path.parent for path in GALLERY + LEARN)}:
        title, line, *_ = (folder / "GALLERY_HEADER.rst").read_text(encoding="utf-8").splitlines()
        assert set(line) <= {"=", "-"}
        assert len(line) == len(title)


@pytest.mark.parametrize("path", GALLERY + LEARN, ids=lambda path: path.stem)
def test_has_a_title_and_says_what_it_shows(path):
    title, line, blank, *rest = (ast.get_docstring(tree(path)) or "").splitlines()
    assert line == "=" * len(title)
    assert not blank
    assert len(" ".join(rest)) > 80
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 110


@pytest.mark.parametrize("path", GALLERY + LEARN, ids=lambda path: path.stem)
def test_uses_public_names_only(path):
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "fastnn":
            assert {alias.name for alias in node.names} <= set(importlib.import_module(node.module).__all__)
        words = dotted(node)
        if words[:1] == ["fastnn"]:
            assert not any(word.startswith("_") for word in words)
            value = fastnn
            for word in words[1:]:
                if isinstance(value, types.ModuleType):
                    assert word in getattr(value, "__all__", dir(value)) or word in dir(fastnn), words
                value = getattr(value, word)


@pytest.mark.parametrize("path", GALLERY + LEARN, ids=lambda path: path.stem)
def test_runs_and_draws(path, pictures):
    text = path.read_text(encoding="utf-8")
    for words, package in NEEDS.items():
        if words in text:
            pytest.importorskip(package)
    runpy.run_path(str(path))
    assert pictures.get_fignums()
    for number in pictures.get_fignums():
        figure = pictures.figure(number)
        figure.canvas.draw()
        titles = [ax.get_title() for ax in figure.axes] + [figure.get_suptitle()]
        assert any(titles)
