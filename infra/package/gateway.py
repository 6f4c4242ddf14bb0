"""API Gateway's own responses: problem documents like those of the app.

They are part of the API's definition, not separate resources: a stage serves a snapshot of the definition, and the
snapshot would not contain a resource that is created later.
"""

import copy
import json
from collections.abc import Mapping
from typing import Any, Final

from chalicelib.api.http.cors import GATEWAY_HEADERS
from chalicelib.api.http.routing import HSTS
from chalicelib.domain import errors
from chalicelib.domain.errors import AdmitOneError
from chalicelib.wire.problems import MEDIA_TYPE, STATUSES, problem

RESPONSES: Final = "x-amazon-apigateway-gateway-responses"

# For a path without a route, API Gateway reports a missing or wrong AWS signature. This API does not use signatures, so
# these errors become 404.
_ANSWERS: Final[dict[str, AdmitOneError]] = {
    "ACCESS_DENIED": errors.ForbiddenError(),
    "API_CONFIGURATION_ERROR": errors.UnexpectedError(),
    "AUTHORIZER_CONFIGURATION_ERROR": errors.UnexpectedError(),
    "AUTHORIZER_FAILURE": errors.StoreUnavailableError(),
    "BAD_REQUEST_BODY": errors.InvalidRequestError(),
    "BAD_REQUEST_PARAMETERS": errors.InvalidRequestError(),
    "EXPIRED_TOKEN": errors.NotFoundError(),
    "INTEGRATION_FAILURE": errors.UnexpectedError(),
    "INTEGRATION_TIMEOUT": errors.StoreUnavailableError(),
    "INVALID_API_KEY": errors.NotFoundError(),
    "INVALID_SIGNATURE": errors.NotFoundError(),
    "MISSING_AUTHENTICATION_TOKEN": errors.NotFoundError(),
    "QUOTA_EXCEEDED": errors.ThrottledError(),
    "REQUEST_TOO_LARGE": errors.PayloadTooLargeError(),
    "RESOURCE_NOT_FOUND": errors.NotFoundError(),
    "THROTTLED": errors.ThrottledError(),
    "UNAUTHORIZED": errors.UnauthorizedError(),
    "UNSUPPORTED_MEDIA_TYPE": errors.UnsupportedMediaTypeError(),
    "WAF_FILTERED": errors.ThrottledError(),  # its only rule limits the rate
}
_OTHERS: Final[dict[str, AdmitOneError]] = {
    "DEFAULT_4XX": errors.InvalidRequestError(),
    "DEFAULT_5XX": errors.UnexpectedError(),
}
_HEADERS: Final = {
    "Content-Type": MEDIA_TYPE,
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    **HSTS,
}


def gateway_fragment() -> dict[str, Any]:
    """Return the responses as a fragment of the template."""
    answers = {kind: _answer(error, STATUSES[type(error)]) for kind, error in _ANSWERS.items()}
    answers |= {kind: _answer(error, None) for kind, error in _OTHERS.items()}
    return {"Resources": {"RestAPI": {"Properties": {"DefinitionBody": {RESPONSES: answers}}}}}


def with_described_parameters(template: Mapping[str, Any], parameters: Mapping[str, str]) -> dict[str, Any]:
    """Return the template with the parameters that affect the API described in the API's definition.

    A stage serves a snapshot of the definition. SAM creates a new snapshot only if the definition's text changes, and
    that text does not include the values of parameters.
    """
    whole: dict[str, Any] = copy.deepcopy(dict(template))
    described = [
        *(["With CORS"] if parameters.get("CorsOrigins") else []),
        *(["At its own domain only"] if parameters.get("ExecuteApiEndpoint") == "off" else []),
    ]
    if described:
        whole["Resources"]["RestAPI"]["Properties"]["DefinitionBody"]["info"]["description"] = ". ".join(
            described
        )
    return whole


def _answer(error: AdmitOneError, status: int | None) -> dict[str, Any]:
    """Return one response. If `status` is None, API Gateway's status stays and the document omits it."""
    document = problem(error)
    headers = dict(_HEADERS)
    if isinstance(error, errors.TryLaterError):
        headers["Retry-After"] = str(error.retry_after)
    if isinstance(error, errors.UnauthorizedError):
        headers["WWW-Authenticate"] = "Bearer"
    if status is None:
        del document["status"]
    parameters: dict[str, Any] = {_parameter(name): f"'{value}'" for name, value in headers.items()}
    answer: dict[str, Any] = {
        "responseParameters": parameters | _cors(),
        "responseTemplates": {"application/json": json.dumps(document)},
    }
    return answer if status is None else {"statusCode": str(status), **answer}


def _cors() -> dict[str, Any]:
    """Return the CORS headers that let other sites read these responses, if the deployment allows any site."""
    return {
        _parameter(name): {"Fn::If": ["HasCors", f"'{value}'", {"Ref": "AWS::NoValue"}]}
        for name, value in GATEWAY_HEADERS.items()
    }


def _parameter(header: str) -> str:
    return f"gatewayresponse.header.{header}"
