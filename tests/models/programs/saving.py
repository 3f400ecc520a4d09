"""Save and load: checkpoints of weights in training, weights by hand, and whole models."""

import os

import numpy as np

import fastnn as keras

keras.utils.set_random_seed(0)

rng = np.random.default_rng(2)
train_images, test_images = rng.uniform(size=(600, 64)), rng.uniform(size=(200, 64))
train_labels, test_labels = ((images[:, :10]).argmax(axis=1) for images in (train_images, test_images))


def create_model():
    model = keras.Sequential(
        [
            keras.layers.Dense(64, activation="relu", input_shape=(64,)),
            keras.layers.Dropout(0.2),
            keras.layers.Dense(10),
        ]
    )
    model.compile(
        optimizer="adam",
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=[keras.metrics.SparseCategoricalAccuracy()],
    )
    return model


model = create_model()
model.summary()

checkpoint_path = "training_1/cp.weights.h5"
os.makedirs(os.path.dirname(checkpoint_path), exist_ok=True)
cp_callback = keras.callbacks.ModelCheckpoint(filepath=checkpoint_path, save_weights_only=True, verbose=0)
model.fit(
    train_images, train_labels, epochs=5, validation_data=(test_images, test_labels), callbacks=[cp_callback], verbose=0
)
trained = model.evaluate(test_images, test_labels, verbose=0)
untrained_model = create_model()
untrained = untrained_model.evaluate(test_images, test_labels, verbose=0)
untrained_model.load_weights(checkpoint_path)
loaded = untrained_model.evaluate(test_images, test_labels, verbose=0)

batch_size = 32
n_batches = -(-len(train_images) // batch_size)
os.makedirs("training_2", exist_ok=True)
cp_callback = keras.callbacks.ModelCheckpoint(
    filepath="training_2/cp-{epoch:04d}.weights.h5", save_weights_only=True, save_freq=5 * n_batches
)
model = create_model()
model.fit(train_images, train_labels, epochs=10, batch_size=batch_size, callbacks=[cp_callback], verbose=0)
checkpoints = sorted(os.listdir("training_2"))

model.save_weights("my_checkpoint.weights.h5")
other = create_model()
other.load_weights("my_checkpoint.weights.h5")
by_hand = other.evaluate(test_images, test_labels, verbose=0)

model.save("my_model.keras")
new_model = keras.models.load_model("my_model.keras")
new_model.summary()
saved = model.evaluate(test_images, test_labels, verbose=0)
whole = new_model.evaluate(test_images, test_labels, verbose=0)
predicted = new_model.predict(test_images, verbose=0)
