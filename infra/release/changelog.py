"""CHANGELOG.md: the sections of its releases, and the section of a new one."""

import re
from datetime import date
from typing import Final

from infra.release.records import ReleaseError, as_numbers

GROUPS: Final = ("Added", "Changed", "Deprecated", "Removed", "Fixed", "Security")
UNRELEASED: Final = "## Unreleased"
SECTION: Final = re.compile(r"^## (\d+\.\d+\.\d+) - (\d{4}-\d\d-\d\d)$", re.MULTILINE)


def groups_of(section: str) -> list[str]:
    """Return the titles of a section's groups, in its order."""
    return re.findall(r"^### (.*)$", section, re.MULTILINE)


def section_of(changelog: str, title: str) -> str:
    """Return the text below a second-level title, e.g. Unreleased or `0.1.0`, without the title."""
    found = re.search(
        rf"^## {re.escape(title)}(?: - \S+)?\n(.*?)(?=^## |\Z)", changelog, re.MULTILINE | re.DOTALL
    )
    return found[1].strip() if found else ""


def announced_changes(changelog: str, since: str) -> str:
    """Return the groups Changed and Removed of all sections that are newer than the release `since`."""
    newer = [version for version, _ in SECTION.findall(changelog) if as_numbers(version) > as_numbers(since)]
    parts = [
        part
        for title in ("Unreleased", *newer)
        for part in re.split(r"^### ", section_of(changelog, title), flags=re.MULTILINE)
    ]
    return "\n".join(part for part in parts if part.startswith(("Changed\n", "Removed\n")))


def released(changelog: str, version: str, day: date) -> str:
    """Return the changelog with its unreleased entries under a version. Raise `ReleaseError` if it has none."""
    section = section_of(changelog, "Unreleased")
    if not section:
        raise ReleaseError('CHANGELOG.md has no entries under "Unreleased", so there is nothing to release.')
    unknown = [group for group in groups_of(section) if group not in GROUPS]
    if unknown:
        raise ReleaseError(
            f'CHANGELOG.md: the group "{unknown[0]}" is not one of {", ".join(GROUPS)}. Rename it.'
        )
    return changelog.replace(UNRELEASED, f"{UNRELEASED}\n\n## {version} - {day.isoformat()}", 1)
