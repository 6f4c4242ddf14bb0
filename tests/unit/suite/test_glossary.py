"""docs/glossary.md lists exactly the code's types, errors, events and fields, each with one name."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from chalicelib.domain.errors import AdmitOneError
from chalicelib.domain.events.events import EventKind
from chalicelib.domain.events.notices import Notice
from chalicelib.service.bookings.move import MovableBooking
from infra.generate.glossary import PAGE, domain_types, tables, written
from infra.paths import ROOT

ELSEWHERE = {MovableBooking.__name__}  # types outside the domain that a word refers to


def _codes(error: type[AdmitOneError]) -> Iterator[str]:
    if "code" in vars(error):
        yield error.code
    for narrower in error.__subclasses__():
        yield from _codes(narrower)


def _fields(schema: Any) -> Iterator[str]:
    if isinstance(schema, list):
        for part in schema:
            yield from _fields(part)
    elif isinstance(schema, dict):
        yield from schema.get("properties", {})
        for part in schema.values():
            yield from _fields(part)


def _listed(table: str) -> set[str]:
    """Return the names in the first column of one of the page's tables."""
    [text] = re.findall(rf"<!-- table {table} -->\n(.*?)<!-- end -->", PAGE.read_text(), re.DOTALL)
    return set(re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE))


def _words() -> list[list[str]]:
    """Return the cells of each row in the handwritten table of words."""
    words = PAGE.read_text().partition("## The words\n")[2].partition("\n## ")[0]
    return [[cell.strip() for cell in row.split("|")[1:-1]] for row in words.splitlines()[3:] if row]


def test_the_tables_are_current() -> None:
    page = PAGE.read_text()
    assert page == written(page, tables()), "run `make glossary`"


def test_every_error_code_is_listed() -> None:
    assert _listed("errors") == set(_codes(AdmitOneError))


@pytest.mark.parametrize(("table", "kinds"), [("events", EventKind), ("notices", Notice)])
def test_every_event_is_listed(table: str, kinds: type[EventKind] | type[Notice]) -> None:
    assert _listed(table) == {kind.value for kind in kinds}


def test_every_field_of_the_api_is_listed() -> None:
    document = json.loads((ROOT / "docs" / "openapi.json").read_text())
    assert _listed("fields") == set(_fields(document["components"]["schemas"]))


def test_every_type_is_listed_and_no_name_is_used_twice() -> None:
    """One name means one thing."""
    names = [found.__name__ for found in domain_types().values()]
    assert [name for name, count in Counter(names).items() if count > 1] == []
    assert _listed("types") == set(names)


def test_every_word_has_one_meaning_and_existing_names() -> None:
    """The table is written by hand; its types and JSON names must exist in the code."""
    words = _words()
    assert len(words) > 40
    assert [word for word, count in Counter(row[0] for row in words).items() if count > 1] == []
    types, fields = _listed("types") | ELSEWHERE, _listed("fields")
    for word, meaning, *names in words:
        assert meaning.endswith("."), word
        assert len(names) == 2, word
        assert set(re.findall(r"`([^`]+)`", names[0])) <= types, word
        assert set(re.findall(r"`([^`]+)`", names[1])) <= fields, word
