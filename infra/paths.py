"""Where the repository, the local data and build results are."""

from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
LOCAL: Final = ROOT / ".local"
BUILD: Final = ROOT / "build"
