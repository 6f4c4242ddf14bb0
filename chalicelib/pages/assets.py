"""Static files under names that change with their content, so that they may be cached for ever."""

import hashlib
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Final

_FOLDER: Final = Path(__file__).parent / "assets"
_CONTENT_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
}
# `import … from "./x.js"`, `export … from "./x.js"` and `import "./x.js"`, each beginning a line of its own or
# ending a list of names that does.
_IMPORT: Final = re.compile(rb'(?m)^((?:(?:import|export)\b[^"\';]*?|\} )from |import )"\./([a-z0-9-]+\.js)"')
_STYLES: Final = re.compile(rb'(?m)^@import "\./([a-z0-9-]+\.css)";$')

# `// …`, `/** … */` and `/* … */` on lines of their own; `/** @type {…} */ ` anywhere.
_COMMENT: Final = re.compile(rb"(?m)^[ \t]*(?://[^\n]*|/\*(?:[^*]|\*(?!/))*\*/[ \t]*)$")
_TYPE: Final = re.compile(rb"/\*\* @(?:type|param|returns) (?:[^*]|\*(?!/))*\*/ ?")


def asset(name: str) -> tuple[bytes, str] | None:
    """Return the content and content type of e.g. `admit-one.1a2b3c4d.css`; None for any other name."""
    return _by_hashed_name().get(name)


def asset_url(root: str, name: str) -> str:
    """Return the URL of a file in `assets/`, relative to the page: `root` is the way to the site's root.

    >>> asset_url("../", "admit-one.css")  # doctest: +SKIP
    '../assets/admit-one.1a2b3c4d.css'
    """
    return f"{root}assets/{_assets()[name][0]}"


def module_urls(root: str, name: str) -> list[str]:
    """Return the URLs of every module that one imports, whichever way, for a browser to fetch at once."""
    return [asset_url(root, found) for found in sorted(_reached(name, set()) - {name})]


@lru_cache(maxsize=1)
def _by_hashed_name() -> Mapping[str, tuple[bytes, str]]:
    return {
        hashed: (content, _CONTENT_TYPES[Path(name).suffix]) for name, (hashed, content) in _assets().items()
    }


@lru_cache(maxsize=1)
def _assets() -> Mapping[str, tuple[str, bytes]]:
    """Return each file's hashed name and what is served under it, by the file's own name."""
    return hash_names(
        {path.name: bare(path.read_bytes()) for path in _FOLDER.iterdir() if path.suffix in _CONTENT_TYPES}
    )


def bare(content: bytes) -> bytes:
    """Return a file as it is served: without indentation, blank lines, and comments that stand on lines of their own.

    No more than that, so that what a browser runs is what is read here, name by name and line by line. In scripts
    type comments before an expression go too. A file may have no text or pattern over several lines.
    """
    content = _COMMENT.sub(b"", content)
    content = _TYPE.sub(b"", content)
    return b"\n".join(line.strip() for line in content.splitlines() if line.strip()) + b"\n"


def hash_names(files: Mapping[str, bytes]) -> dict[str, tuple[str, bytes]]:
    """Return each file's hashed name and served content.

    A stylesheet has what it imports written in its place: one request, and no rule told twice.
    A module's imports are rewritten to the hashed names of what it imports before it is hashed itself: a change
    below changes every name above, so no browser mixes old modules with new ones.

    Raises `ValueError` for a circle of imports, `KeyError` for an import of what is not there.
    """
    done: dict[str, tuple[str, bytes]] = {}

    def hashed(name: str, above: tuple[str, ...]) -> str:
        if name in above:
            raise ValueError(f"a circle of imports: {' → '.join((*above, name))}")
        if name not in done:
            content = files[name]
            if name.endswith(".css"):
                content = _STYLES.sub(lambda found: files[found[1].decode()].rstrip(), content)
            if name.endswith(".js"):
                content = _IMPORT.sub(
                    lambda found: (
                        found[1] + b'"./' + hashed(found[2].decode(), (*above, name)).encode() + b'"'
                    ),
                    content,
                )
            path = Path(name)
            digest = hashlib.sha256(content).hexdigest()[:8]
            done[name] = (f"{path.stem}.{digest}{path.suffix}", content)
        return done[name][0]

    for name in sorted(files):
        hashed(name, ())
    return done


def _reached(name: str, seen: set[str]) -> set[str]:
    seen.add(name)
    for found in _IMPORT.finditer((_FOLDER / name).read_bytes()):
        if found[2].decode() not in seen:
            _reached(found[2].decode(), seen)
    return seen
