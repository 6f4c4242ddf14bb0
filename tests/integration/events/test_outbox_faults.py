"""The outbox when one call fails: no event is lost, and retries publish only what failed (P6)."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any, cast

import pytest
from botocore.exceptions import EndpointConnectionError, ReadTimeoutError

from chalicelib import bootstrap
from chalicelib.clients import queue as queue_client
from chalicelib.consumers.outbox import consume
from chalicelib.domain.clock import to_millis
from chalicelib.service.events import relay
from chalicelib.service.events.record_history import record_history
from tests.support.app import NOW, Caller, Clock, Site, at, created, ok
from tests.support.aws.bus import Bus, Inbox, Record, Stream, deliver

DOWN = EndpointConnectionError(endpoint_url="http://gone.example")
LATE = ReadTimeoutError(endpoint_url="http://slow.example")


class Killed(BaseException):
    """The function's process ends, as at a timeout, so no handler in the code runs."""


def _client(service: str) -> Any:
    """Return the app's own client for a service."""
    port = bootstrap.world().event_bus if service == "events" else bootstrap.world().outbox_dlq
    return cast("Any", port)._aws.client(service)


def _records(host: Caller, stream: Stream, links: int = 5) -> tuple[list[Record], set[str]]:
    """Create links; return the stream record of each new link, and the links' ids."""
    made_links = host.links(host.event_type(), count=links)
    records = [r for r in stream.records() if r["dynamodb"]["Keys"]["sk"]["S"] == "LINK"]
    assert len(records) == links
    return records, {link["linkId"] for link in made_links}


def _history_ids(host: Caller, link_ids: set[str]) -> dict[str, list[str]]:
    """Return the event ids in each link's history."""
    return {
        link_id: [row["eventId"] for row in ok(host.get(f"/v1/links/{link_id}/history"))["history"]]
        for link_id in link_ids
    }


def _assert_recorded_once_and_published(
    host: Caller, link_ids: set[str], envelopes: list[dict[str, Any]]
) -> None:
    """Check that each link has one history entry, and that exactly those events were published, each at least once."""
    history = _history_ids(host, link_ids)
    assert {link_id: len(ids) for link_id, ids in history.items()} == dict.fromkeys(link_ids, 1)
    assert {(e["linkId"], e["id"]) for e in envelopes} == {
        (link_id, ids[0]) for link_id, ids in history.items()
    }


def _refusing(
    patch: pytest.MonkeyPatch, refused: Callable[[dict[str, Any]], bool], *, times: int
) -> list[list[str]]:
    """Make the bus reject some entries in its first `times` calls; return the link ids of each call's entries."""
    client = _client("events")
    real, calls = client.put_events, []

    def put_events(Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803 - botocore's name
        calls.append([json.loads(entry["Detail"])["linkId"] for entry in Entries])
        bad = [refused(entry) and len(calls) <= times for entry in Entries]
        good = [entry for entry, is_bad in zip(Entries, bad, strict=True) if not is_bad]
        taken = iter(real(Entries=good)["Entries"]) if good else iter([])
        results = [{"ErrorCode": "ThrottlingException"} if is_bad else next(taken) for is_bad in bad]
        return {"FailedEntryCount": sum(bad), "Entries": results}

    patch.setattr(client, "put_events", put_events)
    return calls


@pytest.mark.parametrize("at_record", [0, 2, 4])
def test_a_batch_is_published_after_a_crash_while_writing_history(
    host: Caller, bus: Bus, stream: Stream, monkeypatch: pytest.MonkeyPatch, at_record: int
) -> None:
    """P6: the whole batch is redelivered; each event is in the history once and on the bus."""
    records, link_ids = _records(host, stream)
    number = 0
    real = record_history

    def until_it_dies(*args: Any) -> Any:
        nonlocal number
        number += 1
        if number == at_record + 1:
            raise Killed
        return real(*args)

    with monkeypatch.context() as patch:
        patch.setattr(relay, "record_history", until_it_dies)
        with pytest.raises(Killed):
            consume({"Records": records}, None)
    deliver(records)
    _assert_recorded_once_and_published(host, link_ids, bus.envelopes())


@pytest.mark.parametrize("before", [True, False])
def test_a_batch_has_the_same_ids_after_a_crash_while_publishing(
    host: Caller, bus: Bus, stream: Stream, monkeypatch: pytest.MonkeyPatch, before: bool
) -> None:
    """P6: the crash is before or after the call to the bus, when the history is already written."""
    records, link_ids = _records(host, stream, 12)
    client = _client("events")
    real = client.put_events

    def put_events(**request: Any) -> Any:
        if not before:
            real(**request)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(client, "put_events", put_events)
        with pytest.raises(Killed):
            consume({"Records": records}, None)
    first = bus.envelopes()
    assert len(first) == (0 if before else 10)
    deliver(records)
    _assert_recorded_once_and_published(host, link_ids, first + bus.envelopes())


def test_only_the_entries_that_the_bus_rejects_are_retried(
    host: Caller, bus: Bus, dead_letters: Inbox, stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P6: the others are published once, and nothing is dead-lettered."""
    records, link_ids = _records(host, stream, 12)
    unlucky = {record["dynamodb"]["Keys"]["pk"]["S"].removeprefix("LINK#") for record in records[1:9:3]}
    with monkeypatch.context() as patch:
        calls = _refusing(patch, lambda entry: json.loads(entry["Detail"])["linkId"] in unlucky, times=3)
        deliver(records)
    assert [len(call) for call in calls] == [
        10,
        2,
        3,
        3,
    ]  # 12 entries in two calls; 3 rejected, retried twice
    assert set(calls[2]) == set(calls[3]) == unlucky
    envelopes = bus.envelopes()
    assert len(envelopes) == 12
    _assert_recorded_once_and_published(host, link_ids, envelopes)
    assert dead_letters.take() == []


def test_after_a_lost_reply_the_bus_gets_events_twice_with_the_same_ids(
    host: Caller, bus: Bus, stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P6: without a reply the entries may not have been accepted, so they are published again."""
    records, link_ids = _records(host, stream)
    client = _client("events")
    real, replies = client.put_events, iter([LATE])

    def put_events(**request: Any) -> Any:
        answer = real(**request)
        if (lost := next(replies, None)) is not None:
            raise lost
        return answer

    with monkeypatch.context() as patch:
        patch.setattr(client, "put_events", put_events)
        deliver(records)
    envelopes = bus.envelopes()
    assert len(envelopes) == 2 * len(records)
    _assert_recorded_once_and_published(host, link_ids, envelopes)


def test_while_the_bus_is_down_records_are_dead_lettered_whole(
    host: Caller, bus: Bus, dead_letters: Inbox, stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P6: the stream isn't blocked; a redrive publishes the records with the ids that the history has."""
    records, link_ids = _records(host, stream)

    def put_events(**_: Any) -> Any:
        raise DOWN

    with monkeypatch.context() as patch:
        patch.setattr(_client("events"), "put_events", put_events)
        deliver(records)
    assert bus.envelopes() == []
    waiting = dead_letters.take()
    assert sorted(json.dumps(w["record"]) for w in waiting) == sorted(json.dumps(r) for r in records)
    assert {w["reason"] for w in waiting} == {"bus: EndpointConnectionError"}
    messages = [
        {"messageId": str(place), "eventSource": "aws:sqs", "body": json.dumps(letter)}
        for place, letter in enumerate(waiting)
    ]
    deliver(messages, times=2)
    _assert_recorded_once_and_published(host, link_ids, bus.envelopes())


def test_redriven_records_that_fail_are_returned_to_their_queue(
    host: Caller,
    bus: Bus,
    dead_letters: Inbox,
    stream: Stream,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """P6: the function doesn't dead-letter them a second time; the retry queue's redrive policy does.

    Each is logged like a message of any other queue, and one that failed for a long time as stuck.
    """
    records, _ = _records(host, stream, 2)
    bodies = [
        "no letter",
        *(json.dumps({"reason": "r", "failedAt": "t", "record": r}) for r in records),
        "{}",
    ]
    messages: list[dict[str, Any]] = [
        {"messageId": f"m{place}", "eventSource": "aws:sqs", "body": body}
        for place, body in enumerate(bodies)
    ]
    sent = str(to_millis(NOW - timedelta(minutes=16)))
    messages[2]["attributes"] = {"ApproximateReceiveCount": "3", "SentTimestamp": sent}
    with monkeypatch.context() as patch:
        unlucky = records[1]["dynamodb"]["Keys"]["pk"]["S"].removeprefix("LINK#")
        _refusing(patch, lambda entry: json.loads(entry["Detail"])["linkId"] == unlucky, times=99)
        answer = consume({"Records": messages}, None)
    failed = {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}
    assert failed == {"m0", "m2", "m3"}
    lines = {line["messageId"]: line for line in map(vars, caplog.records) if "messageId" in line}
    assert {number: (line["event"], line["correlationId"]) for number, line in lines.items()} == {
        "m0": ("message-failed", "m0"),
        "m2": ("message-stuck", "m2"),
        "m3": ("message-failed", "m3"),
    }
    assert lines["m2"]["fault"].startswith("bus: ")
    assert len(bus.envelopes()) == 1
    assert dead_letters.take() == []


def test_sequence_gives_the_order_of_records_delivered_out_of_order(
    site: Site, host: Caller, bus: Bus, stream: Stream
) -> None:
    """P6: records that arrive one by one in reverse are all published and in the history."""
    link = host.link(maxUsageCount=2)
    ok(host.patch(f"/v1/links/{link['linkId']}", {"label": "a"}))
    booking = created(site.redeem(link, at(days=1)))
    ok(host.post(f"/v1/bookings/{booking['bookingId']}/reschedule", {"start": at(days=2)}))
    ok(host.post(f"/v1/bookings/{booking['bookingId']}/cancel"))
    ok(host.post(f"/v1/links/{link['linkId']}/revoke"))
    for record in reversed(stream.records()):
        deliver([record])
    envelopes = bus.envelopes()
    of_link = sorted((e for e in envelopes if e["bookingId"] is None), key=lambda e: e["sequence"])
    of_booking = sorted((e for e in envelopes if e["bookingId"] is not None), key=lambda e: e["sequence"])
    assert [e["type"] for e in of_link] == ["link.created", "link.updated", "link.used", "link.revoked"]
    assert [e["type"] for e in of_booking] == [
        "booking.confirmed",
        "booking.rescheduled",
        "booking.cancelled",
    ]
    history = ok(host.get(f"/v1/links/{link['linkId']}/history"))["history"]
    assert {row["eventId"] for row in history} == {e["id"] for e in envelopes}


def test_a_record_that_cannot_be_dead_lettered_is_returned_to_the_stream(
    host: Caller, bus: Bus, dead_letters: Inbox, stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P6: the rest of the batch is still published."""
    records, link_ids = _records(host, stream)
    poison = {"dynamodb": {"Keys": {"pk": {"S": "x"}, "sk": {"S": "LINK"}}, "SequenceNumber": "7"}}
    batch = [*records[:2], poison, *records[2:]]

    def send_message_batch(**_: Any) -> Any:
        raise DOWN

    with monkeypatch.context() as patch:
        patch.setattr(_client("sqs"), "send_message_batch", send_message_batch)
        answer = consume({"Records": batch}, None)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "7"}]}
    first = bus.envelopes()
    _assert_recorded_once_and_published(host, link_ids, first)
    deliver(batch[2:])  # Lambda retries from the first failed record
    assert [letter["record"] for letter in dead_letters.take()] == [poison]
    _assert_recorded_once_and_published(host, link_ids, first + bus.envelopes())


def test_only_the_dead_letters_that_the_queue_rejects_are_retried(
    bus: Bus, dead_letters: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P6: malformed records of every kind, more than fit in one call, are each dead-lettered once."""
    del bus
    shapes: list[dict[str, Any]] = [
        {"dynamodb": {"SequenceNumber": "1"}},
        {"dynamodb": {"Keys": {}, "SequenceNumber": "2"}},
        {"dynamodb": {"Keys": {"sk": {"N": "3"}}, "SequenceNumber": "3"}},
        {"dynamodb": {"Keys": {"sk": {"S": "BOOKING"}}, "NewImage": {"a\uffff": {}}, "SequenceNumber": "4"}},
        *({"dynamodb": {"Keys": None, "SequenceNumber": str(number)}} for number in range(5, 15)),
    ]
    client = _client("sqs")
    real, calls = client.send_message_batch, 0

    def send_message_batch(QueueUrl: str, Entries: list[dict[str, Any]]) -> Any:  # noqa: N803 - botocore's names
        nonlocal calls
        calls += 1
        if calls > 1:
            return real(QueueUrl=QueueUrl, Entries=Entries)
        answer = real(QueueUrl=QueueUrl, Entries=Entries[:3] + Entries[4:])
        failed = {"Id": Entries[3]["Id"], "Code": "InternalError", "SenderFault": False}
        return {**answer, "Failed": [failed]}

    with monkeypatch.context() as patch:
        patch.setattr(client, "send_message_batch", send_message_batch)
        deliver(shapes)
    found = sorted(
        (w["record"] for w in dead_letters.take()), key=lambda r: int(r["dynamodb"]["SequenceNumber"])
    )
    assert found == shapes
    assert calls == 3


def test_a_dead_letter_too_large_for_a_queue_names_its_record(
    dead_letters: Inbox, bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P6: a record that can't be kept whole isn't lost silently: its dead letter has its keys and sequence number."""
    del bus
    monkeypatch.setattr(queue_client, "MAX_BYTES", 2000)
    keys = {"pk": {"S": "LINK#x"}, "sk": {"S": "LINK"}}
    poison = {
        "eventID": "e1", "eventSourceARN": "arn:stream",
        "dynamodb": {"Keys": keys, "NewImage": {"junk": {"S": "j" * 3000}}, "SequenceNumber": "7"},
    }  # fmt: skip
    deliver([poison])
    (letter,) = dead_letters.take()
    assert letter["record"] == {
        "eventID": "e1",
        "eventSourceARN": "arn:stream",
        "dynamodb": {"Keys": keys, "SequenceNumber": "7"},
    }
    assert "TooLarge" in letter["reason"]
    assert "left out" in letter["reason"]


def test_records_without_enough_time_left_are_returned_to_the_stream(
    site: Site, host: Caller, bus: Bus, dead_letters: Inbox, stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P6: with a slow store, the function returns the rest of the batch instead of timing out."""
    records, link_ids = _records(host, stream)
    clock: Clock = site.clock
    real = record_history

    def slow(*args: Any) -> Any:
        clock.now += timedelta(seconds=11)
        return real(*args)

    with monkeypatch.context() as patch:
        patch.setattr(relay, "record_history", slow)
        answer = consume({"Records": records}, None)
    assert answer == {"batchItemFailures": [{"itemIdentifier": records[3]["dynamodb"]["SequenceNumber"]}]}
    assert dead_letters.take() == []
    deliver(records[3:])
    _assert_recorded_once_and_published(host, link_ids, bus.envelopes())


def test_without_a_bus_only_the_history_is_written(host: Caller, stream: Stream) -> None:
    """A stack can run without a bus; a poison record is then returned to the stream by its sequence number."""
    records, link_ids = _records(host, stream, 2)
    poison = {"dynamodb": {"SequenceNumber": "7"}}
    answer = consume({"Records": [poison, *records]}, None)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "7"}]}
    assert {len(ids) for ids in _history_ids(host, link_ids).values()} == {1}
