"""
Learning-rate schedules
=======================

A high rate moves fast, a low one settles. A schedule has both: here are four, and what they do to the loss of a noisy
regression.
"""

import matplotlib.pyplot as plt
import numpy as np

import fastnn
from fastnn.layers import Dense
from fastnn.schedules import CosineDecay, ExponentialDecay, OneCycle

plt.style.use(["seaborn-v0_8-whitegrid", "seaborn-v0_8-colorblind"])
rng = np.random.default_rng(0)
x = rng.uniform(-2, 2, (640, 2))
y = np.sin(2 * x[:, 0]) * np.cos(1.5 * x[:, 1]) + rng.normal(0, 0.1, 640)

EPOCHS, STEPS = 60, 60 * 20  # batches of 32
schedules = {
    "constant": 0.02,
    "exponential": ExponentialDecay(0.02, decay_steps=STEPS // 4, decay_rate=0.4),
    "cosine": CosineDecay(0.02, decay_steps=STEPS),
    "one cycle": OneCycle(0.03, STEPS),
}

figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
for (name, rate), style in zip(schedules.items(), ("-", "--", "-", "-."), strict=True):
    model = fastnn.Sequential([Dense(48, "relu"), Dense(48, "relu"), Dense(1)], seed=0)
    model.compile(fastnn.optimizers.Adam(rate), "mse")
    losses = model.fit(x, y, epochs=EPOCHS, verbose=0).history["loss"]
    steps = np.arange(STEPS)
    left.plot(steps, np.full(STEPS, rate) if name == "constant" else rate(steps), style, linewidth=2, label=name)
    right.semilogy(range(1, EPOCHS + 1), losses, style, linewidth=2, label=name)
left.set(title="The rate", xlabel="step", ylabel="learning rate")
right.set(title="The loss", xlabel="epoch", ylabel="mean squared error (log scale)")
right.legend(frameon=True)
plt.show()
