"""The `data` of each kind of event. The published JSON schemas are generated from these structs."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

Text = Annotated[str, Meta(min_length=1)]
Time = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]

Status = Annotated[
    Literal["active", "used", "expired", "revoked"], Meta(description="The link's status after the change.")
]


class Data(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Base of the `data` of all events."""


class LinkState(Data, frozen=True, kw_only=True):
    """The state of a link after the change."""

    status: Status
    usage_count: Annotated[int, Meta(ge=0, description="The number of counted uses after the change.")]
    max_usage_count: Annotated[
        int | None, Meta(description="How many bookings the link allows; null for unlimited.")
    ]
    expires_at: Annotated[Time | None, Meta(description="When the link expires, UTC; null for never.")]
    not_before: Annotated[Time | None, Meta(description="When the link opens, UTC; null for immediately.")]


class LinkCreated(LinkState, frozen=True, kw_only=True):
    """A link was created."""

    rolling: Annotated[bool, Meta(description="Whether using the link creates its successor.")]


class LinkUpdated(LinkState, frozen=True, kw_only=True):
    """A link's settings changed, or a cancelled booking restored a use."""

    reason: Annotated[
        Literal["settings-changed", "use-restored"], Meta(description="Why the link was updated.")
    ]
    changed: Annotated[
        list[Text], Meta(description="API names of the changed settings; empty for a restored use.")
    ]


class LinkOpened(Data, frozen=True, kw_only=True):
    """A person opened the link's page for the first time. Later opens are counted but not published."""


class LinkUsed(LinkState, frozen=True, kw_only=True):
    """Someone booked with the link. `status` is `used` if that was its last use."""


class LinkRevoked(LinkState, frozen=True, kw_only=True):
    """The link was revoked. Nobody can book with it any more."""


class LinkExpired(LinkState, frozen=True, kw_only=True):
    """The link expired. The event is published within minutes; nobody can book from `expiresAt` on."""


class LinkDeleted(LinkState, frozen=True, kw_only=True):
    """The link was deleted."""

    reason: Annotated[
        Literal["host", "ttl"],
        Meta(description="Who deleted it: a host, or DynamoDB's TTL after the retention time."),
    ]


class LinkRequested(Data, frozen=True, kw_only=True):
    """Someone requested a new link from the page of a dead link. Only the link request has their name and message."""

    reason: Annotated[
        Literal["used", "expired", "revoked"], Meta(description="Why the link could not be used.")
    ]


class LinkDenied(Data, frozen=True, kw_only=True):
    """A redeem, a move or a restored use was rejected. There is at most one event per link, reason and minute."""

    reason: Annotated[
        Text,
        Meta(description="The problem's code, e.g. `link-used`; `restore-limit` for a restored use."),
    ]


class BookingSpan(Data, frozen=True, kw_only=True):
    """The state of a booking after the change."""

    start: Annotated[Time, Meta(description="When the booking starts, UTC.")]
    end: Annotated[Time, Meta(description="When the booking ends, UTC.")]
    occupied_from: Annotated[
        Time, Meta(description="The start of the host's busy time, UTC: `start` minus the buffer.")
    ]
    occupied_to: Annotated[
        Time, Meta(description="The end of the host's busy time, UTC: `end` plus the buffer.")
    ]
    status: Annotated[
        Literal["confirmed", "cancelled"], Meta(description="The booking's status after the change.")
    ]
    title: Annotated[Text, Meta(description="The booking's title.")]
    time_zone: Annotated[Text, Meta(description="The invitee's IANA time zone.")]


class BookingConfirmed(BookingSpan, frozen=True, kw_only=True):
    """A slot was booked."""


class BookingCancelled(BookingSpan, frozen=True, kw_only=True):
    """A booking was cancelled; its slot is free again."""


class BookingRescheduled(BookingSpan, frozen=True, kw_only=True):
    """A booking was moved to another slot."""

    previous_start: Annotated[Time, Meta(description="The start before the move, UTC.")]
    previous_end: Annotated[Time, Meta(description="The end before the move, UTC.")]


class BookingErased(BookingSpan, frozen=True, kw_only=True):
    """The person was erased from a booking; the booking itself remains."""


class MailRequested(Data, frozen=True, kw_only=True):
    """A host requested that the link be emailed to its recipient."""

    send_id: Annotated[
        Text, Meta(description="Identifies this request among all requests to email the link.")
    ]
    to: Annotated[Text, Meta(description="The recipient's address, masked: `g…@example.com`.")]
    language: Annotated[Text, Meta(description="The email's language.")]


class MailFate(Data, frozen=True, kw_only=True):
    """The email that the event is about."""

    about: Annotated[Text, Meta(description="The `id` of the event that caused the email.")]
    addressee: Annotated[Literal["invitee", "host", "recipient"], Meta(description="Who the email is for.")]
    to: Annotated[Text, Meta(description="The address, masked: `g…@example.com`.")]


class MailSent(MailFate, frozen=True, kw_only=True):
    """SES accepted the email."""


class MailFailed(MailFate, frozen=True, kw_only=True):
    """The email will not be sent: SES rejected it, the link or booking changed, or a limit was reached."""

    reason: Annotated[
        Text,
        Meta(
            description="A code, e.g. `rejected`, `address-not-ascii`, `address-budget-used`, `in-digest`, `link-used`."
        ),
    ]


class MailBounced(MailFate, frozen=True, kw_only=True):
    """The email bounced."""

    reason: Annotated[Text, Meta(description="SES's bounce type, and the receiving server's status codes.")]


class MailComplained(MailFate, frozen=True, kw_only=True):
    """The addressee reported the email as spam."""

    reason: Annotated[
        str | None, Meta(description="The kind of complaint, or null if the reporter did not say.")
    ]


class BatchCompleted(Data, frozen=True, kw_only=True):
    """A generate command created all its links."""

    batch_id: Annotated[Text, Meta(description="Lists the links: `GET /v1/links?batchId=`.")]
    count: Annotated[int, Meta(ge=1, description="How many links were requested.")]


class CommandRejected(Data, frozen=True, kw_only=True):
    """A command was rejected. The whole message is in the dead-letter queue."""

    command: Annotated[str | None, Meta(description="The command's name, or null if it can't be read.")]
    problem: Annotated[dict[str, Any], Meta(description="The reason, as a problem document of the API.")]


class WebhookDisabled(Data, frozen=True, kw_only=True):
    """A webhook was disabled because its endpoint failed. Its host can enable it again."""

    webhook_id: Annotated[
        Text, Meta(description="The webhook's id. Its URL may be a secret and is not in the event.")
    ]
    reason: Annotated[
        Literal["gone", "failing"],
        Meta(
            description="`gone`: the endpoint responded with 410. `failing`: every attempt failed for five days."
        ),
    ]
    failing_since: Annotated[
        Time | None, Meta(description="When the current series of failures began, or null.")
    ]


class ImportCompleted(Data, frozen=True, kw_only=True):
    """A file in the import bucket was imported. The result file is in the same bucket."""

    key: Annotated[Text, Meta(description="The file's object key.")]
    result_key: Annotated[Text, Meta(description="The result file's object key.")]
    batch_id: Annotated[Text, Meta(description="Lists the links: `GET /v1/links?batchId=`.")]
    rows: Annotated[int, Meta(ge=1, description="How many rows the file has.")]
    made: Annotated[int, Meta(ge=0, description="How many links were created from the rows.")]


class ImportFailed(Data, frozen=True, kw_only=True):
    """A file in the import bucket was rejected. No links were created."""

    key: Annotated[Text, Meta(description="The file's object key.")]
    result_key: Annotated[
        str | None,
        Meta(
            description="The object key of the file with the errors in each row; null if there is no such file."
        ),
    ]
    problem: Annotated[
        dict[str, Any],
        Meta(description="The reason, as a problem document of the API, without the errors in each row."),
    ]
