"""What an example prints, beside what the page or the docstring says that it prints."""

import re

NUMBER = re.compile(r"-?\d+\.\d*(?:e[+-]?\d+)?|-?\d+e[+-]?\d+")


def matches(wanted, got):
    """Whether a text is the one that is wanted.

    White space counts as one blank, "..." is any text, and a number with a point may differ by two in its last digit,
    for processors round differently.
    """
    wanted, got = " ".join(wanted.split()), " ".join(got.split())
    numbers = NUMBER.findall(wanted)
    pattern = "".join(
        re.escape(part).replace(r"\.\.\.", ".*?") if part is not None else f"({NUMBER.pattern}|-?\\d+)"
        for part in _between(wanted)
    )
    found = re.fullmatch(pattern, got, re.DOTALL)
    return bool(found) and all(
        abs(float(want) - float(have)) <= 2.0001 * 10.0 ** -_decimals(want)
        for want, have in zip(numbers, found.groups(), strict=True)
    )


def _between(text):
    """The parts of a text that are no numbers, with None for each number."""
    place = 0
    for number in NUMBER.finditer(text):
        yield text[place : number.start()]
        yield None
        place = number.end()
    yield text[place:]


def _decimals(number):
    digits, _, power = number.partition("e")
    return len(digits.partition(".")[2]) - int(power or 0)
