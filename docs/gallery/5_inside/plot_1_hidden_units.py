"""
What hidden units look for
==========================

A unit of the first layer has a weight for each pixel. Drawn as pictures, the weights show what it looks for: purple
pixels speak for it, orange ones against it.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

import fastnn
from fastnn.layers import Dense

x, y = load_digits(return_X_y=True)
penalty = fastnn.regularizers.L2(0.003)
model = fastnn.Sequential([Dense(32, "relu", kernel_regularizer=penalty), Dense(10, "softmax")], seed=0)
model.compile(fastnn.optimizers.Adam(0.003), "sparse_categorical_crossentropy")
model.fit(x / 16, y, epochs=40, verbose=0)

kernel = model.layers[0].kernel  # (64 pixels, 32 units)
strongest = np.abs(kernel).max()
figure, axes = plt.subplots(4, 8, figsize=(9, 5), layout="constrained")
for number, ax in enumerate(axes.flat):
    picture = kernel[:, number].reshape(8, 8)
    image = ax.imshow(picture, cmap="PuOr", vmin=-strongest, vmax=strongest)
    ax.set(xticks=[], yticks=[])
    ax.set_title(f"unit {number + 1}", fontsize=8, pad=2)
figure.colorbar(image, ax=axes, label="weight")
figure.suptitle("The first layer's weights, unit by unit")
plt.show()
