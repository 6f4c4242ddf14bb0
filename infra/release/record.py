"""Write the record of a version that was released before there were records.

Usage: python -m infra.release.record --version 0.1.0 --tree 729a4403… --date 2026-11-30 [--stage dev]
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from infra.errors import CommandError
from infra.release.packages import STAGE, compiler_version, package_of_tree
from infra.release.records import record_of, write_record


def main(arguments: Sequence[str] | None = None) -> int:
    """Build a tree and write its record; return the exit status."""
    parser = argparse.ArgumentParser(prog="infra.release.record", description=__doc__.partition("\n")[0])
    parser.add_argument("--version", required=True)
    parser.add_argument("--tree", required=True)
    parser.add_argument("--date", required=True, type=date.fromisoformat)
    parser.add_argument("--stage", default=STAGE)
    given = parser.parse_args(arguments)
    try:
        with tempfile.TemporaryDirectory() as folder:
            package = package_of_tree(given.tree, Path(folder) / "tree", stage=given.stage)
            python = compiler_version(package)
            release = record_of(
                package,
                version=given.version,
                day=given.date,
                tree=given.tree,
                python=python,
                stage=given.stage,
            )
    except CommandError as error:
        print(error, file=sys.stderr)
        return 1
    print(write_record(release))
    return 0


if __name__ == "__main__":
    sys.exit(main())
