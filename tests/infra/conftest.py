"""Fixtures: the package, its template, and the template that SAM expands it to."""

from typing import Any

import pytest

from infra.local.stack import local_package
from infra.package.build import Package
from infra.package.expand import expand


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
