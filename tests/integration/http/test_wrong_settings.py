"""With invalid settings, pages that need no settings still load; other requests get an error with the usual headers."""

import httpx
import pytest

from chalicelib import bootstrap
from tests.support.app import HTML, JSON, Site

TOKEN = "0" * 36


@pytest.fixture
def broken(site: Site, monkeypatch: pytest.MonkeyPatch) -> httpx.Client:
    """Return a client for an app whose settings are invalid."""
    monkeypatch.setenv("RETENTION_LINK_DAYS", "soon")
    bootstrap.forget()
    return site.client


@pytest.mark.parametrize("path", ["/", "/console"])
def test_a_page_that_needs_no_settings_opens(broken: httpx.Client, path: str) -> None:
    assert broken.get(path, headers=HTML).status_code == 200


@pytest.mark.parametrize("headers", [HTML, JSON], ids=["page", "json"])
@pytest.mark.parametrize("path", [f"/s/{TOKEN}", f"/s/{TOKEN}?embed=1", f"/b/{TOKEN}?embed=1"])
def test_other_requests_get_a_problem_with_the_usual_headers(
    broken: httpx.Client, path: str, headers: dict[str, str]
) -> None:
    """Some headers depend on settings (CORS, frames); their safe defaults apply, and the error is still shown."""
    response = broken.get(path, headers=headers | {"Origin": "https://www.example.com"})
    assert response.status_code == 500
    kind = "text/html" if headers == HTML else "application/problem+json"
    assert response.headers["content-type"].startswith(kind)
    assert response.headers["content-security-policy"].endswith("frame-ancestors 'none'")
    assert response.headers["x-correlation-id"]
    assert "access-control-allow-origin" not in response.headers
    assert "RETENTION_LINK_DAYS" not in response.text
