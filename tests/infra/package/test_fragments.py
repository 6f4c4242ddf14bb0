"""Template fragments are merged into one template; a conflict is reported with its place."""

import json
from pathlib import Path
from typing import Any

import pytest

from infra.package.fragments import TemplateError, check_resource_types, merged, read_fragments
from infra.stack.existing_resources import use_existing


def test_fragments_are_merged_at_any_depth() -> None:
    one = {"Resources": {"A": {"Properties": {"X": 1, "L": [1]}}}}
    two = {"Resources": {"A": {"Properties": {"Y": 2, "L": [1]}}, "B": {"Type": "T"}}}
    whole = merged([("one", one), ("two", two)])
    assert whole == {"Resources": {"A": {"Properties": {"X": 1, "Y": 2, "L": [1]}}, "B": {"Type": "T"}}}
    assert "Y" not in one["Resources"]["A"]["Properties"], "what was given is left alone"


@pytest.mark.parametrize("other", [2, "1", [1], {"Z": 1}, None])
def test_a_conflict_is_reported_with_its_place(other: Any) -> None:
    with pytest.raises(TemplateError, match=r"two: Resources\.A\.X is .*, but 1 in another fragment"):
        merged([("one", {"Resources": {"A": {"X": 1}}}), ("two", {"Resources": {"A": {"X": other}}})])


def test_two_different_lists_are_a_conflict() -> None:
    """Chalice's own merge would keep only the last."""
    with pytest.raises(TemplateError):
        merged([("one", {"A": [1]}), ("two", {"A": [1, 2]})])


def test_a_duplicate_name_and_invalid_json_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"Resources": {"A": {}, "A": {}}}')
    with pytest.raises(TemplateError, match=r"a\.json: 'A' appears twice"):
        read_fragments(tmp_path)
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(TemplateError, match=r"a\.json"):
        read_fragments(tmp_path)


def test_an_addition_to_an_unknown_resource_is_refused() -> None:
    with pytest.raises(TemplateError, match="Outbocks; the template has Outbox"):
        check_resource_types({"Resources": {"Outbox": {"Type": "F"}, "Outbocks": {"Properties": {}}}})


def test_references_to_an_adopted_resource_are_replaced() -> None:
    template = {
        "Resources": {
            "Table": {"Type": "AWS::DynamoDB::Table"},
            "TableTwo": {"Type": "AWS::DynamoDB::Table"},
            "F": {
                "Name": {"Ref": "Table"},
                "Arn": {"Fn::GetAtt": ["Table", "Arn"]},
                "All": [{"Fn::Sub": "${Table.Arn}/index/${Table}-${TableTwo}"}, {"Ref": "TableTwo"}],
            },
        }
    }
    before = json.dumps(template)
    adopted = use_existing(template, "Table", "old", {"Arn": "arn:old"})
    assert adopted["Resources"]["F"] == {
        "Name": "old",
        "Arn": "arn:old",
        "All": [{"Fn::Sub": "arn:old/index/old-${TableTwo}"}, {"Ref": "TableTwo"}],
    }
    assert set(adopted["Resources"]) == {"TableTwo", "F"}
    assert json.dumps(template) == before
    with pytest.raises(KeyError):
        use_existing(template, "Table", "old", {})
