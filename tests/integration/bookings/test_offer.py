"""`GET /s/{token}` as a page or JSON: protective headers on every response, clear pages for dead links (P5, P7)."""

import html
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, ClassVar, Final

import httpx
import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from chalicelib.domain.links.link import LinkStatus
from chalicelib.pages.languages import language_of, words
from tests.support.app import (
    ALL_DAY,
    BASE_URL,
    EVERY_DAY,
    HTML,
    JSON,
    NOW,
    Caller,
    Site,
    assert_problem,
    at,
    created,
    forged,
    ok,
    path_of,
    token_of,
    unknown_id,
    without_correlation,
)

PAGE: Final = "text/html; charset=utf-8"
BROWSER: Final = (
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,"
    "application/signed-exchange;v=b3;q=0.7"
)
# A dead link's page must not reveal the host, the event type, the recipient or the location.
SECRETS: Final = (
    "Zebedee",
    "Quark",
    "zeb@hosts.example",
    "Xylophone",
    "Gretchen",
    "gretchen@",
    "Walrus",
    "hst_",
    "ety_",
)


@pytest.fixture
def host(site: Site) -> Caller:
    """Create a host whose names can't be on a page by chance."""
    return site.host(name="Zebedee Aardvark", publicName="Dr. Quark", email="zeb@hosts.example")


@pytest.fixture
def event_type(host: Caller) -> dict[str, Any]:
    return host.event_type(
        title="Xylophone lesson",
        description="Bring your own Xylophone",
        locations=[{"kind": "in_person", "detail": "Walrus Street 1", "showBeforeBooking": True}],
    )


@pytest.fixture
def dead(site: Site, host: Caller, event_type: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Create dead links, by reason."""
    recipient = {"name": "Gretchen", "email": "gretchen@invitees.example"}
    names = ("used", "expired", "revoked", "deleted")
    links = dict(
        zip(names, host.links(event_type, count=4, expiresAt=at(hours=3), recipient=recipient), strict=True)
    )
    created(site.redeem(links["used"], at(days=1)))
    ok(host.post(f"/v1/links/{links['revoked']['linkId']}/revoke"))
    assert host.delete(f"/v1/links/{links['deleted']['linkId']}").status_code == 204
    site.clock.advance(hours=3)
    return links


def assert_invitee_headers(response: httpx.Response) -> None:
    """Check the headers that every response must have for browsers, caches and crawlers."""
    headers = response.headers
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-robots-tag"] == "noindex, nofollow"
    assert headers["cache-control"] == "no-store"
    assert headers["vary"] == "Accept, Accept-Language"
    assert headers["x-content-type-options"] == "nosniff"
    policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["connect-src"] == policy["style-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert policy["form-action"] == "'self'"
    assert "unsafe" not in headers["content-security-policy"]
    assert "*" not in headers["content-security-policy"]


class TestNegotiation:
    """The response is HTML if `Accept` prefers it, as browsers do; otherwise JSON, which generated clients need."""

    @pytest.mark.parametrize(
        ("accept", "kind"),
        [
            (None, "application/json"),
            ("*/*", "application/json"),
            ("text/html", PAGE),
            ("text/html, */*", PAGE),
            ("application/json, text/html", PAGE),
            ("text/*", PAGE),
            (BROWSER, PAGE),
            ("TEXT/HTML", PAGE),
            ("application/json;q=0.5, text/html;q=0.9", PAGE),
            ("application/json;q=0, */*", PAGE),
            ("image/png", "application/json"),
            ("", "application/json"),
            ("text/html;q=0.8, */*", "application/json"),
            ("application/json", "application/json"),
            ("Application/JSON", "application/json"),
            ("application/*", "application/json"),
            ("application/json, text/plain, */*", "application/json"),
            ("text/html;q=0.5, application/json;q=0.9", "application/json"),
            ("text/html;q=0.5,application/json", "application/json"),
            ("*/*, text/html;q=0.1", "application/json"),
            ("text/html;q=0, */*;q=0.1", "application/json"),
            ("application/json; charset=utf-8", "application/json"),
        ],
    )
    def test_accept_decides_between_html_and_json(
        self, site: Site, host: Caller, event_type: dict[str, Any], accept: str | None, kind: str
    ) -> None:
        link = host.link(event_type)
        booking = created(site.redeem(host.link(event_type), at(days=1)))
        for path in (path_of(link), booking["url"].removeprefix(BASE_URL)):
            request = site.client.build_request("GET", path)
            del request.headers["accept"]
            if accept is not None:
                request.headers["Accept"] = accept

            response = site.client.send(request)

            assert (response.status_code, response.headers["content-type"]) == (200, kind)
            assert_invitee_headers(response)

    def test_a_very_long_accept_header_is_handled(self, site: Site, host: Caller) -> None:
        response = site.visit(host.link(), headers={"Accept": "a/b;q=0.1," * 5000 + "application/json"})

        assert response.status_code in {200, 431}


class TestHeaders:
    def test_every_response_has_the_protective_headers(
        self, site: Site, host: Caller, event_type: dict[str, Any], dead: dict[str, dict[str, Any]]
    ) -> None:
        live, soon = host.link(event_type), host.link(event_type, notBefore=at(days=3))
        redeem, form = f"{path_of(live)}/redeem", {"Content-Type": "application/x-www-form-urlencoded"}
        json_type = {"Content-Type": "application/json"}
        asked: list[tuple[int, str, str, dict[str, Any]]] = [
            (200, "GET", path_of(live), {}),
            (200, "HEAD", path_of(live), {}),
            (200, "GET", f"{path_of(live)}/slots", {}),
            (400, "GET", f"{path_of(live)}/slots?from=x", {}),
            (422, "GET", f"{path_of(live)}/slots?to={at(days=-1)}", {}),
            (403, "GET", path_of(soon), {}),
            *((410, method, path_of(link), {}) for link in dead.values() for method in ("GET", "HEAD")),
            (404, "GET", "/s/forged", {}),
            (404, "GET", "/b/forged", {}),
            (404, "GET", "/s/forged/slots", {}),
            (404, "POST", "/s/forged/redeem", {"data": {"start": at(days=2)}}),
            (400, "POST", redeem, {"content": b"{", "headers": json_type}),
            (400, "POST", redeem, {"content": b"colour=red", "headers": form}),
            (422, "POST", redeem, {"content": b"", "headers": form}),
            (415, "POST", redeem, {"content": b"", "headers": {"Content-Type": "text/plain"}}),
            (413, "POST", redeem, {"content": b"a" * 70_000, "headers": json_type}),
        ]
        for status, method, path, kwargs in asked:
            for accept in (HTML, JSON):
                response = site.client.request(
                    method, path, **(kwargs | {"headers": kwargs.get("headers", {}) | accept})
                )
                assert response.status_code == status, (method, path, accept, response.text)
                assert_invitee_headers(response)
        body = {
            "start": at(days=2),
            "timeZone": "UTC",
            "invitee.name": "G",
            "invitee.email": "g@invitees.example",
        }
        booked = site.client.post(redeem, data=body, headers=HTML)
        assert booked.status_code == 303
        assert_invitee_headers(booked)
        page = site.client.get(
            str(httpx.URL(f"http://x{redeem}").join(booked.headers["location"]).raw_path, "ascii")
        )
        assert page.status_code == 200
        assert_invitee_headers(page)

    def test_pages_obey_the_content_security_policy_and_have_no_detailed_preview(
        self, site: Site, host: Caller, event_type: dict[str, Any], dead: dict[str, dict[str, Any]]
    ) -> None:
        """Pages have no inline script or style, load nothing from other sites, and have no detailed preview tags."""
        pages = [site.visit(host.link(event_type), headers=HTML), site.visit(dead["used"], headers=HTML)]

        for page in pages:
            ours = r'<script type="module" src="\.\./assets/invitee\.[0-9a-f]{8}\.js"></script>'
            shown = re.sub(ours, "", page.text)
            assert shown != page.text
            assert not re.search(r"<script|<style|\sstyle=|\son[a-z]+=|javascript:", shown, re.IGNORECASE)
            assert not re.search(r"""(?:src|href)=["']?(?:https?:)?//""", page.text)
            assert not re.search(r"og:(?!title|description)|twitter:|application/ld\+json", page.text)
            (style,) = re.findall(r'rel="stylesheet" href="([^"]+)"', page.text)
            path = httpx.URL(f"http://x{path_of(dead['used'])}").join(style).path
            css = site.client.get(path)
            assert (css.status_code, css.headers["content-type"]) == (200, "text/css; charset=utf-8")
            assert "immutable" in css.headers["cache-control"]

    @pytest.mark.parametrize("accept", [HTML, JSON], ids=["html", "json"])
    def test_head_returns_the_headers_of_get_without_a_body(
        self,
        site: Site,
        host: Caller,
        event_type: dict[str, Any],
        dead: dict[str, dict[str, Any]],
        accept: Any,
    ) -> None:
        link = host.link(event_type)
        booking = created(site.redeem(host.link(event_type), at(days=1, hours=4)))
        for path in (
            *(path_of(link), f"{path_of(link)}/slots", booking["url"].removeprefix(BASE_URL)),
            *(path_of(dead["revoked"]), "/s/forged", "/b/forged", f"{path_of(link)}/slots?from=x"),
        ):
            got, head = site.client.get(path, headers=accept), site.client.head(path, headers=accept)

            assert (head.status_code, head.content) == (got.status_code, b""), path
            of_its_own = {"date", "content-length", "x-correlation-id"}
            assert {k: v for k, v in head.headers.items() if k not in of_its_own} == {
                k: v for k, v in got.headers.items() if k not in of_its_own
            }, path


class TestReadsConsumeNoUse:
    """P5: GET, HEAD and OPTIONS do not consume a use; only a POST to `/redeem` books."""

    def test_link_scanners_consume_no_use(self, site: Site, host: Caller, event_type: dict[str, Any]) -> None:
        link = host.link(event_type)
        before = site.item(f"LINK#{link['linkId']}", "LINK")

        for method in ("GET", "HEAD", "OPTIONS"):
            for path in ("", "/slots", "/redeem", "/redeem?start=" + at(days=1)):
                for accept in (HTML, JSON):
                    site.client.request(method, path_of(link) + path, headers=accept)
        for method in ("PUT", "DELETE", "PATCH"):
            assert site.client.request(method, f"{path_of(link)}/redeem").status_code == 405
        assert site.client.post(path_of(link), json={}).status_code == 405

        assert site.item(f"LINK#{link['linkId']}", "LINK") == before
        assert host.reread(link) == link


class TestDead:
    """A dead link's page says only why the link is dead; every guessed token gets the same 404."""

    WORDS: Final = {
        "used": "This link has been used",
        "expired": "This link has expired",
        "revoked": "This link is no longer active",
        "deleted": "This link no longer exists",
    }

    @pytest.mark.parametrize("why", list(WORDS))
    def test_a_dead_link_is_410_with_its_reason(
        self, site: Site, dead: dict[str, dict[str, Any]], why: str
    ) -> None:
        link = dead[why]
        page, problem = site.visit(link, headers=HTML), site.visit(link, headers=JSON)

        assert (page.status_code, page.headers["content-type"]) == (410, PAGE)
        assert self.WORDS[why] in page.text
        assert_problem(problem, 410, f"link-{why}")
        assert_problem(site.client.get(f"{path_of(link)}/slots", headers=JSON), 410, f"link-{why}")
        assert_problem(site.redeem(link, at(days=2)), 410, f"link-{why}")
        form = {
            "start": at(days=2),
            "timeZone": "UTC",
            "invitee.name": "G",
            "invitee.email": "g@invitees.example",
        }
        posted = site.client.post(f"{path_of(link)}/redeem", data=form, headers=HTML)
        assert (posted.status_code, posted.headers["content-type"]) == (410, PAGE)
        assert self.WORDS[why] in posted.text
        for answer in (page, problem, posted):
            assert not [secret for secret in SECRETS if secret in answer.text]
        assert token_of(link) not in problem.text
        # the page has the token only in the action of its own form
        assert set(re.findall(rf'[^"]*{token_of(link)}[^"]*', page.text)) <= {f"..{path_of(link)}/request"}

    def test_a_link_that_is_not_open_yet_is_403_with_the_time(
        self, site: Site, host: Caller, event_type: dict[str, Any]
    ) -> None:
        link = host.link(event_type, notBefore="2040-01-04T15:30:00Z", recipient={"name": "Gretchen"})
        page, problem = site.visit(link, headers=HTML), site.visit(link, headers=JSON)

        assert page.status_code == 403
        assert "isn’t open yet" in page.text
        assert "4 January 2040" in page.text
        assert "15:30 (UTC)" in page.text
        berlin = {"timeZone": "Europe/Berlin", "weekly": [], "overrides": []}
        elsewhere = host.link(host.event_type(schedule=berlin), notBefore="2040-01-04T15:30:00Z")
        assert "16:30 (Central European Time, UTC+1)" in site.visit(elsewhere, headers=HTML).text, (
            "the host's time zone"
        )
        assert '<time datetime="2040-01-04T15:30:00Z" data-local>' in page.text, (
            "JavaScript shows the visitor's time zone"
        )
        assert assert_problem(problem, 403, "link-not-open")["notBefore"] == "2040-01-04T15:30:00Z"
        assert_problem(site.redeem(link, at(days=4)), 403, "link-not-open")
        for answer in (page, problem):
            assert not [secret for secret in SECRETS if secret in answer.text]
        # it opens exactly at `notBefore` (P3)
        site.clock.now = NOW + timedelta(days=2, hours=7, minutes=30)
        assert site.visit(link, headers=JSON).status_code == 200
        site.clock.advance(milliseconds=-1)
        assert site.visit(link, headers=JSON).status_code == 403

    def test_a_link_works_until_the_instant_before_its_expiry(
        self, site: Site, host: Caller, event_type: dict[str, Any]
    ) -> None:
        """P3: a link is expired when `now == expiresAt`."""
        link = host.link(event_type, expiresAt=at(hours=1))
        site.clock.now = NOW + timedelta(hours=1, milliseconds=-1)
        assert site.visit(link, headers=JSON).status_code == 200
        site.clock.advance(milliseconds=1)
        assert_problem(site.visit(link, headers=JSON), 410, "link-expired")
        assert_problem(site.redeem(link, at(days=1)), 410, "link-expired")

    def test_forged_and_unknown_tokens_get_the_same_404_and_read_nothing(
        self, site: Site, host: Caller, event_type: dict[str, Any]
    ) -> None:
        """P7: a nearly correct token gets the same response as a random one."""
        token = token_of(host.link(event_type))
        booking = created(site.redeem(host.link(event_type), at(days=1)))["url"].rpartition("/")[2]
        guesses = [
            *(f"/s/{guess}" for guess in (forged(token), booking, token[:-1], token + "A", token.swapcase())),
            *(
                f"/s/{guess}"
                for guess in ("x", "A" * 36, "%ff%fe", "%00", "..%2f", token.replace("A", "%41", 1) + "%20")
            ),
            *(f"/b/{guess}" for guess in (forged(booking), token, "x", "A" * 36)),
        ]
        answers: dict[str, list[Any]] = {"s": [], "b": [], "json": []}
        for path in guesses:
            for kind, accept in (("html", HTML), ("json", JSON)):
                with site.counting() as reads:
                    response = site.client.get(path, headers=accept)
                assert response.status_code == 404, path
                assert reads.calls == [], path
                answers[path[1] if kind == "html" else kind].append(
                    response.text if kind == "html" else without_correlation(response.json())
                )
            if path.startswith("/s/"):
                with site.counting() as reads:
                    assert_problem(
                        site.client.post(f"{path}/redeem", json={}, headers=JSON), 400, "invalid-request"
                    )
                    body = {
                        "start": at(days=1),
                        "timeZone": "UTC",
                        "invitee": {"name": "G", "email": "g@x.example"},
                    }
                    answer = site.client.post(f"{path}/redeem", json=body, headers=JSON)
                    assert_problem(answer, 404, "not-found")
                assert reads.calls == [], path
        assert len(set(answers["s"])) == len(set(answers["b"])) == 1
        assert all(answer == answers["json"][0] for answer in answers["json"])
        assert "There is nothing here" in answers["s"][0]

    def test_a_percent_encoded_token_is_the_same_token(self, site: Site, host: Caller) -> None:
        link = host.link()
        encoded = "".join(f"%{ord(letter):02x}" for letter in token_of(link))

        assert site.client.get(f"/s/{encoded}", headers=JSON).status_code == 200


class TestOffer:
    def test_the_json_has_the_whole_offer(self, site: Site, host: Caller) -> None:
        question = {"id": "q", "label": "Why?", "kind": "choice", "required": True, "options": ["a", "b"]}
        event_type = host.event_type(
            title="Talk",
            description="About it",
            locations=[
                {"kind": "video", "detail": "https://meet.example/secret"},
                {"kind": "in_person", "detail": "Walrus Street 1", "showBeforeBooking": True},
                {"kind": "custom", "detail": "Meeting 123, passcode 99"},
            ],
            questions=[question],
        )
        link = host.link(
            event_type,
            expiresAt=at(days=9),
            notBefore=at(),
            maxUsageCount=3,
            recipient={"name": "Grace", "email": "grace@invitees.example"},
        )

        assert ok(site.visit(link, headers=JSON)) == {
            "title": "Talk",
            "description": "About it",
            "durationMinutes": 30,
            "locations": [
                {"kind": "video", "detail": ""},  # shown only after booking
                {"kind": "in_person", "detail": "Walrus Street 1"},
                {"kind": "custom", "detail": ""},
            ],
            "questions": [question],
            "timeZone": "UTC",
            "host": {"publicName": "Dr. Quark"},
            "recipient": {"name": "Grace", "email": "grace@invitees.example", "expected": None},
            "expiresAt": at(days=9),
            "notBefore": at(),
            "remainingUses": 3,
        }

    def test_the_page_has_the_offer_and_the_recipients_details(
        self, site: Site, host: Caller, event_type: dict[str, Any]
    ) -> None:
        link = host.link(
            event_type, recipient={"name": "Grace “G” <Hopper>", "email": "grace@invitees.example"}
        )

        page = site.visit(link, headers=HTML).text

        assert "Xylophone lesson" in page
        assert "Walrus Street 1" in page
        assert "30 minutes" in page
        assert 'value="grace@invitees.example"' in page
        assert 'value="Grace “G” &lt;Hopper&gt;"' in page
        assert "Dr. Quark invites you to book" in page
        assert "Zebedee" not in page  # only the host's public name is shown
        assert "zeb@hosts.example" not in page
        assert f'action="../s/{token_of(link)}/redeem"' in page

    def test_the_page_has_the_slots_in_the_requested_time_zone(self, site: Site, host: Caller) -> None:
        schedule = {
            "timeZone": "Europe/Berlin",
            "weekly": [{"days": EVERY_DAY, "from": "09:00", "to": "11:00"}],
        }
        link = host.link(host.event_type(schedule=schedule))

        page = site.visit(link, headers=HTML, params={"timeZone": "Asia/Tokyo", "from": "2040-01-03"}).text

        starts = re.findall(r'name="start" value="([^"]+)"', page)
        assert starts[:4] == [f"2040-01-03T{wall}:00Z" for wall in ("08:00", "08:30", "09:00", "09:30")]
        dates = {"from": "2040-01-03", "to": "2040-01-10", "timeZone": "Asia/Tokyo"}
        assert starts == site.slots(link, **dates)
        assert "17:00" in page

    def test_paging_through_the_dates_shows_every_slot_once(self, site: Site, host: Caller) -> None:
        """Following "later" shows each start of the booking window once, however sparse the dates."""
        schedule = {"timeZone": "UTC", "weekly": [{"days": ["wed"], "from": "09:00", "to": "10:00"}]}
        link = host.link(host.event_type(schedule=schedule, bookingWindowDays=120))
        seen: list[str] = []
        url = httpx.URL(f"http://x{path_of(link)}")
        for _ in range(20):
            page = site.client.get(url.raw_path.decode(), headers=HTML).text
            seen += re.findall(r'name="start" value="([^"]+)"', page)
            later = re.search(r'href="([^"]+)" rel="next"', page)
            if later is None:
                break
            url = url.join(later[1].replace("&amp;", "&"))
        else:
            pytest.fail("the pages never end")

        offered = site.slots(link) + [
            start
            for day in (30, 60, 90)
            for start in site.slots(link, **{"from": at(days=day), "to": at(days=day + 30)})
        ]
        assert seen == sorted(set(offered))
        assert len(seen) == 2 * 17

    def test_the_pages_of_a_long_day_list_every_slot_in_both_directions(
        self, site: Site, host: Caller
    ) -> None:
        """A day with more times than fit on a page is split by the hour; "earlier" shows the same slots as "later"."""
        site.clock.now = NOW.replace(hour=22)
        kind = host.event_type(durationMinutes=5, slotIntervalMinutes=5, bookingWindowDays=2)
        link = host.link(kind)

        def follow(url: httpx.URL, rel: str) -> Iterator[tuple[httpx.URL, list[str]]]:
            for _ in range(20):
                page = site.client.get(url.raw_path.decode(), headers=HTML).text
                yield url, re.findall(r'name="start" value="([^"]+)"', page)
                found = re.search(rf'href="([^"]+)" rel="{rel}"', page)
                if found is None:
                    return
                url = url.join(found[1].replace("&amp;", "&"))
            pytest.fail("the pages never end")

        there = list(follow(httpx.URL(f"http://x{path_of(link)}?timeZone=Asia/Kathmandu"), "next"))
        back = list(follow(there[-1][0], "prev"))

        seen = [start for _, starts in there for start in starts]
        assert seen == site.slots(link)
        assert max(len(starts) for _, starts in there) <= 80
        again = [start for _, starts in back for start in starts]
        assert sorted(set(again)) == seen
        assert len(back) <= len(there) + 2, "going back takes at most two pages more than going forward"

    def test_a_start_late_on_a_long_day_stays_chosen_after_an_error(self, site: Site, host: Caller) -> None:
        """Without JavaScript, the page with the error shows the hours of the chosen start."""
        link = host.link(host.event_type(durationMinutes=5, slotIntervalMinutes=5))
        body = {
            "start": "2040-01-03T19:35:00Z",
            "timeZone": "UTC",
            "invitee.name": "",
            "invitee.email": "x@y.example",
        }

        page = site.client.post(f"{path_of(link)}/redeem", data=body, headers=HTML).text

        assert 'value="2040-01-03T19:35:00Z" checked' in page


class TestSlots:
    @pytest.mark.parametrize(
        ("query", "status", "slug", "pointer"),
        [
            ({"from": "tomorrow"}, 400, "invalid-request", "/from"),
            ({"from": ""}, 400, "invalid-request", "/from"),
            ({"to": "2040-01-03T10:00:00"}, 400, "invalid-request", "/to"),
            ({"from": "2210500800"}, 400, "invalid-request", "/from"),
            ({"from": "inf"}, 400, "invalid-request", "/from"),
            ({"zone": "UTC"}, 400, "invalid-request", "/zone"),
            ({"from": "2040-01-05", "to": "2040-01-05"}, 422, "invalid-value", "/to"),
            ({"from": "2040-01-05", "to": "2040-01-04"}, 422, "invalid-value", "/to"),
            ({"from": "2040-01-05", "to": "2040-03-08"}, 422, "invalid-value", "/to"),
            ({"from": "1999-12-31T23:59:59Z"}, 422, "invalid-value", "/from"),
            ({"to": "9999-12-31T23:59:59-14:00"}, 422, "invalid-value", "/to"),
            ({"from": "0001-01-01"}, 422, "invalid-value", "/from"),
            ({"to": "9999-12-31"}, 422, "invalid-value", "/to"),
            ({"from": "2040-02-30"}, 400, "invalid-request", "/from"),
            ({"from": "2040-01-05", "timeZone": "Mars/Base"}, 422, "invalid-value", "/timeZone"),
            ({"timeZone": "+05:30"}, 422, "invalid-value", "/timeZone"),
        ],
    )
    def test_an_invalid_range_is_rejected(
        self, site: Site, host: Caller, query: dict[str, str], status: int, slug: str, pointer: str
    ) -> None:
        response = site.client.get(f"{path_of(host.link())}/slots", params=query, headers=JSON)

        assert_problem(response, status, slug, pointer)

    def test_dates_are_in_the_schedules_time_zone_or_the_requested_one(
        self, site: Site, host: Caller
    ) -> None:
        """A Monday in Sydney begins on Sunday in UTC; days on which clocks change have 23 or 25 hours."""
        schedule = ALL_DAY | {"timeZone": "Australia/Sydney"}
        link = host.link(host.event_type(schedule=schedule, durationMinutes=60, bookingWindowDays=365))

        def hours(day: str, following: str, **zone: str) -> tuple[str, int]:
            starts = site.slots(link, **{"from": day, "to": following}, **zone)
            return starts[0], len(starts)

        assert hours("2040-01-09", "2040-01-10") == ("2040-01-08T13:00:00Z", 24)
        assert hours("2040-01-09", "2040-01-10", timeZone="UTC") == ("2040-01-09T00:00:00Z", 24)
        assert hours("2040-04-01", "2040-04-02") == ("2040-03-31T13:00:00Z", 25)
        assert hours("2040-10-07", "2040-10-08") == ("2040-10-06T14:00:00Z", 23)

    def test_a_range_includes_its_start_and_excludes_its_end(self, site: Site, host: Caller) -> None:
        link = host.link()

        assert site.slots(link, **{"from": at(hours=2), "to": at(hours=3)}) == [at(hours=2), at(hours=2.5)]
        answer = ok(
            site.client.get(
                f"{path_of(link)}/slots?from=2040-01-03T10:00:00+01:00&to=2040-01-03T09:30:00Z", headers=JSON
            )
        )
        assert answer == {
            "slots": [{"start": "2040-01-03T09:00:00Z", "end": "2040-01-03T09:30:00Z"}],
            "from": "2040-01-03T09:00:00Z",
            "to": "2040-01-03T09:30:00Z",
        }

    def test_a_range_is_thirty_days_by_default_and_at_most_sixty_two(self, site: Site, host: Caller) -> None:
        link = host.link(host.event_type(bookingWindowDays=90, slotIntervalMinutes=60))

        assert len(site.slots(link)) == 30 * 24
        assert len(site.slots(link, **{"from": at(), "to": at(days=62)})) == 62 * 24

    def test_booked_time_is_not_offered_on_any_event_type_of_the_host(self, site: Site, host: Caller) -> None:
        """P2: the buffers of the booking and of the slot both count."""
        booked = host.link(host.event_type(bufferAfterMinutes=15))
        short = host.link(host.event_type(durationMinutes=15))
        created(site.redeem(booked, at(hours=4)))
        day = {"from": at(hours=3.5), "to": at(hours=5.5)}

        assert site.slots(short, **day) == [at(hours=h) for h in (3.5, 3.75, 4.75, 5, 5.25)]

    @pytest.mark.parametrize(
        ("fault", "status", "slug"),
        [
            (ReadTimeoutError(endpoint_url="http://dynamodb"), 503, "store-unavailable"),
            (ClientError({"Error": {"Code": "ThrottlingException"}}, "Query"), 429, "throttled"),
        ],
        ids=["no answer", "throttled"],
    )
    def test_a_store_failure_is_an_error_not_an_empty_calendar(
        self, site: Site, host: Caller, fault: Exception, status: int, slug: str
    ) -> None:
        link = host.link()

        with site.failing("Query", fault):
            problem = site.client.get(f"{path_of(link)}/slots", headers=JSON)
            page = site.visit(link, headers=HTML)

        assert_problem(problem, status, slug)
        assert (page.status_code, page.headers["content-type"]) == (status, PAGE)
        for response in (problem, page):
            assert int(response.headers["retry-after"]) >= 1
            assert_invitee_headers(response)


def test_the_offer_hides_the_hosts_own_settings(site: Site, host: Caller) -> None:
    """An invitee sees the slots, not the host's labels, metadata, buffers or ids."""
    event_type = host.event_type(schedule=ALL_DAY, bufferBeforeMinutes=5, minimumNoticeMinutes=60)
    link = host.link(event_type, metadata={"deal": "Walrus"}, label="Walrus", externalId="Walrus")

    for accept in (HTML, JSON):
        shown = site.visit(link, headers=accept).text
        assert "Walrus" not in shown
        assert "uffer" not in shown
        assert link["linkId"] not in shown
        assert unknown_id("lnk")[:4] not in shown


def test_every_status_of_a_link_is_tested() -> None:
    """Fail for a new status without a test of its page."""
    assert set(TestDead.WORDS) | {"active"} == {*LinkStatus, "deleted"}


class TestLanguages:
    """`Accept-Language` chooses the language of pages; JSON is in English."""

    HEADINGS: ClassVar[dict[str, str]] = {
        "en": "Choose a time",
        "de": "Termin wählen",
        "fr": "Choisissez un créneau",
        "es": "Elija una hora",
        "ja": "日時を選んでください",
    }

    @pytest.mark.parametrize("language", HEADINGS)
    def test_a_page_is_in_the_requested_language(
        self, site: Site, host: Caller, event_type: dict[str, Any], language: str
    ) -> None:
        wanted = HTML | {"Accept-Language": f"pl, {language}-XX;q=0.8, en;q=0.1"}
        link = host.link(event_type)

        page, unknown = site.visit(link, headers=wanted), site.client.get("/s/nothing", headers=wanted)

        for answer in (page, unknown):
            assert answer.headers["content-language"] == language
            assert answer.headers["vary"] == "Accept, Accept-Language"
            assert f'<html lang="{language}">' in answer.text
        assert self.HEADINGS[language] in page.text

    def test_json_is_in_english(self, site: Site, host: Caller, event_type: dict[str, Any]) -> None:
        link = host.link(event_type)
        for headers in (JSON, JSON | {"Accept-Language": "ja"}):
            answer = site.client.post(f"{path_of(link)}/redeem", json={}, headers=headers)
            assert "content-language" not in answer.headers
            assert answer.text.isascii()

    @pytest.mark.parametrize("language", HEADINGS)
    def test_all_faults_of_a_form_are_shown_in_the_requested_language(
        self, site: Site, host: Caller, language: str
    ) -> None:
        asked = [{"id": "topic", "label": "Topic", "kind": "text", "required": True, "options": []}]
        link = host.link(host.event_type(questions=asked))

        answer = site.client.post(
            f"{path_of(link)}/redeem",
            data={"timeZone": "UTC", "invitee.email": "x"},
            headers=HTML | {"Accept-Language": language},
        )

        assert answer.status_code == 422
        beside = r'<p class="error"[^>]*><span[^>]*>[^<]*</span>([^<]*)'
        shown = [html.unescape(one) for one in re.findall(beside, answer.text)]
        say = words(language_of(language))
        assert shown == [
            say("pages.fault.start"),
            say("pages.fault.name-missing"),
            say("pages.fault.email"),
            say("pages.fault.answer-missing", question="Topic"),
        ]

    def test_a_booking_keeps_the_language_of_its_request(
        self, site: Site, host: Caller, event_type: dict[str, Any]
    ) -> None:
        """Emails to the invitee use it."""
        made_in: dict[str | None, str] = {}
        for n, header in enumerate(["de-AT, en;q=0.5", "ja", None]):
            invitee = {"name": "G", "email": "g@x.example"}
            body = {"start": at(days=1, hours=n), "timeZone": "UTC", "invitee": invitee}
            headers = JSON | ({"Accept-Language": header} if header else {})
            path = f"{path_of(host.link(event_type))}/redeem"
            booking = created(site.client.post(path, json=body, headers=headers))
            item = site.item(f"BOOKING#{booking['bookingId']}", "BOOKING")
            assert item is not None
            made_in[header] = item.get("language", {"S": "en"})["S"]
        assert made_in == {"de-AT, en;q=0.5": "de", "ja": "ja", None: "en"}


class TestLandingPage:
    """`/`: the landing page explains how to book and lists nothing."""

    @pytest.mark.parametrize("path", ["/", "/?utm_source=x"])
    def test_a_browser_gets_the_landing_page(self, site: Site, path: str) -> None:
        page = site.client.get(path, headers=HTML)

        assert (page.status_code, page.headers["content-type"]) == (200, PAGE)
        assert_invitee_headers(page)
        assert "open the link you were sent" in page.text
        (style,) = re.findall(r'rel="stylesheet" href="([^"]+)"', page.text)
        assert site.client.get(httpx.URL("http://x/").join(style).path).status_code == 200

    def test_json_gets_404(self, site: Site) -> None:
        assert_problem(site.client.get("/", headers=JSON), 404, "not-found")


def test_the_deployed_api_requires_https_and_the_local_server_does_not(
    site: Site, host: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every deployed response has HSTS, errors too; locally it would break other sites on localhost."""
    link, name = host.link(), "strict-transport-security"
    paths = (path_of(link), "/s/none", "/v1/openapi.json", "/console", "/assets/none.css", "/b/none")
    assert not [path for path in paths if name in site.client.get(path).headers]
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "api")
    assert {site.client.get(path).headers[name] for path in paths} == {"max-age=31536000"}
    monkeypatch.setenv("LOCAL", "1")
    assert name not in site.client.get(path_of(link)).headers
