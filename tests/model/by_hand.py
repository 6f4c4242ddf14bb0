"""Traces by hand: each call with each fault of its write, pairs of calls, and orders that are rarely generated."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Final

from tests.history.checker.specification import Link
from tests.history.interleavings.by_hand import make_link, steps
from tests.history.interleavings.stepped import SLOW, Fate, Stepped, Task, slot
from tests.model.traces import Trace, TracedStepped
from tests.support import audit

Scenario = Callable[[Stepped], None]
Setup = Callable[[Stepped], tuple[str, Link, str]]  # creates a link, its settings and a booking
Begin = Callable[[Stepped, str, Link, str], Task]  # begins a call about them


def record() -> list[Trace]:
    """Return a trace of each scenario."""
    return _traces([*_faults_and_races(), *_rare_orders()])


def record_orders(name: str) -> list[Trace]:
    """Return a trace of each order of requests that a function of this module with this name runs."""
    return _traces(scenario for scenario in _rare_orders() if _name_of(scenario) == f"_{name}")


def _name_of(scenario: Scenario) -> str:
    function = scenario.func if isinstance(scenario, partial) else scenario
    return str(getattr(function, "__name__", ""))


def _traces(scenarios: Iterable[Scenario]) -> list[Trace]:
    stepped = TracedStepped()
    traces = []
    for scenario in scenarios:
        stepped.begin()
        scenario(stepped)
        stepped.end()
        stepped.trace.steps = (str(scenario), *stepped.steps)
        traces.append(stepped.trace)
    return traces


def _used_link(stepped: Stepped, max_uses: int = 1) -> tuple[str, Link, str]:
    """Create a link whose uses are restored, and a booking without a key."""
    name, link = make_link(stepped, max_uses=max_uses, restore=True)
    stepped.finish(stepped.redeem(name, link, slot(1), "p0", None, "p0"))
    return name, link, stepped.calls[-1].result["booking"]


def _link_with_two_uses(stepped: Stepped) -> tuple[str, Link, str]:
    return _used_link(stepped, max_uses=2)


def _rolling_link(stepped: Stepped) -> tuple[str, Link, str]:
    stepped.finish(stepped.renew(stepped.event_types[1]))
    [(name, link)] = stepped.calls[-1].result["links"].items()
    return name, link, ""


def _redeem(stepped: Stepped, name: str, link: Link, _booking: str) -> Task:
    return stepped.redeem(name, link, slot(7 if link.rolling else 2), "p1", None, "p1")


def _cancel(stepped: Stepped, _name: str, _link: Link, booking: str) -> Task:
    return stepped.cancel(booking)


def _move(stepped: Stepped, _name: str, _link: Link, booking: str) -> Task:
    return stepped.move(booking, slot(3))


def _revoke(stepped: Stepped, name: str, _link: Link, _booking: str) -> Task:
    return stepped.revoke(name)


def _delete(stepped: Stepped, name: str, _link: Link, _booking: str) -> Task:
    return stepped.delete(name)


def _change(stepped: Stepped, name: str, _link: Link, _booking: str) -> Task:
    return stepped.limit(name, 3)


def _replace(stepped: Stepped, name: str, link: Link, _booking: str) -> Task:
    return stepped.replace(name, link)


def _renew(stepped: Stepped, _name: str, _link: Link, _booking: str) -> Task:
    return stepped.renew(stepped.event_types[1])


_CALLS: Final[Mapping[Setup, tuple[Begin, ...]]] = {
    _link_with_two_uses: (_redeem, _cancel, _move, _revoke, _delete, _change, _replace),
    _used_link: (_redeem, _cancel, _move, _revoke, _delete, _replace),
    _rolling_link: (_redeem, _replace, _renew),
}


def _faults_and_races() -> Iterator[Scenario]:
    for setup, calls in _CALLS.items():
        for begin in calls:
            for fate in (Fate.LOST, Fate.CRASH_AFTER, Fate.CRASH_BEFORE, Fate.REFUSED, Fate.CONFLICT):
                yield partial(_faulty_write, setup, begin, fate)
            yield from (partial(_race, setup, begin, other) for other in calls)


def _rare_orders() -> Iterator[Scenario]:
    for ending in ("move", "cancel"):
        for max_uses in (1, 2):
            yield from (partial(_own_booking, ending, max_uses, reads) for reads in range(3))
        yield partial(_own_booking_before_a_receipt, ending, max_uses=2, restore=False)
    yield partial(_own_booking_before_a_receipt, "cancel", max_uses=1, restore=True)
    for setup, begin in ((_used_link, _replace), (_rolling_link, _replace), (_rolling_link, _renew)):
        yield from (partial(_deleted_before_retry, setup, begin, is_old=is_old) for is_old in (True, False))
    for fate in (Fate.PARTLY, Fate.PARTLY_LAST):
        for key in (None, "k"):
            yield from (partial(_reads_in_parts, fate, key), partial(_looks_again_in_parts, fate, key))
    yield from (_move_to_another_day, _move_to_two_days, _move_after_a_restore)
    yield from (_expire_during_the_last_read, _replace_twice)


def _finish(stepped: Stepped, task: Task) -> None:
    if task in stepped.tasks:
        stepped.finish(task)


def _run_to_write(stepped: Stepped, task: Task) -> bool:
    """Run a task to its write, and return False if it ends before."""
    while task in stepped.tasks and task.waiting is not None and not task.waiting.writes:
        stepped.step(task)
    return task in stepped.tasks


def _faulty_write(setup: Setup, begin: Begin, fate: Fate, stepped: Stepped) -> None:
    """Run a call whose first write has a fault."""
    task = begin(stepped, *setup(stepped))
    if _run_to_write(stepped, task):
        stepped.step(task, fate)


def _race(setup: Setup, begin: Begin, other: Begin, stepped: Stepped) -> None:
    """Run a call between the last read and the write of another."""
    about = setup(stepped)
    first, second = begin(stepped, *about), other(stepped, *about)
    _run_to_write(stepped, first)
    stepped.finish(second)
    _finish(stepped, first)


def _redeem_with_lost_response(
    stepped: Stepped, max_uses: int, *, restore: bool
) -> tuple[str, Link, str, Task]:
    name, link = make_link(stepped, max_uses=max_uses, restore=restore)
    redeeming = stepped.redeem(name, link, slot(1), "p0", None, "p0")
    _run_to_write(stepped, redeeming)
    stepped.step(redeeming, Fate.LOST)
    [booking] = audit.bookings_of(stepped.dump())
    return name, link, booking, redeeming


def _end_booking(stepped: Stepped, booking: str, ending: str) -> Task:
    return stepped.move(booking, slot(2)) if ending == "move" else stepped.cancel(booking)


def _own_booking(ending: str, max_uses: int, reads: int, stepped: Stepped) -> None:
    """P4: the response of a redeem is lost, and the host changes the booking after some reads of its next attempt."""
    _, _, booking, redeeming = _redeem_with_lost_response(stepped, max_uses, restore=False)
    changing = _end_booking(stepped, booking, ending)
    for _ in range(reads):
        if redeeming in stepped.tasks:
            stepped.step(redeeming)
    stepped.finish(changing)
    _finish(stepped, redeeming)


def _own_booking_before_a_receipt(ending: str, stepped: Stepped, *, max_uses: int, restore: bool) -> None:
    """P4: as above, and an equal request by another caller books before the next attempt."""
    name, link, booking, redeeming = _redeem_with_lost_response(stepped, max_uses, restore=restore)
    stepped.finish(_end_booking(stepped, booking, ending))
    stepped.finish(stepped.redeem(name, link, slot(1), "p0", None, "other"))
    _finish(stepped, redeeming)


def _deleted_before_retry(setup: Setup, begin: Begin, stepped: Stepped, *, is_old: bool) -> None:
    """P3: the response of a replacement is lost, and the host deletes the new or the old link."""
    about = setup(stepped)
    old = set(audit.links_of(stepped.dump()))
    task = begin(stepped, *about)
    _run_to_write(stepped, task)
    stepped.step(task, Fate.LOST)
    [fresh] = set(audit.links_of(stepped.dump())) - old
    stepped.finish(stepped.delete(about[0] if is_old else fresh))
    _finish(stepped, task)


def _reads_in_parts(fate: Fate, key: str | None, stepped: Stepped) -> None:
    """P4: an equal request commits between the two parts of a redeem's first read."""
    name, link = make_link(stepped)
    redeeming = stepped.redeem(name, link, slot(1), "p0", key, "p0")
    stepped.step(redeeming, fate)
    stepped.finish(stepped.redeem(name, link, slot(1), "p0", key, "p0"))
    _finish(stepped, redeeming)


def _looks_again_in_parts(fate: Fate, key: str | None, stepped: Stepped) -> None:
    """P4: a redeem is refused, because the link is used, and looks again in two parts."""
    name, link = make_link(stepped)
    redeeming = stepped.redeem(name, link, slot(1), "p0", key, "p0")
    _run_to_write(stepped, redeeming)
    stepped.finish(stepped.redeem(name, link, slot(2), "p1", None, "p1"))
    for each in (Fate.DONE, fate):
        if redeeming in stepped.tasks:
            stepped.step(redeeming, each)
    _finish(stepped, redeeming)


def _move_to_another_day(stepped: Stepped) -> None:
    """P2: a booking moves over midnight and back, onto a cell that a redeem takes after the move has read the day."""
    _, _, booking = _used_link(stepped)
    stepped.finish(stepped.move(booking, slot(6)))
    moving = stepped.move(booking, slot(2))
    _run_to_write(stepped, moving)
    name, link = make_link(stepped)
    stepped.finish(stepped.redeem(name, link, slot(2), "p1", None, "p1"))
    stepped.finish(moving)


def _move_to_two_days(stepped: Stepped) -> None:
    """P2: the buffer of a booking is before midnight."""
    name, link, _ = _rolling_link(stepped)
    stepped.finish(stepped.redeem(name, link, slot(7), "p0", None, "p0"))
    stepped.finish(stepped.move(stepped.calls[-1].result["booking"], slot(5)))


def _move_after_a_restore(stepped: Stepped) -> None:
    """P8: a restored use is used again, and its booking is moved and cancelled."""
    name, link, booking = _used_link(stepped)
    stepped.finish(stepped.cancel(booking))
    stepped.finish(stepped.redeem(name, link, slot(1), "p1", "k", "p1"))
    booking = stepped.calls[-1].result["booking"]
    for start in (2, 3, 4, 2):
        stepped.finish(stepped.move(booking, slot(start), by_invitee=True))
    stepped.finish(stepped.cancel(booking))  # restores no other use, because of the limit
    stepped.finish(stepped.cancel(booking))
    stepped.finish(stepped.move(booking, slot(1)))


def _expire_during_the_last_read(stepped: Stepped) -> None:
    """P3: a link expires during the last read of a redeem, and the schedule marks it."""
    name, link = make_link(stepped, expires_in=SLOW)
    redeeming = stepped.redeem(name, link, slot(1), "p0", None, "p0")
    steps(stepped, redeeming, 1)
    stepped.step(redeeming, Fate.SLOW)
    _finish(stepped, redeeming)
    stepped.finish(stepped.expire())
    stepped.finish(stepped.revoke(name))


def _replace_twice(stepped: Stepped) -> None:
    """P8: a used link is replaced twice; both replacements restore uses."""
    name, link, _ = _used_link(stepped)
    for _ in range(2):
        stepped.finish(stepped.replace(name, link))
