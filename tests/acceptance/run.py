"""One run: its clients, the hosts and links that it creates, the helper stack's queues, and what it notes."""

import hashlib
import json
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeVar

import httpx

from infra.stack.stacks import outputs
from tests.acceptance.meter import EMAIL, REQUEST, Meter
from tests.acceptance.state import State
from tests.acceptance.target import Target
from tests.support.proof.harness import Link, rfc3339
from tests.support.waiting import LIMIT, until

JSON: Final = {"Accept": "application/json"}
TRY_LATER: Final = frozenset({429, 503})
_EMAILS_OF_A_BOOKING: Final = 2
_HELPER: Final = Path(__file__).with_name("helper.json")
_EVERY_DAY: Final = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
_T = TypeVar("_T")


class SkippedError(Exception):
    """A step can't run here. The message says why."""


@dataclass
class Run:
    """A run against a target. `notes` are answers to questions that only an account can answer."""

    target: Target
    meter: Meter
    state: State
    links: int = 100
    clients: int = 16
    api_key: str = ""
    hosts: list[str] = field(default_factory=list)
    webhooks: list[str] = field(default_factory=list)
    secrets: list[str] = field(default_factory=list)
    """What no log may contain."""
    notes: list[str] = field(default_factory=list)
    latencies: dict[str, list[float]] = field(default_factory=dict)
    retried: int = 0
    begun: datetime = field(default_factory=lambda: datetime.now(UTC))
    events: list[dict[str, Any]] = field(default_factory=list)
    helper: dict[str, str] = field(default_factory=dict)
    """The outputs of the helper stack."""

    def __post_init__(self) -> None:
        limits = httpx.Limits(max_connections=2 * self.clients + 16)
        self._http = httpx.Client(timeout=LIMIT, trust_env=False, limits=limits)

    # The site

    def send(
        self, method: str, path: str, *, team: bool = False, what: str | None = None, **how: Any
    ) -> httpx.Response:
        """Send one request; repeat it while the answer is 429 or 503. `what` names it among the latencies."""
        headers = {
            **JSON,
            **({"Authorization": f"Bearer {self.api_key}"} if team else {}),
            **how.pop("headers", {}),
        }
        for pause in (0.2, 0.5, 1, 2, 4, 8, None):
            self.meter.add(REQUEST)
            begun = time.monotonic()
            answer = self._http.request(method, self.target.url + path, headers=headers, **how)
            self.latencies.setdefault(what or "other", []).append(time.monotonic() - begun)
            if answer.status_code not in TRY_LATER or pause is None:
                if answer.status_code == httpx.codes.CREATED and path.endswith("/redeem"):
                    self.meter.add(EMAIL, _EMAILS_OF_A_BOOKING)
                return answer
            self.retried += 1
            time.sleep(pause)  # as the response asks for
        raise AssertionError

    def team(self, method: str, path: str, body: Any = None, *, status: int | None = None) -> Any:
        """Send a request of the team; return its document."""
        answer = self.send(method, path, team=True, what="team", **({} if body is None else {"json": body}))
        assert answer.is_success if status is None else answer.status_code == status, _shown(
            method, path, answer
        )
        return answer.json() if answer.content else None

    def pages(self, path: str, key: str) -> Iterator[dict[str, Any]]:
        """Yield all rows of a list."""
        cursor: str | None = ""
        while cursor is not None:
            mark = "&" if "?" in path else "?"
            page = self.team("GET", f"{path}{mark}limit=200" + (f"&cursor={cursor}" if cursor else ""))
            yield from page[key]
            cursor = page["nextCursor"]

    def host(self) -> str:
        """Create a host under the run's name; return its id."""
        body = {"name": self.state.name, "email": simulated("host"), "timeZone": "UTC"}
        host_id: str = self.team("POST", "/v1/hosts", body)["hostId"]
        self.hosts.append(host_id)
        return host_id

    def event_type(self, host_id: str, minutes: int = 5, **settings: Any) -> str:
        """Create an event type that is open at all hours; return its id."""
        hours = {"timeZone": "UTC", "weekly": [{"days": _EVERY_DAY, "from": "00:00", "to": "24:00"}]}
        body = {
            "hostId": host_id,
            "title": "Acceptance",
            "durationMinutes": minutes,
            "schedule": hours,
            **settings,
        }
        event_type_id: str = self.team("POST", "/v1/event-types", body)["eventTypeId"]
        return event_type_id

    def make_links(self, event_type_id: str, count: int = 1, **settings: Any) -> list[Link]:
        """Create links."""
        body = {"eventTypeId": event_type_id, "count": count, **settings}
        self.meter.add(REQUEST, count // 10)  # each link is an item and an event, besides the request
        made = [Link.of(each) for each in self.team("POST", "/v1/links", body)["links"]]
        self.secrets += [link.token for link in made[:20]]
        return made

    def redeem(
        self, link: Link, start: datetime, *, key: str | None = None, number: int = 0
    ) -> httpx.Response:
        """Book a slot as one of many people."""
        return self.send("POST", f"/s/{link.token}/redeem", json=redeem_body(start, number), what="redeem",
                         headers={"Idempotency-Key": key} if key else {})  # fmt: skip

    # The helper stack

    def create_helper(self) -> None:
        """Create the helper stack, and note its name first."""
        self.state.helper = f"{self.target.stack}-acceptance-{self.state.run}"
        self.state.save()
        client, found = self.target.client("cloudformation"), self.target.outputs
        given = {
            "Bus": found["EventBusName"],
            "CommandQueueArn": found["CommandQueueArn"],
            "AlarmTopicArn": found["AlarmTopicArn"],
        }
        client.create_stack(
            StackName=self.state.helper,
            TemplateBody=_HELPER.read_text(),
            Capabilities=["CAPABILITY_IAM"],
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in given.items()],
            OnFailure="DELETE",
        )
        config = {"Delay": self.target.poll_seconds, "MaxAttempts": int(900 / self.target.poll_seconds)}
        client.get_waiter("stack_create_complete").wait(StackName=self.state.helper, WaiterConfig=config)
        self.helper = outputs(client, self.state.helper)

    def take(self, queue: str) -> list[dict[str, Any]]:
        """Return the messages of one of the helper's queues, and delete them."""
        sqs, url, found = self.target.client("sqs"), self.helper[queue], []
        while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                found.append(json.loads(message["Body"]))
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return found

    def wait_for_event(self, is_wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Wait for an event on the stack's bus; return its envelope."""

        def look() -> dict[str, Any] | None:
            self.events += [each["detail"] for each in self.take("Events")]
            return next((event for event in self.events if is_wanted(event)), None)

        found = until(look, pause=self._pause)
        assert found is not None
        return found

    def wait_until(self, look: Callable[[], _T], limit: float | None = None) -> _T:
        """Poll until a value is true, as often as the target may be asked; `limit` is in seconds."""
        return until(look, pause=self._pause, limit=limit)

    def _pause(self) -> None:
        time.sleep(min(self.target.poll_seconds, 2.0))

    def require(self, ability: str) -> None:
        """Raise `SkippedError` if the target's platform lacks an ability."""
        if ability in self.target.cannot:
            raise SkippedError(self.target.cannot[ability])

    def require_helper(self) -> None:
        """Raise `SkippedError` if the helper stack could not be created; the step `events` then says why."""
        if not self.helper:
            raise SkippedError("the helper stack was not created, see the step events")

    @contextmanager
    def timed(self, what: str) -> Iterator[None]:
        """Note how long something took."""
        begun = time.monotonic()
        yield
        self.notes.append(f"{what}: {time.monotonic() - begun:.1f} s")


def simulated(label: str) -> str:
    """Return an address at SES's mailbox simulator, which accepts all emails and affects no sender's reputation."""
    return f"success+{label}@simulator.amazonses.com"


def redeem_body(start: datetime, number: int = 0) -> dict[str, Any]:
    """Return the body of a redeem."""
    invitee = {"name": "Grace Hopper", "email": simulated(f"invitee-{number}")}
    return {"start": rfc3339(start), "timeZone": "UTC", "invitee": invitee}


def code_of(answer: httpx.Response) -> str:
    """Return the status of a success, or a problem's status and type: `410 link-used`."""
    if answer.is_success:
        return str(answer.status_code)
    try:
        return f"{answer.status_code} {answer.json()['type'].rpartition(':')[2]}"
    except (ValueError, KeyError):
        return str(answer.status_code)


def new_run_id() -> str:
    """Return the id of a new run."""
    return secrets.token_hex(4)


def digest(text: str) -> str:
    """Return a short digest, to show that two values are equal without showing them."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _shown(method: str, path: str, answer: httpx.Response) -> str:
    return f"{method} {path}: {answer.status_code} {answer.text[:300]}"
