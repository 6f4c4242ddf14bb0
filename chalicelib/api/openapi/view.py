"""Serve the API description. It is generated when the app is packaged, or on the first request if the app is not."""

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Final

import msgspec

from chalicelib.api.http.call import JSON
from chalicelib.api.http.routing import Reply, Router

BUILT: Final = Path(__file__).with_name("openapi.json")  # exists only in the package
_FRESH_SECONDS: Final = 300  # a client may cache the description this long; a new deployment can change it
_MAX_TAGS: Final = 50


def describe(routers: Sequence[Router]) -> bytes:
    """Return the description of the routers as JSON."""
    from chalicelib.api.openapi.document import openapi  # imported here to save 10 ms at a cold start

    return msgspec.json.encode(openapi(routers))


def description_reply(routers: tuple[Router, ...], if_none_match: str | None) -> Reply:
    """Return the description, or 304 for a client that has it."""
    text, tag = _built(routers)
    headers = {
        "Cache-Control": f"public, max-age={_FRESH_SECONDS}",
        "ETag": tag,
        "Vary": "Accept-Encoding",
    }
    if _has(if_none_match, tag):
        return Reply(304, headers=headers)
    return Reply(200, text, {"Content-Type": JSON, **headers})


@lru_cache(maxsize=1)
def _built(routers: tuple[Router, ...]) -> tuple[str, str]:
    """Return the text and its entity tag, a hash. The tag is weak because API Gateway may compress the body."""
    content = BUILT.read_bytes() if BUILT.exists() else describe(routers)
    return content.decode(), f'W/"{hashlib.sha256(content).hexdigest()[:16]}"'


def _has(if_none_match: str | None, tag: str) -> bool:
    """Return whether the client's tags include this one, by weak comparison (RFC 9110 §13.1.2)."""
    given = [text.strip().removeprefix("W/") for text in (if_none_match or "").split(",", _MAX_TAGS)]
    return "*" in given or tag.removeprefix("W/") in given
