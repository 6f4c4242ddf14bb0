"""Run Chromium, and check every page for CSP violations, script errors and accessibility."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, BrowserContext, Error, Page, Request, sync_playwright

from tests.dates import SHIFTED
from tests.support.waiting import SHOWN, until

NAMES: Final = (
    "chromium-headless-shell",  # Debian's: half the CPU of the whole browser
    *("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"),
)
# Without the network flags Chromium contacts Google's hosts at every start.
FLAGS: Final = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    # A page that a test creates has no address, so Chromium would not let it embed a page of this machine.
    "--disable-features=LocalNetworkAccessChecks",
)
WIDE: Final = (1280, 860)
NARROW: Final = (390, 844)
SMALLEST: Final = (320, 640)  # WCAG 1.4.10: 1280 pixels at 400 %

_AXE: Final = files("axe_playwright_python").joinpath("axe.min.js").read_text()
_TAGS: Final = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
# The rules whose result depends on where things are and how they look, not only on what is there.
_RULES_OF_COLORS: Final = ["color-contrast", "link-in-text-block"]
_RULES_OF_LAYOUT: Final = [*_RULES_OF_COLORS, "scrollable-region-focusable", "target-size"]
# The document with the visibility of each of its elements.
_CONTENT: Final = """
[document.documentElement.outerHTML,
 ...[...document.querySelectorAll("*")].map((one) => Number(one.checkVisibility({visibilityProperty: true})))].join()
"""
_REPORT_VIOLATIONS: Final = """
document.addEventListener("securitypolicyviolation", (event) => {
  console.error("CSP-VIOLATION", event.violatedDirective, event.blockedURI);
});
"""


@contextmanager
def running_browser() -> Iterator[Browser]:
    """Run Chromium until the block ends: an installed one, else Playwright's. Skips if there is none."""
    path = next((found for name in NAMES if (found := shutil.which(name))), None)
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        except Error as error:
            if path is not None or "Executable doesn't exist" not in error.message:
                raise
            pytest.skip(
                "NO BROWSER: no Chromium or Chrome is on the PATH, nor Playwright's own; `make chromium`"
            )
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Visit:
    """A page, with its requests and faults."""

    page: Page
    requests: list[Request] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def axe(self, state: str, rules: list[str] | None = None) -> None:
        """Wait for animations to end, then check that axe finds no violations, of all rules or of some."""
        self.page.evaluate("Promise.all(document.getAnimations().map((one) => one.finished.catch(() => 0)))")
        if self.page.evaluate("!window.axe"):
            self.page.evaluate(_AXE)
        run = "only => axe.run(document, {runOnly: only, resultTypes: ['violations']})"
        only = {"type": "rule", "values": rules} if rules else {"type": "tag", "values": _TAGS}
        found: dict[str, Any] = self.page.evaluate(run, only)
        violations = [
            f"{state}: {one['id']}: {node['html'][:200]} {node['failureSummary']}"
            for one in found["violations"]
            for node in one["nodes"]
        ]
        assert not violations, "\n".join(violations)

    def axe_everywhere(self, state: str) -> None:
        """Check with axe and `fits`: wide and narrow, light and dark; and check that the page fits 320 pixels.

        The dark color scheme changes only colors, so only the rules about colors run again. At the second width, only
        the rules about layout run again, unless other elements are visible.
        """
        if SHIFTED in os.environ:  # pages look the same on every date, so skip axe
            self.fits(state)
            return
        content = ""
        for size in (NARROW, WIDE):
            self.page.set_viewport_size({"width": size[0], "height": size[1]})
            self.page.emulate_media(color_scheme="light")
            before, content = content, self.page.evaluate(_CONTENT)
            self.axe(f"{state}, {size[0]} pixels", _RULES_OF_LAYOUT if content == before else None)
            self.fits(f"{state}, {size[0]} pixels")
            self.page.emulate_media(color_scheme="dark")
            self.axe(f"{state}, {size[0]} pixels, dark", _RULES_OF_COLORS)
        self.page.set_viewport_size({"width": SMALLEST[0], "height": SMALLEST[1]})
        self.fits(f"{state}, {SMALLEST[0]} pixels")
        self.page.set_viewport_size({"width": WIDE[0], "height": WIDE[1]})

    def fits(self, state: str) -> None:
        """Check that nothing is wider than the window."""
        root = "document.documentElement"
        beyond: int = self.page.evaluate(f"{root}.scrollWidth - {root}.clientWidth")
        assert beyond <= 0, f"{state}: {beyond} pixels too wide"
        inside = "[...document.querySelectorAll('dialog > .content')].map(e => e.scrollWidth - e.clientWidth)"
        assert all(over <= 0 for over in self.page.evaluate(inside)), f"{state}: a dialog is too narrow"


def until_true(page: Page, expression: str) -> None:
    """Wait until a JavaScript expression is true. Playwright's wait uses `eval`, which the pages' CSP forbids."""
    until(lambda: bool(page.evaluate(expression)), pause=lambda: page.wait_for_timeout(10))


@contextmanager
def browser_context(
    browser: Browser, size: tuple[int, int] = WIDE, **options: Any
) -> Iterator[BrowserContext]:
    """Open a browser context, with its own storage, cache and clock, until the block ends."""
    defaults: dict[str, Any] = {"timezone_id": "Europe/Berlin", "locale": "en-GB"}
    context: BrowserContext = browser.new_context(
        viewport={"width": size[0], "height": size[1]}, **defaults | options
    )
    context.set_default_timeout(SHOWN * 1000)
    context.add_init_script(_REPORT_VIOLATIONS)
    try:
        yield context
    finally:
        context.close()


@contextmanager
def visiting(browser: Browser, size: tuple[int, int] = WIDE, **options: Any) -> Iterator[Visit]:
    """Open an empty page in its own browser context until the block ends; then check that it had no faults."""
    with browser_context(browser, size, **options) as context, visiting_in(context) as visit:
        yield visit


@contextmanager
def visiting_in(context: BrowserContext) -> Iterator[Visit]:
    """Open an empty page in a browser context until the block ends; then check that it had no faults."""
    page = context.new_page()
    visit = Visit(page)

    def requested(request: Request) -> None:  # Playwright can't take a list's own method
        visit.requests.append(request)

    page.on("request", requested)
    page.on("pageerror", lambda error: visit.faults.append(str(error)))

    def note(message: Any) -> None:
        if "CSP-VIOLATION" in message.text or "Content Security Policy" in message.text:
            visit.faults.append(message.text)

    page.on("console", note)
    try:
        yield visit
        assert visit.faults == []
    finally:
        page.close()
