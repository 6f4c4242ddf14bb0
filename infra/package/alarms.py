"""The CloudWatch alarms: of each function, dead-letter queue and stream, of the API and of the table."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from infra.package.functions import logical_id
from infra.package.metrics import NAMESPACE, REJECTING

# CloudFormation rolls back a deployment during which one of these alarms goes off. It accepts at most five.
WATCHED: Final = ("ServerErrorsAlarm", "APIHandlerErrorsAlarm", "AuthorizerErrorsAlarm", "OutboxErrorsAlarm")

PERIOD_SECONDS: Final = 300


@dataclass(frozen=True, kw_only=True)
class Alarm:
    """One alarm. `statistic` may be a percentile; `periods` are of five minutes.

    CloudWatch emails the description. It consists of `what`, the event and its meaning; `to_do`, the next step; and
    `heading`, the section of docs/operate.md to read.
    """

    name: str
    what: str
    to_do: str
    heading: str
    namespace: Any
    metric: str
    statistic: str
    above: Any
    dimensions: Mapping[str, Any] = field(default_factory=dict)
    periods: int = 1
    condition: str | None = None

    def resource(self) -> dict[str, Any]:
        """Return the alarm as a CloudFormation resource."""
        statistic = (
            {"ExtendedStatistic": self.statistic}
            if re.match(r"p\d", self.statistic)
            else {"Statistic": self.statistic}
        )
        properties: dict[str, Any] = {
            "AlarmDescription": f'{self.what} {self.to_do} See docs/operate.md, "{self.heading}".',
            "Namespace": self.namespace,
            "MetricName": self.metric,
            **statistic,
            "Period": PERIOD_SECONDS,
            "EvaluationPeriods": self.periods,
            "ComparisonOperator": "GreaterThanThreshold",
            "Threshold": self.above,
            "TreatMissingData": "notBreaching",
            "AlarmActions": [{"Ref": "AlarmTopic"}],
            "OKActions": [{"Ref": "AlarmTopic"}],
        }
        if self.dimensions:
            properties["Dimensions"] = [
                {"Name": name, "Value": value} for name, value in self.dimensions.items()
            ]
        return {"Type": "AWS::CloudWatch::Alarm", "Properties": properties}


def alarms(functions: Sequence[str], dead: Sequence[str], streams: Sequence[str]) -> Iterator[Alarm]:
    """Yield all alarms. `dead` names the dead-letter queues, `streams` the functions that read the table's stream."""
    yield from _function_alarms(functions)
    yield from _queue_alarms(dead)
    yield from _stream_alarms(streams)
    yield from _api_alarms()
    yield from _table_alarms()


def _function_alarms(names: Sequence[str]) -> Iterable[Alarm]:
    for name in names:
        function = logical_id(name)
        common: dict[str, Any] = {
            "namespace": "AWS/Lambda",
            "dimensions": {"FunctionName": {"Ref": function}},
        }
        counted = {"namespace": NAMESPACE, "metric": f"{function}Failures"}
        heading = "A function failed or was throttled"
        yield Alarm(
            name=f"{function}Errors",
            what=f"The function {name} raised an error, timed out or ran out of memory.",
            to_do="Queues and the stream retry by themselves. Read the traceback in its log group and fix the cause.",
            heading=heading, statistic="Sum", above=0,
            **(counted if name in REJECTING else {**common, "metric": "Errors"}),
        )  # fmt: skip
        yield Alarm(
            name=f"{function}Throttles",
            what=f"Lambda did not start the function {name}: the account's concurrency is used up.",
            to_do="Find the function that uses it on the dashboard, and raise the quota Concurrent executions.",
            heading=heading, metric="Throttles", statistic="Sum", above=0, **common,
        )  # fmt: skip


def _queue_alarms(dead: Sequence[str]) -> Iterable[Alarm]:
    for queue in dead:
        yield Alarm(
            name=queue,
            what=f"The dead-letter queue {queue} holds messages that failed for good; they expire after 14 days.",
            to_do="Read a message for its reason, fix the cause, then redrive the queue.",
            heading="A dead-letter queue is not empty",
            namespace="AWS/SQS",
            metric="ApproximateNumberOfMessagesVisible",
            statistic="Maximum",
            above=0,
            dimensions={"QueueName": {"Fn::GetAtt": [queue, "QueueName"]}},
        )


def _stream_alarms(functions: Sequence[str]) -> Iterable[Alarm]:
    for function in functions:
        yield Alarm(
            name=f"{function}Behind",
            what="Events, webhooks and emails are more than five minutes late. After 24 hours their records are lost.",
            to_do=f"Check whether the function {function} fails or is throttled, and fix the cause.",
            heading="The stream is behind",
            namespace="AWS/Lambda",
            metric="IteratorAge",
            statistic="Maximum",
            above=5 * 60 * 1000,
            dimensions={"FunctionName": {"Ref": function}},
            periods=2,
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
    yield from _spike_alarms()


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
    for metric, what, to_do in (
        ("ThrottledRequests", "DynamoDB throttled requests: a partition is hot, or traffic rose too fast.",
         "Callers got 429 or 503 and can retry. Find the hot partition in docs/scale.md, or warm the table."),
        ("SystemErrors", "DynamoDB failed with an internal error.",
         "Calls are retried. Look at the AWS Health Dashboard."),
    ):  # fmt: skip
        for operation in ("GetItem", "Query", "TransactWriteItems"):
            yield Alarm(
                name=f"Table{metric}{operation}", what=what, to_do=to_do, heading="The table throttles or fails",
                namespace="AWS/DynamoDB", metric=metric, statistic="Sum", above=0,
                dimensions={"TableName": {"Ref": "Table"}, "Operation": operation},
            )  # fmt: skip
