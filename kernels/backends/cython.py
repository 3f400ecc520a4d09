"""The kernels through the Cython extension: the build for this processor's instruction set."""

import importlib
from collections.abc import Callable

from ..machine import instruction_set, supported
from ..render.sources import digest


def load(dtype: str) -> Callable[[int, int, int], int]:
    """The kernels' entry for "float32" or "float64".

    Raises ImportError where the extension was not built, or from other kernels, whose records may be others.
    """
    names, stale = supported(), False
    for name in names[names.index(instruction_set()[0]) :]:  # an older compiler builds fewer: the widest there is
        try:
            module = importlib.import_module(f"fastnn.kernels._cython_{name}")
        except ModuleNotFoundError:
            continue
        if getattr(module, "source_digest", None) != digest():
            stale = True
            continue
        run: Callable[[int, int, int], int] = getattr(module, dtype)
        return run
    if stale:
        raise ImportError("fastnn's Cython extension was built from other kernels than these: build it again")
    raise ImportError("fastnn's Cython extension was not built when fastnn was installed")


def fits() -> bool:
    """Whether the extension is there for just this instruction set, and built from the kernels as they are now."""
    try:
        module = importlib.import_module(f"fastnn.kernels._cython_{instruction_set()[0]}")
    except ImportError:
        return False
    return getattr(module, "source_digest", None) == digest()
