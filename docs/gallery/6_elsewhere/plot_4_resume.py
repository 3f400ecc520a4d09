"""
Stopped and resumed
===================

``BackupAndRestore`` keeps the run in a folder. Here training breaks off at epoch 25; the same call goes on where it
was, and ends with the very weights of a run that was never stopped.
"""

import tempfile

import matplotlib.pyplot as plt
import numpy as np

import fastnn
from fastnn.layers import Dense

plt.style.use(["seaborn-v0_8-whitegrid", "seaborn-v0_8-colorblind"])
rng = np.random.default_rng(0)
x = rng.uniform(-2, 2, (400, 2))
y = np.sin(2 * x[:, 0]) * x[:, 1]


def new_model():
    """Make the model, as a program does that is started again."""
    model = fastnn.Sequential([fastnn.Input((2,)), Dense(32, "tanh"), Dense(1)], seed=0)
    model.compile(fastnn.optimizers.Adam(0.01), "mse")
    return model


def power_cut(epoch, logs):
    """End the 25th epoch with an error."""
    if epoch == 24:
        raise RuntimeError("power cut")


whole = new_model()
straight = whole.fit(x, y, epochs=60, verbose=0).history["loss"]
with tempfile.TemporaryDirectory() as folder:
    backup = fastnn.callbacks.BackupAndRestore(folder)
    try:
        new_model().fit(
            x, y, epochs=60, verbose=0, callbacks=[backup, fastnn.callbacks.LambdaCallback(on_epoch_end=power_cut)]
        )
    except RuntimeError as error:
        print(f"stopped: {error}")
    again = new_model()
    resumed = again.fit(x, y, epochs=60, verbose=0, callbacks=[fastnn.callbacks.BackupAndRestore(folder)])

same = all(np.array_equal(a, b) for a, b in zip(whole.get_weights(), again.get_weights(), strict=True))
print(f"the same weights, to the bit: {same}")

figure, ax = plt.subplots(figsize=(8.5, 4.2), layout="constrained")
ax.semilogy(range(1, 61), straight, color="0.75", linewidth=7, label="never stopped")
losses = resumed.history["loss"]
ax.semilogy(range(1, 26), losses[:25], color="C0", linewidth=2, label="until the power cut")
ax.semilogy(range(25, 61), losses[24:], color="C2", linewidth=2, linestyle="--", label="resumed")
ax.axvline(25, color="0.3", linewidth=1)
ax.set(title="A run in two parts", xlabel="epoch", ylabel="mean squared error")
ax.legend(frameon=True)
plt.show()
