"""Static files: names with a content hash, scripts bundled with their modules, and limits on size and contents."""

import hashlib
import re
from pathlib import Path

import pytest

from chalicelib.pages import assets
from chalicelib.pages.assets import asset, asset_url
from chalicelib.pages.bundle import bare, hash_names


def served(name: str) -> tuple[str, str]:
    """Return the content that the app serves for a file of `assets/`, and its content type."""
    found = asset(asset_url("", name).removeprefix("assets/"))
    assert found is not None, name
    return found[0].decode(), found[1]


def test_a_bundle_contains_each_imported_module_once_in_order() -> None:
    """The page needs one request for all of them."""
    files = {
        "a.js": b'import { one } from "./b.js";\nimport {\ntwo as other,\nThree,\n} from "./c-d.js";\n'
        b'import "./e.js";\none("./b.js", other, Three);\n',
        "b.js": b'import { two } from "./c-d.js";\nconst mine = 1;\nexport const one = () => two(mine);\n',
        "c-d.js": b"const mine = 2;\nexport async function two() {}\nexport class Three {}\n",
        "e.js": b"const mine = 3;\n",
    }

    names = hash_names(files)

    assert list(names) == ["a.js"], "imported modules are not served separately"
    assert names["a.js"][1].decode() == (
        "const mine = 2;\nasync function two() {}\nclass Three {}\n"
        "const{one}=(()=>{const mine = 1;\nconst one = () => two(mine);\nreturn{one}})();\n"
        "(()=>{const mine = 3;\n})();\n"
        '{const other=two;one("./b.js", other, Three);\n}\n'
    )
    name, content = names["a.js"]
    assert name.split(".")[1] == hashlib.sha256(content).hexdigest()[:8]


def test_imports_are_relative_to_the_importing_file() -> None:
    """Files with the same name in two folders are two modules; a bundle is named after its file, without the folder."""
    files = {
        "a/a.js": b'import { one } from "../shared/b.js";\nimport { two } from "./c/b.js";\none(two);\n',
        "a/c/b.js": b'import { one } from "../../shared/b.js";\nexport const two = one(2);\n',
        "shared/b.js": b"export const one = (x) => x;\n",
    }
    names = hash_names(files)
    assert list(names) == ["a.js"]
    assert names["a.js"][1].decode() == ("const one = (x) => x;\nconst two = one(2);\n{one(two);\n}\n")


def test_two_modules_of_a_bundle_cannot_export_the_same_name() -> None:
    """Otherwise an import could get the export of the wrong module."""
    files = {
        "a.js": b'import { one } from "./b.js";\nimport { one as other } from "./c.js";\none(other);\n',
        "b.js": b"export const one = 1;\n",
        "c.js": b"export const one = 2;\n",
    }
    with pytest.raises(ValueError, match=r"b\.js and c\.js both export one"):
        hash_names(files)


def test_a_changed_module_changes_the_name_of_its_bundle() -> None:
    """So a browser never uses a cached old script for a new page."""
    files = {
        "a.js": b'import "./b.js";\n',
        "b.js": b'import "./c.js";\n',
        "c.js": b"1;\n",
        "d.js": b"2;\n",
    }

    before, after = hash_names(files), hash_names(files | {"c.js": b"3;\n"})

    assert {name for name in before if before[name][0] != after[name][0]} == {"a.js"}
    assert before.keys() == {"a.js", "d.js"}


@pytest.mark.parametrize(
    "line",
    [
        "export let now = 1;",  # an importer's copy of it would not change
        "export default 1;",
        'export { a } from "./b.js";',
        'import * as b from "./b.js";',
        'import b from "./b.js";',
        'const b = await import("./b.js");',
    ],
)
def test_other_kinds_of_imports_and_exports_are_errors(line: str) -> None:
    with pytest.raises(ValueError, match=r"a\.js has an unsupported import or export"):
        hash_names({"a.js": line.encode() + b"\n", "b.js": b"export const a = 1;\n"})


def test_a_stylesheet_contains_the_styles_it_imports() -> None:
    """The page needs one request; a change of shared styles changes the names of all files that import them."""
    files = {
        "base.css": b":root { --ink: #000; }\n",
        "a.css": b'/* a */\n\n@import "./base.css";\n\nb { c: d; }\n',
    }

    before, after = hash_names(files), hash_names(files | {"base.css": b":root { --ink: #111; }\n"})

    assert before["a.css"][1] == b"/* a */\n\n:root { --ink: #000; }\n\nb { c: d; }\n"
    assert before["a.css"][0] != after["a.css"][0]
    with pytest.raises(KeyError, match=r"b\.css"):
        hash_names({"a.css": b'@import "./b.css";\n'})


def test_colors_are_defined_once_per_stylesheet() -> None:
    for name in ("admit-one.css", "console.css"):
        text, _ = served(name)
        assert "@import" not in text
        on_paper = text.count("@media print")
        assert text.count("--accent:") == 2 + on_paper, (
            f"{name}: once for light, once for dark, once for paper"
        )


def test_circular_and_missing_imports_are_errors() -> None:
    with pytest.raises(ValueError, match=r"a\.js → b\.js → a\.js"):
        hash_names({"a.js": b'import "./b.js";\n', "b.js": b'import "./a.js";\n'})
    with pytest.raises(KeyError, match=r"b\.js"):
        hash_names({"a.js": b'import "./b.js";\n'})
    with pytest.raises(KeyError, match=r"b\.js doesn't export two"):
        hash_names({"a.js": b'import { one, two } from "./b.js";\n', "b.js": b"export const one = 1;\n"})


def imported_by(module: Path) -> set[Path]:
    """Return all modules that a module imports, directly or indirectly."""
    found: set[Path] = set()
    for name in re.findall(r'(?m)^(?:import|\}).* from "([^"]+)";$', module.read_text()):
        path = (module.parent / name).resolve()
        found |= {path} | imported_by(path)
    return found


@pytest.mark.parametrize("entry", ["invitee.js", "console.js"])
def test_a_bundle_contains_all_modules_of_its_folder(entry: str) -> None:
    """`hash_names` checks that each module exports what others import."""
    content, content_type = served(entry)
    assert content_type == "text/javascript; charset=utf-8"
    modules = imported_by(assets.FOLDER / entry.removesuffix(".js") / entry)
    assert len(modules) > 5
    exported = [
        name
        for path in modules
        for name in re.findall(r"(?m)^export (?:async )?(?:function|class|const) (\w+)", path.read_text())
    ]
    for name in exported:
        assert re.search(rf"(?:\b(?:function|class|const) |[{{,]){name}\b", content), name
    assert not re.search(r"(?m)^(?:import|export)\b", content)


def test_the_console_is_small_and_uses_no_unsafe_functions() -> None:
    """The stylesheet has a budget; no module evaluates text, writes HTML, or stores data beyond the tab."""
    css, content_type = served("console.css")
    assert content_type == "text/css; charset=utf-8"
    assert len(css.encode()) <= 21_000  # including the styles that all pages share
    assert "@import" not in css
    forbidden = r"\beval\(|new Function|innerHTML|outerHTML|insertAdjacentHTML|document\.write|localStorage"
    assert not re.search(forbidden, served("console.js")[0])


def test_comments_and_indentation_are_removed() -> None:
    written = b"""// What this is for.
/**
 * Says where.
 * @param {string} url a * in it, and https://x.example
 */
export function go(url) {
  // why
  const place = /** @type {HTMLElement} */ (document.body); // goes
  const text = "a // b"; // what isn't sure stays
  return "https://x.example/* not one */" + url;
}
"""
    assert bare(written, ".js") == (
        b"export function go(url){const place=(document.body),"
        b'text = "a // b"; // what isn\'t sure stays\n'
        b'return "https://x.example/* not one */"+url;\n}'
    )
    styles = b"/* Look. */\n\n:root {\n  --ink: #000; /* stays */\n}\n"
    styles += b".a :is(b, i):hover { c: d, e; f: calc(1px + 2px); }\n"
    assert bare(styles, ".css") == (
        b":root{--ink:#000;/* stays */\n}.a :is(b,i):hover{c:d,e;f:calc(1px + 2px)}"
    )


def test_removing_spaces_does_not_join_operators() -> None:
    assert bare(b"const n = (a + b) * c - -d + ++e;\n", ".js") == b"const n=(a+b)*c - -d + ++e;"
    assert bare(b"const [m] = [n % 2 - 1];\n", ".js") == b"const[m]=[n%2-1];"


def test_a_multiline_statement_becomes_one_line() -> None:
    written = b"""go(
  one,
  [
    two, // why
  ],
)
  .then(
    a
      ? b
      : c,
  );
const long =
  "one " +
  "two";
if (long) {
  const three = 3;
  const { four } = long;
  go(three, four);
}
"""
    assert bare(written, ".js") == (
        b'go(one,[two]).then(a?b:c);const long="one " +\n"two";'
        b"if(long){const three=3,{four}=long;go(three,four)}"
    )


def test_no_file_has_a_multiline_string_whose_indentation_would_be_lost() -> None:
    for path in assets.FOLDER.rglob("*.*"):
        text = path.read_text()
        if path.suffix == ".js":
            for line in text.splitlines():
                assert line.count("`") % 2 == 0, f"{path.name}: {line}"
                assert not line.endswith("\\"), f"{path.name}: {line}"
        else:
            assert not [one for one in re.findall(r'"[^"]*"', text) if re.search("[{};:,] ", one)], path.name


def test_the_page_has_exactly_the_phrases_that_its_scripts_use() -> None:
    """A missing phrase would be an error that only the visitor's browser sees."""
    from chalicelib.pages.invitee.picker import _SCRIPT_PHRASES

    said: set[str] = set()
    for path in (assets.FOLDER / "invitee").rglob("*.js"):
        for inside in re.findall(r"\bsay\(([^)]*)", path.read_text()):
            said |= set(re.findall(r'"([a-z][a-z.-]*)"', inside.partition("{")[0]))
    assert said == {key.removeprefix("pages.") for key in _SCRIPT_PHRASES}
