"""The webhook client over real sockets: it calls only public addresses, and limits the time and size of a response."""

import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from chalicelib.clients.webhook_http import Limits, WebhookHttp, connect_to
from chalicelib.domain.webhooks.deliveries import EndpointAnswer
from chalicelib.domain.webhooks.ip_addresses import IPAddress
from tests.support.endpoints import Endpoint, answer, certified, drip, endless, hang_up, raw, silence
from tests.support.waiting import LIMIT, until

pytestmark = pytest.mark.clock

NAME = "hooks.example.com"
PUBLIC, OTHER = "198.20.0.7", "2600:1f00::7"
SOON = Limits(connect=0.5, total=1.0, body=0.5)  # only for tests in which the timeout is the expected result
GENEROUS = Limits(connect=LIMIT, total=LIMIT, body=LIMIT)


@dataclass
class Network:
    """A network with the test's own DNS, in which a public address leads to an endpoint on this machine."""

    endpoint: Endpoint | None = None
    names: dict[str, list[str]] = field(default_factory=lambda: {NAME: [PUBLIC]})
    asked: list[str] = field(default_factory=list)
    connected: list[str] = field(default_factory=list)
    refusing: tuple[str, ...] = ()

    def resolve(self, host: str, port: int) -> list[str]:
        del port
        self.asked.append(host)
        if host not in self.names:
            raise socket.gaierror(-2, "Name or service not known")
        return self.names[host]

    def connect(self, address: IPAddress, port: int, seconds: float) -> socket.socket:
        del port
        self.connected.append(str(address))
        if str(address) in self.refusing or self.endpoint is None:
            raise ConnectionRefusedError
        return socket.create_connection(("127.0.0.1", self.endpoint.port), seconds)

    def client(self, context: ssl.SSLContext | None = None, limits: Limits = GENEROUS) -> WebhookHttp:
        return WebhookHttp(resolve=self.resolve, connect=self.connect, context=context, limits=limits)


def local(limits: Limits = GENEROUS) -> WebhookHttp:
    return WebhookHttp(local=True, limits=limits)


class SinceHeard:
    """A clock that starts when the endpoint gets a request, so that a busy machine doesn't cause a timeout."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._heard: float | None = None

    def __call__(self) -> float:
        if self._heard is None and self._endpoint.requests:
            self._heard = time.monotonic()
        return 0.0 if self._heard is None else time.monotonic() - self._heard


def post(client: WebhookHttp, url: str) -> EndpointAnswer:
    return client.post(
        url, b'{"type":"link.used"}', {"Content-Type": "application/json", "webhook-id": "evt_1"}
    )


def test_a_request_arrives_unchanged() -> None:
    with Endpoint([answer(202, b"thanks")]) as endpoint:
        answered = post(local(), endpoint.url)

    assert (answered.status_code, answered.error, answered.body) == (202, None, b"thanks")
    (request,) = endpoint.requests
    assert (request.method, request.target, request.body) == ("POST", "/hook?team=1", b'{"type":"link.used"}')
    assert request.headers["host"] == f"127.0.0.1:{endpoint.port}"
    assert request.headers["webhook-id"] == "evt_1"
    assert request.headers["content-length"] == "20"


def test_tls_is_verified_by_name_and_connects_to_the_checked_address(tmp_path: Path) -> None:
    server, trusting = certified(tmp_path, NAME)
    with Endpoint(context=server) as endpoint:
        network = Network(endpoint)
        answered = post(network.client(trusting), f"https://{NAME}/hook")

    assert (answered.status_code, network.connected) == (200, [PUBLIC])
    assert endpoint.requests[0].headers["host"] == NAME


@pytest.mark.parametrize(
    ("names", "days", "trusted"),
    [(["other.example.com"], 1, True), ([NAME], -1, True), ([NAME], 1, False)],
    ids=["another name", "expired", "untrusted"],
)
def test_an_invalid_certificate_prevents_the_request(
    tmp_path: Path, names: list[str], days: int, trusted: bool
) -> None:
    server, trusting = certified(tmp_path, *names, days=days)
    with Endpoint(context=server) as endpoint:
        answered = post(Network(endpoint).client(trusting if trusted else None), f"https://{NAME}/hook")

    assert (answered.status_code, answered.error) == (None, "tls-failed")
    assert endpoint.requests == []


def test_an_endpoint_without_tls_gets_no_request() -> None:
    with Endpoint([silence]) as endpoint:
        answered = post(Network(endpoint).client(limits=SOON), f"https://{NAME}/hook")

    assert answered.error in {"tls-failed", "timeout"}
    assert endpoint.requests == []


@pytest.mark.parametrize(
    "addresses",
    [
        *(["127.0.0.1"], ["::1"], ["10.0.0.1"], ["192.168.1.1"], ["169.254.169.254"], ["fd00:ec2::254"]),
        *(
            ["100.64.0.1"],
            ["::ffff:127.0.0.1"],
            ["64:ff9b::7f00:1"],
            ["fe80::1%1"],
            ["0.0.0.0"],  # noqa: S104 - an address, but nothing binds to it
            ["224.0.0.1"],
        ),
        *([PUBLIC, "127.0.0.1"], ["127.0.0.1", PUBLIC], [PUBLIC, OTHER, "fe80::1"]),
    ],
    ids=str,
)
@pytest.mark.parametrize("local_mode", [False, True], ids=["on AWS", "local"])
def test_a_name_with_a_private_address_is_rejected_before_any_connection(
    addresses: list[str], local_mode: bool
) -> None:
    """One address that isn't public is enough to reject the name, also in local mode."""
    with Endpoint() as endpoint:
        network = Network(endpoint, {NAME: addresses})
        client = WebhookHttp(local=local_mode, resolve=network.resolve, connect=network.connect)
        for scheme in ("https", "http"):
            answered = post(client, f"{scheme}://{NAME}:{endpoint.port}/")
            assert (answered.status_code, answered.error) == (None, "address-refused")

    assert (network.connected, endpoint.connections) == ([], 0)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "[::1]", "10.0.0.1", "169.254.169.254", "[fd00:ec2::254]", "[::ffff:127.0.0.1]"]
)
def test_a_private_address_is_rejected(host: str) -> None:
    with Endpoint() as endpoint:
        answered = post(WebhookHttp(limits=GENEROUS), f"https://{host}:{endpoint.port}/")

    assert (answered.error, endpoint.connections) == ("address-refused", 0)


@pytest.mark.parametrize("host", ["127.1", "2130706433", "0x7f000001", "localhost"])
def test_an_unusual_spelling_of_a_private_address_is_rejected(host: str) -> None:
    with Endpoint() as endpoint:
        answered = post(WebhookHttp(limits=GENEROUS), f"https://{host}:{endpoint.port}/")

    assert answered.error in {"address-refused", "name-not-found"}
    assert endpoint.connections == 0


def test_dns_rebinding_does_not_reach_a_private_address(tmp_path: Path) -> None:
    """The name is resolved once, and the connection goes to the checked address."""
    server, trusting = certified(tmp_path, NAME)
    with Endpoint(context=server) as endpoint:
        network = Network(endpoint)
        resolve = network.resolve

        def rebinding(host: str, port: int) -> list[str]:
            found = list(resolve(host, port))
            network.names[NAME] = ["127.0.0.1"]
            return found

        client = WebhookHttp(resolve=rebinding, connect=network.connect, context=trusting)
        first, second = post(client, f"https://{NAME}/"), post(client, f"https://{NAME}/")

    assert (first.status_code, second.error) == (200, "address-refused")
    assert (network.asked, network.connected) == ([NAME, NAME], [PUBLIC])


def test_plain_http_is_allowed_only_to_the_loopback_in_local_mode() -> None:
    with Endpoint() as endpoint:
        network = Network(endpoint)
        assert post(network.client(), f"http://{NAME}/").error == "address-refused"
        assert post(
            WebhookHttp(local=True, resolve=network.resolve, connect=network.connect), f"http://{NAME}/"
        ).error
        assert post(WebhookHttp(), endpoint.url).error == "address-refused"
        assert network.connected == []
        assert post(local(), endpoint.url).status_code == 200
        assert post(local(), f"http://localhost:{endpoint.port}/").status_code in {
            200,
            None,
        }  # None if it resolves to ::1 first


def test_the_next_address_is_tried_if_one_refuses_the_connection(tmp_path: Path) -> None:
    server, trusting = certified(tmp_path, NAME)
    with Endpoint(context=server) as endpoint:
        network = Network(endpoint, {NAME: [OTHER, PUBLIC]}, refusing=(OTHER,))
        answered = post(network.client(trusting), f"https://{NAME}/")

    assert (answered.status_code, network.connected) == (200, [OTHER, PUBLIC])


def test_an_unreachable_endpoint_or_an_unknown_name_is_an_error() -> None:
    with Endpoint() as endpoint:
        url = endpoint.url
    assert post(local(), url).error == "connect-failed"
    assert post(Network(names={}).client(), f"https://{NAME}/").error == "name-not-found"
    assert post(Network(names={NAME: []}).client(), f"https://{NAME}/").error == "name-not-found"
    assert post(Network(names={NAME: ["nonsense"]}).client(), f"https://{NAME}/").error == "name-not-found"


def test_a_connection_attempt_times_out() -> None:
    def hanging(address: IPAddress, port: int, seconds: float) -> socket.socket:
        raise TimeoutError(address, port, seconds)

    client = WebhookHttp(resolve=lambda *_: [PUBLIC], connect=hanging, limits=SOON)
    assert post(client, f"https://{NAME}/").error == "timeout"


def test_a_connection_needs_no_name_resolution(monkeypatch: pytest.MonkeyPatch) -> None:
    def look_up(*_: object, **__: object) -> None:
        raise AssertionError("a name was looked up")

    with Endpoint() as endpoint, monkeypatch.context() as no_names:
        no_names.setattr(socket, "getaddrinfo", look_up)
        connect_to(ipaddress.ip_address("127.0.0.1"), endpoint.port, 30).close()


def test_a_slow_name_resolution_times_out() -> None:
    over = threading.Event()
    network = Network(names={NAME: [PUBLIC]})

    def slow(host: str, port: int) -> list[str]:
        over.wait(LIMIT)
        return network.resolve(host, port)

    try:
        client = WebhookHttp(resolve=slow, connect=network.connect, limits=SOON)
        assert post(client, f"https://{NAME}/").error == "timeout"
    finally:
        over.set()
    assert network.connected == []


@pytest.mark.parametrize(
    "respond",
    [
        silence,
        drip(b"HTTP/1.1 200 OK\r\nX: x\r\n"),
        drip(b"x"),
        drip(b"HTTP/1.1 100 Continue\r\n\r\n", 0.001),
    ],
    ids=["silence", "headers byte by byte", "other bytes one by one", "endless 100 Continue"],
)
def test_a_slow_response_times_out(respond: Callable[..., None]) -> None:
    """Each byte arrives in time, but the deadline is for the whole response."""
    with Endpoint([respond]) as endpoint:
        answered = post(WebhookHttp(local=True, limits=SOON, clock=SinceHeard(endpoint)), endpoint.url)
        assert (answered.status_code, answered.error) == (None, "timeout")
        until(lambda: endpoint.requests)  # the endpoint may not have read the request yet
        assert len(endpoint.requests) == 1


def test_a_slow_body_is_cut_off_but_its_status_counts() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nb"
    with Endpoint([lambda c, over: (c.sendall(head), drip(b"b")(c, over))[1]]) as endpoint:  # type: ignore[func-returns-value]
        answered = post(local(Limits(connect=LIMIT, total=LIMIT, body=0.5)), endpoint.url)

    assert (answered.status_code, answered.error) == (200, None)
    assert set(answered.body) == {ord("b")}


def test_the_body_has_a_shorter_time_limit_than_the_response() -> None:
    """After the status, nothing depends on the rest of the body."""

    def late(connection: socket.socket, over: threading.Event) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nsoon ")
        over.wait()  # until the client has disconnected
        connection.sendall(b"late")

    with Endpoint([late]) as endpoint:
        answered = post(local(Limits(connect=LIMIT, total=LIMIT, body=0.5)), endpoint.url)

    assert (answered.status_code, answered.body) == (200, b"soon ")


@pytest.mark.parametrize(
    "respond",
    [
        endless(b"HTTP/1.1 200 OK\r\n\r\n"),
        endless(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n"),
        endless(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n" * 1000),
        endless(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1;" + b"e" * 60000 + b"\r\nx\r\n"
        ),
    ],
    ids=["no length", "a huge length", "chunks", "chunks with long extensions"],
)
def test_an_endless_body_is_cut_off(respond: Callable[..., None]) -> None:
    with Endpoint([respond]) as endpoint:
        answered = post(local(), endpoint.url)
        assert (answered.status_code, answered.error) == (200, None)
        assert len(answered.body) <= GENEROUS.body_bytes


@pytest.mark.parametrize(
    "respond",
    [
        endless(b"HTTP/1.1 200 OK\r\n", b"X: " + b"x" * 1000 + b"\r\n"),
        endless(b"HTTP/1.1 200 OK\r\nX: "),
        endless(b"", b"x"),
        endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        raw(b"SSH-2.0-OpenSSH_9.6\r\n"),
        raw(b"HTTP/1.1 abc OK\r\n\r\n"),
    ],
    ids=["headers", "one header", "no line", "100 Continue", "another protocol", "no status"],
)
def test_a_malformed_response_is_a_bad_answer(respond: Callable[..., None]) -> None:
    with Endpoint([respond]) as endpoint:
        answered = post(local(), endpoint.url)

    assert (answered.status_code, answered.error) == (None, "bad-answer")


@pytest.mark.parametrize(
    "respond", [hang_up, raw(b""), raw(b"HTTP/1.1")], ids=["immediately", "empty", "incomplete"]
)
def test_a_closed_connection_is_an_error(respond: Callable[..., None]) -> None:
    with Endpoint([respond]) as endpoint:
        answered = post(local(), endpoint.url)

    assert answered.status_code is None
    assert answered.error in {"connection-lost", "bad-answer"}


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(status: int) -> None:
    with Endpoint() as secret, Endpoint([answer(status, location=secret.url)]) as endpoint:
        answered = post(local(), endpoint.url)

    assert (answered.status_code, answered.accepted) == (status, False)
    assert secret.connections == 0


def test_proxies_of_the_environment_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    with Endpoint() as proxy, Endpoint() as endpoint:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        assert post(local(), endpoint.url).status_code == 200

    assert proxy.connections == 0


def test_retry_after_is_returned() -> None:
    with Endpoint([answer(429, b"slow down", retry_after="120")]) as endpoint:
        answered = post(local(), endpoint.url)

    assert (answered.status_code, answered.retry_after, answered.accepted) == (429, "120", False)


@pytest.mark.parametrize(
    "url", [f"https://user:pw@{NAME}/", f"https://@{NAME}/", f"ftp://{NAME}/", "file:///etc/passwd"]
)
def test_urls_that_a_webhook_cannot_have_are_rejected_again(url: str) -> None:
    network = Network()
    assert post(network.client(), url).error == "address-refused"
    assert network.connected == []


def test_a_header_value_with_line_breaks_is_rejected() -> None:
    with Endpoint() as endpoint, pytest.raises(ValueError, match="line breaks"):
        local().post(endpoint.url, b"", {"webhook-id": "x\r\nX-Evil: 1"})
