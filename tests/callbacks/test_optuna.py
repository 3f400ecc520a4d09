"""Optuna's studies: trials hear of each epoch's score, and those that do worse than others end early."""

import copy
import multiprocessing
import sys
import threading
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pytest

import fastnn
from fastnn.callbacks import OptunaPruning
from fastnn.layers import Dense, Input

optuna = pytest.importorskip("optuna")

EPOCHS = 6
RATES = [0.3, 0.1, 1e-5, 0.03, 1e-6]
RNG = np.random.default_rng(0)
X = RNG.standard_normal((80, 4)).astype("float32")
Y = (X @ RNG.standard_normal((4, 1))).astype("float32")


@pytest.fixture(autouse=True)
def quiet():
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    yield
    optuna.logging.set_verbosity(before)


def new_model(rate=0.1):
    model = fastnn.Sequential([Input((4,)), Dense(8, "tanh"), Dense(1)], seed=0)
    model.compile(fastnn.optimizers.SGD(rate), "mse", ["mae", "r2_score"], backend="numpy")
    return model


def fitted(model, callback, epochs=EPOCHS):
    callbacks = [] if callback is None else [callback]
    return model.fit(X, Y, 16, epochs, validation_split=0.25, callbacks=callbacks, verbose=0).history


class Never(optuna.pruners.BasePruner):
    """Prunes after an epoch, counted from 0, or never."""

    def __init__(self, last=None):
        self.last = last

    def prune(self, study, trial):
        return trial.last_step == self.last


def new_study(pruner=None, **options):
    return optuna.create_study(pruner=pruner or Never(), **options)


# --- An example ---


def objective(trial):
    """The loss on held-out rows, of a learning rate; trials that do worse than most at the same epoch are pruned."""
    model = new_model(trial.suggest_float("rate", 1e-6, 1.0, log=True))
    return fitted(model, OptunaPruning(trial, "val_loss"))["val_loss"][-1]


def searched(jobs=1, **options):
    """A study of the rates; the first two are never pruned."""
    study = new_study(optuna.pruners.MedianPruner(n_startup_trials=2, n_warmup_steps=1), **options)
    for rate in RATES:
        study.enqueue_trial({"rate": rate})
    study.optimize(objective, n_trials=len(RATES), n_jobs=jobs)
    return study


def test_a_search_ends_trials_that_do_worse_than_others():
    study = searched()
    assert [trial.state.name for trial in study.trials] == ["COMPLETE", "COMPLETE", "PRUNED", "PRUNED", "PRUNED"]
    assert [len(trial.intermediate_values) for trial in study.trials] == [EPOCHS, EPOCHS, 2, 2, 2]
    for trial in study.trials:
        history = fitted(new_model(trial.params["rate"]), None)["val_loss"]
        assert list(trial.intermediate_values.items()) == list(enumerate(history))[: len(trial.intermediate_values)]
    assert study.best_value == study.best_trial.intermediate_values[EPOCHS - 1]


def test_five_lines_do_the_same():
    def five_lines(trial):
        def tell(epoch, logs):
            trial.report(logs["val_loss"], epoch)
            if trial.should_prune():
                raise optuna.TrialPruned

        model = new_model(trial.suggest_float("rate", 1e-6, 1.0, log=True))
        return fitted(model, fastnn.callbacks.LambdaCallback(on_epoch_end=tell))["val_loss"][-1]

    study, other = new_study(Never(3)), new_study(Never(3))
    for each, function in ((study, objective), (other, five_lines)):
        each.enqueue_trial({"rate": 0.1})
        each.optimize(function, n_trials=1)
    assert study.trials[0].intermediate_values == other.trials[0].intermediate_values
    assert len(study.trials[0].intermediate_values) == 4


def told(study):
    """What each trial has been told, by its rate."""
    return {trial.params["rate"]: trial.intermediate_values for trial in study.trials}


def test_studies_in_threads_are_told_the_same():
    meet = threading.Barrier(2)
    study = new_study(Never(4))
    for rate in RATES[:2]:
        study.enqueue_trial({"rate": rate})

    def at_once(trial):
        meet.wait()
        return objective(trial)

    study.optimize(at_once, n_trials=2, n_jobs=2)
    assert told(study) == {rate: dict(enumerate(fitted(new_model(rate), None, 5)["val_loss"])) for rate in RATES[:2]}


def work(path, rate):
    """A trial in another process."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    storage = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(path))
    study = optuna.load_study(study_name="rates", storage=storage, pruner=Never(2))
    trial = study.ask(fixed_distributions={"rate": optuna.distributions.FloatDistribution(rate, rate)})
    try:
        objective_value = fitted(new_model(trial.params["rate"]), OptunaPruning(trial))["val_loss"][-1]
        study.tell(trial, objective_value)
    except optuna.TrialPruned:
        study.tell(trial, state=optuna.trial.TrialState.PRUNED)


def test_studies_in_processes_are_told_the_same(tmp_path):
    path = str(tmp_path / "journal.log")
    storage = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(path))
    study = new_study(study_name="rates", storage=storage)
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        list(pool.map(work, [path] * 2, RATES[:2]))
    assert told(study) == {rate: dict(enumerate(fitted(new_model(rate), None, 3)["val_loss"])) for rate in RATES[:2]}
    assert {trial.state.name for trial in study.trials} == {"PRUNED"}


# --- What becomes of the model ---


def test_a_model_is_as_trained_so_far_and_may_go_on():
    trial = new_study(Never(2)).ask()
    model = new_model()
    with pytest.raises(optuna.TrialPruned, match=r"trial was pruned after epoch 3: val_loss is [\d.]+$"):
        fitted(model, OptunaPruning(trial))
    whole = new_model()
    history = fitted(whole, None, 3)
    assert [w.tobytes() for w in model.get_weights()] == [w.tobytes() for w in whole.get_weights()]
    assert model.history.history["loss"] == history["loss"][: len(model.history.history["loss"])]
    np.testing.assert_array_equal(model.predict(X), whole.predict(X))
    assert fitted(model, None, 2) == fitted(whole, None, 2)


def test_an_estimator_is_as_before():
    sklearn = pytest.importorskip("fastnn.sklearn")
    base = pytest.importorskip("sklearn.base")
    trials = [new_study(Never(1)).ask() for _ in range(2)]
    options = {"hidden_layer_sizes": (4,), "max_iter": 20, "random_state": 0, "backend": "numpy"}
    models = [sklearn.MLPRegressor(callbacks=[OptunaPruning(trial, "loss")], **options) for trial in trials]
    for model in (models[0], base.clone(models[1])):  # a clone tells the same trial
        with pytest.raises(optuna.TrialPruned):
            model.fit(X, Y[:, 0])
        assert not hasattr(model, "coefs_")
    assert [sorted(trial.study.trials[0].intermediate_values) for trial in trials] == [[0, 1], [0, 1]]


# --- What it takes ---


def test_every_so_many_epochs_are_told():
    trial = new_study().ask()
    history = fitted(new_model(), OptunaPruning(trial, "mae", interval=4), 9)
    assert trial.study.trials[0].intermediate_values == {3: history["mae"][3], 7: history["mae"][7]}


def test_a_score_that_is_not_there_is_warned_of_once():
    trial = new_study(Never(0)).ask()
    with pytest.warns(
        UserWarning, match="monitor of OptunaPruning got 'val_los', which is not among the logs"
    ) as found:
        fitted(new_model(), OptunaPruning(trial, "val_los"))
    assert len(found) == 1
    assert trial.study.trials[0].intermediate_values == {}


@pytest.mark.parametrize(
    ("monitor", "wrong", "better"),
    [("val_loss", "maximize", "smaller"), ("mae", "maximize", "smaller"), ("val_r2_score", "minimize", "larger")],
)
def test_a_score_of_the_other_direction_is_refused_before_training(monitor, wrong, better):
    model = new_model()
    before = [w.copy() for w in model.get_weights()]
    with pytest.raises(
        ValueError, match=f"monitor got '{monitor}', which is better when it is {better}, but the study"
    ):
        fitted(model, OptunaPruning(new_study(direction=wrong).ask(), monitor))
    for now, then in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)
    right = {"maximize": "minimize", "minimize": "maximize"}[wrong]
    trial = new_study(direction=right).ask()
    fitted(model, OptunaPruning(trial, monitor), 1)
    assert len(trial.study.trials[0].intermediate_values) == 1


def test_a_fixed_trial_is_never_pruned():
    assert len(fitted(new_model(), OptunaPruning(optuna.trial.FixedTrial({})))["loss"]) == EPOCHS


def test_what_is_no_trial_is_refused():
    trial = new_study().ask()
    with pytest.raises(TypeError, match=r"trial got 3; wants an optuna\.trial\.Trial"):
        OptunaPruning(3)
    with pytest.raises(TypeError, match=r"trial got <optuna\.study"):
        OptunaPruning(trial.study)
    with pytest.raises(ValueError, match="interval got 0"):
        OptunaPruning(trial, interval=0)
    assert copy.deepcopy(OptunaPruning(trial)).trial is trial


def test_without_optuna_it_says_what_to_install(monkeypatch):
    trial = new_study().ask()
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ModuleNotFoundError, match=r"needs optuna.*pip install 'fastnn-cpu\[optuna\]'"):
        OptunaPruning(trial)
