"""What the interleavings once found wrong, step by step, so that it stays right."""

import pytest

from tests.history.account import unexplained
from tests.history.machine import Link
from tests.history.stepped import Stepped, Task, slot


@pytest.fixture
def stepped() -> Stepped:
    made = Stepped()
    made.begin()
    return made


def made_link(stepped: Stepped, most: int = 1) -> tuple[str, Link]:
    """Make a link of the short event type."""
    short = stepped.event_types[0]
    stepped.finish(stepped.make(short, Link(short.name, most=most, before=short.before, after=short.after)))
    [(name, link)] = stepped.calls[-1].told["links"].items()
    return name, link


def steps(stepped: Stepped, task: Task, count: int) -> None:
    for _ in range(count):
        assert stepped.step(task)


def test_a_move_pressed_twice_is_done_for_both(stepped: Stepped) -> None:
    """P8, P4: the second press reads the booking before the first is committed, and the day after."""
    name, link = made_link(stepped)
    stepped.finish(stepped.redeem(name, link, slot(1), "p0", None, "p0"))
    booking = stepped.calls[-1].told["booking"]
    first, second = stepped.move(booking, slot(2)), stepped.move(booking, slot(2))
    steps(stepped, second, 1)  # the booking, where it was

    stepped.finish(first)
    stepped.finish(second)

    assert [call.code for call in stepped.calls[-2:]] == ["200", "200"]
    assert unexplained(stepped.end()) == []


def test_a_move_to_a_time_that_is_taken_is_still_told_so(stepped: Stepped) -> None:
    """P2: looking again does not hide that somebody else has it."""
    for at in (1, 2):
        name, link = made_link(stepped)
        stepped.finish(stepped.redeem(name, link, slot(at), f"p{at}", None, "p"))
    booking = stepped.calls[-1].told["booking"]

    stepped.finish(stepped.move(booking, slot(1)))

    assert stepped.calls[-1].code == "409 slot-taken"


def test_a_replacement_has_the_settings_as_they_were_last_acknowledged(stepped: Stepped) -> None:
    """P1: fewer uses were allowed between a replacement's reads and its write; the fresh link has the fewer."""
    name, link = made_link(stepped, most=3)
    replacing, limiting = stepped.replace(name, link), stepped.limit(name, 2)
    steps(stepped, replacing, 2)  # the link and its event type, as they were

    stepped.finish(limiting)
    stepped.finish(replacing)

    assert [call.code for call in stepped.calls[-2:]] == ["200", "201"]
    [fresh] = stepped.calls[-1].told["links"].values()
    assert fresh.most == 2
    assert unexplained(stepped.end()) == []
