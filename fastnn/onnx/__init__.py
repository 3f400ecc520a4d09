"""Models as ONNX files, out and in: `export` for ONNX Runtime and any server that reads ONNX, `load` for training on.

It takes the package onnx (extra ``onnx``); to run what is written takes ONNX Runtime, or any other reader.  Where
skl2onnx is installed, it knows the estimators of `fastnn.sklearn` from then on, so that a Pipeline with one converts.
"""

from fastnn.extras import require
from fastnn.names import publish

require("onnx", "onnx")

from . import registration  # noqa: E402
from .reading import load  # noqa: E402
from .writing import export  # noqa: E402

__all__ = ["export", "load"]

publish(__name__)
registration.register()
