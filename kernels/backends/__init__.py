"""The backends: each module's ``load`` gives the kernels' entry for a dtype, ``run(layers, job, thread)``."""
