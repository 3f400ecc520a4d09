"""Memory behind whose end nothing can be read."""

import ctypes
import mmap
import os

import numpy as np


class Guarded:
    """Memory at whose end a page begins that cannot be read."""

    def __init__(self, size):
        self.pages = -(-size // mmap.PAGESIZE)
        self.map = mmap.mmap(-1, (self.pages + 1) * mmap.PAGESIZE)
        self.start = ctypes.addressof(ctypes.c_char.from_buffer(self.map))
        self.end = self.start + self.pages * mmap.PAGESIZE
        libc = ctypes.CDLL(None, use_errno=True)
        for function in (libc.mprotect,):
            function.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
        assert libc.mprotect(self.end, mmap.PAGESIZE, 0) == 0, os.strerror(ctypes.get_errno())

    def array(self, values):
        """A copy of the values in C order, of which the last one ends where the page begins."""
        values = np.ascontiguousarray(values)
        view = (ctypes.c_char * values.nbytes).from_address(self.end - values.nbytes)
        array = np.frombuffer(view, values.dtype).reshape(values.shape)
        array[:] = values
        return array
