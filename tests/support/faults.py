"""Return the JSON Pointers of the faults that a check records in `Rules`."""

from collections.abc import Callable

import pytest

from chalicelib.domain.errors import InvalidValueError
from chalicelib.domain.validation import Rules


def pointers_of(check: Callable[[Rules], object]) -> list[str]:
    """Return the JSON Pointers of the faults that a check records, in order; empty if the value is valid."""
    rules = Rules()
    check(rules)
    last = "the fault that makes `enforce` raise"
    rules.fault(last)
    with pytest.raises(InvalidValueError) as caught:
        rules.enforce()
    assert all(fault.detail for fault in caught.value.faults), "a fault has no detail"
    return [fault.pointer for fault in caught.value.faults if fault.detail != last]
