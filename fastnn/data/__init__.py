"""Rows for training, evaluating and predicting: checked, and read a block at a time where they are not in memory."""

from .arrays import (
    as_array,
    batch_size,
    check_finite,
    features,
    positive_integer,
    read_by_rows,
    real_number,
    targets,
    validation_split,
    weights,
)
from .blocks import Feed, StreamTraining, Wanted, evaluate
from .file_source import Batches, Chunk, Files, Rows
from .streams import Stream, find, open, stream

__all__ = [
    "Batches",
    "Chunk",
    "Feed",
    "Files",
    "Rows",
    "Stream",
    "StreamTraining",
    "Wanted",
    "as_array",
    "batch_size",
    "check_finite",
    "evaluate",
    "features",
    "find",
    "open",
    "positive_integer",
    "read_by_rows",
    "real_number",
    "stream",
    "targets",
    "validation_split",
    "weights",
]
