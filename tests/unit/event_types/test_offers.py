"""The offer of a link: its own values, or else the event type's (P2)."""

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
    """All values are the event type's."""
    assert offer_of(SETTINGS, NO_OVERRIDES) == SETTINGS


@pytest.mark.parametrize("name", OWN)
def test_each_override_changes_only_its_own_value(name: str) -> None:
    """Zero and an empty list are the link's own values; only None means the event type's."""
    changed = offer_of(SETTINGS, Overrides(**{name: OWN[name]}))
    assert changed == msgspec.structs.replace(SETTINGS, **{name: OWN[name]})
    assert changed != SETTINGS
    assert faults(**{name: OWN[name]}) == []


def test_every_override_is_tested() -> None:
    """Fail for a new override without a test."""
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
def test_each_violation_is_reported_once_with_its_pointer(own: dict[str, Any], pointer: str) -> None:
    """P2: also if it is caused only by both together, as the link's 465 minutes and the event type's buffers."""
    assert faults(**own) == [pointer]


def test_the_json_of_overrides_never_changes() -> None:
    """Only set fields are written, in camelCase; `null` means the event type's value; unknown fields are rejected."""
    own = Overrides(duration_minutes=45)
    assert msgspec.json.encode(own) == b'{"durationMinutes":45}'
    assert msgspec.json.decode(b'{"durationMinutes":45,"title":null}', type=Overrides) == own
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(b'{"bookingWindowDays":3}', type=Overrides)
