"""Static files have names that change with their content, and modules import each other by them."""

import hashlib
import re
from pathlib import Path

import pytest

from chalicelib.pages import assets
from chalicelib.pages.assets import asset, asset_url
from chalicelib.pages.bundle import bare, hash_names


def served(name: str) -> tuple[str, str]:
    """Return what the app serves for a file of `assets/`, and its content type."""
    found = asset(asset_url("", name).removeprefix("assets/"))
    assert found is not None, name
    return found[0].decode(), found[1]


def test_a_script_has_what_it_imports_written_into_it_once_and_in_order() -> None:
    """One request; each module keeps its own names to itself and gives only what it exports."""
    files = {
        "a.js": b'import { one } from "./b.js";\nimport {\ntwo as other,\nThree,\n} from "./c-d.js";\n'
        b'import "./e.js";\none("./b.js", other, Three);\n',
        "b.js": b'import { two } from "./c-d.js";\nconst mine = 1;\nexport const one = () => two(mine);\n',
        "c-d.js": b"const mine = 2;\nexport async function two() {}\nexport class Three {}\n",
        "e.js": b"const mine = 3;\n",
    }

    names = hash_names(files)

    assert list(names) == ["a.js"], "what is imported is not served by itself"
    assert names["a.js"][1].decode() == (
        "const mine = 2;\nasync function two() {}\nclass Three {}\n"
        "const{one}=(()=>{const mine = 1;\nconst one = () => two(mine);\nreturn{one}})();\n"
        "(()=>{const mine = 3;\n})();\n"
        '{const other=two;one("./b.js", other, Three);\n}\n'
    )
    name, content = names["a.js"]
    assert name.split(".")[1] == hashlib.sha256(content).hexdigest()[:8]


def test_a_module_in_another_folder_is_found_from_the_file_that_imports_it() -> None:
    """Two files of one name in two folders are two modules; a bundle's own name is that of its file alone."""
    files = {
        "a/a.js": b'import { one } from "../shared/b.js";\nimport { two } from "./c/b.js";\none(two);\n',
        "a/c/b.js": b'import { one } from "../../shared/b.js";\nexport const two = one(2);\n',
        "shared/b.js": b"export const one = (x) => x;\n",
    }
    names = hash_names(files)
    assert list(names) == ["a.js"]
    assert names["a.js"][1].decode() == ("const one = (x) => x;\nconst two = one(2);\n{one(two);\n}\n")


def test_two_modules_of_a_script_that_export_one_name_are_refused() -> None:
    """Whoever imports it would get the first one's in one place and the second one's in another."""
    files = {
        "a.js": b'import { one } from "./b.js";\nimport { one as other } from "./c.js";\none(other);\n',
        "b.js": b"export const one = 1;\n",
        "c.js": b"export const one = 2;\n",
    }
    with pytest.raises(ValueError, match=r"b\.js and c\.js both export one"):
        hash_names(files)


def test_a_change_below_changes_every_name_above() -> None:
    """No browser keeps an old script for a page that wants the new one, however long it keeps them."""
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
        "export let now = 1;",  # a copy of it would not change with it
        "export default 1;",
        'export { a } from "./b.js";',
        'import * as b from "./b.js";',
        'import b from "./b.js";',
        'const b = await import("./b.js");',
    ],
)
def test_another_way_to_import_or_export_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match=r"a\.js imports or exports in another way"):
        hash_names({"a.js": line.encode() + b"\n", "b.js": b"export const a = 1;\n"})


def test_a_stylesheet_has_what_it_shares_written_into_it() -> None:
    """One request; and a change of what is shared changes the names of all that share it."""
    files = {
        "base.css": b":root { --ink: #000; }\n",
        "a.css": b'/* a */\n\n@import "./base.css";\n\nb { c: d; }\n',
    }

    before, after = hash_names(files), hash_names(files | {"base.css": b":root { --ink: #111; }\n"})

    assert before["a.css"][1] == b"/* a */\n\n:root { --ink: #000; }\n\nb { c: d; }\n"
    assert before["a.css"][0] != after["a.css"][0]
    with pytest.raises(KeyError, match=r"b\.css"):
        hash_names({"a.css": b'@import "./b.css";\n'})


def test_the_pages_colours_are_told_once() -> None:
    for name in ("admit-one.css", "console.css"):
        text, _ = served(name)
        assert "@import" not in text
        on_paper = text.count("@media print")
        assert text.count("--accent:") == 2 + on_paper, (
            f"{name}: once for light, once for dark, once for paper"
        )


def test_a_circle_or_a_module_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match=r"a\.js → b\.js → a\.js"):
        hash_names({"a.js": b'import "./b.js";\n', "b.js": b'import "./a.js";\n'})
    with pytest.raises(KeyError, match=r"b\.js"):
        hash_names({"a.js": b'import "./b.js";\n'})
    with pytest.raises(KeyError, match=r"b\.js gives no two"):
        hash_names({"a.js": b'import { one, two } from "./b.js";\n', "b.js": b"export const one = 1;\n"})


def imported_by(module: Path) -> set[Path]:
    """Return all the modules that a module imports, directly or through others."""
    found: set[Path] = set()
    for name in re.findall(r'(?m)^(?:import|\}).* from "([^"]+)";$', module.read_text()):
        path = (module.parent / name).resolve()
        found |= {path} | imported_by(path)
    return found


@pytest.mark.parametrize("entry", ["invitee.js", "console.js"])
def test_a_script_is_whole_by_itself(entry: str) -> None:
    """All its modules are in it, each once. That each gives what others take, `hash_names` has made sure of."""
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


def test_the_console_stays_small_and_within_its_policy() -> None:
    """The stylesheet keeps to its budget; no module evaluates text, writes HTML or keeps anything beyond the tab."""
    css, content_type = served("console.css")
    assert content_type == "text/css; charset=utf-8"
    assert len(css.encode()) <= 21_000  # with what all pages share
    assert "@import" not in css
    forbidden = r"\beval\(|new Function|innerHTML|outerHTML|insertAdjacentHTML|document\.write|localStorage"
    assert not re.search(forbidden, served("console.js")[0])


def test_comments_and_indentation_are_not_sent() -> None:
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


def test_no_two_signs_become_another_one() -> None:
    assert bare(b"const n = (a + b) * c - -d + ++e;\n", ".js") == b"const n=(a+b)*c - -d + ++e;"
    assert bare(b"const [m] = [n % 2 - 1];\n", ".js") == b"const[m]=[n%2-1];"


def test_a_statement_over_several_lines_becomes_one_line() -> None:
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


def test_no_file_has_a_text_over_several_lines_that_would_lose_its_indentation() -> None:
    for path in assets.FOLDER.rglob("*.*"):
        text = path.read_text()
        if path.suffix == ".js":
            for line in text.splitlines():
                assert line.count("`") % 2 == 0, f"{path.name}: {line}"
                assert not line.endswith("\\"), f"{path.name}: {line}"
        else:
            assert not [one for one in re.findall(r'"[^"]*"', text) if re.search("[{};:,] ", one)], path.name


def test_every_phrase_that_a_script_says_is_brought_along_and_no_other() -> None:
    """A phrase that is not in the page would be an error in the visitor's browser alone."""
    from chalicelib.pages.invitee.picker import _SCRIPT_PHRASES

    said: set[str] = set()
    for path in (assets.FOLDER / "invitee").rglob("*.js"):
        for inside in re.findall(r"\bsay\(([^)]*)", path.read_text()):
            said |= set(re.findall(r'"([a-z][a-z.-]*)"', inside.partition("{")[0]))
    assert said == {key.removeprefix("pages.") for key in _SCRIPT_PHRASES}
