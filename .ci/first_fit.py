"""Seconds from nothing to the end of the first fit, of each backend that is named: a wheel's first try."""

import sys
import time

begin = time.perf_counter()
import numpy as np  # noqa: E402

import fastnn  # noqa: E402

imported = time.perf_counter()
rng = np.random.default_rng(0)
x = rng.normal(size=(1000, 20))
y = x @ rng.normal(size=(20, 1))

for backend in sys.argv[1:] or [None]:
    start = time.perf_counter()
    model = fastnn.Sequential(
        [fastnn.layers.Input((20,)), fastnn.layers.Dense(32, "relu"), fastnn.layers.Dense(1)], seed=0
    )
    model.compile("adam", "mse", **({"backend": backend} if backend else {}))
    losses = model.fit(x, y, epochs=20, verbose=0).history["loss"]
    assert losses[-1] < 0.5 * losses[0], losses
    took = time.perf_counter() - start
    print(f"{backend or 'default'}: import {imported - begin:.2f} s, first fit {took:.2f} s, loss {losses[-1]:.3g}")
