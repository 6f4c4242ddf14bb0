"""Static files under names that change with their content, and modules that find each other by them."""

import hashlib
import re

import pytest

from chalicelib.pages import assets
from chalicelib.pages.assets import asset, asset_url, bare, hash_names, module_urls

_HASHED = re.compile(r"[a-z-]+\.[0-9a-f]{8}\.(?:js|css)")


def served(name: str) -> tuple[str, str]:
    """Return what the app serves for a file of `assets/`, and its content type."""
    found = asset(asset_url("", name).removeprefix("assets/"))
    assert found is not None, name
    return found[0].decode(), found[1]


def test_imports_lead_to_the_hashed_names() -> None:
    files = {
        "a.js": b'import { one } from "./b.js";\nimport {\n  two,\n} from "./c.js";\n'
        b'import "./c.js";\none("./b.js");\n',
        "b.js": b'export { one } from "./c.js";\n',
        "c.js": b"export const one = () => {};\n",
    }

    names = hash_names(files)

    b, c = names["b.js"][0], names["c.js"][0]
    assert names["b.js"][1].decode() == f'export {{ one }} from "./{c}";\n'
    assert names["a.js"][1].decode() == (
        f'import {{ one }} from "./{b}";\nimport {{\n  two,\n}} from "./{c}";\nimport "./{c}";\none("./b.js");\n'
    )
    for name, content in names.values():
        assert name.split(".")[1] == hashlib.sha256(content).hexdigest()[:8]


def test_a_change_below_changes_every_name_above() -> None:
    """No browser mixes old modules with new ones, however long it keeps them."""
    files = {
        "a.js": b'import "./b.js";\n',
        "b.js": b'import "./c.js";\n',
        "c.js": b"1;\n",
        "d.js": b"2;\n",
    }

    before, after = hash_names(files), hash_names(files | {"c.js": b"3;\n"})

    changed = {name for name in files if before[name][0] != after[name][0]}
    assert changed == {"a.js", "b.js", "c.js"}


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
        assert text.count("--accent: ") == 2, f"{name}: once for light, once for dark"


def test_a_circle_or_a_module_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match=r"a\.js → b\.js → a\.js"):
        hash_names({"a.js": b'import "./b.js";\n', "b.js": b'import "./a.js";\n'})
    with pytest.raises(KeyError, match=r"b\.js"):
        hash_names({"a.js": b'import "./b.js";\n'})


def test_every_module_of_the_console_is_served_with_all_its_imports() -> None:
    urls = [asset_url("./", "console.js"), *module_urls("./", "console.js")]
    assert len(set(urls)) == len(urls) > 10

    for url in urls:
        found = asset(url.removeprefix("./assets/"))
        assert found is not None, url
        content, content_type = found[0].decode(), found[1]
        assert content_type == "text/javascript; charset=utf-8"
        imported = re.findall(r'(?:from|import) "\./([^"]+)"', content)
        assert [name for name in imported if not _HASHED.fullmatch(name)] == []
        assert {f"./assets/{name}" for name in imported} <= set(urls), url


def test_the_console_stays_small_and_within_its_policy() -> None:
    """The stylesheet keeps to its budget; no module evaluates text, writes HTML or keeps anything beyond the tab."""
    css, content_type = served("console.css")
    assert content_type == "text/css; charset=utf-8"
    assert len(css.encode()) <= 21_000  # with what all pages share
    assert "@import" not in css
    for url in [asset_url("", "console.js"), *module_urls("", "console.js")]:
        found = asset(url.removeprefix("assets/"))
        assert found is not None
        forbidden = (
            r"\beval\(|new Function|innerHTML|outerHTML|insertAdjacentHTML|document\.write|localStorage"
        )
        assert not re.search(forbidden, found[0].decode()), url


def test_comments_of_their_own_and_indentation_are_not_sent() -> None:
    written = b"""// What this is for.
/**
 * Says where.
 * @param {string} url a * in it, and https://x.example
 */
export function go(url) {
  // why
  const place = /** @type {HTMLElement} */ (document.body); // stays
  return "https://x.example/* not one */" + url;
}
"""
    assert bare(written) == (
        b"export function go(url) {\nconst place = (document.body); // stays\n"
        b'return "https://x.example/* not one */" + url;\n}\n'
    )
    assert bare(b"/* Look. */\n\n:root {\n  --ink: #000; /* stays */\n}\n") == (
        b":root {\n--ink: #000; /* stays */\n}\n"
    )


def test_no_file_has_a_text_over_several_lines_that_would_lose_its_indentation() -> None:
    for path in assets._FOLDER.iterdir():
        text = path.read_text()
        if path.suffix == ".js":
            for line in text.splitlines():
                assert line.count("`") % 2 == 0, f"{path.name}: {line}"
                assert not line.endswith("\\"), f"{path.name}: {line}"


def test_every_phrase_that_a_script_says_is_brought_along_and_no_other() -> None:
    """A phrase that is not in the page would be an error in the visitor's browser alone."""
    from chalicelib.pages.picker import _SCRIPT_PHRASES

    said: set[str] = set()
    for path in assets._FOLDER.glob("invitee*.js"):
        for inside in re.findall(r"\bsay\(([^)]*)", path.read_text()):
            said |= set(re.findall(r'"([a-z][a-z.-]*)"', inside.partition("{")[0]))
    assert said == {key.removeprefix("pages.") for key in _SCRIPT_PHRASES}
