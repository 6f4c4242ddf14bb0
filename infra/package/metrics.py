"""Metrics from logs: suspicious requests, and failures of functions that report rejections as errors."""

from collections.abc import Iterable
from typing import Any, Final

from chalicelib.domain.errors import TryLaterError
from chalicelib.wire.problems import STATUSES, lambda_error_name
from infra.package.functions import AUTHORIZER, log_group_id, logical_id

NAMESPACE: Final = {"Fn::Sub": "AdmitOne/${AWS::StackName}"}

# These functions reject by raising, as API Gateway and Step Functions require, and Lambda counts that as an error.
# A wrong key or a used link is not a failure, so their failures are counted from their logs.
REJECTING: Final = frozenset({AUTHORIZER, "generate_links", "list_links", "redeem_link", "revoke_links"})

# Requests to count, from the access log, which contains neither paths nor tokens.
COUNTED: Final = {
    "ForgedTokens": '{ ($.resource = "/s/*" || $.resource = "/b/*") && $.status = "404" }',
    "Denials": '{ $.resource = "/s/*" && ($.status = "403" || $.status = "410") }',
    "BadApiKeys": '{ $.resource = "/v1/*" && $.status = "401" }',
}


def metric_filters(functions: Iterable[str]) -> dict[str, Any]:
    """Return the metric filters as resources: for the access log, and for those of `functions` that are `REJECTING`."""
    failures = {
        f"{logical_id(name)}FailuresMetric": _failures(name) for name in functions if name in REJECTING
    }
    return failures | {
        f"{name}Metric": {
            "Type": "AWS::Logs::MetricFilter",
            "Properties": {
                "LogGroupName": {"Ref": "AccessLogGroup"},
                "FilterPattern": pattern,
                "MetricTransformations": [
                    {"MetricNamespace": NAMESPACE, "MetricName": name, "MetricValue": "1", "DefaultValue": 0}
                ],
            },
        }
        for name, pattern in COUNTED.items()
    }


def _failures(function: str) -> dict[str, Any]:
    # Without a default value, the metric does not exist and costs nothing until something fails.
    transformation = {
        "MetricNamespace": NAMESPACE,
        "MetricName": f"{logical_id(function)}Failures",
        "MetricValue": "1",
    }
    return {
        "Type": "AWS::Logs::MetricFilter",
        "Properties": {
            "LogGroupName": {"Ref": log_group_id(function)},
            "FilterPattern": failure_pattern(),
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
