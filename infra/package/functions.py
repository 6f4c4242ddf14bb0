"""The parts that every Lambda function has: environment variables, a log group, and permission to write to it."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from chalice.utils import to_cfn_resource_name

HTTP: Final = "api_handler"
AUTHORIZER: Final = "authorizer"

# Callers invoke these functions by name and get the result.
DIRECT: Final = frozenset({"generate_links", "list_links", "redeem_link", "revoke_links"})

# The requests of these functions contain tokens and keys in URLs and headers, so X-Ray must not trace them (P7).
UNTRACED: Final = frozenset({HTTP, AUTHORIZER})
_OWN_ADDRESS: Final = "https://${RestAPI}.execute-api.${AWS::Region}.${AWS::URLSuffix}/api"


def logical_id(function: str) -> str:
    """Return the name of a function in Chalice's template."""
    name: str = "APIHandler" if function == HTTP else to_cfn_resource_name(function)
    return name


def log_group_id(function: str) -> str:
    """Return the name of a function's log group in the template."""
    return f"{logical_id(function)}LogGroup"


def read_config(project: Path) -> dict[str, Any]:
    """Return Chalice's configuration."""
    config: dict[str, Any] = json.loads((project / ".chalice" / "config.json").read_text())
    return config


def with_tracing(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return Chalice's configuration with X-Ray enabled, except for the `UNTRACED` functions."""
    functions = {
        name: {**entry, "xray": name not in UNTRACED} for name, entry in config["lambda_functions"].items()
    }
    return {**config, "lambda_functions": functions}


def complete_policy(function: str, policy: Mapping[str, Any]) -> dict[str, Any]:
    """Return a function's policy with the permissions that every function has: to write its log and its traces."""
    logs = {
        "Sid": "OwnLog",
        "Effect": "Allow",
        "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
        "Resource": [{"Fn::GetAtt": [log_group_id(function), "Arn"]}],
    }
    traces = {
        "Sid": "Traces",  # these two actions don't support resources
        "Effect": "Allow",
        "Action": ["xray:PutTelemetryRecords", "xray:PutTraceSegments"],
        "Resource": ["*"],
    }
    common = [logs] if function in UNTRACED else [logs, traces]
    return {**policy, "Statement": [*policy["Statement"], *common]}


def common_fragment(functions: Iterable[str]) -> dict[str, Any]:
    """Return a fragment of the template with the environment, the logging and the log group of each function."""
    resources: dict[str, Any] = {}
    for function in sorted(functions):
        resources[logical_id(function)] = {
            "Properties": {
                "Environment": {"Variables": _environment(function)},
                "LoggingConfig": {
                    "LogFormat": "JSON",
                    "ApplicationLogLevel": "INFO",  # Python's default, WARNING, would hide progress
                    "LogGroup": {"Ref": log_group_id(function)},
                },
            }
        }
        resources[log_group_id(function)] = {
            "Type": "AWS::Logs::LogGroup",
            "Properties": {
                "LogGroupName": {"Fn::Sub": f"/aws/lambda/${{AWS::StackName}}-{function}"},
                "RetentionInDays": {"Ref": "LogRetentionDays"},
            },
        }
    return {"Resources": resources}


def _environment(function: str) -> dict[str, Any]:
    # A function behind the REST API can't refer to the API's address, because that would be a circular dependency.
    # It reads the address from the request.
    own = {"Ref": "AWS::NoValue"} if function in UNTRACED else {"Fn::Sub": _OWN_ADDRESS}
    domain = {"Fn::If": ["HasDomain", {"Fn::Sub": "https://${DomainName}"}, own]}
    return {
        "TABLE_NAME": {"Ref": "Table"},
        "SIGNING_SECRET_ID": {"Ref": "SigningSecret"},
        "BASE_URL": {"Fn::If": ["HasBaseUrl", {"Ref": "BaseUrl"}, domain]},
        "RETENTION_LINK_DAYS": {"Ref": "RetentionLinkDays"},
        "RETENTION_BOOKING_DAYS": {"Ref": "RetentionBookingDays"},
        "RETENTION_HISTORY_DAYS": {"Ref": "RetentionHistoryDays"},
        "MOVES_PER_BOOKING": {"Ref": "MovesPerBooking"},
        "RESTORES_PER_LINK": {"Ref": "RestoresPerLink"},
        "BOOKINGS_CLOSED": {"Ref": "BookingsClosed"},
    }
