"""P5: GET, HEAD and OPTIONS change nothing, whatever scanner, mail filter or chat preview sends them."""

from functools import partial

from tests.support import audit
from tests.support.proof.harness import Client, Stage, codes_of, race, starts

SCANNERS = (
    {"User-Agent": "Mozilla/5.0 (compatible; Microsoft Outlook SafeLinks)", "Accept": "text/html,*/*;q=0.8"},
    {"User-Agent": "Slackbot-LinkExpanding 1.0", "Accept": "*/*", "Range": "bytes=0-32768"},
    {"User-Agent": "facebookexternalhit/1.1", "Accept": "text/html", "Purpose": "prefetch"},
    {"User-Agent": "curl/8", "Accept": "application/json", "X-HTTP-Method-Override": "POST"},
)


def test_concurrent_scanners_change_nothing(stage: Stage) -> None:
    """P5: GET, HEAD and OPTIONS on every URL of an active link, a used link and a booking.

    Each of the sixteen clients sends one method to each URL. Four clients are the same scanner, so each scanner sends
    each method to each URL.
    """
    event_type = stage.event_type(stage.host())
    live, used = stage.links(event_type, 2)
    booked = stage.new_client().redeem(used, starts(1)[0], "grace@example.com")
    page = booked.headers["location"].removeprefix("..").removeprefix("/..")
    booking_path = "/b/" + booked.json["url"].rpartition("/")[2]
    assert booking_path.endswith(page.rpartition("/")[2])
    paths = [
        f"/s/{live.token}",
        f"/s/{used.token}",
        f"/s/{live.token}?timeZone=Asia/Tokyo",
        f"/s/{live.token}/slots",
        f"/s/{live.token}/redeem",
        f"/s/{used.token}/redeem?start={starts(2)[1].isoformat().replace('+', '%2B')}",
        booking_path,
    ]
    before = stage.audited()

    def scan(client: Client, n: int) -> set[tuple[str, int]]:
        seen = set()
        for at in stage.random.sample(range(len(paths)), len(paths)):
            method = ("GET", "HEAD", "OPTIONS")[(at + n // len(SCANNERS)) % 3]
            answer = client.send(method, paths[at], headers=SCANNERS[n % len(SCANNERS)])
            seen.add((method, answer.status))
        return seen

    answers = set().union(*race([partial(scan, client, n) for n, client in enumerate(stage.clients())]))

    assert {status for method, status in answers if method == "OPTIONS"} == {204}
    assert {status for method, status in answers if method != "OPTIONS"} <= {200, 404, 405, 410}
    assert audit.differences(before, stage.dump()) == []
    assert codes_of([stage.new_client().redeem(live, starts(2)[1], "ada@example.com")]) == {"201": 1}


def test_a_post_without_a_slot_or_a_person_does_not_redeem(stage: Stage) -> None:
    """P5: a scanner may send POST requests with empty or incomplete bodies."""
    link = stage.link()
    before = stage.audited()
    path, start = f"/s/{link.token}/redeem", starts(1)[0].isoformat()
    person = {"name": "Grace", "email": "grace@example.com"}
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    bodies: list[tuple[object, dict[str, str]]] = [
        (None, {}),
        (b"", form),
        (b"start=", form),
        (b"invitee.name=Grace&invitee.email=grace%40example.com&timeZone=UTC", form),
        ({}, {}),
        ({"start": start, "timeZone": "UTC"}, {}),
        ({"timeZone": "UTC", "invitee": person}, {}),
        ({"start": start, "timeZone": "UTC", "invitee": {**person, "email": "nobody"}}, {}),
        ({"start": start, "timeZone": "UTC", "invitee": {**person, "name": ""}}, {}),
        ({"start": start, "timeZone": "UTC", "invitee": person, "surplus": 1}, {}),
    ]

    answers = [
        stage.new_client(n).send("POST", path, body, headers) for n, (body, headers) in enumerate(bodies)
    ]

    assert {answer.status for answer in answers} <= {400, 422}
    assert audit.differences(before, stage.dump()) == []
