"""Fill one page from index entries, at a cost that does not grow with the list (P10, ADR 0006)."""

import heapq
import json
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Final, Generic, TypeVar

import msgspec

from chalicelib.domain.listings import Entry, write_cursor

ROUNDS: Final = 2  # rounds of reads for one page, in case the index has stale entries
GROUP: Final = 50  # items to read at a time
# Lambda's responses have up to 6 MB. The text of a row is escaped as in the response; what the response adds to a row,
# such as URLs, is in `ROW_OVERHEAD`.
MAX_PAGE_BYTES: Final = 4_500_000
ROW_OVERHEAD: Final = 1_000

_T = TypeVar("_T")

Fetch = Callable[[str | None, int], list[Entry]]
"""Takes a place and a limit; returns up to that many entries after the place, in the list's order."""


class Page(msgspec.Struct, Generic[_T], frozen=True):
    """One page, and the cursor for the next. A page may be short although more follow."""

    rows: list[_T]
    next_cursor: str | None


def portion(limit: int, streams: int) -> int:
    """Return how many index entries to read at a time, so that a page reads at most about twice its size.

    From one stream, read the page and one more entry, which shows whether more follow. From several streams, which are
    merged, read an equal share of each, and another share from one that runs out.
    """
    return limit + 1 if streams == 1 else max(1, limit // streams)


def stream(fetch: Fetch, place: str | None, size: int) -> Iterator[Entry]:
    """Yield entries in order; read the next portion only when the last one is used up."""
    while True:
        entries = fetch(place, size)
        yield from entries
        if len(entries) < size:
            return
        place = entries[-1].sort


def merged(streams: Sequence[Iterator[Entry]], *, newest_first: bool) -> Iterator[Entry]:
    """Merge ordered streams into one; read the first portion of each concurrently."""
    return heapq.merge(*_started(streams), key=_place, reverse=newest_first)


def _started(streams: Sequence[Iterator[Entry]]) -> Sequence[Iterator[Entry]]:
    """Return the streams with the first entry of each already read, concurrently, in one round trip."""
    if len(streams) < 2:
        return streams
    from concurrent.futures import ThreadPoolExecutor  # imported here: it adds 10 ms to a cold start

    with ThreadPoolExecutor(max_workers=len(streams)) as pool:
        firsts = list(pool.map(lambda one: next(one, None), streams))
    return [
        iter(()) if first is None else chain((first,), rest)
        for first, rest in zip(firsts, streams, strict=True)
    ]


def fill(
    entries: Iterator[Entry],
    limit: int,
    stage: str,
    read: Callable[[list[str]], list[_T]],
    id_of: Callable[[_T], str],
) -> Page[_T]:
    """Return one page, short if `ROUNDS` do not fill it or if it would exceed `MAX_PAGE_BYTES`.

    `read` returns the items that exist and match, in the given order, and `id_of` an item's id.
    """
    found: list[tuple[Entry, _T]] = []
    seen: set[str] = set()
    last: Entry | None = None
    following = next(entries, None)
    room = MAX_PAGE_BYTES
    for _ in range(ROUNDS):
        wanted: dict[str, Entry] = {}
        while following is not None and len(wanted) < limit - len(found):
            last = following
            if last.item_id not in seen:  # an index may show an item under its old and its new status
                seen.add(last.item_id)
                wanted[last.item_id] = last
            following = next(entries, None)
        for row in _read_in_groups(list(wanted), read):
            room -= _bytes_of(row)
            if room < 0 and found:
                return _page(found, stage)
            found.append((wanted[id_of(row)], row))
        if following is None or len(found) == limit:
            break
    rows = [row for _, row in found]
    return Page(rows, write_cursor(stage, last.sort) if last and following else None)


def page_of(found: Sequence[tuple[Entry, _T | None]], limit: int, stage: str) -> Page[_T]:
    """Return one page of rows that are already read: `limit` of them, and one more if more follow.

    A row that is None is left out. The page is short if it would exceed `MAX_PAGE_BYTES`.
    """
    room = MAX_PAGE_BYTES
    fitting: list[tuple[Entry, _T | None]] = []
    for entry, row in found[:limit]:
        room -= 0 if row is None else _bytes_of(row)
        if room < 0 and fitting:
            break
        fitting.append((entry, row))
    if len(fitting) < len(found):
        return _page(fitting, stage)
    return Page([row for _, row in fitting if row is not None], None)


def _page(found: Sequence[tuple[Entry, _T | None]], stage: str) -> Page[_T]:
    """Return a page after which more follow."""
    return Page([row for _, row in found if row is not None], write_cursor(stage, found[-1][0].sort))


def _read_in_groups(item_ids: list[str], read: Callable[[list[str]], list[_T]]) -> Iterator[_T]:
    """Yield items; read the next group only when they are used up, because large items may already fill the page."""
    for at in range(0, len(item_ids), GROUP):
        yield from read(item_ids[at : at + GROUP])


def _bytes_of(row: object) -> int:
    """Return about how many bytes a row takes in Lambda's response, where it is JSON in a JSON string."""
    return len(json.dumps(msgspec.json.encode(row).decode())) + ROW_OVERHEAD


def _place(entry: Entry) -> str:
    return entry.sort
