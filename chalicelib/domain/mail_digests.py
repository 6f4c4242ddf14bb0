"""Digests: the notices to a host beyond the day's budget, in one email when the day is over (P15)."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Final

import msgspec

from chalicelib.domain.events import event_id_of
from chalicelib.domain.mails import Addressee, MailId

MOST_BOOKINGS: Final = 200
AFTER_MIDNIGHT: Final = timedelta(minutes=5)  # what was begun before midnight has ended by then


class DigestId(msgspec.Struct, frozen=True):
    """There is one digest for each host and UTC day."""

    host_id: str
    day: date

    @property
    def mail_id(self) -> MailId:
        """The email that it becomes."""
        return MailId(event_id_of("mail.digest", self.host_id, self.day.isoformat()), Addressee.DIGEST)

    @property
    def due_at(self) -> datetime:
        """When it is to be sent: the day is over, and the host's budget begins anew."""
        return datetime.combine(self.day, time(), UTC) + timedelta(days=1) + AFTER_MIDNIGHT

    @property
    def next(self) -> "DigestId":
        """The next day's."""
        return DigestId(self.host_id, self.day + timedelta(days=1))


class Digest(msgspec.Struct, frozen=True, kw_only=True):
    """What a digest is about: bookings, by id, and whether there were more than it names."""

    digest_id: DigestId
    booking_ids: tuple[str, ...]
    more: bool = False


class DigestMessage(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What the queue carries when a digest is due."""

    host_id: str
    day: date

    @property
    def digest_id(self) -> DigestId:
        """Which digest it is."""
        return DigestId(self.host_id, self.day)
