"""Commands by queue: once for each id, results on the bus; a bad one is reported and dead-lettered (P1, P4, P7, P9)."""

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import pytest

from chalicelib import bootstrap
from chalicelib.domain.errors import StoreUnavailableError
from chalicelib.service.links.generate import CHUNK
from tests.support.app import (
    Caller,
    Site,
    at,
    forged,
    redeem_body,
    running_site,
    token_of,
    unknown_id,
)
from tests.support.aws.bus import Bus, Inbox, Stream, deliver as tell
from tests.support.aws.engines import Table
from tests.support.commands import Deadline, command, deliver, in_event, in_notification, listening
from tests.support.event_schemas import faults_of

Wires = tuple[Bus, Inbox]
ENVELOPES: Final[dict[str, Callable[[str], str]]] = {
    "bare": lambda body: body,
    "eventbridge": in_event,
    "sns": in_notification,
    "sns of eventbridge": lambda body: in_notification(in_event(body)),
}


@pytest.fixture
def wires(site: Site, monkeypatch: pytest.MonkeyPatch) -> Iterator[Wires]:
    """A bus, and a dead-letter queue."""
    with listening(site, monkeypatch) as both:
        yield both


def of(host: Caller, **fields: Any) -> dict[str, Any]:
    return {"hostId": host.host_id, **fields}


def generate(host: Caller, event_type: dict[str, Any], command_id: str = "c-1", **fields: Any) -> str:
    return command("generate", of(host, eventTypeId=event_type["eventTypeId"], **fields), command_id)


def redeem(host: Caller, link: dict[str, Any], start: str, command_id: str = "c-1", **fields: Any) -> str:
    return command("redeem", of(host, linkId=link["linkId"], **redeem_body(start), **fields), command_id)


def count_of(host: Caller) -> int:
    return len(host.list(limit="200")["links"])


def notices(wires: Wires) -> list[dict[str, Any]]:
    """Return what came out on the bus since the last look; each is what its schema says."""
    found = wires[0].envelopes()
    assert [fault for one in found for fault in faults_of(one)] == []
    return found


def rejected(wires: Wires, body: str, code: str, *pointers: str) -> dict[str, Any]:
    """Check that one message was rejected, on the bus and in the queue alike, and return the notice."""
    (told,) = notices(wires)
    (letter,) = wires[1].take()
    assert told["type"] == "command.rejected"
    assert told["data"]["problem"]["type"] == f"urn:admit-one:problem:{code}"
    assert {fault["pointer"] for fault in told["data"]["problem"].get("errors", [])} == set(pointers)
    assert letter["problem"] == told["data"]["problem"]
    assert letter["message"] == body
    return told


# Each command


@pytest.mark.parametrize("envelope", ENVELOPES.values(), ids=ENVELOPES.keys())
def test_generate_is_followed_once_however_often_and_wrapped_it_comes(
    host: Caller, wires: Wires, envelope: Callable[[str], str]
) -> None:
    event_type = host.event_type()
    body = envelope(generate(host, event_type, count=3, label="By queue"))

    for _ in range(3):
        assert deliver(body) == []

    told = notices(wires)
    assert {(one["type"], one["correlationId"], one["actor"]) for one in told} == {
        ("batch.completed", "c-1", "command:c-1")
    }
    assert len(told) == 3
    assert len({one["id"] for one in told}) == 1
    assert told[0]["hostId"] == host.host_id
    batch = host.list(batchId=told[0]["data"]["batchId"])["links"]
    assert [link["label"] for link in batch] == ["By queue"] * 3
    assert count_of(host) == told[0]["data"]["count"] == 3
    assert wires[1].take() == []


@pytest.mark.parametrize("stage", ["prod", "", "Test", None, 7], ids=str)
def test_a_command_for_another_stage_is_rejected_whole(
    host: Caller, wires: Wires, monkeypatch: pytest.MonkeyPatch, stage: Any
) -> None:
    """A command that reaches the wrong stage creates no link, and its sender gets a rejection."""
    monkeypatch.setenv("STAGE", "test")
    bootstrap.forget()
    body = json.dumps(json.loads(generate(host, host.event_type())) | {"stage": stage})

    assert deliver(body) == []

    if stage is None:
        assert [one["type"] for one in notices(wires)] == ["batch.completed"]
    else:
        rejected(wires, body, "invalid-value" if isinstance(stage, str) else "invalid-request", "/stage")
    assert count_of(host) == (1 if stage is None else 0)


def test_a_command_for_this_stage_is_followed(
    host: Caller, wires: Wires, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STAGE", "test")
    bootstrap.forget()
    body = json.dumps(json.loads(generate(host, host.event_type())) | {"stage": "test"})

    assert deliver(body) == []

    assert [one["type"] for one in notices(wires)] == ["batch.completed"]
    assert count_of(host) == 1


def test_revoke_is_followed_once(host: Caller, wires: Wires) -> None:
    links = host.links(host.event_type(), count=3)
    body = command("revoke", of(host, linkIds=[link["linkId"] for link in links[:2]]))

    for _ in range(3):
        assert deliver(body) == []

    assert [host.reread(link)["status"] for link in links] == ["revoked", "revoked", "active"]
    assert (notices(wires), wires[1].take()) == ([], [])


@pytest.mark.parametrize("named", ["linkId", "url", "token"])
def test_redeem_books_once(host: Caller, wires: Wires, named: str) -> None:
    """P1, P4: by the link's id, or by what the invitee holds; the second link use stays unused."""
    link = host.link(maxUsageCount=2)
    value = {"linkId": link["linkId"], "url": link["url"] + "?embed=1", "token": token_of(link)}[named]
    body = command("redeem", of(host, **{named: value}, **redeem_body(at(days=1))))

    for _ in range(3):
        assert deliver(body) == []

    (booking,) = host.get("/v1/bookings", params={"linkId": link["linkId"]}).json()["bookings"]
    assert (booking["start"], booking["invitee"]["email"]) == (at(days=1), "grace@invitees.example")
    assert host.reread(link)["usageCount"] == 1
    assert (notices(wires), wires[1].take()) == ([], [])


def test_replace_makes_one_fresh_link(host: Caller, wires: Wires) -> None:
    link = host.link(label="Old")
    body = command("replace", of(host, linkId=link["linkId"]))

    for _ in range(3):
        assert deliver(body) == []

    assert sorted(one["status"] for one in host.list()["links"]) == ["active", "revoked"]
    assert host.reread(link)["status"] == "revoked"
    assert wires[1].take() == []


def test_the_answer_is_the_event_with_the_commands_id(site: Site, host: Caller, wires: Wires) -> None:
    """P6: every write a command makes has its id, so the stream's events answer it; also when it came three times."""
    link = host.link()
    stream = Stream(site)
    stream.records()
    for body in (
        generate(host, host.event_type(), "make", count=2),
        redeem(host, link, at(days=2), "book"),
        command("revoke", of(host, linkIds=[host.link()["linkId"]]), "end"),
        command("replace", of(host, linkId=host.link()["linkId"]), "again"),
    ):
        for _ in range(3):
            assert deliver(body) == []
    notices(wires)

    tell(stream.records())

    told = {(one["correlationId"], one["type"]): one for one in notices(wires)}
    events = sorted(key for key in told if key[0] in {"make", "book", "end", "again"})
    assert events == [
        ("again", "link.created"),
        ("again", "link.revoked"),
        ("book", "booking.confirmed"),
        ("book", "link.used"),
        ("end", "link.revoked"),
        ("make", "link.created"),
    ]
    assert told["book", "link.used"]["actor"] == "command:book"


@pytest.mark.parametrize("other", ["body", "verb"])
def test_an_id_that_came_with_another_body_is_rejected(host: Caller, wires: Wires, other: str) -> None:
    """P4: nothing is made of the second one."""
    event_type = host.event_type()
    assert deliver(generate(host, event_type, count=2)) == []
    kept = host.list()["links"]
    notices(wires)
    body = (
        generate(host, event_type, count=3)
        if other == "body"
        else command("revoke", of(host, linkIds=[kept[0]["linkId"]]))
    )

    assert deliver(body) == []

    rejected(wires, body, "idempotency-key-reused")
    assert host.list()["links"] == kept


@pytest.mark.parametrize("verb", ["revoke", "redeem", "replace"])
def test_an_id_is_kept_for_every_verb(host: Caller, wires: Wires, verb: str) -> None:
    first, second = host.links(host.event_type(), count=2)
    payloads = {
        "revoke": lambda link: of(host, linkIds=[link["linkId"]]),
        "redeem": lambda link: of(host, linkId=link["linkId"], **redeem_body(at(days=3))),
        "replace": lambda link: of(host, linkId=link["linkId"]),
    }
    assert deliver(command(verb, payloads[verb](first))) == []
    body = command(verb, payloads[verb](second))

    assert deliver(body) == []

    rejected(wires, body, "idempotency-key-reused")
    assert host.reread(second) == second


@pytest.mark.parametrize("verb", ["generate", "revoke", "redeem", "replace"])
def test_an_id_is_kept_for_thirty_days(site: Site, host: Caller, wires: Wires, verb: str) -> None:
    """P4: longer than the queue and its dead letters together keep a message."""
    event_type = host.event_type()
    first, second = host.links(event_type, count=2, maxUsageCount=3)
    same, other = {
        "generate": (generate(host, event_type, count=2), generate(host, event_type, count=3)),
        "revoke": tuple(command("revoke", of(host, linkIds=[link["linkId"]])) for link in (first, second)),
        "redeem": (redeem(host, first, at(days=40)), redeem(host, second, at(days=41))),
        "replace": tuple(command("replace", of(host, linkId=link["linkId"])) for link in (first, second)),
    }[verb]
    assert deliver(same) == []
    made = count_of(host)
    site.clock.pass_by(days=29)
    notices(wires)

    assert deliver(other) == []

    rejected(wires, other, "idempotency-key-reused")
    assert count_of(host) == made
    assert host.reread(second) == second
    site.clock.pass_by(days=2)
    assert deliver(other) == []
    assert wires[1].take() == []


@pytest.mark.parametrize("verb", ["redeem", "replace"])
def test_the_same_command_after_three_weeks_is_done_already(
    site: Site, host: Caller, wires: Wires, verb: str
) -> None:
    """P4: it lay in a dead-letter queue, say; an HTTP key is forgotten by then, a command's id is not."""
    link = host.link(maxUsageCount=3, restoreUseOnCancel=True)
    body = {
        "redeem": redeem(host, link, at(days=40)),
        "replace": command("replace", of(host, linkId=link["linkId"])),
    }[verb]
    assert deliver(body) == []
    made = count_of(host)
    site.clock.pass_by(days=21)

    assert deliver(body) == []

    assert wires[1].take() == []
    assert count_of(host) == made
    assert host.reread(link)["usageCount"] == (1 if verb == "redeem" else 0)


def test_a_key_over_http_is_no_commands_id(host: Caller, wires: Wires) -> None:
    """P4: who calls and who commands need not know of each other's names."""
    event_type = host.event_type()
    over_http = {"eventTypeId": event_type["eventTypeId"], "count": 1}
    assert host.post("/v1/links", over_http, headers={"Idempotency-Key": "c-1"}).status_code == 201

    assert deliver(generate(host, event_type, "c-1", count=2)) == []

    assert (count_of(host), wires[1].take()) == (3, [])


def test_a_generate_comes_again_after_the_expiry_it_asked_for(site: Site, host: Caller, wires: Wires) -> None:
    """P4: what was good when it first came is not held against a later clock."""
    body = generate(host, host.event_type(), count=2, expiresAt=at(hours=1))
    assert deliver(body) == []
    site.clock.pass_by(hours=2)

    assert deliver(body) == []

    assert [one["type"] for one in notices(wires)] == ["batch.completed"] * 2
    assert (count_of(host), wires[1].take()) == (2, [])


def test_of_an_event_type_deleted_meanwhile_nothing_more_is_made(
    site: Site, host: Caller, wires: Wires
) -> None:
    """A generate that was done is done however late it comes again; one that was cut off is rejected."""
    event_type = host.event_type()
    whole, half = generate(host, event_type, "whole"), generate(host, event_type, "half", count=300)
    assert deliver(whole) == []
    assert deliver(half, context=Deadline(1)) == ["m-0"]
    (done,) = notices(wires)
    deleted = host.delete(f"/v1/event-types/{event_type['eventTypeId']}", params={"revokeLinks": "true"})
    assert deleted.status_code in {200, 204}, deleted.text
    before = sum(item["sk"]["S"] == "LINK" for item in site.items())

    assert deliver(whole) == []
    assert [one["id"] for one in notices(wires)] == [done["id"]]
    assert deliver(half) == []

    rejected(wires, half, "not-found")
    assert sum(item["sk"]["S"] == "LINK" for item in site.items()) == before


def test_ids_are_each_hosts_own(host: Caller, other: Caller, wires: Wires) -> None:
    """P9: what one host's senders call theirs does not stand in another's way."""
    assert (
        deliver(generate(host, host.event_type(), count=2), generate(other, other.event_type(), count=1))
        == []
    )

    assert (count_of(host), count_of(other)) == (2, 1)
    assert wires[1].take() == []


# What can't be followed


BAD: Final[dict[str, tuple[Any, str, tuple[str, ...]]]] = {
    "not JSON": ("{", "invalid-request", ("",)),
    "no object": ("[]", "invalid-request", ("",)),
    "empty": ("", "invalid-request", ("",)),
    "deep": ("[" * 100_000, "invalid-request", ("",)),
    "deep payload": ('{"id":"c","command":"generate","payload":' + "[" * 100_000, "invalid-request", ("",)),
    "no id": ({"command": "revoke", "payload": {}}, "invalid-request", ("",)),
    "no payload": ({"id": "c", "command": "revoke"}, "invalid-request", ("",)),
    "empty id": ({"id": "", "command": "revoke", "payload": {}}, "invalid-request", ("/id",)),
    "id with a space": ({"id": "a b", "command": "revoke", "payload": {}}, "invalid-request", ("/id",)),
    "id with a line's end": ({"id": "a\n", "command": "revoke", "payload": {}}, "invalid-request", ("/id",)),
    "long id": ({"id": "a" * 101, "command": "revoke", "payload": {}}, "invalid-request", ("/id",)),
    "unknown command": ({"id": "c", "command": "delete", "payload": {}}, "invalid-request", ("/command",)),
    "unknown field": ({"id": "c", "command": "revoke", "payload": {}, "x": 1}, "invalid-request", ("",)),
    "payload is no object": (
        {"id": "c", "command": "revoke", "payload": 1},
        "invalid-request",
        ("/payload",),
    ),
    "no host": (
        {"id": "c", "command": "revoke", "payload": {"linkIds": []}},
        "invalid-request",
        ("/payload",),
    ),
    "no host's id": (
        {"id": "c", "command": "revoke", "payload": {"hostId": "x", "linkIds": ["y"]}},
        "not-found",
        (),
    ),
    "notification of nothing": (
        {"Type": "Notification", "TopicArn": "t", "Message": "hello"},
        "invalid-request",
        ("",),
    ),
    "notification of a number": (
        {"Type": "Notification", "TopicArn": "t", "Message": 1},
        "invalid-request",
        ("/Message",),
    ),
    "event of another kind": ({"detail-type": "x", "detail": {"a": 1}}, "invalid-request", ("",)),
}


@pytest.mark.parametrize("case", BAD.values(), ids=BAD.keys())
def test_what_is_no_command_is_rejected_with_its_reason(
    site: Site, wires: Wires, case: tuple[Any, str, tuple[str, ...]]
) -> None:
    given, code, pointers = case
    body = given if isinstance(given, str) else json.dumps(given)
    before = len(site.items())

    assert deliver(body) == []

    told = rejected(wires, body, code, *pointers)
    assert told["correlationId"] in {"m-0", "c"}
    assert len(site.items()) == before


def test_values_that_break_rules_are_named_where_they_stand(host: Caller, wires: Wires) -> None:
    event_type = host.event_type()
    bad = [
        (generate(host, event_type, count=0), "invalid-value", ["/payload/count"]),
        (generate(host, event_type, count=10_001), "invalid-value", ["/payload/count"]),
        (generate(host, event_type, count="1"), "invalid-request", ["/payload/count"]),
        (generate(host, event_type, colour="red"), "invalid-request", ["/payload"]),
        (generate(host, event_type, items=[{}, {"label": ""}]), "invalid-value", ["/payload/items/1/label"]),
        (generate(host, {"eventTypeId": unknown_id("ety")}), "not-found", []),
        (command("revoke", of(host, linkIds=[])), "invalid-value", ["/payload/linkIds"]),
        (command("redeem", of(host, **redeem_body(at(days=1)))), "invalid-request", ["/payload/linkId"]),
        (redeem(host, {"linkId": unknown_id("lnk")}, at(days=1)), "not-found", []),
        (command("replace", of(host, linkId=unknown_id("lnk"))), "not-found", []),
    ]
    for number, (body, code, pointers) in enumerate(bad):
        numbered = body.replace('"c-1"', f'"c-{number}"')

        assert deliver(numbered) == []

        told = rejected(wires, numbered, code, *pointers)
        assert (told["correlationId"], told["hostId"]) == (f"c-{number}", host.host_id)
    assert count_of(host) == 0


def test_dead_links_are_named_as_over_http(site: Site, host: Caller, wires: Wires) -> None:
    event_type = host.event_type()
    used, revoked, expired, gone, early = (
        *host.links(event_type, count=2),
        *host.links(event_type, expiresAt=at(minutes=1)),
        *host.links(event_type, count=1),
        *host.links(event_type, notBefore=at(days=1)),
    )
    assert site.redeem(used, at(days=1)).status_code == 201
    host.post(f"/v1/links/{revoked['linkId']}/revoke")
    host.delete(f"/v1/links/{gone['linkId']}")
    site.clock.pass_by(hours=1)
    for link, code in (
        (used, "link-used"),
        (revoked, "link-revoked"),
        (expired, "link-expired"),
        (gone, "link-deleted"),
        (early, "link-not-open"),
    ):
        body = command("redeem", of(host, url=link["url"], **redeem_body(at(days=2))), code)

        assert deliver(body) == []

        rejected(wires, body, code)


def test_another_hosts_things_are_not_found(host: Caller, other: Caller, wires: Wires) -> None:
    """P9: the host that a command names is the only one it reaches."""
    event_type = other.event_type()
    link = other.link(event_type)
    for number, body in enumerate(
        [
            generate(host, event_type),
            command("revoke", of(host, linkIds=[link["linkId"]])),
            command("replace", of(host, linkId=link["linkId"])),
            redeem(host, link, at(days=1)),
            command("redeem", of(host, url=link["url"], **redeem_body(at(days=1)))),
        ]
    ):
        numbered = body.replace('"c-1"', f'"o-{number}"')

        assert deliver(numbered) == []

        rejected(wires, numbered, "not-found")
    assert other.reread(link) == link
    assert count_of(other) == 1


def test_no_token_leaves_in_notice_or_log(
    host: Caller, wires: Wires, caplog: pytest.LogCaptureFixture
) -> None:
    """P7: whatever is wrong with a command that holds a token, what is told of it does not."""
    link = host.link()
    token = token_of(link)
    bodies = [
        command("redeem", of(host, token=token, **redeem_body(at(days=900)))),
        command("redeem", of(host, token=forged(token), **redeem_body(at(days=1)))),
        command("redeem", of(host, **{token: token}, **redeem_body(at(days=1)))),
        command("redeem", of(host, url=link["url"], linkId=link["linkId"], **redeem_body(at(days=1)))),
        command("redeem", of(host, token=[token], **redeem_body(at(days=1)))),
        command("redeem", of(host, token=token, **redeem_body(at(days=1), timeZone=token))),
        command("redeem", of(host, token=token, **redeem_body(at(days=1), answers={token: token}))),
        command("generate", of(host, eventTypeId=token, recipient={"enforce": token})),
        command(token, of(host, token=token)),
        json.dumps({"id": "c", "command": "redeem", "payload": token}),
        f'{{"id": "c", "{token}',
    ]
    with caplog.at_level("INFO"):
        for body in bodies:
            assert deliver(body) == []
    told = json.dumps(notices(wires))
    letters = wires[1].take()

    assert len(letters) == len(bodies)
    secrets = [token, forged(token)]
    assert not [secret for secret in secrets if secret in caplog.text]
    assert not [secret for secret in secrets if secret in told]
    assert not [secret for letter in letters for secret in secrets if secret in json.dumps(letter["problem"])]


def test_a_forged_token_costs_no_read_of_a_link(site: Site, host: Caller, wires: Wires) -> None:
    """P7: only the command's own id is kept."""
    link = host.link()
    body = command("redeem", of(host, token=forged(token_of(link)), **redeem_body(at(days=1))))
    with site.counting() as reads:
        assert deliver(body) == []

    assert reads.calls == ["PutItem"]  # the command's own id
    rejected(wires, body, "not-found")


def test_of_many_links_those_that_can_be_are_revoked(host: Caller, wires: Wires) -> None:
    first, second = host.links(host.event_type(), count=2)
    body = command("revoke", of(host, linkIds=[first["linkId"], unknown_id("lnk"), second["linkId"]]))

    assert deliver(body) == []

    told = rejected(wires, body, "invalid-value", "/payload/linkIds/1")
    assert told["data"]["problem"]["detail"].startswith("1 of 3 links")
    assert [host.reread(link)["status"] for link in (first, second)] == ["revoked", "revoked"]


def test_a_bad_one_in_the_middle_stops_no_other(host: Caller, wires: Wires) -> None:
    event_type = host.event_type()
    bodies = [generate(host, event_type, f"c-{n}") for n in range(4)]
    bodies[1:1] = ["poison", command("redeem", {"hostId": 7}, "bad")]

    assert deliver(*bodies) == []

    assert count_of(host) == 4
    assert len(wires[1].take()) == 2
    assert sorted(one["type"] for one in notices(wires)) == ["batch.completed"] * 4 + ["command.rejected"] * 2


def test_a_rejected_one_is_followed_when_it_comes_back_from_the_dead_letters(
    host: Caller, wires: Wires
) -> None:
    """Once what stood in its way is gone: `StartMessageMoveTask` brings the letter, and the command is in it."""
    link = host.link(notBefore=at(days=1))
    assert deliver(in_event(redeem(host, link, at(days=3)))) == []
    letter = wires[1].client.receive_message(QueueUrl=wires[1].url)["Messages"][0]["Body"]
    host.patch(f"/v1/links/{link['linkId']}", {"notBefore": None})

    assert deliver(letter) == []

    assert host.reread(link)["status"] == "used"


# What may be tried again


def test_while_the_store_does_not_answer_a_command_comes_again(
    site: Site, host: Caller, wires: Wires, monkeypatch: pytest.MonkeyPatch
) -> None:
    event_type = host.event_type()
    body = generate(host, event_type, count=2)
    monkeypatch.setattr("time.sleep", lambda _: None)
    bootstrap.forget()
    with site.failing("PutItem", StoreUnavailableError()):
        assert deliver(body, "poison") == ["m-0"]
    assert [letter["message"] for letter in wires[1].take()] == ["poison"]

    assert deliver(body) == []

    assert count_of(host) == 2


def test_while_the_store_does_not_answer_a_revoke_of_many_comes_again(
    site: Site, host: Caller, wires: Wires, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing was decided of the links, so none is told as refused."""
    links = host.links(host.event_type(), count=3)
    body = command("revoke", of(host, linkIds=[link["linkId"] for link in links]))
    monkeypatch.setattr("time.sleep", lambda _: None)
    bootstrap.forget()
    with site.failing("UpdateItem", StoreUnavailableError()):
        assert deliver(body) == ["m-0"]
    assert (notices(wires), wires[1].take()) == ([], [])

    assert deliver(body) == []

    assert [host.reread(link)["status"] for link in links] == ["revoked"] * 3
    assert wires[1].take() == []


def test_a_defect_leaves_the_message_to_the_queue_and_its_payload_out_of_the_log(
    host: Caller, wires: Wires, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """P7: what went wrong may quote what was sent. The other messages are followed."""
    token = token_of(host.link())

    def broken(*_: Any) -> None:
        raise KeyError(token)

    monkeypatch.setattr("chalicelib.consumers.commands.bulk_revoke", broken)
    body = command("revoke", of(host, linkIds=["x"]), "broken")
    with caplog.at_level("INFO"):
        assert deliver(body, generate(host, host.event_type(), "good")) == ["m-0"]

    assert token not in caplog.text
    assert "KeyError" in caplog.text
    assert [one["correlationId"] for one in notices(wires)] == ["good"]
    assert wires[1].take() == []


def test_without_a_dead_letter_queue_of_ours_a_bad_command_is_left_to_its_own(
    site: Site, wires: Wires, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not forgotten: SQS moves it once its attempts are over."""
    del site
    with monkeypatch.context() as patch:
        patch.delenv("COMMAND_DLQ_URL")
        bootstrap.forget()
        assert deliver("poison") == ["m-0"]
    bootstrap.forget()
    assert wires[1].take() == []


@pytest.mark.parametrize("missing", ["EVENT_BUS_NAME", "COMMAND_DLQ_URL"])
def test_what_can_not_be_told_or_set_aside_comes_again(
    wires: Wires, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    """The bus or the dead-letter queue does not answer: nothing is lost, and the next delivery rejects it."""
    service = {"EVENT_BUS_NAME": "EVENTBRIDGE", "COMMAND_DLQ_URL": "SQS"}[missing]
    with monkeypatch.context() as patch:
        patch.setenv(f"AWS_ENDPOINT_URL_{service}", "http://127.0.0.1:9")
        patch.setattr("time.sleep", lambda _: None)
        bootstrap.forget()
        refused = deliver("poison")
    bootstrap.forget()
    notices(wires)

    assert refused == ["m-0"]
    assert wires[1].take() == []
    assert deliver("poison") == []
    rejected(wires, "poison", "invalid-request", "")


def test_a_message_too_large_to_be_set_aside_with_its_reason_is_left_to_the_queue(
    host: Caller, wires: Wires
) -> None:
    """SQS moves it to its dead-letter queue whole; the notice has told why."""
    body = command("generate", of(host, eventTypeId="x", label='"' * 500_000))

    assert deliver(body, generate(host, host.event_type(), "good")) == ["m-0"]

    assert sorted(one["type"] for one in notices(wires)) == ["batch.completed", "command.rejected"]
    assert wires[1].take() == []


# Many links


def test_a_large_generate_is_one_batch(host: Caller, wires: Wires) -> None:
    event_type = host.event_type()

    assert deliver(generate(host, event_type, count=1_500)) == []

    (told,) = notices(wires)
    assert told["data"]["count"] == 1_500
    assert count_by_batch(host, told["data"]["batchId"]) == 1_500


def test_a_generate_whose_time_runs_out_goes_on_where_it_stopped(
    site: Site, host: Caller, wires: Wires
) -> None:
    """P4: each delivery makes some of it; none twice, none left out, one batch."""
    event_type = host.event_type()
    body = generate(host, event_type, count=450)
    made: list[int] = []
    for _ in range(2):
        assert deliver(body, context=Deadline(2)) == ["m-0"]
        made.append(sum(item["pk"]["S"].startswith("LINK#") for item in site.items()))
    assert notices(wires) == []
    assert deliver(body, context=Deadline(100)) == []

    (told,) = notices(wires)
    assert made[1] - made[0] == 2 * CHUNK
    assert count_by_batch(host, told["data"]["batchId"]) == 450


def count_by_batch(host: Caller, batch_id: str) -> int:
    found, more = 0, dict[str, str]()
    while True:
        page = host.list(batchId=batch_id, limit="200", **more)
        found += len(page["links"])
        if page["nextCursor"] is None:
            return found
        more = {"cursor": page["nextCursor"]}


# At once, on both engines


@pytest.mark.parametrize("verb", ["generate", "revoke", "redeem", "replace"])
def test_the_same_command_delivered_eight_times_at_once_is_followed_once(
    table: Table, monkeypatch: pytest.MonkeyPatch, ministack: Any, verb: str
) -> None:
    """P1, P4: SQS delivers at least once, and two functions may hold the same message."""
    with running_site(table) as site:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", ministack.endpoint_url)
        host = site.host()
        event_type = host.event_type()
        link = host.link(event_type, maxUsageCount=5)
        body = {
            "generate": generate(host, event_type, count=150),
            "revoke": command("revoke", of(host, linkIds=[link["linkId"]])),
            "redeem": redeem(host, link, at(days=1)),
            "replace": command("replace", of(host, linkId=link["linkId"])),
        }[verb]
        gate = threading.Barrier(8)

        def one() -> list[str]:
            gate.wait()
            return deliver(body)

        with ThreadPoolExecutor(8) as pool:
            answers = [done.result() for done in [pool.submit(one) for _ in range(8)]]
        while any(answers):  # what was in another's way comes again
            answers = [deliver(body)]

        items = [
            item for item in site.items() if item["pk"]["S"].startswith("LINK#") and item["sk"]["S"] == "LINK"
        ]
        stands = host.reread(link)
        expected = {"generate": (151, 0), "revoke": (1, 0), "redeem": (1, 1), "replace": (2, 0)}[verb]
        assert (len(items), stands["usageCount"]) == expected
        assert stands["status"] == ("revoked" if verb in {"revoke", "replace"} else "active")
