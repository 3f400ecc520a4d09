"""Twenty models that Keras saves load here, train on as there, and go back: with Keras, where it is installed."""

import json
import os

import keras_models
import numpy as np
import pytest

import fastnn


@pytest.fixture(scope="module")
def keras():
    os.environ["KERAS_BACKEND"] = "jax"
    jax = pytest.importorskip("jax")
    module = pytest.importorskip("keras")
    pytest.importorskip("h5py")
    jax.config.update("jax_enable_x64", True)
    module.backend.set_floatx("float64")
    yield module
    module.backend.set_floatx("float32")


def made(module, name, exact=False):
    module.utils.set_random_seed(3)
    layers, compiled, classes = keras_models.CASES[name](module)
    model = module.Sequential(layers)
    if exact and type(compiled["optimizer"]).__name__ in ("Adam", "AdamW"):
        compiled["optimizer"] = fastnn.optimizers.KerasAdam(**compiled["optimizer"].get_config())
    model.compile(**compiled, **({"dtype": "float64"} if module is fastnn else {}))
    x, y = keras_models.data(classes, model.output_shape[-1])
    x = x.reshape(-1, *model.input_shape[1:])
    for layer in model.layers:
        if type(layer).__name__ == "Normalization" and layer.get_config()["mean"] is None:
            layer.adapt(x)
    return model, x, y


def train(model, x, y, steps):
    for step in range(steps):
        part = slice(8 * (step % 3), 8 * (step % 3) + 8)
        model.train_on_batch(x[part], y[part])


def assert_alike(keras_model, model, x):
    np.testing.assert_allclose(model.predict(x), keras_model.predict(x, verbose=0), rtol=0, atol=2e-6)
    for ours, theirs in zip(model.get_weights(), keras_model.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5)


@pytest.mark.filterwarnings("ignore")  # of Keras's and JAX's
@pytest.mark.parametrize("name", keras_models.CASES)
def test_a_model_of_keras_comes_trains_on_and_goes_back(keras, name, tmp_path):
    theirs, x, y = made(keras, name)
    train(theirs, x, y, 5)
    theirs.save(tmp_path / "there.keras")
    ours = fastnn.load_model(tmp_path / "there.keras")
    assert ours.dtype == "float64"
    assert int(ours.optimizer.iterations) == 5
    assert_alike(theirs, ours, x)
    train(theirs, x, y, 10)
    train(ours, x, y, 10)
    assert_alike(theirs, ours, x)
    ours.export(tmp_path / "here.keras")
    back = keras.saving.load_model(tmp_path / "here.keras")
    assert_alike(back, ours, x)
    train(back, x, y, 10)
    train(theirs, x, y, 10)
    train(ours, x, y, 10)
    assert_alike(back, ours, x)
    assert_alike(theirs, ours, x)
    scores = theirs.evaluate(x, y, verbose=0, return_dict=True)
    for name_of, value in ours.evaluate(x, y, verbose=0, return_dict=True).items():
        assert value == pytest.approx(scores[name_of], abs=1e-4), name_of


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", keras_models.CASES)
def test_a_model_of_fastnn_goes_to_keras(keras, name, tmp_path):
    ours, x, y = made(fastnn, name, exact=True)
    train(ours, x, y, 5)
    ours.export(tmp_path / "here.keras")
    theirs = keras.saving.load_model(tmp_path / "here.keras")
    assert_alike(theirs, ours, x)
    train(theirs, x, y, 10)
    train(ours, x, y, 10)
    assert_alike(theirs, ours, x)
    ours.save_weights(tmp_path / "here.weights.h5")
    theirs.set_weights([0 * weight for weight in theirs.get_weights()])
    theirs.load_weights(tmp_path / "here.weights.h5")
    assert_alike(theirs, ours, x)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("ending", ["weights.h5", "h5"])
@pytest.mark.parametrize("name", ["nested", "frozen", "shaped", "held"])
def test_weights_files_of_keras_are_read(keras, name, ending, tmp_path):
    theirs, x, y = made(keras, name)
    train(theirs, x, y, 3)
    (theirs.save_weights if ending == "weights.h5" else theirs.save)(tmp_path / f"there.{ending}")
    ours, _, _ = made(fastnn, name)
    ours.load_weights(tmp_path / f"there.{ending}")
    assert_alike(theirs, ours, x)


@pytest.mark.filterwarnings("ignore")
def test_functional_chains_are_read_and_branches_refused(keras, tmp_path):
    first = keras.Input((4,), name="rows")
    inner = keras.Model(first, keras.layers.Dense(3, "tanh")(first), name="inner")
    rows = keras.Input((4,))
    hidden = keras.layers.Dropout(0.3)(inner(rows))
    chain = keras.Model(rows, keras.layers.Dense(2, "softmax")(hidden))
    chain.compile("adam", keras.losses.categorical_crossentropy, metrics=[keras.metrics.mean_absolute_error])
    chain.save(tmp_path / "chain.keras")
    x = np.random.default_rng(0).normal(size=(5, 4))
    ours = fastnn.load_model(tmp_path / "chain.keras")
    np.testing.assert_allclose(ours.predict(x), chain.predict(x, verbose=0), atol=1e-6)
    assert ours.metrics_names == ["loss", "mean_absolute_error"]
    branched = keras.Model(rows, keras.layers.Add()([hidden, keras.layers.Dense(3)(hidden)]))
    branched.save(tmp_path / "branched.keras")
    with pytest.raises(fastnn.ModelFileError, match="add"):
        fastnn.load_model(tmp_path / "branched.keras")


MUST = {
    **dict.fromkeys(("ExponentialDecay", "InverseTimeDecay"), (0.1, 5, 0.9)),
    **dict.fromkeys(("PolynomialDecay", "CosineDecay", "CosineDecayRestarts"), (0.1, 5)),
    **dict.fromkeys(("PrecisionAtRecall", "RecallAtPrecision"), (0.5,)),
    **dict.fromkeys(("SensitivityAtSpecificity", "SpecificityAtSensitivity"), (0.5,)),
    **dict.fromkeys(("Dropout", "AlphaDropout", "GaussianNoise", "Rescaling"), (0.1,)),
    "PiecewiseConstantDecay": ([3], [0.1, 0.2]),
    "Dense": (3,),
    "Reshape": ((2, 2),),
    "Activation": ("tanh",),
}
"""What classes must be given."""


@pytest.mark.filterwarnings("ignore")
def test_every_class_that_both_have_goes_both_ways(keras):
    from fastnn.keras import objects, writing

    written = {"Loss": writing._loss, "Metric": writing._metric, "Optimizer": writing._optimizer}
    for kind, (module, table) in objects.KINDS.items():
        place = keras
        for part in module.split(".")[1:]:
            place = getattr(place, part)
        for name in table:
            theirs = getattr(place, name)(*MUST.get(name, ()))
            ours = objects.made(json.loads(json.dumps(keras.saving.serialize_keras_object(theirs))), kind, name)
            if kind.__name__ == "Layer":
                continue  # the models above have them all
            default = lambda thing, kind=kind: writing.described(kind, thing, thing.get_config(), "it")  # noqa: E731
            back = json.loads(json.dumps(written.get(kind.__name__, default)(ours)))
            wanted, found = theirs.get_config(), keras.saving.deserialize_keras_object(back).get_config()
            assert {k: v for k, v in found.items() if k != "name"} == {k: v for k, v in wanted.items() if k != "name"}


@pytest.mark.filterwarnings("ignore")
def test_a_model_built_by_data_and_not_compiled(keras, tmp_path):
    theirs = keras.Sequential([keras.layers.Dense(3, "tanh"), keras.Sequential([keras.layers.Dense(2)])])
    x = np.random.default_rng(0).normal(size=(5, 4))
    wanted = theirs.predict(x, verbose=0)
    theirs.save(tmp_path / "m.keras")
    ours = fastnn.load_model(tmp_path / "m.keras")
    assert ours.optimizer is None
    np.testing.assert_allclose(ours.predict(x), wanted, atol=1e-6)
    ours.export(tmp_path / "o.keras")
    np.testing.assert_allclose(keras.saving.load_model(tmp_path / "o.keras").predict(x, verbose=0), wanted, atol=1e-6)
