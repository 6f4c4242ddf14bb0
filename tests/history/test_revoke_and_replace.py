"""Revoke and replace with concurrent requests: a change of the limit, an expiry, a redeem, a cancel (P1, P3, P8)."""

import pytest

from chalicelib.service.links import generate as generating_links, replace as replacing_links
from chalicelib.store.table import TRIES
from tests.history.checker.specification import Link
from tests.history.checker.violations import violations
from tests.history.interleavings.by_hand import make_link, steps
from tests.history.interleavings.stepped import Fate, Stepped, Task, slot
from tests.history.planted import Bug, Edit, planted
from tests.support import audit


def test_a_replacement_has_the_last_acknowledged_settings(stepped: Stepped) -> None:
    """P1: the limit is lowered between the replacement's reads and its write; the new link has the lower limit."""
    name, link = make_link(stepped, max_uses=3)
    replacing, limiting = stepped.replace(name, link), stepped.limit(name, 2)
    steps(stepped, replacing, 2)  # reads the link and its event type, before the change

    stepped.finish(limiting)
    stepped.finish(replacing)

    assert [call.code for call in stepped.calls[-2:]] == ["200", "201"]
    [fresh] = stepped.calls[-1].result["links"].values()
    assert fresh.max_uses == 2
    assert violations(stepped.end()) == []


def test_a_revoke_with_a_lost_reply_succeeds_even_if_its_retry_is_after_the_expiry(stepped: Stepped) -> None:
    """P3: the first attempt revoked the link before its expiry, and its clock decides."""
    name, link = make_link(stepped, expires_in=10)
    revoking = stepped.revoke(name)
    steps(stepped, revoking, 1)  # reads the link, not yet expired

    stepped.tick(10)
    stepped.step(revoking, Fate.LOST)
    stepped.finish(revoking)

    assert stepped.calls[-1].code == "200"
    assert violations(stepped.end()) == []
    stepped.finish(stepped.redeem(name, link, slot(1), "p0", None, "p0"))
    assert stepped.calls[-1].code == "410 link-revoked"


def test_a_lost_refusal_does_not_widen_the_clock_of_a_call(stepped: Stepped) -> None:
    """P3: only a write that took effect can have been decided by an earlier clock than that of the last attempt."""
    name, link = make_link(stepped, expires_in=10)
    revoking = stepped.revoke(name)
    steps(stepped, revoking, 1)
    stepped.finish(stepped.redeem(name, link, slot(1), "p0", None, "p0"))
    stepped.tick(5)

    stepped.step(revoking, Fate.LOST)  # refused, because the link is used
    stepped.finish(revoking)

    assert stepped.calls[-1].code == "409 conflict"
    assert stepped.calls[-1].clock == (stepped.clock, stepped.clock)


@pytest.mark.parametrize("ending", ["revoke", "replace"])
@pytest.mark.parametrize("reads", range(4))
@pytest.mark.parametrize("cancel_first", [True, False])
def test_a_link_that_is_revoked_or_replaced_during_a_cancel_is_not_restored(
    stepped: Stepped, ending: str, reads: int, cancel_first: bool
) -> None:
    """P8, P3: in no interleaving of the two does the used link become active again."""
    name, link = make_link(stepped, restore=True)
    stepped.finish(stepped.redeem(name, link, slot(1), "p0", "k", "p0"))
    booking = stepped.calls[-1].result["booking"]
    cancelling = stepped.cancel(booking)
    ended = stepped.revoke(name) if ending == "revoke" else stepped.replace(name, link)
    first, second = (cancelling, ended) if cancel_first else (ended, cancelling)
    for _ in range(reads):
        if first in stepped.tasks:
            stepped.step(first)

    stepped.finish(second)
    if first in stepped.tasks:
        stepped.finish(first)

    assert {call.code for call in stepped.calls[-2:]} <= {"200", "201"}
    stepped.finish(stepped.redeem(name, link, slot(2), "p1", "other", "p1"))
    assert stepped.calls[-1].code in ("410 link-used", "410 link-revoked")
    assert violations(stepped.end()) == []


def test_the_second_replacement_of_a_used_link_restores_uses_as_the_first_does(stepped: Stepped) -> None:
    """P8: a cancellation makes it active again."""
    old, link = make_link(stepped, restore=True)
    stepped.finish(stepped.redeem(old, link, slot(1), "p0", None, "p0"))
    for _ in range(2):
        stepped.finish(stepped.replace(old, link))
    [(second, link)] = stepped.calls[-1].result["links"].items()
    stepped.finish(stepped.redeem(second, link, slot(2), "p1", None, "p1"))
    stepped.finish(stepped.cancel(stepped.calls[-1].result["booking"]))

    stepped.finish(stepped.read_link(second))

    assert stepped.calls[-1].result["status"] == "active"
    assert violations(stepped.end()) == []


@pytest.mark.parametrize("verb", ["replace", "renew"])
def test_a_link_that_is_deleted_before_the_retry_of_its_creation_is_not_created_again(
    stepped: Stepped, verb: str
) -> None:
    """P3, P6, P8: the reply of a replace or renew without a key is lost, and the host deletes the new link."""
    replacing, _, fresh = _replacement_with_a_lost_reply(stepped, verb)
    stepped.finish(stepped.delete(fresh))

    stepped.finish(replacing)

    assert [call.code for call in stepped.calls if call.number == replacing.call.number] == ["404 not-found"]
    assert fresh not in audit.links_of(stepped.dump())
    stepped.finish(stepped.redeem(fresh, stepped.links[fresh], slot(1), "p0", None, "p0"))
    assert stepped.calls[-1].code == "410 link-deleted"
    assert violations(stepped.end()) == []


@pytest.mark.parametrize("verb", ["replace", "renew"])
def test_a_replacement_with_a_lost_reply_is_returned_even_if_the_old_link_is_deleted(
    stepped: Stepped, verb: str
) -> None:
    """P4: the new link is active, so its caller gets it, and not that the old link does not exist."""
    replacing, old, fresh = _replacement_with_a_lost_reply(stepped, verb)
    stepped.finish(stepped.delete(old))

    stepped.finish(replacing)

    assert (stepped.calls[-1].code, list(stepped.calls[-1].result["links"])) == ("201", [fresh])
    assert violations(stepped.end()) == []


def test_a_replacement_that_ignores_the_history_creates_a_deleted_link_again(stepped: Stepped) -> None:
    """Red control of the first test above."""
    history = "world.store.history.page(link_id, None, 1)"
    with planted(Bug((Edit(replacing_links.made_before, history, "False"),))):
        replacing, _, fresh = _replacement_with_a_lost_reply(stepped, "replace")
        stepped.finish(stepped.delete(fresh))
        stepped.finish(replacing)

    assert stepped.calls[-1].code == "201"
    assert fresh in audit.links_of(stepped.dump())


@pytest.mark.parametrize("count", [1, 2])
def test_links_that_are_deleted_before_the_retry_of_their_creation_are_not_created_again(
    stepped: Stepped, count: int
) -> None:
    """P3, P6, P8: the reply of a generate without a key is lost, and the host deletes the links."""
    generating, names, link = _generate_with_a_lost_reply(stepped, count)
    for name in names:
        stepped.finish(stepped.delete(name))

    stepped.finish(generating)

    assert not names & audit.links_of(stepped.dump()).keys()
    stepped.finish(stepped.redeem(min(names), link, slot(1), "p0", None, "p0"))
    assert stepped.calls[-1].code == "410 link-deleted"
    assert violations(stepped.end()) == []


def test_a_generate_that_ignores_the_history_creates_a_deleted_link_again(stepped: Stepped) -> None:
    """Red control of the test above."""
    history = "world.store.history.page(link_id, None, 1)"
    with planted(Bug((Edit(generating_links._was_created, history, "False"),))):
        generating, names, _ = _generate_with_a_lost_reply(stepped, 1)
        stepped.finish(stepped.delete(min(names)))
        stepped.finish(generating)

    assert names <= audit.links_of(stepped.dump()).keys()


def test_a_replacement_throttled_before_its_write_looks_for_no_link_of_its_own(stepped: Stepped) -> None:
    """Only a write can create a link, so the retry reads no more than the first attempt."""
    stepped.finish(stepped.renew(stepped.event_types[1]))
    [(name, link)] = stepped.calls[-1].result["links"].items()
    replacing = stepped.replace(name, link)
    steps(stepped, replacing, 2)  # reads the link and its event type
    for _ in range(TRIES):
        stepped.step(replacing, Fate.REFUSED)  # reads the rolling link's id
    before = len(stepped.steps)

    stepped.finish(replacing)

    operations = [step.partition(") ")[2] for step in stepped.steps[before:]]
    assert operations == ["GetItem: done"] * 3 + ["TransactWriteItems: done"]


def test_a_refused_replacement_looks_for_no_link_of_its_own(stepped: Stepped) -> None:
    """A conflict writes nothing, so the retry reads only the old link and the event type again."""
    name, link = make_link(stepped)
    replacing = stepped.replace(name, link)
    steps(stepped, replacing, 2)  # reads the link and its event type
    stepped.step(replacing, Fate.CONFLICT)
    before = len(stepped.steps)

    stepped.finish(replacing)

    operations = [step.partition(") ")[2] for step in stepped.steps[before:]]
    assert operations == ["GetItem: done", "GetItem: done", "TransactWriteItems: done"]


def _replacement_with_a_lost_reply(stepped: Stepped, verb: str) -> tuple[Task, str, str]:
    """Return a replace or renew without a key before its retry, the old link and the new one."""
    if verb == "replace":
        old, link = make_link(stepped)
        replacing = stepped.replace(old, link)
    else:
        stepped.finish(stepped.renew(stepped.event_types[1]))
        [old] = stepped.calls[-1].result["links"]
        replacing = stepped.renew(stepped.event_types[1])
    while replacing.waiting is not None and not replacing.waiting.writes:
        stepped.step(replacing)
    stepped.step(replacing, Fate.LOST)
    [fresh] = audit.links_of(stepped.dump()).keys() - {old}
    return replacing, old, fresh


def _generate_with_a_lost_reply(stepped: Stepped, count: int) -> tuple[Task, set[str], Link]:
    """Return a generate without a key before its retry, and the links that it created, with their settings."""
    _, link = make_link(stepped)
    before = audit.links_of(stepped.dump()).keys()
    generating = stepped.make(stepped.event_types[0], link, count)
    while generating.waiting is not None and not generating.waiting.writes:
        stepped.step(generating)
    stepped.step(generating, Fate.LOST)
    return generating, set(audit.links_of(stepped.dump()).keys() - before), link
