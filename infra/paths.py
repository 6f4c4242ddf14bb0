"""The paths of the repository, the local data, the build results and the template's fragments."""

from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
LOCAL: Final = ROOT / ".local"
BUILD: Final = ROOT / "build"
FRAGMENTS: Final = ROOT / "infra" / "template"
