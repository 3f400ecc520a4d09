"""
Rare classes
============

One row in twenty-five is of the rare class. ``class_weight`` makes each of them count for more: the network finds more
of them, and raises more false alarms.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.metrics import precision_score, recall_score

import fastnn
from fastnn.layers import Dense

rng = np.random.default_rng(0)
common = rng.normal(0, 1, (960, 2))
rare = rng.normal([1.6, 1.2], 0.55, (40, 2))
x, y = np.concatenate([common, rare]), np.repeat([0, 1], [960, 40])

figure, axes = plt.subplots(1, 3, figsize=(13, 4.2), layout="constrained")
for ax, weight in zip(axes, (1, 5, 25), strict=True):
    model = fastnn.Sequential([Dense(16, "tanh"), Dense(1, "sigmoid")], seed=0)
    model.compile(fastnn.optimizers.Adam(0.01), "binary_crossentropy")
    model.fit(x, y, epochs=60, class_weight={0: 1, 1: weight}, verbose=0)
    said = model.predict(x)[:, 0] > 0.5
    fastnn.plot.decision_boundary(model, x, y, ax)
    precision, recall = precision_score(y, said, zero_division=0), recall_score(y, said)
    ax.set_title(f"weight {weight}: finds {recall:.0%}, {precision:.0%} of alarms true")
plt.show()
