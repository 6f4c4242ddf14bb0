"""P1: a restore of very many links is finished in steps, each within the function's timeout."""

import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from typing import Any, Final, cast

import pytest

from chalicelib.domain.ids import ID_BYTES, LINK, make_id
from chalicelib.domain.links.link import Link, LinkSettings, LinkStatus
from chalicelib.domain.restore_steps import CountStep, ListStep, RevokeStep, Step
from chalicelib.service.restore import run_cause
from chalicelib.store.items import AppliedEventsItem, applied_events_key, applied_events_list, restore_shard
from infra.local.engines.dynoxide import Dynoxide
from tests.support.app import CAUSE, Site, running_site
from tests.support.aws.dynamodb_client import plain_client
from tests.support.aws.engines import new_table
from tests.support.proof.size import size
from tests.support.restores import take

USED: Final = size(200, 18_000)  # used links, to which all events were applied
ACTIVE: Final = size(50, 2_000)  # active links, to which all events were applied
GAPS: Final = size(5, 200)  # active links, to which one event was not applied
MESSAGES: Final = size(100, 20_000)
TIMEOUT: Final = 60_000  # milliseconds, of the function
A_CALL: Final = size(1_000, 200)  # milliseconds that one call to DynamoDB takes, by the function's clock
A_BATCH: Final = 25


class Clock:
    """Lambda's context. Its time passes with each call to DynamoDB, so that the number of calls decides."""

    def __init__(self) -> None:
        self.used = 0

    def count(self, **_: Any) -> None:
        """Let the time of one call pass."""
        self.used += A_CALL

    def get_remaining_time_in_millis(self) -> int:
        """Return milliseconds left."""
        return TIMEOUT - self.used


@contextmanager
def timed(site: Site) -> Iterator[Clock]:
    """Yield a context whose time passes with the app's calls to DynamoDB."""
    clock = Clock()
    events = cast("Any", site.world.store.links)._table.client.meta.events
    events.register("before-call.dynamodb", clock.count)
    try:
        yield clock
    finally:
        events.unregister("before-call.dynamodb", clock.count)


def replies(site: Site, step: type[Step], **given: Any) -> list[dict[str, Any]]:
    """Send steps of one kind until the last reply; check that each ends before the function's timeout."""
    found: list[dict[str, Any]] = []
    cursor = None
    while not found or cursor is not None:
        with timed(site) as clock:
            found.append(take(step(run=site.table.name, cursor=cursor, **given), clock))
        assert 0 < clock.used < TIMEOUT, f"{step.__name__} {len(found)}"
        cursor = found[-1]["cursor"]
    return found


def listed(site: Site) -> dict[str, str]:
    """Return the reason of each revoked link."""
    return {link["linkId"]: link["reason"] for reply in replies(site, ListStep) for link in reply["revoked"]}


def make_links(site: Site, host_id: str, count: int, sequence: int, status: LinkStatus) -> list[Link]:
    """Return new links of one host."""
    return [
        Link(
            link_id=make_id(LINK, secrets.token_bytes(ID_BYTES)),
            host_id=host_id,
            event_type_id="ety_a",
            key_id=1,
            settings=LinkSettings(),
            created_at=site.clock(),
            stored_status=status,
            used_at=site.clock() if status is LinkStatus.USED else None,
            sequence=sequence,
        )
        for _ in range(count)
    ]


def write(site: Site, items: Iterable[Mapping[str, Any]]) -> None:
    """Write raw items."""
    client, left = plain_client(site.table.endpoint_url), iter(items)
    while batch := list(islice(left, A_BATCH)):
        puts: list[Any] = [{"PutRequest": {"Item": item}} for item in batch]
        assert not client.batch_write_item(RequestItems={site.table.name: puts})["UnprocessedItems"]


def applied_item(site: Site, link: Link) -> Mapping[str, Any]:
    """Return the item that says: the event with sequence 2 was applied to the link, which had sequence 1."""
    run = site.table.name
    item = AppliedEventsItem(*applied_events_key(link.link_id, run), base=1, seen={2})
    item.host_key, item.list_sort = applied_events_list(run, restore_shard(link.link_id)), link.link_id
    return cast("Mapping[str, Any]", item.serialize())


@pytest.mark.timeout(3600)
def test_steps_end_before_the_timeout_however_many_links_there_are(dynoxide: Dynoxide) -> None:
    """P1: every link with a gap is revoked, no other one; every active one if the archive is incomplete."""
    with running_site(new_table(dynoxide.endpoint_url, stream=False)) as site:
        host_id = str(site.host().host_id)
        gaps = make_links(site, host_id, GAPS, 3, LinkStatus.ACTIVE)
        active = make_links(site, host_id, ACTIVE, 2, LinkStatus.ACTIVE)
        changed = [*gaps, *active, *make_links(site, host_id, USED, 2, LinkStatus.USED)]
        links = cast("Any", site.world.store.links)
        write(site, (links.item_of(link, CAUSE).serialize() for link in changed))
        write(site, (applied_item(site, link) for link in changed))

        steps = replies(site, RevokeStep, everything=False)
        assert len(steps) > 1
        assert sum(step["checked"] for step in steps) == len(changed)
        assert listed(site) == {link.link_id: "gap" for link in gaps}
        replies(site, RevokeStep, everything=True)
        assert listed(site) == {link.link_id: "gap" for link in gaps} | {
            link.link_id: "everything" for link in active
        }

        records = site.world.store.restore_records
        ids = [f"message-{number}" for number in range(MESSAGES)]
        records.note_messages(ids, run_cause(site.world), now=site.clock())
        assert sum(reply["messages"] for reply in replies(site, CountStep)) == MESSAGES
