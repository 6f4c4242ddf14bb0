"""Records of releases, `infra/releases/<version>.json`: what was built, and what later releases may not change.

A record names the tree that was built and not a commit, because a commit's id changes when commits are rewritten.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final

from infra.errors import CommandError
from infra.package.build import Package
from infra.paths import ROOT
from infra.release.compatibility import lasting_part
from infra.release.packages import STAGE, content_digest

RECORDS: Final = ROOT / "infra" / "releases"


class ReleaseError(CommandError):
    """A release can't be made or built again. The message contains the reason and what to do."""


@dataclass(frozen=True, kw_only=True)
class Release:
    """The record of a release. All digests are SHA-256, in hex."""

    version: str
    date: str
    """The UTC date of the release, e.g. 2026-11-30."""
    tree: str
    """The id of the git tree that was built."""
    stage: str = STAGE
    """The name of the stage that was built; the template of 0.1.0 contains it."""
    python: str
    """The exact version of the Python that compiled the .pyc files."""
    zip: str
    content: str
    """The digest of the zip's files without .pyc files; see `content_digest`."""
    template: str
    lasting: Mapping[str, Any]
    """What later releases may not change; see `lasting_part`."""


def record_of(
    package: Package, *, version: str, day: date, tree: str, python: str, stage: str = STAGE
) -> Release:
    """Return the record of a package that was built from a tree."""
    return Release(
        version=version,
        date=day.isoformat(),
        tree=tree,
        stage=stage,
        python=python,
        zip=package.digest,
        content=content_digest(package),
        template=hashlib.sha256(package.template.read_bytes()).hexdigest(),
        lasting=lasting_part(package.read_template()),
    )


def is_recorded(package: Package, release: Release) -> bool:
    """Return whether a package's zip and template are those of a release."""
    template = hashlib.sha256(package.template.read_bytes()).hexdigest() if package.template.exists() else ""
    return (package.digest, template) == (release.zip, release.template)


def releases(folder: Path = RECORDS) -> list[Release]:
    """Return the records of all releases, oldest first."""
    found = [Release(**json.loads(path.read_text())) for path in folder.glob("*.json")]
    return sorted(found, key=lambda release: as_numbers(release.version))


def last_release(folder: Path = RECORDS) -> Release:
    """Return the record of the newest release. Raise `ReleaseError` if there is none."""
    found = releases(folder)
    if not found:
        raise ReleaseError(f"{folder} has no record of a release.")
    return found[-1]


def release_of(version: str, folder: Path = RECORDS) -> Release:
    """Return the record of a release. Raise `ReleaseError` for an unknown version."""
    for release in releases(folder):
        if release.version == version:
            return release
    known = ", ".join(each.version for each in releases(folder))
    raise ReleaseError(f"{version!r} is not a released version; the releases are {known}.")


def write_record(release: Release, folder: Path = RECORDS) -> Path:
    """Write a record and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{release.version}.json"
    path.write_text(json.dumps(asdict(release), indent=1, sort_keys=True) + "\n")
    return path


def as_numbers(version: str) -> tuple[int, ...]:
    """Return a version as numbers that can be compared, without the suffix of a development version."""
    return tuple(int(part) for part in version.partition(".dev")[0].split("."))
