"""CSV files of this world: how they are written is found out, or said; what cannot be read is named by line."""

import copy
import datetime
import gzip
import warnings

import numpy as np
import pytest

pytest.importorskip("click")
pa = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")
pytest.importorskip("sklearn")

from click.testing import CliRunner  # noqa: E402

import fastnn  # noqa: E402
from fastnn.cli import commands, csv_files, keeping, tables  # noqa: E402
from fastnn.files import model_file  # noqa: E402

QUICK = ("--hidden", "8", "--epochs", "2", "--members", "1", "--backend", "numpy")


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def run(*arguments, code=0):
    result = CliRunner().invoke(commands, [str(a) for a in arguments])
    assert result.exit_code == code, result.output + repr(result.exception)
    return result.output


def read(tmp_path, text, kinds=None, **options):
    path = tmp_path / "t.csv"
    path.write_bytes(text.encode(options.get("encoding") or "utf-8"))
    return tables.read_table(path, csv_files.CsvOptions(**options), kinds)


def column(tmp_path, values, name="a", **options):
    found = read(tmp_path, "\n".join(["a;b", *(f"{value};1" for value in values)]) + "\n", **options)
    return tables.kind_of(found.table[name].type), found.table[name].to_pylist(), found.facts.get(name, "")


# --- Kinds ---


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        (["1", "-2", "+3"], "number", [1, -2, 3]),
        (["1.5", ".5", "5.", "1e3"], "number", [1.5, 0.5, 5.0, 1000.0]),
        (["12345678901234567890"], "number", [12345678901234567890.0]),
        ([" 7 ", "8"], "number", [7, 8]),
        (["true", "False", "TRUE"], "boolean", [True, False, True]),
        (["yes", "no"], "text", ["yes", "no"]),
        (["2024-02-29", "1999-1-2"], "date", [datetime.datetime(2024, 2, 29), datetime.datetime(1999, 1, 2)]),
        (["2024-02-29 10:30"], "date", [datetime.datetime(2024, 2, 29, 10, 30)]),
        (["2024-02-29T10:30:15.25Z"], "date", [datetime.datetime(2024, 2, 29, 10, 30, 15)]),
        (["31.12.2020", "1.2.2020"], "date", [datetime.datetime(2020, 12, 31), datetime.datetime(2020, 2, 1)]),
        (["1/2/2020", "12/31/2020"], "date", [datetime.datetime(2020, 1, 2), datetime.datetime(2020, 12, 31)]),
        (["1/2/2020", "31/12/2020"], "date", [datetime.datetime(2020, 2, 1), datetime.datetime(2020, 12, 31)]),
        (["2020/12/31 23:59:58"], "date", [datetime.datetime(2020, 12, 31, 23, 59, 58)]),
        (["7:30", "23:59"], "time", [datetime.time(7, 30), datetime.time(23, 59)]),
        (["07:30:15"], "time", [datetime.time(7, 30, 15)]),
        (["99:99"], "text", ["99:99"]),
        (["2024-13-45"], "text", ["2024-13-45"]),
        (["2024-01-01", "1.1.2024"], "text", ["2024-01-01", "1.1.2024"]),
        (["a", "1"], "text", ["a", "1"]),
        (["", "NA"], "nothing", [None, None]),
    ],
)
@pytest.mark.parametrize("gap", [None, "NA"])
def test_a_column_is_what_its_values_are(tmp_path, values, kind, expected, gap):
    more = [] if gap is None else [gap]
    found, got, fact = column(tmp_path, [*values, *more])
    assert (found, got) == (kind, [*expected, *[None] * len(more)])
    assert ("missing" in fact) == (gap is not None or kind == "nothing")


@pytest.mark.parametrize("marker", csv_files.MARKERS)
@pytest.mark.parametrize("values", [["1", "2"], ["x", "y"], ["true", "false"], ["2024-01-01"], ["10:30"]])
def test_every_marker_is_missing_in_every_kind_of_column(tmp_path, marker, values):
    _, got, fact = column(tmp_path, [*values, marker])
    assert got[-1] is None
    assert None not in got[:-1]
    assert fact == f"1 missing ({marker or 'empty'})"


def test_a_marker_of_ones_own(tmp_path):
    assert column(tmp_path, ["1", "-999"], missing=("-999",))[1] == [1, None]


# --- How a file is written ---


@pytest.mark.parametrize("sep", csv_files.SEPARATORS)
@pytest.mark.parametrize("quoted", [False, True])
def test_the_separator_is_found(tmp_path, sep, quoted):
    text = '"x, y; z"' if quoted else "x"
    lines = [sep.join(["a", "b", "c"]), *(sep.join([str(i), text, "1.5"]) for i in range(30))]
    found = read(tmp_path, "\n".join(lines) + "\n")
    assert found.table.column_names == ["a", "b", "c"]
    assert found.table["c"].to_pylist() == [1.5] * 30


def test_decimal_commas_are_found_and_thousands_are_said(tmp_path):
    assert column(tmp_path, ["1,5", "2", "-0,25"])[1] == [1.5, 2.0, -0.25]
    assert column(tmp_path, ["1.234,5", "7"], decimal=",", thousands=".")[1] == [1234.5, 7.0]
    assert column(tmp_path, ["1'234.5", "7"], thousands="'")[1] == [1234.5, 7.0]
    assert column(tmp_path, ["1,5", "x"])[0] == "text"
    assert column(tmp_path, ["1 234", "12 34"], thousands=" ")[0] == "text"  # these are no groups of three


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252", "latin-1"])
def test_encodings_are_found_by_their_marks_or_said(tmp_path, encoding):
    options = {"encoding": encoding}
    assert read(tmp_path, "größe;y\n1;ä\n", **options).table["größe"].to_pylist() == [1]
    if encoding in ("cp1252", "latin-1"):
        with pytest.raises(tables.TableError, match=r"line 1: byte 0xf6 is no utf-8; --encoding names another"):
            tables.read_table(tmp_path / "t.csv")
    else:
        assert tables.read_table(tmp_path / "t.csv").table["y"].to_pylist() == ["ä"]


def test_a_file_of_gzip_is_read_and_a_damaged_one_refused(tmp_path):
    path = tmp_path / "t.csv.gz"
    path.write_bytes(gzip.compress(b"a,b\n1,x\n"))
    assert tables.read_table(path).table.num_rows == 1
    for content in (b"no gzip", path.read_bytes()[:-9], b"\x1f\x8b" + bytes(20)):
        path.write_bytes(content)
        with pytest.raises(tables.TableError, match=r"t\.csv\.gz cannot be read"):
            tables.read_table(path)


def test_lines_are_those_of_the_file_though_a_value_has_several(tmp_path):
    text = 'a,b\n1,"two\nlines"\n\nx,y\n'
    with pytest.raises(tables.TableError, match=r"t\.csv, line 5: column 'a' holds 'x'; wants a number"):
        read(tmp_path, text, {"a": "number"})


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (["1", "2", "abc"], "text, though 2 of 3 values are numbers: not so 'abc' in line 4"),
        (["1.234,5"], "--thousands and --decimal say how"),
        (["$5"], "its sign has to go"),
        (["12 %"], "its sign has to go"),
    ],
)
def test_texts_that_were_meant_as_numbers_are_named(tmp_path, values, said):
    kind, _, fact = column(tmp_path, values)
    assert kind == "text"
    assert said in fact


@pytest.mark.parametrize(
    ("option", "value"), [("--sep", "ab"), ("--decimal", ""), ("--thousands", ".."), ("--encoding", "klingon")]
)
def test_an_impossible_mark_is_refused(tmp_path, option, value):
    (tmp_path / "t.csv").write_text("a,b\n1,x\n2,y\n" * 5)
    result = CliRunner().invoke(commands, ["train", "t.csv", "--target", "b", option, value])
    assert result.exit_code in (1, 2)
    assert option in result.output


# --- Train and predict ---


def messy(rows=120):
    rng = np.random.default_rng(0)
    size = rng.normal(5, 2, rows)
    lines = ["Größe;Datum;Zeit;Farbe;leer;Klasse"]
    for i, value in enumerate(size):
        text = f"{value:.3f}".replace(".", ",") if i % 10 else "?"
        colour = ["rot", "blau", "-"][i % 3]
        lines.append(
            f"{text};{1 + i % 28}.{1 + i % 12}.2021;{i % 24}:{i % 60:02d};{colour};;{'ja' if value > 5 else 'nein'}"
        )
    return "\n".join(lines) + "\n"


def test_a_messy_file_is_learned_and_predicted_as_it_was_read(tmp_path):
    (tmp_path / "t.csv").write_text(messy(), encoding="cp1252")
    said = run("train", "t.csv", "--target", "Klasse", "--encoding", "cp1252", "--hidden", "32", "--members", 1)
    for row in (
        "120 rows, separated by semicolons, cp1252, decimal commas",
        "Größe   number                12 missing (?)",
        "Datum   date",
        "Zeit    time",
        "Farbe   text, 2 different     40 missing (-)",
        "leer    nothing: left out     120 missing (empty)",
        "Klasse  target, 2 classes",
    ):
        assert f"  {row}\n" in said or f"{row}\n" in said
    run("predict", "model.fastnn", "t.csv", "-o", "out.csv", "--encoding", "cp1252")
    out = tables.read_table(tmp_path / "out.csv").table["Klasse"].to_pylist()
    assert np.mean(np.array(out) == [line.rpartition(";")[2] for line in messy().splitlines()[1:]]) > 0.85
    one = "Größe;Datum;Zeit;Farbe;leer;Klasse\n7;1.1.2021;3:00;rot;;ja\n"  # which shows no decimal comma
    (tmp_path / "one.csv").write_text(one)
    run("predict", "model.fastnn", "one.csv", "-o", "one.parquet", "--probabilities")
    (tmp_path / "bad.csv").write_text(one + "acht;1.1.2021;3:00;rot;;ja\n")
    said = run("predict", "model.fastnn", "bad.csv", "-o", "out.csv", code=1)
    assert "Error: bad.csv, line 3: column 'Größe' holds 'acht'; wants a number" in said


def test_categories_of_parquet_stay_categories(tmp_path):

    codes = pa.array(["7", "8", None, "7"] * 60).dictionary_encode()
    parquet.write_table(pa.table({"code": codes, "y": ["a", "b", "b", "a"] * 60}), tmp_path / "t.parquet")
    said = run("train", "t.parquet", "--target", "y", "--hidden", "32", "--members", 1, "--epochs", 40)
    assert "code  category, 2 different 60 missing" in said
    (tmp_path / "new.csv").write_text("code\n7\n8\n")
    run("predict", "model.fastnn", "new.csv", "-o", "out.csv")
    assert tables.read_table(tmp_path / "out.csv").table["y"].to_pylist() == ["a", "b"]


def test_many_texts_come_back_as_they_were_learned(tmp_path):
    """Those that have n-grams in common, too."""
    from fastnn.sklearn import TabularClassifier

    rng = np.random.default_rng(0)
    texts = [f"{'red' if i % 2 else 'blue'} thing {rng.integers(10**6)}" for i in range(300)]

    table = pa.table({"text": texts, "x": rng.normal(size=300)})
    fitted = TabularClassifier((8,), epochs=2, n_ensemble=2, backend="numpy", random_state=0)
    fitted.fit(table, np.arange(300) % 2)
    described = {"columns": [], "target": {"name": "y", "task": "classification", "floats": False}}
    described["csv"] = {"decimal": ".", "thousands": None, "missing": []}
    keeping.save(tmp_path / "m.fastnn", described, fitted)
    _, loaded = keeping.load(tmp_path / "m.fastnn")
    np.testing.assert_allclose(loaded.predict_proba(table), fitted.predict_proba(table), rtol=1e-5, atol=1e-7)
    assert loaded.predict(table).tolist() == fitted.predict(table).tolist()


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_the_score_is_drawn(tmp_path, task):
    pytest.importorskip("matplotlib")
    rng = np.random.default_rng(0)
    rows = [f"{a:.3f},{'a' if a > 0 else 'b'},{2 * a:.3f}" for a in rng.normal(size=60)]
    (tmp_path / "t.csv").write_text("x,k,z\n" + "\n".join(rows) + "\n")
    said = run("train", "t.csv", "--target", "k" if task == "classification" else "z", "--plot", "p.png", *QUICK)
    assert "drawn in p.png" in said
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")
    said = run("train", "t.csv", "--target", "k", "--plot", "p.png", "--holdout", 0, *QUICK, code=1)
    assert "wants a --holdout above 0" in said


# --- Hostile files ---


@pytest.mark.parametrize("content", [b"no ZIP", b"", b"PK\x03\x04 cut"])
def test_an_npz_that_is_no_zip_is_refused_in_one_line(tmp_path, content):
    (tmp_path / "t.npz").write_bytes(content)
    said = run("train", "t.npz", "--target", "y", code=1)
    assert said.startswith("Error: t.npz is no .npz file")
    assert said.count("\n") == 1


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """The document and the arrays of a model's file."""
    folder = tmp_path_factory.mktemp("model")
    (folder / "t.csv").write_text("x,c,y\n" + "1,u,a\n2,v,b\n3,,a\n4,u,b\n" * 10)
    arguments = ["train", folder / "t.csv", "--target", "y", *QUICK, "-o", folder / "m.fastnn"]
    assert CliRunner().invoke(commands, [str(a) for a in arguments]).exit_code == 0
    return model_file.load(folder / "m.fastnn")


def places(value, at=()):
    yield at
    for key, part in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from places(part, (*at, key))


def test_a_model_that_somebody_wrote_by_hand_gives_no_traceback(model, tmp_path):

    document, arrays = model
    (tmp_path / "t.csv").write_text("x,c\n1,u\n")
    everywhere = [at for at in places(document["table"]) if at]
    rng = np.random.default_rng(0)
    outcomes = set()
    for place in rng.choice(len(everywhere), 60, replace=False):
        at, made = everywhere[place], copy.deepcopy({"table": document["table"]})
        part = made["table"]
        for key in at[:-1]:
            part = part[key]
        part[at[-1]] = rng.choice(np.array([None, 7, "text", [], {"object": "os.system"}, {"array": "x"}], object))
        model_file.save(tmp_path / "m.fastnn", made, arrays)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result = CliRunner().invoke(commands, ["predict", "m.fastnn", "t.csv", "-o", "out.csv"])
        outcomes.add(result.exit_code)
        assert result.exception is None or isinstance(result.exception, SystemExit), (at, result.exception)
    assert outcomes == {0, 1}


def test_a_model_holds_no_class_but_those_of_tables(model, tmp_path):
    document, arrays = model
    document = {"table": {**document["table"], "estimator": {"object": "Popen", "state": {"dict": []}}}}
    model_file.save(tmp_path / "m.fastnn", document, arrays)
    with pytest.raises(fastnn.ModelFileError, match="Popen"):
        keeping.load(tmp_path / "m.fastnn")


def test_time_is_linear_in_the_columns(tmp_path, monkeypatch):
    """Counted by the columns that are looked at, and not by the clock."""
    looked = []
    converted = csv_files.CsvFile._converted
    monkeypatch.setattr(
        csv_files.CsvFile, "_converted", lambda self, *given: (looked.append(1), converted(self, *given))[1]
    )
    names = [f"c{i}" for i in range(600)]
    rows = [",".join([*map(str, range(i, i + 600)), "ab"[i % 2]]) for i in range(12)]
    (tmp_path / "t.csv").write_text(",".join([*names, "y"]) + "\n" + "\n".join(rows) + "\n")
    said = run("train", "t.csv", "--target", "y", *QUICK)
    assert "... of 600 columns: 600 number" in said
    assert len(looked) == 601
