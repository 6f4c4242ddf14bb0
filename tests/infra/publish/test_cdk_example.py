"""The CDK example of docs/deploy.md installs a published template. `make proof` runs it, because CDK is large."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

from infra.local.aws import local_client
from infra.local.engines.ministack import Ministack
from infra.package.build import Package
from infra.paths import LOCAL, ROOT
from infra.stack.account import open_account
from infra.stack.stacks import outputs
from tests.infra.publish.test_publish import REGIONS, fit_template, published
from tests.support.waiting import LIMIT

PINNED: Final = ROOT / "infra" / "npm" / "cdk"
EXAMPLE: Final = (ROOT / "docs" / "deploy.md").read_text().partition("```js\n")[2].partition("```")[0]
NODE: Final = shutil.which("node") or "node"
NAME: Final = "admit-one-prod"


@pytest.fixture(scope="module")
def cdk() -> Path:
    """A folder with the pinned CDK. Skips if npm can't install it."""
    folder = LOCAL / "cdk"
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json", ".npmrc"):
        shutil.copy(PINNED / name, folder)
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("NO NPM: the CDK example is not synthesized")
    done = subprocess.run(
        [npm, "ci", "--loglevel=error"], cwd=folder, capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip(f"NO CDK: npm can't install it: {done.stderr.strip()[-200:]}")
    return folder


def test_the_example_installs_the_stack_and_shows_its_address(
    cdk: Path, packaged: Package, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The synthesized stack is deployed, and its outputs are those of the nested stack."""
    with Ministack() as engine:
        monkeypatch.setenv("AWS_ENDPOINT_URL", engine.endpoint_url)
        account = open_account({"AWS_REGION": "us-east-1"})
        [done] = published(account, packaged, "acme-cdk", regions=REGIONS[:1])
        given = EXAMPLE.partition('templateUrl: "')[2].partition('"')[0]
        script = cdk / "example.js"
        script.write_text(EXAMPLE.replace(given, fit_template(account, done.template_url)))
        subprocess.run(
            [NODE, script.name], cwd=cdk, env={**os.environ, "CDK_OUTDIR": str(tmp_path)}, check=True
        )
        template = json.loads((tmp_path / f"{NAME}.template.json").read_text())
        for name in (
            "Parameters",
            "Rules",
        ):  # CDK's check of its bootstrap version, which reads a parameter of SSM
            template.pop(name)

        cloudformation = local_client("cloudformation", engine.endpoint_url)
        cloudformation.create_stack(
            StackName=NAME, TemplateBody=json.dumps(template), Capabilities=["CAPABILITY_IAM"]
        )
        config = {"Delay": 0.1, "MaxAttempts": int(LIMIT * 10)}
        cloudformation.get_waiter("stack_create_complete").wait(StackName=NAME, WaiterConfig=config)
        found = outputs(cloudformation, NAME)

        assert set(found) == {"SiteUrl", "MakeAdmin"}
        answer = local_client("lambda", engine.endpoint_url).invoke(
            FunctionName=found["MakeAdmin"], Payload=b'{"name": "first"}'
        )
        assert "apiKey" in json.loads(answer["Payload"].read())
