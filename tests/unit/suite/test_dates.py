"""Tests on other dates: the clock is really shifted, and a test that passes only on some dates fails."""

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
WRONG = ["tests/unit/suite/mid_month.py", "-p", "no:cacheprovider"]


@pytest.fixture
def library() -> str:
    found = dates.preload()
    if found is None:
        pytest.skip("NO SHIFTED CLOCK: faketime is not installed; `make faketime`")
    return found


@pytest.mark.undated("it shifts the clock itself")
def test_a_test_that_assumes_mid_month_fails_at_its_end(library: str) -> None:
    """The red control: the same test passes in the middle of the month, so the date makes it fail."""
    assert dates.run(MID_MONTH, library, WRONG)
    assert not dates.run(MONTH_END, library, WRONG)


@pytest.mark.undated("it shifts the clock itself")
@pytest.mark.parametrize("date", DATES, ids=lambda date: date.name)
def test_it_is_that_date_for_a_process_and_what_it_starts(
    library: str, date: Date, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Engines and apps, which get a small environment, have the same clock; it ticks on, and sleep ends."""
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


def test_every_kind_of_date_is_tried() -> None:
    """Month end, year end, 28 and 29 February, the days on which clocks change, and two minutes to midnight."""
    days = {date.start.date().isoformat() for date in DATES}
    assert days >= {"2027-01-27", "2027-12-31", "2028-02-28", "2028-02-29"}
    assert days >= {"2027-03-28", "2027-10-31", "2027-03-14", "2027-11-07"}
    assert {f"{date.start:%H:%M}" for date in DATES} >= {"23:50", "23:58"}
    assert len({date.zone for date in DATES}) > 3
    assert set(dates.QUICK) < {date.name for date in DATES}
