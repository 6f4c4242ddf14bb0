"""A redeem: the data that an attempt writes, and the possible outcomes (P1–P4)."""

from datetime import datetime

import msgspec

from chalicelib.domain.bookings.booking import Booking
from chalicelib.domain.bookings.receipt import Receipt
from chalicelib.domain.links.link import Link


class RedeemAttempt(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that one redeem writes. `link` may be outdated; the conditions of the write decide.

    `successor` is the next link if `link` is rolling; the same transaction creates it. The receipt of a `queued` redeem
    is kept longer.
    """

    link: Link
    successor: Link | None
    booking: Booking
    receipt_id: str
    body_hash: str
    now: datetime
    queued: bool = False


class Booked(msgspec.Struct, frozen=True):
    """The transaction committed: the booking exists, the use is counted and the cells are taken."""


class WrittenBefore(msgspec.Struct, frozen=True):
    """An earlier attempt of the same call created the booking, and its reply was lost. It is in its current state."""

    booking: Booking


class AlreadyBooked(msgspec.Struct, frozen=True):
    """The same request committed earlier; `receipt` has its booking."""

    receipt: Receipt


class LinkRefused(msgspec.Struct, frozen=True):
    """The link's condition failed. `link` is its state at that moment, or None if it was deleted."""

    link: Link | None


class CellsTaken(msgspec.Struct, frozen=True):
    """Another booking occupies some of the cells."""


Outcome = Booked | WrittenBefore | AlreadyBooked | LinkRefused | CellsTaken
