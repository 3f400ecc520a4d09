"""The loop of fit, its rules and reports, and the ways in which its steps are taken."""

from .descent import gradient_descent
from .lbfgs import Minimizer
from .loop import Loop
from .reports import Held, Reporter, Rule, named, tested
from .stream import Steps, StreamTraining
