"""
Two spirals
===========

The classic hard case: two arms that wind around each other. Watch the border form while one network trains.
"""

import matplotlib.pyplot as plt
import numpy as np

import fastnn
from fastnn.layers import Dense

rng = np.random.default_rng(0)
turn = np.sqrt(rng.uniform(0.02, 1, 400)) * 3 * np.pi
arm = np.column_stack([turn * np.cos(turn), turn * np.sin(turn)]) / 3
y = np.arange(400) % 2
x = np.where(y[:, np.newaxis] == 1, -arm, arm) + rng.normal(0, 0.06, (400, 2))

model = fastnn.Sequential([Dense(64, "relu"), Dense(64, "relu"), Dense(1, "sigmoid")], seed=0)
model.compile(fastnn.optimizers.Adam(0.005), "binary_crossentropy", metrics=["accuracy"])

# %%
# ``fit`` goes on from where the last one ended, so a loop can look in between.

figure, axes = plt.subplots(1, 3, figsize=(12, 4), layout="constrained")
done = 0
for ax, epochs in zip(axes, (10, 60, 400), strict=True):
    history = model.fit(x, y, epochs=epochs, initial_epoch=done, verbose=0)
    done = epochs
    fastnn.plot.decision_boundary(model, x, y, ax)
    ax.set_title(f"{epochs} epochs: {history.history['accuracy'][-1]:.0%} right")
    ax.get_legend().remove()
plt.show()
