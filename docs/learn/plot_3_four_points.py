"""
3. Why a network: four points
=============================

One neuron divides the plane by a line. The points (0, 0) and (1, 1) are of one class, (0, 1) and (1, 0) of the other,
and no line divides them: three of four is the most that one neuron could get right.
"""

import matplotlib.pyplot as plt
import numpy as np

import fastnn
from fastnn.layers import Dense

points, classes = np.array([[0.0, 0], [1, 1], [0, 1], [1, 0]]), np.array([0, 0, 1, 1])


def trained(hidden, seed):
    """Train a network with so many hidden sigmoid units, or none."""
    layers = [Dense(units, "sigmoid") for units in (hidden, 1) if units]
    model = fastnn.Sequential([fastnn.Input((2,)), *layers], seed=seed)
    model.compile(fastnn.optimizers.Adam(0.1), "binary_crossentropy", metrics=["accuracy"], dtype="float64")
    model.fit(points, classes, batch_size=4, epochs=500, verbose=0)
    return model


# %%
# Two more neurons move the points to where a line divides them:
# z1 = sigmoid(-2 x1 + 2 x2 - 1) and z2 = sigmoid(2 x1 - 2 x2 - 1).

hidden = fastnn.Sequential([fastnn.Input((2,)), Dense(2, "sigmoid")])
hidden.compile(dtype="float64")
hidden.set_weights([[[-2.0, 2.0], [2.0, -2.0]], [-1.0, -1.0]])
moved = hidden.predict(points)
for point, z in zip(points, moved, strict=True):
    print(f"({point[0]:g}, {point[1]:g}) -> ({z[0]:.2f}, {z[1]:.2f})")
last = fastnn.Sequential([fastnn.Input((2,)), Dense(1, "sigmoid")])
last.set_weights([[[10.0], [10.0]], [-6.5]])

# %%
# Nobody needs to choose them: training finds such neurons from the data, though not from every start.

networks = [trained(2, seed) for seed in range(10)]
right = [model.evaluate(points, classes, verbose=0)[1] == 1 for model in networks]
print(f"{sum(right)} of 10 starts learn all four points")
best = min(networks, key=lambda model: model.evaluate(points, classes, verbose=0)[0])

figure, axes = plt.subplots(1, 3, figsize=(13, 4.2), layout="constrained")
fastnn.plot.decision_boundary(trained(0, 0), points, classes, axes[0]).set_title("One neuron: a line")
fastnn.plot.decision_boundary(last, moved, classes, axes[1])
axes[1].set(title="The points, moved by two neurons", xlabel="$z_1$", ylabel="$z_2$")
fastnn.plot.decision_boundary(best, points, classes, axes[2]).set_title("A network of 2-2-1, learned")
plt.show()
