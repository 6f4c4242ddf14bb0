"""P1-P4, P6, P8 hold while requests to DynamoDB fail at random and processes are killed."""

import pytest

from infra.local.engines.dynoxide import Dynoxide
from tests.history.checker.event_audit import event_faults
from tests.history.sockets.chaos import inject_faults
from tests.history.sockets.clients import Recorder, make_workloads, run_workloads
from tests.history.sockets.streams import records_of
from tests.support.proof.harness import Apps, Stage, staged
from tests.support.proof.proxy import Proxy
from tests.support.proof.size import size

CALLS = 10
SKEWS = (0.0, 0.4, -0.3)  # seconds


def skews_of(stage: Stage) -> dict[str, float]:
    return {app.url: skew for app, skew in zip(stage.apps, SKEWS, strict=True)}


@pytest.mark.timeout(3600)
def test_histories_are_linearizable_while_an_app_process_is_killed(stage: Stage) -> None:
    """No booking is lost or duplicated, with faults, clock skew, and one of three app processes killed."""
    recorder = Recorder(skews_of(stage), may_repeat=True)
    workloads = make_workloads(stage, recorder, size(4, 60))
    with Proxy(stage.table.endpoint_url) as proxy:
        stage.point(proxy.url, skews=SKEWS)
        counts = inject_faults(proxy, stage.seed)

        def strike() -> None:
            recorder.wait_for(60)
            stage.apps[0].kill()

        wrong = run_workloads(stage, workloads, CALLS, strike)

    report(stage, recorder, counts)
    assert not wrong, "\n".join([f"seed {stage.seed}", *wrong])
    assert event_faults(records_of(stage.table), stage.dump()) == []
    assert sum(counts.values()) > 20, "too few faults were injected, so the test proves little"


@pytest.mark.timeout(3600)
def test_histories_are_linearizable_while_the_engine_is_killed(mortal_engine: Dynoxide, apps: Apps) -> None:
    """The same with dynoxide on disk, killed and restarted three times."""
    with staged(mortal_engine.endpoint_url, apps, stream=True) as stage:
        recorder = Recorder(skews_of(stage), may_repeat=True)
        workloads = make_workloads(stage, recorder, size(4, 60))
        with Proxy(stage.table.endpoint_url) as proxy:
            stage.point(proxy.url, skews=SKEWS)
            counts = inject_faults(proxy, stage.seed)

            def strike() -> None:
                for count in (50, 90, 130):
                    recorder.wait_for(count)
                    mortal_engine.kill()
                    mortal_engine.start()

            wrong = run_workloads(stage, workloads, CALLS, strike)

        report(stage, recorder, counts)
        assert not wrong, "\n".join([f"seed {stage.seed}", *wrong])
        assert event_faults(records_of(stage.table), stage.dump()) == []
        stage.point()


def report(stage: Stage, recorder: Recorder, counts: dict[str, int]) -> None:
    unknown = sum(not call.is_answered for call in recorder.calls)
    print(f"seed {stage.seed}: {len(recorder.calls)} calls, {unknown} without an answer; faults: {counts}")
