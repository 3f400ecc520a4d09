"""
Two moons
=========

A network with one hidden layer bends the border between two classes. Logistic regression, which is the same network
without a hidden layer, can only draw a line.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import make_moons

import fastnn
from fastnn.layers import Dense

x, y = make_moons(300, noise=0.2, random_state=0)

line = fastnn.Sequential([Dense(1, "sigmoid")], seed=0)
network = fastnn.Sequential([Dense(16, "tanh"), Dense(1, "sigmoid")], seed=0)
for model in (line, network):
    model.compile(fastnn.optimizers.Adam(0.03), "binary_crossentropy", metrics=["accuracy"])
    model.fit(x, y, epochs=150, verbose=0)

# %%
# A point on the other colour is a mistake. The shade is paler where a model is less sure.

figure, axes = plt.subplots(1, 2, figsize=(10, 4.2), layout="constrained")
for model, name, ax in zip((line, network), ("No hidden layer", "16 hidden units"), axes, strict=True):
    fastnn.plot.decision_boundary(model, x, y, ax)
    _, accuracy = model.evaluate(x, y, verbose=0)
    ax.set_title(f"{name}: {accuracy:.0%} right")
plt.show()
