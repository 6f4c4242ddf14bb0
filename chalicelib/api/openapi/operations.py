"""The operationId, tag and texts of each route in the API description.

Client generators name their methods after the operationIds, so an operationId never changes once it is published.
`api/openapi/document.py` joins this table with the routes; a test fails for a route that is in neither list.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

# Pages, scripts and styles are for browsers and not part of the API.
PAGES: Final = frozenset({"/", "/console", "/assets/{name}"})

HOSTS: Final = "Hosts"
EVENT_TYPES: Final = "Event types"
LINKS: Final = "Links"
LINK_FILES: Final = "Link import and export"
LINK_REQUESTS: Final = "Link requests"
BOOKINGS: Final = "Bookings"
WEBHOOKS: Final = "Webhooks"
INVITEE: Final = "Private link"
OWN_BOOKING: Final = "Invitee's booking"
CAL_COM: Final = "Cal.com private links"
ABOUT: Final = "API"
EVENTS: Final = "Events"

TAGS: Final[Mapping[str, str]] = {
    HOSTS: "The people who are booked.",
    EVENT_TYPES: "What can be booked: duration, hours, locations, questions.",
    LINKS: "Private links: create, list, change, revoke, replace, share, send.",
    LINK_FILES: "Many links at once, as CSV.",
    LINK_REQUESTS: "Requests for a new link from people whose link is used, expired or revoked.",
    BOOKINGS: "The host's view of bookings.",
    WEBHOOKS: "The URLs that events are delivered to, and the result of each delivery.",
    INVITEE: "What the holder of a link can do. The token in the URL is the only credential.",
    OWN_BOOKING: "What an invitee can do with their own booking. The token in the URL is the only credential.",
    CAL_COM: "The paths and the envelope of Cal.com's private links API, for clients written for it.",
    ABOUT: "The API itself.",
    EVENTS: "Events that webhooks receive.",
}


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One operation: `result` describes the success response, `headers` are its additional headers."""

    id: str
    tag: str
    summary: str
    description: str
    result: str
    headers: tuple[str, ...] = ()


def _operation(tag: str, name: str, summary: str, description: str, result: str) -> Operation:
    return Operation(id=name, tag=tag, summary=summary, description=description, result=result)


def _with(operation: Operation, *headers: str) -> Operation:
    return msgspec.structs.replace(operation, headers=headers)


_HOSTS: Final = {
    "POST /v1/hosts": _operation(
        HOSTS, "createHost", "Create a host", "Creates a host. Needs an admin key.", "The host."
    ),
    "GET /v1/hosts": _operation(
        HOSTS,
        "listHosts",
        "List hosts",
        "Lists the team's hosts, newest first. Needs an admin key.",
        "A page of hosts.",
    ),
    "GET /v1/me": _operation(
        HOSTS,
        "getMe",
        "Get the caller",
        "Returns the role and the host of your API key, and the base URL of its links.",
        "The key's role and host.",
    ),
    "GET /v1/hosts/{hostId}": _operation(HOSTS, "getHost", "Get a host", "Returns one host.", "The host."),
    "PATCH /v1/hosts/{hostId}": _operation(
        HOSTS,
        "updateHost",
        "Update a host",
        "Changes a host. Fields you leave out stay as they are. `timeOff` replaces the whole list.",
        "The updated host.",
    ),
}

_EVENT_TYPES: Final = {
    "POST /v1/event-types": _operation(
        EVENT_TYPES,
        "createEventType",
        "Create an event type",
        "Creates an event type. An admin key names its host in `hostId`.",
        "The event type.",
    ),
    "GET /v1/event-types": _operation(
        EVENT_TYPES,
        "listEventTypes",
        "List event types",
        "Lists a host's event types, newest first. `archived=true` lists the archived ones instead.",
        "A page of event types.",
    ),
    "GET /v1/event-types/{eventTypeId}": _operation(
        EVENT_TYPES, "getEventType", "Get an event type", "Returns one event type.", "The event type."
    ),
    "PATCH /v1/event-types/{eventTypeId}": _operation(
        EVENT_TYPES,
        "updateEventType",
        "Update an event type",
        "Changes an event type. Fields you leave out stay as they are. The change also applies to the event type's "
        "links, except where a link overrides a field.",
        "The updated event type.",
    ),
    "DELETE /v1/event-types/{eventTypeId}": _operation(
        EVENT_TYPES,
        "archiveEventType",
        "Archive an event type",
        "Archives an event type; its links stop working. While it has active links this returns 409, unless you "
        "pass `revokeLinks=true`.",
        "The event type is archived.",
    ),
    "GET /v1/event-types/{eventTypeId}/rolling-link": _operation(
        EVENT_TYPES,
        "getRollingLink",
        "Get the rolling link",
        "Returns the event type's rolling link: the one link that renews itself whenever it is used.",
        "The current rolling link.",
    ),
    "POST /v1/event-types/{eventTypeId}/rolling-link": _operation(
        EVENT_TYPES,
        "renewRollingLink",
        "Create or renew the rolling link",
        "Creates the event type's rolling link. If there is one, creates a new one and revokes the current one.",
        "The new rolling link.",
    ),
}

_LINKS: Final = {
    "POST /v1/links": _operation(
        LINKS,
        "createLinks",
        "Create links",
        "Creates 1 to 1,000 links of one event type: `count` equal links, or one for each entry of `items`. With an "
        "`Idempotency-Key`, a repeated request returns the same links in their current state.",
        "The links, in the order of your request.",
    ),
    "GET /v1/links": _operation(
        LINKS,
        "listLinks",
        "List links",
        "Lists a host's links, newest first. With `batchId`, lists the links created together, in their order.",
        "A page of links.",
    ),
    "GET /v1/links/{linkId}": _operation(LINKS, "getLink", "Get a link", "Returns one link.", "The link."),
    "PATCH /v1/links/{linkId}": _operation(
        LINKS,
        "updateLink",
        "Update a link",
        "Changes a link. Fields you leave out stay as they are; `null` clears a field. Once a link is used, expired or "
        "revoked, you can change only its label and metadata.",
        "The updated link.",
    ),
    "DELETE /v1/links/{linkId}": _operation(
        LINKS,
        "deleteLink",
        "Delete a link",
        "Deletes a link. Its bookings and its history stay.",
        "The link is deleted.",
    ),
    "POST /v1/links/{linkId}/revoke": _operation(
        LINKS,
        "revokeLink",
        "Revoke a link",
        "Revokes an active link: nobody can book with it any more. A revoked link stays revoked.",
        "The revoked link.",
    ),
    "POST /v1/links/{linkId}/replace": _operation(
        LINKS,
        "replaceLink",
        "Replace a link",
        "Creates a new link with the same settings. If the old one is active, it is revoked in the same transaction.",
        "The new link.",
    ),
    "POST /v1/links/{linkId}/send": _operation(
        LINKS,
        "sendLink",
        "Email a link",
        "Emails an active link to its recipient. The request is stored before this returns; the email is sent within "
        "seconds.",
        "The email is queued.",
    ),
    "POST /v1/links/bulk-revoke": _operation(
        LINKS,
        "revokeLinks",
        "Revoke many links",
        "Revokes up to 1,000 links independently: if one fails, the others are still revoked.",
        "The result for each link, in the order of your request.",
    ),
    "POST /v1/links/bulk-delete": _operation(
        LINKS,
        "deleteLinks",
        "Delete many links",
        "Deletes up to 1,000 links independently: if one fails, the others are still deleted.",
        "The result for each link, in the order of your request.",
    ),
    "GET /v1/links/{linkId}/share": _operation(
        LINKS,
        "shareLink",
        "Get a link ready to share",
        "Returns an active link's URL, an HTML snippet to embed it, its QR code and the text of an email.",
        "The URL, the snippet, the QR code and the email.",
    ),
    "GET /v1/links/{linkId}/qr.svg": _operation(
        LINKS,
        "getLinkQrCode",
        "Get a link's QR code",
        "Returns an active link's QR code as SVG.",
        "The QR code.",
    ),
    "GET /v1/links/{linkId}/history": _operation(
        LINKS,
        "listLinkHistory",
        "List a link's history",
        "Lists a link's events, newest first, and the number of times it was opened. Also works for deleted links.",
        "A page of history.",
    ),
}

_LINK_FILES: Final = {
    "POST /v1/links/import": _with(
        _operation(
            LINK_FILES,
            "importLinks",
            "Import links from CSV",
            "Creates one link for each row of a CSV of up to 1,000 rows. If any row is wrong, nothing is created, "
            "unless you pass `partial=true`.",
            "A CSV with one row for each row you sent, in the same order, with the links' URLs.",
        ),
        "Batch-Id",
    ),
    "POST /v1/links/import/preview": _operation(
        LINK_FILES,
        "previewLinkImport",
        "Preview a CSV import",
        "Returns the links that an import of this CSV would create, and the errors of each row. Creates nothing.",
        "One result for each row.",
    ),
    "GET /v1/links/export": _with(
        _operation(
            LINK_FILES,
            "exportLinks",
            "Export links as CSV",
            "Lists links as CSV, a page at a time. The `Link` header leads to the next page. With `header=first` only "
            "the first page has the header row, so you can append the pages to one file.",
            "A page of links as CSV.",
        ),
        "Link",
        "Next-Cursor",
    ),
}

_LINK_REQUESTS: Final = {
    "GET /v1/link-requests": _operation(
        LINK_REQUESTS,
        "listLinkRequests",
        "List link requests",
        "Lists the open requests for a new link, newest first. `answered=true` lists the answered ones instead.",
        "A page of requests.",
    ),
    "POST /v1/link-requests/{requestId}/answer": _operation(
        LINK_REQUESTS,
        "answerLinkRequest",
        "Answer a link request",
        "Creates a new link with the settings of the old one. If you answer a request again, no other link is created, "
        "and the response is the same link.",
        "The new link.",
    ),
}

_BOOKINGS: Final = {
    "GET /v1/bookings": _operation(
        BOOKINGS,
        "listBookings",
        "List bookings",
        "Lists the bookings of a link (`linkId`), or those that start between `from` and `to`. They are sorted by "
        "start, earliest first; with `order=desc`, latest first.",
        "A page of bookings.",
    ),
    "GET /v1/bookings/{bookingId}": _operation(
        BOOKINGS, "getBooking", "Get a booking", "Returns one booking.", "The booking."
    ),
    "POST /v1/bookings/{bookingId}/cancel": _operation(
        BOOKINGS,
        "cancelBooking",
        "Cancel a booking",
        "Cancels a booking; its slot is free again. A cancelled booking stays cancelled.",
        "The cancelled booking.",
    ),
    "POST /v1/bookings/{bookingId}/reschedule": _operation(
        BOOKINGS,
        "rescheduleBooking",
        "Reschedule a booking",
        "Moves a booking to another slot that is on offer.",
        "The moved booking.",
    ),
    "DELETE /v1/bookings/{bookingId}/personal-data": _operation(
        BOOKINGS,
        "eraseBookingPersonalData",
        "Erase a booking's personal data",
        "Removes the invitee and the answers from a booking, and keeps the record.",
        "The booking without personal data.",
    ),
}

_WEBHOOKS: Final = {
    "POST /v1/webhooks": _operation(
        WEBHOOKS,
        "createWebhook",
        "Create a webhook",
        "Creates a webhook. The response is the only one that shows its signing secret.",
        "The webhook and its signing secret.",
    ),
    "GET /v1/webhooks": _operation(
        WEBHOOKS,
        "listWebhooks",
        "List webhooks",
        "Lists a host's webhooks, newest first.",
        "A page of webhooks.",
    ),
    "GET /v1/webhooks/{webhookId}": _operation(
        WEBHOOKS, "getWebhook", "Get a webhook", "Returns one webhook and its log.", "The webhook."
    ),
    "PATCH /v1/webhooks/{webhookId}": _operation(
        WEBHOOKS,
        "updateWebhook",
        "Update a webhook",
        "Changes a webhook. Fields you leave out stay as they are. Pending deliveries go to the new URL.",
        "The updated webhook.",
    ),
    "DELETE /v1/webhooks/{webhookId}": _operation(
        WEBHOOKS,
        "deleteWebhook",
        "Delete a webhook",
        "Deletes a webhook. Pending deliveries are dropped.",
        "The webhook is deleted.",
    ),
    "POST /v1/webhooks/{webhookId}/rotate": _operation(
        WEBHOOKS,
        "rotateWebhookSecret",
        "Rotate a webhook's secret",
        "Replaces the signing secret. For `overlapHours`, events are signed with both secrets, so that receivers can "
        "switch.",
        "The webhook and its new signing secret.",
    ),
    "POST /v1/webhooks/{webhookId}/test": _operation(
        WEBHOOKS,
        "testWebhook",
        "Send a test event",
        "Sends a `webhook.test` event and does not retry it. The list of deliveries shows the result.",
        "The delivery.",
    ),
    "GET /v1/webhooks/{webhookId}/deliveries": _operation(
        WEBHOOKS,
        "listWebhookDeliveries",
        "List deliveries",
        "Lists a webhook's deliveries of the last 30 days, newest event first.",
        "A page of deliveries.",
    ),
    "POST /v1/webhooks/{webhookId}/replay": _operation(
        WEBHOOKS,
        "replayWebhookDeliveries",
        "Replay deliveries",
        "Redelivers one delivery, or the failed (or delivered) ones of a range, with the same `webhook-id`.",
        "The number of deliveries that are redelivered.",
    ),
}

_CAL_COM: Final = {
    "POST /v2/event-types/{eventTypeId}/private-links": _operation(
        CAL_COM,
        "createPrivateLink",
        "Create a private link",
        "Creates a private link. With an expiry and no count, only the date limits it.",
        "The link.",
    ),
    "GET /v2/event-types/{eventTypeId}/private-links": _operation(
        CAL_COM,
        "listPrivateLinks",
        "List private links",
        "Lists the event type's private links, newest first, at most 1,000.",
        "The links.",
    ),
    "PATCH /v2/event-types/{eventTypeId}/private-links/{linkId}": _operation(
        CAL_COM,
        "updatePrivateLink",
        "Update a private link",
        "Changes a private link's expiry or count.",
        "The updated link.",
    ),
    "DELETE /v2/event-types/{eventTypeId}/private-links/{linkId}": _operation(
        CAL_COM,
        "deletePrivateLink",
        "Delete a private link",
        "Deletes a private link.",
        "The link is deleted.",
    ),
}

_INVITEE: Final = {
    "GET /s/{token}": _operation(
        INVITEE,
        "getOffer",
        "Get a link's offer",
        "Returns the link's offer: the event type, the host and the questions. With `Accept: text/html` the response "
        "is the booking page. Opening a link never uses it.",
        "The link's offer.",
    ),
    "GET /s/{token}/slots": _operation(
        INVITEE,
        "listSlots",
        "List slots",
        "Lists the slots on offer between two instants or dates; by default the next 30 days.",
        "The slots, in order.",
    ),
    "POST /s/{token}/redeem": _with(
        _operation(
            INVITEE,
            "redeemLink",
            "Book a slot",
            "Books a slot. This is the only request that uses a link. With an `Idempotency-Key`, a repeated request "
            "returns the same booking in its current state.",
            "The booking.",
        ),
        "Location",
        "Idempotent-Replayed",
    ),
    "POST /s/{token}/request": _operation(
        INVITEE,
        "requestNewLink",
        "Ask for a new link",
        "Asks the host for a new link when yours is used, expired or revoked. On each UTC date, a few people can ask "
        "about a link, once each; further requests are dropped, with the same response.",
        "The request is accepted.",
    ),
}

_OWN_BOOKING: Final = {
    "GET /b/{bookingToken}": _operation(
        OWN_BOOKING,
        "getOwnBooking",
        "Get the booking",
        "Returns the invitee's own booking. With `Accept: text/html` the response is its page.",
        "The booking.",
    ),
    "GET /b/{bookingToken}/invite.ics": _operation(
        OWN_BOOKING,
        "getCalendarFile",
        "Get the calendar file",
        "Returns the booking as an iCalendar file.",
        "The calendar file.",
    ),
    "GET /b/{bookingToken}/slots": _operation(
        OWN_BOOKING,
        "listSlotsToMoveTo",
        "List slots to move to",
        "Lists the slots that the booking can move to; by default in the next 30 days.",
        "The slots, in order.",
    ),
    "POST /b/{bookingToken}/cancel": _operation(
        OWN_BOOKING,
        "cancelOwnBooking",
        "Cancel the booking",
        "Cancels the booking; its slot is free again.",
        "The cancelled booking.",
    ),
    "POST /b/{bookingToken}/reschedule": _operation(
        OWN_BOOKING,
        "rescheduleOwnBooking",
        "Reschedule the booking",
        "Moves the booking to another slot that is on offer.",
        "The moved booking.",
    ),
}

_ABOUT: Final = {
    "GET /v1/version": _operation(
        ABOUT,
        "getVersion",
        "Get the version",
        "Returns the version of Admit One that runs, such as `0.2.0`. Needs no key.",
        "The version.",
    ),
    "GET /v1/openapi.json": _with(
        _operation(
            ABOUT,
            "getDescription",
            "Get this description",
            "Returns this API's description in OpenAPI 3.1. Needs no key. If you send its `ETag` in `If-None-Match`, "
            "the response is 304 until the description changes.",
            "The description.",
        ),
        "ETag",
        "Cache-Control",
    ),
}

OPERATIONS: Final[Mapping[str, Operation]] = {
    **_HOSTS,
    **_EVENT_TYPES,
    **_LINKS,
    **_LINK_FILES,
    **_LINK_REQUESTS,
    **_BOOKINGS,
    **_WEBHOOKS,
    **_CAL_COM,
    **_INVITEE,
    **_OWN_BOOKING,
    **_ABOUT,
}
