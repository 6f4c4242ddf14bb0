"""The alarms: for each function, dead-letter queue and stream, for the API and for the table."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from infra.package.functions import logical_id
from infra.package.metrics import NAMESPACE, REFUSING

# CloudFormation rolls a deployment back if one of these goes off meanwhile; it accepts at most five.
WATCHED: Final = ("ServerErrorsAlarm", "APIHandlerErrorsAlarm", "AuthorizerErrorsAlarm", "OutboxErrorsAlarm")

PERIOD_SECONDS: Final = 300


@dataclass(frozen=True, kw_only=True)
class Alarm:
    """One alarm. `statistic` may be a percentile; a period is five minutes."""

    name: str
    why: str
    namespace: Any
    metric: str
    statistic: str
    above: Any
    dimensions: Mapping[str, Any] = field(default_factory=dict)
    periods: int = 1
    condition: str | None = None

    def resource(self) -> dict[str, Any]:
        """Return the alarm as a resource."""
        how = (
            {"ExtendedStatistic": self.statistic}
            if re.match(r"p\d", self.statistic)
            else {"Statistic": self.statistic}
        )
        properties: dict[str, Any] = {
            "AlarmDescription": self.why,
            "Namespace": self.namespace,
            "MetricName": self.metric,
            **how,
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
    """Yield all alarms. `dead` are dead-letter queues, `streams` the functions that read the table's stream."""
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
        yield Alarm(
            name=f"{function}Errors", why=f"{name} failed: see its log group", statistic="Sum", above=0,
            **(counted if name in REFUSING else {**common, "metric": "Errors"}),
        )  # fmt: skip
        yield Alarm(
            name=f"{function}Throttles", why=f"{name} was refused: the account's concurrency is used up",
            metric="Throttles", statistic="Sum", above=0, **common,
        )  # fmt: skip


def _queue_alarms(dead: Sequence[str]) -> Iterable[Alarm]:
    for queue in dead:
        yield Alarm(
            name=queue,
            why=f"{queue} holds what failed for good: read it, mend the cause, redrive it",
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
            why="Events are told more than five minutes late; after a day the stream forgets them",
            namespace="AWS/Lambda",
            metric="IteratorAge",
            statistic="Maximum",
            above=5 * 60 * 1000,
            dimensions={"FunctionName": {"Ref": function}},
            periods=2,
        )


def _api_alarms() -> Iterable[Alarm]:
    # ApiName is the stack's name: two stages in one account are two names.
    api = {"ApiName": {"Ref": "AWS::StackName"}, "Stage": "api"}
    yield Alarm(
        name="SlowAnswers", why="One answer in a hundred takes longer than LatencyAlarmMilliseconds",
        namespace="AWS/ApiGateway", metric="Latency", statistic="p99", above={"Ref": "LatencyAlarmMilliseconds"},
        dimensions=api, periods=3,
    )  # fmt: skip
    yield Alarm(
        name="ServerErrors", why="The API answered 5xx", namespace="AWS/ApiGateway", metric="5XXError",
        statistic="Sum", above=0, dimensions=api,
    )  # fmt: skip
    for metric, why in {
        "ForgedTokens": "Many tokens that were never made: somebody guesses",
        "Denials": "Many dead links were tried: a link was passed around, or a mailing went out with used links",
        "BadApiKeys": "Many calls with a key that is none",
    }.items():
        yield Alarm(
            name=metric, why=why, namespace=NAMESPACE, metric=metric, statistic="Sum",
            above={"Ref": "SpikeAlarmRequests"},
        )  # fmt: skip


def _table_alarms() -> Iterable[Alarm]:
    for metric, why in {
        "ThrottledRequests": "DynamoDB throttles: one partition is hot, or the table grew faster than it can",
        "SystemErrors": "DynamoDB fails by itself",
    }.items():
        for operation in ("GetItem", "Query", "TransactWriteItems"):
            yield Alarm(
                name=f"Table{metric}{operation}", why=why, namespace="AWS/DynamoDB", metric=metric,
                statistic="Sum", above=0,
                dimensions={"TableName": {"Ref": "Table"}, "Operation": operation},
            )  # fmt: skip
