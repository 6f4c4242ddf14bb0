"""P1-P4, P6, P8 hold in any interleaving of the services' store calls, with crashes, lost replies and retries."""

import os
import secrets

import pytest

from tests.history.interleavings.run import run
from tests.history.planted import BUGS, Bug, planted
from tests.support.proof.size import size

MAX_EXAMPLES = 4000  # no planted bug has needed a quarter of them

# Finding these takes about five hundred examples, so only `make proof` looks for them.
RARE = {
    "redeem without the receipt's condition",
    "successor written outside the redeem's transaction",
    "replacement with outdated settings",
}
BUGS_TO_FIND = {name: bug for name, bug in BUGS.items() if size(0, 1) or name not in RARE}


@pytest.mark.timeout(3600)
def test_every_interleaving_is_linearizable() -> None:
    # `make test` uses a fixed seed, so its result depends on the code alone; `make proof` draws a new one.
    start = int(os.environ.get("SEED") or size(0, secrets.randbits(32)))
    print(f"seed {start}")

    found = run(size(300, 30_000), start, shrink=True)

    assert found is None, f"seed {start}\n{found.report}"


@pytest.mark.parametrize("bug", BUGS_TO_FIND.values(), ids=BUGS_TO_FIND)
def test_a_planted_bug_is_found(bug: Bug) -> None:
    """Each planted bug is found from each seed, so the test above can fail."""
    for start in range(size(1, 3)):
        with planted(bug):
            found = run(MAX_EXAMPLES, start, bug.verbs)

        assert found is not None, f"not found in {MAX_EXAMPLES} examples from seed {start}"
        print(f"seed {start}, example {found.example}, found by: {', '.join(found.checks)}")
