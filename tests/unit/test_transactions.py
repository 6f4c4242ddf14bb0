"""A cancelled transaction reports its rejected operations by name, never by position (P1, P4)."""

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.hooks import HierarchicalEmitter
from hypothesis import given, strategies as st

from chalicelib.domain.causes import Cause
from chalicelib.domain.errors import ContendedError, StoreUnavailableError, ThrottledError
from chalicelib.store.causes import audit_actions, audit_attributes
from chalicelib.store.conditions import EXISTS
from chalicelib.store.faults import TransactionRefused, translated
from chalicelib.store.items import DayItem
from chalicelib.store.table import Table
from chalicelib.store.transactions import Transaction

KINDS = ("check", "delete", "put", "update")
CAUSE = Cause("system:test", "test")
REFUSED, CONFLICT, THROTTLED = "ConditionalCheckFailed", "TransactionConflict", "ThrottlingError"


class Refusing:
    """A botocore client that cancels every transaction, with one reason per item, in order."""

    _request_signer = None

    def __init__(self, codes: Mapping[str, str]) -> None:
        self.codes = codes
        self.meta = SimpleNamespace(events=HierarchicalEmitter())

    def _make_api_call(self, operation: str, request: Mapping[str, Any]) -> None:
        reasons = [self._reason(part) for one in request["TransactItems"] for part in one.values()]
        error: Any = {
            "Error": {"Code": "TransactionCanceledException", "Message": ""},
            "CancellationReasons": reasons,
        }
        raise ClientError(error, operation)

    def _reason(self, part: Mapping[str, Any]) -> dict[str, Any]:
        key = part.get("Item") or part["Key"]
        code = self.codes.get(key["pk"]["S"], "None")
        return {"Code": code, "Item": {"pk": key["pk"]}} if code == REFUSED else {"Code": code}


def transaction_of(operations: Mapping[str, str], codes: Mapping[str, str]) -> Transaction:
    """Return a transaction with these named operations, which will be cancelled for the reasons in `codes`."""
    table = Table("unit")
    table.connection._client = Refusing(codes)  # type: ignore[assignment]
    transaction = Transaction(table)
    for name, kind in operations.items():
        key = (name, "DAY")
        match kind:
            case "check":
                transaction.check(key, EXISTS, name=name)
            case "delete":
                transaction.delete(key, EXISTS, name=name)
            case "put":
                transaction.put(DayItem(*key, **audit_attributes(CAUSE)), EXISTS, name=name)
            case "update":
                transaction.update(key, [DayItem.busy.add({1}), *audit_actions(CAUSE)], EXISTS, name=name)
    return transaction


def refusal_of(transaction: Transaction) -> TransactionRefused:
    """Return the refusal that a commit raises."""
    with pytest.raises(TransactionRefused) as raised:
        transaction.commit()
    return raised.value


@given(
    kinds=st.lists(st.sampled_from(KINDS), min_size=1, max_size=12),
    data=st.data(),
)
def test_each_rejection_is_found_by_its_operations_name(kinds: list[str], data: st.DataObject) -> None:
    """The test covers every combination and order of operations."""
    operations = {f"operation {number}": kind for number, kind in enumerate(kinds)}
    against = data.draw(st.sets(st.sampled_from(list(operations)), min_size=1))

    refused = refusal_of(transaction_of(operations, dict.fromkeys(against, REFUSED)))

    assert {name for name in operations if name in refused} == against
    assert all(refused[name] == {"pk": {"S": name}} for name in against)
    assert not refused.contended


def test_a_rejection_is_reported_together_with_a_conflict() -> None:
    """P4: a receipt found in the same transaction as a conflict still decides a retry."""
    operations = {"link": "update", "receipt": "put"}
    refused = refusal_of(transaction_of(operations, {"link": CONFLICT, "receipt": REFUSED}))
    assert refused.contended
    assert "receipt" in refused
    assert "link" not in refused
    with pytest.raises(KeyError):
        refused["link"]


@pytest.mark.parametrize(("code", "error"), [(CONFLICT, ContendedError), (THROTTLED, ThrottledError)])
def test_without_a_rejection_the_error_is_retryable(code: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        transaction_of({"link": "update", "receipt": "put"}, {"link": code}).commit()


def test_a_transaction_in_progress_may_still_commit() -> None:
    """P4: so a redeem looks for its booking, which it does not after a conflict."""
    error: Any = {"Error": {"Code": "TransactionInProgressException", "Message": ""}}
    with pytest.raises(StoreUnavailableError) as raised, translated():
        raise ClientError(error, "TransactWriteItems")
    assert not isinstance(raised.value, ContendedError)


def test_an_unknown_operation_name_is_an_error() -> None:
    """Otherwise a misspelled name would mean "not rejected"."""
    refused = refusal_of(transaction_of({"receipt": "put"}, {"receipt": REFUSED}))
    with pytest.raises(KeyError):
        assert "reciept" in refused


def test_two_operations_cannot_have_the_same_name() -> None:
    transaction = transaction_of({"link": "put"}, {})
    with pytest.raises(ValueError, match="two operations"):
        transaction.update(("other", "DAY"), [DayItem.busy.add({1}), *audit_actions(CAUSE)], name="link")
