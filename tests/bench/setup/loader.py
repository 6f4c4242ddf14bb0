"""Create a table with very many links fast, by writing them directly into dynoxide's SQLite file.

The engine creates the file, the table, the host and the event types. Then it stops, and the links are inserted in its
own format. This is about twenty times as fast as its import of an export, and a hundred times as fast as the API. A
sample of the links is compared with the items that the store writes.
"""

import json
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from chalicelib import bootstrap
from chalicelib.domain.causes import Cause
from chalicelib.domain.clock import to_millis
from chalicelib.domain.ids import ID_BYTES, LINK, make_id
from chalicelib.domain.links.link import Link, LinkSettings, LinkStatus, Recipient
from chalicelib.store.items import INDEX_KEYS
from infra.local.engines.dynoxide import Dynoxide
from tests.bench.setup.dynoxide_file import DynoxideFile, Entry, Row, compact, written_file
from tests.bench.setup.site import Site
from tests.bench.sizes import size_of

LABELS: Final = 1000
RECIPIENTS: Final = 5000
EVENT_TYPES: Final = 5

_CAUSE: Final = Cause("system:bench", "bench")
_FIRST: Final = datetime(2026, 1, 1, tzinfo=UTC)
_CHECKED: Final = 211  # links that are compared with the store's items; includes every kind

# The values of a model link. Replacing them with another link's values gives that link's item.
_MODEL: Final = {
    "id": make_id(LINK, b"\xa5" * ID_BYTES),
    "made": "01767225600000",
    "millis": "1767225600000",
    "label": "campaign 0000",
    "email": "grace0000@example.com",
    "external": "crm-00000000",
}
_PLACES: Final = re.compile(
    "|".join(re.escape(text) for text in sorted(_MODEL.values(), key=len, reverse=True))
)

Fill = Callable[[dict[str, str]], str]


@dataclass(frozen=True)
class Loaded:
    """A site with one host that has many links."""

    site: Site
    host_id: str
    event_type_ids: list[str]


@dataclass(frozen=True)
class _Kind:
    """Links that differ only in the model's values: the templates of their item and of their index entries."""

    item: Fill
    size: int  # bytes, without its timestamps
    moments: int
    entries: dict[str, tuple[Fill, Fill, Fill]]


@contextmanager
def site_with_links(count: int) -> Iterator[Loaded]:
    """Yield a site with that many links of one host, created a second apart; every third is used, some are revoked."""
    with TemporaryDirectory(prefix="admit-one-bench-") as name:
        file = Path(name) / "table.db"
        with Dynoxide(file) as engine:
            site = Site(engine)
            host_id = site.host()
            event_type_ids = [site.event_type(host_id) for _ in range(EVENT_TYPES)]
        with written_file(file, site.table_name) as table:
            _fill(table, _Links(host_id, event_type_ids, count))
        with Dynoxide(file) as engine:
            yield Loaded(Site(engine, site.table_name), host_id, event_type_ids)


class _Links:
    """The links by number, as the store writes them."""

    def __init__(self, host_id: str, event_type_ids: list[str], count: int) -> None:
        self._host_id = host_id
        self._event_type_ids = event_type_ids
        self._store: Any = bootstrap.world().store.links
        self.ids = [make_id(LINK, secrets.token_bytes(ID_BYTES)) for _ in range(count)]
        self._kinds: dict[tuple[int, LinkStatus], _Kind] = {}
        for number in range(min(count, _CHECKED)):
            written = json.loads(self.kind(number).item(self.values(number)))
            if written != self._item(number, self.ids[number], *self._words(number)):
                raise RuntimeError(f"link {number} differs from the store's item: {written}")

    def kind(self, number: int) -> _Kind:
        """Return the link's kind."""
        which = number % EVENT_TYPES, _status(number)
        if which not in self._kinds:
            model = self._item(number, _MODEL["id"], _MODEL["label"], _MODEL["email"], _MODEL["external"], 0)
            moments = sum(value == _moment(_MODEL["millis"])[""] for value in model.values())
            self._kinds[which] = _Kind(
                item=_filler(compact(model)),
                size=size_of(model) - moments * size_of(_moment(_MODEL["millis"])),
                moments=moments,
                entries={
                    name: (
                        _filler("S:" + model[keys[0]]["S"]),
                        _filler("S:" + model[keys[1]]["S"]),
                        _filler(compact({each: model[each] for each in ("pk", "sk", *keys)})),
                    )
                    for name, keys in INDEX_KEYS.items()
                    if keys[0] in model
                },
            )
        return self._kinds[which]

    def values(self, number: int) -> dict[str, str]:
        """Return the link's values by the model's values that they replace."""
        label, email, external, second = self._words(number)
        millis = to_millis(_FIRST) + 1000 * second
        words = (self.ids[number], f"{millis:014d}", str(millis), label, email, external)
        return dict(zip(_MODEL.values(), words, strict=True))

    @staticmethod
    def _words(number: int) -> tuple[str, str, str, int]:
        return (
            f"campaign {number % LABELS:04d}",
            f"grace{number % RECIPIENTS:04d}@example.com",
            f"crm-{number:08d}",
            number,
        )

    def _item(
        self, number: int, link_id: str, label: str, email: str, external: str, second: int
    ) -> dict[str, Any]:
        made, status = _FIRST + timedelta(seconds=second), _status(number)
        link = Link(
            link_id=link_id,
            host_id=self._host_id,
            event_type_id=self._event_type_ids[number % EVENT_TYPES],
            key_id=1,
            settings=LinkSettings(
                label=label, recipient=Recipient(name="Grace", email=email), external_id=external
            ),
            created_at=made,
            stored_status=status,
            usage_count=int(status is LinkStatus.USED),
            used_at=made if status is LinkStatus.USED else None,
            revoked_at=made if status is LinkStatus.REVOKED else None,
        )
        item = dict(self._store.item_of(link, _CAUSE).serialize())
        item.pop("purgeAt", None)  # otherwise the engine's TTL deletes links that were created in the past
        return item


def _status(number: int) -> LinkStatus:
    if number % 3 == 0:
        return LinkStatus.USED
    return LinkStatus.REVOKED if number % 7 == 0 else LinkStatus.ACTIVE


def _moment(millis: str) -> dict[str, dict[str, str]]:
    return {"": {"N": millis}}


def _filler(model: str) -> Fill:
    """Return a function that replaces a model's values with a link's values."""
    parts, places = _PLACES.split(model), _PLACES.findall(model)
    text = "".join(
        part.replace("%", "%%") + (f"%({place})s" if place else "")
        for part, place in zip(parts, [*places, ""], strict=True)
    )
    return partial(str.__mod__, text)


def _fill(table: DynoxideFile, links: _Links) -> None:
    """Insert the links, each table in the order of its key where possible, which is fast."""
    table.insert(_rows(links, sorted(range(len(links.ids)), key=links.ids.__getitem__)))
    for index in INDEX_KEYS:
        table.insert_entries(index, _entries(links, index))


def _rows(links: _Links, order: list[int]) -> Iterator[Row]:
    for number in order:
        kind, values = links.kind(number), links.values(number)
        size = kind.size + kind.moments * size_of(_moment(values[_MODEL["millis"]]))
        yield f"S:LINK#{links.ids[number]}", "S:LINK", kind.item(values), size


def _entries(links: _Links, index: str) -> Iterator[Entry]:
    for number in range(len(links.ids)):
        entry = links.kind(number).entries.get(index)
        if entry is not None:
            values = links.values(number)
            partition, sort, item = (fill(values) for fill in entry)
            yield partition, sort, f"S:LINK#{links.ids[number]}", "S:LINK", item
