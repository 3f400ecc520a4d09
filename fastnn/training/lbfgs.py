"""Training with the optimizer LBFGS: SciPy's L-BFGS-B over the compiled loss and gradient of the whole data."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from fastnn.engine import Data, fits
from fastnn.extras import require
from fastnn.optimizers import LBFGS
from fastnn.typing import Array
from . import divergence
from .reports import Logs, Reporter, evaluate


class Minimizer:
    """The iterations of L-BFGS over all rows, each of which is reported as an epoch.

    ``stopping`` says whether a callback has asked to stop.
    """

    def __init__(self, optimizer: LBFGS, data: Data, reporter: Reporter, stopping: Callable[[], bool]) -> None:
        self.engine, self.optimizer, self.data = reporter.engine, optimizer, data
        self.reporter, self.stopping = reporter, stopping
        self._best: Array = self.engine.parameters.values.astype(np.float64)
        self._ended: tuple[Logs, float] | None = None  # the scores of an iteration that is not reported, and its time
        self._begun = 0.0  # the iteration at hand, on the clock

    @fits
    def run(self) -> bool:
        """Minimise.  Returns whether Ctrl-C ended it; the weights are those of the last iteration."""
        minimize = require("scipy.optimize", "scipy").minimize
        reporter, optimizer, start = self.reporter, self.optimizer, self._best
        if not len(reporter.epochs):
            return False
        options = {
            "maxiter": len(reporter.epochs),
            "maxfun": sys.maxsize >> 33,
            "maxcor": optimizer.history_size,
            "gtol": optimizer.tolerance_grad,
            "ftol": optimizer.tolerance_change,
            "maxls": optimizer.max_line_search,
        }
        arguments = {"jac": True, "method": "L-BFGS-B", "callback": self._end_iteration, "options": options}
        self._begun = time.perf_counter()
        reporter.begin(0)
        try:
            result = minimize(self._value_and_gradient, start, **arguments)
        except KeyboardInterrupt:
            self._report()
            return True
        finally:
            try:
                self._move(self._best)
            finally:  # Ctrl-C may have cut that short
                self._move(self._best)
        if not (np.isfinite(result.fun) and np.isfinite(self._best).all()):
            self._move(start)
            divergence.warn_of_minimum(result.fun)
        return False

    def _move(self, point: Array) -> None:
        """Let the weights be this point."""
        with self.engine.busy:
            self.engine.parameters.set_values(point)

    def _report(self) -> None:
        """Report an iteration that has ended, if that has not been done."""
        if self._ended is not None:
            self.reporter.end(*self._ended, len(self.data))
            self._ended = None

    def _value_and_gradient(self, point: Array) -> tuple[float, Array]:
        self._move(point)
        gradient, loss = self.engine.gradient(self.data)
        return loss, gradient.astype(np.float64)

    def _end_iteration(self, intermediate_result: Any) -> None:
        """Report an epoch, and begin the next; SciPy asks for the name of the argument."""
        seconds = time.perf_counter() - self._begun
        engine, reporter, clock = self.engine, self.reporter, self.engine.count
        best = np.array(intermediate_result.x)
        self._move(best)
        logs = {"loss": float(intermediate_result.fun)}
        if reporter.metrics:
            logs = evaluate(engine, self.data, reporter.metrics, len(self.data))
        ended, count = (logs, seconds), clock.value + 1
        self._best, self._ended, clock.value = best, ended, count  # no call in between: all or none
        self._report()
        if reporter.stopped or self.stopping():
            raise StopIteration
        if reporter.reported < len(reporter.epochs):
            reporter.begin(reporter.reported)
        self._begun = time.perf_counter()
