"""Malformed and oversized requests get a 4xx problem that names the fault, never a 500, and store nothing."""

from typing import Any, Final

import httpx
import pytest
from chalice.app import Request

from chalicelib import bootstrap
from chalicelib.api.http.call import FORM, JSON as JSON_TYPE, Call, Limits
from chalicelib.domain.errors import InvalidRequestError, PayloadTooLargeError
from tests.support.app import HTML, JSON, Caller, Site, assert_problem, at, created, ok, path_of, token_of

NOT_JSON: Final[dict[str, bytes]] = {
    "nothing": b"",
    "half": b'{"eventTypeId": ',
    "two": b"{} {}",
    "words": b"hello",
    "NaN": b'{"metadata": {"n": NaN}}',
    "Infinity": b'{"metadata": {"n": -Infinity}}',
    "a float beyond all floats": b'{"metadata": {"n": 1e400}}',
    "five thousand digits": b'{"metadata": {"n": ' + b"9" * 5000 + b"}}",
    "single quotes": b"{'eventTypeId': 'x'}",
    "comment": b"{} // no",
    "trailing comma": b'{"eventTypeId": "x",}',
    "leading zero": b'{"count": 01}',
    "byte order mark": b"\xef\xbb\xbf{}",
    "utf-16": '{"eventTypeId": "x"}'.encode("utf-16"),
    "not utf-8": b"\xff\xfe{}",
    "lone surrogate": b'{"label": "\\ud800"}',
    "lone surrogate in a name": b'{"metadata": {"\\udfff": 1}}',
    "raw line break": b'{"label": "a\nb"}',
    "nested without end": b'{"metadata": {"n": ' + b"[" * 50_000,
    "nested a thousand deep": b'{"metadata": {"n": ' + b"[" * 1000 + b"]" * 1000 + b"}}",
    "null": b"null",
    "list": b"[]",
    "text": b'"eventTypeId"',
    "number": b"7",
}
every_post = pytest.mark.parametrize("content", list(NOT_JSON.values()), ids=list(NOT_JSON))


def send(
    caller: Caller, method: str, path: str, content: bytes, content_type: str = JSON_TYPE
) -> httpx.Response:
    return caller(method, path, content=content, headers={"Content-Type": content_type})


@every_post
def test_a_body_that_is_not_a_json_object_is_400(host: Caller, content: bytes) -> None:
    link = host.link()
    before = [host.reread(link), host.list()]

    for method, path in (
        ("POST", "/v1/links"),
        ("PATCH", f"/v1/links/{link['linkId']}"),
        ("POST", "/v1/links/bulk-revoke"),
        ("POST", "/v1/event-types"),
        ("PATCH", f"/v1/event-types/{link['eventTypeId']}"),
        ("PATCH", f"/v1/hosts/{host.host_id}"),
        ("POST", f"{path_of(link)}/redeem"),
    ):
        problem = assert_problem(send(host, method, path, content), 400, "invalid-request")
        assert problem["errors"], (method, path)

    assert [host.reread(link), host.list()] == before


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ('"unknown": 1', ""),
        ('"event_type_id": "x"', ""),
        ('"count": "1"', "/count"),
        ('"count": 1.0', "/count"),
        ('"count": true', "/count"),
        ('"count": null', "/count"),
        ('"items": null', "/items"),
        ('"items": {}', "/items"),
        ('"items": [1]', "/items/0"),
        ('"items": [{}, {"label": 1}]', "/items/1/label"),
        ('"items": [{}, {"lable": "x"}]', "/items/1"),
        ('"items": [{"eventTypeId": "x"}]', "/items/0"),
        ('"maxUsageCount": "5"', "/maxUsageCount"),
        ('"expiresAt": "tomorrow"', "/expiresAt"),
        ('"expiresAt": "2041-01-01"', "/expiresAt"),
        ('"expiresAt": "2041-01-01T00:00:00"', "/expiresAt"),
        ('"expiresAt": 2240524800', "/expiresAt"),
        ('"recipient": "grace@invitees.example"', "/recipient"),
        ('"recipient": {"mail": "x"}', "/recipient"),
        ('"recipient": {"enforce": "always"}', "/recipient/enforce"),
        ('"overrides": []', "/overrides"),
        ('"overrides": {"slug": "x"}', "/overrides"),
        ('"overrides": {"durationMinutes": "30"}', "/overrides/durationMinutes"),
        ('"metadata": [1]', "/metadata"),
        ('"metadata": "x"', "/metadata"),
        ('"restoreUseOnCancel": 1', "/restoreUseOnCancel"),
        ('"label": 5', "/label"),
    ],
)
def test_an_unknown_field_or_a_wrong_type_is_400_with_a_pointer(
    host: Caller, fields: str, pointer: str
) -> None:
    event_type = host.event_type()
    content = f'{{"eventTypeId": "{event_type["eventTypeId"]}", {fields}}}'.encode()

    assert_problem(send(host, "POST", "/v1/links", content), 400, "invalid-request", pointer)

    assert host.list()["links"] == []


def test_the_last_of_two_equal_names_counts(host: Caller) -> None:
    """Most JSON parsers do the same; what is stored, hashed and returned is then the same value."""
    event_type = host.event_type()
    content = f'{{"eventTypeId": "{event_type["eventTypeId"]}", "label": "one", "label": "two"}}'.encode()

    (link,) = created(send(host, "POST", "/v1/links", content))["links"]

    assert link["label"] == host.reread(link)["label"] == "two"


@pytest.mark.parametrize("digits", [2**63, 2**64, -(2**63) - 1, 10**60, 10**400, 0.1, -0.0, 1e-7])
def test_metadata_numbers_are_returned_exactly(host: Caller, digits: float) -> None:
    link = host.link(metadata={"n": digits})

    assert repr(link["metadata"]["n"]) == repr(host.reread(link)["metadata"]["n"]) == repr(digits)


@pytest.mark.parametrize("depth", [31, 32, 100, 700, 900, *range(940, 1000, 3)])
def test_metadata_within_its_depth_limit_is_readable_and_deeper_is_rejected(
    site: Site, host: Caller, depth: int
) -> None:
    """Metadata that can be written but not read back would make whole lists unreadable."""
    event_type = host.event_type()
    nested = "[" * (depth - 1) + "]" * (depth - 1)
    content = f'{{"eventTypeId": "{event_type["eventTypeId"]}", "metadata": {{"n": {nested}}}}}'.encode()

    response = send(host, "POST", "/v1/links", content)

    if depth > 32:
        assert response.status_code in {400, 422}, response.text
        assert host.list()["links"] == []
    else:
        link = created(response)["links"][0]
        assert host.list()["links"] == [link]
        assert ok(host.patch(f"/v1/links/{link['linkId']}", {"label": "x"})) == link | {"label": "x"}
        created(site.redeem(link, at(days=1)))


def test_invalid_utf8_in_a_text_becomes_replacement_characters(host: Caller) -> None:
    """API Gateway replaces invalid bytes before the app sees them, and so does the local server."""
    event_type = host.event_type()
    content = f'{{"eventTypeId": "{event_type["eventTypeId"]}", "label": "'.encode() + b'a\xff\xfe"}'

    response = send(host, "POST", "/v1/links", content)

    assert created(response)["links"][0]["label"] == "a\ufffd\ufffd"


@pytest.mark.parametrize(
    ("method", "path", "most"),
    [
        ("POST", "/v1/links", 3_500_000),
        ("PATCH", "/v1/links/{link}", 64 * 1024),
        ("POST", "/v1/links/bulk-delete", 64 * 1024),
        ("POST", "/v1/event-types", 64 * 1024),
        ("PATCH", "/v1/event-types/{event_type}", 64 * 1024),
        ("PATCH", "/v1/hosts/{host}", 64 * 1024),
        ("POST", "{opens}/redeem", 64 * 1024),
    ],
)
def test_a_body_above_the_limit_is_413_and_one_at_the_limit_is_read(
    host: Caller, method: str, path: str, most: int
) -> None:
    link = host.link()
    ids = {"link": link["linkId"], "event_type": link["eventTypeId"], "host": host.host_id}
    path = path.format(**ids, opens=path_of(link))

    fits = send(host, method, path, b"{" + b" " * (most - 1))
    over = send(host, method, path, b"{" + b" " * most)
    wide = send(host, method, path, b'{"x": "' + "ä".encode() * (most // 2))  # counted in bytes

    assert_problem(fits, 400, "invalid-request")
    assert_problem(over, 413, "payload-too-large")
    assert_problem(wide, 413, "payload-too-large")


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/xml",
        "multipart/form-data; boundary=x",
        FORM,
        "application/octet-stream",
        "json",
    ],
)
def test_another_content_type_is_415(site: Site, host: Caller, content_type: str) -> None:
    link = host.link()
    for method, path in (
        ("POST", "/v1/links"),
        ("PATCH", f"/v1/links/{link['linkId']}"),
        ("POST", "/v1/links/bulk-revoke"),
        ("POST", "/v1/event-types"),
        ("PATCH", f"/v1/hosts/{host.host_id}"),
    ):
        response = send(host, method, path, b"{}", content_type)
        assert_problem(response, 415, "unsupported-media-type")
    if content_type != FORM:
        response = site.client.post(
            f"{path_of(link)}/redeem", content=b"{}", headers=JSON | {"Content-Type": content_type}
        )
        assert_problem(response, 415, "unsupported-media-type")


@pytest.mark.parametrize(
    "content_type", ["application/json; charset=utf-8", "Application/JSON", "application/json ;x=y"]
)
def test_the_json_content_type_may_have_parameters_and_any_case(host: Caller, content_type: str) -> None:
    event_type = host.event_type()
    content = f'{{"eventTypeId": "{event_type["eventTypeId"]}"}}'.encode()

    created(send(host, "POST", "/v1/links", content, content_type))


@pytest.mark.parametrize(
    "content",
    [
        b"start",
        b"start=%ff",
        b"timeZone=UTC&timeZone=UTC",
        b"&".join(b"answers.f%d=1" % number for number in range(300)),
        b"colour=red",
        b"start=now",
        b"start=2210500800",
        b"start=2040-01-03T10:00:00",
        b"start=2040-01-03T10:00:00Z&location=one",
        b"start=2040-01-03T10:00:00Z&location=" + b"9" * 5000,
    ],
    ids=lambda content: content.decode("latin-1")[:40],
)
def test_a_malformed_form_is_400_as_a_page_or_a_problem_and_books_nothing(
    site: Site, host: Caller, content: bytes
) -> None:
    link = host.link()
    path, type_of = f"{path_of(link)}/redeem", {"Content-Type": FORM}

    page = site.client.post(path, content=content, headers=HTML | type_of)
    problem = site.client.post(path, content=content, headers=JSON | type_of)

    assert (page.status_code, page.headers["content-type"]) == (400, "text/html; charset=utf-8")
    assert_problem(problem, 400, "invalid-request")
    assert host.reread(link)["usageCount"] == 0


def call(body: str, *, base64: bool) -> Call:
    """Return a call with API Gateway's event, bypassing the local server."""
    event = {
        "multiValueQueryStringParameters": None,
        "headers": {"content-type": JSON_TYPE},
        "pathParameters": {},
        "requestContext": {"httpMethod": "POST", "resourcePath": "/"},
        "stageVariables": None,
        "body": body,
        "isBase64Encoded": base64,
    }
    limits = Limits(query=(), max_bytes=100, media=(JSON_TYPE,))
    return Call(Request(event), limits, world=bootstrap.world, settings=bootstrap.settings)


@pytest.mark.parametrize(
    ("body", "base64"),
    [("/w==", True), ("not base64!", True), ("e30", True), ('{"x": "\ud800"}', False), ("\ud800", False)],
)
def test_a_body_that_cannot_be_decoded_is_rejected(body: str, base64: bool) -> None:
    with pytest.raises(InvalidRequestError):
        call(body, base64=base64).decode(dict[str, Any])


def test_the_size_limit_applies_to_the_decoded_base64_body() -> None:
    fits = "A" * 132 + "AA=="  # 100 bytes

    assert len(call(fits, base64=True).body()) == 100
    with pytest.raises(PayloadTooLargeError):
        call("A" * 136, base64=True).body()


def test_unknown_query_parameters_of_a_page_are_ignored(site: Site, host: Caller) -> None:
    """Mail programs and social sites add parameters to links; the page must still open."""
    link = host.link()
    booking = created(site.redeem(host.link(), at(days=1)))
    pages = [path_of(link), booking["url"].partition(".example")[2]]
    for path in pages:
        for accept in (HTML, JSON):
            for query in (
                "utm_source=mail&utm_source=again",
                "fbclid=x&from=&timeZone=",
                "timeZone=a&timeZone=b",
            ):
                response = site.client.get(f"{path}?{query}", headers=accept)
                assert response.status_code == 200, (path, query)
    assert token_of(link) not in site.client.get(f"{path_of(link)}?next=x").headers.get("location", "")


@pytest.mark.parametrize(
    ("path", "status", "slug", "pointer"),
    [
        ("/v1/links?limit=0", 422, "invalid-value", "/limit"),
        ("/v1/links?limit=201", 422, "invalid-value", "/limit"),
        ("/v1/links?limit=ten", 400, "invalid-request", "/limit"),
        ("/v1/links?limit=5&limit=6", 400, "invalid-request", "/limit"),
        ("/v1/links?status=dead", 400, "invalid-request", "/status"),
        ("/v1/links?q=", 422, "invalid-value", "/q"),
        ("/v1/links?q=%00", 422, "invalid-value", "/q"),
        ("/v1/links?q=" + "x" * 301, 422, "invalid-value", "/q"),
        ("/v1/links?page=2", 400, "invalid-request", "/page"),
        ("/v1/event-types?status=active", 400, "invalid-request", "/status"),
        ("/v1/event-types?limit=0", 422, "invalid-value", "/limit"),
    ],
)
def test_an_undocumented_query_is_rejected(
    host: Caller, path: str, status: int, slug: str, pointer: str
) -> None:
    assert_problem(host.get(path), status, slug, pointer)
