"""Every activation, loss and optimizer of fastnn, once: a formula each, and the tables of them.

Plain arithmetic over the vocabulary of arrays.py.  From these tables come both compiled backends, the NumPy backend,
the names that the API accepts, its default hyper-parameters, its error messages and the parametrised tests.  To add
one, write its formulas and its row.

A formula's argument names say what it needs: ``x`` the input of an activation, ``y`` its output, ``target`` what the
output should be, ``parameter`` the one constant that some formulas have (``second`` and ``third``: further ones of a
loss, each an output's own where they differ).
"""

from .activations import ACTIVATIONS, SELU_ALPHA, SELU_SCALE
from .losses import LOSSES
from .noise import normal_quantile
from .optimizers import OPTIMIZERS

__all__ = ["ACTIVATIONS", "LOSSES", "OPTIMIZERS", "SELU_ALPHA", "SELU_SCALE", "normal_quantile"]
