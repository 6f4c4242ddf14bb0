"""The invitee's pages as a visitor uses them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from playwright.sync_api import Browser, Locator, Page, Request, expect

from tests.e2e.browser import WIDE, Visit, visiting

PERSON: Final = {"invitee-name": "Grace Hopper", "invitee-email": "grace@invitees.example"}


@dataclass
class Invitee:
    """A visitor's browser, on the page of one link."""

    visit: Visit

    @property
    def page(self) -> Page:
        return self.visit.page

    @property
    def dates(self) -> Locator:
        """The days of the month that is shown."""
        return self.page.locator("[role=grid] button")

    @property
    def free(self) -> Locator:
        """Those that have times."""
        return self.page.locator("[role=grid] button:not([aria-disabled])")

    @property
    def times(self) -> Locator:
        """The times of the day that is shown."""
        return self.page.locator("button.slot")

    @property
    def sent(self) -> list[Request]:
        """What was posted so far."""
        return [request for request in self.visit.requests if request.method == "POST"]

    def open(self, link: dict[str, Any], query: str = "") -> None:
        """Open a link and wait for the calendar."""
        self.page.goto(link["url"] + query)
        expect(self.times.first).to_be_visible()

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name, exact=True)

    def pick(self, n: int = 0) -> str:
        """Choose the n-th time shown; return its instant."""
        start = self.times.nth(n).get_attribute("data-start")
        assert start is not None
        self.times.nth(n).click()
        return start.replace(".000Z", "Z")

    def fill(self, **changes: str) -> None:
        """Type who one is."""
        for name, text in (PERSON | changes).items():
            self.page.locator(f"#{name}").fill(text)

    def review(self, n: int = 0) -> str:
        """Go as far as the review; return the instant chosen."""
        start = self.pick(n)
        self.fill()
        self.button("Review").click()
        expect(self.page.get_by_role("heading", name="Check, then book")).to_be_focused()
        return start

    def confirmed(self) -> str:
        """Wait for the confirmation; return its address."""
        self.page.wait_for_url("**/b/**")
        expect(self.page.get_by_role("heading", level=1)).to_have_text("You’re booked")
        return self.page.url


@contextmanager
def invitee_of(browser: Browser, size: tuple[int, int] = WIDE, **options: Any) -> Iterator[Invitee]:
    """Open a visitor's browser for as long as the block lasts; at its end, check that its pages kept to themselves."""
    with visiting(browser, size, **options) as visit:
        yield Invitee(visit)
        visit.page.unroute_all()
        foreign = {request.url.split("/")[2] for request in visit.requests if request.url.startswith("http")}
        assert len(foreign) <= 1, foreign
        kept = "[JSON.stringify({...localStorage}), document.cookie].join('')"
        assert visit.page.evaluate(kept) == "{}"
