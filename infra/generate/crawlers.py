"""`make crawlers`: write `chalicelib/domain/links/crawlers.py` from the maintained package crawler-user-agents.

The package reads 545 KB of JSON and compiles 1,500 patterns at its first use: 100 to 300 ms of a cold start. Nearly all
of its patterns are plain texts, so the copy lists those separately and a search through them takes 0.1 ms.
"""

import re
import sys
from importlib.metadata import version
from typing import Final

from infra.paths import ROOT

COPY: Final = ROOT / "chalicelib" / "domain" / "links" / "crawlers.py"
_PACKAGE: Final = "crawler-user-agents"
_PLAIN: Final = re.compile(r"(?:[^\\^$.|?*+()\[\]{}]|\\[^A-Za-z0-9])+")
# Apps whose built-in browser people use. Their previews are recognized differently: they don't begin as browsers do.
_APPS: Final = frozenset({"WhatsApp", r"Notion\/"})


def text() -> str:
    """Return the source of the module for the installed version of the package."""
    from crawleruseragents import CRAWLER_USER_AGENTS_DATA

    patterns = sorted({each["pattern"] for each in CRAWLER_USER_AGENTS_DATA} - _APPS)
    plain = sorted({re.sub(r"\\(.)", r"\1", one) for one in patterns if _PLAIN.fullmatch(one)})
    others = [one for one in patterns if not _PLAIN.fullmatch(one)]
    return "\n".join(
        [
            f'"""What crawlers call themselves: {_PACKAGE} {version(_PACKAGE)} (MIT), written by `make crawlers`."""',
            "",
            "from typing import Final",
            "",
            "TEXTS: Final[tuple[str, ...]] = (",
            *(f"    {_quoted(one)}," for one in plain),
            ")",
            "",
            "PATTERNS: Final[tuple[str, ...]] = (",
            *(f"    {_quoted(one)}," for one in others),
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
