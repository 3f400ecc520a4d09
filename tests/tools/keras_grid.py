"""What Keras says of losses and metrics, over last activations, targets and weights: a table for the tests.

    KERAS_BACKEND=numpy python tests/tools/keras_grid.py    write tests/metrics/keras_grid.json anew, with Keras 3.15

Keras's formulas are the same on all its backends; NumPy's compiles nothing: it takes seconds where JAX's takes minutes.

A cell is a loss or a metric, a last activation, a kind of targets, without and with weights of rows.  Outputs are those
of a dense layer with fixed weights; a cell's value is the mean over batches of 32 and 8 rows that `evaluate` of Keras
gives, or "error".
"""

import json
import sys
import warnings
from pathlib import Path

import naive
import numpy as np

PLACE = Path(__file__).parent.parent / "metrics" / "keras_grid.json"
ROWS, BATCH = 40, 32
RNG = np.random.default_rng(16)
X = RNG.normal(size=(ROWS, 4)).astype("float32")
WEIGHT = RNG.uniform(0.25, 2, size=ROWS)
KERNELS = {n: [RNG.normal(size=(4, n)).astype("float32"), RNG.normal(size=n).astype("float32")] for n in (1, 3)}
ACTIVATIONS = {1: ("sigmoid", "linear", "tanh"), 3: ("softmax", "sigmoid", "linear")}
NUMBERS, CLASSES = RNG.normal(size=(ROWS, 3)), RNG.integers(3, size=ROWS)
YES = (NUMBERS > 0).astype(int)
TARGETS = {
    1: {
        "int (n,)": YES[:, 0],
        "bool (n,)": YES[:, 0] > 0,
        "float (n, 1)": YES[:, :1].astype(float),
        "soft (n, 1)": naive.sigmoid(NUMBERS[:, :1]),
        "-1 and 1 (n, 1)": 2.0 * YES[:, :1] - 1,
        "numbers (n,)": NUMBERS[:, 0],
        "counts (n, 1)": RNG.poisson(2, size=(ROWS, 1)).astype(float),
    },
    3: {
        "one-hot (n, 3)": np.eye(3)[CLASSES],
        "one-hot int (n, 3)": np.eye(3, dtype=int)[CLASSES],
        "soft (n, 3)": naive.softmax(NUMBERS),
        "several labels (n, 3)": YES.astype(float),
        "several labels bool (n, 3)": YES > 0,
        "-1 and 1 (n, 3)": 2.0 * YES - 1,
        "numbers (n, 3)": NUMBERS,
        "classes (n,)": CLASSES,
        "classes float (n, 1)": CLASSES[:, np.newaxis].astype(float),
    },
}


def losses(front):
    """Losses by name, as a program has them that imports ``front`` as keras."""
    names = "mse mae mape msle cosine_similarity huber log_cosh poisson kl_divergence hinge squared_hinge "
    names += "categorical_hinge binary_crossentropy binary_focal_crossentropy categorical_crossentropy "
    names += "categorical_focal_crossentropy sparse_categorical_crossentropy"
    objects = {
        f"{kind} from logits": getattr(front.losses, kind)(from_logits=True)
        for kind in ("BinaryCrossentropy", "CategoricalCrossentropy", "SparseCategoricalCrossentropy")
    }
    smooth = front.losses.BinaryCrossentropy(label_smoothing=0.2)
    return {name: name for name in names.split()} | objects | {"BinaryCrossentropy smooth": smooth}


def metrics(front):
    """Functions that make metrics, by name, as a program has them that imports ``front`` as keras."""
    names = "accuracy acc binary_accuracy categorical_accuracy sparse_categorical_accuracy mse MAE mape msle "
    names += "cosine_similarity bce categorical_crossentropy sparse_categorical_crossentropy kl_divergence poisson "
    names += "hinge squared_hinge categorical_hinge"
    m = front.metrics
    objects = {
        "AUC": m.AUC,
        "AUC PR": lambda: m.AUC(curve="PR"),
        "AUC of logits, majoring": lambda: m.AUC(from_logits=True, summation_method="majoring"),
        "Precision": m.Precision,
        "Precision top": lambda: m.Precision(top_k=1),
        "Recall at 0.3": lambda: m.Recall(thresholds=0.3),
        "F1Score macro": lambda: m.F1Score(average="macro"),
        "F1Score micro": lambda: m.F1Score(average="micro", threshold=0.4),
        "FBetaScore weighted": lambda: m.FBetaScore(average="weighted", beta=2.0, threshold=0.5),
        "R2Score": m.R2Score,
        "R2Score weighted": lambda: m.R2Score(class_aggregation="variance_weighted_average"),
        "TopK": lambda: m.TopKCategoricalAccuracy(k=2),
        "SparseTopK": lambda: m.SparseTopKCategoricalAccuracy(k=2),
        "TruePositives": m.TruePositives,
        "TrueNegatives": m.TrueNegatives,
        "FalsePositives": lambda: m.FalsePositives(thresholds=0.6),
        "FalseNegatives": m.FalseNegatives,
        "BinaryAccuracy at 0.3": lambda: m.BinaryAccuracy(threshold=0.3),
        "BinaryCrossentropy of logits": lambda: m.BinaryCrossentropy(from_logits=True),
        "RootMeanSquaredError": m.RootMeanSquaredError,
        "LogCoshError": m.LogCoshError,
        "PrecisionAtRecall": lambda: m.PrecisionAtRecall(0.6),
        "SensitivityAtSpecificity": lambda: m.SensitivityAtSpecificity(0.5),
        "Huber": front.losses.Huber,
        "mean_absolute_error function": lambda: front.losses.mean_absolute_error,
    }
    return {name: lambda name=name: name for name in names.split()} | objects


def places():
    """Every number of outputs, last activation and kind of targets."""
    for outputs, activations in ACTIVATIONS.items():
        for activation in activations:
            for kind in TARGETS[outputs]:
                yield outputs, activation, kind


def outputs_of(outputs, activation):
    """The network's outputs."""
    kernel, bias = KERNELS[outputs]
    return naive.ACTIVATIONS[activation][0](X @ kernel + bias).astype("float32")


def keras_values(keras, every=1):
    """Cells, of every so many names: {"losses" or "metrics": {name: {"activation, targets": [plain, weighted]}}}."""
    from keras.src.trainers import compile_utils

    def batches(y, p):
        y = y.astype("float32") if y.dtype == float else y
        for first in range(0, ROWS, BATCH):
            rows = slice(first, first + BATCH)
            yield y[rows], p[rows], WEIGHT[rows].astype("float32")

    def loss_of(loss, y, p, weighted):
        total = 0.0
        for t, q, w in batches(y, p):
            value = compile_utils.CompileLoss(loss)(t, keras.ops.convert_to_tensor(q), w if weighted else None)
            total += float(value) * len(q)
        return total / ROWS

    def metric_of(make, y, p, weighted):
        asked = [make()]
        found = compile_utils.CompileMetrics(None if weighted else asked, asked if weighted else None)
        for t, q, w in batches(y, p):
            q = keras.ops.convert_to_tensor(q)
            if not found.built:
                found.build(keras.ops.convert_to_tensor(t), q)
            found.update_state(keras.ops.convert_to_tensor(t), q, sample_weight=w)
        (value,) = found.result().values()
        return float(np.asarray(value).item())

    def cell(measure, what, outputs, activation, kind, weighted):
        try:
            value = measure(what, TARGETS[outputs][kind], outputs_of(outputs, activation), weighted)
        except Exception:
            return "error"
        return float(f"{value:.8g}") if np.isfinite(value) else str(value)

    return {
        what: {
            name: {
                f"{activation}, {kind}": [cell(measure, asked, *place, weighted) for weighted in (False, True)]
                for place in places()
                for _, activation, kind in [place]
            }
            for name, asked in list(named.items())[::every]
        }
        for what, named, measure in (("losses", losses(keras), loss_of), ("metrics", metrics(keras), metric_of))
    }


def main():
    import keras

    warnings.simplefilter("ignore")
    values = {"keras": keras.__version__, **keras_values(keras)}
    text = json.dumps(values, indent=0, separators=(",", ":")).replace(",\n[", ",[")
    PLACE.write_text(text.replace("[\n", "[").replace("\n]", "]").replace(',\n"error"', ',"error"') + "\n")
    print(PLACE, PLACE.stat().st_size, "bytes")


if __name__ == "__main__":
    sys.exit(main())
