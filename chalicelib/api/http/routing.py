"""Routes: a Chalice blueprint whose views take a `Call`, return a `Reply`, and may raise any domain error.

Chalice catches a view's exception before its middleware sees it, so the error handling is done here.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec
from chalice.app import Blueprint, ChaliceAuthorizer, Response

from chalicelib import bootstrap
from chalicelib.api.http.call import JSON, Call, Limits
from chalicelib.api.http.cors import cors_headers
from chalicelib.domain.errors import AdmitOneError
from chalicelib.logs import correlated
from chalicelib.wire.failures import known_error, log_failure
from chalicelib.wire.problems import MEDIA_TYPE, problem, problem_headers

SMALL_BODY: Final = 64 * 1024

# Without subdomains: this app does not know which of them support TLS.
HSTS: Final = {"Strict-Transport-Security": "max-age=31536000"}

_READING: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_COMMON: Final = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


class Reply(msgspec.Struct, frozen=True):
    """A response. `body` is text, because Chalice would encode other values where no error handler catches failures."""

    status: int
    body: str = ""
    headers: Mapping[str, str] = msgspec.field(default_factory=dict)


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """A route's declaration, from which the API description is generated."""

    methods: tuple[str, ...]
    path: str
    query: tuple[str, ...]
    body: type | None
    answer: "Answer"
    status: int
    keyed: bool
    media: tuple[str, ...]
    needs_key: bool


Answer = type | tuple[type, ...] | str | None
"""The body of a route's response: a struct (or several) for JSON, a media type for text, None for no body."""

View = Callable[[Call], Reply]
ShowError = Callable[[Call, AdmitOneError], Reply | None]
HeadersOf = Callable[[Call], Mapping[str, str]]


def json_reply(status: int, value: Any, headers: Mapping[str, str] | None = None) -> Reply:
    """Return a JSON response."""
    return Reply(status, msgspec.json.encode(value).decode(), {"Content-Type": JSON, **(headers or {})})


class Router(Blueprint):
    """A set of routes that share headers, an authorizer, and a way to show errors other than as JSON.

    `headers_of` returns headers that depend on the request. Error responses use it as well, so it must not raise.
    """

    def __init__(
        self,
        import_name: str,
        *,
        authorizer: ChaliceAuthorizer | None = None,
        headers: Mapping[str, str] | None = None,
        headers_of: HeadersOf | None = None,
        show_error: ShowError | None = None,
    ) -> None:
        super().__init__(import_name)
        self._authorizer = authorizer
        self._headers = {**_COMMON, **(headers or {})}
        self._headers_of = headers_of
        self._show_error = show_error
        self.routes: list[Route] = []

    def on(
        self,
        methods: str,
        path: str,
        *,
        query: tuple[str, ...] = (),
        body: type | None = None,
        answer: Answer = None,
        status: int = 200,
        keyed: bool = False,
        max_bytes: int = SMALL_BODY,
        media: tuple[str, ...] = (JSON,),
    ) -> Callable[[View], View]:
        """Register a view for methods (`"GET HEAD"`) on a path.

        `query` lists the parameters that `Call.query` allows. `body`, `answer`, `status` and `keyed` (the route accepts
        an `Idempotency-Key`) are only documented in the API description; the view implements them.
        """

        def register(view: View) -> View:
            @functools.wraps(view)
            def handle(**_: str) -> Response:
                limits = Limits(query=query, max_bytes=max_bytes, media=media)
                # Views get their dependencies only here.
                call = Call(self.current_request, limits, world=bootstrap.world, settings=bootstrap.settings)
                return self._handle(view, call)

            served = methods.split()
            if "GET" in served and "HEAD" not in served:
                served.append("HEAD")  # RFC 9110 §9.1 requires it; the API description omits it
            # No content types: Chalice would respond 415 in its own format, without checking the body's size.
            self.route(path, methods=served, authorizer=self._authorizer, content_types=[])(handle)
            self.routes.append(
                Route(
                    methods=tuple(methods.split()),
                    path=path,
                    query=query,
                    body=body,
                    answer=answer,
                    status=status,
                    keyed=keyed,
                    media=media,
                    needs_key=self._authorizer is not None,
                )
            )
            return view

        return register

    def _handle(self, view: View, call: Call) -> Response:
        with correlated(call.correlation_id):
            try:
                if call.method not in _READING:
                    call.world.require_writable()
                reply = view(call)
            except Exception as error:  # noqa: BLE001 - every failure gets a response in the route's format
                reply = self._failed(call, error)
        of_request = self._headers_of(call) if self._headers_of else {}
        over_tls = HSTS if bootstrap.behind_tls() else {}
        headers = {
            **self._headers,
            **over_tls,
            **of_request,
            **reply.headers,
            "X-Correlation-Id": call.correlation_id,
        }
        headers |= cors_headers(call, self.current_request.path, headers)
        # The response to HEAD has a body: the HTTP server in front drops it and keeps its length (RFC 9110 §8.6).
        return Response(reply.body, headers=dict(headers), status_code=reply.status)

    def _failed(self, call: Call, error: Exception) -> Reply:
        """Return an error's response, and log it if it is a 429 or 5xx."""
        known, shown = known_error(error), None
        if self._show_error is not None:
            try:
                shown = self._show_error(call, known)
            except Exception as another:  # noqa: BLE001 - a page may need another read, which may fail too
                error, known = another, known_error(another)
        # P7: the route, e.g. `/s/{token}`, and not the path, which contains the token.
        route = self.current_request.path
        log_failure(error, f"{call.method} {route}", method=call.method, route=route)
        if shown is not None:
            return Reply(shown.status, shown.body, {**problem_headers(known), **shown.headers})
        document = problem(known, call.correlation_id)
        return json_reply(
            document["status"], document, {"Content-Type": MEDIA_TYPE, **problem_headers(known)}
        )
