"""Callbacks do what Keras's of the same name do, when they are asked to and at no other time."""

import csv
import errno
import json
import os
import sys
import types

import naive
import numpy as np
import pytest

import fastnn
from fastnn import callbacks
from fastnn.callbacks import CallbackList, EarlyStopping, ModelCheckpoint, ReduceLROnPlateau
from fastnn.layers import Dense
from fastnn.optimizers import SGD
from fastnn.training import Loop


def new_model(backend="auto", **options):
    model = fastnn.Sequential([Dense(4, activation="tanh"), Dense(1)], seed=0)
    model.compile(SGD(0.1), "mse", ["mae"], backend=backend, **options)
    return model


def new_data(rows=64):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((rows, 3)).astype("float32")
    return x, x[:, :1]


class FakeModel:
    """Has epochs of scores that are given, and for weights the epoch's number."""

    def __init__(self, learning_rate=1.0):
        self.stop_training, self.weights = False, None
        self.optimizer = types.SimpleNamespace(learning_rate=learning_rate)

    def get_weights(self):
        return [self.weights]

    def set_weights(self, weights):
        (self.weights,) = weights

    def play(self, callback, scores, name="val_loss"):
        """Returns the epochs that were trained, and the learning rate in each."""
        chain = CallbackList([callback], self)
        chain.on_train_begin()
        rates = []
        for epoch, score in enumerate(scores):
            self.weights = epoch
            chain.on_epoch_begin(epoch)
            rates.append(self.optimizer.learning_rate)
            chain.on_epoch_end(epoch, {name: score})
            if self.stop_training:
                break
        chain.on_train_end()
        return len(rates), rates


# --- EarlyStopping ---


@pytest.mark.parametrize(
    ("options", "scores", "epochs", "best"),
    [
        ({}, [5, 4, 4, 3], 3, 1),
        ({"patience": 1}, [5, 4, 4, 3], 3, 1),
        ({"patience": 2}, [5, 4, 4, 3, 3, 3, 1], 6, 3),
        ({"patience": 2, "min_delta": 1.0}, [5, 4.5, 3.9, 3.8, 3.7], 5, 2),
        ({"patience": 2, "min_delta": -1.0}, [5, 4.5, 3.9, 3.8, 3.7], 5, 2),
        ({"patience": 3, "baseline": 1.0}, [5, 4, 3, 2, 1.5], 5, 4),  # better, but never good enough
        ({"patience": 2, "baseline": 4.5}, [5, 4, 4, 4, 3], 4, 1),
        ({"patience": 1, "start_from_epoch": 3}, [1, 2, 3, 4, 3, 3, 2], 6, 4),
        ({"mode": "max", "patience": 1}, [1, 2, 2, 9], 3, 1),
        ({"monitor": "val_accuracy", "patience": 1}, [1, 2, 2, 9], 3, 1),
        ({"monitor": "val_accuracy", "patience": 1, "mode": "min"}, [2, 1, 1, 0], 3, 1),
        ({"patience": 2}, [float("nan"), 3, float("nan"), float("nan"), 1], 4, 1),
        ({}, [1], 1, 0),
        ({}, [1, 1], 2, 0),  # never after the first epoch, which has nothing before it
    ],
)
def test_early_stopping(options, scores, epochs, best):
    model, stopping = FakeModel(), EarlyStopping(restore_best_weights=True, **options)
    assert model.play(stopping, scores, stopping.monitor)[0] == epochs
    assert stopping.best_epoch == best
    assert model.weights == best
    assert stopping.stopped_epoch == (epochs - 1 if model.stop_training else 0)


def test_early_stopping_begins_anew_with_each_fit():
    stopping = EarlyStopping(patience=1)
    for _ in range(2):
        assert FakeModel().play(stopping, [1, 2, 3, 4])[0] == 2


def test_early_stopping_keeps_the_last_weights_unless_asked():
    model = FakeModel()
    model.play(EarlyStopping(patience=2), [1, 2, 3, 4])
    assert model.weights == 2


def test_early_stopping_restores_the_best_weights_of_a_model(backend):
    x, y = new_data()
    seen = {}
    model = new_model(backend)
    model.optimizer.learning_rate = 1.5  # too large: the loss rises in some epoch
    watch = callbacks.LambdaCallback(on_epoch_end=lambda e, logs: seen.update({logs["val_loss"]: model.get_weights()}))
    stopping = EarlyStopping(patience=3, restore_best_weights=True)
    history = model.fit(x, y, epochs=40, validation_split=0.25, callbacks=[watch, stopping], verbose=0)
    assert 4 <= len(history.epoch) < 40
    assert all(map(np.array_equal, model.get_weights(), seen[min(seen)]))
    assert model.evaluate(x[48:], y[48:], verbose=0)[0] == pytest.approx(min(seen), rel=1e-5)


def test_unknown_score_is_a_warning_that_names_those_there_are():
    model = new_model()
    with pytest.warns(UserWarning, match=r"monitor of EarlyStopping got 'val_loss'.*'loss', 'mae'") as caught:
        model.fit(*new_data(), epochs=3, callbacks=[EarlyStopping()], verbose=0)
    assert len(caught) == 1
    assert len(model.history.epoch) == 3


# --- Learning rates ---


@pytest.mark.parametrize(
    ("options", "scores", "rates"),
    [
        ({"patience": 1}, [5, 5, 5, 5], [1, 1, 0.5, 0.25]),
        ({"patience": 2}, [5, 5, 5, 5, 5], [1, 1, 1, 0.5, 0.5]),
        ({"patience": 1, "cooldown": 2}, [5, 5, 5, 5, 5, 5], [1, 1, 0.5, 0.5, 0.25, 0.25]),
        ({"patience": 1, "min_lr": 0.4}, [5, 5, 5, 5], [1, 1, 0.5, 0.4]),
        ({"patience": 1, "min_delta": 0.5}, [5, 4.6, 4.0], [1, 1, 0.5]),
        ({"patience": 1, "mode": "max"}, [5, 6, 6, 7], [1, 1, 1, 0.5]),
        ({"patience": 1}, [5, 4, 3, 2], [1, 1, 1, 1]),
    ],
)
def test_reduce_lr_on_plateau(options, scores, rates):
    assert FakeModel().play(ReduceLROnPlateau(factor=0.5, **options), scores)[1] == rates


def test_learning_rate_of_each_epoch_is_in_the_history():
    model = new_model()
    schedule = callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2)
    history = model.fit(*new_data(), epochs=3, callbacks=[schedule], verbose=0)
    assert history.history["learning_rate"] == [0.05, 0.025, 0.0125]
    assert len(history.history["loss"]) == 3
    history = model.fit(*new_data(), epochs=2, callbacks=[ReduceLROnPlateau("loss")], verbose=0)
    assert history.history["learning_rate"] == [0.0125, 0.0125]


def test_schedule_may_take_the_epoch_alone_and_trains_as_the_rates_it_gives(assert_close, backend):
    x, y = new_data()
    scheduled, by_hand = new_model(backend), new_model(backend)
    rates = [0.1, 0.02, 0.05]
    schedule = callbacks.LearningRateScheduler(lambda epoch: np.float32(rates[epoch]))
    scheduled.fit(x, y, epochs=3, shuffle=False, callbacks=[schedule], verbose=0)
    for rate in rates:
        by_hand.optimizer.learning_rate = np.float32(rate)
        by_hand.fit(x, y, shuffle=False, verbose=0)
    assert_close(scheduled.get_weights(), by_hand.get_weights(), 1e-7)


def test_schedule_that_gives_no_number_is_named():
    with pytest.raises(TypeError, match="schedule's value got None"):
        new_model().fit(*new_data(), callbacks=[callbacks.LearningRateScheduler(lambda epoch: None)], verbose=0)


@pytest.mark.parametrize("make", [ReduceLROnPlateau, lambda: callbacks.LearningRateScheduler(lambda e: 0.1)])
def test_learning_rate_that_goes_its_own_way_is_refused(make):
    with pytest.raises(TypeError, match="learning_rate"):
        FakeModel(learning_rate=object()).play(make(), [1])


# --- ModelCheckpoint ---


def test_model_checkpoint_names_its_files_and_load_model_reads_them(tmp_path, backend):
    model, (x, y) = new_model(backend), new_data()
    path = tmp_path / "made" / "{epoch:02d}-{loss:.3f}.fastnn"
    history = model.fit(x, y, epochs=3, callbacks=[ModelCheckpoint(path)], verbose=0).history
    names = [f"{epoch + 1:02d}-{loss:.3f}.fastnn" for epoch, loss in enumerate(history["loss"])]
    assert sorted(p.name for p in path.parent.iterdir()) == names
    last = fastnn.load_model(path.parent / names[-1], backend=backend)
    assert all(map(np.array_equal, last.get_weights(), model.get_weights()))
    assert last.optimizer.iterations == model.optimizer.iterations == 6
    assert fastnn.load_model(path.parent / names[0]).optimizer.iterations == 2


def test_model_checkpoint_saves_the_best_only(tmp_path, monkeypatch):
    saved = []
    model = FakeModel()
    model.save = lambda path: saved.append(path.name)
    checkpoint = ModelCheckpoint(tmp_path / "{epoch}", save_best_only=True)
    model.play(checkpoint, [5, 6, 4, 4, 3, float("nan")])
    assert saved == ["1", "3", "5"]
    model.play(checkpoint, [4, 2])  # the best of the fit before still is to be beaten
    assert saved == ["1", "3", "5", "2"]
    model.play(ModelCheckpoint(tmp_path / "x{epoch}", save_best_only=True, initial_value_threshold=4.5), [5, 4])
    assert saved[4:] == ["x2"]


def test_model_checkpoint_saves_every_so_many_steps(tmp_path):
    model, (x, y) = new_model(), new_data()
    checkpoint = ModelCheckpoint(tmp_path / "{epoch}-{batch}", save_freq=3)
    model.fit(x, y, batch_size=16, epochs=2, callbacks=[checkpoint], verbose=0)  # 4 steps an epoch
    assert sorted(p.name for p in tmp_path.iterdir()) == ["1-3", "2-2"]
    assert [fastnn.load_model(tmp_path / n).optimizer.iterations for n in ("1-3", "2-2")] == [3, 6]


def test_model_checkpoint_saves_weights_only(tmp_path):
    pytest.importorskip("safetensors")
    model, other = new_model(), new_model()
    model.fit(*new_data(), callbacks=[ModelCheckpoint(tmp_path / "w", save_weights_only=True)], verbose=0)
    other.build(3)
    other.load_weights(tmp_path / "w")
    assert all(map(np.array_equal, model.get_weights(), other.get_weights()))


def test_model_checkpoint_with_a_name_that_is_not_there_says_which_are():
    with pytest.raises(ValueError, match=r"filepath got '\{val_loss\}'.*epoch, loss, mae"):
        new_model().fit(*new_data(), callbacks=[ModelCheckpoint("{val_loss}")], verbose=0)


# --- Logs ---


def test_csv_logger_writes_what_the_history_has(tmp_path):
    model, path = new_model(), tmp_path / "log.csv"
    history = model.fit(
        *new_data(), epochs=3, validation_split=0.5, callbacks=[callbacks.CSVLogger(path, separator=";")], verbose=0
    ).history
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter=";"))
    assert list(rows[0]) == ["epoch", "loss", "mae", "val_loss", "val_mae"]
    assert [int(row["epoch"]) for row in rows] == [0, 1, 2]
    for name in rows[0].keys() - {"epoch"}:
        assert [float(row[name]) for row in rows] == history[name]


@pytest.mark.parametrize("append", [False, True])
def test_loggers_append_or_replace(tmp_path, append):
    for _ in range(2):
        chain = [callbacks.CSVLogger(tmp_path / "csv", append=append), callbacks.JSONLogger(tmp_path / "json", append)]
        new_model().fit(*new_data(), epochs=2, callbacks=chain, verbose=0)
    lines = (tmp_path / "csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == ["epoch", "0", "1", *(["0", "1"] if append else [])]
    epochs = [json.loads(line)["epoch"] for line in (tmp_path / "json").read_text().splitlines()]
    assert epochs == [0, 1] * (1 + append)


def test_csv_logger_has_na_where_a_score_is_missing(tmp_path):
    logger = callbacks.CSVLogger(tmp_path / "log.csv")
    logger.on_train_begin()
    logger.on_epoch_end(0, {"loss": 1.0, "acc": 0.5})
    logger.on_epoch_end(1, {"loss": 0.5, "more": 3.0})
    logger.on_train_end()
    assert (tmp_path / "log.csv").read_text() == "epoch,acc,loss\n0,0.5,1.0\n1,NA,0.5\n"


def test_json_logger_writes_a_line_for_steps_too(tmp_path):
    logger = callbacks.JSONLogger(tmp_path / "log", every_n_steps=3)
    history = new_model().fit(*new_data(), batch_size=16, epochs=2, callbacks=[logger], verbose=0).history
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert [(line["epoch"], line.get("batch")) for line in lines] == [(0, 2), (0, None), (1, 1), (1, None)]
    assert [line["loss"] for line in lines if "batch" not in line] == history["loss"]


def test_json_logger_writes_valid_json_where_a_score_is_not_finite(tmp_path):
    logger = callbacks.JSONLogger(tmp_path / "log")
    logger.on_train_begin()
    logger.on_epoch_end(0, {"loss": float("nan"), "mae": float("inf"), "acc": 0.5})
    logger.on_train_end()
    assert json.loads((tmp_path / "log").read_text()) == {"epoch": 0, "loss": None, "mae": None, "acc": 0.5}


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
@pytest.mark.parametrize("kind", [callbacks.CSVLogger, callbacks.JSONLogger])
def test_a_log_on_a_full_disk_is_named(kind):
    model = new_model()
    with pytest.raises(OSError, match=r"No space left.*/dev/full") as caught:
        model.fit(*new_data(), callbacks=[kind("/dev/full")], verbose=0)
    assert caught.value.errno == errno.ENOSPC
    assert model.history.epoch == [0]


def test_a_log_in_no_folder_is_refused_before_training(tmp_path):
    model = new_model()
    model.build(3)
    before = model.get_weights()
    with pytest.raises(FileNotFoundError, match="nowhere"):
        model.fit(*new_data(), callbacks=[callbacks.CSVLogger(tmp_path / "nowhere" / "log")], verbose=0)
    assert all(map(np.array_equal, model.get_weights(), before))


# --- The others ---


def test_terminate_on_nan_stops_where_validation_is_not_finite(capsys):
    x, y = new_data()
    model = new_model()
    overflow = callbacks.LambdaCallback(on_epoch_end=lambda e, logs: logs.update(val_loss=float("inf" if e else 0)))
    history = model.fit(x, y, epochs=5, callbacks=[overflow, callbacks.TerminateOnNaN()], verbose=0)
    assert history.epoch == [0, 1]
    assert "val_loss is not finite" in capsys.readouterr().out


def test_lambda_callback_calls_its_functions():
    called = []
    names = ["on_train_begin", "on_epoch_begin", "on_train_batch_end", "on_epoch_end", "on_train_end"]
    functions = {name: lambda *arguments, name=name: called.append((name, arguments[0])) for name in names}
    chain = [callbacks.LambdaCallback(**functions, every_n_steps=3)]
    new = new_model().fit(*new_data(), batch_size=16, epochs=2, callbacks=chain, verbose=0)
    assert called == [
        ("on_train_begin", {}),
        ("on_epoch_begin", 0),
        ("on_train_batch_end", 2),
        ("on_epoch_end", 0),
        ("on_epoch_begin", 1),
        ("on_train_batch_end", 1),
        ("on_epoch_end", 1),
        ("on_train_end", {name: values[-1] for name, values in new.history.items()}),
    ]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: callbacks.LambdaCallback(on_epoch_end=3), "on_epoch_end got 3"),
        (lambda: callbacks.LambdaCallback(on_train_batch_begin=3), "on_train_batch_begin got 3"),
        (lambda: callbacks.LambdaCallback(on_step_end=print), "argument got 'on_step_end'"),
        (lambda: callbacks.LearningRateScheduler(0.1), "schedule got 0.1"),
        (lambda: ReduceLROnPlateau(factor=1.0), "factor got 1.0"),
        (lambda: EarlyStopping(patience=-1), "patience got -1"),
        (lambda: EarlyStopping(mode="less"), "mode got 'less'"),
        (lambda: EarlyStopping(monitor=None), "monitor got None"),
        (lambda: callbacks.CSVLogger("log", separator=""), "separator got ''"),
    ],
)
def test_arguments_are_checked(make, words):
    with pytest.raises((TypeError, ValueError), match=words):
        make()


@pytest.mark.parametrize("steps", [0, -3, 1.5, "epoch"])
def test_every_n_steps_is_checked(steps):
    chain = [callbacks.LambdaCallback(on_epoch_end=print, every_n_steps=1)]
    chain[0].every_n_steps = steps
    with pytest.raises((TypeError, ValueError), match="every_n_steps of LambdaCallback"):
        new_model().fit(*new_data(), callbacks=chain, verbose=0)


def test_steps_are_cut_where_a_callback_wants_to_be_called_and_come_out_the_same(backend):
    x, y = new_data(200)
    seen, models = [], [new_model(backend), new_model(backend)]
    watch = callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: seen.append((models[1].optimizer.iterations, batch, logs["loss"])),
        every_n_steps=5,
    )
    histories = [
        model.fit(x, y, batch_size=16, epochs=3, callbacks=chain, verbose=0).history  # 13 steps an epoch
        for model, chain in zip(models, ([], [watch]), strict=True)
    ]
    assert [(step, batch) for step, batch, _ in seen] == [
        (step, (step - 1) % 13) for step in (5, 10, 15, 20, 25, 30, 35)
    ]
    assert histories[0] == histories[1]
    assert all(map(np.array_equal, models[0].get_weights(), models[1].get_weights()))


def test_learning_rate_set_after_a_step_holds_from_the_next(backend):
    x, y = new_data()
    model, by_hand = new_model(backend), new_model(backend)
    change = callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: setattr(model.optimizer, "learning_rate", 0.01), every_n_steps=2
    )
    model.fit(x, y, batch_size=16, shuffle=False, callbacks=[change], verbose=0)
    for start, rate in ((0, 0.1), (16, 0.1), (32, 0.01), (48, 0.01)):
        by_hand.optimizer.learning_rate = rate
        by_hand.train_on_batch(x[start : start + 16], y[start : start + 16])
    assert all(map(np.array_equal, model.get_weights(), by_hand.get_weights()))


def test_training_stopped_after_a_step_reports_the_epoch_as_far_as_it_went(backend):
    x, y = new_data()
    model = new_model(backend)
    seen = []

    def stop(batch, logs):
        seen.append(logs["loss"])
        model.stop_training = batch == 2

    chain = [callbacks.LambdaCallback(on_train_batch_end=stop, every_n_steps=1)]
    history = model.fit(x, y, batch_size=16, epochs=5, callbacks=chain, verbose=0)
    assert model.optimizer.iterations == 3
    assert history.history["loss"] == [seen[-1]]


def test_without_callbacks_python_is_not_called_between_epochs(monkeypatch):
    """One compiled run over all of them, cut by nothing but the clock."""
    chain = CallbackList([callbacks.History(), callbacks.Callback()])
    assert not chain.needs_epochs
    assert chain.next_stop(7, 100_000) == 100_000
    epochs = []
    epoch = Loop._epoch
    monkeypatch.setattr(Loop, "_epoch", lambda run: (epochs.append(run.training.step), epoch(run)))
    new_model().fit(*new_data(), epochs=7, verbose=0)
    assert epochs == [0]
    new_model().fit(*new_data(), epochs=7, verbose=0, callbacks=[EarlyStopping("loss", patience=9)])
    assert len(epochs) == 8


def test_history_has_the_epoch_whose_callback_failed():
    model = new_model()
    fail = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: 1 / (1 - epoch))
    with pytest.raises(ZeroDivisionError):
        model.fit(*new_data(), epochs=5, callbacks=[fail], verbose=0)
    assert model.history.epoch == [0, 1]
    assert len(model.history.history["loss"]) == 2


# --- ProgressBar ---


def test_progress_bar_is_silent_unless_asked(capsys, monkeypatch):
    new_model().fit(*new_data(), epochs=2, verbose=0)
    assert capsys.readouterr().out == ""
    new_model().fit(*new_data(), epochs=2, verbose=0, callbacks=[callbacks.ProgressBar(0)])
    assert capsys.readouterr().out == ""


def test_progress_bar_is_a_line_an_epoch_where_no_line_can_be_drawn_anew(capsys):
    new_model().fit(*new_data(), epochs=2)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" - ")[0] for line in lines] == ["Epoch 1/2", "Epoch 2/2"]


def test_short_times_are_told_in_milliseconds():
    assert [callbacks.format_seconds(t) for t in (0.0004321, 0.0999, 0.1, 75)] == [
        "0.43 ms",
        "99.90 ms",
        "0.10 s",
        "75.00 s",
    ]


def test_scores_of_any_size_are_short():
    logs = {"loss": 7.4e33, "a": 12345.678, "b": 0.0, "c": -2e-5, "d": float("nan"), "e": float("-inf")}
    told = "loss: 7.4000e+33 - a: 12345.6780 - b: 0.0000 - c: -2.0000e-05 - d: nan - e: -inf"
    assert callbacks.format_logs(logs) == told


@pytest.mark.parametrize("columns", [30, 40, 60, 80, 200])
@pytest.mark.parametrize("count", [1, 2, 4, 7])
def test_a_bar_shows_its_scores_in_any_width(monkeypatch, capsys, columns, count):
    """All of them when the epoch is done, and no row is longer than the terminal is wide."""
    monkeypatch.setenv("COLUMNS", str(columns))
    names = ["loss", "accuracy", "val_loss", "val_accuracy", "auc", "val_auc", "learning_rate"][:count]
    bar = callbacks.ProgressBar(1)
    bar.set_params({"epochs": 100, "steps": 1500})
    bar.on_train_begin()
    bar.on_epoch_begin(9)
    bar.on_progress(9, 700, 1500, dict.fromkeys(names[:2], 0.125))
    live = capsys.readouterr().out
    bar.on_epoch_end(9, dict.fromkeys(names, 0.125))
    bar.on_train_end()
    rows = capsys.readouterr().out.removeprefix("\r").splitlines()
    assert all(len(row.rstrip()) < columns for row in [*rows, live.removeprefix("\r")])
    assert "loss: 0.1250" in live
    if count > 1 and columns > 40:
        assert "accuracy: 0.1250" in live
    for name in names:
        assert sum(f" {name}: 0.1250" in row for row in rows) == 1
    if columns >= 80:
        assert len(rows) <= (1 if count <= 4 else 2)
        assert "700/1500 |" in live


def test_a_row_that_is_drawn_again_leaves_nothing_of_the_one_before(capsys):
    bar = callbacks.ProgressBar(1)
    bar.on_train_begin()
    for loss in (1e-30, 0.5):
        bar.on_progress(0, 1, None, {"loss": loss})
    bar.on_train_end()
    _, first, second = capsys.readouterr().out.split("\r")
    assert len(second.rstrip("\n")) == len(first)
    assert second.endswith("\n")


def test_a_notebook_has_one_output_a_fit_of_text_that_stays(monkeypatch, capsys):
    shell = types.SimpleNamespace(ZMQInteractiveShell=types.SimpleNamespace(initialized=lambda: True))
    outputs = []

    def display(data, raw, display_id):
        outputs.append(data)
        return types.SimpleNamespace(update=lambda data, raw: outputs.__setitem__(-1, data))

    assert callbacks.verbosity("auto") == 2
    monkeypatch.setitem(sys.modules, "ipykernel.zmqshell", shell)
    monkeypatch.setitem(sys.modules, "IPython.display", types.SimpleNamespace(display=display))
    assert callbacks.verbosity("auto") == 1
    new_model().fit(*new_data(), epochs=3)
    new_model().fit(*new_data(), epochs=30)
    assert [set(data) for data in outputs] == [{"text/plain"}] * 2
    lines = outputs[0]["text/plain"].splitlines()
    assert [line.split(" - ")[0] for line in lines] == ["Epoch 1/3", "Epoch 2/3", "Epoch 3/3"]
    lines = outputs[1]["text/plain"].splitlines()
    assert lines[0] == "... (10 lines before)"
    assert lines[-1].startswith("Epoch 30/30 - ")
    assert capsys.readouterr().out == ""


def test_a_bar_of_ones_own_takes_the_place_of_fit_s(capsys):
    new_model().fit(*new_data(), epochs=2, verbose=2, callbacks=[callbacks.ProgressBar(2)])
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_lbfgs_refuses_a_backup_before_anything_changes(tmp_path):
    model = new_model()
    x, y = new_data()
    model.fit(x, y, verbose=0)
    before = model.get_weights()
    model.compile("lbfgs", "mse")
    with pytest.raises(ValueError, match="callbacks got a backup, but LBFGS"):
        model.fit(x, y, callbacks=[callbacks.BackupAndRestore(tmp_path / "backup")], verbose=0)
    assert not (tmp_path / "backup").exists()
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_each_history_has_lists_of_its_own(network, backend):
    x, y = naive.random_data("mse", 20, 3, 2)
    model = network([3, 4, 2], ["relu", "linear"], backend=backend)
    kept = callbacks.History()
    first = model.fit(x, y, epochs=3, callbacks=[kept], verbose=0)
    model.fit(x, y, epochs=2, callbacks=[kept], validation_split=0.25, verbose=0)
    assert len(first.history["loss"]) == len(first.epoch) == 3
    assert kept.history["loss"][:3] == first.history["loss"]
    assert kept.epoch == [0, 1, 2, 0, 1]
    assert [len(values) for values in kept.history.values()] == [5, 2]


def test_a_history_with_a_method_of_its_own_is_called_in_time():
    history, heard = callbacks.History(), []
    assert not callbacks.CallbackList([history]).needs_epochs
    history.on_epoch_begin = lambda epoch, logs: heard.append((epoch, len(history.epoch)))
    model = fastnn.Sequential([Dense(1)], seed=0)
    model.compile("sgd", "mse")
    model.fit(np.ones((4, 2)), np.ones(4), epochs=3, callbacks=[history], verbose=0)
    assert heard == [(0, 0), (1, 1), (2, 2)]
