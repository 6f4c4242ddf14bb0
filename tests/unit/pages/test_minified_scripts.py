"""Minified and bundled scripts do what their sources say: a parser reads the same code in all of them.

`pages/bundle.py` minifies with regular expressions. So acorn, which ESLint uses, parses each module, its minified text
and each bundle. Their trees may differ only in positions, in `const` declarations that became one statement, and in a
bundle's imports, exports and scopes. Each name in a bundle also resolves to the same declaration as in its module.
"""

import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pytest

from chalicelib.pages import assets
from chalicelib.pages.bundle import bare, hash_names
from tests.support.npm_tools import MODULES, needs_npm_tools

HERE: Final = Path(__file__).parent

pytestmark = [
    needs_npm_tools("no parser compares minified scripts with their sources"),
    pytest.mark.timeout(300),
]

# Code that a careless minifier changes. Few of these forms are in `assets/` today.
HARD: Final = {
    "signs.js": """
const sum = a + +b - -c + ++d - --e;
const more = a++ + b-- - c * -d;
const [rest] = [n % 2 - 1, a < -1, !b, typeof c];
const half = n ? .5 : -0.5;
go(a / b / c, /[/"'`] + [/] ;/.test(text), a - /x - y/.exec(b));
""",
    "texts.js": """
const url = "https://x.example/a , b"; // an aside
const quoted = "a \\" + b ; c" + " = " + d;
const tick = "`a` = b , c" + `d , ${e + f} + g`;
const ticked = "`a` = b , c";
const nested = `a , ${b ? `c , ${d}` : "e , f"} , g`;
const slashes = `a // b , c`;
const apostrophe = "it's" + 'a , "b" , c';
const comment = "/* a , b */" + "// c";
go(url, quoted, tick);
""",
    "blocks.js": """
if (a) {
  const b = 1;
  go(b);
}
const c = () => {
  const d = 1;
  return d;
};
const e = 2;
const { f, ...g } = e;
for (const h of [c, e]) {
  const i = h;
}
const j = "a // b"; // it's kept;
const k = `x // y`; // it's kept, (
const o = 3;
if (f) {
  const l = 1;
}
const m = 2;
switch (m) {
  case "a":
    go(g);
    break;
  default:
    go(j, k);
}
""",
    "lines.js": """
const a = (
  b, // why
) =>
  b
    ? [b, c]
    : {
        d: `e`,
        f() {
          return -1;
        },
      };
const long =
  "one " +
  "two" +
  three;
a(long)
  .then(async ({ d }) => d)
  ?.catch(() => {});
const either =
  a ||
  (b && c) ||
  !d;
export class Go {
  #own = 1;
  get own() {
    return this.#own;
  }
  static async *each() {
    yield* [1];
    yield -1;
  }
}
export const last = either;
""",
}


def minified(sources: Mapping[str, str]) -> dict[str, str]:
    return {name: bare(text.encode(), ".js").decode() for name, text in sources.items()}


def case(sources: Mapping[str, str], texts: Mapping[str, str], entries: Sequence[str] = ()) -> dict[str, Any]:
    """Return the sources with their minified texts, and the bundles of those."""
    bundles = hash_names({name: text.encode() for name, text in texts.items()}) if entries else {}
    return {
        "modules": {name: [text, texts[name]] for name, text in sources.items()},
        "bundles": {entry: bundles[Path(entry).name][1].decode() for entry in entries},
    }


def differences(*cases: Mapping[str, Any]) -> list[list[str]]:
    """Return each case's differences between its sources and its texts."""
    done = subprocess.run(
        ["node", HERE / "compare_scripts.mjs", MODULES],  # noqa: S607 - the reader's own node
        input=json.dumps(cases),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    found: list[list[str]] = json.loads(done.stdout)
    return found


# Modules with the same private name, and an import with another name.
SHARED: Final = {
    "a.js": 'import { one } from "./b.js";\nimport { two as other } from "./c.js";\none(other, window);\n',
    "b.js": "const mine = 1;\nexport const one = (x) => x + mine;\n",
    "c.js": 'import { one as first } from "./b.js";\nconst mine = 2;\nexport const two = () => first(mine);\n',
}
# A module whose private name is the browser's in another module. `make lint` rejects such a name.
HIDDEN: Final = {
    "a.js": 'import { one } from "./b.js";\none(window);\n',
    "b.js": "const window = 1;\nexport const one = (x) => x + window;\n",
}

# A source, a text that means something else, and the difference.
CHANGED: Final = [
    ("go(a + +b);\n", "go(a++b);\n", "can't be parsed"),
    ("go(a - -b);\n", "go(a- +b);\n", "`-b` became `+b`"),
    ("go(a + b, c);\n", "go(a+ +b,c);\n", "`b` became `+b`"),
    ('go("a , b");\n', 'go("a,b");\n', '`"a , b"` became `"a,b"`'),
    ("go(`a , b`);\n", "go(`a,b`);\n", "`a , b` became `a,b`"),
    ("go(/a , b/);\n", "go(/a,b/);\n", "`/a , b/` became `/a,b/`"),
    ("a();\nb();\n", "a();//b();\n", "`b();` became nothing"),
    (
        "if (a) {\n  const b = 1;\n}\nconst c = 2;\n",
        "if(a){const b=1,c=2}",
        "`{\n  const b = 1;\n}` became `c=2`",
    ),
    ("let a;\nconst b = 1;\n", "let a,b=1;", "`let a;` became `b=1`"),
    ("a = b;\n[c].d();\n", "a=b[c].d();", "`b` became `b[c].d()`"),
    ("return_(1);\n", "return_(1);go();\n", "became `go();`"),
]


def test_every_script_means_the_same_minified_and_bundled() -> None:
    sources = {
        path.relative_to(assets.FOLDER).as_posix(): path.read_text() for path in assets.FOLDER.rglob("*.js")
    }
    entries = ["console/console.js", "invitee/invitee.js"]
    assert len(sources) > 50
    assert hash_names({name: text.encode() for name, text in minified(sources).items()}).keys() == {
        Path(entry).name for entry in entries
    }

    assert differences(case(sources, minified(sources), entries)) == [[]]


def test_code_that_is_hard_to_minify_means_the_same() -> None:
    with_imports = case(SHARED, minified(SHARED), ["a.js"])
    assert differences(case(HARD, minified(HARD)), with_imports) == [[], []]


# A part of the bundle of `SHARED`, what replaces it, and the difference.
CHANGED_BUNDLE: Final = [
    ("x + mine", "x - mine", "`x + mine` became `x - mine`"),
    ("x + mine", "x + one", "`mine` became `one`"),
    ("const mine = 2;", "", "`mine` became `two`"),
    ("const first=one;", "const first=mine;", "c.js:1: "),
    ("const first=one;", "const one=3,first=one;", "c.js:1: "),
    ("const first=one;", "", "c.js:1: "),
    ("{const other", "{const one=3;const other", "a.js:1: "),
    ("const other=two;", "const other=two,more=1;", "`one(other, window);` became `more=1`"),
    ("const{two}=(()=>{", "const{two}=((one)=>{", "c.js:1: "),
    ("return{two}", "return{two:first}", "`two` became `two`"),
    ("return{two}", "go();return{two}", "c.js:3: "),
    ("{const other", "go();{const other", "a.js:1: "),
    ("window);\n}\n", "window);\n}\ngo();\n", "became `go();`"),
]


def test_the_comparison_finds_every_kind_of_difference() -> None:
    """Otherwise, the other tests would pass for any text."""
    bundle = case(SHARED, SHARED, ["a.js"])["bundles"]["a.js"]
    modules = {name: [text, text] for name, text in SHARED.items()}
    cases = [{"modules": {"x.js": [source, text]}, "bundles": {}} for source, text, _ in CHANGED]
    for part, instead, _ in CHANGED_BUNDLE:
        assert part in bundle
        cases.append({"modules": modules, "bundles": {"a.js": bundle.replace(part, instead)}})
    expected = [one for *_, one in (*CHANGED, *CHANGED_BUNDLE)]

    *found, hidden = differences(*cases, case(HIDDEN, HIDDEN, ["a.js"]))

    for one, messages in zip(expected, found, strict=True):
        assert len(messages) == 1, one
        assert one in messages[0]
    assert hidden == ["a.js: window is the browser's, but another in the bundle a.js"]
