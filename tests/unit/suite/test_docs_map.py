"""docs/README.md links to every document, anchors exist, and docs/hosts.md uses the words of the console."""

import re
from pathlib import Path
from typing import Final

import pytest

from infra.paths import ROOT

DOCS: Final = ROOT / "docs"
MAP: Final = DOCS / "README.md"
ADRS: Final = DOCS / "adr"  # its README.md is the map of its pages
IMAGES: Final = DOCS / "images"

PAGES: Final = [*ROOT.glob("*.md"), *DOCS.rglob("*.md"), ROOT / "tests" / "README.md"]

_LINK: Final = re.compile(r"\]\(([^)#:]+)(?:#[\w-]+)?\)")
_ANCHOR: Final = re.compile(r"\]\(([^)#:]*)#([^)]+)\)")
_HEADING: Final = re.compile(r"^#+ (.+)$", re.MULTILINE)


def linked(page: Path) -> set[Path]:
    """Return the files and folders that a page links to, including images."""
    return {(page.parent / target).resolve() for target in _LINK.findall(page.read_text())}


def anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub generates for a page's headings."""
    return {
        re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")
        for title in _HEADING.findall(page.read_text())
    }


def test_every_document_is_in_the_map() -> None:
    """The map links to the file or its folder; the index of ADRs lists the ADRs."""
    known = linked(MAP) | linked(ADRS / "README.md") | {MAP}
    files = [path for path in DOCS.rglob("*") if path.is_file() and IMAGES not in path.parents]
    assert {path.relative_to(DOCS) for path in files if not known & {path, path.parent}} == set()


def test_every_document_in_the_map_exists() -> None:
    assert {path for path in linked(MAP) if not path.exists()} == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_to_a_heading_resolves(page: Path) -> None:
    found = [
        (page.parent / file if file else page, anchor) for file, anchor in _ANCHOR.findall(page.read_text())
    ]
    assert [(file.name, anchor) for file, anchor in found if anchor not in anchors(file)] == []


def test_every_image_is_used_in_a_document() -> None:
    shown = linked(ROOT / "README.md").union(*(linked(page) for page in DOCS.rglob("*.md")))
    assert {path.name for path in IMAGES.iterdir() if path not in shown} == set()


def test_the_page_for_hosts_uses_the_words_of_the_console() -> None:
    """The page's bold words are on a button, a tab or a row of the console."""
    folder = ROOT / "chalicelib" / "pages"
    scripts = [*(folder / "assets" / "console").rglob("*.js"), folder / "templates" / "console.html"]
    text = "\n".join(path.read_text() for path in scripts)
    named = set(re.findall(r"\*\*([^*]+)\*\*", (DOCS / "hosts.md").read_text()))
    assert len(named) > 10
    assert {words for words in named if words not in text} == set()
