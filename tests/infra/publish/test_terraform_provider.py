"""The aws provider accepts the Terraform module. `make proof` runs it, because the provider is large."""

import os
import shutil
from pathlib import Path

import pytest

from tests.infra.publish.test_terraform import MODULE, TERRAFORM, run


@pytest.mark.skipif(TERRAFORM is None, reason="NO TERRAFORM: the module is not validated")
def test_the_module_is_valid_for_the_aws_provider(tmp_path: Path) -> None:
    """The provider checks names and types of all arguments. Offline, `TF_PLUGINS` names a folder with it."""
    folder = tmp_path / "module"
    shutil.copytree(MODULE, folder)
    plugins = os.environ.get("TF_PLUGINS")
    begun = run(
        folder, "init", "-backend=false", "-input=false", *([f"-plugin-dir={plugins}"] if plugins else [])
    )
    if begun.returncode:
        pytest.skip(f"NO AWS PROVIDER: {begun.stderr.strip()[-200:]}")
    done = run(folder, "validate", "-no-color")
    assert done.returncode == 0, done.stderr

    broken = folder / "main.tf"
    broken.write_text(broken.read_text().replace("template_url ", "template_uri "))
    assert run(folder, "validate").returncode != 0, "an unknown argument must be refused"
