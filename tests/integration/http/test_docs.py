"""The commands in the documentation work, and everything it names exists."""

import json
import os
import re
import subprocess
from base64 import b64encode
from pathlib import Path

import pytest

import app
from chalicelib import bootstrap
from chalicelib.domain import errors
from chalicelib.domain.causes import Cause
from chalicelib.domain.team.api_keys import Caller, Role
from chalicelib.domain.team.hosts import HostSettings
from chalicelib.service.team.authenticate import make_key
from chalicelib.service.team.hosts import create_host
from infra.local.http.server import serving
from tests.support.app import settings_for
from tests.support.aws.engines import Table
from tests.support.waiting import LIMIT

ROOT = Path(__file__).parents[3]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def _walk_through() -> str:
    text = (ROOT / "docs" / "tutorial.md").read_text().split("<!-- walk-through")[1].split("<!-- end of")[0]
    return "\n".join(re.findall(r"```sh\n(.*?)```", text, re.DOTALL))


def test_the_tutorial_runs(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    """The commands create an event type and a link, book, repeat the booking, and try to book a used link."""
    signing = json.dumps({"current": 1, "keys": {"1": b64encode(os.urandom(32)).decode()}})
    with serving(app.app) as server:
        for name, value in (settings_for(table, signing) | {"BASE_URL": server.url}).items():
            monkeypatch.setenv(name, value)
        monkeypatch.delenv("SIGNING_SECRET_ID", raising=False)
        bootstrap.forget()
        try:
            world, cause = bootstrap.world(), Cause("system:test", "test")
            settings = HostSettings(name="Ada", email="ada@example.com", time_zone="Europe/Berlin")
            host = create_host(world, Caller("test", Role.ADMIN, None), settings, cause)
            key = make_key(world, role=Role.ADMIN, host_id=host.host_id, name="", cause=cause).secret
            done = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", _walk_through()],  # noqa: S607 - the reader's own bash
                env=os.environ | {"BASE": server.url, "KEY": key},
                capture_output=True,
                text=True,
                timeout=LIMIT,
                check=False,
            )
        finally:
            bootstrap.forget()
    assert done.returncode == 0, done.stderr
    event_type, link, bookings, problem, code, status, *history = done.stdout.splitlines()
    assert event_type.startswith("ety_")
    assert link.startswith(f"{server.url}/s/")
    first, again = bookings.split()
    assert first == again
    assert json.loads(problem)["type"] == "urn:admit-one:problem:link-used"
    assert code == "410"
    assert status == "used"
    assert "history" in json.loads("\n".join(history))


def test_every_make_target_in_the_documents_exists() -> None:
    """The documents name no `make` target that is missing from the Makefile."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {
        target
        for document in DOCUMENTS
        for target in re.findall(r"(?:^|`)make ([a-z][a-z-]*)", document.read_text(), re.MULTILINE)
    }
    assert named
    assert named <= targets


def test_every_relative_link_in_the_documents_resolves() -> None:
    """The targets of relative links and images exist."""
    for document in DOCUMENTS:
        for target in re.findall(r"\]\(([^)#:]+)\)", document.read_text()):
            assert (document.parent / target).exists(), f"{document.name}: {target}"


def test_every_v1_route_is_in_the_api_document() -> None:
    """docs/api.md lists every route of `/v1`."""
    text = (ROOT / "docs" / "api.md").read_text()
    shortened = {"/v1/links/bulk-delete", "/v1/bookings/{bookingId}/reschedule"}  # written as `…/bulk-delete`
    missing = [path for path in app.app.routes if path.startswith("/v1") and path not in text]
    assert set(missing) <= shortened


def test_every_problem_is_in_the_api_document() -> None:
    """docs/api.md lists every error code."""
    text = (ROOT / "docs" / "api.md").read_text()
    kinds = [errors.AdmitOneError]
    for kind in kinds:
        kinds += kind.__subclasses__()
    codes = {kind.code for kind in kinds if hasattr(kind, "code")}
    assert {code for code in codes if f"`{code}`" not in text} == set()
