"""What notebooks show of models and histories: tables in HTML."""

import html
from collections.abc import Iterable, Sequence


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table in HTML; numbers stand to the right, floats with four digits."""
    head = "".join(f"<th>{html.escape(name)}</th>" for name in columns)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    return f"<table><caption>{html.escape(title)}</caption><tr>{head}</tr>{body}</table>"


def _cell(value: object) -> str:
    number = isinstance(value, int | float)
    text = f"{value:,}" if isinstance(value, int) else f"{value:.4g}" if isinstance(value, float) else str(value)
    return f'<td style="text-align: {"right" if number else "left"}">{html.escape(text)}</td>'
