"""P1-P4, P8: histories of many clients, several app processes and real engines are linearizable."""

import pytest

from infra.local.engines.engine import Engine
from tests.history.checker.event_audit import event_faults
from tests.history.planted import BUGS
from tests.history.sockets.clients import Recorder, make_workloads, run_workloads
from tests.history.sockets.streams import records_of
from tests.support.proof.harness import Apps, Stage, staged
from tests.support.proof.size import size

CALLS = 12

# Sockets find these within moments. `test_interleavings.py` finds all bugs; `make proof` also tries all of them here.
FOUND_QUICKLY = (
    "redeem that ignores its receipt",
    "cells taken without a condition",
    "keyless receipt kept after a cancel",
    "generate retry that recreates a used link",
    "idempotency key accepted with another body",
    "link expired early",
)
NOT_REACHED_ON_SOCKETS = (
    "expiry compared with <= instead of <",  # needs a request in one exact millisecond
    "cells freed before the cancel commits",  # needs a crash or a conflict between the two writes
    "successor written outside the redeem's transaction",  # needs a pause between two writes: none in 60 rounds
    "redeem without the receipt's condition",  # needs two requests with one key at once: none in 60 rounds
    "retry that reuses the first attempt's clock",  # needs a conflict, and an expiry before the retry
    "expiry that overwrites another final status",  # needs a revoke between the schedule's read and its write
    # These need a lost reply, and before the retry a change by a host who has found the booking or link in the table.
    "booking id for each attempt",
    "refusal without a look for the own booking",
    "booking of an equal request instead of the own",
    "replacement created again after its deletion",
    "deleted old link hides its replacement",
    "refusal without a second look for the receipt",  # needs another commit between the reads of receipt and link
)


@pytest.mark.timeout(3600)
def test_every_history_is_linearizable(stage: Stage) -> None:
    """P1-P4, P8, P6: the history includes the table's final state, which also agrees with the events."""
    recorder = Recorder()

    wrong = run_workloads(stage, make_workloads(stage, recorder, size(8, 200)), CALLS)

    codes = sorted({call.code for call in recorder.calls})
    print(f"{len(recorder.calls)} calls: {', '.join(codes)}")
    assert not wrong, "\n".join([f"seed {stage.seed}", *wrong])
    assert event_faults(records_of(stage.table), stage.dump()) == []
    assert {"201", "409 slot-taken", "410 link-used", "410 link-revoked"} <= set(codes), (
        "too few kinds of results"
    )


@pytest.mark.timeout(1200)
@pytest.mark.parametrize(
    "bug", FOUND_QUICKLY if size(0, 1) == 0 else [name for name in BUGS if name not in NOT_REACHED_ON_SOCKETS]
)
def test_a_planted_bug_is_found_on_sockets(quick_engine: Engine, apps: Apps, bug: str) -> None:
    """A bug planted in all app processes is found within a limited number of rounds."""
    for attempt in range(1, size(20, 60) + 1):
        with staged(quick_engine.endpoint_url, apps) as stage:
            stage.point(bug=bug)
            try:
                wrong = run_workloads(
                    stage, make_workloads(stage, Recorder(), size(2, 4), BUGS[bug].verbs), CALLS
                )
            finally:
                stage.point()
        if wrong:
            print(f"found in round {attempt}, seed {stage.seed}: {wrong[0][:3000]}")
            return
    pytest.fail("not found")
