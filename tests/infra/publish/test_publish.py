"""A release is published once, only its readers can read it, and the console's link alone installs it (P1)."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import httpx
import pytest

from infra.local.aws import local_client
from infra.local.engines.ministack import Ministack
from infra.local.template import fit_for_ministack, with_local_permissions
from infra.package.build import Package
from infra.publish.buckets import PublishError, Readers, parse_readers, put_new
from infra.publish.publish import install_text, main, publish, quick_create_url, released_package
from infra.release.records import last_release
from infra.stack.account import Account, open_account
from infra.stack.stacks import outputs
from tests.support.app import ALL_DAY, JSON, redeem_body
from tests.support.waiting import LIMIT

REGIONS = ("us-east-1", "eu-central-1")
ORIGIN = "https://app.example"


@pytest.fixture(scope="module")
def engine() -> Iterator[Ministack]:
    with Ministack() as running:
        yield running


@pytest.fixture
def account(engine: Ministack, monkeypatch: pytest.MonkeyPatch) -> Account:
    monkeypatch.setenv("AWS_ENDPOINT_URL", engine.endpoint_url)
    return open_account({"AWS_REGION": "us-east-1"})


def published(account: Account, package: Package, prefix: str, **how: Any) -> list[Any]:
    given = {"regions": REGIONS, "readers": None, "say": lambda _: None, **how}
    return publish(account, package, prefix=prefix, **given)


def fit_template(account: Account, template_url: str) -> str:
    """Return the URL of a published template without what ministack lacks."""
    template = httpx.get(template_url, trust_env=False, timeout=LIMIT).json()
    fit = json.dumps(with_local_permissions(fit_for_ministack(template)))
    place = template_url.partition("/admit-one/")[0]
    account.client("s3").put_object(Bucket=place.rpartition("/")[2], Key="fit.json", Body=fit.encode())
    return f"{place}/fit.json"


def policy_of(account: Account, bucket: str) -> dict[str, Any]:
    text = account.client("s3").get_bucket_policy(Bucket=bucket)["Policy"]
    return {each["Sid"]: each for each in json.loads(text)["Statement"]}


def test_a_release_is_installed_from_its_link_and_gives_one_booking(
    account: Account, engine: Ministack, packaged: Package
) -> None:
    """P1: the link's template, name and parameters, one capability, `make_admin`; then the main job."""
    done = published(account, packaged, "acme-install")
    assert [each.region for each in done] == list(REGIONS)
    url = done[0].install_url
    assert len(url) <= 1024
    query = parse_qs(unquote(urlsplit(url).fragment).partition("?")[2])
    [template_url], [name] = query["templateURL"], query["stackName"]
    fit_url = fit_template(account, template_url)

    cloudformation = local_client("cloudformation", engine.endpoint_url)

    def put(call: str, **parameters: str) -> dict[str, str]:
        getattr(cloudformation, f"{call}_stack")(
            StackName=name,
            TemplateURL=fit_url,
            Capabilities=["CAPABILITY_IAM"],
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
        )
        waiter = cloudformation.get_waiter(f"stack_{call}_complete")
        waiter.wait(StackName=name, WaiterConfig={"Delay": 0.1, "MaxAttempts": int(LIMIT * 10)})
        return outputs(cloudformation, name)

    found = put("create")
    assert found["Version"] == packaged.version
    answer = local_client("lambda", engine.endpoint_url).invoke(
        FunctionName=found["MakeAdminFunction"], Payload=json.dumps({"name": "first"}).encode()
    )
    key = json.loads(answer["Payload"].read())["apiKey"]
    api = f"{engine.endpoint_url}/restapis/{found['RestAPIId']}/api/_user_request_"
    with httpx.Client(base_url=api, trust_env=False, timeout=LIMIT) as client:
        client.headers["Authorization"] = f"Bearer {key}"
        host = {"name": "Ada", "email": "ada@hosts.example", "timeZone": "UTC"}
        host_id = client.post("/v1/hosts", json=host).json()["hostId"]
        event_type = {"hostId": host_id, "title": "Intro", "durationMinutes": 30, "schedule": ALL_DAY}
        event_type_id = client.post("/v1/event-types", json=event_type).json()["eventTypeId"]
        [link] = client.post("/v1/links", json={"eventTypeId": event_type_id}).json()["links"]
        path = "/s/" + link["url"].rpartition("/")[2]
        start = client.get(f"{path}/slots", headers=JSON).json()["slots"][0]["start"]
        statuses = [
            client.post(
                f"{path}/redeem", json=redeem_body(start), headers=JSON | {"Idempotency-Key": key}
            ).status_code
            for key in ("one", "two")
        ]
        assert statuses == [201, 410]

    before = template_snapshot(cloudformation, name)
    put("update", CorsOrigins=ORIGIN)
    after = template_snapshot(cloudformation, name)
    assert before != after, "a stage serves a snapshot, so a parameter that changes the API needs a new one"
    api = f"{engine.endpoint_url}/restapis/{outputs(cloudformation, name)['RestAPIId']}/api/_user_request_"
    refused = httpx.get(f"{api}/v1/hosts", headers={"Origin": ORIGIN}, trust_env=False, timeout=LIMIT)
    assert refused.status_code == 401
    assert "access-control-allow-origin" in refused.headers


def template_snapshot(cloudformation: Any, name: str) -> str:
    """Return the API's deployment that the stack has now."""
    resources = cloudformation.describe_stack_resources(StackName=name)["StackResources"]
    [deployment] = [
        each["PhysicalResourceId"]
        for each in resources
        if each["ResourceType"] == "AWS::ApiGateway::Deployment"
        and each["ResourceStatus"] != "DELETE_COMPLETE"
    ]
    return str(deployment)


def test_publishing_again_writes_nothing_and_other_bytes_are_refused(
    account: Account, packaged: Package
) -> None:
    """A stack that refers to an object must find the same one in a rollback."""
    lines: list[str] = []
    published(account, packaged, "acme-again", regions=REGIONS[:1])
    published(account, packaged, "acme-again", regions=REGIONS[:1], say=lines.append)
    assert "already published" in lines[0]
    s3, bucket = account.client("s3"), "acme-again-us-east-1"
    keys = [each["Key"] for each in s3.list_objects_v2(Bucket=bucket)["Contents"]]
    assert sorted(key.partition("/")[0] for key in keys) == ["admit-one", "admit-one"]

    s3.put_object(Bucket=bucket, Key=next(key for key in keys if key.endswith(".zip")), Body=b"other")
    with pytest.raises(PublishError, match="exists with other content"):
        published(account, packaged, "acme-again", regions=REGIONS[:1])
    with pytest.raises(PublishError, match="exists with other content"):
        put_new(s3, bucket, keys[0], b"another", {"ExpectedBucketOwner": account.account_id})


def test_a_bucket_is_private_versioned_and_requires_tls(account: Account, packaged: Package) -> None:
    published(account, packaged, "acme-private", regions=REGIONS[:1])
    s3, bucket = account.client("s3"), "acme-private-us-east-1"
    assert set(policy_of(account, bucket)) == {"EncryptedOnTheWay"}
    block = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    assert all(block.values())
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"


@pytest.mark.parametrize(
    ("text", "principal", "condition", "is_blocked"),
    [
        ("111122223333", {"AWS": ["arn:aws:iam::111122223333:root"]}, None, True),
        ("o-abcdefghij", "*", {"StringEquals": {"aws:PrincipalOrgID": "o-abcdefghij"}}, True),
        ("public", "*", None, False),
    ],
)  # fmt: skip
def test_readers_may_read_published_objects_and_nothing_else(
    account: Account, packaged: Package, text: str, principal: Any, condition: Any, is_blocked: bool
) -> None:
    """Readers stay when the next release names none; `none` ends their access."""
    prefix = f"acme-{text[:4].lower().strip('-')}"
    bucket = f"{prefix}-us-east-1"
    for readers in (parse_readers(text), None):
        published(account, packaged, prefix, regions=REGIONS[:1], readers=readers)
        statement = policy_of(account, bucket)["Readers"]
        assert (statement["Principal"], statement.get("Condition")) == (principal, condition)
        assert (statement["Action"], statement["Resource"]) == (
            "s3:GetObject", f"arn:aws:s3:::{bucket}/admit-one/*",
        )  # fmt: skip
        block = account.client("s3").get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
        assert block["BlockPublicPolicy"] is block["RestrictPublicBuckets"] is is_blocked
    published(account, packaged, prefix, regions=REGIONS[:1], readers=parse_readers("none"))
    assert set(policy_of(account, bucket)) == {"EncryptedOnTheWay"}
    block = account.client("s3").get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    assert all(block.values())


@pytest.mark.parametrize("text", ["12345", "o-x", "public none", "everybody", "o-abcdefghij 111122223333"])
def test_unknown_readers_are_refused(text: str) -> None:
    with pytest.raises(PublishError, match="must be account ids"):
        parse_readers(text)
    assert parse_readers("") is None
    assert parse_readers("none") == Readers()


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--version", "9.9.9", "--bucket", "acme"], "'9.9.9' is not a released version"),
        (["--version", "0.1.0", "--bucket", "acme", "--readers", "public"], "add CONFIRM=public"),
        (["--version", "0.1.0", "--bucket", "acme", "--readers", "me"], "must be account ids"),
    ],
)
def test_a_refused_command_says_why(
    arguments: list[str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 1
    assert reason in capsys.readouterr().err


@pytest.mark.parametrize("prefix", ["Acme", "a", "-acme", "acme.releases", "x" * 41])
def test_a_bucket_that_s3_would_refuse_is_refused_first(
    account: Account, packaged: Package, prefix: str
) -> None:
    with pytest.raises(PublishError, match="lower-case letters"):
        published(account, packaged, prefix)


def test_only_the_recorded_bytes_are_published(
    packaged: Package, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setattr("infra.publish.publish.BUILD", tmp_path)
    monkeypatch.setattr("infra.publish.publish.package_of_tree", lambda *_, **__: packaged)
    with pytest.raises(PublishError, match="builds another zip"):
        released_package(last_release(), tmp_path)


def test_a_link_fills_in_parameters_and_the_page_has_a_link_for_each_region(
    account: Account, packaged: Package
) -> None:
    url = quick_create_url("eu-central-1", "https://b.example/t.json", {"AlarmEmail": "ops@example.com"})
    assert url.startswith(
        "https://eu-central-1.console.aws.amazon.com/cloudformation/home?region=eu-central-1#"
    )
    assert url.endswith("param_AlarmEmail=ops%40example.com")
    done = published(account, packaged, "acme-page")
    page = install_text("1.2.3", done)
    assert "# Install Admit One 1.2.3" in page
    assert all(each.install_url in page and each.template_url in page for each in done)
    assert "$" not in page
