"""Activations that are layers: ReLU, LeakyReLU, PReLU, ELU and Softmax, as Keras 3.15 has them."""

import numpy as np
import pytest
from keras_steps import X, Y, stepped

import fastnn
from fastnn.layers import ELU, Dense, Input, LeakyReLU, PReLU, ReLU, Softmax

LABELS = np.arange(12) % 3
ADAM = {"optimizer": ("Adam", {"learning_rate": 0.1, "epsilon": 1e-12})}
STACKS = {
    "relu": (lambda k: [k.Dense(3), k.ReLU(), k.Dense(2)], {}),
    "relu6": (lambda k: [k.Dense(3), k.ReLU(6), k.Dense(2)], {}),
    "relu of all": (lambda k: [k.Dense(3), k.ReLU(1.0, 0.1, 0.2), k.Dense(2)], {}),
    "relu limited": (lambda k: [k.Dense(3), k.ReLU(max_value=1.5), k.Dense(2)], {}),
    "relu sloping": (lambda k: [k.Dense(3), k.ReLU(negative_slope=0.3), k.Dense(2)], {}),
    "relu from": (lambda k: [k.Dense(3), k.ReLU(threshold=0.5), k.Dense(2)], {}),
    "relu first": (lambda k: [k.ReLU(2.0, 0.2), k.Dense(3, "tanh"), k.Dense(2)], {}),
    "relu last": (lambda k: [k.Dense(3, "tanh"), k.Dense(2), k.ReLU(2.0, 0.2)], {}),
    "leaky relu": (lambda k: [k.Dense(3), k.LeakyReLU(), k.Dense(2)], {}),
    "leaky relu less": (lambda k: [k.Dense(3), k.LeakyReLU(negative_slope=0.1), k.Dense(2)], {}),
    "elu": (lambda k: [k.Dense(3), k.ELU(0.7), k.Dense(2)], {}),
    "prelu": (lambda k: [k.Dense(3), k.PReLU(), k.Dense(2)], {}),
    "prelu by adam": (lambda k: [k.Dense(3), k.PReLU(), k.Dense(2)], ADAM),
    "prelu first": (lambda k: [k.PReLU(), k.Dense(2)], {}),
    "prelu last": (lambda k: [k.Dense(2), k.PReLU(alpha_regularizer="l2")], {}),
    "prelu of all": (
        lambda k: [k.Dense(3), k.PReLU(alpha_regularizer="l2", alpha_constraint="non_neg"), k.Dense(2)],
        {},
    ),
    "softmax": (lambda k: [k.Dense(3), k.Softmax()], {"y": LABELS, "loss": "sparse_categorical_crossentropy"}),
    "softmax and mse": (lambda k: [k.Dense(3, "tanh"), k.Dense(2), k.Softmax()], {}),
}
PINNED = {
    "relu": [
        1.918238,
        0.8064055,
        0.6621564,
        0.5908316,
        0.5908316,
        0.463844,
        0.3505814,
        0.4914463,
        0.1103989,
        0.3956697,
        -0.285566,
    ],
    "relu6": [
        1.918238,
        0.8064055,
        0.6621564,
        0.5908316,
        0.5908316,
        0.463844,
        0.3505814,
        0.4914463,
        0.1103989,
        0.3956697,
        -0.285566,
    ],
    "relu of all": [
        1.096982,
        0.8535433,
        0.7535925,
        0.6904018,
        0.6904018,
        0.4328022,
        0.372189,
        0.5197581,
        0.05980755,
        0.06115965,
        0.2014394,
    ],
    "relu limited": [
        1.387065,
        0.978449,
        0.7960908,
        0.6990707,
        0.6990707,
        0.4828858,
        0.3409154,
        0.5162103,
        0.06996841,
        0.0588608,
        0.1959806,
    ],
    "relu sloping": [
        1.688721,
        0.7721989,
        0.6712305,
        0.6075025,
        0.6075025,
        0.2607704,
        0.5291803,
        0.5605098,
        0.04176431,
        0.4646263,
        -0.3754184,
    ],
    "relu from": [
        1.908434,
        0.8036689,
        0.6614793,
        0.5913537,
        0.5913537,
        0.4591087,
        0.3534682,
        0.4880876,
        0.1121405,
        0.3861844,
        -0.2809219,
    ],
    "relu first": [
        0.9652577,
        0.7527643,
        0.6554259,
        0.5989867,
        0.5989867,
        0.4208704,
        0.07367179,
        0.5204711,
        -0.07463799,
        0.2608698,
        -0.01536636,
    ],
    "relu last": [
        0.8591091,
        0.7474689,
        0.6998727,
        0.6719815,
        0.6719815,
        0.5361784,
        0.3498045,
        0.6193066,
        -0.0235868,
        -0.04528274,
        0.1739561,
    ],
    "leaky relu": [
        1.688721,
        0.7721989,
        0.6712305,
        0.6075025,
        0.6075025,
        0.2607704,
        0.5291803,
        0.5605098,
        0.04176431,
        0.4646263,
        -0.3754184,
    ],
    "leaky relu less": [
        1.840775,
        0.8035888,
        0.6692769,
        0.59955,
        0.59955,
        0.3971841,
        0.4165991,
        0.5056882,
        0.09566858,
        0.3944897,
        -0.3001379,
    ],
    "elu": [
        1.766486,
        0.7985,
        0.6793191,
        0.6106295,
        0.6106295,
        0.3196242,
        0.4796351,
        0.5886097,
        0.01835883,
        0.3757898,
        -0.2308803,
    ],
    "prelu": [
        1.67395,
        0.949125,
        0.816586,
        0.7173417,
        0.7173417,
        0.1071543,
        -0.06857042,
        -0.04680248,
        0.307187,
        1.089389,
        -0.5363548,
    ],
    "prelu by adam": [
        1.63484,
        0.683972,
        0.5639507,
        0.5106847,
        0.5106847,
        0.3318243,
        -0.09159184,
        1.299485,
        -0.5156478,
        0.577958,
        -0.9302887,
    ],
    "prelu first": [
        2.340321,
        1.114714,
        0.916732,
        0.7657839,
        0.7657839,
        0.2026864,
        -0.3929742,
        1.342328,
        -0.1555193,
        0.5584764,
        -0.3406794,
    ],
    "prelu last": [
        2.097913,
        1.376343,
        1.136342,
        0.9156729,
        0.9156729,
        0.7502665,
        2.039245,
        1.595566,
        -0.1594725,
        1.752302,
        -0.3386173,
    ],
    "prelu of all": [
        1.676191,
        0.9547935,
        0.8263674,
        0.7203719,
        0.7203719,
        0.09849213,
        -0.0606543,
        -0.04714035,
        0.3147677,
        1.055323,
        -0.4760958,
    ],
    "softmax": [
        1.880559,
        1.776434,
        1.697257,
        1.630031,
        1.630031,
        0.6450814,
        0.210686,
        0.1442326,
        0.1886733,
        0.3536429,
        0.4576837,
        0.001058966,
        0.4314965,
        0.5674445,
    ],
    "softmax and mse": [
        0.8736975,
        0.8391858,
        0.8090139,
        0.7891542,
        0.7891542,
        0.5469054,
        0.4530946,
        0.6266756,
        0.3733244,
        0.374832,
        0.625168,
    ],
}


@pytest.mark.parametrize("stack", STACKS)
def test_as_in_keras(backend, stack):
    layers, given = STACKS[stack]
    found = stepped(fastnn, layers(fastnn.layers), backend=backend, dtype="float64", **given)
    np.testing.assert_allclose(found, PINNED[stack], rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("width", [2, 17, 64])
@pytest.mark.parametrize("layer", [ReLU(1.0, 0.1, 0.2), PReLU("random_normal"), LeakyReLU(0.1), ELU(0.7)], ids=repr)
def test_backends_and_threads_agree(extension, layer, width):
    x = np.random.default_rng(0).normal(size=(300, 5))
    outcomes = []
    for backend, threads in [("numba", 1), ("numba", 2), ("cython", 2), ("numpy", 1)]:
        each = type(layer).from_config({**layer.get_config(), "name": "each"})
        model = fastnn.Sequential([Input((5,)), Dense(width), each, Dense(2)], seed=1)
        model.compile("sgd", "mse", backend=backend, threads=threads)
        model.fit(x, x[:, :2], 100, 2, shuffle=False, verbose=0)
        outcomes.append(np.concatenate([w.ravel() for w in model.get_weights()]))
    np.testing.assert_array_equal(outcomes[0], outcomes[1])
    np.testing.assert_array_equal(outcomes[0], outcomes[2])
    np.testing.assert_allclose(outcomes[3], outcomes[0], atol=1e-5)


def test_prelu_has_a_slope_a_unit(backend):
    model = fastnn.Sequential([Input((4,)), Dense(3), PReLU(), Dense(2)], seed=0)
    model.compile("adam", "mse", backend=backend)
    layer = model.layers[1]
    assert [(w.path, w.shape) for w in layer.weights] == [("p_re_lu/alpha", (3,))]
    before = layer.alpha.copy()
    model.fit(X, Y, verbose=0)
    assert (layer.alpha != before).all()
    layer.trainable = False
    before = layer.alpha.copy()
    model.fit(X, Y, verbose=0)
    np.testing.assert_array_equal(layer.alpha, before)


def test_what_no_kernel_does_is_refused():
    for wrong, message in [
        (lambda: PReLU(shared_axes=[1]), "shared_axes"),
        (lambda: Softmax(axis=0), "axis got 0"),
        (lambda: ReLU(max_value=-1.0), "max_value"),
        (lambda: ReLU(negative_slope=-1.0), "negative_slope"),
        (lambda: LeakyReLU(-0.1), "negative_slope"),
    ]:
        with pytest.raises(ValueError, match=message):
            wrong()
