"""Requests to create or change a host."""

import msgspec
from msgspec import UNSET, UnsetType

from chalicelib.domain.team.hosts import HostSettings, TimeOff
from chalicelib.wire.instants import Instant, instant
from chalicelib.wire.requests.body import Body, given_fields


class TimeOffBody(Body, frozen=True):
    """A period in which a host has no slots."""

    start: Instant
    end: Instant


class HostBody(Body, frozen=True):
    """A host to create."""

    name: str
    email: str
    time_zone: str
    public_name: str | None = None
    time_off: tuple[TimeOffBody, ...] = ()

    def settings(self) -> HostSettings:
        """Return the host's settings."""
        return HostSettings(
            name=self.name,
            email=self.email,
            time_zone=self.time_zone,
            public_name=self.public_name,
            time_off=_time_off(self.time_off),
        )


class HostChanges(Body, frozen=True):
    """Changes to a host. Absent fields keep their values; with a null public name, invitees see the name."""

    name: str | UnsetType = UNSET
    email: str | UnsetType = UNSET
    time_zone: str | UnsetType = UNSET
    public_name: str | None | UnsetType = UNSET
    time_off: tuple[TimeOffBody, ...] | UnsetType = UNSET

    def applied_to(self, settings: HostSettings) -> HostSettings:
        """Return the settings with these changes."""
        changes = given_fields(self)
        if self.time_off is not UNSET:
            changes["time_off"] = _time_off(self.time_off)
        return msgspec.structs.replace(settings, **changes)


def _time_off(given: tuple[TimeOffBody, ...]) -> tuple[TimeOff, ...]:
    return tuple(
        TimeOff(instant(off.start, f"/timeOff/{place}/start"), instant(off.end, f"/timeOff/{place}/end"))
        for place, off in enumerate(given)
    )
