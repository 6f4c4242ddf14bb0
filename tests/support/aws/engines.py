"""Engines and tables as fixtures: engines start once a run, and every test gets its own table."""

import os
import secrets
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from chalicelib import bootstrap
from chalicelib.clients import aws
from chalicelib.store import table as store_table
from infra.local.aws import use_local_aws
from infra.local.engines.dynoxide import Dynoxide, find_dynoxide
from infra.local.engines.engine import Engine
from infra.local.engines.ministack import Ministack
from infra.local.table import ensure_table
from tests.support.aws.dynamodb_client import plain_client
from tests.support.waiting import LIMIT


class Table(NamedTuple):
    """A fresh, empty table of this test's own."""

    endpoint_url: str
    name: str


def new_table(endpoint_url: str) -> Table:
    """Make the product's table under a random name on the engine at `endpoint_url`."""
    table = Table(endpoint_url, f"test-{secrets.token_hex(8)}")
    ensure_table(plain_client(endpoint_url), table.name)
    return table


@pytest.fixture(scope="session", autouse=True)
def no_real_aws() -> Iterator[None]:
    """Whatever the developer's own AWS settings are, no test can reach a real account."""
    with pytest.MonkeyPatch.context() as patch:
        environ: dict[str, str] = {}
        # Nobody listens there: a client without an endpoint of its own fails at once.
        use_local_aws(environ, "http://127.0.0.1:9")
        for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN"):
            patch.delenv(name, raising=False)
        for name, value in environ.items():
            patch.setenv(name, value)
        yield


@pytest.fixture(scope="session", autouse=True)
def patient_clients() -> Iterator[None]:
    """Wait longer than the app waits for AWS: on a busy machine an engine may respond slowly."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (store_table, aws):
            patch.setattr(module, "CONNECT_TIMEOUT_SECONDS", LIMIT)
            patch.setattr(module, "READ_TIMEOUT_SECONDS", LIMIT)
        yield


@pytest.fixture(scope="module", autouse=True)
def nothing_left_in_the_environment(no_real_aws: None) -> Iterator[None]:
    """What a file of tests puts into the environment is gone after it: it would point the next one elsewhere."""
    del no_real_aws
    before = dict(os.environ)
    yield
    changed = {name for name, _ in set(os.environ.items()) ^ set(before.items())}
    changed -= {
        "PYTEST_CURRENT_TEST",
        "AWS_EXECUTION_ENV",
    }  # pytest's own, and Chalice's, which names itself there
    assert not changed, sorted(changed)


@pytest.fixture
def own_environment() -> Iterator[None]:
    """For a test that calls a program which points its process's environment elsewhere: it is given back."""
    bootstrap.forget()
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)
    bootstrap.forget()


@pytest.fixture(scope="session")
def ministack() -> Iterator[Ministack]:
    """A ministack that forgets everything at the end of the test run."""
    with Ministack() as engine:
        yield engine


@pytest.fixture(scope="session")
def dynoxide() -> Iterator[Dynoxide]:
    """A dynoxide that keeps its data in memory. Skips where its binary can't be had."""
    require_dynoxide()
    with Dynoxide() as engine:
        yield engine


def require_dynoxide() -> None:
    """Skip the test, saying why, where there is no dynoxide."""
    if find_dynoxide() is None:
        pytest.skip("NO SECOND ENGINE: dynoxide is not installed; `make dynoxide` (Linux x86-64 and npm)")


@pytest.fixture(scope="session", params=["ministack", "dynoxide"])
def engine(request: pytest.FixtureRequest) -> Engine:
    """Each DynamoDB engine in turn."""
    chosen: Engine = request.getfixturevalue(request.param)
    return chosen


@pytest.fixture
def table(engine: Engine) -> Table:
    """A fresh table on each engine in turn."""
    return new_table(engine.endpoint_url)
