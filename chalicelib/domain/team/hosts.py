"""A host: the person who is booked. Time off closes slots on all of the host's event types."""

from datetime import datetime

import msgspec

from chalicelib.domain.mail.email_addresses import is_email
from chalicelib.domain.text import MAX_NAME_LENGTH, tidied
from chalicelib.domain.validation import Rules
from chalicelib.domain.zones import is_zone


class TimeOff(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A period in which a host has no slots, `[start, end)`, UTC instants."""

    start: datetime
    end: datetime


class HostSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of a host. `public_name` is what invitees see; None means `name`."""

    name: str
    email: str
    time_zone: str
    public_name: str | None = None
    time_off: tuple[TimeOff, ...] = ()

    def __post_init__(self) -> None:
        tidied(self, line=("name", "public_name"), email="email")


class Host(msgspec.Struct, frozen=True, kw_only=True):
    """A host of the team."""

    host_id: str
    settings: HostSettings
    created_at: datetime
    sequence: int = 1

    @property
    def public_name(self) -> str:
        """The name that invitees see: the public name if the host set one, otherwise the whole name.

        The name is never shortened: the first word of "Dr. Jane Doe" is not a name.
        """
        return self.settings.public_name or self.settings.name


def check_host_settings(settings: HostSettings, rules: Rules) -> None:
    """Record every fault in the settings."""
    rules.at("name").text(settings.name, shortest=1, longest=MAX_NAME_LENGTH)
    if settings.public_name is not None:
        rules.at("publicName").text(settings.public_name, shortest=1, longest=MAX_NAME_LENGTH)
    rules.at("email").require(is_email(settings.email), "is not an email address")
    rules.at("timeZone").require(is_zone(settings.time_zone), "is not an IANA time zone, e.g. Europe/Berlin")
    if rules.at("timeOff").length(settings.time_off, most=200):
        for index, off in enumerate(settings.time_off):
            rules.at("timeOff", index, "end").require(off.end > off.start, "must be after start")
