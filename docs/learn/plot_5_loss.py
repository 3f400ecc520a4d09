"""
5. The loss
===========

Training makes the loss small, so it has to be small for just those answers that are wanted. For classes it is the
negative log-likelihood, or cross-entropy; for numbers the mean squared error.
"""

import matplotlib.pyplot as plt
import numpy as np

import fastnn
from fastnn.layers import Dense

plt.style.use(["seaborn-v0_8-whitegrid", "seaborn-v0_8-colorblind"])

# %%
# What does an answer cost? A sigmoid alone is fed with log(p / (1 - p)), so that it answers p.

sigmoid = fastnn.Sequential([fastnn.Input((1,)), fastnn.layers.Activation("sigmoid")])
answers = np.array([0.99, 0.9, 0.5, 0.1, 0.01])  # probabilities of the right class
costs = {}
for loss in ("binary_crossentropy", "mse"):
    sigmoid.compile("sgd", loss, dtype="float64")
    costs[loss] = [float(sigmoid.evaluate([[np.log(p / (1 - p))]], [1.0], verbose=0)) for p in answers]
    print(f"{loss:20}", "  ".join(f"{cost:.4f}" for cost in costs[loss]))

# %%
# Confident mistakes cost most under cross-entropy. For numbers: where 1, 2, 3 are right, 1.1, 1.8, 3.6 cost
# (0.01 + 0.04 + 0.36) / 3.

identity = fastnn.Sequential([fastnn.Input((1,)), fastnn.layers.Activation("linear")])
identity.compile("sgd", "mse", dtype="float64")
print(f"{identity.evaluate([[1.1], [1.8], [3.6]], [1.0, 2.0, 3.0], verbose=0):.4f}")

# %%
# In training the loss falls, epoch by epoch. The loss that counts is that of the rows which were kept back.

rng = np.random.default_rng(0)
angle, y = rng.uniform(0, np.pi, 400), np.arange(400) % 2
x = np.column_stack([np.cos(angle), np.sin(angle)])
x[y == 1] = [1, 0.5] - x[y == 1]
x += rng.normal(0, 0.15, x.shape)
model = fastnn.Sequential([Dense(16, "tanh"), Dense(1, "sigmoid")], seed=0)
model.compile(fastnn.optimizers.Adam(0.02), "binary_crossentropy")
history = model.fit(x, y, epochs=60, validation_split=0.25, verbose=0)

figure, axes = plt.subplots(1, 3, figsize=(13, 4.2), layout="constrained")
fine = np.linspace(0.01, 1, 200)
axes[0].plot(fine, -np.log(fine), color="C0", linewidth=2, label=r"cross-entropy, $-\log p$")
axes[0].plot(fine, (1 - fine) ** 2, color="C2", linewidth=2, label="squared error, $(1 - p)^2$")
axes[0].plot(answers, costs["binary_crossentropy"], "o", color="C0")
axes[0].plot(answers, costs["mse"], "s", color="C2")
axes[0].set(title="What an answer costs", xlabel="p of the right class", ylabel="loss")
axes[0].legend(frameon=True)
history.plot(axes[1]).set_title("Two half moons: the loss falls")
fastnn.plot.decision_boundary(model, x, y, axes[2]).set_title("What has been learned")
plt.show()
