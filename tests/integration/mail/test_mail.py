"""Mail: each event sends each addressee one email despite repeats and delays, within daily budgets (P6, P15)."""

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
from chalicelib.domain.mail.digests import DigestId
from chalicelib.service.mail import send as send_mail
from chalicelib.service.mail.queue_digests import queue_due_digests
from chalicelib.service.mail.send import CLAIM, NEEDED
from chalicelib.service.mail.send_later import MAX_PAUSE_SECONDS, pause_after
from infra.local.aws import local_client
from infra.package.functions import read_config
from infra.paths import ROOT
from tests.support.app import (
    MAIL_SENDER,
    Caller,
    Site,
    assert_problem,
    at,
    made,
    ok,
    token_of,
    unknown_id,
)
from tests.support.aws.bus import Bus, Inbox, Stream, connected, deliver
from tests.support.waiting import LIMIT

GRACE: Final = "grace@invitees.example"
ADA: Final = "ada@hosts.example"
RECIPIENT: Final = {"name": "Grace Hopper", "email": GRACE}

Events = list[dict[str, Any]]


@pytest.fixture(scope="module", autouse=True)
def ses(whole_site: Site) -> Iterator[None]:
    """SES of the engine, in which our sender is verified."""
    endpoint = whole_site.table.endpoint_url
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
    """A folder that gets each mail as a file."""
    del site
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MAIL_DIRECTORY", str(tmp_path / "mail"))
        bootstrap.forget()
        yield tmp_path / "mail"
    bootstrap.forget()


@pytest.fixture
def bus(site: Site, monkeypatch: pytest.MonkeyPatch, folder: Path) -> Iterator[Bus]:
    """A bus, on which the stream's consumer puts what happens."""
    del folder
    with connected(site, monkeypatch) as (bus, _):
        yield bus


class Post:
    """What happens at the site, told to the mail function as its queue would."""

    def __init__(self, site: Site, bus: Bus, folder: Path) -> None:
        self.site = site
        self._bus = bus
        self._folder = folder
        self._stream = Stream(site)
        # The tests share a table and the addresses of Ada and Grace, so each test starts with unused budgets.
        for item in site.items():
            if item["pk"]["S"].startswith(("BUDGET#", "DIGEST#")):
                site.delete(item["pk"]["S"], item["sk"]["S"])
        self._stream.records()

    def events(self, *types: str) -> Events:
        """Return what happened since the last call, of these types or all, as EventBridge wraps it."""
        deliver(self._stream.records())
        return [event for event in self._bus.events() if not types or event["detail-type"] in types]

    def mails(self) -> list[EmailMessage]:
        """Return every mail that was kept as a file, oldest first."""
        return [
            message_from_bytes(path.read_bytes(), policy=policy.default)
            for path in sorted(self._folder.glob("*.eml"), key=lambda path: path.stat().st_mtime_ns)
        ]

    def to(self) -> list[str]:
        """Return whom the mails went to, in order of their addresses."""
        return sorted(mail["to"].addresses[0].addr_spec for mail in self.mails())


@pytest.fixture
def post(site: Site, bus: Bus, folder: Path) -> Post:
    return Post(site, bus, folder)


def batch(events: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return events as SQS hands them to Lambda."""
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


def told(events: Sequence[dict[str, Any]]) -> list[str]:
    """Tell the mail function; return the messages that are to come again."""
    return [failure["itemIdentifier"] for failure in send(batch(events), None)["batchItemFailures"]]


def sent_by_ses(site: Site) -> list[dict[str, Any]]:
    """Return what the engine's SES took, ever."""
    url = f"{site.table.endpoint_url}/_ministack/ses/messages"
    found: Any = httpx.get(url, timeout=LIMIT, trust_env=False).json()
    return list(found["messages"] if isinstance(found, dict) else found)


@contextmanager
def answering(act: Callable[[int], Any]) -> Iterator[list[int]]:
    """Let SES's client meet `act` before a call is sent, which may raise, answer instead, or let it through (None)."""
    calls: list[int] = []
    lock = threading.Lock()
    mailer: Any = bootstrap.world().mailer
    while not hasattr(mailer, "_aws"):
        mailer = mailer._mailer  # the file keeper is around it
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
    """Return an answer of SES's."""
    raw = SimpleRaw(json.dumps({"message": message}).encode())
    headers: Any = {"x-amzn-errortype": code, "content-type": "application/json"}
    return AWSResponse("https://ses.example", status, headers, raw)


class SimpleRaw:
    """A body, as botocore reads one."""

    def __init__(self, content: bytes) -> None:
        self._content = [content]

    def stream(self, *_: Any, **__: Any) -> Iterator[bytes]:
        yield from self._content


def history(host: Caller, link: dict[str, Any]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = ok(host.get(f"/v1/links/{link['linkId']}/history"))["history"]
    return rows


def mail_history(host: Caller, link: dict[str, Any]) -> list[tuple[str, str]]:
    """Return what the history tells of mails, oldest first: what, and why or to whom."""
    rows = [row for row in reversed(history(host, link)) if row["type"].startswith("mail.")]
    return [(row["type"], row["data"].get("reason", row["data"]["to"])) for row in rows]


def booked(site: Site, host: Caller, **fields: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Book by a new link; return the link and the booking."""
    link = host.link()
    return link, made(site.redeem(link, at(days=1), **fields))


def calendar_of(mail: EmailMessage) -> Calendar:
    """Return a mail's invitation, as a parser that is not ours reads it."""
    [part] = [part for part in mail.walk() if part.get_content_type() == "text/calendar"]
    payload = part.get_payload(decode=True)
    assert isinstance(payload, bytes)
    return IcsCalendarStream.calendar_from_ics(payload.decode())


# What is sent


def test_a_booking_is_told_to_both_and_its_calendar_follows(post: Post, host: Caller) -> None:
    _, booking = booked(post.site, host)
    events = post.events()
    assert told(events) == []

    assert post.to() == [ADA, GRACE]
    [mine] = [mail for mail in post.mails() if mail["to"].addresses[0].addr_spec == GRACE]
    text = mine.get_body(("plain",))
    assert text is not None
    assert booking["url"] in text.get_content()

    ok(host.post(f"/v1/bookings/{booking['bookingId']}/reschedule", {"start": at(days=2)}))
    assert told(post.events()) == []
    ok(host.post(f"/v1/bookings/{booking['bookingId']}/cancel"))
    assert told(post.events()) == []
    invites = []
    for mail in post.mails():
        if mail["to"].addresses[0].addr_spec == GRACE:
            calendar = calendar_of(mail)
            invites.append((calendar.method, calendar.events[0].sequence, calendar.events[0].uid))
    uid = f"{booking['bookingId']}@admit-one"
    assert invites == [("REQUEST", 0, uid), ("REQUEST", 1, uid), ("CANCEL", 2, uid)]


def test_the_invitees_language_is_the_one_they_booked_in(post: Post, host: Caller) -> None:
    link = host.link()
    body = {"start": at(days=1), "timeZone": "Europe/Berlin", "invitee": {"name": "Grace", "email": GRACE}}
    headers = {"Accept": "application/json", "Accept-Language": "de"}
    made(post.site.client.post(f"/s/{token_of(link)}/redeem", json=body, headers=headers))
    told(post.events())
    languages = {mail["to"].addresses[0].addr_spec: mail["content-language"] for mail in post.mails()}
    assert languages == {GRACE: "de", ADA: "en"}


def test_ses_is_told_the_ids_and_no_token(post: Post, host: Caller) -> None:
    """Feedback finds its way by tags; nothing in them opens anything (P7)."""
    link, booking = booked(post.site, host)
    events = post.events("booking.confirmed")
    requests: list[dict[str, Any]] = []
    with answering(lambda _: None):
        mailer: Any = bootstrap.world().mailer
        client = mailer._mailer._aws.client("sesv2")

        def keep(params: dict[str, Any], **_: Any) -> None:
            requests.append(json.loads(params["body"]))

        client.meta.events.register("before-call.sesv2.SendEmail", keep)
        assert told(events) == []
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


def test_without_a_sender_nothing_is_sent_and_events_are_taken(post: Post, host: Caller) -> None:
    link, _ = booked(post.site, host)
    events = post.events()
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MAIL_SENDER")
        bootstrap.forget()
        assert told(events) == []
        answer = host.post(f"/v1/links/{link['linkId']}/send", {})
    bootstrap.forget()
    assert_problem(answer, 409, "mail-not-configured")
    assert post.mails() == []


# Once


def test_the_same_event_three_times_at_once_is_one_mail_each(post: Post, host: Caller) -> None:
    """P6: the event comes at least once, and here six times, three of them at the same moment."""
    booked(post.site, host)
    events = post.events("booking.confirmed")
    gate = threading.Barrier(3)

    def tell(_: int) -> list[str]:
        gate.wait()
        return told(events)

    with ThreadPoolExecutor(3) as pool:
        outcomes = list(pool.map(tell, range(3)))
    # Whoever found the other at it is to come again, and then finds it done.
    assert [] in outcomes or post.to() == [ADA, GRACE]
    for _ in range(3):
        assert told(events) == []
    assert post.to() == [ADA, GRACE]


def test_a_mail_whose_mark_was_lost_is_not_sent_again_once_ses_says_so(post: Post, host: Caller) -> None:
    """A crash between SES's answer and our mark: SES's own word ends the claim, before its time is over."""
    booked(post.site, host)
    events = post.events("booking.confirmed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(post.site.world.store.mails), "end", crash)
        assert told(events) == ["m0"]
    assert post.to() == [ADA, GRACE]
    for addressee in ("invitee", "host"):
        assert note(feedback(events[0], "Send", addressee), None) == {"batchItemFailures": []}
    post.site.clock.pass_by(seconds=CLAIM.total_seconds() + 1)
    assert told(events) == []
    assert post.to() == [ADA, GRACE]


def test_a_mail_that_nobody_answers_for_is_sent_again_when_its_claim_is_over(
    post: Post, host: Caller
) -> None:
    """What is lost is worse than what comes twice: without SES's word the claim ends by time alone."""
    booked(post.site, host)
    events = post.events("booking.confirmed")

    def time_out(_: int) -> None:
        raise ReadTimeoutError(endpoint_url="https://ses.example")

    with answering(time_out) as calls:
        assert told(events) == ["m0"]
        assert told(events) == ["m0"]
        assert len(calls) == 2  # one for each mail: nobody tries again while SES may have it
    post.site.clock.pass_by(seconds=CLAIM.total_seconds() + 1)
    assert told(events) == []
    assert post.to() == [ADA, GRACE]


def crash(*_: Any, **__: Any) -> Any:
    raise RuntimeError("the function ends here")


class Killed(BaseException):
    """The process ends, as by Lambda: nothing is caught, nothing is let go of."""


def killed(*_: Any, **__: Any) -> Any:
    raise Killed


@pytest.mark.parametrize("sees_ses_word", [True, False])
def test_the_one_gap_is_a_crash_after_ses_took_it_and_no_word_of_ses_either(
    post: Post, host: Caller, sees_ses_word: bool
) -> None:
    """docs/mail.md: with SES's word there is one mail. Without it there are two, and a calendar takes them for one."""
    booked(post.site, host)
    events = post.events("booking.confirmed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(post.site.world.store.mails), "end", killed)
        with pytest.raises(Killed):
            told(events)
    assert post.to() == [GRACE]
    if sees_ses_word:
        assert note(feedback(events[0], "Send", "invitee"), None) == {"batchItemFailures": []}
    post.site.clock.pass_by(seconds=CLAIM.total_seconds() - 1)
    assert told(events) == ([] if sees_ses_word else ["m0"]), "while the claim holds, nobody sends it again"
    assert post.to() == [ADA, GRACE]
    post.site.clock.pass_by(seconds=1)
    assert told(events) == told(events) == []
    assert post.to() == ([ADA, GRACE] if sees_ses_word else [ADA, GRACE, GRACE])
    theirs = [mail for mail in post.mails() if mail["to"].addresses[0].addr_spec == GRACE]
    assert len({mail["message-id"] for mail in theirs}) == 1
    assert len({(event.uid, event.sequence) for mail in theirs for event in calendar_of(mail).events}) == 1


def test_a_crash_before_ses_is_asked_is_one_mail_ten_minutes_later(post: Post, host: Caller) -> None:
    """P6: claimed, and the process ended; nobody has the mail, and nobody says so."""
    booked(post.site, host)
    events = post.events("booking.confirmed")
    with answering(killed), pytest.raises(Killed):
        told(events)
    assert post.to() == []
    post.site.clock.pass_by(seconds=CLAIM.total_seconds())
    assert told(events) == told(events) == []
    assert post.to() == [ADA, GRACE]


def test_a_mark_that_the_store_does_not_take_at_once_is_tried_until_it_does(post: Post, host: Caller) -> None:
    """P6: SES has the mail, so a store that is down for seconds must not make it two."""
    booked(post.site, host)
    events = post.events("booking.confirmed")
    mails = type(post.site.world.store.mails)
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
        assert told(events) == []
        assert calls == 20
    post.site.clock.pass_by(seconds=CLAIM.total_seconds() + 1)
    assert told(events) == []
    assert post.to() == [ADA, GRACE]


def test_no_mail_is_begun_that_the_function_has_no_time_to_end(post: Post, host: Caller) -> None:
    """P6: a time limit between SES's answer and the mark is the likeliest crash; here one mail of two has time."""
    booked(post.site, host)
    events = post.events("booking.confirmed")

    class Context:
        lefts = iter([NEEDED.total_seconds() * 1000, NEEDED.total_seconds() * 1000 - 1])

        def get_remaining_time_in_millis(self) -> float:
            return next(self.lefts)

    assert send(batch(events), Context()) == {"batchItemFailures": [{"itemIdentifier": "m0"}]}
    assert post.to() == [GRACE]
    assert told(events) == []  # at once: the other mail was not even claimed
    assert post.to() == [ADA, GRACE]
    timeout = read_config(ROOT)["lambda_functions"]["mail"]["lambda_timeout"]
    assert NEEDED.total_seconds() < timeout


# What SES says instead


@pytest.mark.parametrize(
    "code",
    [
        "TooManyRequestsException",
        "SendingPausedException",
        "LimitExceededException",
        "AccountSuspendedException",
    ],
)
def test_what_ses_will_not_take_now_comes_again_and_is_sent_once(post: Post, host: Caller, code: str) -> None:
    link, _ = booked(post.site, host)
    events = post.events("booking.confirmed")
    with answering(lambda number: refusal(code) if number == 1 else None):
        assert told(events) == ["m0"]
    assert post.to() == [ADA]  # the other mail is not held up
    assert told(events) == []
    assert post.to() == [ADA, GRACE]
    assert mail_history(host, link) == []


def test_an_endpoint_that_is_not_there_is_nobody_s_loss(post: Post, host: Caller) -> None:
    booked(post.site, host)
    events = post.events("booking.confirmed")

    def unreachable(_: int) -> None:
        raise EndpointConnectionError(endpoint_url="https://ses.example")

    with answering(unreachable):
        assert told(events) == ["m0"]
    assert told(events) == []
    assert post.to() == [ADA, GRACE]


@pytest.mark.parametrize(
    ("code", "reason"), [("MessageRejected", "rejected"), ("BadRequestException", "bad-request")]
)
def test_what_ses_will_never_take_is_told_in_the_history_and_not_tried_again(
    post: Post, host: Caller, code: str, reason: str
) -> None:
    link, _ = booked(post.site, host)
    events = post.events("booking.confirmed")
    with answering(lambda number: refusal(code, "Bad content") if number == 1 else None) as calls:
        assert told(events) == []
        assert told(events) == []
        assert len(calls) == 2
    assert post.to() == [ADA]
    assert mail_history(host, link) == [("mail.failed", reason)]
    [failed] = [row for row in history(host, link) if row["type"] == "mail.failed"]
    assert failed["data"] == {
        "about": events[0]["detail"]["id"],
        "addressee": "invitee",
        "to": "g…@invitees.example",
        "reason": reason,
    }


def test_a_sender_that_is_not_set_up_is_the_operator_s_to_mend(post: Post, host: Caller) -> None:
    """It is tried again, and goes to the dead-letter queue at last: once SES is set up, it can be sent from there."""
    link, _ = booked(post.site, host)
    events = post.events("booking.confirmed")
    words = "Email address is not verified. The following identities failed the check: a@b.example"
    with answering(lambda _: refusal("MessageRejected", words)):
        assert told(events) == ["m0"]
    assert mail_history(host, link) == []
    assert told(events) == []
    assert post.to() == [ADA, GRACE]


def test_an_address_that_ses_can_not_write_to_is_told_in_the_history(post: Post, host: Caller) -> None:
    link, _ = booked(post.site, host, invitee={"name": "Grace", "email": "gräce@invitees.example"})
    assert told(post.events()) == []
    assert post.to() == [ADA]
    assert mail_history(host, link) == [("mail.failed", "address-not-ascii")]


def test_one_bad_message_stops_nobody_and_quotes_nothing(
    post: Post, host: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    booked(post.site, host)
    good = post.events("booking.confirmed")
    bad: list[Any] = [
        {"detail": {"id": "secret-thing"}},
        {},
        {**good[0], "detail": {**good[0]["detail"], "bookingId": 7}},
    ]
    assert told([*bad, *good]) == ["m0", "m1", "m2"]
    assert post.to() == [ADA, GRACE]
    assert "secret-thing" not in caplog.text
    assert GRACE not in caplog.text


def test_pauses_grow_to_an_hour() -> None:
    pauses = [pause_after(times) for times in range(1, 40)]
    assert pauses[:4] == [30, 60, 120, 240]
    assert pauses == sorted(pauses)
    assert pauses[-1] == MAX_PAUSE_SECONDS
    assert sum(pauses[:30]) > timedelta(hours=20).total_seconds()


def test_what_is_tried_again_is_hidden_for_a_while(
    post: Post, host: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    booked(post.site, host)
    events = post.events("booking.confirmed")
    queue = Inbox(post.site.table.endpoint_url)
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


# Late


def test_a_confirmation_that_comes_after_the_cancellation_is_not_sent(post: Post, host: Caller) -> None:
    _, booking = booked(post.site, host)
    ok(host.post(f"/v1/bookings/{booking['bookingId']}/reschedule", {"start": at(days=2)}))
    ok(host.post(f"/v1/bookings/{booking['bookingId']}/cancel"))
    assert told(list(reversed(post.events()))) == []
    assert [mail["subject"].partition(":")[0] for mail in post.mails()] == ["Cancelled", "Cancelled"]


def test_a_move_that_was_moved_on_is_told_once_and_a_late_confirmation_as_it_now_is(
    post: Post, host: Caller
) -> None:
    _, booking = booked(post.site, host, timeZone="UTC")
    for days in (2, 3):
        ok(host.post(f"/v1/bookings/{booking['bookingId']}/reschedule", {"start": at(days=days)}))
    assert told(post.events()) == []
    mine = [mail["subject"] for mail in post.mails() if mail["to"].addresses[0].addr_spec == GRACE]
    assert mine == [
        "Confirmed: Talk with Ada Lovelace, Thursday 5 January 2040, 08:00",
        "Moved: Talk with Ada Lovelace, now Thursday 5 January 2040, 08:00",
    ]


def test_of_what_is_over_nobody_hears(post: Post, host: Caller) -> None:
    booked(post.site, host)
    events = post.events()
    post.site.clock.pass_by(days=2)
    assert told(events) == []
    assert post.mails() == []


def test_who_was_erased_gets_no_mail_and_the_host_still_does(post: Post, host: Caller) -> None:
    _, booking = booked(post.site, host)
    ok(host.delete(f"/v1/bookings/{booking['bookingId']}/personal-data"))
    ok(host.post(f"/v1/bookings/{booking['bookingId']}/cancel"))
    assert told(post.events()) == []
    assert post.to() == [ADA]
    assert "Grace" not in post.mails()[0].as_string()


# A link to its recipient


def queued(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 202, answer.text
    document: dict[str, Any] = answer.json()
    return document


def ask(host: Caller, link: dict[str, Any], body: Any = None, key: str | None = None) -> httpx.Response:
    headers = {"Idempotency-Key": key} if key else {}
    return host.post(f"/v1/links/{link['linkId']}/send", body, headers=headers)


def test_a_link_is_mailed_to_its_recipient_and_the_history_says_so(post: Post, host: Caller) -> None:
    link = host.link(recipient=RECIPIENT, expiresAt=at(days=3))
    answer = queued(ask(host, link, {"message": "See you <soon>", "language": "fr"}))
    assert answer == {
        "status": "queued",
        "linkId": link["linkId"],
        "to": "g…@invitees.example",
        "language": "fr",
        "requestedAt": at(),
    }
    events = post.events("mail.requested")
    assert [event["detail"]["linkId"] for event in events] == [link["linkId"]]
    assert token_of(link) not in json.dumps(events)
    post.site.clock.pass_by(seconds=1)
    for _ in range(3):
        assert told(events) == []
    [mail] = post.mails()
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


def test_the_same_request_again_is_one_mail(post: Post, host: Caller) -> None:
    link = host.link(recipient=RECIPIENT)
    key = secrets.token_hex(8)
    first = queued(ask(host, link, {"message": "Hi"}, key))
    post.site.clock.pass_by(minutes=5)
    assert queued(ask(host, link, {"message": "Hi"}, key)) == first
    assert_problem(ask(host, link, {"message": "Ho"}, key), 422, "idempotency-key-reused")
    ok(host.post(f"/v1/links/{link['linkId']}/revoke"))
    assert queued(ask(host, link, {"message": "Hi"}, key)) == first  # P4: also once the link is dead
    assert len(post.events("mail.requested")) == 1


def test_a_race_of_the_same_request_is_one_wish(post: Post, host: Caller) -> None:
    link = host.link(recipient=RECIPIENT)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: ask(host, link, {}, "same"), range(8)))
    assert {answer.status_code for answer in answers} == {202}, [answer.text for answer in answers]
    assert len(post.events("mail.requested")) == 1
    without = [queued(ask(host, link)) for _ in range(2)]
    assert len(without) == 2
    assert len(post.events("mail.requested")) == 2  # without a key each is a wish of its own


def test_what_changed_since_it_was_asked_for_is_not_sent(post: Post, host: Caller) -> None:
    used, revoked, gone, given, late = (
        host.link(recipient=RECIPIENT, expiresAt=at(days=2)) for _ in range(5)
    )
    for link in (used, revoked, gone, given, late):
        queued(ask(host, link))
    events = post.events("mail.requested")
    made(post.site.redeem(used, at(days=1)))
    ok(host.post(f"/v1/links/{revoked['linkId']}/revoke"))
    assert host.delete(f"/v1/links/{gone['linkId']}").status_code == 204
    ok(host.patch(f"/v1/links/{given['linkId']}", {"recipient": {"email": "otto@invitees.example"}}))
    post.site.clock.pass_by(hours=1)
    first = [event for event in events if event["detail"]["linkId"] != late["linkId"]]
    assert told(first) == []
    post.site.clock.pass_by(days=3)
    assert told([event for event in events if event not in first]) == []
    assert post.mails() == []
    reasons = {link["linkId"]: mail_history(host, link)[-1] for link in (used, revoked, gone, given, late)}
    assert list(reasons.values()) == [
        ("mail.failed", "link-used"),
        ("mail.failed", "link-revoked"),
        ("mail.failed", "link-deleted"),
        ("mail.failed", "recipient-changed"),
        ("mail.failed", "link-expired"),
    ]


def test_what_can_not_be_sent_is_refused_at_once(site: Site, host: Caller) -> None:
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


def test_a_lost_reply_leaves_one_wish(post: Post, host: Caller) -> None:
    """P4: the transaction came through, its reply did not; the client asks again."""
    link = host.link(recipient=RECIPIENT)
    lost: list[int] = []

    def lose(**_: Any) -> None:
        lost.append(1)
        if len(lost) == 1:
            raise ReadTimeoutError(endpoint_url="https://dynamodb.example")

    with post.site._hooked("needs-retry.dynamodb.TransactWriteItems", lose):
        answer = ask(host, link, {}, "once")
    assert answer.status_code in {202, 503}
    queued(ask(host, link, {}, "once"))
    assert len(post.events("mail.requested")) == 1


# What SES says later


def feedback(event: dict[str, Any], kind: str, addressee: str, **about: Any) -> dict[str, Any]:
    """Return what SES's event publishing says of a mail, as it comes from the default bus through SQS."""
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
    said = {
        "version": "0",
        "source": "aws.ses",
        "detail-type": f"Email {kind}",
        "detail": {"eventType": kind, "mail": mail, **about},
    }
    return batch([said])


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


def test_a_bounce_and_a_complaint_are_in_the_history_once_each_and_go_out_as_events(
    post: Post, host: Caller
) -> None:
    link, booking = booked(post.site, host)
    [event] = post.events("booking.confirmed")
    told([event])
    for said in (
        feedback(event, "Bounce", "invitee", bounce=BOUNCE),
        feedback(event, "Complaint", "invitee", complaint=COMPLAINT),
    ):
        for _ in range(3):
            assert note(said, None) == {"batchItemFailures": []}
    assert mail_history(host, link) == [
        ("mail.bounced", "Permanent/General 5.1.1"),
        ("mail.complained", "abuse"),
    ]
    [bounced] = [row for row in history(host, link) if row["type"] == "mail.bounced"]
    assert bounced["bookingId"] == booking["bookingId"]
    assert bounced["time"] == "2040-01-02T08:00:05.123Z"
    assert bounced["data"]["to"] == "g…@invitees.example"
    assert GRACE not in json.dumps(history(host, link))
    out = {event["detail-type"]: event["detail"] for event in post.events("mail.bounced", "mail.complained")}
    assert set(out) == {"mail.bounced", "mail.complained"}
    assert out["mail.bounced"]["id"] == bounced["eventId"]


def test_a_deleted_link_s_history_takes_a_bounce_too(post: Post, host: Caller) -> None:
    link = host.link(recipient=RECIPIENT)
    queued(ask(host, link))
    [event] = post.events("mail.requested")
    told([event])
    assert host.delete(f"/v1/links/{link['linkId']}").status_code == 204
    assert note(feedback(event, "Bounce", "recipient", bounce=BOUNCE), None) == {"batchItemFailures": []}
    assert ("mail.bounced", "Permanent/General 5.1.1") in mail_history(host, link)


def test_feedback_that_is_not_ours_or_not_whole_stops_nobody(
    post: Post, host: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    link, _ = booked(post.site, host)
    [event] = post.events("booking.confirmed")
    foreign = feedback(event, "Bounce", "invitee", bounce=BOUNCE)
    body = json.loads(foreign["Records"][0]["body"])
    body["detail"]["mail"]["tags"] = {"ses:configuration-set": ["other"]}
    broken: Events = [{"detail": {"mail": GRACE}}, {"nothing": 1}]
    good = json.loads(feedback(event, "Bounce", "invitee", bounce=BOUNCE)["Records"][0]["body"])
    answer = note(batch([body, *broken, good]), None)
    assert [failure["itemIdentifier"] for failure in answer["batchItemFailures"]] == ["m1", "m2"]
    assert mail_history(host, link) == [("mail.bounced", "Permanent/General 5.1.1")]
    assert GRACE not in caplog.text


# What is left behind


def test_no_secret_is_in_the_table_the_events_or_the_log(
    post: Post, host: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    """P7: the URL in a mail is made when it is written, and is nowhere else."""
    link = host.link(recipient=RECIPIENT)
    queued(ask(host, link))
    events = post.events("mail.requested")
    booking = made(post.site.redeem(host.link(), at(days=1)))
    events += post.events("booking.confirmed")
    with answering(lambda number: refusal("TooManyRequestsException") if number < 3 else None):
        told(events)
    told(events)
    assert len(post.mails()) == 3
    left = json.dumps([post.site.items(), events], default=repr) + caplog.text
    for secret in (token_of(link), booking["url"].rpartition("/")[2]):
        assert secret not in left
        assert secret[-13:] not in left


def test_a_mail_holds_its_own_readers_token_and_no_other(post: Post, host: Caller) -> None:
    """P7: a link goes to its recipient, a booking's page to its invitee; a host's mail opens nothing when passed on."""
    link = host.link(recipient=RECIPIENT)
    queued(ask(host, link))
    used = host.link()
    booking = made(post.site.redeem(used, at(days=1)))
    assert told(post.events()) == []
    ok(host.post(f"/v1/bookings/{booking['bookingId']}/reschedule", {"start": at(days=2)}))
    assert told(post.events()) == []
    ok(host.post(f"/v1/bookings/{booking['bookingId']}/cancel"))
    assert told(post.events()) == []
    tokens = {
        "link": token_of(link),
        "used link": token_of(used),
        "booking": booking["url"].rpartition("/")[2],
        "key": host.key.secret.removeprefix("ao_"),
    }

    held = [
        (mail["to"].addresses[0].addr_spec, {name for name, token in tokens.items() if token in whole(mail)})
        for mail in post.mails()
    ]

    assert len(held) == 7
    assert [tokens for to, tokens in held if to == ADA] == [set()] * 3
    assert [tokens for to, tokens in held if to == GRACE] == [{"link"}, {"booking"}, {"booking"}, set()]


def whole(mail: EmailMessage) -> str:
    """Return headers and every part of a mail, decoded."""
    parts = [part.get_payload(decode=True) for part in mail.walk()]
    return mail.as_string() + "".join(part.decode() for part in parts if isinstance(part, bytes))


def test_files_are_whole_and_named_by_time_and_event(post: Post, host: Caller, folder: Path) -> None:
    booked(post.site, host)
    [event] = post.events("booking.confirmed")
    told([event])
    stamp = rfc3339(post.site.clock()).replace("-", "").replace(":", "").replace("Z", ".000Z")
    expected = {f"{stamp}-{event['detail']['id']}-{to}.eml" for to in ("host", "invitee")}
    assert {path.name for path in folder.iterdir()} == expected


def test_files_are_read_by_their_owner_alone(post: Post, host: Caller, folder: Path) -> None:
    """P7: only their owner can read the files, because an email has the secret URL of a booking or a link."""
    previous = os.umask(0)
    try:
        booked(post.site, host)
        told(post.events("booking.confirmed"))
    finally:
        os.umask(previous)
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


def test_the_client_asks_ses_once(site: Site) -> None:
    """A client that tries again by itself would send twice where only the answer was lost."""
    del site
    mailer: Any = bootstrap.world().mailer
    assert isinstance(mailer._aws, Aws)
    assert mailer._aws.client("sesv2").meta.config.retries["total_max_attempts"] == 1


# Budgets, P15


def of(post: Post, address: str) -> list[EmailMessage]:
    """Return the emails to an address, oldest first."""
    return [mail for mail in post.mails() if mail["to"].addresses[0].addr_spec.lower() == address]


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
def queue(post: Post, monkeypatch: pytest.MonkeyPatch) -> Iterator[Inbox]:
    """The mail queue, for what the schedule puts on it."""
    queue = Inbox(post.site.table.endpoint_url)
    monkeypatch.setenv("MAIL_QUEUE_URL", queue.url)
    bootstrap.forget()
    yield queue
    queue.remove()


def digests(queue: Inbox) -> int:
    """Run the schedule and then the mail function on what it queued, twice each; return how many were queued."""
    queued = queue_due_digests(bootstrap.world()) + queue_due_digests(bootstrap.world())
    bodies = queue.take()
    for _ in range(2):
        assert told(bodies) == []
    return queued


def flood(
    post: Post, host: Caller, bookings: int, day: int = 3, **fields: Any
) -> tuple[dict[str, Any], Events]:
    """Book that often with one link, some days from now; return the link and the events."""
    link = host.link(maxUsageCount=None)
    for number in range(bookings):
        made(post.site.redeem(link, at(days=day, hours=number), **fields))
    return link, post.events("booking.confirmed")


def test_a_booking_moved_twenty_times_is_one_mail_of_its_last_state(post: Post, host: Caller) -> None:
    """P15: after moves back and forth, with late, repeated and unordered events, both calendars show the last time."""
    _, booking = booked(post.site, host)
    assert told(post.events()) == []
    for number in range(20):
        move = {"start": at(days=2 + number % 2)}
        ok(host.post(f"/v1/bookings/{booking['bookingId']}/reschedule", move))
    events = post.events("booking.rescheduled")
    assert len(events) == 20
    for order in (list(reversed(events)), events):
        assert told(order) == []
    for address in (GRACE, ADA):
        mails = of(post, address)
        assert subjects(mails) == ["Confirmed", "Moved"]
        [event] = calendar_of(mails[-1]).events
        assert isinstance(event.dtstart, datetime)
        assert (rfc3339(event.dtstart), event.sequence) == (at(days=3), 20)
        assert "Before:" not in whole(mails[-1]), (
            "nobody had an email about the time that the last move replaced"
        )
    ok(host.post(f"/v1/bookings/{booking['bookingId']}/reschedule", {"start": at(days=5)}))
    assert told(post.events()) == []
    for address in (GRACE, ADA):
        assert "Before: Thursday 5 January 2040" in whole(of(post, address)[-1])


def test_news_of_a_move_waits_for_later_news_and_a_confirmation_does_not(
    post: Post, host: Caller, queue: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P15, P6: an event waits until it is a minute old, and is not lost meanwhile."""
    del queue
    waits: list[int] = []
    monkeypatch.setattr(Queue, "delay", lambda _, __, seconds: waits.append(seconds))
    _, booking = booked(post.site, host)
    events = post.events()
    ok(host.post(f"/v1/bookings/{booking['bookingId']}/reschedule", {"start": at(days=2)}))
    events += post.events()
    ok(host.post(f"/v1/bookings/{booking['bookingId']}/cancel"))
    events += post.events()
    happened = [event for event in events if event["detail-type"].startswith("booking.")]
    for event in happened:
        event["detail"]["time"] = rfc3339(post.site.clock())  # the engine's clock is the true one
    confirmed, moved, cancelled = happened

    assert told([moved, cancelled]) == ["m0", "m1"]
    post.site.clock.pass_by(seconds=59)
    assert told([confirmed, moved, cancelled]) == ["m1", "m2"]
    assert (waits, post.mails()) == ([60, 60, 1, 1], [])
    post.site.clock.pass_by(seconds=1)
    assert told([moved, cancelled]) == []
    assert subjects(of(post, GRACE)) == subjects(of(post, ADA)) == ["Cancelled"]


def test_a_first_confirmation_is_sent_at_once(post: Post, host: Caller) -> None:
    booked(post.site, host)
    [event] = post.events("booking.confirmed")
    event["detail"]["time"] = rfc3339(post.site.clock())
    assert told([event]) == []
    assert post.to() == [ADA, GRACE]


def test_one_address_gets_so_many_a_day_and_the_rest_is_told_in_history_and_digest(
    post: Post, host: Caller, queue: Inbox
) -> None:
    """P15: addresses that differ by case are one; a new day has a new budget."""
    with limited(invitee_daily_limit=2, host_daily_limit=3):
        link, events = flood(post, host, 2)
        more, events_more = flood(
            post, host, 3, 4, invitee={"name": "Grace", "email": "GRACE@Invitees.example"}
        )
        assert told(events) == told(events_more) == []
        assert told(events_more) == []
        assert (len(of(post, GRACE)), len(of(post, ADA))) == (2, 3)
        assert mail_history(host, link) == []
        assert sorted(mail_history(host, more)) == [
            *[("mail.failed", "address-budget-used")] * 3,
            *[("mail.failed", "in-digest")] * 2,
        ]
        assert digests(queue) == 0
        post.site.clock.pass_by(hours=16, minutes=5)  # midnight, and five minutes
        assert digests(queue) == 1
        post.site.clock.pass_by(hours=2)
        assert digests(queue) == 0
        [digest] = of(post, ADA)[3:]
        text = digest.get_body(("plain",))
        assert text is not None
        assert text.get_content().count("Booked, ") == 2
        link, _ = booked(post.site, host)
        assert told(post.events("booking.confirmed")) == []
        assert len(of(post, GRACE)) == 3


def test_one_link_reaches_so_many_people_a_day(post: Post, host: Caller) -> None:
    """P15: a link can book and cancel for any number of addresses, but does not use up their budgets."""
    with limited(link_daily_limit=2, invitee_daily_limit=1):
        link = host.link(maxUsageCount=None)
        for number in range(4):
            person = {"name": "X", "email": f"x{number}@invitees.example"}
            made(post.site.redeem(link, at(days=3, hours=number), invitee=person))
        assert told(post.events("booking.confirmed")) == []
        assert post.to().count(ADA) == 4
        assert len(post.mails()) == 6
        assert mail_history(host, link) == [("mail.failed", "link-budget-used")] * 2
        other = host.link()
        made(post.site.redeem(other, at(days=4), invitee={"name": "X", "email": "x3@invitees.example"}))
        assert told(post.events("booking.confirmed")) == []
        assert "x3@invitees.example" in post.to()


def test_using_up_one_budget_blocks_no_other(post: Post, host: Caller) -> None:
    """P15: each purpose has its own budget, even if all three go to one address."""
    with limited(invitee_daily_limit=1, host_daily_limit=1, recipient_daily_limit=1):
        link = host.link(recipient={"name": "Ada", "email": ADA})
        for _ in range(2):
            queued(ask(host, link))
        wishes = post.events("mail.requested")
        _, events = flood(post, host, 2, invitee={"name": "Ada", "email": ADA})
        assert told([*events, *wishes]) == []
    words = [text.get_content() for mail in of(post, ADA) if (text := mail.get_body(("plain",)))]
    assert len(words) == 3
    for part in ("is confirmed.", "has booked a time", "private link"):
        assert len([text for text in words if part in text]) == 1


@pytest.mark.parametrize("end", ["killed in SES", "killed before the mark", "three at once"])
def test_a_mail_is_counted_once_however_it_ends(post: Post, host: Caller, end: str) -> None:
    """P15, P6: an email retried after its claim ends counts once, so a budget of one allows it, but no other."""
    with limited(invitee_daily_limit=1, host_daily_limit=1):
        _, [first, second] = flood(post, host, 2)
        if end == "killed in SES":
            with answering(killed), pytest.raises(Killed):
                told([first])
        elif end == "killed before the mark":
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(type(post.site.world.store.mails), "end", killed)
                with pytest.raises(Killed):
                    told([first])
            assert note(feedback(first, "Send", "invitee"), None) == {"batchItemFailures": []}
        else:
            with ThreadPoolExecutor(3) as pool:
                list(pool.map(lambda _: told([first]), range(3)))
        post.site.clock.pass_by(seconds=CLAIM.total_seconds() + 1)
        assert told([first]) == told([second]) == []
        assert (len(of(post, GRACE)), len(of(post, ADA))) == (1, 1)


@pytest.mark.parametrize("where", ["before the notice ends", "while the digest is sent"])
def test_a_digest_is_sent_once_and_loses_nothing(post: Post, host: Caller, queue: Inbox, where: str) -> None:
    """P15, P6: a crash before or during a digest loses nothing; later updates are in the next day's digest."""
    mails = type(post.site.world.store.mails)
    with limited(host_daily_limit=0):
        _, events = flood(post, host, 1)
        if where.startswith("before"):
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(mails, "end", crash)
                assert told(events) == ["m0"]
            post.site.clock.pass_by(seconds=CLAIM.total_seconds() + 1)
        assert told(events) == []
        _, late = flood(post, host, 1, 4)
        digest = DigestId(host.host_id or "", post.site.clock().date())
        if where.startswith("while"):
            assert post.site.world.store.mail_digests.close(digest, now=post.site.clock()) is not None
        assert told(late) == []
        post.site.clock.pass_by(hours=16, minutes=5)
        if where.startswith("while"):
            queue_due_digests(bootstrap.world())
            with answering(lambda _: refusal("TooManyRequestsException")):
                assert told(queue.take()) == ["m0"]
            post.site.clock.pass_by(hours=1)
        assert digests(queue) == 1
        post.site.clock.pass_by(hours=24)
        assert digests(queue) == int(where.startswith("while"))
    listed = [body.get_content() for mail in of(post, ADA) if (body := mail.get_body(("plain",)))]
    assert [text.count("Booked, ") for text in listed] == ([2] if where.startswith("before") else [1, 1])


MAX_PER_DAY: Final = 2


def beyond_promise(
    post: Post, host: Caller, links: Sequence[dict[str, Any]], booking_ids: set[str]
) -> list[str]:
    """Return violations of P15: too many emails to an address, or a booking that its host gets no news of."""
    notices = [mail for mail in post.mails() if "updates" not in str(mail["subject"])]
    sent = [mail["to"].addresses[0].addr_spec.lower() for mail in notices]
    faults = ["too many"] if max(map(sent.count, sent)) > MAX_PER_DAY else []
    heard = {
        str(event.uid).partition("@")[0]
        for mail in of(post, ADA)
        for part in mail.walk()
        if part.get_content_type() in ("text/calendar", "application/ics")
        for payload in [part.get_payload(decode=True)]
        if isinstance(payload, bytes)
        for event in IcsCalendarStream.calendar_from_ics(payload.decode()).events
    }
    if booking_ids - heard:
        faults.append("lost")
    failed = [row for link in links for row in mail_history(host, link) if row[0] == "mail.failed"]
    if len(failed) != 2 * (len(booking_ids) - MAX_PER_DAY):
        faults.append("untold")
    return faults


PLANTED: Final[dict[str, tuple[str, str, Any, list[str]]]] = {
    "nothing": ("mails", "asked", None, []),
    "the budget is not counted": ("mail_budgets", "take", lambda *_, **__: True, ["too many", "untold"]),
    "the digest is lost": ("mail_digests", "add", lambda *_, **__: None, ["lost"]),
    "what is refused is not told": ("history", "enter", lambda *_, **__: True, ["untold"]),
}


@pytest.mark.parametrize("bug", PLANTED)
def test_the_audit_of_a_flood_finds_each_planted_bug_and_nothing_without_one(
    post: Post, host: Caller, queue: Inbox, bug: str
) -> None:
    """P15 holds, and in the red controls the check finds the planted violation."""
    store, method, broken, expected = PLANTED[bug]
    with (
        limited(invitee_daily_limit=MAX_PER_DAY, host_daily_limit=MAX_PER_DAY),
        pytest.MonkeyPatch.context() as patch,
    ):
        if broken is not None:
            patch.setattr(type(getattr(post.site.world.store, store)), method, broken)
        link, events = flood(post, host, 5)
        assert told(events) == []
        post.site.clock.pass_by(hours=16, minutes=5)
        digests(queue)
    ids = {event["detail"]["bookingId"] for event in events}
    assert beyond_promise(post, host, [link], ids) == expected


def test_the_table_names_no_address_in_a_budget(post: Post, host: Caller) -> None:
    """P7: an erased person leaves no hash to test addresses against, and the budget's item is deleted in days."""
    flood(post, host, 1)
    assert told(post.events()) == []
    booked(post.site, host)
    assert told(post.events("booking.confirmed")) == []
    budgets = [item for item in post.site.items() if item["pk"]["S"].startswith("BUDGET#")]
    assert len(budgets) == 3  # the link's, the invitee's, the host's
    day = post.site.clock().date().isoformat()
    for item in budgets:
        assert int(item["purgeAt"]["N"]) <= (post.site.clock() + timedelta(days=2)).timestamp()
        for address in (GRACE, ADA):
            guess = hashlib.sha256(f"mail-budget\x00booking-to-invitee\x00{address}\x00{day}".encode())
            assert base64.urlsafe_b64encode(guess.digest()[:18]).decode() not in item["pk"]["S"]


def test_a_digest_that_bounces_is_logged_and_its_claim_ended(
    post: Post, host: Caller, queue: Inbox, caplog: pytest.LogCaptureFixture
) -> None:
    """SES feedback ends a digest's claim like any email's; a bounce is logged, because a digest has no single link."""
    del queue
    digest = DigestId(host.host_id or "", post.site.clock().date())
    tags = {
        "ses:configuration-set": ["s"],
        "eventId": [digest.mail_id.event_id],
        "addressee": ["digest"],
        "hostId": [host.host_id],
    }
    mail = {"timestamp": at(), "messageId": "m", "destination": [ADA], "tags": tags}
    said = {"detail": {"eventType": "Bounce", "mail": mail, "bounce": BOUNCE}}
    assert note(batch([said]), None) == {"batchItemFailures": []}
    assert "was not delivered: mail.bounced" in caplog.text
    assert ADA not in caplog.text
