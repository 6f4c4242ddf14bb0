"""Fixtures for all tests, and how they are spread over the cores."""

from pathlib import Path

import pytest

from tests.engines import dynoxide, engine, ministack, no_real_aws, table
from tests.event_schemas import every_event_fits_its_schema, outbox_faults

__all__ = [
    "dynoxide",
    "engine",
    "every_event_fits_its_schema",
    "ministack",
    "no_real_aws",
    "outbox_faults",
    "table",
]

_TOGETHER = ("deployed", "infra")  # they share one package, and the deployed ones one stack


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep a file's tests on one core, in order, so that what its fixtures start is started once."""
    tests = Path(__file__).parent
    for item in items:
        folder = item.path.relative_to(tests).parts[0]
        group = "stack" if folder in _TOGETHER else str(item.path.relative_to(tests))
        item.add_marker(pytest.mark.xdist_group(group))
