"""
Handwritten digits
==================

1,797 digits of 8 by 8 pixels, a quarter of them kept back for the test. What the network gets wrong is often hard for
people too.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.metrics import ConfusionMatrixDisplay
from sklearn.model_selection import train_test_split

import fastnn
from fastnn.layers import Dense, Dropout

x, y = load_digits(return_X_y=True)
x_train, x_test, y_train, y_test = train_test_split(x / 16, y, random_state=0)

model = fastnn.Sequential([Dense(128, "relu"), Dropout(0.3), Dense(10, "softmax")], seed=0)
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(x_train, y_train, epochs=40, verbose=0)

probabilities = model.predict(x_test)
said = probabilities.argmax(axis=1)
print(f"{np.mean(said == y_test):.1%} of the test digits are right")

# %%
# On the right, the digits whose true class got the least probability.

figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.6), layout="constrained")
ConfusionMatrixDisplay.from_predictions(y_test, said, cmap="Blues", colorbar=False, ax=left)
left.set_title("Digits of the test")
hardest = np.argsort(probabilities[np.arange(len(y_test)), y_test])[:12]
right.axis("off")
right.set_title("The twelve hardest")
for place, row in enumerate(hardest):
    small = right.inset_axes((place % 4 / 4, 0.7 - place // 4 / 3, 0.24, 0.23))
    small.imshow(x_test[row].reshape(8, 8), cmap="gray_r")
    small.set(xticks=[], yticks=[])
    small.set_title(f"{y_test[row]}, said {said[row]}", fontsize=9, pad=2)
plt.show()
