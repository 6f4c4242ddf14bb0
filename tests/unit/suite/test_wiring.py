"""Each entry point gets the world in one place and passes it down, so no other code depends on process state."""

import ast
from collections import Counter
from typing import Final

from infra.paths import ROOT

ENTRIES: Final = {  # the entry points that get the world: HTTP, and each Lambda handler
    "api/http/authorizer.py",
    "api/http/routing.py",
    "consumers/commands.py",
    "consumers/direct_functions.py",
    "consumers/expiry.py",
    "consumers/imports.py",
    "consumers/mail.py",
    "consumers/mail_feedback.py",
    "consumers/outbox.py",
    "consumers/restore.py",
    "consumers/webhook_deliver.py",
    "consumers/webhook_fanout.py",
    "consumers/webhook_retry.py",
}


def _mentions(source: str, name: str) -> int:
    """Return the number of times that a source reads `bootstrap.<name>`."""
    return sum(
        isinstance(node, ast.Attribute)
        and node.attr == name
        and isinstance(node.value, ast.Name)
        and node.value.id == "bootstrap"
        for node in ast.walk(ast.parse(source))
    )


def test_only_entry_points_get_the_world_and_each_does_so_once() -> None:
    """Views get it from their Call; other functions get it as an argument."""
    package = ROOT / "chalicelib"
    taken = Counter[str]()
    for path in package.rglob("*.py"):
        taken[path.relative_to(package).as_posix()] += _mentions(path.read_text(), "world")
    assert +taken == Counter(ENTRIES)


def test_only_entry_points_read_the_settings() -> None:
    package = ROOT / "chalicelib"
    readers = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if _mentions(path.read_text(), "settings")
    }
    assert readers < ENTRIES
