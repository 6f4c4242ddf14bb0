"""Who writes, and at whose request: a part of every change of an item."""

from pynamodb.expressions.operand import Path
from pynamodb.expressions.update import Action

from chalicelib.domain.causes import Cause


def audit_actions(cause: Cause) -> list[Action]:
    """Return what a change says of who makes it and why."""
    return [Path("actor").set(cause.actor), Path("correlationId").set(cause.correlation_id)]
