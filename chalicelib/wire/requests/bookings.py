"""Requests to redeem a link, and to move or cancel a booking."""

import msgspec

from chalicelib.domain.bookings.booking import Invitee
from chalicelib.domain.bookings.receipt import hash_body
from chalicelib.domain.text import tidy_lines
from chalicelib.service.bookings.redeem import RedeemRequest
from chalicelib.wire.instants import Instant, instant
from chalicelib.wire.requests.body import Body


class RedeemBody(Body, frozen=True):
    """A request to book a slot. `locationIndex` selects one of several locations; the default is the first."""

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
    """Return the service's request for a body. Raises `InvalidValueError` if `start` is out of range."""
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
    """An empty body, `{}`."""


class RescheduleBody(Body, frozen=True):
    """A request to move a booking to another start."""

    start: Instant
