"""Quickstart for beginners: handwritten digits, logits, and probabilities by a model around the model."""

import numpy as np

import fastnn as keras

keras.utils.set_random_seed(0)

mnist = keras.datasets.mnist
(x_train, y_train), (x_test, y_test) = mnist.load_data()
x_train, x_test = x_train / 255.0, x_test / 255.0

model = keras.models.Sequential(
    [
        keras.layers.Input((28, 28)),
        keras.layers.Flatten(),
        keras.layers.Dense(64, activation="relu"),
        keras.layers.Dropout(0.2),
        keras.layers.Dense(10),
    ]
)
logits = np.asarray(model(x_train[:1]))
loss_fn = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
untrained = float(loss_fn(y_train[:1], logits))

model.compile(optimizer="adam", loss=loss_fn, metrics=["accuracy"])
history = model.fit(x_train, y_train, epochs=5, verbose=0)
loss, accuracy = model.evaluate(x_test, y_test, verbose=0)

probability_model = keras.Sequential([model, keras.layers.Softmax()])
probabilities = np.asarray(probability_model(x_test[:5]))
