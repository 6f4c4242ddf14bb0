"""Generate the schemas of the API description from the structs: one set for requests, one for responses.

In request schemas, optional fields are not in `required` and have no `default`, because client generators treat a field
with a default as required. A response always has all of its fields.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, Literal

import msgspec

from chalicelib.api.openapi.constraints import IDS, request_constraints
from chalicelib.api.openapi.examples import PROBLEM
from chalicelib.wire.field_docs import FIELDS, KIND_FIELDS
from chalicelib.wire.problems import PROBLEM_TYPE, STATUSES

Side = Literal["request", "response"]

REF: Final = "#/components/schemas/{name}"
# Schemas whose name differs from their struct's. A schema must not have the name of one of its fields (`Links.links`):
# in generated Python, the class and the field would clash.
_NAMES: Final = {
    "AnswerBody": "LinkRequestAnswerInput",
    "AnsweredAnswer": "AnsweredLinkRequest",
    "AskBody": "NewLinkRequestInput",
    "BookedAnswer": "BookedTime",
    "BookingsAnswer": "BookingPage",
    "BulkAnswer": "BulkResults",
    "BulkRow": "BulkResult",
    "DeliveriesAnswer": "DeliveryPage",
    "EventAnswer": "HistoryEntry",
    "EventTypesAnswer": "EventTypePage",
    "HistoryAnswer": "HistoryPage",
    "HostsAnswer": "HostPage",
    "LinkRequestsAnswer": "LinkRequestPage",
    "LinksAnswer": "CreatedLinks",
    "MailAnswer": "EmailText",
    "NothingBody": "EmptyInput",
    "RequestedAnswer": "NewLinkRequested",
    "SendAnswer": "QueuedEmail",
    "SlotsAnswer": "SlotList",
    "WebhookSecretAnswer": "WebhookWithSecret",
    "WebhooksAnswer": "WebhookPage",
}
_OPEN_OBJECT: Final = {"type": "object", "additionalProperties": True}


def schema_ref(kind: type, side: Side) -> dict[str, Any]:
    """Return a reference to a struct's schema."""
    return {"$ref": REF.format(name=_name(kind.__name__, side))}


def component_schemas(requests: Iterable[type], responses: Iterable[type]) -> dict[str, Any]:
    """Return every schema by its name, including those of problems."""
    found: dict[str, Any] = dict(_errors())
    sides: tuple[tuple[Side, Iterable[type]], ...] = (("request", requests), ("response", responses))
    for side, kinds in sides:
        for name, schema in _side(sorted(set(kinds), key=lambda kind: kind.__name__), side):
            if found.setdefault(name, schema) != schema:
                raise ValueError(f"two different schemas have the name {name}: rename one in _NAMES")
    return dict(sorted(found.items()))


def _side(kinds: list[type], side: Side) -> Iterator[tuple[str, dict[str, Any]]]:
    _, components = msgspec.json.schema_components(kinds, ref_template="{name}")
    structs = {struct.__name__: struct for struct in structs_of(kinds)}
    for name, schema in components.items():
        _describe_fields(name, schema)
        if "metadata" in schema.get("properties", {}):
            _name_metadata(schema["properties"]["metadata"])
        if side == "request":
            _describe_defaults(schema)
        elif name in structs and not structs[name].__struct_config__.omit_defaults:
            fields = msgspec.structs.fields(structs[name])
            schema["required"] = [field.encode_name for field in fields if field.default is not msgspec.UNSET]
    if side == "request":
        _constrain(components)
    elif "BulkRow" in components:
        components["BulkRow"]["properties"]["problem"] = {
            "$ref": "Problem",
            "description": FIELDS["problem"],
        }
    for name, schema in components.items():
        schema["title"] = _name(name, side)
        if "description" in schema:  # only a docstring's first paragraph is for readers of the API
            schema["description"] = " ".join(schema["description"].partition("\n\n")[0].split())
        yield _name(name, side), _tidied(schema, side)


def _describe_fields(name: str, schema: dict[str, Any]) -> None:
    """Add each field's description, and the pattern of ids."""
    for field, about in schema.get("properties", {}).items():
        words = KIND_FIELDS.get(f"{name}.{field}") or FIELDS[field]
        about["description"] = words
        if field in IDS and name != "BulkRow":  # BulkRow returns the id as it was sent, which may be invalid
            _add(about, {"pattern": IDS[field]})


def _name(struct: str, side: Side) -> str:
    """Return a schema's name: e.g. `Link` for a response, `LinksInput` and `LinkChanges` for requests."""
    if struct in _NAMES:
        return _NAMES[struct]
    if side == "response" or struct.endswith("Changes") or struct in {"Problem", "Metadata", "MailTo"}:
        return struct.removesuffix("Answer")
    return struct.removesuffix("Body") + "Input"


def structs_of(kinds: Iterable[type]) -> Iterator[type[msgspec.Struct]]:
    """Yield every struct that the given types contain."""
    seen: set[type] = set()
    waiting: list[msgspec.inspect.Type] = list(msgspec.inspect.multi_type_info(kinds))
    while waiting:
        match waiting.pop():
            case msgspec.inspect.StructType(cls=cls, fields=fields):
                if cls not in seen:
                    seen.add(cls)
                    waiting += [field.type for field in fields]
                    yield cls
            case msgspec.inspect.UnionType(types=types):
                waiting += types
            case msgspec.inspect.Metadata(type=inner):
                waiting.append(inner)
            case msgspec.inspect.ListType(item_type=item) | msgspec.inspect.VarTupleType(item_type=item):
                waiting.append(item)
            case _:
                pass


def _name_metadata(about: dict[str, Any]) -> None:
    """Refer to the schema `Metadata`, so that generators have one type for it."""
    for part in about.get("anyOf") or [about]:
        if part.pop("type", None) == "null":
            part["type"] = "null"
        else:
            part["$ref"] = "Metadata"


def _describe_defaults(schema: dict[str, Any]) -> None:
    """Describe the default in words: a `default` keyword would make generators require the field."""
    for about in schema.get("properties", {}).values():
        default = about.pop("default", None)
        if default not in (None, "", [], {}) and "Default" not in about["description"]:
            text = default if isinstance(default, str) else msgspec.json.encode(default).decode()
            about["description"] += f" Default: `{text}`."


def _constrain(components: Mapping[str, Any]) -> None:
    """Add each rule's constraints to the schemas. Bodies that contain the same struct share its schema and limits."""
    for body, constraints in request_constraints().items():
        if body in components:
            for pointer, keywords in constraints.items():
                for schema in _at(components, components[body], pointer.split("/")[1:]):
                    _add(schema, keywords)


def _at(components: Mapping[str, Any], schema: dict[str, Any], steps: list[str]) -> Iterator[dict[str, Any]]:
    """Yield the schemas that a pointer leads to, through references and unions."""
    if schema.get("$ref") == "Metadata":
        return
    if "$ref" in schema and len(schema.keys() - {"description"}) == 1:
        yield from _at(components, components[schema["$ref"]], steps)
    elif "anyOf" in schema and steps:
        for one in schema["anyOf"]:
            yield from _at(components, one, steps)
    elif not steps:
        yield schema
    elif schema.get("type") == "array":
        yield from _at(components, schema["items"], steps[1:])
    elif schema.get("type") == "object":
        properties, rest = schema.get("properties", {}), schema.get("additionalProperties")
        inner = properties.get(steps[0], rest if isinstance(rest, dict) else None)
        if inner is not None:
            yield from _at(components, inner, steps[1:])


def _add(schema: dict[str, Any], keywords: Mapping[str, Any]) -> None:
    """Add keywords to a schema. For a union, add them to every part that is not null."""
    parts = schema.get("anyOf") or [schema]
    for part in parts:
        if part.get("type") != "null":
            part.update(keywords)


def _tidied(schema: Any, side: Side) -> Any:
    """Return a schema in the form that client generators handle best.

    It has references to named schemas, a type for every enum, no `default`, and `additionalProperties: true` for an
    object without declared properties.
    """
    if isinstance(schema, list):
        return [_tidied(part, side) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("type") == "object" and not schema.keys() & {"properties", "additionalProperties"}:
        schema = {**schema, **_OPEN_OBJECT}
    if "enum" in schema and "type" not in schema:
        schema = {"type": "string", **schema}
    tidied = {name: _tidied(part, side) for name, part in schema.items() if name != "default"}
    if isinstance(tidied.get("$ref"), str):
        tidied["$ref"] = REF.format(name=_name(tidied["$ref"], side))
    return tidied


def _errors() -> dict[str, Any]:
    codes = sorted({kind.code for kind in STATUSES})
    return {
        "Problem": {
            "title": "Problem",
            "type": "object",
            "description": "An RFC 9457 problem document.",
            "required": ["type", "title", "status"],
            "properties": {
                "type": {
                    "type": "string",
                    "enum": [PROBLEM_TYPE + code for code in codes],
                    "description": "The type of problem. New releases may add values.",
                },
                "title": {"type": "string", "description": "The same for every problem of this type."},
                "status": {"type": "integer", "description": "The HTTP status."},
                "detail": {"type": "string", "description": "What went wrong with this request."},
                "errors": {
                    "type": "array",
                    "items": {"$ref": REF.format(name="Fault")},
                    "description": "Every error in the request, by field.",
                },
                "notBefore": {"type": "string", "format": "date-time", "description": "When the link opens."},
                "correlationId": {"type": "string", "description": "The value of `X-Correlation-Id`."},
            },
            "example": PROBLEM,
        },
        "Fault": {
            "title": "Fault",
            "type": "object",
            "description": "One error in a request.",
            "required": ["pointer", "detail"],
            "properties": {
                "pointer": {
                    "type": "string",
                    "description": "RFC 6901 JSON Pointer to the field in the request.",
                },
                "detail": {"type": "string", "description": "What is wrong with the field."},
                "line": {
                    "type": "integer",
                    "description": "The line of the CSV file, counted from 1; for a row on several lines, the first.",
                },
                "column": {
                    "type": ["string", "null"],
                    "description": "The name of the CSV column; null if the error is not about one named column.",
                },
            },
        },
        "CalComError": _cal_com_error(codes),
        "Metadata": {"title": "Metadata", "description": FIELDS["metadata"], **_OPEN_OBJECT},
    }


def _cal_com_error(codes: list[str]) -> dict[str, Any]:
    return {
        "title": "CalComError",
        "type": "object",
        "description": "An error in Cal.com's envelope.",
        "required": ["status", "error"],
        "properties": {
            "status": {"type": "string", "enum": ["error"], "description": "Always `error`."},
            "error": {
                "type": "object",
                "description": "What went wrong.",
                "required": ["code", "message"],
                "properties": {
                    "code": {
                        "type": "string",
                        "enum": codes,
                        "description": "The last part of a problem's `type`.",
                    },
                    "message": {"type": "string", "description": "What went wrong, in words."},
                },
            },
            "correlationId": {"type": "string", "description": "The value of `X-Correlation-Id`."},
        },
    }
