"""Check that the archive of events is complete, and replay it into a restored table."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
from botocore.exceptions import ClientError

from chalicelib.domain.restore_steps import MARKER_SOURCE, MARKER_TYPE
from infra.deploy.account import Account, DeployError, find_table
from infra.deploy.restore_progress import RestoreProgress
from infra.operate.clock import Clock
from infra.operate.restored_table import is_restored

# Events are archived a little later than they happen; applying one twice is harmless.
MARGIN: Final = timedelta(minutes=15)
MAX_LAG_MILLISECONDS: Final = 60_000  # an outbox that is further behind may have unpublished events
POLL_SECONDS: Final = 5.0
WAIT_SECONDS: Final = 6 * 3600
AGAIN: Final = "Bookings stay closed. Run the command again: it replays the events again, which is harmless."
_USABLE: Final = {"ENABLED", "UPDATING", "UPDATE_FAILED"}
_MISSING: Final = "missing"  # not a state of EventBridge
_WAITING: Final = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)


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


def find_unpublished(account: Account, found: Mapping[str, str], since: datetime) -> list[str]:
    """Return the reasons why changes since a moment may not have been published as events; empty if all were."""
    unpublished = []
    waiting = waiting_messages(account, found["OutboxDlqUrl"])
    if waiting:
        unpublished.append(f"{waiting} stream records are in OutboxDlq; redrive it (docs/operate.md)")
    # A redrive moves the records to this queue. They are published only when the outbox has processed them.
    redriven = waiting_messages(account, _retry_queue_url(found))
    if redriven:
        unpublished.append(
            f"{redriven} stream records are in OutboxRetryQueue; wait until the outbox has published them"
        )
    crashed = _crashes_since(account, found["OutboxCrashesBucketName"], since)
    if crashed:
        unpublished.append(
            f"the outbox crashed on {crashed} stream batches; process them with make redrive-outbox"
        )
    return unpublished + _unread(account, found["OutboxFunction"], found["TableName"])


def _unread(account: Account, function: str, table: str) -> list[str]:
    """Return the reasons why the outbox may not have read every record of a table's stream."""
    unread, lag, mappings = [], _lag(account, function), _stream_mappings(account, function, table)
    if lag is not None and lag > MAX_LAG_MILLISECONDS:
        unread.append(
            f"the outbox is {lag / 60_000:.0f} minutes behind the stream; wait until it has caught up"
        )
    # An outbox that doesn't read the stream has no lag.
    states = [each["State"] for each in mappings]
    if "Enabled" not in states:
        state = ", ".join(states) or "missing"
        unread.append(f"the outbox does not read the table's stream: its mapping is {state}; enable it")
    # Nor has an outbox that is throttled. It is never idle: the heartbeat is a record in every minute. Only a table
    # that is gone has no heartbeat; DynamoDB restores that one as it was when it was deleted, with every change.
    elif lag is None and any(map(_reads_heartbeat, mappings)) and find_table(account, table) is not None:
        unread.append(
            "the outbox has read nothing for five minutes, although there is a heartbeat every minute; see "
            "docs/operate.md, The stream is behind"
        )
    return unread


def _reads_heartbeat(mapping: Mapping[str, Any]) -> bool:
    """Return whether a mapping passes on the heartbeat. Those of earlier releases don't."""
    filters = (mapping.get("FilterCriteria") or {}).get("Filters", ())
    return any("HEARTBEAT" in each["Pattern"] for each in filters)


def _retry_queue_url(found: Mapping[str, str]) -> str:
    """Return the URL of OutboxRetryQueue. Stacks have its ARN as an output, and the URL of another queue."""
    return f"{found['OutboxDlqUrl'].rpartition('/')[0]}/{found['OutboxRetryQueueArn'].rpartition(':')[2]}"


def _stream_mappings(account: Account, function: str, table: str) -> list[dict[str, Any]]:
    """Return the mappings through which a function reads a table's stream."""
    pages = (
        account.client("lambda").get_paginator("list_event_source_mappings").paginate(FunctionName=function)
    )
    return [
        each
        for page in pages
        for each in page["EventSourceMappings"]
        if f":table/{table}/stream/" in each["EventSourceArn"]
    ]


def _crashes_since(account: Account, bucket: str, moment: datetime) -> int:
    """Return the number of batches on which the outbox crashed since a moment. Earlier batches have earlier events."""
    pages = account.client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket)
    return sum(found["LastModified"] >= moment for page in pages for found in page.get("Contents", ()))


def _lag(account: Account, function: str) -> float | None:
    """Return the outbox's maximum lag in the last five minutes, in milliseconds; None if it read nothing."""
    now = datetime.now(UTC)
    response = account.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/Lambda",
        MetricName="IteratorAge",
        Dimensions=[{"Name": "FunctionName", "Value": function}],
        StartTime=now - timedelta(minutes=5),
        EndTime=now,
        Period=60,
        Statistics=["Maximum"],
    )
    return max((point["Maximum"] for point in response["Datapoints"]), default=None)


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


def waiting_messages(account: Account, queue_url: str) -> int:
    """Return the number of messages in a queue, including delayed ones and those in flight."""
    response = account.client("sqs").get_queue_attributes(QueueUrl=queue_url, AttributeNames=list(_WAITING))
    return sum(int(response["Attributes"].get(name, 0)) for name in _WAITING)


def _instant(value: Any) -> datetime:
    return value if isinstance(value, datetime) else datetime.fromtimestamp(float(value), UTC)
