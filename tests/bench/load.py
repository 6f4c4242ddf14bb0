"""Measure redeems per second and latency as callers increase, compared with the engine's limit."""

import base64
import http.client
import importlib
import io
import json
import multiprocessing
import os
import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from multiprocessing.synchronize import Barrier
from typing import Any, Final

from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders

from chalicelib import bootstrap
from infra.local.aws import local_client
from infra.local.engines.dynoxide import Dynoxide
from tests.bench.report.plots import Plot
from tests.bench.report.sections import Section, percentile
from tests.bench.setup.bare_handler import bare_handler
from tests.bench.setup.site import Site, redeem_event, starts

CALLERS: Final = (1, 2, 4, 8, 16)
_KINDS: Final = ("ours", "by hand", "the engine")
EACH: Final = 400  # redeems at each step, by all callers together


def load() -> Section:
    """Measure each kind of handler with each number of callers."""
    section = Section(
        "Redeems under load",
        f"At each step, {EACH} redeems of as many links by that many processes, each with its own warm handler, on one "
        "in-memory dynoxide. All run on one machine, so callers and engine share its cores. By hand: the handwritten "
        "handler of the warm redeem. The engine: only that handler's transactions, prepared and signed in advance, "
        "which shows the most that the engine can do.",
    )
    storms: dict[str, list[tuple[int, dict[str, float]]]] = {kind: [] for kind in _KINDS}
    for callers in CALLERS:
        for kind in _KINDS:
            storms[kind].append((callers, _storm(callers, kind)))
        ours, hand, engine = (storms[kind][-1][1] for kind in _KINDS)
        shares = [ours["rate"] / other["rate"] for other in (hand, engine)]
        rates = ", ".join(f"{kind} {storms[kind][-1][1]['rate']:.0f}" for kind in _KINDS)
        section.add(
            f"{callers} at once: redeems a second",
            f"{rates}; ours / by hand {shares[0]:.2f}, / the engine {shares[1]:.2f}",
            raw={"ours": ours, "hand": hand, "engine": engine},
        )
        waits = ", ".join(f"{kind} {_waits(storms[kind][-1][1])}" for kind in _KINDS)
        section.add(f"{callers} at once: p50 / p99, ms", waits)
    for name, title, up, figure in (
        ("load", "Redeems a second", "1/s", "rate"),
        ("load-p99", "Redeem, p99", "ms", "p99"),
    ):
        lines = {kind: [(float(at), storm[figure]) for at, storm in some] for kind, some in storms.items()}
        section.plots.append(Plot(name, title, "callers at once", up, lines))
    return section


def _waits(storm: dict[str, float]) -> str:
    return f"{storm['p50']:.1f} / {storm['p99']:.1f}"


def _storm(callers: int, kind: str) -> dict[str, float]:
    with Dynoxide() as engine:
        site = Site(engine)
        event_type = site.event_type(site.host(), 5)
        work = list(zip(site.tokens(event_type, EACH), starts(EACH, 5), strict=True))
        spawn = multiprocessing.get_context("spawn")
        gate, answers = spawn.Barrier(callers + 1), spawn.Queue()
        workers = [
            spawn.Process(
                target=_work, args=(site.environment(), work[n::callers], gate, answers, kind), daemon=True
            )
            for n in range(callers)
        ]
        for worker in workers:
            worker.start()
        gate.wait(timeout=120)
        began = time.perf_counter()
        times = [taken for _ in workers for taken in answers.get(timeout=300)]
        lasted = time.perf_counter() - began
        for worker in workers:
            worker.join()
    return {
        "rate": len(times) / lasted,
        "p50": 1000 * percentile(times, 0.5),
        "p99": 1000 * percentile(times, 0.99),
    }


def _work(
    environment: dict[str, str],
    work: Sequence[tuple[str, datetime]],
    gate: Barrier,
    answers: Any,
    kind: str,
) -> None:
    os.environ.update(environment)
    events = [redeem_event(token, start) for token, start in work]
    endpoint = environment["AWS_ENDPOINT_URL_DYNAMODB"]
    things: Sequence[Any] = events
    if kind == "ours":
        app = importlib.import_module("app").app
        links: Any = bootstrap.world().store.links
        assert links._table.client

        def act(thing: Any) -> int:
            return int(app(thing, _Context())["statusCode"])
    else:
        client = local_client("dynamodb", endpoint)
        key = base64.b64decode(json.loads(environment["SIGNING_KEYS"])["keys"]["1"])
        bare = bare_handler(client, environment["TABLE_NAME"], key)
        if kind == "by hand":

            def act(thing: Any) -> int:
                return int(bare(thing, None)["statusCode"])
        else:
            things = _prepared(client, bare, events)
            connection = http.client.HTTPConnection(endpoint.removeprefix("http://"))

            def act(thing: Any) -> int:
                body, headers = thing
                connection.request("POST", "/", body, headers)
                answer = connection.getresponse()
                answer.read()
                return answer.status + 1  # 200 here is 201 in the API

    gate.wait(timeout=120)
    times = []
    for thing in things:
        began = time.perf_counter()
        status = act(thing)
        times.append(time.perf_counter() - began)
        assert status == 201, status
    answers.put(times)


def _prepared(client: Any, handle: Any, events: Sequence[Any]) -> list[tuple[bytes, dict[str, str]]]:
    """Return the signed transactions that a handler would send for these events."""
    caught: list[tuple[bytes, dict[str, str]]] = []

    def catch(request: Any, **_: Any) -> Any:
        headers = {
            name: value.decode() if isinstance(value, bytes) else value
            for name, value in request.headers.items()
        }
        caught.append((request.body, headers))
        return AWSResponse(request.url, 200, HTTPHeaders(), _Nothing(b"{}"))

    client.meta.events.register("before-send.dynamodb.TransactWriteItems", catch)
    for event in events:
        handle(event, None)
    return caught


class _Nothing(io.BytesIO):
    """A response body in the form that botocore reads."""

    def stream(self, *_: Any, **__: Any) -> Iterator[bytes]:
        """Yield the whole body."""
        yield self.read()


class _Context:
    aws_request_id = "bench"
    function_name = "admit-one"

    @staticmethod
    def get_remaining_time_in_millis() -> int:
        return 29_000
