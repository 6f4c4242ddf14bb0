"""What is stored at the end of a history, as its last call; and what nobody was told, as what it may have been."""

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from tests.history.calls import Call
from tests.proof import audit


def stored_call(items: audit.Dump, moment: float) -> Call:
    """Return the reading of a whole table, which is true of one moment after everything else."""
    links = {
        name: (str(link["status"]), int(link["usageCount"]), link.get("maxUsageCount"))
        for name, link in audit.links_of(items).items()
    }
    bookings = audit.bookings_of(items)
    told: dict[str, Any] = {
        "links": links,
        "bookings": {name: (one["status"], int(one["start"])) for name, one in bookings.items()},
        "of_link": {name: one["linkId"] for name, one in bookings.items()},
        "pointers": {
            pk.removeprefix("ETYPE#"): item["linkId"] for (pk, sk), item in items.items() if sk == "ROLLING"
        },
    }
    return Call(10**9, "stored", {}, "200", moment, moment, (-math.inf, math.inf), told, who="table")


def with_candidates(calls: Iterable[Call], items: audit.Dump) -> Iterator[Call]:
    """Yield the calls, redeems without an answer with the bookings that they may have made: bookings never vanish."""
    made: dict[tuple[str, str], list[str]] = {}
    for name, booking in audit.bookings_of(items).items():
        made.setdefault((booking["linkId"], name_of(booking)), []).append(name)
    for call in calls:
        if call.kind == "redeem" and not call.is_known:
            candidates = tuple(made.get((call.what["link"], call.what["body"]), ()))
            yield replace(call, what={**call.what, "candidates": candidates})
        else:
            yield call


def with_expiries(calls: Sequence[Call]) -> Iterator[Call]:
    """Yield the calls, each run of the expiry schedule as what it may have done: to every link that was due, or not."""
    links = {name: link for call in calls for name, link in call.told.get("links", {}).items()}
    for call in calls:
        if call.kind != "expire":
            yield call
            continue
        for at, (name, link) in enumerate(sorted(links.items()), 1):
            if link.expires is not None and link.expires <= call.clock[1]:
                one = call.happened_again(10**6 + call.number * 1000 + at)
                yield replace(one, what={"link": name}, returned=call.returned)


def name_of(booking: Mapping[str, Any]) -> str:
    """Return what an invitee was called: a request's name, by which its booking is known."""
    return str(json.loads(booking["invitee"])["name"])
