"""The signature checks in docs/webhooks.md accept real deliveries and nothing else."""

import dataclasses
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from chalicelib import bootstrap
from chalicelib.clients.webhook_http import WebhookHttp
from tests.support.app import Caller, Site
from tests.support.endpoints import Endpoint
from tests.support.webhooks import Hooks, hooks_of

pytestmark = pytest.mark.clock

GUIDE = Path(__file__).parents[3] / "docs" / "webhooks.md"


def shown(mark: str, name: str) -> Callable[..., Any]:
    """Return a function from the guide's code, as a reader would copy it."""
    part = GUIDE.read_text().split(f"<!-- {mark} -->")[1].split(f"<!-- end of {mark} -->")[0]
    (code,) = re.findall(r"```python\n(.*?)```", part, re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(code, GUIDE.name, "exec"), names)  # noqa: S102 - the guide's code is what is tested
    found: Callable[..., Any] = names[name]
    return found


@pytest.fixture
def hooks(site: Site, monkeypatch: pytest.MonkeyPatch) -> Hooks:
    """Return webhooks on the real clock, because receivers reject timestamps more than five minutes off."""
    site.clock.now = datetime.now(UTC)
    found = hooks_of(site, webhook_http=WebhookHttp(local=True))
    monkeypatch.setattr(bootstrap, "_made", (bootstrap.settings(), found.world))
    return found


def test_the_guides_checks_accept_only_genuine_deliveries(hooks: Hooks, host: Caller) -> None:
    handle, genuine = shown("verify", "handle"), shown("verify by hand", "genuine")
    with Endpoint() as endpoint:
        webhook = hooks.make(host, endpoint)
        hooks.fan_out_event(host, "booking.confirmed")
        hooks.pump()
        rotated = host.post(f"/v1/webhooks/{webhook['webhookId']}/rotate").json()
        hooks.fan_out_event(host, "booking.cancelled")
        hooks.pump()

    first, second = endpoint.requests
    old, new = webhook["secret"], rotated["secret"]
    assert handle(old, first.body, first.headers) == (204, "booking.confirmed")
    for secret in (old, new):
        assert handle(secret, second.body, second.headers) == (204, "booking.cancelled")
        assert genuine(secret, second.body, second.headers)
    stale = first.headers | {"webhook-timestamp": str(int(first.headers["webhook-timestamp"]) - 400)}
    for secret, body, headers in (
        (new, first.body, first.headers),
        (old, first.body + b" ", first.headers),
        (old, first.body, first.headers | {"webhook-id": "evt_other"}),
        (old, first.body, stale),
    ):
        assert handle(secret, body, headers)[0] == 401
        assert not genuine(secret, body, headers)
    request = dataclasses.asdict(first)
    assert request["method"] == "POST"
