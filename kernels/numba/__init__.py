"""The kernels through Numba: one by one, and as one function that is kept in a cache."""
