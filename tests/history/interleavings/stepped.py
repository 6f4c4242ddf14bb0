"""Run the real services over the real store one store call at a time, under a test's control.

Each client call is a task, which stops before every request to DynamoDB. The test then decides what happens to the
request: done, done with its reply lost, throttled, or never sent because the process crashes. Every interleaving, crash
and retry can be produced and reproduced exactly.
"""

import hashlib
import itertools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from types import SimpleNamespace
from typing import Any, Final

import msgspec
from botocore.exceptions import ClientError, ReadTimeoutError
from botocore.hooks import HierarchicalEmitter
from greenlet import GreenletExit, getcurrent, greenlet

from chalicelib.domain.bookings.booking import Booking, Invitee
from chalicelib.domain.bookings.limits import BookingLimits
from chalicelib.domain.causes import Cause
from chalicelib.domain.clock import from_millis, to_millis
from chalicelib.domain.errors import AdmitOneError, TryLaterError
from chalicelib.domain.event_types.event_type import EventSettings, EventType, Question
from chalicelib.domain.event_types.schedules import Schedule, WeeklyHours
from chalicelib.domain.ids import EVENT_TYPE, HOST, LINK, id_bytes, make_id
from chalicelib.domain.links.link import Link as StoredLink, LinkSettings
from chalicelib.domain.team.api_keys import Caller, Role
from chalicelib.domain.team.hosts import Host, HostSettings
from chalicelib.domain.tokens import Keyring, Purpose, make_token
from chalicelib.service.bookings.cancel import cancel_booking
from chalicelib.service.bookings.find import hosts_booking
from chalicelib.service.bookings.move import move_booking
from chalicelib.service.bookings.redeem import Redeemed, RedeemRequest, redeem
from chalicelib.service.links.change import change_link
from chalicelib.service.links.expire import expire_due_links
from chalicelib.service.links.generate import GenerateRequest, generate
from chalicelib.service.links.read import read_link
from chalicelib.service.links.replace import replace_link
from chalicelib.service.links.revoke import delete_link, revoke_link
from chalicelib.service.links.rolling import read_rolling_link, renew_rolling_link
from chalicelib.service.ports import World
from chalicelib.store.dynamo_store import dynamo_store
from chalicelib.store.items import LinkItem
from chalicelib.store.links.links import link_of
from chalicelib.store.table import Table
from chalicelib.wire.problems import STATUSES
from tests.history.checker.calls import UNKNOWN, Call
from tests.history.checker.final_state import final_state_call, with_candidates, with_expiries
from tests.history.checker.specification import CREATING, REPEATABLE, Link
from tests.history.interleavings.memory import Memory, client_error
from tests.support import audit

TABLE: Final = "stepped"
START: Final = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
FIRST_SLOT: Final = datetime(2026, 11, 23, 0, 0, tzinfo=UTC)
MINUTE: Final = 60_000
LIMITS: Final = BookingLimits(moves_per_booking=2, restores_per_link=1)  # low, so that examples reach them
SLOW: Final = 10  # milliseconds that a slow request takes: one tick of `state_machine.py`

_CAUSE: Final = Cause("system:stepped", "stepped")
_CALLER: Final = Caller("key_stepped", Role.ADMIN, None)
_KEYRING: Final = Keyring(1, {1: bytes(32)})
_ALL_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class Fate(StrEnum):
    """What happens to one request to DynamoDB."""

    DONE = "done"
    LOST = "done, its reply lost"
    REFUSED = "refused for now"
    CONFLICT = "in conflict"
    PARTLY = "answered in part, the first key first"
    PARTLY_LAST = "answered in part, the last key first"
    SLOW = "done, slowly"
    CRASH_BEFORE = "never sent: the process died"
    CRASH_AFTER = "done: the process died"


@dataclass(frozen=True)
class Request:
    """A request to DynamoDB that a task has stopped at."""

    operation: str
    arguments: Mapping[str, Any]

    @property
    def writes(self) -> bool:
        """Whether it may change an item."""
        return self.operation not in ("GetItem", "BatchGetItem", "Query")


@dataclass
class Task:
    """A running client call, stopped before one of its store calls."""

    call: Call
    thread: greenlet
    to_result: Callable[[Any], Mapping[str, Any]]
    skew: int
    waiting: Request | None = None
    lost_replies: int = 0  # writes that took effect although the task received no reply
    made: dict[str, Link] = field(default_factory=dict)  # the links that its writes have created


@dataclass(frozen=True)
class _Ended:
    code: str
    result: Any


class _Client:
    """Stands in for PynamoDB's botocore client."""

    _request_signer = None

    def __init__(self, stepped: "Stepped") -> None:
        self._stepped = stepped
        self.meta = SimpleNamespace(events=HierarchicalEmitter())

    def _make_api_call(self, operation: str, arguments: Mapping[str, Any]) -> Any:
        return self._stepped.asked(Request(operation, arguments))


@dataclass(frozen=True)
class SteppedEventType:
    """An event type as the specification needs it: its id, and the time that a booking occupies."""

    name: str
    before: int
    after: int


class Stepped:
    """A host with two event types, a clock that only `tick` advances, and tasks that stop before every store call."""

    def __init__(self) -> None:
        self._stamps = itertools.count()
        self._random = itertools.count()
        self._hub = getcurrent()
        self.clock = to_millis(START)
        self.tasks: list[Task] = []
        self.calls: list[Call] = []
        self.steps: list[str] = []
        self.links: dict[str, Link] = {}  # all that were ever created, in order
        self._current: Task | None = None
        table = Table(TABLE, sleep=lambda _: None)
        table.connection._client = _Client(self)  # type: ignore[assignment]
        self.world = World(
            store=dynamo_store(table),
            now=self._now,
            random_bytes=self._random_bytes,
            sleep=lambda _: None,
            keyring=lambda: _KEYRING,
            limits=LIMITS,
        )
        self.memory = Memory()
        self.host_id, self.event_types = self._set_up_host()
        self._initial_items = dict(self.memory.items)

    def begin(self) -> None:
        """Reset to the initial items, without links, bookings or running tasks."""
        for task in list(self.tasks):
            self._crash(task)
        self._stamps, self._random = itertools.count(), itertools.count(1000)
        self.clock = to_millis(START)
        self.calls, self.steps, self.links = [], [], {}
        self.memory = Memory(self._initial_items)

    def tick(self, millis: int) -> None:
        """Advance the clock."""
        self.clock += millis
        self.steps.append(f"{millis} ms pass")

    # The client calls. Each is recorded in the specification's terms, and stops before its first store call.

    def make(
        self, event_type: SteppedEventType, settings: Link, count: int = 1, key: str | None = None
    ) -> Task:
        """Generate links."""
        wanted = _settings_of(settings)
        request = GenerateRequest(
            event_type_id=event_type.name,
            links=[wanted] * count,
            from_items=False,
            idempotency_key=key,
            body_hash=hashlib.sha256(repr((count, wanted)).encode()).hexdigest()[:8],
        )

        def act() -> list[StoredLink]:
            return generate(self.world, _CALLER, request, self._cause()).links

        def to_result(made: list[StoredLink]) -> dict[str, Any]:
            return {"links": {link.link_id: settings for link in made}}

        args = {"key": key, "body": request.body_hash, "settings": settings}
        return self._start("generate", args, act, to_result, "201")

    def redeem(
        self, link_id: str, link: Link, start: int, person: str, key: str | None, caller: str, name: str = ""
    ) -> Task:
        """Redeem a link. The body is `person` and the start, plus `name` if another person guesses the request."""
        raw = id_bytes(LINK, link_id)
        assert raw is not None
        body = f"{person}{name} at {start}"
        request = RedeemRequest(
            start=from_millis(start),
            time_zone="UTC",
            invitee=Invitee(body, f"{person}@example.com"),
            answers={},
            location_index=None,
            idempotency_key=key,
            body_hash=body,
        )
        args = {
            "link": link_id,
            "start": start,
            "receipt": f"key {key}" if key else body,
            "keyed": key is not None,
            "body": body,
            "event_type": link.event_type if link.rolling else None,
            "asked": float(self.clock),
        }
        return self._start(
            "redeem",
            args,
            lambda: redeem(self.world, make_token(_KEYRING, Purpose.LINK, raw), request, self._cause()),
            _redeem_result,
            "201",
            caller=caller,
        )

    def cancel(self, booking_id: str) -> Task:
        """Cancel a booking."""
        find = hosts_booking(self.world, _CALLER, booking_id)
        return self._start(
            "cancel",
            {"booking": booking_id},
            lambda: cancel_booking(self.world, find, self._cause()),
            _nothing,
            "200",
        )

    def move(self, booking_id: str, start: int, *, by_invitee: bool = False) -> Task:
        """Move a booking."""
        find = hosts_booking(self.world, _CALLER, booking_id)
        return self._start(
            "move",
            {
                "booking": booking_id,
                "start": start,
                "max_moves": LIMITS.moves_per_booking if by_invitee else None,
            },
            lambda: move_booking(self.world, find, from_millis(start), self._cause(), by_invitee=by_invitee),
            _nothing,
            "200",
        )

    def revoke(self, link_id: str) -> Task:
        """Revoke a link."""
        return self._start(
            "revoke",
            {"link": link_id},
            lambda: revoke_link(self.world, _CALLER, link_id, self._cause()),
            _nothing,
            "200",
        )

    def delete(self, link_id: str) -> Task:
        """Delete a link."""
        return self._start(
            "delete",
            {"link": link_id},
            lambda: delete_link(self.world, _CALLER, link_id, self._cause()),
            _nothing,
            "204",
        )

    def limit(self, link_id: str, max_uses: int | None) -> Task:
        """Change how many uses a link has."""
        return self._start(
            "change limit",
            {"link": link_id, "max_uses": max_uses},
            lambda: change_link(
                self.world, _CALLER, link_id, lambda old: _with_limit(old, max_uses), self._cause()
            ),
            _nothing,
            "200",
        )

    def replace(self, link_id: str, link: Link, key: str | None = None) -> Task:
        """Replace a link."""
        return self._start(
            "replace",
            {
                "link": link_id,
                "key": f"{link_id} {key}" if key else None,
                "event_type": _rolling_event_type(link),
            },
            lambda: replace_link(self.world, _CALLER, link_id, key, self._cause()),
            lambda fresh: {"links": {fresh.link_id: self._as_made(fresh)}},
            "201",
        )

    def renew(self, event_type: SteppedEventType) -> Task:
        """Create an event type's rolling link, or replace it."""
        return self._start(
            "renew rolling link",
            {"event_type": event_type.name},
            lambda: renew_rolling_link(self.world, _CALLER, event_type.name, lambda old: old, self._cause()),
            lambda fresh: {"links": {fresh.link_id: self._as_made(fresh)}},
            "201",
        )

    def which(self, event_type: SteppedEventType) -> Task:
        """Read an event type's rolling link."""
        return self._start(
            "read rolling link",
            {"event_type": event_type.name},
            lambda: read_rolling_link(self.world, _CALLER, event_type.name),
            lambda found: {"links": {found.link_id: self._as_made(found)}},
            "200",
        )

    def read_link(self, link_id: str) -> Task:
        """Read a link."""

        def to_result(link: StoredLink) -> dict[str, Any]:
            status = link.status_at(self._now())
            return {
                "status": status.value,
                "uses": link.usage_count,
                "max_uses": link.settings.max_usage_count,
            }

        return self._start(
            "read link", {"link": link_id}, lambda: read_link(self.world, _CALLER, link_id), to_result, "200"
        )

    def read_booking(self, booking_id: str) -> Task:
        """Read a booking."""

        def to_result(booking: Booking) -> dict[str, Any]:
            return {"status": booking.status.value, "start": to_millis(booking.start)}

        find = hosts_booking(self.world, _CALLER, booking_id)
        return self._start("read booking", {"booking": booking_id}, find, to_result, "200")

    def expire(self) -> Task:
        """Run the expiry schedule. `with_expiries` later turns it into one call for each link that was due."""
        return self._start("expire", {}, lambda: expire_due_links(self.world), _nothing, "200")

    # The scheduler.

    def step(self, task: Task, fate: Fate = Fate.DONE) -> bool:
        """Execute one store call and run the task to its next one; return whether the task is still running."""
        request = task.waiting
        assert request is not None
        fate = _applicable_fate(fate, request)
        self.steps.append(f"({task.call.number}) {request.operation}: {fate}")
        if fate is Fate.CRASH_BEFORE:
            self._crash(task)
            return False
        reply = self._reply_to(request, fate)
        if fate is Fate.SLOW:
            self.clock += SLOW
        if fate is Fate.CRASH_AFTER:
            self._crash(task)
            return False
        if fate is Fate.LOST:
            task.lost_replies += not isinstance(reply, ClientError)
            reply = ReadTimeoutError(endpoint_url="memory")
        # A redeem that was refused because of a taken time reads its receipt again; the clock does not matter there.
        rereads_receipt = task.call.kind == "redeem" and request.operation == "GetItem"
        if not request.writes and not rereads_receipt and not task.lost_replies:
            # P3: every attempt reads the clock again, after the last read before its write. After a write whose
            # response was lost, an earlier attempt may have decided.
            task.call = replace(task.call, clock=(self.clock + task.skew, math.inf))
        return self._resume(task, reply)

    def ask(self, event_type: SteppedEventType, label: str) -> None:
        """Add a required question to an event type at once. The specification does not have questions."""
        stored = self.world.store.event_types.read(event_type.name)
        assert stored is not None
        settings = msgspec.structs.replace(stored.settings, questions=(Question("q1", label, required=True),))
        changed = msgspec.structs.replace(stored, settings=settings, sequence=stored.sequence + 1)
        assert self.world.store.event_types.change(changed, self._cause(), seen=stored.sequence)

    def finish(self, task: Task) -> None:
        """Run a task to its end without faults."""
        while self.step(task):
            pass

    def end(self) -> list[Call]:
        """Run all tasks to their end, and return the history with the table's final state."""
        for task in list(self.tasks):
            self.finish(task)
        return self.history()

    def history(self) -> list[Call]:
        """Return all calls so far, including those without an answer, and the table's current state."""
        items = self.dump()
        running = [task.call.without_answer() for task in self.tasks]
        calls = with_candidates(with_expiries([*self.calls, *running]), items)
        return [*calls, final_state_call(items, next(self._stamps))]

    def dump(self) -> audit.Dump:
        """Return the stored items in the audit's form."""
        return {
            key: {name: audit.value_of(value) for name, value in item.items()}
            for key, item in self.memory.items.items()
        }

    @property
    def deleted(self) -> list[str]:
        """Links that a client has tried to delete."""
        return [call.args["link"] for call in self.history() if call.kind == "delete"]

    def bookings(self) -> list[tuple[str, str]]:
        """Return every stored booking with its link, in the order in which they were created."""
        return [(name, item["linkId"]) for name, item in audit.bookings_of(self.dump()).items()]

    def asked(self, request: Request) -> Any:
        """Take a request from the store: stop the current task at it, or execute it at once outside a task."""
        if self._current is None or _is_denial_record(request):
            return self.memory.answer(request.operation, request.arguments)
        reply = self._hub.switch(request)
        if isinstance(reply, Exception):
            raise reply
        return reply

    def _start(
        self,
        kind: str,
        args: Mapping[str, Any],
        act: Callable[[], Any],
        to_result: Callable[[Any], Mapping[str, Any]],
        code: str,
        *,
        caller: str = "host",
    ) -> Task:
        number = next(self._stamps)
        clock = (float(self.clock), math.inf)
        call = Call(number, kind, args, code, number, math.inf, clock, caller=f"{caller}")
        task = Task(call, greenlet(lambda: _outcome(act)), to_result, 0)
        self.tasks.append(task)
        self.steps.append(
            f"({number}) {kind} {', '.join(f'{k} {v}' for k, v in args.items() if k != 'settings')}"
        )
        self._resume(task, None)
        return task

    def _resume(self, task: Task, reply: Any) -> bool:
        self._hub = getcurrent()
        self._current = task
        try:
            came = task.thread.switch() if reply is None else task.thread.switch(reply)
            if isinstance(came, Request):
                task.waiting = came
                return True
            self._finish_call(task, came)
            return False
        finally:
            self._current = None

    def _finish_call(self, task: Task, ended: _Ended) -> None:
        self.tasks.remove(task)
        call = task.call
        if ended.code == UNKNOWN:
            self.calls.append(call.without_answer())
            return
        code = call.code if not ended.code else ended.code
        result = task.to_result(ended.result) if not ended.code else {}
        stamp = next(self._stamps)
        clock = (call.clock[0], float(self.clock))
        done = replace(call, code=code, result=result, returned=stamp, clock=clock)
        self.calls.append(done)
        if call.kind in REPEATABLE:
            self.calls += [done.possible_repeat(next(self._stamps)) for _ in range(task.lost_replies)]
        if call.kind in CREATING and not task.made.keys() <= result.get("links", {}).keys():
            # Its write took effect, and then it was refused.
            self.calls.append(done.possible_repeat(next(self._stamps)))

    def _crash(self, task: Task) -> None:
        """End the task at once, as when its process dies."""
        self.tasks.remove(task)
        self.calls.append(task.call.without_answer())
        self._hub = getcurrent()
        task.thread.throw(GreenletExit)

    def _reply_to(self, request: Request, fate: Fate) -> Any:
        match fate:
            case Fate.REFUSED:
                return client_error("ThrottlingException", request.operation)
            case Fate.CONFLICT:
                return _conflict(request)
            case Fate.PARTLY | Fate.PARTLY_LAST:
                return self._in_part(request, last=fate is Fate.PARTLY_LAST)
        known = len(self.memory.changes)
        try:
            reply = self.memory.answer(request.operation, request.arguments)
        except ClientError as error:
            return error
        self._note_new_links(request, known)
        return reply

    def _note_new_links(self, request: Request, known: int) -> None:
        """Record which call created a link: without an answer, its caller does not know the link, but the host does."""
        made = {
            link.link_id: self._as_made(link)
            for before, after in self.memory.changes[known:]
            if before is None and after is not None and after["sk"]["S"] == "LINK"
            for link in [link_of(LinkItem.from_raw_data(after))]
        }
        if made:
            self.links |= made
            task = next(task for task in self.tasks if task.waiting is request)
            task.made |= made
            task.call = replace(task.call, args={**task.call.args, "made": task.made})

    def _in_part(self, request: Request, *, last: bool) -> Any:
        [(table, asked)] = request.arguments["RequestItems"].items()
        first, *rest = reversed(asked["Keys"]) if last else asked["Keys"]
        reply = self.memory.answer("BatchGetItem", {"RequestItems": {table: {**asked, "Keys": [first]}}})
        return {**reply, "UnprocessedKeys": {table: {**asked, "Keys": rest}} if rest else {}}

    def _now(self) -> datetime:
        skew = self._current.skew if self._current else 0
        return from_millis(self.clock + skew)

    def _random_bytes(self, count: int) -> bytes:
        return hashlib.sha256(f"{next(self._random)}".encode()).digest()[:count]

    def _cause(self) -> Cause:
        number = self._current.call.number if self._current else 0
        return Cause("key:stepped", f"call-{number}")

    def _as_made(self, link: StoredLink) -> Link:
        """Return a stored link as the specification has it when it is created."""
        settings = link.settings
        event_type = next(one for one in self.event_types if one.name == link.event_type_id)
        return Link(
            event_type=event_type.name,
            max_uses=settings.max_usage_count,
            not_before=to_millis(settings.not_before) if settings.not_before else None,
            expires_at=to_millis(settings.expires_at) if settings.expires_at else None,
            restore=settings.restore_use_on_cancel,
            rolling=link.rolling,
            max_restored=LIMITS.restores_per_link,
            before=event_type.before,
            after=event_type.after,
        )

    def _set_up_host(self) -> tuple[str, tuple[SteppedEventType, SteppedEventType]]:
        host_id = make_id(HOST, self._random_bytes(16))
        host = HostSettings(name="Ada", email="ada@example.com", time_zone="UTC")
        self.world.store.hosts.create(Host(host_id=host_id, settings=host, created_at=START), _CAUSE)
        hours = WeeklyHours(days=_ALL_DAYS, start="00:00", end="24:00")
        kinds = []
        for minutes, buffer in ((5, 0), (10, 5)):
            settings = EventSettings(
                title="Talk",
                duration_minutes=minutes,
                slot_interval_minutes=5,
                buffer_before_minutes=buffer,
                schedule=Schedule("UTC", weekly=(hours,)),
            )
            event_type = EventType(
                event_type_id=make_id(EVENT_TYPE, self._random_bytes(16)),
                host_id=host_id,
                settings=settings,
                created_at=START,
            )
            self.world.store.event_types.create(event_type, _CAUSE)
            kinds.append(SteppedEventType(event_type.event_type_id, buffer * MINUTE, minutes * MINUTE))
        return host_id, (kinds[0], kinds[1])


def slot(number: int) -> int:
    """Return the start of a slot by its number, from 0: 5 minutes apart, number 5 at a midnight."""
    return to_millis(FIRST_SLOT) + (number - 5) * 5 * MINUTE


def _outcome(act: Callable[[], Any]) -> _Ended:
    try:
        return _Ended("", act())
    except TryLaterError:
        return _Ended(UNKNOWN, None)
    except AdmitOneError as error:
        return _Ended(f"{STATUSES[type(error)]} {error.code}", None)
    except Exception as error:  # noqa: BLE001 - the API answers 500 to every other exception
        return _Ended(f"500 {error!r}", None)


def _applicable_fate(fate: Fate, request: Request) -> Fate:
    """Return the fate, or the closest one that this kind of request can have."""
    if fate in (Fate.PARTLY, Fate.PARTLY_LAST) and request.operation != "BatchGetItem":
        return Fate.DONE
    if fate in (Fate.CONFLICT, Fate.LOST) and not request.writes:
        return Fate.REFUSED
    return fate


def _conflict(request: Request) -> ClientError:
    if request.operation != "TransactWriteItems":
        return client_error("TransactionConflictException", request.operation)
    reasons = [{"Code": "TransactionConflict"} for _ in request.arguments["TransactItems"]]
    return client_error("TransactionCanceledException", request.operation, CancellationReasons=reasons)


def _is_denial_record(request: Request) -> bool:
    return request.operation == "PutItem" and request.arguments["Item"]["sk"]["S"].startswith("DENIAL#")


def _redeem_result(done: Redeemed) -> dict[str, Any]:
    if done.only_confirmed:
        return {"start": to_millis(done.booking.start)}
    return {"booking": done.booking.booking_id}


def _nothing(_: Any) -> dict[str, Any]:
    return {}


def _with_limit(settings: LinkSettings, max_uses: int | None) -> LinkSettings:
    return msgspec.structs.replace(settings, max_usage_count=max_uses)


def _rolling_event_type(link: Link) -> str | None:
    return link.event_type if link.rolling else None


def _settings_of(link: Link) -> LinkSettings:
    return LinkSettings(
        max_usage_count=link.max_uses,
        not_before=from_millis(link.not_before) if link.not_before is not None else None,
        expires_at=from_millis(link.expires_at) if link.expires_at is not None else None,
        restore_use_on_cancel=link.restore,
    )
