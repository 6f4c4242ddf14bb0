"""Complete a history: add the table's final state, and the possible effects of calls without an answer."""

import itertools
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from tests.history.checker.calls import Call
from tests.history.checker.specification import links_made_by
from tests.support import audit


def final_state_call(items: audit.Dump, moment: float) -> Call:
    """Return a call that reads the whole table after all other calls."""
    links = {
        name: (str(link["status"]), int(link["usageCount"]), link.get("maxUsageCount"))
        for name, link in audit.links_of(items).items()
    }
    bookings = audit.bookings_of(items)
    result: dict[str, Any] = {
        "links": links,
        "bookings": {name: (one["status"], int(one["start"])) for name, one in bookings.items()},
        "of_link": {name: one["linkId"] for name, one in bookings.items()},
        "pointers": {
            pk.removeprefix("ETYPE#"): item["linkId"] for (pk, sk), item in items.items() if sk == "ROLLING"
        },
    }
    return Call(
        10**9, "final state", {}, "200", moment, moment, (-math.inf, math.inf), result, caller="table"
    )


def with_candidates(calls: Iterable[Call], items: audit.Dump) -> Iterator[Call]:
    """Yield the calls; add to each redeem without an answer the bookings that it may have created.

    Bookings are never deleted, so every booking that a redeem created is in the final state.
    """
    made: dict[tuple[str, str], list[str]] = {}
    for name, booking in audit.bookings_of(items).items():
        made.setdefault((booking["linkId"], name_of(booking)), []).append(name)
    for call in calls:
        if call.kind == "redeem" and not call.is_answered:
            candidates = tuple(made.get((call.args["link"], call.args["body"]), ()))
            yield replace(call, args={**call.args, "candidates": candidates})
        else:
            yield call


def with_expiries(calls: Sequence[Call]) -> Iterator[Call]:
    """Yield the calls; replace each run of the expiry schedule by one optional call for each link that was due.

    Skips runs before the link was created. Of the runs after the last call about the link's host, it keeps only the
    last one, because no call can distinguish them.
    """
    runs = sorted((call for call in calls if call.kind == "expire"), key=lambda call: call.invoked)
    rest = [call for call in calls if call.kind != "expire"]
    yield from rest
    ends: dict[object, float] = {}
    links: dict[str, tuple[int, float, object]] = {}  # expiry, earliest creation, host
    for call in rest:
        host = call.args.get("host")
        over = call.returned if call.returned < math.inf else call.invoked
        ends[host] = max(over, ends.get(host, -math.inf))
        for name, link in links_made_by(call).items():
            if link.expires_at is not None:
                begun = min(call.invoked, links[name][1]) if name in links else call.invoked
                links[name] = (link.expires_at, begun, host)
    numbers = itertools.count(10**12)
    for name, (expires, begun, host) in sorted(links.items()):
        due = [call for call in runs if call.returned >= begun and call.clock[1] >= expires]
        after = [call for call in due if call.invoked > ends[host]]
        for call in [one for one in due if one.invoked <= ends[host]] + after[-1:]:
            one = call.possible_repeat(next(numbers))
            yield replace(one, args={"link": name}, returned=call.returned)


def name_of(booking: Mapping[str, Any]) -> str:
    """Return the invitee's name, which is unique to a request and so identifies its booking."""
    return str(json.loads(booking["invitee"])["name"])
