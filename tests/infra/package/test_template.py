"""The packaged template has the settings that the product depends on, so that none is removed by accident."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from chalice.app import Chalice

from chalicelib.domain.errors import (
    LinkUsedError,
    NotFoundError,
    StoreUnavailableError,
    ThrottledError,
    UnexpectedError,
)
from chalicelib.settings import DailyMails, RetentionDays, read_settings
from chalicelib.store.items import INDEX_KEYS
from chalicelib.wire.problems import MEDIA_TYPE
from infra.package.build import Package
from infra.package.expand import expand
from infra.package.functions import AUTHORIZER, DIRECT, HTTP, UNTRACED, log_group_id, logical_id, read_config
from infra.package.gateway import RESPONSES, with_described_parameters
from infra.package.metrics import REJECTING, failure_pattern
from infra.package.monitoring import dead_letter_queues
from infra.paths import ROOT
from infra.publish.template import install_template
from tests.support.aws.filter_patterns import counts

FUNCTION = "AWS::Serverless::Function"
MAPPING = "AWS::Lambda::EventSourceMapping"
QUEUE = "AWS::SQS::Queue"


def _functions(resources: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {name: each["Properties"] for name, each in resources.items() if each["Type"] == FUNCTION}


def test_cfn_lint_is_clean(packaged: Package, tmp_path: Path) -> None:
    """All rules of cfn-lint are on, for the templates of `make deploy`, `make publish` and `make acceptance`.

    They check every resource's schema and every reference.
    """
    lint = Path(sys.executable).with_name("cfn-lint")
    published = tmp_path / "published.json"
    published.write_bytes(install_template(packaged, "acme", "key.zip"))
    helper = ROOT / "tests" / "acceptance" / "helper.json"
    done = subprocess.run(
        [str(lint), "--regions", "us-east-1", "eu-central-1", "--", *map(str, (packaged.template, published, helper))],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


def test_the_table_has_the_keys_that_the_code_uses_and_is_always_retained(resources: dict[str, Any]) -> None:
    table = resources["Table"]
    properties = table["Properties"]
    indexes = {
        index["IndexName"]: tuple(key["AttributeName"] for key in index["KeySchema"])
        for index in properties["GlobalSecondaryIndexes"]
    }
    assert indexes == INDEX_KEYS
    assert {index["Projection"]["ProjectionType"] for index in properties["GlobalSecondaryIndexes"]} == {
        "KEYS_ONLY"
    }
    assert [key["AttributeName"] for key in properties["KeySchema"]] == ["pk", "sk"]
    assert properties["TimeToLiveSpecification"] == {"AttributeName": "purgeAt", "Enabled": True}
    assert properties["StreamSpecification"] == {"StreamViewType": "NEW_AND_OLD_IMAGES"}
    assert properties["BillingMode"] == "PAY_PER_REQUEST"
    assert properties["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert properties["DeletionProtectionEnabled"] is True
    assert "TableName" not in properties, "a restored table has to be able to take its place"
    assert (table["DeletionPolicy"], table["UpdateReplacePolicy"]) == ("Retain", "Retain")


def test_a_retained_resource_needs_only_retained_ones(resources: dict[str, Any]) -> None:
    """AWS refuses to delete a bus with an archive, and a queue without its dead-letter queue loses messages."""
    retained = {
        name for name, each in resources.items() if each.get("DeletionPolicy", "").startswith("Retain")
    }
    assert {"Table", "SigningSecret", "EventBus", "EventArchive"} <= retained
    for name in retained:
        needed = set(re.findall(r'"(?:Ref|Fn::GetAtt)": \[?"(\w+)"', json.dumps(resources[name])))
        assert needed & set(resources) <= retained, name
        policies = resources[name]["DeletionPolicy"], resources[name]["UpdateReplacePolicy"]
        assert policies in {("Retain", "Retain"), ("RetainExceptOnCreate", "Retain")}, name


def test_the_first_signing_key_is_generated_once_and_kept(resources: dict[str, Any]) -> None:
    """P7: any change of these settings makes Secrets Manager generate a new key, which would invalidate every link."""
    secret = resources["SigningSecret"]
    assert (secret["DeletionPolicy"], secret["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")
    assert secret["Properties"]["GenerateSecretString"] == {
        "SecretStringTemplate": '{"current": 1, "keys": {}}',
        "GenerateStringKey": "first",
        "PasswordLength": 48,
        "ExcludePunctuation": True,
    }
    assert "Name" not in secret["Properties"]


def test_no_access_log_can_contain_a_token(resources: dict[str, Any], expanded: dict[str, Any]) -> None:
    """P7: paths and queries contain tokens, so logs, traces and samples must not have them."""
    api = resources["RestAPI"]["Properties"]
    log = json.loads(api["AccessLogSetting"]["Format"])
    assert "$context.resourcePath" in log.values()
    allowed = {
        "$context.requestId", "$context.requestTime", "$context.httpMethod", "$context.resourcePath",
        "$context.status", "$context.responseLatency", "$context.integration.latency", "$context.responseLength",
        "$context.authorizer.principalId", "$context.identity.sourceIp", "$context.error.responseType",
        "$context.integration.requestId",
    }  # fmt: skip
    assert set(log.values()) <= allowed, "each new one has to be looked at: is the path in it?"
    stages = [each for each in expanded["Resources"].values() if each["Type"] == "AWS::ApiGateway::Stage"]
    assert len(stages) == 1
    deployments = [
        each for each in expanded["Resources"].values() if each["Type"] == "AWS::ApiGateway::Deployment"
    ]
    # By default, SAM's deployment creates a stage named Stage, without any of these settings.
    assert all("StageName" not in each["Properties"] for each in deployments)
    stage = stages[0]["Properties"]
    assert stage["TracingEnabled"] is False
    assert [(m["LoggingLevel"], m["DataTraceEnabled"]) for m in stage["MethodSettings"]] == [("OFF", False)]
    assert stage["MethodSettings"][0]["ThrottlingRateLimit"] == {"Ref": "ThrottleRate"}
    assert stage["MethodSettings"][0]["ThrottlingBurstLimit"] == {"Ref": "ThrottleBurst"}
    waf = resources["Waf"]["Properties"]
    sampled = [waf["VisibilityConfig"], *(rule["VisibilityConfig"] for rule in waf["Rules"])]
    assert not any(each["SampledRequestsEnabled"] for each in sampled)
    redacted = resources["WafLogging"]["Properties"]["RedactedFields"]
    assert {"UriPath": {}} in redacted
    assert {"QueryString": {}} in redacted
    assert {"SingleHeader": {"Name": "authorization"}} in redacted
    assert {"SingleHeader": {"Name": "referer"}} in redacted


def test_optional_resources_are_created_only_if_their_parameter_is_set(template: dict[str, Any]) -> None:
    """The domain, its DNS record and the WAF cost money or need a hosted zone."""
    resources, conditions = template["Resources"], template["Conditions"]
    wanted = {
        "Domain": "HasDomain", "DomainMapping": "HasDomain", "DomainRecord": "HasHostedZone", "Waf": "HasWaf",
        "WafAssociation": "HasWaf", "WafLogging": "HasWaf", "WafLogGroup": "HasWaf",
        "AccountLogRole": "MakesAccountLogRole", "AccountLogSetting": "MakesAccountLogRole",
    }  # fmt: skip
    found = {name: each["Condition"] for name, each in resources.items() if "Condition" in each}
    assert {name: found.get(name) for name in wanted} == wanted
    for condition, parameter in {"HasDomain": "DomainName", "HasWaf": "WafRateLimit"}.items():
        off = str(template["Parameters"][parameter]["Default"])
        assert conditions[condition] == {"Fn::Not": [{"Fn::Equals": [{"Ref": parameter}, off]}]}
    domain, mapping = resources["Domain"]["Properties"], resources["DomainMapping"]["Properties"]
    assert domain["SecurityPolicy"] == "TLS_1_2"
    assert "BasePath" not in mapping, "links are at the domain's root, without the stage"
    assert "DomainNeedsCertificate" in template["Rules"]
    rate = resources["Waf"]["Properties"]["Rules"][0]["Statement"]["RateBasedStatement"]
    assert rate == {"AggregateKeyType": "IP", "Limit": {"Ref": "WafRateLimit"}}


def test_the_default_endpoint_can_be_disabled_if_there_is_a_domain(
    template: dict[str, Any], expanded: dict[str, Any]
) -> None:
    """The default endpoint bypasses the domain's protection; without a domain it is the only endpoint."""
    assert template["Parameters"]["ExecuteApiEndpoint"]["Default"] == "on"
    (rule,) = template["Rules"]["ExecuteApiEndpointOffNeedsDomain"]["Assertions"]
    assert rule["Assert"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "DomainName"}, ""]}]}
    body = expanded["Resources"]["RestAPI"]["Properties"]["Body"]
    off = {"Fn::If": ["ExecuteApiEndpointOff", True, False]}
    assert body["x-amazon-apigateway-endpoint-configuration"]["disableExecuteApiEndpoint"] == off
    described = with_described_parameters(template, {"ExecuteApiEndpoint": "off"})
    description = described["Resources"]["RestAPI"]["Properties"]["DefinitionBody"]["info"]["description"]
    assert description == "At its own domain only", "otherwise the stage would keep its snapshot"


def test_responses_are_compressed(expanded: dict[str, Any]) -> None:
    """API Gateway compresses scripts and descriptions to a fifth, at no cost to functions."""
    assert expanded["Resources"]["RestAPI"]["Properties"]["MinimumCompressionSize"] == 1024


def test_the_default_bus_accepts_no_commands_unless_sources_are_listed(template: dict[str, Any]) -> None:
    """P9: by default, `events:PutEvents` on the account's bus gives no admin rights, and never for all stages."""
    rule = template["Resources"]["CommandsOnDefaultBus"]
    assert template["Parameters"]["CommandSources"]["Default"] == ""
    assert rule["Condition"] == "HasCommandSources"
    assert template["Conditions"]["HasCommandSources"] == {
        "Fn::Not": [{"Fn::Equals": [{"Ref": "CommandSources"}, ""]}]
    }
    stage = {"Fn::Join": ["", {"Fn::Split": ["admit-one-", {"Ref": "AWS::StackName"}]}]}
    assert rule["Properties"]["EventPattern"] == {
        "source": {"Fn::Split": [" ", {"Ref": "CommandSources"}]},
        "account": [{"Ref": "AWS::AccountId"}],
        "detail-type": ["admit-one.command"],
        "detail": {"stage": [stage]},
    }
    variable = template["Resources"]["Commands"]["Properties"]["Environment"]["Variables"]["STAGE"]
    assert variable == stage, "the function's stage must be the name that the rule matches"
    own = template["Resources"]["CommandsOnOwnBus"]["Properties"]["EventPattern"]
    assert own["account"] == [{"Ref": "AWS::AccountId"}]


@pytest.mark.parametrize(
    ("text", "taken"),
    [
        ("", True), ("crm.deals", True), ("crm.deals billing/invoices", True), ("a_b-c.D9", True),
        ("*", False), (" ", False), ("crm.deals ", False), ("crm.deals  b", False), ("a,b", False),
        ("aws.s3", False), ("crm.deals aws.ec2", False), ('x"]', False), ("a" * 257, False),
    ],
)  # fmt: skip
def test_sources_of_commands_are_valid_names_and_not_those_of_aws(
    template: dict[str, Any], text: str, taken: bool
) -> None:
    pattern = template["Parameters"]["CommandSources"]["AllowedPattern"]
    assert bool(re.fullmatch(pattern, text)) is taken


def test_only_functions_without_http_can_be_traced_and_by_default_none_is(template: dict[str, Any]) -> None:
    """P7: requests of the others contain tokens. With little traffic, X-Ray traces every call, at $5 a million."""
    resources, untraced = template["Resources"], {logical_id(name) for name in UNTRACED}
    assert template["Parameters"]["Tracing"]["Default"] == "off"
    assert template["Conditions"]["HasTracing"] == {"Fn::Equals": [{"Ref": "Tracing"}, "on"]}
    optional = {"Fn::If": ["HasTracing", "Active", "PassThrough"]}
    for name, properties in _functions(resources).items():
        assert properties["Tracing"] == ("PassThrough" if name in untraced else optional), name


def test_a_traced_function_may_write_traces_before_it_is_traced(resources: dict[str, Any]) -> None:
    """Otherwise Lambda rejects the function. If tracing is off, no function has the permission."""
    policy = resources["TracesPolicy"]
    (statement,) = policy["Properties"]["PolicyDocument"]["Statement"]
    assert statement["Effect"] == {"Fn::If": ["HasTracing", "Allow", "Deny"]}
    assert statement["Action"] == ["xray:PutTelemetryRecords", "xray:PutTraceSegments"]
    traced = {
        name: each for name, each in resources.items() if isinstance(each["Properties"].get("Tracing"), dict)
    }
    assert policy["Properties"]["Roles"] == [
        {"Ref": each["Properties"]["Role"]["Fn::GetAtt"][0]} for each in traced.values()
    ]
    for name, each in traced.items():
        assert each["DependsOn"] == "TracesPolicy", name


def test_each_function_has_its_own_log_settings_and_role(resources: dict[str, Any]) -> None:
    functions = _functions(resources)
    config = read_config(ROOT)["lambda_functions"]
    assert set(functions) == {logical_id(name) for name in config}
    for name in config:
        function = functions[logical_id(name)]
        group = resources[log_group_id(name)]["Properties"]
        assert group["RetentionInDays"] == {"Ref": "LogRetentionDays"}
        assert function["LoggingConfig"] == {
            "LogFormat": "JSON",
            "ApplicationLogLevel": "INFO",
            "LogGroup": {"Ref": log_group_id(name)},
        }
        variables = function["Environment"]["Variables"]
        assert variables["TABLE_NAME"] == {"Ref": "Table"}
        assert variables["SIGNING_SECRET_ID"] == {"Ref": "SigningSecret"}
        assert "BASE_URL" in variables
        assert not {"LOCAL", "MAIL_DIRECTORY"} & set(variables), "these open what only a local stack has"
        assert function["Timeout"] == config[name]["lambda_timeout"]
        assert function["MemorySize"] == config[name]["lambda_memory_size"]
    roles = [json.dumps(function["Role"]) for function in functions.values()]
    assert len(set(roles)) == len(roles)
    assert functions[logical_id(HTTP)]["Timeout"] <= 29, "API Gateway waits no longer"


def test_every_setting_that_the_code_reads_is_set_for_some_function(resources: dict[str, Any]) -> None:
    """No other variable is set, because a misspelled name would silently have no effect."""
    read = set(re.findall(r'env(?:\.get\(|\[)"([A-Z_]+)"', (ROOT / "chalicelib" / "settings.py").read_text()))
    given = {name for each in _functions(resources).values() for name in each["Environment"]["Variables"]}
    retention = {f"RETENTION_{each.name.upper()}_DAYS" for each in msgspec.structs.fields(RetentionDays)}
    retention |= {f"MAIL_{each.name.upper()}_DAILY_LIMIT" for each in msgspec.structs.fields(DailyMails)}
    local = {"SIGNING_KEYS", "LOCAL", "MAIL_DIRECTORY"}
    assert given <= read | retention
    assert read - given <= local


def test_no_environment_contains_a_secret(resources: dict[str, Any]) -> None:
    for name, function in _functions(resources).items():
        for variable, value in function["Environment"]["Variables"].items():
            assert "resolve:secretsmanager" not in json.dumps(value), (name, variable)
            assert "SIGNING_KEYS" not in variable, name


def test_every_queue_has_a_dead_letter_queue_with_an_alarm(resources: dict[str, Any]) -> None:
    """P6: every queue keeps its messages for 14 days, the longest that SQS allows."""
    dead = dead_letter_queues({"Resources": resources})
    for name in dead:
        alarm = resources[f"{name}Alarm"]["Properties"]
        assert alarm["Dimensions"] == [{"Name": "QueueName", "Value": {"Fn::GetAtt": [name, "QueueName"]}}]
        assert alarm["AlarmActions"] == [{"Ref": "AlarmTopic"}]
        assert resources[name]["Properties"].get("MessageRetentionPeriod") == 14 * 24 * 3600, name
    for name, resource in resources.items():
        if resource["Type"] == QUEUE and name not in dead:
            assert resource["Properties"]["MessageRetentionPeriod"] == 14 * 24 * 3600, name
            target = resource["Properties"]["RedrivePolicy"]["deadLetterTargetArn"]
            assert target["Fn::GetAtt"][0] in dead, name


def _arn_of(arn: dict[str, Any]) -> dict[str, Any]:
    """Return the ARN of a rule, which may be conditional."""
    found: dict[str, Any] = arn["Fn::If"][1] if "Fn::If" in arn else arn
    return found


def test_events_that_a_rule_can_not_deliver_go_to_a_dead_letter_queue(resources: dict[str, Any]) -> None:
    """P6: without one, EventBridge drops an event after a day of retries."""
    dead = dead_letter_queues({"Resources": resources})
    allowed = {
        (_arn_of(rule)["Fn::GetAtt"][0], queue["Fn::GetAtt"][0])
        for resource in resources.values()
        if resource["Type"] == "AWS::SQS::QueuePolicy"
        for statement in resource["Properties"]["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Allow"
        for rule in _listed(statement["Condition"].get("ArnEquals", {}).get("aws:SourceArn", []))
        for queue in _listed(statement["Resource"])
        if queue in _listed(_arns(resource["Properties"]["Queues"]))
    }
    rules = {name: each for name, each in resources.items() if each["Type"] == "AWS::Events::Rule"}
    assert "MailFeedbackRule" in rules
    for name, rule in rules.items():
        for target in rule["Properties"]["Targets"]:
            kept = target["DeadLetterConfig"]["Arn"]["Fn::GetAtt"][0]
            assert kept in dead, name
            assert (name, kept) in allowed, name


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _arns(queues: list[dict[str, str]]) -> list[dict[str, list[str]]]:
    return [{"Fn::GetAtt": [queue["Ref"], "Arn"]} for queue in queues]


def test_mappings_report_each_failure_and_filter_the_stream(resources: dict[str, Any]) -> None:
    for name, resource in resources.items():
        if resource["Type"] != MAPPING:
            continue
        properties = resource["Properties"]
        assert properties["FunctionResponseTypes"] == ["ReportBatchItemFailures"], name
        assert resources[properties["FunctionName"]["Ref"]]["Type"] == FUNCTION


def test_a_queues_messages_stay_hidden_six_times_as_long_as_its_function_runs(
    resources: dict[str, Any],
) -> None:
    """AWS recommends this for queues with a function; otherwise a slow batch is processed twice at once."""
    for resource in resources.values():
        source = resource["Properties"].get("EventSourceArn", {}) if resource["Type"] == MAPPING else {}
        queue = source.get("Fn::GetAtt", [""])[0]
        if resources.get(queue, {}).get("Type") == QUEUE:
            function = resources[resource["Properties"]["FunctionName"]["Ref"]]["Properties"]
            times = 1 if resource["Properties"]["BatchSize"] == 1 else 6
            assert resources[queue]["Properties"]["VisibilityTimeout"] >= times * function["Timeout"], queue


# Alarms that a period without data sets off, with the reason why there is data in every period.
SILENCE_IS_BAD = {
    "ExpiryStoppedAlarm": "its function runs every minute",
    "WebhookRetryStoppedAlarm": "its function runs every minute",
    "OutboxBehindAlarm": "expiry writes a heartbeat every minute, and its record is in the stream",
}


def test_an_alarm_fires_beyond_its_threshold_and_for_missing_data_only_with_a_reason(
    resources: dict[str, Any],
) -> None:
    alarms = {
        name: each["Properties"]
        for name, each in resources.items()
        if each["Type"] == "AWS::CloudWatch::Alarm"
    }
    for name, alarm in alarms.items():
        below = alarm["MetricName"] == "Invocations"
        assert alarm["ComparisonOperator"] == ("LessThanThreshold" if below else "GreaterThanThreshold"), name
        assert alarm["TreatMissingData"] == ("breaching" if name in SILENCE_IS_BAD else "notBreaching"), name
        assert ("Statistic" in alarm) != ("ExtendedStatistic" in alarm), name
        assert alarm["AlarmDescription"], name
    assert alarms["OutboxBehindAlarm"]["MetricName"] == "IteratorAge"
    assert alarms["SlowAnswersAlarm"]["ExtendedStatistic"] == "p99"
    assert {"ForgedTokensAlarm", "DenialsAlarm", "BadApiKeysAlarm", "ServerErrorsAlarm"} <= set(alarms)


def test_each_function_has_an_alarm_of_its_errors_and_all_share_one_of_throttles(
    resources: dict[str, Any],
) -> None:
    """The direct functions share an alarm of their errors, because each caller sees its own error."""
    refusing = {logical_id(name) for name in REJECTING}
    direct = {logical_id(name) for name in DIRECT}
    for name in _functions(resources):
        shared = "DirectFunctionsErrorsAlarm" if name in direct else f"{name}ErrorsAlarm"
        alarm = resources[shared]["Properties"]
        assert alarm["AlarmActions"] == [{"Ref": "AlarmTopic"}]
        if name in refusing:
            (transformation,) = resources[f"{name}FailuresMetric"]["Properties"]["MetricTransformations"]
            assert (alarm["Namespace"], alarm["MetricName"]) == (
                transformation["MetricNamespace"],
                transformation["MetricName"],
            )
            assert "Dimensions" not in alarm
        else:
            assert (alarm["Namespace"], alarm["MetricName"]) == ("AWS/Lambda", "Errors")
            assert alarm["Dimensions"] == [{"Name": "FunctionName", "Value": {"Ref": name}}]
    throttles = resources["LambdaThrottlesAlarm"]["Properties"]
    assert throttles["AlarmActions"] == [{"Ref": "AlarmTopic"}]
    assert (throttles["Namespace"], throttles["MetricName"]) == ("AWS/Lambda", "Throttles")
    assert "Dimensions" not in throttles, (
        "without dimensions, Lambda's metric covers all functions of the Region"
    )


def test_refusals_that_a_function_raises_are_not_counted_as_failures(resources: dict[str, Any]) -> None:
    """Lambda counts each raised refusal as an error, and one of the alarms on failures rolls a deployment back."""
    from chalicelib.consumers.direct_functions import direct, refusal_of

    app = Chalice(app_name="direct")
    app.register_blueprint(direct)
    called_by_name = {function.name for function in app.pure_lambda_functions}
    assert called_by_name | {AUTHORIZER} == REJECTING
    for name in REJECTING:
        found = resources[f"{logical_id(name)}FailuresMetric"]["Properties"]
        assert found["LogGroupName"] == {"Ref": log_group_id(name)}
        assert len(found["FilterPattern"]) <= 1024, "longer than CloudWatch allows"
    for error, counted in (
        (LinkUsedError(), False), (NotFoundError(), False), (StoreUnavailableError(), True), (ThrottledError(), True),
        (UnexpectedError(), True),
    ):  # fmt: skip
        line = json.dumps({"log_level": "ERROR", "errorType": type(refusal_of(error, "c")).__name__})
        assert counts(failure_pattern(), line) == counted, error


@pytest.mark.parametrize(
    ("line", "counted"),
    [
        ({"level": "INFO", "message": "made"}, False),
        ({"type": "platform.report", "record": {"status": "success", "metrics": {}}}, False),
        ({"type": "platform.report", "record": {"status": "timeout"}}, True),
        ({"type": "platform.runtimeDone", "record": {"status": "error", "errorType": "Runtime.ExitError"}}, True),
        ({"log_level": "ERROR", "errorType": "Runtime.ImportModuleError", "errorMessage": "no"}, True),
        ({"log_level": "ERROR", "errorType": "KeyError", "errorMessage": "x"}, True),
    ],
)  # fmt: skip
def test_failure_lines_of_the_platform_are_counted(line: dict[str, Any], counted: bool) -> None:
    assert counts(failure_pattern(), json.dumps(line)) == counted


@pytest.mark.parametrize(
    ("metric", "resource", "status"),
    [
        ("ForgedTokens", "/s/{token}", "404"), ("ForgedTokens", "/b/{bookingToken}/cancel", "404"),
        ("Denials", "/s/{token}/redeem", "410"), ("Denials", "/s/{token}", "403"),
        ("BadApiKeys", "/v1/links", "401"), (None, "/s/{token}", "200"), (None, "/v1/links/{linkId}", "404"),
        (None, "/b/{bookingToken}", "410"), (None, "/v1/links", "403"),
    ],
)  # fmt: skip
def test_each_spike_is_counted_from_the_access_log_by_route_and_status(
    resources: dict[str, Any], metric: str | None, resource: str, status: str
) -> None:
    filters = {
        each["Properties"]["MetricTransformations"][0]["MetricName"]: each["Properties"]["FilterPattern"]
        for each in resources.values()
        if each["Type"] == "AWS::Logs::MetricFilter"
        and each["Properties"]["LogGroupName"] == {"Ref": "AccessLogGroup"}
    }
    line = json.dumps({"resource": resource, "status": status})
    assert {name for name, pattern in filters.items() if counts(pattern, line)} == ({metric} - {None})


def test_the_dashboard_shows_every_function_and_queue(resources: dict[str, Any]) -> None:
    body = resources["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    json.loads(body)
    for name, resource in resources.items():
        if resource["Type"] == FUNCTION:
            assert f'"${{{name}}}"' in body
        if resource["Type"] == QUEUE:
            assert f'"${{{name}.QueueName}}"' in body


def test_gateway_responses_are_in_the_api_definition(resources: dict[str, Any]) -> None:
    """A stage serves a snapshot of the definition; a separate resource might be created after the snapshot."""
    answers = resources["RestAPI"]["Properties"]["DefinitionBody"][RESPONSES]
    statuses = {kind: answer.get("statusCode") for kind, answer in answers.items()}
    assert statuses["MISSING_AUTHENTICATION_TOKEN"] == "404"
    assert statuses["UNAUTHORIZED"] == "401"
    assert statuses["ACCESS_DENIED"] == "403"
    assert statuses["AUTHORIZER_FAILURE"] == "503"
    assert statuses["THROTTLED"] == statuses["WAF_FILTERED"] == "429"
    assert {"DEFAULT_4XX", "DEFAULT_5XX"} <= set(statuses)
    for kind, answer in answers.items():
        assert answer["responseParameters"]["gatewayresponse.header.Content-Type"] == f"'{MEDIA_TYPE}'"
        tls = answer["responseParameters"]["gatewayresponse.header.Strict-Transport-Security"]
        assert tls == "'max-age=31536000'"
        document = json.loads(answer["responseTemplates"]["application/json"])
        assert str(document.get("status")) == str(answer.get("statusCode")), kind
        if kind in {"THROTTLED", "AUTHORIZER_FAILURE", "WAF_FILTERED"}:
            assert answer["responseParameters"]["gatewayresponse.header.Retry-After"] == "'1'"


def test_every_route_is_in_the_definition_behind_its_own_authorizer(resources: dict[str, Any]) -> None:
    """P9: a route without its authorizer in the definition would be open to everyone."""
    from chalicelib.api.routes import ROUTERS

    paths = resources["RestAPI"]["Properties"]["DefinitionBody"]["paths"]
    definitions = resources["RestAPI"]["Properties"]["DefinitionBody"]["securityDefinitions"]
    for router in ROUTERS:
        for route in router.routes:
            for method in route.methods:
                security = paths[route.path][method.lower()].get("security", [])
                assert security == ([{"authorizer": []}] if route.needs_key else []), (method, route.path)
    assert definitions["authorizer"]["x-amazon-apigateway-authtype"] == "custom"


def test_a_preflight_reaches_the_app_without_a_key(resources: dict[str, Any]) -> None:
    """Browsers send no key with it. Only paths that other sites' scripts may call have one."""
    from chalicelib.api.routes import PREFLIGHT

    paths = resources["RestAPI"]["Properties"]["DefinitionBody"]["paths"]
    assert {path for path, methods in paths.items() if "options" in methods} == {
        route.path for route in PREFLIGHT.routes
    }
    for route in PREFLIGHT.routes:
        operation = paths[route.path]["options"]
        assert "security" not in operation, route.path
        integration = operation["x-amazon-apigateway-integration"]
        assert (integration["type"], integration["httpMethod"]) == ("aws_proxy", "POST"), route.path


@pytest.mark.parametrize(
    ("origins", "fits"),
    [
        ("", True),
        ("https://app.example", True),
        ("http://localhost:3000 https://app.example:8443", True),
        ("https://a.example,https://b.example", True),
        ("https://a.example, http://b.example:443", True),
        *(
            (f"https://fine.example {each}", False)
            for each in ("*", "null", "https://a.example/", "a.example")
        ),
        *((f"https://fine.example,{each}", False) for each in ("https://*.example", "https://A.example", "")),
        *(
            (f"{each} https://fine.example", False)
            for each in ("https://a.example:443", "http://a.example:80")
        ),
    ],
)
def test_cors_origins_that_the_code_refuses_are_refused_by_the_template(
    template: dict[str, Any], origins: str, fits: bool
) -> None:
    """Otherwise the deployment succeeds, and every request fails."""
    pattern = template["Parameters"]["CorsOrigins"]["AllowedPattern"]
    assert bool(re.fullmatch(pattern, origins)) == fits
    if fits:
        read_settings({"TABLE_NAME": "t", "SIGNING_KEYS": "k", "CORS_ORIGINS": origins})


def test_gateway_responses_have_cors_headers_only_if_origins_are_listed(
    resources: dict[str, Any],
) -> None:
    answers = resources["RestAPI"]["Properties"]["DefinitionBody"][RESPONSES]
    for kind, answer in answers.items():
        found = {
            name.removeprefix("gatewayresponse.header."): value
            for name, value in answer["responseParameters"].items()
            if "Access-Control" in name
        }
        assert set(found) == {"Access-Control-Allow-Origin", "Access-Control-Expose-Headers"}, kind
        for value in found.values():
            condition, _, otherwise = value["Fn::If"]
            assert (condition, otherwise) == ("HasCors", {"Ref": "AWS::NoValue"}), kind


def test_a_stage_gets_a_new_snapshot_when_cors_is_turned_on_or_off(packaged: Package) -> None:
    """The snapshot contains the gateway's own responses, with or without CORS headers."""
    deployments = []
    for origins in ("", "https://a.example", "https://b.example"):
        described = with_described_parameters(packaged.read_template(), {"CorsOrigins": origins})
        plain = expand(described)["Resources"]
        deployments.append([n for n, each in plain.items() if each["Type"] == "AWS::ApiGateway::Deployment"])
    assert deployments[0] != deployments[1] == deployments[2]
