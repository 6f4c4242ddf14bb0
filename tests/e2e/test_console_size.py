"""The links table with very many links: each page and refresh costs the same, and the selection stays (P10)."""

import gzip
import json
import os
import secrets
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, expect

from chalicelib import bootstrap
from chalicelib.domain.ids import ID_BYTES, LINK, make_id
from chalicelib.domain.links.link import Link, LinkSettings
from infra.local.aws import local_client
from infra.local.engines.dynoxide import Dynoxide, find_dynoxide
from tests.support.app import CAUSE, Caller, ok
from tests.support.aws.engines import Table, new_table, require_dynoxide
from tests.support.browser.console import Console, console_of
from tests.support.browser.site import LiveSite, live_site

pytestmark = pytest.mark.undated("dynoxide is linked statically, so its clock is never shifted")

MANY: Final = int(os.environ.get("CONSOLE_LINKS", "10000"))  # by hand: CONSOLE_LINKS=100000
PAGE: Final = 50


@pytest.fixture(scope="module")
def crowd(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[LiveSite, Caller]]:
    """A host with very many links, on dynoxide, which can import a table in DynamoDB's export format."""
    del browser
    require_dynoxide()
    folder = tmp_path_factory.mktemp("crowd")
    with Dynoxide() as engine, live_site(new_table(engine.endpoint_url)) as first:
        host, name = first.host(), first.table.name
        write_export(first, host, folder)
    subprocess.run(
        [
            *(str(find_dynoxide()), "import", "--source", folder / "export"),
            *("--schema", folder / "schema.json", "--output", folder / "table.db"),
        ],
        check=True,
        capture_output=True,
    )
    with Dynoxide(folder / "table.db") as engine, live_site(Table(engine.endpoint_url, name)) as site:
        yield site, Caller(site.client, host.key, host.host_id)


def write_export(site: LiveSite, host: Caller, folder: Path) -> None:
    """Write an export of the table with that many links of the host, created a second apart, the last a minute ago."""
    event_type_id = host.event_type(title="Campaign")["eventTypeId"]
    links: Any = bootstrap.world().store.links
    client: Any = local_client("dynamodb", site.table.endpoint_url)
    last = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=1)
    data = folder / "export" / site.table.name / "data"
    data.mkdir(parents=True)
    described = client.describe_table(TableName=site.table.name)["Table"]
    (folder / "schema.json").write_text(json.dumps([{"Table": described}], default=str))
    with gzip.open(data / "items.json.gz", "wt", compresslevel=1) as lines:
        for item in client.scan(TableName=site.table.name)["Items"]:
            lines.write(json.dumps({"Item": item}) + "\n")
        for number in range(MANY):
            link = Link(
                link_id=make_id(LINK, secrets.token_bytes(ID_BYTES)),
                host_id=host.host_id or "",
                event_type_id=event_type_id,
                key_id=1,
                settings=LinkSettings(label=f"Number {number:06d}"),
                created_at=last - timedelta(seconds=number),
            )
            raw = dict(links.item_of(link, CAUSE).serialize())
            lines.write(json.dumps({"Item": raw}) + "\n")


@pytest.fixture
def crowded(browser: Browser, crowd: tuple[LiveSite, Caller]) -> Iterator[Console]:
    """The console of that host."""
    with console_of(browser, *crowd) as console:
        yield console


def test_a_page_costs_the_same_however_many_links_there_are(crowded: Console) -> None:
    """P10: a page is one request and reads only its rows; a refresh reads the visible pages and keeps the selection."""
    console = crowded
    reads: list[tuple[str, int]] = []

    def read(parsed: dict[str, Any], model: Any, **_: Any) -> None:
        if model.name == "Query":
            reads.append(("entries", parsed["ScannedCount"]))
        elif model.name == "BatchGetItem":
            reads.append(("items", sum(len(found) for found in parsed["Responses"].values())))

    def asked() -> list[str]:
        return [one.url for one in console.visit.requests if "/v1/links?" in one.url]

    store: Any = bootstrap.world().store.links
    events = store._table.client.meta.events
    console.sign_in()
    expect(console.rows).to_have_count(PAGE)
    events.register("after-call.dynamodb", read)
    try:
        for page in range(2, 9):
            # The timed refresh also reads pages. If it happens now, do not count this page.
            before = len(asked())
            reads.clear()
            console.button("Show more").click()
            expect(console.rows).to_have_count(PAGE * page)
            if len(asked()) == before + 1:
                assert sum(count for kind, count in reads if kind == "items") == PAGE
                assert sum(count for kind, count in reads if kind == "entries") <= 2 * PAGE
    finally:
        events.unregister("after-call.dynamodb", read)

    labels = console.page.locator(".whom").all_inner_texts()
    assert labels == [f"Number {number:06d}" for number in range(PAGE * 8)]
    chosen = [console.rows.nth(number) for number in (3, 199, 399)]
    for row in chosen:
        row.get_by_role("checkbox").check()
    bulk = console.page.get_by_role("region", name="Selected links")
    expect(bulk).to_contain_text("3 links selected")
    expect(bulk).to_be_in_viewport()

    # A change from elsewhere appears in a visible row far down; the page does not scroll, and the selection stays.
    last_id = chosen[-1].get_attribute("data-id")
    ok(console.host.post(f"/v1/links/{last_id}/revoke"))
    top = console.page.evaluate("scrollY")
    before = len(asked())
    console.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(chosen[-1].locator(".pill")).to_have_text("Revoked")
    # The first page and the one or two visible pages, not all eight loaded pages.
    assert len(asked()) - before <= 3 * 2
    assert console.page.evaluate("scrollY") == top
    for row in chosen:
        expect(row.get_by_role("checkbox")).to_be_checked()
    expect(bulk).to_contain_text("3 links selected")


def test_a_search_among_very_many_links_reads_one_page(crowded: Console) -> None:
    console = crowded
    console.sign_in()
    console.page.get_by_label("Search links").fill(f"Number {MANY - 1:06d}")
    expect(console.rows).to_have_count(1)
    expect(console.rows).to_contain_text(f"{MANY - 1:06d}")
