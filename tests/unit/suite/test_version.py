"""The version is the same everywhere, and has a dated section in the changelog."""

import json
import re
import tomllib
from datetime import date
from typing import Final

from chalicelib import __version__
from chalicelib.clients.webhook_http import USER_AGENT
from chalicelib.domain.events.envelopes import SCHEMA_VERSION
from infra.paths import ROOT
from infra.release.changelog import GROUPS, SECTION, groups_of
from infra.release.records import as_numbers

CHANGELOG: Final = (ROOT / "CHANGELOG.md").read_text()


def test_project_and_api_description_have_the_version_of_the_code() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    document = json.loads((ROOT / "docs" / "openapi.json").read_text())
    assert project["version"] == document["info"]["version"] == __version__


def test_the_code_has_the_version_of_the_newest_section_or_a_later_development_version() -> None:
    """Between releases the code does not claim to be the last release."""
    versions = SECTION.findall(CHANGELOG)
    newest = versions[0][0]
    assert __version__ == newest or (
        __version__.endswith(".dev0") and as_numbers(__version__) > as_numbers(newest)
    )
    days = [date.fromisoformat(day) for _, day in versions]
    assert days == sorted(days, reverse=True)


def test_the_changelog_starts_with_unreleased_changes() -> None:
    """Every other second-level section is a release."""
    titles = re.findall(r"^## .*$", CHANGELOG, re.MULTILINE)
    assert titles[0] == "## Unreleased"
    assert len(titles) == 1 + len(SECTION.findall(CHANGELOG))


def test_entries_are_grouped_in_the_usual_order() -> None:
    for section in CHANGELOG.split("\n## ")[1:]:
        groups = groups_of(section)
        assert groups == [group for group in GROUPS if group in groups], section.partition("\n")[0]


def test_the_webhooks_user_agent_has_the_version_of_the_event_format() -> None:
    """Receivers may match the user agent, so it changes only with the event format."""
    assert f"Admit-One-Webhooks/{SCHEMA_VERSION}" == USER_AGENT
