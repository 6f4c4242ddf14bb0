"""A release is checked before anything is changed, built twice, and leaves nothing behind if it fails."""

import json
import sys
import zipfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from infra.package.build import Package
from infra.paths import ROOT
from infra.release.git import git, is_repository
from infra.release.records import ReleaseError, last_release
from infra.release.release import Repository, check, release

pytestmark = pytest.mark.skipif(not is_repository(), reason="NO GIT REPOSITORY: releases are made in one")

VERSION = "98.7.6"
DAY = date(2026, 12, 24)
OPENAPI = (sys.executable, "-c", "import pathlib; pathlib.Path('docs/openapi.json').write_text('{}')")


class Builds:
    """Builds small packages with the version of their tree; `spoiled` is the number of a build that differs."""

    def __init__(self, root: Path, template: dict[str, Any], spoiled: int | None = None) -> None:
        self.root, self.template, self.spoiled = root, template, spoiled
        self.trees: list[str] = []

    def __call__(self, tree: str, folder: Path, **_: Any) -> Package:
        self.trees.append(tree)
        folder.mkdir(parents=True)
        package = Package(folder / "deployment.zip", folder / "template.json")
        content = git("show", f"{tree}:chalicelib/__init__.py", root=self.root)
        with zipfile.ZipFile(package.archive, "w") as archive:
            archive.writestr(zipfile.ZipInfo("chalicelib/__init__.py"), content)
            if len(self.trees) == self.spoiled:
                archive.writestr(zipfile.ZipInfo("chalicelib/settings.py"), "")
        package.template.write_text(json.dumps(self.template))
        return package


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of this repository on main, with an unreleased entry."""
    root = tmp_path_factory.mktemp("origin") / "repository"
    git("clone", "--quiet", "--no-tags", str(ROOT), str(root))
    git("checkout", "--quiet", "-B", "main", root=root)
    for name, value in (("user.name", "Tests"), ("user.email", "tests@example.com")):
        git("config", name, value, root=root)
    # The clone has the last commit; what is not committed yet is tested too.
    for name in ("CHANGELOG.md", "chalicelib/__init__.py", "pyproject.toml", *_records()):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_bytes((ROOT / name).read_bytes())
    changelog = root / "CHANGELOG.md"
    if changelog.read_text().partition("## Unreleased")[2].lstrip().startswith("## "):
        changelog.write_text(
            changelog.read_text().replace("## Unreleased", "## Unreleased\n\n### Fixed\n- A mistake.", 1)
        )
    git("add", "--all", root=root)
    git("commit", "--quiet", "--allow-empty", "-m", "Prepare", root=root)
    return root


def _records() -> list[str]:
    return [str(path.relative_to(ROOT)) for path in (ROOT / "infra" / "releases").glob("*.json")]


@pytest.fixture
def repository(origin: Path, template: dict[str, Any]) -> Iterator[Repository]:
    """The copy; it is as before after each test."""
    start = git("rev-parse", "HEAD", root=origin)
    yield Repository(origin, Builds(origin, template), OPENAPI)
    for tag in git("tag", "--list", root=origin).splitlines():
        git("tag", "--delete", tag, root=origin)
    git("checkout", "--quiet", "main", root=origin)
    git("reset", "--quiet", "--hard", start, root=origin)
    git("clean", "--quiet", "-d", "--force", root=origin)


def state(repository: Repository) -> tuple[str, ...]:
    return tuple(
        repository.git(*command)
        for command in (("rev-parse", "HEAD"), ("status", "--porcelain"), ("tag", "--list"))
    )


def test_a_release_is_a_tagged_commit_and_a_record_of_its_tree(
    repository: Repository, tmp_path: Path
) -> None:
    """The record's tree has the version; the commit after it has the next development version."""
    unreleased = repository.changelog
    check(repository, VERSION, tmp_path)
    release(repository, VERSION, DAY, tmp_path, lambda _: None)

    record = last_release(repository.records)
    assert (record.version, record.date) == (VERSION, "2026-12-24")
    assert repository.git("rev-parse", f"v{VERSION}^{{tree}}") == record.tree
    assert repository.git("rev-parse", "HEAD~1") == repository.git("rev-parse", f"v{VERSION}^{{commit}}")
    assert f'__version__ = "{VERSION}"' in repository.git("show", f"v{VERSION}:chalicelib/__init__.py")
    assert f'\nversion = "{VERSION}"' in repository.git("show", f"v{VERSION}:pyproject.toml")
    assert '__version__ = "98.8.0.dev0"' in (repository.root / "chalicelib/__init__.py").read_text()
    section = unreleased.partition("## Unreleased")[2].partition("\n## ")[0].strip()
    assert section in repository.git("tag", "--list", "--format=%(contents)", f"v{VERSION}")
    assert f"## Unreleased\n\n## {VERSION} - 2026-12-24\n\n{section}" in repository.changelog
    assert repository.git("status", "--porcelain") == ""

    files = repository.root / "build" / "releases" / VERSION
    built = Package(files / f"admit-one-{VERSION}-arm64.zip", files / f"admit-one-{VERSION}.template.json")
    assert built.digest == record.zip
    assert built.version == VERSION
    assert f"{record.zip}  {built.archive.name}" in (files / "SHA256SUMS").read_text()
    assert section in (files / "RELEASE.md").read_text()


def test_the_tree_of_the_release_is_built_twice(repository: Repository, tmp_path: Path) -> None:
    check(repository, VERSION, tmp_path)
    release(repository, VERSION, DAY, tmp_path, lambda _: None)
    assert isinstance(repository.build, Builds)
    assert repository.build.trees[1:] == [last_release(repository.records).tree] * 2


@pytest.mark.parametrize(
    ("spoiled", "reason"), [(3, "Two builds of this tree differ in chalicelib/settings.py")]
)
def test_two_different_builds_make_no_release(
    origin: Path, repository: Repository, template: dict[str, Any], spoiled: int, reason: str, tmp_path: Path
) -> None:
    """Commit and tag are gone, and the files are as before."""
    before = state(repository)
    spoilt = Repository(origin, Builds(origin, template, spoiled), OPENAPI)
    check(spoilt, VERSION, tmp_path)
    with pytest.raises(ReleaseError, match=reason):
        release(spoilt, VERSION, DAY, tmp_path, lambda _: None)
    assert state(repository) == before


def test_an_error_after_the_tag_leaves_neither_tag_nor_commit(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = state(repository)
    check(repository, VERSION, tmp_path)

    def fail(*_: object) -> Path:
        raise OSError("the disk is full")

    monkeypatch.setattr("infra.release.release.write_record", fail)
    with pytest.raises(OSError, match="the disk is full"):
        release(repository, VERSION, DAY, tmp_path, lambda _: None)
    assert state(repository) == before


def _dirty(repository: Repository) -> None:
    (repository.root / "app.py").write_text("")


def _on_a_branch(repository: Repository) -> None:
    repository.git("checkout", "--quiet", "-B", "feature")


def _tagged(repository: Repository) -> None:
    repository.git("tag", f"v{VERSION}")


def _nothing_unreleased(repository: Repository) -> None:
    head, _, rest = repository.changelog.partition("## Unreleased")
    path = repository.root / "CHANGELOG.md"
    path.write_text(f"{head}## Unreleased\n\n## {rest.partition(chr(10) + '## ')[2]}")
    repository.commit("Remove the entries", "A test.")


def _unknown_group(repository: Repository) -> None:
    path = repository.root / "CHANGELOG.md"
    path.write_text(repository.changelog.replace("## Unreleased\n", "## Unreleased\n\n### News\n", 1))
    repository.commit("Add a group", "A test.")


def _new_index(repository: Repository) -> None:
    assert isinstance(repository.build, Builds)
    repository.build.template = json.loads(json.dumps(repository.build.template))
    indexes = repository.build.template["Resources"]["Table"]["Properties"]["GlobalSecondaryIndexes"]
    indexes.append({**indexes[0], "IndexName": "byPhone"})


REFUSALS = {
    "dirty": (_dirty, VERSION, "changes that are not committed"),
    "branch": (_on_a_branch, VERSION, "The branch is feature: releases are made on main"),
    "tagged": (_tagged, VERSION, f"The tag v{VERSION} exists"),
    "nothing to release": (_nothing_unreleased, VERSION, "there is nothing to release"),
    "unknown group": (_unknown_group, VERSION, '"News" is not one of'),
    "a new index": (_new_index, VERSION, "can't replace .* in a running stack:\n- byPhone is a new index"),
    "no version": (lambda _: None, "98.7", "'98.7' is not a version"),
    "development version": (lambda _: None, "98.7.0.dev0", "is not a version"),
    "released before": (lambda _: None, "0.1.0", "0.1.0 does not follow"),
    "too small": (lambda _: None, "0.0.9", "0.0.9 does not follow"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_a_refused_release_changes_nothing(name: str, repository: Repository, tmp_path: Path) -> None:
    """No file, commit or tag, and the message has the reason."""
    prepare, version, reason = REFUSALS[name]
    prepare(repository)
    before = state(repository)
    with pytest.raises(ReleaseError, match=reason):
        check(repository, version, tmp_path)
    assert state(repository) == before
