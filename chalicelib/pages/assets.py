"""Static files, whose names change with their content, so that browsers can cache them forever."""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Final

import msgspec

FOLDER: Final = Path(__file__).parent / "assets"
NAMES: Final = FOLDER / "names.json"  # exists only in the package
CONTENT_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
}


def asset(name: str) -> tuple[bytes, str] | None:
    """Return the content and content type of e.g. `admit-one.1a2b3c4d.css`; None for any other name."""
    own = next((own for own, hashed in _hashed_names().items() if hashed == name), None)
    return None if own is None else (_content(own), CONTENT_TYPES[Path(own).suffix])


def asset_url(root: str, name: str) -> str:
    """Return the URL of a file in `assets/`, relative to the page. `root` is the relative URL of the site's root.

    >>> asset_url("../", "admit-one.css")  # doctest: +SKIP
    '../assets/admit-one.1a2b3c4d.css'
    """
    return f"{root}assets/{_hashed_names()[name]}"


@lru_cache(maxsize=1)
def _hashed_names() -> Mapping[str, str]:
    """Return each file's hashed name by its plain name, from the package, or computed from the files."""
    if NAMES.exists():
        return msgspec.json.decode(NAMES.read_bytes(), type=dict[str, str])
    return {name: hashed for name, (hashed, _) in _assets().items()}


@lru_cache(maxsize=32)
def _content(name: str) -> bytes:
    return (FOLDER / _hashed_names()[name]).read_bytes() if NAMES.exists() else _assets()[name][1]


@lru_cache(maxsize=1)
def _assets() -> Mapping[str, tuple[str, bytes]]:
    from chalicelib.pages.bundle import assemble

    return assemble(FOLDER)
