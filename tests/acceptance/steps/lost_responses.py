"""A client that sends a whole request, and hangs up before the response."""

import json
import socket
import ssl
import struct
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

from tests.acceptance.meter import REQUEST
from tests.acceptance.run import Run, code_of, redeem_body
from tests.support.proof.harness import Link, starts
from tests.support.waiting import LIMIT

_REPEATS: Final = 20
_TIME: Final = {
    "status",
    "start",
    "end",
    "title",
}  # all that a retry without a key gets: a stranger may have sent it
_RESET: Final = struct.pack("ii", 1, 0)  # SO_LINGER for no time: closing resets the connection


def lost_responses(run: Run) -> Iterator[str]:
    """Lose the response of a redeem, with and without a key, and send the same request again."""
    event_type = run.event_type(run.host())
    slots = iter(starts(2 * _REPEATS))
    repeats = min(_REPEATS, max(2, run.links // 5))
    for key in ("the-same-key", None):
        arrived = 0
        for number, link in enumerate(run.make_links(event_type, repeats)):
            start = next(slots)
            body = json.dumps(redeem_body(start)).encode()
            _send_and_hang_up(run, link, body, key, when_answered=number % 2 == 0)
            headers = {"Content-Type": "application/json", **({"Idempotency-Key": key} if key else {})}
            again = run.send(
                "POST",
                f"/s/{link.token}/redeem",
                content=body,
                headers=headers,
                what="retry after a lost response",
            )
            assert again.status_code == 201, f"{'keyed' if key else 'keyless'}: {code_of(again)}"
            read = run.team("GET", f"/v1/links/{link.link_id}")
            assert (read["status"], read["usageCount"]) == ("used", 1), read
            made = run.team("GET", f"/v1/bookings?linkId={link.link_id}")["bookings"]
            assert len(made) == 1, f"{link.link_id} has {len(made)} bookings"
            is_replay = "idempotent-replayed" in again.headers if key else set(again.json()) == _TIME
            arrived += is_replay
            if key or not is_replay:  # a reset at once may be faster than the request: then this one booked
                assert again.json()["bookingId"] == made[0]["bookingId"]
        assert arrived >= repeats // 2, (
            f"only {arrived} retries of {repeats} met the booking of a lost response"
        )
        yield (
            f"{repeats} × {'with' if key else 'without'} a key: one booking, one use each; {arrived} of the lost "
            "responses had booked"
        )


def _send_and_hang_up(run: Run, link: Link, body: bytes, key: str | None, *, when_answered: bool) -> None:
    """Send a request whole, and reset the connection: at once, or when the response begins to arrive."""
    run.meter.add(REQUEST)
    parts = urlsplit(f"{run.target.url}/s/{link.token}/redeem")
    is_tls = parts.scheme == "https"
    lines = [
        f"POST {parts.path} HTTP/1.1",
        f"Host: {parts.netloc}",
        "Accept: application/json",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        "Connection: close",
        *([f"Idempotency-Key: {key}"] if key else []),
    ]
    head = "\r\n".join([*lines, "", ""]).encode()
    plain = socket.create_connection((parts.hostname or "", parts.port or (443 if is_tls else 80)), LIMIT)
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    sent = (
        ssl.create_default_context().wrap_socket(plain, server_hostname=parts.hostname) if is_tls else plain
    )
    try:
        sent.sendall(head + body)
        if when_answered:
            sent.recv(1)
    finally:
        sent.close()
