"""Links that a command or a function call generates and emails: each recipient gets one email (P4)."""

import json
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any, Final

import pytest

from chalicelib import bootstrap
from chalicelib.consumers.direct_functions import Refusal, generate_links
from tests.support.app import Caller, Site, at, ok, running_site, token_of
from tests.support.aws.bus import Stream, deliver as publish
from tests.support.aws.engines import Table
from tests.support.commands import Channels, Deadline, command, deliver

CONTEXT: Final = SimpleNamespace(aws_request_id="request-1")
SEND: Final = {"language": "de", "message": "Bis bald!"}
GRACE: Final = {"name": "Grace Hopper", "email": "grace@invitees.example"}
MANY: Final = [{"recipient": {"email": f"p{n}@invitees.example"}} for n in range(5)]


def payload(host: Caller, **fields: Any) -> dict[str, Any]:
    event_type_id = host.event_type()["eventTypeId"]
    return {"hostId": host.host_id, "eventTypeId": event_type_id, "recipient": GRACE, "send": SEND, **fields}


def mail_orders(site: Site, host: Caller) -> list[tuple[str, str, str]]:
    """Return the address, language and message of each stored order to email a link of the host."""
    return sorted(
        (item["email"]["S"], item["language"]["S"], item.get("message", {"S": ""})["S"])
        for item in site.items()
        if item["sk"]["S"].startswith("SEND#") and item["hostId"]["S"] == host.host_id
    )


def to_all(count: int = 5) -> list[tuple[str, str, str]]:
    return [(f"p{n}@invitees.example", "de", "Bis bald!") for n in range(count)]


def rejection(channels: Channels) -> tuple[str, list[str]]:
    """Return the code and the pointers of the one dead-lettered message."""
    (letter,) = channels.dead_letters.take()
    problem = letter["problem"]
    return problem["type"].rpartition(":")[2], [fault["pointer"] for fault in problem.get("errors", [])]


def test_a_repeated_command_emails_each_link_once(site: Site, host: Caller, channels: Channels) -> None:
    """P4, P7: the events have the command's id and no token."""
    stream = Stream(site)
    stream.records()
    body = command("generate", payload(host, items=MANY), "deal-1")
    for _ in range(3):
        assert deliver(body) == []
        site.clock.advance(minutes=5)

    assert mail_orders(site, host) == to_all()
    assert [one["type"] for one in channels.bus.envelopes()] == ["batch.completed"] * 3
    publish(stream.records())
    events = channels.bus.envelopes()
    asked = [one for one in events if one["type"] == "mail.requested"]
    links = host.list()["links"]
    assert {(one["correlationId"], one["actor"]) for one in asked} == {("deal-1", "command:deal-1")}
    assert sorted(one["linkId"] for one in asked) == sorted(link["linkId"] for link in links)
    assert not [link for link in links if token_of(link) in json.dumps(events)]
    assert channels.dead_letters.take() == []


def test_message_and_language_are_optional(site: Site, host: Caller, channels: Channels) -> None:
    assert deliver(command("generate", payload(host, send={}))) == []

    assert mail_orders(site, host) == [(GRACE["email"], "en", "")]
    assert channels.dead_letters.take() == []


def test_without_send_no_link_is_emailed(site: Site, host: Caller, channels: Channels) -> None:
    body = payload(host)
    del body["send"]

    assert deliver(command("generate", body)) == []

    assert len(host.list()["links"]) == 1
    assert (mail_orders(site, host), channels.dead_letters.take()) == ([], [])


def test_a_command_that_runs_out_of_time_is_resumed(site: Site, host: Caller, channels: Channels) -> None:
    """P4: the first delivery creates all links and emails two; the next emails the others and completes the batch."""
    body = command("generate", payload(host, items=MANY))

    assert deliver(body, context=Deadline(3)) == ["m-0"]

    assert len(host.list()["links"]) == 5
    assert len(mail_orders(site, host)) == 2
    assert channels.bus.envelopes() == []
    for _ in range(2):
        assert deliver(body, context=Deadline(100)) == []
    assert mail_orders(site, host) == to_all()
    assert len(host.list()["links"]) == 5


def test_links_changed_before_they_were_emailed_are_skipped(
    site: Site, host: Caller, channels: Channels
) -> None:
    """The first delivery stops before any email; then the host revokes, deletes and changes a link."""
    body = command("generate", payload(host, items=MANY))
    assert deliver(body, context=Deadline(1)) == ["m-0"]
    assert mail_orders(site, host) == []
    by_email = {link["recipient"]["email"]: f"/v1/links/{link['linkId']}" for link in host.list()["links"]}
    ok(host.post(by_email["p0@invitees.example"] + "/revoke"))
    assert host.delete(by_email["p1@invitees.example"]).status_code == 204
    ok(host.patch(by_email["p2@invitees.example"], {"recipient": None}))

    assert deliver(body) == []

    assert mail_orders(site, host) == to_all()[3:]
    assert [one["type"] for one in channels.bus.envelopes()] == ["batch.completed"]
    assert channels.dead_letters.take() == []


def test_a_link_is_not_emailed_again_to_a_new_recipient(site: Site, host: Caller, channels: Channels) -> None:
    body = command("generate", payload(host))
    assert deliver(body) == []
    (link,) = host.list()["links"]
    ok(host.patch(f"/v1/links/{link['linkId']}", {"recipient": {"email": "otto@invitees.example"}}))

    assert deliver(body) == []

    assert mail_orders(site, host) == [(GRACE["email"], "de", "Bis bald!")]
    assert channels.dead_letters.take() == []


BAD: Final[dict[str, tuple[dict[str, Any], str, list[str]]]] = {
    "nobody": ({"recipient": None}, "invalid-value", ["/payload/recipient"]),
    "no address": ({"recipient": {"name": "Grace"}}, "invalid-value", ["/payload/recipient"]),
    "one has none": (
        {"items": [MANY[0], {"recipient": None}, {"recipient": {"name": "x"}}]},
        "invalid-value",
        ["/payload/items/1/recipient", "/payload/items/2/recipient"],
    ),
    "too many": ({"count": 1_001}, "invalid-value", ["/payload/count"]),
    "long": ({"send": {"message": "x" * 1_001}}, "invalid-value", ["/payload/send/message"]),
    "no text": ({"send": {"message": "a\x00b"}}, "invalid-value", ["/payload/send/message"]),
    "no language": ({"send": {"language": "tlh"}}, "invalid-request", ["/payload/send/language"]),
    "true": ({"send": True}, "invalid-request", ["/payload/send"]),
    "null": ({"send": None}, "invalid-request", ["/payload/send"]),
    "to another": ({"send": {"to": "otto@invitees.example"}}, "invalid-request", ["/payload/send"]),
}


@pytest.mark.parametrize("case", BAD.values(), ids=BAD.keys())
def test_an_invalid_send_is_rejected_before_anything_is_created(
    site: Site, host: Caller, channels: Channels, case: tuple[dict[str, Any], str, list[str]]
) -> None:
    fields, code, pointers = case
    body = payload(host, **fields)
    before = len(site.items())

    assert deliver(command("generate", body)) == []

    assert rejection(channels) == (code, pointers)
    assert len(site.items()) == before


def test_without_email_set_up_the_command_is_rejected_and_can_be_repeated_later(
    site: Site, host: Caller, channels: Channels, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = command("generate", payload(host))
    with monkeypatch.context() as patch:
        patch.delenv("MAIL_SENDER")
        bootstrap.forget()
        assert deliver(body) == []
    bootstrap.forget()
    assert rejection(channels) == ("mail-not-configured", [])
    assert host.list()["links"] == []

    assert deliver(body) == []

    assert mail_orders(site, host) == [(GRACE["email"], "de", "Bis bald!")]


def test_another_message_under_the_same_id_is_rejected(site: Site, host: Caller, channels: Channels) -> None:
    """P4: the message is part of the command's body."""
    body = payload(host)
    assert deliver(command("generate", body)) == []

    assert deliver(command("generate", body | {"send": {"message": "Hi"}})) == []

    assert rejection(channels) == ("idempotency-key-reused", [])
    assert mail_orders(site, host) == [(GRACE["email"], "de", "Bis bald!")]


def test_a_command_delivered_eight_times_at_once_emails_each_link_once(
    table: Table, monkeypatch: pytest.MonkeyPatch, ministack: Any
) -> None:
    """P4, on both engines: SQS may deliver one message to several functions at the same time."""
    with running_site(table) as site:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", ministack.endpoint_url)
        host = site.host()
        body = command("generate", payload(host, items=MANY))
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: deliver(body), range(8)))
        while any(answers):  # redeliver what lost the race
            answers = [deliver(body)]

        assert mail_orders(site, host) == to_all()
        entries = [
            row["type"]
            for link in host.list()["links"]
            for row in ok(host.get(f"/v1/links/{link['linkId']}/history"))["history"]
        ]
        assert entries.count("mail.requested") == 5


# Direct function calls


def test_a_function_call_emails_each_link_once_per_key(site: Site, host: Caller) -> None:
    event = payload(host, items=MANY, idempotencyKey="k")

    answers = [generate_links(event, CONTEXT) for _ in range(3)]

    assert answers[1:] == [answers[0]] * 2
    assert mail_orders(site, host) == to_all()


def test_a_repeated_function_call_emails_the_remaining_links(site: Site, host: Caller) -> None:
    event = payload(host, items=MANY, idempotencyKey="k")
    with pytest.raises(Refusal) as raised:
        generate_links(event, Deadline(2))
    assert type(raised.value).__name__ == "StoreUnavailable"
    assert len(mail_orders(site, host)) == 2

    generate_links(event, Deadline(100))

    assert mail_orders(site, host) == to_all()


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [({}, "/idempotencyKey"), ({"recipient": None, "idempotencyKey": "k"}, "/recipient")],
)
def test_a_function_call_with_an_invalid_send_creates_nothing(
    site: Site, host: Caller, fields: dict[str, Any], pointer: str
) -> None:
    event = payload(host, **fields)
    before = len(site.items())
    with pytest.raises(Refusal) as raised:
        generate_links(event, CONTEXT)

    assert json.loads(str(raised.value))["errors"][0]["pointer"] == pointer
    assert len(site.items()) == before


def test_the_same_key_over_http_is_another_email(site: Site, host: Caller) -> None:
    """Keys of function calls and of HTTP requests are separate."""
    (link,) = generate_links(payload(host, idempotencyKey="k"), CONTEXT)["links"]

    answer = host.post(
        f"/v1/links/{link['linkId']}/send", {"message": "Hi"}, headers={"Idempotency-Key": "k"}
    )

    assert answer.status_code == 202, answer.text
    assert mail_orders(site, host) == [(GRACE["email"], "de", "Bis bald!"), (GRACE["email"], "en", "Hi")]
    assert link["createdAt"] == at()
