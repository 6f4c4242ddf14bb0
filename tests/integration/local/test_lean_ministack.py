"""Ministack without repetitions: functions share their unpacked code, and each template is transformed once."""

import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import pytest

from infra.local.engines import lean_ministack
from infra.local.engines.lean_ministack import _SAM, _TransformedOnce, _UnpackedOnce

TEMPLATE: Any = {"Transform": "AWS::Serverless-2016-10-31", "Resources": {}}


def _unpacked(archive: Path, target: Path) -> Path:
    """Unpack a zip as ministack does, and return the folder that holds the files."""
    target.mkdir()
    with _UnpackedOnce(archive) as opened:
        opened.extractall(target)
    return target.resolve()


def test_processes_share_the_unpacked_code_of_one_zip_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for name in ("one", "other"):
        with zipfile.ZipFile(tmp_path / f"{name}.zip", "w") as archive:
            archive.writestr("app.py", name)

    first = _unpacked(tmp_path / "one.zip", tmp_path / "first")
    second = _unpacked(tmp_path / "one.zip", tmp_path / "second")
    other = _unpacked(tmp_path / "other.zip", tmp_path / "third")

    assert first == second != other
    assert [(folder / "app.py").read_text() for folder in (first, other)] == ["one", "other"]


def test_a_template_is_transformed_once_and_a_changed_one_again(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []

    def transform(template: Any, *_: Any) -> Any:
        seen.append(template)
        return {**template, "Transformed": True}

    monkeypatch.setattr(lean_ministack, "_real_transform", lambda: transform)
    once = _TransformedOnce()
    changed = {**TEMPLATE, "Description": "changed"}

    results = [once.transform(template, {}, None) for template in (TEMPLATE, TEMPLATE, changed)]

    assert seen == [TEMPLATE, changed]
    assert results == [{**template, "Transformed": True} for template in (TEMPLATE, TEMPLATE, changed)]
    results[0]["Resources"]["Changed"] = {}
    assert once.transform(TEMPLATE, {}, None)["Resources"] == {}, "a caller may change its result"


def test_the_real_transform_is_sams(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ministack imports the module by its name, and gets the one that keeps results."""
    from samtranslator.translator.transform import transform

    monkeypatch.setitem(sys.modules, _SAM, _TransformedOnce())
    lean_ministack._real_transform.cache_clear()

    assert lean_ministack._real_transform().__code__.co_filename == transform.__code__.co_filename
    assert isinstance(sys.modules[_SAM], _TransformedOnce)
