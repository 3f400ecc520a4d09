"""Whether a backend is here, and what to do with a test where it is not."""

import functools
import importlib
import os

import pytest


@functools.cache
def why_missing(backend):
    """Why a backend cannot be had, or nothing."""
    try:
        if backend == "numba":
            importlib.import_module("numba")
        else:
            importlib.import_module(f"fastnn.kernels.backends.{backend}").load("float32")
    except ImportError as error:
        return f"backend {backend!r} is not here: {error}"
    return ""


def require(backend):
    """Skips the test where a backend cannot be had, or fails where it has to be there."""
    if reason := why_missing(backend):
        if backend == "cython" and os.environ.get("FASTNN_REQUIRE_EXTENSION") == "1":
            pytest.fail(f"{reason}, and FASTNN_REQUIRE_EXTENSION=1 wants it")
        pytest.skip(reason)
