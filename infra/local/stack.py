"""Deploy the packaged stack to ministack: a stream, queue, rule or schedule invokes each function, as on AWS.

The local table and signing keys are not part of the stack, so they survive its deletion.
"""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from infra.local.aws import local_client
from infra.local.mail import LOCAL_SENDER, verify_sender
from infra.local.template import (
    fit_for_ministack,
    with_fresh_streams,
    with_local_variables,
    without_kept_bus,
)
from infra.package.build import Package, cached_package
from infra.package.dependencies import native_target
from infra.package.functions import HTTP, logical_id
from infra.paths import LOCAL
from infra.stack.existing_resources import use_existing, use_existing_table
from infra.stack.stacks import Deployment, Outcome, StackError, delete_stack, put_stack, stack_status, upload

STACK: Final = "admit-one-local"
STAGE: Final = "local"

_BUCKET: Final = "admit-one-deploy"
_POLL_SECONDS: Final = 0.05
_SETTINGS_OF_THE_APP: Final = ("LOCAL", "MAIL_SENDER", "WEBHOOK_QUEUE_URL")
_COMMAND_SOURCES: Final = "crm.deals"  # of the examples in docs/commands.md
_UNTHROTTLED: Final = {"ThrottleRate": "10000", "ThrottleBurst": "10000"}


@dataclass(frozen=True)
class Site:
    """The local site: its URL, table and signing keys; `mails` is the folder to write each email to."""

    base_url: str
    table_name: str
    signing_secret_id: str
    mails: Path


def local_package(out: Path = LOCAL / "package") -> Package:
    """Return the package of the current code, for this machine."""
    return cached_package(STAGE, native_target(), out, LOCAL)


def deploy_locally(endpoint_url: str, package: Package, site: Site) -> Outcome:
    """Create or update the stack in ministack, over the existing table and signing keys.

    If the stack can't be updated, or ministack's port has changed since its queues were created, the stack is deleted
    and created again. This loses the messages in its queues. Raise `StackError`.
    """
    table = local_client("dynamodb", endpoint_url).describe_table(TableName=site.table_name)["Table"]
    template = package.read_template()
    template = without_kept_bus(with_fresh_streams(template))
    template = use_existing_table(template, table)
    secret = local_client("secretsmanager", endpoint_url).describe_secret(SecretId=site.signing_secret_id)
    template = use_existing(template, "SigningSecret", site.signing_secret_id, {"Id": secret["ARN"]})
    template = with_local_variables(template, {"MAIL_DIRECTORY": str(site.mails)})
    verify_sender(endpoint_url)
    parameters = {
        "BaseUrl": site.base_url,
        "MailSender": LOCAL_SENDER,
        "CommandSources": _COMMAND_SOURCES,
    }
    if _uses_another_port(endpoint_url):
        delete_stack(local_client("cloudformation", endpoint_url), STACK, _POLL_SECONDS)
    try:
        return put_template(endpoint_url, STACK, package, template, parameters)
    except StackError:
        cloudformation = local_client("cloudformation", endpoint_url)
        if stack_status(cloudformation, STACK) is not None:
            delete_stack(cloudformation, STACK, _POLL_SECONDS)
        return put_template(endpoint_url, STACK, package, template, parameters)


def _uses_another_port(endpoint_url: str) -> bool:
    """Return whether the stack was created on another port: ministack identifies queues by their URLs."""
    cloudformation: Any = local_client("cloudformation", endpoint_url)
    if stack_status(cloudformation, STACK) is None:
        return False
    resources = cloudformation.describe_stack_resources(StackName=STACK)["StackResources"]
    queues = [each["PhysicalResourceId"] for each in resources if each["ResourceType"] == "AWS::SQS::Queue"]
    return any(urlsplit(queue).port != urlsplit(endpoint_url).port for queue in queues)


def app_settings(endpoint_url: str) -> dict[str, str]:
    """Return the deployed API function's settings that `make run` also needs, because it serves the API itself.

    Without them the app would reject webhooks to loopback addresses, and a test or replay would wait for the schedule.
    """
    cloudformation = local_client("cloudformation", endpoint_url)
    found = cloudformation.describe_stack_resource(StackName=STACK, LogicalResourceId=logical_id(HTTP))
    function = found["StackResourceDetail"]["PhysicalResourceId"]
    configuration = local_client("lambda", endpoint_url).get_function_configuration(FunctionName=function)
    variables = configuration["Environment"]["Variables"]
    return {name: variables[name] for name in _SETTINGS_OF_THE_APP}


def put_template(
    endpoint_url: str, name: str, package: Package, template: Mapping[str, Any], parameters: Mapping[str, str]
) -> Outcome:
    """Deploy a template to ministack, without the parts that ministack doesn't support. Raise `StackError`."""
    s3: Any = local_client("s3", endpoint_url)
    with contextlib.suppress(s3.exceptions.BucketAlreadyOwnedByYou):
        s3.create_bucket(Bucket=_BUCKET)
    old = [entry["Key"] for entry in s3.list_objects_v2(Bucket=_BUCKET).get("Contents", ())]
    url = upload(s3, _BUCKET, package, fit_for_ministack(template)).url
    deployment = Deployment(
        name=name, bucket=_BUCKET, parameters={**_UNTHROTTLED, **parameters}, poll_seconds=_POLL_SECONDS
    )
    outcome = put_stack(local_client("cloudformation", endpoint_url), deployment, url)
    for key in old:
        if key != f"{package.digest}.zip":
            s3.delete_object(Bucket=_BUCKET, Key=key)
    return outcome
