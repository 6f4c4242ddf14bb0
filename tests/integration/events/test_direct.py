"""Directly invoked functions: the schemas of HTTP, errors by type, idempotency by key (P1, P4, P7, P9)."""

import base64
import json
from types import SimpleNamespace
from typing import Any, Final

import pytest

from chalicelib import bootstrap
from chalicelib.consumers.direct_functions import (
    Refusal,
    generate_links,
    list_links_page,
    make_admin,
    redeem_link,
    refusal_of,
    revoke_links,
)
from chalicelib.domain.errors import AdmitOneError, LinkNotOpenError
from chalicelib.domain.team.api_keys import Role
from chalicelib.service.team.authenticate import list_keys
from chalicelib.wire.problems import STATUSES
from tests.support.app import (
    NOW,
    Caller,
    Site,
    at,
    forged,
    ok,
    redeem_body,
    token_of,
    unknown_id,
)
from tests.support.audit import dump
from tests.support.aws.dynamodb_client import plain_client
from tests.support.commands import Deadline
from tests.support.log_lines import logged

CONTEXT: Final = SimpleNamespace(aws_request_id="request-1")


def for_host(host: Caller, **fields: Any) -> dict[str, Any]:
    return {"hostId": host.host_id, **fields}


def refused(function: Any, event: Any, context: Any = CONTEXT) -> tuple[str, dict[str, Any]]:
    """Return the name of the error that a function raises, and its problem document."""
    with pytest.raises(Refusal) as raised:
        function(event, context)
    assert raised.value.__cause__ is None
    assert raised.value.__context__ is None  # Lambda would log it
    document: dict[str, Any] = json.loads(str(raised.value))
    return type(raised.value).__name__, document


def test_links_are_generated_as_over_http_once_per_key(host: Caller) -> None:
    event_type = host.event_type()
    event = for_host(
        host, eventTypeId=event_type["eventTypeId"], count=2, label="Direct", idempotencyKey="k 1"
    )

    answers = [generate_links(event, CONTEXT) for _ in range(3)]

    assert answers[1:] == [answers[0]] * 2
    assert answers[0]["links"] == host.list(batchId=answers[0]["batchId"])["links"]
    assert answers[0]["warnings"] == []
    never = generate_links(
        for_host(host, eventTypeId=host.event_type(schedule={"timeZone": "UTC"})["eventTypeId"]), CONTEXT
    )
    assert [warning["pointer"] for warning in never["warnings"]] == ["/eventTypeId"]
    assert [link["label"] for link in host.list(eventTypeId=event_type["eventTypeId"])["links"]] == [
        "Direct",
        "Direct",
    ]
    kind, document = refused(generate_links, {**event, "count": 3})
    assert (kind, document["status"]) == ("IdempotencyKeyReused", 422)


def test_the_same_key_with_another_correlation_id_is_the_same_call(host: Caller) -> None:
    """A retry by Step Functions has another Lambda request id."""
    event = for_host(host, eventTypeId=host.event_type()["eventTypeId"], idempotencyKey="k")

    first = generate_links({**event, "correlationId": "one"}, CONTEXT)
    second = generate_links({**event, "correlationId": "two"}, SimpleNamespace(aws_request_id="other"))

    assert first == second


def test_more_than_a_thousand_links_are_returned_as_a_batch_id(host: Caller) -> None:
    event = for_host(host, eventTypeId=host.event_type()["eventTypeId"], count=1_001)
    kind, document = refused(generate_links, event)
    assert (kind, document["errors"][0]["pointer"]) == ("InvalidValue", "/idempotencyKey")

    cut_off = refused(generate_links, {**event, "idempotencyKey": "k"}, Deadline(3))
    answer = generate_links({**event, "idempotencyKey": "k"}, Deadline(100))

    assert cut_off[0] == "StoreUnavailable"  # retryable: the same call resumes
    assert answer["links"] == []
    page = list_links_page(for_host(host, batchId=answer["batchId"], limit=200), CONTEXT)
    assert len(page["links"]) == 200


def test_links_are_listed_as_over_http(host: Caller) -> None:
    event_type = host.event_type()
    host.links(event_type, count=3, label="A")
    host.link(event_type, label="B")

    first = list_links_page(for_host(host, limit=2), CONTEXT)
    second = list_links_page(for_host(host, limit=2, cursor=first["nextCursor"]), CONTEXT)

    assert first == host.list(limit="2")
    assert second == host.list(limit="2", cursor=first["nextCursor"])
    for params in ({"status": "used"}, {"q": "B"}, {"eventTypeId": event_type["eventTypeId"]}):
        assert list_links_page(for_host(host, **params), CONTEXT) == host.list(**params)


@pytest.mark.parametrize("named", ["linkId", "url", "token"])
def test_a_slot_is_booked_as_over_http_once_per_key(host: Caller, named: str) -> None:
    link = host.link(maxUsageCount=2)
    value = {"linkId": link["linkId"], "url": link["url"], "token": token_of(link)}[named]
    event = for_host(host, **{named: value}, **redeem_body(at(days=1)))

    keyed = [redeem_link(event | {"idempotencyKey": "k"}, CONTEXT) for _ in range(3)]

    assert keyed[1:] == [keyed[0]] * 2
    assert keyed[0] == ok(host.get(f"/v1/bookings/{keyed[0]['bookingId']}"))
    assert host.reread(link)["usageCount"] == 1


def test_a_repeat_without_a_key_learns_only_that_it_is_booked(host: Caller) -> None:
    """P4: as over HTTP, the response has no URL, no personal data and no ids."""
    event = for_host(host, linkId=host.link(maxUsageCount=2)["linkId"], **redeem_body(at(days=1)))
    first = redeem_link(event, CONTEXT)

    again = redeem_link(event, CONTEXT)

    assert again == {name: first[name] for name in ("status", "start", "end", "title")}


def test_each_link_of_a_revoke_has_its_own_result(host: Caller) -> None:
    link, other = host.link(), unknown_id("lnk")

    answer = revoke_links(for_host(host, linkIds=[link["linkId"], other]), CONTEXT)

    assert answer["results"][0] == {"linkId": link["linkId"], "status": "revoked"}
    assert answer["results"][1]["problem"]["type"].endswith(":not-found")
    assert host.reread(link)["status"] == "revoked"


def test_a_dead_link_raises_an_error_named_after_its_code(site: Site, host: Caller) -> None:
    used, revoked = host.links(host.event_type(), count=2)
    assert site.redeem(used, at(days=1)).status_code == 201
    host.post(f"/v1/links/{revoked['linkId']}/revoke")
    for link, name, code in ((used, "LinkUsed", "link-used"), (revoked, "LinkRevoked", "link-revoked")):
        kind, document = refused(
            redeem_link, for_host(host, linkId=link["linkId"], **redeem_body(at(days=2)))
        )

        assert kind == name
        assert document["type"] == f"urn:admit-one:problem:{code}"
        assert (document["status"], document["correlationId"]) == (410, "request-1")


def test_make_admin_returns_a_new_admin_key_that_is_stored_only_as_a_hash(site: Site) -> None:
    """P7: the first key of a stack that was installed without a clone. Each call makes another one."""
    first, second = (make_admin({"name": "Ada's key"}, CONTEXT) for _ in range(2))

    assert set(first) == {"keyId", "apiKey", "consoleUrl"}
    assert first["consoleUrl"].endswith("/console")
    assert first["apiKey"] != second["apiKey"]
    listed = {key.key_id: (key.role, key.host_id, key.name) for key in list_keys(site.world)}
    assert listed[first["keyId"]] == listed[second["keyId"]] == (Role.ADMIN, None, "Ada's key")
    headers = {"Authorization": f"Bearer {first['apiKey']}"}
    assert site.client.get("/v1/me", headers=headers).json()["role"] == "admin"
    stored = dump(plain_client(site.table.endpoint_url), site.table.name)
    assert first["apiKey"] not in str(stored)


def test_make_admin_creates_nothing_while_all_changes_are_closed(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = len(list_keys(site.world))
    with monkeypatch.context() as closed:
        closed.setenv("BOOKINGS_CLOSED", "all")
        bootstrap.forget()
        kind, document = refused(make_admin, {"name": "Ada"})
    bootstrap.forget()

    assert (kind, document["status"]) == ("StoreUnavailable", 503)
    assert len(list_keys(site.world)) == before


@pytest.mark.parametrize(
    ("event", "kind", "field"),
    [
        ({}, "InvalidRequest", "name"),
        ({"name": ""}, "InvalidRequest", "name"),
        ({"name": "x" * 101}, "InvalidValue", "name"),
        ({"key1": "value1", "key2": "value2"}, "InvalidRequest", "key1"),  # the console's first example
        ({"name": "x", "hostId": "hst_x"}, "InvalidRequest", "hostId"),
    ],
)
def test_make_admin_rejects_other_events(site: Site, event: Any, kind: str, field: str) -> None:
    before = len(list_keys(site.world))
    found, document = refused(make_admin, event)
    assert found == kind
    assert field in document["detail"]
    assert len(list_keys(site.world)) == before


@pytest.mark.parametrize("error", STATUSES)
def test_every_error_is_named_after_its_code(error: type[AdmitOneError]) -> None:
    made = error(NOW) if error is LinkNotOpenError else error()
    name = type(refusal_of(made, "c")).__name__

    assert name.isalpha()
    assert name[0].isupper()
    assert name == "".join(part.capitalize() for part in made.code.split("-"))


@pytest.mark.parametrize("function", [generate_links, list_links_page, make_admin, redeem_link, revoke_links])
@pytest.mark.parametrize("event", [None, [], "x", 1, {}, {"hostId": None}, {"hostId": "x", "colour": "red"}])
def test_a_malformed_event_is_an_invalid_request(site: Site, function: Any, event: Any) -> None:
    del site
    assert refused(function, event)[0] == "InvalidRequest"


@pytest.mark.parametrize(
    ("function", "fields", "kind", "pointer"),
    [
        (generate_links, {"count": 0}, "InvalidValue", "/count"),
        (generate_links, {"count": 10_001}, "InvalidValue", "/count"),
        (generate_links, {"idempotencyKey": ""}, "InvalidRequest", "/idempotencyKey"),
        (generate_links, {"idempotencyKey": "a\n"}, "InvalidRequest", "/idempotencyKey"),
        (generate_links, {"correlationId": "a b"}, "InvalidRequest", "/correlationId"),
        (generate_links, {"maxUsageCount": 0}, "InvalidValue", "/maxUsageCount"),
        (list_links_page, {"limit": 0}, "InvalidValue", "/limit"),
        (list_links_page, {"limit": 201}, "InvalidValue", "/limit"),
        (list_links_page, {"status": "dead"}, "InvalidRequest", "/status"),
        (list_links_page, {"batchId": "x"}, "InvalidValue", "/batchId"),
        (revoke_links, {"linkIds": []}, "InvalidValue", "/linkIds"),
        (redeem_link, {"token": "x", "linkId": "y"}, "InvalidRequest", "/linkId"),
    ],
)
def test_an_invalid_value_is_reported_with_its_pointer(
    host: Caller, function: Any, fields: dict[str, Any], kind: str, pointer: str
) -> None:
    base = {
        generate_links: {"eventTypeId": host.event_type()["eventTypeId"]},
        redeem_link: redeem_body(at(days=1)),
    }.get(function, {})

    found, document = refused(function, for_host(host, **base, **fields))

    assert (found, document["errors"][0]["pointer"]) == (kind, pointer)


def test_another_hosts_data_is_not_found(host: Caller, other: Caller) -> None:
    """P9: a call reaches only the host that it names; IAM decides who may invoke the function."""
    event_type = other.event_type()
    link = other.link(event_type)
    event_type_id = event_type["eventTypeId"]
    for function, fields in (
        (generate_links, {"eventTypeId": event_type_id}),
        (list_links_page, {"eventTypeId": event_type_id}),
        (redeem_link, {"linkId": link["linkId"], **redeem_body(at(days=1))}),
        (redeem_link, {"url": link["url"], **redeem_body(at(days=1))}),
    ):
        assert refused(function, for_host(host, **fields))[0] == "NotFound"
    (row,) = revoke_links(for_host(host, linkIds=[link["linkId"]]), CONTEXT)["results"]
    assert row["problem"]["status"] == 404
    assert list_links_page(for_host(host, q=link["linkId"]), CONTEXT)["links"] == []
    assert other.reread(link) == link


def test_no_token_is_in_an_error_or_the_log(host: Caller, caplog: pytest.LogCaptureFixture) -> None:
    """P7: an error never repeats a token that the event contains."""
    token = token_of(host.link())
    events = [
        for_host(host, token=token, **redeem_body(at(days=900))),
        for_host(host, token=forged(token), **redeem_body(at(days=1))),
        for_host(host, **{token: token}, **redeem_body(at(days=1))),
        for_host(host, token=token, **redeem_body(at(days=1), answers={token: token})),
    ]
    with caplog.at_level("INFO"):
        errors = "".join(json.dumps(refused(redeem_link, event)) for event in events)

    for secret in (token, forged(token)):
        assert secret not in errors + logged(caplog)


def test_an_unexpected_error_is_an_internal_error_without_its_message(
    host: Caller, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    secret = base64.b64encode(b"payload").decode()

    def broken(*_: Any) -> None:
        raise KeyError(secret)

    monkeypatch.setattr("chalicelib.consumers.direct_functions.bulk_revoke", broken)
    kind, document = refused(revoke_links, for_host(host, linkIds=["x"]))

    assert (kind, document["status"]) == ("InternalError", 500)
    assert secret not in logged(caplog) + json.dumps(document)
