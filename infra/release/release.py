"""`make release`: check, build twice, commit and tag a new version, and record what it was built from.

Usage: python -m infra.release.release --version 0.2.0 [--plan]. It pushes and publishes nothing, and prints
the commands for both at the end.
"""

import argparse
import hashlib
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

from infra.errors import CommandError
from infra.package.build import Package
from infra.package.command import run
from infra.paths import ROOT
from infra.release.changelog import announced_changes, released, section_of
from infra.release.compatibility import lasting_part, refused_changes
from infra.release.git import git, working_tree
from infra.release.packages import (
    compiler_version,
    compression_is_usual,
    copy_release,
    difference,
    package_of_tree,
)
from infra.release.records import ReleaseError, as_numbers, last_release, record_of, write_record

_VERSION: Final = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)")
_BRANCH: Final = "main"

Build = Callable[..., Package]


@dataclass(frozen=True)
class Repository:
    """A checkout of this repository, and how the package of one of its trees is built."""

    root: Path = ROOT
    build: Build = package_of_tree
    openapi: tuple[str, ...] = (sys.executable, "-m", "infra.generate.openapi")
    """The command that writes docs/openapi.json, which contains the version."""

    def git(self, *arguments: str, text: str | None = None) -> str:
        return git(*arguments, root=self.root, text=text)

    @property
    def records(self) -> Path:
        return self.root / "infra" / "releases"

    @property
    def changelog(self) -> str:
        return (self.root / "CHANGELOG.md").read_text()

    def write_version(self, version: str) -> None:
        """Write a version to the code, the project and the API description."""
        for name, form in (
            ("chalicelib/__init__.py", r'(?m)^(__version__ = ")[^"]+'),
            ("pyproject.toml", r'(?m)^(version = ")[^"]+'),
        ):
            path = self.root / name
            path.write_text(re.sub(form, rf"\g<1>{version}", path.read_text(), count=1))
        run([*self.openapi], cwd=self.root)

    def commit(self, subject: str, body: str) -> None:
        """Commit all changed files."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--file", "-", text=f"{subject}\n\n{body}\n")


def check(repository: Repository, version: str, folder: Path) -> None:
    """Raise `ReleaseError` if a version can't be released from the working tree. The repository stays unchanged."""
    if not _VERSION.fullmatch(version):
        raise ReleaseError(
            f"{version!r} is not a version: it must have three numbers, such as VERSION=0.2.0."
        )
    last = last_release(repository.records)
    if as_numbers(version) <= as_numbers(last.version):
        raise ReleaseError(
            f"{version} does not follow {last.version}, the last release: choose a larger version."
        )
    if repository.git("status", "--porcelain"):
        raise ReleaseError(
            "The working tree has changes that are not committed. Commit or discard them first."
        )
    branch = repository.git("branch", "--show-current")
    if branch != _BRANCH:
        raise ReleaseError(
            f"The branch is {branch or 'none'}: releases are made on {_BRANCH}. Check out {_BRANCH}."
        )
    if repository.git("tag", "--list", f"v{version}"):
        raise ReleaseError(f"The tag v{version} exists. Choose a larger version.")
    if not compression_is_usual():
        raise ReleaseError(
            "This Python compresses with zlib-ng, so nobody with the usual zlib could build the same zip. Make the "
            "release with a Python that uses zlib."
        )
    released(repository.changelog, version, date(2000, 1, 1))
    package = repository.build(working_tree(repository.root), folder / "checked")
    announced = announced_changes(repository.changelog, last.version)
    refused = refused_changes(last.lasting, lasting_part(package.read_template()), announced)
    if refused:
        lines = "\n".join(f"- {reason}" for reason in refused)
        raise ReleaseError(f"{version} can't replace {last.version} in a running stack:\n{lines}")


def release(
    repository: Repository, version: str, day: date, folder: Path, say: Callable[[str], None]
) -> None:
    """Commit, build, tag and record a version that was checked. Raise `ReleaseError` if two builds differ.

    After an error there is no new commit or tag.
    """
    start = repository.git("rev-parse", "HEAD")
    try:
        package, tree = _commit_and_build(repository, version, day, folder, say)
        section = section_of(repository.changelog, version)
        repository.git("tag", "--annotate", f"v{version}", "--file", "-", "--cleanup=verbatim",
                       text=f"Admit One {version}\n\n{section}\n")  # fmt: skip
        say(f"Tagged v{version}.")
        record = record_of(package, version=version, day=day, tree=tree, python=compiler_version(package))
        write_record(record, repository.records)
        repository.write_version(_next_development(version))
        repository.commit(
            f"Record release {version}",
            "The record names the tree that was built, and what later releases may not change.",
        )
    except BaseException:
        repository.git("reset", "--quiet", "--hard", start)
        if repository.git("tag", "--list", f"v{version}"):
            repository.git("tag", "--delete", f"v{version}")
        raise
    _write_files(repository, package, version, section)


def _commit_and_build(
    repository: Repository, version: str, day: date, folder: Path, say: Callable[[str], None]
) -> tuple[Package, str]:
    """Commit the version, and build that commit's tree twice. Return the package and the tree."""
    (repository.root / "CHANGELOG.md").write_text(released(repository.changelog, version, day))
    repository.write_version(version)
    repository.commit(f"Release {version}", "CHANGELOG.md lists what has changed since the last release.")
    tree = repository.git("rev-parse", "HEAD^{tree}")
    say(f"Building {tree} twice …")
    package = repository.build(tree, folder / "one", environment={"PYTHONHASHSEED": "1"})
    other = {"PYTHONHASHSEED": "2", "TZ": "Asia/Kathmandu"}
    again = repository.build(tree, folder / "another-folder", environment=other)
    different = difference(package, again)
    if different:
        raise ReleaseError(
            f"Two builds of this tree differ in {different}, so the release would not be reproducible."
        )
    if package.version != version:
        raise ReleaseError(f"The built package has the version {package.version}, not {version}.")
    return package, tree


def _write_files(repository: Repository, package: Package, version: str, section: str) -> None:
    """Write the release's files to build/releases/<version>, with their digests as sha256sum prints them."""
    folder = repository.root / "build" / "releases" / version
    shutil.rmtree(folder, ignore_errors=True)
    copied = copy_release(package, folder, version)
    (folder / "RELEASE.md").write_text(f"# Admit One {version}\n\n{section}\n")
    lines = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n"
        for path in (copied.archive, copied.template)
    ]
    (folder / "SHA256SUMS").write_text("".join(lines))


def _next_development(version: str) -> str:
    major, minor, _ = as_numbers(version)
    return f"{major}.{minor + 1}.0.dev0"


def main(arguments: Sequence[str] | None = None) -> int:
    """Make a release; return the exit status."""
    parser = argparse.ArgumentParser(prog="make release", description=__doc__.partition("\n")[0])
    parser.add_argument("--version", required=True)
    parser.add_argument("--plan", action="store_true", help="check everything, and change nothing")
    given = parser.parse_args(arguments)
    repository, today = Repository(), datetime.now(UTC).date()
    try:
        with tempfile.TemporaryDirectory() as folder:
            check(repository, given.version, Path(folder))
            print(f"{given.version} can follow {last_release().version}.")
            if given.plan:
                print(f"{section_of(repository.changelog, 'Unreleased')}\n")
                print("This was only a plan. To make the release, run the command without PLAN=yes.")
                return 0
            release(repository, given.version, today, Path(folder), print)
    except CommandError as error:
        print(error, file=sys.stderr)
        return 1
    print(
        f"build/releases/{given.version} has the zip and the template, their digests, and the release's text. Next:"
    )
    print(f"  git push origin {_BRANCH} v{given.version}")
    print(f"  make publish VERSION={given.version} BUCKET=…")
    return 0


if __name__ == "__main__":
    sys.exit(main())
