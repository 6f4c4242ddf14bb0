"""The invitee's pages are accessible: axe on every page and state, both widths and schemes; everything fits.

`STATES` is the one list of them. Whatever the pages can say has to be said in one of its states: a page or a sentence
that is new and not looked at fails the last test.
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
UNSAID: Final[Mapping[str, str]] = {
    "dead.not-open.why": "of a link that does not tell when it opens; there is none",
    "dead.not-open.next": "likewise",
    "booked-lead-alone": "of a host without a name; there is none, and the sentence is another one's without a name",
    "moved-lead-alone": "likewise",
    "for-the-host": "likewise",
    "move-alone": "likewise",
    "move-no-times-alone": "likewise",
    "link-stays-sender": "likewise",
    "not-offered": "stands where `taken` stands",
    "not-offered-move": "stands where `taken-move` stands",
    "nothing-to-move-to": "stands where `has-begun` stands",
    "fault.answer-choice": "stands where the other faults stand",
    "fault.answer-long": "likewise",
    "fault.key-reused": "likewise",
    "fault.location": "likewise",
    "fault.message": "likewise",
    "fault.name": "likewise",
    "fault.not-asked": "likewise",
    "fault.other": "likewise",
    "fault.zone": "likewise",
}


class Scene:
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


Arrive = Callable[[Invitee, Scene], None]
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


def at(name: str, url: Callable[[Scene], str], among: dict[str, Arrive] = STATES) -> None:
    """Register a page that has a URL."""

    @state(name, among)
    def go(visitor: Invitee, scene: Scene) -> None:
        visitor.page.goto(url(scene))


at("front", lambda scene: f"{scene.site.url}/")
at("used", lambda scene: scene.used["url"])
at("revoked", lambda scene: scene.revoked["url"])
at("expired", lambda scene: scene.expired["url"])
at("deleted", lambda scene: scene.deleted["url"])
at("not open yet", lambda scene: scene.later["url"])
at("not found", lambda scene: f"{scene.site.url}/s/nothing")
at("no such booking", lambda scene: f"{scene.site.url}/b/nothing")
at("just booked", lambda scene: scene.booked["url"] + "?booked=1")
at("own booking", lambda scene: scene.booked["url"])
at("two zones", lambda scene: scene.book(scene.host.link(scene.kind), zone="Asia/Kathmandu")["url"])
at("begun", lambda scene: scene.begun["url"])
at("cancelled", lambda scene: scene.cancelled["url"])
at("cancel?", lambda scene: scene.booked["url"] + "?cancel=1")
at("moving", lambda scene: scene.booked["url"] + "?move=1")
at("moving what was cancelled", lambda scene: scene.cancelled["url"] + "?move=1")
at("moving where there is no other time", lambda scene: scene.stuck["url"] + "?move=1")
at("moving what has begun", lambda scene: scene.begun["url"] + "?move=1")
at("booking", lambda scene: scene.link["url"], PLAIN)
at("zones", lambda scene: scene.link["url"] + "?zones=1", PLAIN)
at("no times", lambda scene: scene.host.link(scene.closed)["url"], PLAIN)
at("no times for a month", lambda scene: scene.host.link(scene.dormant)["url"], PLAIN)
at("other places and questions", lambda scene: scene.host.link(scene.varied)["url"], PLAIN)
at("no times on these dates", lambda scene: scene.link["url"] + f"?from={soon(days=300)[:10]}", PLAIN)


@state("calendar")
def calendar(visitor: Invitee, scene: Scene) -> None:
    visitor.open(scene.link)


@state("a link for several bookings")
def several(visitor: Invitee, scene: Scene) -> None:
    visitor.open(scene.host.link(scene.kind, maxUsageCount=3))


@state("choosing a zone")
def zones(visitor: Invitee, scene: Scene) -> None:
    visitor.open(scene.link)
    visitor.page.get_by_role("button", name="Change time zone").click()
    expect(visitor.page.get_by_label("Show times for")).to_be_visible()


@state("a month without times")
def empty_month(visitor: Invitee, scene: Scene) -> None:
    day = (datetime.now(UTC) + timedelta(days=3)).date()
    hours = {
        "timeZone": "UTC",
        "weekly": [],
        "overrides": [{"date": str(day), "intervals": [{"from": "10:00", "to": "12:00"}]}],
    }
    visitor.open(scene.host.link(scene.host.event_type(schedule=hours, bookingWindowDays=120)))
    for _ in range(2):
        visitor.button("Next month").click()
    expect(visitor.button("Go to the next free time")).to_be_visible()


@state("a month that could not be loaded")
def lost_month(visitor: Invitee, scene: Scene) -> None:
    visitor.open(scene.host.link(scene.host.event_type(bookingWindowDays=120)))
    visitor.turn_to_last_known_month()
    visitor.page.route("**/slots?*", lambda route: route.abort())
    visitor.button("Next month").click()
    expect(visitor.button("Try again")).to_be_visible()


@state("details")
def details(visitor: Invitee, scene: Scene) -> None:
    visitor.open(scene.link)
    visitor.pick(1)


@state("details, with what is missing")
def faults(visitor: Invitee, scene: Scene) -> None:
    details(visitor, scene)
    visitor.button("Review").click()
    expect(visitor.page.locator(".error").first).to_be_visible()


def fill(visitor: Invitee) -> None:
    visitor.fill()
    visitor.page.get_by_label("What about?").fill("Compilers")
    visitor.page.get_by_label("More").check()
    visitor.button("Review").click()
    expect(visitor.page.locator("#review")).to_be_visible()


@state("review")
def review(visitor: Invitee, scene: Scene) -> None:
    details(visitor, scene)
    fill(visitor)


@state("a lost connection, trying again")
def trying(visitor: Invitee, scene: Scene) -> None:
    visitor.page.clock.install()
    review(visitor, scene)
    visitor.page.route("**/redeem*", lambda route: route.abort("connectionreset"))
    visitor.button("Book").click()
    expect(visitor.page.locator(".finish .told")).to_contain_text("Trying again")


@state("no answer came")
def unheard(visitor: Invitee, scene: Scene) -> None:
    trying(visitor, scene)
    visitor.advance_clock_until_status("it never books twice")


@state("taken meanwhile")
def taken(visitor: Invitee, scene: Scene) -> None:
    visitor.open(scene.host.link(scene.kind))
    start = visitor.pick(1)
    fill(visitor)
    scene.book(scene.host.link(scene.kind), start)
    visitor.button("Book").click()
    expect(visitor.page.get_by_role("alert")).to_contain_text("was just taken")


@state("for somebody else")
def mismatch(visitor: Invitee, scene: Scene) -> None:
    recipient = {"name": "Grace", "email": "grace@right.example", "enforce": "domain"}
    visitor.open(scene.host.link(scene.plain, recipient=recipient))
    visitor.review()
    visitor.button("Book").click()
    expect(visitor.page.get_by_role("alert")).to_contain_text("This link is only for")


@state("asking for a new link, with what is wrong")
def asking(visitor: Invitee, scene: Scene) -> None:
    visitor.page.goto(scene.used["url"])
    visitor.page.get_by_label("Email").fill("x@y")
    visitor.button("Ask for a new link").click()
    expect(visitor.page.locator(".error").first).to_be_visible()


@state("asked")
def asked(visitor: Invitee, scene: Scene) -> None:
    visitor.page.goto(scene.used["url"])
    visitor.page.get_by_label("Email").fill("x@y.example")
    visitor.button("Ask for a new link").click()
    expect(visitor.page.get_by_role("status")).to_be_visible()


@state("moved")
def moved(visitor: Invitee, scene: Scene) -> None:
    visitor.page.goto(scene.booked["url"] + "?move=1")
    visitor.pick(3)
    visitor.button("Move booking").click()
    expect(visitor.page.get_by_role("heading", level=1)).to_have_text("Your booking has moved")


@state("other places and questions, until a time")
def varied(visitor: Invitee, scene: Scene) -> None:
    visitor.open(scene.host.link(scene.varied, maxUsageCount=None, expiresAt=soon(days=30)))
    visitor.pick(1)


@state("moving to a time taken meanwhile")
def taken_move(visitor: Invitee, scene: Scene) -> None:
    visitor.page.goto(scene.site.book(scene.host.link(scene.plain))["url"] + "?move=1")
    start = visitor.pick(5)
    scene.book(scene.host.link(scene.kind), start)
    visitor.button("Move booking").click()
    expect(visitor.page.get_by_role("alert")).to_contain_text("was just taken")


@state("cancelled, and the link is good again")
def cancelled_again(visitor: Invitee, scene: Scene) -> None:
    visitor.page.goto(scene.site.book(scene.host.link(scene.plain, maxUsageCount=2))["url"] + "?cancel=1")
    visitor.button("Cancel booking").click()
    expect(visitor.page.get_by_text("To book again, open the link")).to_be_visible()


@state("own booking, of an address that no email reaches")
def unreachable(visitor: Invitee, scene: Scene) -> None:
    link = scene.host.link(scene.plain)
    path = link["url"].removeprefix(scene.site.url)
    body = {
        "start": scene.site.client.get(f"{path}/slots").json()["slots"][50]["start"],
        "timeZone": "UTC",
        "invitee": {"name": "Jörg", "email": "jörg@invitees.example"},
    }
    visitor.page.goto(created(scene.site.client.post(f"{path}/redeem", json=body))["url"])
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
def worn_out(visitor: Invitee, scene: Scene) -> None:
    booking = scene.site.book(scene.host.link(scene.plain))
    visitor.page.goto(booking["url"] + "?move=1")
    path = booking["url"].removeprefix(scene.site.url)
    for n in range(10):
        slots = ok(scene.site.client.get(f"{path}/slots"))["slots"]
        ok(scene.site.client.post(f"{path}/reschedule", json={"start": slots[60 + n]["start"]}))
    visitor.pick(3)
    visitor.button("Move booking").click()
    expect(visitor.page.get_by_role("alert")).to_contain_text("moved")


@state("own booking, in a frame of another site")
def framed(visitor: Invitee, scene: Scene) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FRAME_ANCESTORS", "https://blog.example")
        bootstrap.forget()
        visitor.page.goto(scene.booked["url"] + "?embed=1")
    bootstrap.forget()


@state("nothing filled in", PLAIN)
def server_faults(visitor: Invitee, scene: Scene) -> None:
    visitor.page.goto(scene.link["url"] + "?zones=1")
    visitor.page.locator("#invitee-name").evaluate(
        "field => { field.form.noValidate = true; field.value = ''; }"
    )
    visitor.button("Book").click()
    expect(visitor.page.get_by_role("alert")).to_be_visible()


def served(make: Callable[[], str]) -> Arrive:
    """Return the steps to a page that is shown only for an error which a test can't cause."""

    def arrive(visitor: Invitee, scene: Scene) -> None:
        html = make()
        visitor.page.route("**/s/made-up", lambda route: route.fulfill(body=html, content_type="text/html"))
        visitor.page.goto(f"{scene.site.url}/s/made-up")

    return arrive


def problem(status: int) -> Callable[[], str]:
    return lambda: problem_page(ProblemPage(root="../", status=status), words("en"))


def dead(reason: DeadReason) -> Callable[[], str]:
    return lambda: dead_page(DeadPage(root="../", reason=reason), words("en"))


def repeated(*, emailed: bool) -> Callable[[], str]:
    """Return the page after a second request without a key, as a form on another site may send one."""
    view = BookedPage(root="../", title="Intro call", start=datetime.now(UTC) + timedelta(days=3), zone="UTC")
    return lambda: booked_page(view, words("en"), emailed=emailed)


state("a repeat of what is booked")(served(repeated(emailed=True)))
state("a repeat of what is booked, without email")(served(repeated(emailed=False)))
state("a repeat with other details")(served(lambda: booked_page(None, words("en"), emailed=True, root="../")))
for _status in (*_PROBLEMS, 500):
    state(f"problem {_status}")(served(problem(_status)))
state("unavailable")(served(dead("unavailable")))
state("too many")(served(dead("too-many")))


@pytest.fixture(scope="module")
def scene(site: LiveSite) -> Scene:
    return Scene(site, site.host())


@pytest.fixture(scope="module")
def said() -> Iterator[set[str]]:
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


def check(visitor: Invitee, scene: Scene, name: str, arrive: Arrive) -> None:
    visited.add(name)
    arrive(visitor, scene)
    visitor.visit.axe_everywhere(name)


@pytest.mark.usefixtures("said")
@pytest.mark.parametrize("name", STATES)
def test_every_state_fits_and_axe_finds_nothing(
    browser: Browser, context: BrowserContext, scene: Scene, name: str
) -> None:
    """WCAG 2.2 AA, wide and narrow, light and dark."""
    with invitee_of(browser) if name in ALONE else invitee_in(context) as visitor:
        check(visitor, scene, name, STATES[name])


@pytest.mark.usefixtures("said")
def test_every_page_without_javascript_fits_and_axe_finds_nothing(
    context: BrowserContext, scene: Scene
) -> None:
    """The page's scripts are blocked, so it stays as the server renders it, but axe can run."""
    for name, arrive in PLAIN.items():
        with invitee_in(context) as visitor:
            visitor.page.route("**/*.js", lambda route: route.abort())
            check(visitor, scene, name, arrive)


def test_axe_has_checked_every_phrase_in_some_state(said: set[str]) -> None:
    """If you add a page, a notice or a phrase, add a state that shows it to `STATES`."""
    if visited != STATES.keys() | PLAIN.keys():
        pytest.skip("only some of the states were visited in this run")
    known = {f"pages.{key}" for key in json.loads(PHRASES.read_text())}
    assert known - said - {f"pages.{key}" for key in UNSAID} == set(), "not looked at"
    assert said & {f"pages.{key}" for key in UNSAID} == set(), "looked at after all"
