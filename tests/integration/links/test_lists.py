"""Lists of links: complete, ordered, exact about expiry, limited to one host, at constant cost (P9, P10)."""

import base64
import random
from collections.abc import Iterator
from itertools import product
from typing import Any, Final, NamedTuple

import pytest

from chalicelib.domain.ids import LINK
from tests.support.app import (
    BASE_URL,
    NOW,
    Caller,
    Reads,
    Site,
    assert_problem,
    at,
    created,
    forged,
    ok,
    token_of,
    unknown_id,
)
from tests.support.proof.size import size

STATUSES: Final = ("active", "used", "expired", "revoked")


def ids(links: list[dict[str, Any]]) -> list[str]:
    return [link["linkId"] for link in links]


def newest_first(links: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(links, key=lambda link: (instant_key(link["createdAt"]), link["linkId"]), reverse=True)


def instant_key(instant: str) -> str:
    """Return an instant with milliseconds, so that text order is time order."""
    return instant if "." in instant else instant.replace("Z", ".000Z")


def walk(caller: Caller, **params: Any) -> Iterator[list[dict[str, Any]]]:
    """Yield all pages of a list, following its cursors."""
    while True:
        page = caller.list(**params)
        yield page["links"]
        if page["nextCursor"] is None:
            return
        params["cursor"] = page["nextCursor"]


class Collection(NamedTuple):
    """A host with 300 links, and the expected state of each."""

    host: Caller
    event_types: list[str]
    links: dict[str, dict[str, Any]]

    def expected(self, status: str | None = None, event_type: str | None = None) -> list[str]:
        """Return the ids that a list with these filters must have, in order."""
        kept = [
            link
            for link in self.links.values()
            if status in {None, link["status"]} and event_type in {None, link["eventTypeId"]}
        ]
        return ids(newest_first(kept))


@pytest.fixture(scope="module")
def collection(whole_site: Site) -> Collection:
    """Create links of three event types at various times and bring them to all statuses; delete some."""
    site, chance = whole_site, random.Random("lists")
    host, other = site.host(), site.host()
    other.links(other.event_type(), count=20)
    event_types = [host.event_type(title=f"Event {number}") for number in range(3)]
    links: list[dict[str, Any]] = []
    while len(links) < 300:
        site.clock.advance(milliseconds=chance.choice([0, 0, 1, 999, 60_000]))
        # On the third day, the links with the earlier expiry are expired and the others are not.
        expires = chance.choice([{}, {}, {"expiresAt": at(days=2)}, {"expiresAt": at(days=20)}])
        links += host.links(chance.choice(event_types), count=chance.choice([1, 2, 7, 40]), **expires)
    fates = ["active"] * 4 + ["used", "revoked", "deleted"]
    fate = {link["linkId"]: chance.choice(fates) for link in links}
    by_fate = {name: [link for link in links if fate[link["linkId"]] == name] for name in fates}
    for number, link in enumerate(by_fate["used"]):
        created(site.redeem(link, at(days=1, minutes=30 * number)))
    for name in ("revoke", "delete"):
        doomed = ids(by_fate[f"{name}d" if name == "delete" else "revoked"])
        ok(host.post(f"/v1/links/bulk-{name}", {"linkIds": doomed}))
    site.clock.now = NOW
    site.clock.advance(days=3)
    # The schedule has marked half of the expired links; the others are expired only by the clock.
    due = [link for link in by_fate["active"] if link["expiresAt"] == at(days=2)]
    site.mark(due[::2], "expired")
    assert all(by_fate[name] for name in fates)
    assert len(due) > 20
    kept = [link for link in links if fate[link["linkId"]] != "deleted"]
    dead_by_clock = set(ids(due))
    now = {
        link["linkId"]: link
        | {"status": "expired" if link["linkId"] in dead_by_clock else fate[link["linkId"]]}
        for link in kept
    }
    return Collection(host, [event_type["eventTypeId"] for event_type in event_types], now)


@pytest.fixture
def after_expiry(site: Site) -> Site:
    """Move the clock three days ahead, past the first of the two expiries."""
    site.clock.advance(days=3)
    return site


@pytest.mark.usefixtures("after_expiry")
class TestPaging:
    """Following the cursors gives every link exactly once, in order, for every filter and page size."""

    @pytest.mark.parametrize(
        ("status", "limit"), [*product([None, *STATUSES], [7, 50, 200]), ("used", 1), ("expired", 1)]
    )
    def test_every_link_of_the_host_is_listed_once(
        self, collection: Collection, status: str | None, limit: int
    ) -> None:
        filters = {"status": status} if status else {}

        pages = list(walk(collection.host, limit=limit, **filters))

        assert [link_id for page in pages for link_id in ids(page)] == collection.expected(status)
        assert all(len(page) <= limit for page in pages)
        for link in (link for page in pages for link in page):
            assert link["status"] == collection.links[link["linkId"]]["status"]

    @pytest.mark.parametrize("limit", [7, 50])
    def test_status_and_event_type_filter_together(self, collection: Collection, limit: int) -> None:
        for status, event_type in product([None, *STATUSES], collection.event_types):
            filters = {"eventTypeId": event_type} | ({"status": status} if status else {})

            pages = list(walk(collection.host, limit=limit, **filters))

            assert [i for page in pages for i in ids(page)] == collection.expected(status, event_type)

    def test_a_page_has_fifty_links_by_default(self, collection: Collection) -> None:
        assert ids(collection.host.list()["links"]) == collection.expected()[:50]

    def test_an_admin_lists_the_links_of_the_named_host(self, site: Site, collection: Collection) -> None:
        assert collection.host.host_id is not None
        pages = walk(site.admin, hostId=collection.host.host_id, status="revoked", limit=7)

        assert [i for page in pages for i in ids(page)] == collection.expected("revoked")

    def test_links_created_meanwhile_do_not_shift_the_pages(self, site: Site, collection: Collection) -> None:
        first = collection.host.list(limit=50)
        site.clock.advance(days=1)
        fresh = collection.host.link({"eventTypeId": collection.event_types[0]})

        rest = walk(collection.host, limit=200, cursor=first["nextCursor"])

        assert ids(first["links"]) + [i for page in rest for i in ids(page)] == collection.expected()
        assert collection.host.delete(f"/v1/links/{fresh['linkId']}").status_code == 204


class TestCursors:
    """P9: a cursor is only a position; a forged one never shows another host's links."""

    @pytest.fixture
    def two(self, host: Caller, other: Caller) -> tuple[str, str]:
        host.links(host.event_type(), count=3)
        other.links(other.event_type(), count=3)
        mine, theirs = (caller.list(limit=1)["nextCursor"] for caller in (host, other))
        assert mine
        assert theirs
        return mine, theirs

    def test_another_hosts_cursor_shows_only_the_callers_links(
        self, host: Caller, two: tuple[str, str]
    ) -> None:
        page = host.list(cursor=two[1])

        assert {link["hostId"] for link in page["links"]} <= {host.host_id}

    @pytest.mark.parametrize("path", ["/v1/links", "/v1/event-types"])
    def test_a_forged_cursor_is_422(self, host: Caller, two: tuple[str, str], path: str) -> None:
        place = base64.urlsafe_b64decode(two[0] + "==").decode()

        def cursor(text: str) -> str:
            return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

        for wrong in (
            *("", "x", "AAAA", "ä", "=" * 8, "..", "null", "0", "a" * 5000),
            *(two[0][:-1], two[0][:-4], two[0][4:], two[0] + "AAAA", two[0].swapcase()),
            *(cursor(""), cursor("l"), cursor("e"), cursor(place + " "), cursor("z" + place[1:])),
            *(cursor(place[:1] + "HOST#" + place[1:]), cursor(place + "\n"), cursor(place.upper())),
        ):
            if wrong in {cursor("l"), cursor("e")}:
                continue
            assert_problem(host.get(path, params={"cursor": wrong}), 422, "invalid-value", "/cursor")

    def test_a_cursor_of_another_list_is_422(self, host: Caller, two: tuple[str, str]) -> None:
        assert_problem(
            host.get("/v1/event-types", params={"cursor": two[0]}), 422, "invalid-value", "/cursor"
        )
        assert_problem(
            host.get("/v1/links", params={"cursor": two[0], "q": "x"}), 422, "invalid-value", "/cursor"
        )

    def test_a_cursor_of_another_search_is_422(self, host: Caller) -> None:
        host.links(host.event_type(), count=3, label="spring sale")
        cursor = host.list(q="spring", limit=1)["nextCursor"]

        response = host.get("/v1/links", params={"q": "autumn", "cursor": cursor})

        assert_problem(response, 422, "invalid-value", "/cursor")


class TestSearch:
    """`q` matches a token, URL, linkId, recipient's email or externalId exactly, and a label by its prefix."""

    @pytest.fixture
    def event_type(self, host: Caller) -> dict[str, Any]:
        host.links(
            host.event_type(),
            count=3,
            label="noise",
            externalId="noise",
            recipient={"email": "no@is.example"},
        )
        return host.event_type()

    def test_finds_by_token_url_and_link_id(self, host: Caller, event_type: dict[str, Any]) -> None:
        link = host.link(event_type)
        token = token_of(link)

        for query in (
            *(token, link["url"], link["linkId"], f" {link['url']} ", f"{link['url']}/"),
            *(f"{link['url']}?utm_source=mail", f"https://elsewhere.example/prod/s/{token}", f"/s/{token}"),
        ):
            assert host.list(q=query) == {"links": [link], "nextCursor": None}, query

    def test_a_forged_token_finds_nothing_and_reads_no_link(
        self, site: Site, host: Caller, event_type: dict[str, Any]
    ) -> None:
        link = host.link(event_type)
        for query in (
            forged(token_of(link)),
            f"{BASE_URL}/s/{forged(token_of(link))}",
            token_of(link).swapcase(),
        ):
            with site.counting() as reads:
                assert host.list(q=query) == {"links": [], "nextCursor": None}
            assert reads.items == 1  # the API key

    def test_another_hosts_links_are_not_found(self, site: Site, host: Caller, other: Caller) -> None:
        """P9: neither by their values nor by their genuine tokens."""
        fields: dict[str, Any] = {
            "label": "secret plan",
            "externalId": "deal-1",
            "recipient": {"email": "vip@invitees.example"},
        }
        theirs = other.link(**fields)

        for query in (
            *(theirs["linkId"], theirs["url"], token_of(theirs)),
            *("secret plan", "deal-1", "vip@invitees.example"),
        ):
            assert host.list(q=query) == {"links": [], "nextCursor": None}, query
            assert ids(other.list(q=query)["links"]) == [theirs["linkId"]], query
            found = ok(site.admin.get("/v1/links", params={"q": query, "hostId": other.host_id}))
            assert ids(found["links"]) == [theirs["linkId"]], query

    @pytest.mark.parametrize(
        ("given", "sought"),
        [
            ("grace@invitees.example", "grace@invitees.example"),
            ("Grace@Invitees.Example", "gRACE@iNVITEES.eXAMPLE"),
            ("jörg@bücher.example", "JÖRG@xn--bcher-kva.example"),
            ("jo@xn--bcher-kva.example", "jo@Bücher.example"),
            ("o'hara+tag@invitees.example", "O'Hara+tag@invitees.example"),
        ],
    )
    def test_finds_by_recipients_email_in_any_spelling(
        self, host: Caller, event_type: dict[str, Any], given: str, sought: str
    ) -> None:
        link = host.link(event_type, recipient={"email": given})

        assert ids(host.list(q=sought)["links"]) == [link["linkId"]]
        assert host.list(q=sought[1:])["links"] == []

    def test_finds_by_exact_external_id(self, host: Caller, event_type: dict[str, Any]) -> None:
        link = host.link(event_type, externalId="CRM#17")
        also = host.link(event_type, externalId="CRM#17")

        assert set(ids(host.list(q="CRM#17")["links"])) == {link["linkId"], also["linkId"]}
        for query in ("crm#17", "CRM#1", "CRM#170"):
            assert host.list(q=query)["links"] == []

    @pytest.mark.parametrize(
        ("label", "found_by", "not_by"),
        [
            (
                "Spring Sale 2040",
                ["s", "spring", "SPRING SALE", "spring sale 2040"],
                ["sale", "springs", "spring  s"],
            ),
            ("Straße nach Köln", ["STRASSE", "straße n", "Straße nach KÖ"], ["strase"]),
            ("#1 % of all_", ["#1", "#1 %", "#1 % OF ALL_"], ["%", "_"]),
            ("😀 smile", ["😀", "😀 SMILE"], ["😁"]),
            ("x" * 200, ["x" * 200, "X" * 150], ["x" * 201]),
        ],
    )
    def test_finds_by_the_prefix_of_a_label_in_any_case(
        self, host: Caller, event_type: dict[str, Any], label: str, found_by: list[str], not_by: list[str]
    ) -> None:
        link = host.link(event_type, label=label)

        for query in found_by:
            assert ids(host.list(q=query)["links"]) == [link["linkId"]], query
        for query in not_by:
            assert host.list(q=query)["links"] == [], query

    def test_a_search_can_be_filtered(self, host: Caller, event_type: dict[str, Any]) -> None:
        one, two = host.links(event_type, count=2, label="same", externalId="same-1")
        elsewhere = host.link(label="same", externalId="same-1")
        ok(host.post(f"/v1/links/{one['linkId']}/revoke"))
        event_type_id = event_type["eventTypeId"]

        for query in ("same", "same-1"):
            revoked = host.list(q=query, status="revoked")["links"]
            assert ids(revoked) == [one["linkId"]]
            active = host.list(q=query, status="active", eventTypeId=event_type_id)["links"]
            assert ids(active) == [two["linkId"]]
            assert len(host.list(q=query)["links"]) == 3
        assert host.list(q=elsewhere["linkId"], eventTypeId=event_type_id)["links"] == []
        assert host.list(q=one["url"], status="active")["links"] == []

    @pytest.mark.parametrize("limit", [1, 3, 50])
    def test_the_pages_of_a_search_have_each_match_once_with_exact_matches_first(
        self, site: Site, host: Caller, event_type: dict[str, Any], limit: int
    ) -> None:
        """The same text is an email address, an external id and the prefix of a label."""
        word = "sam@invitees.example"
        exact, labelled = [], []
        for number in range(6):
            site.clock.advance(seconds=1)
            exact.append(host.link(event_type, recipient={"email": word.title()}, label=f"{word} {number}"))
            exact.append(host.link(event_type, externalId=word))
            labelled += host.links(event_type, label=f"{word.upper()} {number}", count=2)
        host.link(event_type, label="sam@invitee")

        found = [link for page in walk(host, q=word, limit=limit) for link in page]

        assert ids(found[:12]) == ids(newest_first(exact))
        assert sorted(ids(found[12:])) == sorted(ids(labelled))
        labels = [link["label"] for link in found[12:]]
        assert labels == sorted(labels)

    def test_a_deleted_link_is_not_found(self, host: Caller, event_type: dict[str, Any]) -> None:
        link = host.link(event_type, label="gone", externalId="gone-1")
        assert host.delete(f"/v1/links/{link['linkId']}").status_code == 204

        for query in ("gone", "gone-1", link["linkId"], link["url"]):
            assert host.list(q=query)["links"] == []

    def test_special_characters_in_a_search_find_nothing(
        self, host: Caller, event_type: dict[str, Any]
    ) -> None:
        host.link(event_type, label="plain")
        for query in (
            "HOST#",
            "#",
            "*",
            "' OR 1=1",
            "{}",
            "\\",
            "lnk_",
            unknown_id(LINK),
            "@",
            "a@b",
            "\U0010ffff",
        ):
            response = host.get("/v1/links", params={"q": query})
            assert response.status_code in {200, 422}, query
            assert "plain" not in response.text


PAGE: Final = 50
FEW: Final = 240
MANY: Final = size(1000, 2000)


class Sizes(NamedTuple):
    """One table with a host that has few links and one that has many, equally many of each status, all marked."""

    site: Site
    few: tuple[Caller, dict[str, Any]]
    many: tuple[Caller, dict[str, Any]]


@pytest.fixture(scope="module")
def sizes(whole_site: Site) -> Sizes:
    return Sizes(whole_site, filled(whole_site, FEW), filled(whole_site, MANY))


def filled(site: Site, total: int) -> tuple[Caller, dict[str, Any]]:
    host = site.host()
    event_type = host.event_type()
    found_by = {"label": "word", "externalId": "word-1", "recipient": {"email": "word@invitees.example"}}
    for status in STATUSES:
        links = host.links(
            event_type, count=total // len(STATUSES), **(found_by if status == "active" else {})
        )
        if status != "active":
            site.mark(links, status)
    return host, event_type


class TestCost:
    """P10: the cost of a page doesn't depend on the number of links in the table."""

    @pytest.mark.parametrize("status", [None, *STATUSES])
    @pytest.mark.parametrize("by_event_type", [False, True])
    def test_a_page_reads_its_links_and_at_most_two_index_entries_each(
        self, sizes: Sizes, status: str | None, by_event_type: bool
    ) -> None:
        costs = []
        for host, event_type in (sizes.few, sizes.many):
            params: dict[str, Any] = {"limit": PAGE}
            params |= {"status": status} if status else {}
            params |= {"eventTypeId": event_type["eventTypeId"]} if by_event_type else {}
            page, reads = cost(sizes.site, host, params)
            _, next_reads = cost(sizes.site, host, params | {"cursor": page["nextCursor"]})
            costs += [reads, next_reads]
            assert len(page["links"]) == PAGE
            # besides the links: the API key, and the event type of the filter
            assert reads.items == PAGE + 1 + by_event_type
        few, _, many, next_of_many = costs

        assert all(reads.index_entries <= 2 * PAGE for reads in costs)
        assert "Scan" not in few.calls + many.calls
        if status:  # one partition: exactly the same cost at any size, on any page
            assert few == many == next_of_many
        else:  # four merged partitions: the cost depends on how their links interleave, not on how many there are
            assert max(len(reads.calls) for reads in costs) <= 12

    @pytest.mark.parametrize("query", ["word", "word-1", "word@invitees.example"])
    def test_a_page_of_a_search_costs_the_same(self, sizes: Sizes, query: str) -> None:
        (few_page, few), (many_page, many) = (
            cost(sizes.site, host, {"limit": PAGE, "q": query}) for host, _ in (sizes.few, sizes.many)
        )

        assert len(few_page["links"]) == len(many_page["links"]) == PAGE
        assert few == many
        assert many.items == PAGE + 1
        assert many.index_entries <= 2 * PAGE

    def test_a_search_for_one_link_reads_one_item(self, sizes: Sizes) -> None:
        host, _ = sizes.many
        link = host.list(limit=1)["links"][0]

        for query in (link["linkId"], link["url"]):
            page, reads = cost(sizes.site, host, {"q": query})
            assert page["links"] == [link]
            assert (reads.items, reads.index_entries) == (2, 0)


def cost(site: Site, host: Caller, params: dict[str, Any]) -> tuple[dict[str, Any], Reads]:
    with site.counting() as reads:
        page = host.list(**params)
    return page, reads


def test_a_forged_label_cursor_is_422_and_that_of_a_long_label_works(host: Caller) -> None:
    """P9: positions that DynamoDB would reject are rejected first; a genuine cursor of a long label works."""
    place = "00000000000001#lnk_" + "a" * 26
    for text in ("pabc\U0010ffff\U0010ffff\x1f" + place, "pabc" + "\U0001f600" * 300 + "\x1f" + place):
        cursor = base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")
        answer = host.get("/v1/links", params={"q": "abc", "cursor": cursor})
        assert_problem(answer, 422, "invalid-value", "/cursor")
    label = "ß" * 150
    event_type = host.event_type()
    for _ in range(2):
        host.link(event_type, label=label)
    first = host.list(q=label, limit=1)
    second = host.list(q=label, limit=1, cursor=first["nextCursor"])
    assert first["links"][0]["linkId"] != second["links"][0]["linkId"]
