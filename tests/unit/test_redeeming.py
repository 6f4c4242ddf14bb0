"""P4: which two requests are the same one."""

from datetime import UTC, datetime, timedelta

from hypothesis import given, strategies as st

from chalicelib.domain.redeeming import hash_body, keyed_receipt_id, keyless_receipt_id

START = datetime(2026, 6, 15, 12, tzinfo=UTC)


def test_without_a_key_the_same_start_and_person_are_the_same_request() -> None:
    """P4: the person is the normalised address, not how it was typed this time."""
    same = keyless_receipt_id(START, "Anna@münchen.de")
    assert keyless_receipt_id(START, " anna@XN--MNCHEN-3YA.de") == same
    assert keyless_receipt_id(START, "bob@münchen.de") != same
    assert keyless_receipt_id(START + timedelta(minutes=5), "anna@münchen.de") != same


def test_a_key_is_not_taken_for_a_keyless_request() -> None:
    """P4: nobody can choose an Idempotency-Key that is another person's keyless receipt."""
    person = f"{int(START.timestamp() * 1000)}\x00anna@example.com"
    assert keyed_receipt_id(person) != keyless_receipt_id(START, "anna@example.com")


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
