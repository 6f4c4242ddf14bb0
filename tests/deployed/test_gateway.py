"""API Gateway's own responses are problem documents like the app's."""

from typing import Any

import httpx
import pytest

from chalicelib.api.http.cors import ALLOWED_HEADERS, EXPOSED_HEADERS
from chalicelib.api.routes import PREFLIGHT
from chalicelib.domain import errors
from chalicelib.domain.errors import AdmitOneError
from chalicelib.wire.problems import problem
from tests.deployed.conftest import CORS_ORIGIN, Stack
from tests.support.waiting import LIMIT


def _call(stack: Stack, method: str, path: str, **how: Any) -> httpx.Response:
    return httpx.request(method, f"{stack.api_url}{path}", timeout=LIMIT, trust_env=False, **how)


def _is(answer: httpx.Response, error: AdmitOneError) -> None:
    document = problem(error)
    assert (answer.status_code, answer.headers["content-type"]) == (
        document["status"],
        "application/problem+json",
    )
    assert answer.json() == document
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/nowhere"), ("PUT", "/v1/hosts"), ("DELETE", "/s/token")]
)
def test_an_unknown_path_or_method_is_not_found(stack: Stack, method: str, path: str) -> None:
    """P7: the response reveals no more than the one to a forged token."""
    _is(_call(stack, method, path), errors.NotFoundError())


@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": "Bearer ao_" + "A" * 43}, {"Authorization": "Basic eDp5"}]
)
def test_a_missing_or_unknown_key_is_unauthorized(stack: Stack, headers: dict[str, str]) -> None:
    answer = _call(stack, "GET", "/v1/hosts", headers=headers)
    _is(answer, errors.UnauthorizedError())
    assert answer.headers["www-authenticate"] == "Bearer"


def test_a_failing_authorizer_is_a_503_with_a_retry_after(stack: Stack) -> None:
    """While the store does not respond, no key can be checked, so the response is neither 401 nor 500."""
    functions = stack.client("lambda")
    name = stack.physical_id("Authorizer")
    variables = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    broken = {**variables, "TABLE_NAME": "no-such-table"}
    functions.update_function_configuration(FunctionName=name, Environment={"Variables": broken})
    try:
        answer = _call(stack, "GET", "/v1/hosts", headers={"Authorization": "Bearer ao_" + "B" * 43})
    finally:
        functions.update_function_configuration(FunctionName=name, Environment={"Variables": variables})
    _is(answer, errors.StoreUnavailableError())
    assert answer.headers["retry-after"] == "1"


def _cors_of(answer: httpx.Response) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name.startswith("access-control-")}


READABLE = {
    "access-control-allow-origin": CORS_ORIGIN,
    "access-control-expose-headers": ", ".join(EXPOSED_HEADERS),
}


def test_only_a_listed_origin_may_send_preflights_for_every_path(stack: Stack) -> None:
    """A preflight has no key, so it needs no authorizer; it reveals only a path's methods (P5)."""
    for route in PREFLIGHT.routes:
        if route.path == "/v1/openapi.json":  # any site may read that one
            continue
        path = route.path.replace("{", "x-").replace("}", "")
        answer = _call(stack, "OPTIONS", path, headers={"Origin": CORS_ORIGIN})
        assert answer.status_code == 204, path
        assert _cors_of(answer) == READABLE | {
            "access-control-allow-methods": answer.headers["allow"],
            "access-control-allow-headers": ", ".join(ALLOWED_HEADERS),
            "access-control-max-age": "600",
        }
    stranger = _call(stack, "OPTIONS", "/v1/links", headers={"Origin": "https://evil.example"})
    assert (stranger.status_code, _cors_of(stranger), stranger.headers["vary"]) == (204, {}, "Origin")
    assert _call(stack, "OPTIONS", "/console").status_code == 404


def test_a_listed_origin_can_read_responses_and_errors_of_the_app(stack: Stack) -> None:
    with stack.http() as client:
        for path, status in (("/v1/me", 200), ("/v1/links?x=y", 400), ("/v1/links/lnk_x", 404)):
            answer = client.get(path, headers={"Origin": CORS_ORIGIN})
            assert (answer.status_code, _cors_of(answer)) == (status, READABLE), path
            stranger = client.get(path, headers={"Origin": "https://evil.example"})
            assert (stranger.status_code, _cors_of(stranger)) == (status, {}), path
            assert answer.headers["vary"] == stranger.headers["vary"] == "Origin"


def test_any_origin_can_read_gateway_responses(stack: Stack) -> None:
    """Gateway responses have static headers and no caller-specific content."""
    for path in ("/v1/me", "/nowhere"):
        answer = _call(stack, "GET", path, headers={"Origin": CORS_ORIGIN})
        assert answer.status_code in {401, 404}
        assert _cors_of(answer) == READABLE | {"access-control-allow-origin": "*"}
