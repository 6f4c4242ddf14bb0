"""The unpacked package and its functions, as Lambda runs them."""

import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from infra.package.build import Package

Start = Callable[..., Any]


@pytest.fixture(scope="session")
def task(packaged: Package, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unpacked zip, as in Lambda's /var/task."""
    folder = tmp_path_factory.mktemp("task")
    with zipfile.ZipFile(packaged.archive) as archive:
        archive.extractall(folder)
    return folder


@pytest.fixture(scope="module")
def start(
    task: Path, packaged: Package, environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Start]:
    """Start a function by its logical id, with the handler from the template; it stops after the module's tests.

    The module's fixture `environment` has the environment variables.
    """
    from tests.support.aws.lambda_runtime import running, runtime_folder

    resources = packaged.read_template()["Resources"]
    runtime = runtime_folder(tmp_path_factory.mktemp("runtime"))
    logs = tmp_path_factory.mktemp("logs")
    started: dict[str, Any] = {}
    with ExitStack() as stack:

        def one(name: str, **more: str) -> Any:
            if name not in started or more:
                handler = resources[name]["Properties"]["Handler"]
                log = logs / f"{name}-{len(started)}.log"
                function = stack.enter_context(running(task, runtime, handler, {**environment, **more}, log))
                if more:
                    return function
                started[name] = function
            return started[name]

        yield one
