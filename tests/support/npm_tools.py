"""The tools from npm that `make npm-tools` installs, and the mark of tests that need them."""

import shutil
from typing import Final

import pytest

from infra.paths import ROOT

MODULES: Final = ROOT / ".local" / "npm-tools" / "node_modules"


def needs_npm_tools(otherwise: str) -> pytest.MarkDecorator:
    """Skip a test if the npm tools are not installed; `otherwise` says what nothing then checks."""
    return pytest.mark.skipif(
        not (MODULES / ".bin" / "tsc").exists() or shutil.which("node") is None,
        reason=f"SKIPPED: the npm tools are not installed (`make npm-tools`), so {otherwise}",
    )
