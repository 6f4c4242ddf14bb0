"""The project that Chalice packages: our code, the built assets, and the complete configuration."""

import json
import shutil
from pathlib import Path
from typing import Any

import msgspec

from chalicelib import __version__
from chalicelib.api.openapi.view import BUILT, describe
from chalicelib.pages.assets import NAMES
from chalicelib.pages.bundle import assemble
from infra.package.dependencies import Target
from infra.package.fragments import TemplateError, merged, read_fragments
from infra.package.functions import HTTP, common_fragment, complete_policy, read_config
from infra.package.gateway import gateway_fragment
from infra.package.monitoring import monitoring_fragment
from infra.paths import ROOT


def lay_out(project: Path, target: Target) -> Path:
    """Write the project that Chalice packages to `project`: our code, the built assets, and the configuration."""
    from app import app
    from chalicelib.api.routes import ROUTERS

    settings = project / ".chalice"
    settings.mkdir(parents=True)
    shutil.copy(ROOT / "app.py", project)
    shutil.copytree(ROOT / "chalicelib", project / "chalicelib", ignore=shutil.ignore_patterns("__pycache__"))
    pages = project / "chalicelib" / "pages"
    _build_assets(pages / "assets")
    (pages / "bundle.py").unlink()  # it is needed only to build the assets
    (project / BUILT.relative_to(ROOT)).write_bytes(describe(ROUTERS))
    config = read_config(ROOT) | {"lambda_architecture": target.architecture}
    others: list[Any] = [*app.builtin_auth_handlers, *app.pure_lambda_functions, *app.event_sources]
    functions = {HTTP, *(function.name for function in others)}
    for name in functions:
        if name not in config["lambda_functions"]:
            raise TemplateError(f".chalice/config.json has no entry for the function {name}")
    (settings / "config.json").write_text(json.dumps(config))
    for name in functions:
        policy = config["lambda_functions"][name]["iam_policy_file"]
        given = json.loads((ROOT / ".chalice" / policy).read_text())
        (settings / policy).write_text(json.dumps(complete_policy(name, given)))
    fragments = read_fragments()
    parts = {
        "fragments": fragments,
        "functions": common_fragment(functions),
        "gateway": gateway_fragment(),
        "monitoring": monitoring_fragment(functions, fragments),
        "version": _version_fragment(),
    }
    (project / "merge.json").write_text(json.dumps(merged(parts.items())))
    return project


def _version_fragment() -> dict[str, Any]:
    """Return a fragment with the version, which the stack's description and an output show."""
    return {
        "Description": f"Admit One {__version__}: single-use private booking links",
        "Outputs": {"Version": {"Value": __version__}},
    }


def _build_assets(folder: Path) -> None:
    """Replace the files in a copy of `assets/` with the bundles, under names with a hash, and a list of these names."""
    served = assemble(folder)
    shutil.rmtree(folder)
    folder.mkdir()
    for hashed, content in served.values():
        (folder / hashed).write_bytes(content)
    names = {name: hashed for name, (hashed, _) in sorted(served.items())}
    (folder / NAMES.name).write_bytes(msgspec.json.encode(names))
