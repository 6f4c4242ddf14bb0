"""After a restore no used link works again: archived events, replayed in any order, bring the table up to date (P1)."""

import json
import random
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import pytest

from chalicelib import bootstrap
from chalicelib.consumers.restore import apply_events
from chalicelib.domain.events.envelopes import envelope_of, write_envelope
from infra.local.aws import local_client
from infra.local.engines.ministack import Ministack
from tests.support.app import Caller, Site, assert_problem, at, made, ok, running_site
from tests.support.aws.bus import Stream
from tests.support.aws.engines import Table, new_table

# Who booked, and by what request, is in no event; nor are the words of an audit, which is the events' own.
NOT_TOLD: Final = frozenset(
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
    }
)
KINDS: Final = ("LINK", "BOOKING", "DAY")

Item = dict[str, Any]


@pytest.fixture
def site(ministack: Ministack) -> Iterator[Site]:
    with running_site(new_table(ministack.endpoint_url)) as site:
        yield site


class Archive:
    """What the bus's archive holds: every event that the stream told since it was last asked."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._stream = Stream(site, "TRIM_HORIZON")

    def told(self) -> list[str]:
        """Return the events as EventBridge gives them to a queue."""
        told = []
        for record in self._stream.records():
            for event in self._site.world.store.events_of(record):
                detail = json.loads(write_envelope(envelope_of(event)))
                told.append(json.dumps({"source": "admit-one", "detail-type": event.type, "detail": detail}))
        return told


def restore(site: Site, backup: Sequence[Item]) -> Table:
    """Put the backup into a table of its own, and let the app use that one."""
    table = new_table(site.table.endpoint_url)
    client = local_client("dynamodb", table.endpoint_url)
    for item in backup:
        client.put_item(TableName=table.name, Item=item)
    return table


@contextmanager
def running_on(site: Site, table: Table) -> Iterator[None]:
    """Let the app, and the site's own looks, use another table for a while."""
    before = site.table
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TABLE_NAME", table.name)
        site.table = table
        bootstrap.forget()
        try:
            yield
        finally:
            site.table = before
    bootstrap.forget()


def redo_all(messages: Sequence[str], rounds: int = 30) -> None:
    """Give messages to the function until it has taken all, as their queue does."""
    left = dict(enumerate(messages))
    for _ in range(rounds):
        numbers = list(left)
        for at_ in range(0, len(numbers), 10):
            batch = [{"messageId": str(n), "body": left[n]} for n in numbers[at_ : at_ + 10]]
            failed = {
                int(f["itemIdentifier"]) for f in apply_events({"Records": batch}, None)["batchItemFailures"]
            }
            for number in numbers[at_ : at_ + 10]:
                if number not in failed:
                    del left[number]
        if not left:
            return
    raise AssertionError(f"never taken: {[left[n][:300] for n in left]}")


def state(site: Site) -> dict[tuple[str, str], Item]:
    """Return what links, bookings and days are, as far as events tell it."""
    found = {}
    for item in site.items():
        pk, sk = item["pk"]["S"], item["sk"]["S"]
        if sk.partition("#")[0] not in KINDS or item.get("busy") == {"NS": []}:
            continue
        told = {name: value for name, value in item.items() if name not in NOT_TOLD}
        if sk.startswith("DAY"):
            if "busy" not in item:
                continue
            told["busy"] = {"NS": sorted(item["busy"]["NS"])}
        found[pk, sk] = told
    return found


def a_life(site: Site, host: Caller, links: Sequence[Item], draw: random.Random) -> None:
    """Do things to links at random: book, move, cancel, revoke, delete, change, let expire."""
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
def test_events_in_any_order_and_number_bring_a_restored_table_to_where_it_was(site: Site, seed: int) -> None:
    """P1, P2: uses, deaths, bookings and busy time are those of the moment the table was lost."""
    draw = random.Random(seed)
    host = site.host()
    event_type = host.event_type()
    links = host.links(event_type, count=12, maxUsageCount=3, restoreUseOnCancel=True)
    archive = Archive(site)
    a_life(site, host, links[:8], draw)
    archive.told()
    backup = site.items()

    a_life(site, host, links, draw)
    lost = state(site)
    told = archive.told()
    assert len(told) > 20

    messages = told + draw.choices(told, k=len(told) // 2)
    draw.shuffle(messages)
    with running_on(site, restore(site, backup)):
        redo_all(messages)
        assert apply_events({"end": {"everything": False}}, None)["revoked"] == []
        assert state(site) == lost


def test_a_spent_link_stays_spent(site: Site) -> None:
    """P1: restored to before it was used, a link gives nothing after the redo; before it, the API is closed."""
    host = site.host()
    link, other = host.links(host.event_type(), count=2)
    archive = Archive(site)
    archive.told()
    backup = site.items()
    made(site.redeem(link, at(days=1)))
    told = archive.told()

    with running_on(site, restore(site, backup)):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("BOOKINGS_CLOSED", "yes")
            bootstrap.forget()
            problem = assert_problem(site.redeem(link, at(days=2)), 503, "store-unavailable")
            assert "restored" in problem["detail"]
            assert_problem(
                host.patch(f"/v1/links/{link['linkId']}", {"label": "x"}), 503, "store-unavailable"
            )
            asked = {"eventTypeId": link["eventTypeId"]}
            assert_problem(host.post("/v1/links", asked), 503, "store-unavailable")
            assert_problem(host.post(f"/v1/links/{link['linkId']}/replace"), 503, "store-unavailable")
            redo_all(told)
        bootstrap.forget()
        assert_problem(site.redeem(link, at(days=2)), 410, "link-used")
        # the slot is taken too, for the other link
        assert_problem(site.redeem(other, at(days=1)), 409, "slot-taken")
        assert ok(host.get(f"/v1/links/{link['linkId']}"))["usageCount"] == 1
        [booking] = ok(host.get("/v1/bookings", params={"linkId": link["linkId"]}))["bookings"]
        assert (booking["invitee"], booking["start"], booking["status"]) == (None, at(days=1), "confirmed")


def test_a_link_with_a_gap_in_its_events_is_revoked(site: Site) -> None:
    """P1: where an event is missing, or did not say what changed, nobody knows what the link has given."""
    host = site.host()
    event_type = host.event_type()
    gap, partly, whole, untouched = host.links(event_type, count=4, maxUsageCount=5)
    archive = Archive(site)
    archive.told()
    backup = site.items()
    for link in (gap, whole):
        for hour in (24, 25, 26):
            made(site.redeem(link, at(hours=hour + (10 if link is gap else 0))))
    ok(
        host.patch(
            f"/v1/links/{partly['linkId']}", {"recipient": {"name": "Eve", "email": "eve@example.com"}}
        )
    )
    told = archive.told()
    of_gap = [m for m in told if gap["linkId"] in m and '"link.used"' in m]
    assert len(of_gap) == 3
    told.remove(of_gap[1])

    with running_on(site, restore(site, backup)):
        redo_all(told)
        ended = apply_events({"end": {"everything": False}}, None)
        assert sorted(ended["revoked"]) == sorted([gap["linkId"], partly["linkId"]])
        statuses = [host.reread(link)["status"] for link in (gap, partly, whole, untouched)]
        assert statuses == ["revoked", "revoked", "active", "active"]
        # and where the archive does not reach back to the backup, nothing that is open stays so
        assert len(apply_events({"end": {"everything": True}}, None)["revoked"]) == 2
        assert host.list(status="active")["links"] == []


def test_what_is_not_an_event_of_ours_comes_again_until_it_is_a_dead_letter(site: Site) -> None:
    """P6: a poison message never blocks the rest."""
    host = site.host()
    archive = Archive(site)
    link = host.link()
    made(site.redeem(link, at(days=1)))
    told = archive.told()
    bodies = ["{", json.dumps({"detail": {}}), json.dumps({"detail": 5}), *told]
    records = [{"messageId": str(number), "body": body} for number, body in enumerate(bodies)]
    failed = apply_events({"Records": records}, None)["batchItemFailures"]
    assert [one["itemIdentifier"] for one in failed] == ["0", "1", "2"]
