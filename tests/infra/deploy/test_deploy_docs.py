"""docs/deploy.md matches the template and the Makefile."""

import re
from typing import Any

import pytest

from infra.paths import ROOT

DOCS = (ROOT / "docs" / "deploy.md").read_text()


def test_every_parameter_is_documented_with_its_default(template: dict[str, Any]) -> None:
    documented = dict[str, str]()
    for row in re.findall(r"^\| (`[^|]*`) \|([^|]*)\|", DOCS, re.MULTILINE):
        names = re.findall(r"`(\w+)`", row[0])
        defaults = [each.strip() for each in row[1].split(",")] if row[1].strip() else [""] * len(names)
        if len(names) == len(defaults):
            documented |= dict(zip(names, defaults, strict=True))
    wanted = {name: str(each.get("Default", "")) for name, each in template["Parameters"].items()}
    assert {name: documented.get(name) for name in wanted} == wanted


@pytest.mark.parametrize("target", ["package", "deploy", "destroy", "key", "keys", "revoke-key"])
def test_every_make_target_that_it_names_exists(target: str) -> None:
    assert f"make {target}" in DOCS
    assert re.search(rf"^{target}: ", (ROOT / "Makefile").read_text(), re.MULTILINE)
