"""Measure what a page of a list reads in tables of a thousand to a million links (P10)."""

import os
import time
from typing import Any, Final

from tests.bench.report.plots import Plot
from tests.bench.report.sections import Section, quartiles, spread
from tests.bench.setup.loader import Loaded, site_with_links
from tests.bench.setup.site import proxy_event

SIZES: Final = [int(size) for size in (os.environ.get("BENCH_LINKS") or "1000 100000 1000000").split()]
_A_PAGE: Final = 50
_DEEP: Final = 20  # pages in
_TIMED: Final = 15


def lists() -> Section:
    """Read the first, the second and a deep page with every filter, at every size."""
    section = Section(
        "A page of 50 links",
        f"Lists of one host with {', '.join(f'{size:,}' for size in SIZES)} links; page {_DEEP} is reached by "
        f"following {_DEEP - 1} cursors. Items are read from the table, entries from indexes. With an event type in "
        "the filter, its item is read too, to check its owner. Milliseconds are of the first page, warm: median and "
        "quartiles. On AWS each call is a network round trip; here none is.",
    )
    times: dict[str, list[tuple[float, float]]] = {}
    rows: dict[tuple[str, float], int] = {}
    for size in SIZES:
        began = time.perf_counter()
        with site_with_links(size) as loaded:
            section.add(f"{size:,}: links written a second", f"{size / (time.perf_counter() - began):,.0f}")
            for name, query in _filters(loaded).items():
                taken, rows[name, size] = _measure(section, loaded, size, name, query)
                times.setdefault(name, []).append((size, taken))
    for name, points in times.items():
        most, last = points[-1]
        # A page with more rows takes longer at any table size, so compare only pages with as many rows.
        least, first = next(point for point in points if rows[name, point[0]] == rows[name, most])
        if least < most:
            section.add(f"{name}: time at {most:,} / at {least:,}", f"{last / first:.2f}", raw=points)
    section.plots.append(Plot("lists", "First page of a list, ms", "links in the table", "ms", times))
    return section


def _filters(loaded: Loaded) -> dict[str, dict[str, str]]:
    one = loaded.event_type_ids[0]
    return {
        "all": {},
        "status=active": {"status": "active"},
        "status=used": {"status": "used"},
        "one event type": {"eventTypeId": one},
        "one event type, revoked": {"eventTypeId": one, "status": "revoked"},
        "q by label": {"q": "campaign 00"},
        "q by recipient": {"q": "grace0007@example.com"},
        "q by externalId": {"q": "crm-00000077"},
    }


def _measure(
    section: Section, loaded: Loaded, size: int, name: str, query: dict[str, str]
) -> tuple[float, int]:
    """Read pages up to a deep one; return the milliseconds and the rows of the first."""
    cursor: str | None = None
    first, found = 0.0, 0
    for page in range(1, _DEEP + 1):
        given = {"hostId": loaded.host_id, "limit": str(_A_PAGE)} | query
        event = proxy_event(
            "GET", "/v1/links", query=given | ({"cursor": cursor} if cursor else {}), admin=True
        )
        with loaded.site.counting() as counted:
            status, answer = loaded.site(event)
        assert status == 200, answer
        cursor = answer["nextCursor"]
        if page not in (1, 2, _DEEP):
            if cursor is None:
                break
            continue
        rows, named = len(answer["links"]), int("eventTypeId" in query)
        timed = ""
        if page == 1:
            times = _milliseconds(loaded, event)
            first, found, timed = quartiles(times)[1], rows, f", {spread(times, 1)} ms"
        section.add(
            f"{size:,}: {name}, page {page}",
            f"{rows} links: {counted.items} items, {counted.entries} entries, {len(counted.calls)} calls, "
            f"{counted.read_units:g} RCU{timed}",
            budget=f"items = links{' + 1' * named}, entries ≤ 2 each",
            met=counted.items <= rows + named and counted.entries <= max(2 * rows, 2),
            raw={"rows": rows, "items": counted.items, "entries": counted.entries, "calls": counted.calls},
        )
        if cursor is None:
            break
    return first, found


def _milliseconds(loaded: Loaded, event: dict[str, Any]) -> list[float]:
    times = []
    for _ in range(_TIMED):
        began = time.perf_counter()
        loaded.site(event)
        times.append(1000 * (time.perf_counter() - began))
    return times
