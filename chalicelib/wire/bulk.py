"""Responses about many links: the result for each link, and the check that all of them fit into one response."""

import logging
from collections.abc import Sequence
from typing import Final

import msgspec

from chalicelib.domain.errors import FieldFault, InvalidValueError, TryLaterError
from chalicelib.domain.links.link import LinkSettings
from chalicelib.logs import cause_fields, cause_of, fields
from chalicelib.service.links.revoke import BulkResult
from chalicelib.wire.problems import problem
from chalicelib.wire.responses.links import BulkAnswer, BulkRow

log = logging.getLogger(__name__)

MAX_RESPONSE_BYTES: Final = 5_500_000
LINK_OVERHEAD: Final = 1_100  # bytes per link in addition to its settings, with quotes escaped


def require_response_fits(requested: Sequence[LinkSettings]) -> None:
    """Raise `InvalidValueError` if the response, encoded as a JSON string, would exceed Lambda's limit of 6 MB."""
    sizes: dict[int, int] = {}  # links created with `count` share one settings object
    total = 0
    for settings in requested:
        if id(settings) not in sizes:
            text = msgspec.json.encode(settings).decode(errors="replace")
            sizes[id(settings)] = len(msgspec.json.encode(text)) + LINK_OVERHEAD
        total += sizes[id(settings)]
    if total > MAX_RESPONSE_BYTES:
        raise InvalidValueError(
            [FieldFault("", "the response would be too large; request fewer links at a time")]
        )


def bulk_answer(results: Sequence[BulkResult]) -> BulkAnswer:
    """Return the result for each link as a response. Log the links that failed with a 429 or 503, all in one line."""
    failed = [result.error for result in results if isinstance(result.error, TryLaterError)]
    if failed:
        count, first = len(failed), failed[0]
        about = fields("links-failed", links=count, problem=first.code, **cause_fields(first))
        log.warning(
            "%d of %d links failed, the first with %s", count, len(results), cause_of(first), extra=about
        )
    rows = [
        BulkRow(link_id=result.link_id, status=result.status)
        if result.error is None
        else BulkRow(link_id=result.link_id, problem=problem(result.error))
        for result in results
    ]
    return BulkAnswer(results=rows)
