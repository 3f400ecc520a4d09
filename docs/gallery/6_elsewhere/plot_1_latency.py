"""
In a hurry: one row at a time
=============================

A control loop asks for one row, again and again. ``predictor`` prepares once; the rest is the network. Beside it, the
same products in NumPy.
"""

import time

import matplotlib.pyplot as plt
import numpy as np

import fastnn
from fastnn.layers import Dense

plt.style.use(["seaborn-v0_8-whitegrid", "seaborn-v0_8-colorblind"])
model = fastnn.Sequential([fastnn.Input((8,)), Dense(32, "tanh"), Dense(32, "tanh"), Dense(2)], seed=0)
weights = model.get_weights()
row = np.random.default_rng(0).normal(size=(1, 8)).astype("float32")


def in_numpy(x):
    """Predict with NumPy: three products, two activations."""
    for kernel, bias in zip(weights[:4:2], weights[1:4:2], strict=True):
        x = np.tanh(x @ kernel + bias)
    return x @ weights[4] + weights[5]


ask = model.predictor()
print(np.abs(ask(row[0]) - in_numpy(row)[0]).max() < 1e-5)


def times(function, x):
    """Call 3,000 times, and return microseconds a call."""
    found = []
    for _ in range(3000):
        began = time.perf_counter_ns()
        function(x)
        found.append((time.perf_counter_ns() - began) / 1000)
    return np.array(found)


figure, ax = plt.subplots(figsize=(8.5, 4.2), layout="constrained")
bins = np.geomspace(0.5, 300, 90)
for name, function, x in (("predictor()", ask, row[0]), ("NumPy", in_numpy, row)):
    found = times(function, x)
    ax.hist(found, bins, alpha=0.75, label=f"{name}: median {np.median(found):.1f} µs")
ax.set(xscale="log", title="A row through 8-32-32-2, where this page was built", xlabel="microseconds", ylabel="calls")
ax.legend(frameon=True)
plt.show()
