"""scikit-learn's own tests of its perceptrons, all of them, on fastnn's: nothing is copied, the two names are swapped.

The ones that reach into what is private pass too: `_optimizer.learning_rate` (test_learning_rate_warmstart,
test_adaptive_learning_rate), `_no_improvement_count` (test_n_iter_no_change, test_n_iter_no_change_inf) and
`_loss_grad_lbfgs` (test_gradient) are here what they are there.
"""

import importlib.util
from unittest import mock

import pytest

pytest.importorskip("sklearn")
neural_network = pytest.importorskip("sklearn.neural_network")
tests = pytest.importorskip("sklearn.neural_network.tests")

import fastnn.sklearn as ours  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")


def swapped():
    """Their module, imported while the names mean fastnn's classes, for parametrised tests hold the classes."""
    names = {name: getattr(ours, name) for name in ("MLPClassifier", "MLPRegressor")}
    spec = importlib.util.find_spec("sklearn.neural_network.tests.test_mlp")
    module = importlib.util.module_from_spec(spec)
    with mock.patch.multiple(neural_network, **names):
        spec.loader.exec_module(module)
    assert module.MLPClassifier is ours.MLPClassifier
    return module


globals().update({name: value for name, value in vars(swapped()).items() if name.startswith("test_")})


@pytest.fixture
def global_random_seed():
    return 42
