"""What one link offers: its own values where it has them, otherwise the event type's."""

from typing import Any

import msgspec
import pytest

from chalicelib.domain.event_types.event_type import EventSettings, Location, Question
from chalicelib.domain.event_types.offers import NO_OVERRIDES, Overrides, check_overrides, offer_of
from chalicelib.domain.event_types.schedules import Schedule
from tests.support.faults import pointers_of

SETTINGS = EventSettings(
    title="Talk",
    duration_minutes=30,
    schedule=Schedule("UTC"),
    slug="talk",
    locations=(Location("phone"),),
    questions=(Question("topic", "What about?"),),
    slot_interval_minutes=15,
    buffer_before_minutes=10,
    buffer_after_minutes=10,
    minimum_notice_minutes=60,
)

OWN: dict[str, Any] = {
    "title": "Long talk",
    "duration_minutes": 90,
    "locations": (),
    "schedule": Schedule("Europe/Berlin"),
    "questions": (),
    "slot_interval_minutes": 30,
    "buffer_before_minutes": 0,
    "buffer_after_minutes": 5,
    "minimum_notice_minutes": 0,
}


def faults(**own: Any) -> list[str]:
    return pointers_of(lambda rules: check_overrides(Overrides(**own), SETTINGS, rules))


def test_a_link_without_overrides_offers_the_event_type() -> None:
    """Nothing of its own: all is the event type's."""
    assert offer_of(SETTINGS, NO_OVERRIDES) == SETTINGS


@pytest.mark.parametrize("name", OWN)
def test_each_override_changes_that_and_nothing_else(name: str) -> None:
    """A zero or an empty list is a value of the link's own; only None is the event type's."""
    changed = offer_of(SETTINGS, Overrides(**{name: OWN[name]}))
    assert changed == msgspec.structs.replace(SETTINGS, **{name: OWN[name]})
    assert changed != SETTINGS
    assert faults(**{name: OWN[name]}) == []


def test_every_field_is_tried_above() -> None:
    """A new override field has to come with its test."""
    assert set(OWN) == set(Overrides.__struct_fields__)


@pytest.mark.parametrize(
    ("own", "pointer"),
    [
        ({"title": ""}, "/title"),
        ({"schedule": Schedule("Mars/Base")}, "/schedule/timeZone"),
        ({"locations": (Location("phone", "x" * 501),)}, "/locations/0/detail"),
        ({"questions": (Question("", "?"),)}, "/questions/0/id"),
        ({"duration_minutes": 31}, "/durationMinutes"),
        ({"duration_minutes": 465}, "/durationMinutes"),
        ({"buffer_after_minutes": 445}, "/durationMinutes"),
        ({"slot_interval_minutes": 0}, "/slotIntervalMinutes"),
        ({"buffer_before_minutes": -5}, "/bufferBeforeMinutes"),
        ({"minimum_notice_minutes": 3}, "/minimumNoticeMinutes"),
    ],
)
def test_each_broken_rule_is_told_once_at_its_place(own: dict[str, Any], pointer: str) -> None:
    """P2: also when only both together break it: the link's 465 minutes with the event type's buffers."""
    assert faults(**own) == [pointer]


def test_the_documented_json() -> None:
    """camelCase, only what is set is written, `null` is the event type's, unknown is refused."""
    own = Overrides(duration_minutes=45)
    assert msgspec.json.encode(own) == b'{"durationMinutes":45}'
    assert msgspec.json.decode(b'{"durationMinutes":45,"title":null}', type=Overrides) == own
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(b'{"bookingWindowDays":3}', type=Overrides)
