"""Sharing a link, and embedding its page on the sites that the operator lists (P5, P7, P9)."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any, Final
from urllib.parse import urljoin
from xml.etree import ElementTree as ET

import httpx
import pytest
import segno

from chalicelib import bootstrap
from chalicelib.domain.ids import LINK
from chalicelib.settings import read_settings
from tests.support.app import (
    HTML,
    Caller,
    Site,
    assert_problem,
    at,
    created,
    ok,
    path_of,
    unknown_id,
)

ORIGINS: Final = "https://www.example.com https://*.example.org:8443"
NOBODY: Final = "frame-ancestors 'none'"
KEY: Final = re.compile(r'(?<=name="idempotencyKey" value=")[0-9a-f]+')
SVG: Final = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def embedding(site: Site) -> Iterator[None]:
    """Allow two origins to embed booking pages."""
    del site
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FRAME_ANCESTORS", ORIGINS)
        bootstrap.forget()
        yield
    bootstrap.forget()


def ancestors(response: httpx.Response) -> str:
    """Return a response's `frame-ancestors` directive."""
    (found,) = re.findall(r"frame-ancestors [^;]*", response.headers["content-security-policy"])
    return str(found)


def share(caller: Caller, link: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = ok(caller.get(f"/v1/links/{link['linkId']}/share"))
    return answer


def modules(svg: str) -> list[list[bool]]:
    """Return the dark modules that an SVG's path draws, without the quiet zone."""
    (path,) = [p for p in ET.fromstring(svg).iter(f"{SVG}path") if p.get("stroke")]  # noqa: S314 - our own
    dark: set[tuple[int, int]] = set()
    x, y = 0, 0
    for command, dx, dy in re.findall(r"([Mmh])\s?(-?[0-9.]+)(?:[ ,]?(-?[0-9.]+))?", path.get("d", "")):
        if command == "h":
            dark |= {(x + step, y) for step in range(int(dx))}
            x += int(dx)
        elif command == "M":
            x, y = int(dx), int(float(dy))
        else:
            x, y = x + int(dx), y + int(float(dy or 0))
    side = max(x for x, _ in dark) + 1
    return [[(x, y) in dark for x in range(4, side)] for y in range(4, side)]


class Page(HTMLParser):
    """A page's links, and its forms with their fields."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.forms: list[tuple[dict[str, str], dict[str, str]]] = []
        self.base: dict[str, str] = {}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if tag == "a":
            self.links.append(found["href"])
        elif tag == "base":
            self.base = found
        elif tag == "form":
            self.forms.append((found, {}))
        elif tag == "input" and found.get("type") == "hidden":
            self.forms[-1][1][found["name"]] = found["value"]


# The response


def test_a_share_has_a_url_a_qr_code_and_an_email_text(host: Caller) -> None:
    link = host.link(host.event_type(title="Intro <call>"))

    found = share(host, link)

    assert set(found) == {"url", "embedHtml", "qrSvg", "mail"}
    assert found["url"] == link["url"]
    assert found["embedHtml"] is None  # no origin may embed it
    assert found["mail"] == {
        "subject": "Pick a time: Intro <call>",
        "text": (
            "Hello,\n\n"
            "Please pick a time for Intro <call> (30 minutes):\n\n"
            f"{link['url']}\n\n"
            "This private link is good for one booking.\n\n"
            "Best wishes,\nAda Lovelace\n"
        ),
    }


def test_the_email_text_has_the_recipient_and_the_dates_with_time_zone(host: Caller) -> None:
    event_type = host.event_type(schedule={"timeZone": "Europe/Berlin", "weekly": []})
    link = host.link(
        event_type,
        recipient={"name": "Grace Hopper", "email": "grace@invitees.example", "enforce": "domain"},
        expiresAt="2040-07-01T16:00:00Z",
        notBefore="2040-01-03T08:00:00Z",
        maxUsageCount=3,
        overrides={"title": "Deep  dive", "durationMinutes": 90},
    )

    mail = share(host, link)["mail"]

    assert mail["subject"] == "Pick a time: Deep dive"
    assert mail["text"].startswith(
        "Hello Grace Hopper,\n\nPlease pick a time for Deep dive (1 hour 30 minutes):\n\n"
    )
    assert (
        "This private link is good for 3 bookings from Tuesday 3 January 2040, 09:00 (Central European Time, UTC+1) "
        "until Sunday 1 July 2040, 18:00 (Central European Time, UTC+2). "
        "Please book with your address at invitees.example.\n"
    ) in mail["text"]


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"maxUsageCount": None}, None),
        ({"maxUsageCount": None, "expiresAt": at(days=1)}, "is good until Tuesday"),
        ({"recipient": {"email": "g@x.example", "enforce": "email"}}, "email address that this was sent to"),
        ({"recipient": {"email": "g@x.example"}}, "for one booking"),
    ],
)
def test_the_email_text_mentions_only_limits_that_apply(
    host: Caller, fields: dict[str, Any], says: str | None
) -> None:
    text = share(host, host.link(**fields))["mail"]["text"]

    assert text.startswith("Hello,\n\n")
    assert says in text if says else "private link" not in text
    assert "g@x.example" not in text


def test_the_qr_code_encodes_the_url(host: Caller) -> None:
    """The SVG's modules are compared with segno's; segno's own output was checked with another QR reader."""
    link = host.link(host.event_type(title='"<Talk> & more'))

    svg = host.get(f"/v1/links/{link['linkId']}/qr.svg")

    assert svg.status_code == 200
    assert svg.headers["content-type"] == "image/svg+xml; charset=utf-8"
    assert svg.headers["cache-control"] == "no-store"  # the token is in it (P7)
    assert svg.text == share(host, link)["qrSvg"]
    root = ET.fromstring(svg.text)  # noqa: S314 - our own
    assert root.tag == f"{SVG}svg"
    assert root.get("aria-label") == 'QR code: "<Talk> & more'
    assert root.get("viewBox") == f"0 0 {root.get('width')} {root.get('height')}"
    matrix = segno.make_qr(link["url"], error="m").matrix
    assert modules(svg.text) == [[bool(module) for module in row] for row in matrix]


@pytest.mark.parametrize("path", ["share", "qr.svg"])
def test_a_dead_link_is_not_shared(site: Site, host: Caller, path: str) -> None:
    used, revoked, expired = host.link(), host.link(), host.link(expiresAt=at(hours=1))
    assert site.redeem(used, at(days=1)).status_code == 201
    host.post(f"/v1/links/{revoked['linkId']}/revoke")
    site.clock.advance(hours=1)
    archived = host.link()
    unmarked = site.item(f"LINK#{archived['linkId']}", "LINK")
    host.delete(f"/v1/event-types/{archived['eventTypeId']}", params={"revokeLinks": "true"})
    assert unmarked
    site.put(unmarked)  # archiving revokes one link after another; this link is not revoked yet

    for link, word in ((used, "used"), (revoked, "revoked"), (expired, "expired"), (archived, "deleted")):
        problem = assert_problem(host.get(f"/v1/links/{link['linkId']}/{path}"), 409, "conflict")
        assert word in problem["detail"]


@pytest.mark.parametrize("path", ["share", "qr.svg"])
def test_another_hosts_link_and_a_deleted_one_are_not_found(host: Caller, other: Caller, path: str) -> None:
    """P9: the response is the same as for an unknown link."""
    gone = host.link()
    host.delete(f"/v1/links/{gone['linkId']}")
    for link_id in (other.link()["linkId"], gone["linkId"], unknown_id(LINK), "%00", "x" * 2000):
        assert_problem(host.get(f"/v1/links/{link_id}/{path}"), 404, "not-found")


def test_sharing_changes_nothing(site: Site, host: Caller) -> None:
    """P5: both requests are GETs, so the table stays the same."""
    link = host.link()
    before = site.items()

    share(host, link)
    host.get(f"/v1/links/{link['linkId']}/qr.svg")

    assert site.items() == before


# Embedding


@pytest.mark.usefixtures("embedding")
def test_the_embed_snippet_frames_the_links_page(site: Site, host: Caller) -> None:
    link = host.link(host.event_type(title='"><script>alert(1)</script>'))

    snippet = share(host, link)["embedHtml"]

    frame = ET.fromstring(snippet)  # noqa: S314 - our own; parsing fails if the title breaks out of its attribute
    assert (frame.tag, frame.get("src"), len(frame)) == ("iframe", link["url"] + "?embed=1", 0)
    assert frame.get("title") == 'Book: "><script>alert(1)</script>'
    page = site.visit(link, headers=HTML, params={"embed": "1"})
    assert (page.status_code, ancestors(page)) == (200, f"frame-ancestors {ORIGINS}")


@pytest.mark.usefixtures("embedding")
def test_without_embed_1_no_page_may_be_framed(site: Site, host: Caller) -> None:
    link = host.link()
    for params in ({}, {"embed": "0"}, {"embed": "true"}, {"embed": ""}):
        assert ancestors(site.visit(link, headers=HTML, params=params)) == NOBODY


def test_embed_1_changes_nothing_if_no_origin_is_listed(site: Site, host: Caller) -> None:
    link = host.link()

    plain = site.visit(link, headers=HTML)
    response = site.visit(link, headers=HTML, params={"embed": "1"})

    assert ancestors(response) == NOBODY
    # Each rendered form has its own idempotency key.
    assert KEY.sub("", response.text) == KEY.sub("", plain.text)
    assert "embed" not in response.text


@pytest.mark.usefixtures("embedding")
def test_every_page_of_a_booking_stays_in_the_frame(site: Site, host: Caller) -> None:
    """Without JavaScript: follow every link, post every form, make an error, then book."""
    link = host.link()
    here = f"{path_of(link)}?embed=1"
    page = Page(site.client.get(here, headers=HTML).text)
    (booking,) = page.forms
    zones = Page(
        site.client.get(
            urljoin(here, page.links[0]), headers=HTML
        ).text  # the link to the choice of a time zone
    ).forms[0]

    # A GET form drops the query of its action, so the time zone's form needs `embed` as a field.
    assert zones[0]["method"] == "get"
    assert zones[1]["embed"] == "1"
    assert page.links
    for href in page.links:
        if not href.startswith("#"):
            other_dates = site.client.get(urljoin(here, href), headers=HTML)
            assert ancestors(other_dates) == f"frame-ancestors {ORIGINS}"
    action = urljoin(here, booking[0]["action"])
    wrong = site.client.post(action, data={"start": at(days=1), "timeZone": "UTC"}, headers=HTML)
    assert (wrong.status_code, ancestors(wrong)) == (422, f"frame-ancestors {ORIGINS}")
    assert urljoin(action, Page(wrong.text).forms[0][0]["action"]) == action

    form = {"start": at(days=1), "timeZone": "UTC", "invitee.name": "Grace", "invitee.email": "g@x.example"}
    booked = site.client.post(action, data=form, headers=HTML)
    assert booked.status_code == 303
    confirmation = site.client.get(urljoin(action, booked.headers["location"]), headers=HTML)

    assert (confirmation.status_code, ancestors(confirmation)) == (200, f"frame-ancestors {ORIGINS}")
    assert "You’re booked" in confirmation.text
    # From here on links open in a new tab, where people see the address and can keep it; it can't be framed.
    last = Page(confirmation.text)
    assert last.base == {"target": "_blank"}
    assert last.forms == []
    own = urljoin(str(confirmation.url), last.links[-1])
    assert "embed" not in "".join(last.links)
    alone = site.client.get(own, headers=HTML)
    assert (alone.status_code, ancestors(alone)) == (200, NOBODY)
    assert Page(alone.text).base == {}


@pytest.mark.usefixtures("embedding")
def test_errors_of_dead_and_unknown_links_are_shown_in_the_frame(site: Site, host: Caller) -> None:
    """Otherwise the frame would stay blank."""
    link = host.link()
    host.post(f"/v1/links/{link['linkId']}/revoke")
    for path, status in ((path_of(link), 410), (f"/s/{'x' * 36}", 404)):
        page = site.client.get(f"{path}?embed=1", headers=HTML)
        assert (page.status_code, ancestors(page)) == (status, f"frame-ancestors {ORIGINS}")
    posted = site.client.post(f"{path_of(link)}/redeem?embed=1", data={"start": at(days=1)}, headers=HTML)
    assert (posted.status_code, ancestors(posted)) == (410, f"frame-ancestors {ORIGINS}")


@pytest.mark.usefixtures("embedding")
def test_requesting_a_new_link_stays_in_the_frame(site: Site, host: Caller) -> None:
    link = host.link()
    host.post(f"/v1/links/{link['linkId']}/revoke")
    here = f"{path_of(link)}?embed=1"
    ((form, _),) = Page(site.client.get(here, headers=HTML).text).forms
    action = urljoin(here, form["action"])

    wrong = site.client.post(action, data={"email": "nobody"}, headers=HTML)
    response = site.client.post(action, data={"email": "g@x.example"}, headers=HTML)

    assert [answer.status_code for answer in (wrong, response)] == [422, 202]
    assert {ancestors(answer) for answer in (wrong, response)} == {f"frame-ancestors {ORIGINS}"}
    assert "on its way" in response.text


@pytest.mark.usefixtures("embedding")
def test_embed_1_does_not_change_json(site: Site, host: Caller) -> None:
    link = host.link()
    path = path_of(link)

    assert "title" in ok(site.client.get(f"{path}?embed=1", headers={"Accept": "application/json"}))
    booking = created(
        site.client.post(
            f"{path}/redeem?embed=1",
            json={"start": at(days=1), "timeZone": "UTC", "invitee": {"name": "G", "email": "g@x.example"}},
        )
    )
    assert "embed" not in booking["url"]


# The setting


BARE: Final = {"TABLE_NAME": "t", "SIGNING_KEYS": "k"}


@pytest.mark.parametrize(
    ("text", "origins"),
    [
        ("", ()),
        ("  ", ()),
        ("https://www.example.com", ("https://www.example.com",)),
        (ORIGINS, tuple(ORIGINS.split())),
        (
            "http://localhost:3000\nhttps://xn--bcher-kva.example",
            ("http://localhost:3000", "https://xn--bcher-kva.example"),
        ),
    ],
)
def test_frame_ancestors_are_read_from_the_setting(text: str, origins: tuple[str, ...]) -> None:
    assert read_settings(BARE | {"FRAME_ANCESTORS": text}).frame_ancestors == origins


@pytest.mark.parametrize(
    "text",
    [
        "*",
        "'self'",
        "'unsafe-inline'",
        "https:",
        "www.example.com",
        "https://www.example.com/",
        "https://www.example.com/page",
        "https://a.example;script-src *",
        "https://a.example,https://b.example",
        "https://user@a.example",
        "https://*",
        "https://a.*.example",
        "javascript://a.example",
        "https://a.example:port",
        "https://bücher.example",
        "https://a.example\x00",
        "data://a",
    ],
)
def test_an_invalid_origin_is_a_setting_error(text: str) -> None:
    """A typo in the setting must not add a directive to the policy."""
    with pytest.raises(RuntimeError, match="FRAME_ANCESTORS"):
        read_settings(BARE | {"FRAME_ANCESTORS": f"https://fine.example {text}"})
