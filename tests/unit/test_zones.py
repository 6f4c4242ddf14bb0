"""Zone names are IANA's, spelled its way, with the rules of the pinned tzdata; `test_slots` tests wall times."""

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

# Zones whose rules changed between 2025b and 2026f, or that were renamed in the years that system files span.
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
NINE_IN_VANCOUVER: Final = datetime(
    2026, 12, 15, 16, tzinfo=UTC
)  # with the offset it has kept since March 2026


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
    """The names that browsers send are known, also the old ones."""
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
def test_other_names_are_not(name: str) -> None:
    """A name from outside is only looked up in a set, so none reads a file or means this machine's own."""
    assert not is_zone(name)


def test_every_name_has_rules() -> None:
    """The names and the data are from one package, so every accepted zone has rules."""
    assert len(zone_names()) > 590
    for name in zone_names():
        assert load_zone(name).utcoffset(datetime(2026, 12, 1)) is not None  # noqa: DTZ001 - as ZoneInfo wants it


def packaged_offsets(name: str) -> list[timedelta | None]:
    """Return a zone's offsets from the package's own TZif file, for every week of 2026 to 2028."""
    with (DATA / name).open("rb") as file:
        zone = ZoneInfo.from_file(file, key=name)
    return [moment.astimezone(zone).utcoffset() for moment in weeks()]


def weeks() -> list[datetime]:
    return [datetime(2026, 1, 4, 16, tzinfo=UTC) + timedelta(days=7 * n) for n in range(156)]


@pytest.mark.parametrize("name", CHANGED)
def test_zones_whose_rules_changed_lately_have_the_pinned_rules(name: str) -> None:
    """The pinned tzdata serves, not the system's files, which may be older by years."""
    zone = load_zone(name)
    assert [moment.astimezone(zone).utcoffset() for moment in weeks()] == packaged_offsets(name)


def test_what_is_installed_is_what_is_pinned() -> None:
    """The rules that the tests see are those of the package."""
    assert f"tzdata=={tzdata.__version__}\n" in (ROOT / "requirements.txt").read_text()


def test_vancouver_keeps_its_summer_time() -> None:
    """The rules of 2026 apply; with those of 2025 it would be 08:00."""
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
def test_the_systems_files_serve_nowhere(first: str, tmp_path: Path) -> None:
    """The pinned rules apply in every process that imports the product, to libraries and subprocesses, in any order.

    The system's Vancouver is Tokyo here, so the test also works on a machine whose files are new or missing.
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


def test_one_module_makes_zones() -> None:
    """No other module creates a `ZoneInfo`, not even a tool or a test: it might get an unchecked name."""
    folders = [ROOT / name for name in ("chalicelib", "infra", "tests")]
    files = [ROOT / "app.py", *(path for folder in folders for path in folder.rglob("*.py"))]
    makes_zones = re.compile(
        r"^\s*(?:from|import) (?:zoneinfo|pytz|dateutil\.tz)\b|\bdateutil import tz\b", re.MULTILINE
    )
    found = {str(path.relative_to(ROOT)) for path in files if makes_zones.search(path.read_text())}
    assert found == {"chalicelib/domain/zones.py", "tests/unit/test_zones.py"}
