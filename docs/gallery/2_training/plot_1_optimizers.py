"""
Optimizers compared
===================

The same network, the same first weights, the same batches of digits: only the optimizer differs. Rates are one each,
taken from what is usual; a search would move the curves.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits

import fastnn
from fastnn.layers import Dense
from fastnn.optimizers import SGD, Adam, Lion, Nadam, RMSprop

plt.style.use(["seaborn-v0_8-whitegrid", "seaborn-v0_8-colorblind"])
x, y = load_digits(return_X_y=True)
optimizers = {
    "SGD(0.05)": SGD(0.05),
    "SGD(0.05, momentum=0.9)": SGD(0.05, momentum=0.9),
    "RMSprop(0.001)": RMSprop(0.001),
    "Adam(0.001)": Adam(0.001),
    "Nadam(0.001)": Nadam(0.001),
    "Lion(0.0003)": Lion(0.0003),
}

figure, ax = plt.subplots(figsize=(8, 4.6), layout="constrained")
for (name, optimizer), style in zip(optimizers.items(), ["-", "-", "--", "-", "--", "-."], strict=True):
    model = fastnn.Sequential([Dense(64, "relu"), Dense(64, "relu"), Dense(10, "softmax")], seed=0)
    model.compile(optimizer, "sparse_categorical_crossentropy")
    losses = model.fit(x / 16, y, epochs=30, verbose=0).history["loss"]
    ax.semilogy(range(1, 31), losses, style, linewidth=2, label=name)
ax.set(title="Training loss on the digits", xlabel="epoch", ylabel="cross-entropy (log scale)")
ax.legend(frameon=True)
plt.show()
