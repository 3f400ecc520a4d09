"""The kernels: Numba functions, a subject a file."""
