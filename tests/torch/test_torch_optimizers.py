"""Optimizers travel with their state: further steps are those that the real PyTorch takes."""

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from torch import nn, optim

import fastnn
import fastnn.torch
from fastnn import layers

rng = np.random.default_rng(0)
X, LABELS = rng.normal(size=(32, 6)), rng.integers(0, 3, 32)

SAME = {
    "sgd": lambda p: optim.SGD(p, 0.05),
    "sgd decay": lambda p: optim.SGD(p, 0.05, weight_decay=0.1),
    "momentum": lambda p: optim.SGD(p, 0.05, momentum=0.9),
    "nesterov": lambda p: optim.SGD(p, 0.05, momentum=0.9, nesterov=True),
    "adam": lambda p: optim.Adam(p, 0.01),
    "amsgrad": lambda p: optim.Adam(p, 0.01, (0.8, 0.95), 1e-3, amsgrad=True),
    "adamw": lambda p: optim.AdamW(p, 0.01, weight_decay=0.1),
    "nadam": lambda p: optim.NAdam(p, 0.01, momentum_decay=1),
    "nadam decoupled": lambda p: optim.NAdam(p, 0.01, weight_decay=0.1, momentum_decay=1, decoupled_weight_decay=True),
    "adadelta": lambda p: optim.Adadelta(p, 1.0),
    "rprop": lambda p: optim.Rprop(p, 0.01),
}
PENALISED = {  # decay is added to the gradient: normalisations have no such penalty here
    "momentum decay": lambda p: optim.SGD(p, 0.05, momentum=0.9, weight_decay=0.1),
    "adam decay": lambda p: optim.Adam(p, 0.01, weight_decay=0.1),
    "nadam decay": lambda p: optim.NAdam(p, 0.01, weight_decay=0.1, momentum_decay=1),
    "adadelta decay": lambda p: optim.Adadelta(p, 1.0, weight_decay=0.1),
}
CASES = [(name, make, True) for name, make in SAME.items()] + [(name, make, False) for name, make in PENALISED.items()]


def network(normalised=False):
    torch.manual_seed(1)
    if not normalised:
        return nn.Sequential(nn.Linear(6, 8), nn.Linear(8, 7), nn.Tanh(), nn.Linear(7, 3)).double()
    inner = nn.Sequential(nn.LayerNorm(8), nn.Tanh(), nn.Linear(8, 7, bias=False), nn.BatchNorm1d(7), nn.PReLU(7))
    return nn.Sequential(nn.Linear(6, 8), inner, nn.Linear(7, 3)).double()


def train(module, optimizer, steps):
    for _ in range(steps):
        optimizer.zero_grad()
        nn.functional.cross_entropy(module(torch.from_numpy(X)), torch.from_numpy(LABELS)).backward()
        optimizer.step()


def largest_difference(one, other):
    """Of two state dicts, or two optimizers' states."""
    pairs = zip(one, other, strict=True)
    return max((abs(a.double() - b.double()).max().item() for a, b in pairs), default=0.0)


def trained(module):
    """The state dict, but for what differs: the moving variance is biased here, and nobody counts batches."""
    found = module.state_dict().items()
    return [tensor for name, tensor in found if not name.endswith(("running_var", "num_batches_tracked"))]


def states(module, optimizer):
    of = [optimizer.state[parameter] for parameter in module.parameters()]
    return [state[name] for state in of for name in sorted(state) if state[name] is not None]


@pytest.mark.parametrize("steps", [0, 7])
@pytest.mark.parametrize(("name", "make", "normalised"), CASES, ids=[case[0] for case in CASES])
def test_ten_further_steps_are_the_same_in_and_out(name, make, normalised, steps):
    bar = 1e-8 if name.startswith("nadam") else 1e-12  # PyTorch keeps NAdam's product in float32
    module = network(normalised)
    optimizer = make(module.parameters())
    train(module, optimizer, steps)
    model = fastnn.torch.from_module(module, optimizer=optimizer, loss=nn.CrossEntropyLoss())
    train(module, optimizer, 10)
    for _ in range(10):
        model.train_on_batch(X, LABELS)
    back = model.to_torch().train()
    other = fastnn.torch.to_optimizer(model, back)
    assert type(other) is type(optimizer)
    assert largest_difference(trained(module), trained(back)) < bar
    assert [optimizer.state[p].keys() for p in module.parameters()] == [
        other.state[p].keys() for p in back.parameters()
    ]
    assert largest_difference(states(module, optimizer), states(back, other)) < bar
    train(module, optimizer, 10)
    train(back, other, 10)
    assert largest_difference(trained(module), trained(back)) < 10 * bar


def test_the_moving_variance_alone_differs_in_training():
    torch.manual_seed(2)
    module = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8, momentum=1.0), nn.Tanh(), nn.Linear(8, 3)).double()
    optimizer = optim.SGD(module.parameters(), 0.1, momentum=0.9)
    model = fastnn.torch.from_module(module, optimizer=optimizer, loss=nn.CrossEntropyLoss())
    train(module, optimizer, 10)
    for _ in range(10):
        model.train_on_batch(X, LABELS)
    for name, tensor in model.to_torch().state_dict().items():
        if name != "1.num_batches_tracked":
            wanted = module.state_dict()[name] * ((len(X) - 1) / len(X) if name == "1.running_var" else 1)
            torch.testing.assert_close(tensor, wanted, rtol=1e-10, atol=1e-12)


def test_groups_of_parameters():
    module = network()
    groups = [
        {"params": module[0].parameters(), "lr": 0.1, "weight_decay": 0.05},
        {"params": [module[1].weight, module[1].bias], "lr": 0.02},
        {"params": [module[3].weight], "weight_decay": 0.2},
    ]  # the last bias is in none, and is not trained
    optimizer = optim.SGD(groups, 0.04, momentum=0.9)
    train(module, optimizer, 5)
    model = fastnn.torch.from_module(module, optimizer=optimizer, loss=nn.CrossEntropyLoss())
    train(module, optimizer, 10)
    for _ in range(10):
        model.train_on_batch(X, LABELS)
    back = model.to_torch().train()
    other = fastnn.torch.to_optimizer(model, back)
    assert largest_difference(trained(module), trained(back)) < 1e-12
    train(module, optimizer, 10)
    train(back, other, 10)
    assert largest_difference(trained(module), trained(back)) < 1e-12
    found = {(round(group["lr"], 9), group["weight_decay"]) for group in other.param_groups}
    assert found == {(0.1, 0.05), (0.02, 0.0), (0.04, 0.2), (0.1, 0.0)}


@pytest.mark.parametrize(
    ("made", "kind"),
    [
        (fastnn.optimizers.Adam(0.01, weight_decay=0.1), optim.AdamW),
        (fastnn.optimizers.Nadam(0.01, weight_decay=0.1), optim.NAdam),
        (fastnn.optimizers.SGD(0.1, weight_decay=0.1), optim.SGD),
        (fastnn.optimizers.AdamW(0.01, amsgrad=True), optim.AdamW),
    ],
)
def test_models_of_fastnns_own_go_on_in_pytorch(made, kind):
    model = fastnn.Sequential([layers.Input((6,)), layers.Dense(8, "tanh"), layers.Dense(3)], seed=0)
    loss = fastnn.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(made, loss, dtype="float64")
    model.fit(X, LABELS, epochs=3, verbose=0)
    module = model.to_torch().train()
    optimizer = fastnn.torch.to_optimizer(model, module)
    assert type(optimizer) is kind
    for _ in range(10):
        model.train_on_batch(X, LABELS)
    train(module, optimizer, 10)
    np.testing.assert_allclose(module(torch.from_numpy(X)).detach(), model.predict(X), atol=1e-7)


LOSSES = [
    (nn.MSELoss(), X[:, :3]),
    (nn.L1Loss(), X[:, :3]),
    (nn.HuberLoss(delta=0.5), X[:, :3]),
    (nn.SmoothL1Loss(), X[:, :3]),
    (nn.CrossEntropyLoss(label_smoothing=0.1), LABELS),
    (nn.BCEWithLogitsLoss(), (X[:, :3] > 0).astype(float)),
]


@pytest.mark.parametrize(("loss", "y"), LOSSES, ids=[type(loss).__name__ for loss, _ in LOSSES])
def test_losses_are_the_same(loss, y):
    module = network()
    model = fastnn.torch.from_module(module, optimizer=optim.SGD(module.parameters(), 0.1), loss=loss)
    wanted = loss(module(torch.from_numpy(X)), torch.from_numpy(y)).item()
    assert model.evaluate(X, y, verbose=0) == pytest.approx(wanted, rel=1e-9)


REFUSED = [
    (lambda p: optim.RMSprop(p), "RMSprop.*adds epsilon to the root"),
    (lambda p: optim.Adagrad(p), "Adagrad"),
    (lambda p: optim.Adamax(p), "Adamax"),
    (lambda p: optim.LBFGS(p), "LBFGS"),
    (lambda p: optim.RAdam(p), "RAdam, whose rule"),
    (lambda p: optim.ASGD(p), "ASGD"),
    (lambda p: optim.NAdam(p), "momentum_decay=0.004; wants 1"),
    (lambda p: optim.SGD(p, 0.1, 0.9, 0.1), "dampening=0.1"),
    (lambda p: optim.SGD(p, 0.1, maximize=True), "maximize=True"),
    (lambda p: optim.Adam(p, eps=0.0), "epsilon got 0"),
    (lambda p: optim.SGD([*p, nn.Parameter(torch.zeros(3))], 0.1), "not the module's"),
    (lambda p: optim.AdamW([{"params": p[:2]}, {"params": p[2:], "weight_decay": 0}]), "by group"),
    (lambda p: optim.Adam([{"params": p[:2]}, {"params": p[2:], "eps": 1e-3}]), "another eps"),
    (lambda p: optim.Rprop([{"params": p[:2]}, {"params": p[2:], "lr": 1e-3}]), "learning rates"),
    (lambda p: optim.Adam(p, weight_decay=0.1), "'1.0': LayerNorm, whose parameters have a weight_decay"),
]


@pytest.mark.parametrize(("make", "said"), REFUSED, ids=[said[:12] for _, said in REFUSED])
def test_rules_that_fastnn_has_not_are_refused(make, said):
    module = network(normalised=True)
    with pytest.raises(ValueError, match=said):
        fastnn.torch.from_module(module, optimizer=make(list(module.parameters())), loss="mse")


def test_an_optimizer_wants_a_loss_and_as_many_steps_of_all():
    module = network()
    optimizer = optim.Adam(module.parameters())
    with pytest.raises(ValueError, match="optimizer got one without the loss"):
        fastnn.torch.from_module(module, optimizer=optimizer)
    with pytest.raises(ValueError, match=r"loss got nn\.NLLLoss"):
        fastnn.torch.from_module(module, optimizer=optimizer, loss=nn.NLLLoss())
    with pytest.raises(ValueError, match="with weight; wants none"):
        fastnn.torch.from_module(module, optimizer=optimizer, loss=nn.CrossEntropyLoss(torch.ones(3)))
    with pytest.raises(ValueError, match="reduction='sum'"):
        fastnn.torch.from_module(module, optimizer=optimizer, loss=nn.MSELoss(reduction="sum"))
    train(module, optimizer, 2)
    optimizer.state[module[0].weight]["step"] += 1
    with pytest.raises(ValueError, match="wants as many of all"):
        fastnn.torch.from_module(module, optimizer=optimizer, loss="mse")


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (fastnn.optimizers.RMSprop(), "RMSprop, whose rule"),
        (fastnn.optimizers.Lion(), "Lion, whose rule"),
        (fastnn.optimizers.SGD(0.1, 0.9, weight_decay=0.1), "decoupled"),
        (fastnn.optimizers.Adam(clipnorm=1.0), "clipnorm=1.0"),
        (fastnn.optimizers.Adam(use_ema=True), "use_ema=True"),
        (fastnn.optimizers.Adam(fastnn.schedules.CosineDecay(0.1, 10)), "schedule"),
    ],
)
def test_rules_that_pytorch_has_not_are_refused(made, said):
    model = fastnn.Sequential([layers.Input((2,)), layers.Dense(1)])
    model.compile(made, "mse")
    with pytest.raises(ValueError, match=said):
        fastnn.torch.to_optimizer(model, model.to_torch())


def test_penalties_and_modules_that_do_not_fit():
    for options in ({"kernel_regularizer": "l1"}, {"kernel_constraint": "non_neg"}):
        model = fastnn.Sequential([layers.Input((2,)), layers.Dense(1, **options)])
        model.compile("sgd", "mse")
        with pytest.raises(ValueError, match="a constraint or an l1 penalty"):
            fastnn.torch.to_optimizer(model, model.to_torch())
    model = fastnn.Sequential([layers.Input((2,)), layers.Dense(1)])
    with pytest.raises(ValueError, match="not compiled"):
        fastnn.torch.to_optimizer(model, model.to_torch())
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match=r"state dict lacks 'dense\.weight', 'dense\.bias' and has '0\.weight'"):
        fastnn.torch.to_optimizer(model, nn.Sequential(nn.Linear(2, 1)))
