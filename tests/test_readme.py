"""The README's examples run as they stand, each in a namespace of its own."""

import re
from pathlib import Path

import pytest

README = (Path(__file__).resolve().parent.parent / "README.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
PRINTED = ["", "0.9", "0.9", "[2.9]", "[0.619", "[["]


@pytest.mark.parametrize(("example", "printed"), [*zip(EXAMPLES, PRINTED, strict=True)])
def test_example_runs(example, printed, tmp_path, monkeypatch, capsys):
    if "sklearn" in example:
        pytest.importorskip("sklearn")
    monkeypatch.chdir(tmp_path)
    exec(compile(example, "README.md", "exec"), {"__name__": "readme"})
    assert printed in capsys.readouterr().out
