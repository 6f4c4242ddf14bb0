"""Alarms to one topic, and a dashboard: for each function, queue and API in the template."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from chalicelib.domain.errors import TryLaterError
from chalicelib.wire.problems import STATUSES, lambda_error_name
from infra.package.functions import AUTHORIZER, log_group_id, logical_id

# A deployment is taken back when one of these goes off meanwhile; CloudFormation takes five at most.
WATCHED: Final = ("ServerErrorsAlarm", "APIHandlerErrorsAlarm", "AuthorizerErrorsAlarm", "OutboxErrorsAlarm")

_QUEUE: Final = "AWS::SQS::Queue"
_FIVE_MINUTES: Final = 300
_NAMESPACE: Final = {"Fn::Sub": "AdmitOne/${AWS::StackName}"}

# These say no by raising, which is all that API Gateway and Step Functions understand; Lambda counts it as an error.
# A wrong key or a used link is no failure of ours, so what is counted of them is read from their logs.
REFUSING: Final = frozenset({AUTHORIZER, "generate_links", "list_links", "redeem_link", "revoke_links"})

# Which requests to count, read from the access log, where neither a path nor a token is.
_COUNTED: Final = {
    "ForgedTokens": '{ ($.resource = "/s/*" || $.resource = "/b/*") && $.status = "404" }',
    "Denials": '{ $.resource = "/s/*" && ($.status = "403" || $.status = "410") }',
    "BadApiKeys": '{ $.resource = "/v1/*" && $.status = "401" }',
}


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
            "Period": _FIVE_MINUTES,
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


def failure_pattern() -> str:
    """Return the filter of a log of one that is `REFUSING`: all that it raised but refusals, and what ended it.

    In a log of format JSON a raised error has its `errorType` at the top, and Lambda's own word on a call that ran out
    of time or memory has a `record`. An error of a name that is not known here counts.
    """
    refusals = {
        lambda_error_name(error)
        for error, status in STATUSES.items()
        if status < 500 and not issubclass(error, TryLaterError)
    }
    raised = " && ".join(['$.errorType = "*"', *(f'$.errorType != "{name}"' for name in sorted(refusals))])
    ended = (
        '$.record.status = "timeout"',
        '$.record.errorType = "Runtime.*"',
        '$.record.errorType = "Sandbox.*"',
    )
    return f"{{ ({raised}) || {' || '.join(ended)} }}"


def dead_letter_queues(template: Mapping[str, Any]) -> list[str]:
    """Return the logical ids of the queues that hold what failed: by their name."""
    return sorted(
        name
        for name, resource in template["Resources"].items()
        if resource.get("Type") == _QUEUE and re.search(r"(?i)dlq$|dead_?letter", name)
    )


def observing_fragment(functions: Iterable[str], fragments: Mapping[str, Any]) -> dict[str, Any]:
    """Return alarms, metrics and dashboard as a fragment, for these functions and what other fragments make."""
    names = sorted(functions)
    queues = sorted(name for name, each in fragments["Resources"].items() if each.get("Type") == _QUEUE)
    dead = dead_letter_queues(fragments)
    streams = sorted(
        each["Properties"]["FunctionName"]["Ref"]
        for each in fragments["Resources"].values()
        if each.get("Type") == "AWS::Lambda::EventSourceMapping"
        and each["Properties"]["EventSourceArn"] == {"Fn::GetAtt": ["Table", "StreamArn"]}
    )
    alarms = [
        *_function_alarms(names),
        *_queue_alarms(dead),
        *_stream_alarms(streams),
        *_api_alarms(),
        *_table_alarms(),
    ]
    resources: dict[str, Any] = {f"{alarm.name}Alarm": alarm.resource() for alarm in alarms}
    resources |= _metric_filters()
    resources |= {f"{logical_id(name)}FailuresMetric": _failures(name) for name in names if name in REFUSING}
    resources["Dashboard"] = _dashboard([logical_id(name) for name in names], queues, dead, streams)
    outputs = {f"{name}Arn": {"Value": {"Fn::GetAtt": [name, "Arn"]}} for name in WATCHED}
    return {"Resources": resources, "Outputs": outputs}


def _function_alarms(names: Sequence[str]) -> Iterable[Alarm]:
    for name in names:
        function = logical_id(name)
        common: dict[str, Any] = {
            "namespace": "AWS/Lambda",
            "dimensions": {"FunctionName": {"Ref": function}},
        }
        counted = {"namespace": _NAMESPACE, "metric": f"{function}Failures"}
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
            name=metric, why=why, namespace=_NAMESPACE, metric=metric, statistic="Sum",
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


def _metric_filters() -> dict[str, Any]:
    return {
        f"{name}Metric": {
            "Type": "AWS::Logs::MetricFilter",
            "Properties": {
                "LogGroupName": {"Ref": "AccessLogGroup"},
                "FilterPattern": pattern,
                "MetricTransformations": [
                    {"MetricNamespace": _NAMESPACE, "MetricName": name, "MetricValue": "1", "DefaultValue": 0}
                ],
            },
        }
        for name, pattern in _COUNTED.items()
    }


def _failures(function: str) -> dict[str, Any]:
    # Without a default there is no metric, and nothing to pay, until something fails.
    told = {
        "MetricNamespace": _NAMESPACE,
        "MetricName": f"{logical_id(function)}Failures",
        "MetricValue": "1",
    }
    return {
        "Type": "AWS::Logs::MetricFilter",
        "Properties": {
            "LogGroupName": {"Ref": log_group_id(function)},
            "FilterPattern": failure_pattern(),
            "MetricTransformations": [told],
        },
    }


def _dashboard(
    functions: Sequence[str], queues: Sequence[str], dead: Sequence[str], streams: Sequence[str]
) -> dict[str, Any]:
    api = ["ApiName", "${AWS::StackName}", "Stage", "api"]
    waiting = [name for name in queues if name not in dead]
    graphs = [
        ("Requests", "Sum", [["AWS/ApiGateway", name, *api] for name in ("Count", "4XXError", "5XXError")]),
        ("Milliseconds to answer, p99", "p99", [["AWS/ApiGateway", "Latency", *api]]),
        ("Refused", "Sum", [["AdmitOne/${AWS::StackName}", name] for name in _COUNTED]),
        ("Functions: errors, refusals among them", "Sum", _of_each("Errors", functions)),
        ("Functions: milliseconds, p99", "p99", _of_each("Duration", functions)),
        ("Functions at once", "Maximum", _of_each("ConcurrentExecutions", functions)),
        ("Milliseconds behind the stream", "Maximum", _of_each("IteratorAge", streams)),
        ("Waiting in queues", "Maximum", _depth(waiting)),
        ("Failed for good", "Maximum", _depth(dead)),
        ("Capacity units", "Sum", [
            ["AWS/DynamoDB", name, "TableName", "${Table}"]
            for name in ("ConsumedReadCapacityUnits", "ConsumedWriteCapacityUnits")
        ]),
    ]  # fmt: skip
    shown = [graph for graph in graphs if graph[2]]
    widgets = [
        {
            "type": "metric", "width": 12, "height": 6, "x": 12 * (at % 2), "y": 6 * (at // 2),
            "properties": {
                "title": title, "stat": statistic, "period": _FIVE_MINUTES, "region": "${AWS::Region}",
                "view": "timeSeries", "metrics": metrics,
            },
        }
        for at, (title, statistic, metrics) in enumerate(shown)
    ]  # fmt: skip
    body = json.dumps({"widgets": widgets})
    return {
        "Type": "AWS::CloudWatch::Dashboard",
        "Properties": {"DashboardName": {"Ref": "AWS::StackName"}, "DashboardBody": {"Fn::Sub": body}},
    }


def _of_each(metric: str, functions: Sequence[str]) -> list[list[str]]:
    return [["AWS/Lambda", metric, "FunctionName", f"${{{function}}}"] for function in functions]


def _depth(queues: Sequence[str]) -> list[list[str]]:
    metric = "ApproximateNumberOfMessagesVisible"
    return [["AWS/SQS", metric, "QueueName", f"${{{queue}.QueueName}}"] for queue in queues]
