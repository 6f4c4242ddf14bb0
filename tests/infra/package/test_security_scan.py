"""A security scanner finds nothing in the template; each exception is listed here with its reason."""

import copy
import math
import re
from typing import Any, Final

import pytest

from infra.paths import ROOT

# (rule, resource) → the reason for the exception.
OVERLOOKED: Final[dict[tuple[str, str], str]] = {
    ("S3ObjectVersioningRule", "OutboxCrashes"): "Lambda writes each object once under a name of its own",
}


def _findings(template: dict[str, Any]) -> set[tuple[str, str]]:
    # Importing the scanner takes seconds, so only the process that runs these tests does.
    import pycfmodel
    from cfripper.config.config import Config
    from cfripper.config.pluggy.utils import get_all_rules
    from cfripper.rule_processor import RuleProcessor

    rules = get_all_rules()
    config = Config(rules=list(rules))
    processor = RuleProcessor(*[rules[name](config) for name in config.rules])
    result = processor.process_cf_template(pycfmodel.parse(_readable(template)), config)
    assert not result.exceptions, result.exceptions
    return {
        (failure.rule, resource)
        for failure in result.failures
        for resource in failure.resource_ids or {"(template)"}
    }


def _readable(template: dict[str, Any]) -> dict[str, Any]:
    """Return a copy that the scanner can read.

    It knows neither fractions in an alarm's threshold nor effects that depend on a condition: those become "Allow".
    """
    scanned = copy.deepcopy(template)
    for resource in scanned["Resources"].values():
        properties = resource.get("Properties", {})
        if isinstance(properties.get("Threshold"), float):
            properties["Threshold"] = math.ceil(properties["Threshold"])
        for statement in properties.get("PolicyDocument", {}).get("Statement", []):
            if not isinstance(statement["Effect"], str):
                statement["Effect"] = "Allow"
    return scanned


def test_the_scanner_finds_only_the_listed_exceptions(expanded: dict[str, Any]) -> None:
    found = _findings(expanded)
    assert found - set(OVERLOOKED) == set()
    assert set(OVERLOOKED) - found == set(), "no longer found: take the reason away too"


@pytest.mark.parametrize(
    ("resource", "action", "rule"),
    [
        ("OutboxRole", "dynamodb:*", "WildcardResourceRule"),
        ("ExpiryRole", "iam:PutRolePolicy", "PrivilegeEscalationRule"),
    ],
)
def test_the_scanner_finds_planted_faults(
    expanded: dict[str, Any], resource: str, action: str, rule: str
) -> None:
    worse = copy.deepcopy(expanded)
    policy = worse["Resources"][resource]["Properties"]["Policies"][0]["PolicyDocument"]
    policy["Statement"].append({"Effect": "Allow", "Action": [action], "Resource": ["*"]})
    assert (rule, resource) in _findings(worse)


def test_each_exception_for_a_second_scanner_has_its_reason_in_the_docs() -> None:
    """That scanner is not installed here. docs/security.md explains every check that .checkov.yaml skips."""
    overlooked = re.findall(r"^  - (CKV_\w+)", (ROOT / ".checkov.yaml").read_text(), re.MULTILINE)
    explained = re.findall(r"CKV_\w+", (ROOT / "docs" / "security.md").read_text())
    assert sorted(overlooked) == sorted(explained)
    assert len(set(overlooked)) == len(overlooked) > 0
