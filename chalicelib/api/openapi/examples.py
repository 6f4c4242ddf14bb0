"""Examples for the API description, by the name of their struct. Tests validate each against its schema.

`COMPLETE` has requests with every field set: `api/openapi/constraints.py` runs the domain's checks on them to read
their limits.
"""

from collections.abc import Mapping
from typing import Any, Final

_HOST_ID: Final = "hst_aebagbafaydqqcikbmga2dqpca"
_EVENT_TYPE_ID: Final = "ety_aebagbafaydqqcikbmga2dqpca"
_LINK_ID: Final = "lnk_aebagbafaydqqcikbmga2dqpca"
_BOOKING_ID: Final = "bkg_aebagbafaydqqcikbmga2dqpca"
_WEBHOOK_ID: Final = "whk_aebagbafaydqqcikbmga2dqpca"
_EVENT_ID: Final = "evt_aebagbafaydqqcikbmga2dqpca"
_DELIVERY_ID: Final = "dlv_aebagbafaydqqcikbmga2dqpca"
_URL: Final = "https://book.example.com/s/AQECAwQFBgcICQoLDA0ODxAAAAAAAAAAAAAA"
_BOOKING_URL: Final = "https://book.example.com/b/AQECAwQFBgcICQoLDA0ODxAAAAAAAAAAAAAA"
_CREATED: Final = "2026-11-21T09:00:00Z"
_START: Final = "2026-12-07T09:00:00Z"
_END: Final = "2026-12-07T09:30:00Z"
_CORRELATION: Final = "2f1d3c7a9b5e4d08a6c1e2f304152637"

_TIME_OFF: Final = {"start": "2026-12-24T00:00:00Z", "end": "2027-01-02T00:00:00Z"}
_LOCATION: Final = {
    "kind": "video",
    "detail": "https://meet.example.com/interview",
    "showBeforeBooking": False,
}
_QUESTIONS: Final = [
    {
        "id": "role",
        "label": "Which role?",
        "kind": "choice",
        "required": True,
        "options": ["Engineer", "Designer"],
    },
    {"id": "notes", "label": "Anything we should know?", "kind": "text", "required": False, "options": []},
]
_SCHEDULE: Final = {
    "timeZone": "Europe/Berlin",
    "weekly": [{"days": ["mon", "tue", "wed", "thu", "fri"], "from": "09:00", "to": "17:00"}],
    "overrides": [{"date": "2026-12-23", "intervals": [{"from": "09:00", "to": "12:00"}]}],
}
_RECIPIENT: Final = {"name": "Grace Hopper", "email": "grace@example.com", "enforce": "email"}
_INVITEE: Final = {"name": "Grace Hopper", "email": "grace@example.com"}

_HOST_BODY: Final = {
    "name": "Ada Lovelace",
    "publicName": "Dr. Ada Lovelace",
    "email": "ada@example.com",
    "timeZone": "Europe/Berlin",
    "timeOff": [_TIME_OFF],
}
_EVENT_TYPE_FIELDS: Final = {
    "title": "Interview",
    "slug": "interview",
    "description": "A first conversation, half an hour.",
    "durationMinutes": 30,
    "locations": [_LOCATION],
    "schedule": _SCHEDULE,
    "slotIntervalMinutes": 30,
    "bufferBeforeMinutes": 0,
    "bufferAfterMinutes": 15,
    "minimumNoticeMinutes": 120,
    "bookingWindowDays": 60,
    "questions": _QUESTIONS,
}
_OVERRIDES: Final = {
    "title": "Interview with the team",
    "durationMinutes": 45,
    "locations": [_LOCATION],
    "schedule": _SCHEDULE,
    "questions": _QUESTIONS,
    "slotIntervalMinutes": 15,
    "bufferBeforeMinutes": 5,
    "bufferAfterMinutes": 5,
    "minimumNoticeMinutes": 60,
}
_LINK_FIELDS: Final = {
    "maxUsageCount": 1,
    "expiresAt": "2026-12-31T23:00:00Z",
    "notBefore": "2026-12-01T08:00:00Z",
    "recipient": _RECIPIENT,
    "overrides": _OVERRIDES,
    "label": "Grace, second interview",
    "metadata": {"stage": "second"},
    "externalId": "candidate-42",
    "restoreUseOnCancel": False,
}
_WEBHOOK_BODY: Final = {
    "url": "https://hooks.example.com/admit-one",
    "events": ["link.used", "booking.confirmed"],
    "description": "Our applicant tracking system",
    "enabled": True,
}

REQUESTS: Final[Mapping[str, Any]] = {
    "HostBody": _HOST_BODY,
    "HostChanges": {"timeOff": [_TIME_OFF]},
    "EventTypeBody": {"hostId": _HOST_ID, **_EVENT_TYPE_FIELDS},
    "EventTypeChanges": {"durationMinutes": 45, "bufferAfterMinutes": 15},
    "LinkChanges": {"expiresAt": "2027-01-31T23:00:00Z", "label": None},
    "LinksBody": {
        "eventTypeId": _EVENT_TYPE_ID,
        "recipient": {"name": "Grace Hopper", "email": "grace@example.com"},
        "externalId": "candidate-42",
    },
    "LinkIdsBody": {"linkIds": [_LINK_ID]},
    "RedeemBody": {
        "start": _START,
        "timeZone": "Europe/London",
        "invitee": _INVITEE,
        "answers": {"role": "Engineer"},
        "locationIndex": 0,
    },
    "NothingBody": {},
    "SendBody": {"message": "Looking forward to it!", "language": "en"},
    "AnswerBody": {"mailTo": "recipient", "message": "Here is another one.", "language": "en"},
    "AskBody": {"email": "grace@example.com", "name": "Grace Hopper", "message": "I missed the deadline."},
    "RescheduleBody": {"start": "2026-12-08T09:00:00Z"},
    "WebhookBody": {"hostId": _HOST_ID, **_WEBHOOK_BODY},
    "WebhookChanges": {"enabled": True},
    "RotateBody": {"overlapHours": 24},
    "ReplayBody": {"from": "2026-11-20T00:00:00Z", "to": "2026-11-21T00:00:00Z", "status": "failed"},
    "PrivateLinkBody": {"expiresAt": "2026-12-31T23:00:00.000Z"},
}

# Every field is set, so that every branch of a rule runs.
COMPLETE: Final[Mapping[str, Any]] = {
    **REQUESTS,
    "LinkChanges": _LINK_FIELDS,
    "OverridesChanges": _OVERRIDES,
}

_HOST: Final = {"hostId": _HOST_ID, **_HOST_BODY, "createdAt": _CREATED}
_EVENT_TYPE: Final = {
    "eventTypeId": _EVENT_TYPE_ID,
    "hostId": _HOST_ID,
    **_EVENT_TYPE_FIELDS,
    "createdAt": _CREATED,
    "archivedAt": None,
}
_LINK: Final = {
    "linkId": _LINK_ID,
    "url": _URL,
    "hostId": _HOST_ID,
    "eventTypeId": _EVENT_TYPE_ID,
    "status": "active",
    "usageCount": 0,
    "remainingUses": 1,
    "createdAt": _CREATED,
    "usedAt": None,
    "revokedAt": None,
    **_LINK_FIELDS,
    "overrides": {"durationMinutes": 45},
}
_BOOKING: Final = {
    "bookingId": _BOOKING_ID,
    "linkId": _LINK_ID,
    "hostId": _HOST_ID,
    "eventTypeId": _EVENT_TYPE_ID,
    "status": "confirmed",
    "title": "Interview",
    "start": _START,
    "end": _END,
    "timeZone": "Europe/London",
    "location": _LOCATION,
    "invitee": _INVITEE,
    "answers": {"role": "Engineer"},
    "url": _BOOKING_URL,
    "createdAt": _CREATED,
    "cancelledAt": None,
}
_WEBHOOK: Final = {
    "webhookId": _WEBHOOK_ID,
    "hostId": _HOST_ID,
    **_WEBHOOK_BODY,
    "disabledReason": None,
    "disabledAt": None,
    "failingSince": None,
    "formerSecretsUntil": None,
    "createdAt": _CREATED,
    "log": [{"time": _CREATED, "what": "created", "actor": "key:key_1", "correlationId": _CORRELATION}],
}
_WEBHOOK_WITH_SECRET: Final = {**_WEBHOOK, "secret": "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="}
_DELIVERY: Final = {
    "deliveryId": _DELIVERY_ID,
    "webhookId": _WEBHOOK_ID,
    "eventId": _EVENT_ID,
    "type": "link.used",
    "time": _CREATED,
    "status": "delivered",
    "failure": None,
    "createdAt": _CREATED,
    "nextAttemptAt": None,
    "endedAt": "2026-11-21T09:00:01Z",
    "attempts": [
        {"number": 1, "time": _CREATED, "latencyMs": 84, "statusCode": 204, "error": None, "excerpt": ""}
    ],
}
_PRIVATE_LINK: Final = {
    "linkId": _LINK_ID,
    "eventTypeId": _EVENT_TYPE_ID,
    "isExpired": False,
    "bookingUrl": _URL,
    "expiresAt": "2026-12-31T23:00:00.000Z",
    "maxUsageCount": 1,
    "usageCount": 0,
}
_WARNING: Final = {
    "pointer": "/durationMinutes",
    "detail": (
        "Nobody can ever book: the duration is 240 minutes, and the longest hours of the schedule are 180 minutes. "
        "Shorten the duration or lengthen the hours."
    ),
}
PROBLEM: Final = {
    "type": "urn:admit-one:problem:link-used",
    "title": "Link used",
    "status": 410,
    "detail": "This link has been used.",
    "correlationId": _CORRELATION,
}

RESPONSES: Final[Mapping[str, Any]] = {
    "HostAnswer": _HOST,
    "HostsAnswer": {"hosts": [_HOST], "nextCursor": None},
    "MeAnswer": {"keyId": "key_1", "role": "host", "host": _HOST, "baseUrl": "https://book.example.com"},
    "EventTypeAnswer": _EVENT_TYPE,
    "SavedEventTypeAnswer": {**_EVENT_TYPE, "warnings": [_WARNING]},
    "EventTypesAnswer": {"eventTypes": [_EVENT_TYPE], "nextCursor": None},
    "LinkAnswer": _LINK,
    "SavedLinkAnswer": {**_LINK, "warnings": []},
    "AnsweredAnswer": {**_LINK, "mailedTo": "grace@example.com"},
    "LinksAnswer": {"batchId": "bat_aebagbafaydqqcikbmga2dqpca1", "links": [_LINK], "warnings": []},
    "LinkPageAnswer": {"links": [_LINK], "nextCursor": None},
    "BulkAnswer": {
        "results": [
            {"linkId": _LINK_ID, "status": "revoked"},
            {"linkId": "lnk_aebagbafaydqqcikbmga2dqpcb", "problem": PROBLEM},
        ]
    },
    "BookingAnswer": _BOOKING,
    "BookingsAnswer": {"bookings": [_BOOKING], "nextCursor": None},
    "SlotsAnswer": {
        "slots": [{"start": _START, "end": _END}],
        "from": "2026-12-07T00:00:00Z",
        "to": "2026-12-08T00:00:00Z",
    },
    "WebhookAnswer": _WEBHOOK,
    "WebhookSecretAnswer": _WEBHOOK_WITH_SECRET,
    "WebhooksAnswer": {"webhooks": [_WEBHOOK], "nextCursor": None},
    "DeliveryAnswer": _DELIVERY,
    "DeliveriesAnswer": {"deliveries": [_DELIVERY], "nextCursor": None},
    "ReplayAnswer": {"replayed": 3, "left": 0, "nextCursor": None},
    "SendAnswer": {
        "status": "queued",
        "linkId": _LINK_ID,
        "to": "g…@example.com",
        "language": "en",
        "requestedAt": _CREATED,
    },
    "RequestedAnswer": {"status": "requested"},
    "PrivateLinkAnswer": {"status": "success", "data": _PRIVATE_LINK},
    "PrivateLinksAnswer": {"status": "success", "data": [_PRIVATE_LINK]},
}

CSV: Final = "recipientName,recipientEmail,externalId\nGrace Hopper,grace@example.com,candidate-42\n"

# An event's envelope, without its `data`.
EVENT: Final[Mapping[str, Any]] = {
    "id": _EVENT_ID,
    "schemaVersion": "1",
    "time": _CREATED,
    "timestamp": _CREATED,
    "hostId": _HOST_ID,
    "linkId": _LINK_ID,
    "bookingId": None,
    "eventTypeId": _EVENT_TYPE_ID,
    "externalId": "candidate-42",
    "metadata": {},
    "sequence": 2,
    "actor": "invitee",
    "correlationId": _CORRELATION,
}
