"""Signing keys can be rotated while links are in use: no step invalidates a token (P7)."""

import base64
import json
import secrets as randomness
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chalicelib import bootstrap
from infra.local.aws import local_client
from infra.local.engines.ministack import Ministack
from infra.operate.signing_keys import add_key, count_carriers, retire_key, use_newest
from infra.stack.account import DeployError
from tests.support.app import JSON, Site, at, created, running_site, token_of
from tests.support.aws.engines import new_table

LATER = datetime.now(UTC) + timedelta(hours=1)


@pytest.fixture
def secret(ministack: Ministack) -> str:
    """A stage's first signing secret, as Secrets Manager makes it."""
    name = f"signing-{randomness.token_hex(4)}"
    document = {"current": 1, "keys": {}, "first": randomness.token_urlsafe(48)}
    local_client("secretsmanager", ministack.endpoint_url).create_secret(
        Name=name, SecretString=json.dumps(document)
    )
    return name


@pytest.fixture
def client(ministack: Ministack) -> Any:
    """Secrets Manager."""
    return local_client("secretsmanager", ministack.endpoint_url)


@pytest.fixture
def site(ministack: Ministack, secret: str) -> Iterator[Site]:
    """A site that signs with the keys of the secret, and reads it when its world is created."""
    with running_site(new_table(ministack.endpoint_url)) as site, pytest.MonkeyPatch.context() as patch:
        patch.delenv("SIGNING_KEYS")
        patch.setenv("SIGNING_SECRET_ID", secret)
        patch.setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", ministack.endpoint_url)
        bootstrap.forget()
        yield site


def opens(site: Site, url: str) -> bool:
    path = url.removeprefix("https://admit.example")
    return site.client.get(path, headers=JSON).status_code == 200


def signed_by(link: dict[str, Any]) -> int:
    return base64.urlsafe_b64decode(token_of(link))[0]


def test_a_rotation_invalidates_no_link_and_retires_only_unused_keys(
    site: Site, client: Any, secret: str
) -> None:
    """P7: links of the old and the new key both work, also in a function that has not read the secret again."""
    host = site.host()
    event_type = host.event_type()
    old = host.link(event_type)
    booking = created(site.redeem(host.link(event_type), at(days=1)))

    assert add_key(client, secret) == 2
    assert signed_by(host.link(event_type)) == 1
    bootstrap.forget()  # every function has read the secret again
    with pytest.raises(DeployError, match="may not have key 2"):
        use_newest(client, secret, datetime.now(UTC))
    ring = bootstrap.world().keyring()
    assert use_newest(client, secret, LATER) == 2
    stale = bootstrap.world().keyring()  # the keys of a function that has not read the secret again
    assert (stale.current, set(stale.keys)) == (ring.current, {1, 2})

    bootstrap.forget()
    new = host.link(event_type)
    assert signed_by(new) == 2
    assert all(opens(site, url) for url in (old["url"], new["url"], booking["url"]))
    assert host.reread(old)["url"] == old["url"]

    dynamodb = local_client("dynamodb", site.table.endpoint_url)
    carriers = count_carriers(dynamodb, site.table.name, 1)
    assert carriers == {"links": 3, "bookings": 1}
    with pytest.raises(DeployError, match="3 links and 1 bookings still carry key 1"):
        retire_key(client, secret, 1, carriers)
    assert opens(site, old["url"])

    retire_key(client, secret, 1, {"links": 0, "bookings": 0})
    bootstrap.forget()
    assert not opens(site, old["url"])
    assert opens(site, new["url"])
    assert host.reread(old)["url"] is None  # it can't be computed any more, and opens nothing


def test_steps_out_of_order_are_refused(client: Any, secret: str) -> None:
    """Nothing is written by a step whose time has not come."""
    with pytest.raises(DeployError, match="signs already"):
        use_newest(client, secret, LATER)
    add_key(client, secret)
    before = client.get_secret_value(SecretId=secret)["SecretString"]
    with pytest.raises(DeployError, match="STEP=use is next"):
        add_key(client, secret)
    with pytest.raises(DeployError, match="Key 1 signs"):
        retire_key(client, secret, 1, {})
    with pytest.raises(DeployError, match="no key 7"):
        retire_key(client, secret, 7, {})
    assert client.get_secret_value(SecretId=secret)["SecretString"] == before
