"""Events of the deployed stack: from a change at the REST API out onto the bus, and back from the dead letters."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import pytest

from tests.deployed.conftest import Stack
from tests.event_schemas import faults_of
from tests.integration.doors import ALL_DAY
from tests.integration.outside import Inbox

_T = TypeVar("_T")


def _until(look: Callable[[], _T], enough: Callable[[_T], bool]) -> _T:
    """Return what there is once it is enough; at the latest after a minute, as it then is."""
    give_up = time.monotonic() + 60
    while True:
        found = look()
        if enough(found) or time.monotonic() > give_up:
            return found
        time.sleep(0.1)


@pytest.fixture
def inbox(stack: Stack) -> Iterator[Inbox]:
    """A queue that gets whatever comes out on the stack's bus."""
    inbox, events = Inbox(stack.engine.endpoint_url), stack.client("events")
    bus = stack.physical_id("EventBus")
    events.put_rule(Name=inbox.name, EventBusName=bus, EventPattern=json.dumps({"source": ["admit-one"]}))
    events.put_targets(Rule=inbox.name, EventBusName=bus, Targets=[{"Id": "inbox", "Arn": inbox.arn}])
    yield inbox
    events.remove_targets(Rule=inbox.name, EventBusName=bus, Ids=["inbox"])
    events.delete_rule(Name=inbox.name, EventBusName=bus)
    inbox.remove()


def _link(stack: Stack) -> dict[str, Any]:
    with stack.http() as http:
        host = http.post("/v1/hosts", json={"name": "A", "email": "a@hosts.example", "timeZone": "UTC"})
        event_type = http.post(
            "/v1/event-types",
            json={"hostId": host.json()["hostId"], "title": "T", "durationMinutes": 30, "schedule": ALL_DAY},
        )
        asked = {"eventTypeId": event_type.json()["eventTypeId"], "externalId": "deal-1"}
        made = http.post("/v1/links", json=asked)
        assert made.status_code == 201, made.text
        link: dict[str, Any] = made.json()["links"][0]
        return link


def _waiting(inbox: Inbox, link: dict[str, Any], wanted: set[str]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []

    def look() -> list[dict[str, Any]]:
        found.extend(e["detail"] for e in inbox.take() if e["detail"]["linkId"] == link["linkId"])
        return found

    return _until(look, lambda events: wanted <= {event["type"] for event in events})


def test_a_links_life_comes_out_on_the_bus(stack: Stack, inbox: Inbox) -> None:
    """P6, P7: made, revoked, deleted by its host: the filter lets all of it through, and it fits the schemas."""
    link = _link(stack)
    with stack.http() as http:
        assert http.post(f"/v1/links/{link['linkId']}/revoke").status_code == 200
        assert http.delete(f"/v1/links/{link['linkId']}").status_code == 204
    events = _waiting(inbox, link, {"link.created", "link.revoked", "link.deleted"})
    assert {event["type"] for event in events} == {"link.created", "link.revoked", "link.deleted"}
    assert [fault for event in events for fault in faults_of(event)] == []
    assert {event["externalId"] for event in events} == {"deal-1"}
    assert link["url"].rpartition("/")[2] not in json.dumps(events)


def test_a_dead_letter_that_is_moved_to_the_retry_queue_is_told(stack: Stack, inbox: Inbox) -> None:
    """P6: the way back from the DLQ; the event has the id it would have had."""
    link = _link(stack)
    (told,) = _waiting(inbox, link, {"link.created"})[:1]
    image = stack.client("dynamodb").get_item(
        TableName=stack.physical_id("Table"), Key={"pk": {"S": f"LINK#{link['linkId']}"}, "sk": {"S": "LINK"}}
    )["Item"]
    keys = {name: image[name] for name in ("pk", "sk")}
    change = {"Keys": keys, "NewImage": image, "SequenceNumber": "1", "ApproximateCreationDateTime": 1.0}
    letter = {"reason": "bus: down", "failedAt": "2026-11-21T00:00:00.000Z", "record": {"dynamodb": change}}
    sqs = stack.client("sqs")
    queue = stack.physical_id("OutboxRetryQueue")
    sqs.send_message(QueueUrl=queue, MessageBody=json.dumps(letter))
    (again,) = _waiting(inbox, link, {"link.created"})[:1]
    assert again["id"] == told["id"]
