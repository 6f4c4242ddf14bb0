"""Fill one page from index entries, at a cost that does not grow with the list (P10, ADR 0006)."""

import heapq
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Final, Generic, TypeVar

import msgspec

from chalicelib.domain.listings import Entry, write_cursor

ROUNDS: Final = 2  # reads a page may take, where the index had something wrong

_T = TypeVar("_T")

Fetch = Callable[[str | None, int], list[Entry]]
"""Gives up to so many entries beyond a place, in the list's order."""


class Page(msgspec.Struct, Generic[_T], frozen=True):
    """One page, and the cursor for the next; a page may be short although more follow."""

    rows: list[_T]
    next_cursor: str | None


def portion(limit: int, streams: int) -> int:
    """Return how many index entries to ask for at a time, so that all of them stay within twice the page.

    One stream: the page, and one more that shows whether more follow. Several are merged: an equal share of each, and
    more of one that runs out.
    """
    return limit + 1 if streams == 1 else max(1, limit // streams)


def stream(fetch: Fetch, place: str | None, size: int) -> Iterator[Entry]:
    """Yield entries in order, asking for the next portion only when the last one is used up."""
    while True:
        entries = fetch(place, size)
        yield from entries
        if len(entries) < size:
            return
        place = entries[-1].sort


def merged(streams: Sequence[Iterator[Entry]], *, newest_first: bool) -> Iterator[Entry]:
    """Yield the entries of several ordered streams in one order; the first portion of each is asked for at once."""
    return heapq.merge(*_begun(streams), key=_place, reverse=newest_first)


def _begun(streams: Sequence[Iterator[Entry]]) -> Sequence[Iterator[Entry]]:
    """Return the streams, each with its first entry there: several trips to the store in the time of one."""
    if len(streams) < 2:
        return streams
    from concurrent.futures import ThreadPoolExecutor  # only here: 10 ms at a cold start otherwise

    with ThreadPoolExecutor(max_workers=len(streams)) as pool:
        firsts = list(pool.map(lambda one: next(one, None), streams))
    return [
        iter(()) if first is None else chain((first,), rest)
        for first, rest in zip(firsts, streams, strict=True)
    ]


def fill(entries: Iterator[Entry], limit: int, stage: str, read: Callable[[list[str]], list[_T]]) -> Page[_T]:
    """Fill a page: `read` returns what exists and fits of some ids. At most two rounds, then a short page."""
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
