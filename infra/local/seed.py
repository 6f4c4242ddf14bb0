"""The sample data of `make run`: one host, two event types and three links, created only in an empty table."""

import os
from datetime import timedelta

from chalicelib import bootstrap
from chalicelib.domain.causes import Cause
from chalicelib.domain.event_types.event_type import EventSettings, Location, Question
from chalicelib.domain.event_types.schedules import Schedule, WeeklyHours
from chalicelib.domain.links.link import Link, LinkSettings, LinkStatus, Recipient
from chalicelib.domain.team.api_keys import Caller, Role
from chalicelib.domain.team.hosts import Host, HostSettings
from chalicelib.service.event_types import create_event_type, list_event_types
from chalicelib.service.links.expire import expire_due_links
from chalicelib.service.links.generate import GenerateRequest, generate
from chalicelib.service.links.list import ListRequest, list_links
from chalicelib.service.ports import World
from chalicelib.service.team.authenticate import authenticate, make_key
from chalicelib.service.team.hosts import create_host, list_hosts
from chalicelib.wire.responses.links import link_answer

_CAUSE = Cause("system:seed", "seed")
_ADMIN = Caller("seed", Role.ADMIN, None)
_SAMPLE = "Sample: once"
_WORKDAYS = WeeklyHours(days=("mon", "tue", "wed", "thu", "fri"), start="09:00", end="17:00")


def seed(api_key: str) -> str:
    """Return the URL of a sample link. Create a host, event types, links and the local API key if there are none.

    `api_key` is this machine's admin key; the table stores only its SHA-256.
    """
    world = bootstrap.world()
    expire_due_links(world)  # links that expired while `make run` was stopped
    if world.store.api_keys.read(api_key) is None:
        hosts = list_hosts(world, _ADMIN, None, 1).rows
        host = hosts[0] if hosts else _create_samples(world)
        make_key(world, role=Role.ADMIN, host_id=host.host_id, name="make run", cause=_CAUSE, secret=api_key)
    link = _sample(world, authenticate(world, api_key))
    url = link_answer(link, world.keyring(), os.environ["BASE_URL"], world.now()).url
    if url is None:
        raise RuntimeError("The sample link's signing key is gone; remove .local to start over.")
    return url


def _create_samples(world: World) -> Host:
    host = create_host(
        world,
        _ADMIN,
        HostSettings(
            name="Dr. Ada Sample",
            public_name="Ada Sample",
            email="ada@example.com",
            time_zone="Europe/Berlin",
        ),
        _CAUSE,
    )
    schedule = Schedule("Europe/Berlin", weekly=(_WORKDAYS,))
    intro = EventSettings(
        title="Intro call",
        description="A first talk, to see whether we fit.",
        duration_minutes=30,
        schedule=schedule,
        locations=(Location("video", "https://meet.example.com/ada"),),
        buffer_after_minutes=10,
        minimum_notice_minutes=60,
    )
    workshop = EventSettings(
        title="Workshop",
        duration_minutes=90,
        schedule=schedule,
        locations=(Location("in_person", "Sample Street 1, Berlin"),),
        questions=(Question("topic", "What shall we work on?", required=True),),
    )
    first, second = (
        create_event_type(world, _ADMIN, host.host_id, settings, _CAUSE) for settings in (intro, workshop)
    )
    recipient = Recipient(name="Grace Sample", email="grace@example.com")
    expires = world.now() + timedelta(days=14)
    samples = {
        second.event_type_id: [LinkSettings(label="Sample: five times", max_usage_count=5)],
        first.event_type_id: [
            LinkSettings(label="Sample: for Grace, two weeks", recipient=recipient, expires_at=expires),
            LinkSettings(label=_SAMPLE),
        ],
    }
    for event_type_id, links in samples.items():
        request = GenerateRequest(
            event_type_id=event_type_id, links=links, from_items=True, idempotency_key=None, body_hash=""
        )
        generate(world, _ADMIN, request, _CAUSE)
    return host


def _sample(world: World, caller: Caller) -> Link:
    """Return an active link without a recipient, preferably a sample; create one if there is none."""
    now = world.now()
    active = list_links(world, caller, _list_request(LinkStatus.ACTIVE)).rows
    open_to_all = [
        link for link in active if link.refusal_at(now) is None and link.settings.recipient is None
    ]
    for link in sorted(open_to_all, key=lambda link: link.settings.label != _SAMPLE):
        return link
    event_types = list_event_types(world, caller, None, None, 1).rows
    if not event_types:
        raise RuntimeError("The first host has no event type; create one, or remove .local to start over.")
    request = GenerateRequest(
        event_type_id=event_types[0].event_type_id,
        links=[LinkSettings(label=_SAMPLE)],
        from_items=False,
        idempotency_key=None,
        body_hash="",
    )
    return generate(world, caller, request, _CAUSE).links[0]


def _list_request(status: LinkStatus) -> ListRequest:
    return ListRequest(host_id=None, event_type_id=None, status=status, query=None, cursor=None, limit=200)
