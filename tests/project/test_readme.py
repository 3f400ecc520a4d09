"""The examples of the README and of the pages for newcomers run as they stand; what these say of names is true."""

import re
from pathlib import Path

import pytest

import fastnn

HERE = Path(__file__).resolve().parent.parent.parent
PRINTED = {
    "README.md": ["", "0.9", "0.9", "[2.9]", "[0.619", "[["],
    "docs/from-sklearn.md": ["True True", "True True", "['yes']", "True True"],
    "docs/from-keras.md": ["True True", "True"],
}


def text(page):
    path = HERE / page
    if not path.exists():
        pytest.skip("an sdist has no docs")
    return path.read_text(encoding="utf-8")


def examples(page):
    return re.findall(r"```python\n(.*?)```", text(page), re.DOTALL)


@pytest.mark.parametrize(("page", "number"), [(page, n) for page, lines in PRINTED.items() for n in range(len(lines))])
def test_example_runs(page, number, tmp_path, monkeypatch, capsys):
    example = examples(page)[number]
    if "sklearn" in example:
        pytest.importorskip("sklearn")
    if "pandas" in example:
        pytest.importorskip("pandas")
    monkeypatch.chdir(tmp_path)
    exec(compile(example, page, "exec"), {"__name__": "readme"})
    assert PRINTED[page][number] in capsys.readouterr().out


@pytest.mark.parametrize("page", PRINTED)
def test_every_example_is_run(page):
    assert len(examples(page)) == len(PRINTED[page])


def test_names_are_there_or_not_as_is_said_to_those_who_come_from_keras():
    listed = re.findall(
        r"^- \*\*([\w.]+)\*\*: (.*?)(?=^- \*\*|^$)", text("docs/from-keras.md"), re.DOTALL | re.MULTILINE
    )
    assert len(listed) >= 10
    for module, names in listed:
        place = fastnn
        for part in module.split("."):
            place = getattr(place, part)
        there, _, missing = names.partition("Not here:")
        for name in re.findall(r"`(\w+)`", there):
            assert hasattr(place, name) or name == "learning_rate", (module, name)
        for name in re.findall(r"`(\w+)`", missing):
            assert not hasattr(place, name), (module, name)
