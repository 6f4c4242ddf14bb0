"""Use the invitee's pages in a browser, as a visitor."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

from playwright.sync_api import Browser, BrowserContext, Locator, Page, Request, expect

from chalicelib.domain.zones import load_zone
from tests.support.browser.visit import WIDE, Visit, browser_context, visiting_in
from tests.support.waiting import until

_MONTH: Final = timedelta(days=31)
_KNOWN_UNTIL: Final = "JSON.parse(document.querySelector('form[data-picker]').dataset.picker).to"
PERSON: Final = {"invitee-name": "Grace Hopper", "invitee-email": "grace@invitees.example"}


@dataclass
class Invitee:
    """A visitor's browser."""

    visit: Visit

    @property
    def page(self) -> Page:
        return self.visit.page

    @property
    def dates(self) -> Locator:
        """The dates of the displayed month."""
        return self.page.locator("[role=grid] button")

    @property
    def free_dates(self) -> Locator:
        """The dates with free times."""
        return self.page.locator("[role=grid] button:not([aria-disabled])")

    @property
    def times(self) -> Locator:
        """The times of the displayed day."""
        return self.page.locator("button.slot")

    @property
    def sent(self) -> list[Request]:
        """The POST requests so far."""
        return [request for request in self.visit.requests if request.method == "POST"]

    def open(self, link: dict[str, Any], query: str = "") -> None:
        """Open a link and wait for the calendar."""
        self.page.goto(link["url"] + query)
        expect(self.times.first).to_be_visible()

    @property
    def month(self) -> date:
        """The first day of the displayed month."""
        return date.fromisoformat(self.dates.first.get_attribute("data-date") or "")

    def turn_to_last_known_month(self) -> None:
        """Go forward until the times of the next month have to be requested.

        A page includes the times of the next 35 days. Near the end of a month, these cover the whole next month.
        """
        until = datetime.fromisoformat(self.page.evaluate(_KNOWN_UNTIL))
        while _needed_until(following(self.month)) <= until:
            shown = following(self.month)
            self.button("Next month").click()
            expect(self.dates.first).to_have_attribute("data-date", shown.isoformat())

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Wait until a condition holds, while the browser keeps running."""
        assert until(condition, pause=lambda: self.page.wait_for_timeout(10))

    def advance_clock_until_status(self, text: str) -> None:
        """Advance the page's clock, which a test has installed, until the page shows a text."""
        status = self.page.locator(".told").last

        def advance() -> None:
            self.page.clock.run_for(5_000)
            self.page.wait_for_timeout(10)  # lets the page receive responses

        until(lambda: text in status.inner_text(), pause=advance)
        expect(status).to_contain_text(text)

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name, exact=True)

    def pick(self, n: int = 0) -> str:
        """Choose the n-th time of the displayed day, or of the next if too few are left today; return its instant."""
        expect(self.times.first).to_be_visible()
        if self.times.count() <= n:
            self._go_to_next_day()
        # A handle, because the n-th locator could match another button when earlier times load.
        time = self.times.nth(n).element_handle()
        start = time.get_attribute("data-start")
        assert start is not None
        time.click()
        return start.replace(".000Z", "Z")

    def _go_to_next_day(self) -> None:
        """Display the first free day after the displayed one, which is the first of its month."""
        if self.free_dates.count() > 1:
            self.free_dates.nth(1).click()
        else:
            self.button("Next month").click()
            expect(self.free_dates.first).to_have_attribute("data-date", re.compile("-01$"))

    def shown_times(self) -> list[tuple[datetime, str]]:
        """Wait until the month has all its times; return those of the displayed day, each with its text."""
        expect(self.page.locator("[role=grid]")).to_have_attribute("aria-busy", "false")
        read = "buttons => buttons.map(button => [button.dataset.start, button.innerText])"
        return [(datetime.fromisoformat(start), text) for start, text in self.times.evaluate_all(read)]

    def fill(self, **changes: str) -> None:
        """Fill in the invitee's name and email."""
        for name, text in (PERSON | changes).items():
            self.page.locator(f"#{name}").fill(text)

    def review(self, n: int = 0) -> str:
        """Pick a time, fill in the form and open the review; return the time's instant."""
        start = self.pick(n)
        self.fill()
        self.button("Review").click()
        expect(self.page.get_by_role("heading", name="Check, then book")).to_be_focused()
        return start

    def confirmed(self) -> str:
        """Wait for the confirmation; return its URL."""
        self.page.wait_for_url("**/b/**")
        expect(self.page.get_by_role("heading", level=1)).to_have_text("You’re booked")
        return self.page.url


def ordinary_day(zone: str) -> date:
    """Return a date within 16 days, without a clock change around it, so the page shows its times without an offset."""
    there = load_zone(zone)
    first = datetime.now(UTC).date() + timedelta(days=2)
    for day in (first + timedelta(days=n) for n in range(14)):
        around = {datetime.combine(day + timedelta(days=n), time(0), there).utcoffset() for n in range(-1, 3)}
        if len(around) == 1:
            return day
    raise AssertionError(f"the clocks of {zone} change too often")


def following(month: date) -> date:
    """Return the first day of the next month."""
    return (month + _MONTH).replace(day=1)


def _needed_until(month: date) -> datetime:
    """Return the instant up to which the calendar needs all starts: it shows the month in any time zone."""
    return datetime.combine(following(month), time(0), UTC) + timedelta(days=1)


@contextmanager
def invitee_of(browser: Browser, size: tuple[int, int] = WIDE, **options: Any) -> Iterator[Invitee]:
    """Open a visitor's browser until the block ends; check that its pages used one origin and stored nothing."""
    with browser_context(browser, size, **options) as context, invitee_in(context) as visitor:
        yield visitor


@contextmanager
def invitee_in(context: BrowserContext) -> Iterator[Invitee]:
    """Open a visitor's page until the block ends; then check that it used one origin and stored nothing."""
    with visiting_in(context) as visit:
        yield Invitee(visit)
        visit.page.unroute_all()
        origins = {request.url.split("/")[2] for request in visit.requests if request.url.startswith("http")}
        assert len(origins) <= 1, origins
        kept = "[JSON.stringify({...localStorage}), document.cookie].join('')"
        assert visit.page.evaluate(kept) == "{}"
