"""The last release and this code work on one table, as during a deployment and after a rollback (P1, P2, P4, P8)."""

from functools import partial

from infra.release.records import Release
from tests.support import audit
from tests.support.aws.dynamodb_client import CLIENTS
from tests.support.proof.harness import Stage, codes_of, race, rfc3339, starts
from tests.support.proof.rounds import one_winner_rounds
from tests.support.proof.size import size
from tests.upgrade.data import Version, deleted_links, use, write


def test_the_processes_run_two_versions(old: Version, new: Version, last: Release) -> None:
    """Otherwise the other tests would compare this code with itself."""
    versions = [each.call("GET", "/v1/openapi.json")["info"]["version"] for each in (old, new)]
    assert versions[0] == last.version
    assert versions[1] != last.version


def test_this_code_continues_with_what_the_last_release_wrote(
    stage: Stage, old: Version, new: Version
) -> None:
    """An upgrade: every link, booking and retry of before works as before."""
    data = write(old, 1)
    stage.audited(deleted=[data.links["deleted"].link_id])

    use(new, data)

    stage.audited(deleted=deleted_links(data))


def test_the_last_release_continues_with_what_this_code_wrote(
    stage: Stage, old: Version, new: Version
) -> None:
    """A rollback: the old code corrupts nothing and books no more than a link allows."""
    data = write(new, 2)
    stage.audited(deleted=[data.links["deleted"].link_id])

    use(old, data)

    stage.audited(deleted=deleted_links(data))


def test_links_that_both_versions_race_for_give_one_booking_each(stage: Stage) -> None:
    """P1, during a deployment: half of the 16 clients of each link talk to the old code."""
    links, answers = one_winner_rounds(stage, size(8, 80))

    for link in links:
        assert codes_of(answers[link]) == {"201": 1, "410 link-used": CLIENTS - 1}
    assert len(audit.bookings_of(stage.audited())) == len(links)


def test_a_slot_that_both_versions_race_for_is_booked_once(stage: Stage) -> None:
    """P2: one host, one start, another link for each client."""
    event_type = stage.event_type(stage.host())
    for start in starts(size(3, 30)):
        links = stage.links(event_type, CLIENTS)
        clients = stage.clients()
        answers = race(
            [
                partial(client.redeem, link, start, f"p{n}@example.com")
                for n, (client, link) in enumerate(zip(clients, links, strict=True))
            ]
        )
        assert codes_of(answers) == {"201": 1, "409 slot-taken": CLIENTS - 1}
    stage.audited()


def test_a_retry_at_the_other_version_returns_the_same_booking(
    stage: Stage, old: Version, new: Version
) -> None:
    """P4: the first request was answered by one version, its retry reaches the other."""
    event_type = stage.event_type(stage.host())
    slots = iter(starts(8))
    for key in ("k-1", None):
        for first, second in ((old, new), (new, old)):
            [link] = stage.links(event_type)
            start = next(slots)
            made = first.book(link, start, key=key)
            again = second.invitee.redeem(link, start, "ada@invitees.example", key=key)
            assert again.code == "201", again
            assert again.json["start"] == made["start"]
            if key:
                assert again.json["bookingId"] == made["bookingId"]
    stage.audited()


def test_a_cancel_at_one_version_and_redeems_at_the_other_keep_the_count(
    stage: Stage, old: Version, new: Version
) -> None:
    """P8: the restored use is taken once, whichever code restores and takes it."""
    event_type = stage.event_type(stage.host())
    slots = iter(starts(40))
    for canceller, redeemer in ((old, new), (new, old)):
        [link] = stage.links(event_type, restoreUseOnCancel=True)
        made = canceller.book(link, next(slots))
        clients = [stage.new_client(urls=[redeemer.url]) for _ in range(8)]
        answers = race(
            [
                partial(canceller.own, made, "cancel"),
                *(partial(client.redeem, link, next(slots), "eve@example.com") for client in clients),
            ]
        )
        assert answers[0].status == 200
        won = sum(answer.status == 201 for answer in answers[1:])
        assert won <= 1
        if not won:
            redeemer.book(link, next(slots))
        moved = canceller.invitee.redeem(link, next(slots), "eve@example.com")
        assert moved.code == "410 link-used", moved
    stage.audited()


def test_a_booking_is_moved_by_each_version_in_turn(stage: Stage, old: Version, new: Version) -> None:
    """P8: a move by one version frees exactly the time that the other took."""
    [link] = stage.links(stage.event_type(stage.host()))
    slots = starts(6)
    made = old.book(link, slots[0])
    for number, start in enumerate(slots[1:]):
        answer = (new, old)[number % 2].own(made, "reschedule", {"start": rfc3339(start)})
        assert answer.status == 200, answer
    stage.audited()
