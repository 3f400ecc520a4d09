"""Weights alone in safetensors files, who wrote a file, and files that promise more than they hold."""

import hashlib
import json
import os
import tracemalloc
import zipfile

import numpy as np
import pytest

import fastnn
from fastnn import initializers
from fastnn.files import model_file
from fastnn.layers import Activation, Dense, Input


def new_model(seed=0, dtype="float32", units=4, **options):
    hidden = Dense(units, use_bias=False, **options)
    model = fastnn.Sequential([Input((3,)), hidden, Activation("relu"), Dense(2, name="last")], seed=seed)
    model.compile("adam", "mse", dtype=dtype)
    return model


@pytest.fixture
def path(tmp_path):
    pytest.importorskip("safetensors")
    return tmp_path / "weights.safetensors"


def test_weights_come_back_by_keras_s_names_and_other_libraries_read_them(path, dtype):
    safetensors = pytest.importorskip("safetensors.numpy")
    model, other = new_model(0, dtype), new_model(1, dtype)
    model.save_weights(path)
    tensors = safetensors.load_file(path)
    assert {name: array.shape for name, array in tensors.items()} == {
        "dense/kernel": (3, 4),
        "last/kernel": (4, 2),
        "last/bias": (2,),
    }
    assert np.array_equal(tensors["dense/kernel"], model.layers[0].kernel)
    other.load_weights(path)
    assert all(map(np.array_equal, model.get_weights(), other.get_weights()))
    assert all(a.dtype == dtype for a in other.get_weights())


def test_weights_of_others_are_read(path):
    """Without our checksums, in any order, and of another dtype."""
    safetensors = pytest.importorskip("safetensors.numpy")
    arrays = {"last/bias": np.ones(2), "last/kernel": np.full((4, 2), 2.0), "dense/kernel": np.full((3, 4), 3.0)}
    safetensors.save_file({name: array.astype(np.float16) for name, array in arrays.items()}, path)
    model = new_model()
    model.load_weights(path)
    assert [float(w.flat[0]) for w in model.get_weights()] == [3.0, 2.0, 1.0]


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"dense/kernel": np.ones((3, 4))}, r"it holds \['dense/kernel'\]; wants .*'last/bias'"),
        ({"dense/kernel": np.ones((4, 3)), "last/kernel": np.ones((4, 2)), "last/bias": np.ones(2)}, r"\(4, 3\)"),
        ({"dense/kernel": np.ones((3, 4)), "last/kernel": np.ones((4, 2)), "last/bias": np.array([1, np.nan])}, "NaN"),
    ],
)
def test_weights_of_another_model_are_refused_and_nothing_changes(path, arrays, words):
    safetensors = pytest.importorskip("safetensors.numpy")
    safetensors.save_file(arrays, path)
    model = new_model()
    before = model.get_weights()
    with pytest.raises(fastnn.ModelFileError, match=rf"weights\.safetensors.*{words}"):
        model.load_weights(path)
    assert all(map(np.array_equal, model.get_weights(), before))


def test_a_flipped_bit_in_weights_is_found_and_its_writer_named(path):
    model = new_model()
    model.save_weights(path)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(fastnn.ModelFileError, match=rf"checksum of .*fastnn {fastnn.__version__} wrote it"):
        model.load_weights(path)


def test_weights_are_not_there_is_a_file_not_found_error(tmp_path):
    pytest.importorskip("safetensors")
    with pytest.raises(FileNotFoundError, match="nowhere"):
        new_model().load_weights(tmp_path / "nowhere")


def test_a_model_knows_which_version_wrote_its_file(tmp_path, monkeypatch):
    monkeypatch.setattr(model_file, "VERSION", "7.8.9")
    model = new_model()
    assert model.saved_by is None
    model.save(tmp_path / "m")
    monkeypatch.undo()
    loaded = fastnn.load_model(tmp_path / "m")
    assert loaded.saved_by == "7.8.9"
    loaded.save(tmp_path / "m")
    assert fastnn.load_model(tmp_path / "m").saved_by == fastnn.__version__


def forge(path, change):
    """Change the description, and put its checksum right."""
    with zipfile.ZipFile(path) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    whole = json.loads(contents["fastnn.json"])
    change(whole["document"])
    whole["sha256"] = hashlib.sha256(json.dumps(whole["document"], sort_keys=True).encode()).hexdigest()
    contents["fastnn.json"] = json.dumps(whole).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in contents.items():
            archive.writestr(name, content)


@pytest.mark.parametrize("units", [5, 10**6, 10**15])
def test_a_description_that_promises_more_than_the_file_holds_allocates_nothing(tmp_path, units):
    path = tmp_path / "m"
    new_model().save(path)
    forge(path, lambda document: document["config"]["layers"][0]["config"].update(units=units))
    tracemalloc.start()
    try:
        with pytest.raises(fastnn.ModelFileError, match=rf"fastnn {fastnn.__version__} wrote.*shapes.*{units}"):
            fastnn.load_model(path)
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


def test_a_file_without_weights_is_refused(tmp_path):
    path = tmp_path / "m"
    document, _ = new_model()._contents()
    model_file.save(path, document, {})
    with pytest.raises(fastnn.ModelFileError, match="shapes"):
        fastnn.load_model(path)


def test_a_slot_of_another_shape_is_refused(tmp_path):
    """NumPy would spread a single value over all of it."""
    document, arrays = new_model()._contents()
    model_file.save(tmp_path / "m", document, arrays | {"slots/0/0": np.zeros((1, 1), "float32")})
    with pytest.raises(fastnn.ModelFileError, match="slots/0/0"):
        fastnn.load_model(tmp_path / "m")


def test_a_changed_description_is_found_by_its_own_checksum(tmp_path):
    path = tmp_path / "m"
    new_model().save(path)
    with zipfile.ZipFile(path) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    contents["fastnn.json"] = contents["fastnn.json"].replace(b'"relu"', b'"tanh"')
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    with pytest.raises(fastnn.ModelFileError, match=r"checksum of fastnn\.json"):
        fastnn.load_model(path)


def test_files_of_the_first_format_are_read(tmp_path):
    path = tmp_path / "m"
    model = new_model()
    model.save(path)
    with zipfile.ZipFile(path) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    whole = json.loads(contents["fastnn.json"])
    whole["format"] = 1
    del whole["sha256"]
    contents["fastnn.json"] = json.dumps(whole).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    assert all(map(np.array_equal, fastnn.load_model(path).get_weights(), model.get_weights()))


def test_loading_draws_no_weights(tmp_path):
    class Never(initializers.Initializer):
        def __call__(self, shape, rng):
            if drawn:
                raise AssertionError("weights were drawn")
            return np.ones(shape)

    drawn = []
    model = new_model(kernel_initializer=Never())
    model.save(tmp_path / "m")
    drawn.append(True)
    assert np.array_equal(fastnn.load_model(tmp_path / "m").get_weights()[0], np.ones((3, 4)))


@pytest.mark.skipif(not hasattr(os, "O_DIRECTORY"), reason="no folders to sync on this platform")
def test_a_file_and_its_name_are_on_the_disk_before_the_old_one_is_gone(tmp_path, monkeypatch):
    events = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(
        os, "fsync", lambda fd: (events.append(("sync", os.readlink(f"/proc/self/fd/{fd}"))), fsync(fd))
    )
    monkeypatch.setattr(os, "replace", lambda a, b: (events.append(("rename", str(b))), replace(a, b)))
    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("no /proc")
    path = tmp_path / "m"
    new_model().save(path)
    assert [what for what, _ in events] == ["sync", "rename", "sync"]
    assert events[0][1].endswith(".part")
    assert events[2][1] == str(tmp_path)
