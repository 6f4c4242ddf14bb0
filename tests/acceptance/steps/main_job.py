"""The main job, and races for links and for a slot."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Final

from tests.acceptance.run import Run, code_of, redeem_body
from tests.support.proof.harness import Link, race, starts

_HOSTS: Final = 4
_SLOTS_A_LINK: Final = 4


def main_job(run: Run) -> Iterator[str]:
    """Open a link, book it, fail to book it again, move and cancel the booking."""
    event_type = run.event_type(run.host(), minutes=30)
    [link] = run.make_links(event_type)
    path = f"/s/{link.token}"
    page = run.send("GET", path, headers={"Accept": "text/html"}, what="page")
    assert page.status_code == 200, code_of(page)
    assert "text/html" in page.headers["content-type"]
    assert run.send("HEAD", path).status_code == 200
    slots = run.send("GET", f"{path}/slots", what="slots").json()["slots"]
    assert slots, "no slot is offered"
    yield f"the page opens, and offers {len(slots)} slots; opening it used nothing"
    body = {**redeem_body(starts(1)[0]), "start": slots[0]["start"]}
    booked = run.send("POST", f"{path}/redeem", json=body, what="redeem")
    assert booked.status_code == 201, code_of(booked)
    again = run.send("POST", f"{path}/redeem", json={**body, "start": slots[1]["start"]}, what="redeem")
    assert code_of(again) == "410 link-used", code_of(again)
    yield "one booking; the second POST: 410 link-used"
    own = f"/b/{booked.json()['url'].rpartition('/')[2]}"
    run.secrets.append(own.rpartition("/")[2])
    file = run.send("GET", f"{own}/invite.ics", headers={"Accept": "text/calendar"})
    assert file.status_code == 200, code_of(file)
    assert "BEGIN:VCALENDAR" in file.text
    moved = run.send("POST", f"{own}/reschedule", json={"start": slots[2]["start"]}, what="move")
    assert moved.status_code == 200, code_of(moved)
    cancelled = run.send("POST", f"{own}/cancel", json={}, what="cancel")
    assert cancelled.status_code == 200, code_of(cancelled)
    yield "the booking has a calendar file, was moved, and was cancelled"


def races(run: Run) -> Iterator[str]:
    """Race clients for each link: they are different people who compete for four slots."""
    hosts = min(_HOSTS, run.links)
    event_types = [run.event_type(run.host()) for _ in range(hosts)]
    slots = starts((run.links // hosts + 1) * _SLOTS_A_LINK)
    codes: Counter[str] = Counter()
    for number, event_type in enumerate(event_types):
        count = run.links // hosts + (number < run.links % hosts)
        for place, link in enumerate(run.make_links(event_type, count)):
            mine = slots[place * _SLOTS_A_LINK :][:_SLOTS_A_LINK]
            answers = race(
                [partial(run.redeem, link, mine[n % _SLOTS_A_LINK], number=n) for n in range(run.clients)]
            )
            found = Counter(map(code_of, answers))
            assert found["201"] == 1, f"{link.link_id} gave {found['201']} bookings: {dict(found)}"
            assert set(found) <= {"201", "410 link-used", "409 slot-taken"}, dict(found)
            codes += found
    yield f"{run.links} links, {run.clients} clients each: {_listed(codes)}"


def one_slot(run: Run) -> Iterator[str]:
    """Race 16 people with a link each for the same time of one host."""
    event_type = run.event_type(run.host())
    links = run.make_links(event_type, run.clients)
    start = starts(1)[0]
    codes = Counter(
        map(code_of, race([partial(run.redeem, link, start, number=n) for n, link in enumerate(links)]))
    )
    assert codes == {"201": 1, "409 slot-taken": run.clients - 1}, dict(codes)
    won = [each for each in links if _is_used(run, each)]
    assert len(won) == 1, f"{len(won)} links are used"
    yield f"{run.clients} links, one slot: {_listed(codes)}; one link is used"
    later = run.redeem(next(each for each in links if each != won[0]), start + timedelta(hours=1))
    assert later.status_code == 201, code_of(later)
    yield "a link that met a taken slot still books another one"


def _is_used(run: Run, link: Link) -> bool:
    return bool(run.team("GET", f"/v1/links/{link.link_id}")["status"] == "used")


def _listed(codes: Counter[str]) -> str:
    return ", ".join(f"{count} × {code}" for code, count in sorted(codes.items()))
