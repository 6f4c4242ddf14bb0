"""The import bucket: each row creates one link despite redelivery, and a result file lists them (P1, P4, P9)."""

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
from infra.local.engines.ministack import Ministack
from tests.support.app import BASE_URL, Caller, Site, unknown_id
from tests.support.aws.bus import Bus, Stream, deliver as publish
from tests.support.commands import Deadline, listening, records
from tests.support.event_schemas import faults_of
from tests.support.log_lines import logged

GOOD: Final = "label,recipientEmail\nA,a@invitees.example\nB,b@invitees.example\n"
BAD: Final = "label,recipientEmail,durationMinutes\nA,,\nB,nobody,\nC,,x\nD,,15\n"


class Bucket:
    """An import bucket and its files."""

    def __init__(self, endpoint_url: str, bus: Bus) -> None:
        self.s3: Any = local_client("s3", endpoint_url)
        self.bus = bus
        self.name = f"imports-{secrets.token_hex(6)}"
        self.s3.create_bucket(Bucket=self.name)

    def upload(self, key: str, text: str | bytes, *, size: int | None = None, **metadata: str) -> str:
        """Upload a file and return the message that SQS gets from S3 through EventBridge."""
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
        """Return the rows of a result file."""
        text = self.s3.get_object(Bucket=self.name, Key=key)["Body"].read().decode()
        assert text.startswith("\ufeff")  # people open it in Excel
        text = text.removeprefix("\ufeff")
        rows = list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
        assert not rows or tuple(rows[0]) == RESULT_COLUMNS
        return rows

    def has(self, key: str) -> bool:
        return bool(self.s3.list_objects_v2(Bucket=self.name, Prefix=key).get("KeyCount"))

    def messages(self) -> list[dict[str, Any]]:
        """Return the bus's new messages, after checking each against its schema."""
        found = self.bus.envelopes()
        assert [fault for one in found for fault in faults_of(one)] == []
        return found


@pytest.fixture
def bucket(site: Site, ministack: Ministack, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    del site
    with listening(ministack.endpoint_url, monkeypatch) as (bus, _):
        yield Bucket(ministack.endpoint_url, bus)


def place(host: Caller, event_type: dict[str, Any], name: str = "a.csv") -> tuple[str, str]:
    """Return the keys of a file and of its result."""
    where = f"{host.host_id}/{event_type['eventTypeId']}/{name}"
    return f"imports/{where}", f"results/{where}"


def deliver(*bodies: str, context: object = None) -> list[str]:
    answer = consume(records(*bodies), context)
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def test_each_row_creates_a_link_and_the_result_has_its_url(host: Caller, bucket: Bucket) -> None:
    event_type = host.event_type()
    key, result = place(host, event_type)

    assert deliver(bucket.upload(key, GOOD)) == []

    rows = bucket.result(result)
    assert [(row["line"], row["label"], row["status"], row["error"]) for row in rows] == [
        ("2", "A", "active", ""),
        ("3", "B", "active", ""),
    ]
    links = [host.reread(row) for row in rows]
    assert [link["url"] for link in links] == [row["url"] for row in rows]
    assert rows[0]["url"].startswith(f"{BASE_URL}/s/")
    (notice,) = bucket.messages()
    assert (notice["type"], notice["hostId"], notice["eventTypeId"]) == (
        "import.completed",
        host.host_id,
        event_type["eventTypeId"],
    )
    assert (notice["data"]["rows"], notice["data"]["made"], notice["data"]["resultKey"]) == (2, 2, result)
    assert host.list(batchId=notice["data"]["batchId"])["links"] == links


def test_a_redelivered_file_creates_nothing(host: Caller, bucket: Bucket) -> None:
    """P4: the result has the links' current status, for example of one that was revoked meanwhile."""
    key, result = place(host, host.event_type())
    message = bucket.upload(key, GOOD)
    assert deliver(message) == []
    first = bucket.result(result)
    host.post(f"/v1/links/{first[0]['linkId']}/revoke")

    assert deliver(message, message) == []

    assert [row["linkId"] for row in bucket.result(result)] == [row["linkId"] for row in first]
    assert [row["status"] for row in bucket.result(result)] == ["revoked", "active"]
    assert len(host.list()["links"]) == 2
    assert len({one["id"] for one in bucket.messages()}) == 1


def test_another_key_or_other_content_is_another_import(host: Caller, bucket: Bucket) -> None:
    event_type = host.event_type()
    messages = [
        bucket.upload(place(host, event_type, name)[0], text)
        for name, text in (("a.csv", GOOD), ("b.csv", GOOD))
    ]
    assert deliver(*messages) == []
    assert deliver(bucket.upload(place(host, event_type)[0], GOOD + "C,c@invitees.example\n")) == []

    assert len(host.list()["links"]) == 7


def test_events_of_imported_links_name_their_import(site: Site, host: Caller, bucket: Bucket) -> None:
    """P6: the links' events and the notice have the same correlation id."""
    event_type = host.event_type()
    stream = Stream(site)
    stream.records()
    assert deliver(bucket.upload(place(host, event_type)[0], GOOD)) == []
    (done,) = bucket.messages()

    publish(stream.records())

    created = bucket.messages()
    assert {one["correlationId"] for one in created} == {done["correlationId"]}
    assert {one["actor"] for one in created} == {f"import:{done['correlationId']}"}


def test_a_file_with_invalid_rows_creates_nothing_and_its_result_lists_the_errors(
    host: Caller, bucket: Bucket
) -> None:
    key, result = place(host, host.event_type())

    assert deliver(bucket.upload(key, BAD)) == []

    rows = bucket.result(result)
    assert [(row["line"], row["label"], row["status"], bool(row["error"])) for row in rows] == [
        ("2", "A", "not made", False),
        ("3", "B", "invalid", True),
        ("4", "C", "invalid", True),
        ("5", "D", "not made", False),
    ]
    assert rows[1]["error"].startswith("recipientEmail: ")
    (notice,) = bucket.messages()
    assert (notice["type"], notice["data"]["resultKey"]) == ("import.failed", result)
    assert "2 of 4 rows" in notice["data"]["problem"]["detail"]
    assert host.list()["links"] == []


def test_with_partial_the_valid_rows_create_links(host: Caller, bucket: Bucket) -> None:
    key, result = place(host, host.event_type())

    assert deliver(bucket.upload(key, BAD, partial="true")) == []

    assert [row["status"] for row in bucket.result(result)] == ["active", "invalid", "invalid", "active"]
    (notice,) = bucket.messages()
    assert (notice["data"]["rows"], notice["data"]["made"]) == (4, 2)
    assert len(host.list()["links"]) == 2


@pytest.mark.parametrize("partial", ["false", "", "0"])
def test_partial_applies_only_if_it_is_true(host: Caller, bucket: Bucket, partial: str) -> None:
    key, _ = place(host, host.event_type())

    assert deliver(bucket.upload(key, BAD, partial=partial)) == []

    assert [one["type"] for one in bucket.messages()] == ["import.failed"]
    assert host.list()["links"] == []


def test_a_link_deleted_since_counts_as_created(host: Caller, bucket: Bucket) -> None:
    """P4: a redelivered file has the same notice as the first time, and recreates nothing."""
    key, result = place(host, host.event_type())
    message = bucket.upload(key, GOOD)
    assert deliver(message) == []
    gone = bucket.result(result)[0]
    assert host.delete(f"/v1/links/{gone['linkId']}").status_code == 204

    assert deliver(message) == []

    assert [one["data"]["made"] for one in bucket.messages()] == [2, 2]
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
def test_the_result_of_an_unreadable_file_has_the_line(
    host: Caller, bucket: Bucket, text: bytes, line: str
) -> None:
    key, result = place(host, host.event_type())

    assert deliver(bucket.upload(key, text)) == []

    (row,) = bucket.result(result)
    assert (row["line"], row["status"], bool(row["error"])) == (line, "invalid", True)
    assert [one["type"] for one in bucket.messages()] == ["import.failed"]


def test_a_file_that_is_too_large_is_not_read(
    host: Caller, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_file, "MAX_BYTES", len(GOOD) - 1)
    key, result = place(host, host.event_type())

    assert deliver(bucket.upload(key, GOOD)) == []

    (row,) = bucket.result(result)
    assert "bytes" in row["error"]
    (notice,) = bucket.messages()
    assert notice["data"]["problem"]["status"] == 413


def test_a_malformed_key_is_reported_and_creates_nothing(host: Caller, bucket: Bucket) -> None:
    event_type_id = host.event_type()["eventTypeId"]
    for key in (
        "imports/a.csv",
        f"imports/{host.host_id}/a.csv",
        f"imports/{host.host_id}/{event_type_id}/a.txt",
        f"imports/{host.host_id}/{event_type_id}/x/a.csv",
        f"imports/{host.host_id}/{event_type_id}/.csv/",
        f"imports/{event_type_id}/{host.host_id}/a.csv",
    ):
        assert deliver(bucket.upload(key, GOOD)) == []
        (notice,) = bucket.messages()
        assert (notice["type"], notice["data"]["key"], notice["data"]["resultKey"]) == (
            "import.failed",
            key,
            None,
        )
    assert host.list()["links"] == []
    assert not bucket.has("results/")


def test_another_hosts_event_type_is_not_found(host: Caller, other: Caller, bucket: Bucket) -> None:
    """P9: a sender can import only for the host whose prefix IAM lets it write."""
    for event_type in (other.event_type(), {"eventTypeId": unknown_id("ety")}):
        key, result = place(host, event_type)

        assert deliver(bucket.upload(key, GOOD)) == []

        (notice,) = bucket.messages()
        assert notice["data"]["problem"]["status"] == 404
        assert [row["status"] for row in bucket.result(result)] == ["not made", "not made"]
    assert other.list()["links"] == []


def test_a_deleted_or_overwritten_file_is_reported(host: Caller, bucket: Bucket) -> None:
    event_type = host.event_type()
    key, result = place(host, event_type)
    first = bucket.upload(key, GOOD)
    second = bucket.upload(key, GOOD.replace("A", "Z"))

    assert deliver(first) == []
    assert [one["data"]["problem"]["status"] for one in bucket.messages()] == [409]
    assert not bucket.has(result)
    assert deliver(second) == []
    assert [row["label"] for row in bucket.result(result)] == ["Z", "B"]
    bucket.messages()

    third = bucket.upload(place(host, event_type, "gone.csv")[0], GOOD)
    bucket.s3.delete_object(Bucket=bucket.name, Key=place(host, event_type, "gone.csv")[0])
    assert deliver(third) == []
    assert [one["data"]["problem"]["status"] for one in bucket.messages()] == [409]


def test_the_uploaded_version_of_a_versioned_object_is_imported(host: Caller, bucket: Bucket) -> None:
    """A later upload doesn't interrupt the import of the earlier version."""
    bucket.s3.put_bucket_versioning(Bucket=bucket.name, VersioningConfiguration={"Status": "Enabled"})
    key, result = place(host, host.event_type())
    message = json.loads(bucket.upload(key, GOOD))
    versions = bucket.s3.list_object_versions(Bucket=bucket.name)["Versions"]
    message["detail"]["object"]["version-id"] = versions[0]["VersionId"]
    bucket.upload(key, "label\nlater\n")

    assert deliver(json.dumps(message)) == []

    assert [row["label"] for row in bucket.result(result)] == ["A", "B"]


@pytest.mark.parametrize("body", ["", "{}", '{"detail": {}}', "[]"])
def test_a_message_that_is_not_an_s3_event_is_left_to_the_redrive_policy(bucket: Bucket, body: str) -> None:
    assert deliver(body) == ["m-0"]
    assert bucket.messages() == []


@pytest.mark.parametrize("service", ["S3", "EVENTBRIDGE"])
def test_a_file_is_retried_while_a_service_is_unavailable(
    host: Caller, bucket: Bucket, monkeypatch: pytest.MonkeyPatch, service: str
) -> None:
    key, result = place(host, host.event_type())
    message = bucket.upload(key, GOOD)
    with monkeypatch.context() as patch:
        patch.setenv(f"AWS_ENDPOINT_URL_{service}", "http://127.0.0.1:9")
        patch.setattr("time.sleep", lambda _: None)
        bootstrap.forget()
        assert deliver(message) == ["m-0"]
    bootstrap.forget()

    assert deliver(message) == []

    assert len(bucket.result(result)) == len(host.list()["links"]) == 2
    assert [one["type"] for one in bucket.messages()] == ["import.completed"]


def test_no_result_is_written_while_the_store_is_unavailable(
    site: Site, host: Caller, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client treats the result as final, so only the delivery that finishes the import writes it."""
    key, result = place(host, host.event_type())
    message = bucket.upload(key, GOOD)
    monkeypatch.setattr("time.sleep", lambda _: None)
    bootstrap.forget()
    with site.failing("TransactWriteItems", StoreUnavailableError()):
        assert deliver(message) == ["m-0"]
    assert (bucket.has(result), bucket.messages()) == (False, [])

    assert deliver(message) == []

    assert [row["status"] for row in bucket.result(result)] == ["active", "active"]


def test_an_import_that_runs_out_of_time_is_resumed(host: Caller, bucket: Bucket) -> None:
    """P4: each delivery creates some links; none is created twice or left out."""
    key, result = place(host, host.event_type())
    message = bucket.upload(key, "label\n" + "".join(f"L{n}\n" for n in range(3 * CHUNK + 10)))

    for looks in (0, 2):
        assert deliver(message, context=Deadline(looks)) == ["m-0"]
        assert not bucket.has(result)
    assert deliver(message, context=Deadline(100)) == []

    rows = bucket.result(result)
    assert [row["label"] for row in rows] == [f"L{n}" for n in range(3 * CHUNK + 10)]
    assert len({row["linkId"] for row in rows}) == len(rows)
    (notice,) = bucket.messages()
    assert notice["data"]["made"] == 3 * CHUNK + 10


def test_the_log_has_the_progress_and_no_url(
    host: Caller, bucket: Bucket, caplog: pytest.LogCaptureFixture
) -> None:
    """P7: neither the log nor the bus has a link's URL, and the log doesn't have the name of the file."""
    key, result = place(host, host.event_type(), "grace@invitees.example.csv")
    with caplog.at_level("INFO"):
        assert deliver(bucket.upload(key, "label\n" + "A\n" * 250)) == []

    for line in ("99 of 250 links exist", "198 of 250", "250 of 250", "250 links, 250 rows"):
        assert line in caplog.text
    urls = [row["url"] for row in bucket.result(result)]
    published = json.dumps(bucket.messages())
    assert not [url for url in urls if url.rpartition("/")[2] in logged(caplog) + published]
    assert "grace" not in logged(caplog)


def test_concurrent_deliveries_create_the_links_once(host: Caller, bucket: Bucket) -> None:
    """P4: SQS may deliver one message to several functions at the same time."""
    key, result = place(host, host.event_type())
    message = bucket.upload(key, "label\n" + "".join(f"L{n}\n" for n in range(199)))
    gate = threading.Barrier(6)

    def one() -> list[str]:
        gate.wait()
        return deliver(message)

    with ThreadPoolExecutor(6) as pool:
        answers = [done.result() for done in [pool.submit(one) for _ in range(6)]]
    while any(answers):
        answers = [deliver(message)]

    rows = bucket.result(result)
    (batch,) = {one["data"]["batchId"] for one in bucket.messages()}
    listed = host.list(batchId=batch, limit="200")["links"]
    assert [row["linkId"] for row in rows] == [link["linkId"] for link in listed]
    assert len(listed) == 199
