"""The Terraform module is valid, and its example in docs/deploy.md sets only variables that it has."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest

from infra.paths import ROOT

MODULE: Final = ROOT / "infra" / "terraform"
PAGE: Final = (ROOT / "docs" / "deploy.md").read_text()
TERRAFORM: Final = shutil.which("terraform")


def names(kind: str) -> set[str]:
    """Return the names of the module's variables or outputs."""
    return set(
        re.findall(rf'^{kind} "(\w+)"', "\n".join(p.read_text() for p in MODULE.glob("*.tf")), re.MULTILINE)
    )


def run(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    assert TERRAFORM
    environment = {**os.environ, "TF_CLI_CONFIG_FILE": os.devnull, "CHECKPOINT_DISABLE": "1"}
    return subprocess.run(
        [TERRAFORM, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def test_the_example_sets_only_variables_of_the_module() -> None:
    block = PAGE.partition("```hcl\n")[2].partition("```")[0]
    assert set(re.findall(r"^  (\w+) +=", block, re.MULTILINE)) - {"source"} <= names("variable")
    required = set(re.findall(r'variable "(\w+)" \{[^}]*?\n\}', (MODULE / "variables.tf").read_text()))
    assert "template_url" in required
    assert names("output") == {"site_url", "version", "make_admin_function", "outputs"}


def test_the_outputs_and_parameters_that_it_names_are_those_of_the_stack(template: dict[str, Any]) -> None:
    read = set(re.findall(r'outputs\["(\w+)"\]', (MODULE / "outputs.tf").read_text()))
    assert read <= set(template["Outputs"])
    block = PAGE.partition("```hcl\n")[2].partition("```")[0]
    assert set(re.findall(r"\b([A-Z]\w+) =", block)) <= set(template["Parameters"])


def test_the_module_sets_nothing_that_replaces_an_imported_stack() -> None:
    """The provider can't read these arguments from a stack, and replaces it if the module sets another value."""
    text = (MODULE / "main.tf").read_text()
    assert re.findall(r"^  (on_failure|disable_rollback) +=", text, re.MULTILINE) == []


@pytest.mark.skipif(TERRAFORM is None, reason="NO TERRAFORM: the module is not validated")
def test_the_module_is_formatted() -> None:
    done = run(MODULE, "fmt", "-check", "-diff")
    assert done.returncode == 0, done.stdout
