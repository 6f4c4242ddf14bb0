"""The invitee's pages are accessible: axe checks every page and state, wide and narrow, light and dark; each fits.

`STATES` lists the states. Every phrase of the pages must appear in one of them: the last test fails for a new page or
phrase that no state shows.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, expect

from chalicelib import bootstrap
from chalicelib.pages import languages
from chalicelib.pages.invitee.already_booked import BookedPage, booked_page
from chalicelib.pages.invitee.dead_links import DeadPage, DeadReason, dead_page
from chalicelib.pages.invitee.problem import _PROBLEMS, ProblemPage, problem_page
from chalicelib.pages.languages import Words, words
from tests.e2e.test_invitee import a_rich_event_type
from tests.support.app import Caller, created, ok
from tests.support.browser.invitee import Invitee, invitee_in, invitee_of
from tests.support.browser.site import LiveSite, soon
from tests.support.browser.visit import browser_context

pytestmark = pytest.mark.clock

Json = dict[str, Any]
PHRASES: Final = Path(languages.__file__).parent / "phrases" / "en" / "pages.json"

# Phrases that no state shows, with the reason.
NOT_SHOWN: Final[Mapping[str, str]] = {
    "dead.not-open.why": "for a link without an opening time, which can't occur",
    "dead.not-open.next": "as for `dead.not-open.why`",
    "booked-lead-alone": "for a host without a name, which can't occur; it is a checked phrase without the name",
    "moved-lead-alone": "as for `booked-lead-alone`",
    "for-the-host": "as for `booked-lead-alone`",
    "move-alone": "as for `booked-lead-alone`",
    "move-no-times-alone": "as for `booked-lead-alone`",
    "link-stays-sender": "as for `booked-lead-alone`",
    "not-offered": "shown in the same place as `taken`",
    "not-offered-move": "shown in the same place as `taken-move`",
    "nothing-to-move-to": "shown in the same place as `has-begun`",
    "fault.answer-choice": "shown in the same place as the other faults",
    "fault.answer-long": "as for `fault.answer-choice`",
    "fault.key-reused": "as for `fault.answer-choice`",
    "fault.location": "as for `fault.answer-choice`",
    "fault.message": "as for `fault.answer-choice`",
    "fault.name": "as for `fault.answer-choice`",
    "fault.not-asked": "as for `fault.answer-choice`",
    "fault.other": "as for `fault.answer-choice`",
    "fault.zone": "as for `fault.answer-choice`",
}


class HostData:
    """A host's links and bookings in every state, created on first use."""

    def __init__(self, site: LiveSite, host: Caller) -> None:
        self.site, self.host = site, host
        self.kind = a_rich_event_type(host)
        self.plain = host.event_type(title="Intro call")
        self.closed = host.event_type(schedule={"timeZone": "UTC", "weekly": []}, bookingWindowDays=20)
        self.dormant = host.event_type(schedule={"timeZone": "UTC", "weekly": []}, bookingWindowDays=90)
        self.shut = host.event_type(bookingWindowDays=20)
        link = host.link
        self.link = link(
            self.kind, expiresAt=soon(days=30), recipient={"name": "Grace", "email": "g@x.example"}
        )
        self.used, self.revoked, self.later = (
            link(self.kind),
            link(self.kind),
            link(self.kind, notBefore=soon(days=3)),
        )
        ok(host.post(f"/v1/links/{self.revoked['linkId']}/revoke"))
        self.book(self.used)
        self.deleted = link(self.kind)
        ok(host.post(f"/v1/links/{self.deleted['linkId']}/revoke"))
        assert host.delete(f"/v1/links/{self.deleted['linkId']}").status_code == 204
        with site.ago(days=2):
            self.expired = link(self.kind, expiresAt=soon(days=-1))
            self.begun = site.book(link(self.plain))
        self.varied = host.event_type(
            title="Portfolio review for illustrators and everyone who would like to become one",
            description="Bring what you have.\n" * 4,
            durationMinutes=90,
            locations=[{"kind": "phone", "detail": ""}, {"kind": "custom", "detail": ""}],
            questions=[
                {
                    "id": "n",
                    "label": "How many pieces?",
                    "kind": "choice",
                    "required": True,
                    "options": list("123456"),
                },
                {
                    "id": "m",
                    "label": "In which medium?",
                    "kind": "choice",
                    "required": False,
                    "options": ["Ink", "Oil"],
                },
            ],
        )
        self.stuck = site.book(link(self.shut))
        ok(
            host.patch(
                f"/v1/event-types/{self.shut['eventTypeId']}", {"schedule": {"timeZone": "UTC", "weekly": []}}
            )
        )
        self.booked, self.cancelled = site.book(link(self.plain)), site.book(link(self.plain))
        ok(site.client.post(self.cancelled["url"] + "/cancel", json={}))

    def book(self, link: Json, start: str | None = None, zone: str = "UTC") -> Json:
        """Book with a link of the rich event type, without a browser."""
        path = link["url"].removeprefix(self.site.url)
        body = {
            "start": start or self.site.client.get(f"{path}/slots").json()["slots"][40]["start"],
            "timeZone": zone,
            "invitee": {"name": "A", "email": "a@x.example"},
            "answers": {"topic": "x", "size": "One"},
        }
        return dict(created(self.site.client.post(f"{path}/redeem", json=body)))


Arrive = Callable[[Invitee, HostData], None]
STATES: Final[dict[str, Arrive]] = {}
PLAIN: Final[dict[str, Arrive]] = {}
"""The states without JavaScript."""
ALONE: Final = ("a lost connection, trying again", "no answer came")
"""The states that install a clock, which affects a whole browser context."""


def state(name: str, among: dict[str, Arrive] = STATES) -> Callable[[Arrive], Arrive]:
    """Register the steps that lead to a state."""

    def put(arrive: Arrive) -> Arrive:
        assert name not in among
        among[name] = arrive
        return arrive

    return put


def at(name: str, url: Callable[[HostData], str], among: dict[str, Arrive] = STATES) -> None:
    """Register a page that has a URL."""

    @state(name, among)
    def go(visitor: Invitee, data: HostData) -> None:
        visitor.page.goto(url(data))


at("front", lambda data: f"{data.site.url}/")
at("used", lambda data: data.used["url"])
at("revoked", lambda data: data.revoked["url"])
at("expired", lambda data: data.expired["url"])
at("deleted", lambda data: data.deleted["url"])
at("not open yet", lambda data: data.later["url"])
at("not found", lambda data: f"{data.site.url}/s/nothing")
at("no such booking", lambda data: f"{data.site.url}/b/nothing")
at("just booked", lambda data: data.booked["url"] + "?booked=1")
at("own booking", lambda data: data.booked["url"])
at("two zones", lambda data: data.book(data.host.link(data.kind), zone="Asia/Kathmandu")["url"])
at("begun", lambda data: data.begun["url"])
at("cancelled", lambda data: data.cancelled["url"])
at("cancel?", lambda data: data.booked["url"] + "?cancel=1")
at("moving", lambda data: data.booked["url"] + "?move=1")
at("moving a cancelled booking", lambda data: data.cancelled["url"] + "?move=1")
at("moving where there is no other time", lambda data: data.stuck["url"] + "?move=1")
at("moving a booking that has begun", lambda data: data.begun["url"] + "?move=1")
at("booking", lambda data: data.link["url"], PLAIN)
at("zones", lambda data: data.link["url"] + "?zones=1", PLAIN)
at("no times", lambda data: data.host.link(data.closed)["url"], PLAIN)
at("no times for a month", lambda data: data.host.link(data.dormant)["url"], PLAIN)
at("other places and questions", lambda data: data.host.link(data.varied)["url"], PLAIN)
at("no times on these dates", lambda data: data.link["url"] + f"?from={soon(days=300)[:10]}", PLAIN)


@state("calendar")
def calendar(visitor: Invitee, data: HostData) -> None:
    visitor.open(data.link)


@state("a link for several bookings")
def several(visitor: Invitee, data: HostData) -> None:
    visitor.open(data.host.link(data.kind, maxUsageCount=3))


@state("choosing a zone")
def zones(visitor: Invitee, data: HostData) -> None:
    visitor.open(data.link)
    visitor.page.get_by_role("button", name="Change time zone").click()
    expect(visitor.page.get_by_label("Show times for")).to_be_visible()


@state("a month without times")
def empty_month(visitor: Invitee, data: HostData) -> None:
    day = (datetime.now(UTC) + timedelta(days=3)).date()
    hours = {
        "timeZone": "UTC",
        "weekly": [],
        "overrides": [{"date": str(day), "intervals": [{"from": "10:00", "to": "12:00"}]}],
    }
    visitor.open(data.host.link(data.host.event_type(schedule=hours, bookingWindowDays=120)))
    for _ in range(2):
        visitor.button("Next month").click()
    expect(visitor.button("Go to the next free time")).to_be_visible()


@state("a month that could not be loaded")
def lost_month(visitor: Invitee, data: HostData) -> None:
    visitor.open(data.host.link(data.host.event_type(bookingWindowDays=120)))
    visitor.turn_to_last_known_month()
    visitor.page.route("**/slots?*", lambda route: route.abort())
    visitor.button("Next month").click()
    expect(visitor.button("Try again")).to_be_visible()


@state("details")
def details(visitor: Invitee, data: HostData) -> None:
    visitor.open(data.link)
    visitor.pick(1)


@state("details with missing fields")
def faults(visitor: Invitee, data: HostData) -> None:
    details(visitor, data)
    visitor.button("Review").click()
    expect(visitor.page.locator(".error").first).to_be_visible()


def fill(visitor: Invitee) -> None:
    visitor.fill()
    visitor.page.get_by_label("What about?").fill("Compilers")
    visitor.page.get_by_label("More").check()
    visitor.button("Review").click()
    expect(visitor.page.locator("#review")).to_be_visible()


@state("review")
def review(visitor: Invitee, data: HostData) -> None:
    details(visitor, data)
    fill(visitor)


@state("a lost connection, trying again")
def trying(visitor: Invitee, data: HostData) -> None:
    visitor.page.clock.install()
    review(visitor, data)
    visitor.page.route("**/redeem*", lambda route: route.abort("connectionreset"))
    visitor.button("Book").click()
    expect(visitor.page.locator(".finish .told")).to_contain_text("Trying again")


@state("no answer came")
def unheard(visitor: Invitee, data: HostData) -> None:
    trying(visitor, data)
    visitor.advance_clock_until_status("it never books twice")


@state("taken meanwhile")
def taken(visitor: Invitee, data: HostData) -> None:
    visitor.open(data.host.link(data.kind))
    start = visitor.pick(1)
    fill(visitor)
    data.book(data.host.link(data.kind), start)
    visitor.button("Book").click()
    expect(visitor.page.get_by_role("alert")).to_contain_text("was just taken")


@state("for somebody else")
def mismatch(visitor: Invitee, data: HostData) -> None:
    recipient = {"name": "Grace", "email": "grace@right.example", "enforce": "domain"}
    visitor.open(data.host.link(data.plain, recipient=recipient))
    visitor.review()
    visitor.button("Book").click()
    expect(visitor.page.get_by_role("alert")).to_contain_text("This link is only for")


@state("asking for a new link, with errors")
def asking(visitor: Invitee, data: HostData) -> None:
    visitor.page.goto(data.used["url"])
    visitor.page.get_by_label("Email").fill("x@y")
    visitor.button("Ask for a new link").click()
    expect(visitor.page.locator(".error").first).to_be_visible()


@state("asked")
def asked(visitor: Invitee, data: HostData) -> None:
    visitor.page.goto(data.used["url"])
    visitor.page.get_by_label("Email").fill("x@y.example")
    visitor.button("Ask for a new link").click()
    expect(visitor.page.get_by_role("status")).to_be_visible()


@state("moved")
def moved(visitor: Invitee, data: HostData) -> None:
    visitor.page.goto(data.booked["url"] + "?move=1")
    visitor.pick(3)
    visitor.button("Move booking").click()
    expect(visitor.page.get_by_role("heading", level=1)).to_have_text("Your booking has moved")


@state("other places and questions, until a time")
def varied(visitor: Invitee, data: HostData) -> None:
    visitor.open(data.host.link(data.varied, maxUsageCount=None, expiresAt=soon(days=30)))
    visitor.pick(1)


@state("moving to a time taken meanwhile")
def taken_move(visitor: Invitee, data: HostData) -> None:
    visitor.page.goto(data.site.book(data.host.link(data.plain))["url"] + "?move=1")
    start = visitor.pick(5)
    data.book(data.host.link(data.kind), start)
    visitor.button("Move booking").click()
    expect(visitor.page.get_by_role("alert")).to_contain_text("was just taken")


@state("cancelled, and the link is good again")
def cancelled_again(visitor: Invitee, data: HostData) -> None:
    visitor.page.goto(data.site.book(data.host.link(data.plain, maxUsageCount=2))["url"] + "?cancel=1")
    visitor.button("Cancel booking").click()
    expect(visitor.page.get_by_text("To book again, open the link")).to_be_visible()


@state("own booking, of an address that no email reaches")
def unreachable(visitor: Invitee, data: HostData) -> None:
    link = data.host.link(data.plain)
    path = link["url"].removeprefix(data.site.url)
    body = {
        "start": data.site.client.get(f"{path}/slots").json()["slots"][50]["start"],
        "timeZone": "UTC",
        "invitee": {"name": "Jörg", "email": "jörg@invitees.example"},
    }
    visitor.page.goto(created(data.site.client.post(f"{path}/redeem", json=body))["url"])
    note = visitor.page.get_by_text("We can’t email")
    expect(note).to_be_visible()
    assert gap(visitor.page.locator(".lead"), note) >= 16


def gap(upper: Locator, lower: Locator) -> float:
    """Return the number of pixels between two elements, one below the other."""
    above, below = upper.bounding_box(), lower.bounding_box()
    assert above is not None
    assert below is not None
    return below["y"] - above["y"] - above["height"]


@state("moved too often")
def worn_out(visitor: Invitee, data: HostData) -> None:
    booking = data.site.book(data.host.link(data.plain))
    visitor.page.goto(booking["url"] + "?move=1")
    path = booking["url"].removeprefix(data.site.url)
    for n in range(10):
        slots = ok(data.site.client.get(f"{path}/slots"))["slots"]
        ok(data.site.client.post(f"{path}/reschedule", json={"start": slots[60 + n]["start"]}))
    visitor.pick(3)
    visitor.button("Move booking").click()
    expect(visitor.page.get_by_role("alert")).to_contain_text("moved")


@state("own booking, in a frame of another site")
def framed(visitor: Invitee, data: HostData) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FRAME_ANCESTORS", "https://blog.example")
        bootstrap.forget()
        visitor.page.goto(data.booked["url"] + "?embed=1")
    bootstrap.forget()


@state("nothing filled in", PLAIN)
def server_faults(visitor: Invitee, data: HostData) -> None:
    visitor.page.goto(data.link["url"] + "?zones=1")
    visitor.page.locator("#invitee-name").evaluate(
        "field => { field.form.noValidate = true; field.value = ''; }"
    )
    visitor.button("Book").click()
    expect(visitor.page.get_by_role("alert")).to_be_visible()


def served(make: Callable[[], str]) -> Arrive:
    """Return the steps to a page that is shown only for an error which a test can't cause."""

    def arrive(visitor: Invitee, data: HostData) -> None:
        html = make()
        visitor.page.route("**/s/made-up", lambda route: route.fulfill(body=html, content_type="text/html"))
        visitor.page.goto(f"{data.site.url}/s/made-up")

    return arrive


def problem(status: int) -> Callable[[], str]:
    return lambda: problem_page(ProblemPage(root="../", status=status), words("en"))


def dead(reason: DeadReason) -> Callable[[], str]:
    return lambda: dead_page(DeadPage(root="../", reason=reason), words("en"))


def repeated(*, emailed: bool) -> Callable[[], str]:
    """Return the page after a second request without a key, as a form on another site may send one."""
    view = BookedPage(root="../", title="Intro call", start=datetime.now(UTC) + timedelta(days=3), zone="UTC")
    return lambda: booked_page(view, words("en"), emailed=emailed)


state("a repeat of a booking")(served(repeated(emailed=True)))
state("a repeat of a booking, without email")(served(repeated(emailed=False)))
state("a repeat with other details")(served(lambda: booked_page(None, words("en"), emailed=True, root="../")))
for _status in (*_PROBLEMS, 500):
    state(f"problem {_status}")(served(problem(_status)))
state("unavailable")(served(dead("unavailable")))
state("too many")(served(dead("too-many")))


@pytest.fixture(scope="module")
def data(site: LiveSite) -> HostData:
    return HostData(site, site.host())


@pytest.fixture(scope="module")
def shown_phrases() -> Iterator[set[str]]:
    """The phrases that the pages have shown so far."""
    found: set[str] = set()
    look_up = Words._found

    def noted(self: Words, key: str) -> Any:
        found.add(key)
        return look_up(self, key)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Words, "_found", noted)
        yield found


@pytest.fixture(scope="module")
def context(browser: Browser) -> Iterator[BrowserContext]:
    """The context that the states share; each state has its own page, and so its own session storage."""
    with browser_context(browser) as shared:
        yield shared


visited: set[str] = set()


def check(visitor: Invitee, data: HostData, name: str, arrive: Arrive) -> None:
    visited.add(name)
    arrive(visitor, data)
    visitor.visit.axe_everywhere(name)


@pytest.mark.usefixtures("shown_phrases")
@pytest.mark.parametrize("name", STATES)
def test_every_state_fits_and_axe_finds_nothing(
    browser: Browser, context: BrowserContext, data: HostData, name: str
) -> None:
    """WCAG 2.2 AA, wide and narrow, light and dark."""
    with invitee_of(browser) if name in ALONE else invitee_in(context) as visitor:
        check(visitor, data, name, STATES[name])


@pytest.mark.usefixtures("shown_phrases")
def test_every_page_without_javascript_fits_and_axe_finds_nothing(
    context: BrowserContext, data: HostData
) -> None:
    """The page's scripts are blocked, so it stays as the server renders it, but axe can run."""
    for name, arrive in PLAIN.items():
        with invitee_in(context) as visitor:
            visitor.page.route("**/*.js", lambda route: route.abort())
            check(visitor, data, name, arrive)


def test_axe_has_checked_every_phrase_in_some_state(shown_phrases: set[str]) -> None:
    """If you add a page, a notice or a phrase, add a state that shows it to `STATES`."""
    if visited != STATES.keys() | PLAIN.keys():
        pytest.skip("only some of the states were visited in this run")
    known = {f"pages.{key}" for key in json.loads(PHRASES.read_text())}
    assert known - shown_phrases - {f"pages.{key}" for key in NOT_SHOWN} == set(), (
        "no state shows these phrases"
    )
    assert shown_phrases & {f"pages.{key}" for key in NOT_SHOWN} == set(), (
        "a state shows these phrases: remove them from `NOT_SHOWN`"
    )
