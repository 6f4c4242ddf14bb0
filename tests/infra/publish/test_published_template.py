"""The published template is what `make deploy` deploys, in a form that the AWS console can install."""

import json
from typing import Any

import pytest

from infra.deploy.concurrency import background_concurrency
from infra.package.build import Package
from infra.publish.template import MAX_BYTES, install_template

KEY = "admit-one/1.2.3/digest.zip"
DEPLOYMENT = "AWS::ApiGateway::Deployment"


@pytest.fixture(scope="module")
def body(packaged: Package) -> bytes:
    return install_template(packaged, "acme", KEY)


@pytest.fixture(scope="module")
def published(body: bytes) -> dict[str, Any]:
    whole: dict[str, Any] = json.loads(body)
    return whole


def holds(condition: Any, conditions: dict[str, Any], parameters: dict[str, str]) -> bool:
    """Return the value of a condition of the template."""
    match condition:
        case {"Condition": name}:
            return holds(conditions[name], conditions, parameters)
        case {"Fn::And": parts}:
            return all(holds(part, conditions, parameters) for part in parts)
        case {"Fn::Not": [part]}:
            return not holds(part, conditions, parameters)
        case {"Fn::Equals": [{"Ref": name}, value]}:
            return bool(parameters[name] == value)
    raise AssertionError(condition)


def chosen(value: Any, published: dict[str, Any], parameters: dict[str, str]) -> Any:
    """Return the value that the conditions of an `Fn::If` choose."""
    while isinstance(value, dict) and "Fn::If" in value:
        name, one, other = value["Fn::If"]
        conditions = published["Conditions"]
        value = one if holds(conditions[name], conditions, parameters) else other
    return value


def test_it_needs_no_transform_and_fits_into_the_limits(published: dict[str, Any], body: bytes) -> None:
    """With a transform, the console, Terraform and stack sets would have to accept one more capability."""
    assert "Transform" not in published
    assert not [each for each in published["Resources"].values() if "Serverless" in each["Type"]]
    assert len(body) < MAX_BYTES
    assert len(published["Parameters"]) <= 200
    assert len(published["Resources"]) <= 500


def test_two_templates_of_a_package_are_identical(packaged: Package, body: bytes) -> None:
    assert install_template(packaged, "acme", KEY) == body


def test_every_function_runs_the_zip_in_the_bucket_of_its_region(published: dict[str, Any]) -> None:
    """Lambda reads code only from a bucket of its own region."""
    code = [
        each["Properties"]["Code"]
        for each in published["Resources"].values()
        if each["Type"] == "AWS::Lambda::Function"
    ]
    assert len(code) > 15
    assert all(each == {"S3Bucket": {"Fn::Sub": "acme-${AWS::Region}"}, "S3Key": KEY} for each in code)


@pytest.mark.parametrize("cors", ["", "https://a.example"])
@pytest.mark.parametrize("endpoint", ["on", "off"])
def test_each_choice_of_cors_and_address_has_its_own_snapshot(
    published: dict[str, Any], cors: str, endpoint: str
) -> None:
    """A changed parameter that kept the deployment would change nothing: a stage serves a snapshot."""
    parameters = {"CorsOrigins": cors, "ExecuteApiEndpoint": endpoint}
    made = [
        name
        for name, each in published["Resources"].items()
        if each["Type"] == DEPLOYMENT
        and holds({"Condition": each["Condition"]}, published["Conditions"], parameters)
    ]
    [stage] = [each for each in published["Resources"].values() if each["Type"] == "AWS::ApiGateway::Stage"]
    assert len(made) == 1
    assert chosen(stage["Properties"]["DeploymentId"], published, parameters) == {"Ref": made[0]}


def test_all_other_resources_are_those_of_make_deploy(
    published: dict[str, Any], expanded: dict[str, Any]
) -> None:
    """Each way of deploying can update the other's stack, and no data is replaced."""
    mine = {name for name, each in published["Resources"].items() if each["Type"] != DEPLOYMENT}
    theirs = {name for name, each in expanded["Resources"].items() if each["Type"] != DEPLOYMENT}
    assert mine == theirs
    for name in mine:
        one, other = (dict(each["Resources"][name]) for each in (published, expanded))
        if one["Type"] in {
            "AWS::Lambda::Function",
            "AWS::Lambda::EventSourceMapping",
            "AWS::ApiGateway::Stage",
        }:
            for each in (one, other):
                each["Properties"] = {
                    key: value
                    for key, value in each["Properties"].items()
                    if key not in {"Code", "ScalingConfig", "ParallelizationFactor", "DeploymentId"}
                }
        assert one == other, name
    assert published["Outputs"] == expanded["Outputs"]


@pytest.mark.parametrize(("small", "most"), [("yes", 20), ("no", None)])
def test_a_small_account_gets_low_limits(
    published: dict[str, Any], template: dict[str, Any], small: str, most: int | None
) -> None:
    """A new account may run 10 executions at a time; without the limits, webhooks alone could use all."""
    whole = json.loads(json.dumps(published))
    for each in whole["Resources"].values():
        if each["Type"] == "AWS::Lambda::EventSourceMapping":
            for key in ("ScalingConfig", "ParallelizationFactor"):
                if key in each["Properties"]:
                    each["Properties"][key] = chosen(
                        each["Properties"][key], published, {"SmallAccount": small}
                    )
    used = background_concurrency(whole)
    assert used <= most if most else used == background_concurrency(template)


def test_every_parameter_is_in_one_group_and_has_a_label(published: dict[str, Any]) -> None:
    """The console lists the others alphabetically at the end, under their names."""
    interface = published["Metadata"]["AWS::CloudFormation::Interface"]
    grouped = [name for group in interface["ParameterGroups"] for name in group["Parameters"]]
    assert sorted(grouped) == sorted(published["Parameters"]) == sorted(interface["ParameterLabels"])
