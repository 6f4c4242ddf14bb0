"""Explain a history, or shrink it to what has no explanation and print that as a timeline."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from tests.history.checker.calls import NEVER, Call, in_order, until
from tests.history.checker.linearizability import Model, Verdict, apart, explain
from tests.history.checker.machine import State, changes_nothing, is_settled, next_states, touches

MACHINE: Final = Model(State.empty(), next_states, is_settled)

_TIME_TOLD: Final = ("409 slot-taken",)


@dataclass(frozen=True)
class Account:
    """What is to be said of one history that can't be explained."""

    calls: Sequence[Call]
    verdict: Verdict[State]

    def __str__(self) -> str:
        return timeline(self.calls, self.verdict)


def unexplained(calls: Sequence[Call]) -> list[Account]:
    """Return an account of every part of a history that can't be explained, shrunk; none, if all is well."""
    calls = [call for call in calls if not _can_not_matter(call)]
    accounts = []
    for group in apart(list(_parted(calls)), touches):
        if not explain(group, MACHINE).explained:
            shrunk = shrink(group, lambda some: not explain(some, MACHINE).explained)
            accounts.append(Account(shrunk, explain(shrunk, MACHINE)))
    return accounts


def _can_not_matter(call: Call) -> bool:
    """Whether a call has neither effect nor meaning: it was not answered, and has left nothing behind."""
    if call.is_known:
        return False
    return (
        changes_nothing(call)
        or (call.kind == "make" and call.what["key"] is None)
        or (call.kind == "redeem" and not call.what.get("candidates"))
    )


def _parted(calls: Sequence[Call]) -> Iterator[Call]:
    """Yield the calls, but what is read at the end in parts: as many as there are parts of the rest."""
    rest = [call for call in calls if call.kind != "stored"]
    yield from rest
    groups = [set().union(*(touches(call) for call in group)) for group in apart(rest, touches)]
    for call in calls:
        if call.kind != "stored":
            continue
        told = call.told
        for number, things in enumerate(groups):
            links = {name: kept for name, kept in told["links"].items() if ("link", name) in things}
            of_link: Mapping[str, str] = told["of_link"]
            bookings = {
                name: kept for name, kept in told["bookings"].items() if ("link", of_link[name]) in things
            }
            pointers = {
                name: kept for name, kept in told["pointers"].items() if ("event_type", name) in things
            }
            part = {"links": links, "bookings": bookings, "pointers": pointers, "of_link": of_link}
            if links or bookings or pointers:
                one = next(iter(sorted((thing for thing in things if thing[0] == "link"), key=repr)), None)
                what = {"link": one[1]} if one else {"event_type": next(iter(pointers))}
                yield replace(call, number=call.number + number, told=part, what=what)


def shrink(calls: Sequence[Call], is_bad: Callable[[Sequence[Call]], bool]) -> list[Call]:
    """Return as little of a bad history as is still bad, leaving out nothing that could have explained the rest.

    Only three things may be left out of a history without making a good one bad: its end; calls that change
    nothing; and a link with all that was done by it, if what others were told of times being taken goes too.
    """
    kept = _beginning(in_order(calls), is_bad)
    kept = _without(kept, [[call] for call in reversed(kept) if changes_nothing(call)], is_bad)
    names = {call.what["link"] for call in kept if call.what.get("link")}
    for name in sorted(names):
        less = list(_besides(kept, name))
        if is_bad(less):
            kept = less
    return _without(kept, [[call] for call in reversed(kept) if changes_nothing(call)], is_bad)


def _beginning(calls: list[Call], is_bad: Callable[[Sequence[Call]], bool]) -> list[Call]:
    moments = sorted({call.returned for call in calls if call.returned < NEVER})
    low, high = 0, len(moments) - 1
    while low < high:
        middle = (low + high) // 2
        if is_bad(until(calls, moments[middle])):
            high = middle
        else:
            low = middle + 1
    shorter = until(calls, moments[low]) if moments else calls
    return shorter if is_bad(shorter) else calls


def _without(
    calls: list[Call], parts: Sequence[Sequence[Call]], is_bad: Callable[[Sequence[Call]], bool]
) -> list[Call]:
    for part in parts:
        gone = {call.number for call in part}
        less = [call for call in calls if call.number not in gone]
        if is_bad(less):
            calls = less
    return calls


def _besides(calls: Sequence[Call], name: str) -> Iterator[Call]:
    """Yield the calls that have nothing to do with one link, nor with time it may have taken."""
    mine = {name}
    for call in calls:
        if call.kind == "make" and call.what["key"] and name in call.told.get("links", ()):
            mine |= call.told["links"].keys()  # a key's links come together, in every repeat
    bookings = {
        booking
        for call in calls
        if call.what.get("link") in mine
        for booking in (call.told.get("booking"), *call.what.get("candidates", ()))
        if booking
    }
    for call in calls:
        if call.kind == "make":
            links = {other: link for other, link in call.told.get("links", {}).items() if other not in mine}
            if links:
                yield replace(call, told={"links": links})
        elif call.kind not in ("stored", "slots") and call.code not in _TIME_TOLD:
            others = call.what.get("link") not in mine and call.what.get("booking") not in bookings
            if others and not mine & set(call.told.get("links", ())):
                yield call


_LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


class _Names:
    """Short names for long ids, given in order of appearance."""

    def __init__(self) -> None:
        self._links: dict[str, str] = {}
        self._bookings: dict[str, str] = {}
        self._receipts: dict[str, str] = {}

    def link(self, name: str) -> str:
        if name not in self._links:
            at = len(self._links)
            self._links[name] = _LETTERS[at % 26] + ("" if at < 26 else str(at // 26))
        return self._links[name]

    def booking(self, name: str) -> str:
        return self._bookings.setdefault(name, f"#{len(self._bookings) + 1}")

    def receipt(self, name: str) -> str:
        return self._receipts.setdefault(name, f"r{len(self._receipts) + 1}")


def timeline(calls: Sequence[Call], verdict: Verdict[State]) -> str:
    """Return the history line by line, one lane for each caller, with what the machine made of it."""
    names = _Names()
    lanes = {who: at for at, who in enumerate(dict.fromkeys(call.who for call in in_order(calls)))}
    numbers = {call.number: at for at, call in enumerate(in_order(calls), 1)}
    moments: list[tuple[float, int, Call]] = []
    for call in calls:
        moments.append((call.invoked, 0, call))
        if call.returned < NEVER:
            moments.append((call.returned, 1, call))
    first = min((moment[0] for moment in moments if moment[0] > -NEVER), default=0.0)
    lines = ["  time     " + " ".join(f"{who[:6]:6}" for who in lanes)]
    open_in: set[int] = set()
    for moment, ends, call in sorted(moments, key=lambda one: (one[0], one[1], one[2].number)):
        lane = lanes[call.who]
        marks = ["│" if other in open_in else " " for other in range(len(lanes))]
        marks[lane] = "┴" if ends else "┬"
        (open_in.discard if ends else open_in.add)(lane)
        at = f"{moment - first:9.3f}" if moment > -NEVER else "        –"
        said = f"→ {told_of(call, names)}" if ends else asked_of(call, names)
        lines.append(
            f"{at}  " + " ".join(f"{mark:6}" for mark in marks) + f" ({numbers[call.number]}) {said}"
        )
    order = ", ".join(f"({numbers[call.number]})" for call in verdict.order)
    lines.append(f"One at a time it goes no further than {order or 'nothing'}; then there is")
    lines += [f"    {line}" for line in _state_lines(verdict.state, names)]
    lines.append("and none of these could have been told what it was, next:")
    lines += [
        f"    ({numbers[call.number]}) {asked_of(call, names)} → {told_of(call, names)}"
        for call in verdict.stuck
    ]
    return "\n".join(lines)


def asked_of(call: Call, names: _Names) -> str:
    """Return what a call asked, in words."""
    what = call.what
    words = [call.kind]
    if what.get("link"):
        words.append(names.link(what["link"]))
    if what.get("booking"):
        words.append(names.booking(what["booking"]))
    if what.get("event_type"):
        words.append(f"of {what['event_type'][-6:]}")
    if what.get("start") is not None:
        words.append(f"at {_clock(what['start'])}")
    if what.get("receipt"):
        words.append(
            f"as {'key ' if what['keyed'] else ''}{names.receipt(what['receipt'])}, body {what['body'][-6:]}"
        )
    if "most" in what:
        words.append(f"to {what['most'] or 'no limit'}")
    if call.clock[0] > -NEVER:
        words.append(f"[clock {_span(call.clock)}]")
    if call.optional:
        words.append("(may have happened, or not)")
    return " ".join(words)


def told_of(call: Call, names: _Names) -> str:
    """Return what a call was told, in words."""
    told: dict[str, Any] = dict(call.told)
    words = [call.code]
    if told.get("booking"):
        words.append(names.booking(told["booking"]))
    words += [f"{name} {told[name]}" for name in ("status", "uses", "most") if name in told]
    if told.get("start") is not None:
        words.append(f"at {_clock(told['start'])}")
    if call.kind == "stored":
        words.append(
            "; ".join(f"{names.booking(b)} {s} at {_clock(at)}" for b, (s, at) in told["bookings"].items())
        )
        words.append("; ".join(f"{names.link(n)} {s}, {u} of {m}" for n, (s, u, m) in told["links"].items()))
    elif "links" in told:
        words.append(", ".join(f"{names.link(name)} = {_link(link)}" for name, link in told["links"].items()))
    return " ".join(words)


def _state_lines(state: State, names: _Names) -> Iterator[str]:
    for name, link in state.links.items():
        yield f"link {names.link(name)}: {_link(link)}"
    for name, booking in state.bookings.items():
        made = f"by {names.link(booking.link)} at {_clock(booking.start)}"
        yield f"booking {names.booking(name)} {made}: {booking.status}"
    for (link_name, receipt), (body, kept, _) in state.receipts.items():
        yield f"receipt {names.receipt(receipt)} of {names.link(link_name)}, body {body[-6:]}: {names.booking(kept)}"


def _link(link: Any) -> str:
    words = [f"{link.status}, {link.uses} of {link.most or 'any'}"]
    words += [f"opens {_clock(link.opens)}"] if link.opens is not None else []
    words += [f"expires {_clock(link.expires)}"] if link.expires is not None else []
    words += ["restores"] if link.restore else []
    words += ["rolling"] if link.rolling else []
    return ", ".join(words)


def _clock(millis: float) -> str:
    if abs(millis) < 10**9:
        return f"{millis:g}"
    return datetime.fromtimestamp(millis / 1000, UTC).strftime("%d %H:%M:%S.%f")[:-3]


def _span(clock: tuple[float, float]) -> str:
    low, high = clock
    if low == high:
        return _clock(low)
    return f"{_clock(low)} to {_clock(high) if high < NEVER else 'ever'}"
