"""The steps of `make restore` on an account in memory: killed at every call, and waiting for every event (P1)."""

import csv
import json
import os
import re
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError
from botocore.loaders import Loader

from chalicelib.domain.restore_steps import RevokedLink, RevokeReason
from infra.package.build import Package
from infra.paths import FRAGMENTS
from infra.restore import applied, progress, replay, restore, revoked_list, steps
from infra.restore.applied import sent_messages
from infra.restore.restore import Plan, Restored
from infra.stack import stage as stage_file
from infra.stack.account import Account, DeployError
from infra.stack.clock import Clock
from infra.stack.stage import CLOSINGS, Closed, Stage, read_stage
from tests.infra.restore.cloud import BEGIN, KEYS, MOMENT, OWN_ARN, OWN_TABLE, Cloud, Killed

BERLIN = timezone(timedelta(hours=1))  # botocore returns times in the time zone of the machine
PACKAGE: Any = Package
SAVE = stage_file.save_stage


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the stage's file and the lists of revoked links in a folder of the test."""
    monkeypatch.setattr(stage_file, "STAGES", tmp_path / "stages")
    monkeypatch.setattr(revoked_list, "RESTORES", tmp_path / "restores")
    monkeypatch.setattr(os, "fsync", lambda _: None)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Restored]:
    """Run the command on an account in memory."""

    def run(cloud: Cloud, said: list[str] | None = None, **plan: Any) -> Restored:
        def save(stage: Stage, *, closed: Closed) -> None:
            cloud.call(lambda: SAVE(stage, closed=closed))

        monkeypatch.setattr(progress, "save_stage", save)
        answers = {
            "stack_outputs": cloud.outputs, "read_stack": cloud.read_stack, "deploy": cloud.deploy,
            "copy_all_revocations": cloud.copy_revocations, "revocation_sources": lambda *_: [],
            "find_gaps": lambda *_: cloud.gaps, "complete_table": lambda *_: cloud.call(lambda: None),
        }  # fmt: skip
        for name, answer in answers.items():
            monkeypatch.setattr(restore, name, answer)
        say = (said if said is not None else []).append
        stage = read_stage("prod")
        return restore.restore(
            cloud.account, stage, PACKAGE, Plan(**{"moment": None, **plan}), say, cloud.clock
        )

    return run


def _saved() -> dict[str, Any]:
    document: dict[str, Any] = json.loads((stage_file.STAGES / "prod.json").read_text())
    return document


def _check_restored(cloud: Cloud, restored: Restored) -> None:
    [copy] = [name for name in cloud.tables if "-restored-" in name]
    assert (restored.table, cloud.table, cloud.closed) == (copy, copy, "no")
    assert cloud.opened_with, "bookings open"
    assert {0, 1} == set.intersection(*cloud.opened_with), "bookings open after every event"
    assert cloud.revoked == {0, 1, 2}
    assert copy in cloud.revocations_copied
    assert [name for name, one in cloud.replays.items() if one["State"] != "COMPLETED"] == []
    closed = "".join(f"{table == copy}:{state} " for table, state in cloud.history)
    expected = "(False:yes )*(False:all )+(True:all )+(True:no )+"
    assert re.fullmatch(expected, closed), "the restored table is never open before the end"
    cursors = [step.get("cursor") or "" for step in cloud.steps if step["step"] == "revoke"]
    assert cursors == sorted(cursors), "a step continues from its cursor"
    assert _saved() == {"parameters": {}, "table": copy, "signingSecret": KEYS}
    with restored.listed.open() as file:
        assert [row["linkId"] for row in csv.DictReader(file)] == ["l0", "l1", "l2"]


def test_a_restore_that_is_killed_at_any_call_continues(run: Callable[..., Restored]) -> None:
    """P1: killed before each call, and run again without TO: the same end, one table, one replay."""
    undisturbed = Cloud()
    _check_restored(undisturbed, run(undisturbed, moment=MOMENT))
    assert len(undisturbed.replays) == 1
    assert undisturbed.calls > 30
    for kill_at in range(undisturbed.calls):
        (stage_file.STAGES / "prod.json").unlink(missing_ok=True)
        cloud = Cloud(kill_at=kill_at)
        with pytest.raises(Killed):
            run(cloud, moment=MOMENT)
        cloud.advance(60)
        begun = (stage_file.STAGES / "prod.json").exists()
        restored = run(cloud, moment=None if begun else MOMENT)
        _check_restored(cloud, restored)
        assert len(cloud.replays) == 1, f"killed at {kill_at}"


def test_a_restore_waits_from_the_closing_and_not_from_each_start(run: Callable[..., Restored]) -> None:
    """A command that is started again within the ten minutes waits for the rest only."""
    cloud = Cloud()
    run(cloud, moment=MOMENT)
    whole = cloud.moment - BEGIN
    (stage_file.STAGES / "prod.json").unlink()
    cloud = Cloud()
    advance, waited = cloud.advance, []

    def killed(seconds: float) -> None:
        waited.append(seconds)
        advance(min(seconds, 400.0))
        if len(waited) == 1:
            raise Killed

    cloud.advance = killed  # type: ignore[method-assign]
    with pytest.raises(Killed):
        run(cloud, moment=MOMENT)
    cloud.advance = advance  # type: ignore[method-assign]
    run(cloud)
    assert cloud.moment - BEGIN == whole


def test_bookings_that_somebody_opened_are_closed_and_settled_again(run: Callable[..., Restored]) -> None:
    """P1: a booking made in between must be in the replayed window."""
    cloud = Cloud()
    while not cloud.archived:  # until it is killed between the marker and its note in the file
        (stage_file.STAGES / "prod.json").unlink(missing_ok=True)
        cloud = Cloud(kill_at=cloud.calls + 1)
        with pytest.raises(Killed):
            run(cloud, moment=MOMENT)
    cloud.closed = "no"  # OPEN=yes
    cloud.advance(86_400)
    opened = cloud.moment
    _check_restored(cloud, run(cloud))
    [done] = cloud.replays.values()
    assert done["EventEndTime"] >= opened + timedelta(minutes=20), "both waits of ten minutes"


@pytest.mark.parametrize(
    ("changes", "plan", "words"),
    [
        ({"metrics": lambda _: 4}, {}, "4 events were sent, 3 applied"),
        ({"lost": {1}}, {}, "3 events were sent, 2 applied"),
        ({"metrics": lambda _: None}, {}, "COUNT=skip"),
        ({"lost": {1}, "metrics": lambda cloud: cloud.sent_before(minutes=14)}, {}, "3 events were sent, 2 applied"),
        (
            {"arrivals": (0.0, 299.0), "lost": {1}, "metrics": lambda cloud: cloud.sent_before(minutes=4)},
            {}, "3 events were sent, 2 applied",
        ),
        ({"metrics": lambda _: 0}, {}, "COUNT=skip"),
        ({"poison": {1}}, {}, "could not be applied: 1, in .*GAP=revoke"),
        ({"arrivals": (0.0, 90.0), "metrics": lambda _: 1}, {}, None),
        ({"arrivals": (0.0, 299.0), "metrics": lambda _: 1}, {}, None),
        ({"arrivals": (0.0, 299.0 + 90.0), "metrics": lambda _: 1}, {}, None),
        ({"metrics": lambda cloud: cloud.sent_before(minutes=14)}, {}, None),
        ({"metrics": lambda _: 1}, {}, None),
        ({"metrics": lambda _: 0}, {"skip_count": True}, None),
        ({"metrics": lambda _: None}, {"skip_count": True}, None),
        ({"metrics": lambda _: 4}, {"skip_count": True}, "4 events were sent, 3 applied"),
    ],
    ids=[
        "metric higher", "event lost", "no metric", "event lost, metric 14 min late",
        "event lost, half of the metric late",
        "metric of zero", "dead letter",
        "an event 90 s late", "an event 5 min late", "a late event that SQS counts late", "metric 14 min late",
        "metric too low", "COUNT=skip with a metric of zero", "COUNT=skip", "COUNT=skip with a metric",
    ],
)  # fmt: skip
def test_bookings_open_only_when_every_condition_holds(
    run: Callable[..., Restored], changes: dict[str, Any], plan: dict[str, Any], words: str | None
) -> None:
    """P1: each case of AWS's counts; a restore that stops stays closed, and its next run replays again if needed."""
    cloud = Cloud(**changes)
    if words is None:
        _check_restored(cloud, run(cloud, moment=MOMENT, **plan))
        return
    with pytest.raises(DeployError, match=words) as stopped:
        run(cloud, moment=MOMENT, **plan)
    assert "Bookings stay closed" in str(stopped.value)
    assert cloud.closed == "all"
    with pytest.raises(DeployError, match=words):
        run(cloud, **plan)  # messages of the first replay don't count for the second
    assert cloud.opened_with == []
    cloud.lost, cloud.poison, cloud.dead = set(), set(), 0
    cloud.metrics = Cloud.metrics
    _check_restored(cloud, run(cloud))


def test_a_restore_without_its_marker_replays_again(run: Callable[..., Restored]) -> None:
    """P1: counts of zero prove nothing if the marker's minute was not replayed."""
    cloud = Cloud(put_reply={"FailedEntryCount": 0})  # and archived too late
    with pytest.raises(DeployError, match="marker was not received within 30 minutes"):
        run(cloud, moment=MOMENT)
    assert cloud.opened_with == []
    [first] = cloud.replays.values()
    detail = json.dumps({"run": cloud.table, "id": read_stage("prod").restore.marker.isoformat()})  # type: ignore[union-attr]
    cloud.archived.append({"Time": first["EventEndTime"], "Detail": detail})
    _check_restored(cloud, run(cloud))
    assert len({one["EventEndTime"] for one in cloud.replays.values()}) == 1, (
        "its own writes are not replayed"
    )


def test_a_refused_marker_stops_the_restore(run: Callable[..., Restored]) -> None:
    """The message has the bus's reason."""
    refused = {"FailedEntryCount": 1, "Entries": [{"ErrorMessage": "the bus is busy."}]}
    cloud = Cloud(put_reply=refused)
    with pytest.raises(DeployError, match="did not accept the restore's marker: the bus is busy"):
        run(cloud, moment=MOMENT)


@pytest.mark.parametrize(
    ("cause", "number_of_replays"), [("another replay", 2), ("GAP=revoke", 1), ("a late event", 1)]
)
def test_links_are_revoked_from_the_start_if_the_applied_events_change(
    run: Callable[..., Restored], cause: str, number_of_replays: int
) -> None:
    """P1: a restore that was killed while it revoked links applies another event, or must now revoke every link."""
    cloud = Cloud()
    reply = cloud._reply

    def killed(step: dict[str, Any]) -> dict[str, Any]:
        if step["step"] == "revoke" and step.get("cursor"):
            raise Killed
        return reply(step)

    cloud._reply = killed  # type: ignore[method-assign]
    with pytest.raises(Killed):
        run(cloud, moment=MOMENT)
    assert cloud.revoked == {0}
    cloud._reply = reply  # type: ignore[method-assign]
    cloud.steps.clear()
    if cause == "a late event":
        cloud._arriving.append((cloud.moment, 1))
    else:
        cloud.metrics = lambda _: 99
    if cause == "another replay":
        with pytest.raises(DeployError, match="99 events were sent, 3 applied"):
            run(cloud)
        cloud.metrics = Cloud.metrics
    restored = run(cloud, accept_gap=cause == "GAP=revoke")
    steps = [step for step in cloud.steps if step["step"] == "revoke"]
    assert [step.get("cursor") for step in steps] == [None, "1", "2"]
    assert {step["everything"] for step in steps} == {cause == "GAP=revoke"}
    assert (cloud.closed, cloud.revoked, restored.links) == ("no", {0, 1, 2}, 30)
    assert len(cloud.replays) == number_of_replays


def test_a_restore_ends_although_an_event_can_never_be_applied(run: Callable[..., Restored]) -> None:
    """P1: each replay dead-letters it again. With GAP=revoke, the restore continues and revokes every link.

    EventBridge itself may dead-letter an event, which is then in no count of RestoreQueue.
    """
    cloud = Cloud(poison={1}, metrics=lambda _: 2)
    for plan in ({"moment": MOMENT}, {}, {}):
        with pytest.raises(DeployError, match="could not be applied: 1,"):
            run(cloud, **plan)
        cloud.dead = 0  # somebody deletes it
        cloud.advance(60)
    assert len(cloud.replays) == 3
    said: list[str] = []
    run(cloud, said, accept_gap=True)
    assert any("could not be applied and stay in RestoreDlq: 1." in line for line in said)
    assert cloud.opened_with == [{0}]
    assert {step["everything"] for step in cloud.steps if step["step"] == "revoke"} == {True}


def test_an_archive_that_is_gone_before_the_replay_keeps_bookings_closed(
    run: Callable[..., Restored],
) -> None:
    """P1: the checks before the swap found no gap."""
    cloud = Cloud(fates=["FAILED"])
    with pytest.raises(DeployError, match="ended as FAILED"):
        run(cloud, moment=MOMENT)
    cloud._arriving.append(
        (cloud.moment + timedelta(seconds=299), 0)
    )  # EventBridge still retries to deliver it
    cloud.archive.clear()
    with pytest.raises(DeployError, match="The archive ours is missing, so no event can be replayed"):
        run(cloud)
    assert cloud.opened_with == []
    run(cloud, accept_gap=True)
    assert {step["everything"] for step in cloud.steps if step["step"] == "revoke"} == {True}
    assert cloud.opened_with == [{0}], "no event is applied after the links are revoked"


@pytest.mark.parametrize(
    "changes",
    [
        {"metrics": lambda _: 4},
        {"metrics": lambda _: None},
        {"put_reply": {"FailedEntryCount": 0}},  # the marker is lost
    ],
)
def test_with_gap_revoke_missing_events_revoke_every_link(
    run: Callable[..., Restored], changes: dict[str, Any]
) -> None:
    """P1: any link may have been used, so the restore continues and leaves none active."""
    cloud = Cloud(**changes)
    run(cloud, moment=MOMENT, accept_gap=True)
    assert cloud.closed == "no"
    assert {step["everything"] for step in cloud.steps if step["step"] == "revoke"} == {True}


def test_a_failed_replay_is_followed_by_another_of_the_same_window(run: Callable[..., Restored]) -> None:
    """P1: a resumed restore neither keeps the failed replay nor replays its own writes."""
    cloud = Cloud(fates=["FAILED", "CANCELLED"])
    with pytest.raises(DeployError, match="ended as FAILED"):
        run(cloud, moment=MOMENT)
    cloud.advance(3600)
    with pytest.raises(DeployError, match="ended as CANCELLED"):
        run(cloud)
    cloud.advance(3600)
    run(cloud)
    assert len(cloud.replays) == 3
    assert len({(one["EventStartTime"], one["EventEndTime"]) for one in cloud.replays.values()}) == 1
    assert cloud.closed == "no"


@pytest.mark.parametrize(
    "failure",
    [
        ReadTimeoutError(endpoint_url="https://lambda"),
        ConnectionClosedError(endpoint_url="https://lambda"),
        ClientError({"Error": {"Code": "TooManyRequestsException", "Message": "m"}}, "Invoke"),
        {"errorType": "Sandbox.Timedout", "errorMessage": "Task timed out after 60.00 seconds"},
    ],
)
def test_a_step_without_a_reply_is_sent_once_more_when_the_first_has_ended(
    failure: Exception | dict[str, Any],
) -> None:
    """P1: with the same cursor, and never two at once: a call without a reply may run until its timeout."""
    cloud = Cloud(replies=[None, failure])
    waited: list[float] = []
    clock = Clock(wait=waited.append)
    replies = steps.revoke_links(
        cloud.account, cloud.outputs(), cloud.table, everything=False, cursor=None, clock=clock
    )
    assert len(list(replies)) == 3
    assert [step.get("cursor") for step in cloud.steps] == [None, "1", "1", "2"]
    is_unknown = isinstance(failure, ReadTimeoutError | ConnectionClosedError)
    assert waited == [steps.FUNCTION_SECONDS if is_unknown else steps.PAUSE_SECONDS]
    assert steps._CONFIG.retries["total_max_attempts"] == 1  # type: ignore[attr-defined]
    assert steps._CONFIG.read_timeout > steps.FUNCTION_SECONDS  # type: ignore[attr-defined]


def test_a_function_that_never_replies_or_refuses_stops_the_restore() -> None:
    """A step is sent six times at most; a step for another table only once."""
    timed_out = {"errorType": "Sandbox.Timedout", "errorMessage": "Task timed out"}
    cloud = Cloud(replies=[timed_out] * 9)
    with pytest.raises(
        DeployError, match=r"has not replied in 6 attempts: Sandbox\.Timedout: Task timed out"
    ):
        steps.count_messages(cloud.account, cloud.outputs(), cloud.table, clock=cloud.clock)
    assert len(cloud.steps) == 6
    cloud = Cloud(replies=[{"errorType": "OtherTableError", "errorMessage": "deploy the stage"}])
    with pytest.raises(DeployError, match="deploy the stage"):
        steps.count_messages(cloud.account, cloud.outputs(), cloud.table, clock=cloud.clock)
    assert len(cloud.steps) == 1


def test_only_the_restore_that_was_begun_continues(run: Callable[..., Restored]) -> None:
    """Another moment or table would leave links active that were used in between."""
    with pytest.raises(DeployError, match="has no restore to continue"):
        run(Cloud())
    with pytest.raises(DeployError, match="no table nowhere"):
        run(Cloud(), moment=MOMENT, table="nowhere")
    cloud = Cloud(fates=["FAILED"])
    with pytest.raises(DeployError, match="ended as FAILED"):
        run(cloud, moment=MOMENT)
    for plan in ({"moment": MOMENT + timedelta(hours=1)}, {"table": "another"}):
        with pytest.raises(DeployError, match="A restore of prod to 2026-11-21 10:00:00 UTC has not ended"):
            run(cloud, **plan)
    cloud.advance(60)
    assert run(cloud, moment=MOMENT).moment == MOMENT


def _killed(run: Callable[..., Restored], after: str = "replays", **changes: Any) -> Cloud:
    """Return an account whose restore was killed after it had put its marker (`archived`), or started its replay.

    `changes` are of the account; with its gaps, the restore accepts them.
    """
    cloud = Cloud(**changes)
    while not getattr(cloud, after):
        (stage_file.STAGES / "prod.json").unlink(missing_ok=True)
        cloud = Cloud(kill_at=cloud.calls + 1, **changes)
        with pytest.raises(Killed):
            run(cloud, moment=MOMENT, accept_gap=bool(cloud.gaps))
    return cloud


@pytest.mark.parametrize("closed", CLOSINGS)
@pytest.mark.parametrize("given", CLOSINGS)
def test_a_restore_begins_only_on_a_stage_that_is_no_more_closed_than_its_file_says(
    run: Callable[..., Restored], closed: Closed, given: Closed
) -> None:
    """P1: another restore may be running, and this checkout doesn't have its file. What is closed stays closed."""
    stage_file.save_stage(Stage("prod"), closed=given)
    cloud = Cloud(closed=closed)
    if CLOSINGS.index(closed) > CLOSINGS.index(given):
        with pytest.raises(
            DeployError,
            match=f"BookingsClosed={closed}.*another one may be running elsewhere.*BookingsClosed to {closed} in",
        ):
            run(cloud, moment=MOMENT)
        assert (cloud.history, _saved()) == ([], {"parameters": _saved()["parameters"]})
        # Nobody restores it: somebody closed it in an emergency, or the moment of the restore was wrong.
        stage_file.save_stage(Stage("prod"), closed=closed)
    run(cloud, moment=MOMENT)
    *before, last = [state for _, state in cloud.history]
    assert min(map(CLOSINGS.index, before)) >= max(1, CLOSINGS.index(closed))
    assert last == "no"


@pytest.mark.parametrize("after", ["archived", "replays"])
def test_a_lost_file_does_not_reopen_what_another_run_has_closed(
    run: Callable[..., Restored], after: str
) -> None:
    """P1: with TABLE, the restore continues; a link could expire during the replay if only bookings were closed."""
    cloud = _killed(run, after)
    before = len(cloud.history)
    [copy] = [name for name in cloud.tables if "-restored-" in name]
    (stage_file.STAGES / "prod.json").unlink()
    restored = run(cloud, table=copy)
    assert restored.moment == MOMENT, "without TO, the table's own moment"
    assert {closed for _, closed in cloud.history[before:-1]} == {"all"}


@pytest.mark.parametrize("seconds", [500.0, 7200.0])
@pytest.mark.parametrize("interruption", ["opened", "file lost"])
def test_a_replay_of_an_earlier_run_has_ended_before_another_starts(
    run: Callable[..., Restored], interruption: str, seconds: float
) -> None:
    """P1: its events would hide missing ones, or make a link active again after it was revoked.

    The short replay ends while the second run waits for the archive, but EventBridge still retries its last event.
    """
    cloud = _killed(run)
    cloud.replay_seconds = seconds
    begun, late = cloud.moment, seconds + applied.RETRY_SECONDS - 31
    cloud._arriving = [(begun, 0), (begun + timedelta(seconds=late), 1)]
    cloud.advance(60)
    if interruption == "opened":
        cloud.closed = "no"
        restored = run(cloud)
    else:
        (stage_file.STAGES / "prod.json").unlink()
        restored = run(cloud, table=cloud.table)
    _check_restored(cloud, restored)
    _, second = cloud.replays.values()
    assert second["At"] > begun + timedelta(seconds=late)


@pytest.mark.parametrize("interruption", ["opened", "file lost"])
def test_a_gap_that_was_accepted_before_the_swap_revokes_every_link(
    run: Callable[..., Restored], interruption: str
) -> None:
    """P1: the old table's stream is not checked any more, so the next run does not see the gap."""
    cloud = _killed(run, gaps=["the outbox is 30 minutes behind the stream"])
    cloud.gaps = []
    if interruption == "opened":
        cloud.closed = "no"
        run(cloud)
    else:
        (stage_file.STAGES / "prod.json").unlink()
        run(cloud, table=cloud.table, accept_gap=True)
    assert {step["everything"] for step in cloud.steps if step["step"] == "revoke"} == {True}


def test_a_restore_stops_if_somebody_opens_the_stage(run: Callable[..., Restored]) -> None:
    """P1: it neither revokes nor opens; the next run closes everything and replays again, up to then."""
    for closed in ("no", "yes"):
        cloud = _killed(run)

        def opened(seconds: float, cloud: Cloud = cloud, closed: str = closed) -> None:
            Cloud.advance(cloud, seconds)
            cloud.closed = closed

        cloud.advance = opened  # type: ignore[method-assign]
        with pytest.raises(DeployError, match=f"prod with BookingsClosed={closed} while events were applied"):
            run(cloud)
        assert (cloud.closed, cloud.revoked, cloud.opened_with) == (closed, set(), [])
        cloud.advance = partial(Cloud.advance, cloud)  # type: ignore[method-assign]
        before, opened_at = len(cloud.history), cloud.moment
        run(cloud)
        assert [closed for _, closed in cloud.history[before:]] == ["all", "all", "no"]
        assert max(each["EventEndTime"] for each in cloud.replays.values()) > opened_at


@pytest.mark.parametrize("after", ["count", "revoke", "list"])
def test_a_restore_stops_if_somebody_uses_another_table(run: Callable[..., Restored], after: str) -> None:
    """P1: the events are applied to the restored table, so the other one must not be opened."""
    cloud = _killed(run)
    reply = cloud._reply

    def switched(step: dict[str, Any]) -> dict[str, Any]:
        answer = reply(step)
        if step["step"] == after:
            cloud.table = OWN_TABLE
        return answer

    cloud._reply = switched  # type: ignore[method-assign]
    words = f"the table {OWN_TABLE}, not the restored table" if after == "list" else "OtherTableError"
    with pytest.raises(DeployError, match=words):
        run(cloud)
    assert (cloud.closed, cloud.opened_with) == ("all", [])


def test_a_restore_does_not_deploy_over_the_table_of_another(run: Callable[..., Restored]) -> None:
    """P1: while this one waits, another restore has put its table into use."""
    cloud = Cloud()

    def switched(seconds: float) -> None:
        Cloud.advance(cloud, seconds)
        cloud.table, cloud.closed = "theirs", "all"

    cloud.advance = switched  # type: ignore[method-assign]
    with pytest.raises(DeployError, match="now uses the table theirs instead of"):
        run(cloud, moment=MOMENT)
    assert cloud.history == [(OWN_TABLE, "yes")]


def test_a_restore_continues_only_in_its_account_and_region(run: Callable[..., Restored]) -> None:
    """A stage of the same name in another region would be restored to the moment of this one."""
    cloud = _killed(run)
    document = _saved()
    for key, value in (("account", "111111111111"), ("region", "eu-west-1")):
        other = {**document, "restore": {**document["restore"], key: value}}
        (stage_file.STAGES / "prod.json").write_text(json.dumps(other))
        with pytest.raises(
            DeployError, match=f"{value}.*but these credentials are for 000000000000, us-east-1"
        ):
            run(cloud)


@pytest.mark.parametrize(
    ("summary", "moment", "words"),
    [
        ({"RestoreDateTime": MOMENT}, MOMENT, None),
        ({"RestoreDateTime": MOMENT}, MOMENT - timedelta(hours=1), None),
        ({"RestoreDateTime": MOMENT}, MOMENT + timedelta(milliseconds=999), None),
        ({"RestoreDateTime": MOMENT}, None, None),
        ({"RestoreDateTime": MOMENT}, MOMENT + timedelta(minutes=1), "TO=2026-11-21T10:00:00Z"),
        (
            {"RestoreDateTime": MOMENT.astimezone(BERLIN)},
            MOMENT + timedelta(minutes=1),
            "TO=2026-11-21T10:00:00Z",
        ),
        ({"RestoreDateTime": MOMENT.astimezone(BERLIN)}, None, None),
        (None, MOMENT, None),
        (None, None, "Give it: TO="),
    ],
)
def test_a_table_that_was_restored_before_is_replayed_from_its_own_moment(
    run: Callable[..., Restored], summary: dict[str, Any] | None, moment: datetime | None, words: str | None
) -> None:
    """P1: with a later TO, uses in between are neither in the table nor replayed."""
    cloud, said = Cloud(), list[str]()
    cloud.tables["copy"] = {"TableName": "copy"} | ({"RestoreSummary": summary} if summary else {})
    if words:
        with pytest.raises(DeployError, match=words):
            run(cloud, moment=moment, table="copy")
        assert (cloud.history, stage_file.STAGES.exists()) == ([], False)
        return
    restored = run(cloud, said, moment=moment, table="copy")
    assert (restored.moment, restored.moment.utcoffset()) == (moment or MOMENT, timedelta(0))
    assert summary or "so TO can't be checked" in " ".join(said)


@pytest.mark.parametrize(
    ("backups", "words"),
    [
        (
            {"EarliestRestorableDateTime": MOMENT + timedelta(seconds=1)},
            "to 2026-11-21T10:00:01Z at the earliest.*Bookings stay as they are",
        ),
        (
            {"EarliestRestorableDateTime": (MOMENT + timedelta(seconds=1)).astimezone(BERLIN)},
            "to 2026-11-21T10:00:01Z at the earliest",
        ),
        ({"PointInTimeRecoveryStatus": "DISABLED"}, "recovery of admit-one-prod-Table-1 is disabled"),
        (None, "Restore it from DynamoDB's system backup"),
    ],
)
def test_a_moment_that_cannot_be_restored_closes_nothing(
    run: Callable[..., Restored], backups: dict[str, Any] | None, words: str
) -> None:
    """The stage stays open, and its file has no restore that would have to be given up."""
    cloud = Cloud()
    cloud.backups |= backups or {}
    if backups is None:
        cloud.tables.clear()
    with pytest.raises(DeployError, match=words):
        run(cloud, moment=MOMENT)
    assert (cloud.history, stage_file.STAGES.exists()) == ([], False)


def test_a_list_that_has_expired_does_not_replace_the_file() -> None:
    """A restore that continues a month later, or REPORT=yes, keeps the only record of the revoked links."""
    link = RevokedLink(link_id="l", host_id="h", event_type_id="t", reason=RevokeReason.GAP, at=BEGIN)
    path, counts = revoked_list.write_revoked("prod", "copy", [link])
    written = path.read_text()
    assert revoked_list.write_revoked("prod", "copy", []) == (path, counts)
    assert (path.read_text(), [each.name for each in path.parent.iterdir()]) == (written, ["revoked.csv"])


def test_messages_of_an_earlier_restore_close_nothing(run: Callable[..., Restored]) -> None:
    """After hours of closed bookings, they would stop the restore or, with GAP=revoke, revoke every link."""
    for cloud, words in (
        (Cloud(dead=2), r"earlier restore or replay in RestoreDlq: 2\."),
        (Cloud(_arriving=[(BEGIN, 0)]), r"wait in RestoreQueue: 1\."),
    ):
        with pytest.raises(DeployError, match=words):
            run(cloud, moment=MOMENT, accept_gap=True)
        assert (cloud.history, stage_file.STAGES.exists()) == ([], False)


def test_a_missing_permission_closes_nothing(run: Callable[..., Restored]) -> None:
    """The read-only calls of later steps are made first."""
    cloud = Cloud()
    denied = ClientError({"Error": {"Code": "AccessDeniedException", "Message": "m"}}, "Invoke")
    cloud._invoke = Mock(side_effect=denied)  # type: ignore[method-assign]
    with pytest.raises(ClientError, match="AccessDenied"):
        run(cloud, moment=MOMENT)
    assert (cloud.history, stage_file.STAGES.exists()) == ([], False)


def test_the_file_names_the_restored_table_only_while_the_stack_uses_it(run: Callable[..., Restored]) -> None:
    """P1: a restore that is given up before the swap must not open the table that is not replayed."""
    cloud = Cloud()
    while (
        not (stage_file.STAGES / "prod.json").exists() or "table" not in _saved()
    ):  # until it is killed before the deployment over the restored table
        (stage_file.STAGES / "prod.json").unlink(missing_ok=True)
        cloud = Cloud(kill_at=cloud.calls + 1)
        with pytest.raises(Killed):
            run(cloud, moment=MOMENT)
    assert cloud.table == OWN_TABLE
    cloud.deploy = Mock(side_effect=Killed)  # type: ignore[method-assign]
    with pytest.raises(Killed):
        run(cloud)
    assert "table" not in _saved()


@pytest.mark.parametrize(
    ("archive", "gaps"),
    [
        ({}, []),
        ({"State": "DISABLED", "StateReason": "no key"}, ["the archive ours is DISABLED: no key"]),
        (
            {"CreationTime": MOMENT.astimezone(BERLIN)},
            ["the archive of events begins at 2026-11-21 10:00 UTC"],
        ),
    ],
)
def test_the_archive_that_the_stack_names_is_replayed(
    archive: dict[str, Any], gaps: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """P1: the bus may have other archives, with fewer events."""
    cloud = Cloud()
    cloud.archive |= archive
    monkeypatch.setattr(replay, "find_unpublished", lambda *_: [])
    assert replay.find_gaps(cloud.account, cloud.outputs(), MOMENT) == gaps
    cloud.archive["EventSourceArn"] = "arn:another"
    with pytest.raises(DeployError, match="not the stage's bus"):
        replay.find_gaps(cloud.account, cloud.outputs(), MOMENT)
    cloud.archive.clear()
    [gap] = replay.find_gaps(cloud.account, cloud.outputs(), MOMENT)
    assert "the archive ours is missing: somebody deleted it" in gap


@pytest.mark.parametrize("state", ["DISABLED", "missing"])
def test_without_a_usable_archive_gap_revoke_revokes_every_link(
    run: Callable[..., Restored], state: str
) -> None:
    """P1: nothing can be replayed, so nothing is waited for. A restore ends even if the archive is gone."""
    cloud = Cloud(gaps=[f"the archive is {state}"])
    cloud.archive = {} if state == "missing" else {**cloud.archive, "State": state}
    with pytest.raises(DeployError, match="Or restore with GAP=revoke"):
        run(cloud, moment=MOMENT)
    assert (cloud.history, stage_file.STAGES.exists()) == ([], False), "nothing was changed"
    said: list[str] = []
    run(cloud, said, moment=MOMENT, accept_gap=True)
    assert f"The archive is {state}, so no event is replayed." in said
    assert (cloud.replays, cloud.closed) == ({}, "no")
    assert {step["everything"] for step in cloud.steps if step["step"] == "revoke"} == {True}


def test_events_of_an_earlier_table_are_not_replayed() -> None:
    """A kept bus has them; they would create bookings without links."""
    cloud = Cloud()
    created = MOMENT - timedelta(minutes=5)
    found = cloud.outputs()
    assert replay.window_start(cloud.account, found, MOMENT) == MOMENT - replay.MARGIN
    cloud.tables[cloud.table]["CreationDateTime"] = created
    assert replay.window_start(cloud.account, found, MOMENT) == created
    # A copy of the table in use, begun or not; then a copy of an earlier table, and one of unknown origin.
    copies = {"ours": {"SourceTableArn": OWN_ARN}, "theirs": {"SourceTableArn": "arn:earlier"}}
    cloud.tables |= {name: {"TableName": name, "RestoreSummary": one} for name, one in copies.items()}
    cloud.tables["by hand"] = {"TableName": "by hand"}
    starts = {"ours": created, "not yet": created} | dict.fromkeys(
        ["theirs", "by hand"], MOMENT - replay.MARGIN
    )
    for name, start in starts.items():
        assert replay.window_start(cloud.account, found, MOMENT, name) == start, name
    cloud.tables[cloud.table]["RestoreSummary"] = {}
    assert replay.window_start(cloud.account, found, MOMENT) == MOMENT - replay.MARGIN
    cloud.tables.clear()
    assert replay.window_start(cloud.account, found, MOMENT) == MOMENT - replay.MARGIN


def test_the_higher_count_of_the_two_metrics_is_compared() -> None:
    """P1: CloudWatch returns pages of periods, and any of the two metrics may lack some."""
    asked: list[dict[str, Any]] = []
    pages: list[dict[str, Any]] = [
        {"MetricDataResults": [{"Id": "sent", "Values": [3.0, 2.0]}, {"Id": "matched", "Values": []}]},
        {"MetricDataResults": [{"Id": "sent", "Values": []}, {"Id": "matched", "Values": [4.0]}]},
        {"MetricDataResults": [{"Id": "sent", "Values": [1.0]}, {"Id": "matched", "Values": [4.0]}]},
    ]

    def paginate(**given: Any) -> list[dict[str, Any]]:
        asked.append(given)
        return pages

    paginator = SimpleNamespace(paginate=paginate)
    session = SimpleNamespace(
        create_client=lambda *_, **__: SimpleNamespace(get_paginator=lambda _: paginator)
    )
    account, found = Account(session, "000000000000", "us-east-1"), Cloud().outputs()
    begun = BEGIN + timedelta(seconds=59)
    assert sent_messages(account, found, begun, BEGIN + timedelta(minutes=9)) == 8
    [given] = asked
    assert given["StartTime"] == BEGIN, "a period of CloudWatch begins at a full minute"
    names = [
        {each["Name"]: each["Value"] for each in query["MetricStat"]["Metric"]["Dimensions"]}
        for query in given["MetricDataQueries"]
    ]
    assert names == [
        {"EventBusName": "admit-one-prod-events", "RuleName": "restore"}, {"QueueName": "restore"}
    ]  # fmt: skip
    pages[:] = [{"MetricDataResults": [{"Id": "sent", "Values": []}, {"Id": "matched", "Values": []}]}]
    assert sent_messages(account, found, begun, BEGIN) is None


def test_the_waits_are_as_long_as_aws_documents() -> None:
    """The waits are longer than SQS and EventBridge need; their own descriptions say how long."""
    loader = Loader()
    sqs = loader.load_service_model("sqs", "service-2")
    text = sqs["operations"]["GetQueueAttributes"]["documentation"] + json.dumps(sqs["shapes"])
    assert "consistency until at least 1 minute after the producers stop sending messages" in text
    assert applied.QUIET_SECONDS >= 120
    rule = json.loads((FRAGMENTS / "restore.json").read_text())["Resources"]["RestoreRule"]
    [target] = rule["Properties"]["Targets"]
    assert target["RetryPolicy"]["MaximumEventAgeInSeconds"] < applied.RETRY_SECONDS
