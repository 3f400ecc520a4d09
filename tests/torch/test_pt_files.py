"""State dicts in .pt files, written and read; what a stranger's file holds is data, and an error where it lies."""

import os

import numpy as np
import pytest

pytest.importorskip("torch")
import pt_fuzz
import torch
from torch import nn

import fastnn
import fastnn.torch


def module():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Linear(8, 3))


@pytest.fixture
def receiver():
    torch.manual_seed(9)
    other = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Linear(8, 3))
    return fastnn.torch.from_module(other, backend="numpy")


@pytest.mark.parametrize("ending", [".pt", ".pth"])
def test_written_and_read_by_both(tmp_path, receiver, ending):
    given, path = module(), tmp_path / f"m{ending}"
    torch.save(given.state_dict(), path)
    receiver.load_weights(path)
    x = np.random.default_rng(0).normal(size=(4, 6)).astype("float32")
    np.testing.assert_allclose(receiver.predict(x), given.eval()(torch.from_numpy(x)).detach(), atol=1e-6)
    receiver.save_weights(path)
    found = torch.load(path, weights_only=True)
    assert list(found) == list(given.state_dict())
    assert all(torch.equal(found[name], tensor) for name, tensor in given.state_dict().items())


def test_other_dtypes_strides_and_parameters(tmp_path, receiver):
    path, weight = tmp_path / "m.pt", torch.arange(48.0).reshape(6, 8)
    for tensor in (
        weight.T,
        weight.T.contiguous().half(),
        weight.T.bfloat16(),
        weight.T.double(),
        nn.Parameter(weight.T),
    ):
        torch.save(module().state_dict() | {"0.weight": tensor}, path)
        receiver.load_weights(path)
        np.testing.assert_array_equal(receiver.get_weights()[0], weight)


class Harm:
    def __reduce__(self):
        return os._exit, (9,)


class Large:
    """What torch.load(weights_only=True) would make."""

    def __reduce__(self):
        return bytearray, (2**33,)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"x": torch.zeros(2)}, "has 'x', which the model has not"),
        ({"0.bias": torch.zeros(9)}, r"0.bias has shape \(9,\); wants \(8,\)"),
        ({"0.bias": torch.zeros(8).long()}, "'0.bias' is of int64"),
        ({"0.bias": torch.zeros(8).int()}, "a IntStorage"),
        ({"0.bias": torch.zeros(8).to_sparse()}, "it calls"),
        ({"0.bias": torch.full((8,), float("nan"))}, "NaN"),
        ({"1.running_var": -torch.ones(8)}, "moving_variance below 0"),
        ({"0.bias": 3}, "'0.bias' in it is no tensor"),
        ({"0.bias": Harm()}, "it calls 'posix _exit'"),
        ({"0.bias": Large()}, "it calls '__builtin__ bytearray'"),
        (None, "lacks '0.bias'"),
    ],
)
def test_what_is_not_the_models_is_refused_and_changes_nothing(tmp_path, receiver, change, said):
    state, path, before = dict(module().state_dict()), tmp_path / "m.pt", receiver.get_weights()
    if change is None:
        del state["0.bias"]
    torch.save(state | (change or {}), path)
    with pytest.raises(fastnn.ModelFileError, match=said):
        receiver.load_weights(path)
    assert all(map(np.array_equal, before, receiver.get_weights()))


def test_other_files_are_refused(tmp_path, receiver):
    path = tmp_path / "m.pt"
    for content in (module(), [1], torch.zeros(3), {"model": module().state_dict()}):
        torch.save(content, path)
        with pytest.raises(fastnn.ModelFileError, match=r"no dict of tensors|than a dict of tensors|no tensor"):
            receiver.load_weights(path)
    torch.save(module().state_dict(), path, _use_new_zipfile_serialization=False)
    with pytest.raises(fastnn.ModelFileError, match="no ZIP archive"):
        receiver.load_weights(path)
    path.write_bytes(b"")
    with pytest.raises(fastnn.ModelFileError):
        receiver.load_weights(path)
    with pytest.raises(FileNotFoundError):
        receiver.load_weights(tmp_path / "none.pt")


def test_a_model_that_is_not_finite_is_not_written(tmp_path, receiver):
    receiver.layers[0].engine.parameters.matrix(0)[0, 0] = np.nan
    with pytest.raises(FloatingPointError):
        receiver.save_weights(tmp_path / "m.pt")
    assert not list(tmp_path.iterdir())


def test_corrupt_files_are_refused_or_right(tmp_path):
    """`python tests/tools/pt_fuzz.py` goes through five thousand."""
    tried = pt_fuzz.Fuzz(tmp_path)
    outcomes = {tried.one(seed)[1] for seed in range(200)}
    assert outcomes >= {"refused", "the right weights"}
