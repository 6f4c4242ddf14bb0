"""The booking page and everything it loads take at most 60 KB, for any offer, in every language."""

import re
from typing import Any, Final

import pytest

from chalicelib.pages.languages import LANGUAGES, Language
from tests.support.app import ALL_DAY, EVERY_DAY, HTML, NOW, Caller, Site, created

BUDGET: Final = 60_000
ROOM: Final = 500  # bytes for a longer title, description and questions

_ASSET: Final = re.compile(r'(?:href|src)="\.\./(assets/[^"]+)"')
_FRAGMENTED: Final = [
    {"days": EVERY_DAY, "from": f"{hour:02}:{minute:02}", "to": f"{hour:02}:{minute + 5 + hour % 3 * 5:02}"}
    for hour in range(24)
    for minute in (0, 25, 35)
]


def weights(site: Site, link: dict[str, Any], language: str, query: str = "") -> dict[str, int]:
    """Return the uncompressed size of each response that a browser loads for a link's page."""
    path = link["url"].removeprefix("https://admit.example")
    page = site.client.get(path + query, headers=HTML | {"Accept-Language": language})
    assert page.status_code == 200
    found = {"page": len(page.content)}
    for name in _ASSET.findall(page.text):
        found[name] = len(site.client.get(f"/{name}").content)
    return found


@pytest.mark.parametrize("query", ["", "?from=2040-01-11"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_page_with_the_most_slots_is_within_the_budget(
    site: Site, host: Caller, language: Language, query: str
) -> None:
    """No event type offers more starts than every five minutes, or has more gaps than the page's bitmap can hold."""
    site.clock.now = NOW.replace(hour=0)
    for weekly in (ALL_DAY["weekly"], _FRAGMENTED):
        kind = host.event_type(
            title="Product walk-through",
            description="A first look at the product with your own data. " * 6,
            durationMinutes=5,
            slotIntervalMinutes=5,
            bookingWindowDays=365,
            schedule={"timeZone": "UTC", "weekly": weekly},
            locations=[
                {"kind": "video", "detail": "https://meet.example"},
                {"kind": "in_person", "detail": "Torstraße 12"},
            ],
            questions=[
                {"id": "topic", "label": "What about?", "kind": "text", "required": True, "options": []},
                {
                    "id": "size",
                    "label": "How many?",
                    "kind": "choice",
                    "required": True,
                    "options": ["One", "More"],
                },
            ],
        )
        link = host.link(kind, expiresAt="2041-01-01T00:00:00Z", maxUsageCount=5)

        found = weights(site, link, language, query)

        print(language, sum(found.values()), found)
        assert sum(found.values()) <= BUDGET - ROOM, found
        assert len(found) == 3, "the page, a stylesheet, a script"


def test_the_page_that_moves_a_booking_is_within_the_budget(site: Site, host: Caller) -> None:
    kind = host.event_type(durationMinutes=5, slotIntervalMinutes=5)
    booking = created(site.redeem(host.link(kind), "2040-01-20T14:00:00Z"))
    for language in LANGUAGES:
        assert sum(weights(site, booking, language, "?move=1").values()) <= BUDGET - ROOM
