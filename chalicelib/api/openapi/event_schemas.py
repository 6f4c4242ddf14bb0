"""The JSON Schema (2020-12) of every kind of event, generated from the code: the envelope with its `data`."""

import inspect
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from chalicelib.domain.events.envelopes import SCHEMA_VERSION, Envelope
from chalicelib.domain.events.event_data import Data
from chalicelib.domain.events.events import DATA, EventKind
from chalicelib.domain.events.notices import NOTICES, Notice

KINDS: Final[Mapping[EventKind | Notice, type[Data]]] = dict([*DATA.items(), *NOTICES.items()])
_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def schema_of(kind: EventKind | Notice) -> dict[str, Any]:
    """Return the schema of one kind of event: the envelope with this kind's `type` and `data`."""
    data = KINDS[kind]
    # Unknown members are allowed: a newer producer may add some.
    _, parts = msgspec.json.schema_components([Envelope, data], ref_template="#/$defs/{name}")
    properties: dict[str, Any] = parts["Envelope"]["properties"]
    about = kind.value.partition(".")[0]
    if about in {"link", "booking", "mail"}:
        for name in ("hostId", "linkId", "eventTypeId"):
            properties[name] = _described(properties[name], {"type": "string"})
    elif kind is Notice.BATCH_COMPLETED or about in {"import", "webhook"}:
        properties["linkId"] = _described(properties["linkId"], {"type": "null"})
    if about != "mail" or kind is EventKind.MAIL_REQUESTED:  # other emails are about a link or a booking
        properties["bookingId"] = _described(
            properties["bookingId"], {"type": "string" if about == "booking" else "null"}
        )
    properties["type"] = _described(properties["type"], {"const": kind.value})
    properties["schemaVersion"] = _described(properties["schemaVersion"], {"const": SCHEMA_VERSION})
    body = parts[data.__name__]
    properties["data"] = {
        "type": "object",
        "description": properties["data"]["description"],
        "properties": body["properties"],
        "required": body["required"],
    }
    return {
        "$schema": _DIALECT,
        "$id": f"urn:admit-one:event:{kind.value}:{SCHEMA_VERSION}",
        "title": kind.value,
        "description": " ".join((inspect.getdoc(data) or "").split()),
        "type": "object",
        "properties": properties,
        "required": list(properties),
    }


def _described(described: dict[str, Any], form: dict[str, Any]) -> dict[str, Any]:
    """Return `form` with the property's description."""
    return {"description": described["description"], **form}
