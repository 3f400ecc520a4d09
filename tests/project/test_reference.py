"""The pages of the reference have every public name, and no other.  They are read as text: Sphinx is not needed."""

import ast
import re
from pathlib import Path

import pytest

import fastnn

ROOT = Path(__file__).resolve().parents[2]
ENTRY = re.compile(r"^\.\. (?:autoclass|autofunction|py:data):: fastnn\.(\S+)", re.MULTILINE)
OTHER = re.compile(r"^- (``fastnn\..+``): :py:obj:`fastnn\.([^`]+)`", re.MULTILINE)


def names(path):
    """What a module exports: its __all__, without importing it, for it may want an extra."""
    found = []
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        assigned = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if any(isinstance(target, ast.Name) and target.id == "__all__" for target in assigned):
            found += ast.literal_eval(node.value)
    return found


def source(name):
    """The file of a public module of fastnn."""
    package = ROOT / "fastnn" / name / "__init__.py"
    return package if package.exists() else ROOT / "fastnn" / f"{name}.py"


MODULES = [name for name in dir(fastnn) if source(name).exists()]
PUBLIC = {name for name in names(ROOT / "fastnn/__init__.py") if name not in MODULES}
PUBLIC |= {f"{module}.{name}" for module in MODULES for name in names(source(module))}
PUBLIC -= {"optimizers.schedules"}  # fastnn.schedules, where Keras has it


@pytest.fixture(scope="module")
def text():
    return "\n".join(page.read_text(encoding="utf-8") for page in sorted((ROOT / "docs/reference").glob("*.rst")))


def test_every_public_name_has_an_entry(text):
    entries = ENTRY.findall(text)
    others = [name for line, _ in OTHER.findall(text) for name in re.findall(r"``fastnn\.([^`]+)``", line)]
    assert len(PUBLIC) > 250
    assert sorted(entries + others) == sorted(PUBLIC)  # each once


def test_other_names_are_of_what_has_an_entry(text):
    assert not {name for _, name in OTHER.findall(text)} - set(ENTRY.findall(text))


def test_every_public_module_is_introduced(text):
    told = set(re.findall(r"^\.\. automodule:: fastnn\.(\S+)", text, re.MULTILINE))
    assert told == {module for module in MODULES if names(source(module))}
