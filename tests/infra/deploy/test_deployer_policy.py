"""The printed permissions fit the template: each type of resource has its actions, and no others are listed."""

import json
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
    assert wide == {"Account", "Outbox", "Count"}


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
    assert len(roles) == 17
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
