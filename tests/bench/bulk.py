"""Measure bulk generation of links, compared with writing the same items directly."""

import secrets
import time
from typing import Any, Final

from chalicelib import bootstrap
from chalicelib.domain.causes import Cause
from chalicelib.domain.ids import ID_BYTES, LINK, make_id
from chalicelib.domain.links.link import Link, LinkSettings
from infra.local.engines.dynoxide import Dynoxide
from infra.local.engines.engine import Engine
from infra.local.engines.ministack import Ministack
from tests.bench.report.sections import Section, spread
from tests.bench.setup.site import Site, proxy_event

ROUNDS: Final = 5
A_CALL: Final = 1000
A_TRANSACTION: Final = 100
A_BATCH: Final = 25  # the most that BatchWriteItem takes

_CAUSE: Final = Cause("system:bench", "bench")
_ABSENT: Final = "attribute_not_exists(pk)"


def bulk() -> Section:
    """Measure our API, raw transactions and raw batch writes alternately, on each engine."""
    section = Section(
        "Bulk generation",
        f"{ROUNDS} rounds of three ways to write {A_CALL:,} links: one HTTP call; raw transactions of {A_TRANSACTION} "
        f"conditional puts, the maximum, one after the other; and raw batch writes of {A_BATCH}. Batch writes take no "
        "condition, so a retry could recreate a used link; they only show the engine's limit.",
    )
    engines: list[Engine] = [Dynoxide(), Ministack()]
    for engine in engines:
        with engine:
            _measure(section, Site(engine), engine.name)
    return section


def _measure(section: Section, site: Site, name: str) -> None:
    host_id = site.host()
    event_type = site.event_type(host_id)
    ours, theirs, batches = [], [], []
    for _ in range(ROUNDS + 1):
        event = proxy_event("POST", "/v1/links", {"eventTypeId": event_type, "count": A_CALL}, admin=True)
        began = time.perf_counter()
        status, _ = site(event)
        ours.append(time.perf_counter() - began)
        assert status == 201
        items = _items(host_id, event_type)
        began = time.perf_counter()
        for at in range(0, A_CALL, A_TRANSACTION):
            puts: list[Any] = [
                {"Put": {"TableName": site.table_name, "Item": item, "ConditionExpression": _ABSENT}}
                for item in items[at : at + A_TRANSACTION]
            ]
            site.raw.transact_write_items(TransactItems=puts)
        theirs.append(time.perf_counter() - began)
        items = _items(host_id, event_type)
        began = time.perf_counter()
        for at in range(0, A_CALL, A_BATCH):
            batch: list[Any] = [{"PutRequest": {"Item": item}} for item in items[at : at + A_BATCH]]
            left = site.raw.batch_write_item(RequestItems={site.table_name: batch})["UnprocessedItems"]
            assert not left
        batches.append(time.perf_counter() - began)
    ours, theirs, batches = ours[1:], theirs[1:], batches[1:]
    ratios = [one / other for one, other in zip(ours, theirs, strict=True)]
    section.add(f"{name}: time, ours / raw", spread(ratios), raw={"ours": ours, "raw": theirs})
    section.add(f"{name}: links a second, ours", spread([A_CALL / one for one in ours], 0))
    section.add(f"{name}: links a second, raw", spread([A_CALL / one for one in theirs], 0))
    section.add(
        f"{name}: links a second, batch writes", spread([A_CALL / one for one in batches], 0), raw=batches
    )
    against = [one / other for one, other in zip(ours, batches, strict=True)]
    section.add(f"{name}: time, ours / batch writes", spread(against))
    longest = max(ours)
    section.add(
        f"{name}: longest call of {A_CALL:,}",
        f"{longest:.1f} s",
        budget="well inside 29 s",
        met=longest < 29 / 2,
    )


def _items(host_id: str, event_type_id: str) -> list[dict[str, Any]]:
    """Return the items of new links, as the store writes them."""
    links: Any = bootstrap.world().store.links
    made = (
        Link(
            link_id=make_id(LINK, secrets.token_bytes(ID_BYTES)),
            host_id=host_id,
            event_type_id=event_type_id,
            key_id=1,
            settings=LinkSettings(),
            created_at=bootstrap.utc_now(),
        )
        for _ in range(A_CALL)
    )
    return [dict(links.item_of(link, _CAUSE).serialize()) for link in made]
