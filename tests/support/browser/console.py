"""Use the console in a browser, as a host."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Browser, Locator, Page, expect

from tests.support.app import Caller
from tests.support.browser.site import LiveSite
from tests.support.browser.visit import WIDE, Visit, visiting


@dataclass
class Console:
    """A host's console in a browser."""

    visit: Visit
    site: LiveSite
    host: Caller

    @property
    def page(self) -> Page:
        return self.visit.page

    @property
    def dialog(self) -> Locator:
        """The dialog on top."""
        return self.page.locator("dialog[open]").last

    @property
    def rows(self) -> Locator:
        return self.page.locator("table.links tbody tr")

    def row(self, link: dict[str, Any]) -> Locator:
        return self.page.locator(f"tr[data-id={link['linkId']}]")

    def open(self, view: str = "") -> None:
        """Open the console, or one of its views."""
        self.page.goto(f"{self.site.url}/console{view}")

    def button(self, name: str, *, exact: bool = True) -> Locator:
        return self.page.get_by_role("button", name=name, exact=exact)

    def type_key(self, key: str) -> None:
        """Type an API key and submit it."""
        self.page.get_by_label("API key").fill(key)
        self.button("Sign in").click()

    def sign_in(self, view: str = "") -> None:
        """Sign in with the host's key, and wait for the page."""
        self.open(view)
        self.type_key(self.host.key.secret)
        expect(self.page.get_by_role("heading", level=1)).to_be_visible()
        expect(self.button("Sign out")).to_be_visible()

    def act(self, link: dict[str, Any], action: str) -> None:
        """Choose an action from a link's menu."""
        self.row(link).get_by_role("button", name="Actions for").click()
        self.page.locator(".menu").get_by_role("button", name=action, exact=True).click()

    def clipboard(self) -> str:
        """Return the text in the clipboard."""
        text: str = self.page.evaluate("navigator.clipboard.readText()")
        return text

    def link_of(self, url: str) -> dict[str, Any]:
        """Return the link that a URL opens."""
        (found,) = self.host.list(q=url)["links"]
        answer: dict[str, Any] = found
        return answer

    def tab_to(self, target: Locator) -> None:
        """Wait until an element exists, then press Tab until it has the focus."""
        expect(target).to_be_attached()
        for _ in range(120):
            if target.evaluate_all("all => all.length > 0 && all[0] === document.activeElement"):
                return
            self.page.keyboard.press("Tab")
        raise AssertionError(f"{target} can't be reached with Tab")

    def expect_notice(self, text: str) -> None:
        """Expect a notice with this text."""
        expect(self.page.locator(".notice", has_text=text).last).to_be_visible()


@contextmanager
def console_of(
    browser: Browser, site: LiveSite, host: Caller, size: tuple[int, int] = WIDE, **options: Any
) -> Iterator[Console]:
    """Open a console until the block ends; then check that its key is in no URL, cookie or local storage."""
    allowed = {"permissions": ["clipboard-read", "clipboard-write"]}
    with visiting(browser, size, **allowed | options) as visit:
        yield Console(visit, site, host)
        secret = host.key.secret
        assert not [request.url for request in visit.requests if secret in request.url]
        kept = "[JSON.stringify({...localStorage}), document.cookie, location.href].join()"
        assert secret not in visit.page.evaluate(kept)
        assert visit.page.evaluate("localStorage.length") == 0
