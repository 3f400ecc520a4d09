"""Rows for training, evaluating and predicting: checked, and read a block at a time where they are not in memory."""

from .array_source import ArraySource
from .arrays import as_array, check_finite, features, read_by_rows, targets, weights
from .batch_source import BatchSource
from .blocks import Feed, evaluate
from .checks import batch_size, positive_integer, real_number, validation_split
from .chunks import Chunk
from .file_source import FileSource
from .prefetch import Block, End, Reader
from .requirements import Requirements
from .streams import Stream, find, open, stream

__all__ = [
    "ArraySource",
    "BatchSource",
    "Block",
    "Chunk",
    "End",
    "Feed",
    "FileSource",
    "Reader",
    "Requirements",
    "Stream",
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
