"""Merge the template's fragments, `infra/template/*.json`; contradictions are an error."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from infra.errors import CommandError
from infra.paths import FRAGMENTS


class TemplateError(CommandError):
    """The template can't be built. The message contains the location of the error."""


def read_fragments(folder: Path = FRAGMENTS) -> dict[str, Any]:
    """Return the merged fragments. Raise `TemplateError` if one is not JSON or two contradict each other."""
    documents = []
    for path in sorted(folder.glob("*.json")):
        try:
            document = json.loads(path.read_text(), object_pairs_hook=_no_duplicates)
        except ValueError as error:
            raise TemplateError(f"{path.name}: {error}") from error
        documents.append((path.name, document))
    return merged(documents)


def merged(documents: Iterable[tuple[str, Mapping[str, Any]]]) -> dict[str, Any]:
    """Merge named documents: objects are merged recursively, other values that are repeated must be equal."""
    whole: dict[str, Any] = {}
    for name, document in documents:
        _join(whole, document, name)
    return whole


def check_resource_types(template: Mapping[str, Any]) -> None:
    """Raise `TemplateError` for a resource without a type: a fragment extends a resource that does not exist."""
    resources = template["Resources"]
    untyped = [name for name, resource in resources.items() if "Type" not in resource]
    if untyped:
        known = ", ".join(sorted(set(resources) - set(untyped)))
        raise TemplateError(f"unknown resources to extend: {', '.join(untyped)}; the template has {known}")


def _join(whole: dict[str, Any], more: Mapping[str, Any], where: str) -> None:
    for key, value in more.items():
        at = f"{where}: {key}" if ": " not in where else f"{where}.{key}"
        if key not in whole:
            whole[key] = _copy(value)
        elif isinstance(whole[key], dict) and isinstance(value, Mapping):
            _join(whole[key], value, at)
        elif whole[key] != value:
            raise TemplateError(
                f"{at} is {json.dumps(value)}, but {json.dumps(whole[key])} in another fragment"
            )


def _copy(value: Any) -> Any:
    return json.loads(json.dumps(value))


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object. Raise ValueError for a repeated name, because `json` would drop the first value."""
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(name for name in names if names.count(name) > 1)!r} appears twice")
    return found
