"""The local HTTP server responds as API Gateway does, drops no request, and logs no token (P7)."""

import gzip
import logging
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from email import message_from_bytes
from email.message import Message
from typing import Any, NamedTuple

import httpx
import pytest
from chalice.app import AuthResponse, Chalice, Request, Response

from chalicelib.wire.problems import PROBLEM_TYPE
from infra.local.http.request_handler import MAX_BODY_BYTES
from infra.local.http.server import LocalServer, serving
from tests.support.waiting import LIMIT

TOKEN = "AQ-made-up-token-that-no-log-may-show"
CONCURRENT = 64


LONG = "All work and no play makes Jack a dull boy.\n" * 100


def text(body: str, status: int = 200) -> Response:
    return Response(body, status_code=status, headers={"Content-Type": "text/plain; charset=utf-8"})


def make_app() -> Chalice:
    app = Chalice(app_name="probe")
    app.log.setLevel(logging.CRITICAL)
    barrier = threading.Barrier(CONCURRENT)

    def current() -> Request:
        assert app.current_request is not None
        return app.current_request

    @app.authorizer()
    def keys(request: Any) -> AuthResponse:
        match request.token:
            case "Bearer good":
                return AuthResponse(routes=["*"], principal_id="probe", context={"keyId": "key_1"})
            case "Bearer known-but-not-allowed":
                return AuthResponse(routes=[], principal_id="probe")
            case "Bearer broken":
                raise RuntimeError("the store is down")
            case _:
                raise Exception("Unauthorized")  # noqa: TRY002 - the message that API Gateway expects

    @app.route("/long", methods=["GET", "HEAD"])
    def long() -> Response:
        return Response(LONG, headers={"Content-Type": "text/plain", "Vary": "Accept"})

    @app.route("/s/{token}", methods=["GET", "HEAD"])
    def page(token: str) -> Response:
        return text(f"page of {token}")

    @app.route("/s/{token}/redeem", methods=["POST"], content_types=["application/json", "text/plain"])
    def redeem(token: str) -> Response:
        del token
        body = current().raw_body
        return text(body.decode() if isinstance(body, bytes) else body)

    @app.route("/v1/me", authorizer=keys)
    def me() -> dict[str, Any]:
        return dict(current().context["authorizer"])

    @app.route("/nothing", methods=["DELETE"])
    def nothing() -> Response:
        return Response("", status_code=204)

    @app.route("/broken")
    def broken() -> Response:
        return Response(
            object(), headers={}
        )  # Chalice can't serialize this, and fails outside its own error handler

    @app.route("/bad-header")
    def bad_header() -> Response:
        return Response("", headers={"X-Odd": "\u2603"})

    @app.route("/together/{number}")
    def wait_for_all(number: str) -> Response:
        barrier.wait(timeout=LIMIT)  # all requests are in progress at once
        same = current().uri_params == {"number": number}
        return text(f"{number} {same} {app.lambda_context.aws_request_id}")

    return app


@pytest.fixture(scope="module")
def server() -> Iterator[LocalServer]:
    with serving(make_app()) as running:
        yield running


@pytest.fixture
def client(server: LocalServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, trust_env=False) as client:
        yield client


class RawResponse(NamedTuple):
    status: int
    headers: Message
    body: bytes


def raw(server: LocalServer, request: bytes) -> RawResponse:
    """Send raw bytes; return the response, after which the server closes the connection."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=LIMIT) as connection:
        connection.sendall(request)
        received = b"".join(iter(lambda: connection.recv(65536), b""))
    head, _, body = received.partition(b"\r\n\r\n")
    status_line, _, headers = head.partition(b"\r\n")
    return RawResponse(int(status_line.split()[1]), message_from_bytes(headers), body)


def assert_problem(response: httpx.Response, status: int, slug: str) -> None:
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem["type"] == PROBLEM_TYPE + slug
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"]


def test_head_returns_the_headers_of_get_without_a_body(client: httpx.Client) -> None:
    got, head = client.get(f"/s/{TOKEN}"), client.head(f"/s/{TOKEN}")

    assert got.text == f"page of {TOKEN}"
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == got.headers["content-length"] == str(len(got.content))
    # the connection is still usable
    assert client.get(f"/s/{TOKEN}").text == got.text


def test_a_204_has_no_body(client: httpx.Client) -> None:
    response = client.delete("/nothing")

    assert (response.status_code, response.content) == (204, b"")
    assert "content-length" not in response.headers
    assert client.get(f"/s/{TOKEN}").status_code == 200


@pytest.mark.parametrize("headers", [{}, {"Authorization": ""}, {"Authorization": "Bearer unknown"}])
def test_a_missing_or_unknown_key_returns_401(client: httpx.Client, headers: dict[str, str]) -> None:
    response = client.get("/v1/me", headers=headers)

    assert_problem(response, 401, "unauthorized")
    assert response.headers["www-authenticate"] == "Bearer"


def test_a_denied_key_returns_403(client: httpx.Client) -> None:
    response = client.get("/v1/me", headers={"Authorization": "Bearer known-but-not-allowed"})

    assert_problem(response, 403, "forbidden")


def test_a_valid_key_reaches_the_view_with_its_context(client: httpx.Client) -> None:
    response = client.get("/v1/me", headers={"Authorization": "Bearer good"})

    assert response.json()["keyId"] == "key_1"


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer good"}])
@pytest.mark.parametrize(("method", "path"), [("GET", "/nowhere"), ("GET", "/"), ("TRACE", "/nowhere")])
def test_an_unknown_route_returns_404(
    client: httpx.Client, method: str, path: str, headers: dict[str, str]
) -> None:
    assert_problem(client.request(method, path, headers=headers), 404, "not-found")


@pytest.mark.parametrize("method", ["PUT", "TRACE", "BREW", "PROPFIND"])
def test_an_unsupported_method_returns_405_and_lists_the_supported_ones(
    client: httpx.Client, method: str
) -> None:
    answer = client.request(method, f"/s/{TOKEN}")

    assert_problem(answer, 405, "method-not-allowed")
    assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD"}


@pytest.mark.parametrize("asked", ["", "Connection: keep-alive\r\n", "Connection: close\r\n"])
def test_the_connection_of_an_http_1_0_client_is_closed_after_the_response(
    server: LocalServer, asked: str
) -> None:
    """An HTTP/1.0 client reads until the connection closes."""
    answer = raw(server, f"GET /s/{TOKEN} HTTP/1.0\r\n{asked}\r\n".encode())

    assert (answer.status, answer.headers["connection"]) == (200, "close")
    assert answer.body == f"page of {TOKEN}".encode()


def test_the_connection_of_an_http_1_1_client_stays_open(server: LocalServer) -> None:
    """The second request is sent over the connection of the first, as through API Gateway."""
    request = f"GET /s/{TOKEN} HTTP/1.1\r\nHost: x\r\n".encode()
    with socket.create_connection(("127.0.0.1", server.port), timeout=LIMIT) as connection:
        answers = connection.makefile("rb")
        connection.sendall(request + b"\r\n")
        assert answers.readline() == b"HTTP/1.1 200 OK\r\n"
        connection.sendall(request + b"Connection: close\r\n\r\n")
        assert answers.read().count(b"HTTP/1.1 200 OK\r\n") == 1


@pytest.mark.parametrize(
    ("accepted", "zipped"),
    [
        ("gzip", True), ("deflate, gzip;q=1.0, *;q=0.5", True), ("*", True), ("GZIP", True), ("br", False),
        ("identity", False), ("gzip;q=0", False), ("gzip;q=0, *", False), ("", False), ("gzip;q=x", False),
    ],
)  # fmt: skip
def test_a_long_response_is_compressed_if_the_client_accepts_gzip(
    server: LocalServer, accepted: str, zipped: bool
) -> None:
    """API Gateway compresses responses in the same way."""

    def ask(method: str) -> RawResponse:
        head = (
            f"{method} /long HTTP/1.1\r\nHost: x\r\nAccept-Encoding: {accepted}\r\nConnection: close\r\n\r\n"
        )
        return raw(server, head.encode())

    got, head = ask("GET"), ask("HEAD")

    assert (got.headers["content-encoding"] == "gzip") is zipped
    assert (gzip.decompress(got.body) if zipped else got.body) == LONG.encode()
    assert got.headers["vary"] == "Accept, Accept-Encoding"
    assert int(got.headers["content-length"]) == len(got.body)
    assert not zipped or len(got.body) < len(LONG) // 4
    names = ("content-length", "content-encoding", "vary")
    assert [head.headers[name] for name in names] == [got.headers[name] for name in names]
    assert head.body == b""


def test_a_short_response_is_not_compressed(client: httpx.Client) -> None:
    answer = client.get(f"/s/{TOKEN}", headers={"Accept-Encoding": "gzip"})

    assert "content-encoding" not in answer.headers


def test_head_gets_a_problem_without_a_body(client: httpx.Client) -> None:
    response = client.head("/nowhere")

    assert (response.status_code, response.content) == (404, b"")


@pytest.mark.parametrize("path", ["/broken", "/bad-header"])
def test_an_app_error_returns_500_and_keeps_the_connection(client: httpx.Client, path: str) -> None:
    assert_problem(client.get(path), 500, "internal-error")


def test_an_authorizer_error_returns_500(client: httpx.Client) -> None:
    assert_problem(client.get("/v1/me", headers={"Authorization": "Bearer broken"}), 500, "internal-error")


def test_the_largest_body_is_accepted_and_one_byte_more_returns_413(client: httpx.Client) -> None:
    headers = {"Content-Type": "text/plain"}
    largest = client.post(f"/s/{TOKEN}/redeem", content=b"a" * MAX_BODY_BYTES, headers=headers)
    larger = client.post(f"/s/{TOKEN}/redeem", content=b"a" * (MAX_BODY_BYTES + 1), headers=headers)

    assert (largest.status_code, len(largest.content)) == (200, MAX_BODY_BYTES)
    assert_problem(larger, 413, "payload-too-large")


def test_a_client_that_sends_a_large_body_first_still_reads_the_413(server: LocalServer) -> None:
    """If the server closed the connection early, the client would see a failed send and no response."""
    head = (
        f"POST /s/{TOKEN}/redeem HTTP/1.1\r\nHost: x\r\nContent-Length: {2 * MAX_BODY_BYTES}\r\n\r\n".encode()
    )

    assert raw(server, head + b"a" * (2 * MAX_BODY_BYTES)).status == 413


def test_a_large_body_is_rejected_before_it_is_sent(server: LocalServer) -> None:
    response = raw(
        server,
        f"POST /s/{TOKEN}/redeem HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
        f"Content-Length: {MAX_BODY_BYTES + 1}\r\n\r\n".encode(),
    )

    assert response.status == 413  # and no "100 Continue" before it


@pytest.mark.parametrize("length", ["ten", "-1", "1_0", "+1", "", "1, 2", "9" * 5000])
def test_a_malformed_content_length_returns_400(server: LocalServer, length: str) -> None:
    response = raw(
        server, f"POST /s/{TOKEN}/redeem HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n".encode()
    )

    assert response.status == 400
    assert response.headers["content-type"] == "application/problem+json"


def test_a_body_without_a_length_returns_411(server: LocalServer) -> None:
    """Otherwise the server would parse the body's chunks as the next request."""
    response = raw(
        server,
        f"POST /s/{TOKEN}/redeem HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        "2\r\nhi\r\n0\r\n\r\n".encode(),
    )

    assert response.status == 411


@pytest.mark.parametrize(
    "request_line", [f"/s/{TOKEN}", f"GET /s/{TOKEN} HTTP/9.9", f"GET /s/{TOKEN} with spaces HTTP/1.1"]
)
def test_a_malformed_request_is_not_echoed_in_the_response(server: LocalServer, request_line: str) -> None:
    response = raw(server, f"{request_line}\r\nHost: x\r\n\r\n".encode())

    assert 400 <= response.status < 600
    assert TOKEN.encode() not in response.body


def test_bytes_that_are_not_utf8_reach_the_view_as_text(client: httpx.Client) -> None:
    response = client.post(
        f"/s/{TOKEN}/redeem", content=b"a\xff\xfeb", headers={"Content-Type": "text/plain"}
    )

    assert (response.status_code, response.text) == (200, "a\ufffd\ufffdb")


def test_path_parameters_stay_encoded(client: httpx.Client) -> None:
    assert client.get("/s/a%2Fb%20c").text == "page of a%2Fb%20c"


def test_options_without_a_route_is_handled_by_chalice(client: httpx.Client) -> None:
    response = client.options(f"/s/{TOKEN}")

    assert response.status_code == 200
    assert response.headers["access-control-allow-methods"] == "OPTIONS"


def test_requests_run_concurrently_and_independently(server: LocalServer) -> None:
    """All views wait at a barrier, so the test fails if the server handles requests sequentially.

    It also fails if the server mixes up the requests' contexts.
    """
    with ThreadPoolExecutor(CONCURRENT) as pool:
        answers = list(
            pool.map(
                lambda n: httpx.get(f"{server.url}/together/{n}", timeout=LIMIT, trust_env=False).text,
                range(CONCURRENT),
            )
        )

    assert [answer.split()[:2] for answer in answers] == [[str(n), "True"] for n in range(CONCURRENT)]
    assert (
        len({answer.split()[2] for answer in answers}) == CONCURRENT
    )  # each request has its own lambda_context


def test_no_log_line_holds_a_token(server: LocalServer, caplog: pytest.LogCaptureFixture, capfd: Any) -> None:
    """P7: neither a valid nor a malformed request puts its token into the log."""
    caplog.set_level(logging.DEBUG)
    requests = [
        f"GET /s/{TOKEN} HTTP/1.1",
        f"HEAD /s/{TOKEN} HTTP/1.1",
        f"GET /s/{TOKEN}?again={TOKEN} HTTP/1.1",
        f"PUT /s/{TOKEN} HTTP/1.1",
        f"BREW /s/{TOKEN} HTTP/1.1",
        f"GET /nowhere/{TOKEN} HTTP/1.1",
        f"GET //[{TOKEN} HTTP/1.1",
        f"GET http://somewhere/s/{TOKEN} HTTP/1.1",
        f"GET /s/{TOKEN} HTTP/9.9",
        f"/s/{TOKEN} HTTP/1.1",
        f"/s/{TOKEN} /s/{TOKEN} HTTP/1.1",
        f"GET /s/{TOKEN * 3000} HTTP/1.1",
        f"POST /s/{TOKEN}/redeem HTTP/1.1\r\nContent-Length: {TOKEN}",
    ]

    for request in requests:
        raw(server, f"{request}\r\nHost: x\r\nConnection: close\r\n\r\n".encode())

    lines = [record.getMessage() for record in caplog.records if record.name == "admit_one.local.access"]
    assert len(lines) == len(requests)
    assert lines[0].startswith("GET /s/{token} 200 ")
    assert lines[-1].startswith("POST /s/{token}/redeem 400 ")
    printed = capfd.readouterr()
    assert TOKEN not in caplog.text + printed.out + printed.err


def test_a_client_that_disconnects_is_not_an_error(
    server: LocalServer, client: httpx.Client, caplog: pytest.LogCaptureFixture, capfd: Any
) -> None:
    caplog.set_level(logging.DEBUG)
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            connection.setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0"
            )  # closing sends a reset
            connection.sendall(f"POST /s/{TOKEN}/redeem HTTP/1.1\r\nContent-Length: 9\r\n\r\nshort".encode())

    assert client.get(f"/s/{TOKEN}").status_code == 200
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert "Traceback" not in "".join(capfd.readouterr())


def test_a_port_in_use_is_an_error_at_start(server: LocalServer) -> None:
    with pytest.raises(OSError, match="in use"), serving(make_app(), port=server.port):
        pass
