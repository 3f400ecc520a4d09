"""What those who join the project read says the same as the project does."""

import re

import pages
import pytest
from printed import matches

import fastnn

HERE = pages.ROOT


def read(name):
    path = HERE / name
    if not path.exists():
        pytest.skip("an sdist has no such file")
    return path.read_text(encoding="utf-8")


def test_the_citation_is_of_this_version():
    assert re.search(r"^version: (.*)$", read("CITATION.cff"), re.MULTILINE)[1] == fastnn.__version__


def test_the_newest_version_of_the_changelog_is_this_one_and_each_has_a_date_and_kinds_of_changes():
    text = read("CHANGELOG.md")
    versions = re.findall(r"^## \[?(\d[^] ]*)\]? - (\d{4}-\d\d-\d\d)$", text, re.MULTILINE)
    assert versions[0][0] == fastnn.__version__
    assert [date for _, date in versions] == sorted((date for _, date in versions), reverse=True)
    kinds = set(re.findall(r"^### (.*)$", text, re.MULTILINE))
    assert kinds <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_pre_commit_runs_what_make_lint_runs():
    recipe = re.search(r"^lint:.*\n((?:\t.*\n)+)", read("Makefile"), re.MULTILINE)[1]
    wanted = [line.strip().replace("$(BIN)", ".venv/bin") for line in recipe.splitlines()]
    assert re.findall(r"entry: (.*)", read(".pre-commit-config.yaml")) == wanted


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "SECURITY.md", "CODE_OF_CONDUCT.md", "CHANGELOG.md"])
def test_links_lead_somewhere(page):
    read(page)
    for path, anchor in pages.links(page):
        assert (HERE / path).exists(), path
        assert not anchor or anchor in pages.anchors(path or page), f"{path}#{anchor}"


@pytest.mark.parametrize(
    ("wanted", "got", "same"),
    [
        ("0.97", "0.96", True),
        ("0.97", "0.93", False),
        ("[2.9 1]", "[2.9  1]", True),
        ("3 True", "3 False", False),
        ("12", "13", False),
        ("R2 ... of 64", "R2 0.3 of 64", True),
        ("R2 ... of 64", "R2 0.3 of 65", False),
        ("1e-05", "1.2e-05", True),
        ("", "a line too many", False),
    ],
)
def test_what_is_printed_may_differ_in_the_last_digit_and_in_nothing_else(wanted, got, same):
    assert matches(wanted, got) == same
