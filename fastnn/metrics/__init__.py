"""Metrics: numbers to watch while the loss is made small, with Keras's names and values.

In the equations y is an output and t its target. "accuracy" stands for the accuracy that suits the model: for one
output `BinaryAccuracy`, for class numbers `SparseCategoricalAccuracy`, else `CategoricalAccuracy`.

Plain means over rows are made by the compiled run. All others, and weighted ones, are made by NumPy of the outputs that
a compiled run keeps for them: those before each step in training, as in Keras.
"""

from __future__ import annotations

import inspect
from typing import Any

from fastnn import losses
from fastnn.absent import missing
from fastnn.names import publish
from .accuracies import (
    Accuracy,
    BinaryAccuracy,
    CategoricalAccuracy,
    SparseCategoricalAccuracy,
    SparseTopKCategoricalAccuracy,
    TopKCategoricalAccuracy,
)
from .auc import AUC
from .base import LossMetric, Mean, MeanMetricWrapper, Metric, Sum
from .confusion import FalseNegatives, FalsePositives, Precision, Recall, TrueNegatives, TruePositives
from .constrained import PrecisionAtRecall, RecallAtPrecision, SensitivityAtSpecificity, SpecificityAtSensitivity
from .f_score import F1Score, FBetaScore
from .functions import (
    binary_accuracy,
    categorical_accuracy,
    cosine_similarity,
    sparse_categorical_accuracy,
    sparse_top_k_categorical_accuracy,
    top_k_categorical_accuracy,
)
from .probabilities import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    CategoricalHinge,
    Hinge,
    KLDivergence,
    Poisson,
    SparseCategoricalCrossentropy,
    SquaredHinge,
)
from .registry import deserialize, get, serialize
from .regression import (
    CosineSimilarity,
    LogCoshError,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    R2Score,
    RootMeanSquaredError,
)
from .watched import Watch, Watched, resolve

__all__ = ["AUC", "Accuracy", "BinaryAccuracy", "BinaryCrossentropy", "CategoricalAccuracy", "CategoricalCrossentropy"]
__all__ += ["CategoricalHinge", "CosineSimilarity", "F1Score", "FBetaScore", "FalseNegatives", "FalsePositives"]
__all__ += ["Hinge", "KLDivergence", "LogCoshError", "LossMetric", "Mean", "MeanAbsoluteError"]
__all__ += ["MeanAbsolutePercentageError", "MeanMetricWrapper", "MeanSquaredError", "MeanSquaredLogarithmicError"]
__all__ += ["Metric", "Poisson", "Precision", "PrecisionAtRecall", "R2Score", "Recall", "RecallAtPrecision"]
__all__ += ["RootMeanSquaredError", "SensitivityAtSpecificity", "SparseCategoricalAccuracy"]
__all__ += ["SparseCategoricalCrossentropy", "SparseTopKCategoricalAccuracy", "SpecificityAtSensitivity"]
__all__ += ["SquaredHinge", "Sum", "TopKCategoricalAccuracy", "TrueNegatives", "TruePositives", "Watch", "Watched"]
__all__ += ["binary_accuracy", "categorical_accuracy", "cosine_similarity", "deserialize", "get", "serialize"]
__all__ += ["sparse_categorical_accuracy", "sparse_top_k_categorical_accuracy", "top_k_categorical_accuracy"]


def __getattr__(name: str) -> Any:
    """Find the functions of `fastnn.losses` here, too, as in Keras: metrics.mean_squared_error."""
    found = vars(losses.functions).get(name)
    if not inspect.isfunction(found) or name not in losses.__all__:
        raise missing(__name__, name)
    return found


publish(__name__)
