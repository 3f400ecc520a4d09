"""The README and the pages of docs: every block of code runs and prints what they say, or is in the list below.

A new page's blocks are run without being listed.  The Python blocks of a page run one after the other, in one folder,
and know the names of those before.  What is printed stands in comments behind the prints, or in a ```text block right
behind the code; `tests/tools/printed.py` says how it is compared.
"""

import ast
import asyncio
import contextlib
import doctest
import io
import json
import re
import shutil
import subprocess
import tomllib

import pages
import pytest
from printed import matches

import fastnn

OPTIONAL = ("dask", "dask_ml", "fastapi", "joblib", "keras", "matplotlib", "onnxruntime", "optuna", "pandas", "polars")
OPTIONAL += ("pyarrow", "skl2onnx", "sklearn", "skops", "torch")

NOT_RUN = {  # of each block, by its page and by words in it: why; its syntax and its names are checked all the same
    (
        "docs/distributed.md",
        "# the line",
    ): "MPI would begin in the process of the tests; tests/distribution runs such scripts",
    ("docs/distributed.md", "TabularRegressor(distribution="): "the same",
    ("docs/distributed.md", "DataParallel(sync_every=50)"): "the same",
    (
        "docs/distributed.md",
        "LocalCluster(",
    ): "starts processes that import the script; tests/sklearn/test_searches.py does so",
}
RUN_COMMANDS = ("README.md", "docs/start.md")  # with the table that docs/start.md makes
SHOWN = {"text", "matlab"}  # languages of what is shown, and does not run here
PROGRAMS = {".", "cd", "mkdir", "pip", "uvicorn", "git", "cmake"}  # whose commands need a network, or change the shell


def documents():
    return pages.pages() or [pytest.param("", marks=pytest.mark.skip("an sdist has no docs"))]


def of_language(page, *languages):
    return [block for block in pages.blocks(page) if block.language in languages]


def not_run(block):
    return any(block.page == page and words in block.text for page, words in NOT_RUN)


def missing(block):
    """A package that a block imports and that is not here."""
    names = [name for name in OPTIONAL if re.search(rf"^\s*(import|from) {name}\b", block.text, re.MULTILINE)]
    for name in names:
        try:
            __import__(name)
        except ImportError:
            return name
    return "a C compiler" if '"cc ' in block.text and shutil.which("cc") is None else None


def run_python(block, names):
    """Run a block as a part of its page, so that a traceback has the page's own lines; return what it prints."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile("\n" * (block.line - 1) + block.text, block.page, "exec"), names)
    return out.getvalue()


def run_commands(block):
    """Run the commands of a block in this process, as `fastnn`; return what they print."""
    from click.testing import CliRunner

    from fastnn.cli.commands import commands

    out = ""
    for words in pages.commands(block):
        assert words[0] == "fastnn", words
        result = CliRunner().invoke(commands, words[1:])
        assert result.exit_code == 0, result.output
        out += result.output
    return out


def make_tables(folder):
    """Write the tables that docs/start.md makes: houses.csv and new.csv."""
    for block in of_language("docs/start.md", "python")[:2]:
        run_python(block, {})
    assert (folder / "houses.csv").exists()
    assert (folder / "new.csv").exists()


def compare(block, wanted, got):
    assert matches(wanted, got), f"{block.page}:{block.line} prints\n{got}\nand says that it prints\n{wanted}"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "agg")
    return tmp_path


def run(block, names):
    """Run a block of Python or of commands, and return what it prints; None for any other."""
    if block.language == "python" and not not_run(block):
        return run_python(block, names)
    words = pages.commands(block) if block.language == "sh" and block.page in RUN_COMMANDS else []
    return run_commands(block) if words and all(word[0] == "fastnn" for word in words) else None


@pytest.mark.parametrize("page", documents())
def test_blocks_print_what_the_page_says(page, folder):
    names, lacking = {"__name__": "page"}, set()
    if page == "README.md":
        make_tables(folder)
    for block in pages.blocks(page):
        if absent := missing(block):
            lacking.add(absent)
        elif (got := run(block, names)) is not None:
            wanted = pages.printed(block) if block.language == "python" else block.output
            assert wanted is None or matches(wanted, got), (
                f"{page}:{block.line} prints\n{got}\nand says that it prints\n{wanted}"
            )
    if lacking:
        pytest.skip(f"some blocks need {', '.join(sorted(lacking))}")


@pytest.mark.parametrize("page", documents())
def test_blocks_that_are_not_run_are_sound(page):
    for block in pages.blocks(page):
        place = f"{page}:{block.line}"
        match block.language:
            case "python":
                for path in dotted_names(ast.parse(block.text)):
                    assert is_there(path), f"{place}: {path}"
            case "pycon":
                example = doctest.DocTestParser().get_doctest(block.text, {}, page, page, block.line)
                assert not doctest.DocTestRunner().run(example).failed, place
            case "sh":
                assert subprocess.run(["bash", "-n"], input=block.text, text=True).returncode == 0, place
                for words in pages.commands(block):
                    check_command(words, place)
            case "json":
                json.loads(block.text)
            case "toml":
                tomllib.loads(block.text)
            case language:
                assert language in SHOWN, f"{place}: blocks of {language!r} are neither run nor in SHOWN"


def dotted_names(tree):
    """What a block takes from fastnn, as in fastnn.layers.Dense."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and re.fullmatch(r"fastnn(\.\w+)+", ast.unparse(node)):
            yield ast.unparse(node)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "fastnn":
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def is_there(path):
    place = fastnn
    for part in path.split(".")[1:]:
        if part == "torch" and missing_torch():
            return True
        try:
            place = getattr(place, part)
        except AttributeError:
            with contextlib.suppress(ImportError):
                place = __import__(f"{place.__name__}.{part}", fromlist=[part])
                continue
            return False
    return True


def missing_torch():
    try:
        import torch  # noqa: F401
    except ImportError:
        return True
    return False


def check_command(words, place):
    """Whether a command is one that there is, with options that it has."""
    if words[0] in ("mpiexec", "srun"):
        words = words[next(k for k, word in enumerate(words) if word in ("fastnn", "python")) :]
    if "|" in words:
        words = words[: words.index("|")]
    match words:
        case ["fastnn", name, *rest]:
            check_arguments(name, rest, place)
        case ["make", *targets]:
            rules = re.findall(r"^([\w-]+):", (pages.ROOT / "Makefile").read_text(), re.MULTILINE)
            assert {target for target in targets if "=" not in target} <= set(rules), place
        case ["python", "-m", "benchmarks", name, *_]:
            assert f'"{name}": (' in (pages.ROOT / "benchmarks" / "__main__.py").read_text(), f"{place}: {name}"
        case ["python" | "python3", *_]:
            pass
        case [program, *_]:
            assert program in PROGRAMS, f"{place}: {program}"


def check_arguments(name, rest, place):
    click = pytest.importorskip("click")
    from fastnn.cli.commands import commands

    class Anything(click.Path):
        def convert(self, value, parameter, context):
            return value

    command = commands.commands[name]
    kinds = [parameter.type for parameter in command.params]
    try:
        for parameter in command.params:
            if isinstance(parameter.type, click.Path):
                parameter.type = Anything()
        with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(click.exceptions.Exit):
            command.make_context(name, list(rest))
    except click.ClickException as error:
        raise AssertionError(f"{place}: fastnn {name}: {error.format_message()}") from None
    finally:
        for parameter, kind in zip(command.params, kinds, strict=True):
            parameter.type = kind


@pytest.mark.parametrize(("page", "words"), NOT_RUN)
def test_what_is_not_run_is_there(page, words):
    if not pages.pages():
        pytest.skip("an sdist has no docs")
    assert [block for block in of_language(page, "python") if words in block.text], "the entry is no longer needed"


@pytest.mark.parametrize("page", documents())
def test_links_lead_to_pages_and_headings_that_there_are(page):
    for path, anchor in pages.links(page):
        target = (pages.ROOT / page).parent / path if path else pages.ROOT / page
        assert target.exists(), f"{page}: {path}"
        if anchor and target.suffix == ".md":
            name = str(target.resolve().relative_to(pages.ROOT))
            assert anchor in pages.anchors(name), f"{page}: {path}#{anchor}"


def test_the_service_answers_over_http(folder):
    pytest.importorskip("fastapi")
    if not pages.pages():
        pytest.skip("an sdist has no docs")
    names = {"__name__": "service"}
    (service,) = [block for block in of_language("docs/deploy.md", "python") if "FastAPI()" in block.text]
    run_python(service, names)
    for body, status in ((b'{"values": [1, 2, 3, 4]}', 200), (b'{"values": [1, 2, 3]}', 422), (b"{", 422)):
        assert asyncio.run(posted(names["app"], "/predict", body)) == status


async def posted(app, path, body):
    """The status of an ASGI application's answer."""
    answers = []

    async def receive():
        return {"type": "http.request", "body": body}

    async def send(message):
        answers.append(message)

    headers = [(b"content-type", b"application/json")]
    scope = {"type": "http", "method": "POST", "path": path, "headers": headers, "query_string": b"", "root_path": ""}
    await app(scope | {"http_version": "1.1", "scheme": "http", "server": ("x", 80), "client": ("y", 1)}, receive, send)
    return answers[0]["status"]


def test_names_are_there_or_not_as_is_said_to_those_who_come_from_keras():
    if not pages.pages():
        pytest.skip("an sdist has no docs")
    listed = re.findall(
        r"^- \*\*([\w.]+)\*\*: (.*?)(?=^- \*\*|^$)", pages.read("docs/from-keras.md"), re.DOTALL | re.MULTILINE
    )
    assert len(listed) >= 10
    for module, names in listed:
        place = fastnn
        for part in module.split("."):
            place = getattr(place, part)
        there, _, missing = " ".join(names.split()).partition("Not here:")
        for name in re.findall(r"`(\w+)`", there):
            assert hasattr(place, name) or name == "learning_rate", (module, name)
        for name in re.findall(r"`(\w+)`", missing):
            assert not hasattr(place, name), (module, name)
