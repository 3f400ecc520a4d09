"""x"""

from .run import load, mixed, shuffled

__all__ = ["load", "mixed", "shuffled"]
