"""Time zones have IANA's exact names and the rules of the pinned tzdata; `test_slots` tests wall times."""

import json
import os
import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest
import tzdata

from chalicelib.domain.zones import is_zone, load_zone, zone_names

pytestmark = pytest.mark.clock

ROOT: Final = Path(__file__).parents[2]
DATA: Final = Path(tzdata.__path__[0], "zoneinfo")

# Zones whose rules or names changed recently, so that a system's older files would give other results.
CHANGED: Final = (
    "Africa/Casablanca",
    "America/Edmonton",
    "America/Havana",
    "America/Inuvik",
    "America/Vancouver",
    "America/Winnipeg",
    "Europe/Chisinau",
    "America/Ciudad_Juarez",
    "America/Coyhaique",
    "America/Nuuk",
    "Asia/Almaty",
    "Europe/Kyiv",
    "Pacific/Kanton",
    "Canada/Pacific",
    "Europe/Kiev",
)
NINE_IN_VANCOUVER: Final = datetime(2026, 12, 15, 16, tzinfo=UTC)  # with Vancouver's offset since March 2026


@pytest.mark.parametrize(
    "name",
    [
        "UTC",
        "Europe/Berlin",
        "America/Argentina/Buenos_Aires",
        "Etc/GMT+5",
        "Asia/Calcutta",
        "Europe/Kiev",
        "US/Pacific",
    ],
)
def test_iana_names_are_zones(name: str) -> None:
    """Browsers send these names, including old ones."""
    assert is_zone(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "europe/berlin",
        "Europe/Bonn",
        "CEST",
        "+05:30",
        "Etc/Unknown",
        "localtime",
        "Factory",
        "posixrules",
        "posix/UTC",
        "../../etc/passwd",
        "/etc/localtime",
        "UTC\x00",
        "Europe",
    ],
)
def test_other_names_are_not_zones(name: str) -> None:
    """A name is looked up in a set, so it can't read a file or mean the system's own zone."""
    assert not is_zone(name)


def test_every_name_has_rules() -> None:
    """The names and the data are from one package, so every accepted zone has rules."""
    assert len(zone_names()) > 590
    for name in zone_names():
        assert load_zone(name).utcoffset(datetime(2026, 12, 1)) is not None  # noqa: DTZ001 - `utcoffset` takes a naive time


def packaged_offsets(name: str) -> list[timedelta | None]:
    """Return a zone's offset in every week of 2026 to 2028, from the package's own TZif file."""
    with (DATA / name).open("rb") as file:
        zone = ZoneInfo.from_file(file, key=name)
    return [moment.astimezone(zone).utcoffset() for moment in weeks()]


def weeks() -> list[datetime]:
    return [datetime(2026, 1, 4, 16, tzinfo=UTC) + timedelta(days=7 * n) for n in range(156)]


@pytest.mark.parametrize("name", CHANGED)
def test_recently_changed_zones_have_the_pinned_rules(name: str) -> None:
    """The rules come from the pinned tzdata, not from the system's files, which may be years older."""
    zone = load_zone(name)
    assert [moment.astimezone(zone).utcoffset() for moment in weeks()] == packaged_offsets(name)


def test_the_installed_tzdata_is_the_pinned_one() -> None:
    """The tests use the same rules as the package."""
    assert f"tzdata=={tzdata.__version__}" in (ROOT / "requirements.txt").read_text().split()


def test_vancouver_keeps_its_summer_time() -> None:
    """The rules of 2026 apply; with those of 2025 the hour would be 8."""
    assert NINE_IN_VANCOUVER.astimezone(load_zone("America/Vancouver")).hour == 9


_LOOK: Final = """
import json, sys
{first}
import chalicelib
from zoneinfo import TZPATH, ZoneInfo
from datetime import datetime, UTC
import subprocess
at = datetime(2026, 12, 15, 16, tzinfo=UTC)
print(json.dumps({{
    "path": TZPATH,
    "hour": at.astimezone(ZoneInfo("America/Vancouver")).hour,
    "child": subprocess.check_output([sys.executable, "-c", "import zoneinfo; print(zoneinfo.TZPATH)"], text=True),
}}))
"""


@pytest.mark.parametrize("first", ["", "import zoneinfo; zoneinfo.ZoneInfo('America/Vancouver')"])
def test_the_systems_zone_files_are_never_used(first: str, tmp_path: Path) -> None:
    """The pinned rules apply to libraries and subprocesses of every process that imports the product, in any order.

    Here the system's file for Vancouver has Tokyo's rules, so the test doesn't depend on the machine's files.
    """
    (tmp_path / "America").mkdir()
    shutil.copy(DATA / "Asia" / "Tokyo", tmp_path / "America" / "Vancouver")
    environ = os.environ | {"PYTHONTZPATH": str(tmp_path)}
    code = _LOOK.format(first=first)
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environ, capture_output=True, text=True, check=True
    )
    found: dict[str, Any] = json.loads(done.stdout)
    assert found == {"path": [], "hour": 9, "child": "()\n"}


def test_only_one_module_creates_zones() -> None:
    """Another module, even a tool or a test, might create a `ZoneInfo` from an unchecked name."""
    folders = [ROOT / name for name in ("chalicelib", "infra", "tests")]
    files = [ROOT / "app.py", *(path for folder in folders for path in folder.rglob("*.py"))]
    makes_zones = re.compile(
        r"^\s*(?:from|import) (?:zoneinfo|pytz|dateutil\.tz)\b|\bdateutil import tz\b", re.MULTILINE
    )
    found = {str(path.relative_to(ROOT)) for path in files if makes_zones.search(path.read_text())}
    assert found == {"chalicelib/domain/zones.py", "tests/unit/test_zones.py"}
