"""Record the cause of a write in its item: the actor, and the correlation id of the request."""

from typing import Any

from pynamodb.expressions.operand import Path
from pynamodb.expressions.update import Action

from chalicelib.domain.causes import Cause


def audit_attributes(cause: Cause) -> dict[str, Any]:
    """Return the attributes of a whole item that record its cause."""
    return {"actor": cause.actor, "correlation_id": cause.correlation_id}


def audit_actions(cause: Cause) -> list[Action]:
    """Return the actions of an update that record its cause."""
    return [Path("actor").set(cause.actor), Path("correlationId").set(cause.correlation_id)]
