"""`Rules` collects all faults of a request, each with its pointer."""

import pytest

from chalicelib.domain.errors import FieldFault, InvalidValueError
from chalicelib.domain.validation import Rules
from tests.support.faults import pointers_of


def test_all_faults_are_raised_together_with_their_pointers() -> None:
    """Pointers include nested places (RFC 6901)."""
    rules = Rules()
    rules.fault("is odd")
    rules.at("items", 3).at("name").fault("is empty")
    with pytest.raises(InvalidValueError) as caught:
        rules.enforce()
    assert caught.value.faults == (FieldFault("", "is odd"), FieldFault("/items/3/name", "is empty"))
    assert caught.value.detail == "/: is odd; /items/3/name: is empty"


def test_rules_without_faults_raise_nothing() -> None:
    """A rule that holds adds no fault."""
    rules = Rules()
    assert rules.at("a").require(True, "is wrong")
    rules.enforce()


@pytest.mark.parametrize("bad", ["", " \u2003", "x" * 11, "a\x00b", "a\nb", "a\tb", "a\x7fb", "a\ud800b"])
def test_text_rejects_invalid_text(bad: str) -> None:
    """Empty or too long text, control characters, and surrogates, which DynamoDB can't store as UTF-8."""
    assert pointers_of(lambda rules: rules.at("t").text(bad, shortest=1, longest=10)) == ["/t"]


@pytest.mark.parametrize("good", ["x", "x" * 10, "Zoë – 日本", "👩‍🚀 ok"])
def test_text_accepts_any_script(good: str) -> None:
    """The limits themselves are allowed."""
    assert pointers_of(lambda rules: rules.text(good, shortest=1, longest=10)) == []


def test_text_with_lines_allows_line_breaks_but_no_other_control_characters() -> None:
    """A description may have several lines."""
    assert pointers_of(lambda rules: rules.text("a\r\n\tb", longest=10, lines=True)) == []
    assert pointers_of(lambda rules: rules.text("a\x1bb", longest=10, lines=True)) == [""]


@pytest.mark.parametrize(
    ("value", "wrong"), [(5, 0), (50, 0), (0, 1), (55, 1), (7, 1), (51, 2), (-5, 1), (-1, 2)]
)
def test_number_checks_the_range_and_the_multiple(value: int, wrong: int) -> None:
    """Both ends are allowed; a number that is no multiple is a separate fault."""
    found = pointers_of(lambda rules: rules.at("n").number(value, least=5, most=50, multiple_of=5))
    assert found == ["/n"] * wrong


def test_length_allows_both_ends() -> None:
    """`length` also returns whether the number of items is allowed."""
    rules = Rules()
    assert rules.length([1], least=1, most=2)
    assert rules.length([1, 2], least=1, most=2)
    assert not rules.length([], least=1, most=2)
    assert not rules.length([1, 2, 3], least=1, most=2)


def test_unique_finds_duplicates_that_are_not_adjacent() -> None:
    """Texts that differ by case are different."""
    assert pointers_of(lambda rules: rules.unique(["a", "b", "a"], "twice")) == [""]
    assert pointers_of(lambda rules: rules.unique(["a", "b", "A"], "twice")) == []
