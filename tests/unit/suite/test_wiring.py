"""The world is taken in one place per entry point and handed down, so that nothing else depends on the process."""

import ast
from collections import Counter
from typing import Final

from infra.paths import ROOT

ENTRIES: Final = {  # where an entry point takes the world: once for HTTP, once in each Lambda handler
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
    """Return how often a source reads `bootstrap.<name>`."""
    return sum(
        isinstance(node, ast.Attribute)
        and node.attr == name
        and isinstance(node.value, ast.Name)
        and node.value.id == "bootstrap"
        for node in ast.walk(ast.parse(source))
    )


def test_the_world_is_taken_once_at_the_top_of_each_entry_point() -> None:
    """Views get it from their Call, and the functions below a handler as an argument."""
    package = ROOT / "chalicelib"
    taken = Counter[str]()
    for path in package.rglob("*.py"):
        taken[path.relative_to(package).as_posix()] += _mentions(path.read_text(), "world")
    assert +taken == Counter(ENTRIES)


def test_the_settings_are_read_in_no_other_place() -> None:
    package = ROOT / "chalicelib"
    readers = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if _mentions(path.read_text(), "settings")
    }
    assert readers < ENTRIES
