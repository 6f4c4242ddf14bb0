"""Commands in the deployed stack: by SQS, EventBridge, SNS and direct invocation, with results on the bus."""

import json
import secrets
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.domain.clock import rfc3339
from tests.bench.setup.site import proxy_event
from tests.deployed.conftest import COMMAND_SOURCES, NAME, Stack
from tests.deployed.host_fixtures import event_type_of, links_of
from tests.support.app import redeem_body
from tests.support.aws.bus import Inbox
from tests.support.waiting import until


def answers(inbox: Inbox, command_id: str, *wanted: str) -> dict[str, dict[str, Any]]:
    """Wait for all expected events of a command; return them by type."""
    found: dict[str, dict[str, Any]] = {}

    def look() -> dict[str, dict[str, Any]]:
        found.update(
            {
                e["detail"]["type"]: e["detail"]
                for e in inbox.take()
                if e["detail"]["correlationId"] == command_id
            }
        )
        return found

    until(look, lambda events: set(wanted) <= set(events))
    assert set(found) == set(wanted)
    return found


def by_queue(stack: Stack, body: str) -> None:
    stack.client("sqs").send_message(QueueUrl=stack.outputs["CommandQueueUrl"], MessageBody=body)


STAGE = NAME.removeprefix("admit-one-")


def by_event(
    bus: str, source: str = COMMAND_SOURCES[0], stage: str | None = None
) -> Callable[[Stack, str], None]:
    def send(stack: Stack, body: str) -> None:
        name = stack.physical_id("EventBus") if bus == "own" else "default"
        detail = json.loads(body) | ({} if stage is None else {"stage": stage})
        entry = {
            "Source": source,
            "DetailType": "admit-one.command",
            "Detail": json.dumps(detail),
            "EventBusName": name,
        }
        assert stack.client("events").put_events(Entries=[entry])["FailedEntryCount"] == 0

    return send


def by_topic(raw: str) -> Callable[[Stack, str], None]:
    def send(stack: Stack, body: str) -> None:
        sns = stack.client("sns")
        topic = sns.create_topic(Name=f"commands-{secrets.token_hex(4)}")["TopicArn"]
        sns.subscribe(
            TopicArn=topic,
            Protocol="sqs",
            Endpoint=stack.outputs["CommandQueueArn"],
            Attributes={"RawMessageDelivery": raw},
        )
        sns.publish(TopicArn=topic, Message=body)
        sns.delete_topic(TopicArn=topic)

    return send


WAYS = {
    "queue": by_queue,
    "own bus": by_event("own", "any.source"),
    "own bus, stage": by_event("own", stage=STAGE),
    "default bus": by_event("default", stage=STAGE),
    "default bus, another source": by_event("default", COMMAND_SOURCES[1], STAGE),
    "topic": by_topic("false"),
    "topic, raw": by_topic("true"),
}


@pytest.mark.parametrize("send", WAYS.values(), ids=WAYS.keys())
def test_a_command_is_executed_whichever_way_it_arrives(
    stack: Stack, inbox: Inbox, send: Callable[[Stack, str], None]
) -> None:
    event_type = event_type_of(stack)
    command_id = f"c-{secrets.token_hex(6)}"
    payload = {"hostId": event_type["hostId"], "eventTypeId": event_type["eventTypeId"], "count": 2}

    send(stack, json.dumps({"id": command_id, "command": "generate", "payload": payload}))

    events = answers(inbox, command_id, "link.created", "batch.completed")
    found = links_of(stack, event_type["hostId"], batchId=events["batch.completed"]["data"]["batchId"])
    assert len(found) == 2
    assert events["link.created"]["actor"] == f"command:{command_id}"


def test_the_default_bus_accepts_only_commands_of_listed_sources_for_this_stage_and_account(
    stack: Stack, inbox: Inbox
) -> None:
    """P9: the right to put events on the account's bus does not give the rights of an admin key."""
    event_type = event_type_of(stack)
    payload = {"hostId": event_type["hostId"], "eventTypeId": event_type["eventTypeId"]}
    good, bad = (f"c-{secrets.token_hex(6)}" for _ in range(2))
    events = stack.client("events")
    pattern = events.describe_rule(Name=stack.physical_id("CommandsOnDefaultBus").split("|")[-1])[
        "EventPattern"
    ]
    own = {
        "id": "1", "detail-type": "admit-one.command", "source": COMMAND_SOURCES[0], "account": "000000000000",
        "time": "2026-11-21T09:00:00Z", "region": "us-east-1", "resources": [], "detail": {"stage": STAGE},
    }  # fmt: skip
    others: list[dict[str, Any]] = [
        {"source": "some.other.app"}, {"account": "111111111111"}, {"detail-type": "other"},
        {"detail": {}}, {"detail": {"stage": "prod"}}, {"detail": {"stage": None}}, {"source": "crm"},
    ]  # fmt: skip

    def brought(event: dict[str, Any]) -> bool:
        result: bool = events.test_event_pattern(EventPattern=pattern, Event=json.dumps(event))["Result"]
        return result

    for send in (
        by_event("default", "some.other.app", STAGE),
        by_event("default"),
        by_event("default", stage="prod"),
    ):
        send(stack, json.dumps({"id": bad, "command": "generate", "payload": payload}))
    by_event("default", stage=STAGE)(
        stack, json.dumps({"id": good, "command": "generate", "payload": payload})
    )

    assert brought(own)
    assert [brought(own | other) for other in others] == [False] * len(others)
    answers(inbox, good, "link.created", "batch.completed")
    assert len(links_of(stack, event_type["hostId"])) == 1


def test_the_stacks_bus_accepts_no_command_with_the_source_of_the_products_events(stack: Stack) -> None:
    """P9: the functions may put events with this source, and `webhook_deliver` talks to endpoints of strangers."""
    events, bus = stack.client("events"), stack.physical_id("EventBus")
    name = stack.physical_id("CommandsOnOwnBus").split("|")[-1]
    pattern = events.describe_rule(Name=name, EventBusName=bus)["EventPattern"]
    event = {
        "id": "1", "detail-type": "admit-one.command", "account": "000000000000", "time": "2026-11-21T09:00:00Z",
        "region": "us-east-1", "resources": [], "detail": {},
    }  # fmt: skip
    accepted = {
        source: events.test_event_pattern(EventPattern=pattern, Event=json.dumps(event | {"source": source}))[
            "Result"
        ]
        for source in ("admit-one", "any.source")
    }
    assert accepted == {"admit-one": False, "any.source": True}


def test_whoever_invokes_the_http_function_has_the_rights_of_an_admin_key(stack: Stack) -> None:
    """docs/security.md lists this right. The function takes the caller from the event, as API Gateway passes it."""
    host = event_type_of(stack)["hostId"]
    answer = stack.invoke(
        "APIHandler", proxy_event("GET", "/v1/hosts/{hostId}", path={"hostId": host}, admin=True)
    )
    assert answer["statusCode"] == 200, answer
    assert json.loads(answer["body"])["hostId"] == host


def test_a_command_for_another_stage_is_rejected(stack: Stack, inbox: Inbox) -> None:
    """The function also checks commands from the stage's own bus."""
    event_type = event_type_of(stack)
    payload = {"hostId": event_type["hostId"], "eventTypeId": event_type["eventTypeId"]}
    command_id = f"c-{secrets.token_hex(6)}"

    by_event("own", stage="prod")(
        stack, json.dumps({"id": command_id, "command": "generate", "payload": payload})
    )

    events = answers(inbox, command_id, "command.rejected")["command.rejected"]
    assert events["data"]["problem"]["type"].endswith(":invalid-value")
    assert [fault["pointer"] for fault in events["data"]["problem"]["errors"]] == ["/stage"]
    assert links_of(stack, event_type["hostId"]) == []
    sqs, url = stack.client("sqs"), stack.physical_id("CommandDlq")
    for letter in until(lambda: sqs.receive_message(QueueUrl=url).get("Messages", []), bool):
        sqs.delete_message(QueueUrl=url, ReceiptHandle=letter["ReceiptHandle"])


def test_every_command_publishes_its_result(stack: Stack, inbox: Inbox) -> None:
    """Each command runs on the same link; the last one finds it revoked, and goes to the dead-letter queue."""
    event_type = event_type_of(stack)
    host_id = event_type["hostId"]
    with stack.http() as http:
        made = http.post(
            "/v1/links", json={"eventTypeId": event_type["eventTypeId"], "maxUsageCount": 2}
        ).json()
    (link,) = made["links"]
    start = rfc3339((stack.world.now() + timedelta(days=2)).replace(minute=0, second=0, microsecond=0))
    later = rfc3339((stack.world.now() + timedelta(days=3)).replace(minute=0, second=0, microsecond=0))
    named = {"hostId": host_id, "linkId": link["linkId"]}
    events, command_id = dict[str, dict[str, Any]](), ""
    for command, payload, wanted in (
        ("redeem", {**named, **redeem_body(start)}, ("booking.confirmed", "link.used")),
        ("replace", named, ("link.created", "link.revoked")),
        ("redeem", {**named, **redeem_body(later)}, ("command.rejected", "link.denied")),
    ):
        command_id = f"c-{secrets.token_hex(6)}"
        by_queue(stack, json.dumps({"id": command_id, "command": command, "payload": payload}))
        events = answers(inbox, command_id, *wanted)
    assert events["command.rejected"]["data"]["problem"]["type"].endswith(":link-revoked")
    sqs, url = stack.client("sqs"), stack.physical_id("CommandDlq")
    letters = until(lambda: sqs.receive_message(QueueUrl=url).get("Messages", []), bool)
    assert command_id in json.loads(letters[0]["Body"])["message"]
    for letter in letters:
        sqs.delete_message(QueueUrl=url, ReceiptHandle=letter["ReceiptHandle"])


def test_directly_invoked_functions_return_the_same_as_http(stack: Stack) -> None:
    event_type = event_type_of(stack)
    host_id = event_type["hostId"]
    event = {"hostId": host_id, "eventTypeId": event_type["eventTypeId"], "count": 2, "idempotencyKey": "k"}

    created = stack.invoke("GenerateLinks", event)
    again = stack.invoke("GenerateLinks", event)

    assert again == created
    page = stack.invoke("ListLinks", {"hostId": host_id, "batchId": created["batchId"]})
    assert page["links"] == created["links"] == links_of(stack, host_id, batchId=created["batchId"])
    assert created["links"][0]["url"].startswith(f"{stack.api_url}/s/")
    first, second = (link["linkId"] for link in created["links"])
    start = rfc3339((stack.world.now() + timedelta(days=2)).replace(minute=0, second=0, microsecond=0))
    booking = stack.invoke("RedeemLink", {"hostId": host_id, "linkId": first, **redeem_body(start)})
    assert booking["start"] == start
    revoked = stack.invoke("RevokeLinks", {"hostId": host_id, "linkIds": [first, second]})
    assert [row.get("status") for row in revoked["results"]] == [None, "revoked"]


def test_an_error_of_a_directly_invoked_function_is_a_problem_document(stack: Stack) -> None:
    event_type = event_type_of(stack)
    created = stack.invoke(
        "GenerateLinks", {"hostId": event_type["hostId"], "eventTypeId": event_type["eventTypeId"]}
    )
    link_id = created["links"][0]["linkId"]
    stack.invoke("RevokeLinks", {"hostId": event_type["hostId"], "linkIds": [link_id]})
    event = {"hostId": event_type["hostId"], "linkId": link_id, **redeem_body("2030-01-01T09:00:00Z")}

    answer = stack.client("lambda").invoke(
        FunctionName=stack.physical_id("RedeemLink"), Payload=json.dumps(event).encode()
    )

    error = json.loads(answer["Payload"].read())
    assert answer["FunctionError"]
    # ministack reports every error of a Python function as Runtime.HandlerError; test_direct.py checks the type.
    document = json.loads(error["errorMessage"])
    assert (document["type"], document["status"]) == ("urn:admit-one:problem:link-revoked", 410)
