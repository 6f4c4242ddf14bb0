"""`make release-check`: build a release again from its tree, and compare it with its record.

Usage: python -m infra.release.check --version 0.1.0
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from infra.errors import CommandError
from infra.release.packages import compiler_version, compression_is_usual, package_of_tree
from infra.release.records import Release, ReleaseError, record_of, release_of


def check_release(release: Release, folder: Path) -> str:
    """Build a release in the new `folder`, and return which parts are equal. Raise `ReleaseError` for a difference.

    If this machine compiles with another Python than the recorded one, .pyc files are not compared.
    """
    package = package_of_tree(release.tree, folder, stage=release.stage)
    python = compiler_version(package)
    day = date.fromisoformat(release.date)
    built = record_of(
        package, version=release.version, day=day, tree=release.tree, python=python, stage=release.stage
    )
    comparable = python == release.python and compression_is_usual()
    names = ("template", "content", *(("zip",) if comparable else ()))
    different = [name for name in names if getattr(built, name) != getattr(release, name)]
    if different:
        raise ReleaseError(
            f"Release {release.version}, built again from the tree {release.tree}, has another {different[0]} than its "
            f"record, infra/releases/{release.version}.json. Do not publish this build."
        )
    if comparable:
        return f"{release.version}: zip and template are byte for byte those of the record (sha256 {release.zip})."
    reason = (
        f"it was compiled by Python {release.python}, and this is {python}"
        if python != release.python
        else "this Python compresses with zlib-ng"
    )
    return (
        f"{release.version}: the template and the zip's files are equal. .pyc files and zip were not compared, because "
        f"{reason}."
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Check one release; return the exit status."""
    parser = argparse.ArgumentParser(prog="make release-check", description=__doc__.partition("\n")[0])
    parser.add_argument("--version", required=True)
    given = parser.parse_args(arguments)
    try:
        with tempfile.TemporaryDirectory() as folder:
            print(check_release(release_of(given.version), Path(folder) / "tree"))
    except CommandError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
