"""``python -m fastnn`` and the command ``fastnn``."""

from __future__ import annotations

import sys

from .extras import require


def main() -> None:
    """Run the command line, or say which package it lacks."""
    try:
        require("click", "cli")
    except ModuleNotFoundError as error:
        sys.exit(f"Error: {error}")
    from .cli import commands

    commands(prog_name="fastnn")


if __name__ == "__main__":
    main()
