"""Functions invoked by name: the HTTP schemas and answers, errors by type, once for each key (P1, P4, P7, P9)."""

import base64
import json
from types import SimpleNamespace
from typing import Any, Final

import pytest

from chalicelib.consumers.direct_functions import (
    Refusal,
    generate_links,
    list_links_page,
    redeem_link,
    refusal_of,
    revoke_links,
)
from chalicelib.domain.errors import AdmitOneError, LinkNotOpenError
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
from tests.support.commands import Deadline

CONTEXT: Final = SimpleNamespace(aws_request_id="request-1")


def of(host: Caller, **fields: Any) -> dict[str, Any]:
    return {"hostId": host.host_id, **fields}


def refused(function: Any, event: Any, context: Any = CONTEXT) -> tuple[str, dict[str, Any]]:
    """Return the type's name and the document of what a function raises."""
    with pytest.raises(Refusal) as raised:
        function(event, context)
    assert raised.value.__cause__ is None
    assert raised.value.__context__ is None  # Lambda would log it
    document: dict[str, Any] = json.loads(str(raised.value))
    return type(raised.value).__name__, document


def test_links_are_generated_as_over_http_and_once_for_each_key(host: Caller) -> None:
    event_type = host.event_type()
    event = of(host, eventTypeId=event_type["eventTypeId"], count=2, label="Direct", idempotencyKey="k 1")

    answers = [generate_links(event, CONTEXT) for _ in range(3)]

    assert answers[1:] == [answers[0]] * 2
    assert answers[0]["links"] == host.list(batchId=answers[0]["batchId"])["links"]
    assert answers[0]["warnings"] == []
    never = generate_links(
        of(host, eventTypeId=host.event_type(schedule={"timeZone": "UTC"})["eventTypeId"]), CONTEXT
    )
    assert [warning["pointer"] for warning in never["warnings"]] == ["/eventTypeId"]
    assert [link["label"] for link in host.list(eventTypeId=event_type["eventTypeId"])["links"]] == [
        "Direct",
        "Direct",
    ]
    kind, document = refused(generate_links, {**event, "count": 3})
    assert (kind, document["status"]) == ("IdempotencyKeyReused", 422)


def test_the_same_key_with_another_correlation_id_is_the_same_call(host: Caller) -> None:
    """A retry of Step Functions is another request of Lambda's."""
    event = of(host, eventTypeId=host.event_type()["eventTypeId"], idempotencyKey="k")

    first = generate_links({**event, "correlationId": "one"}, CONTEXT)
    second = generate_links({**event, "correlationId": "two"}, SimpleNamespace(aws_request_id="other"))

    assert first == second


def test_more_than_a_thousand_are_answered_by_their_batch(host: Caller) -> None:
    event = of(host, eventTypeId=host.event_type()["eventTypeId"], count=1_001)
    kind, document = refused(generate_links, event)
    assert (kind, document["errors"][0]["pointer"]) == ("InvalidValue", "/idempotencyKey")

    cut_off = refused(generate_links, {**event, "idempotencyKey": "k"}, Deadline(3))
    answer = generate_links({**event, "idempotencyKey": "k"}, Deadline(100))

    assert cut_off[0] == "StoreUnavailable"  # to be retried: the same call goes on
    assert answer["links"] == []
    page = list_links_page(of(host, batchId=answer["batchId"], limit=200), CONTEXT)
    assert len(page["links"]) == 200


def test_links_are_listed_as_over_http(host: Caller) -> None:
    event_type = host.event_type()
    host.links(event_type, count=3, label="A")
    host.link(event_type, label="B")

    first = list_links_page(of(host, limit=2), CONTEXT)
    second = list_links_page(of(host, limit=2, cursor=first["nextCursor"]), CONTEXT)

    assert first == host.list(limit="2")
    assert second == host.list(limit="2", cursor=first["nextCursor"])
    for params in ({"status": "used"}, {"q": "B"}, {"eventTypeId": event_type["eventTypeId"]}):
        assert list_links_page(of(host, **params), CONTEXT) == host.list(**params)


@pytest.mark.parametrize("named", ["linkId", "url", "token"])
def test_a_slot_is_booked_as_over_http_and_once(host: Caller, named: str) -> None:
    link = host.link(maxUsageCount=2)
    value = {"linkId": link["linkId"], "url": link["url"], "token": token_of(link)}[named]
    event = of(host, **{named: value}, **redeem_body(at(days=1)))

    keyed = [redeem_link(event | {"idempotencyKey": "k"}, CONTEXT) for _ in range(3)]

    assert keyed[1:] == [keyed[0]] * 2
    assert keyed[0] == ok(host.get(f"/v1/bookings/{keyed[0]['bookingId']}"))
    assert host.reread(link)["usageCount"] == 1


def test_without_a_key_a_repeat_is_told_that_it_is_booked_and_nothing_else(host: Caller) -> None:
    """P4: as over HTTP: no URL, no person, no ids."""
    event = of(host, linkId=host.link(maxUsageCount=2)["linkId"], **redeem_body(at(days=1)))
    first = redeem_link(event, CONTEXT)

    again = redeem_link(event, CONTEXT)

    assert again == {name: first[name] for name in ("status", "start", "end", "title")}


def test_links_are_revoked_each_for_itself(host: Caller) -> None:
    link, other = host.link(), unknown_id("lnk")

    answer = revoke_links(of(host, linkIds=[link["linkId"], other]), CONTEXT)

    assert answer["results"][0] == {"linkId": link["linkId"], "status": "revoked"}
    assert answer["results"][1]["problem"]["type"].endswith(":not-found")
    assert host.reread(link)["status"] == "revoked"


def test_a_dead_link_is_an_error_to_catch_by_its_name(site: Site, host: Caller) -> None:
    used, revoked = host.links(host.event_type(), count=2)
    assert site.redeem(used, at(days=1)).status_code == 201
    host.post(f"/v1/links/{revoked['linkId']}/revoke")
    for link, name, code in ((used, "LinkUsed", "link-used"), (revoked, "LinkRevoked", "link-revoked")):
        kind, document = refused(redeem_link, of(host, linkId=link["linkId"], **redeem_body(at(days=2))))

        assert kind == name
        assert document["type"] == f"urn:admit-one:problem:{code}"
        assert (document["status"], document["correlationId"]) == (410, "request-1")


@pytest.mark.parametrize("error", STATUSES)
def test_every_error_has_a_name_of_its_own_kind(error: type[AdmitOneError]) -> None:
    made = error(NOW) if error is LinkNotOpenError else error()
    name = type(refusal_of(made, "c")).__name__

    assert name.isalpha()
    assert name[0].isupper()
    assert name == "".join(part.capitalize() for part in made.code.split("-"))


@pytest.mark.parametrize("function", [generate_links, list_links_page, redeem_link, revoke_links])
@pytest.mark.parametrize("event", [None, [], "x", 1, {}, {"hostId": None}, {"hostId": "x", "colour": "red"}])
def test_what_is_malformed_is_an_invalid_request(site: Site, function: Any, event: Any) -> None:
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
def test_a_fault_is_named_where_it_stands(
    host: Caller, function: Any, fields: dict[str, Any], kind: str, pointer: str
) -> None:
    base = {
        generate_links: {"eventTypeId": host.event_type()["eventTypeId"]},
        redeem_link: redeem_body(at(days=1)),
    }.get(function, {})

    found, document = refused(function, of(host, **base, **fields))

    assert (found, document["errors"][0]["pointer"]) == (kind, pointer)


def test_another_hosts_things_are_not_found(host: Caller, other: Caller) -> None:
    """P9: whom a function may act for is IAM's to say; what it reaches is that host's alone."""
    event_type = other.event_type()
    link = other.link(event_type)
    event_type_id = event_type["eventTypeId"]
    for function, fields in (
        (generate_links, {"eventTypeId": event_type_id}),
        (list_links_page, {"eventTypeId": event_type_id}),
        (redeem_link, {"linkId": link["linkId"], **redeem_body(at(days=1))}),
        (redeem_link, {"url": link["url"], **redeem_body(at(days=1))}),
    ):
        assert refused(function, of(host, **fields))[0] == "NotFound"
    (row,) = revoke_links(of(host, linkIds=[link["linkId"]]), CONTEXT)["results"]
    assert row["problem"]["status"] == 404
    assert list_links_page(of(host, q=link["linkId"]), CONTEXT)["links"] == []
    assert other.reread(link) == link


def test_no_token_leaves_in_an_error_or_the_log(host: Caller, caplog: pytest.LogCaptureFixture) -> None:
    """P7: nor what was sent beside it."""
    token = token_of(host.link())
    events = [
        of(host, token=token, **redeem_body(at(days=900))),
        of(host, token=forged(token), **redeem_body(at(days=1))),
        of(host, **{token: token}, **redeem_body(at(days=1))),
        of(host, token=token, **redeem_body(at(days=1), answers={token: token})),
    ]
    with caplog.at_level("INFO"):
        told = "".join(json.dumps(refused(redeem_link, event)) for event in events)

    for secret in (token, forged(token)):
        assert secret not in told + caplog.text


def test_a_defect_is_told_in_the_same_form_without_what_it_was(
    host: Caller, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    secret = base64.b64encode(b"payload").decode()

    def broken(*_: Any) -> None:
        raise KeyError(secret)

    monkeypatch.setattr("chalicelib.consumers.direct_functions.bulk_revoke", broken)
    kind, document = refused(revoke_links, of(host, linkIds=["x"]))

    assert (kind, document["status"]) == ("InternalError", 500)
    assert secret not in caplog.text + json.dumps(document)
