"""P4, P6: a function that was frozen, whose connections AWS has forgotten, delays nothing and sends no email twice.

The package's functions run under Lambda's runtime client, behind a proxy that forgets their connections before each
invocation. `tests/integration/http/test_stale_connections.py` tests pauses, and connections that only hang.
"""

import base64
import json
import secrets
import socket
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest

from infra.local.aws import LOCAL_KEY, local_client
from infra.local.engines.ministack import Ministack
from tests.infra.package.conftest import Start
from tests.support.app import ALL_DAY, MAIL_SENDER
from tests.support.aws.bus import Bus, Inbox
from tests.support.aws.engines import Table, new_table
from tests.support.aws.gateway_request import gateway_request
from tests.support.commands import command
from tests.support.endpoints import Endpoint, answer
from tests.support.proof.proxy import Dead, Proxy

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Lambda's runtime client supports only Linux")

ADMIN: Final = {"principalId": "key", "keyId": "key_test", "role": "admin"}
SEND_EMAIL: Final = "POST /v2/email/outbound-emails"


@pytest.fixture(scope="module")
def proxy(ministack: Ministack) -> Iterator[Proxy]:
    with Proxy(ministack.endpoint_url) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def table(ministack: Ministack) -> Table:
    return new_table(ministack.endpoint_url)


@pytest.fixture(scope="module")
def bus(ministack: Ministack) -> Iterator[Bus]:
    bus = Bus(ministack.endpoint_url)
    yield bus
    bus.remove()


@pytest.fixture(scope="module")
def deliveries(ministack: Ministack) -> Iterator[Inbox]:
    inbox = Inbox(ministack.endpoint_url)
    yield inbox
    inbox.remove()


@pytest.fixture(scope="module")
def environment(proxy: Proxy, table: Table, bus: Bus, deliveries: Inbox) -> dict[str, str]:
    """The environment variables that the template sets. LOCAL allows a webhook on this machine."""
    local_client("sesv2", table.endpoint_url).create_email_identity(EmailIdentity=MAIL_SENDER)
    keys = {"current": 1, "keys": {"1": base64.b64encode(secrets.token_bytes(32)).decode()}}
    return {
        "TABLE_NAME": table.name, "SIGNING_KEYS": json.dumps(keys), "AWS_ENDPOINT_URL": proxy.url,
        "AWS_ACCESS_KEY_ID": LOCAL_KEY, "AWS_SECRET_ACCESS_KEY": LOCAL_KEY, "EVENT_BUS_NAME": bus.name,
        "WEBHOOK_QUEUE_URL": deliveries.url, "MAIL_SENDER": MAIL_SENDER,
        "BASE_URL": "https://admit.example", "LOCAL": "1",
    }  # fmt: skip


class Frozen:
    """The functions, each frozen before every invocation."""

    def __init__(self, start: Start, proxy: Proxy) -> None:
        self._start = start
        self._proxy = proxy
        self.dead: Dead | None = None
        self.unanswered: set[str] = set()

    def invoke(self, name: str, event: Any) -> Any:
        """Freeze a function, then invoke it."""
        function = self._start(name)
        if self.dead is not None:
            self._proxy.forget_connections(self.dead)
        result = function.invoke(event)
        self.unanswered |= {call.name for call in self._proxy.unanswered}
        return result

    def handle(self, name: str, *bodies: str) -> None:
        """Have a function handle messages of a queue, and assert that none is retried."""
        records = [
            {"messageId": f"m-{place}", "receiptHandle": "r", "attributes": {"ApproximateReceiveCount": "1"},
             "body": body, "eventSource": "aws:sqs"}
            for place, body in enumerate(bodies)
        ]  # fmt: skip
        assert self.invoke(name, {"Records": records}) == {"batchItemFailures": []}, self._start(name).log()

    def http(self, method: str, resource: str, status: int, body: Any = None, **path: Any) -> Any:
        """Send a request to the HTTP function; return the response's document."""
        authorizer = ADMIN if resource.startswith("/v1") else None
        event = gateway_request(method, resource, body=body, authorizer=authorizer, **path)
        found = self.invoke("APIHandler", event)
        assert found["statusCode"] == status, found["body"]
        return json.loads(found["body"])


def records_of(table: Table, kind: str) -> list[dict[str, Any]]:
    """Return the records of the table's stream that created items of one kind, in Lambda's form."""
    streams = local_client("dynamodbstreams", table.endpoint_url)
    arn = local_client("dynamodb", table.endpoint_url).describe_table(TableName=table.name)["Table"][
        "LatestStreamArn"
    ]
    found = []
    for shard in streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]:
        start = {"StreamArn": arn, "ShardId": shard["ShardId"], "ShardIteratorType": "TRIM_HORIZON"}
        iterator = streams.get_shard_iterator(**start)["ShardIterator"]
        found += streams.get_records(ShardIterator=iterator)["Records"]
    records = [record for record in found if record["dynamodb"]["Keys"]["sk"]["S"] == kind]
    for record in records:
        record["eventSourceARN"] = arn
        record["dynamodb"]["ApproximateCreationDateTime"] = datetime.now(UTC).timestamp()
    return [record for record in records if record["eventName"] == "INSERT"]


@pytest.mark.clock
def test_no_function_is_delayed_by_connections_that_died_in_a_freeze(
    start: Start, proxy: Proxy, table: Table, bus: Bus, deliveries: Inbox
) -> None:
    """A booking with its emails and webhook, an import, a command and a run of the schedule, twice.

    Before the second time, all connections have died.
    """
    frozen = Frozen(start, proxy)
    bucket = f"imports-{secrets.token_hex(6)}"
    s3 = local_client("s3", table.endpoint_url)
    s3.create_bucket(Bucket=bucket)
    person = {"name": "Ada", "email": "ada@hosts.example", "timeZone": "UTC"}
    host_id = frozen.http("POST", "/v1/hosts", 201, person)["hostId"]
    wanted = {"hostId": host_id, "title": "Intro", "durationMinutes": 30, "schedule": ALL_DAY}
    event_type_id = frozen.http("POST", "/v1/event-types", 201, wanted)["eventTypeId"]
    links = frozen.http("POST", "/v1/links", 201, {"eventTypeId": event_type_id, "count": 2})["links"]
    with Endpoint([answer(204)]) as endpoint:
        hook = {"hostId": host_id, "url": endpoint.url, "events": ["booking.confirmed"]}
        frozen.http("POST", "/v1/webhooks", 201, hook)
        for number, dead in enumerate([None, Dead.RESET]):
            frozen.dead = dead
            proxy.clear()

            booking_id = _book(frozen, links[number]["url"], number)
            event = _relay(frozen, table, bus, booking_id)
            frozen.handle("Mail", event)
            assert [call.name for call in proxy.calls].count(SEND_EMAIL) == 2, "host and invitee, once each"

            frozen.handle("WebhookFanout", event)
            (message,) = deliveries.take()
            frozen.handle("WebhookDeliver", json.dumps(message))
            assert len(endpoint.requests) == number + 1

            key = f"{host_id}/{event_type_id}/{number}.csv"
            frozen.handle("ImportCsv", _upload(s3, bucket, f"imports/{key}", f"label\nA{number}\n"))
            assert s3.get_object(Bucket=bucket, Key=f"results/{key}")["Body"].read().count(b"/s/") == 1

            payload = {"eventTypeId": event_type_id, "hostId": host_id}
            frozen.handle("Commands", command("generate", payload, f"c-{number}"))
            assert frozen.invoke("Expiry", {"detail": {}, "id": "e", "detail-type": "Scheduled Event",
                "source": "aws.events", "account": "1", "time": "2026-11-21T10:00:00Z", "region": "us-east-1",
                "resources": [], "version": "0"}) is None  # fmt: skip
            frozen.http("POST", "/v1/bookings/{bookingId}/cancel", 200, bookingId=booking_id)

    assert SEND_EMAIL not in frozen.unanswered
    # The proxy did forget connections that the functions then used.
    assert {"TransactWriteItems", "PutEvents", "SendMessageBatch"} & frozen.unanswered
    assert {"GetItem", "BatchGetItem"} & frozen.unanswered


def test_a_function_without_keys_does_not_wait_long_for_secrets_manager(start: Start) -> None:
    """P7: a Secrets Manager that hangs at a function's first request is a 503. Botocore would wait for five minutes."""
    with socket.create_server(("127.0.0.1", 0)) as server:  # it accepts connections and never responds
        silent = f"http://127.0.0.1:{server.getsockname()[1]}"
        settings = {"SIGNING_KEYS": "", "SIGNING_SECRET_ID": "s", "AWS_ENDPOINT_URL_SECRETS_MANAGER": silent}
        function = start("APIHandler", **settings)
        found = function.invoke(gateway_request("GET", "/s/{token}", token="A" * 36))
    assert (found["statusCode"], json.loads(found["body"])["type"]) == (
        503,
        "urn:admit-one:problem:store-unavailable",
    )
    (line,) = [line for line in function.log().splitlines() if "request-failed" in line]
    assert (json.loads(line)["fault"], json.loads(line)["operation"]) == (
        "ReadTimeoutError",
        "GetSecretValue",
    )


def _book(frozen: Frozen, url: str, number: int) -> str:
    token = url.rpartition("/")[2]
    start = f"{datetime.now(UTC) + timedelta(days=3 + number):%Y-%m-%dT12:00:00Z}"
    assert (
        frozen.invoke("APIHandler", gateway_request("GET", "/s/{token}", accept="text/html", token=token))[
            "statusCode"
        ]
        == 200
    )
    invitee = {"name": "Grace", "email": f"grace{number}@guests.example"}
    body = {"start": start, "timeZone": "UTC", "invitee": invitee}
    booking_id: str = frozen.http("POST", "/s/{token}/redeem", 201, body, token=token)["bookingId"]
    return booking_id


def _relay(frozen: Frozen, table: Table, bus: Bus, booking_id: str) -> str:
    """Relay a booking's stream record, and return its event as EventBridge sends it to queues."""
    records = [r for r in records_of(table, "BOOKING") if booking_id in r["dynamodb"]["Keys"]["pk"]["S"]]
    assert len(records) == 1
    assert frozen.invoke("Outbox", {"Records": records}) == {"batchItemFailures": []}
    (event,) = [event for event in bus.events() if event["detail-type"] == "booking.confirmed"]
    return json.dumps(event)


def _upload(s3: Any, bucket: str, key: str, text: str) -> str:
    """Upload a file, and return the message that SQS gets from S3 through EventBridge."""
    etag = s3.put_object(Bucket=bucket, Key=key, Body=text.encode())["ETag"].strip('"')
    found = {"key": key, "size": len(text), "etag": etag, "sequencer": "0"}
    return json.dumps(
        {
            "version": "0", "id": "e", "detail-type": "Object Created", "source": "aws.s3", "account": "1",
            "time": "2026-11-21T09:00:00Z", "region": "us-east-1", "resources": [],
            "detail": {"version": "0", "bucket": {"name": bucket}, "object": found, "reason": "PutObject"},
        }
    )  # fmt: skip
