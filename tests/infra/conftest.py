"""The packaged template, and what AWS makes of it."""

import os
from typing import Any
from unittest.mock import patch

import pytest

from infra.local.stack import local_package
from infra.package.build import Package


@pytest.fixture(scope="session")
def packaged() -> Package:
    """The package of the code as it is."""
    return local_package()


@pytest.fixture(scope="session")
def template(packaged: Package) -> dict[str, Any]:
    """The template as it is packaged."""
    return packaged.read_template()


@pytest.fixture(scope="session")
def resources(template: dict[str, Any]) -> dict[str, Any]:
    """Its resources by name."""
    found: dict[str, Any] = template["Resources"]
    return found


@pytest.fixture(scope="session")
def expanded(packaged: Package) -> dict[str, Any]:
    """The template once SAM's transform has been applied, as CloudFormation does it: plain resources only."""
    return expand(packaged.read_template())


def expand(whole: dict[str, Any]) -> dict[str, Any]:
    """Apply SAM's transform to a template, which is changed by it."""
    from samtranslator.translator.managed_policy_translator import ManagedPolicyLoader
    from samtranslator.translator.transform import transform

    for resource in whole["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = {"Bucket": "bucket", "Key": "key"}
    with patch.dict(os.environ, {"AWS_DEFAULT_REGION": "us-east-1"}):
        plain: dict[str, Any] = transform(whole, {}, ManagedPolicyLoader(None))
    return plain
