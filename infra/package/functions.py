"""The parts that every Lambda function has: environment variables, a log group, and permission to write to it."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from chalice.utils import to_cfn_resource_name

HTTP: Final = "api_handler"
AUTHORIZER: Final = "authorizer"

# Callers invoke these functions by name and get the result.
DIRECT: Final = frozenset({"generate_links", "list_links", "make_admin", "redeem_link", "revoke_links"})

# The requests of these functions contain tokens and keys in URLs and headers, so X-Ray must not trace them (P7).
UNTRACED: Final = frozenset({HTTP, AUTHORIZER})
# Some organizations let a deployer create roles only with a boundary.
BOUNDARY: Final[Mapping[str, Any]] = {
    "Fn::If": ["HasPermissionsBoundary", {"Ref": "PermissionsBoundary"}, {"Ref": "AWS::NoValue"}]
}
_OWN_ADDRESS: Final = "https://${RestAPI}.execute-api.${AWS::Region}.${AWS::URLSuffix}/api"


def logical_id(function: str) -> str:
    """Return the name of a function in Chalice's template."""
    name: str = "APIHandler" if function == HTTP else to_cfn_resource_name(function)
    return name


def role_id(function: str) -> str:
    """Return the name of a function's role in Chalice's template."""
    return f"{to_cfn_resource_name(function)}Role"


def log_group_id(function: str) -> str:
    """Return the name of a function's log group in the template."""
    return f"{logical_id(function)}LogGroup"


def read_config(project: Path) -> dict[str, Any]:
    """Return Chalice's configuration."""
    config: dict[str, Any] = json.loads((project / ".chalice" / "config.json").read_text())
    return config


def complete_policy(function: str, policy: Mapping[str, Any]) -> dict[str, Any]:
    """Return a function's policy with the permission that every function has: to write its log."""
    logs = {
        "Sid": "OwnLog",
        "Effect": "Allow",
        "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
        "Resource": [{"Fn::GetAtt": [log_group_id(function), "Arn"]}],
    }
    return {**policy, "Statement": [*policy["Statement"], logs]}


def common_fragment(functions: Iterable[str]) -> dict[str, Any]:
    """Return a fragment of the template with the environment, logging, log group and tracing of each function."""
    names = sorted(functions)
    traced = [name for name in names if name not in UNTRACED]
    resources: dict[str, Any] = {"TracesPolicy": _traces_policy(traced)}
    for function in names:
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
        resources[role_id(function)] = {"Properties": {"PermissionsBoundary": BOUNDARY}}
        if function in traced:
            # Lambda rejects a traced function whose role may not write traces yet.
            resources[logical_id(function)]["DependsOn"] = "TracesPolicy"
            tracing = {"Fn::If": ["HasTracing", "Active", "PassThrough"]}
            resources[logical_id(function)]["Properties"]["Tracing"] = tracing
        resources[log_group_id(function)] = {
            "Type": "AWS::Logs::LogGroup",
            "Properties": {
                "LogGroupName": {"Fn::Sub": f"/aws/lambda/${{AWS::StackName}}-{function}"},
                "RetentionInDays": {"Ref": "LogRetentionDays"},
            },
        }
    return {"Resources": resources}


def _traces_policy(functions: Iterable[str]) -> dict[str, Any]:
    """Return the policy about writing traces: allowed if `Tracing` is on, otherwise denied.

    It always exists, because functions depend on it.
    """
    statement = {
        "Sid": "Traces",  # these two actions don't support resources
        "Effect": {"Fn::If": ["HasTracing", "Allow", "Deny"]},
        "Action": ["xray:PutTelemetryRecords", "xray:PutTraceSegments"],
        "Resource": ["*"],
    }
    return {
        "Type": "AWS::IAM::Policy",
        "Properties": {
            "PolicyName": "Traces",
            "PolicyDocument": {"Version": "2012-10-17", "Statement": [statement]},
            "Roles": [{"Ref": f"{logical_id(function)}Role"} for function in functions],
        },
    }


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
