"""The dashboard: graphs of the API, the functions, the queues and the table."""

import json
from collections.abc import Sequence
from typing import Any, Final

from infra.package.alarm import PERIOD_SECONDS
from infra.package.metrics import COUNTED

_DEPTH: Final = "ApproximateNumberOfMessagesVisible"


def dashboard(
    functions: Sequence[str], queues: Sequence[str], dead: Sequence[str], streams: Sequence[str]
) -> dict[str, Any]:
    """Return the dashboard as a resource; all names are logical ids."""
    api = ["ApiName", "${AWS::StackName}", "Stage", "api"]
    waiting = [name for name in queues if name not in dead]
    graphs = [
        ("API: requests", "Sum", [["AWS/ApiGateway", name, *api] for name in ("Count", "4XXError", "5XXError")]),
        ("API: latency in ms, p99", "p99", [["AWS/ApiGateway", "Latency", *api]]),
        ("Suspicious requests", "Sum", [["AdmitOne/${AWS::StackName}", name] for name in COUNTED]),
        ("Functions: errors, including rejections", "Sum", _of_each("Errors", functions)),
        ("Functions: duration in ms, p99", "p99", _of_each("Duration", functions)),
        ("Functions: concurrent executions", "Maximum", _of_each("ConcurrentExecutions", functions)),
        ("Outbox: ms behind the stream", "Maximum", _of_each("IteratorAge", streams)),
        ("Queues: messages", "Maximum", _of_queues(_DEPTH, waiting)),
        ("Queues: age of the oldest message in s", "Maximum", _of_queues("ApproximateAgeOfOldestMessage", waiting)),
        ("Dead-letter queues: messages", "Maximum", _of_queues(_DEPTH, dead)),
        ("Table: capacity units", "Sum", [
            ["AWS/DynamoDB", name, "TableName", "${Table}"]
            for name in ("ConsumedReadCapacityUnits", "ConsumedWriteCapacityUnits")
        ]),
    ]  # fmt: skip
    shown = [graph for graph in graphs if graph[2]]
    widgets = [
        {
            "type": "metric", "width": 12, "height": 6, "x": 12 * (at % 2), "y": 6 * (at // 2),
            "properties": {
                "title": title, "stat": statistic, "period": PERIOD_SECONDS, "region": "${AWS::Region}",
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


def _of_queues(metric: str, queues: Sequence[str]) -> list[list[str]]:
    return [["AWS/SQS", metric, "QueueName", f"${{{queue}.QueueName}}"] for queue in queues]
