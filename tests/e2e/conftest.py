"""Fixtures of the browser tests: one browser and one site for all tests, a host for each."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from infra.local.engines.engine import Engine
from tests.support.app import Caller
from tests.support.aws.engines import new_table
from tests.support.browser.console import Console, console_of
from tests.support.browser.site import LiveSite, live_site
from tests.support.browser.visit import running_browser
from tests.support.waiting import SHOWN


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """A Chromium."""
    expect.set_options(timeout=SHOWN * 1000)
    with running_browser() as found:
        yield found


@pytest.fixture(scope="package")
def site(browser: Browser, table_engine: Engine) -> Iterator[LiveSite]:
    """The app, with the real clock; it depends on the browser, so it does not start without one."""
    del browser
    with live_site(new_table(table_engine.endpoint_url, stream=False)) as found:
        yield found


@pytest.fixture
def host(site: LiveSite) -> Caller:
    """A client with the key of a new host."""
    return site.host()


@pytest.fixture
def console(browser: Browser, site: LiveSite, host: Caller) -> Iterator[Console]:
    """The console in a wide window, signed out."""
    with console_of(browser, site, host) as found:
        yield found
