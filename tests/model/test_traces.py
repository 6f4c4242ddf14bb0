"""Whatever the code does is a behavior of the model (P1-P4, P8), and what a planted bug does is not."""

import os
import secrets
from collections.abc import Mapping, Sequence

import pytest

from tests.history.planted import BUGS, planted
from tests.history.test_interleavings import QUICK_SEEDS
from tests.model import report, tlc, trace_data, traces
from tests.model.traces import Trace
from tests.support.proof.size import size

pytestmark = tlc.needed

AT_ONCE = 250  # traces in one run of TLC

# The model leaves out the keys of generated links.
OUTSIDE = {"idempotency key accepted with another body", "generate that ignores its idempotency key"}

# Bugs whose first examples already are no behaviors of the model.
QUICK = (
    "redeem without the usage condition",
    "redeem that takes no cells",
    "expiry compared with <= instead of <",
    "redeem that ignores its receipt",
    "replaced link restored by a cancel",
    "keyless retry that returns the whole booking",
)
# Seeds that find a bug within few examples, and how many: those of the histories, except for one.
SEEDS = {**QUICK_SEEDS, "keyless retry accepted after ten minutes": 0}
EXAMPLES = size(8, 40)
MORE_EXAMPLES = {"keyless retry accepted after ten minutes": 60}
BUGS_TO_FIND: Sequence[str] = size(QUICK, [name for name in BUGS if name not in OUTSIDE])


@pytest.fixture(scope="module")
def start() -> int:
    """The seed. `make test` uses a fixed one, so its result depends on the code alone."""
    return int(os.environ.get("SEED") or size(0, secrets.randbits(32)))


@pytest.fixture(scope="module")
def recorded(start: int) -> Mapping[str, list[Trace]]:
    """Traces of the code (""), and of the code with each bug."""
    found = {"": traces.record(size(50, 1000), start)}
    for name in BUGS_TO_FIND:
        with planted(BUGS[name]):
            found[name] = traces.record(
                MORE_EXAMPLES.get(name, EXAMPLES), SEEDS.get(name, 0), BUGS[name].verbs
            )
    return found


@pytest.fixture(scope="module")
def stuck(recorded: Mapping[str, list[Trace]]) -> Mapping[str, list[Trace]]:
    """Those traces that the model could not follow, of the code and of each bug. TLC starts as rarely as possible."""
    pairs = [(name, trace) for name, some in recorded.items() for trace in some]
    found: dict[str, list[Trace]] = {name: [] for name in recorded}
    for at in range(0, len(pairs), AT_ONCE):
        chunk = pairs[at : at + AT_ONCE]
        for place in trace_data.stuck([trace for _, trace in chunk]):
            name, trace = chunk[place]
            found[name].append(trace)
    report.write(
        "4-traces",
        "Traces of the code, followed by the model",
        ("code", "traces", "requests", "not behaviors of the model"),
        [
            (name or "as it is", len(some), sum(len(trace.events) for trace in some), len(found[name]))
            for name, some in recorded.items()
        ],
    )
    return found


@pytest.mark.timeout(7200)
def test_what_the_code_does_is_a_behavior_of_the_model(
    recorded: Mapping[str, list[Trace]], stuck: Mapping[str, list[Trace]], start: int
) -> None:
    assert len(recorded[""]) > 20
    assert not stuck[""], f"seed {start}\n{trace_data.explain(stuck[''][0])}"


@pytest.mark.parametrize("name", BUGS_TO_FIND)
def test_what_a_planted_bug_does_is_not(name: str, stuck: Mapping[str, list[Trace]]) -> None:
    assert stuck[name], "the model could follow every trace of this bug"
