"""The promised machine: links, slots and bookings of one host, with one thing happening at a time.

It is written from the promises (P1-P4, P8), not from the code, and shares nothing with it. `next_states` says what a
call may turn a state into, given what its caller was told; nothing means that it could not have been told that here.
Times are milliseconds; a start is a number, and what a booking occupies is a span of them.
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

READS: Final = frozenset({"which", "read link", "read booking", "slots", "stored"})
OVERTAKEN: Final = frozenset({"move", "limit"})
"""Requests that may be written twice, or written and then refused.

The app sends such a write again after a lost reply, and somebody else may have written in between.
"""
DAY: Final = 24 * 60 * 60 * 1000
KEYLESS_WINDOW: Final = 10 * 60 * 1000
ROUNDED: Final = 1000  # milliseconds by which a receipt may end early: the table stores whole seconds
LONGEST: Final = DAY // 3  # a booking with its buffers is at most 8 hours


class Link(NamedTuple):
    """A link. A booking by it occupies from `before` ahead of its start to `after` behind it."""

    event_type: str
    most: int | None = 1
    opens: int | None = None
    expires: int | None = None
    restore: bool = False
    rolling: bool = False
    before: int = 0
    after: int = 1
    status: str = ACTIVE
    uses: int = 0
    restored: int = 0
    max_restored: int = 5

    def fresh(self, expires: int | None, *, rolling: bool) -> "Link":
        """Return the link that takes this one's place."""
        return self._replace(expires=expires, rolling=rolling, status=ACTIVE, uses=0, restored=0)

    @property
    def spent(self) -> bool:
        """Whether no use is left."""
        return self.most is not None and self.uses >= self.most


class Booking(NamedTuple):
    """A booking. `receipt` is what a keyless repeat of its request would find, while it is in its first place."""

    link: str
    start: int
    before: int
    after: int
    receipt: str | None
    status: str = CONFIRMED
    moves: int = 0  # by its invitee

    def meets(self, start: int, before: int, after: int) -> bool:
        """Whether it holds any of the time that a booking at `start` would."""
        return (
            self.status == CONFIRMED
            and self.start - self.before < start + after
            and start - before < self.start + self.after
        )


class State:
    """Everything there is, never changed in place. `receipts`: (link, receipt) to (body, booking, when it was made).

    `pointers`: event type to its rolling link, or `?` and what made a successor that nobody has seen yet.
    `batches`: what was made under a key, after the body it was asked with.
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
        """Return the state in which nothing was made yet."""
        return cls({}, {}, {}, {}, {})

    def having(self, **changed: Mapping[Any, Any]) -> "State":
        """Return the state with entries of some of its parts replaced."""
        parts = {
            name: {**getattr(self, name), **changed[name]} if name in changed else getattr(self, name)
            for name in ("links", "bookings", "receipts", "pointers", "batches")
        }
        return State(**parts)

    def forgetting(self, link: str, receipt: str | None) -> "State":
        """Return the state without one receipt."""
        left = {key: kept for key, kept in self.receipts.items() if key != (link, receipt)}
        return State(self.links, self.bookings, left, self.pointers, self.batches)

    def is_free(self, start: int, before: int, after: int, besides: str | None = None) -> bool:
        """Whether no booking but `besides` holds any of that time."""
        return not any(
            booking.meets(start, before, after) for name, booking in self.bookings.items() if name != besides
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
    """Return every state that the call may have turned this one into, given what its caller was told."""
    name = call.what.get("link")
    if name is not None and name not in state.links:
        return []  # nobody knows a link before it is made
    return list(_RULES[call.kind](state, call))


def is_settled(call: Call) -> bool:
    """Whether a call that changes nothing here, told what it was, would change nothing at any later time either."""
    return call.is_known and not (call.code == "200" and call.kind in OVERTAKEN)


def changes_nothing(call: Call) -> bool:
    """Whether a call, told what it was, can't have changed anything at all."""
    return call.kind in READS or (call.is_known and call.code >= "400")


def touches(call: Call) -> set[tuple[str, Any]]:
    """Return what a call may depend on or change: calls with nothing in common are explained apart."""
    what, told = call.what, call.told
    found: set[tuple[str, Any]] = {
        (name, what[name]) for name in ("link", "booking", "event_type") if what.get(name)
    }
    found |= {("link", name) for name in told.get("links", ())}
    found |= {("key", what["key"])} if what.get("key") else set()
    found |= {("booking", name) for name in (told.get("booking"), *what.get("candidates", ())) if name}
    starts = (what.get("start"), told.get("start"), *what.get("starts", ()))
    found |= {
        ("day", (what.get("host"), (start + reach) // DAY))
        for start in starts
        if start is not None
        for reach in (-LONGEST, LONGEST)
    }
    return found or {("call", call.number)}


# What a clock within its bounds may have said. Both may be true of one call.


def may_have_expired(link: Link, call: Call) -> bool:
    """P3: `now >= expiresAt`."""
    return link.expires is not None and link.expires <= call.clock[1]


def may_be_unexpired(link: Link, call: Call) -> bool:
    """P3: `now < expiresAt`."""
    return link.expires is None or call.clock[0] < link.expires


def _may_be_alive(link: Link | None, call: Call) -> bool:
    return link is not None and link.status == ACTIVE and may_be_unexpired(link, call)


def _may_be_dead_of_age(link: Link, call: Call) -> bool:
    return link.status == EXPIRED or (link.status == ACTIVE and may_have_expired(link, call))


def _may_be_open(link: Link, call: Call) -> bool:
    return link.opens is None or link.opens <= call.clock[1]


def _make(state: State, call: Call) -> Iterator[State]:
    """Links are made, under a key once ever: a repeat is told of those that are still there (P4)."""
    made: Mapping[str, Link] = call.told.get("links", {})
    key, body = call.what["key"], call.what["body"]
    first, *batch = state.batches.get(key) or (body,)
    if not call.is_known:
        if key is not None and key not in state.batches:
            yield state.having(batches={key: (body,)})  # asked for, and what was made is not known yet
    elif batch or first != body:
        left = [name for name in batch if state.links[name].status != DELETED]
        if (call.code == "201" and first == body and list(made) == left) or (
            call.code == "422 idempotency-key-reused" and first != body
        ):
            yield state
    elif call.code == "201" and not made.keys() & state.links.keys():
        yield state.having(links=made, batches={key: (body, *made)} if key else {})
    elif call.code == "422 invalid-value" and may_have_expired(call.what["settings"], call):
        yield state


def _redeem(state: State, call: Call) -> Iterator[State]:
    """Book once per request, with a link that is active, open and not used up, at a free time (P1-P4).

    A retry with a key gets its booking; one without a key gets, within ten minutes, only that it is booked, and when.
    """
    name, receipt_id, body = call.what["link"], call.what["receipt"], call.what["body"]
    link, receipt = state.links.get(name), state.receipts.get((name, receipt_id))
    if receipt is not None and call.what["keyed"]:
        same = receipt[0] == body
        if (same and call.code == "201" and call.told.get("booking") == receipt[1]) or (
            not same and call.code == "422 idempotency-key-reused"
        ):
            yield state
        return
    if receipt is not None:
        # Without a key: for ten minutes, and only the time, never the booking.
        first, last = receipt[2]
        told_only_when = call.code == "201" and set(call.told) == {"start"}
        if (
            told_only_when
            and call.told["start"] == state.bookings[receipt[1]].start
            and call.what.get("asked", call.clock[0]) < last + KEYLESS_WINDOW
        ):
            yield state
        if call.clock[1] < first + KEYLESS_WINDOW - ROUNDED:
            return
    if call.code == "201":
        if call.told.get("booking"):
            yield from _booked(state, call, call.told["booking"])
    elif not call.is_known:
        for booking in call.what.get("candidates", ()):
            yield from _booked(state, call, booking)
    elif _refusal_is_true(state, link, call):
        yield state


def _booked(state: State, call: Call, booking: str) -> Iterator[State]:
    name, start = call.what["link"], call.what["start"]
    link = state.links.get(name)
    if link is None or booking in state.bookings or link.spent:
        return
    if not (_may_be_alive(link, call) and _may_be_open(link, call)):
        return
    if not state.is_free(start, link.before, link.after):
        return
    receipt = call.what["receipt"]
    kept = None if call.what["keyed"] else receipt
    used = link._replace(uses=link.uses + 1)
    if used.spent:
        used = used._replace(status=USED)
    after = state.having(
        links={name: used},
        bookings={booking: Booking(name, start, link.before, link.after, kept)},
        receipts={(name, receipt): (call.what["body"], booking, call.clock)},
    )
    if link.rolling:
        if state.pointers.get(link.event_type) != name:
            return
        after = after.having(pointers={link.event_type: f"?{booking}"})
    yield after


def _refusal_is_true(state: State, link: Link | None, call: Call) -> bool:
    if link is None or link.status == DELETED:
        return call.code == "410 link-deleted"
    match call.code:
        case "410 link-used":
            return link.status == USED
        case "410 link-revoked":
            return link.status == REVOKED
        case "410 link-expired":
            return _may_be_dead_of_age(link, call)
        case "403 link-not-open":
            early = link.opens is not None and call.clock[0] < link.opens
            return _may_be_alive(link, call) and early
        case "409 slot-taken":
            good = _may_be_alive(link, call) and _may_be_open(link, call) and not link.spent
            return good and not state.is_free(call.what["start"], link.before, link.after)
    return False


def _cancel(state: State, call: Call) -> Iterator[State]:
    """The time is free again, and the use comes back if the link says so and is not dead otherwise (P8)."""
    name = call.what["booking"]
    booking = state.bookings.get(name)
    if booking is None or call.code not in ("200", "no answer"):
        return
    if booking.status == CANCELLED:
        yield state
        return
    link = state.links[booking.link]
    after = state.having(bookings={name: booking._replace(status=CANCELLED, receipt=None)})
    after = after.forgetting(booking.link, booking.receipt)
    policy = link.restore and not link.rolling and link.uses > 0 and link.restored < link.max_restored
    if policy and link.status in (ACTIVE, USED):
        if may_be_unexpired(link, call):
            yield after.having(links={booking.link: _restored(link)})
        if may_have_expired(link, call):
            yield after
    else:
        yield after


def _restored(link: Link) -> Link:
    return link._replace(status=ACTIVE, uses=link.uses - 1, restored=link.restored + 1)


def _move(state: State, call: Call) -> Iterator[State]:
    """A move swaps slots without checking or counting the link (P8); an invitee's moves are limited (P15)."""
    name, start = call.what["booking"], call.what["start"]
    booking = state.bookings.get(name)
    if booking is None:
        return
    if booking.status == CANCELLED:
        if call.code == "409 conflict":
            yield state
        return
    most = call.what.get("max_moves")  # None: by the host
    used_up = most is not None and booking.moves >= most
    if call.code == "409 move-limit" and used_up and start != booking.start:
        yield state
    free = state.is_free(start, booking.before, booking.after, besides=name)
    if call.code == "409 slot-taken" and not free and start != booking.start:
        yield state
    if call.code in ("200", "no answer"):
        if start == booking.start:
            yield state
        elif free and not used_up:
            after = booking._replace(start=start, receipt=None, moves=booking.moves + (most is not None))
            moved = state.having(bookings={name: after})
            yield moved.forgetting(booking.link, booking.receipt)


def _revoke(state: State, call: Call) -> Iterator[State]:
    """Revoke an active link, or one that a cancellation could restore; a revoked one stays revoked (P3, P8)."""
    name = call.what["link"]
    link = state.links[name]
    match call.code:
        case "200" | "no answer":
            if link.status == REVOKED:
                yield state
            elif _may_be_alive(link, call) or _may_come_back(link, call):
                yield state.having(links={name: link._replace(status=REVOKED)})
        case "409 conflict":
            if _may_not_come_back(link, call) or _may_be_dead_of_age(link, call):
                yield state
        case "404 not-found":
            if link.status == DELETED:
                yield state


def _delete(state: State, call: Call) -> Iterator[State]:
    """Deleted whatever its status; two who delete at once are both told that it is done."""
    name = call.what["link"]
    link = state.links[name]
    if link.status == DELETED:
        if call.code in ("204", "404 not-found", "no answer"):
            yield state
    elif call.code in ("204", "no answer"):
        yield state.having(links={name: link._replace(status=DELETED)})


def _limit(state: State, call: Call) -> Iterator[State]:
    """PATCH of `maxUsageCount`: not below the uses made; at them, the link is used."""
    name, most = call.what["link"], call.what["most"]
    link = state.links[name]
    if link.status == DELETED:
        if call.code == "404 not-found":
            yield state
        return
    if most == link.most:
        if call.code in ("200", "no answer"):
            yield state
        return
    alive = _may_be_alive(link, call)
    below = most is not None and most < link.uses
    match call.code:
        case "200" | "no answer":
            if alive and not below:
                changed = link._replace(most=most)
                status = USED if changed.spent else link.status
                yield state.having(links={name: changed._replace(status=status)})
        case "422 invalid-value":
            if alive and below:
                yield state
        case "409 conflict":
            if link.status in (USED, REVOKED) or _may_be_dead_of_age(link, call):
                yield state


def _replace(state: State, call: Call) -> Iterator[State]:
    """A fresh link with the same settings; the old one is revoked if it is alive. Under a key, once ever (P4)."""
    name, key = call.what["link"], call.what["key"]
    old = state.links[name]
    batch = state.batches.get(key) if key else None
    if batch is not None:
        gone = any(state.links[one].status == DELETED for one in (name, *batch[1:]))
        if (call.code == "404 not-found" and gone) or (
            call.code == "201" and tuple(call.told["links"]) == batch[1:]
        ):
            yield state
        return
    if old.status == DELETED:
        if call.code == "404 not-found":
            yield state
        return
    if call.code == "201":
        [(fresh, told)] = call.told["links"].items()
        if fresh in state.links:
            return
        expires = told.expires
    elif not call.is_known:
        fresh, expires = f"?{call.number}", old.expires
    else:
        return
    rolling = old.rolling and state.pointers.get(old.event_type) == name
    made = state.having(
        links={fresh: old.fresh(expires, rolling=rolling)},
        pointers={old.event_type: fresh} if rolling else {},
        batches={key: ("", fresh)} if key and call.is_known else {},
    )
    yield from _ended(made, name, old, call)


def _ended(state: State, name: str, link: Link, call: Call) -> Iterator[State]:
    """Revoke an active link as part of another operation; a used one can't be restored any more (P8)."""
    if _may_be_alive(link, call):
        yield state.having(links={name: link._replace(status=REVOKED)})
    if link.status == USED:
        yield state.having(links={name: link._replace(restore=False)})
    elif link.status != ACTIVE or may_have_expired(link, call):
        yield state


def _may_come_back(link: Link, call: Call) -> bool:
    return link.status == USED and link.restore and not link.rolling and may_be_unexpired(link, call)


def _may_not_come_back(link: Link, call: Call) -> bool:
    return link.status == USED and (not link.restore or link.rolling or may_have_expired(link, call))


def _renew(state: State, call: Call) -> Iterator[State]:
    """A rolling link made or made anew by its host; the one before it is revoked if it is alive."""
    event_type = call.what["event_type"]
    pointer = state.pointers.get(event_type)
    if call.code == "201":
        [(fresh, told)] = call.told["links"].items()
        if fresh in state.links:
            return
        made = state.having(links={fresh: told}, pointers={event_type: fresh})
    elif not call.is_known:
        made = state.having(pointers={event_type: f"?{call.number}"})
    else:
        return
    old = state.links.get(pointer) if pointer else None
    if (
        pointer is None or old is None
    ):  # a successor that nobody has seen is revoked, and nobody sees that either
        yield made
    else:
        yield from _ended(made, pointer, old, call)


def _which(state: State, call: Call) -> Iterator[State]:
    """The rolling link is asked for: where the pointer is, which only a redeem or its host moves."""
    event_type = call.what["event_type"]
    pointer = state.pointers.get(event_type)
    if call.code == "404 not-found":
        if pointer is None:
            yield state
    elif call.code == "200" and pointer is not None:
        [(name, told)] = call.told["links"].items()
        if pointer == name:
            yield state
        elif pointer.startswith("?") and name not in state.links:
            yield state.having(links={name: told}, pointers={event_type: name})


def _read_link(state: State, call: Call) -> Iterator[State]:
    link = state.links[call.what["link"]]
    if link.status == DELETED:
        if call.code == "404 not-found":
            yield state
        return
    if call.code != "200" or (call.told["uses"], call.told["most"]) != (link.uses, link.most):
        return
    told = call.told["status"]
    if told == EXPIRED:
        if _may_be_dead_of_age(link, call):
            yield state
    elif told == link.status and (told != ACTIVE or may_be_unexpired(link, call)):
        yield state


def _read_booking(state: State, call: Call) -> Iterator[State]:
    booking = state.bookings.get(call.what["booking"])
    if (
        booking
        and call.code == "200"
        and (call.told["status"], call.told["start"]) == (booking.status, booking.start)
    ):
        yield state


def _slots(state: State, call: Call) -> Iterator[State]:
    """What is on offer: exactly the starts, of those asked for, at which nothing is taken."""
    before, after = call.what["span"]
    free = {start for start in call.what["starts"] if state.is_free(start, before, after)}
    if call.code != "200" or free == set(call.told["free"]):
        yield state


def _expire(state: State, call: Call) -> Iterator[State]:
    """The schedule marks a link whose time is over; nobody is told."""
    name = call.what["link"]
    link = state.links[name]
    if link.status == ACTIVE and may_have_expired(link, call):
        yield state.having(links={name: link._replace(status=EXPIRED)})


def _stored(state: State, call: Call) -> Iterator[State]:
    """What is kept, read at the end: every booking, and every link's count and limit, exactly."""
    links: Mapping[str, tuple[str, int, int | None]] = call.told["links"]
    bookings: Mapping[str, tuple[str, int]] = call.told["bookings"]
    if {name: (one.status, one.start) for name, one in state.bookings.items()} != bookings:
        return
    for name, link in state.links.items():
        kept = links.get(name, (DELETED, link.uses, link.most))
        if name.startswith("?"):
            continue  # made by a call that nobody heard the end of: its id is not known
        if kept != (link.status, link.uses, link.most):
            return
    for event_type, pointer in state.pointers.items():
        kept_pointer = call.told["pointers"].get(event_type)
        if kept_pointer != pointer and not (pointer.startswith("?") and kept_pointer not in state.links):
            return
    yield state


_RULES: Final[Mapping[str, Callable[[State, Call], Iterable[State]]]] = {
    "make": _make,
    "redeem": _redeem,
    "cancel": _cancel,
    "move": _move,
    "revoke": _revoke,
    "delete": _delete,
    "limit": _limit,
    "replace": _replace,
    "renew": _renew,
    "which": _which,
    "read link": _read_link,
    "read booking": _read_booking,
    "slots": _slots,
    "expire": _expire,
    "stored": _stored,
}
