"""The stage of every proof: app processes over a new table, clients on real sockets, and the final audit."""

import base64
import contextlib
import http.client
import itertools
import json
import os
import random
import secrets
import subprocess
import sys
import threading
import time
import urllib.parse
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

from chalicelib.domain.causes import Cause
from chalicelib.domain.clock import as_instant
from chalicelib.domain.team.api_keys import Role
from chalicelib.domain.tokens import Keyring
from chalicelib.service.ports import World
from chalicelib.service.team.authenticate import make_key
from chalicelib.store.dynamo_store import dynamo_store
from chalicelib.store.table import Table as StoreTable
from infra.local.aws import LOCAL_REGION, use_local_aws
from infra.local.engines.engine import inherited_environment
from infra.paths import ROOT
from tests.support import audit
from tests.support.aws.dynamodb_client import CLIENTS, plain_client
from tests.support.aws.engines import Table, new_table
from tests.support.waiting import LIMIT

BASE_URL: Final = "http://admit-one.invalid"
ALL_DAY: Final = {"days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "from": "00:00", "to": "24:00"}

_T = TypeVar("_T")


class NoAnswerError(Exception):
    """The connection broke before the whole answer arrived, so the client does not know the result."""


class Answer(NamedTuple):
    """The response to a client's request."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, parsed as JSON."""
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The status of a success, such as `201`, or a problem's status and type: `410 link-used`."""
        if self.status < 400 or "json" not in self.headers.get("content-type", ""):
            return str(self.status)
        return f"{self.status} {self.json['type'].rpartition(':')[2]}"


@dataclass(frozen=True)
class Link:
    """A link's id and token."""

    link_id: str
    token: str

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "Link":
        """Return the link of an API answer."""
        return cls(document["linkId"], document["url"].rpartition("/")[2])


class App:
    """A process that serves the app. `point()` changes its table, clock or redeem.

    `root` is the folder of the code: this repository, or the files of an earlier release.
    """

    def __init__(self, root: Path = ROOT) -> None:
        self._root = root
        self._one_order = threading.Lock()
        self._process = _spawner.submit(self._spawn).result()
        self.url: str = self._answer()["url"]

    def _spawn(self) -> "subprocess.Popen[str]":
        environ = inherited_environment()
        use_local_aws(environ, "http://127.0.0.1:9")
        return subprocess.Popen(
            [sys.executable, "-m", "tests.support.proof.app_process"],
            cwd=self._root,
            env=environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def point(
        self,
        env: Mapping[str, str],
        *,
        now: datetime | None = None,
        skew: float = 0.0,
        naive: bool = False,
        bug: str | None = None,
    ) -> None:
        """Serve with these settings from now on; `now` stops the clock, `skew` is the seconds by which it is ahead.

        `bug` names a bug of `tests/history/planted.py`.
        """
        orders = {
            "env": dict(env),
            "now": now.isoformat() if now else None,
            "skew": skew,
            "naive": naive,
            "bug": bug,
        }
        self._order(orders)

    def expire(self) -> None:
        """Run the expiry schedule in the process. Raises `NoAnswerError` if it fails or the process is dead."""
        try:
            done = self._order("expire")
        except (OSError, EOFError) as error:
            raise NoAnswerError(str(error)) from error
        if not done:
            raise NoAnswerError("the expiry schedule failed")

    def kill(self) -> None:
        """Kill the process."""
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        """End the process by closing its stdin."""
        with contextlib.suppress(OSError):
            self._process.communicate(timeout=LIMIT)

    def _order(self, orders: Any) -> Any:
        assert self._process.stdin
        with self._one_order:
            self._process.stdin.write(json.dumps(orders) + "\n")
            self._process.stdin.flush()
            return self._answer()

    def _answer(self) -> Any:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise EOFError("an app process ended; see its log in the captured output")
        return json.loads(line)

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process.poll() is None


class Apps:
    """App processes for the whole test run; killed ones are replaced."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._apps: list[App] = []

    def all(self) -> list[App]:
        """Return the processes, after replacing dead ones."""
        self._apps = [app for app in self._apps if app.alive]
        missing = self._count - len(self._apps)
        if missing:
            with ThreadPoolExecutor(missing) as pool:
                self._apps += pool.map(lambda _: App(), range(missing))
        return list(self._apps)

    def close(self) -> None:
        """End all processes."""
        for app in self._apps:
            app.close()


class Client:
    """A client with its own connections, which sends each request to the next of `urls`, which may have a path."""

    def __init__(self, urls: Sequence[str], first: int = 0, api_key: str | None = None) -> None:
        self._urls = list(urls)
        self._next = first
        self._api_key = api_key
        self._connections: dict[str, http.client.HTTPConnection] = {}

    def send(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Send one request, without retries, and return its answer. Raises `NoAnswerError`."""
        url = self._urls[self._next % len(self._urls)]
        self._next += 1
        connection = self._connections.get(url)
        if connection is None:
            connection = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc, timeout=LIMIT)
            self._connections[url] = connection
        path = urllib.parse.urlsplit(url).path + path
        sent = {"Accept": "application/json", **(headers or {})}
        if self._api_key is not None:
            sent["Authorization"] = f"Bearer {self._api_key}"
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            sent.setdefault("Content-Type", "application/json")
        try:
            connection.request(method, path, body, sent)
            response = connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise NoAnswerError(str(error)) from error
        return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, content)

    def redeem(
        self,
        link: Link,
        start: datetime,
        email: str,
        *,
        key: str | None = None,
        name: str = "Grace Hopper",
    ) -> Answer:
        """Book a slot with a link."""
        body = {"start": rfc3339(start), "timeZone": "UTC", "invitee": {"name": name, "email": email}}
        headers = {"Idempotency-Key": key} if key else {}
        return self.send("POST", f"/s/{link.token}/redeem", body, headers)

    def close(self) -> None:
        """Hang up."""
        for connection in self._connections.values():
            connection.close()


@dataclass
class Stage:
    """A new table, the app processes that use it, and an admin key. Tests create all data through the API."""

    apps: list[App]
    table: Table
    seed: int
    _clients: list[Client] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.signing_keys = _new_signing_keys()
        self.client = plain_client(self.table.endpoint_url)
        self.random = random.Random(self.seed)
        self.api_key = self._make_admin_key()
        self.point()
        self.team = self.new_client(api_key=self.api_key)

    def point(
        self,
        dynamodb: str | None = None,
        *,
        now: datetime | None = None,
        skews: Sequence[float] = (),
        naive: bool = False,
        bug: str | None = None,
    ) -> None:
        """Point every app process at DynamoDB at this URL, by default the engine, with this clock.

        `skews` are the seconds by which each app's clock is ahead.
        """
        for app, skew in itertools.zip_longest(self.apps, skews, fillvalue=0.0):
            assert isinstance(app, App)
            if app.alive:
                app.point(self.env(dynamodb), now=now, skew=skew, naive=naive, bug=bug)

    def env(self, dynamodb: str | None = None) -> dict[str, str]:
        """Return the app's settings."""
        return {
            "TABLE_NAME": self.table.name,
            "AWS_ENDPOINT_URL_DYNAMODB": dynamodb or self.table.endpoint_url,
            "SIGNING_KEYS": self.signing_keys,
            "BASE_URL": BASE_URL,
        }

    def new_client(
        self, first: int = 0, *, urls: Sequence[str] | None = None, api_key: str | None = None
    ) -> Client:
        """Return a client whose first request goes to the app with that number."""
        client = Client(urls or [app.url for app in self.apps if app.alive], first, api_key)
        self._clients.append(client)
        return client

    def clients(self, count: int = CLIENTS) -> list[Client]:
        """Return that many clients, spread over the app processes."""
        return [self.new_client(number) for number in range(count)]

    def host(self, **settings: Any) -> str:
        """Create a host; return its id."""
        body = {"name": "Ada Lovelace", "email": "ada@example.com", "timeZone": "UTC", **settings}
        return str(self._team("POST", "/v1/hosts", body, 201)["hostId"])

    def event_type(self, host_id: str, minutes: int = 5, *, zone: str = "UTC", **settings: Any) -> str:
        """Create an event type that is open at all hours; return its id."""
        schedule = {"timeZone": zone, "weekly": [ALL_DAY]}
        body = {"hostId": host_id, "title": "Talk", "durationMinutes": minutes, "schedule": schedule}
        return str(self._team("POST", "/v1/event-types", {**body, **settings}, 201)["eventTypeId"])

    def links(self, event_type_id: str, count: int = 1, **settings: Any) -> list[Link]:
        """Create links."""
        body = {"eventTypeId": event_type_id, "count": count, **settings}
        return [Link.of(one) for one in self._team("POST", "/v1/links", body, 201)["links"]]

    def link(self, **settings: Any) -> Link:
        """Create one link of a new host, with 5-minute slots."""
        return self.links(self.event_type(self.host()), **settings)[0]

    def dump(self) -> audit.Dump:
        """Read the whole table."""
        return audit.dump(self.client, self.table.name)

    def audited(self, *, deleted: Collection[str] = ()) -> audit.Dump:
        """Read the whole table, assert that every invariant holds in it, and return it."""
        items = self.dump()
        faults = audit.faults_in(items, deleted=deleted)
        assert not faults, "\n".join(faults)
        return items

    def raw(self, link: Link) -> dict[str, Any] | None:
        """Return a link's item, or None."""
        return self.dump().get((f"LINK#{link.link_id}", "LINK"))

    def change_raw(self, link: Link, **values: int | str) -> None:
        """Change attributes of a link's item directly, bypassing the app."""
        names = {f"#{name}": name for name in values}
        given = {f":{n}": {"S": v} if isinstance(v, str) else {"N": str(v)} for n, v in values.items()}
        self.client.update_item(
            TableName=self.table.name,
            Key={"pk": {"S": f"LINK#{link.link_id}"}, "sk": {"S": "LINK"}},
            UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in values),
            ExpressionAttributeNames=names,
            ExpressionAttributeValues=given,
        )

    def delete_raw(self, link: Link) -> None:
        """Delete a link's item and nothing else, as DynamoDB's TTL does."""
        self.client.delete_item(
            TableName=self.table.name, Key={"pk": {"S": f"LINK#{link.link_id}"}, "sk": {"S": "LINK"}}
        )

    def close(self) -> None:
        """Hang up."""
        for client in self._clients:
            client.close()

    def _team(self, method: str, path: str, body: Any, status: int) -> Any:
        answer = self.team.send(method, path, body)
        assert answer.status == status, answer
        return answer.json

    def _make_admin_key(self) -> str:
        table = StoreTable(self.table.name, endpoint_url=self.table.endpoint_url, region=LOCAL_REGION)
        world = World(
            store=dynamo_store(table),
            now=lambda: as_instant(datetime.now(UTC)),
            random_bytes=os.urandom,
            sleep=time.sleep,
            keyring=lambda: Keyring(1, {1: bytes(32)}),
        )
        cause = Cause("system:proof", "proof")
        return make_key(world, role=Role.ADMIN, host_id=None, name="proof", cause=cause).secret


@contextlib.contextmanager
def staged(endpoint_url: str, apps: Apps, *, stream: bool = False) -> Iterator[Stage]:
    """Yield a stage on a new table of the engine at `endpoint_url`, by default without a stream."""
    seed = int(os.environ.get("SEED") or secrets.randbits(32))
    print(f"seed {seed}")
    stage = Stage(apps.all(), new_table(endpoint_url, stream=stream), seed)
    try:
        yield stage
    finally:
        stage.close()


def race(racers: Sequence[Callable[[], _T]]) -> list[_T]:
    """Call all functions concurrently, each in a thread, started together; return their results in order."""
    gate = threading.Barrier(len(racers))

    def run(racer: Callable[[], _T]) -> _T:
        gate.wait(timeout=LIMIT)
        return racer()

    with ThreadPoolExecutor(len(racers)) as pool:
        return list(pool.map(run, racers))


def day_start(days_ahead: int = 2) -> datetime:
    """Return the midnight UTC that is `days_ahead` days ahead."""
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + timedelta(days=days_ahead)


def starts(count: int, minutes: int = 5, *, days_ahead: int = 2) -> list[datetime]:
    """Return consecutive starts from midnight UTC."""
    return [day_start(days_ahead) + number * timedelta(minutes=minutes) for number in range(count)]


def rfc3339(instant: datetime) -> str:
    """Return an instant in the API's format."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def codes_of(answers: Sequence[Answer]) -> dict[str, int]:
    """Return the number of answers by code, for assertions."""
    codes = sorted(answer.code for answer in answers)
    return {code: codes.count(code) for code in codes}


def _new_signing_keys() -> str:
    return json.dumps({"current": 1, "keys": {"1": base64.b64encode(secrets.token_bytes(32)).decode()}})


_spawner: Final = ThreadPoolExecutor(max_workers=1, thread_name_prefix="app-spawner")
