"""New connections to AWS over TLS: the trusted certificates are loaded once, and every server is verified."""

import ssl
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

import botocore.httpsession
import botocore.session
import pytest
from botocore.exceptions import SSLError

from chalicelib.clients.aws import Aws
from chalicelib.connections import load_certificates_once
from chalicelib.domain.errors import StoreUnavailableError
from chalicelib.store.items import LinkItem, link_key
from chalicelib.store.table import Table
from tests.support.endpoints import Endpoint, answer, certified

pytestmark = pytest.mark.clock

NAME: Final = "127.0.0.1"

Call = Callable[[], object]


class CountingContext(ssl.SSLContext):
    """A TLS context that counts how often certificates are loaded into any of them."""

    loads = 0

    def load_verify_locations(self, *files: Any, **more: Any) -> None:
        CountingContext.loads += 1
        super().load_verify_locations(*files, **more)


@dataclass(frozen=True)
class Servers:
    """The TLS contexts of servers: one that clients trust, and two that they must refuse."""

    trusted: ssl.SSLContext
    foreign: dict[str, ssl.SSLContext]


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    folder = tmp_path_factory.mktemp("certificates")
    trusted, _ = certified(folder, NAME)
    renamed, _ = certified(folder, "aws.example")
    bundle = folder / "bundle"
    bundle.write_text("".join(file.read_text() for file in folder.glob("*.pem")))
    unknown, _ = certified(folder, NAME)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_CA_BUNDLE", str(bundle))
        yield Servers(trusted, {"another authority": unknown, "another name": renamed})


@pytest.fixture
def aws(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> Iterator[Endpoint]:
    """A trusted server that closes the connection after each response."""
    monkeypatch.setattr(botocore.httpsession, "SSLContext", CountingContext)
    monkeypatch.setattr(CountingContext, "loads", 0)
    with Endpoint([answer(200, b"{}")], servers.trusted) as server:
        yield server


def sqs(server: Endpoint, monkeypatch: pytest.MonkeyPatch) -> Call:
    """Return a call through one of the clients of `Aws`."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"https://{NAME}:{server.port}")
    client = Aws(botocore.session.get_session).client("sqs")
    return client.list_queues  # type: ignore[no-any-return]


def dynamodb(server: Endpoint, monkeypatch: pytest.MonkeyPatch) -> Call:
    """Return a call through the table's client."""
    del monkeypatch
    table = Table("table", endpoint_url=f"https://{NAME}:{server.port}", sleep=lambda _: None)
    table.connect()
    return lambda: table.get(LinkItem, link_key("lnk_1"))


@pytest.mark.parametrize("client", [sqs, dynamodb])
def test_a_client_loads_its_certificates_once(
    aws: Endpoint, monkeypatch: pytest.MonkeyPatch, client: Callable[..., Call]
) -> None:
    """A load takes 25 to 50 ms of CPU, and after each quiet time a connection is new. Threads share the load.

    The client loads them when it is created: on Lambda the table's client is, before the first request.
    """
    call = client(aws, monkeypatch)
    assert (aws.connections, CountingContext.loads) == (0, 1)
    with ThreadPoolExecutor(3) as pool:
        for done in [pool.submit(call) for _ in range(3)]:
            done.result()
    call()
    assert (aws.connections, CountingContext.loads) == (4, 1)


@pytest.mark.parametrize(("client", "failure"), [(sqs, SSLError), (dynamodb, StoreUnavailableError)])
@pytest.mark.parametrize("foreign", ["another authority", "another name"])
def test_a_server_that_is_not_trusted_is_refused(
    aws: Endpoint,
    servers: Servers,
    monkeypatch: pytest.MonkeyPatch,
    client: Callable[..., Call],
    failure: type[Exception],
    foreign: str,
) -> None:
    """Also by a client that has loaded its certificates. It still accepts a trusted server afterwards."""
    call = client(aws, monkeypatch)
    call()
    aws.context = servers.foreign[foreign]
    with pytest.raises(failure):
        call()
    assert len(aws.requests) == 1
    aws.context = servers.trusted
    call()
    assert (len(aws.requests), CountingContext.loads) == (2, 1)


def test_a_missing_file_of_certificates_is_an_error_of_the_call(
    aws: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in botocore's way: a function still starts, and the failure is logged as that of a call."""
    monkeypatch.setenv("AWS_CA_BUNDLE", "/nowhere")
    call = sqs(aws, monkeypatch)
    with pytest.raises(SSLError):
        call()


def test_without_botocores_private_names_clients_work_and_verify_servers(
    aws: Endpoint, servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then clients work as botocore makes them: slower, and just as strict."""
    load_certificates_once(object())
    create = botocore.session.Session.create_client

    def create_otherwise(session: Any, *service: Any, **how: Any) -> Any:
        client: Any = create(session, *service, **how)
        del client._endpoint.http_session._manager.connection_pool_kw["ssl_context"]
        return client

    monkeypatch.setattr(botocore.session.Session, "create_client", create_otherwise)
    call = sqs(aws, monkeypatch)
    call()
    call()
    assert len(aws.requests) == 2
    aws.context = servers.foreign["another authority"]
    with pytest.raises(SSLError):
        call()
