"""Least privilege: each function does its whole job once, and IAM records which permissions that takes.

The tests compare this record with every action on every resource that a function's role allows in the deployed stack.
AWS uses some permissions of these roles that ministack does not need: those of Lambda follow from the event source
mappings, and the few others are listed with their reasons.
"""

import dataclasses
import json
import secrets
import socket
import threading
from datetime import timedelta
from fnmatch import fnmatchcase
from typing import Any, Final

import httpx
import msgspec
import pytest

from chalicelib.domain.causes import Cause
from chalicelib.domain.clock import rfc3339
from chalicelib.domain.links.link import LinkSettings
from chalicelib.domain.team.api_keys import Caller, Role
from chalicelib.domain.webhooks.deliveries import MAX_TRIES, Delivery, replayed
from chalicelib.service.links.generate import GenerateRequest, generate
from infra.local.mail import LOCAL_SENDER, verify_sender
from infra.package.functions import logical_id, read_config
from infra.paths import ROOT
from tests.deployed.conftest import Stack, listening
from tests.deployed.host_fixtures import event_type_of
from tests.deployed.test_imports import drop, result
from tests.support.app import JSON, redeem_body
from tests.support.aws.bus import Inbox
from tests.support.endpoints import Endpoint, answer
from tests.support.waiting import until

FUNCTIONS: Final = sorted(read_config(ROOT)["lambda_functions"])
CAUSE: Final = Cause("system:test", "test")
EMAIL: Final = "grace@invitees.example"

Right = tuple[str, str]
"""An action, and the resource that it is allowed on, perhaps with wildcards."""

# Permissions that Lambda itself uses through a function's role: to read the event source, and to store failed batches.
READS_QUEUE: Final = {"sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"}
READS_STREAM: Final = {
    "dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:ListStreams",
}  # fmt: skip
STORES_FAILED_BATCHES: Final = {"s3:ListBucket", "s3:PutObject"}

# Every function may log; tests/infra/package/test_policies.py checks these permissions.
OF_EVERY_FUNCTION: Final = {"logs:CreateLogStream", "logs:PutLogEvents"}

# (function, action) → why AWS requires it although ministack does not, and the test that covers its use.
REQUIRED_ONLY_BY_AWS: Final = {
    ("import_csv", "s3:ListBucket"): (
        "for a missing file S3 returns 404 with this permission and 403 without it, and a 403 is retried ten times; "
        "test_import_bucket.py tests a missing file"
    ),
    ("mail", "ses:SendRawEmail"): (
        "SES v2's SendEmail also requires it for a raw message; test_mail.py tests sending"
    ),
}


@pytest.fixture(scope="module")
def unused(deployed: Stack) -> dict[str, set[Right]]:
    """The rights that each function has not used after it has done its whole job."""
    before = len(_granted(deployed))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", deployed.engine.endpoint_url)
        _work(deployed)

        def look() -> dict[str, set[Right]]:
            asked = _granted(deployed)[before:]
            return {name: _unused(deployed, name, asked) for name in FUNCTIONS}

        # Streams and queues are asynchronous, so wait until only the listed exceptions are left.
        return until(look, lambda found: not any(_unexplained(name, found[name]) for name in FUNCTIONS))


@pytest.mark.parametrize("function", FUNCTIONS)
def test_each_right_of_a_function_is_one_that_it_uses(unused: dict[str, set[Right]], function: str) -> None:
    assert _unexplained(function, unused[function]) == set()


def test_each_listed_exception_is_still_a_right_that_no_test_uses(unused: dict[str, set[Right]]) -> None:
    left = {(function, action) for function in FUNCTIONS for action, _ in unused[function]}
    assert set(REQUIRED_ONLY_BY_AWS) - left == set(), "a test uses it now: remove it from the list"


def _unexplained(function: str, rights: set[Right]) -> set[Right]:
    return {right for right in rights if (function, right[0]) not in REQUIRED_ONLY_BY_AWS}


def _granted(stack: Stack) -> list[list[str]]:
    """Return the requests that IAM has allowed so far: role, action, resource."""
    return [json.loads(line) for line in stack.rights_used.read_text().splitlines()]


def _unused(stack: Stack, function: str, asked: list[list[str]]) -> set[Right]:
    role = (
        stack.client("lambda")
        .get_function_configuration(FunctionName=stack.physical_id(logical_id(function)))["Role"]
        .rpartition("/")[2]
    )
    used = {
        (action.removesuffix("Batch"), resource)  # SQS has no action for batches; ministack invents one
        for whom, action, resource in asked
        if f":assumed-role/{role}/" in whom
    }
    by_lambda = _needed_by_lambda(stack, function)
    return {
        (action, resource)
        for action, resource in _rights(stack, role)
        if action not in OF_EVERY_FUNCTION
        and not any(action == a and fnmatchcase(r, resource) for a, r in used)
        and not any(action == a and fnmatchcase(r, resource) for a, r in by_lambda)
    }


def _rights(stack: Stack, role: str) -> set[Right]:
    """Return every action on every resource that a role's policies allow."""
    iam = stack.client("iam")
    return {
        (action, resource)
        for name in iam.list_role_policies(RoleName=role)["PolicyNames"]
        for statement in iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Allow"
        for action in _listed(statement["Action"])
        for resource in _listed(statement["Resource"])
        if action != "sqs:SendMessageBatch"  # exists only in ministack
    }


def _needed_by_lambda(stack: Stack, function: str) -> set[Right]:
    """Return the rights that Lambda itself uses with the function's role, by its event source mappings."""
    found = set[Right]()
    name = stack.physical_id(logical_id(function))
    for mapping in stack.client("lambda").list_event_source_mappings(FunctionName=name)[
        "EventSourceMappings"
    ]:
        source = mapping["EventSourceArn"]
        found |= {(action, source) for action in (READS_STREAM if "/stream/" in source else READS_QUEUE)}
        failed = mapping.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination")
        if failed:
            found |= {
                (action, f"{failed}{place}") for action in STORES_FAILED_BATCHES for place in ("", "/record")
            }
    return found


def _listed(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]


def _work(stack: Stack) -> None:
    """Make every function do its whole job."""
    event_type = event_type_of(stack)
    with listening(stack) as inbox:
        _team(stack, event_type)
        _functions(stack, event_type)
        _commands(stack, event_type)
        _expiry(stack, event_type)
        _import(stack, event_type)
        _stream(stack)
        _webhooks(stack, event_type)
        _mail(stack, event_type)
        _restore(stack, event_type, inbox)


def _start(stack: Stack, days: int) -> str:
    return rfc3339((stack.world.now() + timedelta(days=days)).replace(minute=0, second=0, microsecond=0))


def _ok(response: httpx.Response) -> Any:
    assert response.is_success, response.text
    return response.json() if response.content else None


def _messages(*bodies: object) -> dict[str, Any]:
    """Return messages in the form in which the SQS mapping passes them to a function."""
    return {
        "Records": [
            {
                "messageId": secrets.token_hex(8), "receiptHandle": "r", "eventSource": "aws:sqs",
                "attributes": {"ApproximateReceiveCount": "1"},
                "body": body if isinstance(body, str) else json.dumps(body),
            }
            for body in bodies
        ]
    }  # fmt: skip


def _searches(event_type: dict[str, Any]) -> list[dict[str, str]]:
    """Return the list requests that need each index: by host, event type, due date, and each kind of search."""
    host = {"hostId": event_type["hostId"]}
    return [
        host | {"status": "active"},
        host | {"eventTypeId": event_type["eventTypeId"]},
        host | {"status": "expired"},
        host | {"q": "deal-1"},
        host | {"q": EMAIL},
        host | {"q": "Lab"},
    ]


def _team(stack: Stack, event_type: dict[str, Any]) -> None:
    """Use the HTTP function and the authorizer: create, list, replace a dead link, delete, read the history."""
    settings = {"label": "Label", "externalId": "deal-1", "recipient": {"email": EMAIL}}
    with stack.http() as http:
        links = _ok(
            http.post("/v1/links", json={"eventTypeId": event_type["eventTypeId"], "count": 2, **settings})
        )["links"]
        for query in _searches(event_type):
            _ok(http.get("/v1/links", params=query))
        dead = f"/v1/links/{links[0]['linkId']}"
        _ok(http.post(f"{dead}/revoke"))
        _ok(http.post(f"{dead}/replace"))
        _ok(http.get(f"{dead}/history"))
        _ok(http.delete(dead))
        booked = {**redeem_body(_start(stack, 2)), "invitee": {"name": "Grace", "email": EMAIL}}
        _ok(http.post(links[1]["url"] + "/redeem", json=booked, headers=JSON))


def _functions(stack: Stack, event_type: dict[str, Any]) -> None:
    """Invoke the functions that are invoked directly."""
    host = {"hostId": event_type["hostId"]}
    body = {**host, "eventTypeId": event_type["eventTypeId"], "count": 2, "idempotencyKey": "rights"}
    created = stack.invoke("GenerateLinks", body)
    assert stack.invoke("GenerateLinks", body) == created
    first, second = (link["linkId"] for link in created["links"])
    for query in _searches(event_type):
        stack.invoke("ListLinks", query)
    stack.invoke("RedeemLink", {**host, "linkId": first, **redeem_body(_start(stack, 3))})
    stack.invoke("RevokeLinks", {**host, "linkIds": [second]})
    stack.invoke("MakeAdmin", {"name": "rights"})


def _commands(stack: Stack, event_type: dict[str, Any]) -> None:
    """Send every command, one of them for a dead link, and one malformed message."""
    host = {"hostId": event_type["hostId"]}

    def send(command: str, **payload: Any) -> None:
        body = {"id": f"c-{secrets.token_hex(6)}", "command": command, "payload": {**host, **payload}}
        assert stack.invoke("Commands", _messages(body)) == {"batchItemFailures": []}

    send("generate", eventTypeId=event_type["eventTypeId"], count=1)
    with stack.http() as http:
        asked = {"eventTypeId": event_type["eventTypeId"], "count": 2}
        first, second = (link["linkId"] for link in _ok(http.post("/v1/links", json=asked))["links"])
    send("redeem", linkId=first, **redeem_body(_start(stack, 4)))
    send("revoke", linkIds=[second])
    send("replace", linkId=second)
    stack.invoke("Commands", _messages("{"))
    _empty(stack, "CommandDlq")


def _expiry(stack: Stack, event_type: dict[str, Any]) -> None:
    """Create a link an hour ago that has expired since, and a digest of the day before yesterday."""
    past = stack.world.now() - timedelta(hours=1)
    world = dataclasses.replace(stack.world, now=lambda: past)
    request = GenerateRequest(
        event_type_id=event_type["eventTypeId"],
        links=[LinkSettings(expires_at=past + timedelta(minutes=5))],
        from_items=False,
        idempotency_key=None,
        body_hash="",
    )
    generate(world, Caller("", Role.HOST, event_type["hostId"]), request, CAUSE)
    digests = stack.world.store.mail_digests
    digests.add(event_type["hostId"], "bkg_gone", "evt_any", now=past - timedelta(days=2))
    stack.invoke("Expiry", _scheduled())


def _import(stack: Stack, event_type: dict[str, Any]) -> None:
    """Import a file, and one version of it twice, so that the second import reads the links of the first."""
    where = f"{event_type['hostId']}/{event_type['eventTypeId']}/rights.csv"
    drop(stack, where, "label\nA\n")
    assert len(result(stack, where)) == 1
    bucket, s3 = stack.outputs["ImportBucketName"], stack.client("s3")
    head = s3.head_object(Bucket=bucket, Key=f"imports/{where}")
    found = {"key": f"imports/{where}", "etag": head["ETag"].strip('"'), "version-id": head["VersionId"]}
    event = {"detail": {"bucket": {"name": bucket}, "object": {**found, "size": 1, "sequencer": "0"}}}
    for _ in range(2):
        assert stack.invoke("ImportCsv", _messages(event)) == {"batchItemFailures": []}


def _stream(stack: Stack) -> None:
    """Invoke the outbox with a malformed record, which it dead-letters. The other jobs cover its normal path."""
    image = {"pk": {"S": "LINK#x"}, "sk": {"S": "LINK"}}
    change = {"Keys": image, "NewImage": image, "SequenceNumber": "1", "ApproximateCreationDateTime": 1.0}
    record = {"eventSource": "aws:dynamodb", "eventName": "INSERT", "dynamodb": change}
    assert stack.invoke("Outbox", {"Records": [record]}) == {"batchItemFailures": []}
    assert _empty(stack, "OutboxDlq") >= 1  # other tests may have added messages


def _webhooks(stack: Stack, event_type: dict[str, Any]) -> None:
    """Deliver successfully, retry, give up, and retry by the schedule; deliver to a deleted webhook."""
    with Endpoint([answer(204)]) as endpoint, stack.http() as http:
        body = {"url": endpoint.url, "hostId": event_type["hostId"], "events": ["link.revoked"]}
        webhook = _ok(http.post("/v1/webhooks", json=body))["webhookId"]
        _ok(http.post(f"/v1/webhooks/{webhook}/test"))
        until(lambda: len(endpoint.requests), bool)

        def revoked() -> Delivery:
            """Revoke a link; wait for the delivery of its event to end, and return it."""
            links = _ok(http.post("/v1/links", json={"eventTypeId": event_type["eventTypeId"]}))["links"]
            _ok(http.post(f"/v1/links/{links[0]['linkId']}/revoke"))
            delivery = until(lambda: _ended_delivery(stack, webhook, links[0]["linkId"]), bool)
            assert delivery is not None
            return delivery

        endpoint.answers = [answer(500), answer(204)]
        done = revoked()
        endpoint.answers = [answer(500)]
        last = _waiting(stack, done, tries=MAX_TRIES - 1)
        stack.invoke("WebhookDeliver", _messages({"webhookId": webhook, "deliveryId": last.delivery_id}))
        assert _empty(stack, "WebhookDlq") >= 1
        endpoint.answers = [answer(204)]
        _waiting(stack, done, tries=0, due_at=stack.world.now())
        stack.invoke("WebhookRetry", _scheduled())

        def changing(connection: socket.socket, over: threading.Event) -> None:
            """Answer after the host has changed the webhook, so the sender must read it again."""
            _ok(http.patch(f"/v1/webhooks/{webhook}", json={"events": ["link.revoked", "link.used"]}))
            answer(410)(connection, over)

        endpoint.answers = [changing]
        assert revoked().failure == "gone"


def _ended_delivery(stack: Stack, webhook_id: str, link_id: str) -> Delivery | None:
    """Return the ended delivery of a link's event to a webhook, or None if there is none yet."""
    for _, delivery in stack.world.store.deliveries.page(webhook_id, None, None, "9", 50):
        if delivery is not None and link_id in delivery.body and delivery.ended_at is not None:
            return delivery
    return None


def _waiting(stack: Stack, done: Delivery, **how: Any) -> Delivery:
    """Make an ended delivery due again, without a message in the queue."""
    _, stored = stack.world.store.deliveries.read(done.webhook_id, done.delivery_id)
    assert stored is not None
    again = replayed(stored, None, stack.world.now())
    assert again is not None
    waiting = msgspec.structs.replace(again, tries_before=0, **how)
    assert stack.world.store.deliveries.change(waiting, CAUSE, seen=stored.sequence)
    return waiting


def _mail(stack: Stack, event_type: dict[str, Any]) -> None:
    """Email a link that SES rejects at first and accepts at the retry; then report a bounce."""
    with stack.http() as http:
        body = {"eventTypeId": event_type["eventTypeId"], "recipient": {"email": EMAIL}}
        link = _ok(http.post("/v1/links", json=body))["links"][0]
        stack.client("sesv2").delete_email_identity(EmailIdentity=LOCAL_SENDER)
        try:
            _ok(http.post(f"/v1/links/{link['linkId']}/send", json={}))
            postpone = "sqs:ChangeMessageVisibility"
            until(lambda: any(postpone == action for _, action, _ in _granted(stack)), bool)
        finally:
            verify_sender(stack.engine.endpoint_url)
        _ok(http.post(f"/v1/links/{link['linkId']}/send", json={"message": "Again"}))
    tags = {
        "ses:configuration-set": [stack.physical_id("MailConfigurationSet")], "eventId": ["evt_" + "a" * 26],
        "addressee": ["recipient"], "linkId": [link["linkId"]], "hostId": [link["hostId"]],
        "eventTypeId": [link["eventTypeId"]],
    }  # fmt: skip
    bounce = {"bounceType": "Permanent", "bounceSubType": "General", "timestamp": "2026-11-23T10:14:05.120Z"}
    mail = {"timestamp": "2026-11-23T10:14:02.000Z", "messageId": "m", "destination": [EMAIL], "tags": tags}
    detail = {
        "eventType": "Bounce",
        "mail": mail,
        "bounce": {**bounce, "bouncedRecipients": [], "feedbackId": "f"},
    }
    event = {"source": "aws.ses", "detail-type": "Email Bounced", "detail": detail}
    assert stack.invoke("MailFeedback", _messages(event)) == {"batchItemFailures": []}


def _restore(stack: Stack, event_type: dict[str, Any], inbox: Inbox) -> None:
    """Replay events that are newer than the table, then finish the restore.

    The events are a link used, a link deleted and a booking cancelled.
    """
    with stack.http() as http:
        asked = {"eventTypeId": event_type["eventTypeId"], "count": 3}
        links = _ok(http.post("/v1/links", json=asked))["links"]
        body = redeem_body(_start(stack, 5))
        booking = _ok(http.post(links[0]["url"] + "/redeem", json=body, headers=JSON))
        _ok(http.post(f"/v1/bookings/{booking['bookingId']}/cancel"))
        _ok(http.delete(f"/v1/links/{links[1]['linkId']}"))
        body = redeem_body(_start(stack, 6))
        _ok(http.post(links[2]["url"] + "/redeem", json=body, headers=JSON))
    events: list[dict[str, Any]] = []

    def wait_for(kind: str, link: dict[str, Any]) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            events.extend(each["detail"] for each in inbox.take())
            return next((e for e in events if (e["type"], e["linkId"]) == (kind, link["linkId"])), None)

        found = until(look, bool)
        assert found is not None
        return found

    used, deleted = wait_for("link.used", links[0]), wait_for("link.deleted", links[1])
    cancelled = wait_for("booking.cancelled", links[0])
    confirmed = wait_for("booking.confirmed", links[2])
    later = [
        used | {"sequence": 900},
        deleted | {"sequence": 900, "linkId": links[2]["linkId"]},
        confirmed
        | {"sequence": 900, "type": "booking.cancelled", "data": confirmed["data"] | cancelled["data"]},
    ]
    _close_everything_for(stack, "Restore")
    assert stack.invoke("Restore", _messages(*({"detail": event} for event in later))) == {
        "batchItemFailures": []
    }
    run = stack.physical_id("Table")
    for step in ({"step": "revoke", "everything": False}, {"step": "count"}, {"step": "list"}):
        assert stack.invoke("Restore", {"run": run, **step})["cursor"] is None


def _close_everything_for(stack: Stack, function: str) -> None:
    """Let one function run as if all changes were closed, as during a restore."""
    functions, name = stack.client("lambda"), stack.physical_id(function)
    variables = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    closed = {**variables, "BOOKINGS_CLOSED": "all"}
    functions.update_function_configuration(FunctionName=name, Environment={"Variables": closed})


def _empty(stack: Stack, queue: str) -> int:
    """Delete all messages of a queue, and return their number."""
    sqs, url, count = stack.client("sqs"), stack.physical_id(queue), 0
    while letters := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
        for letter in letters:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=letter["ReceiptHandle"])
            count += 1
    return count


def _scheduled() -> dict[str, Any]:
    return {
        "version": "0", "id": secrets.token_hex(8), "account": "1", "region": "us-east-1", "source": "aws.events",
        "time": "2026-11-21T00:00:00Z", "detail-type": "Scheduled Event", "resources": [], "detail": {},
    }  # fmt: skip
