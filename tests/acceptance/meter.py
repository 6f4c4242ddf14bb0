"""What a run costs: each call is counted before it is sent, and the run ends before it exceeds its limit.

The prices are upper bounds, in dollars of us-east-1; `tests/unit/test_acceptance.py` compares them with those of
docs/operate.md.
"""

from collections import Counter
from dataclasses import dataclass, field
from threading import Lock
from typing import Final

REQUEST: Final = "requests to the site"
CALL: Final = "calls of AWS services"
EMAIL: Final = "emails"

PRICES: Final = {
    REQUEST: 0.0001,  # with everything that it sets off: functions, writes, events, deliveries, logs
    CALL: 0.00001,
    EMAIL: 0.0002,  # with its attachment, the calendar file
}


class TooExpensiveError(Exception):
    """The next call would exceed the limit of the run. It was not sent."""


@dataclass
class Meter:
    """Counts calls, and stops at `limit` dollars."""

    limit: float
    counts: Counter[str] = field(default_factory=Counter)
    _lock: Lock = field(default_factory=Lock)

    @property
    def dollars(self) -> float:
        """What all calls so far cost at most."""
        return sum(PRICES[kind] * count for kind, count in self.counts.items())

    def add(self, kind: str, count: int = 1) -> None:
        """Count calls that are about to be sent. Raise `TooExpensiveError`, and count nothing, beyond the limit."""
        with self._lock:
            if self.dollars + PRICES[kind] * count > self.limit:
                raise TooExpensiveError(
                    f"the next call would cost more than ${self.limit:.3f}; the run has cost ${self.dollars:.3f}"
                )
            self.counts[kind] += count


def estimate(links: int, clients: int) -> float:
    """Return what a run costs at most, in dollars, by the number of its calls."""
    requests = links * clients + links // 4 + 900
    emails = 2 * (links + 100) + 6
    return requests * PRICES[REQUEST] + 6_000 * PRICES[CALL] + emails * PRICES[EMAIL]
