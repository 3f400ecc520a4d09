"""Tables' estimators as C99: with their columns' encoding they predict what predict_proba and predict do."""

import numpy as np
import pytest
from c_compiler import SANITIZE, library, needs_cc, predicted, run_tests

import fastnn.c

pd = pytest.importorskip("pandas")
pytest.importorskip("sklearn")

from fastnn.sklearn import MLPClassifier, TabularClassifier, TabularRegressor  # noqa: E402

pytestmark = needs_cc
DAY = pd.Timedelta(days=1)


def table(rows, seed=0):
    """A column of each kind, with names and categories that C cannot have, or that would be the same there."""
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "size cm": np.where(rng.random(rows) < 0.1, np.nan, rng.lognormal(3, 1, rows).astype(np.float32)),
            "colour": rng.choice(["red", "dark red", "dark-red", "*/ \\", "??/"], rows),
            "colour red": rng.random(rows) < 0.5,
            "class": rng.choice(["a", None, "b", "names"], rows),
            "day": np.where(
                rng.random(rows) < 0.1, None, pd.Timestamp("1969-12-20") + rng.integers(0, 900, rows) * DAY
            ),
            "two": rng.choice(["a", "b"], rows),
            "same": 1.0,
            "town": rng.choice([f"t{k}" for k in range(8)], rows, p=[0.3, 0.2, 0.2, 0.1, 0.1, 0.05, 0.03, 0.02]),
            "nothing": None,
        }
    )


def as_c(X, encoder):
    """Rows as C has them: the numbers of categories are those of the header, in the order of their frequency."""
    found = np.full(X.shape, np.nan)
    for place, (name, column) in enumerate(zip(X.columns, encoder.columns, strict=True)):
        if name == "day":
            found[:, place] = (pd.to_datetime(X[name]) - pd.Timestamp(0)) / DAY
        elif hasattr(column, "places"):
            known = [text for text in column.places if text != "\0"]
            found[:, place] = [np.nan if pd.isna(v) else known.index(v) if v in known else -1 for v in X[name]]
        elif name != "nothing":
            found[:, place] = X[name].astype(float)
    return found


@pytest.fixture(scope="module")
def fitted():
    X = table(900)
    large = (X["size cm"].fillna(20) > 20) ^ X["colour red"]
    options = {"epochs": 2, "text_components": 0, "max_categories": 5, "random_state": 0, "hidden_layer_sizes": (16,)}
    classifier = TabularClassifier(n_ensemble=2, **options).fit(X, np.where(large, 'say "y" \u00e9', "NAMES"))
    Y = np.column_stack([large * 1000.0, X["size cm"].fillna(0)])
    return classifier, TabularRegressor(n_ensemble=1, n_bins=0, **options).fit(X, Y)


def test_c_predicts_what_the_estimators_do(fitted, tmp_path):
    classifier, regressor = fitted
    X = table(300, seed=1)
    X.loc[3, ["colour", "two", "town"]] = "unheard of"
    for name, estimator in (("classes", classifier), ("values", regressor)):
        fastnn.c.export(estimator, tmp_path / f"{name}.c", test_vectors=True)
    made = library([tmp_path / "classes.c", tmp_path / "values.c"], tmp_path)
    x = as_c(X, classifier.encoder_)
    np.testing.assert_allclose(predicted(made, "classes", x, 2), classifier.predict_proba(X), atol=1e-5)
    wanted = regressor.predict(X)
    np.testing.assert_allclose(predicted(made, "values", x, 2), wanted, atol=1e-5 * np.abs(wanted).max())
    assert run_tests(["classes", "values"], tmp_path, *SANITIZE).count("the largest difference") == 2


def test_tables_without_anything_to_learn_from_are_written_too(tmp_path):
    X = pd.DataFrame({"nothing": [None] * 60, "same": 3.0, "missing": [None, 2.0] * 30})
    options = {"epochs": 1, "hidden_layer_sizes": (3,), "n_ensemble": 1}
    for name, columns in (("a", ["nothing"]), ("b", ["same"]), ("c", ["missing"])):
        estimator = TabularRegressor(**options).fit(X[columns], np.arange(60.0))
        fastnn.c.export(estimator, tmp_path / f"{name}.c", test_vectors=[[np.nan], [2.0], [3.0]])
    assert run_tests(["a", "b", "c"], tmp_path, *SANITIZE).count("the largest difference") == 3


def test_the_header_names_columns_categories_and_classes(fitted, tmp_path):
    fastnn.c.export(fitted[0], tmp_path / "net.c")
    header = (tmp_path / "net.h").read_text()
    lines = {line.split()[1]: line for line in header.splitlines() if line.startswith("#define ")}
    assert "NET_COLUMN_SIZE_CM 0" in header
    assert "NET_COLUMN_COLOUR_RED 2 /* 'colour red'" in header
    assert lines["NET_COLUMN_COLOUR_RED_2"].endswith("/* 'red' */")
    assert "days since 1970-01-01" in lines["NET_COLUMN_DAY"]
    assert len({name for name in lines if "DARK_RED" in name}) == 2
    assert "NET_CLASS_NAMES_2 0 /* 'NAMES' */" in header
    assert r'#define NET_CLASS_NAMES {"NAMES", "say \042y\042 \303\251"}' in header
    assert len(lines) == header.count("#define ")  # no name twice


def test_what_has_no_form_in_c_is_refused(fitted, tmp_path):
    X = pd.DataFrame({"text": [f"some {k} words {k % 7}" for k in range(120)]})
    estimator = TabularClassifier(epochs=1, max_categories=5, n_ensemble=1, hidden_layer_sizes=(4,))
    estimator.fit(X, np.arange(120) % 2)
    with pytest.raises(ValueError, match="column 'text' has principal components of its texts"):
        fastnn.c.export(estimator, tmp_path / "net.c")
    with pytest.raises(ValueError, match="dtype got 'int8' for a table's estimator"):
        fastnn.c.export(fitted[0], tmp_path / "net.c", dtype="int8")
    with pytest.raises(ValueError, match="test_vectors got shape"):
        fastnn.c.export(fitted[0], tmp_path / "net.c", test_vectors=np.ones((2, 2)))
    with pytest.raises(TypeError, match="model got MLPClassifier; wants a Sequential, a TabularClassifier or"):
        fastnn.c.export(MLPClassifier(), tmp_path / "net.c")
    assert not list(tmp_path.iterdir())
