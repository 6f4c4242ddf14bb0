"""Count the capacity units that a change consumes after its response: for history, webhooks and emails."""

import dataclasses
import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from chalicelib import bootstrap
from chalicelib.domain.causes import Cause
from chalicelib.domain.clock import rfc3339
from chalicelib.domain.events.envelopes import Envelope, write_envelope
from chalicelib.domain.events.events import Event, EventKind, event_id_of
from chalicelib.domain.mail.feedback import Feedback, FeedbackKind
from chalicelib.domain.mail.mails import Letter
from chalicelib.domain.webhooks.deliveries import EndpointAnswer
from chalicelib.service.heartbeat import send_heartbeat
from chalicelib.service.links.expire import expire_due_links
from chalicelib.service.mail.mails_of_event import mails_of_event
from chalicelib.service.mail.note_feedback import note_feedback
from chalicelib.service.mail.send import send_once
from chalicelib.service.ports import World
from chalicelib.service.webhooks.deliver import deliver
from chalicelib.service.webhooks.fan_out import fan_out
from chalicelib.service.webhooks.retry import retry_due
from infra.local.engines.dynoxide import Dynoxide
from tests.bench.report.sections import Section
from tests.bench.setup.site import Counted, Site, redeem_event, starts


class _FakeQueueAndEndpoint:
    """A queue that keeps its messages, and an endpoint that accepts every request."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def send(self, body: str, *, delay_seconds: int = 0, tenant: str | None = None) -> None:
        del delay_seconds, tenant
        self.messages.append(body)

    def send_many(self, bodies: Sequence[str], *, tenants: Sequence[str] = ()) -> dict[int, str]:
        del tenants
        self.messages += bodies
        return {}

    def delay(self, receipt: str, seconds: int) -> None:
        del receipt, seconds

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> EndpointAnswer:
        del url, body, headers
        return EndpointAnswer(status_code=204)


class _Mailer:
    def __init__(self) -> None:
        self.letters: list[Letter] = []

    def send(self, letter: Letter) -> str:
        self.letters.append(letter)
        return f"message-{len(self.letters)}"


@dataclasses.dataclass
class BookedLink:
    """A used link with its booking, and a world with fakes for queues, endpoints and SES."""

    site: Site
    world: World
    queue: _FakeQueueAndEndpoint
    mailer: _Mailer
    host_id: str
    booking: dict[str, Any]

    def event(self, kind: EventKind = EventKind.BOOKING_CONFIRMED) -> Event:
        """Return an event of the booking."""
        start, end = self.booking["start"], self.booking["end"]
        return Event(
            event_id=event_id_of(kind, secrets.token_hex(8)),
            type=kind,
            time=datetime.now(UTC).replace(microsecond=0),
            link_id=self.booking["linkId"],
            host_id=self.host_id,
            event_type_id=self.booking["eventTypeId"],
            booking_id=self.booking["bookingId"],
            sequence=1,
            cause=Cause("invitee", secrets.token_hex(16)),
            data={
                "status": "confirmed", "start": start, "end": end, "occupiedFrom": start, "occupiedTo": end,
                "timeZone": "Europe/Berlin", "title": "Talk",
            },
        )  # fmt: skip

    def envelope(self) -> Envelope:
        """Return a new `booking.confirmed` event as it is published on the bus."""
        event = self.event()
        return Envelope(
            id=event.event_id, type=event.type.value, time=rfc3339(event.time), host_id=event.host_id,
            link_id=event.link_id, booking_id=event.booking_id, event_type_id=event.event_type_id,
            external_id=None, metadata={}, sequence=1, actor="invitee", correlation_id=event.cause.correlation_id,
            data=event.data,
        )  # fmt: skip

    def message(self) -> str:
        """Return a new event in the form in which EventBridge delivers it to a queue."""
        detail = json.loads(write_envelope(self.envelope()))
        return json.dumps({"source": "admit-one", "detail-type": detail["type"], "detail": detail})


def downstream() -> Section:
    """Run each step once; count its DynamoDB calls and capacity units."""
    section = Section(
        "What a change triggers",
        "Each step runs once in the consumers' services and is counted like an operation. Queues, endpoints and SES "
        "are replaced by fakes that accept everything immediately.",
    )
    with Dynoxide() as engine:
        site = Site(engine)
        for name, prepare in _STEPS:
            booked = booked_link(site)
            step = prepare(booked)
            with site.counting() as counted:
                step()
            _add(section, name, counted)
    return section


def booked_link(site: Site) -> BookedLink:
    """Create a host, a link and a booking, and a world with fakes."""
    queue, mailer = _FakeQueueAndEndpoint(), _Mailer()
    world = dataclasses.replace(
        bootstrap.world(), webhook_queue=queue, webhook_dlq=queue, webhook_http=queue, mailer=mailer
    )
    host = site.host()
    [token] = site.tokens(site.event_type(host), 1)
    status, booking = site(redeem_event(token, starts(20, 30)[19]))
    if status != 201:
        raise RuntimeError(f"redeem: {status} {booking}")
    return BookedLink(site, world, queue, mailer, host, booking)


def _with_webhook(booked: BookedLink) -> None:
    booked.site.team("POST", "/v1/webhooks", {"hostId": booked.host_id, "url": "https://hooks.example.com/x"})


def _history(booked: BookedLink) -> Callable[[], object]:
    event = booked.event()
    return lambda: booked.world.store.history.append(event)


def _no_webhook(booked: BookedLink) -> Callable[[], object]:
    message = booked.message()
    return lambda: fan_out(booked.world, message)


def _one_webhook(booked: BookedLink) -> Callable[[], object]:
    _with_webhook(booked)
    return _no_webhook(booked)


def _deliver(booked: BookedLink) -> Callable[[], object]:
    _one_webhook(booked)()
    [message] = booked.queue.messages
    return lambda: deliver(booked.world, message)


def _mails(booked: BookedLink) -> Callable[[], object]:
    envelope = booked.envelope()

    def send() -> None:
        for message in mails_of_event(booked.world, envelope):
            send_once(booked.world, booked.mailer, message.draft, lambda _to: b"")
        if len(booked.mailer.letters) != 2:
            raise RuntimeError(f"expected 2 emails, sent {len(booked.mailer.letters)}")

    return send


def _feedback(booked: BookedLink) -> Callable[[], object]:
    _mails(booked)()
    letter = booked.mailer.letters[0]
    feedback = Feedback(
        kind=FeedbackKind.SEND, mail_id=letter.mail_id, link_id=letter.link_id, host_id=letter.host_id,
        event_type_id=letter.event_type_id, booking_id=letter.booking_id, to=(letter.to,), reason="",
        time=datetime.now(UTC), identity="send-1", message_id="message-1",
    )  # fmt: skip
    return lambda: note_feedback(booked.world, feedback)


def _idle_expiry(booked: BookedLink) -> Callable[[], object]:
    def run() -> None:
        send_heartbeat(booked.world)
        expire_due_links(booked.world)

    return run


def _idle_retry(booked: BookedLink) -> Callable[[], object]:
    return lambda: retry_due(booked.world)


_STEPS: Final[list[tuple[str, Callable[[BookedLink], Callable[[], object]]]]] = [
    ("expiry schedule, no link due, with the heartbeat", _idle_expiry),
    ("retry schedule, no webhook due", _idle_retry),
    ("history of one event", _history),
    ("fan-out of one event, no webhook", _no_webhook),
    ("fan-out of one event, one webhook", _one_webhook),
    ("deliver to a webhook, first attempt accepted", _deliver),
    ("two emails about a booking", _mails),
    ("SES reports that it accepted an email", _feedback),
]


def _add(section: Section, name: str, counted: Counted) -> None:
    section.add(
        name,
        f"{len(counted.calls)} calls, {counted.read_units:g} RCU, {counted.write_units:g} WCU",
        raw={"calls": counted.calls, "rcu": counted.read_units, "wcu": counted.write_units},
    )
