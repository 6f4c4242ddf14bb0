"""No annotation changes its meaning in Python 3.14, which looks names up in the class before the module."""

import ast
from collections.abc import Iterator

import pytest

from infra.paths import ROOT


def _clashes(tree: ast.Module) -> Iterator[str]:
    """Yield each field whose name is also used in an annotation of the same class."""
    for defined in (node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)):
        fields = [node for node in defined.body if isinstance(node, ast.AnnAssign)]
        names = {field.target.id for field in fields if isinstance(field.target, ast.Name)}
        for field in fields:
            used = {node.id for node in ast.walk(field.annotation) if isinstance(node, ast.Name)}
            yield from (f"{defined.name}.{name}" for name in used & names)


@pytest.mark.parametrize("folder", ["chalicelib", "infra", "tests"])
def test_no_field_has_the_name_of_a_type_in_its_class(folder: str) -> None:
    """From Python 3.14 on, the type in `date: date` is the field itself, which msgspec rejects."""
    found = {
        f"{path.relative_to(ROOT)}: {clash}"
        for path in (ROOT / folder).rglob("*.py")
        for clash in _clashes(ast.parse(path.read_text()))
    }
    assert found == set()


def test_a_field_with_the_name_of_its_type_is_found() -> None:
    tree = ast.parse("class Day:\n    date: date | None\n    at: time\n")
    assert list(_clashes(tree)) == ["Day.date"]
