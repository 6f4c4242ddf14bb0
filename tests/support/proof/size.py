"""Choose how many examples to run: few by default, many in `make proof`."""

import os


def size(small: int, large: int) -> int:
    """Return `large` in `make proof`, which sets `PROOF=large`, else `small`."""
    return large if os.environ.get("PROOF") == "large" else small
