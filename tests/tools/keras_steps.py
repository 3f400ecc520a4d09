"""A few steps of training, as Keras takes them too, from the same weights."""

import numpy as np

DRAW = np.random.default_rng(5)
X, Y = DRAW.normal(1, 2, size=(12, 4)), DRAW.normal(size=(12, 2))
IMAGES = DRAW.normal(1, 2, size=(12, 2, 3))


def stepped(keras, layers, x=X, y=Y, optimizer=("SGD", {"learning_rate": 0.05}), loss="mse", **compiled):
    """The losses of three epochs and what evaluate, train_on_batch and predict return then."""
    model = keras.Sequential([keras.Input(x.shape[1:]), *layers])
    name, options = optimizer
    model.compile(getattr(keras.optimizers, name)(**options), loss, **compiled)
    draw = np.random.default_rng(2)
    for weight in model.trainable_weights:
        weight.assign(draw.normal(0.2 * (len(weight.shape) == 1), 0.5, weight.shape))
    losses = model.fit(x, y, 5, 3, shuffle=False, verbose=0).history["loss"]
    scores = [model.evaluate(x, y, verbose=0), model.train_on_batch(x, y)]
    return np.concatenate([losses, scores, model.predict(x[:3], verbose=0).ravel()])
