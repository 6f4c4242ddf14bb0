"""Parameters and environment variables are checked before the upload, as CloudFormation and Lambda check them."""

from typing import Any

import pytest

from infra.deploy.environment import MAX_BYTES, check_environments, variable_bytes
from infra.deploy.parameters import check_parameters
from infra.stack.account import DeployError


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("LogRetentionDays", "31", "one of 1, 3, 5"),
        ("ThrottleRate", "many", "a number and at least 1"),
        ("LinkRequestsPerDay", "100", "a number and at least 1 and at most 99"),
        ("ThrottleRate", "-1", "at least 1"),
        ("BaseUrl", "https://book.example.com/", "a URL without a trailing slash"),
        ("AlarmEmail", "ops", r"empty or match "),
        ("MailSender", f"a@{'b' * 400}.example", "at most 320 characters long"),
    ],
)
def test_a_value_that_the_template_does_not_accept_is_named(
    template: dict[str, Any], name: str, value: str, words: str
) -> None:
    with pytest.raises(DeployError) as raised:
        check_parameters({name: value, "ThrottleBurst": "5"}, template)
    assert f"  {name} is {value!r}, but must be " in str(raised.value)
    assert words in str(raised.value)
    assert "ThrottleBurst" not in str(raised.value)


def test_every_default_and_common_values_are_accepted(template: dict[str, Any]) -> None:
    """An empty string switches an option off."""
    check_parameters({name: str(each["Default"]) for name, each in template["Parameters"].items()}, template)
    check_parameters(
        {"ThrottleRate": "0500", "BaseUrl": "https://book.example.com", "DomainName": ""}, template
    )


def test_the_longest_parameters_fit_into_each_functions_environment(template: dict[str, Any]) -> None:
    """Lambda accepts 4 KB of variables for each function, and a deployment that exceeds it fails after minutes."""
    longest = {
        name: "x" * each["MaxLength"] if "MaxLength" in each else str(each.get("MaxValue", 10**6))
        for name, each in template["Parameters"].items()
        if "AllowedValues" not in each
    }
    check_environments(template, longest)
    sizes = variable_bytes(template, longest)
    assert sizes["APIHandler"]["CORS_ORIGINS"] == len("CORS_ORIGINS") + 1200 + 6
    assert max(sum(each.values()) for each in sizes.values()) > MAX_BYTES // 2, "the estimate is not empty"


def test_variables_that_do_not_fit_are_named(template: dict[str, Any]) -> None:
    long = {"CorsOrigins": "https://a.example " * 120, "FrameAncestors": "https://b.example " * 100}
    with pytest.raises(
        DeployError, match=r"function APIHandler have 4,\d+ bytes; Lambda accepts 4,096.*CORS_ORIGINS"
    ) as raised:
        check_environments(template, long)
    assert "and FRAME_ANCESTORS (1,8" in str(raised.value)
