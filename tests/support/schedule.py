"""Spread test files over pytest-xdist's workers: the longest first, so that all workers end at about the same time."""

from collections import Counter
from typing import Any, Final

import pytest
from _pytest.nodeid import coerce_node_id
from xdist.scheduler import LoadFileScheduling

# One worker runs all tests of the stack, because each worker would deploy one.
TOGETHER: Final = "tests/deployed/"

# It waits until each function has used each of its rights, some of which a function uses only once.
FIRST_OF_THESE: Final = "tests/deployed/test_rights.py"

# Its thousands of links keep the stack's outbox busy for a while, and tests after it would wait for their own events.
LAST_OF_THESE: Final = "tests/deployed/test_imports.py"

# What takes longest, in order: folders, files. The unit tests come last, because their files are short.
FIRST: Final = (
    TOGETHER,
    "tests/e2e/test_invitee_access.py",
    "tests/e2e/test_invitee.py",
    "tests/history/test_interleavings.py",
    "tests/history/",
    "tests/model/",
    "tests/proof/",
    "tests/upgrade/",
    "tests/e2e/",
    "tests/infra/",
    "tests/integration/",
    "tests/hostile/",
)


class Scheduling(LoadFileScheduling):  # type: ignore[misc] # xdist has no types
    """Give each file to one worker, and all files of `TOGETHER` to the same."""

    def _split_scope(self, nodeid: str) -> str:
        return TOGETHER if nodeid.startswith(TOGETHER) else super()._split_scope(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Scheduling | None:
    """Use our scheduling for `--dist loadfile`."""
    if config.getoption("dist") != "loadfile":
        return None
    config.option.loadscopereorder = False  # keep the order of the tests, not that of how many a file has
    return Scheduling(config, log)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put the longest first where several workers run them, and the tests of the stack in their order.

    Raise `UsageError` for two tests with one node id: pytest-xdist runs only one of them, and reports no other.
    """
    for item in items:
        if item.name not in item.nodeid:  # Schemathesis adds the operation only to the name
            parent = item.nodeid.rpartition("::")[0]
            item._id = coerce_node_id(f"{parent}::{item.name}")  # a node id has no public setter
    twice = [name for name, count in Counter(item.nodeid for item in items).items() if count > 1]
    if twice:
        raise pytest.UsageError(f"more than one test has the node id {twice[0]}")
    items.sort(key=_place if hasattr(config, "workerinput") else _place_in_stack)


def _place(item: pytest.Item) -> tuple[int, int]:
    place = next((place for place, start in enumerate(FIRST) if item.nodeid.startswith(start)), len(FIRST))
    return place, _place_in_stack(item)


def _place_in_stack(item: pytest.Item) -> int:
    return item.nodeid.startswith(LAST_OF_THESE) - item.nodeid.startswith(FIRST_OF_THESE)
