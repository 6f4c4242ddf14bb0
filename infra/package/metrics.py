"""Metrics from logs: suspicious requests, failures of functions that report rejections as errors, stuck messages."""

from collections.abc import Iterable
from typing import Any, Final

from chalicelib.domain.errors import TryLaterError
from chalicelib.wire.problems import STATUSES, lambda_error_name
from infra.package.functions import AUTHORIZER, DIRECT, log_group_id, logical_id

NAMESPACE: Final = {"Fn::Sub": "AdmitOne/${AWS::StackName}"}

# These functions reject by raising, as API Gateway and Step Functions require, and Lambda counts that as an error.
# A wrong key or a used link is not a failure, so their failures are counted from their logs.
REJECTING: Final = DIRECT | {AUTHORIZER}

# The metric of the failures of all direct functions together: each caller sees its own failure, so one alarm is enough.
DIRECT_FAILURES: Final = "DirectFunctionsFailures"

# The metric of messages that keep failing. Lambda counts no error for a message that a function returns for retry.
STUCK_MESSAGES: Final = "StuckMessages"
STUCK_PATTERN: Final = '{ $.event = "message-stuck" }'

# Requests to count, from the access log, which contains neither paths nor tokens.
COUNTED: Final = {
    "ForgedTokens": '{ ($.resource = "/s/*" || $.resource = "/b/*") && $.status = "404" }',
    "Denials": '{ $.resource = "/s/*" && ($.status = "403" || $.status = "410") }',
    "BadApiKeys": '{ $.resource = "/v1/*" && $.status = "401" }',
}


def metric_filters(functions: Iterable[str], consumers: Iterable[str]) -> dict[str, Any]:
    """Return the metric filters as resources.

    They read the access log, the logs of those of `functions` that are `REJECTING`, and the logs of `consumers`, the
    logical ids of the functions that read queues.
    """
    failures = {
        f"{logical_id(name)}FailuresMetric": _failures(name) for name in functions if name in REJECTING
    }
    stuck = {
        f"{name}StuckMetric": _rare_metric(f"{name}LogGroup", STUCK_PATTERN, STUCK_MESSAGES)
        for name in consumers
    }
    return (
        failures
        | stuck
        | {
            f"{name}Metric": {
                "Type": "AWS::Logs::MetricFilter",
                "Properties": {
                    "LogGroupName": {"Ref": "AccessLogGroup"},
                    "FilterPattern": pattern,
                    "MetricTransformations": [
                        {
                            "MetricNamespace": NAMESPACE,
                            "MetricName": name,
                            "MetricValue": "1",
                            "DefaultValue": 0,
                        }
                    ],
                },
            }
            for name, pattern in COUNTED.items()
        }
    )


def _failures(function: str) -> dict[str, Any]:
    metric = DIRECT_FAILURES if function in DIRECT else f"{logical_id(function)}Failures"
    return _rare_metric(log_group_id(function), failure_pattern(), metric)


def _rare_metric(log_group: str, pattern: str, metric: str) -> dict[str, Any]:
    # Without a default value, the metric does not exist and costs nothing until something fails.
    transformation = {"MetricNamespace": NAMESPACE, "MetricName": metric, "MetricValue": "1"}
    return {
        "Type": "AWS::Logs::MetricFilter",
        "Properties": {
            "LogGroupName": {"Ref": log_group},
            "FilterPattern": pattern,
            "MetricTransformations": [transformation],
        },
    }


def failure_pattern() -> str:
    """Return the filter pattern for the logs of `REJECTING` functions. It matches failures, and no rejections.

    In a JSON log, a raised error has `errorType` at the top level. If a call runs out of time or memory, Lambda reports
    it in a `record`. Unknown error names count as failures.
    """
    rejections = {
        lambda_error_name(error)
        for error, status in STATUSES.items()
        if status < 500 and not issubclass(error, TryLaterError)
    }
    raised = " && ".join(['$.errorType = "*"', *(f'$.errorType != "{name}"' for name in sorted(rejections))])
    ended = (
        '$.record.status = "timeout"',
        '$.record.errorType = "Runtime.*"',
        '$.record.errorType = "Sandbox.*"',
    )
    return f"{{ ({raised}) || {' || '.join(ended)} }}"
