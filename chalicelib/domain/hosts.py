"""A host: the person who is booked. Time off closes slots on all of the host's event types."""

from datetime import datetime

import msgspec

from chalicelib.domain.emails import is_email
from chalicelib.domain.rules import Rules
from chalicelib.domain.zones import is_zone


class TimeOff(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A stretch in which nothing is on offer, `[start, end)`, UTC instants."""

    start: datetime
    end: datetime


class HostSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What may be set on a host."""

    name: str
    email: str
    time_zone: str
    time_off: tuple[TimeOff, ...] = ()


class Host(msgspec.Struct, frozen=True, kw_only=True):
    """A host of the team."""

    host_id: str
    settings: HostSettings
    created_at: datetime
    sequence: int = 1

    @property
    def first_name(self) -> str:
        """All that an invitee learns of the host's name before booking."""
        return self.settings.name.split()[0]


def check_host_settings(settings: HostSettings, rules: Rules) -> None:
    """Record every rule the settings break."""
    rules.at("name").text(settings.name, shortest=1, longest=200)
    rules.at("email").require(is_email(settings.email), "is not an email address")
    rules.at("timeZone").require(is_zone(settings.time_zone), "is not an IANA time zone")
    if rules.at("timeOff").length(settings.time_off, most=200):
        for index, off in enumerate(settings.time_off):
            rules.at("timeOff", index, "end").require(off.end > off.start, "must be after start")
