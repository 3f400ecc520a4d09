"""What the environment said when fastnn was imported."""

from __future__ import annotations

import os

OMP_NUM_THREADS = os.environ.get("OMP_NUM_THREADS", "")
"""How many threads OpenMP's libraries may have.  They read it once, and so do we: Dask's LocalCluster sets it for its
workers, and leaves it behind in the process that starts them, whose own fits are to have all threads."""
