"""The API description is valid and complete, explains every field, and its committed copy is current (P9)."""

import json
import re
from collections.abc import Iterator
from typing import Any

import jsonschema
import msgspec
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

import app
from chalicelib.api.openapi import schemas as openapi_schemas
from chalicelib.api.openapi.constraints import request_constraints
from chalicelib.api.openapi.document import openapi
from chalicelib.api.openapi.examples import COMPLETE, REQUESTS, RESPONSES
from chalicelib.api.openapi.operations import OPERATIONS, PAGES, TAGS
from chalicelib.api.routes import ROUTERS
from chalicelib.domain.errors import InvalidValueError
from chalicelib.domain.event_types.event_type import check_event_settings
from chalicelib.domain.validation import Rules
from chalicelib.wire.field_docs import FIELDS, KIND_FIELDS, PARAMETERS
from chalicelib.wire.requests.event_types import EventTypeBody
from infra.generate.openapi import COPY, text
from infra.paths import ROOT


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """Return the description."""
    return openapi(ROUTERS)


def test_the_description_is_valid_openapi(document: dict[str, Any]) -> None:
    """Tools reject an invalid description."""
    OpenAPIV31SpecValidator(document).validate()


def test_the_committed_copy_is_current() -> None:
    """A change of the API shows in review; `make openapi` writes the copy."""
    assert COPY.read_text() == text(), "run `make openapi`"


def test_exactly_the_routes_of_the_api_are_described(document: dict[str, Any]) -> None:
    """Pages and assets are for browsers, and HEAD and OPTIONS are part of HTTP, so they are not described."""
    served = {
        f"{method} {path}"
        for path, methods in app.app.routes.items()
        for method in methods
        if path not in PAGES and method not in {"HEAD", "OPTIONS"}
    }
    described = {
        f"{method.upper()} {path}" for path, methods in document["paths"].items() for method in methods
    }
    assert described == served == set(OPERATIONS)
    assert set(app.app.routes) >= PAGES


def test_every_field_has_a_description_and_no_description_is_stale(document: dict[str, Any]) -> None:
    """A description whose field no longer exists must be removed."""
    properties = {
        f"{name}.{field}": about
        for name, schema in document["components"]["schemas"].items()
        for field, about in schema.get("properties", {}).items()
    }
    assert [name for name, about in properties.items() if not about.get("description")] == []
    structs = {
        f"{struct.__name__}.{field.encode_name}"
        for route in _routes()
        for kind in _kinds(route)
        for struct in _structs([kind])
        for field in msgspec.structs.fields(struct)
    }
    assert [name for name in KIND_FIELDS if name not in structs] == []
    fields = {name.partition(".")[2] for name in structs if name not in KIND_FIELDS}
    assert [name for name in FIELDS if name not in fields | {"problem"}] == []
    used = {(id_, p["name"]) for id_, p in _parameters(document)}
    known = {f"{id_}.{name}" for id_, name in used} | {name for _, name in used}
    assert [name for name in PARAMETERS if name not in known] == []


def test_descriptions_are_written_for_readers_of_the_api(document: dict[str, Any]) -> None:
    """They have no promise numbers, ADR references or Python terms."""
    inner = re.compile(r"(?<!If-)\bNone\b|\(?\bP\d{1,2}\b|\bADR\b|msgspec|UNSET|docs/|_[a-z]+ None")
    assert [words for words in _words(document) if inner.search(words)] == []


def test_operation_ids_are_unique_and_readable(document: dict[str, Any]) -> None:
    """Client generators name methods after operationIds: `createLinks`, not `linksPostLinks`."""
    ids = [operation["operationId"] for operation in _operations(document)]
    assert sorted(ids) == sorted(set(ids))
    assert [one for one in ids if not re.fullmatch(r"[a-z]+(?:[A-Z][a-z]+)*", one)] == []
    tags = {tag for operation in _operations(document) for tag in operation["tags"]}
    assert tags <= set(TAGS)


def test_only_the_teams_routes_need_a_key(document: dict[str, Any]) -> None:
    """P9: `/v1` and `/v2`, except description and version, require a key; the other paths state that they don't."""
    for path, methods in document["paths"].items():
        for operation in methods.values():
            team = path.startswith(("/v1/", "/v2/")) and path not in {"/v1/openapi.json", "/v1/version"}
            assert operation["security"] == ([{"apiKey": []}] if team else []), path


def test_requests_have_no_defaults_and_responses_have_all_their_fields(document: dict[str, Any]) -> None:
    """With a `default`, client generators require an optional field; fields of responses are always present."""
    open_ones = {"PrivateLinkInput", "Metadata", "MailTo"}  # Cal.com's request ignores unknown fields
    for name in _reached(document, requests=True):
        schema = document["components"]["schemas"][name]
        assert [field for field, about in schema.get("properties", {}).items() if "default" in about] == []
        assert schema.get("additionalProperties") is False or name in open_ones, name
    sparse = {"Overrides", "BulkResult", "Location"}  # an absent field means null or false
    errors = {"Problem", "Fault", "CalComError", "Metadata"}
    for name in _reached(document, requests=False) - sparse - errors:
        schema = document["components"]["schemas"][name]
        assert schema.get("required", []) == list(schema.get("properties", {})), name
    assert document["components"]["schemas"]["LinksInput"]["required"] == ["eventTypeId"]


def test_every_text_and_list_of_a_request_has_its_limit(document: dict[str, Any]) -> None:
    """The description has each limit of the rules, for example 200 characters."""
    free = {"timeZone", "time_zone"}  # an IANA name needs no other limit
    open_ended = {"cursor", "language", "status", "days"}
    missing = []
    for name in _reached(document, requests=True):
        for field, about in document["components"]["schemas"][name].get("properties", {}).items():
            for schema in about.get("anyOf", [about]):
                limits = {
                    "string": {"maxLength", "pattern", "enum", "format"},
                    "array": {"maxItems"},
                }.get(schema.get("type"))
                if limits and not schema.keys() & limits and field not in free | open_ended:
                    missing.append(f"{name}.{field}")
    assert missing == []


def test_the_described_limits_are_those_of_the_rules() -> None:
    """For each field, the rules accept the described limit and reject one step beyond it."""
    base = msgspec.convert(COMPLETE["EventTypeBody"], EventTypeBody).settings()
    edges = {
        "/title": "title",
        "/description": "description",
        "/bookingWindowDays": "booking_window_days",
        "/minimumNoticeMinutes": "minimum_notice_minutes",
        "/slotIntervalMinutes": "slot_interval_minutes",
    }
    limits = request_constraints()["EventTypeBody"]
    for pointer, field in edges.items():
        limit = limits[pointer]
        step = limit.get("multipleOf", 1)
        if "maxLength" in limit:
            good, bad = "x" * limit["maxLength"], "x" * (limit["maxLength"] + 1)
        else:
            good, bad = limit["maximum"], limit["maximum"] + step
        assert _faults(msgspec.structs.replace(base, **{field: good})) == []
        assert _faults(msgspec.structs.replace(base, **{field: bad})) == [pointer]


def test_each_resource_has_its_own_statuses(document: dict[str, Any]) -> None:
    """The `status` of links, of bookings and of deliveries have different values."""
    found = {
        id_: set(parameter["schema"]["enum"])
        for id_, parameter in _parameters(document)
        if parameter["name"] == "status"
    }
    assert found["listLinks"] == found["exportLinks"] == {"active", "used", "expired", "revoked"}
    assert found["listBookings"] == {"confirmed", "cancelled"}
    assert found["listWebhookDeliveries"] == {"pending", "delivered", "failed"}
    assert (
        "urn:admit-one:problem:link-used"
        in (document["components"]["schemas"]["Problem"]["properties"]["type"]["enum"])
    )


def test_every_example_matches_its_schema(document: dict[str, Any]) -> None:
    """Readers copy the examples; each request and most responses have one."""
    seen = 0
    for operation in _operations(document):
        contents = [operation.get("requestBody", {}).get("content", {})]
        contents += [response.get("content", {}) for response in operation["responses"].values()]
        for media in (media for content in contents for media in content.values() if "example" in media):
            whole = {**media["schema"], "components": document["components"]}
            jsonschema.Draft202012Validator(
                whole, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
            ).validate(media["example"])
            seen += 1
    assert seen > 50
    kinds = {kind.__name__ for route in _routes() for kind in _kinds(route)}
    assert set(REQUESTS) | set(RESPONSES) <= kinds, "an example without a schema"
    bodies = {route.body.__name__ for route in _routes() if route.body}
    assert bodies <= set(REQUESTS), "a request without an example (api/openapi/examples.py)"


def test_every_webhook_event_is_described(document: dict[str, Any]) -> None:
    """Receivers generate their types from the description, with the headers of Standard Webhooks."""
    assert "link.used" in document["webhooks"]
    assert set(document["webhooks"]) == set(
        document["components"]["schemas"]["WebhookInput"]["properties"]["events"]["anyOf"][0]["items"]["enum"]
    )
    for operation in (methods["post"] for methods in document["webhooks"].values()):
        headers = {parameter["name"] for parameter in operation["parameters"]}
        assert headers == {"webhook-id", "webhook-timestamp", "webhook-signature"}


def test_the_npm_tools_are_pinned_and_name_no_registry() -> None:
    """The lock file pins the linters and contains no registry's URL."""
    folder = ROOT / "infra" / "npm"
    wanted = json.loads((folder / "package.json").read_text())["devDependencies"]
    locked = json.loads((folder / "package-lock.json").read_text())["packages"]
    assert {name: locked[f"node_modules/{name}"]["version"] for name in wanted} == wanted
    packages = [package for place, package in locked.items() if place]
    assert all("integrity" in package or package.get("inBundle") for package in packages)
    assert [package for package in packages if "resolved" in package] == []


def _faults(settings: Any) -> list[str]:
    rules = Rules()
    check_event_settings(settings, rules)
    try:
        rules.enforce()
    except InvalidValueError as error:
        return [fault.pointer for fault in error.faults]
    return []


def _routes() -> list[Any]:
    return [route for router in ROUTERS for route in router.routes if route.path not in PAGES]


def _kinds(route: Any) -> list[type]:
    """Return the structs that a route accepts and returns."""
    answers = route.answer if isinstance(route.answer, tuple) else (route.answer,)
    return [kind for kind in (route.body, *answers) if isinstance(kind, type)]


def _operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for group in ("paths", "webhooks"):
        for methods in document[group].values():
            yield from methods.values()


def _parameters(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for methods in document["paths"].values():
        for operation in methods.values():
            for parameter in operation["parameters"]:
                yield operation["operationId"], parameter


def _words(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        yield from (part[name] for name in ("description", "summary") if isinstance(part.get(name), str))
        for inner in part.values():
            yield from _words(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from _words(inner)


def _reached(document: dict[str, Any], *, requests: bool) -> set[str]:
    """Return the names of all schemas that requests, or responses, use."""
    components = document["components"]["schemas"]
    waiting = [
        part
        for methods in document["paths"].values()
        for operation in methods.values()
        for part in ([operation.get("requestBody")] if requests else [operation["responses"]])
    ]
    reached: set[str] = set()
    while waiting:
        names = set(re.findall(r"#/components/schemas/(\w+)", str(waiting.pop()))) - reached
        reached |= names
        waiting += [components[name] for name in names]
    return reached


def _structs(kinds: list[type]) -> Iterator[type[msgspec.Struct]]:
    yield from openapi_schemas.structs_of(kinds)
