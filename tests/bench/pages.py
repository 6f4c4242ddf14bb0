"""Measure the size of a page, and how long its slots take to compute."""

import re
import time
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from unittest.mock import patch

import msgspec

from chalicelib import bootstrap
from chalicelib.domain.bookings.occupancy import cells_of
from chalicelib.domain.event_types.event_type import EventSettings
from chalicelib.domain.event_types.slots import offered_slots
from chalicelib.wire.requests.event_types import EventTypeBody
from infra.local.engines.dynoxide import Dynoxide
from tests.bench.report.sections import Section, spread
from tests.bench.setup.site import Site, proxy_event, starts

WEIGHT_BUDGET: Final = 60_000
SLOTS_BUDGET_MS: Final = 5
# In UTC, 16 half hours are left of this day. With the next day's they are 64, the most that a page lists.
_FULL_PAGE: Final = datetime(2027, 1, 15, 16, tzinfo=UTC)
_URL: Final = re.compile(r'(?:href|src)="((?:\.{1,2}/)*assets/[^"]+)"')


def weight() -> Section:
    """Add up the booking page and the console, each with everything that it loads."""
    section = Section(
        "Page weight",
        "The HTML for 30 days of half-hour slots, with as many on the page as it can list, and every style sheet and "
        "script that it loads, uncompressed.",
    )
    with Dynoxide() as engine, patch.object(bootstrap, "utc_now", lambda: _FULL_PAGE):
        site = Site(engine)
        [token] = site.tokens(site.event_type(site.host()), 1)
        for name, resource, path in (
            ("booking page", "/s/{token}", {"token": token}),
            ("console", "/console", {}),
        ):
            status, page = site(proxy_event("GET", resource, path=path, headers={"accept": "text/html"}))
            assert status == 200
            parts = {"html": len(page.encode())}
            for url in dict.fromkeys(_URL.findall(page)):
                file = url.rpartition("/")[2]
                _, content = site(proxy_event("GET", "/assets/{name}", path={"name": file}))
                parts[file] = len(content.encode())
            total = sum(parts.values())
            sizes = ", ".join(f"{part} {size:,}" for part, size in parts.items()) if len(parts) < 8 else ""
            budget = (
                {"budget": f"≤ {WEIGHT_BUDGET:,}", "met": total <= WEIGHT_BUDGET}
                if token in path.values()
                else {}
            )
            section.add(
                name,
                f"{total:,} bytes in {len(parts)} requests" + (f": {sizes}" if sizes else ""),
                raw=parts,
                **budget,  # type: ignore[arg-type]
            )
    return section


def slots() -> Section:
    """Compute 60 days of slots with date overrides and busy days."""
    section = Section(
        "Slots",
        "60 days of 15-minute slots, Monday to Friday from 9 to 17 in Berlin, with an override on every tenth date, "
        "and every second day half busy; processor time of one process.",
    )
    times = []
    first = starts(1, 5)[0]
    settings = _settings(first)
    busy = {
        cell
        for day in range(0, 60, 2)
        for cell in cells_of(first + timedelta(days=day, hours=8), first + timedelta(days=day, hours=12))
    }
    count = 0
    for _ in range(40):
        began = time.process_time()
        count = len(
            offered_slots(
                settings,
                start=first,
                end=first + timedelta(days=60),
                now=first - timedelta(days=1),
                busy=busy,
            )
        )
        times.append(1000 * (time.process_time() - began))
    middle = sorted(times)[20]
    section.add(
        f"60 days, {count} slots, ms",
        spread(times),
        budget=f"≤ {SLOTS_BUDGET_MS} ms",
        met=middle <= SLOTS_BUDGET_MS,
        raw=times,
    )
    return section


def _settings(first: Any) -> EventSettings:
    weekly = [{"days": ["mon", "tue", "wed", "thu", "fri"], "from": "09:00", "to": "17:00"}]
    overrides = [
        {
            "date": (first + timedelta(days=day)).date().isoformat(),
            "intervals": [{"from": "10:00", "to": "12:00"}, {"from": "13:00", "to": "18:30"}],
        }
        for day in range(0, 60, 10)
    ]
    document = {
        "title": "Talk",
        "durationMinutes": 15,
        "bookingWindowDays": 90,
        "schedule": {"timeZone": "Europe/Berlin", "weekly": weekly, "overrides": overrides},
    }
    return msgspec.convert(document, EventTypeBody).settings()
