"""The zip is reproducible, compiled and small, and has only what runs."""

import json
import os
import struct
import zipfile
from datetime import timedelta
from functools import cache
from pathlib import Path

import pytest

from chalicelib.api.openapi.view import BUILT, describe
from chalicelib.api.routes import ROUTERS
from chalicelib.pages.assets import asset, asset_url
from infra.package import runtime
from infra.package.build import MAX_BYTES, Package, make_package
from infra.package.command import PackageError
from infra.package.dependencies import ARM, X86, Target, native_target
from infra.package.runtime import DEPRECATED, VERSION, deprecation_warning, find_python
from infra.paths import LOCAL, ROOT
from infra.release.git import is_repository, working_tree
from infra.release.packages import difference, package_of_tree

UNCHECKED_HASH = 0b01  # PEP 552: the flags of a .pyc that Python loads without checking its source
MAGIC_NUMBER = (3571).to_bytes(2, "little") + b"\r\n"  # of Python 3.13's .pyc files

for_lambda = pytest.mark.skipif(
    find_python() is None,
    reason=f"NO PYTHON {VERSION}: the functions' .pyc files can't be compiled; make runtime",
)


@pytest.fixture(scope="module")
def target() -> Target:
    """AWS, or this machine if the Python that compiles for AWS is missing."""
    return Target(ARM) if find_python() else native_target()


@pytest.fixture(scope="module")
def package(target: Target, tmp_path_factory: pytest.TempPathFactory) -> Package:
    """The package for AWS, as `make package` builds it."""
    return make_package("dev", target, tmp_path_factory.mktemp("package"), LOCAL)


@for_lambda
@pytest.mark.skipif(not is_repository(), reason="NO GIT REPOSITORY: the sources have no tree to build")
def test_two_builds_are_identical(package: Package, tmp_path: Path) -> None:
    """The second has another stage, process, folder, hash seed, time zone, locale and umask, and an empty cache."""
    other = {"PYTHONHASHSEED": "7", "TZ": "Asia/Kathmandu", "LC_ALL": "C", "LANG": "C"}
    before = os.umask(0o077)
    try:
        again = package_of_tree(
            working_tree(), tmp_path / "another-folder", cache=tmp_path / "cache", environment=other
        )
    finally:
        os.umask(before)
    assert difference(again, package) is None


def test_it_contains_only_what_runs(package: Package) -> None:
    with zipfile.ZipFile(package.archive) as archive:
        names = archive.namelist()
    tops = {name.split("/")[0] for name in names}
    assert {"app.py", "chalicelib", "chalice", "pynamodb", "msgspec", "jinja2", "icalendar", "tzdata"} <= tops
    # botocore and its dependencies are in Lambda's runtime; the rest is for building and testing.
    strangers = {
        "botocore",
        "boto3",
        "dateutil",
        "urllib3",
        "jmespath",
        "s3transfer",
        "pip",
        "pytest",
        "tests",
    }
    assert not strangers & tops
    assert not [
        name for name in names if "/tests/" in name or name.endswith((".pyi", ".c", ".pyx", "/RECORD"))
    ]
    assert {name for name in names if name.startswith("chalice/") and name.endswith(".py")} == {
        "chalice/__init__.py",
        "chalice/app.py",
    }
    assert any(name.startswith("chalicelib/pages/templates/") for name in names)
    assert any(name.startswith("chalicelib/pages/assets/") for name in names)
    assert "chalicelib/pages/bundle.py" not in names, "the bundles are built, so nothing runs their builder"
    assert package.archive.stat().st_size <= MAX_BYTES


def test_descriptions_scripts_and_styles_are_prebuilt(package: Package) -> None:
    """The zip has the built bundles under the same names as here, so no function builds them when it starts."""
    with zipfile.ZipFile(package.archive) as archive:
        folder = "chalicelib/pages/assets/"
        files = {name.removeprefix(folder) for name in archive.namelist() if name.startswith(folder)}
        names = json.loads(archive.read(f"{folder}names.json"))
        assert files == {"names.json", *names.values()}
        for name, hashed in names.items():
            assert asset_url("", name) == f"assets/{hashed}"
            found = asset(hashed)
            assert found is not None
            assert archive.read(folder + hashed) == found[0]
        assert archive.read(str(BUILT.relative_to(ROOT))) == describe(ROUTERS)


@for_lambda
def test_every_module_has_a_pyc_that_is_loaded_unchecked(package: Package) -> None:
    """Python would compile a module without one, or with one that depends on file times, at every cold start."""
    with zipfile.ZipFile(package.archive) as archive:
        names = set(archive.namelist())
        sources = [name for name in names if name.endswith(".py")]
        for source in sources:
            folder, _, name = source.rpartition("/")
            compiled = f"{folder}/__pycache__/{name[:-3]}.cpython-313.pyc".lstrip("/")
            assert compiled in names, source
            head = archive.read(compiled)[:8]
            assert head[:4] == MAGIC_NUMBER
            assert struct.unpack("<I", head[4:]) == (UNCHECKED_HASH,), source


def test_it_contains_no_path_of_the_build_machine(package: Package) -> None:
    with zipfile.ZipFile(package.archive) as archive:
        for name in archive.namelist():
            if name.endswith(".pyc"):
                content = archive.read(name)
                assert str(Path.home()).encode() + b"/" not in content, name
                assert str(LOCAL.parent).encode() not in content, name


@for_lambda
@pytest.mark.parametrize(("architecture", "machine"), [(ARM, "aarch64"), (X86, "x86_64")])
def test_its_compiled_extensions_are_for_the_functions_processor(
    package: Package, architecture: str, machine: str, tmp_path: Path
) -> None:
    if architecture != ARM:
        package = make_package("prod", Target(architecture), tmp_path, LOCAL)
    with zipfile.ZipFile(package.archive) as archive:
        parts = [name for name in archive.namelist() if name.endswith(".so")]
    assert parts
    assert all(f"cpython-313-{machine}-linux-gnu" in name for name in parts)
    functions = [
        resource["Properties"]
        for resource in package.read_template()["Resources"].values()
        if resource["Type"] == "AWS::Serverless::Function"
    ]
    assert {tuple(properties["Architectures"]) for properties in functions} == {(architecture,)}
    assert {properties["Runtime"] for properties in functions} == {"python3.13"}, "its .pyc fit no other"


def test_without_the_functions_python_nothing_is_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A .pyc of another version would be ignored, and each cold start would compile its imports."""
    monkeypatch.setattr(runtime, "find_python", _nothing_found)
    monkeypatch.setattr(runtime, "_uv", lambda: "uv")
    monkeypatch.setattr(runtime, "_output", lambda *_: "")
    (tmp_path / "old").write_text("")
    with pytest.raises(PackageError, match=r"run on Python 3\.13.*apt-get install python3\.13"):
        make_package("dev", Target(ARM), tmp_path, LOCAL)
    assert (tmp_path / "old").exists()
    assert "Installing Python 3.13" in capsys.readouterr().err


@cache
def _nothing_found() -> None:
    return None


def test_only_a_python_that_answers_with_the_functions_version_compiles(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command named python3.13 may be a shim that runs nothing."""
    for folder, answer in (
        ("shim", "exit 127"),
        ("other", "echo cpython-312"),
        ("right", "echo cpython-313"),
    ):
        python = tmp_path / folder / "python3.13"
        python.parent.mkdir()
        python.write_text(f"#!/bin/sh\n{answer}\n")
        python.chmod(0o755)
    found = [tmp_path / folder / "python3.13" for folder in ("none", "shim", "other", "right")]
    monkeypatch.setattr(runtime, "_candidates", lambda: map(str, found))
    assert runtime.find_python.__wrapped__() == str(found[-1])


def test_a_runtime_that_aws_deprecates_soon_is_reported() -> None:
    assert deprecation_warning(DEPRECATED - timedelta(days=181)) is None
    warning = deprecation_warning(DEPRECATED - timedelta(days=180))
    assert warning is not None
    assert str(DEPRECATED) in warning
    assert str(DEPRECATED) in (ROOT / "docs" / "adr" / "0031-runtime.md").read_text()
