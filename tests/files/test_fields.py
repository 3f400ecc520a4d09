"""Every field of a file is what it should be, or the file is refused; files keep their rights; no other is touched."""

import copy
import hashlib
import json
import os
import socket
import stat
import time
import tracemalloc
import zipfile

import numpy as np
import pytest

import fastnn
from fastnn import callbacks
from fastnn.files import model_file, schema
from fastnn.files.atomic import replacing
from fastnn.layers import Dense, Input
from fastnn.models import saving
from fastnn.names import unique

X, Y = np.linspace(-1, 1, 12).reshape(6, 2), np.arange(6) % 3
WRONG = (True, 2.5, "text", None, [1], {"a": 1})


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A backup's document and arrays: of a model with all kinds of parts, and of a run with callbacks."""
    folder = tmp_path_factory.mktemp("written")
    backup(folder, epochs=2)
    return model_file.load(folder / "backup" / "backup.fastnn")


def run_of(folder, epochs):
    model = fastnn.Sequential(
        [Input((2,)), Dense(4, activation="tanh", kernel_regularizer="l2"), Dense(3, "softmax")], seed=0
    )
    model.compile(fastnn.optimizers.SGD(0.1), "sparse_categorical_crossentropy", ["accuracy"], backend="numpy")
    watched = [
        callbacks.EarlyStopping("loss", restore_best_weights=True, patience=9),
        callbacks.ReduceLROnPlateau("loss"),
        callbacks.CSVLogger(folder / "log.csv"),
        callbacks.JSONLogger(folder / "log.json"),
        callbacks.ModelCheckpoint(folder / "best.fastnn", "loss"),
        callbacks.BackupAndRestore(folder / "backup", delete_checkpoint=False),
    ]
    return model, watched, epochs


def backup(folder, epochs):
    model, watched, epochs = run_of(folder, epochs)
    model.fit(X, Y, epochs=epochs, batch_size=3, verbose=0, callbacks=watched)
    return model, watched


def places(value, at=()):
    """Every place in a document, but for what is the user's own."""
    yield at
    if at == ("metadata",):
        return
    for key, part in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from places(part, (*at, key))


def changed(document, at, value):
    if not at:
        return value
    made = copy.deepcopy(document)
    part = made
    for key in at[:-1]:
        part = part[key]
    part[at[-1]] = value
    return made


def test_every_field_of_another_type_is_refused_or_does_no_harm(written):
    """What is loaded can be shown, trained, and saved."""
    document, arrays = written
    arrays = {name: array for name, array in arrays.items() if not name.startswith(("run", "callbacks"))}
    document = {name: part for name, part in document.items() if name != "run"}
    refused = 0
    for at in places(document):
        for value in WRONG if at else ():
            try:
                model = saving.rebuilt(fastnn.Sequential, changed(document, at, value), arrays, "numpy", None)
            except Exception:  # load_model makes a ModelFileError of each
                refused += 1
                continue
            repr([model.optimizer, model.loss, *model.layers])
            if model.loss is not None:
                model.train_on_batch(X, Y)
                assert all(isinstance(name, str) for name in model.evaluate(X, Y, verbose=0, return_dict=True))
            json.dumps(saving.contents(model)[0])
    assert refused > 200


@pytest.mark.parametrize(
    ("at", "value"),
    [
        (("compiled", "metrics", 0, "config", "name"), 5),
        (("compiled", "metrics", 0, "config", "root"), "no"),
        (("compiled", "optimizer", "config", "nesterov"), "yes"),
        (("compiled", "iterations"), -1),
        (("compiled", "iterations"), 2.0),
        (("config", "name"), 3),
        (("config", "layers", 0, "config", "name"), 3),
        (("config", "inputs"), 2.0),
        (("metadata",), 3),
        (("dtype",), ["float32"]),
        (("random",), None),
    ],
)
def test_a_field_of_the_wrong_type_is_refused_by_name(written, tmp_path, at, value):
    document, arrays = written
    model_file.save(tmp_path / "m", changed({k: v for k, v in document.items() if k != "run"}, at, value), arrays)
    with pytest.raises(fastnn.ModelFileError, match=str(tmp_path / "m")):
        fastnn.load_model(tmp_path / "m", backend="numpy")


# --- Backups ---


def attribute(document, callback, name, value):
    return changed(document, ("run", "callbacks", callback, name), value)


@pytest.mark.parametrize(
    ("callback", "name", "value"),
    [
        ("CSVLogger0", "filename", "stolen"),
        ("JSONLogger0", "filename", "stolen"),
        ("ModelCheckpoint0", "filepath", "stolen"),
        ("EarlyStopping0", "model", None),
        ("EarlyStopping0", "on_train_end", "x"),
        ("History0", "on_epoch_end", None),
        ("CSVLogger0", "_size", "7"),
        ("CSVLogger0", "_columns", [1]),
        ("EarlyStopping0", "best", "low"),
        ("EarlyStopping0", "best_weights", [1.0]),
        ("ReduceLROnPlateau0", "wait", -1),
        ("History0", "epoch", ["a"]),
    ],
)
def test_a_tampered_backup_changes_no_attribute_but_the_state(written, tmp_path, callback, name, value):
    document, arrays = written
    (tmp_path / "backup").mkdir()
    document = attribute({k: v for k, v in document.items() if k != "fastnn"}, callback, name, value)
    model_file.save(tmp_path / "backup" / "backup.fastnn", document, arrays)
    model, watched, _ = run_of(tmp_path, 3)
    before = model.get_weights()
    with pytest.raises(fastnn.ModelFileError, match=name):
        model.fit(X, Y, epochs=3, batch_size=3, verbose=0, callbacks=watched)
    assert all(map(np.array_equal, model.get_weights(), before))
    assert not (tmp_path / "stolen").exists()
    assert watched[2].filename == str(tmp_path / "log.csv")


@pytest.mark.parametrize("rate", ["x", -1.0, True, [0.1], float("nan")])
def test_a_learning_rate_that_is_none_is_refused(written, tmp_path, rate):
    document, arrays = written
    (tmp_path / "backup").mkdir()
    document = changed(
        {k: v for k, v in document.items() if k != "fastnn"}, ("run", "optimizer", "learning_rate"), rate
    )
    model_file.save(tmp_path / "backup" / "backup.fastnn", document, arrays)
    model, watched, _ = run_of(tmp_path, 3)
    with pytest.raises(fastnn.ModelFileError, match="learning_rate"):
        model.fit(X, Y, epochs=3, batch_size=3, verbose=0, callbacks=watched)


def test_nothing_else_of_an_optimizer_comes_from_a_backup(written, tmp_path):
    document, arrays = written
    (tmp_path / "backup").mkdir()
    document = changed({k: v for k, v in document.items() if k != "fastnn"}, ("run", "optimizer", "apply"), 1)
    model_file.save(tmp_path / "backup" / "backup.fastnn", document, arrays)
    model, watched, _ = run_of(tmp_path, 3)
    model.fit(X, Y, epochs=3, batch_size=3, verbose=0, callbacks=watched)
    assert "apply" not in vars(model.optimizer)


def test_long_histories_are_arrays_of_a_backup_and_come_back_as_they_were(tmp_path):
    arrays = {}
    state = {"history": {"loss": [0.1] * 2000, "mixed": [1, 0.5] * 600}, "epoch": list(range(1500)), "short": [1]}
    packed = callbacks.backup._pack(state, arrays, "x")
    assert len(json.dumps(packed)) < 9000
    assert sorted(arrays) == ["x/epoch", "x/history/loss"]
    assert callbacks.backup._unpack(packed, arrays) == state


# --- Bounds ---


def forged(path, text):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(zipfile.ZipInfo("fastnn.json"), text)


@pytest.mark.parametrize("text", ["[" + "[]," * 4_000_000 + "[]]", '{"a":' + "{}," * 2_000_000, "[" * 2_000_000])
def test_json_that_would_fill_the_memory_is_refused(tmp_path, text):
    forged(tmp_path / "m", text)
    tracemalloc.start()
    try:
        with pytest.raises(fastnn.ModelFileError, match="may hold"):
            fastnn.load_model(tmp_path / "m")
        assert tracemalloc.get_traced_memory()[1] < 4 * len(text)
    finally:
        tracemalloc.stop()


def test_what_load_would_refuse_is_not_saved(tmp_path, monkeypatch):
    model = fastnn.Sequential([Input((2,)), Dense(1)])
    monkeypatch.setattr(schema, "MOST_VALUES", 100)
    with pytest.raises(ValueError, match=r"values, and may hold 100"):
        model.save(tmp_path / "m", metadata={"list": list(range(200))})
    monkeypatch.setattr(saving, "MOST_LAYERS", 0)
    with pytest.raises(ValueError, match="layers; a file describes 0 at most"):
        model.save(tmp_path / "m")
    assert not (tmp_path / "m").exists()


def test_names_of_many_layers_are_found_in_one_pass():
    """Else two thousand of them take a minute."""
    found = unique(["dense"] * 2000 + ["relu"] * 2000, taken=["dense", "relu_7"])
    assert found[:3] == ["dense_1", "dense_2", "dense_3"]
    assert found[1999:2002] == ["dense_2000", "relu", "relu_1"]
    assert "relu_7" not in found
    assert len(set(found)) == 4000


def test_a_file_of_more_layers_than_may_be_is_refused_before_one_is_made(written, tmp_path, monkeypatch):
    document, arrays = written
    layer = {"class_name": "Dropout", "config": {"rate": 0.5}}
    config = document["config"] | {"layers": [layer] * 10_001}
    model_file.save(tmp_path / "m", {k: v for k, v in document.items() if k != "run"} | {"config": config}, arrays)
    start = time.process_time()
    with pytest.raises(fastnn.ModelFileError, match="10001 layers"):
        fastnn.load_model(tmp_path / "m")
    assert time.process_time() >= start


# --- Where files are written ---


@pytest.mark.parametrize("kind", ["folder", "FIFO", "socket", "device"])
@pytest.mark.parametrize("way", ["save", "save_weights", "link"])
def test_what_is_no_file_is_not_replaced(tmp_path, monkeypatch, kind, way):
    monkeypatch.chdir(tmp_path)  # a socket's path is short
    path = tmp_path / "m"
    if kind == "folder":
        path.mkdir()
    elif kind == "FIFO":
        os.mkfifo(path)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind("m")
    else:
        path = os.devnull
    before = os.stat(path)
    if way == "link":
        (tmp_path / "link").symlink_to(path)
        path, way = tmp_path / "link", "save"
    if way == "save_weights":
        pytest.importorskip("safetensors")
    model = fastnn.Sequential([Input((2,)), Dense(1)])
    with pytest.raises(OSError, match=f"cannot be written: it is a {kind}, and no file"):
        getattr(model, way)(path)
    assert os.path.samestat(os.stat(path), before)
    assert stat.S_IFMT(os.stat(path).st_mode) == stat.S_IFMT(before.st_mode)


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644, 0o664, 0o400])
def test_a_file_keeps_its_rights_and_a_new_one_has_those_of_any(tmp_path, mode):
    path = tmp_path / "m"
    mask = os.umask(0o022)
    try:
        with replacing(path) as file:
            file.write(b"1")
        assert stat.S_IMODE(path.stat().st_mode) == 0o644
        path.chmod(mode)
        with replacing(path) as file:
            assert stat.S_IMODE(os.fstat(file.fileno()).st_mode) == mode
            file.write(b"2")
    finally:
        os.umask(mask)
    assert (stat.S_IMODE(path.stat().st_mode), path.read_bytes()) == (mode, b"2")


def test_a_link_stays_one_and_what_it_leads_to_is_replaced(tmp_path):
    (tmp_path / "m").write_bytes(b"1")
    (tmp_path / "link").symlink_to("m")
    with replacing(tmp_path / "link") as file:
        file.write(b"2")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "m").read_bytes() == b"2"


# --- Loggers ---


@pytest.mark.parametrize("kind", [callbacks.CSVLogger, callbacks.JSONLogger])
def test_a_line_that_the_disk_has_no_room_for_leaves_nothing(tmp_path, kind, monkeypatch):
    import io

    class Full(io.FileIO):
        room = 10**9

        def write(self, data):
            written = super().write(bytes(data)[: self.room])
            Full.room -= written
            if not written and data:
                raise OSError(28, "No space left on device")
            return written

    monkeypatch.setattr("fastnn.callbacks.loggers.io.FileIO", Full)
    logger = kind(tmp_path / "log")
    logger.on_train_begin()
    logger.on_epoch_end(0, {"loss": 0.5})
    whole = (tmp_path / "log").read_bytes()
    Full.room = 5
    with pytest.raises(OSError, match="No space left"):
        logger.on_epoch_end(1, {"loss": 0.25})
    assert (tmp_path / "log").read_bytes() == whole
    Full.room = 10**9
    logger.on_epoch_end(1, {"loss": 0.25})
    assert (tmp_path / "log").read_bytes().startswith(whole)
    assert (tmp_path / "log").read_bytes().count(b"\n") == whole.count(b"\n") + 1
    logger.on_train_end()


@pytest.mark.parametrize("kind", [callbacks.CSVLogger, callbacks.JSONLogger])
def test_what_a_killed_process_left_of_a_line_is_cut_off(tmp_path, kind):
    path = tmp_path / "log"
    for number in range(2):
        if number:
            whole = path.read_bytes()
            path.write_bytes(whole + b'{"epoch": 1, "lo')
        logger = kind(path, append=bool(number))
        if number:
            with pytest.warns(UserWarning, match="in the middle of a line"):
                logger.on_train_begin()
        else:
            logger.on_train_begin()
        logger.on_epoch_end(number, {"loss": 0.5})
        logger.on_train_end()
    lines = path.read_text().splitlines()
    assert len(lines) == (3 if kind is callbacks.CSVLogger else 2)
    assert all("loss" in line or "0.5" in line for line in lines)


def test_the_digest_of_a_document_is_of_what_is_checked(tmp_path, written):
    """A field may not be changed without its checksum."""
    document, arrays = written
    model_file.save(tmp_path / "m", {k: v for k, v in document.items() if k != "run"}, arrays)
    content = (tmp_path / "m").read_bytes()
    assert hashlib.sha256(content).hexdigest()
    (tmp_path / "m").write_bytes(content.replace(b'"iterations": 4', b'"iterations": 5'))
    with pytest.raises(fastnn.ModelFileError):
        fastnn.load_model(tmp_path / "m")
