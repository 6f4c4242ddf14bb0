"""CSV import and export of links: all rows or none, valid rows only if asked, once per key (P1, P4, P9, P10)."""

import csv
import io
import os
from typing import Any, Final

import httpx
import pytest

from chalicelib.api.team import imports
from chalicelib.api.team.imports import MANY_ROWS
from chalicelib.domain.ids import EVENT_TYPE
from chalicelib.domain.imports.sheet import EXPORT_COLUMNS, RESULT_COLUMNS
from chalicelib.service.imports import import_links
from chalicelib.service.links.generate import generate
from tests.support.app import (
    BASE_URL,
    Caller,
    Site,
    assert_problem,
    at,
    created,
    ok,
    unknown_id,
)

CSV: Final = {"Content-Type": "text/csv"}
GOOD: Final = "label,recipientEmail,metadata.crm\nA,a@invitees.example,1\nB,b@invitees.example,2\n"
MIXED: Final = "label,recipientEmail,durationMinutes\nA,a@invitees.example,\nB,nobody,\nC,,x\nD,,15\n"


def send(
    caller: Caller,
    event_type: dict[str, Any],
    text: str | bytes,
    *,
    key: str | None = None,
    headers: dict[str, str] | None = None,
    **params: str,
) -> httpx.Response:
    """Send a CSV import."""
    return caller(
        "POST",
        "/v1/links/import",
        params={"eventTypeId": event_type["eventTypeId"], **params},
        headers=(headers or CSV) | ({"Idempotency-Key": key} if key else {}),
        content=text if isinstance(text, bytes) else text.encode(),
    )


def rows_of(response: httpx.Response, status: int = 200) -> list[dict[str, str]]:
    """Return the rows of a CSV response."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"].startswith("text/csv; charset=utf-8")
    return list(csv.DictReader(io.StringIO(response.text, newline=""), strict=True))


def imported(response: httpx.Response) -> list[dict[str, str]]:
    return rows_of(response, 201)


def count_of(caller: Caller) -> int:
    return len(caller.list(limit="200")["links"])


def places(problem: dict[str, Any]) -> list[tuple[int, str | None, str]]:
    return [(fault["line"], fault["column"], fault["pointer"]) for fault in problem["errors"]]


# Import


def test_each_row_creates_a_link_and_the_response_has_its_url(site: Site, host: Caller) -> None:
    event_type = host.event_type()

    rows = imported(send(host, event_type, GOOD))

    assert [{**row, "linkId": "", "url": ""} for row in rows] == [
        dict.fromkeys(RESULT_COLUMNS, "")
        | {
            "line": line,
            "label": label,
            "recipientEmail": f"{label.lower()}@invitees.example",
            "status": "active",
        }
        for line, label in (("2", "A"), ("3", "B"))
    ]
    first = ok(host.get(f"/v1/links/{rows[0]['linkId']}"))
    assert (first["url"], first["metadata"]) == (rows[0]["url"], {"crm": "1"})
    assert (first["eventTypeId"], first["maxUsageCount"]) == (event_type["eventTypeId"], 1)
    booked = site.redeem({"url": rows[0]["url"]}, at(days=1))
    assert booked.status_code == 201


def test_a_thousand_rows_are_one_request(host: Caller) -> None:
    text = "label,externalId\n" + "".join(f"L{n},x-{n}\n" for n in range(1000))

    rows = imported(send(host, host.event_type(), text, key="thousand"))

    assert [row["label"] for row in rows] == [f"L{n}" for n in range(1000)]
    assert len({row["linkId"] for row in rows}) == 1000
    (last,) = host.list(q="x-999")["links"]
    assert last["linkId"] == rows[999]["linkId"]


def test_one_invalid_row_rejects_the_file_and_all_faults_are_listed(host: Caller) -> None:
    event_type = host.event_type()

    # As with JSON: a cell that can't be parsed is 400, a value that breaks a rule is 422.
    unread = assert_problem(send(host, event_type, MIXED), 400, "invalid-request")
    ruled = assert_problem(send(host, event_type, MIXED.replace("x", "10")), 422, "invalid-value")

    assert places(unread) == [
        (3, "recipientEmail", "/items/1/recipient/email"),
        (4, "durationMinutes", "/items/2/overrides/durationMinutes"),
    ]
    assert "2 of 4 rows" in unread["detail"]
    assert places(ruled) == [(3, "recipientEmail", "/items/1/recipient/email")]
    assert count_of(host) == 0


def test_partial_creates_valid_rows_and_returns_the_errors_of_others(host: Caller) -> None:
    rows = imported(send(host, host.event_type(), MIXED, partial="true"))

    assert [(row["line"], row["label"], row["status"]) for row in rows] == [
        ("2", "A", "active"),
        ("3", "B", "invalid"),
        ("4", "C", "invalid"),
        ("5", "D", "active"),
    ]
    assert (
        [bool(row["url"]) for row in rows]
        == [bool(row["linkId"]) for row in rows]
        == [True, False, False, True]
    )
    assert rows[1]["error"] == "recipientEmail: is not an email address"
    assert rows[2]["error"] == "durationMinutes: must be a whole number"
    assert rows[0]["error"] == ""
    last = ok(host.get(f"/v1/links/{rows[3]['linkId']}"))
    assert (last["label"], last["overrides"]) == ("D", {"durationMinutes": 15})
    assert count_of(host) == 2


def test_partial_without_a_valid_row_is_rejected(host: Caller) -> None:
    text = "label,expiresAt\nA,2039-01-01T00:00:00Z\n"

    problem = assert_problem(send(host, host.event_type(), text, partial="true"), 422, "invalid-value")

    assert places(problem) == [(2, "expiresAt", "/items/0/expiresAt")]
    assert count_of(host) == 0


def test_rows_are_validated_with_their_event_types_settings(host: Caller) -> None:
    """Duration and buffers together take at most eight hours, whether the row or the event type sets them."""
    event_type = host.event_type(durationMinutes=400)

    problem = assert_problem(send(host, event_type, "bufferAfterMinutes\n120\n"), 422, "invalid-value")

    assert places(problem) == [(2, "durationMinutes", "/items/0/overrides/durationMinutes")]


# Retries


@pytest.mark.parametrize("partial", ["false", "true"])
def test_a_retry_with_the_same_key_returns_the_same_links(site: Site, host: Caller, partial: str) -> None:
    """P4: a retry creates nothing, and links that were used or deleted meanwhile stay so (P1)."""
    event_type = host.event_type()
    text = f"label,expiresAt,recipientEmail\nA,,\nB,{at(minutes=5)},\nC,,\n"
    text += f"D,{at(minutes=5)},nobody\n" if partial == "true" else ""
    first = imported(send(host, event_type, text, key="again", partial=partial))
    assert site.redeem({"url": first[0]["url"]}, at(days=1)).status_code == 201
    host.delete(f"/v1/links/{first[2]['linkId']}")
    site.clock.advance(minutes=10)

    # the same cells with another delimiter
    second = imported(send(host, event_type, text.replace(",", ";"), key="again", partial=partial))

    assert [row["linkId"] for row in second] == [row["linkId"] for row in first]
    assert [row["status"] for row in second][:3] == ["used", "expired", "deleted"]
    assert [row["url"] for row in second] == [
        first[0]["url"],
        first[1]["url"],
        "",
        *[""] * (partial == "true"),
    ]
    assert [row["error"] for row in second] == [row["error"] for row in first]
    assert count_of(host) == 2


def test_a_retry_does_not_validate_rows_again(host: Caller) -> None:
    """P4: the event type has changed and other rows would now be valid, but the response is the first one."""
    event_type = host.event_type(durationMinutes=400)
    text = "label,bufferAfterMinutes\nA,120\nB,80\nC,10\n"
    first = imported(send(host, event_type, text, key="settled", partial="true"))
    host.patch(f"/v1/event-types/{event_type['eventTypeId']}", {"durationMinutes": 30})

    second = imported(send(host, event_type, text, key="settled", partial="true"))
    host.patch(f"/v1/event-types/{event_type['eventTypeId']}", {"durationMinutes": 475})
    third = imported(send(host, event_type, text, key="settled", partial="true"))

    made_of = [[(row["linkId"], row["status"]) for row in rows] for rows in (first, second, third)]
    assert made_of[0] == made_of[1] == made_of[2]
    assert [status for _, status in made_of[0]] == ["invalid", "active", "active"]
    assert second[0]["error"]
    assert [row["error"] for row in third][1:] == ["", ""]
    assert count_of(host) == 2


@pytest.mark.parametrize("twin", [False, True])
def test_an_expiry_between_validation_and_creation_is_a_row_error(
    site: Site, host: Caller, monkeypatch: pytest.MonkeyPatch, twin: bool
) -> None:
    """Also if a concurrent retry, which finds the expiry in the past, is written first."""
    event_type = host.event_type()
    text = f"label,expiresAt\nA,{at(minutes=5)}\nB,\n"
    others: list[list[dict[str, str]]] = []

    def late(*args: Any) -> Any:
        monkeypatch.setattr(import_links, "generate", generate)
        site.clock.advance(minutes=10)
        if twin:
            others.append(imported(send(host, event_type, text, key="late", partial="true")))
        return generate(*args)

    monkeypatch.setattr(import_links, "generate", late)
    rows = imported(send(host, event_type, text, key="late", partial="true"))

    assert [(row["status"], row["error"]) for row in rows] == [
        ("invalid", "expiresAt: must be in the future"),
        ("active", ""),
    ]
    assert others == ([rows] if twin else [])
    assert count_of(host) == 1


@pytest.mark.parametrize(
    ("text", "partial"),
    [
        (GOOD.replace("A", "Z"), "false"),
        (GOOD, "true"),
        ("label\n", "false"),
        (GOOD + "C,nobody,\n", "false"),
    ],
)
def test_the_same_key_with_another_file_is_rejected(host: Caller, text: str, partial: str) -> None:
    event_type = host.event_type()
    imported(send(host, event_type, GOOD, key="mine"))

    response = send(host, event_type, text, key="mine", partial=partial)

    slug = "invalid-value" if text == "label\n" else "idempotency-key-reused"
    assert_problem(response, 422, slug)
    assert count_of(host) == 2


def test_a_key_used_for_a_json_request_is_rejected(host: Caller) -> None:
    event_type = host.event_type()
    body = {"eventTypeId": event_type["eventTypeId"], "count": 2}
    created(host("POST", "/v1/links", json=body, headers={"Idempotency-Key": "both"}))

    assert_problem(send(host, event_type, GOOD, key="both"), 422, "idempotency-key-reused")


def test_a_rejected_file_does_not_use_its_key(host: Caller) -> None:
    event_type = host.event_type()
    send(host, event_type, MIXED, key="free")

    assert len(imported(send(host, event_type, GOOD, key="free"))) == 2


def test_without_a_key_a_second_request_creates_more_links(host: Caller) -> None:
    event_type = host.event_type()
    send(host, event_type, GOOD)
    send(host, event_type, GOOD)

    assert count_of(host) == 4


# Invalid requests


def test_another_hosts_event_type_is_not_found(host: Caller, other: Caller) -> None:
    """P9: the response is the same as for an unknown event type."""
    theirs = other.event_type()

    assert_problem(send(host, theirs, GOOD), 404, "not-found")
    assert_problem(send(host, {"eventTypeId": unknown_id(EVENT_TYPE)}, GOOD), 404, "not-found")
    assert count_of(other) == 0


@pytest.mark.parametrize(
    ("raw", "line", "words"),
    [
        (b"", 1, "empty"),
        (b"label\nGr\xfc\xdfe\n", 2, "UTF-8"),
        ("label\nA\n".encode("utf-16"), 1, "UTF-8"),
        (b'label\n"A\n', 2, "never closed"),
        (b"label,colour\nA,red\n", 1, "'colour' is not a column"),
        (b"label,label\nA,B\n", 1, "twice"),
        (b"label,externalId\nA\n", 2, "1 cells"),
        (b"label\n" + b"x" * 140_000, 2, "field larger"),
    ],
)
def test_an_unreadable_file_is_400_with_the_line(host: Caller, raw: bytes, line: int, words: str) -> None:
    problem = assert_problem(send(host, host.event_type(), raw, partial="true"), 400, "invalid-request")

    (fault,) = problem["errors"]
    assert fault["line"] == line
    assert words in fault["detail"]


@pytest.mark.parametrize("seed", range(20))
def test_random_bytes_are_never_a_500(host: Caller, seed: int) -> None:
    event_type = host.event_type()
    for raw in (os.urandom(200), b"label,metadata,locations\n" + os.urandom(60 + seed)):
        assert send(host, event_type, raw).status_code in {201, 400, 422}


@pytest.mark.parametrize(
    ("params", "pointer"),
    [
        ({"partial": "yes"}, "/partial"),
        ({"dryRun": "true"}, "/dryRun"),
        ({"eventTypeId": None}, "/eventTypeId"),
    ],
)
def test_parameters_are_checked(host: Caller, params: dict[str, str | None], pointer: str) -> None:
    given = {"eventTypeId": host.event_type()["eventTypeId"]} | params
    kept = {name: value for name, value in given.items() if value is not None}

    response = host("POST", "/v1/links/import", params=kept, headers=CSV, content=GOOD)

    assert_problem(response, 400, "invalid-request", pointer)


@pytest.mark.parametrize(
    "media",
    ["application/json", "text/plain", "text/csv; charset=iso-8859-1"],
)
def test_other_content_types_are_415(host: Caller, media: str) -> None:
    response = send(host, host.event_type(), GOOD, headers={"Content-Type": media})

    assert_problem(response, 415, "unsupported-media-type")


@pytest.mark.parametrize(
    "media",
    [
        "application/csv",
        "application/vnd.ms-excel",
        "text/tab-separated-values; charset=utf-8",
        "multipart/form-data",
    ],
)
def test_the_content_types_of_common_clients_are_accepted(host: Caller, media: str) -> None:
    """A file sent with Excel's content type, as tab-separated values or in a form is the same request."""
    event_type, text = host.event_type(), "\ufeff" + GOOD
    headers = {"Content-Type": media}
    if "tab" in media:
        text = text.replace(",", "\t")
    if media == "multipart/form-data":
        headers = {"Content-Type": f"{media}; boundary=XX"}
        text = posted(text)
    first = imported(send(host, event_type, text, key="k", headers=headers))
    assert [(row["label"], row["status"]) for row in first] == [("A", "active"), ("B", "active")]
    assert [row["linkId"] for row in imported(send(host, event_type, GOOD, key="k"))] == [
        row["linkId"] for row in first
    ]
    assert ok(preview(host, event_type, text, headers=headers))["good"] == 2


def posted(text: str, head: str = 'Content-Disposition: form-data; name="file"; filename="l.csv"') -> str:
    """Return a multipart form with one file, as a browser posts it."""
    return f"--XX\r\n{head}\r\nContent-Type: application/vnd.ms-excel\r\n\r\n{text}\r\n--XX--\r\n"


@pytest.mark.parametrize(
    "body",
    [
        GOOD,
        "",
        posted(GOOD).replace("--XX--", ""),
        posted(GOOD, 'Content-Disposition: form-data; name="file"'),
        posted(GOOD).replace("--XX--", "--XX") + posted(GOOD).removeprefix("--XX"),
    ],
)
def test_a_form_without_exactly_one_file_is_rejected(host: Caller, body: str) -> None:
    """Two files, another field or an incomplete form create nothing."""
    event_type = host.event_type()
    response = send(host, event_type, body, headers={"Content-Type": "multipart/form-data; boundary=XX"})
    assert_problem(response, 400, "invalid-request")
    response = send(host, event_type, body, headers={"Content-Type": "multipart/form-data"})
    assert_problem(response, 400, "invalid-request")
    assert ok(host.get("/v1/links"))["links"] == []


def test_bom_adds_a_byte_order_mark_for_excel(host: Caller) -> None:
    """Excel needs the mark to read UTF-8; only the first page has it, so you can concatenate pages."""
    event_type = host.event_type()
    answer = send(host, event_type, GOOD, bom="true")
    assert answer.text.startswith('\ufeff"line"')
    assert not send(host, event_type, GOOD).text.startswith("\ufeff")
    asked: dict[str, str] = {"bom": "true", "header": "first", "limit": "3"}
    first = host.get("/v1/links/export", params=asked)
    assert first.text.startswith('\ufeff"linkId"')
    assert "bom=true" in first.headers["link"]
    rest = host.get("/v1/links/export", params={**asked, "cursor": first.headers["next-cursor"]})
    assert "\ufeff" not in rest.text
    assert not host.get("/v1/links/export").text.startswith("\ufeff")
    assert len(imported(send(host, event_type, first.text + rest.text))) == 4
    assert_problem(host.get("/v1/links/export", params={"bom": "1"}), 400, "invalid-request", "/bom")


@pytest.mark.parametrize("media", ["text/csv; charset=UTF-8", 'Text/CSV;header=present; charset="utf-8"'])
def test_the_content_type_may_have_parameters(host: Caller, media: str) -> None:
    assert len(imported(send(host, host.event_type(), GOOD, headers={"Content-Type": media}))) == 2


def test_a_large_body_is_413_and_too_many_rows_are_422(host: Caller) -> None:
    event_type = host.event_type()
    too_large = "label\n" + ("x" * 99 + "\n") * (MANY_ROWS // 100)

    assert_problem(send(host, event_type, too_large), 413, "payload-too-large")
    problem = assert_problem(send(host, event_type, "label\n" + "A\n" * 1001), 422, "invalid-value")
    assert places(problem) == [(1002, None, "/items")]
    assert count_of(host) == 0


def test_the_longest_list_of_faults_fits_a_response(host: Caller) -> None:
    """Lambda returns at most 6 MB; here every cell of 1,000 rows is invalid."""
    names = [name for name in EXPORT_COLUMNS if name.endswith(("Minutes", "At", "Count", "Enforce", "Kind"))]
    text = ",".join(names) + "\n" + (",".join(["<" + "é" * 60] * len(names)) + "\n") * 1000

    response = send(host, host.event_type(), text)

    assert_problem(response, 400, "invalid-request")
    assert len({fault["line"] for fault in response.json()["errors"]}) == 1000
    assert len(response.content) < 3_000_000


# Export


def test_an_export_has_the_same_links_as_the_list(site: Site, host: Caller) -> None:
    event_type = host.event_type()
    links = host.links(event_type, count=3, metadata={"crm": {"id": 17}}, recipient={"name": "Grace"})
    site.redeem(links[1], at(days=1))
    host.link()

    rows = rows_of(host.get("/v1/links/export", params={"eventTypeId": event_type["eventTypeId"]}))

    listed = host.list(eventTypeId=event_type["eventTypeId"])["links"]
    assert [row["linkId"] for row in rows] == [link["linkId"] for link in listed]
    for row, link in zip(rows, listed, strict=True):
        assert tuple(row) == EXPORT_COLUMNS
        for name in ("url", "status", "createdAt", "hostId", "eventTypeId"):
            assert row[name] == link[name]
        for name in ("usedAt", "label", "expiresAt"):
            assert row[name] == (link[name] or "")
        assert (row["usageCount"], row["maxUsageCount"]) == (str(link["usageCount"]), "1")
        assert (row["metadata"], row["recipientName"]) == ('{"crm":{"id":17}}', "Grace")


@pytest.mark.parametrize(
    "params", [{"status": "used"}, {"status": "revoked"}, {"q": "lead"}, {"q": "x-2"}, {}]
)
def test_an_export_has_the_filters_of_the_list(site: Site, host: Caller, params: dict[str, str]) -> None:
    event_type = host.event_type()
    items = [{"label": "Lead one"}, {"externalId": "x-2"}, {"label": "other"}]
    links = host.links(event_type, items=items)
    site.redeem(links[0], at(days=1))
    host.post(f"/v1/links/{links[1]['linkId']}/revoke")

    exported = rows_of(host.get("/v1/links/export", params=params))

    assert [row["linkId"] for row in exported] == [link["linkId"] for link in host.list(**params)["links"]]
    assert exported


def follow(caller: Caller, **params: str) -> list[httpx.Response]:
    """Return all pages of an export, following only the `Link` header, as a script does."""
    answers = [caller.get("/v1/links/export", params=params)]
    while "next" in answers[-1].links:
        url = answers[-1].links["next"]["url"]
        assert url.startswith(f"{BASE_URL}/v1/links/export?")
        answers.append(caller.get(url.removeprefix(BASE_URL)))
    return answers


def test_the_link_header_leads_through_all_pages(host: Caller) -> None:
    """P10: each link is on one page, and the URLs of the next pages keep the filters."""
    event_type = host.event_type()
    links = host.links(event_type, count=250, label="Größe & Ähnliches")
    host.links(event_type, count=3, label="else")

    answers = follow(host, limit="60", q="größe & ä")

    pages = [rows_of(answer) for answer in answers]
    assert [len(page) for page in pages] == [60, 60, 60, 60, 10]
    found = [row["linkId"] for page in pages for row in page]
    assert sorted(found) == sorted(link["linkId"] for link in links)
    assert all(a.headers["next-cursor"] for a in answers[:-1])
    assert "next-cursor" not in answers[-1].headers


def test_pages_with_one_header_row_concatenate_to_one_file(host: Caller) -> None:
    host.links(host.event_type(), count=7)

    answers = follow(host, limit="3", header="first")
    rows = list(
        csv.DictReader(io.StringIO("".join(answer.text for answer in answers), newline=""), strict=True)
    )

    assert len(rows) == len({row["linkId"] for row in rows}) == 7
    assert [answer.headers["content-type"].endswith("present") for answer in answers] == [True, False, False]


def test_a_page_ends_below_lambdas_response_limit(host: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imports, "_FULL", 1)
    host.links(host.event_type(), count=150)

    answers = follow(host)

    assert [len(rows_of(answer)) for answer in answers] == [100, 50]


def test_pages_of_the_largest_links_fit_a_response(host: Caller) -> None:
    """Metadata and overrides have 2 KB each, mostly quotes, which both CSV and Lambda's JSON double."""
    full = {"m": '"' * 1000}
    place = [{"kind": "phone", "detail": '"' * 480}] * 2
    text = {"metadata": full, "overrides": {"title": '"' * 20, "locations": place[:1]}}
    host.links(host.event_type(), count=400, **text)

    answers = follow(host)

    assert sum(len(rows_of(answer)) for answer in answers) == 400
    assert all(len(answer.content) < 4_500_000 for answer in answers)


def test_an_export_has_only_the_links_of_its_host(site: Site, host: Caller, other: Caller) -> None:
    """P9: a host exports its own links; an admin names the host."""
    link, theirs = host.link(), other.link()

    assert [row["linkId"] for row in rows_of(host.get("/v1/links/export"))] == [link["linkId"]]
    by_admin = rows_of(site.admin.get("/v1/links/export", params={"hostId": other.host_id or ""}))
    assert [row["linkId"] for row in by_admin] == [theirs["linkId"]]
    assert_problem(site.admin.get("/v1/links/export"), 422, "invalid-value", "/hostId")
    for params in ({"hostId": other.host_id or ""}, {"eventTypeId": theirs["eventTypeId"]}):
        assert_problem(host.get("/v1/links/export", params=params), 404, "not-found")
    assert rows_of(host.get("/v1/links/export", params={"q": theirs["linkId"]})) == []


@pytest.mark.parametrize(
    ("params", "status", "slug", "pointer"),
    [
        ({"limit": "0"}, 422, "invalid-value", "/limit"),
        ({"limit": "1001"}, 422, "invalid-value", "/limit"),
        ({"limit": "ten"}, 400, "invalid-request", "/limit"),
        ({"cursor": "made up"}, 422, "invalid-value", "/cursor"),
        ({"status": "gone"}, 400, "invalid-request", "/status"),
        ({"header": "none"}, 400, "invalid-request", "/header"),
        ({"batch": "x"}, 400, "invalid-request", "/batch"),
    ],
)
def test_the_parameters_of_an_export_are_checked(
    host: Caller, params: dict[str, str], status: int, slug: str, pointer: str
) -> None:
    assert_problem(host.get("/v1/links/export", params=params), status, slug, pointer)


# Round trip


def test_an_imported_export_creates_equal_links(host: Caller) -> None:
    event_type = host.event_type()
    items = [
        {
            "label": '=HYPERLINK("https://evil.example")',
            "metadata": {"k": ["'=1", {"n": None}]},
            "maxUsageCount": None,
        },
        {"label": "-1", "recipient": {"name": "+49 30", "email": "-a@invitees.example", "enforce": "email"}},
        {"externalId": "@x", "expiresAt": at(days=3), "notBefore": at(days=1), "restoreUseOnCancel": True},
        {
            "overrides": {
                "title": "'=2",
                "durationMinutes": 15,
                "locations": [{"kind": "phone", "detail": "+1"}],
            }
        },
    ]
    before = host.links(event_type, items=items)
    exported = host.get("/v1/links/export")

    after = imported(send(host, event_type, exported.content))

    assert not [
        cell for row in rows_of(exported) for cell in row.values() if cell[:1] in {"=", "+", "-", "@"}
    ]
    again = [ok(host.get(f"/v1/links/{row['linkId']}")) for row in after]
    fields = set(before[0]) - {"linkId", "url"}
    assert sorted(({f: link[f] for f in fields} for link in again), key=repr) == sorted(
        ({f: link[f] for f in fields} for link in before), key=repr
    )
    assert {link["linkId"] for link in again}.isdisjoint(link["linkId"] for link in before)


def test_formulas_are_stored_unchanged_and_returned_as_text(host: Caller) -> None:
    """The import's own response escapes them too, also in a rejected row."""
    text = "label,recipientEmail\n=1+1,\n'=1+1,\n=1+1,=nobody\n"

    rows = imported(send(host, host.event_type(), text, partial="true"))

    assert [row["label"] for row in rows] == ["'=1+1"] * 3
    assert rows[2]["recipientEmail"] == "'=nobody"
    assert {link["label"] for link in host.list()["links"]} == {"=1+1"}


# Preview


def preview(
    caller: Caller, event_type: dict[str, Any], text: str, headers: dict[str, str] = CSV
) -> httpx.Response:
    """Send a preview of an import."""
    params = {"eventTypeId": event_type["eventTypeId"]}
    return caller("POST", "/v1/links/import/preview", params=params, headers=headers, content=text.encode())


def test_a_preview_returns_each_row_and_creates_nothing(site: Site, host: Caller) -> None:
    event_type = host.event_type()
    before = len(site.items())

    shown = ok(preview(host, event_type, MIXED))

    assert (shown["good"], shown["bad"]) == (2, 2)
    assert [(row["line"], row["link"] is None) for row in shown["rows"]] == [
        *((2, False), (3, True), (4, True), (5, False))
    ]
    recipient = {"name": "", "email": "a@invitees.example", "enforce": "none"}
    assert shown["rows"][0]["link"] == {
        "recipient": recipient,
        "label": "A",
        "maxUsageCount": 1,
        "expiresAt": None,
        "notBefore": None,
    }
    assert [row["errors"] for row in shown["rows"][1:3]] == [
        [{"column": "recipientEmail", "detail": "is not an email address"}],
        [{"column": "durationMinutes", "detail": "must be a whole number"}],
    ]
    assert len(site.items()) == before
    assert count_of(host) == 0


def test_a_preview_warns_about_links_that_nobody_could_book(host: Caller) -> None:
    """The pointer counts all rows from 0; a problem of the event type itself is reported once."""
    text = "recipientEmail,durationMinutes\nnobody,480\na@invitees.example,\nb@invitees.example,480\n"
    mornings = {"timeZone": "UTC", "weekly": [{"days": ["mon"], "from": "09:00", "to": "12:00"}]}
    event_type = host.event_type(schedule=mornings)
    never = host.event_type(schedule={"timeZone": "UTC", "weekly": []})

    def pointers(kind: dict[str, Any], text: str) -> list[str]:
        return [warning["pointer"] for warning in preview(host, kind, text).json()["warnings"]]

    assert pointers(event_type, text) == ["/rows/2/overrides/durationMinutes"]
    assert pointers(never, text) == ["/eventTypeId"]
    assert pointers(host.event_type(), GOOD) == []


@pytest.mark.parametrize(
    "text", [GOOD, MIXED, MIXED.replace("x", "10"), "label,expiresAt\nA,2001-01-01T00:00:00Z\n"]
)
def test_a_preview_matches_its_import(host: Caller, text: str) -> None:
    """The import creates the valid rows of the preview, or reports the same errors."""
    event_type = host.event_type()
    shown = ok(preview(host, event_type, text))

    done = send(host, event_type, text)

    if shown["bad"]:
        found = [(fault["line"], fault["column"], fault["detail"]) for fault in done.json()["errors"]]
        expected = [
            (row["line"], error["column"], error["detail"])
            for row in shown["rows"]
            for error in row["errors"]
        ]
        assert found == expected
    else:
        assert len(imported(done)) == shown["good"] == len(shown["rows"])


def test_an_invalid_preview_is_rejected_like_its_import(host: Caller, other: Caller) -> None:
    """The file is too large, malformed or of another type, or its event type is another host's (P9)."""
    event_type = host.event_type()
    assert_problem(preview(host, event_type, "label\n" + "x" * MANY_ROWS), 413, "payload-too-large")
    assert_problem(preview(host, event_type, "nonsense\n1\n"), 400, "invalid-request")
    assert_problem(preview(host, event_type, "label\n"), 422, "invalid-value")
    assert_problem(preview(host, other.event_type(), GOOD), 404, "not-found")
    path = "/v1/links/import/preview"
    as_json = host.post(path, {}, params={"eventTypeId": event_type["eventTypeId"]})
    assert_problem(as_json, 415, "unsupported-media-type")
    assert_problem(host("POST", path, headers=CSV, content=GOOD), 400, "invalid-request", "/eventTypeId")
    worst = "label,expiresAt\n" + ("<" + "é" * 60 + "," + "<" * 60 + "\n") * 1000
    assert len(ok(preview(host, event_type, worst))["rows"]) == 1000
