"""Functions of the user's own that the kernels call: as machine code that Numba makes of them, or back in Python.

To the kernels each is the address of a function of nine integers that reads and writes rows of reals.  It returns 1;
anything else ends the run.
"""

import ctypes
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np

from fastnn.extras import require
from fastnn.typing import Array

__all__ = ["BatchLoss", "Function", "ScalarActivation", "ScalarLoss", "name_of"]


class Function:
    """Base of all.

    Attributes
    ----------
    mean : bool
        A loss: its row is the mean over the outputs of what it yields, not the sum.
    alone : bool
        Wants a whole batch in one call.
    error : BaseException or None
        What the last call raised, for whoever ends the run to raise again.
    """

    mean = True
    alone = False
    error: BaseException | None = None

    def __init__(self) -> None:
        self._compiled: dict[str, Any] = {}  # by dtype; kept as long as somebody may call the address

    def address(self, dtype: str) -> int:
        """Where the machine code for "float32" or "float64" is."""
        if dtype not in self._compiled:
            self._compiled[dtype] = self._compile(dtype)
        compiled = self._compiled[dtype]
        found = compiled.address if hasattr(compiled, "address") else ctypes.cast(compiled, ctypes.c_void_p).value
        return int(found or 0)

    def _compile(self, dtype: str) -> Any:
        raise NotImplementedError

    def failure(self) -> BaseException:
        """Why a call failed; forgotten then."""
        error, self.error = self.error, None
        return error or RuntimeError("a function of your own raised an error in compiled code")

    def __reduce__(self) -> Any:
        raise TypeError(f"{type(self).__name__} is not pickled: what it was made of is")


class ScalarLoss(Function):
    """A value and its gradient, both functions of an output and its target."""

    def __init__(self, value: Callable[..., Any], gradient: Callable[..., Any]) -> None:
        super().__init__()
        self.value, self.gradient = _scalar(value, "value", 2), _scalar(gradient, "gradient", 2)

    def _compile(self, dtype: str) -> Any:
        value, gradient = self.value, self.gradient

        def rows_of(rows, columns, output, output_row, targets, target_row, scores, score_row, delta):  # type: ignore[no-untyped-def]
            for row in range(rows):
                total = 0.0
                for column in range(columns):
                    y, target = output[row * output_row + column], targets[row * target_row + column]
                    total += value(y, target)
                    delta[row * output_row + column] = gradient(y, target)
                scores[row * score_row] = total
            return 1

        return _entry(rows_of, "iiririsir", dtype)


class ScalarActivation(Function):
    """A value and its slope, both functions of what a unit is given."""

    def __init__(self, value: Callable[..., Any], slope: Callable[..., Any]) -> None:
        super().__init__()
        self.value, self.slope = _scalar(value, "value", 1), _scalar(slope, "slope", 1)

    def _compile(self, dtype: str) -> Any:
        value, slope = self.value, self.slope

        def rows_of(rows, columns, source, source_row, output, output_row, _, with_slopes, slopes):  # type: ignore[no-untyped-def]
            for row in range(rows):
                for column in range(columns):
                    x = source[row * source_row + column]
                    if with_slopes:
                        slopes[row * output_row + column] = slope(x)
                    output[row * output_row + column] = value(x)
            return 1

        return _entry(rows_of, "iiririiir", dtype)


class BatchLoss(Function):
    """A function of whole batches, in Python: (targets, outputs) -> (a value a row, the gradient by the outputs)."""

    mean = False
    alone = True

    def __init__(self, function: Callable[[Array, Array], Any]) -> None:
        super().__init__()
        self.function = function

    def _compile(self, dtype: str) -> Any:
        real = np.dtype(dtype)
        own = weakref.ref(self)  # which whoever calls it keeps, as it keeps this

        def rows_of(
            rows: int,
            columns: int,
            output: int,
            output_row: int,
            targets: int,
            target_row: int,
            scores: int,
            score_row: int,
            delta: int,
        ) -> int:
            self = own()
            assert self is not None
            try:
                y = _memory(output, rows, columns, output_row, real)
                target = _memory(targets, rows, columns, target_row, real)
                values, gradient = self._results(target.copy(), y.copy())
                _memory(scores, rows, 1, score_row, np.dtype(np.float64))[:, 0] = values
                _memory(delta, rows, columns, output_row, real)[:] = gradient
            except BaseException as error:  # Ctrl-C too: raised again once the kernel has returned
                self.error = error
                return 0
            return 1

        return ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_int64] * 9)(rows_of)

    def _results(self, targets: Array, outputs: Array) -> tuple[Array, Array]:
        results = self.function(targets, outputs)
        if not (isinstance(results, tuple) and len(results) == 2):
            raise TypeError(
                f"loss got {type(results).__name__} from {name_of(self.function)}; wants (values, gradient)"
            )
        values, gradient = np.asarray(results[0]), np.asarray(results[1])
        for name, array, shape in (("values", values, outputs.shape[:1]), ("gradient", gradient, outputs.shape)):
            if array.shape != shape:
                raise ValueError(f"loss got {name} of shape {array.shape} from {name_of(self.function)}; wants {shape}")
        return values, gradient


def name_of(function: Callable[..., Any]) -> str:
    """What a function is called."""
    return str(getattr(function, "__name__", type(function).__name__))


def _scalar(function: Callable[..., Any], argument: str, count: int) -> Any:
    """The function as Numba's, compiled for numbers.

    Raises
    ------
    TypeError
        It is none, or Numba cannot compile it.
    """
    wanted = f"{count} number{'s' * (count > 1)}"
    if not callable(function):
        raise TypeError(f"{argument} got {function!r}; wants a function of {wanted}")
    numba = require("numba", "all")
    compiled: Any = function if hasattr(function, "py_func") else numba.njit(error_model="numpy")(function)
    kinds = (numba.float64,) * count
    try:
        compiled.compile(kinds)
        result = compiled.overloads[kinds].signature.return_type
    except (numba.core.errors.NumbaError, NotImplementedError) as error:
        raise TypeError(
            f"{argument} got {name_of(function)}, which Numba cannot compile for {wanted}: {error}"
        ) from error
    if not isinstance(result, numba.types.Number | numba.types.Boolean):
        raise TypeError(f"{argument} got {name_of(function)}, which returns {result}; wants one that returns a number")
    return compiled


def _entry(function: Callable[..., Any], arguments: str, dtype: str) -> Any:
    """Machine code of a function over rows; its arguments are integers, addresses of reals, and of scores."""
    numba = require("numba", "all")
    types = numba.types
    real = types.float32 if dtype == "float32" else types.float64
    kinds = {"i": types.int64, "r": types.CPointer(real), "s": types.CPointer(types.float64)}
    return numba.cfunc(types.int64(*[kinds[letter] for letter in arguments]), error_model="numpy")(function)


def _memory(address: int, rows: int, columns: int, stride: int, dtype: np.dtype[Any]) -> Array:
    """Rows at an address, ``stride`` values apart."""
    size = ((rows - 1) * stride + columns) * dtype.itemsize
    block: Any = (ctypes.c_char * size).from_address(address)
    return np.ndarray((rows, columns), dtype, block, 0, (stride * dtype.itemsize, dtype.itemsize))
