"""Modules of PyTorch come in and go out: outputs, names, dtypes and what is trained are theirs; the rest is refused."""

import collections

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from torch import nn

import fastnn
import fastnn.torch
from fastnn import layers

ACTIVATIONS = [
    *(nn.Identity(), nn.ReLU(), nn.Sigmoid(), nn.Tanh(), nn.SELU(), nn.SiLU(), nn.Mish(), nn.ReLU6(), nn.Softsign()),
    *(nn.Hardsigmoid(), nn.Hardswish(), nn.LogSigmoid(), nn.LeakyReLU(0.1), nn.ELU(0.7), nn.CELU(0.6)),
    *(nn.Softshrink(0.3), nn.Hardshrink(0.3), nn.Softplus(), nn.GELU(), nn.Hardtanh(), nn.Hardtanh(0.0, 3.0)),
    *(nn.Threshold(0.2, 0.0), nn.PReLU(5), nn.Dropout(0.2), nn.AlphaDropout(0.1), nn.BatchNorm1d(5, 1e-3, 0.3)),
    *(nn.BatchNorm1d(5, affine=False), nn.LayerNorm(5), nn.LayerNorm(5, bias=False), nn.LayerNorm(5, 1e-3, False)),
]


def used(*parts, dtype=torch.float64, inputs=4):
    """A module that has seen some batches in training, so that its statistics are not those of the beginning."""
    torch.manual_seed(3)
    module = nn.Sequential(*parts).to(dtype).train()
    for parameter in module.parameters():
        nn.init.uniform_(parameter, -0.7, 0.9)
    for _ in range(3):
        module(3 * torch.randn(16, inputs, dtype=dtype))
    return module.eval()


def assert_same_state(one, other):
    assert list(one.state_dict()) == list(other.state_dict())
    for name, tensor in one.state_dict().items():
        found = other.state_dict()[name]
        assert torch.equal(tensor, found), name
        assert (tensor.dtype, tensor.shape) == (found.dtype, found.shape), name


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("activation", ACTIVATIONS, ids=repr)
def test_predicts_as_the_module_does_and_goes_back_as_it_was(activation, dtype):
    module = used(nn.Linear(4, 5), activation, nn.Sequential(nn.Linear(5, 3, bias=False), nn.Softmax(-1)), dtype=dtype)
    model = fastnn.torch.from_module(module)
    x = 9 * torch.randn(60, 4, dtype=dtype)
    wanted = module(x).detach().numpy()
    assert f"torch.{model.dtype}" == str(dtype)
    np.testing.assert_allclose(model.predict(x.numpy()), wanted, rtol=0, atol=1e-6 if dtype == torch.float32 else 1e-8)
    back = model.to_torch()
    assert_same_state(module, back)
    assert [type(child) for child in back.modules()] == [type(child) for child in module.modules()]
    np.testing.assert_allclose(back(x).detach().numpy(), wanted, rtol=0, atol=1e-8)
    assert_same_state(back, fastnn.torch.from_module(back).to_torch())


def random_chain(rng, width, depth):
    """Some modules for rows of a width, and what they give."""
    parts = []
    for _ in range(rng.integers(1, 5)):
        kind = rng.integers(7 if depth else 6)
        if kind < 2:
            width, before = int(rng.integers(1, 9)), width
            parts.append(nn.Linear(before, width, bias=bool(kind)))
        elif kind == 2:
            known = [each for each in ACTIVATIONS if not list(each.children()) and not list(each.parameters())]
            found = known[rng.integers(len(known))]
            parts.append(nn.Tanh() if isinstance(found, nn.BatchNorm1d | nn.LayerNorm) else found)
        elif kind == 3:
            parts.append(nn.BatchNorm1d(width, affine=bool(rng.integers(2))))
        elif kind == 4:
            parts.append(nn.LayerNorm(width, bias=bool(rng.integers(2))))
        elif kind == 5:
            parts.append(nn.PReLU(width))
        else:
            inner, width = random_chain(rng, width, depth - 1)
            parts.append(inner)
    return nn.Sequential(*parts), width


@pytest.mark.parametrize("seed", range(40))
def test_chains_of_all_kinds(seed, tmp_path):
    chain, _ = random_chain(np.random.default_rng(seed), 3, 2)
    module = used(nn.Linear(5, 3), chain, inputs=5)
    x = torch.randn(50, 5, dtype=torch.float64)
    model = fastnn.torch.from_module(module)
    model.save(tmp_path / "m.fastnn")
    for each in (model, fastnn.load_model(tmp_path / "m.fastnn")):
        np.testing.assert_allclose(each.predict(x.numpy()), module(x).detach(), rtol=1e-9, atol=1e-7)
        back = each.to_torch()
        torch.testing.assert_close(back(x), module(x), rtol=1e-9, atol=1e-7)
        assert list(back.state_dict()) == list(module.state_dict())
    assert_same_state(module, model.to_torch())


def test_names_of_children_are_those_of_layers():
    parts = {
        "body": nn.Sequential(collections.OrderedDict(first=nn.Linear(3, 4), act=nn.ReLU())),
        "head": nn.Linear(4, 2),
    }
    module = nn.Sequential(collections.OrderedDict(parts))
    model = fastnn.torch.from_module(module)
    assert [layer.name for layer in model.layers] == ["body", "head"]
    assert model.weights[0].path == "first/kernel"
    assert_same_state(module, model.to_torch())


def test_one_activation_may_stand_in_several_places():
    act = nn.Tanh()
    module = nn.Sequential(nn.Linear(3, 4), act, nn.Linear(4, 2), act)
    x = torch.randn(5, 3)
    np.testing.assert_allclose(fastnn.torch.from_module(module).predict(x), module(x).detach(), atol=1e-6)


def test_shapes():
    module = nn.Sequential(nn.Sequential(nn.Flatten(), nn.Linear(12, 6)), nn.Unflatten(1, (2, 3)))
    x = torch.randn(5, 3, 4)
    for model in (fastnn.torch.from_module(module), fastnn.torch.from_module(module, input_shape=(3, 4))):
        np.testing.assert_allclose(model.predict(x), module(x).detach(), atol=1e-6)
        np.testing.assert_allclose(model.to_torch()(x).detach(), module(x).detach(), atol=1e-6)
    model = fastnn.Sequential([layers.Input((2, 6)), layers.Reshape((-1, 4)), layers.Flatten(), layers.Dense(1)])
    x = np.ones((3, 2, 6), "float32")
    np.testing.assert_allclose(model.to_torch()(torch.from_numpy(x)).detach(), model.predict(x), atol=1e-6)


def test_what_is_not_trained():
    module = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.Linear(4, 4), nn.PReLU(4), nn.Linear(4, 1)).double()
    frozen = {"0.weight", "0.bias", "2.bias", "4.weight"}
    for name, parameter in module.named_parameters():
        parameter.requires_grad_(name not in frozen)
    model = fastnn.torch.from_module(module)
    before = model.to_torch().state_dict()
    model.compile("sgd", "mse", dtype="float64")
    model.fit(np.random.default_rng(0).normal(size=(20, 3)), np.ones(20), verbose=0)
    back = model.to_torch()
    assert {name for name, p in back.named_parameters() if not p.requires_grad} == frozen
    assert {name for name, tensor in back.state_dict().items() if torch.equal(tensor, before[name])} == frozen


def test_frozen_batch_normalisation():
    module = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    module[1].requires_grad_(False)
    with pytest.warns(UserWarning, match="'1': a BatchNorm1d that is not trained"):
        fastnn.torch.from_module(module)
    assert not fastnn.torch.from_module(module.eval()).layers[1].trainable


def test_keras_like_models_go_out():
    parts = [
        layers.Dense(5, "relu"),
        layers.Dense(5, "relu"),
        layers.BatchNormalization(scale=False),
        layers.Dropout(0.5),
    ]
    parts += [layers.LayerNormalization(scale=False), layers.ReLU(4.0), layers.Dense(2, "softmax", use_bias=False)]
    model = fastnn.Sequential([layers.Input((3,)), *parts], seed=0)
    module = model.to_torch()
    x = np.random.default_rng(0).normal(size=(7, 3)).astype("float32")
    np.testing.assert_allclose(module(torch.from_numpy(x)).detach(), model.predict(x), atol=1e-6)
    assert list(module.state_dict())[:2] == ["dense.weight", "dense.bias"]
    assert not module.batch_normalization.weight.requires_grad
    assert module.batch_normalization.bias.requires_grad
    again = fastnn.torch.from_module(module)
    np.testing.assert_allclose(again.predict(x), model.predict(x), atol=1e-6)
    assert not again.get_layer("batch_normalization").scale
    assert not again.get_layer("layer_normalization").scale


def test_fixed_numbers_go_into_the_layer_behind():
    x = 5 + 3 * np.random.default_rng(0).normal(size=(40, 2, 3))
    scaled = layers.Normalization()
    scaled.adapt(x)
    first = [layers.Rescaling([1.0, 2.0, 4.0], 3.0), scaled, layers.Rescaling(2.0)]
    stack = [layers.Flatten(), layers.Dense(4, "tanh"), layers.Rescaling(0.1, 0.5), layers.Dense(2)]
    model = fastnn.Sequential([layers.Input((2, 3)), *first, *stack], seed=0)
    model.compile("sgd", "mse", dtype="float64")
    module = fastnn.torch.to_module(model, fold=True)
    np.testing.assert_allclose(module(torch.from_numpy(x)).detach(), model.predict(x), atol=1e-12)
    with pytest.raises(ValueError, match="a Rescaling; wants a model without"):
        fastnn.torch.to_optimizer(model, module)
    with pytest.raises(ValueError, match="the layer 'normalization' is a Normalization"):
        model.save_weights("m.pt")


@pytest.mark.parametrize(
    "behind",
    [
        [layers.Dense(1, use_bias=False)],
        [layers.Activation("tanh"), layers.Dense(1)],
        [layers.BatchNormalization()],
        [],
    ],
    ids=["no bias", "tanh", "normalisation", "nothing"],
)
def test_fixed_numbers_want_a_dense_layer_with_a_bias_behind(behind):
    model = fastnn.Sequential([layers.Input((3,)), layers.Rescaling(2.0, 1.0), *behind])
    with pytest.raises(ValueError, match="'rescaling' got fold=True"):
        fastnn.torch.to_module(model, fold=True)
    if behind:
        plain = fastnn.Sequential([layers.Input((3,)), layers.Rescaling(2.0), layers.Dense(1, use_bias=False)])
        x = np.ones((2, 3), "float32")
        found = fastnn.torch.to_module(plain, fold=True)(torch.from_numpy(x)).detach()
        np.testing.assert_allclose(found, plain.predict(x), atol=1e-6)


def test_the_generator_of_torch_is_left_alone():
    torch.manual_seed(5)
    wanted = torch.rand(3)
    torch.manual_seed(5)
    fastnn.Sequential([layers.Input((3,)), layers.Dense(2)]).to_torch()
    assert torch.equal(torch.rand(3), wanted)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(2, 1))


class Doubled(nn.Linear):
    def forward(self, x):
        return 2 * super().forward(x)


def tied():
    first, second = nn.Linear(3, 3), nn.Linear(3, 3)
    second.weight = first.weight
    return nn.Sequential(first, second)


def hooked(place):
    module = nn.Sequential(nn.Linear(3, 3), nn.Sequential(nn.ReLU()))
    (module if place is None else module[place]).register_forward_hook(lambda *_: None)
    return module


@pytest.mark.parametrize(
    ("module", "kind", "said"),
    [
        (Net(), TypeError, "a Net; wants an nn.Sequential: pass module.net"),
        (nn.Linear(2, 1), TypeError, r"nn.Sequential\(Linear"),
        (3, TypeError, "module got int"),
        (nn.Sequential(nn.ReLU()), ValueError, "wants input_shape"),
        (nn.Sequential(), ValueError, "got no layers"),
        (nn.Sequential(nn.Linear(2, 3), nn.Sequential(nn.Conv2d(1, 1, 1))), ValueError, r"'1.0': Conv2d, which fastnn"),
        (nn.Sequential(nn.Linear(2, 3), nn.Linear(4, 1)), ValueError, "'1': Linear, which takes 4 values; wants 3"),
        (nn.Sequential(nn.Linear(2, 3), nn.LogSoftmax(-1)), ValueError, "'1': LogSoftmax.*from_logits"),
        (
            nn.Sequential(nn.Linear(2, 3), nn.Softmax(-1), nn.Linear(3, 1)),
            ValueError,
            "'2': Linear, behind the softmax",
        ),
        (nn.Sequential(nn.Linear(2, 3), nn.Softmax(0)), ValueError, "dim=0"),
        (nn.Sequential(nn.Linear(2, 3), nn.PReLU()), ValueError, r"'1': PReLU, .*wants nn.PReLU\(3, init"),
        (nn.Sequential(nn.Linear(2, 3), nn.GELU("tanh")), ValueError, "approximate='tanh'; wants 'none'"),
        (nn.Sequential(nn.Linear(2, 3), nn.Softplus(2.0)), ValueError, "beta=2.0"),
        (nn.Sequential(nn.Linear(2, 3), nn.Hardtanh(-2, 2)), ValueError, "min_val=-2"),
        (nn.Sequential(nn.Linear(2, 3), nn.Dropout(1.0)), ValueError, "'1': Dropout, rate got 1.0"),
        (nn.Sequential(nn.BatchNorm1d(3, track_running_stats=False)), ValueError, "track_running_stats"),
        (nn.Sequential(nn.BatchNorm1d(3, momentum=None)), ValueError, "momentum=None"),
        (nn.Sequential(nn.Linear(2, 3)).half(), ValueError, "'0.weight' is of torch.float16; wants float32 or float64"),
        (nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1).double()), ValueError, "'1.weight' is of torch.float64"),
        (nn.Sequential(nn.Linear(2, 3, device="meta")), ValueError, "has no values yet"),
        (nn.Sequential(Doubled(2, 3)), ValueError, "'0': Doubled, which fastnn has not"),
        (tied(), ValueError, "'1.weight' is '0.weight' too"),
        (hooked(0), ValueError, "'0': Linear, a module that has hooks"),
        (hooked(1), ValueError, "'1': Sequential, a module that has hooks"),
        (hooked(None), ValueError, "a module that has hooks"),
        (nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(3, 3))), ValueError, "computed of others"),
        (nn.Sequential(nn.LazyLinear(3)), ValueError, "has no values yet"),
    ],
)
def test_what_fastnn_has_not_is_refused_by_its_path(module, kind, said):
    with pytest.raises(kind, match=said):
        fastnn.torch.from_module(module)


@pytest.mark.parametrize(
    ("options", "kind", "said"),
    [
        ({"backend": "x"}, ValueError, "backend got 'x'"),
        ({"threads": 0}, ValueError, "threads got 0"),
        ({"input_shape": (2, 2)}, ValueError, "of 4 values; wants 3"),
        ({"input_shape": 3}, TypeError, "shape got 3"),
        ({"optimizer": "adam", "loss": "mse"}, TypeError, "optimizer got 'adam'; wants one of torch.optim"),
        ({"loss": "mse"}, ValueError, "loss got one without the optimizer"),
        ({"metrics": ["mae"]}, ValueError, "metrics got some without an optimizer"),
    ],
)
def test_arguments_that_cannot_be(options, kind, said):
    with pytest.raises(kind, match=said):
        fastnn.torch.from_module(nn.Sequential(nn.Linear(3, 1)), **options)


@pytest.mark.parametrize(
    ("layer", "said"),
    [
        (layers.Rescaling(0.5), r"a Rescaling, .*to_module\(model, fold=True\)"),
        (layers.Scaling(), "a Scaling"),
        (layers.GaussianNoise(0.1), "a GaussianNoise"),
        (layers.Dense(3, "squareplus"), "'squareplus'"),
        (layers.ReLU(3.0, 0.1), "a ReLU with such constants"),
        (layers.Dense(3, name="a.b"), "a dot"),
        (layers.Dense(3, name="forward"), "an attribute of nn.Sequential"),
    ],
)
def test_what_pytorch_has_not_is_refused_by_its_name(layer, said):
    model = fastnn.Sequential([layers.Input((3,)), layer, layers.Dense(1)])
    with pytest.raises(ValueError, match=said):
        model.to_torch()


def test_a_model_that_is_not_built_is_refused():
    with pytest.raises(ValueError, match="not built"):
        fastnn.Sequential([layers.Dense(1)]).to_torch()
    with pytest.raises(TypeError, match="wants a Sequential"):
        fastnn.torch.to_module(3)
