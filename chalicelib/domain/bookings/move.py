"""Check whether a booking can be moved: it must be confirmed, not yet started, and below the limit of moves (P15)."""

from datetime import datetime

from chalicelib.domain.bookings.booking import Booking, BookingStatus
from chalicelib.domain.bookings.limits import BookingLimits
from chalicelib.domain.errors import ConflictError, MoveLimitError


def is_upcoming(booking: Booking, now: datetime) -> bool:
    """Return whether a booking is confirmed and has not started."""
    return booking.status is BookingStatus.CONFIRMED and booking.start > now


def require_movable(booking: Booking, now: datetime) -> None:
    """Raise `ConflictError` if a booking is cancelled or has already started."""
    if booking.status is BookingStatus.CANCELLED:
        raise ConflictError("This booking is cancelled and can't be moved.")
    if not is_upcoming(booking, now):
        raise ConflictError("This booking has already started and can't be moved.")


def require_moves_left(booking: Booking, limits: BookingLimits) -> None:
    """Raise `MoveLimitError` if the invitee has moved a booking as often as the limit allows (P15)."""
    if booking.moves_by_invitee >= limits.moves_per_booking:
        raise MoveLimitError(booking.moves_by_invitee)
