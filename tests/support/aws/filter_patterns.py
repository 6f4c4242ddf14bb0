"""CloudWatch's filter patterns for JSON lines, as far as the template uses them: which lines match."""

import json
import re
from fnmatch import fnmatchcase
from typing import Any, Final

_TEST: Final = re.compile(r'\$\.([\w.]+) (=|!=) "([^"]*)"')


def counts(pattern: str, line: str) -> bool:
    """Tell whether a pattern counts a line. A line that is no JSON, and a field that is not there, match nothing."""
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
    return bool(eval(logic))  # noqa: S307 - of nothing but these words


def _at(document: Any, path: str) -> Any:
    for name in path.split("."):
        document = document.get(name) if isinstance(document, dict) else None
    return document
