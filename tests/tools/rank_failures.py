"""A fit of several ranks, of which the last one fails in some way; it prints the cause, and where ranks are.

mpiexec -n 2 python tests/tools/rank_failures.py HOW
"""

import os
import signal
import sys

import numpy as np

import fastnn
from fastnn.distribution import DataParallel

HOW = sys.argv[1]
if HOW == "other set" and os.environ.get("OMPI_COMM_WORLD_RANK") == "1":
    os.environ["FASTNN_ISA"] = "baseline"
plan = DataParallel(timeout=2.0 if HOW == "hang" else 60.0)
last = plan.rank == plan.size - 1


class Fail(fastnn.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        if last and epoch == 1:
            if HOW == "raise":
                raise OSError("the disk is on fire")
            if HOW == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            if HOW == "hang":
                os.kill(os.getpid(), signal.SIGSTOP)
            if HOW == "exit":
                sys.exit(3)
            if HOW == "terminate":
                os.kill(os.getpid(), signal.SIGTERM)


x = np.random.default_rng(0).normal(size=(64, 5)).astype(np.float32)
y = (x[:, 0] > 0).astype(np.int64)
if HOW == "other data" and last:
    x = x + 1
if HOW == "nan" and last:
    x[3, 2] = np.nan
if HOW == "rows" and last:
    x, y = x[1:], y[1:]
if HOW == "shape" and last:
    y = y[1:]
units = 9 if HOW == "other layer" and last else 8
optimizer = "adam" if HOW == "other optimizer" and last else "sgd"
model = fastnn.Sequential([fastnn.layers.Dense(units, "relu"), fastnn.layers.Dense(2, "softmax")], seed=0)
dtype = "float64" if HOW == "other dtype" and last else "float32"
model.compile(optimizer, "sparse_categorical_crossentropy", distribution=plan, dtype=dtype)
history = model.fit(x, y, batch_size=16, epochs=4, verbose=0, callbacks=[Fail()])
print(f"rank {plan.rank} ended after {len(history.history['loss'])} epochs, interrupted: {history.interrupted}")
