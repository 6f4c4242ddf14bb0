"""Fixtures: the package, its template, and the template that SAM expands it to."""

import os
from typing import Any
from unittest.mock import patch

import pytest

from infra.local.stack import local_package
from infra.package.build import Package


@pytest.fixture(scope="session")
def packaged() -> Package:
    """The package of the current code."""
    return local_package()


@pytest.fixture(scope="session")
def template(packaged: Package) -> dict[str, Any]:
    """The packaged template."""
    return packaged.read_template()


@pytest.fixture(scope="session")
def resources(template: dict[str, Any]) -> dict[str, Any]:
    """The template's resources by logical id."""
    found: dict[str, Any] = template["Resources"]
    return found


@pytest.fixture(scope="session")
def expanded(packaged: Package) -> dict[str, Any]:
    """The template after SAM's transform, as CloudFormation applies it, with plain resources only."""
    return expand(packaged.read_template())


def expand(whole: dict[str, Any]) -> dict[str, Any]:
    """Apply SAM's transform to a template in place."""
    from samtranslator.translator.managed_policy_translator import ManagedPolicyLoader
    from samtranslator.translator.transform import transform

    for resource in whole["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = {"Bucket": "bucket", "Key": "key"}
    with patch.dict(os.environ, {"AWS_DEFAULT_REGION": "us-east-1"}):
        plain: dict[str, Any] = transform(whole, {}, ManagedPolicyLoader(None))
    return plain
