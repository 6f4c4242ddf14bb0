"""Ministack: many AWS services in one local process."""

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from infra.local.aws import LOCAL_KEY, LOCAL_REGION
from infra.local.engines.engine import HOST, Engine


class Ministack(Engine):
    """Many AWS services in one Python process. It saves its data only on SIGTERM, so `kill()` loses unsaved data."""

    name = "ministack"
    ready_path = "/_ministack/ready"

    def __init__(
        self, state_dir: Path | None = None, hold: Sequence[int] = (), *, enforce_iam: bool = False
    ) -> None:
        """Keep all data under `state_dir`; None uses a temporary directory, which `stop()` removes.

        With `enforce_iam`, functions have their roles' permissions, as on AWS. Other clients have all permissions.
        """
        super().__init__(state_dir, hold)
        self._enforce_iam = enforce_iam

    def _command(self, port: int, files: Path) -> list[str]:
        del port, files
        # -P: the working directory is data, and must not be importable.
        return [sys.executable, "-P", str(Path(__file__).with_name("lean_ministack.py"))]

    def _environment(self, port: int, files: Path) -> dict[str, str]:
        temporary = files / "tmp"
        shutil.rmtree(temporary, ignore_errors=True)  # left over from an earlier start
        temporary.mkdir()
        return {
            **super()._environment(port, files),
            "BIND_HOST": HOST,
            "GATEWAY_PORT": str(port),
            "AWS_ENDPOINT_URL": f"http://{HOST}:{port}",  # functions inherit it
            "AUTH": "true" if self._enforce_iam else "false",
            "AWS_ACCESS_KEY_ID": LOCAL_KEY,  # the root user's key
            "AWS_SECRET_ACCESS_KEY": LOCAL_KEY,
            "MINISTACK_REGION": LOCAL_REGION,
            "AWS_DEFAULT_REGION": LOCAL_REGION,
            "PERSIST_STATE": "1",  # also in a temporary directory, so that restart() keeps the data
            "STATE_DIR": str(files / "state"),
            "S3_PERSIST": "1",
            "S3_DATA_DIR": str(files / "s3"),
            "TMPDIR": str(temporary),  # its pid file, unpacked functions and layers
            "IOT_MTLS_ENABLED": "0",  # otherwise ministack listens on 0.0.0.0:8883
            "SFTP_ENABLED": "0",
            "COGNITO_EMAIL_ENABLED": "false",
            # There is no Docker daemon at this address, so ministack can't start or remove the user's containers.
            "DOCKER_HOST": f"unix://{files / 'no-docker.sock'}",
            "LAMBDA_EXECUTOR": "local",
            "LOG_LEVEL": "WARNING",
            "PYTHONUNBUFFERED": "1",
        }
