"""What each kind of event says beyond its envelope: the `data` of it, kind by kind. The schemas are made from here."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

Text = Annotated[str, Meta(min_length=1)]
Time = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]

Status = Annotated[
    Literal["active", "used", "expired", "revoked"], Meta(description="The link's status after the change.")
]


class Data(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Base of all: what a kind of event has of its own."""


class LinkState(Data, frozen=True, kw_only=True):
    """A link as the change left it."""

    status: Status
    usage_count: Annotated[int, Meta(ge=0, description="Bookings that count, after the change.")]
    max_usage_count: Annotated[int | None, Meta(description="Bookings the link gives; null for unlimited.")]
    expires_at: Annotated[Time | None, Meta(description="When it stops to book, UTC; null for never.")]
    not_before: Annotated[Time | None, Meta(description="When it begins to book, UTC; null for at once.")]


class LinkCreated(LinkState, frozen=True, kw_only=True):
    """A link was made."""

    rolling: Annotated[bool, Meta(description="Whether a redeem makes its successor.")]


class LinkUpdated(LinkState, frozen=True, kw_only=True):
    """A link's settings were changed, or a cancelled booking gave its use back."""

    reason: Annotated[Literal["settings-changed", "use-restored"], Meta(description="What the change was.")]
    changed: Annotated[
        list[Text], Meta(description="The settings that are new, by their names in the API; none for a use.")
    ]


class LinkOpened(Data, frozen=True, kw_only=True):
    """A person opened the link's page for the first time; later opens are counted, not told."""


class LinkUsed(LinkState, frozen=True, kw_only=True):
    """A booking was made by the link; `status` tells whether it was the last."""


class LinkRevoked(LinkState, frozen=True, kw_only=True):
    """The link was revoked: nothing books by it from then on."""


class LinkExpired(LinkState, frozen=True, kw_only=True):
    """The link's time had come. Told within minutes of it; redeeming ended at the instant itself."""


class LinkDeleted(LinkState, frozen=True, kw_only=True):
    """The link is gone."""

    reason: Annotated[
        Literal["host", "ttl"],
        Meta(description="Who took it away: a host, or DynamoDB after the retention time."),
    ]


class LinkRequested(Data, frozen=True, kw_only=True):
    """Someone asks for a new link, from the page of a dead one; who and what they say is in the request."""

    reason: Annotated[Literal["used", "expired", "revoked"], Meta(description="What the link had died of.")]


class LinkDenied(Data, frozen=True, kw_only=True):
    """A redeem, a move or the restore of a use was refused; at most one event per link, reason and minute."""

    reason: Annotated[
        Text, Meta(description="The problem's code, e.g. `link-used`, `move-limit`; or `restore-limit`.")
    ]


class BookingSpan(Data, frozen=True, kw_only=True):
    """When a booking is, after the change."""

    start: Annotated[Time, Meta(description="When it begins, UTC.")]
    end: Annotated[Time, Meta(description="When it ends, UTC.")]
    occupied_from: Annotated[Time, Meta(description="From when the host is busy: the buffer before it.")]
    occupied_to: Annotated[Time, Meta(description="Until when the host is busy: the buffer after it.")]
    status: Annotated[
        Literal["confirmed", "cancelled"], Meta(description="The booking's status after the change.")
    ]
    title: Annotated[Text, Meta(description="What it is called.")]
    time_zone: Annotated[Text, Meta(description="The invitee's zone, an IANA name.")]


class BookingConfirmed(BookingSpan, frozen=True, kw_only=True):
    """A booking was made."""


class BookingCancelled(BookingSpan, frozen=True, kw_only=True):
    """A booking was cancelled; its slot is free again."""


class BookingRescheduled(BookingSpan, frozen=True, kw_only=True):
    """A booking was moved."""

    previous_start: Annotated[Time, Meta(description="When it would have begun, UTC.")]
    previous_end: Annotated[Time, Meta(description="When it would have ended, UTC.")]


class BookingErased(BookingSpan, frozen=True, kw_only=True):
    """A booking's person was erased; the record stays."""


class MailRequested(Data, frozen=True, kw_only=True):
    """A host asked that the link be mailed to its recipient."""

    send_id: Annotated[Text, Meta(description="What tells this wish from another.")]
    to: Annotated[Text, Meta(description="The recipient's address, masked: `g…@example.com`.")]
    language: Annotated[Text, Meta(description="The mail's language.")]


class MailFate(Data, frozen=True, kw_only=True):
    """Which mail it was."""

    about: Annotated[Text, Meta(description="The `id` of the event that the mail told of.")]
    addressee: Annotated[Literal["invitee", "host", "recipient"], Meta(description="Whom the mail was for.")]
    to: Annotated[Text, Meta(description="The address, masked: `g…@example.com`.")]


class MailSent(MailFate, frozen=True, kw_only=True):
    """The mail with the link was handed over to SES."""


class MailFailed(MailFate, frozen=True, kw_only=True):
    """An email was not sent and will not be: SES rejects it, its subject has changed, or a budget is used up."""

    reason: Annotated[
        Text,
        Meta(
            description="Why, e.g. `rejected`, `address-not-ascii`, `address-budget-used`, `in-digest`, `link-used`."
        ),
    ]


class MailBounced(MailFate, frozen=True, kw_only=True):
    """A mail came back."""

    reason: Annotated[
        Text, Meta(description="SES's kind of bounce, and the receiving server's status codes.")
    ]


class MailComplained(MailFate, frozen=True, kw_only=True):
    """The addressee reported a mail as unwanted."""

    reason: Annotated[str | None, Meta(description="The kind of complaint, where the reporter says it.")]


class BatchCompleted(Data, frozen=True, kw_only=True):
    """A generate command has made all its links."""

    batch_id: Annotated[Text, Meta(description="What `GET /v1/links?batchId=` lists them by.")]
    count: Annotated[int, Meta(ge=1, description="How many links were asked for.")]


class CommandRejected(Data, frozen=True, kw_only=True):
    """A command can't be followed; it is in the dead-letter queue, whole."""

    command: Annotated[str | None, Meta(description="What was asked, or null where that can't be told.")]
    problem: Annotated[dict[str, Any], Meta(description="Why, as the API's problem document.")]


class WebhookDisabled(Data, frozen=True, kw_only=True):
    """A webhook is sent to no more, because of what its endpoint answered. Its host may enable it again."""

    webhook_id: Annotated[Text, Meta(description="The webhook; not its URL, which may be a secret.")]
    reason: Annotated[
        Literal["gone", "failing"],
        Meta(description="It answered 410 Gone, or nothing but failures for five days."),
    ]
    failing_since: Annotated[
        Time | None, Meta(description="The first failure after which nothing succeeded, or null.")
    ]


class ImportCompleted(Data, frozen=True, kw_only=True):
    """A file of the import bucket is done: its result lies beside it."""

    key: Annotated[Text, Meta(description="The file.")]
    result_key: Annotated[Text, Meta(description="The result, in the same bucket.")]
    batch_id: Annotated[Text, Meta(description="What `GET /v1/links?batchId=` lists the links by.")]
    rows: Annotated[int, Meta(ge=1, description="Rows of the file.")]
    made: Annotated[int, Meta(ge=0, description="Links that were made of them.")]


class ImportFailed(Data, frozen=True, kw_only=True):
    """Nothing was made of a file of the import bucket."""

    key: Annotated[Text, Meta(description="The file.")]
    result_key: Annotated[
        str | None,
        Meta(description="What was wrong with each row, in the same bucket; null where nothing is."),
    ]
    problem: Annotated[
        dict[str, Any], Meta(description="Why, as the API's problem document, without its rows.")
    ]
