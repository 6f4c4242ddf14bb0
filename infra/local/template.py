"""Adapt the packaged template to ministack and to local functions."""

import json
import secrets
from collections.abc import Mapping
from typing import Any, Final

from infra.package.gateway import RESPONSES

_STREAM: Final = {"Fn::GetAtt": ["Table", "StreamArn"]}
_NOT_IN_MINISTACK: Final = frozenset({"AWS::Events::Archive"})
_MAPPING: Final = "AWS::Lambda::EventSourceMapping"


def fit_for_ministack(template: Mapping[str, Any]) -> dict[str, Any]:
    """Return the template in a form that ministack accepts; docs/adr/0005-engines.md lists the parts left untested."""
    template = _without_tls_requirement(_with_gateway_resources(_without_unknown(template)))
    return _with_batches_allowed(template)


def with_local_permissions(template: Mapping[str, Any]) -> dict[str, Any]:
    """Return the template with permission to send email from any address: ministack doesn't support a limited one.

    The tests of the policies check that the permission is limited to one address on AWS.
    """
    whole: dict[str, Any] = json.loads(json.dumps(template))
    for resource in whole["Resources"].values():
        for policy in resource["Properties"].get("Policies", ()) if "Properties" in resource else ():
            for statement in policy.get("PolicyDocument", {}).get("Statement", ()):
                if "ses:SendEmail" in statement["Action"]:
                    statement["Resource"] = "*"
                    statement.pop("Condition", None)
    return whole


def with_local_variables(template: Mapping[str, Any], variables: Mapping[str, str]) -> dict[str, Any]:
    """Return the template with `variables` and `LOCAL` in every function's environment."""
    resources = dict(template["Resources"])
    for name, resource in resources.items():
        if resource["Type"] == "AWS::Serverless::Function":
            properties = resource["Properties"]
            given = properties.get("Environment", {}).get("Variables", {})
            environment = {"Variables": {**given, "LOCAL": "1", **variables}}
            resources[name] = {**resource, "Properties": {**properties, "Environment": environment}}
    return {**template, "Resources": resources}


def _without_unknown(template: Mapping[str, Any]) -> dict[str, Any]:
    """Return the template without the resources that ministack's CloudFormation rejects, and without their outputs."""
    unknown = {name for name, each in template["Resources"].items() if each["Type"] in _NOT_IN_MINISTACK}
    resources = {name: each for name, each in template["Resources"].items() if name not in unknown}
    outputs = {
        name: each for name, each in template["Outputs"].items() if not unknown & _referred(each["Value"])
    }
    return {**template, "Resources": resources, "Outputs": outputs}


def _referred(value: Any) -> set[str]:
    """Return the logical id of the resource that an output is or is an attribute of."""
    match value:
        case {"Ref": str(name)} | {"Fn::GetAtt": [str(name), _]}:
            return {name}
    return set()


def _with_gateway_resources(template: Mapping[str, Any]) -> dict[str, Any]:
    """Return the template with API Gateway's own responses as resources, the only form that ministack supports.

    A deployment's snapshot contains only responses that exist, so it depends on them.
    """
    resources = dict(template["Resources"])
    api = resources["RestAPI"]["Properties"]
    answers = api["DefinitionBody" if "DefinitionBody" in api else "Body"][RESPONSES]
    names = {kind: f"Answer{kind.title().replace('_', '')}" for kind in answers}
    for name, resource in resources.items():
        if resource["Type"] == "AWS::ApiGateway::Deployment":
            resources[name] = {**resource, "DependsOn": sorted(names.values())}
    for kind, answer in answers.items():
        resources[names[kind]] = {
            "Type": "AWS::ApiGateway::GatewayResponse",
            "Properties": {
                "RestApiId": {"Ref": "RestAPI"},
                "ResponseType": kind,
                "ResponseParameters": answer["responseParameters"],
                "ResponseTemplates": answer["responseTemplates"],
                **({"StatusCode": answer["statusCode"]} if "statusCode" in answer else {}),
            },
        }
    return {**template, "Resources": resources}


def _without_tls_requirement(template: Mapping[str, Any]) -> dict[str, Any]:
    """Return the template without the policy statements that require TLS: ministack doesn't support TLS."""
    resources = dict(template["Resources"])
    for name, resource in template["Resources"].items():
        policy = resource.get("Properties", {}).get("PolicyDocument")
        if policy is not None:
            kept = [
                statement
                for statement in policy["Statement"]
                if "aws:SecureTransport" not in statement.get("Condition", {}).get("Bool", {})
            ]
            if kept:
                properties = {**resource["Properties"], "PolicyDocument": {**policy, "Statement": kept}}
                resources[name] = {**resource, "Properties": properties}
            else:
                del resources[name]
    return {**template, "Resources": resources}


def _with_batches_allowed(template: Mapping[str, Any]) -> dict[str, Any]:
    """Return the template with `sqs:SendMessageBatch` wherever `sqs:SendMessage` is allowed.

    On AWS, `sqs:SendMessage` covers both calls. ministack requires a separate permission for each.
    """
    resources = dict(template["Resources"])
    for name, resource in template["Resources"].items():
        if resource["Type"] == "AWS::IAM::Role":
            properties = resource["Properties"]
            policies = [_batching(policy) for policy in properties.get("Policies", ())]
            resources[name] = {**resource, "Properties": {**properties, "Policies": policies}}
    return {**template, "Resources": resources}


def _batching(policy: Mapping[str, Any]) -> dict[str, Any]:
    document = policy["PolicyDocument"]
    statements = [
        {**each, "Action": [*each["Action"], "sqs:SendMessageBatch"]}
        if "sqs:SendMessage" in each["Action"]
        else each
        for each in document["Statement"]
    ]
    return {**policy, "PolicyDocument": {**document, "Statement": statements}}


def without_kept_bus(template: Mapping[str, Any]) -> dict[str, Any]:
    """Return the template with a bus that is deleted with its stack: here it has no archive, and its name is fixed."""
    bus = {name: value for name, value in template["Resources"]["EventBus"].items() if "Policy" not in name}
    return {**template, "Resources": {**template["Resources"], "EventBus": bus}}


def with_fresh_streams(template: Mapping[str, Any]) -> dict[str, Any]:
    """Return the template with a new name for each mapping of the table's stream.

    After a restart, ministack's mappings lose their position in the stream. A new mapping reads the stream from the
    start. This is harmless, because processing a record twice changes nothing (P6).
    """
    mark = secrets.token_hex(4)
    resources = {
        f"{name}{mark}" if _reads_stream(resource) else name: resource
        for name, resource in template["Resources"].items()
    }
    return {**template, "Resources": resources}


def _reads_stream(resource: Mapping[str, Any]) -> bool:
    return bool(resource["Type"] == _MAPPING and resource["Properties"]["EventSourceArn"] == _STREAM)
