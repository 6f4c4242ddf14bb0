"""docs/design.md has the items, indexes, retention and promises of the code."""

import re
from typing import Final

import msgspec

from chalicelib.domain.bookings.receipt import KEYLESS_WINDOW
from chalicelib.settings import RetentionDays
from chalicelib.store import items
from infra.paths import ROOT

PAGE: Final = ROOT / "docs" / "design.md"
PROMISES: Final = ROOT / "docs" / "promises.md"

_KEYS: Final = re.compile(r"`pk ([^`]+)`, `sk ([^`]+)`")


def rows(head: str) -> list[list[str]]:
    """Return the cells of the table with this header."""
    _, found, rest = PAGE.read_text().partition(f"\n{head}\n")
    assert found, head
    table = rest.partition("\n\n")[0]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in table.splitlines()[1:]]


def test_the_items_and_keys_match_the_store() -> None:
    kinds = [kind for kind in vars(items).values() if isinstance(kind, type) and items.Item in kind.__bases__]
    keys = {found for kind in kinds for found in _KEYS.findall(kind.__doc__ or "")}
    assert len(keys) == len(kinds)
    assert {
        (row[1].strip("`"), row[2].strip("`")) for row in rows("| item | `pk` | `sk` | `purgeAt` |")
    } == keys


def test_the_indexes_match_the_store() -> None:
    listed = {
        row[0].strip("`"): tuple(re.findall(r"`(\w+)`", row[1]))
        for row in rows("| index | partition, sort key | finds |")
    }
    assert listed == items.INDEX_KEYS


def test_the_retention_days_are_the_defaults_of_the_settings() -> None:
    """Each retention is in the row of one of its items."""
    kept = {row[0]: row[3] for row in rows("| item | `pk` | `sk` | `purgeAt` |")}
    of = {
        "link": "link",
        "booking": "booking",
        "day": "day: busy cells",
        "receipt": "batch: a request with an `Idempotency-Key`, except redeem",
        "queued": "first time of a notice",
        "request": "request for a new link",
        "history": "history entry",
        "delivery": "delivery",
    }
    defaults = msgspec.structs.asdict(RetentionDays())
    assert set(of) == set(defaults)
    for name, item in of.items():
        assert kept[item].startswith(f"{defaults[name]} days"), name
    minutes, keyed = int(KEYLESS_WINDOW.total_seconds()) // 60, defaults["receipt"]
    assert kept["receipt of a redeem"] == (
        f"{minutes} minutes without a key, {keyed} days with one, {defaults['queued']} from a queue"
    )


def test_every_promise_has_a_mechanism() -> None:
    promised = re.findall(r"^\| \*\*(P\d+)\*\* \|", PROMISES.read_text(), re.MULTILINE)
    listed = [row[0].split("**")[1] for row in rows("| promise | mechanism | code |")]
    assert promised
    assert listed == promised
