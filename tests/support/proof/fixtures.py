"""Fixtures of the proof and the histories: engines, app processes, and a new stage for each test."""

from collections.abc import Iterator

import pytest

from infra.local.engines.dynoxide import Dynoxide, find_dynoxide
from infra.local.engines.engine import Engine
from tests.support.aws.engines import require_dynoxide
from tests.support.proof.harness import Apps, Stage, staged
from tests.support.proof.proxy import Proxy
from tests.support.proof.size import size

APP_PROCESSES = 3


@pytest.fixture(scope="session")
def dynoxide_on_disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dynoxide]:
    """A dynoxide with its data in a file. Skips if its binary is not installed."""
    require_dynoxide()
    with Dynoxide(tmp_path_factory.mktemp("dynoxide") / "table.db") as engine:
        yield engine


def _engines() -> list[str]:
    """Return the fixtures of the engines to use: both under `make proof`, otherwise one, dynoxide if installed."""
    return size(
        ["ministack" if find_dynoxide() is None else "dynoxide_on_disk"], ["ministack", "dynoxide_on_disk"]
    )


@pytest.fixture(scope="session", params=_engines())
def proof_engine(request: pytest.FixtureRequest) -> Engine:
    """Each engine that can be believed about a race, in turn."""
    chosen: Engine = request.getfixturevalue(request.param)
    return chosen


@pytest.fixture(scope="session")
def apps() -> Iterator[Apps]:
    """The app processes."""
    running = Apps(APP_PROCESSES)
    yield running
    running.close()


@pytest.fixture
def stage(proof_engine: Engine, apps: Apps) -> Iterator[Stage]:
    """An empty table without a stream on each engine in turn, and several app processes that use it."""
    with staged(proof_engine.endpoint_url, apps) as ready:
        yield ready


@pytest.fixture
def dynamodb(stage: Stage) -> Iterator[Proxy]:
    """A proxy between every app process and DynamoDB."""
    with Proxy(stage.table.endpoint_url) as proxy:
        stage.point(proxy.url)
        yield proxy
