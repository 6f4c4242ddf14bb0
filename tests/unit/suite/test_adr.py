"""docs/adr/README.md lists every ADR with its date and status, and every reference to an ADR leads to one."""

import re
from pathlib import Path
from typing import Final

import pytest

from infra.paths import ROOT
from tests.unit.suite.test_paths import files

ADRS: Final = ROOT / "docs" / "adr"
INDEX: Final = ADRS / "README.md"

_HEAD: Final = re.compile(
    r"# (?P<number>\d+)\. (?P<title>.+)\n\nStatus: (?P<status>accepted|superseded), (?P<date>\d{4}-\d\d-\d\d)"
    r"(?:; (?P<later>(?:amended|superseded) by .+))?\n\n"
)
_ROW: Final = re.compile(r"^\| \[(\d+)\]\(([\w-]+\.md)\) \| (.+) \| (\S+) \| (.+) \|$", re.MULTILINE)
_LINK: Final = re.compile(r"\[ADR (\d+)\]\((?:[\w/.-]*/)?(\d{4})-[\w-]+\.md\)")
_MENTION: Final = re.compile(r"\bADR[ -]?(\d+)|\badr/(\d{4})")
_TEXTS: Final = {".py", ".md", ".js", ".json", ".toml", ".txt", ""}


def written() -> dict[int, Path]:
    """Return the file of each ADR, by its number."""
    return {int(path.name[:4]): path for path in sorted(ADRS.glob("[0-9]*.md"))}


def expected_row(path: Path) -> tuple[str, str, str, str, str]:
    """Return what the index should say about an ADR: number, file, title, date and status."""
    head = _HEAD.match(path.read_text())
    assert head, f"{path.name} does not begin with its number, title, status and date"
    status = head["status"]
    if head["later"]:
        status = head["later"] if status == "superseded" else f"{status}; {head['later']}"
    return head["number"], path.name, head["title"], head["date"], status


def unknown(text: str) -> set[int]:
    """Return the numbers of ADRs that a text mentions but that don't exist."""
    return {int(one or other) for one, other in _MENTION.findall(text)} - set(written())


def test_the_index_matches_the_files() -> None:
    assert _ROW.findall(INDEX.read_text()) == [expected_row(path) for path in written().values()]


def test_each_file_has_the_number_of_its_title() -> None:
    assert [int(expected_row(path)[0]) for path in written().values()] == list(written())


def test_a_superseded_or_amended_adr_links_to_the_later_one() -> None:
    for number, path in written().items():
        head = _HEAD.match(path.read_text())
        assert head, path.name
        later = _LINK.findall(head["later"] or "")
        assert bool(later) == bool(head["later"]), path.name
        assert head["status"] == "accepted" or later, path.name
        assert all(number < int(other) for other, _ in later), path.name


def test_the_index_names_the_unused_numbers() -> None:
    [gaps] = re.findall(r"^\*\*Gaps\.\*\* Numbers (.+?) were never written", INDEX.read_text(), re.MULTILINE)
    missing = set(range(1, max(written()) + 1)) - set(written())
    assert {int(number) for number in re.findall(r"\d+", gaps)} == missing


@pytest.mark.parametrize("folder", sorted({path.split("/")[0] for path in files()}))
def test_every_mentioned_adr_exists(folder: str) -> None:
    texts = [path for path in files() if path.split("/")[0] == folder and Path(path).suffix in _TEXTS]
    here = Path(__file__).relative_to(ROOT).as_posix()
    found = {path: unknown((ROOT / path).read_text(errors="replace")) for path in texts if path != here}
    assert {path: numbers for path, numbers in found.items() if numbers} == {}


def test_a_link_to_an_adr_has_the_number_in_its_text() -> None:
    pages = [path for path in files() if path.endswith(".md")]
    wrong = {
        (path, number)
        for path in pages
        for number, file in _LINK.findall((ROOT / path).read_text())
        if int(number) != int(file)
    }
    assert wrong == set()


def test_a_mention_of_a_missing_adr_is_found() -> None:
    assert unknown("see ADR 0012, ADR 9, docs/adr/0015 and docs/adr/0001-token.md") == {9, 15}
