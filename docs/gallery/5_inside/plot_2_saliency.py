"""
Which pixels decide?
====================

The slope of the loss by each pixel says where a change would matter most. The first layer's bias adds to what its
kernel makes of the input, so one row's slope by the input is the kernel times the slope by the bias.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

import fastnn
from fastnn.layers import Dense

x, y = load_digits(return_X_y=True)
model = fastnn.Sequential([Dense(64, "gelu"), Dense(10, "softmax")], seed=0)
model.compile("adam", "sparse_categorical_crossentropy", dtype="float64")
model.fit(x / 16, y, epochs=20, verbose=0)

figure, axes = plt.subplots(2, 8, figsize=(11, 3.2), layout="constrained")
for column, digit in zip(axes.T, range(8), strict=True):
    row = np.flatnonzero(y == digit)[3]
    pixels = x[row : row + 1] / 16
    slope = model.layers[0].kernel @ model.gradients(pixels, y[row : row + 1])[0]["bias"]
    column[0].imshow(pixels.reshape(8, 8), cmap="gray_r")
    column[1].imshow(np.abs(slope).reshape(8, 8), cmap="cividis")
    column[0].set_title(f"a {digit}")
    for ax in column:
        ax.set(xticks=[], yticks=[])
axes[0, 0].set_ylabel("pixels")
axes[1, 0].set_ylabel("size of slope")
figure.suptitle("Bright: a change of this pixel changes the loss most")
plt.show()
