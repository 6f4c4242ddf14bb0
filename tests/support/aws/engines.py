"""Fixtures for engines, which start once per run, and for tables, which each test has for itself."""

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
from infra.local.table import create_table_arguments, ensure_table
from tests.support.aws.dynamodb_client import plain_client
from tests.support.proof.size import size
from tests.support.waiting import LIMIT


class Table(NamedTuple):
    """An empty table for one test."""

    endpoint_url: str
    name: str


def new_table(endpoint_url: str, *, stream: bool = True) -> Table:
    """Create the product's table under a random name on the engine at `endpoint_url`, with or without its stream.

    For each write to a table with a stream, dynoxide reads the stream records of all its tables.
    """
    table, client = Table(endpoint_url, f"test-{secrets.token_hex(8)}"), plain_client(endpoint_url)
    ensure_table(client, table.name)
    if not stream:
        client.update_table(TableName=table.name, StreamSpecification={"StreamEnabled": False})
    return table


def enable_stream(table: Table) -> None:
    """Enable the stream of a table that was created without it."""
    client = plain_client(table.endpoint_url)
    described = client.describe_table(TableName=table.name)["Table"]
    if not described.get("StreamSpecification", {}).get("StreamEnabled"):
        wanted = create_table_arguments(table.name)["StreamSpecification"]
        client.update_table(TableName=table.name, StreamSpecification=wanted)


@pytest.fixture(scope="session", autouse=True)
def no_real_aws() -> Iterator[None]:
    """Replace the developer's AWS settings, so that no test can reach a real account."""
    with pytest.MonkeyPatch.context() as patch:
        environ: dict[str, str] = {}
        # Nothing listens on that port, so a client without its own endpoint fails at once.
        use_local_aws(environ, "http://127.0.0.1:9")
        for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN"):
            patch.delenv(name, raising=False)
        for name, value in environ.items():
            patch.setenv(name, value)
        yield


@pytest.fixture(scope="session", autouse=True)
def patient_clients() -> Iterator[None]:
    """Raise the app's timeouts for AWS, because on a busy machine an engine may respond slowly."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (store_table, aws):
            patch.setattr(module, "CONNECT_TIMEOUT_SECONDS", LIMIT)
            patch.setattr(module, "READ_TIMEOUT_SECONDS", LIMIT)
        patch.setattr(aws, "SECRETS_READ_TIMEOUT_SECONDS", LIMIT)
        yield


@pytest.fixture(scope="module", autouse=True)
def nothing_left_in_the_environment(no_real_aws: None) -> Iterator[None]:
    """Assert that a test file leaves the environment unchanged; a leftover setting would affect the next file."""
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
    """Restore the environment after a test that calls a program which changes it."""
    bootstrap.forget()
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)
    bootstrap.forget()


@pytest.fixture(scope="session")
def ministack() -> Iterator[Ministack]:
    """A ministack for the whole test run, with its data in memory."""
    with Ministack() as engine:
        yield engine


@pytest.fixture(scope="session")
def dynoxide() -> Iterator[Dynoxide]:
    """A dynoxide with its data in memory. Skips if its binary is not installed."""
    require_dynoxide()
    with Dynoxide() as engine:
        yield engine


def require_dynoxide() -> None:
    """Skip the test if dynoxide is not installed."""
    if find_dynoxide() is None:
        pytest.skip("NO SECOND ENGINE: dynoxide is not installed; `make dynoxide` (Linux x86-64 and npm)")


@pytest.fixture(scope="session")
def table_engine(request: pytest.FixtureRequest) -> Engine:
    """The engine for tests that need any: the one that costs least, dynoxide, if it is installed, else ministack.

    In `make proof` it is ministack, on which `make run` keeps its data.
    """
    any_will_do = find_dynoxide() is not None and size(True, False)
    chosen: Engine = request.getfixturevalue("dynoxide" if any_will_do else "ministack")
    return chosen


@pytest.fixture(scope="session", params=["ministack", "dynoxide"])
def engine(request: pytest.FixtureRequest) -> Engine:
    """Each DynamoDB engine in turn."""
    chosen: Engine = request.getfixturevalue(request.param)
    return chosen


@pytest.fixture
def table(engine: Engine) -> Table:
    """An empty table on each engine in turn."""
    return new_table(engine.endpoint_url)
