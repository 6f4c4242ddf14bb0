"""The API description: valid, complete, every field explained, and the committed copy is current."""

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
    """The description."""
    return openapi(ROUTERS)


def test_it_is_valid_openapi(document: dict[str, Any]) -> None:
    """A description that tools refuse describes nothing."""
    OpenAPIV31SpecValidator(document).validate()


def test_the_committed_copy_is_current() -> None:
    """A change of the API shows in review; `make openapi` writes the copy."""
    assert COPY.read_text() == text(), "run `make openapi`"


def test_every_route_is_described_or_a_page(document: dict[str, Any]) -> None:
    """Exactly the API's routes are described. Pages and assets are for browsers; HEAD and OPTIONS are part of HTTP."""
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


def test_every_field_has_words_and_no_words_are_stale(document: dict[str, Any]) -> None:
    """Each field says what it means, with unit and limit; words whose field is gone are gone too."""
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


def test_the_words_are_for_readers_of_the_api(document: dict[str, Any]) -> None:
    """The public text has no promise numbers, ADR references or Python."""
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
    """P9: `/v1` and `/v2` require a key, except the description itself; other paths state that they require none."""
    for path, methods in document["paths"].items():
        for operation in methods.values():
            team = path.startswith(("/v1/", "/v2/")) and path != "/v1/openapi.json"
            assert operation["security"] == ([{"apiKey": []}] if team else []), path


def test_a_request_has_no_default_and_a_response_has_all_of_its_fields(document: dict[str, Any]) -> None:
    """A `default` makes generators demand a field that may be left out; a response's fields are always there."""
    open_ones = {"PrivateLinkInput", "Metadata", "MailTo"}  # Cal.com's ignores what it does not know
    for name in _reached(document, requests=True):
        schema = document["components"]["schemas"][name]
        assert [field for field, about in schema.get("properties", {}).items() if "default" in about] == []
        assert schema.get("additionalProperties") is False or name in open_ones, name
    sparse = {"Overrides", "BulkResult", "Location"}  # a field that they leave out means null or false
    errors = {"Problem", "Fault", "CalComError", "Metadata"}
    for name in _reached(document, requests=False) - sparse - errors:
        schema = document["components"]["schemas"][name]
        assert schema.get("required", []) == list(schema.get("properties", {})), name
    assert document["components"]["schemas"]["LinksInput"]["required"] == ["eventTypeId"]


def test_every_text_and_list_of_a_request_has_its_limit(document: dict[str, Any]) -> None:
    """Each limit of the rules is described, so that a caller knows that 201 characters are too many."""
    free = {"timeZone", "time_zone"}  # an IANA name: its own limit
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


def test_a_limit_of_the_description_is_the_limit_of_the_rules() -> None:
    """The rules accept each described limit and reject one step beyond it, field by field."""
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


def test_enums_are_those_of_their_resource(document: dict[str, Any]) -> None:
    """`status` of links, bookings and deliveries are three different things."""
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


def test_examples_are_what_their_schemas_say(document: dict[str, Any]) -> None:
    """People copy examples: each is valid, and each request and most responses have one."""
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


def test_every_event_that_a_webhook_can_get_is_described(document: dict[str, Any]) -> None:
    """A receiver's types come from the description too, with the headers that Standard Webhooks signs."""
    assert "link.used" in document["webhooks"]
    assert set(document["webhooks"]) == set(
        document["components"]["schemas"]["WebhookInput"]["properties"]["events"]["anyOf"][0]["items"]["enum"]
    )
    for operation in (methods["post"] for methods in document["webhooks"].values()):
        headers = {parameter["name"] for parameter in operation["parameters"]}
        assert headers == {"webhook-id", "webhook-timestamp", "webhook-signature"}


def test_the_npm_tools_are_pinned_and_name_no_registry() -> None:
    """The lock file pins the linters everywhere and names no registry."""
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
    """Return the names of the schemas that requests, or responses, are made of."""
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
