"""The walk says the article's numbers, each computed, and draws a picture a section."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from fastnn import learn

TITLES = [title for title, _, _ in learn.SECTIONS]


def walk(sections, output):
    said = []
    learn.run(sections, output, said.append)
    return "\n".join(said)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("walk") / "new" / "pictures"


@pytest.fixture(scope="module")
def text(folder):
    """All that is said, with its pictures where matplotlib is here."""
    return walk([], folder)


@pytest.fixture(scope="module")
def sections(text):
    """What each section says, by its number."""
    parts = re.split(r"^(\d)\. .+\n=+$", text, flags=re.MULTILINE)[1:]
    return dict(zip(map(int, parts[::2]), parts[1::2], strict=True))


def row(text, name):
    """The cells of a table's row."""
    (line,) = re.findall(rf"^ +{re.escape(name)}  +(.*)$", text, re.MULTILINE)
    return line.split()


def numbers(text, name):
    return [float(cell) for cell in row(text, name)]


def test_every_section_is_there_in_order(text):
    assert re.findall(r"^(\d)\. (.+)\n=+$", text, re.MULTILINE) == [(str(i), t) for i, t in enumerate(TITLES, 1)]


def test_text_is_plain_and_fits_a_terminal(text):
    assert text.isascii()
    assert not [line for line in text.splitlines() if len(line) > 79 and not line.startswith("Picture: ")]
    assert "nan" not in text
    assert not re.search(r"-0\.0+\b|[~{}]", text)


def test_the_search_ends_at_the_best_line(sections):
    text = sections[1]
    assert numbers(text, "60") == numbers(text, "solved")
    assert numbers(text, "0")[-1] > 50 * numbers(text, "60")[-1]


def test_likelihood_is_greatest_and_both_slopes_are_zero_at_three_fifths(sections):
    text = sections[2]
    assert numbers(text, "0.6") == [0.03456, 0.67301, 0, 0]
    for p in (0.4, 0.5, 0.7):
        likelihood, _, slope, derivative = numbers(text, f"{p}")
        assert likelihood == pytest.approx(p**3 * (1 - p) ** 2, abs=5e-6)
        assert slope == pytest.approx(p - 0.6)
        assert derivative == pytest.approx(3 / p - 2 / (1 - p), abs=5e-5)
    assert "0.600000 after 60" in text.replace("\n", " ")
    sigmoid = numbers(text, "sigmoid")
    assert [p > 0.5 for p in sigmoid] == [False, False, False, True, True]
    assert sigmoid[2] == 0.5


def test_four_points_need_a_network(sections):
    text = sections[3]
    flat = text.replace("\n", " ")
    assert int(re.search(r"from 10 starts, it gets (\d) at best", flat)[1]) <= 3
    moved = re.findall(r"^ +([01]) +([01]) +(0\.\d\d) +(0\.\d\d) +([01]) +(0\.\d\d)$", text, re.MULTILINE)
    assert [(a, b, z1, z2, label) for a, b, z1, z2, label, _ in moved] == [
        ("0", "0", "0.27", "0.27", "0"),
        ("1", "1", "0.27", "0.27", "0"),
        ("0", "1", "0.73", "0.05", "1"),
        ("1", "0", "0.05", "0.73", "1"),
    ]
    assert [float(p) > 0.5 for *_, p in moved] == [False, False, True, True]
    assert "4 of 4 right" in flat
    assert int(re.search(r"two hidden neurons (\d+) learn all", flat)[1]) >= 1
    answers = re.search(r"answers ([\d., ]+)\.", flat)[1].split(", ")
    assert [float(answer) > 0.5 for answer in answers] == [False, False, True, True]


def test_forward_pass_gives_the_activations_of_the_figure(sections):
    text = sections[4]
    assert "= 4 and gives sigmoid(4) = 0.98" in text.replace("\n", " ")
    assert "".join(row(text, "(1, -1)")) == "(0.98,0.12)(0.86,0.11)(0.62,0.83)"
    assert "".join(row(text, "(0, 0)")) == "(0.73,0.50)(0.72,0.12)(0.51,0.85)"


def test_losses_are_what_their_formulas_say(sections):
    text = sections[5]
    assert numbers(text, "cross-entropy") == [0.0101, 0.1054, 0.6931, 2.3026, 4.6052]
    assert numbers(text, "squared error") == [0.0001, 0.01, 0.25, 0.81, 0.9801]
    assert "-log(0.375) / 2 = 0.4904" in text
    first, last, held = re.search(
        r"begins at ([\d.]+) and comes to ([\d.]+) in .* not shown it is ([\d.]+),", text.replace("\n", " ")
    ).groups()
    assert float(last) < float(held) < float(first) / 2


def test_descent_leaves_the_saddle_and_depends_on_start_and_rate(sections):
    text = sections[6]
    assert numbers(text, "12") == [0.8916, 0.0687, -0.7902]
    starts, rates = text[text.index("after 1 step") :].split("The rate matters")
    assert [numbers(starts, start)[-1] for start in ("4", "0.5", "0")] == [2.25, 2.25, 0]
    steps = {rate: [float(cell) for cell in row(rates, rate)[:3]] for rate in ("0.001", "0.1", "0.9", "1", "1.1")}
    assert steps["0.001"][-1] > 0.9
    assert steps["1"] == [-1, 1, 1]
    assert steps["0.9"][0] < 0 < steps["0.1"][0]
    assert steps["0.9"][-1] < 0.02 < 38 < steps["1.1"][-1]


def test_backpropagation_is_the_worked_example(sections):
    text = sections[7]
    assert "h1 = 1, h2 = 0.95, y' = 2.9." in text
    assert "L = 1/2 (2.9 - 0.8)^2 = 2.205." in text
    assert numbers(text, "weight") == [1, 0.5, 0.5, 0.7, 1, 2]
    assert numbers(text, "gradient") == [1.05, 2.1, 2.1, 4.2, 2.1, 1.995]
    assert numbers(text, "new weight") == [0.895, 0.29, 0.29, 0.28, 0.79, 1.8005]
    flat = re.sub(r"\s+", " ", text)
    assert "y' = 1.3478375, and the loss is down from 2.205 to 0.150063." in flat
    assert float(re.search(r"rounds y' = ([\d.]+)\.", flat)[1]) == pytest.approx(0.8, abs=1e-5)


def test_numbers_are_computed_and_not_typed():
    source = "".join(path.read_text(encoding="utf-8") for path in Path(learn.__file__).parent.glob("*.py"))
    for number in ("2.205", "1.995", "0.895", "1.8005", "1.3478", "0.15006", "0.98", "0.27", "0.83", "0.03456", "2.25"):
        assert not re.search(rf"(?<![\d.]){re.escape(number)}(?!\d)", source), number


def test_every_section_draws_a_picture(text, folder):
    pytest.importorskip("matplotlib")
    drawn = sorted(path.name for path in folder.iterdir())
    assert drawn == [f"{number}-{name}.png" for number, (_, name, _) in enumerate(learn.SECTIONS, 1)]
    for path in folder.iterdir():
        assert path.read_bytes().startswith(b"\x89PNG")
        assert f"\nPicture: {path}" in text


def test_sections_can_be_chosen_and_pictures_left_out():
    said = walk([7, 4, 7], None)
    assert re.findall(r"^(\d)\. .+\n=+$", said, re.MULTILINE) == ["4", "7"]
    assert "Picture" not in said


def test_without_matplotlib_it_says_how_to_get_pictures_and_goes_on(monkeypatch, tmp_path):
    for module in [m for m in sys.modules if m.partition(".")[0] == "matplotlib"] or ["matplotlib"]:
        monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    said = walk([4], tmp_path / "pictures")
    assert "no pictures" in said
    assert "pip install 'fastnn-cpu[plot]'" in said
    assert "(0.98, 0.12)" in said
    assert not (tmp_path / "pictures").exists()


# --- The command


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs `fastnn learn` in an empty folder; gives what it printed."""
    runner = pytest.importorskip("click.testing").CliRunner()
    commands = pytest.importorskip("fastnn.cli").commands
    monkeypatch.chdir(tmp_path)

    def invoke(*arguments, code=0):
        result = runner.invoke(commands, ["learn", *arguments])
        assert result.exit_code == code, result.output + repr(result.exception)
        return result.output

    return invoke


def test_command_writes_pictures_into_a_folder(run, tmp_path):
    pytest.importorskip("matplotlib")
    assert "Picture: learn/4-network.png" in run("--section", "4")
    run("--section", "4", "--section", "2", "--output", "other/place")
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.png")) == [
        "learn/4-network.png",
        "other/place/2-likelihood.png",
        "other/place/4-network.png",
    ]


def test_command_writes_nothing_where_no_pictures_are_wanted(run, tmp_path):
    run("--section", "4", "--no-pictures")
    assert not list(tmp_path.iterdir())


def test_command_refuses_sections_and_folders_that_cannot_be(run, tmp_path):
    assert "8 is not in the range 1<=x<=7" in run("--section", "8", code=2)
    (tmp_path / "file").touch()
    assert "is a file" in run("--output", "file", code=2)
    pytest.importorskip("matplotlib")
    assert run("--output", "file/within", code=1).startswith("Error: ")


def test_command_ends_silently_where_nobody_reads_on(tmp_path):
    """As in `fastnn learn | head -1`."""
    pytest.importorskip("click")
    command = [sys.executable, "-m", "fastnn", "learn", "--no-pictures", "--section", "4"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
