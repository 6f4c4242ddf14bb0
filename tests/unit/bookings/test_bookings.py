"""Bookings: the occupied time, and the rules for the invitee, the location and the answers (P2)."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, strategies as st

from chalicelib.domain.bookings.booking import (
    Invitee,
    check_answers,
    check_invitee,
    choose_location,
    occupied_span,
)
from chalicelib.domain.event_types.event_type import EventSettings, Location, Question
from chalicelib.domain.event_types.schedules import Schedule
from chalicelib.domain.validation import Rules
from tests.support.faults import pointers_of

START = datetime(2026, 6, 15, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@given(length=st.integers(1, 96), before=st.integers(0, 96), after=st.integers(0, 96))
def test_a_booking_occupies_its_slot_and_both_buffers(length: int, before: int, after: int) -> None:
    """P2: no other booking may overlap the buffers."""
    offer = EventSettings(
        title="Talk",
        duration_minutes=length,
        schedule=Schedule("UTC"),
        buffer_before_minutes=before,
        buffer_after_minutes=after,
    )
    assert occupied_span(offer, START) == (START - before * MINUTE, START + length * MINUTE + after * MINUTE)


@pytest.mark.parametrize(
    ("invitee", "time_zone", "pointers"),
    [
        (Invitee("Ada", "ada@example.com"), "Europe/London", []),
        (Invitee("x" * 200, "anna@münchen.de"), "UTC", []),
        (Invitee(" ", "ada@example.com"), "UTC", ["/invitee/name"]),
        (Invitee("x" * 201, "ada@example.com"), "UTC", ["/invitee/name"]),
        (Invitee("Ada\r\nBcc: b@c.de", "ada@example.com"), "UTC", ["/invitee/name"]),
        (Invitee("Ada", "ada"), "UTC", ["/invitee/email"]),
        (Invitee("Ada", "ada@example.com"), "GMT+25", ["/timeZone"]),
        (Invitee("", ""), "", ["/invitee/name", "/invitee/email", "/timeZone"]),
    ],
)
def test_each_violation_of_the_invitee_is_reported(
    invitee: Invitee, time_zone: str, pointers: list[str]
) -> None:
    """A redeem needs an invitee with a valid email address and an existing time zone."""
    assert pointers_of(lambda rules: check_invitee(invitee, time_zone, rules)) == pointers


TOPIC = Question("topic", "What about?", required=True)
NOTE = Question("note", "Anything else?")
SIZE = Question("size", "Which size?", "choice", options=("S", "M"))
NEED = Question("need", "Which?", "choice", required=True, options=("a", "b"))


@pytest.mark.parametrize(
    ("answers", "questions", "pointers"),
    [
        ({}, (), []),
        ({}, (NOTE, SIZE), []),
        ({"topic": "x" * 2000, "note": "two\nlines"}, (TOPIC, NOTE), []),
        ({"size": "M"}, (SIZE,), []),
        ({"size": "", "note": ""}, (SIZE, NOTE), []),
        ({}, (TOPIC,), ["/answers/topic"]),
        ({"topic": ""}, (TOPIC,), ["/answers/topic"]),
        ({"topic": " \n"}, (TOPIC,), ["/answers/topic"]),
        ({"need": ""}, (NEED,), ["/answers/need"]),
        ({"need": "c"}, (NEED,), ["/answers/need"]),
        ({"size": "m"}, (SIZE,), ["/answers/size"]),
        ({"note": "x" * 2001}, (NOTE,), ["/answers/note"]),
        ({"note": "\x00"}, (NOTE,), ["/answers/note"]),
        ({"other": "x"}, (NOTE,), ["/answers/other"]),
        ({"a/b~c": "x"}, (), ["/answers/a~1b~0c"]),
        ({"~1": "x"}, (), ["/answers/~01"]),
        ({"other": "x"}, (TOPIC,), ["/answers/other", "/answers/topic"]),
    ],
)
def test_each_violation_of_the_answers_is_reported(
    answers: dict[str, str], questions: tuple[Question, ...], pointers: list[str]
) -> None:
    """Required questions need an answer, a choice must be an option, and answers to unknown questions are rejected."""
    assert pointers_of(lambda rules: check_answers(answers, questions, rules.at("answers"))) == pointers


PLACES = (Location("video", "https://example.com/x"), Location("phone", "+49"))


@pytest.mark.parametrize(
    ("locations", "index", "expected"),
    [
        (PLACES, None, PLACES[0]),
        (PLACES, 0, PLACES[0]),
        (PLACES, 1, PLACES[1]),
        ((Location("in_person", "Torstraße 12", True),), 0, Location("in_person", "Torstraße 12")),
        ((), None, None),
    ],
)
def test_the_location_is_the_chosen_one_or_the_first(
    locations: tuple[Location, ...], index: int | None, expected: Location | None
) -> None:
    """Without a choice of the invitee, it is the host's first location."""
    rules = Rules()
    assert choose_location(locations, index, rules) == expected
    rules.enforce()


@pytest.mark.parametrize("index", [-1, 2])
def test_a_location_outside_the_list_is_reported(index: int) -> None:
    """A negative index doesn't count from the end."""
    assert pointers_of(lambda rules: choose_location(PLACES, index, rules.at("locationIndex"))) == [
        "/locationIndex"
    ]
