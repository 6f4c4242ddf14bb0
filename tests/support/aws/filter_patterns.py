"""Evaluate CloudWatch's filter patterns for JSON log lines, as far as the template uses them."""

import json
import re
from fnmatch import fnmatchcase
from typing import Any, Final

_TEST: Final = re.compile(r'\$\.([\w.]+) (=|!=) "([^"]*)"')


def counts(pattern: str, line: str) -> bool:
    """Return whether a line matches a pattern. A line that is not JSON and a missing field never match."""
    try:
        document = json.loads(line)
    except ValueError:
        return False
    assert pattern.startswith("{ ")
    assert pattern.endswith(" }")

    def decided(test: re.Match[str]) -> str:
        path, sign, wanted = test.groups()
        found = _at(document, path)
        return str(found is not None and fnmatchcase(str(found), wanted) == (sign == "="))

    logic = _TEST.sub(decided, pattern[2:-2]).replace("&&", "and").replace("||", "or")
    assert re.fullmatch(r"(True|False|and|or|[() ])+", logic), logic
    return bool(eval(logic))  # noqa: S307 - the assertion above allows only these words


def _at(document: Any, path: str) -> Any:
    for name in path.split("."):
        document = document.get(name) if isinstance(document, dict) else None
    return document
