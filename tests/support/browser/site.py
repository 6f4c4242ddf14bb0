"""Serve the app over HTTP with the real clock, for a browser; its links point to the server."""

import base64
import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

import app
from chalicelib import bootstrap
from chalicelib.domain.clock import rfc3339
from chalicelib.domain.team.api_keys import Role
from chalicelib.service.team.authenticate import make_key
from infra.local.http.server import serving
from tests.support.app import CAUSE, Caller, created, settings_for
from tests.support.aws.engines import Table
from tests.support.waiting import LIMIT


@dataclass
class LiveSite:
    """A running app; `url` is its root, without a trailing slash."""

    url: str
    client: httpx.Client
    admin: Caller
    table: Table

    def host(self, name: str = "Ada Lovelace") -> Caller:
        """Create a host and return a client with its key."""
        body = {"name": name, "email": "ada@hosts.example", "timeZone": "Europe/Berlin"}
        host_id = created(self.admin.post("/v1/hosts", body))["hostId"]
        key = make_key(bootstrap.world(), role=Role.HOST, host_id=host_id, name="e2e", cause=CAUSE)
        return Caller(self.client, key, host_id)

    def book(
        self, link: dict[str, Any], name: str = "Grace Hopper", answers: dict[str, str] | None = None
    ) -> dict[str, Any]:
        """Book a slot that starts after the tests have ended, if there is one, and return the booking."""
        return self.book_at(link, self.starts(link)[:7][-1], name, answers)

    def starts(self, link: dict[str, Any]) -> list[str]:
        """Return when a link's free slots start."""
        path = link["url"].removeprefix(self.url)
        return [slot["start"] for slot in self.client.get(f"{path}/slots").json()["slots"]]

    def book_at(
        self, link: dict[str, Any], start: str, name: str, answers: dict[str, str] | None = None
    ) -> dict[str, Any]:
        """Book a slot, and return the booking."""
        invitee = {"name": name, "email": f"{name.split(maxsplit=1)[0].lower()}@invitees.example"}
        body = {"start": start, "timeZone": "Europe/Berlin", "invitee": invitee}
        if answers:
            body["answers"] = answers
        path = link["url"].removeprefix(self.url)
        booking: dict[str, Any] = created(self.client.post(f"{path}/redeem", json=body))
        return booking

    def ask(self, link: dict[str, Any], **fields: str) -> None:
        """Request a new link on a dead link's page, as Grace."""
        asked = {"email": "grace@invitees.example", "name": "Grace", "message": "Another time?"} | fields
        path = link["url"].removeprefix(self.url)
        assert self.client.post(f"{path}/request", json=asked).status_code == 202

    def dead_link(self, host: Caller, **fields: Any) -> dict[str, Any]:
        """Create a link, revoke it, and return it."""
        link = host.link(**fields)
        assert host.post(f"/v1/links/{link['linkId']}/revoke").status_code == 200
        return link

    @contextmanager
    def ago(self, **units: float) -> Iterator[None]:
        """Set the app's clock back until the block ends."""
        world = bootstrap.world()
        then = replace(world, now=lambda: world.now() - timedelta(**units))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(bootstrap, "world", lambda: then)
            yield


def soon(**units: float) -> str:
    """Return the instant that long after now, in the JSON format."""
    return rfc3339((datetime.now(UTC) + timedelta(**units)).replace(microsecond=0))


@contextmanager
def live_site(table: Table) -> Iterator[LiveSite]:
    """Serve the app over a table until the block ends."""
    signing = {"current": 1, "keys": {"1": base64.b64encode(secrets.token_bytes(32)).decode()}}
    with pytest.MonkeyPatch.context() as patch, serving(app.app) as server:
        for name, value in settings_for(table, json.dumps(signing)).items():
            patch.setenv(name, value)
        patch.setenv("BASE_URL", server.url)
        patch.delenv("SIGNING_SECRET_ID", raising=False)
        bootstrap.forget()
        try:
            with httpx.Client(base_url=server.url, trust_env=False, timeout=LIMIT) as client:
                admin = make_key(bootstrap.world(), role=Role.ADMIN, host_id=None, name="admin", cause=CAUSE)
                yield LiveSite(server.url, client, Caller(client, admin, None), table)
        finally:
            bootstrap.forget()
