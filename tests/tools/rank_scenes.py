"""Fits that ranks share, for tests to compare: run by mpiexec, by any number of ranks.

    mpiexec -n 2 python tests/tools/rank_scenes.py FOLDER [SCENE ...]

FOLDER/RANK.json becomes what each scene ended with on a rank: digests of the weights, of the history and of
predictions.
"""

import hashlib
import json
import os
import signal
import sys
from pathlib import Path

import numpy as np
from rank_scenes_data import ROWS, rows

import fastnn
from fastnn import callbacks, layers, optimizers, schedules
from fastnn.distribution import DataParallel, ranks


def own(arrays, plan):
    """A rank's share of rows that divide evenly."""
    return [array[len(array) * plan.rank // plan.size : len(array) * (plan.rank + 1) // plan.size] for array in arrays]


def model_of(plan, stack=None, optimizer="adam", threads=1, units=2, **compiled):
    stack = [layers.Dense(40, "relu"), layers.Dense(70, "tanh")] if stack is None else stack
    model = fastnn.Sequential([*stack, layers.Dense(units, "softmax")], seed=plan.rank)  # the first one's weights count
    compiled = {"metrics": ["accuracy"], "loss": "sparse_categorical_crossentropy", **compiled}
    model.compile(optimizer, threads=threads, distribution=plan, **compiled)
    return model


def plain(threads, **given):
    """A fit with whatever is given: of compile, or of fit."""
    plan = given.pop("plan", None) or DataParallel()
    fit = {name: given.pop(name) for name in list(given) if name in FIT}
    x, y = given.pop("data", None) or rows()
    model = model_of(plan, threads=threads, **given)
    history = model.fit(x, y, **{"batch_size": 48, "epochs": 3, "verbose": 0, **fit})
    return model, history


FIT = ("batch_size", "epochs", "callbacks", "validation_split", "validation_data", "sample_weight", "class_weight")
FIT += ("shuffle",)


def early_stopping(threads):
    stop = callbacks.EarlyStopping(patience=0, min_delta=10, restore_best_weights=True)
    return plain(threads, callbacks=[stop], validation_split=0.2, epochs=9)


def stopped_by_one(threads):
    """A callback of the user's own that stops on the last rank alone."""
    plan = DataParallel()

    class Stop(fastnn.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.stop_training = epoch == 1 and plan.rank == plan.size - 1

    return plain(threads, plan=plan, callbacks=[Stop()], epochs=9)


def shard(threads):
    """Each rank has rows of its own, as many as all parts have in the same places on one."""
    plan = DataParallel(shard=True)
    x, y = rows(208)
    weight = np.linspace(0.5, 2, 208)
    x, y, weight = own((x, y, weight), plan)
    held = own(rows(80), plan)
    return plain(threads, plan=plan, data=(x, y), sample_weight=weight, validation_data=tuple(held))


def table(threads):
    """Each rank reads the row groups of its parts; fewer of them than parts, and not of one size."""
    folder = Path(sys.argv[1]) / "table"
    plan = DataParallel()
    return plain(
        threads,
        plan=plan,
        data=(fastnn.data.open(folder, target="y"), None),
        validation_data=fastnn.data.open(folder, target="y"),
        metrics=["accuracy", fastnn.metrics.SparseTopKCategoricalAccuracy(1)],
    )


class Interrupt(fastnn.callbacks.Callback):
    """Ctrl-C on the last rank, in the midst of an epoch, if the environment says so."""

    every_n_steps = 5

    def __init__(self, plan):
        super().__init__()
        self.plan = plan

    def on_train_batch_end(self, batch, logs=None):
        if (
            os.environ.get("INTERRUPT")
            and self.plan.rank == self.plan.size - 1
            and self.model.optimizer.iterations == 5
        ):
            os.kill(os.getpid(), signal.SIGINT)


def resumed(threads):
    """Goes on where it was interrupted."""
    plan = DataParallel()
    backup = callbacks.BackupAndRestore(Path(sys.argv[1]) / f"backup{threads}", delete_checkpoint=False)
    stack = [layers.Dense(40, "relu"), layers.BatchNormalization(), layers.Dropout(0.3)]
    measured = ["accuracy", fastnn.metrics.SparseTopKCategoricalAccuracy(1)]
    return plain(
        threads, plan=plan, stack=stack, callbacks=[Interrupt(plan), backup], metrics=measured, validation_split=0.1
    )


def averaged_resumed(threads):
    """The same where ranks take the mean of their weights every third step."""
    plan = DataParallel(sync_every=3)
    backup = callbacks.BackupAndRestore(Path(sys.argv[1]) / f"averaged backup{threads}", delete_checkpoint=False)
    return plain(threads, plan=plan, callbacks=[Interrupt(plan), backup])


def resumed_table(threads):
    """The same with a table of which each rank has read a part."""
    plan, folder = DataParallel(), Path(sys.argv[1]) / "table"
    backup = callbacks.BackupAndRestore(Path(sys.argv[1]) / f"table backup{threads}", delete_checkpoint=False)
    return plain(
        threads,
        plan=plan,
        data=(fastnn.data.open(folder, target="y"), None),
        validation_data=fastnn.data.open(folder, target="y"),
        callbacks=[Interrupt(plan), backup],
    )


def messages(threads):
    """Gradients sent as a whole and in halves, as between machines, and not added up in memory that ranks share."""
    room, small = ranks.Ranks.room, ranks.SMALL
    ranks.Ranks.room = lambda *what: None
    try:
        for ranks.SMALL in (2**30, 0):
            model, history = plain(threads, stack=[layers.Dense(40, "relu"), layers.BatchNormalization()])
            yield model, history
    finally:
        ranks.Ranks.room, ranks.SMALL = room, small


def whole(threads):
    return next(messages(threads))


def halves(threads):
    return list(messages(threads))[1]


def alone(threads):
    """The same fit without a distribution, whose numbers differ by rounding alone."""
    x, y = rows()
    stack = [layers.Dense(40, "relu"), layers.Dropout(0.3), layers.Dense(2, "softmax")]
    model = fastnn.Sequential(stack, seed=0)
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"], threads=threads)
    return model, model.fit(x, y, batch_size=48, epochs=3, validation_split=0.2, verbose=0)


def together(threads):
    stack = [layers.Dense(40, "relu"), layers.Dropout(0.3)]
    return plain(threads, stack=stack, optimizer="sgd", validation_split=0.2)


def dense():
    return layers.Dense(40, "relu")


SCENES = {
    "momentum": lambda t: plain(t, optimizer=optimizers.SGD(0.1, 0.9, nesterov=True)),
    "adam in order": lambda t: plain(t, shuffle=False),
    "float64": lambda t: plain(t, dtype="float64", optimizer=optimizers.RMSprop(0.01)),
    "dropout": lambda t: plain(t, stack=[dense(), layers.Dropout(0.3), layers.GaussianNoise(0.1)]),
    "batches normalised": lambda t: plain(t, stack=[layers.BatchNormalization(), dense(), layers.BatchNormalization()]),
    "rows normalised": lambda t: plain(t, stack=[dense(), layers.LayerNormalization(), layers.PReLU()]),
    "a schedule": lambda t: plain(t, optimizer=optimizers.Adam(schedules.CosineDecay(0.01, 12, warmup_steps=3))),
    "weights": lambda t: plain(t, sample_weight=np.linspace(0, 2, ROWS), class_weight={0: 1.0, 1: 3.0}),
    "validation": lambda t: plain(t, validation_split=0.2, sample_weight=np.linspace(0.1, 2, ROWS)),
    "outputs measured": lambda t: plain(
        t, validation_split=0.2, metrics=[fastnn.metrics.SparseTopKCategoricalAccuracy(1)]
    ),
    "penalties": lambda t: plain(
        t, stack=[layers.Dense(40, "relu", kernel_regularizer="l2", kernel_constraint="max_norm")]
    ),
    "clipped": lambda t: plain(t, optimizer=optimizers.Adam(0.01, global_clipnorm=0.05)),
    "accumulated": lambda t: plain(t, optimizer=optimizers.Adam(0.01, gradient_accumulation_steps=2, use_ema=True)),
    "few rows": lambda t: plain(t, data=rows(5)),
    "small batches": lambda t: plain(t, batch_size=3, epochs=1),
    "one batch": lambda t: plain(t, batch_size=500),
    "large message": lambda t: plain(t, stack=[layers.Dense(300, "relu"), layers.Dense(200, "relu")], epochs=2),
    "converted": lambda t: plain(t, data=(rows()[0].astype(np.float16), rows()[1])),
    "frozen": lambda t: plain(t, stack=[layers.Dense(40, "relu", trainable=False), dense()]),
    "reduced rate": lambda t: plain(
        t, callbacks=[callbacks.ReduceLROnPlateau(patience=1, min_delta=9)], epochs=6, validation_split=0.2
    ),
    "numpy": lambda t: plain(t, backend="numpy", stack=[dense(), layers.Dropout(0.3), layers.BatchNormalization()]),
    "cython": lambda t: plain(t, backend="cython", stack=[dense(), layers.Dropout(0.3)]),
    "early stopping": early_stopping,
    "stopped by one": stopped_by_one,
    "shard": shard,
    "table": table,
    "messages as a whole": whole,
    "messages in halves": halves,
    "resumed": resumed,
    "table resumed": resumed_table,
}
OTHERS = {
    "alone": alone,
    "together": together,
    "any order": lambda t: plain(t, plan=DataParallel(deterministic=False), epochs=2),
    "averaged resumed": averaged_resumed,
    "averaged": lambda t: plain(t, plan=DataParallel(sync_every=3), validation_split=0.2),
    "averaged with momentum": lambda t: plain(t, plan=DataParallel(sync_every=3, outer_momentum=0.5)),
    "averaged shards": lambda t: averaged_shards(t),
}


def averaged_shards(threads):
    plan = DataParallel(sync_every=2, shard=True)
    x, y = rows()
    first = 40 if plan.size > 1 else 0  # the first rank has fewer rows than the others together
    cuts = np.linspace(first, ROWS, plan.size + 1 if plan.size == 1 else plan.size).astype(int)
    starts = [0, *cuts] if plan.size > 1 else cuts
    part = slice(starts[plan.rank], starts[plan.rank + 1])
    return plain(threads, plan=plan, data=(x[part], y[part]))


def digest(*arrays):
    return hashlib.sha256(b"".join(np.ascontiguousarray(array).tobytes() for array in arrays)).hexdigest()[:16]


def main():
    folder, *names = sys.argv[1:]
    ended = {}
    for name in names or SCENES:
        print(name, flush=True) if os.environ.get("TELL") else None
        for threads in (1, 2):
            model, history = {**SCENES, **OTHERS}[name](threads)
            x, _ = rows()
            ended[f"{name}, {threads}"] = {
                "weights": digest(*model.get_weights()),
                "history": {key: [float(v).hex() for v in values] for key, values in history.history.items()},
                "predictions": digest(model.predict(x)),
                "iterations": int(model.optimizer.iterations),
                "interrupted": history.interrupted,
                "values": np.concatenate([w.ravel() for w in model.get_weights()])[:50].tolist(),
            }
    rank = os.environ.get("OMPI_COMM_WORLD_RANK") or os.environ.get("PMI_RANK") or "0"
    (Path(folder) / f"{rank}.json").write_text(json.dumps(ended))


if __name__ == "__main__":
    main()
