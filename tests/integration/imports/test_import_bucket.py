"""The import bucket: each row creates one link despite crashes and repeats; the result lies beside it (P1, P4, P9)."""

import csv
import io
import json
import secrets
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import pytest

from chalicelib import bootstrap
from chalicelib.consumers.imports import consume
from chalicelib.domain.errors import StoreUnavailableError
from chalicelib.domain.imports.sheet import RESULT_COLUMNS
from chalicelib.service.imports import import_file
from chalicelib.service.links.generate import CHUNK
from infra.local.aws import local_client
from tests.support.app import BASE_URL, Caller, Site, unknown_id
from tests.support.aws.bus import Bus, Stream, deliver as tell
from tests.support.commands import Deadline, listening, records
from tests.support.event_schemas import faults_of

GOOD: Final = "label,recipientEmail\nA,a@invitees.example\nB,b@invitees.example\n"
BAD: Final = "label,recipientEmail,durationMinutes\nA,,\nB,nobody,\nC,,x\nD,,15\n"


class Bucket:
    """An import bucket, and what is dropped in it."""

    def __init__(self, endpoint_url: str, bus: Bus) -> None:
        self.s3: Any = local_client("s3", endpoint_url)
        self.bus = bus
        self.name = f"imports-{secrets.token_hex(6)}"
        self.s3.create_bucket(Bucket=self.name)

    def drop(self, key: str, text: str | bytes, *, size: int | None = None, **metadata: str) -> str:
        """Put a file and return the message that S3, EventBridge and SQS make of it."""
        body = text if isinstance(text, bytes) else text.encode()
        etag = self.s3.put_object(Bucket=self.name, Key=key, Body=body, Metadata=metadata)["ETag"]
        found = {"key": key, "size": size or len(body), "etag": etag.strip('"'), "sequencer": "0"}
        return json.dumps(
            {
                "version": "0", "id": "e", "detail-type": "Object Created", "source": "aws.s3", "account": "1",
                "time": "2026-11-21T09:00:00Z", "region": "us-east-1", "resources": [],
                "detail": {"version": "0", "bucket": {"name": self.name}, "object": found, "reason": "PutObject"},
            }
        )  # fmt: skip

    def result(self, key: str) -> list[dict[str, str]]:
        """Return the rows of a result."""
        text = self.s3.get_object(Bucket=self.name, Key=key)["Body"].read().decode()
        assert text.startswith("\ufeff")  # people open it in Excel
        text = text.removeprefix("\ufeff")
        rows = list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
        assert not rows or tuple(rows[0]) == RESULT_COLUMNS
        return rows

    def has(self, key: str) -> bool:
        return bool(self.s3.list_objects_v2(Bucket=self.name, Prefix=key).get("KeyCount"))

    def told(self) -> list[dict[str, Any]]:
        """Return the notices since the last look; each is what its schema says."""
        found = self.bus.envelopes()
        assert [fault for one in found for fault in faults_of(one)] == []
        return found


@pytest.fixture
def bucket(site: Site, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    with listening(site, monkeypatch) as (bus, _):
        yield Bucket(site.table.endpoint_url, bus)


def place(host: Caller, event_type: dict[str, Any], name: str = "a.csv") -> tuple[str, str]:
    """Return a file's key, and its result's."""
    where = f"{host.host_id}/{event_type['eventTypeId']}/{name}"
    return f"imports/{where}", f"results/{where}"


def deliver(*bodies: str, context: object = None) -> list[str]:
    answer = consume(records(*bodies), context)
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def test_each_row_becomes_a_link_and_the_result_has_its_url(host: Caller, bucket: Bucket) -> None:
    event_type = host.event_type()
    key, result = place(host, event_type)

    assert deliver(bucket.drop(key, GOOD)) == []

    rows = bucket.result(result)
    assert [(row["line"], row["label"], row["status"], row["error"]) for row in rows] == [
        ("2", "A", "active", ""),
        ("3", "B", "active", ""),
    ]
    links = [host.reread(row) for row in rows]
    assert [link["url"] for link in links] == [row["url"] for row in rows]
    assert rows[0]["url"].startswith(f"{BASE_URL}/s/")
    (told,) = bucket.told()
    assert (told["type"], told["hostId"], told["eventTypeId"]) == (
        "import.completed",
        host.host_id,
        event_type["eventTypeId"],
    )
    assert (told["data"]["rows"], told["data"]["made"], told["data"]["resultKey"]) == (2, 2, result)
    assert host.list(batchId=told["data"]["batchId"])["links"] == links


def test_the_same_file_delivered_again_makes_nothing_more(host: Caller, bucket: Bucket) -> None:
    """P4: also when a link of it was revoked meanwhile; the result says how it now stands."""
    key, result = place(host, host.event_type())
    message = bucket.drop(key, GOOD)
    assert deliver(message) == []
    first = bucket.result(result)
    host.post(f"/v1/links/{first[0]['linkId']}/revoke")

    assert deliver(message, message) == []

    assert [row["linkId"] for row in bucket.result(result)] == [row["linkId"] for row in first]
    assert [row["status"] for row in bucket.result(result)] == ["revoked", "active"]
    assert len(host.list()["links"]) == 2
    assert len({one["id"] for one in bucket.told()}) == 1


def test_another_file_or_another_content_is_another_import(host: Caller, bucket: Bucket) -> None:
    event_type = host.event_type()
    messages = [
        bucket.drop(place(host, event_type, name)[0], text)
        for name, text in (("a.csv", GOOD), ("b.csv", GOOD))
    ]
    assert deliver(*messages) == []
    assert deliver(bucket.drop(place(host, event_type)[0], GOOD + "C,c@invitees.example\n")) == []

    assert len(host.list()["links"]) == 7


def test_links_made_by_a_file_say_so(site: Site, host: Caller, bucket: Bucket) -> None:
    """P6: each link's event has the import's id, and so has the notice."""
    event_type = host.event_type()
    stream = Stream(site)
    stream.records()
    assert deliver(bucket.drop(place(host, event_type)[0], GOOD)) == []
    (done,) = bucket.told()

    tell(stream.records())

    created = bucket.told()
    assert {one["correlationId"] for one in created} == {done["correlationId"]}
    assert {one["actor"] for one in created} == {f"import:{done['correlationId']}"}


def test_of_a_bad_file_nothing_is_made_and_the_result_says_why_by_row(host: Caller, bucket: Bucket) -> None:
    key, result = place(host, host.event_type())

    assert deliver(bucket.drop(key, BAD)) == []

    rows = bucket.result(result)
    assert [(row["line"], row["label"], row["status"], bool(row["error"])) for row in rows] == [
        ("2", "A", "not made", False),
        ("3", "B", "invalid", True),
        ("4", "C", "invalid", True),
        ("5", "D", "not made", False),
    ]
    assert rows[1]["error"].startswith("recipientEmail: ")
    (told,) = bucket.told()
    assert (told["type"], told["data"]["resultKey"]) == ("import.failed", result)
    assert "2 of 4 rows" in told["data"]["problem"]["detail"]
    assert host.list()["links"] == []


def test_with_partial_the_good_rows_are_made(host: Caller, bucket: Bucket) -> None:
    key, result = place(host, host.event_type())

    assert deliver(bucket.drop(key, BAD, partial="true")) == []

    assert [row["status"] for row in bucket.result(result)] == ["active", "invalid", "invalid", "active"]
    (told,) = bucket.told()
    assert (told["data"]["rows"], told["data"]["made"]) == (4, 2)
    assert len(host.list()["links"]) == 2


@pytest.mark.parametrize("partial", ["false", "", "0"])
def test_with_partial_anything_but_true_all_rows_are_made_or_none(
    host: Caller, bucket: Bucket, partial: str
) -> None:
    key, _ = place(host, host.event_type())

    assert deliver(bucket.drop(key, BAD, partial=partial)) == []

    assert [one["type"] for one in bucket.told()] == ["import.failed"]
    assert host.list()["links"] == []


def test_a_link_deleted_since_counts_as_made(host: Caller, bucket: Bucket) -> None:
    """P4: the same file again is told as it was the first time, and brings nothing back."""
    key, result = place(host, host.event_type())
    message = bucket.drop(key, GOOD)
    assert deliver(message) == []
    gone = bucket.result(result)[0]
    assert host.delete(f"/v1/links/{gone['linkId']}").status_code == 204

    assert deliver(message) == []

    assert [one["data"]["made"] for one in bucket.told()] == [2, 2]
    first = bucket.result(result)[0]
    assert (first["linkId"], first["url"]) == (gone["linkId"], "")
    assert len(host.list()["links"]) == 1


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (b"", "1"),
        (b"colour\nred\n", "1"),
        (b"label\n", "1"),
        (b"label\nA,B\n", "2"),
        (b'label\n"A\n', "2"),
        (b"label\n\xff\n", "2"),
        (b"label\n" + b"A\n" * 10_001, "10002"),
    ],
)
def test_a_file_that_is_no_table_has_its_fault_by_line(
    host: Caller, bucket: Bucket, text: bytes, line: str
) -> None:
    key, result = place(host, host.event_type())

    assert deliver(bucket.drop(key, text)) == []

    (row,) = bucket.result(result)
    assert (row["line"], row["status"], bool(row["error"])) == (line, "invalid", True)
    assert [one["type"] for one in bucket.told()] == ["import.failed"]


def test_a_file_that_is_too_large_is_not_read(
    host: Caller, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_file, "MAX_BYTES", len(GOOD) - 1)
    key, result = place(host, host.event_type())

    assert deliver(bucket.drop(key, GOOD)) == []

    (row,) = bucket.result(result)
    assert "bytes" in row["error"]
    (told,) = bucket.told()
    assert told["data"]["problem"]["status"] == 413


def test_a_key_of_another_form_is_told_and_nothing_is_made(host: Caller, bucket: Bucket) -> None:
    event_type_id = host.event_type()["eventTypeId"]
    for key in (
        "imports/a.csv",
        f"imports/{host.host_id}/a.csv",
        f"imports/{host.host_id}/{event_type_id}/a.txt",
        f"imports/{host.host_id}/{event_type_id}/x/a.csv",
        f"imports/{host.host_id}/{event_type_id}/.csv/",
        f"imports/{event_type_id}/{host.host_id}/a.csv",
    ):
        assert deliver(bucket.drop(key, GOOD)) == []
        (told,) = bucket.told()
        assert (told["type"], told["data"]["key"], told["data"]["resultKey"]) == ("import.failed", key, None)
    assert host.list()["links"] == []
    assert not bucket.has("results/")


def test_another_hosts_event_type_is_not_found(host: Caller, other: Caller, bucket: Bucket) -> None:
    """P9: the prefix that IAM lets a sender write is all that it can make links for."""
    for event_type in (other.event_type(), {"eventTypeId": unknown_id("ety")}):
        key, result = place(host, event_type)

        assert deliver(bucket.drop(key, GOOD)) == []

        (told,) = bucket.told()
        assert told["data"]["problem"]["status"] == 404
        assert [row["status"] for row in bucket.result(result)] == ["not made", "not made"]
    assert other.list()["links"] == []


def test_a_file_that_is_gone_or_overwritten_is_told(host: Caller, bucket: Bucket) -> None:
    event_type = host.event_type()
    key, result = place(host, event_type)
    first = bucket.drop(key, GOOD)
    second = bucket.drop(key, GOOD.replace("A", "Z"))

    assert deliver(first) == []
    assert [one["data"]["problem"]["status"] for one in bucket.told()] == [409]
    assert not bucket.has(result)
    assert deliver(second) == []
    assert [row["label"] for row in bucket.result(result)] == ["Z", "B"]
    bucket.told()

    third = bucket.drop(place(host, event_type, "gone.csv")[0], GOOD)
    bucket.s3.delete_object(Bucket=bucket.name, Key=place(host, event_type, "gone.csv")[0])
    assert deliver(third) == []
    assert [one["data"]["problem"]["status"] for one in bucket.told()] == [409]


def test_of_a_versioned_object_the_version_that_was_dropped_is_read(host: Caller, bucket: Bucket) -> None:
    """Overwritten on the way, it is imported all the same: what was begun of it is not left half made."""
    bucket.s3.put_bucket_versioning(Bucket=bucket.name, VersioningConfiguration={"Status": "Enabled"})
    key, result = place(host, host.event_type())
    message = json.loads(bucket.drop(key, GOOD))
    versions = bucket.s3.list_object_versions(Bucket=bucket.name)["Versions"]
    message["detail"]["object"]["version-id"] = versions[0]["VersionId"]
    bucket.drop(key, "label\nlater\n")

    assert deliver(json.dumps(message)) == []

    assert [row["label"] for row in bucket.result(result)] == ["A", "B"]


@pytest.mark.parametrize("body", ["", "{}", '{"detail": {}}', "[]"])
def test_a_message_that_is_no_event_of_s3_is_left_to_the_dead_letter_queue(bucket: Bucket, body: str) -> None:
    assert deliver(body) == ["m-0"]
    assert bucket.told() == []


@pytest.mark.parametrize("service", ["S3", "EVENTBRIDGE"])
def test_while_a_service_does_not_answer_the_file_comes_again(
    host: Caller, bucket: Bucket, monkeypatch: pytest.MonkeyPatch, service: str
) -> None:
    key, result = place(host, host.event_type())
    message = bucket.drop(key, GOOD)
    with monkeypatch.context() as patch:
        patch.setenv(f"AWS_ENDPOINT_URL_{service}", "http://127.0.0.1:9")
        patch.setattr("time.sleep", lambda _: None)
        bootstrap.forget()
        assert deliver(message) == ["m-0"]
    bootstrap.forget()

    assert deliver(message) == []

    assert len(bucket.result(result)) == len(host.list()["links"]) == 2
    assert [one["type"] for one in bucket.told()] == ["import.completed"]


def test_while_the_store_does_not_answer_no_result_says_that_the_file_was_refused(
    site: Site, host: Caller, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever waits for the result would take it for the end; the next delivery writes the true one."""
    key, result = place(host, host.event_type())
    message = bucket.drop(key, GOOD)
    monkeypatch.setattr("time.sleep", lambda _: None)
    bootstrap.forget()
    with site.failing("TransactWriteItems", StoreUnavailableError()):
        assert deliver(message) == ["m-0"]
    assert (bucket.has(result), bucket.told()) == (False, [])

    assert deliver(message) == []

    assert [row["status"] for row in bucket.result(result)] == ["active", "active"]


def test_a_file_whose_time_runs_out_is_gone_on_with(host: Caller, bucket: Bucket) -> None:
    """P4: each delivery makes some; none twice, none left out; the log tells how far it is."""
    key, result = place(host, host.event_type())
    message = bucket.drop(key, "label\n" + "".join(f"L{n}\n" for n in range(3 * CHUNK + 10)))

    for looks in (0, 2):
        assert deliver(message, context=Deadline(looks)) == ["m-0"]
        assert not bucket.has(result)
    assert deliver(message, context=Deadline(100)) == []

    rows = bucket.result(result)
    assert [row["label"] for row in rows] == [f"L{n}" for n in range(3 * CHUNK + 10)]
    assert len({row["linkId"] for row in rows}) == len(rows)
    (told,) = bucket.told()
    assert told["data"]["made"] == 3 * CHUNK + 10


def test_the_log_tells_the_progress_and_no_url(
    host: Caller, bucket: Bucket, caplog: pytest.LogCaptureFixture
) -> None:
    """P7: how far it is, and nothing that opens a link."""
    key, result = place(host, host.event_type())
    with caplog.at_level("INFO"):
        assert deliver(bucket.drop(key, "label\n" + "A\n" * 250)) == []

    for line in ("99 of 250 links exist", "198 of 250", "250 of 250", "250 links of 250 rows"):
        assert line in caplog.text
    urls = [row["url"] for row in bucket.result(result)]
    told = json.dumps(bucket.told())
    assert not [url for url in urls if url.rpartition("/")[2] in caplog.text + told]


def test_two_deliveries_at_once_make_one_set(host: Caller, bucket: Bucket) -> None:
    """P4: SQS may hand the same message to two functions."""
    key, result = place(host, host.event_type())
    message = bucket.drop(key, "label\n" + "".join(f"L{n}\n" for n in range(199)))
    gate = threading.Barrier(6)

    def one() -> list[str]:
        gate.wait()
        return deliver(message)

    with ThreadPoolExecutor(6) as pool:
        answers = [done.result() for done in [pool.submit(one) for _ in range(6)]]
    while any(answers):
        answers = [deliver(message)]

    rows = bucket.result(result)
    (batch,) = {one["data"]["batchId"] for one in bucket.told()}
    listed = host.list(batchId=batch, limit="200")["links"]
    assert [row["linkId"] for row in rows] == [link["linkId"] for link in listed]
    assert len(listed) == 199
