"""The printed permissions fit the template: each type of resource has its actions, and no others are listed."""

import json
from fnmatch import fnmatchcase
from typing import Any

import pytest

from infra.deploy.deployer_policy import (
    TYPE_ACTIONS,
    UNNAMED,
    Target,
    boundary_policy,
    command_policy,
    execution_policy,
    main,
    restore_policy,
)
from infra.package.functions import BOUNDARY

LONGEST = Target("a-name-of-twenty-cha", "123456789012", "ap-southeast-1")
# The types whose physical names CloudFormation generates: the longest name, and the beginning of the ARN.
GENERATED = {
    "AWS::DynamoDB::Table": (255, "dynamodb", "table/"),
    "AWS::Events::Archive": (48, "events", "archive/"),
    "AWS::Events::Rule": (64, "events", "rule/"),
    "AWS::IAM::Role": (64, "iam", "role/"),
    "AWS::Lambda::Function": (64, "lambda", "function:"),
    "AWS::S3::Bucket": (63, "s3", ""),
    "AWS::SNS::Topic": (256, "sns", ""),
    "AWS::SQS::Queue": (80, "sqs", ""),
    "AWS::SecretsManager::Secret": (512, "secretsmanager", "secret:"),
}
NAMED = {"AWS::Events::EventBus": 256, "AWS::SES::ConfigurationSet": 64}
PROD = Target("prod", "123456789012", "eu-central-1")
LIMITS = {
    "command": 6_144,
    "restore": 6_144,
    "execution": 10_240,
    "boundary": 6_144,
}  # of a managed policy, and of a role's own ones


def test_cloudformation_may_do_what_the_templates_resources_need_and_no_more(
    resources: dict[str, Any],
) -> None:
    """Only an account on AWS shows if these actions are enough: ministack does not check CloudFormation's own calls."""
    types = {each["Type"] for each in resources.values()}
    assert types - set(TYPE_ACTIONS) == set(), "a new type needs its actions"
    assert set(TYPE_ACTIONS) - types <= {"AWS::Events::EventBusPolicy"}, "a type that is gone"


def test_resources_are_named_unless_a_reason_is_listed() -> None:
    for statement in execution_policy(PROD)["Statement"]:
        if "*" in statement["Resource"]:
            assert statement["Sid"] in UNNAMED
        else:
            stage = (
                "admit-one-prod",
                "admit-one-deploy-",
                "SigningSecret",
                "event-source-mapping",
                "EventArchive",
            )
            assert all(any(name in each for name in stage) for each in statement["Resource"]), statement
    wide = {each["Sid"] for each in command_policy(PROD)["Statement"] if each["Resource"] == ["*"]}
    wide |= {each["Sid"] for each in restore_policy(PROD)["Statement"] if each["Resource"] == ["*"]}
    assert wide == {"Account", "Outbox", "Replays", "Count"}


def test_roles_can_be_created_only_with_the_boundary_that_is_given() -> None:
    """A deployer who may create roles without one could give any permission to anybody."""
    boundary = "arn:aws:iam::123456789012:policy/Boundary"
    limited = execution_policy(Target("prod", boundary=boundary))["Statement"]
    for statement in limited:
        grants = {"iam:CreateRole", "iam:PutRolePolicy", "iam:AttachRolePolicy"} & set(statement["Action"])
        assert not grants or statement["Condition"] == {"StringEquals": {"iam:PermissionsBoundary": boundary}}
        assert "iam:DeleteRolePermissionsBoundary" not in statement["Action"]


def test_every_role_of_the_stack_gets_the_boundary(template: dict[str, Any]) -> None:
    roles = {name: each for name, each in template["Resources"].items() if each["Type"] == "AWS::IAM::Role"}
    assert len(roles) == 18
    assert {
        name for name, each in roles.items() if each["Properties"]["PermissionsBoundary"] != BOUNDARY
    } == set()
    assert template["Parameters"]["PermissionsBoundary"]["Default"] == ""


@pytest.mark.parametrize("document", LIMITS)
def test_each_document_fits_into_a_policy_of_its_kind(
    document: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--stage", "a-name-of-twenty-cha", "--account", "123456789012", "--region", "ap-southeast-1"]
    role = ["--role", "arn:aws:iam::123456789012:role/CloudFormation"]
    assert main([*arguments, *role, "--document", document]) == 0
    policy = json.loads(capsys.readouterr().out)
    assert len(json.dumps(policy, separators=(",", ":"))) <= LIMITS[document]
    assert ("iam:PassRole" in json.dumps(policy)) == (document in {"command", "execution"})


def test_both_documents_fit_into_the_inline_policies_of_one_role() -> None:
    """Without a role for CloudFormation, the deployer needs both, and the second fits into no managed policy."""
    documents = [
        json.dumps(each(LONGEST), separators=(",", ":")) for each in (command_policy, execution_policy)
    ]
    assert sum(map(len, documents)) <= LIMITS["execution"]


def _generated(logical_id: str, limit: int) -> str:
    """Return a name as CloudFormation generates it: stack and logical id share what a suffix of 12 leaves."""
    wanted, free = (len(LONGEST.stack), len(logical_id)), limit - 14
    shares = [min(each, max(free // 2, free - other)) for each, other in (wanted, wanted[::-1])]
    return f"{LONGEST.stack[: shares[0]]}-{logical_id[: shares[1]]}-{'x' * 12}"


def test_the_longest_generated_names_are_within_the_policy(expanded: dict[str, Any]) -> None:
    """A longer logical id shortens the stack's name, and CloudFormation could no longer create the resource."""
    allowed = [each for statement in execution_policy(LONGEST)["Statement"] for each in statement["Resource"]]
    seen = set()
    for logical_id, each in expanded["Resources"].items():
        if each["Type"] in GENERATED and "Name" not in each["Properties"]:
            limit, service, kind = GENERATED[each["Type"]]
            name = _generated(logical_id, limit)
            assert len(name) <= limit
            place = {"iam": "::123456789012:", "s3": ":::"}.get(service, ":ap-southeast-1:123456789012:")
            arn = f"arn:aws:{service}{place}{kind}{name}"
            assert any(fnmatchcase(arn, pattern) for pattern in allowed if pattern != "*"), arn
            seen.add(each["Type"])
    assert seen == set(GENERATED)


def test_the_longest_given_names_are_within_the_limits(expanded: dict[str, Any]) -> None:
    found = {
        each["Type"]: each["Properties"]["Name"]["Fn::Sub"].replace("${AWS::StackName}", LONGEST.stack)
        for each in expanded["Resources"].values()
        if each["Type"] in NAMED
    }
    assert set(found) == set(NAMED)
    assert {kind for kind, name in found.items() if len(name) > NAMED[kind]} == set()


def test_the_boundary_allows_every_action_of_the_stacks_roles(expanded: dict[str, Any]) -> None:
    allowed = set(boundary_policy()["Statement"][0]["Action"])
    policies = [
        policy["PolicyDocument"]
        for each in expanded["Resources"].values()
        if each["Type"] == "AWS::IAM::Role"
        for policy in each["Properties"].get("Policies", ())
    ]
    used = {action for policy in policies for each in policy["Statement"] for action in each["Action"]}
    assert len(used) > 20
    assert used <= allowed
