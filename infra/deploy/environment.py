"""Check before an upload that each function's environment variables fit into Lambda's 4 KB."""

import re
from collections.abc import Mapping
from typing import Any, Final

from infra.stack.account import DeployError

MAX_BYTES: Final = 4096  # of all variables of a function together
_REFERENCE_BYTES: Final = 200  # at most, for a name, an ARN or a URL that only the deployed resource has
_QUOTES_BYTES: Final = 6  # of JSON, around a name and its value


def check_environments(template: Mapping[str, Any], parameters: Mapping[str, str]) -> None:
    """Raise `DeployError` if a function's variables are too large with these parameters.

    CloudFormation would notice it only when it updates the function, after minutes, and roll back.
    """
    for name, sizes in variable_bytes(template, parameters).items():
        total = sum(sizes.values())
        if total > MAX_BYTES:
            longest = sorted(sizes, key=lambda variable: -sizes[variable])[:2]
            which = " and ".join(f"{variable} ({sizes[variable]:,} bytes)" for variable in longest)
            raise DeployError(
                f"The environment variables of the function {name} have {total:,} bytes; Lambda accepts {MAX_BYTES:,}. "
                f"The longest are {which}: shorten the parameters that they come from."
            )


def variable_bytes(template: Mapping[str, Any], parameters: Mapping[str, str]) -> dict[str, dict[str, int]]:
    """Return the bytes of each variable by function, with these parameters and the defaults of the others."""
    defaults = {name: str(each.get("Default", "")) for name, each in template["Parameters"].items()}
    given = {**defaults, **parameters}
    return {
        name: {
            variable: len(variable.encode()) + _bytes(value, given) + _QUOTES_BYTES
            for variable, value in resource["Properties"].get("Environment", {}).get("Variables", {}).items()
        }
        for name, resource in template["Resources"].items()
        if resource["Type"] == "AWS::Serverless::Function"
    }


def _bytes(value: Any, given: Mapping[str, str]) -> int:
    """Return how many bytes a value has at most."""
    match value:
        case {"Ref": name}:
            return 0 if name == "AWS::NoValue" else _reference_bytes(name, given)
        case {"Fn::GetAtt": _}:
            return _REFERENCE_BYTES
        case {"Fn::Sub": str(text)}:
            names = re.findall(r"\$\{([^}]+)\}", text)
            literal = len(re.sub(r"\$\{[^}]+\}", "", text).encode())
            return literal + sum(_reference_bytes(name, given) for name in names)
        case {"Fn::If": [_, one, other]}:
            return max(_bytes(one, given), _bytes(other, given))
        case dict() | list():
            parts = value.values() if isinstance(value, dict) else value
            return sum(_bytes(part, given) for part in parts)
    return len(str(value).encode())


def _reference_bytes(name: str, given: Mapping[str, str]) -> int:
    return len(given[name].encode()) if name in given else _REFERENCE_BYTES
