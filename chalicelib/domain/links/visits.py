"""Distinguish visits by persons from those by machines: email scanners, link previews and prefetches (P5)."""

import re
from datetime import datetime
from enum import StrEnum
from typing import Final

import msgspec

_BROWSER: Final = re.compile(r"(?:Mozilla/\d\.\d|Opera/\d+\.\d+) \(")
# Machines that imitate a browser send `compatible`; so do two old browsers.
_COMPATIBLE: Final = re.compile(r"Mozilla/5\.0 \(compatible;(?! ?(?:MSIE|Konqueror))")
# Email scanners and link previews that the list of crawlers lacks, and everything that calls itself a bot, except
# phones of the brand Cubot.
_MORE: Final = re.compile(
    r"ms-office|msoffice|safelinks|proofpoint|barracuda|mimecast|url[ -]?preview|powershell|mmcrhead|"
    r"(?<!cu)bot\b|crawler|spider",
    re.IGNORECASE,
)


class Visitor(StrEnum):
    """The kind of visitor, judged by the request's headers. It only selects the count to increase."""

    PERSON = "person"
    MACHINE = "machine"


class Opens(msgspec.Struct, frozen=True):
    """How many times people and machines opened a link, and when a person first opened it."""

    first_opened_at: datetime | None = None
    persons: int = 0
    machines: int = 0


def visitor_of(method: str, user_agent: str, purpose: str) -> Visitor:
    """Return the kind of visitor. In `purpose` (`Sec-Purpose`, `Purpose` or `X-Moz`), browsers announce a prefetch."""
    looks = method == "HEAD" or "prefetch" in purpose.lower() or "preview" in purpose.lower()
    return Visitor.MACHINE if looks or _is_machine(user_agent) else Visitor.PERSON


def _is_machine(user_agent: str) -> bool:
    """Return whether a `User-Agent` is a machine's: it does not begin like a browser's, or is a known crawler's."""
    if not _BROWSER.match(user_agent) or _COMPATIBLE.match(user_agent) or _MORE.search(user_agent):
        return True
    # Imported here: most machines are recognized without it, and it is 30 KB.
    from chalicelib.domain.links.crawlers import PATTERNS, TEXTS

    return any(text in user_agent for text in TEXTS) or any(re.search(one, user_agent) for one in PATTERNS)
