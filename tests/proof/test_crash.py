"""P1, P2, P4: a process or the engine is killed under load. No acknowledged booking is lost, and none is duplicated."""

import threading
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from pathlib import Path

import pytest

from infra.local.engines.dynoxide import Dynoxide
from tests.support import audit
from tests.support.aws.dynamodb_client import CLIENTS
from tests.support.aws.engines import require_dynoxide
from tests.support.proof.harness import (
    Answer,
    Apps,
    Client,
    Link,
    NoAnswerError,
    Stage,
    race,
    staged,
    starts,
)
from tests.support.proof.size import size
from tests.support.waiting import LIMIT

LINKS = size(30, 60)
Request = tuple[Link, datetime, str]


@pytest.fixture
def crashing_engine(tmp_path: Path) -> Iterator[Dynoxide]:
    """An engine for one test, which kills it."""
    require_dynoxide()
    with Dynoxide(tmp_path / "table.db") as engine:
        yield engine


def storm(
    stage: Stage, requests: list[list[Request]], at: int, strike: Callable[[threading.Semaphore], None]
) -> list[list[Answer | None]]:
    """Send each client's requests, and call `strike` once `at` of them have ended; return the answers, None if lost.

    `strike` gets a semaphore that is released for each request without an answer or with a 5xx.
    """
    answered, hurt = threading.Semaphore(0), threading.Semaphore(0)

    def send(client: Client, mine: list[Request]) -> list[Answer | None]:
        responses: list[Answer | None] = []
        for link, start, email in mine:
            try:
                responses.append(client.redeem(link, start, email, key=email))
            except NoAnswerError:
                responses.append(None)
            answered.release()
            if responses[-1] is None or responses[-1].status >= 500:
                hurt.release()
        return responses

    def wait_and_strike() -> list[Answer | None]:
        for _ in range(at):
            answered.acquire()
        strike(hurt)
        return []

    racers: list[Callable[[], list[Answer | None]]] = [wait_and_strike]
    racers += [partial(send, client, mine) for client, mine in zip(stage.clients(), requests, strict=True)]
    _, *responses = race(racers)
    return responses


def plan(stage: Stage) -> tuple[list[Link], list[list[Request]]]:
    """Give every client a request for every link, in random order, so that they compete for links and for slots."""
    event_type = stage.event_type(stage.host())
    links, slots = stage.links(event_type, LINKS), starts(LINKS)
    requests = [
        [
            (link, stage.random.choice(slots), f"p{n}@example.com")
            for link in stage.random.sample(links, LINKS)
        ]
        for n in range(CLIENTS)
    ]
    return links, requests


def check_after(stage: Stage, requests: list[list[Request]], responses: list[list[Answer | None]]) -> None:
    """Retry every request without an answer or with a 5xx, then audit the table."""

    def again(client: Client, mine: list[Request], before: list[Answer | None]) -> list[Answer]:
        return [
            answer if answer is not None and answer.status < 500 else client.redeem(*request, key=request[2])
            for request, answer in zip(mine, before, strict=True)
        ]

    final = race(
        [
            partial(again, client, mine, before)
            for client, mine, before in zip(stage.clients(), requests, responses, strict=True)
        ]
    )

    answers = [answer for client in final for answer in client]
    assert {answer.code for answer in answers} <= {"201", "410 link-used", "409 slot-taken"}
    booked = [answer.json["bookingId"] for answer in answers if answer.status == 201]
    assert len(booked) == len(set(booked)), "two requests returned the same booking"
    items = stage.audited()
    # Every acknowledged booking is stored, and every stored booking was acknowledged to its client.
    assert set(booked) == set(audit.bookings_of(items))
    lost = sum(answer is None for client in responses for answer in client)
    late = sum(answer is not None and answer.status >= 500 for client in responses for answer in client)
    print(f"{lost} requests without an answer, {late} with a 5xx, {len(booked)} bookings")
    assert lost + late, "the crash affected no request, so the test proves nothing"


def test_no_booking_is_lost_or_duplicated_if_an_app_process_is_killed(stage: Stage) -> None:
    """P1, P4: one of three processes is killed with requests in flight; their clients retry on the others."""
    _, requests = plan(stage)

    responses = storm(stage, requests, LINKS, lambda _: stage.apps[0].kill())

    check_after(stage, requests, responses)


def test_no_booking_is_lost_or_duplicated_if_the_engine_is_killed(
    crashing_engine: Dynoxide, apps: Apps
) -> None:
    """P1, P2, P4: dynoxide on disk is killed during writes, and restarted with its file."""
    with staged(crashing_engine.endpoint_url, apps) as stage:
        _, requests = plan(stage)

        def strike(hurt: threading.Semaphore) -> None:
            # Twice so briefly that the app's retries succeed, then until requests fail.
            for down in (0, 0, 3):
                crashing_engine.kill()
                for _ in range(down):
                    assert hurt.acquire(timeout=LIMIT)
                crashing_engine.start()

        responses = storm(stage, requests, LINKS, strike)

        # Without the engine the app decides nothing: it returns 503, or no answer.
        codes = {answer.code for client in responses for answer in client if answer}
        assert codes <= {"201", "410 link-used", "409 slot-taken", "503 store-unavailable"}
        check_after(stage, requests, responses)
