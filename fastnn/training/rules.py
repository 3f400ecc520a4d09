"""Rules of a run of training: what has a say, beside the callbacks, in the order of the rows and in when to stop."""

import math

from .reports import Logs
from .stream import Steps


class Rule:
    """Base of all rules: derive from it, and write the methods that are of interest.

    `begin` is called before the steps of an epoch, or of several that share a compiled run; `update` and `ends` are
    called for each of these epochs when its steps have been taken, before and after the callbacks.

    Attributes
    ----------
    each_epoch : bool
        It must hear of an epoch before the next one begins: it looks at the weights, or changes them or the optimizer.
        Otherwise a compiled run may go over as many epochs as `patience` allows.
    """

    each_epoch: bool = False

    @property
    def patience(self) -> float:
        """How many epochs can be trained, at least, before it may end training, or must `begin` anew."""
        return math.inf

    def begin(self, training: Steps, epochs: int) -> None:
        """The next epochs begin, so many, of which the callbacks know: the place for `Training.lay_down`."""

    def update(self, logs: Logs) -> None:
        """Take note of an epoch, and add to its logs, before the callbacks get them."""

    def ends(self) -> bool:
        """Whether training ends with the epoch that was told last; every rule is asked, whatever the others say.

        Of epochs that share a compiled run, the answer after the last one counts.
        """
        return False
