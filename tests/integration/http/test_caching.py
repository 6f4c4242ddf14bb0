"""HTTP delivery: caching, HEAD, limits on the number of slots, and what a link preview shows."""

import re
from datetime import datetime, timedelta
from typing import Any, Final

import pytest

from chalicelib.api.routes import ROUTERS
from chalicelib.domain.event_types.slots import MAX_SLOTS
from tests.support.app import ALL_DAY, HTML, JSON, Caller, Site, at, created, ok, path_of, redeem_body

DESCRIPTION = "/v1/openapi.json"


# The API description


def test_the_description_is_cached_by_clients_and_built_once(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the description is unchanged, a client gets 304 and the server doesn't rebuild it."""
    first = site.client.get(DESCRIPTION)
    assert (first.status_code, first.headers["cache-control"]) == (200, "public, max-age=300")
    assert "Accept-Encoding" in first.headers["vary"]
    tag = first.headers["etag"]

    def never(*_: Any) -> Any:
        raise AssertionError("the description was built twice")

    monkeypatch.setattr("chalicelib.api.openapi.document.openapi", never)
    assert site.client.get(DESCRIPTION).content == first.content
    for tags in (tag, tag.removeprefix("W/"), f'"other", {tag}', "*"):
        kept = site.client.get(DESCRIPTION, headers={"If-None-Match": tags})
        assert (kept.status_code, kept.content, kept.headers["etag"]) == (304, b"", tag)
        assert kept.headers["cache-control"] == "public, max-age=300"
    for other in ('W/"other"', "", "x" * 5000, '"' + tag):
        assert site.client.get(DESCRIPTION, headers={"If-None-Match": other}).status_code == 200
    head = site.client.head(DESCRIPTION)
    assert (head.status_code, head.content, head.headers["etag"]) == (200, b"", tag)


def test_any_origin_may_read_the_description_but_nothing_else(site: Site, host: Caller) -> None:
    """The description is the only document that every origin may read; everything else needs a listed origin."""
    origin = {"Origin": "https://anyone.example"}
    answer = site.client.get(DESCRIPTION, headers=origin)
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in answer.headers
    response = site.client.options(DESCRIPTION, headers=origin | {"Access-Control-Request-Method": "GET"})
    assert response.headers["access-control-allow-origin"] == "*"
    assert "GET" in response.headers["access-control-allow-methods"]
    for path in ("/v1/me", path_of(host.link()), "/console"):
        assert "access-control-allow-origin" not in site.client.get(path, headers=origin | JSON).headers


def test_static_files_are_cached_as_immutable(site: Site) -> None:
    console = site.client.get("/console", headers=HTML).text
    for url in set(re.findall(r"assets/[^\"]+", console)):
        answer = site.client.get(f"/{url}")
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert answer.headers["vary"] == "Accept-Encoding"
    assert site.client.get("/assets/names.json").status_code == 404


# HEAD


def test_head_returns_the_headers_of_get_without_a_body(site: Site, host: Caller) -> None:
    """Every GET route of the team's API answers HEAD, as load balancers and link checkers expect."""
    link = host.link()
    given = {"linkId": link["linkId"], "eventTypeId": link["eventTypeId"], "hostId": host.host_id or ""}
    gets = {route.path for router in ROUTERS for route in router.routes if "GET" in route.methods}
    tried = 0
    for path in sorted(path for path in gets if path.startswith("/v1/")):
        url = re.sub(r"\{(\w+)\}", lambda name: given.get(name[1], "none"), path)
        got = host.get(url)
        head = site.client.head(url, headers={"Authorization": f"Bearer {host.key.secret}"})
        assert head.status_code == got.status_code, path
        assert head.content == b""
        assert head.headers.get("content-type") == got.headers.get("content-type")
        assert site.client.head(url).status_code == site.client.get(url).status_code
        tried += 1
    assert tried > 15


# Slots

DENSE: Final[dict[str, Any]] = {
    "durationMinutes": 5,
    "slotIntervalMinutes": 5,
    "schedule": ALL_DAY,
    "minimumNoticeMinutes": 0,
    "bookingWindowDays": 90,
}


def test_a_response_has_a_limited_number_of_slots_and_its_end(site: Site, host: Caller) -> None:
    """A response has at most 2,000 slots; the next request starts at its `to`."""
    dense = host.event_type(**DENSE)
    link = host.link(dense)
    begin, end = at(days=1), at(days=21)
    found: list[str] = []
    since, asked = begin, 0
    while since < end:
        page = ok(site.client.get(f"{path_of(link)}/slots", params={"from": since, "to": end}, headers=JSON))
        assert page["from"] == since
        assert len(page["slots"]) <= MAX_SLOTS
        assert all(since <= slot["start"] < page["to"] for slot in page["slots"])
        found += [slot["start"] for slot in page["slots"]]
        since, asked = page["to"], asked + 1
    assert (asked, since) == (3, end)
    assert len(found) == len(set(found)) == 20 * 288
    assert found == sorted(found)
    whole = ok(
        site.client.get(f"{path_of(link)}/slots", params={"from": begin, "to": at(days=2)}, headers=JSON)
    )
    assert (whole["to"], len(whole["slots"])) == (at(days=2), 288)


def test_slots_for_a_move_are_limited_and_exclude_the_bookings_own(site: Site, host: Caller) -> None:
    dense = host.event_type(**DENSE)
    booked = created(site.redeem(host.link(dense), at(days=1, minutes=10)))
    path = "/b/" + booked["url"].rpartition("/")[2] + "/slots"
    page = ok(site.client.get(path, params={"from": at(days=1), "to": at(days=30)}, headers=JSON))
    starts = [slot["start"] for slot in page["slots"]]
    assert len(starts) == MAX_SLOTS
    assert booked["start"] not in starts
    assert datetime.fromisoformat(page["to"]) - datetime.fromisoformat(at(days=1)) == timedelta(
        minutes=5 * (MAX_SLOTS + 1)
    )


# The preview that a chat shows for a link


@pytest.mark.parametrize(
    ("language", "title"),
    [
        ("en", "Book a time"), ("de", "Termin buchen"), ("es", "Reservar una hora"),
        ("fr", "Réserver un créneau"), ("ja", "日時の予約"),
    ],
)  # fmt: skip
def test_a_preview_reveals_nothing_and_consumes_no_use(
    site: Site, host: Caller, language: str, title: str
) -> None:
    """P5, P7: the preview of a pasted link, which a whole channel sees, reveals nothing about it."""
    event_type = host.event_type(title="Xylophone lesson")
    link = host.link(event_type, recipient={"name": "Grace", "email": "grace@invitees.example"})
    booked = created(
        site.client.post(f"{path_of(host.link(event_type))}/redeem", json=redeem_body(at(days=1)))
    )
    slack = HTML | {"User-Agent": "Slackbot-LinkExpanding 1.0", "Accept-Language": language}
    for path in (path_of(link), "/b/" + booked["url"].rpartition("/")[2], "/s/none"):
        page = site.client.get(path, headers=slack).text
        tags = dict(re.findall(r'<meta property="(og:\w+)" content="([^"]*)">', page))
        assert tags["og:title"] == title
        shown = " ".join(tags.values()) + "".join(
            re.findall(r'<meta name="description" content="([^"]*)">', page)
        )
        assert not re.search("Xylophone|Grace|Ada|/s/|/b/", shown)
        assert set(tags) == {"og:title", "og:description"}
    assert host.reread(link)["usageCount"] == 0
