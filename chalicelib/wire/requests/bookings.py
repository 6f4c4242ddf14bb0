"""Requests that redeem a link, and that move or cancel a booking."""

import msgspec

from chalicelib.domain.bookings.booking import Invitee
from chalicelib.domain.bookings.receipt import hash_body
from chalicelib.domain.text import tidy_lines
from chalicelib.service.bookings.redeem import RedeemRequest
from chalicelib.wire.instants import Instant, instant
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


def redeem_request(
    body: RedeemBody, key: str | None, *, language: str = "en", queued: bool = False
) -> RedeemRequest:
    """Return what a body asks for, under an idempotency key or none. Raises `InvalidValueError` for a wrong `start`."""
    return RedeemRequest(
        start=instant(body.start, "/start"),
        time_zone=body.time_zone,
        invitee=body.invitee,
        answers=body.answers,
        location_index=body.location_index,
        idempotency_key=key,
        body_hash=hash_body(body),
        language=language,
        queued=queued,
    )


class NothingBody(Body, frozen=True):
    """A body that says nothing: `{}`."""


class RescheduleBody(Body, frozen=True):
    """Where a booking is to be moved."""

    start: Instant
