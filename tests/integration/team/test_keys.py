"""`make key`, `make keys`, `make revoke-key` and the sample data of `make run`: secrets are shown once (P7)."""

import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chalicelib.domain.ids import HOST
from chalicelib.domain.team.api_keys import Role
from infra.local import backend
from infra.local.seed import seed
from infra.operate import api_keys
from tests.support.app import (
    BASE_URL,
    HTML,
    JSON,
    Caller,
    Site,
    assert_problem,
    created,
    ok,
    running_site,
    settings_for,
    unknown_id,
)
from tests.support.aws.engines import Table, new_table

SECRET = re.compile(r"ao_[A-Za-z0-9_-]{43}")


class Command:
    """Runs `infra.operate.api_keys` as the make targets do, on a site's table."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: str) -> tuple[int, str, str]:
        status = api_keys.main(arguments)
        printed = self._capsys.readouterr()
        return status, printed.out, printed.err


@pytest.fixture
def command(
    site: Site, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Command]:
    """Return the command for the site's table; afterwards, restore the environment that it changes."""
    with pytest.MonkeyPatch.context() as environment:
        before = dict(os.environ)
        monkeypatch.setattr(backend, "LOCAL", tmp_path)
        monkeypatch.setattr(backend, "TABLE_NAME", site.table.name)
        (tmp_path / "signing-keys.json").write_text(os.environ["SIGNING_KEYS"])
        monkeypatch.setattr(backend, "_SIGNING_KEYS", tmp_path / "signing-keys.json")
        environment.setenv("DYNAMODB_ENDPOINT", site.table.endpoint_url)
        yield Command(capsys)
    for name in set(os.environ) - set(before):
        del os.environ[name]
    os.environ.update(before)


def by(secret: str) -> dict[str, Any]:
    return {"headers": {"Authorization": f"Bearer {secret}"}}


def test_a_new_key_is_accepted_and_a_revoked_one_is_not(site: Site, command: Command) -> None:
    status, out, err = command("create", "--role", "admin", "--name", "ci")
    assert (status, err) == (0, "")
    (secret,) = SECRET.findall(out)
    (key_id,) = re.findall(r"key_[a-z2-7]{26}", out)
    assert site.client.get("/v1/hosts", **by(secret)).status_code == 200

    status, out, _ = command("revoke", key_id)

    assert status == 0
    assert key_id in out
    assert_problem(site.client.get("/v1/hosts", **by(secret)), 401, "unauthorized")


def test_a_secret_is_shown_once_and_only_its_sha256_is_stored(site: Site, command: Command) -> None:
    _, shown, _ = command("create", "--role", "admin")
    (secret,) = SECRET.findall(shown)

    _, listed, _ = command("list")

    assert SECRET.findall(shown + listed) == [secret]
    stored = [item for item in site.items() if item["pk"]["S"].startswith("KEY#")]
    assert hashlib.sha256(secret.encode()).hexdigest() in {
        item["pk"]["S"].removeprefix("KEY#") for item in stored
    }
    dump = repr(site.items())
    assert secret not in dump
    assert secret.removeprefix("ao_") not in dump


def test_a_host_key_needs_an_existing_host_and_sees_only_that_host(
    site: Site, command: Command, host: Caller
) -> None:
    status, out, err = command("create", "--role", "host")
    assert (status, out) == (1, "")
    assert "host" in err

    status, out, err = command("create", "--role", "host", "--host", unknown_id(HOST))
    assert (status, out) == (1, "")
    assert "no such host" in err

    assert host.host_id is not None
    status, out, _ = command("create", "--role", "host", "--host", host.host_id)
    assert status == 0
    (secret,) = SECRET.findall(out)
    assert site.client.get(f"/v1/hosts/{host.host_id}", **by(secret)).status_code == 200
    assert_problem(site.client.get("/v1/hosts", **by(secret)), 403, "forbidden")


def test_keys_are_listed_newest_first_with_their_state(site: Site, command: Command, host: Caller) -> None:
    made_keys = []
    for name in ("first", "second", "third"):
        site.clock.advance(hours=1)
        _, out, _ = command("create", "--role", "admin", "--name", name)
        made_keys += re.findall(r"key_[a-z2-7]{26}", out)
    command("revoke", made_keys[1])

    _, out, _ = command("list")

    lines = [line for line in out.splitlines() if line.split()[0] in made_keys]
    assert [line.split()[0] for line in lines] == made_keys[::-1]
    assert [line.split()[-1] for line in lines] == ["third", "second", "first"]
    assert ["revoked" in line for line in lines] == [False, True, False]
    (own,) = [line for line in out.splitlines() if line.startswith(host.key.key.key_id)]
    assert own.split()[1:3] == [Role.HOST, host.host_id]


@pytest.mark.parametrize("wrong", [f"key_{'a' * 26}", "key_", "hst_x"])
def test_revoking_an_unknown_key_prints_an_error(command: Command, wrong: str) -> None:
    status, out, err = command("revoke", wrong)

    assert (status, out) == (1, "")
    assert "no such key" in err


@pytest.mark.parametrize(
    "arguments", [[], ["create"], ["create", "--role", "owner"], ["revoke"], ["destroy"]]
)
def test_wrong_arguments_are_a_usage_error(command: Command, arguments: list[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        command(*arguments)


def test_a_name_that_is_too_long_prints_an_error(command: Command) -> None:
    status, _, err = command("create", "--role", "admin", "--name", "x" * 101)

    assert status == 1
    assert "name" in err


class TestSeed:
    """The seed creates one host, two event types and three links, but only in a table without hosts."""

    @pytest.fixture
    def fresh(self, table: Table) -> Iterator[Site]:
        """Run a site on an empty table, once per engine."""
        with running_site(table) as site:
            yield site

    KEY = "ao_" + "s" * 43

    def test_a_second_run_creates_nothing(self, fresh: Site) -> None:
        first = seed(self.KEY)
        kinds = self.kinds(fresh)
        second = seed(self.KEY)

        assert kinds == {"HOST": 1, "ETYPE": 2, "LINK": 3, "KEY": 2}  # the site's own key, and this one
        assert self.kinds(fresh) == kinds
        assert second == first
        by_key = {"Authorization": f"Bearer {self.KEY}"}
        hosts = ok(fresh.client.get("/v1/hosts", headers=by_key))["hosts"]
        event_types = ok(fresh.client.get("/v1/event-types", headers=by_key))["eventTypes"]
        links = ok(fresh.client.get("/v1/links", headers=by_key))["links"]
        assert (len(hosts), len(event_types), len(links)) == (1, 2, 3)
        assert {link["status"] for link in links} == {"active"}

    def test_its_sample_link_books_and_is_replaced_once_used_up(self, fresh: Site) -> None:
        """`make run` always prints a link that works, even after the one before is used up."""
        used = []
        for _ in range(7):  # one sample link gives five bookings
            url = seed(self.KEY)
            assert url.startswith(f"{BASE_URL}/s/")
            path = url.removeprefix(BASE_URL)
            assert fresh.client.get(path, headers=HTML).status_code == 200
            start = ok(fresh.client.get(f"{path}/slots", headers=JSON))["slots"][0]["start"]
            questions = ok(fresh.client.get(path, headers=JSON))["questions"]
            body = {
                "start": start,
                "timeZone": "UTC",
                "invitee": {"name": "G", "email": "g@invitees.example"},
                "answers": {question["id"]: "x" for question in questions},
            }
            created(fresh.client.post(f"{path}/redeem", json=body, headers=JSON))
            used.append(url)

        assert len(set(used)) > 1

    def test_with_a_host_present_it_creates_only_the_key(self, fresh: Site) -> None:
        host = fresh.host()
        host.link()
        before = self.kinds(fresh)

        seed(self.KEY)

        assert self.kinds(fresh) == before | {"KEY": before["KEY"] + 1}

    def kinds(self, site: Site) -> dict[str, int]:
        found = [item["pk"]["S"].partition("#")[0] for item in site.items()]
        return {kind: found.count(kind) for kind in ("HOST", "ETYPE", "LINK", "KEY")}


def test_a_nested_site_restores_the_environment(site: Site) -> None:
    """The tests rely on this: a site that starts and stops while another runs leaves the environment unchanged."""
    before = dict(os.environ)
    with running_site(new_table(site.table.endpoint_url)) as inner:
        assert inner.table.name == os.environ["TABLE_NAME"] != before["TABLE_NAME"]
    assert dict(os.environ) == before
    assert set(settings_for(site.table, "")) <= set(before)
