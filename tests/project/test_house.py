"""The checks of tests/tools/house.py find what they are for, in small trees."""

import house
import pytest


@pytest.fixture
def problems(tmp_path, monkeypatch):
    """Writes files, by their path without .py, and gives the problems found in them."""
    monkeypatch.setattr(house, "EXCEPTIONS", {})

    def found(**files):
        for name, text in ({"fastnn/__init__": ""} | files).items():
            path = tmp_path / f"{name}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return house.problems(tmp_path)

    return found


def test_imports_inwards_are_right(problems):
    data = "from fastnn.errors import Error\nfrom .checks import check\n"
    files = {"fastnn/data/__init__": data, "fastnn/data/checks": "import fastnn.engine\n", "fastnn/errors": ""}
    assert problems(**files, **{"fastnn/engine": "from .kernels import records", "kernels/records": ""}) == []


@pytest.mark.parametrize(
    "statement",
    [
        "import fastnn.models",
        "from fastnn import models",
        "from .models import Sequential",
        "def f():\n    from . import models",
        "try:\n    pass\nexcept OSError:\n    import fastnn.models as other",
    ],
)
def test_imports_outwards_are_found_wherever_they_stand(problems, statement):
    (found,) = problems(**{"fastnn/data": statement, "fastnn/models": ""})
    assert "data imports fastnn.models, which is further out" in found
    assert found.startswith(f"fastnn/data.py:{statement.count(chr(10)) + 1}:")


def test_what_a_type_checker_alone_imports_does_not_count(problems):
    text = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from .models import Sequential\n"
    assert problems(**{"fastnn/data": text, "fastnn/models": "from .data import x"}) == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("from fastnn import Sequential", "imports from fastnn itself"),
        ("def __getattr__(name):\n    from . import errors", "hides what it imports"),
    ],
)
def test_detours_are_found(problems, text, problem):
    (found,) = problems(**{"fastnn/data": text, "fastnn/errors": ""})
    assert problem in found


def test_kernels_import_nothing_of_fastnn_and_every_module_has_a_place(problems):
    (found,) = problems(**{"kernels/records": "from fastnn.errors import Error", "fastnn/errors": ""})
    assert "kernels import fastnn.errors" in found
    assert "fastnn/attic.py: attic is not in the order of imports" in problems(**{"fastnn/attic": ""})


def test_circles_are_found_within_a_package_too(problems):
    package = {"fastnn/data/__init__": "from .a import f", "fastnn/data/a": "from .b import f", "fastnn/data/c": ""}
    assert problems(**package, **{"fastnn/data/b": "from .c import f"}) == []
    (found,) = problems(**{"fastnn/data/c": "def f():\n    from .a import f"})
    assert found == "a circle of imports: fastnn.data.a, fastnn.data.b, fastnn.data.c"
    (found,) = problems(**{"fastnn/data/c": "from . import f"})
    assert "fastnn.data, fastnn.data.a" in found


def test_sizes_are_held_and_exceptions_are_needed(problems, monkeypatch):
    arguments = ", ".join("abcdefgh")
    right = f'class A:\n    def f(self, {arguments}):\n        """{"line" * 99}"""\n' + "        a()\n" * 60
    assert problems(**{"fastnn/data": right}) == []
    wrong = f"def f({arguments}, *, i):\n" + "    a()\n" * 401
    found = problems(**{"fastnn/data": wrong})
    assert found == [
        "fastnn/data.py: 402 lines; at most 400",
        "fastnn/data.py:1: data.f is 401 lines long; at most 60",
        "fastnn/data.py:1: data.f has 9 parameters; at most 8",
    ]
    keys = [("lines", "fastnn/data.py"), ("body", "data.f"), ("parameters", "data.f")]
    monkeypatch.setattr(house, "EXCEPTIONS", dict.fromkeys(keys, "why"))
    assert problems() == []
    assert len(problems(**{"fastnn/data": ""})) == len(keys)


def test_figures_name_the_largest(tmp_path, problems):
    problems(**{"fastnn/data": "from . import files\ndef f(a, b):\n    a()\n", "fastnn/files": "from . import data"})
    figures = "\n".join(house.figures(tmp_path))
    for figure in ("fastnn/data.py, 3 lines", "data.f (fastnn/data.py), 1 lines", "data.f (fastnn/data.py), 2"):
        assert figure in figures
    assert "circles    2\n  fastnn.data, fastnn.files" in figures
