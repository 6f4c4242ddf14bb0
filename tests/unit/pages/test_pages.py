"""The invitee's pages: typed text is escaped, nothing private is shown, and nothing is loaded from other sites (P7)."""

import json
import re
from base64 import b64decode
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from html.parser import HTMLParser
from itertools import groupby
from pathlib import Path
from typing import get_args

import jinja2
import msgspec
import pytest
from hypothesis import given, strategies as st

from chalicelib.domain.event_types.event_type import Location, Question
from chalicelib.domain.zones import load_zone, zone_names
from chalicelib.pages import languages, times
from chalicelib.pages.assets import asset, asset_url
from chalicelib.pages.invitee import cancel, confirmation, dead_links, move, problem, redeem
from chalicelib.pages.invitee.cancel import CancelPage
from chalicelib.pages.invitee.confirmation import CalendarLink, ConfirmationPage
from chalicelib.pages.invitee.dead_links import AskForm, DeadPage, DeadReason
from chalicelib.pages.invitee.move import MovePage
from chalicelib.pages.invitee.picker import KnownStarts, offered_days, packed_starts
from chalicelib.pages.invitee.problem import ProblemPage
from chalicelib.pages.invitee.redeem import OfferPage
from chalicelib.pages.landing import landing_page
from chalicelib.pages.languages import LANGUAGES, Language, Words, words
from chalicelib.pages.render import render

EN = words("en")


def offer_page(view: OfferPage, say: Words = EN) -> str:
    return redeem.offer_page(view, say)


def dead_page(view: DeadPage, say: Words = EN) -> str:
    return dead_links.dead_page(view, say)


def problem_page(view: ProblemPage, say: Words = EN) -> str:
    return problem.problem_page(view, say)


def confirmation_page(view: ConfirmationPage, say: Words = EN) -> str:
    return confirmation.confirmation_page(view, say)


def move_page(view: MovePage, say: Words = EN) -> str:
    return move.move_page(view, say)


def cancel_page(view: CancelPage, say: Words = EN) -> str:
    return cancel.cancel_page(view, say)


REASONS: tuple[DeadReason, ...] = get_args(DeadReason)
VOID = {"meta", "link", "input", "br", "circle", "path", "rect"}
Attributes = dict[str, str | None]


class Page(HTMLParser):
    """A parsed page: its elements in order, its text, and the contents of its text areas."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, Attributes]] = []
        self.texts: list[str] = []
        self.textareas: dict[str, str] = {}
        self._open: list[tuple[str, Attributes]] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        tag, attributes = self._open[-1] if self._open else ("", {})
        if tag == "textarea":
            name = attributes["name"] or ""
            self.textareas[name] = self.textareas.get(name, "") + data
        self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.texts).split())

    def all(self, tag: str, **wanted: str) -> Iterator[Attributes]:
        for name, attributes in self.elements:
            if name == tag and all(attributes.get(key) == value for key, value in wanted.items()):
                yield attributes

    def by_id(self, wanted: str) -> tuple[str, Attributes]:
        found = [element for element in self.elements if element[1].get("id") == wanted]
        assert len(found) == 1, f"{len(found)} elements have the id {wanted!r}"
        return found[0]


def known_starts(starts: list[datetime]) -> KnownStarts:
    return KnownStarts(
        starts=starts,
        begin=datetime(2026, 11, 22, 23, tzinfo=UTC),
        end=datetime(2026, 12, 27, 23, tzinfo=UTC),
        now=datetime(2026, 11, 23, 7, tzinfo=UTC),
        last=date(2027, 1, 22),
        slots="tok/slots",
    )


def an_offer(**changes: object) -> OfferPage:
    starts = [datetime(2026, 11, 23, 8, tzinfo=UTC) + timedelta(minutes=30 * n) for n in range(6)]
    view = OfferPage(
        root="../",
        action="tok/redeem",
        request_key="0" * 32,
        here="tok?from=2026-11-23&timeZone=Europe%2FBerlin",
        title="Product walk-through",
        description="A first look.\nBring a real case.",
        duration_minutes=90,
        locations=(
            Location("video", "meet.example/secret-room"),
            Location("in_person", "Torstraße 12", True),
        ),
        host_name="Mia",
        zone="Europe/Berlin",
        zones_page="tok?from=2026-11-23&timeZone=Europe%2FBerlin&zones=1",
        days=offered_days(starts, "Europe/Berlin"),
        known=known_starts(starts),
        later="tok?from=2026-11-30",
        expires_at=datetime(2026, 12, 4, 17, tzinfo=UTC),
        uses_left=1,
        questions=(
            Question("topic", "What about?"),
            Question("size", "How many?", "choice", required=True, options=("One", "More")),
            Question("plan", "Which plan?", "choice", options=("A", "B")),
        ),
    )
    return msgspec.structs.replace(view, **changes)


def a_confirmation(**changes: object) -> ConfirmationPage:
    view = ConfirmationPage(
        root="../",
        title="Product walk-through",
        start=datetime(2026, 11, 24, 9, 30, tzinfo=UTC),
        end=datetime(2026, 11, 24, 10, tzinfo=UTC),
        zone="Europe/Berlin",
        host_zone="Europe/Berlin",
        location=Location("in_person", "Torstraße 12"),
        host_name="Mia",
        invitee_name="Sam Okafor",
        invitee_email="sam@example.org",
        answers=[("What about?", "Speed")],
        status="confirmed",
        news="booked",
    )
    return msgspec.structs.replace(view, **changes)


EN_PAGES = (Path(languages.__file__).parent / "phrases" / "en" / "pages.json").read_text()

CALENDARS = (
    CalendarLink("iCal", "../b/tok/invite.ics"),
    CalendarLink("Google", "https://calendar.google.com/calendar/render?action=TEMPLATE&text=a"),
)


def a_move(**changes: object) -> MovePage:
    starts = [datetime(2026, 11, 23, 8, tzinfo=UTC) + timedelta(minutes=30 * n) for n in range(6)]
    view = MovePage(
        root="../",
        action="tok/reschedule",
        here="tok?move=1&from=2026-11-23",
        back="tok",
        title="Product walk-through",
        start=datetime(2026, 11, 24, 9, 30, tzinfo=UTC),
        end=datetime(2026, 11, 24, 10, tzinfo=UTC),
        duration_minutes=30,
        host_name="Mia",
        zone="Europe/Berlin",
        zones_page="tok?move=1&zones=1",
        days=offered_days(starts, "Europe/Berlin"),
        known=known_starts(starts),
        later="tok?move=1&from=2026-11-30",
    )
    return msgspec.structs.replace(view, **changes)


def a_cancel(**changes: object) -> CancelPage:
    view = CancelPage(
        root="../",
        action="tok/cancel",
        back="tok",
        title="Product walk-through",
        start=datetime(2026, 11, 24, 9, 30, tzinfo=UTC),
        end=datetime(2026, 11, 24, 10, tzinfo=UTC),
        zone="Europe/Berlin",
        host_name="Mia",
    )
    return msgspec.structs.replace(view, **changes)


def every_page(root: str = "../", say: Words = EN) -> dict[str, str]:
    errors = {
        "start": say("pages.fault.start"),
        "invitee.email": "Enter it.",
        "answers.topic": "Too long.",
    }
    pages = {
        "offer": offer_page(an_offer(root=root), say),
        "offer, errors": offer_page(an_offer(root=root, errors=errors, notice="It was taken."), say),
        "offer, no times here": offer_page(an_offer(root=root, days=(), earlier="tok?from=2026-11-16"), say),
        "offer, no times": offer_page(an_offer(root=root, days=(), later=None), say),
        "offer, zones to choose from": offer_page(an_offer(root=root, zones=zone_names()), say),
        "booked": confirmation_page(a_confirmation(root=root), say),
        "booking": confirmation_page(
            a_confirmation(root=root, news=None, zone="Asia/Tokyo", location=None), say
        ),
        "moved": confirmation_page(a_confirmation(root=root, news="moved"), say),
        "booking, open": confirmation_page(
            a_confirmation(root=root, calendars=CALENDARS, move="tok?move=1", cancel="tok?cancel=1"), say
        ),
        "booking, begun": confirmation_page(a_confirmation(root=root, notice="This booking has begun."), say),
        "move": move_page(a_move(root=root), say),
        "move, errors": move_page(
            a_move(
                root=root,
                zones=zone_names(),
                errors={"start": say("pages.fault.start"), "timeZone": "Is no zone."},
                notice="Taken.",
            ),
            say,
        ),
        "move, no times here": move_page(a_move(root=root, days=()), say),
        "move, no times": move_page(a_move(root=root, days=(), later=None), say),
        "cancel": cancel_page(a_cancel(root=root), say),
        "cancelled": confirmation_page(a_confirmation(root=root, status="cancelled"), say),
    }
    asking = AskForm(action="tok/request")
    pages |= {
        "asking": dead_page(DeadPage(root=root, reason="used", ask=asking), say),
        "asking, errors": dead_page(
            DeadPage(root=root, reason="used", ask=msgspec.structs.replace(asking, errors={"email": "No."})),
            say,
        ),
        "asked": dead_page(DeadPage(root=root, reason="used", ask=AskForm(action="", sent=True)), say),
        "front": landing_page(root, say),
    }
    pages |= {f"dead, {reason}": dead_page(DeadPage(root=root, reason=reason), say) for reason in REASONS}
    return pages | {
        f"problem, {status}": problem_page(ProblemPage(root=root, status=status), say)
        for status in (400, 404, 413, 415, 500, 503)
    }


PAGES = every_page()


@pytest.mark.parametrize("name", PAGES)
def test_a_page_has_no_inline_script_or_style_and_loads_only_own_files(name: str) -> None:
    # Links load nothing until a visitor follows them, and the one script is our own file.
    html = re.sub(r'<a class="button" href="https://[^"]*"', "<a", PAGES[name])
    html = re.sub(r'data-zones="[^"]*"', "", html)  # base64
    html = re.sub(r'<script type="module" src="(\.\./)*assets/invitee\.[0-9a-f]{8}\.js"></script>', "", html)
    assert not re.search(
        r"<script|<style|\sstyle=|\son[a-z]+=|https?:|//|@import|og:(?!type|title|description)|twitter:",
        html,
        re.IGNORECASE,
    )


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_well_formed_and_forbids_indexing_and_referrers(name: str) -> None:
    html = PAGES[name]
    page = Page(html)
    assert html.startswith("<!doctype html>")
    assert list(page.all("html", lang="en"))
    assert len(list(page.all("h1"))) == len(list(page.all("main"))) == len(list(page.all("title"))) == 1
    assert list(page.all("meta", name="robots", content="noindex, nofollow"))
    assert list(page.all("meta", name="referrer", content="no-referrer"))
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("name", PAGES)
def test_every_reference_to_another_element_has_its_target(name: str) -> None:
    page = Page(PAGES[name])
    for _, attributes in page.elements:
        for key in ("for", "aria-describedby", "aria-labelledby"):
            if attributes.get(key):
                page.by_id(attributes[key] or "")
        if (attributes.get("href") or "").startswith("#"):
            page.by_id((attributes["href"] or "")[1:])


@pytest.mark.parametrize("root", ["", "../", "../../"])
def test_asset_urls_are_relative_and_work_with_a_stage_prefix(root: str) -> None:
    for name, html in every_page(root).items():
        page = Page(html)
        urls = [a["src"] for a in page.all("script")] + [
            a["href"] for a in page.all("link", rel="modulepreload")
        ]
        assert all((url or "").startswith(f"{root}assets/invitee") for url in urls), name
        [sheet] = page.all("link", rel="stylesheet")
        assert sheet["href"] == asset_url(root, "admit-one.css"), name
        assert re.fullmatch(re.escape(root) + r"assets/admit-one\.[0-9a-f]{8}\.css", sheet["href"] or ""), (
            name
        )


def test_the_stylesheet_is_served_by_its_hashed_name_and_is_small() -> None:
    found = asset(asset_url("", "admit-one.css").removeprefix("assets/"))
    assert found is not None
    content, content_type = found
    assert content_type == "text/css; charset=utf-8"
    # For all pages of the invitee; 5 KB when compressed.
    assert len(content) < 17 * 1024
    assert b"url(" not in content
    assert b"@import" not in content
    for name in ("admit-one.css", "admit-one.00000000.css", "../assets.py", ""):
        assert asset(name) is None


def test_a_missing_template_value_is_an_error() -> None:
    with pytest.raises(jinja2.UndefinedError):
        render("message.html", root="../", heading="Hello")


def test_text_of_hosts_and_invitees_is_escaped() -> None:
    evil = """<script>alert("1")</script>'"><img src=x>"""
    view = an_offer(
        title=evil,
        description=evil,
        host_name=evil,
        locations=(Location("in_person", evil, True), Location("custom", evil, True)),
        questions=(
            Question("topic", evil),
            Question("size", evil, "choice", required=True, options=(evil,)),
            Question("plan", evil, "choice", options=(evil,)),
        ),
        values=dict.fromkeys(
            ("invitee.name", "invitee.email", "answers.topic", "answers.size", "start"), evil
        ),
        errors={"invitee.name": evil, "nothing": evil},
        notice=evil,
        action=evil,
        here="?x=" + evil,
        later=evil,
    )
    booked = a_confirmation(
        title=evil, invitee_name=evil, invitee_email=evil, location=Location("video", evil)
    )
    for html in (
        offer_page(view),
        confirmation_page(booked),
        confirmation_page(
            a_confirmation(
                title=evil, notice=evil, move=evil, cancel=evil, calendars=[CalendarLink(evil, evil)]
            )
        ),
        move_page(a_move(title=evil, host_name=evil, notice=evil, here=evil, back=evil, action=evil)),
        cancel_page(a_cancel(title=evil, host_name=evil, back=evil, action=evil)),
    ):
        assert html.count("<script") == 1, "only our own script"
        assert "<img" not in html
        assert evil in "".join(Page(html).texts)


def test_typed_values_are_kept() -> None:
    typed = {
        "start": "2026-11-23T09:00:00Z",
        "location": "1",
        "invitee.name": 'Sam "S" O\'Kafor & co',
        "invitee.email": "sam@example",
        "answers.topic": '\n  "quoted"\nand <b>more</b>',
        "answers.size": "More",
        "answers.plan": "B",
    }
    page = Page(offer_page(an_offer(values=typed, errors={"invitee.email": "Enter an email address."})))
    for name in ("invitee.name", "invitee.email"):
        assert [field["value"] for field in page.all("input", name=name)] == [typed[name]]
    for name in ("start", "location", "answers.size"):
        assert [field["value"] for field in page.all("input", name=name) if "checked" in field] == [
            typed[name]
        ]
    # A browser drops the first newline in a textarea.
    assert page.textareas["answers.topic"] == "\n" + typed["answers.topic"]
    assert "selected" in next(page.all("option", value="B"))


def test_the_form_has_the_start_the_time_zone_and_every_field() -> None:
    page = Page(offer_page(an_offer(uses_left=None)))
    assert [form["action"] for form in page.all("form", method="post")] == ["tok/redeem"]
    starts = [field["value"] for field in page.all("input", name="start")]
    assert starts[:2] == ["2026-11-23T08:00:00Z", "2026-11-23T08:30:00Z"]
    assert [field["value"] for field in page.all("input", name="timeZone")] == ["Europe/Berlin"]
    assert [field["value"] for field in page.all("input", name="location") if "checked" in field] == ["0"]
    sent = {a["name"] for tag, a in page.elements if tag in {"input", "select", "textarea"} and "name" in a}
    assert sent >= {"invitee.name", "invitee.email", "answers.topic", "answers.size", "answers.plan"}
    assert "09:00" in page.text
    assert "1 hour 30 minutes" in page.text


def test_every_error_is_in_the_summary_and_linked_to_its_field() -> None:
    names = (
        "start",
        "timeZone",
        "location",
        "invitee.name",
        "invitee.email",
        "answers.topic",
        "answers.size",
        "answers.plan",
    )
    errors = {name: f"Mind the {name}." for name in names}
    html = offer_page(
        an_offer(zones=["Europe/Berlin"], errors={**errors, "answers.gone": "Not asked any more."})
    )
    page = Page(html)
    assert list(page.all("div", role="alert"))
    assert html.index('role="alert"') < html.index("<h1")
    assert "Not asked any more." in page.text
    assert page.text.startswith("Error: ")
    for name, message in errors.items():
        anchor = name.replace(".", "-")
        assert f'<a href="#{anchor}">{message}</a>' in html
        tag, target = page.by_id(anchor)
        assert tag in {"input", "select", "textarea"}
        assert target["name"] == name
        described = [a for _, a in page.elements if a.get("aria-describedby") == f"{anchor}-error"]
        assert len(described) == 1, f"the field or group of {name} names its error"
        page.by_id(f"{anchor}-error")


def test_a_locations_detail_is_shown_before_booking_only_if_the_host_says_so() -> None:
    """The text can't decide it, because a meeting id with a passcode looks like any other text."""
    private = (
        Location("video", "secret-room"),
        Location("phone", "+49 30 1234"),
        Location("custom", "https://zoom.example/1"),
        Location("custom", "Meeting 123 4567 8901, passcode 998877"),
        Location("in_person", "meet.example/room-7"),
        Location("in_person", "Hidden Lane 4", False),
    )
    shown = (
        Location("in_person", "Torstraße 12", True), Location("custom", "At yours", True),
        Location("phone", "+49 30 777", True), Location("video", "Zoom, by invitation", True),
    )  # fmt: skip
    html = offer_page(an_offer(locations=(*private, *shown)))
    assert not any(location.detail in html for location in private)
    assert all(location.detail in html for location in shown)
    for location in private:
        assert location.detail in Page(confirmation_page(a_confirmation(location=location))).text
        assert location.detail not in confirmation_page(a_confirmation(location=location, status="cancelled"))


@pytest.mark.parametrize(
    ("location", "href"),
    [
        (Location("video", "https://meet.example/a?b=c&d"), "https://meet.example/a?b=c&d"),
        (Location("phone", "+49 30 1234-5"), "tel:+493012345"),
        (Location("video", "javascript:alert(1)"), None),
        (Location("video", "data:text/html,hi"), None),
        (Location("custom", "see https://example.org"), None),
        (Location("in_person", "Torstraße 12"), None),
    ],
)
def test_only_a_web_address_or_a_phone_number_becomes_a_link(location: Location, href: str | None) -> None:
    page = Page(confirmation_page(a_confirmation(location=location)))
    assert [link["href"] for link in page.all("a")] == ([href] if href else [])


def test_times_on_the_day_clocks_go_back_have_their_offset() -> None:
    starts = [datetime(2026, 10, 24, 10, tzinfo=UTC)]
    starts += [datetime(2026, 10, 25, 0, 30, tzinfo=UTC), datetime(2026, 10, 25, 1, 30, tzinfo=UTC)]
    html = offer_page(an_offer(days=offered_days(starts, "Europe/Berlin")))
    text = Page(html).text
    assert "Central European Time, UTC+2, then UTC+1 from Sunday 25 October" in text
    assert "Saturday 24 October UTC+2" in text
    assert 'value="2026-10-25T00:30:00Z"><span>02:30<small> UTC+2</small>' in html
    assert 'value="2026-10-25T01:30:00Z"><span>02:30<small> UTC+1</small>' in html


def test_times_on_the_day_clocks_go_forward_have_their_offset() -> None:
    starts = [datetime(2026, 3, 29, 0, 30, tzinfo=UTC), datetime(2026, 3, 29, 1, 0, tzinfo=UTC)]
    starts.insert(0, datetime(2026, 3, 28, 12, tzinfo=UTC))
    html = offer_page(an_offer(days=offered_days(starts, "Europe/Berlin")))
    assert 'value="2026-03-29T00:30:00Z"><span>01:30<small> UTC+1</small>' in html
    assert 'value="2026-03-29T01:00:00Z"><span>03:00<small> UTC+2</small>' in html


def test_a_day_with_one_offset_does_not_repeat_it() -> None:
    assert "<small>" not in offer_page(an_offer())


def test_times_are_grouped_by_days_in_the_shown_zone() -> None:
    starts = [datetime(2026, 11, 23, 14, 30, tzinfo=UTC), datetime(2026, 11, 23, 15, tzinfo=UTC)]
    days = offered_days(starts, "Asia/Tokyo")
    assert [day.date for day in days] == [date(2026, 11, 23), date(2026, 11, 24)]
    assert [list(day.starts) for day in days] == [starts[:1], starts[1:]]


@given(
    zone=st.sampled_from(sorted(zone_names())),
    begin=st.datetimes(datetime(2025, 1, 1), datetime(2045, 1, 1)),  # noqa: DTZ001 - made aware below
    step=st.sampled_from([5, 15, 30, 45]),
    free=st.lists(st.booleans(), min_size=1, max_size=400),
)
def test_days_end_at_midnight_in_their_zone(zone: str, begin: datetime, step: int, free: list[bool]) -> None:
    """The test covers every zone, on dates without a clock change."""
    first = begin.replace(second=0, microsecond=0, tzinfo=UTC)
    starts = [first + n * timedelta(minutes=step) for n, is_free in enumerate(free) if is_free]

    days = offered_days(starts, zone)

    assert [start for day in days for start in day.starts] == starts
    one_by_one = groupby(starts, lambda start: start.astimezone(load_zone(zone)).date())
    assert [(day.date, list(day.starts)) for day in days] == [(day, list(some)) for day, some in one_by_one]


def test_of_many_days_only_the_first_and_the_chosen_one_are_open() -> None:
    first = datetime(2026, 11, 23, 8, tzinfo=UTC)
    starts = [first + timedelta(days=day, minutes=15 * n) for day in range(4) for n in range(12)]
    view = an_offer(days=offered_days(starts, "UTC"), zone="UTC", values={"start": "2026-11-25T08:15:00Z"})
    days = list(Page(offer_page(view)).all("details", **{"class": "day"}))
    assert ["open" in day for day in days] == [True, False, True, False]


def test_a_page_without_times_says_so_and_links_to_later_dates() -> None:
    here = offer_page(an_offer(days=()))
    assert "No times on these dates" in here
    assert 'href="tok?from=2026-11-30"' in here
    assert 'method="post"' not in here
    without_times = offer_page(an_offer(days=(), later=None))
    assert "No times are on offer at the moment" in without_times
    assert "Times are in Central European Time, UTC+1" in without_times, (
        "a zone is always shown with its offset"
    )


def test_changing_the_zone_keeps_the_dates() -> None:
    zones = ("Europe/Berlin", "America/Argentina/Buenos_Aires", "US/Pacific")
    link = Page(offer_page(an_offer()))
    assert [a["href"] for a in link.all("a") if "zones=1" in (a["href"] or "")] == [
        "tok?from=2026-11-23&timeZone=Europe%2FBerlin&zones=1"
    ]
    html = offer_page(an_offer(zones=zones))
    page = Page(html)
    assert list(page.all("form", method="get"))
    assert [field["value"] for field in page.all("input", name="from")] == ["2026-11-23"]
    assert "selected" in next(page.all("option", value="Europe/Berlin"))
    assert ">Buenos Aires, Argentina" in html
    assert not list(page.all("option", value="US/Pacific")), "old names are not offered"
    shown = Page(offer_page(an_offer(zone="US/Pacific", zones=zones)))
    assert "selected" in next(shown.all("option", value="US/Pacific")), "except for the current one"


def test_a_confirmation_shows_both_zones_only_when_their_clocks_differ() -> None:
    both = Page(confirmation_page(a_confirmation(zone="America/New_York"))).text
    assert "Tuesday 24 November 2026 04:30 – 05:00" in both
    assert "Eastern Time, UTC−5" in both
    assert "For Mia: 10:30 – 11:00 (Central European Time, UTC+1)" in both
    assert "For Mia" not in confirmation_page(a_confirmation(zone="Europe/Paris"))


def test_times_over_midnight_or_a_clock_change_are_unambiguous() -> None:
    late = times.span_words(
        datetime(2026, 11, 24, 22, 45, tzinfo=UTC),
        datetime(2026, 11, 24, 23, 15, tzinfo=UTC),
        "Europe/Berlin",
        EN,
    )
    assert (late.day, late.times) == ("Tuesday 24 November 2026", "23:45 – 00:15 on Wednesday 25 November")
    back = times.span_words(
        datetime(2026, 10, 25, 0, 30, tzinfo=UTC),
        datetime(2026, 10, 25, 1, 15, tzinfo=UTC),
        "Europe/Berlin",
        EN,
    )
    assert (back.times, back.zone) == ("02:30 (UTC+2) – 02:15 (UTC+1)", "Central European Time")


def test_a_confirmation_shows_the_status_of_the_booking() -> None:
    booked = confirmation_page(a_confirmation())
    assert "You’re booked" in booked
    assert "is now used" in booked
    assert "is now used" not in confirmation_page(a_confirmation(link_used=False))
    cancelled = confirmation_page(a_confirmation(status="cancelled"))
    assert "This booking is cancelled" in cancelled
    assert "is now used" not in cancelled
    for shown in (
        "Product walk-through",
        "Sam Okafor",
        "sam@example.org",
        "Torstraße 12",
        "2026-11-24T09:30:00Z",
    ):
        assert shown in booked


@pytest.mark.parametrize("reason", REASONS)
def test_a_dead_links_page_cannot_show_the_host_or_the_event(reason: DeadReason) -> None:
    # P7: the page is rendered from the reason alone, so nothing else can be on it.
    assert {field.name for field in msgspec.structs.fields(DeadPage)} == {
        "root",
        "reason",
        "opens_at",
        "zone",
        "ask",
    }
    one = dead_page(DeadPage(root="../", reason=reason))
    opening = datetime(2026, 11, 23, 8, tzinfo=UTC)
    other = dead_page(DeadPage(root="../", reason=reason, opens_at=opening, zone="Europe/Berlin"))
    assert (one == other) == (reason != "not-open")
    page = Page(one)
    assert not list(page.all("form"))
    assert not list(page.all("a"))


def test_the_page_of_a_link_that_opens_later_has_the_time_and_zone() -> None:
    view = DeadPage(
        root="../", reason="not-open", opens_at=datetime(2026, 11, 23, 8, tzinfo=UTC), zone="Europe/Berlin"
    )
    assert (
        "It opens on Monday 23 November 2026, 09:00 (Central European Time, UTC+1)."
        in Page(dead_page(view)).text
    )


@pytest.mark.parametrize(
    ("zone", "words"),
    [
        ("UTC", "UTC"),
        ("Etc/UTC", "UTC"),
        ("Asia/Kathmandu", "Nepal Time, UTC+5:45"),
        ("America/St_Johns", "Newfoundland Time, UTC−3:30"),
        ("America/Argentina/Buenos_Aires", "Argentina Standard Time, UTC−3"),
        ("Europe/London", "United Kingdom Time, UTC+0"),
        ("Etc/GMT+5", "Etc/GMT+5, UTC−5"),
        ("EST5EDT", "EST5EDT, UTC−5"),
    ],
)
def test_a_zone_is_shown_by_name_with_its_offset(zone: str, words: str) -> None:
    assert times.zone_words(zone, EN, [datetime(2026, 11, 23, 8, tzinfo=UTC)]) == words


def test_every_zone_can_be_shown() -> None:
    for zone in zone_names():
        assert times.moment_words(datetime(2026, 11, 23, 8, tzinfo=UTC), zone, EN)


def test_jinja_is_imported_only_when_a_page_is_rendered() -> None:
    import subprocess
    import sys

    code = "import sys; import chalicelib.pages.invitee.redeem; print('jinja2' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@given(st.sets(st.integers(0, 35 * 288 - 1).map(lambda n: 5 * n), max_size=300))
def test_starts_are_encoded_as_bits_without_loss(minutes: set[int]) -> None:
    """However fragmented a calendar is, 35 days fit on the page, and the script decodes the same starts."""
    begin = datetime(2026, 11, 23, 8, tzinfo=UTC)
    starts = [begin + timedelta(minutes=n) for n in sorted(minutes)]

    first, step, bits = packed_starts(starts)

    bytes_ = b64decode(bits)  # decode as `invitee/calendar/offered.js` does
    decoded = [first + n * step for n in range(len(bytes_) * 8) if bytes_[n >> 3] >> (n & 7) & 1]
    assert [datetime.fromtimestamp(60 * minute, UTC) for minute in decoded] == starts
    assert len(bits) <= 1_680


def test_a_month_of_half_hours_is_encoded_in_half_hours() -> None:
    first = datetime(2026, 11, 23, 8, tzinfo=UTC)
    month = [first + timedelta(days=day, minutes=30 * n) for day in range(35) for n in range(16)]
    _, step, bits = packed_starts(month)
    assert step == 30
    assert len(bits) <= 280


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_translated_page_has_no_english(language: Language) -> None:
    say = words(language)
    spaced = {
        key: text for key, text in json.loads(EN_PAGES).items() if isinstance(text, str) and " " in text
    }
    english = {
        text for key, text in spaced.items() if language == "en" or say.forms(f"pages.{key}")["other"] != text
    }
    for name, html in every_page(say=say).items():
        assert f'<html lang="{language}">' in html, name
        shown = Page(html).text
        found = [text for text in english if text in shown]
        assert bool(found) == (language == "en"), (name, found)
