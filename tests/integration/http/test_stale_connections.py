"""P4: a call to AWS after a freeze does not fail on a connection that AWS has forgotten, and no email is sent twice."""

import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any, Final

import botocore.session
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ConnectionClosedError, ReadTimeoutError

from chalicelib import connections
from chalicelib.clients.aws import Aws
from chalicelib.clients.event_bus import EventBus
from chalicelib.clients.objects import Objects
from chalicelib.clients.queue import Queue
from chalicelib.clients.secrets import Secrets
from chalicelib.clients.ses import Ses
from chalicelib.connections import IDLE_SECONDS, keep_fresh
from chalicelib.domain.events.envelopes import Envelope
from chalicelib.domain.mail.mails import Addressee, Letter, MailId, MailUnknownError
from chalicelib.store.items import LinkItem, link_key
from chalicelib.store.table import Table
from infra.local.aws import local_client
from infra.local.engines.ministack import Ministack
from tests.support.app import MAIL_SENDER, NOW
from tests.support.aws.engines import new_table
from tests.support.proof.proxy import CutReply, Dead, Fault, First, LoseReply, Proxy, Reset

LETTER: Final = Letter(
    mail_id=MailId("evt_1", Addressee.INVITEE),
    link_id="lnk_1",
    host_id="hst_1",
    event_type_id="evt_type_1",
    booking_id=None,
    to="grace@example.com",
    content=f"From: {MAIL_SENDER}\r\nTo: grace@example.com\r\nSubject: Hello\r\n\r\nHello".encode(),
)
EVENT: Final = Envelope(
    id="evt_1",
    type="link.used",
    time="2040-01-02T08:00:00Z",
    sequence=1,
    host_id="hst_1",
    link_id="lnk_1",
    booking_id=None,
    event_type_id=None,
    external_id=None,
    metadata={},
    actor="test",
    correlation_id="test",
    data={},
)

SERVICES: Final = ("sqs", "events", "s3", "sesv2", "secretsmanager")

Calls = dict[str, Callable[[], object]]


@pytest.fixture(scope="module")
def proxy(ministack: Ministack) -> Iterator[Proxy]:
    with Proxy(ministack.endpoint_url) as proxy, pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", proxy.url)
        yield proxy


@pytest.fixture(scope="module")
def calls(proxy: Proxy, ministack: Ministack) -> Calls:
    """One call of every kind that the product sends to AWS, by its name."""
    name = secrets.token_hex(6)
    local: dict[str, Any] = {service: local_client(service, ministack.endpoint_url) for service in SERVICES}
    local["sqs"].create_queue(QueueName=name)
    local["events"].create_event_bus(Name=name)
    local["secretsmanager"].create_secret(Name=name, SecretString="{}")
    local["s3"].create_bucket(Bucket=name)
    local["sesv2"].create_email_identity(EmailIdentity=MAIL_SENDER)
    etag = local["s3"].put_object(Bucket=name, Key="k", Body=b"hello")["ETag"].strip('"')

    aws = Aws(botocore.session.get_session, sleep=lambda _: None)
    table = Table(new_table(ministack.endpoint_url, stream=False).name, endpoint_url=proxy.url)
    queue, bus = Queue(aws, f"{proxy.url}/000000000000/{name}"), EventBus(aws, name)
    objects, ses, secrets_manager = Objects(aws), Ses(aws, None), Secrets(aws)
    return {
        "GetItem": lambda: table.get(LinkItem, link_key("lnk_1")),
        "Query": lambda: table.query(LinkItem, "LINK#lnk_1", "A", "Z"),
        "SendMessage": lambda: queue.send("{}"),
        "SendMessageBatch": lambda: _accepted(queue.send_many(["{}"])),
        "PutEvents": lambda: _accepted(bus.put([EVENT])),
        "PutObject": lambda: objects.write(name, "new", b"", content_type="text/csv"),
        "GetObject": lambda: objects.read(name, "k", version=None, etag=etag, max_bytes=5),
        "GetSecretValue": lambda: secrets_manager.read(name),
        "SendEmail": lambda: ses.send(LETTER),
    }


def _accepted(rejected: dict[int, str]) -> None:
    assert rejected == {}


@pytest.mark.parametrize("dead", Dead)
def test_after_a_pause_no_call_uses_an_old_connection(
    proxy: Proxy, calls: Calls, dead: Dead, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Silence would cost the timeout of 5 seconds, after which most calls are not retried."""
    monkeypatch.setattr(connections, "IDLE_SECONDS", 0.0)
    for name, call in calls.items():
        call()
        proxy.forget_connections(dead)
        call()
        assert proxy.unanswered == [], name


@pytest.mark.parametrize("dead", [Dead.RESET, Dead.END])
def test_a_call_without_a_pause_is_repeated_on_a_new_connection(
    proxy: Proxy, calls: Calls, dead: Dead
) -> None:
    """The first failure drops all old connections, so no later call meets another one. An email is never repeated."""
    for name, call in calls.items():
        _three_at_once(proxy, call)
        proxy.forget_connections(dead)
        call()
        _three_at_once(proxy, call)
        assert len(proxy.unanswered) == (0 if name == "SendEmail" else 1), name


def _three_at_once(proxy: Proxy, call: Callable[[], object]) -> None:
    """Call three times at once: each request waits for the others, so each needs a connection."""
    waiting = proxy.inject(lambda _: True, First(Barrier(3).wait), times=3)
    with ThreadPoolExecutor(3) as pool:
        for done in [pool.submit(call) for _ in range(3)]:
            done.result()
    proxy.lift(waiting)


@pytest.mark.parametrize(
    ("dead", "failure"),
    [
        (Dead.CLOSED, None),
        (Dead.RESET, ConnectionClosedError),
        (Dead.END, ConnectionClosedError),
        (Dead.SILENCE, ReadTimeoutError),
    ],
)
def test_control_a_client_that_keeps_its_connections_fails(
    proxy: Proxy, calls: Calls, dead: Dead, failure: type[BotoCoreError] | None
) -> None:
    """A connection whose end has arrived is harmless, so a server that only closes connections proves nothing."""
    del calls
    session = botocore.session.get_session()
    config = Config(read_timeout=5, retries={"mode": "standard", "total_max_attempts": 1})
    client: Any = session.create_client("sqs", config=config)
    client.list_queues()
    proxy.forget_connections(dead)
    if failure is None:
        client.list_queues()
    else:
        with pytest.raises(failure):
            client.list_queues()


@pytest.mark.parametrize("fault", [Reset(), LoseReply()])
def test_an_email_whose_response_is_lost_is_not_repeated(proxy: Proxy, calls: Calls, fault: Fault) -> None:
    """On a new connection, a reset may have come after SES accepted the email."""
    proxy.clear()
    proxy.inject(lambda _: True, fault, times=1)
    with pytest.raises(MailUnknownError):
        calls["SendEmail"]()
    assert len(proxy.calls) == 1


def test_a_file_whose_transfer_is_cut_is_read_again(proxy: Proxy, calls: Calls) -> None:
    """The import has the whole file or none: the failure comes from the body, after a response with status 200."""
    proxy.clear()
    proxy.inject(lambda _: True, CutReply(), times=1)
    assert calls["GetObject"]() == (b"hello", {})
    assert len(proxy.calls) == 2


class Clocks:
    """A monotonic clock and a wall clock that a test sets."""

    def __init__(self) -> None:
        self.steady, self.wall = 100.0, NOW.timestamp()

    def __call__(self) -> tuple[float, float]:
        return self.steady, self.wall


@pytest.mark.parametrize(
    ("steady", "wall", "closed"),
    [
        (IDLE_SECONDS - 1, IDLE_SECONDS - 1, 0),
        (IDLE_SECONDS + 1, IDLE_SECONDS + 1, 1),
        (0, IDLE_SECONDS + 1, 1),  # the monotonic clock stood still during the freeze
        (IDLE_SECONDS + 1, 0, 1),
        (0, -IDLE_SECONDS - 1, 1),  # somebody set the clock
    ],
)
def test_either_clock_can_show_that_a_pause_was_long(
    monkeypatch: pytest.MonkeyPatch, steady: float, wall: float, closed: int
) -> None:
    """A pause is from the end of one call to the start of the next, and a call counts however long it takes."""
    client = local_client("sqs", "http://127.0.0.1:9")
    clocks, closes = Clocks(), 0

    def close() -> None:
        nonlocal closes
        closes += 1

    def answer(**_: Any) -> Any:
        clocks.steady, clocks.wall = clocks.steady + 60, clocks.wall + 60
        return _Response(), {}

    monkeypatch.setattr(client, "close", close)
    keep_fresh(client, clocks)
    client.meta.events.register_last("before-call", answer)
    client.list_queues()
    clocks.steady, clocks.wall = clocks.steady + steady, clocks.wall + wall
    client.list_queues()
    assert closes == closed


class _Response:
    status_code = 200
