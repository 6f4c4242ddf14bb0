"""The rules for a host's settings: each violation is reported once, with its pointer."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from chalicelib.domain.team.hosts import Host, HostSettings, TimeOff, check_host_settings
from tests.support.faults import pointers_of

NOON = datetime(2026, 6, 15, 12, tzinfo=UTC)
OFF = TimeOff(NOON, NOON + timedelta(milliseconds=1))
ADA = HostSettings(name="Ada Lovelace", email="ada@example.com", time_zone="Europe/London")


def faults(**changes: Any) -> list[str]:
    return pointers_of(lambda rules: check_host_settings(msgspec.structs.replace(ADA, **changes), rules))


@pytest.mark.parametrize(
    "changes", [{}, {"name": "x" * 200}, {"public_name": "x" * 200}, {"time_off": (OFF,) * 200}]
)
def test_valid_settings_have_no_faults(changes: dict[str, Any]) -> None:
    """The limits themselves are allowed, and time off may overlap."""
    assert faults(**changes) == []


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"name": " "}, "/name"),
        ({"name": "x" * 201}, "/name"),
        ({"public_name": ""}, "/publicName"),
        ({"public_name": "x" * 201}, "/publicName"),
        ({"email": "ada"}, "/email"),
        ({"time_zone": "europe/london"}, "/timeZone"),
        ({"time_off": (OFF,) * 201}, "/timeOff"),
        ({"time_off": (OFF, TimeOff(NOON, NOON))}, "/timeOff/1/end"),
        ({"time_off": (TimeOff(NOON, NOON - timedelta(days=1)),)}, "/timeOff/0/end"),
    ],
)
def test_each_violation_is_reported_once_with_its_pointer(changes: dict[str, Any], pointer: str) -> None:
    """A value that breaks a rule is reported with a pointer to its field."""
    assert faults(**changes) == [pointer]


@pytest.mark.parametrize(
    ("name", "public", "read"),
    [
        ("Dr. Jane Doe", None, "Dr. Jane Doe"),
        ("van der Berg", None, "van der Berg"),
        ("田中 太郎", None, "田中 太郎"),
        ("Jane Doe (Sales, DE)", "Dr. Doe", "Dr. Doe"),
    ],
)
def test_the_public_name_is_the_chosen_one_or_the_whole_name(
    name: str, public: str | None, read: str
) -> None:
    """No first name is guessed, which could show a host as "Dr."."""
    assert faults(name=name, public_name=public) == []
    settings = msgspec.structs.replace(ADA, name=name, public_name=public)
    assert Host(host_id="hst_x", settings=settings, created_at=NOON).public_name == read
