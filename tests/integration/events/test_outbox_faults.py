"""The outbox when one call fails: nothing lost, and nothing published twice where once is promised (P6)."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any, cast

import pytest
from botocore.exceptions import EndpointConnectionError, ReadTimeoutError

from chalicelib import bootstrap
from chalicelib.clients import queue as queue_client
from chalicelib.consumers.outbox import consume
from chalicelib.service.events import relay
from chalicelib.service.events.record_history import record_history
from tests.support.app import Caller, Clock, Site, at, made, ok
from tests.support.aws.bus import Bus, Inbox, Record, Stream, deliver

DOWN = EndpointConnectionError(endpoint_url="http://gone.example")
LATE = ReadTimeoutError(endpoint_url="http://slow.example")


class Dies(BaseException):
    """The function's process ends, as by a time limit: nothing in the code sees it coming."""


def _client(service: str) -> Any:
    """Return the app's own client of a service."""
    port = bootstrap.world().event_bus if service == "events" else bootstrap.world().outbox_dlq
    return cast("Any", port)._aws.client(service)


def _records(host: Caller, stream: Stream, links: int = 5) -> tuple[list[Record], set[str]]:
    """Make links; return the records that tell of them alone, one each, and their ids."""
    made_links = host.links(host.event_type(), count=links)
    records = [r for r in stream.records() if r["dynamodb"]["Keys"]["sk"]["S"] == "LINK"]
    assert len(records) == links
    return records, {link["linkId"] for link in made_links}


def _told(host: Caller, link_ids: set[str]) -> dict[str, list[str]]:
    """Return the ids of the entries in each link's history."""
    return {
        link_id: [row["eventId"] for row in ok(host.get(f"/v1/links/{link_id}/history"))["history"]]
        for link_id in link_ids
    }


def _once_each(host: Caller, link_ids: set[str], envelopes: list[dict[str, Any]]) -> None:
    """Every link has one entry, and on the bus is no event but those, each at least once."""
    told = _told(host, link_ids)
    assert {link_id: len(ids) for link_id, ids in told.items()} == dict.fromkeys(link_ids, 1)
    assert {(e["linkId"], e["id"]) for e in envelopes} == {(link_id, ids[0]) for link_id, ids in told.items()}


def _refusing(
    patch: pytest.MonkeyPatch, refused: Callable[[dict[str, Any]], bool], *, times: int
) -> list[list[str]]:
    """Let the bus refuse some entries in its first calls; return what each call asks for, by link."""
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
def test_the_consumer_dies_in_the_history(
    host: Caller, bus: Bus, stream: Stream, monkeypatch: pytest.MonkeyPatch, at_record: int
) -> None:
    """P6: mid-batch; the whole batch comes again, and each is in the history once and on the bus."""
    records, link_ids = _records(host, stream)
    number = 0
    real = record_history

    def until_it_dies(*args: Any) -> Any:
        nonlocal number
        number += 1
        if number == at_record + 1:
            raise Dies
        return real(*args)

    with monkeypatch.context() as patch:
        patch.setattr(relay, "record_history", until_it_dies)
        with pytest.raises(Dies):
            consume({"Records": records}, None)
    deliver(records)
    _once_each(host, link_ids, bus.envelopes())


@pytest.mark.parametrize("before", [True, False])
def test_the_consumer_dies_at_the_bus(
    host: Caller, bus: Bus, stream: Stream, monkeypatch: pytest.MonkeyPatch, before: bool
) -> None:
    """P6: before the call and after it, with the history written; the same batch again has the same ids."""
    records, link_ids = _records(host, stream, 12)
    client = _client("events")
    real = client.put_events

    def put_events(**request: Any) -> Any:
        if not before:
            real(**request)
        raise Dies

    with monkeypatch.context() as patch:
        patch.setattr(client, "put_events", put_events)
        with pytest.raises(Dies):
            consume({"Records": records}, None)
    first = bus.envelopes()
    assert len(first) == (0 if before else 10)
    deliver(records)
    _once_each(host, link_ids, first + bus.envelopes())


def test_entries_that_the_bus_refuses_are_put_again_alone(
    host: Caller, bus: Bus, letters: Inbox, stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P6: the rest are not put twice; nothing goes to the dead letters."""
    records, link_ids = _records(host, stream, 12)
    unlucky = {record["dynamodb"]["Keys"]["pk"]["S"].removeprefix("LINK#") for record in records[1:9:3]}
    with monkeypatch.context() as patch:
        calls = _refusing(patch, lambda entry: json.loads(entry["Detail"])["linkId"] in unlucky, times=3)
        deliver(records)
    assert [len(call) for call in calls] == [10, 2, 3, 3]  # 12 in two calls; 3 refused, and once more
    assert set(calls[2]) == set(calls[3]) == unlucky
    envelopes = bus.envelopes()
    assert len(envelopes) == 12
    _once_each(host, link_ids, envelopes)
    assert letters.take() == []


def test_a_lost_reply_of_the_bus_may_tell_twice_with_the_same_id(
    host: Caller, bus: Bus, stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P6: nobody knows whether they were taken, so they are put again."""
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
    _once_each(host, link_ids, envelopes)


def test_while_the_bus_is_down_records_wait_whole_in_the_dead_letters(
    host: Caller, bus: Bus, letters: Inbox, stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P6: the stream goes on; what is moved back once the bus answers comes out, with the ids of the history."""
    records, link_ids = _records(host, stream)

    def put_events(**_: Any) -> Any:
        raise DOWN

    with monkeypatch.context() as patch:
        patch.setattr(_client("events"), "put_events", put_events)
        deliver(records)
    assert bus.envelopes() == []
    waiting = letters.take()
    assert sorted(json.dumps(w["record"]) for w in waiting) == sorted(json.dumps(r) for r in records)
    assert {w["reason"] for w in waiting} == {"bus: EndpointConnectionError"}
    messages = [
        {"messageId": str(place), "eventSource": "aws:sqs", "body": json.dumps(letter)}
        for place, letter in enumerate(waiting)
    ]
    deliver(messages, times=2)
    _once_each(host, link_ids, bus.envelopes())


def test_letters_that_fail_again_are_given_back(
    host: Caller, bus: Bus, letters: Inbox, stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P6: not put on the dead letters a second time by us: the retry queue's own policy takes them there."""
    records, _ = _records(host, stream, 2)
    bodies = [
        "no letter",
        *(json.dumps({"reason": "r", "failedAt": "t", "record": r}) for r in records),
        "{}",
    ]
    messages = [
        {"messageId": f"m{place}", "eventSource": "aws:sqs", "body": body}
        for place, body in enumerate(bodies)
    ]
    with monkeypatch.context() as patch:
        unlucky = records[1]["dynamodb"]["Keys"]["pk"]["S"].removeprefix("LINK#")
        _refusing(patch, lambda entry: json.loads(entry["Detail"])["linkId"] == unlucky, times=99)
        answer = consume({"Records": messages}, None)
    failed = {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}
    assert failed == {"m0", "m2", "m3"}
    assert len(bus.envelopes()) == 1
    assert letters.take() == []


def test_records_out_of_order_are_put_in_order_by_their_sequence(
    site: Site, host: Caller, bus: Bus, stream: Stream
) -> None:
    """P6: late and reversed, also one after another; the history reads right, and `sequence` says the order."""
    link = host.link(maxUsageCount=2)
    ok(host.patch(f"/v1/links/{link['linkId']}", {"label": "a"}))
    booking = made(site.redeem(link, at(days=1)))
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


def test_what_even_the_dead_letters_refuse_comes_again(
    host: Caller, bus: Bus, letters: Inbox, stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P6: only then is a record given back to the stream, and the rest of the batch is told all the same."""
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
    _once_each(host, link_ids, first)
    deliver(batch[2:])  # Lambda goes on from the first that failed
    assert [letter["record"] for letter in letters.take()] == [poison]
    _once_each(host, link_ids, first + bus.envelopes())


def test_dead_letters_that_are_refused_in_part_are_sent_again_alone(
    bus: Bus, letters: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P6: more than a call takes, of records of every wrong shape; each is there once."""
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
    found = sorted((w["record"] for w in letters.take()), key=lambda r: int(r["dynamodb"]["SequenceNumber"]))
    assert found == shapes
    assert calls == 3


def test_a_record_too_large_for_a_queue_says_so(
    letters: Inbox, bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P6: what can't be kept whole names its place in the stream, instead of being lost in silence."""
    del bus
    monkeypatch.setattr(queue_client, "MAX_BYTES", 2000)
    keys = {"pk": {"S": "LINK#x"}, "sk": {"S": "LINK"}}
    poison = {
        "eventID": "e1", "eventSourceARN": "arn:stream",
        "dynamodb": {"Keys": keys, "NewImage": {"junk": {"S": "j" * 3000}}, "SequenceNumber": "7"},
    }  # fmt: skip
    deliver([poison])
    (letter,) = letters.take()
    assert letter["record"] == {
        "eventID": "e1",
        "eventSourceARN": "arn:stream",
        "dynamodb": {"Keys": keys, "SequenceNumber": "7"},
    }
    assert "TooLarge" in letter["reason"]
    assert "left out" in letter["reason"]


def test_what_there_was_no_time_for_comes_again(
    site: Site, host: Caller, bus: Bus, letters: Inbox, stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P6: a slow store does not run the function into its time limit: the rest of the batch is handed back."""
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
    assert letters.take() == []
    deliver(records[3:])
    _once_each(host, link_ids, bus.envelopes())


def test_without_a_bus_there_is_history_alone(host: Caller, stream: Stream) -> None:
    """A stack may be run without one; a poison record is then given back by its number."""
    records, link_ids = _records(host, stream, 2)
    poison = {"dynamodb": {"SequenceNumber": "7"}}
    answer = consume({"Records": [poison, *records]}, None)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "7"}]}
    assert {len(ids) for ids in _told(host, link_ids).values()} == {1}
