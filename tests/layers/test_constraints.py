"""What weights are brought to after each update, as Keras 3.15 does it."""

import numpy as np
import pytest
from keras_steps import X, Y, stepped

import fastnn
from fastnn import constraints
from fastnn.constraints import MaxNorm, MinMaxNorm, NonNeg, UnitNorm
from fastnn.layers import BatchNormalization, Dense, Input, LayerNormalization, PReLU, Scaling
from fastnn.optimizers import LBFGS, SGD

KINDS = {
    "max norm": lambda k: k.constraints.MaxNorm(0.7),
    "non neg": lambda k: k.constraints.NonNeg(),
    "unit norm": lambda k: k.constraints.UnitNorm(),
    "min max norm": lambda k: k.constraints.MinMaxNorm(0.5, 0.9),
    "part of the way": lambda k: k.constraints.MinMaxNorm(0.5, 0.9, rate=0.4),
}
OPTIMIZERS = {
    "sgd": ("SGD", {"learning_rate": 0.05}),
    "adam": ("Adam", {"learning_rate": 0.05, "epsilon": 1e-12}),
    "accumulated": ("SGD", {"learning_rate": 0.05, "gradient_accumulation_steps": 2}),
}


def constrained(keras, kind, units=3):
    held = {"kernel_constraint": KINDS[kind](keras), "bias_constraint": KINDS[kind](keras)}
    return [keras.layers.Dense(units, "tanh", **held), keras.layers.Dense(2, **held)]


def normalised(keras):
    """Of the weights that a normalisation learns."""
    kind = keras.constraints.UnitNorm
    layer = keras.layers.BatchNormalization(gamma_constraint=kind(), beta_constraint=kind())
    return [keras.layers.Dense(3), layer, keras.layers.Dense(2)]


STACKS = {
    f"{kind}, {name}": (lambda k, kind=kind: constrained(k, kind), {"optimizer": given})
    for kind in KINDS
    for name, given in OPTIMIZERS.items()
}
STACKS |= {f"{kind}, wide": (lambda k, kind=kind: constrained(k, kind, 37), {}) for kind in KINDS}
STACKS["normalised"] = (normalised, {})
PINNED = {
    "max norm, sgd": [
        0.934807,
        0.7698748,
        0.6831209,
        0.629124,
        0.629124,
        0.5060811,
        0.2699227,
        0.6757538,
        -0.09335596,
        0.0875122,
        0.1245505,
    ],
    "max norm, adam": [
        0.8741772,
        0.6133551,
        0.5362421,
        0.5020575,
        0.5020575,
        0.3079617,
        0.314522,
        0.9648331,
        -0.4209795,
        0.670746,
        -0.2989701,
    ],
    "max norm, accumulated": [
        0.9655212,
        0.8679563,
        0.7773716,
        0.7304622,
        0.7304622,
        0.5355624,
        0.2927303,
        0.5204655,
        0.08101088,
        -0.08184918,
        0.2823845,
    ],
    "non neg, sgd": [
        0.8442674,
        0.8253517,
        0.7287043,
        0.6709359,
        0.6709359,
        0.3393443,
        0.03313997,
        0.4670701,
        0.2486731,
        0.5024339,
        0.3004979,
    ],
    "non neg, adam": [
        0.8095132,
        0.7181379,
        0.6358075,
        0.5849855,
        0.5849855,
        0.5775713,
        0.1129678,
        0.6590486,
        -0.01705416,
        0.8685167,
        0.04406843,
    ],
    "non neg, accumulated": [
        0.866653,
        0.9232754,
        0.8188401,
        0.7830022,
        0.7830022,
        0.3152226,
        0.08847728,
        0.4070614,
        0.4573247,
        0.430186,
        0.5153953,
    ],
    "unit norm, sgd": [
        1.219668,
        1.196571,
        1.020794,
        0.9228203,
        0.9228203,
        1.177502,
        0.8247088,
        1.084297,
        0.05659131,
        -0.08710144,
        0.4016391,
    ],
    "unit norm, adam": [
        1.095156,
        0.9235452,
        0.7200143,
        0.6238768,
        0.6238768,
        0.4781702,
        1.125334,
        1.490111,
        -0.557589,
        0.4635618,
        -0.0846727,
    ],
    "unit norm, accumulated": [
        1.340639,
        1.51446,
        1.294526,
        1.187419,
        1.187419,
        1.214235,
        0.8195729,
        0.9087464,
        0.3884853,
        -0.3136426,
        0.7469765,
    ],
    "min max norm, sgd": [
        0.937093,
        0.7799401,
        0.6960364,
        0.6410711,
        0.6410711,
        0.5319246,
        0.3645055,
        0.7363037,
        -0.08480585,
        0.07547327,
        0.151066,
    ],
    "min max norm, adam": [
        0.8810058,
        0.634351,
        0.5410952,
        0.4977241,
        0.4977241,
        0.1962337,
        0.3901443,
        1.152079,
        -0.4363666,
        0.6243301,
        -0.3086996,
    ],
    "min max norm, accumulated": [
        0.972719,
        0.877488,
        0.7894523,
        0.7452541,
        0.7452541,
        0.5604298,
        0.3799069,
        0.5573425,
        0.09374223,
        -0.08153146,
        0.3094455,
    ],
    "part of the way, sgd": [
        0.9402085,
        0.7744105,
        0.6918524,
        0.6382689,
        0.6382689,
        0.5250079,
        0.3522351,
        0.7268364,
        -0.08819667,
        0.08216512,
        0.1485812,
    ],
    "part of the way, adam": [
        0.879545,
        0.630032,
        0.5416717,
        0.4991507,
        0.4991507,
        0.2233604,
        0.3591644,
        1.134712,
        -0.4409679,
        0.6433652,
        -0.3260554,
    ],
    "part of the way, accumulated": [
        0.9735076,
        0.8738927,
        0.7861526,
        0.7421533,
        0.7421533,
        0.558225,
        0.3736319,
        0.5533998,
        0.09119597,
        -0.07411098,
        0.3069685,
    ],
    "max norm, wide": [
        3.424279,
        0.7456773,
        0.6393306,
        0.5110551,
        0.5110551,
        -0.2119469,
        0.1758319,
        0.9585458,
        -0.5686375,
        0.8163403,
        -0.7093026,
    ],
    "non neg, wide": [
        5.205752,
        4.374704,
        2.301078,
        1.86755,
        1.86755,
        2.270232,
        2.323585,
        1.29255,
        0.1414685,
        1.981374,
        0.6492251,
    ],
    "unit norm, wide": [
        4.066249,
        1.469943,
        1.326456,
        1.093389,
        1.093389,
        -1.303683,
        0.6920725,
        0.768941,
        -0.581514,
        0.5004592,
        -0.6268896,
    ],
    "min max norm, wide": [
        3.645909,
        0.96305,
        0.8490414,
        0.6934038,
        0.6934038,
        -0.7126863,
        0.4196107,
        0.9079211,
        -0.5859327,
        0.66314,
        -0.6662484,
    ],
    "part of the way, wide": [
        4.312118,
        0.8985574,
        0.7838262,
        0.6559764,
        0.6559764,
        -0.6194041,
        0.2956354,
        0.8814391,
        -0.5708965,
        0.7272054,
        -0.5991929,
    ],
    "normalised": [
        1.183965,
        0.9795515,
        0.7991984,
        0.7068472,
        0.6742582,
        0.2562735,
        0.2406316,
        0.1500684,
        0.0563241,
        0.385397,
        -1.047477,
    ],
}


@pytest.mark.parametrize("stack", STACKS)
def test_as_in_keras(backend, stack):
    layers, given = STACKS[stack]
    found = stepped(fastnn, layers(fastnn), backend=backend, dtype="float64", **given)
    np.testing.assert_allclose(found, PINNED[stack], rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("units", [2, 37])
def test_backends_and_threads_agree(extension, kind, units):
    x = np.random.default_rng(0).normal(size=(300, 5))
    outcomes = []
    for backend, threads in [("numba", 1), ("numba", 2), ("cython", 2), ("numpy", 1)]:
        model = fastnn.Sequential([Input((5,)), *constrained(fastnn, kind, units)], seed=1)
        model.compile(SGD(0.1, 0.9), "mse", backend=backend, threads=threads)
        model.fit(x, x[:, :2], 100, 2, shuffle=False, verbose=0)
        outcomes.append(np.concatenate([w.ravel() for w in model.get_weights()]))
    np.testing.assert_array_equal(outcomes[0], outcomes[1])
    np.testing.assert_array_equal(outcomes[0], outcomes[2])
    np.testing.assert_allclose(outcomes[3], outcomes[0], atol=1e-5)


def test_every_weight_that_can_be_constrained_is(backend):
    layers = [
        Scaling(gamma_constraint=UnitNorm()),
        Dense(5, kernel_constraint=MaxNorm(0.5), bias_constraint=NonNeg()),
        PReLU("ones", alpha_constraint=MaxNorm(0.1)),
        BatchNormalization(gamma_constraint=MinMaxNorm(0.2, 0.3), beta_constraint=UnitNorm()),
        LayerNormalization(gamma_constraint=MaxNorm(0.4), beta_constraint=NonNeg()),
        Dense(2, kernel_constraint="unit_norm"),
    ]
    model = fastnn.Sequential([Input((4,)), *layers], seed=0)
    model.compile("adam", "mse", backend=backend)
    model.fit(X, Y, 4, epochs=2, verbose=0)
    scaling, dense, prelu, batch, layer, last = model.layers
    assert np.linalg.norm(scaling.gamma) == pytest.approx(1, abs=1e-5)
    assert (np.linalg.norm(dense.kernel, axis=0) <= 0.5 + 1e-6).all()
    assert (dense.bias >= 0).all()
    assert np.linalg.norm(prelu.alpha) <= 0.1 + 1e-6
    assert 0.2 - 1e-6 <= np.linalg.norm(batch.gamma) <= 0.3 + 1e-6
    assert np.linalg.norm(batch.beta) == pytest.approx(1, abs=1e-5)
    assert np.linalg.norm(layer.gamma) <= 0.4 + 1e-6
    assert (layer.beta >= 0).all()
    np.testing.assert_allclose(np.linalg.norm(last.kernel, axis=0), 1, atol=1e-5)


def test_what_is_frozen_is_not_constrained(backend):
    model = fastnn.Sequential([Input((4,)), Dense(3, kernel_constraint=MaxNorm(0.1), trainable=False), Dense(2)])
    model.compile("sgd", "mse", backend=backend)
    before = model.layers[0].get_weights()
    model.fit(X, Y, verbose=0)
    np.testing.assert_array_equal(model.layers[0].get_weights()[0], before[0])


def test_lbfgs_knows_none():
    model = fastnn.Sequential([Input((4,)), Dense(2, kernel_constraint="max_norm")])
    model.compile(LBFGS(), "mse")
    with pytest.raises(ValueError, match="kernel_constraint of 'dense' got one, but LBFGS keeps none"):
        model.fit(X, Y, verbose=0)


@pytest.mark.parametrize("given", [MaxNorm(3.0), NonNeg(), UnitNorm(), MinMaxNorm(0.1, 0.9, 0.5)], ids=repr)
def test_they_are_kept(tmp_path, given):
    model = fastnn.Sequential([Input((4,)), Dense(2, kernel_constraint=given)])
    model.compile("sgd", "mse", backend="numpy")
    model.save(tmp_path / "model")
    loaded = fastnn.load_model(tmp_path / "model", backend="numpy").layers[0].kernel_constraint
    assert type(loaded) is type(given)
    assert loaded.get_config() == given.get_config()


def test_names_and_refusals():
    assert isinstance(constraints.get("max_norm"), MaxNorm)
    assert isinstance(constraints.non_neg(), NonNeg)
    assert constraints.get(None) is None
    with pytest.raises(ValueError, match="kernel_constraint got 'no'"):
        Dense(2, kernel_constraint="no")
    with pytest.raises(ValueError, match="axis got 1; wants 0"):
        MaxNorm(2.0, axis=1)
