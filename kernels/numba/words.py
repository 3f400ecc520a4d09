"""The vocabulary in LLVM: what emits the instructions of each word."""

from functools import cache

from . import scalar_words
from .lanes import Lower
from .memory_words import MemoryWords, reading_words
from .vector_words import VectorWords, comparison_words, exchange_words


@cache
def vocabulary(dtype: str, lanes: int) -> dict[str, Lower]:
    """Every word for ``dtype`` ("float32" or "float64") at ``lanes`` values a vector, by name."""
    vectors = VectorWords(dtype, lanes)
    return {
        **MemoryWords(dtype, lanes).words(),
        **reading_words(vectors),
        **vectors.words(),
        **exchange_words(vectors),
        **comparison_words(),
        **scalar_words.WORDS,
    }
