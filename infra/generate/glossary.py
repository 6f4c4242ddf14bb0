"""`make glossary`: write the tables of docs/glossary.md from the code: types, errors, events and fields."""

import enum
import importlib
import inspect
import pkgutil
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, Final

import chalicelib.domain
from chalicelib.api.openapi.document import openapi
from chalicelib.api.routes import ROUTERS
from chalicelib.domain.events import event_data
from chalicelib.domain.events.events import DATA
from chalicelib.domain.events.notices import NOTICES
from chalicelib.wire.problems import STATUSES
from infra.paths import ROOT

PAGE: Final = ROOT / "docs" / "glossary.md"

_TABLE: Final = re.compile(r"(<!-- table (?P<name>\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
_DEFAULT: Final = re.compile(r" Default: `[^`]*`\.?$")
_SHOWN: Final = 4  # objects listed next to a field; further ones are only counted


def domain_types() -> dict[str, type]:
    """Return the domain's public classes by name, without errors and event data, which have separate tables."""
    packages = pkgutil.walk_packages(chalicelib.domain.__path__, f"{chalicelib.domain.__name__}.")
    modules = [importlib.import_module(package.name) for package in packages]
    return {
        f"{module.__name__}.{name}": found
        for module in modules
        for name, found in vars(module).items()
        if inspect.isclass(found)
        and found.__module__ == module.__name__
        and module is not event_data
        and not name.startswith("_")
        and not issubclass(found, Exception)
    }


def api_fields() -> dict[str, dict[str, list[str]]]:
    """Return every field of the API and its webhooks: its meanings, and for each meaning the objects that use it."""
    found: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for schema, described in sorted(openapi(ROUTERS)["components"]["schemas"].items()):
        for name, meaning in _properties(described):
            objects = found[name][_DEFAULT.sub("", meaning)]
            if schema not in objects:
                objects.append(schema)
    return {name: dict(meanings) for name, meanings in sorted(found.items())}


def tables() -> dict[str, str]:
    """Return the tables of the glossary as Markdown, by name."""
    return {
        "types": _table(("type", "what it is", "module"), _types()),
        "errors": _table(("code", "HTTP", "what it says", "class"), _errors()),
        "events": _table(("event", "what happened"), _events(DATA)),
        "notices": _table(("notice", "what happened"), _events(NOTICES)),
        "fields": _table(("field", "what it is", "in"), _fields()),
    }


def written(page: str, texts: Mapping[str, str]) -> str:
    """Return the page with new tables and otherwise unchanged."""
    return _TABLE.sub(lambda place: f"{place[1]}{texts[place['name']]}{place[3]}", page)


def _types() -> Iterator[tuple[str, ...]]:
    for path, found in domain_types().items():
        module = path.removeprefix("chalicelib.").rpartition(".")[0].replace(".", "/")
        yield f"`{found.__name__}`", _first_line(found), f"`{module}.py`"


def _errors() -> Iterator[tuple[str, ...]]:
    coded = {error.code: (status, error) for error, status in STATUSES.items() if "code" in vars(error)}
    for code, (status, error) in sorted(coded.items()):
        yield f"`{code}`", str(status), error.title, f"`{error.__name__}`"


def _events(kinds: Mapping[Any, type[event_data.Data]]) -> Iterator[tuple[str, ...]]:
    for kind, data in kinds.items():
        yield f"`{kind.value}`", _first_line(data)


def _fields() -> Iterator[tuple[str, ...]]:
    for name, meanings in api_fields().items():
        for meaning, objects in meanings.items():
            yield f"`{name}`", meaning, _shown(objects)


def _shown(objects: list[str]) -> str:
    events = [name for name in objects if name.endswith("Event")]
    shown = [name for name in objects if name not in events]
    if len(events) > 1:
        shown.append("events")
    else:
        shown += events
    more = [f"{len(shown) - _SHOWN} more"] if len(shown) > _SHOWN + 1 else []
    return ", ".join([*(shown[:_SHOWN] if more else shown), *more])


def _properties(schema: Any) -> Iterator[tuple[str, str]]:
    """Yield the fields of a schema and its nested schemas, with their descriptions."""
    if isinstance(schema, list):
        for part in schema:
            yield from _properties(part)
    elif isinstance(schema, dict):
        for name, about in schema.get("properties", {}).items():
            yield name, about.get("description", "")
        for part in schema.values():
            yield from _properties(part)


def _first_line(found: type) -> str:
    line = (found.__doc__ or "").strip().partition("\n")[0]
    if not line or (issubclass(found, enum.Enum) and line == enum.Enum.__doc__):
        raise ValueError(f"{found.__name__} needs a docstring: the glossary shows its first line")
    return line


def _table(heads: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> str:
    lines = [heads, tuple("---" for _ in heads), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(), tables()))
    print(f"Wrote the tables of {PAGE.name}")
