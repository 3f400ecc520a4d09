"""Many networks at once: each is what it would be alone."""

import threading

import numpy as np
import pytest

import fastnn
from fastnn import Ensemble, Sequential, layers
from fastnn.callbacks import CSVLogger, EarlyStopping, LambdaCallback
from fastnn.layers import Dense, Input


def network(**options):
    return Sequential([Input((2,)), Dense(8, "tanh"), layers.Dropout(0.1), Dense(1)], **options)


def table(rows=200):
    x = np.random.default_rng(0).normal(0, 1, (rows, 2))
    return x, x[:, 0] * x[:, 1]


def compiled(members=3, **options):
    ensemble = Ensemble(network(), members)
    ensemble.compile(**{"optimizer": "adam", "loss": "mse"} | options)
    return ensemble


def same(a, b):
    assert len(a) == len(b)
    for x, y in zip(a, b, strict=True):
        np.testing.assert_array_equal(x, y)


def test_members_are_what_they_would_be_alone(dtype):
    """A copy of a member that is trained alone ends with the same bits."""
    x, y = table()
    ensemble = compiled(4, dtype=dtype, learning_rate=[0.001, 0.01, 0.1, 0.3], l2=0.001)
    alone = []
    for member, rate in zip(ensemble, [0.001, 0.01, 0.1, 0.3], strict=True):
        member.build()
        draw = member._rng.bit_generator.state
        single = network()
        single.layers[0].kernel_regularizer = single.layers[2].kernel_regularizer = fastnn.regularizers.L1L2(0.0, 0.001)
        single.compile(fastnn.optimizers.Adam(rate), "mse", dtype=dtype, threads=1)
        single.set_weights(member.get_weights())
        single._rng.bit_generator.state = draw
        alone.append(single)
    history = ensemble.fit(x, y, epochs=3)
    for number, single in enumerate(alone):
        curve = single.fit(x, y, epochs=3, verbose=0).history["loss"]
        np.testing.assert_array_equal(history.history["loss"][number], curve)
        same(ensemble[number].get_weights(), single.get_weights())
        np.testing.assert_array_equal(ensemble.predict(x)[number], single.predict(x))
    assert len({float(weights[0][0, 0]) for weights in (member.get_weights() for member in ensemble)}) == 4


def test_any_number_of_threads_gives_the_same_bits():
    x, y = table()
    found = []
    for threads in (1, 2, 5, None):
        ensemble = compiled(5, threads=threads)
        ensemble.fit(x, y, epochs=2, bootstrap=True, validation_split=0.1)
        found.append(ensemble)
    for other in found[1:]:
        np.testing.assert_array_equal(other.history.history["val_loss"], found[0].history.history["val_loss"])
        for a, b in zip(other, found[0], strict=True):
            same(a.get_weights(), b.get_weights())


def test_seeds():
    first, again, other = Ensemble(network(), 3), Ensemble(network(), 5), Ensemble(network(), 3, seed=1)
    for ensemble in (first, again, other):
        ensemble.compile("sgd", "mse")
        for member in ensemble:
            member.build()
    same(first[2].get_weights(), again[2].get_weights())
    assert (first[2].get_weights()[0] != other[2].get_weights()[0]).any()
    assert (first[2].get_weights()[0] != first[1].get_weights()[0]).any()


def test_rows_for_all_and_for_each():
    x, y = table()
    each_x, each_y = np.stack([x, x + 1, 2 * x]), np.stack([y, y + 1, 2 * y])
    weight = np.abs(np.random.default_rng(1).normal(1, 0.2, (3, len(x))))
    ensemble, single = compiled(3), compiled(3)
    ensemble.fit(each_x, each_y, epochs=2, sample_weight=weight)
    for number in range(3):
        single[number].fit(each_x[number], each_y[number], epochs=2, sample_weight=weight[number], verbose=0)
        same(ensemble[number].get_weights(), single[number].get_weights())
    np.testing.assert_array_equal(ensemble.predict(each_x)[1], ensemble[1].predict(each_x[1]))
    losses = ensemble.evaluate(each_x, each_y)
    assert losses.shape == (3,)
    assert losses[2] == ensemble[2].evaluate(each_x[2], each_y[2], verbose=0)


def test_the_same_order_of_rows():
    x, y = table()
    for shuffle, alike in (("same", True), ("each", False)):
        ensemble = compiled(2)
        for member in ensemble:
            member.build()
        ensemble.copy(0, 1)
        ensemble.fit(x, y, shuffle=shuffle)
        equal = [(a == b).all() for a, b in zip(ensemble[0].get_weights(), ensemble[1].get_weights(), strict=True)]
        assert all(equal) == alike


def test_a_member_stops_alone():
    x, y = table()
    ensemble = compiled(3, learning_rate=[0.0, 0.01, 0.0])
    history = ensemble.fit(x, y, epochs=6, validation_split=0.2, callbacks=[EarlyStopping(patience=1)])
    curves = history.history["val_loss"]
    assert curves.shape == (3, 6)
    np.testing.assert_array_equal(np.isnan(curves).sum(axis=1), [4, 0, 4])
    assert ensemble.best("val_loss") is ensemble[int(np.nanargmin(history.last("val_loss")))]
    assert "3 members" in repr(history)


def test_constants_of_members():
    ensemble = compiled(
        2, optimizer="sgd", loss="huber", learning_rate=[0.1, 0.2], momentum=0.9, delta=[1, 2], dropout=[0.2, 0.3]
    )
    assert [member.optimizer.learning_rate for member in ensemble] == [0.1, 0.2]
    assert [member.optimizer.momentum for member in ensemble] == [0.9, 0.9]
    assert [member.loss.delta for member in ensemble] == [1, 2]
    assert [member.layers[1].rate for member in ensemble] == [0.2, 0.3]
    rate = fastnn.schedules.ExponentialDecay(0.1, 10, 0.9)
    ensemble.compile("adam", "mse", learning_rate=[rate, 0.1])
    assert [ensemble[0].optimizer.schedule, ensemble[1].optimizer.learning_rate] == [rate, 0.1]
    with pytest.raises(ValueError, match="momentum got 3 values; wants a number, or 2"):
        ensemble.compile("sgd", "mse", momentum=[0.1, 0.2, 0.3])
    with pytest.raises(TypeError, match="compile got 'mometum'"):
        ensemble.compile("sgd", "mse", mometum=0.1)
    with pytest.raises(ValueError, match="learning_rate got -1"):
        ensemble.compile("sgd", "mse", learning_rate=[0.1, -1])
    for refused in ({"l2": [0.1, -1]}, {"dropout": [0.4, 1.5]}):
        with pytest.raises(ValueError, match=r"got -1|got 1\.5"):
            ensemble.compile("sgd", "mse", **refused)
    assert ensemble[0].optimizer.schedule is rate
    assert (ensemble[0].layers[0].kernel_regularizer, ensemble[0].layers[1].rate) == (None, 0.2)


def test_slices_copies_and_means():
    x, y = table()
    ensemble = compiled(4)
    ensemble.fit(x, y)
    part = ensemble[1:3]
    assert (len(part), part[0] is ensemble[1]) == (2, True)
    ensemble.copy(0, 1)
    np.testing.assert_array_equal(part[0].predict(x), ensemble[0].predict(x))
    mean, spread = ensemble.predict_mean_std(x)
    np.testing.assert_allclose(mean, ensemble.predict(x).mean(axis=0))
    np.testing.assert_allclose(spread, ensemble.predict(x).std(axis=0))
    np.testing.assert_array_equal(ensemble.predictor()(x[0])[:, 0], ensemble.predict(x[:1])[:, 0])
    with pytest.raises(IndexError):
        ensemble[7:]
    with pytest.raises(IndexError):
        ensemble[4]


def test_single_steps():
    x, y = table(32)
    ensemble, alone = compiled(3, metrics=["mae"]), compiled(3, metrics=["mae"])
    loss, error = ensemble.train_on_batch(x, y)
    for number, member in enumerate(alone):
        assert member.train_on_batch(x, y) == [loss[number], error[number]]
    scores = ensemble.evaluate(x, y, return_dict=True)
    assert (list(scores), scores["mae"].shape) == (["loss", "mae"], (3,))


def test_files(tmp_path):
    x, y = table()
    ensemble = compiled(3)
    ensemble.fit(x, y, epochs=2)
    ensemble.save(tmp_path / "e.fastnn")
    again = Ensemble.load(tmp_path / "e.fastnn")
    np.testing.assert_array_equal(again.predict(x), ensemble.predict(x))
    for each in (ensemble, again):
        each.fit(x, y)
    np.testing.assert_array_equal(again.predict(x), ensemble.predict(x))
    with pytest.raises(fastnn.ModelFileError, match=r"holds an ensemble; wants fastnn.Ensemble.load"):
        fastnn.load_model(tmp_path / "e.fastnn")
    ensemble[0].save(tmp_path / "m.fastnn")
    with pytest.raises(fastnn.ModelFileError, match="holds no ensemble"):
        Ensemble.load(tmp_path / "m.fastnn")


def test_what_is_refused():
    x, y = table()
    ensemble = compiled(2)
    with pytest.raises(TypeError, match="model got str"):
        Ensemble("model", 2)
    with pytest.raises(ValueError, match="members got 0"):
        Ensemble(network(), 0)
    with pytest.raises(ValueError, match="x got 3 members' rows; wants 2"):
        ensemble.fit(np.stack([x] * 3), y)
    with pytest.raises(ValueError, match="y got 5 rows; wants 200"):
        ensemble.fit(x, y[:5])
    with pytest.raises(ValueError, match="shuffle got 'all'"):
        ensemble.fit(x, y, shuffle="all")
    with pytest.raises(ValueError, match="callbacks got CSVLogger, whose files all members would share"):
        ensemble.fit(x, y, callbacks=[CSVLogger("log.csv")])
    with pytest.raises(RuntimeError, match="call fit first"):
        ensemble.best()
    with pytest.raises(ValueError, match=r"x .*NaN"):
        ensemble.fit(x * np.nan, y)
    ensemble.fit(x, y)
    with pytest.raises(ValueError, match="monitor got 'val_loss'; wants one of 'loss'"):
        ensemble.best()


def test_callbacks_of_a_member(tmp_path):
    x, y = table()
    ensemble = compiled(2)
    ensemble.fit(x, y, epochs=2, callbacks=lambda member: [CSVLogger(tmp_path / f"{member}.csv")])
    assert [len((tmp_path / f"{n}.csv").read_text().splitlines()) for n in range(2)] == [3, 3]


def test_an_error_in_a_member_comes_out():
    x, y = table()
    ensemble = compiled(4, threads=2)

    def failing(member):
        def end(epoch, logs):
            if member == 1:
                raise OSError("of member 1")

        return [LambdaCallback(on_epoch_end=end)]

    with pytest.raises(OSError, match="of member 1"):
        ensemble.fit(x, y, epochs=2, callbacks=failing)
    ensemble.fit(x, y)


def test_ctrl_c_ends_training(monkeypatch):
    x, y = table()
    ensemble, begun = compiled(4, threads=2), threading.Event()

    def wait(futures, return_when):
        begun.wait()
        raise KeyboardInterrupt

    monkeypatch.setattr("fastnn.ensemble.side_by_side.wait", wait)
    watch = LambdaCallback(on_epoch_begin=lambda epoch, logs: begun.set())
    history = ensemble.fit(x, y, epochs=10_000, callbacks=lambda member: [watch])
    monkeypatch.undo()
    assert history.interrupted
    assert len(history.members) == 4
    assert all(len(each.epoch) < 10_000 for each in history.members)
    assert np.isfinite(ensemble.predict(x)).all()
