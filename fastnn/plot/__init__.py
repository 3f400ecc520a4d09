"""Pictures of models and of training: each function takes matplotlib axes, draws into them, and returns them.

Without axes a function makes a new figure through pyplot. With axes it does not even import pyplot. The colours are
those of Okabe and Ito (2008), which colour-blind readers can tell apart.
"""

from fastnn.names import publish
from .boundary import decision_boundary
from .descent import descent
from .history import history
from .likelihood import likelihood
from .network import activations, network

__all__ = ["activations", "decision_boundary", "descent", "history", "likelihood", "network"]

publish(__name__)
