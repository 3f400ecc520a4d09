"""
2. The most likely parameter
============================

Five balls are drawn from a bag: three blue, two yellow. Which probability p of blue makes this draw most likely? The
likelihood is :math:`L(p) = p^3 (1 - p)^2`, and the slope of its logarithm, :math:`3/p - 2/(1 - p)`, is 0 at 3/5.
"""

import matplotlib.pyplot as plt
import numpy as np

import fastnn

plt.style.use(["seaborn-v0_8-whitegrid", "seaborn-v0_8-colorblind"])
x, balls = np.zeros((5, 1)), np.array([1, 1, 1, 0, 0])

# %%
# As a network this is one neuron with nothing but a bias, p = sigmoid(b). Its loss, binary cross-entropy, is
# -log L / 5, so the least loss is the greatest likelihood.

model = fastnn.Sequential([fastnn.Input((1,)), fastnn.layers.Dense(1, "sigmoid")])
model.compile(fastnn.optimizers.SGD(1.0), "binary_crossentropy", dtype="float64")
model.set_weights([[[0.0]], [np.log(0.1 / 0.9)]])  # p = 0.1
path = [0.1]
for _ in range(60):
    model.train_on_batch(x, balls)
    path.append(float(model.predict(x[:1])[0, 0]))
print(f"p after 5 steps {path[5]:.4f}, after 60 steps {path[-1]:.6f}")
print(f"slope of the loss there: {abs(model.gradients(x, balls)[0]['bias'][0]):.6f}")

# %%
# With inputs, p = sigmoid(b + w1 x1 + w2 x2 + ...), this is logistic regression. The sigmoid lies between 0 and 1, and
# is above one half exactly where its input is above 0.

z = np.linspace(-6, 6, 200)[:, np.newaxis]
neuron = fastnn.Sequential([fastnn.Input((1,)), fastnn.layers.Activation("sigmoid")])
figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.4), layout="constrained")
fastnn.plot.likelihood(balls, path, left).set_title("Three blue balls, two yellow")
right.plot(z, neuron.predict(z), color="C0", linewidth=2.5)
right.axhline(0.5, color="0.3", linestyle="--", linewidth=1)
right.axvline(0, color="0.3", linestyle="--", linewidth=1)
right.set(title="The sigmoid", xlabel="z", ylabel="sigmoid(z)")
plt.show()
