"""Rows for training, evaluating and predicting: checked, and read a block at a time where they are not in memory."""

from .array_source import ArraySource
from .arrays import as_array, check_finite, features, read_by_rows, targets, weights
from .batch_source import BatchSource, PyDataset
from .blocks import Feed, batches, evaluate
from .checks import batch_size, boolean, positive_integer, real_number, validation_split
from .chunks import Chunk
from .class_weights import weighed
from .file_source import FileSource
from .passes import Passes
from .prefetch import Block, End, Reader
from .requirements import Requirements
from .streams import Stream, find, open, stream

__all__ = ["Stream", "as_array", "batch_size", "check_finite", "features", "open", "positive_integer", "read_by_rows"]
__all__ += ["real_number", "stream", "targets", "validation_split", "weights"]
