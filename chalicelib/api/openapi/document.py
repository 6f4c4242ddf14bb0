"""Generate the OpenAPI 3.1 description from the routes, their structs, and the texts in `operations.py` (ADR 0022)."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from chalicelib import __version__
from chalicelib.api.http.call import FORM, JSON
from chalicelib.api.http.routing import Answer, Route, Router
from chalicelib.api.http.uploads import MULTIPART
from chalicelib.api.openapi import examples
from chalicelib.api.openapi.constraints import IDS
from chalicelib.api.openapi.operations import OPERATIONS, PAGES, TAGS, Operation
from chalicelib.api.openapi.schemas import REF, component_schemas, schema_ref
from chalicelib.api.openapi.webhooks import webhook_operations, webhook_schemas
from chalicelib.wire.field_docs import PARAMETERS
from chalicelib.wire.problems import MEDIA_TYPE, STATUSES

_PUBLIC_ERRORS: Final = (400, 403, 404, 409, 410, 413, 415, 422, 429, 500, 503)
_TEAM_ERRORS: Final = (400, 401, 403, 404, 409, 413, 415, 422, 429, 500, 503)
# Bodies without a required field: a POST may omit them.
_OPTIONAL_BODIES: Final = {
    "NothingBody",
    "SendBody",
    "RotateBody",
    "LinkChanges",
    "PrivateLinkBody",
    "AnswerBody",
}
_BODY_ERRORS: Final = (413, 415)

_DESCRIPTION: Final = """\
Single-use private booking links. A host creates a link for one event type and sends it to one person, who opens it and
books a time. After that, the link is used.

Times are RFC 3339 in UTC, time zones are IANA names, durations are minutes. Fields are camelCase; unknown fields are
rejected. An error response lists every problem with the request in its `errors` array. To make a retry safe, send an
`Idempotency-Key` with a POST."""

_HEADERS: Final[Mapping[str, tuple[str, dict[str, Any]]]] = {
    "X-Correlation-Id": (
        "The request's id in log entries and events: your own `X-Correlation-Id` if you sent one.",
        {"type": "string"},
    ),
    "Retry-After": ("Seconds to wait before you send the request again.", {"type": "integer", "minimum": 0}),
    "WWW-Authenticate": ("How to authenticate: `Bearer`.", {"type": "string"}),
    "Location": ("The URL of the created resource.", {"type": "string"}),
    "Idempotent-Replayed": (
        "`true` if this is the result of an earlier, identical request.",
        {"type": "string", "enum": ["true"]},
    ),
    "ETag": ("The version of the content. It changes whenever the content changes.", {"type": "string"}),
    "Cache-Control": ("How long you may cache the response.", {"type": "string"}),
    "Batch-Id": ("The id of these links' batch. `GET /v1/links?batchId=` lists them.", {"type": "string"}),
    "Link": ('`<…>; rel="next"`: the URL of the next page, if there is one.', {"type": "string"}),
    "Next-Cursor": ("The `cursor` of the next page, if there is one.", {"type": "string"}),
}


def openapi(routers: Sequence[Router]) -> dict[str, Any]:
    """Return the description of the routers' routes, without pages, assets and HEAD.

    Raises KeyError for a route that is in neither `OPERATIONS` nor `PAGES`.
    """
    routes = [route for router in routers for route in router.routes if route.path not in PAGES]
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        for method in route.methods:
            if method != "HEAD":
                operation = OPERATIONS[f"{method} {route.path}"]
                paths.setdefault(route.path, {})[method.lower()] = _operation(route, method, operation)
    document = {
        "openapi": "3.1.0",
        "info": _info(),
        "servers": [_server()],
        "tags": [{"name": name, "description": words} for name, words in TAGS.items()],
        "paths": paths,
        "webhooks": webhook_operations(),
        "components": {
            "schemas": _schemas(routes),
            "headers": {
                name: {"description": words, "schema": schema} for name, (words, schema) in _HEADERS.items()
            },
            "securitySchemes": {
                "apiKey": {"type": "http", "scheme": "bearer", "description": "An API key, `ao_…`."}
            },
        },
    }
    # Encoding and decoding turn Python's tuples and enums into JSON's types.
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(document))
    return plain


def _info() -> dict[str, Any]:
    return {
        "title": "Admit One",
        "version": __version__,
        "summary": "Single-use private booking links.",
        "description": _DESCRIPTION,
        "contact": {"name": "The team that runs this deployment"},
        "license": {"name": "MIT", "identifier": "MIT"},
    }


def _server() -> dict[str, Any]:
    return {
        "url": "{baseUrl}",
        "description": "Your deployment.",
        "variables": {
            "baseUrl": {
                "default": "http://127.0.0.1:8000",
                "description": "The root URL, without a trailing slash. The default is the URL of `make run`.",
            }
        },
    }


def _schemas(routes: Sequence[Route]) -> dict[str, Any]:
    bodies = [route.body for route in routes if route.body is not None]
    answers = [kind for route in routes for kind in _kinds(route.answer)]
    return dict(sorted((component_schemas(bodies, answers) | webhook_schemas()).items()))


def _operation(route: Route, method: str, about: Operation) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": about.id,
        "tags": [about.tag],
        "summary": about.summary,
        "description": about.description,
        "parameters": list(_parameters(route, method, about)),
        "security": [{"apiKey": []}] if route.needs_key else [],
        "responses": _responses(route, about),
    }
    content = _request_content(route)
    if content:
        kind = route.body.__name__ if route.body else None
        required = not (method == "POST" and kind in _OPTIONAL_BODIES)
        operation["requestBody"] = {"required": required, "content": content}
    return operation


def _parameters(route: Route, method: str, about: Operation) -> Iterator[dict[str, Any]]:
    for name in re.findall(r"{(\w+)}", route.path):
        words, schema = PARAMETERS[name]
        if name in IDS:
            schema = {**schema, "pattern": IDS[name]}
        yield {"name": name, "in": "path", "required": True, "schema": schema, "description": words}
    for name in route.query:
        words, schema = PARAMETERS.get(f"{about.id}.{name}") or PARAMETERS[name]
        if name in IDS:
            schema = {**schema, "pattern": IDS[name]}
        # An import's body is a CSV file, so the event type is a query parameter.
        required = name == "eventTypeId" and method == "POST"
        yield {"name": name, "in": "query", "required": required, "schema": schema, "description": words}
    if route.keyed:
        name = "Idempotency-Key"
        words, schema = PARAMETERS[name]
        yield {"name": name, "in": "header", "required": False, "schema": schema, "description": words}


def _request_content(route: Route) -> dict[str, Any]:
    if route.body is not None:
        name = route.body.__name__
        example = {"example": examples.REQUESTS[name]} if name in examples.REQUESTS else {}
        # Only pages send forms, and pages are not part of the API.
        media_types = [media_type for media_type in route.media if media_type != FORM]
        return {
            media_type: {"schema": schema_ref(route.body, "request"), **example} for media_type in media_types
        }
    if route.media != (JSON,):
        return {media: _file_content(media) for media in route.media}
    return {}


def _file_content(media: str) -> dict[str, Any]:
    if media != MULTIPART:
        return {"schema": {"type": "string"}, "example": examples.CSV}
    file = {"type": "string", "contentMediaType": "text/csv", "description": "The CSV file."}
    return {"schema": {"type": "object", "properties": {"file": file}, "required": ["file"]}}


def _responses(route: Route, about: Operation) -> dict[str, Any]:
    success: dict[str, Any] = {"description": about.result, "headers": _headers(about.headers)}
    content = _answer_content(route)
    if content:
        success["content"] = content
    responses = {str(route.status): success}
    if "ETag" in about.headers:
        responses["304"] = {
            "description": "The content has the `ETag` that you sent in `If-None-Match`.",
            "headers": _headers(about.headers),
        }
    has_body = route.body is not None or route.media != (JSON,)
    for status in _TEAM_ERRORS if route.needs_key else _PUBLIC_ERRORS:
        if has_body or status not in _BODY_ERRORS:
            responses[str(status)] = _error(route, status)
    return responses


def _answer_content(route: Route) -> dict[str, Any]:
    if isinstance(route.answer, str):
        schema = (
            {"type": "object", "additionalProperties": True} if route.answer == JSON else {"type": "string"}
        )
        return {route.answer: {"schema": schema}}
    if route.answer is None:
        return {}
    kinds = _kinds(route.answer)
    schemas = [schema_ref(kind, "response") for kind in kinds]
    content: dict[str, Any] = {"schema": schemas[0] if len(schemas) == 1 else {"anyOf": schemas}}
    if kinds[0].__name__ in examples.RESPONSES:
        content["example"] = examples.RESPONSES[kinds[0].__name__]
    return {JSON: content}


def _kinds(answer: Answer) -> tuple[type, ...]:
    """Return the structs of a route's responses."""
    if isinstance(answer, tuple):
        return answer
    return (answer,) if isinstance(answer, type) else ()


def _error(route: Route, status: int) -> dict[str, Any]:
    content: dict[str, Any] = {MEDIA_TYPE: {"schema": {"$ref": REF.format(name="Problem")}}}
    if route.path.startswith("/v2/"):
        # Errors of /v2 routes use Cal.com's envelope, except those that API Gateway itself returns.
        content = {JSON: {"schema": {"$ref": REF.format(name="CalComError")}}} | content
    headers = {401: ("WWW-Authenticate",), 429: ("Retry-After",), 503: ("Retry-After",)}.get(status, ())
    return {"description": _error_description(status), "headers": _headers(headers), "content": content}


def _error_description(status: int) -> str:
    codes = [f"`{code}`" for code in sorted({kind.code for kind, n in STATUSES.items() if n == status})]
    return f"`type` ends in {'one of: ' if len(codes) > 1 else ''}{', '.join(codes)}."


def _headers(names: Iterable[str]) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in (*names, "X-Correlation-Id")}
