"""
Into C, in eight bits
=====================

``export`` writes a network as C99. With ``dtype="int8"`` the weights take a quarter of the room. How much is lost can
be seen beforehand: here, the size of the error for more and more hidden units.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import fastnn
from fastnn.layers import Dense

plt.style.use(["seaborn-v0_8-whitegrid", "seaborn-v0_8-colorblind"])
rng = np.random.default_rng(0)
x = rng.normal(size=(1500, 2))
y = (np.hypot(x[:, 0], x[:, 1]) > 1).astype(int)

units, flash, agreement = [4, 8, 16, 32, 64], {"float32": [], "int8": []}, []
for hidden in units:
    model = fastnn.Sequential([Dense(hidden, "relu"), Dense(hidden, "relu"), Dense(2, "softmax")], seed=0)
    model.compile(fastnn.optimizers.Adam(0.005), "sparse_categorical_crossentropy")
    model.fit(x, y, epochs=30, verbose=0)
    with tempfile.TemporaryDirectory() as folder:
        whole = model.export(Path(folder) / "ring.c")
        small = model.export(Path(folder) / "small.c", dtype="int8", calibration=x[:300])
    flash["float32"].append(whole.flash)
    flash["int8"].append(small.flash)
    agreement.append((small.rms_error, small.agreement))

# %%
# The report of an export says what it takes and what it costs.

figure, (left, right) = plt.subplots(1, 2, figsize=(10.5, 4.2), layout="constrained")
for (name, sizes), marker in zip(flash.items(), "os", strict=True):
    left.loglog(units, sizes, f"{marker}-", linewidth=2, markersize=8, label=name)
left.set(title="Room for the constants", xlabel="units of both hidden layers", ylabel="bytes")
left.legend(frameon=True)
left.set_xticks(units, [str(hidden) for hidden in units])
left.minorticks_off()
errors, same = np.array(agreement).T
bars = right.bar([str(hidden) for hidden in units], errors, color="C1", width=0.6)
right.bar_label(bars, [f"{share:.1%}" for share in same], padding=3)
right.set(title="Error of int8 (above: the same class)", xlabel="units of both hidden layers", ylabel="rms error")
right.margins(y=0.15)
plt.show()
