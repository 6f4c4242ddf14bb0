"""Fixtures: the files of the last release, and a stage that its processes and this code's processes share."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from infra.local.engines.engine import Engine
from infra.release.git import extract, has_history
from infra.release.records import Release, last_release
from tests.support.aws.engines import new_table
from tests.support.proof.fixtures import dynoxide_on_disk, proof_engine
from tests.support.proof.harness import App, Stage
from tests.support.proof.size import size
from tests.upgrade.data import Version

_DAY_SECONDS: Final = 86_400.0

collect_ignore = size(["test_stack.py"], [])  # it deploys three times

__all__ = ["dynoxide_on_disk", "proof_engine"]


@pytest.fixture(scope="session")
def last() -> Release:
    """The last release. Skips without the history, which has its files."""
    if not has_history():
        pytest.skip("NO GIT HISTORY: the last release's files are not here; git fetch --unshallow")
    return last_release()


@pytest.fixture(scope="session")
def last_files(last: Release, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all files of the last release."""
    folder = tmp_path_factory.mktemp("last") / last.version
    extract(last.tree, folder)
    return folder


@pytest.fixture(scope="session")
def processes(last_files: Path) -> Iterator[tuple[App, App]]:
    """A process of the last release, and one of this code."""
    running = App(last_files), App()
    yield running
    for app in running:
        app.close()


@pytest.fixture
def stage(proof_engine: Engine, processes: tuple[App, App]) -> Iterator[Stage]:
    """An empty table that both processes use; clients take turns between them."""
    stage = Stage(list(processes), new_table(proof_engine.endpoint_url, stream=False), 0)
    yield stage
    stage.close()


@pytest.fixture
def old(stage: Stage) -> Version:
    """The last release."""
    return _version(stage, stage.apps[0])


@pytest.fixture
def new(stage: Stage) -> Version:
    """The code under test."""
    return _version(stage, stage.apps[1])


def _version(stage: Stage, app: App) -> Version:
    def expire(_: str) -> None:
        """Run the schedule as if it were tomorrow."""
        app.point(stage.env(), skew=_DAY_SECONDS)
        app.expire()
        app.point(stage.env())

    return Version(app.url, stage.api_key, expire)
