"""Admit One: single-use private booking links on a team's own AWS account."""

import os
import sys

__version__ = "0.2.0.dev0"  # CHANGELOG.md lists its changes

# Read time zones from the pinned tzdata package and not from the system's files, which Python prefers
# (docs/adr/0018-zone-data.md). This runs before any entry point can load a zone. Libraries and subprocesses inherit
# the setting, and `import zoneinfo` is 3 ms faster because it does not search for the system's path.
os.environ["PYTHONTZPATH"] = ""
if "zoneinfo" in sys.modules:
    sys.modules["zoneinfo"].reset_tzpath(())
    sys.modules["zoneinfo"].ZoneInfo.clear_cache()
