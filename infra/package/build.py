"""`make package`: build one zip and one template. The same sources give the same bytes.

Usage: python -m infra.package.build. Chalice writes the template from app.py and .chalice and merges our fragments into
it. The zip contains the dependencies of requirements.txt, our code and Chalice's small runtime, all compiled: without
.pyc files, each cold start would compile its imports, which takes a second.
"""

import argparse
import fcntl
import hashlib
import json
import os
import shutil
import sys
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from infra.errors import CommandError
from infra.package.command import PackageError, run
from infra.package.contents import compile_all, prune, write_zip
from infra.package.dependencies import ARM, MACHINES, Target, install_dependencies
from infra.package.fragments import check_resource_types
from infra.package.project import lay_out
from infra.package.runtime import LAMBDA_NAME, deprecation_warning
from infra.paths import BUILD, ROOT

MAX_BYTES: Final = 8 * 1024 * 1024

_CODE: Final = ("app.py", "chalicelib", "chalice")


@dataclass(frozen=True)
class Package:
    """The zip that all functions share, and the template, whose CodeUri refers to the zip."""

    archive: Path
    template: Path

    @property
    def digest(self) -> str:
        """The SHA-256 of the zip, in hex."""
        return hashlib.sha256(self.archive.read_bytes()).hexdigest()

    @property
    def version(self) -> str:
        """The version of the code in the zip, e.g. 0.1.0."""
        with zipfile.ZipFile(self.archive) as archive:
            source = archive.read("chalicelib/__init__.py").decode()
        return source.partition('__version__ = "')[2].partition('"')[0]

    def read_template(self) -> dict[str, Any]:
        """Return the template."""
        template: dict[str, Any] = json.loads(self.template.read_text())
        return template


def make_package(stage: str, target: Target, out: Path, cache: Path = BUILD) -> Package:
    """Build zip and template in `out`. Dependencies are kept in `cache` for the next build.

    Raise `PackageError`, and `TemplateError` for fragments that don't fit.
    """
    python = target.python()  # if it is missing, the build fails before it changes anything
    dependencies = install_dependencies(target, cache)
    work = out / "work"
    shutil.rmtree(out, ignore_errors=True)
    work.mkdir(parents=True)
    project = lay_out(work / "project", target)
    run([sys.executable, "-c", "from chalice.cli import main; main()", "--project-dir", str(project), "package",
          "--stage", stage, "--merge-template", str(project / "merge.json"), str(work / "chalice")],
         cwd=project, env=_without_aws())  # fmt: skip
    content = work / "content"
    shutil.copytree(dependencies, content)
    with zipfile.ZipFile(work / "chalice" / "deployment.zip") as archive:
        archive.extractall(content)
    prune(content, _CODE)
    compile_all(content, python, _CODE)
    package = Package(out / "deployment.zip", out / "template.json")
    write_zip(content, package.archive)
    package.template.write_text(_template(work / "chalice" / "sam.json", target))
    shutil.rmtree(work)
    if package.archive.stat().st_size > MAX_BYTES:
        raise PackageError(
            f"the zip has {package.archive.stat().st_size:,} bytes; the limit is {MAX_BYTES:,}"
        )
    return package


def cached_package(stage: str, target: Target, out: Path, cache: Path) -> Package:
    """Return the package in `out`, rebuilt only if any of its sources has changed, one build at a time."""
    built_from = out / "built-from"
    digest = _sources_digest(stage, target)
    out.parent.mkdir(parents=True, exist_ok=True)
    with out.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (built_from.exists() and built_from.read_text() == digest):
            make_package(stage, target, out, cache)
            built_from.write_text(digest)
    return Package(out / "deployment.zip", out / "template.json")


def _sources_digest(stage: str, target: Target) -> str:
    digest = hashlib.sha256(f"{stage} {target.key} {sys.version}".encode())
    for name in ("app.py", "requirements.txt", "chalicelib", ".chalice", "infra"):
        at = ROOT / name
        for path in sorted(at.rglob("*")) if at.is_dir() else [at]:
            if path.is_file() and "__pycache__" not in path.parts:
                digest.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _template(path: Path, target: Target) -> str:
    """Return the template that Chalice wrote, checked, for the functions' runtime, and in a stable order."""
    template = json.loads(path.read_text())
    check_resource_types(template)
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            properties = resource["Properties"]
            properties["Tags"].pop(
                "aws-chalice"
            )  # it names the stage, and the template must be the same for every stage
            if not properties["Tags"]:
                del properties["Tags"]
            if not target.native:  # Chalice names the version that runs it
                properties["Runtime"] = LAMBDA_NAME
    return json.dumps(template, indent=1, sort_keys=True) + "\n"


def _without_aws() -> dict[str, str]:
    """Return an environment in which Chalice calls no AWS service. Chalice needs a region, but doesn't use it."""
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "PYTHONPATH": "",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Build a package; return the exit status."""
    parser = argparse.ArgumentParser(prog="make package", description=__doc__.partition("\n")[0])
    parser.add_argument("--stage", default="dev", help="the name of the stage (default: dev)")
    parser.add_argument("--architecture", choices=sorted(MACHINES), default=ARM)
    given = parser.parse_args(arguments)
    try:
        package = make_package(given.stage, Target(given.architecture), BUILD / given.stage)
    except CommandError as error:
        print(error, file=sys.stderr)
        return 1
    warning = deprecation_warning(datetime.now(UTC).date())
    if warning:
        print(warning, file=sys.stderr)
    size = package.archive.stat().st_size
    print(f"{package.archive.relative_to(ROOT)}: {size / 1e6:.1f} MB, sha256 {package.digest}")
    print(f"{package.template.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
