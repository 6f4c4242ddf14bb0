"""Which answers scripts of other sites may read: those of the API, at the origins that the settings list (CORS).

Cookies play no part: a key is sent by the script itself, so no answer allows credentials.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from chalicelib import bootstrap

ALLOWED_HEADERS: Final = ("Authorization", "Content-Type", "Idempotency-Key", "X-Correlation-Id")
EXPOSED_HEADERS: Final = ("Location", "Retry-After", "X-Correlation-Id", "Idempotent-Replayed", "Batch-Id")
MAX_AGE_SECONDS: Final = 600  # how long a browser may go by a preflight's answer

# Public, without a key, and the same for everybody: any site may read it, e.g. to show it or to generate a client.
_PUBLIC: Final = "/v1/openapi.json"
_SHARED: Final = ("/v1/", "/v2/", "/s/", "/b/")


def is_shared(resource: str) -> bool:
    """Tell whether a route, e.g. `/s/{token}`, is one that other sites' scripts may call."""
    return resource.startswith(_SHARED)


def cors_headers(origin: str | None, resource: str, headers: Mapping[str, str]) -> dict[str, str]:
    """Return what an answer's `headers` have to be joined by, for a request with that `Origin`. Does not raise.

    A page is for its reader alone and lets no script see it. Where no origin is listed there is nothing to join.
    """
    if resource == _PUBLIC:
        return _readable("*")
    listed = _listed() if is_shared(resource) else ()
    if not listed:
        return {}
    # Also where the origin is not listed, or there is none: a cache must not hand that answer to a site that is.
    vary = {"Vary": ", ".join(filter(None, [headers.get("Vary"), "Origin"]))}
    if origin not in listed or headers.get("Content-Type", "").startswith("text/html"):
        return vary
    return vary | _readable(origin)


def preflight_headers(origin: str | None, resource: str, methods: Sequence[str]) -> dict[str, str]:
    """Return what a preflight's answer says besides: which methods and headers a listed origin may use."""
    if resource != _PUBLIC and (not is_shared(resource) or origin not in _listed()):
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


# What the gateway's own answers have where any origin is listed. It sends fixed headers and can't compare an origin
# with a list; its answers are the same for everybody, so that any site may read them gives nothing away.
GATEWAY_HEADERS: Final = _readable("*")


def _listed() -> tuple[str, ...]:
    try:
        return bootstrap.settings().cors_origins
    except RuntimeError:  # what is wrong with the settings is for the view to say
        return ()
