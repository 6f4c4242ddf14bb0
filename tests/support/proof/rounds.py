"""Race many clients for links with one use. The real redeem must pass this; the negative controls must fail it."""

from collections.abc import Sequence
from functools import partial

from tests.support import audit
from tests.support.proof.harness import Answer, Link, Stage, race, starts

HOSTS = 4
_SLOTS_A_LINK = 4


def one_winner_rounds(stage: Stage, count: int) -> tuple[list[Link], dict[Link, list[Answer]]]:
    """Race 16 clients for each of `count` links; return the links and all answers.

    The clients of a link are different people who compete for four slots. No two links compete for a slot, so only the
    link's limit can refuse a client.
    """
    event_types = [stage.event_type(stage.host()) for _ in range(HOSTS)]
    links = [link for event_type in event_types for link in stage.links(event_type, count // HOSTS)]
    slots = starts(count * _SLOTS_A_LINK // HOSTS)
    clients = stage.clients()
    answers: dict[Link, list[Answer]] = {}
    for number, link in enumerate(links):
        at = number % (count // HOSTS) * _SLOTS_A_LINK
        mine = slots[at : at + _SLOTS_A_LINK]
        answers[link] = race(
            [
                partial(client.redeem, link, stage.random.choice(mine), f"person{n}@example.com")
                for n, client in enumerate(clients)
            ]
        )
    return links, answers


def faults_of_rounds(items: audit.Dump, answers: Sequence[Sequence[Answer]]) -> list[str]:
    """Return what is wrong with the answers of such rounds and with the table."""
    faults = [
        f"{won} of {len(round_)} clients got a booking"
        for round_ in answers
        if (won := sum(answer.status == 201 for answer in round_)) != 1
    ]
    return faults + audit.faults_in(items)
