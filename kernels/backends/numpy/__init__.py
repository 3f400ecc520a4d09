"""The kernels in plain NumPy: what runs where nothing compiled can, and the baseline that benchmarks compare against.

Written as a competent NumPy user would write it, whole batches at a time; the arithmetic of activations, losses and
optimizers is the formulas' own text.  ``load`` gives the same entry as the compiled backends, reading the same records.
"""

from .run import load
from .shuffle import mixed, shuffled

__all__ = ["load", "mixed", "shuffled"]
