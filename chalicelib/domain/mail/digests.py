"""Digests: one email with all updates that exceeded a host's budget of a UTC day, sent after that day (P15)."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Final

import msgspec

from chalicelib.domain.events.events import event_id_of
from chalicelib.domain.mail.mails import Addressee, MailId

MAX_BOOKINGS: Final = 200
# A margin for emails that count against the previous day and are still being sent.
AFTER_MIDNIGHT: Final = timedelta(minutes=5)


class DigestId(msgspec.Struct, frozen=True):
    """The id of a digest. There is one digest per host and UTC day."""

    host_id: str
    day: date

    @property
    def mail_id(self) -> MailId:
        """The id of the digest's email."""
        return MailId(event_id_of("mail.digest", self.host_id, self.day.isoformat()), Addressee.DIGEST)

    @property
    def due_at(self) -> datetime:
        """The digest's due time: 00:05 UTC on the next day, which has a new budget."""
        return datetime.combine(self.day, time(), UTC) + timedelta(days=1) + AFTER_MIDNIGHT

    @property
    def next(self) -> "DigestId":
        """The id of the host's next digest, a day later."""
        return DigestId(self.host_id, self.day + timedelta(days=1))


class Digest(msgspec.Struct, frozen=True, kw_only=True):
    """The content of a digest: booking ids, and whether more bookings were left out."""

    digest_id: DigestId
    booking_ids: tuple[str, ...]
    more: bool = False


class DigestMessage(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The queue message for a digest that is due."""

    host_id: str
    day: date

    @property
    def digest_id(self) -> DigestId:
        """The id of the digest."""
        return DigestId(self.host_id, self.day)
