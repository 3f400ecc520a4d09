"""The command line: train a network on a table, predict with it, and look at the machinery."""

from .commands import commands
