"""Check that the archive of events is complete, and replay it into a restored table."""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
from botocore.exceptions import ClientError

from chalicelib.domain.restore_steps import MARKER_SOURCE, MARKER_TYPE
from infra.restore.restored_table import is_restored
from infra.stack.account import Account, DeployError, find_table
from infra.stack.clock import Clock
from infra.stack.restore_progress import RestoreProgress
from infra.stack.unpublished import find_unpublished

# Events are archived a little later than they happen; applying one twice is harmless.
MARGIN: Final = timedelta(minutes=15)
POLL_SECONDS: Final = 5.0
WAIT_SECONDS: Final = 6 * 3600
AGAIN: Final = "Bookings stay closed. Run the command again: it replays the events again, which is harmless."
_RUNNING: Final = {"STARTING", "RUNNING", "CANCELLING"}
_USABLE: Final = {"ENABLED", "UPDATING", "UPDATE_FAILED"}
_MISSING: Final = "missing"  # not a state of EventBridge


class IncompleteReplayError(DeployError):
    """Replayed events are missing in the table: another replay is needed."""


def find_gaps(
    account: Account, found: Mapping[str, str], moment: datetime, restored: str | None = None
) -> list[str]:
    """Return the reasons why the archive may lack events since a moment; empty if it is complete.

    `restored` is the table to replay them into, if its name is known.
    """
    gaps, start = [], window_start(account, found, moment, restored)
    archive = read_archive(account, found)
    if not is_usable(archive):
        reason = archive.get("StateReason") or "no reason is given"
        gaps.append(f"the archive {archive['ArchiveName']} is {archive['State']}: {reason}")
    if archive["State"] != _MISSING:
        begins = _instant(archive["CreationTime"])
        if archive.get("RetentionDays"):
            begins = max(begins, datetime.now(UTC) - timedelta(days=archive["RetentionDays"]))
        if start < begins:
            gaps.append(f"the archive of events begins at {begins:%Y-%m-%d %H:%M} UTC")
    return gaps + find_unpublished(account, found, start)


def read_archive(account: Account, found: Mapping[str, str]) -> dict[str, Any]:
    """Return the stage's archive of events, also if it is gone.

    Raise `DeployError` if it is not the archive of the stage's bus.
    """
    name = found["EventArchiveName"]
    try:
        archive: dict[str, Any] = account.client("events").describe_archive(ArchiveName=name)
    except ClientError as error:
        if error.response["Error"]["Code"] == "ResourceNotFoundException":
            reason = "somebody deleted it; create it again with this name (docs/operate.md)"
            return {"ArchiveName": name, "State": _MISSING, "StateReason": reason}
        raise
    if archive["EventSourceArn"] != found["EventBusArn"]:
        raise DeployError(
            f"The archive {name} belongs to {archive['EventSourceArn']}, not the stage's bus: deploy the stage first."
        )
    return archive


def is_usable(archive: Mapping[str, Any]) -> bool:
    """Return whether an archive keeps events and can be replayed."""
    return archive["State"] in _USABLE


def window_start(
    account: Account, found: Mapping[str, str], moment: datetime, restored: str | None = None
) -> datetime:
    """Return the time from which events are replayed into a table; `restored` is its name if it is known.

    The bus may outlive a table: events of an earlier, unrelated table are not applied to this one. But if the restored
    table is not a copy of the one in use, it needs the events since the moment, also those of that earlier table.
    """
    start = moment - MARGIN
    table = find_table(account, found["TableName"])
    if table is None or is_restored(table):
        return start
    target = find_table(account, restored) if restored else None
    # Without a target, DynamoDB will copy the table in use to a new one.
    if target is not None and target.get("RestoreSummary", {}).get("SourceTableArn") != table["TableArn"]:
        return start
    return max(start, _instant(table["CreationDateTime"]))


def put_marker(account: Account, found: Mapping[str, str], run: str, at: datetime) -> None:
    """Put the marker on the bus, as the last event to replay. Raise `DeployError`.

    Once the function `restore` has recorded it, the whole way from the bus to the function works.
    """
    detail = msgspec.json.encode({"run": run, "id": marker_id(at)}).decode()
    entry = {
        "EventBusName": found["EventBusName"],
        "Source": MARKER_SOURCE,
        "DetailType": MARKER_TYPE,
        "Detail": detail,
        "Time": at,
    }
    response = account.client("events").put_events(Entries=[entry])
    if response["FailedEntryCount"]:
        reason = response["Entries"][0].get("ErrorMessage", "no reason is given")
        raise DeployError(
            f"The event bus did not accept the restore's marker: {reason}\nRun the command again."
        )


def marker_id(at: datetime) -> str:
    """Return the id of the marker that was put at a time."""
    return at.isoformat()


def replay_events(
    account: Account, found: Mapping[str, str], progress: RestoreProgress, clock: Clock
) -> None:
    """Replay the events of the window to the rule for restores, and wait; a replay that was begun is continued.

    Raise `IncompleteReplayError` if the replay fails, `DeployError` if it does not end.
    """
    events, name = account.client("events"), progress.replay
    give_up = clock.now() + timedelta(seconds=WAIT_SECONDS)
    while clock.now() < give_up:
        replay = find_replay(account, name)
        if replay is None:
            events.start_replay(
                ReplayName=name,
                EventSourceArn=read_archive(account, found)["ArchiveArn"],
                EventStartTime=progress.since,
                EventEndTime=progress.until,
                # The replay targets only this rule, so that no email is sent again and no webhook is called.
                Destination={"Arn": found["EventBusArn"], "FilterArns": [found["RestoreRuleArn"]]},
            )
        elif replay["State"] == "COMPLETED":
            return
        elif replay["State"] in {"FAILED", "CANCELLED", "CANCELLING"}:
            raise IncompleteReplayError(
                f"The replay {name} ended as {replay['State']}: {replay.get('StateReason', 'no reason is given')}. "
                f"{AGAIN}"
            )
        clock.wait(POLL_SECONDS)
    raise DeployError(
        f"The replay {name} is still running. Bookings stay closed: run the command again later."
    )


def find_replay(account: Account, name: str | None) -> dict[str, Any] | None:
    """Return the description of a replay, or None if it does not exist. Raise `ClientError`."""
    try:
        replay: dict[str, Any] = account.client("events").describe_replay(ReplayName=name)
    except ClientError as error:
        if error.response["Error"]["Code"] == "ResourceNotFoundException":
            return None
        raise
    return replay


def wait_for_replays(
    account: Account, found: Mapping[str, str], say: Callable[[str], None], clock: Clock
) -> datetime | None:
    """Wait until no replay of the stage's archive is running, whoever started it.

    Return when the last one ended, or None if there was none. Raise `DeployError` if one does not end.
    """
    give_up, has_waited = clock.now() + timedelta(seconds=WAIT_SECONDS), False
    while True:
        replays = list(list_replays(account, found))
        running = ", ".join(each["ReplayName"] for each in replays if each["State"] in _RUNNING)
        if not running:
            ends = [_instant(each["ReplayEndTime"]) for each in replays if each.get("ReplayEndTime")]
            return clock.now() if has_waited else max(ends, default=None)
        if clock.now() > give_up:
            raise DeployError(
                f"Earlier replays are still running: {running}. Bookings stay closed: run the command again later."
            )
        if not has_waited:
            say(f"Waiting until earlier replays have ended: {running} …")
        has_waited = True
        clock.wait(POLL_SECONDS)


def list_replays(account: Account, found: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """Yield the replays of the stage's archive; EventBridge lists them for 90 days. Raise `ClientError`."""
    events, asked = account.client("events"), {"EventSourceArn": found["EventArchiveArn"]}
    while True:
        page = events.list_replays(**asked)
        yield from page["Replays"]
        if not page.get("NextToken"):
            return
        asked["NextToken"] = page["NextToken"]


def _instant(value: Any) -> datetime:
    """Return a time of EventBridge or DynamoDB in UTC. Botocore returns it in the time zone of the machine."""
    return value.astimezone(UTC) if isinstance(value, datetime) else datetime.fromtimestamp(float(value), UTC)
