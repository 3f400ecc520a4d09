"""
Can its probabilities be believed?
==================================

Of all rows to which a classifier gives 70%, seven in ten should be of that class. Training for too long breaks this:
the network becomes too sure of itself.
"""

import matplotlib.pyplot as plt
from sklearn.calibration import CalibrationDisplay
from sklearn.datasets import make_classification
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split

import fastnn
from fastnn.layers import Dense
from fastnn.sklearn import TabularClassifier

plt.style.use(["seaborn-v0_8-whitegrid", "seaborn-v0_8-colorblind"])
x, y = make_classification(4000, 12, n_informative=6, flip_y=0.15, class_sep=0.8, random_state=0)
x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.6, random_state=0)


def network(epochs):
    """Return the probabilities of class 1 that a network gives to the test, after so many epochs."""
    model = fastnn.Sequential([Dense(64, "relu"), Dense(64, "relu"), Dense(1, "sigmoid")], seed=0)
    model.compile("adam", "binary_crossentropy")
    model.fit(x_train, y_train, epochs=epochs, verbose=0)
    return model.predict(x_test)[:, 0]


answers = {
    "200 epochs": network(200),
    "10 epochs": network(10),
    "TabularClassifier": TabularClassifier((64,), epochs=10, n_ensemble=2, random_state=0)
    .fit(x_train, y_train)
    .predict_proba(x_test)[:, 1],
}

figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.6), layout="constrained")
for number, (name, probabilities) in enumerate(answers.items()):
    label = f"{name}: log loss {log_loss(y_test, probabilities):.2f}"
    CalibrationDisplay.from_predictions(
        y_test, probabilities, n_bins=8, strategy="quantile", name=label, marker="os^"[number], ax=left
    )
    right.hist(probabilities, 30, histtype="step", linewidth=2, label=name)
left.set(title="How often it is so", xlabel="probability given to class 1", ylabel="share of class 1")
left.legend(frameon=True, fontsize=8)
right.set(title="How sure they are", xlabel="probability given to class 1", ylabel="rows of the test")
plt.show()
