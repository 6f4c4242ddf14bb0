"""Answers in JSON, camelCase, every field always there. OpenAPI is made from these structs (`api/openapi.py`)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec

from chalicelib.domain.bookings.booking import Booking, BookingStatus, Invitee
from chalicelib.domain.clock import rfc3339
from chalicelib.domain.event_types.contradictions import SettingsWarning
from chalicelib.domain.event_types.event_type import EventType, Location, Question
from chalicelib.domain.event_types.offers import Overrides
from chalicelib.domain.event_types.schedules import Schedule
from chalicelib.domain.event_types.slots import MAX_SLOTS, Slot
from chalicelib.domain.events.events import Event
from chalicelib.domain.links.link import Link, LinkStatus, Recipient
from chalicelib.domain.links.link_requests import LinkRequest, MailTo
from chalicelib.domain.links.visits import Opens
from chalicelib.domain.team.api_keys import Caller, Role
from chalicelib.domain.team.hosts import Host
from chalicelib.domain.tokens import Keyring
from chalicelib.domain.urls import booking_url, link_url
from chalicelib.domain.webhooks.deliveries import Delivery, DeliveryAttempt
from chalicelib.domain.webhooks.webhook import Webhook
from chalicelib.service.bookings.redeem import Redeemed

Time = Annotated[str, msgspec.Meta(extra_json_schema={"format": "date-time"})]
"""An RFC 3339 instant in UTC, e.g. `2026-11-21T09:00:00Z`."""


class _Answer(msgspec.Struct, rename="camel", kw_only=True, frozen=True):
    """A response body."""


class TimeOffAnswer(_Answer, frozen=True):
    """A stretch in which a host offers nothing."""

    start: Time
    end: Time


class HostAnswer(_Answer, frozen=True):
    """A host."""

    host_id: str
    name: str
    public_name: str
    email: str
    time_zone: str
    time_off: list[TimeOffAnswer]
    created_at: Time


class HostsAnswer(_Answer, frozen=True):
    """One page of hosts, newest first."""

    hosts: list[HostAnswer]
    next_cursor: str | None


class MeAnswer(_Answer, frozen=True):
    """Whose an API key is, and where the links it makes lead."""

    key_id: str
    role: Role
    host: HostAnswer | None
    base_url: str


class EventTypeAnswer(_Answer, frozen=True):
    """An event type."""

    event_type_id: str
    host_id: str
    title: str
    slug: str
    description: str
    duration_minutes: int
    locations: tuple[Location, ...]
    schedule: Schedule
    slot_interval_minutes: int | None
    buffer_before_minutes: int
    buffer_after_minutes: int
    minimum_notice_minutes: int
    booking_window_days: int
    questions: tuple[Question, ...]
    created_at: Time
    archived_at: Time | None


class EventTypesAnswer(_Answer, frozen=True):
    """One page of event types, newest first."""

    event_types: list[EventTypeAnswer]
    next_cursor: str | None


class SettingsWarningAnswer(_Answer, frozen=True):
    """A warning that nobody can book with the saved settings."""

    pointer: str
    detail: str


class SavedEventTypeAnswer(EventTypeAnswer, frozen=True):
    """An event type that was just created or changed."""

    warnings: list[SettingsWarningAnswer]


class LinkAnswer(_Answer, frozen=True):
    """A link."""

    link_id: str
    url: str | None
    host_id: str
    event_type_id: str
    status: LinkStatus
    usage_count: int
    max_usage_count: int | None
    remaining_uses: int | None
    created_at: Time
    expires_at: Time | None
    not_before: Time | None
    used_at: Time | None
    revoked_at: Time | None
    label: str | None
    recipient: Recipient | None
    overrides: Overrides
    metadata: dict[str, Any]
    external_id: str | None
    restore_use_on_cancel: bool


class AnsweredAnswer(LinkAnswer, frozen=True):
    """The link that answers a request, and the address that it is emailed to."""

    mailed_to: str | None


class SavedLinkAnswer(LinkAnswer, frozen=True):
    """A link that was just created or changed."""

    warnings: list[SettingsWarningAnswer]


class LinksAnswer(_Answer, frozen=True):
    """The links that were made, in the order asked."""

    batch_id: str
    links: list[LinkAnswer]
    warnings: list[SettingsWarningAnswer]


class LinkPageAnswer(_Answer, frozen=True):
    """One page of links, newest first."""

    links: list[LinkAnswer]
    next_cursor: str | None


class BulkRow(_Answer, frozen=True, omit_defaults=True):
    """What became of one link of many: `status`, or a `problem`."""

    link_id: str
    status: str | None = None
    problem: dict[str, Any] | None = None


class BulkAnswer(_Answer, frozen=True):
    """What became of each link, in the order asked."""

    results: list[BulkRow]


class BookingAnswer(_Answer, frozen=True):
    """A booking."""

    booking_id: str
    link_id: str
    host_id: str
    event_type_id: str
    status: Literal["confirmed", "cancelled"]
    title: str
    start: Time
    end: Time
    time_zone: str
    location: Location | None
    invitee: Invitee | None
    answers: dict[str, str]
    url: str | None
    created_at: Time
    cancelled_at: Time | None


class BookedAnswer(_Answer, frozen=True):
    """The response to a retry without an `Idempotency-Key`: it only confirms that the time is booked."""

    status: Literal["confirmed", "cancelled"]
    start: Time
    end: Time
    title: str


class BookingsAnswer(_Answer, frozen=True):
    """One page of bookings, by start."""

    bookings: list[BookingAnswer]
    next_cursor: str | None


class SlotAnswer(_Answer, frozen=True):
    """A slot on offer."""

    start: Time
    end: Time


class SlotsAnswer(_Answer, frozen=True):
    """The slots on offer in a range."""

    slots: list[SlotAnswer]
    start: Time = msgspec.field(name="from")
    end: Time = msgspec.field(name="to")


class OfferHost(_Answer, frozen=True):
    """All that an invitee learns of a host before booking."""

    public_name: str


class OfferRecipient(_Answer, frozen=True):
    """What to fill in beforehand."""

    name: str
    email: str | None
    expected: str | None


class OfferAnswer(_Answer, frozen=True):
    """What a link offers to whoever holds it."""

    title: str
    description: str
    duration_minutes: int
    locations: list[Location]
    questions: tuple[Question, ...]
    time_zone: str
    host: OfferHost
    recipient: OfferRecipient | None
    expires_at: Time | None
    not_before: Time | None
    remaining_uses: int | None


class EventAnswer(_Answer, frozen=True):
    """One entry of a link's history."""

    event_id: str
    type: str
    time: Time
    booking_id: str | None
    external_id: str | None
    metadata: dict[str, Any]
    sequence: int
    actor: str
    correlation_id: str
    data: dict[str, Any]


class OpensAnswer(_Answer, frozen=True):
    """How often a link was opened."""

    first_opened_at: Time | None
    persons: int
    machines: int


class HistoryAnswer(_Answer, frozen=True):
    """One page of a link's history, newest first."""

    history: list[EventAnswer]
    opens: OpensAnswer
    next_cursor: str | None


class RequestRecipient(_Answer, frozen=True):
    """Whom the link that is over was made for."""

    name: str
    email: str


class LinkRequestAnswer(_Answer, frozen=True):
    """A request for a new link."""

    request_id: str
    link_id: str
    event_type_id: str
    requested_at: Time
    name: str
    email: str
    message: str
    reason: str
    recipient: RequestRecipient | None
    from_recipient: bool | None
    answered_at: Time | None
    replacement_link_id: str | None
    mail_to: MailTo | None


class LinkRequestsAnswer(_Answer, frozen=True):
    """One page of requests for a new link, newest first."""

    requests: list[LinkRequestAnswer]
    next_cursor: str | None


class ImportFault(_Answer, frozen=True):
    """What is wrong with a cell, or with a whole row."""

    column: str | None
    detail: str


class ImportLink(_Answer, frozen=True):
    """The link that a row would make, in short."""

    recipient: Recipient | None
    label: str | None
    max_usage_count: int | None
    expires_at: Time | None
    not_before: Time | None


class ImportRowAnswer(_Answer, frozen=True):
    """What one row of a CSV would make, or why it can't."""

    line: int
    link: ImportLink | None
    errors: list[ImportFault]


class ImportPreviewAnswer(_Answer, frozen=True):
    """What a CSV would make, row by row; nothing was made."""

    good: int
    bad: int
    rows: list[ImportRowAnswer]
    warnings: list[SettingsWarningAnswer]


class MailAnswer(_Answer, frozen=True):
    """A mail ready to send."""

    subject: str
    text: str


class ShareAnswer(_Answer, frozen=True):
    """A link in every form it can be passed on."""

    url: str
    embed_html: str | None
    qr_svg: str
    mail: MailAnswer


class SendAnswer(_Answer, frozen=True):
    """A link is to be mailed to its recipient."""

    status: Literal["queued"]
    link_id: str
    to: str
    language: str
    requested_at: Time


class RequestedAnswer(_Answer, frozen=True):
    """A request for a new link was taken."""

    status: Literal["requested"] = "requested"


class WebhookEntryAnswer(_Answer, frozen=True):
    """One thing that happened to a webhook itself."""

    time: Time
    what: str
    actor: str
    correlation_id: str


class WebhookAnswer(_Answer, frozen=True):
    """A webhook."""

    webhook_id: str
    host_id: str
    url: str
    events: tuple[str, ...] | None
    description: str
    enabled: bool
    disabled_reason: Literal["host", "gone", "failing"] | None
    disabled_at: Time | None
    failing_since: Time | None
    former_secrets_until: Time | None
    created_at: Time
    log: list[WebhookEntryAnswer]


class WebhookSecretAnswer(WebhookAnswer, frozen=True):
    """A webhook with its new signing secret, shown this once."""

    secret: str


class WebhooksAnswer(_Answer, frozen=True):
    """One page of webhooks, newest first."""

    webhooks: list[WebhookAnswer]
    next_cursor: str | None


class AttemptAnswer(_Answer, frozen=True):
    """One request to an endpoint."""

    number: int
    time: Time
    latency_ms: int
    status_code: int | None
    error: str | None
    excerpt: str


class DeliveryAnswer(_Answer, frozen=True):
    """An event on its way to a webhook."""

    delivery_id: str
    webhook_id: str
    event_id: str
    type: str
    time: Time
    status: Literal["pending", "delivered", "failed"]
    failure: str | None
    created_at: Time
    next_attempt_at: Time | None
    ended_at: Time | None
    attempts: list[AttemptAnswer]


class DeliveriesAnswer(_Answer, frozen=True):
    """One page of deliveries, by their events' time, newest first."""

    deliveries: list[DeliveryAnswer]
    next_cursor: str | None


class ReplayAnswer(_Answer, frozen=True):
    """What a replay set going."""

    replayed: int
    left: int
    next_cursor: str | None


def host_answer(host: Host) -> HostAnswer:
    """Return a host as JSON has it."""
    settings = host.settings
    return HostAnswer(
        host_id=host.host_id,
        name=settings.name,
        public_name=host.public_name,
        email=settings.email,
        time_zone=settings.time_zone,
        time_off=[TimeOffAnswer(start=rfc3339(o.start), end=rfc3339(o.end)) for o in settings.time_off],
        created_at=rfc3339(host.created_at),
    )


def me_answer(caller: Caller, host: Host | None, base_url: str) -> MeAnswer:
    """Return whose a key is as JSON has it."""
    own = host_answer(host) if host else None
    return MeAnswer(key_id=caller.key_id, role=caller.role, host=own, base_url=base_url)


def event_type_answer(event_type: EventType) -> EventTypeAnswer:
    """Return an event type as JSON has it."""
    return EventTypeAnswer(
        event_type_id=event_type.event_type_id,
        host_id=event_type.host_id,
        created_at=rfc3339(event_type.created_at),
        archived_at=optional_time(event_type.archived_at),
        **msgspec.structs.asdict(event_type.settings),
    )


def saved_event_type_answer(
    event_type: EventType, warnings: Sequence[SettingsWarning]
) -> SavedEventTypeAnswer:
    """Return an event type that was just created or changed as JSON has it."""
    answer = msgspec.structs.asdict(event_type_answer(event_type))
    return SavedEventTypeAnswer(**answer, warnings=warnings_answer(warnings))


def warnings_answer(warnings: Sequence[SettingsWarning]) -> list[SettingsWarningAnswer]:
    """Return warnings as JSON has them."""
    return [SettingsWarningAnswer(pointer=one.pointer, detail=one.detail) for one in warnings]


def link_answer(link: Link, ring: Keyring, base_url: str, now: datetime) -> LinkAnswer:
    """Return a link as JSON has it; the URL is worked out anew, the table has no token."""
    settings = link.settings
    return LinkAnswer(
        link_id=link.link_id,
        url=link_url(link, ring, base_url),
        host_id=link.host_id,
        event_type_id=link.event_type_id,
        status=link.status_at(now),
        usage_count=link.usage_count,
        max_usage_count=settings.max_usage_count,
        remaining_uses=link.remaining_uses,
        created_at=rfc3339(link.created_at),
        expires_at=optional_time(settings.expires_at),
        not_before=optional_time(settings.not_before),
        used_at=optional_time(link.used_at),
        revoked_at=optional_time(link.revoked_at),
        label=settings.label,
        recipient=settings.recipient,
        overrides=settings.overrides,
        metadata=settings.metadata,
        external_id=settings.external_id,
        restore_use_on_cancel=settings.restore_use_on_cancel,
    )


def own_booking_answer(booking: Booking, ring: Keyring, base_url: str) -> BookingAnswer:
    """Return a booking as JSON for its invitee; a cancelled one has no information on how to join."""
    answer = booking_answer(booking, ring, base_url)
    if booking.status is not BookingStatus.CANCELLED or answer.location is None:
        return answer
    return msgspec.structs.replace(answer, location=answer.location.without_detail)


def booking_answer(booking: Booking, ring: Keyring, base_url: str) -> BookingAnswer:
    """Return a booking as JSON has it."""
    return BookingAnswer(
        booking_id=booking.booking_id,
        link_id=booking.link_id,
        host_id=booking.host_id,
        event_type_id=booking.event_type_id,
        status=booking.status.value,
        title=booking.title,
        start=rfc3339(booking.start),
        end=rfc3339(booking.end),
        time_zone=booking.time_zone,
        location=booking.location,
        invitee=booking.invitee,
        answers=booking.answers,
        url=booking_url(booking, ring, base_url),
        created_at=rfc3339(booking.created_at),
        cancelled_at=optional_time(booking.cancelled_at),
    )


def redeemed_answer(done: Redeemed, ring: Keyring, base_url: str) -> BookingAnswer | BookedAnswer:
    """Return the result of a redeem as JSON: the booking, or for a retry without a key only that it is booked."""
    if not done.only_confirmed:
        return own_booking_answer(done.booking, ring, base_url)
    booking = done.booking
    return BookedAnswer(
        status=booking.status.value,
        start=rfc3339(booking.start),
        end=rfc3339(booking.end),
        title=booking.title,
    )


def slots_answer(slots: Sequence[Slot], start: datetime, end: datetime) -> SlotsAnswer:
    """Return the first `MAX_SLOTS` offered slots as JSON; `to` is the start of the next one, if there are more."""
    if len(slots) > MAX_SLOTS:
        slots, end = slots[:MAX_SLOTS], slots[MAX_SLOTS].start
    found = [SlotAnswer(start=rfc3339(slot.start), end=rfc3339(slot.end)) for slot in slots]
    return SlotsAnswer(slots=found, start=rfc3339(start), end=rfc3339(end))


def event_answer(event: Event) -> EventAnswer:
    """Return an entry of a history as JSON has it."""
    return EventAnswer(
        event_id=event.event_id,
        type=event.type.value,
        time=rfc3339(event.time),
        booking_id=event.booking_id,
        external_id=event.external_id,
        metadata=event.metadata,
        sequence=event.sequence,
        actor=event.cause.actor,
        correlation_id=event.cause.correlation_id,
        data=event.data,
    )


def opens_answer(opens: Opens) -> OpensAnswer:
    """Return open counts as JSON has them."""
    return OpensAnswer(
        first_opened_at=optional_time(opens.first_opened_at), persons=opens.persons, machines=opens.machines
    )


def link_request_answer(request: LinkRequest) -> LinkRequestAnswer:
    """Return a request for a new link as JSON has it."""
    recipient = request.recipient
    return LinkRequestAnswer(
        request_id=request.request_id,
        link_id=request.link_id,
        event_type_id=request.event_type_id,
        requested_at=rfc3339(request.requested_at),
        name=request.name,
        email=request.email,
        message=request.message,
        reason=request.reason,
        recipient=RequestRecipient(name=recipient.name, email=recipient.email) if recipient else None,
        from_recipient=request.from_recipient,
        answered_at=optional_time(request.answered_at),
        replacement_link_id=request.replacement_link_id,
        mail_to=request.mail_to,
    )


def optional_time(value: datetime | None) -> str | None:
    """Return an instant as JSON has it, or None."""
    return None if value is None else rfc3339(value)


def webhook_answer(webhook: Webhook, now: datetime) -> WebhookAnswer:
    """Return a webhook as JSON has it; its secret is not in it."""
    return WebhookAnswer(**_webhook_fields(webhook, now))


def webhook_secret_answer(webhook: Webhook, secret: str, now: datetime) -> WebhookSecretAnswer:
    """Return a webhook with its fresh secret."""
    return WebhookSecretAnswer(secret=secret, **_webhook_fields(webhook, now))


def _webhook_fields(webhook: Webhook, now: datetime) -> dict[str, Any]:
    ends = [former.until for former in webhook.former if former.until and now < former.until]
    return {
        "webhook_id": webhook.webhook_id,
        "host_id": webhook.host_id,
        "url": webhook.settings.url,
        "events": webhook.settings.events,
        "description": webhook.settings.description,
        "enabled": webhook.disabled is None,
        "disabled_reason": webhook.disabled.value if webhook.disabled else None,
        "disabled_at": optional_time(webhook.disabled_at),
        "failing_since": optional_time(webhook.failing_since),
        "former_secrets_until": optional_time(max(ends, default=None)),
        "created_at": rfc3339(webhook.created_at),
        "log": [
            WebhookEntryAnswer(
                time=rfc3339(entry.time),
                what=entry.what,
                actor=entry.actor,
                correlation_id=entry.correlation_id,
            )
            for entry in webhook.log
        ],
    }


def delivery_answer(delivery: Delivery) -> DeliveryAnswer:
    """Return a delivery as JSON has it."""
    return DeliveryAnswer(
        delivery_id=delivery.delivery_id,
        webhook_id=delivery.webhook_id,
        event_id=delivery.event_id,
        type=delivery.event_type,
        time=rfc3339(delivery.event_time),
        status=delivery.status.value,
        failure=delivery.failure,
        created_at=rfc3339(delivery.created_at),
        next_attempt_at=optional_time(delivery.next_at),
        ended_at=optional_time(delivery.ended_at),
        attempts=[_attempt_answer(attempt) for attempt in delivery.attempts],
    )


def _attempt_answer(attempt: DeliveryAttempt) -> AttemptAnswer:
    return AttemptAnswer(
        number=attempt.number,
        time=rfc3339(attempt.time),
        latency_ms=attempt.latency_ms,
        status_code=attempt.status_code,
        error=attempt.error,
        excerpt=attempt.excerpt,
    )
