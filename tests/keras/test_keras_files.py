"""Files that Keras wrote are read without it, what is written has their structure, and hostile ones are refused."""

import io
import json
import zipfile
from pathlib import Path

import keras_models
import numpy as np
import pytest

import fastnn
from fastnn import layers, losses, optimizers, schedules

h5py = pytest.importorskip("h5py")
FILES = Path(__file__).resolve().parent / "files"
EXPECTED = json.loads((FILES / "expected.json").read_text())
CLASSES = {"chain": 3, "nested": 0}


def train(model, x, y, steps):
    for step in range(steps):
        part = slice(8 * (step % 3), 8 * (step % 3) + 8)
        model.train_on_batch(x[part], y[part])


def built(name, dtype="float32"):
    """One of the shared cases, trained a little."""
    given, compiled, classes = keras_models.CASES[name](fastnn)
    model = fastnn.Sequential(given, seed=1)
    model.compile(**compiled, dtype=dtype)
    x, y = keras_models.data(classes, model.output_shape[-1])
    train(model, x.reshape(-1, *model.input_shape[1:]), y, 5)
    return model


def members(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def archived(path, config, weights, **options):
    with zipfile.ZipFile(path, "w", **options) as archive:
        archive.writestr("metadata.json", "{}")
        archive.writestr("config.json", config if isinstance(config, str) else json.dumps(config))
        archive.writestr("model.weights.h5", weights)
    return path


def tree(content):
    """Every group and array of an HDF5 file, with its shape and dtype."""
    found = {}
    with h5py.File(io.BytesIO(content)) as file:
        file.visititems(
            lambda name, item: found.update({name: (getattr(item, "shape", None), str(getattr(item, "dtype", "")))})
        )
    return found


@pytest.mark.parametrize("name", CLASSES)
def test_models_of_keras_predict_and_train_on(name):
    model = fastnn.load_model(FILES / f"{name}.keras", backend="numpy")
    x, y = keras_models.data(CLASSES[name], model.output_shape[-1])
    np.testing.assert_allclose(model.predict(x), EXPECTED[name]["predicted"], atol=1e-6)
    assert model.optimizer.iterations == 5
    if name == "nested":  # the other one draws noise
        train(model, x, y, 10)
        np.testing.assert_allclose(model.predict(x), EXPECTED[name]["trained"], atol=2e-5)


def test_names_arguments_and_what_it_was_compiled_with_are_keras_s():
    model = fastnn.load_model(FILES / "chain.keras")
    assert [layer.name for layer in model.layers] == ["first", "middle", "dropout", "dense"]
    assert model.layers[0].activation == fastnn.activations.LeakyReLU(0.1)
    assert (model.layers[2].rate, model.layers[2].seed) == (0.3, 1)
    assert model.metrics_names == ["loss", "accuracy", "sparse_top_k_categorical_accuracy"]
    assert isinstance(model.optimizer, optimizers.KerasAdam)
    assert model.optimizer.learning_rate == pytest.approx(0.001)
    nested = fastnn.load_model(FILES / "nested.keras")
    assert [layer.name for layer in nested.layers] == ["inner", "z", "a"]
    assert isinstance(nested.optimizer.schedule, schedules.InverseTimeDecay)
    assert (nested.optimizer.momentum, nested.optimizer.gradient_accumulation_steps) == (0.9, 2)


@pytest.mark.parametrize("ending", ["weights.h5", "h5"])
def test_weights_files_are_read_by_the_order_of_layers(ending):
    model = fastnn.load_model(FILES / "nested.keras", backend="numpy")
    x, _ = keras_models.data(0, 2)
    model.set_weights([0 * weight for weight in model.get_weights()])
    model.load_weights(FILES / f"nested.{ending}")  # in which groups come as "a", "inner", "z"
    np.testing.assert_allclose(model.predict(x), EXPECTED["nested"]["predicted"], atol=1e-6)


def test_what_is_written_has_the_structure_of_keras_s_file(tmp_path):
    model = fastnn.load_model(FILES / "nested.keras", backend="numpy")
    model.export(tmp_path / "n.keras")
    theirs, ours = members(FILES / "nested.keras"), members(tmp_path / "n.keras")
    assert set(ours) == set(theirs)
    assert tree(ours["model.weights.h5"]) == tree(theirs["model.weights.h5"])
    (wanted, found) = (json.loads(each["config.json"]) for each in (theirs, ours))
    assert_within(found, wanted, "")
    model.save_weights(tmp_path / "nested.weights.h5")
    found, wanted = (tree((place / "nested.weights.h5").read_bytes()) for place in (tmp_path, FILES))
    assert found == {path: what for path, what in wanted.items() if not path.startswith("optimizer")}


def assert_within(found, wanted, place):
    """Everything that is said is said in Keras's words, and with its values."""
    if isinstance(found, dict) and isinstance(wanted, dict):
        for name, value in found.items():
            if name not in ("jit_compile", "initial_accumulator_value"):
                assert name in wanted, f"{place}/{name}"
                assert_within(value, wanted[name], f"{place}/{name}")
    elif isinstance(found, list) and isinstance(wanted, list):
        assert len(found) == len(wanted), place
        for number, (ours, theirs) in enumerate(zip(found, wanted, strict=True)):
            assert_within(ours, theirs, f"{place}/{number}")
    elif place.endswith(("/loss", "/axis")) or "input_layer" in str(found):
        pass  # a name there, an object here
    else:
        assert found == wanted, place


@pytest.mark.parametrize("name", keras_models.CASES)
def test_every_case_comes_back_as_it_was(name, tmp_path):
    model = built(name, "float64")
    model.export(tmp_path / "m.keras")
    back = fastnn.load_model(tmp_path / "m.keras")
    assert back.dtype == "float64"
    for ours, theirs in zip(back.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    slots, wanted = (each._engine.parameters.slot_matrices() for each in (back, model))
    assert slots.keys() == wanted.keys()
    if name not in ("frozen", "centered_without_momentum"):  # what is not trained, and is scratch, does not travel
        for key, matrix in wanted.items():
            np.testing.assert_array_equal(slots[key], matrix)
    assert back.optimizer.iterations == model.optimizer.iterations
    assert back.optimizer.learning_rate == model.optimizer.learning_rate
    back.export(tmp_path / "again.keras")
    names = [json.loads(members(tmp_path / each)["config.json"])["config"] for each in ("m.keras", "again.keras")]
    assert names[0] == names[1]


def test_the_same_model_makes_the_same_file(tmp_path):
    model = built("nested")
    for name in ("a.keras", "b.keras", "a.weights.h5", "b.weights.h5"):
        (model.export if name.endswith("keras") else model.save_weights)(tmp_path / name)
    assert (tmp_path / "a.keras").read_bytes() == (tmp_path / "b.keras").read_bytes()
    assert (tmp_path / "a.weights.h5").read_bytes() == (tmp_path / "b.weights.h5").read_bytes()


def compiled(optimizer="sgd", loss="mse", last=None, **options):
    model = fastnn.Sequential([layers.Input((3,)), *([last] if last else []), layers.Dense(2)], seed=0)
    model.compile(optimizer, loss, **options)
    return model


ONLY_HERE = {
    "Rprop": lambda: compiled(optimizers.Rprop()),
    "LBFGS": lambda: compiled(optimizers.LBFGS()),
    "OneCycle": lambda: compiled(optimizers.SGD(schedules.OneCycle(0.1, 10))),
    "HalfSquaredError": lambda: compiled(loss=losses.HalfSquaredError()),
    "Quantile": lambda: compiled(loss=losses.Quantile(0.3)),
    "Custom": lambda: compiled(loss=lambda t, y: (np.mean((y - t) ** 2, axis=1), y - t)),
    "kernel_rate": lambda: compiled(last=layers.Dense(3, kernel_rate=2.0)),
}


@pytest.mark.parametrize("name", ONLY_HERE)
def test_what_keras_has_not_is_refused_by_name_but_for_training(name, tmp_path):
    model = ONLY_HERE[name]()
    with pytest.raises(ValueError, match=rf"{name}.*include_optimizer=False"):
        model.export(tmp_path / "m.keras")
    assert list(tmp_path.iterdir()) == []
    model.export(tmp_path / "m.keras", include_optimizer=False)
    back = fastnn.load_model(tmp_path / "m.keras")
    assert back.optimizer is None
    np.testing.assert_array_equal(back.predict(np.ones((2, 3))), model.predict(np.ones((2, 3))))


LAYERS_ONLY_HERE = {
    "Scaling": layers.Scaling(name="mine"),
    "'mine'.*cube": layers.Activation(
        fastnn.activations.Custom(lambda x: x**3, lambda x: 3 * x**2, "cube"), name="mine"
    ),
    "'mine'.*celu": layers.Activation(fastnn.activations.Activation("celu", 2.0), name="mine"),
}


@pytest.mark.parametrize("name", LAYERS_ONLY_HERE)
def test_layers_that_keras_has_not_are_refused_by_name(name, tmp_path):
    model = fastnn.Sequential([layers.Input((3,)), LAYERS_ONLY_HERE[name], layers.Dense(2)])
    with pytest.raises(ValueError, match=name):
        model.export(tmp_path / "m.keras", include_optimizer=False)


def edited(edit, tmp_path):
    """chain.keras with another configuration."""
    parts = members(FILES / "chain.keras")
    config = json.loads(parts["config.json"])
    edit(config, config["config"]["layers"])
    return archived(tmp_path / "e.keras", config, parts["model.weights.h5"])


def _set(number, **values):
    return lambda config, layers: layers[number].update(values)


def _argument(number, **values):
    return lambda config, layers: layers[number]["config"].update(values)


def _trained(**values):
    return lambda config, layers: config["compile_config"].update(values)


def _branch(config, layers):
    layers[2]["inbound_nodes"][0]["args"].append(layers[1]["inbound_nodes"][0]["args"][0])


OWN = {"module": "my.layers", "class_name": "Mine", "config": {}, "registered_name": "pack>Mine"}
EDITS = {
    "Lambda": (_set(1, class_name="Lambda"), "Lambda, which holds code"),
    "custom class": (_set(1, **OWN), "pack>Mine"),
    "custom module": (_set(1, module="os"), "'os'"),
    "unknown layer": (_set(1, class_name="Conv2D"), "the layer 'first' is 'Conv2D', which fastnn has not"),
    "abstract layer": (_set(1, class_name="Weighted"), "'Weighted', which fastnn has not"),
    "dtype": (_argument(1, dtype="mixed_float16"), "'first' got dtype='mixed_float16'"),
    "two dtypes": (_argument(1, dtype="float64"), "float64"),
    "argument": (_argument(1, activity_regularizer="l2"), "activity_regularizer='l2'"),
    "unknown argument": (_argument(1, magic=3), "magic=3; fastnn has no such argument"),
    "huge units": (_argument(1, units=2**40), "the file is small"),
    "other units": (_argument(1, units=6), r"layers/dense holds \(6, 5\); wants \(6, 6\)"),
    "negative units": (_argument(1, units=-1), "units got -1"),
    "no rows": (_argument(0, batch_shape=[None, None]), "batches of the shape"),
    "wide rows": (_argument(0, batch_shape=[None, 2**40]), "the file is small"),
    "function as activation": (
        _argument(1, activation={"module": "os", "class_name": "function", "config": "system"}),
        "function of 'os'",
    ),
    "unknown activation": (_argument(1, activation="magic"), "magic"),
    "the user's activation": (_argument(1, activation="custom"), "custom"),
    "initializer": (_argument(1, kernel_initializer=OWN), "pack>Mine"),
    "branch": (_branch, "wants 'middle' before it|wants 'first' before it"),
    "used twice": (lambda c, layers: layers[2]["inbound_nodes"].append({}), "'middle' is used 2 times"),
    "other output": (lambda c, layers: c["config"].update(output_layers=[["first", 0, 0]]), "output_layers"),
    "optimizer": (
        _trained(optimizer={"class_name": "Ftrl", "config": {}, "module": "keras.optimizers"}),
        "'Ftrl'.*compile=False",
    ),
    "loss": (_trained(loss={"module": "keras.losses", "class_name": "Dice", "config": {}}), "'Dice'.*compile=False"),
    "metric": (_trained(metrics=[{"module": "keras.metrics", "class_name": "IoU", "config": {}}]), "'IoU'"),
    "no model": (lambda config, layers: config.update(class_name="Dense", registered_name=None), "'Dense'"),
    "a model of one's own": (lambda config, layers: config.update(registered_name="pack>Net"), "pack>Net"),
}


@pytest.mark.parametrize("name", EDITS)
def test_what_is_not_here_is_refused_by_name(name, tmp_path):
    edit, message = EDITS[name]
    path = edited(edit, tmp_path)
    with pytest.raises(fastnn.ModelFileError, match=message):
        fastnn.load_model(path)


def test_training_is_left_out_where_it_is_asked_for(tmp_path):
    from fastnn.keras import load

    path = edited(EDITS["loss"][0], tmp_path)
    model = load(path, compile=False)
    assert model.optimizer is None
    x, _ = keras_models.data(3)
    np.testing.assert_allclose(model.predict(x), EXPECTED["chain"]["predicted"], atol=1e-6)


def test_a_loss_of_one_s_own_is_found_by_its_name(tmp_path):
    given = {"module": "my.losses", "class_name": "function", "config": "mine", "registered_name": "mine"}
    path = edited(_trained(loss="mine", metrics=None), tmp_path)
    assert fastnn.load_model(path, custom_objects={"mine": "categorical_crossentropy"}).loss.name.startswith("cat")
    with pytest.raises(fastnn.ModelFileError, match="mine"):
        fastnn.load_model(path)
    with pytest.raises(fastnn.ModelFileError, match=r"my\.losses"):
        fastnn.load_model(edited(_trained(loss=given), tmp_path))


def _soft(file):
    del file["layers/dense/vars/0"]
    file["layers/dense/vars/0"] = h5py.SoftLink("/layers/dense_1/vars/0")


def _external(file):
    del file["layers/dense/vars/0"]
    file["layers/dense/vars/0"] = h5py.ExternalLink("other.h5", "/x")


def _replaced(**options):
    def change(file):
        del file["layers/dense/vars/0"]
        file["layers/dense/vars"].create_dataset("0", **options)

    return change


def _virtual(file):
    del file["layers/dense/vars/0"]
    layout = h5py.VirtualLayout((6, 5), "f4")
    layout[:] = h5py.VirtualSource("other.h5", "x", (6, 5))
    file["layers/dense/vars"].create_virtual_dataset("0", layout)


def _shared(file):
    """What fits both the optimizer's and the layer's, and is one array."""
    del file["layers/dense/vars/0"]
    file["layers/dense/vars/0"] = file["optimizer/vars/2"]


CHANGES = {
    "soft link": (_soft, "leads elsewhere"),
    "external link": (_external, "leads elsewhere"),
    "virtual": (_virtual, "plain array"),
    "external storage": (_replaced(shape=(6, 5), dtype="f4", external=[("/etc/passwd", 0, 120)]), "plain array"),
    "compressed": (_replaced(shape=(6, 5), dtype="f4", compression="gzip", data=np.zeros((6, 5))), "plain array"),
    "never allocated": (_replaced(shape=(2**20, 2**20), dtype="f8"), "larger than the file"),
    "texts": (_replaced(data=np.array([b"a"] * 30).reshape(6, 5)), "wants numbers"),
    "complex": (_replaced(data=np.zeros((6, 5), complex)), "wants numbers"),
    "another array's place": (_shared, "where another array is"),
    "big-endian": (_replaced(data=np.zeros((6, 5), ">f4")), "layout of its own"),
    "another shape": (_replaced(data=np.zeros((5, 6))), "wants"),
    "NaN": (_replaced(data=np.full((6, 5), np.nan)), "NaN"),
    "a group": (
        lambda file: (file["layers/dense/vars"].pop("0"), file["layers/dense/vars"].create_group("0")),
        "Group",
    ),
    "one more": (lambda file: file["layers/dense/vars"].create_dataset("7", data=0.0), "3 arrays; wants 2"),
    "none": (lambda file: file["layers"].pop("dense"), "lacks 'dense'"),
    "state of another shape": (
        lambda file: (file["optimizer/vars"].pop("2"), file["optimizer/vars"].create_dataset("2", data=np.zeros(3))),
        "optimizer/vars/2",
    ),
    "state that is infinite": (
        lambda file: file["optimizer/vars/2"].write_direct(np.full((6, 5), np.inf, "f4")),
        "optimizer/vars/2",
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_links_and_arrays_that_lie_are_refused(name, tmp_path):
    change, message = CHANGES[name]
    parts = members(FILES / "chain.keras")
    buffer = io.BytesIO(parts["model.weights.h5"])
    with h5py.File(buffer, "r+") as file:
        change(file)
    path = archived(tmp_path / "c.keras", parts["config.json"].decode(), buffer.getvalue())
    with pytest.raises(fastnn.ModelFileError, match=message):
        fastnn.load_model(path)


def test_state_of_another_optimizer_begins_anew_with_a_warning(tmp_path):
    parts = members(FILES / "chain.keras")
    buffer = io.BytesIO(parts["model.weights.h5"])
    with h5py.File(buffer, "r+") as file:
        file["optimizer/vars"].pop("3")
    path = archived(tmp_path / "c.keras", parts["config.json"].decode(), buffer.getvalue())
    with pytest.warns(UserWarning, match="begins anew"):
        assert fastnn.load_model(path).optimizer.iterations == 0


def test_archives_that_lie_are_refused(tmp_path):
    parts = members(FILES / "chain.keras")
    config, weights = parts["config.json"].decode(), parts["model.weights.h5"]
    path = archived(tmp_path / "a.keras", config, weights, compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(fastnn.ModelFileError, match="compressed"):
        fastnn.load_model(path)
    data = (FILES / "chain.keras").read_bytes()
    for place in (data.index(b"TREE"), data.index(b'"units"')):
        (tmp_path / "b.keras").write_bytes(data[:place] + b"?" + data[place + 1 :])
        with pytest.raises(fastnn.ModelFileError, match="CRC-32"):
            fastnn.load_model(tmp_path / "b.keras")
    for wrong in ("[" * 100_000, "[]", "{}", json.dumps({"config": {}}), "[" + "0," * 2_000_000 + "0]"):
        with pytest.raises(fastnn.ModelFileError):
            fastnn.load_model(archived(tmp_path / "d.keras", wrong, weights))
    with pytest.raises(FileNotFoundError):
        fastnn.load_model(tmp_path / "none.keras")


def test_weights_of_fastnn_s_are_verified_and_none_is_set(tmp_path):
    model = built("nested")
    model.save_weights(tmp_path / "w.weights.h5")
    data, before = (tmp_path / "w.weights.h5").read_bytes(), model.get_weights()
    place = data.index(before[0].tobytes()) + 1
    (tmp_path / "x.weights.h5").write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
    with pytest.raises(fastnn.ModelFileError, match="checksum"):
        model.load_weights(tmp_path / "x.weights.h5")
    for ours, theirs in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    model.load_weights(tmp_path / "w.weights.h5")
    with pytest.raises(ValueError, match=r"\.weights\.h5"):
        model.save_weights(tmp_path / "w.h5")


def test_names_of_layers_lie(tmp_path):
    model = fastnn.load_model(FILES / "nested.keras", backend="numpy")
    data = (FILES / "nested.h5").read_bytes()
    heap = data.index(b"GCOL")
    for wrong in (
        data[: heap + 16] + bytes(2000) + data[heap + 2016 :],  # a heap without texts, on which libhdf5 loops
        data[: heap + 8] + b"\xff" * 8 + data[heap + 16 :],
        data.replace(b"GCOL", b"GCOM"),
        data[: len(data) // 2],
        b"\x89HDF\r\n\x1a\n",
        b"",
    ):
        (tmp_path / "n.h5").write_bytes(wrong)
        with pytest.raises(fastnn.ModelFileError):
            model.load_weights(tmp_path / "n.h5")


def test_older_files_with_names_in_parts_and_of_fixed_length(tmp_path):
    model = fastnn.Sequential([layers.Input((3,)), layers.Dense(2, name="x"), layers.BatchNormalization()], seed=0)
    rng = np.random.default_rng(0)
    arrays = [rng.uniform(0.5, 1, shape) for shape in ((3, 2), (2,), (2,), (2,), (2,), (2,))]
    names = [
        ["x/kernel:0", "x/bias:0"],
        [f"b/{name}:0" for name in ("gamma", "beta", "moving_mean", "moving_variance")],
    ]
    with h5py.File(tmp_path / "o.h5", "w") as file:
        file.attrs["layer_names0"], file.attrs["layer_names1"] = np.array([b"x"]), np.array([b"empty", b"b"])
        file.create_group("empty").attrs["weight_names"] = np.array([], "S1")
        rest = iter(arrays)
        for layer, listed in zip(("x", "b"), names, strict=True):
            group = file.create_group(layer)
            group.attrs["weight_names"] = np.array([name.encode() for name in listed])
            for name in listed:
                group[name] = next(rest)
    model.load_weights(tmp_path / "o.h5")
    for ours, theirs in zip(model.get_weights(), arrays, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6)


def test_one_corrupt_byte_is_an_error_or_changes_nothing(tmp_path):
    rng = np.random.default_rng(0)
    model = built("plain")
    model.export(tmp_path / "m.keras")
    model.save_weights(tmp_path / "m.weights.h5")
    wanted = model.get_weights()
    for name in ("m.keras", "m.weights.h5"):
        data = (tmp_path / name).read_bytes()
        for place in rng.integers(0, len(data), 60):
            (tmp_path / f"x{name}").write_bytes(data[:place] + bytes([data[place] ^ 0x55]) + data[place + 1 :])
            try:
                if name == "m.keras":
                    found = fastnn.load_model(tmp_path / f"x{name}", backend="numpy")
                else:
                    found = model
                    model.load_weights(tmp_path / f"x{name}")
            except fastnn.ModelFileError:
                continue
            for ours, theirs in zip(found.get_weights(), wanted, strict=True):
                np.testing.assert_array_equal(ours, theirs)
