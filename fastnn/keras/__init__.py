"""Models as files of Keras 3, out and in, by h5py alone (extra ``keras``): Keras itself is not needed.

`load` reads a .keras file and `export` writes one, with the optimizer's state; `load_weights` and `save_weights` do so
with .weights.h5, and the first reads the older .h5 too.  No code of a file is run: what is not of Keras's own is
refused by its name.  docs/keras-files.md says what travels.
"""

from fastnn.names import publish
from .files import export, load, load_weights, save_weights

__all__ = ["export", "load", "load_weights", "save_weights"]

publish(__name__)
