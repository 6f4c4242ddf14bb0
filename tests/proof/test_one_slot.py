"""P2: a host's time is booked at most once, whichever links or event types are used."""

from datetime import timedelta
from functools import partial

from tests.support import audit
from tests.support.aws.dynamodb_client import CLIENTS
from tests.support.proof.harness import Stage, codes_of, day_start, race, starts
from tests.support.proof.size import size

FIVE_MINUTES = timedelta(minutes=5)

# Starts in minutes from midnight: of 90 minutes, and of 30 minutes with 30 minutes of buffer before.
NEAR_MIDNIGHT = range(-90, 60, 15)
SPANNING_MINUTES = (range(-75, 0, 15), range(-15, 30, 15))


def test_sixteen_links_that_race_for_one_slot_give_one_booking(stage: Stage) -> None:
    """P2, P1: one wins, the others get `slot-taken`, and their links stay unchanged."""
    event_type = stage.event_type(stage.host(), 30)
    clients = stage.clients()
    for start in starts(size(3, 10), 30):
        links = stage.links(event_type, CLIENTS)

        answers = race(
            [
                partial(client.redeem, link, start, "same@example.com")
                for client, link in zip(clients, links, strict=True)
            ]
        )

        assert codes_of(answers) == {"201": 1, "409 slot-taken": CLIENTS - 1}
        stored = audit.links_of(stage.audited())
        for link, answer in zip(links, answers, strict=True):
            used = answer.status == 201
            item = stored[link.link_id]
            assert (item["status"], item["usageCount"]) == (("used", 1) if used else ("active", 0))


def test_a_link_that_is_refused_a_slot_can_book_another(stage: Stage) -> None:
    """P2, P1: a refused slot does not count as a use."""
    event_type = stage.event_type(stage.host(), 30)
    first, second = stage.links(event_type, 2)
    [client], [taken, free] = stage.clients(1), starts(2, 30)
    assert client.redeem(first, taken, "first@example.com").code == "201"
    assert client.redeem(second, taken, "second@example.com").code == "409 slot-taken"

    assert client.redeem(second, free, "second@example.com").code == "201"
    stage.audited()


def test_bookings_of_event_types_with_different_durations_and_buffers_never_overlap(stage: Stage) -> None:
    """P2: the occupied times are compared, buffers included, not the starts or the event types."""
    host = stage.host()
    event_types = [
        stage.event_type(host, 30, slotIntervalMinutes=5, bufferBeforeMinutes=10, bufferAfterMinutes=5),
        stage.event_type(host, 45, slotIntervalMinutes=5, bufferAfterMinutes=20),
        stage.event_type(host, 5, slotIntervalMinutes=5),
        stage.event_type(host, 90, slotIntervalMinutes=5, bufferBeforeMinutes=60, bufferAfterMinutes=60),
    ]
    clients = stage.clients()
    for day in range(2, size(4, 10)):
        links = [stage.links(event_types[n % 4], 1)[0] for n in range(CLIENTS)]
        wanted = [day_start(day) + stage.random.randrange(12 * 4) * FIVE_MINUTES for _ in clients]

        answers = race(
            [
                partial(client.redeem, link, start, "p@example.com")
                for client, link, start in zip(clients, links, wanted, strict=True)
            ]
        )

        codes = codes_of(answers)
        assert set(codes) <= {"201", "409 slot-taken"}
        assert codes["201"] >= 1
        # No refusal was wrong: a retry of each refused slot is refused again.
        retried = [
            clients[n].redeem(links[n], wanted[n], "p@example.com")
            for n, answer in enumerate(answers)
            if answer.status == 409
        ]
        assert set(codes_of(retried)) <= {"409 slot-taken"}
    stage.audited()


def test_adjacent_slots_can_be_booked_concurrently(stage: Stage) -> None:
    """P2: slots that touch without overlapping do not refuse each other."""
    host = stage.host()
    short, long = (
        stage.event_type(host, 15),
        stage.event_type(host, 30, slotIntervalMinutes=15, bufferAfterMinutes=15),
    )
    clients = stage.clients()
    for day in range(2, size(4, 6)):
        # [00:00–00:15) [00:15–00:30 + 15) [00:45–01:00) … without a gap
        plan = [(short, 0), (long, 15)] * (CLIENTS // 2)
        at = [day_start(day) + timedelta(minutes=60 * (n // 2) + m) for n, (_, m) in enumerate(plan)]
        links = [stage.links(event_type, 1)[0] for event_type, _ in plan]

        answers = race(
            [
                partial(client.redeem, link, start, "p@example.com")
                for client, link, start in zip(clients, links, at, strict=True)
            ]
        )

        assert codes_of(answers) == {"201": CLIENTS}
    stage.audited()


def test_bookings_around_midnight_never_overlap(stage: Stage) -> None:
    """P2: each UTC day is an item, so a booking that spans midnight takes cells in two items."""
    host = stage.host()
    event_types = [
        stage.event_type(host, 90, zone="America/New_York", slotIntervalMinutes=15),
        stage.event_type(host, 30, zone="Asia/Tokyo", slotIntervalMinutes=15, bufferBeforeMinutes=30),
    ]
    clients, days = stage.clients(), range(3, size(5, 11))
    for day in days:
        links = [stage.links(event_types[n % 2], 1)[0] for n in range(CLIENTS)]
        # On the first day every request spans midnight. On the others most do, and all of them compete.
        minutes = SPANNING_MINUTES if day == days[0] else (NEAR_MIDNIGHT, NEAR_MIDNIGHT)
        wanted = [
            day_start(day) + timedelta(minutes=stage.random.choice(minutes[n % 2])) for n in range(CLIENTS)
        ]

        answers = race(
            [
                partial(client.redeem, link, start, "p@example.com")
                for client, link, start in zip(clients, links, wanted, strict=True)
            ]
        )

        assert set(codes_of(answers)) == {"201", "409 slot-taken"}
    items = stage.audited()
    midnights = [day_start(day).timestamp() * 1000 for day in days]
    over = [
        booking
        for booking in audit.bookings_of(items).values()
        if any(booking["occupiedFrom"] < midnight < booking["occupiedTo"] for midnight in midnights)
    ]
    assert over, "no booking spans a midnight, so the test proves nothing"
