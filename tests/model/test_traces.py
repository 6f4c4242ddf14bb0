"""Recorded runs of the code are behaviors of the model, and some run of each planted bug is not (P1-P4, P8)."""

import os
import secrets
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import pytest

from chalicelib.domain.links import succession
from tests.history.planted import BUGS, Bug, Edit, planted
from tests.history.test_interleavings import QUICK_SEEDS
from tests.model import by_hand, report, tlc, trace_data, traces
from tests.model.traces import Trace
from tests.support.proof.size import size

pytestmark = tlc.needed

TRACES_PER_RUN = 500  # of TLC

# The model leaves out idempotency keys of generated links, so these bugs can't be seen in it.
NOT_IN_THE_MODEL = {"idempotency key accepted with another body", "generate that ignores its idempotency key"}

# Bugs of which one of the first traces is stuck, at least one for each promise of the model.
QUICK = (
    "redeem without the usage condition",
    "redeem that takes no cells",
    "expiry compared with <= instead of <",
    "redeem that ignores its receipt",
    "replaced link restored by a cancel",
    "keyless retry that returns the whole booking",
)
# Bugs that show only in an order of requests that is rarely generated, and which order in `by_hand.py`.
BY_HAND = {
    "booking id for each attempt": "own_booking",
    "refusal without a look for the own booking": "own_booking",
    "booking of an equal request instead of the own": "own_booking_before_a_receipt",
    "refusal without a second look for the receipt": "reads_in_parts",
    "replacement created again after its deletion": "deleted_before_retry",
    "deleted old link hides its replacement": "deleted_before_retry",
    "second replacement that does not restore uses": "replace_twice",
}
# Histories can't see the last one.
ALL_BUGS: Mapping[str, Bug] = {
    **BUGS,
    "second replacement that does not restore uses": Bug(
        (Edit(succession.fresh_link, "if old.restore_passed_on:", "if False:"),)
    ),
}
# Seeds with which a bug shows within few examples: those of the histories, except for some.
SEEDS = {
    **QUICK_SEEDS,
    "keyless retry accepted after ten minutes": 0,
    "redeem without the usage condition": 5,
    "replacement with outdated settings": 1,
    "restored uses not limited": 4,
    "revoked link restored by a cancel": 4,
    "retry that reuses the first attempt's clock": 0,
}
EXAMPLES = size(8, 40)
MORE_EXAMPLES = {"keyless retry accepted after ten minutes": 60}  # this bug shows later
GENERATED: Sequence[str] = size(QUICK, [name for name in BUGS if name not in {*NOT_IN_THE_MODEL, *BY_HAND}])
BUGS_TO_FIND = (*GENERATED, *BY_HAND)

# What the model's calls can do, except for TTL, of which traces have nothing. A failed request of a
# call is "again", if the call then starts another attempt.
_WRITE = ("commit", "lost", "refused")
EVENTS: Mapping[str, Sequence[str]] = {
    "redeem": ("read both", "read link", "read receipt", "read booking", "read else", "again", *_WRITE),
    "cancel": ("read booking", "read link", "read else", "again", *_WRITE),
    "move": ("read booking", "read link", "read day", "read else", "again", *_WRITE),
    "revoke": ("read link", "again", *_WRITE),
    "delete": ("read link", "again", *_WRITE),
    "change": ("read link", "again", *_WRITE),
    "replace": ("read link", "read pointer", "read created", "read history", "read else", "again", *_WRITE),
    "renew": ("read link", "read pointer", "read created", "read history", "read else", "again", *_WRITE),
    "no call": ("time", "generate", "expire"),
}


class Group(NamedTuple):
    """Traces of the code, or of the code with a planted bug, and those of them that are stuck."""

    traces: Sequence[Trace]
    stuck: list[Trace]


@pytest.fixture(scope="module")
def start() -> int:
    """Return the seed. `make test` uses a fixed seed, so its result depends only on the code."""
    return int(os.environ.get("SEED") or size(0, secrets.randbits(32)))


@pytest.fixture(scope="module")
def groups(start: int) -> Mapping[str, Group]:
    """Return the traces of the code and of each bug. TLC gets many at once, because each start of it takes seconds.

    "control of" a bug has traces of the code with the seed and the calls of the bug.
    """
    found = {
        "by hand": Group(by_hand.record(), []),
        "generated": Group(traces.record(size(50, 1000), start), []),
    }
    for name, order in BY_HAND.items():
        with planted(ALL_BUGS[name]):
            found[name] = Group(by_hand.record_orders(order), [])
    for name in GENERATED:
        arguments = (MORE_EXAMPLES.get(name, EXAMPLES), SEEDS.get(name, 0), BUGS[name].verbs)
        found[f"control of {name}"] = Group(traces.record(*arguments), [])
        with planted(BUGS[name]):
            found[name] = Group(traces.record(*arguments), [])
    pairs = [(group, trace) for group in found.values() for trace in group.traces]
    for first in range(0, len(pairs), TRACES_PER_RUN):
        chunk = pairs[first : first + TRACES_PER_RUN]
        for position in trace_data.stuck([trace for _, trace in chunk]):
            group, trace = chunk[position]
            group.stuck.append(trace)
    report.write(
        "4-traces",
        "Traces of the code",
        ("traces", "number", "events", "stuck"),
        [
            (name, len(group.traces), sum(len(trace.events) for trace in group.traces), len(group.stuck))
            for name, group in found.items()
        ],
    )
    return found


@pytest.mark.timeout(7200)
@pytest.mark.parametrize("name", ["by hand", "generated"])
def test_a_trace_of_the_code_is_a_behavior_of_the_model(
    name: str, groups: Mapping[str, Group], start: int
) -> None:
    assert len(groups[name].traces) > 20
    _assert_none_is_stuck(groups[name], start)


def test_traces_by_hand_contain_each_event_of_each_call(groups: Mapping[str, Group]) -> None:
    """Each event that the model has is compared with the code, and the table of `make model` shows how often."""
    counted = _events(groups["by hand"].traces)
    generated = _events(groups["generated"].traces)
    report.write(
        "5-events",
        "How often each event is in the traces of the code",
        ("call", "event", "by hand", "generated"),
        [(*pair, counted[pair], generated[pair]) for pair in sorted(counted | generated)],
    )
    expected = {(verb, event) for verb, events in EVENTS.items() for event in events}
    assert sorted(expected - counted.keys()) == [], "no trace by hand has these events"
    assert sorted((counted | generated).keys() - expected) == [], "these events are not in EVENTS"


@pytest.mark.parametrize("name", BUGS_TO_FIND)
def test_a_trace_of_a_planted_bug_is_stuck(name: str, groups: Mapping[str, Group], start: int) -> None:
    """The traces of the same calls without the bug are not stuck, and the bug does not show as an internal error."""
    control = "by hand" if name in BY_HAND else f"control of {name}"
    _assert_none_is_stuck(groups[control], start)
    answers = [
        event["answer"] for trace in groups[name].traces for event in trace.events if event.get("answer")
    ]
    assert [answer for answer in answers if answer["code"] == "error"] == []
    assert groups[name].stuck, "no trace is stuck: the model allows the bug, or the traces don't reach it"


def _assert_none_is_stuck(group: Group, start: int) -> None:
    assert not group.stuck, f"SEED={start}\n{trace_data.explain(group.stuck[0])}"


def _events(some: Iterable[Trace]) -> Counter[tuple[str, str]]:
    counted = Counter[tuple[str, str]]()
    for trace in some:
        for event in trace.events:
            worker = event.get("worker")
            verb = trace.calls[worker - 1]["verb"] if worker else "no call"
            counted[verb, f"read {event['what']}" if event["kind"] == "read" else event["kind"]] += 1
    return counted
