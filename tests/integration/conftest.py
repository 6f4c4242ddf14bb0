"""Fixtures of the integration tests: one app and table a module; hosts, bus and queues for each test."""

from collections.abc import Iterator
from typing import Any

import pytest

from chalicelib.store.items import Item, Key
from chalicelib.store.table import Table
from infra.local.engines.ministack import Ministack
from tests.support.app import NOW, Caller, Site, running_site
from tests.support.aws.bus import Bus, Inbox, Stream, connected
from tests.support.aws.engines import new_table


@pytest.fixture(scope="session", autouse=True)
def every_write_says_who() -> Iterator[None]:
    """Whatever a test of this folder does, no write of the app's leaves out who did it and at whose request."""
    real = Table.operation

    def operation(
        table: Table, key: Key, *, item: Item | None = None, actions: Any = None, **given: Any
    ) -> Any:
        if item is not None:
            assert item.actor, f"{key} says not who"
            assert item.correlation_id, f"{key} says not who, or rather why"
        elif actions is not None:
            changed = {action.values[0].path[0] for action in actions}
            assert changed >= {"actor", "correlationId"}, f"a change of {key} says not who"
        return real(table, key, item=item, actions=actions, **given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Table, "operation", operation)
        yield


@pytest.fixture(scope="module")
def whole_site(ministack: Ministack) -> Iterator[Site]:
    """An app with a table of this module's own."""
    with running_site(new_table(ministack.endpoint_url)) as site:
        yield site


@pytest.fixture
def site(whole_site: Site) -> Iterator[Site]:
    """The module's app, its clock at `NOW`."""
    whole_site.clock.now = NOW
    yield whole_site
    whole_site.clock.now = NOW


@pytest.fixture
def host(site: Site) -> Caller:
    """A new host, by its own key: a host sees only its own, so tests share a table (P9)."""
    return site.host()


@pytest.fixture
def other(site: Site) -> Caller:
    """Another host of the same team."""
    return site.host(name="Otto Other", email="otto@hosts.example")


@pytest.fixture
def outside(site: Site) -> Iterator[tuple[Bus, Inbox]]:
    """A bus and a dead-letter queue of this test's own."""
    with pytest.MonkeyPatch.context() as patch, connected(site, patch) as both:
        yield both


@pytest.fixture
def bus(outside: tuple[Bus, Inbox]) -> Bus:
    """The bus that the app puts its events on."""
    return outside[0]


@pytest.fixture
def letters(outside: tuple[Bus, Inbox]) -> Inbox:
    """The stream's dead-letter queue."""
    return outside[1]


@pytest.fixture
def stream(site: Site) -> Stream:
    """The stream, read up to now."""
    return Stream(site)
