"""The packaged stack in ministack: every function as it will be on AWS, behind its own stream, queue, rule or schedule.

Nothing here pumps. Table and signing keys are not the stack's own locally: they outlast any stack.
"""

import contextlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from infra.deploy.existing_resources import use_existing
from infra.deploy.stacks import Deployment, Outcome, StackError, delete_stack, put_stack, stack_status, upload
from infra.local.aws import local_client
from infra.local.mail import LOCAL_SENDER, verify_sender
from infra.package.build import Package, kept_package
from infra.package.dependencies import native_target
from infra.package.functions import HTTP, logical_id
from infra.package.gateway import RESPONSES
from infra.paths import LOCAL

STACK: Final = "admit-one-local"
STAGE: Final = "local"

_BUCKET: Final = "admit-one-deploy"
_POLL_SECONDS: Final = 0.05
_STREAM: Final = {"Fn::GetAtt": ["Table", "StreamArn"]}
_NOT_IN_MINISTACK: Final = frozenset({"AWS::Events::Archive"})
_MAPPING: Final = "AWS::Lambda::EventSourceMapping"
_SETTINGS_OF_THE_APP: Final = ("LOCAL", "MAIL_SENDER", "WEBHOOK_QUEUE_URL")
_COMMAND_SOURCES: Final = "crm.deals"  # of the examples in docs/commands.md
_UNTHROTTLED: Final = {"ThrottleRate": "10000", "ThrottleBurst": "10000"}


@dataclass(frozen=True)
class Site:
    """Where the local site is and what stands behind it; `mails` is a folder that gets each mail as a file."""

    base_url: str
    table_name: str
    signing_secret_id: str
    mails: Path


def local_package(out: Path = LOCAL / "package") -> Package:
    """Return the package of the code as it is, for this machine."""
    return kept_package(STAGE, native_target(), out, LOCAL)


def deploy_locally(endpoint_url: str, package: Package, site: Site) -> Outcome:
    """Put the stack into ministack over a table and keys that are there, or bring it up to date.

    A stack that can't be brought up to date, or whose queues are of another port than ministack now has, is put up
    anew: what waited in its queues is lost then.
    Raises `StackError`.
    """
    table = local_client("dynamodb", endpoint_url).describe_table(TableName=site.table_name)["Table"]
    template = package.read_template()
    template = _with_fresh_streams(template)
    attributes = {"Arn": table["TableArn"], "StreamArn": table["LatestStreamArn"]}
    template = use_existing(template, "Table", site.table_name, attributes)
    secret = local_client("secretsmanager", endpoint_url).describe_secret(SecretId=site.signing_secret_id)
    template = use_existing(template, "SigningSecret", site.signing_secret_id, {"Id": secret["ARN"]})
    template = with_local_variables(template, {"MAIL_DIRECTORY": str(site.mails)})
    verify_sender(endpoint_url)
    parameters = {
        "BaseUrl": site.base_url,
        "MailSender": LOCAL_SENDER,
        "CommandSources": _COMMAND_SOURCES,
    }
    if _is_of_another_port(endpoint_url):
        delete_stack(local_client("cloudformation", endpoint_url), STACK, _POLL_SECONDS)
    try:
        return put_template(endpoint_url, STACK, package, template, parameters)
    except StackError:
        cloudformation = local_client("cloudformation", endpoint_url)
        if stack_status(cloudformation, STACK) is not None:
            delete_stack(cloudformation, STACK, _POLL_SECONDS)
        return put_template(endpoint_url, STACK, package, template, parameters)


def _is_of_another_port(endpoint_url: str) -> bool:
    """Tell whether the stack was put up on another port: ministack finds queues by their URLs."""
    cloudformation: Any = local_client("cloudformation", endpoint_url)
    if stack_status(cloudformation, STACK) is None:
        return False
    resources = cloudformation.describe_stack_resources(StackName=STACK)["StackResources"]
    queues = [each["PhysicalResourceId"] for each in resources if each["ResourceType"] == "AWS::SQS::Queue"]
    return any(urlsplit(queue).port != urlsplit(endpoint_url).port for queue in queues)


def app_settings(endpoint_url: str) -> dict[str, str]:
    """Return what the deployed API function is told and the app on this machine, which stands in for it, must be too.

    Without it a webhook to the loopback would be refused here, and a test or replay would wait for the schedule.
    """
    cloudformation = local_client("cloudformation", endpoint_url)
    found = cloudformation.describe_stack_resource(StackName=STACK, LogicalResourceId=logical_id(HTTP))
    function = found["StackResourceDetail"]["PhysicalResourceId"]
    configuration = local_client("lambda", endpoint_url).get_function_configuration(FunctionName=function)
    told = configuration["Environment"]["Variables"]
    return {name: told[name] for name in _SETTINGS_OF_THE_APP}


def put_template(
    endpoint_url: str, name: str, package: Package, template: Mapping[str, Any], parameters: Mapping[str, str]
) -> Outcome:
    """Put a template into ministack through CloudFormation, but for what that does not know. Raises `StackError`."""
    s3: Any = local_client("s3", endpoint_url)
    with contextlib.suppress(s3.exceptions.BucketAlreadyOwnedByYou):
        s3.create_bucket(Bucket=_BUCKET)
    old = [entry["Key"] for entry in s3.list_objects_v2(Bucket=_BUCKET).get("Contents", ())]
    url = upload(s3, _BUCKET, package, fit_for_ministack(template))
    deployment = Deployment(
        name=name, bucket=_BUCKET, parameters={**_UNTHROTTLED, **parameters}, poll_seconds=_POLL_SECONDS
    )
    outcome = put_stack(local_client("cloudformation", endpoint_url), deployment, url)
    for key in old:
        if key != f"{package.digest}.zip":
            s3.delete_object(Bucket=_BUCKET, Key=key)
    return outcome


def fit_for_ministack(template: Mapping[str, Any]) -> dict[str, Any]:
    """Return the template as ministack can take it; docs/adr/0005-engines.md says what that leaves untested."""
    template = _without_demand_for_tls(_with_gateway_resources(_without_unknown(template)))
    return _with_batches_allowed(template)


def with_local_variables(template: Mapping[str, Any], variables: Mapping[str, str]) -> dict[str, Any]:
    """Return the template with what only local functions are told in their environment."""
    resources = dict(template["Resources"])
    for name, resource in resources.items():
        if resource["Type"] == "AWS::Serverless::Function":
            properties = resource["Properties"]
            given = properties.get("Environment", {}).get("Variables", {})
            environment = {"Variables": {**given, "LOCAL": "1", **variables}}
            resources[name] = {**resource, "Properties": {**properties, "Environment": environment}}
    return {**template, "Resources": resources}


def _without_unknown(template: Mapping[str, Any]) -> dict[str, Any]:
    """Return the template without the resources that ministack's CloudFormation refuses; nothing may refer to them."""
    resources = {
        name: resource
        for name, resource in template["Resources"].items()
        if resource["Type"] not in _NOT_IN_MINISTACK
    }
    return {**template, "Resources": resources}


def _with_gateway_resources(template: Mapping[str, Any]) -> dict[str, Any]:
    """Return the template with API Gateway's own answers as resources: ministack does not read them off the API."""
    resources = dict(template["Resources"])
    for kind, answer in resources["RestAPI"]["Properties"]["DefinitionBody"][RESPONSES].items():
        resources[f"Answer{kind.title().replace('_', '')}"] = {
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


def _without_demand_for_tls(template: Mapping[str, Any]) -> dict[str, Any]:
    """Return the template without the policy statements that refuse whoever comes without TLS: ministack has none."""
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

    AWS knows no such action: who may send one message may send ten. ministack asks for it by the call's own name.
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


def _with_fresh_streams(template: Mapping[str, Any]) -> dict[str, Any]:
    """Return the template with each mapping of the table's stream under a name of this start's own.

    A mapping that ministack kept over a restart does not find its place in the stream again; a new one reads it
    from the start, and what it reads a second time changes nothing (P6).
    """
    mark = secrets.token_hex(4)
    resources = {
        f"{name}{mark}" if _reads_stream(resource) else name: resource
        for name, resource in template["Resources"].items()
    }
    return {**template, "Resources": resources}


def _reads_stream(resource: Mapping[str, Any]) -> bool:
    return bool(resource["Type"] == _MAPPING and resource["Properties"]["EventSourceArn"] == _STREAM)
