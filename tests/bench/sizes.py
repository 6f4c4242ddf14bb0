"""Compute the stored size of each kind of item and of its index entries, by DynamoDB's documented rules."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from chalicelib.domain.clock import as_instant
from chalicelib.store.items import INDEX_KEYS
from infra.local.engines.dynoxide import Dynoxide
from tests.bench.downstream import booked_link
from tests.bench.report.sections import Section
from tests.bench.setup.site import Site, redeem_event, starts

# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
OVERHEAD: Final = 100  # bytes that storage adds for each item and each index entry
_RECIPIENT: Final = {"name": "Grace Hopper", "email": "grace@example.com"}
_Item = Mapping[str, Mapping[str, Any]]


def sizes() -> Section:
    """Create one item of each kind, and compute its size."""
    section = Section(
        "What is stored",
        "Items in the table after a link was created and booked, by DynamoDB's documented rules: names and values, "
        "plus 100 bytes for each item and index entry. `entries` are in indexes that project only keys.",
    )
    with Dynoxide() as engine:
        site = Site(engine)
        event_type = site.event_type(site.host())
        plain = _links(site, event_type)[0]
        section.add("a link", _sizes_of(plain), raw=_raw(plain))
        full = _links(
            site,
            site.event_type(site.host()),
            expiresAt="2038-01-01T00:00:00Z", recipient=_RECIPIENT, label="Spring round", externalId="deal-4711",
        )[0]  # fmt: skip
        section.add("a link with expiry, recipient, label, external id", _sizes_of(full), raw=_raw(full))
        host = site.host()
        event_type = site.event_type(host)
        tokens = site.tokens(event_type, 48)
        first = starts(48, 30)
        for token, start in zip(tokens, first, strict=True):
            site(redeem_event(token, start))
        items = _items(site)
        used = [item for item in items if item.get("eventTypeId", {}).get("S") == event_type]
        for name, sk in (("a used link", "LINK"), ("a booking", "BOOKING")):
            item = next(item for item in used if item["sk"]["S"] == sk)
            section.add(name, _sizes_of(item), raw=_raw(item))
        receipt = next(item for item in items if item["sk"]["S"].startswith("RECEIPT#"))
        section.add("a receipt", _sizes_of(receipt), raw=_raw(receipt))
        booked = booked_link(site)
        booked.world.store.history.append(booked.event())
        entry = next(item for item in _items(site) if item["sk"]["S"].startswith("HISTORY#"))
        section.add("a history entry", _sizes_of(entry), raw=_raw(entry))
        days = {
            f"DAY#{as_instant(first[0]).date()}",
            f"DAY#{as_instant(first[0] + timedelta(days=1)).date()}",
        }
        day = max((item for item in items if item["sk"]["S"] in days), key=size_of)
        section.add(f"a day with {len(day['busy']['NS'])} of 288 cells busy", _sizes_of(day), raw=_raw(day))
    return section


def size_of(item: _Item) -> int:
    """Return an item's size in bytes."""
    return sum(len(name.encode()) + _value(value) for name, value in item.items())


def entries_of(item: _Item) -> list[int]:
    """Return the size of the item's entry in each index that contains it; entries have only keys."""
    return [
        size_of({name: item[name] for name in ("pk", "sk", *keys)})
        for keys in INDEX_KEYS.values()
        if all(key in item for key in keys)
    ]


def _links(site: Site, event_type: str, **more: Any) -> list[_Item]:
    site.team("POST", "/v1/links", {"eventTypeId": event_type, "count": 1} | more)
    items = _items(site)
    return [item for item in items if item["sk"]["S"] == "LINK" and item["eventTypeId"]["S"] == event_type]


def _items(site: Site) -> list[_Item]:
    pages = site.raw.get_paginator("scan").paginate(TableName=site.table_name, ConsistentRead=True)
    return [item for page in pages for item in page["Items"]]


def _raw(item: _Item) -> dict[str, int]:
    entries = entries_of(item)
    stored = size_of(item) + sum(entries) + OVERHEAD * (1 + len(entries))
    return {"item": size_of(item), "entries": len(entries), "stored": stored}


def _sizes_of(item: _Item) -> str:
    raw = _raw(item)
    return f"{raw['item']} bytes, {raw['entries']} entries, {raw['stored']} bytes stored"


def _value(value: Mapping[str, Any]) -> int:
    [(kind, content)] = value.items()
    match kind:
        case "S":
            return len(content.encode())
        case "N":
            return _number(content)
        case "B":
            return len(content)
        case "BOOL" | "NULL":
            return 1
        case "SS":
            return sum(len(each.encode()) for each in content)
        case "NS":
            return sum(_number(each) for each in content)
        case "L":
            return 3 + sum(1 + _value(each) for each in content)
        case "M":
            return 3 + sum(1 + len(name.encode()) + _value(each) for name, each in content.items())
        case _:
            raise ValueError(f"no rule for {kind}")


def _number(text: str) -> int:
    digits = text.lstrip("-").replace(".", "").strip("0")
    return (len(digits) + 1) // 2 + 1 + text.startswith("-")
