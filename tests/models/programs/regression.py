"""Basic regression: a table of cars, a layer that normalises, a line, and a deep network."""

import os

import numpy as np

import fastnn as keras

keras.utils.set_random_seed(0)

rng = np.random.default_rng(0)
horsepower = rng.uniform(50, 230, 314)
weight = 1500 + 12 * horsepower + rng.normal(0, 300, 314)
origin = rng.integers(0, 3, 314)
features = np.column_stack([horsepower, weight, *(origin == place for place in range(3))]).astype("float32")
labels = (60 * np.exp(-horsepower / 120) + 2 * (origin == 1) + rng.normal(0, 1, 314)).astype("float32")
train_features, test_features, train_labels, test_labels = features[:250], features[250:], labels[:250], labels[250:]

normalizer = keras.layers.Normalization(axis=-1)
normalizer.adapt(np.array(train_features))
normalized = np.asarray(normalizer(train_features[:1]))

horsepower_normalizer = keras.layers.Normalization(input_shape=(1,), axis=None)
horsepower_normalizer.adapt(train_features[:, 0])
horsepower_model = keras.Sequential([horsepower_normalizer, keras.layers.Dense(units=1)])
horsepower_model.compile(optimizer=keras.optimizers.Adam(learning_rate=0.1), loss="mean_absolute_error")
history = horsepower_model.fit(train_features[:, 0], train_labels, epochs=100, verbose=0, validation_split=0.2)
test_results = {"horsepower": horsepower_model.evaluate(test_features[:, 0], test_labels, verbose=0)}

linear_model = keras.Sequential([normalizer, keras.layers.Dense(units=1)])
linear_model.predict(train_features[:10], verbose=0)
kernel = np.asarray(linear_model.layers[1].kernel)
linear_model.compile(optimizer=keras.optimizers.Adam(learning_rate=0.1), loss="mean_absolute_error")
linear_model.fit(train_features, train_labels, epochs=100, verbose=0, validation_split=0.2)
test_results["linear"] = linear_model.evaluate(test_features, test_labels, verbose=0)


def build_and_compile_model(norm):
    model = keras.Sequential(
        [
            norm,
            keras.layers.Dense(64, activation="relu"),
            keras.layers.Dense(64, activation="relu"),
            keras.layers.Dense(1),
        ]
    )
    model.compile(loss="mean_absolute_error", optimizer=keras.optimizers.Adam(0.001))
    return model


deep_normalizer = keras.layers.Normalization(axis=-1)
deep_normalizer.adapt(train_features)
dnn_model = build_and_compile_model(deep_normalizer)
dnn_model.fit(train_features, train_labels, validation_split=0.2, verbose=0, epochs=100)
dnn_model.summary()
test_results["deep"] = dnn_model.evaluate(test_features, test_labels, verbose=0)
test_predictions = dnn_model.predict(test_features, verbose=0).flatten()

dnn_model.save("dnn_model.keras")
reloaded = keras.models.load_model("dnn_model.keras")
test_results["reloaded"] = reloaded.evaluate(test_features, test_labels, verbose=0)
os.remove("dnn_model.keras")
