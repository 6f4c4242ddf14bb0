"""Compress responses as API Gateway does with `MinimumCompressionSize`."""

import gzip
from typing import Final

from infra.local.http.gateway import BODILESS, Answer

_COMPRESSED_FROM_BYTES: Final = 1024  # MinimumCompressionSize in infra/template/api.json


def compressed(answer: Answer, accept_encoding: str) -> Answer:
    """Return a response as API Gateway sends it: gzipped if it is long and the client accepts gzip."""
    if answer.status in BODILESS or len(answer.body) < _COMPRESSED_FROM_BYTES:
        return answer
    names = {name.lower(): name for name in answer.headers}
    if "content-encoding" in names:
        return answer
    headers = dict(answer.headers)
    vary = headers.get(names.get("vary", "Vary"), "")
    # A response that must not be stored needs no Vary.
    may_be_stored = headers.get(names.get("cache-control", ""), "") != "no-store"
    if may_be_stored and "accept-encoding" not in str(vary).lower():
        headers[names.get("vary", "Vary")] = ", ".join(filter(None, [str(vary), "Accept-Encoding"]))
    if not accepts_gzip(accept_encoding):
        return Answer(answer.status, headers, answer.body)
    body = gzip.compress(answer.body, compresslevel=6, mtime=0)
    return Answer(answer.status, {**headers, "Content-Encoding": "gzip"}, body)


def accepts_gzip(accept_encoding: str) -> bool:
    """Return whether an `Accept-Encoding` accepts gzip (RFC 9110 §12.5.3)."""
    quality: dict[str, float] = {}
    for part in accept_encoding.lower().split(","):
        name, *parameters = (piece.strip() for piece in part.split(";"))
        given = next((parameter[2:] for parameter in parameters if parameter.startswith("q=")), "1")
        try:
            quality[name] = float(given)
        except ValueError:
            quality[name] = 0
    return quality.get("gzip", quality.get("x-gzip", quality.get("*", 0))) > 0
