"""Each function has exactly the permissions listed here, so a change of a policy needs a change of this list."""

import json
import re
from typing import Any, Final

from infra.package.functions import log_group_id, logical_id, read_config
from infra.paths import ROOT

LOG: Final = {"logs:CreateLogStream", "logs:PutLogEvents"}

# Without the permission to write its own log, which every function has.
MAY: Final[dict[str, set[str]]] = {
    "api_handler": {
        "dynamodb:BatchGetItem", "dynamodb:ConditionCheckItem", "dynamodb:DeleteItem", "dynamodb:GetItem",
        "dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem", "secretsmanager:GetSecretValue",
        "sqs:SendMessage",
    },
    "authorizer": {"dynamodb:GetItem"},
    "commands": {
        "dynamodb:BatchGetItem", "dynamodb:ConditionCheckItem", "dynamodb:GetItem", "dynamodb:PutItem",
        "dynamodb:UpdateItem", "events:PutEvents", "secretsmanager:GetSecretValue", "sqs:DeleteMessage",
        "sqs:GetQueueAttributes", "sqs:ReceiveMessage", "sqs:SendMessage",
    },
    "expiry": {"dynamodb:Query", "dynamodb:UpdateItem", "sqs:SendMessage"},
    "generate_links": {
        "dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem",
        "secretsmanager:GetSecretValue",
    },
    "import_csv": {
        "dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem",
        "events:PutEvents", "s3:GetObject", "s3:GetObjectVersion", "s3:ListBucket", "s3:PutObject",
        "secretsmanager:GetSecretValue", "sqs:DeleteMessage", "sqs:GetQueueAttributes",
        "sqs:ReceiveMessage",
    },
    "list_links": {
        "dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:Query", "secretsmanager:GetSecretValue",
    },
    "mail": {
        "dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem",
        "secretsmanager:GetSecretValue", "ses:SendEmail", "ses:SendRawEmail", "sqs:ChangeMessageVisibility",
        "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage",
    },
    "mail_feedback": {
        "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem", "sqs:DeleteMessage",
        "sqs:GetQueueAttributes", "sqs:ReceiveMessage",
    },
    "make_admin": {"dynamodb:PutItem"},
    "outbox": {
        "dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator",
        "dynamodb:ListStreams", "dynamodb:PutItem", "events:PutEvents", "s3:ListBucket", "s3:PutObject",
        "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage", "sqs:SendMessage",
    },
    "redeem_link": {
        "dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem",
        "secretsmanager:GetSecretValue",
    },
    "restore": {
        "dynamodb:BatchGetItem", "dynamodb:BatchWriteItem", "dynamodb:DeleteItem", "dynamodb:GetItem",
        "dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem", "secretsmanager:GetSecretValue",
        "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage",
    },
    "revoke_links": {"dynamodb:GetItem", "dynamodb:UpdateItem"},
    "webhook_deliver": {
        "dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:PutItem", "events:PutEvents",
        "secretsmanager:GetSecretValue", "sqs:DeleteMessage", "sqs:GetQueueAttributes",
        "sqs:ReceiveMessage", "sqs:SendMessage",
    },
    "webhook_fanout": {
        "dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:PutItem", "sqs:DeleteMessage",
        "sqs:GetQueueAttributes", "sqs:ReceiveMessage", "sqs:SendMessage",
    },
    "webhook_retry": {"dynamodb:BatchGetItem", "dynamodb:PutItem", "dynamodb:Query", "sqs:SendMessage"},
}  # fmt: skip

# Actions for which AWS allows only the resource `*`, with the reason.
WHOLE_ACCOUNT: Final = {
    "xray:PutTelemetryRecords": "X-Ray knows no resources for it",
    "xray:PutTraceSegments": "X-Ray knows no resources for it",
}


# Patterns that are wider than one resource of the stack, with the reason.
EXPLAINED: Final = {
    "arn:${AWS::Partition}:ses:${AWS::Region}:${AWS::AccountId}:identity/*": (
        "the verified identity is the sender's address or its domain; the condition fixes the address"
    ),
}


def _statements(resources: dict[str, Any], function: str) -> list[dict[str, Any]]:
    role = resources[resources[logical_id(function)]["Properties"]["Role"]["Fn::GetAtt"][0]]["Properties"]
    assert "ManagedPolicyArns" not in role
    statements = [each for policy in role["Policies"] for each in policy["PolicyDocument"]["Statement"]]
    assert all(each["Effect"] == "Allow" for each in statements)
    assert not any({"NotAction", "NotResource", "Principal"} & set(each) for each in statements)
    return statements


def _actions(statement: dict[str, Any]) -> list[str]:
    actions = statement["Action"]
    return [actions] if isinstance(actions, str) else actions


def test_each_function_has_exactly_the_listed_permissions(resources: dict[str, Any]) -> None:
    found = {
        name: {action for each in _statements(resources, name) for action in _actions(each)}
        for name in read_config(ROOT)["lambda_functions"]
    }
    assert found == {name: may | LOG for name, may in MAY.items()}
    policies = {
        name
        for name, each in resources.items()
        if each["Type"] in {"AWS::IAM::Policy", "AWS::IAM::ManagedPolicy"}
    }
    assert policies == {"TracesPolicy"}, "a policy outside of a role; test_template.py tests this one"


def test_only_listed_actions_and_resources_have_wildcards(
    resources: dict[str, Any],
) -> None:
    found = {name: _statements(resources, name) for name in read_config(ROOT)["lambda_functions"]}
    found["Tracing=on"] = resources["TracesPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    for name, statements in found.items():
        for statement in statements:
            actions = _actions(statement)
            assert not [action for action in actions if "*" in action], name
            for resource in statement["Resource"]:
                if resource == "*":
                    assert set(actions) <= set(WHOLE_ACCOUNT), (name, statement)
                elif "*" in json.dumps(resource) and resource["Fn::Sub"] not in EXPLAINED:
                    # Everything within one resource of the stack: a table's streams, a bucket's objects.
                    assert re.fullmatch(r"\$\{\w+\.Arn\}/(\w+/)?\*", resource["Fn::Sub"]), (name, statement)


def test_mail_can_be_sent_from_one_address_only(resources: dict[str, Any]) -> None:
    """The statement allows all identities, but its condition fixes the sender."""
    (send,) = [each for each in _statements(resources, "mail") if "ses:SendEmail" in _actions(each)]
    assert send["Condition"] == {"StringEquals": {"ses:FromAddress": {"Ref": "MailSender"}}}


def test_a_function_can_write_only_its_own_log(resources: dict[str, Any]) -> None:
    for name in read_config(ROOT)["lambda_functions"]:
        (log,) = [each for each in _statements(resources, name) if set(_actions(each)) == LOG]
        assert log["Resource"] == [{"Fn::GetAtt": [log_group_id(name), "Arn"]}]


def test_only_lambda_can_assume_the_role_of_a_function(resources: dict[str, Any]) -> None:
    for name in read_config(ROOT)["lambda_functions"]:
        role = resources[resources[logical_id(name)]["Properties"]["Role"]["Fn::GetAtt"][0]]["Properties"]
        (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
        assert statement["Principal"] == {"Service": "lambda.amazonaws.com"}
        assert statement["Action"] == "sts:AssumeRole"
