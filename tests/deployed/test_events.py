"""P6 in the deployed stack: changes over HTTP become events on the bus, and dead letters can be redriven."""

import json
from typing import Any

import pytest

from infra.operate import redrive
from tests.deployed.conftest import NAME, Stack
from tests.deployed.host_fixtures import event_type_of
from tests.support.aws.bus import Inbox
from tests.support.event_schemas import faults_of
from tests.support.waiting import until


def _link(stack: Stack) -> dict[str, Any]:
    body = {"eventTypeId": event_type_of(stack)["eventTypeId"], "externalId": "deal-1"}
    with stack.http() as http:
        created = http.post("/v1/links", json=body)
    assert created.status_code == 201, created.text
    link: dict[str, Any] = created.json()["links"][0]
    return link


def _waiting(inbox: Inbox, link: dict[str, Any], wanted: set[str]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []

    def look() -> list[dict[str, Any]]:
        found.extend(e["detail"] for e in inbox.take() if e["detail"]["linkId"] == link["linkId"])
        return found

    return until(look, lambda events: wanted <= {event["type"] for event in events})


def test_every_change_of_a_link_is_published(stack: Stack, inbox: Inbox) -> None:
    """P6, P7: created, revoked and deleted: the mapping's filter passes all changes, and the events fit the schemas."""
    link = _link(stack)
    with stack.http() as http:
        assert http.post(f"/v1/links/{link['linkId']}/revoke").status_code == 200
        assert http.delete(f"/v1/links/{link['linkId']}").status_code == 204
    events = _waiting(inbox, link, {"link.created", "link.revoked", "link.deleted"})
    assert {event["type"] for event in events} == {"link.created", "link.revoked", "link.deleted"}
    assert [fault for event in events for fault in faults_of(event)] == []
    assert {event["externalId"] for event in events} == {"deal-1"}
    assert link["url"].rpartition("/")[2] not in json.dumps(events)


def test_a_dead_letter_that_is_redriven_to_the_retry_queue_is_published(stack: Stack, inbox: Inbox) -> None:
    """P6: the event has the same id as if it had been published at first."""
    link = _link(stack)
    (published,) = _waiting(inbox, link, {"link.created"})[:1]
    record = {"dynamodb": _change(stack, link)}
    letter = {"reason": "bus: down", "failedAt": "2026-11-21T00:00:00.000Z", "record": record}
    sqs = stack.client("sqs")
    queue = stack.physical_id("OutboxRetryQueue")
    sqs.send_message(QueueUrl=queue, MessageBody=json.dumps(letter))
    (again,) = _waiting(inbox, link, {"link.created"})[:1]
    assert again["id"] == published["id"]


def test_records_that_crashed_the_function_are_published_by_make_redrive_outbox(
    stack: Stack, inbox: Inbox, capsys: pytest.CaptureFixture[str]
) -> None:
    """P6: it reads the deployed bucket, with an object in Lambda's format, and invokes the deployed function."""
    link = _link(stack)
    (published,) = _waiting(inbox, link, {"link.created"})[:1]
    record = {"eventName": "INSERT", "eventSource": "aws:dynamodb", "dynamodb": _change(stack, link)}
    body = {"version": "1.0", "payload": json.dumps({"Records": [record]})}
    s3, bucket = stack.client("s3"), stack.outputs["OutboxCrashesBucketName"]
    s3.put_object(Bucket=bucket, Key="aws/lambda/mapping/shard/object", Body=json.dumps(body).encode())
    assert redrive.main(["--stage", NAME.removeprefix("admit-one-")]) == 0
    assert capsys.readouterr().out == "Records processed: 1.\n"
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
    (again,) = _waiting(inbox, link, {"link.created"})[:1]
    assert again["id"] == published["id"]


def _change(stack: Stack, link: dict[str, Any]) -> dict[str, Any]:
    """Return the stream record of a link's creation."""
    image = stack.client("dynamodb").get_item(
        TableName=stack.physical_id("Table"), Key={"pk": {"S": f"LINK#{link['linkId']}"}, "sk": {"S": "LINK"}}
    )["Item"]
    keys = {name: image[name] for name in ("pk", "sk")}
    return {"Keys": keys, "NewImage": image, "SequenceNumber": "1", "ApproximateCreationDateTime": 1.0}
