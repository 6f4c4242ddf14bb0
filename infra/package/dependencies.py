"""Install the dependencies of requirements.txt for one Python and processor, prune, compile and cache them."""

import hashlib
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from infra.package.command import run
from infra.package.contents import compile_all, prune
from infra.package.runtime import GLIBC, VERSION, runtime_python
from infra.paths import ROOT

ARM: Final = "arm64"
X86: Final = "x86_64"
MACHINES: Final = {ARM: "aarch64", X86: "x86_64"}

_PIP: Final = [
    sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps",
    "--no-compile", "--only-binary", ":all:",
]  # fmt: skip


@dataclass(frozen=True)
class Target:
    """The target of a build: a processor of Lambda or, if `native`, this machine and its wheels."""

    architecture: str
    native: bool = False

    @property
    def key(self) -> str:
        """A name for the dependencies of this target."""
        version = f"{sys.version_info.major}.{sys.version_info.minor}" if self.native else VERSION
        return f"python{version}-{sys.platform if self.native else 'lambda'}-{self.architecture}"

    def python(self) -> str:
        """Return the interpreter that compiles for this target. Raise `PackageError` if there is none."""
        return sys.executable if self.native else runtime_python()


def native_target() -> Target:
    """Return this machine as a target."""
    return Target(ARM if platform.machine() in {"arm64", "aarch64"} else X86, native=True)


def install_dependencies(target: Target, cache: Path) -> Path:
    """Return a folder with the pruned, compiled dependencies. Create it if it is not in `cache`."""
    built_by = [ROOT / "requirements.txt", Path(__file__), Path(__file__).with_name("contents.py")]
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in built_by)).hexdigest()
    name = f"{target.key}-{digest[:16]}"
    folder = cache / "dependencies" / name
    if not folder.exists():
        draft = folder.with_name(f"{name}.{os.getpid()}")
        shutil.rmtree(draft, ignore_errors=True)
        run([*_PIP, "--target", str(draft), *_platform(target), "-r", str(ROOT / "requirements.txt")])
        prune(draft)
        compile_all(draft, target.python())
        if folder.exists():
            shutil.rmtree(draft)
        else:
            draft.rename(folder)
    return folder


def _platform(target: Target) -> Iterator[str]:
    """Yield pip's arguments for wheels that run on Lambda. pip does not derive one tag from another, so list all."""
    if target.native:
        return
    machine = MACHINES[target.architecture]
    for tag in ("manylinux2014", *(f"manylinux_2_{minor}" for minor in range(GLIBC, 16, -1))):
        yield from ("--platform", f"{tag}_{machine}")
    yield from ("--implementation", "cp", "--python-version", VERSION)
