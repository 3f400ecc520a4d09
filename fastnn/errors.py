"""What can go wrong in a way of its own; everything else is a ValueError, a TypeError or an OSError."""

__all__ = ["DivergenceWarning", "ModelFileError"]


class DivergenceWarning(UserWarning):
    """Training ran off to infinity; it was stopped, and the weights of the last good epoch are kept."""


class ModelFileError(ValueError):
    """A file is no model of fastnn's, is damaged, or was written by a newer fastnn."""
