"""P1-P4, P6, P8 hold in any interleaving of the services' store calls, with crashes, lost replies and retries."""

import os
import secrets

import pytest

from tests.history.interleavings.run import run
from tests.history.planted import BUGS, planted
from tests.support.proof.size import size

MAX_EXAMPLES = 4000  # no planted bug has needed a quarter of them

# Finding these takes hundreds of examples, so only `make proof` looks for them. `test_redeem.py` and
# `test_revoke_and_replace.py` have the shortest of these histories.
RARE = {
    "clock read before the last store read",
    "use restored to a link that has changed",
    "redeem without the receipt's condition",
    "booking of an equal request instead of the own",
    "refusal without a second look for the receipt",
    "replacement created again after its deletion",
    "deleted old link hides its replacement",
}
BUGS_TO_FIND = [name for name in BUGS if size(0, 1) or name not in RARE]

# Seeds that find a bug within a dozen examples, or a few dozen, where seed 0 needs more. If a change of the code makes
# a seed worse, the bug is still found, but later. `make proof` uses the same seeds for all bugs.
QUICK_SEEDS = {
    "redeem without the link's condition": 4,
    "redeem without the usage condition": 36,
    "cancel that does not free the cells": 3,
    "cells freed before the cancel commits": 27,
    "expiry compared with <= instead of <": 2,
    "notBefore ignored": 11,
    "revoke without a condition": 7,
    "successor written outside the redeem's transaction": 7,
    "rolling link renewed without the pointer's condition": 12,
    "use restored against the link's settings": 2,
    "use restored to a link that has changed": 2,
    "replaced link restored by a cancel": 18,
    "revoked link restored by a cancel": 15,
    "use restored during a revoke": 3,
    "restored uses not limited": 7,
    "invitee's moves not counted": 6,
    "booking rewritten without a condition": 3,
    "keyless receipt kept after a cancel": 8,
    "keyless retry confirmed after a move": 1,
    "keyless retry matched by start and email alone": 1,
    "keyless retry accepted after ten minutes": 5,
    "clock read before the last store read": 2,
    "generate retry that recreates a used link": 2,
    "link expired early": 1,
    "change that overwrites a concurrent change": 1,
    "replacement with outdated settings": 8,
    "identical concurrent moves refused": 1,
    "limit set below the uses so far": 10,
    "retry that reuses the first attempt's clock": 24,
    "booking id for each attempt": 2,
    "refusal without a look for the own booking": 3,
}


@pytest.mark.timeout(3600)
def test_every_interleaving_is_linearizable() -> None:
    # `make test` uses a fixed seed, so its result depends on the code alone; `make proof` draws a new one.
    start = int(os.environ.get("SEED") or size(0, secrets.randbits(32)))
    print(f"seed {start}")

    found = run(size(300, 30_000), start, shrink=True)

    assert found is None, f"seed {start}\n{found.report}"


@pytest.mark.parametrize("name", BUGS_TO_FIND)
def test_a_planted_bug_is_found(name: str) -> None:
    """Each planted bug is found from each seed, so the test above can fail."""
    bug = BUGS[name]
    for start in size([QUICK_SEEDS.get(name, 0)], [0, 1, 2]):
        with planted(bug):
            found = run(MAX_EXAMPLES, start, bug.verbs)

        assert found is not None, f"not found in {MAX_EXAMPLES} examples from seed {start}"
        print(f"seed {start}, example {found.example}, found by: {', '.join(found.checks)}")
