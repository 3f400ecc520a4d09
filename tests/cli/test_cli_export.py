"""``fastnn export``: a table's model in a file that ONNX Runtime runs on raw tables, and networks in other formats."""

import datetime

import numpy as np
import pytest

import fastnn
from fastnn.files import model_file

pytest.importorskip("click")
pytest.importorskip("sklearn")
pa = pytest.importorskip("pyarrow")
csv = pytest.importorskip("pyarrow.csv")
onnxruntime = pytest.importorskip("onnxruntime")

from click.testing import CliRunner  # noqa: E402

from fastnn.cli import commands, tables  # noqa: E402

NO_DATE = np.iinfo(np.int64).min
QUICK = ("--hidden", "8", "--epochs", "3", "--members", "2")


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def run(*arguments, code=0):
    result = CliRunner().invoke(commands, [str(each) for each in arguments])
    assert result.exit_code == code, result.output + repr(result.exception)
    return result.output


def people(path, seed, towns):
    """A CSV file as people write it: blanks around texts, markers of what is missing."""
    rng = np.random.default_rng(seed)
    lines = ["age,town,born,member,wake,grade,income"]
    for _ in range(300):
        age = rng.integers(18, 90)
        town = rng.choice([*towns, "?"])
        born = datetime.datetime(2026, 1, 1) - datetime.timedelta(days=365 * int(age) + int(rng.integers(365)))
        born = "NA" if rng.random() < 0.1 else born.strftime("%Y-%m-%d %H:%M:%S")
        member, wake = rng.choice(["true", "False", ""]), f"{rng.integers(5, 11):02}:{rng.integers(60):02}"
        grade = rng.choice([1.5, 2.5, 4.0])
        income = 100.5 * age + 2000 * (town == "York") + rng.normal()
        lines.append(f"{'-' if age > 80 else age},  {town} ,{born},{member},{wake},{grade},{income:.2f}")
    path.write_text("\n".join(lines) + "\n")
    return path


def fed(path, kinds):
    """The columns as docs/onnx-tables.md says that a server gives them."""
    table = tables.read_table(path, kinds=kinds).table
    found = {}
    for name, kind in kinds.items():
        values = table[name].to_pylist()
        if kind == "text":
            found[name] = np.array(["" if v is None else v for v in values], object)[:, None]
        elif kind == "date":
            since = [NO_DATE if v is None else (v - datetime.datetime(1970, 1, 1)) for v in values]
            micros = [v if v is NO_DATE else v // datetime.timedelta(microseconds=1) for v in since]
            found[name] = np.array(micros, np.int64)[:, None]
        elif kind == "time":
            found[name] = np.array([v.hour + v.minute / 60 for v in values])[:, None]
        else:
            found[name] = np.array([np.nan if v is None else float(v) for v in values])[:, None]
    return found


KINDS = {"age": "number", "town": "text", "born": "date", "member": "boolean", "wake": "time"}


@pytest.mark.parametrize("target", ["income", "grade"])
def test_what_train_saved_runs_without_python(target, tmp_path):
    data = people(tmp_path / "people.csv", 0, ["York", "Bath"])
    later = people(tmp_path / "later.csv", 1, ["York", "Bath", "Leeds"])
    other = {"income": "grade", "grade": "income"}[target]
    task = "classification" if target == "grade" else "regression"
    run("train", data, "--target", target, "--drop", other, "--task", task, *QUICK, "-o", "m.fastnn")
    assert "exported m.fastnn to m.onnx" in run("export", "m.fastnn", "m.onnx")
    run("predict", "m.fastnn", later, "-o", "out.parquet")
    wanted = pytest.importorskip("pyarrow.parquet").read_table("out.parquet")[target].to_numpy()
    session = onnxruntime.InferenceSession("m.onnx", providers=["CPUExecutionProvider"])
    assert {each.name for each in session.get_inputs()} == set(KINDS)
    found = dict(zip([each.name for each in session.get_outputs()], session.run(None, fed(later, KINDS)), strict=True))
    if target == "grade":
        assert found["label"].dtype == wanted.dtype == np.float64
        np.testing.assert_array_equal(found["label"], wanted)
    else:
        np.testing.assert_allclose(found["variable"][:, 0], wanted, rtol=0, atol=1e-6 * np.abs(wanted).max())


def network(path="net.fastnn"):
    model = fastnn.Sequential([fastnn.Input((3,)), fastnn.layers.Dense(2, "tanh")], seed=0)
    model.save(path)
    return model


@pytest.mark.parametrize("target", ["m.onnx", "M.ONNX", "m.fastnn"])
def test_networks_are_exported_too(target):
    model = network()
    run("export", "net.fastnn", target)
    x = np.eye(3, dtype=np.float32)
    np.testing.assert_allclose(fastnn.load_model(target).predict(x), model.predict(x), rtol=1e-6)


def test_networks_become_c():
    network()
    run("export", "net.fastnn", "net.c")
    with open("net.c") as source:
        assert "net_predict" in source.read()


def test_what_cannot_be_exported_is_said_in_a_line(tmp_path):
    network()
    said = run("export", "net.fastnn", "m.pmml", code=1)
    assert "'m.pmml'; wants a name that ends in .fastnn, .onnx, .c, .keras" in said
    assert "no folder nowhere" in run("export", "net.fastnn", "nowhere/m.onnx", code=1)
    (tmp_path / "text.fastnn").write_text("no model")
    assert "Error: " in run("export", "text.fastnn", "m.onnx", code=1)
    data = people(tmp_path / "people.csv", 0, ["York", *map("{} Street".format, range(150))])
    run("train", data, "--target", "income", "--drop", "grade", *QUICK, "-o", "m.fastnn")
    said = run("export", "m.fastnn", "m.keras", code=1)
    assert "'m.keras'; wants a name that ends in .onnx, .c" in said
    said = run("export", "m.fastnn", "m.onnx", code=1)
    assert "column 'town' has principal components of its texts" in said
    document, arrays = model_file.load("m.fastnn")
    state = document["table"]["estimator"]["state"]["dict"]
    document["table"]["estimator"]["state"]["dict"] = [each for each in state if each[0] != "encoder_"]
    model_file.save("hand.fastnn", {"table": document["table"]}, arrays)
    assert "hand.fastnn" in run("export", "hand.fastnn", "m.onnx", code=1)
    assert not (tmp_path / "m.onnx").exists()
    run("train", data, "--target", "income", "--text-components", 0, *QUICK, "-o", "m.fastnn")
    run("export", "m.fastnn", "m.onnx")
