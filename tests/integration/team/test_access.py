"""Access to the team's API: every route with every kind of key (P7, P9)."""

import secrets
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import httpx
import pytest

import app
from chalicelib.domain.ids import BOOKING, EVENT_TYPE, HOST, LINK, WEBHOOK
from chalicelib.domain.team.api_keys import Role
from chalicelib.service.team.authenticate import NewKey, revoke_key
from tests.support.app import (
    ALL_DAY,
    CAUSE,
    Caller,
    Site,
    assert_problem,
    at,
    created,
    ok,
    path_of,
    unknown_id,
    without_correlation,
)


class Ids(NamedTuple):
    """The ids that a request names."""

    host: str
    event_type: str
    link: str
    booking: str
    request: str
    webhook: str


class Ask(NamedTuple):
    """One request."""

    path: str
    body: Any = None
    params: Mapping[str, str] | None = None
    csv: str | None = None

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments for httpx besides the method and the path."""
        body = {"json": self.body} if self.body is not None else {"content": self.csv} if self.csv else {}
        return {"params": self.params, "headers": self.headers} | body

    @property
    def headers(self) -> dict[str, str]:
        return {"Content-Type": "text/csv"} if self.csv else {}


NEW_HOST: Final = {"name": "New Host", "email": "new@hosts.example", "timeZone": "UTC"}
NEW_EVENT_TYPE: Final = {"title": "Talk", "durationMinutes": 30, "schedule": ALL_DAY}

HOOK_URL: Final = "https://hooks.example.com/admit-one"
CAL_COM: Final = "/v2/event-types/{eventTypeId}/private-links"
# Every route of the team's API, with a valid request for these ids.
ROUTES: Final[dict[tuple[str, str], Callable[[Ids], Ask]]] = {
    ("POST", "/v1/hosts"): lambda _: Ask("/v1/hosts", NEW_HOST),
    ("GET", "/v1/hosts"): lambda _: Ask("/v1/hosts"),
    ("GET", "/v1/me"): lambda _: Ask("/v1/me"),
    ("GET", "/v1/hosts/{hostId}"): lambda ids: Ask(f"/v1/hosts/{ids.host}"),
    ("PATCH", "/v1/hosts/{hostId}"): lambda ids: Ask(f"/v1/hosts/{ids.host}", {"name": "Changed"}),
    ("POST", "/v1/event-types"): lambda ids: Ask("/v1/event-types", {"hostId": ids.host} | NEW_EVENT_TYPE),
    ("GET", "/v1/event-types"): lambda ids: Ask("/v1/event-types", params={"hostId": ids.host}),
    ("GET", "/v1/event-types/{eventTypeId}"): lambda ids: Ask(f"/v1/event-types/{ids.event_type}"),
    ("PATCH", "/v1/event-types/{eventTypeId}"): lambda ids: Ask(
        f"/v1/event-types/{ids.event_type}", {"title": "Changed"}
    ),
    ("DELETE", "/v1/event-types/{eventTypeId}"): lambda ids: Ask(
        f"/v1/event-types/{ids.event_type}", params={"revokeLinks": "true"}
    ),
    ("POST", "/v1/links"): lambda ids: Ask("/v1/links", {"eventTypeId": ids.event_type}),
    ("GET", "/v1/links"): lambda ids: Ask("/v1/links", params={"hostId": ids.host}),
    ("GET", "/v1/links/{linkId}"): lambda ids: Ask(f"/v1/links/{ids.link}"),
    ("PATCH", "/v1/links/{linkId}"): lambda ids: Ask(f"/v1/links/{ids.link}", {"label": "changed"}),
    ("DELETE", "/v1/links/{linkId}"): lambda ids: Ask(f"/v1/links/{ids.link}"),
    ("POST", "/v1/links/{linkId}/revoke"): lambda ids: Ask(f"/v1/links/{ids.link}/revoke"),
    ("POST", "/v1/links/import"): lambda ids: Ask(
        "/v1/links/import", params={"eventTypeId": ids.event_type}, csv="label\nA\n"
    ),
    ("POST", "/v1/links/import/preview"): lambda ids: Ask(
        "/v1/links/import/preview", params={"eventTypeId": ids.event_type}, csv="label\nA\n"
    ),
    ("GET", "/v1/links/export"): lambda ids: Ask("/v1/links/export", params={"hostId": ids.host}),
    ("GET", "/v1/links/{linkId}/share"): lambda ids: Ask(f"/v1/links/{ids.link}/share"),
    ("GET", "/v1/links/{linkId}/qr.svg"): lambda ids: Ask(f"/v1/links/{ids.link}/qr.svg"),
    ("POST", "/v1/links/bulk-revoke"): lambda ids: Ask("/v1/links/bulk-revoke", {"linkIds": [ids.link]}),
    ("POST", "/v1/links/{linkId}/replace"): lambda ids: Ask(f"/v1/links/{ids.link}/replace"),
    ("POST", "/v1/links/{linkId}/send"): lambda ids: Ask(f"/v1/links/{ids.link}/send", {}),
    ("GET", "/v1/links/{linkId}/history"): lambda ids: Ask(f"/v1/links/{ids.link}/history"),
    ("GET", "/v1/link-requests"): lambda ids: Ask("/v1/link-requests", params={"hostId": ids.host}),
    ("POST", "/v1/link-requests/{requestId}/answer"): lambda ids: Ask(
        f"/v1/link-requests/{ids.request}/answer"
    ),
    ("GET", "/v1/event-types/{eventTypeId}/rolling-link"): lambda ids: Ask(
        f"/v1/event-types/{ids.event_type}/rolling-link"
    ),
    ("POST", "/v1/event-types/{eventTypeId}/rolling-link"): lambda ids: Ask(
        f"/v1/event-types/{ids.event_type}/rolling-link", {}
    ),
    ("GET", "/v1/bookings"): lambda ids: Ask("/v1/bookings", params={"linkId": ids.link}),
    ("GET", "/v1/bookings/{bookingId}"): lambda ids: Ask(f"/v1/bookings/{ids.booking}"),
    ("POST", "/v1/bookings/{bookingId}/cancel"): lambda ids: Ask(f"/v1/bookings/{ids.booking}/cancel"),
    ("POST", "/v1/bookings/{bookingId}/reschedule"): lambda ids: Ask(
        f"/v1/bookings/{ids.booking}/reschedule", {"start": at(days=2)}
    ),
    ("DELETE", "/v1/bookings/{bookingId}/personal-data"): lambda ids: Ask(
        f"/v1/bookings/{ids.booking}/personal-data"
    ),
    ("POST", "/v1/webhooks"): lambda ids: Ask("/v1/webhooks", {"hostId": ids.host, "url": HOOK_URL}),
    ("GET", "/v1/webhooks"): lambda ids: Ask("/v1/webhooks", params={"hostId": ids.host}),
    ("GET", "/v1/webhooks/{webhookId}"): lambda ids: Ask(f"/v1/webhooks/{ids.webhook}"),
    ("PATCH", "/v1/webhooks/{webhookId}"): lambda ids: Ask(
        f"/v1/webhooks/{ids.webhook}", {"description": "changed"}
    ),
    ("DELETE", "/v1/webhooks/{webhookId}"): lambda ids: Ask(f"/v1/webhooks/{ids.webhook}"),
    ("POST", "/v1/webhooks/{webhookId}/rotate"): lambda ids: Ask(f"/v1/webhooks/{ids.webhook}/rotate"),
    ("POST", "/v1/webhooks/{webhookId}/test"): lambda ids: Ask(f"/v1/webhooks/{ids.webhook}/test"),
    ("GET", "/v1/webhooks/{webhookId}/deliveries"): lambda ids: Ask(f"/v1/webhooks/{ids.webhook}/deliveries"),
    ("POST", "/v1/webhooks/{webhookId}/replay"): lambda ids: Ask(
        f"/v1/webhooks/{ids.webhook}/replay", {"from": at(), "to": at(days=1)}
    ),
    ("POST", CAL_COM): lambda ids: Ask(f"/v2/event-types/{ids.event_type}/private-links", {}),
    ("GET", CAL_COM): lambda ids: Ask(f"/v2/event-types/{ids.event_type}/private-links"),
    ("PATCH", CAL_COM + "/{linkId}"): lambda ids: Ask(
        f"/v2/event-types/{ids.event_type}/private-links/{ids.link}", {"maxUsageCount": 9}
    ),
    ("DELETE", CAL_COM + "/{linkId}"): lambda ids: Ask(
        f"/v2/event-types/{ids.event_type}/private-links/{ids.link}"
    ),
    ("POST", "/v1/links/bulk-delete"): lambda ids: Ask("/v1/links/bulk-delete", {"linkIds": [ids.link]}),
}
# The API description and the version are the same for everyone and read nothing from the table.
OPEN: Final = {(method, path) for method in ("GET", "HEAD") for path in ("/v1/openapi.json", "/v1/version")}
ADMIN_ONLY: Final = {("POST", "/v1/hosts"), ("GET", "/v1/hosts")}
WITHOUT_ID: Final = {("GET", "/v1/me")}  # describes the key itself
BULK: Final = {("POST", "/v1/links/bulk-revoke"), ("POST", "/v1/links/bulk-delete")}
every_route = pytest.mark.parametrize("route", list(ROUTES), ids=" ".join)


def ids_of(site: Site, caller: Caller) -> Ids:
    """Create an event type with a rolling link, a link, a booking, a link request and a webhook; return their ids."""
    link = caller.link(maxUsageCount=2, recipient={"email": "grace@invitees.example"})
    created(caller.post(f"/v1/event-types/{link['eventTypeId']}/rolling-link", {}))
    booking = created(site.redeem(link, at(days=1)))
    assert caller.host_id is not None
    dead = caller.link()
    ok(caller.post(f"/v1/links/{dead['linkId']}/revoke"))
    assert site.client.post(f"{path_of(dead)}/request", json={"email": "grace@x.example"}).status_code == 202
    [request] = ok(caller.get("/v1/link-requests", params={"hostId": caller.host_id}))["requests"]
    hook = created(caller.post("/v1/webhooks", {"url": HOOK_URL}))["webhookId"]
    return Ids(
        caller.host_id, link["eventTypeId"], link["linkId"], booking["bookingId"], request["requestId"], hook
    )


def unknown_ids() -> Ids:
    """Return well-formed ids that don't exist."""
    host, event_type, link, booking = (unknown_id(kind) for kind in (HOST, EVENT_TYPE, LINK, BOOKING))
    return Ids(host, event_type, link, booking, f"{unknown_id(LINK)}.{at()[:10]}.0", unknown_id(WEBHOOK))


def ask(caller: Caller, route: tuple[str, str], ids: Ids) -> httpx.Response:
    """Send the route's request for those ids."""
    request = ROUTES[route](ids)
    return caller(route[0], request.path, **request.arguments)


def assert_allowed(response: httpx.Response) -> None:
    assert response.status_code in {200, 201, 202, 204}, response.text
    assert '"problem"' not in response.text
    assert "error" not in response.headers.get("content-type", "")


def all_of(site: Site, ids: Ids) -> list[Any]:
    """Return everything that a host owns, as an admin sees it."""
    of_host = f"hostId={ids.host}"
    paths = (
        *(f"/v1/hosts/{ids.host}", f"/v1/event-types?{of_host}", f"/v1/links?{of_host}"),
        *(f"/v1/bookings?{of_host}", f"/v1/event-types/{ids.event_type}/rolling-link"),
        *(f"/v1/webhooks?{of_host}", f"/v1/webhooks/{ids.webhook}/deliveries"),
    )
    return [ok(site.admin.get(path)) for path in paths]


def test_every_route_of_the_team_has_an_authorizer_and_is_tested_here() -> None:
    """P9: fail for a new route that has no key check, or no line in `ROUTES`."""
    found = {
        (method, path): entry
        for path, methods in app.app.routes.items()
        if path.startswith(("/v1", "/v2"))
        for method, entry in methods.items()
        if method != "OPTIONS"  # lists the path's methods and reads nothing from the table
    }

    assert {route for route, entry in found.items() if entry.authorizer is None} == OPEN
    # The view of GET also handles HEAD, so the tests of GET cover it.
    heads = {route for route in found if route[0] == "HEAD"}
    for route in heads:
        assert found[route].view_function is found["GET", route[1]].view_function
    assert set(found) - OPEN - heads == set(ROUTES)
    # All other paths are the invitee's, static files, the landing page, or the console's page without data.
    elsewhere = {path.split("/")[1] for path in app.app.routes}
    assert elsewhere == {"v1", "v2", "s", "b", "assets", "console", ""}


NO_KEYS: Final = (
    *(None, "", "Bearer", "Bearer not-a-key", "Bearer ao_tooshort"),
    *(f"Bearer ao_{'!' * 43}", f"Basic {secrets.token_urlsafe(32)}"),
)


@every_route
def test_a_missing_or_malformed_key_is_401_and_reads_nothing(site: Site, route: tuple[str, str]) -> None:
    request = ROUTES[route](unknown_ids())
    for authorization in NO_KEYS:
        headers = request.headers | ({} if authorization is None else {"Authorization": authorization})

        with site.counting() as reads:
            response = site.client.request(route[0], request.path, **request.arguments | {"headers": headers})

        assert_problem(response, 401, "unauthorized")
        assert response.headers["www-authenticate"] == "Bearer"
        assert reads.calls == [], authorization


class Unchanged(NamedTuple):
    """A host's data for the requests that change nothing: its ids, and everything as it was at first."""

    owner: Caller
    ids: Ids
    everything: list[Any]


@pytest.fixture(scope="module")
def unchanged(whole_site: Site) -> Unchanged:
    owner = whole_site.host()
    ids = ids_of(whole_site, owner)
    return Unchanged(owner, ids, all_of(whole_site, ids))


def owned(site: Site, route: tuple[str, str], unchanged: Unchanged) -> tuple[Caller, Ids]:
    """Return a host and the ids of its data, which are a test's own if the route changes data."""
    if route[0] == "GET":
        return unchanged.owner, unchanged.ids
    host = site.host()
    return host, ids_of(site, host)


@every_route
def test_unknown_and_revoked_keys_get_the_same_401(
    site: Site, unchanged: Unchanged, route: tuple[str, str]
) -> None:
    ids = unchanged.ids
    key = site.key(Role.HOST, ids.host)
    stranger = Caller(site.client, NewKey(key.key, f"ao_{secrets.token_urlsafe(32)}"), None)

    unknown = ask(stranger, route, ids)
    revoke_key(site.world, key.key.key_id, CAUSE)
    revoked = ask(Caller(site.client, key, ids.host), route, ids)

    for response in (unknown, revoked):
        assert_problem(response, 401, "unauthorized")
    assert revoked.json() == unknown.json()
    assert all_of(site, ids) == unchanged.everything


@every_route
def test_a_host_key_reaches_its_own_data_and_no_admin_route(
    site: Site, unchanged: Unchanged, route: tuple[str, str]
) -> None:
    host, ids = owned(site, route, unchanged)

    response = ask(host, route, ids)

    if route in ADMIN_ONLY:
        assert_problem(response, 403, "forbidden")
    else:
        assert_allowed(response)


@every_route
def test_an_admin_key_may_use_every_route(site: Site, unchanged: Unchanged, route: tuple[str, str]) -> None:
    """P9: an admin key sees the whole team's data."""
    response = ask(site.admin, route, owned(site, route, unchanged)[1])

    assert_allowed(response)


@pytest.mark.parametrize(
    "route", [route for route in ROUTES if route not in ADMIN_ONLY | WITHOUT_ID], ids=" ".join
)
def test_another_hosts_data_looks_like_unknown_ids(
    site: Site, other: Caller, unchanged: Unchanged, route: tuple[str, str]
) -> None:
    """P9: a request for another host's data gets the same response as one for unknown ids, and changes nothing."""
    theirs, none = unchanged.ids, unknown_ids()

    foreign, unknown = ask(other, route, theirs), ask(other, route, none)

    if route in BULK:
        for response, ids in ((foreign, theirs), (unknown, none)):
            assert response.status_code == 200
            (result,) = response.json()["results"]
            assert result["linkId"] == ids.link
            assert result["problem"]["type"].endswith(":not-found")
            assert "status" not in result
        assert foreign.text.replace(theirs.link, "") == unknown.text.replace(none.link, "")
    else:
        assert (foreign.status_code, unknown.status_code) == (404, 404), foreign.text
        assert "not-found" in foreign.text
        assert without_correlation(foreign.json()) == without_correlation(unknown.json())
        names = set(foreign.headers) - {"x-correlation-id", "date"}
        assert {n: foreign.headers[n] for n in names} == {n: unknown.headers[n] for n in names}
        assert not [id_ for id_ in theirs if id_ in foreign.text]
    assert all_of(site, theirs) == unchanged.everything


def test_an_admin_with_a_host_of_its_own_acts_for_it_by_default(site: Site, host: Caller) -> None:
    both = Caller(site.client, site.key(Role.ADMIN, host.host_id), host.host_id)

    made = both.event_type()

    assert made["hostId"] == host.host_id
    assert [e["eventTypeId"] for e in both.get("/v1/event-types").json()["eventTypes"]] == [
        made["eventTypeId"]
    ]


@pytest.mark.parametrize("path", ["/v1/event-types", "/v1/links"])
def test_an_admin_without_a_host_must_name_one(site: Site, path: str) -> None:
    assert_problem(site.admin.get(path), 422, "invalid-value", "/hostId")


@pytest.mark.parametrize("path", ["/v1/event-types", "/v1/links"])
def test_an_id_of_another_kind_is_not_found(site: Site, host: Caller, path: str) -> None:
    for wrong in (host.host_id, "..", "%2e%2e", "lnk_", "x" * 2000, "%00", unknown_id(LINK).upper()):
        assert_problem(site.admin.get(f"{path}/{wrong}"), 404, "not-found")


def test_the_authorization_scheme_is_case_insensitive(host: Caller) -> None:
    response = host.get(f"/v1/hosts/{host.host_id}", headers={"Authorization": f"bEARER {host.key.secret}"})

    assert response.status_code == 200


def test_every_response_has_the_given_correlation_id_or_a_new_one(host: Caller) -> None:
    given = host.get("/v1/links/nothing", headers={"X-Correlation-Id": "order:17"})
    odd = host.get("/v1/links/nothing", headers={"X-Correlation-Id": "no spaces, please"})

    assert given.headers["x-correlation-id"] == given.json()["correlationId"] == "order:17"
    assert odd.headers["x-correlation-id"] == odd.json()["correlationId"] != "no spaces, please"
    assert given.headers["cache-control"] == "no-store"
    assert given.headers["x-content-type-options"] == "nosniff"
