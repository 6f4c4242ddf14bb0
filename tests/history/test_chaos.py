"""P1-P4, P6, P8 hold while calls to DynamoDB fail at set rates and processes are killed."""

import pytest

from infra.local.engines.dynoxide import Dynoxide
from tests.history.checker.event_audit import event_faults
from tests.history.sockets.chaos import make_chaos
from tests.history.sockets.clients import Recorder, histories, rooms_of
from tests.history.sockets.streams import records_of
from tests.support.proof.harness import Apps, Stage, staged
from tests.support.proof.proxy import Proxy
from tests.support.proof.size import size

CALLS = 10
SKEWS = (0.0, 0.4, -0.3)  # seconds


def skews_of(stage: Stage) -> dict[str, float]:
    return {app.url: skew for app, skew in zip(stage.apps, SKEWS, strict=True)}


@pytest.mark.timeout(3600)
def test_chaos_and_an_app_that_dies(stage: Stage) -> None:
    """0 lost, 0 double, 0 orphan cells, 0 phantom events: faults, clocks apart, and one process of three killed."""
    recorder = Recorder(skews_of(stage), may_repeat=True)
    rooms = rooms_of(stage, recorder, size(4, 60))
    with Proxy(stage.table.endpoint_url) as proxy:
        stage.point(proxy.url, skews=SKEWS)
        counts = make_chaos(proxy, stage.seed)

        def strike() -> None:
            recorder.wait_for(60)
            stage.apps[0].kill()

        wrong = histories(stage, rooms, CALLS, strike)

    report(stage, recorder, counts)
    assert not wrong, "\n".join([f"seed {stage.seed}", *wrong])
    assert event_faults(records_of(stage.table), stage.dump()) == []
    assert sum(counts.values()) > 20, "nothing went wrong: this proved little"


@pytest.mark.timeout(3600)
def test_chaos_and_an_engine_that_dies(mortal_engine: Dynoxide, apps: Apps) -> None:
    """The same with dynoxide on disk, killed three times and started again on its file."""
    with staged(mortal_engine.endpoint_url, apps) as stage:
        recorder = Recorder(skews_of(stage), may_repeat=True)
        rooms = rooms_of(stage, recorder, size(4, 60))
        with Proxy(stage.table.endpoint_url) as proxy:
            stage.point(proxy.url, skews=SKEWS)
            counts = make_chaos(proxy, stage.seed)

            def strike() -> None:
                for count in (50, 90, 130):
                    recorder.wait_for(count)
                    mortal_engine.kill()
                    mortal_engine.start()

            wrong = histories(stage, rooms, CALLS, strike)

        report(stage, recorder, counts)
        assert not wrong, "\n".join([f"seed {stage.seed}", *wrong])
        assert event_faults(records_of(stage.table), stage.dump()) == []
        stage.point()


def report(stage: Stage, recorder: Recorder, counts: dict[str, int]) -> None:
    unknown = sum(not call.is_known for call in recorder.calls)
    print(f"seed {stage.seed}: {len(recorder.calls)} calls, the end of {unknown} is not known; {counts}")
