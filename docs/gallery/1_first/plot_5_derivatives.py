"""
A pendulum's energy, and its derivative
=======================================

A network learns the energy of a pendulum from samples. Does it know the force too, which is minus the slope of the
energy? Central differences of its predictions, in float64, say so.
"""

import matplotlib.pyplot as plt
import numpy as np

import fastnn
from fastnn.layers import Dense

plt.style.use(["seaborn-v0_8-whitegrid", "seaborn-v0_8-colorblind"])
angle = np.linspace(-np.pi, np.pi, 60)[:, np.newaxis]
energy = 1 - np.cos(angle)

model = fastnn.Sequential([Dense(16, "tanh"), Dense(1)], seed=0)
model.compile(fastnn.optimizers.LBFGS(), "mse", dtype="float64")
model.fit(angle, energy, epochs=300, verbose=0)

# %%
# tanh is smooth, so the network's slope is smooth as well.

fine, step = np.linspace(-4.2, 4.2, 400)[:, np.newaxis], 1e-4
force = -(model.predict(fine + step) - model.predict(fine - step)) / (2 * step)
inside = np.abs(fine) < np.pi
print(f"largest error of the force between -pi and pi: {np.abs(force + np.sin(fine))[inside].max():.4f}")

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
left.plot(angle, energy, "o", color="0.6", markersize=5, label="samples")
left.plot(fine, model.predict(fine), color="C0", linewidth=2, label="network")
left.set(title="Learned: the energy", xlabel="angle (radians)", ylabel="energy")
right.plot(fine, -np.sin(fine), color="0.6", linewidth=5, label=r"exact, $-\sin$")
right.plot(fine, force, color="C2", linewidth=2, label="from the network")
right.set(title="Not shown to it: the force", xlabel="angle (radians)", ylabel="force")
for ax in (left, right):
    ax.axvspan(-np.pi, np.pi, color="0.93", zorder=0)
    ax.legend(frameon=True)
plt.show()
