"""Requests that redeem a link, and that move or cancel a booking."""

import msgspec

from chalicelib.domain.bookings.booking import Invitee
from chalicelib.domain.text import tidy_lines
from chalicelib.wire.instants import Instant
from chalicelib.wire.requests.body import Body


class RedeemBody(Body, frozen=True):
    """What an invitee sends. `locationIndex` chooses among several locations; the first is the default."""

    start: Instant
    time_zone: str
    invitee: Invitee
    answers: dict[str, str] = msgspec.field(default_factory=dict)
    location_index: int | None = None

    def __post_init__(self) -> None:
        kept = {name: tidy_lines(answer) for name, answer in self.answers.items()}
        msgspec.structs.force_setattr(self, "answers", kept)


class NothingBody(Body, frozen=True):
    """A body that says nothing: `{}`."""


class RescheduleBody(Body, frozen=True):
    """Where a booking is to be moved."""

    start: Instant
