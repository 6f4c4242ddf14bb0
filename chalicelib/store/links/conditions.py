"""The conditions for using or revoking a link, each named for what it guarantees (P1, P3)."""

from datetime import datetime
from typing import Final

from pynamodb.expressions.condition import Condition
from pynamodb.expressions.operand import Path

from chalicelib.domain.clock import to_millis
from chalicelib.domain.links.link import LinkStatus
from chalicelib.store.conditions import EXISTS

IS_ACTIVE: Final = Path("status") == LinkStatus.ACTIVE.value
IS_USED: Final = Path("status") == LinkStatus.USED.value


def is_unexpired(now: datetime) -> Condition:
    """Require that a link has no expiry, or is not past it. The stored status may lag behind the clock (P3)."""
    expires_at = Path("expiresAt")
    condition: Condition = expires_at.does_not_exist() | (expires_at > to_millis(now))
    return condition


def is_open(now: datetime) -> Condition:
    """Require that a link has no opening time, or is past it."""
    not_before = Path("notBefore")
    condition: Condition = not_before.does_not_exist() | (not_before <= to_millis(now))
    return condition


def has_use_left(most: int, *, is_last: bool) -> Condition:
    """Require that a link with `most` uses has exactly one left (`is_last`), or more than one (P1).

    The redeem writes the final status with the last use, so it must know which of the two is true.
    """
    uses = Path("usageCount")
    condition: Condition = uses == most - 1 if is_last else uses < most - 1
    return condition


def same_edition(edition: int) -> Condition:
    """Require that a link's settings have not changed since they were read. Uses do not change the edition."""
    condition: Condition = Path("edition") == edition
    return condition


def is_alive(now: datetime) -> Condition:
    """Require that a link exists, is active, and has not expired."""
    condition: Condition = EXISTS & IS_ACTIVE & is_unexpired(now)
    return condition


def is_revocable(now: datetime) -> Condition:
    """Require that a link is active, or is used and a cancellation would make it active again (P8)."""
    restores_uses = Path("restoreUseOnCancel") == True  # noqa: E712 - a condition
    has_no_successor = Path("rolling").does_not_exist()
    is_restorable = IS_USED & (restores_uses & has_no_successor)
    condition: Condition = EXISTS & is_unexpired(now) & (IS_ACTIVE | is_restorable)
    return condition
