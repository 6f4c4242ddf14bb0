"""Measure how many items a page of a list reads, in tables with 1,000 to 1,000,000 links (P10)."""

import os
import time
from typing import Any, Final

from tests.bench.report.plots import Plot
from tests.bench.report.sections import Section, quartiles, spread
from tests.bench.setup.loader import Loaded, site_with_links
from tests.bench.setup.site import proxy_event

SIZES: Final = [int(size) for size in (os.environ.get("BENCH_LINKS") or "1000 100000 1000000").split()]
_A_PAGE: Final = 50
_DEEP_PAGE: Final = 20
_TIMED: Final = 15


def lists() -> Section:
    """Read the first, the second and a deep page with every filter, at every size."""
    section = Section(
        "A page of 50 links",
        f"Lists of one host with {', '.join(f'{size:,}' for size in SIZES)} links; page {_DEEP_PAGE} is reached by "
        f"following {_DEEP_PAGE - 1} cursors. Items are read from the table, entries from indexes. With an event type "
        "in the filter, its item is read too, to check its owner. Times are in milliseconds, for the first page after "
        "a warm-up: median and quartiles. On AWS each call adds a network round trip; here it does not.",
    )
    times: dict[str, list[tuple[float, float]]] = {}
    rows: dict[tuple[str, float], int] = {}
    for size in SIZES:
        began = time.perf_counter()
        with site_with_links(size) as loaded:
            section.add(f"{size:,}: links written per second", f"{size / (time.perf_counter() - began):,.0f}")
            for name, query in _filters(loaded).items():
                taken, rows[name, size] = _measure(section, loaded, size, name, query)
                times.setdefault(name, []).append((size, taken))
    for name, points in times.items():
        most, last = points[-1]
        # A page with more rows takes longer at any table size, so compare only pages with the same number of rows.
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
    """Read pages up to a deep one; return the duration in ms and the row count of the first page."""
    cursor: str | None = None
    first, found = 0.0, 0
    for page in range(1, _DEEP_PAGE + 1):
        given = {"hostId": loaded.host_id, "limit": str(_A_PAGE)} | query
        event = proxy_event(
            "GET", "/v1/links", query=given | ({"cursor": cursor} if cursor else {}), admin=True
        )
        with loaded.site.counting() as counted:
            status, answer = loaded.site(event)
        assert status == 200, answer
        cursor = answer["nextCursor"]
        if page not in (1, 2, _DEEP_PAGE):
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
            budget=f"items ≤ links{' + 1' * named}, index entries ≤ 2 per link",
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
