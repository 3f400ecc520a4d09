"""The kernels through Numba: one function of a file in the cache folder, compiled once, loaded from then on."""

import hashlib
import importlib.util
import sys
from collections.abc import Callable, Iterable
from typing import Any

from ..machine import instruction_set
from ..numba import cache
from ..render.instruction_sets import InstructionSet
from ..render.rendered import Rendered
from ..render.sources import HERE, Source
from ..render.whole import ENTRY, render

Run = Callable[[int, int, int], int]

MODULE = """\
# Written by fastnn: Numba keeps what it makes of this file beside it.
from numba import njit
from fastnn.kernels.backends.numba import intrinsic_for

kernels = intrinsic_for("{dtype}")


@njit("int64(int64, int64, int64)", nogil=True, cache=True, error_model="numpy")
def run(layers, job, thread):
    return kernels(layers, job, thread)
"""


def load(dtype: str) -> Run:
    """The kernels' entry for "float32" or "float64", compiled if the cache does not hold it.  Raises ImportError."""
    import llvmlite
    import numba

    text = MODULE.format(dtype=dtype)
    versions = f"{numba.__version__} {llvmlite.__version__} {sys.version} {instruction_set()[0]}"
    parts = [text, versions, *(path.read_text(encoding="utf-8") for path in sorted(HERE.rglob("*.py")))]
    digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:20]
    path = cache.write(digest, f"{dtype}.py", text)
    name = f"fastnn_{dtype}_{digest}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # Numba's cache finds a function's module there
    try:
        spec.loader.exec_module(module)
    except RuntimeError as error:
        if "cannot cache" not in str(error):
            raise
        raise ImportError(f"Numba: {error}; FASTNN_CACHE_DIR names another folder") from error
    run: Run = module.run
    return run


def intrinsic_for(dtype: str) -> Any:
    """The kernels' entry as a Numba intrinsic."""
    chosen = instruction_set()[1]
    return as_intrinsic(lambda: render(Source(), dtype, chosen), ENTRY, dtype, chosen)


def as_intrinsic(rendered: Callable[[], Iterable[Rendered]], entry: str, dtype: str, chosen: InstructionSet) -> Any:
    """One of some rendered functions, of three integers, as an intrinsic, which brings all of them along."""
    from numba.core import types
    from numba.extending import intrinsic

    from ..numba.translate import translate

    def call(context: Any, layers: Any, job: Any, thread: Any) -> Any:
        def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return builder.call(translate(builder.module, rendered(), dtype, chosen)[entry], arguments)

        return types.int64(types.int64, types.int64, types.int64), emit

    return intrinsic(call)
