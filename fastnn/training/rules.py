"""Rules of a run of training: what has a say, beside the callbacks, in the order of the rows and in when to stop."""

from __future__ import annotations

import math

from .reports import Logs
from .stream import Steps

__all__ = ["Rule"]


class Rule:
    """Base of all rules: derive from it, and write the methods that are of interest.

    Attributes
    ----------
    each_epoch : bool
        It must hear of an epoch before the next one begins: it changes the optimizer or the weights, or looks at them.
        Otherwise a compiled run may go over as many epochs as `patience` says.
    """

    each_epoch = False

    def patience(self) -> float:
        """How many epochs can be trained, at least, before it may ask to stop, or must `begin` again."""
        return math.inf

    def begin(self, training: Steps, epochs: int) -> None:
        """Called before the steps of the next epochs, after on_epoch_begin: the place for `Training.lay_down`."""

    def score(self, epoch: int, logs: Logs) -> None:
        """Called at the end of each epoch, before the callbacks hear of it: may change the logs."""

    def stop(self, epoch: int, logs: Logs) -> bool:
        """Called at the end of each epoch, after the callbacks: whether training is to end.

        Every rule is asked, whatever the others say.  Of epochs that share a compiled run the last one's answer counts.
        """
        return False
