"""Receipts: which redeem requests count as the same request (P4, P7)."""

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
    """P4: the spelling of an address, white space and line endings don't matter."""
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
def test_without_a_key_another_body_is_another_request(changes: dict[str, Any]) -> None:
    """P4: the slot and the address of a booking aren't enough to repeat its request."""
    assert keyless_receipt_id(SECRET, LINK, replace(BODY, **changes)) != keyless_receipt_id(
        SECRET, LINK, BODY
    )


def test_a_receipt_cannot_be_guessed_without_the_signing_key() -> None:
    """P7: a dump of the table can't be searched by address, and doesn't show whether two links had equal requests."""
    other = bytes([1]) * 32
    assert keyless_receipt_id(other, LINK, BODY) != keyless_receipt_id(SECRET, LINK, BODY)
    assert keyless_receipt_id(SECRET, "lnk_b", BODY) != keyless_receipt_id(SECRET, LINK, BODY)
    assert keyed_hash(other, LINK, "x") != keyed_hash(SECRET, LINK, "x") != keyed_hash(SECRET, "lnk_b", "x")


def test_a_key_cannot_be_another_persons_keyless_receipt() -> None:
    """P4: receipts with and without a key have different ids."""
    assert keyed_receipt_id("anna@example.com") != keyless_receipt_id(SECRET, LINK, BODY)


@given(one=st.text(max_size=5), other=st.text(max_size=5))
def test_different_keys_are_different_requests(one: str, other: str) -> None:
    """P4: keys are compared exactly, including case and white space."""
    assert (keyed_receipt_id(one) == keyed_receipt_id(other)) == (one == other)


def test_the_order_of_fields_does_not_change_the_body() -> None:
    """P4: a retry may write its JSON fields in another order."""
    body = {"start": "x", "invitee": {"name": "a", "email": "b"}}
    turned = {"invitee": {"email": "b", "name": "a"}, "start": "x"}
    assert hash_body(body) == hash_body(turned)
    assert hash_body(body) != hash_body({**body, "start": "y"})
