"""The errors that API Gateway returns without calling the app."""

import http
import json
import re
from collections.abc import Sequence

from chalice.local import HeaderType

from chalicelib.wire.problems import PROBLEM_TYPE


class GatewayProblem(Exception):
    """An error that API Gateway returns without calling the app, as an RFC 9457 document."""

    def __init__(
        self, status: http.HTTPStatus, detail: str, slug: str | None = None, allow: Sequence[str] = ()
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.allow = allow
        self.slug = slug or re.sub(r"[^a-z]+", "-", status.phrase.lower()).strip("-")

    def headers(self) -> HeaderType:
        """Return the response's headers."""
        headers = {"Content-Type": "application/problem+json"}
        if self.status == http.HTTPStatus.UNAUTHORIZED:
            headers["WWW-Authenticate"] = "Bearer"
        if self.status == http.HTTPStatus.METHOD_NOT_ALLOWED:
            headers["Allow"] = ", ".join(self.allow)
        if self.status == http.HTTPStatus.SERVICE_UNAVAILABLE:
            headers["Retry-After"] = "1"
        return headers

    def body(self) -> bytes:
        """Return the RFC 9457 document."""
        document = {
            "type": PROBLEM_TYPE + self.slug,
            "title": self.status.phrase,
            "status": self.status,
            "detail": self.detail,
        }
        return json.dumps(document).encode()


def unauthorized() -> GatewayProblem:
    """Return a 401."""
    return GatewayProblem(http.HTTPStatus.UNAUTHORIZED, "A valid API key is required.")


def not_found() -> GatewayProblem:
    """Return a 404."""
    return GatewayProblem(http.HTTPStatus.NOT_FOUND, "There is nothing here.")


def not_allowed(methods: Sequence[str]) -> GatewayProblem:
    """Return a 405 for a path that has only `methods`."""
    return GatewayProblem(
        http.HTTPStatus.METHOD_NOT_ALLOWED, "This path does not support that method.", allow=methods
    )


def bad_request(detail: str) -> GatewayProblem:
    """Return a 400."""
    return GatewayProblem(http.HTTPStatus.BAD_REQUEST, detail, "invalid-request")


def internal_error() -> GatewayProblem:
    """Return a 500."""
    return GatewayProblem(
        http.HTTPStatus.INTERNAL_SERVER_ERROR, "Something went wrong on our side.", "internal-error"
    )
