"""The documents: their blocks of code, what these print, their commands and their links."""

import ast
import io
import re
import shlex
import tokenize
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent.parent
FENCE = re.compile(r"^(`{3,}|:{3,})(\S*)[^\n]*\n(.*?)^\1 *$", re.DOTALL | re.MULTILINE)
CODE = re.compile(r"\{(code-block|code|sourcecode)\}")


class Block(NamedTuple):
    """A block of code: its language, its text, the line of its first line, and a ```text block that follows at once."""

    page: str
    language: str
    text: str
    line: int
    output: str | None


def pages():
    """The README and all pages of the documentation, by their paths from the top; empty in an sdist."""
    found = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))] if (ROOT / "docs").is_dir() else []
    return [str(path.relative_to(ROOT)) for path in found if "_build" not in path.parts]


def read(page):
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(page):
    """The blocks of a page, in order; directives such as {note} are none."""
    text, found = read(page), []
    matches = list(FENCE.finditer(text))
    for number, match in enumerate(matches):
        language = match[2] or "text"
        if CODE.match(language):
            language = match[0].split("\n", 1)[0].split("}", 1)[1].strip()
        if language.startswith("{") or match[1].startswith(":"):
            continue
        after = matches[number + 1] if number + 1 < len(matches) else None
        follows = after and after[2] == "text" and not text[match.end() : after.start()].strip()
        line = text.count("\n", 0, match.start(3)) + 1
        found.append(Block(page, language, match[3], line, after[3] if follows else None))
    return found


def printed(block):
    """What a Python block says that it prints: in the ```text block behind it, or in comments behind its prints."""
    if block.output is not None:
        return block.output
    tokens = tokenize.generate_tokens(io.StringIO(block.text).readline)
    comments = {token.start[0]: token.string.lstrip("# ") for token in tokens if token.type == tokenize.COMMENT}
    calls = [
        node.end_lineno
        for node in ast.walk(ast.parse(block.text))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    return "\n".join(comments[line] for line in sorted(calls) if line in comments)


def commands(block):
    """The commands of a shell block, each a list of words."""
    lines = block.text.replace("\\\n", " ").splitlines()
    return [words for line in lines if (words := shlex.split(line, comments=True))]


def links(page):
    """The links of a page to other files here: path and anchor, without those in code."""
    text = re.sub(r"`[^`\n]*`", "", FENCE.sub("", read(page)))
    found = re.findall(r"\]\(<?([^)\s>]+)>?\)", text)
    return [tuple(link.partition("#")[::2]) for link in found if not re.match(r"\w+:", link)]


def anchors(page):
    """The anchors of a page's headings, as code hosts make them."""
    headings = re.findall(r"^#+ (.*)$", FENCE.sub("", read(page)), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", re.sub(r"[`*]", "", heading).lower()).replace(" ", "-") for heading in headings}
