"""Use an existing resource, such as a restored table or the local table, instead of a resource of the stack."""

import re
from collections.abc import Mapping
from typing import Any


def use_existing(
    template: Mapping[str, Any], logical_id: str, ref: str, attributes: Mapping[str, str]
) -> dict[str, Any]:
    """Return the template without a resource; references to it become `ref` and `attributes`.

    Raise KeyError if the template uses an attribute that is not in `attributes`.
    """
    resources = {name: value for name, value in template["Resources"].items() if name != logical_id}
    replaced: dict[str, Any] = _replaced({**template, "Resources": resources}, logical_id, ref, attributes)
    return replaced


def use_existing_table(template: Mapping[str, Any], table: Mapping[str, Any]) -> dict[str, Any]:
    """Return the template with an existing table; `table` is its description from `describe_table`."""
    attributes = {"Arn": table["TableArn"], "StreamArn": table["LatestStreamArn"]}
    return use_existing(template, "Table", table["TableName"], attributes)


def _replaced(value: Any, logical_id: str, ref: str, attributes: Mapping[str, str]) -> Any:
    if isinstance(value, list):
        return [_replaced(each, logical_id, ref, attributes) for each in value]
    if not isinstance(value, dict):
        return value
    match value:
        case {"Ref": name} if name == logical_id:
            return ref
        case {"Fn::GetAtt": [name, attribute]} if name == logical_id:
            return attributes[attribute]
        case {"Fn::Sub": str(text)}:
            pattern = rf"\$\{{{re.escape(logical_id)}(?:\.(\w+))?\}}"
            return {"Fn::Sub": re.sub(pattern, lambda m: attributes[m[1]] if m[1] else ref, text)}
    return {key: _replaced(each, logical_id, ref, attributes) for key, each in value.items()}
