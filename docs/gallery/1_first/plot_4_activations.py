"""
One curve, six activations
==========================

The same network learns the same noisy points with six activations. What lies beyond the data shows how each one is
made: relu goes on in straight lines, tanh levels off.
"""

import matplotlib.pyplot as plt
import numpy as np

import fastnn
from fastnn.layers import Dense

plt.style.use(["seaborn-v0_8-whitegrid", "seaborn-v0_8-colorblind"])
rng = np.random.default_rng(0)
x = rng.uniform(-2, 2, (80, 1))
y = np.sin(3 * x) * np.exp(-0.3 * x) + rng.normal(0, 0.1, x.shape)
wide = np.linspace(-3.5, 3.5, 300)[:, np.newaxis]

figure, axes = plt.subplots(2, 3, figsize=(11, 5.6), sharex=True, sharey=True, layout="constrained")
for ax, activation in zip(axes.flat, ("relu", "elu", "gelu", "tanh", "sigmoid", "softsign"), strict=True):
    model = fastnn.Sequential([Dense(32, activation), Dense(32, activation), Dense(1)], seed=1)
    model.compile(fastnn.optimizers.Adam(0.01), "mse")
    loss = model.fit(x, y, epochs=400, batch_size=20, verbose=0).history["loss"][-1]
    ax.axvspan(-2, 2, color="0.93")
    ax.scatter(x, y, s=12, color="0.5", zorder=2)
    ax.plot(wide, model.predict(wide), color="C0", linewidth=2.2, zorder=3)
    ax.set(title=f"{activation}, loss {loss:.3f}", ylim=(-3, 3))
figure.supxlabel("x (grey: where there are data)")
figure.supylabel("y")
plt.show()
