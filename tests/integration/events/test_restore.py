"""After a restore, replaying archived events in any order brings the table up to date, so no used link works (P1)."""

import json
import logging
import random
import re
import secrets
from collections.abc import Iterator, Sequence
from typing import Final

import pytest

from chalicelib.api.routes import ROUTERS
from chalicelib.consumers import commands, imports
from chalicelib.consumers.direct_functions import Refusal, list_links_page, revoke_links
from chalicelib.consumers.expiry import expire
from chalicelib.consumers.restore import apply_events
from chalicelib.consumers.webhook_retry import retry
from chalicelib.settings import read_settings
from infra.local.engines.ministack import Ministack
from tests.support.app import JSON, Caller, Site, assert_problem, at, created, ok, running_site
from tests.support.aws.engines import new_table
from tests.support.restores import Archive, Item, closed, finish, replay_all, restore, running_on

# Attributes that a replay doesn't restore: events have no personal data, and the replay's writes have their own actor.
NOT_IN_EVENTS: Final = frozenset(
    {
        "label",
        "labelHost",
        "labelSort",
        "invitee",
        "answers",
        "location",
        "overrides",
        "language",
        "keylessReceiptId",
        "keyId",
        "restoredUses",
        "edition",
    }
    | {
        "actor",
        "correlationId",
        "purgeAt",
        "createdAt",
        "usedAt",
        "revokedAt",
        "cancelledAt",
        "restoreUseOnCancel",
        "restorePassedOn",
    }
)
KINDS: Final = ("LINK", "BOOKING", "DAY")

# What EventBridge sends to a scheduled function, which uses none of it.
SCHEDULED: Final = dict.fromkeys(
    ("version", "account", "region", "detail", "detail-type", "source", "time", "id", "resources"), ""
)


@pytest.fixture
def site(ministack: Ministack) -> Iterator[Site]:
    with running_site(new_table(ministack.endpoint_url)) as site:
        yield site


def state(site: Site) -> dict[tuple[str, str], Item]:
    """Return the links, bookings and days, with the attributes that events restore."""
    found = {}
    for item in site.items():
        pk, sk = item["pk"]["S"], item["sk"]["S"]
        if sk.partition("#")[0] not in KINDS or item.get("busy") == {"NS": []}:
            continue
        kept = {name: value for name, value in item.items() if name not in NOT_IN_EVENTS}
        if sk.startswith("DAY"):
            if "busy" not in item:
                continue
            kept["busy"] = {"NS": sorted(item["busy"]["NS"])}
        found[pk, sk] = kept
    return found


def act_at_random(site: Site, host: Caller, links: Sequence[Item], draw: random.Random) -> None:
    """Book, move, cancel, revoke, delete and change at random."""
    bookings: list[str] = []
    hour = 24
    for _ in range(60):
        link = draw.choice(links)
        path = f"/v1/links/{link['linkId']}"
        hour += 1
        match draw.randrange(8):
            case 0 | 1 | 2:
                answer = site.redeem(link, at(hours=hour), key=secrets.token_hex(8))
                if answer.status_code == 201:
                    bookings.append(answer.json()["bookingId"])
            case 3 if bookings:
                host.post(f"/v1/bookings/{draw.choice(bookings)}/reschedule", {"start": at(hours=hour)})
            case 4 if bookings:
                host.post(f"/v1/bookings/{draw.choice(bookings)}/cancel")
            case 5:
                host.post(f"{path}/revoke")
            case 6 if draw.random() < 0.5:
                host.delete(path)
            case _:
                host.patch(path, {"maxUsageCount": draw.choice([3, 5, None]), "label": "changed"})


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_replayed_events_in_any_order_restore_the_lost_state(site: Site, seed: int) -> None:
    """P1, P2: uses, final statuses, bookings and busy time are as they were when the table was lost."""
    draw = random.Random(seed)
    host = site.host()
    event_type = host.event_type()
    links = host.links(event_type, count=12, maxUsageCount=3, restoreUseOnCancel=True)
    archive = Archive(site)
    act_at_random(site, host, links[:8], draw)
    archive.events()
    backup = site.items()

    act_at_random(site, host, links, draw)
    lost = state(site)
    events = archive.events()
    assert len(events) > 20

    messages = events + draw.choices(events, k=len(events) // 2)
    draw.shuffle(messages)
    table = restore(site, backup)
    with running_on(site, table):
        replay_all(messages)
        assert finish(table) == {}
        assert state(site) == lost


def test_a_used_link_stays_used(site: Site) -> None:
    """P1: the backup is older than the redeem; the API is closed until the replay has marked the link as used."""
    host = site.host()
    link, other = host.links(host.event_type(), count=2)
    archive = Archive(site)
    archive.events()
    backup = site.items()
    created(site.redeem(link, at(days=1)))
    events = archive.events()

    with running_on(site, restore(site, backup)):
        with closed("yes"):
            problem = assert_problem(site.redeem(link, at(days=2)), 503, "store-unavailable")
            assert "restored" in problem["detail"]
            assert_problem(
                host.patch(f"/v1/links/{link['linkId']}", {"label": "x"}), 503, "store-unavailable"
            )
            fields = {"eventTypeId": link["eventTypeId"]}
            assert_problem(host.post("/v1/links", fields), 503, "store-unavailable")
            assert_problem(host.post(f"/v1/links/{link['linkId']}/replace"), 503, "store-unavailable")
            replay_all(events)
        assert_problem(site.redeem(link, at(days=2)), 410, "link-used")
        # the slot is taken for the other link too
        assert_problem(site.redeem(other, at(days=1)), 409, "slot-taken")
        assert ok(host.get(f"/v1/links/{link['linkId']}"))["usageCount"] == 1
        [booking] = ok(host.get("/v1/bookings", params={"linkId": link["linkId"]}))["bookings"]
        assert (booking["invitee"], booking["start"], booking["status"]) == (None, at(days=1), "confirmed")


def test_a_link_with_a_gap_in_its_events_is_revoked(site: Site) -> None:
    """P1: if an event is missing or lacks the new values, the link's remaining uses are unknown."""
    host = site.host()
    event_type = host.event_type()
    gap, partly, whole, untouched = host.links(event_type, count=4, maxUsageCount=5)
    archive = Archive(site)
    archive.events()
    backup = site.items()
    for link in (gap, whole):
        for hour in (24, 25, 26):
            created(site.redeem(link, at(hours=hour + (10 if link is gap else 0))))
    ok(
        host.patch(
            f"/v1/links/{partly['linkId']}", {"recipient": {"name": "Eve", "email": "eve@example.com"}}
        )
    )
    events = archive.events()
    of_gap = [m for m in events if gap["linkId"] in m and '"link.used"' in m]
    assert len(of_gap) == 3
    events.remove(of_gap[1])

    table = restore(site, backup)
    with running_on(site, table):
        replay_all(events)
        assert finish(table) == {gap["linkId"]: "gap", partly["linkId"]: "incomplete"}
        statuses = [host.reread(link)["status"] for link in (gap, partly, whole, untouched)]
        assert statuses == ["revoked", "revoked", "active", "active"]
        # If the archive doesn't reach back to the backup, every active link is revoked.
        ended = finish(table, everything=True)
        assert {link_id for link_id in ended if ended[link_id] == "everything"} == {
            whole["linkId"],
            untouched["linkId"],
        }
        assert host.list(status="active")["links"] == []


def test_a_second_restore_does_not_revoke_links_that_the_first_one_changed(site: Site) -> None:
    """P1: the second backup contains what the first restore recorded; uses between the two are no gap."""
    host = site.host()
    link = host.link(maxUsageCount=5)
    archive = Archive(site)
    archive.events()
    backup = site.items()
    created(site.redeem(link, at(hours=24)))
    events = archive.events()

    first = restore(site, backup)
    with running_on(site, first):
        replay_all(events)
        assert finish(first) == {}
        created(site.redeem(link, at(hours=25)))
        archive = Archive(site)
        archive.events()
        backup = site.items()
        created(site.redeem(link, at(hours=26)))
        events = archive.events()
        second = restore(site, backup)
        with running_on(site, second):
            replay_all(events)
            assert finish(second) == {}
            assert host.reread(link)["usageCount"] == 3


def test_nothing_is_revoked_until_all_events_are_applied(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    """P1, P3: an event with a higher sequence than a revocation's would make the link active again.

    Such an event can arrive after the restore: from a dead-letter queue, or from a replay to all rules.
    """
    host = site.host()
    link = host.link(maxUsageCount=5)
    archive = Archive(site)
    archive.events()
    backup = site.items()
    for hour in (24, 25):
        created(site.redeem(link, at(hours=hour)))
    events = archive.events()
    for hour in (26, 27):
        created(site.redeem(link, at(hours=hour)))
    late = [{"messageId": str(number), "body": body} for number, body in enumerate(archive.events())]

    revoke = f"/v1/links/{link['linkId']}/revoke"
    with running_on(site, restore(site, backup)):
        with closed("all"):
            assert_problem(host.post(revoke), 503, "store-unavailable")
            replay_all(events)
        ok(host.post(revoke))
        replay_all(events)
        for what in ("no", "yes"):
            with closed(what):
                failed = apply_events({"Records": late}, None)["batchItemFailures"]
            assert [each["itemIdentifier"] for each in failed] == [each["messageId"] for each in late]
        assert "0 will be retried: no restore is running, so no event is applied" in caplog.text
        assert host.reread(link)["status"] == "revoked"


def test_no_link_expires_until_all_events_are_applied(site: Site) -> None:
    """P1: an expiry would get the sequence of a use that is not applied yet, which would then never be counted."""
    host = site.host()
    link = host.link(expiresAt=at(hours=1))
    archive = Archive(site)
    archive.events()
    backup = site.items()
    created(site.redeem(link, at(days=1)))
    events = archive.events()
    site.clock.advance(hours=2)

    with running_on(site, restore(site, backup)):
        with closed("all"):
            expire(SCHEDULED, None)
            replay_all(events)
        expire(SCHEDULED, None)
        found = host.reread(link)
        assert (found["status"], found["usageCount"]) == ("used", 1)


def test_only_the_restore_changes_the_table_while_everything_is_closed(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    """P1, P3: every route that is not read-only responds 503; commands, imports and direct functions can be retried."""
    host = site.host()
    link = host.link()
    before = site.items()
    caplog.set_level(logging.INFO)
    with closed("all"):
        changing = [
            (method, re.sub(r"{\w+}", "x", route.path))
            for router in ROUTERS
            for route in router.routes
            for method in route.methods
            if method not in {"GET", "HEAD", "OPTIONS"}
        ]
        assert len(changing) > 30
        for method, path in changing:
            answer = site.admin(method, path, headers=JSON)
            assert (answer.status_code, answer.headers.get("Retry-After")) == (503, "60"), (method, path)
        assert site.visit(link, headers=JSON).status_code == 200
        assert host.reread(link)["status"] == "active"

        message = {"Records": [{"messageId": "m-1", "body": "{"}]}
        for consume in (commands.consume, imports.consume):
            assert consume(message, None) == {"batchItemFailures": [{"itemIdentifier": "m-1"}]}
        assert caplog.text.count("m-1 will be retried: StoreUnavailableError") == 2
        asked = {"hostId": host.host_id, "linkIds": [link["linkId"]]}
        with pytest.raises(Refusal, match="store-unavailable"):
            revoke_links(asked, None)
        assert len(list_links_page({"hostId": host.host_id}, None)["links"]) == 1
        retry(SCHEDULED, None)
        assert "no deliveries queued" in caplog.text
        assert site.items() == before


def test_a_mistyped_setting_does_not_open_bookings() -> None:
    """P1: anything but the three values is an error."""
    with pytest.raises(RuntimeError, match="BOOKINGS_CLOSED must be no, yes or all, not 'Yes'"):
        read_settings({"TABLE_NAME": "t", "SIGNING_KEYS": "{}", "BOOKINGS_CLOSED": "Yes"})


def test_a_malformed_event_is_retried_until_its_queue_dead_letters_it(site: Site) -> None:
    """P6: a poison message doesn't block the rest of its batch."""
    host = site.host()
    archive = Archive(site)
    link = host.link()
    created(site.redeem(link, at(days=1)))
    events = archive.events()
    bodies = ["{", json.dumps({"detail": {}}), json.dumps({"detail": 5}), *events]
    records = [{"messageId": str(number), "body": body} for number, body in enumerate(bodies)]
    with closed("all"):
        failed = apply_events({"Records": records}, None)["batchItemFailures"]
    assert [one["itemIdentifier"] for one in failed] == ["0", "1", "2"]
