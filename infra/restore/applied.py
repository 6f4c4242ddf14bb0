"""Wait until every replayed event is applied; docs/adr/0014-restore.md explains the conditions.

AWS has no exact count of an archive's events, so five conditions are required together: the replay is complete and
EventBridge has stopped retrying, the marker was received, the queue has been empty for two minutes, its dead-letter
queue is empty, and at least as many messages were applied as CloudWatch counts, whose count has not changed for three
minutes. A restore that accepts gaps also continues with dead letters or without its marker, and then revokes every
active link.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from infra.restore.replay import (
    AGAIN,
    POLL_SECONDS,
    WAIT_SECONDS,
    IncompleteReplayError,
    marker_id,
)
from infra.restore.steps import count_messages
from infra.stack.account import Account, DeployError
from infra.stack.clock import Clock
from infra.stack.restore_progress import RestoreProgress
from infra.stack.unpublished import waiting_messages

# SQS's counts "may not achieve consistency until at least 1 minute after the producers stop sending messages".
QUIET_SECONDS: Final = 130.0
# RestoreRule's target retries for 300 s; then an event is in RestoreQueue or in RestoreDlq.
RETRY_SECONDS: Final = 330.0
# CloudWatch's counts may arrive late, minute by minute: they are believed once they stay the same for this long.
STEADY_SECONDS: Final = 180.0
NO_METRIC_SECONDS: Final = 15 * 60.0
SHORT_SECONDS: Final = 30 * 60.0


@dataclass(frozen=True)
class Applied:
    """How many events were applied, and how many were sent by CloudWatch's count; None if it has none.

    `complete` is False if events may be missing. `dead` is how many messages are in RestoreDlq.
    """

    applied: int
    sent: int | None
    complete: bool
    dead: int = 0


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
    count, counting_since = _Count(None, clock.now()), None
    while True:
        dead = wait_until_quiet(
            account, found, completed + timedelta(seconds=RETRY_SECONDS), clock, accept_dead=progress.gap
        )
        messages, marker_found = count_messages(account, found, run, marker_id(marker), clock=clock)
        applied, now = messages - progress.counted_before, clock.now()
        count = count.after(sent_messages(account, found, started, now), now)
        counting_since = counting_since or now
        if marker_found and dead:
            return Applied(applied, count.sent, complete=False, dead=dead)
        if marker_found and (progress.everything or count.is_met(applied, now, skip_count=skip_count)):
            return Applied(applied, count.sent, complete=True)
        if _given_up(progress, applied, count.sent, now - counting_since, marker_found=marker_found):
            return Applied(applied, count.sent, complete=False, dead=dead)
        missing = _missing(applied, count.sent, marker_found=marker_found)
        say(f"Applied {applied:,} of {_number(count.sent)} events; waiting for {missing} …")


@dataclass(frozen=True)
class _Count:
    """CloudWatch's count of the messages that were sent; None if it has none. `since` is when it was first read."""

    sent: int | None
    since: datetime

    def after(self, sent: int | None, now: datetime) -> "_Count":
        """Return the count after another read. The marker was sent, so 0 only means that there is no data yet."""
        known = sent or None
        return self if known == self.sent else _Count(known, now)

    def is_met(self, applied: int, now: datetime, *, skip_count: bool) -> bool:
        """Return whether at least as many messages were applied as were sent."""
        if self.sent is None:
            return skip_count
        return applied >= self.sent and now - self.since >= timedelta(seconds=STEADY_SECONDS)


def wait_for_earlier(
    account: Account,
    found: Mapping[str, str],
    ended: datetime | None,
    *,
    accept_dead: bool,
    say: Callable[[str], None],
    clock: Clock,
) -> None:
    """Wait until no message of an earlier replay, which ended at a time, is in the queue or can still reach it.

    Raise `IncompleteReplayError` if one could not be applied, unless `accept_dead`.
    """
    now = clock.now()
    earliest = ended + timedelta(seconds=RETRY_SECONDS) if ended else now
    if earliest > now or waiting_messages(account, found["RestoreQueueUrl"]):
        say("Waiting until the events of an earlier replay are applied …")
        wait_until_quiet(account, found, earliest, clock, accept_dead=accept_dead)


def wait_until_quiet(
    account: Account, found: Mapping[str, str], earliest: datetime, clock: Clock, *, accept_dead: bool
) -> int:
    """Wait until the queue of replayed events has been empty for two minutes after `earliest`.

    Return how many events could not be applied. Raise `IncompleteReplayError` if there are any, unless `accept_dead`.
    """
    give_up = clock.now() + timedelta(seconds=WAIT_SECONDS)
    quiet_since: datetime | None = None
    while True:
        waiting = waiting_messages(account, found["RestoreQueueUrl"])
        dead = waiting_messages(account, found["RestoreDlqUrl"])
        if dead and not accept_dead:
            raise IncompleteReplayError(
                f"Events that could not be applied: {dead}, in {found['RestoreDlqUrl']}. Bookings stay closed: "
                "fix the cause, redrive that queue, and run the command again: it replays the events again. To "
                "continue without them, and revoke every active link: GAP=revoke."
            )
        now = clock.now()
        quiet_since = None if waiting or now < earliest else quiet_since or now
        if quiet_since and now - quiet_since > timedelta(seconds=QUIET_SECONDS):
            return dead
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


def _given_up(
    progress: RestoreProgress, applied: int, sent: int | None, waited: timedelta, *, marker_found: bool
) -> bool:
    """Return whether waiting longer is useless and the restore accepts gaps.

    Raise `IncompleteReplayError` or `DeployError` if it is useless and the restore does not.
    """
    limit = NO_METRIC_SECONDS if marker_found and sent is None else SHORT_SECONDS
    if waited <= timedelta(seconds=limit):
        return False
    if progress.gap:
        return True
    if not marker_found:
        raise IncompleteReplayError(
            f"The restore's marker was not received within {limit / 60:.0f} minutes after the replay. {AGAIN} To "
            "continue without it, and revoke every active link: GAP=revoke."
        )
    if sent is None:
        raise DeployError(
            f"{applied:,} events were applied, but CloudWatch has no count of the events that were sent, to compare it "
            "with. Bookings stay closed: run the command again later. To continue without this comparison: "
            "COUNT=skip. To revoke every active link: GAP=revoke."
        )
    if applied >= sent:  # the count has just changed
        return False
    raise IncompleteReplayError(
        f"{sent:,} events were sent, {applied:,} applied. {AGAIN} To continue without the others, and revoke every "
        "active link: GAP=revoke."
    )


def _number(sent: int | None) -> str:
    return "an unknown number of" if sent is None else f"{sent:,}"


def _missing(applied: int, sent: int | None, *, marker_found: bool) -> str:
    if not marker_found:
        return "the last event"
    return "the others" if sent is not None and applied < sent else "CloudWatch's count"
