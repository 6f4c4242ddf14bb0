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
# `import { … } from "./x.js";` and `import "./x.js";`, and what a module gives: one name a line.
_IMPORT: Final = re.compile(rb'(?m)^import (?:\{([^}]*)\} from )?"\./([a-z0-9-]+\.js)";\n?')
_EXPORT: Final = re.compile(rb"(?m)^export (?=(?:async function|function|class|const) (\w+))")
_STYLES: Final = re.compile(rb'(?m)^@import "\./([a-z0-9-]+\.css)";$')
# Ways to import and export that are not written in place.
_OTHER_WAY: Final = re.compile(rb"(?m)^(?:import|export)\b.*|\bimport\(.*")

_GAPS: Final = re.compile(rb" ?([{};:,]) ")  # in styles; " :" of a selector has nothing after it to match

# `// …`, `/** … */` and `/* … */` on lines of their own; `/** @type {…} */ ` anywhere.
_COMMENT: Final = re.compile(rb"(?m)^[ \t]*(?://[^\n]*|/\*(?:[^*]|\*(?!/))*\*/[ \t]*)$")
# `// …` behind code; with a quote in it, it could as well be the end of a text, and stays.
_ASIDE: Final = re.compile(rb"(?m)[ \t]+// [^\"'`\n]*$")
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


@lru_cache(maxsize=1)
def _by_hashed_name() -> Mapping[str, tuple[bytes, str]]:
    return {
        hashed: (content, _CONTENT_TYPES[Path(name).suffix]) for name, (hashed, content) in _assets().items()
    }


@lru_cache(maxsize=1)
def _assets() -> Mapping[str, tuple[str, bytes]]:
    """Return each file's hashed name and what is served under it, by the file's own name."""
    return hash_names(
        {
            path.name: bare(path.read_bytes(), path.suffix)
            for path in _FOLDER.iterdir()
            if path.suffix in _CONTENT_TYPES
        }
    )


def bare(content: bytes, suffix: str) -> bytes:
    """Return a file as it is served: without indentation, blank lines and comments.

    No more than that, so that what a browser runs is what is read here, name by name and line by line; in styles the
    spaces around signs go too. A file may have no text or pattern
    over several lines, and styles none with such a sign and a space after it.
    """
    content = _COMMENT.sub(b"", content)
    content = _TYPE.sub(b"", _ASIDE.sub(b"", content)) if suffix == ".js" else _GAPS.sub(rb"\1", content)
    return b"\n".join(line.strip() for line in content.splitlines() if line.strip()) + b"\n"


def hash_names(files: Mapping[str, bytes]) -> dict[str, tuple[str, bytes]]:
    """Return the hashed name and the served content of each file that no other one imports.

    What a file imports is written in its place, however deep: a page asks for one stylesheet and one script, which is
    most of what opening it costs, and no browser mixes old files with new ones. See `docs/adr/0017-one-script.md`.

    Raises `ValueError` for a circle of imports or a way to import that is not known, `KeyError` for an import of a file
    or a name that is not there.
    """
    imported: set[str] = set()
    whole = {name: _joined(name, files, imported) for name in sorted(files)}
    return {
        name: (f"{Path(name).stem}.{hashlib.sha256(content).hexdigest()[:8]}{Path(name).suffix}", content)
        for name, content in whole.items()
        if name not in imported
    }


def _joined(name: str, files: Mapping[str, bytes], imported: set[str]) -> bytes:
    """Return a file with all that it imports in it; add the names of those to `imported`."""
    if not name.endswith(".js"):

        def style(found: re.Match[bytes]) -> bytes:
            imported.add(found[1].decode())
            return files[found[1].decode()].rstrip()

        return _STYLES.sub(style, files[name])

    order: list[str] = []  # each module after those that it imports, and once

    def visit(module: str, above: tuple[str, ...]) -> None:
        if module in above:
            raise ValueError(f"a circle of imports: {' → '.join((*above, module))}")
        if module in order:
            return
        for found in _IMPORT.finditer(files[module]):
            other = found[2].decode()
            imported.add(other)
            visit(other, (*above, module))
            # Taken out of an object, a name that isn't there would be `undefined`, and nobody told.
            missing = [name for name, _ in _names(found[1]) if name not in _EXPORT.findall(files[other])]
            if missing:
                raise KeyError(f"{other} gives no {b', '.join(missing).decode()}")
        order.append(module)

    visit(name, ())
    return b"".join(_scoped(module, files[module]) for module in order[:-1]) + _script(name, files[name])[0]


def _scoped(name: str, content: bytes) -> bytes:
    """Return a module as a value that has what it exports: its other names stay its own."""
    script, names = _script(name, content)
    return (
        b"const %s = (() => {\n" % _variable(name) + script + b"return { %s };\n})();\n" % b", ".join(names)
    )


def _script(name: str, content: bytes) -> tuple[bytes, list[bytes]]:
    """Return a module's text with its imports taken from such values, and the names that it exports."""

    def taken(found: re.Match[bytes]) -> bytes:
        if found[1] is None:
            return b""
        names = b", ".join(name if name == own else name + b": " + own for name, own in _names(found[1]))
        return b"const { %s } = %s;\n" % (names, _variable(found[2].decode()))

    names = _EXPORT.findall(content)
    script = _EXPORT.sub(b"", _IMPORT.sub(taken, content))
    if other := _OTHER_WAY.search(script):
        raise ValueError(f"{name} imports or exports in another way: {other[0].decode()}")
    return script, names


def _names(taken: bytes | None) -> list[tuple[bytes, bytes]]:
    """Return what is taken in an import, each with the name that it gets there."""
    pairs = [one.split() for one in (taken or b"").split(b",") if one.strip()]
    return [(one[0], one[-1]) for one in pairs]


def _variable(name: str) -> bytes:
    return Path(name).stem.replace("-", "_").encode()
