"""CORS: only scripts of the origins that the settings list may read the API's responses (P9)."""

import re
from collections.abc import Iterator
from typing import Any, Final

import httpx
import pytest

import app
from chalicelib import bootstrap
from chalicelib.api.http.cors import ALLOWED_HEADERS, EXPOSED_HEADERS
from chalicelib.api.routes import PREFLIGHT, ROUTERS
from chalicelib.settings import read_settings
from infra.local.engines.engine import Engine
from infra.local.http.server import serving
from tests.support.app import (
    BASE_URL,
    HTML,
    JSON,
    Caller,
    Site,
    at,
    created,
    path_of,
    redeem_body,
    running_site,
    unknown_id,
)
from tests.support.aws.engines import new_table

LISTED: Final = "https://app.example"
OTHER: Final = "http://localhost:3000"
STRANGERS: Final = (
    *("https://evil.example", "https://app.example.evil.example", "http://app.example", "null", ""),
    *("https://app.example:8443", "https://sub.app.example", "HTTPS://APP.EXAMPLE", f"{LISTED}, {OTHER}"),
)
ROUTES: Final = sorted(route.path for router in ROUTERS for route in router.routes)
PUBLIC: Final = "/v1/openapi.json"  # any site may read it; tests/integration/http/test_caching.py
SHARED: Final = sorted({path for path in ROUTES if path.startswith(("/v1", "/v2", "/s/", "/b/"))} - {PUBLIC})
BARE: Final = {"TABLE_NAME": "t", "SIGNING_KEYS": "k"}


@pytest.fixture(scope="module")
def site(table_engine: Engine) -> Iterator[Site]:
    """Run a site with two listed origins."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CORS_ORIGINS", f"{LISTED}, {OTHER}")
        with running_site(new_table(table_engine.endpoint_url, stream=False)) as running:
            yield running


@pytest.fixture(scope="module")
def caller(site: Site) -> Caller:
    return site.host()


@pytest.fixture(scope="module")
def answers(caller: Caller) -> list[tuple[str, str, dict[str, Any]]]:
    """Return requests with every kind of outcome: successful, and rejected in every way."""
    link = caller.link(caller.event_type())
    event_type = caller.event_type()
    return [
        ("GET", "/v1/me", {}),
        ("GET", "/v1/openapi.json", {}),
        ("GET", f"/v1/links/{link['linkId']}/qr.svg", {}),
        ("GET", f"/v1/links/{unknown_id('lnk')}", {}),
        ("POST", "/v1/links", {"json": {"eventTypeId": event_type["eventTypeId"]}}),
        ("POST", "/v1/links", {"content": b"{"}),
        ("POST", "/v1/links", {"json": {"eventTypeId": event_type["eventTypeId"], "count": 0}}),
        ("GET", "/v1/hosts", {}),
        ("POST", "/v1/links", {"content": b"x" * 6_000_000}),
        ("POST", f"/v2/event-types/{unknown_id('ety')}/private-links", {"json": {}}),
        ("GET", path_of(link), {"headers": JSON}),
        ("GET", f"{path_of(link)}/slots", {"headers": JSON}),
        ("GET", "/s/forged", {"headers": JSON}),
        ("GET", "/b/forged", {"headers": JSON}),
        ("POST", f"{path_of(link)}/redeem", {"json": {}, "headers": JSON}),
    ]


@pytest.fixture
def unlisted(site: Site) -> Iterator[None]:
    """List no origin, as by default."""
    del site
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("CORS_ORIGINS")
        bootstrap.forget()
        yield
    bootstrap.forget()


def cors_of(answer: httpx.Response) -> dict[str, str]:
    """Return a response's CORS headers."""
    return {name: value for name, value in answer.headers.items() if name.startswith("access-control-")}


def varies(answer: httpx.Response) -> list[str]:
    return [each.strip() for each in answer.headers.get("vary", "").split(",") if each.strip()]


def readable_at(origin: str) -> dict[str, str]:
    return {
        "access-control-allow-origin": origin,
        "access-control-expose-headers": ", ".join(EXPOSED_HEADERS),
    }


def filled(path: str) -> str:
    return re.sub(r"{\w+}", "x", path)


def preflight(site: Site, path: str, origin: str, method: str = "POST") -> httpx.Response:
    fields = {"Access-Control-Request-Method": method, "Access-Control-Request-Headers": "authorization"}
    return site.client.options(filled(path), headers={"Origin": origin, **fields})


class TestPreflight:
    """Every route of the API answers OPTIONS without a key, and changes nothing (P5)."""

    @pytest.mark.parametrize("path", SHARED)
    def test_a_listed_origin_gets_the_allowed_methods_and_headers(self, site: Site, path: str) -> None:
        methods = [
            method
            for router in ROUTERS
            for route in router.routes
            if route.path == path
            for method in route.methods
        ]
        if "GET" in methods and "HEAD" not in methods:
            methods.append("HEAD")  # works wherever GET does, but is not in the description
        for origin in (LISTED, OTHER):
            answer = preflight(site, path, origin)
            assert (answer.status_code, answer.content) == (204, b"")
            assert cors_of(answer) == readable_at(origin) | {
                "access-control-allow-methods": ", ".join([*methods, "OPTIONS"]),
                "access-control-allow-headers": ", ".join(ALLOWED_HEADERS),
                "access-control-max-age": "600",
            }
            assert answer.headers["allow"] == answer.headers["access-control-allow-methods"]
            assert "Origin" in varies(answer)

    def test_an_unlisted_origin_gets_no_cors_headers(self, site: Site) -> None:
        for origin in STRANGERS:
            answer = preflight(site, "/v1/links", origin)
            assert (answer.status_code, cors_of(answer)) == (204, {}), origin
            assert varies(answer) == ["Origin"]

    def test_no_origin_gets_cors_headers_if_none_is_listed(self, site: Site, unlisted: None) -> None:
        del unlisted
        for path in SHARED:
            answer = preflight(site, path, LISTED)
            assert (answer.status_code, cors_of(answer), varies(answer)) == (204, {}, []), path

    def test_it_reads_nothing_and_is_the_same_for_real_and_guessed_links(self, site: Site) -> None:
        link = site.host().link()
        before = site.items()
        with site.counting() as reads:
            answers = [preflight(site, path, LISTED) for path in (path_of(link), "/s/guess", "/b/guess")]
            preflight(site, f"{path_of(link)}/redeem", LISTED)
            preflight(site, "/v1/links", LISTED)
        assert reads.calls == []
        assert site.items() == before
        assert cors_of(answers[0]) == cors_of(answers[1]) == cors_of(answers[2])

    def test_it_exists_only_for_the_apis_paths(self) -> None:
        """Other sites' scripts have no use for the pages, the console and the files."""
        assert {route.path for route in PREFLIGHT.routes} == {*SHARED, PUBLIC}
        served = {path for path, methods in app.app.routes.items() if "OPTIONS" in methods}
        assert served == {*SHARED, PUBLIC}
        assert all(app.app.routes[path]["OPTIONS"].authorizer is None for path in SHARED)


class TestAnswers:
    """Only scripts of listed origins can read responses, including errors."""

    def send(self, caller: Caller, request: tuple[str, str, dict[str, Any]], origin: str) -> httpx.Response:
        method, path, how = request
        headers = how.get("headers", {}) | {"Origin": origin}
        return caller(method, path, **{**how, "headers": headers})

    def test_a_listed_origin_is_echoed(
        self, caller: Caller, answers: list[tuple[str, str, dict[str, Any]]]
    ) -> None:
        seen = set()
        for request in answers:
            for origin in (LISTED, OTHER):
                answer = self.send(caller, request, origin)
                seen.add(answer.status_code)
                if request[1] == PUBLIC:
                    assert cors_of(answer) == readable_at("*")
                    continue
                assert cors_of(answer) == readable_at(origin), request
                assert varies(answer)[-1] == "Origin"
                assert "access-control-allow-credentials" not in answer.headers
        assert seen >= {200, 201, 400, 403, 404, 413, 422}

    def test_an_unlisted_origin_is_not_echoed(
        self, caller: Caller, answers: list[tuple[str, str, dict[str, Any]]]
    ) -> None:
        for request in answers:
            for origin in STRANGERS:
                answer = self.send(caller, request, origin)
                if request[1] == PUBLIC:
                    continue
                assert cors_of(answer) == {}, (request, origin)
                assert varies(answer)[-1] == "Origin"

    def test_a_response_to_a_request_without_an_origin_varies_by_origin(self, caller: Caller) -> None:
        """Otherwise a cache could return it, without CORS headers, to a listed origin."""
        answer = caller.get("/v1/me")
        assert (cors_of(answer), varies(answer)) == ({}, ["Origin"])

    def test_no_response_has_cors_headers_if_none_is_listed(
        self, caller: Caller, answers: list[tuple[str, str, dict[str, Any]]], unlisted: None
    ) -> None:
        del unlisted
        for request in answers:
            answer = self.send(caller, request, LISTED)
            if request[1] == PUBLIC:
                continue
            assert cors_of(answer) == {}, request
            assert "Origin" not in varies(answer)

    def test_pages_and_files_never_have_cors_headers(self, site: Site, caller: Caller) -> None:
        link = caller.link()
        booking = created(site.redeem(caller.link(), at(days=1, hours=2)))
        own = booking["url"].removeprefix(BASE_URL)
        for path in (path_of(link), "/s/forged", own, "/b/forged", "/", "/console", "/assets/base.css"):
            answer = site.client.get(path, headers=HTML | {"Origin": LISTED})
            assert cors_of(answer) == {}, path
        answer = site.client.get(path_of(link), headers=HTML)
        assert varies(answer) == ["Accept", "Accept-Language", "Origin"]

    def test_a_script_can_book_and_see_that_a_retry_was_replayed(self, site: Site, caller: Caller) -> None:
        """P4: a listed origin's script can read the booking, and the header that marks a replayed response."""
        link, body = caller.link(), redeem_body(at(days=2, hours=2))
        headers = JSON | {"Origin": LISTED, "Idempotency-Key": "one"}
        first, again = (
            site.client.post(f"{path_of(link)}/redeem", json=body, headers=headers) for _ in range(2)
        )
        assert (first.status_code, again.status_code) == (201, 201)
        assert again.json()["bookingId"] == first.json()["bookingId"]
        assert again.headers["idempotent-replayed"] == "true"
        exposed = {name.strip().lower() for name in again.headers["access-control-expose-headers"].split(",")}
        assert {"idempotent-replayed", "x-correlation-id"} <= exposed

    def test_a_listed_origin_can_read_an_internal_error(self, site: Site, caller: Caller) -> None:
        with site.failing("Query", RuntimeError("a defect")):
            answer = caller.get("/v1/links", headers={"Origin": LISTED})
        assert (answer.status_code, cors_of(answer)) == (500, readable_at(LISTED))


@pytest.mark.parametrize(
    ("listed", "allowed"), [("", None), (LISTED, "*"), (f"{LISTED} {OTHER}", "*")], ids=["0", "1", "2"]
)
def test_the_local_servers_own_responses_have_api_gateways_cors_headers(
    site: Site, listed: str, allowed: str | None
) -> None:
    """API Gateway's headers are fixed: `*` if any origin is listed."""
    del site
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CORS_ORIGINS", listed)
        with serving(app.app) as server, httpx.Client(base_url=server.url, trust_env=False) as client:
            for path in ("/v1/me", "/nowhere"):
                answer = client.get(path, headers={"Origin": "https://evil.example"})
                assert answer.status_code in {401, 404}
                assert cors_of(answer) == (readable_at(allowed) if allowed else {}), path


@pytest.mark.parametrize(
    ("text", "origins"),
    [
        ("", ()),
        (" , ", ()),
        (LISTED, (LISTED,)),
        (f"{LISTED},{OTHER}", (LISTED, OTHER)),
        (f"{LISTED} {OTHER}", (LISTED, OTHER)),
        (f"{LISTED}, {OTHER}", (LISTED, OTHER)),
        ("https://xn--bcher-kva.example:8443", ("https://xn--bcher-kva.example:8443",)),
    ],
)
def test_cors_origins_are_read_from_the_setting(text: str, origins: tuple[str, ...]) -> None:
    assert read_settings(BARE | {"CORS_ORIGINS": text}).cors_origins == origins


@pytest.mark.parametrize(
    "text",
    [
        *("*", "null", "https:", "app.example", "https://app.example/", "https://*.example", "https://u@a.example"),
        *("HTTPS://app.example", "https://App.example", "https://a.example:443", "http://a.example:80"),
        *("https://a.example:port", "https://bücher.example", "https://a.example;x", "javascript://a.example"),
    ],
)  # fmt: skip
def test_an_invalid_origin_is_a_setting_error(text: str) -> None:
    """A typo would silently allow nobody; a wildcard would allow anyone who gets a subdomain."""
    with pytest.raises(RuntimeError, match="CORS_ORIGINS"):
        read_settings(BARE | {"CORS_ORIGINS": f"https://fine.example {text}"})
