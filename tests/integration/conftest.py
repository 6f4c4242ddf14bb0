"""Fixtures for the integration tests: one app and table per module; hosts, a bus and queues per test."""

from collections.abc import Iterator
from typing import Any

import pytest

from chalicelib.store.items import Item, Key
from chalicelib.store.table import Table
from infra.local.engines.engine import Engine
from infra.local.engines.ministack import Ministack
from tests.support.app import NOW, Caller, Site, running_site
from tests.support.aws.bus import Bus, Inbox, Stream, connected
from tests.support.aws.engines import new_table
from tests.support.commands import Channels, listening


@pytest.fixture(scope="session", autouse=True)
def every_write_names_its_actor() -> Iterator[None]:
    """Fail any test in this folder in which the app writes an item without its actor or correlation id."""
    real = Table.operation

    def operation(
        table: Table, key: Key, *, item: Item | None = None, actions: Any = None, **given: Any
    ) -> Any:
        if item is not None:
            assert item.actor, f"{key}: the actor is missing"
            assert item.correlation_id, f"{key}: the correlation id is missing"
        elif actions is not None:
            changed = {action.values[0].path[0] for action in actions}
            missing = {"actor", "correlationId"} - changed
            assert not missing, f"{key}: the update is missing {sorted(missing)}"
        return real(table, key, item=item, actions=actions, **given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Table, "operation", operation)
        yield


@pytest.fixture(scope="module")
def whole_site(table_engine: Engine) -> Iterator[Site]:
    """Run one app with its own table for the module. `Stream` enables the table's stream."""
    with running_site(new_table(table_engine.endpoint_url, stream=False)) as site:
        yield site


@pytest.fixture
def site(whole_site: Site) -> Iterator[Site]:
    """Return the module's app with its clock at `NOW`."""
    whole_site.clock.now = NOW
    yield whole_site
    whole_site.clock.now = NOW


@pytest.fixture
def host(site: Site) -> Caller:
    """Return a caller with a new host's key; hosts see only their own data, so tests can share a table (P9)."""
    return site.host()


@pytest.fixture
def other(site: Site) -> Caller:
    """Return a caller with the key of another host in the same team."""
    return site.host(name="Otto Other", email="otto@hosts.example")


@pytest.fixture
def bus_and_dead_letters(site: Site, ministack: Ministack) -> Iterator[tuple[Bus, Inbox]]:
    """Connect the app to a bus and a dead-letter queue of this test's own."""
    del site  # it reads the bus's name
    with pytest.MonkeyPatch.context() as patch, connected(ministack.endpoint_url, patch) as both:
        yield both


@pytest.fixture
def bus(bus_and_dead_letters: tuple[Bus, Inbox]) -> Bus:
    """Return the bus that the app publishes its events on."""
    return bus_and_dead_letters[0]


@pytest.fixture
def dead_letters(bus_and_dead_letters: tuple[Bus, Inbox]) -> Inbox:
    """Return the stream's dead-letter queue."""
    return bus_and_dead_letters[1]


@pytest.fixture
def channels(site: Site, ministack: Ministack, monkeypatch: pytest.MonkeyPatch) -> Iterator[Channels]:
    """Connect the app to a bus and a dead-letter queue for commands."""
    del site
    with listening(ministack.endpoint_url, monkeypatch) as channels:
        yield channels


@pytest.fixture
def stream(site: Site) -> Stream:
    """Return the stream, positioned after all earlier records."""
    return Stream(site)
