"""
An error band over a gap
========================

Thirty networks, each with first weights of its own and rows drawn with replacement, agree where there are data, and go
apart where there are none. Their spread is an error bar.
"""

import matplotlib.pyplot as plt
import numpy as np

import fastnn
from fastnn.layers import Dense

plt.style.use(["seaborn-v0_8-whitegrid", "seaborn-v0_8-colorblind"])
rng = np.random.default_rng(0)
x = np.concatenate([rng.uniform(-4, -1, 60), rng.uniform(1.2, 4, 60)])[:, np.newaxis]
y = np.sin(x) + rng.normal(0, 0.15, x.shape)

wide = fastnn.initializers.RandomNormal(stddev=1.5)
model = fastnn.Sequential([fastnn.Input((1,)), Dense(64, "tanh", kernel_initializer=wide), Dense(1)])
ensemble = fastnn.Ensemble(model, members=30, seed=0)
ensemble.compile("adam", "mse", learning_rate=0.02)
ensemble.fit(x, y, epochs=300, bootstrap=True)

# %%
# ``predict`` gives every member's answer, ``predict_mean_std`` their mean and spread.

fine = np.linspace(-5, 5, 300)[:, np.newaxis]
mean, spread = (values[:, 0] for values in ensemble.predict_mean_std(fine))

figure, ax = plt.subplots(figsize=(9, 4.6), layout="constrained")
ax.fill_between(fine[:, 0], mean - 2 * spread, mean + 2 * spread, color="C0", alpha=0.25, label="two deviations")
ax.plot(fine, ensemble.predict(fine)[:, :, 0].T, color="C0", alpha=0.25, linewidth=0.7)
ax.plot(fine, mean, color="C0", linewidth=2.5, label="mean of 30 networks")
ax.plot(fine, np.sin(fine), color="0.3", linestyle="--", label="truth")
ax.scatter(x, y, s=16, color="C2", zorder=3, label="data")
ax.set(title="It knows what it does not know", xlabel="x", ylabel="y", ylim=(-3, 3))
ax.legend(frameon=True, ncols=2, loc="upper left")
plt.show()
