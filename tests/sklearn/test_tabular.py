"""Estimators for tables: scikit-learn's checks, tables as people have them, and what is kept."""

import datetime
import decimal
import pickle

import numpy as np
import pytest

pytest.importorskip("sklearn")
pd = pytest.importorskip("pandas")

from backends import why_missing  # noqa: E402
from sklearn.base import clone  # noqa: E402
from sklearn.datasets import load_breast_cancer, load_diabetes  # noqa: E402
from sklearn.inspection import permutation_importance  # noqa: E402
from sklearn.model_selection import train_test_split  # noqa: E402
from sklearn.utils.estimator_checks import parametrize_with_checks  # noqa: E402

from fastnn.sklearn import TabularClassifier, TabularRegressor  # noqa: E402
from fastnn.sklearn.columns import TableEncoder, bin_edges, kind_of, quantiles  # noqa: E402
from fastnn.sklearn.ensemble import held_out, side_by_side  # noqa: E402
from fastnn.sklearn.reading import columns_of  # noqa: E402
from fastnn.sklearn.recipe import recipe_for  # noqa: E402

SMALL = {
    "hidden_layer_sizes": (16, 16),
    "epochs": 60,
    "n_ensemble": 1,
    "batch_size": 64,
    "backend": "auto" if why_missing("cython") else "cython",
}


@parametrize_with_checks([TabularClassifier(**SMALL), TabularRegressor(**SMALL)])
def test_scikit_learns_checks(estimator, check):
    check(estimator)


# --- Tables ---


def encoded(*tables, bins=0, most=10, components=0):
    """The encoding of each table, as the first one's fit has it, before scaling."""
    encoder, owner = TableEncoder(bins, most, components), TabularRegressor()
    encoder.fit_transform(columns_of(owner, tables[0], reset=True))
    return [
        np.hstack(
            [c.transform(x.values) for c, x in zip(encoder.columns, columns_of(owner, table, reset=False), strict=True)]
        )
        for table in tables
    ]


def test_numbers_have_gaps_filled_and_told():
    train, test = encoded(pd.DataFrame({"a": [1.0, 2.0, 6.0, None]}), pd.DataFrame({"a": [None, 7.0]}))
    np.testing.assert_allclose(train, [[-0.4, 0], [0, 0], [1.6, 0], [0, 1]], rtol=1e-6)  # quartiles 1.5 and 4
    np.testing.assert_allclose(test, [[0, 1], [2, 0]], rtol=1e-6)


def test_numbers_are_cut_into_bins_of_as_many_rows():
    np.testing.assert_allclose(bin_edges(np.arange(101.0), 4), [0, 25, 50, 75, 100])
    np.testing.assert_array_equal(bin_edges(np.array([5.0, 6, 9, 9]), 2), [5, 6, 9])
    often = np.concatenate([np.zeros(900), np.arange(1, 102)])  # one value fills all bins, if it may
    np.testing.assert_allclose(bin_edges(often, 5), [0, 1, 26, 51, 76, 101])


def test_each_bin_has_a_column_that_goes_up_in_it():
    values = [0.0] * 300 + [2.0] * 300 + [10.0] * 300
    train, test = encoded(pd.DataFrame({"a": values}), pd.DataFrame({"a": [-1, 1, 2, 8, 99]}), bins=48)
    np.testing.assert_array_equal(train[[0, 400, 800], 1:], [[0, 0], [1, 0], [1, 1]])
    np.testing.assert_allclose(test[:, 1:], [[0, 0], [0.5, 0], [1, 0], [1, 0.75], [1, 1]])


def test_there_are_fewer_bins_where_they_would_be_too_many():
    rng = np.random.default_rng(0)
    for rows, columns, bins in [(900, 2, 9), (700, 2, 0), (900, 120, 8), (900, 130, 0)]:
        (x,) = encoded(pd.DataFrame(rng.random((rows, columns))), bins=48)
        assert x.shape == (rows, columns * (1 + bins))
    (few,) = encoded(pd.DataFrame({"a": [5, 6, 9] * 300}), bins=48)
    np.testing.assert_array_equal(few[:3, 1:], [[0, 0], [1, 0], [1, 1]])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_quantiles_of_whole_weights_are_those_of_copies(dtype):
    rng = np.random.default_rng(0)
    for rows in (1, 2, 7, 100):
        x = rng.normal(size=(rows, 2)).round(1).astype(dtype)
        weight = rng.integers(1, 5, rows)
        for q in ([0.25, 0.5, 0.75], np.linspace(0, 1, 8)):
            wanted = np.quantile(x.repeat(weight, axis=0), q, axis=0)
            np.testing.assert_array_equal(quantiles(x, q, weight.astype(float)), wanted)


def test_weights_are_copies_to_the_encoding(mixed):
    table = mixed[0].assign(id=[f"number {i % 150}" for i in range(300)])
    weight = np.random.default_rng(0).integers(1, 10, 300)
    copies = table.loc[table.index.repeat(weight)]
    for components in (0, 3):
        weighted, copied = TableEncoder(48, 100, components), TableEncoder(48, 100, components)
        owner = TabularRegressor()
        weighted.fit_transform(columns_of(owner, table, reset=True), weight.astype(float))
        copied.fit_transform(columns_of(owner, copies, reset=True))
        a, b = (each.transform(columns_of(owner, table, reset=False)) for each in (weighted, copied))
        assert a.shape == b.shape
        assert a.shape[1] > 150  # bins, for there are more than 800 rows
        plain = a.shape[1] - components
        np.testing.assert_array_equal(a[:, :plain], b[:, :plain])


@pytest.mark.parametrize("kind", ["object", "category", "string"])
def test_texts_are_columns_and_unseen_ones_none(kind):
    train = pd.DataFrame({"a": ["x", "y", "x", None, "z", "x", "y"]}).astype(kind)
    test = pd.DataFrame({"a": ["y", None, "new"]}).astype(kind)
    one, two = encoded(train, test)
    assert one.shape == (7, 4)
    np.testing.assert_array_equal(one.sum(axis=1), np.ones(7))
    np.testing.assert_array_equal(two[0], one[1])
    np.testing.assert_array_equal(two[1], one[3])
    np.testing.assert_array_equal(two[2], np.zeros(4))


def test_two_categories_are_one_column():
    train, test = encoded(pd.DataFrame({"a": ["x", "y", "x"]}), pd.DataFrame({"a": ["y", "new"]}))
    np.testing.assert_array_equal(train, [[1], [-1], [1]])
    np.testing.assert_array_equal(test, [[-1], [0]])


def test_rare_categories_share_a_column_and_texts_are_summed_up():
    texts = [f"street {i}, town {i % 3}" for i in range(60)] + ["common"] * 5
    train, test = encoded(pd.DataFrame({"a": texts}), pd.DataFrame({"a": ["street 999, town 1"]}), components=4)
    assert train.shape == (65, 10 + 4)
    np.testing.assert_array_equal(train[:, :10].sum(axis=1), np.ones(65))
    assert test[0, 9] == 1
    near, far = (np.linalg.norm(train[i, 10:] - test[0, 10:]) for i in (1, 64))
    assert near < far


def test_integers_that_became_floats_are_the_same_categories():
    train = pd.DataFrame({"a": pd.Categorical([1, 2, 3])})
    test = pd.DataFrame({"a": pd.Categorical([1.0, None, 3.0])})
    one, two = encoded(train, test)
    np.testing.assert_array_equal(two[[0, 2]], one[[0, 2]])


def read(values):
    """A column's numbers, before they are scaled."""
    (column,) = columns_of(TabularRegressor(), pd.DataFrame({"a": values}), reset=True)
    return kind_of(column)("a", 0).read(column.values)


@pytest.mark.parametrize("zone", [None, "UTC"])
def test_dates_are_days_month_weekday_and_hour(zone):
    dates = pd.to_datetime(["1970-01-02 12:00", "1971-03-01 00:00", None]).tz_localize(zone)
    np.testing.assert_allclose(np.transpose(read(dates)), [[1.5, 0, 4, 12], [424, 2, 0, 0], [np.nan] * 4])  # a Friday
    np.testing.assert_allclose(np.ravel(read([datetime.date(1970, 1, 2)])), [1, 0, 4, 0])
    (x,) = encoded(pd.DataFrame({"a": dates}))
    np.testing.assert_array_equal(x[2, 1::2], np.ones(4))


@pytest.mark.parametrize(
    "values",
    [
        pd.array([1, None, 3], "Int64"),
        pd.array([True, None, False], "boolean"),
        pd.to_timedelta([1, None, 3], "D"),
        [1, None, 3.5],
        [decimal.Decimal(1), None, decimal.Decimal("3.5")],
    ],
)
def test_numbers_come_in_many_kinds(values):
    x = read(values)
    np.testing.assert_array_equal(np.isnan(x), [pd.isna(value) for value in values])
    assert x[0] == 1


def test_what_is_not_a_number_is_named():
    encoder, owner = TableEncoder(0, 10, 0), TabularRegressor()
    encoder.fit_transform(columns_of(owner, pd.DataFrame({"age": [1, 2]}), reset=True))
    with pytest.raises(ValueError, match="X has texts in column 'age', such as 'old'; wants numbers"):
        encoder.transform(columns_of(owner, pd.DataFrame({"age": [1, "old"]}), reset=False))
    with pytest.raises(ValueError, match="X has infinity in column 'age'"):
        encoder.transform(columns_of(owner, pd.DataFrame({"age": [1, np.inf]}), reset=False))


def test_a_table_of_arrow_is_that_of_pandas():
    pyarrow = pytest.importorskip("pyarrow")
    table = pd.DataFrame({"a": [1.0, None, 3.0], "b": ["x", None, "z"], "c": [True, False, True]})
    np.testing.assert_array_equal(*(encoded(t)[0] for t in (table, pyarrow.Table.from_pandas(table))))


def test_columns_are_centred_scaled_and_drawn_nearer():
    rng = np.random.default_rng(0)
    x = rng.normal(5, 3, (1001, 2))
    x[0] = 1e6
    x[:, 1] = x[:, 1] > 10  # rarely: its quartiles are equal
    z = TableEncoder(0, 10, 0).fit_transform(columns_of(TabularRegressor(), x, reset=True))
    low, middle, high = np.quantile(x[:, 0], [0.25, 0.5, 0.75])
    wanted = (x[:, 0] - middle) / (high - low)
    np.testing.assert_allclose(z[:, 0], 3 * np.arcsinh(wanted / 3), rtol=1e-4, atol=1e-5)
    assert z[0, 0] == pytest.approx(3 * np.log(2 * wanted[0] / 3))
    np.testing.assert_allclose(np.unique(z[:, 1]), [0, 3 * np.arcsinh(2 / 3)], rtol=1e-5)


# --- Estimators ---


@pytest.fixture(scope="module")
def mixed():
    """A table with everything in it, classes and values."""
    rng = np.random.default_rng(0)
    colour = rng.choice(["red", "green", "blue"], 300)
    size = rng.normal(size=300)
    y = size + (colour == "red")
    table = pd.DataFrame(
        {
            "size": np.where(rng.random(300) < 0.1, np.nan, size),
            "colour": np.where(rng.random(300) < 0.05, None, colour),
            "when": pd.to_datetime("2024-01-01") + pd.to_timedelta(rng.integers(0, 400, 300), "D"),
            "noise": rng.random(300) < 0.5,
        }
    )
    return table, np.where(y > 0.3, "many", "few"), y


def test_a_raw_table_is_learned(mixed):
    table, labels, y = mixed
    classifier = TabularClassifier(**SMALL, random_state=0).fit(table[:200], labels[:200])
    regressor = TabularRegressor(**SMALL, random_state=0).fit(table[:200], y[:200])
    assert classifier.score(table[200:], labels[200:]) > 0.8
    assert regressor.score(table[200:], y[200:]) > 0.6
    assert list(classifier.classes_) == ["few", "many"]
    np.testing.assert_allclose(classifier.predict_proba(table).sum(axis=1), 1)


def test_defaults_are_good_on_small_tables():
    x, y = load_breast_cancer(return_X_y=True)
    x, x_test, y, y_test = train_test_split(x, y, random_state=0)
    assert TabularClassifier(backend=SMALL["backend"], random_state=0).fit(x, y).score(x_test, y_test) > 0.94
    x, y = load_diabetes(return_X_y=True)
    x, x_test, y, y_test = train_test_split(x, y, random_state=0)
    assert TabularRegressor(backend=SMALL["backend"], random_state=0).fit(x, y).score(x_test, y_test) > 0.25


def test_importances_find_what_counts(mixed):
    table, labels, _ = mixed
    model = TabularClassifier(**SMALL, random_state=0).fit(table, labels)
    importances = permutation_importance(model, table, labels, n_repeats=3, random_state=0).importances_mean
    assert importances.argmax() == 0
    assert importances[:2].min() > importances[2:].max()


def test_an_ensemble_is_the_mean_of_its_members(mixed):
    table, _, y = mixed
    model = TabularRegressor(**SMALL | {"n_ensemble": 3}, threads=2, random_state=0).fit(table, y)
    again = TabularRegressor(**SMALL | {"n_ensemble": 3}, threads=1, random_state=0).fit(table, y)
    np.testing.assert_array_equal(model.predict(table), again.predict(table))
    alone = []
    for member in model.models_:
        single = pickle.loads(pickle.dumps(model))
        single.models_ = [member]
        alone.append(single.predict(table))
    assert not np.allclose(alone[0], alone[1])
    np.testing.assert_allclose(model.predict(table), np.mean(alone, axis=0))
    assert len(model.best_epochs_) == len(model.loss_curves_) == 3


@pytest.mark.parametrize(("members", "threads"), [(1, 2), (2, 2), (3, 2), (5, 4), (4, 1), (2, 8)])
def test_every_member_is_trained_once(members, threads):
    trained = []
    side_by_side(lambda number, threads: trained.append((number, threads)), members, threads, lambda: None)
    assert sorted(number for number, _ in trained) == list(range(members))
    assert all(1 <= given <= threads for _, given in trained)


def test_the_best_end_of_a_cycle_is_kept(mixed):
    table, labels, _ = mixed
    model = TabularClassifier(**SMALL, random_state=0).fit(
        table[:200], labels[:200], X_val=table[200:], y_val=labels[200:]
    )
    (curve,), (best,) = model.validation_curves_, model.best_epochs_
    assert len(curve) in (14, 29, 60)
    assert best in (2, 6, 14, 29, 60)
    assert model.score(table[200:], labels[200:]) == pytest.approx(curve[best - 1])
    y = (np.arange(200) % 2).astype(float)  # there is nothing to learn: the less, the better
    noise = np.random.default_rng(0).normal(size=(200, 5))
    model = TabularRegressor(**SMALL | {"n_ensemble": 2}, random_state=0).fit(noise, y)
    assert model.best_epochs_ == [2, 2]  # one for all


def test_without_held_out_rows_the_last_epoch_is_kept(mixed):
    table, labels, _ = mixed
    model = TabularClassifier(**SMALL, validation_fraction=0, random_state=0).fit(table, labels)
    assert model.best_epochs_ == [60]
    assert model.validation_curves_ == [[]]


def test_several_outputs(mixed):
    table, _, y = mixed
    model = TabularRegressor(**SMALL, random_state=0).fit(table, np.stack([y, 100 - 50 * y], axis=1))
    both = model.predict(table)
    assert both.shape == (300, 2)
    assert np.corrcoef(both.T)[0, 1] < -0.9


def test_weights_count(mixed):
    table, labels, _ = mixed
    weight = np.where(labels == "many", 1.0, 1e-6)
    model = TabularClassifier(**SMALL, random_state=0).fit(table, labels, sample_weight=weight)
    assert (model.predict(table) == "many").mean() > 0.95
    again = clone(model).fit(table, labels, sample_weight=weight / 1024)
    np.testing.assert_array_equal(again.predict_proba(table), model.predict_proba(table))


@pytest.mark.parametrize("kind", [TabularClassifier, TabularRegressor])
def test_a_weight_is_a_number_of_copies_in_any_order(mixed, kind):
    table, labels, y = (each[:50] for each in mixed)
    y = labels if kind is TabularClassifier else y
    table = table.drop(columns="colour")  # categories that are as frequent come in the order in which they are seen
    weight = np.random.default_rng(0).integers(0, 4, 50)
    settings = SMALL | {"n_ensemble": 2, "epochs": 5, "batch_size": 16}
    weighted = kind(**settings, random_state=0).fit(table, y, sample_weight=weight)
    copies = np.random.default_rng(1).permutation(np.arange(50).repeat(weight))
    copied = kind(**settings, random_state=0).fit(table.iloc[copies], y[copies])
    probable = "predict_proba" if kind is TabularClassifier else "predict"
    np.testing.assert_allclose(getattr(weighted, probable)(table), getattr(copied, probable)(table), rtol=1e-12)
    assert weighted.best_epochs_ == copied.best_epochs_


@pytest.mark.parametrize("classes", [None, np.tile([0, 1], 20)])
def test_copies_of_a_row_are_held_out_together(classes):
    x = (np.arange(40) // 4)[:, np.newaxis].astype(np.float32)
    for seed in range(5):
        for held in held_out(x, 0.2, classes, 3, seed):
            assert held.sum() == 8
            assert not set(x[held].ravel()) & set(x[~held].ravel())


def test_each_network_holds_out_other_rows_of_the_same_proportions():
    x = np.arange(400.0)[:, np.newaxis]
    classes = np.random.default_rng(0).permutation(np.repeat([0, 1, 2], [320, 60, 20]))
    for labels in (None, classes):
        parts = held_out(x, 0.25, labels, 6, 0)
        np.testing.assert_array_equal(np.sum(parts[:4], axis=0), np.ones(400))
        np.testing.assert_array_equal(parts[4], parts[0])  # there are no others left
        assert not np.array_equal(parts[0], held_out(x, 0.25, labels, 1, 1)[0])
    for part in parts:
        np.testing.assert_allclose(np.bincount(classes[part]), [80, 15, 5], atol=1)
    assert not np.any(held_out(x[:3], 0.1, None, 2, 0))


def test_the_recipe_is_by_the_number_of_rows():
    few, some, many = (recipe_for(TabularClassifier(), rows, 4) for rows in (150, 2_000, 20_000))
    assert (few.batch_size, some.batch_size, many.batch_size) == (32, 128, 256)
    assert few.hidden == some.hidden == [128, 128, 128]
    assert many.hidden == [256, 256, 256]
    assert (few.ends, few.epochs, few.validation_fraction) == ([2, 6, 14, 31, 64], 64, 0.25)
    assert (many.ends, many.cycles) == ([4, 13, 30, 64], 4)
    given = recipe_for(TabularClassifier(8, batch_size=5, epochs=2, validation_fraction=0), 20_000, 1)
    assert (given.hidden, given.batch_size, given.ends, given.validation_fraction) == ([8], 5, [1, 2], 0)


@pytest.mark.parametrize("factor", [1, 0.5, 1000])
def test_rows_of_weight_0_are_not_there(mixed, factor):
    table, labels, _ = mixed
    table, labels = table.copy(), labels.astype(object)
    table.loc[:9, "colour"], labels[:10] = "purple", "none"
    weight = factor * (np.arange(300) >= 10)
    model = TabularClassifier(**SMALL | {"epochs": 3}, random_state=0).fit(table, labels, sample_weight=weight)
    assert list(model.classes_) == ["few", "many"]
    there = clone(model).fit(table[10:], labels[10:], sample_weight=weight[10:])
    np.testing.assert_array_equal(model.predict_proba(table), there.predict_proba(table))
    with pytest.raises(ValueError, match=r"(?i)sample.weight"):
        model.fit(table, labels, sample_weight=np.zeros(300))


def test_more_weight_than_can_be_copied_weighs(mixed):
    table, _, y = mixed
    first = np.arange(300) < 150
    model = TabularRegressor(**SMALL, random_state=0)
    model.fit(table[["noise"]], y + 10 * ~first, sample_weight=np.where(first, 1e6, 1e5))
    assert np.mean(model.predict(table[["noise"]])) == pytest.approx(np.mean(y) + 10 / 11, abs=0.2)


def test_pickles_hold_no_more_than_the_network(mixed):
    table, _, y = mixed
    model = TabularRegressor(backend=SMALL["backend"], epochs=1, n_ensemble=1, random_state=0).fit(table, y)
    pickled = pickle.dumps(model)
    np.testing.assert_array_equal(pickle.loads(pickled).predict(table), model.predict(table))
    assert len(pickled) < 4.5 * sum(w.size for w in model.models_[0].get_weights())


def test_seeds_repeat_and_clones_forget(mixed):
    table, _, y = mixed
    model = TabularRegressor(**SMALL, random_state=3).fit(table, y)
    np.testing.assert_array_equal(model.predict(table), clone(model).fit(table, y).predict(table))
    assert not hasattr(clone(model), "models_")


@pytest.mark.parametrize(
    ("argument", "value"),
    [("epochs", 0), ("batch_size", 0), ("n_ensemble", 0), ("learning_rate", 0), ("validation_fraction", 1.0)],
)
def test_a_wrong_argument_is_named(mixed, argument, value):
    table, _, y = mixed
    with pytest.raises(ValueError, match=argument):
        TabularRegressor(**SMALL | {argument: value}).fit(table, y)


def test_labels_that_fit_did_not_see_are_refused(mixed):
    table, labels, _ = mixed
    with pytest.raises(ValueError, match="y_val got labels that y has not"):
        TabularClassifier(**SMALL).fit(table, labels, X_val=table[:2], y_val=["few", "none"])
