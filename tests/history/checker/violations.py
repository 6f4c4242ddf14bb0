"""Find the parts of a history that are not linearizable, shrink them, and print each as a timeline."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from tests.history.checker.calls import NEVER, Call, in_order, prefix
from tests.history.checker.linearizability import Model, Verdict, check, partition
from tests.history.checker.specification import (
    State,
    changes_nothing,
    is_settled,
    links_made_by,
    next_states,
    touches,
)

SPECIFICATION: Final = Model(State.empty(), next_states, is_settled)

_DEPENDS_ON_OTHER_LINKS: Final = ("409 slot-taken",)


@dataclass(frozen=True)
class Violation:
    """A history that is not linearizable, with the result of its check."""

    calls: Sequence[Call]
    verdict: Verdict[State]

    def __str__(self) -> str:
        return timeline(self.calls, self.verdict)


def violations(calls: Sequence[Call]) -> list[Violation]:
    """Return the independent parts of a history that are not linearizable, each shrunk; empty if there are none."""
    calls = [call for call in calls if not _is_irrelevant(call)]
    found = []
    for group in partition(list(_with_split_final_state(calls)), touches):
        if not check(group, SPECIFICATION).linearizable:
            shrunk = shrink(group, lambda some: not check(some, SPECIFICATION).linearizable)
            found.append(Violation(shrunk, check(shrunk, SPECIFICATION)))
    return found


def _is_irrelevant(call: Call) -> bool:
    """Whether a call without an answer had no effect that any other call could observe."""
    if call.is_answered:
        return False
    return (
        changes_nothing(call)
        or (call.kind == "generate" and call.args["key"] is None and not call.args.get("made"))
        or (call.kind == "redeem" and not call.args.get("candidates"))
    )


def _with_split_final_state(calls: Sequence[Call]) -> Iterator[Call]:
    """Yield the calls, with the final state split into one call for each independent part of the rest."""
    rest = [call for call in calls if call.kind != "final state"]
    yield from rest
    groups = [set().union(*(touches(call) for call in group)) for group in partition(rest, touches)]
    for call in calls:
        if call.kind != "final state":
            continue
        result = call.result
        for number, things in enumerate(groups):
            links = {name: kept for name, kept in result["links"].items() if ("link", name) in things}
            of_link: Mapping[str, str] = result["of_link"]
            bookings = {
                name: kept for name, kept in result["bookings"].items() if ("link", of_link[name]) in things
            }
            pointers = {
                name: kept for name, kept in result["pointers"].items() if ("event_type", name) in things
            }
            part = {"links": links, "bookings": bookings, "pointers": pointers, "of_link": of_link}
            if links or bookings or pointers:
                one = next(iter(sorted((thing for thing in things if thing[0] == "link"), key=repr)), None)
                args = {"link": one[1]} if one else {"event_type": next(iter(pointers))}
                yield replace(call, number=call.number + number, result=part, args=args)


def shrink(calls: Sequence[Call], is_bad: Callable[[Sequence[Call]], bool]) -> list[Call]:
    """Return a smaller history that is still bad, without creating a violation that the whole history does not have.

    Three things can be removed from a linearizable history so that the rest is still linearizable: its end; calls that
    change nothing; and all calls about one link, together with all refusals because of a taken time.
    """
    kept = _shortest_bad_prefix(in_order(calls), is_bad)
    kept = _without_parts(kept, [[call] for call in reversed(kept) if changes_nothing(call)], is_bad)
    names = {call.args["link"] for call in kept if call.args.get("link")}
    for name in sorted(names):
        less = list(_without_link(kept, name))
        if is_bad(less):
            kept = less
    return _without_parts(kept, [[call] for call in reversed(kept) if changes_nothing(call)], is_bad)


def _shortest_bad_prefix(calls: list[Call], is_bad: Callable[[Sequence[Call]], bool]) -> list[Call]:
    moments = sorted({call.returned for call in calls if call.returned < NEVER})
    low, high = 0, len(moments) - 1
    while low < high:
        middle = (low + high) // 2
        if is_bad(prefix(calls, moments[middle])):
            high = middle
        else:
            low = middle + 1
    shorter = prefix(calls, moments[low]) if moments else calls
    return shorter if is_bad(shorter) else calls


def _without_parts(
    calls: list[Call], parts: Sequence[Sequence[Call]], is_bad: Callable[[Sequence[Call]], bool]
) -> list[Call]:
    for part in parts:
        gone = {call.number for call in part}
        less = [call for call in calls if call.number not in gone]
        if is_bad(less):
            calls = less
    return calls


def _without_link(calls: Sequence[Call], name: str) -> Iterator[Call]:
    """Yield the calls that depend neither on one link nor on the times that its bookings occupy."""
    mine = {name}
    for call in calls:
        if call.kind == "generate" and call.args["key"] and name in call.result.get("links", ()):
            mine |= call.result["links"].keys()  # every retry with a key returns all links of that key
    bookings = {
        booking
        for call in calls
        if call.args.get("link") in mine
        for booking in (call.result.get("booking"), *call.args.get("candidates", ()))
        if booking
    }
    for call in calls:
        if call.kind == "generate":
            links = {other: link for other, link in call.result.get("links", {}).items() if other not in mine}
            if links:
                yield replace(call, result={"links": links})
        elif call.kind not in ("final state", "slots") and call.code not in _DEPENDS_ON_OTHER_LINKS:
            others = call.args.get("link") not in mine and call.args.get("booking") not in bookings
            if others and not mine & links_made_by(call).keys():
                yield call


_LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


class _Names:
    """Short names for long ids, in order of appearance."""

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
    """Return the history line by line, with one lane for each caller, and where the search for an order ended."""
    names = _Names()
    lanes = {caller: at for at, caller in enumerate(dict.fromkeys(call.caller for call in in_order(calls)))}
    numbers = {call.number: at for at, call in enumerate(in_order(calls), 1)}
    moments: list[tuple[float, int, Call]] = []
    for call in calls:
        moments.append((call.invoked, 0, call))
        if call.returned < NEVER:
            moments.append((call.returned, 1, call))
    first = min((moment[0] for moment in moments if moment[0] > -NEVER), default=0.0)
    lines = ["  time     " + " ".join(f"{caller[:6]:6}" for caller in lanes)]
    open_in: set[int] = set()
    for moment, ends, call in sorted(moments, key=lambda one: (one[0], one[1], one[2].number)):
        lane = lanes[call.caller]
        marks = ["│" if other in open_in else " " for other in range(len(lanes))]
        marks[lane] = "┴" if ends else "┬"
        (open_in.discard if ends else open_in.add)(lane)
        at = f"{moment - first:9.3f}" if moment > -NEVER else "        –"
        text = f"→ {result_text(call, names)}" if ends else request_text(call, names)
        lines.append(
            f"{at}  " + " ".join(f"{mark:6}" for mark in marks) + f" ({numbers[call.number]}) {text}"
        )
    order = ", ".join(f"({numbers[call.number]})" for call in verdict.order)
    lines.append(f"Not linearizable. The longest valid order is {order or 'empty'}. It leads to this state:")
    lines += [f"    {line}" for line in _state_lines(verdict.state, names)]
    lines.append("In this state, none of these calls can have this result:")
    lines += [
        f"    ({numbers[call.number]}) {request_text(call, names)} → {result_text(call, names)}"
        for call in verdict.stuck
    ]
    return "\n".join(lines)


def request_text(call: Call, names: _Names) -> str:
    """Return a call's request as text."""
    args = call.args
    words = [call.kind]
    if args.get("link"):
        words.append(names.link(args["link"]))
    if args.get("booking"):
        words.append(names.booking(args["booking"]))
    if args.get("event_type"):
        words.append(f"of {args['event_type'][-6:]}")
    if args.get("start") is not None:
        words.append(f"at {_clock(args['start'])}")
    if args.get("receipt"):
        words.append(
            f"as {'key ' if args['keyed'] else ''}{names.receipt(args['receipt'])}, body {args['body'][-6:]}"
        )
    if "max_uses" in args:
        words.append(f"to {args['max_uses'] or 'no limit'}")
    if call.clock[0] > -NEVER:
        words.append(f"[clock {_span(call.clock)}]")
    if call.optional:
        words.append("(may have had no effect)")
    return " ".join(words)


def result_text(call: Call, names: _Names) -> str:
    """Return a call's result as text."""
    result: dict[str, Any] = dict(call.result)
    words = [call.code]
    if result.get("booking"):
        words.append(names.booking(result["booking"]))
    words += [f"{name} {result[name]}" for name in ("status", "uses", "max_uses") if name in result]
    if result.get("start") is not None:
        words.append(f"at {_clock(result['start'])}")
    if call.kind == "final state":
        words.append(
            "; ".join(f"{names.booking(b)} {s} at {_clock(at)}" for b, (s, at) in result["bookings"].items())
        )
        words.append(
            "; ".join(f"{names.link(n)} {s}, {u} of {m}" for n, (s, u, m) in result["links"].items())
        )
    elif "links" in result:
        words.append(
            ", ".join(f"{names.link(name)} = {_link(link)}" for name, link in result["links"].items())
        )
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
    words = [f"{link.status}, {link.uses} of {link.max_uses or 'any'}"]
    words += [f"opens {_clock(link.not_before)}"] if link.not_before is not None else []
    words += [f"expires {_clock(link.expires_at)}"] if link.expires_at is not None else []
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
    return f"{_clock(low)} to {_clock(high) if high < NEVER else 'any later time'}"
