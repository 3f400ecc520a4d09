"""Docstrings as they are meant: plain text, whose equations hold asterisks, bars and underscores that are no markup."""

import re

CODE = re.compile(r"(``.+?``)")
SINGLE = re.compile(r"(?<![`\w:])`([^`]+)`(?![`_])")
MARKS = re.compile(r"\*|\||(?<=\w)_(?!\w)")
FIELD = re.compile(r"[\w*.]+(, [\w*.]+)* : ")  # names of parameters, which numpydoc reads


def literal(line):
    """Write out one line for reStructuredText: `name` as code, and marks as themselves."""
    pieces = CODE.split(SINGLE.sub(r"``\1``", line))
    return "".join(piece if k % 2 else MARKS.sub(r"\\\g<0>", piece) for k, piece in enumerate(pieces))


def write_out(app, what, name, obj, options, lines):
    """Change a docstring's lines in place, but for examples, headings and the names of parameters."""
    example = False
    for k, line in enumerate(lines):
        example = line.lstrip().startswith(">>>") or (example and bool(line.strip()))
        field = FIELD.match(line)
        if not example and not field:
            lines[k] = literal(line)
        elif field:
            lines[k] = field.group() + literal(line[field.end() :])


def setup(app):
    app.setup_extension("sphinx.ext.autodoc")
    app.connect("autodoc-process-docstring", write_out, priority=400)  # before numpydoc
    return {"parallel_read_safe": True, "parallel_write_safe": True}
