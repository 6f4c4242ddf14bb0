"""Each release can be built again: its record names a tree of the history, a version and a section of the changelog."""

import pytest

from infra.paths import ROOT
from infra.release.changelog import SECTION
from infra.release.git import git, has_history, trees_of_history
from infra.release.records import Release, last_release, releases

needs_history = pytest.mark.skipif(
    not has_history(), reason="NO GIT HISTORY: releases can't be built again here; git fetch --unshallow"
)


@needs_history
@pytest.mark.parametrize("release", releases(), ids=lambda release: release.version)
def test_the_tree_of_a_release_is_in_the_history_and_has_its_version(release: Release) -> None:
    """A commit that was rewritten after the release has another tree only if its files changed."""
    assert release.tree in trees_of_history(), f"make release VERSION={release.version} again on main"
    assert f'__version__ = "{release.version}"' in git("show", f"{release.tree}:chalicelib/__init__.py")


@needs_history
def test_a_tag_of_a_release_refers_to_the_recorded_tree() -> None:
    """Tags may be missing, but a wrong one would show other sources than those of the zip."""
    tags = set(git("tag", "--list").splitlines())
    for release in releases():
        if f"v{release.version}" in tags:
            assert git("rev-parse", f"v{release.version}^{{tree}}") == release.tree


def test_each_release_has_a_record_and_a_section_of_the_changelog() -> None:
    sections = SECTION.findall((ROOT / "CHANGELOG.md").read_text())
    recorded = [(release.version, release.date) for release in releases()]
    # The commit of a new release has its section; its record follows in the next commit.
    assert recorded == [each for each in reversed(sections) if each in recorded]
    assert len(sections) - len(recorded) <= 1
    assert last_release() == releases()[-1]
