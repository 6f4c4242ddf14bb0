"""CloudFormation creates what the code needs: table, indexes, queues, streams."""

import json
from typing import Any

import pytest

from chalicelib.api.http.authorizer import CACHE_SECONDS
from chalicelib.api.routes import ROUTERS
from chalicelib.settings import read_settings
from chalicelib.store.items import INDEX_KEYS
from tests.deployed.conftest import Stack

FUNCTION = "AWS::Serverless::Function"
MAPPING = "AWS::Lambda::EventSourceMapping"
QUEUE = "AWS::SQS::Queue"


@pytest.fixture
def template(stack: Stack) -> dict[str, Any]:
    """The template's resources."""
    resources: dict[str, Any] = stack.package.read_template()["Resources"]
    return resources


def _of(template: dict[str, Any], kind: str) -> list[str]:
    return sorted(name for name, resource in template.items() if resource["Type"] == kind)


def test_the_table_has_the_indexes_stream_and_ttl_that_the_code_reads(stack: Stack) -> None:
    dynamodb = stack.client("dynamodb")
    name = stack.physical_id("Table")
    table = dynamodb.describe_table(TableName=name)["Table"]
    indexes = {
        index["IndexName"]: tuple(key["AttributeName"] for key in index["KeySchema"])
        for index in table["GlobalSecondaryIndexes"]
    }
    assert indexes == INDEX_KEYS
    assert table["StreamSpecification"] == {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
    assert table["DeletionProtectionEnabled"] is True
    ttl = dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    assert (ttl["AttributeName"], ttl["TimeToLiveStatus"]) == ("purgeAt", "ENABLED")


def test_environment_variables_refer_to_existing_resources(stack: Stack, template: dict[str, Any]) -> None:
    """The settings can be read, and name this stack's table, keys, queues and bus."""
    things = set(stack.resources.values())
    urls = {stack.physical_id(name) for name in _of(template, QUEUE)}
    for name in _of(template, FUNCTION):
        found = stack.client("lambda").get_function_configuration(FunctionName=stack.physical_id(name))
        assert (found["Timeout"], found["MemorySize"], found["Handler"]) == (
            template[name]["Properties"]["Timeout"],
            template[name]["Properties"]["MemorySize"],
            template[name]["Properties"]["Handler"],
        )
        variables = found["Environment"]["Variables"]
        settings = read_settings(variables)
        assert settings.table_name == stack.physical_id("Table")
        assert settings.signing_secret_id == stack.physical_id("SigningSecret")
        for variable, value in variables.items():
            if variable.endswith("_URL") and variable != "BASE_URL":
                assert value in urls, (name, variable)
            if variable.endswith(("_NAME", "_BUCKET")):
                assert value in things, (name, variable)


def test_the_generated_signing_key_is_valid(stack: Stack) -> None:
    """The code accepts the key that Secrets Manager generates from the template."""
    secret = stack.client("secretsmanager").get_secret_value(SecretId=stack.physical_id("SigningSecret"))
    made = json.loads(secret["SecretString"])
    assert (made["current"], made["keys"]) == (1, {})
    assert stack.world.keyring().keys[1] == made["first"].encode()
    assert len(made["first"]) == 48


def test_each_queue_has_its_dead_letter_queue(stack: Stack, template: dict[str, Any]) -> None:
    sqs = stack.client("sqs")
    arns = {
        sqs.get_queue_attributes(QueueUrl=stack.physical_id(name), AttributeNames=["QueueArn"])["Attributes"][
            "QueueArn"
        ]: name
        for name in _of(template, QUEUE)
    }
    for name in _of(template, QUEUE):
        wanted = template[name]["Properties"].get("RedrivePolicy")
        if wanted:
            found = sqs.get_queue_attributes(
                QueueUrl=stack.physical_id(name), AttributeNames=["RedrivePolicy"]
            )
            policy = json.loads(found["Attributes"]["RedrivePolicy"])
            assert arns[policy["deadLetterTargetArn"]] == wanted["deadLetterTargetArn"]["Fn::GetAtt"][0]
            assert int(policy["maxReceiveCount"]) == wanted["maxReceiveCount"]


def test_each_event_source_mapping_is_enabled_and_reads_its_source(
    stack: Stack, template: dict[str, Any]
) -> None:
    functions = stack.client("lambda")
    for name in _of(template, MAPPING):
        wanted = template[name]["Properties"]
        found = functions.get_event_source_mapping(UUID=stack.physical_id(name))
        assert found["State"] == "Enabled", name
        function = stack.physical_id(wanted["FunctionName"]["Ref"])
        assert found["FunctionArn"].endswith(f":{function}")
        assert found["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
        assert found["BatchSize"] == wanted["BatchSize"]
        assert found.get("FilterCriteria", {}).get("Filters", []) == wanted.get("FilterCriteria", {}).get(
            "Filters", []
        )
        if wanted["EventSourceArn"] == {"Fn::GetAtt": ["Table", "StreamArn"]}:
            assert f":table/{stack.physical_id('Table')}/stream/" in found["EventSourceArn"]


def test_every_route_is_deployed_with_its_authorizer(stack: Stack) -> None:
    """P9: a route that needs a key has the authorizer in the deployed API, not only in the code."""
    gateway = stack.client("apigateway")
    api = stack.outputs["RestAPIId"]
    resources = {
        resource["path"]: resource
        for page in gateway.get_paginator("get_resources").paginate(restApiId=api, embed=["methods"])
        for resource in page["items"]
    }
    (authorizer,) = gateway.get_authorizers(restApiId=api)["items"]
    assert authorizer["type"] == "TOKEN"
    assert authorizer["authorizerResultTtlInSeconds"] == CACHE_SECONDS
    for router in ROUTERS:
        for route in router.routes:
            for method in route.methods:
                found = resources[route.path]["resourceMethods"][method]
                wanted = "CUSTOM" if route.needs_key else "NONE"
                assert found["authorizationType"] == wanted, (method, route.path)
                assert found.get("authorizerId") == (authorizer["id"] if route.needs_key else None)


def test_there_is_one_stage_and_it_is_throttled(stack: Stack) -> None:
    (stage,) = stack.client("apigateway").get_stages(restApiId=stack.outputs["RestAPIId"])["item"]
    assert stage["stageName"] == "api"
    assert stage["tracingEnabled"] is False
    settings = stage["methodSettings"]["*/*"]
    assert settings["throttlingRateLimit"] > 0
    assert settings["throttlingBurstLimit"] > 0
    assert (settings["loggingLevel"], settings["dataTraceEnabled"]) == ("OFF", False)
