"""The files in CONTRIBUTING.md's tables of steps exist and contain the examples."""

import re
from pathlib import Path
from typing import Final

import pytest

from infra.paths import ROOT

PAGE: Final = (ROOT / "CONTRIBUTING.md").read_text()

_HEAD: Final = "| file | what to add | example |\n|---|---|---|\n"
_ROW: Final = re.compile(r"^\| `([^`]+)` \| .+ \| `([^`]+)` \|$")


def steps() -> list[tuple[str, str]]:
    """Return the file and the example in each row of the tables of steps."""
    tables = [part.partition("\n\n")[0].splitlines() for part in PAGE.split(_HEAD)[1:]]
    assert len(tables) > 7
    found = [(row, _ROW.match(row)) for table in tables for row in table]
    assert [row for row, match in found if not match] == []
    return [(match[1], match[2]) for _, match in found if match]


def texts(place: Path) -> list[str]:
    """Return the text of a file, or of all files in a folder."""
    files = [path for path in place.rglob("*") if path.is_file()] if place.is_dir() else [place]
    return [path.read_text() for path in files]


@pytest.mark.parametrize(("file", "example"), steps())
def test_a_step_names_a_file_that_contains_its_example(file: str, example: str) -> None:
    assert (ROOT / file).exists()
    assert any(example in text for text in texts(ROOT / file))


def test_every_mentioned_folder_and_file_exists() -> None:
    """In the running text; `test_paths.py` checks file paths everywhere."""
    roots = "chalicelib|docs|infra|tests"
    named = set(re.findall(rf"`((?:{roots})(?:/[\w.-]+)*)`", PAGE))
    assert len(named) > 10
    assert {name for name in named if not (ROOT / name).exists()} == set()


def test_the_example_of_a_subject_follows_the_rule() -> None:
    [subject] = re.findall(r"```\n([^\n]+)\n\n[^`]+```", PAGE)
    assert len(subject) <= 72
    assert "at most 72 characters" in PAGE
