"""What a page of a list reads, in a table of a thousand links and of a million (P10)."""

import os
import time
from typing import Any, Final

from tests.bench.loader import Loaded, site_with_links
from tests.bench.report import Section
from tests.bench.site import proxy_event

SIZES: Final = [int(size) for size in (os.environ.get("BENCH_LINKS") or "1000 100000 1000000").split()]
_A_PAGE: Final = 50


def lists() -> Section:
    """Read the first, second and a deep page by every filter, at every size."""
    section = Section(
        "A page of 50 links",
        f"One host's links, {', '.join(f'{size:,}' for size in SIZES)} of them; the second page is by the first one's "
        "cursor. Items are what was read from the table, entries what was read from indexes, for the 50 returned.",
    )
    seconds: dict[str, list[float]] = {}
    for size in SIZES:
        with site_with_links(size) as loaded:
            for name, query in _filters(loaded).items():
                _measure(section, loaded, size, name, query, seconds.setdefault(name, []))
    for name, times in seconds.items():
        if len(times) > 1:
            section.add(
                f"{name}: time at {SIZES[-1]:,} / at {SIZES[0]:,}", f"{times[-1] / times[0]:.2f}", raw=times
            )
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
        "q by recipient": {"q": "grace7@example.com"},
        "q by externalId": {"q": "crm-77"},
    }


def _measure(
    section: Section, loaded: Loaded, size: int, name: str, query: dict[str, str], seconds: list[float]
) -> None:
    cursor: str | None = None
    for page in ("first", "second"):
        given = {"hostId": loaded.host_id, "limit": str(_A_PAGE)} | query
        event = proxy_event(
            "GET", "/v1/links", query=given | ({"cursor": cursor} if cursor else {}), admin=True
        )
        with loaded.site.counting() as counted:
            status, answer = loaded.site(event)
        assert status == 200, answer
        rows = len(answer["links"])
        within = counted.items <= rows and counted.entries <= max(2 * rows, 2)
        section.add(
            f"{size:,}: {name}, {page} page",
            f"{rows} links: {counted.items} items, {counted.entries} entries, {len(counted.calls)} calls, "
            f"{counted.read_units:g} RCU",
            budget="items = links, entries ≤ 2 each",
            met=within,
            raw={"rows": rows, "items": counted.items, "entries": counted.entries, "calls": counted.calls},
        )
        if page == "first":
            seconds.append(_median_seconds(loaded, event))
        cursor = answer["nextCursor"]
        if cursor is None:
            return


def _median_seconds(loaded: Loaded, event: dict[str, Any]) -> float:
    times = []
    for _ in range(15):
        began = time.perf_counter()
        loaded.site(event)
        times.append(time.perf_counter() - began)
    return sorted(times)[7]
