"""Negative controls: the race tests fail for a naive redeem and for an engine without atomic transactions."""

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial

import moto
import pytest

from chalicelib import bootstrap
from chalicelib.domain.bookings.booking import Invitee
from chalicelib.domain.causes import INVITEE, Cause
from chalicelib.domain.event_types.event_type import EventSettings
from chalicelib.domain.event_types.schedules import Schedule, WeeklyHours
from chalicelib.domain.ids import EVENT_TYPE, HOST, LINK, id_bytes, make_id
from chalicelib.domain.links.link import Link, LinkSettings
from chalicelib.domain.team.hosts import HostSettings
from chalicelib.domain.tokens import Purpose, make_token
from chalicelib.service.bookings.redeem import RedeemRequest, redeem
from chalicelib.service.ports import World
from chalicelib.settings import Settings
from infra.local.engines.ministack import Ministack
from infra.local.table import create_table_arguments
from tests.support import audit
from tests.support.aws.dynamodb_client import CLIENTS
from tests.support.proof.harness import ALL_DAY, Answer, Apps, race, staged, starts
from tests.support.proof.rounds import faults_of_rounds, one_winner_rounds
from tests.support.proof.size import size

TABLE = "negative-control"
CAUSE = Cause(INVITEE, "negative-control")
MAX_ROUNDS = 400


def test_a_redeem_that_reads_and_then_writes_fails_the_proof(ministack: Ministack, apps: Apps) -> None:
    """P1, P2: the harness and its checks detect a redeem whose writes have no conditions."""
    with staged(ministack.endpoint_url, apps) as stage:
        stage.point(naive=True)

        links, answers = one_winner_rounds(stage, size(8, 20))

        faults = faults_of_rounds(stage.dump(), list(answers.values()))
        double = [link for link in links if sum(answer.status == 201 for answer in answers[link]) > 1]
    print(
        f"naive redeem: {len(double)} of {len(links)} links booked more than once; {len(faults)} faults found"
    )
    assert len(double) > len(links) / 2
    assert any("bookings, but allows" in fault for fault in faults)
    assert any("busy without a booking" in fault or "free despite a booking" in fault for fault in faults)
    assert any("of 16 clients got a booking" in fault for fault in faults)


@pytest.fixture
def moto_world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A world with the production services and store, on an in-process moto table."""
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_DYNAMODB"):
        monkeypatch.delenv(name, raising=False)
    keys = json.dumps({"current": 1, "keys": {"1": "A" * 43 + "="}})
    interval = sys.getswitchinterval()
    with moto.mock_aws():
        world = bootstrap.compose(
            Settings(table_name=TABLE, signing_secret_id=None, signing_keys=keys, base_url=None)
        )
        plain = moto_client(world)
        plain.create_table(**create_table_arguments(TABLE))
        sys.setswitchinterval(
            1e-5
        )  # switch threads every 10 µs, so that races are as likely as between processes
        try:
            yield world
        finally:
            sys.setswitchinterval(interval)


def test_moto_fails_the_proof(moto_world: World) -> None:
    """P1, P2: the real redeem double-books on moto's `mock_aws`, so tests of races can't use moto."""
    event_type, schedule = make_event_type(moto_world), starts(MAX_ROUNDS)
    faults: list[str] = []
    for number, start in enumerate(schedule, 1):
        token = make_link(moto_world, event_type)

        answers = race(
            [partial(moto_redeem, moto_world, token, start, f"p{n}@example.com") for n in range(CLIENTS)]
        )

        faults = faults_of_rounds(audit.dump(moto_client(moto_world), TABLE), [answers])
        if faults:
            print(f"moto: corrupted in round {number}: {faults[0]}")
            break
    assert faults, "moto passed the proof: docs/adr/0005-engines.md is out of date"


def moto_client(world: World):  # type: ignore[no-untyped-def]
    """Return the store's client, which moto intercepts."""
    return world.store.links._table.client  # type: ignore[attr-defined]


def make_event_type(world: World) -> tuple[str, str]:
    """Create a host and an event type; return their ids."""
    from chalicelib.domain.event_types.event_type import EventType
    from chalicelib.domain.team.hosts import Host

    host_id, event_type_id = (make_id(kind, world.random_bytes(16)) for kind in (HOST, EVENT_TYPE))
    hours = WeeklyHours(days=tuple(ALL_DAY["days"]), start="00:00", end="24:00")  # type: ignore[arg-type]
    settings = EventSettings(title="Talk", duration_minutes=5, schedule=Schedule("UTC", weekly=(hours,)))
    person = HostSettings(name="Ada", email="ada@example.com", time_zone="UTC")
    world.store.hosts.create(Host(host_id=host_id, settings=person, created_at=world.now()), CAUSE)
    event_type = EventType(
        event_type_id=event_type_id, host_id=host_id, settings=settings, created_at=world.now()
    )
    world.store.event_types.create(event_type, CAUSE)
    return host_id, event_type_id


def make_link(world: World, owner: tuple[str, str]) -> str:
    """Create a link with one use; return its token."""
    link_id = make_id(LINK, world.random_bytes(16))
    link = Link(
        link_id=link_id,
        host_id=owner[0],
        event_type_id=owner[1],
        key_id=1,
        settings=LinkSettings(),
        created_at=world.now(),
    )
    assert world.store.links.create(link, CAUSE)
    raw = id_bytes(LINK, link_id)
    assert raw is not None
    return make_token(world.keyring(), Purpose.LINK, raw)


def moto_redeem(world: World, token: str, start: datetime, email: str) -> Answer:
    """Redeem without HTTP; return the result as an HTTP answer."""
    request = RedeemRequest(
        start=start.astimezone(UTC),
        time_zone="UTC",
        invitee=Invitee("Grace", email),
        answers={},
        location_index=None,
        idempotency_key=None,
        body_hash="",
    )
    try:
        redeem(world, token, request, CAUSE)
    except Exception as error:  # noqa: BLE001 - moto raises errors of its own; the test checks what is stored
        return Answer(400, {}, repr(error).encode())
    return Answer(201, {}, b"")
