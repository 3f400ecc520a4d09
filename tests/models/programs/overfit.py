"""Overfit and underfit: sizes of models, penalties, dropout, a decaying rate, early stopping and TensorBoard."""

import numpy as np

import fastnn as keras

keras.utils.set_random_seed(0)

FEATURES, N_TRAIN, N_VALIDATION, BATCH_SIZE = 28, 600, 200, 50
STEPS_PER_EPOCH = N_TRAIN // BATCH_SIZE

rng = np.random.default_rng(1)
x = rng.normal(size=(N_TRAIN + N_VALIDATION, FEATURES)).astype("float32")
y = (x[:, 0] * x[:, 1] + x[:, 2] + rng.normal(0, 1, len(x)) > 0).astype("float32")[:, np.newaxis]
train, validation = (x[:N_TRAIN], y[:N_TRAIN]), (x[N_TRAIN:], y[N_TRAIN:])

lr_schedule = keras.optimizers.schedules.InverseTimeDecay(
    0.001, decay_steps=STEPS_PER_EPOCH * 1000, decay_rate=1, staircase=False
)


def get_callbacks(name):
    return [
        keras.callbacks.EarlyStopping(monitor="val_binary_crossentropy", patience=200),
        keras.callbacks.TensorBoard("logs/" + name),
    ]


def compile_and_fit(model, name, optimizer=None, max_epochs=8):
    model.compile(
        optimizer=optimizer or keras.optimizers.Adam(lr_schedule),
        loss=keras.losses.BinaryCrossentropy(from_logits=True),
        metrics=[keras.metrics.BinaryCrossentropy(from_logits=True, name="binary_crossentropy"), "accuracy"],
    )
    model.summary()
    return model.fit(
        *train,
        batch_size=BATCH_SIZE,
        steps_per_epoch=STEPS_PER_EPOCH,
        epochs=max_epochs,
        validation_data=validation,
        callbacks=get_callbacks(name),
        verbose=0,
    )


layers, regularizers = keras.layers, keras.regularizers
models = {
    "sizes/Tiny": keras.Sequential([layers.Dense(16, activation="elu", input_shape=(FEATURES,)), layers.Dense(1)]),
    "sizes/Large": keras.Sequential(
        [
            layers.Dense(128, activation="elu", input_shape=(FEATURES,)),
            layers.Dense(128, activation="elu"),
            layers.Dense(1),
        ]
    ),
    "regularizers/combined": keras.Sequential(
        [
            layers.Dense(128, kernel_regularizer=regularizers.l2(0.0001), activation="elu", input_shape=(FEATURES,)),
            layers.Dropout(0.5),
            layers.Dense(128, kernel_regularizer=regularizers.l2(0.0001), activation="elu"),
            layers.Dropout(0.5),
            layers.Dense(1),
        ]
    ),
}
size_histories = {name: compile_and_fit(model, name) for name, model in models.items()}
