"""Print the least permissions to deploy or restore a stage: `make deployer-policy`.

Four documents: what the command itself calls, what `make restore` calls besides, what CloudFormation does with the
template's resources, and a permissions boundary for the functions' roles. See docs/deploy.md, Permissions.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from infra.paths import ROOT

# The actions that the command calls, by the resource that they need.
_BUCKET_ACTIONS: Final = (
    "s3:CreateBucket", "s3:ListBucket", "s3:GetBucketPublicAccessBlock", "s3:PutBucketPublicAccessBlock",
    "s3:GetBucketOwnershipControls", "s3:PutBucketOwnershipControls", "s3:GetBucketPolicy", "s3:PutBucketPolicy",
    "s3:GetLifecycleConfiguration", "s3:PutLifecycleConfiguration",
)  # fmt: skip
_STACK_ACTIONS: Final = (
    "cloudformation:CreateChangeSet", "cloudformation:DescribeChangeSet", "cloudformation:ExecuteChangeSet",
    "cloudformation:DeleteChangeSet", "cloudformation:DescribeStacks", "cloudformation:DescribeStackEvents",
    "cloudformation:ListStackResources", "cloudformation:GetTemplate", "cloudformation:DeleteStack",
)  # fmt: skip
_TABLE_ACTIONS: Final = (
    "dynamodb:DescribeTable", "dynamodb:DescribeTimeToLive", "dynamodb:DescribeContinuousBackups",
    "dynamodb:UpdateTable", "dynamodb:UpdateTimeToLive", "dynamodb:UpdateContinuousBackups",
)  # fmt: skip

# The command calls the first of these. DynamoDB requires the others to fill the restored table.
_RESTORE_ACTIONS: Final = (
    "dynamodb:RestoreTableToPointInTime", "dynamodb:BatchWriteItem", "dynamodb:DeleteItem", "dynamodb:GetItem",
    "dynamodb:PutItem", "dynamodb:Query", "dynamodb:Scan", "dynamodb:UpdateItem",
)  # fmt: skip
_KEY_ACTIONS: Final = ("dynamodb:BatchGetItem", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem")

# What CloudFormation calls for each type of the template's resources, from AWS's Service Authorization Reference.
TYPE_ACTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "AWS::ApiGateway::Account": ("apigateway:GET", "apigateway:PATCH"),
    "AWS::ApiGateway::BasePathMapping": ("apigateway:*",),
    "AWS::ApiGateway::DomainName": ("apigateway:*",),
    "AWS::CloudWatch::Alarm": (
        "cloudwatch:PutMetricAlarm", "cloudwatch:DeleteAlarms", "cloudwatch:DescribeAlarms",
        "cloudwatch:TagResource", "cloudwatch:UntagResource", "cloudwatch:ListTagsForResource",
    ),
    "AWS::CloudWatch::Dashboard": (
        "cloudwatch:PutDashboard", "cloudwatch:GetDashboard", "cloudwatch:DeleteDashboards",
    ),
    "AWS::DynamoDB::Table": (
        "dynamodb:CreateTable", "dynamodb:DeleteTable", *_TABLE_ACTIONS, "dynamodb:TagResource",
        "dynamodb:UntagResource", "dynamodb:ListTagsOfResource", "dynamodb:DescribeContributorInsights",
        "dynamodb:DescribeKinesisStreamingDestination", "dynamodb:GetResourcePolicy",
    ),
    "AWS::Events::Archive": (
        "events:CreateArchive", "events:DescribeArchive", "events:UpdateArchive", "events:DeleteArchive",
    ),
    "AWS::Events::EventBus": (
        "events:CreateEventBus", "events:DescribeEventBus", "events:UpdateEventBus", "events:DeleteEventBus",
        "events:TagResource", "events:UntagResource", "events:ListTagsForResource",
    ),
    "AWS::Events::EventBusPolicy": ("events:PutPermission", "events:RemovePermission", "events:DescribeEventBus"),
    "AWS::Events::Rule": (
        "events:PutRule", "events:DescribeRule", "events:DeleteRule", "events:PutTargets", "events:RemoveTargets",
        "events:ListTargetsByRule", "events:TagResource", "events:UntagResource",
    ),
    "AWS::IAM::Policy": ("iam:PutRolePolicy", "iam:GetRolePolicy", "iam:DeleteRolePolicy"),
    "AWS::IAM::Role": (
        "iam:CreateRole", "iam:GetRole", "iam:UpdateRole", "iam:UpdateAssumeRolePolicy", "iam:DeleteRole",
        "iam:PutRolePolicy", "iam:GetRolePolicy", "iam:DeleteRolePolicy", "iam:ListRolePolicies",
        "iam:AttachRolePolicy", "iam:DetachRolePolicy", "iam:ListAttachedRolePolicies", "iam:TagRole", "iam:UntagRole",
        "iam:PutRolePermissionsBoundary", "iam:DeleteRolePermissionsBoundary", "iam:PassRole",
    ),
    "AWS::Lambda::EventSourceMapping": (
        "lambda:CreateEventSourceMapping", "lambda:GetEventSourceMapping", "lambda:UpdateEventSourceMapping",
        "lambda:DeleteEventSourceMapping", "lambda:TagResource", "lambda:ListTags",
    ),
    "AWS::Lambda::Permission": ("lambda:AddPermission", "lambda:RemovePermission", "lambda:GetPolicy"),
    "AWS::Logs::LogGroup": (
        "logs:CreateLogGroup", "logs:DescribeLogGroups", "logs:DeleteLogGroup", "logs:PutRetentionPolicy",
        "logs:DeleteRetentionPolicy", "logs:TagResource", "logs:UntagResource", "logs:ListTagsForResource",
        "logs:DescribeIndexPolicies", "logs:GetDataProtectionPolicy",
    ),
    "AWS::Logs::MetricFilter": (
        "logs:PutMetricFilter", "logs:DescribeMetricFilters", "logs:DeleteMetricFilter",
    ),
    "AWS::Route53::RecordSet": (
        "route53:ChangeResourceRecordSets", "route53:ListResourceRecordSets", "route53:GetHostedZone",
        "route53:GetChange",
    ),
    "AWS::S3::Bucket": (
        "s3:CreateBucket", "s3:DeleteBucket", "s3:ListBucket", "s3:GetBucket*", "s3:PutBucket*",
        "s3:GetEncryptionConfiguration", "s3:PutEncryptionConfiguration", "s3:GetLifecycleConfiguration",
        "s3:PutLifecycleConfiguration",
    ),
    "AWS::S3::BucketPolicy": ("s3:GetBucketPolicy", "s3:PutBucketPolicy", "s3:DeleteBucketPolicy"),
    "AWS::SES::ConfigurationSet": (
        "ses:CreateConfigurationSet", "ses:GetConfigurationSet", "ses:DescribeConfigurationSet",
        "ses:DeleteConfigurationSet", "ses:PutConfigurationSet*",
    ),
    "AWS::SES::ConfigurationSetEventDestination": (
        "ses:CreateConfigurationSetEventDestination", "ses:GetConfigurationSetEventDestinations",
        "ses:UpdateConfigurationSetEventDestination", "ses:DeleteConfigurationSetEventDestination",
        "ses:DescribeConfigurationSet",
    ),
    "AWS::SNS::Subscription": (
        "sns:Subscribe", "sns:Unsubscribe", "sns:GetSubscriptionAttributes", "sns:SetSubscriptionAttributes",
    ),
    "AWS::SNS::Topic": (
        "sns:CreateTopic", "sns:DeleteTopic", "sns:GetTopicAttributes", "sns:SetTopicAttributes",
        "sns:ListSubscriptionsByTopic", "sns:TagResource", "sns:UntagResource", "sns:ListTagsForResource",
        "sns:GetDataProtectionPolicy",
    ),
    "AWS::SQS::Queue": (
        "sqs:CreateQueue", "sqs:DeleteQueue", "sqs:GetQueueAttributes", "sqs:SetQueueAttributes", "sqs:GetQueueUrl",
        "sqs:TagQueue", "sqs:UntagQueue", "sqs:ListQueueTags",
    ),
    "AWS::SQS::QueuePolicy": ("sqs:SetQueueAttributes", "sqs:GetQueueAttributes"),
    "AWS::SecretsManager::Secret": (
        "secretsmanager:CreateSecret", "secretsmanager:DescribeSecret", "secretsmanager:UpdateSecret",
        "secretsmanager:DeleteSecret", "secretsmanager:TagResource", "secretsmanager:UntagResource",
        "secretsmanager:GetRandomPassword",
    ),
    "AWS::Serverless::Api": ("apigateway:*",),
    "AWS::Serverless::Function": (
        "lambda:CreateFunction", "lambda:GetFunction", "lambda:GetFunctionConfiguration",
        "lambda:UpdateFunctionCode", "lambda:UpdateFunctionConfiguration", "lambda:DeleteFunction",
        "lambda:TagResource", "lambda:UntagResource", "lambda:ListTags", "lambda:GetFunctionCodeSigningConfig",
        "lambda:GetRuntimeManagementConfig", "lambda:GetFunctionRecursionConfig",
    ),
    "AWS::WAFv2::LoggingConfiguration": (
        "wafv2:PutLoggingConfiguration", "wafv2:GetLoggingConfiguration", "wafv2:DeleteLoggingConfiguration",
        "logs:CreateLogDelivery", "logs:DeleteLogDelivery", "logs:PutResourcePolicy", "logs:DescribeResourcePolicies",
    ),
    "AWS::WAFv2::WebACL": (
        "wafv2:CreateWebACL", "wafv2:GetWebACL", "wafv2:UpdateWebACL", "wafv2:DeleteWebACL",
        "wafv2:TagResource", "wafv2:ListTagsForResource",
    ),
    "AWS::WAFv2::WebACLAssociation": (
        "wafv2:AssociateWebACL", "wafv2:DisassociateWebACL", "wafv2:GetWebACLForResource",
    ),
}  # fmt: skip

# Services whose resources have generated ids, or whose actions accept no resource; why "*" is needed.
UNNAMED: Final[Mapping[str, str]] = {
    "apigateway": "an API's id is generated",
    "cloudwatch": "DescribeAlarms and dashboards accept no stack's name",
    "logs": "DescribeLogGroups and log deliveries accept no resource",
    "route53": "the hosted zone is yours",
    "ses": "creating a configuration set accepts no name",
    "wafv2": "a web ACL's association names the API, whose id is generated",
}


@dataclass(frozen=True)
class Target:
    """The stage to deploy, and the account and region, or `*` for any.

    `boundary` is the ARN of the boundary that roles must have, and `role` that of CloudFormation's role, or empty.
    """

    stage: str
    account: str = "*"
    region: str = "*"
    boundary: str = ""
    role: str = ""

    @property
    def stack(self) -> str:
        """The name of the stage's stack."""
        return f"admit-one-{self.stage}"

    def arn(self, service: str, resource: str) -> str:
        """Return an ARN in the account and region."""
        return f"arn:aws:{service}:{self.region}:{self.account}:{resource}"


def command_policy(target: Target) -> dict[str, Any]:
    """Return the permissions of `make deploy`, `make key` and `make destroy` themselves."""
    stack, bucket = target.stack, f"arn:aws:s3:::admit-one-deploy-{target.account}-{target.region}"
    transform = f"arn:aws:cloudformation:{target.region}:aws:transform/Serverless-2016-10-31"
    tables = target.arn("dynamodb", f"table/{stack}-*")
    return _document(
        _allow("Stack", _STACK_ACTIONS, target.arn("cloudformation", f"stack/{stack}/*"), transform),
        # These two accept no resource.
        _allow("Account", ("cloudformation:DescribeStackResources", "lambda:GetAccountSettings"), "*"),
        _allow("Bucket", _BUCKET_ACTIONS, bucket),
        _allow("Packages", ("s3:GetObject", "s3:PutObject", "s3:DeleteObject"), f"{bucket}/{stack}/*"),
        _allow("LogRole", ("apigateway:GET",), f"arn:aws:apigateway:{target.region}::/account"),
        _allow("Table", _TABLE_ACTIONS, tables),
        _allow("Keys", _KEY_ACTIONS, tables),
        _allow(
            "SigningKeys",
            ("secretsmanager:DescribeSecret",),
            target.arn("secretsmanager", f"secret:{stack}-*"),
        ),
        _allow(
            "Bus",
            (
                "events:DescribeEventBus",
                "events:ListArchives",
                "events:DescribeArchive",
                "events:UpdateArchive",
            ),
            target.arn("events", f"event-bus/{stack}-events"),
            target.arn("events", "archive/*"),
        ),
        _allow("Alarms", ("sns:ListSubscriptionsByTopic",), target.arn("sns", f"{stack}-*")),
        _allow("Unpublished", ("sqs:GetQueueAttributes",), target.arn("sqs", f"{stack}-*")),
        _allow("Crashes", ("s3:ListBucket",), f"arn:aws:s3:::{stack}-*"),
        # These two accept no resource.
        _allow("Outbox", ("cloudwatch:GetMetricStatistics", "lambda:ListEventSourceMappings"), "*"),
        *([_allow("CloudFormationsRole", ("iam:PassRole",), target.role)] if target.role else []),
    )


def restore_policy(target: Target) -> dict[str, Any]:
    """Return the permissions that `make restore` needs besides those of `make deploy`."""
    stack = target.stack
    return _document(
        _allow("RestoreTable", _RESTORE_ACTIONS, target.arn("dynamodb", f"table/{stack}-*")),
        _allow("Marker", ("events:PutEvents",), target.arn("events", f"event-bus/{stack}-events")),
        _allow(
            "Replay",
            ("events:StartReplay", "events:DescribeReplay"),
            target.arn("events", f"event-bus/{stack}-events"),
            target.arn("events", "archive/*"),
            target.arn("events", "replay/restore-*"),
        ),
        _allow("Steps", ("lambda:InvokeFunction",), target.arn("lambda", f"function:{stack}-Restore-*")),
        # These two accept no resource.
        _allow("Replays", ("events:ListReplays",), "*"),
        _allow("Count", ("cloudwatch:GetMetricData",), "*"),
    )


def execution_policy(target: Target) -> dict[str, Any]:
    """Return the permissions that CloudFormation needs for the template's resources."""
    stack = target.stack
    named = {
        "dynamodb": [target.arn("dynamodb", f"table/{stack}-*")],
        # CloudFormation shortens long generated names. Without the suffix, at least half is the stack's name: 25 of a
        # rule's 64 characters, 17 of an archive's 48.
        "events": [
            target.arn("events", f"{kind}*")
            for kind in (
                f"event-bus/{stack}-",
                f"rule/{f'{stack}-'[:25]}",
                f"rule/{stack}-events/",
                "archive/EventArchive",
                f"archive/{f'{stack}-'[:17]}",
            )
        ],
        "iam": [f"arn:aws:iam::{target.account}:role/{stack}-*"],
        "lambda": [
            target.arn("lambda", f"function:{stack}-*"),
            target.arn("lambda", "event-source-mapping:*"),
        ],
        "s3": [f"arn:aws:s3:::{stack}-*"],
        "secretsmanager": [
            target.arn("secretsmanager", f"secret:{name}-*") for name in (stack, "SigningSecret")
        ],
        "sns": [target.arn("sns", f"{stack}-*")],
        "sqs": [target.arn("sqs", f"{stack}-*")],
    }
    by_service: dict[str, set[str]] = {}
    for actions in TYPE_ACTIONS.values():
        for action in actions:
            by_service.setdefault(action.partition(":")[0], set()).add(action)
    by_service["apigateway"] = {"apigateway:*"}
    roles = by_service.pop("iam")
    statements = [
        _allow(service, sorted(actions), *named.get(service, ["*"]))
        for service, actions in sorted(by_service.items())
    ]
    bounded = {
        "iam:CreateRole",
        "iam:PutRolePolicy",
        "iam:AttachRolePolicy",
        "iam:PutRolePermissionsBoundary",
    }
    create = _allow("CreateRoles", sorted(roles & bounded), *named["iam"])
    if target.boundary:
        create["Condition"] = {"StringEquals": {"iam:PermissionsBoundary": target.boundary}}
        roles -= {"iam:DeleteRolePermissionsBoundary"}
    package = f"arn:aws:s3:::admit-one-deploy-{target.account}-{target.region}/{stack}/*"
    return _document(
        *statements,
        create,
        _allow("Roles", sorted(roles - bounded), *named["iam"]),
        _allow("Package", ("s3:GetObject",), package),
    )


def boundary_policy() -> dict[str, Any]:
    """Return a boundary for the stack's roles: every action that one of them uses, on all resources."""
    actions = {
        "logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogGroups", "logs:DescribeLogStreams",
        "logs:FilterLogEvents", "logs:GetLogEvents", "logs:PutLogEvents",
        "xray:PutTelemetryRecords", "xray:PutTraceSegments",
    }  # fmt: skip
    for path in (ROOT / ".chalice").glob("policy-*.json"):
        for statement in json.loads(path.read_text())["Statement"]:
            given = statement["Action"]
            actions |= set(given if isinstance(given, list) else [given])
    return _document(_allow("OfTheStacksRoles", sorted(actions), "*"))


def _document(*statements: Mapping[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def _allow(sid: str, actions: Sequence[str], *resources: str) -> dict[str, Any]:
    return {"Sid": sid, "Effect": "Allow", "Action": list(actions), "Resource": list(resources)}


def main(arguments: Sequence[str] | None = None) -> int:
    """Print one of the documents; return the exit status."""
    parser = argparse.ArgumentParser(prog="make deployer-policy", description=__doc__)
    parser.add_argument("--stage", required=True)
    parser.add_argument("--account", default="*")
    parser.add_argument("--region", default="*")
    parser.add_argument("--boundary", default="", help="the ARN of the boundary that roles must have")
    parser.add_argument(
        "--role", default="", help="the ARN of the role that CloudFormation uses: DEPLOY_ROLE"
    )
    parser.add_argument(
        "--document", choices=["command", "restore", "execution", "boundary"], default="command"
    )
    given = parser.parse_args(arguments)
    target = Target(given.stage, given.account or "*", given.region or "*", given.boundary, given.role)
    documents = {
        "command": lambda: command_policy(target),
        "restore": lambda: restore_policy(target),
        "execution": lambda: execution_policy(target),
        "boundary": boundary_policy,
    }
    print(json.dumps(documents[given.document](), indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
