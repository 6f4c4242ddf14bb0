"""The console is accessible: axe checks every view and dialog, and the keyboard is enough to use it.

`TITLES` lists every dialog by the expression of its title in the source. A dialog that is not listed, or that no test
here opens, fails `test_axe_has_checked_every_dialog_and_every_view`. `test_console.py` checks a few more states, such
as a history and an email that is being sent.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, Locator, expect

from chalicelib.pages import assets
from tests.support.app import Caller
from tests.support.browser.console import Console, console_of
from tests.support.browser.site import LiveSite, soon
from tests.support.browser.visit import until_true

pytestmark = pytest.mark.clock

SOURCES: Final = Path(assets.__file__).parent / "assets"

TITLES: Final = {
    '"Cancel this booking?"': "Cancel this booking",
    '"Erase the personal data?"': "Erase the personal data",
    '`Move the booking${booking.invitee ? ` with ${booking.invitee.name}` : ""}`': "Move the booking",
    "forWhom(link) || titleOf(link.eventTypeId)": "^Y+$",
    'given ? "Edit event type" : "New event type"': "New event type|Edit event type",
    "`Archive ${one.title}?`": r"Archive .*\?",
    "`${one.title} has ${count}`": "has 3 active links",
    '"Generate links"': "Generate links",
    '"Import links"': "Import links",
    '"Generate a new link?"': "Generate a new link",
    '"Revoke this link?"': "Revoke this link",
    '"Delete this link?"': "Delete this link",
    '`${verb === REVOKE ? "Revoke" : "Delete"} ${many(fit.length, "link")}?`': r"Revoke 3 links|Delete 3 links",
    "`Share ${link?.overrides.title ?? titleOf(eventTypeId)}`": "^Share ",
    '"Sign in again"': "Sign in again",
}

seen: set[str] = set()
"""The titles of the dialogs and views that axe has checked."""

passed: set[object] = set()
"""The tests of this file that have passed in this process."""


@pytest.fixture(autouse=True)
def note_that_it_passed(request: pytest.FixtureRequest) -> Iterator[None]:
    failures = request.session.testsfailed
    yield
    if request.session.testsfailed == failures:
        passed.add(request.function)


def check(console: Console, state: str) -> None:
    """Wait until the view is loaded, then check it with axe and against the window's width."""
    console.page.wait_for_load_state("networkidle")
    expect(console.page.get_by_text("Loading…")).to_have_count(0)
    seen.update(console.page.locator("dialog[open] h2, #view h1").all_inner_texts())
    console.visit.axe_everywhere(state)


def test_every_view_fits_and_axe_finds_nothing(console: Console) -> None:
    site, host = console.site, console.host
    event_type = host.event_type(
        title="Workshop: the first architecture review with everyone",
        locations=[{"kind": "video", "detail": "https://meet.example/with/a/very/long/path/to/the/room"}],
        questions=[{"id": "q", "label": "Why?", "kind": "choice", "required": True, "options": ["A", "B"]}],
    )
    long = {"name": "", "email": "bartholomew.featherstonehaugh@very-long-domain-indeed.example"}
    link = host.link(event_type, recipient=long, expiresAt=soon(days=30), notBefore=soon(days=2))
    site.book(host.link(event_type, maxUsageCount=3, label="x" * 200), answers={"q": "A"})
    with site.ago(days=2):
        site.book(host.link(event_type), answers={"q": "B"})
    dead = site.dead_link(host, event_type=event_type)
    site.ask(dead, message="Sorry.\n" + "w" * 300)
    console.open()
    expect(console.page.get_by_label("API key")).to_be_visible()
    check(console, "sign-in")
    console.type_key(host.key.secret)
    expect(console.row(link)).to_be_visible()
    check(console, "links")
    wide = console.page.viewport_size
    assert wide is not None
    console.page.set_viewport_size({"width": 390, "height": 844})
    for label in ("All event types", "All statuses"):
        box = console.page.get_by_role("combobox").filter(has_text=label).bounding_box()
        assert box is not None
        assert box["width"] >= 120, "a filter on a phone has room for its words"
    console.page.set_viewport_size(wide)
    for view in ("event-types", "bookings", "requests"):
        console.page.evaluate("view => { location.hash = view; }", view)
        check(console, view)
        if view == "bookings":
            console.page.get_by_role("tab", name="Past").click()
            check(console, "past bookings")
            console.page.get_by_role("tab", name="Upcoming").click()
            console.button("Move the booking with Grace Hopper").click()
            expect(console.dialog.locator(".times label").first).to_be_visible()
            check(console, "move")
            console.button("Close").click()
            console.button("Cancel the booking with Grace Hopper").click()
            check(console, "cancel")
            console.button("Close").click()
        if view == "event-types":
            console.button(f"Actions for {event_type['title']}").click()
            check(console, "menu")
            console.button("Edit").click()
            check(console, "editor")
            console.dialog.get_by_label("Title").fill("Changed")
            console.page.keyboard.press("Escape")
            expect(console.dialog).to_contain_text("Close without saving")
            check(console, "discard?")
            console.button("Discard").click()
    console.button("Create a new link for Grace and copy it").click()
    console.expect_notice("New link for Grace copied.")
    check(console, "answered")
    console.page.get_by_role("tab", name="Answered").click()
    expect(console.button("Copy the link created for Grace")).to_be_visible()
    check(console, "answered requests")


def test_every_dialog_of_the_links_fits_and_axe_finds_nothing(console: Console) -> None:
    site, host = console.site, console.host
    event_type = host.event_type(title="Workshop: the first architecture review with everyone")
    link = host.link(event_type, label="Y" * 80, expiresAt=soon(days=30))
    site.book(host.link(event_type, maxUsageCount=3))
    console.sign_in()
    console.row(link).get_by_role("checkbox").check()
    check(console, "selected")
    for action in ("Details", "Replace", "Revoke", "Delete"):
        console.act(link, action)
        check(console, action)
        if action == "Details":
            console.button("Edit").click()
            console.dialog.get_by_text("More options").click()
            check(console, "edit")
        console.button("Close").click()
    console.act(link, "Share")
    for tab in ("Reusable link", "Self-renewing", "Embed", "QR code", "Email", "One-time link"):
        console.dialog.get_by_role("tab", name=tab).click()
        check(console, f"share: {tab}")
    console.button("Generate new link").click()
    check(console, "share: replace?")
    console.button("Cancel").click()
    console.button("Close").click()
    console.button("Generate links").first.click()
    console.dialog.get_by_text("More options").click()
    console.dialog.get_by_text("Customize only this link").click()
    console.dialog.get_by_text("Its own available hours").click()
    console.button("Add a date").click()
    check(console, "generate")
    console.dialog.get_by_label("Date", exact=True).fill("2031-12-24")
    console.dialog.get_by_label("Who may book").select_option("email")
    console.dialog.get_by_role("button", name="Generate", exact=True).click()
    expect(console.dialog.get_by_role("alert")).to_be_visible()
    check(console, "what is wrong")
    console.dialog.get_by_label("Recipient’s email").fill("grace@invitees.example")
    console.dialog.get_by_role("button", name="Generate", exact=True).click()
    expect(console.dialog.get_by_label("The new links")).to_be_visible()
    check(console, "made")
    console.button("Done").click()
    console.button("Import CSV").click()
    check(console, "import")
    raw = b"recipientName,recipientEmail,label\nEve,not an address,A long label indeed\nA,a@x.example,\n"
    chosen = {"name": "links.csv", "mimeType": "text/csv", "buffer": raw}
    console.dialog.get_by_label("CSV file").set_input_files(chosen)  # type: ignore[arg-type]
    expect(console.dialog).to_contain_text("1 of 2 rows")
    check(console, "preview")


def test_every_confirmation_fits_and_axe_finds_nothing(console: Console) -> None:
    site, host, page = console.site, console.host, console.page
    event_type = host.event_type(title="Intro call")
    host.links(event_type, count=3)
    with site.ago(days=2):
        site.book(host.link(event_type))
    console.sign_in()
    page.get_by_label("Filter by status").select_option("active")
    expect(console.rows).to_have_count(3)
    page.get_by_label("Select all rows shown").check()
    bulk = page.get_by_role("region", name="Selected links")
    for verb in ("Revoke", "Delete"):
        bulk.get_by_role("button", name=verb).click()
        check(console, f"{verb} many?")
        console.button("Close").click()
    page.get_by_label("Search links").fill("nothing has this")
    expect(page.get_by_text("No link matches")).to_be_visible()
    check(console, "nothing found")
    console.open("#event-types")
    console.button("New event type").click()
    for more in ("Add a location", "Add a question", "Add a date"):
        console.button(more).click()
    check(console, "new event type")
    page.keyboard.press("Escape")
    console.button("Discard").click()
    console.button("Actions for Intro call").click()
    console.button("Archive").click()
    check(console, "archive?")
    console.dialog.get_by_role("button", name="Archive").click()
    expect(console.dialog).to_contain_text("has 3 active links")
    check(console, "archive with its links?")
    console.button("Keep it").click()
    console.open("#bookings")
    page.get_by_role("tab", name="Past").click()
    page.get_by_role("button", name="Actions for the booking").click()
    console.button("Erase personal data").click()
    check(console, "erase?")
    console.button("Cancel").click()
    page.route("**/v1/event-types?**", lambda route: route.fulfill(status=401, body="{}"), times=1)
    page.route("**/v1/bookings?**", lambda route: route.fulfill(status=401, body="{}"), times=1)
    page.get_by_role("tab", name="Upcoming").click()
    expect(console.dialog).to_contain_text("Sign in again")
    check(console, "sign in again")


def test_every_empty_or_failed_view_fits_and_axe_finds_nothing(
    browser: Browser, site: LiveSite, console: Console
) -> None:
    """A wrong key, an admin's choice of a host, empty views, and a view that can't be loaded."""
    page = console.page
    console.open()
    console.type_key("ao_this-is-not-a-key")
    expect(page.get_by_role("alert")).to_be_visible()
    check(console, "wrong key")
    console.type_key(console.host.key.secret)
    expect(page.get_by_text("First, an event type")).to_be_visible()
    for view in ("links", "event-types", "bookings", "requests"):
        page.evaluate("view => { location.hash = view; }", view)
        check(console, f"{view}, with nothing in it")
    page.route("**/v1/link-requests?**", lambda route: route.abort())
    page.evaluate("location.hash = 'links'")
    page.evaluate("location.hash = 'requests'")
    expect(page.get_by_text("This could not be loaded")).to_be_visible()
    check(console, "not loaded")
    admin = Caller(site.client, site.admin.key, None)
    with console_of(browser, site, admin) as other:
        other.open()
        other.type_key(admin.key.secret)
        other.page.get_by_text("Another host").click()
        check(other, "whose links?")


def test_axe_has_checked_every_dialog_and_every_view() -> None:
    """If you add a dialog or a view, add it to the tests above."""
    source = "\n".join(path.read_text() for path in sorted((SOURCES / "console").rglob("*.js")))
    source = re.sub(
        r"(?m)^export function (?:openDialog|confirmThen).*$|openDialog\(\{ title, .*$", "", source
    )
    opened = re.findall(r"\b(?:openDialog|confirmThen)\(\{", source)
    titles = re.findall(r"(?m)(?:openDialog|confirmThen)\(\{\s*title: (.+?),(?=\s*$| kind| body)", source)
    assert len(titles) == len(opened), "the title of each is found"
    assert set(titles) == set(TITLES)
    openers = {
        test_every_view_fits_and_axe_finds_nothing,
        test_every_dialog_of_the_links_fits_and_axe_finds_nothing,
        test_every_confirmation_fits_and_axe_finds_nothing,
        test_every_empty_or_failed_view_fits_and_axe_finds_nothing,
    }
    if not openers <= passed:
        pytest.skip("not all the tests that open them passed in this process")
    left = [title for title, shown in TITLES.items() if not any(re.search(shown, one) for one in seen)]
    assert left == [], "no test above checks these dialogs with axe"
    views = set(re.findall(r'"#([a-z-]+)": show', (SOURCES / "console" / "console.js").read_text()))
    assert views == {"links", "event-types", "bookings", "requests"}
    assert seen >= {"Admit One", "Whose links?", "Links", "Event types", "Bookings", "Requests for new links"}


def test_the_bulk_bar_never_covers_the_focused_element(console: Console) -> None:
    """WCAG 2.4.11: with selected rows, no row that gets the focus is below the bar."""
    console.host.links(console.host.event_type(), count=30)
    console.sign_in()
    console.rows.first.get_by_role("checkbox").check()
    bulk = console.page.get_by_role("region", name="Selected links")
    below = """([bar]) => {
      const at = document.activeElement.getBoundingClientRect();
      return document.activeElement.closest('tr') && at.bottom > bar.getBoundingClientRect().top;
    }"""
    for _ in range(70):
        console.page.keyboard.press("Tab")
        assert not bulk.evaluate_all(below)


class Keyboard:
    """The console, used without a pointer."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.page = console.page
        self.type = console.page.keyboard.type

    def press(self, *names: str) -> None:
        """Press keys by their names."""
        for name in names:
            self.page.keyboard.press(name)

    def button(self, name: str, *, within: bool = False) -> None:
        """Tab to a button, `within` the dialog or on the page, and press it."""
        place = self.console.dialog if within else self.page
        self.console.tab_to(place.get_by_role("button", name=name, exact=True))
        self.press("Enter")

    def go(self, view: str) -> None:
        """Open a view with its link."""
        self.console.tab_to(self.page.get_by_role("link", name=view, exact=True).first)
        self.press("Enter")
        expect(self.page.locator("#view")).to_be_focused()

    def more(self, link: dict[str, Any]) -> Locator:
        """Return the button of a row's menu."""
        return self.console.row(link).get_by_role("button", name="Actions for")


def _create_event_type(keyboard: Keyboard) -> None:
    """Create the first event type; the dialog starts at its title."""
    console, page = keyboard.console, keyboard.page
    keyboard.go("Event types")
    keyboard.button("Create an event type")
    expect(console.dialog.get_by_label("Title")).to_be_focused()
    keyboard.type("Intro call")
    keyboard.button("Create event type", within=True)
    expect(page.get_by_role("heading", name="Intro call")).to_be_visible()


def _edit_from_the_menu(keyboard: Keyboard) -> dict[str, Any]:
    """Create a one-time link and edit it from its row's menu; Escape returns to the row."""
    console, page = keyboard.console, keyboard.page
    keyboard.go("Links")
    keyboard.button("1× Intro call: create and copy a one-time link")
    console.expect_notice("copied")
    links: list[dict[str, Any]] = console.host.list()["links"]
    (link,) = links
    more = keyboard.more(link)
    console.tab_to(more)
    keyboard.press("Enter")
    menu = page.locator(".menu")
    expect(menu.get_by_role("button", name="Details")).to_be_focused()
    keyboard.press("Escape")
    expect(more).to_be_focused()
    keyboard.press("Enter")
    keyboard.press("Enter")
    expect(console.dialog.get_by_role("button", name="Close")).to_be_focused()
    keyboard.button("Edit", within=True)
    console.tab_to(console.dialog.get_by_label("Label"))
    keyboard.type("By keyboard")
    keyboard.press("Escape")
    expect(console.button("Keep editing")).to_be_focused()
    keyboard.press("Enter")
    expect(console.dialog.get_by_label("Bookings per link")).to_be_focused()
    keyboard.button("Save", within=True)
    console.expect_notice("Saved.")
    keyboard.press("Escape")
    expect(more).to_be_focused()
    expect(console.row(link)).to_contain_text("By keyboard")
    return link


def _share(keyboard: Keyboard, link: dict[str, Any]) -> None:
    """Walk through the share dialog's tabs with the arrow keys; the row's menu is focused."""
    console = keyboard.console
    more = keyboard.more(link)
    keyboard.press("Enter")
    keyboard.press("ArrowDown")
    keyboard.press("Enter")
    once = console.dialog.get_by_role("tab", name="One-time link")
    console.tab_to(once)
    keyboard.press("End")
    expect(console.dialog.get_by_role("tab", name="Email")).to_be_focused()
    expect(console.dialog.get_by_label("Subject")).to_be_visible()
    keyboard.press("ArrowRight")
    expect(once).to_be_focused()
    keyboard.press("Escape")
    expect(more).to_be_focused()


def _move_and_cancel(keyboard: Keyboard, link: dict[str, Any]) -> None:
    """Move a booking, then cancel it; after each, focus is on what comes next."""
    console, page = keyboard.console, keyboard.page
    console.site.book(console.host.reread(link))
    keyboard.go("Bookings")
    keyboard.button("Move the booking with Grace Hopper")
    expect(console.dialog.locator(".times input").nth(3)).to_be_attached()
    page.locator("li.card").evaluate("e => { e.mark = 'before'; }")
    console.tab_to(console.dialog.locator(".times input").first)
    keyboard.press("Space")
    keyboard.press("ArrowRight")
    keyboard.button("Move", within=True)
    console.expect_notice("Moved to")
    until_true(page, "() => { const card = document.querySelector('li.card'); return !!card && !card.mark; }")
    expect(console.button("Move the booking with Grace Hopper")).to_be_focused()
    keyboard.button("Cancel the booking with Grace Hopper")
    expect(console.button("Keep it")).to_be_focused()
    keyboard.button("Cancel booking", within=True)
    expect(page.locator(".pill", has_text="Cancelled")).to_be_visible()


def _answer_and_revoke(keyboard: Keyboard, link: dict[str, Any]) -> None:
    """Answer a request, revoke the new link, and sign out."""
    console, page = keyboard.console, keyboard.page
    console.site.ask(link)
    keyboard.go("Requests")
    expect(console.button("Create a new link for Grace and copy it")).to_be_visible()
    keyboard.button("Create a new link for Grace and copy it")
    console.expect_notice("New link for Grace copied.")
    keyboard.go("Links")
    (fresh,) = console.host.list(status="active")["links"]
    more = keyboard.more(fresh)
    expect(more).to_be_visible()
    console.tab_to(more)
    keyboard.press("Enter")
    for _ in range(3):
        keyboard.press("ArrowDown")
    keyboard.press("Enter")
    expect(console.dialog).to_contain_text("Revoke this link?")
    keyboard.button("Revoke link", within=True)
    console.expect_notice("Link revoked.")
    expect(more).to_be_focused()
    assert console.host.reread(fresh)["status"] == "revoked"
    keyboard.button("Sign out")
    expect(page.get_by_label("API key")).to_be_focused()


def test_a_host_can_do_everything_by_keyboard(console: Console) -> None:
    """Without a pointer; the focus is never lost and never trapped."""
    keyboard = Keyboard(console)
    console.open()
    expect(console.page.get_by_label("API key")).to_be_focused()
    keyboard.type(console.host.key.secret)
    keyboard.press("Enter")
    expect(console.button("Sign out")).to_be_visible()

    _create_event_type(keyboard)
    link = _edit_from_the_menu(keyboard)
    _share(keyboard, link)
    _move_and_cancel(keyboard, link)
    _answer_and_revoke(keyboard, link)
