"""What is set on an object of a public class, or overridden in one, is heeded or refused."""

import copy
import pickle

import numpy as np
import pytest

import fastnn
from fastnn import activations, initializers, layers, losses, optimizers, regularizers, schedules

BASES = {
    "layer": (layers.Layer, ["call", "__call__", "build", "add_weight", "compute_output_shape", "compute_mask"]),
    "loss": (losses.Loss, ["call", "__call__"]),
    "optimizer": (optimizers.Optimizer, ["update_step", "build", "apply", "apply_gradients"]),
    "regularizer": (regularizers.Regularizer, ["__call__"]),
    "activation": (activations.Activation, ["__call__", "call"]),
    "model": (fastnn.Sequential, ["call", "__call__", "train_step", "test_step", "predict_step", "compute_loss"]),
}
METHODS = [(base, name) for base, names in BASES.values() for name in names]


def family(base):
    """The base, and all public classes that are derived from it."""
    found = [base]
    for derived in base.__subclasses__():
        if derived.__module__.startswith("fastnn."):
            found += family(derived)
    return [cls for cls in dict.fromkeys(found) if not cls.__name__.startswith("_")]


@pytest.mark.parametrize(("base", "name"), METHODS, ids=lambda value: getattr(value, "__name__", value))
def test_a_method_that_nothing_calls_is_refused_when_the_class_is_made(base, name):
    for cls in family(base):
        with pytest.raises(TypeError, match=rf"Mine got a method {name}, which nothing calls; wants .{{10}}"):
            type("Mine", (cls,), {name: lambda *_: None})
        mixed = type("Mixin", (), {name: lambda *_: None})
        with pytest.raises(TypeError, match=f"Mine got a method {name}"):
            type("Mine", (mixed, cls), {})


def test_the_message_for_dropout_at_prediction_says_how_to_have_it():
    with pytest.raises(TypeError, match=r"model\(x, training=True\)"):

        class MCDropout(layers.Dropout):
            def call(self, inputs, training=None):
                return super().call(inputs, training=True)


def test_classes_that_preset_arguments_go_on_working():
    class Narrow(layers.Dense):
        def __init__(self, name=None):
            super().__init__(3, activation="tanh", name=name)
            self.use_bias = False
            self.note = "mine"

        def wide(self):
            return self.units > 2

    class Mild(losses.Huber):
        def __init__(self):
            super().__init__()
            self.delta = 0.5

    class Slow(optimizers.SGD):
        def __init__(self):
            super().__init__(0.001, momentum=0.5)

    class Net(fastnn.Sequential):
        def summary_of_mine(self):
            return len(self.layers)

    model = Net([layers.Input((2,)), Narrow()])
    model.compile(Slow(), Mild())
    model.fit(np.ones((4, 2)), np.ones((4, 3)), verbose=0)
    assert model.layers[0].wide()
    assert len(model.get_weights()) == 1
    with pytest.raises(ValueError, match="delta got -1"):
        Mild().delta = -1


UNREAD = [
    (lambda: layers.Dense(2), "activity_regularizer", "l2"),
    (lambda: layers.Dense(2), "dtype", "float64"),
    (lambda: layers.Dense(2), "call", print),
    (lambda: layers.Dense(2), "trainble", False),
    (lambda: losses.Huber(), "fn", print),
    (lambda: optimizers.SGD(), "lr", 0.1),
    (lambda: optimizers.SGD(), "decay", 0.1),
    (lambda: optimizers.SGD(), "learning_rat", 0.1),
    (lambda: optimizers.SGD(), "update_step", print),
    (lambda: regularizers.L2(), "L2", 0.1),
    (lambda: fastnn.Sequential(), "trainble", False),
    (lambda: fastnn.Sequential(), "train_step", print),
    (lambda: fastnn.Sequential(), "metrics", ["mae"]),
    (lambda: fastnn.Sequential(), "layers", []),
    (lambda: fastnn.Sequential(), "optimiser", "adam"),
]


@pytest.mark.parametrize(("make", "name", "value"), UNREAD, ids=lambda value: value if isinstance(value, str) else "")
def test_an_attribute_that_nothing_looks_at_is_refused(make, name, value):
    thing = make()
    before = dict(vars(thing))
    with pytest.raises(AttributeError, match=name):
        setattr(thing, name, value)
    assert vars(thing) == before


@pytest.mark.parametrize("make", [layers.Dense, losses.Huber, optimizers.SGD, regularizers.L2, fastnn.Sequential])
def test_notes_of_ones_own_are_kept(make):
    thing = make(3) if make is layers.Dense else make()
    thing.my_note = thing.comment = [1]
    assert thing.my_note == [1]


def taken():
    """Objects that a model has, by name."""
    schedule = schedules.ExponentialDecay(0.1, 5, 0.5)
    bias = initializers.RandomNormal(stddev=0.1)
    layer = layers.Dense(2, activations.LeakyReLU(0.1), kernel_regularizer=regularizers.L2(0.1), bias_initializer=bias)
    model = fastnn.Sequential([layers.Input((2,)), layer])
    model.compile(optimizers.SGD(schedule), losses.Huber(0.7))
    return {
        "delta": model.loss,
        "l2": layer.kernel_regularizer,
        "parameter": layer.activation,
        "stddev": layer.bias_initializer,
        "decay_rate": schedule,
        "units": layer,
        "use_bias": layer,
        "bias_initializer": layer,
        "loss": model,
        "dtype": model,
        "optimizer": model,
    }


@pytest.mark.parametrize("name", taken())
def test_what_a_model_has_taken_up_is_not_changed_behind_its_back(name):
    thing = taken()[name]
    before = dict(vars(thing))
    for one in (thing, copy.copy(thing)):
        with pytest.raises(AttributeError, match=f"{name} got .*; wants"):
            setattr(one, name, 0.25)
    assert vars(thing) == before


@pytest.mark.parametrize("name", ["delta", "l2", "stddev", "decay_rate"])
def test_what_nobody_has_yet_may_be_changed_and_is_checked(name):
    made = {
        "delta": losses.Huber(),
        "l2": regularizers.L2(),
        "stddev": initializers.RandomNormal(),
        "decay_rate": schedules.ExponentialDecay(0.1, 5, 0.5),
    }[name]
    setattr(made, name, 0.25)
    assert made.get_config()[name] == 0.25
    with pytest.raises((TypeError, ValueError), match=name):
        setattr(made, name, "much")
    assert made.get_config()[name] == 0.25
    assert pickle.loads(pickle.dumps(made)).get_config() == made.get_config()


FIELDS = {"learning_rate": 0.2, "beta_1": 0.5, "beta_2": 0.9, "epsilon": 1e-3, "clipvalue": 0.01}
FIELDS |= {"weight_decay": 0.1, "clipnorm": 0.01, "global_clipnorm": 0.01, "use_ema": True}


@pytest.mark.parametrize("name", FIELDS)
def test_a_field_of_an_optimizer_counts_from_the_next_step(name):
    x, y = np.random.default_rng(0).normal(size=(2, 16, 3))

    def fitted(**options):
        model = fastnn.Sequential([layers.Input((3,)), layers.Dense(3)], seed=0)
        model.compile(optimizers.Adam(**options), "mse")
        return model

    changed, given = fitted(), fitted(**{name: FIELDS[name]})
    setattr(changed.optimizer, name, FIELDS[name])
    for model in (changed, given):
        model.fit(x, y, epochs=3, verbose=0, shuffle=False)
    np.testing.assert_array_equal(changed.get_weights()[0], given.get_weights()[0])
    plain = fitted()
    plain.fit(x, y, epochs=3, verbose=0, shuffle=False)
    assert not np.array_equal(plain.get_weights()[0], given.get_weights()[0])


CHANGES = {
    "activation": (lambda: layers.Dense(3, "softmax"), activations.get("linear")),
    "activation of its own": (lambda: layers.Activation("relu"), "tanh"),
    "rate": (lambda: layers.Dropout(0.2), 0.7),
    "stddev": (lambda: layers.GaussianNoise(0.2), 0.7),
    "kernel_rate": (lambda: layers.Dense(3), 0.0),
    "kernel_regularizer": (lambda: layers.Dense(3), "l2"),
    "epsilon": (lambda: layers.BatchNormalization(), 0.5),
}
X, Y = np.random.default_rng(0).normal(size=(2, 24, 3))


def stacked(made, **options):
    model = fastnn.Sequential([layers.Input((3,)), layers.Dense(3, "tanh"), made], seed=0)
    model.compile(optimizers.Adam(0.1), "mse", **options)
    return model


@pytest.mark.parametrize("change", CHANGES)
def test_a_layer_that_is_changed_is_heeded_by_all_that_a_model_does(change, tmp_path, backend):
    """The weights and the optimizer's state stay, and predict, fit, evaluate and save agree."""
    make, value = CHANGES[change]
    name, options = change.split()[0], {"batch_size": 8, "shuffle": False, "verbose": 0}
    model = stacked(make(), backend=backend)
    model.fit(X, Y, **options)
    before, plain = model.get_weights(), pickle.loads(pickle.dumps(model))
    setattr(model.layers[1], name, value)
    setattr(plain.layers[1], name, value)
    model.save(tmp_path / "model.fastnn")
    loaded = fastnn.load_model(tmp_path / "model.fastnn", backend=backend)  # makes an engine of the layers
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    np.testing.assert_array_equal(model.predict(X), loaded.predict(X))
    np.testing.assert_array_equal(model.predict(X), model.forward(X)[-1])
    assert model.evaluate(X, Y, verbose=0) == loaded.evaluate(X, Y, verbose=0)
    for one in (model, loaded, plain):
        one._rng = np.random.default_rng(1)  # of noise
        one.fit(X, Y, **options)
    for got, expected, third in zip(model.get_weights(), loaded.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_array_equal(got, expected)
        np.testing.assert_array_equal(third, expected)
    assert model.optimizer.iterations == loaded.optimizer.iterations == 6


def test_an_activation_that_is_swapped_in_a_compiled_model_is_predicted_with():
    """As in Keras: for logits and saliency maps.  Training wants a loss that fits."""
    model = fastnn.Sequential([layers.Input((2,)), layers.Dense(3, "softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    model.set_weights([np.zeros((2, 3)), [0.0, 1.0, 2.0]])
    model.predict(np.ones((1, 2)))
    layer = model.layers[-1]
    layer.activation = "linear"
    np.testing.assert_array_equal(model.predict(np.ones((1, 2))), [[0, 1, 2]])
    for method in (model.fit, model.evaluate, model.train_on_batch):
        with pytest.raises(ValueError, match="activation of the last layer is 'linear'"):
            method(np.ones((2, 2)), [0, 1])
    layer.activation = "softmax"
    model.fit(np.ones((2, 2)), [0, 1], verbose=0)
    np.testing.assert_allclose(model.predict(np.ones((1, 2))).sum(), 1, rtol=1e-6)


def test_a_layer_is_not_changed_while_its_model_trains():
    class Change(fastnn.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.layers[1].activation = "relu"
            self.model.predict(X)

    model = stacked(layers.Dense(3))
    with pytest.raises(RuntimeError, match="a layer of a model that fit trains was changed"):
        model.fit(X, Y, epochs=3, callbacks=[Change()], verbose=0)
    assert (model.predict(X) >= 0).all()
    model.fit(X, Y, verbose=0)
