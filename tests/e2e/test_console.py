"""The console in a browser: from signing in to a used link, and everything a host does on the way."""

import json
import re
from dataclasses import replace
from typing import cast
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, Route, expect

from chalicelib import bootstrap
from chalicelib.consumers.outbox import consume
from chalicelib.domain.team.api_keys import Role
from tests.support.app import Caller, Site, ok
from tests.support.aws.bus import Stream
from tests.support.browser.console import Console, console_of
from tests.support.browser.site import LiveSite, soon
from tests.support.browser.visit import visiting
from tests.support.waiting import until

pytestmark = pytest.mark.clock

# The main job


def test_a_link_created_with_one_click_is_booked_once(console: Console, browser: Browser) -> None:
    """P1, P5: sign in, create a link, the invitee books without JavaScript, the row shows it, the next can't."""
    console.host.event_type(title="Intro call")
    console.sign_in()

    console.button("1× Intro call: create and copy a one-time link").click()
    console.expect_notice("One-time link for Intro call copied.")
    url = console.clipboard()
    link = console.link_of(url)
    expect(console.row(link).locator(".pill")).to_have_text("Active")
    console.row(link).get_by_role("checkbox").check()

    with visiting(browser, java_script_enabled=False) as invitee:
        invitee.page.goto(url)
        start = invitee.page.locator("label:has([name=start])").first
        if not start.is_visible():  # the day is collapsed
            invitee.page.locator("details:has([name=start]) summary").first.click()
        start.click()
        invitee.page.locator("[name='invitee.name']").fill("Grace Hopper")
        invitee.page.locator("[name='invitee.email']").fill("grace@invitees.example")
        invitee.page.locator("form[method=post] button").last.click()
        invitee.page.wait_for_url("**/b/**")
        expect(invitee.page.locator("body")).to_contain_text("Intro call")

    console.page.evaluate("window.mark = 'not reloaded'")
    expect(console.row(link).locator(".pill")).to_have_text("Used")
    expect(console.row(link)).to_contain_text("1 of 1")
    assert console.page.evaluate("window.mark") == "not reloaded"
    assert console.row(link).get_by_role("checkbox").is_checked()

    with visiting(browser) as second:
        answer = second.page.goto(url)
        assert answer is not None
        assert answer.status == 410
        expect(second.page.get_by_role("heading", level=1)).to_be_visible()


def test_without_access_to_the_clipboard_the_link_is_shown_for_copying(
    browser: Browser, site: LiveSite, host: Caller
) -> None:
    host.event_type(title="Intro call")
    with console_of(browser, site, host, permissions=[]) as console:
        console.page.add_init_script(
            "navigator.clipboard.write = navigator.clipboard.writeText = () => Promise.reject(new Error())"
        )
        console.sign_in()

        console.button("1× Intro call: create and copy a one-time link").click()

        shown = console.page.get_by_label("To copy")
        expect(shown).to_be_focused()
        console.link_of(shown.input_value())
        selected = "e => e.selectionEnd - e.selectionStart === e.value.length"
        assert shown.evaluate(selected)


# Signing in


def test_a_wrong_key_says_what_to_do(console: Console) -> None:
    console.open()
    console.type_key("ao_this-is-not-a-key")

    expect(console.page.get_by_role("alert")).to_contain_text("This key doesn’t work")
    expect(console.page.get_by_label("API key")).to_be_focused()
    assert console.page.evaluate("sessionStorage.length") == 0


def test_signing_out_forgets_the_key(console: Console) -> None:
    console.sign_in()
    assert console.host.key.secret in console.page.evaluate("JSON.stringify({...sessionStorage})")

    console.button("Sign out").click()

    expect(console.page.get_by_label("API key")).to_be_focused()
    assert console.page.evaluate("sessionStorage.length") == 0
    console.page.reload()
    expect(console.page.get_by_label("API key")).to_be_visible()


def test_a_key_that_is_revoked_during_work_loses_no_typed_text(console: Console) -> None:
    console.host.event_type(title="Intro call")
    console.sign_in()
    console.button("Generate links").first.click()
    console.dialog.get_by_label("Label").fill("Typed with care")
    console.page.route("**/v1/links", lambda route: route.fulfill(status=401, body="{}"), times=1)

    console.dialog.get_by_role("button", name="Generate", exact=True).click()
    expect(console.dialog).to_contain_text("Sign in again")
    console.type_key(console.host.key.secret)

    expect(console.dialog.get_by_label("Label")).to_have_value("Typed with care")
    console.dialog.get_by_role("button", name="Generate", exact=True).click()
    expect(console.dialog.get_by_label("The new links")).to_be_visible()


def test_an_admin_chooses_a_host(browser: Browser, site: LiveSite) -> None:
    """P9: an admin key acts for one host at a time, and the page shows which."""
    chosen = site.host("Chosen Host")
    chosen.event_type(title="Chosen's own")
    admin = Caller(site.client, site.admin.key, None)
    with console_of(browser, site, admin) as console:
        console.open()
        console.type_key(admin.key.secret)
        console.button("Chosen Host", exact=False).click()

        expect(console.page.get_by_label("Acting for host")).to_have_value(str(chosen.host_id))
        console.page.get_by_role("link", name="Event types").click()
        expect(console.page.get_by_role("heading", name="Chosen's own")).to_be_visible()
    assert site.admin.key.key.role is Role.ADMIN


def test_an_admin_creates_a_host(browser: Browser, site: LiveSite) -> None:
    admin = Caller(site.client, site.admin.key, None)
    with console_of(browser, site, admin) as console:
        console.open()
        console.type_key(admin.key.secret)
        console.page.get_by_text("Another host").click()
        console.page.get_by_label("Name", exact=True).fill("Mary Jackson")
        console.page.get_by_label("Public name").fill("Mary")
        console.visit.axe_everywhere("making a host")
        console.page.get_by_label("Email").fill("mary@hosts.example")
        console.button("Create host").click()

        expect(console.page.get_by_text("First, an event type")).to_be_visible()
        host_id = console.page.get_by_label("Acting for host").input_value()
    found = ok(site.admin.get(f"/v1/hosts/{host_id}"))
    assert (found["name"], found["publicName"], found["timeZone"]) == (
        "Mary Jackson",
        "Mary",
        "Europe/Berlin",
    )


# The table


def test_filters_and_search_by_url_never_send_the_token(console: Console) -> None:
    """P7: a pasted URL is searched by its linkId; its token is never sent."""
    first, second = (console.host.event_type(title=title) for title in ("First", "Second"))
    one, other = console.host.link(first, label="Alpha"), console.host.link(second, label="Beta")
    console.host.post(f"/v1/links/{other['linkId']}/revoke")
    console.sign_in()
    expect(console.rows).to_have_count(2)

    console.page.get_by_label("Filter by event type").select_option(label="First")
    expect(console.rows).to_have_count(1)
    expect(console.row(one)).to_be_visible()
    console.page.get_by_label("Filter by event type").select_option("")
    console.page.get_by_label("Filter by status").select_option("revoked")
    expect(console.row(other)).to_be_visible()
    expect(console.rows).to_have_count(1)
    console.page.get_by_label("Filter by status").select_option("")
    find = console.page.get_by_label("Search links")
    for text, found in (("alp", one), (other["url"], other), (one["url"].rpartition("/")[2], one)):
        find.fill(text)
        expect(console.rows).to_have_count(1)
        expect(console.row(found)).to_be_visible()
    find.fill(one["url"][:-5])
    expect(console.page.get_by_text("That is not a whole link")).to_be_visible()
    find.fill("nothing has this")
    expect(console.page.get_by_text("No link matches")).to_be_visible()

    tokens = [link["url"].rpartition("/")[2][:20] for link in (one, other)]
    assert not [r.url for r in console.visit.requests for token in tokens if token in r.url]


def test_a_refresh_keeps_pages_selection_and_scroll_position(console: Console) -> None:
    """P10: pages are loaded by cursor."""
    event_type = console.host.event_type()
    links = console.host.links(event_type, count=120)
    console.sign_in()
    expect(console.rows).to_have_count(50)

    console.button("Show more").click()
    expect(console.rows).to_have_count(100)
    console.button("Show more").click()
    expect(console.rows).to_have_count(120)
    expect(console.button("Show more")).to_be_hidden()
    shown = set(console.rows.evaluate_all("rows => rows.map((row) => row.dataset.id)"))
    assert shown == {link["linkId"] for link in links}

    last = console.rows.last
    last.get_by_role("checkbox").check()
    last_id = last.get_attribute("data-id")
    console.host.post(f"/v1/links/{last_id}/revoke")
    before = console.page.evaluate("scrollY")
    console.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(last.locator(".pill")).to_have_text("Revoked")
    assert last.get_by_role("checkbox").is_checked()
    assert console.page.evaluate("scrollY") == before


def test_bulk_revoke_and_delete_ask_for_confirmation(console: Console) -> None:
    links = console.host.links(console.host.event_type(), count=3)
    console.sign_in()
    for link in links[:2]:
        console.row(link).get_by_role("checkbox").check()
    bulk = console.page.get_by_role("region", name="Selected links")
    expect(bulk).to_contain_text("2 links selected")

    bulk.get_by_role("button", name="Revoke").click()
    expect(console.button("Cancel")).to_be_focused()
    console.button("Revoke 2 links").click()
    console.expect_notice("2 links revoked.")
    assert [console.host.reread(link)["status"] for link in links] == ["revoked", "revoked", "active"]
    expect(console.row(links[0]).locator(".pill")).to_have_text("Revoked")

    console.page.get_by_label("Select all rows shown").check()
    bulk.get_by_role("button", name="Delete").click()
    console.button("Delete 3 links").click()
    console.expect_notice("3 links deleted.")
    expect(console.page.get_by_text("No links yet")).to_be_visible()
    assert console.host.list()["links"] == []


def test_deleted_links_leave_the_list_even_if_it_cannot_be_read_again(console: Console) -> None:
    console.host.links(console.host.event_type(), count=2)
    console.sign_in()
    console.page.get_by_label("Select all rows shown").check()
    bulk = console.page.get_by_role("region", name="Selected links")
    bulk.get_by_role("button", name="Delete").click()
    console.page.route("**/v1/links?*", lambda route: route.abort())
    console.button("Delete 2 links").click()
    expect(console.dialog.get_by_role("alert")).to_contain_text("can’t be reached")
    expect(console.page.get_by_text("No links yet")).to_be_visible()
    expect(bulk).to_be_hidden()


def test_a_used_link_that_a_cancellation_would_restore_can_be_revoked(console: Console) -> None:
    """P8: like the API. After that, cancelling the booking does not make the link active again."""
    event_type = console.host.event_type()
    labels = ("one", "another", "third", "used up")
    links = [
        console.host.link(event_type, label=label, restoreUseOnCancel=label != "used up") for label in labels
    ]
    *restorable, used_up = links
    bookings = [console.site.book(link) for link in links]
    console.sign_in()

    console.row(used_up).get_by_role("button", name="Actions for").click()
    menu = console.page.locator(".menu")
    expect(menu.get_by_role("button")).to_have_text(["Details", "New link like this", "Delete"])
    menu.get_by_role("button", name="Details").click()
    expect(console.dialog.locator("footer button")).to_have_text(["Edit", "New link like this", "Delete"])
    console.button("Close").click()
    bulk = console.page.get_by_role("region", name="Selected links")
    console.row(used_up).get_by_role("checkbox").check()
    bulk.get_by_role("button", name="Revoke").click()
    console.expect_notice("None of the selected links can be revoked")

    console.act(restorable[0], "Revoke")
    expect(console.dialog).to_contain_text("will not become active again when a booking is cancelled")
    console.button("Revoke link").click()
    console.expect_notice("Link revoked.")
    console.act(restorable[1], "Details")
    console.button("Revoke").last.click()
    console.button("Revoke link").click()
    expect(console.dialog.locator(".pill").first).to_have_text("Revoked")
    console.button("Close").click()
    console.row(restorable[2]).get_by_role("checkbox").check()
    bulk.get_by_role("button", name="Revoke").click()
    expect(console.dialog).to_contain_text("1 selected link that can’t be used any more stays as it is.")
    console.button("Revoke 1 link").click()
    console.expect_notice("1 link revoked.")

    for booking in bookings[:-1]:
        ok(console.host.post(f"/v1/bookings/{booking['bookingId']}/cancel"))
    statuses = [console.host.reread(link)["status"] for link in links]
    assert statuses == ["revoked", "revoked", "revoked", "used"]


def test_replace_warns_that_the_old_link_stops_working(console: Console) -> None:
    link = console.host.link(label="Trade fair")
    console.sign_in()

    console.act(link, "Replace")
    expect(console.dialog).to_contain_text("The old link stops working at once")
    console.button("Generate new link").click()
    console.expect_notice("New link copied.")

    fresh = console.link_of(console.clipboard())
    assert fresh["linkId"] != link["linkId"]
    assert fresh["label"] == "Trade fair"
    assert console.host.reread(link)["status"] == "revoked"
    expect(console.row(fresh)).to_be_visible()


# Generating


def test_a_retry_after_a_lost_request_creates_no_second_set_of_links(console: Console) -> None:
    """P4: the dialog uses the same key for a retry, whether the first request arrived or not."""
    console.host.event_type(title="Intro call")
    console.sign_in()
    tries: list[str] = []

    def lose(route: Route) -> None:
        tries.append(route.request.headers["idempotency-key"])
        if len(tries) == 1:
            route.abort()
        elif len(tries) == 2:  # the request arrives, and its response is lost
            route.fetch()
            route.abort()
        else:
            route.continue_()

    console.page.route("**/v1/links", lambda r: lose(r) if r.request.method == "POST" else r.continue_())
    console.button("Generate links").first.click()
    console.dialog.get_by_label("How many links").fill("3")
    console.dialog.get_by_label("Expires", exact=True).select_option(label="In 7 days")
    console.dialog.get_by_label("Label").fill("Once and for all")
    go = console.dialog.get_by_role("button", name="Generate", exact=True)
    for _ in range(2):
        go.click()
        expect(console.dialog.get_by_role("alert")).to_contain_text("can’t be reached")
        expect(go).not_to_have_attribute("aria-busy", "true")
        expect(console.dialog.get_by_label("Label")).to_have_value("Once and for all")
        console.page.evaluate("document.querySelector('dialog .alert').remove()")
    go.click()

    urls = console.dialog.get_by_label("The new links").input_value().split("\n")
    assert len(set(urls)) == 3
    assert len(set(tries)) == 1
    assert {link["url"] for link in console.host.list()["links"]} == set(urls)
    console.button("Copy all").click()
    console.expect_notice("All 3 links copied.")
    assert console.clipboard().split("\n") == urls


def test_the_progress_of_creating_many_links_is_shown(console: Console) -> None:
    console.host.event_type(title="Intro call")
    console.sign_in()
    held: list[Route] = []
    console.page.route(
        "**/v1/links", lambda r: held.append(r) if r.request.method == "POST" else r.continue_()
    )
    console.button("Generate links").first.click()
    console.dialog.get_by_label("How many links").fill("250")
    console.dialog.get_by_role("button", name="Generate", exact=True).click()
    shown = console.page.locator("dialog progress")
    for made in (0, 100, 200):
        expect(shown).to_have_js_property("value", made)
        expect(shown).to_have_js_property("max", 250)
        until(lambda: bool(held), pause=lambda: console.page.wait_for_timeout(10))
        held.pop().continue_()
    expect(console.dialog).to_contain_text("250 links for Intro call are ready to send.")
    assert len(console.dialog.get_by_label("The new links").input_value().split("\n")) == 250


def test_an_expiry_is_shown_relatively_and_exactly_on_hover(console: Console) -> None:
    link = console.host.link(expiresAt=soon(days=3, minutes=30))
    console.sign_in()
    expiry = console.row(link).locator("time").last
    expect(expiry).to_have_text("in 3 days")
    parts = "{weekday: 'short', day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit'}"
    exactly = f"(at) => new Intl.DateTimeFormat('en-GB', {parts}).formatToParts(Date.parse(at)).map((one) => one.value)"
    title = expiry.get_attribute("title") or ""
    assert all(part in title for part in console.page.evaluate(exactly, link["expiresAt"]))
    assert title.endswith("(Europe/Berlin)"), "the time has no zone"


def test_the_csv_has_a_byte_order_mark_and_no_formulas(console: Console) -> None:
    console.host.event_type(title="Intro call")
    console.sign_in()
    console.button("Generate links").first.click()
    console.dialog.get_by_label("Recipient’s name").fill('=HYPERLINK("x")')
    console.dialog.get_by_label("Recipient’s email").fill("grace@invitees.example")
    console.dialog.get_by_label("Who may book").select_option("email")
    console.dialog.get_by_role("button", name="Generate", exact=True).click()

    with console.page.expect_download() as coming:
        console.button("Download CSV").click()

    raw = coming.value.path().read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf")
    assert '"\'=HYPERLINK(""x"")"' in raw.decode()
    (link,) = console.host.list()["links"]
    assert link["recipient"]["enforce"] == "email"


def test_every_setting_of_a_link_is_sent(console: Console) -> None:
    console.host.event_type(title="Intro call")
    console.sign_in()
    console.button("Generate links").first.click()
    box = console.dialog
    box.get_by_text("No limit").click()
    box.get_by_label("Expires", exact=True).select_option("exact")
    box.get_by_label("Expires at").fill("2031-07-01T18:00")
    box.get_by_text("More options").click()
    box.get_by_label("Not before").fill("2031-01-15T09:30")
    box.get_by_text("Give the use back").click()
    box.get_by_text("Customize only this link").click()
    box.get_by_label("Title").fill("Deep dive")
    box.get_by_label("Minutes", exact=True).fill("45")
    box.get_by_label("Location").select_option("phone")
    box.get_by_label("Address, number or URL", exact=True).fill("+49 30 1234")
    box.get_by_text("Its own available hours").click()
    box.get_by_label("Monday to").fill("00:00")
    for day in ("Tuesday", "Wednesday", "Thursday"):
        box.get_by_label(day, exact=True).uncheck()
    box.get_by_role("button", name="Generate", exact=True).click()
    expect(box.get_by_label("The new links")).to_be_visible()

    (link,) = console.host.list()["links"]
    assert link["maxUsageCount"] is None
    assert (link["expiresAt"], link["notBefore"]) == ("2031-07-01T16:00:00Z", "2031-01-15T08:30:00Z")
    assert link["restoreUseOnCancel"]
    assert link["overrides"] == {
        "title": "Deep dive",
        "durationMinutes": 45,
        "locations": [{"kind": "phone", "detail": "+49 30 1234"}],
        "schedule": {
            "timeZone": "Europe/Berlin",
            "weekly": [
                {"days": ["mon"], "from": "09:00", "to": "24:00"},
                {"days": ["fri"], "from": "09:00", "to": "17:00"},
            ],
            "overrides": [],
        },
    }


def test_an_error_of_the_api_is_shown_at_its_field_and_no_input_is_lost(console: Console) -> None:
    console.host.event_type(title="Intro call")
    console.sign_in()
    console.button("Generate links").first.click()
    console.dialog.get_by_label("Expires", exact=True).select_option("exact")
    console.dialog.get_by_label("Expires at").fill("2001-07-01T18:00")
    console.dialog.get_by_label("Who may book").select_option("email")
    console.dialog.get_by_label("Label").fill("Kept")

    console.dialog.get_by_role("button", name="Generate", exact=True).click()

    email = console.dialog.get_by_label("Recipient’s email")
    expect(email).to_have_attribute("aria-invalid", "true")
    expect(email).to_have_accessible_description("This is not an email address.")
    expect(console.dialog.get_by_label("Expires at")).to_be_focused()
    expect(console.dialog.get_by_label("Label")).to_have_value("Kept")
    console.visit.axe_everywhere("refused by the API")
    console.page.keyboard.press("Escape")
    expect(console.dialog).to_contain_text("Close without saving")
    for _ in range(2):
        console.page.keyboard.press("Escape")
    expect(console.dialog).to_contain_text("Close without saving")
    console.button("Keep editing").click()
    expect(console.dialog.get_by_label("Label")).to_have_value("Kept")


# A link's details, and sharing


def test_a_refused_save_keeps_the_edited_details(console: Console) -> None:
    link = console.host.link(
        label="Before", maxUsageCount=5, overrides={"title": "Own", "durationMinutes": 45}
    )
    booking = console.site.book(link)
    console.sign_in()
    console.act(link, "Details")
    expect(console.dialog).to_contain_text("1 of 5")
    expect(console.dialog).to_contain_text(booking["invitee"]["email"])
    expect(console.dialog.get_by_role("heading", name="History")).to_be_visible()

    console.button("Edit").click()
    console.dialog.get_by_label("Label").fill("After")
    console.dialog.get_by_label("Minutes", exact=True).fill("")
    console.dialog.get_by_label("Bookings per link").fill("0")
    console.dialog.get_by_label("Bookings per link").evaluate("e => e.removeAttribute('min')")
    console.button("Save").click()
    expect(console.dialog.get_by_label("Bookings per link")).to_have_attribute("aria-invalid", "true")
    expect(console.dialog.get_by_label("Label")).to_have_value("After")
    console.dialog.get_by_label("Bookings per link").fill("7")
    console.button("Save").click()
    expect(console.dialog).to_contain_text("1 of 7")

    changed = console.host.reread(link)
    assert (changed["label"], changed["maxUsageCount"], changed["overrides"]) == (
        "After",
        7,
        {"title": "Own"},
    )
    expect(console.row(link)).to_contain_text("After")


def test_the_history_is_shown_as_sentences(console: Console) -> None:
    """Each entry has its time with the zone, and its actor."""
    stream = Stream(cast("Site", console.site))
    stream.records()
    link = console.host.link(label="Before", maxUsageCount=2)
    console.site.book(link)
    console.host.patch(f"/v1/links/{link['linkId']}", {"label": "After"})
    path = link["url"].removeprefix(console.site.url)
    browser = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/150.0 Safari/537.36"
    console.site.client.get(path, headers={"Accept": "text/html", "User-Agent": browser})
    consume({"Records": json.loads(json.dumps(stream.records()))}, None)
    console.sign_in()

    console.act(link, "Details")

    changed = console.dialog.locator("ol.line li", has_text="Changed: label")
    expect(changed).to_contain_text(re.compile(r"CES?T, by API key"))
    for words, actor in (
        ("Created", "by API key"),
        ("Opened for the first time", "by someone with the link"),
        ("Booked with", "by the invitee"),
        ("Booking created", "by the invitee"),
    ):
        entry = console.dialog.locator("ol.line li", has_text=re.compile(f"^{words}"))
        expect(entry).to_have_count(1)
        expect(entry).to_contain_text(actor)
    expect(console.dialog).to_contain_text("Opened once by a person. Opening never uses a link up.")
    console.visit.axe_everywhere("history")


def test_the_history_names_each_kind_of_actor(console: Console) -> None:
    actors = {
        "command:crm:42": "by command crm:42",
        "function:revokeLink": "by function revokeLink",
        "import:imp_1": "by CSV import imp_1",
        "system:expiry": "by the system",
    }
    entry = {"type": "link.updated", "time": soon(), "data": {}}
    answer = {
        "opens": {"persons": 0, "machines": 0},
        "history": [entry | {"eventId": actor, "actor": actor} for actor in actors],
        "nextCursor": None,
    }
    link = console.host.link()
    console.page.route("**/history?*", lambda route: route.fulfill(json=answer))
    console.sign_in()

    console.act(link, "Details")

    entries = console.dialog.locator("ol.line li .sub")
    expect(entries).to_have_text([re.compile(f", {re.escape(words)}$") for words in actors.values()])


def test_the_history_says_why_someone_asked_for_a_new_link(console: Console) -> None:
    stream = Stream(cast("Site", console.site))
    stream.records()
    dead = console.site.dead_link(console.host)
    console.site.ask(dead)
    consume({"Records": json.loads(json.dumps(stream.records()))}, None)
    console.sign_in()

    console.act(dead, "Details")

    asked = console.dialog.locator("ol.line li", has_text="Someone asked for a new link")
    expect(asked).to_contain_text("Someone asked for a new link: their link was revoked")


def test_sharing_in_five_ways(console: Console) -> None:
    event_type = console.host.event_type(title="Intro call")
    link = console.host.link(event_type)
    console.sign_in()
    console.act(link, "Share")
    expect(console.dialog.get_by_label("The link’s URL")).to_have_value(link["url"])

    console.dialog.get_by_role("tab", name="One-time link").focus()
    console.page.keyboard.press("ArrowRight")
    console.dialog.get_by_role("button", name="Create a reusable link").click()
    console.expect_notice("Reusable link copied.")
    reusable = console.link_of(console.clipboard())
    assert reusable["maxUsageCount"] is None
    console.dialog.get_by_role("tab", name="Embed").click()
    expect(console.dialog).to_contain_text("FRAME_ANCESTORS")
    console.dialog.get_by_role("tab", name="QR code").click()
    with console.page.expect_download() as coming:
        console.button("Download PNG").click()
    assert coming.value.path().read_bytes().startswith(b"\x89PNG")
    console.dialog.get_by_role("tab", name="Email").click()
    expect(console.dialog.get_by_label("Subject")).to_have_value("Pick a time: Intro call")
    assert reusable["url"] in console.dialog.get_by_label("Text", exact=True).input_value()

    # The next time, the existing link is found.
    console.button("Close").click()
    console.act(link, "Share")
    console.dialog.get_by_role("tab", name="Reusable link").click()
    expect(console.dialog.get_by_label("The link’s URL")).to_have_value(reusable["url"])


def test_a_link_is_emailed_to_its_recipient(console: Console) -> None:
    link = console.host.link(recipient={"name": "Sam", "email": "sam@invitees.example"})
    path = f"/v1/links/{link['linkId']}/send"
    posts: list[dict[str, str]] = []

    def lose_the_first_reply(route: Route) -> None:
        posts.append(route.request.headers | {"body": route.request.post_data or ""})
        answer = route.fetch()
        route.abort() if len(posts) == 1 else route.fulfill(response=answer)

    console.page.route(f"**{path}", lose_the_first_reply)
    console.sign_in()
    console.act(link, "Share")
    console.dialog.get_by_role("tab", name="Email").click()
    console.dialog.get_by_label("A word of yours").fill("See you soon.")
    console.dialog.get_by_label("Language of the email").select_option("German")
    send = console.dialog.get_by_role("button", name="Send by email")
    send.click()
    expect(console.dialog.get_by_role("alert")).to_contain_text("nothing you entered is lost")
    expect(console.dialog.get_by_label("A word of yours")).to_have_value("See you soon.")
    send.click()
    expect(console.dialog.get_by_role("status").first).to_contain_text("On its way to s…@invitees.example.")
    expect(console.dialog.get_by_role("button", name="Send another")).to_be_focused()
    console.visit.axe_everywhere("share: mailed")
    assert [json.loads(post["body"]) for post in posts] == [
        {"message": "See you soon.", "language": "de"}
    ] * 2
    assert len({post["idempotency-key"] for post in posts}) == 1, "a retry must have the same key"

    console.dialog.get_by_role("button", name="Send another").click()
    expect(console.dialog.get_by_label("A word of yours")).to_be_focused()
    send.click()
    expect(console.dialog.get_by_role("status").first).to_contain_text("On its way")
    assert posts[2]["idempotency-key"] != posts[0]["idempotency-key"], "a new email must have a new key"


def test_an_email_that_can_not_be_sent_shows_what_to_do(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = console.host.event_type()
    link = console.host.link(kind, recipient={"name": "Sam", "email": "sam@invitees.example"})
    nobodys = console.host.link(kind, maxUsageCount=5)
    console.sign_in()
    console.act(link, "Share")
    console.dialog.get_by_role("tab", name="Email").click()
    send = console.dialog.get_by_role("button", name="Send by email")
    console.dialog.get_by_label("A word of yours").fill("See you soon.")
    mute = replace(bootstrap.world(), mailer=None)
    with monkeypatch.context() as patch:
        patch.setattr(bootstrap, "world", lambda: mute)
        send.click()
        expect(console.dialog.get_by_role("alert")).to_contain_text("This installation sends no email")
    console.visit.axe_everywhere("share: no mail")
    assert console.host.post(f"/v1/links/{link['linkId']}/revoke").status_code == 200
    send.click()
    expect(console.dialog.get_by_role("alert")).to_contain_text("revoked")
    expect(console.dialog.get_by_label("A word of yours")).to_have_value("See you soon.")
    console.button("Close").click()

    # A link without a recipient has no address; and a link with five uses is not called one-time.
    console.act(nobodys, "Share")
    expect(console.dialog.get_by_role("tab", name="This link")).to_have_attribute("aria-selected", "true")
    console.dialog.get_by_role("tab", name="Email").click()
    expect(console.dialog).to_contain_text("For the link: valid for 5 bookings.")
    expect(console.dialog).to_contain_text("Give the link a recipient with an email address")
    expect(send).to_have_count(0)


# Event types, bookings, requests, CSV


def test_a_new_host_is_guided_to_the_first_link(console: Console) -> None:
    console.sign_in()
    expect(console.page.get_by_text("First, an event type")).to_be_visible()
    console.page.get_by_role("link", name="Create an event type").click()
    console.button("Create an event type").click()
    console.dialog.get_by_label("Title").fill("Intro call")
    console.button("Add a location").click()
    console.dialog.get_by_label("Address, number or URL").fill("https://meet.example.com/ada")
    console.button("Add a date").click()
    console.dialog.get_by_label("Date", exact=True).fill("2031-12-24")
    console.button("Add a question").click()
    console.dialog.get_by_label("Question", exact=True).fill("What about?")
    console.dialog.get_by_label("Kind of answer").select_option("choice")
    console.dialog.get_by_label("Options, one on each line").fill("This\nThat")
    console.button("Create event type").click()

    expect(console.page.get_by_role("heading", name="Intro call")).to_be_visible()
    (made,) = ok(console.host.get("/v1/event-types"))["eventTypes"]
    assert made["schedule"]["overrides"] == [{"date": "2031-12-24", "intervals": []}]
    assert made["schedule"]["weekly"] == [
        {"days": ["mon", "tue", "wed", "thu", "fri"], "from": "09:00", "to": "17:00"}
    ]
    (question,) = made["questions"]
    assert (question["label"], question["options"]) == ("What about?", ["This", "That"])
    console.button("1× Intro call: create and copy a one-time link").click()
    console.expect_notice("copied")


def test_bookings_are_moved_and_cancelled(console: Console) -> None:
    """P8: a booking with a used link can still be moved; the free times are those of the API."""
    booking = console.site.book(console.host.link(console.host.event_type(title="Intro call")))
    console.sign_in("#bookings")
    card = console.page.locator(f"[data-id={booking['bookingId']}]")
    expect(card).to_contain_text("Grace Hopper")

    console.button("Move the booking with Grace Hopper").click()
    times = console.dialog.locator(".times label")
    expect(times.nth(3)).to_be_visible()
    times.nth(3).click()
    console.dialog.get_by_role("button", name="Move", exact=True).click()
    console.expect_notice("Moved to")
    moved = ok(console.host.get(f"/v1/bookings/{booking['bookingId']}"))
    assert moved["start"] != booking["start"]

    console.button("Cancel the booking with Grace Hopper").click()
    console.button("Cancel booking").click()
    expect(card.locator(".pill")).to_have_text("Cancelled")
    console.button("Actions for the booking with Grace Hopper").click()
    console.button("Erase personal data").click()
    console.button("Erase").click()
    expect(card).to_contain_text("Personal data erased")
    assert ok(console.host.get(f"/v1/bookings/{booking['bookingId']}"))["invitee"] is None
    console.page.get_by_role("tab", name="Past").click()
    expect(console.page.get_by_text("Nothing is past yet")).to_be_visible()


def test_free_times_to_move_to_are_offered_week_by_week(console: Console) -> None:
    """A later week can be requested only after the first search, so that no week is skipped."""
    console.site.book(console.host.link())
    console.sign_in("#bookings")
    held: list[Route] = []
    console.page.route("**/b/*/slots?*", lambda route: held.append(route))  # noqa: PLW0108 - takes no builtin

    def asked() -> dict[str, list[str]]:
        """Let the next request pass, and return its query."""
        until(lambda: bool(held), pause=lambda: console.page.wait_for_timeout(10))
        query = parse_qs(urlsplit(held[0].request.url).query)
        held.pop().continue_()
        return query

    console.button("Move the booking with Grace Hopper").click()
    later = console.button("Later times")
    until(lambda: bool(held), pause=lambda: console.page.wait_for_timeout(10))
    expect(later).to_be_hidden()
    first = asked()
    later.click()
    assert asked()["from"] == first["to"]


def test_the_focus_stays_in_the_view_when_a_list_is_read_again(console: Console) -> None:
    booking = console.site.book(console.host.link())
    console.page.route("**/v1/bookings?*", lambda route: route.abort())
    console.sign_in("#bookings")
    again = console.button("Try again")
    expect(again).to_be_visible()
    console.page.unroute_all()
    again.press("Enter")
    expect(console.page.locator(f"[data-id={booking['bookingId']}]")).to_be_visible()
    expect(console.page.locator("#view")).to_be_focused()


# The page itself


def test_the_console_works_below_a_stage_prefix(browser: Browser, site: LiveSite, host: Caller) -> None:
    """On AWS the site may be below `/api`, so all URLs of the page are relative."""
    link = host.link(label="Far away")
    strangers: list[str] = []

    def forward(route: Route) -> None:
        request = route.request
        path = request.url.removeprefix("https://admit.example/api")
        if path == request.url:
            strangers.append(request.url)
        sent = {"Accept": "*/*", "Authorization": request.headers.get("authorization", "")}
        answer = site.client.request(request.method, path, headers=sent)
        route.fulfill(status=answer.status_code, headers=dict(answer.headers), body=answer.content)

    with console_of(browser, site, host) as console:
        console.page.route("**/*", forward)
        console.page.goto("https://admit.example/api/console")
        console.type_key(host.key.secret)
        expect(console.row(link)).to_contain_text("Far away")
        console.page.get_by_role("link", name="Event types").click()
        expect(console.page.get_by_role("heading", name="Talk")).to_be_visible()
        assert strangers == []


def test_the_page_without_a_key_has_no_data(site: LiveSite) -> None:
    """P7, P9: the page is the same for everyone, and its content security policy restricts its scripts."""
    response = site.client.get("/console")

    assert response.headers["content-security-policy"] == (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
        "connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
    )
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["referrer-policy"] == "no-referrer"
    assert "noindex" in response.headers["x-robots-tag"]
    assert site.client.head("/console").status_code == 200
    assert "style=" not in response.text
    assert "<script>" not in response.text
