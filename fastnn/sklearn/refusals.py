"""A fit that is refused, which leaves an estimator as it was."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

Arguments = ParamSpec("Arguments")
Estimator = TypeVar("Estimator")
Result = TypeVar("Result")


def all_or_nothing(
    method: Callable[Concatenate[Estimator, Arguments], Result],
) -> Callable[Concatenate[Estimator, Arguments], Result]:
    """Make a method that fits leave the attributes as they were where it raises an error: those of an earlier fit."""

    @wraps(method)
    def fitted(self: Estimator, /, *arguments: Arguments.args, **options: Arguments.kwargs) -> Result:
        before = dict(vars(self))
        try:
            return method(self, *arguments, **options)
        except Exception:
            vars(self).update(before)
            for name in vars(self).keys() - before.keys():
                del vars(self)[name]
            raise

    return fitted
