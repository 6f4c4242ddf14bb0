"""The URLs that hold a secret: made when they are needed, from ids and signing keys, and kept nowhere (P7)."""

from chalicelib.domain.bookings.booking import Booking
from chalicelib.domain.ids import BOOKING, LINK, id_bytes
from chalicelib.domain.links.link import Link
from chalicelib.domain.tokens import Keyring, Purpose, make_token


def link_url(link: Link, ring: Keyring, base_url: str) -> str | None:
    """Return what a link's holder opens, under a base URL; None once its signing key was retired."""
    return _url(ring, Purpose.LINK, LINK, link.link_id, link.key_id, f"{base_url}/s/")


def booking_url(booking: Booking, ring: Keyring, base_url: str) -> str | None:
    """Return the invitee's own page for a booking, under a base URL, absolute or relative."""
    return _url(ring, Purpose.BOOKING, BOOKING, booking.booking_id, booking.key_id, f"{base_url}/b/")


def _url(ring: Keyring, purpose: Purpose, kind: str, item_id: str, key_id: int, base: str) -> str | None:
    raw = id_bytes(kind, item_id)
    if raw is None or key_id not in ring.keys:
        return None  # signed by a key that was retired: no URL opens it any more
    return base + make_token(ring, purpose, raw, key_id)
