"""Clients that openapi-python-client and openapi-typescript generate from the API description are type-safe and work.

Each test generates a client, type-checks it strictly and runs the main job against the app: create an event type and a
link, read the offer, list slots, book twice with one key, see that the link is used, list bookings, cancel.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import pytest

from infra.generate.openapi import COPY
from infra.local.engines.engine import Engine
from tests.support.app import Caller, running_site
from tests.support.aws.engines import new_table
from tests.support.npm_tools import MODULES, needs_npm_tools

HERE: Final = Path(__file__).parent
DONE: Final = {
    "offered": "Interview",
    "replayed": True,
    "problem": "urn:admit-one:problem:link-used",
    "link": "used",
    "stage": "second",
    "bookings": [True],
    "booking": "cancelled",
}


@pytest.fixture
def host(table_engine: Engine) -> Iterator[Caller]:
    """A host on its own site."""
    with running_site(new_table(table_engine.endpoint_url, stream=False)) as site:
        yield site.host()


def _run(command: Sequence[str | Path], where: Path) -> str:
    """Run a program in a folder and return its output; fail with the output if it fails."""
    here = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", "HOME": str(where)}
    done = subprocess.run(command, cwd=where, env=here, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command[0]}: {done.stdout[-4000:]}{done.stderr[-4000:]}"
    return done.stdout


def _did(printed: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(printed.splitlines()[-1])
    return found


@pytest.mark.timeout(900)
def test_a_generated_python_client_does_the_main_job(host: Caller, tmp_path: Path) -> None:
    """The generated client and the program that uses it pass mypy --strict, and the program works."""
    _run(["openapi-python-client", "generate", "--path", COPY, "--output-path", "made"], tmp_path)
    made = tmp_path / "made"
    shutil.copy(HERE / "main_job.py", made)
    (made / "mypy.ini").write_text("[mypy]\nstrict = True\n")

    _run(["mypy", "--config-file", "mypy.ini", "main_job.py", "admit_one_client"], made)
    printed = _run([sys.executable, "main_job.py", str(host.client.base_url), host.key.secret], made)

    assert _did(printed) == DONE


@needs_npm_tools("no TypeScript client is generated")
@pytest.mark.timeout(900)
def test_a_generated_typescript_client_does_the_main_job(host: Caller, tmp_path: Path) -> None:
    """The program passes tsc --strict with the generated types, and works with openapi-fetch."""
    tools = MODULES / ".bin"
    for name in ("main_job.ts", "node.d.ts", "tsconfig.json"):
        shutil.copy(HERE / name, tmp_path)
    (tmp_path / "node_modules").symlink_to(MODULES)
    (tmp_path / "package.json").write_text('{"type": "module"}\n')

    _run([tools / "openapi-typescript", COPY, "-o", "schema.d.ts"], tmp_path)
    _run([tools / "tsc", "-p", "tsconfig.json"], tmp_path)
    printed = _run(["node", "main_job.js", str(host.client.base_url), host.key.secret], tmp_path)

    assert _did(printed) == DONE
