"""Deliveries: ids, leases, waits, replays, and the stored excerpt of a response."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, strategies as st

from chalicelib.domain.clock import as_instant
from chalicelib.domain.events.envelopes import Envelope
from chalicelib.domain.ids import DELIVERY, LINK, is_id, make_id
from chalicelib.domain.webhooks.deliveries import (
    LEASE,
    MAX_EXCERPT_LENGTH,
    MAX_KEPT_ATTEMPTS,
    MAX_REPLAYS,
    MAX_TRIES,
    WAITS,
    Delivery,
    DeliveryAttempt,
    DeliveryStatus,
    delivery_id_of,
    event_time_of,
    given_up,
    leased,
    may_start,
    new_delivery,
    out_of_tries,
    postponed,
    read_retry_after,
    replayed,
    safe_excerpt,
    succeeded,
    wait_before_next,
)

NOW = datetime(2040, 1, 2, 8, tzinfo=UTC)
ATTEMPT = DeliveryAttempt(number=1, time=NOW, latency_ms=5, status_code=500)


def envelope(**fields: Any) -> Envelope:
    values: dict[str, Any] = {
        "id": "evt_aebagbafaydqqcikbmga2dqpca",
        "type": "link.used",
        "time": "2040-01-02T08:00:00Z",
        "host_id": "hst_x",
        "link_id": None,
        "booking_id": None,
        "event_type_id": None,
        "external_id": None,
        "metadata": {},
        "sequence": 1,
        "actor": "invitee",
        "correlation_id": "c",
        "data": {},
    }
    return Envelope(**values | fields)


def fresh(**fields: Any) -> Delivery:
    return new_delivery("whk_x", "hst_x", envelope(), NOW, NOW, **fields)


@given(
    st.datetimes(datetime(1971, 1, 1), datetime(2199, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - Hypothesis takes naive limits
    st.text(max_size=20),
)
def test_a_delivery_id_depends_on_webhook_and_event_and_has_its_time(time: datetime, event_id: str) -> None:
    time = as_instant(time)
    found = delivery_id_of("whk_x", event_id, time)
    assert is_id(DELIVERY, found)
    assert event_time_of(found) == time
    assert found == delivery_id_of("whk_x", event_id, time)
    assert found != delivery_id_of("whk_y", event_id, time)
    assert found != delivery_id_of("whk_x", event_id + "x", time)


@pytest.mark.parametrize("text", ["", "dlv_", make_id(LINK, bytes(16)), make_id(DELIVERY, b"\xff" * 16)])
def test_other_ids_have_no_event_time(text: str) -> None:
    assert event_time_of(text) is None


@pytest.mark.parametrize("event_id", ["", "evt.1", "evt 1", "evt\r\n1", "x" * 101])
def test_an_event_id_that_cannot_be_signed_is_rejected(event_id: str) -> None:
    """The signed text is joined with periods, so an id with a period could be read as another id and time."""
    with pytest.raises(ValueError, match="event's id"):
        new_delivery("whk_x", "hst_x", envelope(id=event_id), NOW, NOW)


def test_an_attempt_starts_when_it_is_due_and_not_leased() -> None:
    delivery = fresh()
    assert may_start(delivery, NOW)
    held = leased(delivery, NOW)
    assert (held.tries, held.sequence, held.due_at) == (1, 2, NOW + LEASE)
    assert not may_start(held, NOW + LEASE - timedelta(milliseconds=1))
    assert may_start(held, NOW + LEASE)
    later = postponed(held, ATTEMPT, timedelta(minutes=5), NOW)
    assert not may_start(later, NOW + timedelta(minutes=4, seconds=58))
    assert may_start(later, NOW + timedelta(minutes=5))
    for over in (succeeded(held, ATTEMPT, NOW), given_up(held, "gone", ATTEMPT, NOW)):
        assert not may_start(over, NOW + timedelta(days=99))
        assert (over.due_at, over.next_at, over.lease_until, over.ended_at) == (None, None, None, NOW)


def test_the_waits_follow_standard_webhooks() -> None:
    assert sum(WAITS, timedelta()) == timedelta(hours=75, minutes=35, seconds=5)
    delivery = fresh()
    for wait in WAITS:
        delivery = leased(delivery, NOW)
        assert not out_of_tries(delivery)
        assert wait_before_next(delivery, None, 0.0, NOW) == wait
        assert wait_before_next(delivery, None, 1.0, NOW) == wait * 1.2
        delivery = postponed(delivery, ATTEMPT, wait, NOW)
    delivery = leased(delivery, NOW)
    assert (out_of_tries(delivery), delivery.tries) == (True, MAX_TRIES)
    assert out_of_tries(leased(fresh(test=True), NOW)), "a test event has one attempt"


def test_a_replay_restarts_the_waits_and_continues_the_count() -> None:
    delivery = fresh()
    for _ in range(MAX_TRIES):
        delivery = leased(delivery, NOW)
    failed = given_up(delivery, "exhausted", ATTEMPT, NOW)
    again = replayed(failed, "key", NOW + timedelta(days=9))
    assert again is not None
    assert (again.status, again.failure, again.ended_at) == (DeliveryStatus.PENDING, None, None)
    assert (out_of_tries(again), may_start(again, NOW + timedelta(days=9))) == (False, True)
    tried = leased(again, NOW)
    assert (tried.tries, wait_before_next(tried, None, 0.0, NOW)) == (MAX_TRIES + 1, WAITS[0])
    assert (again.body, again.event_id) == (failed.body, failed.event_id)


def test_a_key_replays_a_delivery_only_once() -> None:
    failed = given_up(fresh(), "exhausted", None, NOW)
    again = replayed(failed, "one", NOW)
    assert again is not None
    assert replayed(again, "two", NOW) is None, "a pending delivery is not replayed"
    over = given_up(again, "exhausted", None, NOW)
    other = replayed(over, "two", NOW)
    assert other is not None
    over = succeeded(other, ATTEMPT, NOW)
    assert replayed(over, "one", NOW) is None
    assert replayed(over, "two", NOW) is None
    assert replayed(over, None, NOW) is not None
    for number in range(MAX_REPLAYS + 5):
        over = succeeded(replayed(over, str(number), NOW) or over, ATTEMPT, NOW)
    assert len(over.replays) == MAX_REPLAYS


def test_only_the_last_attempts_are_kept() -> None:
    delivery = fresh()
    for number in range(MAX_KEPT_ATTEMPTS + 3):
        attempt = DeliveryAttempt(number=number, time=NOW, latency_ms=1, status_code=500)
        delivery = postponed(delivery, attempt, timedelta(seconds=5), NOW)
    assert [attempt.number for attempt in delivery.attempts] == list(range(3, MAX_KEPT_ATTEMPTS + 3))


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        *(
            (None, 0),
            ("", 0),
            ("0", 0),
            ("120", 120),
            (" 7 ", 7),
            ("-1", 0),
            ("1.5", 0),
            ("1e9", 0),
            ("soon", 0),
        ),
        *(("Mon, 02 Jan 2040 08:01:00 GMT", 60), ("Mon, 02 Jan 2040 07:00:00 GMT", 0), ("9" * 400, 0)),
        *(("Mon, 02 Jan 2040 08:01:00 -0000", 60), ("Mon, 99 Jan 2040 08:01:00 GMT", 0)),
        *((f"Mon, 02 Jan 2040 08:01:00 +{'9' * 20}", 0), (f"Mon, 02 Jan {'9' * 20} 08:01:00 GMT", 0)),
    ],
)
def test_retry_after_may_be_seconds_or_a_date(value: str | None, seconds: int) -> None:
    assert read_retry_after(value, NOW) == timedelta(seconds=seconds)


@given(st.text(max_size=60))
def test_any_text_is_accepted_as_retry_after(value: str) -> None:
    assert read_retry_after(value, NOW) >= timedelta()


@given(st.binary(max_size=5000))
def test_an_excerpt_is_printable_and_limited(raw: bytes) -> None:
    found = safe_excerpt(raw)
    assert len(found) <= MAX_EXCERPT_LENGTH
    assert found.isprintable()


def test_a_secret_at_the_end_of_an_excerpt_is_hidden() -> None:
    """Secrets are hidden before the text is truncated, so none is left in part."""
    secret = b"whsec_" + b"A" * 44
    found = safe_excerpt(b"x" * (MAX_EXCERPT_LENGTH - 20) + secret)
    assert "AAAA" not in found
