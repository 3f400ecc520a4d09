"""The compiled kernels of fastnn: one source, rendered for Numba and for Cython, and a plain-NumPy twin."""

if __name__ != "fastnn.kernels":
    raise ImportError(f"this folder is installed as fastnn.kernels; it cannot be imported as {__name__!r}")
