"""A CSV in the deployed stack's bucket is imported: S3, EventBridge, the queue, the function, the result."""

import csv
import io
import json
from typing import Any

from chalicelib.domain.links.link import MAX_LINKS_PER_BATCH
from tests.deployed.conftest import Stack
from tests.deployed.host_fixtures import event_type_of, links_of
from tests.support.proof.size import size
from tests.support.waiting import until


def drop(stack: Stack, where: str, text: str) -> None:
    s3 = stack.client("s3")
    s3.put_object(Bucket=stack.outputs["ImportBucketName"], Key=f"imports/{where}", Body=text.encode())


def result(stack: Stack, where: str) -> list[dict[str, str]]:
    """Wait for a result and return its rows."""
    s3, bucket = stack.client("s3"), stack.outputs["ImportBucketName"]

    def look() -> str | None:
        found: Any = s3.list_objects_v2(Bucket=bucket, Prefix=f"results/{where}")
        if not found["KeyCount"]:
            return None
        body: bytes = s3.get_object(Bucket=bucket, Key=f"results/{where}")["Body"].read()
        return body.decode("utf-8-sig")

    text = until(look)
    assert text is not None
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


def test_an_uploaded_file_becomes_links_and_a_result(stack: Stack) -> None:
    event_type = event_type_of(stack)
    where = f"{event_type['hostId']}/{event_type['eventTypeId']}/Gäste 1+1.csv"

    drop(stack, where, "label,recipientEmail\nA,a@invitees.example\nB,b@invitees.example\n")

    rows = result(stack, where)
    assert [(row["label"], row["status"]) for row in rows] == [("A", "active"), ("B", "active")]
    links = links_of(stack, event_type["hostId"])
    assert {link["url"] for link in links} == {row["url"] for row in rows}
    assert rows[0]["url"].startswith(f"{stack.api_url}/s/")


def test_a_bad_file_has_a_result_and_its_message_is_deleted(stack: Stack) -> None:
    event_type = event_type_of(stack)
    where = f"{event_type['hostId']}/{event_type['eventTypeId']}/bad.csv"

    drop(stack, where, "label,recipientEmail\nA,nobody\n")

    (row,) = result(stack, where)
    assert row["status"] == "invalid"
    assert links_of(stack, event_type["hostId"]) == []
    sqs, url = stack.client("sqs"), stack.physical_id("ImportQueue")
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]

    def waiting() -> int:
        found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return sum(int(count) for count in found.values())

    assert until(waiting, lambda count: count == 0) == 0


def test_a_large_file_is_one_import(stack: Stack) -> None:
    """All its links are in one batch; with the most rows of a file in `make proof`."""
    count = size(2_000, MAX_LINKS_PER_BATCH)
    event_type = event_type_of(stack)
    where = f"{event_type['hostId']}/{event_type['eventTypeId']}/many.csv"

    drop(stack, where, "externalId\n" + "".join(f"x-{n}\n" for n in range(count)))

    rows = result(stack, where)
    assert [row["externalId"] for row in rows] == [f"x-{n}" for n in range(count)]
    assert {row["status"] for row in rows} == {"active"}
    assert len({row["linkId"] for row in rows}) == count
    (last,) = links_of(stack, event_type["hostId"], q=f"x-{count - 1}")
    assert (last["linkId"], last["url"]) == (rows[-1]["linkId"], rows[-1]["url"])


def test_the_bucket_is_private_encrypted_and_expires_objects(stack: Stack) -> None:
    """The results contain the URLs of links."""
    resources = stack.package.read_template()["Resources"]
    bucket = resources["ImportBucket"]["Properties"]
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert bucket["LifecycleConfiguration"]["Rules"][0]["ExpirationInDays"] == {"Ref": "ImportDays"}
    policy = json.dumps(resources["ImportBucketPolicy"]["Properties"]["PolicyDocument"])
    assert '"Deny"' in policy
    assert "aws:SecureTransport" in policy
