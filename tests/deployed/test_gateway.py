"""What API Gateway answers by itself: problem documents, the same as the app's own."""

from typing import Any

import httpx
import pytest

from chalicelib.api.problems import problem
from chalicelib.domain import errors
from chalicelib.domain.errors import AdmitOneError
from tests.deployed.conftest import Stack


def _call(stack: Stack, method: str, path: str, **how: Any) -> httpx.Response:
    return httpx.request(method, f"{stack.api_url}{path}", timeout=60, trust_env=False, **how)


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
def test_no_route_is_not_found(stack: Stack, method: str, path: str) -> None:
    """An unknown path, or a method that a path does not have, tells no more than a forged token does (P7)."""
    _is(_call(stack, method, path), errors.NotFoundError())


@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": "Bearer ao_" + "A" * 43}, {"Authorization": "Basic eDp5"}]
)
def test_no_key_or_none_of_ours_is_unauthorized(stack: Stack, headers: dict[str, str]) -> None:
    answer = _call(stack, "GET", "/v1/hosts", headers=headers)
    _is(answer, errors.UnauthorizedError())
    assert answer.headers["www-authenticate"] == "Bearer"


def test_an_authorizer_that_fails_is_a_503_worth_another_try(stack: Stack) -> None:
    """A key can't be told from none while the store does not answer: neither 401 nor 500."""
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
