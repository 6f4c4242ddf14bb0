"""The console for everyone: axe on every view and dialog, at both widths and in both schemes; and by keyboard alone."""

from playwright.sync_api import expect

from tests.e2e.console import Console
from tests.e2e.site import soon


def check(console: Console, state: str) -> None:
    """Hold what is on show against axe and the window's width, once it has all come."""
    console.page.wait_for_load_state("networkidle")
    expect(console.page.get_by_text("Loading …")).to_have_count(0)
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
    console.button("Make a new link for Grace and copy it").click()
    console.said("New link for Grace copied.")
    check(console, "answered")
    console.page.get_by_role("tab", name="Answered").click()
    expect(console.button("Copy the link made for Grace")).to_be_visible()
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
    for tab in ("Reusable link", "Self-renewing", "Embed", "QR code", "Mail", "One-time link"):
        console.dialog.get_by_role("tab", name=tab).click()
        check(console, f"share: {tab}")
    console.button("Close").click()
    console.button("Generate links").first.click()
    console.dialog.get_by_text("More options").click()
    console.dialog.get_by_text("Customise just this link").click()
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
    expect(console.dialog).to_contain_text("1 row of 2")
    check(console, "preview")


def test_the_bulk_bar_hides_nothing_that_has_the_focus(console: Console) -> None:
    """WCAG 2.4.11: with rows chosen, no row that Tab comes to lies beneath the bar."""
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


def test_by_keyboard_alone(console: Console) -> None:
    """Everything a host does in a day, without a pointer; focus is never lost and never trapped."""
    page, keys = console.page, console.page.keyboard

    def press(name: str, *, within: bool = False) -> None:
        place = console.dialog if within else page
        console.tab_to(place.get_by_role("button", name=name, exact=True))
        keys.press("Enter")

    def go(view: str) -> None:
        console.tab_to(page.get_by_role("link", name=view, exact=True).first)
        keys.press("Enter")
        expect(page.locator("#view")).to_be_focused()

    console.open()
    expect(page.get_by_label("API key")).to_be_focused()
    keys.type(console.host.key.secret)
    keys.press("Enter")
    expect(console.button("Sign out")).to_be_visible()

    # an event type
    go("Event types")
    press("Make the first one")
    expect(console.dialog.get_by_label("Title")).to_be_focused()
    keys.type("Intro call")
    press("Make event type", within=True)
    expect(page.get_by_role("heading", name="Intro call")).to_be_visible()

    # 1×, then its row's menu
    go("Links")
    press("1× Intro call: make and copy a one-time link")
    console.said("copied")
    (link,) = console.host.list()["links"]
    more = console.row(link).get_by_role("button", name="Actions for")
    console.tab_to(more)
    keys.press("Enter")
    menu = page.locator(".menu")
    expect(menu.get_by_role("button", name="Details")).to_be_focused()
    keys.press("Escape")
    expect(more).to_be_focused()
    keys.press("Enter")
    keys.press("Enter")
    expect(console.dialog.get_by_role("button", name="Close")).to_be_focused()
    press("Edit", within=True)
    console.tab_to(console.dialog.get_by_label("Label"))
    keys.type("By keyboard")
    keys.press("Escape")
    expect(console.button("Keep editing")).to_be_focused()
    keys.press("Enter")
    expect(console.dialog.get_by_label("Bookings per link")).to_be_focused()
    press("Save", within=True)
    console.said("Saved.")
    keys.press("Escape")
    expect(more).to_be_focused()
    expect(console.row(link)).to_contain_text("By keyboard")

    # share, by the arrow keys
    keys.press("Enter")
    keys.press("ArrowDown")
    keys.press("Enter")
    once = console.dialog.get_by_role("tab", name="One-time link")
    console.tab_to(once)
    keys.press("End")
    expect(console.dialog.get_by_role("tab", name="Mail")).to_be_focused()
    expect(console.dialog.get_by_label("Subject")).to_be_visible()
    keys.press("ArrowRight")
    expect(once).to_be_focused()
    keys.press("Escape")
    expect(more).to_be_focused()

    # the booking is moved and cancelled
    console.site.book(console.host.reread(link))
    go("Bookings")
    press("Move the booking with Grace Hopper")
    expect(console.dialog.locator(".times input").nth(3)).to_be_attached()
    page.locator("li.card").evaluate("e => { e.mark = 'before'; }")
    console.tab_to(console.dialog.locator(".times input").first)
    keys.press("Space")
    keys.press("ArrowRight")
    press("Move", within=True)
    console.said("Moved to")
    page.wait_for_function(
        "() => { const card = document.querySelector('li.card'); return card && !card.mark; }"
    )
    expect(console.button("Move the booking with Grace Hopper")).to_be_focused()
    press("Cancel the booking with Grace Hopper")
    expect(console.button("Keep it")).to_be_focused()
    press("Cancel booking", within=True)
    expect(page.locator(".pill", has_text="Cancelled")).to_be_visible()

    # a request is answered, and the fresh link revoked
    console.site.ask(link)
    go("Requests")
    expect(console.button("Make a new link for Grace and copy it")).to_be_visible()
    press("Make a new link for Grace and copy it")
    console.said("New link for Grace copied.")
    go("Links")
    (fresh,) = console.host.list(status="active")["links"]
    more = console.row(fresh).get_by_role("button", name="Actions for")
    expect(more).to_be_visible()
    console.tab_to(more)
    keys.press("Enter")
    for _ in range(3):
        keys.press("ArrowDown")
    keys.press("Enter")
    expect(console.dialog).to_contain_text("Revoke this link?")
    press("Revoke link", within=True)
    console.said("Link revoked.")
    expect(more).to_be_focused()
    assert console.host.reread(fresh)["status"] == "revoked"
    press("Sign out")
    expect(page.get_by_label("API key")).to_be_focused()
