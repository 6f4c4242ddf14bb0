"""Webhooks with queues that a test controls: it decides which messages are delivered, lost or repeated."""

import base64
import dataclasses
import hashlib
import hmac
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from chalicelib.domain.clock import rfc3339
from chalicelib.domain.errors import QueueUnavailableError
from chalicelib.domain.events.envelopes import Envelope, write_envelope
from chalicelib.domain.events.events import event_id_of
from chalicelib.domain.ids import LINK
from chalicelib.domain.webhooks.deliveries import Delivery
from chalicelib.service.ports import World
from chalicelib.service.webhooks.deliver import deliver
from chalicelib.service.webhooks.fan_out import fan_out
from chalicelib.service.webhooks.retry import retry_due
from tests.support.app import Caller, Site, created, ok, unknown_id
from tests.support.endpoints import Endpoint, Request


@dataclass
class HeldQueue:
    """A queue that keeps its messages, each with its delay, until a test takes them."""

    held: list[tuple[str, int]] = field(default_factory=list)
    down: bool = False
    tenants: list[str] = field(default_factory=list)  # of all messages so far

    def send(self, body: str, *, delay_seconds: int = 0, tenant: str | None = None) -> None:
        if self.down:
            raise QueueUnavailableError
        self.held.append((body, delay_seconds))
        self.tenants.append(str(tenant))

    def send_many(self, bodies: Sequence[str], *, tenants: Sequence[str] = ()) -> dict[int, str]:
        if self.down:
            return dict.fromkeys(range(len(bodies)), "Down")
        self.held += [(body, 0) for body in bodies]
        self.tenants += tenants
        return {}

    def take(self) -> list[str]:
        """Take all messages, whatever their delay."""
        taken, self.held = [body for body, _ in self.held], []
        return taken


@dataclass
class Hooks:
    """A site whose webhooks may go to this machine, through queues that the test pumps."""

    site: Site
    world: World
    queue: HeldQueue
    dlq: HeldQueue

    def make(self, host: Caller, endpoint: Endpoint | str, **fields: Any) -> dict[str, Any]:
        """Create a webhook and return it with its secret."""
        url = endpoint if isinstance(endpoint, str) else endpoint.url
        answer: dict[str, Any] = created(host.post("/v1/webhooks", {"url": url} | fields))
        return answer

    def read(self, host: Caller, webhook: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = ok(host.get(f"/v1/webhooks/{webhook['webhookId']}"))
        return answer

    def deliveries(self, host: Caller, webhook: dict[str, Any], **params: str) -> list[dict[str, Any]]:
        """Return the first page of a webhook's deliveries."""
        path = f"/v1/webhooks/{webhook['webhookId']}/deliveries"
        answer: list[dict[str, Any]] = ok(host.get(path, params=params))["deliveries"]
        return answer

    def event(self, host_id: str | None, kind: str = "link.used", **fields: Any) -> str:
        """Return an event in the form in which EventBridge delivers it to a queue."""
        values: dict[str, Any] = {
            "id": event_id_of(kind, secrets.token_hex(16)),
            "type": kind,
            "time": rfc3339(self.site.clock()),
            "host_id": host_id,
            "link_id": unknown_id(LINK),
            "booking_id": None,
            "event_type_id": None,
            "external_id": "order-17",
            "metadata": {"deal": "Größe £ 7"},
            "sequence": 3,
            "actor": "invitee",
            "correlation_id": "test-correlation",
            "data": {"usageCount": 1},
        }
        detail = json.loads(write_envelope(Envelope(**values | fields)))
        return json.dumps({"source": "admit-one", "detail-type": kind, "detail": detail})

    def fan_out_event(self, host: Caller, kind: str = "link.used", **fields: Any) -> list[Delivery]:
        """Fan out a new event to the webhooks, without delivering it; return the deliveries."""
        return fan_out(self.world, self.event(host.host_id, kind, **fields))

    def pump(self) -> int:
        """Deliver all queued messages, whatever their delay; return their number."""
        messages = self.queue.take()
        for message in messages:
            deliver(self.world, message)
        return len(messages)

    def wait(self, until: str | None = None, **units: float) -> None:
        """Advance the clock: by a duration, or until just after an instant from a response."""
        if until is not None:
            self.site.clock.now = datetime.fromisoformat(until)
            units = {"milliseconds": 1}
        self.site.clock.now += timedelta(**units)

    def run_retry_schedule(self) -> int:
        """Run the retry schedule, and deliver what it queued."""
        retry_due(self.world)
        return self.pump()


def hooks_of(site: Site, **parts: Any) -> Hooks:
    """Return the site's webhooks, with these parts of its world replaced."""
    queue, dlq = HeldQueue(), HeldQueue()
    world = dataclasses.replace(
        site.world, **{"webhook_queue": queue, "webhook_dlq": dlq, "local": True, **parts}
    )
    return Hooks(site, world, queue, dlq)


def signed_by(request: Request, secret: str) -> bool:
    """Return whether a request has a signature by a secret, computed here independently from the specification."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    head = f"{request.headers['webhook-id']}.{request.headers['webhook-timestamp']}.".encode()
    expected = base64.b64encode(hmac.new(key, head + request.body, hashlib.sha256).digest()).decode()
    return f"v1,{expected}" in request.headers["webhook-signature"].split(" ")
