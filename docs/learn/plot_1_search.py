"""
1. A search for a function
==========================

A model is a family of functions; its parameters pick one of them. A loss says how badly that one fits the data. To
learn is to look for the parameters of the least loss. Here the family is every straight line.
"""

import matplotlib.pyplot as plt
import numpy as np

import fastnn

plt.style.use(["seaborn-v0_8-whitegrid", "seaborn-v0_8-colorblind"])
rng = np.random.default_rng(3)
x = rng.uniform(-1, 2, (40, 1))
y = 0.8 * x[:, 0] + 0.5 + rng.normal(0, 0.25, 40)

model = fastnn.Sequential([fastnn.Input((1,)), fastnn.layers.Dense(1)])
model.compile(fastnn.optimizers.SGD(0.15), "mse", dtype="float64")
model.set_weights([[[-1.0]], [-0.5]])  # a bad line to begin with

# %%
# Each step moves the weight w and the bias b a little downhill.

path = [np.ravel(np.concatenate([part.ravel() for part in model.get_weights()]))]
for _ in range(60):
    model.train_on_batch(x, y)
    path.append(np.concatenate([part.ravel() for part in model.get_weights()]))
for step in (0, 1, 5, 20, 60):
    w, b = path[step]
    print(f"after {step:2} steps: y = {w:7.4f} x + {b:7.4f}, loss {np.mean((w * x[:, 0] + b - y) ** 2):.4f}")

# %%
# On the left, lines; on the right, each line is a point, and the loss is the height of the ground.

figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.4), layout="constrained")
left.scatter(x, y, s=18, color="0.6")
for step, strength in zip((0, 1, 5, 20, 60), np.linspace(0.3, 1, 5), strict=True):
    w, b = path[step]
    left.plot([-1, 2], [b - w, b + 2 * w], color="C0", alpha=strength, linewidth=2, label=f"{step} steps")
left.set(title="Lines along the search", xlabel="x", ylabel="y")
left.legend(frameon=True)
fastnn.plot.descent(path, lambda p: float(np.mean((p[0] * x[:, 0] + p[1] - y) ** 2)), right)
right.set(title="The loss of every line, and the path", xlabel="w", ylabel="b")
plt.show()
