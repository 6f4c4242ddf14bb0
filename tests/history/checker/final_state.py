"""Add what is stored at the end to a history as its last call, and what lost replies may have written."""

import itertools
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from tests.history.checker.calls import Call
from tests.support import audit


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
    """Yield the calls, each run of the expiry schedule as what it may have done: to every link that was due, or not.

    Runs before a link was asked for are left out; so are, of those after everything that was asked of its host,
    all but the last: nobody could tell which of them it was.
    """
    runs = sorted((call for call in calls if call.kind == "expire"), key=lambda call: call.invoked)
    rest = [call for call in calls if call.kind != "expire"]
    yield from rest
    ends: dict[object, float] = {}
    links: dict[str, tuple[int, float, object]] = {}  # when it expires, was asked for, and its host
    for call in rest:
        host = call.what.get("host")
        over = call.returned if call.returned < math.inf else call.invoked
        ends[host] = max(over, ends.get(host, -math.inf))
        for name, link in call.told.get("links", {}).items():
            if link.expires is not None:
                begun = min(call.invoked, links[name][1]) if name in links else call.invoked
                links[name] = (link.expires, begun, host)
    numbers = itertools.count(10**12)
    for name, (expires, begun, host) in sorted(links.items()):
        due = [call for call in runs if call.returned >= begun and call.clock[1] >= expires]
        after = [call for call in due if call.invoked > ends[host]]
        for call in [one for one in due if one.invoked <= ends[host]] + after[-1:]:
            one = call.happened_again(next(numbers))
            yield replace(one, what={"link": name}, returned=call.returned)


def name_of(booking: Mapping[str, Any]) -> str:
    """Return what an invitee was called: a request's name, by which its booking is known."""
    return str(json.loads(booking["invitee"])["name"])
