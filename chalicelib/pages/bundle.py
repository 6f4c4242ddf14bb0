"""Bundle `assets/`: each page's script and stylesheet with its imports written in, minified and hashed.

`make package` builds the bundles, and leaves this file out of the package; `make run` and tests build them at their
first use. esbuild would make scripts 17–20 % smaller (gzipped), but needs npm, which `make run` does without. rjsmin
doesn't parse nested templates, after which it keeps code unminified: it makes the console's script 3 % larger.
"""

import hashlib
import posixpath
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

# `import { … } from "./x.js";` and `import "./x.js";`, and what a module gives: one name a line.
_IMPORT: Final = re.compile(rb'(?m)^import (?:\{([^}]*)\} from )?"(\.{1,2}/[a-z0-9./-]+\.js)";\n?')
_EXPORT: Final = re.compile(rb"(?m)^export (?=(?:async function|function|class|const) (\w+))")
_STYLES: Final = re.compile(rb'(?m)^@import "(\.{1,2}/[a-z0-9./-]+\.css)";$')
# Ways to import and export that are not written in place.
_OTHER_WAY: Final = re.compile(rb"(?m)^(?:import|export)\b.*|\bimport\(.*")

_GAPS: Final = re.compile(rb" ?([{};:,]) ")  # in styles; " :" of a selector has nothing after it to match

_ENDS: Final = re.compile(rb" ?(?<!css\")([{};,])\n(?!@import)")  # in styles; an import keeps its line

# In scripts: a string, or a sign that needs no space around it. Not + and -: two of them would become another sign.
_SIGNS: Final = re.compile(rb'("(?:[^"\\\n]|\\.)*")| ?(=>|[=!]==?|<=|>=|&&|\|\||\?\?|[-+]=|[=<>?:{}(),;]) ?')
_TEXTS: Final = re.compile(rb'"(?:[^"\\\n]|\\.)*"')

# `// …`, `/** … */` and `/* … */` on lines of their own; `/** @type {…} */ ` anywhere.
_COMMENT: Final = re.compile(rb"(?m)^[ \t]*(?://[^\n]*|/\*(?:[^*]|\*(?!/))*\*/[ \t]*)$")
# `// …` behind code; with a quote in it, it could as well be the end of a text, and stays.
_ASIDE: Final = re.compile(rb"(?m)[ \t]+// [^\"'`\n]*$")
_TYPE: Final = re.compile(rb"/\*\* @(?:type|param|returns) (?:[^*]|\*(?!/))*\*/ ?")


def assemble(folder: Path) -> Mapping[str, tuple[str, bytes]]:
    """Return each bundle's hashed name and content, by the name of its file."""
    return hash_names(
        {
            path.relative_to(folder).as_posix(): bare(path.read_bytes(), path.suffix)
            for path in folder.rglob("*")
            if path.suffix in {".css", ".js"}
        }
    )


def bare(content: bytes, suffix: str) -> bytes:
    """Return a file minified: without indentation, blank lines and comments.

    It also drops spaces around operators, line ends after them, and in styles the last semicolon of a block. It renames
    nothing, so every name that a browser reports is in the source. A file must have no string or pattern over several
    lines, and styles no string with an operator and a space after it.
    """
    content = _COMMENT.sub(b"", content)
    content = _TYPE.sub(b"", _ASIDE.sub(b"", content)) if suffix == ".js" else _GAPS.sub(rb"\1", content)
    lines = b"\n".join(line.strip() for line in content.splitlines() if line.strip()) + b"\n"
    if suffix == ".js":
        return _joined([_tight(line) for line in lines.splitlines()])
    return _ENDS.sub(rb"\1", lines).replace(b";}", b"}")


def _tight(line: bytes) -> bytes:
    """Return a script's line without spaces around operators, unless it may have patterns or nested templates."""
    code = _TEXTS.sub(b"", line)
    if line.startswith(b"import ") or b"'" in code or line.count(b"`") not in {0, 2} or code.count(b"`") % 2:
        return line
    parts = line.split(b"`")  # of code, a template, and code again
    if any(b"/" in _TEXTS.sub(b"", part) for part in parts[::2]):
        return line
    parts[::2] = [_SIGNS.sub(lambda found: found[1] or found[2], part) for part in parts[::2]]
    return b"`".join(parts)


def _joined(lines: Sequence[bytes]) -> bytes:
    """Return a script's lines without unnecessary line ends; those of comments and around imports stay.

    Every statement in `assets/` ends in a semicolon or a brace, so no line end replaces a semicolon.
    """
    whole = bytearray()
    for line in lines:
        module = line.startswith((b"import ", b"export "))
        if module and whole and not whole.endswith(b"\n"):
            whole += b"\n"
        needless = (
            line.endswith((b"{", b"}", b";", b",", b"("))
            and b"//" not in line
            and not line.startswith(b"import ")
        )
        whole += line if needless else line + b"\n"
    return bytes(whole)


def hash_names(files: Mapping[str, bytes]) -> dict[str, tuple[str, bytes]]:
    """Return the hashed name and the content of each file that no other file imports, by its name without folders.

    All imports of a file, direct or not, are written into it: a page loads one stylesheet and one script, and no
    browser combines old files with new ones. See `docs/adr/0017-one-script.md`.

    Raise `ValueError` for a circle of imports or an unsupported form of import, `KeyError` for a missing file or name.
    """
    modules = {name: _module(name, files[name]) for name in sorted(files) if name.endswith(".js")}
    styles = {name: files[name] for name in sorted(files) if name not in modules}
    imported = {other for module in modules.values() for other in module.takes}
    imported |= {
        _resolved(name, found[1]) for name, content in styles.items() for found in _STYLES.finditer(content)
    }
    parts: dict[str, list[str]] = {}  # of each module: its imports in order, each once, then itself

    def reach(name: str, above: tuple[str, ...]) -> list[str]:
        if name in above:
            raise ValueError(f"a circle of imports: {' → '.join((*above, name))}")
        if name not in parts:
            below = [part for other in modules[name].takes for part in reach(other, (*above, name))]
            parts[name] = [*dict.fromkeys(below), name]
        return parts[name]

    for name, module in modules.items():
        reach(name, ())
        for other, names in module.takes.items():
            # A missing name would be `undefined` at run time, without any error.
            if missing := [one.decode() for one in names if one not in modules[other].gives]:
                raise KeyError(f"{other} gives no {', '.join(missing)}")

    whole = {
        name: b"".join(_scoped(part, modules[part]) for part in parts[name][:-1]) + modules[name].script
        for name in modules
        if name not in imported
    }
    whole |= {
        name: _with_styles(name, content, files) for name, content in styles.items() if name not in imported
    }
    return {
        path.name: (f"{path.stem}.{hashlib.sha256(content).hexdigest()[:8]}{path.suffix}", content)
        for path, content in ((Path(name), content) for name, content in whole.items())
    }


def _with_styles(name: str, content: bytes, files: Mapping[str, bytes]) -> bytes:
    return _STYLES.sub(lambda found: files[_resolved(name, found[1])].rstrip(), content)


def _resolved(name: str, specifier: bytes) -> str:
    """Return the path in `assets/` of a specifier in the file `name`, e.g. `../dom.js`."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(name), specifier.decode()))


class _Module(msgspec.Struct, frozen=True):
    """A module's text, whose imports read from the objects that `_scoped` creates, and its imports and exports."""

    script: bytes
    takes: Mapping[str, Sequence[bytes]]  # imported names, by file
    gives: Sequence[bytes]  # exported names


def _module(name: str, content: bytes) -> _Module:
    takes: dict[str, list[bytes]] = {}

    def taken(found: re.Match[bytes]) -> bytes:
        other, names = _resolved(name, found[2]), _names(found[1])
        takes.setdefault(other, []).extend(name for name, _ in names)
        listed = b", ".join(name if name == own else name + b": " + own for name, own in names)
        return b"const { %s } = %s;\n" % (listed, _variable(other)) if names else b""

    script = _EXPORT.sub(b"", _IMPORT.sub(taken, content))
    if other_way := _OTHER_WAY.search(script):
        raise ValueError(f"{name} imports or exports in another way: {other_way[0].decode()}")
    return _Module(script, takes, _EXPORT.findall(content))


def _scoped(name: str, module: _Module) -> bytes:
    """Return a module as an object of its exports; its other names stay private."""
    inside = module.script + b"return { %s };\n" % b", ".join(module.gives)
    return b"const %s = (() => {\n" % _variable(name) + inside + b"})();\n"


def _names(taken: bytes | None) -> list[tuple[bytes, bytes]]:
    """Return the names in an import, each with its local name."""
    pairs = [one.split() for one in (taken or b"").split(b",") if one.strip()]
    return [(one[0], one[-1]) for one in pairs]


def _variable(name: str) -> bytes:
    return name.removesuffix(".js").replace("-", "_").replace("/", "_").encode()
