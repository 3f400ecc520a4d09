"""The command line, as its user meets it: tables in, a model's file, predictions out, one-line errors."""

import re
import sys

import numpy as np
import pytest

import fastnn
from fastnn.__main__ import main

pytest.importorskip("click")
pa = pytest.importorskip("pyarrow")
csv = pytest.importorskip("pyarrow.csv")

from click.testing import CliRunner  # noqa: E402

from fastnn.cli import commands, keeping, tables, target  # noqa: E402


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def run(*arguments, code=0):
    """Run a command; give what it printed."""
    result = CliRunner().invoke(commands, [str(a) for a in arguments])
    assert result.exit_code == code, result.output + repr(result.exception)
    return result.output


def flowers(rows=300):
    """A table whose kind follows from its numbers and its text; some of both are missing."""
    rng = np.random.default_rng(1)
    length, width = rng.normal(50, 10, rows), rng.normal(0.1, 0.01, rows)
    colour = rng.choice(["blue", "red"], rows)
    kind = np.where((length > 50) == (colour == "blue"), "iris", "rose")
    price = 3 * length - 200 * width + 40 * (colour == "red")
    return {
        "length": pa.array(length, mask=np.arange(rows) % 50 == 7),
        "width": width,
        "colour": pa.array(colour, mask=np.arange(rows) % 50 == 9),
        "kind": kind,
        "price": price,
    }


def write(columns, path):
    table = pa.table(dict(columns))
    if path.endswith(".csv"):
        csv.write_csv(table, path)
    else:
        pytest.importorskip("pyarrow.parquet").write_table(table, path)
    return path


def read(path):
    return tables.read_table(path).table


QUICK = ("--hidden", "8", "--epochs", "1", "--members", "1", "--backend", "numpy")
TRAIN = ("--hidden", "32", "--epochs", "40", "--members", "1")


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_classes_are_learned_from_text_and_numbers_and_predicted(tmp_path, ending):
    data = write(flowers(), f"data.{ending}")
    said = run("train", data, "--target", "kind", "--drop", "price", *TRAIN)
    assert re.search(r"kind +target, 2 classes", said)
    assert float(re.search(r"score on 60 held-out rows: accuracy ([\d.]+)", said)[1]) > 0.8
    run("predict", "model.fastnn", data, "-o", "out.csv", "--probabilities")
    out = read(tmp_path / "out.csv")
    assert np.mean(out["kind"].to_numpy() == flowers()["kind"]) > 0.9
    np.testing.assert_allclose(out["P(iris)"].to_numpy() + out["P(rose)"].to_numpy(), 1, atol=1e-5)


def test_a_quantity_is_learned_and_predicted_in_its_own_units(tmp_path):
    data = write(flowers(), "data.csv")
    said = run("train", data, "--target", "price", "--drop", "kind", *TRAIN, "-o", "price.fastnn")
    assert re.search(r"price +target, a number", said)
    assert float(re.search(r"score on 60 held-out rows: R2 ([\d.]+)", said)[1]) > 0.87
    run("predict", "price.fastnn", data, "-o", "out.parquet")
    predicted, price = read(tmp_path / "out.parquet")["price"].to_numpy(), flowers()["price"]
    assert np.sqrt(np.mean((predicted - price) ** 2)) < 0.4 * price.std()


def test_arrays_of_an_npz_file_are_columns(tmp_path):
    x = np.random.default_rng(0).normal(size=(200, 2, 2))
    np.savez("data.npz", x=x, y=x[:, 1, 0] > 0)
    said = run("train", "data.npz", "--target", "y", *TRAIN)
    assert len(re.findall(r"x\[\d\] +number", said)) == 4
    run("predict", "model.fastnn", "data.npz", "-o", "out.npz")
    with np.load("out.npz") as out:
        assert np.mean(out["y"] == (x[:, 1, 0] > 0)) > 0.9


def test_the_same_seed_gives_the_same_model():
    data = write(flowers(), "data.csv")
    for name, seed in [("a", 3), ("b", 3), ("c", 4)]:
        run("train", data, "--target", "kind", *QUICK, "--seed", seed, "-o", f"{name}.fastnn")
    a, b, c = (keeping.load(f"{name}.fastnn")[1].models_[0].get_weights() for name in "abc")
    assert all(np.array_equal(v, w) for v, w in zip(a, b, strict=True))
    assert not all(np.array_equal(v, w) for v, w in zip(a, c, strict=True))


def test_ctrl_c_keeps_what_has_been_learned(monkeypatch):
    from fastnn.engine import Training

    advance = Training.advance

    def interrupted(self, last):
        advance(self, last)
        if self.step > self.steps // 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(Training, "advance", interrupted)
    data = write(flowers(), "data.csv")
    said = run("train", data, "--target", "kind", *QUICK, "--epochs", 6, code=130)
    assert "what has been learned so far is kept" in said
    run("predict", "model.fastnn", data, "-o", "out.csv")


def test_ctrl_c_in_the_first_epoch_is_an_interruption_too(monkeypatch):
    from fastnn.engine import Training

    def interrupted(self, last):
        raise KeyboardInterrupt

    monkeypatch.setattr(Training, "advance", interrupted)
    said = run("train", write(flowers(), "data.csv"), "--target", "kind", *QUICK, "--epochs", 6, code=130)
    assert "saved in model.fastnn" in said


def test_classes_may_be_decimals(tmp_path):
    values = pa.array([0.5, 1.25] * 30).cast(pa.decimal128(5, 2))
    data = write({"a": [0.0, 1.0] * 30, "b": values}, "data.parquet")
    run("train", data, "--target", "b", "--task", "classification", *TRAIN)
    run("predict", "model.fastnn", data, "-o", "out.csv")
    assert read(tmp_path / "out.csv")["b"].to_pylist() == [0.5, 1.25] * 30


@pytest.mark.parametrize("ending", ["npz", "parquet"])
@pytest.mark.parametrize("kind", ["float16", "float32", "float64"])
def test_a_target_that_is_nan_is_missing(ending, kind):
    a, b = np.arange(60.0), np.where(np.arange(60) < 10, np.nan, np.arange(60)).astype(kind)
    if ending == "npz":
        np.savez("data.npz", a=a, b=b)
    else:
        write({"a": a, "b": b}, "data.parquet")
    assert "10 rows without 'b' are left out" in run("train", f"data.{ending}", "--target", "b", *QUICK)


def test_rows_without_a_target_are_left_out():
    columns = flowers() | {"kind": pa.array(flowers()["kind"], mask=np.arange(300) < 10)}
    assert "10 rows without 'kind' are left out" in run("train", write(columns, "data.csv"), "--target", "kind", *QUICK)


@pytest.mark.parametrize(
    ("values", "task"),
    [
        (["yes", "no"] * 30, "classification"),
        ([True, False] * 30, "classification"),
        ([1, 2, 3] * 20, "classification"),
        (list(range(60)), "regression"),
        ([1.0, 2.0] * 30, "regression"),
    ],
)
def test_the_target_decides_the_task(values, task):
    assert target.describe_target(pa.chunked_array([values]), "target")["task"] == task


def test_a_text_that_looks_like_a_number_elsewhere_is_still_text(tmp_path):
    (tmp_path / "data.csv").write_text("code,y\n" + "01,a\nx,b\n" * 40)
    (tmp_path / "new.csv").write_text("code\n01\n01\n")
    run("train", "data.csv", "--target", "y", *TRAIN)
    run("predict", "model.fastnn", "new.csv", "-o", "out.csv")
    assert read(tmp_path / "out.csv")["y"].to_pylist() == ["a", "a"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "data.csv is empty"),
        ("a,b\n", "has no rows"),
        ("a,b\n1,2\n3\n", "data.csv, line 3: 1 values, but the first line names 2"),
        ("a,a\n1,2\n", "more than one column 'a'"),
        ("a,b\n" + "1,x\n" * 9, "same value in every row"),
        ("b\nx\ny\n", "nothing to learn from"),
        ("a,b\n1,v\n2,w\n3,x\n", "3 different values in 3 rows"),
        ("a,b\n" + "1,x\ninf,y\n" * 9, "data.csv, line 3: column 'a' is inf"),
        ("a,b\n" + "1,2020-01-01\n2,2020-01-02\n" * 9, "target 'b' holds dates"),
        ("a,b\n" + "1,NA\n2,\n" * 9, "data.csv: target 'b' has no value in any row"),
        ("a,bb\n1,2\n", "no column 'b'; did you mean 'bb'?"),
    ],
)
def test_a_bad_table_is_named_in_one_line(tmp_path, content, message):
    (tmp_path / "data.csv").write_text(content)
    said = run("train", "data.csv", "--target", "b", code=1)
    assert said.splitlines()[-1].startswith("Error: ")
    assert message in said
    assert said.count("Error") == 1
    assert not (tmp_path / "model.fastnn").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("data.txt", "--target", "kind"), "must end in .csv"),
        (("data.csv", "--target", "kind", "--drop", "colur"), "did you mean 'colour'?"),
        (("data.csv", "--target", "kind", "--activation", "rleu"), "relu"),
        (("data.csv", "--target", "kind", "--backend", "fortran"), "backend"),
        (("data.csv", "--target", "kind", "--task", "regression"), "regression needs numbers"),
        (("data.csv", "--target", "kind", "--plot", "nowhere/p.png"), "no folder nowhere"),
        (("data.csv", "--target", "kind", "--plot", "p.what"), ".png"),
        (("data.csv", "--target", "kind", "--learning-rate", "-1"), "learning_rate"),
        (("data.csv", "--target", "kind", "--holdout", "0.001"), "--holdout 0.001 of 300 rows"),
        (("data.csv", "--target", "kind", "-o", "nowhere/model.fastnn"), "no folder nowhere"),
    ],
)
def test_a_bad_argument_is_named_before_training(tmp_path, arguments, message):
    write(flowers(), "data.csv")
    (tmp_path / "data.txt").write_text("a,b\n1,2\n")
    said = (
        run("train", *arguments, *[a for a in QUICK if a not in arguments], code=1)
        if "--backend" not in arguments
        else run("train", *arguments, code=1)
    )
    assert said.splitlines()[-1].startswith("Error: ")
    assert message in said


@pytest.mark.parametrize("arguments", [("--hidden", "8,-3"), ("--epochs", "0"), ("--holdout", "1"), ("--hidden", "x")])
def test_an_impossible_option_is_a_usage_error(arguments):
    said = run("train", write(flowers(), "data.csv"), "--target", "kind", *arguments, code=2)
    assert f"Invalid value for '{arguments[0]}'" in said


def test_prediction_refuses_a_table_with_other_columns(tmp_path):
    data = write(flowers(), "data.csv")
    run("train", data, "--target", "kind", *QUICK)
    columns = flowers()
    write({("lenght" if name == "length" else name): c for name, c in columns.items()}, "other.csv")
    said = run("predict", "model.fastnn", "other.csv", "-o", "out.csv", code=1)
    assert "column 'length', which the model was trained on, is not in the table" in said
    assert "did you mean 'lenght'?" in said
    write(columns | {"width": columns["colour"]}, "text.csv")
    said = run("predict", "model.fastnn", "text.csv", "-o", "out.csv", code=1)
    assert "text.csv, line 2: column 'width' holds" in said
    assert not (tmp_path / "out.csv").exists()


def test_prediction_refuses_files_that_train_did_not_save(tmp_path):
    data = write(flowers(), "data.csv")
    (tmp_path / "noise.fastnn").write_bytes(b"noise")
    assert "out.txt: its name must end in .csv" in run("predict", "noise.fastnn", data, "-o", "out.txt", code=1)
    assert "noise.fastnn" in run("predict", "noise.fastnn", data, "-o", "out.csv", code=1)
    model = fastnn.Sequential([fastnn.layers.Input((2,)), fastnn.layers.Dense(1)])
    model.compile(loss="mse")
    model.save("plain.fastnn")
    assert "says nothing of a table" in run("predict", "plain.fastnn", data, "-o", "out.csv", code=1)


def test_load_model_says_what_a_table_s_model_is_for():
    run("train", write(flowers(), "data.csv"), "--target", "colour", "--epochs", "1", "-o", "model.fastnn")
    with pytest.raises(fastnn.ModelFileError, match="`fastnn train` saved; wants `fastnn predict`"):
        fastnn.load_model("model.fastnn")


def test_an_existing_file_outlives_a_failed_write(tmp_path):
    (tmp_path / "out.csv").write_text("precious")
    with pytest.raises(pa.ArrowException):
        tables.write_table({"a": np.array([1]), "b": np.array([1, 2])}, tmp_path / "out.csv")
    assert [path.name for path in tmp_path.iterdir()] == ["out.csv"]
    assert (tmp_path / "out.csv").read_text() == "precious"


def test_writing_leaves_a_file_of_another_writer_alone(tmp_path):
    (tmp_path / ".out.csv.part").write_text("another's")
    tables.write_table({"a": np.array([1])}, tmp_path / "out.csv")
    assert (tmp_path / ".out.csv.part").read_text() == "another's"


def test_info_says_what_is_active():
    said = run("info")
    assert fastnn.__version__ in said
    for fact in ("backend", "threads", "cache"):
        assert fact in said.lower()


def test_a_folder_of_parquet_files_is_a_table(tmp_path):
    pa, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    (tmp_path / "table").mkdir()
    for number, rows in (("b", 3), ("a", 2)):
        parquet.write_table(
            pa.table({"x": [1.0] * rows, "y": [number] * rows}), tmp_path / "table" / f"{number}.parquet"
        )
    (tmp_path / "table" / "_SUCCESS").touch()
    read = tables.read_table(tmp_path / "table")
    assert read.table["y"].to_pylist() == ["a", "a", "b", "b", "b"]
    assert [read.place(row) for row in (1, 2, 4)] == ["row 2 of a.parquet", "row 1 of b.parquet", "row 3 of b.parquet"]
    parquet.write_table(pa.table({"x": [1], "y": ["c"]}), tmp_path / "table" / "c.parquet")
    with pytest.raises(
        tables.TableError, match=r"c\.parquet has the columns x int64, y string, but a\.parquet has x double"
    ):
        tables.read_table(tmp_path / "table")
    (tmp_path / "table" / "c.csv").touch()
    with pytest.raises(tables.TableError, match=r"a folder must hold Parquet files alone, but it holds c\.csv"):
        tables.read_table(tmp_path / "table")


def test_info_says_which_mpi_is_here():
    line = next(line for line in run("info").splitlines() if line.startswith("MPI "))
    assert "mpi4py" in line


def test_info_says_what_auto_takes_and_why():
    assert re.search(r"^backend, float32 +\w+: it", run("info"), re.MULTILINE)


def test_the_cache_is_shown_and_cleared(tmp_path, monkeypatch):
    monkeypatch.setenv("FASTNN_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    name = f"float32-v3-{'0' * 20}.kernels"
    assert run("cache").splitlines() == [f"folder {tmp_path / 'cache'}", "0 files kept, 0.0 MB"]
    (tmp_path / "cache").mkdir()
    for each in (name, "notes"):
        (tmp_path / "cache" / each).write_bytes(bytes(1_200_000))
    assert run("cache").splitlines()[1:] == [f"    1.2 MB  {name}", "1 file kept, 1.2 MB"]
    assert run("cache", "--clear").splitlines()[-1] == "1 file removed, 1.2 MB"
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["notes"]


def test_warmup_says_what_it_compiled():
    assert "ready after" in run("warmup")


def test_demo_learns_the_digits_and_draws(tmp_path):
    pytest.importorskip("sklearn")
    pytest.importorskip("matplotlib")
    said = run("demo", "--epochs", 8, "--picture", "loss.png")
    assert float(re.search(r"test accuracy +([\d.]+)", said)[1]) > 0.9
    assert "steps a second" in said
    assert (tmp_path / "loss.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("arguments", [(), ("--help",), ("train", "--help"), ("predict", "--help")])
def test_help_is_printed(arguments):
    assert "Usage: " in run(*arguments, code=0 if arguments else 2)


def test_missing_packages_are_named_with_their_extra(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "click", None)
    with pytest.raises(SystemExit, match=r"click, which is not installed: pip install 'fastnn-cpu\[cli\]'"):
        main()
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ModuleNotFoundError, match=r"pyarrow, which is not installed: pip install 'fastnn-cpu\[cli\]'"):
        tables.read_table(tmp_path / "data.csv")
