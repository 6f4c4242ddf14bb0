"""Emails: each event sends each addressee one email despite repeats and delays, within daily budgets (P6, P15)."""

import base64
import hashlib
import json
import os
import secrets
import stat
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from functools import partial
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import EndpointConnectionError, ReadTimeoutError
from ical.calendar import Calendar
from ical.calendar_stream import IcsCalendarStream

from chalicelib import bootstrap
from chalicelib.clients.aws import Aws
from chalicelib.clients.queue import Queue
from chalicelib.consumers.mail import send
from chalicelib.consumers.mail_feedback import note
from chalicelib.domain.clock import rfc3339
from chalicelib.domain.errors import StoreUnavailableError
from chalicelib.domain.mail.budgets import MailLimits
from chalicelib.domain.mail.digests import DigestId
from chalicelib.service.mail import send as send_mail
from chalicelib.service.mail.queue_digests import queue_due_digests
from chalicelib.service.mail.send import CLAIM, NEEDED
from chalicelib.service.mail.send_later import MAX_PAUSE_SECONDS, pause_after
from infra.local.aws import local_client
from infra.local.engines.ministack import Ministack
from infra.package.functions import read_config
from infra.paths import ROOT
from tests.support.app import (
    MAIL_SENDER,
    Caller,
    Site,
    assert_problem,
    at,
    created,
    ok,
    token_of,
    unknown_id,
)
from tests.support.aws.bus import Bus, Inbox, Stream, connected, deliver
from tests.support.log_lines import logged

GRACE: Final = "grace@invitees.example"
ADA: Final = "ada@hosts.example"
RECIPIENT: Final = {"name": "Grace Hopper", "email": GRACE}

Events = list[dict[str, Any]]


@pytest.fixture(scope="module", autouse=True)
def ses(whole_site: Site, ministack: Ministack) -> Iterator[None]:
    """Verify the sender's address in ministack's SES."""
    del whole_site
    endpoint = ministack.endpoint_url
    client = local_client("sesv2", endpoint)
    client.create_email_identity(EmailIdentity=MAIL_SENDER)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL_SESV2", endpoint)
        bootstrap.forget()
        yield
    client.delete_email_identity(EmailIdentity=MAIL_SENDER)
    bootstrap.forget()


@pytest.fixture
def folder(site: Site, tmp_path: Path) -> Iterator[Path]:
    """Return a folder in which each sent email is kept as a file."""
    del site
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MAIL_DIRECTORY", str(tmp_path / "mail"))
        bootstrap.forget()
        yield tmp_path / "mail"
    bootstrap.forget()


@pytest.fixture
def bus(monkeypatch: pytest.MonkeyPatch, folder: Path, ministack: Ministack) -> Iterator[Bus]:
    """Return a bus that the stream's consumer publishes on."""
    del folder
    with connected(ministack.endpoint_url, monkeypatch) as (bus, _):
        yield bus


class Mailroom:
    """Reads a site's new events and its sent emails."""

    def __init__(self, site: Site, bus: Bus, folder: Path) -> None:
        self.site = site
        self._bus = bus
        self._folder = folder
        self._stream = Stream(site)
        # The tests share a table and the addresses of Ada and Grace, so each test starts with unused budgets.
        for item in (*site.items("BUDGET#"), *site.items("DIGEST#")):
            site.delete(item["pk"]["S"], item["sk"]["S"])
        self._stream.records()

    def events(self, *types: str) -> Events:
        """Return the events since the last call, of these types or all, as EventBridge delivers them."""
        deliver(self._stream.records())
        return [event for event in self._bus.events() if not types or event["detail-type"] in types]

    def mails(self) -> list[EmailMessage]:
        """Return all sent emails, oldest first."""
        return [
            message_from_bytes(path.read_bytes(), policy=policy.default)
            for path in sorted(self._folder.glob("*.eml"), key=lambda path: path.stat().st_mtime_ns)
        ]

    def to(self) -> list[str]:
        """Return the addresses of all sent emails, sorted."""
        return sorted(mail["to"].addresses[0].addr_spec for mail in self.mails())


@pytest.fixture
def mailroom(site: Site, bus: Bus, folder: Path) -> Mailroom:
    return Mailroom(site, bus, folder)


def batch(events: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return events as SQS delivers them to Lambda."""
    return {
        "Records": [
            {
                "messageId": f"m{place}",
                "receiptHandle": "r",
                "attributes": {"ApproximateReceiveCount": "1"},
                "body": json.dumps(event),
                "eventSource": "aws:sqs",
            }
            for place, event in enumerate(events)
        ]
    }


def deliver_events(events: Sequence[dict[str, Any]]) -> list[str]:
    """Deliver events to the mail function; return the ids of the messages to retry."""
    return [failure["itemIdentifier"] for failure in send(batch(events), None)["batchItemFailures"]]


@contextmanager
def answering(act: Callable[[int], Any]) -> Iterator[list[int]]:
    """Run `act` before each call to SES; it may raise, return a response, or let the call through (None)."""
    calls: list[int] = []
    lock = threading.Lock()
    mailer: Any = bootstrap.world().mailer
    while not hasattr(mailer, "_aws"):
        mailer = mailer._mailer  # unwrap the mailer that keeps files
    client = mailer._aws.client("sesv2")

    def hook(**_: Any) -> Any:
        with lock:
            calls.append(1)
            number = len(calls)
        return act(number)

    client.meta.events.register("before-send.sesv2.SendEmail", hook)
    try:
        yield calls
    finally:
        client.meta.events.unregister("before-send.sesv2.SendEmail", hook)


def refusal(code: str, message: str = "no", status: int = 400) -> AWSResponse:
    """Return an error response from SES."""
    raw = SimpleRaw(json.dumps({"message": message}).encode())
    headers: Any = {"x-amzn-errortype": code, "content-type": "application/json"}
    return AWSResponse("https://ses.example", status, headers, raw)


class SimpleRaw:
    """A response body that botocore can read."""

    def __init__(self, content: bytes) -> None:
        self._content = [content]

    def stream(self, *_: Any, **__: Any) -> Iterator[bytes]:
        yield from self._content


def history(host: Caller, link: dict[str, Any]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = ok(host.get(f"/v1/links/{link['linkId']}/history"))["history"]
    return rows


def mail_history(host: Caller, link: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the type of each mail entry in the history, with its reason or else its address, oldest first."""
    rows = [row for row in reversed(history(host, link)) if row["type"].startswith("mail.")]
    return [(row["type"], row["data"].get("reason", row["data"]["to"])) for row in rows]


def booked(site: Site, host: Caller, **fields: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Book with a new link; return the link and the booking."""
    link = host.link()
    return link, created(site.redeem(link, at(days=1), **fields))


def calendar_of(mail: EmailMessage) -> Calendar:
    """Parse an email's invitation with an independent parser."""
    [part] = [part for part in mail.walk() if part.get_content_type() == "text/calendar"]
    payload = part.get_payload(decode=True)
    assert isinstance(payload, bytes)
    return IcsCalendarStream.calendar_from_ics(payload.decode())


# Contents


def test_both_get_an_email_and_their_calendars_are_updated(mailroom: Mailroom, host: Caller) -> None:
    _, booking = booked(mailroom.site, host)
    events = mailroom.events()
    assert deliver_events(events) == []

    assert mailroom.to() == [ADA, GRACE]
    [mine] = [mail for mail in mailroom.mails() if mail["to"].addresses[0].addr_spec == GRACE]
    text = mine.get_body(("plain",))
    assert text is not None
    assert booking["url"] in text.get_content()

    ok(host.post(f"/v1/bookings/{booking['bookingId']}/reschedule", {"start": at(days=2)}))
    assert deliver_events(mailroom.events()) == []
    ok(host.post(f"/v1/bookings/{booking['bookingId']}/cancel"))
    assert deliver_events(mailroom.events()) == []
    invites = []
    for mail in mailroom.mails():
        if mail["to"].addresses[0].addr_spec == GRACE:
            calendar = calendar_of(mail)
            invites.append((calendar.method, calendar.events[0].sequence, calendar.events[0].uid))
    uid = f"{booking['bookingId']}@admit-one"
    assert invites == [("REQUEST", 0, uid), ("REQUEST", 1, uid), ("CANCEL", 2, uid)]


def test_the_invitees_language_is_the_one_they_booked_in(mailroom: Mailroom, host: Caller) -> None:
    link = host.link()
    body = {"start": at(days=1), "timeZone": "Europe/Berlin", "invitee": {"name": "Grace", "email": GRACE}}
    headers = {"Accept": "application/json", "Accept-Language": "de"}
    created(mailroom.site.client.post(f"/s/{token_of(link)}/redeem", json=body, headers=headers))
    deliver_events(mailroom.events())
    languages = {mail["to"].addresses[0].addr_spec: mail["content-language"] for mail in mailroom.mails()}
    assert languages == {GRACE: "de", ADA: "en"}


def test_ses_tags_have_ids_and_no_token(mailroom: Mailroom, host: Caller) -> None:
    """SES feedback is matched to its email by tags, which contain no secret (P7)."""
    link, booking = booked(mailroom.site, host)
    events = mailroom.events("booking.confirmed")
    requests: list[dict[str, Any]] = []
    with answering(lambda _: None):
        mailer: Any = bootstrap.world().mailer
        client = mailer._mailer._aws.client("sesv2")

        def keep(params: dict[str, Any], **_: Any) -> None:
            requests.append(json.loads(params["body"]))

        client.meta.events.register("before-call.sesv2.SendEmail", keep)
        assert deliver_events(events) == []
    tags = [{tag["Name"]: tag["Value"] for tag in request["EmailTags"]} for request in requests]
    assert [one.pop("addressee") for one in tags] == ["invitee", "host"]
    for one in tags:
        assert one == {
            "eventId": events[0]["detail"]["id"],
            "linkId": link["linkId"],
            "hostId": link["hostId"],
            "eventTypeId": link["eventTypeId"],
            "bookingId": booking["bookingId"],
        }
    raw = [base64.b64decode(request["Content"]["Raw"]["Data"]) for request in requests]
    assert [token_of(link).encode() in one for one in raw] == [False, False]
    assert MAIL_SENDER.encode() in raw[0]


def test_without_a_sender_events_are_handled_and_nothing_is_sent(mailroom: Mailroom, host: Caller) -> None:
    link, _ = booked(mailroom.site, host)
    events = mailroom.events()
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MAIL_SENDER")
        bootstrap.forget()
        assert deliver_events(events) == []
        answer = host.post(f"/v1/links/{link['linkId']}/send", {})
    bootstrap.forget()
    assert_problem(answer, 409, "mail-not-configured")
    assert mailroom.mails() == []


# Each email once


def test_concurrent_deliveries_of_an_event_send_one_email_each(mailroom: Mailroom, host: Caller) -> None:
    """P6: one event is delivered six times, the first three concurrently."""
    booked(mailroom.site, host)
    events = mailroom.events("booking.confirmed")
    gate = threading.Barrier(3)

    def deliver_again(_: int) -> list[str]:
        gate.wait()
        return deliver_events(events)

    with ThreadPoolExecutor(3) as pool:
        outcomes = list(pool.map(deliver_again, range(3)))
    # A delivery that loses the claim is retried, and the retry finds the email sent.
    assert [] in outcomes or mailroom.to() == [ADA, GRACE]
    for _ in range(3):
        assert deliver_events(events) == []
    assert mailroom.to() == [ADA, GRACE]


def test_an_email_is_not_sent_twice_if_ses_confirms_it_after_a_crash(
    mailroom: Mailroom, host: Caller
) -> None:
    """The function crashes before it records that SES accepted the email; SES's feedback ends the claim instead."""
    booked(mailroom.site, host)
    events = mailroom.events("booking.confirmed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(mailroom.site.world.store.mails), "end", crash)
        assert deliver_events(events) == ["m0"]
    assert mailroom.to() == [ADA, GRACE]
    for addressee in ("invitee", "host"):
        assert note(feedback(events[0], "Send", addressee), None) == {"batchItemFailures": []}
    mailroom.site.clock.advance(seconds=CLAIM.total_seconds() + 1)
    assert deliver_events(events) == []
    assert mailroom.to() == [ADA, GRACE]


def test_an_email_without_confirmation_is_sent_again_after_its_claim(
    mailroom: Mailroom, host: Caller
) -> None:
    """A duplicate is better than a lost email: without SES's feedback the claim ends by time."""
    booked(mailroom.site, host)
    events = mailroom.events("booking.confirmed")

    def time_out(_: int) -> None:
        raise ReadTimeoutError(endpoint_url="https://ses.example")

    with answering(time_out) as calls:
        assert deliver_events(events) == ["m0"]
        assert deliver_events(events) == ["m0"]
        assert len(calls) == 2  # one per email: no retry while SES may have accepted it
    mailroom.site.clock.advance(seconds=CLAIM.total_seconds() + 1)
    assert deliver_events(events) == []
    assert mailroom.to() == [ADA, GRACE]


def crash(*_: Any, **__: Any) -> Any:
    raise RuntimeError("the function fails here")


class Killed(BaseException):
    """Lambda ends the process, so no handler in the code runs."""


def killed(*_: Any, **__: Any) -> Any:
    raise Killed


@pytest.mark.parametrize("ses_confirms", [True, False])
def test_only_a_crash_without_ses_feedback_sends_a_duplicate(
    mailroom: Mailroom, host: Caller, ses_confirms: bool
) -> None:
    """docs/mail.md: without SES's feedback there are two emails, which a calendar treats as one."""
    booked(mailroom.site, host)
    events = mailroom.events("booking.confirmed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(mailroom.site.world.store.mails), "end", killed)
        with pytest.raises(Killed):
            deliver_events(events)
    assert mailroom.to() == [GRACE]
    if ses_confirms:
        assert note(feedback(events[0], "Send", "invitee"), None) == {"batchItemFailures": []}
    mailroom.site.clock.advance(seconds=CLAIM.total_seconds() - 1)
    assert deliver_events(events) == ([] if ses_confirms else ["m0"]), (
        "an email is not sent again while its claim lasts"
    )
    assert mailroom.to() == [ADA, GRACE]
    mailroom.site.clock.advance(seconds=1)
    assert deliver_events(events) == deliver_events(events) == []
    assert mailroom.to() == ([ADA, GRACE] if ses_confirms else [ADA, GRACE, GRACE])
    theirs = [mail for mail in mailroom.mails() if mail["to"].addresses[0].addr_spec == GRACE]
    assert len({mail["message-id"] for mail in theirs}) == 1
    assert len({(event.uid, event.sequence) for mail in theirs for event in calendar_of(mail).events}) == 1


def test_an_email_is_sent_after_its_claim_if_a_crash_prevented_it(mailroom: Mailroom, host: Caller) -> None:
    """P6: the process ends after the claim and before the call to SES, so SES sends no feedback."""
    booked(mailroom.site, host)
    events = mailroom.events("booking.confirmed")
    with answering(killed), pytest.raises(Killed):
        deliver_events(events)
    assert mailroom.to() == []
    mailroom.site.clock.advance(seconds=CLAIM.total_seconds())
    assert deliver_events(events) == deliver_events(events) == []
    assert mailroom.to() == [ADA, GRACE]


def test_recording_a_sent_email_is_retried_until_the_store_accepts_it(
    mailroom: Mailroom, host: Caller
) -> None:
    """P6: a store that is unavailable for seconds doesn't cause a duplicate."""
    booked(mailroom.site, host)
    events = mailroom.events("booking.confirmed")
    mails = type(mailroom.site.world.store.mails)
    real, calls = mails.end, 0

    def end(self: Any, *args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls % 10:
            raise StoreUnavailableError
        return real(self, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mails, "end", end)
        patch.setattr(send_mail, "pause_before", lambda *_: 0.0)
        assert deliver_events(events) == []
        assert calls == 20
    mailroom.site.clock.advance(seconds=CLAIM.total_seconds() + 1)
    assert deliver_events(events) == []
    assert mailroom.to() == [ADA, GRACE]


def test_an_email_is_not_started_without_time_to_finish(mailroom: Mailroom, host: Caller) -> None:
    """P6: a timeout after SES's response is the likeliest crash; here there is time for one email of two."""
    booked(mailroom.site, host)
    events = mailroom.events("booking.confirmed")

    class Context:
        lefts = iter([NEEDED.total_seconds() * 1000, NEEDED.total_seconds() * 1000 - 1])

        def get_remaining_time_in_millis(self) -> float:
            return next(self.lefts)

    assert send(batch(events), Context()) == {"batchItemFailures": [{"itemIdentifier": "m0"}]}
    assert mailroom.to() == [GRACE]
    assert deliver_events(events) == []  # immediately, because the other email was not claimed
    assert mailroom.to() == [ADA, GRACE]
    timeout = read_config(ROOT)["lambda_functions"]["mail"]["lambda_timeout"]
    assert NEEDED.total_seconds() < timeout


# Errors from SES


@pytest.mark.parametrize(
    "code",
    [
        "TooManyRequestsException",
        "SendingPausedException",
        "LimitExceededException",
        "AccountSuspendedException",
    ],
)
def test_an_email_that_ses_throttles_is_retried_and_sent_once(
    mailroom: Mailroom, host: Caller, code: str
) -> None:
    link, _ = booked(mailroom.site, host)
    events = mailroom.events("booking.confirmed")
    with answering(lambda number: refusal(code) if number == 1 else None):
        assert deliver_events(events) == ["m0"]
    assert mailroom.to() == [ADA]  # the other email isn't delayed
    assert deliver_events(events) == []
    assert mailroom.to() == [ADA, GRACE]
    assert mail_history(host, link) == []


def test_no_email_is_lost_while_ses_is_unreachable(mailroom: Mailroom, host: Caller) -> None:
    booked(mailroom.site, host)
    events = mailroom.events("booking.confirmed")

    def unreachable(_: int) -> None:
        raise EndpointConnectionError(endpoint_url="https://ses.example")

    with answering(unreachable):
        assert deliver_events(events) == ["m0"]
    assert deliver_events(events) == []
    assert mailroom.to() == [ADA, GRACE]


@pytest.mark.parametrize(
    ("code", "reason"), [("MessageRejected", "rejected"), ("BadRequestException", "bad-request")]
)
def test_an_email_that_ses_rejects_is_recorded_and_not_retried(
    mailroom: Mailroom, host: Caller, code: str, reason: str
) -> None:
    link, _ = booked(mailroom.site, host)
    events = mailroom.events("booking.confirmed")
    with answering(lambda number: refusal(code, "Bad content") if number == 1 else None) as calls:
        assert deliver_events(events) == []
        assert deliver_events(events) == []
        assert len(calls) == 2
    assert mailroom.to() == [ADA]
    assert mail_history(host, link) == [("mail.failed", reason)]
    [failed] = [row for row in history(host, link) if row["type"] == "mail.failed"]
    assert failed["data"] == {
        "about": events[0]["detail"]["id"],
        "addressee": "invitee",
        "to": "g…@invitees.example",
        "reason": reason,
    }


def test_an_unverified_sender_is_retried_and_not_recorded(mailroom: Mailroom, host: Caller) -> None:
    """The email ends in the dead-letter queue; once the operator verifies the sender, a redrive sends it."""
    link, _ = booked(mailroom.site, host)
    events = mailroom.events("booking.confirmed")
    words = "Email address is not verified. The following identities failed the check: a@b.example"
    with answering(lambda _: refusal("MessageRejected", words)):
        assert deliver_events(events) == ["m0"]
    assert mail_history(host, link) == []
    assert deliver_events(events) == []
    assert mailroom.to() == [ADA, GRACE]


def test_an_address_that_ses_does_not_support_is_recorded(mailroom: Mailroom, host: Caller) -> None:
    link, _ = booked(mailroom.site, host, invitee={"name": "Grace", "email": "gräce@invitees.example"})
    assert deliver_events(mailroom.events()) == []
    assert mailroom.to() == [ADA]
    assert mail_history(host, link) == [("mail.failed", "address-not-ascii")]


def test_a_malformed_message_blocks_no_other_and_is_not_logged(
    mailroom: Mailroom, host: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    booked(mailroom.site, host)
    good = mailroom.events("booking.confirmed")
    bad: list[Any] = [
        {"detail": {"id": "secret-thing"}},
        {},
        {**good[0], "detail": {**good[0]["detail"], "bookingId": 7}},
    ]
    assert deliver_events([*bad, *good]) == ["m0", "m1", "m2"]
    assert mailroom.to() == [ADA, GRACE]
    assert "secret-thing" not in logged(caplog)
    assert GRACE not in logged(caplog)


def test_pauses_grow_to_an_hour() -> None:
    pauses = [pause_after(times) for times in range(1, 40)]
    assert pauses[:4] == [30, 60, 120, 240]
    assert pauses == sorted(pauses)
    assert pauses[-1] == MAX_PAUSE_SECONDS
    assert sum(pauses[:30]) > timedelta(hours=20).total_seconds()


def test_a_retried_message_stays_hidden_for_its_pause(
    mailroom: Mailroom, host: Caller, monkeypatch: pytest.MonkeyPatch, ministack: Ministack
) -> None:
    booked(mailroom.site, host)
    events = mailroom.events("booking.confirmed")
    queue = Inbox(ministack.endpoint_url)
    monkeypatch.setenv("MAIL_QUEUE_URL", queue.url)
    bootstrap.forget()
    queue.client.send_message(QueueUrl=queue.url, MessageBody=json.dumps(events[0]))
    [message] = queue.client.receive_message(QueueUrl=queue.url, VisibilityTimeout=1)["Messages"]
    whole = batch(events)
    whole["Records"][0] |= {
        "receiptHandle": message["ReceiptHandle"],
        "attributes": {"ApproximateReceiveCount": "9"},
    }
    with answering(lambda _: refusal("TooManyRequestsException")):
        assert send(whole, None) == {"batchItemFailures": [{"itemIdentifier": "m0"}]}
    again = queue.client.receive_message(QueueUrl=queue.url, WaitTimeSeconds=2)
    assert "Messages" not in again
    queue.remove()


# Late events


def test_a_confirmation_after_the_cancellation_is_not_sent(mailroom: Mailroom, host: Caller) -> None:
    _, booking = booked(mailroom.site, host)
    ok(host.post(f"/v1/bookings/{booking['bookingId']}/reschedule", {"start": at(days=2)}))
    ok(host.post(f"/v1/bookings/{booking['bookingId']}/cancel"))
    assert deliver_events(list(reversed(mailroom.events()))) == []
    assert [mail["subject"].partition(":")[0] for mail in mailroom.mails()] == ["Cancelled", "Cancelled"]


def test_late_emails_show_the_current_time_and_an_overtaken_move_is_skipped(
    mailroom: Mailroom, host: Caller
) -> None:
    _, booking = booked(mailroom.site, host, timeZone="UTC")
    for days in (2, 3):
        ok(host.post(f"/v1/bookings/{booking['bookingId']}/reschedule", {"start": at(days=days)}))
    assert deliver_events(mailroom.events()) == []
    mine = [mail["subject"] for mail in mailroom.mails() if mail["to"].addresses[0].addr_spec == GRACE]
    assert mine == [
        "Confirmed: Talk with Ada Lovelace, Thursday 5 January 2040, 08:00",
        "Moved: Talk with Ada Lovelace, now Thursday 5 January 2040, 08:00",
    ]


def test_no_email_is_sent_for_a_booking_in_the_past(mailroom: Mailroom, host: Caller) -> None:
    booked(mailroom.site, host)
    events = mailroom.events()
    mailroom.site.clock.advance(days=2)
    assert deliver_events(events) == []
    assert mailroom.mails() == []


def test_an_erased_invitee_gets_no_email_but_the_host_does(mailroom: Mailroom, host: Caller) -> None:
    _, booking = booked(mailroom.site, host)
    ok(host.delete(f"/v1/bookings/{booking['bookingId']}/personal-data"))
    ok(host.post(f"/v1/bookings/{booking['bookingId']}/cancel"))
    assert deliver_events(mailroom.events()) == []
    assert mailroom.to() == [ADA]
    assert "Grace" not in mailroom.mails()[0].as_string()


# Links sent to their recipients


def queued(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 202, answer.text
    document: dict[str, Any] = answer.json()
    return document


def ask(host: Caller, link: dict[str, Any], body: Any = None, key: str | None = None) -> httpx.Response:
    headers = {"Idempotency-Key": key} if key else {}
    return host.post(f"/v1/links/{link['linkId']}/send", body, headers=headers)


def test_a_link_is_emailed_to_its_recipient_and_recorded(mailroom: Mailroom, host: Caller) -> None:
    link = host.link(recipient=RECIPIENT, expiresAt=at(days=3))
    answer = queued(ask(host, link, {"message": "See you <soon>", "language": "fr"}))
    assert answer == {
        "status": "queued",
        "linkId": link["linkId"],
        "to": "g…@invitees.example",
        "language": "fr",
        "requestedAt": at(),
    }
    events = mailroom.events("mail.requested")
    assert [event["detail"]["linkId"] for event in events] == [link["linkId"]]
    assert token_of(link) not in json.dumps(events)
    mailroom.site.clock.advance(seconds=1)
    for _ in range(3):
        assert deliver_events(events) == []
    [mail] = mailroom.mails()
    assert (mail["to"].addresses[0].addr_spec, mail["content-language"]) == (GRACE, "fr")
    text = mail.get_body(("plain",))
    assert text is not None
    assert link["url"] in text.get_content()
    assert "> See you <soon>" in text.get_content()
    assert mail_history(host, link) == [
        ("mail.requested", "g…@invitees.example"),
        ("mail.sent", "g…@invitees.example"),
    ]
    [asked] = [row for row in history(host, link) if row["type"] == "mail.requested"]
    assert asked["actor"] == f"key:{host.key.key.key_id}"
    assert GRACE not in json.dumps(history(host, link))


def test_a_repeated_request_sends_one_email(mailroom: Mailroom, host: Caller) -> None:
    link = host.link(recipient=RECIPIENT)
    key = secrets.token_hex(8)
    first = queued(ask(host, link, {"message": "Hi"}, key))
    mailroom.site.clock.advance(minutes=5)
    assert queued(ask(host, link, {"message": "Hi"}, key)) == first
    assert_problem(ask(host, link, {"message": "Ho"}, key), 422, "idempotency-key-reused")
    ok(host.post(f"/v1/links/{link['linkId']}/revoke"))
    assert queued(ask(host, link, {"message": "Hi"}, key)) == first  # P4: even after the link is revoked
    assert len(mailroom.events("mail.requested")) == 1


def test_concurrent_requests_with_one_key_are_one_request(mailroom: Mailroom, host: Caller) -> None:
    link = host.link(recipient=RECIPIENT)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: ask(host, link, {}, "same"), range(8)))
    assert {answer.status_code for answer in answers} == {202}, [answer.text for answer in answers]
    assert len(mailroom.events("mail.requested")) == 1
    without = [queued(ask(host, link)) for _ in range(2)]
    assert len(without) == 2
    assert len(mailroom.events("mail.requested")) == 2  # without a key each request counts


def test_a_link_that_changed_since_the_request_is_not_sent(mailroom: Mailroom, host: Caller) -> None:
    used, revoked, gone, given, late = (
        host.link(recipient=RECIPIENT, expiresAt=at(days=2)) for _ in range(5)
    )
    for link in (used, revoked, gone, given, late):
        queued(ask(host, link))
    events = mailroom.events("mail.requested")
    created(mailroom.site.redeem(used, at(days=1)))
    ok(host.post(f"/v1/links/{revoked['linkId']}/revoke"))
    assert host.delete(f"/v1/links/{gone['linkId']}").status_code == 204
    ok(host.patch(f"/v1/links/{given['linkId']}", {"recipient": {"email": "otto@invitees.example"}}))
    mailroom.site.clock.advance(hours=1)
    first = [event for event in events if event["detail"]["linkId"] != late["linkId"]]
    assert deliver_events(first) == []
    mailroom.site.clock.advance(days=3)
    assert deliver_events([event for event in events if event not in first]) == []
    assert mailroom.mails() == []
    reasons = {link["linkId"]: mail_history(host, link)[-1] for link in (used, revoked, gone, given, late)}
    assert list(reasons.values()) == [
        ("mail.failed", "link-used"),
        ("mail.failed", "link-revoked"),
        ("mail.failed", "link-deleted"),
        ("mail.failed", "recipient-changed"),
        ("mail.failed", "link-expired"),
    ]


def test_an_invalid_request_is_rejected_and_stores_nothing(site: Site, host: Caller) -> None:
    nobody, nameless = host.link(), host.link(recipient={"name": "Grace"})
    for link in (nobody, nameless):
        assert_problem(ask(host, link), 422, "invalid-value")
    link = host.link(recipient=RECIPIENT)
    assert_problem(ask(host, link, {"message": "x" * 1001}), 422, "invalid-value", "/message")
    assert_problem(ask(host, link, {"message": "a\x00b"}), 422, "invalid-value", "/message")
    bodies: tuple[Any, ...] = ({"language": "tlh"}, {"to": "a@b.example"}, {"message": 1}, [])
    for body in bodies:
        assert_problem(ask(host, link, body), 400, "invalid-request")
    headers = {"Content-Type": "application/json"}
    bad = host("POST", f"/v1/links/{link['linkId']}/send", content=b"{", headers=headers)
    assert_problem(bad, 400, "invalid-request")
    big = host("POST", f"/v1/links/{link['linkId']}/send", content=b" " * 70_000, headers=headers)
    assert_problem(big, 413, "payload-too-large")
    ok(host.post(f"/v1/links/{link['linkId']}/revoke"))
    assert_problem(ask(host, link), 409, "conflict")
    assert_problem(ask(host, {"linkId": unknown_id("lnk")}), 404, "not-found")
    assert not [
        item
        for item in site.items()
        if item["sk"]["S"].startswith("SEND#") and link["linkId"] in item["pk"]["S"]
    ]


def test_a_lost_reply_leaves_one_request(mailroom: Mailroom, host: Caller) -> None:
    """P4: the transaction commits, its reply is lost, and the client retries."""
    link = host.link(recipient=RECIPIENT)
    lost: list[int] = []

    def lose(**_: Any) -> None:
        lost.append(1)
        if len(lost) == 1:
            raise ReadTimeoutError(endpoint_url="https://dynamodb.example")

    with mailroom.site._hooked("needs-retry.dynamodb.TransactWriteItems", lose):
        answer = ask(host, link, {}, "once")
    assert answer.status_code in {202, 503}
    queued(ask(host, link, {}, "once"))
    assert len(mailroom.events("mail.requested")) == 1


# Feedback from SES


def feedback(event: dict[str, Any], kind: str, addressee: str, **about: Any) -> dict[str, Any]:
    """Return SES's feedback on an email as SQS delivers it from the default bus."""
    detail = event["detail"]
    tags = {
        "ses:configuration-set": ["mail"],
        "eventId": [detail["id"]],
        "addressee": [addressee],
        "linkId": [detail["linkId"]],
        "hostId": [detail["hostId"]],
        "eventTypeId": [detail["eventTypeId"]],
    } | ({"bookingId": [detail["bookingId"]]} if detail["bookingId"] else {})
    mail = {
        "timestamp": "2040-01-02T08:00:01.000Z",
        "messageId": "0100-abc",
        "source": MAIL_SENDER,
        "destination": [GRACE],
        "headersTruncated": False,
        "tags": tags,
    }
    message = {
        "version": "0",
        "source": "aws.ses",
        "detail-type": f"Email {kind}",
        "detail": {"eventType": kind, "mail": mail, **about},
    }
    return batch([message])


BOUNCE: Final = {
    "bounceType": "Permanent",
    "bounceSubType": "General",
    "bouncedRecipients": [
        {
            "emailAddress": GRACE,
            "action": "failed",
            "status": "5.1.1",
            "diagnosticCode": f"smtp; 550 <{GRACE}> unknown",
        }
    ],
    "timestamp": "2040-01-02T08:00:05.123Z",
    "feedbackId": "0100-feedback",
    "reportingMTA": "dsn; mta.example",
}
COMPLAINT: Final = {
    "complainedRecipients": [{"emailAddress": GRACE}],
    "timestamp": "2040-01-03T08:00:05.000Z",
    "feedbackId": "0100-complaint",
    "complaintFeedbackType": "abuse",
}


def test_a_bounce_and_a_complaint_are_recorded_once_and_published(mailroom: Mailroom, host: Caller) -> None:
    link, booking = booked(mailroom.site, host)
    [event] = mailroom.events("booking.confirmed")
    deliver_events([event])
    for message in (
        feedback(event, "Bounce", "invitee", bounce=BOUNCE),
        feedback(event, "Complaint", "invitee", complaint=COMPLAINT),
    ):
        for _ in range(3):
            assert note(message, None) == {"batchItemFailures": []}
    assert mail_history(host, link) == [
        ("mail.bounced", "Permanent/General 5.1.1"),
        ("mail.complained", "abuse"),
    ]
    [bounced] = [row for row in history(host, link) if row["type"] == "mail.bounced"]
    assert bounced["bookingId"] == booking["bookingId"]
    assert bounced["time"] == "2040-01-02T08:00:05.123Z"
    assert bounced["data"]["to"] == "g…@invitees.example"
    assert GRACE not in json.dumps(history(host, link))
    out = {
        event["detail-type"]: event["detail"] for event in mailroom.events("mail.bounced", "mail.complained")
    }
    assert set(out) == {"mail.bounced", "mail.complained"}
    assert out["mail.bounced"]["id"] == bounced["eventId"]


def test_a_bounce_is_recorded_for_a_deleted_link(mailroom: Mailroom, host: Caller) -> None:
    link = host.link(recipient=RECIPIENT)
    queued(ask(host, link))
    [event] = mailroom.events("mail.requested")
    deliver_events([event])
    assert host.delete(f"/v1/links/{link['linkId']}").status_code == 204
    assert note(feedback(event, "Bounce", "recipient", bounce=BOUNCE), None) == {"batchItemFailures": []}
    assert ("mail.bounced", "Permanent/General 5.1.1") in mail_history(host, link)


def test_foreign_or_malformed_feedback_does_not_block_its_batch(
    mailroom: Mailroom, host: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    link, _ = booked(mailroom.site, host)
    [event] = mailroom.events("booking.confirmed")
    foreign = feedback(event, "Bounce", "invitee", bounce=BOUNCE)
    body = json.loads(foreign["Records"][0]["body"])
    body["detail"]["mail"]["tags"] = {"ses:configuration-set": ["other"]}
    broken: Events = [{"detail": {"mail": GRACE}}, {"nothing": 1}]
    good = json.loads(feedback(event, "Bounce", "invitee", bounce=BOUNCE)["Records"][0]["body"])
    answer = note(batch([body, *broken, good]), None)
    assert [failure["itemIdentifier"] for failure in answer["batchItemFailures"]] == ["m1", "m2"]
    assert mail_history(host, link) == [("mail.bounced", "Permanent/General 5.1.1")]
    assert GRACE not in logged(caplog)


# Secrets and files


def test_no_secret_is_in_the_table_the_events_or_the_log(
    mailroom: Mailroom, host: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    """P7: the URL in an email is computed when the email is written, and stored nowhere."""
    link = host.link(recipient=RECIPIENT)
    queued(ask(host, link))
    events = mailroom.events("mail.requested")
    booking = created(mailroom.site.redeem(host.link(), at(days=1)))
    events += mailroom.events("booking.confirmed")
    with answering(lambda number: refusal("TooManyRequestsException") if number < 3 else None):
        deliver_events(events)
    deliver_events(events)
    assert len(mailroom.mails()) == 3
    left = json.dumps([mailroom.site.items(), events], default=repr) + logged(caplog)
    for secret in (token_of(link), booking["url"].rpartition("/")[2]):
        assert secret not in left
        assert secret[-13:] not in left


def test_an_email_has_only_its_addressees_token(mailroom: Mailroom, host: Caller) -> None:
    """P7: recipients get their link, invitees their booking's page; a host can forward an email without a secret."""
    link = host.link(recipient=RECIPIENT)
    queued(ask(host, link))
    used = host.link()
    booking = created(mailroom.site.redeem(used, at(days=1)))
    assert deliver_events(mailroom.events()) == []
    ok(host.post(f"/v1/bookings/{booking['bookingId']}/reschedule", {"start": at(days=2)}))
    assert deliver_events(mailroom.events()) == []
    ok(host.post(f"/v1/bookings/{booking['bookingId']}/cancel"))
    assert deliver_events(mailroom.events()) == []
    tokens = {
        "link": token_of(link),
        "used link": token_of(used),
        "booking": booking["url"].rpartition("/")[2],
        "key": host.key.secret.removeprefix("ao_"),
    }

    held = [
        (mail["to"].addresses[0].addr_spec, {name for name, token in tokens.items() if token in whole(mail)})
        for mail in mailroom.mails()
    ]

    assert len(held) == 7
    assert [tokens for to, tokens in held if to == ADA] == [set()] * 3
    assert [tokens for to, tokens in held if to == GRACE] == [{"link"}, {"booking"}, {"booking"}, set()]


def whole(mail: EmailMessage) -> str:
    """Return an email's headers and all its decoded parts."""
    parts = [part.get_payload(decode=True) for part in mail.walk()]
    return mail.as_string() + "".join(part.decode() for part in parts if isinstance(part, bytes))


def test_files_are_named_by_time_event_and_addressee(mailroom: Mailroom, host: Caller, folder: Path) -> None:
    booked(mailroom.site, host)
    [event] = mailroom.events("booking.confirmed")
    deliver_events([event])
    stamp = rfc3339(mailroom.site.clock()).replace("-", "").replace(":", "").replace("Z", ".000Z")
    expected = {f"{stamp}-{event['detail']['id']}-{to}.eml" for to in ("host", "invitee")}
    assert {path.name for path in folder.iterdir()} == expected


def test_only_their_owner_can_read_the_files(mailroom: Mailroom, host: Caller, folder: Path) -> None:
    """P7: an email has the secret URL of a booking or a link."""
    previous = os.umask(0)
    try:
        booked(mailroom.site, host)
        deliver_events(mailroom.events("booking.confirmed"))
    finally:
        os.umask(previous)
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


def test_the_ses_client_does_not_retry(site: Site) -> None:
    """A retry after a lost response would send the email twice."""
    del site
    mailer: Any = bootstrap.world().mailer
    assert isinstance(mailer._aws, Aws)
    assert mailer._aws.client("sesv2").meta.config.retries["total_max_attempts"] == 1


# Daily budgets, P15


def mails_to(mailroom: Mailroom, address: str) -> list[EmailMessage]:
    """Return the emails to an address, oldest first."""
    return [mail for mail in mailroom.mails() if mail["to"].addresses[0].addr_spec.lower() == address]


def subjects(mails: Sequence[EmailMessage]) -> list[str]:
    return [str(mail["subject"]).partition(":")[0] for mail in mails]


@contextmanager
def limited(**settings: int) -> Iterator[None]:
    """Set email limits within a block, as the stack's parameters do."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(f"MAIL_{name.upper()}", str(value))
        bootstrap.forget()
        yield
    bootstrap.forget()


@pytest.fixture
def queue(mailroom: Mailroom, monkeypatch: pytest.MonkeyPatch, ministack: Ministack) -> Iterator[Inbox]:
    """Return the mail queue, on which the schedule puts digests."""
    del mailroom
    queue = Inbox(ministack.endpoint_url)
    monkeypatch.setenv("MAIL_QUEUE_URL", queue.url)
    bootstrap.forget()
    yield queue
    queue.remove()


def digests(queue: Inbox) -> int:
    """Run the schedule twice, deliver what it queued to the mail function twice, and return how many it queued."""
    queued = queue_due_digests(bootstrap.world()) + queue_due_digests(bootstrap.world())
    bodies = queue.take()
    for _ in range(2):
        assert deliver_events(bodies) == []
    return queued


def logged_events(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the events that the app logged."""
    return [vars(record)["event"] for record in caplog.records if record.name.startswith("chalicelib")]


def flood(
    mailroom: Mailroom, host: Caller, bookings: int, day: int = 3, **fields: Any
) -> tuple[dict[str, Any], Events]:
    """Create that many bookings with one link, some days from now; return the link and the events."""
    link = host.link(maxUsageCount=None)
    for number in range(bookings):
        created(mailroom.site.redeem(link, at(days=day, hours=number), **fields))
    return link, mailroom.events("booking.confirmed")


def test_a_booking_moved_twenty_times_sends_one_email_with_the_last_time(
    mailroom: Mailroom, host: Caller
) -> None:
    """P15: after moves back and forth, with late, repeated and unordered events, both calendars show the last time."""
    _, booking = booked(mailroom.site, host)
    assert deliver_events(mailroom.events()) == []
    for number in range(20):
        move = {"start": at(days=2 + number % 2)}
        ok(host.post(f"/v1/bookings/{booking['bookingId']}/reschedule", move))
    events = mailroom.events("booking.rescheduled")
    assert len(events) == 20
    for order in (list(reversed(events)), events):
        assert deliver_events(order) == []
    for address in (GRACE, ADA):
        mails = mails_to(mailroom, address)
        assert subjects(mails) == ["Confirmed", "Moved"]
        [event] = calendar_of(mails[-1]).events
        assert isinstance(event.dtstart, datetime)
        assert (rfc3339(event.dtstart), event.sequence) == (at(days=3), 20)
        assert "Before:" not in whole(mails[-1]), (
            "nobody had an email about the time that the last move replaced"
        )
    ok(host.post(f"/v1/bookings/{booking['bookingId']}/reschedule", {"start": at(days=5)}))
    assert deliver_events(mailroom.events()) == []
    for address in (GRACE, ADA):
        assert "Before: Thursday 5 January 2040" in whole(mails_to(mailroom, address)[-1])


def test_an_email_about_a_move_is_delayed_but_a_confirmation_is_not(
    mailroom: Mailroom,
    host: Caller,
    queue: Inbox,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """P15, P6: the event is delayed until it is a minute old, and isn't lost. The log does not call that a failure."""
    del queue
    caplog.set_level("INFO", "chalicelib.consumers.batch")
    waits: list[int] = []
    monkeypatch.setattr(Queue, "delay", lambda _, __, seconds: waits.append(seconds))
    _, booking = booked(mailroom.site, host)
    events = mailroom.events()
    ok(host.post(f"/v1/bookings/{booking['bookingId']}/reschedule", {"start": at(days=2)}))
    events += mailroom.events()
    ok(host.post(f"/v1/bookings/{booking['bookingId']}/cancel"))
    events += mailroom.events()
    happened = [event for event in events if event["detail-type"].startswith("booking.")]
    for event in happened:
        event["detail"]["time"] = rfc3339(
            mailroom.site.clock()
        )  # the engine stamps events with the real time
    confirmed, moved, cancelled = happened

    assert deliver_events([moved, cancelled]) == ["m0", "m1"]
    mailroom.site.clock.advance(seconds=59)
    assert deliver_events([confirmed, moved, cancelled]) == ["m1", "m2"]
    assert (waits, mailroom.mails()) == ([60, 60, 1, 1], [])
    assert logged_events(caplog) == ["message-waits"] * 4
    mailroom.site.clock.advance(seconds=1)
    assert deliver_events([moved, cancelled]) == []
    assert subjects(mails_to(mailroom, GRACE)) == subjects(mails_to(mailroom, ADA)) == ["Cancelled"]


def test_a_first_confirmation_is_sent_at_once(mailroom: Mailroom, host: Caller) -> None:
    booked(mailroom.site, host)
    [event] = mailroom.events("booking.confirmed")
    event["detail"]["time"] = rfc3339(mailroom.site.clock())
    assert deliver_events([event]) == []
    assert mailroom.to() == [ADA, GRACE]


def test_beyond_an_addresss_daily_budget_emails_go_to_history_and_digest(
    mailroom: Mailroom, host: Caller, queue: Inbox
) -> None:
    """P15: addresses that differ only by case share a budget; a new day has a new budget."""
    with limited(invitee_daily_limit=2, host_daily_limit=3):
        link, events = flood(mailroom, host, 2)
        more, events_more = flood(
            mailroom, host, 3, 4, invitee={"name": "Grace", "email": "GRACE@Invitees.example"}
        )
        assert deliver_events(events) == deliver_events(events_more) == []
        assert deliver_events(events_more) == []
        assert (len(mails_to(mailroom, GRACE)), len(mails_to(mailroom, ADA))) == (2, 3)
        assert mail_history(host, link) == []
        assert sorted(mail_history(host, more)) == [
            *[("mail.failed", "address-budget-used")] * 3,
            *[("mail.failed", "in-digest")] * 2,
        ]
        assert digests(queue) == 0
        mailroom.site.clock.advance(hours=16, minutes=5)  # five minutes past midnight
        assert digests(queue) == 1
        mailroom.site.clock.advance(hours=2)
        assert digests(queue) == 0
        [digest] = mails_to(mailroom, ADA)[3:]
        text = digest.get_body(("plain",))
        assert text is not None
        assert text.get_content().count("Booked, ") == 2
        link, _ = booked(mailroom.site, host)
        assert deliver_events(mailroom.events("booking.confirmed")) == []
        assert len(mails_to(mailroom, GRACE)) == 3


def test_a_link_emails_a_limited_number_of_invitees_a_day(mailroom: Mailroom, host: Caller) -> None:
    """P15: emails beyond the link's own budget don't count against the invitees' budgets."""
    with limited(link_daily_limit=2, invitee_daily_limit=1):
        link = host.link(maxUsageCount=None)
        for number in range(4):
            person = {"name": "X", "email": f"x{number}@invitees.example"}
            created(mailroom.site.redeem(link, at(days=3, hours=number), invitee=person))
        assert deliver_events(mailroom.events("booking.confirmed")) == []
        assert mailroom.to().count(ADA) == 4
        assert len(mailroom.mails()) == 6
        assert mail_history(host, link) == [("mail.failed", "link-budget-used")] * 2
        other = host.link()
        created(
            mailroom.site.redeem(other, at(days=4), invitee={"name": "X", "email": "x3@invitees.example"})
        )
        assert deliver_events(mailroom.events("booking.confirmed")) == []
        assert "x3@invitees.example" in mailroom.to()


def test_each_purpose_has_its_own_budget(mailroom: Mailroom, host: Caller) -> None:
    """P15: emails for three purposes to one address count against three budgets."""
    with limited(invitee_daily_limit=1, host_daily_limit=1, recipient_daily_limit=1):
        link = host.link(recipient={"name": "Ada", "email": ADA})
        for _ in range(2):
            queued(ask(host, link))
        requests = mailroom.events("mail.requested")
        _, events = flood(mailroom, host, 2, invitee={"name": "Ada", "email": ADA})
        assert deliver_events([*events, *requests]) == []
    words = [text.get_content() for mail in mails_to(mailroom, ADA) if (text := mail.get_body(("plain",)))]
    assert len(words) == 3
    for part in ("is confirmed.", "has booked a time", "private link"):
        assert len([text for text in words if part in text]) == 1


@pytest.mark.parametrize("end", ["killed in SES", "killed before the mark", "three at once"])
def test_an_email_counts_once_despite_crashes_and_races(mailroom: Mailroom, host: Caller, end: str) -> None:
    """P15, P6: an email retried after its claim ends counts once, so a budget of one allows it and no other."""
    with limited(invitee_daily_limit=1, host_daily_limit=1):
        _, [first, second] = flood(mailroom, host, 2)
        if end == "killed in SES":
            with answering(killed), pytest.raises(Killed):
                deliver_events([first])
        elif end == "killed before the mark":
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(type(mailroom.site.world.store.mails), "end", killed)
                with pytest.raises(Killed):
                    deliver_events([first])
            assert note(feedback(first, "Send", "invitee"), None) == {"batchItemFailures": []}
        else:
            with ThreadPoolExecutor(3) as pool:
                list(pool.map(lambda _: deliver_events([first]), range(3)))
        mailroom.site.clock.advance(seconds=CLAIM.total_seconds() + 1)
        assert deliver_events([first]) == deliver_events([second]) == []
        assert (len(mails_to(mailroom, GRACE)), len(mails_to(mailroom, ADA))) == (1, 1)


@pytest.mark.parametrize("where", ["before the notice ends", "while the digest is sent"])
def test_a_digest_is_sent_once_and_loses_no_update(
    mailroom: Mailroom, host: Caller, queue: Inbox, where: str
) -> None:
    """P15, P6: a crash before or during a digest loses nothing; later updates are in the next day's digest."""
    mails = type(mailroom.site.world.store.mails)
    with limited(host_daily_limit=0):
        _, events = flood(mailroom, host, 1)
        if where.startswith("before"):
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(mails, "end", crash)
                assert deliver_events(events) == ["m0"]
            mailroom.site.clock.advance(seconds=CLAIM.total_seconds() + 1)
        assert deliver_events(events) == []
        _, late = flood(mailroom, host, 1, 4)
        digest = DigestId(host.host_id or "", mailroom.site.clock().date())
        if where.startswith("while"):
            assert mailroom.site.world.store.mail_digests.close(digest, now=mailroom.site.clock()) is not None
        assert deliver_events(late) == []
        mailroom.site.clock.advance(hours=16, minutes=5)
        if where.startswith("while"):
            queue_due_digests(bootstrap.world())
            with answering(lambda _: refusal("TooManyRequestsException")):
                assert deliver_events(queue.take()) == ["m0"]
            mailroom.site.clock.advance(hours=1)
        assert digests(queue) == 1
        mailroom.site.clock.advance(hours=24)
        assert digests(queue) == int(where.startswith("while"))
    listed = [body.get_content() for mail in mails_to(mailroom, ADA) if (body := mail.get_body(("plain",)))]
    assert [text.count("Booked, ") for text in listed] == ([2] if where.startswith("before") else [1, 1])


def test_a_digest_beyond_its_own_budget_waits(
    mailroom: Mailroom,
    host: Caller,
    queue: Inbox,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """P15: it waits for a day with budget left. The log does not call that a failure, however long it takes."""
    monkeypatch.setattr(bootstrap, "MailLimits", partial(MailLimits, digest=0))
    with limited(host_daily_limit=0):
        _, events = flood(mailroom, host, 1)
        assert deliver_events(events) == []
        mailroom.site.clock.advance(hours=16, minutes=5)
        assert queue_due_digests(bootstrap.world()) == 1
        with caplog.at_level("INFO", "chalicelib.consumers.batch"):
            assert deliver_events(queue.take()) == ["m0"]
    assert logged_events(caplog) == ["message-waits"]


MAX_PER_DAY: Final = 2


def violations_in(
    mailroom: Mailroom, host: Caller, links: Sequence[dict[str, Any]], booking_ids: set[str]
) -> list[str]:
    """Return violations of P15: too many emails, a booking unknown to its host, or a missing history entry."""
    notices = [mail for mail in mailroom.mails() if "updates" not in str(mail["subject"])]
    sent = [mail["to"].addresses[0].addr_spec.lower() for mail in notices]
    faults = ["too many"] if max(map(sent.count, sent)) > MAX_PER_DAY else []
    reported = {
        str(event.uid).partition("@")[0]
        for mail in mails_to(mailroom, ADA)
        for part in mail.walk()
        if part.get_content_type() in ("text/calendar", "application/ics")
        for payload in [part.get_payload(decode=True)]
        if isinstance(payload, bytes)
        for event in IcsCalendarStream.calendar_from_ics(payload.decode()).events
    }
    if booking_ids - reported:
        faults.append("lost")
    failed = [row for link in links for row in mail_history(host, link) if row[0] == "mail.failed"]
    if len(failed) != 2 * (len(booking_ids) - MAX_PER_DAY):
        faults.append("unrecorded")
    return faults


PLANTED: Final[dict[str, tuple[str, str, Any, list[str]]]] = {
    "nothing": ("mails", "asked", None, []),
    "the budget is not counted": ("mail_budgets", "take", lambda *_, **__: True, ["too many", "unrecorded"]),
    "the digest is lost": ("mail_digests", "add", lambda *_, **__: None, ["lost"]),
    "a refused email is not recorded": ("history", "enter", lambda *_, **__: True, ["unrecorded"]),
}


@pytest.mark.parametrize("bug", PLANTED)
def test_the_audit_of_a_flood_finds_each_planted_bug(
    mailroom: Mailroom, host: Caller, queue: Inbox, bug: str
) -> None:
    """P15 holds without a bug; with a planted bug, the audit reports the violation."""
    store, method, broken, expected = PLANTED[bug]
    with (
        limited(invitee_daily_limit=MAX_PER_DAY, host_daily_limit=MAX_PER_DAY),
        pytest.MonkeyPatch.context() as patch,
    ):
        if broken is not None:
            patch.setattr(type(getattr(mailroom.site.world.store, store)), method, broken)
        link, events = flood(mailroom, host, 5)
        assert deliver_events(events) == []
        mailroom.site.clock.advance(hours=16, minutes=5)
        digests(queue)
    ids = {event["detail"]["bookingId"] for event in events}
    assert violations_in(mailroom, host, [link], ids) == expected


def test_a_budget_reveals_no_address(mailroom: Mailroom, host: Caller) -> None:
    """P7: a budget's key is no plain hash of the address, so nobody can test for one; its item expires in two days."""
    flood(mailroom, host, 1)
    assert deliver_events(mailroom.events()) == []
    booked(mailroom.site, host)
    assert deliver_events(mailroom.events("booking.confirmed")) == []
    budgets = [item for item in mailroom.site.items() if item["pk"]["S"].startswith("BUDGET#")]
    assert len(budgets) == 3  # the link's, the invitee's, the host's
    day = mailroom.site.clock().date().isoformat()
    for item in budgets:
        assert int(item["purgeAt"]["N"]) <= (mailroom.site.clock() + timedelta(days=2)).timestamp()
        for address in (GRACE, ADA):
            guess = hashlib.sha256(f"mail-budget\x00booking-to-invitee\x00{address}\x00{day}".encode())
            assert base64.urlsafe_b64encode(guess.digest()[:18]).decode() not in item["pk"]["S"]


def test_a_bounced_digest_is_logged_and_its_claim_ends(
    mailroom: Mailroom, host: Caller, queue: Inbox, caplog: pytest.LogCaptureFixture
) -> None:
    """The bounce is logged because a digest belongs to no single link whose history could record it."""
    del queue
    digest = DigestId(host.host_id or "", mailroom.site.clock().date())
    tags = {
        "ses:configuration-set": ["s"],
        "eventId": [digest.mail_id.event_id],
        "addressee": ["digest"],
        "hostId": [host.host_id],
    }
    mail = {"timestamp": at(), "messageId": "m", "destination": [ADA], "tags": tags}
    message = {"detail": {"eventType": "Bounce", "mail": mail, "bounce": BOUNCE}}
    assert note(batch([message]), None) == {"batchItemFailures": []}
    assert "was not delivered: mail.bounced" in caplog.text
    assert ADA not in logged(caplog)
