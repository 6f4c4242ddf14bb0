"""OpenAPI 3.1 of the doors, made from their routes, the structs they take and give, and `field_docs.py`."""

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from chalicelib.api.call import FORM, JSON
from chalicelib.api.door import Door, Route
from chalicelib.api.field_docs import FIELDS, KIND_FIELDS, PARAMETERS
from chalicelib.api.problems import MEDIA_TYPE, PROBLEM_TYPE, STATUSES
from chalicelib.api.uploads import MULTIPART

_REF: Final = "#/components/schemas/{name}"
_ID_PATTERNS: Final = {
    "hostId": "hst",
    "eventTypeId": "ety",
    "linkId": "lnk",
    "bookingId": "bkg",
    "webhookId": "whk",
}
_PUBLIC_ERRORS: Final = (400, 403, 404, 409, 410, 413, 415, 422, 429, 500, 503)
_TEAM_ERRORS: Final = (400, 401, 403, 404, 409, 413, 415, 422, 429, 500, 503)


def openapi(doors: Sequence[Door]) -> dict[str, Any]:
    """Return the description of every route of the doors."""
    routes = [route for door in doors for route in door.routes]
    schemas = _schemas(routes)
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        for method in route.methods:
            paths.setdefault(route.path, {})[method.lower()] = _operation(route, method)
    document = {
        "openapi": "3.1.0",
        "info": {
            "title": "Admit One",
            "version": "1",
            "summary": "Single-use private booking links.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "apiKey": {"type": "http", "scheme": "bearer", "description": "An API key, `ao_…`."}
            },
        },
    }
    # Tuples and enums of Python become what JSON has.
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(document))
    return plain


def _operation(route: Route, method: str) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": f"{method.lower()}_{route.name}" if method == "HEAD" else route.name,
        "summary": route.summary,
        "parameters": list(_parameters(route)),
        "responses": _responses(route, method),
    }
    if route.needs_key:
        operation["security"] = [{"apiKey": []}]
    content = _request_content(route)
    if content:
        required = route.body is None or any(field.required for field in msgspec.structs.fields(route.body))
        operation["requestBody"] = {"required": required, "content": content}
    return operation


def _parameters(route: Route) -> Iterable[dict[str, Any]]:
    for name in re.findall(r"{(\w+)}", route.path):
        schema: dict[str, Any] = {"type": "string"}
        if name in _ID_PATTERNS:
            schema["pattern"] = f"^{_ID_PATTERNS[name]}_[a-z2-7]{{26}}$"
        yield {
            "name": name,
            "in": "path",
            "required": True,
            "schema": schema,
            "description": PARAMETERS[name][0],
        }
    for name in route.query:
        words, schema = PARAMETERS[name]
        yield {"name": name, "in": "query", "required": False, "schema": schema, "description": words}
    if route.keyed:
        words, schema = PARAMETERS["Idempotency-Key"]
        yield {
            "name": "Idempotency-Key",
            "in": "header",
            "required": False,
            "schema": schema,
            "description": words,
        }


def _request_content(route: Route) -> dict[str, Any]:
    if route.body is not None:
        schema = {"$ref": _REF.format(name=route.body.__name__)}
        form = {"type": "object", "description": "The same fields, by name; nested ones joined by a dot."}
        return {media: {"schema": form if media == FORM else schema} for media in route.media}
    if route.media != (JSON,):
        file = {"type": "object", "properties": {"file": {"type": "string"}}, "required": ["file"]}
        return {
            media: {"schema": file if media == MULTIPART else {"type": "string"}} for media in route.media
        }
    return {}


def _responses(route: Route, method: str) -> dict[str, Any]:
    good: dict[str, Any] = {"description": "Done."}
    if isinstance(route.answer, str):
        good["content"] = {route.answer: {"schema": {"type": "object" if route.answer == JSON else "string"}}}
    elif route.answer is not None:
        good["content"] = {JSON: {"schema": _answer_schema(route.answer)}}
    responses = {str(route.status): good}
    if FORM in route.media:
        responses["303"] = {"description": "Done, for a form: see `Location`."}
    if not route.needs_key and isinstance(route.answer, type) and method != "POST":
        good["content"]["text/html"] = {"schema": {"type": "string"}}
    if method == "HEAD":
        good.pop("content", None)
    for status in _TEAM_ERRORS if route.needs_key else _PUBLIC_ERRORS:
        content = {MEDIA_TYPE: {"schema": {"$ref": _REF.format(name="Problem")}}}
        if not route.needs_key:
            content["text/html"] = {"schema": {"type": "string"}}
        if route.path.startswith("/v2/"):
            content = {JSON: {"schema": {"$ref": _REF.format(name="CalComError")}}} | content
        responses[str(status)] = {"description": _error_words(status)}
        if method != "HEAD":
            responses[str(status)]["content"] = content
    return responses


def _answer_schema(answer: type | tuple[type, ...]) -> dict[str, Any]:
    if isinstance(answer, tuple):
        return {"anyOf": [_answer_schema(kind) for kind in answer]}
    return {"$ref": _REF.format(name=answer.__name__)}


def _error_words(status: int) -> str:
    codes = sorted({kind.code for kind, number in STATUSES.items() if number == status})
    return "`type` ends in " + ", ".join(f"`{code}`" for code in codes) if codes else "A defect on our side."


def _schemas(routes: Sequence[Route]) -> dict[str, Any]:
    answers = [
        kind
        for route in routes
        for kind in (route.answer if isinstance(route.answer, tuple) else (route.answer,))
    ]
    kinds = {kind for kind in (*(route.body for route in routes), *answers) if isinstance(kind, type)}
    _, components = msgspec.json.schema_components(sorted(kinds, key=lambda k: k.__name__), ref_template=_REF)
    for name, schema in components.items():
        for field, words in schema.get("properties", {}).items():
            words["description"] = KIND_FIELDS.get(f"{name}.{field}") or FIELDS[field]
    return dict(sorted((components | _errors()).items()))


def _errors() -> dict[str, Any]:
    codes = sorted({kind.code for kind in STATUSES})
    fault = {
        "type": "object",
        "properties": {
            "pointer": {"type": "string", "description": "RFC 6901 JSON Pointer into the request."},
            "detail": {"type": "string", "description": "What is wrong there."},
            "line": {"type": "integer", "description": "In a CSV: the line, from 1."},
            "column": {"type": ["string", "integer", "null"], "description": "In a CSV: the column."},
        },
    }
    return {
        "Problem": {
            "type": "object",
            "description": "An RFC 9457 problem document.",
            "required": ["type", "title", "status"],
            "properties": {
                "type": {
                    "type": "string",
                    "description": "What happened: " + ", ".join(f"`{PROBLEM_TYPE}{code}`" for code in codes),
                },
                "title": {"type": "string", "description": "The same for every problem of this type."},
                "status": {"type": "integer", "description": "The HTTP status."},
                "detail": {"type": "string", "description": "What happened this time."},
                "errors": {
                    "type": "array",
                    "items": fault,
                    "description": "Everything wrong, field by field.",
                },
                "notBefore": {"type": "string", "format": "date-time", "description": "When the link opens."},
                "correlationId": {"type": "string", "description": "As in `X-Correlation-Id`."},
            },
        },
        "CalComError": {
            "type": "object",
            "description": "An error in Cal.com's envelope.",
            "properties": {
                "status": {"const": "error", "description": "Always `error`."},
                "error": {
                    "type": "object",
                    "description": "What happened.",
                    "properties": {
                        "code": {"type": "string", "description": "As a problem's `type` ends."},
                        "message": {"type": "string", "description": "What happened, in words."},
                    },
                },
                "correlationId": {"type": "string", "description": "As in `X-Correlation-Id`."},
            },
        },
    }
