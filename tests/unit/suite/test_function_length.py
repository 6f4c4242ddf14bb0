"""No Python function is longer than 60 lines with its docstring. Ruff can limit only statements, not lines."""

import ast
from collections.abc import Iterator
from typing import Final

import pytest

from infra.paths import ROOT

MAX_LINES: Final = 60


def _long(source: str) -> Iterator[str]:
    """Yield the name and the number of lines of each function that is too long."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > MAX_LINES:
                yield f"{node.name}: {lines} lines"


@pytest.mark.parametrize("folder", ["chalicelib", "infra", "tests"])
def test_no_function_is_longer_than_sixty_lines(folder: str) -> None:
    """Split a longer function by subject."""
    found = {
        f"{path.relative_to(ROOT)}: {function}"
        for path in (ROOT / folder).rglob("*.py")
        for function in _long(path.read_text())
    }
    assert found == set()


def test_a_longer_method_is_found() -> None:
    """60 lines pass and 61 fail."""
    body = "        pass\n"
    exact, longer = (f"class A:\n    def f(self):\n{body * count}" for count in (MAX_LINES - 1, MAX_LINES))
    assert list(_long(exact)) == []
    assert list(_long(longer)) == ["f: 61 lines"]
