"""P10: a list is complete even if DynamoDB returns less than was asked for, as it does after 1 MB or 16 MB.

The tests cut each response of DynamoDB short: a query after one row (in `make proof` also two and three), a batch after
one item.
`test_largest_items.py` has items so large that DynamoDB does it.
"""

import ast
import inspect
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Final, cast

import pytest

from chalicelib.api.routes import ROUTERS
from chalicelib.consumers.direct_functions import list_links_page
from chalicelib.domain.listings import DUE_SHARDS, LinkFilter
from chalicelib.domain.restore_steps import SHARDS, RevokeReason
from chalicelib.domain.team.api_keys import Role
from chalicelib.domain.webhooks.deliveries import DELIVERY_SHARDS, given_up
from chalicelib.service.team.authenticate import list_keys
from chalicelib.store.table import Table
from infra.paths import ROOT
from tests.support.app import CAUSE, NOW, Caller, Site, at, created, ok, path_of
from tests.support.aws.bus import Stream, deliver
from tests.support.proof.size import size
from tests.support.webhooks import hooks_of

EVER: Final = NOW + timedelta(days=4000)
LISTS: Final = ("query", "newest", "oldest", "index_page", "get_many", "get_in_order", "count")
STORE: Final = ROOT / "chalicelib" / "store"
PAGE: Final = 2  # so that every list has several pages


def test_the_response_of_dynamodb_can_be_cut_anywhere(everything: "Everything") -> None:
    """Each list returns the same rows in the same order, each once, whatever DynamoDB returns at a time."""
    seen: set[str] = set()
    with _recorded(seen):
        whole = {name: case() for name, case in everything.cases.items()}
    short = [name for name, rows in whole.items() if len(rows) < 3]
    assert short == [], "a list of fewer than three rows shows nothing"
    repeated = [name for name, rows in whole.items() if len({repr(row) for row in rows}) < len(rows)]
    assert repeated == []
    for rows in size((1,), (1, 2, 3)):
        with _cut(everything.site, rows):
            for name, case in everything.cases.items():
                assert case() == whole[name], f"{name}, {rows} at a time"

    assert _calls_of_lists() - seen == set(), "add a case for each of these methods of the store"
    assert _routes_with_cursors() - everything.requested == set(), "add a case for each of these routes"


def test_the_methods_of_the_store_are_found() -> None:
    """The enumeration is not empty, and knows the methods that queries and batches are in."""
    found = _calls_of_lists()
    assert len(found) > 20
    assert {
        "chalicelib.store.links.links.Links._entries",
        "chalicelib.store.bookings.days.Days.busy_cells",
    } <= found


def _calls_of_lists() -> set[str]:
    """Return the methods of the store that call a method of the table that reads several items."""
    found: set[str] = set()
    for path in STORE.rglob("*.py"):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        if module != Table.__module__:
            _find(ast.parse(path.read_text()), module, found)
    return found


def _find(node: ast.AST, name: str, found: set[str]) -> None:
    for child in ast.iter_child_nodes(node):
        inner = f"{name}.{child.name}" if isinstance(child, ast.FunctionDef | ast.ClassDef) else name
        if isinstance(child, ast.Call) and isinstance(child.func, ast.Attribute) and child.func.attr in LISTS:
            owner = child.func.value
            if isinstance(owner, ast.Attribute) and owner.attr == "_table":
                found.add(name)
        _find(child, inner, found)


def _routes_with_cursors() -> set[str]:
    return {
        f"{method} {route.path}"
        for router in ROUTERS
        for route in router.routes
        for method in route.methods
        if "cursor" in route.query or "cursor" in inspect.get_annotations(route.body or object)
    }


@contextmanager
def _recorded(seen: set[str]) -> Iterator[None]:
    """Add to `seen` the methods that call one of `LISTS`."""
    with pytest.MonkeyPatch.context() as patch:
        for name in LISTS:
            patch.setattr(Table, name, _recording(getattr(Table, name), seen))
        yield


def _recording(real: Any, seen: set[str]) -> Any:
    def recording(*given: Any, **named: Any) -> Any:
        caller = sys._getframe(1)
        seen.add(f"{caller.f_globals['__name__']}.{caller.f_code.co_qualname}")
        return real(*given, **named)

    return recording


@contextmanager
def _cut(site: Site, rows: int) -> Iterator[None]:
    """Let each query return at most `rows` rows, and each batch one item."""

    def cut_query(params: dict[str, Any], **_: Any) -> None:
        params["Limit"] = min(params.get("Limit", rows), rows)

    def cut_batch(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
        ((table, asked),) = params["RequestItems"].items()
        context["rest"] = {table: {**asked, "Keys": asked["Keys"][1:]}}
        params["RequestItems"] = {table: {**asked, "Keys": asked["Keys"][:1]}}

    def return_rest(parsed: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
        ((_, asked),) = context["rest"].items()
        parsed["UnprocessedKeys"] = context["rest"] if asked["Keys"] else {}

    table = _table(site)
    events = table.client.meta.events
    hooks = [
        ("before-parameter-build.dynamodb.Query", cut_query),
        ("before-parameter-build.dynamodb.BatchGetItem", cut_batch),
        ("after-call.dynamodb.BatchGetItem", return_rest),
    ]
    for event, hook in hooks:
        events.register(event, hook)
    try:
        yield
    finally:
        for event, hook in hooks:
            events.unregister(event, hook)


def _table(site: Site) -> Table:
    return cast("Table", cast("Any", site.world.store.links)._table)


class Everything:
    """A site with several rows of every list, and a case for each list, which returns its rows."""

    def __init__(self, site: Site, host: Caller, stream: Stream) -> None:
        self.site = site
        self.host = host
        self.world = site.world
        self.requested: set[str] = set()
        self.time: Any = {"from": at(), "to": at(days=9)}
        self.event_types = [host.event_type() for _ in range(4)]
        self.event_type = self.event_types[0]
        for event_type in [host.event_type() for _ in range(3)]:
            assert host.delete(f"/v1/event-types/{event_type['eventTypeId']}").status_code == 204
        self.links = self._make_links()
        self.booked = host.link(self.event_type, maxUsageCount=5)
        for number in range(4):
            created(site.redeem(self.booked, at(days=number + 1)))
        self._make_requests()
        self.hooks = hooks_of(site)
        self.hook = self._make_deliveries()
        for number in range(4):
            site.key(Role.HOST, str(host.host_id))
            site.host(name=f"Host {number}")
            self.world.store.mail_digests.add(
                str(host.host_id), "bkg", f"evt{number}", now=NOW + timedelta(days=number)
            )
        self._make_restore()
        deliver(stream.records())
        self._replayed()  # so that it changes nothing any more
        self.cases = self._cases()

    def _make_links(self) -> list[dict[str, Any]]:
        same = {
            "label": "Label",
            "externalId": "same",
            "recipient": {"name": "G", "email": "grace@invitees.example"},
        }
        links = self.host.links(self.event_type, count=4, **same)
        expired = self.host.links(self.event_type, count=3, expiresAt=at(minutes=1))
        self.due = self.host.links(self.event_type, count=3, expiresAt=at(minutes=2))
        self.site.clock.advance(minutes=5)
        self.site.mark_expired(*expired)
        return links

    def _make_requests(self) -> None:
        for link in self.links[:4]:
            ok(self.host.post(f"/v1/links/{link['linkId']}/revoke"))
        for number in range(4):
            body = {"name": "Grace", "email": f"grace{number}@invitees.example"}
            reply = self.site.client.post(f"{path_of(self.links[0])}/request", json=body)
            assert reply.status_code < 300, reply.text

    def _make_deliveries(self) -> dict[str, Any]:
        urls = [f"https://receiver.example.com/{number}" for number in range(3)]
        hook, *_ = [self.hooks.make(self.host, url) for url in urls]
        for _ in range(4):
            self.hooks.fan_out_event(self.host)
            self.site.clock.advance(seconds=1)
        return hook

    def _make_restore(self) -> None:
        store = self.world.store
        for number, made in enumerate(self.due):
            link = store.links.read(made["linkId"])
            assert link is not None
            assert store.restore.put_link(link, link, CAUSE, partly=False, now=NOW)
            store.restore_records.note_messages([f"message-{number}"], CAUSE, now=NOW)
        self.restoring_uses = self.host.links(self.event_type, count=3, restoreUseOnCancel=True)
        for made in self.restoring_uses:
            link = store.links.read(made["linkId"])
            assert link is not None
            assert store.restore_records.revoke(link, RevokeReason.GAP, CAUSE, now=NOW)

    def _cases(self) -> dict[str, Callable[[], list[Any]]]:
        pages, booked = self._pages, {"linkId": self.booked["linkId"]}
        own_hook = {"webhookId": self.hook["webhookId"]}
        return {
            "hosts": lambda: pages("/v1/hosts", "hosts", caller=self.site.admin),
            "event types": lambda: pages("/v1/event-types", "eventTypes"),
            "archived event types": lambda: pages("/v1/event-types", "eventTypes", archived="true"),
            "links": lambda: pages("/v1/links", "links"),
            "links of an event type": lambda: pages(
                "/v1/links", "links", eventTypeId=self.event_type["eventTypeId"]
            ),
            "expired links": lambda: pages("/v1/links", "links", status="expired"),
            "links by label": lambda: pages("/v1/links", "links", q="lab"),
            "links by external id": lambda: pages("/v1/links", "links", q="same"),
            "links by recipient": lambda: pages("/v1/links", "links", q="grace@invitees.example"),
            "exported links": self._exported,
            "links of the function": self._links_of_the_function,
            "bookings": lambda: pages("/v1/bookings", "bookings", **self.time),
            "bookings of a link": lambda: pages("/v1/bookings", "bookings", **booked),
            "busy times": lambda: self.site.slots(self.booked, to=at(days=5)[:10]),
            "link requests": lambda: pages("/v1/link-requests", "requests"),
            "history": lambda: pages("/v1/links/{linkId}/history", "history", **booked),
            "webhooks": lambda: pages("/v1/webhooks", "webhooks"),
            "deliveries": lambda: pages("/v1/webhooks/{webhookId}/deliveries", "deliveries", **own_hook),
            "pending deliveries": lambda: pages(
                "/v1/webhooks/{webhookId}/deliveries", "deliveries", status="pending", **own_hook
            ),
            "replayed deliveries": self._replayed,
            **self._cases_without_route(),
        }

    def _cases_without_route(self) -> dict[str, Callable[[], list[Any]]]:
        store, now = self.world.store, self.site.clock()
        where = LinkFilter(host_id=str(self.host.host_id))
        return {
            "requests of a day": lambda: store.history.requests_of(self.links[0]["linkId"], now.date(), 9),
            "a delivery": self._one_delivery,
            "due deliveries": lambda: _of_shards(
                range(DELIVERY_SHARDS),
                lambda shard: [one.delivery_id for one in store.deliveries.due(shard, EVER, 50)],
            ),
            "keys": lambda: list_keys(self.world),
            "digests": lambda: store.mail_digests.due(EVER, 50),
            "due links": lambda: _of_shards(
                range(DUE_SHARDS), lambda shard: store.due.links(shard, now, None, 50)[0]
            ),
            "due links of a host": lambda: store.due.of_host(where, now).entries,
            "links that a restore changed": lambda: _of_shards(
                SHARDS, lambda shard: store.restore.applied(shard, None, 50)[0]
            ),
            "links that restore uses": lambda: store.restore.restoring_uses(
                [link["linkId"] for link in self.restoring_uses]
            ),
            "links that a restore revoked": lambda: _of_shards(
                SHARDS, lambda shard: store.restore_records.revoked(shard, None, 50)
            ),
            "messages of a restore": self._messages,
            "links and receipts": lambda: [
                store.redeems.read_link_and_receipt(link["linkId"], "none") for link in self.links
            ],
        }

    def _pages(self, path: str, name: str, *, caller: Caller | None = None, **params: str) -> list[Any]:
        """Return the rows of all pages of a list. `params` that the path names go there, the others into the query."""
        self.requested.add(f"GET {path}")
        query = {key: value for key, value in params.items() if f"{{{key}}}" not in path}
        rows: list[Any] = []
        cursor: str | None = None
        while True:
            more = {"cursor": cursor} if cursor else {}
            url = path.format(**params)
            answer = ok((caller or self.host).get(url, params=query | {"limit": PAGE} | more))
            assert len(answer[name]) <= PAGE
            rows += answer[name]
            cursor = answer["nextCursor"]
            if cursor is None:
                return rows

    def _exported(self) -> list[str]:
        self.requested.add("GET /v1/links/export")
        lines: list[str] = []
        more: dict[str, str] = {}
        while True:
            answer = self.host.get("/v1/links/export", params={"limit": PAGE} | more)
            lines += answer.text.splitlines()[1:]
            if "Next-Cursor" not in answer.headers:
                return lines
            more = {"cursor": answer.headers["Next-Cursor"]}

    def _links_of_the_function(self) -> list[Any]:
        rows: list[Any] = []
        event: dict[str, Any] = {"hostId": self.host.host_id, "limit": PAGE}
        while True:
            answer = list_links_page(event, None)
            rows += answer["links"]
            if answer["nextCursor"] is None:
                return rows
            event["cursor"] = answer["nextCursor"]

    def _replayed(self) -> list[int]:
        """Fail all deliveries, then replay the failed ones; return a number for each one that was replayed."""
        path = "/v1/webhooks/{webhookId}/replay"
        self.requested.add(f"POST {path}")
        deliveries = self.world.store.deliveries
        for _, delivery in deliveries.page(self.hook["webhookId"], None, None, "9", 50):
            assert delivery is not None
            failed = given_up(delivery, "test", None, self.site.clock())
            assert deliveries.change(failed, CAUSE, seen=delivery.sequence)
        body = {"from": at(days=-1), "to": at(days=1), "status": "failed"}
        reply = self.host.post(path.format(webhookId=self.hook["webhookId"]), body)
        assert reply.status_code == 202, reply.text
        assert (reply.json()["left"], reply.json()["nextCursor"]) == (0, None)
        return list(range(reply.json()["replayed"]))

    def _one_delivery(self) -> list[Any]:
        store, webhook_id = self.world.store.deliveries, self.hook["webhookId"]
        found = [one for _, one in store.page(webhook_id, None, None, "9", 50) if one]
        both = [store.read(webhook_id, one.delivery_id) for one in found]
        return [(hook.webhook_id, one.delivery_id) for hook, one in both if hook and one]

    def _messages(self) -> list[int]:
        """Return a number for each message that a restore has recorded."""
        total, records = 0, self.world.store.restore_records
        for shard in SHARDS:
            count, after = records.count_messages(shard, None)
            while after is not None:
                total, (count, after) = total + count, records.count_messages(shard, after)
            total += count
        return list(range(total))


def _of_shards(shards: Iterable[Any], read: Callable[[Any], Iterable[Any]]) -> list[Any]:
    return [row for shard in shards for row in read(shard)]


@pytest.fixture
def everything(site: Site, host: Caller, stream: Stream, monkeypatch: pytest.MonkeyPatch) -> Everything:
    monkeypatch.setattr(_table(site), "_sleep", lambda _: None)
    return Everything(site, host, stream)
