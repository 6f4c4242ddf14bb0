"""A restore is finished in steps that can be cut off anywhere and repeated; nothing that was revoked is lost (P1)."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, NamedTuple, cast

import msgspec
import pytest
from botocore.exceptions import ReadTimeoutError

from chalicelib.consumers.restore import apply_events
from chalicelib.domain.errors import StoreUnavailableError
from chalicelib.domain.restore_steps import MARKER_SOURCE, MARKER_TYPE, CountStep, RevokeStep
from chalicelib.service import restore_steps
from chalicelib.service.restore_steps import InvalidCursorError, OtherTableError
from chalicelib.store import items, restore as restore_store
from tests.support.app import Caller, Site, at, created, ok
from tests.support.aws.engines import Table
from tests.support.commands import Deadline
from tests.support.restores import Archive, Item, closed, finish, replay_all, restore, running_on, take

LINKS: Final = 7
NO_TIME: Final = 0  # reads of the clock until too little time is left


class Lost(NamedTuple):
    """A lost table: its backup, the archived events since then, and why a restore must revoke which link."""

    backup: Sequence[Item]
    events: list[str]
    expected: dict[str, str]
    links: list[dict[str, Any]]


class Killed(BaseException):
    """The function's process ended."""


@pytest.fixture
def lost(site: Site, host: Caller) -> Lost:
    """Change links and lose some of the events: four of seven have a gap, one has an incomplete event."""
    event_type = host.event_type()
    links = host.links(event_type, count=LINKS)
    for _ in range(3):
        host.link(event_type, expiresAt=at(hours=1))
    second = site.host()
    theirs = second.event_type()
    other = second.links(theirs, count=2, restoreUseOnCancel=True) + second.links(theirs)
    for hour, link in enumerate(other[1:], 24):
        created(site.redeem(link, at(hours=hour)))
    archive = Archive(site)
    archive.events()
    owners = {str(host.host_id), str(second.host_id)}
    backup = [item for item in site.items() if any(host_id in json.dumps(item) for host_id in owners)]
    recipient = {"recipient": {"name": "Eve", "email": "eve@example.com"}}
    for link in links[:6]:
        for body in ({"label": "first"}, recipient if link is links[4] else {"label": "second"}):
            ok(host.patch(f"/v1/links/{link['linkId']}", body))
    gaps = [link["linkId"] for link in links[:4]]
    events = [json.loads(each) for each in archive.events()]
    kept = [
        e for e in events if (e["detail"]["linkId"], e["detail"]["sequence"]) not in {(g, 2) for g in gaps}
    ]
    assert len(kept) == 8
    expected = dict.fromkeys(gaps, "gap") | {links[4]["linkId"]: "incomplete"}
    return Lost(backup, [json.dumps(event) for event in kept], expected, links + other)


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put all links into one shard, and read them two at a time, so that a few links are several pages."""
    monkeypatch.setattr(items, "restore_shard", lambda _: "7")
    monkeypatch.setattr(restore_store, "restore_shard", lambda _: "7")
    monkeypatch.setattr(restore_steps, "_PAGE", 2)
    monkeypatch.setattr(restore_steps, "_LIST_PAGE", 1)
    monkeypatch.setattr(restore_steps, "_MAX_LISTED", 2)


@contextmanager
def restored(site: Site, lost: Lost) -> Iterator[Table]:
    """Run on a table restored from the backup, with the archive's events applied."""
    table = restore(site, lost.backup)
    with running_on(site, table):
        replay_all(lost.events)
        yield table


@contextmanager
def hooked(site: Site, moment: str, hook: Any) -> Iterator[None]:
    """Call `hook` before or after each transaction."""
    events = cast("Any", site.world.store.links)._table.client.meta.events
    events.register(f"{moment}.dynamodb.TransactWriteItems", hook)
    try:
        yield
    finally:
        events.unregister(f"{moment}.dynamodb.TransactWriteItems", hook)


def statuses(site: Site, links: Sequence[dict[str, Any]]) -> list[str]:
    """Return the stored status of each link."""
    return [site.item(f"LINK#{link['linkId']}", "LINK")["status"]["S"] for link in links]  # type: ignore[index]


def check_history(archive: Archive, table: Table, expected: Sequence[str]) -> None:
    """Check that each revoked link has exactly one event, which names the restore."""
    found = [json.loads(message)["detail"] for message in archive.events()]
    revoked = [event for event in found if event["type"] == "link.revoked"]
    assert sorted(event["linkId"] for event in revoked) == sorted(expected)
    assert {(e["actor"], e["correlationId"]) for e in revoked} <= {
        ("system:restore", f"restore:{table.name}")
    }


def test_steps_without_time_left_end_with_every_usable_link_revoked(site: Site, lost: Lost) -> None:
    """P1: such a step handles one page or one link, and returns where to continue."""
    expected = lost.expected | {link["linkId"]: "everything" for link in lost.links[5:9]}
    site.clock.advance(hours=2)  # three links are past their expiry, but not yet marked
    with restored(site, lost) as table:
        first = take(RevokeStep(run=table.name, everything=True), Deadline(NO_TIME))
        assert first["cursor"] is not None
        assert finish(table, everything=True, context=Deadline(NO_TIME)) == expected
        check_history(Archive(site), table, list(expected))
        # Repeated from the first cursor, as after a lost reply, or without one, nothing more is revoked.
        for cursor, checked in ((first["cursor"], None), (None, 6)):
            again = take(RevokeStep(run=table.name, everything=True, cursor=cursor))
            assert (again["revoked"], again["cursor"]) == (0, None)
            assert checked in {None, again["checked"]}
        assert statuses(site, lost.links) == ["revoked"] * 9 + ["used"]


@pytest.mark.parametrize("moment", ["before-call", "after-call"])
def test_a_step_that_is_killed_at_any_write_loses_nothing(site: Site, lost: Lost, moment: str) -> None:
    """P1: every revocation is recorded, and no other link is; each has one event, which names the restore."""
    writes = 0

    def kill(**_: Any) -> None:
        nonlocal writes
        writes += 1
        if moment == "after-call" or writes % 2 == 0:
            raise Killed

    with restored(site, lost) as table:
        kills, reply = 0, None
        while reply is None:
            try:
                with hooked(site, moment, kill):
                    reply = take(RevokeStep(run=table.name, everything=False))
            except Killed:
                kills += 1
            recorded = [item["sk"]["S"].removeprefix("REVOKED#") for item in site.items("RESTORE#")]
            revoked = [link["linkId"] for link in lost.links if statuses(site, [link]) == ["revoked"]]
            assert sorted(each for each in recorded if "#" not in each) == sorted(revoked)
        assert kills == (5 if moment == "after-call" else 4)
        assert reply["cursor"] is None
        assert finish(table) == lost.expected
        assert statuses(site, lost.links[5:]) == ["active"] * 3 + ["used"] * 2
        check_history(Archive(site), table, list(lost.expected))


def test_a_revocation_whose_reply_was_lost_is_recorded(site: Site, lost: Lost) -> None:
    """P1: the retry finds the link revoked and does not count it, but the list has it."""
    calls = 0

    def lose(**_: Any) -> None:
        nonlocal calls
        calls += 1
        if calls % 2 == 1:
            raise ReadTimeoutError(endpoint_url="")

    with restored(site, lost) as table:
        with hooked(site, "after-call", lose):
            assert take(RevokeStep(run=table.name, everything=False))["revoked"] == 0
        assert calls == 10
        assert finish(table) == lost.expected


def test_the_number_of_applied_messages_is_exact(site: Site, lost: Lost) -> None:
    """P1: a message counts once, after its event is applied; `make restore` opens bookings when all are counted."""
    table = restore(site, lost.backup)
    with running_on(site, table), closed("all"):

        def count(marker: str | None = None) -> tuple[int, bool]:
            messages, found, cursor = 0, False, None
            while True:
                reply = take(CountStep(run=table.name, marker=marker, cursor=cursor), Deadline(NO_TIME))
                messages, found, cursor = messages + reply["messages"], reply["markerFound"], reply["cursor"]
                if cursor is None:
                    return messages, found

        records = [{"messageId": f"m-{n}", "body": body} for n, body in enumerate(lost.events)]
        everything = [{"itemIdentifier": record["messageId"]} for record in records]
        with site.failing("TransactWriteItems", StoreUnavailableError()):
            assert apply_events({"Records": records}, None)["batchItemFailures"] == everything
        assert count() == (0, False)
        with site.failing("BatchWriteItem", StoreUnavailableError()):
            assert apply_events({"Records": records}, None)["batchItemFailures"] == everything
        assert count() == (0, False)
        for _ in range(2):
            apply_events({"Records": [*records, records[0]]}, None)
        assert count("m") == (len(records), False)
        for run, found in (("another", False), (table.name, True)):
            body = {"source": MARKER_SOURCE, "detail-type": MARKER_TYPE, "detail": {"run": run, "id": "m"}}
            apply_events({"Records": [{"messageId": f"marker-{run}", "body": json.dumps(body)}]}, None)
            assert count("m")[1] is found
        assert count()[0] == len(records) + 2


def test_an_invalid_step_is_an_error(site: Site) -> None:
    """P1: a step for another table would revoke the links of the wrong one."""
    run = site.table.name
    with pytest.raises(OtherTableError, match="deploy the stage over it"):
        take(CountStep(run="another"))
    for cursor in ("x", "[99]x", "{}"):
        with pytest.raises(InvalidCursorError):
            take(CountStep(run=run, cursor=cursor))
    for step in ({"step": "end"}, {"run": run}, {"step": "revoke", "run": run}):
        with pytest.raises(msgspec.ValidationError):
            apply_events(step, None)
