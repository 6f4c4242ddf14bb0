"""`make crawlers`: write `chalicelib/domain/links/crawlers.py` from the maintained package crawler-user-agents.

When it is first used, the package reads 545 KB of JSON and compiles 1,500 patterns, which takes 100 to 300 ms of a cold
start. Nearly all patterns are plain texts. The copy lists these separately, so that searching them takes 0.1 ms.
"""

import re
import sys
from importlib.metadata import version
from typing import Final

from infra.paths import ROOT

COPY: Final = ROOT / "chalicelib" / "domain" / "links" / "crawlers.py"
_PACKAGE: Final = "crawler-user-agents"
_PLAIN: Final = re.compile(r"(?:[^\\^$.|?*+()\[\]{}]|\\[^A-Za-z0-9])+")
# Apps with a built-in browser. The crawlers of these apps are recognized in another way: their User-Agent doesn't start
# like a browser's.
_APPS: Final = frozenset({"WhatsApp", r"Notion\/"})


def text() -> str:
    """Return the source of the module for the installed version of the package."""
    from crawleruseragents import CRAWLER_USER_AGENTS_DATA

    patterns = sorted({each["pattern"] for each in CRAWLER_USER_AGENTS_DATA} - _APPS)
    plain = sorted({re.sub(r"\\(.)", r"\1", pattern) for pattern in patterns if _PLAIN.fullmatch(pattern)})
    others = [pattern for pattern in patterns if not _PLAIN.fullmatch(pattern)]
    return "\n".join(
        [
            f'"""What crawlers call themselves: {_PACKAGE} {version(_PACKAGE)} (MIT), written by `make crawlers`."""',
            "",
            "from typing import Final",
            "",
            "TEXTS: Final[tuple[str, ...]] = (",
            *(f"    {_quoted(text)}," for text in plain),
            ")",
            "",
            "PATTERNS: Final[tuple[str, ...]] = (",
            *(f"    {_quoted(pattern)}," for pattern in others),
            ")",
            "",
        ]
    )


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def main() -> int:
    """Write the module; return the exit status."""
    COPY.write_text(text())
    print(f"Wrote {COPY.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
