"""Bundle `assets/`: write the imports into each page's script and stylesheet, minify them, and hash their names.

`make package` builds the bundles, and leaves this file out of the package; `make run` and tests build them at their
first use. esbuild would make scripts 17–20 % smaller (gzipped), but needs npm, which `make run` doesn't need. rjsmin
doesn't parse nested templates and leaves the code after them unminified, which makes the console's script 3 % larger.
"""

import hashlib
import posixpath
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

# `import { … } from "./x.js";` and `import "./x.js";`, and exports, one name on each line.
_IMPORT: Final = re.compile(rb'(?m)^import (?:\{([^}]*)\} from )?"(\.{1,2}/[a-z0-9./-]+\.js)";\n?')
_EXPORT: Final = re.compile(rb"(?m)^export (?=(?:async function|function|class|const) (\w+))")
_STYLES: Final = re.compile(rb'(?m)^@import "(\.{1,2}/[a-z0-9./-]+\.css)";$')
# Forms of import and export that this bundler doesn't support.
_OTHER_WAY: Final = re.compile(rb"(?m)^(?:import|export)\b.*|\bimport\(.*")

_GAPS: Final = re.compile(rb" ?([{};:,]) ")  # in styles; not the " :" of a selector, which no space follows

_ENDS: Final = re.compile(rb" ?(?<!css\")([{};,])\n(?!@import)")  # in styles; an import keeps its line

# In scripts: a string, or an operator that needs no spaces. + and - only between names, numbers and brackets, because
# two of them without a space are another operator.
_SIGNS: Final = re.compile(
    rb'("(?:[^"\\\n]|\\.)*")'
    rb"| ?(=>|[=!]==?|<=|>=|&&|\|\||\?\?|[-+]=|[=<>?:{}(),;]|[][]) ?"
    rb'|(?<=[\w)\]" ]) ?([-+*%]) (?=[\w(])'
)
_TEXTS: Final = re.compile(rb'"(?:[^"\\\n]|\\.)*"')
_TEMPLATES: Final = re.compile(rb"`[^`]*`")

# No statement begins with these: a line that does continues the line before.
_CONTINUES: Final = (b")", b"]", b"}", b".", b"?", b":", b"&&", b"||")

_CONSTANT: Final = re.compile(rb"^const\b ?")

# `// …`, `/** … */` and `/* … */` on lines of their own; `/** @type {…} */ ` anywhere.
_COMMENT: Final = re.compile(rb"(?m)^[ \t]*(?://[^\n]*|/\*(?:[^*]|\*(?!/))*\*/[ \t]*)$")
# `// …` after code. It is kept if it has a quote, because it may then be the end of a string.
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

    It also drops spaces around operators, line ends after them, and the last semicolon of a block. It doesn't rename
    anything, so every name that a browser reports is in the source. A file must not have a string or pattern over
    several lines, a script no loop without a body, and a stylesheet no string with an operator and a space after it.
    """
    content = _COMMENT.sub(b"", content)
    content = _TYPE.sub(b"", _ASIDE.sub(b"", content)) if suffix == ".js" else _GAPS.sub(rb"\1", content)
    lines = b"\n".join(line.strip() for line in content.splitlines() if line.strip()) + b"\n"
    if suffix == ".js":
        return _joined([_tight(line) for line in lines.splitlines()])
    return _ENDS.sub(rb"\1", lines).replace(b";}", b"}")


def _tight(line: bytes) -> bytes:
    """Return a script's line without spaces around operators, unless it may have patterns, nested templates or "`"."""
    code = _TEXTS.sub(b"", line)
    if line.startswith(b"import ") or b"'" in code or not line.count(b"`") == code.count(b"`") in {0, 2}:
        return line
    parts = line.split(b"`")  # code, or code, a template and code
    if any(b"/" in _TEXTS.sub(b"", part) for part in parts[::2]):
        return line
    parts[::2] = [_SIGNS.sub(lambda found: found[1] or found[2] or found[3], part) for part in parts[::2]]
    return b"`".join(parts)


def _joined(lines: Sequence[bytes]) -> bytes:
    """Return a script's lines without unnecessary line ends; those of comments and around imports stay.

    Every statement in `assets/` ends with a semicolon or a brace, so no line end replaces a semicolon. A line that
    begins with a closing bracket, a dot or an operator continues the line before. A comma before a closing bracket and
    the last semicolon of a block are dropped. Constants on consecutive lines become one statement.
    """
    whole = bytearray()
    commented = False
    before = b""
    for line in lines:
        module = line.startswith((b"import ", b"export "))
        if module and whole and not whole.endswith(b"\n"):
            whole += b"\n"
        if line.startswith(_CONTINUES) and not commented:
            whole = whole.rstrip(b"\n")
            if line.startswith((b")", b"]", b"}")):
                whole = whole.removesuffix(b",")
            if line.startswith(b"}"):
                whole = whole.removesuffix(b";")
        added = line
        if _CONSTANT.match(line) and _CONSTANT.match(before) and before.endswith(b";") and not commented:
            whole[-1:] = b","
            added = _CONSTANT.sub(b"", line)
        before = line
        commented = b"//" in line
        needless = (
            line.endswith((b"{", b"}", b";", b",", b"(", b"[", b"=", b">", b":", b"&&", b"||"))
            and not commented
            and not line.startswith(b"import ")
        )
        whole += added if needless else added + b"\n"
    return bytes(whole)


def hash_names(files: Mapping[str, bytes]) -> dict[str, tuple[str, bytes]]:
    """Return the hashed name and the content of each file that no other file imports, by its name without folders.

    All imports of a file, direct or not, are written into it: a page loads one stylesheet and one script, and no
    browser combines old files with new ones. See `docs/adr/0017-one-script.md`.

    Raise `ValueError` for circular imports, an unsupported form of import, or a name that two modules export, and
    `KeyError` for a missing file or name.
    """
    modules = {name: _module(name, files[name]) for name in sorted(files) if name.endswith(".js")}
    styles = {name: files[name] for name in sorted(files) if name not in modules}
    imported = {other for module in modules.values() for other in module.takes}
    imported |= {
        _resolved(name, found[1]) for name, content in styles.items() for found in _STYLES.finditer(content)
    }
    parts: dict[str, list[str]] = {}  # by module: its imports in order, each once, then the module

    def reach(name: str, above: tuple[str, ...]) -> list[str]:
        if name in above:
            raise ValueError(f"circular imports: {' → '.join((*above, name))}")
        if name not in parts:
            below = [part for other in modules[name].takes for part in reach(other, (*above, name))]
            parts[name] = [*dict.fromkeys(below), name]
        return parts[name]

    for name, module in modules.items():
        reach(name, ())
        for other, names in module.takes.items():
            # A missing name would otherwise be an error only in the visitor's browser.
            if missing := [one.decode() for one, _ in names if one not in modules[other].gives]:
                raise KeyError(f"{other} doesn't export {', '.join(missing)}")

    whole = {name: _script(parts[name], modules) for name in modules if name not in imported}
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
    """A module's text without its imports, and the names that it imports and exports."""

    script: bytes
    takes: Mapping[str, Sequence[tuple[bytes, bytes]]]  # imported names with their local names, by file
    gives: Sequence[bytes]  # exported names


def _module(name: str, content: bytes) -> _Module:
    takes: dict[str, list[tuple[bytes, bytes]]] = {}
    for found in _IMPORT.finditer(content):
        takes.setdefault(_resolved(name, found[2]), []).extend(_names(found[1]))
    script = _EXPORT.sub(b"", _IMPORT.sub(b"", content))
    if other_way := _OTHER_WAY.search(script):
        raise ValueError(f"{name} has an unsupported import or export: {other_way[0].decode()}")
    return _Module(script, takes, _EXPORT.findall(content))


def _script(parts: Sequence[str], modules: Mapping[str, _Module]) -> bytes:
    """Return a page's script: its modules, one after the other.

    A module gets its own scope only if one of its names is also a name in another module.

    Raise `ValueError` if two modules export the same name.
    """
    *imported, entry = parts
    taken: dict[bytes, str] = {}
    for name in imported:
        for one in modules[name].gives:
            if one in taken:
                raise ValueError(f"{taken[one]} and {name} both export {one.decode()}")
            taken[one] = name

    def code(name: str) -> bytes:
        renamed = [pair for pairs in modules[name].takes.values() for pair in pairs if pair[0] != pair[1]]
        return b"".join(b"const %s=%s;" % (own, one) for one, own in renamed) + modules[name].script

    whole = []
    for name in imported:
        gives = b",".join(modules[name].gives)
        own = _own_names(code(name))
        if own is not None and all(taken.get(one, name) == name for one in own):
            taken |= dict.fromkeys(own, name)
            whole.append(code(name).rstrip() + b"\n")
        elif gives:
            whole.append(b"const{%s}=(()=>{%sreturn{%s}})();\n" % (gives, code(name), gives))
        else:
            whole.append(b"(()=>{%s})();\n" % code(name))
    return b"".join(whole) + b"{%s}\n" % code(entry)


def _own_names(script: bytes) -> set[bytes] | None:
    """Return the names that a module declares at its top level; None if this can't determine them for sure."""
    outer = bytearray()
    depth = 0
    for sign in _TEMPLATES.sub(b"", _TEXTS.sub(b"", script)).decode():
        depth -= sign in ")]}"
        if depth < 0:
            return None
        if depth == 0:
            outer += sign.encode()
        depth += sign in "([{"
    text = bytes(outer)
    if depth or re.search(rb"\b(?:const|let) ?[{[]", text):
        return None
    constants = re.findall(rb"\b(?:const|let) ([^;]*)", text)
    names = {
        re.split(rb"\W", part.strip(), maxsplit=1)[0] for found in constants for part in found.split(b",")
    }
    return names | set(re.findall(rb"\b(?:function|class) (\w+)", text))


def _names(taken: bytes | None) -> list[tuple[bytes, bytes]]:
    """Return the names in an import, each with its local name."""
    pairs = [one.split() for one in (taken or b"").split(b",") if one.strip()]
    return [(one[0], one[-1]) for one in pairs]
