"""The template that the AWS console installs: plain resources, with the zip in a bucket of the stack's region.

It differs from the one of `make deploy` where that command changes the template itself: the API's deployments, and the
concurrency in an account with a small Lambda quota. All other logical ids are the same, so that each way of deploying
can update the other's stacks.
"""

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Final

from infra.deploy.concurrency import LambdaQuota, with_limited_concurrency
from infra.package.build import Package
from infra.package.expand import expand

MAX_BYTES: Final = 460_800
"""CloudFormation reads up to 1 MB from a URL; Terraform's documentation gives this lower limit."""

_CONSOLE: Final[Mapping[str, Any]] = json.loads(Path(__file__).with_name("console.json").read_text())
_SMALL: Final = LambdaQuota(10, 10)  # of a new AWS account
_IS_SMALL: Final = "IsSmallAccount"
_DEPLOYMENT: Final = "AWS::ApiGateway::Deployment"
_LIMITS: Final = ("ScalingConfig", "ParallelizationFactor")


def install_template(package: Package, prefix: str, key: str) -> bytes:
    """Return the template as compact JSON; the zip has the key `key` in the bucket `<prefix>-<region>`."""
    packaged = package.read_template()
    whole = expand(packaged)
    small = expand(with_limited_concurrency(packaged, _SMALL))
    code = {"S3Bucket": {"Fn::Sub": f"{prefix}-${{AWS::Region}}"}, "S3Key": key}
    for name, resource in whole["Resources"].items():
        if resource["Type"] == "AWS::Lambda::Function":
            resource["Properties"]["Code"] = code
        if resource["Type"] == "AWS::Lambda::EventSourceMapping":
            _limit_if_small(resource["Properties"], small["Resources"][name]["Properties"])
    whole["Parameters"]["SmallAccount"] = _CONSOLE["SmallAccount"]
    whole["Conditions"][_IS_SMALL] = {"Fn::Equals": [{"Ref": "SmallAccount"}, "yes"]}
    whole["Metadata"] = {"AWS::CloudFormation::Interface": _interface(whole["Parameters"])}
    _deploy_again_if_parameters_change(whole)
    return json.dumps(whole, sort_keys=True, separators=(",", ":")).encode()


def _limit_if_small(properties: dict[str, Any], small: Mapping[str, Any]) -> None:
    for name in _LIMITS:
        if name in properties and properties[name] != small[name]:
            properties[name] = {"Fn::If": [_IS_SMALL, small[name], properties[name]]}


def _deploy_again_if_parameters_change(whole: dict[str, Any]) -> None:
    """Replace the API's deployment with four, of which the parameters choose one.

    A stage serves a snapshot of the API, and these two parameters change the API. Creating a deployment takes a new
    snapshot.
    """
    resources, conditions = whole["Resources"], whole["Conditions"]
    [(name, deployment)] = [each for each in resources.items() if each[1]["Type"] == _DEPLOYMENT]
    del resources[name]
    has_cors: Any = {"Condition": "HasCors"}
    is_off: Any = {"Condition": "ExecuteApiEndpointOff"}
    cases = {
        "CorsOwn": [has_cors, is_off],
        "Cors": [has_cors, {"Fn::Not": [is_off]}],
        "Own": [{"Fn::Not": [has_cors]}, is_off],
        "Plain": [{"Fn::Not": [has_cors]}, {"Fn::Not": [is_off]}],
    }
    chosen: Any = {"Ref": f"{name}Plain"}
    for case, when in cases.items():
        conditions[f"Deploys{case}"] = {"Fn::And": when}
        resources[f"{name}{case}"] = {**deployment, "Condition": f"Deploys{case}"}
        if case != "Plain":
            chosen = {"Fn::If": [f"Deploys{case}", {"Ref": f"{name}{case}"}, chosen]}
    for resource in resources.values():
        if resource["Type"] == "AWS::ApiGateway::Stage":
            resource["Properties"]["DeploymentId"] = chosen


def _interface(known: Collection[str]) -> dict[str, Any]:
    """Return the order, the groups and the labels of the parameters in the console; an earlier release has fewer."""
    groups = [
        (group["title"], {name: label for name, label in group["parameters"].items() if name in known})
        for group in _CONSOLE["Groups"]
    ]
    return {
        "ParameterGroups": [
            {"Label": {"default": title}, "Parameters": list(labels)} for title, labels in groups if labels
        ],
        "ParameterLabels": {
            name: {"default": label} for _, labels in groups for name, label in labels.items()
        },
    }
