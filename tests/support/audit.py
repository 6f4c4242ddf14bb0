"""Read a whole table with a plain client and report every item that breaks a promise (P1, P2, P4).

The audit is independent of the store: it computes keys, cells and statuses itself.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Item = dict[str, Any]
Dump = dict[tuple[str, str], Item]

_CELL_MILLIS: Final = 5 * 60 * 1000
_DAY_ZERO: Final = date(1970, 1, 1).toordinal()
_LINK_NEEDS: Final = (
    "hostId",
    "eventTypeId",
    "keyId",
    "status",
    "usageCount",
    "createdAt",
    "sequence",
    "edition",
)
_FINAL_TIMES: Final = ("usedAt", "revokedAt")

# Separate items that record visits, refusals and history. No decision and no count depends on them.
_NOTES: Final = ("OPENS", "DENIAL#", "HISTORY#")


def dump(client: "DynamoDBClient", table: str) -> Dump:
    """Return every item of the table by key, with consistent reads."""
    found: Dump = {}
    pages = client.get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
    for page in pages:
        for raw in page["Items"]:
            item = {name: value_of(value) for name, value in raw.items()}
            found[item["pk"], item["sk"]] = item
    return found


def dump_of(client: "DynamoDBClient", table: str, partitions: Iterable[str]) -> Dump:
    """Return every item of the given partitions by key, with consistent reads."""
    found: Dump = {}
    pages = client.get_paginator("query")
    for partition in dict.fromkeys(partitions):
        for page in pages.paginate(
            TableName=table,
            ConsistentRead=True,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": partition}},
        ):
            for raw in page["Items"]:
                item = {name: value_of(value) for name, value in raw.items()}
                found[item["pk"], item["sk"]] = item
    return found


def links_of(items: Dump) -> dict[str, Item]:
    """Return the links by id."""
    return {pk.removeprefix("LINK#"): item for (pk, sk), item in items.items() if sk == "LINK"}


def bookings_of(items: Dump, link_id: str | None = None) -> dict[str, Item]:
    """Return the bookings by id, all or those of one link."""
    return {
        pk.removeprefix("BOOKING#"): item
        for (pk, sk), item in items.items()
        if sk == "BOOKING" and link_id in (None, item["linkId"])
    }


def faults_in(items: Dump, *, deleted: Collection[str] = ()) -> list[str]:
    """Return every broken invariant of a table as a sentence; empty if all hold.

    `deleted` are the links that were deleted on purpose; their bookings and receipts remain.
    """
    return [
        *_link_faults(items),
        *_booking_faults(items, deleted),
        *_overlaps(items),
        *_cell_faults(items),
        *_receipt_faults(items, deleted),
    ]


def cells_between(start: int, end: int) -> set[tuple[str, int]]:
    """Return the UTC dates and 5-minute cells that `[start, end)`, in milliseconds, touches."""
    return {
        (date.fromordinal(_DAY_ZERO + at // 288).isoformat(), at % 288)
        for at in range(start // _CELL_MILLIS, -(-end // _CELL_MILLIS))
    }


def value_of(typed: Mapping[str, Any]) -> Any:
    """Return the Python value of DynamoDB's typed JSON."""
    [(kind, value)] = typed.items()
    match kind:
        case "N":
            return int(value)
        case "NS":
            return {int(number) for number in value}
        case "M":
            return {name: value_of(one) for name, one in value.items()}
        case "L":
            return [value_of(one) for one in value]
        case "NULL":
            return None
    return value


def _link_faults(items: Dump) -> Iterator[str]:
    made: Counter[str] = Counter()  # bookings of each link
    held: Counter[str] = Counter()  # those of them that are confirmed
    for booking in bookings_of(items).values():
        made[booking["linkId"]] += 1
        held[booking["linkId"]] += booking["status"] == "confirmed"
    for link_id, link in links_of(items).items():
        missing = [name for name in _LINK_NEEDS if name not in link]
        if missing:
            yield f"{link_id} is incomplete: it has no {', '.join(missing)}"
            continue
        uses, most, status = int(link["usageCount"]), link.get("maxUsageCount"), link["status"]
        restores = link.get("restoreUseOnCancel") or link.get("restoredUses")
        least = held[link_id] if restores else made[link_id]
        if not least <= uses <= made[link_id]:
            yield f"{link_id} counts {uses} uses, but has {made[link_id]} bookings, {held[link_id]} of them confirmed"
        if most is not None and least > most:
            yield f"{link_id} has {least} bookings, but allows {most}"
        full = most is not None and uses >= most
        # A used link may be revoked if a cancellation could have made it active again.
        if (status == "used") != full and not (status == "revoked" and full and restores):
            yield f"{link_id} is {status} with {uses} of {most} uses"
        if link["sequence"] < 1 + uses:
            yield f"{link_id} has sequence {link['sequence']}, too low for {uses} uses"
        yield from _index_faults(link_id, link)


def _index_faults(link_id: str, link: Item) -> Iterator[str]:
    status = link["status"]
    wanted = {
        "hostKey": f"HOST#{link['hostId']}#LINK#{status}",
        "eventTypeKey": f"ETYPE#{link['eventTypeId']}#LINK#{status}",
        "listSort": f"{int(link['createdAt']):014d}#{link_id}",
    }
    for name, value in wanted.items():
        if link.get(name) != value:
            yield f"{link_id} is {status}, but has {name} {link.get(name)!r}"
    alive = status == "active"
    if ("dueShard" in link) != (alive and "expiresAt" in link) or ("dueShard" in link) != ("dueSort" in link):
        yield f"{link_id} is {status}, but {'has' if 'dueShard' in link else 'has no'} dueShard"
    if ("purgeAt" in link) != (not alive or "expiresAt" in link):
        yield f"{link_id} is {status}, but {'has' if 'purgeAt' in link else 'has no'} purgeAt"
    if alive and any(name in link for name in _FINAL_TIMES):
        yield f"{link_id} is active, but has usedAt or revokedAt"
    if (status == "used") != ("usedAt" in link) and not (status == "revoked" and "usedAt" in link):
        yield f"{link_id} is {status}, but {'has' if 'usedAt' in link else 'has no'} usedAt"


def _booking_faults(items: Dump, deleted: Collection[str]) -> Iterator[str]:
    links = links_of(items)
    for booking_id, booking in bookings_of(items).items():
        if booking["linkId"] not in links and booking["linkId"] not in deleted:
            yield f"{booking_id} is of {booking['linkId']}, which does not exist"
        if not booking["occupiedFrom"] <= booking["start"] < booking["end"] <= booking["occupiedTo"]:
            yield f"{booking_id} does not occupy its slot"
        wanted = {
            "hostKey": f"HOST#{booking['hostId']}#BOOKING#{booking['status']}",
            "eventTypeKey": f"ETYPE#{booking['eventTypeId']}#BOOKING#{booking['status']}",
            "referenceKey": f"LINK#{booking['linkId']}#BOOKING",
            "listSort": f"{int(booking['start']):014d}#{booking_id}",
        }
        for name, value in wanted.items():
            if booking.get(name) != value:
                yield f"{booking_id} has {name} {booking.get(name)!r}"


def _confirmed_by_host(items: Dump) -> dict[str, list[tuple[int, int, str]]]:
    hosts: dict[str, list[tuple[int, int, str]]] = defaultdict(list)
    for booking_id, booking in bookings_of(items).items():
        if booking["status"] == "confirmed":
            span = (int(booking["occupiedFrom"]), int(booking["occupiedTo"]), booking_id)
            hosts[booking["hostId"]].append(span)
    return hosts


def _overlaps(items: Dump) -> Iterator[str]:
    for host_id, spans in _confirmed_by_host(items).items():
        for one, other in pairwise(sorted(spans)):
            if other[0] < one[1]:
                yield f"{host_id} has {one[2]} and {other[2]} at the same time, {_utc(other[0])}"


def _cell_faults(items: Dump) -> Iterator[str]:
    wanted: set[tuple[str, str, int]] = set()
    for host_id, spans in _confirmed_by_host(items).items():
        for start, end, _ in spans:
            wanted |= {(host_id, day, cell) for day, cell in cells_between(start, end)}
    stored = {
        (pk.removeprefix("HOST#"), sk.removeprefix("DAY#"), int(cell))
        for (pk, sk), item in items.items()
        if sk.startswith("DAY#")
        for cell in item.get("busy", ())
    }
    yield from (
        f"{host} has cell {cell} of {day} busy without a booking" for host, day, cell in stored - wanted
    )
    yield from (
        f"{host} has cell {cell} of {day} free despite a booking" for host, day, cell in wanted - stored
    )


def _receipt_faults(items: Dump, deleted: Collection[str]) -> Iterator[str]:
    links, bookings = links_of(items), bookings_of(items)
    receipts: Counter[str] = Counter()
    for (pk, sk), item in items.items():
        if not sk.startswith("RECEIPT#"):
            continue
        link_id, booking_id = pk.removeprefix("LINK#"), item["bookingId"]
        receipts[booking_id] += 1
        if link_id not in links and link_id not in deleted:
            yield f"{link_id} has a receipt, but does not exist"
        if bookings.get(booking_id, {}).get("linkId") != link_id:
            yield f"{link_id} has a receipt for {booking_id}, which is not a booking of it"
    for booking_id, booking in bookings.items():
        untouched = (
            booking["sequence"] == 1
        )  # a booking that was cancelled or moved may have lost its receipt
        if receipts[booking_id] > 1 or (untouched and not receipts[booking_id]):
            yield f"{booking_id} has {receipts[booking_id]} receipts"


def _utc(millis: int) -> str:
    return datetime.fromtimestamp(millis / 1000, UTC).isoformat()


def differences(before: Dump, after: Dump) -> list[str]:
    """Return the changes between two dumps as sentences, ignoring items that only record visits and refusals."""
    return list(_differences(before, after))


def _differences(before: Dump, after: Dump) -> Iterator[str]:
    for key in sorted(before.keys() | after.keys()):
        if before.get(key) != after.get(key) and not key[1].startswith(_NOTES):
            kind = "appeared" if key not in before else "vanished" if key not in after else "changed"
            yield f"{key} {kind}"
