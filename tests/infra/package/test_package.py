"""The zip is reproducible, compiled and small, and has only what runs."""

import importlib.util
import json
import struct
import sys
import zipfile
from pathlib import Path

import pytest

from chalicelib.api.openapi.view import BUILT, describe
from chalicelib.api.routes import ROUTERS
from chalicelib.pages.assets import asset, asset_url
from infra.package.build import MAX_BYTES, Package, make_package
from infra.package.command import PackageError
from infra.package.dependencies import ARM, X86, Target
from infra.paths import LOCAL, ROOT

UNCHECKED_HASH = 0b01  # PEP 552: the flags of a .pyc that Python loads without checking its source


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Package:
    """The package for AWS, as `make package` builds it."""
    return make_package("dev", Target(ARM), tmp_path_factory.mktemp("package"), LOCAL)


def test_two_builds_are_identical(package: Package, tmp_path: Path) -> None:
    """The second build installs and compiles all dependencies again."""
    again = make_package("dev", Target(ARM), tmp_path / "out", tmp_path / "cache")
    assert again.archive.read_bytes() == package.archive.read_bytes()
    assert again.template.read_bytes() == package.template.read_bytes()


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


def test_every_module_has_a_pyc_that_is_loaded_unchecked(package: Package) -> None:
    """Python would compile a module without one, or with one that depends on file times, at every cold start."""
    with zipfile.ZipFile(package.archive) as archive:
        names = set(archive.namelist())
        sources = [name for name in names if name.endswith(".py")]
        for source in sources:
            compiled = importlib.util.cache_from_source(source)
            assert compiled in names, source
            head = archive.read(compiled)[:8]
            assert head[:4] == importlib.util.MAGIC_NUMBER
            assert struct.unpack("<I", head[4:]) == (UNCHECKED_HASH,), source


def test_it_contains_no_path_of_the_build_machine(package: Package) -> None:
    with zipfile.ZipFile(package.archive) as archive:
        for name in archive.namelist():
            if name.endswith(".pyc"):
                content = archive.read(name)
                assert str(Path.home()).encode() + b"/" not in content, name
                assert str(LOCAL.parent).encode() not in content, name


@pytest.mark.parametrize(("architecture", "machine"), [(ARM, "aarch64"), (X86, "x86_64")])
def test_its_compiled_extensions_are_for_the_functions_processor(
    package: Package, architecture: str, machine: str, tmp_path: Path
) -> None:
    if architecture != ARM:
        package = make_package("prod", Target(architecture), tmp_path, LOCAL)
    with zipfile.ZipFile(package.archive) as archive:
        parts = [name for name in archive.namelist() if name.endswith(".so")]
    assert parts
    assert all(f"{machine}-linux-gnu" in name for name in parts)
    functions = [
        resource["Properties"]
        for resource in package.read_template()["Resources"].values()
        if resource["Type"] == "AWS::Serverless::Function"
    ]
    assert {tuple(properties["Architectures"]) for properties in functions} == {(architecture,)}
    here = f"python{sys.version_info.major}.{sys.version_info.minor}"
    assert {properties["Runtime"] for properties in functions} == {here}, "its .pyc fit no other"


def test_a_python_version_that_lambda_does_not_have_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infra.package.build._NEWEST_PYTHON", (3, 10))
    with pytest.raises(PackageError, match=r"no Python newer than 3\.10.*make PYTHON=python3\.10"):
        make_package("dev", Target(ARM), tmp_path, LOCAL)
