"""Feedback from SES about an email: sent, rejected, bounced or reported as spam (event publishing, by EventBridge)."""

from datetime import datetime
from enum import StrEnum

import msgspec

from chalicelib.domain.clock import as_instant
from chalicelib.domain.ids import BOOKING, EVENT_TYPE, HOST, LINK, is_id
from chalicelib.domain.mail.mails import Addressee, MailId

_MAX_REASON = 200  # characters


class FeedbackKind(StrEnum):
    """The kinds of feedback to process, by SES's names."""

    SEND = "Send"
    REJECT = "Reject"
    BOUNCE = "Bounce"
    COMPLAINT = "Complaint"


class Feedback(msgspec.Struct, frozen=True, kw_only=True):
    """A feedback event from SES. `to` are the addresses that it concerns; `identity` is SES's id of the feedback.

    A digest is not about a single link: its `link_id` and `event_type_id` are empty.
    """

    kind: FeedbackKind
    mail_id: MailId
    link_id: str
    host_id: str
    event_type_id: str
    booking_id: str | None
    to: tuple[str, ...]
    reason: str
    time: datetime
    identity: str
    message_id: str


class _Address(msgspec.Struct, rename="camel"):
    email_address: str
    status: str = ""


class _Bounce(msgspec.Struct, rename="camel"):
    bounce_type: str
    bounce_sub_type: str
    timestamp: datetime
    feedback_id: str = ""
    bounced_recipients: tuple[_Address, ...] = ()


class _Complaint(msgspec.Struct, rename="camel"):
    timestamp: datetime
    feedback_id: str = ""
    complaint_feedback_type: str | None = None
    complained_recipients: tuple[_Address, ...] = ()


class _Reject(msgspec.Struct):
    reason: str = ""


class _Mail(msgspec.Struct, rename="camel"):
    timestamp: datetime
    message_id: str
    destination: tuple[str, ...] = ()
    tags: dict[str, tuple[str, ...]] = {}


class _Detail(msgspec.Struct, rename="camel"):
    event_type: str
    mail: _Mail
    bounce: _Bounce | None = None
    complaint: _Complaint | None = None
    reject: _Reject | None = None


def read_feedback(document: object) -> Feedback | None:
    """Return the feedback in an event's decoded `detail`, or None if the email is not ours or the kind is ignored.

    Raises ValueError for a malformed document.
    """
    detail = msgspec.convert(document, _Detail)
    tags = {name: values[0] for name, values in detail.mail.tags.items() if values}
    kind = next((kind for kind in FeedbackKind if kind == detail.event_type), None)
    addressee = next((one for one in Addressee if one == tags.get("addressee")), None)
    if kind is None or addressee is None or not _ours(tags):
        return None
    mail, bounce, complaint = detail.mail, detail.bounce, detail.complaint
    to, reason, time, identity = mail.destination, "", mail.timestamp, mail.message_id
    if bounce is not None:
        to, time, identity = _addresses(bounce.bounced_recipients), bounce.timestamp, bounce.feedback_id
        statuses = sorted({one.status for one in bounce.bounced_recipients if one.status})
        reason = " ".join([f"{bounce.bounce_type}/{bounce.bounce_sub_type}", *statuses])
    elif complaint is not None:
        to, time, identity = (
            _addresses(complaint.complained_recipients),
            complaint.timestamp,
            complaint.feedback_id,
        )
        reason = complaint.complaint_feedback_type or ""
    elif detail.reject is not None:
        reason = detail.reject.reason or "rejected"
    return Feedback(
        kind=kind,
        mail_id=MailId(tags["eventId"], addressee),
        link_id=tags.get("linkId", ""),
        host_id=tags["hostId"],
        event_type_id=tags.get("eventTypeId", ""),
        booking_id=tags.get("bookingId"),
        to=to or mail.destination,
        reason=reason[:_MAX_REASON],
        time=as_instant(time),
        identity=identity or mail.message_id,
        message_id=mail.message_id,
    )


def _ours(tags: dict[str, str]) -> bool:
    kinds = {"hostId": HOST}
    if tags.get("addressee") != Addressee.DIGEST:
        kinds |= {"linkId": LINK, "eventTypeId": EVENT_TYPE}
    booking = tags.get("bookingId")
    return (
        tags.get("eventId", "").startswith("evt_")
        and all(is_id(kind, tags.get(name, "")) for name, kind in kinds.items())
        and (booking is None or is_id(BOOKING, booking))
    )


def _addresses(recipients: tuple[_Address, ...]) -> tuple[str, ...]:
    return tuple(one.email_address for one in recipients)
