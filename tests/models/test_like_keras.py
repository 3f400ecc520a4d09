"""Small programs whose numbers are Keras's: pinned here, and checked against Keras itself where it is installed."""

import os
import warnings

import numpy as np
import pytest

import fastnn

X = np.linspace(-1, 1, 40)[:, None] * [1.0, -0.5] + np.sin(np.arange(80).reshape(40, 2))
LABELS = np.arange(40) % 2
WEIGHT = 0.5 + np.arange(40) % 3 / 2
KERNEL, BIAS = np.array([[0.3, -0.2], [0.1, 0.4]]), np.array([0.05, -0.1])


def classifier(keras, units=1, **options):
    """A layer of given weights, compiled for two classes."""
    layer = keras.layers.Dense(units, activation="sigmoid" if units == 1 else "softmax")
    model = keras.Sequential([keras.Input((2,)), layer])
    loss = "binary_crossentropy" if units == 1 else "categorical_crossentropy"
    model.compile(**{"optimizer": keras.optimizers.SGD(0.5), "loss": loss, **options})
    model.set_weights([KERNEL[:, :units], BIAS[:units]])
    return model


def numbers(model, history=None):
    """The scores of a fit, and the weights after it."""
    scores = [] if history is None else [value for values in history.history.values() for value in values]
    return np.concatenate([scores, *[w.ravel() for w in model.get_weights()]])


def fitted(keras, units=1, compiled=None, y=LABELS, **options):
    model = classifier(keras, units, **(compiled or {}))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        history = model.fit(X, y, **{"batch_size": 8, "epochs": 2, "shuffle": False, "verbose": 0, **options})
    return numbers(model, history)


def held_out_by_classes(keras):
    """Weights of classes are those of training rows alone."""
    return fitted(keras, class_weight={0: 1.0, 1: 3.0}, validation_split=0.25)


def held_out_by_rows(keras):
    """Weights of rows are split with the rows."""
    return fitted(keras, sample_weight=WEIGHT, validation_split=0.25)


def held_out_given(keras):
    held = X[:9], LABELS[:9], WEIGHT[:9]
    return fitted(keras, class_weight={1: 3.0}, validation_data=held)


def policy_by_weights(keras):
    """One-hot actions, and advantages of both signs as weights."""
    return fitted(keras, 2, y=np.eye(2)[LABELS], sample_weight=np.cos(np.arange(40)))


def policy_by_targets(keras):
    """Actions times advantages as targets: the same step, for that is what the loss's gradient is linear in."""
    return fitted(keras, 2, y=np.eye(2)[LABELS] * np.cos(np.arange(40))[:, None])


def real_keys(keras):
    """Whatever equals the number of the class is its key; targets are rounded to it."""
    return fitted(keras, y=np.where(LABELS, 0.9, 0.1), class_weight={np.float32(0): np.float32(2), True: 0.5})


def part_of_a_pass(keras):
    """Ten steps a pass: epochs of four, four and two steps, and anew; what is held out, its first batches."""
    options = {"batch_size": 4, "epochs": 5, "steps_per_epoch": 4}
    return fitted(keras, **options, validation_data=(X, LABELS), validation_steps=2, validation_batch_size=3)


def a_pass_and_no_more(keras):
    """Five steps a pass, of which seven are asked for."""
    return fitted(keras, steps_per_epoch=7, sample_weight=WEIGHT)


def a_split_of_steps(keras):
    return fitted(keras, steps_per_epoch=2, validation_split=0.2, validation_freq=2, validation_steps=1)


def first_batches(keras):
    model = classifier(keras)
    scores = model.evaluate(X, LABELS, batch_size=3, steps=4, verbose=0)
    return np.append(model.predict(X, batch_size=3, steps=2, verbose=0).ravel(), scores)


def accumulated(keras, name, **options):
    """Five batches a pass, two passes and a half, of which every third step is an update."""
    optimizer = getattr(keras.optimizers, name)(learning_rate=0.1, gradient_accumulation_steps=3, **options)
    return fitted(keras, compiled={"optimizer": optimizer}, epochs=3, batch_size=9)


def accumulated_by_adam(keras):
    return accumulated(keras, "Adam", epsilon=1e-12)


def accumulated_by_sgd(keras):
    return accumulated(keras, "SGD", momentum=0.9)


def accumulated_and_clipped(keras):
    return accumulated(keras, "SGD", clipvalue=0.02)


def accumulated_to_a_norm(keras):
    return accumulated(keras, "SGD", global_clipnorm=0.05)


def accumulated_and_decayed(keras):
    return accumulated(keras, "SGD", weight_decay=0.3, clipnorm=0.05)


def accumulated_and_averaged(keras):
    return accumulated(keras, "SGD", use_ema=True, ema_momentum=0.8)


def accumulated_and_overwritten(keras):
    return accumulated(keras, "SGD", use_ema=True, ema_momentum=0.8, ema_overwrite_frequency=2)


def accumulated_by_schedule(keras):
    schedule = keras.optimizers.schedules.ExponentialDecay(0.5, 2, 0.5)
    optimizer = keras.optimizers.SGD(schedule, gradient_accumulation_steps=3)
    return fitted(keras, compiled={"optimizer": optimizer}, epochs=3, batch_size=9)


PROGRAMS = {
    held_out_by_classes: [1.278279, 1.144923, 0.7722584, 0.8168753, 0.08598512, 0.08277528, 0.9527007],
    held_out_by_rows: [0.6906717, 0.6895912, 0.7019075, 0.6954214, 0.2544579, 0.02927486, 0.001885921],
    held_out_given: [1.253403, 1.136607, 0.7905231, 0.850561, 0.06512311, -0.04849039, 1.002417],
    policy_by_weights: [0.05653768, 0.05284481, 0.1868168, -0.08681676, 0.01905244, 0.4809475, 0.08576027, -0.1357603],
    policy_by_targets: [0.05653768, 0.05284481, 0.1868168, -0.08681676, 0.01905244, 0.4809475, 0.08576027, -0.1357603],
    real_keys: [0.8284813, 0.7371488, 0.1138446, -0.06752606, -0.828159],
    part_of_a_pass: [
        0.7009969,
        0.7004009,
        0.7124889,
        0.7004635,
        0.6989523,
        0.7022269,
        0.7017666,
        0.693809,
        0.6933201,
        0.6954631,
        0.1379913,
        -0.008772425,
        -0.003940939,
    ],
    a_pass_and_no_more: [0.6942217, 0.6875602, 0.08632685, -0.04100449, -0.05731981],
    a_split_of_steps: [0.6947706, 0.6948106, 0.7213171, 0.2538429, 0.07353935, 0.04583225],
    first_batches: [0.4710691, 0.5249098, 0.3781772, 0.4552043, 0.5471845, 0.4015279, 0.7026939],
    accumulated_by_sgd: [0.7007119, 0.6992, 0.6979448, 0.2235957, 0.04339291, 0.02872729],
    accumulated_and_clipped: [0.7007526, 0.7003655, 0.7001835, 0.29, 0.09014806, 0.04335099],
    accumulated_to_a_norm: [0.7007119, 0.700081, 0.6998016, 0.2805079, 0.08686145, 0.04442406],
    accumulated_and_decayed: [0.7004644, 0.6986496, 0.6980729, 0.2389172, 0.0728047, 0.03436457],
    accumulated_and_averaged: [0.7007119, 0.6998109, 0.6992608, 0.2791376, 0.08448319, 0.04451939],
    accumulated_and_overwritten: [0.7007119, 0.7002581, 0.7002274, 0.2888677, 0.09318324, 0.04687447],
    accumulated_by_schedule: [0.7005175, 0.6996062, 0.6995633, 0.2821339, 0.08785164, 0.04386478],
    accumulated_by_adam: [0.6971686, 0.6884116, 0.694918, -0.1385444, -0.3213323, 0.0212975],
}


@pytest.fixture(scope="module")
def keras():
    os.environ.setdefault("KERAS_BACKEND", "jax")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("keras")


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_numbers_are_those_of_keras(program):
    np.testing.assert_allclose(program(fastnn), PROGRAMS[program], rtol=2e-5, atol=2e-6)


@pytest.mark.filterwarnings("ignore")  # Keras's own
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_keras_has_the_numbers_that_are_pinned(keras, program):
    np.testing.assert_allclose(program(keras), PROGRAMS[program], rtol=2e-5, atol=2e-6)
