"""Check the parameters of a stage's file against the template, before anything is uploaded."""

import re
from collections.abc import Mapping
from typing import Any

from infra.stack.account import DeployError


def check_parameters(parameters: Mapping[str, str], template: Mapping[str, Any]) -> None:
    """Raise `DeployError` for parameters that the template doesn't have or accept.

    CloudFormation silently uses the default of a misspelled one, and checks values only after the upload.
    """
    unknown = sorted(set(parameters) - set(template["Parameters"]))
    if unknown:
        known = ", ".join(sorted(template["Parameters"]))
        raise DeployError(f"Unknown parameter {', '.join(unknown)}; the template has {known}.")
    wrong = [
        f"  {name} is {value!r}, but must be {expected}"
        for name, value in sorted(parameters.items())
        if (expected := _expected(value, template["Parameters"][name]))
    ]
    if wrong:
        raise DeployError(
            "The template does not accept these parameters of the stage's file:\n" + "\n".join(wrong)
        )


def _expected(value: str, parameter: Mapping[str, Any]) -> str | None:
    """Return what a parameter's value must be, or None if the template accepts the value."""
    if "AllowedValues" in parameter:
        allowed = [str(each) for each in parameter["AllowedValues"]]
        return None if value in allowed else f"one of {', '.join(allowed)}"
    if parameter["Type"] == "Number":
        least, most = parameter.get("MinValue", float("-inf")), parameter.get("MaxValue", float("inf"))
        number = re.fullmatch(r"-?\d+(\.\d+)?", value)
        if number and least <= float(value) <= most:
            return None
        bounds = [f"at least {least}"] if "MinValue" in parameter else []
        bounds += [f"at most {most}"] if "MaxValue" in parameter else []
        return " and ".join(["a number", *bounds])
    if len(value) > parameter.get("MaxLength", len(value)):
        return f"at most {parameter['MaxLength']:,} characters long"
    pattern = parameter.get("AllowedPattern")
    if pattern is None or re.fullmatch(pattern, value):
        return None
    return str(parameter.get("ConstraintDescription") or f"empty or match {pattern}")
