"""A run that was cut off anywhere goes on, and ends with the bits of one that was not."""

import errno
import json
import os
import shutil
import sys

import kill
import numpy as np
import pytest

import fastnn
from fastnn import callbacks, optimizers
from fastnn.engine import Training
from fastnn.engine.memory import KEPT_ROWS
from fastnn.layers import Dense

ROWS, EPOCHS = 200, 5  # an epoch has 6 steps, of 180 rows


class Killed(Exception):
    pass


class Kill(callbacks.Callback):
    """Raises after so many steps of its own life."""

    every_n_steps = 1

    def __init__(self, after):
        super().__init__()
        self.left = after

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if self.left == 0:
            raise Killed


def new_data():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((ROWS, 4)).astype("float32")
    return x, x[:, :1] * 2 + x[:, 1:2] ** 2


def new_model(backend="auto", optimizer=None, seed=1, **options):
    model = fastnn.Sequential([Dense(6, activation="tanh"), Dense(1)], seed=seed)
    model.compile(optimizer or optimizers.Adam(0.01), "mse", ["mae"], backend=backend, **options)
    return model


def fit(folder, *others, model=None, data=None, save_freq="epoch", epochs=EPOCHS, batch_size=32, **backup):
    """Train, or go on, with callbacks that have states."""
    model = model or new_model()
    chain = [
        callbacks.EarlyStopping("val_loss", patience=EPOCHS, restore_best_weights=True),
        callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=1, min_delta=10.0),
        callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.9),
        callbacks.CSVLogger(folder / "log.csv"),
        callbacks.JSONLogger(folder / "log.jsonl", every_n_steps=3),
        callbacks.ModelCheckpoint(folder / "best.fastnn", save_best_only=True),
        callbacks.BackupAndRestore(folder / "backup", save_freq, **backup),
    ]
    x, y = data or new_data()
    model.fit(x, y, batch_size=batch_size, epochs=epochs, validation_split=0.1, callbacks=[*others, *chain], verbose=0)
    return model


def outcome(model, folder):
    """All that can be seen of a run that has ended."""
    document, arrays = model._contents()
    files = [(folder / name).read_bytes() for name in ("log.csv", "log.jsonl", "best.fastnn")]
    state = document["random"], model.optimizer.iterations, model.optimizer.learning_rate, model.history.history
    return json.dumps(state), model.history.epoch, {name: a.tobytes() for name, a in arrays.items()}, files


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "run"
    path.mkdir()
    return path


@pytest.fixture
def expected(tmp_path):
    path = tmp_path / "whole"
    path.mkdir()
    return outcome(fit(path), path)


@pytest.mark.parametrize("save_freq", ["epoch", 3, 7])
def test_run_killed_again_and_again_ends_as_one_that_was_not(folder, tmp_path, backend, save_freq):
    whole = tmp_path / "whole"
    whole.mkdir()
    expected = outcome(fit(whole, model=new_model(backend)), whole)
    for after in (2, 9, 8, 5, 4):
        with pytest.raises(Killed):
            fit(folder, Kill(after), model=new_model(backend), save_freq=save_freq)
    assert outcome(fit(folder, model=new_model(backend), save_freq=save_freq), folder) == expected
    assert not (folder / "backup").exists()


def test_threads_may_differ_from_start_to_start(folder, expected):
    for threads, after in ((1, 9), (3, 12)):
        with pytest.raises(Killed):
            fit(folder, Kill(after), model=new_model(threads=threads), save_freq=4)
    assert outcome(fit(folder, model=new_model(threads=2)), folder) == expected


def test_killed_processes_are_taken_up_again(tmp_path):
    """SIGKILL, from one line of the child's to another."""
    for name in ("whole", "killed"):
        (tmp_path / name).mkdir()
    kill.train(tmp_path / "whole")
    options = ["--tell", "100", "--save-freq", "30"]
    for line in (3, 7, 12, 5):
        assert not kill.kill_at_line(tmp_path / "killed", options, line)
    kill.train(tmp_path / "killed", save_freq=30, threads=2)
    results = [json.loads((tmp_path / name / "result.json").read_text()) for name in ("whole", "killed")]
    assert results[0] == results[1]


def deaths(folders, act):
    """Children that act on a folder each and die, each one use of the disk later than the one before; yields folders.

    The last one comes to its end.
    """
    status, call = 9, 0
    while status == 9:
        call += 1
        folder = folders(call)
        child = os.fork()
        if child == 0:  # pragma: no cover
            die_at(call, folder)
            act(folder)
            os._exit(0)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        assert status in (0, 9)
        yield folder


def die_at(call, folder):
    """The process ends before its so many'th system call that concerns the folder."""
    left, fsync = call, os.fsync

    def count():
        nonlocal left
        left -= 1
        if left == 0:
            os._exit(9)

    def hear(event, arguments):
        if event in ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir") and str(folder) in str(arguments[0]):
            count()

    os.fsync = lambda descriptor: (count(), fsync(descriptor))
    sys.addaudithook(hear)


forking = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this platform")
quiet = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")


@forking
@quiet
def test_death_at_any_use_of_the_disk_loses_nothing(tmp_path):
    def fit_short(folder):
        steps, model, (x, y) = [], new_model("numpy"), new_data()
        watch = callbacks.LambdaCallback(
            every_n_steps=1, on_train_batch_end=lambda batch, logs: steps.append(model.optimizer.iterations)
        )
        model.fit(x, y, epochs=2, verbose=0, callbacks=[watch, callbacks.BackupAndRestore(folder / "backup", 4)])
        return [w.tobytes() for w in model.get_weights()], steps

    expected, _ = fit_short(tmp_path / "whole")
    count = 0
    for folder in deaths(lambda call: tmp_path / f"killed{call}", fit_short):
        kept = [fastnn.load_model(path) for path in (folder / "backup").glob("backup*.fastnn")]
        weights, steps = fit_short(folder)
        assert weights == expected
        assert steps == list(range(1 + max([model.optimizer.iterations for model in kept], default=0), 15))
        assert not (folder / "backup").exists()
        count += 1
    assert count > 20


@forking
@quiet
def test_death_in_save_leaves_the_old_file_or_the_new_one(tmp_path):
    models = [new_model("numpy", seed=seed) for seed in (1, 2)]
    for model in models:
        model.build(4)

    def new_folder(call):
        folder = tmp_path / str(call)
        folder.mkdir()
        models[0].save(folder / "m")
        return folder

    found = [
        fastnn.load_model(folder / "m").get_weights()[0].tobytes()
        for folder in deaths(new_folder, lambda folder: models[1].save(folder / "m"))
    ]
    old, new = (model.get_weights()[0].tobytes() for model in models)
    assert set(found) == {old, new}
    assert found == sorted(found, key=lambda weights: weights == new)  # once new, always new


def test_ctrl_c_keeps_the_steps_that_were_taken(folder, expected, monkeypatch, capsys):
    advance = Training.advance

    def interrupted(self, last):
        advance(self, min(last, 10))
        if self.step == 10:
            raise KeyboardInterrupt

    monkeypatch.setattr(Training, "advance", interrupted)
    model = fit(folder)
    assert model.history.interrupted
    assert model.optimizer.iterations == 10
    assert "interrupted" in capsys.readouterr().err
    monkeypatch.setattr(Training, "advance", advance)
    seen = []
    watch = callbacks.LambdaCallback(
        every_n_steps=1, on_train_batch_end=lambda batch, logs: seen.append(model.optimizer.iterations)
    )
    model = new_model()
    assert outcome(fit(folder, watch, model=model), folder) == expected
    assert seen[0] == 11


def test_damaged_backup_is_replaced_by_the_one_before_it(folder, expected):
    with pytest.raises(Killed):
        fit(folder, Kill(20))
    newest = folder / "backup" / "backup.fastnn"
    content = bytearray(newest.read_bytes())
    content[len(content) // 3] ^= 1
    newest.write_bytes(content)
    with pytest.warns(UserWarning, match=r"backup\.fastnn is damaged.*previous"), pytest.raises(Killed):
        fit(folder, Kill(1))
    assert not newest.exists()  # else the next backup would push it into the place of the good one
    assert outcome(fit(folder), folder) == expected


def test_damaged_backups_are_no_fresh_start(folder):
    with pytest.raises(Killed):
        fit(folder, Kill(20))
    for path in (folder / "backup").iterdir():
        path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(fastnn.ModelFileError, match=r"backup\.fastnn"):
        fit(folder)


def test_missing_newest_backup_is_no_damage(folder, expected):
    """As after a death between two renamings."""
    with pytest.raises(Killed):
        fit(folder, Kill(20))
    (folder / "backup" / "backup.fastnn").unlink()
    (folder / "backup" / ".backup.fastnn.0123.part").write_bytes(b"half of it")
    assert outcome(fit(folder), folder) == expected


X, Y = new_data()


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"data": (X[:-1], Y[:-1])}, "rows 180.*rows 179"),
        ({"data": (X[:, :3], Y)}, "columns 4.*columns 3"),
        ({"data": (X + 1, Y)}, "data"),
        ({"batch_size": 16}, "batch_size 32.*batch_size 16"),
        ({"model": new_model(optimizer=optimizers.SGD(0.1))}, "optimizer 'Adam'.*optimizer 'SGD'"),
        ({"model": new_model(dtype="float64")}, "dtype"),
    ],
)
def test_other_arguments_than_the_interrupted_run_s_are_refused(folder, change, named):
    with pytest.raises(Killed):
        fit(folder, Kill(20))
    model = change.get("model") or new_model()
    model.build(change["data"][0].shape[1] if "data" in change else 4)
    before = model.get_weights()
    kept = {path.name: path.read_bytes() for path in (folder / "backup").iterdir()}
    with pytest.raises(ValueError, match=named):
        fit(folder, **{"model": model, **change})
    assert all(map(np.array_equal, model.get_weights(), before))
    assert {path.name: path.read_bytes() for path in (folder / "backup").iterdir()} == kept


def test_a_finished_run_that_was_kept_is_not_done_again(folder, expected):
    fit(folder, delete_checkpoint=False)
    begun = []
    watch = callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs=None: begun.append(epoch))
    assert outcome(fit(folder, watch, delete_checkpoint=False), folder) == expected
    assert begun == []
    longer = fit(folder, watch, epochs=EPOCHS + 1)
    assert begun == [EPOCHS]
    assert len(longer.history.history["loss"]) == EPOCHS + 1


def test_training_after_a_resumed_run_goes_on_as_after_a_whole_one(folder, tmp_path):
    x, y = new_data()
    (tmp_path / "whole").mkdir()
    whole = fit(tmp_path / "whole")
    with pytest.raises(Killed):
        fit(folder, Kill(20))
    resumed = fit(folder, model=new_model(seed=2))  # its random numbers are the kept ones
    for model in (whole, resumed):
        model.fit(x, y, verbose=0)
    assert all(map(np.array_equal, whole.get_weights(), resumed.get_weights()))


def test_a_stop_that_was_asked_for_holds_in_the_resumed_run(folder):
    stop = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: setattr(model, "stop_training", epoch == 1))
    model = new_model()
    fit(folder, stop, model=model, delete_checkpoint=False)
    model = new_model()
    fit(folder, stop, model=model)
    assert model.history.epoch == [0, 1]


def test_divergence_in_a_resumed_run_brings_back_what_it_brings_back_in_a_whole_one(tmp_path, backend):
    class Explode(callbacks.Callback):
        every_n_steps = 1

        def on_train_batch_end(self, batch, logs=None):
            if self.model.optimizer.iterations == 17:
                self.model.optimizer.learning_rate = 1e30

    outcomes = []
    for name, kills in (("whole", ()), ("killed", (5, 13))):  # the last within the epoch that diverges
        folder, x_y = tmp_path / name, new_data()
        for after in (*kills, 10**9):
            model = new_model(backend, optimizer=optimizers.SGD(0.01, momentum=0.9))
            chain = [Kill(after), Explode(), callbacks.BackupAndRestore(folder, 2, delete_checkpoint=False)]
            if after < 10**9:
                with pytest.raises(Killed):
                    model.fit(*x_y, epochs=5, verbose=0, callbacks=chain)
            else:
                with pytest.warns(fastnn.DivergenceWarning):
                    model.fit(*x_y, epochs=5, verbose=0, callbacks=chain)
        assert np.isfinite(model._engine.parameters.slots).all()
        assert model.optimizer.iterations == 14
        held = model._engine.parameters
        outcomes.append([held.values.tobytes(), held.slots.tobytes(), model.history.history])
        saved = fastnn.load_model(folder / "backup.fastnn")
        assert all(np.isfinite(w).all() for w in saved.get_weights())
    assert outcomes[0] == outcomes[1]


def test_a_backup_is_a_model_too(folder):
    with pytest.raises(Killed):
        fit(folder, Kill(20))
    loaded = fastnn.load_model(folder / "backup" / "backup.fastnn")
    assert loaded.optimizer.iterations == 18
    assert loaded.predict(X).shape == (ROWS, 1)
    loaded.save(folder / "backup" / "backup.fastnn")
    with pytest.warns(UserWarning, match="no backup of a run"):
        fit(folder)


# --- Disks that fail ---


def full(descriptor):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_ends_fit_with_the_file_and_the_reason_and_costs_nothing(folder, expected, monkeypatch):
    fsync = os.fsync

    class Fill(callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 2:
                monkeypatch.setattr(os, "fsync", full)

    model = new_model()
    with pytest.raises(OSError, match="No space left") as caught:
        fit(folder, Fill(), model=model)
    assert caught.value.errno == errno.ENOSPC
    assert caught.value.filename.endswith("best.fastnn")
    assert model.history.epoch == [0, 1, 2]
    assert model.optimizer.iterations == 3 * 6
    assert np.isfinite(model.predict(X)).all()
    assert not list(folder.glob(".*"))
    monkeypatch.setattr(os, "fsync", fsync)
    assert outcome(fit(folder), folder) == expected


@pytest.mark.parametrize("error", [errno.EROFS, errno.EACCES, errno.EIO])
def test_a_backup_that_fails_names_its_file_and_leaves_the_last_one(folder, monkeypatch, error):
    with pytest.raises(Killed):
        fit(folder, Kill(20))
    kept = {path.name: path.read_bytes() for path in (folder / "backup").iterdir()}
    replace = os.replace

    def fail(source, target):
        if target.parent.name == "backup":
            raise OSError(error, os.strerror(error))
        replace(source, target)

    monkeypatch.setattr(os, "replace", fail)
    model = new_model()
    with pytest.raises(OSError, match=os.strerror(error)) as caught:
        fit(folder, model=model)
    assert caught.value.filename == str(folder / "backup" / "backup.fastnn")
    assert {path.name: path.read_bytes() for path in (folder / "backup").iterdir()} == kept
    assert len(model.history.epoch) == 4


def test_a_folder_that_vanishes_is_named(folder):
    class Remove(callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            shutil.rmtree(folder / "backup", ignore_errors=True)

    model = new_model()
    with pytest.raises(FileNotFoundError, match=r"there is no folder .*backup"):
        fit(folder, Remove(), model=model)
    assert model.history.epoch == [0]
    assert np.isfinite(model.predict(X)).all()


def test_a_folder_that_cannot_be_made_is_named_before_training(folder):
    (folder / "backup").write_text("a file")
    model = new_model()
    model.build(4)
    before = model.get_weights()
    with pytest.raises(OSError, match="backup"):
        fit(folder, model=model)
    assert all(map(np.array_equal, model.get_weights(), before))


@pytest.mark.parametrize("freq", [0, -1, "batch", 2.5, True])
def test_save_freq_is_checked(tmp_path, freq):
    for make in (callbacks.BackupAndRestore, lambda path, save_freq: callbacks.ModelCheckpoint(path, save_freq=freq)):
        with pytest.raises((ValueError, TypeError), match="save_freq"):
            make(tmp_path, save_freq=freq)


def test_a_run_goes_on_after_more_epochs_than_results_begin_with(tmp_path):
    """Results grow with the epochs, and those before the backup count too."""
    epochs, x = KEPT_ROWS + 3, np.ones((4, 2), "float32")
    backup = callbacks.BackupAndRestore(tmp_path)
    with pytest.raises(Killed):
        new_model().fit(x, x[:, :1], epochs=epochs, callbacks=[Kill(epochs - 1), backup], verbose=0)
    resumed, whole = new_model(), new_model()
    resumed.fit(x, x[:, :1], epochs=epochs, callbacks=[callbacks.BackupAndRestore(tmp_path)], verbose=0)
    whole.fit(x, x[:, :1], epochs=epochs, verbose=0)
    assert resumed.history.history == whole.history.history
