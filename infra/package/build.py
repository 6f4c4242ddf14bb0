"""`make package`: one zip and one template, the same bytes from the same sources. Usage: python -m infra.package.build.

Chalice makes the template, from app.py and .chalice, with our own fragments merged into it. The zip holds the
dependencies of requirements.txt, our code, and Chalice's small runtime part, all compiled beforehand: a function
that finds no .pyc compiles everything it imports at each cold start, which costs a second.
"""

import argparse
import fcntl
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from chalicelib.api.openapi.view import BUILT, describe
from chalicelib.pages.bundle import build_assets
from infra.package.fragments import TemplateError, check_whole, merged, read_fragments
from infra.package.functions import HTTP, common_fragment, read_config, whole_policy, with_tracing
from infra.package.gateway import gateway_fragment
from infra.package.observing import observing_fragment
from infra.paths import BUILD, ROOT

MAX_BYTES: Final = 8 * 1024 * 1024  # DESIGN §8

ARM: Final = "arm64"
X86: Final = "x86_64"
_MACHINES: Final = {ARM: "aarch64", X86: "x86_64"}
_GLIBC: Final = {(3, 11): 26}  # Amazon Linux 2; later runtimes are on Amazon Linux 2023
_GLIBC_SINCE: Final = 34

_NEWEST_PYTHON: Final = (3, 14)  # of Lambda's runtimes; the functions get the version that packages them

_ZIP_TIME: Final = (1980, 1, 1, 0, 0, 0)
_CODE: Final = ("app.py", "chalicelib", "chalice")
_NEVER: Final = ("*.pyi", "*.pyx", "*.pxd", "*.c", "*.h", "py.typed")


class PackageError(Exception):
    """The package can't be made; the message says why."""


@dataclass(frozen=True)
class Target:
    """What the zip is for. `native` means this machine, whatever it is: its own wheels are taken."""

    architecture: str
    native: bool = False

    @property
    def key(self) -> str:
        """A name for the dependencies that were made for this."""
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        return f"python{version}-{sys.platform if self.native else 'lambda'}-{self.architecture}"


@dataclass(frozen=True)
class Package:
    """What was made: the zip that all functions share, and the template, whose CodeUri names that zip."""

    archive: Path
    template: Path

    @property
    def digest(self) -> str:
        """The SHA-256 of the zip, in hex."""
        return hashlib.sha256(self.archive.read_bytes()).hexdigest()

    def read_template(self) -> dict[str, Any]:
        """Return the template."""
        template: dict[str, Any] = json.loads(self.template.read_text())
        return template


def native_target() -> Target:
    """Return this machine as a target."""
    return Target(ARM if platform.machine() in {"arm64", "aarch64"} else X86, native=True)


def make_package(stage: str, target: Target, out: Path, cache: Path = BUILD) -> Package:
    """Make zip and template in `out`. Dependencies are kept in `cache` from one time to the next.

    Raises `PackageError`, and `TemplateError` for fragments that don't fit.
    """
    if not target.native and sys.version_info[:2] > _NEWEST_PYTHON:
        newest = ".".join(map(str, _NEWEST_PYTHON))
        raise PackageError(
            f"Lambda has no Python newer than {newest}: make clean, then make PYTHON=python{newest} …"
        )
    dependencies = _dependencies(target, cache)
    work = out / "work"
    shutil.rmtree(out, ignore_errors=True)
    work.mkdir(parents=True)
    project = _project(work / "project", target)
    _run([sys.executable, "-c", "from chalice.cli import main; main()", "--project-dir", str(project), "package",
          "--stage", stage, "--merge-template", str(project / "merge.json"), str(work / "chalice")],
         cwd=project, env=_without_aws())  # fmt: skip
    content = work / "content"
    shutil.copytree(dependencies, content)
    with zipfile.ZipFile(work / "chalice" / "deployment.zip") as archive:
        archive.extractall(content)
    _prune(content, _CODE)
    _compile(content, _CODE)
    package = Package(out / "deployment.zip", out / "template.json")
    _write_zip(content, package.archive)
    package.template.write_text(_template(work / "chalice" / "sam.json"))
    shutil.rmtree(work)
    if package.archive.stat().st_size > MAX_BYTES:
        raise PackageError(f"the zip has {package.archive.stat().st_size:,} bytes; {MAX_BYTES:,} are allowed")
    return package


def kept_package(stage: str, target: Target, out: Path, cache: Path) -> Package:
    """Return the package in `out`, made anew only if anything it is made from has changed. One maker at a time."""
    made_from = out / "made-from"
    digest = _sources_digest(stage, target)
    out.parent.mkdir(parents=True, exist_ok=True)
    with out.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (made_from.exists() and made_from.read_text() == digest):
            make_package(stage, target, out, cache)
            made_from.write_text(digest)
    return Package(out / "deployment.zip", out / "template.json")


def _sources_digest(stage: str, target: Target) -> str:
    digest = hashlib.sha256(f"{stage} {target.key} {sys.version}".encode())
    for name in ("app.py", "requirements.txt", "requirements-dev.txt", "chalicelib", ".chalice", "infra"):
        at = ROOT / name
        for path in sorted(at.rglob("*")) if at.is_dir() else [at]:
            if path.is_file() and "__pycache__" not in path.parts:
                digest.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _project(project: Path, target: Target) -> Path:
    """Lay out what Chalice packages: our code as it is, no dependencies, and the configuration made whole."""
    from app import app
    from chalicelib.api.routes import ROUTERS

    settings = project / ".chalice"
    settings.mkdir(parents=True)
    shutil.copy(ROOT / "app.py", project)
    shutil.copytree(ROOT / "chalicelib", project / "chalicelib", ignore=shutil.ignore_patterns("__pycache__"))
    build_assets(project / "chalicelib" / "pages" / "assets")
    (project / BUILT.relative_to(ROOT)).write_bytes(describe(ROUTERS))
    config = with_tracing(read_config(ROOT)) | {"lambda_architecture": target.architecture}
    others: list[Any] = [*app.builtin_auth_handlers, *app.pure_lambda_functions, *app.event_sources]
    functions = {HTTP, *(function.name for function in others)}
    for name in functions:
        if name not in config["lambda_functions"]:
            raise TemplateError(f".chalice/config.json says nothing of the function {name}")
    (settings / "config.json").write_text(json.dumps(config))
    for name in functions:
        policy = config["lambda_functions"][name]["iam_policy_file"]
        given = json.loads((ROOT / ".chalice" / policy).read_text())
        (settings / policy).write_text(json.dumps(whole_policy(name, given)))
    fragments = read_fragments()
    made = {
        "fragments": fragments,
        "functions": common_fragment(functions),
        "gateway": gateway_fragment(),
        "observing": observing_fragment(functions, fragments),
    }
    (project / "merge.json").write_text(json.dumps(merged(made.items())))
    return project


def _template(path: Path) -> str:
    template = json.loads(path.read_text())
    check_whole(template)
    return json.dumps(template, indent=1, sort_keys=True) + "\n"


def _dependencies(target: Target, cache: Path) -> Path:
    """Return a folder with the dependencies, compiled, without what never runs; made where there is none."""
    made_by = (ROOT / "requirements.txt").read_bytes() + Path(__file__).read_bytes()
    name = f"{target.key}-{hashlib.sha256(made_by).hexdigest()[:16]}"
    folder = cache / "dependencies" / name
    if not folder.exists():
        draft = folder.with_name(f"{name}.{os.getpid()}")
        shutil.rmtree(draft, ignore_errors=True)
        _run([*_PIP, "--target", str(draft), *_platform(target), "-r", str(ROOT / "requirements.txt")])
        _prune(draft)
        _compile(draft)
        if folder.exists():
            shutil.rmtree(draft)
        else:
            draft.rename(folder)
    return folder


_PIP: Final = [
    sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps",
    "--no-compile", "--only-binary", ":all:",
]  # fmt: skip


def _platform(target: Target) -> Iterator[str]:
    """Yield pip's arguments for wheels that run on Lambda. pip takes each tag as it is, so all are named."""
    if target.native:
        return
    newest = _GLIBC.get(sys.version_info[:2], _GLIBC_SINCE)
    machine = _MACHINES[target.architecture]
    for tag in ("manylinux2014", *(f"manylinux_2_{minor}" for minor in range(newest, 16, -1))):
        yield from ("--platform", f"{tag}_{machine}")
    yield from (
        "--implementation",
        "cp",
        "--python-version",
        f"{sys.version_info.major}.{sys.version_info.minor}",
    )


def _prune(content: Path, only: Sequence[str] = ()) -> None:
    """Remove what never runs: tests, stubs, sources of C parts, programs, what installers note for themselves."""
    for root in [content / name for name in only] or [content]:
        for pattern in _NEVER:
            for path in [*root.rglob(pattern)]:
                path.unlink()
    if only:
        return
    folders = [*content.glob("*/tests"), *content.glob("*/test"), content / "bin", content / "share"]
    for path in [*folders, *content.rglob("__pycache__")]:
        shutil.rmtree(path, ignore_errors=True)
    # Name, version and licence stay: some packages ask for their own version, and licences go with copies.
    for info in content.glob("*.dist-info"):
        for path in info.iterdir():
            if path.is_file() and path.name != "METADATA" and "licen" not in path.name.lower():
                path.unlink()


def _compile(content: Path, only: Sequence[str] = ()) -> None:
    """Compile to .pyc that is taken as it is: no look at the source's time, which a zip made so does not keep."""
    # A process of its own and a fixed hash seed: the order of a set is in the bytes.
    roots = [str(content / name) for name in only] or [str(content)]
    _run([sys.executable, "-m", "compileall", "-q", "-f", "--invalidation-mode", "unchecked-hash",
          "-s", str(content), "-p", "/var/task", *roots],
         env={**os.environ, "PYTHONHASHSEED": "0"})  # fmt: skip


def _write_zip(content: Path, archive: Path) -> None:
    """Zip files in order, with one time and one mode each, so that the same files are the same bytes."""
    files = sorted((path for path in content.rglob("*") if path.is_file()), key=lambda path: path.as_posix())
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as zipped:
        for path in files:
            entry = zipfile.ZipInfo(path.relative_to(content).as_posix(), _ZIP_TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3  # Unix, or Lambda would not see the mode
            entry.external_attr = 0o100644 << 16
            zipped.writestr(entry, path.read_bytes())


def _without_aws() -> dict[str, str]:
    """Return an environment in which Chalice asks nobody: it wants a region, though the template has none."""
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "PYTHONPATH": "",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def _run(command: list[str], *, cwd: Path | None = None, env: dict[str, str] | None = None) -> None:
    done = subprocess.run(  # noqa: S603 - our own command
        command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip())[-2000:]
        raise PackageError(f"{' '.join(command[1:4])} failed: {said}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Make a package; return the exit status."""
    parser = argparse.ArgumentParser(prog="make package", description=__doc__.partition("\n")[0])
    parser.add_argument("--stage", default="dev", help="the name of the stage (default: dev)")
    parser.add_argument("--architecture", choices=sorted(_MACHINES), default=ARM)
    given = parser.parse_args(arguments)
    try:
        package = make_package(given.stage, Target(given.architecture), BUILD / given.stage)
    except (PackageError, TemplateError) as error:
        print(error, file=sys.stderr)
        return 1
    size = package.archive.stat().st_size
    print(f"{package.archive.relative_to(ROOT)}: {size / 1e6:.1f} MB, sha256 {package.digest}")
    print(f"{package.template.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
