"""The outbox when its function crashes: retried, bisected, kept whole, and published after all (P6)."""

import io
import json
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from chalicelib import bootstrap
from chalicelib.consumers import outbox
from chalicelib.service.events import relay
from chalicelib.service.events.record_history import record_history
from infra.local.aws import local_client
from infra.operate.redrive import _FUNCTION_SECONDS, crashes, redrive
from infra.package.functions import read_config
from infra.paths import ROOT
from tests.support.app import Caller, Site, ok
from tests.support.aws.bus import Bus, Inbox, Record, Stream
from tests.support.aws.stream_mapping import STREAM, Mapping

EVERY_TRY = STREAM["MaximumRetryAttempts"] + 1


class Dies(BaseException):
    """The function's process ends, as by its time or memory: nothing in the code sees it coming."""


@dataclass
class Lambda:
    """Lambda's `invoke`, of the outbox in this process."""

    calls: int = 0

    def invoke(self, FunctionName: str, Payload: bytes) -> dict[str, Any]:  # noqa: N803 - botocore's names
        assert FunctionName == "outbox"
        self.calls += 1
        try:
            answer = outbox.consume(json.loads(Payload), None)
        except Dies:
            said = io.BytesIO(b'{"errorType": "Runtime.ExitError"}')
            return {"FunctionError": "Unhandled", "Payload": said}
        return {"Payload": io.BytesIO(json.dumps(answer).encode())}


@pytest.fixture
def mapping(site: Site) -> Iterator[Mapping]:
    """The stream's mapping, with a bucket of this test's own."""
    s3, bucket = local_client("s3", site.table.endpoint_url), f"crashes-{secrets.token_hex(6)}"
    s3.create_bucket(Bucket=bucket)
    yield Mapping(s3, bucket)
    for key in list(crashes(s3, bucket)):
        s3.delete_object(Bucket=bucket, Key=key)
    s3.delete_bucket(Bucket=bucket)


def _made(host: Caller, stream: Stream, links: int = 9) -> list[Record]:
    """Make links; return the records that tell of them, one each."""
    host.links(host.event_type(), count=links)
    return [r for r in stream.records() if r["dynamodb"]["Keys"]["sk"]["S"] == "LINK"]


def _put_away(mapping: Mapping) -> list[Record]:
    """Return the records in the bucket, in the stream's order."""
    found: list[Record] = []
    for key in crashes(mapping.s3, mapping.bucket):
        body = json.loads(mapping.s3.get_object(Bucket=mapping.bucket, Key=key)["Body"].read())
        assert body["requestContext"]["approximateInvokeCount"] == EVERY_TRY
        found += json.loads(body["payload"])["Records"]
    return sorted(found, key=lambda record: int(record["dynamodb"]["SequenceNumber"]))


def _entries(host: Caller, records: list[Record]) -> list[list[str]]:
    """Return the ids of the entries in each record's link's history."""
    ids = [record["dynamodb"]["Keys"]["pk"]["S"].removeprefix("LINK#") for record in records]
    rows = [ok(host.get(f"/v1/links/{link_id}/history"))["history"] for link_id in ids]
    return [[row["eventId"] for row in found] for found in rows]


def _dying_over(*deadly: Record, times: int = 10**6) -> Callable[..., Any]:
    numbers = {record["dynamodb"]["SequenceNumber"] for record in deadly}

    def record_or_die(world: Any, record: Record) -> Any:
        nonlocal times
        if record["dynamodb"]["SequenceNumber"] in numbers and times > 0:
            times -= 1
            raise Dies
        return record_history(world, record)

    return record_or_die


@pytest.mark.usefixtures("letters")
def test_a_record_that_kills_the_function_is_put_away_alone_and_told_after_all(
    host: Caller, bus: Bus, stream: Stream, mapping: Mapping, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P6: halved until it is alone, tried eleven times, then whole in the bucket; the other eight are told once."""
    records = _made(host, stream)
    deadly = records[4]
    with monkeypatch.context() as patch:
        patch.setattr(relay, "record_history", _dying_over(deadly))
        mapping.run(outbox.consume, records)
        alone = [deadly["dynamodb"]["SequenceNumber"]]
        assert mapping.invoked.count(alone) == EVERY_TRY
        assert _put_away(mapping) == [deadly]
        assert [len(ids) for ids in _entries(host, records)] == [1, 1, 1, 1, 0, 1, 1, 1, 1]
        told = {envelope["linkId"] for envelope in bus.envelopes()}
        assert len(told) == 8

        # Before the cause is mended: it says so, and nothing is lost.
        done = redrive(mapping.s3, Lambda(), mapping.bucket, "outbox")
        assert done.records == 0
        assert set(done.left.values()) == {"the function failed: Runtime.ExitError"}
        assert _put_away(mapping) == [deadly]
    done = redrive(mapping.s3, Lambda(), mapping.bucket, "outbox")
    assert (done.records, done.left) == (1, {})
    assert list(crashes(mapping.s3, mapping.bucket)) == []
    ((event_id,),) = _entries(host, [deadly])
    assert [envelope["id"] for envelope in bus.envelopes()] == [event_id]
    assert redrive(mapping.s3, Lambda(), mapping.bucket, "outbox").records == 0


@pytest.mark.usefixtures("letters")
def test_a_crash_that_passes_leaves_nothing_behind(
    host: Caller, bus: Bus, stream: Stream, mapping: Mapping, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P6: e.g. a time limit met twice; every link has one entry, and each event has the same id however often told."""
    records = _made(host, stream)
    monkeypatch.setattr(relay, "record_history", _dying_over(records[7], times=2))
    mapping.run(outbox.consume, records)
    assert list(crashes(mapping.s3, mapping.bucket)) == []
    entries = _entries(host, records)
    assert [len(ids) for ids in entries] == [1] * 9
    assert {envelope["id"] for envelope in bus.envelopes()} == {ids[0] for ids in entries}


@pytest.mark.usefixtures("letters")
def test_a_function_that_can_not_even_start_loses_no_record(
    host: Caller, bus: Bus, stream: Stream, mapping: Mapping, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P6: e.g. settings that can't be read: each record ends whole in the bucket, and comes out by one command."""
    records = _made(host, stream, 5)

    def world() -> None:
        raise RuntimeError("no settings")

    with monkeypatch.context() as patch:
        patch.setattr(bootstrap, "world", world)
        mapping.run(outbox.consume, records)
    assert _put_away(mapping) == records
    assert bus.envelopes() == []
    done = redrive(mapping.s3, Lambda(), mapping.bucket, "outbox")
    assert (done.records, done.left) == (5, {})
    entries = _entries(host, records)
    assert sorted(envelope["id"] for envelope in bus.envelopes()) == sorted(ids[0] for ids in entries)
    assert [len(ids) for ids in entries] == [1] * 5


def test_what_lies_with_a_deadly_record_does_not_wait_for_it(
    host: Caller, bus: Bus, letters: Inbox, stream: Stream, mapping: Mapping, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P6: Lambda may put several failed records into one object; and an object that is none of ours is left alone."""
    records = _made(host, stream, 3)
    mapping._put_away(records, EVERY_TRY)
    mapping.s3.put_object(Bucket=mapping.bucket, Key="zz-of-someone-else", Body=b'{"payload": 7}')
    with monkeypatch.context() as patch:
        patch.setattr(relay, "record_history", _dying_over(records[0]))
        done = redrive(mapping.s3, Lambda(), mapping.bucket, "outbox")
    assert (done.records, len(done.left)) == (2, 2)
    assert [len(ids) for ids in _entries(host, records)] == [0, 1, 1]
    done = redrive(mapping.s3, Lambda(), mapping.bucket, "outbox")
    assert (done.records, list(done.left.values())) == (3, ["it contains no batch of stream records"])
    assert [len(ids) for ids in _entries(host, records)] == [1, 1, 1]
    assert {envelope["linkId"] for envelope in bus.envelopes()} == {
        record["dynamodb"]["Keys"]["pk"]["S"].removeprefix("LINK#") for record in records
    }
    assert letters.take() == []


def test_the_command_waits_for_as_long_as_the_function_runs() -> None:
    """Else a slow batch is told and its object stays."""
    assert read_config(ROOT)["lambda_functions"]["outbox"]["lambda_timeout"] == _FUNCTION_SECONDS
