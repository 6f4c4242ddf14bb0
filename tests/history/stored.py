"""What is stored at the end of a history, as the last call of it: nothing else may be there, and nothing less."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
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


def with_candidates(calls: Sequence[Call], items: audit.Dump) -> Iterator[Call]:
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


def name_of(booking: Mapping[str, Any]) -> str:
    """Return what an invitee was called: a request's name, by which its booking is known."""
    return str(json.loads(booking["invitee"])["name"])
