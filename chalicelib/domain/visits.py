"""Who opens a link: a person, or a machine that only looks (mail scanners, previews, prefetches) (P5)."""

import re
from datetime import datetime
from enum import StrEnum
from typing import Final

import msgspec

_MACHINE: Final = re.compile(
    r"bot|crawl|spider|preview|scan|slurp|fetch|monitor|headless|facebookexternalhit|whatsapp|telegram|slack|"
    r"skypeuripreview|proofpoint|mimecast|barracuda|safelinks|curl|wget|python|httpx|okhttp|java/|go-http|libwww",
    re.IGNORECASE,
)


class Visitor(StrEnum):
    """What opened a link, as far as its headers tell; this never decides anything but a count."""

    PERSON = "person"
    MACHINE = "machine"


class Opens(msgspec.Struct, frozen=True):
    """How often a link was opened, and when first, by persons and by machines."""

    first_opened_at: datetime | None = None
    persons: int = 0
    machines: int = 0


def visitor_of(method: str, user_agent: str, purpose: str) -> Visitor:
    """Tell what opens a link; in `purpose` (`Sec-Purpose`, `Purpose`, `X-Moz`) browsers say that they prefetch."""
    looks = (
        method == "HEAD" or not user_agent or "prefetch" in purpose.lower() or "preview" in purpose.lower()
    )
    return Visitor.MACHINE if looks or _MACHINE.search(user_agent) else Visitor.PERSON
