"""The programs by which people learn Keras, written anew, with only the import changed: each means the same."""

from pathlib import Path

import numpy as np
import pytest

PROGRAMS = Path(__file__).parent / "programs"
TRUNK = ["epoch_loss", "epoch_binary_crossentropy", "epoch_accuracy"]


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run a program in a folder of its own; returns its variables."""

    def run(name):
        monkeypatch.chdir(tmp_path)
        variables = {"__name__": "program"}
        exec(compile((PROGRAMS / f"{name}.py").read_text(encoding="utf-8"), name, "exec"), variables)
        return variables

    return run


def test_every_program_is_run():
    assert {path.stem for path in PROGRAMS.glob("*.py")} == {
        name.removeprefix("test_the_").removesuffix("_program") for name in globals() if name.endswith("_program")
    }


def test_the_quickstart_program(run, tmp_path, monkeypatch):
    x, y = pytest.importorskip("sklearn.datasets").load_digits(return_X_y=True)
    images = np.pad(np.kron(x.reshape(-1, 8, 8) * 15.9, np.ones((3, 3))).astype("uint8"), ((0, 0), (2, 2), (2, 2)))
    (tmp_path / "datasets").mkdir()
    parts = {"x_train": images[:1500], "y_train": y[:1500], "x_test": images[1500:], "y_test": y[1500:]}
    np.savez(tmp_path / "datasets" / "mnist.npz", **parts)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    found = run("quickstart")
    assert found["x_train"].shape == (1500, 28, 28)
    assert 1 < found["untrained"] < 5
    assert found["accuracy"] > 0.8
    assert found["history"].history["loss"][-1] < 0.5 * found["history"].history["loss"][0]
    np.testing.assert_allclose(found["probabilities"].sum(axis=1), 1, rtol=1e-5)
    logits = found["model"].predict(found["x_test"][:5])
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    np.testing.assert_allclose(found["probabilities"], shares / shares.sum(axis=1, keepdims=True), rtol=1e-4, atol=1e-6)


def test_the_regression_program(run, capsys):
    found = run("regression")
    features = found["train_features"]
    np.testing.assert_allclose(
        found["normalized"], (features[:1] - features.mean(axis=0)) / features.std(axis=0), rtol=1e-4, atol=1e-5
    )
    assert found["kernel"].shape == (5, 1)
    errors = found["test_results"]
    assert errors["deep"] < errors["linear"] < 2.5
    assert errors["deep"] == pytest.approx(np.abs(found["test_predictions"] - found["test_labels"]).mean(), rel=1e-5)
    assert errors["reloaded"] == errors["deep"]
    summary = capsys.readouterr().out
    assert "normalization" in summary
    assert "4,609" in summary  # that are learned: 5 * 64 + 64 + 64 * 64 + 64 + 64 + 1


def test_the_overfit_program(run, tmp_path, capsys):
    pytest.importorskip("tensorboard")
    found = run("overfit")
    for name, history in found["size_histories"].items():
        scores = history.history
        assert len(scores["loss"]) == 8
        assert {"binary_crossentropy", "accuracy", "val_binary_crossentropy", "val_accuracy"} < set(scores)
        penalised = name.startswith("regularizers")
        assert (scores["loss"][0] > scores["binary_crossentropy"][0] + 1e-4) == penalised
        assert list((tmp_path / "logs" / name).glob("train/events*"))
        assert list((tmp_path / "logs" / name).glob("validation/events*"))
    losses = {name: history.history["binary_crossentropy"][-1] for name, history in found["size_histories"].items()}
    assert losses["sizes/Large"] < losses["sizes/Tiny"]
    assert capsys.readouterr().out.count('Model: "sequential') == 3


def test_the_saving_program(run):
    found = run("saving")
    assert found["trained"] == found["loaded"] != found["untrained"]
    assert found["checkpoints"] == ["cp-0005.weights.h5", "cp-0010.weights.h5"]
    assert found["saved"] == found["by_hand"] == found["whole"]
    np.testing.assert_array_equal(found["predicted"], found["model"].predict(found["test_images"]))


def test_the_imbalanced_program(run):
    found = run("imbalanced")
    share = found["pos"] / (found["pos"] + found["neg"])
    assert found["loss_with_bias"] < 0.5 * found["loss_without_bias"]
    labels = found["train_labels"].mean()
    expected = -(labels * np.log(share) + (1 - labels) * np.log(1 - share))
    assert found["loss_with_bias"] == pytest.approx(expected, rel=0.5)
    for results in (found["baseline_results"], found["weighted_results"]):
        assert results["tp"] + results["fn"] == found["test_labels"].sum()
        assert results["tn"] + results["fp"] == len(found["test_labels"]) - found["test_labels"].sum()
        assert results["recall"] == pytest.approx(results["tp"] / found["test_labels"].sum())
        assert results["accuracy"] == pytest.approx((results["tp"] + results["tn"]) / len(found["test_labels"]))
        assert results["auc"] > 0.8
    predicted = found["test_predictions"] > 0.5
    assert found["baseline_results"]["tp"] == (predicted & (found["test_labels"] == 1)).sum()
    assert found["weighted_results"]["recall"] > found["baseline_results"]["recall"]  # it weighs the rare class
    assert len(found["resampled_history"].history["val_prc"]) <= found["EPOCHS"]


def test_the_callbacks_program(run):
    found = run("callbacks")
    scores = ["loss", "mean_absolute_error"]
    all_scores = [*scores, *(f"val_{name}" for name in scores)]
    test = [("test begin", [])]
    test += [(f"test batch {n} {end}", scores if end == "end" else []) for n in range(2) for end in ("begin", "end")]
    test += [("test end", scores)]
    train = [("train begin", []), ("epoch 0 begin", [])]
    train += [(f"train batch {n} {end}", scores if end == "end" else []) for n in range(2) for end in ("begin", "end")]
    predict = [("predict begin", [])]
    for number in range(2):
        predict += [(f"predict batch {number} begin", []), (f"predict batch {number} end", ["outputs"])]
    heard = train + test + [("epoch 0 end", all_scores), ("train end", all_scores)] + test + predict
    assert found["heard"] == [*heard, ("predict end", [])]  # Keras 3.15 calls the same, with the same logs
    stopping = found["stopping"]
    assert stopping.stopped_epoch == len(found["stopped"].history["loss"]) - 1 < 59
    assert stopping.best == min(found["stopped"].history["loss"])
    np.testing.assert_allclose(found["rates"], [0.1] * 3 + [0.05] * 3 + [0.01] * 3 + [0.005] * 3 + [0.001] * 3)
