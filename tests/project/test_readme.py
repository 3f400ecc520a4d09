"""The examples of the README and of the pages for newcomers run as they stand; what these say of names is true."""

import asyncio
import re
import shutil
from pathlib import Path

import pytest

import fastnn

HERE = Path(__file__).resolve().parent.parent.parent
PRINTED = {
    "README.md": ["", "0.9", "0.9", "[2.9]", "[0.619", "[[", "['gelu', 'linear']"],
    "docs/from-sklearn.md": ["True True", "True True", "['yes']", "True True", "True True"],
    "docs/from-keras.md": ["True True", "True"],
    "docs/onnx-tables.md": ["True True", "True True"],
    "docs/c.md": ["524", "True True"],
    "docs/onnx.md": ["True", "['silu', 'linear']"],
    "docs/format.md": ["True"],
    "docs/ensembles.md": ["[ True]"],
    "docs/deploy.md": ["3 True", "True", "True"],
    "docs/keras-files.md": ["True True", "True"],
    "docs/pytorch.md": ["['0.weight', '0.bias'] True", "True"],
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
    for package in ("sklearn", "pandas", "onnxruntime", "skl2onnx", "fastapi", "torch", "keras"):
        if re.search(rf"^(import|from) {package}\b", example, re.MULTILINE):
            pytest.importorskip(package)
    if '"cc ' in example and shutil.which("cc") is None:
        pytest.skip("no C compiler")
    monkeypatch.chdir(tmp_path)
    exec(compile(example, page, "exec"), {"__name__": "readme"})
    assert PRINTED[page][number] in capsys.readouterr().out


def test_the_service_answers_over_http(tmp_path, monkeypatch):
    pytest.importorskip("fastapi")
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "service"}
    exec(compile(examples("docs/deploy.md")[0], "docs/deploy.md", "exec"), names)
    for body, status in ((b'{"values": [1, 2, 3, 4]}', 200), (b'{"values": [1, 2, 3]}', 422), (b"{", 422)):
        assert asyncio.run(posted(names["app"], "/predict", body)) == status


async def posted(app, path, body):
    """The status of an ASGI application's answer."""
    answers = []

    async def receive():
        return {"type": "http.request", "body": body}

    async def send(message):
        answers.append(message)

    headers = [(b"content-type", b"application/json")]
    scope = {"type": "http", "method": "POST", "path": path, "headers": headers, "query_string": b"", "root_path": ""}
    await app(scope | {"http_version": "1.1", "scheme": "http", "server": ("x", 80), "client": ("y", 1)}, receive, send)
    return answers[0]["status"]


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
