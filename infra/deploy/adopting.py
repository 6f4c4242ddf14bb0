"""A stack over what is there already: a table restored from a backup, or the local one, in place of one of its own."""

import re
from collections.abc import Mapping
from typing import Any


def adopt(
    template: Mapping[str, Any], logical_id: str, ref: str, attributes: Mapping[str, str]
) -> dict[str, Any]:
    """Return the template without a resource; all that speaks of it speaks of `ref` and `attributes` instead.

    Raises KeyError for an attribute that is asked for and not given.
    """
    resources = {name: value for name, value in template["Resources"].items() if name != logical_id}
    replaced: dict[str, Any] = _replaced({**template, "Resources": resources}, logical_id, ref, attributes)
    return replaced


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
