"""P1: a link gives at most as many bookings as it allows, however many clients race for it."""

from functools import partial

from tests.support import audit
from tests.support.aws.dynamodb_client import CLIENTS
from tests.support.proof.harness import Stage, codes_of, race, starts
from tests.support.proof.rounds import one_winner_rounds
from tests.support.proof.size import size

LINKS = size(8, 100)


def test_links_with_sixteen_clients_each_give_one_booking_each(stage: Stage) -> None:
    """P1: exactly one 201 for each link and `link-used` for all others, and the table agrees."""
    links, answers = one_winner_rounds(stage, LINKS)

    for link in links:
        assert codes_of(answers[link]) == {"201": 1, "410 link-used": CLIENTS - 1}
    items = stage.audited()
    stored = audit.links_of(items)
    for link in links:
        won = [answer.json["bookingId"] for answer in answers[link] if answer.status == 201]
        assert list(audit.bookings_of(items, link.link_id)) == won
        assert (stored[link.link_id]["usageCount"], stored[link.link_id]["status"]) == (1, "used")
    assert len(audit.bookings_of(items)) == LINKS


def test_a_link_with_n_uses_gives_exactly_n_bookings(stage: Stage) -> None:
    """P1: the link becomes used with its last use."""
    event_type = stage.event_type(stage.host())
    clients, slots = stage.clients(), iter(starts(12 * CLIENTS))
    for uses in (2, 3, 5) * size(1, 4):
        [link] = stage.links(event_type, maxUsageCount=uses)

        answers = race(
            [
                partial(client.redeem, link, next(slots), f"p{n}@example.com")
                for n, client in enumerate(clients)
            ]
        )

        assert codes_of(answers) == {"201": uses, "410 link-used": CLIENTS - uses}
        stored = stage.raw(link)
        assert stored is not None
        assert (stored["usageCount"], stored["status"]) == (uses, "used")
    stage.audited()


def test_an_unlimited_link_gives_as_many_bookings_as_there_are_slots(stage: Stage) -> None:
    """P1, P2: only the host's time limits an unlimited link."""
    event_type = stage.event_type(stage.host())
    clients, slots = stage.clients(), starts(10)
    [link] = stage.links(event_type, maxUsageCount=None)

    answers = race(
        [partial(client.redeem, link, slots[n % 10], f"p{n}@example.com") for n, client in enumerate(clients)]
    )

    assert codes_of(answers) == {"201": 10, "409 slot-taken": CLIENTS - 10}
    stored = audit.links_of(stage.audited())[link.link_id]
    assert (stored["usageCount"], stored["status"]) == (10, "active")
