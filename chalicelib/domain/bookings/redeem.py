"""The redeem's rules: what an attempt writes, and the possible outcomes (P1–P4)."""

from datetime import datetime

import msgspec

from chalicelib.domain.bookings.booking import Booking
from chalicelib.domain.bookings.receipt import Receipt
from chalicelib.domain.links.link import Link


class RedeemAttempt(msgspec.Struct, frozen=True, kw_only=True):
    """Everything one redeem writes. `link` is as it was read; the write's own conditions decide.

    `successor` is the next rolling link, made in the same transaction when `link` is one. The receipt of one that was
    `queued` is kept for longer.
    """

    link: Link
    successor: Link | None
    booking: Booking
    receipt_id: str
    body_hash: str
    now: datetime
    queued: bool = False


class Booked(msgspec.Struct, frozen=True):
    """The transaction committed: the booking exists, the use is counted, the cells are taken."""


class AlreadyBooked(msgspec.Struct, frozen=True):
    """The same request committed before; this is its receipt."""

    receipt: Receipt


class LinkRefused(msgspec.Struct, frozen=True):
    """The link's own condition did not hold; `link` is as the write found it, None if it was deleted."""

    link: Link | None


class CellsTaken(msgspec.Struct, frozen=True):
    """Another booking holds some of the time."""


Outcome = Booked | AlreadyBooked | LinkRefused | CellsTaken
