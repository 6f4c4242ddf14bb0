"""Stream records are published on the bus at least once, with stable ids; none is lost (P6)."""

from types import SimpleNamespace
from typing import Any, Final

import pytest

from chalicelib import bootstrap
from chalicelib.consumers import expiry
from chalicelib.consumers.expiry import expire
from chalicelib.consumers.outbox import consume
from chalicelib.domain.errors import ThrottledError
from tests.support.app import Caller, Site, at, created, ok
from tests.support.aws.bus import Bus, Inbox, Stream, deliver

# What EventBridge sends to a scheduled function, which uses none of it.
_SCHEDULED: Final = (
    "version",
    "account",
    "region",
    "detail",
    "detail-type",
    "source",
    "time",
    "id",
    "resources",
)

NAMES: dict[str, Any] = {"externalId": "deal-7", "metadata": {"crm": {"id": 7}}}


def test_a_change_is_published_on_the_bus(site: Site, host: Caller, bus: Bus, stream: Stream) -> None:
    """P6: the envelope has the actor, the type, the ids, and the host's own external id and metadata."""
    link = host.link(**NAMES)
    booking = created(site.redeem(link, at(days=1)))
    deliver(stream.records())
    events = {event["detail-type"]: event for event in bus.events()}
    assert set(events) == {"link.created", "link.used", "booking.confirmed"}
    assert {event["source"] for event in events.values()} == {"admit-one"}
    assert events["link.created"]["detail"] == {
        "id": events["link.created"]["detail"]["id"],
        "type": "link.created",
        "schemaVersion": "1",
        "time": events["link.created"]["detail"]["time"],
        "hostId": host.host_id,
        "linkId": link["linkId"],
        "bookingId": None,
        "eventTypeId": link["eventTypeId"],
        **NAMES,
        "sequence": 1,
        "actor": f"key:{host.key.key.key_id}",
        "correlationId": events["link.created"]["detail"]["correlationId"],
        "data": {
            "status": "active",
            "usageCount": 0,
            "maxUsageCount": 1,
            "expiresAt": None,
            "notBefore": None,
            "rolling": False,
        },
    }
    confirmed = events["booking.confirmed"]["detail"]
    assert confirmed["bookingId"] == booking["bookingId"]
    assert {name: confirmed[name] for name in NAMES} == NAMES


def test_a_redelivered_batch_has_the_same_ids(host: Caller, bus: Bus, stream: Stream) -> None:
    """P6: an event is published at least once, and is in the history once."""
    link = host.link()
    ok(host.post(f"/v1/links/{link['linkId']}/revoke"))
    records = stream.records()
    deliver(records)
    first = bus.envelopes()
    deliver(records, times=2)
    again = bus.envelopes()
    assert sorted(e["id"] for e in again) == sorted(2 * [e["id"] for e in first])
    assert [e for e in again if e not in first] == []
    assert len(ok(host.get(f"/v1/links/{link['linkId']}/history"))["history"]) == 2


def test_a_poison_record_is_dead_lettered_whole(
    host: Caller, bus: Bus, dead_letters: Inbox, stream: Stream
) -> None:
    """P6: the other records of its batch are published."""
    one, two = host.link(), host.link()
    records = [r for r in stream.records() if r["dynamodb"]["Keys"]["sk"]["S"] == "LINK"]
    poison = {"dynamodb": {"Keys": {"pk": {"S": "LINK#x"}, "sk": {"S": "LINK"}}, "SequenceNumber": "7"}}
    assert consume({"Records": [records[0], poison, records[1]]}, None) == {"batchItemFailures": []}
    assert {e["linkId"] for e in bus.envelopes()} == {one["linkId"], two["linkId"]}
    (letter,) = dead_letters.take()
    assert letter["record"] == poison
    assert letter["reason"] == "KeyError"


def test_history_entries_in_the_stream_are_not_published(host: Caller, bus: Bus, stream: Stream) -> None:
    """P6: the consumer's own history entries come back through the stream; their events are already published."""
    link = host.link()
    assert host.delete(f"/v1/links/{link['linkId']}").status_code == 204
    deliver(stream.records())
    assert sorted(e["type"] for e in bus.envelopes()) == ["link.created", "link.deleted"]
    entries = stream.records()
    assert [r["dynamodb"]["Keys"]["sk"]["S"].partition("#")[0] for r in entries] == ["HISTORY"]
    deliver(entries)
    assert bus.envelopes() == []


@pytest.mark.parametrize("closed", ["no", "all"])
def test_each_run_of_the_schedule_sends_a_heartbeat_that_publishes_nothing(
    site: Site, bus: Bus, stream: Stream, monkeypatch: pytest.MonkeyPatch, closed: str
) -> None:
    """P6: the outbox gets a record every minute, also while a restore has closed all changes."""
    monkeypatch.setenv("BOOKINGS_CLOSED", closed)
    bootstrap.forget()
    stream.records()
    for _ in range(2):
        expire(dict.fromkeys(_SCHEDULED, ""), None)
        site.clock.advance(minutes=1)
        beats = [each for each in stream.records() if each["dynamodb"]["Keys"]["pk"] == {"S": "HEARTBEAT"}]
        assert len(beats) == 1
        assert consume({"Records": beats}, None) == {"batchItemFailures": []}
    assert bus.events() == []
    bootstrap.forget()


STEPS: Final = ("send_heartbeat", "expire_due_links", "queue_due_digests")


@pytest.mark.parametrize("failing", STEPS)
def test_a_step_of_the_schedule_that_fails_does_not_stop_the_others(
    monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    """P6: the heartbeat watches the stream, so a throttled write of it must not stop expiries. An alarm goes off."""
    done: list[str] = []

    def run(step: str) -> int:
        done.append(step)
        if step == failing:
            raise ThrottledError
        return 0

    monkeypatch.setattr(bootstrap, "world", lambda: SimpleNamespace(is_writable=True))
    for step in STEPS:
        monkeypatch.setattr(expiry, step, lambda _, step=step: run(step))
    with pytest.raises(ThrottledError):
        expire(dict.fromkeys(_SCHEDULED, ""), None)
    assert done == list(STEPS)
