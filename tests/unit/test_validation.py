"""The collector of faults: a caller is told everything that is wrong, each with its place."""

import pytest

from chalicelib.domain.errors import FieldFault, InvalidValueError
from chalicelib.domain.validation import Rules
from tests.support.faults import pointers_of


def test_all_faults_are_raised_together_with_their_pointers() -> None:
    """A caller hears of all that is wrong at once, nested places included (RFC 6901)."""
    rules = Rules()
    rules.fault("is odd")
    rules.at("items", 3).at("name").fault("is empty")
    with pytest.raises(InvalidValueError) as caught:
        rules.enforce()
    assert caught.value.faults == (FieldFault("", "is odd"), FieldFault("/items/3/name", "is empty"))
    assert caught.value.detail == "/: is odd; /items/3/name: is empty"


def test_nothing_wrong_raises_nothing() -> None:
    """Rules that hold do not refuse."""
    rules = Rules()
    assert rules.at("a").require(True, "is wrong")
    rules.enforce()


@pytest.mark.parametrize("bad", ["", " \u2003", "x" * 11, "a\x00b", "a\nb", "a\tb", "a\x7fb", "a\ud800b"])
def test_text_refuses(bad: str) -> None:
    """Empty, too long, control characters, and what UTF-8 (so DynamoDB) can't hold."""
    assert pointers_of(lambda rules: rules.at("t").text(bad, shortest=1, longest=10)) == ["/t"]


@pytest.mark.parametrize("good", ["x", "x" * 10, "Zoë – 日本", "👩‍🚀 ok"])
def test_text_takes(good: str) -> None:
    """Any script, up to the limit."""
    assert pointers_of(lambda rules: rules.text(good, shortest=1, longest=10)) == []


def test_text_with_lines_takes_line_breaks_only() -> None:
    """A description may have lines; other control characters stay out."""
    assert pointers_of(lambda rules: rules.text("a\r\n\tb", longest=10, lines=True)) == []
    assert pointers_of(lambda rules: rules.text("a\x1bb", longest=10, lines=True)) == [""]


@pytest.mark.parametrize(
    ("value", "wrong"), [(5, 0), (50, 0), (0, 1), (55, 1), (7, 1), (51, 2), (-5, 1), (-1, 2)]
)
def test_number_has_a_range_and_a_grid(value: int, wrong: int) -> None:
    """Both ends belong to the range; off the grid is a fault of its own."""
    found = pointers_of(lambda rules: rules.at("n").number(value, least=5, most=50, multiple_of=5))
    assert found == ["/n"] * wrong


def test_length_counts_both_ends() -> None:
    """Too few and too many are faults, and `length` says so to its caller."""
    rules = Rules()
    assert rules.length([1], least=1, most=2)
    assert rules.length([1, 2], least=1, most=2)
    assert not rules.length([], least=1, most=2)
    assert not rules.length([1, 2, 3], least=1, most=2)


def test_unique_finds_a_pair_that_is_apart() -> None:
    """A duplicate anywhere is found."""
    assert pointers_of(lambda rules: rules.unique(["a", "b", "a"], "twice")) == [""]
    assert pointers_of(lambda rules: rules.unique(["a", "b", "A"], "twice")) == []
