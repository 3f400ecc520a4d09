"""Files of the repository on the site: some are pages; links to others are words alone.

A page that includes `../NAME.md` is that file.
"""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
INCLUDE = re.compile(r"```\{include\} \.\./(\S+)\n```\n")
LINK = re.compile(r"\[([^\]]+)\]\((?!https?:|#)([^)#\s]+)(#[^)\s]*)?\)")
PAGES = {
    "CHANGELOG.md": "changes.md",
    "CODE_OF_CONDUCT.md": "conduct.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
}


def resolve(folder, text):
    """Point links of a file to pages of the site; where there is none, keep the words."""

    def replaced(match):
        words, file, place = match.groups(default="")
        target = (folder / file).resolve()
        if target.parent == ROOT and target.name in PAGES:
            return f"[{words}]({PAGES[target.name]}{place})"
        inside = target.is_relative_to(ROOT / "docs")
        return f"[{words}]({target.relative_to(ROOT / 'docs')}{place})" if inside else words

    return LINK.sub(replaced, text)


def read(app, docname, source):
    """Change the text of a Markdown page in place, before it is parsed."""
    path = Path(app.env.doc2path(docname))
    if path.suffix != ".md" or path.parent != ROOT / "docs":
        return
    included = INCLUDE.fullmatch(source[0])
    if included:
        path = ROOT / included[1]
        app.env.note_dependency(str(path), docname=docname)
        source[0] = path.read_text(encoding="utf-8")
    source[0] = resolve(path.parent, source[0])


def setup(app):
    app.connect("source-read", read)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
