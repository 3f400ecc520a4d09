"""
The same bits on any number of threads
======================================

Sums in another order round otherwise, so in most libraries one thread and two give different weights. Here they are
equal to the last bit. The other seeds are there to show that this says something.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

import fastnn
from fastnn.layers import Dense

x, y = load_digits(return_X_y=True)


def trained(threads, seed):
    """Return all weights after ten epochs, as one array."""
    model = fastnn.Sequential([fastnn.Input((64,)), Dense(256, "relu"), Dense(10, "softmax")], seed=seed)
    model.compile("adam", "sparse_categorical_crossentropy", threads=threads)
    model.fit(x / 16, y, epochs=10, batch_size=128, verbose=0)
    return np.concatenate([array.ravel() for array in model.get_weights()])


runs = {
    f"{threads} thread{'s' * (threads > 1)}, seed {seed}": trained(threads, seed)
    for seed in (0, 1)
    for threads in (1, 2)
}
different = np.array([[np.mean(a != b) for a in runs.values()] for b in runs.values()])

figure, ax = plt.subplots(figsize=(6.8, 5), layout="constrained")
image = ax.imshow(different, cmap="cividis", vmin=0, vmax=1)
for (row, column), share in np.ndenumerate(different):
    ax.text(
        column, row, f"{share:.0%}", ha="center", va="center", color="white" if share < 0.5 else "black", fontsize=13
    )
ax.set_xticks(range(4), [name.replace(", ", "\n") for name in runs])
ax.set_yticks(range(4), [name.replace(", ", "\n") for name in runs])
ax.set_title("Weights that differ in any bit")
figure.colorbar(image, label="share of 19,210 weights")
plt.show()
