"""P4: which two requests count as the same one."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, strategies as st
from msgspec.structs import replace

from chalicelib.domain.bookings.booking import Invitee
from chalicelib.domain.bookings.receipt import (
    NormalBody,
    hash_body,
    keyed_hash,
    keyed_receipt_id,
    keyless_receipt_id,
)

START = datetime(2026, 6, 15, 12, tzinfo=UTC)
SECRET, LINK = bytes(32), "lnk_a"
BODY = NormalBody(
    start=START,
    time_zone="Europe/Berlin",
    invitee=Invitee("Anna Ende", "Anna@münchen.de"),
    answers={"topic": "One\ntwo"},
    location_index=None,
)


@pytest.mark.parametrize(
    "changes",
    [
        {"invitee": Invitee(" Anna  Ende", " anna@XN--MNCHEN-3YA.de")},
        {"answers": {"topic": "One\r\ntwo ", "size": " "}},
        {"location_index": 0},
    ],
    ids=str,
)
def test_without_a_key_an_equal_body_is_the_same_request(changes: dict[str, Any]) -> None:
    """P4: the spelling of an address, white space and line ends do not make a different request."""
    assert keyless_receipt_id(SECRET, LINK, replace(BODY, **changes)) == keyless_receipt_id(
        SECRET, LINK, BODY
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"start": START + timedelta(minutes=5)},
        {"time_zone": "UTC"},
        {"invitee": Invitee("anna Ende", "Anna@münchen.de")},
        {"invitee": Invitee("Anna Ende", "bob@münchen.de")},
        {"answers": {"topic": "One two"}},
        {"answers": {}},
        {"location_index": 1},
    ],
    ids=str,
)
def test_without_a_key_any_other_body_is_another_request(changes: dict[str, Any]) -> None:
    """P4: the time and the address of a booking are not enough to repeat its request."""
    assert keyless_receipt_id(SECRET, LINK, replace(BODY, **changes)) != keyless_receipt_id(
        SECRET, LINK, BODY
    )


def test_what_a_receipt_keeps_can_not_be_tried_without_the_signing_key() -> None:
    """P7: a dump of the table can't be searched by address, and does not show that two links' requests are equal."""
    other = bytes([1]) * 32
    assert keyless_receipt_id(other, LINK, BODY) != keyless_receipt_id(SECRET, LINK, BODY)
    assert keyless_receipt_id(SECRET, "lnk_b", BODY) != keyless_receipt_id(SECRET, LINK, BODY)
    assert keyed_hash(other, LINK, "x") != keyed_hash(SECRET, LINK, "x") != keyed_hash(SECRET, "lnk_b", "x")


def test_a_key_is_not_taken_for_a_keyless_request() -> None:
    """P4: nobody can choose an Idempotency-Key that is another person's keyless receipt."""
    assert keyed_receipt_id("anna@example.com") != keyless_receipt_id(SECRET, LINK, BODY)


@given(one=st.text(max_size=5), other=st.text(max_size=5))
def test_different_keys_are_different_requests(one: str, other: str) -> None:
    """P4: keys are compared exactly, case and white space included."""
    assert (keyed_receipt_id(one) == keyed_receipt_id(other)) == (one == other)


def test_a_body_is_the_same_whatever_the_order_of_its_keys() -> None:
    """P4: same key, other body is 422; a client that writes its JSON in another order sent the same."""
    body = {"start": "x", "invitee": {"name": "a", "email": "b"}}
    turned = {"invitee": {"email": "b", "name": "a"}, "start": "x"}
    assert hash_body(body) == hash_body(turned)
    assert hash_body(body) != hash_body({**body, "start": "y"})
