"""The URLs of links and bookings. They are computed from the id and the signing key, and never stored (P7)."""

from chalicelib.domain.bookings.booking import Booking
from chalicelib.domain.ids import id_bytes
from chalicelib.domain.links.link import Link
from chalicelib.domain.tokens import Keyring, Purpose, make_token


def link_url(link: Link, ring: Keyring, base_url: str) -> str | None:
    """Return the URL of a link under a base URL, or None if its signing key was retired."""
    return _url(ring, Purpose.LINK, link.link_id, link.key_id, f"{base_url}/s/")


def booking_url(booking: Booking, ring: Keyring, base_url: str) -> str | None:
    """Return the URL of the invitee's booking page under a base URL, or None if its signing key was retired."""
    return _url(ring, Purpose.BOOKING, booking.booking_id, booking.key_id, f"{base_url}/b/")


def _url(ring: Keyring, purpose: Purpose, item_id: str, key_id: int, base: str) -> str | None:
    raw = id_bytes(purpose.id_kind, item_id)
    if raw is None or key_id not in ring.keys:
        return None
    return base + make_token(ring, purpose, raw, key_id)
