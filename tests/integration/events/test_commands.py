"""Commands from the queue run once per id (P1, P4, P7, P9).

Results are published on the bus; invalid commands are dead-lettered.
"""

import json
import threading
from collections.abc import Callable
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
from tests.support.aws.bus import Stream, deliver as publish
from tests.support.aws.engines import Table
from tests.support.commands import Channels, Deadline, command, deliver, in_event, in_notification
from tests.support.event_schemas import faults_of
from tests.support.log_lines import logged

ENVELOPES: Final[dict[str, Callable[[str], str]]] = {
    "bare": lambda body: body,
    "eventbridge": in_event,
    "sns": in_notification,
    "eventbridge in sns": lambda body: in_notification(in_event(body)),
}


def for_host(host: Caller, **fields: Any) -> dict[str, Any]:
    return {"hostId": host.host_id, **fields}


def generate(host: Caller, event_type: dict[str, Any], command_id: str = "c-1", **fields: Any) -> str:
    return command("generate", for_host(host, eventTypeId=event_type["eventTypeId"], **fields), command_id)


def redeem(host: Caller, link: dict[str, Any], start: str, command_id: str = "c-1", **fields: Any) -> str:
    return command(
        "redeem", for_host(host, linkId=link["linkId"], **redeem_body(start), **fields), command_id
    )


def count_of(host: Caller) -> int:
    return len(host.list(limit="200")["links"])


def notices(channels: Channels) -> list[dict[str, Any]]:
    """Return the bus's new messages, after checking each against its schema."""
    found = channels.bus.envelopes()
    assert [fault for one in found for fault in faults_of(one)] == []
    return found


def rejected(channels: Channels, body: str, code: str, *pointers: str) -> dict[str, Any]:
    """Check that exactly one message was rejected, on the bus and in the dead-letter queue; return the notice."""
    (notice,) = notices(channels)
    (letter,) = channels.dead_letters.take()
    assert notice["type"] == "command.rejected"
    assert notice["data"]["problem"]["type"] == f"urn:admit-one:problem:{code}"
    assert {fault["pointer"] for fault in notice["data"]["problem"].get("errors", [])} == set(pointers)
    assert letter["problem"] == notice["data"]["problem"]
    assert letter["message"] == body
    return notice


# Each command


@pytest.mark.parametrize("envelope", ENVELOPES.values(), ids=ENVELOPES.keys())
def test_a_repeated_generate_runs_once_in_every_envelope(
    host: Caller, channels: Channels, envelope: Callable[[str], str]
) -> None:
    event_type = host.event_type()
    body = envelope(generate(host, event_type, count=3, label="By queue"))

    for _ in range(3):
        assert deliver(body) == []

    completed = notices(channels)
    assert {(one["type"], one["correlationId"], one["actor"]) for one in completed} == {
        ("batch.completed", "c-1", "command:c-1")
    }
    assert len(completed) == 3
    assert len({one["id"] for one in completed}) == 1
    assert completed[0]["hostId"] == host.host_id
    batch = host.list(batchId=completed[0]["data"]["batchId"])["links"]
    assert [link["label"] for link in batch] == ["By queue"] * 3
    assert count_of(host) == completed[0]["data"]["count"] == 3
    assert channels.dead_letters.take() == []


@pytest.mark.parametrize("stage", ["prod", "", "Test", None, 7], ids=str)
def test_a_command_for_another_stage_is_rejected(
    host: Caller, channels: Channels, monkeypatch: pytest.MonkeyPatch, stage: Any
) -> None:
    """A command sent to the wrong stage creates no link, and its sender gets a rejection."""
    monkeypatch.setenv("STAGE", "test")
    bootstrap.forget()
    body = json.dumps(json.loads(generate(host, host.event_type())) | {"stage": stage})

    assert deliver(body) == []

    if stage is None:
        assert [one["type"] for one in notices(channels)] == ["batch.completed"]
    else:
        rejected(channels, body, "invalid-value" if isinstance(stage, str) else "invalid-request", "/stage")
    assert count_of(host) == (1 if stage is None else 0)


def test_a_command_for_this_stage_runs(
    host: Caller, channels: Channels, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STAGE", "test")
    bootstrap.forget()
    body = json.dumps(json.loads(generate(host, host.event_type())) | {"stage": "test"})

    assert deliver(body) == []

    assert [one["type"] for one in notices(channels)] == ["batch.completed"]
    assert count_of(host) == 1


def test_revoke_runs_once(host: Caller, channels: Channels) -> None:
    links = host.links(host.event_type(), count=3)
    body = command("revoke", for_host(host, linkIds=[link["linkId"] for link in links[:2]]))

    for _ in range(3):
        assert deliver(body) == []

    assert [host.reread(link)["status"] for link in links] == ["revoked", "revoked", "active"]
    assert (notices(channels), channels.dead_letters.take()) == ([], [])


@pytest.mark.parametrize("named", ["linkId", "url", "token"])
def test_redeem_books_once(host: Caller, channels: Channels, named: str) -> None:
    """P1, P4: the command names the link by its id, URL or token; the link's second use is still available."""
    link = host.link(maxUsageCount=2)
    value = {"linkId": link["linkId"], "url": link["url"] + "?embed=1", "token": token_of(link)}[named]
    body = command("redeem", for_host(host, **{named: value}, **redeem_body(at(days=1))))

    for _ in range(3):
        assert deliver(body) == []

    (booking,) = host.get("/v1/bookings", params={"linkId": link["linkId"]}).json()["bookings"]
    assert (booking["start"], booking["invitee"]["email"]) == (at(days=1), "grace@invitees.example")
    assert host.reread(link)["usageCount"] == 1
    assert (notices(channels), channels.dead_letters.take()) == ([], [])


def test_replace_creates_one_new_link(host: Caller, channels: Channels) -> None:
    link = host.link(label="Old")
    body = command("replace", for_host(host, linkId=link["linkId"]))

    for _ in range(3):
        assert deliver(body) == []

    assert sorted(one["status"] for one in host.list()["links"]) == ["active", "revoked"]
    assert host.reread(link)["status"] == "revoked"
    assert channels.dead_letters.take() == []


def test_events_have_the_id_of_their_command_as_correlation_id(
    site: Site, host: Caller, channels: Channels
) -> None:
    """P6: senders can correlate the events with the command, even if it is delivered three times."""
    link = host.link()
    stream = Stream(site)
    stream.records()
    for body in (
        generate(host, host.event_type(), "make", count=2),
        redeem(host, link, at(days=2), "book"),
        command("revoke", for_host(host, linkIds=[host.link()["linkId"]]), "end"),
        command("replace", for_host(host, linkId=host.link()["linkId"]), "again"),
    ):
        for _ in range(3):
            assert deliver(body) == []
    notices(channels)

    publish(stream.records())

    published = {(one["correlationId"], one["type"]): one for one in notices(channels)}
    events = sorted(key for key in published if key[0] in {"make", "book", "end", "again"})
    assert events == [
        ("again", "link.created"),
        ("again", "link.revoked"),
        ("book", "booking.confirmed"),
        ("book", "link.used"),
        ("end", "link.revoked"),
        ("make", "link.created"),
    ]
    assert published["book", "link.used"]["actor"] == "command:book"


@pytest.mark.parametrize("other", ["body", "verb"])
def test_a_reused_id_with_another_body_is_rejected(host: Caller, channels: Channels, other: str) -> None:
    """P4: the second command changes nothing."""
    event_type = host.event_type()
    assert deliver(generate(host, event_type, count=2)) == []
    kept = host.list()["links"]
    notices(channels)
    body = (
        generate(host, event_type, count=3)
        if other == "body"
        else command("revoke", for_host(host, linkIds=[kept[0]["linkId"]]))
    )

    assert deliver(body) == []

    rejected(channels, body, "idempotency-key-reused")
    assert host.list()["links"] == kept


@pytest.mark.parametrize("verb", ["revoke", "redeem", "replace"])
def test_every_command_records_its_id(host: Caller, channels: Channels, verb: str) -> None:
    first, second = host.links(host.event_type(), count=2)
    payloads = {
        "revoke": lambda link: for_host(host, linkIds=[link["linkId"]]),
        "redeem": lambda link: for_host(host, linkId=link["linkId"], **redeem_body(at(days=3))),
        "replace": lambda link: for_host(host, linkId=link["linkId"]),
    }
    assert deliver(command(verb, payloads[verb](first))) == []
    body = command(verb, payloads[verb](second))

    assert deliver(body) == []

    rejected(channels, body, "idempotency-key-reused")
    assert host.reread(second) == second


@pytest.mark.parametrize("verb", ["generate", "revoke", "redeem", "replace"])
def test_an_id_is_recorded_for_thirty_days(site: Site, host: Caller, channels: Channels, verb: str) -> None:
    """P4: this is longer than the queue and its dead-letter queue together retain a message."""
    event_type = host.event_type()
    first, second = host.links(event_type, count=2, maxUsageCount=3)
    same, other = {
        "generate": (generate(host, event_type, count=2), generate(host, event_type, count=3)),
        "revoke": tuple(
            command("revoke", for_host(host, linkIds=[link["linkId"]])) for link in (first, second)
        ),
        "redeem": (redeem(host, first, at(days=40)), redeem(host, second, at(days=41))),
        "replace": tuple(
            command("replace", for_host(host, linkId=link["linkId"])) for link in (first, second)
        ),
    }[verb]
    assert deliver(same) == []
    made = count_of(host)
    site.clock.advance(days=29)
    notices(channels)

    assert deliver(other) == []

    rejected(channels, other, "idempotency-key-reused")
    assert count_of(host) == made
    assert host.reread(second) == second
    site.clock.advance(days=2)
    assert deliver(other) == []
    assert channels.dead_letters.take() == []


@pytest.mark.parametrize("verb", ["redeem", "replace"])
def test_the_same_command_after_three_weeks_changes_nothing(
    site: Site, host: Caller, channels: Channels, verb: str
) -> None:
    """P4: a command can wait in a dead-letter queue for longer than HTTP idempotency keys are kept."""
    link = host.link(maxUsageCount=3, restoreUseOnCancel=True)
    body = {
        "redeem": redeem(host, link, at(days=40)),
        "replace": command("replace", for_host(host, linkId=link["linkId"])),
    }[verb]
    assert deliver(body) == []
    made = count_of(host)
    site.clock.advance(days=21)

    assert deliver(body) == []

    assert channels.dead_letters.take() == []
    assert count_of(host) == made
    assert host.reread(link)["usageCount"] == (1 if verb == "redeem" else 0)


def test_idempotency_keys_and_command_ids_are_separate(host: Caller, channels: Channels) -> None:
    """P4: callers and command senders can choose the same text independently."""
    event_type = host.event_type()
    over_http = {"eventTypeId": event_type["eventTypeId"], "count": 1}
    assert host.post("/v1/links", over_http, headers={"Idempotency-Key": "c-1"}).status_code == 201

    assert deliver(generate(host, event_type, "c-1", count=2)) == []

    assert (count_of(host), channels.dead_letters.take()) == (3, [])


def test_a_repeated_generate_succeeds_after_its_links_expired(
    site: Site, host: Caller, channels: Channels
) -> None:
    """P4: a repeat isn't validated against the later time."""
    body = generate(host, host.event_type(), count=2, expiresAt=at(hours=1))
    assert deliver(body) == []
    site.clock.advance(hours=2)

    assert deliver(body) == []

    assert [one["type"] for one in notices(channels)] == ["batch.completed"] * 2
    assert (count_of(host), channels.dead_letters.take()) == (2, [])


def test_a_generate_creates_no_links_after_its_event_type_is_deleted(
    site: Site, host: Caller, channels: Channels
) -> None:
    """A repeat of a finished generate still succeeds; a repeat of an interrupted one is rejected."""
    event_type = host.event_type()
    whole, half = generate(host, event_type, "whole"), generate(host, event_type, "half", count=300)
    assert deliver(whole) == []
    assert deliver(half, context=Deadline(1)) == ["m-0"]
    (done,) = notices(channels)
    deleted = host.delete(f"/v1/event-types/{event_type['eventTypeId']}", params={"revokeLinks": "true"})
    assert deleted.status_code in {200, 204}, deleted.text
    before = sum(item["sk"]["S"] == "LINK" for item in site.items())

    assert deliver(whole) == []
    assert [one["id"] for one in notices(channels)] == [done["id"]]
    assert deliver(half) == []

    rejected(channels, half, "not-found")
    assert sum(item["sk"]["S"] == "LINK" for item in site.items()) == before


def test_each_host_has_its_own_command_ids(host: Caller, other: Caller, channels: Channels) -> None:
    """P9: two hosts can use the same id."""
    assert (
        deliver(generate(host, host.event_type(), count=2), generate(other, other.event_type(), count=1))
        == []
    )

    assert (count_of(host), count_of(other)) == (2, 1)
    assert channels.dead_letters.take() == []


# Commands that are rejected


BAD: Final[dict[str, tuple[Any, str, tuple[str, ...]]]] = {
    "not JSON": ("{", "invalid-request", ("",)),
    "not an object": ("[]", "invalid-request", ("",)),
    "empty": ("", "invalid-request", ("",)),
    "deep": ("[" * 100_000, "invalid-request", ("",)),
    "deep payload": ('{"id":"c","command":"generate","payload":' + "[" * 100_000, "invalid-request", ("",)),
    "no id": ({"command": "revoke", "payload": {}}, "invalid-request", ("",)),
    "no payload": ({"id": "c", "command": "revoke"}, "invalid-request", ("",)),
    "empty id": ({"id": "", "command": "revoke", "payload": {}}, "invalid-request", ("/id",)),
    "id with a space": ({"id": "a b", "command": "revoke", "payload": {}}, "invalid-request", ("/id",)),
    "id with a line break": ({"id": "a\n", "command": "revoke", "payload": {}}, "invalid-request", ("/id",)),
    "long id": ({"id": "a" * 101, "command": "revoke", "payload": {}}, "invalid-request", ("/id",)),
    "unknown command": ({"id": "c", "command": "delete", "payload": {}}, "invalid-request", ("/command",)),
    "unknown field": ({"id": "c", "command": "revoke", "payload": {}, "x": 1}, "invalid-request", ("",)),
    "payload is not an object": (
        {"id": "c", "command": "revoke", "payload": 1},
        "invalid-request",
        ("/payload",),
    ),
    "no host": (
        {"id": "c", "command": "revoke", "payload": {"linkIds": []}},
        "invalid-request",
        ("/payload",),
    ),
    "not a host id": (
        {"id": "c", "command": "revoke", "payload": {"hostId": "x", "linkIds": ["y"]}},
        "not-found",
        (),
    ),
    "notification without a command": (
        {"Type": "Notification", "TopicArn": "t", "Message": "hello"},
        "invalid-request",
        ("",),
    ),
    "notification of a number": (
        {"Type": "Notification", "TopicArn": "t", "Message": 1},
        "invalid-request",
        ("/Message",),
    ),
    "unknown detail-type": ({"detail-type": "x", "detail": {"a": 1}}, "invalid-request", ("",)),
}


@pytest.mark.parametrize("case", BAD.values(), ids=BAD.keys())
def test_a_malformed_command_is_rejected_with_the_reason(
    site: Site, channels: Channels, case: tuple[Any, str, tuple[str, ...]]
) -> None:
    given, code, pointers = case
    body = given if isinstance(given, str) else json.dumps(given)
    before = len(site.items())

    assert deliver(body) == []

    notice = rejected(channels, body, code, *pointers)
    assert notice["correlationId"] in {"m-0", "c"}
    assert len(site.items()) == before


def test_an_invalid_value_is_rejected_with_its_pointer(host: Caller, channels: Channels) -> None:
    event_type = host.event_type()
    bad = [
        (generate(host, event_type, count=0), "invalid-value", ["/payload/count"]),
        (generate(host, event_type, count=10_001), "invalid-value", ["/payload/count"]),
        (generate(host, event_type, count="1"), "invalid-request", ["/payload/count"]),
        (generate(host, event_type, colour="red"), "invalid-request", ["/payload"]),
        (generate(host, event_type, items=[{}, {"label": ""}]), "invalid-value", ["/payload/items/1/label"]),
        (generate(host, {"eventTypeId": unknown_id("ety")}), "not-found", []),
        (command("revoke", for_host(host, linkIds=[])), "invalid-value", ["/payload/linkIds"]),
        (
            command("redeem", for_host(host, **redeem_body(at(days=1)))),
            "invalid-request",
            ["/payload/linkId"],
        ),
        (redeem(host, {"linkId": unknown_id("lnk")}, at(days=1)), "not-found", []),
        (command("replace", for_host(host, linkId=unknown_id("lnk"))), "not-found", []),
    ]
    for number, (body, code, pointers) in enumerate(bad):
        numbered = body.replace('"c-1"', f'"c-{number}"')

        assert deliver(numbered) == []

        notice = rejected(channels, numbered, code, *pointers)
        assert (notice["correlationId"], notice["hostId"]) == (f"c-{number}", host.host_id)
    assert count_of(host) == 0


def test_a_redeem_of_a_dead_link_is_rejected_with_the_code_of_http(
    site: Site, host: Caller, channels: Channels
) -> None:
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
    site.clock.advance(hours=1)
    for link, code in (
        (used, "link-used"),
        (revoked, "link-revoked"),
        (expired, "link-expired"),
        (gone, "link-deleted"),
        (early, "link-not-open"),
    ):
        body = command("redeem", for_host(host, url=link["url"], **redeem_body(at(days=2))), code)

        assert deliver(body) == []

        rejected(channels, body, code)


def test_another_hosts_data_is_not_found(host: Caller, other: Caller, channels: Channels) -> None:
    """P9: a command reaches only the host that it names."""
    event_type = other.event_type()
    link = other.link(event_type)
    for number, body in enumerate(
        [
            generate(host, event_type),
            command("revoke", for_host(host, linkIds=[link["linkId"]])),
            command("replace", for_host(host, linkId=link["linkId"])),
            redeem(host, link, at(days=1)),
            command("redeem", for_host(host, url=link["url"], **redeem_body(at(days=1)))),
        ]
    ):
        numbered = body.replace('"c-1"', f'"o-{number}"')

        assert deliver(numbered) == []

        rejected(channels, numbered, "not-found")
    assert other.reread(link) == link
    assert count_of(other) == 1


def test_no_token_is_in_a_notice_or_the_log(
    host: Caller, channels: Channels, caplog: pytest.LogCaptureFixture
) -> None:
    """P7: the token of an invalid command appears neither in the rejection notice nor in the log."""
    link = host.link()
    token = token_of(link)
    bodies = [
        command("redeem", for_host(host, token=token, **redeem_body(at(days=900)))),
        command("redeem", for_host(host, token=forged(token), **redeem_body(at(days=1)))),
        command("redeem", for_host(host, **{token: token}, **redeem_body(at(days=1)))),
        command("redeem", for_host(host, url=link["url"], linkId=link["linkId"], **redeem_body(at(days=1)))),
        command("redeem", for_host(host, token=[token], **redeem_body(at(days=1)))),
        command("redeem", for_host(host, token=token, **redeem_body(at(days=1), timeZone=token))),
        command("redeem", for_host(host, token=token, **redeem_body(at(days=1), answers={token: token}))),
        command("generate", for_host(host, eventTypeId=token, recipient={"enforce": token})),
        command(token, for_host(host, token=token)),
        json.dumps({"id": "c", "command": "redeem", "payload": token}),
        f'{{"id": "c", "{token}',
    ]
    with caplog.at_level("INFO"):
        for body in bodies:
            assert deliver(body) == []
    published = json.dumps(notices(channels))
    letters = channels.dead_letters.take()

    assert len(letters) == len(bodies)
    lines = [vars(record) for record in caplog.records if record.name.startswith("chalicelib")]
    assert {line["event"] for line in lines} == {"command-rejected"}
    assert all(line["correlationId"] == line["commandId"] for line in lines)
    secrets = [token, forged(token)]
    assert not [secret for secret in secrets if secret in logged(caplog)]
    assert not [secret for secret in secrets if secret in published]
    assert not [secret for letter in letters for secret in secrets if secret in json.dumps(letter["problem"])]


def test_a_forged_token_reads_no_link(site: Site, host: Caller, channels: Channels) -> None:
    """P7: the only call records the command's id."""
    link = host.link()
    body = command("redeem", for_host(host, token=forged(token_of(link)), **redeem_body(at(days=1))))
    with site.counting() as reads:
        assert deliver(body) == []

    assert reads.calls == ["PutItem"]
    rejected(channels, body, "not-found")


def test_revoke_reports_the_links_it_cannot_revoke_and_revokes_the_rest(
    host: Caller, channels: Channels
) -> None:
    first, second = host.links(host.event_type(), count=2)
    body = command("revoke", for_host(host, linkIds=[first["linkId"], unknown_id("lnk"), second["linkId"]]))

    assert deliver(body) == []

    notice = rejected(channels, body, "invalid-value", "/payload/linkIds/1")
    assert notice["data"]["problem"]["detail"].startswith("1 of 3 links")
    assert [host.reread(link)["status"] for link in (first, second)] == ["revoked", "revoked"]


def test_a_bad_command_does_not_block_its_batch(host: Caller, channels: Channels) -> None:
    event_type = host.event_type()
    bodies = [generate(host, event_type, f"c-{n}") for n in range(4)]
    bodies[1:1] = ["poison", command("redeem", {"hostId": 7}, "bad")]

    assert deliver(*bodies) == []

    assert count_of(host) == 4
    assert len(channels.dead_letters.take()) == 2
    assert (
        sorted(one["type"] for one in notices(channels)) == ["batch.completed"] * 4 + ["command.rejected"] * 2
    )


def test_a_rejected_command_runs_after_a_redrive(host: Caller, channels: Channels) -> None:
    """Once the cause is gone, `StartMessageMoveTask` redelivers the dead letter, which contains the command."""
    link = host.link(notBefore=at(days=1))
    assert deliver(in_event(redeem(host, link, at(days=3)))) == []
    letter = channels.dead_letters.client.receive_message(QueueUrl=channels.dead_letters.url)["Messages"][0][
        "Body"
    ]
    host.patch(f"/v1/links/{link['linkId']}", {"notBefore": None})

    assert deliver(letter) == []

    assert host.reread(link)["status"] == "used"


# Commands that are retried


def test_a_command_is_retried_while_the_store_is_unavailable(
    site: Site, host: Caller, channels: Channels, monkeypatch: pytest.MonkeyPatch
) -> None:
    event_type = host.event_type()
    body = generate(host, event_type, count=2)
    monkeypatch.setattr("time.sleep", lambda _: None)
    bootstrap.forget()
    with site.failing("PutItem", StoreUnavailableError()):
        assert deliver(body, "poison") == ["m-0"]
    assert [letter["message"] for letter in channels.dead_letters.take()] == ["poison"]

    assert deliver(body) == []

    assert count_of(host) == 2


def test_a_revoke_of_many_is_retried_while_the_store_is_unavailable(
    site: Site, host: Caller, channels: Channels, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No link's outcome is known yet, so none is reported as rejected."""
    links = host.links(host.event_type(), count=3)
    body = command("revoke", for_host(host, linkIds=[link["linkId"] for link in links]))
    monkeypatch.setattr("time.sleep", lambda _: None)
    bootstrap.forget()
    with site.failing("UpdateItem", StoreUnavailableError()):
        assert deliver(body) == ["m-0"]
    assert (notices(channels), channels.dead_letters.take()) == ([], [])

    assert deliver(body) == []

    assert [host.reread(link)["status"] for link in links] == ["revoked"] * 3
    assert channels.dead_letters.take() == []


def test_an_unexpected_error_is_retried_and_its_message_not_logged(
    host: Caller, channels: Channels, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """P7: an exception's message may quote the payload. The other commands run."""
    token = token_of(host.link())

    def broken(*_: Any) -> None:
        raise KeyError(token)

    monkeypatch.setattr("chalicelib.consumers.commands.bulk_revoke", broken)
    body = command("revoke", for_host(host, linkIds=["x"]), "broken")
    with caplog.at_level("INFO"):
        assert deliver(body, generate(host, host.event_type(), "good")) == ["m-0"]

    assert token not in logged(caplog)
    assert "KeyError" in caplog.text
    assert [one["correlationId"] for one in notices(channels)] == ["good"]
    assert channels.dead_letters.take() == []


def test_without_a_dead_letter_queue_a_bad_command_stays_in_its_queue(
    site: Site, channels: Channels, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It isn't lost: SQS applies the queue's own redrive policy after the last attempt."""
    del site
    with monkeypatch.context() as patch:
        patch.delenv("COMMAND_DLQ_URL")
        bootstrap.forget()
        assert deliver("poison") == ["m-0"]
    bootstrap.forget()
    assert channels.dead_letters.take() == []


@pytest.mark.parametrize("missing", ["EVENT_BUS_NAME", "COMMAND_DLQ_URL"])
def test_a_rejection_is_retried_while_the_bus_or_the_queue_is_unavailable(
    channels: Channels, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    """Nothing is lost; the next delivery rejects the command."""
    service = {"EVENT_BUS_NAME": "EVENTBRIDGE", "COMMAND_DLQ_URL": "SQS"}[missing]
    with monkeypatch.context() as patch:
        patch.setenv(f"AWS_ENDPOINT_URL_{service}", "http://127.0.0.1:9")
        patch.setattr("time.sleep", lambda _: None)
        bootstrap.forget()
        retried = deliver("poison")
    bootstrap.forget()
    notices(channels)

    assert retried == ["m-0"]
    assert channels.dead_letters.take() == []
    assert deliver("poison") == []
    rejected(channels, "poison", "invalid-request", "")


def test_a_command_too_large_for_a_dead_letter_stays_in_its_queue(host: Caller, channels: Channels) -> None:
    """SQS moves the unchanged message to the queue's own dead-letter queue; the notice contains the reason."""
    body = command("generate", for_host(host, eventTypeId="x", label='"' * 500_000))

    assert deliver(body, generate(host, host.event_type(), "good")) == ["m-0"]

    assert sorted(one["type"] for one in notices(channels)) == ["batch.completed", "command.rejected"]
    assert channels.dead_letters.take() == []


# Many links


def test_a_large_generate_is_one_batch(host: Caller, channels: Channels) -> None:
    event_type = host.event_type()

    assert deliver(generate(host, event_type, count=1_500)) == []

    (completed,) = notices(channels)
    assert completed["data"]["count"] == 1_500
    assert count_in_batch(host, completed["data"]["batchId"]) == 1_500


def test_a_generate_that_runs_out_of_time_is_resumed(site: Site, host: Caller, channels: Channels) -> None:
    """P4: each delivery creates some links of one batch; none is created twice or left out."""
    event_type = host.event_type()
    body = generate(host, event_type, count=450)
    made: list[int] = []
    for _ in range(2):
        assert deliver(body, context=Deadline(2)) == ["m-0"]
        made.append(sum(item["pk"]["S"].startswith("LINK#") for item in site.items()))
    assert notices(channels) == []
    assert deliver(body, context=Deadline(100)) == []

    (completed,) = notices(channels)
    assert made[1] - made[0] == 2 * CHUNK
    assert count_in_batch(host, completed["data"]["batchId"]) == 450


def count_in_batch(host: Caller, batch_id: str) -> int:
    found, more = 0, dict[str, str]()
    while True:
        page = host.list(batchId=batch_id, limit="200", **more)
        found += len(page["links"])
        if page["nextCursor"] is None:
            return found
        more = {"cursor": page["nextCursor"]}


# Concurrently, on both engines


@pytest.mark.parametrize("verb", ["generate", "revoke", "redeem", "replace"])
def test_a_command_delivered_eight_times_at_once_runs_once(
    table: Table, monkeypatch: pytest.MonkeyPatch, ministack: Any, verb: str
) -> None:
    """P1, P4: SQS delivers at least once, so several functions may handle one message at the same time."""
    with running_site(table) as site:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", ministack.endpoint_url)
        host = site.host()
        event_type = host.event_type()
        link = host.link(event_type, maxUsageCount=5)
        body = {
            "generate": generate(host, event_type, count=150),
            "revoke": command("revoke", for_host(host, linkIds=[link["linkId"]])),
            "redeem": redeem(host, link, at(days=1)),
            "replace": command("replace", for_host(host, linkId=link["linkId"])),
        }[verb]
        gate = threading.Barrier(8)

        def one() -> list[str]:
            gate.wait()
            return deliver(body)

        with ThreadPoolExecutor(8) as pool:
            answers = [done.result() for done in [pool.submit(one) for _ in range(8)]]
        while any(answers):  # redeliver what lost the race
            answers = [deliver(body)]

        items = [
            item for item in site.items() if item["pk"]["S"].startswith("LINK#") and item["sk"]["S"] == "LINK"
        ]
        current = host.reread(link)
        expected = {"generate": (151, 0), "revoke": (1, 0), "redeem": (1, 1), "replace": (2, 0)}[verb]
        assert (len(items), current["usageCount"]) == expected
        assert current["status"] == ("revoked" if verb in {"revoke", "replace"} else "active")
