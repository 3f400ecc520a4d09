"""Make the files of this folder with Keras itself: KERAS_BACKEND=jax python tests/keras/files/make_keras_files.py.

expected.json says what Keras predicts for `keras_models.data`, and after ten more steps of training.
"""

import json
import os
import sys
from pathlib import Path

os.environ["KERAS_BACKEND"] = "jax"
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "tools"))

import keras  # noqa: E402
import keras_models  # noqa: E402


def chain():
    rows = keras.Input((keras_models.INPUTS,), name="rows")
    hidden = keras.layers.Dense(5, keras.layers.LeakyReLU(0.1), name="first")(rows)
    hidden = keras.layers.Dropout(0.3, seed=1)(keras.layers.BatchNormalization(name="middle")(hidden))
    model = keras.Model(rows, keras.layers.Dense(3, "softmax")(hidden), name="chain")
    model.compile(
        "adam",
        keras.losses.sparse_categorical_crossentropy,
        metrics=["accuracy", keras.metrics.SparseTopKCategoricalAccuracy(2)],
    )
    return model, 3


def nested():
    inner = keras.Sequential(
        [keras.layers.Dense(4, "tanh"), keras.layers.PReLU(), keras.layers.LayerNormalization()], name="inner"
    )
    rate = keras.optimizers.schedules.InverseTimeDecay(0.02, 4, 0.5)
    model = keras.Sequential(
        [
            keras.Input((keras_models.INPUTS,)),
            inner,
            keras.layers.BatchNormalization(name="z"),
            keras.layers.Dense(2, name="a"),
        ]
    )
    model.compile(keras.optimizers.SGD(rate, momentum=0.9, use_ema=True, gradient_accumulation_steps=2), "mse")
    return model, 0


def train(model, x, y, steps):
    for step in range(steps):
        part = slice(8 * (step % 3), 8 * (step % 3) + 8)
        model.train_on_batch(x[part], y[part])


def main():
    found = {"keras": keras.__version__}
    for make in (chain, nested):
        keras.utils.set_random_seed(1)
        model, classes = make()
        x, y = keras_models.data(classes, model.output_shape[-1])
        train(model, x, y, 5)
        name = make.__name__
        model.save(HERE / f"{name}.keras")
        found[name] = {"predicted": model.predict(x, verbose=0).tolist()}
        if make is nested:
            model.save_weights(HERE / f"{name}.weights.h5")
            model.save(HERE / f"{name}.h5")
        train(model, x, y, 10)
        found[name]["trained"] = model.predict(x, verbose=0).tolist()
    (HERE / "expected.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main()
