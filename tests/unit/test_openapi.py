"""The API's description: valid, complete, every field in words, and the committed copy is what the code says."""

from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

import app
from chalicelib.api.doors import DOORS
from chalicelib.api.field_docs import FIELDS, KIND_FIELDS, PARAMETERS
from chalicelib.api.openapi import openapi
from infra.openapi import COPY, text


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """The description."""
    return openapi(DOORS)


def test_it_is_valid_openapi(document: dict[str, Any]) -> None:
    """A description that tools refuse describes nothing."""
    OpenAPIV31SpecValidator(document).validate()


def test_the_committed_copy_is_current() -> None:
    """A change of the API shows in review; `make openapi` writes the copy."""
    assert COPY.read_text() == text(), "run `make openapi`"


def test_every_route_is_described(document: dict[str, Any]) -> None:
    """No door is left out, none is made up. OPTIONS is HTTP's own."""
    served = {(path, method.lower()) for path, methods in app.app.routes.items() for method in methods}
    served = {(path, method) for path, method in served if method != "options"}
    # HEAD goes with GET (RFC 9110 §9.1); it is described where it stood in a route before.
    gets = {(path, "head") for path, method in served if method == "get"}
    described = {(path, method) for path, methods in document["paths"].items() for method in methods}
    assert described <= served
    assert served - described <= gets


def test_every_field_has_words_and_no_words_are_stale(document: dict[str, Any]) -> None:
    """Each field says what it means, with unit and limit; words whose field is gone are gone too."""
    properties = {
        f"{name}.{field}": about
        for name, schema in document["components"]["schemas"].items()
        for field, about in schema.get("properties", {}).items()
    }
    assert [name for name, about in properties.items() if not about.get("description")] == []
    assert [name for name in KIND_FIELDS if name not in properties] == []
    fields = {name.partition(".")[2] for name in properties if name not in KIND_FIELDS}
    assert [name for name in FIELDS if name not in fields] == []
    used = {
        p["name"] for path in document["paths"].values() for op in path.values() for p in op["parameters"]
    }
    assert set(PARAMETERS) == used


def test_operation_ids_are_unique(document: dict[str, Any]) -> None:
    """A client generator names its methods by them."""
    ids = [op["operationId"] for path in document["paths"].values() for op in path.values()]
    assert sorted(ids) == sorted(set(ids))


def test_only_the_teams_routes_need_a_key(document: dict[str, Any]) -> None:
    """P9: `/v1` and `/v2` ask for a key, but for the description itself; the invitee's door never does."""
    for path, methods in document["paths"].items():
        for operation in methods.values():
            team = path.startswith(("/v1/", "/v2/")) and path != "/v1/openapi.json"
            assert ("security" in operation) is team, path
