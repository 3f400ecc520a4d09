"""
Penalties and dropout
=====================

Thirty noisy points and a network with almost 17,000 weights: left alone, it learns the noise. Three ways to
stop it.
"""

import matplotlib.pyplot as plt
import numpy as np

import fastnn
from fastnn.layers import Dense, Dropout

plt.style.use(["seaborn-v0_8-whitegrid", "seaborn-v0_8-colorblind"])
rng = np.random.default_rng(2)
x = np.sort(rng.uniform(-1, 1, (30, 1)), axis=0)
y = np.sin(4 * x) + rng.normal(0, 0.4, x.shape)
fine = np.linspace(-1, 1, 300)[:, np.newaxis]
penalty = fastnn.regularizers.L2(0.01)

networks = {
    "nothing": [Dense(128, "relu"), Dense(128, "relu"), Dense(1)],
    "L2 penalty of 0.01": [Dense(128, "relu", kernel_regularizer=penalty) for _ in range(2)] + [Dense(1)],
    "dropout of 0.2": [Dense(128, "relu"), Dropout(0.2), Dense(128, "relu"), Dropout(0.2), Dense(1)],
    "noise on the input": [fastnn.layers.GaussianNoise(0.15), Dense(128, "relu"), Dense(128, "relu"), Dense(1)],
}

figure, axes = plt.subplots(2, 2, figsize=(10, 6), sharex=True, sharey=True, layout="constrained")
for ax, (name, layers) in zip(axes.flat, networks.items(), strict=True):
    model = fastnn.Sequential(layers, seed=0)
    model.compile(fastnn.optimizers.Adam(0.005), "mse")
    model.fit(x, y, batch_size=30, epochs=2500, verbose=0)
    error = np.sqrt(np.mean((model.predict(fine) - np.sin(4 * fine)) ** 2))
    ax.plot(fine, np.sin(4 * fine), color="0.7", linewidth=5, label="truth")
    ax.scatter(x, y, s=18, color="0.35", label="data", zorder=3)
    ax.plot(fine, model.predict(fine), color="C2", linewidth=2, label="network")
    ax.set(title=f"{name}: {error:.2f} from the truth", ylim=(-1.9, 1.9))
axes[0, 0].legend(frameon=True)
figure.supxlabel("x")
figure.supylabel("y")
plt.show()
