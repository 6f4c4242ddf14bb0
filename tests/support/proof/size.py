"""How much is tried: little by default, much under `make proof`."""

import os


def size(small: int, large: int) -> int:
    """Return how much to try: `large` under `make proof`, which sets `PROOF=large`, else `small`."""
    return large if os.environ.get("PROOF") == "large" else small
