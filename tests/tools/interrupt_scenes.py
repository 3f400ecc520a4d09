"""The ways into fastnn under which interrupts.py presses Ctrl-C, and what must hold after it."""

from __future__ import annotations

import contextlib
import io
import shutil
import sys
from functools import cache
from pathlib import Path

import numpy as np

import fastnn
from fastnn import callbacks, data
from fastnn.layers import Dense, Input
from fastnn.training import loop

ROWS, BATCH, EPOCHS = 64, 16, 3
STEPS = ROWS // BATCH
_rng = np.random.default_rng(3)
X = _rng.standard_normal((ROWS, 6)).astype("float32")
Y = (X[:, :3] * X[:, 3:]).astype("float32")
SMALL = slice(0, 8)


def new_model(backend, threads):
    model = fastnn.Sequential([Input((6,)), Dense(16, "tanh"), Dense(3)], seed=0)
    model.compile(fastnn.optimizers.Adam(0.01), "mse", ["mae"], backend=backend, threads=threads)
    return model


def state_of(model):
    """All that training changes, but for the count of updates."""
    held = model._engine.parameters
    return held.values.tobytes(), held.slots.tobytes()


class _Record(callbacks.Callback):
    every_n_steps = 1

    def __init__(self):
        super().__init__()
        self.states = {}

    def on_train_begin(self, logs=None):
        self.states[0] = state_of(self.model)

    def on_train_batch_end(self, batch, logs=None):
        self.states[self.model.optimizer.iterations] = state_of(self.model)


@cache
def reference(backend, how):
    """The state after each number of steps, and the history of all."""
    model, record = new_model(backend, 1), _Record()
    fit = {"verbose": 0, "callbacks": [record]}
    if how == "stream":
        history = model.fit(batches, epochs=EPOCHS, **fit)
    elif how == "array stream":
        history = model.fit(rows_on_disk(), epochs=EPOCHS, batch_size=BATCH, **fit)
    elif how == "step":
        record.set_model(model)
        record.on_train_begin()
        model.train_on_batch(X[SMALL], Y[SMALL])
        record.on_train_batch_end(0)
        return record.states, None
    elif how == "wide step":
        record.set_model(model)
        record.on_train_begin()
        model.train_on_batch(X, Y)
        record.on_train_batch_end(0)
        return record.states, None
    else:
        split = 0.25 if how == "watched" else 0.0
        history = model.fit(X, Y, batch_size=BATCH, epochs=EPOCHS, validation_split=split, **fit)
    return record.states, history.history


def batches():
    for first in range(0, ROWS, BATCH):
        yield X[first : first + BATCH], Y[first : first + BATCH]


def rows_on_disk():
    return data.stream(X, Y, block_bytes=X.itemsize * 6 * 32)


class Scene:
    """A way in: ``prepare`` makes what it takes, ``call`` is interrupted, ``wrong`` says what does not hold then."""

    once = True
    """Whether a second call would begin from another state."""
    how = ""
    """Of the reference that the state is compared with."""

    def __init__(self, backend, threads, folder: Path):
        self.backend, self.threads, self.folder = backend, threads, folder
        self.raised = self.interrupted = False

    def prepare(self):
        self.model = new_model(self.backend, self.threads)

    def call(self):
        raise NotImplementedError

    def wrong(self, pressed):
        if pressed and not (self.raised or self.interrupted):
            return "it was swallowed"
        return self.wrong_state() or self.wrong_next()

    def wrong_state(self):
        states, history = reference(self.backend, self.how)
        taken, counted = self.model.optimizer.iterations, self.model._engine.iterations
        if taken != counted:
            return f"the optimizer counts {taken} updates, the engine {counted}"
        if state_of(self.model) != states[taken]:
            really = [number for number, state in states.items() if state == state_of(self.model)]
            return f"the weights are not those after {taken} steps, but after {really}"
        found = self.model.history
        if found is not None and history is not None:
            epochs = taken // self.steps
            if self.open_ended and taken % self.steps == 0 and len(found.epoch) == epochs - 1:
                epochs -= 1
            if found.epoch != list(range(epochs)):
                return f"after {taken} steps the history has the epochs {found.epoch}"
            for name, values in found.history.items():
                if values != history[name][:epochs]:
                    return f"the history has {values} for {name}, not {history[name][:epochs]}"
            if len(found.seconds) != epochs:
                return f"the history has {len(found.seconds)} times of {epochs} epochs"
        return ""

    steps = STEPS
    open_ended = False
    """Whether an epoch may have had all its steps, and it is not known yet that there are no more."""

    def wrong_next(self):
        """The next calls work, and give what a model of the same weights gives."""
        twin = new_model(self.backend, 1)
        twin.set_weights(self.model.get_weights())
        if not np.array_equal(self.model.predict(X), twin.predict(X)):
            return "predict gives something else afterwards"
        if self.model.evaluate(X, Y, verbose=0) != twin.evaluate(X, Y, verbose=0):
            return "evaluate gives something else afterwards"
        if self.model.gradients(X, Y)[0]["kernel"].tobytes() != twin.gradients(X, Y)[0]["kernel"].tobytes():
            return "gradients gives something else afterwards"
        twin._engine.parameters.slots[:] = self.model._engine.parameters.slots
        twin._engine.parameters.mark_written()
        twin._engine.iterations = twin.optimizer.iterations = self.model._engine.iterations
        for rows in (SMALL, slice(None)):
            if self.model.train_on_batch(X[rows], Y[rows]) != twin.train_on_batch(X[rows], Y[rows]):
                return "train_on_batch gives something else afterwards"
        options = {"batch_size": BATCH, "epochs": 2, "shuffle": False, "verbose": 0}
        here, there = self.model.fit(X, Y, **options), twin.fit(X, Y, **options)
        if here.history != there.history or here.interrupted:
            return f"fit gives something else afterwards: {here.history}, not {there.history}"
        return "" if state_of(self.model) == state_of(twin) else "other weights after the next fit"


FIT = {"batch_size": BATCH, "epochs": EPOCHS, "verbose": 0}


class Fit(Scene):
    options = FIT

    def call(self):
        self.interrupted = self.model.fit(X, Y, **self.options).interrupted


class SlicedFit(Fit):
    """Python has control after every step."""

    def call(self):
        seconds, loop.SLICE_SECONDS = loop.SLICE_SECONDS, 0.0
        try:
            super().call()
        finally:
            loop.SLICE_SECONDS = seconds


class WatchedFit(SlicedFit):
    how, steps = "watched", 3

    def call(self):
        self.options = {**FIT, "verbose": 2, "validation_split": 0.25}
        stop = callbacks.EarlyStopping(patience=5, restore_best_weights=False)
        self.options["callbacks"] = [stop, callbacks.LambdaCallback(on_progress=lambda *_: None)]
        out, sys.stdout = sys.stdout, io.StringIO()
        try:
            super().call()
        finally:
            sys.stdout = out


class StreamFit(Fit):
    how, open_ended = "stream", True

    def call(self):
        self.interrupted = self.model.fit(batches, epochs=EPOCHS, verbose=0).interrupted


class ArrayStreamFit(Fit):
    how, open_ended = "array stream", True

    def call(self):
        self.interrupted = self.model.fit(rows_on_disk(), **self.options).interrupted


class Reading(Scene):
    """What reads a model only."""

    once = False

    def wrong_state(self):
        return "" if state_of(self.model) == reference(self.backend, "")[0][0] else "the weights have changed"


class Evaluate(Reading):
    def call(self):
        self.model.evaluate(X, Y, verbose=0)


class Predict(Reading):
    def call(self):
        self.model.predict(X.astype("float64"))
        self.model.predict(X)


class PredictStream(Reading):
    def call(self):
        self.model.predict(lambda: (x for x, _ in batches()))


class Predictor(Reading):
    def prepare(self):
        super().prepare()
        self.models = [self.model.predictor(), self.model.predictor(ROWS)]

    def call(self):
        for _ in range(20):  # until workers stand by
            self.models[1](X)
        self.models[0](X[0])


class Gradients(Reading):
    def call(self):
        self.model.gradients(X, Y)


class Step(Scene):
    once = False
    how, rows = "step", SMALL

    def call(self):
        self.model = new_model(self.backend, self.threads)
        self.model.train_on_batch(X[self.rows], Y[self.rows])

    def prepare(self):
        self.model = new_model(self.backend, self.threads)

    def wrong_state(self):
        return super().wrong_state()


class WideStep(Step):
    how, rows = "wide step", slice(None)


class Save(Reading):
    once = True

    def prepare(self):
        super().prepare()
        self.path = self.folder / "model.fastnn"
        self.model.save(self.path)
        self.before = self.path.read_bytes()
        self.model.metadata = {"second": True}

    def call(self):
        self.model.save(self.path)

    def wrong_state(self):
        if [path.name for path in self.folder.iterdir()] != [self.path.name]:
            return f"the folder has {sorted(path.name for path in self.folder.iterdir())}"
        kept = fastnn.load_model(self.path)
        if self.path.read_bytes() != self.before and kept.metadata != {"second": True}:
            return "the file is another one"
        return super().wrong_state()


class BackedUpFit(SlicedFit):
    """With a backup, by which another model goes on to the same bits."""

    save_freq = 3

    def prepare(self):
        super().prepare()
        self.backups = self.folder / "backups"
        shutil.rmtree(self.backups, ignore_errors=True)

    def callbacks(self):
        stop = callbacks.EarlyStopping("loss", patience=1, min_delta=0.3)
        return [stop, callbacks.ReduceLROnPlateau("loss", patience=0), self.backup()]

    def backup(self):
        return callbacks.BackupAndRestore(self.backups, save_freq=self.save_freq, delete_checkpoint=False)

    def call(self):
        self.options = {**FIT, "callbacks": self.callbacks()}
        super().call()

    def reference(self):
        return backed_up_reference(type(self).__name__, self.backend)

    def wrong_state(self):
        states, _ = self.reference()
        taken = self.model.optimizer.iterations
        if taken != self.model._engine.iterations:
            return f"the optimizer counts {taken} updates, the engine {self.model._engine.iterations}"
        if state_of(self.model) != states[taken]:
            return f"the weights are not those after {taken} steps"
        return self.wrong_resumed()

    def wrong_resumed(self):
        states, history = self.reference()
        model = new_model(self.backend, 1)
        chain = self.callbacks()
        resumed = model.fit(X, Y, callbacks=chain, **FIT)
        if state_of(model) != states[max(states)] or model.optimizer.iterations != max(states):
            return f"resumed, it ends at {model.optimizer.iterations} steps with other weights"
        if resumed.history != history:
            return f"resumed, the history is {resumed.history}, not {history}"
        return ""


class BackedUpEpochs(BackedUpFit):
    save_freq = "epoch"


@cache
def backed_up_reference(name, backend):
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        scene = SCENES_BY_CLASS[name](backend, 1, Path(folder))
        scene.prepare()
        record = _Record()
        history = scene.model.fit(X, Y, callbacks=[record, *scene.callbacks()[:-1]], **FIT)
        return record.states, history.history


class Resume(BackedUpFit):
    """A fit that goes on from a backup is interrupted."""

    def prepare(self):
        super().prepare()
        if not (kept := self.folder / "kept").is_dir():

            class Stop(callbacks.Callback):
                every_n_steps = 7

                def on_train_batch_end(self, batch, logs=None):
                    raise RuntimeError

            with contextlib.suppress(RuntimeError):
                self.model.fit(X, Y, callbacks=[*self.callbacks(), Stop()], **FIT)
            self.backups.rename(kept)
            self.model = new_model(self.backend, self.threads)
        shutil.copytree(kept, self.backups)

    def reference(self):
        return backed_up_reference("BackedUpFit", self.backend)


SCENES = {
    "fit": Fit,
    "sliced": SlicedFit,
    "watched": WatchedFit,
    "stream": StreamFit,
    "arrays": ArrayStreamFit,
    "evaluate": Evaluate,
    "predict": Predict,
    "predicts": PredictStream,
    "predictor": Predictor,
    "gradients": Gradients,
    "step": Step,
    "widestep": WideStep,
    "save": Save,
    "backup": BackedUpFit,
    "epochs": BackedUpEpochs,
    "resume": Resume,
}
SCENES_BY_CLASS = {scene.__name__: scene for scene in SCENES.values()}
