"""
A callback that watches the weights
===================================

``fit`` calls a callback at the end of each epoch. This one keeps each layer's weights, and the picture shows how far
they have moved from where they began.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

import fastnn
from fastnn.layers import Dense

plt.style.use(["seaborn-v0_8-whitegrid", "seaborn-v0_8-colorblind"])


class Watch(fastnn.Callback):
    """Keep the distance of each kernel from where it began, relative to its size then."""

    def on_train_begin(self, logs=None):
        self.first = [layer.kernel.copy() for layer in self.model.layers]
        self.moved = []

    def on_epoch_end(self, epoch, logs=None):
        pairs = zip(self.model.layers, self.first, strict=True)
        self.moved.append([np.linalg.norm(layer.kernel - first) / np.linalg.norm(first) for layer, first in pairs])


x, y = load_digits(return_X_y=True)
watch = Watch()
layers = [Dense(64, "relu", name="first"), Dense(64, "relu", name="second"), Dense(10, "softmax", name="last")]
model = fastnn.Sequential([fastnn.Input((64,)), *layers], seed=0)
model.compile("adam", "sparse_categorical_crossentropy")
model.fit(x / 16, y, epochs=40, callbacks=[watch], verbose=0)

figure, ax = plt.subplots(figsize=(8, 4.4), layout="constrained")
for layer, curve, style in zip(model.layers, np.array(watch.moved).T, ("-", "--", "-."), strict=True):
    ax.plot(range(1, 41), curve, style, linewidth=2.2, label=f"{layer.name} layer")
ax.set(title="How far the weights have moved", xlabel="epoch", ylabel="distance, relative to the first weights")
ax.legend(frameon=True)
plt.show()
