"""Admit One: single-use private booking links on a team's own AWS account."""

import os
import sys

__version__ = "0.1.0"  # CHANGELOG.md has what is in it

# Time zones come from the pinned tzdata package, never from the system's files, which Python would prefer
# (docs/adr/0018-zone-data.md). Set here, before any of our entry points can load a zone. Libraries and
# subprocesses inherit it, and `import zoneinfo` saves 3 ms of looking for the system's path.
os.environ["PYTHONTZPATH"] = ""
if "zoneinfo" in sys.modules:
    sys.modules["zoneinfo"].reset_tzpath(())
    sys.modules["zoneinfo"].ZoneInfo.clear_cache()
