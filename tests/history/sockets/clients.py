"""Send random requests on real sockets to several app processes, and record them as a history."""

import itertools
import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from chalicelib.domain.bookings.limits import BookingLimits
from chalicelib.domain.clock import to_millis
from tests.history.checker.calls import NEVER, Call
from tests.history.checker.final_state import final_state_call, with_candidates, with_expiries
from tests.history.checker.specification import REPEATABLE, Link
from tests.history.checker.violations import violations
from tests.support import audit
from tests.support.proof.harness import (
    Answer,
    App,
    Client,
    Link as Given,
    NoAnswerError,
    Stage,
    day_start,
    rfc3339,
)
from tests.support.waiting import LIMIT

CLIENTS: Final = 4  # per workload: the most calls in progress about one link
CONCURRENT_WORKLOADS: Final = 4
_MINUTE: Final = timedelta(minutes=1)
_NOON: Final = timedelta(hours=12)  # far from midnight, so a workload's slots are on one UTC day
_SLOTS: Final = 5
_VERBS: Final = (
    *(["redeem"] * 8 + ["redeem again"] * 4 + ["cancel"] * 4 + ["move"] * 4),
    *(
        "revoke",
        "delete",
        "change limit",
        "change limit",
        "replace",
        "renew rolling link",
        "read rolling link",
        "read rolling link",
        "generate",
        "generate",
        "expire",
    ),
    *("read link", "read link", "read booking", "slots", "slots"),
)


class OneApp(Client):
    """A client of one app process, so that a call's clock is known."""

    def __init__(self, url: str, api_key: str) -> None:
        super().__init__([url], 0, api_key)
        self.url = url


@dataclass
class Recorder:
    """Records every call. `skews` maps an app's URL to the seconds by which its clock is ahead.

    `may_repeat` is set if replies get lost between app and DynamoDB, so the app may send a write twice.
    """

    skews: Mapping[str, float] = field(default_factory=dict)
    may_repeat: bool = False
    calls: list[Call] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    _numbers: "itertools.count[int]" = field(default_factory=itertools.count)
    _lock: threading.Condition = field(default_factory=threading.Condition)

    def wait_for(self, count: int) -> None:
        """Wait until that many calls have ended."""
        with self._lock:
            assert self._lock.wait_for(lambda: len(self.calls) >= count, timeout=LIMIT)

    def record(
        self,
        caller: str,
        kind: str,
        args: Mapping[str, Any],
        url: str,
        send: Callable[[], Answer],
        to_result: Callable[[Any], Mapping[str, Any]],
    ) -> Call | None:
        """Send a request and record it; return None, without a record, if the connection was refused."""
        skew = self.skews.get(url, 0.0)
        invoked, wall = time.monotonic(), time.time()
        try:
            answer: Answer | None = send()
        except NoAnswerError as error:
            if isinstance(error.__cause__, ConnectionRefusedError):
                return None
            answer = None
        returned, over = time.monotonic(), time.time()
        # The app's clock is this machine's, truncated to the millisecond.
        clock = ((wall + skew) * 1000 - 1, (over + skew) * 1000)
        call = Call(next(self._numbers), kind, args, "", invoked, returned, clock, caller=caller)
        if answer is None or answer.status >= 500 or answer.status == 429:
            done = replace(call, code="lost").without_answer()
        else:
            result = to_result(answer.json) if answer.status in (200, 201) else {}
            done = replace(call, code=answer.code, result=result)
        with self._lock:
            self.calls.append(done)
            if answer is not None and answer.status == 500:
                self.faults.append(f"{kind} returned {answer.code}")
            if self.may_repeat and done.is_answered and kind in REPEATABLE:
                self.calls.append(done.possible_repeat(next(self._numbers)))
            self._lock.notify_all()
        return done


class Workload:
    """One host with a few links, and clients that send random requests about them."""

    def __init__(
        self, stage: Stage, recorder: Recorder, seed: int, apps: Sequence[App], verbs: Sequence[str]
    ) -> None:
        self._stage, self.recorder, self._apps, self._verbs = stage, recorder, apps, verbs
        self._random = random.Random(seed)
        self._lock = threading.Lock()
        self._clients: dict[tuple[int, str], OneApp] = {}
        self.host = stage.host()
        self.event_type = stage.event_type(self.host, 10, slotIntervalMinutes=5, bufferBeforeMinutes=5)
        self.links: list[tuple[str, str, Link]] = []  # id, token, as made
        self.bookings: list[tuple[str, str]] = []  # id, the invitee's token
        self.asked: list[tuple[str, str, int, str, str | None]] = []
        self._bodies_by_key: dict[str, dict[str, Any]] = {}
        # Links that were created with others. They are never deleted: a retry reads several of them, not atomically.
        self._batch_links: set[str] = set()
        self._starts = [day_start(3) + _NOON + number * 5 * _MINUTE for number in range(_SLOTS)]

    def create_links(self) -> None:
        """Create the first links with random limits; some expire or open while the clients run."""
        rng = self._random
        while len(self.links) < 3:
            client, now = self._client(rng), datetime.now(UTC)
            body: dict[str, Any] = {"maxUsageCount": rng.choice([1, 1, 2, 3, None])}
            if rng.random() < 0.6:
                body["expiresAt"] = rfc3339(now + _lifetime(rng))
            elif rng.random() < 0.3:
                body["notBefore"] = rfc3339(now + timedelta(seconds=rng.uniform(0.1, 0.8)))
            if rng.random() < 0.5:
                body["restoreUseOnCancel"] = True
            self._make(client, body)
        self._host_call(
            self._client(rng),
            "host",
            "renew rolling link",
            f"/v1/event-types/{self.event_type}/rolling-link",
            body={},
        )

    def run(self, count: int, caller: str, seed: int) -> None:
        """Send `count` random requests as one client."""
        rng = random.Random(seed)
        for _ in range(count):
            self._do(rng.choice(self._verbs), rng, caller)

    def _do(self, verb: str, rng: random.Random, caller: str) -> None:
        client = self._client(rng)
        with self._lock:
            name, token, link = rng.choice(self.links)
            booking = rng.choice(self.bookings) if self.bookings else None
            asked = rng.choice(self.asked[-4:]) if self.asked else None
        start = rng.choice(self._starts)
        match verb:
            case "redeem":
                key = f"k{rng.randrange(3)}" if rng.random() < 0.4 else None
                self._redeem(client, caller, (name, token, _millis(start), f"p{rng.randrange(6)}", key), link)
            case "redeem again" if asked:
                link = next(made for other, _, made in self.links if other == asked[0])
                self._redeem(client, caller, asked, link)
            case "cancel" | "move" | "read booking" if booking:
                self._do_with_booking(verb, client, caller, booking, start, by_host=rng.random() < 0.5)
            case "revoke" | "delete" | "change limit" | "replace":
                self._do_with_link(verb, client, caller, (name, link), rng)
            case "generate":
                self._make_again(client, rng, caller)
            case "expire":
                self._expire(client, caller)
            case "renew rolling link" | "read rolling link":
                path = f"/v1/event-types/{self.event_type}/rolling-link"
                if verb == "renew rolling link" and rng.random() < 0.5:
                    self._host_call(client, caller, "renew rolling link", path, body={})
                else:
                    self._host_call(client, caller, "read rolling link", path, method="GET")
            case "slots":
                self._slots(client, caller, name, token)
            case _:
                self._host_call(
                    client, caller, "read link", f"/v1/links/{name}", {"link": name}, method="GET"
                )

    def _do_with_link(
        self, verb: str, client: OneApp, caller: str, named: tuple[str, Link], rng: random.Random
    ) -> None:
        name, link = named
        match verb:
            case "revoke":
                self._host_call(client, caller, verb, f"/v1/links/{name}/revoke", {"link": name})
            case "delete" if not link.rolling and name not in self._batch_links and rng.random() < 0.5:
                self._host_call(client, caller, verb, f"/v1/links/{name}", {"link": name}, method="DELETE")
            case "change limit" if not link.rolling:
                max_uses = rng.choice([1, 2, 3, None])
                limits: dict[str, Any] = {"link": name, "max_uses": max_uses}
                self._host_call(
                    client,
                    caller,
                    verb,
                    f"/v1/links/{name}",
                    limits,
                    body={"maxUsageCount": max_uses},
                    method="PATCH",
                )
            case "replace":
                event_type = self.event_type if link.rolling else None
                again = f"r{rng.randrange(2)}" if rng.random() < 0.4 else None
                old = {"link": name, "key": f"{name} {again}" if again else None, "event_type": event_type}
                self._host_call(client, caller, verb, f"/v1/links/{name}/replace", old, key=again)

    def _do_with_booking(
        self,
        verb: str,
        client: OneApp,
        caller: str,
        booking: tuple[str, str],
        start: datetime,
        *,
        by_host: bool,
    ) -> None:
        """Send the request through the host's API or the invitee's page."""
        name, own = booking
        path, args = f"/v1/bookings/{name}" if by_host else f"/b/{own}", {"booking": name}
        match verb:
            case "cancel":
                self._host_call(client, caller, verb, f"{path}/cancel", args)
            case "move":
                max_uses = None if by_host else BookingLimits().moves_per_booking
                to: dict[str, Any] = {**args, "start": _millis(start), "max_moves": max_uses}
                self._host_call(
                    client, caller, verb, f"{path}/reschedule", to, body={"start": rfc3339(start)}
                )
            case _:
                self._host_call(client, caller, verb, path, args, method="GET")

    def _redeem(
        self, client: OneApp, caller: str, asked: tuple[str, str, int, str, str | None], link: Link
    ) -> None:
        name, token, start, person, key = asked
        body = f"{person} at {start}"
        args = {
            "link": name,
            "start": start,
            "receipt": f"key {key}" if key else body,
            "keyed": key is not None,
            "body": body,
            "event_type": self.event_type if link.rolling else None,
        }
        at = datetime.fromtimestamp(start / 1000, UTC)
        booked = self._record(
            caller,
            "redeem",
            args,
            client.url,
            lambda: client.redeem(Given(name, token), at, f"{person}@example.com", key=key, name=body),
            _redeem_result,
        )
        with self._lock:
            self.asked.append(asked)
            if booked and booked.result.get("booking"):
                made = booked.result["booking"], booked.result["own"]
                if made not in self.bookings:
                    self.bookings.append(made)

    def _slots(self, client: OneApp, caller: str, name: str, token: str) -> None:
        first, last = rfc3339(self._starts[0]), rfc3339(self._starts[-1] + _MINUTE)
        starts = [_millis(start) for start in self._starts]
        self._record(
            caller,
            "slots",
            {"link": name, "starts": starts, "span": (5 * 60_000, 10 * 60_000)},
            client.url,
            lambda: client.send("GET", f"/s/{token}/slots?from={first}&to={last}"),
            lambda result: {
                "free": [_millis(datetime.fromisoformat(one["start"])) for one in result["slots"]]
            },
        )

    def _make(
        self, client: OneApp, body: dict[str, Any], caller: str = "host", key: str | None = None
    ) -> None:
        full = {"eventTypeId": self.event_type, **body}
        settings = self._as_made(
            {"expiresAt": None, "notBefore": None, **body}, restore=body.get("restoreUseOnCancel")
        )
        args = {"key": f"{self.host} {key}" if key else None, "body": repr(body), "settings": settings}
        headers = {"Idempotency-Key": key} if key else {}
        made = self._record(
            caller,
            "generate",
            args,
            client.url,
            lambda: client.send("POST", "/v1/links", full, headers),
            lambda result: {
                "links": {one["linkId"]: settings for one in result["links"]},
                "made": result["links"],
            },
        )
        documents = made.result.get("made", ()) if made else ()
        with self._lock:
            self._batch_links |= {one["linkId"] for one in documents if body.get("count", 1) > 1}
        for document in documents:
            self._remember(document, settings)

    def _make_again(self, client: OneApp, rng: random.Random, caller: str) -> None:
        """Generate links with an idempotency key: for the first time, as a retry, or with another body."""
        key = f"g{rng.randrange(2)}"
        expires = datetime.now(UTC) + _lifetime(rng)
        fresh = {"count": rng.choice([1, 1, 2]), "expiresAt": rng.choice([None, rfc3339(expires)])}
        with self._lock:
            body = self._bodies_by_key.setdefault(key, {**fresh, "maxUsageCount": rng.choice([1, 2])})
        other = rng.random() < 0.15
        self._make(client, {**body, "maxUsageCount": 3} if other else body, caller, key)

    def _expire(self, client: OneApp, caller: str) -> None:
        """Run the expiry schedule in the client's app process. It may expire links of any workload."""
        [app] = [app for app in self._apps if app.url == client.url]

        def run() -> Answer:
            app.expire()
            return Answer(200, {}, b"{}")

        self._record(caller, "expire", {}, client.url, run, lambda _: {})

    def _host_call(
        self,
        client: OneApp,
        caller: str,
        kind: str,
        path: str,
        args: Mapping[str, Any] | None = None,
        *,
        body: Any = None,
        method: str = "POST",
        key: str | None = None,
    ) -> None:
        asked = args if args is not None else {"event_type": self.event_type}

        def to_result(result: Any) -> dict[str, Any]:
            match kind:
                case "read link":
                    uses, max_uses = result["usageCount"], result["maxUsageCount"]
                    return {"status": result["status"], "uses": uses, "max_uses": max_uses}
                case "read booking":
                    start = _millis(datetime.fromisoformat(result["start"]))
                    return {"status": result["status"], "start": start}
                case "replace" | "renew rolling link" | "read rolling link":
                    link = self._as_made(result, rolling=bool(asked.get("event_type")))
                    self._remember(result, link)
                    return {"links": {result["linkId"]: link}}
            return {}

        headers = {"Idempotency-Key": key} if key else {}
        self._record(
            caller, kind, asked, client.url, lambda: client.send(method, path, body, headers), to_result
        )

    def _remember(self, document: Mapping[str, Any], link: Link) -> None:
        name = document["linkId"]
        with self._lock:
            if all(name != known for known, _, _ in self.links):
                self.links.append((name, document["url"].rpartition("/")[2], link))

    def _as_made(self, document: Mapping[str, Any], *, rolling: bool = False, restore: Any = False) -> Link:
        return Link(
            event_type=self.event_type,
            max_uses=document["maxUsageCount"],
            not_before=_millis_of(document["notBefore"]),
            expires_at=_millis_of(document["expiresAt"]),
            restore=bool(restore),
            rolling=rolling,
            before=5 * 60_000,
            after=10 * 60_000,
        )

    def _record(self, caller: str, kind: str, args: Mapping[str, Any], *rest: Any) -> Call | None:
        return self.recorder.record(caller, kind, {**args, "host": self.host}, *rest)

    def _client(self, rng: random.Random) -> OneApp:
        url = rng.choice([app.url for app in self._apps if app.alive])
        mine = (threading.get_ident(), url)
        if mine not in self._clients:
            self._clients[mine] = OneApp(url, self._stage.api_key)
        return self._clients[mine]

    def close(self) -> None:
        """Close all connections."""
        for client in self._clients.values():
            client.close()


def make_workloads(
    stage: Stage, recorder: Recorder, count: int, verbs: tuple[str, ...] | None = None
) -> list[Workload]:
    """Create workloads before any fault is injected; `verbs` are the requests besides redeem, all if None."""
    chosen: Sequence[str] = _VERBS
    known = tuple(verb for verb in verbs or () if verb in _VERBS)
    if known:
        chosen = (*["redeem"] * 4, *["redeem again"] * 2, "read link", *known * 3)
    return [Workload(stage, recorder, stage.seed + number, stage.apps, chosen) for number in range(count)]


def run_workloads(
    stage: Stage,
    workloads: Sequence[Workload],
    calls: int,
    meanwhile: Callable[[], None] = lambda: None,
) -> list[str]:
    """Run the workloads' clients, and `meanwhile` beside them; return what is wrong with the recorded history."""
    seeds = itertools.count(stage.seed * 1000)
    with ThreadPoolExecutor(CONCURRENT_WORKLOADS * CLIENTS + 1) as pool:
        other = pool.submit(meanwhile)
        for at in range(0, len(workloads), CONCURRENT_WORKLOADS):
            group = workloads[at : at + CONCURRENT_WORKLOADS]
            for workload in group:
                workload.create_links()
            running = [
                pool.submit(workload.run, calls, f"c{n}", next(seeds))
                for workload in group
                for n in range(CLIENTS)
            ]
            for one in running:
                one.result()
        other.result()
    for workload in workloads:
        workload.close()
    recorder = workloads[0].recorder
    return [*recorder.faults, *check_history(stage, recorder.calls)]


def check_history(stage: Stage, calls: Sequence[Call]) -> list[str]:
    """Return what is wrong with a history and with the table at its end."""
    items = stage.dump()
    deleted = [call.args["link"] for call in calls if call.kind == "delete"]
    whole = [*with_candidates(with_expiries(calls), items), final_state_call(items, NEVER)]
    found = [f"not linearizable:\n{violation}" for violation in violations(whole)]
    return [*audit.faults_in(items, deleted=deleted), *found]


def _redeem_result(result: Mapping[str, Any]) -> dict[str, Any]:
    if "bookingId" not in result:
        # P4: keep every other field, because a keyless retry that gets more than the time is a violation.
        rest = {name: result[name] for name in result.keys() - {"status", "start", "end", "title"}}
        return {"start": _millis(datetime.fromisoformat(result["start"])), **rest}
    return {"booking": result["bookingId"], "own": result["url"].rpartition("/")[2]}


def _lifetime(rng: random.Random) -> timedelta:
    """Return the time to a link's expiry: within the run, or after it but in the same minute of the due index."""
    return timedelta(seconds=rng.choice([rng.uniform(0.2, 1.5), rng.uniform(5, 15)]))


def _millis(instant: datetime) -> int:
    return to_millis(instant)  # truncated to the millisecond, as in the API


def _millis_of(text: str | None) -> int | None:
    return None if text is None else _millis(datetime.fromisoformat(text))
