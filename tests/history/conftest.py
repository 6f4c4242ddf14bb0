"""Fixtures for histories: the proof's stage, services stepped by hand, and a dynoxide that a test may kill."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.local.engines.dynoxide import Dynoxide, find_dynoxide
from infra.local.engines.engine import Engine
from tests.history.interleavings.stepped import Stepped
from tests.support.aws.engines import require_dynoxide
from tests.support.proof.fixtures import apps, dynoxide_on_disk, proof_engine
from tests.support.proof.harness import Apps, Stage, staged

__all__ = ["apps", "dynoxide_on_disk", "proof_engine"]


@pytest.fixture
def stage(proof_engine: Engine, apps: Apps) -> Iterator[Stage]:
    """An empty table with a stream on each engine in turn, and several app processes that use it."""
    with staged(proof_engine.endpoint_url, apps, stream=True) as ready:
        yield ready


@pytest.fixture(scope="session")
def quick_engine(request: pytest.FixtureRequest) -> Engine:
    """Dynoxide, which takes less CPU than ministack, if it is installed; otherwise ministack."""
    chosen: Engine = request.getfixturevalue("ministack" if find_dynoxide() is None else "dynoxide_on_disk")
    return chosen


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
