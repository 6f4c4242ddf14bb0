"""Find changes of a stage that are not published as events: before a restore and a deletion, there must be none."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from infra.stack.account import Account, find_table

MAX_LAG_MILLISECONDS: Final = 60_000  # an outbox that is further behind may have unpublished events
# The stream keeps records for 24 hours. Once it has deleted some, the first batch has a lag of 24 hours, less the time
# that the batch covers: its lag is that of its last record, and 100 heartbeats cover 100 minutes.
EXPIRY_LAG_MILLISECONDS: Final = 20 * 3_600_000
# As far as point-in-time recovery reaches back: 840 hours, of at most 1,440 that one call of CloudWatch returns.
_LAGS_REACH: Final = timedelta(days=35)
_WAITING: Final = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)


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
    expired = _expired(account, found["OutboxFunction"], since)
    return unpublished + expired + _unread(account, found["OutboxFunction"], found["TableName"])


def _expired(account: Account, function: str, since: datetime) -> list[str]:
    """Return the reason why records of the stream may have expired before the outbox read them, if there is one."""
    now = datetime.now(UTC)
    lags = _lags(account, function, max(since, now - _LAGS_REACH), now, timedelta(hours=1))
    late = sorted(at for at, lag in lags.items() if lag >= EXPIRY_LAG_MILLISECONDS)
    if not late:
        return []
    hours = EXPIRY_LAG_MILLISECONDS // 3_600_000
    reason = (
        f"the outbox was more than {hours} hours behind at {late[0]:%Y-%m-%d %H:%M} UTC; the stream keeps records for "
        "24 hours, so some may have been lost, and can't be published now"
    )
    return [reason]


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
    # A throttled outbox has no lag either. An outbox is never idle, because of the heartbeat every minute. Only a table
    # that is gone has no heartbeat: it can be restored as it was when it was deleted, with every change.
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
    lags = _lags(account, function, now - timedelta(minutes=5), now, timedelta(minutes=1))
    return max(lags.values(), default=None)


def _lags(
    account: Account, function: str, since: datetime, until: datetime, period: timedelta
) -> dict[datetime, float]:
    """Return the outbox's maximum lag in milliseconds for each period (UTC) in which it read something."""
    response = account.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/Lambda",
        MetricName="IteratorAge",
        Dimensions=[{"Name": "FunctionName", "Value": function}],
        StartTime=since,
        EndTime=until,
        Period=round(period.total_seconds()),
        Statistics=["Maximum"],
    )
    return {point["Timestamp"].astimezone(UTC): point["Maximum"] for point in response["Datapoints"]}


def waiting_messages(account: Account, queue_url: str) -> int:
    """Return the number of messages in a queue, including delayed ones and those in flight."""
    response = account.client("sqs").get_queue_attributes(QueueUrl=queue_url, AttributeNames=list(_WAITING))
    return sum(int(response["Attributes"].get(name, 0)) for name in _WAITING)
