"""Record traces of the stepped services for docs/model/Trace.tla: each request to DynamoDB, and each answer."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from botocore.exceptions import ClientError
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from chalicelib.domain.clock import to_millis
from tests.history.checker.calls import UNKNOWN, Call
from tests.history.interleavings.memory import Change
from tests.history.interleavings.state_machine import Choice, Interleavings
from tests.history.interleavings.stepped import (
    FIRST_SLOT,
    SLOW,
    START,
    Fate,
    Request,
    Stepped,
    SteppedEventType,
    Task,
)
from tests.support import audit

CELL: Final = 5 * 60_000
CELLS_A_DAY: Final = 288
STEPS: Final = 20  # of the state machine, in one run

_REPLACEMENTS: Final = ("replace", "renew rolling link")

Event = dict[str, Any]

_VERBS: Final[Mapping[str, str]] = {
    "redeem": "redeem",
    "cancel": "cancel",
    "move": "move",
    "revoke": "revoke",
    "delete": "delete",
    "change limit": "change",
    "replace": "replace",
    "renew rolling link": "renew",
}


@dataclass
class Trace:
    """One recorded run: the calls by worker, and the events in order. `steps` describes it for people."""

    calls: list[dict[str, Any]] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    steps: Sequence[str] = ()


class TracedStepped(Stepped):
    """The stepped services, which also record a trace: what each request read or wrote, and how each call ended."""

    def __init__(self) -> None:
        self.trace = Trace()
        self._workers: dict[int, int] = {}
        self._last: dict[int, Event] = {}
        self._created: dict[int, str] = {}
        self._failed: dict[int, bool] = {}
        self._links: dict[str, int] = {}
        self._bookings: dict[str, int] = {}
        super().__init__()
        self.world = replace(self.world, sleep=lambda _: self._starts_again())

    def begin(self) -> None:
        super().begin()
        self.trace = Trace()
        for known in (self._workers, self._last, self._created, self._failed, self._links, self._bookings):
            known.clear()

    def tick(self, millis: int) -> None:
        super().tick(millis)
        self._add("time", time=since_start(self.clock))

    def step(self, task: Task, fate: Fate = Fate.DONE) -> bool:
        running = super().step(task, fate)
        event = self._last.get(task.call.number)
        if not running and event is not None and event["end"] == "running":
            event["end"] = "unknown"  # the process died, or the call gave up
        return running

    def _start(self, kind: str, args: Mapping[str, Any], *rest: Any, **more: Any) -> Task:
        task = super()._start(kind, args, *rest, **more)
        if kind in _VERBS:
            self._workers[task.call.number] = len(self._workers) + 1
            self.trace.calls.append(self._asked(task.call))
        return task

    def _asked(self, call: Call) -> dict[str, Any]:
        args = call.args
        request = None
        if call.kind == "redeem":
            key = args["receipt"].removeprefix("key ") if args["keyed"] else None
            name, _, _ = args["body"].partition(" ")
            request = {
                "caller": f"key {key}" if key else call.caller,  # a key is known only to its caller
                "key": key,
                "start": _cell(args["start"]),
                "email": name.partition("?")[0],
                "name": name,
            }
        elif call.kind == "move":
            request = {"start": _cell(args["start"]), "byInvitee": args["max_moves"] is not None}
        elif call.kind == "change limit":
            request = {"most": args["max_uses"] or 0}
        return {
            "verb": _VERBS[call.kind],
            "link": self._links.get(args.get("link", ""), 0),
            "booking": self._bookings.get(args.get("booking", ""), 0),
            "request": request,
        }

    def _starts_again(self) -> None:
        if self._current is not None and (worker := self._workers.get(self._current.call.number)):
            self._add("again", worker=worker, failed=self._failed[self._current.call.number])

    def _reply_to(self, request: Request, fate: Fate) -> Any:
        task = self._current_task(request)
        known = len(self.memory.changes)
        self._failed[task.call.number] = fate in (Fate.REFUSED, Fate.CONFLICT, Fate.LOST)
        if fate is Fate.SLOW:  # the call reads the clock after the response
            self._add("time", time=since_start(self.clock + SLOW))
        reply = super()._reply_to(request, fate)
        changes = self.memory.changes[known:]
        self._note_new_items(task, changes)
        worker = self._workers.get(task.call.number)
        if worker is None:
            self._note_other_writes(task, changes)
        elif request.writes:
            self._note_write(task, worker, reply, fate, changes)
        elif not isinstance(reply, ClientError):
            self._note_read(task, worker, request, reply)
        return reply

    def _current_task(self, request: Request) -> Task:
        return next(task for task in self.tasks if task.waiting is request)

    def _note_new_items(self, task: Task, changes: Sequence[Change]) -> None:
        for before, after in changes:
            if before is None and after is not None:
                pk, sk = after["pk"]["S"], after["sk"]["S"]
                if sk == "LINK":
                    self._created[task.call.number] = pk.removeprefix("LINK#")
                    self._links[pk.removeprefix("LINK#")] = len(self._links) + 1
                elif sk == "BOOKING":
                    self._bookings[pk.removeprefix("BOOKING#")] = len(self._bookings) + 1

    def _note_other_writes(self, task: Task, changes: Sequence[Change]) -> None:
        """Record the writes that are not of a call of the model: new links, and links marked as expired."""
        created = [
            link_settings(after, self.event_types)
            for before, after in changes
            if before is None and after is not None and after["sk"]["S"] == "LINK"
        ]
        if created:
            self._add("generate", settings=created, table=self.table())
        elif task.call.kind == "expire" and changes:
            [(before, _)] = changes
            assert before is not None
            link = self._links[before["pk"]["S"].removeprefix("LINK#")]
            self._add("expire", link=link, table=self.table())

    def _note_write(self, task: Task, worker: int, reply: Any, fate: Fate, changes: Sequence[Change]) -> None:
        if not isinstance(reply, ClientError):
            modelled = [change for change in changes if _is_modelled(change)]
            if modelled:
                kind = "lost" if fate in (Fate.LOST, Fate.CRASH_AFTER) else "commit"
                self._add_of(task, kind, worker=worker, table=self.table())
        elif fate in (Fate.DONE, Fate.SLOW):
            self._add_of(task, "refused", worker=worker)

    def _note_read(self, task: Task, worker: int, request: Request, reply: Any) -> None:
        what, item = self._what(task, request, reply)
        self._add_of(task, "read", worker=worker, what=what, item=item)

    def _what(self, task: Task, request: Request, reply: Any) -> tuple[str, int]:
        """Return what a read returned, in the words of `Reads` in Trace.tla, and the item's number in the model."""
        if request.operation == "Query":
            return "history" if task.call.kind in _REPLACEMENTS else "else", 0
        if request.operation == "GetItem":
            keys = [request.arguments["Key"]]
        else:
            [asked] = request.arguments["RequestItems"].values()
            left = [part["Keys"] for part in reply["UnprocessedKeys"].values()]
            keys = [key for key in asked["Keys"] if key not in [one for part in left for one in part]]
        kinds: list[str] = [key["sk"]["S"].partition("#")[0] for key in keys]
        name = keys[0]["pk"]["S"].partition("#")[2]
        match kinds:
            case ["LINK", "RECEIPT"]:
                return "both", 0
            case ["LINK"]:
                return self._which_link(task, name), self._links.get(name, 0)
            case ["BOOKING"]:
                return "booking", self._bookings.get(name, 0)
            case ["RECEIPT"]:
                return "receipt", 0
            case ["DAY"]:
                date = keys[0]["sk"]["S"].removeprefix("DAY#")
                midnight = to_millis(FIRST_SLOT.fromisoformat(f"{date}T00:00:00+00:00"))
                return "day", _cell(midnight) // CELLS_A_DAY
            case ["ROLLING"]:
                return "pointer", 0
        return "else", 0

    def _which_link(self, task: Task, link: str) -> str:
        if task.call.kind in _REPLACEMENTS:
            if link not in self._links:
                return "else"  # checks whether an earlier attempt created the link, and finds none
            if link == self._created.get(task.call.number):
                return "created"
        return "link"

    def _finish_call(self, task: Task, ended: Any) -> None:
        super()._finish_call(task, ended)
        event = self._last.get(task.call.number)
        if event is None:
            return
        if ended.code == "409 move-limit" and self.trace.events[-1] is event:
            self.trace.events.pop()  # the read for the denial in the link's history; the model leaves it out
            event = next(one for one in reversed(self.trace.events) if one.get("worker") == event["worker"])
        event["end"] = "unknown" if ended.code == UNKNOWN else "ended"
        if ended.code != UNKNOWN:
            is_redeem = task.call.kind == "redeem"
            event["answer"] = self._redeem_answer(ended) if is_redeem else self._answer(task, ended)

    def _answer(self, task: Task, ended: Any) -> dict[str, Any]:
        if ended.code:
            return {"code": _error_code(ended), "link": 0}
        is_replacement = task.call.kind in _REPLACEMENTS
        return {"code": "done", "link": self._links[ended.result.link_id] if is_replacement else 0}

    def _redeem_answer(self, ended: Any) -> dict[str, Any]:
        if ended.code:
            return {"code": _error_code(ended), "shows": False, "booking": 0, "start": None}
        done = ended.result
        return {
            "code": "confirmed" if done.only_confirmed else "booked",
            "shows": not done.only_confirmed,
            "booking": self._bookings[done.booking.booking_id],
            "start": _cell(to_millis(done.booking.start)),
        }

    def _add(self, kind: str, **more: Any) -> Event:
        event = {"kind": kind, "table": None, **more}
        self.trace.events.append(event)
        return event

    def _add_of(self, task: Task, kind: str, **more: Any) -> None:
        event = {"what": "", "end": "running", "answer": None, **more}
        self._last[task.call.number] = self._add(kind, **event)

    def table(self) -> dict[str, Any]:
        """Return the stored items in the form of `Table` in Trace.tla."""
        items = self.dump()
        stored = audit.links_of(items)
        bookings = audit.bookings_of(items)
        return {
            "links": [link_item(stored.get(name)) for name in self._links],
            "bookings": [self._booking_item(bookings[name]) for name in self._bookings],
            "receipts": {
                (self._links[item["linkId"]], self._bookings[item["bookingId"]], item["end"])
                for item in self._receipts(items)
            },
            "busy": {cell for item in _days(items) for cell in item},
            "pointer": next(
                (self._links[item["linkId"]] for (_, sk), item in items.items() if sk == "ROLLING"), 0
            ),
        }

    def _booking_item(self, item: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "link": self._links[item["linkId"]],
            "start": _cell(int(item["start"])),
            "status": item["status"],
            "sequence": int(item["sequence"]),
            "moves": int(item.get("movesByInvitee") or 0),
            "createdAt": since_start(int(item["createdAt"])),
            "hasReceipt": item.get("keylessReceiptId") is not None,
        }

    def _receipts(self, items: audit.Dump) -> Iterator[dict[str, Any]]:
        for (pk, sk), item in items.items():
            if sk.startswith("RECEIPT#"):
                yield {
                    "linkId": pk.removeprefix("LINK#"),
                    "bookingId": item["bookingId"],
                    "end": since_start(int(item["purgeAt"]) * 1000),
                }


def since_start(millis: float) -> int:
    """Return an instant on the model's clock, in milliseconds."""
    return int(millis) - to_millis(START)


def link_item(item: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return a stored link in the form of `LinkItem` in Trace.tla, or None if it was deleted."""
    if item is None:
        return None
    return {
        "status": item["status"],
        "uses": int(item["usageCount"]),
        "max": int(item.get("maxUsageCount") or 0),
        "restore": bool(item.get("restoreUseOnCancel")),
        "rolling": bool(item.get("rolling")),
        "restored": int(item.get("restoredUses") or 0),
        "sequence": int(item["sequence"]),
        "edition": int(item["edition"]),
        "opens": since_start(int(item["notBefore"])) if item.get("notBefore") else None,
        "expires": since_start(int(item["expiresAt"])) if item.get("expiresAt") else None,
        "restorePassedOn": bool(item.get("restorePassedOn")),
        "isPurged": item.get("purgeAt") is not None,
    }


def link_settings(raw: Mapping[str, Any], event_types: Iterable[SteppedEventType]) -> dict[str, Any]:
    """Return the settings of a new link as the model has them."""
    item = {name: audit.value_of(value) for name, value in raw.items()}
    stored = link_item(item)
    assert stored is not None
    event_type = next(one for one in event_types if one.name == item["eventTypeId"])
    return {
        **{name: stored[name] for name in ("max", "opens", "expires", "restore", "rolling")},
        "before": event_type.before // CELL,
        "after": event_type.after // CELL,
        "created": since_start(int(item["createdAt"])),
    }


class TracedInterleavings(Interleavings):
    """The generated interleavings, each recorded as a trace."""

    traces: list[Trace] = []  # noqa: RUF012 - a subclass of `record` has its own

    def _begin(self, choice: Choice) -> Task | None:
        # The model leaves out the idempotency keys of replacements.
        verb = self._verbs[choice.verb % len(self._verbs)]
        return super()._begin(choice._replace(key=None) if verb == "replace" else choice)

    def teardown(self) -> None:
        stepped = self.s
        assert isinstance(stepped, TracedStepped)
        stepped.end()
        stepped.trace.steps = tuple(stepped.steps)
        type(self).traces.append(stepped.trace)


def record(examples: int, first_seed: int, verbs: Sequence[str] | None = None) -> list[Trace]:
    """Generate interleavings from a seed, and return their traces."""

    class Recording(TracedInterleavings):
        pass

    Recording.verbs, Recording.traces = verbs, []
    before = Interleavings.stepped
    Interleavings.stepped = TracedStepped()
    try:
        run_state_machine_as_test(
            seed(first_seed)(Recording),
            settings=settings(
                max_examples=examples,
                stateful_step_count=STEPS,
                deadline=None,
                database=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            ),
        )
    finally:
        Interleavings.stepped = before
    return [trace for trace in Recording.traces if trace.calls]


def _error_code(ended: Any) -> str:
    return "error" if ended.code.startswith("500") else str(ended.code.partition(" ")[2])


def _cell(millis: float) -> int:
    """Return the cell of an instant; days begin at multiples of `CELLS_A_DAY`."""
    return int((millis - to_millis(FIRST_SLOT)) // CELL) + CELLS_A_DAY


def _days(items: audit.Dump) -> Iterator[list[int]]:
    for (_, sk), item in items.items():
        if sk.startswith("DAY#"):
            midnight = FIRST_SLOT.fromisoformat(f"{sk.removeprefix('DAY#')}T00:00:00+00:00")
            yield [_cell(to_millis(midnight)) + int(cell) for cell in item.get("busy") or ()]


def _is_modelled(change: Change) -> bool:
    item = change[1] or change[0]
    assert item is not None
    kind = item["sk"]["S"].partition("#")[0]
    return kind in ("LINK", "BOOKING", "RECEIPT", "DAY", "ROLLING")
