"""Events on the bus, and webhooks at a receiver that this run created."""

from collections.abc import Iterator
from functools import partial
from typing import Any, Final

import standardwebhooks

from tests.acceptance.run import Run
from tests.support.event_schemas import faults_of
from tests.support.proof.harness import rfc3339, starts

_NO_CONTENT: Final = 204
_RETRIED_SECONDS: Final = 900
_EXPECTED: Final = {
    "link.created",
    "link.used",
    "link.revoked",
    "booking.confirmed",
    "booking.rescheduled",
    "booking.cancelled",
}


def events(run: Run) -> Iterator[str]:
    """Create the helper stack, cause each kind of change, and wait for its event."""
    run.create_helper()
    host = run.host()
    event_type = run.event_type(host)
    link, revoked = run.make_links(event_type, 2)
    slots = starts(2)
    booked = run.redeem(link, slots[0]).json()
    own = f"/b/{booked['url'].rpartition('/')[2]}"
    moved = run.send("POST", f"{own}/reschedule", json={"start": rfc3339(slots[1])})
    assert moved.status_code == 200, moved.text
    assert run.send("POST", f"{own}/cancel", json={}).status_code == 200
    run.team("POST", f"/v1/links/{revoked.link_id}/revoke")
    with run.timed("from a change to its event on the bus"):
        for kind in sorted(_EXPECTED):
            run.wait_for_event(partial(_is, kind, host))
    mine = [event for event in run.events if event["hostId"] == host]
    faults = [fault for event in run.events for fault in faults_of(event)]
    assert not faults, faults[:3]
    yield f"{len({event['type'] for event in run.events})} kinds, {len(run.events)} events, all as their schemas say"
    ids = {event["id"] for event in mine}
    of_link = [event for event in mine if event.get("linkId") == link.link_id]
    assert {event["type"] for event in of_link} >= {"link.created", "link.used", "booking.confirmed"}
    yield f"{len(mine)} events of one host, {len(mine) - len(ids)} of them repeats"


def webhooks(run: Run) -> Iterator[str]:
    """Receive an event after a failure, verify its signature, replay it, rotate the secret."""
    run.require("function URL")
    run.require_helper()
    host = run.host()
    hook = run.team("POST", "/v1/webhooks", {
        "hostId": host, "url": run.target.webhook_url(run.helper["ReceiverUrl"]), "events": ["link.used"],
    })  # fmt: skip
    run.webhooks.append(hook["webhookId"])
    run.secrets.append(hook["secret"].removeprefix("whsec_"))
    path = f"/v1/webhooks/{hook['webhookId']}"
    [link] = run.make_links(run.event_type(host))
    assert run.redeem(link, starts(1)[0]).status_code == 201
    received = run.wait_until(lambda: run.take("Received"))
    assert received[0]["status"] == 500
    event = _verified(hook["secret"], received[0])
    assert event["linkId"] == link.link_id
    assert link.token not in received[0]["body"]
    yield "signed as Standard Webhooks says; the first attempt got a 500"
    with run.timed("from a webhook's failure to its successful retry"):
        # The receiver fails the first attempt that each of its processes gets; the third comes after five minutes.
        run.wait_until(
            lambda: any(each["status"] == _NO_CONTENT for each in take_all(run, received)), _RETRIED_SECONDS
        )
    assert len({each["headers"]["webhook-id"] for each in received}) == 1

    def delivered() -> list[dict[str, Any]]:
        rows = run.team("GET", f"{path}/deliveries")["deliveries"]
        return [row for row in rows if row["status"] == "delivered"]

    [delivery] = run.wait_until(delivered)
    yield f"retried and delivered after {len(delivery['attempts'])} attempts"
    rotated = run.team("POST", f"{path}/rotate", {})
    run.secrets.append(rotated["secret"].removeprefix("whsec_"))
    run.team("POST", f"{path}/replay", {"deliveryId": delivery["deliveryId"]})
    # More requests than this one may arrive: a second failed attempt, or a message that SQS delivers twice.
    run.wait_until(lambda: any(_is_signed(rotated["secret"], each) for each in take_all(run, received)))
    again = next(each for each in received if _is_signed(rotated["secret"], each))
    for secret in (hook["secret"], rotated["secret"]):
        assert _verified(secret, again)["id"] == event["id"]
    yield "replayed; during the overlap both secrets verify it"
    run.team("DELETE", path)


def _is(kind: str, host: str, event: dict[str, Any]) -> bool:
    return bool(event["type"] == kind and event["hostId"] == host)


def take_all(run: Run, received: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Add the requests that the receiver has got since to `received`, and return it."""
    received += run.take("Received")
    return received


def _is_signed(secret: str, request: dict[str, Any]) -> bool:
    try:
        _verified(secret, request)
    except standardwebhooks.WebhookVerificationError:
        return False
    return True


def _verified(secret: str, request: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = standardwebhooks.Webhook(secret).verify(request["body"], request["headers"])
    return found
