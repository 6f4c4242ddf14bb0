"""Email a host the updates beyond the day's budget, once (P15)."""

from collections.abc import Callable

import msgspec

from chalicelib.domain.bookings.booking import Booking
from chalicelib.domain.mail.digests import Digest, DigestId
from chalicelib.domain.team.hosts import Host
from chalicelib.service.mail.send import Draft, send_once
from chalicelib.service.ports import Mailer, World


class DigestNews(msgspec.Struct, frozen=True, kw_only=True):
    """The contents of a digest: the bookings in their current state, by start."""

    draft: Draft
    digest: Digest
    host: Host
    bookings: tuple[Booking, ...]

    @property
    def more(self) -> bool:
        """True if bookings are missing from the list: they exceeded the digest's limit, or were deleted since."""
        return self.digest.more or len(self.bookings) < len(self.digest.booking_ids)


WriteDigest = Callable[[DigestNews, str], bytes]
"""Render the email to an ASCII address."""


def send_digest(world: World, mailer: Mailer, digest_id: DigestId, write: WriteDigest) -> None:
    """Send a digest unless it was sent. Raises the errors of `send_once`; the caller must then retry.

    Nothing is added to a closed digest: later updates go into the next day's digest.
    """
    digest = world.store.mail_digests.close(digest_id, now=world.now())
    if digest is None:
        return
    host = world.store.hosts.read(digest_id.host_id)
    if host is not None:
        found = world.store.bookings.read_many(digest.booking_ids)
        bookings = tuple(sorted(found, key=lambda booking: booking.start))
        draft = Draft(
            mail_id=digest_id.mail_id,
            link_id="",
            host_id=digest_id.host_id,
            event_type_id="",
            booking_id=None,
            to=host.settings.email,
        )
        news = DigestNews(draft=draft, digest=digest, host=host, bookings=bookings)
        send_once(world, mailer, draft, lambda to: write(news, to))
    world.store.mail_digests.end(digest_id)
