"""The sequential specification: links, slots and bookings of one host, one call at a time.

It is written from the promises (P1-P4, P8), not from the code, and shares nothing with it. `next_states` returns the
states that a call may lead to, given its result; an empty list means that this result is impossible in this state.
Times are in milliseconds.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from tests.history.checker.calls import Call

ACTIVE: Final = "active"
USED: Final = "used"
EXPIRED: Final = "expired"
REVOKED: Final = "revoked"
DELETED: Final = "deleted"
CONFIRMED: Final = "confirmed"
CANCELLED: Final = "cancelled"

READS: Final = frozenset({"read rolling link", "read link", "read booking", "slots", "final state"})
REPEATABLE: Final = frozenset({"move", "change limit"})
"""Requests that may take effect twice, or take effect and still be refused.

The app retries such a write after a lost reply, and another request may have written in between.
"""
CREATING: Final = frozenset({"replace", "renew rolling link"})
"""Requests that may create a link and be refused: the app retries after a lost reply, and the host deletes the link."""
DAY: Final = 24 * 60 * 60 * 1000
KEYLESS_WINDOW: Final = 10 * 60 * 1000
RECEIPT_ROUNDING: Final = 1000  # a receipt may end this much early: the table stores whole seconds
MAX_SPAN: Final = DAY // 3  # the longest time that a booking occupies, with its buffers


class Link(NamedTuple):
    """A link. A booking occupies the time from `before` milliseconds ahead of its start to `after` behind it.

    `passed_on`: a replacement took over `restore`, which is false here since.
    """

    event_type: str
    max_uses: int | None = 1
    not_before: int | None = None
    expires_at: int | None = None
    restore: bool = False
    rolling: bool = False
    before: int = 0
    after: int = 1
    status: str = ACTIVE
    uses: int = 0
    restored: int = 0
    max_restored: int = 5
    passed_on: bool = False

    def fresh(self, expires_at: int | None, *, rolling: bool) -> "Link":
        """Return an unused link with this one's settings, as every replacement of it has them."""
        fresh = self._replace(expires_at=expires_at, rolling=rolling, status=ACTIVE, uses=0, restored=0)
        return fresh._replace(restore=self.restore or self.passed_on, passed_on=False)

    @property
    def is_used_up(self) -> bool:
        """Whether the link has no uses left."""
        return self.max_uses is not None and self.uses >= self.max_uses


class Booking(NamedTuple):
    """A booking. `receipt` is the one that a keyless retry finds, None once the booking was moved or cancelled."""

    link: str
    start: int
    before: int
    after: int
    receipt: str | None
    status: str = CONFIRMED
    moves: int = 0  # by its invitee

    def overlaps(self, start: int, before: int, after: int) -> bool:
        """Whether it overlaps with a booking at `start`, buffers included."""
        return (
            self.status == CONFIRMED
            and self.start - self.before < start + after
            and start - before < self.start + self.after
        )


class State:
    """One state of the specification; immutable.

    `receipts` maps (link, receipt) to (body, booking, clock of the redeem). `pointers` maps an event type to its
    rolling link, or to `?` and the call that created a successor whose id is not known. `batches` maps an
    idempotency key to the body of its first request, followed by the links it created.
    """

    __slots__ = ("_hash", "_key", "batches", "bookings", "links", "pointers", "receipts")

    def __init__(
        self,
        links: dict[str, Link],
        bookings: dict[str, Booking],
        receipts: dict[tuple[str, str], tuple[str, str, tuple[float, float]]],
        pointers: dict[str, str],
        batches: dict[str, tuple[str, ...]],
    ) -> None:
        self.links, self.bookings, self.receipts = links, bookings, receipts
        self.pointers, self.batches = pointers, batches
        self._key: Any = None
        self._hash = 0

    @classmethod
    def empty(cls) -> "State":
        """Return the initial state: no links, no bookings."""
        return cls({}, {}, {}, {}, {})

    def with_changes(self, **changed: Mapping[Any, Any]) -> "State":
        """Return this state with some entries added or replaced."""
        parts = {
            name: {**getattr(self, name), **changed[name]} if name in changed else getattr(self, name)
            for name in ("links", "bookings", "receipts", "pointers", "batches")
        }
        return State(**parts)

    def without_receipt(self, link: str, receipt: str | None) -> "State":
        """Return this state without one receipt."""
        left = {key: kept for key, kept in self.receipts.items() if key != (link, receipt)}
        return State(self.links, self.bookings, left, self.pointers, self.batches)

    def is_free(self, start: int, before: int, after: int, ignoring: str | None = None) -> bool:
        """Whether no confirmed booking other than `ignoring` overlaps with that time."""
        return not any(
            booking.overlaps(start, before, after)
            for name, booking in self.bookings.items()
            if name != ignoring
        )

    def _identity(self) -> Any:
        if self._key is None:
            self._key = tuple(
                frozenset(part.items())
                for part in (self.links, self.bookings, self.receipts, self.pointers, self.batches)
            )
            self._hash = hash(self._key)
        return self._key

    def __eq__(self, other: object) -> bool:
        return isinstance(other, State) and self._identity() == other._identity()

    def __hash__(self) -> int:
        self._identity()
        return self._hash


def next_states(state: State, call: Call) -> list[State]:
    """Return every state that the call may lead to from this one, given its result."""
    name = call.args.get("link")
    if name is not None and name not in state.links:
        return []  # no caller knows a link before it is created
    return list(_RULES[call.kind](state, call))


def is_settled(call: Call) -> bool:
    """Whether a call that leaves one state unchanged would, with its result, leave every later state unchanged too."""
    return call.is_answered and not (call.code == "200" and call.kind in REPEATABLE)


def changes_nothing(call: Call) -> bool:
    """Whether a call with this result can't have changed the state."""
    return call.kind in READS or (call.is_answered and call.code >= "400")


def touches(call: Call) -> set[tuple[str, Any]]:
    """Return the things a call may read or change. Calls without a common thing are checked independently."""
    args, result = call.args, call.result
    found: set[tuple[str, Any]] = {
        (name, args[name]) for name in ("link", "booking", "event_type") if args.get(name)
    }
    found |= {("link", name) for name in (*result.get("links", ()), *args.get("made", ()))}
    found |= {("key", args["key"])} if args.get("key") else set()
    found |= {("booking", name) for name in (result.get("booking"), *args.get("candidates", ())) if name}
    starts = (args.get("start"), result.get("start"), *args.get("starts", ()))
    found |= {
        ("day", (args.get("host"), (start + reach) // DAY))
        for start in starts
        if start is not None
        for reach in (-MAX_SPAN, MAX_SPAN)
    }
    return found or {("call", call.number)}


def links_made_by(call: Call) -> Mapping[str, Link]:
    """Return the links that a call created, as far as they are known: from its answer, or from the table's stream."""
    return {**call.args.get("made", {}), **call.result.get("links", {})}


# The clock of a call is known only within bounds, so a link can be both possibly expired and possibly unexpired.


def may_have_expired(link: Link, call: Call) -> bool:
    """Whether `now >= expiresAt` (P3) is possible."""
    return link.expires_at is not None and link.expires_at <= call.clock[1]


def may_be_unexpired(link: Link, call: Call) -> bool:
    """Whether `now < expiresAt` (P3) is possible."""
    return link.expires_at is None or call.clock[0] < link.expires_at


def _may_be_active(link: Link | None, call: Call) -> bool:
    return link is not None and link.status == ACTIVE and may_be_unexpired(link, call)


def _may_be_past_expiry(link: Link, call: Call) -> bool:
    return link.status == EXPIRED or (link.status == ACTIVE and may_have_expired(link, call))


def _may_be_open(link: Link, call: Call) -> bool:
    return link.not_before is None or link.not_before <= call.clock[1]


def _make(state: State, call: Call) -> Iterator[State]:
    """Create links, with a key only once: a retry returns those of them that were not deleted (P4)."""
    made: Mapping[str, Link] = call.result.get("links", {})
    key, body = call.args["key"], call.args["body"]
    first, *batch = state.batches.get(key) or (body,)
    if not call.is_answered:
        if key not in state.batches:  # created, but their ids may not be known
            made = links_made_by(call)
            yield state.with_changes(links=made, batches={key: (body, *made)} if key else {})
    elif batch or first != body:
        left = [name for name in batch if state.links[name].status != DELETED]
        if (call.code == "201" and first == body and list(made) == left) or (
            call.code == "422 idempotency-key-reused" and first != body
        ):
            yield state
    elif call.code == "201" and not made.keys() & state.links.keys():
        yield state.with_changes(links=made, batches={key: (body, *made)} if key else {})
    elif call.code == "422 invalid-value" and may_have_expired(call.args["settings"], call):
        yield state


def _redeem(state: State, call: Call) -> Iterator[State]:
    """Create one booking per request, by a link that is active, open and not used up, at a free time (P1-P4).

    A retry with a key returns the booking. A retry without a key returns only the time, and only for ten minutes.
    """
    name, receipt_id, body = call.args["link"], call.args["receipt"], call.args["body"]
    link, receipt = state.links.get(name), state.receipts.get((name, receipt_id))
    if receipt is not None and call.args["keyed"]:
        same = receipt[0] == body
        if (same and call.code == "201" and call.result.get("booking") == receipt[1]) or (
            not same and call.code == "422 idempotency-key-reused"
        ):
            yield state
        return
    if receipt is not None:
        # P4: a keyless retry confirms the time and nothing else, for ten minutes.
        first, last = receipt[2]
        only_confirmed = call.code == "201" and set(call.result) == {"start"}
        if (
            only_confirmed
            and call.result["start"] == state.bookings[receipt[1]].start
            and call.args.get("asked", call.clock[0]) < last + KEYLESS_WINDOW
        ):
            yield state
        if call.clock[1] < first + KEYLESS_WINDOW - RECEIPT_ROUNDING:
            return
    if call.code == "201":
        if call.result.get("booking"):
            yield from _booked(state, call, call.result["booking"])
    elif not call.is_answered:
        for booking in call.args.get("candidates", ()):
            yield from _booked(state, call, booking)
    elif _refusal_holds(state, link, call):
        yield state


def _booked(state: State, call: Call, booking: str) -> Iterator[State]:
    name, start = call.args["link"], call.args["start"]
    link = state.links.get(name)
    if link is None or booking in state.bookings or link.is_used_up:
        return
    if not (_may_be_active(link, call) and _may_be_open(link, call)):
        return
    if not state.is_free(start, link.before, link.after):
        return
    receipt = call.args["receipt"]
    kept = None if call.args["keyed"] else receipt
    used = link._replace(uses=link.uses + 1)
    if used.is_used_up:
        used = used._replace(status=USED)
    after = state.with_changes(
        links={name: used},
        bookings={booking: Booking(name, start, link.before, link.after, kept)},
        receipts={(name, receipt): (call.args["body"], booking, call.clock)},
    )
    if link.rolling:
        if state.pointers.get(link.event_type) != name:
            return
        made = links_made_by(call)
        successor = next(iter(made), f"?{booking}")
        after = after.with_changes(links=made, pointers={link.event_type: successor})
    yield after


def _refusal_holds(state: State, link: Link | None, call: Call) -> bool:
    if link is None or link.status == DELETED:
        return call.code == "410 link-deleted"
    match call.code:
        case "410 link-used":
            return link.status == USED
        case "410 link-revoked":
            return link.status == REVOKED
        case "410 link-expired":
            return _may_be_past_expiry(link, call)
        case "403 link-not-open":
            early = link.not_before is not None and call.clock[0] < link.not_before
            return _may_be_active(link, call) and early
        case "409 slot-taken":
            good = _may_be_active(link, call) and _may_be_open(link, call) and not link.is_used_up
            return good and not state.is_free(call.args["start"], link.before, link.after)
    return False


def _cancel(state: State, call: Call) -> Iterator[State]:
    """Free the time, and restore the use if the link's settings say so and the link is active or used (P8)."""
    name = call.args["booking"]
    booking = state.bookings.get(name)
    if booking is None or call.code not in ("200", "no answer"):
        return
    if booking.status == CANCELLED:
        yield state
        return
    link = state.links[booking.link]
    after = state.with_changes(bookings={name: booking._replace(status=CANCELLED, receipt=None)})
    after = after.without_receipt(booking.link, booking.receipt)
    policy = link.restore and not link.rolling and link.uses > 0 and link.restored < link.max_restored
    if policy and link.status in (ACTIVE, USED):
        if may_be_unexpired(link, call):
            yield after.with_changes(links={booking.link: _restored(link)})
        if may_have_expired(link, call):
            yield after
    else:
        yield after


def _restored(link: Link) -> Link:
    return link._replace(status=ACTIVE, uses=link.uses - 1, restored=link.restored + 1)


def _move(state: State, call: Call) -> Iterator[State]:
    """Change a booking's slot; do not check the link or count a use (P8). An invitee's moves are limited (P15)."""
    name, start = call.args["booking"], call.args["start"]
    booking = state.bookings.get(name)
    if booking is None:
        return
    if booking.status == CANCELLED:
        if call.code == "409 conflict":
            yield state
        return
    max_moves = call.args.get("max_moves")  # None if the host moves it
    used_up = max_moves is not None and booking.moves >= max_moves
    if call.code == "409 move-limit" and used_up and start != booking.start:
        yield state
    free = state.is_free(start, booking.before, booking.after, ignoring=name)
    if call.code == "409 slot-taken" and not free and start != booking.start:
        yield state
    if call.code in ("200", "no answer"):
        if start == booking.start:
            yield state
        elif free and not used_up:
            after = booking._replace(start=start, receipt=None, moves=booking.moves + (max_moves is not None))
            moved = state.with_changes(bookings={name: after})
            yield moved.without_receipt(booking.link, booking.receipt)


def _revoke(state: State, call: Call) -> Iterator[State]:
    """Revoke an active link, or one that a cancellation could restore; a revoked one stays revoked (P3, P8)."""
    name = call.args["link"]
    link = state.links[name]
    match call.code:
        case "200" | "no answer":
            if link.status == REVOKED:
                yield state
            elif _may_be_active(link, call) or _may_be_restorable(link, call):
                yield state.with_changes(links={name: link._replace(status=REVOKED)})
        case "409 conflict":
            if _may_not_be_restorable(link, call) or _may_be_past_expiry(link, call):
                yield state
        case "404 not-found":
            if link.status == DELETED:
                yield state


def _delete(state: State, call: Call) -> Iterator[State]:
    """Delete a link in any status; concurrent deletes may all succeed."""
    name = call.args["link"]
    link = state.links[name]
    if link.status == DELETED:
        if call.code in ("204", "404 not-found", "no answer"):
            yield state
    elif call.code in ("204", "no answer"):
        yield state.with_changes(links={name: link._replace(status=DELETED)})


def _limit(state: State, call: Call) -> Iterator[State]:
    """Change `maxUsageCount` to no less than the uses so far; if it is equal to them, the link becomes used."""
    name, max_uses = call.args["link"], call.args["max_uses"]
    link = state.links[name]
    if link.status == DELETED:
        if call.code == "404 not-found":
            yield state
        return
    if max_uses == link.max_uses:
        if call.code in ("200", "no answer"):
            yield state
        return
    alive = _may_be_active(link, call)
    below = max_uses is not None and max_uses < link.uses
    match call.code:
        case "200" | "no answer":
            if alive and not below:
                changed = link._replace(max_uses=max_uses)
                status = USED if changed.is_used_up else link.status
                yield state.with_changes(links={name: changed._replace(status=status)})
        case "422 invalid-value":
            if alive and below:
                yield state
        case "409 conflict":
            if link.status in (USED, REVOKED) or _may_be_past_expiry(link, call):
                yield state


def _replace(state: State, call: Call) -> Iterator[State]:
    """Create a link with the same settings and revoke the old one if it is active; with a key only once (P4).

    If its write took effect and the new link was deleted before the answer, the answer is `not-found` (P3).
    """
    name, key = call.args["link"], call.args["key"]
    old = state.links[name]
    batch = state.batches.get(key) if key else None
    if batch is not None:
        gone = any(state.links[one].status == DELETED for one in (name, *batch[1:]))
        if (call.code == "404 not-found" and gone) or (
            call.code == "201" and tuple(call.result["links"]) == batch[1:]
        ):
            yield state
        return
    if call.code == "404 not-found":
        if old.status == DELETED or _was_deleted(state, call):
            yield state
        return
    if old.status == DELETED or (call.is_answered and call.code != "201"):
        return
    made = links_made_by(call)
    fresh = next(iter(made), f"?{call.number}")
    if fresh in state.links:
        return
    expires_at = made[fresh].expires_at if made else old.expires_at
    rolling = old.rolling and state.pointers.get(old.event_type) == name
    after = state.with_changes(
        links={fresh: old.fresh(expires_at, rolling=rolling)},
        pointers={old.event_type: fresh} if rolling else {},
        batches={key: ("", fresh)} if key and made else {},
    )
    yield from _revoked_within(after, name, old, call)


def _was_deleted(state: State, call: Call) -> bool:
    """Whether the call has created a link that somebody has deleted."""
    made = links_made_by(call)
    return bool(made) and all(name in state.links and state.links[name].status == DELETED for name in made)


def _revoked_within(state: State, name: str, link: Link, call: Call) -> Iterator[State]:
    """Revoke an active link as part of another operation; make a used one impossible to restore (P8)."""
    if _may_be_active(link, call):
        yield state.with_changes(links={name: link._replace(status=REVOKED)})
    if link.status == USED:
        passed_on = link.restore or link.passed_on
        yield state.with_changes(links={name: link._replace(restore=False, passed_on=passed_on)})
    elif link.status != ACTIVE or may_have_expired(link, call):
        yield state


def _may_be_restorable(link: Link, call: Call) -> bool:
    return link.status == USED and link.restore and not link.rolling and may_be_unexpired(link, call)


def _may_not_be_restorable(link: Link, call: Call) -> bool:
    return link.status == USED and (not link.restore or link.rolling or may_have_expired(link, call))


def _renew(state: State, call: Call) -> Iterator[State]:
    """Create a host's new rolling link; revoke the previous one if it is active."""
    event_type = call.args["event_type"]
    pointer = state.pointers.get(event_type)
    if call.code == "404 not-found":
        if _was_deleted(state, call):
            yield state
        return
    if call.is_answered and call.code != "201":
        return
    made = links_made_by(call)
    if made.keys() & state.links.keys():
        return
    after = state.with_changes(links=made, pointers={event_type: next(iter(made), f"?{call.number}")})
    old = state.links.get(pointer) if pointer else None
    if pointer is None or old is None:
        yield after  # if the previous link's id is unknown, no caller can observe that it is revoked
    else:
        yield from _revoked_within(after, pointer, old, call)


def _which(state: State, call: Call) -> Iterator[State]:
    """Return the current rolling link, which only a redeem or the host changes."""
    event_type = call.args["event_type"]
    pointer = state.pointers.get(event_type)
    is_deleted = pointer in state.links and state.links[pointer].status == DELETED
    if call.code == "404 not-found":
        if pointer is None or is_deleted:
            yield state
    elif call.code == "200" and pointer is not None and not is_deleted:
        [(name, result)] = call.result["links"].items()
        if pointer == name:
            yield state
        elif pointer.startswith("?") and name not in state.links:
            yield state.with_changes(links={name: result}, pointers={event_type: name})


def _read_link(state: State, call: Call) -> Iterator[State]:
    link = state.links[call.args["link"]]
    if link.status == DELETED:
        if call.code == "404 not-found":
            yield state
        return
    if call.code != "200" or (call.result["uses"], call.result["max_uses"]) != (link.uses, link.max_uses):
        return
    result = call.result["status"]
    if result == EXPIRED:
        if _may_be_past_expiry(link, call):
            yield state
    elif result == link.status and (result != ACTIVE or may_be_unexpired(link, call)):
        yield state


def _read_booking(state: State, call: Call) -> Iterator[State]:
    booking = state.bookings.get(call.args["booking"])
    if (
        booking
        and call.code == "200"
        and (call.result["status"], call.result["start"]) == (booking.status, booking.start)
    ):
        yield state


def _slots(state: State, call: Call) -> Iterator[State]:
    """Return exactly those of the requested starts at which the host is free."""
    before, after = call.args["span"]
    free = {start for start in call.args["starts"] if state.is_free(start, before, after)}
    if call.code != "200" or free == set(call.result["free"]):
        yield state


def _expire(state: State, call: Call) -> Iterator[State]:
    """Mark a link as expired once its expiry is past; the schedule reports nothing."""
    name = call.args["link"]
    link = state.links[name]
    if link.status == ACTIVE and may_have_expired(link, call):
        yield state.with_changes(links={name: link._replace(status=EXPIRED)})


def _final_state(state: State, call: Call) -> Iterator[State]:
    """Read the table at the end: every booking's status and start, and every link's status, uses and limit."""
    links: Mapping[str, tuple[str, int, int | None]] = call.result["links"]
    bookings: Mapping[str, tuple[str, int]] = call.result["bookings"]
    if {name: (one.status, one.start) for name, one in state.bookings.items()} != bookings:
        return
    for name, link in state.links.items():
        kept = links.get(name, (DELETED, link.uses, link.max_uses))
        if name.startswith("?"):
            continue  # created by a call without an answer, so its id is not known
        if kept != (link.status, link.uses, link.max_uses):
            return
    for event_type, pointer in state.pointers.items():
        kept_pointer = call.result["pointers"].get(event_type)
        if kept_pointer != pointer and not (pointer.startswith("?") and kept_pointer not in state.links):
            return
    yield state


_RULES: Final[Mapping[str, Callable[[State, Call], Iterable[State]]]] = {
    "generate": _make,
    "redeem": _redeem,
    "cancel": _cancel,
    "move": _move,
    "revoke": _revoke,
    "delete": _delete,
    "change limit": _limit,
    "replace": _replace,
    "renew rolling link": _renew,
    "read rolling link": _which,
    "read link": _read_link,
    "read booking": _read_booking,
    "slots": _slots,
    "expire": _expire,
    "final state": _final_state,
}
