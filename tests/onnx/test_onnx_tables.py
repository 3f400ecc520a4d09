"""Tabular estimators as ONNX files: a raw table goes in, and what predict gives comes out."""

import datetime
import fractions
import json
import math

import numpy as np
import onnxruntime
import pytest

import fastnn.onnx

pytest.importorskip("sklearn")
pd = pytest.importorskip("pandas")

from fastnn.onnx import tables  # noqa: E402
from fastnn.onnx.graph import Graph  # noqa: E402
from fastnn.sklearn import TabularClassifier, TabularRegressor  # noqa: E402
from fastnn.sklearn.columns import TableEncoder  # noqa: E402
from fastnn.sklearn.reading import columns_of  # noqa: E402

NO_DATE = np.iinfo(np.int64).min
RNG = np.random.default_rng(0)
ROWS = 900

# --- Columns: what fit sees, what comes later, and what is missing there as a graph takes it -------------------------


def drawn(values, missing=None, of=object, rows=ROWS):
    """A column of values drawn at random; a tenth of them missing, if there is something that stands for it."""
    chosen = np.array([*values, missing], object)
    places = RNG.integers(0, len(values), rows)
    if missing is not None:
        places[RNG.random(rows) < 0.1] = len(values)
    return pd.Series(chosen[places], dtype=of)


def numbers(rows=ROWS, scale=1e3, gaps=False):
    values = RNG.normal(size=rows) * scale
    return pd.Series(np.where(RNG.random(rows) < 0.2, np.nan, values) if gaps else values)


def dates(rows=ROWS, gaps=False, unit="s"):
    year = 31_556_952
    values = pd.Series(pd.to_datetime(RNG.integers(-300 * year, 200 * year, rows), unit="s")).astype(
        f"datetime64[{unit}]"
    )
    return values.mask(RNG.random(rows) < 0.2) if gaps else values


WORDS = [f"word {i}" for i in range(25)]
NAN = math.nan
SPANS = [datetime.timedelta(hours=hours) for hours in (-3, 5, 1000)]
DATES = [pd.Timestamp("2024-02-29 12:30:00"), pd.Timestamp("1969-07-20"), pd.Timestamp("2026-11-30 01:02:03.5")]
TIMES = [datetime.time(12, 30), datetime.time(0), datetime.time(23, 59, 59)]
COLUMNS = {
    "numbers": (numbers(), numbers(gaps=True)),
    "numbers with gaps": (numbers(gaps=True), numbers(gaps=True, scale=1e5)),
    "few numbers": (drawn([1, 2, 7], of=float), drawn([0, 1, 7, 9], NAN, float)),
    "far from 0": (1.7e12 + numbers(), 1.7e12 + numbers()),
    "integers": (pd.Series(RNG.integers(-5, 40, ROWS)), pd.Series(RNG.integers(-9, 60, ROWS))),
    "two numbers": (drawn([3, 4], of=int), drawn([3, 4], of=int)),
    "booleans": (drawn([False, True], of=bool), drawn([False, True], of=bool)),
    "nullable booleans": (drawn([False, True], pd.NA, "boolean"), drawn([False, True], pd.NA, "boolean")),
    "durations": (drawn(SPANS, pd.NaT, "timedelta64[s]"), drawn(SPANS, pd.NaT, "timedelta64[s]")),
    "times of day": (drawn(TIMES), drawn(TIMES, None)),
    "dates": (dates(), dates(gaps=True)),
    "dates with gaps": (dates(gaps=True, unit="us"), dates(unit="ms")),
    "two texts": (drawn(["x", "y"]), drawn(["x", "y", "z"], NAN)),
    "two texts and gaps": (drawn(["x", "y"], NAN), drawn(["x", "z"], NAN)),
    "text and gaps": (drawn(["x"], NAN), drawn(["x", "z"], NAN)),
    "texts": (drawn(["x", "größer", "z"]), drawn(["x", "größer", "z", "new", ""], NAN)),
    "texts and gaps": (drawn(["x", "y", "z"], None), drawn(["x", "y", "new"], None)),
    "empty texts": (drawn(["", "y", "z"]), drawn(["", "y", "new"], NAN)),
    "empty texts and gaps": (drawn(["", "y", "z"], NAN), drawn(["", "y", "new"], NAN)),
    "odd texts": (drawn(["a\0b", " a", "A", "a", "\0c"]), drawn(["a\0b", " a", "A", "a", "\0c", "\0\0c"], NAN)),
    "many texts": (drawn(WORDS[:20]), drawn(WORDS, NAN)),
    "many texts and gaps": (drawn(WORDS[:20], NAN), drawn(WORDS, NAN)),
    "categories": (drawn(["x", "y", "z"], NAN, "category"), drawn(["x", "new", "z"], NAN, "category")),
    "categories of integers": (drawn([1, 5, 1000], of="category"), drawn([1, 5, 7], of="category")),
    "categories of numbers": (drawn([0.1, 2.5, 3.0], NAN, "category"), drawn([0.1, 3.0, 4.0], NAN, "category")),
    "categories of booleans": (drawn([False, True], of="category"), drawn([False, True], NAN, "category")),
    "categories of spans": (drawn(SPANS, NAN, "category"), drawn(SPANS[:2], NAN, "category")),
    "categories of times": (drawn(TIMES, NAN, "category"), drawn(TIMES[:2], NAN, "category")),
    "categories of dates": (drawn(DATES, NAN, "category"), drawn(DATES[:2], NAN, "category")),
    "categories of fractions": (
        drawn([fractions.Fraction(1, 3), fractions.Fraction(1, 2), fractions.Fraction(5)], of="category"),
        drawn([fractions.Fraction(1, 3), fractions.Fraction(2, 3)], NAN, "category"),
    ),
    "texts and numbers": (drawn(["x", 3, 2.5]), drawn(["x", 3, 2.5, 4], NAN)),
    "the same everywhere": (drawn(["x"]), drawn(["x", "y"], NAN)),
    "nothing": (pd.Series(np.full(ROWS, NAN)), numbers(gaps=True)),
}


def fed(values, given):
    """A column as a graph takes it."""
    gone = values.isna().to_numpy()
    values = values.astype(object)
    if given.dtype is str:
        words = [given.missing if lost else written(v) for v, lost in zip(values, gone, strict=True)]
        return np.array(words, object)[:, None]
    if given.dtype is np.int64:
        return np.array([NO_DATE if lost else micros(v) for v, lost in zip(values, gone, strict=True)])[:, None]
    return np.array([NAN if lost else number(v) for v, lost in zip(values, gone, strict=True)])[:, None]


def written(value):
    if isinstance(value, datetime.datetime):
        return value.isoformat(timespec="microseconds")
    return f"{value:g}" if isinstance(value, int | float) else str(value)


def micros(value):
    return (value.to_pydatetime() - datetime.datetime(1970, 1, 1)) // datetime.timedelta(microseconds=1)


def number(value):
    if isinstance(value, datetime.time):
        return value.hour + value.minute / 60 + value.second / 3600
    return value / datetime.timedelta(days=1) if isinstance(value, datetime.timedelta) else float(value)


def session_of(model):
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


# --- The encoding ----------------------------------------------------------------------------------------------------


def read(table):
    return list(columns_of(TabularRegressor(), table, reset=True))


def assert_encoded_alike(table, later, bins=8, most=10):
    encoder = TableEncoder(bins, most, 0)
    encoder.fit_transform(read(table))
    graph = Graph("float32")
    given = [tables.input_of(column) for column in encoder.columns]
    names = [graph.input(str(name), each.dtype, (1,)) for name, each in zip(table.columns, given, strict=True)]
    graph.output("encoded", np.float32, (int(encoder.varies.sum()),), tables.encode(graph, encoder, names))
    session = session_of(graph.model({}))
    for some in (table, later, later[:1]):
        feeds = {name: fed(some[name], each) for name, each in zip(names, given, strict=True)}
        np.testing.assert_allclose(
            session.run(None, feeds)[0], encoder.transform(read(some)), rtol=1e-6, atol=1e-6, err_msg=str(names)
        )


@pytest.mark.parametrize("name", COLUMNS)
def test_a_column_is_encoded_as_in_predict(name):
    table, later = (pd.DataFrame({name: each}) for each in COLUMNS[name])
    for most in (10, 2, 1):  # categories
        assert_encoded_alike(table, later, most=most)


def test_columns_that_say_nothing():
    names = ["nothing", "the same everywhere"]
    for order in (names, names[::-1], names[:1]):
        table, later = (pd.DataFrame({name: COLUMNS[name][i] for name in order}) for i in (0, 1))
        assert_encoded_alike(table, later)


@pytest.mark.parametrize("bins", [0, 8])
def test_a_table_of_all_is_encoded_as_in_predict(bins):
    table, later = (pd.DataFrame({name: pair[i] for name, pair in COLUMNS.items()}) for i in (0, 1))
    assert_encoded_alike(table, later, bins)
    assert_encoded_alike(table[table.columns[::-1]], later[later.columns[::-1]], bins)


def test_columns_may_have_the_names_of_nodes():
    table = pd.DataFrame({name: numbers() for name in ("gather", "gather_1", "where", "x[0]", "hours-per week", "é")})
    assert_encoded_alike(table, table)


def test_every_day_of_400_years_and_the_ends_of_the_calendar():
    days = np.arange("1799-06-01", "2201-01-01", dtype="datetime64[D]").astype("datetime64[us]")
    ends = np.array(["0001-01-01", "1582-10-15", "1969-12-31T23:59:59.999999", "9999-12-31T23:59"], "datetime64[us]")
    later = pd.DataFrame(
        {"when": np.concatenate([days - np.timedelta64(1, "us"), days + np.timedelta64(9, "h"), ends])}
    )
    encoder = TableEncoder(8, 10, 0)
    encoder.fit_transform(read(later))
    graph = Graph("float32")
    x = graph.input("when", np.int64, (1,))
    graph.output("encoded", np.float32, (int(encoder.varies.sum()),), tables.encode(graph, encoder, [x]))
    (found,) = session_of(graph.model({})).run(None, {"when": later["when"].to_numpy().view(np.int64)[:, None]})
    np.testing.assert_allclose(found, encoder.transform(read(later)), rtol=1e-6, atol=1e-6)


# --- Estimators ------------------------------------------------------------------------------------------------------

QUICK = {"hidden_layer_sizes": (16,), "epochs": 3, "n_bins": 8, "max_categories": 10, "text_components": 0}


def run(model, later, path):
    """What a server makes of a raw table: it knows the file alone."""
    fastnn.onnx.export(model, path)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    said = json.loads(session.get_modelmeta().custom_metadata_map["fastnn.columns"])
    given = {each.name: each for each in session.get_inputs()}
    assert list(given) == [each["name"] for each in said]
    assert all(each.shape == ["batch", 1] for each in given.values())
    dtypes = {"tensor(double)": np.float64, "tensor(string)": str, "tensor(int64)": np.int64}
    feeds = {
        each["name"]: fed(
            later.iloc[:, place], tables.Input(dtypes[given[each["name"]].type], each["holds"], each["missing"])
        )
        for place, each in enumerate(said)
    }
    names = [each.name for each in session.get_outputs()]
    return dict(zip(names, session.run(None, feeds), strict=True)), session


def both_tables():
    return tuple(pd.DataFrame({name: pair[i] for name, pair in COLUMNS.items()}) for i in (0, 1))


@pytest.mark.parametrize("labels", [["no", "yes"], ["a", "b", "c"], [3, -1], [1.5, 2.5], [False, True]], ids=str)
def test_labels_of_all_rows_are_those_of_predict(labels, tmp_path):
    table, later = both_tables()
    score = table["numbers"] + 2000 * (table["texts"] == "x")
    y = np.array(labels)[np.digitize(score, np.quantile(score, np.linspace(0, 1, len(labels) + 1)[1:-1]))]
    if isinstance(labels[0], float):
        y = y.astype(str).astype(object)
    model = TabularClassifier(**QUICK, random_state=0).fit(table, y)
    for rows in (table, later):
        found, session = run(model, rows, tmp_path / "m.onnx")
        np.testing.assert_array_equal(found["label"], model.predict(rows))
        np.testing.assert_allclose(found["probabilities"], model.predict_proba(rows), rtol=0, atol=1e-6)
    assert found["probabilities"].dtype == np.float32
    assert json.loads(session.get_modelmeta().custom_metadata_map["fastnn.classes"]) == np.unique(y).tolist()
    assert [each.shape for each in session.get_outputs()] == [["batch"], ["batch", len(labels)]]


@pytest.mark.parametrize("outputs", [1, 2])
def test_values_are_those_of_predict(outputs, tmp_path):
    table, later = both_tables()
    y = np.column_stack([1e9 + table["numbers"], table["texts"] == "x"])[:, :outputs]
    model = TabularRegressor(**QUICK, n_ensemble=3, random_state=0).fit(table, y[:, 0] if outputs == 1 else y)
    found, _ = run(model, later, tmp_path / "m.onnx")
    wanted = model.predict(later).reshape(-1, outputs)
    scale = np.abs(wanted - model._mean).max(axis=0)
    np.testing.assert_allclose((found["variable"] - wanted) / scale, np.zeros_like(wanted), atol=1e-6)


def test_columns_without_names_and_names_of_outputs(tmp_path):
    x = np.column_stack([numbers(), numbers(gaps=True)])
    model = TabularRegressor(**QUICK, random_state=0).fit(x, x[:, 0])
    found, session = run(model, pd.DataFrame(x), tmp_path / "m.onnx")
    assert [each.name for each in session.get_inputs()] == ["x0", "x1"]
    np.testing.assert_allclose(found["variable"][:, 0], model.predict(x), rtol=0, atol=1e-6 * np.abs(x[:, 0]).max())
    table = pd.DataFrame({"label": x[:, 0], "": x[:, 1], "x1": x[:, 0]})
    model = TabularClassifier(**QUICK, random_state=0).fit(table, x[:, 0] > 0)
    found, session = run(model, table, tmp_path / "m.onnx")
    assert [each.name for each in session.get_inputs()] == ["label", "x1_", "x1"]
    np.testing.assert_array_equal(found["label_"], model.predict(table))


def test_components_of_texts_are_refused(tmp_path):
    table = pd.DataFrame({"remark": drawn(WORDS), "number": numbers()})
    model = TabularRegressor(**{**QUICK, "text_components": 3}, random_state=0).fit(table, table["number"])
    with pytest.raises(ValueError, match=r"column 'remark' has principal components .* wants text_components=0 in fit"):
        fastnn.onnx.export(model, tmp_path / "m.onnx")
    assert not (tmp_path / "m.onnx").exists()
