"""Trees of the repository's history: their ids don't change when commits are rewritten, and need no tags."""

import os
import subprocess
import tarfile
import tempfile
from io import BytesIO
from pathlib import Path

from infra.errors import CommandError
from infra.paths import ROOT


class GitError(CommandError):
    """A git command failed. The message contains the end of its output."""


def git(*arguments: str, root: Path = ROOT, index: Path | None = None, text: str | None = None) -> str:
    """Run git in `root` and return what it prints, without the last line break. Raise `GitError`.

    `index` is a file to use in place of the repository's index; `text` is git's standard input.
    """
    return _run(arguments, root, index, (text or "").encode()).decode().rstrip("\n")


def is_repository(root: Path = ROOT) -> bool:
    """Return whether `root` is the top folder of a git repository."""
    try:
        return Path(git("rev-parse", "--show-toplevel", root=root)).samefile(root)
    except (GitError, OSError):
        return False


def has_history(root: Path = ROOT) -> bool:
    """Return whether `root` is a git repository with all its history."""
    return is_repository(root) and git("rev-parse", "--is-shallow-repository", root=root) == "false"


def trees_of_history(root: Path = ROOT) -> dict[str, str]:
    """Return the oldest commit of each tree that HEAD's history contains, by tree."""
    lines = git("log", "--format=%T %H", root=root).splitlines()
    return dict(line.split(" ", 1) for line in lines)  # oldest last, so it replaces the later ones


def working_tree(root: Path = ROOT) -> str:
    """Write all files as they are now, committed or not, except ignored ones, into a tree; return its id."""
    with tempfile.TemporaryDirectory() as folder:
        index = Path(folder) / "index"
        git("read-tree", "HEAD", root=root, index=index)
        git("add", "--all", root=root, index=index)
        return git("write-tree", root=root, index=index)


def extract(tree: str, folder: Path, root: Path = ROOT) -> None:
    """Write all files of a tree to a new folder. Raise `GitError`."""
    options = ("-c", "core.autocrlf=false", "-c", "core.eol=lf")
    content = _run((*options, "archive", "--format=tar", tree), root, None, b"")
    folder.mkdir(parents=True)
    with tarfile.open(fileobj=BytesIO(content)) as archive:
        archive.extractall(folder, filter="data")


def _run(arguments: tuple[str, ...], root: Path, index: Path | None, given: bytes) -> bytes:
    environment = {**os.environ, **({"GIT_INDEX_FILE": str(index)} if index else {})}
    done = subprocess.run(  # noqa: S603 - git, with our own arguments
        ["git", *arguments],  # noqa: S607
        cwd=root,
        env=environment,
        input=given,
        capture_output=True,
        check=False,
    )
    if done.returncode:
        raise GitError(f"git {' '.join(arguments)}: {done.stderr.decode().strip()[-1000:]}")
    return done.stdout
