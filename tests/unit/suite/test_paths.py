"""The paths in comments and documents exist."""

import re
from functools import lru_cache
from pathlib import Path
from typing import Final

import pytest

from infra.paths import ROOT

_PATH: Final = re.compile(
    r"(?<![\w./<>{}*$~\[\]-])((?:[\w-]+/)+[\w.-]+\.(?:py|js|md|html|css|toml|json))\b(?![\w/])"
)
_TEXTS: Final = {".py", ".md", ".js", ".toml", ".html", ".css"}
_NOT_OURS: Final = {".git", ".hypothesis", ".local", ".venv", "build"}
_OTHERS: Final = ("build/", "chalice/")  # build output, and a library
_EXAMPLES: Final = {  # files that contain example paths
    "CHANGELOG.md",
    "tests/unit/pages/test_assets.py",
    "tests/unit/suite/test_paths.py",
    "tests/unit/suite/test_readme.py",
}


@lru_cache(maxsize=1)
def files() -> tuple[str, ...]:
    """Return the repository's files, without installed, built and cached ones."""
    places = [place for place in ROOT.iterdir() if place.name not in _NOT_OURS and "cache" not in place.name]
    paths = [path for place in places for path in (place, *place.rglob("*")) if path.is_file()]
    return tuple(path.relative_to(ROOT).as_posix() for path in paths if path.suffix != ".pyc")


def missing_paths(text: str) -> list[str]:
    """Return the paths in a text that match no file's path and no end of one."""
    ends = {path.split("/", skipped)[-1] for path in files() for skipped in range(path.count("/") + 1)}
    return [
        found[1]
        for found in _PATH.finditer(text)
        if found[1] not in ends and not found[1].startswith(_OTHERS)
    ]


@pytest.mark.parametrize("folder", sorted({path.split("/")[0] for path in files()}))
def test_every_path_in_a_text_exists(folder: str) -> None:
    named = [
        (path, missing)
        for path in files()
        if path.split("/")[0] == folder and Path(path).suffix in _TEXTS and path not in _EXAMPLES
        for missing in missing_paths((ROOT / path).read_text())
    ]
    assert named == []


def test_a_missing_path_is_found() -> None:
    assert missing_paths("see `domain/tokens.py` and tests/unit/test_tokens.py, then api/tokens.py.") == [
        "api/tokens.py"
    ]
