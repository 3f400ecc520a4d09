"""
Quantiles: how far off may it be?
=================================

The pinball loss of level 0.9 is least where nine of ten values lie below. Three networks, of the levels 0.1, 0.5 and
0.9, give a band that is as wide as the data are.
"""

import matplotlib.pyplot as plt
import numpy as np

import fastnn
from fastnn.layers import Dense

plt.style.use(["seaborn-v0_8-whitegrid", "seaborn-v0_8-colorblind"])
rng = np.random.default_rng(0)
x = rng.uniform(0, 10, (1500, 1))
y = np.sin(x) + rng.normal(0, 0.05 + 0.08 * x)
fine = np.linspace(0, 10, 300)[:, np.newaxis]

bands = {}
for level in (0.1, 0.5, 0.9):
    model = fastnn.Sequential([fastnn.layers.Normalization(), Dense(32, "gelu"), Dense(32, "gelu"), Dense(1)], seed=0)
    model.layers[0].adapt(x)
    model.compile(fastnn.optimizers.Adam(0.003), fastnn.losses.Quantile(level))
    model.fit(x, y, batch_size=64, epochs=300, verbose=0)
    bands[level] = model.predict(fine)[:, 0]
    print(f"level {level}: {np.mean(y < model.predict(x)):.0%} of the points lie below")

figure, ax = plt.subplots(figsize=(8.5, 4.4), layout="constrained")
ax.scatter(x, y, s=5, color="0.6", label="data")
ax.fill_between(fine[:, 0], bands[0.1], bands[0.9], color="C0", alpha=0.3, label="from 10% to 90%")
ax.plot(fine, bands[0.5], color="C0", linewidth=2, label="median")
ax.set(title="The spread is learned, too", xlabel="x", ylabel="y")
ax.legend(frameon=True, loc="lower left")
plt.show()
