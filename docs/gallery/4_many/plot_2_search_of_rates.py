"""
A search over learning rates
============================

Sixty-four networks of one structure, each with a rate of its own, are trained at once, side by side in the lanes of
vectors. The answer takes less time than the question.
"""

import time

import matplotlib.pyplot as plt
import numpy as np

import fastnn
from fastnn.layers import Dense

plt.style.use(["seaborn-v0_8-whitegrid", "seaborn-v0_8-colorblind"])
rng = np.random.default_rng(0)
x = rng.uniform(-1, 1, (512, 2))
y = np.sin(3 * x[:, 0]) + x[:, 1] ** 2

rates = np.geomspace(1e-4, 1, 64)
model = fastnn.Sequential([fastnn.Input((2,)), Dense(16, "tanh"), Dense(16, "tanh"), Dense(1)], seed=0)
ensemble = fastnn.Ensemble(model, members=len(rates), seed=0)
ensemble.compile("adam", "mse", learning_rate=rates)
began = time.perf_counter()
losses = ensemble.fit(x, y, epochs=40, verbose=0).history["loss"]  # (members, epochs)
steps = losses.size * 512 // 32
print(f"{steps:,} training steps in {time.perf_counter() - began:.2f} s")

# %%
# Each curve is a member. Too low a rate does not arrive, too high a one jumps about.

figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.4), layout="constrained")
colours = plt.get_cmap("cividis")(np.linspace(0, 1, len(rates)))
for curve, colour in zip(losses, colours, strict=True):
    left.semilogy(range(1, 41), curve, color=colour, linewidth=1)
left.set(title="A curve a member", xlabel="epoch", ylabel="mean squared error")
right.scatter(rates, losses[:, -1], c=colours, s=35, edgecolor="0.3", linewidth=0.5)
best = np.argmin(losses[:, -1])
right.plot(rates[best], losses[best, -1], "*", color="C2", markersize=16, label=f"best rate: {rates[best]:.2g}")
right.set(xscale="log", yscale="log", title="After 40 epochs", xlabel="learning rate", ylabel="mean squared error")
right.legend(frameon=True)
plt.show()
