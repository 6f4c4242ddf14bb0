"""Fill one page from index entries, at a cost that does not grow with the list (P10, ADR 0006)."""

import heapq
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Final, Generic, TypeVar

import msgspec

from chalicelib.domain.listings import Entry, write_cursor

ROUNDS: Final = 2  # rounds of reads for one page, in case the index has stale entries

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


def fill(entries: Iterator[Entry], limit: int, stage: str, read: Callable[[list[str]], list[_T]]) -> Page[_T]:
    """Return one page, short if `ROUNDS` do not fill it. `read` returns the items that exist and match."""
    rows: list[_T] = []
    seen: set[str] = set()
    last: Entry | None = None
    following = next(entries, None)
    for _ in range(ROUNDS):
        wanted: list[str] = []
        while following is not None and len(wanted) < limit - len(rows):
            last = following
            if last.item_id not in seen:  # an index may show an item under its old and its new status
                seen.add(last.item_id)
                wanted.append(last.item_id)
            following = next(entries, None)
        rows += read(wanted) if wanted else []
        if following is None or len(rows) == limit:
            break
    return Page(rows, write_cursor(stage, last.sort) if last and following else None)


def _place(entry: Entry) -> str:
    return entry.sort
