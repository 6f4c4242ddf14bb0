"""Redeems a second, and how long each takes, with more and more callers at once, beside the hand-written handler."""

import base64
import importlib
import json
import multiprocessing
import os
import time
from collections.abc import Sequence
from datetime import datetime
from multiprocessing.synchronize import Barrier
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from chalicelib import bootstrap
from infra.local.aws import local_client
from infra.local.engines import Dynoxide
from tests.bench.bare import bare_handler
from tests.bench.report import Section, percentile
from tests.bench.site import Site, redeem_event, starts

CALLERS: Final = (1, 2, 4, 8, 16)
EACH: Final = 400  # redeems in all at each step


def load() -> Section:
    """Run both at every step."""
    section = Section(
        "Redeems under load",
        f"{EACH} redeems of as many links at each step, by that many processes at once, each with a warm handler of "
        "its own, on one dynoxide on disk; all on one machine. The hand-written handler shows the engine's own limit.",
    )
    ours, theirs = {}, {}
    for callers in CALLERS:
        theirs[callers] = _storm(callers, bare=True)
        ours[callers] = _storm(callers, bare=False)
        one, other = ours[callers], theirs[callers]
        section.add(
            f"{callers} at once",
            f"{_told(one)}; by hand {_told(other)}; ratio of rates {one['rate'] / other['rate']:.2f}",
            raw={"ours": one, "bare": other},
        )
    return section


def _told(storm: dict[str, float]) -> str:
    return f"{storm['rate']:.0f} a second, p50 {storm['p50']:.1f} ms, p99 {storm['p99']:.1f} ms"


def _storm(callers: int, *, bare: bool) -> dict[str, float]:
    with TemporaryDirectory(prefix="admit-one-bench-") as folder, Dynoxide(Path(folder) / "t.db") as engine:
        site = Site(engine)
        event_type = site.event_type(site.host(), 5)
        work = list(zip(site.tokens(event_type, EACH), starts(EACH, 5), strict=True))
        spawn = multiprocessing.get_context("spawn")
        gate, answers = spawn.Barrier(callers + 1), spawn.Queue()
        workers = [
            spawn.Process(
                target=_work, args=(site.environment(), work[n::callers], gate, answers, bare), daemon=True
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
    bare: bool,
) -> None:
    os.environ.update(environment)
    events = [redeem_event(token, start) for token, start in work]
    if bare:
        client = local_client("dynamodb", environment["AWS_ENDPOINT_URL_DYNAMODB"])
        key = base64.b64decode(json.loads(environment["SIGNING_KEYS"])["keys"]["1"])
        handle: Any = bare_handler(client, environment["TABLE_NAME"], key)
    else:
        handle = importlib.import_module("app").app
        links: Any = bootstrap.world().store.links
        assert links._table.client
    gate.wait(timeout=120)
    times = []
    for event in events:
        began = time.perf_counter()
        answer = handle(event, _Context())
        times.append(time.perf_counter() - began)
        assert answer["statusCode"] == 201, answer
    answers.put(times)


class _Context:
    aws_request_id = "bench"
    function_name = "admit-one"

    @staticmethod
    def get_remaining_time_in_millis() -> int:
        return 29_000
