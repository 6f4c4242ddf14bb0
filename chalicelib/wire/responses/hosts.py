"""Responses about hosts, and about the API key of a request."""

from chalicelib.domain.clock import rfc3339
from chalicelib.domain.team.api_keys import Caller, Role
from chalicelib.domain.team.hosts import Host
from chalicelib.wire.responses.answer import Answer, Time


class TimeOffAnswer(Answer, frozen=True):
    """A period in which a host has no slots."""

    start: Time
    end: Time


class HostAnswer(Answer, frozen=True):
    """A host."""

    host_id: str
    name: str
    public_name: str
    email: str
    time_zone: str
    time_off: list[TimeOffAnswer]
    created_at: Time


class HostsAnswer(Answer, frozen=True):
    """One page of hosts, newest first."""

    hosts: list[HostAnswer]
    next_cursor: str | None


class MeAnswer(Answer, frozen=True):
    """The API key's role and host, and the base URL of links."""

    key_id: str
    role: Role
    host: HostAnswer | None
    base_url: str


def host_answer(host: Host) -> HostAnswer:
    """Return a host as a response."""
    settings = host.settings
    return HostAnswer(
        host_id=host.host_id,
        name=settings.name,
        public_name=host.public_name,
        email=settings.email,
        time_zone=settings.time_zone,
        time_off=[TimeOffAnswer(start=rfc3339(o.start), end=rfc3339(o.end)) for o in settings.time_off],
        created_at=rfc3339(host.created_at),
    )


def me_answer(caller: Caller, host: Host | None, base_url: str) -> MeAnswer:
    """Return the role and host of an API key as a response."""
    own = host_answer(host) if host else None
    return MeAnswer(key_id=caller.key_id, role=caller.role, host=own, base_url=base_url)
