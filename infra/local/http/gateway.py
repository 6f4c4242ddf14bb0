"""API Gateway on this machine: Chalice's `LocalGateway`, made safe for threads, with API Gateway's own errors.

Like API Gateway, it doesn't call the app for an unknown route, an unsupported method or a missing API key.
"""

import base64
import http
import threading
from collections.abc import Mapping
from typing import Any, ClassVar, Final, NamedTuple

from chalice.app import Chalice
from chalice.config import Config
from chalice.local import (
    EventType,
    ForbiddenError,
    HeaderType,
    LambdaContext,
    LocalChalice,
    LocalGateway,
    NotAuthorizedError,
)

from chalicelib.domain.errors import TryLaterError
from infra.local.http.gateway_problem import GatewayProblem, not_allowed, not_found, unauthorized

BODILESS: Final = frozenset({http.HTTPStatus.NO_CONTENT, http.HTTPStatus.NOT_MODIFIED})


class Answer(NamedTuple):
    """A response: status, headers, body."""

    status: int
    headers: HeaderType
    body: bytes


class Gateway(LocalGateway):
    """API Gateway in front of one app; all threads share it."""

    def __init__(self, app: Chalice) -> None:
        _use_thread_locals(app)
        super().__init__(app, Config.create(chalice_app=app, project_dir="."))

    def resource(self, path: str) -> str | None:
        """Return the route that matches a path with its query, e.g. `/s/{token}`, or None."""
        try:
            match = self.event_converter._route_matcher.match_route(path)  # noqa: SLF001 - no public way
        except ValueError:
            return None
        route: str = match.route
        return route

    def methods(self, resource: str) -> list[str]:
        """Return the methods of a route."""
        return [*self._app_object.routes[resource]]

    def answer(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes, source_ip: str
    ) -> Answer:
        """Return the app's response. Raise `GatewayProblem` if API Gateway would not call the app."""
        resource = self.resource(path)
        if resource is None:
            raise not_found()
        if method not in self._app_object.routes[resource] and method != "OPTIONS":
            raise not_allowed(self.methods(resource))
        event = self._event(method, path, headers, body, source_ip)
        if method == "OPTIONS" and not self._has_user_defined_options_method(event):
            return Answer(http.HTTPStatus.OK, self._autogen_options_headers(event), b"")
        context = self._generate_lambda_context()
        event["requestContext"]["requestId"] = context.aws_request_id
        event = self._authorized(path, event, context)
        return _as_answer(self._app_object(event, context))

    def _event(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes, source_ip: str
    ) -> EventType:
        event = self._generate_lambda_event(method, path, dict(headers), None)
        event["requestContext"]["identity"]["sourceIp"] = source_ip
        content_type = headers.get("content-type", "").partition(";")[0].strip().lower()
        if content_type in self._app_object.api.binary_types:
            event["body"] = base64.b64encode(body).decode("ascii")
            event["isBase64Encoded"] = True
        else:
            # An event is JSON, so API Gateway replaces bytes of a text body that are not UTF-8.
            event["body"] = body.decode("utf-8", errors="replace") if body else None
            event["isBase64Encoded"] = False
        return event

    def _authorized(self, path: str, event: EventType, context: Any) -> EventType:
        method = event["requestContext"]["httpMethod"]
        entry = self._app_object.routes[event["requestContext"]["resourcePath"]][method]
        if entry.authorizer and not event["headers"].get("authorization", "").strip():
            raise unauthorized()  # API Gateway doesn't call the authorizer for an empty header
        try:
            authorized, _ = self._authorizer.authorize(path, event, context)
        except NotAuthorizedError as error:
            raise unauthorized() from error
        except ForbiddenError as error:
            raise GatewayProblem(
                http.HTTPStatus.FORBIDDEN, "This API key is not allowed to do that."
            ) from error
        except TryLaterError as error:
            raise GatewayProblem(http.HTTPStatus.SERVICE_UNAVAILABLE, error.detail, error.code) from error
        except Exception as error:
            if str(error) == "Unauthorized":  # the only message that API Gateway maps to 401
                raise unauthorized() from error
            raise
        return authorized


def _as_answer(response: Mapping[str, Any]) -> Answer:
    headers: HeaderType = {**response["headers"], **response["multiValueHeaders"]}
    has_content = response["statusCode"] not in BODILESS
    if has_content and not any(name.lower() == "content-type" for name in headers):
        headers["Content-Type"] = "application/json"
    body = response["body"]
    if response.get("isBase64Encoded"):
        body = base64.b64decode(body)
    elif isinstance(body, str):
        body = body.encode()
    return Answer(response["statusCode"], headers, body or b"")


class _ThreadLocalChalice(LocalChalice):
    """Keep `lambda_context` per thread, as `LocalChalice` keeps `current_request`."""

    _CONTEXT: ClassVar = threading.local()

    @property
    def lambda_context(self) -> LambdaContext:
        context: LambdaContext = self._CONTEXT.value
        return context

    @lambda_context.setter
    def lambda_context(self, value: LambdaContext) -> None:
        self._CONTEXT.value = value


def _use_thread_locals(app: Chalice) -> None:
    """Change the class of `app` to one that keeps the current request per thread.

    Chalice's local server does the same, but with one class that all apps share.
    """
    if not isinstance(app, _ThreadLocalChalice):
        app.__class__ = type("ThreadLocalApp", (_ThreadLocalChalice, app.__class__), {})
