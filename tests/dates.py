"""Run the tests that depend on a clock on dates that often break tests: `python -m tests.dates`.

Each date is one run of pytest and its subprocesses (engines, servers, browsers) under libfaketime: the clock starts at
that instant in that zone and runs on. The program prints one line per date, and fails if any date fails.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

from chalicelib.domain.zones import load_zone

MARKER: Final = "clock"
PARALLEL: Final = ("-n", "auto", "--dist", "worksteal")
FOLDERS: Final = ("tests/unit", "tests/integration", "tests/e2e")
# Set during a run on a date. Pages look the same on every date, so tests then skip checks of their appearance.
SHIFTED: Final = "ADMIT_ONE_TEST_DATE"


class Date(NamedTuple):
    """When a run starts: local time in a zone, which is also the zone of all its processes."""

    name: str
    local: str
    zone: str
    why: str

    @property
    def start(self) -> datetime:
        """The instant at which the clock starts."""
        return datetime.fromisoformat(self.local).replace(tzinfo=load_zone(self.zone))


DATES: Final = (
    Date("month-end", "2027-01-27T10:00", "UTC", "one page shows all slots of February"),
    Date("new-year", "2027-12-31T23:50", "UTC", "the year ends while the tests run"),
    Date("leap-eve", "2028-02-28T12:00", "America/New_York", "tomorrow is not the first of March"),
    Date("leap-day", "2028-02-29T12:00", "Asia/Tokyo", "the date exists only in leap years"),
    Date("europe-spring", "2027-03-28T01:57", "Europe/Berlin", "02:00 becomes 03:00 while the tests run"),
    Date("europe-autumn", "2027-10-31T01:57", "Europe/Berlin", "the hour from 02:00 occurs twice"),
    Date("america-spring", "2027-03-14T01:57", "America/New_York", "02:00 becomes 03:00"),
    Date("america-autumn", "2027-11-07T01:57", "America/New_York", "the hour from 01:00 occurs twice"),
    Date("late-evening", "2027-01-30T23:58", "Europe/Berlin", "midnight passes while the tests run"),
    Date("last-slot", "2027-02-10T23:20", "Asia/Tokyo", "one slot of half an hour is left today"),
    Date("last-slots", "2027-01-31T22:20", "Europe/Berlin", "three slots are left this month"),
    Date("far-ahead", "2027-04-30T23:58", "Pacific/Auckland", "the local date differs from the UTC date"),
)

# `make test` runs these tests on two of the dates, at the same time: pages with months, days, zones and hours, and the
# rules behind them.
QUICK: Final = ("month-end", "europe-autumn")
_MOST_DEPENDENT: Final = (
    "(not test_invitee or month or day or zone or hours or languages) and (not test_own_booking or TestPages)"
    " and not oracles"  # its random schedules and dates are the same on every date
)
QUICK_TESTS: Final = (
    *("tests/e2e/test_invitee.py", "tests/integration/bookings/test_own_booking.py"),
    *("tests/unit/test_clock.py", "tests/unit/event_types/test_slots.py"),
    "-k",
    _MOST_DEPENDENT,
)

# `faketime` fails if a killed process of the same number left a semaphore. The next attempt has another number.
_ATTEMPTS: Final = 3

# Since Python 3.11, `time.sleep` waits until an instant of the monotonic clock, which libfaketime mistakes for an
# instant of the shifted clock. Every Python process of a run therefore sleeps in `select`, which takes a duration.
_SITECUSTOMIZE: Final = """
import select
import time


def sleep(seconds):
    if seconds < 0:
        raise ValueError("sleep length must be non-negative")
    select.select([], [], [], seconds)


time.sleep = sleep
"""


def preload() -> str | None:
    """Return the library that shifts clocks, or None if it is not installed."""
    faketime = shutil.which("faketime")
    if faketime is None:
        return None
    # The program reports the path of its library. The library reads its settings from the environment.
    command = [faketime, "-m", "-f", "+0", "printenv", "LD_PRELOAD"]
    for _ in range(_ATTEMPTS - 1):
        shown = subprocess.run(command, capture_output=True, text=True, check=False)
        if shown.returncode == 0:
            return shown.stdout.strip()
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def patches_in(folder: Path) -> Path:
    """Write `sitecustomize.py`, which every Python process of a run loads, to a folder, and return the folder."""
    (folder / "sitecustomize.py").write_text(_SITECUSTOMIZE)
    return folder


def shifted(date: Date, library: str, patches: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """Return an environment that shifts the clock to that date, for a process and its subprocesses."""
    ahead = date.start - datetime.now(UTC)
    preloaded = [library, *environ.get("LD_PRELOAD", "").split()]
    return {
        **environ,
        "LD_PRELOAD": " ".join(preloaded),
        "FAKETIME": f"{ahead.total_seconds():+.0f}",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",  # xdist hangs without it
        "FAKETIME_FORCE_MONOTONIC_FIX": "0",  # otherwise Chromium takes a minute to start
        "NO_FAKE_STAT": "1",  # otherwise each date recompiles every module
        "PYTHONPATH": os.pathsep.join([str(patches), *filter(None, [environ.get("PYTHONPATH")])]),
        "TZ": date.zone,
        SHIFTED: date.name,
    }


def run(date: Date, library: str, arguments: Sequence[str]) -> bool:
    """Run pytest on that date; return whether it passed."""
    command = [sys.executable, "-m", "pytest", "-q", *arguments]
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as patches:
        environment = shifted(date, library, patches_in(Path(patches)), os.environ)
        done = subprocess.run(
            command, env=environment, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
    seconds = time.monotonic() - began
    result = "FAILED" if done.returncode else "passed"
    summary = f"{result} on {date.name}: {date.local} {date.zone}, {date.why} ({seconds:.0f} s)"
    print(f"{done.stdout}{summary}\n", end="", flush=True)
    return not done.returncode


def main(given: Sequence[str]) -> int:
    """Run the requested dates; return 0 if all pass."""
    parser = argparse.ArgumentParser(prog="python -m tests.dates", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="run the most date-dependent tests on two dates")
    parser.add_argument("--on", nargs="+", choices=[date.name for date in DATES], metavar="DATE")
    parser.add_argument(
        "pytest", nargs="*", help="arguments for pytest; by default all tests that depend on a clock"
    )
    options = parser.parse_args(given)
    library = preload()
    if library is None:
        print(
            "*** SKIPPED: without libfaketime the clock can't be shifted; tests ran only on today's date "
            "(Debian: apt-get install faketime) ***",
            file=sys.stderr,
        )
        return 0
    names = options.on or (QUICK if options.quick else [date.name for date in DATES])
    wanted = [date for date in DATES if date.name in names]
    tests = QUICK_TESTS if options.quick else (*PARALLEL, *FOLDERS)
    arguments = options.pytest or ["-m", MARKER, *tests]
    with ThreadPoolExecutor(len(QUICK) if options.quick else 1) as at_once:
        passed = list(at_once.map(lambda date: run(date, library, arguments), wanted))
    failed = [date.name for date, good in zip(wanted, passed, strict=True) if not good]
    print(f"{len(wanted) - len(failed)} of {len(wanted)} dates passed", *failed)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
