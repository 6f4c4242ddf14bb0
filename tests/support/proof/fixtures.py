"""Fixtures of the proof and the histories: engines, app processes, and a fresh stage for every test."""

from collections.abc import Iterator

import pytest

from infra.local.engines.dynoxide import Dynoxide
from infra.local.engines.engine import Engine
from tests.support.aws.engines import require_dynoxide
from tests.support.proof.harness import Apps, Stage, staged
from tests.support.proof.proxy import Proxy

APP_PROCESSES = 3


@pytest.fixture(scope="session")
def dynoxide_on_disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dynoxide]:
    """A dynoxide that keeps its data in a file. Skips where its binary can't be had."""
    require_dynoxide()
    with Dynoxide(tmp_path_factory.mktemp("dynoxide") / "table.db") as engine:
        yield engine


@pytest.fixture(scope="session", params=["ministack", "dynoxide_on_disk"])
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
    """A fresh table on each engine in turn, with the app in several processes before it."""
    with staged(proof_engine.endpoint_url, apps) as ready:
        yield ready


@pytest.fixture
def dynamodb(stage: Stage) -> Iterator[Proxy]:
    """A proxy through which every app process speaks to DynamoDB."""
    with Proxy(stage.table.endpoint_url) as proxy:
        stage.point(proxy.url)
        yield proxy
