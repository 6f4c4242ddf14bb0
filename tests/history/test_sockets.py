"""P1-P4, P8: with several app processes, many clients and real engines, all answers can be put in order."""

import pytest

from infra.local.engines.ministack import Ministack
from tests.history.checker.event_audit import event_faults
from tests.history.planted import BUGS
from tests.history.sockets.clients import Recorder, histories, rooms_of
from tests.history.sockets.streams import records_of
from tests.support.proof.harness import Apps, Stage, staged
from tests.support.proof.size import size

CALLS = 12

# Those that show on sockets within moments. All of them are found by the stepped machine; `make proof` tries all here.
SEEN_SOON = (
    "the replay by receipt dropped",
    "the cells taken without a condition",
    "the keyless receipt kept after a cancel",
    "a generate that makes a used link anew",
    "a key that serves another body too",
    "expired before its time",
)
NOT_ON_SOCKETS = (
    "the expiry compared with <=",  # to the millisecond, which sockets do not meet
    "the cells freed before the cancel is committed",  # needs a crash or a conflict between the two
    "the successor made outside the transaction",  # needs something to stop between the two: not met in 60 rounds
    "the receipt's condition dropped",  # needs two requests under one key within a moment: not met in 60 rounds
    "a retry without a fresh now",  # needs a conflict, and an expiry before the retry
    "expired whatever became of it meanwhile",  # needs a revoke between the schedule's look and its mark
)


@pytest.mark.timeout(3600)
def test_every_history_has_an_explanation(stage: Stage) -> None:
    """P1-P4, P8: and what is stored at the end is what they were told; and the events tell just that (P6)."""
    recorder = Recorder()

    wrong = histories(stage, rooms_of(stage, recorder, size(8, 200)), CALLS)

    codes = sorted({call.code for call in recorder.calls})
    print(f"{len(recorder.calls)} calls: {', '.join(codes)}")
    assert not wrong, "\n".join([f"seed {stage.seed}", *wrong])
    assert event_faults(records_of(stage.table), stage.dump()) == []
    assert {"201", "409 slot-taken", "410 link-used", "410 link-revoked"} <= set(codes), "this proved little"


@pytest.mark.timeout(1200)
@pytest.mark.parametrize(
    "bug", SEEN_SOON if size(0, 1) == 0 else [name for name in BUGS if name not in NOT_ON_SOCKETS]
)
def test_a_planted_bug_is_found_on_sockets(ministack: Ministack, apps: Apps, bug: str) -> None:
    """The same clients, app and engine, with one thing wrong: it has to be seen within so many rooms."""
    for attempt in range(1, size(10, 60) + 1):
        with staged(ministack.endpoint_url, apps) as stage:
            stage.point(bug=bug)
            try:
                wrong = histories(stage, rooms_of(stage, Recorder(), 4, BUGS[bug].verbs), CALLS)
            finally:
                stage.point()
        if wrong:
            print(f"found in round {attempt}, seed {stage.seed}: {wrong[0][:3000]}")
            return
    pytest.fail("not found")
