"""CORS headers: they let scripts from the origins in the settings read the API's responses, but not its pages.

There are no cookies: a script sends its API key itself, so no response allows credentials.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from chalicelib.api.http.call import Call

ALLOWED_HEADERS: Final = ("Authorization", "Content-Type", "Idempotency-Key", "X-Correlation-Id")
EXPOSED_HEADERS: Final = ("Location", "Retry-After", "X-Correlation-Id", "Idempotent-Replayed", "Batch-Id")
MAX_AGE_SECONDS: Final = 600  # how long a browser may cache a preflight response

# The API description is public and the same for everybody, so any site may read it, e.g. to generate a client.
_PUBLIC: Final = "/v1/openapi.json"
_SHARED: Final = ("/v1/", "/v2/", "/s/", "/b/")


def is_shared(resource: str) -> bool:
    """Return whether scripts of other sites may call a route, e.g. `/s/{token}`."""
    return resource.startswith(_SHARED)


def cors_headers(call: Call, resource: str, headers: Mapping[str, str]) -> dict[str, str]:
    """Return the CORS headers to add to a response that has these `headers`. Does not raise.

    A page gets no CORS headers, so no script can read it. Without origins in the settings, no response gets any.
    """
    if resource == _PUBLIC:
        return _readable("*")
    listed = _listed(call) if is_shared(resource) else ()
    if not listed:
        return {}
    # `Vary: Origin` even if the origin is missing or not listed: no cache may serve that response to a listed origin.
    origin = call.header("origin")
    vary = {"Vary": ", ".join(filter(None, [headers.get("Vary"), "Origin"]))}
    if origin not in listed or headers.get("Content-Type", "").startswith("text/html"):
        return vary
    return vary | _readable(origin)


def preflight_headers(call: Call, resource: str, methods: Sequence[str]) -> dict[str, str]:
    """Return the additional headers of a preflight response: the methods and headers that a listed origin may use."""
    if resource != _PUBLIC and (not is_shared(resource) or call.header("origin") not in _listed(call)):
        return {}
    return {
        "Access-Control-Allow-Methods": ", ".join(methods),
        "Access-Control-Allow-Headers": ", ".join(ALLOWED_HEADERS),
        "Access-Control-Max-Age": str(MAX_AGE_SECONDS),
    }


def _readable(origin: str) -> dict[str, str]:
    return {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Expose-Headers": ", ".join(EXPOSED_HEADERS),
    }


# API Gateway's own responses have these if any origin is listed. It sends fixed headers and can't compare an origin
# with a list; its responses are the same for everybody, so letting any site read them reveals nothing.
GATEWAY_HEADERS: Final = _readable("*")


def _listed(call: Call) -> tuple[str, ...]:
    settings = call.settings_or_none
    return settings.cors_origins if settings else ()
