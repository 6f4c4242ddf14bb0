"""People and machines are distinguished by `User-Agent`, and only a count depends on it (P5)."""

import json
from pathlib import Path

import pytest

from chalicelib.domain.links.visits import Visitor, visitor_of
from infra.generate.crawlers import COPY, text

AGENTS = json.loads(Path(__file__).with_name("user_agents.json").read_text())
MACHINES, PEOPLE = AGENTS["machines"], AGENTS["people"]


@pytest.mark.parametrize("user_agent", MACHINES.values(), ids=MACHINES.keys())
def test_previews_scanners_and_programs_are_machines(user_agent: str) -> None:
    """A host reads an open as "my candidate has seen it", so a chat's preview must not count as one."""
    assert visitor_of("GET", user_agent, "") is Visitor.MACHINE


@pytest.mark.parametrize("user_agent", PEOPLE.values(), ids=PEOPLE.keys())
def test_browsers_are_people_also_inside_apps(user_agent: str) -> None:
    """Links in messages are mostly opened in an app's own browser."""
    assert visitor_of("GET", user_agent, "") is Visitor.PERSON


@pytest.mark.parametrize(
    ("method", "user_agent", "purpose"),
    [
        ("GET", "", ""), ("HEAD", PEOPLE["chrome"], ""), ("GET", PEOPLE["chrome"], "prefetch;prerender"),
        ("GET", PEOPLE["safari"], "preview"), ("GET", "x" * 8000, ""),
    ],
)  # fmt: skip
def test_prefetches_and_unknown_agents_are_machines(method: str, user_agent: str, purpose: str) -> None:
    assert visitor_of(method, user_agent, purpose) is Visitor.MACHINE


def test_the_committed_list_of_crawlers_is_current() -> None:
    """After an upgrade of crawler-user-agents, run `make crawlers`."""
    assert COPY.read_text() == text()
