"""The CloudWatch alarms: of each function, queue, stream and schedule, of the API and of the table."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from chalicelib.store.items import INDEX_KEYS
from infra.package.alarm import SILENCE_IS_BAD, Alarm
from infra.package.functions import DIRECT, logical_id
from infra.package.metrics import DIRECT_FAILURES, NAMESPACE, REJECTING, STUCK_MESSAGES

# CloudFormation rolls back a deployment during which one of these alarms goes off. It accepts at most five.
WATCHED: Final = ("DeploymentErrorsAlarm", "OutboxErrorsAlarm")

# These functions run every minute.
SCHEDULED: Final = ("expiry", "webhook_retry")

# How old the oldest message of a queue may be: longer than a message waits by design, or between two attempts.
# SQS leaves a message out of this metric after three attempts; `STUCK_MESSAGES` counts those.
MINUTES_IN_QUEUE: Final = {
    "CommandQueue": 15,
    "ImportQueue": 45,  # a file that failed is retried after 30 minutes
    "MailFeedbackQueue": 15,
    "MailQueue": 20,  # an email about a change waits for MailWaitSeconds, at most 10 minutes
    "OutboxRetryQueue": 30,
    "RestoreQueue": 30,
    "WebhookEventQueue": 15,
    "WebhookQueue": 30,  # a retry waits in the queue for up to 15 minutes
}


@dataclass(frozen=True, kw_only=True)
class Watched:
    """What the alarms watch: functions by name; queues and the functions that read the stream by logical id."""

    functions: Sequence[str]
    queues: Sequence[str]
    dead: Sequence[str]
    streams: Sequence[str]


def alarms(watched: Watched) -> Iterator[Alarm]:
    """Yield all alarms."""
    yield from _function_alarms(watched.functions)
    yield from _schedule_alarms()
    yield from _dead_letter_alarms(watched.dead)
    yield from _queue_alarms(watched.queues)
    yield from _stream_alarms(watched.streams)
    yield from _api_alarms()
    yield from _spike_alarms()
    yield from _table_alarms()


def _function_alarms(names: Sequence[str]) -> Iterable[Alarm]:
    heading = "A function failed or was throttled"
    to_do = (
        "Queues and the stream retry by themselves. Read the traceback in its log group and fix the cause."
    )
    for name in names:
        if name in DIRECT:
            continue
        function = logical_id(name)
        errors: dict[str, Any] = {
            "namespace": "AWS/Lambda",
            "metric": "Errors",
            "dimensions": {"FunctionName": {"Ref": function}},
        }
        counted = {"namespace": NAMESPACE, "metric": f"{function}Failures"}
        yield Alarm(
            name=f"{function}Errors",
            what=f"The function {name} raised an error, timed out or ran out of memory.",
            to_do=to_do, heading=heading, statistic="Sum", above=0, **(counted if name in REJECTING else errors),
        )  # fmt: skip
    yield Alarm(
        name="DirectFunctionsErrors",
        what=f"One of {', '.join(sorted(DIRECT))} failed, timed out or ran out of memory.",
        to_do="The caller can retry. Find the failure in these functions' logs and fix the cause.",
        heading=heading, namespace=NAMESPACE, metric=DIRECT_FAILURES, statistic="Sum", above=0,
    )  # fmt: skip
    yield Alarm(
        name="LambdaThrottles",
        what="Lambda did not start a function of this account and region: the concurrency quota is used up.",
        to_do="Find the function that uses it on the dashboard, and raise the quota Concurrent executions.",
        heading=heading, namespace="AWS/Lambda", metric="Throttles", statistic="Sum", above=0,
    )  # fmt: skip


def _schedule_alarms() -> Iterable[Alarm]:
    for name in SCHEDULED:
        yield Alarm(
            name=f"{logical_id(name)}Stopped",
            what=f"The function {name} has not run for 15 minutes; its schedule starts it every minute.",
            to_do="Check that its rule is enabled and may invoke it, and that the function is not throttled.",
            heading="A schedule stands still", namespace="AWS/Lambda", metric="Invocations", statistic="Sum",
            below=1, dimensions={"FunctionName": {"Ref": logical_id(name)}}, periods=3, missing=SILENCE_IS_BAD,
        )  # fmt: skip


def _dead_letter_alarms(dead: Sequence[str]) -> Iterable[Alarm]:
    for queue in dead:
        yield Alarm(
            name=queue,
            what=f"The dead-letter queue {queue} holds messages that failed for good; they expire within 14 days.",
            to_do="Read a message for its reason, fix the cause, then redrive the queue.",
            heading="A dead-letter queue is not empty",
            namespace="AWS/SQS",
            metric="ApproximateNumberOfMessagesVisible",
            statistic="Maximum",
            above=0,
            dimensions={"QueueName": {"Fn::GetAtt": [queue, "QueueName"]}},
        )


def _queue_alarms(queues: Sequence[str]) -> Iterable[Alarm]:
    heading = "A queue stands still"
    for queue in queues:
        minutes = MINUTES_IN_QUEUE[queue]
        yield Alarm(
            name=f"{queue}Old",
            what=f"The oldest message in {queue} has waited for more than {minutes} minutes.",
            to_do="Check that the queue's event source mapping is enabled and that its function is not throttled.",
            heading=heading, namespace="AWS/SQS", metric="ApproximateAgeOfOldestMessage", statistic="Maximum",
            above=minutes * 60, dimensions={"QueueName": {"Fn::GetAtt": [queue, "QueueName"]}}, periods=2,
        )  # fmt: skip
    yield Alarm(
        name="StuckMessages",
        what="A message failed that is older than 15 minutes and was received three times or more.",
        to_do="Find the lines with the event message-stuck in the functions' logs, and fix the cause.",
        heading=heading, namespace=NAMESPACE, metric=STUCK_MESSAGES, statistic="Sum", above=0,
    )  # fmt: skip


def _stream_alarms(functions: Sequence[str]) -> Iterable[Alarm]:
    for function in functions:
        # `expiry` writes a heartbeat into the table every minute, so a period without data means that no record of the
        # stream reached the function.
        yield Alarm(
            name=f"{function}Behind",
            what="Events, webhooks and emails are more than five minutes late, or the stream is not read at all. "
            "After 24 hours their records are lost.",
            to_do=f"Check that the function {function} does not fail and that its event source mapping is enabled.",
            heading="The stream is behind",
            namespace="AWS/Lambda",
            metric="IteratorAge",
            statistic="Maximum",
            above=5 * 60 * 1000,
            dimensions={"FunctionName": {"Ref": function}},
            periods=3,
            missing=SILENCE_IS_BAD,
        )


def _api_alarms() -> Iterable[Alarm]:
    # ApiName is the stack's name, so that stages in one account have separate metrics.
    api = {"ApiName": {"Ref": "AWS::StackName"}, "Stage": "api"}
    heading = "The API is slow or returns 5xx"
    yield Alarm(
        name="SlowAnswers",
        what="For 15 minutes, one response in a hundred took longer than LatencyAlarmMilliseconds.",
        to_do="Compare the latency of API and functions on the dashboard to find the slow part.", heading=heading,
        namespace="AWS/ApiGateway", metric="Latency", statistic="p99", above={"Ref": "LatencyAlarmMilliseconds"},
        dimensions=api, periods=3,
    )  # fmt: skip
    yield Alarm(
        name="ServerErrors", what="The API returned 5xx: callers could not book or manage links.",
        to_do="Find the requests in the access log, then their lambdaRequestId in the function's log.", heading=heading,
        namespace="AWS/ApiGateway", metric="5XXError", statistic="Sum", above=0, dimensions=api,
    )  # fmt: skip
    # The average of 5XXError is the share of requests that got a 5xx. Three minutes of five, because a single 5xx,
    # however few the requests, must not undo a deployment.
    yield Alarm(
        name="DeploymentErrors",
        what="In three minutes of the last five, more than one request in twenty got a 5xx.",
        to_do="CloudFormation rolled back a deployment if one was running. Find the requests as for ServerErrorsAlarm.",
        heading=heading, namespace="AWS/ApiGateway", metric="5XXError", statistic="Average", above=0.05,
        dimensions=api, period_seconds=60, periods=5, datapoints=3,
    )  # fmt: skip


def _spike_alarms() -> Iterable[Alarm]:
    for metric, what, to_do in (
        ("ForgedTokens", "Many requests had a forged token: somebody is guessing, which can't succeed.",
         "To bound the cost, set WafRateLimit and ThrottleRate."),
        ("Denials", "Many requests used a link that is used, expired, revoked or not open yet.",
         "Find the links in the link.denied events: one was published, or a mailing went out with used links."),
        ("BadApiKeys", "Many requests had an unknown or revoked API key.",
         "Find the caller's IP address in the access log: usually it is a program whose key was revoked."),
    ):  # fmt: skip
        yield Alarm(
            name=metric, what=what, to_do=to_do, heading="Suspicious requests",
            namespace=NAMESPACE, metric=metric, statistic="Sum", above={"Ref": "SpikeAlarmRequests"},
        )  # fmt: skip


def _table_alarms() -> Iterable[Alarm]:
    """Yield two alarms for the table and for each index: the table's metric leaves out the indexes.

    ThrottledRequests, by operation, leaves out a BatchGetItem of which one key is not throttled.
    """
    for index in (None, *INDEX_KEYS):
        dimensions: dict[str, Any] = {"TableName": {"Ref": "Table"}}
        name, where = "Table", "the table"
        if index is not None:
            dimensions["GlobalSecondaryIndexName"] = index
            name, where = f"{index[0].upper()}{index[1:]}Index", f"the index {index}"
        for kind in ("Read", "Write"):
            yield Alarm(
                name=f"{name}{kind}sThrottled",
                what=f"DynamoDB throttled {kind.lower()}s of {where}: a partition is hot, or traffic rose too fast.",
                to_do="Callers got 429 or 503 and can retry. Find the hot partition in docs/scale.md, or warm the "
                "table.",
                heading="The table throttles",
                namespace="AWS/DynamoDB", metric=f"{kind}ThrottleEvents", statistic="Sum", above=0,
                dimensions=dimensions,
            )  # fmt: skip
