"""docs/security.md lists every IAM right that equals an admin key (P9), derived from the template.

A right gives as much as an admin key, or a part of it, if its holder can call a function with an event of their choice:
by invoking it, by sending to its queue, or by triggering a rule, topic or bucket that sends there; or if they can write
the table or read the signing keys. The last column of the table, which of the functions' own roles have the right, is
derived too.
"""

import json
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import cache
from typing import Any, Final

import pytest

from infra.local.stack import local_package
from infra.package.functions import logical_id, read_config
from infra.paths import ROOT

SECURITY: Final = (ROOT / "docs" / "security.md").read_text()
HEAD: Final = "| right | on | what it gives | functions that have it |"

Right = tuple[str, str]
"""An action, and the logical id of the resource, or of the rule that an event must match."""

# Actions on a kind of resource, each with an object or key that makes the right worth an admin key.
_ON_TABLE: Final = ("PutItem", "UpdateItem", "BatchWriteItem", "PartiQLInsert", "PartiQLUpdate")
_API_KEY: Final = "KEY#digest"
_OF_FUNCTION: Final = ("InvokeFunction", "UpdateFunctionCode", "UpdateFunctionConfiguration")
_OF_SECRET: Final = ("GetSecretValue", "PutSecretValue", "UpdateSecret")


@cache
def _resources() -> dict[str, Any]:
    found: dict[str, Any] = local_package().read_template()["Resources"]
    return found


def _of_type(kind: str) -> dict[str, Any]:
    return {name: each["Properties"] for name, each in _resources().items() if each["Type"] == kind}


def _target(arn: Any) -> str:
    """Return the logical id that an ARN refers to."""
    found = re.search(r"Fn::GetAtt': \['(\w+)'|Ref': '(\w+)'|\$\{(\w+)", str(arn))
    assert found, arn
    return next(group for group in found.groups() if group)


def _read_queues() -> set[str]:
    """Return the queues that a function reads."""
    sources = {
        _target(each["EventSourceArn"]) for each in _of_type("AWS::Lambda::EventSourceMapping").values()
    }
    return sources & set(_of_type("AWS::SQS::Queue"))


def _open_rules() -> dict[str, Any]:
    """Return the rules to a queue that an event from PutEvents can match: nobody can put `aws.` sources or replays."""
    return {
        name: rule
        for name, rule in _of_type("AWS::Events::Rule").items()
        if any(_target(target["Arn"]) in _read_queues() for target in rule["Targets"])
        and rule["EventPattern"].get("replay-name") != [{"exists": True}]
        and not all(str(source).startswith("aws.") for source in rule["EventPattern"]["source"])
    }


def _by_services() -> Iterator[Right]:
    """Yield rights to make another service send to a queue whose policy admits all rules or topics of the account."""
    for policy in _of_type("AWS::SQS::QueuePolicy").values():
        for statement in policy["PolicyDocument"]["Statement"]:
            if statement["Effect"] == "Allow" and "aws:SourceArn" not in json.dumps(statement["Condition"]):
                services = statement["Principal"]["Service"]
                by = {
                    "events.amazonaws.com": ("events:PutRule", "events:PutTargets"),
                    "sns.amazonaws.com": ("sns:Subscribe", "sns:Publish"),
                }
                for service in [services] if isinstance(services, str) else services:
                    yield from ((action, _target(statement["Resource"])) for action in by[service])


def _dead_letter_queues() -> set[str]:
    return {
        _target(each["RedrivePolicy"]["deadLetterTargetArn"])
        for each in _of_type("AWS::SQS::Queue").values()
        if "RedrivePolicy" in each
    }


def _rights() -> dict[Right, str]:
    """Return the rights, each with the object, item key or source that a function's own role would need it for."""
    found: dict[Right, str] = {}
    for name in _of_type("AWS::Serverless::Function"):
        found |= {(f"lambda:{action}", name): "" for action in _OF_FUNCTION}
    for queue in _read_queues() | _dead_letter_queues():
        found["sqs:SendMessage", queue] = ""
    for rule in _open_rules():
        found["events:PutEvents", rule] = ""
    found |= dict.fromkeys(_by_services(), "")
    for name, bucket in _of_type("AWS::S3::Bucket").items():
        if "NotificationConfiguration" in bucket:
            found |= {("s3:PutObject", name): "imports/x", ("s3:GetObject", name): "results/x"}
    for mapping in _of_type("AWS::Lambda::EventSourceMapping").values():
        if "DestinationConfig" in mapping:  # an operator passes these objects to the function again
            found["s3:PutObject", _target(mapping["DestinationConfig"]["OnFailure"]["Destination"])] = "x"
    for table in _of_type("AWS::DynamoDB::Table"):
        found |= {(f"dynamodb:{action}", table): _API_KEY for action in _ON_TABLE}
    for secret in _of_type("AWS::SecretsManager::Secret"):
        found |= {(f"secretsmanager:{action}", secret): "" for action in _OF_SECRET}
    return found


def _statements(function: str) -> list[dict[str, Any]]:
    role = _resources()[_target(_resources()[logical_id(function)]["Properties"]["Role"])]["Properties"]
    return [each for policy in role["Policies"] for each in policy["PolicyDocument"]["Statement"]]


def _has(function: str, right: Right, what: str) -> bool:
    """Return whether a function's role has a right, for that object or item key."""
    action, where = right
    rule = _open_rules().get(where)
    place = _target(rule["EventBusName"]) if rule and "EventBusName" in rule else where
    for statement in _statements(function):
        if action not in statement["Action"]:
            continue
        for resource in statement["Resource"]:
            if resource != "*" and _target(resource) != place:
                continue
            path = "" if "Fn::Sub" not in resource else resource["Fn::Sub"].partition("}/")[2]
            if (not path or fnmatchcase(what, path)) and _meets(statement.get("Condition", {}), rule, what):
                return True
    return False


def _meets(condition: dict[str, Any], rule: Any, what: str) -> bool:
    """Return whether a statement's condition admits an item with that key, or an event that the rule matches."""
    keys = condition.get("ForAllValues:StringLike", {}).get("dynamodb:LeadingKeys")
    if keys is not None:
        return any(fnmatchcase(what, key) for key in keys)
    sources = condition.get("ForAllValues:StringEquals", {}).get("events:source")
    if sources is not None and rule is not None:
        return any(_matches(rule["EventPattern"]["source"], source) for source in sources)
    return True


def _matches(pattern: list[Any], source: str) -> bool:
    return any(
        source not in each["anything-but"] if isinstance(each, dict) else source == each for each in pattern
    )


def _documented() -> dict[Right, set[str]]:
    """Return the rights of the document's table, each with the functions that have it."""
    _, found, rest = SECURITY.partition(f"\n{HEAD}\n")
    assert found, "no table"
    rows: dict[Right, set[str]] = {}
    for line in rest.splitlines()[1:]:
        if not line.startswith("|"):
            break
        actions, places, _, functions = (cell.strip() for cell in line.strip("|").split("|"))
        named = re.findall(r"`(\w+)`", places)
        if places.startswith("every function"):
            named = list(_of_type("AWS::Serverless::Function"))
        for action in re.findall(r"`([\w:]+)`", actions):
            for place in named:
                assert (action, place) not in rows, (action, place)
                rows[action, place] = set(re.findall(r"`(\w+)`", functions))
    return rows


def test_the_document_lists_exactly_the_rights_that_equal_an_admin_key() -> None:
    assert set(_documented()) == set(_rights())


@pytest.mark.parametrize("right", sorted(_rights()), ids=" on ".join)
def test_the_document_names_the_functions_that_have_a_right(right: Right) -> None:
    """So a change of a policy that gives a function such a right needs a change of the document."""
    functions = {
        name for name in read_config(ROOT)["lambda_functions"] if _has(name, right, _rights()[right])
    }
    assert _documented()[right] == functions


def test_no_function_can_put_a_command_on_the_bus() -> None:
    """P9: `webhook_deliver` talks to endpoints of strangers, and every command is run with an admin's rights."""
    for function in read_config(ROOT)["lambda_functions"]:
        for statement in _statements(function):
            if "events:PutEvents" in statement["Action"]:
                assert statement["Condition"] == {
                    "ForAllValues:StringEquals": {"events:source": ["admit-one"]}
                }
    assert not _matches(_open_rules()["CommandsOnOwnBus"]["EventPattern"]["source"], "admit-one")
