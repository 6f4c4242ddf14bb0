"""Fixtures for histories: the proof's stage, services stepped by hand, and a dynoxide that a test may kill."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.local.engines.dynoxide import Dynoxide
from tests.history.interleavings.stepped import Stepped
from tests.support.aws.engines import require_dynoxide
from tests.support.proof.fixtures import apps, dynoxide_on_disk, proof_engine, stage

__all__ = ["apps", "dynoxide_on_disk", "proof_engine", "stage"]


@pytest.fixture
def mortal_engine(tmp_path: Path) -> Iterator[Dynoxide]:
    """A dynoxide for one test, with its data in a file."""
    require_dynoxide()
    with Dynoxide(tmp_path / "table.db") as engine:
        yield engine


@pytest.fixture
def stepped() -> Stepped:
    """The real services over an empty in-memory table, one store call at a time."""
    services = Stepped()
    services.begin()
    return services
