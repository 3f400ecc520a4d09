"""Rendering: the kernels' source, read as text, becomes functions of one small language, for Numba and for Cython.

Standard library only: setup.py renders before anything is installed.
"""
