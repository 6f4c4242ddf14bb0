"""Fixtures of the door tests: one app and table a module, and in it hosts of each test's own."""

from collections.abc import Iterator

import pytest

from infra.local.engines import Ministack
from tests.engines import new_table
from tests.integration.doors import NOW, Caller, Site, running_site


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
