"""Writing your own callbacks: every hook, logs, early stopping at the least loss, and a rate of one's own."""

import numpy as np

import fastnn as keras

keras.utils.set_random_seed(0)

rng = np.random.default_rng(4)
x_train, x_test = rng.uniform(size=(100, 20)), rng.uniform(size=(64, 20))
y_train, y_test = x_train.sum(axis=1), x_test.sum(axis=1)


def get_model():
    model = keras.Sequential([keras.layers.Dense(1)])
    model.compile(
        optimizer=keras.optimizers.RMSprop(learning_rate=0.1),
        loss="mean_squared_error",
        metrics=["mean_absolute_error"],
    )
    return model


heard = []


class CustomCallback(keras.callbacks.Callback):
    def on_train_begin(self, logs=None):
        heard.append(("train begin", list(logs.keys())))

    def on_train_end(self, logs=None):
        heard.append(("train end", list(logs.keys())))

    def on_epoch_begin(self, epoch, logs=None):
        heard.append((f"epoch {epoch} begin", list(logs.keys())))

    def on_epoch_end(self, epoch, logs=None):
        heard.append((f"epoch {epoch} end", list(logs.keys())))

    def on_test_begin(self, logs=None):
        heard.append(("test begin", list(logs.keys())))

    def on_test_end(self, logs=None):
        heard.append(("test end", list(logs.keys())))

    def on_predict_begin(self, logs=None):
        heard.append(("predict begin", list(logs.keys())))

    def on_predict_end(self, logs=None):
        heard.append(("predict end", list(logs.keys())))

    def on_train_batch_begin(self, batch, logs=None):
        heard.append((f"train batch {batch} begin", list(logs.keys())))

    def on_train_batch_end(self, batch, logs=None):
        heard.append((f"train batch {batch} end", list(logs.keys())))

    def on_test_batch_begin(self, batch, logs=None):
        heard.append((f"test batch {batch} begin", list(logs.keys())))

    def on_test_batch_end(self, batch, logs=None):
        heard.append((f"test batch {batch} end", list(logs.keys())))

    def on_predict_batch_begin(self, batch, logs=None):
        heard.append((f"predict batch {batch} begin", list(logs.keys())))

    def on_predict_batch_end(self, batch, logs=None):
        heard.append((f"predict batch {batch} end", list(logs.keys())))


model = get_model()
model.fit(x_train, y_train, batch_size=40, epochs=1, verbose=0, validation_split=0.5, callbacks=[CustomCallback()])
model.evaluate(x_test, y_test, batch_size=40, verbose=0, callbacks=[CustomCallback()])
model.predict(x_test, batch_size=40, verbose=0, callbacks=[CustomCallback()])


class EarlyStoppingAtMinLoss(keras.callbacks.Callback):
    """Stop where the loss is least, once it has not fallen for ``patience`` epochs."""

    def __init__(self, patience=0):
        super().__init__()
        self.patience = patience
        self.best_weights = None

    def on_train_begin(self, logs=None):
        self.wait = 0
        self.stopped_epoch = 0
        self.best = np.inf

    def on_epoch_end(self, epoch, logs=None):
        current = logs.get("loss")
        if np.less(current, self.best):
            self.best = current
            self.wait = 0
            self.best_weights = self.model.get_weights()
        else:
            self.wait += 1
            if self.wait >= self.patience:
                self.stopped_epoch = epoch
                self.model.stop_training = True
                self.model.set_weights(self.best_weights)


stopping = EarlyStoppingAtMinLoss()
model = get_model()
stopped = model.fit(x_train, y_train, batch_size=64, epochs=60, verbose=0, callbacks=[stopping])

rates = []


class CustomLearningRateScheduler(keras.callbacks.Callback):
    def __init__(self, schedule):
        super().__init__()
        self.schedule = schedule

    def on_epoch_begin(self, epoch, logs=None):
        if not hasattr(self.model.optimizer, "learning_rate"):
            raise ValueError('Optimizer must have a "learning_rate" attribute.')
        rate = float(np.asarray(self.model.optimizer.learning_rate))
        scheduled = self.schedule(epoch, rate)
        self.model.optimizer.learning_rate = scheduled
        rates.append(float(np.asarray(self.model.optimizer.learning_rate)))


LR_SCHEDULE = [(3, 0.05), (6, 0.01), (9, 0.005), (12, 0.001)]


def lr_schedule(epoch, rate):
    return dict(LR_SCHEDULE).get(epoch, rate)


model = get_model()
model.fit(x_train, y_train, batch_size=64, epochs=15, verbose=0, callbacks=[CustomLearningRateScheduler(lr_schedule)])
