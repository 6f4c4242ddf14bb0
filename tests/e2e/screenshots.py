"""Take the README's pictures of a seeded site at a fixed hour: `make screenshots`.

The same code, browser and fonts make the same pictures, byte for byte: clocks stand still, and nothing random shows.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, expect

from chalicelib import bootstrap
from infra.local.aws import use_local_aws
from infra.local.engines.ministack import Ministack
from tests.support.app import Caller, ok
from tests.support.aws.engines import new_table
from tests.support.browser.console import console_of
from tests.support.browser.invitee import invitee_of
from tests.support.browser.site import LiveSite, live_site
from tests.support.browser.visit import running_browser, visiting

IMAGES: Final = Path(__file__).parents[2] / "docs" / "images"
NOW: Final = datetime(2026, 12, 1, 8, 30, tzinfo=UTC)
SIZE: Final = (1280, 800)
SHARP: Final = {"device_scale_factor": 2, "timezone_id": "Europe/Berlin", "locale": "en-GB"}

_WEEK: Final = [
    {"days": ["mon", "tue", "thu"], "from": "09:00", "to": "12:00"},
    {"days": ["tue", "wed", "thu", "fri"], "from": "13:30", "to": "17:00"},
]


class Clock:
    """The site's clock, which only `advance` moves."""

    now = NOW - timedelta(days=9)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **units: float) -> None:
        """Advance the clock."""
        self.now += timedelta(**units)


def seeded(host: Caller, site: LiveSite, clock: Clock) -> dict[str, Any]:
    """Create event types, links of every status and some bookings; return the link whose page is shown.

    No two links are made at one time, so their order is always the same.
    """
    schedule = {"timeZone": "Europe/Berlin", "weekly": _WEEK, "overrides": []}
    tour = host.event_type(
        title="Product walk-through",
        description="A first look at the product with your own data. Bring a real case and one question.",
        durationMinutes=45,
        slotIntervalMinutes=30,
        locations=[{"kind": "video", "detail": "https://meet.example.com/ada"}],
        schedule=schedule,
        bookingWindowDays=30,
    )
    intro = host.event_type(title="Intro call", durationMinutes=30, schedule=schedule)
    people = ("Sam Okafor", "Mia Lindqvist", "Noor Haddad", "Kenji Mori")
    for n, name in enumerate(people):
        recipient = {"name": name, "email": f"{name.split()[0].lower()}@example.com"}
        link = host.link(tour if n % 2 else intro, recipient=recipient, expiresAt="2026-12-15T17:00:00Z")
        if n < 2:
            site.book(link, name)
        clock.advance(days=1, hours=3)
    ok(host.post(f"/v1/links/{host.link(intro, label='Old newsletter')['linkId']}/revoke"))
    clock.advance(days=2)
    host.link(intro, label="Conference table", maxUsageCount=5)
    clock.now = NOW - timedelta(hours=2)
    return host.link(tour, expiresAt="2026-12-11T17:00:00Z", label="Follow-up with Iris")


def booking_page(browser: Browser, link: dict[str, Any], path: Path) -> None:
    """Take a picture of the booking page with a chosen day."""
    with invitee_of(browser, SIZE, **SHARP) as visitor:
        visitor.page.clock.set_fixed_time(NOW)
        visitor.open(link)
        visitor.free_dates.nth(1).click()
        visitor.page.mouse.move(0, 0)
        visitor.page.evaluate("document.activeElement.blur()")
        visitor.page.screenshot(path=path)


def console(browser: Browser, site: LiveSite, host: Caller, path: Path) -> None:
    """Take a picture of the console's list of links."""
    with console_of(browser, site, host, SIZE, **SHARP) as found:
        found.page.clock.set_fixed_time(NOW)
        found.sign_in()
        expect(found.rows.first).to_be_visible()
        found.page.mouse.move(0, 0)
        found.page.screenshot(path=path)


def main() -> None:
    """Take both pictures."""
    with pytest.MonkeyPatch.context() as patch:
        environ: dict[str, str] = {}
        use_local_aws(environ, "http://127.0.0.1:9")
        for name, value in environ.items():
            patch.setenv(name, value)
        clock = Clock()
        patch.setattr(bootstrap, "utc_now", clock)
        with (
            running_browser() as browser,
            Ministack() as engine,
            live_site(new_table(engine.endpoint_url)) as site,
        ):
            with visiting(browser):  # fail first if the browser can't start
                host = site.host()
            link = seeded(host, site, clock)
            clock.now = NOW
            booking_page(browser, link, IMAGES / "booking-page.png")
            console(browser, site, host, IMAGES / "console.png")
    print(f"Wrote booking-page.png and console.png to {IMAGES}.")


if __name__ == "__main__":
    main()
