"""Every parser that strangers feed, on input near real input: an answer or a domain error, and nothing else."""

import base64
import os
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar

import msgspec
from chalice.app import Request
from hypothesis import given, settings, strategies as st

from chalicelib.api.call import JSON, Call, Limits
from chalicelib.api.door import SMALL_BODY
from chalicelib.api.schemas import EventTypeBody, LinksBody, RedeemBody
from chalicelib.domain.csv_links import judged, read_sheet
from chalicelib.domain.csv_text import decode_csv
from chalicelib.domain.emails import is_email, normalise_email
from chalicelib.domain.errors import AdmitOneError
from chalicelib.domain.event_types import check_event_settings
from chalicelib.domain.listings import read_cursor, write_cursor
from chalicelib.domain.rules import Rules
from chalicelib.domain.slots import offered_slots
from chalicelib.domain.tokens import Keyring, Purpose, make_token, read_token
from tests.hostile.mutations import near

EXAMPLES: Final = int(os.environ.get("FUZZ_EXAMPLES") or "400")
NOW: Final = datetime(2040, 1, 2, 8, tzinfo=UTC)
RING: Final = Keyring(1, {1: bytes(range(32)), 2: bytes(32)})

fuzz = settings(max_examples=EXAMPLES, deadline=None)

_T = TypeVar("_T")


def decoded(data: bytes, kind: type[_T]) -> _T | None:
    """Return a body as the doors decode it, or None where they refuse it."""
    event = {
        "headers": {"content-type": "application/json"},
        "body": base64.b64encode(data).decode(),
        "isBase64Encoded": True,
        "pathParameters": None,
        "multiValueQueryStringParameters": None,
        "stageVariables": None,
        "requestContext": {"httpMethod": "POST", "resourcePath": "/", "requestId": "fuzz"},
    }
    try:
        return Call(Request(event), Limits(query=(), most_bytes=SMALL_BODY, media=(JSON,))).decode(kind)
    except AdmitOneError:
        return None


@fuzz
@given(near("token"), st.sampled_from(Purpose))
def test_token(data: bytes, purpose: Purpose) -> None:
    """P7: what is taken for genuine is, to the bit, what would be made for that id."""
    text = data.decode("utf-8", errors="surrogateescape")
    claim = read_token(RING, purpose, text)
    if claim is not None:
        assert make_token(RING, purpose, claim.raw_id, claim.key_id) == text


@fuzz
@given(st.binary(min_size=16, max_size=16), st.integers(0, 27 * 8 - 1), st.sampled_from(Purpose))
def test_token_with_a_bit_flipped(raw_id: bytes, bit: int, purpose: Purpose) -> None:
    """P7: one bit makes a forgery, wherever it is."""
    raw = bytearray(base64.urlsafe_b64decode(make_token(RING, purpose, raw_id)))
    raw[bit // 8] ^= 1 << bit % 8
    assert read_token(RING, purpose, base64.urlsafe_b64encode(raw).decode()) is None


@fuzz
@given(near("cursor"), st.sampled_from(["l", "xp", "q"]))
def test_cursor(data: bytes, stages: str) -> None:
    """P9: a cursor is refused, or names a place and says the same again."""
    try:
        stage, sort = read_cursor(data.decode("utf-8", errors="replace"), stages)
    except AdmitOneError:
        return
    assert stage in stages
    assert read_cursor(write_cursor(stage, sort or ""), stages) == (stage, sort)


@fuzz
@given(near("csv"))
def test_csv(data: bytes) -> None:
    """A file is read row by row or refused."""
    try:
        sheet = read_sheet(decode_csv(data), "et")
    except AdmitOneError:
        return
    settings_ = msgspec.convert(
        {"title": "T", "durationMinutes": 30, "schedule": {"timeZone": "UTC", "weekly": []}}, EventTypeBody
    ).settings()
    for row in judged(sheet.rows, settings_, now=NOW):
        msgspec.json.encode(row.faults)


@fuzz
@given(near("event-type"))
def test_event_type_and_its_schedule(data: bytes) -> None:
    """An event type that passes can be reckoned with."""
    body = decoded(data, EventTypeBody)
    if body is None:
        return
    rules = Rules()
    check_event_settings(body.settings(), rules)
    try:
        rules.enforce()
    except AdmitOneError:
        return
    end = NOW + timedelta(days=62)
    slots = offered_slots(body.settings(), start=NOW, end=end, now=NOW)
    assert all(slot.start < slot.end for slot in slots)
    msgspec.json.encode(body)


@fuzz
@given(near("link"))
def test_links(data: bytes) -> None:
    """A body of links is taken or refused."""
    body = decoded(data, LinksBody)
    if body is None:
        return
    msgspec.json.encode(body)


@fuzz
@given(near("redeem"))
def test_redeem(data: bytes) -> None:
    """A redeem is taken or refused, and an address that is taken has one normal form."""
    body = decoded(data, RedeemBody)
    if body is None:
        return
    if is_email(body.invitee.email):
        normal = normalise_email(body.invitee.email)
        assert normalise_email(normal) == normal
        assert "\n" not in normal
        assert "\r" not in normal
