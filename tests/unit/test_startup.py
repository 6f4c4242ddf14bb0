"""How a function starts: what it imports, and what it does before the first request."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import botocore.session
import pynamodb.connection.base
import pytest
from botocore.exceptions import UnknownServiceError
from botocore.loaders import Loader

from chalicelib import bootstrap
from chalicelib.settings import read_settings
from chalicelib.store.session import use_fast_loader
from infra.local.aws import use_local_aws

LATE: Final = {
    "boto3",
    "icalendar",
    "jinja2",
}  # imported only when needed, because they slow down a cold start

_LOOK: Final = """
import gc, json, sys
import app
from chalicelib import bootstrap
tops = {name.partition('.')[0] for name in sys.modules}
print(json.dumps({
    'tops': sorted(tops),
    'consumers': sorted(name for name in sys.modules if name.startswith('chalicelib.consumers')),
    'collecting': gc.isenabled(),
    'frozen': gc.get_freeze_count(),
    'routes': len(app.app.routes),
    'functions': sorted(each.name for each in [*app.app.pure_lambda_functions, *app.app.event_sources]),
    'connected': bootstrap._made is not None,
}))
"""


def started(**given: str) -> dict[str, Any]:
    """Import the app in a new process with only the given environment; return the state of that process."""
    environ = {"PATH": os.environ["PATH"]}
    use_local_aws(environ, "http://127.0.0.1:9")  # nothing listens there
    done = subprocess.run(
        [sys.executable, "-c", _LOOK], env=environ | given, check=True, capture_output=True, text=True
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


SETTINGS: Final = {"TABLE_NAME": "t", "SIGNING_SECRET_ID": "s"}


def test_the_http_function_imports_its_routes_and_no_other_function() -> None:
    """Lambda imports each other function's own module, so importing all of them would only slow down the start."""
    here, there = started(), started(AWS_LAMBDA_FUNCTION_NAME="f", **SETTINGS)
    assert there["consumers"] == []
    assert there["functions"] == []
    assert there["routes"] == here["routes"] > 40
    assert {"outbox", "commands", "expiry", "mail", "redeem_link"} <= set(here["functions"])
    assert not LATE & set(there["tops"])


def test_the_function_is_connected_and_frozen_before_the_first_request() -> None:
    there = started(AWS_LAMBDA_FUNCTION_NAME="f", **SETTINGS)
    assert there["connected"]
    assert there["collecting"]
    assert there["frozen"] > 10_000


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"TABLE_NAME": "t"},
        SETTINGS | {"RETENTION_LINK_DAYS": "soon"},
        SETTINGS | {"MAIL_HOST_DAILY_LIMIT": "1001"},
    ],
)
def test_invalid_settings_do_not_stop_the_start(settings: dict[str, str]) -> None:
    """The first request returns a problem; a function that can't start would return only 502."""
    there = started(AWS_LAMBDA_FUNCTION_NAME="f", **settings)
    assert not there["connected"]
    assert there["collecting"]


def test_outside_lambda_the_import_reads_no_settings() -> None:
    """`make package` imports the app without settings, and must find every function."""
    here = started()
    assert not here["connected"]
    assert here["collecting"]
    assert here["frozen"] == 0


def test_the_fast_loader_knows_the_same_services() -> None:
    session: Any = botocore.session.Session(profile=None)
    use_fast_loader(session)
    known = session.get_available_services()
    assert known == Loader().list_available_services("service-2")
    client = session.create_client("sqs", region_name="us-east-1")
    assert client.meta.service_model.service_name == "sqs"


def test_a_client_that_a_thread_creates_loads_no_second_session(monkeypatch: pytest.MonkeyPatch) -> None:
    """PynamoDB's session belongs to a thread, and the fast loader to the first one."""
    sessions = 0

    def get_session() -> Any:
        nonlocal sessions
        sessions += 1
        return botocore.session.get_session()

    monkeypatch.setattr(pynamodb.connection.base, "get_session", get_session)
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)
    objects: Any = bootstrap.compose(read_settings()).objects
    with ThreadPoolExecutor(1) as pool:
        pool.submit(objects._aws.client, "s3").result()
    assert sessions == 1


def test_the_fast_loader_rejects_an_unknown_service() -> None:
    session: Any = botocore.session.Session(profile=None)
    use_fast_loader(session)
    with pytest.raises(UnknownServiceError):
        session.create_client("sqz", region_name="us-east-1")


def test_the_fast_loader_opens_only_the_folder_of_its_service(monkeypatch: pytest.MonkeyPatch) -> None:
    """Botocore's own loader opens the folders of all services to check whether one exists."""
    opened: list[str] = []
    real = os.listdir

    def listdir(path: str = ".") -> list[str]:
        opened.append(path)
        return real(path)

    monkeypatch.setattr(os, "listdir", listdir)
    session: Any = botocore.session.Session(profile=None)
    use_fast_loader(session)
    session.create_client("dynamodb", region_name="us-east-1")
    others = [path for path in opened if "/data/" in path and "/dynamodb" not in path]
    assert others == []
