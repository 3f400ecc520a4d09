"""A model comes back from its file as it was, and anything else is refused."""

import io
import json
import zipfile

import naive
import numpy as np
import pytest

import fastnn
from fastnn import activations, losses, optimizers
from fastnn.layers import Activation, Dense, Input


@pytest.fixture
def trained(network, backend, dtype):
    """A model that has learned for two epochs, and its data."""
    sizes = [5, 17, 3]
    x, y = naive.random_data("sparse_categorical_crossentropy", 40, 5, 3)
    model = network(
        sizes,
        ["gelu", "softmax"],
        loss="sparse_categorical_crossentropy",
        optimizer=optimizers.Adam(0.01),
        metrics=["accuracy"],
        backend=backend,
        dtype=dtype,
    )
    model.fit(x, y, epochs=2, verbose=0)
    return model, x, y


def test_model_comes_back_bit_for_bit(trained, tmp_path, backend, dtype):
    model, x, y = trained
    model.save(tmp_path / "model.fastnn")
    loaded = fastnn.load_model(tmp_path / "model.fastnn")
    assert all(map(np.array_equal, model.get_weights(), loaded.get_weights()))
    assert [w.dtype for w in loaded.get_weights()] == [w.dtype for w in model.get_weights()]
    np.testing.assert_allclose(loaded.predict(x), model.predict(x), rtol=1e-5)
    assert loaded.evaluate(x, y, verbose=0) == pytest.approx(model.evaluate(x, y, verbose=0), rel=1e-5)
    loaded.compile(loss=model.loss, backend=backend, dtype=dtype)
    assert np.array_equal(loaded.predict(x), model.predict(x))


def test_loaded_model_trains_on_where_the_saved_one_stood(trained, tmp_path):
    """The optimizer's moments and step count are in the file."""
    model, x, y = trained
    path = tmp_path / "model.fastnn"
    model.save(path)
    loaded = fastnn.load_model(path)
    model.fit(x, y, epochs=2, shuffle=False, verbose=0)
    loaded.fit(x, y, epochs=2, shuffle=False, verbose=0)
    for ours, theirs in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_allclose(theirs, ours, rtol=1e-4, atol=1e-6)


def test_layers_options_and_names_come_back(tmp_path):
    model = fastnn.Sequential(
        [
            Input(shape=(3,)),
            Dense(4, use_bias=False, name="first"),
            Activation("relu"),
            Dense(5, activation=activations.LeakyReLU(negative_slope=0.5)),
            Dense(2, activation="sigmoid"),
        ],
        name="pipes",
        seed=0,
    )
    model.compile(
        loss=losses.Huber(delta=0.5), optimizer=optimizers.SGD(0.2, momentum=0.5, nesterov=True), metrics=["mae"]
    )
    x, y = naive.random_data("mse", 9, 3, 2)
    model.fit(x, y, verbose=0)
    model.save(tmp_path / "m")
    loaded = fastnn.load_model(tmp_path / "m")
    assert loaded.name == "pipes"
    assert [layer.name for layer in loaded.layers] == [layer.name for layer in model.layers]
    assert loaded.count_params() == model.count_params()
    assert np.array_equal(loaded.predict(x), model.predict(x))
    assert loaded.evaluate(x, y, verbose=0) == model.evaluate(x, y, verbose=0)
    model.fit(x, y, shuffle=False, verbose=0)
    loaded.fit(x, y, shuffle=False, verbose=0)
    assert all(map(np.array_equal, model.get_weights(), loaded.get_weights()))


def test_metadata_comes_back(trained, tmp_path):
    model, _, _ = trained
    metadata = {"classes": ["a", "b", "ü"], "means": [0.1, 1e-300], "nested": {"n": None}}
    model.save(tmp_path / "m", metadata=metadata)
    assert fastnn.load_model(tmp_path / "m").metadata == metadata


def test_path_may_be_a_string_and_a_second_save_replaces_the_first(trained, tmp_path):
    model, x, y = trained
    path = str(tmp_path / "m.fastnn")
    model.save(path)
    model.fit(x, y, verbose=0)
    model.save(path)
    assert all(map(np.array_equal, fastnn.load_model(path).get_weights(), model.get_weights()))
    assert [p.name for p in tmp_path.iterdir()] == ["m.fastnn"]


def test_file_holds_no_pickle(trained, tmp_path):
    model, _, _ = trained
    path = tmp_path / "m"
    model.save(path)
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            assert name.endswith((".npy", ".json"))
            if name.endswith(".npy"):
                with archive.open(name) as file:
                    np.lib.format.read_array(file, allow_pickle=False)


@pytest.fixture
def file(network, tmp_path):
    """A saved model's path."""
    path = tmp_path / "model.fastnn"
    network([3, 4, 2], ["tanh", "linear"], seed=0).save(path)
    return path


def test_file_cut_anywhere_is_refused_by_name(file):
    whole = file.read_bytes()
    for length in sorted({0, 1, 4, 30, *range(0, len(whole), max(1, len(whole) // 40)), len(whole) - 1}):
        file.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"model\.fastnn"):
            fastnn.load_model(file)


def test_file_with_a_flipped_byte_is_refused_or_unharmed(file):
    """No flipped byte may load as another model; bytes that mean nothing (padding, times) may be flipped."""
    whole = file.read_bytes()
    expected = fastnn.load_model(file).get_weights()
    refused = 0
    for place in range(0, len(whole), max(1, len(whole) // 100)):
        flipped = bytearray(whole)
        flipped[place] ^= 0x55
        file.write_bytes(flipped)
        try:
            loaded = fastnn.load_model(file)
        except ValueError:
            refused += 1
        else:
            assert all(map(np.array_equal, loaded.get_weights(), expected))
    assert refused > 50


@pytest.mark.parametrize("content", [b"", b"hello, this is text" * 100, b"PK\x03\x04" + bytes(200), bytes(4096)])
def test_other_files_are_refused_by_name(tmp_path, content):
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"notes\.txt"):
        fastnn.load_model(path)


def test_other_archives_are_refused_by_name(tmp_path):
    path = tmp_path / "arrays.npz"
    np.savez(path, x=np.zeros(3))
    with pytest.raises(ValueError, match=r"arrays\.npz"):
        fastnn.load_model(path)


def rewrite(file, change, compression=zipfile.ZIP_STORED):
    """Writes the archive anew; `change` returns the content to write for a member's name and content."""
    with zipfile.ZipFile(file) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, change(name, content))


def test_file_written_anew_is_read(file):
    expected = fastnn.load_model(file).get_weights()
    rewrite(file, lambda name, content: content)
    assert all(map(np.array_equal, fastnn.load_model(file).get_weights(), expected))


def test_compressed_file_is_refused(file):
    """It could be far larger in memory than on disk."""
    rewrite(file, lambda name, content: content, zipfile.ZIP_DEFLATED)
    with pytest.raises(ValueError, match="compressed"):
        fastnn.load_model(file)


def test_file_of_a_newer_format_is_refused_with_the_advice_to_upgrade(file):
    def newer(name, content):
        return json.dumps(json.loads(content) | {"format": 99}) if name.endswith(".json") else content

    rewrite(file, newer)
    with pytest.raises(ValueError, match=r"model\.fastnn.*upgrade"):
        fastnn.load_model(file)


def test_weights_that_do_not_belong_to_the_description_are_refused(file):
    """A changed description is found out even where every checksum fits."""

    def other_units(name, content):
        return content.replace(b'"units": 4', b'"units": 5')

    rewrite(file, other_units)
    with pytest.raises(ValueError, match=r"model\.fastnn"):
        fastnn.load_model(file)


class Trap:
    sprung = False

    def __reduce__(self):
        return setattr, (Trap, "sprung", True)


def test_pickle_in_a_file_is_refused_and_not_run(file):
    def trap(name, content):
        if not name.endswith(".npy"):
            return content
        buffer = io.BytesIO()
        np.save(buffer, np.array([Trap()], dtype=object), allow_pickle=True)
        return buffer.getvalue()

    rewrite(file, trap)
    with pytest.raises(ValueError, match=r"model\.fastnn"):
        fastnn.load_model(file)
    assert not Trap.sprung


def test_missing_file_is_a_file_not_found_error(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        fastnn.load_model(tmp_path / "nowhere")


def test_failed_save_keeps_the_old_file(file, network, monkeypatch):
    old = file.read_bytes()
    with pytest.raises(TypeError):
        network([3, 1], ["linear"]).save(file, metadata={"a": object()})
    assert file.read_bytes() == old
    assert [p.name for p in file.parent.iterdir()] == [file.name]
