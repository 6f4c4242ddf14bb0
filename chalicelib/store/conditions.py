"""Conditions that many writes share, each named for what it guarantees."""

from datetime import datetime
from typing import Final

from pynamodb.expressions.condition import Condition
from pynamodb.expressions.operand import Path

from chalicelib.domain.clock import to_millis

EXISTS: Final = Path("pk").exists()
ABSENT: Final = Path("pk").does_not_exist()


def unchanged_since(sequence: int) -> Condition:
    """Require that an item has not changed since it was read: every write increments its sequence."""
    condition: Condition = Path("sequence") == sequence
    return condition


def is_due(now: datetime) -> Condition:
    """Require that an item of the due index is due now."""
    condition: Condition = Path("dueSort") < f"{to_millis(now) + 1:014d}"
    return condition


def absent_or_over(now: datetime) -> Condition:
    """Require that an item is absent or past its `purgeAt`: TTL may delete it days later, so the time decides."""
    condition: Condition = ABSENT | (Path("purgeAt") <= to_millis(now) // 1000)
    return condition
