"""Clients on real sockets against several app processes; their requests and answers become a history."""

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
from tests.history.checker.explanation import unexplained
from tests.history.checker.final_state import stored_call, with_candidates, with_expiries
from tests.history.checker.machine import OVERTAKEN, Link
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

CLIENTS: Final = 4  # in a room: as many calls as are ever in progress about one link
ROOMS_AT_ONCE: Final = 4
_MINUTE: Final = timedelta(minutes=1)
_NOON: Final = timedelta(hours=12)  # far from midnight, so that rooms' days are one day each
_SLOTS: Final = 5
_VERBS: Final = (
    *(["redeem"] * 8 + ["redeem again"] * 4 + ["cancel"] * 4 + ["move"] * 4),
    *("revoke", "delete", "limit", "limit", "replace", "renew", "which", "which", "make", "make", "expire"),
    *("read link", "read link", "read booking", "slots", "slots"),
)


class OneApp(Client):
    """A client that always asks the same app process, so that it is known whose clock decided."""

    def __init__(self, url: str, api_key: str) -> None:
        super().__init__([url], 0, api_key)
        self.url = url


@dataclass
class Recorder:
    """Keeps every call. `skews` tells, by URL, by how many seconds an app's clock is ahead."""

    skews: Mapping[str, float] = field(default_factory=dict)
    may_repeat: bool = False
    calls: list[Call] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    _numbers: "itertools.count[int]" = field(default_factory=itertools.count)
    _lock: threading.Condition = field(default_factory=threading.Condition)

    def wait_for(self, count: int) -> None:
        """Wait until that many calls are over."""
        with self._lock:
            assert self._lock.wait_for(lambda: len(self.calls) >= count, timeout=LIMIT)

    def record(
        self,
        who: str,
        kind: str,
        what: Mapping[str, Any],
        url: str,
        send: Callable[[], Answer],
        tell: Callable[[Any], Mapping[str, Any]],
    ) -> Call | None:
        """Send, and keep what came of it; None where it never left: nobody was there to take it."""
        skew = self.skews.get(url, 0.0)
        invoked, wall = time.monotonic(), time.time()
        try:
            answer: Answer | None = send()
        except NoAnswerError as error:
            if isinstance(error.__cause__, ConnectionRefusedError):
                return None
            answer = None
        returned, over = time.monotonic(), time.time()
        # The app's clock is this machine's, cut to the millisecond.
        clock = ((wall + skew) * 1000 - 1, (over + skew) * 1000)
        call = Call(next(self._numbers), kind, what, "", invoked, returned, clock, who=who)
        if answer is None or answer.status >= 500 or answer.status == 429:
            done = replace(call, code="lost").unanswered()
        else:
            told = tell(answer.json) if answer.status in (200, 201) else {}
            done = replace(call, code=answer.code, told=told)
        with self._lock:
            self.calls.append(done)
            if answer is not None and answer.status == 500:
                self.faults.append(f"{kind} was told {answer.code}")
            if self.may_repeat and done.is_known and kind in OVERTAKEN:
                self.calls.append(done.happened_again(next(self._numbers)))
            self._lock.notify_all()
        return done


class Room:
    """A host with some links, and clients who do to them whatever comes to their minds."""

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
        self.bookings: list[tuple[str, str]] = []  # id, its invitee's token
        self.asked: list[tuple[str, str, int, str, str | None]] = []
        self._wanted: dict[str, dict[str, Any]] = {}  # by idempotency key: what is asked for under it
        self._together: set[str] = (
            set()
        )  # links that came with others: not to be deleted, as reads of many see each for itself
        self._starts = [day_start(3) + _NOON + number * 5 * _MINUTE for number in range(_SLOTS)]

    def furnish(self) -> None:
        """Make the first links: each with limits of its own, some that expire or open while the clients are at it."""
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
            self._client(rng), "host", "renew", f"/v1/event-types/{self.event_type}/rolling-link", body={}
        )

    def play(self, count: int, who: str, seed: int) -> None:
        """Do `count` things as one client."""
        rng = random.Random(seed)
        for _ in range(count):
            self._do(rng.choice(self._verbs), rng, who)

    def _do(self, verb: str, rng: random.Random, who: str) -> None:
        client = self._client(rng)
        with self._lock:
            name, token, link = rng.choice(self.links)
            booking = rng.choice(self.bookings) if self.bookings else None
            asked = rng.choice(self.asked[-4:]) if self.asked else None
        start = rng.choice(self._starts)
        match verb:
            case "redeem":
                key = f"k{rng.randrange(3)}" if rng.random() < 0.4 else None
                self._redeem(client, who, (name, token, _millis(start), f"p{rng.randrange(6)}", key), link)
            case "redeem again" if asked:
                link = next(made for other, _, made in self.links if other == asked[0])
                self._redeem(client, who, asked, link)
            case "cancel" | "move" | "read booking" if booking:
                self._do_with_booking(verb, client, who, booking, start, by_host=rng.random() < 0.5)
            case "revoke" | "delete" | "limit" | "replace":
                self._do_with_link(verb, client, who, (name, link), rng)
            case "make":
                self._make_again(client, rng, who)
            case "expire":
                self._expire(client, who)
            case "renew" | "which":
                path = f"/v1/event-types/{self.event_type}/rolling-link"
                if verb == "renew" and rng.random() < 0.5:
                    self._host_call(client, who, "renew", path, body={})
                else:
                    self._host_call(client, who, "which", path, method="GET")
            case "slots":
                self._slots(client, who, name, token)
            case _:
                self._host_call(client, who, "read link", f"/v1/links/{name}", {"link": name}, method="GET")

    def _do_with_link(
        self, verb: str, client: OneApp, who: str, named: tuple[str, Link], rng: random.Random
    ) -> None:
        name, link = named
        match verb:
            case "revoke":
                self._host_call(client, who, verb, f"/v1/links/{name}/revoke", {"link": name})
            case "delete" if not link.rolling and name not in self._together and rng.random() < 0.5:
                self._host_call(client, who, verb, f"/v1/links/{name}", {"link": name}, method="DELETE")
            case "limit" if not link.rolling:
                most = rng.choice([1, 2, 3, None])
                limits: dict[str, Any] = {"link": name, "most": most}
                self._host_call(
                    client,
                    who,
                    verb,
                    f"/v1/links/{name}",
                    limits,
                    body={"maxUsageCount": most},
                    method="PATCH",
                )
            case "replace":
                event_type = self.event_type if link.rolling else None
                again = f"r{rng.randrange(2)}" if rng.random() < 0.4 else None
                old = {"link": name, "key": f"{name} {again}" if again else None, "event_type": event_type}
                self._host_call(client, who, verb, f"/v1/links/{name}/replace", old, key=again)

    def _do_with_booking(
        self, verb: str, client: OneApp, who: str, booking: tuple[str, str], start: datetime, *, by_host: bool
    ) -> None:
        """Do it by the host's API or by the invitee's page: it is the same booking."""
        name, own = booking
        path, what = f"/v1/bookings/{name}" if by_host else f"/b/{own}", {"booking": name}
        match verb:
            case "cancel":
                self._host_call(client, who, verb, f"{path}/cancel", what)
            case "move":
                most = None if by_host else BookingLimits().moves_per_booking
                to: dict[str, Any] = {**what, "start": _millis(start), "max_moves": most}
                self._host_call(client, who, verb, f"{path}/reschedule", to, body={"start": rfc3339(start)})
            case _:
                self._host_call(client, who, verb, path, what, method="GET")

    def _redeem(
        self, client: OneApp, who: str, asked: tuple[str, str, int, str, str | None], link: Link
    ) -> None:
        name, token, start, person, key = asked
        body = f"{person} at {start}"
        what = {
            "link": name,
            "start": start,
            "receipt": f"key {key}" if key else body,
            "keyed": key is not None,
            "body": body,
            "event_type": self.event_type if link.rolling else None,
        }
        at = datetime.fromtimestamp(start / 1000, UTC)
        booked = self._record(
            who,
            "redeem",
            what,
            client.url,
            lambda: client.redeem(Given(name, token), at, f"{person}@example.com", key=key, name=body),
            _redeem_told,
        )
        with self._lock:
            self.asked.append(asked)
            if booked and booked.told.get("booking"):
                made = booked.told["booking"], booked.told["own"]
                if made not in self.bookings:
                    self.bookings.append(made)

    def _slots(self, client: OneApp, who: str, name: str, token: str) -> None:
        first, last = rfc3339(self._starts[0]), rfc3339(self._starts[-1] + _MINUTE)
        starts = [_millis(start) for start in self._starts]
        self._record(
            who,
            "slots",
            {"link": name, "starts": starts, "span": (5 * 60_000, 10 * 60_000)},
            client.url,
            lambda: client.send("GET", f"/s/{token}/slots?from={first}&to={last}"),
            lambda told: {"free": [_millis(datetime.fromisoformat(one["start"])) for one in told["slots"]]},
        )

    def _make(self, client: OneApp, body: dict[str, Any], who: str = "host", key: str | None = None) -> None:
        full = {"eventTypeId": self.event_type, **body}
        settings = self._as_made(
            {"expiresAt": None, "notBefore": None, **body}, restore=body.get("restoreUseOnCancel")
        )
        what = {"key": f"{self.host} {key}" if key else None, "body": repr(body), "settings": settings}
        headers = {"Idempotency-Key": key} if key else {}
        made = self._record(
            who,
            "make",
            what,
            client.url,
            lambda: client.send("POST", "/v1/links", full, headers),
            lambda told: {"links": {one["linkId"]: settings for one in told["links"]}, "made": told["links"]},
        )
        documents = made.told.get("made", ()) if made else ()
        with self._lock:
            self._together |= {one["linkId"] for one in documents if body.get("count", 1) > 1}
        for document in documents:
            self._know(document, settings)

    def _make_again(self, client: OneApp, rng: random.Random, who: str) -> None:
        """Make links under a key: for the first time, or the same once more, or others under the same key."""
        key = f"g{rng.randrange(2)}"
        expires = datetime.now(UTC) + _lifetime(rng)
        fresh = {"count": rng.choice([1, 1, 2]), "expiresAt": rng.choice([None, rfc3339(expires)])}
        with self._lock:
            body = self._wanted.setdefault(key, {**fresh, "maxUsageCount": rng.choice([1, 2])})
        other = rng.random() < 0.15
        self._make(client, {**body, "maxUsageCount": 3} if other else body, who, key)

    def _expire(self, client: OneApp, who: str) -> None:
        """Let the schedule run where a client's app does. Nobody is told what it did, which may be to any room."""
        [app] = [app for app in self._apps if app.url == client.url]

        def run() -> Answer:
            app.expire()
            return Answer(200, {}, b"{}")

        self._record(who, "expire", {}, client.url, run, lambda _: {})

    def _host_call(
        self,
        client: OneApp,
        who: str,
        kind: str,
        path: str,
        what: Mapping[str, Any] | None = None,
        *,
        body: Any = None,
        method: str = "POST",
        key: str | None = None,
    ) -> None:
        asked = what if what is not None else {"event_type": self.event_type}

        def tell(told: Any) -> dict[str, Any]:
            match kind:
                case "read link":
                    uses, most = told["usageCount"], told["maxUsageCount"]
                    return {"status": told["status"], "uses": uses, "most": most}
                case "read booking":
                    start = _millis(datetime.fromisoformat(told["start"]))
                    return {"status": told["status"], "start": start}
                case "replace" | "renew" | "which":
                    link = self._as_made(told, rolling=bool(asked.get("event_type")))
                    self._know(told, link)
                    return {"links": {told["linkId"]: link}}
            return {}

        headers = {"Idempotency-Key": key} if key else {}
        self._record(who, kind, asked, client.url, lambda: client.send(method, path, body, headers), tell)

    def _know(self, document: Mapping[str, Any], link: Link) -> None:
        name = document["linkId"]
        with self._lock:
            if all(name != known for known, _, _ in self.links):
                self.links.append((name, document["url"].rpartition("/")[2], link))

    def _as_made(self, document: Mapping[str, Any], *, rolling: bool = False, restore: Any = False) -> Link:
        return Link(
            event_type=self.event_type,
            most=document["maxUsageCount"],
            opens=_millis_of(document["notBefore"]),
            expires=_millis_of(document["expiresAt"]),
            restore=bool(restore),
            rolling=rolling,
            before=5 * 60_000,
            after=10 * 60_000,
        )

    def _record(self, who: str, kind: str, what: Mapping[str, Any], *rest: Any) -> Call | None:
        return self.recorder.record(who, kind, {**what, "host": self.host}, *rest)

    def _client(self, rng: random.Random) -> OneApp:
        url = rng.choice([app.url for app in self._apps if app.alive])
        mine = (threading.get_ident(), url)
        if mine not in self._clients:
            self._clients[mine] = OneApp(url, self._stage.api_key)
        return self._clients[mine]

    def close(self) -> None:
        """Hang up."""
        for client in self._clients.values():
            client.close()


def rooms_of(
    stage: Stage, recorder: Recorder, count: int, verbs: tuple[str, ...] | None = None
) -> list[Room]:
    """Make rooms, while nothing is wrong with anything yet; `verbs` are what is done there besides redeem."""
    chosen: Sequence[str] = _VERBS
    known = tuple(verb for verb in verbs or () if verb in _VERBS)
    if known:
        chosen = (*["redeem"] * 4, *["redeem again"] * 2, "read link", *known * 3)
    return [Room(stage, recorder, stage.seed + number, stage.apps, chosen) for number in range(count)]


def histories(
    stage: Stage,
    rooms: Sequence[Room],
    calls: int,
    meanwhile: Callable[[], None] = lambda: None,
) -> list[str]:
    """Let clients play in rooms, `meanwhile` something else happens; return what is wrong with what they were told."""
    seeds = itertools.count(stage.seed * 1000)
    with ThreadPoolExecutor(ROOMS_AT_ONCE * CLIENTS + 1) as pool:
        other = pool.submit(meanwhile)
        for at in range(0, len(rooms), ROOMS_AT_ONCE):
            some = rooms[at : at + ROOMS_AT_ONCE]
            for room in some:
                room.furnish()
            playing = [
                pool.submit(room.play, calls, f"c{n}", next(seeds)) for room in some for n in range(CLIENTS)
            ]
            for one in playing:
                one.result()
        other.result()
    for room in rooms:
        room.close()
    recorder = rooms[0].recorder
    return [*recorder.faults, *judged(stage, recorder.calls)]


def judged(stage: Stage, calls: Sequence[Call]) -> list[str]:
    """Return what is wrong with a history, given what is stored at its end."""
    items = stage.dump()
    deleted = [call.what["link"] for call in calls if call.kind == "delete"]
    whole = [*with_candidates(with_expiries(calls), items), stored_call(items, NEVER)]
    accounts = [f"no explanation for\n{account}" for account in unexplained(whole)]
    return [*audit.faults_in(items, deleted=deleted), *accounts]


def _redeem_told(told: Mapping[str, Any]) -> dict[str, Any]:
    if "bookingId" not in told:
        # The account records the whole response: a retry that gets more than the time can't be explained.
        rest = {name: told[name] for name in told.keys() - {"status", "start", "end", "title"}}
        return {"start": _millis(datetime.fromisoformat(told["start"])), **rest}
    return {"booking": told["bookingId"], "own": told["url"].rpartition("/")[2]}


def _lifetime(rng: random.Random) -> timedelta:
    """Return how long a link lives: over while clients are at it, or in the same minute and yet not reached."""
    return timedelta(seconds=rng.choice([rng.uniform(0.2, 1.5), rng.uniform(5, 15)]))


def _millis(instant: datetime) -> int:
    return to_millis(instant)  # cut to the millisecond, as the API does


def _millis_of(text: str | None) -> int | None:
    return None if text is None else _millis(datetime.fromisoformat(text))
