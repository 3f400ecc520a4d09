"""
Early stopping
==============

The loss on rows that are kept back falls, and then rises, while the training loss goes on falling. ``EarlyStopping``
stops there and gives back the weights of the best epoch.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.preprocessing import StandardScaler

import fastnn
from fastnn.layers import Dense

plt.style.use(["seaborn-v0_8-whitegrid", "seaborn-v0_8-colorblind"])
x, y = load_breast_cancer(return_X_y=True)
x = StandardScaler().fit_transform(x)


def trained(epochs, callbacks):
    """Train from the same first weights, on the same rows, and return the losses."""
    model = fastnn.Sequential([Dense(64, "relu"), Dense(64, "relu"), Dense(1, "sigmoid")], seed=0)
    model.compile(fastnn.optimizers.Adam(0.003), "binary_crossentropy")
    return model.fit(x, y, epochs=epochs, validation_split=0.5, callbacks=callbacks, verbose=0).history


whole = trained(80, [])
stopped = trained(80, [fastnn.callbacks.EarlyStopping(patience=10, restore_best_weights=True)])

# %%
# The second run is the first one's beginning, to the bit.

print(stopped["val_loss"] == whole["val_loss"][: len(stopped["val_loss"])])

best = int(np.argmin(stopped["val_loss"])) + 1
figure, ax = plt.subplots(figsize=(8, 4.4), layout="constrained")
ax.plot(range(1, 81), whole["loss"], color="C0", linewidth=2, label="training")
ax.plot(range(1, 81), whole["val_loss"], color="C2", linewidth=2, label="kept back")
ax.axvline(len(stopped["loss"]), color="0.4", linestyle="--", label=f"stopped after {len(stopped['loss'])} epochs")
ax.plot(best, whole["val_loss"][best - 1], "*", color="0.1", markersize=15, label=f"best epoch, {best}")
ax.set(title="When to stop", xlabel="epoch", ylabel="cross-entropy", ylim=(0, 0.35))
ax.legend(frameon=True)
plt.show()
