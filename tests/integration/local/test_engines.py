"""The local engines have the same table as the deployed stack, and keep its data."""

import os
import select
import signal
import socket
import stat
import subprocess
import sys
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from infra.local.aws import local_client
from infra.local.engines.dynoxide import Dynoxide
from infra.local.engines.engine import EngineError
from infra.local.engines.ministack import Ministack
from infra.local.table import ensure_table, table_properties
from infra.paths import ROOT
from tests.support.aws.engines import Table, new_table, require_dynoxide


def keys_of(key_schema: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    return {key["KeyType"]: key["AttributeName"] for key in key_schema}


def indexes_of(indexes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {index["IndexName"]: (keys_of(index["KeySchema"]), index["Projection"]) for index in indexes}


def attributes_of(definitions: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    return {attribute["AttributeName"]: attribute["AttributeType"] for attribute in definitions}


def put(table: Table, key: str) -> None:
    local_client("dynamodb", table.endpoint_url).put_item(
        TableName=table.name, Item={"pk": {"S": key}, "sk": {"S": key}}
    )


def holds(table: Table, key: str) -> bool:
    response = local_client("dynamodb", table.endpoint_url).get_item(
        TableName=table.name, Key={"pk": {"S": key}, "sk": {"S": key}}, ConsistentRead=True
    )
    return "Item" in response


def test_the_local_table_matches_the_template(table: Table) -> None:
    """All integration tests rely on this: on another table they would say nothing about the product."""
    client = local_client("dynamodb", table.endpoint_url)
    wanted = table_properties()

    made = client.describe_table(TableName=table.name)["Table"]

    assert keys_of(made["KeySchema"]) == keys_of(wanted["KeySchema"])
    assert attributes_of(made["AttributeDefinitions"]) == attributes_of(wanted["AttributeDefinitions"])
    assert indexes_of(made["GlobalSecondaryIndexes"]) == indexes_of(wanted["GlobalSecondaryIndexes"])
    assert made["BillingModeSummary"]["BillingMode"] == wanted["BillingMode"]
    assert made["StreamSpecification"] == {"StreamEnabled": True, **wanted["StreamSpecification"]}
    assert made["DeletionProtectionEnabled"] is wanted["DeletionProtectionEnabled"]
    ttl = client.describe_time_to_live(TableName=table.name)["TimeToLiveDescription"]
    assert (ttl["TimeToLiveStatus"], ttl["AttributeName"]) == ("ENABLED", "purgeAt")


def test_an_existing_table_is_not_changed(table: Table) -> None:
    put(table, "kept")

    created = ensure_table(local_client("dynamodb", table.endpoint_url), table.name)

    assert not created
    assert holds(table, "kept")


def test_ministack_keeps_its_items_after_a_stop(tmp_path: Path) -> None:
    """The data of `make run` is still there the next day."""
    with Ministack(tmp_path / "state") as engine:
        table = new_table(engine.endpoint_url)
        put(table, "kept")

    with Ministack(tmp_path / "state") as engine:
        assert engine.endpoint_url == table.endpoint_url, "its queues have URLs with the port"
        assert holds(table, "kept")


def test_an_engine_takes_another_port_if_its_own_is_in_use(tmp_path: Path) -> None:
    with Ministack(tmp_path / "state") as engine:
        first = engine.endpoint_url

    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", int(first.rpartition(":")[2])))
        other.listen()
        with Ministack(tmp_path / "state") as engine:
            assert engine.endpoint_url != first


def test_ministack_restarts_on_its_port_with_its_data(tmp_path: Path) -> None:
    with Ministack(tmp_path / "state") as engine:
        table = new_table(engine.endpoint_url)
        put(table, "kept")

        engine.restart()

        assert engine.endpoint_url == table.endpoint_url
        assert holds(table, "kept")


def test_dynoxide_keeps_acknowledged_items_after_sigkill(tmp_path: Path) -> None:
    """The crash tests rely on this: an item that is missing after a kill was never acknowledged."""
    require_dynoxide()
    with Dynoxide(tmp_path / "table.db") as engine:
        table = new_table(engine.endpoint_url)
        put(table, "kept")

        engine.kill()
        engine.start()

        assert holds(table, "kept")


def test_a_stopped_engine_leaves_no_process_and_no_files() -> None:
    engine = Ministack().start()
    pid = engine.pid
    assert pid is not None
    [files] = [engine._files]
    assert files is not None

    engine.stop()

    assert engine.pid is None
    assert not files.exists()
    with pytest.raises(ProcessLookupError):
        os.killpg(pid, 0)


def test_an_engine_that_cannot_start_reports_the_reason(tmp_path: Path) -> None:
    require_dynoxide()
    (tmp_path / "table.db").write_bytes(b"not a database" * 1000)

    with pytest.raises(EngineError, match=r"dynoxide exited while starting: .*not a valid SQLite database"):
        Dynoxide(tmp_path / "table.db").start()


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's parent-death signal is Linux's own")
def test_an_engine_saves_and_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    """A killed `make run` loses no data, and leaves no engine that locks the state."""
    # Given a process that started an engine with its lock, and put an item in it
    script = """
        import os, sys
        from pathlib import Path
        from infra.local.engines.ministack import Ministack
        from tests.support.aws.engines import new_table
        from tests.integration.local.test_engines import put
        engine = Ministack(Path(sys.argv[1]), hold=[int(sys.argv[2])]).start()
        table = new_table(engine.endpoint_url)
        put(table, "kept")
        print(table.name, flush=True)
        sys.stdin.read()
    """
    alive, held = os.pipe()
    parent = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script), str(tmp_path / "state"), str(held)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        pass_fds=[held],
        text=True,
    )
    os.close(held)
    assert parent.stdout is not None
    name = parent.stdout.readline().strip()

    # When it is killed
    parent.send_signal(signal.SIGKILL)
    parent.communicate()

    # Then the engine ends too, which closes the pipe it inherited, and its data is kept
    readable, _, _ = select.select([alive], [], [], 30)
    assert readable, "the engine outlived its parent"
    assert os.read(alive, 1) == b""
    os.close(alive)
    with Ministack(tmp_path / "state") as engine:
        assert holds(Table(engine.endpoint_url, name), "kept")


def test_only_the_owner_can_read_local_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from infra.local import backend

    monkeypatch.setattr(backend, "_API_KEY", tmp_path / "api-key")

    first, second = backend.local_api_key(), backend.local_api_key()

    assert first == second
    assert len(first) == len("ao_") + 43
    assert stat.S_IMODE((tmp_path / "api-key").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["api-key"]


def test_ministack_reads_every_variable_that_it_is_given() -> None:
    """It ignores a misspelled variable, and would then listen on all interfaces, or use the Docker daemon."""
    from ministack import app

    source = "".join(path.read_text() for path in Path(str(app.__file__)).parent.rglob("*.py"))
    engine = Ministack()
    with TemporaryDirectory() as files:
        given = engine._environment(1234, Path(files))
    ours = given.keys() - os.environ.keys() - {"TMPDIR", "PYTHONUNBUFFERED"}  # Python reads these two
    assert {name for name in ours if name not in source} == set()
    assert {"BIND_HOST", "DOCKER_HOST", "GATEWAY_PORT"} <= ours


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("engine", [Ministack, Dynoxide])
def test_an_engine_listens_on_the_loopback_address_only(engine: type[Ministack] | type[Dynoxide]) -> None:
    """The local engines check no credentials, so the network must not reach them."""
    if engine is Dynoxide:
        require_dynoxide()
    with engine() as running:
        port = int(running.endpoint_url.rpartition(":")[2])
        lines = [line.split() for kind in ("tcp", "tcp6") for line in _listening(kind)]
        listening = {line[1].partition(":")[0] for line in lines if line[1].endswith(f":{port:04X}")}
    assert listening == {"0100007F"}


def _listening(kind: str) -> list[str]:
    """Return the lines of /proc/net for listening sockets (state 0A)."""
    path = Path("/proc/net") / kind
    return (
        [line for line in path.read_text().splitlines()[1:] if line.split()[3] == "0A"]
        if path.exists()
        else []
    )
