"""Store digests: the updates beyond a host's budget, in the due index until they are sent."""

from datetime import date, datetime
from typing import Final

from pynamodb.expressions.condition import Condition, size
from pynamodb.expressions.operand import Path
from pynamodb.expressions.update import Action

from chalicelib.domain.causes import Cause
from chalicelib.domain.clock import to_millis
from chalicelib.domain.errors import ContendedError
from chalicelib.domain.mail.digests import MAX_BOOKINGS, Digest, DigestId
from chalicelib.domain.mail.mails import MAILER
from chalicelib.store.causes import audit_actions
from chalicelib.store.conditions import EXISTS, is_due
from chalicelib.store.faults import ConditionRefused
from chalicelib.store.items import DUE, MailDigestItem, list_sort, mail_digest_key, purge_seconds
from chalicelib.store.retention import Retention
from chalicelib.store.table import Table

_PARTITION: Final = "DIGEST"
_TRIES: Final = 3  # the day, the next day, and one more in case the clock is behind
_DUE: Final = Path("dueSort")
_CLOSED: Final = Path("closedAt")


class MailDigests:
    """Reads and writes of digests."""

    def __init__(self, table: Table, retention: Retention) -> None:
        self._table = table
        self._retention = retention

    def add(self, host_id: str, booking_id: str, event_id: str, *, now: datetime) -> DigestId:
        """Add a booking to the digest of the day, or of the next day if that one is closed; return its id.

        Adding the same booking twice changes nothing. Beyond 200 bookings, a digest records only that there are more.
        """
        digest_id = DigestId(host_id, now.date())
        for _ in range(_TRIES):
            if self._added(digest_id, booking_id, event_id):
                return digest_id
            digest_id = digest_id.next
        raise ContendedError

    def due(self, now: datetime, limit: int) -> list[DigestId]:
        """Return up to `limit` digests that are due, the longest due first."""
        found = self._table.index_page(DUE, _PARTITION, is_due(now), limit, newest_first=False)
        return [_id_of(entry["pk"], entry["sk"]) for entry in found]

    def reschedule(self, digest_id: DigestId, until: datetime, *, now: datetime) -> bool:
        """Set when a due digest is queued again; return False if another run did that or it was sent."""
        return self._changed(digest_id, [_DUE.set(_sort(digest_id, until))], is_due(now))

    def close(self, digest_id: DigestId, *, now: datetime) -> Digest | None:
        """Close a digest, so that nothing is added to it, and return it; None if it was sent or does not exist."""
        actions = [_CLOSED.set(_CLOSED | to_millis(now))]
        try:
            raw = self._table.update(
                mail_digest_key(digest_id), [*actions, *_audit_actions(digest_id)], _DUE.exists()
            )
        except ConditionRefused:
            return None
        item = MailDigestItem.from_raw_data(raw)
        return Digest(
            digest_id=digest_id, booking_ids=tuple(sorted(item.bookings or ())), more=bool(item.more)
        )

    def end(self, digest_id: DigestId) -> None:
        """Record that a digest was sent, and remove it from the due index."""
        self._changed(digest_id, [_DUE.remove(), Path("dueShard").remove()], EXISTS)

    def _added(self, digest_id: DigestId, booking_id: str, event_id: str) -> bool:
        bookings, shard = MailDigestItem.bookings, Path("dueShard")
        kept = [
            shard.set(shard | _PARTITION),
            _DUE.set(_DUE | _sort(digest_id, digest_id.due_at)),
            Path("purgeAt").set(purge_seconds(digest_id.due_at, self._retention.queued)),
            *audit_actions(Cause(MAILER, event_id)),
        ]
        count = size(Path("bookings"))  # type: ignore[no-untyped-call]
        has_room = bookings.does_not_exist() | (count < MAX_BOOKINGS) | bookings.contains(booking_id)
        is_open = _CLOSED.does_not_exist()
        at = mail_digest_key(digest_id)
        return self._table.change(
            at, [bookings.add({booking_id}), *kept], is_open & has_room
        ) or self._table.change(at, [Path("more").set(True), *kept], is_open)

    def _changed(self, digest_id: DigestId, actions: list[Action], condition: Condition) -> bool:
        return self._table.change(
            mail_digest_key(digest_id), [*actions, *_audit_actions(digest_id)], condition
        )


def _sort(digest_id: DigestId, due_at: datetime) -> str:
    return list_sort(due_at, digest_id.host_id)


def _id_of(pk: str, sk: str) -> DigestId:
    return DigestId(pk.removeprefix("DIGEST#"), date.fromisoformat(sk.removeprefix("DIGEST#")))


def _audit_actions(digest_id: DigestId) -> list[Action]:
    return audit_actions(Cause(MAILER, digest_id.mail_id.event_id))
