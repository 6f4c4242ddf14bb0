"""Make requests from the app to DynamoDB fail at random, at fixed rates, from a seed."""

import random
import time
from collections.abc import Mapping
from typing import Any, Final

from tests.support.proof.proxy import (
    Call,
    Edit,
    Fault,
    First,
    LoseReply,
    Proxy,
    Reset,
    cancelled,
    error,
    is_note,
)

SLOW_SECONDS: Final = 0.03
RATES: Final[Mapping[str, float]] = {
    "slow": 0.05,
    "lost reply": 0.08,
    "reset": 0.02,
    "throttled": 0.03,
    "internal error": 0.02,
    "conflict": 0.15,
    "answered in part": 0.05,
}
_WRITES: Final = ("PutItem", "UpdateItem", "TransactWriteItems")


def inject_faults(proxy: Proxy, seed: int, rates: Mapping[str, float] = RATES) -> dict[str, int]:
    """Inject faults into a proxy's calls at these rates; return a live count of each fault."""
    rng = random.Random(seed)
    counts = dict.fromkeys(rates, 0)

    def by_chance(name: str, call: Call) -> bool:
        met = _applies_to(name, call) and rng.random() < rates[name]
        counts[name] += met
        return met

    for name in rates:
        proxy.inject(lambda call, name=name: by_chance(name, call), _FAULTS[name])  # type: ignore[misc]
    return counts


def _applies_to(name: str, call: Call) -> bool:
    match name:
        case "conflict":
            return call.name == "TransactWriteItems"
        case "answered in part":
            return call.name == "BatchGetItem"
        case "lost reply":
            return call.name in _WRITES and not is_note(call)
    return True


def _leave_one_key_unprocessed(answer: dict[str, Any]) -> None:
    """Move one item of a `BatchGetItem` answer to `UnprocessedKeys`, as DynamoDB does under load."""
    for table, items in answer.get("Responses", {}).items():
        if items:
            left = items.pop()
            key = {name: left[name] for name in ("pk", "sk")}
            answer["UnprocessedKeys"] = {table: {"Keys": [key], "ConsistentRead": True}}


_FAULTS: Final[Mapping[str, Fault]] = {
    "slow": First(lambda: time.sleep(SLOW_SECONDS)),
    "lost reply": LoseReply(),
    "reset": Reset(),
    "throttled": error("ThrottlingException"),
    "internal error": error("InternalServerError", 500),
    "conflict": cancelled("TransactionConflict"),
    "answered in part": Edit(_leave_one_key_unprocessed),
}
