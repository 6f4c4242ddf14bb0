"""Wait until every replayed event is applied; docs/adr/0014-restore.md explains the conditions.

AWS has no exact count of an archive's events, so five conditions are required together: the replay is complete and
EventBridge has stopped retrying, the marker was received, the queue has been empty for two minutes, its dead-letter
queue is empty, and at least as many messages were applied as CloudWatch counts.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from infra.deploy.account import Account, DeployError
from infra.deploy.restore_progress import RestoreProgress
from infra.operate.clock import Clock
from infra.operate.replay import (
    AGAIN,
    POLL_SECONDS,
    WAIT_SECONDS,
    IncompleteReplayError,
    marker_id,
    waiting_messages,
)
from infra.operate.steps import count_messages

# SQS's counts "may not achieve consistency until at least 1 minute after the producers stop sending messages".
QUIET_SECONDS: Final = 130.0
# RestoreRule's target retries for 300 s; then an event is in RestoreQueue or in RestoreDlq.
RETRY_SECONDS: Final = 330.0
NO_METRIC_SECONDS: Final = 15 * 60.0
SHORT_SECONDS: Final = 30 * 60.0


@dataclass(frozen=True)
class Applied:
    """How many events were applied, and how many were sent by CloudWatch's count; None if it has none.

    `complete` is False if events may be missing.
    """

    redone: int
    sent: int | None
    complete: bool


def wait_until_applied(
    account: Account,
    found: Mapping[str, str],
    progress: RestoreProgress,
    *,
    skip_count: bool,
    say: Callable[[str], None],
    clock: Clock,
) -> Applied:
    """Wait until every replayed event is applied.

    Raise `IncompleteReplayError` if one could not be applied or is missing, unless the restore accepts gaps, and
    `DeployError` if that can't be determined.
    """
    run, marker = progress.table, progress.marker
    completed, started = progress.replay_completed_at, progress.replay_started_at
    if run is None or marker is None or completed is None or started is None:
        raise DeployError("No replay of this restore is complete.")
    counting_since: datetime | None = None
    while True:
        wait_until_quiet(account, found, completed + timedelta(seconds=RETRY_SECONDS), clock)
        messages, marker_found = count_messages(account, found, run, marker_id(marker), clock=clock)
        redone, now = messages - progress.counted_before, clock.now()
        sent = sent_messages(account, found, started, now)
        counting_since = counting_since or now
        done = _judged(progress, redone, sent, marker_found=marker_found, skip_count=skip_count)
        done = done or _given_up(progress, redone, sent, now - counting_since, marker_found=marker_found)
        if done:
            return done
        say(f"Applied {redone:,} of {_number(sent)} events; waiting for {_missing(sent, marker_found)} …")


def wait_until_quiet(account: Account, found: Mapping[str, str], earliest: datetime, clock: Clock) -> None:
    """Wait until the queue of replayed events has been empty for two minutes after `earliest`.

    Raise `IncompleteReplayError` if an event could not be applied.
    """
    give_up = clock.now() + timedelta(seconds=WAIT_SECONDS)
    quiet_since: datetime | None = None
    while True:
        waiting = waiting_messages(account, found["RestoreQueueUrl"])
        dead = waiting_messages(account, found["RestoreDlqUrl"])
        if dead:
            raise IncompleteReplayError(
                f"{dead} events could not be applied; they are in {found['RestoreDlqUrl']}. Bookings stay closed: "
                "fix the cause, redrive that queue, and run the command again: it replays the events again."
            )
        now = clock.now()
        quiet_since = None if waiting or now < earliest else quiet_since or now
        if quiet_since and now - quiet_since > timedelta(seconds=QUIET_SECONDS):
            return
        if now > give_up:
            raise DeployError(
                "Replayed events are still waiting. Bookings stay closed: run the command again later."
            )
        clock.wait(POLL_SECONDS)


def sent_messages(account: Account, found: Mapping[str, str], since: datetime, until: datetime) -> int | None:
    """Return how many messages were sent to RestoreQueue, by CloudWatch's counts; None if it has no data.

    CloudWatch may count too few, so the higher one of two counts is returned.
    """
    rule, bus = found["RestoreRuleArn"].rpartition("/")[2], found["EventBusName"]
    queue = found["RestoreQueueUrl"].rpartition("/")[2]
    metrics = [
        _query("matched", "AWS/Events", "MatchedEvents", {"EventBusName": bus, "RuleName": rule}),
        _query("sent", "AWS/SQS", "NumberOfMessagesSent", {"QueueName": queue}),
    ]
    pages = (
        account.client("cloudwatch")
        .get_paginator("get_metric_data")
        .paginate(
            MetricDataQueries=metrics,
            StartTime=since.replace(second=0, microsecond=0),
            EndTime=until + timedelta(minutes=1),
        )
    )
    sums: dict[str, float] = {}
    for name, values in _results(pages):
        if values:
            sums[name] = sums.get(name, 0.0) + sum(values)
    return round(max(sums.values())) if sums else None


def _query(name: str, namespace: str, metric: str, dimensions: Mapping[str, str]) -> dict[str, Any]:
    pairs = [{"Name": key, "Value": value} for key, value in dimensions.items()]
    described = {"Namespace": namespace, "MetricName": metric, "Dimensions": pairs}
    return {"Id": name, "MetricStat": {"Metric": described, "Period": 60, "Stat": "Sum"}}


def _results(pages: Any) -> Iterator[tuple[str, list[float]]]:
    for page in pages:
        for result in page["MetricDataResults"]:
            yield result["Id"], result["Values"]


def _judged(
    progress: RestoreProgress, redone: int, sent: int | None, *, marker_found: bool, skip_count: bool
) -> Applied | None:
    """Return the result if all conditions hold, or None."""
    if not marker_found:
        return None
    if progress.everything or (sent is not None and redone >= sent) or (sent is None and skip_count):
        return Applied(redone, sent, complete=True)
    return None


def _given_up(
    progress: RestoreProgress, redone: int, sent: int | None, waited: timedelta, *, marker_found: bool
) -> Applied | None:
    """Return None while waiting may help; then an incomplete result if the restore accepts gaps.

    Raise `IncompleteReplayError` or `DeployError` otherwise.
    """
    limit = NO_METRIC_SECONDS if marker_found and sent is None else SHORT_SECONDS
    if waited <= timedelta(seconds=limit):
        return None
    if not marker_found:
        raise IncompleteReplayError(
            f"The restore's marker was not received within {limit / 60:.0f} minutes after the replay. {AGAIN}"
        )
    if progress.gap:
        return Applied(redone, sent, complete=False)
    if sent is None:
        raise DeployError(
            f"{redone:,} events were applied, but CloudWatch has no count of the events that were sent, to compare it "
            "with. Bookings stay closed: run the command again later. To continue without this comparison: "
            "COUNT=skip. To revoke every active link: GAP=revoke."
        )
    raise IncompleteReplayError(
        f"{sent:,} events were sent, {redone:,} applied. {AGAIN} To continue without the others, and revoke every "
        "active link: GAP=revoke."
    )


def _number(sent: int | None) -> str:
    return "an unknown number of" if sent is None else f"{sent:,}"


def _missing(sent: int | None, marker_found: bool) -> str:  # noqa: FBT001 - private
    if not marker_found:
        return "the last event"
    return "CloudWatch's count" if sent is None else "the others"
