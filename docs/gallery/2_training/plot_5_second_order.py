"""
L-BFGS against Adam
===================

On a small smooth problem a method that knows of curvature goes far below what Adam reaches, in the same number of
passes over the data.
"""

import matplotlib.pyplot as plt
import numpy as np

import fastnn
from fastnn.layers import Dense

plt.style.use(["seaborn-v0_8-whitegrid", "seaborn-v0_8-colorblind"])
x = np.linspace(-1, 1, 100)[:, np.newaxis]
y = np.sin(5 * x) + 0.3 * np.cos(11 * x)

figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
right.plot(x, y, color="0.75", linewidth=6, label="wanted")
for optimizer, name, style in (
    (fastnn.optimizers.Adam(0.01), "Adam", "--"),
    (fastnn.optimizers.LBFGS(), "L-BFGS", "-"),
):
    model = fastnn.Sequential([Dense(16, "tanh"), Dense(1)], seed=0)
    model.compile(optimizer, "mse", dtype="float64")
    losses = model.fit(x, y, batch_size=100, epochs=600, verbose=0).history["loss"]
    left.loglog(range(1, len(losses) + 1), losses, style, linewidth=2, label=f"{name}: {losses[-1]:.1e}")
    right.plot(x, model.predict(x), style, linewidth=2, label=name)
left.set(title="The loss", xlabel="pass over all rows", ylabel="mean squared error")
right.set(title="What each has learned", xlabel="x", ylabel="y")
for ax in (left, right):
    ax.legend(frameon=True)
plt.show()
