"""Choose how many examples to run: few by default, many in `make proof`."""

import os
from typing import TypeVar

_T = TypeVar("_T")


def size(small: _T, large: _T) -> _T:
    """Return `large` in `make proof`, which sets `PROOF=large`, else `small`."""
    return large if os.environ.get("PROOF") == "large" else small
