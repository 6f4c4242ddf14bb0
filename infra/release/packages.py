"""Packages of trees of the repository, each built by that tree's own code in a separate process."""

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from infra.package.build import Package
from infra.package.command import PackageError, run
from infra.package.dependencies import ARM
from infra.package.runtime import CACHE_TAG, runtime_python
from infra.paths import LOCAL, ROOT
from infra.release.git import extract

STAGE: Final = "release"
"""The stage's name while a release is built. The template does not contain it."""

_REQUIREMENTS: Final = Path("infra") / "requirements" / "run.txt"
_SAMPLE: Final = b"".join(hashlib.sha256(bytes([number % 251])).digest() * 3 for number in range(640))
_DEFLATED: Final = "ea4de43d"


def package_of_tree(
    tree: str,
    folder: Path,
    *,
    stage: str = STAGE,
    cache: Path = LOCAL,
    environment: Mapping[str, str] | None = None,
) -> Package:
    """Build the package of a tree for AWS and arm64 in the new `folder`, which gets all files of the tree.

    Dependencies are kept in `cache`. `environment` has more variables for the process. Raise `PackageError`, and
    `GitError` for an unknown tree.
    """
    extract(tree, folder)
    (folder / "build").mkdir()
    (cache / "dependencies").mkdir(parents=True, exist_ok=True)
    (folder / "build" / "dependencies").symlink_to(cache / "dependencies", target_is_directory=True)
    # Every version looks for the functions' Python on the PATH, but not in our .local folder.
    path = os.pathsep.join([str(Path(runtime_python()).parent), os.environ.get("PATH", os.defpath)])
    run(
        [_python(folder), "-m", "infra.package.build", "--stage", stage, "--architecture", ARM],
        cwd=folder,
        env={**_without_python(), "PYTHONDONTWRITEBYTECODE": "1", "PATH": path, **(environment or {})},
    )
    package = Package(folder / "build" / stage / "deployment.zip", folder / "build" / stage / "template.json")
    if not package.archive.exists():
        raise PackageError(f"the build of {tree} wrote no {package.archive}")
    return package


def content_digest(package: Package) -> str:
    """Return the SHA-256 of the names and contents of the zip's files, in hex, without .pyc files.

    It does not depend on the compression, nor on the patch release of the Python that compiled the .pyc files.
    """
    digest = hashlib.sha256()
    with zipfile.ZipFile(package.archive) as archive:
        for name in sorted(archive.namelist()):
            if not name.endswith(".pyc"):
                digest.update(f"{name}\0{hashlib.sha256(archive.read(name)).hexdigest()}\n".encode())
    return digest.hexdigest()


def difference(one: Package, other: Package) -> str | None:
    """Return what differs between two packages, or None if all their bytes are equal."""
    if one.template.read_bytes() != other.template.read_bytes():
        return "template.json"
    if one.archive.read_bytes() == other.archive.read_bytes():
        return None
    with zipfile.ZipFile(one.archive) as left, zipfile.ZipFile(other.archive) as right:
        missing = sorted(set(left.namelist()) ^ set(right.namelist()))
        changed = [
            name for name in left.namelist() if name not in missing and left.read(name) != right.read(name)
        ]
    return next(iter([*missing, *changed]), "the compression of the zip")


def compression_is_usual() -> bool:
    """Return whether this Python compresses to the same bytes as zlib; zlib-ng does not."""
    return not hasattr(zlib, "ZLIBNG_VERSION") and f"{zlib.crc32(zlib.compress(_SAMPLE, 9)):08x}" == _DEFLATED


def compiler_version(package: Package) -> str:
    """Return the exact version of the Python that compiled a package here just now, e.g. 3.13.0.

    0.1.0 was compiled by the Python that ran make, later releases by one of the functions' version.
    """
    with zipfile.ZipFile(package.archive) as archive:
        is_for_runtime = any(name.endswith(f".{CACHE_TAG}.pyc") for name in archive.namelist())
    if not is_for_runtime:
        return platform.python_version()
    command = [runtime_python(), "-I", "-c", "import platform; print(platform.python_version())"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603


def copy_release(package: Package, folder: Path, version: str) -> Package:
    """Copy a package to `folder` under the names of a release."""
    folder.mkdir(parents=True, exist_ok=True)
    copied = Package(folder / f"admit-one-{version}-{ARM}.zip", folder / f"admit-one-{version}.template.json")
    shutil.copyfile(package.archive, copied.archive)
    shutil.copyfile(package.template, copied.template)
    return copied


def _python(folder: Path) -> str:
    """Return a Python with the packages that the tree's commands need: ours, if the tree pins the same versions."""
    if (folder / _REQUIREMENTS).read_bytes() == (ROOT / _REQUIREMENTS).read_bytes():
        return sys.executable
    run(["sh", str(folder / _REQUIREMENTS.with_name("install.sh")), "run"], cwd=folder,
        env={**_without_python(), "PYTHON": sys.executable})  # fmt: skip
    return str(folder / ".venv" / "bin" / "python")


def _without_python() -> dict[str, str]:
    """Return the environment without variables that make a Python process import other code."""
    return {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "PYTHONHOME"}}
