"""Tests on other dates: the clock is shifted for every process, and a test that depends on the date fails."""

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from infra.local.engines.engine import inherited_environment
from tests import dates
from tests.dates import DATES, Date

MID_MONTH = Date("mid-month", "2027-01-15T12:00", "UTC", "nothing happens")
(MONTH_END,) = (date for date in DATES if date.name == "month-end")
DATE_DEPENDENT = ["tests/unit/suite/mid_month.py", "-p", "no:cacheprovider"]


@pytest.fixture
def library() -> str:
    found = dates.preload()
    if found is None:
        pytest.skip("NO SHIFTED CLOCK: faketime is not installed; `make faketime`")
    return found


@pytest.mark.undated("it shifts the clock itself")
def test_a_test_that_assumes_mid_month_fails_at_month_end(library: str) -> None:
    """Red control: the test passes in the middle of the month, so it fails because of the date."""
    assert dates.run(MID_MONTH, library, DATE_DEPENDENT)
    assert not dates.run(MONTH_END, library, DATE_DEPENDENT)


@pytest.mark.undated("it shifts the clock itself")
@pytest.mark.parametrize("date", DATES, ids=lambda date: date.name)
def test_a_process_and_its_children_have_the_shifted_clock(
    library: str, date: Date, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Engines and apps, which get a reduced environment, have it too; time passes, and `sleep` ends."""
    for name, value in dates.shifted(date, library, dates.patches_in(tmp_path), os.environ).items():
        monkeypatch.setenv(name, value)
    program = "import time; time.sleep(0.01); print(time.time(), time.strftime('%Y-%m-%dT%H'))"
    command = [sys.executable, "-P", "-c", program]
    shown = subprocess.run(
        command, env=inherited_environment(), capture_output=True, text=True, check=True
    ).stdout
    instant, local = shown.split()
    start = date.start
    assert start.timestamp() - 1 <= float(instant)
    there = datetime.fromtimestamp(float(instant), UTC).astimezone(start.tzinfo)
    assert local == f"{there:%Y-%m-%dT%H}"


def test_the_dates_include_every_kind() -> None:
    """Month end, year end, 28 and 29 February, days on which clocks change, and late evenings."""
    days = {date.start.date().isoformat() for date in DATES}
    assert days >= {"2027-01-27", "2027-12-31", "2028-02-28", "2028-02-29"}
    assert days >= {"2027-03-28", "2027-10-31", "2027-03-14", "2027-11-07"}
    assert {f"{date.start:%H:%M}" for date in DATES} >= {"22:20", "23:20", "23:50", "23:58"}
    assert len({date.zone for date in DATES}) > 3
    assert set(dates.QUICK) < {date.name for date in DATES}
