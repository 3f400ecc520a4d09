"""Links of the pages to files of the repository: to the page that shows the file, or else the words alone."""

import re

LINK = re.compile(r"\[([^\]]+)\]\((\.\./[^)#]+)(#[^)]*)?\)")
PAGES = {"../CHANGELOG.md": "changes.md", "../CONTRIBUTING.md": "contributing.md"}


def resolve(app, docname, source):
    """Replace `[words](../file)`, which lies outside of the site."""

    def replaced(match):
        words, file, _ = match.groups()
        folder = "../" * docname.count("/")
        return f"[{words}]({folder}{PAGES[file]})" if file in PAGES else words

    source[0] = LINK.sub(replaced, source[0])


def setup(app):
    app.connect("source-read", resolve)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
