"""Describe the events that webhooks receive: one operation and one schema for each kind of event."""

import copy
from typing import Any, Final

from chalicelib.api.openapi.event_schemas import KINDS, schema_of
from chalicelib.api.openapi.operations import EVENTS
from chalicelib.api.openapi.schemas import REF

_HEADERS: Final = {
    "webhook-id": (
        "The event's id. Every attempt and every replay has the same id, so ignore events whose id you have handled.",
        {"type": "string"},
    ),
    "webhook-timestamp": (
        "The time of this attempt, in seconds since 1970.",
        {"type": "string", "pattern": "^[0-9]+$"},
    ),
    "webhook-signature": (
        "One or more signatures `v1,<base64>`, separated by spaces. There are several while a secret is rotated.",
        {"type": "string"},
    ),
}
_RESPONSES: Final = {
    "2XX": {"description": "The event is delivered."},
    "4XX": {"description": "The delivery failed and is retried for three days. 410 disables the webhook."},
}


def webhook_operations() -> dict[str, Any]:
    """Return an operation for each kind of event, by its type."""
    return {kind.value: {"post": _operation(kind.value, schema_of(kind))} for kind in KINDS}


def webhook_schemas() -> dict[str, Any]:
    """Return the schema of each kind of event by its name: the posted body, which has both `timestamp` and `time`."""
    return {schema_name(kind.value): _schema(schema_of(kind)) for kind in KINDS}


def schema_name(event: str) -> str:
    """Return the name of an event's schema: `link.used` is `LinkUsedEvent`."""
    return "".join(part.capitalize() for part in event.split(".")) + "Event"


def _operation(event: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {
        "operationId": "on" + schema_name(event).removesuffix("Event"),
        "tags": [EVENTS],
        "summary": f"Event {event}",
        "description": schema["description"],
        "security": [],
        "parameters": [
            {"name": name, "in": "header", "required": True, "schema": form, "description": words}
            for name, (words, form) in _HEADERS.items()
        ],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": REF.format(name=schema_name(event))}}},
        },
        "responses": copy.deepcopy(_RESPONSES),
    }


def _schema(schema: dict[str, Any]) -> dict[str, Any]:
    kept = {name: part for name, part in schema.items() if not name.startswith("$")}
    properties = {
        **kept["properties"],
        "timestamp": {"type": "string", "format": "date-time", "description": "The same as `time`."},
    }
    kept["title"] = schema_name(schema["title"])
    whole = kept | {"properties": properties, "required": [*kept["required"], "timestamp"]}
    read: dict[str, Any] = _as_generators_read(whole)
    return read


def _as_generators_read(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_as_generators_read(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    read = {name: _as_generators_read(part) for name, part in schema.items()}
    if isinstance(read.get("const"), str):
        read = {"type": "string", "enum": [read.pop("const")], **read}
    if "enum" in read and "type" not in read:
        read["type"] = "string"
    if read.get("type") == "object" and not read.keys() & {"properties", "additionalProperties"}:
        read["additionalProperties"] = True
    return read
