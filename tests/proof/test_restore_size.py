"""P1: a restore of very many links is finished in steps, each within the function's timeout, though each is killed.

`make proof` restores 200,000 changed links from as many messages. Run it with `-s` to see the numbers.
"""

import json
import random
import secrets
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple, cast

import pytest
from msgspec.structs import replace

from chalicelib.consumers.restore import apply_events
from chalicelib.domain.clock import rfc3339
from chalicelib.domain.ids import BOOKING, ID_BYTES, LINK, make_id
from chalicelib.domain.links.link import Link, LinkSettings, LinkStatus
from chalicelib.domain.restore_steps import SHARDS, CountStep, ListStep, RevokeStep, Step
from chalicelib.store.items import (
    AppliedEventsItem,
    RestoreMessageItem,
    applied_events_key,
    applied_events_list,
    restore_partition,
    restore_shard,
)
from infra.local.engines.dynoxide import Dynoxide
from tests.bench.setup.dynoxide_file import DynoxideFile, written_file
from tests.support.app import CAUSE, NOW, Site, at, created, ok, running_site
from tests.support.aws.engines import new_table, require_dynoxide
from tests.support.proof.size import size
from tests.support.restores import Archive, closed, take

USED: Final = size(200, 188_000)  # used links, to which all events were applied
ACTIVE: Final = size(50, 10_000)  # active links, to which all events were applied
GAPS: Final = size(5, 2_000)  # active links, to which one event was not applied
MESSAGES: Final = size(100, 200_000)
TIMEOUT: Final = 60_000  # milliseconds, of the function
# The milliseconds that the test adds to the function's clock for each call to DynamoDB and for each real second, which
# does not count where other tests run too.
A_CALL: Final = size(1_000, 200)
A_SECOND: Final = size(0, 1_000)
PAIRS: Final = size(10, 2_500)  # pairs of links; each link has four events
A_SLOW_CALL: Final = 2_000  # milliseconds
BATCH: Final = 10  # messages, as in infra/template/restore.json
MAX_RECEIVES: Final = 20  # of each message, as there
SEED: Final = 20_261_130
HALF_HOUR: Final = timedelta(minutes=30)
MODEL: Final = make_id(LINK, b"\xa5" * ID_BYTES)
FAR: Final = 4_000_000_000  # a time to live that the engine never reaches


class Killed(BaseException):
    """The function's process ended."""


class Invocation:
    """Lambda's context of one request. Each call to DynamoDB takes `a_call` ms of its time.

    In `make proof`, real time is added.

    With `last`, the process is killed at that call: before it reaches DynamoDB, or before its reply is received.
    """

    def __init__(self, last: int | None = None, moment: str = "", a_call: int = A_CALL) -> None:
        self.calls = 0
        self._a_call = a_call
        self._last = last
        self._moment = moment
        self._began = time.monotonic()

    @property
    def used(self) -> float:
        """The milliseconds since the request was received."""
        return (time.monotonic() - self._began) * A_SECOND + self.calls * self._a_call

    def get_remaining_time_in_millis(self) -> float:
        """Return milliseconds left."""
        return TIMEOUT - self.used

    def before_call(self, **_: Any) -> None:
        """Let the time of one call pass."""
        self.calls += 1
        self._end("before")

    def after_call(self, **_: Any) -> None:
        """Receive a reply."""
        self._end("after")

    def _end(self, moment: str) -> None:
        if (self.calls, moment) == (self._last, self._moment):
            raise Killed


class Measured(NamedTuple):
    """What the steps of one kind took: milliseconds by the function's clock, and how many were killed."""

    replies: list[dict[str, Any]]
    times: list[float]
    kills: int


@contextmanager
def invoked(site: Site, invocation: Invocation) -> Iterator[None]:
    """Let the invocation's time pass with the app's calls to DynamoDB."""
    events = cast("Any", site.world.store.links)._table.client.meta.events
    hooks = {
        f"{moment}-call.dynamodb": getattr(invocation, f"{moment}_call") for moment in ("before", "after")
    }
    for name, hook in hooks.items():
        events.register(name, hook)
    try:
        yield
    finally:
        for name, hook in hooks.items():
            events.unregister(name, hook)


def finish(site: Site, step: type[Step], **given: Any) -> Measured:
    """Send steps of one kind until the last reply; check that each ends before the function's timeout.

    Each step is killed at a random call, or if it ends before that call, its reply is lost. Then it is sent again.
    """
    measured, cursor, draw = Measured([], [], 0), None, random.Random(SEED)
    while not measured.replies or cursor is not None:
        request = step(run=site.table.name, cursor=cursor, **given)
        last = draw.randint(1, draw.choice([3, TIMEOUT // 2 // A_CALL]))
        killed = Invocation(last, draw.choice(["before", "after"]))
        try:
            with invoked(site, killed):
                take(request, killed)
        except Killed:
            measured = measured._replace(kills=measured.kills + 1)
        whole = Invocation()
        with invoked(site, whole):
            measured.replies.append(take(request, whole))
        measured.times.append(whole.used)
        assert 0 < max(killed.used, whole.used) < TIMEOUT, f"{step.__name__} {len(measured.replies)}"
        cursor = measured.replies[-1]["cursor"]
    print(
        f"{step.__name__} {given}: {len(measured.times)} steps, longest {max(measured.times) / 1000:.1f} s, "
        f"sum {sum(measured.times) / 1000:.0f} s, {measured.kills} killed"
    )
    return measured


def listed(site: Site) -> dict[str, str]:
    """Return the reason of each revoked link."""
    return {
        link["linkId"]: link["reason"]
        for reply in finish(site, ListStep).replies
        for link in reply["revoked"]
    }


def new_ids(count: int) -> list[str]:
    """Return ids of links, in order, which the engine's file takes faster."""
    return sorted(make_id(LINK, secrets.token_bytes(ID_BYTES)) for _ in range(count))


def by_shard(ids: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """Yield the ids of each shard."""
    yield from ((shard, [each for each in ids if restore_shard(each) == shard]) for shard in SHARDS)


def write_links(file: DynoxideFile, site: Site, link: Link, ids: Sequence[str]) -> None:
    """Write copies of a link, and for each the applied events: the one with sequence 2, after sequence 1."""
    store, run = cast("Any", site.world.store.links), site.table.name
    file.insert_copies(store.item_of(link, CAUSE).serialize(), link.link_id, ids)
    item = AppliedEventsItem(*applied_events_key(link.link_id, run), base=1, seen={2}, purge_at=FAR)
    item.list_sort = link.link_id
    for shard, some in by_shard(ids):
        item.host_key = applied_events_list(run, shard)
        file.insert_copies(cast("Any", item.serialize()), link.link_id, some)


def write_messages(file: DynoxideFile, run: str, ids: Sequence[str]) -> None:
    """Write the records of the applied messages."""
    for shard, some in by_shard(ids):
        key = (restore_partition(run, shard), f"MESSAGE#{MODEL}")
        item = RestoreMessageItem(*key, purge_at=FAR)
        file.insert_copies(cast("Any", item.serialize()), MODEL, some)


@contextmanager
def filled(file: Path, fill: Callable[[DynoxideFile, Site, Link], None]) -> Iterator[Site]:
    """Yield a site whose table `fill` has written into the engine's file, with links like the one it is given."""
    require_dynoxide()
    with Dynoxide(file) as engine:
        table = new_table(engine.endpoint_url, stream=False)
        with running_site(table) as site:
            link = Link(
                link_id=MODEL,
                host_id=str(site.host().host_id),
                event_type_id="ety_a",
                key_id=1,
                settings=LinkSettings(label="Spring round"),
                created_at=site.clock(),
                sequence=2,
            )
            engine.stop()
            with written_file(file, table.name) as written:
                fill(written, site, link)
            engine.restart()
            yield site


@pytest.mark.timeout(3600)
def test_steps_end_before_the_timeout_however_many_links_there_are(tmp_path: Path) -> None:
    """P1: every link with a gap is revoked once, no other one; every active one if the archive is incomplete."""
    gaps, active, used = (new_ids(count) for count in (GAPS, ACTIVE, USED))

    def fill(file: DynoxideFile, site: Site, link: Link) -> None:
        spent = replace(link, stored_status=LinkStatus.USED, used_at=site.clock(), usage_count=1)
        for model, ids in ((replace(link, sequence=3), gaps), (link, active), (spent, used)):
            write_links(file, site, model, ids)
        write_messages(file, site.table.name, new_ids(MESSAGES))

    with filled(tmp_path / "table.db", fill) as site:
        check_steps(site, gaps, active)


def check_steps(site: Site, gaps: Sequence[str], active: Sequence[str]) -> None:
    """Finish a restore without the other active links, then with them; check what was revoked and counted."""
    measured = finish(site, RevokeStep, everything=False)
    assert len(measured.replies) > 1
    assert measured.kills
    assert sum(step["checked"] for step in measured.replies) == GAPS + ACTIVE + USED
    found = dict.fromkeys(gaps, "gap")
    assert listed(site) == found

    finish(site, RevokeStep, everything=True)
    assert listed(site) == found | dict.fromkeys(active, "everything")
    for before, ids in ((3, gaps), (2, active)):
        assert {link.sequence for link in site.world.store.links.read_many(ids)} == {before + 1}

    assert sum(reply["messages"] for reply in finish(site, CountStep).replies) == MESSAGES


def four_events(dynoxide: Dynoxide) -> list[str]:
    """Return the messages about one link that is booked, whose booking is moved, and that gets another label."""
    with running_site(new_table(dynoxide.endpoint_url)) as site:
        host, archive = site.host(), Archive(site)
        link = host.link(maxUsageCount=3)
        archive.events()
        booking = created(site.redeem(link, at(days=1)))
        ok(host.post(f"/v1/bookings/{booking['bookingId']}/reschedule", {"start": at(days=2)}))
        ok(host.patch(f"/v1/links/{link['linkId']}", {"label": "another"}))
        return archive.events()


class Story(NamedTuple):
    """The ids of a link and its booking, and the slots that the booking had first and last."""

    link_id: str
    booking_id: str
    first: int
    last: int

    def start(self, slot: int) -> datetime:
        """Return a slot's start."""
        return NOW + timedelta(days=1) + slot * HALF_HOUR

    def messages(self, four: Sequence[str], host_id: str) -> Iterator[str]:
        """Yield the four messages with this story's ids and times."""
        for text in four:
            message = json.loads(text)
            detail, data = message["detail"], message["detail"]["data"]
            detail |= {"hostId": host_id, "linkId": self.link_id}
            if detail["bookingId"]:
                detail["bookingId"] = self.booking_id
                start = self.start(self.last if detail["type"] == "booking.rescheduled" else self.first)
                data |= dict.fromkeys(("start", "occupiedFrom"), rfc3339(start))
                data |= dict.fromkeys(("end", "occupiedTo"), rfc3339(start + HALF_HOUR))
            yield json.dumps(message)


def stories() -> list[Story]:
    """Return pairs of which the first one's booking moves to the time that the second one's had before its move."""
    ids = iter(new_ids(2 * PAIRS))
    slots = (slot for pair in range(PAIRS) for slot in (3 * pair, 3 * pair + 1))
    return [
        Story(link_id, make_id(BOOKING, secrets.token_bytes(ID_BYTES)), slot, slot + 1)
        for link_id, slot in zip(ids, slots, strict=True)
    ]


def in_bad_order(four: Sequence[str], pairs: Sequence[Story], host_id: str) -> list[str]:
    """Return all messages; first those of bookings whose time is taken, so that both attempts of each fail."""
    draw, firsts, seconds = random.Random(SEED), pairs[::2], pairs[1::2]
    kinds = [json.loads(text)["detail-type"] for text in four]
    confirmed, moved = kinds.index("booking.confirmed"), kinds.index("booking.rescheduled")
    begin = [list(story.messages(four, host_id))[confirmed] for story in seconds[:BATCH]]
    begin += [list(story.messages(four, host_id))[moved] for story in firsts[:BATCH]]
    every = [message for story in pairs for message in story.messages(four, host_id)]
    draw.shuffle(every)
    return [*begin, *every]


def deliver(site: Site, messages: Sequence[str]) -> list[float]:
    """Deliver messages in batches, and redeliver those that fail, as the queue does; return each batch's time in ms."""
    left, times, receives = deque(enumerate(messages)), list[float](), Counter[int]()
    while left:
        batch = [left.popleft() for _ in range(min(BATCH, len(left)))]
        receives.update(number for number, _ in batch)
        records = [{"messageId": f"m-{number}", "body": body} for number, body in batch]
        invocation = Invocation(a_call=A_SLOW_CALL)
        with invoked(site, invocation):
            response = apply_events({"Records": records}, invocation)
        times.append(invocation.used)
        assert invocation.used < TIMEOUT
        failed = {each["itemIdentifier"] for each in response["batchItemFailures"]}
        left += [(number, body) for number, body in batch if f"m-{number}" in failed]
    assert max(receives.values()) <= MAX_RECEIVES
    return times


@pytest.mark.timeout(3600)
def test_a_batch_of_events_ends_before_the_timeout(dynoxide: Dynoxide, tmp_path: Path) -> None:
    """P1, P2: with a slow DynamoDB, and bookings that wait for others, all events are applied, none dead-lettered."""
    pairs, four = stories(), four_events(dynoxide)

    def fill(file: DynoxideFile, site: Site, link: Link) -> None:
        item = cast("Any", site.world.store.links).item_of(replace(link, sequence=1), CAUSE)
        file.insert_copies(item.serialize(), link.link_id, [story.link_id for story in pairs])

    with filled(tmp_path / "table.db", fill) as site, closed("all"):
        [host] = site.world.store.hosts.entries(None, 2)
        messages = in_bad_order(four, pairs, host.item_id)
        began = time.monotonic()
        times = deliver(site, messages)
        took = time.monotonic() - began
        print(
            f"{len(messages)} events in {len(times)} batches: {len(messages) / took:.0f} events/s, "
            f"{took / len(times) * 1000:.0f} ms a batch; the longest took {max(times) / 1000:.1f} s by the clock"
        )
        links = site.world.store.links.read_many([story.link_id for story in pairs])
        assert {(link.sequence, link.usage_count) for link in links} == {(3, 1)}
        bookings = site.world.store.bookings.read_many([story.booking_id for story in pairs])
        assert [booking.start for booking in bookings] == [story.start(story.last) for story in pairs]
        assert {step["revoked"] for step in finish(site, RevokeStep, everything=False).replies} == {0}
