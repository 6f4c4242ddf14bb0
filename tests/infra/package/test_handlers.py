"""Every function of the package runs under Lambda's runtime client with only the packages that the runtime provides."""

import base64
import json
import secrets
import shutil
import sys
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import pytest
import tzdata

from chalicelib import bootstrap
from chalicelib.domain.causes import Cause
from chalicelib.domain.ids import HOST
from chalicelib.domain.team.api_keys import Role
from chalicelib.domain.zones import load_zone
from chalicelib.service.team.authenticate import make_key
from chalicelib.settings import read_settings
from infra.local.aws import LOCAL_KEY, local_client
from infra.local.engines.ministack import Ministack
from infra.package.build import Package
from infra.package.metrics import failure_pattern
from tests.infra.package.conftest import Start
from tests.support.app import ALL_DAY, unknown_id
from tests.support.aws.engines import Table, new_table
from tests.support.aws.filter_patterns import counts
from tests.support.aws.gateway_request import ACCOUNT, GATEWAY, REGION, gateway_request

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Lambda's runtime client supports only Linux")

CAUSE: Final = Cause("system:test", "test")


@pytest.fixture(scope="module")
def table(ministack: Ministack) -> Table:
    return new_table(ministack.endpoint_url)


@pytest.fixture(scope="module")
def environment(table: Table) -> dict[str, str]:
    """The environment variables that the template sets, for the services that have a local engine."""
    keys = {"current": 1, "keys": {"1": base64.b64encode(secrets.token_bytes(32)).decode()}}
    secret = f"keys-{secrets.token_hex(4)}"
    local_client("secretsmanager", table.endpoint_url).create_secret(
        Name=secret, SecretString=json.dumps(keys)
    )
    return {
        "TABLE_NAME": table.name, "SIGNING_SECRET_ID": secret, "AWS_ENDPOINT_URL": table.endpoint_url,
        "AWS_ACCESS_KEY_ID": LOCAL_KEY, "AWS_SECRET_ACCESS_KEY": LOCAL_KEY,
    }  # fmt: skip


@pytest.fixture(scope="module")
def admin_key(environment: dict[str, str]) -> str:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", environment["AWS_ENDPOINT_URL"])
        world = bootstrap.compose(read_settings(environment))
        return make_key(world, role=Role.ADMIN, host_id=None, name="t", cause=CAUSE).secret


def _authorized(start: Start, key: str) -> dict[str, str]:
    """Call the authorizer as API Gateway does, and return the context that it gives to the routes."""
    policy = start("Authorizer").invoke(
        {
            "type": "TOKEN",
            "methodArn": f"arn:aws:execute-api:{REGION}:{ACCOUNT}:abc123defg/api/POST/v1/hosts",
            "authorizationToken": f"Bearer {key}",
        }
    )
    (statement,) = policy["policyDocument"]["Statement"]
    assert statement["Effect"] == "Allow"
    return {"principalId": policy["principalId"], **policy["context"]}


def _create_links(start: Start, authorizer: dict[str, str], count: int = 1, **how: Any) -> dict[str, Any]:
    """Create a host, an event type and links through the HTTP function; return the event type and the links."""
    http = start("APIHandler")

    def post(resource: str, body: Any) -> Any:
        answer = http.invoke(gateway_request("POST", resource, body=body, authorizer=authorizer, **how))
        assert answer["statusCode"] == 201, answer["body"]
        return json.loads(answer["body"])

    host = post("/v1/hosts", {"name": "Ada", "email": "ada@hosts.example", "timeZone": "UTC"})
    event_type = {"hostId": host["hostId"], "title": "Intro", "durationMinutes": 30, "schedule": ALL_DAY}
    event_type = post("/v1/event-types", event_type)
    links = post("/v1/links", {"eventTypeId": event_type["eventTypeId"], "count": count})["links"]
    return {"eventType": event_type, "links": links}


def _token(link: dict[str, Any]) -> str:
    url: str = link["url"]
    return urlsplit(url).path.rpartition("/")[2]


def _redeem(start: Start, token: str, at: int) -> dict[str, Any]:
    http = start("APIHandler")
    offered = http.invoke(gateway_request("GET", "/s/{token}/slots", token=token))
    assert offered["statusCode"] in {200, 410}, offered["body"]
    slots = json.loads(offered["body"]).get("slots") or [{"start": "2040-01-01T00:00:00Z"}] * (at + 1)
    body = {
        "start": slots[at]["start"], "timeZone": "UTC",
        "invitee": {"name": "Grace", "email": f"grace{at}@guests.example"},
    }  # fmt: skip
    answer: dict[str, Any] = http.invoke(gateway_request("POST", "/s/{token}/redeem", body=body, token=token))
    return answer


def _records(table: Table) -> list[dict[str, Any]]:
    """Return all records of the table's stream, in the form in which Lambda passes them to a function."""
    streams = local_client("dynamodbstreams", table.endpoint_url)
    arn = local_client("dynamodb", table.endpoint_url).describe_table(TableName=table.name)["Table"][
        "LatestStreamArn"
    ]
    records = []
    for shard in streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]:
        iterator = streams.get_shard_iterator(
            StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        while iterator:
            page = streams.get_records(ShardIterator=iterator)
            records += page["Records"]
            iterator = page.get("NextShardIterator") if page["Records"] else None
    for record in records:
        record["eventSourceARN"] = arn
        seconds = record["dynamodb"].get("ApproximateCreationDateTime")
        record["dynamodb"]["ApproximateCreationDateTime"] = seconds.timestamp() if seconds else 0
    return records


def test_every_function_of_the_template_starts(start: Start, packaged: Package) -> None:
    """Imports are in the package or in Lambda's runtime, and no AWS service is called before the first event."""
    resources = packaged.read_template()["Resources"]
    for name, resource in resources.items():
        if resource["Type"] == "AWS::Serverless::Function":
            start(name).wait_until_ready()


def test_a_link_is_created_redeemed_and_recorded_in_the_history(
    start: Start, table: Table, admin_key: str
) -> None:
    """P1, P6: the authorizer, the API function and the outbox each process their own events."""
    authorizer = _authorized(start, admin_key)
    (link,) = _create_links(start, authorizer)["links"]
    assert link["url"].startswith(f"https://{GATEWAY}/api/s/"), "the stage is in the path"
    token = _token(link)
    http = start("APIHandler")
    page = http.invoke(gateway_request("GET", "/s/{token}", accept="text/html", token=token))
    assert page["statusCode"] == 200
    assert "Intro" in page["body"]

    booked, again = _redeem(start, token, 0), _redeem(start, token, 1)

    assert (booked["statusCode"], again["statusCode"]) == (201, 410), (booked["body"], again["body"])
    assert json.loads(booked["body"])["url"].startswith(f"https://{GATEWAY}/api/b/")
    for _ in range(2):  # the second delivery of the same records changes nothing
        result = start("Outbox").invoke({"Records": _records(table)})
        assert result == {"batchItemFailures": []}
    history = http.invoke(
        gateway_request("GET", "/v1/links/{linkId}/history", authorizer=authorizer, linkId=link["linkId"])
    )
    types = [entry["type"] for entry in json.loads(history["body"])["history"]]
    assert sorted(types) == sorted(set(types))
    assert {"link.created", "link.used"} <= set(types)
    assert token not in http.log()


def test_slots_use_the_zone_rules_in_the_zip(start: Start, admin_key: str, tmp_path: Path) -> None:
    """The runtime's zone files do not matter: here the runtime has Tokyo's rules for Vancouver."""
    (tmp_path / "America").mkdir()
    shutil.copy(Path(tzdata.__path__[0], "zoneinfo", "Asia", "Tokyo"), tmp_path / "America" / "Vancouver")
    http, authorizer = start("APIHandler", PYTHONTZPATH=str(tmp_path)), _authorized(start, admin_key)

    def post(resource: str, body: Any) -> Any:
        answer = http.invoke(gateway_request("POST", resource, body=body, authorizer=authorizer))
        assert answer["statusCode"] == 201, answer["body"]
        return json.loads(answer["body"])

    host = {"name": "Ada", "email": "ada@hosts.example", "timeZone": "America/Vancouver"}
    nine = {"days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "from": "09:00", "to": "10:00"}
    event_type = {
        "hostId": post("/v1/hosts", host)["hostId"], "title": "Intro", "durationMinutes": 60,
        "schedule": {"timeZone": "America/Vancouver", "weekly": [nine]},
    }  # fmt: skip
    link = {"eventTypeId": post("/v1/event-types", event_type)["eventTypeId"]}
    token = _token(post("/v1/links", link)["links"][0])
    slots = json.loads(http.invoke(gateway_request("GET", "/s/{token}/slots", token=token))["body"])["slots"]
    starts = [datetime.fromisoformat(slot["start"]) for slot in slots]
    assert len(starts) > 7
    assert {start.astimezone(load_zone("America/Vancouver")).hour for start in starts} == {9}


@pytest.mark.parametrize("key", ["ao_" + "A" * 43, "nonsense", ""])
def test_the_authorizer_rejects_an_unknown_key_with_unauthorized(start: Start, key: str) -> None:
    """API Gateway returns 401 only for the message `Unauthorized`; any other failure becomes a 500."""
    from tests.support.aws.lambda_runtime import FunctionError

    with pytest.raises(FunctionError, match=r'"errorMessage": ?"Unauthorized"'):
        _authorized(start, key)


def test_urls_use_a_custom_domain(start: Start, admin_key: str) -> None:
    """A custom domain's mapping removes the stage from the path; the event shows this, so no setting is needed."""
    authorizer = _authorized(start, admin_key)
    (link,) = _create_links(start, authorizer, domain="book.example.com", stage_in_path=False)["links"]
    assert link["url"].startswith("https://book.example.com/s/")


def test_base_url_overrides_the_domain_of_the_event(start: Start, admin_key: str) -> None:
    authorizer = _authorized(start, admin_key)
    (link,) = _create_links(start, authorizer)["links"]
    http = start("APIHandler", BASE_URL="https://meet.example.org/x")
    request = gateway_request("GET", "/v1/links/{linkId}", authorizer=authorizer, linkId=link["linkId"])
    answer = json.loads(http.invoke(request)["body"])
    assert answer["url"] == f"https://meet.example.org/x/s/{_token(link)}"


def test_the_expiry_function_accepts_a_scheduled_event(start: Start) -> None:
    event = {
        "version": "0", "id": "53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa", "detail-type": "Scheduled Event",
        "source": "aws.events", "account": ACCOUNT, "time": "2026-11-21T10:00:00Z", "region": REGION,
        "resources": [f"arn:aws:events:{REGION}:{ACCOUNT}:rule/expiry"], "detail": {},
    }  # fmt: skip
    assert start("Expiry").invoke(event) is None
    assert "marked" in start("Expiry").log()


def test_an_sqs_batch_runs_valid_commands_and_dead_letters_malformed_ones(
    start: Start, admin_key: str, ministack: Ministack
) -> None:
    """A valid command creates links. A malformed message is dead-lettered and does not block the others."""
    created = _create_links(start, _authorized(start, admin_key))
    sqs = local_client("sqs", ministack.endpoint_url)
    dead = sqs.create_queue(QueueName=f"dead-{secrets.token_hex(4)}")["QueueUrl"]

    def message(body: str) -> dict[str, Any]:
        return {
            "messageId": secrets.token_hex(16), "receiptHandle": "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a", "body": body,
            "attributes": {
                "ApproximateReceiveCount": "1", "SentTimestamp": "1763719200000", "SenderId": "AIDAIENQZJOLO23YVJ4VO",
                "ApproximateFirstReceiveTimestamp": "1763719200001",
            },
            "messageAttributes": {}, "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3", "eventSource": "aws:sqs",
            "eventSourceARN": f"arn:aws:sqs:{REGION}:{ACCOUNT}:commands", "awsRegion": REGION,
        }  # fmt: skip

    payload = {
        "eventTypeId": created["eventType"]["eventTypeId"],
        "count": 3,
        "hostId": created["eventType"]["hostId"],
    }
    command = {"id": f"cmd-{secrets.token_hex(4)}", "command": "generate", "payload": payload}
    commands = start("Commands", COMMAND_DLQ_URL=dead)
    answer = commands.invoke({"Records": [message("{"), message(json.dumps(command))]})
    assert answer == {"batchItemFailures": []}, commands.log()
    found = sqs.receive_message(QueueUrl=dead)["Messages"]
    assert [json.loads(each["Body"])["message"] for each in found] == ["{"]


def test_directly_invoked_functions_return_json(start: Start, admin_key: str) -> None:
    created = _create_links(start, _authorized(start, admin_key))
    event = {
        "eventTypeId": created["eventType"]["eventTypeId"],
        "count": 2,
        "hostId": created["eventType"]["hostId"],
    }
    answer = start("GenerateLinks", BASE_URL="https://book.example.com").invoke(event)
    assert len(answer["links"]) == 2, answer


def test_only_unexpected_errors_match_the_filter_of_the_failure_alarms(start: Start, admin_key: str) -> None:
    """Lambda counts every raised error. The alarms count only the log lines that match the metric filter."""
    from tests.support.aws.lambda_runtime import FunctionError

    created = _create_links(start, _authorized(start, admin_key))
    event = {"hostId": created["eventType"]["hostId"], "linkIds": []}
    keys = {"type": "TOKEN", "methodArn": "arn", "authorizationToken": f"Bearer {admin_key[:-4]}AAAA"}
    for name, invalid in (("RevokeLinks", event), ("Authorizer", keys)):
        refused, failed = start(name, WHICH="refused"), start(name, TABLE_NAME="no-such-table")
        valid = (
            {**keys, "authorizationToken": f"Bearer {admin_key}"} if invalid is keys else _revoking(created)
        )
        for function, sent, counted in ((refused, invalid, False), (failed, valid, True)):
            with pytest.raises(FunctionError):
                function.invoke(sent)
            lines = function.log().splitlines()
            assert any('"errorType"' in line for line in lines), lines
            assert any(counts(failure_pattern(), line) for line in lines) == counted, lines
            # The line of a failed request is not counted as well: the alarm would count the failure twice.
            assert sum(counts(failure_pattern(), line) for line in lines) == counted, lines
            failed_requests = [line for line in _lines(function) if line.get("event") == "request-failed"]
            assert [line["fault"] for line in failed_requests] == ["ResourceNotFoundException"] * counted
            assert all(line["requestId"] for line in failed_requests)


def _lines(function: Any) -> list[dict[str, Any]]:
    """Return a function's log lines. Raises ValueError for a line that is not JSON."""
    return [json.loads(line) for line in function.log().splitlines()]


def test_log_lines_have_event_function_and_correlation_id(start: Start, admin_key: str) -> None:
    """You find the line of a response by its `X-Correlation-Id`, and that of a message by its event's."""
    _authorized(start, admin_key)
    http, fan_out = start("APIHandler", TABLE_NAME="none"), start("WebhookFanout", TABLE_NAME="none")
    host = {"keyId": "key_1", "role": "host", "hostId": unknown_id(HOST)}
    response = http.invoke(gateway_request("GET", "/v1/links", authorizer=host))
    event: dict[str, Any] = {
        "id": "evt_" + "a" * 26,
        "correlationId": "cause-1",
        **dict.fromkeys(("type", "actor"), "x"),
    }
    event |= dict.fromkeys(("linkId", "bookingId", "eventTypeId", "externalId"))
    event |= {
        "hostId": host["hostId"],
        "time": "2026-11-21T10:00:00Z",
        "metadata": {},
        "data": {},
        "sequence": 1,
    }
    message = {"messageId": "m1", "attributes": {}, "body": json.dumps({"detail": event})}
    assert fan_out.invoke({"Records": [message]}) == {"batchItemFailures": [{"itemIdentifier": "m1"}]}

    (failed,) = [line for line in _lines(http) if line["level"] != "INFO"]
    (retried,) = [line for line in _lines(fan_out) if line["level"] != "INFO"]
    assert (failed["event"], failed["function"], failed["status"]) == ("request-failed", "f", 500)
    assert failed["correlationId"] == response["headers"]["X-Correlation-Id"]
    assert (failed["route"], failed["logger"]) == ("/v1/links", "chalicelib.wire.failures")
    assert (retried["event"], retried["function"], retried["messageId"]) == ("message-failed", "f", "m1")
    assert retried["correlationId"] == "cause-1"
    assert failed["fault"] == retried["fault"] == "ResourceNotFoundException"
    assert "errorType" not in failed | retried


def test_every_line_of_every_function_is_json(start: Start, packaged: Package) -> None:
    """CloudWatch finds fields only in JSON. These are the functions that the tests above called."""
    found = {}
    for name, resource in packaged.read_template()["Resources"].items():
        if resource["Type"] == "AWS::Serverless::Function":
            found[name] = _lines(start(name))
    assert {line["event"] for line in found["Expiry"] if "event" in line} == {
        "links-expired",
        "digests-queued",
    }


def _revoking(created: dict[str, Any]) -> dict[str, Any]:
    return {
        "hostId": created["eventType"]["hostId"],
        "linkIds": [link["linkId"] for link in created["links"]],
    }
