"""Classification on imbalanced data: counts of right and wrong, a first bias, class weights, oversampling."""

import os

import numpy as np

import fastnn as keras

keras.utils.set_random_seed(0)

EPOCHS, BATCH_SIZE = 20, 128
rng = np.random.default_rng(3)
labels = (rng.uniform(size=(2000, 1)) < 0.05).astype(int)
features = rng.normal(size=(2000, 12)) + 1.8 * labels * (np.arange(12) < 4)
train_features, val_features, test_features = features[:1200], features[1200:1600], features[1600:]
train_labels, val_labels, test_labels = labels[:1200], labels[1200:1600], labels[1600:]
neg, pos = np.bincount(labels[:, 0])


def metrics():
    return [
        keras.metrics.BinaryCrossentropy(name="cross entropy"),
        keras.metrics.MeanSquaredError(name="Brier score"),
        keras.metrics.TruePositives(name="tp"),
        keras.metrics.FalsePositives(name="fp"),
        keras.metrics.TrueNegatives(name="tn"),
        keras.metrics.FalseNegatives(name="fn"),
        keras.metrics.BinaryAccuracy(name="accuracy"),
        keras.metrics.Precision(name="precision"),
        keras.metrics.Recall(name="recall"),
        keras.metrics.AUC(name="auc"),
        keras.metrics.AUC(name="prc", curve="PR"),
    ]


def make_model(output_bias=None):
    if output_bias is not None:
        output_bias = keras.initializers.Constant(output_bias)
    model = keras.Sequential(
        [
            keras.layers.Dense(16, activation="relu", input_shape=(train_features.shape[-1],)),
            keras.layers.Dropout(0.5),
            keras.layers.Dense(1, activation="sigmoid", bias_initializer=output_bias or "zeros"),
        ]
    )
    model.compile(
        optimizer=keras.optimizers.Adam(learning_rate=1e-3), loss=keras.losses.BinaryCrossentropy(), metrics=metrics()
    )
    return model


def early_stopping():
    return keras.callbacks.EarlyStopping(
        monitor="val_prc", verbose=0, patience=10, mode="max", restore_best_weights=True
    )


model = make_model()
results = model.evaluate(train_features, train_labels, batch_size=BATCH_SIZE, verbose=0)
loss_without_bias = results[0]

initial_bias = np.log([pos / neg])
model = make_model(output_bias=float(initial_bias[0]))
results = model.evaluate(train_features, train_labels, batch_size=BATCH_SIZE, verbose=0)
loss_with_bias = results[0]
model.save_weights("initial.weights.h5")

model = make_model()
model.load_weights("initial.weights.h5")
baseline_history = model.fit(
    train_features,
    train_labels,
    batch_size=BATCH_SIZE,
    epochs=EPOCHS,
    callbacks=[early_stopping()],
    validation_data=(val_features, val_labels),
    verbose=0,
)
baseline_results = model.evaluate(test_features, test_labels, batch_size=BATCH_SIZE, verbose=0, return_dict=True)
test_predictions = model.predict(test_features, batch_size=BATCH_SIZE, verbose=0)

class_weight = {0: (1 / neg) * (len(labels) / 2.0), 1: (1 / pos) * (len(labels) / 2.0)}
weighted_model = make_model()
weighted_model.load_weights("initial.weights.h5")
weighted_history = weighted_model.fit(
    train_features,
    train_labels,
    batch_size=BATCH_SIZE,
    epochs=EPOCHS,
    callbacks=[early_stopping()],
    validation_data=(val_features, val_labels),
    class_weight=class_weight,
    verbose=0,
)
weighted_results = weighted_model.evaluate(test_features, test_labels, verbose=0, return_dict=True)

ids = rng.choice(np.flatnonzero(train_labels), np.sum(train_labels[:, 0] == 0))
resampled_features = np.concatenate([train_features[ids], train_features[train_labels[:, 0] == 0]])
resampled_labels = np.concatenate([train_labels[ids], train_labels[train_labels[:, 0] == 0]])
order = rng.permutation(len(resampled_labels))
resampled_model = make_model()
resampled_history = resampled_model.fit(
    resampled_features[order],
    resampled_labels[order],
    batch_size=BATCH_SIZE,
    epochs=EPOCHS,
    steps_per_epoch=9,
    callbacks=[early_stopping()],
    validation_data=(val_features, val_labels),
    verbose=0,
)
os.remove("initial.weights.h5")
