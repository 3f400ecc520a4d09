"""
4. Through a network
====================

In a fully connected network every neuron sees all outputs of the layer before it. It weighs them, adds its bias, and
applies its activation, here the sigmoid.
"""

import matplotlib.pyplot as plt
import numpy as np

import fastnn
from fastnn.layers import Dense

x = np.array([[1.0, -1.0], [0.0, 0.0]])
model = fastnn.Sequential([fastnn.Input((2,)), *(Dense(2, "sigmoid", name=f"layer {n}") for n in (1, 2, 3))])
model.compile(dtype="float64")

# %%
# fastnn's kernels are (inputs, units), so a neuron is a column. Here each neuron is a row, which ``.T``
# turns into a column.

neurons = [[[1, -2], [-1, 1]], [[2, -1], [-2, -1]], [[3, -1], [-1, 4]]]
biases = [[1, 0], [0, 0], [-2, 2]]
model.set_weights([part for w, b in zip(neurons, biases, strict=True) for part in (np.array(w, float).T, b)])

# %%
# The first neuron gets 1 * 1 + (-2) * (-1) + 1 = 4, and sigmoid(4) is 0.98. ``forward`` returns every layer's outputs.

for row, *layers in zip(x, *model.forward(x), strict=True):
    print(" -> ".join(f"({a:.2f}, {b:.2f})" for a, b in (row, *layers)))

figure, (left, right) = plt.subplots(1, 2, figsize=(12, 4.4), layout="constrained")
fastnn.plot.network(model, left, x[0]).set_title("Fed with (1, -1)")
fastnn.plot.activations(model, x, right).set_title("Activations of both inputs")
plt.show()
