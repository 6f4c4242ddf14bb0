"""Static files under names that change with their content, so that they may be cached for ever."""

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Final

_FOLDER: Final = Path(__file__).parent / "assets"
_CONTENT_TYPES: Final = {".css": "text/css; charset=utf-8"}


def asset(name: str) -> tuple[bytes, str] | None:
    """Return the content and content type of e.g. `admit-one.1a2b3c4d.css`; None for any other name."""
    return _assets().get(name)


def asset_url(root: str, name: str) -> str:
    """Return the URL of a file in `assets/`, relative to the page: `root` is the way to the site's root.

    >>> asset_url("../", "admit-one.css")  # doctest: +SKIP
    '../assets/admit-one.1a2b3c4d.css'
    """
    return f"{root}assets/{_hashed_names()[name]}"


@lru_cache(maxsize=1)
def _assets() -> Mapping[str, tuple[bytes, str]]:
    return {
        hashed: ((_FOLDER / name).read_bytes(), _CONTENT_TYPES[Path(name).suffix])
        for name, hashed in _hashed_names().items()
    }


@lru_cache(maxsize=1)
def _hashed_names() -> Mapping[str, str]:
    return {
        path.name: f"{path.stem}.{hashlib.sha256(path.read_bytes()).hexdigest()[:8]}{path.suffix}"
        for path in sorted(_FOLDER.iterdir())
        if path.suffix in _CONTENT_TYPES
    }
