"""A table with very many links, made fast: written as a DynamoDB export, which dynoxide imports into a file."""

import gzip
import json
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, TextIO

from chalicelib import bootstrap
from chalicelib.domain.causes import Cause
from chalicelib.domain.ids import ID_BYTES, LINK, make_id
from chalicelib.domain.links import Link, LinkSettings, LinkStatus, Recipient
from infra.local.engines import Dynoxide, find_dynoxide
from tests.bench.site import Site

LABELS: Final = 1000
RECIPIENTS: Final = 5000
EVENT_TYPES: Final = 5

_CAUSE: Final = Cause("system:bench", "bench")


@dataclass(frozen=True)
class Loaded:
    """A site whose one host has many links."""

    site: Site
    host_id: str
    event_type_ids: list[str]


@contextmanager
def site_with_links(count: int) -> Iterator[Loaded]:
    """Give a site with that many links of one host, one made each second; every third used, some revoked."""
    with TemporaryDirectory(prefix="admit-one-bench-") as name:
        folder = Path(name)
        with Dynoxide() as engine:
            site = Site(engine)
            host_id = site.host()
            event_type_ids = [site.event_type(host_id) for _ in range(EVENT_TYPES)]
            _export(site, folder, host_id, event_type_ids, count)
        binary = find_dynoxide()
        assert binary is not None
        subprocess.run(
            [
                binary, "import", "--source", folder / "export", "--schema", folder / "schema.json",
                "--output", folder / "table.db",
            ],
            check=True,
            capture_output=True,
        )  # fmt: skip
        with Dynoxide(folder / "table.db") as engine:
            yield Loaded(Site(engine, site.table_name), host_id, event_type_ids)


def _export(site: Site, folder: Path, host_id: str, event_type_ids: list[str], count: int) -> None:
    data = folder / "export" / site.table_name / "data"
    data.mkdir(parents=True)
    table = site.raw.describe_table(TableName=site.table_name)["Table"]
    (folder / "schema.json").write_text(json.dumps([{"Table": table}], default=str))
    links: Any = bootstrap.world().store.links
    with gzip.open(data / "items.json.gz", "wt", compresslevel=1) as lines:
        for item in site.raw.scan(TableName=site.table_name)["Items"]:
            _write(lines, item)
        for number in range(count):
            raw = dict(links.item_of(_link(host_id, event_type_ids, number), _CAUSE).serialize())
            raw.pop("purgeAt", None)  # the engine's own TTL must not take what is made in the past
            _write(lines, raw)


def _write(lines: TextIO, item: Any) -> None:
    lines.write(json.dumps({"Item": item}) + "\n")


def _link(host_id: str, event_type_ids: list[str], number: int) -> Link:
    made = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=number)
    ended = LinkStatus.REVOKED if number % 7 == 0 else LinkStatus.ACTIVE
    status = LinkStatus.USED if number % 3 == 0 else ended
    return Link(
        link_id=make_id(LINK, secrets.token_bytes(ID_BYTES)),
        host_id=host_id,
        event_type_id=event_type_ids[number % len(event_type_ids)],
        key_id=1,
        settings=LinkSettings(
            label=f"campaign {number % LABELS:04d}",
            recipient=Recipient(name="Grace", email=f"grace{number % RECIPIENTS}@example.com"),
            external_id=f"crm-{number}",
        ),
        created_at=made,
        stored_status=status,
        usage_count=int(status is LinkStatus.USED),
        used_at=made if status is LinkStatus.USED else None,
        revoked_at=made if status is LinkStatus.REVOKED else None,
    )
