"""One log line for each response with 429 or 5xx, with AWS's error code, and none for other responses (P7).

A proxy between the app and DynamoDB injects the faults.
"""

import json
import logging
from collections.abc import Callable, Iterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, Final

import httpx
import pytest
from botocore.exceptions import ReadTimeoutError

from chalicelib import bootstrap
from chalicelib.consumers import direct_functions, mail
from chalicelib.domain.clock import rfc3339, to_millis
from chalicelib.domain.errors import LinkNotOpenError
from chalicelib.domain.events.envelopes import Envelope, write_envelope
from chalicelib.domain.ids import BOOKING
from chalicelib.store import table as store_table
from chalicelib.wire.problems import STATUSES
from infra.local.engines.engine import Engine
from tests.support.app import HTML, JSON, NOW, Caller, Site, at, running_site, unknown_id
from tests.support.aws.engines import Table, new_table
from tests.support.proof.proxy import Answer, Fault, Proxy, Reset, cancelled, error, operation

SECRET: Final = "grace@invitees.example"
CORRELATED: Final = {"X-Correlation-Id": "request-1"}
REASON: Final = "IndexWriteKeyRangeThroughputExceeded"
ARN: Final = "arn:aws:dynamodb:us-east-1:123456789012:table/t/index/due"
SLOW: Final = "ReadTimeoutError"  # not a fault of the proxy, which would cost the time until the timeout

# The faults of every call: the status of the response, and the code in the log.
FAULTS: Final[dict[str, tuple[Fault, int]]] = {
    "ProvisionedThroughputExceededException": (error("ProvisionedThroughputExceededException"), 429),
    "RequestLimitExceeded": (error("RequestLimitExceeded"), 429),
    "InternalServerError": (error("InternalServerError", 500), 503),
    "ServiceUnavailable": (error("ServiceUnavailable", 503), 503),
    "ConnectionClosedError": (Reset(), 503),
}
CANCELLED: Final[dict[str, tuple[Fault, int]]] = {
    "TransactionCanceledException: None, ThrottlingError": (cancelled("None", "ThrottlingError"), 429),
    "TransactionCanceledException: None, TransactionConflict": (
        cancelled("None", "TransactionConflict"),
        503,
    ),
}


@pytest.fixture(scope="module")
def dynamodb(table_engine: Engine) -> Iterator[Proxy]:
    """The proxy in front of the engine."""
    with Proxy(table_engine.endpoint_url) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def whole_site(dynamodb: Proxy, table_engine: Engine) -> Iterator[Site]:
    """An app that does not wait between its retries."""
    table = new_table(table_engine.endpoint_url, stream=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bootstrap, "time", SimpleNamespace(sleep=lambda _: None))
        patch.setattr(store_table, "_jitter", lambda _: 0.0)
        with running_site(Table(dynamodb.url, table.name)) as site:
            yield site


@pytest.fixture(autouse=True)
def no_faults(dynamodb: Proxy) -> Iterator[None]:
    yield
    dynamodb.clear()


Act = Callable[[], tuple[int, str]]
"""Send a request; return the status of its response, and its correlation id."""


def over_http(request: Callable[..., httpx.Response], method: str, path: str, **how: Any) -> Act:
    def act() -> tuple[int, str]:
        response = request(method, path, headers=JSON | CORRELATED, **how)
        assert int(response.headers["retry-after"]) >= 1
        return response.status_code, response.headers.get("x-correlation-id", "")

    return act


def directly(host: Caller) -> Act:
    def act() -> tuple[int, str]:
        event = {"hostId": host.host_id, "correlationId": "request-1"}
        with pytest.raises(direct_functions.Refusal) as refused:
            direct_functions.list_links_page(event, None)
        document = json.loads(str(refused.value))
        return document["status"], document["correlationId"]

    return act


def mail_message(host: Caller) -> Act:
    def act() -> tuple[int, str]:
        event = Envelope(
            id="evt_" + "a" * 26, type="booking.confirmed", time=rfc3339(NOW), host_id=host.host_id, link_id=None,
            booking_id=unknown_id(BOOKING), event_type_id=None, external_id=None, metadata={}, sequence=1,
            actor="invitee", correlation_id="request-1", data={},
        )  # fmt: skip
        sent = str(to_millis(NOW - timedelta(minutes=1)))
        message = {
            "messageId": "m0",
            "receiptHandle": "r",
            "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": sent},
            "body": json.dumps({"detail": json.loads(write_envelope(event))}),
        }
        assert mail.send({"Records": [message]}, None)["batchItemFailures"] == [{"itemIdentifier": "m0"}]
        return 0, "request-1"

    return act


def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """Return the fields of the app's warnings and errors since the last call."""
    ours = [
        vars(record)
        for record in caplog.records
        if record.levelno >= logging.WARNING and record.name.startswith(("chalicelib", "admit-one"))
    ]
    caplog.clear()
    return ours


def cases(site: Site, host: Caller) -> dict[str, tuple[Act, str, str]]:
    """Return what sends requests: the request, DynamoDB's operation to fail, and the route in the log."""
    event_type = host.event_type()
    link, redeemed = host.links(event_type, count=2)
    redeem = {
        "start": at(days=1),
        "timeZone": "UTC",
        "invitee": {"name": "Grace Hopper", "email": SECRET},
    }
    body = {"eventTypeId": event_type["eventTypeId"]}
    send = site.client.request
    token, other = (each["url"].rpartition("/")[2] for each in (link, redeemed))
    return {
        "open": (over_http(send, "GET", f"/s/{token}"), "GetItem", "/s/{token}"),
        "redeem": (
            over_http(send, "POST", f"/s/{other}/redeem", json=redeem), "TransactWriteItems", "/s/{token}/redeem"
        ),
        "list": (over_http(host, "GET", "/v1/links"), "Query", "/v1/links"),
        "generate": (over_http(host, "POST", "/v1/links", json=body), "PutItem", "/v1/links"),
        "authorizer": (over_http(host, "GET", "/v1/me"), "GetItem", ""),
        "list_links": (directly(host), "Query", ""),
        "mail": (mail_message(host), "GetItem", ""),
    }  # fmt: skip


@pytest.mark.parametrize("name", ["open", "redeem", "list", "generate", "authorizer", "list_links", "mail"])
def test_a_failed_call_to_dynamodb_has_one_line_with_its_code(
    name: str, site: Site, host: Caller, dynamodb: Proxy, caplog: pytest.LogCaptureFixture
) -> None:
    """Without the code, nobody can tell a hot key from an outage. P7: the line has no token and nobody's address."""
    act, call, route = cases(site, host)[name]
    faults = FAULTS | (CANCELLED if call == "TransactWriteItems" else {})
    for code, (fault, status) in faults.items():
        caplog.clear()
        rule = dynamodb.inject(operation(call), fault)

        found, correlation_id = act()
        dynamodb.lift(rule)

        (line,) = lines(caplog)
        # Locally and on AWS, the gateway maps each failure of the authorizer to 503.
        assert found == (0 if name == "mail" else 503 if name == "authorizer" else status), code
        assert line["event"] == ("message-retried" if name == "mail" else "request-failed")
        assert (line["fault"], line["faultService"]) == (code, "dynamodb")
        assert (line["operation"], line["attempts"] > 1) == (call, True)
        assert line.get("route", "") == route
        if correlation_id and name != "authorizer":
            assert line["correlationId"] == correlation_id == "request-1"
        if name != "mail":
            assert (line["status"], line["levelname"]) == (status, "WARNING")
        assert SECRET not in repr(line)


def test_a_line_has_the_reasons_of_a_throttled_table(
    host: Caller, dynamodb: Proxy, caplog: pytest.LogCaptureFixture
) -> None:
    """DynamoDB says which table or index is throttled, and why; `awsRequestId` identifies the call for AWS Support."""
    document = {
        "__type": "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException",
        "message": SECRET,
        "ThrottlingReasons": [{"reason": REASON, "resource": ARN}],
    }
    headers = {"Content-Type": "application/x-amz-json-1.0", "x-amzn-RequestId": "REQUEST1"}
    dynamodb.inject(operation("Query"), Answer(400, json.dumps(document).encode(), headers))
    assert host.get("/v1/links", headers=CORRELATED).status_code == 429
    (line,) = lines(caplog)
    assert line["throttlingReasons"] == [f"{REASON} table/t/index/due"]
    assert (line["operation"], line["awsRequestId"]) == ("Query", "REQUEST1")
    assert SECRET not in repr(line)


def test_a_timeout_and_unprocessed_keys_have_a_line_as_well(
    site: Site, host: Caller, dynamodb: Proxy, caplog: pytest.LogCaptureFixture
) -> None:
    """Without an error response, the code is the exception's type, or what DynamoDB left undone."""
    link = host.link()
    with site.failing("Query", ReadTimeoutError(endpoint_url=SECRET)):
        assert host.get("/v1/links").status_code == 503
    (line,) = lines(caplog)
    assert (line["fault"], line["status"], line["operation"]) == (SLOW, 503, "Query")
    assert SECRET not in repr(line)

    rest = {
        "Responses": {},
        "UnprocessedKeys": {site.table.name: {"Keys": [{"pk": {"S": "a"}, "sk": {"S": "b"}}]}},
    }
    dynamodb.inject(operation("BatchGetItem"), Answer(200, json.dumps(rest).encode()))
    assert host.get(f"/v1/links/{link['linkId']}/history").status_code == 200
    assert site.visit(link, headers=JSON).status_code == 429
    (line,) = lines(caplog)
    assert (line["fault"], line["status"], line["route"]) == ("UnprocessedKeys", 429, "/s/{token}")


@pytest.mark.parametrize("headers", [JSON, HTML], ids=["json", "page"])
def test_only_429_and_5xx_are_logged(
    site: Site, host: Caller, caplog: pytest.LogCaptureFixture, headers: dict[str, str]
) -> None:
    """Callers cause other errors: a line for each would hide the failures."""
    link, links = host.link(), type(site.world.store.links)
    for kind, status in STATUSES.items():
        caplog.clear()
        error = LinkNotOpenError(NOW) if kind is LinkNotOpenError else kind()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(links, "read", _raising(error))
            found = site.visit(link, headers=headers | CORRELATED)
        assert found.status_code == status, kind
        written = lines(caplog)
        assert len(written) == (status == 429 or status >= 500), kind
        for line in written:
            assert (line["status"], line["problem"]) == (status, kind.code)
            assert (line["method"], line["route"]) == ("GET", "/s/{token}")
            assert (line["correlationId"], line["event"]) == ("request-1", "request-failed")
            assert line["fault"]


def test_a_defect_has_one_line_with_its_place_also_if_the_page_of_an_error_fails(
    site: Site, host: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    """P7: neither the error's text nor the path is logged, and Chalice logs nothing: its line has the text."""
    link = host.link()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(site.world.store.links), "read", _raising(KeyError(SECRET)))
        assert site.visit(link, headers=HTML).status_code == 500
        (line,) = lines(caplog)
        patch.setattr("chalicelib.api.invitee.dead_links.dead_page", _raising(RuntimeError(SECRET)))
        patch.setattr("chalicelib.api.invitee.dead_links.problem_page", _raising(RuntimeError(SECRET)))
        answer = site.visit(link, headers=HTML)
    (second,) = lines(caplog)
    assert (line["fault"], line["error"], line["levelname"]) == ("KeyError", "KeyError", "ERROR")
    assert (second["fault"], answer.status_code) == ("RuntimeError", 500)
    assert answer.headers["content-type"] == "application/problem+json"
    assert not logging.getLogger("admit-one").handlers  # Chalice would add one that writes plain text
    for each in (line, second):
        assert "raises:" in each["where"]
        assert SECRET not in repr(each)


def test_an_open_that_is_not_counted_because_of_a_defect_has_one_line(
    site: Site, host: Caller, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """P7: the page is shown. Python would print the defect of a thread with the error's text."""
    link = host.link()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(site.world.store.history), "count_open", _raising(KeyError(SECRET)))
        assert site.visit(link, headers=HTML | CORRELATED).status_code == 200
    (line,) = lines(caplog)
    assert (line["event"], line["linkId"], line["fault"]) == ("open-not-counted", link["linkId"], "KeyError")
    assert (line["correlationId"], line["levelname"]) == ("request-1", "ERROR")
    assert SECRET not in repr(line) + capfd.readouterr().err


def test_closed_bookings_and_contention_have_codes_of_their_own(
    site: Site, host: Caller, dynamodb: Proxy, caplog: pytest.LogCaptureFixture
) -> None:
    """You can tell a restore from a table that does not respond."""
    link = host.link()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BOOKINGS_CLOSED", "yes")
        bootstrap.forget()
        assert site.redeem(link, at(days=3)).status_code == 503
    bootstrap.forget()
    (line,) = lines(caplog)
    assert (line["fault"], line["problem"]) == ("bookings-closed", "store-unavailable")

    dynamodb.inject(operation("TransactWriteItems"), cancelled(*["TransactionConflict"] * 4))
    assert site.redeem(link, at(days=3)).status_code == 503
    (line,) = lines(caplog)
    assert line["fault"].startswith("TransactionCanceledException: TransactionConflict")
    assert line["attempts"] > 1


def test_failed_links_of_a_bulk_request_have_one_line(
    host: Caller, dynamodb: Proxy, caplog: pytest.LogCaptureFixture
) -> None:
    """The response is 200, and its rows have the failures: without a line, nobody would know why."""
    links = host.links(host.event_type(), count=2)
    dynamodb.inject(operation("UpdateItem"), error("ThrottlingException"))
    ids = [link["linkId"] for link in links]
    answer = host.post("/v1/links/bulk-revoke", {"linkIds": [*ids, "lnk_unknown"]}, headers=CORRELATED)
    assert [row["problem"]["status"] for row in answer.json()["results"]] == [429, 429, 404]
    (line,) = lines(caplog)
    assert (line["event"], line["links"], line["fault"]) == ("links-failed", 2, "ThrottlingException")
    assert line["correlationId"] == "request-1"


def _raising(error: Exception) -> Callable[..., Any]:
    def raises(*_: Any, **__: Any) -> Any:
        raise error

    return raises
