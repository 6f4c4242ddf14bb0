"""No log line and no item ever contains a token or a key (P7)."""

import json
import logging
from typing import Any

import pytest

from chalicelib.domain.ids import ID_BYTES
from infra.local.http.request_handler import access_log, error_log
from tests.support.app import (
    BASE_URL,
    HTML,
    JSON,
    Caller,
    Site,
    at,
    created,
    forged,
    ok,
    path_of,
    running_site,
    token_of,
)
from tests.support.aws.engines import Table


def test_no_token_and_no_key_is_in_a_log_or_in_the_table(
    table: Table,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.INFO, access_log.name)
    caplog.set_level(logging.INFO, error_log.name)
    with running_site(table) as site:
        # Given every operation on links, and every way in which they fail
        host = site.host()
        secrets = [site.admin.key.secret, host.key.secret, *use_every_operation(site, host)]
        with monkeypatch.context() as broken:
            broken.setattr(type(site.world.store.links), "read", fail)
            link = host.link()
            secrets.append(token_of(link))
            assert site.visit(link, headers=HTML).status_code == 500
            assert site.redeem_form(link, at(days=30)).status_code in {303, 500}
            assert host.get(f"/v1/links/{link['linkId']}").status_code == 500
        dump = json.dumps(site.items(), default=repr)

    # Then no secret is left in the logs or in the table
    printed = capfd.readouterr()
    ours = [record for record in caplog.records if not record.name.startswith(("httpx", "httpcore"))]
    logged = (
        "\n".join(map(logging.Formatter("%(name)s %(message)s").format, ours)) + printed.out + printed.err
    )
    logged += json.dumps([vars(each) for each in ours if each.name.startswith("chalicelib")], default=repr)
    assert '"event": "request-failed"' in logged
    assert "GET /s/{token} 200" in logged
    assert "GET /s/{token} failed with 500: RuntimeError at " in logged
    assert len(secrets) > 10
    for secret in secrets:
        bare = secret.removeprefix("ao_")
        for where, text in (("log", logged), ("table", dump)):
            assert bare not in text, where
            assert bare.lower() not in text.lower(), where
        # nor a part that leaves fewer than 64 bits to guess: a token's signature, half of a key
        assert bare[-13:] not in logged + dump


def fail(*_: Any) -> Any:
    raise RuntimeError("fails for the test")


def use_every_operation(site: Site, host: Caller) -> list[str]:
    """Generate, list, find, open, misuse, redeem, change, revoke and delete links; return all secrets that existed."""
    event_type = host.event_type()
    body = {"eventTypeId": event_type["eventTypeId"], "count": 6, "label": "life"}
    links = created(host.post("/v1/links", body, headers={"Idempotency-Key": "life"}))["links"]
    secrets = [token_of(link) for link in links]
    used, formed, revoked, deleted, changed, soon = links
    ok(host.patch(f"/v1/links/{soon['linkId']}", {"notBefore": at(days=9)}))
    for link in links:
        ok(host.get("/v1/links", params={"q": link["url"]}))
        ok(host.get("/v1/links", params={"q": forged(token_of(link))}))
        for method in ("GET", "HEAD", "OPTIONS", "POST", "PUT", "DELETE", "BREW"):
            for path in ("", "/slots", "/redeem", "/nothing", "/"):
                site.client.request(method, path_of(link) + path + "?again=" + token_of(link), headers=HTML)
        site.client.post(f"{path_of(link)}/redeem", content=b"{" + token_of(link).encode(), headers=JSON)
        site.client.get(f"/v1/links/{token_of(link)}", headers=host.headers)
        site.client.get(f"/b/{token_of(link)}")
        site.client.get(f"/s/{forged(token_of(link))}")
    booking = created(site.redeem(used, at(days=1)))
    created(site.redeem(used, at(days=1)))
    location = site.redeem_form(formed, at(days=2)).headers["location"]
    secrets += [booking["url"].rpartition("/")[2], location.rpartition("/")[2].partition("?")[0]]
    for url in (booking["url"].removeprefix(BASE_URL), "/b/" + secrets[-1]):
        for accept in (HTML, JSON):
            assert site.client.get(url, headers=accept).status_code == 200
    ok(host.post(f"/v1/links/{revoked['linkId']}/revoke"))
    ok(host.post("/v1/links/bulk-delete", {"linkIds": [deleted["linkId"], token_of(deleted)]}))
    ok(host.patch(f"/v1/links/{changed['linkId']}", {"label": "new"}))
    for link in links:
        site.visit(link, headers=HTML)
        site.redeem(link, at(days=5))
    for caller in (host, site.admin):
        caller.get("/v1/hosts")
        caller.get(f"/v1/hosts/{caller.key.secret}", headers={"Authorization": f"Basic {caller.key.secret}"})
    assert len(secrets[0]) > ID_BYTES
    return secrets
