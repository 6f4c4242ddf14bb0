"""Every parser of untrusted input returns a value or raises a domain error, on mutations of real input."""

import base64
import email
import email.policy
import os
import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import msgspec
import pytest
from chalice.app import Request
from hypothesis import given, settings, strategies as st

from chalicelib import bootstrap
from chalicelib.api.http.call import JSON, Call, Limits
from chalicelib.api.http.routing import SMALL_BODY
from chalicelib.consumers.payloads import GeneratePayload, RedeemPayload, ReplacePayload, RevokePayload
from chalicelib.domain.decoding import decode_json
from chalicelib.domain.errors import AdmitOneError
from chalicelib.domain.event_types.event_type import check_event_settings
from chalicelib.domain.event_types.slots import offered_slots
from chalicelib.domain.events.commands import CommandName, read_command, trace_of, without_secrets
from chalicelib.domain.events.envelopes import read_envelope, write_envelope
from chalicelib.domain.imports.csv_text import decode_csv
from chalicelib.domain.imports.sheet import checked_rows, read_sheet
from chalicelib.domain.listings import read_cursor, write_cursor
from chalicelib.domain.mail.email_addresses import is_email, normalise_email
from chalicelib.domain.mail.feedback import read_feedback
from chalicelib.domain.tokens import Keyring, Purpose, make_token, read_token
from chalicelib.domain.validation import Rules
from chalicelib.domain.webhooks.deliveries import read_retry_after
from chalicelib.domain.webhooks.ip_addresses import is_public, read_address
from chalicelib.domain.webhooks.webhook import check_webhook_settings
from chalicelib.pages.mail.mime import Heading, Mail, Mailbox, mail_bytes
from chalicelib.wire.requests.bookings import RedeemBody
from chalicelib.wire.requests.event_types import EventTypeBody
from chalicelib.wire.requests.links import LinksBody
from chalicelib.wire.requests.webhooks import WebhookBody
from tests.hostile.mutations import near
from tests.support.proof.size import size

EXAMPLES: Final = int(os.environ.get("FUZZ_EXAMPLES") or size(200, 10_000))
NOW: Final = datetime(2040, 1, 2, 8, tzinfo=UTC)
RING: Final = Keyring(1, {1: bytes(range(32)), 2: bytes(32)})

pytestmark = pytest.mark.timeout(3600)  # under `make proof`
fuzz = settings(max_examples=EXAMPLES)

_T = TypeVar("_T")


def decoded(data: bytes, kind: type[_T]) -> _T | None:
    """Return a body as the API decodes it, or None if the API rejects it."""
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
        limits = Limits(query=(), max_bytes=SMALL_BODY, media=(JSON,))
        call = Call(Request(event), limits, world=bootstrap.world, settings=bootstrap.settings)
        return call.decode(kind)
    except AdmitOneError:
        return None


@fuzz
@given(near("token"), st.sampled_from(Purpose))
def test_token(data: bytes, purpose: Purpose) -> None:
    """P7: an accepted token equals, bit by bit, the token that is made for its id."""
    text = data.decode("utf-8", errors="surrogateescape")
    claim = read_token(RING, purpose, text)
    if claim is not None:
        assert make_token(RING, purpose, claim.raw_id, claim.key_id) == text


@fuzz
@given(st.binary(min_size=16, max_size=16), st.integers(0, 27 * 8 - 1), st.sampled_from(Purpose))
def test_token_with_a_bit_flipped(raw_id: bytes, bit: int, purpose: Purpose) -> None:
    """P7: a token with any bit flipped is rejected."""
    raw = bytearray(base64.urlsafe_b64decode(make_token(RING, purpose, raw_id)))
    raw[bit // 8] ^= 1 << bit % 8
    assert read_token(RING, purpose, base64.urlsafe_b64encode(raw).decode()) is None


@fuzz
@given(near("cursor"), st.sampled_from(["l", "xp", "q"]))
def test_cursor(data: bytes, stages: str) -> None:
    """P9: a cursor is rejected, or names a place that encodes to the same cursor."""
    try:
        stage, sort = read_cursor(data.decode("utf-8", errors="replace"), stages)
    except AdmitOneError:
        return
    assert stage in stages
    assert read_cursor(write_cursor(stage, sort or ""), stages) == (stage, sort)


@fuzz
@given(near("csv"))
def test_csv(data: bytes) -> None:
    """A file is read row by row or rejected."""
    try:
        sheet = read_sheet(decode_csv(data), "et")
    except AdmitOneError:
        return
    settings_ = msgspec.convert(
        {"title": "T", "durationMinutes": 30, "schedule": {"timeZone": "UTC", "weekly": []}}, EventTypeBody
    ).settings()
    for row in checked_rows(sheet.rows, settings_, now=NOW):
        msgspec.json.encode(row.faults)


@fuzz
@given(near("event-type"))
def test_event_type_and_its_schedule(data: bytes) -> None:
    """Slots can be computed for every accepted event type."""
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
    """A body of links is accepted or rejected."""
    body = decoded(data, LinksBody)
    if body is None:
        return
    msgspec.json.encode(body)


@fuzz
@given(near("redeem"))
def test_redeem(data: bytes) -> None:
    """A redeem is accepted or rejected, and an accepted address has one normal form."""
    body = decoded(data, RedeemBody)
    if body is None:
        return
    if is_email(body.invitee.email):
        normal = normalise_email(body.invitee.email)
        assert normalise_email(normal) == normal
        assert "\n" not in normal
        assert "\r" not in normal


_PAYLOADS: Final[dict[CommandName, type[Any]]] = {
    CommandName.GENERATE: GeneratePayload,
    CommandName.REVOKE: RevokePayload,
    CommandName.REDEEM: RedeemPayload,
    CommandName.REPLACE: ReplacePayload,
}


@fuzz
@given(near("command"))
def test_command(data: bytes) -> None:
    """A message is a command or rejected, and the report of a rejected one contains no secret (P7)."""
    body = data.decode(errors="replace")
    trace = msgspec.json.encode(trace_of(body)).decode()
    assert without_secrets(trace) == trace
    try:
        command = read_command(body)
        decode_json(command.payload, _PAYLOADS[command.command], "/payload")
    except AdmitOneError as error:
        report = without_secrets(f"{error.detail} {getattr(error, 'faults', '')}")
        assert not re.search(r"(?<![\w-])[\w-]{36}(?![\w-])", report)


@fuzz
@given(near("webhook"))
def test_webhook(data: bytes) -> None:
    """An accepted webhook has a URL of a public host, in ASCII."""
    body = decoded(data, WebhookBody)
    if body is None:
        return
    rules = Rules()
    check_webhook_settings(body.settings(), rules, local=False)
    try:
        rules.enforce()
    except AdmitOneError:
        return
    parts = urlsplit(body.url)
    address = read_address(parts.hostname or "")
    assert parts.scheme == "https"
    assert address is None or is_public(address)
    assert body.url.isascii()
    assert body.url.isprintable()
    assert parts.username is None


@fuzz
@given(near("bus"))
def test_event_from_the_bus(data: bytes) -> None:
    """A message for mail or webhooks is an event, or raises a ValueError, which sends it to the dead-letter queue."""
    try:
        envelope = read_envelope(msgspec.json.decode(data, type=dict[str, Any]).get("detail"))
    except (ValueError, RecursionError):
        return
    assert read_envelope(msgspec.json.decode(write_envelope(envelope))) == envelope


@fuzz
@given(near("feedback"))
def test_ses_feedback(data: bytes) -> None:
    """Feedback from SES is about an email of the product, about another one, or raises a ValueError."""
    try:
        feedback = read_feedback(msgspec.json.decode(data, type=dict[str, Any]).get("detail"))
    except (ValueError, RecursionError):
        return
    if feedback is not None:
        assert feedback.mail_id.event_id.startswith("evt_")


@fuzz
@given(
    st.one_of(
        st.text(max_size=60), st.sampled_from(["9" * 400, "-1", "Thu, 01 Jan 1970 00:00:00 GMT", "1e9"])
    )
)
def test_retry_after(value: str) -> None:
    """Whatever `Retry-After` an endpoint sends, the wait is a valid duration."""
    assert read_retry_after(value, NOW) >= timedelta(0)


@fuzz
@given(near("heading"), near("heading"))
def test_mail_headers(name: bytes, subject: bytes) -> None:
    """No user input starts a header, adds a recipient, or ends the headers early."""
    texts = [raw.decode("utf-8", errors="replace") for raw in (name, subject)]
    heading = Heading(
        sender=Mailbox(texts[0], "booking@example.com"),
        to=Mailbox(texts[0], "grace@example.com"),
        reply_to=Mailbox(texts[1], "ada@example.com"),
        date=NOW,
        message_id="id@admit-one",
        language="en",
    )
    raw = mail_bytes(Mail(subject=texts[1], text="Hello.", html="<p>Hello.</p>"), heading)

    mail = email.message_from_bytes(raw, policy=email.policy.default)

    assert [header.lower() for header in mail.keys()] == [  # noqa: SIM118 - a header may be there twice
        "content-type", "mime-version", "from", "to", "reply-to", "subject", "date", "message-id",
        "content-language", "auto-submitted",
    ]  # fmt: skip
    assert [address.addr_spec for address in mail["to"].addresses] == ["grace@example.com"]
    assert [address.addr_spec for address in mail["reply-to"].addresses] == ["ada@example.com"]
    assert raw.partition(b"\r\n\r\n")[0].isascii()
