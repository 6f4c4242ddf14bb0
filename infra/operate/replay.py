"""Check that the archive of events is complete, and replay it into a restored table."""

import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

import msgspec

from chalicelib.domain.restore_steps import ListReply, ListStep, RevokedLink, RevokeReply, RevokeStep, Step
from infra.deploy.account import Account, DeployError

# Events are archived a little later than they happen; applying one twice is harmless.
MARGIN: Final = timedelta(minutes=15)
MAX_LAG_MILLISECONDS: Final = 60_000  # an outbox that is further behind may have unpublished events
POLL_SECONDS: Final = 5.0
_QUIET_POLLS: Final = 3
_WAIT_SECONDS: Final = 6 * 3600
_WAITING: Final = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)

_R = TypeVar("_R")


def find_gaps(account: Account, found: Mapping[str, str], moment: datetime) -> list[str]:
    """Return the reasons why the archive may lack events since a moment; empty if it is complete."""
    gaps = []
    archive = _archive(account, found)
    begins = _instant(archive["CreationTime"])
    if archive.get("RetentionDays"):
        begins = max(begins, datetime.now(UTC) - timedelta(days=archive["RetentionDays"]))
    if moment - MARGIN < begins:
        gaps.append(f"the archive of events begins at {begins:%Y-%m-%d %H:%M} UTC")
    return gaps + find_unpublished(account, found, moment - MARGIN)


def find_unpublished(account: Account, found: Mapping[str, str], since: datetime) -> list[str]:
    """Return the reasons why changes since a moment may not have been published as events; empty if all were."""
    unpublished = []
    waiting = _messages(account, found["OutboxDlqUrl"])
    if waiting:
        unpublished.append(f"{waiting} stream records are in OutboxDlq; redrive it (docs/operate.md)")
    crashed = _crashes_since(account, found["OutboxCrashesBucketName"], since)
    if crashed:
        unpublished.append(
            f"the outbox crashed on {crashed} stream batches; process them with make redrive-outbox"
        )
    lag = _lag(account, found["OutboxFunction"])
    if lag > MAX_LAG_MILLISECONDS:
        unpublished.append(
            f"the outbox is {lag / 60_000:.0f} minutes behind the stream; wait until it has caught up"
        )
    # An outbox that doesn't read the stream has no lag.
    states = _stream_mappings(account, found["OutboxFunction"], found["TableName"])
    if "Enabled" not in states:
        state = ", ".join(states) or "missing"
        unpublished.append(f"the outbox does not read the table's stream: its mapping is {state}; enable it")
    return unpublished


def _stream_mappings(account: Account, function: str, table: str) -> list[str]:
    """Return the states of the mappings through which a function reads a table's stream."""
    pages = (
        account.client("lambda").get_paginator("list_event_source_mappings").paginate(FunctionName=function)
    )
    return [
        each["State"]
        for page in pages
        for each in page["EventSourceMappings"]
        if f":table/{table}/stream/" in each["EventSourceArn"]
    ]


def _crashes_since(account: Account, bucket: str, moment: datetime) -> int:
    """Return the number of batches on which the outbox crashed since a moment. Earlier batches have earlier events."""
    pages = account.client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket)
    return sum(found["LastModified"] >= moment for page in pages for found in page.get("Contents", ()))


def _lag(account: Account, function: str) -> float:
    """Return the outbox's maximum lag in the last five minutes, in milliseconds; 0 if it was idle."""
    now = datetime.now(UTC)
    response = account.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/Lambda",
        MetricName="IteratorAge",
        Dimensions=[{"Name": "FunctionName", "Value": function}],
        StartTime=now - timedelta(minutes=5),
        EndTime=now,
        Period=300,
        Statistics=["Maximum"],
    )
    return max((point["Maximum"] for point in response["Datapoints"]), default=0.0)


def _archive(account: Account, found: Mapping[str, str]) -> dict[str, Any]:
    """Return the archive of the stage's bus. Raise `DeployError` if the bus has no archive."""
    events = account.client("events")
    archives = events.list_archives(EventSourceArn=found["EventBusArn"])["Archives"]
    if not archives:
        raise DeployError("The bus has no archive, so no event can be replayed: deploy the stage first.")
    archive: dict[str, Any] = events.describe_archive(ArchiveName=archives[0]["ArchiveName"])
    return archive


def replay_events(account: Account, found: Mapping[str, str], moment: datetime) -> None:
    """Replay all events since a moment to the rule for restores, and wait. Raise `DeployError` if the replay fails."""
    events = account.client("events")
    now = datetime.now(UTC)
    name = f"restore-{now:%Y%m%d%H%M%S}"
    events.start_replay(
        ReplayName=name,
        EventSourceArn=_archive(account, found)["ArchiveArn"],
        EventStartTime=moment - MARGIN,
        EventEndTime=now,
        # The replay targets only this rule, so that no email is sent again and no webhook is called.
        Destination={"Arn": found["EventBusArn"], "FilterArns": [found["RestoreRuleArn"]]},
    )
    give_up = time.monotonic() + _WAIT_SECONDS
    while time.monotonic() < give_up:
        replay = events.describe_replay(ReplayName=name)
        if replay["State"] == "COMPLETED":
            return
        if replay["State"] in {"FAILED", "CANCELLED", "CANCELLING"}:
            raise DeployError(
                f"The replay {name} ended as {replay['State']}: {replay.get('StateReason', '')}"
            )
        time.sleep(POLL_SECONDS)
    raise DeployError(f"The replay {name} is still running; run the command again later with TABLE=…")


def wait_until_applied(account: Account, found: Mapping[str, str]) -> None:
    """Wait until every replayed event is applied. Raise `DeployError` if an event could not be applied."""
    give_up, quiet = time.monotonic() + _WAIT_SECONDS, 0
    while quiet < _QUIET_POLLS:
        if time.monotonic() > give_up:
            raise DeployError("Replayed events are still waiting; run the command again later with TABLE=…")
        time.sleep(POLL_SECONDS)
        quiet = 0 if _messages(account, found["RestoreQueueUrl"]) else quiet + 1
    dead = _messages(account, found["RestoreDlqUrl"])
    if dead:
        raise DeployError(
            f"{dead} events could not be applied; they are in {found['RestoreDlqUrl']}. Bookings stay closed: "
            "fix the cause, purge that queue, and run the command again with TABLE=…"
        )


def finish(
    account: Account, found: Mapping[str, str], table: str, *, everything: bool
) -> tuple[int, list[RevokedLink]]:
    """Finish the restore: revoke the links with missing events or, with `everything`, every active link.

    Return the number of links with applied events, and the revoked links. Raise `DeployError` if the function fails.
    """
    checked, cursor = 0, None
    while True:
        step = RevokeStep(run=table, everything=everything, cursor=cursor)
        reply = _step(account, found, step, RevokeReply)
        checked, cursor = checked + reply.checked, reply.cursor
        if cursor is None:
            break
    revoked: list[RevokedLink] = []
    while True:
        listed = _step(account, found, ListStep(run=table, cursor=cursor), ListReply)
        revoked, cursor = revoked + listed.revoked, listed.cursor
        if cursor is None:
            return checked, revoked


def _step(account: Account, found: Mapping[str, str], step: Step, kind: type[_R]) -> _R:
    """Send a step to the function and return its reply. Raise `DeployError` if the function fails."""
    response = account.client("lambda").invoke(
        FunctionName=found["RestoreFunction"], Payload=msgspec.json.encode(step)
    )
    payload = response["Payload"].read()
    if "FunctionError" in response:
        raise DeployError(f"The restore could not be finished: {json.loads(payload).get('errorMessage')}")
    return msgspec.json.decode(payload, type=kind)


def _messages(account: Account, queue_url: str) -> int:
    """Return the number of messages in a queue, including delayed ones and those in flight."""
    response = account.client("sqs").get_queue_attributes(QueueUrl=queue_url, AttributeNames=list(_WAITING))
    return sum(int(response["Attributes"].get(name, 0)) for name in _WAITING)


def _instant(value: Any) -> datetime:
    return value if isinstance(value, datetime) else datetime.fromtimestamp(float(value), UTC)
