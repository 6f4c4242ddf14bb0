"""Whether a booking can still be moved: it is confirmed, has not begun, and has moves left (P15)."""

from datetime import datetime

from chalicelib.domain.bookings.booking import Booking, BookingStatus
from chalicelib.domain.bookings.limits import BookingLimits
from chalicelib.domain.errors import ConflictError, MoveLimitError


def is_ahead(booking: Booking, now: datetime) -> bool:
    """Return whether a booking is confirmed and has not begun."""
    return booking.status is BookingStatus.CONFIRMED and booking.start > now


def require_movable(booking: Booking, now: datetime) -> None:
    """Raise `ConflictError` if a booking is cancelled or has begun."""
    if booking.status is BookingStatus.CANCELLED:
        raise ConflictError("This booking is cancelled and can't be moved.")
    if not is_ahead(booking, now):
        raise ConflictError("This booking has begun and can't be moved any more.")


def require_moves_left(booking: Booking, limits: BookingLimits) -> None:
    """Raise `MoveLimitError` if the invitee has moved a booking as often as the limit allows (P15)."""
    if booking.moves_by_invitee >= limits.moves_per_booking:
        raise MoveLimitError(booking.moves_by_invitee)
